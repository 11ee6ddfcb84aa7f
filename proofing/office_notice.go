package proofing

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// noticeAppointment is the notice of a change of somebody's role.
	noticeAppointment = "appointment"
	// mostNotices is how many of them wait in an appointment: the change matters more than that everybody hears of each one.
	mostNotices = 100
	// officeNotices is the most addresses of one person that hear of it.
	officeNotices = 2
)

// concerned are the mailboxes of everybody whom a change of an appointment concerns: its holder, the administrators, and the
// operators of its authority.
func (s *Service) concerned(ctx context.Context, a *Appointment) (told []Contact, err error) {
	active := "." + string(AppointmentActive)
	governing, err := s.appointments(ctx, "role", string(RoleAdministrator)+active)
	if err != nil {
		return nil, err
	}
	if a.CA != "" {
		operators, err := s.appointments(ctx, "scope", (&Appointment{Role: RoleOperator, CA: a.CA}).scope()+active)
		if err != nil {
			return nil, err
		}
		governing = append(governing, slices.DeleteFunc(operators, func(o *Appointment) bool { return o.Role != RoleOperator })...)
	}
	persons := []string{a.Person}
	for _, g := range governing {
		if !slices.Contains(persons, g.Person) {
			persons = append(persons, g.Person)
		}
	}
	for _, id := range persons {
		p, err := s.person(ctx, id)
		if err != nil {
			return nil, err
		}
		boxes := p.of(ChannelEmail)
		for _, b := range boxes[:min(len(boxes), officeNotices)] {
			told = append(told, b.Contact)
		}
	}
	return told, nil
}

// tellOf puts the notices of a change into the appointment's outbox. What is a code that the words have.
func (s *Service) tellOf(a *Appointment, told []Contact, lang string, by Act, what string) {
	ctx := MessageContext{CA: s.Policy.Operator, Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin, Lang: lang, Reason: what}
	for _, k := range told {
		a.Outbox.Messages = append(a.Outbox.Messages, Outgoing{
			Message: Message{
				ID: a.ID + "." + NewToken().Reveal()[:12], Kind: noticeAppointment, Channel: k.Channel, To: k.Address,
				Lang: lang, Context: ctx, About: a.Name, Role: a.Role, By: by.Name,
			},
			State: MessagePending, Since: by.At, Due: by.At, Expires: by.At.Add(72 * time.Hour),
		})
	}
	if over := len(a.Outbox.Messages) - mostNotices; over > 0 {
		a.Outbox.Messages = slices.Delete(a.Outbox.Messages, 0, over)
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
	q := Query{Index: "due", Bucket: s.officeBucket(), Below: stamp(s.now().Add(time.Millisecond)), Limit: workPage}
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

// workAppointment does what is due of one appointment: it stores what time has done, completes a bootstrap, and sends notices.
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
	for _, m := range a.Outbox.Messages {
		if m.Due.After(now) || ctx.Err() != nil {
			continue
		}
		if err := sendOwed(ctx, s, s.Appointments, func(a *Appointment) *Outbox { return &a.Outbox }, id, m.ID, func(*Outgoing) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}
