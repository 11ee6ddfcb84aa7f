package proofing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// staffed is a world with people in every role, at two authorities and two organizations of one of them.
type staffed struct {
	*world
	one, two *representative
	who      map[string]*representative
	held     map[string]*proofing.Appointment
	orgs     map[string]*proofing.Organization
}

func staff(t testing.TB) *staffed {
	t.Helper()
	w, one, two := administered(t)
	s := &staffed{world: w, one: one, two: two, who: map[string]*representative{"administrator": one}, held: map[string]*proofing.Appointment{}, orgs: map[string]*proofing.Organization{}}
	add := func(name string, d proofing.AppointmentDraft) {
		s.who[name], s.held[name] = w.holds(name, one, two, d)
	}
	for _, ca := range []string{"alpha", "beta"} {
		for _, role := range []proofing.Role{proofing.RoleOperator, proofing.RoleSpecialist, proofing.RoleReviewer} {
			add(ca+"-"+string(role)[:3], draft(role, ca, ""))
		}
		s.orgs[ca] = w.dossier(s.who[ca+"-ope"], ca, "Example GmbH")
	}
	s.orgs["other"] = w.dossier(s.who["alpha-ope"], "alpha", "Other SARL")
	for name, org := range s.orgs {
		for _, role := range []proofing.Role{proofing.RoleSigner, proofing.RoleApprover, proofing.RoleRequester} {
			add(name+"-"+strings.TrimPrefix(string(role), "certificate_")[:3], draft(role, "", org.ID))
		}
	}
	return s
}

// TestNobodySeesOrDoesWhatIsNotTheirs calls every verb of the console for things of the authority alpha and its organization, by people
// in every role, and by those of another authority and another organization.
func TestNobodySeesOrDoesWhatIsNotTheirs(t *testing.T) {
	s := staff(t)
	ctx := t.Context()
	org, approver, reviewer := s.orgs["alpha"], s.held["alpha-app"], s.held["alpha-rev"]
	waiting := must[*proofing.Appointment](t)(s.one.proposes(draft(proofing.RoleSpecialist, "alpha", "")))
	taker := s.member("taker")
	must[*proofing.Appointment](t)(taker.accepts(waiting))
	open := must[*proofing.Appointment](t)(s.one.proposes(draft(proofing.RoleSpecialist, "alpha", "")))
	// Each verb comes with who may call it. What they get may be another error, but not that there is nothing.
	cases := []struct {
		verb string
		may  string
		call func(v proofing.Visit) error
	}{
		{"look at an approver", "administrator alpha-ope alpha-val alpha-rev alpha-con alpha-app alpha-req", func(v proofing.Visit) error {
			_, _, err := s.Appointment(ctx, v, approver.ID)
			return err
		}},
		{"look at a reviewer", "administrator alpha-ope alpha-val alpha-rev", func(v proofing.Visit) error {
			_, _, err := s.Appointment(ctx, v, reviewer.ID)
			return err
		}},
		{"look at an administrator", "administrator", func(v proofing.Visit) error {
			_, _, err := s.Appointment(ctx, v, s.adminOf(s.two).ID)
			return err
		}},
		{"list all", "administrator", func(v proofing.Visit) error {
			_, _, err := s.ListAppointments(ctx, v, proofing.AppointmentsQuery{})
			return err
		}},
		{"list an authority's", "administrator alpha-ope alpha-val alpha-rev", func(v proofing.Visit) error {
			_, _, err := s.ListAppointments(ctx, v, proofing.AppointmentsQuery{CA: "alpha"})
			return err
		}},
		{"list an organization's", "administrator alpha-ope alpha-val alpha-rev alpha-con alpha-app alpha-req", func(v proofing.Visit) error {
			_, _, err := s.ListAppointments(ctx, v, proofing.AppointmentsQuery{Organization: org.ID})
			return err
		}},
		{"propose an administrator", "administrator", func(v proofing.Visit) error {
			_, err := s.ProposeAppointment(ctx, v, draft(proofing.RoleAdministrator, "", ""))
			return err
		}},
		{"propose a reviewer", "administrator alpha-ope", func(v proofing.Visit) error {
			_, err := s.ProposeAppointment(ctx, v, draft(proofing.RoleReviewer, "alpha", ""))
			return err
		}},
		{"propose a requester", "administrator alpha-ope", func(v proofing.Visit) error {
			_, err := s.ProposeAppointment(ctx, v, draft(proofing.RoleRequester, "", org.ID))
			return err
		}},
		{"confirm a specialist", "administrator alpha-ope", func(v proofing.Visit) error {
			_, err := s.ConfirmAppointment(ctx, v, waiting.ID, 0)
			return err
		}},
		{"suspend an approver", "administrator alpha-ope alpha-con alpha-app", func(v proofing.Visit) error {
			_, err := s.SuspendAppointment(ctx, v, approver.ID, "")
			return err
		}},
		{"suspend a reviewer", "administrator alpha-ope alpha-rev", func(v proofing.Visit) error { // who holds it, too
			_, err := s.SuspendAppointment(ctx, v, reviewer.ID, "")
			return err
		}},
		{"resume an approver", "administrator alpha-ope", func(v proofing.Visit) error {
			_, err := s.ResumeAppointment(ctx, v, approver.ID, "why")
			return err
		}},
		{"end a signer", "administrator alpha-ope", func(v proofing.Visit) error {
			if v == s.who["alpha-con"].visit() {
				return proofing.ErrNotFound // they would resign, which is another matter
			}
			_, err := s.EndAppointment(ctx, v, s.held["alpha-con"].ID, "")
			return err
		}},
		{"reconfirm an approver", "administrator alpha-ope", func(v proofing.Visit) error {
			_, err := s.ReconfirmAppointment(ctx, v, approver.ID, "")
			return err
		}},
		{"open a dossier", "alpha-ope alpha-val", func(v proofing.Visit) error {
			_, _, err := s.OpenOrganization(ctx, v, "alpha", "Example GmbH")
			return err
		}},
		{"look at a dossier", "administrator alpha-ope alpha-val alpha-rev alpha-con alpha-app alpha-req", func(v proofing.Visit) error {
			_, _, err := s.Organization(ctx, v, org.ID)
			return err
		}},
		{"see who is waited for", "administrator alpha-ope alpha-val alpha-rev", func(v proofing.Visit) error {
			a, _, err := s.Appointment(ctx, v, open.ID)
			if err == nil && a.Link != "" {
				t.Error("the link is shown to others than who proposed it")
			}
			return err
		}},
		{"list dossiers", "administrator alpha-ope alpha-val alpha-rev", func(v proofing.Visit) error {
			_, _, err := s.OrganizationsOf(ctx, v, "alpha", "", 0)
			return err
		}},
		{"record an item", "alpha-ope alpha-val", func(v proofing.Visit) error {
			_, err := s.RecordItem(ctx, v, org.ID, proofing.ItemDraft{})
			return err
		}},
		{"set the rule", "administrator alpha-ope", func(v proofing.Visit) error {
			_, err := s.SetApprovalRule(ctx, v, org.ID, proofing.ApprovalRule{})
			return err
		}},
	}
	nobody := s.member("nobody")
	for name, r := range s.who {
		r.renew()
		for _, c := range cases {
			err := c.call(r.visit())
			may := slices.Contains(strings.Fields(c.may), name)
			if gone := errors.Is(err, proofing.ErrNotFound); gone == may {
				t.Errorf("%s, by %s: %v", c.verb, name, err)
			}
		}
	}
	for _, c := range cases {
		wantErr(t, c.verb+", by nobody", c.call(nobody.visit()), proofing.ErrNotFound)
		wantErr(t, c.verb+", in another browser", c.call(visit(s.one.session, "eve")), proofing.ErrNotFound)
		wantErr(t, c.verb+", of nothing", c.call(proofing.Visit{}), proofing.ErrNotFound)
	}
}

func TestWhoHasSignedInWeaklyIsNotInTheConsole(t *testing.T) {
	w, one, _ := administered(t)
	w.prove(one.session, "one", "sms", "+447400654321")
	w.pass(time.Hour)
	weak := must[*proofing.Case](t)(w.OpenOwn(t.Context(), proofing.Visit{Browser: "one", Client: "192.0.2.7", Lang: "en"}))
	weak = w.prove(weak, "one", "sms", "+447400654321")
	_, _, err := w.Console(t.Context(), visit(weak, "one"))
	wantErr(t, "by text message", err, proofing.ErrNotAdmitted)
}

// Whoever comes back into an account by a saved code is in no office, with the passkey from before or a new one, until two others have
// made sure who it is.
func TestARecoveryLeadsIntoNoOffice(t *testing.T) {
	w, one, two := administered(t)
	three, a := w.holds("three", one, two, draft(proofing.RoleAdministrator, "", ""))
	ctx := t.Context()
	codes := must[[]proofing.Secret](t)(w.NewRecoveryCodes(ctx, three.visit()))
	waits := must[*proofing.Appointment](t)(one.proposes(draft(proofing.RoleOperator, "alpha", "")))
	must[*proofing.Appointment](t)(three.accepts(waits))
	c := must[*proofing.Case](t)(w.OpenOwn(ctx, proofing.Visit{Browser: "three", Client: "192.0.2.7", Lang: "en"}))
	c = w.prove(c, "three", "email", "three@example.org")
	in := must[*proofing.Case](t)(w.recovers(visit(c, "three"), codes[0]))
	fresh := webauthntest.New()
	must[*proofing.Case](t)(w.enrol(visit(in, "three"), fresh))
	w.work()
	w.pass(25 * time.Hour)
	three.key = fresh
	three.renew()
	if s := must[*proofing.Session](t)(w.Session(ctx, three.visit())); !s.Fresh || *s.Case.Grant.Assessment.AAL != 2 {
		t.Fatalf("the new passkey signs in as %+v", s)
	}
	if got := three.roles(); len(got) != 0 {
		t.Fatalf("recovered they have %v", got)
	}
	if n, _ := w.Administrators(ctx); n != 2 {
		t.Errorf("%d administrators count", n)
	}
	_, err := two.confirms(waits)
	wantInput(t, "confirming what they took up before", err, "appointment_recovered")
	one.renew()
	two.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(ctx, one.visit(), a.ID, "their account was recovered"))
	must[*proofing.Appointment](t)(w.ResumeAppointment(ctx, one.visit(), a.ID, "met in person"))
	must[*proofing.Appointment](t)(w.ResumeAppointment(ctx, two.visit(), a.ID, ""))
	if got := three.roles(); len(got) != 1 {
		t.Errorf("resumed they have %v", got)
	}
}

// Who takes what is theirs along finds their roles in it, and who erases it leaves them.
func TestAnErasedPersonHasNoRole(t *testing.T) {
	w, one, two := administered(t)
	three, a := w.holds("three", one, two, draft(proofing.RoleOperator, "alpha", ""))
	three.renew()
	out := must[*proofing.Exported](t)(w.Export(t.Context(), three.visit()))
	if len(out.Roles) != 1 || out.Roles[0].Name != "three" || out.Roles[0].CA != "alpha" {
		t.Errorf("their export has the roles %+v", out.Roles)
	}
	if err := w.Erase(t.Context(), three.visit()); err != nil {
		t.Fatal(err)
	}
	if got := w.office(a); got.Status != proofing.AppointmentEnded || got.Reason != "person_erased" {
		t.Errorf("it is %s, %s", got.Status, got.Reason)
	}
}

func TestARoleRestsOnASourceThatItsClauseAllows(t *testing.T) {
	s := staff(t)
	org := s.orgs["alpha"]
	ctx := t.Context()
	propose := func(change func(*proofing.AppointmentDraft)) (*proofing.Appointment, error) {
		d := draft(proofing.RoleApprover, "", org.ID)
		change(&d)
		return s.one.proposes(d)
	}
	agreement := func() *proofing.Agreement {
		return &proofing.Agreement{Reference: "contract 4", Version: "2", Signer: s.held["alpha-con"].ID, Until: s.clock().Add(500 * 24 * time.Hour)}
	}
	for what, tt := range map[string]struct {
		code   string
		change func(*proofing.AppointmentDraft)
	}{
		"no source":            {"appointment_source", func(d *proofing.AppointmentDraft) { d.Source = proofing.RoleSource{} }},
		"no reference":         {"appointment_source", func(d *proofing.AppointmentDraft) { d.Source.Reference = " " }},
		"training":             {"appointment_source", func(d *proofing.AppointmentDraft) { d.Source.Kind = proofing.SourceTraining }},
		"a warranty by nobody": {"appointment_source", func(d *proofing.AppointmentDraft) { d.Source.Kind = proofing.SourceSignerWarranty }},
		"a warranty by a requester": {"appointment_source", func(d *proofing.AppointmentDraft) {
			d.Source.Kind, d.Source.Signer = proofing.SourceSignerWarranty, s.held["alpha-req"].ID
		}},
		"a warranty from elsewhere": {"appointment_source", func(d *proofing.AppointmentDraft) {
			d.Source.Kind, d.Source.Signer = proofing.SourceSignerWarranty, s.held["other-con"].ID
		}},
		"an agreement without its term":  {"appointment_agreement", func(d *proofing.AppointmentDraft) { d.Agreement = agreement(); d.Agreement.Until = time.Time{} }},
		"an agreement without a version": {"appointment_agreement", func(d *proofing.AppointmentDraft) { d.Agreement = agreement(); d.Agreement.Version = "" }},
		"an agreement signed by others": {"appointment_agreement", func(d *proofing.AppointmentDraft) {
			d.Agreement = agreement()
			d.Agreement.Signer = s.held["beta-con"].ID
		}},
		"no name":             {"appointment_name", func(d *proofing.AppointmentDraft) { d.Name = " \u200b" }},
		"a term that is over": {"appointment_until", func(d *proofing.AppointmentDraft) { d.Until = s.clock() }},
		"another authority":   {"", func(d *proofing.AppointmentDraft) { d.CA = "beta" }},
	} {
		_, err := propose(tt.change)
		if tt.code == "" {
			wantErr(t, what, err, proofing.ErrNotFound)
			continue
		}
		wantInput(t, what, err, tt.code)
	}
	for _, role := range []proofing.Role{proofing.RoleSpecialist, proofing.RoleReviewer} { // CSBR 5.3.3
		for _, kind := range []proofing.RoleSourceKind{"", proofing.SourceResolution, proofing.SourceContract} {
			d := draft(role, "alpha", "")
			d.Source.Kind = kind
			_, err := s.one.proposes(d)
			wantInput(t, fmt.Sprintf("%s by %q and no training", role, kind), err, "appointment_source")
		}
	}
	// The signer who warrants it takes it up.
	warranted := must[*proofing.Appointment](t)(propose(func(d *proofing.AppointmentDraft) {
		d.Source.Kind, d.Source.Signer = proofing.SourceSignerWarranty, s.held["alpha-con"].ID
	}))
	signer := s.who["alpha-con"]
	signer.renew()
	must[*proofing.Appointment](t)(signer.accepts(warranted))
	_, err := s.two.confirms(warranted)
	wantInput(t, "an approver on their own warranty", err, "appointment_source")

	// A pre-authorized approver is confirmed again from time to time, or is none.
	d := draft(proofing.RoleApprover, "", org.ID)
	d.Agreement = agreement()
	r, a := s.holds("pre", s.one, s.two, d)
	if !a.PreAuthorized(s.clock()) || a.PreAuthorized(a.Agreement.Until) || s.held["alpha-app"].PreAuthorized(s.clock()) || a.ReconfirmBy.IsZero() {
		t.Errorf("the appointment is %+v", a)
	}
	s.pass(397 * 24 * time.Hour)
	if r.renew(); len(r.roles()) != 1 {
		t.Error("a day before it is due it does not stand")
	}
	s.pass(2 * 24 * time.Hour)
	if r.renew(); len(r.roles()) != 0 {
		t.Error("a day after it was due it stands")
	}
	s.one.renew()
	_, err = s.ReconfirmAppointment(ctx, s.one.visit(), a.ID, "")
	wantInput(t, "without a record", err, "appointment_reference")
	_, err = s.ReconfirmAppointment(ctx, s.one.visit(), a.ID, "call 12")
	wantInput(t, "by one, when it is over", err, "appointment_lapsed")
	if len(r.roles()) != 0 {
		t.Error("one person has given a role back")
	}
	must[*proofing.Appointment](t)(s.SuspendAppointment(ctx, s.one.visit(), a.ID, "was not confirmed in time"))
	must[*proofing.Appointment](t)(s.ResumeAppointment(ctx, s.one.visit(), a.ID, "call 12"))
	s.two.renew()
	must[*proofing.Appointment](t)(s.ResumeAppointment(ctx, s.two.visit(), a.ID, ""))
	if r.renew(); len(r.roles()) != 1 {
		t.Error("given back by two it does not stand")
	}
	s.pass(397 * 24 * time.Hour)
	s.one.renew()
	must[*proofing.Appointment](t)(s.ReconfirmAppointment(ctx, s.one.visit(), a.ID, "call 13"))
	s.pass(2 * 24 * time.Hour)
	if r.renew(); len(r.roles()) != 1 {
		t.Error("confirmed again in time it does not stand")
	}
}

// Every change is an entry, and what the leaf says to everybody has no name, address or word in it.
func TestEveryChangeOfAnAppointmentIsAnEntryWithoutNames(t *testing.T) {
	w, one, two := administered(t)
	ctx := t.Context()
	_, a := w.holds("three", one, two, proofing.AppointmentDraft{Role: proofing.RoleOperator, CA: "alpha"})
	must[*proofing.Appointment](t)(w.SuspendAppointment(ctx, two.visit(), a.ID, "Ghislaine lost it"))
	one.renew()
	must[*proofing.Appointment](t)(w.ResumeAppointment(ctx, one.visit(), a.ID, "Ghislaine found it"))
	must[*proofing.Appointment](t)(w.ResumeAppointment(ctx, two.visit(), a.ID, ""))
	must[*proofing.Appointment](t)(w.ReconfirmAppointment(ctx, two.visit(), a.ID, "Ghislaine called"))
	must[*proofing.Appointment](t)(w.EndAppointment(ctx, one.visit(), a.ID, "Ghislaine left"))
	must[*proofing.Appointment](t)(w.EndAppointment(ctx, two.visit(), a.ID, ""))
	got := w.office(a)
	want := []string{"proposed", "accepted", "confirmed", "suspended", "asked", "resumed", "reconfirmed", "asked", "ended"}
	if len(got.Journal.Pending) != len(want) {
		t.Fatalf("%d entries, want %d", len(got.Journal.Pending), len(want))
	}
	for i, e := range got.Journal.Pending {
		var leaf proofing.Leaf
		if err := json.Unmarshal([]byte(e.Leaf), &leaf); err != nil {
			t.Fatal(err)
		}
		if string(leaf.Kind) != "appointment_"+want[i] || leaf.Object != a.ID || leaf.Of != proofing.SubjectAppointment || leaf.By.ID == "" || !e.Opens() {
			t.Errorf("entry %d is %s", i, e.Leaf)
		}
		for _, name := range []string{"three", "Ghislaine", "@"} {
			if strings.Contains(e.Leaf, name) {
				t.Errorf("%q is in %s", name, e.Leaf)
			}
		}
	}
}
