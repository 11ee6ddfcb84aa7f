package proofing_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// signsEdited has somebody sign what the console would have them sign, edited, and a program that lets it pass enter the decision: edit edits the document, and entered is what its entry says
// instead (nil: nothing).
func (c *court) signsEdited(r *representative, k *proofing.Case, step proofing.Step, next proofing.Stage, edit func(d *proofing.Document), entered map[string]any) {
	c.t.Helper()
	asked := must[*proofing.Signing](c.t)(c.asked(r, k, step, false))
	d := must[proofing.Document](c.t)(proofing.ParseDocument([]byte(asked.Document)))
	edit(&d)
	text := string(must[[]byte](c.t)(d.Canonical()))
	ask := strings.Replace(string(asked.Ask), proofing.Digest([]byte(asked.Document)), proofing.Digest([]byte(text)), 1)
	var answer struct {
		RawID    proofing.Octets
		Response struct{ ClientDataJSON, AuthenticatorData, Signature proofing.Octets }
	}
	if err := json.Unmarshal(must[[]byte](c.t)(r.key.Get([]byte(ask), passkeyOrigin)), &answer); err != nil {
		c.t.Fatal(err)
	}
	own, _, err := c.TakeSignature(c.t.Context(), r.visit(), c.signs(r.key, asked)) // for what is known of the passkey
	if err != nil {
		c.t.Fatal(err)
	}
	signed := *own
	signed.Document, signed.ClientData, signed.AuthenticatorData, signed.Signature = text, answer.Response.ClientDataJSON, answer.Response.AuthenticatorData, answer.Response.Signature
	facts := map[string]any{
		"step": d.Step, "decision": d.Decision, proofing.FactDocument: proofing.Digest([]byte(text)), "credential": d.Credential, "organization": c.org.ID, "dossier": c.dossierOf(k).Version(),
		"policy": d.Policy, proofing.FactShown: proofing.ShownWhole, proofing.FactDossier: proofing.DossierShown(d.Nonce, d.Organization.Dossier),
	}
	maps.Copy(facts, entered)
	maps.DeleteFunc(facts, func(_ string, v any) bool { return v == nil })
	c.rewrites(k, func(k *proofing.Case) {
		k.Journal.Write(proofing.Note{
			Of: proofing.SubjectCase, Object: k.ID, Kind: proofing.CaseDecided, At: c.clock(), Facts: facts,
			By: proofing.Actor{Kind: "person", ID: r.person(), Role: c.office[r].Role, Appointment: c.office[r].ID},
		})
		k.Approval.Decisions = append(k.Approval.Decisions, proofing.Decision{
			Nonce: d.Nonce, Step: step, Person: r.person(), Appointment: c.office[r].ID, At: c.clock(), Expires: c.clock().Add(24 * time.Hour), Signature: signed, Entry: k.Journal.Written,
		})
		k.Approval.Stage = next
	})
	if err := c.Signed(c.t.Context(), r.visit(), asked.Nonce); err != nil {
		c.t.Fatal(err)
	}
}

// What was signed is the next thing that happens to the request, on the dossier as it was, with the number and place that it says, and under a text that says the same. A program that lets anything
// else pass is found, although passkey, log and seal are good.
func TestEvidenceOfADecisionOnWhatWasNotShownDoesNotHold(t *testing.T) {
	t.Parallel()
	older := map[string]any{proofing.FactShown: nil, proofing.FactDossier: nil}
	text := func(from, to string) func(d *proofing.Document) {
		return func(d *proofing.Document) { d.Shown.Text = strings.Replace(d.Shown.Text, from, to, 1) }
	}
	for name, x := range map[string]struct {
		edit    func(d *proofing.Document)
		entered map[string]any
		want    string
	}{
		"nothing is edited":          {func(*proofing.Document) {}, nil, ""},
		"an older state of the case": {func(d *proofing.Document) { d.Subject.Number-- }, nil, "and the decision is entry 5, not the next one"},
		"another number": {func(d *proofing.Document) {
			text("HRB 1234", "HRB 9999")(d)
			d.Organization.Number = "HRB 9999"
		}, nil, `signed for the registration number "HRB 9999"`},
		"no number": {func(d *proofing.Document) { d.Organization.Number = "" }, nil, `signed for the registration number ""`},
		"another jurisdiction": {func(d *proofing.Document) {
			text("Jurisdiction: DE", "Jurisdiction: FR")(d)
			d.Organization.Jurisdiction = "FR"
		}, nil, `signed for the jurisdiction "FR"`},
		"another dossier": {func(d *proofing.Document) { d.Organization.Dossier = "another" }, map[string]any{proofing.FactDossier: proofing.DossierShown("n", "d")},
			"on another state of the dossier"},
		"a text with a name that is longer":             {text("Full legal name: ", "Full legal name: Not "), nil, "does not tell the registration number in its place"},
		"a text with another verdict":                   {text("I approve", "I refuse"), nil, "which is not what it says to approve"},
		"the entry of a program that did not see to it": {func(d *proofing.Document) { d.Shown.Text, d.Organization.Dossier = "Yes.", "another" }, older, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			tree := c.stated()
			k := c.submitted("signing")
			c.signsEdited(c.approver, k, proofing.StepApprove, proofing.StageVetting, x.edit, x.entered)
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			k = must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			_, err := c.fileOf(tree, k)
			if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
	t.Run("the same decision twice", func(t *testing.T) {
		fails(t, "it is the same decision", func(c *court) *proofing.Case {
			k := must[*proofing.Case](t)(c.decides(c.approver, c.submitted("signing"), proofing.StepApprove, false))
			c.signsEdited(c.specialist, k, proofing.StepVet, proofing.StageCorrelation, func(d *proofing.Document) { d.Nonce = k.Approval.Decisions[0].Nonce }, nil)
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		})
	})
}

// What was erased of a dossier nobody can hold a decision against, and the evidence says of what that is so.
func TestEvidenceSaysWhatOfADecisionWasErased(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	tree := c.stated()
	k := c.granted()
	key, _ := logKey(t, tree)
	for _, x := range []struct {
		pass time.Duration
		want string
	}{{0, ""}, {2 * time.Hour, "registration number, jurisdiction"}} {
		if x.pass > 0 {
			c.Policy.LogRetention = time.Hour
			c.pass(x.pass)
		}
		p := must[*audit.Proven](t)(must[*audit.Evidence](t)(c.fileOf(tree, k)).Verify(key))
		for _, a := range p.Approvals {
			if got := strings.Join(a.Erased, ", "); got != x.want {
				t.Errorf("after %s of the decision %s was erased %q, want %q", x.pass, a.Checked.Document.Step, got, x.want)
			}
		}
	}
}
