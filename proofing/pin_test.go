package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// shown is a certificate for a key, on a connection of now.
func (w *world) shown(pin string) proofing.ShownCertificate {
	return proofing.ShownCertificate{Pin: pin, NotBefore: w.clock().Add(-time.Hour), NotAfter: w.clock().Add(time.Hour)}
}

func TestPinningMayBreakOffAnywhereAndBeDoneAgain(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	f := &faulty{KV: w.kv}
	w.over(f)
	for n := int64(1); n <= 8; n++ {
		for _, after := range []bool{false, true} {
			pin := proofing.PinOf(fmt.Append(nil, n, after))
			c := proofing.AuthorityCertificate{Pin: pin, Subject: "CN=test"}
			breakOff := func(call func() error) error {
				f.after = after
				f.n = f.calls.Load() + n
				err := call()
				f.n = 0
				return err
			}
			who := func() string {
				a, err := w.AuthorityByCertificate(ctx, w.shown(pin))
				if err != nil && !errors.Is(err, proofing.ErrNotFound) {
					t.Fatal(err)
				}
				if err != nil {
					return ""
				}
				return a.Name
			}
			if err := breakOff(func() error { return w.PinCertificate(ctx, "alpha", c) }); err == nil && who() != "alpha" {
				t.Errorf("call %d: pinned, and not accepted", n)
			}
			if name := who(); name != "" && name != "alpha" {
				t.Errorf("call %d: accepted as %s", n, name)
			}
			for range 2 {
				if err := w.PinCertificate(ctx, "alpha", c); err != nil {
					t.Fatal(err)
				}
			}
			if input, ok := errors.AsType[*proofing.InputError](w.PinCertificate(ctx, "beta", c)); !ok || input.Code != "pinned" || input.Detail != "alpha" || who() != "alpha" {
				t.Errorf("call %d: another's key: %+v", n, input)
			}
			if err := breakOff(func() error { return w.UnpinCertificate(ctx, "alpha", pin) }); err == nil && who() != "" {
				t.Errorf("call %d: taken away, and accepted", n)
			}
			if err := w.UnpinCertificate(ctx, "alpha", pin); err != nil && !errors.Is(err, proofing.ErrNotFound) {
				t.Fatal(err)
			}
			if who() != "" {
				t.Errorf("call %d: accepted after it was taken away", n)
			}
			if err := w.PinCertificate(ctx, "beta", c); err != nil || who() != "beta" {
				t.Errorf("call %d: the key cannot be another's afterwards: %v", n, err)
			}
			if err := w.UnpinCertificate(ctx, "beta", pin); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestACertificateThatIsRefusedLeavesItsKeyFree asks for one too many: at once, and so that another takes the last
// place while the key is being claimed.
func TestACertificateThatIsRefusedLeavesItsKeyFree(t *testing.T) {
	const most = 16
	key := func(n int) proofing.AuthorityCertificate {
		return proofing.AuthorityCertificate{Pin: proofing.PinOf(fmt.Append(nil, "key ", n))}
	}
	for what, there := range map[string]int{"there is no room": most, "another takes the last place": most - 1} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			pin := func(s *proofing.Service, ca string, n int) error { return s.PinCertificate(t.Context(), ca, key(n)) }
			for n := range there {
				if err := pin(w.Service, "alpha", n); err != nil {
					t.Fatal(err)
				}
			}
			late := w.process(&before{KV: w.kv, n: 1, do: func() {
				if err := pin(w.Service, "alpha", there); err != nil {
					t.Error(err)
				}
			}})
			input, ok := errors.AsType[*proofing.InputError](pin(late, "alpha", 99))
			if !ok || input.Code != "too_many" {
				t.Errorf("one too many: %+v", input)
			}
			if who, err := w.PinnedTo(t.Context(), key(99).Pin); !errors.Is(err, proofing.ErrNotFound) {
				t.Errorf("the key is %s's: %v", who, err)
			}
			if err := pin(w.Service, "beta", 99); err != nil {
				t.Errorf("another cannot have it: %v", err)
			}
			if err := pin(w.Service, "alpha", 0); err != nil {
				t.Errorf("one that is there cannot be renewed: %v", err)
			}
		})
	}
}

func TestACertificateHoldsInItsTimeAlone(t *testing.T) {
	w := newWorld(t)
	pin := proofing.PinOf([]byte("a key"))
	if err := w.PinCertificate(t.Context(), "alpha", proofing.AuthorityCertificate{Pin: pin}); err != nil {
		t.Fatal(err)
	}
	now := w.clock()
	for _, tt := range []struct {
		from, until time.Duration
		ok          bool
	}{{-1, 1, true}, {0, 1, true}, {-1, 0, true}, {1, 2, false}, {-2, -1, false}} {
		a, err := w.AuthorityByCertificate(t.Context(), proofing.ShownCertificate{Pin: pin, NotBefore: now.Add(tt.from * time.Millisecond), NotAfter: now.Add(tt.until * time.Millisecond)})
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, proofing.ErrNotFound) || err == nil && a.Name != "alpha" {
			t.Errorf("from %d until %d: %v", tt.from, tt.until, err)
		}
	}
}

func TestAKnownCertificateCostsOneReadOfTheStore(t *testing.T) {
	w := newWorld(t)
	f := &faulty{KV: w.kv}
	w.over(f)
	pin := proofing.PinOf([]byte("a key"))
	if err := w.PinCertificate(t.Context(), "alpha", proofing.AuthorityCertificate{Pin: pin}); err != nil {
		t.Fatal(err)
	}
	reads := func() int64 {
		before := f.calls.Load()
		if _, err := w.AuthorityByCertificate(t.Context(), w.shown(pin)); err != nil {
			t.Fatal(err)
		}
		return f.calls.Load() - before
	}
	if first, second := reads(), reads(); first != 2 || second != 1 {
		t.Errorf("%d reads, and then %d", first, second)
	}
}
