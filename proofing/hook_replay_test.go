package proofing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// TestWhatIsLateFromBeforeTheTimeOfAReplayIsToldAllTheSame has one object refused, and two hours later goes
// back by one.
func TestWhatIsLateFromBeforeTheTimeOfAReplayIsToldAllTheSame(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	c := w.open("email")
	w.hook.failWith(func(e proofing.Event) error {
		if e.Object == c.ID {
			return away(e)
		}
		return nil
	})
	want := 1 + w.openMany("early-", 2)
	for range 20 { // until something was taken beside it
		w.deliverAll()
		w.pass(6 * time.Minute)
	}
	if h := w.hookState(); len(h.Late) != 1 || !h.Failing.IsZero() {
		t.Fatalf("the hook is %+v", h)
	}
	since := w.clock()
	w.pass(time.Minute)
	if _, err := w.Deactivate(t.Context(), w.ca, c.ID); err != nil { // late as well, and of the time that is told again
		t.Fatal(err)
	}
	want += 1 + w.openMany("recent-", 4)
	w.deliverAll()
	w.hook.failWith(nil)
	w.hook.taken = nil
	if _, err := w.Replay(t.Context(), w.ca.Name, since); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.deliverAll()
		w.pass(7 * time.Minute)
	}
	checkOrder(t, w.hook.taken) // and nothing twice
	early := 3                  // they were taken before, and are not of that time
	if len(w.hook.taken) != want-early {
		t.Errorf("%d events told by the replay, want %d", len(w.hook.taken), want-early)
	}
	if h := w.hookState(); len(h.Late) != 0 {
		t.Errorf("%d events are late though everything is taken", len(h.Late))
	}
}

// TestAReplayFromATimeLeavesOnlyWhatIsOlderDead has three events given up, of which one is older than the time.
func TestAReplayFromATimeLeavesOnlyWhatIsOlderDead(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	w.hook.failWith(away)
	w.openMany("old-", 1)
	w.sequenceAll()
	w.pass(time.Hour)
	since := w.clock()
	want := 0
	for i := range 2 {
		want += w.openMany(fmt.Sprint("recent-", i), 1)
	}
	for range 80 {
		w.deliverAll()
		w.pass(time.Hour)
	}
	if h := w.hookState(); len(h.Dead) != want+2 {
		t.Fatalf("%d events are dead, want %d", len(h.Dead), want+2)
	}
	w.hook.failWith(nil)
	if _, err := w.Replay(t.Context(), w.ca.Name, since); err != nil {
		t.Fatal(err)
	}
	w.deliverAll()
	if len(w.hook.taken) != want {
		t.Errorf("%d events told, want %d", len(w.hook.taken), want)
	}
	if h := w.hookState(); len(h.Dead) != 2 {
		t.Errorf("%d events are dead, want the two from before", len(h.Dead))
	}
}
