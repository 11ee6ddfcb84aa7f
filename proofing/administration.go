package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Administration is what there is one of: how the first administrators were named, and which ones are about to go.
type Administration struct {
	ID string `json:"id"`
	// Started is when the first two were last named, First are their appointments, and Completed when both had taken them
	// up: from then on nobody is named that way again.
	Started   time.Time `json:"started"`
	First     []string  `json:"first"`
	Completed time.Time `json:"completed,omitzero"`
	// Leaving are the administrators who are being ended, so that two at once do not each leave one behind.
	Leaving []Leaving `json:"leaving,omitempty"`
}

// Leaving is an appointment that is about to end.
type Leaving struct {
	Appointment string    `json:"appointment"`
	At          time.Time `json:"at"`
}

// Indexes implements Record.
func (*Administration) Indexes() []Index { return nil }

// ExpiresAt implements Record.
func (*Administration) ExpiresAt() time.Time { return time.Time{} }

func (s *Service) administrationID() string { return FixedID(s.Hasher.Sum("administration")) }

// Began says when the first administrators were named, and when that was complete; ErrNotFound if they never were.
func (s *Service) Began(ctx context.Context) (started, completed time.Time, err error) {
	a, err := s.Administration.Get(ctx, s.administrationID())
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	return a.Started, a.Completed, nil
}

// Bootstrap names the first two administrators, for the operator on the server, and returns their appointments with the links that they
// take them up by (JoinURL). Both become administrators when the second one has, and after that nobody is named this way again. ErrExists if
// that is so, or if two were named before: then again names two in their place, unless both have taken it up meanwhile. The *InputError
// "appointment_name" without two names.
func (s *Service) Bootstrap(ctx context.Context, names [2]string, again bool) (first [2]*Appointment, err error) {
	now := s.now()
	entry := &Administration{ID: s.administrationID(), Started: now}
	for i, name := range names {
		first[i] = s.administrator(name, BegunByBootstrap, now)
		if entry.First = append(entry.First, first[i].ID); first[i].Name == "" {
			return first, &InputError{Field: "name", Code: "appointment_name"}
		}
	}
	if first[0].Name == first[1].Name {
		return first, &InputError{Field: "name", Code: "appointment_name"}
	}
	// The record of it comes first: of two who do this at once, the appointments of one are worth nothing.
	var before []string
	err = s.Administration.Create(ctx, entry.ID, entry)
	if errors.Is(err, ErrExists) && again {
		_, err = s.Administration.Update(ctx, entry.ID, func(have *Administration) error {
			if before = have.First; !have.Completed.IsZero() {
				return ErrExists
			}
			have.Started, have.First = entry.Started, entry.First
			return nil
		})
	}
	if err != nil {
		return first, err
	}
	for _, a := range first {
		a.propose(s, nil, "")
		if err := s.Appointments.Create(ctx, a.ID, a); err != nil {
			return first, fmt.Errorf("name administrator: %w", err)
		}
	}
	for _, id := range before {
		if err := s.replaceAppointment(ctx, id); err != nil {
			return first, err
		}
	}
	return first, nil
}

// administrator is an appointment that begins on the server.
func (s *Service) administrator(name, beginning string, now time.Time) *Appointment {
	return &Appointment{
		ID: NewID(s.officeHome()), Name: oneLine(name, 60), Role: RoleAdministrator, Status: AppointmentProposed, Beginning: beginning,
		Link: NewToken(), LinkUntil: now.Add(firstJoinFor), Proposed: Act{By: s.operator(), At: now},
	}
}

// mayBegin says whether somebody may take up an appointment that began on the server; any other they may. It takes the
// place of what they hold already as an administrator and cannot use.
func (s *Service) mayBegin(ctx context.Context, a *Appointment, p *Person) error {
	if a.Beginning == "" || a.Beginning == BegunByInvitation || a.Status != AppointmentProposed {
		return nil
	}
	began, err := s.Administration.Get(ctx, s.administrationID())
	if err != nil {
		return err
	}
	first := began.First
	if a.Beginning == BegunByBootstrap && !slices.Contains(first, a.ID) {
		return ErrAttemptOver
	}
	all, err := s.appointments(ctx, "person", p.ID)
	if err != nil {
		return err
	}
	for _, have := range all {
		current := a.Beginning == BegunByBootstrap && slices.Contains(first, have.ID)
		if have.Role != RoleAdministrator || have.ID == a.ID || current || have.Stands(p, s.now()) {
			continue
		}
		if err := s.replaceAppointment(ctx, have.ID); err != nil {
			return err
		}
	}
	return nil
}

// replaceAppointment ends what another appointment takes the place of that began on the server.
func (s *Service) replaceAppointment(ctx context.Context, id string) error {
	_, err := s.changeAppointment(ctx, id, func(a *Appointment, now time.Time) error {
		if a.Status != AppointmentEnded {
			a.end("replaced", Act{By: s.operator(), At: now})
		}
		return nil
	})
	return ignoreNotFound(err)
}

// completeBootstrap makes both administrators whom the bootstrap named, once both have taken it up. It may be called again, by
// any process, and returns what has become of the one that it was called for. The *InputError "policy_large" where their approval could not be asked for: nobody is an
// administrator then.
func (s *Service) completeBootstrap(ctx context.Context, a *Appointment) (*Appointment, error) {
	began, err := s.Administration.Get(ctx, s.administrationID())
	if err != nil {
		return a, err
	}
	both := make([]*Appointment, 0, len(began.First))
	if slices.Contains(began.First, a.ID) {
		for _, id := range began.First {
			one, err := s.appointment(ctx, id)
			if err != nil {
				return a, err
			}
			if one.Status == AppointmentAccepted || one.Status == AppointmentActive && one.Beginning == BegunByBootstrap {
				both = append(both, one)
			}
		}
	}
	if len(both) < 2 { // who comes second does it for both
		return s.changeAppointment(ctx, a.ID, func(a *Appointment, _ time.Time) error {
			a.Due = time.Time{}
			return nil
		})
	}
	if err := CheckPolicySize(s.Policy.Text); err != nil {
		return a, fmt.Errorf("complete bootstrap: %w", err)
	}
	began, err = s.Administration.Update(ctx, began.ID, func(have *Administration) error {
		if have.Completed.IsZero() && slices.Equal(have.First, began.First) {
			have.Completed = s.now()
		}
		return nil
	})
	if err != nil {
		return a, fmt.Errorf("complete bootstrap: %w", err)
	}
	if !slices.Contains(began.First, a.ID) { // two others were named meanwhile
		return a, ErrAttemptOver
	}
	if err := s.adoptPolicy(ctx); err != nil { // from now on it takes two to change it
		return a, err
	}
	// The one that this is for comes last: as long as it is due, this is done again.
	slices.SortFunc(both, func(one, other *Appointment) int {
		switch {
		case one.ID == a.ID:
			return 1
		case other.ID == a.ID:
			return -1
		}
		return 0
	})
	for _, one := range both {
		told, err := s.concerned(ctx, one)
		if err != nil {
			return a, err
		}
		if a, err = s.changeAppointment(ctx, one.ID, func(a *Appointment, now time.Time) error {
			if a.Status == AppointmentAccepted {
				a.activate(Act{By: ByOperator, At: began.Completed})
				s.tellOf(a, told, "", Act{At: now}, "confirmed")
			}
			return nil
		}); err != nil {
			return a, err
		}
	}
	return a, nil
}

// RecoverAdministration names an administrator, for the operator on the server, where fewer than two can act. Who takes it up is one after RecoveryWait, or
// as soon as another administrator confirms them; any administrator may end it before. All of them are told. ErrNotFound before the
// bootstrap, and the *InputError "appointment_name" without a name.
func (s *Service) RecoverAdministration(ctx context.Context, name string) (*Appointment, error) {
	return s.nameAdministrator(ctx, name, BegunByRecovery)
}

// nameAdministrator names one on the server once the first two are complete.
func (s *Service) nameAdministrator(ctx context.Context, name, beginning string) (*Appointment, error) {
	began, err := s.Administration.Get(ctx, s.administrationID())
	if err != nil {
		return nil, err
	}
	if began.Completed.IsZero() {
		return nil, ErrNotFound
	}
	a := s.administrator(name, beginning, s.now())
	if a.Name == "" {
		return nil, &InputError{Field: "name", Code: "appointment_name"}
	}
	told, err := s.concerned(ctx, a)
	if err != nil {
		return nil, err
	}
	a.propose(s, told, "")
	if err := s.Appointments.Create(ctx, a.ID, a); err != nil {
		return nil, fmt.Errorf("name administrator: %w", err)
	}
	return a, nil
}

// InviteAdministrator proposes an administrator, for the operator on the server. By itself it gives nothing: who takes it up is one once two administrators
// have confirmed it in the console, of whom neither is the one who has come. So whoever runs the command needs two others, even if they are an administrator themselves
// and confirm it as one of the two. All administrators are told. ErrNotFound before the bootstrap is complete, and the *InputError "appointment_name" without a name.
func (s *Service) InviteAdministrator(ctx context.Context, name string) (*Appointment, error) {
	return s.nameAdministrator(ctx, name, BegunByInvitation)
}

// SuspendByOperator suspends an appointment, for the operator on the server: where the only administrator who can act is the
// one to be suspended. Errors: ErrNotFound, ErrClosed, and the *InputError "appointment_reason".
func (s *Service) SuspendByOperator(ctx context.Context, id, reason string) (*Appointment, error) {
	a, err := s.appointment(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.suspendBy(ctx, a, reason, "", func(now time.Time) Act { return Act{By: s.operator(), At: now} })
}

// ListAdministrators are the appointments of administrators that have not ended, for the operator on the server.
func (s *Service) ListAdministrators(ctx context.Context) (all []Rostered, err error) {
	for _, status := range []AppointmentStatus{AppointmentActive, AppointmentSuspended, AppointmentAccepted, AppointmentProposed} {
		some, err := s.appointments(ctx, "role", string(RoleAdministrator)+"."+string(status))
		if err != nil {
			return nil, err
		}
		for _, a := range some {
			p, err := s.person(ctx, a.Person)
			if err != nil {
				return nil, err
			}
			row := Rostered{Appointment: a, Falls: a.falls(p, s.now())}
			if row.Awaits, err = s.Awaits(ctx, a); err != nil {
				return nil, err
			}
			all = append(all, row)
		}
	}
	return all, nil
}

const (
	// leavingFor is how long an administrator counts as gone who is about to go, and leaveWithin how long the going may take; the
	// rest is for clocks that differ.
	leavingFor  = leaveWithin + 2*ClockSkew
	leaveWithin = time.Minute
)

// leave is the right to end an administrator, for a while.
type leave struct{ until time.Time }

// good says whether it still holds; the zero value is for what needs none.
func (l leave) good(now time.Time) bool { return l.until.IsZero() || now.Before(l.until) }

// leave takes the right to end an appointment. Of administrators two must be left who can act: it is the *InputError
// "administrators_two" otherwise. All who want to end one meet in one record, so that two at once see each other.
func (s *Service) leave(ctx context.Context, a *Appointment) (leave, error) {
	if a.Role != RoleAdministrator || a.Status != AppointmentActive {
		return leave{}, nil
	}
	now := s.now()
	going := func(l Leaving) bool { return now.Sub(l.At) < leavingFor }
	// Who is going is written down before anybody is counted: of two at once, the later one counts the earlier as gone.
	began, err := s.Administration.Update(ctx, s.administrationID(), func(have *Administration) error {
		have.Leaving = slices.DeleteFunc(have.Leaving, func(l Leaving) bool { return !going(l) || l.Appointment == a.ID })
		have.Leaving = append(have.Leaving, Leaving{a.ID, now})
		return nil
	})
	if err != nil {
		return leave{}, err
	}
	standing, err := s.administrators(ctx)
	if err != nil {
		return leave{}, err
	}
	left := slices.DeleteFunc(standing, func(o *Appointment) bool {
		return slices.ContainsFunc(began.Leaving, func(l Leaving) bool { return l.Appointment == o.ID })
	})
	if len(left) < 2 {
		_, err := s.Administration.Update(ctx, began.ID, func(have *Administration) error {
			have.Leaving = slices.DeleteFunc(have.Leaving, func(l Leaving) bool { return l == Leaving{a.ID, now} })
			return nil
		})
		return leave{}, errors.Join(err, &InputError{Field: "appointment", Code: "administrators_two"})
	}
	return leave{now.Add(leaveWithin)}, nil
}
