package acme

import (
	"crypto/ecdsa"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// What an external account binding may be made of: base64url texts of a size that no honest client comes near.
const maxJWSPart = 16 << 10

// verified is the answer to a binding that is good.
type verified struct {
	Kid          string                `json:"kid"`
	Thumbprint   string                `json:"account_thumbprint"`
	Subject      string                `json:"subject"`
	Profiles     []string              `json:"profiles"`
	Identifiers  []proofing.Identifier `json:"identifiers"`
	Assessment   rawOrNull             `json:"assessment"`
	BoundAt      time.Time             `json:"bound_at"`
	Expires      time.Time             `json:"expires"`
	RecheckAfter time.Time             `json:"recheck_after"`
}

// rawOrNull is JSON that is written as it is; nothing is null.
type rawOrNull []byte

// MarshalJSON implements json.Marshaler.
func (r rawOrNull) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	return r, nil
}

// verifyBinding answers whether an external account binding is good (RFC 8555 7.3.4), and binds the account of it.
func (a *api) verifyBinding(c *call) (answer, error) {
	b, err := readBinding(c.body, c.ca.NewAccounts)
	if err != nil {
		return answer{}, err
	}
	v, err := a.Service.VerifyKey(c.Context(), c.ca, b)
	if err != nil {
		return answer{}, err
	}
	out := verified{
		Kid: v.Key.Kid, Thumbprint: v.Account.Thumbprint, Subject: v.Key.Subject, Profiles: []string{v.Key.Profile},
		Identifiers: append([]proofing.Identifier{}, v.Key.Identifiers...), BoundAt: v.Account.At, Expires: v.Key.Expires, RecheckAfter: v.RecheckAfter,
	}
	if v.Grant != nil {
		if out.Assessment, err = v.Grant.MarshalAssessment(); err != nil {
			return answer{}, err
		}
	}
	return jsonAnswer(http.StatusOK, out)
}

// readBinding reads a question about a binding: the outer JWS's url and jwk, and the inner JWS. Everything that can be seen without
// the key is judged here, and all of it is said: only what depends on the key is not.
func readBinding(body []byte, newAccounts []string) (proofing.ExternalBinding, error) {
	var b proofing.ExternalBinding
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return b, err
	}
	o.require("url")
	b.URL = o.text("url", 2048)
	switch {
	case b.URL == "" || slices.Contains(newAccounts, b.URL):
	case len(newAccounts) == 0:
		o.mistake("url", "no newAccount URL of this certificate authority is registered, so that no binding is good: the operator of this service adds it (countersign ca set)")
	default:
		o.mistake("url", "is not a newAccount URL of this certificate authority")
	}
	o.require("jwk")
	outer := o.object("jwk")
	if outer != nil {
		b.Thumbprint = readThumbprint(outer)
	}
	o.require("externalAccountBinding")
	if jws := o.object("externalAccountBinding"); jws != nil {
		readInner(jws, outer, &b)
	}
	o.closed()
	// What the CA passes on is its account's doing: the answer must be one that it can pass back. And no JWS is signed by the key in the
	// payload, so that what is wrong with it is no badPublicKey (RFC 8555 6.7).
	for i := range m.list {
		x := &m.list[i]
		inner := strings.HasPrefix(x.pointer, "/externalAccountBinding/")
		if x.typ == typeDuplicateMember && (inner || strings.HasPrefix(x.pointer, "/jwk/")) || x.typ == typeBadPublicKey && inner {
			x.typ = typeMalformed
		}
	}
	return b, m.err()
}

// readInner reads the inner JWS: one signature, in the flattened form (RFC 7515 7.2.2), with nothing that is not protected.
func readInner(jws, outer *object, b *proofing.ExternalBinding) {
	protected, header := jws.part("protected")
	payload, key := jws.part("payload")
	_, b.MAC = jws.part("signature")
	jws.flattened("an external account binding")
	if protected == "" || payload == "" {
		return
	}
	b.Signed = make([]byte, 0, len(protected)+1+len(payload))
	b.Signed = append(append(append(b.Signed, protected...), '.'), payload...)
	if h := readPart(jws, "protected", header); h != nil {
		readInnerHeader(h, b)
	}
	if j := readPart(jws, "payload", key); j != nil {
		if outer != nil && sameJWK(outer, j) { // as it should be: it was judged already
			b.Bound = b.Thumbprint
		} else {
			b.Bound = readThumbprint(j)
		}
	}
}

// part reads a part of a JWS: its text, and what that is base64url of.
func (o *object) part(name string) (text string, raw []byte) {
	o.require(name)
	if text = o.text(name, maxJWSPart); text == "" {
		return "", nil
	}
	raw, err := decode64(text)
	if err != nil {
		o.mistake(name, err.Error())
		return "", nil
	}
	return text, raw
}

// flattened reports an unprotected header, the general form, or anything else that somebody could have added to a JWS whose parts were read.
func (o *object) flattened(what string) {
	if slices.Contains(o.asked, false) {
		for _, name := range o.unasked() {
			o.mistake(name, what+" has protected, payload and signature, and nothing else")
		}
	}
}

// readThumbprint is the thumbprint of the key that a JWK is; empty if there is something wrong with it, which is reported.
func readThumbprint(j *object) string {
	key := keyOf(j)
	if key == nil {
		return ""
	}
	if _, ec := key.(*ecdsa.PublicKey); ec { // its members have one form, and were found to be in it
		return hash64(append(append(append(append(append(append(append(make([]byte, 0, 256), `{"crv":"`...), j.text("crv", 16)...),
			`","kty":"EC","x":"`...), j.text("x", 2048)...), `","y":"`...), j.text("y", 2048)...), `"}`...))
	}
	thumbprint, err := thumbprintOf(key)
	if err != nil {
		j.wrong(typeBadPublicKey, "", err.Error())
	}
	return thumbprint
}

// sameJWK says whether two JWKs are written alike: whatever is right or wrong with one is so with the other.
func sameJWK(a, b *object) bool {
	return slices.EqualFunc(a.members, b.members, func(x, y member) bool {
		return x.name == y.name && x.value.kind == isText && y.value.kind == isText && x.value.text == y.value.text
	})
}

// readPart reads a part of a JWS that must be a JSON object.
func readPart(jws *object, name string, text []byte) *object {
	at := join(jws.at, name)
	v, err := parseAt(text, at, jws.m)
	if err != nil || v.kind != isObject {
		jws.mistake(name, "must be base64url of a JSON object")
		return nil
	}
	return newObject(v, at, jws.m)
}

// barred are header parameters that an external account binding must not have: the nonce by RFC 8555 7.3.4, and whatever would bring a
// key of its own, change what is signed, or must be understood (RFC 7515 4.1; RFC 7797).
var barred = []string{"nonce", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "enc"}

func readInnerHeader(h *object, b *proofing.ExternalBinding) {
	for _, name := range barred {
		if h.has(name) {
			h.mistake(name, "must not be in the header of an external account binding")
		}
	}
	h.require("alg")
	if b.Algorithm = h.text("alg", 64); b.Algorithm != "" && !slices.Contains(proofing.KeyAlgorithms(), b.Algorithm) {
		h.mistake("alg", "must be HS256, HS384 or HS512: a binding is a MAC")
	}
	h.require("kid")
	b.Kid = h.text("kid", 256)
	h.require("url")
	if url := h.text("url", 2048); url != "" && url != b.URL {
		h.mistake("url", "is not the url of the outer JWS")
	}
}
