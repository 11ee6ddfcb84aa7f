package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// told is everything that an authority is told of, from the beginning, in pages of a few.
func (w *world) told(ca *proofing.Authority) []proofing.Event {
	w.t.Helper()
	var all []proofing.Event
	for after := ""; ; {
		events, next, err := w.Events(context.WithoutCancel(w.t.Context()), ca, after, 3, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		all, after = append(all, events...), next
	}
}

func (w *world) sequenceAll() {
	w.t.Helper()
	if err := w.SequenceOnce(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
}

// checkOrder holds that the events of each object are there once, in order, from
// the first on, and returns the last of each.
func checkOrder(t testing.TB, events []proofing.Event) map[string]proofing.Event {
	t.Helper()
	last, ids := map[string]proofing.Event{}, map[string]bool{}
	for _, e := range events {
		if ids[e.ID] {
			t.Errorf("event %s is told twice", e.ID)
		}
		ids[e.ID] = true
		if want := last[e.Object].Sequence + 1; e.Sequence != want {
			t.Errorf("event %s comes as number %d of its object, want %d", e.ID, e.Sequence, want)
		}
		last[e.Object] = e
	}
	return last
}

func changes(events []proofing.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprintf("%s %s %s", e.Change, e.Status, e.Challenge))
	}
	return list
}

func TestAnAuthorityIsToldOfWhatItCanSee(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("email"), "b", "email", "")
	_, _ = w.Disown(t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal()))
	_, _ = w.Restore(t.Context(), c.ID)
	_, _ = w.Revoke(t.Context(), c.ID, "operator")
	w.sequenceAll()
	want := []string{
		"created open pending", "challenge open processing", "status granted valid", "frozen granted valid", "restored granted valid", "status revoked valid",
	}
	events := w.told(w.ca)
	if got := changes(events); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	checkOrder(t, events)
	if other := w.told(w.other); len(other) != 0 {
		t.Errorf("another authority is told %q", changes(other))
	}
	if e := events[len(events)-1]; e.Reason != "operator" || e.Profile != "email" {
		t.Errorf("the last event: %+v", e)
	}
}

func TestHowLateEachEventIsListedIsToldOnce(t *testing.T) {
	w := newWorld(t)
	var lags []time.Duration
	w.Lag = func(lag time.Duration) { lags = append(lags, lag) }
	w.open("email")
	w.pass(3 * time.Second)
	w.openMany("key-", 1)
	w.sequenceAll()
	w.sequenceAll()
	slices.Sort(lags)
	if want := []time.Duration{0, 0, 3 * time.Second}; !slices.Equal(lags, want) {
		t.Errorf("lags of %v, want %v", lags, want)
	}
}

func TestWhatAnAuthorityCannotSeeIsNotTold(t *testing.T) {
	w := newWorld(t)
	c := w.open("client")
	before := w.reload(c).Told
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	for range 3 {
		_, _, _ = w.Answer(t.Context(), visit(c, "b"), a.ID, "00000000")
	}
	w.pass(time.Minute)
	_, _, _ = w.Resend(t.Context(), visit(c, "b"), a.ID)
	w.work()
	if got := w.reload(c).Told - before; got != 1 { // the challenge is processing
		t.Errorf("%d events for a mistyped code and a second message", got)
	}
}

func TestAPageIsFullAndTheNextGoesOn(t *testing.T) {
	w := newWorld(t)
	const cases = proofing.PageEvents + 70
	for n := range cases {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint("key-", n)
		if _, _, err := w.Open(t.Context(), w.ca, r); err != nil {
			t.Fatal(err)
		}
	}
	w.sequenceAll()
	if last := checkOrder(t, w.told(w.ca)); len(last) != cases {
		t.Errorf("%d of %d cases are told of", len(last), cases)
	}
}

// process is another process over the same store.
func (w *world) process(kv store.KV) *proofing.Service {
	w.t.Helper()
	other := &world{t: w.t, post: w.post, hook: w.hook}
	other.overRing(kv, w.ring)
	other.Now = w.clock
	return other.Service
}

func TestManySequencersListEachEventOnce(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	var all sync.WaitGroup
	stopped := make(chan struct{})
	// Each acts as if it were alone: no lease holds it back.
	for range 4 {
		s := w.process(w.kv)
		all.Go(func() {
			for {
				select {
				case <-stopped:
					return
				default:
					_ = s.SequenceOnce(ctx) // being overtaken is an error, and harmless
				}
			}
		})
	}
	for n := range 60 {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint("key-", n)
		c, _, err := w.Open(t.Context(), w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			_, _ = w.Deactivate(t.Context(), w.ca, c.ID)
		}
	}
	close(stopped)
	all.Wait()
	w.sequenceAll()
	events := w.told(w.ca)
	checkOrder(t, events)
	if len(events) != 90 {
		t.Errorf("%d events, want 90", len(events))
	}
}

// TestASequencerMayDieAnywhere fails every call of the store in turn while events are
// listed, before and after it takes effect, and lets another process go on.
func TestASequencerMayDieAnywhere(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		failed := 0
		for n := int64(1); ; n++ {
			w := newWorld(t)
			var want int64
			for i := range 5 {
				r := request("email")
				r.Applicant.Thumbprint = fmt.Sprint("key-", i)
				c, _, err := w.Open(t.Context(), w.ca, r)
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					w.sequenceAll() // a first page is there already
				}
				if c, err = w.Deactivate(t.Context(), w.ca, c.ID); err != nil {
					t.Fatal(err)
				}
				want += c.Told
			}
			f := &faulty{KV: w.kv, after: after, n: n}
			dying := w.process(f)
			err := dying.SequenceOnce(t.Context())
			reached := f.calls.Load() >= n
			w.sequenceAll()
			events := w.told(w.ca)
			checkOrder(t, events)
			if int64(len(events)) != want {
				t.Errorf("call %d, after %v (%v): %d events, want %d", n, after, err, len(events), want)
			}
			if t.Failed() {
				t.FailNow()
			}
			if !reached {
				break
			}
			failed++
		}
		if failed < 15 {
			t.Errorf("only %d calls were made to fail", failed)
		}
	}
}

// paused is a store whose next creation of a page waits until it is let go.
type paused struct {
	store.KV
	once   sync.Once
	at, on chan struct{}
}

func (p *paused) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if len(ops) == 1 && ops[0].If == store.Absent && len(ops[0].Value) > 200 { // a page: no index, and new
		p.once.Do(func() { close(p.at); <-p.on })
	}
	return p.KV.Apply(ctx, bucket, ops)
}

func TestAPausedSequencerThatWakesUpIsFencedOff(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	p := &paused{KV: w.kv, at: make(chan struct{}), on: make(chan struct{})}
	slow := w.process(p)
	woke := make(chan error)
	go func() { woke <- slow.SequenceOnce(context.WithoutCancel(t.Context())) }()
	<-p.at // it knows what it will list, and stands still
	if _, err := w.Deactivate(t.Context(), w.ca, c.ID); err != nil {
		t.Fatal(err)
	}
	w.sequenceAll() // another takes over, and lists the same and more
	close(p.on)
	if err := <-woke; err == nil {
		t.Error("who was overtaken has not noticed")
	}
	events := w.told(w.ca)
	checkOrder(t, events)
	if got := changes(events); !slices.Equal(got, []string{"created open pending", "status withdrawn invalid"}) {
		t.Errorf("told %q", got)
	}
}

// TestOneProcessHoldsTheLease gives two processes clocks that differ by a minute.
func TestOneProcessHoldsTheLease(t *testing.T) {
	w := newWorld(t)
	here, there := w.process(w.kv), w.process(w.kv)
	there.Now = func() time.Time { return w.clock().Add(time.Minute) }
	first, second := proofing.NewTenure("00lease"), proofing.NewTenure("00lease")
	holds := func(s *proofing.Service, tenure *proofing.Tenure) bool {
		t.Helper()
		held, err := s.Hold(t.Context(), tenure)
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	if !holds(here, first) {
		t.Fatal("nobody holds the lease, and the first did not get it")
	}
	for range 30 { // while the holder beats, nobody else gets it, whatever their clock says
		w.pass(time.Second)
		if !holds(here, first) || holds(there, second) {
			t.Fatal("the lease has left a holder that lives")
		}
	}
	w.pass(5 * time.Second)
	if holds(there, second) {
		t.Error("a holder was taken for dead after five seconds")
	}
	w.pass(6 * time.Second)
	if !holds(there, second) {
		t.Error("a dead holder keeps the lease")
	}
	if holds(here, first) {
		t.Error("two hold the lease")
	}
	there.Yield(t.Context(), second)
	if !holds(here, first) {
		t.Error("a lease that was given back is not free")
	}
}

func TestCursors(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, bad := range []string{"x", "ZjEuMA==", "ZjAuMA", "Zi0xLjA", "ZjEuOTk5OQ", "ZjAxLjA", "ZzEuMA"} {
		_, _, err := w.Events(ctx, w.ca, bad, 10, 0)
		wantInput(t, bad, err, "cursor_malformed")
	}
	_, _, err := w.Events(ctx, w.ca, proofing.Place{Page: 7}.Cursor(), 10, 0)
	wantInput(t, "a cursor ahead of the feed", err, "cursor_malformed")
	c := w.open("email")
	w.sequenceAll()
	_, first, err := w.Events(ctx, w.ca, "", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if events, again, err := w.Events(ctx, w.ca, first, 10, 0); err != nil || len(events) != 0 || again != first {
		t.Errorf("at the end: %d events, cursor %q after %q, %v", len(events), again, first, err)
	}
	w.pass(31 * 24 * time.Hour)
	_, _ = w.Deactivate(ctx, w.ca, c.ID)
	w.work()
	w.sequenceAll()
	if events, _, err := w.Events(ctx, w.ca, "", 10, 0); err != nil || len(events) != 1 || events[0].Change != proofing.ChangeStatus {
		t.Errorf("what is kept: %q, %v", changes(events), err)
	}
	_, _, err = w.Events(ctx, w.ca, proofing.Place{Page: 1}.Cursor(), 10, 0)
	wantErr(t, "a cursor into what is gone", err, proofing.ErrEventsExpired)
}

func TestWhoWaitsForEventsIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	got := make(chan int)
	go func() {
		events, _, err := w.Events(context.WithoutCancel(t.Context()), w.ca, "", 10, 20*time.Second)
		if err != nil {
			t.Error(err)
		}
		got <- len(events)
	}()
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	w.open("email")
	w.sequenceAll()
	if n := <-got; n != 1 || time.Since(began) > 15*time.Second {
		t.Errorf("%d events after %s", n, time.Since(began))
	}
	w.pass(0)
	if events, _, err := w.Events(t.Context(), w.ca, proofing.Place{Page: 2}.Cursor(), 10, 30*time.Millisecond); err != nil || len(events) != 0 {
		t.Errorf("nothing happens: %d events, %v", len(events), err)
	}
}

// TestTheLoopsTellWithinTwoSeconds runs what serve runs, in two processes.
func TestTheLoopsTellWithinTwoSeconds(t *testing.T) {
	w := newWorld(t)
	real := func(s *proofing.Service) *proofing.Service { s.Now = time.Now; return s }
	w.Service = real(w.Service)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var loops sync.WaitGroup
	for _, s := range []*proofing.Service{real(w.process(w.kv)), real(w.process(w.kv))} {
		loops.Go(func() { s.Sequence(ctx) })
		loops.Go(func() { s.Deliver(ctx) })
	}
	defer loops.Wait()
	defer cancel()
	time.Sleep(200 * time.Millisecond)
	w.setHook()
	soon := 0
	for n := range 5 {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint("key-", n)
		if _, _, err := w.Open(t.Context(), w.ca, r); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for w.hook.count() <= n {
			if time.Sleep(5 * time.Millisecond); time.Since(began) > time.Minute {
				t.Fatalf("event %d was not told within a minute", n)
			}
		}
		if took := time.Since(began); took < 4*time.Second {
			soon++
		} else {
			t.Logf("event %d was told after %v", n, took)
		}
	}
	if soon < 2 {
		t.Errorf("%d of five events were told within four seconds", soon)
	}
}

// TestAnySequenceOfChangesIsTold holds what was told against what is there, after random work.
func TestAnySequenceOfChangesIsTold(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		m := &machine{world: newWorld(t), rng: rand.New(rand.NewPCG(seed, 9)), known: map[string]*proofing.Case{}, passed: map[string]int{}, wrong: map[string]int{}, keys: []string{"key-a", "key-b"}}
		for range 150 {
			m.step()
			if m.rng.IntN(4) == 0 {
				m.sequenceAll()
			}
		}
		m.work()
		m.sequenceAll()
		stored := map[string]*proofing.Case{}
		for id := range m.known {
			c, err := m.Cases.Get(t.Context(), id)
			if err == nil {
				stored[id] = c
			} else if !errors.Is(err, proofing.ErrNotFound) {
				t.Fatal(err)
			}
		}
		var all []proofing.Event
		for after := ""; ; {
			events, next, err := m.Events(t.Context(), m.ca, after, 500, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(events) == 0 {
				break
			}
			all, after = append(all, events...), next
		}
		last := map[string]proofing.Event{}
		for _, e := range all {
			if before, ok := last[e.Object]; ok && e.Sequence != before.Sequence+1 {
				t.Errorf("seed %d: %s follows %s", seed, e.ID, before.ID)
			}
			last[e.Object] = e
		}
		for id, c := range stored {
			e, ok := last[id]
			if !ok && c.Told > 0 && m.clock().Sub(c.Changed) < 29*24*time.Hour {
				t.Errorf("seed %d: nothing is told of %s, which is %s since %s", seed, id, c.Status, c.Changed)
			}
			if ok && (e.Status != c.Status || e.Frozen != (c.Frozen != nil) || e.Challenge != c.ChallengeStatus() || e.Reason != c.Reason || e.Sequence != c.Told) {
				t.Errorf("seed %d: the last that is told of %s is %+v, and it is %s frozen %v %s %s", seed, id, e, c.Status, c.Frozen != nil, c.ChallengeStatus(), c.Reason)
			}
		}
	}
}
