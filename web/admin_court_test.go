package web

import (
	"cmp"
	"net/http"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// court is a house in which an organization may ask for EV certificates: with its dossier, and everybody who has a part in it.
type court struct {
	*house
	one, two                                          *colleague // administrators
	requester, approver, second, specialist, reviewer *colleague
	office                                            map[*colleague]*proofing.Appointment
	org                                               *proofing.Organization
}

const orgName = "Example <Corporation>"

// consoleHouse is a house whose people have passkeys, with a profile that people of an organization and of the authority decide about.
func consoleHouse(h *house) *house {
	t := h.t
	t.Helper()
	rp, err := webauthn.New(webauthn.Config{ID: "proof.example.org", Name: "Example", Origins: []string{origin}, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	h.svc.Methods = challenges.Table(challenges.Config{Hasher: h.svc.Hasher, Countries: []string{"GB"}, Passkeys: rp})
	h.svc.Policy.Own = &proofing.Profile{Title: "Own", Framework: proofing.R4, Methods: []string{"fido", "sms", "email"}}
	h.svc.Policy.Digest = "policy"
	h.svc.Policy.Limits.ClientOpens, h.svc.Policy.Limits.AttemptsPerCase = 10000, 100 // all of them come from one address, and a test does the work of days
	const day = 24 * time.Hour
	for name, approvals := range map[string]int{"signing": 1, "signing2": 2} {
		h.svc.Policy.Profiles[name] = &proofing.Profile{
			Name: name, Title: "EV code signing", Framework: proofing.R4, Identifiers: []string{"organization"}, Methods: []string{"fido"},
			Require: proofing.Requirement{AAL: 2, PhishingResistant: true}, EV: true, Approvals: approvals, Approve: proofing.ApprovePre, ApprovalLifetime: 30 * day,
			CaseLifetime: 60 * day, GrantLifetime: 90 * day, Retention: 1191 * day,
		}
		h.ca.Profiles = append(h.ca.Profiles, name)
	}
	return h
}

// newCourt names everybody, and collects all that a grant takes.
func newCourt(t testing.TB) *court {
	t.Helper()
	return newCourtIn(newHouse(t))
}

func newCourtIn(h *house) *court {
	t := h.t
	t.Helper()
	c := &court{house: consoleHouse(h), office: map[*colleague]*proofing.Appointment{}}
	c.authority("other", "Other CA")
	first, err := c.svc.Bootstrap(t.Context(), [2]string{"One", "Two"}, false)
	if err != nil {
		t.Fatal(err)
	}
	c.one, c.two = c.keyholder(), c.keyholder()
	c.accepts(c.one, first[0])
	c.accepts(c.two, first[1])
	c.specialist = c.seat("specialist", proofing.RoleSpecialist, "example", "")
	if c.org, _, err = c.svc.OpenOrganization(t.Context(), c.visits(c.specialist), "example", orgName); err != nil {
		t.Fatal(err)
	}
	c.reviewer = c.seat("reviewer", proofing.RoleReviewer, "example", "")
	c.requester = c.seat("requester", proofing.RoleRequester, "", c.org.ID)
	c.approver = c.seat("approver", proofing.RoleApprover, "", c.org.ID)
	c.second = c.seat("second", proofing.RoleApprover, "", c.org.ID)
	return c
}

// keyholder is somebody with a passkey, at a browser of theirs.
func (h *house) keyholder() *colleague {
	h.t.Helper()
	m := &colleague{h.browser(), webauthntest.New()}
	m.get("/me")
	page := m.follow(m.post("/me/sign-in"))
	m.passkey(page, "enrol")
	m.wait(time.Second)
	m.passkey(page, "begin")
	return m
}

// visits is how the service sees somebody who has just authenticated.
func (c *court) visits(m *colleague) proofing.Visit {
	c.t.Helper()
	m.renew()
	s := m.session()
	return proofing.Visit{Link: proofing.Secret(s.ID + "." + s.LinkSecret.Reveal()), Browser: browserOf(m), Client: "192.0.2.1", Lang: "en"}
}

// renew confirms with the passkey that it is still them.
func (m *colleague) renew() {
	m.t.Helper()
	m.wait(time.Second)
	s := m.session()
	m.passkey("/c/"+s.ID+"."+s.LinkSecret.Reveal(), "begin")
	if err := m.svc.SequenceOnce(m.t.Context()); err != nil { // who signs has an enrolment in the log
		m.t.Fatal(err)
	}
}

func browserOf(m *colleague) proofing.Secret {
	r := http.Request{Header: http.Header{"Cookie": {m.cookie}}}
	k, err := r.Cookie("__Host-countersign")
	if err != nil {
		m.t.Fatal(err)
	}
	return proofing.Secret(k.Value)
}

func (c *court) accepts(m *colleague, a *proofing.Appointment) {
	c.t.Helper()
	if _, err := c.svc.AcceptAppointment(c.t.Context(), c.visits(m), proofing.Secret(a.ID+"."+a.Link.Reveal())); err != nil {
		c.t.Fatal(err)
	}
}

// appoint gives somebody a role: proposed by one administrator, and confirmed by the other.
func (c *court) appoint(m *colleague, name string, role proofing.Role, ca, organization string) *proofing.Appointment {
	c.t.Helper()
	d := proofing.AppointmentDraft{Name: name, Role: role, CA: ca, Organization: organization}
	if kinds := proofing.RoleSources(role); len(kinds) > 0 {
		d.Source = proofing.RoleSource{Kind: kinds[0], Reference: "file 17"}
	}
	a, err := c.svc.ProposeAppointment(c.t.Context(), c.visits(c.one), d)
	if err != nil {
		c.t.Fatal(err)
	}
	c.accepts(m, a)
	if a, err = c.svc.Appointments.Get(c.t.Context(), a.ID); err != nil {
		c.t.Fatal(err)
	}
	if a, err = c.svc.ConfirmAppointment(c.t.Context(), c.visits(c.two), a.ID, a.Journal.Written); err != nil {
		c.t.Fatal(err)
	}
	if c.office[m] == nil {
		c.office[m] = a
	}
	return a
}

func (c *court) seat(name string, role proofing.Role, ca, organization string) *colleague {
	c.t.Helper()
	m := c.keyholder()
	c.appoint(m, name, role, ca, organization)
	return m
}

// item records something in the dossier.
func (c *court) item(d proofing.ItemDraft) {
	c.t.Helper()
	d.CollectedAt, d.Outcome = c.now(), cmp.Or(d.Outcome, proofing.OutcomeGood)
	if d.Source == "" {
		d.Source = "register of companies"
	}
	var err error
	if c.org, err = c.svc.RecordItem(c.t.Context(), c.visits(c.specialist), c.org.ID, d); err != nil {
		c.t.Fatal(err)
	}
}

// collectAll collects everything that a grant takes, with a signer of the contract.
func (c *court) collectAll() {
	c.t.Helper()
	signer := c.office[c.seat("signer", proofing.RoleSigner, "", c.org.ID)]
	for _, m := range []*colleague{c.approver, c.second} { // whose word is for later certificates, too
		if _, err := c.svc.Appointments.Update(c.t.Context(), c.office[m].ID, func(a *proofing.Appointment) error {
			a.Agreement = &proofing.Agreement{Reference: "contract 1", Version: "1", Signer: signer.ID, Until: c.now().AddDate(3, 0, 0)}
			return nil
		}); err != nil {
			c.t.Fatal(err)
		}
	}
	for kind, value := range map[proofing.ItemKind]string{
		proofing.ItemLegalName: orgName, proofing.ItemRegistration: "HRB 1234", proofing.ItemJurisdiction: "DE",
		proofing.ItemPlace: "Example Street 1", proofing.ItemOperational: "since 2019",
	} {
		c.item(proofing.ItemDraft{Kind: kind, Value: value, SourceKind: proofing.SourceLetter})
	}
	c.item(proofing.ItemDraft{Kind: proofing.ItemCommunication, Value: "+49 30 1234567", SourceKind: proofing.SourceQIIS, ConfirmedHow: "called, and asked for the signer"})
	list := proofing.ItemDraft{Kind: proofing.ItemDenied, Value: "not listed", SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-20"}
	c.item(list)
	for _, about := range []string{c.office[c.approver].ID, c.office[c.second].ID} {
		c.item(proofing.ItemDraft{Kind: proofing.ItemApprover, Subject: about, Value: "may approve", SourceKind: proofing.SourceLetter})
		list.Subject = about
		c.item(list)
	}
	c.item(proofing.ItemDraft{Kind: proofing.ItemSigner, Subject: signer.ID, Value: "may sign", SourceKind: proofing.SourceLetter})
	list.Subject = signer.ID
	c.item(list)
	c.item(proofing.ItemDraft{Kind: proofing.ItemSuspect, Value: "nothing found", SourceKind: proofing.SourceList, List: "suspect code", ListVersion: "2026-11-20"})
	c.item(proofing.ItemDraft{Kind: proofing.ItemAgreement, Value: "signed", SourceKind: proofing.SourceSignedByThem, Version: "3", Signer: signer.ID, Until: c.now().AddDate(2, 0, 0)})
	c.item(proofing.ItemDraft{Kind: proofing.ItemKeyProtection, Value: "all keys are in modules", SourceKind: proofing.SourceAttestation, Method: 4, Reference: "file 9"})
}

// submitted is a request whose requester has shown who they are.
func (c *court) submitted(profile string) *proofing.Case {
	c.t.Helper()
	k := c.open(profile, "organization", orgName)
	page := path(k.CaseURL(origin))
	c.requester.get(page)
	c.requester.passkey(page, "begin")
	k, err := c.svc.Cases.Get(c.t.Context(), k.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	if k.Approval == nil {
		c.t.Fatalf("the request is %s (%s)", k.Status, k.Reason)
	}
	return k
}
