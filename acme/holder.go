package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/proofing"
)

// The holder of an account asks for an Authority Token by themselves: with a request that is authenticated as those of ACME are (RFC 8555 6.2
// to 6.5), by a JWS of the account's key with a nonce of ours. They have no credential but that key, and need none.

const (
	holderPath  = proofing.TokenPath
	noncePath   = "/v1/nonce"
	mediaJOSE   = "application/jose+json" // RFC 8555 6.2
	mostHolders = 8                       // in hand at one time: whoever sends one may be anybody, until its signature was verified
)

// Holders serves the holders of accounts alone, for the listener that everybody reaches. Options.Origin is that listener's.
func Holders(o Options) http.Handler {
	a := newAPI(o)
	mux := http.NewServeMux()
	mux.Handle("POST "+holderPath, a.holderToken())
	mux.Handle("GET "+noncePath, a.showNonce())
	mux.Handle(holderPath, a.refuse(typeMethodNotAllowed, "POST"))
	mux.Handle(noncePath, a.refuse(typeMethodNotAllowed, "GET, HEAD"))
	return mux
}

// tokens serves an authority and the holder of an account, who differ in what they send.
func (a *api) tokens() http.Handler {
	authority, holder := a.serve(a.once(a.makeToken)), a.holderToken()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") == mediaJOSE {
			holder.ServeHTTP(w, r)
			return
		}
		authority.ServeHTTP(w, r)
	})
}

// holderToken is serve for the holder of an account. Every answer brings the next nonce (RFC 8555 6.5).
func (a *api) holderToken() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &call{Request: r, w: w, by: "account"}
		ans, err := func() (answer, error) {
			if r.Header.Get("Content-Type") != mediaJOSE {
				return answer{}, newProblem(typeMediaType, "send "+mediaJOSE)
			}
			var err error
			if c.body, err = readAll(w, r); err != nil {
				return answer{}, err
			}
			select { // not before the body is there: who sends it slowly keeps nobody out
			case a.holders <- struct{}{}:
				defer func() { <-a.holders }()
			default:
				p := newProblem(typeRateLimited, "as many requests of accounts are in hand as there may be at one time; nothing was done, try again")
				p.retryAfter = time.Second
				return answer{}, p
			}
			return a.makeHolderToken(c)
		}()
		if err != nil {
			ans = problemOf(err, a.Service.Now()).answer()
		}
		ans.header["Replay-Nonce"] = a.newNonce()
		a.send(c, began, ans, err)
	})
}

// makeHolderToken makes a token for the account whose key has signed the request.
func (a *api) makeHolderToken(c *call) (answer, error) {
	if a.TokenCertificate == nil {
		return answer{}, newProblem(typeNotFound, "this service makes no Authority Tokens: its operator has set no certificate for them")
	}
	h, err := readHolder(c.body)
	if err != nil {
		return answer{}, err
	}
	if h.url != a.Origin+holderPath { // RFC 8555 6.4
		return answer{}, newProblem(typeUnauthorized, "the url in the header is not the URL of this request: "+a.Origin+holderPath)
	}
	until, ok := a.nonceUntil(h.nonce)
	if !ok {
		return answer{}, newProblem(typeBadNonce, "the nonce is none of ours, or too old: take the one of this answer")
	}
	if err := h.verify(); err != nil {
		return answer{}, err
	}
	cert := a.TokenCertificate()
	ca, t, one, err := a.Service.ClaimAuthorityByHolder(c.Context(), h.authority, h.wants, proofing.HolderNonce{Value: h.nonce, Until: until}, cert.Leaf.NotAfter)
	if input, wrong := errors.AsType[*proofing.InputError](err); wrong {
		err = &proofing.InputError{Field: "payload." + input.Field, Code: input.Code, Detail: input.Detail}
	}
	if errors.Is(err, proofing.ErrNonceUsed) {
		return answer{}, newProblem(typeBadNonce, "the nonce has served already: take the one of this answer")
	}
	if err != nil {
		return answer{}, err
	}
	c.ca = ca
	return a.sendToken(c, cert, t, one)
}

// holderRequest is a request of an account's holder, in which everything is well formed. Nothing of it is believed until verify says so.
type holderRequest struct {
	url, nonce, algorithm string
	key                   crypto.PublicKey
	compact               string // the JWS
	authority             string
	wants                 proofing.TokenRequest
}

// readHolder reads a request: a JWS in the flattened form, with nothing that is not protected (RFC 8555 6.2).
func readHolder(body []byte) (holderRequest, error) {
	var h holderRequest
	m := &mistakes{}
	jws, err := readBody(body, m)
	if err != nil {
		return h, err
	}
	protected, header := jws.part("protected")
	payload, wants := jws.part("payload")
	signature, _ := jws.part("signature")
	jws.flattened("a request of an account")
	thumbprint := ""
	if o := readPart(jws, "protected", header); protected != "" && o != nil {
		thumbprint = h.readHeader(o)
	}
	if o := readPart(jws, "payload", wants); payload != "" && o != nil {
		o.require("authority")
		h.authority = o.text("authority", 64)
		h.wants = readToken(o)
		if h.wants.Thumbprint != "" && thumbprint != "" && h.wants.Thumbprint != thumbprint {
			o.object("atc").mistake("fingerprint", "is not that of the key which has signed the request")
		}
	}
	h.compact = protected + "." + payload + "." + signature
	return h, m.err()
}

// readHeader reads the protected header, and returns the thumbprint of the key in it.
func (h *holderRequest) readHeader(o *object) string {
	for _, name := range barred {
		if name != "nonce" && name != "jwk" && o.has(name) {
			o.mistake(name, "must not be in the header of a request of an account")
		}
	}
	if o.has("kid") {
		o.mistake("kid", "accounts are known here by their key: send jwk and no kid")
	}
	for _, name := range []string{"alg", "nonce", "url", "jwk"} {
		o.require(name)
	}
	h.algorithm, h.nonce, h.url = o.text("alg", 64), o.text("nonce", 128), o.text("url", 2048)
	j := o.object("jwk")
	if j == nil {
		return ""
	}
	if h.key = keyOf(j); h.key == nil {
		return ""
	}
	return readThumbprint(j)
}

// verify verifies the signature, by the one algorithm that the kind of key has here: none is taken from the header.
func (h *holderRequest) verify() error {
	alg := algorithmOf(h.key)
	if h.algorithm != string(alg) {
		p := newProblem(typeBadSignatureAlgorithm, "a key of this kind signs by "+string(alg))
		p.Algorithms = holderAlgorithms
		return p
	}
	jws, err := jose.ParseSignedCompact(h.compact, []jose.SignatureAlgorithm{alg})
	if err == nil {
		_, err = jws.Verify(h.key)
	}
	if err != nil {
		return malformed("the signature is not one of the key in the header over this request")
	}
	return nil
}

// holderAlgorithms are those by which a request of an account may be signed.
var holderAlgorithms = []string{string(jose.ES256), string(jose.ES384), string(jose.ES512), string(jose.EdDSA), string(jose.RS256)}

func algorithmOf(key crypto.PublicKey) jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return map[string]jose.SignatureAlgorithm{"P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512}[k.Params().Name]
	case ed25519.PublicKey:
		return jose.EdDSA
	}
	return jose.RS256
}

// showNonce answers with a nonce (RFC 8555 7.2).
func (a *api) showNonce() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Replay-Nonce", a.newNonce())
		h.Set("Cache-Control", "no-store")
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
