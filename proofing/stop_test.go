package proofing_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// stopped is a store under whose n-th change the program is told to stop: the change is made, and a
// caller that gives up because of that is not told so.
type stopped struct {
	store.KV
	n    int64
	stop context.CancelFunc
	seen atomic.Int64
}

func (s *stopped) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", proofing.ErrUnavailable, err)
	}
	at := s.seen.Add(1) == s.n
	if at {
		s.stop()
	}
	err := s.KV.Apply(context.WithoutCancel(ctx), bucket, ops)
	if at && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", proofing.ErrUnavailable, ctx.Err())
	}
	return err
}

// stopAtEachChange has a process do something and tells it to stop at each change of the store in turn.
func stopAtEachChange(t *testing.T, least int64, do func(t *testing.T, w *world, stopping *proofing.Service, ctx context.Context)) {
	for n := int64(1); ; n++ {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		kv := &stopped{KV: w.kv, n: n, stop: cancel}
		t.Run(fmt.Sprint("change ", n), func(t *testing.T) { do(t, w, w.process(kv), ctx) })
		cancel()
		if kv.seen.Load() < n {
			if n <= least {
				t.Errorf("only %d changes were seen, want %d", n-1, least)
			}
			return
		}
	}
}

func TestWhoStopsLeavesNoClaimOfAMessage(t *testing.T) {
	stopAtEachChange(t, 2, func(t *testing.T, w *world, stopping *proofing.Service, ctx context.Context) {
		c := w.begin("email", 0, "email", "")
		_, _ = stopping.WorkOnce(ctx)
		workOnce(t, w.Service) // another, at once
		if n := len(w.post.all("email_code")); n != 1 {
			t.Errorf("the code went out %d times", n)
		}
		if d := w.reload(c).Attempts[0].Delivery; d.Status != "accepted" {
			t.Errorf("the page learns %+v", d)
		}
	})
}

func TestWhoStopsLeavesNoClaimOfAWebhook(t *testing.T) {
	stopAtEachChange(t, 2, func(t *testing.T, w *world, stopping *proofing.Service, ctx context.Context) {
		w.setHook()
		want := w.openMany("key-", 2)
		w.sequenceAll()
		_, _ = stopping.DeliverOnce(ctx)
		w.pass(2 * time.Second) // the pause after a round of which nothing came
		w.deliverAll()
		if h := w.hookState(); h.Claim != "" || w.hook.count() != want {
			t.Errorf("%d of %d events told, and the hook is %+v", w.hook.count(), want, h)
		}
	})
}

func TestWhoStopsLeavesNoLease(t *testing.T) {
	stopAtEachChange(t, 1, func(t *testing.T, w *world, stopping *proofing.Service, ctx context.Context) {
		t1, t2 := proofing.NewTenure("00lease"), proofing.NewTenure("00lease")
		_, _ = stopping.Hold(ctx, t1)
		stopping.Yield(context.WithoutCancel(ctx), t1)
		if held, err := w.Hold(t.Context(), t2); !held || err != nil {
			t.Errorf("another has to wait for the lease: %v, %v", held, err)
		}
	})
}
