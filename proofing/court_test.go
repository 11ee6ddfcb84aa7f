package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// court is a world in which an organization may ask for EV certificates: with its dossier, and everybody who has a part in it.
type court struct {
	*world
	one, two                                                  *representative // administrators
	requester, approver, second, signer, specialist, reviewer *representative
	office                                                    map[*representative]*proofing.Appointment
	org                                                       *proofing.Organization
	protection                                                proofing.ItemDraft // of private keys
}

const orgName = "Example Corporation"

func newCourt(t testing.TB) *court {
	t.Helper()
	return newCourtOf(t, proofing.ItemDraft{Value: "all keys are in modules", Method: 4})
}

// newCourtOf is a court whose organization has shown in one way how it protects its keys.
func newCourtOf(t testing.TB, protection proofing.ItemDraft) *court {
	t.Helper()
	w, one, two := administered(t)
	protection.Kind, protection.SourceKind, protection.Reference = proofing.ItemKeyProtection, proofing.SourceAttestation, "file 9"
	c := &court{world: w, one: one, two: two, office: map[*representative]*proofing.Appointment{}, protection: protection}
	const day = 24 * time.Hour
	for name, approvals := range map[string]int{"signing": 1, "signing2": 2} {
		w.Policy.Profiles[name] = &proofing.Profile{
			Name: name, Title: "EV code signing", Framework: proofing.R4, Identifiers: []string{"organization"}, Methods: []string{"fido", "email"},
			Require: proofing.Requirement{AAL: 2, PhishingResistant: true}, EV: true, Approvals: approvals, Approve: proofing.ApprovePre, ApprovalLifetime: 30 * day,
			CaseLifetime: 60 * day, GrantLifetime: 90 * day, Retention: 1191 * day,
		}
		w.ca.Profiles = append(w.ca.Profiles, name)
	}
	c.specialist, c.reviewer = c.take("specialist", proofing.RoleSpecialist), c.take("reviewer", proofing.RoleReviewer)
	c.seats(orgName, "")
	return c
}

// of is the court for another organization, with people of its own, at the same authority.
func (c *court) of(name string, protection proofing.ItemDraft) *court {
	c.t.Helper()
	other := *c
	protection.Kind, protection.SourceKind, protection.Reference = proofing.ItemKeyProtection, proofing.SourceAttestation, "file 9"
	other.protection = protection
	other.seats(name, "other-")
	return &other
}

// seats opens the dossier of the organization, with everything that a grant takes, and names its people.
func (c *court) seats(name, prefix string) {
	c.t.Helper()
	c.org = c.world.dossier(c.specialist, "alpha", name)
	c.requester = c.take(prefix+"requester", proofing.RoleRequester)
	c.signer = c.take(prefix+"signer", proofing.RoleSigner)
	c.approver = c.take(prefix+"approver", proofing.RoleApprover)
	c.second = c.take(prefix+"second", proofing.RoleApprover)
	c.collectAll()
}

// take names somebody to a role.
func (c *court) take(name string, role proofing.Role) *representative {
	c.t.Helper()
	organization := ""
	if role.Side() == proofing.SideApplicant {
		organization = c.org.ID
	}
	d := draft(role, "alpha", organization)
	if role == proofing.RoleApprover {
		d.Agreement = &proofing.Agreement{Reference: "contract 1", Version: "1", Signer: c.office[c.signer].ID, Until: c.clock().AddDate(3, 0, 0)}
	}
	r, a := c.holds(name, c.one, c.two, d)
	c.office[r] = a
	return r
}

// item records something in the dossier.
func (c *court) item(d proofing.ItemDraft) {
	c.t.Helper()
	if d.CollectedAt.IsZero() {
		d.CollectedAt = c.clock()
	}
	if d.Outcome == "" {
		d.Outcome = proofing.OutcomeGood
	}
	if d.Source == "" {
		d.Source = "register of companies"
	}
	c.specialist.renew()
	c.org = must[*proofing.Organization](c.t)(c.RecordItem(c.t.Context(), c.specialist.visit(), c.org.ID, d))
}

// collectAll collects everything that a grant takes.
func (c *court) collectAll() {
	c.t.Helper()
	for kind, value := range map[proofing.ItemKind]string{
		proofing.ItemLegalName: c.org.Name, proofing.ItemRegistration: "HRB 1234", proofing.ItemJurisdiction: "DE",
		proofing.ItemPlace: "Example Street 1", proofing.ItemOperational: "since 2019",
	} {
		d := proofing.ItemDraft{Kind: kind, Value: value, SourceKind: proofing.SourceLetter}
		c.item(d)
	}
	c.item(proofing.ItemDraft{Kind: proofing.ItemCommunication, Value: "+49 30 1234567", SourceKind: proofing.SourceQIIS, ConfirmedHow: "called, and asked for the signer"})
	for _, r := range []*representative{c.approver, c.second} {
		c.item(proofing.ItemDraft{Kind: proofing.ItemApprover, Subject: c.office[r].ID, Value: "may approve", SourceKind: proofing.SourceLetter})
		c.item(proofing.ItemDraft{Kind: proofing.ItemDenied, Subject: c.office[r].ID, Value: "not listed", SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-20"})
	}
	c.item(proofing.ItemDraft{Kind: proofing.ItemSigner, Subject: c.office[c.signer].ID, Value: "may sign", SourceKind: proofing.SourceLetter})
	c.item(proofing.ItemDraft{Kind: proofing.ItemDenied, Subject: c.office[c.signer].ID, Value: "not listed", SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-20"})
	c.item(proofing.ItemDraft{Kind: proofing.ItemDenied, Value: "not listed", SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-20"})
	c.item(proofing.ItemDraft{Kind: proofing.ItemSuspect, Value: "nothing found", SourceKind: proofing.SourceList, List: "suspect code", ListVersion: "2026-11-20"})
	c.item(proofing.ItemDraft{Kind: proofing.ItemAgreement, Value: "signed", SourceKind: proofing.SourceSignedByThem, Version: "3", Signer: c.office[c.signer].ID, Until: c.clock().AddDate(2, 0, 0)})
	c.item(c.protection)
}

func (c *court) asks(profile string) proofing.OpenRequest {
	return proofing.OpenRequest{
		Applicant:  proofing.Applicant{Kind: proofing.ByAccount, URL: "https://ca.example/acct/9", Thumbprint: "Ev" + "00000000000000000000000000000000000000000"},
		Identifier: proofing.Identifier{Type: "organization", Value: c.org.Name}, Profile: profile,
	}
}

// submitted is a request whose requester has shown who they are.
func (c *court) submitted(profile string) *proofing.Case {
	c.t.Helper()
	k, _, err := c.Open(c.t.Context(), c.ca, c.asks(profile))
	if err != nil {
		c.t.Fatal(err)
	}
	k = must[*proofing.Case](c.t)(c.use(visit(k, "requester"), c.requester.key))
	c.work()
	return k
}

// asked is what a person's browser is asked for a decision.
func (c *court) asked(r *representative, k *proofing.Case, step proofing.Step, refuse bool) (*proofing.Signing, error) {
	c.t.Helper()
	r.renew()
	c.logged()
	reason := ""
	if refuse {
		reason = "not ours"
	}
	return c.AskDecision(c.t.Context(), r.visit(), proofing.DecisionRequest{
		Case: k.ID, Appointment: c.office[r].ID, Step: step, Refuse: refuse, Reason: reason, Number: c.reload(k).Journal.Written, Dossier: c.dossierOf(k).Digest(),
		Shown: c.shows(c.reload(k), step, refuse),
	})
}

// shows is what the page of a decision says, as the console makes it.
func (c *court) shows(k *proofing.Case, step proofing.Step, refuse bool) proofing.DocumentShown {
	c.t.Helper()
	number, jurisdiction := c.dossierOf(k).Registered()
	m := templates.Matter{
		Name: k.Identifier.Value, Number: number, Jurisdiction: jurisdiction, CA: k.CATitle, Profile: k.Profile, IdentifierType: k.Identifier.Type, Identifier: k.Identifier.Value,
		KeyKind: string(k.Applicant.Kind), Key: k.Applicant.Key(), CSR: k.CSRDigest,
	}
	if k.CSR != nil {
		m.CSRKey, m.CSRPrint, m.CSRSubject = k.CSR.Key, k.CSR.SPKI, k.CSR.Subject
	}
	text := must[string](c.t)(templates.Verdict{Matter: m, Step: string(step), Refuse: refuse, Reason: "not ours", Follows: templates.Follows{Code: "others"}}.Text("en"))
	return proofing.DocumentShown{Language: "en", Text: text}
}

// dossierOf is the dossier that a request is decided on.
func (c *court) dossierOf(k *proofing.Case) *proofing.Organization {
	c.t.Helper()
	return must[*proofing.Organization](c.t)(c.OrganizationOf(c.t.Context(), k.CA, k.Identifier.Value))
}

// decides makes a decision from beginning to end.
func (c *court) decides(r *representative, k *proofing.Case, step proofing.Step, refuse bool) (*proofing.Case, error) {
	c.t.Helper()
	asked, err := c.asked(r, k, step, refuse)
	if err != nil {
		return nil, err
	}
	k, err = c.Decide(c.t.Context(), r.visit(), c.signs(r.key, asked))
	if err == nil {
		c.work()
		err = c.SequenceOnce(c.t.Context())
	}
	return k, err
}

// granted is a request on which everybody has agreed.
func (c *court) granted() *proofing.Case {
	c.t.Helper()
	return c.decided(c.submitted("signing"))
}

// decided is a request that everybody has agreed to whom it takes, with one approver.
func (c *court) decided(k *proofing.Case) *proofing.Case {
	c.t.Helper()
	must[*proofing.Case](c.t)(c.decides(c.approver, k, proofing.StepApprove, false))
	must[*proofing.Case](c.t)(c.decides(c.specialist, k, proofing.StepVet, false))
	return must[*proofing.Case](c.t)(c.decides(c.reviewer, k, proofing.StepReview, false))
}

func (c *court) authorized(k *proofing.Case) (bool, string) {
	c.t.Helper()
	if err := c.SequenceOnce(c.t.Context()); err != nil { // nothing holds for EV that is not in the log
		c.t.Fatal(err)
	}
	v, err := c.Authorize(c.t.Context(), c.ca, proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile})
	if err != nil {
		c.t.Fatal(err)
	}
	return v.Allow, v.Authorizations[0].Problem
}
