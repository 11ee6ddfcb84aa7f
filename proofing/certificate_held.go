package proofing

import "context"

// findHeld looks whether a case, which is called by its name, authorizes anything when a certificate is reported for it.
func (s *Service) findHeld(ctx context.Context, c *Certificate, k *Case, name string) error {
	if k.Status != CaseGranted || k.Frozen != nil || !k.Held.IsZero() {
		c.find(FindingNotValid, "the %s %s does not hold any more", name, k.ID)
		return nil
	}
	why, err := s.unheld(ctx, k)
	if err == nil && why != "" {
		c.find(FindingNotValid, "the %s %s authorizes nothing now: %s", name, k.ID, why)
	}
	return err
}

// unheld says why a grant authorizes nothing now, as Authorize would; nothing if it does. It draws no conclusion: the authority asks about the next certificate, and
// hears of it then.
func (s *Service) unheld(ctx context.Context, c *Case) (string, error) {
	if c.EABKid != "" {
		if problem, _, err := s.bound(ctx, c); err != nil || problem != "" {
			return problem, err
		}
	}
	p := s.profileOf(c)
	if p == nil { // FindingProfile says so
		return "", nil
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return "", err
	}
	weighed := *c
	if err := s.weigh(ctx, &weighed); err != nil {
		return "", err
	}
	if !weighed.Held.IsZero() {
		return "recovering", nil
	}
	now := s.now()
	if reason := s.shaken(c, p, g, now); reason == reasonModel || reason != "" && c.Ending == nil && p.Recheck.Grace <= 0 { // otherwise it goes on for a while
		return reason, nil
	}
	if c.Approval == nil {
		return "", nil
	}
	return lackText(g.lacks(c, p, nil, now)), nil
}
