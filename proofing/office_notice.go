package proofing

import (
	"context"
	"slices"
	"sync"
	"time"
)

// noticeAppointment is the notice of a change of somebody's role.
const noticeAppointment = "appointment"

// concerned are the mailboxes, and a number of each, of everybody whom a change of an appointment concerns: its holder, the administrators, and the
// operators of its authority.
func (s *Service) concerned(ctx context.Context, a *Appointment) (told []recipient, err error) {
	persons, err := s.governors(ctx, a.CA)
	if err != nil {
		return nil, err
	}
	return s.reachAll(ctx, unique(append([]string{a.Person}, persons...)))
}

// governors are the administrators and the operators of an authority, or the administrators alone where its name is empty.
func (s *Service) governors(ctx context.Context, ca string) (persons []string, err error) {
	active := "." + string(AppointmentActive)
	all, err := s.appointments(ctx, "role", string(RoleAdministrator)+active)
	if err != nil {
		return nil, err
	}
	if ca != "" {
		operators, err := s.appointments(ctx, "scope", (&Appointment{Role: RoleOperator, CA: ca}).scope()+active)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(operators, func(o *Appointment) bool { return o.Role != RoleOperator })...)
	}
	for _, a := range all {
		persons = append(persons, a.Person)
	}
	return persons, nil
}

// unique is a list with each of it once, as it first comes.
func unique(list []string) (once []string) {
	for _, v := range list {
		if !slices.Contains(once, v) {
			once = append(once, v)
		}
	}
	return once
}

// tellOf puts the notices of a change into the appointment's outbox. What is a code that the words have.
func (s *Service) tellOf(a *Appointment, told []recipient, lang string, by Act, what string) {
	ctx := MessageContext{CA: s.Policy.Operator, Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin, Lang: lang, Reason: what}
	for _, r := range told {
		a.Outbox.owe(a.ID, Message{
			Kind: r.kindFor(noticeAppointment), Channel: r.Channel, To: r.Address, Lang: lang, Context: ctx, About: a.Name, Role: a.Role, By: by.Name,
		}, r.person, by.At)
	}
}

// rouseOffices has this process's worker look at the appointments.
func (s *Service) rouseOffices() {
	s.local().worker.miss(s.officeBucket())
	s.rouse()
}

// officeSlots is how many appointments are worked on at once.
const officeSlots = 4

// dispatchOffices sets hands to work on the appointments that are due.
func (s *Service) dispatchOffices(ctx context.Context, hands *sync.WaitGroup, worked func()) error {
	q := Query{Index: "due", Bucket: s.officeBucket(), Below: stamp(s.now().Add(time.Millisecond)), Limit: workPage, Unreadable: s.passOver(noticeAppointment)}
	for more := true; more; more = q.After != "" {
		page, next, err := s.Appointments.List(ctx, q)
		if err != nil {
			return err
		}
		for _, a := range page {
			w := &s.local().worker
			if !w.take(a.ID) {
				continue
			}
			job := func() {
				if ctx.Err() == nil {
					if err := s.workAppointment(ctx, a.ID); err == nil {
						worked()
					} else if ctx.Err() == nil {
						s.Log.WarnContext(ctx, "appointment cannot be worked on", "appointment", a.ID, "error", err)
					}
				}
				w.give(a.ID)
			}
			if !w.do(hands, noticeAppointment, officeSlots, job) {
				w.give(a.ID)
			}
		}
		q.After = next
	}
	return nil
}

// workAppointment does what is due of one appointment: it stores what time has done, completes a bootstrap, tells requests that it does not stand any more, reminds of what ends, and sends notices.
func (s *Service) workAppointment(ctx context.Context, id string) error {
	now := s.now()
	a, err := s.Appointments.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	if a.lapse(now) {
		told, err := s.concerned(ctx, a)
		if err != nil {
			return err
		}
		if a, err = s.Appointments.Update(ctx, id, func(a *Appointment) error {
			was := a.Status
			if a.lapse(s.now()); a.Status != was {
				s.tellOf(a, told, "", Act{At: s.now()}, map[AppointmentStatus]string{AppointmentActive: "confirmed", AppointmentEnded: "ended"}[a.Status])
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if a.Status == AppointmentAccepted && !a.Due.IsZero() && !a.Due.After(now) {
		if a, err = s.completeBootstrap(ctx, a); err != nil {
			return err
		}
	}
	if a, err = s.settleOffice(ctx, a); err != nil {
		return err
	}
	if a, err = s.remindOffice(ctx, a); err != nil {
		return err
	}
	return workNotices(ctx, s, s.Appointments, a)
}
