package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Presence is a note in the store that a process uses it, which goes by itself soon after the
// process does: a store of several machines has no lock that would tell. It is the store for the
// process that left it. While the note may have run out nothing is changed, so that
// one which was paused, and was taken for dead, finds out before it acknowledges anything.
type Presence struct {
	KV
	name string
	who  string
	life time.Duration
	beat atomic.Pointer[time.Time] // when the last renewal began that went well; nil: there is none that holds
	over atomic.Pointer[error]     // why the store is not to be used any more
}

// PresenceLife is how long a note outlives its last Beat; PresenceBeat is the time between two.
// A master of a cluster that dies may take ten seconds to be replaced, and nobody needs to stop for that.
const (
	PresenceLife = 15 * time.Second
	PresenceBeat = 2 * time.Second
)

// Enter leaves the note and then looks whether the store may be used, in this order: whoever marks a
// store as moved does so first and looks for notes then, so that one of the two sees the other.
func Enter(ctx context.Context, kv KV, who string) (*Presence, error) {
	p := newPresence(kv, who, PresenceLife)
	if err := p.Beat(ctx); err != nil {
		return nil, errors.Join(err, p.Leave(ctx))
	}
	return p, nil
}

func newPresence(kv KV, who string, life time.Duration) *Presence {
	id := make([]byte, 8)
	rand.Read(id)
	return &Presence{KV: kv, name: presencePrefix + hex.EncodeToString(id), who: who, life: life}
}

// Beat renews the note. The error wraps ErrMoved or ErrHalf if the store is
// not to be used any more.
func (p *Presence) Beat(ctx context.Context) error {
	began := time.Now()
	op, err := p.op(ctx)
	if err == nil {
		err = p.KV.Apply(ctx, markBucket, []Op{op})
	}
	if err == nil {
		err = InPlace(ctx, p.KV)
	}
	switch {
	case err == nil:
		p.over.Store(nil)
		p.beat.Store(&began)
	case errors.Is(err, ErrMoved) || errors.Is(err, ErrHalf):
		p.over.Store(&err)
		p.beat.Store(nil)
	}
	return err
}

func (p *Presence) op(ctx context.Context) (Op, error) {
	now, err := clockOf(ctx, p.KV)
	return Op{Name: p.name, If: Any, Value: []byte(p.who), Expires: now.Add(p.life)}, err
}

// Leave takes the note away.
func (p *Presence) Leave(ctx context.Context) error {
	p.beat.Store(nil)
	return p.KV.Apply(ctx, markBucket, []Op{{Name: p.name, If: Any, Delete: true}})
}

var errAbsent = errors.New("this process could not renew its note in the store, or was paused: it may be taken for dead")

// holds is an error unless the note is certainly there.
func (p *Presence) holds(doing string) error {
	if over := p.over.Load(); over != nil {
		return unavailable(doing, *over)
	}
	beat := p.beat.Load()
	// The clock that never jumps stands still while a machine sleeps, and the other does not.
	if beat == nil || time.Since(*beat) >= p.life || time.Now().Round(0).Sub(beat.Round(0)).Abs() >= p.life {
		return unavailable(doing, errAbsent)
	}
	return nil
}

// Apply implements KV. The note is looked for before, and again behind the change: whoever moves the
// store waits until the note is gone, so that they have what is acknowledged while it is there.
func (p *Presence) Apply(ctx context.Context, bucket string, ops []Op) error {
	if err := p.holds("apply"); err != nil {
		return err
	}
	if err := p.KV.Apply(ctx, bucket, ops); err != nil {
		return err
	}
	return p.holds("apply")
}

// Add implements KV, like Apply.
func (p *Presence) Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (int64, time.Time, error) {
	if err := p.holds("add"); err != nil {
		return 0, time.Time{}, err
	}
	total, expires, err := p.KV.Add(ctx, bucket, name, delta, ttl)
	if err == nil {
		err = p.holds("add")
	}
	return total, expires, err
}

// clockOf is the time by which the store judges expiry, which notes must be set by: they
// are shorter than clocks may differ.
func clockOf(ctx context.Context, kv KV) (time.Time, error) {
	if timed, ok := kv.(interface {
		Clock(ctx context.Context) (time.Time, error)
	}); ok {
		return timed.Clock(ctx)
	}
	return time.Now(), nil
}

// unused waits until nobody uses the store. Of whom it finds it sees soon enough whether they live:
// a note that is renewed is an error that wraps ErrInUse and names who left it, and one that is not runs out.
func unused(ctx context.Context, kv KV) error {
	first := map[string]uint64{}
	for {
		notes, err := kv.Scan(ctx, markBucket, presencePrefix, "", MaxScan)
		if err != nil || len(notes) == 0 {
			return err
		}
		for _, note := range notes {
			version, known := first[note.Name]
			if !known {
				first[note.Name] = note.Version
			} else if version != note.Version {
				return fmt.Errorf("%w by %s", ErrInUse, note.Value)
			}
		}
		select {
		case <-ctx.Done():
			return unavailable("wait for who uses the store", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
