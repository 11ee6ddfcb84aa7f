package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// An entry of the registry may name an organization: then whoever may ask for its certificates may have the identifier, for as long as they may (ca-api.md, Entitlement).
func TestTheRegistryNamesAnOrganizationForADevice(t *testing.T) {
	const day = 24 * time.Hour
	name := proofing.Identifier{Type: "dns", Value: "printer.example.org"}
	setUp := func(t *testing.T) (c *court, proves func(r *representative, thumbprint string) *proofing.Case, problem func(k *proofing.Case) string) {
		c = newCourt(t)
		c.Policy.Profiles["printer"] = &proofing.Profile{
			Name: "printer", Title: "Printer", Framework: proofing.R4, Identifiers: []string{"dns"}, Methods: []string{"fido"}, Require: proofing.Requirement{AAL: 2},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, Retention: 90 * day,
		}
		c.ca.Profiles = append(c.ca.Profiles, "printer")
		proves = func(r *representative, thumbprint string) *proofing.Case {
			t.Helper()
			k, _, err := c.Open(t.Context(), c.ca, proofing.OpenRequest{Applicant: proofing.Applicant{Kind: proofing.ByAccount, URL: "https://ca.example/acct/" + thumbprint, Thumbprint: thumbprint}, Identifier: name, Profile: "printer"})
			if err != nil {
				t.Fatal(err)
			}
			k = must[*proofing.Case](t)(c.use(visit(k, r.name), r.key))
			c.work()
			return c.reload(k)
		}
		problem = func(k *proofing.Case) string {
			t.Helper()
			v := must[proofing.Verdict](t)(c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{name}, Profile: "printer", Find: true}))
			return v.Authorizations[0].Problem
		}
		return c, proves, problem
	}
	t.Run("whoever asks for it is entitled", func(t *testing.T) {
		c, proves, problem := setUp(t)
		if k := proves(c.requester, "0"); k.Status != proofing.CaseRefused || k.Reason != "not_entitled" {
			t.Fatalf("without an entry: %s (%s)", k.Status, k.Reason)
		}
		must[*proofing.RegistryEntry](t)(c.Register(t.Context(), "alpha", name, "", proofing.Holder{Organization: orgName}))
		for _, r := range []*representative{c.signer, c.specialist, c.member("nobody")} {
			if k := proves(r, "of-"+r.name); k.Status != proofing.CaseRefused || k.Reason != "not_entitled" {
				t.Errorf("%s: %s (%s)", r.name, k.Status, k.Reason)
			}
		}
		theirs, approver := proves(c.requester, "1"), proves(c.approver, "2")
		for _, k := range []*proofing.Case{theirs, approver} {
			if k.Status != proofing.CaseGranted || k.Grant.Entitlement != "registry" || problem(k) != "" {
				t.Errorf("%s (%s): %q", k.Status, k.Reason, problem(k))
			}
		}
		// It goes with the role.
		c.one.renew()
		must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), c.office[c.requester].ID, "a doubt"))
		if got := problem(theirs); got != "not_entitled" {
			t.Errorf("without the role: %q", got)
		}
		if got := problem(approver); got != "" {
			t.Errorf("another's role: %q", got)
		}
	})
	t.Run("the organization's list of who may ask holds", func(t *testing.T) {
		c, proves, _ := setUp(t)
		must[*proofing.RegistryEntry](t)(c.Register(t.Context(), "alpha", name, "", proofing.Holder{Organization: orgName}))
		c.item(proofing.ItemDraft{Kind: proofing.ItemRequesterList, SourceKind: proofing.SourceApplicant, Names: []string{c.office[c.approver].ID}})
		if k := proves(c.requester, "1"); k.Status != proofing.CaseRefused {
			t.Errorf("who is not on the list: %s", k.Status)
		}
		if k := proves(c.approver, "2"); k.Status != proofing.CaseGranted {
			t.Errorf("who is on the list: %s (%s)", k.Status, k.Reason)
		}
	})
	t.Run("what cannot be named", func(t *testing.T) {
		c, _, _ := setUp(t)
		for _, x := range []struct {
			ca, organization, code string
			id                     proofing.Identifier
		}{
			{"alpha", "Another Ltd", "organization_unknown", name},
			{"beta", orgName, "organization_unknown", name}, // a dossier is one authority's
			{"alpha", orgName, "organization_of_organization", proofing.Identifier{Type: "organization", Value: orgName}},
			{"alpha", "two  spaces", "identifier_malformed", name},
		} {
			_, err := c.Register(t.Context(), x.ca, x.id, "", proofing.Holder{Organization: x.organization})
			wantInput(t, x.ca+" "+x.organization, err, x.code)
		}
	})
}
