package acme_test

import (
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/acme"
)

// TestWhoHasAsMuchInHandAsTheyMayIsToldToComeAgain asks in each dialect while the authority has all of its places: nothing was judged, and the answer says
// so in what each takes for "later".
func TestWhoHasAsMuchInHandAsTheyMayIsToldToComeAgain(t *testing.T) {
	w := newStepWorld(t)
	w.handler = acme.New(acme.Options{Service: w.Service, Origin: apiOrigin, Replies: w.replies, Keys: w.keys, Log: slog.New(slog.NewJSONHandler(w.log, nil)), Shares: acme.NewShares(0, 0)})

	r := w.do(t, "GET", "/v1/preauthorizations/07k3v9r2m5n8p1q4s6t0w2x5y8z", w.token, "")
	if r.Code != http.StatusTooManyRequests || r.Header().Get("Retry-After") != "1" {
		t.Errorf("the API: %d %v", r.Code, r.Header())
	}
	body, err := json.Marshal(w.enriching(t, pkix.Name{}))
	if err != nil {
		t.Fatal(err)
	}
	// step-ca asks again after a 5xx, and takes a 200 for the last word.
	if r := w.exchange(t, w.sign(t, "alpha", "enriching", "id-of-enriching", stepSecret("enriching"), body), string(body)); r.Code != http.StatusServiceUnavailable {
		t.Errorf("step-ca: %d %s", r.Code, r.Body)
	}
	// ACME-Server-ADCS shows the words to its client.
	server := httptest.NewServer(w.handler)
	defer server.Close()
	status, text := adcs{server.URL, map[string]string{"Authorization": "Bearer " + w.token}}.get(t, "/adcs/mac/{kid}", "csnone")
	if status != http.StatusTooManyRequests || !strings.Contains(text, "try again") {
		t.Errorf("ACME-Server-ADCS: %d %s", status, text)
	}
}
