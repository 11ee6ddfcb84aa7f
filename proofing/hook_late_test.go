package proofing_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestAnEventThatIsRefusedForDaysIsDeadAndCanBeReplayed(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.Log = slog.New(slog.NewJSONHandler(&log, nil))
	w.setHook()
	c := w.open("email")
	w.hook.failWith(func(e proofing.Event) error {
		if e.Object == c.ID {
			return away(e)
		}
		return nil
	})
	w.openMany("key-", 2)
	w.deliverAll()
	for range 80 {
		w.pass(time.Hour)
		w.deliverAll()
	}
	if h := w.hookState(); len(h.Late) != 0 || len(h.Dead) != 1 || h.Dead[0].Event.Object != c.ID || h.Dead[0].Reason != "unreachable" {
		t.Fatalf("after 80 hours: late %d, dead %+v", len(h.Late), h.Dead)
	}
	if n := strings.Count(log.String(), `"ERROR"`); n != 1 || !strings.Contains(log.String(), `"events":1`) {
		t.Errorf("an operator reads %d errors of one dead event:\n%s", n, log.String())
	}
	w.hook.failWith(nil)
	if n, err := w.Replay(t.Context(), w.ca.Name, time.Time{}); n != 1 || err != nil {
		t.Fatalf("replayed %d, %v", n, err)
	}
	w.deliverAll()
	if e := w.hook.taken[len(w.hook.taken)-1]; e.Object != c.ID || len(w.hookState().Dead) != 0 {
		t.Errorf("the last that was told is of %s, want %s", e.Object, c.ID)
	}
}

func TestAnEndpointThatIsDownForDaysDoesNotFillTheStore(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	w.hook.failWith(away)
	old := w.openMany("key-", 3)
	w.deliverAll()
	for range 73 {
		w.pass(time.Hour)
		w.deliverAll()
	}
	fresh := w.openMany("fresh-", 2)
	w.pass(time.Hour)
	w.deliverAll()
	h := w.hookState()
	if len(h.Dead) != old {
		t.Errorf("%d events are dead, want %d", len(h.Dead), old)
	}
	w.hook.failWith(nil)
	w.pass(7 * time.Minute)
	w.deliverAll()
	if len(w.hook.taken) != fresh {
		t.Errorf("%d events are told when it is well again, want the %d fresh ones", len(w.hook.taken), fresh)
	}
	// What is dead stands in the feed all the same.
	if events := w.told(w.ca); len(events) != old+fresh {
		t.Errorf("the feed has %d events, want %d", len(events), old+fresh)
	}
}

// TestAnEndpointThatDiesWithManyLateIsSeen has many objects late when the endpoint goes away: their
// calls come first and use up a round, so that nothing new is tried.
func TestAnEndpointThatDiesWithManyLateIsSeen(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	// What is taken comes first and is waited for: a round whose first calls all fail is given up. That one
	// was taken is known for sure when the next of its object is told.
	refused, well := map[string]bool{}, make(chan struct{})
	var once sync.Once
	w.Caller = callerFunc(func(ctx context.Context, c proofing.Call) error {
		if refused[c.Event.Object] {
			<-well
			return away(c.Event)
		}
		if c.Event.Change != proofing.ChangeCreated {
			once.Do(func() { close(well) })
		}
		return w.hook.Call(ctx, c)
	})
	w.openMany("well-", 3)
	w.sequenceAll()
	for n := range 12 {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint("late-", n)
		c, _, err := w.Open(t.Context(), w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		refused[c.ID] = true
	}
	w.deliverAll()
	w.Caller = w.hook
	if h := w.hookState(); len(h.Late) != 12 {
		t.Fatalf("%d are late, want 12", len(h.Late))
	}
	w.hook.failWith(away)
	w.openMany("new-", 40)
	w.pass(time.Minute)
	w.deliverAll()
	h := w.hookState()
	if state, _ := h.State(w.ca.Webhook); state != proofing.HookFailing || len(h.Late) != 12 {
		t.Errorf("an endpoint that takes nothing is %s, with %d late", state, len(h.Late))
	}
	w.hook.failWith(nil)
	w.pass(10 * time.Minute)
	w.deliverAll()
	checkOrder(t, w.hook.taken)
	if h := w.hookState(); len(h.Late) != 0 {
		t.Errorf("%d are late though everything is taken", len(h.Late))
	}
}

// TestManyObjectsThatAreRefusedHoldUpNoOther has more of them than calls are made at once. Where they are the
// first to be called nothing else is tried, and it is the endpoint that fails. That must not last.
func TestManyObjectsThatAreRefusedHoldUpNoOther(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	refused := map[string]bool{}
	w.hook.failWith(func(e proofing.Event) error {
		if refused[e.Object] {
			return away(e)
		}
		return nil
	})
	for n := range 12 {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint("refused-", n)
		c, _, err := w.Open(t.Context(), w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		refused[c.ID] = true
	}
	others := w.openMany("well-", 20)
	for range 50 {
		w.deliverAll()
		w.pass(7 * time.Minute)
	}
	if h := w.hookState(); len(h.Late) != 12 || !h.Failing.IsZero() || len(w.hook.taken) != others {
		t.Fatalf("%d are late, want 12; %d of %d others are told; the hook is %+v", len(h.Late), len(w.hook.taken), others, h)
	}
	// All twelve are due at once.
	others += w.openMany("more-", 5)
	w.deliverAll()
	if h := w.hookState(); len(w.hook.taken) != others || !h.Failing.IsZero() {
		t.Errorf("%d of %d others are told beside twelve late ones; the hook is %+v", len(w.hook.taken), others, h)
	}
}

// TestWhatFollowsALateEventSaysNothingOfTheEndpoint has one object that is refused, and changes again.
func TestWhatFollowsALateEventSaysNothingOfTheEndpoint(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	c := w.open("email")
	w.hook.failWith(func(e proofing.Event) error {
		if e.Object == c.ID {
			return away(e)
		}
		return nil
	})
	for range 20 { // until something was taken beside it
		w.openMany(fmt.Sprint("well-", w.hook.tried()), 5)
		w.deliverAll()
		w.pass(7 * time.Minute)
	}
	if h := w.hookState(); len(h.Late) != 1 || !h.Failing.IsZero() {
		t.Fatalf("the hook is %+v", h)
	}
	if _, err := w.Deactivate(t.Context(), w.ca, c.ID); err != nil {
		t.Fatal(err)
	}
	w.deliverAll()
	if h := w.hookState(); len(h.Late) != 2 || !h.Failing.IsZero() {
		t.Errorf("the hook is %+v", h)
	}
}

func TestTheListOfTheDeadHasAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setHook()
	w.hook.failWith(away)
	old := w.openMany("key-", 200)
	for range 100 {
		w.deliverAll()
		w.pass(time.Hour)
	}
	h := w.hookState()
	if got := int64(len(h.Dead)) + h.Lost; got != int64(old) || len(h.Dead) > 150 {
		t.Errorf("%d events are dead and %d more counted, want %d", len(h.Dead), h.Lost, old)
	}
	w.hook.failWith(nil)
	// Going back to a time tells everything again, the lost ones too.
	if _, err := w.Replay(t.Context(), w.ca.Name, w.clock().Add(-200*time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.deliverAll()
	checkOrder(t, w.hook.taken)
	if len(w.hook.taken) != old {
		t.Errorf("%d events are told again, want %d", len(w.hook.taken), old)
	}
}

func TestManyLateObjectsHoldTheFeedAndLoseNothing(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	bad := func(e proofing.Event) bool { return e.ExternalID == "bad" }
	w.hook.failWith(func(e proofing.Event) error {
		if bad(e) {
			return away(e)
		}
		return nil
	})
	want := 0
	for n := range 300 {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint("key-", n)
		if n%2 == 0 {
			r.ExternalID = "bad"
		}
		if _, _, err := w.Open(t.Context(), w.ca, r); err != nil {
			t.Fatal(err)
		}
		want++
	}
	for range 30 {
		w.deliverAll()
		w.pass(time.Minute)
	}
	if h := w.hookState(); len(h.Late) > 100 {
		t.Errorf("%d events are late", len(h.Late))
	}
	w.hook.failWith(nil)
	for range 20 {
		w.pass(7 * time.Minute)
		w.deliverAll()
	}
	seen := map[string]bool{}
	for _, e := range w.hook.taken {
		seen[e.ID] = true
	}
	if len(seen) != want {
		t.Errorf("%d events were told, want %d", len(seen), want)
	}
}
