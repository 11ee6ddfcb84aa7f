package proofing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// A certificate is held to the dossiers on which it rests itself. What else is in the file is there for other certificates.
func TestACertificateIsHeldToTheDossiersOfItsOwnRequestsAlone(t *testing.T) {
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	mine, both := issued(t, orgName, 1, from, time.Hour), issued(t, orgName, 2, from, time.Hour)
	c := newCourtOf(t, attested(keyOf(t, mine)))
	tree := c.stated()
	k := c.granted()
	other := c.of("Another Corporation", attested(keyPrint(1)))
	o := other.granted()
	report := func(der []byte, cases ...*proofing.Case) *proofing.Certificate {
		t.Helper()
		c.logged()
		var ids []string
		for _, k := range cases {
			ids = append(ids, k.ID)
		}
		return must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: der, Cases: ids}))
	}
	if made := report(mine, k); len(made.Findings) != 0 {
		t.Fatal(made.Findings)
	}
	made := report(both, k, o)
	if found := codesOf(made); !slices.Contains(found, proofing.FindingKey) {
		t.Fatal(found)
	}
	e, err := c.fileOf(tree, k)
	if err != nil {
		t.Fatalf("the file of a request of which another certificate rests on another organization's, too: %v", err)
	}
	if len(e.Certificates) != 2 || len(e.Cases) != 2 {
		t.Errorf("the file has %d certificates and %d requests", len(e.Certificates), len(e.Cases))
	}
	// Nor has one that rests on it the other's evidence: whoever has the store has it find nothing.
	c.forges = true
	if err := edit(c.Dossiers, c.org.ID, func(org *proofing.Organization) {
		for i := range org.Items {
			if it := &org.Items[i]; it.Kind == proofing.ItemKeyProtection {
				it.Keys, it.Method = nil, 4
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if made := report(issued(t, orgName, 3, from, time.Hour), k); len(made.Findings) != 0 {
		t.Fatal(made.Findings)
	}
	if _, err := c.fileOf(tree, k); err == nil || !strings.Contains(err.Error(), "the dossier "+c.org.ID+" had anything good") || strings.Contains(err.Error(), other.org.ID) {
		t.Errorf("of one for a key that nobody has verified: %v", err)
	}
}

// An account that a key binds has no decisions of its own: they are about the request that the key is of.
func TestACertificateOfABoundAccountIsHeldToTheDossierOfTheRequestThatItsKeyIsOf(t *testing.T) {
	for name, known := range map[string]bool{"with the policy in the log": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			der := issued(t, orgName, 1, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), time.Hour)
			c := newCourtOf(t, attested(keyPrint(1)))
			tree := c.stated()
			if known {
				c.Policy.Text, c.Policy.Digest = evPolicy, proofing.PolicyDigest(evPolicy)
				c.offers(evPolicy)
			}
			c.logged()
			first, _ := c.boundByKey()
			c.logged()
			ask := func() (proofing.Verdict, error) {
				return c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
					Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}, Identifiers: []proofing.Identifier{first.Identifier}, Profile: first.Profile,
				})
			}
			_, err := ask()
			wantErr(t, "before it is in the log", err, proofing.ErrUnavailable)
			c.logged()
			bound := must[proofing.Verdict](t)(ask()).Authorizations[0].Case
			// Whoever has the store has the dossier name no key, so that nothing is found.
			c.forges = true
			if err := edit(c.Dossiers, c.org.ID, func(o *proofing.Organization) {
				it := o.Protection("", c.clock())
				it.Keys, it.Method = nil, 4
			}); err != nil {
				t.Fatal(err)
			}
			made := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: der, Cases: []string{bound.ID}}))
			if len(made.Findings) != 0 {
				t.Fatal(made.Findings)
			}
			if _, err := c.fileOf(tree, bound); err == nil || !strings.Contains(err.Error(), "the dossier "+c.org.ID+" had anything good") {
				t.Errorf("%v", err)
			}
		})
	}
}
