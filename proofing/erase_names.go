package proofing

import (
	"context"
	"fmt"
	"time"
)

// Of somebody who is erased the records of roles and policies keep the ids that the log has, and no name. The one place where a name is needed further is a document
// that an administrator has signed to put a policy in force: it has the name in it, and without it nobody can verify the evidence of a certificate that was granted by
// that policy. So it goes when there can be none any more (CSBR 5.4.3: two years after the certificate's end); where no policy came of it, at once. What somebody has
// signed in a request goes with the request, which is kept for as long.

// votesFor is how long what was signed for a policy is needed at least after another one has taken its place: the age that vetting data may have (825 days), a
// certificate's life (460) and two years. Whoever has the log keep names for longer (Policy.LogRetention) has certificates that last longer.
const votesFor = 2016 * 24 * time.Hour

// votesLook is how often it is looked whether what an erased administrator has signed is still needed.
const votesLook = 24 * time.Hour

// eraseNames takes the name of an erased person from the records of roles and policies. It may be done again.
func (s *Service) eraseNames(ctx context.Context, person string) error {
	q := Query{Index: "all", Below: "\x7f", Bucket: s.officeBucket(), Limit: 200}
	for more := true; more; more = q.After != "" {
		page, next, err := s.Appointments.List(ctx, q)
		if err != nil {
			return fmt.Errorf("erase names: list appointments: %w", err)
		}
		for _, a := range page {
			if !a.eraseName(person) {
				continue
			}
			if _, err := s.Appointments.Update(ctx, a.ID, func(a *Appointment) error { a.eraseName(person); return nil }); ignoreNotFound(err) != nil {
				return fmt.Errorf("erase names: %w", err)
			}
		}
		q.After = next
	}
	return s.eraseVotes(ctx, person)
}

// eraseName takes somebody's name from the appointment: as its holder's, and as that of who has done something to it. It says whether there was one.
func (a *Appointment) eraseName(person string) (had bool) {
	if a.Person == person {
		had = a.Name != "" || a.Passkey.Name != ""
		a.Name, a.Passkey.Name = "", ""
	}
	acts := []*Act{&a.Proposed, &a.Accepted, &a.Seconded, &a.Confirmed, &a.Suspended, &a.Resumed, &a.Ended, &a.Reconfirmed}
	if a.Asked != nil {
		acts = append(acts, &a.Asked.Act)
	}
	for _, act := range acts {
		if act.By.ID == person && act.Name != "" {
			act.Name, had = "", true
		}
	}
	return had
}

// eraseVotes takes somebody's name from what they have decided about policies, and what they have signed where nothing needs it.
func (s *Service) eraseVotes(ctx context.Context, person string) error {
	b, err := s.PolicyBook(ctx)
	if err != nil {
		return ignoreNotFound(err)
	}
	if err := s.shelvePolicies(ctx, b); err != nil {
		return err
	}
	shelved := map[string]bool{}
	for _, p := range b.Settled {
		shelved[p.ID] = true
	}
	// What is on its shelf is not in the book any more: there would be two to erase.
	if b, err = s.PolicyBooks.Update(ctx, b.ID, func(b *PolicyBook) error {
		var left []PolicyProposal
		for _, p := range b.Settled {
			if !shelved[p.ID] {
				left = append(left, p)
			}
		}
		if b.Settled = left; b.Proposed != nil {
			b.Proposed.eraseName(person)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("erase names: %w", err)
	}
	if len(b.Settled) > 0 { // it was decided meanwhile
		return s.eraseVotes(ctx, person)
	}
	return s.eachProposal(ctx, func(p *PolicyProposal) error {
		if !p.eraseName(person) {
			return nil
		}
		if _, err := s.PolicyProposals.Update(ctx, p.ID, func(p *PolicyProposal) error {
			p.eraseName(person)
			p.Look = s.now()
			return nil
		}); err != nil {
			return fmt.Errorf("erase names: %w", err)
		}
		return s.workProposal(ctx, p.ID)
	})
}

// eachProposal goes through the proposals on the shelf.
func (s *Service) eachProposal(ctx context.Context, do func(*PolicyProposal) error) error {
	q := Query{Index: "newest", Below: "\x7f", Bucket: s.officeBucket(), Limit: 100}
	for more := true; more; more = q.After != "" {
		page, next, err := s.PolicyProposals.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list proposals of policies: %w", err)
		}
		for _, p := range page {
			if err := do(p); err != nil {
				return err
			}
		}
		q.After = next
	}
	return nil
}

// eraseName takes somebody's name from their decisions about the proposal. It says whether there is anything of theirs by which they are known.
func (p *PolicyProposal) eraseName(person string) (had bool) {
	for i := range p.Decisions {
		if d := &p.Decisions[i]; d.Person == person {
			had = had || d.Name != "" || !d.Erased
			d.Name, d.Erased = "", true
		}
	}
	return had
}

// eraseSigned takes away what erased people have signed. The decisions stay, with the passkeys that they were signed by.
func (p *PolicyProposal) eraseSigned() {
	for i := range p.Decisions {
		if d := &p.Decisions[i]; d.Erased {
			d.Signature = Signature{Credential: d.Signature.Credential}
		}
	}
}

// signedByErased says whether there is still something that an erased person has signed.
func (p *PolicyProposal) signedByErased() bool {
	for _, d := range p.Decisions {
		if d.Erased && d.Signature.Document != "" {
			return true
		}
	}
	return false
}

// workProposal takes away what erased people have signed for a policy, once nothing needs it, and else sets when somebody looks again.
func (s *Service) workProposal(ctx context.Context, id string) error {
	p, err := s.PolicyProposals.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	until, err := s.votesNeeded(ctx, p)
	if err != nil {
		return err
	}
	_, err = s.PolicyProposals.Update(ctx, id, func(p *PolicyProposal) error {
		now := s.now()
		switch {
		case !p.signedByErased():
			p.Look = time.Time{}
		case !until.IsZero() && !now.Before(until):
			p.eraseSigned()
			p.Look = time.Time{}
		default:
			p.Look = now.Add(votesLook)
		}
		return nil
	})
	return ignoreNotFound(err)
}

// votesNeeded is until when evidence may need what was signed for a proposal that is decided; zero while its policy is in force.
func (s *Service) votesNeeded(ctx context.Context, p *PolicyProposal) (until time.Time, err error) {
	if p.Outcome != PolicyApproved {
		return p.Ended, nil
	}
	b, err := s.PolicyBook(ctx)
	if err != nil {
		return until, err
	}
	if b.InForce.Proposal == p.ID {
		return until, nil
	}
	// The one that took its place is the first that was approved after it.
	replaced := b.InForce.Since
	for _, o := range b.Settled {
		if o.Outcome == PolicyApproved && o.Ended.After(p.Ended) && o.Ended.Before(replaced) {
			replaced = o.Ended
		}
	}
	if err := s.eachProposal(ctx, func(o *PolicyProposal) error {
		if o.Outcome == PolicyApproved && o.Ended.After(p.Ended) && o.Ended.Before(replaced) {
			replaced = o.Ended
		}
		return nil
	}); err != nil {
		return until, err
	}
	return replaced.Add(max(s.Policy.LogRetention, votesFor)), nil
}
