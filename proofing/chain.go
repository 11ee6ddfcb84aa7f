package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Chain is what somebody must have who judges later what was granted and issued: the certificates, the cases that they rest on, and all that the log
// has of these and of what took part in them.
type Chain struct {
	Certificates []*Certificate
	Cases        []*Case
	Objects      []ChainObject
	// Votes are the decisions of administrators by which those policies came into force that grants and certificates of the chain name.
	Votes []PolicyDecision
}

// ChainObject is all that the log has of one record.
type ChainObject struct {
	Of      Subject
	ID      string
	Places  []int64 // of the entries in the log
	Entries []Entry
}

// ErrUnlogged says that something has not reached the log yet. A running service takes two seconds for it.
var ErrUnlogged = errors.New("not everything is in the log yet")

// ChainOfCase is the chain of a case, with all certificates that rest on it and the other cases that these rest on, too. Errors: ErrNotFound, ErrUnlogged, ErrUnavailable.
func (s *Service) ChainOfCase(ctx context.Context, id string) (*Chain, error) {
	certificates, err := s.CertificatesOf(ctx, id)
	if err != nil {
		return nil, err
	}
	l := &linking{Service: s, chain: &Chain{Certificates: certificates}}
	return l.link(ctx, []string{id})
}

// ChainOfCertificate is the chain of one certificate.
func (s *Service) ChainOfCertificate(ctx context.Context, c *Certificate) (*Chain, error) {
	l := &linking{Service: s, chain: &Chain{Certificates: []*Certificate{c}}}
	return l.link(ctx, nil)
}

// linking follows a chain from its last link on.
type linking struct {
	*Service
	chain *Chain
}

func (l *linking) link(ctx context.Context, cases []string) (*Chain, error) {
	for _, c := range l.chain.Certificates {
		if err := l.add(ctx, SubjectCertificate, c.ID); err != nil {
			return nil, err
		}
		cases = slices.Concat(cases, c.Cases, c.Approvals)
	}
	for _, id := range cases {
		if err := l.addCase(ctx, id); err != nil {
			return nil, err
		}
	}
	if err := l.addPolicies(ctx); err != nil {
		return nil, err
	}
	if err := l.addLog(ctx); err != nil {
		return nil, err
	}
	// Whoever acted by an appointment: it is a part of the chain, and so is that of whoever appointed them.
	for i := 0; i < len(l.chain.Objects); i++ {
		for _, e := range l.chain.Objects[i].Entries {
			leaf, err := e.Said()
			if err != nil {
				return nil, err
			}
			if leaf.By.Appointment != "" {
				if err := l.add(ctx, SubjectAppointment, leaf.By.Appointment); err != nil {
					return nil, err
				}
			}
		}
	}
	slices.SortFunc(l.chain.Objects, func(a, b ChainObject) int {
		return slices.Compare([]string{string(a.Of), a.ID}, []string{string(b.Of), b.ID})
	})
	return l.chain, nil
}

func (l *linking) addCase(ctx context.Context, id string) error {
	if slices.ContainsFunc(l.chain.Cases, func(c *Case) bool { return c.ID == id }) {
		return nil
	}
	c, err := l.get(ctx, id)
	if err != nil {
		return fmt.Errorf("case %s: %w", id, err)
	}
	if c.Own() {
		return fmt.Errorf("case %s: %w", id, ErrNotFound)
	}
	l.chain.Cases = append(l.chain.Cases, c)
	if err := l.add(ctx, SubjectCase, c.ID); err != nil {
		return err
	}
	for _, e := range c.Evidence {
		if k := e.Contact(); k.Channel == ChannelPasskey {
			id := l.addressID(k)
			if err := l.addKnown(ctx, SubjectAuthenticator, id); err != nil {
				return err
			}
			binds := slices.ContainsFunc(c.Outbox.Effects, func(have Effect) bool { return have.Kind == EffectBind && have.Event == e.ID })
			if binds && !slices.ContainsFunc(l.chain.Objects, func(o ChainObject) bool { return o.ID == id && o.Of == SubjectAuthenticator }) {
				return fmt.Errorf("the passkey of the event %s: %w", e.ID, ErrUnlogged) // whose it is the log is told with the binding
			}
		}
	}
	if err := l.addKey(ctx, c); err != nil {
		return err
	}
	if c.Parent != "" {
		if err := l.addCase(ctx, c.Parent); err != nil {
			return err
		}
	}
	if c.Approval == nil {
		return nil
	}
	if err := l.add(ctx, SubjectOrganization, c.Approval.Organization); err != nil {
		return err
	}
	people, err := l.appointments(ctx, "organization", c.Approval.Organization)
	if err != nil {
		return err
	}
	for _, a := range people {
		if err := l.add(ctx, SubjectAppointment, a.ID); err != nil {
			return err
		}
	}
	for _, d := range c.Approval.Decisions {
		passkey := Contact{Channel: ChannelPasskey, Address: Secret(d.Signature.Credential.String())}
		if err := l.add(ctx, SubjectAuthenticator, l.addressID(passkey)); err != nil {
			return err
		}
	}
	return nil
}

// addKey adds the key that the account of a case is bound by, those that it was put in the place of, and the case in which was proved what it is the result of.
func (l *linking) addKey(ctx context.Context, c *Case) error {
	for kid, hops := c.EABKid, 0; kid != "" && hops < mostHops; hops++ {
		k, err := l.Keys.Get(ctx, l.keyID(kid))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("key of the case %s: %w", c.ID, err)
		}
		if err := l.addKnown(ctx, SubjectKey, k.ID); err != nil {
			return err
		}
		if k.Case != "" && k.CA == c.CA {
			if err := l.addCase(ctx, k.Case); ignoreNotFound(err) != nil {
				return err
			}
		}
		kid = k.Replaces
	}
	return nil
}

// addPolicies adds what the log has of policies, if the cases of the chain were granted by any, or certificates held against them. Of the policies themselves it has
// the text of those alone by which they were: the others are nobody's business who reads about this.
func (l *linking) addPolicies(ctx context.Context) error {
	var by []string
	for _, o := range l.chain.Objects {
		for _, e := range o.Entries {
			leaf, err := e.Said()
			if err != nil {
				return err
			}
			if digest, _ := leaf.Facts["policy"].(string); slices.Contains([]EntryKind{EntryStatus, EntryIssued, EntryRenewed}, leaf.Kind) && digest != "" {
				by = append(by, digest)
			}
		}
	}
	if len(by) == 0 {
		return nil
	}
	known := len(l.chain.Objects)
	if err := l.addKnown(ctx, SubjectPolicy, l.policyBookID()); err != nil || len(l.chain.Objects) == known {
		return err
	}
	entries := l.chain.Objects[known].Entries
	for i := range entries {
		leaf, err := entries[i].Said()
		if err != nil {
			return err
		}
		if digest, _ := leaf.Facts["digest"].(string); leaf.Kind != PolicyIsAdopted && leaf.Kind != PolicyIsInForce || !slices.Contains(by, digest) {
			entries[i].erase()
		}
	}
	return l.addVotes(ctx, by)
}

// addLog adds what the log has to say of itself: that a part of it was lost, before or after what the chain is about. What else an operator did there is
// nobody's business who reads about this, but for that it was done.
func (l *linking) addLog(ctx context.Context) error {
	known := len(l.chain.Objects)
	if err := l.addKnown(ctx, SubjectLog, l.logHeadID()); err != nil || len(l.chain.Objects) == known {
		return err
	}
	entries := l.chain.Objects[known].Entries
	for i := range entries {
		leaf, err := entries[i].Said()
		if err != nil {
			return err
		}
		if leaf.Kind != EntryLoss {
			entries[i].erase()
		}
	}
	return nil
}

// addVotes adds by whose approval policies came into force, and the passkeys that they have signed it with.
func (l *linking) addVotes(ctx context.Context, by []string) error {
	for after, more := "", true; more; more = after != "" {
		_, decided, next, err := l.ListPolicies(ctx, after, 100)
		if err != nil {
			return fmt.Errorf("approvals of policies: %w", err)
		}
		after = next
		for _, p := range decided {
			if p.Outcome != PolicyApproved || !slices.Contains(by, p.Digest) {
				continue
			}
			for _, d := range p.Decisions {
				if slices.ContainsFunc(l.chain.Votes, func(have PolicyDecision) bool { return have.Entry == d.Entry }) {
					continue // it has come onto the shelf meanwhile
				}
				if d.Erased && d.Signature.Document == "" { // what nothing can need any more
					continue
				}
				l.chain.Votes = append(l.chain.Votes, d)
				if err := l.add(ctx, SubjectAuthenticator, l.addressID(Contact{Channel: ChannelPasskey, Address: Secret(d.Signature.Credential.String())})); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// addKnown is add for what the log may tell nothing of, and what may be gone.
func (l *linking) addKnown(ctx context.Context, of Subject, id string) error {
	j, err := l.Journal(ctx, of, id)
	if errors.Is(err, ErrNotFound) || err == nil && j.Written == 0 {
		return nil
	}
	return l.add(ctx, of, id)
}

// add adds all that the log has of a record, once.
func (l *linking) add(ctx context.Context, of Subject, id string) error {
	if slices.ContainsFunc(l.chain.Objects, func(o ChainObject) bool { return o.ID == id && o.Of == of }) {
		return nil
	}
	j, err := l.Journal(ctx, of, id)
	if err != nil {
		return fmt.Errorf("%s %s: %w", of, id, err)
	}
	if !j.Logged() {
		return fmt.Errorf("%s %s: %w", of, id, ErrUnlogged)
	}
	o := ChainObject{Of: of, ID: id, Places: j.Places}
	for _, place := range j.Places {
		e, _, err := l.LogEntry(ctx, place)
		if err != nil {
			return fmt.Errorf("%s %s: %w", of, id, err)
		}
		o.Entries = append(o.Entries, *e)
	}
	l.chain.Objects = append(l.chain.Objects, o)
	return nil
}
