package proofing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// names opens one case for each of n names of one account, all of whose holders
// are admin@example.org.
func (w *world) names(n int) []*proofing.Case {
	w.t.Helper()
	var cases []*proofing.Case
	for i := range n {
		id := proofing.Identifier{Type: "dns", Value: fmt.Sprintf("n%d.example.org", i)}
		if _, err := w.Register(w.t.Context(), "alpha", id, "", proofing.Holder{Channel: "email", Address: "admin@example.org"}); err != nil {
			w.t.Fatal(err)
		}
		r := request("device")
		r.Identifier = id
		c, _, err := w.Open(w.t.Context(), w.ca, r)
		if err != nil {
			w.t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

func TestEvidenceServesMoreCasesThanOnePageHas(t *testing.T) {
	w := newWorld(t)
	cases := w.names(150)
	w.prove(cases[0], "b", "email", "admin@example.org")
	for _, c := range cases {
		if c = w.reload(c); c.Status != proofing.CaseGranted {
			t.Fatalf("%s is %s: the person would prove the same once more", c.Identifier.Value, c.Status)
		}
	}
}

func TestThisWasNotMeReachesEveryCaseThatTheSameAnswerServed(t *testing.T) {
	w := newWorld(t)
	cases := w.names(3)
	w.prove(cases[0], "b", "email", "admin@example.org")
	w.disown(cases[0])
	w.work()
	for _, c := range cases {
		if v := w.ask(c); v.Allow {
			t.Errorf("%s is authorized by an answer that was disowned", c.Identifier.Value)
		}
	}
	if _, err := w.Restore(t.Context(), cases[1].ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	if w.reload(cases[1]).Frozen != nil || w.reload(cases[0]).Frozen == nil {
		t.Error("each case is restored by itself, and stays so")
	}
}

func TestAFrozenCaseGivesItsEvidenceToNobody(t *testing.T) {
	w := newWorld(t)
	cases := w.names(2)
	_, a, err := w.Begin(t.Context(), visit(cases[0], "b"), "email", "admin@example.org")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	if _, _, err := w.Answer(t.Context(), visit(cases[0], "b"), a.ID, w.post.last(t, "email_code").Code); err != nil {
		t.Fatal(err)
	}
	w.disown(cases[0]) // before the worker shares what was proved
	w.work()
	if c := w.reload(cases[1]); len(c.Evidence) != 0 || c.Status != proofing.CaseOpen {
		t.Errorf("the other case has %d events and is %s", len(c.Evidence), c.Status)
	}
	if _, err := w.Restore(t.Context(), cases[0].ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	if c := w.reload(cases[1]); c.Status != proofing.CaseGranted {
		t.Errorf("after the case was restored the other is %s", c.Status)
	}
}

// stumbling is a table of people whose n-th update fails.
type stumbling struct {
	proofing.Table[proofing.Person]
	n int
}

func (s *stumbling) Update(ctx context.Context, id string, edit func(*proofing.Person) error) (*proofing.Person, error) {
	if s.n--; s.n == 0 {
		return nil, errPoison
	}
	return s.Table.Update(ctx, id, edit)
}

func TestANumberLeavesItsFormerPersonEvenIfTheProcessDiesBetween(t *testing.T) {
	w := newWorld(t)
	mine := w.openAs("client", "first", "one@example.org")
	mine = w.prove(w.prove(mine, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	w.People = &stumbling{w.People, 1} // the address is theirs by then, and still in my list
	theirs := w.openAs("client", "second", "two@example.org")
	w.prove(w.prove(theirs, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	w.work()
	for c, want := range map[*proofing.Case]int{mine: 1, w.reload(theirs): 2} {
		p, err := w.People.Get(t.Context(), c.Person)
		if err != nil || len(p.Bindings) != want {
			t.Errorf("%s: %+v, %v; want %d addresses", c.Identifier.Value, p, err, want)
		}
	}
}

func TestRestoringWhatIsOverFails(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("email"), "b", "email", "")
	w.disown(c)
	w.pass(25 * time.Hour)
	_, err := w.Restore(t.Context(), c.ID)
	wantErr(t, "a freeze that has run out", err, proofing.ErrClosed)
}
