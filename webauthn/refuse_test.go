package webauthn_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// attack is one thing that is wrong with an answer, and the word for it.
type attack struct {
	name   string
	before func(*webauthntest.Ceremony)
	after  func(*webauthntest.Answer)
	want   error
}

func clientData(format string, args ...any) func(*webauthntest.Ceremony) {
	return func(c *webauthntest.Ceremony) {
		c.ClientData = fmt.Appendf(nil, strings.NewReplacer("CHALLENGE", c.Challenge, "TYPE", c.Type, "ORIGIN", origin).Replace(format), args...)
	}
}

// either fits both ceremonies.
var either = []attack{
	{"the type of the other ceremony", func(c *webauthntest.Ceremony) {
		c.Type = map[string]string{"webauthn.create": "webauthn.get", "webauthn.get": "webauthn.create"}[c.Type]
	}, nil, webauthn.ErrType},
	{"a type of payments", func(c *webauthntest.Ceremony) { c.Type = "payment.get" }, nil, webauthn.ErrType},
	{"another challenge", func(c *webauthntest.Ceremony) { c.Challenge = base64.RawURLEncoding.EncodeToString(random(32)) }, nil, webauthn.ErrChallenge},
	{"the beginning of the challenge", func(c *webauthntest.Ceremony) { c.Challenge = c.Challenge[:40] }, nil, webauthn.ErrChallenge},
	{"no challenge", func(c *webauthntest.Ceremony) { c.Challenge = "" }, nil, webauthn.ErrChallenge},
	{"a challenge that is not base64url", func(c *webauthntest.Ceremony) { c.Challenge = strings.Repeat("+", 43) }, nil, webauthn.ErrMalformed},
	{"another site", func(c *webauthntest.Ceremony) { c.Origin = "https://id.example.net" }, nil, webauthn.ErrOrigin},
	{"a sibling of the site", func(c *webauthntest.Ceremony) { c.Origin = "https://evil.example.org" }, nil, webauthn.ErrOrigin},
	{"the site without TLS", func(c *webauthntest.Ceremony) { c.Origin = "http://id.example.org" }, nil, webauthn.ErrOrigin},
	{"another port of the site", func(c *webauthntest.Ceremony) { c.Origin += ":8443" }, nil, webauthn.ErrOrigin},
	{"the site in capitals", func(c *webauthntest.Ceremony) { c.Origin = "https://ID.example.org" }, nil, webauthn.ErrOrigin},
	{"the site with its default port", func(c *webauthntest.Ceremony) { c.Origin += ":443" }, nil, webauthn.ErrOrigin},
	{"the site with a path", func(c *webauthntest.Ceremony) { c.Origin += "/" }, nil, webauthn.ErrOrigin},
	{"the site as another's user", func(c *webauthntest.Ceremony) { c.Origin = "https://id.example.org@example.net" }, nil, webauthn.ErrOrigin},
	{"a frame in another site", func(c *webauthntest.Ceremony) { c.CrossOrigin = true }, nil, webauthn.ErrCrossOrigin},
	{"a frame in a site that is named", func(c *webauthntest.Ceremony) { c.TopOrigin = "https://example.com" }, nil, webauthn.ErrCrossOrigin},
	{"another relying party", func(c *webauthntest.Ceremony) { c.RPID = "example.net" }, nil, webauthn.ErrRPID},
	{"the host as the relying party", func(c *webauthntest.Ceremony) { c.RPID = "id.example.org" }, nil, webauthn.ErrRPID},
	{"nobody present", func(c *webauthntest.Ceremony) { c.Flags &^= webauthntest.UP }, nil, webauthn.ErrUserPresence},
	{"nobody verified", func(c *webauthntest.Ceremony) { c.Flags &^= webauthntest.UV }, nil, webauthn.ErrUserVerification},
	{"backed up without being eligible", func(c *webauthntest.Ceremony) { c.Flags |= webauthntest.BS }, nil, webauthn.ErrBackupFlags},
	{"a member twice", clientData(`{"type":"TYPE","challenge":"CHALLENGE","origin":"ORIGIN","origin":"ORIGIN","crossOrigin":false}`), nil, webauthn.ErrMalformed},
	{"a member twice in other letters", clientData(`{"type":"TYPE","challenge":"CHALLENGE","origin":"ORIGIN","Origin":"https://example.net"}`), nil, webauthn.ErrMalformed},
	{"a member in other letters alone", clientData(`{"Type":"TYPE","challenge":"CHALLENGE","origin":"ORIGIN"}`), nil, webauthn.ErrMalformed},
	{"an origin that is a list", clientData(`{"type":"TYPE","challenge":"CHALLENGE","origin":["ORIGIN"]}`), nil, webauthn.ErrMalformed},
	{"crossOrigin that is a string", clientData(`{"type":"TYPE","challenge":"CHALLENGE","origin":"ORIGIN","crossOrigin":"false"}`), nil, webauthn.ErrMalformed},
	{"client data with something behind it", clientData(`{"type":"TYPE","challenge":"CHALLENGE","origin":"ORIGIN"}{}`), nil, webauthn.ErrMalformed},
	{"client data that is a list", clientData(`["TYPE"]`), nil, webauthn.ErrMalformed},
	{"client data that is not UTF-8", clientData("{\"type\":\"TYPE\",\"challenge\":\"CHALLENGE\",\"origin\":\"ORIGIN\",\"x\":\"\xff\"}"), nil, webauthn.ErrMalformed},
	{"client data of 9 KiB", clientData(`{"type":"TYPE","challenge":"CHALLENGE","origin":"ORIGIN","x":"%s"}`, strings.Repeat("x", 9<<10)), nil, webauthn.ErrMalformed},
	{"no client data", nil, func(a *webauthntest.Answer) { a.ClientDataJSON = nil }, webauthn.ErrMalformed},
	{"two different ids", nil, func(a *webauthntest.Answer) { a.RawID = []byte("other") }, webauthn.ErrMalformed},
	{"no id", nil, func(a *webauthntest.Answer) { a.ID, a.RawID = nil, nil }, webauthn.ErrMalformed},
	{"an id of 1024 bytes", nil, func(a *webauthntest.Answer) { a.ID = make([]byte, 1024); a.RawID = a.ID }, webauthn.ErrMalformed},
	{"another type of credential", nil, func(a *webauthntest.Answer) { a.Type = "password" }, webauthn.ErrMalformed},
	{"extension data without its flag", func(c *webauthntest.Ceremony) { c.Extensions = []byte{0xa0} }, nil, webauthn.ErrMalformed},
	{"the flag of extension data alone", func(c *webauthntest.Ceremony) { c.Flags |= webauthntest.ED }, nil, webauthn.ErrMalformed},
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, a := range append([]attack{
		{"a key of an algorithm that was not offered", func(c *webauthntest.Ceremony) { c.PublicKey = coseES384 }, nil, webauthn.ErrAlgorithm},
		{"a point that is not on the curve", func(c *webauthntest.Ceremony) {
			c.PublicKey = bytes.Replace(coseES256, coseES256[10:42], make([]byte, 32), 1)
		}, nil, webauthn.ErrKey},
		{"the algorithm of one key and the curve of another", func(c *webauthntest.Ceremony) {
			c.PublicKey = bytes.Replace(coseES384, []byte{0x38, 0x22}, []byte{0x26}, 1)
		}, nil, webauthn.ErrKey},
		// Section 16.12 of Web Authentication Level 3 has such a key.
		{"a key on Ed448 with the algorithm of Ed448", func(c *webauthntest.Ceremony) { c.PublicKey = coseEd448("3834", 57) }, nil, webauthn.ErrKey},
		{"a key on Ed448 with EdDSA, which is offered", func(c *webauthntest.Ceremony) { c.PublicKey = coseEd448("27", 57) }, nil, webauthn.ErrKey},
		{"a key on Ed448 as long as one on Ed25519", func(c *webauthntest.Ceremony) { c.PublicKey = coseEd448("27", 32) }, nil, webauthn.ErrKey},
		{"an RSA key of 1024 bits", func(c *webauthntest.Ceremony) { c.PublicKey = coseRSA(128) }, nil, webauthn.ErrKey},
		{"an RSA key of 16384 bits", func(c *webauthntest.Ceremony) { c.PublicKey = coseRSA(2048) }, nil, webauthn.ErrKey},
		{"a key that is no map", func(c *webauthntest.Ceremony) { c.PublicKey = []byte{0x01} }, nil, webauthn.ErrKey},
		{"no key", func(c *webauthntest.Ceremony) { c.PublicKey = nil }, nil, webauthn.ErrMalformed},
		{"bytes behind the key", func(c *webauthntest.Ceremony) { c.PublicKey = append(c.PublicKey, 0) }, nil, webauthn.ErrMalformed},
		{"no attested data", func(c *webauthntest.Ceremony) { c.Flags &^= webauthntest.AT }, nil, webauthn.ErrMalformed},
		{"a credential that the authenticator did not name", nil, func(a *webauthntest.Answer) { a.ID = []byte("other"); a.RawID = a.ID }, webauthn.ErrMalformed},
		{"an attestation object with something behind it", nil, func(a *webauthntest.Answer) { a.AttestationObject = append(a.AttestationObject, 0) }, webauthn.ErrMalformed},
		{"an attestation object that is cut off", nil, func(a *webauthntest.Answer) { a.AttestationObject = a.AttestationObject[:80] }, webauthn.ErrMalformed},
		{"no attestation object", nil, func(a *webauthntest.Answer) { a.AttestationObject = nil }, webauthn.ErrMalformed},
		{"a format that nobody knows", func(c *webauthntest.Ceremony) { c.Format = "new" }, nil, webauthn.ErrAttestation},
		{"a format that was withdrawn", func(c *webauthntest.Ceremony) { c.Format = "android-safetynet" }, nil, webauthn.ErrAttestation},
		{"a compound without parts", func(c *webauthntest.Ceremony) { c.Format = "compound" }, nil, webauthn.ErrMalformed},
		{"packed without a statement", func(c *webauthntest.Ceremony) { c.Format = "packed" }, nil, webauthn.ErrAttestation},
		{"tpm without a statement", func(c *webauthntest.Ceremony) { c.Format = "tpm" }, nil, webauthn.ErrAttestation},
	}, either...) {
		t.Run(a.name, func(t *testing.T) {
			authenticator := webauthntest.New()
			authenticator.Before, authenticator.After = a.before, a.after
			_, err := w.create(authenticator, registration())
			wantError(t, err, a.want)
		})
	}
}

func TestForgedAttestationsAreRefused(t *testing.T) {
	w := newWorld(t)
	flip := func(part string) func(*webauthntest.Answer) {
		return func(a *webauthntest.Answer) {
			// The last byte of the signature or of the authenticator data.
			at := len(a.AttestationObject) - 1
			if part == "sig" {
				at = bytes.Index(a.AttestationObject, []byte("\x63sig")) + 30
			}
			a.AttestationObject = bytes.Clone(a.AttestationObject)
			a.AttestationObject[at] ^= 1
		}
	}
	for name, a := range map[string]struct {
		attestation string
		model       [16]byte
		before      func(*webauthntest.Ceremony)
		after       func(*webauthntest.Answer)
		want        error
	}{
		"the signature of a model, changed":    {webauthntest.Packed, model, nil, flip("sig"), webauthn.ErrAttestation},
		"the signature of the key, changed":    {webauthntest.Self, model, nil, flip("sig"), webauthn.ErrAttestation},
		"another client data":                  {webauthntest.Packed, model, nil, func(a *webauthntest.Answer) { a.ClientDataJSON = append(a.ClientDataJSON, ' ') }, webauthn.ErrAttestation},
		"a key that another key signed for":    {webauthntest.Self, model, func(c *webauthntest.Ceremony) { c.PublicKey = coseES256 }, nil, webauthn.ErrAttestation},
		"a statement where there must be none": {webauthntest.Self, model, func(c *webauthntest.Ceremony) { c.Format = "none" }, nil, webauthn.ErrAttestation},
		"packed called fido-u2f":               {webauthntest.Packed, model, func(c *webauthntest.Ceremony) { c.Format = "fido-u2f" }, nil, webauthn.ErrAttestation},
		"packed called apple":                  {webauthntest.Packed, model, func(c *webauthntest.Ceremony) { c.Format = "apple" }, nil, webauthn.ErrAttestation},
		"packed called android-key":            {webauthntest.Packed, model, func(c *webauthntest.Ceremony) { c.Format = "android-key" }, nil, webauthn.ErrAttestation},
		"the certificate of another model": {webauthntest.Packed, model, nil, func(a *webauthntest.Answer) {
			mine, _ := w.authority.ModelCertificate(model)
			other, _ := w.authority.ModelCertificate([16]byte{9})
			if len(mine) == len(other) {
				a.AttestationObject = bytes.Replace(a.AttestationObject, mine, other, 1)
			} else { // signatures differ in length by a byte or two
				a.AttestationObject = bytes.Replace(a.AttestationObject, model[:], make([]byte, 16), 1)
			}
		}, webauthn.ErrAttestation},
	} {
		t.Run(name, func(t *testing.T) {
			authenticator := w.attested()
			authenticator.Attestation, authenticator.AAGUID, authenticator.Before, authenticator.After = a.attestation, a.model, a.before, a.after
			_, err := w.create(authenticator, registration())
			wantError(t, err, a.want)
		})
	}
}

func TestAssertionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, a := range append([]attack{
		{"eligible for backup since", func(c *webauthntest.Ceremony) { c.Flags |= webauthntest.BE }, nil, webauthn.ErrBackupFlags},
		{"a signature with one bit changed", nil, func(a *webauthntest.Answer) { a.Signature[len(a.Signature)-1] ^= 1 }, webauthn.ErrSignature},
		{"a signature with something behind it", nil, func(a *webauthntest.Answer) { a.Signature = append(a.Signature, 0) }, webauthn.ErrSignature},
		{"no signature", nil, func(a *webauthntest.Answer) { a.Signature = nil }, webauthn.ErrSignature},
		{"a counter that was changed after signing", nil, func(a *webauthntest.Answer) { a.AuthenticatorData[36]++ }, webauthn.ErrSignature},
		{"verification that was added after signing", func(c *webauthntest.Ceremony) { c.Flags &^= webauthntest.UV },
			func(a *webauthntest.Answer) { a.AuthenticatorData[32] |= webauthntest.UV }, webauthn.ErrSignature},
		{"client data that was changed after signing", nil, func(a *webauthntest.Answer) { a.ClientDataJSON = append(a.ClientDataJSON, ' ') }, webauthn.ErrSignature},
		{"authenticator data that is cut off", nil, func(a *webauthntest.Answer) { a.AuthenticatorData = a.AuthenticatorData[:36] }, webauthn.ErrMalformed},
		{"authenticator data with something behind it", nil, func(a *webauthntest.Answer) { a.AuthenticatorData = append(a.AuthenticatorData, 0) }, webauthn.ErrMalformed},
		{"attested data in an assertion", func(c *webauthntest.Ceremony) {
			c.Flags |= webauthntest.AT
			c.Extensions = append(append(make([]byte, 16), 0, 1, 'x'), coseES256...)
		}, nil, webauthn.ErrMalformed},
		{"another user's handle", nil, func(a *webauthntest.Answer) { a.UserHandle = []byte("user-handle-0002") }, webauthn.ErrUser},
		{"another id", nil, func(a *webauthntest.Answer) { a.ID = []byte("other"); a.RawID = a.ID }, webauthn.ErrUnknownCredential},
	}, either...) {
		t.Run(a.name, func(t *testing.T) {
			authenticator := webauthntest.New()
			c := w.register(authenticator)
			authenticator.Before, authenticator.After = a.before, a.after
			_, err := w.get(authenticator, c, assertion(c))
			wantError(t, err, a.want)
		})
	}
}

func TestABackupEligibilityThatIsGoneIsRefused(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	a.Flags |= webauthntest.BE
	c := w.register(a)
	a.Flags &^= webauthntest.BE
	_, err := w.get(a, c, assertion(c))
	wantError(t, err, webauthn.ErrBackupFlags)
}

// TestAnAnswerCountsForItsOwnCeremony takes honest answers to where they do not belong.
func TestAnAnswerCountsForItsOwnCeremony(t *testing.T) {
	w := newWorld(t)
	a, b := webauthntest.New(), webauthntest.New()
	mine := w.register(a)
	r := registration()
	r.User = []byte("user-handle-0002")
	made, err := w.create(b, r)
	if err != nil {
		t.Fatal(err)
	}
	theirs := made.Credential

	begin := func(c webauthn.Credential) (response, state []byte) {
		options, state, err := w.rp.BeginAssertion(assertion(c))
		if err != nil {
			t.Fatal(err)
		}
		authenticator := map[bool]*webauthntest.Authenticator{true: a, false: b}[bytes.Equal(c.ID, mine.ID)]
		if response, err = authenticator.Get(options, origin); err != nil {
			t.Fatal(err)
		}
		return response, state
	}
	first, firstState := begin(mine)
	second, secondState := begin(mine)
	other, otherState := begin(theirs)
	finish := func(state, response []byte, c webauthn.Credential, binding string) error {
		_, err := w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Binding: []byte(binding), Credential: c, Response: response})
		return err
	}
	if err := finish(firstState, first, mine, "case 7"); err != nil {
		t.Fatal(err)
	}
	wantError(t, finish(secondState, first, mine, "case 7"), webauthn.ErrChallenge) // a replay to another ceremony
	wantError(t, finish(firstState, second, mine, "case 7"), webauthn.ErrChallenge) // and the other way around
	wantError(t, finish(firstState, first, mine, "case 8"), webauthn.ErrChallenge)  // what it is for has changed
	wantError(t, finish(firstState, other, theirs, "case 7"), webauthn.ErrUser)     // another's key and record
	wantError(t, finish(firstState, other, mine, "case 7"), webauthn.ErrUnknownCredential)
	wantError(t, finish(otherState, first, mine, "case 7"), webauthn.ErrUser)
	moved := theirs
	moved.ID, moved.PublicKey = mine.ID, mine.PublicKey // a record that somebody mixed up
	wantError(t, finish(otherState, first, moved, "case 7"), webauthn.ErrUnknownCredential)
	old := mine
	old.Version = 99
	wantError(t, finish(firstState, first, old, "case 7"), webauthn.ErrUnknownCredential)
	elsewhere := mine
	elsewhere.RPID = "example.net"
	wantError(t, finish(firstState, first, elsewhere, "case 7"), webauthn.ErrUnknownCredential)

	// The two kinds of states and of answers do not fit one another.
	_, registerState, err := w.rp.BeginRegistration(registration())
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, finish(registerState, first, mine, "case 7"), webauthn.ErrState)
	_, err = w.rp.FinishRegistration(firstState, webauthn.RegistrationAnswer{Response: first})
	wantError(t, err, webauthn.ErrState)
	_, err = w.rp.FinishRegistration(registerState, webauthn.RegistrationAnswer{Response: first})
	wantError(t, err, webauthn.ErrMalformed)

	// Nor do those of another relying party.
	net := newWorld(t, func(c *webauthn.Config) { c.ID, c.Origins = "example.net", []string{"https://example.net"} })
	_, err = net.rp.FinishAssertion(firstState, webauthn.AssertionAnswer{Binding: []byte("case 7"), Credential: mine, Response: first})
	wantError(t, err, webauthn.ErrState)
	for _, state := range []string{"", "{}", "null", `{"v":2}`, `{"v":1,"purpose":"assert","rp_id":"example.org","nonce":""}`, strings.Replace(string(firstState), `"uv"`, `"vu"`, 1),
		strings.Replace(string(firstState), `"required"`, `"discouraged"`, 1), strings.Replace(string(firstState), `"policy":{}`, `"policy":{"attestation":"x"}`, 1)} {
		wantError(t, finish([]byte(state), first, mine, "case 7"), webauthn.ErrState)
	}
}

func TestAKeyIsNotRegisteredTwice(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	c := w.register(a)
	r := registration()
	r.Exclude = []webauthn.Credential{c}
	options, state, err := w.rp.BeginRegistration(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Create(options, origin); err == nil {
		t.Fatal("the authenticator does not look at the list")
	}
	// A client that does not show the authenticator its list.
	stripped := bytes.Replace(options, []byte(base64.RawURLEncoding.EncodeToString(c.ID)), []byte("AAAA"), 1)
	a.Before = func(*webauthntest.Ceremony) { a.After = replaceID(a, c.ID) }
	response, err := a.Create(stripped, origin)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.rp.FinishRegistration(state, webauthn.RegistrationAnswer{Binding: r.Binding, Response: response})
	wantError(t, err, webauthn.ErrRegistered)
}

// replaceID makes the answer one of a credential id that there is already; both have 32 bytes.
func replaceID(a *webauthntest.Authenticator, id []byte) func(*webauthntest.Answer) {
	return func(answer *webauthntest.Answer) {
		answer.AttestationObject = bytes.Replace(answer.AttestationObject, answer.ID, id, 1)
		answer.ID, answer.RawID = id, id
	}
}

func TestResponsesThatAreNoResponses(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	c := w.register(a)
	options, state, err := w.rp.BeginAssertion(assertion(c))
	if err != nil {
		t.Fatal(err)
	}
	good, err := a.Get(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	for name, response := range map[string]string{
		"nothing":                   "",
		"null":                      "null",
		"a list":                    "[]",
		"an empty object":           "{}",
		"something behind it":       string(good) + " {}",
		"65 KiB":                    strings.Replace(string(good), `{`, `{"x":"`+strings.Repeat("x", 65<<10)+`",`, 1),
		"deep":                      strings.Replace(string(good), `{`, `{"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`,`, 1),
		"an id twice":               strings.Replace(string(good), `{`, `{"id":"AAAA",`, 1),
		"a response twice":          strings.Replace(string(good), `{`, `{"Response":{},`, 1),
		"a signature twice":         strings.Replace(string(good), `"response":{`, `"response":{"signature":"AAAA",`, 1),
		"a response that is null":   strings.Replace(string(good), `"response":{`, `"response":null,"r":{`, 1),
		"a response that is text":   strings.Replace(string(good), `"response":{`, `"response":"x","r":{`, 1),
		"padding":                   strings.Replace(string(good), `"signature":"`, `"signature":"AA==`, 1),
		"a line end in base64url":   strings.Replace(string(good), `"signature":"`, `"signature":"\n`, 1),
		"a handle that is a list":   strings.Replace(string(good), `"userHandle":"`, `"userHandle":[],"h":"`, 1),
		"a hundred members":         strings.Replace(string(good), `{`, `{`+manyMembers(100), 1),
		"an object that is cut off": string(good[:len(good)-1]),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Binding: []byte("case 7"), Credential: c, Response: []byte(response)})
			wantError(t, err, webauthn.ErrMalformed)
			if _, _, err := webauthn.ReadAssertion([]byte(response)); !errors.Is(err, webauthn.ErrMalformed) {
				t.Errorf("ReadAssertion: %v", err)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":0,`, i)
	}
	return b.String()
}

func TestCallersAreHeldToWhatTheyGive(t *testing.T) {
	w := newWorld(t)
	c := w.register(webauthntest.New())
	for name, change := range map[string]func(*webauthn.NewRegistration){
		"a short handle":           func(r *webauthn.NewRegistration) { r.User = []byte("me") },
		"a long handle":            func(r *webauthn.NewRegistration) { r.User = make([]byte, 65) },
		"no name":                  func(r *webauthn.NewRegistration) { r.Name = "" },
		"no nonce":                 func(r *webauthn.NewRegistration) { r.Nonce = nil },
		"a nonce of zeros":         func(r *webauthn.NewRegistration) { r.Nonce = make([]byte, 32) },
		"an unknown verification":  func(r *webauthn.NewRegistration) { r.UserVerification = "discouraged" },
		"an unknown policy":        func(r *webauthn.NewRegistration) { r.Policy.Attestation = "some" },
		"a list that is not given": func(r *webauthn.NewRegistration) { r.Policy.Attestation = webauthn.Listed },
		"a list that is not read": func(r *webauthn.NewRegistration) {
			r.Policy = webauthn.Policy{Attestation: webauthn.Trusted, AAGUIDs: []webauthn.AAGUID{model}}
		},
	} {
		r := registration()
		change(&r)
		if _, _, err := w.rp.BeginRegistration(r); err == nil {
			t.Errorf("%s: begun", name)
		}
	}
	for name, change := range map[string]func(*webauthn.NewAssertion){
		"a user without keys": func(r *webauthn.NewAssertion) { r.Allow = nil },
		"keys without a user": func(r *webauthn.NewAssertion) { r.User = nil },
		"another's key":       func(r *webauthn.NewAssertion) { r.User = []byte("user-handle-0002") },
		"a short nonce":       func(r *webauthn.NewAssertion) { r.Nonce = r.Nonce[:31] },
	} {
		r := assertion(c)
		change(&r)
		if _, _, err := w.rp.BeginAssertion(r); err == nil {
			t.Errorf("%s: begun", name)
		}
	}
}
