package client

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// required are the members of a public key that its thumbprint is over, in that order (RFC 7638 3.2, RFC 8037 2).
var required = map[string][]string{
	"EC":  {"crv", "kty", "x", "y"},
	"OKP": {"crv", "kty", "x"},
	"RSA": {"e", "kty", "n"},
}

// Thumbprint is the thumbprint of a public key by which the service knows an account: RFC 7638, SHA-256, base64url without padding.
func Thumbprint(jwk json.RawMessage) (string, error) {
	var members map[string]any
	if err := json.Unmarshal(jwk, &members); err != nil {
		return "", fmt.Errorf("countersign: read the JWK: %w", err)
	}
	kty, _ := members["kty"].(string)
	names, ok := required[kty]
	if !ok {
		return "", errors.New("countersign: the JWK is of no kind that accounts have")
	}
	var b strings.Builder
	for i, name := range names {
		v, ok := members[name].(string)
		if !ok || v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return "", fmt.Errorf("countersign: the JWK's %q is missing or not base64url", name)
		}
		fmt.Fprintf(&b, `%s"%s":"%s"`, map[bool]string{true: "{", false: ","}[i == 0], name, v)
	}
	b.WriteString("}")
	sum := sha256.Sum256([]byte(b.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
