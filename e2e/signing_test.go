package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	cdpauthn "github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/countersign-id/countersign/templates"
	"github.com/countersign-id/countersign/webauthn"
)

// signingDesk is the least that has people sign: our relying party, our pages and our script, and a key that it remembers.
type signingDesk struct {
	t      testing.TB
	rp     *webauthn.RelyingParty
	origin string
	lang   string

	mu       sync.Mutex
	state    []byte
	key      *webauthn.Credential
	document []byte
	signed   []webauthn.Signature
}

const enrolment = "an enrolment"

func newSigningDesk(t testing.TB, lang string) *signingDesk {
	t.Helper()
	d := &signingDesk{t: t, lang: lang}
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServer(http.Dir("../web/static"))))
	mux.HandleFunc("GET /enrol", d.enrol)
	mux.HandleFunc("POST /enrol", d.enrolled)
	mux.HandleFunc("GET /sign", d.sign)
	mux.HandleFunc("POST /sign", d.took)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	d.origin = "http://localhost:" + port
	if d.rp, err = webauthn.New(webauthn.Config{ID: "localhost", Name: "Desk", Origins: []string{d.origin}}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *signingDesk) page(w http.ResponseWriter, s templates.Screen) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	if err := templates.Page(w, d.lang, s); err != nil {
		d.t.Error(err)
	}
}

func (d *signingDesk) frame() templates.Frame {
	return templates.Frame{Operator: "Desk", Self: "/sign", Home: "/sign"}
}

func (d *signingDesk) enrol(w http.ResponseWriter, _ *http.Request) {
	nonce := make([]byte, webauthn.NonceSize)
	rand.Read(nonce)
	options, state, err := d.rp.BeginRegistration(webauthn.NewRegistration{User: []byte("user-handle-0001"), Name: "me", DisplayName: "Me", Nonce: nonce, Binding: []byte(enrolment)})
	if err != nil {
		d.t.Error(err)
		return
	}
	d.mu.Lock()
	d.state = state
	d.mu.Unlock()
	use := &templates.Use{Attempt: "attempt", Kind: "create", Ask: string(options), Expires: time.Now().Add(5 * time.Minute)}
	d.page(w, templates.SignIn{Frame: d.frame(), Panel: &templates.Panel{Method: "fido", Answer: "/enrol", Begin: "/enrol", Use: use}})
}

func (d *signingDesk) enrolled(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	made, err := d.rp.FinishRegistration(d.state, webauthn.RegistrationAnswer{Binding: []byte(enrolment), Response: []byte(r.FormValue("response"))})
	if err != nil {
		d.t.Error(err)
		return
	}
	d.key = &made.Credential
	http.Redirect(w, r, "/sign", http.StatusSeeOther)
}

const signedText = "Beispiel GmbH, HRB 1234, Charlottenburg\nsoll ein Zertifikat zum Signieren bekommen.\nEntscheidung: Zustimmung"

func (d *signingDesk) sign(w http.ResponseWriter, _ *http.Request) {
	nonce := make([]byte, webauthn.NonceSize)
	rand.Read(nonce)
	document, err := json.Marshal(map[string]any{"nonce": nonce, "shown": signedText})
	if err != nil {
		d.t.Error(err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	options, state, err := d.rp.BeginSignature(webauthn.NewSignature{Credential: *d.key, Document: document})
	if err != nil {
		d.t.Error(err)
		return
	}
	d.state, d.document = state, document
	d.page(w, templates.Sign{Frame: d.frame(), Back: "/sign", Panel: templates.SignPanel{
		Action: "/sign", Fields: []templates.Field{{Name: "step", Value: "approve"}}, Ask: string(options), Text: signedText, Language: "de",
		Decision: "approve", Button: "approve", Passkey: "…k3y", Until: time.Now().Add(5 * time.Minute),
	}})
}

func (d *signingDesk) took(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	signed, err := d.rp.FinishSignature(d.state, webauthn.SignatureAnswer{Document: d.document, Credential: *d.key, Response: []byte(r.FormValue("response"))})
	if err != nil || r.FormValue("step") != "approve" {
		d.t.Errorf("step %q: %v", r.FormValue("step"), err)
		return
	}
	d.signed = append(d.signed, signed)
	d.page(w, templates.Fault{Frame: d.frame(), Code: "not_found"}) // any page that is not the one before
}

func (d *signingDesk) taken() []webauthn.Signature {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.signed
}

// TestADecisionIsSignedInABrowser has Chromium sign the text that a page shows: by a press of the button and not before, with the user
// verified, and so that somebody without the server is convinced.
func TestADecisionIsSignedInABrowser(t *testing.T) {
	for _, s := range []screen{
		{name: "desktop", width: 1280, height: 900, lang: "en"},
		{name: "phone-dark-fr", width: 390, height: 844, phone: true, dark: true, lang: "fr"},
	} {
		t.Run(s.name, func(t *testing.T) {
			d := newSigningDesk(t, s.lang)
			ctx := tab(t, s)
			authenticator := passkeys(t, ctx)
			verified := func(yes bool) chromedp.Action {
				return chromedp.ActionFunc(func(ctx context.Context) error { return cdpauthn.SetUserVerified(authenticator, yes).Do(ctx) })
			}
			run(t, ctx, chromedp.Navigate(d.origin+"/enrol"), chromedp.WaitVisible(`form[data-kind="create"] button`, chromedp.ByQuery),
				chromedp.Click(`form[data-kind="create"] button`, chromedp.ByQuery), chromedp.WaitVisible(`form[data-sign] button`, chromedp.ByQuery))
			look(t, ctx, "signing-"+s.name+"-1-asked")
			var shown, lang string
			run(t, ctx, chromedp.Evaluate(`document.querySelector(".signed pre").textContent`, &shown), chromedp.Evaluate(`document.querySelector(".signed").lang`, &lang))
			if shown != signedText || lang != "de" {
				t.Errorf("the page shows %q in %s", shown, lang)
			}
			// A page that is opened with the fragment by which sign-ins begin at once signs nothing by itself.
			run(t, ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(d.origin+"/sign#ask"), chromedp.WaitVisible(`form[data-sign] button`, chromedp.ByQuery), chromedp.Sleep(500*time.Millisecond))
			if n := len(d.taken()); n != 0 {
				t.Fatalf("%d decisions were signed by nobody", n)
			}
			run(t, ctx, verified(false), chromedp.Click(`form[data-sign] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-ask-error]`, chromedp.ByQuery))
			look(t, ctx, "signing-"+s.name+"-2-refused")
			if n := len(d.taken()); n != 0 {
				t.Fatalf("%d decisions were signed by somebody who did not unlock the passkey", n)
			}
			run(t, ctx, verified(true), chromedp.Click(`form[data-sign] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="fault"]`, chromedp.ByQuery))
			got := d.taken()
			if len(got) != 1 || !got[0].Facts.UV {
				t.Fatalf("signed: %+v", got)
			}
			if err := webauthn.VerifySignature(got[0].Record, d.document); err != nil {
				t.Error(err)
			}
			if other := bytes.Replace(d.document, []byte("Zustimmung"), []byte("Ablehnung!"), 1); webauthn.VerifySignature(got[0].Record, other) == nil {
				t.Error("the signature is of another text too")
			}
		})
	}
	t.Run("without script", func(t *testing.T) {
		d := newSigningDesk(t, "en")
		d.key = &webauthn.Credential{ID: []byte("key"), RPID: "localhost", User: []byte("user-handle-0001")}
		ctx := tab(t, screen{name: "no-script", width: 1280, height: 900, lang: "en", noScript: true})
		run(t, ctx, chromedp.Navigate(d.origin+"/sign"), chromedp.WaitVisible("main"))
		look(t, ctx, "signing-no-script")
		if said := text(t, ctx); !strings.Contains(said, "Signing needs JavaScript") || !strings.Contains(said, "Beispiel GmbH") || strings.Contains(said, "Sign and approve") {
			t.Errorf("without script the page says:\n%s", said)
		}
	})
}
