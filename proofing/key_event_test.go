package proofing_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// keyEvents are the events about keys that an authority has been told of.
func (w *world) keyEvents() (events []proofing.Event) {
	w.t.Helper()
	w.sequenceAll()
	return slices.DeleteFunc(w.told(w.ca), func(e proofing.Event) bool { return e.Of != proofing.SubjectKey })
}

func TestAnAuthorityIsToldThatAKeyIsRevokedWhoseAccountsHaveAskedForNothing(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := int64(1); ; n++ {
			w, _ := withKeys(t)
			k := w.issued(w.ca, proofing.KeyRequest{Profile: "email"})
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
			_, err := w.dying(n, after).RevokeKeyByOperator(t.Context(), w.ca.Name, k.Kid)
			w.keyEvents()
			for range 2 { // whoever tells it again tells of nothing new
				must[*proofing.Key](t)(w.RevokeKeyByOperator(t.Context(), w.ca.Name, k.Kid))
			}
			got := w.keyEvents()
			if len(got) != 1 {
				t.Fatalf("call %d, after %v: the authority is told %+v", n, after, got)
			}
			e := got[0]
			if e.Change != proofing.ChangeKeyRevoked || e.Kid != k.Kid || e.Object != k.ID || e.Sequence != 1 || e.Reason != proofing.ReasonByOperator || e.Profile != "email" {
				t.Errorf("the event is %+v", e)
			}
			if others := w.told(w.other); len(others) != 0 {
				t.Errorf("another authority is told %+v", others)
			}
			if err == nil {
				break
			}
		}
	}
}

func TestAKeyKeepsWhatItsAuthorityIsToldUntilTheFeedTakesIt(t *testing.T) {
	w, _ := withKeys(t)
	k := w.issued(w.ca, proofing.KeyRequest{Profile: "email"})
	w.sequenceAll()
	must[*proofing.Key](t)(w.RevokeKey(t.Context(), w.ca.Name, k.Kid, "test"))
	s := w.process(w.kv)
	s.Policy, s.Feeds = w.Policy, failingFeeds{w.Feeds}
	for range 3 {
		if err := s.SequenceOnce(t.Context()); err == nil {
			t.Fatal("a feed that cannot be read is no error")
		}
	}
	if k = must[*proofing.Key](t)(w.Keys.Get(t.Context(), k.ID)); !k.Journal.Logged() || len(k.Events) != 1 || !k.ExpiresAt().IsZero() {
		t.Fatalf("of the key is logged %v; it keeps %d events, and is kept until %v", k.Journal.Logged(), len(k.Events), k.ExpiresAt())
	}
	if got := w.keyEvents(); len(got) != 1 {
		t.Fatalf("the authority is told %+v", got)
	}
	if k = must[*proofing.Key](t)(w.Keys.Get(t.Context(), k.ID)); len(k.Events) != 0 || k.ExpiresAt().IsZero() {
		t.Errorf("it keeps %d events, until %v", len(k.Events), k.ExpiresAt())
	}
}

// failingFeeds are feeds that cannot be read.
type failingFeeds struct{ proofing.Table[proofing.Feed] }

func (failingFeeds) Get(context.Context, string) (*proofing.Feed, error) {
	return nil, errors.New("no")
}
