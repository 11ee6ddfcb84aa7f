package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type eabCommand struct {
	List   eabListCommand   `cmd:"" help:"List the external account binding keys of a CA."`
	Show   eabShowCommand   `cmd:"" help:"Show a key and the accounts that are bound to it."`
	Revoke eabRevokeCommand `cmd:"" help:"End a key, and what its accounts were granted by it."`
	Export eabExportCommand `cmd:"" help:"Print keys with their secrets, for a CA that keeps a list of its own."`
}

// eabView is a key as the operator sees it. Its MAC key is not in it: that leaves the store by 'eab export', and for a CA that is given it.
type eabView struct {
	Kid         string       `json:"kid"`
	Status      string       `json:"status"`
	Reason      string       `json:"reason,omitempty"`
	Algorithm   string       `json:"algorithm"`
	Profile     string       `json:"profile"`
	Identifiers []string     `json:"identifiers"`
	Subject     string       `json:"subject,omitempty"`
	Case        string       `json:"case,omitempty"`
	Person      string       `json:"person,omitempty"`
	MaxAccounts int          `json:"max_accounts"`
	Accounts    []eabAccount `json:"accounts"`
	Created     time.Time    `json:"created"`
	Expires     time.Time    `json:"expires"`
	UnusedUntil time.Time    `json:"unused_until,omitzero"`
	Released    time.Time    `json:"released,omitzero"` // the CA has the MAC key
	Reported    time.Time    `json:"reported,omitzero"` // the CA said that an account was bound
	ReplacedBy  string       `json:"replaced_by,omitempty"`
}

type eabAccount struct {
	URL        string    `json:"url,omitempty"`
	Thumbprint string    `json:"thumbprint"`
	Bound      time.Time `json:"bound_at"`
}

func viewEAB(k *proofing.Key, now time.Time) eabView {
	v := eabView{
		Kid: k.Kid, Status: string(k.Status(now)), Reason: k.Reason, Algorithm: k.Algorithm, Profile: k.Profile, Identifiers: []string{}, Subject: k.Subject,
		Case: k.Case, Person: k.Person, MaxAccounts: k.MaxAccounts, Accounts: []eabAccount{}, Created: k.Created, Expires: k.Expires,
		Released: k.Released, Reported: k.Reported, ReplacedBy: k.ReplacedBy,
	}
	for _, id := range k.Identifiers {
		v.Identifiers = append(v.Identifiers, id.Type+" "+id.Value)
	}
	for _, b := range k.Accounts {
		v.Accounts = append(v.Accounts, eabAccount{b.URL, b.Thumbprint, b.At})
	}
	if k.Unused() {
		v.UnusedUntil = k.UnusedUntil
	}
	return v
}

func (v eabView) row() []string {
	from := "the CA"
	if v.Case != "" {
		from = "case " + v.Case
	}
	return []string{v.Kid, v.Status, v.Profile, fmt.Sprintf("%d of %d", len(v.Accounts), v.MaxAccounts), when(v.Created), when(v.Expires), from}
}

type eabListCommand struct {
	CA   string `arg:"" name:"ca" help:"The CA."`
	JSON bool   `name:"json" help:"For machines."`
}

func (c *eabListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.authority(c.CA); err != nil {
			return err
		}
		var views []eabView
		for after := ""; ; {
			page, next, err := a.service.KeysOf(a.ctx, c.CA, after, 500)
			if err != nil {
				return err
			}
			for _, k := range page {
				views = append(views, viewEAB(k, a.service.Now()))
			}
			if after = next; next == "" {
				break
			}
		}
		return list(g, c.JSON, views, []string{"KID", "STATUS", "PROFILE", "ACCOUNTS", "SINCE", "UNTIL", "MADE BY"}, eabView.row)
	})
}

type eabShowCommand struct {
	CA  string `arg:"" name:"ca" help:"The CA."`
	Kid string `arg:"" help:"The key identifier."`
}

func (c *eabShowCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		k, err := a.service.Key(a.ctx, c.CA, c.Kid)
		if err != nil {
			return noKey(err, c.CA, c.Kid)
		}
		return writeJSON(g.stdout, viewEAB(k, a.service.Now()))
	})
}

type eabRevokeCommand struct {
	CA  string `arg:"" name:"ca" help:"The CA."`
	Kid string `arg:"" help:"The key identifier."`
}

func (c *eabRevokeCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		k, err := a.service.RevokeKeyByOperator(a.ctx, c.CA, c.Kid)
		if err != nil {
			return noKey(err, c.CA, c.Kid)
		}
		a.say("revoked %s: it binds no account any more, and what its %d accounts were granted by it is revoked; %s is told", k.Kid, len(k.Accounts), c.CA)
		return nil
	})
}

// noKey says that there is none of that name.
func noKey(err error, ca, kid string) error {
	if errors.Is(err, proofing.ErrNotFound) {
		return usagef("%s has no key %s: `countersign eab list %s` shows those it has", ca, kid, ca)
	}
	return err
}
