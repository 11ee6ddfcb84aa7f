package proofing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// administered is a world with two administrators whom the bootstrap has named.
func administered(t testing.TB) (w *world, one, two *representative) {
	t.Helper()
	w = withPasskeys(t)
	w.Policy.Limits.ClientOpens = 10000 // all of them come from one address
	one, two = w.member("one"), w.member("two")
	first, err := w.Bootstrap(t.Context(), [2]string{"One", "Two"}, false)
	if err != nil {
		t.Fatal(err)
	}
	must[*proofing.Appointment](t)(one.accepts(first[0]))
	must[*proofing.Appointment](t)(two.accepts(first[1]))
	w.work()
	return w, one, two
}

// joins is the reference in the link of an appointment.
func joins(a *proofing.Appointment) proofing.Secret {
	return proofing.Secret(a.ID + "." + a.Link.Reveal())
}

func (r *representative) accepts(a *proofing.Appointment) (*proofing.Appointment, error) {
	return r.w.AcceptAppointment(r.w.t.Context(), r.visit(), joins(a))
}

func (r *representative) proposes(d proofing.AppointmentDraft) (*proofing.Appointment, error) {
	r.w.t.Helper()
	r.renew()
	if d.Name == "" {
		d.Name = "Somebody"
	}
	return r.w.ProposeAppointment(r.w.t.Context(), r.visit(), d)
}

func (r *representative) confirms(a *proofing.Appointment) (*proofing.Appointment, error) {
	r.w.t.Helper()
	r.renew()
	return r.w.ConfirmAppointment(r.w.t.Context(), r.visit(), a.ID, r.w.office(a).Journal.Written)
}

// office is an appointment as it is stored.
func (w *world) office(a *proofing.Appointment) *proofing.Appointment {
	w.t.Helper()
	return must[*proofing.Appointment](w.t)(w.Appointments.Get(w.t.Context(), a.ID))
}

// draft is what has to be said of a role.
func draft(role proofing.Role, ca, organization string) proofing.AppointmentDraft {
	d := proofing.AppointmentDraft{Name: "Somebody", Role: role, CA: ca, Organization: organization}
	if kinds := proofing.RoleSources(role); len(kinds) > 0 {
		d.Source = proofing.RoleSource{Kind: kinds[0], Reference: "file 17"}
	}
	return d
}

// holds makes a member who holds a role: proposed by one, and confirmed by the other.
func (w *world) holds(name string, one, two *representative, d proofing.AppointmentDraft) (*representative, *proofing.Appointment) {
	w.t.Helper()
	r := w.member(name)
	d.Name = name
	a := must[*proofing.Appointment](w.t)(one.proposes(d))
	r.renew()
	must[*proofing.Appointment](w.t)(r.accepts(a))
	a = must[*proofing.Appointment](w.t)(two.confirms(a))
	return r, a
}

// adds gives somebody who is there already a role.
func (w *world) adds(r, one, two *representative, d proofing.AppointmentDraft) *proofing.Appointment {
	w.t.Helper()
	a := must[*proofing.Appointment](w.t)(one.proposes(d))
	r.renew()
	must[*proofing.Appointment](w.t)(r.accepts(a))
	return must[*proofing.Appointment](w.t)(two.confirms(a))
}

// roles are the roles that somebody's session has.
func (r *representative) roles() (names []string) {
	r.w.t.Helper()
	_, mine, err := r.w.Console(r.w.t.Context(), r.visit())
	if errors.Is(err, proofing.ErrNotFound) {
		return nil
	}
	if err != nil {
		r.w.t.Fatal(err)
	}
	for _, a := range mine {
		names = append(names, string(a.Role))
	}
	slices.Sort(names)
	return names
}

func TestTheFirstTwoAdministratorsComeByLinksAndThenItIsLocked(t *testing.T) {
	w := withPasskeys(t)
	one, two := w.member("one"), w.member("two")
	ctx := t.Context()
	_, err := w.Bootstrap(ctx, [2]string{"One", " one "}, false)
	if err != nil { // these are two names
		t.Fatal(err)
	}
	_, err = w.Bootstrap(ctx, [2]string{"One", "Two"}, false)
	wantErr(t, "two are named already", err, proofing.ErrExists)
	_, err = w.Bootstrap(ctx, [2]string{"One", ""}, true)
	wantInput(t, "one name", err, "appointment_name")
	_, err = w.Bootstrap(ctx, [2]string{"One", "One"}, true)
	wantInput(t, "one name twice", err, "appointment_name")
	before, err := w.Bootstrap(ctx, [2]string{"One", "Two"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if url := before[0].JoinURL("https://proof.example.org").Reveal(); !strings.HasPrefix(url, "https://proof.example.org/admin/join/"+before[0].ID+".") {
		t.Errorf("the link is %s", url)
	}
	must[*proofing.Appointment](t)(one.accepts(before[0]))
	first, err := w.Bootstrap(ctx, [2]string{"One", "Two"}, true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = two.accepts(before[1])
	wantErr(t, "a link in whose place another was made", err, proofing.ErrAttemptOver)
	_, err = w.AcceptAppointment(ctx, one.visit(), proofing.Secret(first[0].ID+".x"))
	wantErr(t, "a made-up link", err, proofing.ErrNotFound)
	_, err = w.AcceptAppointment(ctx, visit(one.session, "another browser"), joins(first[0]))
	wantErr(t, "another browser", err, proofing.ErrNotFound)

	a := must[*proofing.Appointment](t)(one.accepts(first[0]))
	if a.Status != proofing.AppointmentAccepted || len(one.roles()) != 0 {
		t.Fatalf("the first alone is %s with %v", a.Status, one.roles())
	}
	if a.Passkey.BoundAt.IsZero() || a.Passkey.Binding == "" || !a.Passkey.BoundAt.Before(w.clock()) {
		t.Errorf("they came with %+v", a.Passkey)
	}
	w.work()
	_, err = one.accepts(first[1])
	wantInput(t, "one person for both", err, "appointment_twice")
	for range 2 { // it may come twice
		a = must[*proofing.Appointment](t)(two.accepts(first[1]))
		if a.Status != proofing.AppointmentActive {
			t.Fatalf("the second is %s", a.Status)
		}
	}
	for _, r := range []*representative{one, two} {
		if !slices.Equal(r.roles(), []string{"administrator"}) {
			t.Errorf("%s has %v", r.name, r.roles())
		}
	}
	_, err = w.Bootstrap(ctx, [2]string{"Eve", "Mallory"}, true)
	wantErr(t, "after it is complete", err, proofing.ErrExists)
	if started, completed, err := w.Began(ctx); err != nil || started.IsZero() || completed.Before(started) {
		t.Errorf("it began %v and was complete %v, %v", started, completed, err)
	}
	three := w.member("three")
	_, err = three.accepts(first[0])
	wantErr(t, "a link that was used", err, proofing.ErrAttemptOver)
}

func TestALinkRunsOutAndAWeakSignInTakesNothingUp(t *testing.T) {
	w, one, two := administered(t)
	three := w.member("three")
	a := must[*proofing.Appointment](t)(one.proposes(draft(proofing.RoleOperator, "alpha", "")))
	w.prove(three.session, "three", "sms", "+447400654321")
	w.pass(11 * time.Minute)
	_, err := three.accepts(a)
	wantErr(t, "eleven minutes after signing in", err, proofing.ErrNotAdmitted)
	w.pass(time.Hour)
	weak := must[*proofing.Case](t)(w.OpenOwn(t.Context(), proofing.Visit{Browser: "three", Client: "192.0.2.7", Lang: "en"}))
	weak = w.prove(weak, "three", "sms", "+447400654321")
	_, err = w.AcceptAppointment(t.Context(), visit(weak, "three"), joins(a))
	wantErr(t, "by text message", err, proofing.ErrNotAdmitted)

	one.renew()
	_, err = w.AcceptAppointment(t.Context(), one.visit(), joins(a))
	wantInput(t, "by who proposed it", err, "appointment_proposer")
	w.pass(7*24*time.Hour - 3*time.Hour)
	three.renew()
	shown := must[*proofing.Appointment](t)(w.AppointmentByLink(t.Context(), joins(a)))
	if shown.Status != proofing.AppointmentProposed {
		t.Fatalf("an hour before its end it is %s", shown.Status)
	}
	w.pass(2 * time.Hour)
	three.renew()
	_, err = three.accepts(a)
	wantErr(t, "after seven days", err, proofing.ErrAttemptOver)
	w.work()
	if got := w.office(a); got.Status != proofing.AppointmentEnded || got.Reason != "link_expired" {
		t.Errorf("it is %s, %s", got.Status, got.Reason)
	}
	two.renew()
	_, err = w.ConfirmAppointment(t.Context(), two.visit(), a.ID, 1)
	wantErr(t, "confirming it", err, proofing.ErrClosed)
}

func TestNobodyConfirmsWhatIsTheirsOrWhatTheyDidNotSee(t *testing.T) {
	w, one, two := administered(t)
	three, _ := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	// Three takes up a role that one has proposed.
	a := must[*proofing.Appointment](t)(one.proposes(draft(proofing.RoleReviewer, "alpha", "")))
	three.renew()
	must[*proofing.Appointment](t)(three.accepts(a))
	_, err := three.confirms(a)
	wantInput(t, "by its holder", err, "appointment_own")
	_, err = one.confirms(a)
	wantInput(t, "by who proposed it", err, "appointment_proposer")
	two.renew()
	_, err = w.ConfirmAppointment(t.Context(), two.visit(), a.ID, 1)
	wantInput(t, "as it was before somebody took it up", err, "appointment_changed")
	w.pass(11 * time.Minute)
	_, err = w.ConfirmAppointment(t.Context(), two.visit(), a.ID, 2)
	wantErr(t, "eleven minutes after signing in", err, proofing.ErrNotAdmitted)
	if three.renew(); len(three.roles()) != 1 {
		t.Errorf("before it is confirmed it gives %v", three.roles())
	}
	for range 2 {
		got := must[*proofing.Appointment](t)(two.confirms(a))
		if got.Status != proofing.AppointmentActive || got.Confirmed.By.Role != proofing.RoleAdministrator {
			t.Fatalf("confirmed it is %+v", got)
		}
	}
	if !slices.Equal(three.roles(), []string{"administrator", "reviewer"}) {
		t.Errorf("three has %v", three.roles())
	}
	// Nor does anybody give back, reconfirm or end what is theirs, by another role of theirs.
	two.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(t.Context(), two.visit(), a.ID, "a complaint"))
	three.renew()
	_, err = w.ResumeAppointment(t.Context(), three.visit(), a.ID, "it was nothing")
	wantInput(t, "asking for one's own", err, "appointment_own")
	must[*proofing.Appointment](t)(w.ResumeAppointment(t.Context(), two.visit(), a.ID, "it was nothing"))
	_, err = w.ResumeAppointment(t.Context(), three.visit(), a.ID, "it was nothing")
	wantInput(t, "agreeing to one's own", err, "appointment_own")
	one.renew()
	must[*proofing.Appointment](t)(w.ResumeAppointment(t.Context(), one.visit(), a.ID, ""))
	_, err = w.ReconfirmAppointment(t.Context(), three.visit(), a.ID, "a look in the mirror")
	wantInput(t, "reconfirming one's own", err, "appointment_own")
	// What somebody proposed who has lost their role since is not confirmed.
	b := must[*proofing.Appointment](t)(three.proposes(draft(proofing.RoleOperator, "alpha", "")))
	four := w.member("four")
	must[*proofing.Appointment](t)(four.accepts(b))
	one.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(t.Context(), one.visit(), w.adminOf(three).ID, "lost a laptop"))
	_, err = two.confirms(b)
	wantInput(t, "what a suspended administrator has proposed", err, "appointment_proposer_gone")
}

// adminOf is somebody's appointment as an administrator.
func (w *world) adminOf(r *representative) *proofing.Appointment {
	w.t.Helper()
	all, err := w.ListAdministrators(w.t.Context())
	i := slices.IndexFunc(all, func(a proofing.Rostered) bool { return a.Person == r.person() })
	if err != nil || i < 0 {
		w.t.Fatalf("%s is no administrator: %v", r.name, err)
	}
	return all[i].Appointment
}

func TestARoleTakesTwoWhoMayGiveIt(t *testing.T) {
	w, one, two := administered(t)
	opOne, _ := w.holds("op-one", one, two, draft(proofing.RoleOperator, "alpha", ""))
	opTwo, _ := w.holds("op-two", one, two, draft(proofing.RoleOperator, "alpha", ""))
	other, _ := w.holds("op-beta", one, two, draft(proofing.RoleOperator, "beta", ""))
	org := w.dossier(opOne, "alpha", "Example GmbH")
	const notFound = "not found"
	tests := []struct {
		role         proofing.Role
		by, with     *representative
		propose, two string // the code of the error; empty: none
	}{
		{proofing.RoleAdministrator, one, two, "", ""},
		{proofing.RoleAdministrator, opOne, two, notFound, ""},
		{proofing.RoleAdministrator, one, opOne, "", notFound},
		{proofing.RoleOperator, one, two, "", ""},
		{proofing.RoleOperator, opOne, one, "", ""},
		{proofing.RoleOperator, one, opOne, "", ""},
		{proofing.RoleReviewer, opOne, opTwo, "", "appointment_administrator"},
		{proofing.RoleSpecialist, opOne, other, "", notFound},
		{proofing.RoleSpecialist, other, one, notFound, ""},
		{proofing.RoleApprover, opOne, opTwo, "", ""},
		{proofing.RoleRequester, opOne, one, "", ""},
		{proofing.RoleSigner, opOne, other, "", notFound},
		{proofing.RoleSigner, other, opOne, notFound, ""},
	}
	want := func(what string, err error, code string) {
		t.Helper()
		switch code {
		case "":
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		case notFound:
			wantErr(t, what, err, proofing.ErrNotFound)
		default:
			wantInput(t, what, err, code)
		}
	}
	for n, tt := range tests {
		what := string(tt.role) + " by " + tt.by.name + " with " + tt.with.name
		d := draft(tt.role, "", "")
		switch tt.role.Side() {
		case proofing.SideAuthority:
			d.CA = "alpha"
		case proofing.SideApplicant:
			d.Organization = org.ID
		}
		a, err := tt.by.proposes(d)
		if want(what+", proposing", err, tt.propose); err != nil {
			continue
		}
		newcomer := w.member("new-" + string(rune('a'+n)))
		must[*proofing.Appointment](t)(newcomer.accepts(a))
		_, err = tt.with.confirms(a)
		want(what+", confirming", err, tt.two)
	}
}

// dossier opens a dossier.
func (w *world) dossier(by *representative, ca, name string) *proofing.Organization {
	w.t.Helper()
	by.renew()
	o, _, err := w.OpenOrganization(w.t.Context(), by.visit(), ca, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func TestSuspendingTakesOneAndGivingBackTakesTwo(t *testing.T) {
	w, one, two := administered(t)
	three, a := w.holds("three", one, two, draft(proofing.RoleOperator, "alpha", ""))
	ctx := t.Context()
	one.renew()
	_, err := w.SuspendAppointment(ctx, one.visit(), a.ID, " ")
	wantInput(t, "without a reason", err, "appointment_reason")
	_, err = w.ResumeAppointment(ctx, one.visit(), a.ID, "why not")
	wantErr(t, "resuming what is not suspended", err, proofing.ErrClosed)
	for range 2 {
		must[*proofing.Appointment](t)(w.SuspendAppointment(ctx, one.visit(), a.ID, "a laptop is lost"))
	}
	three.renew()
	if got := three.roles(); len(got) != 0 {
		t.Errorf("suspended it gives %v", got)
	}
	_, _, err = w.Console(ctx, three.visit())
	wantErr(t, "the console", err, proofing.ErrNotFound)
	for range 2 {
		got := must[*proofing.Appointment](t)(w.ResumeAppointment(ctx, one.visit(), a.ID, "it was found"))
		if got.Status != proofing.AppointmentSuspended || got.Asked == nil {
			t.Fatalf("asked for by one it is %s", got.Status)
		}
	}
	two.renew()
	for range 2 {
		got := must[*proofing.Appointment](t)(w.ResumeAppointment(ctx, two.visit(), a.ID, ""))
		if got.Status != proofing.AppointmentActive {
			t.Fatalf("by two it is %s", got.Status)
		}
	}
	if got := three.roles(); len(got) != 1 {
		t.Errorf("resumed it gives %v", got)
	}

	// What somebody has asked for who has lost their role since counts for nothing.
	four, byFour := w.holds("four", one, two, draft(proofing.RoleAdministrator, "", ""))
	four.renew()
	must[*proofing.Appointment](t)(w.EndAppointment(ctx, four.visit(), a.ID, "has left"))
	one.renew()
	two.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(ctx, one.visit(), byFour.ID, "stolen"))
	if got := must[*proofing.Appointment](t)(w.EndAppointment(ctx, two.visit(), a.ID, "has left")); got.Status != proofing.AppointmentActive || got.Asked.By.ID != two.person() {
		t.Errorf("asked by two, one of whom has no role any more, it is %s", got.Status)
	}

	// What is asked is forgotten after a week.
	two.renew()
	must[*proofing.Appointment](t)(w.EndAppointment(ctx, two.visit(), a.ID, "has left"))
	w.pass(8 * 24 * time.Hour)
	one.renew()
	got := must[*proofing.Appointment](t)(w.EndAppointment(ctx, one.visit(), a.ID, "has left"))
	if got.Status != proofing.AppointmentActive || got.Asked == nil || got.Asked.By.ID != one.person() {
		t.Errorf("a week later it is %s, asked by %+v", got.Status, got.Asked)
	}
	two.renew()
	for range 2 {
		if got = must[*proofing.Appointment](t)(w.EndAppointment(ctx, two.visit(), a.ID, "")); got.Status != proofing.AppointmentEnded || got.Reason != "has left" {
			t.Errorf("by two it is %s, %s", got.Status, got.Reason)
		}
	}
	_, err = w.ResumeAppointment(ctx, two.visit(), a.ID, "again")
	wantErr(t, "resuming what has ended", err, proofing.ErrClosed)
}

func TestTwoAdministratorsAreLeftWhoeverResignsAndAnyMayBeSuspended(t *testing.T) {
	w, one, two := administered(t)
	ctx := t.Context()
	three, _ := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	three.renew()
	got := must[*proofing.Appointment](t)(w.EndAppointment(ctx, three.visit(), w.adminOf(three).ID, ""))
	if got.Status != proofing.AppointmentEnded || got.Reason != "resigned" {
		t.Fatalf("who resigns is %s, %s", got.Status, got.Reason)
	}
	one.renew()
	_, err := w.EndAppointment(ctx, one.visit(), w.adminOf(one).ID, "")
	wantInput(t, "the last but one", err, "administrators_two")
	// A stolen account must not go on because it is one of the last.
	must[*proofing.Appointment](t)(w.SuspendAppointment(ctx, one.visit(), w.adminOf(two).ID, "stolen"))
	if n, err := w.Administrators(ctx); err != nil || n != 1 {
		t.Errorf("%d administrators are left, %v", n, err)
	}
	a := must[*proofing.Appointment](t)(w.RecoverAdministration(ctx, "Four"))
	four := w.member("four")
	must[*proofing.Appointment](t)(four.accepts(a))
	if len(four.roles()) != 0 {
		t.Error("they are an administrator at once")
	}
	w.work()
	if told := w.post.all("appointment"); !slices.ContainsFunc(told, func(m proofing.Message) bool {
		return m.To == "one@example.org" && m.About == "Four" && m.Context.Reason == "accepted"
	}) {
		t.Errorf("of it were told %+v", told)
	}
	w.pass(23 * time.Hour)
	if four.renew(); len(four.roles()) != 0 {
		t.Error("they are an administrator after 23 hours")
	}
	w.pass(2 * time.Hour)
	if four.renew(); !slices.Equal(four.roles(), []string{"administrator"}) {
		t.Errorf("after a day they have %v", four.roles())
	}
	w.work()
	if stored := w.office(a); stored.Status != proofing.AppointmentActive || stored.Confirmed.By.Kind != "operator" || stored.Journal.Written != 3 {
		t.Errorf("stored is %+v", stored)
	}
}

func TestAnAdministratorByRecoveryIsConfirmedOrEndedByAnother(t *testing.T) {
	w, one, two := administered(t)
	ctx := t.Context()
	three := w.member("three")
	a := must[*proofing.Appointment](t)(w.RecoverAdministration(ctx, "Three"))
	a = must[*proofing.Appointment](t)(three.accepts(a))
	if w.awaits(a) != proofing.AwaitsDay || !a.Deadline().Equal(a.Accepted.At.Add(24*time.Hour)) {
		t.Errorf("it waits for %q until %s", w.awaits(a), a.Deadline())
	}
	if a = must[*proofing.Appointment](t)(one.confirms(a)); a.Status != proofing.AppointmentActive {
		t.Errorf("confirmed it is %s", a.Status)
	}
	b := must[*proofing.Appointment](t)(w.RecoverAdministration(ctx, "Mallory"))
	mallory := w.member("mallory")
	must[*proofing.Appointment](t)(mallory.accepts(b))
	two.renew()
	_, err := w.EndAppointment(ctx, two.visit(), b.ID, "")
	wantInput(t, "without a reason", err, "appointment_reason")
	if b = must[*proofing.Appointment](t)(w.EndAppointment(ctx, two.visit(), b.ID, "nobody knows them")); b.Status != proofing.AppointmentEnded {
		t.Errorf("ended it is %s", b.Status)
	}
	w.pass(25 * time.Hour)
	if mallory.renew(); len(mallory.roles()) != 0 {
		t.Error("who was ended is an administrator after a day")
	}
	// The operator takes the role from one whom nobody else can suspend.
	must[*proofing.Appointment](t)(w.SuspendByOperator(ctx, w.adminOf(one).ID, "stolen"))
	if one.renew(); len(one.roles()) != 0 {
		t.Error("suspended by the operator they have a role")
	}
	// And gives it back in the same way as to others, to the same person.
	c := must[*proofing.Appointment](t)(w.RecoverAdministration(ctx, "One"))
	must[*proofing.Appointment](t)(one.accepts(c))
	two.renew()
	must[*proofing.Appointment](t)(two.confirms(c))
	if !slices.Equal(one.roles(), []string{"administrator"}) {
		t.Errorf("recovered they have %v", one.roles())
	}
}
