package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// doctorCommand says which of the configured parts answer. It sends nothing to
// anybody, and may run beside the service.
type doctorCommand struct{}

// checkup is one part and what it says.
type checkup struct {
	part   string
	detail string
	err    error
	warn   bool // err is no reason to fail
}

const doctorTimeout = 15 * time.Second

// Run implements the subcommand: exit code 1 if any part does not work.
func (doctorCommand) Run(g *globals) error {
	c, report, err := loadConfig(g.configFile, g.environ, readSecrets)
	if err != nil {
		return err
	}
	report.print(g.stderr)
	ctx, cancel := context.WithTimeout(g.ctx, 4*doctorTimeout)
	defer cancel()
	sick := 0
	tell := func(u checkup) {
		mark := "ok  "
		if u.err != nil {
			mark, u.detail = "FAIL", u.err.Error()
			if u.warn {
				mark = "warn"
			} else {
				sick++
			}
		}
		fmt.Fprintf(g.stdout, "%s  %-13s %s\n", mark, u.part, u.detail)
	}
	tell(checkup{part: "config", detail: g.configFile})
	for _, u := range checkStore(ctx, c, g.now) {
		tell(u)
	}
	for _, u := range checkProviders(ctx, c, g.now) {
		tell(u)
	}
	for _, u := range checkDNS(ctx, c, g.now) {
		tell(u)
	}
	for _, l := range c.listeners() {
		for _, u := range checkListener(ctx, l, g.now()) {
			tell(u)
		}
	}
	if sick > 0 {
		return fmt.Errorf("%d of the configured parts do not work", sick)
	}
	return nil
}

// checkStore opens the store, and asks the servers behind it how they are set.
func checkStore(ctx context.Context, c *Config, now func() time.Time) []checkup {
	u := checkup{part: "store", detail: c.Store.place() + " opens, writes and reads; so does its key ring " + c.Store.KeyRing}
	if c.Store.Kind == storeSQLite && notThere(c.Store.Path) {
		u.err, u.warn = fmt.Errorf("%s is not there yet; `countersign ca add` or `countersign serve` makes it", c.Store.Path), true
		return []checkup{u}
	}
	s, err := openStore(ctx, c.Store, false, now)
	if errors.Is(err, errNothingStored) {
		u.err, u.warn = fmt.Errorf("%s answers, and holds nothing yet; `countersign ca add` or `countersign serve` begins it", c.Store.place()), true
		return []checkup{u}
	}
	if err != nil {
		u.err = err
		return []checkup{u}
	}
	defer s.Close()
	u.err = useStore(ctx, c, s, now)
	all := append([]checkup{u}, checkIdentities(ctx, c, s, now)...)
	all = append(all, checkBindings(ctx, c, s, now)...)
	all = append(all, checkHooks(ctx, c, s, now)...)
	all = append(all, checkLog(ctx, c, s, now)...)
	all = append(all, checkPolicy(ctx, c, s, now)...)
	if s.shared == nil {
		return all
	}
	return append(all, checkServers(ctx, c.Store.Redis, s.shared)...)
}

// checkLog says whether the log can go on. It does not replay it: `countersign audit verify` does.
func checkLog(ctx context.Context, c *Config, s *storage, now func() time.Time) []checkup {
	service, err := s.service(c, now, nil)
	if err != nil {
		return nil // useStore has said it
	}
	t, u, next := s.tree(c, service, now), checkup{part: "log"}, int64(1)
	h, err := t.Head(ctx)
	switch {
	case errors.Is(err, proofing.ErrNotFound):
		u.detail = "nothing is entered yet"
	case err != nil:
		u.err = err
		return []checkup{u}
	default:
		u.detail = fmt.Sprintf("%d entries as of %s", h.Size, when(h.At))
		if u.err = t.Own(h); u.err != nil {
			return []checkup{u}
		}
		next = h.Page
	}
	if _, err := service.LogPage(ctx, next); err != nil && !errors.Is(err, proofing.ErrNotFound) {
		u.err = fmt.Errorf("the tree does not grow any more: %w", err)
		return []checkup{u}
	}
	if u.err = t.Admit(ctx); u.err == nil && c.Audit.CheckpointFile != "" {
		u.detail += ", and " + c.Audit.CheckpointFile + " shows no more"
		if h != nil && notThere(c.Audit.CheckpointFile) {
			u.err, u.warn = fmt.Errorf("%s is not there: the service writes it with the next checkpoint, and until then nothing shows whether the store is an older one", c.Audit.CheckpointFile), true
		}
	}
	return []checkup{u}
}

// checkPolicy says which policy is in force where two administrators must approve it, whether this configuration goes with it, and what waits for them.
func checkPolicy(ctx context.Context, c *Config, s *storage, now func() time.Time) []checkup {
	service, err := s.service(c, now, nil)
	if err != nil {
		return nil // useStore has said it
	}
	u := checkup{part: "policy"}
	book, err := service.PolicyBook(ctx)
	if errors.Is(err, proofing.ErrNotFound) {
		return nil
	}
	if u.err = err; err != nil {
		return []checkup{u}
	}
	ruled, err := c.under(book.InForce, nil)
	if err != nil {
		u.err = fmt.Errorf("the approved policy does not go with the rest of the configuration, and the service does not start with it: %w", err)
		return []checkup{u}
	}
	u.detail = fmt.Sprintf("%s, approved %s", book.InForce.Digest, when(book.InForce.Since))
	same, err := c.means(book.InForce.Text)
	closed := ruled.closedIssuers()
	switch {
	case err != nil:
		u.err = err
	case book.Proposed != nil:
		u.err, u.warn = fmt.Errorf("a proposal of %s with %d changes waits for two administrators at %s/admin/policy; until then the approved policy is in force", when(book.Proposed.Proposed.At), len(book.Proposed.Changes), c.Origin), true
	case !same:
		u.err, u.warn = errors.New("this configuration has another policy than the approved one, which is in force: the next start or reload proposes it, unless it was refused or was in force before (`countersign policy propose`)"), true
	case len(closed) > 0:
		u.err, u.warn = fmt.Errorf("the approved policy has issuers that this configuration has nothing to log in with: %s", strings.Join(closed, ", ")), true
	}
	return []checkup{u}
}

// useStore writes and reads a counter of its own, which expires at once, and reads a record.
func useStore(ctx context.Context, c *Config, s *storage, now func() time.Time) error {
	if _, _, err := store.NewLimiter(s.kv).Add(ctx, "doctor", 1, time.Second); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if s.shared != nil {
		there, err := s.shared.Clock(ctx)
		if err == nil {
			err = checkClock(now(), there, "the store").err
		}
		if err != nil {
			return fmt.Errorf("its clock: %w", err)
		}
	}
	service, err := s.service(c, now, nil)
	if err == nil {
		_, _, err = service.Authorities.List(ctx, proofing.Query{Index: "all", Limit: 1})
	}
	return err
}

// checkServers says of each master what it promises, beside what the configuration wants of it.
func checkServers(ctx context.Context, c RedisConfig, shared *store.Redis) []checkup {
	servers, err := shared.Servers(ctx)
	if err != nil {
		return []checkup{{part: "redis", err: err}}
	}
	var all []checkup
	for _, s := range servers {
		u := checkup{part: "redis", detail: s.String()}
		switch {
		case s.Err != nil: // it was opened, so less is accepted
			u.err, u.warn = errors.New(s.String()), c.AcceptLessDurable
		case s.Replicas < c.Replicas:
			u.err = fmt.Errorf("%s has %d replicas, and store.redis.replicas wants %d to have each change: nothing can be written", s.Addr, s.Replicas, c.Replicas)
		case s.Replicas > 0 && c.Replicas == 0:
			u.err, u.warn = fmt.Errorf("%s has %d replicas, and store.redis.replicas is 0: what was acknowledged is lost if one takes over that has not got it", s.Addr, s.Replicas), true
		case s.Replicas > 0 && s.MinReplicas == 0:
			u.err, u.warn = fmt.Errorf("%s has %d replicas, and its min-replicas-to-write is 0: cut off from them it goes on acknowledging what will be lost", s.Addr, s.Replicas), true
		}
		all = append(all, u)
	}
	return all
}

// checkProviders asks every provider of messages as far as its authentication, and
// compares the clock with whoever tells the time.
func checkProviders(ctx context.Context, c *Config, now func() time.Time) []checkup {
	a := &app{config: c, now: now}
	router, err := a.newRouter()
	if err != nil {
		return []checkup{{part: "providers", err: err}}
	}
	defer router.Close()
	clock := checkup{part: "clock", err: errors.New("no configured part tells the time, so nothing compares it; run a time service such as chrony"), warn: true}
	var all []checkup
	for _, channel := range []proofing.Channel{proofing.ChannelEmail, proofing.ChannelPhone} {
		name, told, err := router.Probe(ctx, channel)
		if name == "" {
			all = append(all, checkup{part: string(channel), detail: "nothing is configured to deliver it"})
			continue
		}
		u := checkup{part: string(channel), detail: name + " answers, and takes our credentials", err: err}
		if name == providerMailbox {
			u.detail = "the mailbox page shows what would have been sent"
		}
		all = append(all, u)
		if !told.IsZero() {
			clock = checkClock(now(), told, name)
		}
	}
	return append(all, clock)
}

// mostSkew is how far clocks may differ: tokens and codes are judged by them.
const mostSkew = 30 * time.Second

func checkClock(here, there time.Time, who string) checkup {
	skew := here.Sub(there).Round(time.Second)
	u := checkup{part: "clock", detail: fmt.Sprintf("within %s of %s's", skew.Abs(), who)}
	if skew.Abs() > mostSkew {
		u.err = fmt.Errorf("%s away from %s's: set it right, or codes expire at the wrong time", skew, who)
	}
	return u
}
