package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// JoinPath opens the page on which somebody takes up an appointment: <appointment>.<secret>.
const JoinPath = "/admin/join/"

// JoinURL is the link that a person takes the appointment up by.
func (a *Appointment) JoinURL(origin string) Secret {
	return Secret(origin + JoinPath + a.ID + "." + a.Link.Reveal())
}

// Console is the session of somebody with a role, and the appointments of theirs that stand. ErrNotFound for anybody else: nobody is told
// that there is more to see. ErrNotAdmitted for one who has signed in by less than AAL2, or by something that
// can be phished.
func (s *Service) Console(ctx context.Context, v Visit) (*Session, []*Appointment, error) {
	session, err := s.Session(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	mine, err := s.officesOf(ctx, session.Person)
	if err != nil {
		return nil, nil, err
	}
	if len(mine) == 0 {
		return nil, nil, ErrNotFound
	}
	if !session.strong() {
		return nil, nil, ErrNotAdmitted
	}
	return session, mine, nil
}

// Pending are the appointments that the person of a session has taken up and that give no role yet. ErrNotFound for nobody, and ErrNotAdmitted as
// for Console.
func (s *Service) Pending(ctx context.Context, v Visit) ([]*Appointment, error) {
	session, err := s.Session(ctx, v)
	if err != nil {
		return nil, err
	}
	all, err := s.appointments(ctx, "person", session.Person.ID)
	all = slices.DeleteFunc(all, func(a *Appointment) bool {
		a.Link = ""
		return a.lapse(s.now()) || a.Status != AppointmentAccepted
	})
	if len(all) > 0 && !session.strong() {
		return nil, ErrNotAdmitted
	}
	return all, err
}

// strong says whether its person has signed in at AAL2 at least, by something that cannot be phished.
func (session *Session) strong() bool {
	a := session.Case.Grant.Assessment
	return a.AAL != nil && *a.AAL >= 2 && a.PhishingResistant
}

// Offices are the appointments of a person that stand now; none for nobody.
func (s *Service) Offices(ctx context.Context, person string) ([]*Appointment, error) {
	p, err := s.person(ctx, person)
	if err != nil || p == nil {
		return nil, err
	}
	return s.officesOf(ctx, p)
}

func (s *Service) officesOf(ctx context.Context, p *Person) (standing []*Appointment, err error) {
	all, err := s.appointments(ctx, "person", p.ID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	return slices.DeleteFunc(all, func(a *Appointment) bool { return !a.Stands(p, now) }), nil
}

// officer is who changes something in the console.
type officer struct {
	*Session
	appointments []*Appointment
}

// officer is Console for what changes something: the person must have authenticated within the last minutes, or it is
// ErrNotAdmitted.
func (s *Service) officer(ctx context.Context, v Visit) (*officer, error) {
	session, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	if !session.Fresh {
		return nil, ErrNotAdmitted
	}
	return &officer{session, mine}, nil
}

// actingBy is the appointment by which somebody may do something: an administrator's before others. ErrNotFound if none lets them, so
// that nobody learns of what is not theirs.
func actingBy(mine []*Appointment, may func(*Appointment) bool) (*Appointment, error) {
	var best *Appointment
	for _, a := range mine {
		if may(a) && (best == nil || a.Role == RoleAdministrator) {
			best = a
		}
	}
	if best == nil {
		return nil, ErrNotFound
	}
	return best, nil
}

// act is something that the officer does now by an appointment of theirs.
func (o *officer) act(by *Appointment, now time.Time) Act {
	return Act{By: Actor{Kind: "person", ID: o.Person.ID, Role: by.Role, Appointment: by.ID, Session: o.Case.ID}, Name: by.Name, At: now}
}

// officeHome is where all appointments are.
func (s *Service) officeHome() []byte {
	sum := s.Hasher.Sum("appointments")
	return sum[:]
}

func (s *Service) officeBucket() string { return BucketOf(s.officeHome()) }

// appointments lists all that have a value in an index, as they stand now.
func (s *Service) appointments(ctx context.Context, index, value string) (all []*Appointment, err error) {
	q := Query{Index: index, Value: value, Bucket: s.officeBucket(), Limit: 200}
	for more := true; more; more = q.After != "" {
		page, next, err := s.Appointments.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list appointments: %w", err)
		}
		for _, a := range page {
			a.lapse(s.now())
		}
		all, q.After = append(all, page...), next
	}
	return all, nil
}

// appointment reads one as it stands now.
func (s *Service) appointment(ctx context.Context, id string) (*Appointment, error) {
	if _, ok := IDBucket(id); !ok {
		return nil, ErrNotFound
	}
	a, err := s.Appointments.Get(ctx, id)
	if err == nil {
		a.lapse(s.now())
	}
	return a, err
}

// changeAppointment is how every verb changes one: it lets time take effect first.
func (s *Service) changeAppointment(ctx context.Context, id string, edit func(a *Appointment, now time.Time) error) (*Appointment, error) {
	a, err := s.Appointments.Update(ctx, id, func(a *Appointment) error {
		now := s.now()
		a.lapse(now)
		return edit(a, now)
	})
	if errors.Is(err, ErrExists) {
		return nil, &InputError{Field: "appointment", Code: "appointment_twice"}
	}
	if err == nil {
		s.rouseOffices()
	}
	return a, err
}

// sees says whether somebody with such an appointment may look at another one: their own scope's.
func (a *Appointment) sees(o *Appointment) bool {
	switch a.Role.Side() {
	case SideService:
		return true
	case SideAuthority:
		return o.Role.Side() != SideService && o.CA == a.CA
	case SideApplicant:
		return o.Role.Side() == SideApplicant && a.Covers(o.CA, o.Organization)
	}
	return false
}

// Appointment is one that the person of a session may look at, with who holds it; nil if nobody does yet. ErrNotFound for any
// other, besides the errors of Console.
func (s *Service) Appointment(ctx context.Context, v Visit, id string) (*Appointment, *Person, error) {
	session, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.appointment(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	own := a.Person != "" && a.Person == session.Person.ID
	if !own && !slices.ContainsFunc(mine, func(m *Appointment) bool { return m.sees(a) }) {
		return nil, nil, ErrNotFound
	}
	a.Link = "" // it is for who proposed it
	p, err := s.person(ctx, a.Person)
	return a, p, err
}

// AppointmentsQuery says which appointments to list.
type AppointmentsQuery struct {
	CA           string            // of that authority and its organizations
	Organization string            // or of that organization
	Status       AppointmentStatus // empty: whatever has not ended
	After        string            // the cursor of the page before
	Limit        int
}

// ListAppointments lists those that the person of a session may look at, page by page, and returns the cursor of the next one. Without an
// authority or organization only administrators list: all of them, the oldest first. ErrNotFound for what is not theirs,
// besides the errors of Console.
func (s *Service) ListAppointments(ctx context.Context, v Visit, q AppointmentsQuery) (page []*Appointment, next string, err error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, "", err
	}
	list := Query{Index: "all", Below: "\x7f", Bucket: s.officeBucket(), After: q.After, Limit: q.Limit}
	target := &Appointment{Role: RoleAdministrator}
	switch {
	case q.Organization != "":
		o, err := s.organization(ctx, q.Organization)
		if err != nil {
			return nil, "", err
		}
		target = &Appointment{Role: RoleRequester, CA: o.CA, Organization: o.ID}
		list.Index, list.Value, list.Below = "organization", o.ID, ""
	case q.CA != "":
		target = &Appointment{Role: RoleOperator, CA: q.CA}
		list.Index, list.Value, list.Below = "ca", q.CA, ""
	}
	if !slices.ContainsFunc(mine, func(m *Appointment) bool { return m.sees(target) }) {
		return nil, "", ErrNotFound
	}
	all, next, err := s.Appointments.List(ctx, list)
	if err != nil {
		return nil, "", fmt.Errorf("list appointments: %w", err)
	}
	for _, a := range all {
		a.Link = ""
		if a.lapse(s.now()); a.Status == q.Status || q.Status == "" && a.Status != AppointmentEnded {
			page = append(page, a)
		}
	}
	return page, next, nil
}

// administrators are the appointments of administrators that stand now.
func (s *Service) administrators(ctx context.Context) (standing []*Appointment, err error) {
	all, err := s.appointments(ctx, "role", string(RoleAdministrator)+"."+string(AppointmentActive))
	if err != nil {
		return nil, err
	}
	// One by `admin recover` becomes active by time alone.
	accepted, err := s.appointments(ctx, "role", string(RoleAdministrator)+"."+string(AppointmentAccepted))
	if err != nil {
		return nil, err
	}
	now := s.now()
	for _, a := range append(all, accepted...) {
		p, err := s.person(ctx, a.Person)
		if err != nil {
			return nil, err
		}
		if a.Stands(p, now) {
			standing = append(standing, a)
		}
	}
	return standing, nil
}

// Administrators is how many administrators can act now. With fewer than two nothing that takes two can be done, and `admin
// recover` on the server names another.
func (s *Service) Administrators(ctx context.Context) (int, error) {
	all, err := s.administrators(ctx)
	return len(all), err
}
