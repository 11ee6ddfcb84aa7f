package main

import (
	"context"
	"time"
)

// storeInterval is the time between two looks at the masters of Redis.
const storeInterval = 10 * time.Second

// watchStore looks now and then whether every master answers, and still keeps what it acknowledges: somebody
// may have changed its settings, or another has taken over that is set otherwise. It says so once each
// time, and until it is mended the process is not ready, as it would not have started. What
// cannot be asked is as it was.
func (a *app) watchStore(ctx context.Context, interval time.Duration) {
	if a.storage.shared == nil {
		return
	}
	for tick := time.NewTicker(interval); ; {
		_, _ = a.storeAnswers(ctx) // the figure and the log have it
		a.checkDurability(ctx)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

func (a *app) checkDurability(ctx context.Context) {
	servers, err := a.storage.shared.Servers(ctx)
	if err != nil {
		return
	}
	why := ""
	for _, s := range servers {
		if s.Err != nil {
			why = s.String()
			break
		}
	}
	a.meters.durable.Set(1)
	if why != "" {
		a.meters.durable.Set(0)
	}
	before := a.forgets.Swap(&why)
	switch {
	case before != nil && *before == why:
	case why != "":
		a.log.Error("the store may forget what it acknowledges", "error", why, "accepted", a.config.Store.Redis.AcceptLessDurable)
	case before != nil:
		a.log.Info("the store keeps what it acknowledges again")
	}
}

// mayForget says whether the store may forget what it acknowledges, and nobody has accepted that.
func (a *app) mayForget() bool {
	why := a.forgets.Load()
	return why != nil && *why != "" && !a.config.Store.Redis.AcceptLessDurable
}
