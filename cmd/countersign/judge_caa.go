package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/dns"
	"github.com/countersign-id/countersign/proofing"
)

// caaOff is how the configuration says that nobody is asked.
const caaOff = "off"

func caaMode(written string) proofing.CAAMode {
	if written == caaOff {
		return proofing.CAAOff
	}
	return proofing.CAAMode(written)
}

// caa reports a mode that there is not, or that nothing comes of.
func (j *profileJudge) caa(written string) {
	path := j.at("caa")
	if !j.given(path) {
		return
	}
	oneOf(j.report, path, written, caaOff, string(proofing.CAAWarn), string(proofing.CAABlock))
	if caaMode(written) == proofing.CAABlock && slices.Contains(j.profile.Identifiers, proofing.IdentifierOrganization) {
		j.warning(path, "blocks an organization by the domains of its registry entry alone: one without such (`countersign registry add --domain`), as after a dossier alone, passes with a warning to the CA")
	}
	domains := []string{proofing.IdentifierDNS, proofing.IdentifierEmail, proofing.IdentifierOrganization}
	if caaMode(written) != proofing.CAAOff && !faulty(j.report, path) && !slices.ContainsFunc(j.profile.Identifiers, func(id string) bool { return slices.Contains(domains, id) }) {
		j.warning(path, "does nothing: none of the identifiers of the profile has a domain")
	}
}

// mostResolvers is how many are asked.
const mostResolvers = 3

func (c *Config) validateDNS(r *report) {
	for i, text := range c.DNS.Resolvers {
		path := "dns.resolvers[" + strconv.Itoa(i) + "]"
		if server, err := dns.ParseServer(text); err != nil || server.Port() == 0 {
			r.mistake(path, "must be an address such as 192.0.2.53 or [2001:db8::53]:5353, not %q", text)
		}
	}
	if n := len(c.DNS.Resolvers); n > mostResolvers {
		r.mistake("dns.resolvers", "has %d: more than %d are not asked in time", n, mostResolvers)
	}
	within(r, "dns.timeout", c.DNS.Timeout, time.Second, 8*time.Second)
}

// heedsCAA says whether any profile wants to know of CAA records, and whether one blocks by them.
func (c *Config) heedsCAA() (any, blocks bool) {
	for _, p := range c.Profiles {
		mode := caaMode(p.CAA)
		any, blocks = any || mode != proofing.CAAOff, blocks || mode == proofing.CAABlock
	}
	return any, blocks
}

// resolver asks whom the configuration names.
func (c *Config) resolver(now func() time.Time) *dns.Resolver {
	o := dns.Options{Timeout: c.DNS.Timeout, Now: now}
	for _, text := range c.DNS.Resolvers {
		if server, err := dns.ParseServer(text); err == nil { // validate has read it
			o.Servers = append(o.Servers, server)
		}
	}
	return dns.New(o)
}
