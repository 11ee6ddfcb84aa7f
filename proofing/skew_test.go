package proofing_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// beside is another process on the same store and with the same provider, whose
// clock is off by that much.
func (w *world) beside(off time.Duration) *proofing.Service {
	w.t.Helper()
	s := w.Service
	other := &proofing.Service{
		Cases: s.Cases, Appointments: s.Appointments, Dossiers: s.Dossiers, Administration: s.Administration, Certificates: s.Certificates, PolicyBooks: s.PolicyBooks, PolicyProposals: s.PolicyProposals, People: s.People, Addresses: s.Addresses, Accounts: s.Accounts, Keys: s.Keys, Authorities: s.Authorities, Registry: s.Registry,
		LogPages: s.LogPages, LogHeads: s.LogHeads, Configurations: s.Configurations,
		Limiter: s.Limiter, Methods: s.Methods, Sender: s.Sender, Signer: s.Signer, Hasher: s.Hasher, Policy: s.Policy, Log: s.Log,
		Now: func() time.Time { return w.clock().Add(off) },
	}
	other.Start()
	return other
}

// skews are the clocks of the other process.
var skews = map[string]time.Duration{"ahead": proofing.ClockSkew, "behind": -proofing.ClockSkew}

func workOnce(t testing.TB, s *proofing.Service) {
	t.Helper()
	if _, err := s.WorkOnce(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// within is what comes out of a channel, which must not take for ever.
func within[T any](t testing.TB, what string, c <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-c:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: nothing came of it", what)
	}
	return got
}

// held is a provider that is at work on a message until it is let go.
type held struct {
	sending chan proofing.Message
	let     chan error
	had     atomic.Bool
}

func newHeld() *held { return &held{sending: make(chan proofing.Message), let: make(chan error)} }

func (h *held) Send(_ context.Context, m proofing.Message) (proofing.Receipt, error) {
	h.had.Store(true)
	h.sending <- m
	return proofing.Receipt{}, <-h.let
}

// work has a process work until it has given the provider a message, and on to the end of what it has in hand. On a
// machine with much to do the store may be too slow for a claim (claimTimeout is by the real clock). Then it is
// not made, and stays to be made: who works once and no more would leave the provider waiting for ever.
func (h *held) work(t testing.TB, s *proofing.Service) (worked <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for began := time.Now(); !h.had.Load() && time.Since(began) < 25*time.Second; {
			workOnce(t, s)
		}
	}()
	return done
}

func TestAClockThatIsAMinuteOffTakesNoLivingClaim(t *testing.T) {
	for name, off := range skews {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			other := w.beside(off)
			hold := newHeld()
			w.Sender = hold
			c := w.begin("email", 0, "email", "")
			worked := hold.work(t, w.Service)
			within(t, "the claim", hold.sending)
			w.pass(50 * time.Second) // the provider's 30 and the store's 20
			workOnce(t, other)
			if m := w.reload(c).Outbox.Messages; len(m) != 1 || m[0].State != proofing.MessageSending {
				t.Errorf("a code whose sender is at work was given up: %+v", m)
			}
			hold.let <- nil
			within(t, "the work", worked)
			if d := w.reload(c).Attempts[0].Delivery; d.Status != "accepted" {
				t.Errorf("the page learns %+v", d)
			}
			if n := len(w.post.all("email_code")); n != 0 {
				t.Errorf("the other process sent it too, %d times", n)
			}
		})
	}
}

func TestANoticeIsNotSentTwiceBecauseClocksDiffer(t *testing.T) {
	w := newWorld(t)
	other := w.beside(proofing.ClockSkew)
	c := w.begin("email", 0, "email", "")
	w.work()
	hold := newHeld()
	w.Sender = hold
	if _, _, err := w.Answer(t.Context(), visit(c, "b"), c.Attempts[0].ID, w.post.last(t, "email_code").Code); err != nil {
		t.Fatal(err)
	}
	worked := hold.work(t, w.Service)
	within(t, "the claim", hold.sending)
	w.pass(50 * time.Second)
	workOnce(t, other)
	if n := len(w.post.all("granted")); n != 0 {
		t.Errorf("%d notices went out beside one that is being sent", n)
	}
	hold.let <- nil
	within(t, "the work", worked)
}

// TestWhoWasTakenForDeadSettlesNothing lets a sender wake up after another has
// taken its notice.
func TestWhoWasTakenForDeadSettlesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.begin("email", 0, "email", "")
	w.work()
	late, second := newHeld(), newHeld()
	w.Sender = late
	other := w.beside(0)
	other.Sender = second
	if _, _, err := w.Answer(t.Context(), visit(c, "b"), c.Attempts[0].ID, w.post.last(t, "email_code").Code); err != nil {
		t.Fatal(err)
	}
	lateWorked := late.work(t, w.Service)
	within(t, "the first claim", late.sending)
	w.pass(3 * time.Minute) // it is stopped for so long
	secondWorked := second.work(t, other)
	within(t, "the second claim", second.sending)
	late.let <- &proofing.SendError{Outcome: proofing.NotSent, Reason: "unreachable", Err: errors.New("planned")}
	within(t, "the work", lateWorked)
	if m := w.reload(c).Outbox.Messages; len(m) != 1 || m[0].State != proofing.MessageSending {
		t.Errorf("the one that was late has settled the other's claim: %+v", m)
	}
	second.let <- nil
	within(t, "the work", secondWorked)
	if m := w.reload(c).Outbox.Messages; len(m) != 0 {
		t.Errorf("the notice is still owed: %+v", m)
	}
}

func TestACodeLivesNoLongerThanItsLifetimeAndTheSkew(t *testing.T) {
	const lifetime = 10 * time.Minute // of a code by text message
	for name, off := range skews {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			made, judged := w.Service, w.beside(off)
			if off > 0 { // the one that makes it is ahead of the one that judges it
				made, judged = judged, made
			}
			c := w.open("client")
			c, a, err := made.Begin(t.Context(), visit(c, "b"), "sms", "+447400123456")
			if err != nil {
				t.Fatal(err)
			}
			workOnce(t, made)
			code := w.post.last(t, "sms_code").Code
			w.pass(lifetime + proofing.ClockSkew)
			if _, _, err := judged.Answer(t.Context(), visit(c, "b"), a.ID, code); !errors.Is(err, proofing.ErrAttemptOver) {
				t.Errorf("a code of %s ago: %v, want that it is over", lifetime+proofing.ClockSkew, err)
			}
		})
	}
}

// TestClocksThatDifferRaiseNoLevel binds a number by the one clock and uses it by the
// other, at once and later: the event that binds never authenticates, and a
// later one does once its time is later by the clock that judges.
func TestClocksThatDifferRaiseNoLevel(t *testing.T) {
	const number = "+447400123456"
	for name, off := range skews {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first, second := w.Service, w.beside(off)
			prove := func(s *proofing.Service, key string, methods ...string) *proofing.Case {
				c := w.openAs("client", key, "applicant@example.org")
				for _, method := range methods {
					address := map[string]string{"email": "", "sms": number}[method]
					_, a, err := s.Begin(t.Context(), visit(c, "b"), method, address)
					if err != nil {
						t.Fatal(err)
					}
					workOnce(t, s)
					if c, _, err = s.Answer(t.Context(), visit(c, "b"), a.ID, w.post.last(t, method+"_code").Code); err != nil {
						t.Fatal(err)
					}
					for range 3 {
						workOnce(t, s)
					}
				}
				return w.reload(c)
			}
			if c := prove(first, "one", "email", "sms"); c.Grant == nil || c.Grant.Assessment.AAL != nil {
				t.Fatalf("the event that binds: %+v", c.Grant)
			}
			again := prove(second, "two", "email", "sms") // no time has passed
			if off < 0 && (again.Grant == nil || again.Grant.Assessment.AAL != nil) {
				t.Errorf("an event before its binding has a level: %+v", again.Grant)
			}
			w.pass(2 * proofing.ClockSkew)
			if c := prove(second, "three", "email", "sms"); c.Grant == nil || c.Grant.Assessment.AAL == nil || *c.Grant.Assessment.AAL != 1 {
				t.Errorf("a later event with a bound number: %+v", c.Grant)
			}
		})
	}
}
