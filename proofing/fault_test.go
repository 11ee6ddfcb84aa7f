package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// faulty fails the n-th call of a back end: before it does anything, or after
// it has done everything, which its caller cannot tell apart.
type faulty struct {
	store.KV
	calls atomic.Int64
	n     int64
	after bool
	// dies has every later call fail too, with what nobody tries again.
	dies bool
	// A listing scans every bucket: its scans in a row count as one call.
	listing atomic.Bool
}

func (f *faulty) fails(scan bool) bool {
	if f.listing.Swap(scan) && scan {
		return false
	}
	calls := f.calls.Add(1)
	return calls == f.n || f.dies && calls > f.n
}

var errFault = fmt.Errorf("planned fault: %w", proofing.ErrUnavailable)

func (f *faulty) fault() error {
	if f.dies {
		return errors.New("planned death")
	}
	return errFault
}

func (f *faulty) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	if f.fails(false) {
		return store.Item{}, f.fault()
	}
	return f.KV.Get(ctx, bucket, name, known)
}

func (f *faulty) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]store.Item, error) {
	if f.fails(true) {
		return nil, f.fault()
	}
	return f.KV.Scan(ctx, bucket, prefix, after, limit)
}

func (f *faulty) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if f.fails(false) {
		if f.after && f.calls.Load() == f.n {
			_ = f.KV.Apply(ctx, bucket, ops)
		}
		return f.fault()
	}
	return f.KV.Apply(ctx, bucket, ops)
}

func (f *faulty) Confirm(ctx context.Context, bucket, name string, version uint64) error {
	if f.fails(false) {
		return f.fault()
	}
	return f.KV.Confirm(ctx, bucket, name, version)
}

func (f *faulty) Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (int64, time.Time, error) {
	if f.fails(false) {
		if f.after && f.calls.Load() == f.n {
			_, _, _ = f.KV.Add(ctx, bucket, name, delta, ttl)
		}
		return 0, time.Time{}, f.fault()
	}
	return f.KV.Add(ctx, bucket, name, delta, ttl)
}

// strive does what a CA and a person do who want a grant: whatever fails, they
// look again and go on from what they see. It returns the case, granted, or gives up
// after so many rounds.
func (w *world) strive(r proofing.OpenRequest, rounds int) (c *proofing.Case, err error) {
	ctx := w.t.Context()
	for range rounds {
		w.pass(2 * time.Minute)
		if _, err = w.WorkOnce(ctx); err != nil {
			continue
		}
		if c, _, err = w.Open(ctx, w.ca, r); err != nil {
			continue
		}
		if c.Status == proofing.CaseGranted {
			if _, err = w.Statement(ctx, w.ca, c.ID); err == nil {
				return c, nil
			}
			continue
		}
		for _, method := range []string{"email", "sms"} {
			if done(c, method) {
				continue
			}
			if c.Current(method) == nil || c.Current(method).Delivery.Status != "accepted" {
				_, _, err = w.Begin(ctx, visit(c, "b"), method, "+447400123456")
				break
			}
			code := w.codeFor(c, c.Current(method))
			if _, _, err = w.Answer(ctx, visit(c, "b"), c.Current(method).ID, code); err != nil {
				break
			}
			if _, _, again := w.Answer(ctx, visit(c, "b"), c.Current(method).ID, code); again == nil {
				w.t.Error("a code worked twice")
			}
		}
	}
	return c, fmt.Errorf("no grant after %d rounds; last: %w", rounds, err)
}

func done(c *proofing.Case, method string) bool {
	for _, e := range c.Evidence {
		if e.Method() == method {
			return true
		}
	}
	return false
}

// codeFor is the newest code that was sent for an attempt.
func (w *world) codeFor(c *proofing.Case, a *proofing.Attempt) proofing.Secret {
	var code proofing.Secret = "none"
	for _, m := range w.post.all(a.Method + "_code") {
		if strings.HasPrefix(m.ID, c.ID+".") {
			code = m.Code
		}
	}
	return code
}

// TestEveryStoreCallMayFail fails the n-th call of the store, for every n, in
// both ways, over the whole of the main job, and then lets everybody try again.
func TestEveryStoreCallMayFail(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		failed := 0
		for n := int64(1); ; n++ {
			w := newWorld(t)
			kv, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "f.db"), store.Options{Now: w.clock})
			if err != nil {
				t.Fatal(err)
			}
			f := &faulty{KV: kv, after: after}
			w.over(f)
			f.calls.Store(0)
			f.n = n
			c, err := w.strive(request("client"), 20)
			reached := f.calls.Load() >= n
			f.n = -1 // everything works from here on
			if err != nil {
				t.Errorf("call %d, after %v: %v", n, after, err)
			} else {
				w.checkGranted(c, fmt.Sprintf("call %d, after %v", n, after))
			}
			kv.Close()
			if !reached {
				break
			}
			failed++
		}
		if failed < 50 {
			t.Errorf("only %d calls were made to fail: the flow is not what it was", failed)
		}
	}
}

// checkGranted holds what must be so whatever went wrong on the way.
func (w *world) checkGranted(c *proofing.Case, when string) {
	w.t.Helper()
	w.pass(2 * time.Minute) // a notice whose sender died is taken up again
	w.work()
	seen := map[string]bool{}
	for _, e := range c.Evidence {
		if seen[e.ID] {
			w.t.Errorf("%s: event %s twice", when, e.ID)
		}
		seen[e.ID] = true
	}
	sent := map[string]bool{}
	for _, kind := range []string{"email_code", "sms_code"} {
		for _, m := range w.post.all(kind) {
			if sent[m.ID] {
				w.t.Errorf("%s: a code message was sent twice", when)
			}
			sent[m.ID] = true
		}
	}
	granted := map[string]bool{}
	for _, m := range w.post.all("granted") {
		granted[m.ID] = true
	}
	if len(granted) != 1 {
		w.t.Errorf("%s: notices under %d ids, want 1", when, len(granted))
	}
	p, err := w.People.Get(w.t.Context(), c.Person)
	if err != nil || len(p.Bindings) != 2 {
		w.t.Errorf("%s: the person: %+v, %v", when, p, err)
	}
	v, err := w.Authorize(w.t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: c.Profile})
	if err != nil || !v.Allow {
		w.t.Errorf("%s: authorize: %+v, %v", when, v, err)
	}
}

// TestAStoreThatIsDownGrantsNothing closes the store at each step.
func TestAStoreThatIsDownGrantsNothing(t *testing.T) {
	w := newWorld(t)
	kv, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "f.db"), store.Options{Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	w.over(kv)
	c := w.open("client")
	kv.Close()
	ctx := t.Context()
	ask := proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: c.Profile}
	calls := map[string]func() error{
		"open":      func() error { _, _, err := w.Open(ctx, w.ca, request("client")); return err },
		"get":       func() error { _, err := w.Service.Get(ctx, w.ca, c.ID); return err },
		"begin":     func() error { _, _, err := w.Begin(ctx, visit(c, "b"), "email", ""); return err },
		"answer":    func() error { _, _, err := w.Answer(ctx, visit(c, "b"), "x", "00000000"); return err },
		"disown":    func() error { _, err := w.Disown(ctx, proofing.Secret(c.ID+"."+c.Disown.Reveal())); return err },
		"authorize": func() error { v, err := w.Authorize(ctx, w.ca, ask); _ = v.Allow; return err },
		"statement": func() error { _, err := w.Statement(ctx, w.ca, c.ID); return err },
		"work":      func() error { _, err := w.WorkOnce(ctx); return err },
		"certificate": func() error {
			_, err := w.AuthorityByCertificate(ctx, w.shown(proofing.PinOf(nil)))
			return err
		},
		"token": func() error { _, err := w.AuthorityByToken(ctx, "csca.alpha.x.y"); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, proofing.ErrUnavailable) {
			t.Errorf("%s with the store down: %v, want unavailable", name, err)
		}
	}
}

// downKV is a back end that answers nothing while it is away.
type downKV struct {
	store.KV
	away atomic.Bool
}

func (d *downKV) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	if d.away.Load() {
		return store.Item{}, errFault
	}
	return d.KV.Get(ctx, bucket, name, known)
}

func (d *downKV) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if d.away.Load() {
		return errFault
	}
	return d.KV.Apply(ctx, bucket, ops)
}
