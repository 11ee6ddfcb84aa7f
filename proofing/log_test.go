package proofing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// log is every entry of the log, from the first on. It holds what must be so of any log.
func (w *world) log() (all []proofing.Entry) {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	numbers := map[string]int64{}
	var before *proofing.LogPage
	for n := int64(1); ; n++ {
		p, err := w.LogPage(ctx, n)
		if errors.Is(err, proofing.ErrNotFound) {
			break
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if p.Number != n || p.First != int64(len(all)) || len(p.Entries) == 0 || before != nil && p.At.Before(before.At) {
			w.t.Errorf("page %d: number %d from %d on, at %s, with %d entries", n, p.Number, p.First, p.At, len(p.Entries))
		}
		for i, e := range p.Entries {
			if numbers[e.Object]++; e.Number != numbers[e.Object] {
				w.t.Errorf("entry %d is number %d of %s, want %d", p.First+int64(i), e.Number, e.Object, numbers[e.Object])
			}
			leaf, err := e.Said()
			if err != nil || leaf.Object != e.Object || leaf.Number != e.Number || leaf.Type != proofing.LeafType {
				w.t.Errorf("entry %d: %s, %v", p.First+int64(i), e.Leaf, err)
			}
			journal, err := w.Service.Journal(ctx, leaf.Of, e.Object)
			if err == nil && (int64(len(journal.Places)) < e.Number || journal.Places[e.Number-1] != p.First+int64(i)) {
				w.t.Errorf("entry %d of %s is at %d of the log, and its record says %v", e.Number, e.Object, p.First+int64(i), journal.Places)
			}
			if leaf.Commitment != "" && len(e.Private) > 0 && !e.Opens() {
				w.t.Errorf("entry %d does not open", p.First+int64(i))
			}
		}
		all, before = append(all, p.Entries...), p
	}
	h, err := w.LogHead(ctx)
	if err != nil || h.Size != int64(len(all)) {
		w.t.Errorf("the head counts %d of %d entries, %v", h.Size, len(all), err)
	}
	return all
}

// kinds are the kinds of an object's entries, with who wrote them.
func (w *world) kinds(object string) (kinds []string) {
	w.t.Helper()
	for _, e := range w.log() {
		if leaf, err := e.Said(); err == nil && e.Object == object {
			kinds = append(kinds, string(leaf.Kind)+" "+leaf.By.Kind)
		}
	}
	return kinds
}

func TestTheLogTellsEverythingOfACase(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("email"), "b", "email", "")
	_, _ = w.Disown(t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal()))
	_, _ = w.Restore(t.Context(), c.ID)
	_, _ = w.Revoke(t.Context(), c.ID, "operator")
	w.sequenceAll()
	want := []string{
		"opened ca", "evidence person", "status person", "authenticator_bound service", "frozen person", "restored operator", "status operator",
	}
	if got := w.kinds(c.ID); !slices.Equal(got, want) {
		t.Errorf("the log tells %q, want %q", got, want)
	}
	for _, e := range w.log() {
		for _, secret := range []string{"applicant@example.org", "192.0.2.7", "ca.example/acct"} {
			if strings.Contains(e.Leaf, secret) {
				t.Errorf("a leaf says %s to everybody: %s", secret, e.Leaf)
			}
		}
	}
	if all := w.log(); !strings.Contains(string(all[0].Private), "applicant@example.org") || !strings.Contains(string(all[1].Private), "192.0.2.7") {
		t.Errorf("private parts: %s, %s", all[0].Private, all[1].Private)
	}
	if c := w.reload(c); !c.Journal.Logged() || c.Journal.Written != 7 {
		t.Errorf("the case's journal: %+v", c.Journal)
	}
	events := w.told(w.ca)
	checkOrder(t, events)
	if len(events) != 6 {
		t.Errorf("told %q", changes(events))
	}
}

// TestTheLogTellsWhatDoesNotSucceed: an attempt whose tries are spent, a grant that gives way, a case that time ends, and what the operator and a CA do.
func TestTheLogTellsWhatDoesNotSucceed(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	for range 20 {
		_, _, _ = w.Answer(t.Context(), visit(c, "b"), a.ID, "00000000")
	}
	w.sequenceAll()
	if got := w.kinds(c.ID); !slices.Equal(got, []string{"opened ca", "failed person"}) {
		t.Errorf("wrong answers: %q", got)
	}
	w.pass(8 * 24 * time.Hour)
	w.work()
	w.sequenceAll()
	if got := w.kinds(c.ID); len(got) != 3 || got[2] != "status service" {
		t.Errorf("time has ended it: %q", got)
	}
	if c, err := w.Cases.Get(t.Context(), c.ID); err != nil || !c.Journal.Logged() || c.ExpiresAt().IsZero() {
		t.Errorf("a record that has said everything may go: %+v, %v", c, err)
	}
	other := w.openAs("email", "second", "two@example.org")
	if _, err := w.Deactivate(t.Context(), w.ca, other.ID); err != nil {
		t.Fatal(err)
	}
	if c, err := w.Cases.Get(t.Context(), other.ID); err != nil || !c.ExpiresAt().IsZero() {
		t.Errorf("a record goes that has something to say: %v", err)
	}
	w.sequenceAll()
	if got := w.kinds(other.ID); !slices.Equal(got, []string{"opened ca", "status ca"}) {
		t.Errorf("a CA has withdrawn it: %q", got)
	}
	e, _, err := w.LogEntry(t.Context(), int64(len(w.log()))-1)
	if err != nil || !strings.Contains(e.Leaf, `"by":{"id":"alpha","kind":"ca"}`) || !strings.Contains(e.Leaf, `"facts":{"from":"open","reason":"deactivated","to":"withdrawn"}`) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestManySequencersEnterEachEntryOnce(t *testing.T) {
	w := newWorld(t)
	other := w.process(w.kv)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var hands sync.WaitGroup
	for _, s := range []*proofing.Service{w.Service, other, w.process(w.kv)} {
		hands.Go(func() { // without the lease: nothing rests on it
			for ctx.Err() == nil {
				_ = s.SequenceOnce(ctx)
			}
		})
	}
	const cases = 40
	var writers sync.WaitGroup
	for n := range 2 {
		s := []*proofing.Service{w.Service, other}[n]
		writers.Go(func() {
			for i := range cases / 2 {
				r := request("email")
				r.Applicant.Thumbprint = fmt.Sprint("key-", n, "-", i)
				c, _, err := s.Open(ctx, w.ca, r)
				if err != nil {
					t.Error(err)
					continue
				}
				if _, err := s.Revoke(ctx, c.ID, "operator"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	cancel()
	hands.Wait()
	w.sequenceAll()
	if got := len(w.log()); got != 2*cases {
		t.Errorf("%d entries of %d cases", got, cases)
	}
	if last := checkOrder(t, w.told(w.ca)); len(last) != cases {
		t.Errorf("%d of %d cases are told of", len(last), cases)
	}
}

// TestAPausedSequencerFindsThatItWasOvertaken stops one between what it has read and the page that it makes of it.
func TestAPausedSequencerFindsThatItWasOvertaken(t *testing.T) {
	w := newWorld(t)
	w.open("email")
	w.sequenceAll()
	paused := &pausedKV{KV: w.kv, at: "r/log_page/", reached: make(chan bool), on: make(chan bool)}
	slow := w.process(paused)
	w.openMany("key-", 3)
	done := make(chan error)
	go func() { done <- slow.SequenceOnce(context.WithoutCancel(t.Context())) }()
	<-paused.reached
	w.sequenceAll()
	w.openMany("later-", 2)
	w.sequenceAll()
	close(paused.on)
	if err := <-done; err == nil {
		t.Error("it made a page that was there")
	}
	w.sequenceAll()
	if got := len(w.log()); got != 1+5+3 {
		t.Errorf("%d entries", got)
	}
}

// pausedKV stops before the first creation of a record whose name begins so.
type pausedKV struct {
	store.KV
	at      string
	once    sync.Once
	reached chan bool
	on      chan bool
}

func (p *pausedKV) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if strings.HasPrefix(ops[0].Name, p.at) && ops[0].If == store.Absent {
		p.once.Do(func() { p.reached <- true; <-p.on })
	}
	return p.KV.Apply(ctx, bucket, ops)
}

// TestASequencerMayDieBetweenThePagesOfTheLog fails the n-th call of the store while entries and events are listed, for every n, in both ways, dying or not; what
// comes after finishes it.
func TestASequencerMayDieBetweenThePagesOfTheLog(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct{ after, dies bool }{{false, false}, {true, false}, {true, true}} {
		n := int64(1)
		for reached := true; reached; n++ {
			w := newWorld(t)
			f := &faulty{KV: w.kv, after: mode.after, dies: mode.dies, n: -1}
			doomed := w.process(f)
			w.prove(w.open("email"), "b", "email", "")
			w.openMany("key-", 2)
			f.calls.Store(0)
			f.n = n
			_ = doomed.SequenceOnce(t.Context())
			_ = doomed.SequenceOnce(t.Context())
			reached = f.calls.Load() >= n
			w.openMany("later-", 1)
			w.sequenceAll()
			if got := len(w.log()); got != 4+3+2 {
				t.Errorf("call %d, %+v: %d entries", n, mode, got)
			}
			if last := checkOrder(t, w.told(w.ca)); len(last) != 4 {
				t.Errorf("call %d, %+v: told of %d cases", n, mode, len(last))
			}
			w.kv.Close()
		}
		if n < 20 {
			t.Errorf("only %d calls were made to fail", n-1)
		}
	}
}

func TestTheTimesOfPagesDoNotGoBack(t *testing.T) {
	w := newWorld(t)
	w.open("email")
	w.sequenceAll()
	w.pass(-3 * time.Hour)
	w.openMany("key-", 1)
	w.sequenceAll()
	w.pass(time.Hour)
	w.process(w.kv) // and one that begins
	w.openMany("later-", 1)
	w.sequenceAll()
	if got := len(w.log()); got != 1+2+2 {
		t.Errorf("%d entries", got)
	}
}

func TestPagesTakeWhatTheirRecordHolds(t *testing.T) {
	w := newWorld(t)
	all := int64(w.openMany("key-", 150)) // each of an object of its own, by which its private part is found
	w.sequenceAll()
	if got := len(w.log()); int64(got) != all {
		t.Errorf("%d entries", got)
	}
	for place := range all {
		e, p, err := w.LogEntry(t.Context(), place)
		if err != nil || p.Entries[place-p.First].Object != e.Object {
			t.Fatalf("entry %d: %v", place, err)
		}
	}
	for _, place := range []int64{-1, all} {
		if _, _, err := w.LogEntry(t.Context(), place); !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("entry %d: %v", place, err)
		}
	}
}

// refusal is a recorder that does not let the log go on.
type refusal struct{ err error }

func (r refusal) Admit(context.Context) error  { return r.err }
func (r refusal) Record(context.Context) error { return nil }

func TestAnEVGrantHoldsOnceItIsInTheLog(t *testing.T) {
	w := newWorld(t)
	w.Policy.Profiles["ev"].Approvals = 0
	c := w.prove(w.open("ev"), "b", "email", "")
	if _, err := w.Authorize(t.Context(), w.ca, w.question(c)); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("a grant that the log does not tell: %v, want unavailable", err)
	}
	if _, err := w.Statement(t.Context(), w.ca, c.ID); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("its statement: %v, want unavailable", err)
	}
	// Whoever asks waits for a moment, and on a slow machine comes again.
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var hands sync.WaitGroup
	hands.Go(func() { w.Sequence(ctx) })
	began := time.Now()
	v, err := w.Authorize(t.Context(), w.ca, w.question(c))
	for errors.Is(err, proofing.ErrUnavailable) && time.Since(began) < time.Minute {
		v, err = w.Authorize(t.Context(), w.ca, w.question(c))
	}
	if err != nil || !v.Allow {
		t.Errorf("while somebody sequences: %+v, %v after %s", v, err, time.Since(began))
	}
	stop()
	hands.Wait()
	// An operator has put an old store back: nothing is entered, and the feeds go on.
	w.Recorder = refusal{errors.New("older than what was shown")}
	w.pass(time.Minute)
	_, _ = w.Revoke(t.Context(), c.ID, "operator")
	again := w.prove(w.openAs("ev", "second", "two@example.org"), "b", "email", "")
	if err := w.SequenceOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "older than what was shown") {
		t.Errorf("the sequencer went on: %v", err)
	}
	if err := w.SequenceOnce(t.Context()); err == nil {
		t.Error("the sequencer went on")
	}
	if _, err := w.Authorize(t.Context(), w.ca, w.question(again)); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("a grant that will not be in the log: %v", err)
	}
	if last := checkOrder(t, w.told(w.ca)); last[c.ID].Status != proofing.CaseRevoked || last[again.ID].Status != proofing.CaseGranted {
		t.Errorf("the feed did not go on: %+v", last)
	}
}

func (w *world) question(c *proofing.Case) proofing.AuthorizeRequest {
	return proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: c.Profile}
}

// TestTheLogTellsOfAPasskeyFromItsEnrolmentOn enrols one, removes it, and looks at what its record and the log say.
func TestTheLogTellsOfAPasskeyFromItsEnrolmentOn(t *testing.T) {
	w := withPasskeys(t)
	session := w.signUp(webauthntest.New())
	second := webauthntest.New()
	must[*proofing.Case](t)(w.enrol(ownVisit(session), second))
	w.work()
	s := w.session(session)
	added := s.Person.Bindings[len(s.Person.Bindings)-1]
	if added.Contact.Channel != proofing.ChannelPasskey {
		t.Fatalf("%+v", s.Person.Bindings)
	}
	if err := w.Remove(t.Context(), ownVisit(session), added.ID); err != nil { // before anything is in the log
		t.Fatal(err)
	}
	w.sequenceAll()
	if got := w.kinds(added.ID); !slices.Equal(got, []string{"enrolled person", "removed person"}) {
		t.Errorf("the log tells %q of the passkey", got)
	}
	a, err := w.Addresses.Get(t.Context(), added.ID)
	if err != nil || a.Person != "" || a.Kept != nil || a.Contact.Address != "" || !a.Journal.Logged() {
		t.Errorf("what is left of it: %+v, %v", a, err)
	}
	for _, e := range w.log() {
		leaf, err := e.Said()
		if err != nil || e.Object != added.ID || leaf.Kind != proofing.EntryEnrolled {
			continue
		}
		for _, fact := range []string{"credential_id", "public_key_sha256", "rp_id", "event", "case"} {
			if leaf.Facts[fact] == nil || leaf.Facts[fact] == "" {
				t.Errorf("the enrolment does not say %s: %s", fact, e.Leaf)
			}
		}
		if leaf.By.ID != s.Person.ID || leaf.By.Session != session.ID || leaf.Facts["person"] != s.Person.ID {
			t.Errorf("enrolled by %+v: %s", leaf.By, e.Leaf)
		}
	}
	kinds := w.kinds(session.ID)
	for _, want := range []string{"evidence person", "signed_in person", "authenticator_bound service", "authenticator_removed person"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("the session tells %q, and not %q", kinds, want)
		}
	}
	if err := w.SignOut(t.Context(), ownVisit(session)); err != nil {
		t.Fatal(err)
	}
	w.sequenceAll()
	if kinds = w.kinds(session.ID); kinds[len(kinds)-1] != "signed_out person" {
		t.Errorf("the session ends with %q", kinds)
	}
	// Another one enrols under a number of its own.
	if _, err := w.use(ownVisit(w.openOwn()), second); err == nil {
		t.Error("a passkey that was removed signs somebody in")
	}
}

// TestALeafIsWhatWasWritten guards the one form of a leaf, which is what is hashed.
func TestALeafIsWhatWasWritten(t *testing.T) {
	w := newWorld(t)
	w.open("email")
	w.sequenceAll()
	e := w.log()[0]
	canonical, err := proofing.Canonicalize([]byte(e.Leaf))
	if err != nil || string(canonical) != e.Leaf {
		t.Errorf("not canonical: %s", e.Leaf)
	}
	var leaf map[string]any
	if err := json.Unmarshal([]byte(e.Leaf), &leaf); err != nil || leaf["at"] != "2026-11-23T10:00:00Z" || leaf["of"] != "case" {
		t.Errorf("%v", leaf)
	}
}

// BenchmarkAnEntryOnItsChange is what an entry costs the change of status that it rides on, on the embedded store: "%-more" than the same change
// without it. The two take turns, so that what else the machine does falls on both.
func BenchmarkAnEntryOnItsChange(b *testing.B) {
	b.Run("embedded", func(b *testing.B) {
		anEntryOnItsChange(b, func(now func() time.Time) (store.KV, error) {
			return store.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "b.db"), store.Options{Now: now})
		})
	})
	b.Run("redis", func(b *testing.B) {
		anEntryOnItsChange(b, func(func() time.Time) (store.KV, error) {
			return store.OpenRedis(b.Context(), store.RedisOptions{Addresses: []string{redistest.Start(b, redistest.Durable()...).Addr}})
		})
	})
}

func anEntryOnItsChange(b *testing.B, open func(now func() time.Time) (store.KV, error)) {
	w := newWorld(b)
	kv, err := open(w.clock)
	if err != nil {
		b.Fatal(err)
	}
	defer kv.Close()
	w.over(kv)
	var spent [2]time.Duration
	cases := [2]*proofing.Case{w.openAs("email", "without", "one@example.org"), w.openAs("email", "with", "two@example.org")}
	for b.Loop() {
		w.pass(time.Second)
		for n, c := range cases {
			if _, err := w.Cases.Update(b.Context(), c.ID, func(c *proofing.Case) error { c.Journal.Pending = nil; return nil }); err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			_, err := w.Cases.Update(b.Context(), c.ID, func(c *proofing.Case) error {
				c.Changed = w.clock()
				if n == 1 {
					c.Journal.Write(proofing.Note{
						Of: proofing.SubjectCase, Object: c.ID, Kind: proofing.EntryStatus, By: proofing.Actor{Kind: "person", ID: "07person"}, At: w.clock(),
						Facts: map[string]any{"from": "open", "to": "granted"}, Private: map[string]any{"client": "192.0.2.7"}, Persons: []string{"07person"},
					})
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			spent[n] += time.Since(began)
		}
	}
	b.ReportMetric(float64(spent[0].Microseconds())/float64(b.N), "µs-without")
	b.ReportMetric(float64(spent[1].Microseconds())/float64(b.N), "µs-with")
	b.ReportMetric(100*(float64(spent[1])/float64(spent[0])-1), "%-more")
}

// BenchmarkTheSequencerKeepsUp is how many changes with an event and an entry each are listed in a second, and how many are written by as many
// writers as help.
func BenchmarkTheSequencerKeepsUp(b *testing.B) {
	w := newWorld(b)
	ctx := context.WithoutCancel(b.Context())
	const writers = 32
	var writing, listing time.Duration
	changes := 0
	for b.Loop() {
		changes++
		const each = 16
		began := time.Now()
		var hands sync.WaitGroup
		for n := range writers {
			hands.Go(func() {
				for i := range each {
					r := request("email")
					r.Applicant.Thumbprint = fmt.Sprint("key-", changes, "-", n, "-", i)
					if _, _, err := w.Open(ctx, w.ca, r); err != nil {
						b.Error(err)
					}
				}
			})
		}
		hands.Wait()
		writing += time.Since(began)
		began = time.Now()
		if err := w.SequenceOnce(ctx); err != nil {
			b.Fatal(err)
		}
		listing += time.Since(began)
	}
	total := float64(changes * writers * 16)
	b.ReportMetric(total/writing.Seconds(), "written/s")
	b.ReportMetric(total/listing.Seconds(), "listed/s")
}
