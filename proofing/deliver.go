package proofing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	hookRound   = 30 * time.Second // one round of calls; what has not begun by then is left
	hookTimeout = 15 * time.Second // one call
	noteTimeout = 2 * time.Second  // noting what the console is to show of it
	// After this a claim's owner is taken for dead. Reading has as long as claiming.
	hookLease = 2*claimTimeout + hookRound + hookTimeout + noteTimeout + storeTimeout + ClockSkew
	hookBatch = 64 // events of one round
	hookSlots = 8  // calls to one endpoint at once
	feedSlots = 16 // feeds that this process works on at once
)

// Deliver calls webhooks until the context ends, and finishes the calls that it has in hand.
// Any number of processes may call it: of one feed one process at a time has charge.
func (s *Service) Deliver(ctx context.Context) {
	var hands sync.WaitGroup
	defer hands.Wait()
	slots := make(chan struct{}, feedSlots)
	for ctx.Err() == nil {
		err := s.eachDueFeed(ctx, func(f *Feed) {
			if !s.local().worker.take(f.ID) {
				return
			}
			select {
			case slots <- struct{}{}:
			default: // it stays due
				s.local().worker.give(f.ID)
				return
			}
			hands.Go(func() {
				defer func() { s.local().worker.give(f.ID); <-slots; s.rouseHooks() }()
				s.deliverFeed(ctx, f.ID)
			})
		})
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "webhooks cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-s.local().hooks:
		case <-time.After(idleInterval):
		}
	}
}

// DeliverOnce makes the calls that are due now and returns how many feeds had any.
func (s *Service) DeliverOnce(ctx context.Context) (feeds int, err error) {
	err = s.eachDueFeed(ctx, func(f *Feed) {
		feeds++
		s.deliverFeed(ctx, f.ID)
	})
	return feeds, err
}

func (s *Service) eachDueFeed(ctx context.Context, do func(*Feed)) error {
	q := Query{Index: "due", Below: stamp(s.now().Add(time.Millisecond)), Unreadable: s.passOver("feed")}
	for more := true; more; more = q.After != "" {
		page, next, err := s.Feeds.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list due webhooks: %w", err)
		}
		for _, f := range page {
			do(f)
		}
		q.After = next
	}
	return nil
}

// deliverFeed works a feed off until nothing is due.
func (s *Service) deliverFeed(ctx context.Context, id string) {
	for again := true; again && ctx.Err() == nil; {
		var err error
		if again, err = s.deliverRound(ctx, id); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "webhook round failed", "error", err)
			return
		}
	}
}

// deliverRound claims a feed, makes one round of calls, and stores what came of
// them. It says whether there is more to do at once.
func (s *Service) deliverRound(ctx context.Context, id string) (again bool, err error) {
	claim := NewToken().Reveal()
	f, err := s.claimFeed(ctx, id, claim)
	if err != nil || f == nil {
		return false, err
	}
	b, failed := s.callRound(ctx, f)
	// What came of it is stored even if the program was told to stop meanwhile. If nothing
	// came of it the claim is given back, or it would stand in the way until its lease is over.
	stop := context.WithoutCancel(ctx)
	if b != nil {
		s.noteCalled(stop, f.CA, b)
	}
	ctx, cancel := context.WithTimeout(stop, storeTimeout)
	defer cancel()
	var died int64
	err = insist(ctx, func() error {
		f, err = s.Feeds.Update(ctx, id, func(f *Feed) error {
			died = 0
			if f.Hook.Claim != claim { // an operator, or another process, has taken over
				return nil
			}
			before := f.Hook.Buried()
			switch now := s.now(); {
			case b != nil:
				f.Hook.settle(b, f.Next, now)
			case failed == nil: // there is no such webhook any more
				f.Hook.On, f.Hook.Claim = false, ""
			default:
				f.Hook.Claim, f.Hook.Due = "", now.Add(backoff(0)).Truncate(time.Millisecond)
			}
			died = f.Hook.Buried() - before
			return nil
		})
		return err
	})
	if err = errors.Join(failed, err); err != nil {
		return false, err
	}
	if died > 0 {
		s.Log.ErrorContext(ctx, "webhook did not take events in time; they are dead until they are replayed", "ca", f.CA, "events", died)
	}
	due := f.Hook.due()
	return !due.IsZero() && !due.After(s.now()), nil
}

// claimFeed makes a feed that is due this call's to work on; nil if there is nothing to do. A claim whose
// answer is lost may have been made, so it is tried again and known by its mark; also when the program is told
// to stop meanwhile, or it would stand until its lease is over.
func (s *Service) claimFeed(ctx context.Context, id, claim string) (claimed *Feed, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	err = insist(ctx, func() error {
		mine := false
		f, err := s.Feeds.Update(ctx, id, func(f *Feed) error {
			now := s.now()
			due := f.Hook.due()
			if mine = f.Hook.Claim == claim; !mine && !due.IsZero() && !due.After(now) {
				mine, f.Hook.Claim, f.Hook.Due = true, claim, now.Add(hookLease)
			}
			return nil
		})
		if err == nil && mine {
			claimed = f
		}
		return err
	})
	return claimed, ignoreNotFound(err)
}

// callRound reads what is to be told and tells it; nil and no error if the authority has no webhook any more that the feed tells.
func (s *Service) callRound(ctx context.Context, f *Feed) (*batch, error) {
	reading, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	ca, err := s.Authority(reading, f.CA)
	if err != nil || !f.Hook.tells(ca.Webhook) {
		return nil, ignoreNotFound(err)
	}
	b, err := s.readBatch(reading, f)
	if err != nil {
		return nil, err
	}
	s.call(ctx, ca, b)
	return b, nil
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// readBatch reads what the next round is about. Events that have expired before
// they could be told are passed over: the authority's cursor would say the same. So are those that the store
// has lost, once the round begins where they were.
func (s *Service) readBatch(ctx context.Context, f *Feed) (*batch, error) {
	h := &f.Hook
	at, from := h.At, h.At
	var events []Event
	var places []Place
	more, want := false, min(hookBatch, mostLate-len(h.Late))
	for len(events) < want {
		page, err := s.Pages.Get(ctx, s.pageID(f.CA, at.Page))
		if errors.Is(err, ErrNotFound) {
			if at.Page >= f.Next {
				break
			}
			if len(events) > 0 {
				more = true
				break
			}
			lost := false
			if at, lost, err = s.passGap(ctx, f, at.Page); err != nil {
				return nil, err
			}
			if from = at; !lost {
				s.Log.WarnContext(ctx, "events expired before the webhook took them", "ca", f.CA, "page", at.Page)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read feed: %w", err)
		}
		for i := at.Offset; i < len(page.Events); i++ {
			at = Place{at.Page, i + 1}
			if i+1 == len(page.Events) {
				at = Place{Page: at.Page + 1}
			}
			events, places = append(events, page.Events[i]), append(places, at)
			if len(events) == want {
				more = true
				break
			}
		}
	}
	b := h.newBatch(events, places, more, s.now())
	b.from = from
	return b, nil
}

// call makes a round of calls: for each object one after the other, until one fails. If the
// first calls show that nobody answers, the others are not made.
func (s *Service) call(ctx context.Context, ca *Authority, b *batch) {
	round, cancel := context.WithTimeout(ctx, hookRound)
	defer cancel()
	var hands sync.WaitGroup
	var mu sync.Mutex
	well, ill := false, false
	slots := make(chan struct{}, hookSlots)
	for _, queue := range b.objects {
		slots <- struct{}{}
		mu.Lock()
		hopeless := ill && !well
		mu.Unlock()
		if hopeless || round.Err() != nil {
			<-slots
			break
		}
		hands.Go(func() {
			defer func() { <-slots }()
			for _, t := range queue {
				if round.Err() != nil {
					return
				}
				err := s.callOnce(ctx, ca, t.event)
				mu.Lock()
				if t.state, t.err = taskDelivered, err; err != nil {
					t.state, ill = taskFailed, true
				} else {
					well = true
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	hands.Wait()
}

// callOnce makes one call, which is finished even if the program is told to stop.
func (s *Service) callOnce(ctx context.Context, ca *Authority, e Event) *SendError {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hookTimeout)
	defer cancel()
	now := s.now()
	err := s.Caller.Call(ctx, Call{URL: ca.Webhook.URL, Keys: ca.Webhook.Keys(now), At: now, Event: e})
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*SendError](err)
	if !ok { // a caller that breaks its contract
		failed = &SendError{Outcome: Unknown, Reason: "provider_refused", Err: err}
	}
	s.Log.InfoContext(ctx, "webhook not taken", "ca", ca.Name, "event", e.ID, "reason", failed.Reason, "error", failed.Err)
	return failed
}

// rouseHooks wakes this process's deliveries, if it has any.
func (s *Service) rouseHooks() {
	select {
	case s.local().hooks <- struct{}{}:
	default:
	}
}

// SetHook turns the telling of an authority's webhook of that id on or off. What happened before it is
// turned on is not told. Turning on what is on has it called at once, also if it was stopped, and takes the feed from a
// delivery that has it in hand: what that one heard, it heard from where the webhook was before. Turning off
// leaves another webhook alone that was set meanwhile.
func (s *Service) SetHook(ctx context.Context, ca, id string, on bool) error {
	if _, err := s.feed(ctx, ca); err != nil {
		return err
	}
	_, err := s.Feeds.Update(ctx, s.FeedID(ca), func(f *Feed) error {
		switch {
		case on && f.Hook.On && f.Hook.Of == id:
			f.Hook.wakeNow(s.now())
		case on:
			f.Hook = Hook{On: true, Of: id, Since: s.now(), At: Place{Page: f.Next}}
		case f.Hook.Of == id:
			f.Hook = Hook{}
		}
		return nil
	})
	s.rouseHooks()
	return err
}

// Replay has a webhook told again. With a time it goes back to the first event that was listed at or
// after it and tells everything from there, the dead of that time too; what is late from before stays late.
// Without one it tries the dead events again. It also resumes a webhook that was stopped. It returns how many dead events are tried again.
func (s *Service) Replay(ctx context.Context, ca string, since time.Time) (revived int, err error) {
	return s.replay(ctx, s.operator(), ca, since)
}

func (s *Service) replay(ctx context.Context, by Actor, ca string, since time.Time) (revived int, err error) {
	f, err := s.Feeds.Get(ctx, s.FeedID(ca))
	if err != nil {
		return 0, err
	}
	if !f.Hook.On {
		return 0, ErrNotFound
	}
	if dead := f.Hook.Buried(); dead > 0 || !f.Hook.Stopped.IsZero() || !since.IsZero() { // otherwise only the next call comes sooner
		facts := map[string]any{"dead": dead}
		if !since.IsZero() {
			facts["since"] = since
		}
		if err := s.noteAt(ctx, ca, by, EntryReplayed, facts); err != nil {
			return 0, err
		}
	}
	var back Place
	if !since.IsZero() {
		if back, err = s.placeAt(ctx, ca, since); err != nil {
			return 0, err
		}
	}
	_, err = s.Feeds.Update(ctx, s.FeedID(ca), func(f *Feed) error {
		revived = 0
		if !f.Hook.On {
			return ErrNotFound
		}
		now := s.now()
		f.Hook.wakeNow(now)
		if since.IsZero() {
			revived = f.Hook.revive(now)
		} else if back.before(f.Hook.At) {
			f.Hook.goBack(back)
		}
		return nil
	})
	s.rouseHooks()
	return revived, err
}
