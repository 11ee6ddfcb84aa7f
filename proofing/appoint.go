package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// AppointmentDraft is what somebody proposes.
type AppointmentDraft struct {
	Name         string
	Role         Role
	CA           string // of roles on the CA's side
	Organization string // id, of roles on the applicant's side
	Source       RoleSource
	Agreement    *Agreement
	Until        time.Time
	// Once is a random value of the form: what comes twice with it is one proposal.
	Once Secret
}

// proposalsDay is how many appointments one person proposes in a day: each is told to many.
const proposalsDay = 100

// ProposeAppointment proposes somebody for a role, and returns the appointment with the link (JoinURL) that the proposer hands to them. It
// may come twice. ErrNotFound for a role that is not the proposer's to give, besides the errors of Console;
// ErrNotAdmitted, too, unless they have just authenticated; *LimitError; and the *InputError codes "appointment_name",
// "appointment_role", "appointment_source" and "appointment_agreement".
func (s *Service) ProposeAppointment(ctx context.Context, v Visit, d AppointmentDraft) (*Appointment, error) {
	o, err := s.officer(ctx, v)
	if err != nil {
		return nil, err
	}
	now := s.now()
	a := &Appointment{
		ID: NewID(s.officeHome()), Name: oneLine(d.Name, 60), Role: d.Role, CA: d.CA, Status: AppointmentProposed, Link: NewToken(), LinkUntil: now.Add(joinFor),
		Source: d.Source, Agreement: d.Agreement, Until: d.Until.UTC().Truncate(time.Millisecond),
	}
	if d.Once != "" {
		once := s.Hasher.Sum("appointment once", o.Person.ID, d.Once.Reveal())
		a.ID = s.officeBucket() + FixedID(once)[2:]
	}
	if err := s.place(ctx, a, d.Organization); err != nil {
		return nil, err
	}
	by, err := actingBy(o.appointments, func(mine *Appointment) bool { return mine.governs(a) })
	if err != nil {
		return nil, err
	}
	if err := s.checkDraft(ctx, a, o.Person.ID, now); err != nil {
		return nil, err
	}
	if d.Once != "" {
		if there, err := s.appointment(ctx, a.ID); !errors.Is(err, ErrNotFound) {
			return there, err
		}
	}
	if err := s.spendAll(ctx, []spend{{"changes", "office.proposals." + o.Person.ID, 1, proposalsDay, 24 * time.Hour}}); err != nil {
		return nil, err
	}
	told, err := s.concerned(ctx, a)
	if err != nil {
		return nil, err
	}
	a.Proposed = o.act(by, now)
	a.propose(s, told, v.Lang)
	err = s.Appointments.Create(ctx, a.ID, a)
	if errors.Is(err, ErrExists) { // the same, at once
		return s.appointment(ctx, a.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("propose appointment: %w", err)
	}
	s.rouseOffices()
	return a, nil
}

// propose writes down that it was proposed, and tells whom it concerns.
func (a *Appointment) propose(s *Service, told []recipient, lang string) {
	words := map[string]any{}
	if a.Source.Reference != "" {
		words["source_reference"] = a.Source.Reference
	}
	if a.Agreement != nil {
		words["agreement"] = a.Agreement.Reference
	}
	a.write(AppointmentIsProposed, a.Proposed, words)
	s.tellOf(a, told, lang, a.Proposed, "proposed")
}

// place checks that the appointment's scope exists, and that it is one that the role is held in.
func (s *Service) place(ctx context.Context, a *Appointment, organization string) error {
	wrong := &InputError{Field: "role", Code: "appointment_role"}
	switch a.Role.Side() {
	case SideService:
		if a.CA != "" || organization != "" {
			return wrong
		}
	case SideAuthority:
		if organization != "" {
			return wrong
		}
		ca, err := s.Authorities.Get(ctx, s.AuthorityID(a.CA))
		if err != nil || !ca.Revoked.IsZero() {
			return orElse(err, ErrNotFound)
		}
	case SideApplicant:
		o, err := s.organization(ctx, organization)
		if err != nil || a.CA != "" && a.CA != o.CA {
			return orElse(err, ErrNotFound)
		}
		a.CA, a.Organization = o.CA, o.ID
	default:
		return wrong
	}
	return nil
}

// orElse is the error, or another one where there is none.
func orElse(err, other error) error {
	if err == nil {
		return other
	}
	return err
}

// checkDraft checks what the role rests on, as far as that can be known before somebody has taken it up.
func (s *Service) checkDraft(ctx context.Context, a *Appointment, proposer string, now time.Time) error {
	if a.Name == "" {
		return &InputError{Field: "name", Code: "appointment_name"}
	}
	if !a.Until.IsZero() && !a.Until.After(now) {
		return &InputError{Field: "until", Code: "appointment_until"}
	}
	source := &InputError{Field: "source", Code: "appointment_source"}
	a.Source.Reference = oneLine(a.Source.Reference, 120)
	switch kinds := roleSources[a.Role]; {
	case len(kinds) == 0 && a.Source.Kind == "":
		a.Source = RoleSource{}
	case !slices.Contains(kinds, a.Source.Kind) || a.Source.Reference == "":
		return source
	default:
		a.Source.By = proposer
		if a.Source.At.IsZero() || a.Source.At.After(now) {
			a.Source.At = now
		}
	}
	if a.Source.Kind != SourceSignerWarranty {
		a.Source.Signer = ""
	} else if err := s.signs(ctx, a, a.Source.Signer, source); err != nil {
		return err
	}
	if a.Agreement == nil {
		return nil
	}
	agreement := &InputError{Field: "agreement", Code: "appointment_agreement"}
	g := a.Agreement
	g.Reference, g.Version, g.Until = oneLine(g.Reference, 120), oneLine(g.Version, 60), g.Until.UTC().Truncate(time.Millisecond)
	if a.Role != RoleApprover || g.Reference == "" || g.Version == "" || !g.Until.After(now) {
		return agreement
	}
	return s.signs(ctx, a, g.Signer, agreement)
}

// signs checks that an appointment is a Contract Signer's of the same organization, and stands.
func (s *Service) signs(ctx context.Context, a *Appointment, signer string, otherwise error) error {
	by, err := s.appointment(ctx, signer)
	if errors.Is(err, ErrNotFound) {
		return otherwise
	}
	if err != nil {
		return err
	}
	p, err := s.person(ctx, by.Person)
	if err != nil {
		return err
	}
	if by.Role != RoleSigner || !by.Covers(a.CA, a.Organization) || !by.Stands(p, s.now()) {
		return otherwise
	}
	return nil
}

// AppointmentByLink is the appointment that a link is about, unchanged; ErrNotFound for any fault in the link. Whether it can still
// be taken up, its status says.
func (s *Service) AppointmentByLink(ctx context.Context, link Secret) (*Appointment, error) {
	parts, ok := splitRef(link, 2)
	if !ok {
		return nil, ErrNotFound
	}
	a, err := s.appointment(ctx, parts[0])
	if err == nil && !same(a.Link, Secret(parts[1])) {
		return nil, ErrNotFound
	}
	return a, err
}

// AcceptAppointment takes an appointment up by its link, for who is signed in with a passkey of their own. It gives nothing yet. It may
// come twice. ErrNotFound for any fault in the link or without a session, ErrNotAdmitted unless they have just authenticated
// at AAL2 by something that cannot be phished, ErrAttemptOver for a link that was used or has run out, and the *InputError codes
// "appointment_proposer" (nobody appoints themselves) and "appointment_twice" (they hold the role already).
func (s *Service) AcceptAppointment(ctx context.Context, v Visit, link Secret) (*Appointment, error) {
	session, err := s.Session(ctx, v)
	if err != nil {
		return nil, err
	}
	a, err := s.AppointmentByLink(ctx, link)
	if err != nil {
		return nil, err
	}
	if !session.strong() || !session.Fresh {
		return nil, ErrNotAdmitted
	}
	key, ok := s.passkeyOf(session)
	if !ok {
		return nil, ErrNotAdmitted
	}
	if err := s.mayBegin(ctx, a, session.Person); err != nil {
		return nil, err
	}
	me := session.Person
	taken := *a
	taken.Person = me.ID
	told, err := s.concerned(ctx, &taken)
	if err != nil {
		return nil, err
	}
	a, err = s.changeAppointment(ctx, a.ID, func(a *Appointment, now time.Time) error {
		switch {
		case a.Person == me.ID && a.Status != AppointmentEnded:
			return nil
		case a.Status != AppointmentProposed:
			return ErrAttemptOver
		case a.Proposed.By.ID == me.ID:
			return &InputError{Field: "appointment", Code: "appointment_proposer"}
		}
		a.Status, a.Person, a.Passkey = AppointmentAccepted, me.ID, key
		a.Accepted = Act{By: Actor{Kind: "person", ID: me.ID, Session: session.Case.ID}, Name: a.Name, At: now}
		if a.Beginning == BegunByBootstrap {
			a.Due = now
		}
		a.write(AppointmentIsAccepted, a.Accepted, map[string]any{"passkey": key.Name})
		s.tellOf(a, told, v.Lang, a.Accepted, "accepted")
		return nil
	})
	if err != nil {
		return nil, err
	}
	if a.Beginning == BegunByBootstrap {
		return s.completeBootstrap(ctx, a)
	}
	return a, nil
}

// passkeyOf is the passkey that the person of a session has signed in with last.
func (s *Service) passkeyOf(session *Session) (Passkey, bool) {
	for _, e := range slices.Backward(session.Case.Evidence) {
		if e.WebAuthn == nil || !e.bound() || session.Case.suspends(e.ID) {
			continue
		}
		id := s.addressID(e.Contact())
		i := slices.IndexFunc(session.Person.Bindings, func(b Binding) bool { return b.ID == id && b.Gone.IsZero() })
		if i < 0 {
			continue
		}
		b := session.Person.Bindings[i]
		return Passkey{
			Binding: b.ID, Name: b.label(), BoundAt: b.BoundAt,
			Attestation: e.WebAuthn.Attestation.Type, Trusted: e.WebAuthn.Attestation.Trusted, Synced: e.WebAuthn.BE,
		}, true
	}
	return Passkey{}, false
}

// ConfirmAppointment confirms who has taken an appointment up: from then on it gives its role. Seen is the number of the entry that
// the page showed (Journal.Written). It may come twice. ErrNotFound for what is not theirs to confirm and ErrClosed for what
// waits for nobody, besides the errors of Console and ErrNotAdmitted; and the *InputError codes "appointment_changed", "appointment_own" (it is about
// themselves), "appointment_proposer" (they have proposed it), "appointment_administrator" (one of the two must be an administrator),
// "appointment_proposer_gone" (who proposed it may do so no more), "appointment_recovered" (the person's account was recovered since they took it up) and "appointment_source" (it rests on the word of its holder).
func (s *Service) ConfirmAppointment(ctx context.Context, v Visit, id string, seen int64) (*Appointment, error) {
	o, a, by, err := s.governing(ctx, v, id)
	if err != nil {
		return nil, err
	}
	stillProposed, err := s.stillActs(ctx, a.Proposed, a.Beginning)
	if err != nil {
		return nil, err
	}
	holder, err := s.person(ctx, a.Person)
	if err != nil {
		return nil, err
	}
	signer, err := s.warrants(ctx, a)
	if err != nil {
		return nil, err
	}
	stillSeconds, err := s.stillSeconded(ctx, a)
	if err != nil {
		return nil, err
	}
	seconded := a.Seconded
	told, err := s.concerned(ctx, a)
	if err != nil {
		return nil, err
	}
	me := o.Person.ID
	return s.changeAppointment(ctx, id, func(a *Appointment, now time.Time) error {
		if a.Confirmed.By.ID == me && a.Status == AppointmentActive {
			return nil
		}
		if a.Status != AppointmentAccepted || a.Beginning == BegunByBootstrap || holder == nil || holder.ID != a.Person {
			return ErrClosed
		}
		code := a.unconfirmable(me, by, holder, stillProposed, signer)
		if code == "" && seen != a.Journal.Written {
			code = "appointment_changed"
		}
		invited := a.Beginning == BegunByInvitation
		if invited && a.Status == AppointmentAccepted && a.Seconded.By.ID == me && stillSeconds {
			return nil // the same, once more: it takes another one
		}
		if code == "" && invited && (!a.Seconded.At.Equal(seconded.At) || a.Seconded.By.ID != seconded.By.ID) {
			code = "appointment_changed" // another one has confirmed it after this call has looked
		}
		if code != "" {
			return &InputError{Field: "appointment", Code: code}
		}
		if invited && !stillSeconds { // nobody has, or somebody who may do so no more
			a.Seconded = o.act(by, now)
			a.write(AppointmentIsSeconded, a.Seconded, nil)
			s.tellOf(a, told, v.Lang, a.Seconded, "seconded")
			return nil
		}
		a.activate(o.act(by, now))
		s.tellOf(a, told, v.Lang, a.Confirmed, "confirmed")
		return nil
	})
}

// unconfirmable says why somebody may not confirm an appointment that was taken up; nothing if they may. Signer is the person whose word
// it rests on.
func (a *Appointment) unconfirmable(me string, by *Appointment, holder *Person, stillProposed bool, signer string) (code string) {
	switch {
	case a.Person == me:
		return "appointment_own"
	case a.Proposed.By.ID == me:
		return "appointment_proposer"
	case !stillProposed:
		return "appointment_proposer_gone"
	case a.Beginning == "" && !Enough(a.Role, a.Proposed.By.Role, by.Role):
		return "appointment_administrator"
	case !holder.Recovered.IsZero() && !holder.Recovered.Before(a.Accepted.At):
		return "appointment_recovered"
	case a.Source.By == a.Person || signer == a.Person: // CSBR 3.2.2.2.7(1)
		return "appointment_source"
	}
	return ""
}

// warrants is the person whose word an appointment rests on; empty if it rests on something else.
func (s *Service) warrants(ctx context.Context, a *Appointment) (person string, err error) {
	if a.Source.Signer == "" {
		return "", nil
	}
	signer, err := s.appointment(ctx, a.Source.Signer)
	if err != nil {
		return "", err
	}
	return signer.Person, nil
}

// governing is an officer with the appointment that they want to change, and the one by which they may.
func (s *Service) governing(ctx context.Context, v Visit, id string) (o *officer, a, mine *Appointment, err error) {
	if o, err = s.officer(ctx, v); err != nil {
		return nil, nil, nil, err
	}
	if a, err = s.appointment(ctx, id); err != nil {
		return nil, nil, nil, err
	}
	mine, err = actingBy(o.appointments, func(m *Appointment) bool { return m.governs(a) })
	return o, a, mine, err
}

// stillSeconded says whether the first of the two confirmations that an invitation takes counts: whoever gave it can act now.
func (s *Service) stillSeconded(ctx context.Context, a *Appointment) (bool, error) {
	if a.Beginning != BegunByInvitation || a.Seconded.At.IsZero() {
		return false, nil
	}
	return s.stillActs(ctx, a.Seconded, "")
}

// Awaits says what an appointment waits for that was taken up; nothing if it waits for nothing like that.
func (s *Service) Awaits(ctx context.Context, a *Appointment) (Awaits, error) {
	if a.Status != AppointmentAccepted {
		return "", nil
	}
	seconded, err := s.stillSeconded(ctx, a)
	return a.awaits(seconded), err
}

// stillActs says whether who did something could do it still: who has lost their role meanwhile counts for nothing. What began
// on the server needs nobody.
func (s *Service) stillActs(ctx context.Context, act Act, beginning string) (bool, error) {
	if beginning != "" {
		return true, nil
	}
	a, err := s.appointment(ctx, act.By.Appointment)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p, err := s.person(ctx, a.Person)
	return err == nil && a.Stands(p, s.now()), err
}
