package proofing_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// outcome makes the provider answer the given outcomes in turn and then accept.
func (p *post) outcomes(list ...proofing.Outcome) {
	p.fail = func(proofing.Message) error {
		if len(list) == 0 {
			return nil
		}
		o := list[0]
		list = list[1:]
		if o == "" {
			return nil
		}
		return &proofing.SendError{Outcome: o, Reason: "unreachable", Err: errors.New("planned")}
	}
}

func TestACodeThatDidNotGoOutIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.post.outcomes(proofing.NotSent, proofing.NotSent)
	c := w.open("email")
	if _, _, err := w.Begin(t.Context(), visit(c, "b"), "email", ""); err != nil {
		t.Fatal(err)
	}
	w.work()
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "waiting" || d.Reason != "unreachable" {
		t.Errorf("after one failure: %+v", d)
	}
	for range 3 {
		w.pass(time.Minute)
		w.work()
	}
	if n := len(w.post.all("email_code")); n != 1 {
		t.Errorf("%d codes went out, want 1", n)
	}
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "accepted" {
		t.Errorf("in the end: %+v", d)
	}
}

func TestACodeOfUnknownOutcomeIsNeverSentAgainByItself(t *testing.T) {
	w := newWorld(t)
	w.post.outcomes(proofing.Unknown)
	c := w.open("email")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.work()
		w.pass(10 * time.Minute)
	}
	if n := len(w.post.all("email_code")); n != 0 {
		t.Errorf("it was sent %d times more", n)
	}
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "unknown" {
		t.Errorf("the page learns %+v", d)
	}
	// The person asks for another: the same code, in a message of its own.
	if _, _, err := w.Resend(t.Context(), visit(c, "b"), a.ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	if n := len(w.post.all("email_code")); n != 1 {
		t.Errorf("%d messages after a resend, want 1", n)
	}
}

func TestARefusedCodeTellsThePersonAndCostsNoCoolDown(t *testing.T) {
	w := newWorld(t)
	w.post.outcomes(proofing.Refused)
	c := w.open("email")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "failed" || d.Reason != "unreachable" {
		t.Errorf("the page learns %+v", d)
	}
	if _, _, err := w.Resend(t.Context(), visit(c, "b"), a.ID); err != nil {
		t.Errorf("asking again at once: %v", err)
	}
}

func TestANoticeIsSentUntilItIsAcceptedUnderOneID(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	ids := map[string]int{}
	w.post.fail = func(m proofing.Message) error {
		if ids[m.ID]++; m.Kind == "granted" && ids[m.ID] < 3 {
			return &proofing.SendError{Outcome: proofing.Unknown, Reason: "timeout", Err: errors.New("planned")}
		}
		return nil
	}
	if _, _, err := w.Answer(t.Context(), visit(c, "b"), a.ID, w.post.last(t, "email_code").Code); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.work()
		w.pass(time.Minute)
	}
	if len(ids) != 1 || len(w.post.all("granted")) != 1 {
		t.Errorf("tries by id: %v; accepted: %d", ids, len(w.post.all("granted")))
	}
}

func TestAClaimWhoseSenderDied(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	died := errors.New("killed between claim and receipt")
	w.post.fail = func(proofing.Message) error { panic(died) }
	func() {
		defer func() { _ = recover() }()
		w.WorkMessage(t.Context(), c.ID, 0)
	}()
	w.post.fail = nil
	w.work()
	if n := len(w.post.all("email_code")); n != 0 {
		t.Fatal("a claimed code was taken up by another")
	}
	w.pass(2 * time.Minute)
	w.work()
	if n := len(w.post.all("email_code")); n != 0 {
		t.Error("a claimed code was sent again")
	}
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "unknown" {
		t.Errorf("the page learns %+v", d)
	}
	if _, _, err := w.Resend(t.Context(), visit(c, "b"), a.ID); err != nil {
		t.Fatal(err)
	}
}

func TestManyWorkersSendACodeOnce(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	if _, _, err := w.Begin(t.Context(), visit(c, "b"), "email", ""); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { _, _ = w.WorkOnce(context.WithoutCancel(t.Context())) })
	}
	wg.Wait()
	if n := len(w.post.all("email_code")); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestAnExpiredCodeIsNotSent(t *testing.T) {
	w := newWorld(t)
	w.post.outcomes(proofing.NotSent, proofing.NotSent, proofing.NotSent, proofing.NotSent, proofing.NotSent)
	c := w.open("client")
	if _, _, err := w.Begin(t.Context(), visit(c, "b"), "sms", "+447400123456"); err != nil {
		t.Fatal(err)
	}
	w.work()
	w.pass(11 * time.Minute)
	w.work()
	if n := len(w.post.all("sms_code")); n != 0 {
		t.Errorf("%d expired codes went out", n)
	}
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "failed" {
		t.Errorf("the page learns %+v", d)
	}
}

func TestProvidersWordsOvertakeEachOther(t *testing.T) {
	w := newWorld(t)
	c := w.open("client")
	if _, _, err := w.Begin(t.Context(), visit(c, "b"), "sms", "+447400123456"); err != nil {
		t.Fatal(err)
	}
	w.work()
	id := w.post.last(t, "sms_code").ID
	for _, step := range []struct{ said, shown string }{{"sent", "sent"}, {"accepted", "sent"}, {"delivered", "delivered"}, {"sent", "delivered"}, {"undelivered", "delivered"}} {
		if err := w.Delivered(t.Context(), id, step.said, ""); err != nil {
			t.Fatal(err)
		}
		if d := w.reload(c).Attempts[0].Delivery.Status; d != step.shown {
			t.Errorf("after %q the page shows %q, want %q", step.said, d, step.shown)
		}
	}
	wantErr(t, "a word on no message", w.Delivered(t.Context(), "nonsense", "sent", ""), proofing.ErrNotFound)
}

func TestLimitsOfSending(t *testing.T) {
	begin := func(w *world, n int, phone, client string) error {
		r := request("client")
		r.Applicant.Thumbprint = time.Duration(n).String()
		c, _, err := w.Open(w.t.Context(), w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		v := visit(c, "b")
		v.Client = client
		_, _, err = w.Begin(w.t.Context(), v, "sms", phone)
		return err
	}
	for _, c := range []struct {
		limit  string
		set    func(*world)
		phone  func(n int) string
		client func(n int) string
	}{
		{"address", func(w *world) { w.Policy.Limits.AddressHour = 3 }, func(int) string { return "+447400123456" }, time3},
		{"client", func(w *world) { w.Policy.Limits.ClientHour = 3 }, number, func(int) string { return "192.0.2.1" }},
		{"prefix", func(w *world) { w.Policy.Limits.PrefixHour = 3 }, number, time3},
		{"ca_messages", func(w *world) { w.Policy.Limits.CAMessagesDay = 3 }, number, time3},
		{"ca_spend", func(w *world) {
			w.Policy.Limits.CASpendDayMicros = 150_000
			w.Policy.Price = func(proofing.Contact) int64 { return 50_000 }
		}, number, time3},
	} {
		t.Run(c.limit, func(t *testing.T) {
			w := newWorld(t)
			c.set(w)
			for n := range 3 {
				if err := begin(w, n, c.phone(n), c.client(n)); err != nil {
					t.Fatalf("message %d: %v", n, err)
				}
			}
			for n := range 3 { // a refusal spends nothing, however often it comes
				wantLimit(t, "one more", begin(w, 3+n, c.phone(3), c.client(3)), c.limit)
			}
			w.pass(25 * time.Hour)
			if err := begin(w, 9, c.phone(3), c.client(3)); err != nil {
				t.Errorf("the day after: %v", err)
			}
		})
	}
}

func number(n int) string { return "+4474001234" + string(rune('0'+n)) + "6" }
func time3(n int) string  { return "192.0.2." + string(rune('0'+n)) }

func TestOneAuthoritysBudgetIsNotAnothers(t *testing.T) {
	w := newWorld(t)
	w.Policy.Limits.CAMessagesDay = 1
	c := w.open("email")
	if _, _, err := w.Begin(t.Context(), visit(c, "b"), "email", ""); err != nil {
		t.Fatal(err)
	}
	theirs, _, err := w.Open(t.Context(), w.other, request("email"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Begin(t.Context(), visit(theirs, "b"), "email", ""); err != nil {
		t.Errorf("the other authority: %v", err)
	}
}

func TestNoticesSpeakTheLanguageThatThePersonWorkedIn(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	v := visit(c, "b")
	v.Lang = "de"
	_, a, err := w.Begin(t.Context(), v, "email", "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	if _, _, err := w.Answer(t.Context(), v, a.ID, w.post.last(t, "email_code").Code); err != nil {
		t.Fatal(err)
	}
	w.work()
	if got := w.post.last(t, "granted").Lang; got != "de" {
		t.Errorf("the notice is in %q, want de", got)
	}
}

// TestAnOutcomeWaitsForAStoreThatIsAway fails the store while a message is with its provider.
func TestAnOutcomeWaitsForAStoreThatIsAway(t *testing.T) {
	w := newWorld(t)
	down := &downKV{KV: w.kv}
	w.over(down)
	c := w.begin("email", 0, "email", "")
	sent := 0
	w.Sender = sendFunc(func(context.Context, proofing.Message) (proofing.Receipt, error) {
		sent++
		down.away.Store(true)
		time.AfterFunc(300*time.Millisecond, func() { down.away.Store(false) })
		return proofing.Receipt{}, nil
	})
	_, _ = w.WorkOnce(t.Context()) // what else is due may find the store away
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "accepted" || sent != 1 {
		t.Errorf("sent %d times, and the page learns %+v", sent, d)
	}
}

// losing makes one change and loses its answer.
type losing struct {
	store.KV
	lose atomic.Bool
}

func (l *losing) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	err := l.KV.Apply(ctx, bucket, ops)
	if l.lose.CompareAndSwap(true, false) {
		return errFault
	}
	return err
}

func TestAClaimWhoseAnswerWasLostIsKnownAgain(t *testing.T) {
	w := newWorld(t)
	l := &losing{KV: w.kv}
	w.over(l)
	c := w.begin("email", 0, "email", "")
	l.lose.Store(true)
	workOnce(t, w.Service)
	if n := len(w.post.all("email_code")); n != 1 {
		t.Errorf("%d codes went out, want 1: the claim was stored and nobody knew", n)
	}
	if m := w.reload(c).Outbox.Messages; len(m) != 0 {
		t.Errorf("the code is still owed: %+v", m)
	}
}

// lagging makes changes, shows them, and says that its replicas lack them, while those are away.
type lagging struct {
	store.KV
	away atomic.Bool
}

func (l *lagging) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if err := l.KV.Apply(ctx, bucket, ops); err != nil || !l.away.Load() {
		return err
	}
	return errFault
}

func (l *lagging) Confirm(ctx context.Context, bucket, name string, version uint64) error {
	if l.away.Load() {
		return errFault
	}
	return l.KV.Confirm(ctx, bucket, name, version)
}

// TestNoCodeGoesOutByAClaimThatReplicasLack: an heir of the store would not know the claim, and send the code again.
func TestNoCodeGoesOutByAClaimThatReplicasLack(t *testing.T) {
	w := newWorld(t)
	l := &lagging{KV: w.kv}
	w.over(l)
	w.begin("email", 0, "email", "")
	sent := 0
	w.Sender = sendFunc(func(context.Context, proofing.Message) (proofing.Receipt, error) {
		if sent++; l.away.Load() {
			t.Error("the code goes out while the claim may be lost")
		}
		return proofing.Receipt{}, nil
	})
	l.away.Store(true)
	back := time.AfterFunc(300*time.Millisecond, func() { l.away.Store(false) })
	defer back.Stop()
	workOnce(t, w.Service)
	if sent != 1 {
		t.Errorf("the code went out %d times", sent)
	}
}

func TestAReceiptWhoseAnswerWasLostSettlesOnce(t *testing.T) {
	w := newWorld(t)
	l := &losing{KV: w.kv}
	w.over(l)
	c := w.begin("email", 0, "email", "")
	w.Sender = sendFunc(func(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
		l.lose.Store(true)
		return proofing.Receipt{}, &proofing.SendError{Outcome: proofing.NotSent, Reason: "unreachable", Err: errors.New("planned")}
	})
	workOnce(t, w.Service)
	if m := w.reload(c).Outbox.Messages; len(m) != 1 || m[0].State != proofing.MessagePending || m[0].Sends != 1 {
		t.Errorf("the code waits as %+v", m)
	}
}
