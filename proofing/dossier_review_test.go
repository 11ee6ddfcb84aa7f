package proofing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// looks is what comes of somebody's saying that the dossier fits together.
func (c *court) looks(r *representative) error {
	c.t.Helper()
	o := must[*proofing.Organization](c.t)(c.Dossiers.Get(c.t.Context(), c.org.ID))
	r.renew()
	_, err := c.ReviewDossier(c.t.Context(), r.visit(), o.ID, o.Version())
	return err
}

func (c *court) reviewsAgain() {
	c.t.Helper()
	if err := c.looks(c.reviewer); err != nil {
		c.t.Fatal(err)
	}
}

func screening(outcome proofing.Outcomes) proofing.ItemDraft {
	return proofing.ItemDraft{Kind: proofing.ItemDenied, Value: "looked up", Outcome: outcome, SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-25"}
}

// What was found to be bad does not become good, for what was granted, by one person's word (CSBR 3.2.9).
func TestWhatIsCollectedAfterAGrantCountsOnceSomebodyElseHasReviewedIt(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	holds := func(when string, want bool) {
		t.Helper()
		v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile})
		if err != nil {
			t.Fatal(err)
		}
		if v.Allow != want || !want && v.Authorizations[0].Problem != "dossier" {
			t.Errorf("%s: allowed %v, %s", when, v.Allow, v.Authorizations[0].Problem)
		}
		if detail := v.Authorizations[0].Detail; !want && when != "listed" && detail != "denied_list unreviewed (CSBR 3.2.9)" {
			t.Errorf("%s: %s", when, detail)
		}
	}
	holds("as it was granted", true)
	c.item(screening(proofing.OutcomeBad))
	holds("listed", false)
	c.item(screening(proofing.OutcomeGood))
	holds("good again by the same person", false)
	c.pass(time.Hour)
	holds("an hour later", false)
	c.reviewsAgain()
	holds("reviewed", true)
	// A domain is nothing that a certificate rests on.
	c.item(proofing.ItemDraft{Kind: proofing.ItemDomain, Value: "example.org", SourceKind: proofing.SourceApplicant})
	holds("with a domain", true)
	// What is about somebody who takes no part changes nothing.
	c.item(proofing.ItemDraft{Kind: proofing.ItemApprover, Subject: c.office[c.second].ID, Value: "may approve", SourceKind: proofing.SourceLetter})
	holds("with an item about another approver", true)
}

func TestWhoMayReviewADossier(t *testing.T) {
	c := newCourt(t)
	c.granted()
	fails := func(who string, r *representative, code string) {
		t.Helper()
		err := c.looks(r)
		var input *proofing.InputError
		if code == "" && !errors.Is(err, proofing.ErrNotFound) || code != "" && (!errors.As(err, &input) || input.Code != code) {
			t.Errorf("%s: %v", who, err)
		}
	}
	c.item(screening(proofing.OutcomeGood))
	fails("a specialist", c.specialist, "")
	fails("an administrator", c.one, "")
	fails("an approver", c.approver, "")
	foreign, _ := c.holds("foreign", c.one, c.two, draft(proofing.RoleReviewer, "beta", ""))
	fails("a reviewer of another authority", foreign, "")
	// A reviewer who is a specialist, too, and has collected something of it. Whoever reviewed the grant is no exception.
	c.office[c.specialist] = c.adds(c.reviewer, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
	c.reviewer.renew()
	d := screening(proofing.OutcomeGood)
	d.Source, d.CollectedAt = "lists", c.clock()
	must[*proofing.Organization](t)(c.RecordItem(t.Context(), c.reviewer.visit(), c.org.ID, d))
	fails("who has collected some of it", c.reviewer, "review_collector")
	other, _ := c.holds("other", c.one, c.two, draft(proofing.RoleReviewer, "alpha", ""))
	o := must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID))
	other.renew()
	var input *proofing.InputError
	if _, err := c.ReviewDossier(t.Context(), other.visit(), o.ID, o.Version()-1); !errors.As(err, &input) || input.Code != "review_stale" {
		t.Errorf("of a page before the last item: %v", err)
	}
	if _, err := c.ReviewDossier(t.Context(), other.visit(), o.ID, o.Version()+9); !errors.As(err, &input) || input.Code != "review_stale" {
		t.Errorf("of what is to come: %v", err)
	}
	for range 2 { // it may come twice
		if _, err := c.ReviewDossier(t.Context(), other.visit(), o.ID, o.Version()); err != nil {
			t.Fatal(err)
		}
	}
	after := must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID))
	if after.Version() != o.Version()+1 || after.Review.By.ID != other.person() || len(after.Unreviewed()) != 0 {
		t.Errorf("%d entries after %d, reviewed by %+v, left %d", after.Version(), o.Version(), after.Review, len(after.Unreviewed()))
	}
	if after.Digest() != o.Digest() {
		t.Error("what somebody is about to decide is stale because of a review")
	}
}

// The reviewers hear once that there is something to review, and nobody who has collected it or acts for the organization.
func TestReviewersHearThatSomethingWasRecordedAnew(t *testing.T) {
	c := newCourt(t)
	c.adds(c.signer, c.one, c.two, draft(proofing.RoleReviewer, "alpha", ""))
	c.work()
	if n := len(c.post.all("dossier_review")); n != 0 {
		t.Fatalf("before anybody reviewed anything there are %d notices", n)
	}
	c.granted()
	for range 3 {
		c.item(screening(proofing.OutcomeGood))
	}
	c.work()
	told := c.post.all("dossier_review")
	if len(told) != 1 || told[0].To != "reviewer@example.org" || !strings.HasSuffix(told[0].Link.Reveal(), "/admin/organizations/"+c.org.ID) {
		t.Fatalf("%+v", told)
	}
	c.reviewsAgain()
	c.item(screening(proofing.OutcomeGood))
	c.work()
	if n := len(c.post.all("dossier_review")); n != 2 {
		t.Errorf("%d notices after the next one", n)
	}
}

// What is nothing to review is no news, and who has collected something is not asked to review it.
func TestReviewersHearOfNothingThatTheyCannotReview(t *testing.T) {
	c := newCourt(t)
	c.granted()
	for _, d := range []string{"example.org", "example.net"} {
		c.item(proofing.ItemDraft{Kind: proofing.ItemDomain, Value: d, SourceKind: proofing.SourceApplicant})
	}
	c.work()
	if n := len(c.post.all("dossier_review")); n != 0 {
		t.Errorf("%d notices of domains", n)
	}
	other, _ := c.holds("other", c.one, c.two, draft(proofing.RoleReviewer, "alpha", ""))
	c.adds(other, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
	other.renew()
	d := screening(proofing.OutcomeGood)
	d.Source, d.CollectedAt = "lists", c.clock()
	must[*proofing.Organization](t)(c.RecordItem(t.Context(), other.visit(), c.org.ID, d))
	c.work()
	for _, m := range c.post.all("dossier_review") {
		if m.To != "reviewer@example.org" {
			t.Errorf("%s is told", m.To)
		}
	}
	if n := len(c.post.all("dossier_review")); n != 1 {
		t.Errorf("%d notices", n)
	}
}

// A dossier that knows of no review, though something was granted by it, has its reviewers told all the same, once.
func TestReviewersHearWhereTheDossierKnowsOfNoReview(t *testing.T) {
	for name, before := range map[string]func(o *proofing.Organization, k *proofing.Case){
		"of the version before": func(o *proofing.Organization, k *proofing.Case) {
			for i := range o.Items {
				o.Items[i].Entry = 0
			}
			for i := range k.Approval.Decisions {
				k.Approval.Decisions[i].Dossier = 0
			}
		},
		"the process died in between": func(*proofing.Organization, *proofing.Case) {},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			k := c.granted()
			must[*proofing.Case](t)(c.Cases.Update(t.Context(), k.ID, func(k *proofing.Case) error {
				_, err := c.Dossiers.Update(t.Context(), c.org.ID, func(o *proofing.Organization) error {
					o.Review = nil
					before(o, k)
					return nil
				})
				return err
			}))
			for range 3 {
				c.item(screening(proofing.OutcomeGood))
			}
			c.work()
			if n := len(c.post.all("dossier_review")); n != 1 {
				t.Errorf("%d notices", n)
			}
		})
	}
}

// The review of a request is one of its dossier, and the log has it.
func TestTheReviewOfARequestIsOneOfItsDossier(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	o := must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID))
	if o.Review == nil || o.Review.By.ID != c.reviewer.person() || len(o.Unreviewed()) != 0 {
		t.Fatalf("%+v, left %d", o.Review, len(o.Unreviewed()))
	}
	c.logged()
	o = must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID))
	entry, _, err := c.LogEntry(t.Context(), o.Journal.Places[len(o.Journal.Places)-1])
	if err != nil {
		t.Fatal(err)
	}
	last := must[proofing.Leaf](t)(entry.Said())
	if last.Kind != proofing.OrganizationReviewed || last.Facts["case"] != k.ID || last.By.Appointment != c.office[c.reviewer].ID {
		t.Errorf("%+v", last)
	}
	review := k.Approval.Decisions[slices.IndexFunc(k.Approval.Decisions, func(d proofing.Decision) bool { return d.Step == proofing.StepReview })]
	if review.Dossier != o.Version()-1 {
		t.Errorf("the review is of entry %d, and the dossier was at %d", review.Dossier, o.Version()-1)
	}
}
