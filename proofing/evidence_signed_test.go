package proofing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// rewrites has the program put something else of a request into its log than it was told.
func (c *court) rewrites(k *proofing.Case, edit func(k *proofing.Case)) {
	c.t.Helper()
	if _, err := c.Cases.Update(c.t.Context(), k.ID, func(k *proofing.Case) error { edit(k); return nil }); err != nil {
		c.t.Fatal(err)
	}
}

// decidesAs makes a decision whose entry is put into other words on its way to the log.
func (c *court) decidesAs(r *representative, k *proofing.Case, step proofing.Step, from, to string) {
	c.t.Helper()
	asked := must[*proofing.Signing](c.t)(c.asked(r, k, step, false))
	must[*proofing.Case](c.t)(c.Decide(c.t.Context(), r.visit(), c.signs(r.key, asked)))
	c.rewrites(k, func(k *proofing.Case) {
		for i := range k.Journal.Pending {
			k.Journal.Pending[i].Leaf = strings.Replace(k.Journal.Pending[i].Leaf, from, to, 1)
		}
	})
	c.logged()
}

// lends has the store say that somebody's passkey is another's, too.
func (c *court) lends(of, to *representative) {
	c.t.Helper()
	p := must[*proofing.Person](c.t)(c.People.Get(c.t.Context(), of.person()))
	if err := edit(c.People, to.person(), func(other *proofing.Person) {
		for _, b := range p.Bindings {
			if b.Contact.Channel == proofing.ChannelPasskey {
				other.Bindings = append(other.Bindings, b)
			}
		}
	}); err != nil {
		c.t.Fatal(err)
	}
}

// signsAnything has somebody sign a decision of a request by the office that they hold, which no rule lets them make; of is who made it by the store.
func (c *court) signsAnything(r, of *representative, k *proofing.Case, step proofing.Step, identifier, shown string) {
	c.t.Helper()
	r.renew()
	c.logged()
	k = c.reload(k)
	asked := must[*proofing.Signing](c.t)(c.AskSignature(c.t.Context(), r.visit(), proofing.Document{
		Subject: proofing.DocumentSubject{Of: proofing.SubjectCase, Object: k.ID, Number: k.Journal.Written}, CA: k.CA, Profile: k.Profile,
		Identifier: &proofing.Identifier{Type: k.Identifier.Type, Value: identifier}, Organization: &proofing.DocumentOrganization{Name: shown},
		Applicant: &proofing.DocumentApplicant{Kind: k.Applicant.Kind, Key: k.Applicant.Key()}, Step: string(step), Decision: proofing.DecideApprove,
		Shown: proofing.DocumentShown{Language: "en", Text: "A certificate is asked for."}, By: proofing.DocumentBy{Role: c.office[r].Role, Appointment: c.office[r].ID},
	}))
	signed, _, err := c.TakeSignature(c.t.Context(), r.visit(), c.signs(r.key, asked))
	if err != nil {
		c.t.Fatal(err)
	}
	d := must[proofing.Document](c.t)(proofing.ParseDocument([]byte(signed.Document)))
	c.rewrites(k, func(k *proofing.Case) {
		k.Journal.Write(proofing.Note{
			Of: proofing.SubjectCase, Object: k.ID, Kind: proofing.CaseDecided, At: c.clock(),
			By: proofing.Actor{Kind: "person", ID: r.person(), Role: c.office[r].Role, Appointment: c.office[r].ID},
			Facts: map[string]any{
				"step": d.Step, "decision": d.Decision, proofing.FactDocument: proofing.Digest([]byte(signed.Document)), "credential": d.Credential, "organization": c.org.ID,
				"dossier": c.org.Version(), "policy": d.Policy,
			},
		})
		k.Approval.Decisions = append(k.Approval.Decisions, proofing.Decision{
			Nonce: d.Nonce, Step: step, Person: of.person(), Appointment: c.office[of].ID, At: c.clock(), Expires: c.clock().Add(24 * time.Hour), Signature: *signed, Entry: k.Journal.Written,
		})
		k.Approval.Stage = proofing.StageVetting
	})
	if err := c.Signed(c.t.Context(), r.visit(), asked.Nonce); err != nil {
		c.t.Fatal(err)
	}
}

// fails says whether the evidence of a request that was granted all the same does not hold, and why.
func fails(t *testing.T, want string, story func(c *court) *proofing.Case) {
	t.Helper()
	c := newCourt(t)
	c.forges = true
	tree := c.stated()
	k := c.reload(story(c))
	if k.Status != proofing.CaseGranted {
		t.Fatalf("the request is %s %s", k.Status, k.Reason)
	}
	if _, err := c.fileOf(tree, k); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// Which rules a decision is held to follows from its step: no entry has another one than was signed, nobody signs that of another role, and all are about one organization.
func TestEvidenceOfDecisionsOfAnotherStepDoesNotHold(t *testing.T) {
	t.Parallel()
	entered := func(step proofing.Step, from, to string) func(c *court) *proofing.Case {
		return func(c *court) *proofing.Case {
			k := c.submitted("signing")
			for _, r := range []*representative{c.approver, c.specialist, c.reviewer} {
				next := c.reload(k).Approval.Stage.Step()
				if next != step {
					must[*proofing.Case](t)(c.decides(r, k, next, false))
				} else {
					c.decidesAs(r, k, next, from, to)
				}
			}
			return k
		}
	}
	for name, x := range map[string]struct {
		story func(c *court) *proofing.Case
		want  string
	}{
		"a review that is entered as something else":      {entered(proofing.StepReview, `"step":"review"`, `"step":"vet"`), "with the step vet, and the document says review"},
		"an approval that is entered as something else":   {entered(proofing.StepApprove, `"step":"approve"`, `"step":"vet"`), "with the step vet, and the document says approve"},
		"a review whose entry does not tell its step":     {entered(proofing.StepReview, `,"step":"review"`, ""), "does not tell the step"},
		"a decision that is entered of another passkey":   {entered(proofing.StepVet, `"credential":"`, `"credential":"A`), "with the credential A"},
		"a decision that is entered under another policy": {entered(proofing.StepVet, `"policy":"`, `"policy":"another `), "with the policy another"},
		"an approval by a reviewer": {func(c *court) *proofing.Case {
			other, office := c.holds("other", c.one, c.two, draft(proofing.RoleReviewer, "alpha", ""))
			c.office[other] = office
			k := c.submitted("signing")
			c.lends(c.reviewer, c.approver)
			c.signsAnything(c.reviewer, c.approver, k, proofing.StepApprove, orgName, orgName)
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			return must[*proofing.Case](t)(c.decides(other, k, proofing.StepReview, false))
		}, "the step approve is for the role certificate_approver, and it was signed as reviewer"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, x.want, x.story) })
	}
}

// evText is a policy whose profile is for extended validation, and codeText one whose profile is for code signing without that.
const (
	evText   = `{"profiles":{"signing":{"approvals":"1","approve":"pre-authorized","ev":"true"}}}`
	codeText = `{"profiles":{"signing":{"approvals":"1","approve":"pre-authorized","csr":{"purpose":"code-signing"}}}}`
)

// What a certificate shows of itself is among the findings of its entry, and what people signed is for whom the request is.
func TestEvidenceOfACertificateThatShowsWhatNobodyFoundDoesNotHold(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, x := range map[string]struct {
		org     string
		lasts   time.Duration
		finding string // of which the log is told nothing; empty: of none
		erased  bool   // what was private
		policy  string
		want    string
	}{
		"another organization":                     {"Other Ltd", day, proofing.FindingOrganization, false, evText, `organizations are ["Other Ltd"]`},
		"another organization, and words erased":   {"Other Ltd", day, proofing.FindingOrganization, true, evText, `organizations are ["Other Ltd"]`},
		"more than 460 days":                       {orgName, 460*day + time.Second, proofing.FindingValidity, false, evText, "for code signing"},
		"more than 460 days, not EV":               {orgName, 460*day + time.Second, proofing.FindingValidity, false, codeText, "lasts for 460 days and 1s, and one for code signing for 460 days at most"},
		"all of it, as the log has it":             {"Other Ltd", 500 * day, "", false, evText, ""},
		"too long, as the log has it, not EV":      {orgName, 500 * day, "", false, codeText, ""},
		"what may be, of the request's own, whole": {orgName, 460 * day, "", false, evText, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, tree := governed(t, x.policy)
			if x.policy == codeText {
				p := c.Policy.Profiles["signing"]
				p.EV, p.CSR.Purpose = false, proofing.CSRCodeSigning
			}
			k := c.granted()
			made := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, x.org, 7, c.clock(), x.lasts), Cases: []string{k.ID}}))
			if x.finding != "" {
				if err := edit(c.Certificates, made.ID, func(made *proofing.Certificate) {
					l := &made.Journal.Pending[0].Leaf
					if was := *l; strings.Contains(was, `"findings":["`+x.finding+`"],`) {
						*l = strings.Replace(was, `"findings":["`+x.finding+`"],`, "", 1)
					} else {
						t.Errorf("the entry is %s", was)
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			if c.logged(); x.erased {
				c.Policy.LogRetention = time.Hour
				c.pass(2 * time.Hour)
			}
			_, err := c.fileOf(tree, k)
			if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
	for name, x := range map[string]struct{ identifier, shown, want string }{
		"what was signed is for another": {"Other Ltd", "Other Ltd", `another identifier was signed than the case is about: "Other Ltd"`},
		"another organization was shown": {orgName, "Other Ltd", `for the organization "Other Ltd"`},
	} {
		t.Run(name, func(t *testing.T) {
			fails(t, x.want, func(c *court) *proofing.Case {
				k := c.submitted("signing")
				c.signsAnything(c.approver, c.approver, k, proofing.StepApprove, x.identifier, x.shown)
				must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
				return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			})
		})
	}
}
