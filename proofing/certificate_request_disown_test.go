package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Whoever says that a request was not theirs says it of the certificates that rest on it, whatever has become of the request since (CSBR 4.9.1.1(2)).
func TestThisWasNotMeStartsTheClockOfTheCertificatesOfTheRequest(t *testing.T) {
	for name, before := range map[string]func(c *court, k *proofing.Case){
		"while it stands": func(*court, *proofing.Case) {},
		"once it is frozen for the sake of another certificate": func(c *court, k *proofing.Case) {
			other := c.certificate(k, 3)
			must[*proofing.Certificate](c.t)(c.DisownCertificate(c.t.Context(), proofing.Secret(other.ID+"."+other.Links[0].Secret.Reveal())))
		},
		"once it is over": func(c *court, k *proofing.Case) { must[*proofing.Case](c.t)(c.Revoke(c.t.Context(), k.ID, "operator")) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			k := c.granted()
			first, second := c.certificate(k, 1), c.certificate(k, 2)
			must[*proofing.Certificate](t)(c.CertificateRevoked(t.Context(), c.ca, second.ID))
			before(c, k)
			for range 2 { // it may be pressed again
				must[*proofing.Case](t)(c.Disown(t.Context(), proofing.Secret(k.ID+"."+k.Disown.Reveal())))
			}
			c.work()
			got := must[*proofing.Certificate](t)(c.Certificates.Get(t.Context(), first.ID))
			if got.Disowned == nil || !got.Disowned.RevokeBy.Equal(got.Disowned.At.Add(24*time.Hour)) || got.Disowned.Spread.IsZero() {
				t.Fatalf("the clock: %+v", got.Disowned)
			}
			if n := got.Journal.Written; n != 2 {
				t.Errorf("its journal has %d entries", n)
			}
			if must[*proofing.Certificate](t)(c.Certificates.Get(t.Context(), second.ID)).Disowned != nil {
				t.Error("the clock of one that was revoked runs")
			}
		})
	}
}

// "This was not us" about one certificate freezes the account, and says nothing of its other certificates.
func TestThisWasNotUsIsAboutOneCertificate(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	first, second := c.certificate(k, 1), c.certificate(k, 2)
	if len(first.Links) == 0 {
		t.Fatal("nobody was told")
	}
	must[*proofing.Certificate](t)(c.DisownCertificate(t.Context(), proofing.Secret(first.ID+"."+first.Links[0].Secret.Reveal())))
	c.work()
	if c.reload(k).Frozen == nil {
		t.Error("the request is not frozen")
	}
	if must[*proofing.Certificate](t)(c.Certificates.Get(t.Context(), second.ID)).Disowned != nil {
		t.Error("the other certificate's clock runs")
	}
}
