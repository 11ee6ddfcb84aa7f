package acme_test

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// published is what domains say of who may issue for them, and who was asked for.
type published struct {
	mu    sync.Mutex
	sets  map[string][]proofing.CAARecord
	fails map[string]error
	asked []string
	slow  func(domain string) // before an answer; nil: none is waited for
}

func (p *published) CAA(_ context.Context, domain string) (proofing.CAASet, error) {
	if p.slow != nil {
		p.slow(domain)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, domain)
	if err := p.fails[domain]; err != nil {
		return proofing.CAASet{}, err
	}
	if len(p.sets[domain]) == 0 {
		return proofing.CAASet{}, nil
	}
	return proofing.CAASet{At: domain, Records: p.sets[domain]}, nil
}

func (p *published) questions() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Sorted(slices.Values(p.asked))
	p.asked = nil
	return strings.Join(list, " ")
}

// newCAAWorld is a world whose authority "alpha" is called ca.example in CAA records, and whose profile "device" heeds them.
func newCAAWorld(t testing.TB, mode proofing.CAAMode) (*stepWorld, *published) {
	w := newStepWorld(t)
	records := func(tag, value string) []proofing.CAARecord { return []proofing.CAARecord{{Tag: tag, Value: value}} }
	p := &published{sets: map[string][]proofing.CAARecord{
		"ours.example.com": records("issue", "ca.example; accounturi=https://ca.example/acct/1"), "theirs.example.com": records("issue", "other.example"),
		"method.example.com": records("issue", "ca.example; validationmethods=dns-01"), "example.org": records("issuemail", ";"),
	}, fails: map[string]error{
		"broken.example.com": &proofing.CAALookupError{At: "example.com", Why: "the resolver answers SERVFAIL", Err: fmt.Errorf("192.0.2.53:53: the resolver answers SERVFAIL")},
	}}
	w.CAA = p
	w.edit(t, func(ca *proofing.Authority) error {
		ca.CAAIdentities = []string{"ca.example"}
		return nil
	})
	for _, name := range []string{"device", "both", "names"} {
		w.Policy.Profiles[name].CAA = mode
	}
	return w, p
}

// granted has the applicant prove themselves for names and their address under the profile.
func (w *world) granted(t testing.TB, profile string, ids ...string) string {
	t.Helper()
	for _, id := range ids {
		if name, ok := strings.CutPrefix(id, "dns:"); ok {
			w.register(t, name)
		}
	}
	q := question(profile, ids...)
	if link := w.ask(t, q).object("error").text("instance"); link != "" {
		w.prove(t, link, applicant)
	}
	return q
}

const (
	typeCAA = "urn:ietf:params:acme:error:caa"
	typeDNS = "urn:ietf:params:acme:error:dns"
)

func TestWithoutCAANobodyIsAsked(t *testing.T) {
	w, p := newCAAWorld(t, proofing.CAAOff)
	yes := w.ask(t, w.granted(t, "device", "dns:theirs.example.com", "dns:broken.example.com", "email:"+applicant))
	if yes["allow"] != true || yes["warnings"] != nil || yes.text("recheck_after") != "2026-11-24T10:00:00Z" || p.questions() != "" || strings.Contains(w.log.String(), `"caa"`) {
		t.Errorf("%v", yes)
	}
}

func TestAWarningOfCAAStandsBesideTheYes(t *testing.T) {
	w, p := newCAAWorld(t, proofing.CAAWarn)
	q := w.granted(t, "device", "dns:ours.example.com", "dns:theirs.example.com", "dns:broken.example.com", "dns:method.example.com", "dns:free.example.com", "email:"+applicant)
	if got := p.questions(); got != "" {
		t.Errorf("asked before anything was proved: %s", got)
	}
	yes := w.ask(t, q)
	if got := p.questions(); got != "broken.example.com example.org free.example.com method.example.com ours.example.com theirs.example.com" {
		t.Errorf("asked %s", got)
	}
	if yes["allow"] != true || yes.text("recheck_after") != "2026-11-23T18:00:00Z" { // 8 hours from now (TLS BR 3.2.2.8)
		t.Fatalf("%v", yes)
	}
	want := []struct{ typ, identifier, words string }{
		{typeCAA, "theirs.example.com", `let only "other.example" issue`},
		{typeDNS, "broken.example.com", "at example.com could not be looked up, since the resolver answers SERVFAIL: try again"},
		{typeCAA, "method.example.com", "under conditions that only the CA can judge"},
		{typeCAA, applicant, "nobody issue"},
	}
	got := yes.list("warnings")
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i, one := range want {
		if g := got[i]; g.text("type") != one.typ || g.object("identifier").text("value") != one.identifier || !strings.Contains(g.text("detail"), one.words) {
			t.Errorf("%v, want %v", g, one)
		}
	}
	log := w.log.String()
	if strings.Count(log, `"msg":"caa"`) != 4 || !strings.Contains(log, `"finding":"forbidden","domain":"theirs.example.com","refused":false`) || !strings.Contains(log, "192.0.2.53:53") || strings.Contains(log, applicant) {
		t.Error(log)
	}
	if strings.Contains(fmt.Sprint(yes), "192.0.2.53") {
		t.Error("the CA is told of the operator's network")
	}
}

func TestCAABlocks(t *testing.T) {
	w, _ := newCAAWorld(t, proofing.CAABlock)
	for _, one := range []struct{ typ, words string }{
		{"", "dns:ours.example.com dns:free.example.com"},
		{"", "dns:method.example.com"}, // what the CA alone can judge does not block
		{typeCAA, "dns:theirs.example.com dns:ours.example.com"},
		{typeDNS, "dns:broken.example.com"},
		{typeCAA, "email:" + applicant},
		{"urn:ietf:params:acme:error:compound", "dns:theirs.example.com dns:broken.example.com"},
	} {
		w.granted(t, "device", strings.Fields(one.words)...)
		o := w.ask(t, question("device", strings.Fields(one.words)...))
		problem := o.object("error")
		if o["allow"] != (one.typ == "") || problem.text("type") != one.typ {
			t.Errorf("%s: %v", one.words, o)
		}
		if one.typ == "" {
			continue
		}
		for _, s := range problem.list("subproblems") {
			if s.object("identifier") == nil || s.text("detail") == "" || s.text("type") != typeCAA && s.text("type") != typeDNS {
				t.Errorf("%v", s)
			}
		}
		if problem["status"] != 403.0 || problem.text("instance") != "" {
			t.Errorf("%v", problem)
		}
	}
	if log := w.log.String(); !strings.Contains(log, `"finding":"unknown","domain":"broken.example.com","refused":true`) {
		t.Error(log)
	}
}

// TestCAAOfADomainThatIsAskedForTwiceIsHeeded has the answer of the first there before the second comes: a name, as many that are slow as are
// looked up at once, and a mailbox under the name.
func TestCAAOfADomainThatIsAskedForTwiceIsHeeded(t *testing.T) {
	w, p := newCAAWorld(t, proofing.CAABlock)
	p.sets["example.org"] = []proofing.CAARecord{{Tag: "issue", Value: ";"}, {Tag: "issuemail", Value: ";"}}
	p.fails["f5.example.com"] = p.fails["broken.example.com"]
	names := []string{"dns:example.org"}
	for i := range 8 {
		names = append(names, fmt.Sprintf("dns:f%d.example.com", i+1))
	}
	names = append(names, "email:"+applicant)
	w.granted(t, "device", names...)
	last := make(chan struct{})
	p.slow = func(domain string) {
		switch domain {
		case "example.org":
		case "f8.example.com": // there is room for it once the first is there
			close(last)
		default:
			select {
			case <-last:
			case <-time.After(time.Minute):
				t.Errorf("%s: the last was never asked for", domain)
			}
		}
	}
	o := w.ask(t, question("device", names...))
	var refused []string
	for _, s := range o.object("error").list("subproblems") {
		refused = append(refused, s.object("identifier").text("value"))
	}
	if slices.Sort(refused); o["allow"] != false || !slices.Equal(refused, []string{applicant, "example.org", "f5.example.com"}) {
		t.Errorf("refused for %q: %v", refused, o)
	}
	if got := p.questions(); strings.Count(got, "example.org") != 1 {
		t.Errorf("asked %s", got)
	}
}

func TestCAAAnotherAccountIsNotTheOneThatIsNamed(t *testing.T) {
	w, _ := newCAAWorld(t, proofing.CAABlock)
	q := w.granted(t, "device", "dns:ours.example.com")
	other := strings.Replace(q, "acct/1", "acct/2", 1)
	if problem := w.ask(t, other).object("error"); problem.text("type") != typeCAA || !strings.Contains(problem.text("detail"), `write "https://ca.example/acct/2" there`) {
		t.Errorf("%v", problem)
	}
	// The URL that the account was known by stands in for one that is not given.
	unsaid := strings.Replace(q, `"url":"https://ca.example/acct/1",`, "", 1)
	if yes := w.ask(t, unsaid); yes["allow"] != true {
		t.Errorf("%v", yes)
	}
}

func TestCAAOfAnOrganizationIsThatOfItsDomains(t *testing.T) {
	w, p := newCAAWorld(t, proofing.CAABlock)
	c := w.preauthorize(t, "both", "organization", org, true)
	q := strings.Replace(question("both", "organization:"+org), fmt.Sprintf(`"account":{"url":"https://ca.example/acct/1","thumbprint":%q}`, thumbprint), `"public_key":"`+b64(spki(t, w.key))+`"`, 1)
	yes := w.ask(t, q)
	if warnings := yes.list("warnings"); yes["allow"] != true || len(warnings) != 1 || !strings.Contains(warnings[0].text("detail"), "no domain of the organization is registered") || yes["authorizations"].([]any)[0] != c.text("id") {
		t.Fatalf("%v", yes)
	}
	if o := yes.object("data").object("organization"); o.text("name") != org || o["registration_number"] != nil {
		t.Errorf("of an organization without a dossier there is %v", o)
	}
	id := proofing.Identifier{Type: "organization", Value: org}
	register := func(ca string, domains ...string) error {
		_, err := w.RegisterOrganization(t.Context(), ca, id, "", domains, proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant})
		return err
	}
	if err := errors.Join(register("alpha", "FREE.example.com.", "free.example.com"), register("beta", "theirs.example.com")); err != nil {
		t.Fatal(err) // what is registered for another CA is nothing to this one
	}
	if yes := w.ask(t, q); yes["allow"] != true || yes["warnings"] != nil || p.questions() != "free.example.com" {
		t.Errorf("%v", yes)
	}
	if err := register("alpha", "theirs.example.com"); err != nil {
		t.Fatal(err)
	}
	if problem := w.ask(t, q).object("error"); problem.text("type") != typeCAA || problem.list("subproblems")[0].object("identifier").text("value") != org {
		t.Errorf("%v", problem)
	}
	// The hooks of step-ca go by it too.
	w.hook(t, proofing.StepHook{Name: "enriching-both", Kind: proofing.StepEnriching, Profile: "both"})
	w.denied(t, w.callStep(t, "enriching-both", w.enriching(t, pkix.Name{Organization: []string{org}})), "caa", org, `let only "other.example" issue`)
	w.Policy.Profiles["both"].CAA = proofing.CAAWarn
	data := w.allowed(t, w.callStep(t, "enriching-both", w.enriching(t, pkix.Name{Organization: []string{org}})))
	if warnings := data.list("warnings"); len(warnings) != 1 || warnings[0].text("type") != typeCAA || warnings[0].object("identifier").text("value") != org || !strings.Contains(warnings[0].text("detail"), `let only "other.example" issue`) {
		t.Errorf("a template is given %v", data)
	}
	for _, bad := range []string{"localhost", "*.example.com", "exa mple.com"} {
		if err := register("alpha", bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestCAAByIdentifierKnowsNoAccount: whose case it is says nothing of who asks.
func TestCAAByIdentifierKnowsNoAccount(t *testing.T) {
	w, _ := newCAAWorld(t, proofing.CAABlock)
	w.hook(t, proofing.StepHook{Name: "named", Kind: proofing.StepEnriching, Profile: "names", Correlate: proofing.CorrelateIdentifier})
	for name, code := range map[string]string{"free.example.com": "", "ours.example.com": "caa", "broken.example.com": "dns"} {
		w.granted(t, "names", "dns:"+name)
		o := w.callStep(t, "named", w.enriching(t, pkix.Name{CommonName: name}, name))
		if code == "" {
			w.allowed(t, o)
			continue
		}
		w.denied(t, o, code, name)
	}
}

func TestCAAIsToldWithTheFaultsOfTheCSR(t *testing.T) {
	w, _ := newCAAWorld(t, proofing.CAABlock)
	w.granted(t, "device", "dns:theirs.example.com")
	csr, _, _ := makeCSR(t) // for the applicant's address, which is not asked for
	q := strings.TrimSuffix(question("device", "dns:theirs.example.com"), "}") + `,"csr":"` + csr + `"}`
	var types []string
	for _, s := range w.ask(t, q).object("error").list("subproblems") {
		types = append(types, s.text("type"))
	}
	if !slices.Contains(types, typeCAA) || !slices.Contains(types, "urn:ietf:params:acme:error:badCSR") {
		t.Errorf("%v", types)
	}
}
