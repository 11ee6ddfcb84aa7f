package main

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type caCommand struct {
	Add    caAddCommand    `cmd:"" help:"Register a CA and print its bearer token, once."`
	Set    caSetCommand    `cmd:"" help:"Change a CA: its title, directories, profiles, budget, and how it is called in CAA records."`
	List   caListCommand   `cmd:"" help:"List the CAs."`
	Token  caTokenCommand  `cmd:"" help:"Give a CA one more token, or revoke one."`
	Cert   caCertCommand   `cmd:"" help:"Manage the client certificates of a CA."`
	StepCA caStepCommand   `cmd:"" name:"step-ca" help:"Manage the webhooks of step-ca that are answered for a CA."`
	MAC    caMACCommand    `cmd:"" name:"mac-keys" help:"Say whether a CA is given the MAC keys of its bindings."`
	Tokens caTokensCommand `cmd:"" name:"authority-tokens" help:"Say which Authority Tokens (RFC 9447) a CA takes."`
	Revoke caRevokeCommand `cmd:"" help:"End a CA's access for good."`
}

type caAddCommand struct {
	Name          string   `arg:"" help:"How configuration and commands call it: letters a-z, digits and hyphens."`
	Title         string   `help:"How people read it. The name unless given." placeholder:"TEXT"`
	Directory     []string `required:"" sep:"none" help:"An ACME directory of it (repeatable)." placeholder:"URL"`
	NewAccount    []string `sep:"none" help:"The newAccount URL of a directory, for external account binding (repeatable, in the order of the directories)." placeholder:"URL"`
	CAAIdentity   []string `name:"caa-identity" help:"A name that it has in CAA records (repeatable)." placeholder:"NAME"`
	Profile       []string `required:"" help:"A profile of the configuration that it may ask for (repeatable)." placeholder:"NAME"`
	DailyMessages int64    `help:"Messages in a day, instead of limits.ca_messages_day." placeholder:"N"`
	DailySpend    string   `help:"Money in a day, instead of limits.ca_spend_day." placeholder:"AMOUNT"`
}

func (c *caAddCommand) Run(g *globals) error {
	return g.administer(true, func(a *admin) error {
		ca, err := c.authority(a)
		if err != nil {
			return err
		}
		id, token := ca.NewToken(ca.Created)
		err = a.service.AddAuthority(a.ctx, ca)
		if errors.Is(err, proofing.ErrExists) {
			return usagef("there is a CA %q already: `countersign ca token %s` gives it one more token", c.Name, c.Name)
		}
		if err != nil {
			return err
		}
		a.say("added the CA %s, for %s", ca.Name, strings.Join(ca.Profiles, ", "))
		if len(ca.NewAccounts) == 0 {
			a.say("note: no external account binding is verified for it until `countersign ca set %s --new-account URL` has named the newAccount URL of a directory", ca.Name)
		}
		return a.showToken(id, token)
	})
}

// authority checks what was typed and makes the record of it.
func (c *caAddCommand) authority(a *admin) (*proofing.Authority, error) {
	if !slug.MatchString(c.Name) {
		return nil, usagef("%q cannot be a CA's name: it takes up to 32 letters a-z, digits and hyphens", c.Name)
	}
	if err := a.checkCA(c.Profile, slices.Concat(c.Directory, c.NewAccount), c.CAAIdentity); err != nil {
		return nil, err
	}
	if err := checkDirectories(c.Directory, c.NewAccount); err != nil {
		return nil, err
	}
	var spend Money
	if c.DailySpend != "" {
		var err error
		if spend, err = parseMoney(c.DailySpend); err != nil {
			return nil, usagef("--daily-spend %v", err)
		}
	}
	if c.DailyMessages < 0 {
		return nil, usagef("--daily-messages must not be negative; without it limits.ca_messages_day holds")
	}
	return &proofing.Authority{
		ID: a.service.AuthorityID(c.Name), Name: c.Name, Title: cmp.Or(c.Title, c.Name), Created: a.time(),
		Directories: c.Directory, NewAccounts: c.NewAccount, CAAIdentities: c.CAAIdentity, Profiles: c.Profile,
		DailyMessages: c.DailyMessages, DailySpendMicros: int64(spend),
	}, nil
}

// checkCA checks what is typed of a CA, when it is added and when it is changed.
func (a *admin) checkCA(profiles, urls, identities []string) error {
	if err := known("profile", profiles, slices.Sorted(maps.Keys(a.config.Profiles))); err != nil {
		return err
	}
	for _, u := range urls {
		if err := checkCAURL(u); err != nil {
			return err
		}
	}
	return checkCAAIdentities(identities)
}

// checkCAURL accepts what RFC 8555 6.1 does: https, but for this machine.
// checkDirectories makes sure that it is known which newAccount URL is of which directory.
func checkDirectories(directories, newAccounts []string) error {
	if len(directories) > 1 && len(newAccounts) > 0 && len(directories) != len(newAccounts) {
		return usagef("there are %d directories and %d newAccount URLs: give one --new-account for each --directory, in the same order, so that a key for one directory is good at that one alone", len(directories), len(newAccounts))
	}
	return nil
}

func checkCAURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return usagef("%q must be an https URL, without user or fragment", s)
	}
	return nil
}

// showToken prints the token alone on standard output, for a script to catch.
func (a *admin) showToken(id string, token proofing.Secret) error {
	a.say("token %s; it is shown this once and kept as a hash:", id)
	_, err := a.stdout.Write([]byte(token.Reveal() + "\n"))
	return err
}

type caListCommand struct {
	JSON bool `name:"json" help:"For machines."`
}

// caView is a CA without the hashes of its tokens.
type caView struct {
	Name          string        `json:"name"`
	Title         string        `json:"title"`
	Created       time.Time     `json:"created"`
	Revoked       time.Time     `json:"revoked,omitzero"`
	Directories   []string      `json:"directories"`
	NewAccounts   []string      `json:"new_accounts,omitempty"`
	CAAIdentities []string      `json:"caa_identities,omitempty"`
	Profiles      []string      `json:"profiles"`
	Tokens        []caTokenView `json:"tokens"`
	Certificates  []caCertView  `json:"certificates,omitempty"`
	MACKeys       string        `json:"mac_keys,omitempty"` // which it is given: "open" or "all"
	TokenTypes    []string      `json:"authority_tokens,omitempty"`
	DailyMessages int64         `json:"daily_messages,omitempty"`
	DailySpend    string        `json:"daily_spend,omitempty"`
}

type caTokenView struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Revoked time.Time `json:"revoked,omitzero"`
}

func viewCA(ca *proofing.Authority) caView {
	v := caView{
		Name: ca.Name, Title: ca.Title, Created: ca.Created, Revoked: ca.Revoked, Directories: ca.Directories,
		NewAccounts: ca.NewAccounts, CAAIdentities: ca.CAAIdentities, Profiles: ca.Profiles,
		TokenTypes: ca.TokenTypes, Tokens: []caTokenView{}, Certificates: viewCertificates(ca), DailyMessages: ca.DailyMessages,
	}
	if ca.DailySpendMicros > 0 {
		v.DailySpend = Money(ca.DailySpendMicros).String()
	}
	if r := ca.Release; r != nil && r.Limited {
		v.MACKeys = "all"
	} else if r != nil {
		v.MACKeys = "open"
	}
	for _, t := range ca.Tokens {
		v.Tokens = append(v.Tokens, caTokenView{t.ID, t.Created, t.Revoked})
	}
	return v
}

func (v caView) row() []string {
	status, tokens := "active", ""
	if !v.Revoked.IsZero() {
		status = "revoked " + when(v.Revoked)
	}
	for _, t := range v.Tokens {
		if t.Revoked.IsZero() {
			tokens += " " + t.ID
		}
	}
	certificates := ""
	if n := len(v.Certificates); n > 0 {
		certificates = strconv.Itoa(n)
	}
	budget := v.DailySpend
	if v.DailyMessages > 0 {
		budget = strings.TrimSpace(budget + " " + strconv.FormatInt(v.DailyMessages, 10) + " messages")
	}
	return []string{v.Name, v.Title, status, orDash(strings.TrimSpace(tokens)), orDash(certificates), orDash(v.MACKeys), strings.Join(v.Profiles, " "), orDash(budget), strings.Join(v.Directories, " "), orDash(strings.Join(v.NewAccounts, " "))}
}

func (c *caListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		all, err := everything(a, a.service.Authorities, "all")
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(x, y *proofing.Authority) int { return cmp.Compare(x.Name, y.Name) })
		var views []caView
		for _, ca := range all {
			views = append(views, viewCA(ca))
		}
		return list(g, c.JSON, views, []string{"NAME", "TITLE", "STATUS", "TOKENS", "CERTIFICATES", "MAC KEYS", "PROFILES", "OWN BUDGET", "DIRECTORIES", "NEW ACCOUNT"}, caView.row)
	})
}

type caTokenCommand struct {
	Name   string `arg:"" help:"The CA."`
	Revoke string `help:"Revoke the token of this id instead of adding one." placeholder:"ID"`
}

func (c *caTokenCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		if c.Revoke != "" {
			return c.revoke(a)
		}
		var id string
		var token proofing.Secret
		_, err := a.service.ChangeAuthority(a.ctx, c.Name, func(ca *proofing.Authority) error {
			id, token = ca.NewToken(a.time())
			return nil
		})
		if err != nil {
			return noSuchCA(err, c.Name)
		}
		return a.showToken(id, token)
	})
}

func (c *caTokenCommand) revoke(a *admin) error {
	left := 0
	after, err := a.service.ChangeAuthority(a.ctx, c.Name, func(ca *proofing.Authority) error {
		found := false
		left = 0
		for i := range ca.Tokens {
			t := &ca.Tokens[i]
			if t.ID == c.Revoke {
				found = true
				if t.Revoked.IsZero() {
					t.Revoked = a.time()
				}
			}
			if t.Revoked.IsZero() {
				left++
			}
		}
		if !found {
			return usagef("the CA %s has no token %q: `countersign ca list` shows their ids", c.Name, c.Revoke)
		}
		return nil
	})
	if err != nil {
		return noSuchCA(err, c.Name)
	}
	a.say("revoked the token %s of %s; tokens left: %d", c.Revoke, c.Name, left)
	if left == 0 && len(after.Certificates) == 0 {
		a.say("%s cannot call any more until `countersign ca token %s` gives it one", c.Name, c.Name)
	}
	return nil
}

type caRevokeCommand struct {
	Name string `arg:"" help:"The CA."`
}

func (c *caRevokeCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		_, err := a.service.ChangeAuthority(a.ctx, c.Name, func(ca *proofing.Authority) error {
			if ca.Revoked.IsZero() {
				ca.Revoked = a.time()
			}
			return nil
		})
		if err != nil {
			return noSuchCA(err, c.Name)
		}
		a.say("revoked the CA %s: none of its tokens and certificates is accepted from now on, and no message is sent for it", c.Name)
		a.say("its cases and its registry stay, for the record; what it was told before, it knows. This cannot be undone")
		return nil
	})
}
