package acme_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// stepWorld is a world with hooks of step-ca for the authority alpha: one of each kind for the profile "signing", which
// is for organizations alone.
type stepWorld struct {
	*world
	key *ecdsa.PrivateKey // of the certificate that is asked for
}

const org = "Example Ltd"

func newStepWorld(t testing.TB) *stepWorld {
	t.Helper()
	w := &stepWorld{world: newWorld(t)}
	for name, identifiers := range map[string][]string{"signing": {"organization"}, "both": {"organization", "dns", "permanent-identifier"}, "names": {"dns", "ip"}, "strict": {"dns", "organization"}} {
		p := *w.Policy.Profiles["device"]
		p.Name, p.Identifiers = name, identifiers
		w.Policy.Profiles[name] = &p
	}
	w.edit(t, func(ca *proofing.Authority) error {
		ca.Profiles = append(ca.Profiles, "signing", "both", "names", "strict")
		return nil
	})
	for _, kind := range proofing.StepKinds {
		w.hook(t, proofing.StepHook{Name: strings.ToLower(string(kind)), Kind: kind, Profile: "signing"})
	}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *stepWorld) edit(t testing.TB, edit func(*proofing.Authority) error) {
	t.Helper()
	ca, err := w.Authorities.Update(context.Background(), w.ca.ID, edit)
	if err != nil {
		t.Fatal(err)
	}
	w.ca = ca
}

// hook registers and connects a hook, whose secret and id follow from its name.
func (w *stepWorld) hook(t testing.TB, h proofing.StepHook) {
	t.Helper()
	if h.Correlate == "" {
		h.Correlate = proofing.CorrelateKey
	}
	w.edit(t, func(ca *proofing.Authority) error {
		if err := ca.AddStepHook(h, w.Policy.Profiles[h.Profile]); err != nil {
			return err
		}
		return ca.ConnectStepHook(h.Name, "id-of-"+h.Name, proofing.Secret(base64.StdEncoding.EncodeToString(stepSecret(h.Name))), w.clock())
	})
}

func stepSecret(hook string) []byte {
	sum := sha256.Sum256([]byte("secret of " + hook))
	return append(sum[:], sum[:]...)
}

// spki is the key's SubjectPublicKeyInfo.
func spki(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// preauthorize opens the case of the certificate's key, and proves it where that is asked for.
func (w *stepWorld) preauthorize(t testing.TB, profile, typ, value string, prove bool) object {
	t.Helper()
	if typ != "email" {
		if _, err := w.Register(t.Context(), "alpha", proofing.Identifier{Type: typ, Value: value}, "", proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant}); err != nil {
			t.Fatal(err)
		}
	}
	body, _ := json.Marshal(map[string]any{"public_key": b64(spki(t, w.key)), "identifier": map[string]string{"type": typ, "value": value}, "profile": profile})
	o := w.want(t, 201, "POST", caPath, string(body))
	if prove {
		w.prove(t, o.text("case_url"), applicant)
	}
	return o
}

type fields = map[string]any

// enriching is a call with a CSR in it, as step-ca v0.30.2 makes it: sans is null, and what the CSR does not have is null too.
func (w *stepWorld) enriching(t testing.TB, subject pkix.Name, names ...string) fields {
	t.Helper()
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject, DNSNames: names}, w.key)
	if err != nil {
		t.Fatal(err)
	}
	s := fields{}
	if subject.CommonName != "" {
		s["commonName"] = subject.CommonName
	}
	if len(subject.Organization) > 0 {
		s["organization"] = subject.Organization
	}
	return fields{
		"timestamp": w.clock().Format(time.RFC3339Nano),
		"x509CertificateRequest": fields{
			"version": 0, "subject": s, "rawSubject": []byte("DER"), "dnsNames": names, "emailAddresses": nil, "ipAddresses": nil, "uris": nil, "sans": nil, "extensions": nil,
			"keyUsage": nil, "basicConstraints": nil, "signatureAlgorithm": "ECDSA-SHA256", "publicKey": spki(t, w.key), "publicKeyAlgorithm": "ECDSA", "raw": raw,
		},
	}
}

// authorizing is a call with the certificate in it that a template made.
func (w *stepWorld) authorizing(t testing.TB, subject fields, sans ...string) fields {
	t.Helper()
	var list []fields
	for _, s := range sans {
		typ, v, _ := strings.Cut(s, ":")
		list = append(list, fields{"type": typ, "value": v})
	}
	return fields{
		"timestamp": w.clock().Format(time.RFC3339Nano),
		"x509Certificate": fields{
			"version": 0, "subject": subject, "rawSubject": nil, "issuer": fields{}, "serialNumber": nil, "dnsNames": nil, "emailAddresses": nil, "ipAddresses": nil, "uris": nil, "sans": list,
			"extensions": nil, "keyUsage": []string{"digitalSignature"}, "extKeyUsage": []string{"codeSigning"}, "basicConstraints": nil, "nameConstraints": nil,
			"publicKey": spki(t, w.key), "publicKeyAlgorithm": "ECDSA", "notBefore": "2026-11-23T10:00:00Z", "notAfter": "2026-11-24T10:00:00Z", "raw": nil,
		},
	}
}

// sign makes a call of a hook, signed with a key.
func (w *stepWorld) sign(t testing.TB, ca, hook, id string, key []byte, body []byte) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), "POST", "/step-ca/"+ca+"/"+hook, bytes.NewReader(body))
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	r.Header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("X-Smallstep-Webhook-ID", id)
	return r
}

// callStep makes a call as step-ca does, and returns its answer.
func (w *stepWorld) callStep(t testing.TB, hook string, call fields) object {
	t.Helper()
	body, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	return w.callRaw(t, hook, body)
}

func (w *stepWorld) callRaw(t testing.TB, hook string, body []byte) object {
	t.Helper()
	answer := w.exchange(t, w.sign(t, "alpha", hook, "id-of-"+hook, stepSecret(hook), body), string(body))
	if answer.Code != 200 {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	o := decode(t, answer)
	if allow, there := o["allow"].(bool); !there || allow == (o["error"] != nil) {
		t.Errorf("an answer without allow, or a denial without error: %s", answer.Body)
	}
	return o
}

// denied wants a denial with that code and those words in its message, and without any link.
func (w *stepWorld) denied(t testing.TB, o object, code string, words ...string) {
	t.Helper()
	e := o.object("error")
	if o["allow"] != false || e.text("code") != code {
		t.Errorf("%v, want a denial %s", o, code)
		return
	}
	for _, word := range words {
		if !strings.Contains(e.text("message"), word) {
			t.Errorf("%q, want %q in it", e.text("message"), word)
		}
	}
	if strings.Contains(e.text("message"), "/c/") || len(e.text("message")) > 500 {
		t.Errorf("a link, or too long: %s", e.text("message"))
	}
}

func (w *stepWorld) allowed(t testing.TB, o object) object {
	t.Helper()
	if o["allow"] != true {
		t.Fatalf("%v, want it allowed", o)
	}
	return o.object("data")
}

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

// shown is a connection with a client certificate for a key.
func shown(t testing.TB, w *stepWorld, key *ecdsa.PrivateKey) *tls.ConnectionState {
	t.Helper()
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{RawSubjectPublicKeyInfo: spki(t, key), NotBefore: w.clock().Add(-time.Hour), NotAfter: w.clock().Add(time.Hour)}}}
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

func newECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
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

func TestACertificateHasNoNameThatWasNotProved(t *testing.T) {
	w := newStepWorld(t)
	for _, kind := range []proofing.StepKind{proofing.StepEnriching, proofing.StepAuthorizing} {
		w.hook(t, proofing.StepHook{Name: "both-" + strings.ToLower(string(kind)), Kind: kind, Profile: "both"})
	}
	w.preauthorize(t, "both", "organization", org, true)
	w.preauthorize(t, "both", "dns", "host.example.org", true)
	w.preauthorize(t, "both", "dns", "kiosk.example.org", true)
	w.preauthorize(t, "both", "permanent-identifier", "serial 1", true)
	data := w.allowed(t, w.callStep(t, "both-enriching", w.enriching(t, pkix.Name{CommonName: "host.example.org"}, "host.example.org")))
	if data.list("sans")[0].text("value") != "host.example.org" || data.text("common_name") != org || data.text("domain_control") != "not_checked" || len(data["authorizations"].([]any)) != 2 {
		t.Errorf("%v", data)
	}
	attested := w.enriching(t, pkix.Name{})
	attested["attestationData"] = fields{"permanentIdentifier": "serial 1"}
	if data := w.allowed(t, w.callStep(t, "both-enriching", attested)); data.list("sans")[0].text("type") != "permanentIdentifier" {
		t.Errorf("%v", data)
	}
	good := fields{"commonName": org, "organization": []string{org}}
	is := func(change fields) fields { m := maps.Clone(good); maps.Copy(m, change); return m }
	certificate := func(subject, members fields, sans ...string) fields {
		call := w.authorizing(t, subject, sans...)
		maps.Copy(call["x509Certificate"].(fields), members)
		return call
	}
	san := func(der []byte) fields {
		return fields{"extensions": []fields{{"id": "2.5.29.15", "critical": true, "value": []byte{1}}, {"id": "2.5.29.17", "critical": false, "value": der}}}
	}
	isCA, noCA := extension(oidBasic, basic{CA: true}).Value, extension(oidBasic, basic{}).Value
	basicConstraints := func(der []byte) fields {
		return fields{"extensions": []fields{{"id": "2.5.29.19", "critical": true, "value": der}}}
	}
	for what, c := range map[string]struct {
		call fields
		code string // "": allowed
		word string
	}{
		"the organization":                        {certificate(good, nil), "", ""},
		"a name of it beside it":                  {certificate(is(fields{"commonName": "HOST.example.org"}), nil, "dns:host.example.org"), "", ""},
		"the name alone":                          {certificate(fields{"commonName": "host.example.org"}, nil, "dns:host.example.org"), "", ""},
		"no common name":                          {certificate(fields{}, nil, "dns:host.example.org"), "", ""},
		"members of the subject that are empty":   {certificate(is(fields{"locality": []string{}, "serialNumber": "", "country": nil}), nil), "", ""},
		"the identifier in its extension":         {certificate(good, san(generalName(t, 0, "serial 1"))), "", ""},
		"a name that nobody proved":               {certificate(good, nil, "dns:host.example.org", "dns:other.example.org"), "userActionRequired", "other.example.org"},
		"two of them":                             {certificate(good, nil, "dns:a.example.org", "dns:b.example.org"), "userActionRequired", "a.example.org (and 1 more)"},
		"a wildcard":                              {certificate(good, nil, "dns:*.example.org"), "rejectedIdentifier", "wildcard"},
		"one in the list of old":                  {certificate(good, fields{"dnsNames": []string{"other.example.org"}}), "userActionRequired", "other.example.org"},
		"one in that list, alone":                 {certificate(good, fields{"dnsNames": "other.example.org"}), "userActionRequired", "other.example.org"},
		"a type that the profile does not serve":  {certificate(good, nil, "ip:192.0.2.1"), "nameNotProved", "type ip"},
		"a URI":                                   {certificate(good, fields{"uris": []string{"https://example.org"}}), "nameNotProved", "type uri"},
		"a name that may be of any type":          {certificate(good, nil, "auto:host.example.org"), "nameNotProved", "type auto"},
		"a name without a type":                   {certificate(good, nil, ":host.example.org"), "nameNotProved", ""},
		"a name in a form that is not text":       {certificate(good, fields{"sans": []fields{{"type": "otherName", "value": "", "asn1Value": fields{}}}}), "malformed", "otherName"},
		"names in an extension":                   {certificate(good, san(generalName(t, 2, "other.example.org"))), "userActionRequired", "other.example.org"},
		"an address in an extension":              {certificate(good, san(generalName(t, 7, "\xc0\x00\x02\x01"))), "nameNotProved", "type ip"},
		"a name of another kind in it":            {certificate(good, san(generalName(t, 4, "x"))), "nameNotProved", "type other"},
		"another device in it":                    {certificate(good, san(generalName(t, 0, "serial 2"))), "userActionRequired", "serial 2"},
		"an extension that is none":               {certificate(good, san([]byte("x"))), "malformed", "subjectAltName"},
		"another organization":                    {certificate(is(fields{"organization": []string{"Other Ltd"}}), nil), "userActionRequired", "Other Ltd"},
		"two organizations":                       {certificate(is(fields{"organization": []string{org, "Other Ltd"}}), nil), "userActionRequired", "Other Ltd"},
		"another common name":                     {certificate(is(fields{"commonName": "Other Ltd"}), nil), "nameNotProved", "common name"},
		"a common name that is not in the SANs":   {certificate(is(fields{"commonName": "other.example.org"}), nil, "dns:host.example.org"), "nameNotProved", "common name"},
		"the organization as common name alone":   {certificate(fields{"commonName": org}, nil, "dns:host.example.org"), "nameNotProved", "common name"},
		"a department":                            {certificate(is(fields{"organizationalUnit": []string{"IT"}}), nil), "nameNotProved", "organizationalUnit"},
		"a country":                               {certificate(is(fields{"country": "GB"}), nil), "nameNotProved", "country"},
		"further members":                         {certificate(is(fields{"extraNames": []fields{{"type": "2.5.4.42", "value": "x"}}}), nil), "nameNotProved", "extraNames"},
		"a subject that is written out":           {certificate(good, fields{"rawSubject": []byte("x")}), "nameNotProved", "rawSubject"},
		"a CA":                                    {certificate(good, fields{"basicConstraints": fields{"isCA": true, "maxPathLen": 0}}), "malformed", "no CA certificate"},
		"a CA by an extension":                    {certificate(good, basicConstraints(isCA)), "malformed", "no CA certificate"},
		"an extension of no CA":                   {certificate(good, basicConstraints(noCA)), "", ""},
		"an extension that may be a CA's":         {certificate(good, basicConstraints([]byte("x"))), "malformed", "basicConstraints"},
		"a common name that looks like the name":  {certificate(is(fields{"commonName": "\u212aiosk.example.org"}), nil, "dns:kiosk.example.org"), "nameNotProved", "common name"},
		"nothing":                                 {certificate(fields{}, nil), "nameNotProved", "names nothing that the profile both proves"},
		"a hundred and one names":                 {certificate(good, nil, slices.Repeat([]string{"dns:host.example.org"}, 1)...), "", ""},
		"another key":                             {certificate(good, fields{"publicKey": spki(t, newECKey(t))}), "userActionRequired", "this key"},
		"a key that is too small":                 {certificate(good, fields{"publicKey": smallKey(t)}), "malformed", "1024 bits"},
		"no key":                                  {certificate(good, fields{"publicKey": nil}), "malformed", "public key"},
		"an SSH certificate":                      {fields{"timestamp": w.clock(), "sshCertificate": fields{}}, "malformed", "x509Certificate"},
		"a request":                               {w.enriching(t, pkix.Name{}), "malformed", "AUTHORIZING"},
		"SANs that are no list":                   {certificate(good, fields{"sans": "dns"}), "malformed", "sans"},
		"a SAN that is no object":                 {certificate(good, fields{"sans": []string{"host.example.org"}}), "malformed", "SAN"},
		"a list of numbers":                       {certificate(good, fields{"dnsNames": []int{1}}), "malformed", "dnsNames"},
		"an extension that is no object":          {certificate(good, fields{"extensions": []int{1}}), "malformed", "extension"},
		"a CN that is no text":                    {certificate(fields{"commonName": 7, "organization": []string{org}}, nil), "malformed", "commonName"},
		"an old name of what nobody proves, null": {certificate(good, fields{"uris": nil}), "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			o := w.callStep(t, "both-authorizing", c.call)
			if c.code == "" {
				w.allowed(t, o)
				return
			}
			w.denied(t, o, c.code, c.word)
		})
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = "dns:h" + strings.Repeat("a", i%60) + string(rune('a'+i%26)) + ".example.org"
	}
	w.denied(t, w.callStep(t, "both-authorizing", certificate(good, nil, many...)), "malformed", "at most 100 names")
}

// generalName is a subjectAltName of one name with that tag; 0 is a permanent identifier.
func generalName(t testing.TB, tag int, v string) []byte {
	t.Helper()
	inner := []byte(v)
	if tag == 0 {
		oid, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3})
		if err != nil {
			t.Fatal(err)
		}
		id, err := asn1.Marshal(struct {
			V string `asn1:"utf8"`
		}{v})
		if err != nil {
			t.Fatal(err)
		}
		value, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: id})
		if err != nil {
			t.Fatal(err)
		}
		inner = append(oid, value...)
	}
	der, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: tag == 0 || tag == 4, Bytes: inner}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func smallKey(t testing.TB) []byte {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestARequestMustBeTheKeysOwn(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	request := func(change fields) fields {
		call := w.enriching(t, pkix.Name{})
		maps.Copy(call["x509CertificateRequest"].(fields), change)
		return call
	}
	good := w.enriching(t, pkix.Name{})["x509CertificateRequest"].(fields)["raw"].([]byte)
	broken := slices.Clone(good)
	broken[len(broken)-3] ^= 1
	mine := w.key
	w.key = newECKey(t)
	others := w.enriching(t, pkix.Name{})["x509CertificateRequest"].(fields)["raw"].([]byte)
	w.key = mine
	for what, c := range map[string]struct {
		call fields
		word string
	}{
		"no CSR":                             {request(fields{"raw": nil}), "CSR"},
		"one that is none":                   {request(fields{"raw": []byte("x")}), "CSR"},
		"one with a broken signature":        {request(fields{"raw": broken}), "signature"},
		"one by another key":                 {request(fields{"raw": others}), "another key than publicKey"},
		"a certificate":                      {w.authorizing(t, fields{}), "ENRICHING"},
		"a request for a CA":                 {request(fields{"basicConstraints": fields{"isCA": true}}), "no CA certificate"},
		"a request that is no object":        {fields{"timestamp": w.clock(), "x509CertificateRequest": 1}, "object"},
		"a request that is null":             {fields{"timestamp": w.clock(), "x509CertificateRequest": nil}, "x509CertificateRequest"},
		"a request of SSH":                   {fields{"timestamp": w.clock(), "sshCertificateRequest": fields{}}, "x509CertificateRequest"},
		"two organizations":                  {w.enriching(t, pkix.Name{Organization: []string{org, "Other Ltd"}}), "several organizations"},
		"an organization that is not proved": {w.enriching(t, pkix.Name{Organization: []string{"Other Ltd"}}), "Other Ltd: nobody has shown"},
	} {
		o := w.callStep(t, "enriching", c.call)
		if o["allow"] != false || !strings.Contains(o.object("error").text("message"), c.word) {
			t.Errorf("%s: %v", what, o)
		}
	}
	for what, body := range map[string]string{
		"nothing": "", "no JSON": "{", "a list": "[]", "null": "null", "a duplicate": `{"timestamp":"x","timestamp":"y"}`, "no UTF-8": "{\"\xff\":1}", "a deep nest": strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40),
	} {
		if o := w.callRaw(t, "enriching", []byte(body)); o["allow"] != false || o.object("error").text("code") == "notAuthenticated" {
			t.Errorf("%s: %v", what, o)
		}
	}
	// A second organization for the key: it must be said which.
	w.preauthorize(t, "signing", "organization", "Other Ltd", true)
	w.denied(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{})), "rejectedIdentifier", "2 organizations")
	if data := w.allowed(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{Organization: []string{"Other Ltd"}}))); data.object("organization").text("name") != "Other Ltd" {
		t.Errorf("%v", data)
	}
}

func TestACallIsBounded(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	call := w.enriching(t, pkix.Name{})
	call["unknown"] = strings.Repeat("x", 200<<10)
	w.allowed(t, w.callStep(t, "enriching", call))
	call["unknown"] = strings.Repeat("x", 256<<10)
	w.denied(t, w.callStep(t, "enriching", call), "malformed", "at most 262144 bytes")
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

func FuzzStepCall(f *testing.F) {
	w := newStepWorld(f)
	for _, call := range []fields{w.enriching(f, pkix.Name{Organization: []string{org}}, "host.example.org"), w.authorizing(f, fields{"commonName": org, "organization": []string{org}}, "dns:host.example.org")} {
		body, err := json.Marshal(call)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, hook := range []string{"enriching", "authorizing", "scepchallenge"} {
			if o := w.callRaw(t, hook, body); o["allow"] != false || o.object("error").text("code") == "" { // nothing is granted here
				t.Errorf("%v", o)
			}
		}
	})
}
