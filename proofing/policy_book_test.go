package proofing_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

const (
	onePolicy   = `{"assurance":{"framework":"sp800-63-4"},"profiles":{"ev":{"approvals":"2","methods":["fido","email"]}}}`
	otherPolicy = `{"assurance":{"framework":"sp800-63-4"},"profiles":{"ev":{"approvals":"1","methods":["fido","email"]}}}`
	thirdPolicy = `{"assurance":{"framework":"sp800-63-4"},"profiles":{"ev":{"approvals":"3","methods":["fido"]}}}`
)

// ruled is a world whose administrators have a policy to approve: onePolicy is in force.
func ruled(t testing.TB) (w *world, one, two *representative) {
	t.Helper()
	w = withPasskeys(t)
	w.Policy.Text, w.Policy.Digest = onePolicy, proofing.PolicyDigest(onePolicy)
	w.Policy.Limits.ClientOpens = 10000
	one, two = w.bootstrapped()
	return w, one, two
}

func (w *world) bootstrapped() (one, two *representative) {
	w.t.Helper()
	one, two = w.member("one"), w.member("two")
	first, err := w.Bootstrap(w.t.Context(), [2]string{"One", "Two"}, false)
	if err != nil {
		w.t.Fatal(err)
	}
	must[*proofing.Appointment](w.t)(one.accepts(first[0]))
	must[*proofing.Appointment](w.t)(two.accepts(first[1]))
	w.work()
	return one, two
}

func (w *world) book() *proofing.PolicyBook {
	w.t.Helper()
	return must[*proofing.PolicyBook](w.t)(w.PolicyBook(w.t.Context()))
}

// offers is a process that reads a policy from its configuration.
func (w *world) offers(text string) *proofing.PolicyBook {
	w.t.Helper()
	return must[*proofing.PolicyBook](w.t)(w.OfferPolicy(w.t.Context(), text, false))
}

// asksOfPolicy is what a person's browser is asked for a decision about what is proposed now.
func (r *representative) asksOfPolicy(refuse bool) (*proofing.Signing, error) {
	r.w.t.Helper()
	r.renew()
	r.w.logged()
	b := r.w.book()
	q, shown := proofing.PolicyRequest{Refuse: refuse, Number: b.Journal.Written}, templates.PolicyVerdict{Refuse: refuse, Agree: "first"}
	if b.Proposed != nil {
		q.Proposal, shown.PolicyMatter = b.Proposed.ID, templates.PolicyMatter{Digest: b.Proposed.Digest, Against: b.Proposed.Against}
	}
	q.Shown = proofing.DocumentShown{Language: "en", Text: must[string](r.w.t)(shown.Text("en"))}
	if refuse {
		q.Reason = "too weak"
	}
	return r.w.AskPolicyDecision(r.w.t.Context(), r.visit(), q)
}

func (r *representative) decidesPolicy(refuse bool) (*proofing.PolicyBook, error) {
	r.w.t.Helper()
	asked, err := r.asksOfPolicy(refuse)
	if err != nil {
		return nil, err
	}
	return r.w.DecidePolicy(r.w.t.Context(), r.visit(), r.w.signs(r.key, asked))
}

func TestBeforeThereAreAdministratorsTheConfigurationIsInForce(t *testing.T) {
	w := withPasskeys(t)
	w.Policy.Text, w.Policy.Digest = onePolicy, proofing.PolicyDigest(onePolicy)
	for _, text := range []string{onePolicy, otherPolicy} {
		if b := w.offers(text); b != nil {
			t.Fatalf("%+v", b)
		}
	}
	first := must[[2]*proofing.Appointment](t)(w.Bootstrap(t.Context(), [2]string{"One", "Two"}, false))
	if b := w.offers(otherPolicy); b != nil {
		t.Fatalf("before both have taken it up: %+v", b)
	}
	one, two := w.member("one"), w.member("two")
	must[*proofing.Appointment](t)(one.accepts(first[0]))
	must[*proofing.Appointment](t)(two.accepts(first[1]))
	w.logged()
	b := w.book()
	if b.InForce.Text != onePolicy || b.InForce.Digest != w.Policy.Digest || b.Proposed != nil {
		t.Fatalf("%+v", b)
	}
	if got := w.kinds(b.ID); !slices.Equal(got, []string{"policy_adopted service"}) {
		t.Errorf("the log has %v", got)
	}
}

// An installation of an older release has administrators and no book: what it starts with first is adopted.
func TestAnOlderInstallationAdoptsWhatItStartsWith(t *testing.T) {
	w, _, _ := administered(t)
	if _, err := w.PolicyBook(t.Context()); !errors.Is(err, proofing.ErrNotFound) {
		t.Fatal(err)
	}
	w.Policy.Text, w.Policy.Digest = onePolicy, proofing.PolicyDigest(onePolicy)
	if b := w.offers(onePolicy); b.InForce.Text != onePolicy || b.Proposed != nil {
		t.Errorf("%+v", b)
	}
}

func TestANewPolicyIsInForceOnceTwoHaveApprovedIt(t *testing.T) {
	w, one, two := ruled(t)
	b := w.offers(otherPolicy)
	if b.InForce.Text != onePolicy || b.Proposed == nil || b.Proposed.Text != otherPolicy || b.Proposed.Against != b.InForce.Digest {
		t.Fatalf("%+v", b)
	}
	want := []proofing.PolicyChange{{Setting: "profiles.ev.approvals", Old: "2", New: "1"}}
	if !slices.Equal(b.Proposed.Changes, want) {
		t.Errorf("it changes %+v", b.Proposed.Changes)
	}
	id := b.Proposed.ID
	for range 2 { // each start, in each process
		if again := w.offers(otherPolicy); again.Proposed.ID != id || again.Journal.Written != b.Journal.Written {
			t.Errorf("it is proposed again: %+v", again)
		}
	}
	w.work()
	if told := w.post.all("policy"); len(told) != 2 || told[0].Context.Reason != "proposed" {
		t.Errorf("told: %+v", told)
	}
	b = must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
	if b.InForce.Text != onePolicy || b.Proposed.Approved() != 1 {
		t.Fatalf("one has approved: %+v", b)
	}
	_, err := one.asksOfPolicy(false)
	wantInput(t, "the same person again", err, "policy_again")
	_, err = one.asksOfPolicy(true)
	wantInput(t, "the same person, refusing", err, "policy_again")
	b = must[*proofing.PolicyBook](t)(two.decidesPolicy(false))
	if b.InForce.Text != otherPolicy || b.InForce.Digest != proofing.PolicyDigest(otherPolicy) || b.InForce.Proposal != id || b.Proposed != nil {
		t.Fatalf("two have approved: %+v", b)
	}
	w.logged()
	if got := w.kinds(b.ID); !slices.Equal(got, []string{"policy_adopted service", "policy_proposed service", "policy_decided person", "policy_decided person", "policy_in_force service"}) {
		t.Errorf("the log has %v", got)
	}
	for _, d := range b.Settled[0].Decisions {
		doc := must[proofing.Document](t)(proofing.ParseDocument([]byte(d.Signature.Document)))
		if verify(&d.Signature) != nil || doc.Proposed != b.InForce.Digest || doc.Policy != proofing.PolicyDigest(onePolicy) || doc.Subject.Of != proofing.SubjectPolicy {
			t.Errorf("%+v", doc)
		}
	}
	// A machine that still has the old file does not propose to go back, unless somebody says so.
	if b = w.offers(onePolicy); b.Proposed != nil {
		t.Errorf("an old file proposes %+v", b.Proposed)
	}
	b = must[*proofing.PolicyBook](t)(w.OfferPolicy(t.Context(), onePolicy, true))
	if b.Proposed == nil || b.Proposed.Proposed.By != proofing.ByOperator || len(b.Settled) != 0 {
		t.Fatalf("an operator proposes %+v", b)
	}
	_, shelf, _, err := w.ListPolicies(t.Context(), "", 10)
	if err != nil || len(shelf) != 1 || shelf[0].ID != id || shelf[0].Outcome != proofing.PolicyApproved || len(shelf[0].Decisions) != 2 {
		t.Errorf("%+v, %v", shelf, err)
	}
}

func TestOneRefusalEndsAProposal(t *testing.T) {
	w, one, two := ruled(t)
	w.offers(otherPolicy)
	must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
	two.renew()
	b := w.book()
	_, err := w.AskPolicyDecision(t.Context(), two.visit(), proofing.PolicyRequest{Proposal: b.Proposed.ID, Refuse: true, Number: b.Journal.Written, Reason: " "})
	wantInput(t, "without a reason", err, "reason_empty")
	b = must[*proofing.PolicyBook](t)(two.decidesPolicy(true))
	if b.InForce.Text != onePolicy || b.Proposed != nil || b.Settled[0].Outcome != proofing.PolicyRefused || b.Settled[0].Decisions[1].Reason != "too weak" {
		t.Fatalf("%+v", b)
	}
	if b = w.offers(otherPolicy); b.Proposed != nil {
		t.Error("it is proposed at the next start")
	}
	if b = must[*proofing.PolicyBook](t)(w.OfferPolicy(t.Context(), otherPolicy, true)); b.Proposed == nil {
		t.Error("an operator cannot propose it again")
	}
	// Once another policy is in force it is another question.
	w.offers(thirdPolicy)
	must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
	must[*proofing.PolicyBook](t)(two.decidesPolicy(false))
	if b = w.offers(otherPolicy); b.Proposed == nil || b.InForce.Text != thirdPolicy {
		t.Errorf("%+v", b)
	}
}

func TestANewerProposalTakesTheApprovalsOfAnOlderOneAlong(t *testing.T) {
	w, one, two := ruled(t)
	w.offers(otherPolicy)
	must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
	asked := must[*proofing.Signing](t)(two.asksOfPolicy(false))
	b := w.offers(thirdPolicy)
	if b.Proposed.Text != thirdPolicy || len(b.Proposed.Decisions) != 0 || b.Settled[0].Outcome != proofing.PolicyReplaced {
		t.Fatalf("%+v", b)
	}
	_, err := w.DecidePolicy(t.Context(), two.visit(), w.signs(two.key, asked))
	wantInput(t, "what was asked about the older one", err, "policy_stage")
	must[*proofing.PolicyBook](t)(two.decidesPolicy(false))
	if b = must[*proofing.PolicyBook](t)(one.decidesPolicy(false)); b.InForce.Text != thirdPolicy {
		t.Errorf("%+v", b.InForce)
	}
}

func TestAnApprovalOfAPolicyCountsWhileItsAdministratorDoes(t *testing.T) {
	w, one, two := ruled(t)
	three, third := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	w.offers(otherPolicy)
	must[*proofing.PolicyBook](t)(three.decidesPolicy(false))
	one.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(t.Context(), one.visit(), third.ID, "lost the token"))
	b := must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
	if b.InForce.Text != onePolicy || b.Proposed.Approved() != 1 || b.Proposed.Decisions[0].Void != proofing.PolicyVoidGone {
		t.Fatalf("%+v", b.Proposed)
	}
	w.pass(8 * 24 * time.Hour)
	b = must[*proofing.PolicyBook](t)(two.decidesPolicy(false))
	if b.InForce.Text != onePolicy || b.Proposed.Approved() != 1 || b.Proposed.Decisions[1].Void != proofing.PolicyVoidOld {
		t.Fatalf("%+v", b.Proposed)
	}
	if b = must[*proofing.PolicyBook](t)(one.decidesPolicy(false)); b.InForce.Text != otherPolicy { // given again
		t.Errorf("%+v", b.Proposed)
	}
}

// Whoever finds that somebody else has signed by their passkey removes it, and with it goes what was signed.
func TestAnApprovalOfAPolicyCountsWhileThePasskeyThatSignedItDoes(t *testing.T) {
	w, one, two := ruled(t)
	three, _ := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	w.offers(otherPolicy)
	must[*proofing.PolicyBook](t)(three.decidesPolicy(false))
	w.loses(three)
	b := must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
	if b.InForce.Text != onePolicy || b.Proposed.Approved() != 1 || b.Proposed.Decisions[0].Void != "passkey_gone" {
		t.Fatalf("%+v", b)
	}
	if b = must[*proofing.PolicyBook](t)(two.decidesPolicy(false)); b.InForce.Text != otherPolicy {
		t.Errorf("%+v", b.Proposed)
	}
}

func TestNobodyButAdministratorsDecidesAboutAPolicy(t *testing.T) {
	c := newCourt(t)
	c.Policy.Text, c.Policy.Digest = onePolicy, proofing.PolicyDigest(onePolicy)
	c.offers(onePolicy)
	b := c.offers(otherPolicy)
	operator, _ := c.holds("operator", c.one, c.two, draft(proofing.RoleOperator, "alpha", ""))
	stranger := c.member("stranger")
	for _, r := range []*representative{c.requester, c.approver, c.signer, c.specialist, c.reviewer, operator, stranger} {
		_, err := r.asksOfPolicy(false)
		wantErr(t, r.name+" asks", err, proofing.ErrNotFound)
		_, _, _, err = c.Policies(t.Context(), r.visit(), "", 10)
		wantErr(t, r.name+" looks", err, proofing.ErrNotFound)
		_, _, _, err = c.PolicyInConsole(t.Context(), r.visit(), b.Proposed.ID)
		wantErr(t, r.name+" looks at one", err, proofing.ErrNotFound)
	}
	if _, _, waits, err := c.PolicyInConsole(t.Context(), c.one.visit(), b.Proposed.ID); err != nil || !waits {
		t.Errorf("for an administrator: %v, %v", waits, err)
	}
	// Who is none any more when they sign has asked as one.
	three, third := c.holds("three", c.one, c.two, draft(proofing.RoleAdministrator, "", ""))
	c.pass(11 * time.Minute)
	asked := must[*proofing.Signing](t)(three.asksOfPolicy(false))
	c.two.renew()
	must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.two.visit(), third.ID, "lost"))
	_, err := c.DecidePolicy(t.Context(), three.visit(), c.signs(three.key, asked))
	wantErr(t, "suspended meanwhile", err, proofing.ErrNotFound)
	if got := c.book().Proposed.Decisions; len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// A decision about a request is none about a policy, and the other way round.
func TestADecisionIsTakenByTheVerbThatItWasAskedBy(t *testing.T) {
	w, one, _ := ruled(t)
	w.offers(otherPolicy)
	asked := must[*proofing.Signing](t)(one.asksOfPolicy(false))
	answer := w.signs(one.key, asked)
	_, err := w.Decide(t.Context(), one.visit(), answer)
	wantErr(t, "as one about a request", err, proofing.ErrNotFound)
	if b := must[*proofing.PolicyBook](t)(w.DecidePolicy(t.Context(), one.visit(), answer)); b.Proposed.Approved() != 1 {
		t.Errorf("%+v", b.Proposed)
	}
}

// Both press at once, in two processes, and what both saw was the proposal without an approval: one counts, and the other looks again.
func TestTwoApproveAPolicyAtOnce(t *testing.T) {
	w, one, two := ruled(t)
	other := w.process(w.kv)
	other.Methods, other.Policy = w.Methods, w.Policy
	for n, text := range []string{otherPolicy, thirdPolicy, strings.Replace(onePolicy, `"2"`, `"4"`, 1), strings.Replace(onePolicy, `"2"`, `"5"`, 1)} {
		w.pass(11 * time.Minute)
		b := w.offers(text)
		asked := [2]*proofing.Signing{must[*proofing.Signing](t)(one.asksOfPolicy(false)), must[*proofing.Signing](t)(two.asksOfPolicy(false))}
		answers := [2][]byte{w.signs(one.key, asked[0]), w.signs(two.key, asked[1])}
		var errs [2]error
		atOnce(
			func() { _, errs[0] = w.DecidePolicy(t.Context(), one.visit(), answers[0]) },
			func() { _, errs[1] = other.DecidePolicy(t.Context(), two.visit(), answers[1]) },
		)
		loser := slices.IndexFunc(errs[:], func(err error) bool { return err != nil })
		if loser < 0 || errs[1-loser] != nil {
			t.Fatalf("round %d: they got %v", n, errs)
		}
		wantInput(t, "the later one", errs[loser], "policy_stale")
		if got := w.book(); got.InForce.Digest != b.InForce.Digest || got.Proposed.Approved() != 1 {
			t.Fatalf("%+v", got.Proposed)
		}
		if got := must[*proofing.PolicyBook](t)([]*representative{one, two}[loser].decidesPolicy(false)); got.InForce.Text != text {
			t.Fatalf("%+v", got.InForce)
		}
		w.Policy.Text, w.Policy.Digest = text, proofing.PolicyDigest(text) // both take it up
		other.Policy = w.Policy
	}
}

// Several processes read the same new configuration at once: it is proposed once.
func TestProcessesThatStartTogetherProposeOnce(t *testing.T) {
	w, _, _ := ruled(t)
	var all []func()
	for range 4 {
		s := w.process(w.kv)
		s.Methods, s.Policy = w.Methods, w.Policy
		all = append(all, func() {
			if _, err := s.OfferPolicy(context.WithoutCancel(t.Context()), otherPolicy, false); err != nil {
				t.Error(err)
			}
		})
	}
	atOnce(all...)
	if b := w.book(); b.Journal.Written != 2 || len(b.Settled) != 0 || len(b.Outbox.Messages) != 2 {
		t.Errorf("%d entries, %+v", b.Journal.Written, b.Settled)
	}
}

// The process dies before or after each call of the store, and it is done again.
func TestTheProcessMayDieWhileAPolicyIsProposedAndApproved(t *testing.T) {
	t.Run("propose", func(t *testing.T) {
		n := int64(1)
		for broke := true; broke; n++ {
			w, one, two := ruled(t)
			w.offers(otherPolicy)
			must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
			must[*proofing.PolicyBook](t)(two.decidesPolicy(true))
			_, err := w.dying(n, true).OfferPolicy(t.Context(), thirdPolicy, false)
			broke = err != nil
			if b := w.offers(thirdPolicy); b.Proposed.Text != thirdPolicy || len(b.Settled) != 0 || b.Journal.Written != 5 {
				t.Errorf("call %d: %+v", n, b)
			}
			if _, shelf, _, err := w.ListPolicies(t.Context(), "", 10); err != nil || len(shelf) != 1 || shelf[0].Outcome != proofing.PolicyRefused {
				t.Errorf("call %d: %+v, %v", n, shelf, err)
			}
		}
		if n < 5 {
			t.Errorf("it was made to die %d times alone", n)
		}
	})
	t.Run("approve", func(t *testing.T) {
		w, one, two := ruled(t)
		texts := [2]string{onePolicy, otherPolicy}
		round := 0
		breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
			round++
			w.pass(11 * time.Minute)
			want := texts[round%2]
			must[*proofing.PolicyBook](t)(w.OfferPolicy(t.Context(), want, true))
			must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
			asked := must[*proofing.Signing](t)(two.asksOfPolicy(false))
			answer := w.signs(two.key, asked)
			_, err := w.dying(n, after).DecidePolicy(t.Context(), two.visit(), answer)
			if _, again := w.DecidePolicy(t.Context(), two.visit(), answer); again != nil {
				wantInput(t, "once more", again, "signing_over")
			}
			b := w.book()
			if b.InForce.Text != want || b.Proposed != nil || len(b.Settled) != 1 || len(b.Settled[0].Decisions) != 2 {
				t.Errorf("call %d, after %v: %+v", n, after, b)
			}
			w.Policy.Text, w.Policy.Digest = want, proofing.PolicyDigest(want)
			return err != nil
		})
	})
	t.Run("adopt", func(t *testing.T) {
		breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
			w := withPasskeys(t)
			w.Policy.Text, w.Policy.Digest = onePolicy, proofing.PolicyDigest(onePolicy)
			one, two := w.member("one"), w.member("two")
			first := must[[2]*proofing.Appointment](t)(w.Bootstrap(t.Context(), [2]string{"One", "Two"}, false))
			must[*proofing.Appointment](t)(one.accepts(first[0]))
			_, err := w.dying(n, after).AcceptAppointment(t.Context(), two.visit(), joins(first[1]))
			broke = err != nil
			w.work()
			if got := w.office(first[1]); got.Status == proofing.AppointmentProposed {
				must[*proofing.Appointment](t)(two.accepts(first[1]))
			}
			if b := w.book(); b.InForce.Text != onePolicy || b.Journal.Written != 1 {
				t.Errorf("call %d, after %v: %+v", n, after, b)
			}
			return broke
		})
	})
}

func TestAPolicyThatNobodyCouldReadIsNotProposed(t *testing.T) {
	w, _, _ := ruled(t)
	long := strings.Replace(onePolicy, `"2"`, `"`+strings.Repeat("x", 11<<10)+`"`, 1)
	_, err := w.OfferPolicy(t.Context(), long, false)
	wantInput(t, "a long change", err, "policy_changes")
	long = strings.Replace(onePolicy, `"2"`, `"`+strings.Repeat("x", 61<<10)+`"`, 1)
	_, err = w.OfferPolicy(t.Context(), long, false)
	wantInput(t, "a long text", err, "policy_large")
	if b := w.book(); b.Proposed != nil {
		t.Errorf("%+v", b.Proposed)
	}
}

// A policy that does not fit into the book would be changed by one person: nobody becomes an administrator by it, until it is shorter.
func TestNobodyIsAnAdministratorUnderAPolicyThatCannotBeKept(t *testing.T) {
	w := withPasskeys(t)
	long := strings.Replace(onePolicy, `"2"`, `"`+strings.Repeat("x", 60<<10)+`"`, 1)
	w.Policy.Text, w.Policy.Digest = long, proofing.PolicyDigest(long)
	one, two := w.member("one"), w.member("two")
	first := must[[2]*proofing.Appointment](t)(w.Bootstrap(t.Context(), [2]string{"One", "Two"}, false))
	must[*proofing.Appointment](t)(one.accepts(first[0]))
	_, err := two.accepts(first[1])
	wantInput(t, "the second one", err, "policy_large")
	w.work()
	for _, a := range first {
		if got := w.office(a); got.Status == proofing.AppointmentActive {
			t.Errorf("%s is an administrator", got.Name)
		}
	}
	if b, err := w.OfferPolicy(t.Context(), long, false); err != nil || b != nil {
		t.Errorf("before there are administrators: %+v, %v", b, err)
	}
	w.Policy.Text, w.Policy.Digest = onePolicy, proofing.PolicyDigest(onePolicy)
	w.pass(time.Hour)
	w.work()
	if b := w.book(); b.InForce.Text != onePolicy {
		t.Errorf("%+v", b.InForce)
	}
	for _, a := range first {
		if got := w.office(a); got.Status != proofing.AppointmentActive {
			t.Errorf("%s is %s", got.Name, got.Status)
		}
	}
	for size, fits := range map[int]bool{60<<10 - 2: true, 60<<10 - 1: false} { // and the quotes
		if err := proofing.CheckPolicySize(strings.Repeat("x", size)); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// The largest that there can be at once still fits into its record.
func TestTheBookHoldsTheLargestPolicies(t *testing.T) {
	w := withPasskeys(t)
	large := func(last string) string {
		return `{"profiles":{"a":{"title":"` + strings.Repeat("<", 9000) + `"},"b":{"title":"` + strings.Repeat(last, 4900) + `"}}}`
	}
	w.Policy.Text = large("a")
	w.Policy.Digest = proofing.PolicyDigest(w.Policy.Text)
	one, two := w.bootstrapped()
	w.offers(large("b"))
	must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
	must[*proofing.PolicyBook](t)(two.decidesPolicy(true))
	for range 3 { // each has the approval of one, and is replaced before anything is shelved twice
		for _, last := range []string{"c", "d"} {
			must[*proofing.PolicyBook](t)(w.OfferPolicy(t.Context(), large(last), true))
			must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
		}
		w.pass(11 * time.Minute)
	}
	if b := must[*proofing.PolicyBook](t)(two.decidesPolicy(false)); b.InForce.Text != large("d") {
		t.Errorf("%+v", b.InForce.Digest)
	}
}

func TestChangesAreInTheOrderOfTheirNames(t *testing.T) {
	got, err := proofing.PolicyChanges(`{"a":{"x":"1","y":["p","q"]},"b":"same","t":"EV"}`, `{"a":{"y":["q","p"],"z.1":"2"},"b":"same","c":{},"t":"EV\u202e\u200b"}`)
	want := []proofing.PolicyChange{{"a.\"z.1\"", "", "2"}, {"a.x", "1", ""}, {"a.y", "[p, q]", "[q, p]"}, {"c", "", "{}"}, {"t", "EV", `"EV\u202e\u200b"`}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "[]", `{"a":1}`, `{"a":[1]}`} {
		if _, err := proofing.PolicyChanges("{}", text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// The book has room for one whole policy that waits for the log. A second one waits until that has got there, and loses nothing.
func TestASecondPolicyWaitsForTheFirstToBeInTheLog(t *testing.T) {
	w := withPasskeys(t)
	long := func(title string) string {
		return `{"profiles":{"ev":{"approvals":"2","title":"` + title + `"},"filler":{"title":"` + strings.Repeat("x", 12<<10) + `"}}}`
	}
	w.Policy.Text, w.Policy.Digest = long("one"), proofing.PolicyDigest(long("one"))
	w.Policy.Limits.ClientOpens = 10000
	one, two := w.bootstrapped()
	approve := func(title string) error {
		w.offers(long(title))
		must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
		asked, err := two.asksOfPolicy(false)
		if err != nil {
			t.Fatal(err)
		}
		// As if the sequencer stood still since the policy before.
		must[*proofing.PolicyBook](t)(w.PolicyBooks.Update(t.Context(), w.book().ID, func(b *proofing.PolicyBook) error {
			b.Journal.Pending = append(b.Journal.Pending, proofing.Entry{Object: b.ID, Number: b.Journal.Written, Private: []byte(long("before"))})
			return nil
		}))
		answer := w.signs(two.key, asked)
		_, err = w.DecidePolicy(t.Context(), two.visit(), answer)
		wantErr(t, "while the one before waits", err, proofing.ErrUnavailable)
		must[*proofing.PolicyBook](t)(w.PolicyBooks.Update(t.Context(), w.book().ID, func(b *proofing.PolicyBook) error {
			b.Journal.Pending = nil
			return nil
		}))
		_, err = w.DecidePolicy(t.Context(), two.visit(), answer)
		return err
	}
	if err := approve("two"); err != nil {
		t.Fatalf("the same answer, afterwards: %v", err)
	}
	if b := w.book(); b.InForce.Text != long("two") {
		t.Errorf("in force is %.80s", b.InForce.Text)
	}
}
