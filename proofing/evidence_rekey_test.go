package proofing_test

import (
	"slices"
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

// A profile may be gone from the policy by the time that the authority tells of a certificate, which chooses when: what was demanded when it was issued is held against
// nothing any more. The certificate says so, and what it rests on can still be shown; one that does not say it has no evidence.
func TestACertificateUnderAProfileThatIsGoneSaysSo(t *testing.T) {
	c, tree := governed(t, evPolicy)
	k := c.granted()
	c.logged()
	const without = `{"profiles":{"signing2":{"approvals":"2","approve":"pre-authorized"}}}`
	c.offers(without)
	must[*proofing.PolicyBook](t)(c.one.decidesPolicy(false))
	must[*proofing.PolicyBook](t)(c.two.decidesPolicy(false))
	c.Policy.Text, c.Policy.Digest = without, proofing.PolicyDigest(without)
	evidence := func(cert *proofing.Certificate) error {
		t.Helper()
		c.logged()
		_, err := tree.Evidence(t.Context(), must[*proofing.Chain](t)(c.ChainOfCertificate(t.Context(), cert)), proofing.SubjectCertificate, cert.ID)
		return err
	}
	if err := evidence(c.certificate(k, 1)); err == nil || !strings.Contains(err.Error(), "no profile") { // by who still has it, under the policy that has not
		t.Errorf("of one that says nothing: %v", err)
	}
	delete(c.Policy.Profiles, "signing")
	cert := c.certificate(k, 2)
	if codes := codesOf(cert); !slices.Equal(codes, []string{proofing.FindingProfile}) {
		t.Errorf("it says %v", codes)
	}
	if err := evidence(cert); err != nil {
		t.Error(err)
	}
}
