package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestKeysAreExportedForAcme2certifier(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.addCA("other")
	var free, limited, ended *proofing.Key
	d.service(func(s *proofing.Service) {
		make := func(r proofing.KeyRequest) *proofing.Key {
			ca, err := s.Authority(t.Context(), "example")
			if err != nil {
				t.Fatal(err)
			}
			r.Profile = ca.Profiles[0]
			k, err := s.IssueKey(t.Context(), ca, r)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		free, ended = make(proofing.KeyRequest{}), make(proofing.KeyRequest{})
		limited = make(proofing.KeyRequest{Identifiers: []proofing.Identifier{{Type: "email", Value: "applicant@example.org"}}})
	})
	d.run(exitOK, "eab", "revoke", "example", ended.Kid)
	export := []string{"eab", "export", "acme2certifier", "example"}
	out, said := d.run(exitUsage, export...)
	contains(t, said, "countersign ca mac-keys release example")
	if out != "" {
		t.Errorf("something is exported:\n%s", out)
	}

	_, said = d.run(exitOK, "ca", "mac-keys", "release", "example")
	contains(t, said, "decides by itself", "--limited")
	out, said = d.run(exitOK, export...)
	var keys map[string]string
	if err := json.Unmarshal([]byte(out), &keys); err != nil || len(keys) != 1 || keys[free.Kid] != free.Secret.Reveal() {
		t.Errorf("%v: %v", err, keys)
	}
	contains(t, said, "exported 1 keys of example", "1 active ones are withheld")
	if strings.Contains(said, free.Secret.Reveal()) {
		t.Error("the words have a MAC key")
	}

	d.run(exitOK, "ca", "mac-keys", "release", "example", "--limited")
	file := filepath.Join(d.dir, "key_file.csv")
	if err := os.WriteFile(file, []byte("the one before"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ = d.run(exitOK, append(export, "--format", "csv", "--file", file)...)
	text, err := os.ReadFile(file)
	if err != nil || out != "" {
		t.Errorf("%v, and on standard output %q", err, out)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[0], ",") != "eab_kid,eab_mac" || !strings.Contains(string(text), limited.Kid+","+limited.Secret.Reveal()) {
		t.Errorf("%v:\n%s", err, text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(d.dir, ".export-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	out, _ = d.run(exitOK, "eab", "list", "example", "--json")
	contains(t, out, `"released"`)
	out, _ = d.run(exitOK, "ca", "list")
	contains(t, out, "MAC KEYS", "all")
	_, said = d.run(exitOK, "ca", "mac-keys", "withhold", "example")
	contains(t, said, "What it has it has")
	d.run(exitUsage, export...)
	d.run(exitUsage, "eab", "export", "acme2certifier", "other")
	d.run(exitUsage, "eab", "export", "acme2certifier", "nobody")
}

// A file of keys says of none where it may be used: one for another directory is not in it.
func TestKeysOfOneDirectoryAreExportedForAcme2certifier(t *testing.T) {
	const live, staging = "https://ca.example/acme/directory", "https://ca.example/staging/directory"
	d := newDesk(t)
	d.addCA("example")
	set := func(directories ...string) {
		args := []string{"ca", "set", "example"}
		for _, url := range directories {
			args = append(args, "--directory", url, "--new-account", url+"/new-account")
		}
		d.run(exitOK, args...)
	}
	set(live, staging)
	_, said := d.run(exitOK, "ca", "mac-keys", "release", "example")
	contains(t, said, "each of its servers must say which one it is")
	kids := map[string]string{}
	d.service(func(s *proofing.Service) {
		for _, url := range []string{live, staging} {
			ca, err := s.Authority(t.Context(), "example")
			if err != nil {
				t.Fatal(err)
			}
			k, err := s.IssueKey(t.Context(), ca, proofing.KeyRequest{Profile: ca.Profiles[0], Directory: url})
			if err != nil {
				t.Fatal(err)
			}
			kids[url] = k.Kid
		}
	})
	export := []string{"eab", "export", "acme2certifier", "example"}
	_, said = d.run(exitUsage, export...)
	contains(t, said, "--directory: the authority has several directories: name one")
	_, said = d.run(exitUsage, append(export, "--directory", "https://elsewhere.example/directory")...)
	contains(t, said, "--directory: not a directory of this certificate authority")
	for _, url := range []string{live, staging} {
		out, said := d.run(exitOK, append(export, "--directory", url)...)
		var keys map[string]string
		if err := json.Unmarshal([]byte(out), &keys); err != nil || len(keys) != 1 || keys[kids[url]] == "" {
			t.Errorf("of %s there are %d keys, %v", url, len(keys), err)
		}
		contains(t, said, "exported 1 keys of example", "0 active ones are withheld")
	}
	set(live)
	out, said := d.run(exitOK, export...)
	contains(t, said, "exported 1 keys of example", "1 active ones are withheld", "their directory is not the CA's any more")
	if strings.Contains(out, kids[staging]) {
		t.Error("a key is exported whose directory is gone")
	}
}
