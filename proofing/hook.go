package proofing

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Hook is how far the webhook of a feed's authority has been told.
type Hook struct {
	On bool `json:"on,omitempty"`
	// Of is the Webhook.ID that it was turned on for: of another webhook it tells nothing.
	Of string `json:"of,omitempty"`
	// Since is when: what was before is not told.
	Since time.Time `json:"since,omitzero"`
	// At is the place before the next event; what lies before it has been taken by
	// the endpoint, or is late or dead.
	At Place `json:"at"`
	// Due is when to call again, or when a claim is given up; zero: there is nothing to do.
	Due   time.Time `json:"due,omitzero"`
	Claim string    `json:"claim,omitempty"` // of the delivery that has the feed in hand
	// Failing is since when the endpoint has taken nothing; zero: it is well.
	Failing time.Time `json:"failing,omitzero"`
	Tries   int       `json:"tries,omitempty"`  // in a row that failed
	Reason  string    `json:"reason,omitempty"` // of the last failure: a SendError's
	Late    []Late    `json:"late,omitempty"`
	Dead    []Dead    `json:"dead,omitempty"` // the newest last
	Lost    int64     `json:"lost,omitempty"` // dead events that Dead had no room for
	// Stopped is when the endpoint asked for no more calls (410 Gone).
	Stopped time.Time `json:"stopped,omitzero"`
}

// Late is an event that the endpoint did not take while it took others. What
// follows for the same object is late too, so that the order stays.
type Late struct {
	Event Event     `json:"event"`
	Place Place     `json:"place"` // behind it in the feed
	Since time.Time `json:"since"`
	Due   time.Time `json:"due"`
	Tries int       `json:"tries"`
}

// Dead is an event that is not tried any more, until an operator replays it.
type Dead struct {
	Event  Event     `json:"event"`
	Place  Place     `json:"place"` // behind it in the feed
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

const (
	hookPatience = 72 * time.Hour // of an event that no call delivers
	mostLate     = 100            // in the record, for one authority
	mostDead     = 150
)

// HookState is how an authority's webhook is, in one word.
type HookState string

// The states of webhooks.
const (
	HookWell    HookState = "well"
	HookOff     HookState = "off"     // it was set, and never turned on: whoever set it broke off
	HookFailing HookState = "failing" // it takes nothing
	HookStopped HookState = "stopped" // it asked for no more calls
)

// tells says whether the hook tells that webhook of its authority; nil: there is none.
func (h *Hook) tells(w *Webhook) bool { return w != nil && h.On && h.Of == w.ID }

// State is how an authority's webhook is, and since when it is not well.
func (h *Hook) State(w *Webhook) (HookState, time.Time) {
	switch {
	case !h.tells(w):
		return HookOff, time.Time{}
	case !h.Stopped.IsZero():
		return HookStopped, h.Stopped
	case !h.Failing.IsZero():
		return HookFailing, h.Failing
	}
	return HookWell, time.Time{}
}

// Buried counts the dead events, those that are not listed too.
func (h *Hook) Buried() int64 { return int64(len(h.Dead)) + h.Lost }

func (h *Hook) due() time.Time {
	if !h.On || !h.Stopped.IsZero() {
		return time.Time{}
	}
	return h.Due
}

// rouse has the hook look for new events. One that is in hand looks by itself, and
// one that fails keeps its pause.
func (h *Hook) rouse(now time.Time) {
	if h.On && h.Claim == "" && (h.Due.IsZero() || h.Tries == 0 && h.Due.After(now)) {
		h.Due = now
	}
}

// task is one event of a batch.
type task struct {
	event Event
	late  int   // its index in Hook.Late, or -1 for one from the feed
	place Place // behind it in the feed
	state taskState
	err   *SendError // of one that failed
}

type taskState int

const (
	taskWaiting   taskState = iota // not tried, for want of time or behind one that failed
	taskHeld                       // not to be tried yet: it is behind a late one of its object
	taskDelivered                  // taken by the endpoint
	taskFailed                     // tried in vain
)

// batch is what one round of calls is about: for each object its events in order. Objects
// with nothing late and those with something take turns. The first calls show whether anybody answers, and
// objects that the endpoint refuses for good, each time again, must not be all of them.
type batch struct {
	tasks   []*task // those from Late first, then those from the feed
	objects [][]*task
	more    bool  // the feed has more
	from    Place // in the feed, behind what is gone from it
}

// newBatch orders late events that are due, and those that were read from the feed. What
// stands behind a late event that is not due yet is not tried.
func (h *Hook) newBatch(fresh []Event, places []Place, more bool, now time.Time) *batch {
	b := &batch{more: more}
	queues, order, held := map[string][]*task{}, []string{}, map[string]bool{}
	add := func(t *task) {
		b.tasks = append(b.tasks, t)
		if held[t.event.Object] {
			t.state = taskHeld
			return
		}
		if queues[t.event.Object] == nil {
			order = append(order, t.event.Object)
		}
		queues[t.event.Object] = append(queues[t.event.Object], t)
	}
	for i, l := range h.Late {
		if l.Due.After(now) && queues[l.Event.Object] == nil {
			held[l.Event.Object] = true
		}
		add(&task{event: l.Event, late: i, place: l.Place})
	}
	for i, e := range fresh {
		add(&task{event: e, late: -1, place: places[i]})
	}
	var well, ill [][]*task
	for _, object := range order {
		if queue := queues[object]; queue[0].late < 0 {
			well = append(well, queue)
		} else {
			ill = append(ill, queue)
		}
	}
	if h.Tries > 0 {
		// Those that were called in vain may be the only ones that are refused.
		rand.Shuffle(len(well), func(i, j int) { well[i], well[j] = well[j], well[i] })
	}
	for i := range max(len(well), len(ill)) {
		if i < len(well) {
			b.objects = append(b.objects, well[i])
		}
		if i < len(ill) {
			b.objects = append(b.objects, ill[i])
		}
	}
	return b
}

// counts says how many events were delivered and how many calls failed, and the error of one.
func (b *batch) counts() (delivered, failed int, err *SendError) {
	for _, t := range b.tasks {
		switch t.state {
		case taskDelivered:
			delivered++
		case taskFailed:
			failed++
			err = t.err
		}
	}
	return delivered, failed, err
}

// freshFailed says whether an event that was not late before failed. Late ones alone
// say nothing of the endpoint: they have failed before while it took others.
func (b *batch) freshFailed() bool {
	return slices.ContainsFunc(b.tasks, func(t *task) bool { return t.late < 0 && t.state == taskFailed })
}

// reached is how many tasks of the batch were come to: what is behind the last of them was not
// tried for want of time alone, and stays in the feed.
func (b *batch) reached() int {
	for i := len(b.tasks); i > 0; i-- {
		if b.tasks[i-1].state != taskWaiting {
			return i
		}
	}
	return 0
}

// settle stores what came of a batch.
func (h *Hook) settle(b *batch, next int64, now time.Time) {
	h.Claim, h.At = "", b.from
	delivered, failed, err := b.counts()
	for _, t := range b.tasks {
		if t.state == taskFailed && t.err.Reason == "gone" {
			h.Stopped, h.Reason, h.Due = now, t.err.Reason, time.Time{}
			return
		}
	}
	if delivered == 0 && b.freshFailed() {
		h.down(b, err, now)
		return
	}
	if delivered > 0 {
		h.Failing, h.Tries, h.Reason = time.Time{}, 0, ""
	}
	if failed > 0 {
		h.Reason = err.Reason
	}
	h.Late = h.stillLate(b, now)
	for _, t := range b.tasks[:b.reached()] {
		if t.late >= 0 {
			continue
		}
		if t.state != taskDelivered {
			if len(h.Late) >= mostLate {
				break // it stays in the feed, and so does what follows
			}
			l := Late{Event: t.event, Place: t.place, Since: now, Due: now}
			if t.state == taskFailed {
				l.Tries, l.Due = 1, now.Add(max(t.err.RetryAfter, backoff(1))).Truncate(time.Millisecond)
			}
			h.Late = append(h.Late, l)
		}
		h.At = t.place
	}
	h.Due = h.lateDue()
	if (h.At.Page < next || b.more) && len(h.Late) < mostLate {
		h.Due = now
	}
}

// lateDue is when the first late event is due. What is behind another of its object
// waits for that one.
func (h *Hook) lateDue() (due time.Time) {
	seen := map[string]bool{}
	for _, l := range h.Late {
		if !seen[l.Event.Object] && (due.IsZero() || l.Due.Before(due)) {
			due = l.Due
		}
		seen[l.Event.Object] = true
	}
	return due
}

// stillLate is what remains of Late after a batch, without what was delivered and
// what has become too old.
func (h *Hook) stillLate(b *batch, now time.Time) []Late {
	var left []Late
	for _, t := range b.tasks {
		if t.late < 0 || t.state == taskDelivered {
			continue
		}
		l := h.Late[t.late]
		if t.state == taskFailed {
			if now.Sub(l.Since) >= hookPatience {
				h.bury(l.Event, l.Place, t.err.Reason, now)
				continue
			}
			l.Tries++
			l.Due = now.Add(max(t.err.RetryAfter, backoff(l.Tries))).Truncate(time.Millisecond)
		}
		left = append(left, l)
	}
	return left
}

// down is a batch of which the endpoint took nothing: everything stays where it is,
// but for what has waited for days.
func (h *Hook) down(b *batch, err *SendError, now time.Time) {
	if h.Failing.IsZero() {
		h.Failing = now
	}
	h.Tries++
	h.Reason = err.Reason
	h.Due = now.Add(max(err.RetryAfter, backoff(h.Tries))).Truncate(time.Millisecond)
	if now.Sub(h.Failing) < hookPatience {
		return
	}
	h.Late = slices.DeleteFunc(h.Late, func(l Late) bool {
		old := now.Sub(l.Since) >= hookPatience
		if old {
			h.bury(l.Event, l.Place, err.Reason, now)
		}
		return old
	})
	for _, t := range b.tasks {
		if t.late >= 0 {
			continue
		}
		if now.Sub(t.event.At) < hookPatience {
			break
		}
		h.bury(t.event, t.place, err.Reason, now)
		h.At = t.place
	}
}

// bury puts an event on the list of the dead, from which the oldest go when there
// are too many. The feed still has them.
func (h *Hook) bury(e Event, p Place, reason string, now time.Time) {
	h.Dead = append(h.Dead, Dead{Event: e, Place: p, At: now, Reason: reason})
	if over := len(h.Dead) - mostDead; over > 0 {
		h.Dead = slices.Delete(h.Dead, 0, over)
		h.Lost += int64(over)
	}
}

// revive makes dead events late again, as many as there is room for.
func (h *Hook) revive(now time.Time) (revived int) {
	n := min(len(h.Dead), mostLate-len(h.Late))
	if n <= 0 {
		return 0
	}
	var again []Late
	for _, d := range h.Dead[:n] {
		again = append(again, Late{Event: d.Event, Place: d.Place, Since: now, Due: now})
	}
	// Those of an object that is late already come before what is late: they are older.
	h.Late = append(again, h.Late...)
	h.Dead = slices.Delete(h.Dead, 0, n)
	h.wakeNow(now)
	return n
}

// goBack has everything told again from a place on that was passed. What is late or dead and stands
// behind that place is told from the feed then; what stands before it stays as it is.
func (h *Hook) goBack(to Place) {
	h.Late = slices.DeleteFunc(h.Late, func(l Late) bool { return to.before(l.Place) })
	h.Dead = slices.DeleteFunc(h.Dead, func(d Dead) bool { return to.before(d.Place) })
	h.At = to
}

// wakeNow has the endpoint called at once, whatever pause it was in, and takes the
// feed from a delivery that has it in hand.
func (h *Hook) wakeNow(now time.Time) {
	h.Claim, h.Tries, h.Failing, h.Stopped, h.Due = "", 0, time.Time{}, time.Time{}, now
}
