package challenges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const (
	// remoteLife is how long metadata and keys of a provider are used: a key that it has
	// withdrawn is believed for no longer.
	remoteLife = time.Hour
	// remotePause is the least time between two fetches of the same thing, whatever tokens arrive and however they end: anybody can
	// make up a token with a key id that is not there.
	remotePause = 30 * time.Second
	// remoteTimeout bounds a call to a provider, from the name's look-up to the last byte.
	remoteTimeout = 10 * time.Second
)

// remote is something of a provider that is fetched when it is needed and kept for a while. Of many that need it at
// once one fetches it, and all have what comes of it.
type remote[T any] struct {
	what  string // for errors
	now   func() time.Time
	fetch func(context.Context) (T, error)

	mu     sync.Mutex
	value  T
	at     time.Time // of the value; zero: there is none
	tried  time.Time // the last fetch, also of one that failed; zero: none
	failed error     // what came of it
	flight chan struct{}
}

// last is the value as it was last seen, however old.
func (r *remote[T]) last() (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, !r.at.IsZero()
}

// fresh is the value, fetched anew if it is old. The error wraps proofing.ErrUnavailable.
func (r *remote[T]) fresh(ctx context.Context) (T, error) {
	value, _, err := r.since(ctx, func(at time.Time) bool { return r.now().Sub(at) < remoteLife })
	return value, err
}

// newer is a value that was fetched after a certain one, where that is allowed already; if not, ok is false.
func (r *remote[T]) newer(ctx context.Context, than time.Time) (value T, ok bool, err error) {
	value, at, err := r.since(ctx, func(at time.Time) bool { return at.After(than) })
	if errors.Is(err, errTooSoon) {
		return value, false, nil
	}
	return value, err == nil && at.After(than), err
}

// errTooSoon: a fetch was made a moment ago, and this one must wait.
var errTooSoon = fmt.Errorf("it was asked for a moment ago: %w", proofing.ErrUnavailable)

// since is a value that is good enough, with the time of its fetch.
func (r *remote[T]) since(ctx context.Context, good func(at time.Time) bool) (T, time.Time, error) {
	for {
		r.mu.Lock()
		if !r.at.IsZero() && good(r.at) {
			defer r.mu.Unlock()
			return r.value, r.at, nil
		}
		if r.flight == nil {
			if age := r.now().Sub(r.tried); !r.tried.IsZero() && age >= 0 && age < remotePause {
				defer r.mu.Unlock()
				if r.failed != nil {
					return r.value, r.at, r.failed
				}
				return r.value, r.at, fmt.Errorf("%s: %w", r.what, errTooSoon)
			}
			r.tried, r.flight = r.now(), make(chan struct{})
			// Who asked may leave; others wait for the same.
			go r.load(context.WithoutCancel(ctx), r.flight)
		}
		flight := r.flight
		r.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			var none T
			return none, time.Time{}, fmt.Errorf("%s: %w: %w", r.what, proofing.ErrUnavailable, ctx.Err())
		}
	}
}

func (r *remote[T]) load(ctx context.Context, flight chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	value, err := r.fetch(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed = nil; err != nil {
		r.failed = fmt.Errorf("%s: %w: %w", r.what, proofing.ErrUnavailable, err)
	} else {
		r.value, r.at = value, r.now()
	}
	r.flight = nil
	close(flight)
}

// get reads what a URL answers, up to a size.
func get(ctx context.Context, client *http.Client, url string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err // names the URL
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: it answers %d", url, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("GET %s: %w", url, err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("GET %s: it answers more than %d bytes", url, most)
	}
	return body, nil
}
