package proofing_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

func TestARequestIsGrantedByEverybodyInTheirTurn(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing2")
	at := func(what string, status proofing.Status, stage proofing.Stage) {
		t.Helper()
		if k = c.reload(k); k.Status != status || k.Approval.Stage != stage {
			t.Fatalf("%s: %s (%s), %+v", what, k.Status, k.Reason, k.Approval)
		}
		if allow, problem := c.authorized(k); allow != (status == proofing.CaseGranted) || !allow && problem != "review" {
			t.Errorf("%s: the authority hears %v, %s", what, allow, problem)
		}
	}
	at("submitted", proofing.CaseReview, proofing.StageSubmitted)
	waiting := c.post.all("waiting")
	if len(waiting) != 2 || waiting[0].Disown != "" || waiting[0].Link != "" && waiting[0].Link.Reveal() != "https://proof.example.org/admin/cases/"+k.ID {
		t.Errorf("told that it waits: %d", len(waiting))
	}
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	at("after one of two", proofing.CaseReview, proofing.StageSubmitted)
	must[*proofing.Case](t)(c.decides(c.second, k, proofing.StepApprove, false))
	at("after the other", proofing.CaseReview, proofing.StageVetting)
	must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
	at("vetted", proofing.CaseReview, proofing.StageCorrelation)
	must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
	at("reviewed", proofing.CaseGranted, proofing.StageCorrelation)
	if k.Grant.Entitlement != "dossier" || k.Grant.Assessment.AAL == nil || *k.Grant.Assessment.AAL != 2 {
		t.Errorf("the grant is %+v", k.Grant)
	}
	for i, d := range k.Approval.Decisions {
		if err := verify(&d.Signature); err != nil || d.Entry == 0 {
			t.Errorf("decision %d: %v, entry %d", i, err, d.Entry)
		}
	}
}

func TestOneRefusalEndsARequest(t *testing.T) {
	c := newCourt(t)
	for _, by := range []struct {
		who   *representative
		step  proofing.Step
		after []struct {
			who  *representative
			step proofing.Step
		}
	}{
		{c.approver, proofing.StepApprove, nil},
		{c.specialist, proofing.StepVet, []struct {
			who  *representative
			step proofing.Step
		}{{c.approver, proofing.StepApprove}}},
		{c.reviewer, proofing.StepReview, []struct {
			who  *representative
			step proofing.Step
		}{{c.approver, proofing.StepApprove}, {c.specialist, proofing.StepVet}}},
	} {
		k := c.submitted("signing")
		for _, d := range by.after {
			must[*proofing.Case](t)(c.decides(d.who, k, d.step, false))
		}
		k = must[*proofing.Case](t)(c.decides(by.who, k, by.step, true))
		if k.Status != proofing.CaseRefused || k.Reason != "refused_"+string(by.step) {
			t.Errorf("%s: %s (%s)", by.step, k.Status, k.Reason)
		}
		if last := k.Approval.Decisions[len(k.Approval.Decisions)-1]; last.Reason != "not ours" || verify(&last.Signature) != nil {
			t.Errorf("%s: %+v", by.step, last)
		}
		_, err := c.decides(c.second, k, proofing.StepApprove, false)
		wantInput(t, "afterwards", err, "decide_stage")
		c.pass(time.Hour)
	}
	k := c.submitted("signing")
	c.approver.renew()
	c.pass(11 * time.Minute)
	_, err := c.AskDecision(t.Context(), c.approver.visit(), proofing.DecisionRequest{Case: k.ID, Appointment: c.office[c.approver].ID, Step: proofing.StepApprove, Refuse: true})
	wantErr(t, "a session that is not fresh", err, proofing.ErrNotAdmitted)
}

func TestTheSameSignatureDecidesOnce(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing2")
	asked := must[*proofing.Signing](t)(c.asked(c.approver, k, proofing.StepApprove, false))
	answer := c.signs(c.approver.key, asked)
	other := c.beside(0)
	var all sync.WaitGroup
	for i := range 10 { // on two processes
		all.Go(func() {
			s := []*proofing.Service{c.Service, other}[i%2]
			if k, err := s.Decide(context.WithoutCancel(t.Context()), c.approver.visit(), answer); err == nil && len(k.Approval.Decisions) != 1 {
				t.Errorf("%d decisions", len(k.Approval.Decisions))
			}
		})
	}
	all.Wait()
	if k = c.reload(k); len(k.Approval.Decisions) != 1 {
		t.Fatalf("%d decisions", len(k.Approval.Decisions))
	}
	_, err := c.Decide(t.Context(), c.approver.visit(), answer)
	wantInput(t, "afterwards", err, "signing_over")
}

func TestOfTwoWhoDecideAtOnceOneLooksAgain(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing2")
	first := must[*proofing.Signing](t)(c.asked(c.approver, k, proofing.StepApprove, false))
	second := must[*proofing.Signing](t)(c.asked(c.second, k, proofing.StepApprove, true))
	answers := [][]byte{c.signs(c.approver.key, first), c.signs(c.second.key, second)}
	services, visits := []*proofing.Service{c.Service, c.beside(0)}, []proofing.Visit{c.approver.visit(), c.second.visit()}
	var all sync.WaitGroup
	errs := make([]error, 2)
	for i := range 2 {
		all.Go(func() { _, errs[i] = services[i].Decide(context.WithoutCancel(t.Context()), visits[i], answers[i]) })
	}
	all.Wait()
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 || errs[1-i] != nil {
		t.Fatalf("%v", errs)
	}
	if k = c.reload(k); len(k.Approval.Decisions) != 1 || k.Approval.Decisions[0].Refused != (i == 0) {
		t.Errorf("%v: %s, %+v", errs, k.Status, k.Approval.Decisions)
	}
	if i == 1 { // the refusal was made on what was there before the approval
		wantInput(t, "the second one", errs[i], "decision_stale")
	}
}

func TestWhatHasChangedSinceThePageWasMadeIsNotDecided(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	asked := must[*proofing.Signing](t)(c.asked(c.specialist, k, proofing.StepVet, false))
	answer := c.signs(c.specialist.key, asked)
	c.reviewer.renew()
	must[*proofing.Case](t)(c.RaiseDiscrepancy(t.Context(), c.reviewer.visit(), k.ID, "two addresses"))
	_, err := c.Decide(t.Context(), c.specialist.visit(), answer)
	wantInput(t, "with a discrepancy since", err, "decision_stale")
	_, err = c.AskDecision(t.Context(), c.specialist.visit(), proofing.DecisionRequest{Case: k.ID, Appointment: c.office[c.specialist].ID, Step: proofing.StepVet, Number: 1})
	wantInput(t, "an old page", err, "decision_stale")

	// Nor on a dossier that says something else by now, whether the page or what was signed is older.
	before := c.dossierOf(k).Digest()
	c.specialist.renew()
	must[*proofing.Case](t)(c.ResolveDiscrepancy(t.Context(), c.specialist.visit(), k.ID, c.reload(k).Approval.Discrepancies[0].ID, "one is the former one"))
	asked = must[*proofing.Signing](t)(c.asked(c.specialist, k, proofing.StepVet, false))
	answer = c.signs(c.specialist.key, asked)
	must[*proofing.Organization](t)(c.RecordItem(t.Context(), c.specialist.visit(), c.dossierOf(k).ID, proofing.ItemDraft{
		Kind: proofing.ItemPlace, Value: "Another Street 2", Source: "register", SourceKind: proofing.SourceLetter, CollectedAt: c.clock(), Outcome: proofing.OutcomeGood,
	}))
	_, err = c.Decide(t.Context(), c.specialist.visit(), answer)
	wantInput(t, "with another address since", err, "decision_stale")
	_, err = c.AskDecision(t.Context(), c.specialist.visit(), proofing.DecisionRequest{
		Case: k.ID, Appointment: c.office[c.specialist].ID, Step: proofing.StepVet, Number: c.reload(k).Journal.Written, Dossier: before, Shown: proofing.DocumentShown{Language: "en", Text: "x"},
	})
	wantInput(t, "a page with the old address", err, "decision_stale")

	// Under another policy nothing that was signed before counts.
	asked = must[*proofing.Signing](t)(c.asked(c.specialist, k, proofing.StepVet, false))
	answer = c.signs(c.specialist.key, asked)
	c.Policy.Digest = "another"
	_, err = c.Decide(t.Context(), c.specialist.visit(), answer)
	wantInput(t, "another policy", err, "signing_over")
}

func TestADiscrepancyHoldsARequestUntilItIsExplained(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
	c.reviewer.renew()
	k = must[*proofing.Case](t)(c.RaiseDiscrepancy(t.Context(), c.reviewer.visit(), k.ID, "the register has another address"))
	if k.Approval.Stage != proofing.StageVetting || k.Approval.Decisions[1].Void == "" {
		t.Fatalf("%+v", k.Approval)
	}
	_, err := c.decides(c.specialist, k, proofing.StepVet, false)
	wantInput(t, "unexplained", err, "decide_discrepancy")
	id := k.Approval.Discrepancies[0].ID
	for range 2 { // it may come twice
		c.specialist.renew()
		must[*proofing.Case](t)(c.ResolveDiscrepancy(t.Context(), c.specialist.visit(), k.ID, id, "they have moved"))
	}
	_, err = c.ResolveDiscrepancy(t.Context(), c.specialist.visit(), k.ID, id, "something else")
	wantInput(t, "another explanation", err, "discrepancy_resolved")
	for _, r := range []*representative{c.approver, c.requester, c.one} {
		r.renew()
		_, err = c.RaiseDiscrepancy(t.Context(), r.visit(), k.ID, "mine")
		wantErr(t, "a discrepancy by "+r.name, err, proofing.ErrNotFound)
	}
	must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
	if k = must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false)); k.Status != proofing.CaseGranted {
		t.Errorf("%s", k.Status)
	}
}

// Whoever holds an office of the organization has no part in judging what is said of it, though they be a specialist as well and have done nothing yet by either; and
// whoever has judged approves nothing.
func TestNobodyStandsOnBothSidesByAnotherDoor(t *testing.T) {
	c := newCourt(t)
	for _, r := range []*representative{c.requester, c.approver} {
		c.adds(r, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
	}
	other, _ := c.holds("other", c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
	both := []*representative{c.requester, c.approver, c.signer, c.second}
	c.adds(c.signer, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
	c.adds(c.second, c.one, c.two, draft(proofing.RoleReviewer, "alpha", ""))
	for _, r := range both[:3] {
		r.renew()
		_, err := c.RecordItem(t.Context(), r.visit(), c.org.ID, proofing.ItemDraft{
			Kind: proofing.ItemPlace, Value: "Example Street 1", Source: "register of companies", SourceKind: proofing.SourceQGIS, CollectedAt: c.clock(), Outcome: proofing.OutcomeGood,
		})
		wantInput(t, "something collected by "+r.name, err, "item_side")
	}
	k := c.submitted("signing2")
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	for _, r := range both {
		r.renew()
		if d := must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), r.visit(), k.ID)); d.Judges || !slices.Contains(slices.Collect(maps.Values(d.Why)), "decide_side") {
			t.Errorf("%s is offered to judge: %v, %v", r.name, d.Judges, d.Why)
		}
		_, err := c.RaiseDiscrepancy(t.Context(), r.visit(), k.ID, "mine")
		wantInput(t, "a discrepancy by "+r.name, err, "decide_side")
	}
	c.specialist.renew()
	if d := must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), c.specialist.visit(), k.ID)); !d.Judges || len(d.Why) != 0 {
		t.Errorf("the specialist is offered %v, %v", d.Judges, d.Why)
	}
	k = must[*proofing.Case](t)(c.RaiseDiscrepancy(t.Context(), c.specialist.visit(), k.ID, "the register has another address"))
	id := k.Approval.Discrepancies[0].ID
	for _, r := range both {
		_, err := c.ResolveDiscrepancy(t.Context(), r.visit(), k.ID, id, "it is right")
		wantInput(t, "an explanation by "+r.name, err, "decide_side")
	}
	other.renew()
	must[*proofing.Case](t)(c.ResolveDiscrepancy(t.Context(), other.visit(), k.ID, id, "they have moved"))
	c.office[other] = c.adds(other, c.one, c.two, draft(proofing.RoleApprover, "alpha", c.org.ID))
	_, err := c.decides(other, k, proofing.StepApprove, false)
	wantInput(t, "an approval by who has explained it", err, "decide_side")
}

// An office of the organization is enough, at each step: nobody is called to it, finds it waiting, or signs it.
func TestNobodyJudgesARequestOfAnOrganizationThatTheyHoldAnOfficeOf(t *testing.T) {
	c := newCourt(t)
	signs := c.office[c.signer]
	vets := c.adds(c.signer, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
	reviews := c.adds(c.signer, c.one, c.two, draft(proofing.RoleReviewer, "alpha", ""))
	k := c.submitted("signing")
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	refused := func(step proofing.Step, by *proofing.Appointment) {
		t.Helper()
		c.office[c.signer] = by
		for _, refuse := range []bool{false, true} {
			_, err := c.decides(c.signer, k, step, refuse)
			wantInput(t, string(step), err, "decide_side")
		}
		stage := c.reload(k).Approval.Stage
		rows, _, err := c.DocketWithGrounds(t.Context(), c.signer.visit(), proofing.DocketQuery{Stage: stage, By: by.ID, Limit: 10})
		if err != nil || len(rows) != 1 || rows[0].Waits {
			t.Errorf("%s: the queue has %d, %v", step, len(rows), err)
		}
		if d := must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), c.signer.visit(), k.ID)); len(d.May) != 0 || d.Why[by.ID] != "decide_side" || d.Judges {
			t.Errorf("%s: the page offers %v, %v", step, d.May, d.Why)
		}
	}
	refused(proofing.StepVet, vets)
	must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
	refused(proofing.StepReview, reviews)
	c.work()
	for _, m := range c.post.all("waiting") {
		if m.To == "signer@example.org" {
			t.Error("they are called to it")
		}
	}
	c.signer.renew()
	must[*proofing.Appointment](t)(c.EndAppointment(t.Context(), c.signer.visit(), signs.ID, "another post"))
	if rows, _, err := c.DocketWithGrounds(t.Context(), c.signer.visit(), proofing.DocketQuery{Stage: proofing.StageCorrelation, By: reviews.ID, Limit: 10}); err != nil || len(rows) != 1 || !rows[0].Waits {
		t.Errorf("without the office the queue has %d, %v", len(rows), err)
	}
}

func TestWhatPeopleDecideAboutIsSeenByThoseConcernedAlone(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	elsewhere := c.dossier(c.specialist, "alpha", "Another Corporation")
	stranger, a := c.holds("stranger", c.one, c.two, draft(proofing.RoleApprover, "alpha", elsewhere.ID))
	c.office[stranger] = a
	foreign, a := c.holds("foreign", c.one, c.two, draft(proofing.RoleReviewer, "beta", ""))
	c.office[foreign] = a
	nobody := c.member("nobody")
	for _, r := range []*representative{stranger, foreign, nobody} {
		r.renew()
		if _, err := c.CaseInConsole(t.Context(), r.visit(), k.ID); err == nil {
			t.Errorf("%s sees it", r.name)
		}
		_, err := c.RaiseDiscrepancy(t.Context(), r.visit(), k.ID, "x")
		wantErr(t, "a discrepancy by "+r.name, err, proofing.ErrNotFound)
		if office := c.office[r]; office != nil {
			_, err = c.asked(r, k, proofing.StepApprove, true)
			wantErr(t, "a decision by "+r.name, err, proofing.ErrNotFound)
			d := must[*proofing.Docket](t)(c.Docket(t.Context(), r.visit(), proofing.DocketQuery{Stage: proofing.StageSubmitted, By: office.ID, Limit: 10}))
			if len(d.Cases) != 0 {
				t.Errorf("%s finds it", r.name)
			}
		}
	}
	for _, r := range []*representative{c.approver, c.signer, c.requester, c.specialist, c.reviewer} {
		r.renew()
		d := must[*proofing.Docket](t)(c.Docket(t.Context(), r.visit(), proofing.DocketQuery{Stage: proofing.StageSubmitted, By: c.office[r].ID, Limit: 10}))
		if len(d.Cases) != 1 || d.Cases[0].ID != k.ID {
			t.Errorf("%s does not find it", r.name)
		}
		seen := must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), r.visit(), k.ID))
		if may := len(seen.May) == 1; may != (r == c.approver) || len(seen.Lacks) != 0 {
			t.Errorf("%s may %v; it lacks %v", r.name, seen.May, seen.Lacks)
		}
		_, err := c.Docket(t.Context(), r.visit(), proofing.DocketQuery{Stage: proofing.StageSubmitted, By: c.office[stranger].ID, Limit: 10})
		wantErr(t, "somebody else's docket for "+r.name, err, proofing.ErrNotFound)
	}
	for r, step := range map[*representative]proofing.Step{c.requester: proofing.StepApprove, c.signer: proofing.StepApprove, c.specialist: proofing.StepApprove, c.reviewer: proofing.StepReview} {
		_, err := c.asked(r, k, step, false)
		if err == nil {
			t.Errorf("%s decides", r.name)
		}
	}
}

func TestAGrantHoldsAsLongAsWhatPeopleDecidedOn(t *testing.T) {
	t.Parallel()
	// bindings changes the passkeys that somebody has; whatever else they have stays.
	bindings := func(c *court, r *representative, do func(b *proofing.Binding)) {
		must[*proofing.Person](c.t)(c.People.Update(c.t.Context(), r.person(), func(p *proofing.Person) error {
			for i := range p.Bindings {
				if p.Bindings[i].Contact.Channel == proofing.ChannelPasskey {
					do(&p.Bindings[i])
				}
			}
			return nil
		}))
	}
	for _, end := range []struct {
		name   string
		do     func(t *testing.T, c *court, k *proofing.Case)
		reason string // of the end; empty: it is refused and goes on
		says   string
	}{
		{"an approver is suspended", func(t *testing.T, c *court, _ *proofing.Case) {
			c.one.renew()
			must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), c.office[c.approver].ID, "a doubt"))
		}, "approver_ended", "pending"},
		{"an approver's passkey is taken away", func(t *testing.T, c *court, _ *proofing.Case) {
			bindings(c, c.approver, func(b *proofing.Binding) { b.Gone = c.clock() })
		}, "authenticator_removed", "pending"},
		{"an approver's passkey is suspended", func(t *testing.T, c *court, _ *proofing.Case) {
			bindings(c, c.approver, func(b *proofing.Binding) { b.Suspended = []proofing.Suspension{{}} })
		}, "authenticator_removed", "pending"},
		{"the requester is suspended", func(t *testing.T, c *court, _ *proofing.Case) {
			c.one.renew()
			must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), c.office[c.requester].ID, "a doubt"))
		}, "", "not_entitled"},
		{"something in the dossier ages", func(t *testing.T, c *court, _ *proofing.Case) { c.pass(31 * 24 * time.Hour) }, "", "dossier"},
		{"something in the dossier turns out to be wrong", func(t *testing.T, c *court, _ *proofing.Case) {
			c.item(proofing.ItemDraft{Kind: proofing.ItemDenied, Value: "listed", Outcome: proofing.OutcomeBad, SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-25"})
		}, "", "dossier"},
		{"the reviewer leaves", func(t *testing.T, c *court, _ *proofing.Case) {
			c.reviewer.renew()
			must[*proofing.Appointment](t)(c.EndAppointment(t.Context(), c.reviewer.visit(), c.office[c.reviewer].ID, "another post"))
		}, "", ""},
	} {
		t.Run(end.name, func(t *testing.T) {
			c := newCourt(t)
			k := c.granted()
			if allow, problem := c.authorized(k); !allow {
				t.Fatalf("before: %s", problem)
			}
			end.do(t, c, k)
			allow, problem := c.authorized(k)
			if allow != (end.says == "") || problem != end.says {
				t.Errorf("the authority hears %v, %q, want %q", allow, problem, end.says)
			}
			if k = c.reload(k); (k.Status == proofing.CaseRevoked) != (end.reason != "") || k.Status == proofing.CaseRevoked && k.Reason != end.reason {
				t.Errorf("the case is %s (%s)", k.Status, k.Reason)
			}
		})
	}
}

func TestWhatAgedIsCollectedAnewAndTheGrantHoldsAgain(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	c.pass(31 * 24 * time.Hour)
	if allow, problem := c.authorized(k); allow || problem != "dossier" {
		t.Fatalf("%v, %s", allow, problem)
	}
	c.collectAll()
	c.reviewsAgain()
	if allow, problem := c.authorized(k); !allow {
		t.Errorf("afterwards: %s", problem)
	}
}

func TestNobodyDecidesWithoutPause(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	for range 10 {
		must[*proofing.Signing](t)(c.asked(c.approver, k, proofing.StepApprove, false))
	}
	_, err := c.asked(c.approver, k, proofing.StepApprove, false)
	wantLimit(t, "the eleventh", err, "decisions")
	c.pass(11 * time.Minute)
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
}

func TestAnApprovalRunsOut(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing2")
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	c.pass(31 * 24 * time.Hour)
	k = must[*proofing.Case](t)(c.decides(c.second, k, proofing.StepApprove, false))
	if k.Approval.Stage != proofing.StageSubmitted {
		t.Errorf("an approval that has run out counts: %s", k.Approval.Stage)
	}
	if k = must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false)); k.Approval.Stage != proofing.StageVetting {
		t.Errorf("given again it does not count: %s", k.Approval.Stage)
	}
}

// The process dies before or after each call of the store, and the browser sends the same answer again to another one.
func TestTheProcessMayDieWhileADecisionIsMade(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
		c.pass(11 * time.Minute) // between two decisions, or too many are made at once
		k := c.submitted("signing")
		asked := must[*proofing.Signing](t)(c.asked(c.approver, k, proofing.StepApprove, false))
		answer := c.signs(c.approver.key, asked)
		_, err := c.dying(n, after).Decide(t.Context(), c.approver.visit(), answer)
		if _, again := c.Decide(t.Context(), c.approver.visit(), answer); again != nil { // the first had come to its end
			wantInput(t, "once more", again, "signing_over")
		}
		c.work()
		if k = c.reload(k); len(k.Approval.Decisions) != 1 || k.Approval.Stage != proofing.StageVetting || verify(&k.Approval.Decisions[0].Signature) != nil {
			t.Errorf("call %d, after %v: %s, %d decisions", n, after, k.Approval.Stage, len(k.Approval.Decisions))
		}
		if got := must[*proofing.Session](t)(c.Session(t.Context(), c.approver.visit())).Case.Signing; got != nil {
			t.Errorf("call %d, after %v: it is still asked", n, after)
		}
		must[*proofing.Case](t)(c.Revoke(t.Context(), k.ID, "operator")) // makes room for the next one
		return err != nil
	})
}

func TestAPasskeyThatWasOnlyJustAddedDecidesNothing(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	c.approver.renew()
	added := webauthntest.New()
	must[*proofing.Case](t)(c.enrol(c.approver.visit(), added))
	c.work()
	known := c.approver.key
	c.approver.key = added
	_, err := c.asked(c.approver, k, proofing.StepApprove, false)
	wantInput(t, "with a new passkey", err, "decide_cooling")
	c.approver.key = known
	must[*proofing.Signing](t)(c.asked(c.approver, k, proofing.StepApprove, false))
	c.approver.key = added
	c.pass(25 * time.Hour)
	if k = must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false)); k.Approval.Stage != proofing.StageVetting {
		t.Errorf("a day later: %s", k.Approval.Stage)
	}
}
