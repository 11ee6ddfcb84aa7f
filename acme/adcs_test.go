package acme_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// adcs does what ACME-Server-ADCS 3.1 does with an external account binding, as its DefaultExternalAccountBindingClient has it: the kid goes
// into the URL as it is, each call has the configured headers and no other, a 2xx is base64url and nothing else, and
// what comes with any other status goes into the problem that the client gets.
type adcs struct {
	url     string
	headers map[string]string
}

func (a adcs) get(t testing.TB, path, kid string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", a.url+strings.ReplaceAll(path, "{kid}", kid), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range a.headers {
		r.Header.Set(name, v)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// mac is its GetEABHMACfromKidAsync, with the detail of the problem for what is refused.
func (a adcs) mac(t testing.TB, kid string) (mac []byte, detail string) {
	t.Helper()
	status, text := a.get(t, "/adcs/mac/{kid}", kid)
	if status/100 != 2 {
		return nil, fmt.Sprintf("Failed to retrieve MAC: (%d) %s", status, text)
	}
	mac, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return mac, ""
}

func TestADCSVerifiesWithTheMACThatItFetches(t *testing.T) {
	w := withDirectory(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	ca := adcs{server.URL, map[string]string{"Authorization": "Bearer " + w.token}}
	k := w.makeKey(t, `{"profile": "client"}`)
	kid := k.text("kid")

	if mac, detail := ca.mac(t, kid); mac != nil || detail != "Failed to retrieve MAC: (403) this key is not known here, or it has ended" {
		t.Errorf("before it is released: %x %s", mac, detail)
	}
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	mac, detail := ca.mac(t, kid)
	if want, _ := base64.RawURLEncoding.DecodeString(k.text("hmac_key")); string(mac) != string(want) {
		t.Errorf("%x %s", mac, detail)
	}
	// Its signals come once, twice or never, and from nobody else.
	for range 2 {
		if status, text := ca.get(t, "/adcs/success/{kid}", kid); status != 204 || text != "" {
			t.Errorf("%d %s", status, text)
		}
	}
	if status, _ := ca.get(t, "/adcs/failed/{kid}", kid); status != 204 {
		t.Errorf("%d", status)
	}
	if status, _ := ca.get(t, "/adcs/failed/{kid}", "csnone"); status != 404 {
		t.Errorf("a failure of a key that is none: %d", status)
	}
	have, err := w.Key(t.Context(), "alpha", kid)
	if err != nil || have.Reported.IsZero() || have.Status(w.clock()) != proofing.KeyActive {
		t.Errorf("%v %v", have, err)
	}
	if log := w.log.String(); strings.Count(log, "told of a binding that failed") != 1 || strings.Contains(log, k.text("hmac_key")) || strings.Contains(log, w.token) {
		t.Errorf("the log:\n%s", log)
	}
}

func TestADCSSaysInItsURLWhichDirectoryItIs(t *testing.T) {
	w := withDirectory(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	ca := adcs{server.URL, map[string]string{"Authorization": "Bearer " + w.token}}
	production, staging := w.twoDirectories(t)
	for path, want := range map[string]string{
		"/adcs/mac/{kid}?directory=https%3A%2F%2Fca.example%2Facme%2Fdirectory": production.text("hmac_key"),
		"/adcs/mac/{kid}": "this server does not say which of its directories it is: its operator must put that into its MACRetrievalUrl",
	} {
		if _, text := ca.get(t, path, production.text("kid")); text != want {
			t.Errorf("%s: %s", path, text)
		}
		if _, text := ca.get(t, path, staging.text("kid")); text == staging.text("hmac_key") {
			t.Errorf("%s: it is given the key of another directory", path)
		}
	}
	if r := w.do(t, "GET", "/adcs/mac/"+production.text("kid"), w.token, ""); r.Code != 400 { // held against the document
		t.Errorf("%d", r.Code)
	}
}

// TestADCSGivesClientsNothingToLearn: what we answer reaches whoever tries a binding.
func TestADCSGivesClientsNothingToLearn(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	server := httptest.NewServer(w.handler)
	defer server.Close()
	ca := adcs{server.URL, map[string]string{"Authorization": "Bearer " + w.token}}
	revoked := w.makeKey(t, `{"profile": "client"}`).text("kid")
	w.want(t, 200, "POST", "/v1/eab/keys/"+revoked+"/revoke", "")
	limited := w.makeKey(t, `{"profile": "client", "identifiers": [{"type": "email", "value": "applicant@example.org"}]}`).text("kid")
	r := w.do(t, "POST", "/v1/eab/keys", w.stranger, `{"profile": "client"}`)
	foreign := decode(t, r).text("kid")
	for what, kid := range map[string]string{"unknown": "csnone", "revoked": revoked, "limited": limited, "another CA's": foreign, "odd": "a%2Fb"} {
		if _, detail := ca.mac(t, kid); detail != "Failed to retrieve MAC: (404) this key is not known here, or it has ended" {
			t.Errorf("%s: %s", what, detail)
		}
	}
	if _, detail := (adcs{url: server.URL}).mac(t, revoked); !strings.HasPrefix(detail, "Failed to retrieve MAC: (401) the service that knows the keys cannot be asked now") {
		t.Errorf("without its header: %s", detail)
	}
	w.kv.sabotage(func(string) bool { return true })
	defer w.kv.sabotage(nil)
	if _, detail := ca.mac(t, revoked); !strings.HasPrefix(detail, "Failed to retrieve MAC: (503) the service that knows the keys cannot be asked now") {
		t.Errorf("with the store down: %s", detail)
	}
	for _, path := range []string{"/adcs/mac/csnone", "/adcs/success/csnone", "/adcs/failed/csnone"} { // held against the document
		w.do(t, "GET", path, w.token, "")
		w.do(t, "GET", path, "", "")
	}
}
