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
	contains(t, said, "countersign ca step-ca connect example countersign", "code-signing.tpl")
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
