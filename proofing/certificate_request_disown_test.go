package proofing_test

import (
	"slices"
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

// requests are two of an account that the same proof served: by the link of one somebody says that it was not them.
type requests struct{ said, other *proofing.Case }

func sharing(t *testing.T) (*world, requests) {
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

func (w *world) reports(k *proofing.Case) *proofing.Certificate {
	w.t.Helper()
	return must[*proofing.Certificate](w.t)(w.CertificateIssued(w.t.Context(), w.ca, proofing.CertificateReport{DER: issued(w.t, "X", 1, w.clock(), 90*someDay), Cases: []string{k.ID}}))
}

// says is "this was not me" about a request, of which nothing has followed yet.
func (w *world) says(k *proofing.Case) {
	w.t.Helper()
	must[*proofing.Case](w.t)(w.Disown(w.t.Context(), proofing.Secret(k.ID+"."+k.Disown.Reveal())))
}

// What was proved once serves several requests of an account, and so does the word that it was not them: also for what is over, and for what is reported afterwards.
func TestThisWasNotMeReachesTheCertificatesOfAllThatTheSameProofServed(t *testing.T) {
	for name, x := range map[string]struct {
		do   func(w *world, r requests) *proofing.Certificate
		runs bool
	}{
		"of another request": {func(w *world, r requests) *proofing.Certificate {
			cert := w.reports(r.other)
			w.says(r.said)
			w.work()
			return cert
		}, true},
		"of another request that is over": {func(w *world, r requests) *proofing.Certificate {
			cert := w.reports(r.other)
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.other.ID))
			w.says(r.said)
			w.work()
			return cert
		}, true},
		"by the link of one that is over": {func(w *world, r requests) *proofing.Certificate {
			cert := w.reports(r.other)
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.said.ID))
			w.says(r.said)
			w.work()
			if w.reload(r.other).Frozen == nil {
				w.t.Error("the other request is not frozen")
			}
			return cert
		}, true},
		"reported afterwards": {func(w *world, r requests) *proofing.Certificate {
			w.says(r.said)
			w.work()
			return w.reports(r.said)
		}, true},
		"reported afterwards, of another request": {func(w *world, r requests) *proofing.Certificate {
			w.says(r.said)
			w.work()
			return w.reports(r.other)
		}, true},
		"reported afterwards, of another request that is over": {func(w *world, r requests) *proofing.Certificate {
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.other.ID))
			w.says(r.said)
			w.work()
			return w.reports(r.other)
		}, true},
		"reported afterwards, of another request, and both are over": {func(w *world, r requests) *proofing.Certificate {
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.other.ID))
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.said.ID))
			w.says(r.said)
			w.work()
			return w.reports(r.other)
		}, true},
		"reported after the first was given back, of another request that is over": {func(w *world, r requests) *proofing.Certificate {
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.other.ID))
			w.says(r.said)
			w.work()
			must[*proofing.Case](w.t)(w.Restore(w.t.Context(), r.said.ID))
			return w.reports(r.other)
		}, false},
		"reported after the request was given back": {func(w *world, r requests) *proofing.Certificate {
			w.says(r.said)
			w.work()
			must[*proofing.Case](w.t)(w.Restore(w.t.Context(), r.said.ID))
			return w.reports(r.said)
		}, false},
		"of a request that ends before anything has followed": {func(w *world, r requests) *proofing.Certificate {
			cert := w.reports(r.said)
			w.says(r.said)
			must[*proofing.Case](w.t)(w.Revoke(w.t.Context(), r.said.ID, "operator"))
			return cert
		}, true},
		"of another request, while the first ends before anything has followed": {func(w *world, r requests) *proofing.Certificate {
			cert := w.reports(r.other)
			w.says(r.said)
			must[*proofing.Case](w.t)(w.Deactivate(w.t.Context(), w.ca, r.said.ID))
			w.work()
			if w.reload(r.other).Frozen == nil {
				w.t.Error("the other request is not frozen")
			}
			return cert
		}, true},
		"reported once the certificates were looked through, and before the word has reached the request": {func(w *world, r requests) *proofing.Certificate {
			w.says(r.said)
			must[*proofing.Case](w.t)(w.Cases.Update(w.t.Context(), r.said.ID, func(c *proofing.Case) error {
				c.Outbox.Effects = slices.DeleteFunc(c.Outbox.Effects, func(e proofing.Effect) bool { return e.Kind == proofing.EffectRevoke })
				return nil
			}))
			return w.reports(r.other)
		}, true},
		"of a request that has nothing to do with it": {func(w *world, r requests) *proofing.Certificate {
			w.pass(time.Hour)
			ask := request("email")
			c, _, err := w.Open(w.t.Context(), w.ca, ask)
			if err != nil {
				w.t.Fatal(err)
			}
			c = w.prove(c, "b", "email", "")
			cert := w.reports(c)
			w.says(r.said)
			w.work()
			return cert
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := sharing(t)
			cert := x.do(w, r)
			w.work()
			got := must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID))
			if (got.Disowned != nil) != x.runs {
				t.Errorf("the clock: %+v", got.Disowned)
			}
		})
	}
}

// What was given back stays so, however late the word of before is worked; and who says it once more is heard. Nothing is ever marked and goes on.
func TestWhoSaysItOnceMoreIsHeardOfAllThatTheSameProofServed(t *testing.T) {
	w, r := sharing(t)
	w.says(r.said)
	w.work()
	other := w.reload(r.other)
	if other.Frozen == nil || other.Repudiated.IsZero() {
		t.Fatal("the other request is not frozen, or not marked")
	}
	w.pass(time.Minute)
	must[*proofing.Case](t)(w.Restore(t.Context(), r.other.ID))
	must[*proofing.Case](t)(w.Cases.Update(t.Context(), r.said.ID, func(c *proofing.Case) error { // as if nobody had answered when it was worked
		for _, kind := range []proofing.EffectKind{proofing.EffectDisown, proofing.EffectRevoke} {
			c.Outbox.Effects = append(c.Outbox.Effects, proofing.Effect{ID: string(kind), Kind: kind, Due: w.clock()})
		}
		return nil
	}))
	cert := w.reports(r.other)
	w.work()
	if other = w.reload(r.other); other.Frozen != nil || !other.Repudiated.IsZero() || w.problemOf(other) != "" {
		t.Errorf("the word of before has come back: %+v, marked %s", other.Frozen, other.Repudiated)
	}
	if must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID)).Disowned != nil {
		t.Error("the clock of what was issued since runs")
	}
	w.pass(time.Minute)
	w.says(r.said)
	w.work()
	if other = w.reload(r.other); other.Frozen == nil || other.Repudiated.IsZero() || w.problemOf(other) == "" {
		t.Errorf("said once more: %+v, marked %s, %q", other.Frozen, other.Repudiated, w.problemOf(other))
	}
	if must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID)).Disowned == nil {
		t.Error("said once more: the clock does not run")
	}
}

// One approves beneath an authorization each CSR, and has a link of its own: the word is about that certificate, whatever has become of the rest.
func TestTheApprovalOfACSRThatWasDisownedStartsTheClockOfWhatIsReportedAfterwards(t *testing.T) {
	c := newCourt(t)
	c.demands(1, proofing.ApproveEach)
	k := c.granted()
	v := must[proofing.Verdict](t)(c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
		Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: "csr-1", CSR: &proofing.CSR{Digest: "csr-1", Key: proofing.KeyP256},
	}))
	i := v.Authorizations[0].Case
	must[*proofing.Case](t)(c.decides(c.second, i, proofing.StepApprove, false))
	i = must[*proofing.Case](t)(c.decides(c.reviewer, i, proofing.StepReview, false))
	if i.Status != proofing.CaseGranted {
		t.Fatalf("it is %s", i.Status)
	}
	must[*proofing.Case](t)(c.Deactivate(t.Context(), c.ca, k.ID))
	c.says(c.reload(i))
	c.work()
	cert := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{
		DER: issued(t, orgName, 1, c.clock(), 90*someDay), Cases: []string{k.ID}, CSRDigest: "csr-1",
	}))
	if cert.Disowned == nil {
		t.Error("the clock does not run")
	}
}

// A proof that ended in a key is at work in the accounts that the key binds, and so is the word that it was not them.
func TestThisWasNotMeReachesTheCertificatesOfAccountsThatAKeyOfTheProofBinds(t *testing.T) {
	for name, late := range map[string]bool{"issued before": false, "reported afterwards": true} {
		t.Run(name, func(t *testing.T) {
			w, c := withKeys(t)
			k := w.caseKey(c)
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
			got := w.asks(1, proved)
			if got.Problem != "" {
				t.Fatal(got.Problem)
			}
			var cert *proofing.Certificate
			if !late {
				cert = w.reports(got.Case)
			}
			w.says(c)
			w.work()
			if late {
				cert = w.reports(got.Case)
				w.work()
			}
			if cert = must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID)); cert.Disowned == nil {
				t.Error("the clock does not run")
			}
		})
	}
}
