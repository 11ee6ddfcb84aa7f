package proofing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// tells is of how many entries the log still has what they say beside their leaves, and of how many there was anything: those that which picks.
func (w *world) tells(which func(proofing.Leaf) bool) (whole, all int) {
	w.t.Helper()
	for _, e := range w.log() {
		leaf := must[proofing.Leaf](w.t)(e.Said())
		if leaf.Commitment == "" || !which(leaf) {
			continue
		}
		if all++; len(e.Private) > 0 {
			whole++
		}
	}
	return whole, all
}

func ofObject(id string) func(proofing.Leaf) bool {
	return func(l proofing.Leaf) bool { return l.Object == id }
}

func ofItem(kind proofing.ItemKind, number int64) func(proofing.Leaf) bool {
	return func(l proofing.Leaf) bool { return l.Number == number && l.Facts["kind"] == string(kind) }
}

// A Subscriber Agreement, the list of those who may request, and a role have no age: certificates of yesterday rest on them, however old they are. Once they are over, they
// are kept for as long as anything else.
func TestWhatStillCountsIsKeptInTheLogHoweverOldItIs(t *testing.T) {
	c := newCourt(t)
	const day, kept = 24 * time.Hour, 2016 * 24 * time.Hour
	c.Policy.LogRetention = kept
	agreement := func(version string, until time.Time) func(proofing.Leaf) bool {
		c.item(proofing.ItemDraft{Kind: proofing.ItemAgreement, Value: "signed", SourceKind: proofing.SourceSignedByThem, Version: version, Signer: c.office[c.signer].ID, Until: until})
		return ofItem(proofing.ItemAgreement, c.org.Version())
	}
	listed := func(outcome proofing.Outcomes) func(proofing.Leaf) bool {
		d := proofing.ItemDraft{Kind: proofing.ItemRequesterList, SourceKind: proofing.SourceApplicant, Outcome: outcome}
		if outcome == proofing.OutcomeGood {
			d.Names = []string{c.office[c.requester].ID}
		}
		c.item(d)
		return ofItem(proofing.ItemRequesterList, c.org.Version())
	}
	replacedAtOnce, lasts := agreement("4", time.Time{}), agreement("5", time.Time{})
	list := listed(proofing.OutcomeGood)
	name := ofItem(proofing.ItemLegalName, c.org.Current(proofing.ItemLegalName, "").Entry)
	k := c.submitted("signing")
	approver, reviewer := ofObject(c.office[c.approver].ID), ofObject(c.office[c.reviewer].ID)
	c.logged()
	want := func(when string, told map[string]func(proofing.Leaf) bool, gone map[string]func(proofing.Leaf) bool) {
		t.Helper()
		for what, which := range told {
			if whole, all := c.tells(which); all == 0 || whole != all {
				t.Errorf("%s: %s: the log tells %d of %d", when, what, whole, all)
			}
		}
		for what, which := range gone {
			if whole, all := c.tells(which); all == 0 || whole != 0 {
				t.Errorf("%s: %s: the log tells %d of %d", when, what, whole, all)
			}
		}
	}
	type set = map[string]func(proofing.Leaf) bool
	c.pass(kept + day)
	for n, after := int64(1), false; ; n, after = n+1, !after { // the process dies at each of its calls
		f := &faulty{KV: c.kv, n: n, after: after, dies: true}
		s := c.process(f)
		s.Policy.LogRetention = kept
		if err := s.SequenceOnce(t.Context()); err == nil {
			break
		}
		want(fmt.Sprintf("dead at call %d", n), set{"the agreement": lasts, "the list": list, "an approver": approver, "a reviewer": reviewer}, nil)
	}
	c.logged()
	want("six years later", set{"the agreement": lasts, "the list": list, "an approver": approver, "a reviewer": reviewer},
		set{"an agreement that was replaced at once": replacedAtOnce, "a name that was looked up": name, "a request": ofObject(k.ID)})

	newer := agreement("6", c.clock().Add(400*day))
	bad := listed(proofing.OutcomeBad)
	c.reviewer.renew()
	must[*proofing.Appointment](t)(c.EndAppointment(t.Context(), c.reviewer.visit(), c.office[c.reviewer].ID, ""))
	c.logged()
	c.pass(kept - day)
	c.logged()
	want("as long again", set{"the agreement before": lasts, "the list before": list, "a reviewer who has left": reviewer, "the agreement in force": newer, "an approver": approver}, nil)
	c.pass(2 * day)
	c.logged()
	want("two days later", set{"the agreement in force": newer, "an approver": approver}, set{"the agreement before": lasts, "the list before": list, "that there is none": bad, "a reviewer who has left": reviewer})
	c.pass(400 * day)
	c.logged()
	want("as long after the end of its term", set{"an approver": approver}, set{"the agreement": newer})

	// Whoever is erased goes before.
	p := must[*proofing.Person](t)(c.People.Get(t.Context(), c.approver.person()))
	if err := c.EraseForTest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	want("erased", nil, set{"an approver": func(l proofing.Leaf) bool {
		return l.Object == c.office[c.approver].ID && l.Kind != proofing.AppointmentIsProposed
	}})
}

// The organization's page is looked at again as soon as the log is to keep less.
func TestAShorterRetentionCountsForWhatWasKept(t *testing.T) {
	c := newCourt(t)
	const day = 24 * time.Hour
	c.Policy.LogRetention = 1000 * day
	reviewer := ofObject(c.office[c.reviewer].ID)
	c.logged()
	c.pass(1001 * day)
	c.logged()
	c.reviewer.renew()
	must[*proofing.Appointment](t)(c.EndAppointment(t.Context(), c.reviewer.visit(), c.office[c.reviewer].ID, ""))
	c.logged()
	c.pass(31 * day)
	c.logged()
	if whole, all := c.tells(reviewer); whole != all || all == 0 {
		t.Errorf("%d of %d", whole, all)
	}
	c.Policy.LogRetention = 30 * day
	c.logged()
	if whole, _ := c.tells(reviewer); whole != 0 {
		t.Errorf("the log still tells %d", whole)
	}
}
