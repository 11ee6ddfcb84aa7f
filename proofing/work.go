package proofing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	idleInterval = time.Second // how late another process's work is noticed
	caseSlots    = 32          // cases whose effects are applied at once
	channelSlots = 16          // messages of one channel that are sent at once
	laneLength   = 4096        // how much waits for them; what comes after it stays due and is found later
	workPage     = 200         // cases listed at once
)

// worker is what one process has in hand. Its zero value is ready.
type worker struct {
	mu     sync.Mutex
	taken  map[string]bool // ids of cases and messages; true: somebody has asked for it meanwhile
	lanes  map[string]*lane
	behind map[string]bool // buckets in which something due could not be taken up
}

// lane is a number of hands and what waits for them. Effects have one and each channel
// has one, so that a mail server that hangs holds up no text message.
type lane struct {
	slots, busy int
	waiting     []func()
}

// take says whether a case or a message is free, and makes it the caller's until give.
func (w *worker) take(id string) bool { return w.takeOr(id, false) }

// takeOr is take; with ask, whoever has it learns from give that it was asked for.
func (w *worker) takeOr(id string, ask bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if asked, taken := w.taken[id]; taken {
		w.taken[id] = asked || ask
		return false
	}
	if w.taken == nil {
		w.taken = map[string]bool{}
	}
	w.taken[id] = false
	return true
}

// give says whether somebody else has asked for it meanwhile.
func (w *worker) give(id string) (again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	again = w.taken[id]
	delete(w.taken, id)
	return again
}

// do has a hand of the lane do the job, at once or after what waits; false if too much waits.
func (w *worker) do(hands *sync.WaitGroup, name string, slots int, job func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes == nil {
		w.lanes = map[string]*lane{}
	}
	l := w.lanes[name]
	if l == nil {
		l = &lane{slots: slots}
		w.lanes[name] = l
	}
	if l.busy == l.slots {
		if len(l.waiting) == laneLength {
			return false
		}
		l.waiting = append(l.waiting, job)
		return true
	}
	l.busy++
	hands.Go(func() {
		for ; job != nil; job = w.next(l) {
			job()
		}
	})
	return true
}

func (w *worker) next(l *lane) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(l.waiting) == 0 {
		l.busy--
		return nil
	}
	job := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	return job
}

// miss remembers a bucket in which something due was not taken up.
func (w *worker) miss(bucket string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.behind == nil {
		w.behind = map[string]bool{}
	}
	w.behind[bucket] = true
}

// missed returns the buckets to look through again, unless nobody has a hand free.
func (w *worker) missed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lanes {
		if len(l.waiting) > laneLength/2 {
			return nil
		}
	}
	buckets := slices.Sorted(maps.Keys(w.behind))
	w.behind = nil
	return buckets
}

// Work works off what records owe the world: it sends messages, applies effects
// and ends what has run out. When the context ends it takes up nothing more, and
// returns when what it had in hand is done. Any number of processes may work at once.
//
// What this process itself has made due is handed over as it is stored. What others have, what
// has waited for its time, and what found no room is found by looking through the index.
func (s *Service) Work(ctx context.Context) {
	if s.local().wake == nil {
		panic("proofing: Work before Start")
	}
	var hands sync.WaitGroup
	defer hands.Wait()
	idle := time.NewTimer(0)
	defer idle.Stop()
	var all sweep
	var failed unread
	dispatch := func(buckets []string) {
		for _, bucket := range buckets {
			failed.add(bucket, s.dispatch(ctx, &hands, []string{bucket}, func() {}))
		}
	}
	slow := 0 // which bucket's turn it is
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case d := <-s.local().owing:
			s.takeUp(ctx, &hands, d, func() {})
		case <-s.local().wake:
			dispatch(s.local().worker.missed())
		case <-idle.C:
			began := time.Now()
			buckets, round := all.due(began, idleInterval)
			if dispatch(buckets); round {
				bucket := bucketName(slow % Buckets)
				failed.add(bucket, s.dispatchSlow(ctx, &hands, bucket, func() {}))
				slow++
			}
			// Of a long queue, looking must not become the work.
			idle.Reset(max(idleInterval/sweepParts, 4*time.Since(began)))
		}
		if ctx.Err() == nil {
			failed.say(ctx, s.Log, time.Now())
		}
	}
}

// WorkOnce works off what is due now and returns how many things were done.
func (s *Service) WorkOnce(ctx context.Context) (int, error) {
	var hands sync.WaitGroup
	var worked atomic.Int64
	err := s.dispatch(ctx, &hands, allBuckets(), func() { worked.Add(1) })
	for _, bucket := range allBuckets() {
		err = errors.Join(err, s.dispatchSlow(ctx, &hands, bucket, func() { worked.Add(1) }))
	}
	hands.Wait()
	return int(worked.Load()), err
}

func allBuckets() []string {
	names := make([]string, Buckets)
	for n := range names {
		names[n] = bucketName(n)
	}
	return names
}

// dispatch sets hands to work on everything that is due in the buckets and that nobody here has in
// hand, and calls worked for each thing that went well. It looks through one bucket
// after the other to its end, so that neither many cases that fail nor a record
// that cannot be read hides what lies behind them.
func (s *Service) dispatch(ctx context.Context, hands *sync.WaitGroup, buckets []string, worked func()) error {
	var errs []error
	for _, bucket := range buckets {
		now := s.now()
		q := Query{Index: "due", Bucket: bucket, Below: stamp(now.Add(time.Millisecond)), Limit: workPage, Unreadable: s.passOver("case")}
		for more := true; more; more = q.After != "" {
			due, next, err := s.Cases.List(ctx, q)
			if err != nil {
				errs = append(errs, fmt.Errorf("list due cases of bucket %s: %w", q.Bucket, err))
				break
			}
			for _, c := range due {
				s.takeUp(ctx, hands, c.owes(now), worked)
			}
			q.After = next
		}
		errs = append(errs,
			dispatchDue(ctx, s, s.Certificates, "certificate", bucket, func(c *Certificate) string { return c.ID }, s.workCertificate, hands, worked),
			dispatchDue(ctx, s, s.Dossiers, "dossier", bucket, func(o *Organization) string { return o.ID }, s.workDossier, hands, worked))
	}
	if slices.Contains(buckets, s.officeBucket()) {
		if err := s.dispatchOffices(ctx, hands, worked); err != nil {
			errs = append(errs, fmt.Errorf("list due appointments: %w", err))
		}
		errs = append(errs, dispatchDue(ctx, s, s.PolicyBooks, noticePolicy, s.officeBucket(), func(b *PolicyBook) string { return b.ID }, s.workPolicies, hands, worked))
	}
	return errors.Join(errs...)
}

// dispatchSlow is dispatch for what can wait for minutes, so that looking for it in one bucket at a time is enough.
func (s *Service) dispatchSlow(ctx context.Context, hands *sync.WaitGroup, bucket string, worked func()) error {
	err := dispatchDue(ctx, s, s.Keys, "eab_key", bucket, func(k *Key) string { return k.ID }, s.workKey, hands, worked)
	err = errors.Join(err, dispatchDue(ctx, s, s.Addresses, "authenticator", bucket, func(a *Address) string { return a.ID }, s.workCopied, hands, worked))
	if bucket == s.officeBucket() {
		err = errors.Join(err, s.settlePolicy(ctx, hands),
			dispatchDue(ctx, s, s.PolicyProposals, noticePolicy, bucket, func(p *PolicyProposal) string { return p.ID }, s.workProposal, hands, worked))
	}
	id := func(p *Person) string { return p.ID }
	err = errors.Join(err, dispatchBy(ctx, s, s.People, "going", "person", bucket, id, s.workPerson, hands, worked))
	if s.Policy.PersonRetention > 0 {
		err = errors.Join(err, dispatchDue(ctx, s, s.People, "person", bucket, id, s.workPerson, hands, worked))
	}
	return err
}

// debt is what of a case is due.
type debt struct {
	id       string
	fresh    bool // a change has just made it due
	itself   bool // an effect, the end of its time, or a second look at its grant or at what was decided
	messages []owed
}

type owed struct {
	id      string
	channel Channel
}

// owes lists what of the case is due.
func (c *Case) owes(now time.Time) debt {
	d := debt{id: c.ID, itself: !c.Status.Over() && (!now.Before(c.Expires) || c.Frozen != nil && !now.Before(c.Frozen.Until)) || c.recheckDue(now) || c.reweighDue(now)}
	for _, e := range c.Outbox.Effects {
		d.itself = d.itself || !e.Due.After(now)
	}
	for _, m := range c.Outbox.Messages {
		if !m.Due.After(now) {
			d.messages = append(d.messages, owed{m.ID, m.Channel})
		}
	}
	return d
}

// handOver gives the worker what a change has made due, so that it need not look for it.
func (s *Service) handOver(c *Case) {
	d := c.owes(s.now())
	if !d.itself && len(d.messages) == 0 {
		return
	}
	d.fresh = true
	select {
	case s.local().owing <- d:
	default: // there is no worker here, or it has no time
		s.local().worker.miss(c.ID[:2])
	}
}

// takeUp sets hands to work on what is due of one case, as far as nobody here has it in hand. What fails holds
// up nothing else.
func (s *Service) takeUp(ctx context.Context, hands *sync.WaitGroup, d debt, worked func()) {
	tell := func(err error) {
		switch {
		case err == nil:
			worked()
		case !errors.Is(err, ErrNotFound) && ctx.Err() == nil: // a record that is gone owes nothing
			s.Log.WarnContext(ctx, "outbox entry failed", "case", d.id, "error", err)
		}
	}
	put := func(id, lane string, slots int, job func() error) {
		// A case that is in hand may have been read before this became due.
		if !s.local().worker.takeOr(id, d.fresh) {
			return
		}
		done := func() {
			if ctx.Err() == nil { // else it stays due
				tell(job())
			}
			if s.local().worker.give(id) {
				s.local().worker.miss(d.id[:2])
			}
			s.rouse()
		}
		if !s.local().worker.do(hands, lane, slots, done) {
			s.local().worker.give(id)
			s.local().worker.miss(d.id[:2])
		}
	}
	if d.itself {
		put(d.id, "", caseSlots, func() error { return s.workCase(ctx, d.id) })
	}
	for _, m := range d.messages {
		put(m.id, string(m.channel), channelSlots, func() error { return s.workMessage(ctx, d.id, m.id) })
	}
}

// workCase does what is due of one case besides its messages: it stores what time has done, and applies effects.
func (s *Service) workCase(ctx context.Context, id string) error {
	now := s.now()
	c, err := s.Cases.Get(ctx, id)
	if err != nil {
		return err
	}
	if c.lapse(now, s.retention(c)) {
		if c, err = s.update(ctx, id, keep); err != nil {
			return err
		}
	}
	if c.recheckDue(now) {
		if c, err = s.recheck(ctx, id); err != nil {
			return err
		}
	}
	if c.reweighDue(now) {
		if c, err = s.reweigh(ctx, c); err != nil {
			return err
		}
	}
	return s.workEffects(ctx, c, now)
}
