package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	cdpwebauthn "github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/countersign-id/countersign/webauthn"
)

// passkeyPage is only there to have an origin.
const passkeyPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Passkey</title><link rel="icon" href="data:,"><main>Passkey</main></html>`

// ceremonyInBrowser hands options to Chromium, and returns its answer as JSON.
func ceremonyInBrowser(t *testing.T, ctx context.Context, call string, options json.RawMessage) ([]byte, error) {
	t.Helper()
	parse := map[string]string{"create": "parseCreationOptionsFromJSON", "get": "parseRequestOptionsFromJSON"}[call]
	script := fmt.Sprintf(`navigator.credentials.%s({publicKey: PublicKeyCredential.%s(%s)}).then(c => JSON.stringify(c.toJSON()), e => 'error: ' + e)`, call, parse, options)
	var answer string
	run(t, ctx, chromedp.Evaluate(script, &answer, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if strings.HasPrefix(answer, "error: ") {
		return nil, errors.New(answer)
	}
	return []byte(answer), nil
}

// TestChromiumsPasskeys has the browser's own authenticators register and sign, with what
// the browser makes of our options.
func TestChromiumsPasskeys(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, passkeyPage)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	rp, err := webauthn.New(webauthn.Config{ID: "localhost", Name: "Test", Origins: []string{origin}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := tab(t, screen{name: "desktop", width: 1280, height: 800, lang: "en"})
	run(t, ctx, chromedp.Navigate(origin), chromedp.WaitVisible("main"), chromedp.ActionFunc(func(ctx context.Context) error { return cdpwebauthn.Enable().Do(ctx) }))

	usb, internal := cdpwebauthn.AuthenticatorTransportUsb, cdpwebauthn.AuthenticatorTransportInternal
	for _, c := range []struct {
		name         string
		options      cdpwebauthn.VirtualAuthenticatorOptions
		verification webauthn.UserVerification
		uv, be, bs   bool
		discoverable bool
	}{
		{"a platform's passkey", cdpwebauthn.VirtualAuthenticatorOptions{Transport: internal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true}, webauthn.Required, true, false, false, true},
		{"a passkey that is backed up", cdpwebauthn.VirtualAuthenticatorOptions{Transport: internal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, DefaultBackupEligibility: true, DefaultBackupState: true}, webauthn.Required, true, true, true, true},
		{"a security key with a PIN, and no room for passkeys", cdpwebauthn.VirtualAuthenticatorOptions{Transport: usb, HasUserVerification: true, IsUserVerified: true}, webauthn.Required, true, false, false, false},
		{"a security key without a PIN", cdpwebauthn.VirtualAuthenticatorOptions{Transport: usb}, webauthn.Preferred, false, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Protocol, c.options.Ctap2version, c.options.AutomaticPresenceSimulation = cdpwebauthn.AuthenticatorProtocolCtap2, cdpwebauthn.Ctap2versionCtap21, true
			var id cdpwebauthn.AuthenticatorID
			run(t, ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
				id, err = cdpwebauthn.AddVirtualAuthenticator(&c.options).Do(ctx)
				return err
			}))
			defer run(t, ctx, chromedp.ActionFunc(func(ctx context.Context) error { return cdpwebauthn.RemoveVirtualAuthenticator(id).Do(ctx) }))
			nonce := func() []byte {
				b := make([]byte, webauthn.NonceSize)
				rand.Read(b)
				return b
			}
			for _, policy := range []string{webauthn.AnyAuthenticator, webauthn.Trusted} {
				options, state, err := rp.BeginRegistration(webauthn.NewRegistration{
					User: nonce(), Name: "me", DisplayName: "Me", Nonce: nonce(), UserVerification: c.verification, Policy: webauthn.Policy{Attestation: policy},
				})
				if err != nil {
					t.Fatal(err)
				}
				answer, err := ceremonyInBrowser(t, ctx, "create", options)
				if err != nil {
					t.Fatal(err)
				}
				made, err := rp.FinishRegistration(state, webauthn.RegistrationAnswer{Response: answer})
				if policy == webauthn.Trusted {
					// Chromium attests it, with a certificate that leads nowhere.
					if !errors.Is(err, webauthn.ErrPolicy) || !strings.Contains(err.Error(), "(basic)") {
						t.Errorf("policy %s: %v", policy, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				k := made.Credential
				if k.UV != c.uv || k.BE != c.be || k.BS != c.bs || k.Discoverable == nil || *k.Discoverable != c.discoverable || len(k.Transports) == 0 {
					t.Errorf("record %+v", k)
				}
				options, state, err = rp.BeginAssertion(webauthn.NewAssertion{User: k.User, Allow: []webauthn.Credential{k}, Nonce: nonce(), Binding: []byte("case"), UserVerification: c.verification})
				if err != nil {
					t.Fatal(err)
				}
				if answer, err = ceremonyInBrowser(t, ctx, "get", options); err != nil {
					t.Fatal(err)
				}
				named, _, err := webauthn.ReadAssertion(answer)
				if err != nil || base64.RawURLEncoding.EncodeToString(named) != base64.RawURLEncoding.EncodeToString(k.ID) {
					t.Errorf("names %x, not %x: %v", named, k.ID, err)
				}
				signed, err := rp.FinishAssertion(state, webauthn.AssertionAnswer{Binding: []byte("case"), Credential: k, Response: answer})
				if err != nil {
					t.Fatal(err)
				}
				if f := signed.Facts; !f.UP || f.UV != c.uv || f.BE != c.be || f.BS != c.bs || f.SignCountRegressed || signed.Credential.SignCount <= k.SignCount {
					t.Errorf("facts %+v, count %d after %d", f, signed.Credential.SignCount, k.SignCount)
				}
			}
		})
	}
}
