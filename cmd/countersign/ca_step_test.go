package main

import (
	"strings"
	"testing"
)

func TestAWebhookOfStepCAIsRegisteredAndConnected(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	profile := "client"
	out, said := d.run(exitOK, "ca", "step-ca", "add", "example", "countersign", "--profile", profile, "--provisioner", "acme")
	contains(t, out, "step ca provisioner webhook add acme countersign --url ", "/step-ca/example/countersign --kind ENRICHING --cert-type X509")
	contains(t, said, "countersign ca step-ca connect example countersign", "code-signing.tpl", "nobody looks at the certificates of the profile client at example", "kind AUTHORIZING")
	_, said = d.run(exitUsage, "ca", "step-ca", "add", "example", "countersign", "--profile", profile)
	contains(t, said, "has a hook countersign already")
	_, said = d.run(exitUsage, "ca", "step-ca", "add", "example", "../up", "--profile", profile)
	contains(t, said, "a hook's name is up to 32")
	_, said = d.run(exitUsage, "ca", "step-ca", "add", "example", "other", "--profile", profile, "--provisioner", "a; rm -rf /")
	contains(t, said, "the printed command takes letters")
	_, said = d.run(exitUsage, "ca", "step-ca", "connect", "example", "nobody", "--id", "x", "--without-secret")
	contains(t, said, `has no webhook "nobody"`)
	_, said = d.run(exitOK, "ca", "step-ca", "connect", "example", "countersign", "--id", "af209333", "--without-secret")
	contains(t, said, "no client certificate is pinned")
	out, _ = d.run(exitOK, "ca", "step-ca", "list", "example")
	contains(t, out, "ENRICHING", "key", "by certificate since")
	d.run(exitOK, "ca", "step-ca", "remove", "example", "countersign")
	if out, _ = d.run(exitOK, "ca", "step-ca", "list", "example", "--json"); strings.Contains(out, "countersign") {
		t.Errorf("it is still there:\n%s", out)
	}
}

func TestAnOperatorHearsThatNobodyLooksAtTheCertificates(t *testing.T) {
	d := newPatient(t)
	d.run(exitOK, "ca", "add", "example", "--directory", "https://ca.example/dir", "--profile", "client")
	add := func(hook, kind string) string {
		_, said := d.run(exitOK, "ca", "step-ca", "add", "example", hook, "--kind", kind, "--profile", "client")
		return said
	}
	connect := func(hook string) {
		d.run(exitOK, "ca", "step-ca", "connect", "example", hook, "--id", "af209333", "--without-secret")
	}
	const unseen = "nobody looks at the certificates of the profile client at example"
	add("told", "NOTIFYING")
	connect("told")
	contains(t, add("enriching", "ENRICHING"), unseen)
	contains(t, add("scep", "SCEPCHALLENGE"), unseen)
	if said := d.doctor(exitOK); said["step-ca"] != "" {
		t.Errorf("no hook asks yet, and it says %q", said["step-ca"])
	}
	connect("enriching")
	connect("scep")
	d.expect(d.doctor(exitOK), "step-ca", "warn", unseen)
	if said := add("judge", "AUTHORIZING"); strings.Contains(said, unseen) {
		t.Error(said)
	}
	d.expect(d.doctor(exitOK), "step-ca", "warn", unseen) // it is not connected
	connect("judge")
	if said := d.doctor(exitOK); said["step-ca"] != "" {
		t.Error(said["step-ca"])
	}
	if said := add("second", "ENRICHING"); strings.Contains(said, unseen) {
		t.Error(said)
	}
	d.run(exitOK, "ca", "step-ca", "remove", "example", "judge")
	d.expect(d.doctor(exitOK), "step-ca", "warn", unseen)
	d.run(exitOK, "ca", "revoke", "example")
	if said := d.doctor(exitOK); said["step-ca"] != "" {
		t.Error(said["step-ca"])
	}
}
