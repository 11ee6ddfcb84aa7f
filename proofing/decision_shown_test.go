package proofing_test

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// signedVerdict is a document, and the text that the console makes for it.
func signedVerdict(t *testing.T, lang string, step proofing.Step, refuse bool) proofing.Document {
	t.Helper()
	d := proofing.Document{
		Subject: proofing.DocumentSubject{Of: proofing.SubjectCase, Object: "a"}, Step: string(step), Decision: proofing.DecideApprove,
		Organization: &proofing.DocumentOrganization{Name: "Example: \u202eCorporation", Number: "HRB  1234", Jurisdiction: "DE"},
		Identifier:   &proofing.Identifier{Type: "organization", Value: "Example: \u202eCorporation"},
		Applicant:    &proofing.DocumentApplicant{Kind: proofing.ByAccount, Key: "thumbprint"},
		CSR:          &proofing.DocumentCSR{Digest: "digest", Key: "P-256", SPKI: "print", Subject: "CN=a, O=Registration number: 7"},
	}
	m := templates.Matter{
		Name: d.Organization.Name, Number: d.Organization.Number, Jurisdiction: "DE", CA: "Alpha", Profile: "Signing", IdentifierType: "organization", Identifier: d.Identifier.Value,
		KeyKind: "account", Key: "thumbprint", CSR: "digest", CSRKey: "P-256", CSRPrint: "print", CSRSubject: d.CSR.Subject,
	}
	if refuse {
		d.Decision = proofing.DecideRefuse
	}
	text := must[string](t)(templates.Verdict{Matter: m, Step: string(step), Refuse: refuse, Reason: "not ours", Follows: templates.Follows{Code: "end"}}.Text(lang))
	d.Shown = proofing.DocumentShown{Language: lang, Text: strings.ReplaceAll(text, "\u202e", "")}
	return d
}

// In every language the console's text tells of all members. A sentence that is put in the place of another one in templates must be added to those that proofing knows.
func TestTheTextThatIsSignedTellsOfWhatItsMembersSay(t *testing.T) {
	for _, lang := range []string{"en", "de", "fr"} {
		for _, refuse := range []bool{false, true} {
			for _, step := range []proofing.Step{proofing.StepApprove, proofing.StepVet, proofing.StepReview} {
				d := signedVerdict(t, lang, step, refuse)
				if err := d.Tells(); err != nil {
					t.Errorf("%s, %s, refuses %v: %v\n%s", lang, step, refuse, err, d.Shown.Text)
				}
			}
			text := must[string](t)(templates.PolicyVerdict{PolicyMatter: templates.PolicyMatter{Digest: "new", Against: "old"}, Refuse: refuse, Reason: "no", Agree: "first"}.Text(lang))
			d := proofing.Document{Subject: proofing.DocumentSubject{Of: proofing.SubjectPolicy}, Proposed: "new", Step: proofing.StepPolicy, Decision: proofing.DecideApprove, Shown: proofing.DocumentShown{Text: text}}
			if refuse {
				d.Decision = proofing.DecideRefuse
			}
			if err := d.Tells(); err != nil {
				t.Errorf("%s, policy, refuses %v: %v\n%s", lang, refuse, err, text)
			}
			if d.Proposed = "another"; d.Tells() == nil {
				t.Errorf("%s: it tells of another policy", lang)
			}
		}
	}
	for name, edit := range map[string]func(d *proofing.Document){
		"another name":          func(d *proofing.Document) { d.Organization.Name = "Other Ltd" },
		"a part of the name":    func(d *proofing.Document) { d.Organization.Name = "Corporation" },
		"another number":        func(d *proofing.Document) { d.Organization.Number = "HRB 9999" },
		"another jurisdiction":  func(d *proofing.Document) { d.Organization.Jurisdiction = "FR" },
		"another identifier":    func(d *proofing.Document) { d.Identifier.Value = "Other Ltd" },
		"another applicant":     func(d *proofing.Document) { d.Applicant.Key = "other" },
		"another CSR":           func(d *proofing.Document) { d.CSR.Digest = "other" },
		"another key":           func(d *proofing.Document) { d.CSR.Key = "RSA 2048" },
		"another print":         func(d *proofing.Document) { d.CSR.SPKI = "other" },
		"another subject":       func(d *proofing.Document) { d.CSR.Subject = "CN=b" },
		"what changed places":   func(d *proofing.Document) { o := d.Organization; o.Number, o.Jurisdiction = o.Jurisdiction, o.Number },
		"another step":          func(d *proofing.Document) { d.Step = string(proofing.StepVet) },
		"another verdict":       func(d *proofing.Document) { d.Decision = proofing.DecideRefuse },
		"a step that is no one": func(d *proofing.Document) { d.Step = "approve it" },
		"another sentence":      func(d *proofing.Document) { d.Shown.Text = "Well.\n" + d.Shown.Text },
		"no text":               func(d *proofing.Document) { d.Shown.Text = "" },
	} {
		d := signedVerdict(t, "fr", proofing.StepReview, false)
		edit(&d)
		if d.Tells() == nil {
			t.Errorf("%s: it tells of it", name)
		}
	}
}

// Nobody is asked to sign a text that says something else than the rest of the document.
func TestNobodyIsAskedToSignATextThatSaysSomethingElse(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing")
	c.approver.renew()
	c.logged()
	for _, text := range []string{"Yes.", strings.Replace(c.shows(k, proofing.StepApprove, false).Text, "HRB 1234", "HRB 9999", 1), c.shows(k, proofing.StepApprove, true).Text} {
		if _, err := c.AskDecision(t.Context(), c.approver.visit(), proofing.DecisionRequest{
			Case: k.ID, Appointment: c.office[c.approver].ID, Step: proofing.StepApprove, Number: c.reload(k).Journal.Written, Dossier: c.dossierOf(k).Digest(),
			Shown: proofing.DocumentShown{Language: "en", Text: text},
		}); err == nil || !strings.Contains(err.Error(), "the text that was shown") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
