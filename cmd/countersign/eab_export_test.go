package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestKeysAreExportedForPebble(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.addCA("other")
	issue := func(name string) (k *proofing.Key) {
		d.service(func(s *proofing.Service) {
			ca, err := s.Authority(t.Context(), name)
			if err == nil {
				k, err = s.IssueKey(t.Context(), ca, proofing.KeyRequest{Profile: ca.Profiles[0]})
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		return k
	}
	mine, revoked := issue("example"), issue("example")
	issue("other")
	d.run(exitOK, "eab", "revoke", "example", revoked.Kid)

	out, said := d.run(exitOK, "eab", "export", "pebble", "example")
	var config map[string]map[string]any
	if err := json.Unmarshal([]byte(out), &config); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	pebble := config["pebble"]
	keys, _ := pebble["externalAccountMACKeys"].(map[string]any)
	if len(config) != 1 || len(pebble) != 2 || pebble["externalAccountBindingRequired"] != true || len(keys) != 1 || keys[mine.Kid] != mine.Secret.Reveal() {
		t.Errorf("exported is\n%s", out)
	}
	if _, err := base64.RawURLEncoding.DecodeString(mine.Secret.Reveal()); err != nil {
		t.Errorf("Pebble does not start with a key that is not base64url: %v", err)
	}
	contains(t, said, "the MAC keys of example, 1 of them", "until this is run again")
	if strings.Contains(said, mine.Secret.Reveal()) {
		t.Error("the warning has the MAC key")
	}

	d.run(exitOK, "eab", "revoke", "example", mine.Kid)
	out, _ = d.run(exitOK, "eab", "export", "pebble", "example")
	contains(t, out, `"externalAccountMACKeys": {}`) // no null: Pebble is to require what nobody has
	_, said = d.run(exitUsage, "eab", "export", "pebble", "example", "--directory", "https://ca.example/none")
	contains(t, said, "not a directory of this certificate authority")
	d.run(exitUsage, "eab", "export", "pebble", "nobody")
	d.run(exitOK, "ca", "revoke", "other")
	_, said = d.run(exitUsage, "eab", "export", "pebble", "other")
	contains(t, said, `"other" was revoked`)
}
