package webauthn_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

func TestAKeyIsRegisteredAndSignsWithEachAlgorithmAndAttestation(t *testing.T) {
	w := newWorld(t)
	w.publish(1, webauthntest.Model{AAGUID: model})
	for name, algorithm := range map[string]int64{"ES256": webauthntest.ES256, "EdDSA": webauthntest.EdDSA, "RS256": webauthntest.RS256} {
		for attestation, kind := range map[string]string{webauthntest.None: "none", webauthntest.Self: "self", webauthntest.Packed: "basic"} {
			t.Run(name+" "+attestation, func(t *testing.T) {
				a := w.attested()
				a.Algorithm, a.Attestation = algorithm, attestation
				c := w.register(a)
				if c.Algorithm != algorithm || c.AttestationType != kind || c.AAGUID != model || !c.UP || !c.UV || c.BE || c.BS || c.SignCount != 1 {
					t.Errorf("record %+v", c)
				}
				if c.Discoverable == nil || !*c.Discoverable || !reflect.DeepEqual(c.Transports, []string{"usb"}) || c.Attachment != "cross-platform" {
					t.Errorf("what the browser said: %v %v %q", c.Discoverable, c.Transports, c.Attachment)
				}
				r := assertion(c)
				signed, err := w.get(a, c, r)
				if err != nil {
					t.Fatal(err)
				}
				f := signed.Facts
				if !f.UP || !f.UV || f.BE || f.BS || f.SignCountRegressed || f.Attestation.Type != kind || f.Attestation.Trusted != (kind == "basic") {
					t.Errorf("facts %+v", f)
				}
				if signed.Credential.SignCount != 2 || !bytes.Equal(signed.Nonce, r.Nonce) {
					t.Errorf("count %d, nonce %x", signed.Credential.SignCount, signed.Nonce)
				}
			})
		}
	}
}

func TestAKeyIsFoundWithoutAnAllowList(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	c := w.register(a)
	options, state, err := w.rp.BeginAssertion(webauthn.NewAssertion{Nonce: random(32)})
	if err != nil {
		t.Fatal(err)
	}
	response, err := a.Get(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	id, user, err := webauthn.ReadAssertion(response)
	if err != nil || !bytes.Equal(id, c.ID) || !bytes.Equal(user, person) {
		t.Fatalf("read %x %q %v", id, user, err)
	}
	if _, err := w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Credential: c, Response: response}); err != nil {
		t.Fatal(err)
	}

	a.After = func(answer *webauthntest.Answer) { answer.UserHandle = nil }
	_, err = w.get(a, c, webauthn.NewAssertion{Nonce: random(32)})
	wantError(t, err, webauthn.ErrUser)
}

func TestABackedUpKeySaysSo(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	a.Flags |= webauthntest.BE
	c := w.register(a)
	if !c.BE || c.BS {
		t.Fatalf("record BE %v BS %v", c.BE, c.BS)
	}
	a.Flags |= webauthntest.BS
	signed, err := w.get(a, c, assertion(c))
	if err != nil || !signed.Facts.BE || !signed.Facts.BS || !signed.Credential.BS {
		t.Fatalf("%+v %v", signed.Facts, err)
	}
}

func TestASignCountThatDoesNotGrowIsAFact(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	c := w.register(a)
	for _, step := range []struct {
		name         string
		stored, sent uint32
		regressed    bool
		then         uint32
	}{
		{"grows", 5, 6, false, 6},
		{"jumps", 5, 900, false, 900},
		{"stays", 5, 5, true, 5},
		{"falls", 5, 4, true, 5},
		{"falls to zero", 5, 0, true, 5},
		{"was never counted", 0, 0, false, 0},
		{"starts", 0, 1, false, 1},
	} {
		t.Run(step.name, func(t *testing.T) {
			c.SignCount = step.stored
			a.Before = func(c *webauthntest.Ceremony) { c.Count = step.sent }
			signed, err := w.get(a, c, assertion(c))
			if err != nil {
				t.Fatal(err)
			}
			if signed.Facts.SignCountRegressed != step.regressed || signed.Credential.SignCount != step.then {
				t.Errorf("regressed %v, stored %d", signed.Facts.SignCountRegressed, signed.Credential.SignCount)
			}
		})
	}
}

func TestVerificationOfTheUserMayBeWaived(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	a.Flags = webauthntest.UP
	r := registration()
	r.UserVerification = webauthn.Preferred
	made, err := w.create(a, r)
	if err != nil || made.Facts.UV || made.Credential.UV {
		t.Fatalf("%+v %v", made.Facts, err)
	}
	s := assertion(made.Credential)
	s.UserVerification = webauthn.Preferred
	signed, err := w.get(a, made.Credential, s)
	if err != nil || signed.Facts.UV {
		t.Fatalf("%+v %v", signed.Facts, err)
	}
}

func TestTheOptionsAskForWhatIsDocumented(t *testing.T) {
	w := newWorld(t)
	r := registration()
	r.Exclude = []webauthn.Credential{{ID: []byte("other"), Transports: []string{"nfc"}}}
	r.Policy = webauthn.Policy{Attestation: webauthn.Trusted}
	r.Nonce = bytes.Repeat([]byte{7}, 32)
	options, _, err := w.rp.BeginRegistration(r)
	if err != nil {
		t.Fatal(err)
	}
	same(t, options, `{"rp":{"id":"example.org","name":"Example"},"user":{"id":"dXNlci1oYW5kbGUtMDAwMQ","name":"me","displayName":"Me"},
		"challenge":"ard_OJ-nrOrlo5io08jj5qShyE8GBXTuhsjelrd6eMo",
		"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-8},{"type":"public-key","alg":-257}],"timeout":300000,
		"excludeCredentials":[{"type":"public-key","id":"b3RoZXI","transports":["nfc"]}],
		"authenticatorSelection":{"residentKey":"preferred","requireResidentKey":false,"userVerification":"required"},
		"attestation":"direct","extensions":{"credProps":true}}`)
	options, _, err = w.rp.BeginAssertion(webauthn.NewAssertion{Nonce: r.Nonce, Binding: r.Binding})
	if err != nil {
		t.Fatal(err)
	}
	same(t, options, `{"challenge":"_NaiChjR--0M-ryN0hJmhZEDQw5hAF5-wB5C5AirdB0","timeout":300000,"rpId":"example.org","allowCredentials":[],"userVerification":"required"}`)
}

func same(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestTheChallengeIsWhatTheDocumentationSays has a digest that was computed with Python,
// from the documentation alone.
func TestTheChallengeIsWhatTheDocumentationSays(t *testing.T) {
	got := webauthn.Challenge(webauthn.Assert, "example.org", bytes.Repeat([]byte{7}, 32), []byte("case 7"))
	if want := "3b96f9cea90fa34bb0579d439076ac81b5ba78c3a2f39d9ac47ec97c487c5449"; hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
	// The borders of the parts count.
	if bytes.Equal(webauthn.Challenge("assert", "a", []byte("b"), []byte("cd")), webauthn.Challenge("assert", "a", []byte("bc"), []byte("d"))) {
		t.Error("two different lists of parts have the same challenge")
	}
}

func TestACeremonyEndsByItself(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	c := w.register(a)
	r := assertion(c)
	options, state, err := w.rp.BeginAssertion(r)
	if err != nil {
		t.Fatal(err)
	}
	response, err := a.Get(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	answer := webauthn.AssertionAnswer{Binding: r.Binding, Credential: c, Response: response}
	w.clock.at = w.clock.at.Add(5*time.Minute - time.Second)
	if _, err := w.rp.FinishAssertion(state, answer); err != nil {
		t.Error(err)
	}
	w.clock.at = w.clock.at.Add(time.Second)
	_, err = w.rp.FinishAssertion(state, answer)
	wantError(t, err, webauthn.ErrExpired)

	n := registration()
	if options, state, err = w.rp.BeginRegistration(n); err != nil {
		t.Fatal(err)
	}
	if response, err = webauthntest.New().Create(options, origin); err != nil {
		t.Fatal(err)
	}
	w.clock.at = w.clock.at.Add(time.Hour)
	_, err = w.rp.FinishRegistration(state, webauthn.RegistrationAnswer{Binding: n.Binding, Response: response})
	wantError(t, err, webauthn.ErrExpired)
}
