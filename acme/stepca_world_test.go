package acme_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
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

// shown is a connection with a client certificate for a key.
func shown(t testing.TB, w *stepWorld, key *ecdsa.PrivateKey) *tls.ConnectionState {
	t.Helper()
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{RawSubjectPublicKeyInfo: spki(t, key), NotBefore: w.clock().Add(-time.Hour), NotAfter: w.clock().Add(time.Hour)}}}
}

func newECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
