package proofing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lookAhead is how far behind a page that is missing others are looked for at once. Where at least one of so many in a row is
// there, pages that the store has lost are told from those that have expired.
const lookAhead = 16

// nextKept is the first page that is kept of the next lookAhead before end; nil if there is none.
func (s *Service) nextKept(ctx context.Context, ca string, from, end int64) (*Page, error) {
	end = min(end, from+lookAhead)
	for _, part := range [][2]int64{{from, min(from+1, end)}, {from + 1, end}} { // mostly it is the first
		pages := make([]*Page, max(0, part[1]-part[0]))
		err := readAtOnce(len(pages), func(i int) (err error) {
			pages[i], err = s.Pages.Get(ctx, s.pageID(ca, part[0]+int64(i)))
			return ignoreNotFound(err)
		})
		if err != nil {
			return nil, fmt.Errorf("read feed: %w", err)
		}
		for _, p := range pages {
			if p != nil {
				return p, nil
			}
		}
	}
	return nil, nil
}

// firstKept is the first page that is kept before end; nil if there is none.
func (s *Service) firstKept(ctx context.Context, ca string, from, end int64) (p *Page, err error) {
	for ; p == nil && err == nil && from < end; from += lookAhead {
		p, err = s.nextKept(ctx, ca, from, end)
	}
	return p, err
}

// oldest is the place of the oldest page that is kept. Pages expire in the order in which they were made, so it is
// found by halving: where there is nothing for some pages, all that is older has expired.
func (s *Service) oldest(ctx context.Context, ca string) (Place, error) {
	f, err := s.Feeds.Get(ctx, s.FeedID(ca))
	if errors.Is(err, ErrNotFound) {
		return Place{Page: 1}, nil
	}
	if err != nil {
		return Place{}, fmt.Errorf("read feed: %w", err)
	}
	first := Place{Page: f.Next} // it may not be made yet
	for low, high := int64(1), f.Next; low < high; {
		middle := low + (high-low)/2
		p, err := s.nextKept(ctx, ca, middle, f.Next)
		switch {
		case err != nil:
			return Place{}, err
		case p == nil:
			low = middle + 1
		default:
			high, first = middle, Place{Page: min(first.Page, p.Number)}
		}
	}
	return first, nil
}

// placeAt is the place of the first page that was made at or after a time. Times of pages never go back, so it
// is found by halving.
func (s *Service) placeAt(ctx context.Context, ca string, since time.Time) (Place, error) {
	first, err := s.oldest(ctx, ca)
	if err != nil {
		return Place{}, err
	}
	f, err := s.feed(ctx, ca)
	if err != nil {
		return Place{}, err
	}
	low, high := first.Page, f.Next
	for low < high {
		middle := low + (high-low)/2
		p, err := s.firstKept(ctx, ca, middle, high)
		switch {
		case err != nil:
			return Place{}, err
		case p != nil && p.At.Before(since):
			low = p.Number + 1
		default:
			high = middle
		}
	}
	return Place{Page: low}, nil
}

// passGap is where to go on behind a page that was made and is not there. If everything before it is gone as well, pages have
// expired, and it is the oldest that is kept. Otherwise the store has lost some: that is said, and it is the next one.
func (s *Service) passGap(ctx context.Context, f *Feed, missing int64) (to Place, lost bool, err error) {
	to, err = s.oldest(ctx, f.CA)
	if err != nil || missing < to.Page {
		return to, false, err
	}
	p, err := s.firstKept(ctx, f.CA, missing, f.Next)
	if err != nil {
		return to, false, err
	}
	if to = (Place{Page: f.Next}); p != nil {
		to.Page = p.Number
	}
	if s.local().remarks.due(fmt.Sprintf("feed %s %d", f.CA, missing), s.now()) {
		s.Log.ErrorContext(ctx, "the store has lost pages of events, and their CA is not told what was in them", "ca", f.CA, "page", missing, "pages", to.Page-missing)
	}
	return to, true, nil
}
