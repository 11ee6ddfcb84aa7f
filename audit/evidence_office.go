package audit

import (
	"errors"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// stood says whether the appointment was in force by which somebody decided about a case, and of the organization or the authority whose case it is.
func (r *reading) stood(k *readObject, c *Checked) error {
	by := c.Document.By
	scope, of := "organization", textOf(c.Decided.Facts, "organization")
	if by.Role.Side() == proofing.SideAuthority {
		scope, of = "ca", textOf(k.opened(), "ca")
	}
	l, err := r.held(by, c.Decided.At)
	if err != nil {
		return err
	}
	if got := textOf(l.Facts, scope); got != of {
		return fmt.Errorf("the appointment %s is of the %s %q, and the case of %q", by.Appointment, scope, got, of)
	}
	return nil
}

// held is the entry by which an appointment gave somebody a role at a time, within the skew of clocks. It has come about as it must: by two besides who holds it.
func (r *reading) held(by proofing.DocumentBy, at time.Time) (proofing.Leaf, error) {
	o := r.object(proofing.SubjectAppointment, by.Appointment)
	if o == nil {
		return proofing.Leaf{}, fmt.Errorf("the appointment %s is not there", by.Appointment)
	}
	for i, l := range o.leaves {
		begins := !l.At.After(at.Add(proofing.ClockSkew))
		lasts := i+1 == len(o.leaves) || !o.leaves[i+1].At.Before(at.Add(-proofing.ClockSkew))
		if begins && lasts && textOf(l.Facts, "status") == string(proofing.AppointmentActive) && textOf(l.Facts, "person") == by.Person && textOf(l.Facts, "role") == string(by.Role) {
			if err := r.given(o, i); err != nil {
				return l, fmt.Errorf("the appointment %s: %w", by.Appointment, err)
			}
			return l, nil
		}
	}
	return proofing.Leaf{}, fmt.Errorf("by the log the appointment %s gave %s no role of %s then", by.Appointment, by.Person, by.Role)
}

// errRound says that an appointment rests on itself.
var errRound = errors.New("it was given by somebody whose own role rests on it")

// given says whether a role that an entry of an appointment says is given was given as one must be: see office. It is looked at once.
func (r *reading) given(o *readObject, i int) error {
	name := fmt.Sprintf("%s %d", o.Object, i)
	if err, known := r.offices[name]; known {
		return err
	}
	r.offices[name] = errRound
	err := r.office(o, i)
	r.offices[name] = err
	return err
}

// office follows an appointment from its proposal to an entry. Nobody gets a role by less than two others, of whom each has a say in who holds it, and gets it back by less
// (threat model X54); an administrator who was named on the server is one of the first two, has waited, or was confirmed (proofing.BegunByBootstrap and so on).
func (r *reading) office(o *readObject, i int) error {
	first := o.leaves[0]
	if first.Kind != proofing.AppointmentIsProposed {
		return errors.New("nobody has proposed it")
	}
	var accepted, seconded, asked *proofing.Leaf
	stands := false
	for n := range o.leaves[:i+1] {
		l := &o.leaves[n]
		wrong := func(err error) error { return fmt.Errorf("entry %d: %w", l.Number, err) }
		for _, fact := range []string{"role", "ca", "organization", "beginning"} {
			if was, is := textOf(first.Facts, fact), textOf(l.Facts, fact); was != is {
				return wrong(fmt.Errorf("its %s was %q, and is %q", fact, was, is))
			}
		}
		person := textOf(l.Facts, "person")
		if accepted != nil && person != textOf(accepted.Facts, "person") {
			return wrong(errors.New("it is another person's than who has taken it up"))
		}
		var err error
		switch l.Kind {
		case proofing.AppointmentIsAccepted:
			if accepted != nil || l.By.Kind != "person" || l.By.ID != person || person == first.By.ID {
				err = errors.New("it was not taken up, once, by who holds it, whom another one has proposed")
			}
			accepted = l
		case proofing.AppointmentIsSeconded:
			seconded = l
		case proofing.AppointmentIsConfirmed:
			if accepted == nil || stands {
				err = errors.New("it was confirmed, and nobody had taken it up, or it was before")
			} else {
				err = r.confirmed(&first, accepted, seconded, l)
			}
			stands = true
		case proofing.AppointmentIsAsked:
			asked = l
		case proofing.AppointmentIsResumed:
			if accepted == nil || asked == nil {
				err = errors.New("it was given back, and nobody had asked for it")
			} else {
				err = r.two(l, &asked.By, &l.By, asked.At, l.At)
			}
			asked, stands = nil, true
		case proofing.AppointmentIsSuspended:
			stands = false
		case proofing.AppointmentHasEnded:
			return wrong(errors.New("it has ended"))
		case proofing.AppointmentIsReconfirmed:
			if l.By.Kind != "person" || l.By.ID == person {
				err = errors.New("who holds it has reconfirmed it")
			}
		}
		if err == nil && textOf(l.Facts, "status") == string(proofing.AppointmentActive) && !stands {
			err = errors.New("it gives a role, and nobody has confirmed it")
		}
		if err != nil {
			return wrong(err)
		}
	}
	return r.ownWord(&first, accepted)
}

// confirmed says whether those have agreed to an appointment whom it takes by its beginning.
func (r *reading) confirmed(first, accepted, seconded, l *proofing.Leaf) error {
	beginning := textOf(first.Facts, "beginning")
	if beginning == "" {
		return r.two(l, &first.By, &l.By, first.At, l.At)
	}
	if textOf(first.Facts, "role") != string(proofing.RoleAdministrator) || first.By.Kind != proofing.ByOperator.Kind {
		return errors.New("only administrators are named on the server")
	}
	switch person := textOf(l.Facts, "person"); beginning {
	case proofing.BegunByBootstrap:
		if l.By.Kind != proofing.ByOperator.Kind {
			return errors.New("it is one of the first two, and somebody has confirmed it")
		}
		return r.firstTwo()
	case proofing.BegunByRecovery:
		if l.By.Kind == proofing.ByOperator.Kind {
			if l.At.Before(accepted.At.Add(proofing.RecoveryWait - proofing.ClockSkew)) {
				return fmt.Errorf("it was named on the server, and counted before %s were over", proofing.RecoveryWait)
			}
			return nil
		}
		if l.By.ID == person {
			return errors.New("who holds it has confirmed it")
		}
		return r.governs(l, &l.By, l.At)
	case proofing.BegunByInvitation:
		if seconded == nil {
			return errors.New("it was named on the server, and one alone has confirmed it")
		}
		return r.two(l, &seconded.By, &l.By, seconded.At, l.At)
	}
	return fmt.Errorf("nobody knows how it began: %q", beginning)
}

// two says whether what an entry tells of was done by two who could, of whom neither holds the appointment. Whoever was first could still when the second did it.
func (r *reading) two(l *proofing.Leaf, one, other *proofing.Actor, first, second time.Time) error {
	person, role := textOf(l.Facts, "person"), proofing.Role(textOf(l.Facts, "role"))
	switch {
	case one.Kind != "person" || other.Kind != "person" || one.ID == other.ID:
		return fmt.Errorf("it takes two, and was done by %s and %s", one.ID, other.ID)
	case one.ID == person || other.ID == person:
		return fmt.Errorf("%s holds it, and has a part in giving it", person)
	case !proofing.Enough(role, one.Role, other.Role):
		return fmt.Errorf("it takes an administrator, and was done by a %s and a %s", one.Role, other.Role)
	}
	return errors.Join(r.governs(l, one, first), r.governs(l, one, second), r.governs(l, other, second))
}

// governs says whether somebody had a say at a time in who holds the appointment of an entry.
func (r *reading) governs(l *proofing.Leaf, by *proofing.Actor, at time.Time) error {
	mine, err := r.held(proofing.DocumentBy{Person: by.ID, Role: by.Role, Appointment: by.Appointment}, at)
	if err != nil {
		return err
	}
	switch operates := proofing.Role(textOf(l.Facts, "role")).Side() != proofing.SideService && textOf(mine.Facts, "ca") == textOf(l.Facts, "ca"); {
	case by.Role == proofing.RoleAdministrator, by.Role == proofing.RoleOperator && operates:
		return nil
	}
	return fmt.Errorf("%s has no say in it as %s", by.ID, by.Role)
}

// firstTwo says whether no more than two administrators are the first.
func (r *reading) firstTwo() error {
	n := 0
	for _, o := range r.objects {
		if o.Of == proofing.SubjectAppointment && textOf(o.leaves[0].Facts, "beginning") == proofing.BegunByBootstrap && o.first(proofing.AppointmentIsConfirmed) >= 0 {
			n++
		}
	}
	if n > 2 {
		return fmt.Errorf("there are two administrators who were the first, and not %d", n)
	}
	return nil
}

// ownWord says whether the source of a role is not who holds it (CSBR 3.2.2.2.7(1)): the Contract Signer who warrants it is another person. Who obtained a document is
// who has proposed it.
func (r *reading) ownWord(first, accepted *proofing.Leaf) error {
	signer := textOf(first.Facts, "source_signer")
	if textOf(first.Facts, "source") != string(proofing.SourceSignerWarranty) {
		return nil
	}
	o := r.object(proofing.SubjectAppointment, signer)
	if o == nil {
		return fmt.Errorf("the Contract Signer %q who warrants it is not there", signer)
	}
	for _, l := range o.leaves {
		if textOf(l.Facts, "person") == textOf(accepted.Facts, "person") {
			return errors.New("it rests on the word of who holds it (CSBR 3.2.2.2.7(1))")
		}
	}
	return nil
}
