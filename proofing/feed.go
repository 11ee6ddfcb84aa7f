package proofing

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// PageEvents is the most events of one page. A page must fit into a record with room to spare.
	PageEvents = 200
	// FeedRetention is how long events can be read and replayed.
	FeedRetention = 30 * 24 * time.Hour
)

// Feed is what one authority is told, in the order in which it is told. Its
// events are in pages, numbered 1, 2, 3 …, which never change once they are made.
type Feed struct {
	ID string `json:"id"`
	CA string `json:"ca"`
	// Next is the number of the page to be made next. It may be behind what is there,
	// when a process has died between making a page and storing this; never ahead.
	Next int64 `json:"next"`
	Hook Hook  `json:"hook,omitzero"`
}

// Indexes implements Record.
func (f *Feed) Indexes() []Index {
	ix := []Index{{Name: "all", Value: f.CA}}
	if due := f.Hook.due(); !due.IsZero() {
		ix = append(ix, Index{Name: "due", Value: stamp(due)})
	}
	return ix
}

// ExpiresAt implements Record.
func (f *Feed) ExpiresAt() time.Time { return time.Time{} }

// Page is a part of a feed.
type Page struct {
	CA     string    `json:"ca"`
	Number int64     `json:"number"`
	At     time.Time `json:"at"`
	Events []Event   `json:"events"`
}

// Indexes implements Record: a page is found by its number alone.
func (p *Page) Indexes() []Index { return nil }

// ExpiresAt implements Record.
func (p *Page) ExpiresAt() time.Time { return p.At.Add(FeedRetention) }

// FeedID is the id of an authority's feed.
func (s *Service) FeedID(ca string) string { return FixedID(s.Hasher.Sum("feed", ca)) }

func (s *Service) pageID(ca string, number int64) string {
	return FixedID(s.Hasher.Sum("feed page", ca, strconv.FormatInt(number, 10)))
}

// Place is a place in a feed: before the entry of that offset in that page.
type Place struct {
	Page   int64 `json:"page"`
	Offset int   `json:"offset,omitempty"`
}

// before says whether the place is nearer to the feed's beginning.
func (p Place) before(o Place) bool {
	return p.Page < o.Page || p.Page == o.Page && p.Offset < o.Offset
}

// Cursor writes a place so that nobody reads more into it.
func (p Place) Cursor() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "f%d.%d", p.Page, p.Offset))
}

// errCursor is for a text that is not a cursor of ours.
func errCursor() error {
	return &InputError{Field: "after", Code: "cursor_malformed", Detail: "is not a cursor that this feed gave"}
}

// parseCursor reads what Cursor wrote; an *InputError for anything else.
func parseCursor(text string) (Place, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	page, offset, ok := strings.Cut(strings.TrimPrefix(string(raw), "f"), ".")
	if err != nil || !ok || len(raw) > 40 {
		return Place{}, errCursor()
	}
	n, err1 := strconv.ParseInt(page, 10, 64)
	o, err2 := strconv.Atoi(offset)
	p := Place{n, o}
	if err1 != nil || err2 != nil || n < 1 || o < 0 || o > PageEvents || p.Cursor() != text {
		return Place{}, errCursor()
	}
	return p, nil
}

// ErrEventsExpired: the events behind the cursor are no longer kept. Whoever reads
// begins anew, without a cursor, and looks at its objects themselves.
var ErrEventsExpired = errors.New("events have expired")

// Events returns up to limit events of an authority behind a cursor, the oldest that are
// kept for an empty one, and the cursor behind the last of them. If there is none it waits
// for one, as long as wait says. Errors: *InputError for the cursor, ErrEventsExpired.
func (s *Service) Events(ctx context.Context, ca *Authority, after string, limit int, wait time.Duration) (events []Event, next string, err error) {
	var at Place
	if after != "" {
		if at, err = parseCursor(after); err != nil {
			return nil, "", err
		}
	} else if at, err = s.oldest(ctx, ca.Name); err != nil {
		return nil, "", err
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	topic := feedTopic(ca.Name)
	for {
		listed := s.local().changes.listen(topic)
		events, at, err = s.read(ctx, ca.Name, at, limit)
		if err != nil || len(events) > 0 || wait <= 0 {
			s.local().changes.drop(topic, listed)
			return events, at.Cursor(), err
		}
		select {
		case <-listed:
			continue
		case <-time.After(pollInterval): // another process may have listed some
		case <-s.local().stopping:
			wait = 0
		case <-over.C:
			wait = 0
		case <-ctx.Done():
			wait = 0
		}
		s.local().changes.drop(topic, listed)
		if wait == 0 {
			return nil, at.Cursor(), nil
		}
	}
}

// feedTopic is what waiters for a feed listen to; ids of cases are never like it.
func feedTopic(ca string) string { return "feed " + ca }

// read returns up to limit events from a place on, and the place behind them.
func (s *Service) read(ctx context.Context, ca string, at Place, limit int) ([]Event, Place, error) {
	var events []Event
	for len(events) < limit {
		page, err := s.Pages.Get(ctx, s.pageID(ca, at.Page))
		if errors.Is(err, ErrNotFound) {
			if len(events) > 0 {
				break
			}
			next, err := s.beyond(ctx, ca, at)
			if err != nil || next == at {
				return nil, at, err
			}
			at = next
			continue
		}
		if err != nil {
			return nil, at, fmt.Errorf("read feed: %w", err)
		}
		from := min(at.Offset, len(page.Events))
		to := min(len(page.Events), from+limit-len(events))
		events = append(events, page.Events[from:to]...)
		if at.Offset = to; to == len(page.Events) {
			at = Place{Page: at.Page + 1}
		}
	}
	return events, at, nil
}

// beyond says where to go on at a place where there is no page: there, if it has not been made yet, and behind what the store has lost.
func (s *Service) beyond(ctx context.Context, ca string, at Place) (Place, error) {
	f, err := s.Feeds.Get(ctx, s.FeedID(ca))
	switch {
	case errors.Is(err, ErrNotFound) && at.Page == 1:
		return at, nil
	case err == nil && (at.Page == f.Next || at.Page == f.Next+1): // Next may be one behind
		return at, nil
	case err == nil && at.Page < f.Next:
		// It may have been made between the two looks.
		if _, err := s.Pages.Get(ctx, s.pageID(ca, at.Page)); !errors.Is(err, ErrNotFound) {
			return at, err
		}
		to, lost, err := s.passGap(ctx, f, at.Page)
		if err == nil && !lost {
			err = ErrEventsExpired
		}
		return to, err
	case err == nil, errors.Is(err, ErrNotFound): // ahead of what is there: no cursor of ours is
		return at, errCursor()
	}
	return at, fmt.Errorf("read feed: %w", err)
}
