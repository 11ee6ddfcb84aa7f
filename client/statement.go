package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Claims are what a statement says.
type Claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"` // the person, under a name for this authority alone
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	// ACR is urn:countersign:acr:<framework>:ial-<n|none>:aal-<n|none>.
	ACR string   `json:"acr"`
	AMR []string `json:"amr"` // RFC 8176
	// Confirmation names the key that the statement is for.
	Confirmation struct {
		Thumbprint string `json:"jkt,omitempty"`
		PublicKey  string `json:"spki#S256,omitempty"`
	} `json:"cnf"`
	Authorization json.RawMessage `json:"authorization"`
}

// ErrStatement is wrapped by the error of a statement that is not to be relied on.
var ErrStatement = errors.New("countersign: the statement is not good")

// skew is how far the service's clock may be ahead of ours.
const skew = time.Minute

// VerifyStatement says whether the service signed the statement for this authority and whether it still holds, and returns its claims. audience is the
// authority's name at the service.
func (c *Client) VerifyStatement(ctx context.Context, statement, audience string) (*Claims, error) {
	parts := strings.Split(statement, ".")
	if len(parts) != 3 || len(statement) > maxRequest {
		return nil, fmt.Errorf("%w: it is no JWT", ErrStatement)
	}
	var header struct {
		Alg  string   `json:"alg"`
		Typ  string   `json:"typ"`
		Kid  string   `json:"kid"`
		Crit []string `json:"crit"`
	}
	var claims Claims
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(signature) != 64 || decodePart(parts[0], &header) != nil || decodePart(parts[1], &claims) != nil {
		return nil, fmt.Errorf("%w: it cannot be read", ErrStatement)
	}
	if header.Alg != "ES256" || header.Typ != "countersign-statement+jwt" || header.Crit != nil {
		return nil, fmt.Errorf("%w: it is of another kind", ErrStatement)
	}
	key, err := c.keys.find(ctx, c, header.Kid)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return nil, fmt.Errorf("%w: the signature is wrong", ErrStatement)
	}
	now := c.now()
	switch {
	case audience == "" || claims.Audience != audience:
		return nil, fmt.Errorf("%w: it is for %q", ErrStatement, claims.Audience)
	case !now.Before(time.Unix(claims.Expires, 0)):
		return nil, fmt.Errorf("%w: it has run out", ErrStatement)
	case now.Add(skew).Before(time.Unix(claims.IssuedAt, 0)):
		return nil, fmt.Errorf("%w: it was signed in the future", ErrStatement)
	}
	return &claims, nil
}

func decodePart(part string, into any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

const (
	// keysHold is how long the service's keys may be kept.
	keysHold = 5 * time.Minute
	// keysAgain is how often an unknown kid may have us look again, so that forged ones cannot make us call without end.
	keysAgain = 10 * time.Second
)

// keySet is what was last fetched of the keys that statements are signed with.
type keySet struct {
	mu      sync.Mutex
	fetched time.Time
	keys    map[string]*ecdsa.PublicKey
}

func (s *keySet) find(ctx context.Context, c *Client, kid string) (*ecdsa.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := c.now().Sub(s.fetched)
	if key := s.keys[kid]; key != nil && age < keysHold {
		return key, nil
	}
	if s.keys == nil || age >= keysAgain {
		if err := s.fetch(ctx, c); err != nil {
			return nil, err
		}
	}
	if key := s.keys[kid]; key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("%w: it is signed with a key that the service does not have", ErrStatement)
}

func (s *keySet) fetch(ctx context.Context, c *Client) error {
	set, err := fetch[struct {
		Keys []struct{ Kty, Crv, Kid, X, Y string }
	}](ctx, c, call{method: http.MethodGet, path: "/.well-known/jwks.json", public: true})
	if err != nil {
		return err
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, k := range set.Keys {
		x, errX := base64.RawURLEncoding.DecodeString(k.X)
		y, errY := base64.RawURLEncoding.DecodeString(k.Y)
		if k.Kty != "EC" || k.Crv != "P-256" || errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
			continue // of a kind that a later service may have
		}
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return fmt.Errorf("%w: a key of the service is no point of its curve", ErrUnavailable)
		}
		keys[k.Kid] = key
	}
	s.keys, s.fetched = keys, c.now()
	return nil
}

// Statement reads the authorization and returns its statement, verified. One that is not valid, or is frozen, has none.
func (c *Client) Statement(ctx context.Context, id, audience string) (*Claims, error) {
	a, err := c.Authorization(ctx, id)
	if err != nil {
		return nil, err
	}
	if a.Statement == "" {
		return nil, fmt.Errorf("%w: there is none, the authorization is %s %s", ErrStatement, a.Status, a.Reason)
	}
	return c.VerifyStatement(ctx, a.Statement, audience)
}
