package main

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func policyOf(t *testing.T, text string) proofing.Policy {
	t.Helper()
	c, r := readConfig("c.yaml", []byte(text), nil, readSecrets)
	if r.failed() {
		t.Fatal(configError{r})
	}
	p, err := c.policy()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestThePolicyOfTheExample(t *testing.T) {
	p := policyOf(t, configExample)
	if p.Origin != "http://localhost:8080" || p.Operator != "Example Trust Services" || p.FreezeLifetime != 24*time.Hour || p.Limits != proofing.DefaultLimits() {
		t.Errorf("%+v", p)
	}
	client, ev := p.Profiles["client"], p.Profiles["code-signing-ev"]
	if client.Name != "client" || client.Title != "Client certificate" || client.Framework != proofing.R4 || client.GrantLifetime != 30*day || client.Retention != 90*day {
		t.Errorf("%+v", client)
	}
	if !ev.EV || ev.Approvals != 2 || ev.Retention != retentionEV || ev.CaseLifetime != 30*day {
		t.Errorf("%+v", ev)
	}
}

func TestPricesAreByCountryThenDefault(t *testing.T) {
	p := policyOf(t, configExample)
	for contact, want := range map[proofing.Contact]int64{
		{Channel: proofing.ChannelPhone, Country: "US"}: 10_000,
		{Channel: proofing.ChannelPhone, Country: "DE"}: 80_000,
		{Channel: proofing.ChannelPhone}:                80_000,
		{Channel: proofing.ChannelEmail}:                0,
	} {
		if got := p.Price(contact); got != want {
			t.Errorf("%s %s: %d", contact.Channel, contact.Country, got)
		}
	}
}

func TestTheDigestFollowsThePolicyAndNothingElse(t *testing.T) {
	base := policyOf(t, whole).Digest
	if !strings.HasPrefix(base, "sha256:") || len(base) != len("sha256:")+64 {
		t.Fatal(base)
	}
	same := []string{
		"# a comment\n" + whole,
		whole + "    case_lifetime: 7d\n    title: device\n", // the defaults, written out
		whole + "limits: {address_hour: 7}\nlog: {level: debug}\n",
		strings.Replace(whole, "mail.example.org", "other.example.org", 1),
	}
	for _, text := range same {
		if got := policyOf(t, text).Digest; got != base {
			t.Errorf("changed by\n%s", text)
		}
	}
	other := []string{
		whole + "    grant_lifetime: 31d\n",
		whole + "  second: {identifiers: [ip], methods: [email], require: {all_methods: [email]}}\n",
		whole + "assurance: {accept_unverified_line_type: true}\n",
		whole + "assurance: {framework: sp800-63-3}\n",
		strings.Replace(whole, "confirmed_addresses", "all_methods", 1),
	}
	for _, text := range other {
		if got := policyOf(t, text).Digest; got == base {
			t.Errorf("not changed by\n%s", text)
		}
	}
}

func TestEVKeepsRecordsBeyondItsCertificates(t *testing.T) {
	p := policyOf(t, strings.Replace(strings.Replace(whole, "methods:", "ev: true\n    approvals: 1\n    methods:", 1), "identifiers: [dns]", "identifiers: [organization]", 1))
	if got := p.Profiles["device"].Retention; got != 1191*day {
		t.Errorf("%s", formatDuration(got))
	}
}
