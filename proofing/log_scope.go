package proofing

import (
	"context"
	"errors"
)

// logScope is where an object of the log is: who gets to see what is told of it.
type logScope struct {
	gone bool // the record is not there any more
	// appointment, organization and, for a case, a certificate or what else is an authority's, that authority and the organization whose people decided.
	appointment  *Appointment
	organization *Organization
	ca           string
	decidingFor  string
	request      bool // it is an authority's
	// belongsTo is the organization that it is of, without that its people have decided about it; empty: none.
	belongsTo string
}

// logReader reads the log for one person of the console, and what is told of it more than once but once.
type logReader struct {
	s      *Service
	me     string
	mine   []*Appointment
	pages  []*LogPage
	scopes map[string]logScope
	names  map[string]string
}

// logReader is that for the person of a session. Errors: those of Console.
func (s *Service) logReader(ctx context.Context, v Visit) (*logReader, error) {
	session, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	return &logReader{s: s, me: session.Person.ID, mine: mine, scopes: map[string]logScope{}, names: map[string]string{}}, nil
}

// administrator says whether the reader is one: they see everything.
func (r *logReader) administrator() bool {
	_, err := actingBy(r.mine, func(a *Appointment) bool { return a.Role == RoleAdministrator })
	return err == nil
}

// scope is where an object is. What is of nobody's but the whole service's has the zero value.
func (r *logReader) scope(ctx context.Context, of Subject, object string) (x logScope, err error) {
	key := string(of) + " " + object
	if x, known := r.scopes[key]; known {
		return x, nil
	}
	switch of {
	case SubjectAppointment:
		x.appointment, err = r.s.appointment(ctx, object)
	case SubjectOrganization:
		x.organization, err = r.s.organization(ctx, object)
	case SubjectCase:
		var c *Case
		if c, err = r.s.get(ctx, object); err == nil && !c.Own() {
			if x.request, x.ca = true, c.CA; c.Approval != nil {
				x.decidingFor = c.Approval.Organization
			}
		}
	case SubjectCertificate:
		var c *Certificate
		if c, err = r.s.Certificates.Get(ctx, object); err == nil {
			x.request, x.ca = true, c.CA
			for _, id := range c.Cases {
				under, e := r.scope(ctx, SubjectCase, id)
				if e != nil {
					return x, e
				}
				if x.decidingFor == "" {
					x.decidingFor = under.decidingFor
				}
			}
		}
	case SubjectKey:
		var k *Key
		if k, err = r.s.Keys.Get(ctx, object); err == nil {
			x.request, x.ca, x.belongsTo = true, k.CA, k.Organization
		}
	case SubjectAuthority:
		var a *Authority
		if a, err = r.s.Authorities.Get(ctx, object); err == nil {
			x.request, x.ca = true, a.Name
		}
	case SubjectRegistry:
		var e *RegistryEntry
		if e, err = r.s.Registry.Get(ctx, object); err == nil {
			x.request, x.ca = true, e.CA
		}
	}
	if errors.Is(err, ErrNotFound) {
		x, err = logScope{gone: true}, nil
	}
	if err == nil {
		r.scopes[key] = x
	}
	return x, err
}

// sees says whether the reader may look at an entry at all, and at what it says beside its leaf. Everybody sees what they did
// themselves. Of a request and its certificates an organization's people see the leaves and not the rest: that tells where others came from.
// Where nobody decides for an organization, a request is its applicant's and the authority's administrators'.
func (r *logReader) sees(leaf *Leaf, x logScope) (entry, private bool) {
	if r.administrator() || leaf.By.Kind == "person" && leaf.By.ID == r.me {
		return true, true
	}
	for _, a := range r.mine {
		switch {
		case x.gone:
		case x.appointment != nil && (a.ID == x.appointment.ID || a.sees(x.appointment)):
			return true, true
		case x.organization != nil && a.reads(x.organization):
			return true, true
		case !x.request:
		case a.Role == RoleOperator && a.CA == x.ca:
			return true, true
		case x.decidingFor != "" && a.Covers(x.ca, x.decidingFor):
			entry, private = true, private || a.Role.Side() == SideAuthority
		case x.belongsTo != "" && a.Role.Side() == SideApplicant && a.Covers(x.ca, x.belongsTo):
			entry = true
		}
	}
	return entry, private
}

// seesObject says whether what is told of an object is the reader's to see, whoever has done it.
func (r *logReader) seesObject(ctx context.Context, j *Journal) (bool, error) {
	var e *Entry
	var err error
	switch waits, logged := len(j.Pending), len(j.Places); {
	case waits > 0:
		e = &j.Pending[waits-1]
	case logged > 0:
		if e, err = r.entry(ctx, j.Places[logged-1]); err != nil {
			return false, err
		}
	default:
		return false, nil
	}
	leaf, err := e.Said()
	if err != nil {
		return false, err
	}
	x, err := r.scope(ctx, leaf.Of, leaf.Object)
	seen, _ := r.sees(&Leaf{}, x)
	return seen, err
}

// entry is what stands at a place of the log.
func (r *logReader) entry(ctx context.Context, place int64) (*Entry, error) {
	for _, p := range r.pages {
		if place >= p.First && place < p.after() {
			return &p.Entries[place-p.First], nil
		}
	}
	e, p, err := r.s.LogEntry(ctx, place)
	if err == nil {
		r.pages = append(r.pages, p)
	}
	return e, err
}

// nameOf is what somebody is called by whose appointment the reader may see; empty for any other.
func (r *logReader) nameOf(ctx context.Context, by Actor) (string, error) {
	if by.Appointment == "" {
		return "", nil
	}
	if name, known := r.names[by.Appointment]; known {
		return name, nil
	}
	x, err := r.scope(ctx, SubjectAppointment, by.Appointment)
	if err != nil {
		return "", err
	}
	name := ""
	if a := x.appointment; a != nil {
		if _, err := actingBy(r.mine, func(m *Appointment) bool { return m.sees(a) || m.ID == a.ID }); err == nil {
			name = a.Name
		}
	}
	r.names[by.Appointment] = name
	return name, nil
}
