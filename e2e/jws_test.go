package e2e

import (
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
)

// verifyES256 checks a compact JWS against a key set, with nothing but the
// standard library: an integrator needs no more.
func verifyES256(jwks, token string) error {
	resp, err := http.Get(jwks)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var set struct {
		Keys []struct{ Kid, Kty, Crv, X, Y, D string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return err
	}
	parts := strings.Split(token, ".")
	var header struct{ Alg, Typ, Kid string }
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return err
	}
	if header.Alg != "ES256" || header.Typ != "countersign-statement+jwt" {
		return fmt.Errorf("header %s", text)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		return fmt.Errorf("a signature of %d bytes: %v", len(signature), err)
	}
	for _, k := range set.Keys {
		if k.D != "" {
			return errors.New("a private key is published")
		}
		if k.Kid != header.Kid {
			continue
		}
		x, _ := base64.RawURLEncoding.DecodeString(k.X)
		y, _ := base64.RawURLEncoding.DecodeString(k.Y)
		key := ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if !ecdsa.Verify(&key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			return errors.New("it does not verify")
		}
		return nil
	}
	return fmt.Errorf("no key %q is published", header.Kid)
}
