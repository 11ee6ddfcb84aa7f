package conformance

import (
	"crypto/rand"
	"strings"
)

// scene is what a binding is made of.
type scene struct {
	kid       string
	key       []byte
	algorithm string
	url       string     // of newAccount
	account   accountKey // that signs the request
	other     accountKey // that does not
	nonce     string     // of the request
}

// header is the protected header of a good binding.
func (s scene) header() object {
	return object{"alg": s.algorithm, "kid": s.kid, "url": s.url}
}

// with is a header in which something is different, or missing if it is nil.
func (s scene) with(name string, value any) []byte {
	h := s.header()
	h[name] = value
	if value == nil {
		delete(h, name)
	}
	return h.json()
}

// seal makes the JWS of a header and a payload, with a right MAC.
func (s scene) seal(header, payload []byte) object { return s.sealWith(s.key, header, payload) }

func (s scene) sealWith(key, header, payload []byte) object {
	protected, body := b64(header), b64(payload)
	return object{"protected": protected, "payload": body, "signature": b64(mac(s.algorithm, key, protected+"."+body))}
}

// good is the binding that RFC 8555 7.3.4 describes.
func (s scene) good() object { return s.seal(s.header().json(), s.account.jwk().json()) }

// changed is the good binding with one member of the JWS changed, or without it if the change yields nil.
func (s scene) changed(member string, change func(string) any) object {
	b := s.good()
	text := b[member].(string)
	delete(b, member)
	if v := change(text); v != nil {
		b[member] = v
	}
	return b
}

// badBinding is a binding that is right but for one thing.
type badBinding struct {
	check string
	// step is the one of 7.3.4 that finds it. From the third on nothing but verification does: a server that only reads JSON may refuse the others.
	step   int
	clause string
	demand string
	forge  func(scene) any
}

const checkMACAltered = "mac-altered"

// badBindings are what a server must refuse, in the order of the steps of RFC 8555 7.3.4.
var badBindings = []badBinding{
	{"jws-compact", 1, "RFC 8555 7.3.4 (1), 7.1.2", "a binding is an object, not the compact form in a string", func(s scene) any {
		g := s.good()
		return g["protected"].(string) + "." + g["payload"].(string) + "." + g["signature"].(string)
	}},
	{"jws-empty", 1, "RFC 8555 7.3.4 (1)", "an empty object is no JWS", func(scene) any { return object{} }},
	{"jws-no-payload", 1, "RFC 8555 7.3.4 (1); RFC 7515 7.2.1", "a JWS has a payload", func(s scene) any {
		return s.changed("payload", func(string) any { return nil })
	}},
	{"jws-no-signature", 1, "RFC 8555 7.3.4 (1); RFC 7515 7.2.1", "a JWS has a signature", func(s scene) any {
		return s.changed("signature", func(string) any { return nil })
	}},
	{"jws-padded", 1, "RFC 8555 7.3.4 (1); RFC 7515 2", "base64url has no padding", func(s scene) any {
		// White space makes the header one byte longer than a multiple of three, so that padding would be two signs.
		header := string(s.header().json())
		header += strings.Repeat(" ", (4-len(header)%3)%3)
		protected, payload := b64([]byte(header))+"==", b64(s.account.jwk().json())
		return object{"protected": protected, "payload": payload, "signature": b64(mac(s.algorithm, s.key, protected+"."+payload))}
	}},
	{"header-no-json", 1, "RFC 8555 7.3.4 (1); RFC 7515 5.2 (3)", "the protected header is a JSON object", func(s scene) any {
		return s.seal(s.header().json()[1:], s.account.jwk().json())
	}},
	{"header-twice", 1, "RFC 8555 7.3.4 (1); RFC 7515 4", "of a name that comes twice in the header, the first is not what counts", func(s scene) any {
		header := strings.TrimSuffix(string(s.header().json()), "}") + "," + strings.TrimPrefix(string(object{"url": s.url + "-elsewhere"}.json()), "{")
		return s.seal([]byte(header), s.account.jwk().json())
	}},
	{"header-crit", 1, "RFC 8555 7.3.4 (1); RFC 7515 4.1.11", "what the header calls critical is understood, or the JWS is refused", func(s scene) any {
		h := s.header()
		h["crit"], h["https://countersign.example/unknown"] = []string{"https://countersign.example/unknown"}, true
		return s.seal(h.json(), s.account.jwk().json())
	}},
	{"alg-none", 2, "RFC 8555 7.3.4 (2)", "alg is based on a MAC: none is not", func(s scene) any {
		b := s.seal(s.with("alg", "none"), s.account.jwk().json())
		b["signature"] = ""
		return b
	}},
	{"alg-signature", 2, "RFC 8555 7.3.4 (2)", "alg is based on a MAC: a signature by the account's own key shows nothing", func(s scene) any {
		b := s.seal(s.with("alg", "ES256"), s.account.jwk().json())
		signature, err := s.account.sign(b["protected"].(string) + "." + b["payload"].(string))
		if err != nil {
			panic(err) // the random numbers of the system, without which no key was made either
		}
		b["signature"] = b64(signature)
		return b
	}},
	{"alg-missing", 2, "RFC 8555 7.3.4 (2); RFC 7515 4.1.1", "alg is there", func(s scene) any {
		return s.seal(s.with("alg", nil), s.account.jwk().json())
	}},
	{"kid-missing", 2, "RFC 8555 7.3.4 (2)", "kid is there", func(s scene) any {
		return s.seal(s.with("kid", nil), s.account.jwk().json())
	}},
	{"kid-unprotected", 2, "RFC 8555 7.3.4 (2)", "kid is in the protected header", func(s scene) any {
		b := s.seal(s.with("kid", nil), s.account.jwk().json())
		b["header"] = object{"kid": s.kid}
		return b
	}},
	{"nonce-there", 2, "RFC 8555 7.3.4 (2)", "nonce is not there", func(s scene) any {
		return s.seal(s.with("nonce", s.nonce), s.account.jwk().json())
	}},
	{"url-missing", 2, "RFC 8555 7.3.4 (2)", "url is there", func(s scene) any {
		return s.seal(s.with("url", nil), s.account.jwk().json())
	}},
	{"url-other", 2, "RFC 8555 7.3.4 (2)", "url is the same as that of the request, and not another CA's", func(s scene) any {
		return s.seal(s.with("url", "https://ca.countersign.example/new-account"), s.account.jwk().json())
	}},
	{"url-nearly", 2, "RFC 8555 7.3.4 (2)", "url is the same as that of the request to the last character", func(s scene) any {
		return s.seal(s.with("url", s.url+"?"), s.account.jwk().json())
	}},
	{"kid-unknown", 3, "RFC 8555 7.3.4 (3)", "the MAC key is the one that kid names: nobody has this kid", func(s scene) any {
		return s.seal(s.with("kid", s.kid+"-unknown"), s.account.jwk().json())
	}},
	{"kid-unknown-empty", 3, "RFC 8555 7.3.4 (3)", "a kid that nobody has is not a kid with an empty key", func(s scene) any {
		return s.sealWith(nil, s.with("kid", s.kid+"-unknown"), s.account.jwk().json())
	}},
	{checkMACAltered, 4, "RFC 8555 7.3.4 (4)", "the MAC verifies: one bit of it is wrong", func(s scene) any {
		m := mac(s.algorithm, s.key, s.input())
		m[len(m)-1] ^= 1
		return s.changed("signature", func(string) any { return b64(m) })
	}},
	{"mac-short", 4, "RFC 8555 7.3.4 (4); RFC 7518 3.2", "the MAC verifies: it is the first half of the right one", func(s scene) any {
		m := mac(s.algorithm, s.key, s.input())
		return s.changed("signature", func(string) any { return b64(m[:len(m)/2]) })
	}},
	{"mac-empty", 4, "RFC 8555 7.3.4 (4)", "the MAC verifies: it is empty", func(s scene) any {
		return s.changed("signature", func(string) any { return "" })
	}},
	{"mac-other-key", 4, "RFC 8555 7.3.4 (4)", "the MAC verifies: it is made with another key", func(s scene) any {
		key := make([]byte, len(s.key))
		_, _ = rand.Read(key) // never fails
		return s.sealWith(key, s.header().json(), s.account.jwk().json())
	}},
	{"mac-other-payload", 4, "RFC 8555 7.3.4 (4)", "the MAC verifies: it is that of a binding for another key, whose payload was exchanged", func(s scene) any {
		b := s.seal(s.header().json(), s.other.jwk().json())
		b["payload"] = b64(s.account.jwk().json())
		return b
	}},
	{"mac-other-alg", 4, "RFC 8555 7.3.4 (4)", "the MAC verifies: it is not made by the algorithm that the header names", func(s scene) any {
		named := "HS512"
		if s.algorithm == named {
			named = "HS256"
		}
		return s.seal(s.with("alg", named), s.account.jwk().json())
	}},
	{"payload-other-key", 5, "RFC 8555 7.3.4 (5)", "the payload is the key that signed the request, and not another", func(s scene) any {
		return s.seal(s.header().json(), s.other.jwk().json())
	}},
	{"payload-no-key", 5, "RFC 8555 7.3.4 (5)", "the payload is a JWK, and not its thumbprint", func(s scene) any {
		return s.seal(s.header().json(), []byte(`"`+s.account.thumbprint()+`"`))
	}},
	{"payload-empty", 5, "RFC 8555 7.3.4 (5)", "the payload is a JWK, and not nothing", func(s scene) any {
		return s.seal(s.header().json(), nil)
	}},
}

// input is the signing input of the good binding.
func (s scene) input() string {
	return b64(s.header().json()) + "." + b64(s.account.jwk().json())
}
