package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// endpoint is an authority's webhook that a test can make fail.
type endpoint struct {
	mu    sync.Mutex
	calls []proofing.Call // all that were made
	taken []proofing.Event
	fail  func(proofing.Event) error
}

func (e *endpoint) Call(_ context.Context, c proofing.Call) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, c)
	if e.fail != nil {
		if err := e.fail(c.Event); err != nil {
			return err
		}
	}
	e.taken = append(e.taken, c.Event)
	return nil
}

func (e *endpoint) failWith(f func(proofing.Event) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = f
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.taken)
}

func (e *endpoint) tried() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calls)
}

func away(proofing.Event) error {
	return &proofing.SendError{Outcome: proofing.Unknown, Reason: "unreachable", Err: errors.New("planned")}
}

// setHook gives the authority a webhook.
func (w *world) setHook() {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	ca, err := w.Authorities.Update(ctx, w.ca.ID, func(ca *proofing.Authority) error {
		ca.Webhook = &proofing.Webhook{URL: "https://ca.example/hook"}
		ca.Webhook.NewSecret(w.clock(), 0)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.ca = ca
	if err := w.SetHook(ctx, ca.Name, "", true); err != nil {
		w.t.Fatal(err)
	}
}

// deliverAll makes the calls that are due.
func (w *world) deliverAll() {
	w.t.Helper()
	w.sequenceAll()
	for range 50 {
		n, err := w.DeliverOnce(context.WithoutCancel(w.t.Context()))
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("calls are always due")
}

func (w *world) hookState() proofing.Hook {
	w.t.Helper()
	f, err := w.Feeds.Get(context.WithoutCancel(w.t.Context()), w.FeedID(w.ca.Name))
	if err != nil {
		w.t.Fatal(err)
	}
	return f.Hook
}

// openMany opens cases and ends every second one.
func (w *world) openMany(prefix string, n int) (events int) {
	w.t.Helper()
	for i := range n {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint(prefix, i)
		c, _, err := w.Open(w.t.Context(), w.ca, r)
		if err != nil {
			w.t.Fatal(err)
		}
		if events++; i%2 == 0 {
			if _, err := w.Deactivate(w.t.Context(), w.ca, c.ID); err != nil {
				w.t.Fatal(err)
			}
			events++
		}
	}
	return events
}

func TestAWebhookIsToldOfEveryChangeInOrder(t *testing.T) {
	w := newWorld(t)
	w.openMany("before-", 3) // what was before it was set is not told
	w.sequenceAll()
	w.setHook()
	want := w.openMany("key-", 100)
	w.deliverAll()
	checkOrder(t, w.hook.taken)
	if len(w.hook.taken) != want {
		t.Errorf("%d events told, want %d", len(w.hook.taken), want)
	}
	if h := w.hookState(); !h.Due.IsZero() || h.Claim != "" {
		t.Errorf("nothing is left, and the hook is %+v", h)
	}
}

func TestAnEndpointThatIsDownIsAskedEverLessOftenAndLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	want := w.openMany("key-", 30)
	w.hook.failWith(away)
	w.deliverAll()
	if n := w.hook.tried(); n > 8 {
		t.Errorf("%d calls in the first round to an endpoint that does not answer", n)
	}
	var rounds []time.Duration
	for began, tried := w.clock(), w.hook.tried(); w.clock().Sub(began) < time.Hour; {
		w.pass(5 * time.Second)
		if _, err := w.DeliverOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := w.hook.tried(); n > tried {
			rounds, tried = append(rounds, w.clock().Sub(began)), n
		}
	}
	if len(rounds) < 10 || len(rounds) > 25 {
		t.Errorf("%d rounds in an hour: %v", len(rounds), rounds)
	}
	if h := w.hookState(); h.Failing.IsZero() || h.Reason != "unreachable" || len(h.Dead) != 0 || len(h.Late) != 0 {
		t.Errorf("the hook is %+v", h)
	}
	want += w.openMany("later-", 5)
	w.hook.failWith(nil)
	w.pass(7 * time.Minute)
	w.deliverAll()
	checkOrder(t, w.hook.taken)
	if len(w.hook.taken) != want {
		t.Errorf("%d events told, want %d", len(w.hook.taken), want)
	}
	if h := w.hookState(); !h.Failing.IsZero() || h.Tries != 0 {
		t.Errorf("after it is well the hook is %+v", h)
	}
}

// TestOneObjectThatIsRefusedHoldsUpNoOther has an endpoint that fails for one case.
func TestOneObjectThatIsRefusedHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	c := w.open("email")
	w.hook.failWith(func(e proofing.Event) error {
		if e.Object == c.ID {
			return &proofing.SendError{Outcome: proofing.Refused, Reason: "endpoint_refused", Err: errors.New("planned")}
		}
		return nil
	})
	others := w.openMany("key-", 10)
	_, _ = w.Deactivate(t.Context(), w.ca, c.ID)
	for range 100 {
		w.deliverAll()
		w.pass(20 * time.Second)
	}
	if len(w.hook.taken) != others {
		t.Errorf("%d of %d other events are told", len(w.hook.taken), others)
	}
	if h := w.hookState(); len(h.Late) != 2 || !h.Failing.IsZero() {
		t.Errorf("the hook is %+v", h)
	}
	w.hook.failWith(nil)
	w.pass(7 * time.Minute)
	w.deliverAll()
	checkOrder(t, w.hook.taken)
	if len(w.hook.taken) != others+2 {
		t.Errorf("%d of %d events are told in the end", len(w.hook.taken), others+2)
	}
}

func TestAnEndpointThatIsGoneIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	w.hook.failWith(func(proofing.Event) error {
		return &proofing.SendError{Outcome: proofing.Refused, Reason: "gone", Err: errors.New("410")}
	})
	want := w.openMany("key-", 3)
	w.deliverAll()
	tried := w.hook.tried()
	for range 50 {
		w.pass(time.Hour)
		w.openMany(fmt.Sprint(w.clock().Unix()), 1)
		want += 2
		w.deliverAll()
	}
	if w.hook.tried() != tried || w.hookState().Stopped.IsZero() {
		t.Errorf("%d calls after it asked for none", w.hook.tried()-tried)
	}
	w.hook.failWith(nil)
	if _, err := w.Replay(t.Context(), w.ca.Name, time.Time{}); err != nil {
		t.Fatal(err)
	}
	w.deliverAll()
	checkOrder(t, w.hook.taken)
	if len(w.hook.taken) != want {
		t.Errorf("%d events told once it is resumed, want %d", len(w.hook.taken), want)
	}
}

func TestAnEndpointSaysWhenToComeBack(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	w.hook.failWith(func(proofing.Event) error {
		return &proofing.SendError{Outcome: proofing.NotSent, Reason: "provider_busy", RetryAfter: 40 * time.Minute, Err: errors.New("429")}
	})
	w.openMany("key-", 1)
	w.deliverAll()
	tried := w.hook.tried()
	w.pass(39 * time.Minute)
	w.deliverAll()
	if w.hook.tried() != tried {
		t.Error("it was called before the time that it named")
	}
	w.pass(2 * time.Minute)
	w.deliverAll()
	if w.hook.tried() == tried {
		t.Error("it was not called after the time that it named")
	}
}

func TestTwoProcessesShareTheCallsAndKeepTheOrder(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	want := w.openMany("key-", 60)
	w.sequenceAll()
	var all sync.WaitGroup
	for range 4 {
		s := w.process(w.kv)
		all.Go(func() { _, _ = s.DeliverOnce(context.WithoutCancel(t.Context())) })
	}
	all.Wait()
	w.deliverAll()
	checkOrder(t, w.hook.taken) // and nothing twice: one process at a time has charge
	if len(w.hook.taken) != want {
		t.Errorf("%d events told, want %d", len(w.hook.taken), want)
	}
}

// TestAStoreThatIsAwayForAMomentHoldsUpNoWebhook fails every call of the store in turn while a
// webhook is told.
func TestAStoreThatIsAwayForAMomentHoldsUpNoWebhook(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := int64(1); ; n++ {
			w := newWorld(t)
			w.setHook()
			want := w.openMany("key-", 3)
			w.sequenceAll()
			f := &faulty{KV: w.kv, after: after, n: n}
			_, _ = w.process(f).DeliverOnce(t.Context())
			w.pass(2 * time.Second) // and not until somebody is taken for dead
			w.deliverAll()
			if len(w.hook.taken) != want {
				t.Errorf("call %d, after %v: %d events told, want %d, each once", n, after, len(w.hook.taken), want)
			}
			if checkOrder(t, w.hook.taken); t.Failed() {
				t.FailNow()
			}
			if f.calls.Load() < n {
				break
			}
		}
	}
}

// TestADeliveryMayDieAnywhere ends a process at every call of the store in turn while a webhook is
// told, and lets another go on when the claim has run out.
func TestADeliveryMayDieAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		failed := 0
		for n := int64(1); ; n++ {
			w := newWorld(t)
			w.setHook()
			want := w.openMany("key-", 3)
			w.sequenceAll()
			f := &faulty{KV: w.kv, after: after, n: n, dies: true}
			dying := w.process(f)
			_, _ = dying.DeliverOnce(t.Context())
			reached := f.calls.Load() >= n
			w.pass(3 * time.Minute)
			w.deliverAll()
			first := slices.CompactFunc(slices.Clone(w.hook.taken), func(proofing.Event, proofing.Event) bool { return false })
			seen := map[string]bool{}
			first = slices.DeleteFunc(first, func(e proofing.Event) bool { again := seen[e.ID]; seen[e.ID] = true; return again })
			checkOrder(t, first) // of those that come twice the first counts
			if len(first) != want {
				t.Errorf("call %d, after %v: %d events told, want %d", n, after, len(first), want)
			}
			if t.Failed() {
				t.FailNow()
			}
			if !reached {
				break
			}
			failed++
		}
		if failed < 5 {
			t.Errorf("only %d calls were made to fail", failed)
		}
	}
}

// TestAnOperatorTakesAFeedFromADelivery replays while a call hangs.
func TestAnOperatorTakesAFeedFromADelivery(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	want := w.openMany("key-", 2)
	w.sequenceAll()
	began, on := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.hook.failWith(nil)
	slow := w.process(w.kv)
	slow.Caller = callerFunc(func(ctx context.Context, c proofing.Call) error {
		once.Do(func() { close(began); <-on })
		return w.hook.Call(ctx, c)
	})
	done := make(chan struct{})
	go func() { defer close(done); _, _ = slow.DeliverOnce(context.WithoutCancel(t.Context())) }()
	<-began
	if _, err := w.Replay(t.Context(), w.ca.Name, w.clock().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.deliverAll()
	close(on)
	<-done
	w.deliverAll()
	seen := map[string]bool{}
	for _, e := range w.hook.taken {
		seen[e.ID] = true
	}
	if len(seen) != want {
		t.Errorf("%d events told, want %d", len(seen), want)
	}
	if h := w.hookState(); h.Claim != "" || !h.Due.IsZero() {
		t.Errorf("the hook is %+v", h)
	}
}

type callerFunc func(ctx context.Context, c proofing.Call) error

func (f callerFunc) Call(ctx context.Context, c proofing.Call) error { return f(ctx, c) }

func TestSecretsOverlap(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	h := &proofing.Webhook{}
	first := h.NewSecret(now, time.Hour)
	if !strings.HasPrefix(first.Reveal(), "whsec_") || len(h.Keys(now)) != 1 || len(h.Keys(now)[0]) != 32 {
		t.Fatalf("the first secret: %d keys", len(h.Keys(now)))
	}
	second := h.NewSecret(now, time.Hour)
	if keys := h.Keys(now.Add(59 * time.Minute)); len(keys) != 2 || first == second {
		t.Errorf("in the overlap %d keys sign", len(keys))
	}
	if keys := h.Keys(now.Add(time.Hour)); len(keys) != 1 {
		t.Errorf("after it %d keys sign", len(keys))
	}
	h.NewSecret(now, 0)
	if keys := h.Keys(now); len(keys) != 1 {
		t.Errorf("without an overlap %d keys sign", len(keys))
	}
	for range 20 {
		h.NewSecret(now, time.Hour)
	}
	if keys := h.Keys(now); len(keys) > 4 {
		t.Errorf("%d keys sign at once", len(keys))
	}
}

func TestAWebhookThatIsTakenAwayIsNotCalled(t *testing.T) {
	w := newWorld(t)
	w.setHook()
	w.openMany("key-", 2)
	w.sequenceAll()
	if _, err := w.Authorities.Update(t.Context(), w.ca.ID, func(ca *proofing.Authority) error { ca.Webhook = nil; return nil }); err != nil {
		t.Fatal(err)
	}
	w.deliverAll()
	if w.hook.tried() != 0 || w.hookState().On {
		t.Errorf("%d calls to a webhook that was taken away", w.hook.tried())
	}
	wantErr(t, "replay", second(w.Replay(t.Context(), w.ca.Name, time.Time{})), proofing.ErrNotFound)
	wantErr(t, "ping", w.Ping(t.Context(), &proofing.Authority{}), proofing.ErrNotFound)
}

func second[T any](_ T, err error) error { return err }

var _ store.KV = (*faulty)(nil)
