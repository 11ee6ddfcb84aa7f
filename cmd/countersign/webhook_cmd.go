package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type webhookCommand struct {
	Set    webhookSetCommand    `cmd:"" help:"Say where a CA is told of changes, and print the secret that signs them, once."`
	Secret webhookSecretCommand `cmd:"" help:"Replace the secret; the old one signs beside it for a while."`
	Remove webhookRemoveCommand `cmd:"" help:"Tell a CA nothing any more. It can still ask."`
	List   webhookListCommand   `cmd:"" help:"Say how the webhooks of all CAs are."`
	Dead   webhookDeadCommand   `cmd:"" help:"List the events that a CA's webhook never took."`
	Replay webhookReplayCommand `cmd:"" help:"Try dead events again, or tell again what happened since a time; resumes a webhook that was stopped."`
	Test   webhookTestCommand   `cmd:"" help:"Call a CA's webhook with an event that tells of nothing."`
}

type webhookSetCommand struct {
	Name string `arg:"" help:"The CA."`
	URL  string `arg:"" name:"url" help:"Where it is told: an https URL without user or fragment."`
}

func (c *webhookSetCommand) Run(g *globals) error {
	if err := checkCAURL(c.URL); err != nil {
		return err
	}
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		id, secret, err := a.service.SetWebhook(a.ctx, c.Name, c.URL)
		if err != nil {
			return noSuchCA(err, c.Name)
		}
		// Shown before anything is told: a webhook that is on has a secret that somebody was given.
		if secret != "" {
			if err := a.showWebhookSecret(secret); err != nil {
				return err
			}
		}
		if err := a.service.SetHook(a.ctx, c.Name, id, true); err != nil {
			return fmt.Errorf("%s is told nothing yet; set its webhook again, which prints another secret: %w", c.Name, err)
		}
		if secret == "" {
			a.say("the webhook of %s leads to %s now; its secret stays", c.Name, c.URL)
			return nil
		}
		a.say("%s is told of what changes from now on, at %s; try it with `countersign webhook test %s`", c.Name, c.URL, c.Name)
		return nil
	})
}

// showWebhookSecret prints the secret alone on standard output, for a script to catch.
func (a *admin) showWebhookSecret(secret proofing.Secret) error {
	a.say("the secret that signs the calls (Standard Webhooks); it is shown this once:")
	_, err := a.stdout.Write([]byte(secret.Reveal() + "\n"))
	return err
}

type webhookSecretCommand struct {
	Name    string        `arg:"" help:"The CA."`
	Overlap time.Duration `help:"How long the old secret signs beside the new one; 0 ends it now." default:"24h"`
}

func (c *webhookSecretCommand) Run(g *globals) error {
	if c.Overlap < 0 {
		return usagef("--overlap must not be negative")
	}
	return g.administer(false, func(a *admin) error {
		if _, err := a.hooked(c.Name); err != nil {
			return err
		}
		var secret proofing.Secret
		_, err := a.service.ChangeAuthority(a.ctx, c.Name, func(ca *proofing.Authority) error {
			if ca.Webhook == nil {
				return noWebhook(c.Name)
			}
			secret = ca.Webhook.NewSecret(a.time(), c.Overlap)
			return nil
		})
		if err != nil {
			return noSuchCA(err, c.Name)
		}
		if c.Overlap == 0 {
			a.say("the old secret signs nothing any more")
		} else {
			a.say("the old secret signs beside the new one until %s", when(a.time().Add(c.Overlap)))
		}
		return a.showWebhookSecret(secret)
	})
}

// hooked is the living CA of that name, which must have a webhook.
func (a *admin) hooked(name string) (*proofing.Authority, error) {
	ca, err := a.living(name)
	if err == nil && ca.Webhook == nil {
		return nil, noWebhook(name)
	}
	return ca, err
}

func noWebhook(name string) error {
	return usagef("the CA %s has no webhook: `countersign webhook set %s URL` gives it one", name, name)
}

type webhookRemoveCommand struct {
	Name string `arg:"" help:"The CA."`
}

func (c *webhookRemoveCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.authority(c.Name); err != nil {
			return err
		}
		if err := a.service.RemoveWebhook(a.ctx, c.Name); err != nil {
			return noSuchCA(err, c.Name)
		}
		a.say("%s is told nothing any more; GET /v1/events has what changes, for 30 days", c.Name)
		return nil
	})
}

type webhookListCommand struct {
	JSON bool `name:"json" help:"For machines."`
}

// webhookView is how one webhook is.
type webhookView struct {
	CA      string             `json:"ca"`
	URL     string             `json:"url"`
	Shown   string             `json:"-"`
	Secrets int                `json:"secrets"` // that sign now
	State   proofing.HookState `json:"state"`
	Since   time.Time          `json:"since,omitzero"` // of the state, if it is not well
	Reason  string             `json:"reason,omitempty"`
	Tries   int                `json:"tries,omitempty"`
	Next    time.Time          `json:"next_try,omitzero"`
	Late    int                `json:"late"`
	Dead    int64              `json:"dead"`
}

func viewWebhook(ca *proofing.Authority, h proofing.Hook, now time.Time) webhookView {
	v := webhookView{
		CA: ca.Name, URL: ca.Webhook.URL, Shown: ca.Webhook.Shown(), Secrets: len(ca.Webhook.Keys(now)),
		Reason: h.Reason, Tries: h.Tries, Late: len(h.Late), Dead: h.Buried(),
	}
	if v.State, v.Since = h.State(ca.Webhook); v.State == proofing.HookFailing {
		v.Next = h.Due
	}
	return v
}

func (v webhookView) row() []string {
	state := string(v.State)
	if !v.Since.IsZero() {
		state += " since " + when(v.Since)
	}
	return []string{v.CA, state, orDash(v.Reason), strconv.Itoa(v.Late), strconv.FormatInt(v.Dead, 10), when(v.Next), strconv.Itoa(v.Secrets), v.Shown}
}

func (c *webhookListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		all, err := everything(a, a.service.Authorities, "all")
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(x, y *proofing.Authority) int { return cmp.Compare(x.Name, y.Name) })
		var views []webhookView
		for _, ca := range all {
			if ca.Webhook == nil || !ca.Revoked.IsZero() {
				continue
			}
			f, err := a.feed(ca.Name)
			if err != nil {
				return err
			}
			views = append(views, viewWebhook(ca, f.Hook, a.time()))
		}
		return list(g, c.JSON, views, []string{"CA", "STATE", "REASON", "LATE", "DEAD", "NEXT TRY", "SECRETS", "AT"}, webhookView.row)
	})
}

// feed is the CA's feed; an empty one if nothing was ever told.
func (a *admin) feed(ca string) (*proofing.Feed, error) {
	f, err := a.service.Feeds.Get(a.ctx, a.service.FeedID(ca))
	if errors.Is(err, proofing.ErrNotFound) {
		return &proofing.Feed{CA: ca}, nil
	}
	return f, err
}

type webhookDeadCommand struct {
	Name string `arg:"" help:"The CA."`
	JSON bool   `name:"json" help:"For machines."`
}

// deadView is one event that was never taken.
type deadView struct {
	ID     string    `json:"id"`
	Object string    `json:"preauthorization"`
	Change string    `json:"change"`
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	Dead   time.Time `json:"dead_since"`
	Reason string    `json:"reason"`
}

func (c *webhookDeadCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.authority(c.Name); err != nil {
			return err
		}
		f, err := a.feed(c.Name)
		if err != nil {
			return err
		}
		var views []deadView
		for _, d := range f.Hook.Dead {
			views = append(views, deadView{d.Event.ID, d.Event.Object, string(d.Event.Change), string(d.Event.Status), d.Event.At, d.At, d.Reason})
		}
		if f.Hook.Lost > 0 {
			a.say("%d older ones are not listed; GET /v1/events has them for 30 days, and `countersign webhook replay %s --since` tells them again", f.Hook.Lost, c.Name)
		}
		return list(g, c.JSON, views, []string{"EVENT", "CHANGE", "STATUS", "AT", "DEAD SINCE", "REASON"}, func(v deadView) []string {
			return []string{v.ID, v.Change, v.Status, when(v.At), when(v.Dead), v.Reason}
		})
	})
}

type webhookReplayCommand struct {
	Name  string        `arg:"" help:"The CA."`
	Since time.Duration `help:"Tell everything again that happened in this time, such as 2h, instead of trying the dead events." placeholder:"DURATION"`
}

func (c *webhookReplayCommand) Run(g *globals) error {
	if c.Since < 0 || c.Since > proofing.FeedRetention {
		return usagef("--since must be between 0 and %s: older events are not kept", proofing.FeedRetention)
	}
	return g.administer(false, func(a *admin) error {
		if _, err := a.hooked(c.Name); err != nil {
			return err
		}
		var since time.Time
		if c.Since > 0 {
			since = a.time().Add(-c.Since)
		}
		n, err := a.service.Replay(a.ctx, c.Name, since)
		if errors.Is(err, proofing.ErrNotFound) {
			return usagef("nothing was ever told to %s: `countersign webhook set` begins it", c.Name)
		}
		if err != nil {
			return err
		}
		if c.Since > 0 {
			a.say("%s is told again what happened since %s; what it has seen already, it knows by its id", c.Name, when(since))
			return nil
		}
		f, err := a.feed(c.Name)
		if err != nil {
			return err
		}
		a.say("%d dead events are tried again; %d stay dead for want of room, try again later", n, len(f.Hook.Dead))
		return nil
	})
}

type webhookTestCommand struct {
	Name string `arg:"" help:"The CA."`
}

// webhookTestTimeout is that of a call by the service.
const webhookTestTimeout = 15 * time.Second

func (c *webhookTestCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		ca, err := a.hooked(c.Name)
		if err != nil {
			return err
		}
		a.service.Caller = a.config.caller()
		ctx, cancel := context.WithTimeout(a.ctx, webhookTestTimeout)
		defer cancel()
		began := time.Now()
		if err := a.service.Ping(ctx, ca); err != nil {
			if failed, ok := errors.AsType[*proofing.SendError](err); ok {
				return usagef("the webhook of %s at %s did not take the call: %s%s", c.Name, ca.Webhook.Shown(), failed.Err, hookAdvice(failed.Reason))
			}
			return err
		}
		a.say("the webhook of %s took the call in %s", c.Name, time.Since(began).Round(time.Millisecond))
		return nil
	})
}

// hookAdvice says what to do about a call that failed.
func hookAdvice(reason string) string {
	switch reason {
	case "address_forbidden":
		return ". Its address is not a public one: name its network in webhooks.allow_networks if it is meant to be called"
	case "endpoint_redirects":
		return ". Redirects are not followed: set the URL that it leads to"
	case "gone":
		return ". It asks for no more calls"
	}
	return ""
}
