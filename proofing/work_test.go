package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// sendFunc is a provider of one function.
type sendFunc func(context.Context, proofing.Message) (proofing.Receipt, error)

func (f sendFunc) Send(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
	return f(ctx, m)
}

// begin opens a case for a key and an address of its own, and asks for a code.
func (w *world) begin(profile string, n int, method, address string) *proofing.Case {
	w.t.Helper()
	c := w.openAs(profile, fmt.Sprint("key-", n), fmt.Sprintf("applicant%d@example.org", n))
	c, _, err := w.Begin(w.t.Context(), visit(c, "b"), method, address)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// running starts the worker and returns what stops it and waits for its end.
func (w *world) running() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var worker sync.WaitGroup
	worker.Go(func() { w.Work(ctx) })
	return func() { cancel(); worker.Wait() }
}

// failingTable is a table of addresses whose writes fail while it is told to.
type failingTable struct {
	proofing.Table[proofing.Address]
	fail bool
}

var errPoison = errors.New("planned: this record cannot be written")

func (f *failingTable) Create(ctx context.Context, id string, a *proofing.Address) error {
	if f.fail {
		return errPoison
	}
	return f.Table.Create(ctx, id, a)
}

func TestAnEffectThatFailsHoldsUpNothingElse(t *testing.T) {
	w := newWorld(t)
	addresses := &failingTable{w.Addresses, true}
	w.Addresses = addresses
	c := w.prove(w.open("email"), "b", "email", "")
	if n := len(w.post.all("granted")); n != 1 {
		t.Errorf("%d notices went out beside an effect that fails, want 1", n)
	}
	c = w.reload(c)
	if n := len(c.Outbox.Effects); n != 1 || c.Outbox.Effects[0].Tries == 0 || !c.Outbox.Effects[0].Due.After(w.clock()) {
		t.Errorf("the effect does not wait for its next turn: %+v", c.Outbox.Effects)
	}
	addresses.fail = false
	w.pass(time.Minute)
	w.work()
	if c = w.reload(c); len(c.Outbox.Effects) != 0 {
		t.Errorf("what failed was not done later: %+v", c.Outbox.Effects)
	}
	if _, err := w.People.Get(t.Context(), c.Person); err != nil {
		t.Errorf("the address was not bound: %v", err)
	}
}

// unreadable is a back end one record of which is damaged.
type unreadable struct {
	store.KV
	id string
}

func (u *unreadable) Get(ctx context.Context, bucket, name string) (store.Item, error) {
	item, err := u.KV.Get(ctx, bucket, name)
	if u.id != "" && strings.HasSuffix(name, u.id) {
		item.Value = []byte("damaged")
	}
	return item, err
}

func TestADamagedRecordStopsOnlyWhatLiesBesideIt(t *testing.T) {
	w := newWorld(t)
	u := &unreadable{KV: w.kv}
	w.over(u)
	damaged := w.begin("email", 0, "email", "")
	u.id = damaged.ID
	sent := 0
	for n := 1; n <= 5; n++ {
		if c := w.begin("email", n, "email", ""); c.ID[:2] != damaged.ID[:2] {
			sent++
		}
	}
	if _, err := w.WorkOnce(t.Context()); err == nil {
		t.Error("nobody is told of the damaged record")
	}
	if n := len(w.post.all("email_code")); n < sent {
		t.Errorf("%d codes went out beside a damaged record, want %d", n, sent)
	}
}

func TestAProviderThatHangsHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	texts := make(chan struct{}, 1)
	w.Sender = sendFunc(func(_ context.Context, m proofing.Message) (proofing.Receipt, error) {
		if m.Channel == proofing.ChannelEmail {
			<-release
		} else {
			texts <- struct{}{}
		}
		return proofing.Receipt{}, nil
	})
	for n := range 30 {
		w.begin("client", n, "email", "")
	}
	stop := w.running()
	defer stop()
	defer close(release)
	time.Sleep(20 * time.Millisecond)
	w.begin("client", 99, "sms", "+447400123456")
	select {
	case <-texts:
	case <-time.After(5 * time.Second):
		t.Error("a text message waits behind mails that hang")
	}
}

func TestStoppingLetsASendFinishAndKeepsItsOutcome(t *testing.T) {
	w := newWorld(t)
	began, release := make(chan struct{}), make(chan struct{})
	w.Sender = sendFunc(func(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
		close(began)
		select {
		case <-release:
			return proofing.Receipt{}, nil
		case <-ctx.Done():
			return proofing.Receipt{}, &proofing.SendError{Outcome: proofing.Unknown, Reason: "timeout", Err: ctx.Err()}
		}
	})
	c := w.begin("email", 0, "email", "")
	stop := w.running()
	<-began
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	stop()
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "accepted" {
		t.Errorf("the page learns %+v", d)
	}
}

func TestAMessageIsDueAtATickOfTheClock(t *testing.T) {
	w := newWorld(t)
	w.post.outcomes(proofing.NotSent)
	c := w.begin("email", 0, "email", "")
	w.work()
	if due := w.reload(c).Outbox.Messages[0].Due; due != due.Truncate(time.Millisecond) {
		t.Errorf("due at %v, which the index cannot say: the worker would find it and leave it", due)
	}
}

func TestWhatTimeDidFirstStaysDoneHoweverLateSomebodyLooks(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("email"), "b", "email", "")
	w.pass(30*24*time.Hour - time.Hour) // the grant ends in an hour, a freeze only in a day
	if _, err := w.Disown(t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal())); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Hour)
	early := w.reload(c)
	w.pass(48 * time.Hour)
	if late := w.reload(c); late.Status != early.Status || late.Status != proofing.CaseRevoked {
		t.Errorf("two hours later %s, two days later %s", early.Status, late.Status)
	}
}
