package main

import (
	"cmp"
	"errors"
	"regexp"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

type caseCommand struct {
	List    caseListCommand    `cmd:"" help:"List cases, the newest first."`
	Show    caseShowCommand    `cmd:"" help:"Show one case, without secrets."`
	Restore caseRestoreCommand `cmd:"" help:"Lift a freeze, once you have made sure who spoke."`
	Revoke  caseRevokeCommand  `cmd:"" help:"Take a case back: no grant of it holds any more."`
}

type caseListCommand struct {
	CA     string `name:"ca" help:"Only those of this CA." placeholder:"NAME"`
	Status string `help:"Only those in this status: open, review, granted, refused, withdrawn, expired, revoked; or frozen." placeholder:"STATUS"`
	Limit  int    `help:"At most so many." default:"100"`
	JSON   bool   `name:"json" help:"For machines."`
}

// frozen is no status but lies over one; operators look for it all the same.
const frozen = "frozen"

func (c *caseListCommand) Run(g *globals) error {
	statuses := []string{
		string(proofing.CaseOpen), string(proofing.CaseReview), string(proofing.CaseGranted), string(proofing.CaseRefused),
		string(proofing.CaseWithdrawn), string(proofing.CaseExpired), string(proofing.CaseRevoked), frozen,
	}
	if c.Status != "" {
		if err := known("status", []string{c.Status}, statuses); err != nil {
			return err
		}
	}
	if c.Limit < 1 {
		return usagef("--limit must be at least 1")
	}
	return g.administer(false, func(a *admin) error {
		if c.CA != "" {
			if _, err := a.authority(c.CA); err != nil {
				return err
			}
		}
		all, err := everything(a, a.service.Cases, "ca")
		if err != nil {
			return err
		}
		views, err := c.pick(a, all)
		if err != nil {
			return err
		}
		if len(views) > c.Limit {
			a.say("%d more: --limit shows more of them", len(views)-c.Limit)
			views = views[:c.Limit]
		}
		return list(g, c.JSON, views, []string{"ID", "CA", "PROFILE", "STATUS", "IDENTIFIER", "CREATED", "EXPIRES"}, caseView.row)
	})
}

// pick selects and orders the cases.
func (c *caseListCommand) pick(a *admin, all []*proofing.Case) ([]caseView, error) {
	var views []caseView
	for _, stored := range all {
		if c.CA != "" && stored.CA != c.CA {
			continue
		}
		now, err := a.asOfNow(stored)
		if errors.Is(err, proofing.ErrNotFound) {
			continue // it has gone since
		}
		if err != nil {
			return nil, err
		}
		v := viewCase(now)
		if c.Status == "" || c.Status == v.Status || c.Status == frozen && v.Frozen != nil {
			views = append(views, v)
		}
	}
	slices.SortFunc(views, func(x, y caseView) int {
		return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(x.ID, y.ID))
	})
	return views, nil
}

// asOfNow is the case with what time has done to it since it was stored.
func (a *admin) asOfNow(c *proofing.Case) (*proofing.Case, error) {
	return a.service.Get(a.ctx, &proofing.Authority{Name: c.CA}, c.ID)
}

// theCase is the case of that id, whosever it is.
func (a *admin) theCase(id string) (*proofing.Case, error) {
	if _, ok := proofing.IDBucket(id); !ok {
		return nil, usagef("%q is not the id of a case: `countersign case list` shows them", id)
	}
	c, err := a.service.Cases.Get(a.ctx, id)
	if err == nil {
		c, err = a.asOfNow(c)
	}
	if errors.Is(err, proofing.ErrNotFound) {
		return nil, usagef("there is no case %s: `countersign case list` shows those that there are", id)
	}
	return c, err
}

type caseShowCommand struct {
	ID   string `arg:"" help:"The case."`
	JSON bool   `name:"json" help:"For machines."`
}

func (c *caseShowCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		found, err := a.theCase(c.ID)
		if err != nil {
			return err
		}
		v := viewCase(found)
		if c.JSON {
			return writeJSON(g.stdout, v)
		}
		return g.showCase(v)
	})
}

type caseRestoreCommand struct {
	ID string `arg:"" help:"The case."`
}

func (c *caseRestoreCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		found, err := a.theCase(c.ID)
		if err != nil {
			return err
		}
		over := func() error { return usagef("the case %s is over already; its status is %s", c.ID, found.Status) }
		switch {
		case found.Status.Over():
			return over()
		case found.Frozen == nil:
			return usagef("the case %s is not frozen; its status is %s", c.ID, found.Status)
		}
		restored, err := a.service.Restore(a.ctx, c.ID)
		if errors.Is(err, proofing.ErrClosed) {
			if found, err = a.theCase(c.ID); err != nil { // it may have ended since
				return err
			}
			if found.Status.Over() {
				return over()
			}
			return usagef("the case %s is for EV: restoring it takes two operators, which this command cannot see; `countersign case revoke` ends it", c.ID)
		}
		if err != nil {
			return err
		}
		a.say("restored the case %s; its status is %s", c.ID, restored.Status)
		return nil
	})
}

type caseRevokeCommand struct {
	ID     string `arg:"" help:"The case."`
	Reason string `help:"A word for it, which the CA sees: a-z, 0-9 and _." default:"operator" placeholder:"CODE"`
}

var reasonCode = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func (c *caseRevokeCommand) Run(g *globals) error {
	if !reasonCode.MatchString(c.Reason) {
		return usagef("%q cannot be a reason: it is one word of a-z, 0-9 and _", c.Reason)
	}
	return g.administer(false, func(a *admin) error {
		found, err := a.theCase(c.ID)
		if err != nil {
			return err
		}
		was := found.Status
		found, err = a.service.Revoke(a.ctx, c.ID, c.Reason)
		if errors.Is(err, proofing.ErrClosed) {
			return usagef("the case %s is over already; its status is %s", c.ID, was)
		}
		if err != nil {
			return err
		}
		a.say("the case %s was %s and is %s", c.ID, was, found.Status)
		return nil
	})
}
