package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// watchPause is the time between two questions to each sentinel, and so the longest for which a
	// process keeps connections to a master that the sentinels know to be replaced.
	watchPause = time.Second
	// doubtFor is how long most sentinels must go back behind an epoch that one of them has told
	// before they are believed, and nodes of a cluster likewise. It is longer than the eight seconds after
	// which sentinels bring a server that contradicts them into line, so that what one of them knew has gone.
	doubtFor = 10 * time.Second
)

// masterAt is a master as a sentinel names it. Sentinels raise the epoch with each failover, and
// tell one another; of two that differ the higher is right.
type masterAt struct {
	epoch uint64 // config-epoch
	addr  string
}

// report is what one sentinel says.
type report struct {
	masterAt
	up bool // the sentinel does not hold the master for down
}

type sentinel struct {
	client *redis.Client
	busy   bool // it owes an answer; guarded by masters.mu
}

func newSentinel(o RedisOptions, addr string) *sentinel {
	return &sentinel{client: redis.NewClient(&redis.Options{
		Addr: addr, Username: o.SentinelUsername, Password: o.SentinelPassword, TLSConfig: o.TLS,
		MaxRetries:  1,
		DialTimeout: o.Timeout, DialerRetries: 1, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout,
		ContextTimeoutEnabled: true,
		PoolSize:              1, PipelinePoolSize: -1, ReadBufferSize: 4096, WriteBufferSize: 4096,
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}
}

// ask asks the sentinel for the master. While a failover is being finished SENTINEL MASTER has
// the new epoch beside the old address, and only the other command the new one; an
// epoch that is the same before and after it is the address's.
func (s *sentinel) ask(ctx context.Context, master string) (report, error) {
	for {
		pipe := s.client.Pipeline()
		before := redis.NewMapStringStringCmd(ctx, "sentinel", "master", master)
		addr := redis.NewStringSliceCmd(ctx, "sentinel", "get-master-addr-by-name", master)
		after := redis.NewMapStringStringCmd(ctx, "sentinel", "master", master)
		_, _, _ = pipe.Process(ctx, before), pipe.Process(ctx, addr), pipe.Process(ctx, after)
		if _, err := pipe.Exec(ctx); err != nil { // the first that failed
			return report{}, err
		}
		if before.Val()["config-epoch"] == after.Val()["config-epoch"] {
			return newReport(after.Val(), addr.Val())
		}
	}
}

func newReport(facts map[string]string, addr []string) (report, error) {
	if len(addr) != 2 {
		return report{}, fmt.Errorf("an address of %d parts", len(addr))
	}
	epoch, err := strconv.ParseUint(facts["config-epoch"], 10, 64)
	if err != nil {
		return report{}, fmt.Errorf("config-epoch: %w", err)
	}
	down := func(flag string) bool { return flag == "s_down" || flag == "o_down" || flag == "disconnected" }
	return report{
		masterAt: masterAt{epoch, net.JoinHostPort(addr[0], addr[1])},
		up:       !slices.ContainsFunc(strings.Split(facts["flags"], ","), down),
	}, nil
}

// round is one question to all sentinels that do not owe an answer yet.
type round struct {
	began   time.Time
	left    int  // to answer or fail
	late    bool // its grace is over
	reports []report
	errs    []error
	enough  chan struct{} // closed when the answers will do, or no more can come
	done    bool          // enough is closed
}

// find is the term of the master, when a majority of the sentinels has been heard, or those
// that answer at all.
func (m *masters) find(ctx context.Context) (*term, error) {
	r := m.ask()
	select {
	case <-r.enough:
	case <-ctx.Done():
		return nil, fmt.Errorf("ask the sentinels for %s: %w", m.name, ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(r.reports) == 0 {
		return nil, fmt.Errorf("ask the sentinels for %s: %w", m.name, errors.Join(r.errs...))
	}
	return m.term, nil
}

// ask begins a round, unless one is under way in which too little has been heard.
func (m *masters) ask() *round {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.round != nil && !m.round.done {
		return m.round
	}
	r := &round{began: time.Now(), enough: make(chan struct{})}
	m.round = r
	if m.closed {
		r.errs = append(r.errs, errClosed)
		m.conclude(r)
		return r
	}
	for _, s := range m.sentinels {
		if s.busy {
			continue
		}
		s.busy = true
		r.left++
		m.asking.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), m.patience)
			defer cancel()
			ctx, end := until(ctx, m.stop)
			defer end()
			a, err := s.ask(ctx, m.name)
			if err != nil {
				err = fmt.Errorf("%s: %w", s.client.Options().Addr, err)
			}
			m.hear(r, s, a, err)
		})
	}
	time.AfterFunc(m.grace, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		r.late = true
		m.conclude(r)
	})
	return r
}

func (m *masters) hear(r *round, s *sentinel, a report, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.busy = false
	r.left--
	if err != nil {
		r.errs = append(r.errs, err)
	} else {
		r.reports = append(r.reports, a)
		if m.term == nil || a.epoch > m.term.epoch {
			m.begin(a.masterAt)
		}
	}
	if r.left == 0 && m.term != nil {
		m.weigh(r)
	}
	m.conclude(r)
}

// conclude lets those go on who wait for a round, when it has come to something.
func (m *masters) conclude(r *round) {
	if heard := len(r.reports); !r.done && (r.left == 0 || heard > len(m.sentinels)/2 || r.late && heard > 0) {
		r.done = true
		close(r.enough)
	}
}

// weigh believes most sentinels against what one of them said before. In the same epoch no failover
// lies between two addresses, so the new one is the same server's, or an operator's word.
// A lower epoch is old news, as a rule; sentinels that have lost their memory begin at 0
// again, and then it is told by most of them, of a server that is up, for long. The
// caller holds mu.
func (m *masters) weigh(r *round) {
	if r.began.Before(m.weighed) {
		return // a slow sentinel has held it up, and a later one has been weighed
	}
	m.weighed = r.began
	votes := map[masterAt]int{}
	var most masterAt
	newest := uint64(0)
	for _, a := range r.reports {
		newest = max(newest, a.epoch)
		if a.up {
			votes[a.masterAt]++
		}
		if votes[a.masterAt] > votes[most] {
			most = a.masterAt
		}
	}
	switch {
	case votes[most] <= len(m.sentinels)/2 || most == m.term.masterAt:
	case most.epoch == m.term.epoch:
		m.begin(most)
		return
	case newest < m.term.epoch && m.doubted.IsZero():
		m.doubted = time.Now()
		return
	case newest < m.term.epoch:
		if r.began.Sub(m.doubted) >= doubtFor {
			m.begin(most)
		}
		return
	}
	m.doubted = time.Time{}
}

// watch asks again and again, since connections that work ask for nothing.
func (m *masters) watch() {
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			m.ask()
		}
	}
}
