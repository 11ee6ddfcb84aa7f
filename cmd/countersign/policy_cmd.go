package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

type policyCommand struct {
	Show      policyShowCommand      `cmd:"" default:"withargs" help:"Show which policy is in force and what is proposed, or one proposal."`
	List      policyListCommand      `cmd:"" help:"List what was proposed, and what became of it."`
	Approvals policyApprovalsCommand `cmd:"" help:"Write the signed decisions about a proposal into files, for countersign verify-approval."`
	Propose   policyProposeCommand   `cmd:"" help:"Propose the policy of the configuration file once more: one that was refused, or that was in force before."`
}

type policyShowCommand struct {
	ID   string `arg:"" optional:"" help:"A proposal, by the id that the list shows; what is in force, and what is proposed, unless given."`
	Text bool   `help:"Print the policy in force, as it is kept: its SHA-256 is its digest."`
}

// errNoPolicy says why there is nothing to show.
var errNoPolicy = usagef("nobody needs to approve a policy here: the configuration file is in force. That begins with the first two administrators: `countersign admin bootstrap`")

func noPolicy(err error) error {
	if errors.Is(err, proofing.ErrNotFound) {
		return errNoPolicy
	}
	return err
}

func (c *policyShowCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		book, all, err := a.policies()
		if err != nil {
			return err
		}
		switch {
		case c.Text:
			_, err = fmt.Fprintln(a.stdout, book.InForce.Text)
			return err
		case c.ID != "":
			p, err := proposalOf(all, c.ID)
			if err == nil {
				a.showPolicy(p)
			}
			return err
		}
		from := "which was in force when there were administrators for the first time"
		if id := book.InForce.Proposal; id != "" {
			from = "by the proposal " + id
		}
		fmt.Fprintf(a.stdout, "In force since %s: %s,\n%s.\n\n", when(book.InForce.Since), book.InForce.Digest, from)
		if book.Proposed == nil {
			fmt.Fprintln(a.stdout, "Nothing is proposed.")
			return nil
		}
		a.showPolicy(book.Proposed)
		fmt.Fprintf(a.stdout, "\nIt waits for two administrators at %s/admin/policy.\n", a.config.Origin)
		return nil
	})
}

// policies are the book and all proposals, the newest first, the one that waits before them.
func (a *admin) policies() (book *proofing.PolicyBook, all []*proofing.PolicyProposal, err error) {
	for after := ""; ; {
		b, page, next, err := a.service.ListPolicies(a.ctx, after, 500)
		if err != nil {
			return nil, nil, noPolicy(err)
		}
		if after == "" && b.Proposed != nil {
			all = append(all, b.Proposed)
		}
		book, all = b, append(all, page...)
		if after = next; next == "" {
			return book, all, nil
		}
	}
}

// showPolicy prints a proposal with every line that it changes, and who has decided what of it.
func (a *admin) showPolicy(p *proofing.PolicyProposal) {
	fmt.Fprintf(a.stdout, "Proposal %s of %s by %s: %s,\nin the place of %s\n", p.ID, when(p.Proposed.At), policyProposer(p), p.Digest, p.Against)
	for _, change := range p.Changes {
		fmt.Fprintf(a.stdout, "  %s: %s -> %s\n", quiet(change.Setting), orNothing(change.Old), orNothing(change.New))
	}
	for _, d := range p.Decisions {
		what := "approved"
		if d.Refused {
			what = "refused: " + quiet(d.Reason)
		}
		void := ""
		if d.Void != "" {
			void = " (counts no more: " + strings.ReplaceAll(d.Void, "_", " ") + ")"
		}
		fmt.Fprintf(a.stdout, "%s  %s %s%s\n", when(d.At), cmp.Or(quiet(d.Name), "(name erased)"), what, void)
	}
	if p.Outcome != "" {
		fmt.Fprintf(a.stdout, "%s  %s\n", when(p.Ended), p.Outcome)
	}
}

// policyProposer is who has proposed a policy, in words.
func policyProposer(p *proofing.PolicyProposal) string {
	if p.Proposed.By.Kind == proofing.ByOperator.Kind {
		return "an operator's command"
	}
	return "the configuration file"
}

func orNothing(value string) string {
	if value == "" {
		return "(not set)"
	}
	return quiet(value)
}

type policyListCommand struct {
	JSON bool `name:"json" help:"For machines."`
}

// policyView is a proposal as a machine reads it.
type policyView struct {
	ID        string                  `json:"id"`
	Digest    string                  `json:"digest"`
	Against   string                  `json:"against"`
	Proposed  string                  `json:"proposed"`
	By        string                  `json:"by"`
	Outcome   string                  `json:"outcome"` // waiting, approved, refused or replaced
	Ended     string                  `json:"ended,omitempty"`
	Approvals int                     `json:"approvals"`
	Changes   []proofing.PolicyChange `json:"changes"`
}

func (c *policyListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		_, all, err := a.policies()
		if err != nil {
			return err
		}
		var views []policyView
		for _, p := range all {
			v := policyView{p.ID, p.Digest, p.Against, when(p.Proposed.At), policyProposer(p), string(p.Outcome), "", p.Approved(), p.Changes}
			if p.Outcome == "" {
				v.Outcome = "waiting"
			} else {
				v.Ended = when(p.Ended)
			}
			views = append(views, v)
		}
		return list(g, c.JSON, views, []string{"ID", "PROPOSED", "OUTCOME", "ENDED", "APPROVALS", "CHANGES", "DIGEST"}, func(v policyView) []string {
			return []string{v.ID, v.Proposed, v.Outcome, orDash(v.Ended), strconv.Itoa(v.Approvals), strconv.Itoa(len(v.Changes)), v.Digest}
		})
	})
}

type policyApprovalsCommand struct {
	ID  string `arg:"" name:"id" help:"The id that the list shows."`
	Out string `help:"The folder, which must be there; of its files none is replaced." required:"" placeholder:"FOLDER"`
}

func (c *policyApprovalsCommand) Run(g *globals) error {
	return g.auditing(func(a *admin, t *audit.Tree) error {
		book, all, err := a.policies()
		if err != nil {
			return err
		}
		p, err := proposalOf(all, c.ID)
		if err != nil {
			return err
		}
		if len(p.Decisions) == 0 {
			return usagef("nobody has decided about the proposal %q", c.ID)
		}
		h, err := t.Head(a.ctx)
		if err != nil {
			return unlogged(err)
		}
		for n, d := range p.Decisions {
			if d.Entry > int64(len(book.Journal.Places)) {
				return unlogged(proofing.ErrUnlogged)
			}
			text, err := a.policyApproval(t, d, book.Journal.Places[d.Entry-1])
			if err != nil {
				return err
			}
			file := filepath.Join(c.Out, fmt.Sprintf("policy-%s-%d.json", p.ID, n+1))
			if err := writeNew(file, text); err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, file)
		}
		a.say("check them anywhere with: countersign verify-approval FILE --log-key '%s'", h.Verifier)
		return nil
	})
}

// policyApproval is the file of one decision, which stands at a place of the log.
func (a *admin) policyApproval(t *audit.Tree, d proofing.PolicyDecision, place int64) ([]byte, error) {
	enrolled, enrolment, err := a.service.EnrolmentEntry(a.ctx, &d.Signature)
	if err != nil {
		return nil, err
	}
	decision, _, err := a.service.LogEntry(a.ctx, place)
	if err != nil {
		return nil, err
	}
	file, err := t.Approval(a.ctx, d.Signature, audit.Logged{Leaf: enrolment.Leaf, Index: enrolled}, audit.Logged{Leaf: decision.Leaf, Index: place})
	if err != nil {
		return nil, err
	}
	return file.Text()
}

// proposalOf is the proposal of an id.
func proposalOf(all []*proofing.PolicyProposal, id string) (*proofing.PolicyProposal, error) {
	for _, p := range all {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, usagef("there is no proposal %q: `countersign policy list` shows those that there are", id)
}

type policyProposeCommand struct{}

func (policyProposeCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.service.PolicyBook(a.ctx); err != nil {
			return noPolicy(err)
		}
		what, err := a.read.offer(a.ctx, a.service, true)
		if input, bad := errors.AsType[*proofing.InputError](err); bad {
			return usagef("this cannot be proposed: %s; change it in smaller steps", input.Detail)
		}
		if err != nil {
			return err
		}
		if what == offerSame {
			a.say("the policy of %s is the approved one: there is nothing to propose", a.configFile)
			return nil
		}
		book, err := a.service.PolicyBook(a.ctx)
		if err != nil {
			return err
		}
		if book.Proposed != nil {
			a.showPolicy(book.Proposed)
		}
		a.say("it waits for two administrators at %s/admin/policy; they are told", a.config.Origin)
		return nil
	})
}
