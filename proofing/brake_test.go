package proofing_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// braked is a world whose ranges and countries are held back.
func braked(t testing.TB) *world {
	w := newWorld(t)
	w.Policy.Profiles["sign"].RequireStart = false
	w.Policy.Limits.PrefixHour = 1000
	w.Policy.Brake = proofing.DefaultBrake()
	w.Policy.Brake.Countries = proofing.BrakeEnforce
	return w
}

// pump asks for a code to a number and answers nothing.
func (w *world) pump(s *proofing.Service, number string) (*proofing.Case, error) {
	w.t.Helper()
	r := request("sign")
	r.Applicant.Thumbprint = "pumps " + proofing.NewToken().Reveal()
	c, _, err := s.Open(w.t.Context(), w.ca, r)
	if err != nil {
		w.t.Fatal(err)
	}
	_, _, err = s.Begin(w.t.Context(), visit(c, "b"), "sms", number)
	return c, err
}

// pumpUntilRefused returns how many messages went out before the brake refused one.
func (w *world) pumpUntilRefused(prefix string, most int) int {
	w.t.Helper()
	for i := range most {
		if _, err := w.pump(w.Service, fmt.Sprintf("%s%04d", prefix, i)); err != nil {
			wantLimit(w.t, "message "+fmt.Sprint(i+1), err, "brake")
			return i
		}
	}
	return most
}

func (w *world) brakes() []*proofing.Brake {
	w.t.Helper()
	all, _, err := w.Brakes.List(w.t.Context(), proofing.Query{Index: "until", Below: "~"})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestPumpingOneRangeIsHeldBackAndNoOtherRangeIs(t *testing.T) {
	w := braked(t)
	var heard []string
	w.Watch = func(what, country string) { heard = append(heard, what+" "+country) }
	if n := w.pumpUntilRefused("+44740012", 30); n != 20 {
		t.Fatalf("%d messages went out to the range, want 20", n)
	}
	c, err := w.pump(w.Service, "+447400129999")
	l, _ := errors.AsType[*proofing.LimitError](err)
	if l == nil || l.Limit != "brake" || !l.Until.Equal(w.clock().Add(time.Hour)) {
		t.Errorf("the next one: %v", err)
	}
	if c = w.reload(c); c.Status != proofing.CaseOpen || c.ChallengeStatus() != "pending" {
		t.Errorf("the authority sees %s, %s", c.Status, c.ChallengeStatus())
	}
	if _, err := w.pump(w.Service, "+447400135000"); err != nil {
		t.Errorf("another range: %v", err)
	}
	if all := w.brakes(); len(all) != 1 || all[0].Shown() != "+44740012••••" || all[0].Unanswered != 21 || all[0].Answered != 0 {
		t.Errorf("brakes: %+v", all)
	} else if n, err := w.Refused(t.Context(), all[0]); n != 2 || err != nil {
		t.Errorf("%d messages refused, want 2: %v", n, err)
	}
	count := map[string]int{}
	for _, h := range heard {
		count[h]++
	}
	if count["counted GB"] != 21 || count["braked GB"] != 1 || count["refused GB"] != 2 {
		t.Errorf("the operator heard %v", count)
	}
	// It lets go by itself, and holds for longer the next time.
	w.pass(time.Hour)
	if n := w.pumpUntilRefused("+44740012", 30); n != 20 {
		t.Errorf("%d messages went out after it let go, want 20", n)
	}
	if all := w.brakes(); len(all) != 1 || !all[0].Until.Equal(w.clock().Add(2*time.Hour)) {
		t.Errorf("brakes after the second time: %+v", all)
	}
}

func TestABrakeThatOnlyReportsRefusesNothing(t *testing.T) {
	w := braked(t)
	w.Policy.Brake.Ranges = proofing.BrakeReport
	if n := w.pumpUntilRefused("+44740012", 40); n != 40 {
		t.Errorf("message %d was refused", n+1)
	}
	all := w.brakes()
	if len(all) != 1 {
		t.Fatalf("brakes: %+v", all)
	}
	if n, err := w.Refused(t.Context(), all[0]); n != 20 || err != nil {
		t.Errorf("it says that %d would have been refused, want 20: %v", n, err)
	}
}

func TestABrakeThatIsOffCountsNothing(t *testing.T) {
	w := braked(t)
	w.Policy.Brake, w.Brakes = proofing.BrakePolicy{}, nil
	if n := w.pumpUntilRefused("+44740012", 40); n != 40 {
		t.Errorf("message %d was refused", n+1)
	}
}

func TestWhoHasTheNumberAlreadyIsNotHeldBack(t *testing.T) {
	w := braked(t)
	owner := w.prove(w.prove(w.openAs("sign", "owner", "owner@example.org"), "b", "email", ""), "b", "sms", "+447400121234")
	w.pumpUntilRefused("+44740012", 30)
	w.pass(time.Minute)
	if c := w.prove(owner, "b", "sms", "+447400121234"); c.Status != proofing.CaseGranted {
		t.Errorf("the owner of a number in the range is %s", c.Status)
	}
}

func TestALiftedBrakeDoesNotComeBackWithTheNextMessage(t *testing.T) {
	w := braked(t)
	ctx := t.Context()
	w.pumpUntilRefused("+44740012", 30)
	b := w.brakes()[0]
	if b, err := w.LiftBrake(ctx, b.ID); err != nil || b.Holds(w.clock()) {
		t.Fatalf("lifted: %+v, %v", b, err)
	}
	_, err := w.LiftBrake(ctx, b.ID)
	wantErr(t, "lifting it twice", err, proofing.ErrClosed)
	_, err = w.LiftBrake(ctx, proofing.NewID(nil))
	wantErr(t, "lifting none", err, proofing.ErrNotFound)
	if n := w.pumpUntilRefused("+44740012", 30); n != 20 {
		t.Errorf("%d messages went out after it was lifted, want 20", n)
	}
	if b := w.brakes()[0]; !b.Until.Equal(w.clock().Add(time.Hour)) {
		t.Errorf("a brake that was lifted counts in the row: %+v", b)
	}
}

func TestAProviderThatIsAwayLooksLikeNobodyWhoDoesNotAnswer(t *testing.T) {
	w := braked(t)
	w.post.fail = func(proofing.Message) error {
		return &proofing.SendError{Outcome: proofing.Refused, Reason: "provider_refused", Err: errors.New("away")}
	}
	for i := range 40 {
		if _, err := w.pump(w.Service, fmt.Sprintf("+44740012%04d", i)); err != nil {
			t.Fatalf("message %d: %v", i+1, err)
		}
		w.work()
	}
	w.post.fail = func(proofing.Message) error {
		return &proofing.SendError{Outcome: proofing.Unknown, Reason: "timeout", Err: errors.New("who knows")}
	}
	n := 0
	for ; n < 40; n++ { // these may have gone out
		if _, err := w.pump(w.Service, fmt.Sprintf("+44740012%04d", 100+n)); err != nil {
			break
		}
		w.work()
	}
	if n != 20 {
		t.Errorf("%d messages of which nobody knows went out, want 20", n)
	}
}

func TestAnAnswerTakesAllItsMessagesBack(t *testing.T) {
	w := braked(t)
	ctx := t.Context()
	for i := range 12 { // two messages each: they would brake if they stayed
		c := w.openAs("sign", fmt.Sprint("patient", i), "p@example.org")
		number := fmt.Sprintf("+44740012%04d", i)
		if _, _, err := w.Begin(ctx, visit(c, "b"), "sms", number); err != nil {
			t.Fatalf("person %d: %v", i, err)
		}
		w.work()
		w.pass(time.Minute)
		w.prove(c, "b", "sms", number)
		w.pass(-time.Minute)
	}
	if all := w.brakes(); len(all) != 0 {
		t.Errorf("brakes: %+v", all)
	}
}

func TestTwoProcessesBrakeTogether(t *testing.T) {
	w := braked(t)
	other := &proofing.Service{
		Cases: w.Cases, Appointments: w.Appointments, Dossiers: w.Dossiers, Administration: w.Administration, Certificates: w.Certificates, PolicyBooks: w.PolicyBooks, PolicyProposals: w.PolicyProposals, Configurations: w.Configurations, People: w.People, Addresses: w.Addresses, Accounts: w.Accounts, Authorities: w.Authorities, Registry: w.Registry,
		Brakes: w.Brakes, LogHeads: w.LogHeads, Limiter: w.Limiter, Methods: w.Methods, Sender: w.Sender, Signer: w.Signer, Hasher: w.Hasher,
		Policy: w.Policy, Now: w.Now, Log: w.Log,
	}
	other.Start()
	var all sync.WaitGroup
	var mu sync.Mutex
	sent := 0
	for n, s := range []*proofing.Service{w.Service, other, w.Service, other} {
		all.Go(func() {
			for i := range 12 {
				if _, err := w.pump(s, fmt.Sprintf("+44740012%04d", n*100+i)); err == nil {
					mu.Lock()
					sent++
					mu.Unlock()
				} else {
					wantLimit(t, "a message", err, "brake")
				}
			}
		})
	}
	all.Wait()
	if sent != 20 {
		t.Errorf("%d messages went out, want 20", sent)
	}
	if n := len(w.brakes()); n != 1 {
		t.Errorf("%d brakes, want 1", n)
	}
	// Lifted by one, as by the command, it is so for the other.
	if _, err := other.LiftBrake(t.Context(), w.brakes()[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.pump(w.Service, "+447400129999"); err != nil {
		t.Errorf("after another process lifted it: %v", err)
	}
}

// TestWhatTheBrakeCosts counts calls of the store. A text message costs a look for each place
// and three additions at once; an answer costs five additions at once. Where a place is looked at
// closer, and after an hour in which nobody did, it costs more.
func TestWhatTheBrakeCosts(t *testing.T) {
	cost := func(w *world, f *faulty, do func()) int64 {
		before := f.calls.Load()
		do()
		return f.calls.Load() - before
	}
	measure := func(on bool) (begin, answer int64) {
		w := newWorld(t)
		f := &faulty{KV: w.kv}
		w.over(f)
		if on {
			w.Policy.Brake = proofing.DefaultBrake()
		}
		for _, first := range []bool{true, false} { // the first reads what is usual
			c := w.openAs("client", fmt.Sprint("cost", first), "cost@example.org")
			number := map[bool]string{true: "+447400120001", false: "+447400120002"}[first]
			var a *proofing.Attempt
			begin = cost(w, f, func() {
				var err error
				if _, a, err = w.Begin(t.Context(), visit(c, "b"), "sms", number); err != nil {
					t.Fatal(err)
				}
			})
			w.work()
			code := w.post.last(t, "sms_code").Code
			answer = cost(w, f, func() {
				if _, _, err := w.Answer(t.Context(), visit(c, "b"), a.ID, code); err != nil {
					t.Fatal(err)
				}
			})
		}
		return begin, answer
	}
	begin, answer := measure(false)
	beginOn, answerOn := measure(true)
	if beginOn-begin != 5 || answerOn-answer != 5 {
		t.Errorf("the brake costs %d calls of the store for a message and %d for an answer, want 5 and 5 (%d and %d without it)", beginOn-begin, answerOn-answer, begin, answer)
	}
}
