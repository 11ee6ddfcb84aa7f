package proofing

import (
	"context"
	"slices"
)

// Move is something that one person may do to an appointment now.
type Move struct {
	What string // one of the moves
	// Second: another person has asked for it already, and with this one it is done. First: it takes another person afterwards.
	First, Second bool
	// Deny is why this person may not, although their role has a say: the code of the *InputError that the verb would give, or
	// DenyAskedByYou. Empty: they may.
	Deny string
}

// The moves, each with the verb that makes it.
const (
	MoveConfirm   = "confirm"   // ConfirmAppointment
	MoveSuspend   = "suspend"   // SuspendAppointment
	MoveResume    = "resume"    // ResumeAppointment, and the second ConfirmAsked
	MoveWithdraw  = "withdraw"  // EndAppointment, of what gives no role yet
	MoveResign    = "resign"    // EndAppointment, by its holder
	MoveEnd       = "end"       // EndAppointment, and the second ConfirmAsked
	MoveReconfirm = "reconfirm" // ReconfirmAppointment
)

// DenyAskedByYou: who has asked for a change waits for somebody else.
const DenyAskedByYou = "appointment_asked"

// Appointed is an appointment as the console shows it.
type Appointed struct {
	*Appointment
	Holder       *Person       // nil while nobody has taken it up, or if they are gone
	Organization *Organization // nil where it is held in none
	Warrants     *Appointment  // of the Contract Signer whose word it rests on; nil if it rests on something else
	Signer       *Appointment  // of the Contract Signer who has signed the agreement; nil without one
	// Falls is why it does not give its role: its status, or "person_gone", "account_recovered" or "reconfirmation_due". Empty: it stands.
	Falls  string
	Awaits Awaits
	Moves  []Move
}

// AppointmentInConsole is one that the person of a session may look at, with what they may do. Whether they can do it, their freshness decides. Errors: those of
// Appointment.
func (s *Service) AppointmentInConsole(ctx context.Context, v Visit, id string) (*Appointed, error) {
	a, holder, err := s.Appointment(ctx, v, id)
	if err != nil {
		return nil, err
	}
	session, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	d := &Appointed{Appointment: a, Holder: holder, Falls: a.falls(holder, s.now())}
	if d.Awaits, err = s.Awaits(ctx, a); err != nil {
		return nil, err
	}
	if a.Organization != "" {
		if d.Organization, err = s.organization(ctx, a.Organization); ignoreNotFound(err) != nil {
			return nil, err
		}
	}
	if a.Source.Signer != "" {
		if d.Warrants, err = s.appointment(ctx, a.Source.Signer); err != nil {
			return nil, err
		}
		d.Warrants.Link = ""
	}
	if a.Agreement != nil {
		if d.Signer, err = s.appointment(ctx, a.Agreement.Signer); err != nil {
			return nil, err
		}
		d.Signer.Link = ""
	}
	d.Moves, err = s.moves(ctx, d, session.Person.ID, mine)
	return d, err
}

// moves are what somebody may do to an appointment.
func (s *Service) moves(ctx context.Context, d *Appointed, me string, mine []*Appointment) (all []Move, err error) {
	a := d.Appointment
	holds := slices.ContainsFunc(mine, func(m *Appointment) bool { return m.ID == a.ID })
	by, err := actingBy(mine, func(m *Appointment) bool { return m.governs(a) })
	governs := err == nil
	halts := holds || slices.ContainsFunc(mine, func(m *Appointment) bool { return m.halts(a) })
	own := func(m Move) Move {
		if a.Person == me {
			m.Deny = "appointment_own"
		}
		return m
	}
	if governs && a.Status == AppointmentAccepted && a.Beginning != BegunByBootstrap && d.Holder != nil {
		m := Move{What: MoveConfirm}
		still, err := s.stillActs(ctx, a.Proposed, a.Beginning)
		if err != nil {
			return nil, err
		}
		signer := ""
		if d.Warrants != nil {
			signer = d.Warrants.Person
		}
		if m.Deny = a.unconfirmable(me, by, d.Holder, still, signer); m.Deny == "" && d.Awaits == AwaitsSecond && a.Seconded.By.ID == me {
			m.Deny = "appointment_seconded"
		}
		all = append(all, m)
	}
	if governs && a.Status == AppointmentSuspended {
		m, err := s.twoStep(ctx, a, Move{What: MoveResume}, me, by)
		if err != nil {
			return nil, err
		}
		all = append(all, own(m))
	}
	if halts && a.Status == AppointmentActive {
		all = append(all, Move{What: MoveSuspend})
	}
	if governs && a.Status == AppointmentActive {
		all = append(all, own(Move{What: MoveReconfirm}))
	}
	switch gives := a.Status == AppointmentActive || a.Status == AppointmentSuspended; {
	case holds:
		all = append(all, Move{What: MoveResign})
	case governs && (a.Status == AppointmentProposed || a.Status == AppointmentAccepted):
		all = append(all, Move{What: MoveWithdraw})
	case governs && gives:
		m, err := s.twoStep(ctx, a, Move{What: MoveEnd}, me, by)
		if err != nil {
			return nil, err
		}
		all = append(all, own(m))
	}
	return all, nil
}

// twoStep says which of the two steps of a change is somebody's.
func (s *Service) twoStep(ctx context.Context, a *Appointment, m Move, me string, by *Appointment) (Move, error) {
	asked := a.asks(m.What) // a move that takes two is called as what is asked
	if asked == nil {
		m.First = true
		return m, nil
	}
	if asked.By.ID == me {
		m.First, m.Deny = true, DenyAskedByYou
		return m, nil
	}
	still, err := s.stillActs(ctx, asked.Act, "")
	switch {
	case err != nil:
		return m, err
	case !still:
		m.First = true
	default:
		if m.Second = true; !Enough(a.Role, asked.By.Role, by.Role) {
			m.Deny = "appointment_administrator"
		}
	}
	return m, nil
}

// Rostered is an appointment in a list of them.
type Rostered struct {
	*Appointment
	Organization string // its name; empty where it is held in none
	Falls        string // as in Appointed
	Awaits       Awaits
}

// Roster is ListAppointments with what a list says of each. What the query leaves out is passed over, so that a page is shorter only
// where there are no more.
func (s *Service) Roster(ctx context.Context, v Visit, q AppointmentsQuery) (rows []Rostered, next string, err error) {
	g, names, now := &grounds{persons: map[string]*Person{}}, map[string]string{}, s.now()
	most := max(q.Limit, 1)
	for range rosterLooks {
		page, after, err := s.ListAppointments(ctx, v, q)
		if err != nil {
			return nil, "", err
		}
		for _, a := range page {
			p, err := s.personOnce(ctx, g, a.Person)
			if err != nil {
				return nil, "", err
			}
			row := Rostered{Appointment: a, Falls: a.falls(p, now)}
			if row.Awaits, err = s.Awaits(ctx, a); err != nil {
				return nil, "", err
			}
			if row.Organization, err = s.nameOnce(ctx, names, a.Organization); err != nil {
				return nil, "", err
			}
			rows = append(rows, row)
		}
		if next, q.After = after, after; after == "" || len(rows) >= most {
			break
		}
	}
	return rows, next, nil
}

// rosterLooks is how many pages are looked through for one.
const rosterLooks = 20

// nameOnce is the name of an organization, read once; empty for none, and for one that is gone.
func (s *Service) nameOnce(ctx context.Context, names map[string]string, id string) (string, error) {
	name, known := names[id]
	if known || id == "" {
		return name, nil
	}
	o, err := s.organization(ctx, id)
	if ignoreNotFound(err) != nil {
		return "", err
	}
	if err == nil {
		name = o.Name
	}
	names[id] = name
	return name, nil
}

// Governs says whether any of somebody's appointments lets them name people to a role of an authority, or of one of its organizations.
func Governs(mine []*Appointment, role Role, ca string) bool {
	return slices.ContainsFunc(mine, func(m *Appointment) bool { return m.governs(&Appointment{Role: role, CA: ca}) })
}

// Collects says whether any of somebody's appointments lets them record what is found out about organizations of an authority.
func Collects(mine []*Appointment, ca string) bool {
	return slices.ContainsFunc(mine, func(m *Appointment) bool { return m.collects(ca) })
}
