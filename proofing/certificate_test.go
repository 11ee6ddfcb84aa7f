package proofing_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// issued is a certificate that an authority made for an organization, of a validity in seconds, both ends counted.
func issued(t testing.TB, org string, serial int64, from time.Time, lasts time.Duration) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{Organization: []string{org}, CommonName: org}, NotBefore: from, NotAfter: from.Add(lasts - time.Second),
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, SubjectKeyId: []byte{0xca, 1, 2, 3}}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func codesOf(c *proofing.Certificate) (codes []string) {
	for _, f := range c.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

func TestACertificateForAnOrganizationIsHeldAgainstItsRequest(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	const day = 24 * time.Hour
	report := func(der []byte) *proofing.Certificate {
		t.Helper()
		return must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: der, Cases: []string{k.ID}, Order: "https://ca.example/order/1"}))
	}
	good := report(issued(t, orgName, 0xa1, c.clock(), 460*day))
	if len(good.Findings) != 0 || good.Renewal {
		t.Errorf("460 days: %v, renewal %v", good.Findings, good.Renewal)
	}
	p := c.Policy.Profiles["signing"]
	for name, x := range map[string]struct {
		ev      bool
		purpose proofing.CSRPurpose
		der     []byte
		want    string
	}{
		"a second too long":                    {true, "", issued(t, orgName, 0xa2, c.clock(), 460*day+time.Second), proofing.FindingValidity},
		"a second too long, not EV":            {false, proofing.CSRCodeSigning, issued(t, orgName, 0xa4, c.clock(), 460*day+time.Second), proofing.FindingValidity},
		"460 days, not EV":                     {false, proofing.CSRCodeSigning, issued(t, orgName, 0xa5, c.clock(), 460*day), ""},
		"three years, and no code is signed":   {false, proofing.CSROther, issued(t, orgName, 0xa6, c.clock(), 1095*day), ""},
		"three years, and nobody says of what": {false, "", issued(t, orgName, 0xa7, c.clock(), 1095*day), ""},
		"another organization":                 {true, "", issued(t, orgName+" Ltd", 0xa3, c.clock(), 90*day), proofing.FindingOrganization},
	} {
		p.EV, p.CSR.Purpose = x.ev, x.purpose
		if got := report(x.der); strings.Join(codesOf(got), " ") != x.want || !got.Renewal {
			t.Errorf("%s: %v, renewal %v", name, got.Findings, got.Renewal)
		}
	}
	p.EV, p.CSR.Purpose = true, ""
	if err := c.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What the certificate rests on is kept for two years after the last one ends, whatever became of it.
	must[*proofing.Case](t)(c.Revoke(t.Context(), k.ID, "operator"))
	if err := c.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := must[*proofing.Case](t)(c.Cases.Get(t.Context(), k.ID))
	last := must[[]*proofing.Certificate](t)(c.CertificatesOf(t.Context(), k.ID))
	if len(last) != 7 || len(stored.Certificates) != 7 {
		t.Fatalf("%d certificates, the case knows %d", len(last), len(stored.Certificates))
	}
	ends := good.NotBefore.Add(1095*day).AddDate(2, 0, 0)
	if at := stored.ExpiresAt(); at.Before(ends.Add(-time.Second)) {
		t.Errorf("the request is kept until %s, and a certificate ends two years before %s", at, ends)
	}
	kinds := map[proofing.EntryKind]int{}
	for place := int64(0); ; place++ {
		e, _, err := c.LogEntry(t.Context(), place)
		if err != nil {
			break
		}
		leaf := must[proofing.Leaf](t)(e.Said())
		if leaf.Of == proofing.SubjectCertificate {
			kinds[leaf.Kind]++
			if strings.Contains(e.Leaf, orgName) || strings.Contains(e.Leaf, "ca.example") || !strings.Contains(string(e.Private), orgName) {
				t.Errorf("words are where they do not belong: %s, %s", e.Leaf, e.Private)
			}
		}
	}
	if kinds[proofing.EntryIssued] != 1 || kinds[proofing.EntryRenewed] != 6 {
		t.Errorf("the log has %v", kinds)
	}
}

func TestCertificatesAreFoundByAllTheirNames(t *testing.T) {
	w := newWorld(t)
	k := w.prove(w.open("email"), "b", "email", "")
	c := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 0x0a1b, w.clock(), time.Hour), Cases: []string{k.ID}}))
	var raw proofing.Octets
	if err := raw.UnmarshalText([]byte(c.Digest)); err != nil {
		t.Fatal(err)
	}
	sha := hex.EncodeToString(raw)
	for _, name := range []string{c.Digest, sha, strings.ToUpper(sha), "a1b", "0A1B", "0a:1b"} {
		if found := must[[]*proofing.Certificate](t)(w.CertificatesNamed(t.Context(), name)); len(found) != 1 || found[0].ID != c.ID {
			t.Errorf("%s: %d", name, len(found))
		}
	}
	for _, name := range []string{"", "0", "a1", "a1b0", "-a1b", "+a1b", "a_1b", "zz", sha[2:], strings.Repeat("0", 64)} {
		if found := must[[]*proofing.Certificate](t)(w.CertificatesNamed(t.Context(), name)); len(found) != 0 {
			t.Errorf("%q: %d", name, len(found))
		}
	}
}

func TestTheProcessMayDieWhileACertificateIsRecorded(t *testing.T) {
	w := newWorld(t)
	k := w.prove(w.open("email"), "b", "email", "")
	r := proofing.CertificateReport{DER: issued(t, "X", 1, w.clock(), time.Hour), Cases: []string{k.ID}}
	dies := &dying[proofing.Certificate]{Table: w.Certificates}
	w.Certificates = dies
	if _, err := w.CertificateIssued(t.Context(), w.ca, r); err == nil {
		t.Fatal("nothing failed")
	}
	w.Certificates = dies.Table
	c := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, r))
	if k = w.reload(k); c.Renewal || len(k.Certificates) != 1 || k.Certificates[0] != c.ID {
		t.Errorf("said again: renewal %v, the case knows %v", c.Renewal, k.Certificates)
	}
}

// dying is a table that stores nothing new.
type dying[T any] struct{ proofing.Table[T] }

func (d *dying[T]) Create(_ context.Context, _ string, _ *T) error { return proofing.ErrUnavailable }

// A certificate that is issued although the authorization authorizes nothing is recorded with a warning, whatever it is that the authority was told, or would have
// been (CSBR 4.2.1).
func TestACertificateThatIsIssuedWhileTheGrantAuthorizesNothingSaysSo(t *testing.T) {
	for name, x := range map[string]struct {
		do   func(c *court, k *proofing.Case)
		says string
	}{
		"the dossier has aged": {func(c *court, _ *proofing.Case) { c.pass(31 * someDay) }, "denied_list aged"},
		"the dossier is bad": {func(c *court, _ *proofing.Case) {
			c.item(screening(proofing.OutcomeBad))
			c.reviewsAgain()
		}, "denied_list bad"},
		"an approver's passkey is taken away": {func(c *court, _ *proofing.Case) { c.loses(c.approver) }, "authenticator_removed"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			k := c.granted()
			if got := c.certificate(k, 1); len(got.Findings) != 0 {
				t.Fatalf("before: %v", got.Findings)
			}
			x.do(c, k)
			got := c.certificate(k, 2)
			if !slices.Equal(codesOf(got), []string{proofing.FindingNotValid}) || !strings.Contains(got.Findings[0].Detail, x.says) {
				t.Errorf("%v, want %s", got.Findings, x.says)
			}
			if now := c.reload(k); now.Status != proofing.CaseGranted { // a report draws no conclusion
				t.Errorf("the case is %s", now.Status)
			}
		})
	}
	t.Run("the key that bound the account is revoked", func(t *testing.T) {
		c := newCourt(t)
		first, key := c.boundByKey()
		ask := proofing.AuthorizeRequest{
			Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}, Identifiers: []proofing.Identifier{first.Identifier}, Profile: first.Profile,
		}
		c.logged()
		_, err := c.Authorize(t.Context(), c.ca, ask)
		wantErr(t, "before it is in the log", err, proofing.ErrUnavailable)
		c.logged()
		k := must[proofing.Verdict](t)(c.Authorize(t.Context(), c.ca, ask)).Authorizations[0].Case
		if got := c.certificate(k, 1); len(got.Findings) != 0 {
			t.Fatalf("before: %v", got.Findings)
		}
		if err := edit(c.Keys, key.ID, func(k *proofing.Key) { k.Revoked = c.clock() }); err != nil {
			t.Fatal(err)
		}
		if got := c.certificate(k, 2); !slices.Equal(codesOf(got), []string{proofing.FindingNotValid}) {
			t.Errorf("%v", got.Findings)
		}
	})
}
