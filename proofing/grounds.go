package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// grounds are what a request rests on besides its own record: the registry, and where people decide about it the organization's
// dossier and the appointments of its people. They are read anew for every judgement.
type grounds struct {
	entry        *RegistryEntry
	key          string         // that a certificate would be for; empty: not known yet
	organization *Organization  // nil where nobody decides, or there is none
	appointments []*Appointment // those in the organization that stand now
	people       []*Appointment // all that there ever were in it, while the request is under way
	authority    []*Appointment // and those in its authority, while the request is under way
	// deciders are the appointments by which decisions were made, by their ids, as they are now; nil for one that is gone.
	deciders map[string]*Appointment
	persons  map[string]*Person
	models   map[string][]MDSStatus // what is known by now of the passkeys by which it was proved and approved: see Service.models
	// holders are the grounds of organizations that the registry's entry names.
	holders []*grounds
}

// grounds reads what a case rests on now.
func (s *Service) grounds(ctx context.Context, c *Case) (*grounds, error) {
	entry, err := s.registryEntry(ctx, c)
	if err != nil {
		return nil, err
	}
	g := &grounds{entry: entry, key: c.SubjectKey(), deciders: map[string]*Appointment{}, persons: map[string]*Person{}}
	if g.models, err = s.models(ctx, c); err != nil {
		return nil, err
	}
	if c.Own() || c.Identifier.Type != IdentifierOrganization {
		g.holders, err = s.holdersOf(ctx, g, c.CA)
		return g, err
	}
	if g.organization, err = s.dossier(ctx, c.CA, c.Identifier); err != nil || g.organization == nil {
		return g, err
	}
	if g.appointments, err = s.standingIn(ctx, g, (&Appointment{Role: RoleApprover, Organization: g.organization.ID}).scope()); err != nil {
		return nil, err
	}
	if c.Status == CaseOpen || c.Status == CaseReview {
		if g.authority, err = s.standingIn(ctx, g, (&Appointment{Role: RoleReviewer, CA: c.CA}).scope()); err != nil {
			return nil, err
		}
		if g.people, err = s.appointments(ctx, "organization", g.organization.ID); err != nil {
			return nil, err
		}
	}
	if c.Approval == nil {
		return g, nil
	}
	for _, d := range c.Approval.Decisions {
		a, err := s.Appointments.Get(ctx, d.Appointment)
		if errors.Is(err, ErrNotFound) {
			a, err = nil, nil
		}
		if err == nil {
			_, err = s.personOnce(ctx, g, d.Person)
		}
		if err != nil {
			return nil, fmt.Errorf("read who decided: %w", err)
		}
		if a != nil {
			a.lapse(s.now())
		}
		g.deciders[d.Appointment] = a
	}
	return g, nil
}

// personOnce is a person, read once for all grounds; nil if there is none.
func (s *Service) personOnce(ctx context.Context, g *grounds, id string) (*Person, error) {
	if p, known := g.persons[id]; known {
		return p, nil
	}
	p, err := s.person(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read person: %w", err)
	}
	g.persons[id] = p
	return p, nil
}

// dossier is the organization of an identifier; nil if there is none.
func (s *Service) dossier(ctx context.Context, ca string, id Identifier) (*Organization, error) {
	o, err := s.OrganizationOf(ctx, ca, id.Value)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read dossier: %w", err)
	}
	return o, nil
}

// holdersOf reads the organizations that the registry names for an identifier. Who the person of the case is may be known only later.
func (s *Service) holdersOf(ctx context.Context, g *grounds, ca string) (all []*grounds, err error) {
	if g.entry == nil {
		return nil, nil
	}
	for _, h := range g.entry.Holders {
		if h.Organization == "" {
			continue
		}
		of := &grounds{persons: g.persons}
		if of.organization, err = s.dossier(ctx, ca, Identifier{IdentifierOrganization, h.Organization}); err != nil {
			return nil, err
		}
		if of.organization == nil {
			continue
		}
		if of.appointments, err = s.standingIn(ctx, of, (&Appointment{Role: RoleApprover, Organization: of.organization.ID}).scope()); err != nil {
			return nil, err
		}
		all = append(all, of)
	}
	return all, nil
}

// asksThrough says whether the person of a case may ask for certificates of an organization that the registry names for its identifier.
func (g *grounds) asksThrough(c *Case) bool {
	return slices.ContainsFunc(g.holders, func(of *grounds) bool { return of.asks(c.Person) != nil && len(of.unlisted(c)) == 0 })
}

// asks is the appointment by which somebody may ask for certificates of the organization: a requester's, or an approver's, who "may act
// as" one (CSBR 1.6.1); nil if they have none.
func (g *grounds) asks(person string) *Appointment {
	for _, role := range []Role{RoleRequester, RoleApprover} {
		for _, a := range g.appointments {
			if a.Role == role && a.Person == person && person != "" {
				return a
			}
		}
	}
	return nil
}

// partakers are the appointments that a request takes: of who asks, of who has approved or still can, and of the Contract Signers.
func (g *grounds) partakers(c *Case, now time.Time, by *Appointment) []*Appointment {
	approved := c.Approval.Approved(c.asOf(now))
	return slices.DeleteFunc(slices.Clone(g.appointments), func(a *Appointment) bool {
		switch {
		case a.Role == RoleSigner, by != nil && a.ID == by.ID:
			return false
		case a.Role == RoleApprover:
			return !slices.Contains(approved, a.ID) && a.Person != c.Person && c.Approval.Stage != StageSubmitted
		}
		return a.Person != c.Person
	})
}

// asOf is when the approvals of a request count: once it is granted, what was said before has been used.
func (c *Case) asOf(now time.Time) time.Time {
	if c.Grant != nil {
		return c.Grant.At
	}
	return now
}

// approvedByAsker says whether an approval counts that is of the very person who asks.
func (c *Case) approvedByAsker(now time.Time) bool {
	return c.Approval != nil && slices.ContainsFunc(c.Approval.Decisions, func(d Decision) bool {
		return d.Step == StepApprove && d.Person == c.Person && d.counts(c.asOf(now))
	})
}

// lacks is everything that stands between the request and a grant under its profile, nil for one that is not there any more.
func (g *grounds) lacks(c *Case, p *Profile, by *Appointment, now time.Time) []Lack {
	if g.organization == nil {
		return []Lack{{Code: LackMissing, Kind: ItemLegalName, Clause: "3.2.2.2.1"}}
	}
	partakers := g.partakers(c, now, by)
	ev, pre := p != nil && p.EV, p != nil && p.Approve == ApprovePre
	all := append(g.organization.lacksFor(g.key, ev, partakers, now), g.unlisted(c)...)
	if c.approvedByAsker(now) {
		all = append(all, g.organization.lacksCombined(now)...)
	}
	for _, a := range partakers {
		speaks := a.Role == RoleApprover && (a.Person != c.Person || slices.ContainsFunc(c.Approval.Decisions, func(d Decision) bool { return d.Appointment == a.ID }))
		switch {
		case !pre || !speaks || a.PreAuthorized(now):
		case a.Agreement == nil:
			all = append(all, Lack{Code: LackNoAgreement, Clause: "3.2.2.2.7(4)", Subject: a.ID})
		case !ev: // for EV it is said of every approver who takes part
			all = append(all, Lack{Code: LackAgreement, Clause: "3.2.2.2.7(4)", Subject: a.ID, Since: a.Agreement.Until})
		}
	}
	if c.Grant != nil && c.Approval != nil {
		all = append(all, g.organization.unreviewed(c.Approval, g.key, partakers, now)...)
	}
	return all
}

// unlisted is that somebody asks who is not on the list of those who alone may, by whatever role they do (CSBR 3.2.5).
func (g *grounds) unlisted(c *Case) []Lack {
	listed, restricted := g.organization.Requesters()
	a := g.asks(c.Person)
	if !restricted || a == nil { // whoever has no role there at all is not entitled
		return nil
	}
	for _, mine := range g.appointments {
		if mine.Person == c.Person && (mine.Role == RoleRequester || mine.Role == RoleApprover) && slices.Contains(listed, mine.ID) {
			return nil
		}
	}
	return []Lack{{Code: LackNotListed, Kind: ItemRequesterList, Clause: "3.2.5", Subject: a.ID}}
}

// Why a grant that people have decided on does not hold any more.
const (
	reasonApproverEnded = "approver_ended" // an approver's appointment does not stand any more
	reasonDossier       = "dossier"        // something in the dossier is missing, or too old
)

// shaken says why what people decided does not carry a grant any more; nothing if it does. What is missing in the dossier is no such
// reason: it can be collected, and until then the grant authorizes nothing (see lacks).
func (g *grounds) shaken(c *Case, now time.Time) string {
	for i := range c.Approval.Decisions {
		if why := g.fallen(&c.Approval.Decisions[i], now); why != "" {
			return why
		}
	}
	return ""
}

// fallen says why a decision that counts as an approval has lost its ground; nothing if it has not.
func (g *grounds) fallen(d *Decision, now time.Time) string {
	if d.Step != StepApprove || d.Void != "" || d.Refused {
		return ""
	}
	a, p := g.deciders[d.Appointment], g.persons[d.Person]
	switch {
	case a == nil || a.Person != d.Person || !a.Stands(p, now):
		return reasonApproverEnded
	case !p.signsBy(d.Signature.Credential.String()):
		return reasonTakenAway
	case len(g.models[d.Signature.Credential.String()]) > 0: // it could not sign that now: Service.weighSigning
		return reasonModel
	}
	return ""
}

// void marks the approvals of a request that have lost their ground before it is granted, and says whether there are any: they count no more, and their people, or
// colleagues, may approve again. One that was made after the grounds were read stays.
func (g *grounds) void(c *Case, now time.Time) (any bool) {
	if c.Status != CaseReview || c.Approval == nil || c.Frozen != nil {
		return false
	}
	for i := range c.Approval.Decisions {
		d := &c.Approval.Decisions[i]
		if _, known := g.deciders[d.Appointment]; !known {
			continue
		}
		if why := g.fallen(d, now); why != "" {
			d.Void, d.VoidSince, any = why, now, true
		}
	}
	return any
}

// lackText says what is lacking, for whoever reads answers of the API.
func lackText(lacks []Lack) string {
	var all []string
	for _, l := range lacks {
		text := l.Code
		if l.Kind != "" {
			text = string(l.Kind) + " " + text
		}
		if !l.Since.IsZero() {
			text += " since " + l.Since.Format(time.DateOnly)
		}
		all = append(all, text+" (CSBR "+l.Clause+")")
	}
	return strings.Join(all, "; ")
}

// standingIn are the appointments in a scope that stand now.
func (s *Service) standingIn(ctx context.Context, g *grounds, scope string) (standing []*Appointment, err error) {
	active, err := s.appointments(ctx, "scope", scope+"."+string(AppointmentActive))
	if err != nil {
		return nil, err
	}
	for _, a := range active {
		p, err := s.personOnce(ctx, g, a.Person)
		if err != nil {
			return nil, err
		}
		if a.Stands(p, s.now()) {
			standing = append(standing, a)
		}
	}
	return standing, nil
}
