package acme_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// issue makes a certificate for a key, signed by nobody whom it matters to know.
func (w *world) issue(t testing.TB, key crypto.PublicKey, serial int64, change func(*x509.Certificate)) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: applicant}, NotBefore: w.clock(), NotAfter: w.clock().Add(90 * 24 * time.Hour),
	}
	if change != nil {
		change(template)
	}
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}}, key, ca)
	if err != nil {
		t.Fatal(err)
	}
	return b64(der)
}

func newCertificateKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestACertificateIsReportedByItsAuthorizationsOrByTheAccount(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	key := newCertificateKey(t)
	first := w.issue(t, &key.PublicKey, 0x3a7f, nil)
	body := fmt.Sprintf(`{"certificate":%q,"authorizations":[%q],"order":"https://ca.example/order/9"}`, first, o.text("id"))
	made := w.want(t, 201, "POST", "/v1/certificates", body)
	if made.text("serial") != "3a7f" || made["renewal"] != false || len(made.list("warnings")) != 0 || made["authorizations"].([]any)[0] != o.text("id") {
		t.Fatalf("%v", made)
	}
	if again := w.want(t, 201, "POST", "/v1/certificates", body); again.text("id") != made.text("id") {
		t.Errorf("told again, it is %v", again)
	}
	second := w.issue(t, &key.PublicKey, 0x3a80, nil)
	renewed := w.want(t, 201, "POST", "/v1/certificates", fmt.Sprintf(
		`{"certificate":%q,"account":{"thumbprint":%q},"identifiers":[{"type":"email","value":%q}],"profile":"client"}`, second, thumbprint, applicant))
	if renewed["renewal"] != true || renewed["authorizations"].([]any)[0] != o.text("id") {
		t.Errorf("the second one is %v", renewed)
	}
	// Another authority has neither.
	if r := w.do(t, "POST", "/v1/certificates", w.stranger, body); r.Code != 404 {
		t.Errorf("another authority: %d %s", r.Code, r.Body)
	}
	if r := w.do(t, "POST", "/v1/certificates", "", body); r.Code != 401 {
		t.Errorf("nobody: %d", r.Code)
	}
	other := w.want(t, 201, "POST", "/v1/preauthorizations", request("client", "other@example.org"))
	if p := w.want(t, 403, "POST", "/v1/certificates", fmt.Sprintf(`{"certificate":%q,"authorizations":[%q]}`, w.issue(t, &key.PublicKey, 7, nil), other.text("id"))); p.text("type") != "urn:ietf:params:acme:error:unauthorized" {
		t.Errorf("under what was never granted: %v", p)
	}
	w.prove(t, other.text("case_url"), "other@example.org")
	if p := w.want(t, 409, "POST", "/v1/certificates", fmt.Sprintf(`{"certificate":%q,"authorizations":[%q]}`, first, other.text("id"))); p.text("type") != "urn:countersign:error:certificateReported" {
		t.Errorf("for something else: %v", p)
	}
}

func TestReportsOfCertificatesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	csr, spki, key := makeCSR(t)
	otherCSR, _, _ := makeCSR(t)
	byKey := w.want(t, 201, "POST", "/v1/preauthorizations", fmt.Sprintf(`{"public_key":%q,"csr":%q,"identifier":{"type":"email","value":%q},"profile":"client"}`, spki, csr, applicant))
	w.prove(t, byKey.text("case_url"), applicant)
	cert := w.issue(t, &key.PublicKey, 9, nil)
	foreign := w.issue(t, &newCertificateKey(t).PublicKey, 10, nil)
	for name, c := range map[string]struct {
		status int
		body   string
		typ    string
	}{
		"nothing":                        {400, `{}`, "malformed"},
		"no certificate":                 {400, fmt.Sprintf(`{"authorizations":[%q]}`, o.text("id")), "malformed"},
		"no DER":                         {400, fmt.Sprintf(`{"certificate":"AAAA","authorizations":[%q]}`, o.text("id")), "malformed"},
		"padding":                        {400, fmt.Sprintf(`{"certificate":"%s=","authorizations":[%q]}`, cert, o.text("id")), "malformed"},
		"more behind the DER":            {400, fmt.Sprintf(`{"certificate":"%s","authorizations":[%q]}`, cert+"AAAA", o.text("id")), "malformed"},
		"too large":                      {400, fmt.Sprintf(`{"certificate":"%s","authorizations":[%q]}`, strings.Repeat("A", 40000), o.text("id")), "malformed"},
		"no authorization":               {400, fmt.Sprintf(`{"certificate":%q,"authorizations":[]}`, cert), "malformed"},
		"an authorization that is none":  {404, fmt.Sprintf(`{"certificate":%q,"authorizations":["07k3v9r2m5n8p1q4s6t0w2x5y8z"]}`, cert), "notFound"},
		"both ways at once":              {400, fmt.Sprintf(`{"certificate":%q,"authorizations":[%q],"profile":"client"}`, cert, o.text("id")), "malformed"},
		"an unknown member":              {400, fmt.Sprintf(`{"certificate":%q,"authorizations":[%q],"pem":"x"}`, cert, o.text("id")), "unknownMember"},
		"an order that is no URL":        {400, fmt.Sprintf(`{"certificate":%q,"authorizations":[%q],"order":"9"}`, cert, o.text("id")), "malformed"},
		"another key than the grant's":   {400, fmt.Sprintf(`{"certificate":%q,"authorizations":[%q],"csr":%q}`, foreign, byKey.text("id"), csr), "badPublicKey"},
		"another key than the CSR's":     {400, fmt.Sprintf(`{"certificate":%q,"authorizations":[%q],"csr":%q}`, foreign, o.text("id"), csr), "badPublicKey"},
		"another CSR than the grant's":   {400, fmt.Sprintf(`{"certificate":%q,"authorizations":[%q],"csr":%q}`, cert, byKey.text("id"), otherCSR), "badPublicKey"},
		"of two applicants":              {400, fmt.Sprintf(`{"certificate":%q,"authorizations":[%q,%q]}`, cert, byKey.text("id"), o.text("id")), "malformed"},
		"identifiers without a standing": {404, fmt.Sprintf(`{"certificate":%q,"account":{"thumbprint":%q},"identifiers":[{"type":"email","value":"nobody@example.org"}],"profile":"client"}`, cert, thumbprint), "notFound"},
	} {
		if p := w.want(t, c.status, "POST", "/v1/certificates", c.body); !strings.HasSuffix(p.text("type"), ":"+c.typ) {
			t.Errorf("%s: %v, want %s", name, p, c.typ)
		}
	}
	// Without the CSR nobody can tell, and that is said.
	made := w.want(t, 201, "POST", "/v1/certificates", fmt.Sprintf(`{"certificate":%q,"authorizations":[%q]}`, cert, byKey.text("id")))
	if ws := made.list("warnings"); len(ws) != 1 || ws[0].text("code") != "csr_unchecked" {
		t.Errorf("%v", made)
	}
}

func TestWhatShouldNotHaveBeenIssuedIsRecordedAndSaid(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	w.disown(t, o.text("id"))
	cert := w.issue(t, &newCertificateKey(t).PublicKey, 9, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	made := w.want(t, 201, "POST", "/v1/certificates", fmt.Sprintf(`{"certificate":%q,"authorizations":[%q]}`, cert, o.text("id")))
	var codes []string
	for _, x := range made.list("warnings") {
		codes = append(codes, x.text("code"))
	}
	if got := strings.Join(codes, " "); got != "ca_certificate not_valid" {
		t.Errorf("it says %q", got)
	}
}

func TestManyReportsOfACertificateMakeOneRecord(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	body := fmt.Sprintf(`{"certificate":%q,"authorizations":[%q]}`, w.issue(t, &newCertificateKey(t).PublicKey, 9, nil), o.text("id"))
	var hands sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		hands.Go(func() { ids[i] = decode(t, w.do(t, "POST", "/v1/certificates", w.token, body)).text("id") })
	}
	hands.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Errorf("the records are %q", ids)
		}
	}
	c, err := w.Get(t.Context(), w.ca, o.text("id"))
	if err != nil || len(c.Certificates) != 1 {
		t.Errorf("the case knows %v, %v", c.Certificates, err)
	}
	entries := 0
	for _, e := range c.Journal.Pending {
		if strings.Contains(e.Leaf, `"kind":"certificate_issued"`) {
			entries++
		}
	}
	if entries != 1 {
		t.Errorf("the case says it %d times", entries)
	}
}

func TestARevokedCertificateIsToldAndAForeignOneIsNot(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	made := w.want(t, 201, "POST", "/v1/certificates", fmt.Sprintf(`{"certificate":%q,"authorizations":[%q]}`, w.issue(t, &newCertificateKey(t).PublicKey, 9, nil), o.text("id")))
	c, err := w.Certificates.Get(t.Context(), made.text("id"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.DisownCertificate(t.Context(), proofing.Secret(c.ID+"."+c.Links[0].Secret.Reveal())); err != nil {
		t.Fatal(err)
	}
	if err := w.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := false
	for _, e := range w.want(t, 200, "GET", "/v1/events", "").list("events") {
		told = told || e.text("type") == "preauthorization.certificate_disowned" && e.object("data").text("certificate_sha256") == made.text("certificate_sha256") && e.object("data")["frozen"] == true
	}
	if !told {
		t.Error("the authority has no event of it")
	}
	path := "/v1/certificates/" + made.text("id")
	w.want(t, 400, "POST", path, `{"status":"good"}`)
	w.want(t, 400, "POST", path, `{}`)
	w.want(t, 404, "POST", "/v1/certificates/07k3v9r2m5n8p1q4s6t0w2x5y8z", `{"status":"revoked"}`)
	if r := w.do(t, "POST", path, w.stranger, `{"status":"revoked"}`); r.Code != 404 {
		t.Errorf("another authority: %d", r.Code)
	}
	first := w.want(t, 200, "POST", path, `{"status":"revoked"}`)
	w.pass(time.Hour)
	again := w.want(t, 200, "POST", path, `{"status":"revoked"}`)
	if first.text("revoke_by") == "" || first.text("revoked_at") == "" || first.text("revoked_at") != again.text("revoked_at") {
		t.Errorf("%v, and then %v", first, again)
	}
}
