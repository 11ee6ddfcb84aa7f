package acme_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// release lets the authority alpha have MAC keys, as the operator does.
func (w *world) release(t testing.TB, r *proofing.KeyRelease) {
	t.Helper()
	ca, err := w.Authorities.Update(t.Context(), w.ca.ID, func(ca *proofing.Authority) error { ca.Release = r; return nil })
	if err != nil {
		t.Fatal(err)
	}
	w.ca = ca
}

func TestMACKeysAreGivenToNobodyUnlessTheOperatorSaysSo(t *testing.T) {
	w := withDirectory(t)
	free, limited := w.makeKey(t, `{"profile": "client"}`), w.makeKey(t, `{"profile": "client", "identifiers": [{"type": "email", "value": "applicant@example.org"}]}`)
	at := func(k object) string { return "/v1/eab/keys/" + k.text("kid") + "/mac" }
	if p := w.want(t, 403, "GET", at(free), ""); p.text("type") != "urn:countersign:error:keysWithheld" {
		t.Errorf("%v", p)
	}
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	got := w.want(t, 200, "GET", at(free), "")
	if got.text("hmac_key") != free.text("hmac_key") || got.text("algorithm") != "HS256" || got.text("recheck_after") != "2026-11-24T10:00:00Z" {
		t.Errorf("%v", got)
	}
	w.want(t, 404, "GET", at(limited), "")
	w.release(t, &proofing.KeyRelease{Since: w.clock(), Limited: true})
	w.want(t, 200, "GET", at(limited), "")
	if r := w.do(t, "GET", at(free), w.stranger, ""); r.Code != 403 {
		t.Errorf("another authority got %d", r.Code)
	}
	if r := w.do(t, "GET", at(free), "", ""); r.Code != 401 {
		t.Errorf("nobody got %d", r.Code)
	}
	w.want(t, 404, "GET", "/v1/eab/keys/csnone/mac", "")
	if strings.Contains(w.log.String(), free.text("hmac_key")) {
		t.Error("the log has the MAC key")
	}
}

// twoDirectories gives the authority alpha another directory, and a key at each.
func (w *world) twoDirectories(t testing.TB) (production, staging object) {
	t.Helper()
	const other = "https://ca.example/staging/directory"
	ca, err := w.Authorities.Update(t.Context(), w.ca.ID, func(ca *proofing.Authority) error {
		ca.Release = &proofing.KeyRelease{Since: w.clock()}
		ca.Directories, ca.NewAccounts = append(ca.Directories, other), append(ca.NewAccounts, "https://ca.example/staging/new-account")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.ca = ca
	return w.makeKey(t, `{"profile": "client", "directory": "https://ca.example/acme/directory"}`), w.makeKey(t, `{"profile": "client", "directory": "`+other+`"}`)
}

// A CA with one credential for several servers says which of them asks, and is given no key that is for another.
func TestAMACKeyIsGivenToItsDirectoryAlone(t *testing.T) {
	w := withDirectory(t)
	production, staging := w.twoDirectories(t)
	at := func(k object, query string) string { return "/v1/eab/keys/" + k.text("kid") + "/mac" + query }
	const first, second = "?directory=https://ca.example/acme/directory", "?directory=https%3A%2F%2Fca.example%2Fstaging%2Fdirectory"
	if got := w.want(t, 200, "GET", at(production, first), ""); got.text("hmac_key") != production.text("hmac_key") {
		t.Errorf("%v", got)
	}
	w.want(t, 200, "GET", at(staging, second), "")
	w.want(t, 404, "GET", at(production, second), "")
	w.want(t, 404, "GET", at(staging, first), "")
	for _, query := range []string{"", "?directory=https://ca.example/other", first + "&" + second[1:]} {
		if p := w.want(t, 400, "GET", at(production, query), ""); p.text("type") != "urn:ietf:params:acme:error:malformed" || !strings.Contains(p.text("detail"), "which of your directories") {
			t.Errorf("%s: %v", query, p)
		}
	}
	if r := w.do(t, "GET", at(production, "?directory="), w.token, ""); r.Code != 400 {
		t.Errorf("an empty one: %d", r.Code)
	}
}

// Whoever has the MAC key issues to its accounts without asking, and so without those who decide.
func TestAMACKeyIsNotGivenWherePeopleDecide(t *testing.T) {
	for what, decides := range map[string]func(p *proofing.Profile){
		"approvals": func(p *proofing.Profile) { p.Approvals = 1 },
		"EV":        func(p *proofing.Profile) { p.EV = true },
	} {
		w := withDirectory(t)
		w.release(t, &proofing.KeyRelease{Since: w.clock(), Limited: true})
		k := w.makeKey(t, `{"profile": "client"}`)
		path := "/v1/eab/keys/" + k.text("kid") + "/mac"
		w.want(t, 200, "GET", path, "")
		directory := w.ca.Directories[0]
		exported := func() int {
			keys, err := w.ExportKeys(t.Context(), w.ca, directory)
			if err != nil {
				t.Fatal(err)
			}
			return len(keys)
		}
		if n := exported(); n != 1 {
			t.Fatalf("%d keys are exported", n)
		}
		decides(w.Policy.Profiles["client"])
		w.want(t, 404, "GET", path, "")
		if n := exported(); n != 0 {
			t.Errorf("%s: %d keys are exported", what, n)
		}
	}
}

func TestAMACKeyIsGivenNoLongerThanItsProofHolds(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock(), Limited: true})
	c := w.want(t, 201, "POST", caPath, `{"result": "eab_key", "identifier": {"type": "email", "value": "applicant@example.org"}, "profile": "client"}`)
	w.prove(t, c.text("case_url"), applicant)
	link := proofing.Secret(strings.TrimPrefix(c.text("case_url"), "https://proof.example.org/c/"))
	_, k, err := w.CaseKey(t.Context(), proofing.Visit{Link: link, Browser: "browser", Client: "192.0.2.7", Lang: "en"}, "")
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/eab/keys/" + k.Kid + "/mac"
	if got := w.want(t, 200, "GET", path, ""); got.text("hmac_key") != k.Secret.Reveal() {
		t.Errorf("%v", got)
	}
	// A key that its authority has does not end for want of a word from there.
	w.pass(8 * 24 * time.Hour)
	w.want(t, 200, "GET", path, "")
	w.Policy.Profiles["client"].Require.AAL = 1 // what was proved does not reach it, and such an authority sees no levels
	w.want(t, 404, "GET", path, "")
	w.Policy.Profiles["client"].Require.AAL = 0
	w.want(t, 200, "GET", path, "")
	if _, err := w.Revoke(t.Context(), c.text("id"), "test"); err != nil {
		t.Fatal(err)
	}
	w.want(t, 404, "GET", path, "")

	made := w.makeKey(t, `{"profile": "client"}`)
	path = "/v1/eab/keys/" + made.text("kid") + "/mac"
	w.want(t, 200, "GET", path, "")
	if seen := w.want(t, 200, "GET", "/v1/eab/keys/"+made.text("kid"), ""); seen.text("released") == "" || seen["unused_until"] != nil || seen["hmac_key"] != nil {
		t.Errorf("%v", seen)
	}
	w.want(t, 200, "POST", "/v1/eab/keys/"+made.text("kid")+"/revoke", "")
	w.want(t, 404, "GET", path, "")
}

func TestAMACKeyIsNotGivenWithoutANoteOfIt(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	k := w.makeKey(t, `{"profile": "client"}`)
	w.kv.sabotage(func(call string) bool { return call == "apply" })
	if r := w.do(t, "GET", "/v1/eab/keys/"+k.text("kid")+"/mac", w.token, ""); r.Code != http.StatusServiceUnavailable || strings.Contains(r.Body.String(), k.text("hmac_key")) {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	w.kv.sabotage(nil)
	w.want(t, 200, "GET", "/v1/eab/keys/"+k.text("kid")+"/mac", "")
	w.kv.sabotage(func(call string) bool { return call == "apply" })
	w.want(t, 200, "GET", "/v1/eab/keys/"+k.text("kid")+"/mac", "") // noted already: nothing is written again
}
