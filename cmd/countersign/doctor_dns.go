package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// checkDNS looks up the CAA records of our own origin, if any profile wants to know of such, and whether the CAs
// concerned have a name in them.
func checkDNS(ctx context.Context, c *Config, now func() time.Time) []checkup {
	heeds, blocks := c.heedsCAA()
	u, err := url.Parse(c.Origin)
	if !heeds || err != nil {
		return nil
	}
	asked := "those of the system"
	if len(c.DNS.Resolvers) > 0 {
		asked = strings.Join(c.DNS.Resolvers, ", ")
	}
	one := checkup{part: "dns", warn: !blocks}
	set, err := c.resolver(now).CAA(ctx, u.Hostname())
	switch {
	case err != nil:
		one.err = fmt.Errorf("the resolvers (%s) do not say what CAA records there are: %w", asked, err)
	case len(set.Records) == 0:
		one.detail = fmt.Sprintf("the resolvers (%s) answer: %s has no CAA records", asked, u.Hostname())
	default:
		one.detail = fmt.Sprintf("the resolvers (%s) answer: the CAA records of %s are at %s", asked, u.Hostname(), set.At)
	}
	return []checkup{one}
}

// checkIdentities warns of each CA that may ask for a profile by which CAA records count, and has no name in them.
func checkIdentities(ctx context.Context, c *Config, s *storage, now func() time.Time) (all []checkup) {
	if heeds, _ := c.heedsCAA(); !heeds {
		return nil
	}
	service, err := s.service(c, now, nil)
	if err != nil {
		return nil // useStore has said it
	}
	for q := (proofing.Query{Index: "all", Below: "\x7f"}); ; {
		page, next, err := service.Authorities.List(ctx, q)
		if err != nil {
			return append(all, checkup{part: "caa", err: err})
		}
		for _, ca := range page {
			heeds := slices.ContainsFunc(ca.Profiles, func(p string) bool { return caaMode(c.Profiles[p].CAA) != proofing.CAAOff })
			if heeds && ca.Revoked.IsZero() && len(ca.CAAIdentities) == 0 {
				all = append(all, checkup{part: "caa", warn: true, err: fmt.Errorf("the CA %s has no name in CAA records, so that none of them lets it issue: `countersign ca set %s --caa-identity NAME`", ca.Name, ca.Name)})
			}
		}
		if q.After = next; next == "" {
			return all
		}
	}
}
