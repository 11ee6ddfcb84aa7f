package proofing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// proves has somebody prove who they are in a case for an organization, and returns the case.
func (s *staffed) proves(r *representative, profile, organization, account string) *proofing.Case {
	s.t.Helper()
	q := request(profile)
	q.Identifier = proofing.Identifier{Type: proofing.IdentifierOrganization, Value: organization}
	q.Applicant.Thumbprint = account + strings.Repeat("0", 43-len(account))
	q.Applicant.URL = "https://ca.example/acct/" + account
	c, _, err := s.Open(s.t.Context(), s.ca, q)
	if err != nil {
		s.t.Fatal(err)
	}
	c = must[*proofing.Case](s.t)(s.use(visit(c, r.name), r.key))
	s.work()
	return s.reload(c)
}

// ofOrganizations adds profiles for organizations, one of them for EV.
func (s *staffed) ofOrganizations() {
	for _, name := range []string{"org-ev", "org"} {
		s.Policy.Profiles[name] = &proofing.Profile{
			Name: name, Title: name, Framework: proofing.R4, Identifiers: []string{proofing.IdentifierOrganization}, Methods: []string{"fido"}, EV: name == "org-ev",
			Require:      proofing.Requirement{AAL: 2, PhishingResistant: true},
			CaseLifetime: 7 * someDay, GrantLifetime: 30 * someDay, Retention: 90 * someDay,
		}
		s.ca.Profiles = append(s.ca.Profiles, name)
	}
}

// A dossier entitles whom it names by role, for as long as they hold it. To others it gives nothing.
func TestADossierEntitlesWhomItNamesByRole(t *testing.T) {
	s := staff(t)
	s.ofOrganizations()
	ctx := t.Context()
	for who, want := range map[string]string{
		"alpha-req": "dossier", "alpha-app": "dossier", "alpha-con": "", "other-req": "", "beta-req": "", "alpha-ope": "", "administrator": "",
	} {
		c := s.proves(s.who[who], "org-ev", "Example GmbH", who)
		if got := c.Grant; (got != nil) != (want != "") || got != nil && got.Entitlement != want {
			t.Errorf("%s: the case is %s with %+v", who, c.Status, got)
		}
	}
	if c := s.proves(s.who["alpha-req"], "org", "Example GmbH", "no-ev"); c.Grant == nil || c.Grant.Entitlement != "dossier" {
		t.Errorf("without EV the requester's is %s", c.Status)
	}
	if c := s.proves(s.who["other-req"], "org", "Example GmbH", "no-ev-other"); c.Status != proofing.CaseRefused {
		t.Errorf("without EV another organization's is %s", c.Status)
	}
	// The registry counts as before.
	if _, err := s.Register(ctx, "alpha", proofing.Identifier{Type: proofing.IdentifierOrganization, Value: "Example GmbH"}, "", proofing.Holder{Person: s.who["alpha-con"].person()}); err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{"org", "org-ev"} {
		if c := s.proves(s.who["alpha-con"], profile, "Example GmbH", "registry"); c.Grant == nil || c.Grant.Entitlement != "registry" {
			t.Errorf("%s: the registry's is %s", profile, c.Status)
		}
	}

	// It is asked again whenever the CA asks.
	c := s.proves(s.who["alpha-req"], "org-ev", "Example GmbH", "again")
	asks := func() string {
		t.Helper()
		s.sequenceAll() // nothing holds for EV that is not in the log
		a := must[proofing.Verdict](t)(s.Authorize(ctx, s.ca, proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: c.Profile}))
		return a.Authorizations[0].Problem
	}
	if got := asks(); got != "" {
		t.Fatalf("the CA gets %q", got)
	}
	s.one.renew()
	must[*proofing.Appointment](t)(s.SuspendAppointment(ctx, s.one.visit(), s.held["alpha-req"].ID, "left"))
	if got := asks(); got != "not_entitled" {
		t.Errorf("after the requester was suspended the CA gets %q", got)
	}
	s.two.renew()
	must[*proofing.Appointment](t)(s.ResumeAppointment(ctx, s.one.visit(), s.held["alpha-req"].ID, "came back"))
	must[*proofing.Appointment](t)(s.ResumeAppointment(ctx, s.two.visit(), s.held["alpha-req"].ID, ""))
	if got := asks(); got != "" {
		t.Errorf("after they were given it back the CA gets %q", got)
	}
	s.pass(time.Hour)
	s.one.renew()
	s.two.renew()
	must[*proofing.Appointment](t)(s.EndAppointment(ctx, s.one.visit(), s.held["alpha-req"].ID, "left"))
	must[*proofing.Appointment](t)(s.EndAppointment(ctx, s.two.visit(), s.held["alpha-req"].ID, ""))
	s.pass(25 * time.Hour) // and without anybody asking
	s.work()
	if got := s.reload(c); got.Status != proofing.CaseRevoked || got.Reason != "entitlement_ended" {
		t.Errorf("after it has ended the grant is %s, %s", got.Status, got.Reason)
	}
}
