package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The most of one page. A page must fit into a record, and so must the index entries of whom it tells of.
const (
	logPageEntries = 200
	logPageBytes   = 120 << 10
	logPagePersons = 30
)

// LogPage is a part of the log: entries in their order. Pages are numbered 1, 2, 3 … and what the tree is made over never changes
// in one; what is beside it can be erased.
type LogPage struct {
	Number  int64     `json:"number"`
	First   int64     `json:"first"` // the place of its first entry in the log, from 0 on
	At      time.Time `json:"at"`    // when it was made; never before the page before it
	Entries []Entry   `json:"entries"`
	// Counted is until when any of what was kept beyond its age has counted at least; zero if nothing was: see retirement.
	Counted time.Time `json:"counted,omitzero"`
}

// Indexes implements Record: a page is found by whom it tells of, for as long as it does, and by what was kept of it.
func (p *LogPage) Indexes() (ix []Index) {
	if !p.Counted.IsZero() {
		ix = append(ix, Index{Name: "counted", Value: stamp(p.Counted)})
	}
	for _, e := range p.Entries {
		for _, who := range e.about() {
			if entry := (Index{Name: "person", Value: who}); !slices.Contains(ix, entry) {
				ix = append(ix, entry)
			}
		}
	}
	return ix
}

// ExpiresAt implements Record: the log is kept.
func (p *LogPage) ExpiresAt() time.Time { return time.Time{} }

// after is the place behind the page's last entry.
func (p *LogPage) after() int64 { return p.First + int64(len(p.Entries)) }

// about is under which values the private part of an entry is found: the persons of whom it tells or, where nobody was known yet, its
// object, which becomes somebody's. Without a private part there is nothing to find.
func (e *Entry) about() []string {
	switch {
	case len(e.Private) == 0:
		return nil
	case len(e.Persons) == 0:
		return []string{e.Object}
	}
	return e.Persons
}

// erase takes away what an entry says beside its leaf.
func (e *Entry) erase() { e.Salt, e.Private, e.Persons = "", nil, nil }

// LogHead is what is known of the whole log.
type LogHead struct {
	ID string `json:"id"`
	// Next is the number of the page to be made next, Size how many entries are in the pages before it, and At the time of the last of
	// them. All may be behind what is there, when a process has died between making a page and storing this; never ahead.
	Next int64     `json:"next"`
	Size int64     `json:"size"`
	At   time.Time `json:"at,omitzero"`
	// Retired is the number of the last page whose private parts are erased because of their age.
	Retired int64   `json:"retired,omitempty"`
	Journal Journal `json:"journal,omitzero"`
}

// Indexes implements Record.
func (h *LogHead) Indexes() []Index { return h.Journal.index() }

// ExpiresAt implements Record.
func (h *LogHead) ExpiresAt() time.Time { return time.Time{} }

func (s *Service) logHeadID() string { return FixedID(s.Hasher.Sum("log head")) }

func (s *Service) logPageID(number int64) string {
	return FixedID(s.Hasher.Sum("log page", strconv.FormatInt(number, 10)))
}

// LogHead is the log's head, which is made when it is first asked for.
func (s *Service) LogHead(ctx context.Context) (*LogHead, error) {
	id := s.logHeadID()
	h, err := s.LogHeads.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		h = &LogHead{ID: id, Next: 1}
		if err = s.LogHeads.Create(ctx, id, h); errors.Is(err, ErrExists) {
			h, err = s.LogHeads.Get(ctx, id)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("head of the log: %w", err)
	}
	return h, nil
}

// ErrLogPageLost: the log has counted a page that the store does not have any more.
var ErrLogPageLost = errors.New("the store has lost a page of the log")

// LogPage is the page of that number; ErrNotFound if it has not been made, and ErrLogPageLost if it has and is not there.
func (s *Service) LogPage(ctx context.Context, number int64) (*LogPage, error) {
	p, err := s.LogPages.Get(ctx, s.logPageID(number))
	if errors.Is(err, ErrNotFound) {
		h, headErr := s.LogHeads.Get(ctx, s.logHeadID())
		switch {
		case headErr != nil:
			err = headErr // of a store that has neither it is ErrNotFound as well
		case number > 0 && number < h.Next: // it may have been made between the two looks
			if p, err = s.LogPages.Get(ctx, s.logPageID(number)); errors.Is(err, ErrNotFound) {
				return nil, fmt.Errorf("page %d is missing: %w, which had %d", number, ErrLogPageLost, h.Next-1)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("page %d of the log: %w", number, err)
	}
	return p, nil
}

// LogEntry is the entry at a place of the log, with its page; ErrNotFound if the log is not as long. It is found by halving: pages are in
// the order of the places.
func (s *Service) LogEntry(ctx context.Context, place int64) (*Entry, *LogPage, error) {
	h, err := s.LogHead(ctx)
	if err != nil {
		return nil, nil, err
	}
	low, high := int64(1), h.Next-1
	for low <= high && place >= 0 {
		p, err := s.LogPage(ctx, low+(high-low)/2)
		switch {
		case err != nil:
			return nil, nil, err
		case place < p.First:
			high = p.Number - 1
		case place >= p.after():
			low = p.Number + 1
		default:
			return &p.Entries[place-p.First], p, nil
		}
	}
	return nil, nil, fmt.Errorf("entry %d of a log of %d: %w", place, h.Size, ErrNotFound)
}

// pagesOf cuts entries into what fits into a page each.
func pagesOf(entries []Entry) (pages [][]Entry) {
	var page []Entry
	size, persons := 0, map[string]bool{}
	for _, e := range entries {
		// Within a page the leaf is JSON in a text, so that its quotes take two bytes.
		more := len(e.Leaf)*5/4 + len(e.Private) + 256
		who := e.about()
		for _, id := range who {
			persons[id] = true
		}
		if len(page) > 0 && (len(page) == logPageEntries || size+more > logPageBytes || len(persons) > logPagePersons) {
			pages, page, size = append(pages, page), nil, 0
			clear(persons)
			for _, id := range who {
				persons[id] = true
			}
		}
		page, size = append(page, e), size+more
	}
	if len(page) > 0 {
		pages = append(pages, page)
	}
	return pages
}
