package acme_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// An authorization that names a CSR is decided about with it, and nobody could decide about one that is too long to be signed.
func TestAnAuthorizationForACSRThatNobodyWouldReadIsRefused(t *testing.T) {
	w := newWorld(t)
	open := func(place string) string {
		der := sign(t, &x509.CertificateRequest{Subject: pkix.Name{Locality: []string{place}}}, ecKey(t, elliptic.P256()))
		return `{"account":{"url":"https://ca.example/acct/1","thumbprint":"` + thumbprint + `"},"identifier":{"type":"dns","value":"example.com"},"profile":"device","csr":"` + base64.RawURLEncoding.EncodeToString(der) + `"}`
	}
	p := w.want(t, http.StatusBadRequest, "POST", caPath, open(strings.Repeat("x", 999)))
	if p.text("type") != "urn:ietf:params:acme:error:badCSR" || !strings.Contains(p.text("detail"), "1000 characters") {
		t.Errorf("%v", p)
	}
	w.want(t, http.StatusCreated, "POST", caPath, open(strings.Repeat("x", 998)))
}
