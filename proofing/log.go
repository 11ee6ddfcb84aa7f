package proofing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Recorder makes of the pages of the log what others can check it by. Whatever it keeps follows from the pages, so that it can be
// asked again, late, and by two processes at once.
type Recorder interface {
	// Admit says whether the log may go on from what is in the store. Its error is for the operator: what the store has is less than
	// what was shown to the world already.
	Admit(ctx context.Context) error
	// Record takes in the pages that are there and states the log that they make.
	Record(ctx context.Context) error
}

const (
	logRoundPages = 16          // pages that are made before their entries are taken off their records
	retireEvery   = time.Hour   // how often the oldest pages are looked at
	stateEvery    = time.Second // how often the log is stated, at most: each time the last tiles of the tree are written anew
)

// logEnd is the end of the log, as this process knows it.
type logEnd struct {
	next int64     // the page to be made next
	size int64     // the entries before it
	at   time.Time // of the page before
	// stated says that the recorder has taken in what is there, and asked when it was asked to.
	stated  bool
	asked   time.Time
	retired time.Time // when the oldest pages were looked at
}

// follow moves the end behind a page, which must be the next one.
func (l *logEnd) follow(p *LogPage) error {
	if p.Number != l.next || p.First != l.size || len(p.Entries) == 0 {
		return fmt.Errorf("page %d of the log says that it is page %d from entry %d on, and not from %d", l.next, p.Number, p.First, l.size)
	}
	l.next, l.size, l.at = p.Number+1, p.after(), p.At
	return nil
}

// endOfLog finds the end of the log, and finishes what a process that stopped in the middle has left there.
func (s *Service) endOfLog(ctx context.Context) (*logEnd, error) {
	if err := s.admitLog(ctx); err != nil {
		return nil, err
	}
	h, err := s.LogHead(ctx)
	if err != nil {
		return nil, err
	}
	l := &logEnd{next: h.Next, size: h.Size, at: h.At}
	for {
		p, err := s.LogPage(ctx, l.next)
		if errors.Is(err, ErrNotFound) {
			return l, nil
		}
		if err != nil {
			return nil, fmt.Errorf("find the end of the log: %w", err)
		}
		if err := l.follow(p); err != nil {
			return nil, err
		}
		listed := takings{}
		if err := listed.page(p); err != nil {
			return nil, err
		}
		if err := s.takeOff(ctx, listed); err != nil {
			return nil, fmt.Errorf("settle page %d of the log: %w", p.Number, err)
		}
		if err := s.countLog(ctx, l); err != nil {
			return nil, err
		}
	}
}

func (s *Service) admitLog(ctx context.Context) error {
	if s.Recorder == nil {
		return nil
	}
	if err := s.Recorder.Admit(ctx); err != nil {
		return fmt.Errorf("the log does not go on: %w", err)
	}
	return nil
}

// enter makes pages of entries at the end of the log and notes what is to be taken off which record. It returns what is left
// for the next round. Pages that were made before an error count all the same.
func (s *Service) enter(ctx context.Context, l *logEnd, pages [][]Entry, listed takings) (left [][]Entry, err error) {
	if len(pages) == 0 {
		return nil, nil
	}
	if err := s.admitLog(ctx); err != nil {
		return nil, err
	}
	for range min(len(pages), logRoundPages) {
		p := &LogPage{Number: l.next, First: l.size, At: s.now(), Entries: pages[0]}
		if p.At.Before(l.at) { // whatever clocks say
			p.At = l.at
		}
		err := s.LogPages.Create(ctx, s.logPageID(p.Number), p)
		if errors.Is(err, ErrExists) {
			return nil, errOvertaken
		}
		if err != nil {
			return nil, fmt.Errorf("make page %d of the log: %w", p.Number, err)
		}
		l.stated, pages = false, pages[1:]
		if err := errors.Join(l.follow(p), listed.page(p)); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// countLog counts the pages up to the end, once all of their entries are off their records.
func (s *Service) countLog(ctx context.Context, l *logEnd) error {
	_, err := s.LogHeads.Update(ctx, s.logHeadID(), func(h *LogHead) error {
		if h.Next < l.next {
			h.Next, h.Size, h.At = l.next, l.size, l.at
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count page %d of the log: %w", l.next-1, err)
	}
	return nil
}

// EntryLoss tells in the log itself that some of it is lost: the store was put back to an older state.
const EntryLoss EntryKind = "loss_accepted"

// AcceptLoss writes into the log that the operator goes on with it although it has shown itself longer, or otherwise: of how many entries it
// is, of how many it was by a checkpoint of its own, and the root of that.
func (s *Service) AcceptLoss(ctx context.Context, size, was int64, root string) error {
	h, err := s.LogHead(ctx)
	if err != nil {
		return err
	}
	if _, err = s.LogHeads.Update(ctx, h.ID, func(h *LogHead) error {
		h.Journal.Write(Note{
			Of: SubjectLog, Object: h.ID, Kind: EntryLoss, By: s.operator(), At: s.now(), Facts: map[string]any{"size": size, "was": was, "root": root},
		})
		return nil
	}); err != nil {
		return fmt.Errorf("write that a part of the log is lost: %w", err)
	}
	s.mark(SubjectLog, h.ID[:2])
	return nil
}

// state has the recorder take in what is there.
func (s *Service) state(ctx context.Context, l *logEnd) error {
	if l == nil || l.stated || s.Recorder == nil || time.Since(l.asked) < stateEvery {
		return nil
	}
	l.asked = time.Now()
	if err := s.Recorder.Record(ctx); err != nil {
		return fmt.Errorf("state the log: %w", err)
	}
	l.stated = true
	return nil
}

// sequenced is the case once everything that it has to say is in the log, if it is a grant for EV. It waits a moment for that. The error wraps
// ErrUnavailable if it takes longer: nothing is said on the strength of what the log does not tell.
func (s *Service) sequenced(ctx context.Context, c *Case) (*Case, error) {
	over := time.NewTimer(sequenceMost)
	defer over.Stop()
	for waits := true; ; {
		if p := s.profileOf(c); c.Status != CaseGranted || p == nil || !p.EV || c.Journal.Logged() {
			return c, nil
		}
		if !waits {
			return nil, errUnlogged(c)
		}
		taken := s.local().changes.listen(c.ID)
		now, err := s.get(ctx, c.ID)
		if err == nil && !now.Journal.Logged() {
			select {
			case <-taken:
			case <-time.After(sequenceLook): // another process lists
			case <-s.local().stopping:
				waits = false
			case <-over.C:
				waits = false
			case <-ctx.Done():
				waits = false
			}
			now, err = s.get(ctx, c.ID)
		}
		s.local().changes.drop(c.ID, taken)
		if err != nil {
			return nil, err
		}
		c = now
	}
}

// errUnlogged: a grant is not in the log yet.
func errUnlogged(c *Case) error {
	return fmt.Errorf("case %s is not in the log yet: %w", c.ID, ErrUnavailable)
}

const (
	sequenceMost = 2 * time.Second        // how late an entry is in the log, while somebody sequences
	sequenceLook = 100 * time.Millisecond // how often somebody who waits for it looks
)
