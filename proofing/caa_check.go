package proofing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// caaPatience is how long one question waits for CAA records, of however many domains.
	caaPatience = 10 * time.Second
	// caaAtOnce is how many domains of one question are asked for at one time.
	caaAtOnce = 8
	// caaHolds is how long an answer that CAA records are part of holds: the CA/Browser Forum's 8 hours (TLS BR 3.2.2.8).
	caaHolds = 8 * time.Hour
)

// heedCAA looks up what the domains of a verdict say of the authority, and puts that into it. Only what is authorized comes here: nobody has
// us ask for names that they have proved nothing of. The account is the URL of the one that asks, by the case; empty: not known.
func (s *Service) heedCAA(ctx context.Context, ca *Authority, p *Profile, account func(*Case) string, v *Verdict) error {
	var claims []CAAClaim
	var domains []string
	claim := func(id Identifier, account, domain string) {
		claims, domains = append(claims, CAAClaim{id, ca.CAAIdentities, account}), append(domains, domain)
	}
	for i, one := range v.Authorizations {
		if slices.ContainsFunc(v.Authorizations[:i], func(o Authorization) bool { return o.Case.ID == one.Case.ID }) {
			continue // two spellings of one identifier
		}
		id, url := one.Case.Identifier, account(one.Case)
		switch id.Type {
		case IdentifierDNS:
			claim(id, url, strings.TrimPrefix(id.Value, "*."))
		case IdentifierEmail:
			claim(id, url, id.Value[strings.LastIndexByte(id.Value, '@')+1:])
		case IdentifierOrganization:
			entry, err := s.registryEntry(ctx, one.Case)
			if err != nil {
				return err
			}
			if entry == nil || len(entry.Domains) == 0 {
				v.CAA = append(v.CAA, *CAAClaim{Identifier: id}.finding(CAANoDomain, "no domain of the organization is registered here, so that no CAA records were looked at: the operator adds it to the registry's entry"))
				continue
			}
			for _, domain := range entry.Domains {
				claim(id, url, domain)
			}
		}
	}
	found, err := s.relevantCAA(ctx, domains)
	if err != nil {
		return err
	}
	for i, c := range claims {
		f := c.judge(domains[i], found[domains[i]])
		if f == nil {
			continue
		}
		f.Domain, f.Blocks = domains[i], p.CAA == CAABlock && (f.Code == CAAForbidden || f.Code == CAAUnknown)
		v.CAA = append(v.CAA, *f)
		v.Allow = v.Allow && !f.Blocks
	}
	if until := s.now().Add(caaHolds); len(claims) > 0 && until.Before(v.RecheckAfter) {
		v.RecheckAfter = until
	}
	return nil
}

// caaAnswer is what a lookup brought.
type caaAnswer struct {
	set CAASet
	err error
}

// judge is Judge for a lookup, which may have failed: what is not known is not taken for nothing (RFC 8659 3).
func (c CAAClaim) judge(domain string, a caaAnswer) *CAAFinding {
	if a.err == nil {
		return c.Judge(a.set)
	}
	at, why := domain, "nothing came in time"
	if failed, ok := errors.AsType[*CAALookupError](a.err); ok {
		at, why = failed.At, failed.Why
	}
	f := c.finding(CAAUnknown, "the CAA records at %s could not be looked up, since %s: try again; if it stays so, whoever runs the name servers of that domain must mend it", at, why)
	f.Err = a.err
	return f
}

// relevantCAA looks up every domain once, a few at one time. The only error is that of a caller who has gone away.
func (s *Service) relevantCAA(ctx context.Context, domains []string) (map[string]caaAnswer, error) {
	patient, cancel := context.WithTimeout(ctx, caaPatience)
	defer cancel()
	found := make(map[string]caaAnswer, len(domains))
	var mu sync.Mutex
	var all sync.WaitGroup
	room := make(chan struct{}, caaAtOnce)
	for i, domain := range domains {
		if slices.Contains(domains[:i], domain) { // its answer may be there by now, and is to stay
			continue
		}
		room <- struct{}{}
		all.Go(func() {
			set, err := s.CAA.CAA(patient, domain)
			mu.Lock()
			defer mu.Unlock()
			found[domain] = caaAnswer{set, err}
			<-room
		})
	}
	all.Wait()
	return found, ctx.Err()
}
