package proofing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// statementLifetime is the longest that a statement is good for.
const statementLifetime = 24 * time.Hour

// StatementType is the typ of a statement's JWS header (RFC 8725 3.11).
const StatementType = "countersign-statement+jwt"

// Statement returns the case with its signed statement: a JWT that says what was
// proved, for whom, and how sure we are. It is signed when first fetched, from an
// assessment as of then, so that a level that has aged is not carried on; it is kept
// until it runs out, and then signed anew if the grant still holds.
//
// A case without a grant that holds comes back without a statement.
func (s *Service) Statement(ctx context.Context, ca *Authority, id string) (*Case, error) {
	c, err := s.Get(ctx, ca, id)
	if err != nil {
		return nil, err
	}
	if c, err = s.sequenced(ctx, c); err != nil {
		return nil, err
	}
	holds, less, err := s.holds(ctx, c)
	if err != nil {
		return nil, err
	}
	passing := c.suspended() || less != nil // what is said now is not to be kept beyond it
	if less != nil {
		c.Evidence = less
	}
	if !holds {
		c.withhold()
		return c, nil
	}
	if !passing && c.Grant.Statement != "" && s.now().Before(c.Grant.StatementExpires) {
		return c, nil
	}
	// Signing is kept out of the update: it is slow, and an edit may run twice.
	fresh := s.renewed(c)
	claims, expires, err := s.claims(ctx, c, fresh)
	if err != nil {
		return nil, err
	}
	signed, err := s.Signer.Sign(StatementType, claims)
	if err != nil {
		return nil, fmt.Errorf("sign statement: %w", err)
	}
	fresh.Statement, fresh.StatementExpires = Secret(signed), expires
	if passing {
		c.Grant = fresh
		return c, nil
	}
	key, before := c.Applicant.Key(), c.Grant.Statement
	c, err = s.update(ctx, id, func(c *Case, _ time.Time) error {
		if c.Status == CaseGranted && c.Frozen == nil && c.Grant.Statement == before && c.Applicant.Key() == key {
			c.Grant = fresh
		} // else another was first, or what was signed is no longer so
		return nil
	})
	if err == nil && (c.Status != CaseGranted || c.Frozen != nil) {
		c.withhold()
	}
	return c, err
}

// holds says whether the case has a grant on which a CA may rely now: everything under it is judged again each time, and so is what
// has become of the authenticators that it rests on. One that has given way holds for as long as its profile lets it. less is the
// evidence as it counts now, where that is for less than it did: it is not to be stored, since it may count for as much again.
func (s *Service) holds(ctx context.Context, c *Case) (holds bool, less []Evidence, err error) {
	p := s.profileOf(c)
	if c.Status != CaseGranted || c.Frozen != nil || p == nil {
		return false, nil, nil
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return false, nil, err
	}
	if err := s.weigh(ctx, c); err != nil {
		return false, nil, err
	}
	if !c.Held.IsZero() {
		return false, nil, nil
	}
	reason := s.shaken(c, p, g, s.now())
	if known, any := asOfNow(g.models, c.Evidence); any {
		less = known
	}
	return reason == "" || reason != reasonModel && (c.Ending != nil || p.Recheck.Grace > 0), less, nil
}

// renewed is the case's grant with its evidence assessed as of now: what was proved by something that was taken away since adds nothing to it.
func (s *Service) renewed(c *Case) *Grant {
	g, p, now := *c.Grant, s.profileOf(c), s.now()
	g.Assessment = Assess(p.Framework, s.Policy.OperatorFacts, now, s.left(c))
	g.PolicyDigest = s.Policy.Digest
	g.RecheckAfter = p.recheck(now, g.Expires)
	if at := c.endingAt(); !at.IsZero() && at.Before(g.RecheckAfter) {
		g.RecheckAfter = at
	}
	return &g
}

// withhold takes the statement out of a copy of the case that is to be shown.
func (c *Case) withhold() {
	if c.Grant != nil {
		c.Grant.Statement, c.Grant.StatementExpires = "", time.Time{}
	}
}

// claims are the statement's: the contract's names, and nothing that was not proved.
func (s *Service) claims(ctx context.Context, c *Case, g *Grant) (map[string]any, time.Time, error) {
	ca, err := s.Authority(ctx, c.CA)
	if err != nil {
		return nil, time.Time{}, err
	}
	now := s.now()
	expires := now.Add(statementLifetime)
	var aalExpires time.Time
	if g.Assessment.AALExpires != nil {
		aalExpires = *g.Assessment.AALExpires
	}
	for _, t := range []time.Time{g.RecheckAfter, g.Expires, aalExpires} {
		if !t.IsZero() && t.After(now) && t.Before(expires) {
			expires = t
		}
	}
	authorization := map[string]any{"id": c.ID, "identifier": c.Identifier, "profile": c.Profile}
	if c.CSRDigest != "" {
		authorization["csr_digest"] = c.CSRDigest
	}
	claims := map[string]any{
		"iss": s.Policy.Origin, "aud": ca.Name, "sub": s.pairwise(c),
		"iat": now.Unix(), "exp": expires.Unix(), "jti": NewToken().Reveal(),
		"acr":           acr(g.Assessment),
		"amr":           amr(g.Assessment, s.left(c)),
		"authorization": authorization,
	}
	if c.Identifier.Type == IdentifierDNS || c.Identifier.Type == IdentifierIP {
		claims["domain_control"] = "not_checked" // a grant is no domain validation
	}
	if key := c.Applicant.Key(); key != "" {
		cnf := map[string]any{"jkt": key}
		if c.Applicant.Kind == ByPublicKey {
			cnf = map[string]any{"spki#S256": key}
		}
		claims["cnf"] = cnf
	}
	return claims, expires, nil
}

// pairwise is the person's name for one authority: the same for every case of
// theirs there, and unlike the one for any other authority.
func (s *Service) pairwise(c *Case) string { return s.Hasher.Hex("pairwise", c.CA, c.Person) }

// MarshalAssessment is the assessment as an authority gets it: the object of
// `countersign assess` with what it was made under.
func (g *Grant) MarshalAssessment() ([]byte, error) {
	raw, err := json.Marshal(g.Assessment)
	if err != nil {
		return nil, err
	}
	tail, err := json.Marshal(map[string]any{"policy_digest": g.PolicyDigest, "not_conformance_claim": true})
	if err != nil {
		return nil, err
	}
	return append(append(raw[:len(raw)-1:len(raw)-1], ','), tail[1:]...), nil
}

// acr names the levels of the statement.
func acr(a Assessment) string {
	level := func(n *int) string {
		if n == nil {
			return "none"
		}
		return strconv.Itoa(*n)
	}
	return "urn:countersign:acr:" + string(a.Framework) + ":ial-" + level(a.IAL) + ":aal-" + level(a.AAL)
}

// amr lists the methods that authenticated, in the words of RFC 8176. An event
// that only confirmed or bound an address authenticated nobody and is not among them. The evidence is what was assessed.
func amr(a Assessment, evidence []Evidence) []string {
	methods := []string{}
	for _, event := range a.Events {
		if event.AAL == nil {
			continue
		}
		for _, m := range evidence[event.Index].AMR() {
			if !slices.Contains(methods, m) {
				methods = append(methods, m)
			}
		}
	}
	return methods
}
