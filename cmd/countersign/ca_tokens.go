package main

import (
	"slices"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

type caTokensCommand struct {
	Allow  caTokensAllowCommand  `cmd:"" help:"Make Authority Tokens for a CA, of those types and no others."`
	Refuse caTokensRefuseCommand `cmd:"" help:"Make none for a CA."`
}

type caTokensAllowCommand struct {
	Name string   `arg:"" help:"The CA."`
	Type []string `required:"" help:"An identifier type (repeatable): email, permanent-identifier, hardware-module, or organization, which no registry has and only a CA that was told of it understands." placeholder:"TYPE"`
}

func (c *caTokensAllowCommand) Run(g *globals) error {
	if err := known("type", c.Type, proofing.TokenTypes); err != nil {
		return err
	}
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		types := slices.Compact(slices.Sorted(slices.Values(c.Type)))
		if err := a.editCA(c.Name, func(ca *proofing.Authority) error { ca.TokenTypes = types; return nil }); err != nil {
			return noSuchCA(err, c.Name)
		}
		a.say("Authority Tokens are made for accounts of %s that have a grant: %s", c.Name, strings.Join(types, ", "))
		a.say("a token carries no level and cannot be taken back: it is good for an hour at most")
		if !a.config.AuthorityTokens.on() {
			a.say("none are made until authority_tokens in the configuration has a certificate to sign them with")
		}
		return nil
	})
}

type caTokensRefuseCommand struct {
	Name string `arg:"" help:"The CA."`
}

func (c *caTokensRefuseCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		if err := a.editCA(c.Name, func(ca *proofing.Authority) error { ca.TokenTypes = nil; return nil }); err != nil {
			return noSuchCA(err, c.Name)
		}
		a.say("no Authority Tokens are made for %s from now on; those that there are end within the hour", c.Name)
		return nil
	})
}
