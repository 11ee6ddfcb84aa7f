package proofing_test

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// An account may get another key while its request is decided about (RFC 8555 7.3.5): the log tells of it, and what was signed afterwards names the new one.
func TestTheEvidenceFollowsAnAccountToItsNewKey(t *testing.T) {
	c, tree := governed(t, evPolicy)
	k := c.submitted("signing")
	old, next := k.Applicant.Thumbprint, "Nx"+strings.Repeat("0", 41)
	if err := c.AccountKeyChanged(t.Context(), c.ca, k.Applicant.URL, old, next); err != nil {
		t.Fatal(err)
	}
	if err := c.AccountKeyChanged(t.Context(), c.ca, k.Applicant.URL, old, next); err != nil { // once more
		t.Fatal(err)
	}
	k = c.decided(c.reload(k))
	if k.Status != proofing.CaseGranted {
		t.Fatalf("it is %s", k.Status)
	}
	e, err := c.fileOf(tree, k)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(must[[]byte](t)(e.Text())), string(proofing.EntryRekeyed)); n != 1 {
		t.Errorf("the log tells of it %d times", n)
	}
}

// A profile may be gone from the policy by the time that the authority tells of a certificate: nothing was demanded of it any more, and what it rests on can still be shown.
func TestACertificateUnderAProfileThatIsGoneHasEvidence(t *testing.T) {
	c, tree := governed(t, evPolicy)
	k := c.granted()
	c.logged()
	const without = `{"profiles":{"signing2":{"approvals":"2","approve":"pre-authorized"}}}`
	c.offers(without)
	must[*proofing.PolicyBook](t)(c.one.decidesPolicy(false))
	must[*proofing.PolicyBook](t)(c.two.decidesPolicy(false))
	c.Policy.Text, c.Policy.Digest = without, proofing.PolicyDigest(without)
	delete(c.Policy.Profiles, "signing")
	cert := c.certificate(k, 1)
	c.logged()
	chain, err := c.ChainOfCertificate(t.Context(), cert)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Evidence(t.Context(), chain, proofing.SubjectCertificate, cert.ID); err != nil {
		t.Error(err)
	}
}
