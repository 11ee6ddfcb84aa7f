package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// TestEverySettingIsPolicyOrOperation is the split between what two administrators approve and what an operator alone decides. A new setting belongs on one
// of the two sides: into policyPart, or into this list with a reason why it changes nobody's grant.
func TestEverySettingIsPolicyOrOperation(t *testing.T) {
	operation := []string{
		"origin", "operator", // who and where we are: passkeys and signatures are worth nothing under another name
		"listeners", "store", "providers", "smtp", "twilio", "webhooks", "log", "telemetry", "authority_tokens", // ways in and out
		"sms", "limits", // what it may cost, and how often
		"passkeys",              // for which name, and where FIDO's list is read from; FIDO signs that
		"dns",                   // who is asked for records
		"people.sign_in",        // without it nobody gets into the console, and nothing is approved
		"people.retention",      // forgets those alone whom no grant, role or certificate needs
		"audit.checkpoint_file", // shows what was lost; it takes nothing away
	}
	for _, name := range issuerOperation {
		operation = append(operation, "issuers.*."+name) // how we log in there
	}
	policy := map[string]bool{}
	eachSetting("", reflect.TypeFor[policyPart](), func(path string) { policy[path] = true })
	if !policy["issuers.*.encrypted"] {
		t.Fatal("nothing says whether tokens are encrypted")
	}
	delete(policy, "issuers.*.encrypted") // there is a decryption_key
	eachSetting("", reflect.TypeFor[Config](), func(path string) {
		is := slices.ContainsFunc(operation, func(of string) bool { return path == of || strings.HasPrefix(path, of+".") })
		if is == policy[path] {
			t.Errorf("%s is policy: %v, operation: %v", path, policy[path], is)
		}
		if named := strings.Replace(path, "*", "name", 1); isPolicy(named) != policy[path] {
			t.Errorf("isPolicy(%s) is %v", named, isPolicy(named))
		}
		delete(policy, path)
	})
	for path := range policy {
		t.Errorf("%s is policy, and no setting", path)
	}
}

// eachSetting visits every setting, with * for names that the operator chooses.
func eachSetting(path string, of reflect.Type, visit func(path string)) {
	switch {
	case of.Kind() == reflect.Struct:
		for _, f := range settings(of) {
			eachSetting(join(path, f.name), of.Field(f.index).Type, visit)
		}
	case of.Kind() == reflect.Map && of.Elem().Kind() == reflect.Struct:
		eachSetting(path+".*", of.Elem(), visit)
	default:
		visit(path)
	}
}

// fullPolicy has every setting of the policy part in it.
const fullPolicy = `origin: https://proof.example.org
operator: {name: Example, contact: help@example.org}
smtp: {host: mail.example.org, from: no-reply@example.org}
people: {cooling: 36h}
audit: {retention: 2000d}
assurance: {framework: sp800-63-3, accept_unverified_line_type: true, require_attestation: true}
issuers:
  staff:
    title: Staff
    url: https://login.example.org
    client_id: countersign
    client_secret: env:SECRET
    algorithms: [ES256]
    scopes: [profile]
    max_age: 30m
    handed_in: true
    allow_networks: [10.0.0.0/8]
    pre_established: true
    acr: {"https://refeds.org/profile/mfa": {aal: 2}, plain: {ial: 1}}
    cap: {aal: 2}
    domains: [example.org]
profiles:
  device:
    identifiers: [dns]
    methods: [oidc, email]
    require: {confirmed_addresses: [email]}
    csr: {purpose: other}
`

func readFull(t *testing.T, pairs ...string) *Config {
	t.Helper()
	c, r := readConfig("c.yaml", []byte(strings.NewReplacer(pairs...).Replace(fullPolicy)), []string{"SECRET=hush", "OTHER=hush"}, readSecrets)
	if r.failed() {
		t.Fatal(configError{r})
	}
	return c
}

func TestAPolicyReadsAsItWasWritten(t *testing.T) {
	for name, c := range map[string]*Config{"full": readFull(t), "example": exampleConfig(t), "demo": demoPolicy(t)} {
		want := c.policyPart()
		text, err := want.text()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "hush") || strings.Contains(text, "10.0.0.0") {
			t.Errorf("%s: operation is in %s", name, text)
		}
		got, _, err := readPolicyPart(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := got.text()
		if err != nil || again != text {
			t.Errorf("%s: %v\n%s\n%s", name, err, text, again)
		}
		if same, err := c.means(text); !same || err != nil {
			t.Errorf("%s does not mean itself: %v", name, err)
		}
		under, err := c.under(proofing.PolicyVersion{Digest: "d", Text: text}, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		one, err := c.policy()
		if err != nil {
			t.Fatal(err)
		}
		other, err := under.policy()
		if err != nil || other.Digest != "d" || other.Text != text {
			t.Errorf("%s: %v %s", name, err, other.Digest)
		}
		a, b := profilesOf(t, one), profilesOf(t, other)
		if a != b || one.OperatorFacts != other.OperatorFacts || one.Cooling != other.Cooling || one.LogRetention != other.LogRetention {
			t.Errorf("%s: under its own text it is another policy\n%s\n%s", name, a, b)
		}
		if !reflect.DeepEqual(issuersOf(c), issuersOf(under)) {
			t.Errorf("%s: %+v\n%+v", name, issuersOf(c), issuersOf(under))
		}
	}
}

// profilesOf are the profiles as text, in which no list is an empty one.
func profilesOf(t *testing.T, p proofing.Policy) string {
	t.Helper()
	text, err := json.Marshal(p.Profiles)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "[]", "null")
}

// issuersOf are the issuers as the method of logins gets them.
func issuersOf(c *Config) map[string]any {
	all := map[string]any{}
	for name, i := range c.Issuers {
		all[name] = i.issuer(name)
	}
	return all
}

func exampleConfig(t *testing.T) *Config {
	c, r := readConfig("c.yaml", []byte(configExample), nil, skipSecrets)
	if r.failed() {
		t.Fatal(configError{r})
	}
	return c
}

func demoPolicy(t *testing.T) *Config {
	c, r := readConfig("demo", []byte("origin: http://localhost:8080\n"+demoConfig[:strings.Index(demoConfig, "  signing:")]), nil, readSecrets)
	if r.failed() {
		t.Fatal(configError{r})
	}
	return c
}

// A text of an older release lacks what a newer one knows, and means the same.
func TestAPolicyIsComparedByWhatItMeans(t *testing.T) {
	c := readFull(t)
	text, err := c.policyPart().text()
	if err != nil {
		t.Fatal(err)
	}
	older := strings.Replace(text, `"max_age":"30m",`, "", 1)
	if same, err := readFull(t, "    max_age: 30m\n", "    max_age: 1h\n").means(older); !same || err != nil {
		t.Errorf("a setting that has its default is another policy: %v", err)
	}
	if same, err := c.means(older); same || err != nil {
		t.Errorf("a setting that has not is the same policy: %v", err)
	}
	if _, err := c.means(strings.Replace(text, `"max_age"`, `"max_rage"`, 1)); err == nil {
		t.Error("what this program does not know is passed over")
	}
	for _, text := range []string{"", "[]", `{"profiles":[]}`, `{"people":{"cooling":"soon"}}`} {
		if _, _, err := readPolicyPart(text); err == nil {
			t.Errorf("%q is a policy", text)
		}
	}
}

func TestTheApprovedPolicyTakesTheRestFromTheFile(t *testing.T) {
	textOf := func(c *Config) proofing.PolicyVersion {
		text, err := c.policyPart().text()
		if err != nil {
			t.Fatal(err)
		}
		return proofing.PolicyVersion{Digest: proofing.PolicyDigest(text), Text: text}
	}
	approved := readFull(t)
	// The file has other ways to the issuer, and another policy.
	c := readFull(t, "env:SECRET", "env:OTHER", "10.0.0.0/8", "10.1.0.0/16", "aal: 2}, plain", "aal: 3}, plain", "confirmed_addresses: [email]", "all_methods: [email]", "mail.example.org", "mx.example.org")
	got, err := c.under(textOf(approved), nil)
	if err != nil {
		t.Fatal(err)
	}
	if i := got.Issuers["staff"]; i.ACR["https://refeds.org/profile/mfa"].AAL != 2 || i.AllowNetworks[0] != "10.1.0.0/16" || i.closed || len(got.Profiles["device"].Require.ConfirmedAddresses) != 1 || got.SMTP.Host != "mx.example.org" {
		t.Errorf("%+v", got)
	}
	if c.Issuers["staff"].ACR["https://refeds.org/profile/mfa"].AAL != 3 || c.approved != nil {
		t.Error("the file's own configuration was changed")
	}

	// What was taken out of the file is closed, also where another provider has its name: it does not get the new one's secret.
	for what, c := range map[string]*Config{
		"without it":       readFull(t, fullPolicy[strings.Index(fullPolicy, "issuers:"):strings.Index(fullPolicy, "profiles:")], "", "[oidc, email]", "[email]"),
		"another provider": readFull(t, "https://login.example.org", "https://login.example.net"),
		"another client":   readFull(t, "client_id: countersign", "client_id: other"),
	} {
		got, err := c.under(textOf(approved), nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		i := got.Issuers["staff"]
		if !i.closed || i.ClientSecret != "" || i.URL != "https://login.example.org" || !slices.Equal(got.closedIssuers(), []string{"staff"}) {
			t.Errorf("%s: %+v", what, i)
		}
		m, err := got.oidc(time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Prepare(t.Context(), proofing.Contact{Address: "staff"}); err == nil || !strings.Contains(err.Error(), errClosed.Error()) {
			t.Errorf("%s: %v", what, err)
		}
		// A process that had it goes on with what it had.
		if got, err = c.under(textOf(approved), approved); err != nil || got.Issuers["staff"].closed || got.Issuers["staff"].ClientSecret != "hush" {
			t.Errorf("%s, after a reload: %+v %v", what, got, err)
		}
	}

	// Tokens that must be encrypted are of no use to a machine that cannot read them, and a key that is not approved raises nothing.
	part := approved.policyPart()
	staff := part.Issuers["staff"]
	staff.Encrypted = true
	part.Issuers["staff"] = staff
	text, err := part.text()
	if err != nil {
		t.Fatal(err)
	}
	if got, err = approved.under(proofing.PolicyVersion{Text: text}, nil); err != nil || !got.Issuers["staff"].closed {
		t.Errorf("%+v %v", got, err)
	}
	keyed := *approved
	keyed.Issuers = map[string]IssuerConfig{"staff": approved.Issuers["staff"]}
	one := keyed.Issuers["staff"]
	one.DecryptionKey = "a key"
	keyed.Issuers["staff"] = one
	if got, err = keyed.under(textOf(approved), nil); err != nil || got.Issuers["staff"].DecryptionKey != "" || got.Issuers["staff"].closed {
		t.Errorf("%+v %v", got, err)
	}

	// What a policy needs of the rest must be there.
	sms := readFull(t, "methods: [oidc, email]", "methods: [oidc, email, sms]", "people:", "providers: {sms: mailbox, email: mailbox}\nsms: {countries: [DE]}\npeople:", "https://proof.example.org", "http://localhost:8080", "smtp: {host: mail.example.org, from: no-reply@example.org}\n", "")
	_, err = approved.under(textOf(sms), nil)
	if err == nil || !strings.Contains(err.Error(), "c.yaml with the approved policy: profiles.device.methods") {
		t.Errorf("%v", err)
	}
}
