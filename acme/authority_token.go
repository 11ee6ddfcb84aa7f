package acme

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/proofing"
)

// Authority Tokens (RFC 9447): a JWT by which an ACME client answers the challenge tkauth-01 of a CA that does not ask us. It names the
// account and the identifier, and carries the certificate of whoever signed it. It is made from a grant, for the
// types that the CA takes.

// makeToken makes a token for an account that has a grant. What the request has of the token is the "atc" of RFC 9447.
func (a *api) makeToken(c *call) (answer, error) {
	if a.TokenCertificate == nil {
		return answer{}, newProblem(typeNotFound, "this service makes no Authority Tokens: its operator has set no certificate for them")
	}
	r, err := readTokenRequest(c.body)
	if err != nil {
		return answer{}, err
	}
	cert := a.TokenCertificate()
	t, one, err := a.Service.ClaimAuthority(c.Context(), c.ca, r, cert.Leaf.NotAfter)
	if err != nil {
		return answer{}, err
	}
	return a.sendToken(c, cert, t, one)
}

// sendToken answers with a token of the claims, or with what stands in the way of one.
func (a *api) sendToken(c *call, cert *tls.Certificate, t *proofing.AuthorityClaim, one proofing.Authorization) (answer, error) {
	switch {
	case t == nil && one.Problem == "missing":
		return answer{}, newProblem(typeUnauthorized, "this account has no authorization for the identifier under this profile: open one")
	case t == nil:
		return answer{}, a.verdictProblem(proofing.Verdict{Authorizations: []proofing.Authorization{one}})
	}
	token, err := signToken(cert, t.Claims)
	if err != nil {
		return answer{}, err
	}
	a.Log.LogAttrs(c.Context(), slog.LevelInfo, "made an authority token", slog.String("ca", c.ca.Name), slog.String("by", c.by), slog.String("case", t.Case.ID),
		slog.String("jti", fmt.Sprint(t.Claims["jti"])), slog.Time("expires", t.Expires))
	return jsonAnswer(http.StatusOK, struct {
		Token string `json:"token"`
	}{token})
}

func readTokenRequest(body []byte) (proofing.TokenRequest, error) {
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return proofing.TokenRequest{}, err
	}
	r := readToken(o)
	return r, m.err()
}

// readToken reads what a token shall say.
func readToken(o *object) proofing.TokenRequest {
	o.require("profile")
	o.require("atc")
	r := proofing.TokenRequest{Profile: o.text("profile", 64)}
	if atc := o.object("atc"); atc != nil {
		for _, name := range []string{"tktype", "tkvalue", "fingerprint"} {
			atc.require(name)
		}
		r.Identifier = proofing.Identifier{Type: atc.text("tktype", 64), Value: atc.text("tkvalue", 1024)}
		if v, ok := atc.member("ca", isOther); ok {
			if r.CA = v.text == "true"; !r.CA && v.text != "false" {
				atc.mistake("ca", `"ca" must be true or false`)
			}
		}
		if given := atc.text("fingerprint", 128); given != "" {
			thumbprint, ok := proofing.ParseFingerprint(given)
			if !ok {
				atc.mistake("fingerprint", `must be "SHA256 " and the 32 bytes of the account key's thumbprint (RFC 8555 8.1) in upper-case hexadecimal, with colons between them`)
			}
			r.Thumbprint = thumbprint
		}
		atc.closed()
	}
	o.closed()
	return r
}

// signToken signs with ES256 and puts the certificate with its intermediates into the header.
func signToken(cert *tls.Certificate, claims map[string]any) (string, error) {
	var chain []string
	for _, der := range cert.Certificate { // RFC 7515 4.1.6: base64, and not base64url
		chain = append(chain, base64.StdEncoding.EncodeToString(der))
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode authority token: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: cert.PrivateKey}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5c", chain))
	if err != nil {
		return "", fmt.Errorf("make signer of authority tokens: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign authority token: %w", err)
	}
	return jws.CompactSerialize()
}
