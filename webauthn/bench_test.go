package webauthn_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// BenchmarkAssertion is the whole of FinishAssertion, with a trusted attestation that is
// judged anew, beside what the library alone takes to parse and verify the same answer.
// They take turns, so that both see the same machine. It fails above 1.3 times.
func BenchmarkAssertion(b *testing.B) {
	const most = 1.3
	for name, algorithm := range map[string]int64{"ES256": webauthntest.ES256, "EdDSA": webauthntest.EdDSA, "RS256": webauthntest.RS256} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			w.publish(1, webauthntest.Model{AAGUID: model})
			a := w.attested()
			a.Algorithm = algorithm
			c := w.register(a)
			r := assertion(c)
			options, state, err := w.rp.BeginAssertion(r)
			if err != nil {
				b.Fatal(err)
			}
			response, err := a.Get(options, origin)
			if err != nil {
				b.Fatal(err)
			}
			challenge := challengeOf(b, r)
			ours := func() error {
				_, err := w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Binding: r.Binding, Credential: c, Response: response})
				return err
			}
			alone := func() error {
				parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
				if err != nil {
					return err
				}
				return parsed.Verify(challenge, "example.org", "", []string{origin}, nil, nil, protocol.TopOriginExplicitVerificationMode, false, true, true, c.PublicKey, protocol.SignaturePolicy{})
			}
			timed := func(f func() error) time.Duration {
				start := time.Now()
				for range 50 {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
				return time.Since(start) / 50
			}
			least, leastAlone := time.Hour, time.Hour
			rounds := 0
			for b.Loop() {
				// The fastest of many turns is what the code takes; the rest is the machine.
				least, leastAlone = min(least, timed(ours)), min(leastAlone, timed(alone))
				rounds++
			}
			b.ReportMetric(0, "ns/op") // of both together, and of no use
			b.ReportMetric(float64(least.Nanoseconds())/1e3, "µs/assertion")
			b.ReportMetric(float64(leastAlone.Nanoseconds())/1e3, "µs/library")
			ratio := float64(least) / float64(leastAlone)
			b.ReportMetric(ratio, "times")
			if rounds >= 20 && ratio > most {
				b.Errorf("%.2f times what the library takes, more than %.1f", ratio, most)
			}
		})
	}
}

func challengeOf(b *testing.B, r webauthn.NewAssertion) string {
	b.Helper()
	return base64.RawURLEncoding.EncodeToString(webauthn.Challenge(webauthn.Assert, "example.org", r.Nonce, r.Binding))
}

// BenchmarkRegistration is the whole of FinishRegistration.
func BenchmarkRegistration(b *testing.B) {
	for _, attestation := range []string{webauthntest.None, webauthntest.Self, webauthntest.Packed} {
		b.Run(attestation, func(b *testing.B) {
			w := newWorld(b)
			w.publish(1, webauthntest.Model{AAGUID: model})
			a := w.attested()
			a.Attestation = attestation
			r := registration()
			options, state, err := w.rp.BeginRegistration(r)
			if err != nil {
				b.Fatal(err)
			}
			response, err := a.Create(options, origin)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := w.rp.FinishRegistration(state, webauthn.RegistrationAnswer{Binding: r.Binding, Response: response}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
