package proofing_test

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// What people decided about one account's key is no decision about another account's request.
func TestEvidenceOfAnAccountThatAnotherKeyBoundDoesNotHold(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		lies func(c *court, bound *proofing.Case, k *proofing.Key)
		want string
	}{
		"it was": {func(*court, *proofing.Case, *proofing.Key) {}, ""},
		"its entry names no key": {func(c *court, bound *proofing.Case, _ *proofing.Key) {
			c.rewrites(bound, func(b *proofing.Case) { struck(&b.Journal, "eab_key") })
		}, "by no key of that case before"},
		"its entry names another": {func(c *court, bound *proofing.Case, k *proofing.Key) {
			c.rewrites(bound, func(b *proofing.Case) { in(&b.Journal, `"eab_kid":"`+k.Kid, `"eab_kid":"cs-other`) })
		}, "is another"},
		"it is another account": {func(c *court, bound *proofing.Case, _ *proofing.Key) {
			c.rewrites(bound, func(b *proofing.Case) { in(&b.Journal, `"applicant_id":"`, `"applicant_id":"0`) })
		}, "by no key of that case before"},
		"the key is of another case": {func(c *court, _ *proofing.Case, k *proofing.Key) {
			if err := edit(c.Keys, k.ID, func(k *proofing.Key) { in(&k.Journal, `"case":"`+k.Case, `"case":"other`) }); err != nil {
				t.Fatal(err)
			}
		}, `was made of the case "other"`},
		"the key has bound nobody": {func(c *court, _ *proofing.Case, k *proofing.Key) {
			if err := edit(c.Keys, k.ID, func(k *proofing.Key) { in(&k.Journal, string(proofing.EntryKeyBound), "key_lost") }); err != nil {
				t.Fatal(err)
			}
		}, "by no key of that case before"},
	} {
		t.Run(name, func(t *testing.T) {
			c, tree := governed(t, evPolicy)
			c.logged()
			first, k := c.boundByKey()
			bound, _, err := c.Open(t.Context(), c.ca, proofing.OpenRequest{Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}, Identifier: first.Identifier, Profile: first.Profile})
			if err != nil {
				t.Fatal(err)
			}
			x.lies(c, bound, k)
			if _, err := c.fileOf(tree, bound); x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
}
