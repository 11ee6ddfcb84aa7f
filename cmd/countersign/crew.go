package main

import (
	"context"
	"sync"
)

// crew is who works in the background for one configuration: off the outbox, at the events, at
// the webhooks.
type crew struct {
	app      *app
	dismiss  context.CancelFunc
	lists    sync.WaitGroup // events
	delivers sync.WaitGroup // messages and webhooks
}

func (a *app) newCrew(ctx context.Context) *crew {
	ctx, dismiss := context.WithCancel(ctx)
	c := &crew{app: a, dismiss: dismiss}
	c.lists.Go(func() { a.service.Sequence(ctx) })
	c.delivers.Go(func() { a.service.Work(ctx) })
	c.delivers.Go(func() { a.service.Deliver(ctx) })
	if a.mds != nil {
		c.lists.Go(func() {
			a.mds.Run(ctx, func(err error) { a.log.WarnContext(ctx, "metadata of authenticators not renewed", "error", err) })
		})
	}
	return c
}

// relieve puts a crew for the next configuration in this one's place, which finishes what it has in
// hand, by the providers that it knows. Two may send at once, since they claim what they send, but
// of those who list events there is one.
func (c *crew) relieve(next *app, ctx context.Context, background *sync.WaitGroup) *crew {
	c.dismiss()
	c.lists.Wait()
	background.Go(func() {
		c.delivers.Wait()
		if err := c.app.router.Close(); err != nil {
			c.app.log.Warn("message providers of the configuration before not closed", "error", err)
		}
	})
	return next.newCrew(ctx)
}

func (c *crew) wait() {
	c.dismiss()
	c.lists.Wait()
	c.delivers.Wait()
}
