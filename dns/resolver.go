// Package dns asks the operator's resolver for CAA records (RFC 8659). It follows no delegation and validates no signature by itself: a
// resolver that does is what it asks.
package dns

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const (
	// mostLabels is how many labels a name may have whose tree is climbed; each is a question.
	mostLabels = 32
	// mostAliases is how many aliases are followed one by one where the resolver leaves that to us.
	mostAliases = 8
	// atOnce is how many questions are under way at one time.
	atOnce = 64
	// defaultTimeout is for a whole lookup.
	defaultTimeout = 5 * time.Second
)

// Resolver implements proofing.CAALookup.
type Resolver struct {
	o       Options
	servers func() ([]netip.AddrPort, error)
	room    chan struct{}

	mu      sync.Mutex
	flights map[string]*flight
	cache   cache
}

// Options are how a Resolver asks.
type Options struct {
	// Servers are the resolvers, in the order in which they are asked. None: those that the system asks.
	Servers []netip.AddrPort
	// Timeout is how long one lookup takes at most; 0: 5 s.
	Timeout time.Duration
	// Now is the clock that answers age by; nil: the system's.
	Now func() time.Time
}

// New makes a Resolver. It holds nothing that has to be closed.
func New(o Options) *Resolver {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Resolver{o: o, room: make(chan struct{}, atOnce), flights: map[string]*flight{}, servers: (&systemServers{path: resolvConf, now: o.Now}).list}
	if len(o.Servers) > 0 {
		r.servers = func() ([]netip.AddrPort, error) { return o.Servers, nil }
	}
	return r
}

// CAA implements proofing.CAALookup by the algorithm of RFC 8659 3: the first of the name and its parents that has records decides, the root
// left out. The tree of an alias's target is not climbed.
func (r *Resolver) CAA(ctx context.Context, domain string) (proofing.CAASet, error) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	if strings.Count(domain, ".") >= mostLabels {
		return proofing.CAASet{}, &proofing.CAALookupError{At: domain, Why: "the name has too many labels"}
	}
	for at := domain; at != ""; _, at, _ = strings.Cut(at, ".") {
		a, err := r.resolve(ctx, at)
		if err != nil {
			return proofing.CAASet{}, lookupError(at, err)
		}
		if len(a.records) > 0 {
			return proofing.CAASet{At: at, Records: a.records}, nil
		}
	}
	return proofing.CAASet{}, nil
}

// lookupError says in words for everybody why nothing is known.
func lookupError(at string, err error) error {
	why := "the resolver could not be reached"
	if f, ok := errors.AsType[*fault](err); ok {
		why = f.why
	} else if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		why = "nothing came in time"
	}
	return &proofing.CAALookupError{At: at, Why: why, Err: err}
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

// resolve finds the records at one name, or at what it is an alias of.
func (r *Resolver) resolve(ctx context.Context, name string) (answer, error) {
	for range mostAliases {
		a, err := r.records(ctx, name)
		if err != nil || a.alias == "" {
			return a, err
		}
		name = a.alias
	}
	return answer{}, endless
}

// flight is one question that is under way.
type flight struct {
	done   chan struct{}
	answer answer
	err    error
}

// records is what is at one name: remembered, or asked for once however many wait for it. A flight goes on when those who wait give up,
// so that the next ones find its answer.
func (r *Resolver) records(ctx context.Context, name string) (answer, error) {
	r.mu.Lock()
	if a, ok := r.cache.get(name, r.o.Now()); ok {
		r.mu.Unlock()
		return a, nil
	}
	f := r.flights[name]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		r.flights[name] = f
		go r.fly(context.WithoutCancel(ctx), name, f)
	}
	r.mu.Unlock()
	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

func (r *Resolver) fly(ctx context.Context, name string, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	select {
	case r.room <- struct{}{}:
		f.answer, f.err = r.ask(ctx, name)
		<-r.room
	case <-ctx.Done():
		f.err = &fault{"too many other names are being looked up"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if delete(r.flights, name); f.err == nil {
		r.cache.put(name, f.answer, r.o.Now())
	}
	close(f.done)
}
