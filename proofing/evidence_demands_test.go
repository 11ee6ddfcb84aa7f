package proofing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// What the profile demands of what is proved is in the text of its policy, and a grant is held to that.
func TestEvidenceIsHeldToWhatThePolicyDemandsOfProof(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"require":{"aal":"2","phishing_resistant":"true","all_methods":["fido"]},"framework":"sp800-63-4"`: "",
		`"require":{"aal":"3"}`:                       "does not earn the AAL3",
		`"require":{"ial":"2"}`:                       "does not earn the IAL2",
		`"require":{"all_methods":["fido","email"]}`:  "without the method email",
		`"require":{"confirmed_addresses":["email"]}`: "without the confirmed address (email)",
		`"framework":"sp800-63-3"`:                    "its policy has sp800-63-3",
	} {
		t.Run(text, func(t *testing.T) {
			c, tree := governed(t, `{"profiles":{"signing":{"approvals":"1","approve":"pre-authorized",`+text+`}}}`)
			if _, err := c.fileOf(tree, c.granted()); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

// For extended validation the dossier's entries have everything good that a grant takes, when it was reviewed.
func TestEvidenceIsHeldToWhatADossierMustHave(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		lies func(c *court)
		want string
	}{
		"everything is there": {func(*court) {}, ""},
		"a list that it is on": {func(c *court) {
			d := screening(proofing.OutcomeBad)
			c.item(d)
			c.dossiers(func(o *proofing.Organization) { o.Current(proofing.ItemDenied, "").Outcome = proofing.OutcomeGood })
		}, "no good denied_list"},
		"nothing about suspect code": {func(c *court) {
			c.dossiers(func(o *proofing.Organization) {
				in(&o.Journal, `"kind":"suspect_code"`, `"kind":"principal_individual"`)
			})
		}, "no good suspect_code"},
		"what has aged": {func(c *court) {
			c.pass(31 * 24 * time.Hour)
			c.dossiers(func(o *proofing.Organization) {
				for i := range o.Items {
					o.Items[i].CollectedAt = c.clock()
				}
			})
		}, "no good denied_list"},
		"nothing about its approver": {func(c *court) {
			c.dossiers(func(o *proofing.Organization) { in(&o.Journal, `"kind":"approver_authority"`, `"kind":"domain"`) })
		}, "everything good of 0 of its approvers"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			tree := c.stated()
			x.lies(c)
			c.Policy.Text, c.Policy.Digest = evText, proofing.PolicyDigest(evText)
			c.offers(evText)
			c.logged()
			if _, err := c.fileOf(tree, c.granted()); x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
}
