package acme_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// question asks for e-mail identifiers under a profile.
func question(profile string, ids ...string) string {
	var list []string
	for _, id := range ids {
		typ, value, _ := strings.Cut(id, ":")
		list = append(list, fmt.Sprintf(`{"type":%q,"value":%q}`, typ, value))
	}
	return fmt.Sprintf(`{"account":{"url":"https://ca.example/acct/1","thumbprint":%q},"identifiers":[%s],"profile":%q}`, thumbprint, strings.Join(list, ","), profile)
}

func (w *world) ask(t testing.TB, body string) object {
	t.Helper()
	return w.want(t, 200, "POST", "/v1/authorize", body)
}

const userActionRequired = "urn:ietf:params:acme:error:userActionRequired"

func TestAuthorizeOpensWhatIsMissingAndSaysWhere(t *testing.T) {
	w := newWorld(t)
	no := w.ask(t, question("client", "email:"+applicant))
	problem := no.object("error")
	if no["allow"] != false || problem.text("type") != userActionRequired || problem["status"] != 403.0 {
		t.Fatalf("%v", no)
	}
	opened := w.open(t, "client")
	sub := problem.list("subproblems")[0]
	if problem.text("instance") != opened.text("case_url") || sub.text("instance") != opened.text("case_url") || sub.object("identifier").text("value") != applicant {
		t.Errorf("the problem does not lead to the case: %v", problem)
	}
	w.prove(t, problem.text("instance"), applicant)
	yes := w.ask(t, question("client", "email:"+applicant))
	if yes["allow"] != true || yes["authorizations"].([]any)[0] != opened.text("id") || yes.text("recheck_after") != "2026-11-24T10:00:00Z" {
		t.Fatalf("%v", yes)
	}
	if a := yes.object("assessment"); a.text("policy_digest") != "digest" || a["not_conformance_claim"] != true || a.text("framework") != "sp800-63-4" {
		t.Errorf("%v", a)
	}
}

func TestAuthorizeIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	both := question("client", "email:"+applicant, "email:other@example.org", "email:"+applicant)
	w.prove(t, w.open(t, "client").text("case_url"), applicant)
	problem := w.ask(t, both).object("error")
	subs := problem.list("subproblems")
	if problem.text("type") != userActionRequired || len(subs) != 1 || subs[0].object("identifier").text("value") != "other@example.org" || subs[0].text("instance") != problem.text("instance") {
		t.Fatalf("%v", problem)
	}
	w.prove(t, problem.text("instance"), "other@example.org")
	if yes := w.ask(t, both); yes["allow"] != true || len(yes["authorizations"].([]any)) != 2 {
		t.Errorf("%v", yes)
	}
}

func TestSpellingsOfOneIdentifierAreOne(t *testing.T) {
	w := newWorld(t)
	w.register(t, "example.com")
	names := question("device", "dns:example.com", "dns:EXAMPLE.com.")
	problem := w.ask(t, names).object("error")
	if len(problem.list("subproblems")) != 1 {
		t.Fatalf("%v", problem)
	}
	w.prove(t, problem.text("instance"), applicant)
	if yes := w.ask(t, names); yes["allow"] != true || len(yes["authorizations"].([]any)) != 1 || yes.text("domain_control") != "not_checked" {
		t.Errorf("%v", yes)
	}
}

// register lets the holder of the applicant's address have a name.
func (w *world) register(t testing.TB, name string) {
	t.Helper()
	id := proofing.Identifier{Type: "dns", Value: name}
	if _, err := w.Register(context.Background(), "alpha", id, "", proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant}); err != nil {
		t.Fatal(err)
	}
}

func TestRefusalsThatNobodyCanCure(t *testing.T) {
	w := newWorld(t)
	const acmeType = "urn:ietf:params:acme:error:"
	types := func(ids ...string) (string, []string) {
		problem := w.ask(t, question("device", ids...)).object("error")
		if problem.text("type") != userActionRequired && problem.text("instance") != "" {
			t.Errorf("what nobody can cure has an instance: %v", problem)
		}
		var subs []string
		for _, s := range problem.list("subproblems") {
			subs = append(subs, strings.TrimPrefix(s.text("type"), acmeType))
		}
		return strings.TrimPrefix(problem.text("type"), acmeType), subs
	}
	for want, ids := range map[string][]string{
		"rejectedIdentifier rejectedIdentifier":                          {"dns:*.example.com"},
		"unsupportedIdentifier unsupportedIdentifier":                    {"tkauth:x"},
		"malformed malformed":                                            {"ip:::g"},
		"rejectedIdentifier userActionRequired rejectedIdentifier":       {"dns:example.com", "dns:*.example.com"},
		"compound rejectedIdentifier unsupportedIdentifier":              {"dns:*.example.com", "tkauth:x"},
		"userActionRequired userActionRequired userActionRequired":       {"dns:example.com", "ip:192.0.2.1"},
		"rejectedIdentifier rejectedIdentifier rejectedIdentifier":       {"dns:*.example.com", "dns:*.example.org"},
		"compound userActionRequired malformed rejectedIdentifier":       {"dns:example.com", "dns:x", "dns:*.example.org"},
		"unsupportedIdentifier userActionRequired unsupportedIdentifier": {"ip:2001:db8::1", "permanent-identifier:1"},
	} {
		top, subs := types(ids...)
		if got := strings.Join(append([]string{top}, subs...), " "); got != want {
			t.Errorf("%q: %s, want %s", ids, got, want)
		}
	}
}

func TestAuthorizeJudgesAnew(t *testing.T) {
	w := newWorld(t)
	w.register(t, "example.com")
	q := question("device", "dns:example.com")
	link := w.ask(t, q).object("error").text("instance")
	w.prove(t, link, applicant)
	yes := w.ask(t, q)
	if yes["allow"] != true {
		t.Fatalf("%v", yes)
	}
	if err := w.Unregister(context.Background(), "alpha", proofing.Identifier{Type: "dns", Value: "example.com"}); err != nil {
		t.Fatal(err)
	}
	if p := w.ask(t, q).object("error"); p.text("type") != "urn:ietf:params:acme:error:rejectedIdentifier" {
		t.Errorf("after the right is gone: %v", p)
	}
	w.register(t, "example.com")
	w.disown(t, yes["authorizations"].([]any)[0].(string))
	if p := w.ask(t, q).object("error"); p.text("type") != "urn:ietf:params:acme:error:unauthorized" {
		t.Errorf("while frozen: %v", p)
	}
}

func TestAuthorizeInReview(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "reviewed")
	w.prove(t, o.text("case_url"), applicant)
	if p := w.ask(t, question("reviewed", "email:"+applicant)).object("error"); p.text("type") != userActionRequired || p.text("instance") != o.text("case_url") {
		t.Errorf("%v", p)
	}
}

// TestAuthorizeForEVOnceTheLogHasIt asks before anybody has listed the grant, and after.
func TestAuthorizeForEVOnceTheLogHasIt(t *testing.T) {
	w := newWorld(t)
	w.Policy.Profiles["client"].EV = true
	o := w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	for _, call := range [][3]string{{"POST", "/v1/authorize", question("client", "email:"+applicant)}, {"GET", "/v1/preauthorizations/" + o.text("id"), ""}} {
		r := w.do(t, call[0], call[1], w.token, call[2])
		if r.Code != http.StatusServiceUnavailable || r.Header().Get("Retry-After") == "" {
			t.Errorf("%s before it is in the log: %d, to try again after %q: %s", call[1], r.Code, r.Header().Get("Retry-After"), r.Body)
		}
	}
	if err := w.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if yes := w.ask(t, question("client", "email:"+applicant)); yes["allow"] != true {
		t.Errorf("once it is: %v", yes)
	}
}

func TestAuthorizeForAPublicKey(t *testing.T) {
	w := newWorld(t)
	csr, spki, key := makeCSR(t)
	other, _, _ := makeCSR(t)
	ask := func(who string) string {
		return `{` + who + `,"identifiers":[{"type":"email","value":"` + applicant + `"}],"profile":"client"}`
	}
	link := w.ask(t, ask(`"csr":"`+csr+`"`)).object("error").text("instance")
	w.prove(t, link, applicant)
	for _, who := range []string{`"csr":"` + csr + `"`, `"public_key":"` + spki + `"`, `"public_key":"` + spki + `","csr":"` + csr + `"`} {
		if o := w.ask(t, ask(who)); o["allow"] != true {
			t.Errorf("%s: %v", who, o)
		}
	}
	if o := w.ask(t, ask(`"account":{"jwk":`+jwkOf(t, &key.PublicKey)+`}`)); o["allow"] != false {
		t.Error("the grant of a key serves an account")
	}
	for _, who := range []string{`"public_key":"` + spki + `","csr":"` + other + `"`, `"account":{"jwk":` + jwkOf(t, &key.PublicKey) + `},"csr":"` + csr + `"`} {
		if o := w.want(t, 400, "POST", "/v1/authorize", ask(who)); o.text("type") != "urn:ietf:params:acme:error:badCSR" {
			t.Errorf("%v", o)
		}
	}
}

func TestDevicesAreAuthorizedAsTheyAreRegistered(t *testing.T) {
	w := newStepWorld(t)
	w.Policy.Profiles["both"].Identifiers = []string{"permanent-identifier", "hardware-module"}
	for _, typ := range w.Policy.Profiles["both"].Identifiers {
		c := w.preauthorize(t, "both", typ, "serial 1", true)
		ask := func(value string) object {
			body := question("both", typ+":"+value)
			return w.ask(t, `{"public_key":"`+b64(spki(t, w.key))+`"`+body[strings.Index(body, `,"identifiers"`):])
		}
		if yes := ask("serial 1"); yes["allow"] != true || yes["authorizations"].([]any)[0] != c.text("id") || yes["domain_control"] != nil {
			t.Errorf("%s: %v", typ, yes)
		}
		for value, problem := range map[string]string{"serial 2": "userActionRequired", "SERIAL 1": "userActionRequired", "serial  1": "malformed"} {
			if no := ask(value); no["allow"] != false || !strings.HasSuffix(no.object("error").text("type"), ":"+problem) {
				t.Errorf("%s %s: %v", typ, value, no)
			}
		}
	}
	// step-ca writes a hardware module name in ASN.1, which is not read: no certificate has one.
	w.hook(t, proofing.StepHook{Name: "judge", Kind: proofing.StepAuthorizing, Profile: "both"})
	w.denied(t, w.callStep(t, "judge", w.authorizing(t, fields{}, "hardwareModuleName:serial 1")), "nameNotProved", "hardwareModuleName")
	w.allowed(t, w.callStep(t, "judge", w.authorizing(t, fields{}, "permanentIdentifier:serial 1")))
}

func TestQuestionsThatCannotBeJudged(t *testing.T) {
	w := newWorld(t)
	hundred := make([]string, 101)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("dns:h%d.example.com", i)
	}
	for name, body := range map[string]string{
		"no identifiers":      question("device"),
		"too many":            question("device", hundred...),
		"not a list":          `{"account":{"thumbprint":"` + thumbprint + `"},"identifiers":{},"profile":"device"}`,
		"not an identifier":   `{"account":{"thumbprint":"` + thumbprint + `"},"identifiers":["example.com"],"profile":"device"}`,
		"no applicant":        `{"identifiers":[{"type":"dns","value":"example.com"}],"profile":"device"}`,
		"nobody yet":          `{"result":"eab_key","identifiers":[{"type":"dns","value":"example.com"}],"profile":"device"}`,
		"a profile not yours": question("private", "dns:example.com"),
	} {
		if o := w.want(t, 400, "POST", "/v1/authorize", body); o.text("type") == "" {
			t.Errorf("%s: %v", name, o)
		}
	}
	if o := w.ask(t, question("device", hundred[:100]...)); len(o.object("error").list("subproblems")) != 100 {
		t.Error("not every identifier has its subproblem")
	}
}
