package webauthn_test

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/webauthn"
)

func TestAConfigurationIsCheckedAsAWhole(t *testing.T) {
	_, err := webauthn.New(webauthn.Config{Timeout: -1, Algorithms: []int64{-65535}, Policy: webauthn.Policy{Attestation: "all"}, Origins: []string{"example.org"}})
	for _, want := range []string{"id ", "name is empty", "origin \"example.org\"", "timeout", "-65535", "attestation policy"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %q", err, want)
		}
	}
	for _, id := range []string{"", "127.0.0.1", "Example.org", "https://example.org", "example.org:8080", "example.org."} {
		if _, err := webauthn.New(webauthn.Config{ID: id, Name: "x", Origins: []string{"https://" + id}}); err == nil {
			t.Errorf("id %q was taken", id)
		}
	}
	for origin, good := range map[string]bool{
		"https://example.org":          true,
		"https://id.example.org":       true,
		"https://id.example.org:8443":  true,
		"http://example.org":           false,
		"https://example.org/":         false,
		"https://example.org:443":      false,
		"https://example.org:":         false,
		"https://Example.org":          false,
		"https://badexample.org":       false,
		"https://example.org.evil.net": false,
		"https://me@example.org":       false,
		"https://example.org?x":        false,
		"https://":                     false,
		"null":                         false,
		"android:apk-key-hash:x":       false,
	} {
		_, err := webauthn.New(webauthn.Config{ID: "example.org", Name: "x", Origins: []string{origin}})
		if (err == nil) != good {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	for origin, good := range map[string]bool{"http://localhost:8080": true, "http://localhost": true, "http://a.localhost:8080": true, "http://localhost:80": false} {
		if _, err := webauthn.New(webauthn.Config{ID: "localhost", Name: "x", Origins: []string{origin}}); (err == nil) != good {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
}

func TestAAGUIDsAreWrittenInOneForm(t *testing.T) {
	a, err := webauthn.ParseAAGUID("A1A2A3A4-0102-0304-0506-0708090a0b0c")
	if err != nil || a.String() != "a1a2a3a4-0102-0304-0506-0708090a0b0c" || a != model {
		t.Errorf("%s %v", a, err)
	}
	for _, s := range []string{"", "a1a2a3a4", "a1a2a3a401020304050607080 90a0b0c", "a1a2a3a4-0102-0304-0506-0708090a0b0", "a1a2a3a4-0102-0304-0506-0708090a0b0g", "a1a2a3a4-01-2-0304-0506-0708090a0b0c", "{1a2a3a4-0102-0304-0506-0708090a0b0}"} {
		if a, err := webauthn.ParseAAGUID(s); err == nil {
			t.Errorf("%q was read as %s", s, a)
		}
	}
}
