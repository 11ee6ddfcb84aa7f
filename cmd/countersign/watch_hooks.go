package main

import (
	"context"
	"errors"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// hooksInterval is the time between two counts of webhooks.
const hooksInterval = time.Minute

// watchHooks counts now and then how the webhooks of CAs are. The times of calls cannot tell: of one that takes
// nothing there are few beside those of all others, and of one that is not called at all there are none.
func (a *app) watchHooks(ctx context.Context, interval time.Duration) {
	for tick := time.NewTicker(interval); ; {
		if err := a.countHooks(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "webhooks cannot be counted", "error", err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

func (a *app) countHooks(ctx context.Context) error {
	counts := map[proofing.HookState]int{proofing.HookWell: 0, proofing.HookOff: 0, proofing.HookFailing: 0, proofing.HookStopped: 0}
	for after := ""; ; {
		cas, next, err := a.service.Authorities.List(ctx, proofing.Query{Index: "all", Below: "~", After: after, Limit: 100})
		if err != nil {
			return err
		}
		for _, ca := range cas {
			if ca.Webhook == nil || !ca.Revoked.IsZero() {
				continue
			}
			f, err := a.service.Feeds.Get(ctx, a.service.FeedID(ca.Name))
			if errors.Is(err, proofing.ErrNotFound) { // nothing was ever told
				f, err = &proofing.Feed{}, nil
			}
			if err != nil {
				return err
			}
			state, _ := f.Hook.State(ca.Webhook)
			counts[state]++
		}
		if after = next; after == "" {
			break
		}
	}
	for state, n := range counts {
		a.meters.hooks.WithLabelValues(string(state)).Set(float64(n))
	}
	return nil
}
