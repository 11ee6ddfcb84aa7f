package webauthn_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

func TestEditionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	now := w.clock.at
	other, err := webauthntest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	site, err := webauthntest.NewAuthorityNamed("shop.example", webauthntest.To)
	if err != nil {
		t.Fatal(err)
	}
	good := string(w.edition(6, now.AddDate(0, 1, 0)))
	signed := func(payload string, header map[string]any) string {
		h := map[string]any{"alg": "ES256", "x5c": [][]byte{w.authority.SignerCertificate()}}
		for k, v := range header {
			h[k] = v
		}
		blob, err := w.authority.Sign(h, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return string(blob)
	}
	payload := `{"no":6,"nextUpdate":"2026-12-23","entries":[]}`
	with := func(entry string) string {
		return signed(`{"no":6,"nextUpdate":"2026-12-23","entries":[`+entry+`]}`, nil)
	}
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct{ blob, want string }{
		"nothing":                       {"", "not three parts"},
		"HTML":                          {"<html>", "not three parts"},
		"four parts":                    {good + ".x", "not three parts"},
		"another payload":               {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + parts[2], "does not verify"},
		"a signature that is cut off":   {good[:len(good)-2], "does not verify"},
		"another authority":             {string(mustEdition(t, other, 6, now.AddDate(0, 1, 0))), "unknown authority"},
		"no algorithm":                  {signed(payload, map[string]any{"alg": "none"}), "does not verify"},
		"a MAC":                         {signed(payload, map[string]any{"alg": "HS256"}), "does not verify"},
		"RS256 with an EC key":          {signed(payload, map[string]any{"alg": "RS256"}), "does not verify"},
		"certificates elsewhere":        {signed(payload, map[string]any{"x5u": "https://example.net"}), "x5u is not accepted"},
		"a key in the header":           {signed(payload, map[string]any{"jwk": map[string]any{}}), "jwk is not accepted"},
		"more that must be understood":  {signed(payload, map[string]any{"crit": []string{"b64"}, "b64": false}), "is not accepted"},
		"no certificates":               {signed(payload, map[string]any{"x5c": []string{}}), "not a chain"},
		"a certificate that is none":    {signed(payload, map[string]any{"x5c": []string{"AAAA"}}), "x5c:"},
		"the root as the signer":        {signed(payload, map[string]any{"x5c": [][]byte{w.authority.MetadataRoot.Raw}}), "does not verify"},
		"no payload":                    {signed(`{}`, nil), "number 0"},
		"a number below zero":           {signed(`{"no":-6,"nextUpdate":"2026-12-23","entries":[]}`, nil), "number -6"},
		"no next update":                {signed(`{"no":6,"entries":[]}`, nil), "next update"},
		"a payload that is no JSON":     {signed(`x`, nil), "payload"},
		"an AAGUID that is none":        {with(`{"aaguid":"x"}`), "entry 0"},
		"a model twice":                 {with(`{"aaguid":"` + model.String() + `"},{"aaguid":"` + model.String() + `"}`), "comes twice"},
		"a date that is none":           {with(`{"aaguid":"` + model.String() + `","statusReports":[{"status":"REVOKED","effectiveDate":"soon"}]}`), "status report 0"},
		"an entry that is none":         {with(`7`), "payload"},
		"a site's certificate":          {"", "shop.example"},
		"an older edition":              {string(w.edition(4, now.AddDate(0, 1, 0))), "older than edition 5"},
		"another edition of the number": {string(w.edition(5, now.AddDate(0, 2, 0))), "two different editions 5"},
		"one that is out of date":       {string(w.edition(6, now.AddDate(0, 0, -1))), "out of date"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, clock: w.clock, authority: w.authority, blob: &blobSource{}}
			if name == "a site's certificate" {
				// It leads to the same root, as certificates of the public Web do.
				w.authority, c.blob = site, string(mustEdition(t, site, 6, now.AddDate(0, 1, 0)))
				w.mds, err = webauthn.OpenMDS(t.Context(), webauthn.MDSConfig{Source: w.blob, Roots: []*x509.Certificate{site.MetadataRoot}, Now: w.clock.now})
			} else {
				w.mds, err = webauthn.OpenMDS(t.Context(), webauthn.MDSConfig{Source: w.blob, Roots: []*x509.Certificate{w.authority.MetadataRoot}, Now: w.clock.now})
				w.publish(5, webauthntest.Model{AAGUID: model})
			}
			if err != nil {
				t.Fatal(err)
			}
			before := w.mds.Info()
			w.blob.data = []byte(c.blob)
			err := w.mds.Refresh(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if after := w.mds.Info(); after != before {
				t.Errorf("in use is %+v, and was %+v", after, before)
			}
		})
	}
}

func mustEdition(t *testing.T, a *webauthntest.Authority, number int, next time.Time) []byte {
	t.Helper()
	blob, err := a.Edition(number, next, webauthntest.Model{AAGUID: model})
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestEditionsFollowOneAnother(t *testing.T) {
	w := newWorld(t)
	if i := w.mds.Info(); i != (webauthn.MDSInfo{}) {
		t.Errorf("before the first: %+v", i)
	}
	// One that is out of date is better than none.
	w.blob.data = w.edition(3, w.clock.at.AddDate(0, 0, -1), webauthntest.Model{AAGUID: model})
	if err := w.mds.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if i := w.mds.Info(); i.Number != 3 || i.Fresh || i.Models != 1 {
		t.Errorf("stale: %+v", i)
	}
	w.publish(7, webauthntest.Model{AAGUID: model})
	if err := w.mds.Refresh(t.Context()); err != nil { // the same again
		t.Error(err)
	}
	next := w.mds.Info().NextUpdate
	if i := w.mds.Info(); i.Number != 7 || !i.Fresh {
		t.Errorf("fresh: %+v", i)
	}
	// It is good until the end of the day of its next update, in UTC.
	w.clock.at = next.Add(24*time.Hour - time.Second)
	if !w.mds.Info().Fresh {
		t.Error("out of date on the day of the next update")
	}
	w.clock.at = next.Add(24 * time.Hour)
	if w.mds.Info().Fresh {
		t.Error("fresh on the day after the next update")
	}
	w.blob.err = errors.New("no route")
	if err := w.mds.Refresh(t.Context()); err == nil || w.mds.Info().Number != 7 {
		t.Errorf("%v, %+v", err, w.mds.Info())
	}
}

func TestAnEditionMayBeSignedWithRSA(t *testing.T) {
	w := newWorld(t)
	if err := w.authority.UseRSA(2048); err != nil {
		t.Fatal(err)
	}
	w.publish(1, webauthntest.Model{AAGUID: model})
	blob := w.edition(2, w.clock.at.AddDate(0, 1, 0))
	head, _, _ := strings.Cut(string(blob), ".")
	if raw, err := base64.RawURLEncoding.DecodeString(head); err != nil || !bytes.Contains(raw, []byte(`"RS256"`)) {
		t.Errorf("header %s, %v", raw, err)
	}
	payload := []byte(`{"no":3,"nextUpdate":"2026-12-23","entries":[]}`)
	for _, algorithm := range []string{"ES256", "PS256", "RS512", "none"} {
		var err error
		if w.blob.data, err = w.authority.Sign(map[string]any{"alg": algorithm, "x5c": [][]byte{w.authority.SignerCertificate()}}, payload); err != nil {
			t.Fatal(err)
		}
		if err := w.mds.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "does not verify") {
			t.Errorf("an RSA key with %s: %v", algorithm, err)
		}
	}
	if err := w.authority.UseRSA(1024); err != nil {
		t.Fatal(err)
	}
	w.blob.data = w.edition(3, w.clock.at.AddDate(0, 1, 0))
	if err := w.mds.Refresh(t.Context()); err == nil || w.mds.Info().Number != 1 {
		t.Errorf("a key of 1024 bits: %v", err)
	}
}

func TestAnEditionWhoseSignerExpiredIsOutOfDate(t *testing.T) {
	w := newWorld(t)
	ends := w.clock.at.Add(48 * time.Hour)
	short, err := webauthntest.NewAuthorityNamed(webauthntest.Signer, ends)
	if err != nil {
		t.Fatal(err)
	}
	keep := webauthn.KeptFile(filepath.Join(t.TempDir(), "mds.jwt"))
	config := webauthn.MDSConfig{Source: w.blob, Roots: []*x509.Certificate{short.MetadataRoot}, Now: w.clock.now, Keep: keep}
	if w.mds, err = webauthn.OpenMDS(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	w.authority = short
	w.publish(1, webauthntest.Model{AAGUID: model})
	if !w.mds.Info().Fresh {
		t.Error("not fresh")
	}
	w.clock.at = ends.Add(time.Hour)
	again, err := webauthn.OpenMDS(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*webauthn.MDS{w.mds, again} {
		if i := m.Info(); i.Fresh || i.Models != 1 {
			t.Errorf("%+v", i)
		}
	}
}

func TestARestartNeitherForgetsNorFallsBack(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "mds.jwt")
	config := webauthn.MDSConfig{Source: w.blob, Roots: []*x509.Certificate{w.authority.MetadataRoot}, Now: w.clock.now, Keep: webauthn.KeptFile(path)}
	open := func() *webauthn.MDS {
		t.Helper()
		m, err := webauthn.OpenMDS(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first, second := open(), open() // two processes
	next := w.clock.at.AddDate(0, 1, 0)
	five, six := w.edition(5, next), w.edition(6, next)
	w.blob.data = six
	if err := first.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.blob.data = five
	if err := second.Refresh(t.Context()); err == nil || second.Info().Number != 0 {
		t.Errorf("the second process took edition %d while 6 is kept: %v", second.Info().Number, err)
	}
	again := open()
	if again.Info().Number != 6 {
		t.Errorf("after a restart: %+v", again.Info())
	}
	if err := again.Refresh(t.Context()); err == nil {
		t.Error("edition 5 followed edition 6")
	}
	if left, err := filepath.Glob(path + "*"); err != nil || len(left) != 1 {
		t.Errorf("files %v, %v", left, err)
	}
	if err := os.WriteFile(path, five[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := webauthn.OpenMDS(t.Context(), config); err == nil || !strings.Contains(err.Error(), "kept edition") {
		t.Errorf("a spoilt file: %v", err)
	}
	// What cannot be kept is not taken into use, so that no restart falls behind it.
	config.Keep = webauthn.KeptFile(filepath.Join(t.TempDir(), "no such folder", "mds.jwt"))
	m := open()
	if err := m.Refresh(t.Context()); err == nil || m.Info().Number != 0 {
		t.Errorf("%v, %+v", err, m.Info())
	}
}

func TestAnEditionComesFromAFile(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "blob.jwt")
	m, err := webauthn.OpenMDS(t.Context(), webauthn.MDSConfig{Source: webauthn.File(path), Roots: []*x509.Certificate{w.authority.MetadataRoot}, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Refresh(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(path, append(w.edition(1, w.clock.at), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Refresh(t.Context()); err != nil || m.Info().Number != 1 {
		t.Errorf("%v, %+v", err, m.Info())
	}
}

func TestAnEditionComesFromAURL(t *testing.T) {
	w := newWorld(t)
	blob := w.edition(1, w.clock.at)
	var asked atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(rw http.ResponseWriter, _ *http.Request) { asked.Add(1); rw.Write(blob) })
	mux.HandleFunc("/moved", func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/good", http.StatusFound) })
	mux.HandleFunc("/error", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500); rw.Write(blob) })
	mux.HandleFunc("/endless", func(rw http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := rw.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, want := range map[string]string{"/good": "", "/moved": "status 302", "/error": "status 500", "/endless": "more than"} {
		m, err := webauthn.OpenMDS(t.Context(), webauthn.MDSConfig{
			Source: webauthn.URL{Address: server.URL + path, Client: server.Client()}, Roots: []*x509.Certificate{w.authority.MetadataRoot}, Now: w.clock.now,
		})
		if err != nil {
			t.Fatal(err)
		}
		err = m.Refresh(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// TestTheMetadataIsRefreshedDaily lets days pass in no time.
func TestTheMetadataIsRefreshedDaily(t *testing.T) {
	authority, err := webauthntest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		source := &scripted{}
		m, err := webauthn.OpenMDS(t.Context(), webauthn.MDSConfig{Source: source, Roots: []*x509.Certificate{authority.MetadataRoot}})
		if err != nil {
			t.Fatal(err)
		}
		source.next = func(n int) ([]byte, error) {
			if n == 2 || n == 3 {
				return nil, errors.New("no route")
			}
			return authority.Edition(n, time.Now().AddDate(0, 0, 2))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var reported int
		done := make(chan struct{})
		start := time.Now()
		go func() {
			m.Run(ctx, func(error) { reported++ })
			close(done)
		}()
		time.Sleep(50*time.Hour + time.Minute)
		synctest.Wait()
		want := []time.Duration{0, 24 * time.Hour, 25 * time.Hour, 26 * time.Hour, 50 * time.Hour}
		if len(source.at) != len(want) || reported != 2 || !m.Info().Fresh {
			t.Errorf("fetched at %v, reported %d, %+v", source.at, reported, m.Info())
		}
		for i := range min(len(want), len(source.at)) {
			if got := source.at[i].Sub(start); got != want[i] {
				t.Errorf("fetch %d after %v, want %v", i, got, want[i])
			}
		}
		cancel()
		<-done
	})
}

type scripted struct {
	next func(n int) ([]byte, error)
	at   []time.Time
}

func (s *scripted) Fetch(context.Context) ([]byte, error) {
	s.at = append(s.at, time.Now())
	return s.next(len(s.at))
}

func TestU2FKeysAreFoundByTheirCertificates(t *testing.T) {
	data := readVector(t, "fido-u2f-es256")
	ca, err := x509.ParseCertificate(readVector(t, "attestation-ca")["certificate"])
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *webauthn.Config) { c.Origins = []string{"https://example.org"} })
	at := bytes.Index(data["create.attestationObject"], []byte{0x30, 0x82}) // the certificate
	leaf, err := x509.ParseCertificate(data["create.attestationObject"][at : at+4+int(data["create.attestationObject"][at+2])<<8+int(data["create.attestationObject"][at+3])])
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{"no": 1, "nextUpdate": "2026-12-23", "entries": []any{map[string]any{
		"attestationCertificateKeyIdentifiers": []string{strings.ToUpper(hex.EncodeToString(leaf.SubjectKeyId))},
		"metadataStatement":                    map[string]any{"description": "Old Key", "attestationTypes": []string{"basic_full"}, "attestationRootCertificates": [][]byte{ca.Raw}},
		"statusReports":                        []any{map[string]any{"status": "FIDO_CERTIFIED"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if w.blob.data, err = w.authority.Sign(map[string]any{"alg": "ES256", "x5c": [][]byte{w.authority.SignerCertificate()}}, payload); err != nil {
		t.Fatal(err)
	}
	if err := w.mds.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, state, err := w.rp.BeginRegistration(webauthn.NewRegistration{User: person, Name: "me", Nonce: random(32), UserVerification: webauthn.Preferred})
	if err != nil {
		t.Fatal(err)
	}
	w.rp.FixChallenge(data["create.challenge"])
	made, err := w.rp.FinishRegistration(state, webauthn.RegistrationAnswer{Response: response(t, data, "create.")})
	if err != nil {
		t.Fatal(err)
	}
	if a := made.Facts.Attestation; !a.Trusted || a.Type != "basic" || made.Credential.Model != "Old Key" || len(a.Status) != 1 {
		t.Errorf("%+v of %q", a, made.Credential.Model)
	}
}

// TestFIDOsRootsAreThoseThatItNames has the fingerprints that GlobalSign publishes.
func TestFIDOsRootsAreThoseThatItNames(t *testing.T) {
	data, err := os.ReadFile("mds_roots.pem")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"4fa3126d8d3a11d1c4855a4f807cbad6cf919d3a5a88b03bea2c6372d93c40c9": "GlobalSign Root R46",
		"cbb522d7b7f127ad6a0113865bdf1cd4102e7d0759af635a7cf4720dc963c53b": "GlobalSign", // R3
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(cert.Raw)
		if name := want[hex.EncodeToString(sum[:])]; name != cert.Subject.CommonName {
			t.Errorf("%x is %s", sum, cert.Subject)
		}
		delete(want, hex.EncodeToString(sum[:]))
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if _, err := webauthn.OpenMDS(t.Context(), webauthn.MDSConfig{Source: &blobSource{}}); err != nil {
		t.Error(err)
	}
}
