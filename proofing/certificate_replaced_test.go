package proofing_test

import (
	"crypto/x509"
	"encoding/base64"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// An account has a certificate for each of its machines: that one of them was renewed is no reason to say nothing of the others.
func TestPeopleAreRemindedOfACertificateThatNoOtherHasReplaced(t *testing.T) {
	type history struct {
		w      *world
		k      *proofing.Case
		c      *proofing.Certificate
		serial int64
	}
	issue := func(h *history, org, replaces string) {
		h.serial++
		must[*proofing.Certificate](t)(h.w.CertificateIssued(t.Context(), h.w.ca, proofing.CertificateReport{DER: issued(t, org, 100+h.serial, h.w.clock(), 90*someDay), Cases: []string{h.k.ID}, Replaces: replaces}))
	}
	late := func(org string, name func(c *proofing.Certificate) string) func(h *history) {
		return func(h *history) {
			h.w.pass(50 * someDay)
			issue(h, org, name(h.c))
		}
	}
	unnamed := func(*proofing.Certificate) string { return "" }
	for name, x := range map[string]struct {
		comes func(h *history)
		want  int
	}{
		"nothing":                          {func(*history) {}, 1},
		"another of the same subject":      {late("X", unnamed), 0},
		"one of another subject":           {late("Another", unnamed), 1},
		"one that replaces another":        {late("X", func(*proofing.Certificate) string { return "0a" }), 1},
		"one that names its serial number": {late("Another", func(c *proofing.Certificate) string { return c.Serial }), 0},
		"one that names its digest":        {late("Another", func(c *proofing.Certificate) string { return c.Digest }), 0},
		"one that names it by our id":      {late("Another", func(c *proofing.Certificate) string { return c.ID }), 0},
		"one that names it as RFC 9773 has": {late("Another", func(c *proofing.Certificate) string {
			raw := must[*x509.Certificate](t)(x509.ParseCertificate(c.DER))
			return base64.RawURLEncoding.EncodeToString(raw.AuthorityKeyId) + "." + base64.RawURLEncoding.EncodeToString(raw.SerialNumber.Bytes())
		}), 0},
		"one for a second machine, at first": {func(h *history) { h.w.pass(someDay); issue(h, "X", "") }, 2},
		"one of two machines' anew": {func(h *history) {
			issue(h, "X", "")
			h.w.pass(50 * someDay)
			issue(h, "X", "")
		}, 2},
		"both machines' anew": {func(h *history) {
			issue(h, "X", "")
			h.w.pass(50 * someDay)
			issue(h, "X", "")
			issue(h, "X", "")
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{w: newWorld(t)}
			h.k, h.c = h.w.certified(90 * someDay)
			x.comes(h)
			h.w.pass(h.c.NotAfter.Sub(h.w.clock()) - 5*someDay/2)
			h.w.work()
			h.w.work()
			if n := len(h.w.post.all("certificate_ends")); n != x.want {
				t.Errorf("%d reminders, want %d", n, x.want)
			}
		})
	}
}
