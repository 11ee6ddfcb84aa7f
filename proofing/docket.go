package proofing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Docket is what waits for people, as far as somebody gets to see it: the oldest first.
type Docket struct {
	Cases []*Case
	Next  string // the cursor of the next page; empty if there is none
}

// Docketed is a case of the docket with what somebody must know who chooses one of them.
type Docketed struct {
	Case         *Case
	Organization *Organization // nil if there is no dossier any more
	Lacks        []Lack
	// Waits: the person who asks can move it on, by deciding or by collecting what it lacks.
	Waits bool
}

// DocketQuery says which part of what waits is asked for.
type DocketQuery struct {
	Stage Stage  // one of the stages
	By    string // the appointment in whose scope it is
	After string
	Limit int
}

// docketIndexes are where a case that people decide about is found: by its organization, whatever has become of it; and while it is decided about by stage, for the
// service, for its authority and for its organization.
func (c *Case) docketIndexes() []Index {
	a := c.Approval
	if a == nil {
		return nil
	}
	all := Index{Name: "requests", Value: a.Organization + "." + newestFirst(c.Created)}
	if c.Status != CaseReview {
		return []Index{all}
	}
	since := string(a.Stage) + "." + stamp(a.Since)
	return []Index{
		all,
		{Name: "docket", Value: "service." + since},
		{Name: "docket", Value: "authority." + c.CA + "." + since},
		{Name: "docket", Value: "organization." + a.Organization + "." + since},
	}
}

// scopePrefix is the part of an index by scopes that an appointment covers.
func (a *Appointment) scopePrefix() string {
	switch a.Role.Side() {
	case SideService:
		return "service."
	case SideAuthority:
		return "authority." + a.CA + "."
	case SideApplicant:
		return "organization." + a.Organization + "."
	}
	return "nobody."
}

// mostDocket is the most of one page.
const mostDocket = 100

// Docket lists what waits at a stage within the scope of one of the person's appointments. Errors: those of Console, and ErrNotFound for an
// appointment that is not theirs; *InputError for a cursor that is not of this list.
func (s *Service) Docket(ctx context.Context, v Visit, q DocketQuery) (*Docket, error) {
	_, held, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	return s.docket(ctx, held, q)
}

func (s *Service) docket(ctx context.Context, held []*Appointment, q DocketQuery) (*Docket, error) {
	list, err := docketQuery(held, q)
	if err != nil {
		return nil, err
	}
	page, next, err := s.Cases.List(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("list docket: %w", err)
	}
	now := s.now()
	page = slices.DeleteFunc(page, func(c *Case) bool {
		c.lapse(now, s.retention(c))
		return c.Status != CaseReview
	})
	return &Docket{Cases: page, Next: next}, nil
}

// DocketWithGrounds is Docket with what each of its cases rests on. What cases have in common is read once.
func (s *Service) DocketWithGrounds(ctx context.Context, v Visit, q DocketQuery) (rows []Docketed, next string, err error) {
	session, held, err := s.Console(ctx, v)
	if err != nil {
		return nil, "", err
	}
	d, err := s.docket(ctx, held, q)
	if err != nil {
		return nil, "", err
	}
	known, err := s.docketGrounds(ctx, d.Cases)
	if err != nil {
		return nil, "", err
	}
	now := s.now()
	for _, c := range d.Cases {
		g := known[c.Approval.Organization]
		g.void(c, now)
		row := Docketed{Case: c, Organization: g.organization, Lacks: g.lacks(c, s.profileOf(c), nil, now)}
		row.Waits = g.organization != nil && slices.ContainsFunc(held, func(a *Appointment) bool {
			return s.waitsFor(c, g, decider{person: session.Person.ID, appointment: a}, now)
		})
		rows = append(rows, row)
	}
	return rows, d.Next, nil
}

// RequestsOf lists the requests of an organization that people decide about or have, the newest first, whatever has become of them, page by page, and returns the cursor
// of the next one. ErrNotFound for an organization that the person of the session may not look at, besides the errors of Console; *InputError for a cursor that is not of
// this list.
func (s *Service) RequestsOf(ctx context.Context, v Visit, organization, after string, limit int) (page []*Case, next string, err error) {
	o, _, err := s.Organization(ctx, v, organization)
	if err != nil {
		return nil, "", err
	}
	page, next, err = s.Cases.List(ctx, Query{Index: "requests", Prefix: o.ID + ".", Merged: true, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list requests: %w", err)
	}
	for _, c := range page {
		c.lapse(s.now(), s.retention(c))
	}
	return page, next, nil
}

// Found is all that FindInConsole found, and whether there is more.
type Found struct {
	Cases         []*Case
	Organizations []*Organization
	More          bool
}

// mostFound is how many of either kind FindInConsole looks for: whoever means one of so many has to say it better.
const mostFound = 20

// FindInConsole finds what somebody means who works in the console: a request by its id, a certificate by its serial number or SHA-256 (that is, the requests that it rests
// on), and organizations of that name. Serial numbers are an authority's own, and so are dossiers: both may be several. What they may not look at is not found. Nothing found
// is no error; errors are those of Console.
func (s *Service) FindInConsole(ctx context.Context, v Visit, text string) (f Found, err error) {
	_, held, err := s.Console(ctx, v)
	if err != nil {
		return f, err
	}
	text = oneLine(text, 256)
	named, err := s.CertificatesNamed(ctx, text)
	if err != nil {
		return f, err
	}
	ids := []string{text}
	for _, c := range named {
		ids = append(ids, c.Cases...)
	}
	for i, id := range ids {
		if _, ok := IDBucket(id); !ok || slices.Contains(ids[:i], id) {
			continue
		}
		c, err := s.docketed(ctx, held, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return f, err
		}
		if len(f.Cases) == mostFound {
			f.More = true
			break
		}
		f.Cases = append(f.Cases, c)
	}
	return f, s.findOrganizations(ctx, held, text, &f)
}

// findOrganizations adds the organizations of a name that somebody may look at.
func (s *Service) findOrganizations(ctx context.Context, held []*Appointment, name string, f *Found) error {
	canonical, err := s.canonicalIdentifier(&Profile{Name: "organization", Identifiers: []string{IdentifierOrganization}}, Identifier{IdentifierOrganization, name})
	if _, bad := errors.AsType[*InputError](err); bad {
		return nil // nobody is called that
	}
	if err != nil {
		return err
	}
	authorities, _, err := s.Authorities.List(ctx, Query{Index: "all", Below: "~"})
	if err != nil {
		return fmt.Errorf("list authorities: %w", err)
	}
	for _, ca := range authorities {
		o, err := s.OrganizationOf(ctx, ca.Name, canonical.Value)
		if errors.Is(err, ErrNotFound) || err == nil && !slices.ContainsFunc(held, func(a *Appointment) bool { return a.reads(o) }) {
			continue
		}
		if err != nil {
			return err
		}
		if len(f.Organizations) == mostFound {
			f.More = true
			return nil
		}
		f.Organizations = append(f.Organizations, o)
	}
	return nil
}

// DocketCount is how much waits at a stage.
type DocketCount struct {
	N    int
	More bool // there are more than N
}

// DocketCounts are how many cases wait at each of the stages within the scope of an appointment, each up to a limit. Errors are those of Docket.
func (s *Service) DocketCounts(ctx context.Context, v Visit, by string, limit int, stages ...Stage) ([]DocketCount, error) {
	_, held, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	counts := make([]DocketCount, len(stages))
	err = readAtOnce(len(stages), func(i int) error {
		list, err := docketQuery(held, DocketQuery{Stage: stages[i], By: by, Limit: limit})
		if err == nil {
			counts[i].N, counts[i].More, err = s.Cases.Count(ctx, list)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count docket: %w", err)
	}
	return counts, nil
}

// docketGrounds are the grounds that cases of one organization have in common, by its id. They take many reads, which wait for each other no
// longer than they must.
func (s *Service) docketGrounds(ctx context.Context, cases []*Case) (map[string]*grounds, error) {
	known, persons := map[string]*grounds{}, map[string]*Person{}
	for _, c := range cases {
		known[c.Approval.Organization] = &grounds{persons: persons, deciders: map[string]*Appointment{}}
	}
	organizations := slices.Collect(maps.Keys(known))
	err := readAtOnce(len(organizations), func(i int) (err error) {
		id := organizations[i]
		g := known[id]
		if g.organization, err = s.organization(ctx, id); errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			g.people, err = s.appointments(ctx, "organization", id)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, g := range known {
		for _, a := range g.people {
			g.deciders[a.ID] = a
		}
		g.appointments = slices.DeleteFunc(slices.Clone(g.people), func(a *Appointment) bool { return a.Status != AppointmentActive })
		for _, a := range g.appointments {
			persons[a.Person] = nil
		}
	}
	ids := slices.Collect(maps.Keys(persons))
	found := make([]*Person, len(ids))
	if err := readAtOnce(len(ids), func(i int) (err error) {
		found[i], err = s.person(ctx, ids[i])
		return err
	}); err != nil {
		return nil, err
	}
	for i, id := range ids {
		persons[id] = found[i]
	}
	now := s.now()
	for _, g := range known {
		g.appointments = slices.DeleteFunc(g.appointments, func(a *Appointment) bool { return !a.Stands(persons[a.Person], now) })
	}
	return known, nil
}

// readAtOnce reads n things, a few at a time.
func readAtOnce(n int, read func(i int) error) error { return readBy(16, n, read) }

// readBy reads n things, so many at a time.
func readBy(hands, n int, read func(i int) error) error {
	var all sync.WaitGroup
	errs, slots := make([]error, n), make(chan struct{}, hands)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = read(i)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// waitsFor says whether a case waits for somebody: they can decide, or what keeps them from it is theirs to mend.
func (s *Service) waitsFor(c *Case, g *grounds, by decider, now time.Time) bool {
	if c.Frozen != nil || !by.appointment.Covers(c.CA, c.Approval.Organization) {
		return false
	}
	switch s.mayDecide(c, g, by, c.Approval.Stage.Step(), false, now) {
	case "", denyDiscrepancy, denyLacks:
		return true
	}
	return false
}

// docketQuery is where a part of the docket is listed, for somebody who holds these appointments. ErrNotFound for what is not theirs.
func docketQuery(held []*Appointment, q DocketQuery) (Query, error) {
	by := holding(held, q.By)
	if by == nil || q.Stage.Step() == "" {
		return Query{}, ErrNotFound
	}
	return Query{Index: "docket", Prefix: by.scopePrefix() + string(q.Stage) + ".", Merged: true, After: q.After, Limit: min(max(q.Limit, 1), mostDocket)}, nil
}

// Dossiered is a case as the console shows it: with what it rests on, and what each of the person's appointments may do about it.
type Dossiered struct {
	Case         *Case
	Organization *Organization
	Appointments []*Appointment // of the organization, that stand
	Lacks        []Lack
	// May are the steps that the person may decide on now, by the appointment that would; Why says why not, for those whose role it is, or who
	// judge nothing of this request because they stand on its other side.
	May map[string]Step
	Why map[string]string
	// Then is what follows if they agree, by the appointment, where they may.
	Then map[string]Outlook
	// Judges says whether they may find and explain discrepancies.
	Judges bool
}

// CaseInConsole is a case that people decide about. ErrNotFound for what none of the person's appointments covers, besides the errors of Console.
func (s *Service) CaseInConsole(ctx context.Context, v Visit, id string) (*Dossiered, error) {
	session, held, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	c, err := s.docketed(ctx, held, id)
	if err != nil {
		return nil, err
	}
	g, err := s.settled(ctx, &c)
	if err != nil {
		return nil, err
	}
	now := s.now()
	d := &Dossiered{Case: c, Organization: g.organization, Appointments: g.appointments, Lacks: g.lacks(c, s.profileOf(c), nil, now), May: map[string]Step{}, Why: map[string]string{}, Then: map[string]Outlook{}}
	step := c.Approval.Stage.Step()
	if g.organization == nil || c.Status != CaseReview {
		return d, nil
	}
	opposed := forApplicant(c, g, session.Person.ID, now)
	for _, a := range held {
		switch {
		case !a.judges(c):
		case opposed:
			d.Why[a.ID] = denySide
		default:
			d.Judges = true
		}
		if a.Role != step.Role() || !a.Covers(c.CA, c.Approval.Organization) {
			continue
		}
		by := decider{person: session.Person.ID, appointment: a}
		// Whoever may refuse gets to see the form; why they may not agree stands beside it.
		if s.mayDecide(c, g, by, step, true, now) == "" {
			d.May[a.ID] = step
		}
		if why := s.mayDecide(c, g, by, step, false, now); why != "" {
			d.Why[a.ID] = why
		} else if d.Then[a.ID], err = s.outlook(c, g, by, step, now); err != nil {
			return nil, err
		}
	}
	return d, nil
}
