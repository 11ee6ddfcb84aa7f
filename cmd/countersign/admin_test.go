package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// desk is an operator at a shell: a configuration and a store in a folder of
// their own, and a clock.
type desk struct {
	t      *testing.T
	dir    string
	config string
	at     time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), at: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	d.config = filepath.Join(d.dir, "c.yaml")
	text := strings.NewReplacer("countersign.db", filepath.Join(d.dir, "s.db"), "countersign.keys", filepath.Join(d.dir, "s.keys")).Replace(configExample)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) globals(out, said *bytes.Buffer) *globals {
	return &globals{
		ctx: d.t.Context(), configFile: d.config, environ: []string{"COUNTERSIGN_CONFIG=" + d.config},
		stdin: strings.NewReader(""), stdout: out, stderr: said, now: func() time.Time { return d.at },
	}
}

// run runs one command and returns what it printed.
func (d *desk) run(wantCode int, args ...string) (out, said string) {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(d.t.Context(), append([]string{"--config", d.config}, args...), d.globals(&stdout, &stderr))
	if code != wantCode {
		d.t.Fatalf("%s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, wantCode, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

// service gives a test the verbs that no command has.
func (d *desk) service(work func(s *proofing.Service)) {
	d.t.Helper()
	var out, said bytes.Buffer
	if err := d.globals(&out, &said).administer(false, func(a *admin) error { work(a.service); return nil }); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) addCA(name string) (token string) {
	d.t.Helper()
	out, _ := d.run(exitOK, "ca", "add", name, "--directory", "https://ca.example/dir", "--profile", "client", "--profile", "device", "--profile", "code-signing-ev")
	return strings.TrimSpace(out)
}

// open opens a case for an address.
func (d *desk) open(ca, profile string, id proofing.Identifier) (opened *proofing.Case) {
	d.t.Helper()
	d.service(func(s *proofing.Service) {
		authority, err := s.Authority(d.t.Context(), ca)
		if err == nil {
			opened, _, err = s.Open(d.t.Context(), authority, proofing.OpenRequest{Applicant: proofing.Applicant{Kind: proofing.ByNobody}, Identifier: id, Profile: profile})
		}
		if err != nil {
			d.t.Fatal(err)
		}
	})
	return opened
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("no %q in\n%s", p, text)
		}
	}
}

var address = proofing.Identifier{Type: "email", Value: "applicant@example.org"}

func TestACAIsAddedWithATokenThatIsShownOnce(t *testing.T) {
	d := newDesk(t)
	out, said := d.run(exitOK, "ca", "add", "example", "--title", "Example CA", "--directory", "https://ca.example/a,b", "--directory", "https://ca.example/c",
		"--new-account", "https://ca.example/new", "--new-account", "https://ca.example/c/new", "--caa-identity", "ca.example", "--profile", "client", "--daily-messages", "10", "--daily-spend", "1.50")
	contains(t, said, "made the store", "keep a copy of the key ring", "added the CA example, for client", "shown this once")
	token := proofing.Secret(strings.TrimSpace(out))
	d.service(func(s *proofing.Service) {
		ca, err := s.AuthorityByToken(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if ca.Title != "Example CA" || len(ca.Directories) != 2 || ca.Directories[0] != "https://ca.example/a,b" || ca.NewAccounts[0] != "https://ca.example/new" ||
			ca.CAAIdentities[0] != "ca.example" || ca.DailyMessages != 10 || ca.DailySpendMicros != 1_500_000 {
			t.Errorf("%+v", ca)
		}
	})
	out, said = d.run(exitOK, "ca", "list")
	contains(t, out, "example", "Example CA", "active", "1.50 10 messages", "https://ca.example/c")
	if strings.Contains(out+said, token.Reveal()) || strings.Contains(said, "made the store") {
		t.Error(out, said)
	}
	_, said = d.run(exitUsage, "ca", "add", "example", "--directory", "https://ca.example", "--profile", "client")
	contains(t, said, `there is a CA "example" already: `+"`countersign ca token example`")
}

func TestMistakesInACA(t *testing.T) {
	d := newDesk(t)
	good := []string{"--directory", "https://ca.example/dir", "--profile", "client"}
	tests := []struct {
		want string
		args []string
	}{
		{`"Ex.ample" cannot be a CA's name`, append([]string{"Ex.ample"}, good...)},
		{"missing flags", []string{"a", "--profile", "client"}},
		{"missing flags", []string{"a", "--directory", "https://ca.example"}},
		{`there is no profile "cliant": there are client, code-signing, code-signing-ev, device`, append([]string{"a", "--profile", "cliant"}, good...)},
		{`"http://ca.example/dir" must be an https URL`, append([]string{"a", "--directory", "http://ca.example/dir"}, good...)},
		{`"ca.example" must be an https URL`, append([]string{"a", "--new-account", "ca.example"}, good...)},
		{`"CA" cannot be a CAA identity`, append([]string{"a", "--caa-identity", "CA"}, good...)},
		{"--daily-spend must be an amount", append([]string{"a", "--daily-spend", "much"}, good...)},
		{"--daily-messages must not be negative", append([]string{"a", "--daily-messages=-1"}, good...)},
	}
	for _, tt := range tests {
		_, said := d.run(exitUsage, append([]string{"ca", "add"}, tt.args...)...)
		contains(t, said, tt.want)
	}
}

func TestTheNamesInCAARecordsAreChanged(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	names := func(want string) {
		t.Helper()
		d.service(func(s *proofing.Service) {
			if ca, err := s.Authority(t.Context(), "example"); err != nil || strings.Join(ca.CAAIdentities, " ") != want {
				t.Errorf("%+v %v, want %s", ca, err, want)
			}
		})
	}
	_, said := d.run(exitOK, "ca", "set", "example", "--caa-identity", "ca.example", "--caa-identity", "ca.example.net")
	contains(t, said, "example is called ca.example, ca.example.net in CAA records")
	names("ca.example ca.example.net")
	d.run(exitOK, "ca", "set", "example", "--caa-identity", "other.example")
	names("other.example")
	for want, args := range map[string][]string{
		"say what to change":                    {"example"},
		`"CA.example" cannot be a CAA identity`: {"example", "--caa-identity", "CA.example"},
		`"-.example" cannot be a CAA identity`:  {"example", "--caa-identity=-.example"},
		`"example" cannot be a CAA identity`:    {"example", "--caa-identity", "example"},
		"can't be used together":                {"example", "--caa-identity", "a.example", "--no-caa-identities"},
		`there is no CA "other"`:                {"other", "--no-caa-identities"},
	} {
		_, said := d.run(exitUsage, append([]string{"ca", "set"}, args...)...)
		contains(t, said, want)
	}
	names("other.example")
	_, said = d.run(exitOK, "ca", "set", "example", "--no-caa-identities")
	contains(t, said, "example has no name in CAA records")
	names("")
}

func TestWhatACAIsCanBeChanged(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	get := func() (ca *proofing.Authority) {
		t.Helper()
		d.service(func(s *proofing.Service) {
			var err error
			if ca, err = s.Authority(t.Context(), "example"); err != nil {
				t.Fatal(err)
			}
		})
		return ca
	}
	before := get()
	_, said := d.run(exitOK, "ca", "add", "other", "--directory", "https://other.example", "--profile", "client")
	contains(t, said, "`countersign ca set other --new-account URL`")
	_, said = d.run(exitOK, "ca", "set", "example", "--title", "Example CA", "--directory", "https://ca.example/one", "--directory", "https://ca.example/two",
		"--new-account", "https://ca.example/new", "--new-account", "https://ca.example/two/new", "--profile", "client", "--daily-messages", "7", "--daily-spend", "1.50")
	contains(t, said, "people read example as Example CA", "has the directories https://ca.example/one, https://ca.example/two", "has the newAccount URLs https://ca.example/new, https://ca.example/two/new",
		"example may ask for client", "sends 7 messages", "spends 1.50")
	ca := get()
	if ca.Title != "Example CA" || len(ca.Directories) != 2 || len(ca.NewAccounts) != 2 || !slices.Equal(ca.Profiles, []string{"client"}) || ca.DailyMessages != 7 || ca.DailySpendMicros != 1_500_000 {
		t.Errorf("it is %+v", ca)
	}
	out, _ := d.run(exitOK, "ca", "list")
	contains(t, out, "NEW ACCOUNT", "https://ca.example/one https://ca.example/two", "https://ca.example/new https://ca.example/two/new")
	if len(ca.Tokens) != len(before.Tokens) || !ca.Created.Equal(before.Created) {
		t.Errorf("what was not to be changed is: %+v, it was %+v", ca, before)
	}
	_, said = d.run(exitOK, "ca", "set", "example", "--daily-messages", "0", "--daily-spend", "0.00", "--no-new-accounts")
	contains(t, said, "as many as limits.ca_messages_day says", "as many as limits.ca_spend_day says", "no binding is verified for it")
	if ca := get(); ca.DailyMessages != 0 || ca.DailySpendMicros != 0 || len(ca.NewAccounts) > 0 || ca.Title != "Example CA" {
		t.Errorf("it is %+v", ca)
	}
	for want, args := range map[string][]string{
		`there is no profile "cliant"`:               {"--title", "Other", "--profile", "cliant"},
		`"http://ca.example/x" must be an https URL`: {"--title", "Other", "--new-account", "http://ca.example/x"},
		"2 directories and 1 newAccount URLs":        {"--title", "Other", "--new-account", "https://ca.example/new"},
		"--daily-messages must not be negative":      {"--title", "Other", "--daily-messages=-1"},
		"--daily-spend must be an amount":            {"--title", "Other", "--daily-spend", "much"},
	} {
		_, said := d.run(exitUsage, append([]string{"ca", "set", "example"}, args...)...)
		contains(t, said, want)
	}
	if ca := get(); ca.Title != "Example CA" {
		t.Errorf("a mistake beside it, and it is called %q", ca.Title)
	}
}

func TestAnOrganizationIsRegisteredWithItsDomains(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	add := func(want int, args ...string) string {
		t.Helper()
		_, said := d.run(want, append([]string{"registry", "add", "example"}, args...)...)
		return said
	}
	contains(t, add(exitOK, "organization", "Example GmbH", "--email", "applicant@example.org", "--domain", "Example.com", "--domain", "example.org"), "named now: 1", "whose CAA records count for it: example.com, example.org")
	contains(t, add(exitOK, "organization", "Example GmbH", "--email", "applicant@example.org", "--domain", "example.net"), "named now: 1")
	out, _ := d.run(exitOK, "registry", "list", "example")
	contains(t, out, "DOMAINS", "example.com example.org example.net")
	contains(t, add(exitUsage, "dns", "host.example.org", "--email", "applicant@example.org", "--domain", "example.org"), "--domain is for organizations")
	contains(t, add(exitUsage, "organization", "Example GmbH", "--email", "applicant@example.org", "--domain", "localhost"), `--domain: "localhost": not a fully qualified domain name`)
}

// An entry entitles as soon as it is there, and says nothing of CAA without its domains.
func TestAnOrganizationIsRegisteredWithAllOfItsDomainsOrNotAtAll(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	organization := []string{"registry", "add", "example", "organization", "Example GmbH", "--email", "applicant@example.org", "--domain", "example.org"}
	var many []string
	for i := range 20 {
		many = append(many, "--domain", fmt.Sprintf("d%d.example.org", i))
	}
	unchanged := func(want string) {
		t.Helper()
		for fault, more := range map[string][]string{
			`--domain: "exa_mple..ltd": `:                           {"--domain", "exa_mple..ltd", "--phone", "+4915123456789"},
			"--domain: an organization has at most 20 domains here": slices.Concat(many, []string{"--note", "more"}),
		} {
			_, said := d.run(exitUsage, slices.Concat(organization, more)...)
			contains(t, said, fault)
			if out, _ := d.run(exitOK, "registry", "list", "example", "--json"); strings.TrimSpace(out) != want {
				t.Errorf("%s: there is %s", fault, out)
			}
		}
	}
	unchanged("[]")
	d.run(exitOK, organization...)
	out, _ := d.run(exitOK, "registry", "list", "example", "--json")
	unchanged(strings.TrimSpace(out))
}

func TestTokensComeAndGo(t *testing.T) {
	d := newDesk(t)
	first := proofing.Secret(d.addCA("example"))
	out, _ := d.run(exitOK, "ca", "token", "example")
	second := proofing.Secret(strings.TrimSpace(out))
	accepted := func(token proofing.Secret, want bool) {
		t.Helper()
		d.service(func(s *proofing.Service) {
			if _, err := s.AuthorityByToken(t.Context(), token); (err == nil) != want {
				t.Errorf("accepted: %v, want %v", err == nil, want)
			}
		})
	}
	accepted(first, true)
	accepted(second, true)
	id := strings.Split(first.Reveal(), ".")[2]
	_, said := d.run(exitOK, "ca", "token", "example", "--revoke", id)
	contains(t, said, "revoked the token "+id+" of example; tokens left: 1")
	accepted(first, false)
	accepted(second, true)
	_, said = d.run(exitUsage, "ca", "token", "example", "--revoke", "nosuch")
	contains(t, said, `the CA example has no token "nosuch"`)
	_, said = d.run(exitOK, "ca", "token", "example", "--revoke", strings.Split(second.Reveal(), ".")[2])
	contains(t, said, "tokens left: 0", "cannot call any more until")
	_, said = d.run(exitUsage, "ca", "token", "other")
	contains(t, said, `there is no CA "other"`)

	third, _ := d.run(exitOK, "ca", "token", "example")
	_, said = d.run(exitOK, "ca", "revoke", "example")
	contains(t, said, "none of its tokens and certificates is accepted", "its cases and its registry stay", "cannot be undone")
	accepted(proofing.Secret(strings.TrimSpace(third)), false)
	for _, args := range [][]string{{"ca", "token", "example"}, {"ca", "revoke", "example"}, {"registry", "add", "example", "dns", "a.example", "--email", "a@example.org"}} {
		_, said = d.run(exitUsage, args...)
		contains(t, said, `the CA "example" was revoked on 2026-11-23T10:00:00Z`)
	}
	out, _ = d.run(exitOK, "ca", "list", "--json")
	var views []caView
	if err := json.Unmarshal([]byte(out), &views); err != nil || len(views) != 1 || views[0].Revoked.IsZero() || len(views[0].Tokens) != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(out, "hash") {
		t.Error(out)
	}
}

func TestTheRegistrySaysWhoseAnIdentifierIs(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.addCA("other")
	out, _ := d.run(exitOK, "registry", "list", "example", "--json")
	if strings.TrimSpace(out) != "[]" {
		t.Error(out)
	}
	d.run(exitOK, "registry", "add", "example", "dns", "Host.Example.org", "--email", "someone@EXAMPLE.org", "--note", "ticket 7")
	_, said := d.run(exitOK, "registry", "add", "example", "dns", "host.example.org", "--phone", "+4915123456789")
	contains(t, said, "dns host.example.org", "named now: 2")
	out, _ = d.run(exitOK, "registry", "list", "example")
	contains(t, out, "host.example.org", "s•••@example.org", "+49•••89", "ticket 7")
	if strings.Contains(out, "someone@") || strings.Contains(out, "15123456789") {
		t.Errorf("addresses are shown:\n%s", out)
	}
	out, _ = d.run(exitOK, "registry", "list", "example", "--reveal", "--json")
	contains(t, out, `"someone@example.org"`, `"+4915123456789"`)
	if out, _ = d.run(exitOK, "registry", "list", "other"); strings.Contains(out, "host") {
		t.Errorf("another CA's entry:\n%s", out)
	}

	for want, args := range map[string][]string{
		"give at least one --email, --phone, --person or --organization":         {"example", "dns", "a.example.org"},
		`--organization: example has no dossier of an organization of that name`: {"example", "dns", "a.example.org", "--organization", "Example Ltd"},
		"an organization's own dossier says who asks for it":                     {"example", "organization", "Example Ltd", "--organization", "Example Ltd"},
		"an email identifier needs no entry":                                     {"example", "email", "a@example.org", "--email", "a@example.org"},
		"a wildcard name cannot be pre-authorized":                               {"example", "dns", "*.example.org", "--email", "a@example.org"},
		"not an IP address":                             {"example", "ip", "localhost", "--email", "a@example.org"},
		`"nobody": an e-mail address has a name`:        {"example", "dns", "a.example.org", "--email", "nobody"},
		"text messages to this country are not enabled": {"example", "dns", "a.example.org", "--phone", "+33612345678"},
		`there is no person "x"`:                        {"example", "dns", "a.example.org", "--person", "x"},
		`there is no person "01abcdef"`:                 {"example", "dns", "a.example.org", "--person", "01abcdef"},
		`there is no CA "third"`:                        {"third", "dns", "a.example.org", "--email", "a@example.org"},
		`there is no identifier type "fax": there are dns, ip, permanent-identifier, hardware-module, organization`: {"example", "fax", "1"},
		`"localhost" is not a fully qualified domain name`:                                                          {"example", "dns", "localhost", "--email", "a@example.org"},
		`"*.example.org": a wildcard name`:                                                                          {"example", "dns", "*.example.org", "--email", "a@example.org"},
		`"10.0.0" is not an IP address`:                                                                             {"example", "ip", "10.0.0", "--email", "a@example.org"},
		"must be 1 to 256 printable characters":                                                                     {"example", "organization", "", "--email", "a@example.org"},
	} {
		_, said := d.run(exitUsage, append([]string{"registry", "add"}, args...)...)
		contains(t, said, want)
	}

	_, said = d.run(exitOK, "registry", "remove", "example", "dns", "HOST.example.org")
	contains(t, said, "nobody is entitled to it")
	_, said = d.run(exitUsage, "registry", "remove", "example", "dns", "host.example.org")
	contains(t, said, "the registry of example has no dns host.example.org")
	_, said = d.run(exitUsage, "registry", "remove", "example", "email", "a@example.org")
	contains(t, said, "an email identifier needs no entry")
}

func TestCasesAreListedAndShownWithoutSecrets(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.addCA("other")
	c := d.open("example", "client", address)
	d.at = d.at.Add(time.Minute)
	later := d.open("other", "device", proofing.Identifier{Type: "dns", Value: "host.example.org"})
	var code proofing.Secret
	d.service(func(s *proofing.Service) {
		after, attempt, err := s.Begin(t.Context(), visit(c), "email", "")
		if err != nil {
			t.Fatal(err)
		}
		code = after.Current("email").Message.Code
		if _, _, err := s.Answer(t.Context(), visit(c), attempt.ID, code); err != nil {
			t.Fatal(err)
		}
	})

	out, _ := d.run(exitOK, "case", "list")
	contains(t, out, c.ID, later.ID, "email applicant@example.org", "dns host.example.org")
	if strings.Index(out, later.ID) > strings.Index(out, c.ID) {
		t.Errorf("not the newest first:\n%s", out)
	}
	if out, _ = d.run(exitOK, "case", "list", "--ca", "example", "--status", "open"); strings.Contains(out, later.ID) || !strings.Contains(out, c.ID) {
		t.Error(out)
	}
	if out, _ = d.run(exitOK, "case", "list", "--status", "granted", "--json"); strings.TrimSpace(out) != "[]" {
		t.Error(out)
	}
	_, said := d.run(exitOK, "case", "list", "--limit", "1")
	contains(t, said, "1 more")
	_, said = d.run(exitUsage, "case", "list", "--status", "odd")
	contains(t, said, `there is no status "odd": there are open, review`)

	for _, args := range [][]string{{"case", "show", c.ID}, {"case", "show", c.ID, "--json"}, {"case", "list", "--json"}} {
		out, said := d.run(exitOK, args...)
		contains(t, out, c.ID, "a•••@example.org", "email_code")
		for _, secret := range []proofing.Secret{c.Token, c.LinkSecret, c.Disown, code} {
			if strings.Contains(out+said, secret.Reveal()) {
				t.Errorf("%v shows a secret:\n%s", args, out)
			}
		}
	}
	_, said = d.run(exitUsage, "case", "show", "../../etc")
	contains(t, said, `"../../etc" is not the id of a case`)
	_, said = d.run(exitUsage, "case", "show", "01abcdef")
	contains(t, said, "there is no case 01abcdef")

	d.at = d.at.Add(8 * day)
	out, _ = d.run(exitOK, "case", "list", "--status", "expired")
	contains(t, out, c.ID, "expired") // though nobody has stored that yet
}

func visit(c *proofing.Case) proofing.Visit {
	return proofing.Visit{Link: proofing.Secret(c.ID + "." + c.LinkSecret.Reveal()), Browser: "b", Client: "192.0.2.7"}
}

func TestAFrozenCaseIsRestoredAndARevokedOneIsOver(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	c := d.open("example", "client", address)
	ev := d.open("example", "code-signing-ev", proofing.Identifier{Type: "organization", Value: "Example"})
	_, said := d.run(exitUsage, "case", "restore", c.ID)
	contains(t, said, "is not frozen; its status is open")
	d.service(func(s *proofing.Service) {
		for _, c := range []*proofing.Case{c, ev} {
			if _, err := s.Disown(t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal())); err != nil {
				t.Fatal(err)
			}
		}
	})
	out, _ := d.run(exitOK, "case", "list", "--status", "frozen")
	contains(t, out, c.ID, "open, frozen")
	out, _ = d.run(exitOK, "case", "show", c.ID)
	contains(t, out, "open, frozen until 2026-11-24T10:00:00Z")
	_, said = d.run(exitOK, "case", "restore", c.ID)
	contains(t, said, "restored the case "+c.ID+"; its status is open")
	_, said = d.run(exitUsage, "case", "restore", ev.ID)
	contains(t, said, "takes two operators")

	_, said = d.run(exitUsage, "case", "revoke", c.ID, "--reason", "Because I say so")
	contains(t, said, "cannot be a reason")
	_, said = d.run(exitOK, "case", "revoke", c.ID, "--reason", "key_compromise")
	contains(t, said, "was open and is refused")
	_, said = d.run(exitUsage, "case", "revoke", c.ID)
	contains(t, said, "is over already; its status is refused")
	out, _ = d.run(exitOK, "case", "show", c.ID)
	contains(t, out, "key_compromise")
	_, said = d.run(exitUsage, "case", "restore", c.ID)
	contains(t, said, "is over already; its status is refused")
	d.at = d.at.Add(25 * time.Hour)
	_, said = d.run(exitUsage, "case", "restore", ev.ID) // frozen until it ended
	contains(t, said, "is over already; its status is refused")
}

func TestABlockedAddressIsUnblocked(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	c := d.open("example", "client", address)
	_, said := d.run(exitOK, "limits", "unblock", "--ca", "example", "applicant@example.org")
	contains(t, said, "a•••@example.org was not blocked")
	d.service(func(s *proofing.Service) {
		_, attempt, err := s.Begin(t.Context(), visit(c), "email", "")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, _, err := s.Answer(t.Context(), visit(c), attempt.ID, "00000000"); err == nil {
				t.Fatal("a wrong answer was accepted")
			}
		}
	})
	_, said = d.run(exitOK, "limits", "unblock", "--ca", "example", "applicant@EXAMPLE.org")
	contains(t, said, "may be used again; wrong answers in a row before: 2")
	_, said = d.run(exitUsage, "limits", "unblock", "--ca", "example", "12")
	contains(t, said, `"12": begin with + and the country code`)
	_, said = d.run(exitUsage, "limits", "unblock", "a@example.org")
	contains(t, said, "missing flags: --ca")
}
