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

// What was proved once serves several requests of an account, and so does the word that it was not them: also for what is over, and for what is reported afterwards.
func TestThisWasNotMeReachesTheCertificatesOfAllThatTheSameProofServed(t *testing.T) {
	type requests struct{ said, other *proofing.Case }
	setUp := func(t *testing.T) (*world, requests) {
		w := newWorld(t)
		var r requests
		for i, name := range []string{"a.example.org", "b.example.org"} {
			id := proofing.Identifier{Type: "dns", Value: name}
			must[*proofing.RegistryEntry](t)(w.Register(t.Context(), "alpha", id, "", proofing.Holder{Channel: "email", Address: "admin@example.org"}))
			ask := request("device")
			ask.Identifier = id
			c, _, err := w.Open(t.Context(), w.ca, ask)
			if err != nil {
				t.Fatal(err)
			}
			*[]**proofing.Case{&r.said, &r.other}[i] = c
		}
		w.prove(r.said, "b", "email", "admin@example.org")
		w.work()
		if r.said, r.other = w.reload(r.said), w.reload(r.other); r.said.Status != proofing.CaseGranted || r.other.Status != proofing.CaseGranted {
			t.Fatalf("%s and %s", r.said.Status, r.other.Status)
		}
		return w, r
	}
	report := func(w *world, k *proofing.Case) *proofing.Certificate {
		w.t.Helper()
		return must[*proofing.Certificate](w.t)(w.CertificateIssued(w.t.Context(), w.ca, proofing.CertificateReport{DER: issued(w.t, "X", 1, w.clock(), 90*someDay), Cases: []string{k.ID}}))
	}
	says := func(w *world, k *proofing.Case) {
		w.t.Helper()
		must[*proofing.Case](w.t)(w.Disown(w.t.Context(), proofing.Secret(k.ID+"."+k.Disown.Reveal())))
		w.work()
	}
	for name, x := range map[string]struct {
		do   func(w *world, r requests) *proofing.Certificate
		runs bool
	}{
		"of another request": {func(w *world, r requests) *proofing.Certificate {
			cert := report(w, r.other)
			says(w, r.said)
			return cert
		}, true},
		"of another request that is over": {func(w *world, r requests) *proofing.Certificate {
			cert := report(w, r.other)
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.other.ID))
			says(w, r.said)
			return cert
		}, true},
		"by the link of one that is over": {func(w *world, r requests) *proofing.Certificate {
			cert := report(w, r.other)
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.said.ID))
			says(w, r.said)
			if w.reload(r.other).Frozen == nil {
				w.t.Error("the other request is not frozen")
			}
			return cert
		}, true},
		"reported afterwards": {func(w *world, r requests) *proofing.Certificate {
			says(w, r.said)
			return report(w, r.said)
		}, true},
		"reported afterwards, of another request": {func(w *world, r requests) *proofing.Certificate {
			says(w, r.said)
			return report(w, r.other)
		}, true},
		"reported after the request was given back": {func(w *world, r requests) *proofing.Certificate {
			says(w, r.said)
			must[*proofing.Case](w.t)(w.Restore(w.t.Context(), r.said.ID))
			return report(w, r.said)
		}, false},
		"of a request that has nothing to do with it": {func(w *world, r requests) *proofing.Certificate {
			w.pass(time.Hour)
			ask := request("email")
			c, _, err := w.Open(w.t.Context(), w.ca, ask)
			if err != nil {
				w.t.Fatal(err)
			}
			c = w.prove(c, "b", "email", "")
			cert := report(w, c)
			says(w, r.said)
			return cert
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := setUp(t)
			cert := x.do(w, r)
			w.work()
			got := must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID))
			if (got.Disowned != nil) != x.runs {
				t.Errorf("the clock: %+v", got.Disowned)
			}
		})
	}
}
