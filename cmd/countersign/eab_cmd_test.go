package main

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestAnOperatorSeesAndRevokesKeys(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.addCA("other")
	var k *proofing.Key
	d.service(func(s *proofing.Service) {
		ca, err := s.Authority(t.Context(), "example")
		if err != nil {
			t.Fatal(err)
		}
		if k, err = s.IssueKey(t.Context(), ca, proofing.KeyRequest{Profile: ca.Profiles[0], Subject: "customer 4711"}); err != nil {
			t.Fatal(err)
		}
	})
	out, _ := d.run(exitOK, "eab", "list", "example")
	contains(t, out, k.Kid, "active", "0 of 1", "the CA")
	if out, _ = d.run(exitOK, "eab", "list", "other"); strings.Contains(out, k.Kid) {
		t.Errorf("another CA's key:\n%s", out)
	}
	out, _ = d.run(exitOK, "eab", "show", "example", k.Kid)
	contains(t, out, `"customer 4711"`)
	if strings.Contains(out, k.Secret.Reveal()) {
		t.Error("the MAC key is shown")
	}
	_, said := d.run(exitUsage, "eab", "show", "other", k.Kid)
	contains(t, said, "other has no key "+k.Kid)
	_, said = d.run(exitOK, "eab", "revoke", "example", k.Kid)
	contains(t, said, "revoked "+k.Kid)
	out, _ = d.run(exitOK, "eab", "list", "example", "--json")
	contains(t, out, `"revoked"`, "key_revoked_by_operator")
}
