package proofing

import (
	"context"
	"slices"
	"time"
)

// SuspendAppointment takes a role from its holder for now. It takes one person, because it is urgent: somebody who governs it, a signer or an
// approver of the same organization, or the holder, who may have lost what they sign in with. An administrator can be suspended even if none is left:
// a stolen account must not go on because it is one of the last, and `admin recover` names others. It may
// come twice. Errors: those of Console, ErrNotAdmitted, ErrNotFound for what is not theirs, ErrClosed for what gives no role, and the *InputError
// "appointment_reason" without a reason.
func (s *Service) SuspendAppointment(ctx context.Context, v Visit, id, reason string) (*Appointment, error) {
	o, err := s.officer(ctx, v)
	if err != nil {
		return nil, err
	}
	a, err := s.appointment(ctx, id)
	if err != nil {
		return nil, err
	}
	by, err := actingBy(o.appointments, func(mine *Appointment) bool { return mine.ID == id || mine.halts(a) })
	if err != nil {
		return nil, err
	}
	return s.suspendBy(ctx, a, reason, v.Lang, func(now time.Time) Act { return o.act(by, now) })
}

// suspendBy suspends an appointment on somebody's word.
func (s *Service) suspendBy(ctx context.Context, a *Appointment, reason, lang string, by func(time.Time) Act) (*Appointment, error) {
	if reason = oneLine(reason, 300); reason == "" {
		return nil, &InputError{Field: "reason", Code: "appointment_reason"}
	}
	told, err := s.concerned(ctx, a)
	if err != nil {
		return nil, err
	}
	return s.changeAppointment(ctx, a.ID, func(a *Appointment, now time.Time) error {
		switch a.Status {
		case AppointmentSuspended:
			return nil
		case AppointmentActive:
		default:
			return ErrClosed
		}
		a.Status, a.Reason, a.Suspended, a.Asked = AppointmentSuspended, reason, by(now), nil
		a.write(AppointmentIsSuspended, a.Suspended, map[string]any{"reason": reason})
		s.tellOf(a, told, lang, a.Suspended, "suspended")
		return nil
	})
}

// ResumeAppointment gives a suspended role back: asked by one person, and by another one it is so. A role that does not stand because its
// holder's account was recovered is suspended first, and then resumed. It may come twice. Errors: those of Console, ErrNotAdmitted,
// ErrNotFound for what is not theirs, ErrClosed for what is not suspended, and the *InputError codes of ConfirmAppointment and
// "appointment_reason".
func (s *Service) ResumeAppointment(ctx context.Context, v Visit, id, reason string) (*Appointment, error) {
	return s.ask(ctx, v, id, AskedResume, reason, 0)
}

// ConfirmAsked is the second person's word for what another one has asked (AskedResume or AskedEnd), as the page with the entry of that number
// (Journal.Written) showed it. It may come twice. Errors: those of ResumeAppointment and EndAppointment, and the *InputError
// "appointment_changed" for what has changed since, or was not asked.
func (s *Service) ConfirmAsked(ctx context.Context, v Visit, id, what string, seen int64) (*Appointment, error) {
	if what != AskedResume && what != AskedEnd || seen <= 0 {
		seen = -1 // nobody has seen that
	}
	return s.ask(ctx, v, id, what, "", seen)
}

// EndAppointment ends an appointment for good. One that gives no role yet is ended by one person who governs it, and any by its
// holder, who resigns; else it is asked by one and ended by another. Two administrators who can act must be left. It may come
// twice. Errors: those of ResumeAppointment, and the *InputError "administrators_two".
func (s *Service) EndAppointment(ctx context.Context, v Visit, id, reason string) (*Appointment, error) {
	o, err := s.officer(ctx, v)
	if err != nil {
		return nil, err
	}
	a, err := s.appointment(ctx, id)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(o.appointments, func(mine *Appointment) bool { return mine.ID == id }); i >= 0 {
		return s.endBy(ctx, a, "resigned", v.Lang, func(now time.Time) Act { return o.act(o.appointments[i], now) })
	}
	mine, err := actingBy(o.appointments, func(mine *Appointment) bool { return mine.governs(a) })
	if err != nil {
		return nil, err
	}
	if a.Status == AppointmentProposed || a.Status == AppointmentAccepted {
		if reason = oneLine(reason, 300); reason == "" {
			return nil, &InputError{Field: "reason", Code: "appointment_reason"}
		}
		return s.endBy(ctx, a, reason, v.Lang, func(now time.Time) Act { return o.act(mine, now) }, AppointmentProposed, AppointmentAccepted)
	}
	return s.ask(ctx, v, id, AskedEnd, reason, 0)
}

// endBy ends an appointment on one person's word, if it still has one of the statuses; none: whatever it has.
func (s *Service) endBy(ctx context.Context, a *Appointment, reason, lang string, by func(time.Time) Act, from ...AppointmentStatus) (*Appointment, error) {
	told, err := s.concerned(ctx, a)
	if err != nil {
		return nil, err
	}
	leaves, err := s.leave(ctx, a)
	if err != nil {
		return nil, err
	}
	return s.changeAppointment(ctx, a.ID, func(a *Appointment, now time.Time) error {
		switch {
		case a.Status == AppointmentEnded:
			return nil
		case len(from) > 0 && !slices.Contains(from, a.Status):
			return ErrClosed
		case !leaves.good(now):
			return ErrUnavailable
		}
		a.end(reason, by(now))
		s.tellOf(a, told, lang, a.Ended, "ended")
		return nil
	})
}

// ask asks for a change of an appointment, or makes it if another person has asked for the same. With seen, which is 0 for none, it only makes it, as
// it was when the entry of that number was the last.
func (s *Service) ask(ctx context.Context, v Visit, id, what, reason string, seen int64) (*Appointment, error) {
	o, a, by, err := s.governing(ctx, v, id)
	if err != nil {
		return nil, err
	}
	reason = oneLine(reason, 300)
	stillAsked, leaves := true, leave{}
	asked := a.Asked
	if asked != nil && asked.What == what && asked.By.ID != o.Person.ID {
		if stillAsked, err = s.stillActs(ctx, asked.Act, ""); err != nil {
			return nil, err
		}
		if what == AskedEnd {
			if leaves, err = s.leave(ctx, a); err != nil {
				return nil, err
			}
		}
	}
	told, err := s.concerned(ctx, a)
	if err != nil {
		return nil, err
	}
	me := o.Person.ID
	return s.changeAppointment(ctx, id, func(a *Appointment, now time.Time) error {
		fault := func(code string) error { return &InputError{Field: "appointment", Code: code} }
		act := o.act(by, now)
		switch done := what == AskedResume && a.Status == AppointmentActive && a.Resumed.By.ID == me || what == AskedEnd && a.Status == AppointmentEnded; {
		case done:
			return nil
		case what == AskedResume && a.Status != AppointmentSuspended, a.Status != AppointmentActive && a.Status != AppointmentSuspended:
			return ErrClosed
		case a.Person == me:
			return fault("appointment_own")
		}
		if by := a.asks(what); by != nil && by.By.ID == me {
			return nil
		}
		if seen != 0 && (seen != a.Journal.Written || a.asks(what) == nil) {
			return fault("appointment_changed")
		}
		// What was asked by somebody who has lost their role since is asked anew.
		if a.asks(what) == nil || !stillAsked {
			if reason == "" {
				return &InputError{Field: "reason", Code: "appointment_reason"}
			}
			a.Asked = &Asked{What: what, Reason: reason, Act: act}
			a.write(AppointmentIsAsked, act, map[string]any{"what": what, "reason": reason})
			s.tellOf(a, told, v.Lang, act, "asked_"+what)
			return nil
		}
		switch {
		case asked == nil || a.Asked.By.ID != asked.By.ID || !a.Asked.At.Equal(asked.At):
			return fault("appointment_changed") // it was asked after this call has looked
		case !Enough(a.Role, a.Asked.By.Role, by.Role):
			return fault("appointment_administrator")
		case what == AskedEnd && !leaves.good(now):
			return ErrUnavailable
		}
		a.doAsked(act)
		s.tellOf(a, told, v.Lang, act, map[string]string{AskedResume: "resumed", AskedEnd: "ended"}[what])
		return nil
	})
}

// doAsked makes the change that was asked for.
func (a *Appointment) doAsked(by Act) {
	if a.Asked.What == AskedEnd {
		a.end(a.Asked.Reason, by)
		return
	}
	a.Status, a.Resumed, a.Asked, a.Reason = AppointmentActive, by, nil, ""
	if a.lapsed(by.At) { // two stand for it
		a.ReconfirmBy = by.At.Add(reconfirmEvery)
	}
	a.write(AppointmentIsResumed, by, nil)
}

// asks is who has asked for a change; nil if nobody has.
func (a *Appointment) asks(what string) *Asked {
	if a.Asked == nil || a.Asked.What != what {
		return nil
	}
	return a.Asked
}

// ReconfirmAppointment says that somebody who governs an appointment has made sure that it is still so (CSBR 3.2.2.2.7(4)): reference is
// where the record of that is. Errors: those of Console, ErrNotAdmitted, ErrNotFound for what is not theirs, ErrClosed for what gives no
// role, and the *InputError codes "appointment_own", "appointment_reference" and "appointment_lapsed" (it was due, and whatever gives a role back takes two: a
// suspension and its end).
func (s *Service) ReconfirmAppointment(ctx context.Context, v Visit, id, reference string) (*Appointment, error) {
	o, seen, by, err := s.governing(ctx, v, id)
	if err != nil {
		return nil, err
	}
	told, err := s.concerned(ctx, seen)
	if err != nil {
		return nil, err
	}
	reference = oneLine(reference, 120)
	return s.changeAppointment(ctx, id, func(a *Appointment, now time.Time) error {
		switch {
		case a.Status != AppointmentActive:
			return ErrClosed
		case a.Person == o.Person.ID:
			return &InputError{Field: "appointment", Code: "appointment_own"}
		case reference == "":
			return &InputError{Field: "reference", Code: "appointment_reference"}
		case a.lapsed(now):
			return &InputError{Field: "reference", Code: "appointment_lapsed"}
		}
		a.Reconfirmed = o.act(by, now)
		if !a.ReconfirmBy.IsZero() {
			a.ReconfirmBy = now.Add(reconfirmEvery)
		}
		a.write(AppointmentIsReconfirmed, a.Reconfirmed, map[string]any{"reference": reference})
		s.tellOf(a, told, v.Lang, a.Reconfirmed, "reconfirmed")
		return nil
	})
}

// endAppointments ends what an erased person held, or would have.
func (s *Service) endAppointments(ctx context.Context, person string) error {
	all, err := s.appointments(ctx, "person", person)
	if err != nil {
		return err
	}
	for _, a := range all {
		if _, err := s.changeAppointment(ctx, a.ID, func(a *Appointment, now time.Time) error {
			if a.Status != AppointmentEnded {
				a.end(reasonErased, Act{By: ByService, At: now})
			}
			return nil
		}); ignoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}
