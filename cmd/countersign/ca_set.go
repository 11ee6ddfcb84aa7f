package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

// caSetCommand changes a CA: what is given takes the place of what was there, and the rest stays.
type caSetCommand struct {
	Name            string   `arg:"" help:"The CA."`
	Title           string   `help:"How people read it." placeholder:"TEXT"`
	Directory       []string `sep:"none" help:"An ACME directory of it (repeatable). They take the place of those before." placeholder:"URL"`
	NewAccount      []string `sep:"none" xor:"new-account" help:"The newAccount URL of a directory (repeatable, in the order of the directories). They take the place of those before." placeholder:"URL"`
	NoNewAccounts   bool     `name:"no-new-accounts" xor:"new-account" help:"It asks about no external account bindings."`
	CAAIdentity     []string `name:"caa-identity" xor:"caa" help:"A name that it has in CAA records (repeatable). They take the place of those before." placeholder:"NAME"`
	NoCAAIdentities bool     `name:"no-caa-identities" xor:"caa" help:"It has no name in CAA records."`
	Profile         []string `help:"A profile of the configuration that it may ask for (repeatable). They take the place of those before." placeholder:"NAME"`
	DailyMessages   *int64   `help:"Messages in a day; 0 for limits.ca_messages_day." placeholder:"N"`
	DailySpend      *string  `help:"Money in a day; 0 for limits.ca_spend_day." placeholder:"AMOUNT"`
}

func (c *caSetCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		changes, err := c.changes(a)
		if err != nil {
			return err
		}
		var said []string
		if _, err := a.service.ChangeAuthority(a.ctx, c.Name, func(ca *proofing.Authority) error {
			said = said[:0]
			for _, change := range changes {
				said = append(said, change(ca))
			}
			return checkDirectories(ca.Directories, ca.NewAccounts)
		}); err != nil {
			return noSuchCA(err, c.Name)
		}
		for _, line := range said {
			a.say("%s", line)
		}
		return nil
	})
}

// changes checks what was typed, and makes of each part what changes the CA and says so.
func (c *caSetCommand) changes(a *admin) (all []func(*proofing.Authority) string, err error) {
	change := func(given bool, set func(*proofing.Authority), format string, args ...any) {
		if given {
			all = append(all, func(ca *proofing.Authority) string {
				set(ca)
				return fmt.Sprintf(format, args...)
			})
		}
	}
	if err := a.checkCA(c.Profile, slices.Concat(c.Directory, c.NewAccount), c.CAAIdentity); err != nil {
		return nil, err
	}
	change(c.Title != "", func(ca *proofing.Authority) { ca.Title = c.Title }, "people read %s as %s", c.Name, c.Title)
	change(len(c.Directory) > 0, func(ca *proofing.Authority) { ca.Directories = c.Directory }, "%s has the directories %s", c.Name, strings.Join(c.Directory, ", "))
	change(len(c.NewAccount) > 0, func(ca *proofing.Authority) { ca.NewAccounts = c.NewAccount }, "%s has the newAccount URLs %s", c.Name, strings.Join(c.NewAccount, ", "))
	change(c.NoNewAccounts, func(ca *proofing.Authority) { ca.NewAccounts = nil }, "%s has no newAccount URL: no binding is verified for it", c.Name)
	change(len(c.CAAIdentity) > 0, func(ca *proofing.Authority) { ca.CAAIdentities = c.CAAIdentity }, "%s is called %s in CAA records", c.Name, strings.Join(c.CAAIdentity, ", "))
	change(c.NoCAAIdentities, func(ca *proofing.Authority) { ca.CAAIdentities = nil },
		"%s has no name in CAA records: where they let only some CAs issue, it is none of them", c.Name)
	change(len(c.Profile) > 0, func(ca *proofing.Authority) { ca.Profiles = c.Profile }, "%s may ask for %s", c.Name, strings.Join(c.Profile, ", "))
	if n := c.DailyMessages; n != nil {
		if *n < 0 {
			return nil, usagef("--daily-messages must not be negative; with 0 limits.ca_messages_day holds")
		}
		change(true, func(ca *proofing.Authority) { ca.DailyMessages = *n }, "%s sends %s messages in a day", c.Name, orOfTheLimits(fmt.Sprint(*n), "limits.ca_messages_day"))
	}
	if c.DailySpend != nil {
		spend, err := parseMoney(*c.DailySpend)
		if err != nil {
			return nil, usagef("--daily-spend %v", err)
		}
		change(true, func(ca *proofing.Authority) { ca.DailySpendMicros = int64(spend) }, "%s spends %s in a day", c.Name, orOfTheLimits(*c.DailySpend, "limits.ca_spend_day"))
	}
	if len(all) == 0 {
		return nil, usagef("say what to change: `countersign ca set --help` has all that can be")
	}
	return all, nil
}

// orOfTheLimits is how an amount reads that is the configuration's if it is none.
func orOfTheLimits(amount, limit string) string {
	if strings.Trim(amount, "0.") == "" {
		return "as many as " + limit + " says"
	}
	return amount
}

func checkCAAIdentities(names []string) error {
	for _, name := range names {
		if name != strings.ToLower(name) || !strings.Contains(name, ".") || !proofing.IssuerDomain(name) {
			return usagef("%q cannot be a CAA identity: it is a domain name in lower case (RFC 8659 4.2)", name)
		}
	}
	return nil
}
