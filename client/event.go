package client

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Event is a change of one of the authority's objects. It says little; ask for the object to know more.
type Event struct {
	ID        string    `json:"id"` // the same however often it is told
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Sequence  int64     `json:"sequence"` // counts the events of one object from 1 on
	Data      struct {
		Preauthorization string `json:"preauthorization,omitempty"`
		URL              string `json:"url,omitempty"`
		Status           string `json:"status,omitempty"`
		Challenge        string `json:"challenge,omitempty"`
		Frozen           bool   `json:"frozen"`
		// Ends is when a grant ends under which something has given way; nil for others.
		Ends       *time.Time `json:"ends,omitempty"`
		Reason     string     `json:"reason"`
		Profile    string     `json:"profile,omitempty"`
		ExternalID string     `json:"external_id,omitempty"`
		// CertificateSHA256 is of a certificate that is to be revoked (preauthorization.certificate_disowned).
		CertificateSHA256 string `json:"certificate_sha256,omitempty"`
		// Kid is the name of the key of external account bindings that was revoked (eab_key.revoked): believe none of its bindings any more.
		Kid string `json:"kid,omitempty"`
	} `json:"data"`
}

// EventsPage is a part of the authority's feed.
type EventsPage struct {
	Events []Event `json:"events"`
	// Next is the cursor behind the last of them. Keep it when they have been dealt with.
	Next string `json:"next"`
}

// Events reads what has changed behind a cursor, which is empty at the beginning: limit events at most (0: as many as the service gives), waiting up to so long, a minute at
// most, if there is none. Behind a cursor that is too old it is the problem EventsExpired: look at your objects then, and begin anew without one.
func (c *Client) Events(ctx context.Context, after string, limit int, wait time.Duration) (*EventsPage, error) {
	p, err := fetch[EventsPage](ctx, c, call{method: http.MethodGet, path: "/v1/events" + page(after, limit, wait), wait: min(wait, maxPatience)})
	if err != nil {
		if IsProblem(err, EventsExpired) {
			c.answers.forgetAll() // what was missed may be about any of them
		}
		return nil, err
	}
	for _, e := range p.Events {
		c.heard(e)
	}
	return p, nil
}

// heard drops what may no longer hold after the event.
func (c *Client) heard(e Event) {
	if e.Data.Preauthorization == "" {
		c.answers.forgetAll()
		return
	}
	c.answers.forget(e.Data.Preauthorization)
}

// Follow reads the feed from a cursor on and hands over one page after the other, until the context ends or handle fails. handle gets pages with events only, and keeps
// page.Next when it is done with them: what it has not kept comes again. An outage of the service is waited out, and so is whatever answers in its place.
func (c *Client) Follow(ctx context.Context, after string, handle func(context.Context, *EventsPage) error) error {
	for failures := 0; ; {
		p, err := c.Events(ctx, after, 0, maxPatience)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if !errors.Is(err, ErrUnavailable) && !IsProblem(err, RateLimited) {
				return err
			}
			failures++
			if err := sleep(ctx, min(firstPause<<min(failures, 10), c.maxWait)); err != nil {
				return err
			}
			continue
		}
		failures = 0
		if len(p.Events) > 0 {
			if err := handle(ctx, p); err != nil {
				return err
			}
		}
		after = p.Next
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
