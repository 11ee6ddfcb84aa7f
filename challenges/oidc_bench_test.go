package challenges

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/countersign-id/countersign/challenges/oidctest"
)

// BenchmarkIDToken is all that is checked of an ID token, beside what go-oidc does by itself with the claims read
// into a struct: the two take turns and the medians are compared, so that whatever else the machine does slows both. The aim is a ratio of
// at most 1.3.
func BenchmarkIDToken(b *testing.B) {
	for _, algorithm := range []string{"ES256", "RS256"} {
		b.Run(algorithm, func(b *testing.B) {
			w := newIDP(b)
			w.Rotate(oidctest.NewKey("one", algorithm))
			claims := w.Claims(w.Accounts[0])
			claims["nonce"], claims["acr"], claims["auth_time"] = "n", "urn:high", w.clock().Unix()
			token, p := w.Token(claims), w.method.providers["work"]
			hourOld := time.Hour
			want := expectation{audience: "countersign", nonce: "n", maxAge: &hourOld, issuedWithin: time.Hour}
			library := oidc.NewVerifier(w.Issuer, oidc.NewRemoteKeySet(context.Background(), w.Issuer+"/jwks"),
				&oidc.Config{ClientID: "countersign", SupportedSigningAlgs: []string{algorithm}, Now: w.clock})
			var ours, theirs []time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := p.verify(b.Context(), token, want); err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				if err := byLibrary(b.Context(), library, token); err != nil {
					b.Fatal(err)
				}
				ours, theirs = append(ours, between.Sub(began)), append(theirs, time.Since(between))
			}
			slices.Sort(ours)
			slices.Sort(theirs)
			a, l := ours[len(ours)/2], theirs[len(theirs)/2]
			b.ReportMetric(float64(a.Nanoseconds()), "ours-ns")
			b.ReportMetric(float64(l.Nanoseconds()), "library-ns")
			b.ReportMetric(float64(a)/float64(l), "ratio")
		})
	}
}

func byLibrary(ctx context.Context, v *oidc.IDTokenVerifier, token string) error {
	verified, err := v.Verify(ctx, token)
	if err != nil {
		return err
	}
	var claims struct {
		ACR      string   `json:"acr"`
		AMR      []string `json:"amr"`
		AuthTime int64    `json:"auth_time"`
		AZP      string   `json:"azp"`
	}
	return verified.Claims(&claims)
}
