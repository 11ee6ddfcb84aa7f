package acme

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const (
	// replyLifetime is how long an Idempotency-Key is remembered.
	replyLifetime = 24 * time.Hour
	// replyLease is after what time the process that works on a request is taken for
	// dead: it may take a minute, and whoever judges may have another clock.
	replyLease = time.Minute + proofing.ClockSkew
	// settleTimeout bounds how long keeping or releasing a reply may take.
	settleTimeout = 5 * time.Second
)

// Reply is what was answered to one request with an Idempotency-Key, or the claim
// of the process that is working on it. The request is kept as a keyed hash; the
// answer carries the case's link and is erased with the record.
type Reply struct {
	ID      string            `json:"id"`
	Request string            `json:"request"` // keyed hash of the body, and of the object that it is for
	Owner   string            `json:"owner"`   // who works on it
	Lease   time.Time         `json:"lease"`   // until when the owner is believed
	Status  int               `json:"status"`  // 0: no answer yet
	Header  map[string]string `json:"header,omitempty"`
	Body    proofing.Secret   `json:"body,omitempty"`
	Problem string            `json:"problem,omitempty"`
	Expires time.Time         `json:"expires"`
}

// Indexes implements proofing.Record.
func (r *Reply) Indexes() []proofing.Index { return nil }

// ExpiresAt implements proofing.Record.
func (r *Reply) ExpiresAt() time.Time { return r.Expires }

func (r *Reply) answer() answer {
	return answer{status: r.Status, header: r.Header, body: []byte(r.Body.Reveal()), problem: r.Problem}
}

// once honours the Idempotency-Key of a request that creates: of many with the
// same key, route and body, one is worked on, and all get its answer.
func (a *api) once(h handler) handler {
	return func(c *call) (answer, error) {
		key, err := idempotencyKey(c.Header.Values("Idempotency-Key"))
		if err != nil {
			return answer{}, err
		}
		if key == "" {
			return h(c)
		}
		hasher, request := a.Service.Hasher, []string{string(c.body)}
		if strings.Contains(c.Pattern, "{") { // the route is of many objects
			request = append(request, c.URL.Path)
		}
		claim := &Reply{
			ID:      proofing.FixedID(hasher.Sum("idempotency", c.ca.Name, c.Pattern, key)),
			Request: hasher.Hex("idempotent request", request...),
			Owner:   proofing.NewToken().Reveal(),
		}
		kept, err := a.claim(c.Context(), claim)
		if err != nil {
			return answer{}, err
		}
		if kept != nil {
			return kept.answer(), nil
		}
		ans, err := h(c)
		if err != nil {
			p := problemOf(err, a.Service.Now())
			if p.Status >= 500 || p.Type == typeRateLimited { // trying again must be able to end otherwise
				a.release(c, claim)
				return answer{}, err
			}
			ans = p.answer()
		}
		a.keep(c, claim, ans)
		return ans, nil
	}
}

// idempotencyKey reads the header: up to 255 visible ASCII characters, as they are
// or as a structured-field string (RFC 9651 3.3.3). It is empty if there is none.
func idempotencyKey(given []string) (string, error) {
	if len(given) == 0 {
		return "", nil
	}
	invalid := newProblem(typeIdempotencyKeyInvalid, `send one Idempotency-Key of 1 to 255 visible ASCII characters without spaces, quotes and backslashes`)
	if len(given) > 1 {
		return "", invalid
	}
	key := given[0]
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	outside := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }
	if key == "" || len(key) > 255 || strings.ContainsFunc(key, outside) {
		return "", invalid
	}
	return key, nil
}

// claim makes the request this process's to work on. It returns the reply that
// is kept already, or a problem if another process is at work or the key was used for
// something else. A claim whose lease is over was left by a process that died: it is taken over.
func (a *api) claim(ctx context.Context, claim *Reply) (*Reply, error) {
	now := a.Service.Now()
	claim.Lease, claim.Expires = now.Add(replyLease), now.Add(replyLifetime)
	err := a.Replies.Create(ctx, claim.ID, claim)
	if err == nil {
		return nil, nil
	}
	if !errors.Is(err, proofing.ErrExists) {
		return nil, fmt.Errorf("claim idempotency key: %w", err)
	}
	kept, err := a.Replies.Get(ctx, claim.ID)
	if err == nil && kept.abandoned(claim, now) {
		kept, err = a.Replies.Update(ctx, claim.ID, func(r *Reply) error {
			if r.abandoned(claim, now) {
				*r = *claim
			}
			return nil
		})
	}
	switch {
	case isNotFound(err): // it ended between the two
		return nil, inUse()
	case err != nil:
		return nil, fmt.Errorf("claim idempotency key: %w", err)
	case kept.Request != claim.Request:
		return nil, newProblem(typeIdempotencyKeyReused, "this Idempotency-Key was used with another body")
	case kept.Owner == claim.Owner:
		return nil, nil
	case kept.Status == 0:
		return nil, inUse()
	}
	return kept, nil
}

// abandoned says whether the reply is another's claim to the same request, and its lease is over.
func (r *Reply) abandoned(claim *Reply, now time.Time) bool {
	return r.Request == claim.Request && r.Status == 0 && !now.Before(r.Lease)
}

func inUse() *problem {
	p := newProblem(typeIdempotencyKeyInUse, "a request with this Idempotency-Key is being worked on")
	p.retryAfter = time.Second
	return p
}

// keep stores the answer under the claim. If that fails the object still exists
// and its answer is still true: it is given, and the lease ends the claim.
func (a *api) keep(c *call, claim *Reply, ans answer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), settleTimeout)
	defer cancel()
	_, err := a.Replies.Update(ctx, claim.ID, func(r *Reply) error {
		if r.Owner == claim.Owner {
			r.Status, r.Header, r.Body, r.Problem = ans.status, ans.header, proofing.Secret(ans.body), ans.problem
		}
		return nil
	})
	a.warn(c, "idempotent answer not kept", err)
}

// release gives the key free for another try.
func (a *api) release(c *call, claim *Reply) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), settleTimeout)
	defer cancel()
	// Ending the lease and not deleting: the claim may be another's by now.
	_, err := a.Replies.Update(ctx, claim.ID, func(r *Reply) error {
		if r.Owner == claim.Owner {
			r.Lease = time.Time{}
		}
		return nil
	})
	a.warn(c, "idempotency key not released", err)
}

func (a *api) warn(c *call, message string, err error) {
	if err != nil {
		a.Log.WarnContext(c.Context(), message, slog.String("route", c.Pattern), slog.Any("error", err))
	}
}
