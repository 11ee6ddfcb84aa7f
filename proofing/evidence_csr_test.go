package proofing_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// keyOf is the SHA-256 of a certificate's public key, base64url.
func keyOf(t testing.TB, der []byte) string {
	t.Helper()
	return must[*proofing.CertificateFacts](t)(proofing.ParseCertificate(der)).SPKI
}

// approvedCSR is an authorization, and the approval of a CSR beneath it that is for a key. between happens before anybody decides about it.
func (c *court) approvedCSR(digest, key string, between func(approval *proofing.Case)) (k, approval *proofing.Case) {
	c.t.Helper()
	c.demands(1, proofing.ApproveEach)
	k = c.granted()
	c.logged()
	v, err := c.Authorize(c.t.Context(), c.ca, proofing.AuthorizeRequest{
		Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: digest,
		CSR: &proofing.CSR{Digest: digest, SPKI: key, Key: proofing.KeyP256},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	approval = v.Authorizations[0].Case
	if between != nil {
		between(approval)
	}
	must[*proofing.Case](c.t)(c.decides(c.approver, approval, proofing.StepApprove, false))
	return k, must[*proofing.Case](c.t)(c.decides(c.reviewer, approval, proofing.StepReview, false))
}

// The digest of a CSR is said by whoever reports a certificate; the key is in the certificate, and in the CSR that people approved.
func TestACertificateForAnotherKeyThanTheCSRThatWasApprovedIsRefused(t *testing.T) {
	c := newCourt(t)
	mine, other := issued(t, orgName, 1, c.clock(), time.Hour), issued(t, orgName, 2, c.clock(), time.Hour)
	k, approval := c.approvedCSR("csr-1", keyOf(t, mine), nil)
	report := func(der []byte) error {
		_, err := c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: der, Cases: []string{k.ID}, CSRDigest: "csr-1"})
		return err
	}
	var input *proofing.InputError
	if err := report(other); !errors.As(err, &input) || input.Code != "certificate_key" || !strings.Contains(input.Detail, approval.ID) {
		t.Errorf("for another key: %v", err)
	}
	if err := report(mine); err != nil {
		t.Errorf("for the key of the CSR: %v", err)
	}
	// Also where the authorization itself is for one CSR, and the report has none.
	r := c.asks("signing")
	r.Applicant.URL, r.Applicant.Thumbprint = r.Applicant.URL+"9", accountKey(9)
	r.CSRDigest, r.CSR = "csr-9", &proofing.CSR{Digest: "csr-9", SPKI: keyOf(t, mine), Key: proofing.KeyP256}
	single, _, err := c.Open(t.Context(), c.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	single = c.decided(must[*proofing.Case](t)(c.use(visit(single, "requester"), c.requester.key)))
	_, err = c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: other, Cases: []string{single.ID}})
	if !errors.As(err, &input) || input.Code != "certificate_key" {
		t.Errorf("without a CSR, for another key: %v", err)
	}
}

// Whoever has the store makes the record of an approval fit a certificate for another key: the log has which key it was opened for, and what was signed.
func TestEvidenceOfACertificateForAnotherKeyThanTheOneThatWasApprovedDoesNotHold(t *testing.T) {
	for name, x := range map[string]struct {
		early bool // before anybody has signed
		want  string
	}{
		"after it was decided":  {false, "another key than the certificate request"},
		"before it was decided": {true, "another certificate request's key was signed"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			tree := c.stated()
			mine, other := issued(t, orgName, 1, c.clock(), time.Hour), issued(t, orgName, 2, c.clock(), time.Hour)
			swap := func(approval *proofing.Case) {
				if err := edit(c.Cases, approval.ID, func(k *proofing.Case) { k.CSR.SPKI = keyOf(t, other) }); err != nil {
					t.Fatal(err)
				}
			}
			between := swap
			if !x.early {
				between = nil
			}
			k, approval := c.approvedCSR("csr-1", keyOf(t, mine), between)
			swap(approval)
			made, err := c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: other, Cases: []string{k.ID}, CSRDigest: "csr-1"})
			if err != nil {
				t.Fatal(err)
			}
			c.logged()
			chain := must[*proofing.Chain](t)(c.ChainOfCertificate(t.Context(), made))
			if _, err := tree.Evidence(t.Context(), chain, proofing.SubjectCertificate, made.ID); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
}

// While a grant goes on for which nobody was ever asked, and each CSR takes an approval by now, a certificate says that it has none.
func TestACertificateOfAGraceSaysThatNobodyApprovedItsCSR(t *testing.T) {
	c := newCourt(t)
	c.demands(0, "")
	c.Policy.Profiles["signing"].EV = false
	k, _, err := c.Open(t.Context(), c.ca, c.asks("signing"))
	if err != nil {
		t.Fatal(err)
	}
	k = must[*proofing.Case](t)(c.use(visit(k, "requester"), c.requester.key))
	c.demands(1, proofing.ApproveEach)
	c.Policy.Profiles["signing"].Recheck.Grace = time.Hour
	made, err := c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 1, c.clock(), time.Hour), Cases: []string{k.ID}, CSRDigest: "csr-1"})
	if err != nil || len(made.Findings) != 1 || made.Findings[0].Code != proofing.FindingCSRUnapproved {
		t.Errorf("%v, %+v", err, made)
	}
}
