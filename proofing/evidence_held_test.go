package proofing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// certifies reports a certificate, whose entry is put into other words on its way to the log.
func (c *court) certifies(report proofing.CertificateReport, lies func(made *proofing.Certificate)) *proofing.Certificate {
	c.t.Helper()
	if report.DER == nil {
		report.DER = issued(c.t, orgName, 7, c.clock(), time.Hour)
	}
	made := must[*proofing.Certificate](c.t)(c.CertificateIssued(c.t.Context(), c.ca, report))
	if err := edit(c.Certificates, made.ID, lies); err != nil {
		c.t.Fatal(err)
	}
	return made
}

// A certificate rests on what held when it was told of, by its own authority, for one applicant and under one profile; or its entry says that it did not.
func TestEvidenceOfACertificateThatRestsOnWhatItMayNotDoesNotHold(t *testing.T) {
	t.Parallel()
	silent := func(made *proofing.Certificate) { struck(&made.Journal, "findings") }
	report := func(k *proofing.Case) proofing.CertificateReport {
		return proofing.CertificateReport{Cases: []string{k.ID}}
	}
	const day = 24 * time.Hour
	const lost = "did not hold when it was told of"
	for name, x := range map[string]struct {
		story func(c *court, k *proofing.Case)
		want  string
	}{
		"revoked, and silent": {func(c *court, k *proofing.Case) {
			must[*proofing.Case](t)(c.Revoke(t.Context(), k.ID, "operator"))
			c.pass(2 * time.Minute)
			c.certifies(report(k), silent)
		}, lost},
		"revoked, and told": {func(c *court, k *proofing.Case) {
			must[*proofing.Case](t)(c.Revoke(t.Context(), k.ID, "operator"))
			c.pass(2 * time.Minute)
			c.certifies(report(k), func(*proofing.Certificate) {})
		}, ""},
		"revoked at that moment": {func(c *court, k *proofing.Case) {
			must[*proofing.Case](t)(c.Revoke(t.Context(), k.ID, "operator"))
			c.certifies(report(k), silent)
		}, ""},
		"run out, and silent": {func(c *court, k *proofing.Case) {
			c.Policy.Profiles["signing"].Retention = 1191 * day
			c.pass(91 * day)
			c.certifies(report(k), silent)
		}, lost},
		"before it was granted": {func(c *court, k *proofing.Case) {
			c.certifies(report(k), silent)
			c.forges = true
			c.rewrites(k, func(k *proofing.Case) { in(&k.Journal, string(proofing.EntryStatus), "stated") })
		}, "was not granted before"},
		"of another authority": {func(c *court, k *proofing.Case) {
			c.certifies(report(k), func(made *proofing.Certificate) { in(&made.Journal, `"alpha"`, `"beta"`) })
		}, `it is of the authority "beta"`},
		"under another profile": {func(c *court, k *proofing.Case) {
			c.certifies(report(k), func(made *proofing.Certificate) { in(&made.Journal, `"profile":"signing"`, `"profile":"signing2"`) })
		}, `its profile is "signing2"`},
		"of several applicants": {func(c *court, k *proofing.Case) {
			r := c.asks("signing")
			r.Applicant.URL, r.Applicant.Thumbprint = r.Applicant.URL+"9", accountKey(9)
			other, _, err := c.Open(t.Context(), c.ca, r)
			if err != nil {
				t.Fatal(err)
			}
			other = c.decided(must[*proofing.Case](t)(c.use(visit(other, "requester"), c.requester.key)))
			c.logged()
			made := c.certifies(report(k), func(made *proofing.Certificate) {
				in(&made.Journal, `"cases":["`+k.ID+`"]`, `"cases":["`+k.ID+`","`+other.ID+`"]`)
				made.Cases = append(made.Cases, other.ID)
			})
			c.rewrites(other, func(other *proofing.Case) {
				other.Journal.Write(proofing.Note{
					Of: proofing.SubjectCase, Object: other.ID, Kind: proofing.EntryIssued, By: proofing.Actor{Kind: "ca", ID: "alpha"}, At: c.clock(),
					Facts: map[string]any{"certificate": made.ID, "certificate_sha256": made.Digest, "serial": made.Serial},
				})
			})
		}, "are of several applicants"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			tree := c.stated()
			k := c.submitted("signing")
			if name != "before it was granted" {
				k = c.decided(k)
			} else { // its entries wait for the log until the last of them can be put into other words
				must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
				must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
				asked := must[*proofing.Signing](t)(c.asked(c.reviewer, k, proofing.StepReview, false))
				k = must[*proofing.Case](t)(c.Decide(t.Context(), c.reviewer.visit(), c.signs(c.reviewer.key, asked)))
			}
			x.story(c, k)
			c.logged()
			certificates := must[[]*proofing.Certificate](t)(c.CertificatesOf(t.Context(), k.ID))
			chain := must[*proofing.Chain](t)(c.ChainOfCertificate(t.Context(), certificates[0]))
			_, err := tree.Evidence(t.Context(), chain, proofing.SubjectCertificate, certificates[0].ID)
			if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
}

// An approval of a CSR is beneath one of the authorizations that the certificate rests on.
func TestEvidenceOfAnApprovalThatIsBeneathNothingDoesNotHold(t *testing.T) {
	c := newCourt(t)
	tree := c.stated()
	mine := issued(t, orgName, 1, c.clock(), time.Hour)
	k, _ := c.approvedCSR("csr-1", keyOf(t, mine), func(approval *proofing.Case) {
		c.rewrites(approval, func(k *proofing.Case) { struck(&k.Journal, "parent") })
	})
	made := c.certifies(proofing.CertificateReport{DER: mine, Cases: []string{k.ID}, CSRDigest: "csr-1"}, func(*proofing.Certificate) {})
	c.logged()
	chain := must[*proofing.Chain](t)(c.ChainOfCertificate(t.Context(), made))
	if _, err := tree.Evidence(t.Context(), chain, proofing.SubjectCertificate, made.ID); err == nil || !strings.Contains(err.Error(), "is beneath none of the cases") {
		t.Error(err)
	}
}
