package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// certificate is one that was issued for a case.
func (h *house) certificate(c *proofing.Case, serial int64, lasts time.Duration) *proofing.Certificate {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{Organization: []string{"Evil <b>"}}, NotBefore: h.at, NotAfter: h.at.Add(lasts),
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}}, &key.PublicKey, key)
	if err != nil {
		h.t.Fatal(err)
	}
	made, err := h.svc.CertificateIssued(h.t.Context(), h.ca, proofing.CertificateReport{DER: der, Cases: []string{c.ID}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.work()
	return made
}

func TestTheLinkOfACertificateAsksAndAPersonsClickDecides(t *testing.T) {
	h := newHouse(t)
	c := h.open("mail", "email", "a@example.org")
	h.browser().prove(c, "email", "a@example.org")
	made := h.certificate(c, 0x3a7f, 90*24*time.Hour)
	m := h.sent.last()
	if m.Kind != "issued" || m.To != "a@example.org" {
		t.Fatalf("the last message is %s", m.Kind)
	}
	b, page := h.browser(), path(m.Disown)
	before := h.stored(c)
	h.want(b.get(page), 200, `data-page="disowncertificate"`, "Is this certificate not yours?", "O=Evil \\&lt;b\\&gt;", "3a7f", "Example CA", "Nobody of us asked")
	h.want(b.post(page), http.StatusUnprocessableEntity, `id="sure-error"`)
	h.want(h.browser().post(page, "sure", "yes"), http.StatusForbidden) // no page was opened there
	if h.stored(c) != before {
		t.Error("opening the page, or pressing its button without the box, has changed something")
	}
	foreign := h.browser()
	foreign.get(page)
	foreign.site = "cross-site"
	h.want(foreign.post(page, "sure", "yes"), http.StatusForbidden)
	h.want(b.post(page, "sure", "yes"), http.StatusSeeOther)
	h.work()
	h.want(b.get(page), 200, "It is frozen", "to be revoked by", "2026-11-24")
	h.want(b.post(page, "sure", "yes"), http.StatusSeeOther) // again
	if got, err := h.svc.Get(t.Context(), h.ca, c.ID); err != nil || got.Frozen == nil {
		t.Errorf("the request is not frozen: %v", err)
	}
	if _, err := h.svc.CertificateRevoked(t.Context(), h.ca, made.ID); err != nil {
		t.Fatal(err)
	}
	h.want(b.get(page), 200, "It is frozen", "The certificate was revoked")
	for _, wrong := range []string{page + "x", "/x/nothing", "/x/" + c.ID + "." + c.Disown.Reveal(), "/x/" + made.ID + ".", strings.Replace(page, "/x/", "/n/", 1)} {
		h.want(b.get(wrong), http.StatusNotFound, "Copy the whole link")
	}
}

func TestTheLinkOfACertificateThatHasEndedSaysSo(t *testing.T) {
	h := newHouse(t)
	c := h.open("mail", "email", "a@example.org")
	h.browser().prove(c, "email", "a@example.org")
	made := h.certificate(c, 1, time.Hour)
	h.at = h.at.Add(2 * time.Hour)
	b := h.browser()
	w := b.get(proofing.CertificatePath + made.ID + "." + made.Links[0].Secret.Reveal())
	h.want(w, 200, "There is nothing left to stop")
	if strings.Contains(w.Body.String(), "<form method=\"post\"") {
		t.Error("it asks all the same")
	}
}
