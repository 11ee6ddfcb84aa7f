package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

type evidenceApprovalsCommand struct {
	Case string `arg:"" help:"The request, by its id."`
	Out  string `help:"The folder, which is made if it is not there. No file in it is replaced." required:"" placeholder:"DIR"`
}

// Run writes a file for each decision that was made about a request: for who has to show one of them, and not all that there is.
func (c *evidenceApprovalsCommand) Run(g *globals) error {
	return g.auditing(func(a *admin, t *audit.Tree) error {
		k, err := a.service.Cases.Get(a.ctx, c.Case)
		if errors.Is(err, proofing.ErrNotFound) {
			return usagef("there is no request %q: `countersign case list` shows them", c.Case)
		}
		if err != nil {
			return err
		}
		if k.Approval == nil || len(k.Approval.Decisions) == 0 {
			return usagef("nobody has decided about the request %s", k.ID)
		}
		type file struct {
			name string
			text []byte
		}
		var files []file // all of them before the first is written
		for _, d := range k.Approval.Decisions {
			text, err := a.approval(t, k, d)
			if err != nil {
				return unlogged(fmt.Errorf("the decision of entry %d: %w", d.Entry, err))
			}
			files = append(files, file{filepath.Join(c.Out, fmt.Sprintf("%s-%d-%s.json", k.ID, d.Entry, d.Step)), text})
		}
		h, err := t.Head(a.ctx)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(c.Out, 0o700); err != nil {
			return usageError{err}
		}
		for _, f := range files {
			if err := writeNew(f.name, f.text); err != nil {
				return err
			}
			a.say("wrote %s", f.name)
		}
		a.say("check each anywhere with: countersign verify-approval FILE --log-key '%s'", h.Verifier)
		return nil
	})
}

// approval is the file of one decision.
func (a *admin) approval(t *audit.Tree, k *proofing.Case, d proofing.Decision) ([]byte, error) {
	place, enrolled, err := a.service.EnrolmentEntry(a.ctx, &d.Signature)
	if err != nil {
		return nil, err
	}
	if d.Entry > int64(len(k.Journal.Places)) {
		return nil, proofing.ErrUnlogged
	}
	at := k.Journal.Places[d.Entry-1]
	decided, _, err := a.service.LogEntry(a.ctx, at)
	if err != nil {
		return nil, err
	}
	one, err := t.Approval(a.ctx, d.Signature, audit.Logged{Leaf: enrolled.Leaf, Index: place}, audit.Logged{Leaf: decided.Leaf, Index: at})
	if err != nil {
		return nil, err
	}
	return one.Text()
}
