package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const (
	// policyInterval is how soon a process sees what was approved in another one, policyAgain how soon it tries once more what it could not take
	// up, and policyTimeout how long the book is waited for.
	policyInterval = 2 * time.Second
	policyAgain    = time.Minute
	policyTimeout  = 10 * time.Second
)

// ruled is the configuration that is in force: with administrators, that is a configuration under the policy that they have approved. Before is what was in force
// until now; nil at a start. A configError says that the policy and the rest of the configuration do not go together.
func (c *Config) ruled(ctx context.Context, service *proofing.Service, before *Config) (*Config, error) {
	ctx, cancel := context.WithTimeout(ctx, policyTimeout)
	defer cancel()
	book, err := service.PolicyBook(ctx)
	if errors.Is(err, proofing.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the approved policy: %w", err)
	}
	return c.under(book.InForce, before)
}

// rule puts the approved policy in force at a start, before anybody is served. A store that is away is waited for: nobody is served by a policy that
// nobody has approved.
func (a *app) rule(ctx context.Context) error {
	a.read = a.config
	var c *Config
	err := a.patiently(ctx, "the approved policy cannot be read", func() (err error) {
		c, err = a.config.ruled(ctx, a.service, nil)
		return err
	})
	if unfit, is := errors.AsType[configError](err); is {
		return usagef("the approved policy does not go with the rest of the configuration:\n%v\nput back what it needs: a policy that does without it is in force once two administrators have approved it, at %s/admin/policy", unfit, a.config.Origin)
	}
	if err != nil {
		return err
	}
	a.config = c
	a.service.Policy, err = c.policy()
	return err
}

// patiently does at a start what takes the store. One that is away is waited for, until ctx ends.
func (a *app) patiently(ctx context.Context, without string, do func() error) error {
	err := do()
	for away := false; (errors.Is(err, proofing.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)) && ctx.Err() == nil; err = do() {
		if !away {
			a.log.Warn(without+"; waiting for the store", "error", err)
			away = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(policyInterval):
		}
	}
	return err
}

// offer proposes the policy of the configuration that was read, if it is another one than the approved. What cannot be done now is
// done at the next start or reload: the approved one is in force until then.
func (a *app) offer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, policyTimeout)
	defer cancel()
	what, err := a.read.offer(ctx, a.service, false)
	where := a.config.Origin + "/admin/policy"
	switch {
	case err != nil:
		a.log.Error("the policy of the configuration is not proposed; the approved one is in force", "error", err)
	case what == offerProposed:
		a.log.Warn("the configuration has another policy than the approved one, which stays in force until two administrators approve the new one", "policy_in_force", a.service.Policy.Digest, "approve_at", where)
	case what == offerRefused:
		a.log.Warn("the configuration has a policy that was refused; the approved one is in force, and `countersign policy propose` proposes it once more", "policy_in_force", a.service.Policy.Digest)
	case what == offerBefore:
		a.log.Warn("the configuration has a policy that was in force before; the approved one is in force, and `countersign policy propose` proposes to go back", "policy_in_force", a.service.Policy.Digest)
	}
	for _, name := range a.config.closedIssuers() {
		a.log.Warn("the approved policy has an issuer that this configuration does not: nobody logs in by it here", "issuer", name)
	}
}

// What becomes of a policy that is offered.
type offered int

const (
	offerSame     offered = iota // it is in force
	offerProposed                // it waits for two administrators
	offerRefused                 // they have refused it
	offerBefore                  // it was in force before
)

// offer is proofing.OfferPolicy for the policy of a configuration. One that only reads differently is the approved one.
func (c *Config) offer(ctx context.Context, service *proofing.Service, insist bool) (offered, error) {
	text, err := c.policyPart().text()
	if err != nil {
		return offerSame, err
	}
	book, err := service.PolicyBook(ctx)
	if err == nil {
		if same, err := c.means(book.InForce.Text); same || err != nil {
			return offerSame, err
		}
	} else if !errors.Is(err, proofing.ErrNotFound) {
		return offerSame, err
	}
	if book, err = service.OfferPolicy(ctx, text, insist); err != nil || book == nil {
		return offerSame, err
	}
	switch digest := proofing.PolicyDigest(text); {
	case digest == book.InForce.Digest:
		return offerSame, nil
	case book.Proposed != nil && book.Proposed.Digest == digest:
		return offerProposed, nil
	case slices.Contains(book.Refused, digest):
		return offerRefused, nil
	}
	return offerBefore, nil
}

// watchPolicy tells, until ctx ends, when another policy is in force than the one that requests are answered by.
func (r *reloads) watchPolicy(ctx context.Context, service *proofing.Service) {
	var tried string
	var at time.Time
	for tick := time.NewTicker(policyInterval); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		look, cancel := context.WithTimeout(ctx, policyTimeout)
		book, err := service.PolicyBook(look)
		cancel()
		if err != nil { // there is none, or the store is away, which others say
			continue
		}
		digest := book.InForce.Digest
		if digest == r.policy.Load() || digest == tried && time.Since(at) < policyAgain {
			continue
		}
		tried, at = digest, time.Now()
		select {
		case r.approved <- struct{}{}:
		default: // it is being looked at
		}
	}
}

// takeUp puts the policy in force that two administrators have approved, with what this process has read beside it. It returns nil if
// nothing was changed: the log has said why.
func (a *app) takeUp(ctx context.Context, r *reloads) *app {
	c, err := a.read.ruled(ctx, a.service, a.config)
	var next *app
	if err == nil {
		if c.approved == nil || c.approved.Digest == a.service.Policy.Digest {
			return nil
		}
		next, err = a.with(c, a.read)
	}
	if err == nil {
		if err = next.tellConfiguration(ctx, proofing.UsedApproved); err != nil {
			err = errors.Join(err, next.router.Close())
		}
	}
	if err != nil {
		a.log.Error("a policy that was approved cannot be taken up here; what was in force stays in this process", "error", strings.ReplaceAll(err.Error(), "\n", "; "))
		return nil
	}
	r.show(next)
	a.log.Info("a policy that was approved is in force", "policy", next.service.Policy.Digest, "before", a.service.Policy.Digest, "changed", changedSettings(a.config.spelledOut(), c))
	for _, name := range c.closedIssuers() {
		a.log.Warn("the approved policy has an issuer that this configuration does not: nobody logs in by it here", "issuer", name)
	}
	return next
}
