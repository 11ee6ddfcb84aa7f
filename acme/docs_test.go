package acme_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestManualIsAPageWithoutScript(t *testing.T) {
	w := newWorld(t)
	r := w.do(t, "GET", "/docs", "", "")
	if r.Code != http.StatusOK || !strings.HasPrefix(r.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s", r.Code, r.Header().Get("Content-Type"))
	}
	page := r.Body.String()
	for _, bad := range []string{"<script", "onclick", "src=", "http-equiv", "ZgotmplZ", "<no value>", "$ref"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	for _, want := range []string{`id="openPreauthorization"`, `id="schema-Authorization"`, "identifiers", "idempotencyKeyReused", "width=device-width", "prefers-color-scheme:dark"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	style := page[strings.Index(page, "<style>")+len("<style>") : strings.Index(page, "</style>")]
	sum := sha256.Sum256([]byte(style))
	policy := r.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy does not name the style sheet: %s", policy)
	}
}

func TestPublicDocumentsAreCachedByTag(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/docs", "/openapi.yaml", "/openapi.json", "/.well-known/jwks.json"} {
		first := w.do(t, "GET", path, "", "")
		tag := first.Header().Get("ETag")
		if first.Code != http.StatusOK || tag == "" || !strings.Contains(first.Header().Get("Cache-Control"), "max-age=") {
			t.Errorf("%s: %d %v", path, first.Code, first.Header())
		}
		if again := w.do(t, "GET", path, "", "", "If-None-Match", tag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s again: %d", path, again.Code)
		}
	}
}
