package acme_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestStepCAGetsTheOrganizationThatWasProvedForTheKey(t *testing.T) {
	w := newStepWorld(t)
	c := w.preauthorize(t, "signing", "organization", org, true)
	data := w.allowed(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{CommonName: "host.example.org"}, "host.example.org")))
	if data.text("basis") != "key" || data.object("organization").text("name") != org || data.text("common_name") != org || len(data["sans"].([]any)) != 0 ||
		data["authorizations"].([]any)[0] != c.text("id") || data.text("recheck_after") != "2026-11-24T10:00:00Z" || data.object("levels").text("framework") != "sp800-63-4" {
		t.Errorf("%v", data)
	}
	w.allowed(t, w.callStep(t, "authorizing", w.authorizing(t, fields{"commonName": org, "organization": []string{org}})))
	w.allowed(t, w.callStep(t, "scepchallenge", w.enriching(t, pkix.Name{})))
	if n := w.countCases(t); n != 1 {
		t.Errorf("%d cases", n)
	}
	// Another key has nothing of it.
	w.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for hook, call := range map[string]fields{
		"enriching": w.enriching(t, pkix.Name{}), "scepchallenge": w.enriching(t, pkix.Name{Organization: []string{org}}), "authorizing": w.authorizing(t, fields{"organization": []string{org}}),
	} {
		w.denied(t, w.callStep(t, hook, call), "userActionRequired", "have CA alpha open a request", "https://proof.example.org, and order again")
	}
	if n := w.countCases(t); n != 1 {
		t.Errorf("a refusal opened a case: %d", n)
	}
}

// step-ca's templates decide on usages and names, and no template changes the key: CSBR 6.1.5.2 holds here as at the interface of our own.
func TestStepCAIssuesForNoKeyThatTheProfileDoesNotTake(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	certificate := w.authorizing(t, fields{"organization": []string{org}, "commonName": org})
	w.allowed(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{})))
	w.allowed(t, w.callStep(t, "authorizing", certificate))
	p := w.Policy.Profiles["signing"]
	p.CSR = proofing.CSRPolicy{Purpose: proofing.CSRCodeSigning, Keys: []proofing.KeyKind{proofing.KeyRSA, proofing.KeyP384}, MinRSABits: 3072}
	for hook, call := range map[string]fields{"enriching": w.enriching(t, pkix.Name{}), "authorizing": certificate} {
		w.denied(t, w.callStep(t, hook, call), "badCSR", "the key is p-256: make one that is rsa of 3072 bits or more, p-384")
	}
	p.CSR.Keys = append(p.CSR.Keys, proofing.KeyP256)
	w.allowed(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{})))
	w.allowed(t, w.callStep(t, "authorizing", certificate))
}

// step-ca has set both ends of a certificate when it asks, and one that signs code lasts for 460 days at most (CSBR 6.3.2).
func TestStepCAIssuesNoCodeSigningCertificateForMoreThan460Days(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	const from = "2026-11-23T10:00:00Z"
	signsCode := func(p *proofing.Profile) {
		p.CSR = proofing.CSRPolicy{Purpose: proofing.CSRCodeSigning, Keys: []proofing.KeyKind{proofing.KeyP256}}
	}
	ev := func(p *proofing.Profile) { p.EV = true }
	for name, x := range map[string]struct {
		profile  func(*proofing.Profile)
		from, to any
		want     string
	}{
		"460 days":                      {signsCode, from, "2028-02-26T09:59:59Z", ""},
		"460 days, of parts of seconds": {signsCode, "2026-11-23T10:00:00.2Z", "2028-02-26T09:59:59.9Z", ""},
		"a second more":                 {signsCode, from, "2028-02-26T10:00:00Z", "is to last for 460 days and 1s, and one for code signing under the profile signing lasts for 460 days at most"},
		"500 days, in another zone":     {signsCode, from, "2028-04-06T11:59:59+02:00", "is to last for 500 days, and one for code signing under the profile signing lasts for 460 days at most"},
		"500 days, for EV":              {ev, from, "2028-04-06T09:59:59Z", "is to last for 500 days"},
		"no end":                        {signsCode, from, nil, "does not say from when until when"},
		"an end that is no time":        {signsCode, from, "in a year", "does not say from when until when"},
		"no beginning":                  {signsCode, "0001-01-01T00:00:00Z", "2026-12-23T10:00:00Z", "does not say from when until when"},
		"its end first":                 {signsCode, from, "2026-11-22T10:00:00Z", "does not say from when until when"},
		"500 days, and no code":         {func(*proofing.Profile) {}, from, "2028-04-06T09:59:59Z", ""},
		"no end, and no code":           {func(*proofing.Profile) {}, from, nil, ""},
	} {
		was := w.Policy.Profiles["signing"]
		p := *was
		x.profile(&p)
		w.Policy.Profiles["signing"] = &p
		call := w.authorizing(t, fields{"commonName": org, "organization": []string{org}})
		c := call["x509Certificate"].(fields)
		c["notBefore"], c["notAfter"] = x.from, x.to
		if got := w.callStep(t, "authorizing", call); x.want != "" {
			w.denied(t, got, "validity", x.want, "460 days", "CSBR 6.3.2")
		} else if got["allow"] != true && !p.EV {
			t.Errorf("%s: %v", name, got)
		}
		w.Policy.Profiles["signing"] = was
	}
}

func TestStepCAIsRefusedWhileTheCaseIsNotGranted(t *testing.T) {
	w := newStepWorld(t)
	ask := func() []object {
		return []object{
			w.callStep(t, "enriching", w.enriching(t, pkix.Name{})), w.callStep(t, "enriching", w.enriching(t, pkix.Name{Organization: []string{org}})),
			w.callStep(t, "authorizing", w.authorizing(t, fields{"organization": []string{org}})), w.callStep(t, "scepchallenge", w.enriching(t, pkix.Name{})),
		}
	}
	c := w.preauthorize(t, "signing", "organization", org, false)
	for _, o := range ask() {
		w.denied(t, o, "userActionRequired", org+": a person must show who they are: open the link of the request "+c.text("id"))
	}
	w.prove(t, c.text("case_url"), applicant)
	for _, o := range ask() {
		w.allowed(t, o)
	}
	w.disown(t, c.text("id"))
	for _, o := range ask() {
		w.denied(t, o, "unauthorized", "said that it was not them")
	}
	if _, err := w.Restore(t.Context(), c.text("id")); err != nil {
		t.Fatal(err)
	}
	if err := w.Unregister(t.Context(), "alpha", proofing.Identifier{Type: "organization", Value: org}); err != nil {
		t.Fatal(err)
	}
	for _, o := range ask() {
		w.denied(t, o, "rejectedIdentifier", "no right to the identifier any more")
	}
	if _, err := w.Register(t.Context(), "alpha", proofing.Identifier{Type: "organization", Value: org}, "", proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Revoke(t.Context(), c.text("id"), "operator"); err != nil {
		t.Fatal(err)
	}
	for _, o := range ask() {
		w.denied(t, o, "userActionRequired", "or it is over")
	}
	p := *w.Policy.Profiles["signing"]
	p.ReviewEntitlement = true
	w.Policy.Profiles["signing"] = &p
	waits := w.preauthorize(t, "signing", "organization", org, false)
	if err := w.Unregister(t.Context(), "alpha", proofing.Identifier{Type: "organization", Value: org}); err != nil {
		t.Fatal(err)
	}
	w.prove(t, waits.text("case_url"), applicant)
	for _, o := range ask() {
		w.denied(t, o, "userActionRequired", "waits for the decision of an approver")
	}
}

func TestWithLinksARefusalLeadsToTheCase(t *testing.T) {
	w := newStepWorld(t)
	w.hook(t, proofing.StepHook{Name: "linked", Kind: proofing.StepEnriching, Profile: "signing", Links: true})
	if _, err := w.Register(t.Context(), "alpha", proofing.Identifier{Type: "organization", Value: org}, "", proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant}); err != nil {
		t.Fatal(err)
	}
	call := w.enriching(t, pkix.Name{Organization: []string{org}})
	first, again := w.callStep(t, "linked", call).object("error"), w.callStep(t, "linked", call).object("error")
	if first.text("message") != again.text("message") || w.countCases(t) != 1 {
		t.Errorf("the same call twice: %v, %v", first, again)
	}
	_, link, found := strings.Cut(first.text("message"), "open https://proof.example.org/c/")
	if link, _, _ = strings.Cut(link, ","); !found {
		t.Fatalf("%v", first)
	}
	w.prove(t, "https://proof.example.org/c/"+link, applicant)
	w.allowed(t, w.callStep(t, "linked", call))
	if strings.Contains(w.log.String(), link) {
		t.Error("the link is in the log")
	}
}

func TestACallThatIsNotOfTheHookIsAnsweredAlike(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	w.edit(t, func(ca *proofing.Authority) error {
		return ca.AddStepHook(proofing.StepHook{Name: "idle", Kind: proofing.StepEnriching, Profile: "signing", Correlate: proofing.CorrelateKey}, w.Policy.Profiles["signing"])
	})
	body, _ := json.Marshal(w.enriching(t, pkix.Name{}))
	key, id := stepSecret("enriching"), "id-of-enriching"
	other := append(slices.Clone(body), ' ')
	tamper := func(r *http.Request, edit func(*http.Request)) *http.Request { edit(r); return r }
	good := func() *http.Request { return w.sign(t, "alpha", "enriching", id, key, body) }
	var said string
	for what, r := range map[string]*http.Request{
		"an unknown CA":                w.sign(t, "gamma", "enriching", id, key, body),
		"another CA":                   w.sign(t, "beta", "enriching", id, key, body),
		"an unknown hook":              w.sign(t, "alpha", "none", id, key, body),
		"a hook that is not connected": w.sign(t, "alpha", "idle", "", nil, body),
		"another id":                   w.sign(t, "alpha", "enriching", "id-of-authorizing", key, body),
		"no id":                        w.sign(t, "alpha", "enriching", "", key, body),
		"another hook's secret":        w.sign(t, "alpha", "enriching", id, stepSecret("authorizing"), body),
		"an empty secret":              w.sign(t, "alpha", "enriching", id, nil, body),
		"the secret undecoded":         w.sign(t, "alpha", "enriching", id, []byte(base64.StdEncoding.EncodeToString(key)), body),
		"a body that was changed":      tamper(good(), func(r *http.Request) { r.Body = readCloser{bytes.NewReader(other)} }),
		"no signature":                 tamper(good(), func(r *http.Request) { r.Header.Del("X-Smallstep-Signature") }),
		"half a signature": tamper(good(), func(r *http.Request) {
			r.Header.Set("X-Smallstep-Signature", r.Header.Get("X-Smallstep-Signature")[:32])
		}),
		"a signature that is not hex": tamper(good(), func(r *http.Request) {
			r.Header.Set("X-Smallstep-Signature", "sha256="+r.Header.Get("X-Smallstep-Signature"))
		}),
		"a token of the CA and nothing": tamper(good(), func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+w.token)
			r.Header.Del("X-Smallstep-Signature")
		}),
		"a certificate that nobody pinned": tamper(w.sign(t, "alpha", "enriching", id, nil, body), func(r *http.Request) { r.TLS = shown(t, w, w.key) }),
	} {
		answer := w.exchange(t, r, string(body))
		if answer.Code != 200 || decode(t, answer).object("error").text("code") != "notAuthenticated" || said != "" && answer.Body.String() != said {
			t.Errorf("%s: %d %s", what, answer.Code, answer.Body)
		}
		said = answer.Body.String()
	}
	if answer := w.exchange(t, good(), string(body)); decode(t, answer)["allow"] != true {
		t.Errorf("the good one: %s", answer.Body)
	}
	upper := good()
	upper.Header.Set("X-Smallstep-Signature", strings.ToUpper(upper.Header.Get("X-Smallstep-Signature")))
	upper.Header.Set("Content-Type", "text/plain") // whatever it says
	if answer := w.exchange(t, upper, string(body)); decode(t, answer)["allow"] != true {
		t.Errorf("in capitals: %s", answer.Body)
	}
	w.edit(t, func(ca *proofing.Authority) error { ca.Revoked = w.clock(); return nil })
	if answer := w.exchange(t, good(), string(body)); answer.Body.String() != said {
		t.Errorf("of a CA that was revoked: %s", answer.Body)
	}
}

func TestAHookWithoutASecretTakesAPinnedCertificateAlone(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	w.edit(t, func(ca *proofing.Authority) error { return ca.ConnectStepHook("enriching", "static", "", w.clock()) })
	mine, theirs, nobodys := w.key, newECKey(t), newECKey(t)
	for ca, key := range map[string]*ecdsa.PrivateKey{"alpha": mine, "beta": theirs} {
		if err := w.PinCertificate(t.Context(), ca, proofing.AuthorityCertificate{Pin: proofing.PinOf(spki(t, key)), NotAfter: w.clock().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	body, _ := json.Marshal(w.enriching(t, pkix.Name{}))
	for what, c := range map[string]struct {
		tls  *tls.ConnectionState
		key  []byte
		want string
	}{
		"the CA's":         {shown(t, w, mine), nil, ""},
		"another CA's":     {shown(t, w, theirs), nil, "notAuthenticated"},
		"nobody's":         {shown(t, w, nobodys), nil, "notAuthenticated"},
		"none":             {nil, nil, "notAuthenticated"},
		"none, but signed": {nil, stepSecret("enriching"), "notAuthenticated"},
		"an old one": {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{{RawSubjectPublicKeyInfo: spki(t, mine), NotBefore: w.clock().Add(-2 * time.Hour), NotAfter: w.clock().Add(-time.Hour)}}},
			nil, "notAuthenticated"},
	} {
		r := w.sign(t, "alpha", "enriching", "static", c.key, body)
		r.TLS = c.tls
		answer := decode(t, w.exchange(t, r, string(body)))
		if answer.object("error").text("code") != c.want {
			t.Errorf("%s: %v", what, answer)
		}
	}
}

func TestAnOldCallOfStepCAIsRefused(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	call := w.enriching(t, pkix.Name{})
	for off, fresh := range map[time.Duration]bool{0: true, 11 * time.Second: true, 2 * time.Minute: true, 121 * time.Second: false, -121 * time.Second: false, -2 * time.Minute: true, 24 * time.Hour: false} {
		call["timestamp"] = w.clock().Add(-off).Format(time.RFC3339Nano)
		if o := w.callStep(t, "enriching", call); o["allow"] != fresh {
			t.Errorf("%v old: %v", off, o)
		} else if !fresh {
			w.denied(t, o, "staleCall", "clocks")
		}
	}
	for _, odd := range []any{nil, "", "now", 1764000000, "2026-11-23"} {
		call["timestamp"] = odd
		w.denied(t, w.callStep(t, "enriching", call), "malformed")
	}
}

func TestByIdentifierACaseOfAnybodysServes(t *testing.T) {
	w := newStepWorld(t)
	for _, kind := range []proofing.StepKind{proofing.StepEnriching, proofing.StepAuthorizing} {
		w.hook(t, proofing.StepHook{Name: "named-" + strings.ToLower(string(kind)), Kind: kind, Profile: "names", Correlate: proofing.CorrelateIdentifier})
		w.hook(t, proofing.StepHook{Name: "strict-" + strings.ToLower(string(kind)), Kind: kind, Profile: "strict", Correlate: proofing.CorrelateIdentifier})
	}
	const host = "host.example.org"
	first := w.preauthorize(t, "names", "dns", host, false)
	ask := func() []object {
		mine := w.key
		defer func() { w.key = mine }()
		w.key = newECKey(t)
		return []object{
			w.callStep(t, "named-enriching", w.enriching(t, pkix.Name{CommonName: host}, host)), w.callStep(t, "named-authorizing", w.authorizing(t, fields{"commonName": host}, "dns:"+host)),
		}
	}
	for _, o := range ask() { // whose case it is is nobody's to know
		w.denied(t, o, "userActionRequired", "nobody has shown who is behind this name")
		if strings.Contains(o.object("error").text("message"), first.text("id")) {
			t.Errorf("%v", o)
		}
	}
	w.prove(t, first.text("case_url"), applicant)
	for _, o := range ask() {
		if data := w.allowed(t, o); data.text("basis") != "identifier" || data["authorizations"].([]any)[0] != first.text("id") || data["organization"] != nil || data.text("common_name") != host {
			t.Errorf("%v", data)
		}
	}
	// Another's case for the name stands in for one that does not hold.
	w.disown(t, first.text("id"))
	for _, o := range ask() {
		w.denied(t, o, "unauthorized", "said that it was not them")
	}
	w.key = newECKey(t)
	second := w.preauthorize(t, "names", "dns", host, true)
	for _, o := range ask() {
		if data := w.allowed(t, o); data["authorizations"].([]any)[0] != second.text("id") {
			t.Errorf("%v", data)
		}
	}
	// Neither a name beside it nor another CA's.
	w.denied(t, w.callStep(t, "named-authorizing", w.authorizing(t, fields{}, "dns:"+host, "dns:other.example.org")), "userActionRequired", "other.example.org")
	// An organization is nobody's to name: no CA checks whose it is.
	w.preauthorize(t, "strict", "organization", org, true)
	w.preauthorize(t, "strict", "dns", host, true)
	w.denied(t, w.callStep(t, "strict-authorizing", w.authorizing(t, fields{"organization": []string{org}}, "dns:"+host)), "nameNotProved", "names an organization")
	if data := w.allowed(t, w.callStep(t, "strict-enriching", w.enriching(t, pkix.Name{Organization: []string{org}}, host))); data["organization"] != nil {
		t.Errorf("%v", data)
	}
	if _, err := w.Revoke(t.Context(), second.text("id"), "operator"); err != nil {
		t.Fatal(err)
	}
	for _, o := range ask() {
		w.denied(t, o, "unauthorized")
	}
	// A profile that comes to ask for more takes it no longer.
	for _, change := range []func(*proofing.Profile){func(p *proofing.Profile) { p.Require.AAL = 2 }, func(p *proofing.Profile) { p.Approvals = 1 }, func(p *proofing.Profile) { p.EV = true }} {
		p := *w.Policy.Profiles["strict"]
		change(&p)
		before := w.Policy.Profiles["strict"]
		w.Policy.Profiles["strict"] = &p
		w.denied(t, w.callStep(t, "strict-authorizing", w.authorizing(t, fields{}, "dns:"+host)), "malformed", "found by key alone")
		w.Policy.Profiles["strict"] = before
	}
	w.allowed(t, w.callStep(t, "strict-authorizing", w.authorizing(t, fields{}, "dns:"+host)))
}

func TestAHookOfAProfileThatIsGoneAuthorizesNothing(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	w.edit(t, func(ca *proofing.Authority) error {
		ca.Profiles = slices.DeleteFunc(ca.Profiles, func(p string) bool { return p == "signing" })
		return nil
	})
	w.denied(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{})), "profileUnknown", "must register it anew")
	delete(w.Policy.Profiles, "signing")
	w.denied(t, w.callStep(t, "authorizing", w.authorizing(t, fields{"organization": []string{org}})), "profileUnknown")
}

func TestWhatStepCATellsIsTaken(t *testing.T) {
	w := newStepWorld(t)
	issued := w.authorizing(t, fields{})
	issued["scepTransactionID"], issued["provisionerName"] = "1", "scep"
	failed := w.enriching(t, pkix.Name{})
	failed["scepErrorCode"], failed["scepErrorDescription"] = 1, "golden-reason"
	for _, call := range []fields{issued, failed, failed} {
		if o := w.callStep(t, "notifying", call); o["allow"] != true || o["data"] != nil {
			t.Errorf("%v", o)
		}
	}
	challenge := w.enriching(t, pkix.Name{})
	challenge["scepChallenge"] = "golden-challenge"
	w.denied(t, w.callStep(t, "scepchallenge", challenge), "userActionRequired")
	log := w.log.String()
	for _, secret := range []string{"golden", base64.StdEncoding.EncodeToString(stepSecret("notifying")), hex.EncodeToString(stepSecret("notifying"))} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	for _, want := range []string{`"issued":true`, `"issued":false`, `"hook":"notifying"`, `"by":"signature"`, `"problem":"userActionRequired"`, `"route":"POST /step-ca/{ca}/{hook}"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
}

func TestStepCAIsToldWhenWeCannotAnswer(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	for hook, call := range map[string]fields{"enriching": w.enriching(t, pkix.Name{}), "authorizing": w.authorizing(t, fields{"organization": []string{org}})} {
		body, _ := json.Marshal(call)
		for n := 1; ; n++ { // the n-th call of the store fails, for every n
			calls := 0
			w.kv.sabotage(func(string) bool { calls++; return calls == n })
			answer := w.exchange(t, w.sign(t, "alpha", hook, "id-of-"+hook, stepSecret(hook), body), string(body))
			w.kv.sabotage(nil)
			if calls < n {
				break
			}
			if answer.Code != 503 || answer.Header().Get("Retry-After") == "" {
				t.Fatalf("%s: call %d failed: %d %s", hook, n, answer.Code, answer.Body)
			}
		}
		w.allowed(t, w.callStep(t, hook, call))
	}
	w.Cases = failingCases{w.Cases}
	body, _ := json.Marshal(w.enriching(t, pkix.Name{Organization: []string{org}}))
	w.hook(t, proofing.StepHook{Name: "linked", Kind: proofing.StepEnriching, Profile: "signing", Links: true})
	w.key = newECKey(t)
	body, _ = json.Marshal(w.enriching(t, pkix.Name{Organization: []string{org}}))
	if answer := w.exchange(t, w.sign(t, "alpha", "linked", "id-of-linked", stepSecret("linked"), body), string(body)); answer.Code != 500 || strings.Contains(answer.Body.String(), "unforeseen") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// A hook that was registered before it was refused lets nobody through.
func TestASCEPRequestOfAStrangerIsRefused(t *testing.T) {
	w := newStepWorld(t)
	const host = "host.example.org"
	w.preauthorize(t, "names", "dns", host, true)
	w.hook(t, proofing.StepHook{Name: "scep", Kind: proofing.StepSCEPChallenge, Profile: "names", Correlate: proofing.CorrelateKey})
	call := w.enriching(t, pkix.Name{CommonName: host}, host)
	w.allowed(t, w.callStep(t, "scep", call))
	w.edit(t, func(ca *proofing.Authority) error {
		ca.StepHook("scep").Correlate = proofing.CorrelateIdentifier
		return nil
	})
	w.key = newECKey(t)
	w.denied(t, w.callStep(t, "scep", w.enriching(t, pkix.Name{CommonName: host}, host)), "correlation", "SCEPCHALLENGE")
}

// A certificate for code signing has no domain name, whatever the order was for.
func TestACodeSigningCertificateOfStepCAHasNoDomain(t *testing.T) {
	w := newStepWorld(t)
	w.Policy.Profiles["both"].CSR = proofing.CSRPolicy{Purpose: proofing.CSRCodeSigning, CommonName: proofing.CommonNameNoDomain, Keys: []proofing.KeyKind{proofing.KeyP256}}
	for _, kind := range []proofing.StepKind{proofing.StepEnriching, proofing.StepAuthorizing} {
		w.hook(t, proofing.StepHook{Name: "both-" + strings.ToLower(string(kind)), Kind: kind, Profile: "both"})
	}
	const host = "host.example.org"
	w.preauthorize(t, "both", "dns", host, true)
	ask := func() object {
		return w.allowed(t, w.callStep(t, "both-enriching", w.enriching(t, pkix.Name{CommonName: host}, host)))
	}
	if data := ask(); len(data.list("sans")) != 0 || data.text("common_name") != "" {
		t.Errorf("a template is given %v", data)
	}
	w.preauthorize(t, "both", "organization", org, true)
	if data := ask(); len(data.list("sans")) != 0 || data.text("common_name") != org || len(data["authorizations"].([]any)) != 2 {
		t.Errorf("a template is given %v", data)
	}
	w.denied(t, w.callStep(t, "both-authorizing", w.authorizing(t, fields{"commonName": org, "organization": []string{org}}, "dns:"+host)), "rejectedIdentifier", "CSBR 3.2.2.2.6")
	w.allowed(t, w.callStep(t, "both-authorizing", w.authorizing(t, fields{"commonName": org, "organization": []string{org}})))
}

func TestARegisteredHookIsSound(t *testing.T) {
	w := newStepWorld(t)
	p := w.Policy.Profiles["names"]
	strong, approved := *p, *p
	strong.Require.AAL, approved.Approvals = 2, 1
	good := proofing.StepHook{Name: "x", Kind: proofing.StepEnriching, Profile: "names", Correlate: proofing.CorrelateIdentifier}
	for what, c := range map[string]struct {
		hook    func(*proofing.StepHook)
		profile *proofing.Profile
		code    string
	}{
		"a good one":                       {func(*proofing.StepHook) {}, p, ""},
		"a name with a slash":              {func(h *proofing.StepHook) { h.Name = "a/b" }, p, "hook_name"},
		"no name":                          {func(h *proofing.StepHook) { h.Name = "" }, p, "hook_name"},
		"one that is there":                {func(h *proofing.StepHook) { h.Name = "enriching" }, p, "hook_exists"},
		"by identifier with two factors":   {func(*proofing.StepHook) {}, &strong, "correlation"},
		"by key with two factors":          {func(h *proofing.StepHook) { h.Correlate = proofing.CorrelateKey }, &strong, ""},
		"by identifier with approvals":     {func(*proofing.StepHook) {}, &approved, "correlation"},
		"links for whoever has a name":     {func(h *proofing.StepHook) { h.Links = true }, p, "correlation"},
		"found by something that is none":  {func(h *proofing.StepHook) { h.Correlate = "any" }, p, "correlation"},
		"a stranger's SCEP request":        {func(h *proofing.StepHook) { h.Kind = proofing.StepSCEPChallenge }, p, "correlation"},
		"a SCEP request by its key":        {func(h *proofing.StepHook) { h.Kind, h.Correlate = proofing.StepSCEPChallenge, proofing.CorrelateKey }, p, ""},
		"links for who has the key itself": {func(h *proofing.StepHook) { h.Links, h.Correlate = true, proofing.CorrelateKey }, p, ""},
	} {
		ca, h := *w.ca, good
		ca.StepHooks = slices.Clone(ca.StepHooks)
		c.hook(&h)
		err := ca.AddStepHook(h, c.profile)
		input, _ := err.(*proofing.InputError)
		if c.code == "" && err != nil || c.code != "" && (input == nil || input.Code != c.code) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ca := *w.ca
	for i := 0; ; i++ {
		h := good
		h.Name = string(rune('a' + i))
		if err := ca.AddStepHook(h, p); err != nil {
			if len(ca.StepHooks) != 16 || err.(*proofing.InputError).Code != "too_many" {
				t.Errorf("%d hooks, then %v", len(ca.StepHooks), err)
			}
			break
		}
	}
	for _, secret := range []proofing.Secret{"c2hvcnQ=", "not base64", proofing.Secret(base64.RawURLEncoding.EncodeToString(stepSecret("x")))} {
		if err := ca.ConnectStepHook("enriching", "id", secret, w.clock()); err == nil || strings.Contains(err.Error(), secret.Reveal()) {
			t.Errorf("%v", err)
		}
	}
}
