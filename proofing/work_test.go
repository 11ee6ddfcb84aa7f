package proofing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
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

// unreadable is a back end one record of which is damaged, or every record of a kind.
type unreadable struct {
	store.KV
	id, every string
}

func (u *unreadable) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	item, err := u.KV.Get(ctx, bucket, name, known)
	if u.id != "" && strings.HasSuffix(name, u.id) || u.every != "" && strings.HasPrefix(name, "r/"+u.every+"/") {
		item.Value, item.Version = []byte("damaged"), item.Version^1 // which nobody remembers
	}
	return item, err
}

// TestADamagedRecordHoldsUpNothingBesideIt has two cases in one bucket, of which the one that is due first is damaged.
func TestADamagedRecordHoldsUpNothingBesideIt(t *testing.T) {
	w := newWorld(t)
	u := &unreadable{KV: w.kv}
	w.over(u)
	log := &bytes.Buffer{}
	w.Log = slog.New(slog.NewJSONHandler(log, nil))
	all := map[string]*proofing.Case{}
	var damaged, beside *proofing.Case
	begun := 0
	for ; beside == nil; begun++ {
		w.pass(time.Second)
		c := w.begin("email", begun, "email", "")
		if damaged = all[c.ID[:2]]; damaged != nil {
			beside = c
		}
		all[c.ID[:2]] = c
	}
	u.id = damaged.ID
	for range 3 { // said once, however often it is met
		if _, err := w.WorkOnce(t.Context()); err != nil {
			t.Error(err)
		}
		w.sequenceAll()
		w.pass(time.Minute)
	}
	if n := len(w.post.all("email_code")); n != begun-1 {
		t.Errorf("%d codes went out beside a damaged record, want %d", n, begun-1)
	}
	if c := w.reload(beside); !c.Journal.Logged() || len(c.Outbox.Events) > 0 {
		t.Errorf("what lies beside it is not listed: %+v, %d events", c.Journal, len(c.Outbox.Events))
	}
	if n := strings.Count(log.String(), `"ERROR"`); n != 1 || !strings.Contains(log.String(), damaged.ID) {
		t.Errorf("the damaged record is said %d times, want once:\n%s", n, log)
	}
	w.pass(2 * time.Hour)
	if _, err := w.WorkOnce(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), `"ERROR"`); n != 2 {
		t.Errorf("two hours later it was said %d times, want twice", n)
	}
}

// TestWhatCannotBeReadIsSaidWithinBounds damages hundreds of records.
func TestWhatCannotBeReadIsSaidWithinBounds(t *testing.T) {
	w := newWorld(t)
	u := &unreadable{KV: w.kv}
	w.over(u)
	log := &bytes.Buffer{}
	w.Log = slog.New(slog.NewJSONHandler(log, nil))
	w.openMany("key-", 250)
	u.every = "case"
	for range 3 {
		w.sequenceAll()
		w.pass(time.Minute)
	}
	if n := strings.Count(log.String(), `"ERROR"`); n < 50 || n > 100 {
		t.Errorf("250 damaged records are said in %d lines", n)
	}
	if events := w.told(w.ca); len(events) != 0 {
		t.Errorf("%d events of records that cannot be read", len(events))
	}
	u.every = ""
	w.sequenceAll()
	if events := w.told(w.ca); len(events) != 375 {
		t.Errorf("%d events once they can be read again, want 375", len(events))
	}
}

// TestAFeedThatCannotBeReadHoldsUpNoOtherWebhook damages the feed of an authority.
func TestAFeedThatCannotBeReadHoldsUpNoOtherWebhook(t *testing.T) {
	w := newWorld(t)
	u := &unreadable{KV: w.kv}
	w.over(u)
	w.setHook()
	set(t, w.Service, w.other.Name, "https://other.example/hook")
	want := w.openMany("key-", 3)
	r := request("email")
	if _, _, err := w.Open(t.Context(), w.other, r); err != nil {
		t.Fatal(err)
	}
	w.sequenceAll()
	u.id = w.FeedID(w.other.Name)
	if _, err := w.DeliverOnce(t.Context()); err != nil {
		t.Error(err)
	}
	if n := w.hook.count(); n != want {
		t.Errorf("%d events told beside a damaged feed, want %d", n, want)
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
	case <-time.After(time.Minute):
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

// unanswered is a back end one bucket of which answers nothing, as while a cluster's master is down.
type unanswered struct {
	store.KV
	bucket string
	asked  atomic.Int64
}

func (a *unanswered) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]store.Item, error) {
	if bucket == a.bucket {
		a.asked.Add(1)
		return nil, proofing.ErrUnavailable
	}
	return a.KV.Scan(ctx, bucket, prefix, after, limit)
}

// TestABucketThatIsAwayIsSaidOnce has the worker look at it again and again.
func TestABucketThatIsAwayIsSaidOnce(t *testing.T) {
	w := newWorld(t)
	a := &unanswered{KV: w.kv, bucket: "17"}
	w.over(a)
	log := &bytes.Buffer{}
	w.Log = slog.New(slog.NewJSONHandler(log, nil))
	stop := w.running()
	for began := time.Now(); a.asked.Load() < 10; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Error("the bucket is not looked at")
			break
		}
	}
	stop()
	if n := strings.Count(log.String(), "outbox cannot be read"); n != 1 || !strings.Contains(log.String(), `"buckets":"17"`) {
		t.Errorf("said %d times, want once:\n%s", n, log)
	}
}
