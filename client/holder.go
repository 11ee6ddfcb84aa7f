package client

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Holder is the holder of an ACME account, who is known by the account's key alone and has no credential of the authority. It is for many
// goroutines at once.
type Holder struct {
	c          *Client
	key        accountKey
	thumbprint string
}

// NewHolder checks the configuration and the key; it calls nobody. The URL is that of the service's listener for people or for authorities, letter by letter as
// its operator has configured it, because what is signed names it. A Token is refused: whoever has one asks [Client.AuthorityToken]. The key may be in
// hardware; it is on P-256, P-384 or P-521, of Ed25519, or of RSA.
func NewHolder(c Config, key crypto.Signer) (*Holder, error) {
	if c.Token != "" {
		return nil, errors.New("countersign: the holder of an account has no Token: the request is signed by the account's key")
	}
	k, err := newAccountKey(key)
	if err != nil {
		return nil, err
	}
	thumbprint, err := Thumbprint(k.jwk)
	if err != nil {
		return nil, err
	}
	caller, err := newClient(c)
	if err != nil {
		return nil, err
	}
	return &Holder{caller, k, thumbprint}, nil
}

// HolderTokenRequest is what an Authority Token for one's own account is to say (RFC 9447), and to whom.
type HolderTokenRequest struct {
	Authority  string // the name that the service has for the authority
	Profile    string
	Identifier Identifier
}

// AuthorityToken gets a token for the account, by which it answers the challenge tkauth-01 of the authority. The request is one of RFC 8555 6.2 to 6.5: signed by
// the account's key, with a nonce of the service. Each attempt is signed anew with a nonce that has not served, the one of the answer before if there was
// one. A refusal is a *Problem; one of the type [BadNonce] comes when every attempt met it.
func (h *Holder) AuthorityToken(ctx context.Context, r HolderTokenRequest) (string, error) {
	fingerprint, err := accountFingerprint(h.thumbprint)
	if err != nil {
		return "", err
	}
	wants := struct {
		Authority string   `json:"authority"`
		Profile   string   `json:"profile"`
		ATC       tokenATC `json:"atc"`
	}{r.Authority, r.Profile, tokenATC{r.Identifier.Type, r.Identifier.Value, fingerprint}}
	payload, err := json.Marshal(wants)
	if err != nil {
		return "", fmt.Errorf("countersign: write the request: %w", err)
	}
	k := call{method: http.MethodPost, path: tokensPath, media: "application/jose+json", public: true}
	nonce := ""
	got, err := h.c.again(ctx, k, func() (r reply, err error) {
		if nonce == "" {
			if nonce, err = h.nonce(ctx); err != nil {
				return r, err
			}
		}
		body, err := h.sign(nonce, h.c.base+k.path, payload)
		if err != nil {
			return r, err
		}
		if len(body) > maxRequest {
			return r, fmt.Errorf("countersign: the request has %d bytes, and %d are taken", len(body), maxRequest)
		}
		r, err = h.c.attempt(ctx, k, body)
		nonce = r.nonce // after a line that broke there is none, and the one that was sent may have served
		return r, err
	})
	if err != nil {
		return "", err
	}
	var made madeToken
	if err := got.read(k, &made); err != nil {
		return "", err
	}
	return made.read()
}

// nonce gets a nonce (RFC 8555 7.2).
func (h *Holder) nonce(ctx context.Context) (string, error) {
	k := call{method: http.MethodHead, path: "/v1/nonce", public: true}
	r, err := h.c.attempt(ctx, k, nil)
	if err == nil && r.nonce == "" {
		err = fmt.Errorf("%w: %s %s: the answer has no nonce", ErrUnavailable, k.method, k.path)
	}
	return r.nonce, err
}

// sign makes a request: a JWS in the flattened form, in which everything is protected (RFC 8555 6.2).
func (h *Holder) sign(nonce, url string, payload []byte) ([]byte, error) {
	header, err := json.Marshal(struct {
		Algorithm string          `json:"alg"`
		JWK       json.RawMessage `json:"jwk"`
		Nonce     string          `json:"nonce"`
		URL       string          `json:"url"`
	}{h.key.algorithm, h.key.jwk, nonce, url})
	if err != nil {
		return nil, fmt.Errorf("countersign: write the request: %w", err)
	}
	protected, body := base64.RawURLEncoding.EncodeToString(header), base64.RawURLEncoding.EncodeToString(payload)
	signature, err := h.key.sign([]byte(protected + "." + body))
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Protected string `json:"protected"`
		Payload   string `json:"payload"`
		Signature string `json:"signature"`
	}{protected, body, base64.RawURLEncoding.EncodeToString(signature)})
}
