package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-acme/lego/v4/certcrypto"
	"github.com/go-acme/lego/v4/certificate"
	"github.com/go-acme/lego/v4/lego"
	"github.com/go-acme/lego/v4/registration"
	"golang.org/x/crypto/acme"

	"github.com/countersign-id/countersign/client"
)

// ownCA is a small ACME server of these tests, and of nothing else: no server that runs here asks anybody about a binding or
// serves newAuthz, so that the whole chain needs one. It decides nothing by itself: whatever it grants, the Go client said yes to.
// Authorizations are in ownca_authz_test.go.
type ownCA struct {
	*root
	t      testing.TB
	server *httptest.Server
	cs     *client.Client
	// profileOf is the profile that a type of identifiers is asked for under.
	profileOf map[string]string

	mu       sync.Mutex
	next     int
	nonces   map[string]bool
	accounts map[string]*caAccount // by URL
	byKey    map[string]string     // URL, by thumbprint
	orders   map[string]*caOrder
	authzs   map[string]caAuthz
}

type caAccount struct {
	url     string
	jwk     json.RawMessage
	key     *ecdsa.PublicKey
	binding json.RawMessage
	contact []string
	status  string
}

type caOrder struct {
	account     string
	identifiers []client.Identifier
	authzs      []string
	cert        []byte
}

func newOwnCA(t testing.TB) *ownCA { return newOwnCAAt(t, httptest.NewTLSServer) }

// newOwnCAAt is newOwnCA with or without TLS.
func newOwnCAAt(t testing.TB, start func(http.Handler) *httptest.Server) *ownCA {
	ca := &ownCA{root: newRoot(t), t: t, nonces: map[string]bool{}, accounts: map[string]*caAccount{}, byKey: map[string]string{}, orders: map[string]*caOrder{}, authzs: map[string]caAuthz{}}
	ca.server = start(http.HandlerFunc(ca.serve))
	t.Cleanup(ca.server.Close)
	return ca
}

// asks has the CA ask a program.
func (ca *ownCA) asks(t testing.TB, api, token string, profileOf map[string]string) {
	t.Helper()
	var err error
	if ca.cs, err = client.New(client.Config{URL: api, Token: token}); err != nil {
		t.Fatal(err)
	}
	ca.profileOf = profileOf
}

func (ca *ownCA) url(path string) string { return ca.server.URL + path }

// name makes a path that nothing else has.
func (ca *ownCA) name(kind string) string {
	ca.next++
	return fmt.Sprintf("/%s/%d", kind, ca.next)
}

func (ca *ownCA) serve(w http.ResponseWriter, r *http.Request) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	nonce := rand.Text()
	ca.nonces[nonce] = true
	w.Header().Set("Replay-Nonce", nonce)
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case r.URL.Path == "/dir":
		ca.show(w, 200, map[string]any{
			"newNonce": ca.url("/nonce"), "newAccount": ca.url("/new-account"), "newOrder": ca.url("/new-order"), "newAuthz": ca.url("/new-authz"),
			"revokeCert": ca.url("/revoke"), "keyChange": ca.url("/key-change"), "meta": map[string]any{"externalAccountRequired": true},
		})
		return
	case r.URL.Path == "/nonce":
		if r.Method == http.MethodGet { // RFC 8555 7.2
			w.WriteHeader(http.StatusNoContent)
		}
		return
	}
	if r.Method != http.MethodPost { // RFC 8555 6.3
		ca.refuse(w, &client.Problem{Type: client.Malformed, Status: http.StatusMethodNotAllowed, Detail: "POST alone"})
		return
	}
	a, jwk, payload, err := ca.opened(r)
	if err != nil {
		ca.refuse(w, err)
		return
	}
	switch path := r.URL.Path; {
	case path == "/new-account":
		ca.newAccount(w, r, jwk, payload)
	case path == "/new-order":
		ca.newOrder(w, r, a, payload)
	case path == "/new-authz":
		ca.newAuthz(w, r, a, payload)
	case strings.HasPrefix(path, "/authz/"):
		ca.authz(w, r, a, payload)
	case strings.HasPrefix(path, "/challenge/"):
		ca.challenge(w, r, a)
	case ca.url(path) == a.url:
		ca.account(w, r, a, payload)
	case strings.HasPrefix(path, "/order/"), strings.HasPrefix(path, "/finalize/"), strings.HasPrefix(path, "/cert/"):
		ca.order(w, r, a, payload)
	default:
		ca.refuse(w, &client.Problem{Type: client.Malformed, Status: 404, Detail: "nothing is here"})
	}
}

func (ca *ownCA) show(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		ca.t.Error(err)
	}
}

// refuse passes on why not (RFC 8555 6.7).
func (ca *ownCA) refuse(w http.ResponseWriter, err error) {
	p := client.ACMEProblem(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		ca.t.Error(err)
	}
}

// opened verifies a request (RFC 8555 6.2 to 6.5): ES256 alone, a nonce that is used once, the URL that it came to. What is not
// for newAccount has the kid of an account that is valid.
func (ca *ownCA) opened(r *http.Request) (a *caAccount, jwk, payload json.RawMessage, err error) {
	no := func(typ string, status int, detail string) (*caAccount, json.RawMessage, json.RawMessage, error) {
		return nil, nil, nil, &client.Problem{Type: typ, Status: status, Detail: detail}
	}
	var jws struct{ Protected, Payload, Signature string }
	if err := json.NewDecoder(r.Body).Decode(&jws); err != nil {
		return no(client.Malformed, 400, err.Error())
	}
	var raw [3][]byte
	for i, text := range []string{jws.Protected, jws.Payload, jws.Signature} {
		if raw[i], err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return no(client.Malformed, 400, err.Error())
		}
	}
	var header struct {
		Alg, Kid, Nonce, URL string
		JWK                  json.RawMessage
	}
	if err := json.Unmarshal(raw[0], &header); err != nil {
		return no(client.Malformed, 400, err.Error())
	}
	switch newAccount := r.URL.Path == "/new-account"; {
	case header.URL != ca.url(r.URL.Path):
		return no(client.Unauthorized, 403, "the request is for another URL")
	case !ca.nonces[header.Nonce]:
		return no("urn:ietf:params:acme:error:badNonce", 400, "the nonce is none, or was used")
	case header.Alg != "ES256" || len(raw[2]) != 64:
		return no("urn:ietf:params:acme:error:badSignatureAlgorithm", 400, "ES256 alone")
	case newAccount != (header.JWK != nil) || newAccount == (header.Kid != ""):
		return no(client.Malformed, 400, "a jwk for a new account, and a kid for all else")
	}
	delete(ca.nonces, header.Nonce)
	var key *ecdsa.PublicKey
	if header.JWK != nil {
		if key, err = keyOf(header.JWK); err != nil {
			return no("urn:ietf:params:acme:error:badPublicKey", 400, err.Error())
		}
	} else if a = ca.accounts[header.Kid]; a != nil && a.status == "valid" {
		key = a.key
	} else {
		return no(client.Unauthorized, 401, "no such account, or it is deactivated")
	}
	sum := sha256.Sum256([]byte(jws.Protected + "." + jws.Payload))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])) {
		return no(client.Unauthorized, 401, "the signature does not verify")
	}
	return a, header.JWK, raw[1], nil
}

// keyOf reads the only kind of key that there are accounts for.
func keyOf(jwk json.RawMessage) (*ecdsa.PublicKey, error) {
	var k struct{ X, Y string }
	if err := json.Unmarshal(jwk, &k); err != nil {
		return nil, err
	}
	point := []byte{4}
	for _, text := range []string{k.X, k.Y} {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		point = append(point, b...)
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

// opensForKey has an authority ask for a proof that ends in a key.
func opensForKey(t testing.TB, asCA *program, profile, email string) map[string]any {
	t.Helper()
	status, opened := asCA.call("POST", "/v1/preauthorizations", map[string]any{
		"result": "eab_key", "identifier": map[string]any{"type": "email", "value": email}, "profile": profile,
	})
	if status != http.StatusCreated {
		t.Fatal(status, opened)
	}
	return opened
}

// keyOnPage has a person ask for the key on the last page of their proof, and is what it shows.
func keyOnPage(t testing.TB, window context.Context) *acme.ExternalAccountBinding {
	t.Helper()
	var kid, hmacKey string
	run(t, window, chromedp.Click(`form[action$="/key"] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-kid]`, chromedp.ByQuery),
		chromedp.Text(`[data-kid]`, &kid, chromedp.ByQuery), chromedp.Text(`[data-hmac]`, &hmacKey, chromedp.ByQuery))
	raw, err := base64.RawURLEncoding.DecodeString(secret("a MAC key", hmacKey))
	if err != nil {
		t.Fatal(err)
	}
	return &acme.ExternalAccountBinding{KID: kid, Key: raw}
}

// newAccount asks about the binding before there is an account, and tells of the account then (RFC 8555 7.3.4).
func (ca *ownCA) newAccount(w http.ResponseWriter, r *http.Request, jwk, payload json.RawMessage) {
	var asked struct {
		ExternalAccountBinding json.RawMessage
		OnlyReturnExisting     bool
	}
	_ = json.Unmarshal(payload, &asked)
	thumbprint, err := client.Thumbprint(jwk)
	if err != nil {
		ca.refuse(w, err)
		return
	}
	if there := ca.accounts[ca.byKey[thumbprint]]; there != nil {
		w.Header().Set("Location", there.url)
		ca.showAccount(w, 200, there)
		return
	}
	if asked.OnlyReturnExisting {
		ca.refuse(w, &client.Problem{Type: "urn:ietf:params:acme:error:accountDoesNotExist", Status: 400, Detail: "no account has this key"})
		return
	}
	bound, err := ca.cs.VerifyEAB(r.Context(), client.VerifyRequest{URL: ca.url("/new-account"), JWK: jwk, Binding: asked.ExternalAccountBinding})
	if err != nil {
		ca.refuse(w, err)
		return
	}
	key, err := keyOf(jwk)
	if err != nil {
		ca.refuse(w, err)
		return
	}
	a := &caAccount{url: ca.url(ca.name("account")), jwk: jwk, key: key, binding: asked.ExternalAccountBinding, status: "valid"}
	if err := ca.cs.AccountCreated(r.Context(), client.Account{URL: a.url, JWK: jwk}, bound.Kid); err != nil {
		ca.refuse(w, err)
		return
	}
	ca.accounts[a.url], ca.byKey[thumbprint] = a, a.url
	w.Header().Set("Location", a.url)
	ca.showAccount(w, 201, a)
}

func (ca *ownCA) showAccount(w http.ResponseWriter, status int, a *caAccount) {
	ca.show(w, status, map[string]any{"status": a.status, "orders": a.url + "/orders", "externalAccountBinding": a.binding, "contact": a.contact})
}

// account shows an account, changes its contacts, or deactivates it, of which it tells first (RFC 8555 7.3.2, 7.3.6).
func (ca *ownCA) account(w http.ResponseWriter, r *http.Request, a *caAccount, payload json.RawMessage) {
	var asked struct {
		Contact *[]string
		Status  string
	}
	_ = json.Unmarshal(payload, &asked) // POST-as-GET has none
	if asked.Contact != nil {
		a.contact = *asked.Contact
	}
	if asked.Status == "deactivated" {
		if err := ca.cs.AccountDeactivated(r.Context(), client.Account{URL: a.url, JWK: a.jwk}); err != nil {
			ca.refuse(w, err)
			return
		}
		a.status = asked.Status
	}
	ca.showAccount(w, 200, a)
}

// allowed asks whether the account may have the identifiers, which are all of one type.
func (ca *ownCA) allowed(ctx context.Context, a *caAccount, ids []client.Identifier, csr []byte) (*client.Allowed, error) {
	return ca.cs.Authorize(ctx, client.AuthorizeRequest{
		Account: &client.Account{URL: a.url, JWK: a.jwk}, Identifiers: ids, Profile: ca.profileOf[ids[0].Type], CSR: csr,
	})
}

// newOrder makes an order that is ready from the start, or none (RFC 8555 7.4.1, the way without ACME).
func (ca *ownCA) newOrder(w http.ResponseWriter, r *http.Request, a *caAccount, payload json.RawMessage) {
	var asked struct{ Identifiers []client.Identifier }
	if err := json.Unmarshal(payload, &asked); err != nil || len(asked.Identifiers) == 0 {
		ca.refuse(w, &client.Problem{Type: client.Malformed, Status: 400, Detail: "no identifiers"})
		return
	}
	yes, err := ca.allowed(r.Context(), a, asked.Identifiers, nil)
	if err != nil {
		ca.refuse(w, err)
		return
	}
	o := &caOrder{account: a.url, identifiers: asked.Identifiers}
	for _, id := range yes.Authorizations {
		o.authzs = append(o.authzs, ca.url(ca.authzPath(a, id)))
	}
	path := ca.name("order")
	ca.orders[path] = o
	w.Header().Set("Location", ca.url(path))
	ca.showOrder(w, 201, path, o)
}

func (ca *ownCA) showOrder(w http.ResponseWriter, status int, path string, o *caOrder) {
	body := map[string]any{
		"status": "ready", "expires": time.Now().Add(time.Hour), "identifiers": o.identifiers, "authorizations": o.authzs,
		"finalize": ca.url(strings.Replace(path, "/order/", "/finalize/", 1)),
	}
	if o.cert != nil {
		body["status"], body["certificate"] = "valid", ca.url(strings.Replace(path, "/order/", "/cert/", 1))
	}
	ca.show(w, status, body)
}

// order shows an order, finalizes it or gives out its certificate.
func (ca *ownCA) order(w http.ResponseWriter, r *http.Request, a *caAccount, payload json.RawMessage) {
	_, number, _ := strings.Cut(r.URL.Path[1:], "/")
	path := "/order/" + number
	o := ca.orders[path]
	switch {
	case o == nil || o.account != a.url:
		ca.refuse(w, &client.Problem{Type: client.Unauthorized, Status: 403, Detail: "not an order of the account"})
		return
	case strings.HasPrefix(r.URL.Path, "/cert/") && o.cert != nil:
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(o.cert)
		return
	case strings.HasPrefix(r.URL.Path, "/finalize/") && o.cert == nil:
		var asked struct{ CSR string }
		_ = json.Unmarshal(payload, &asked)
		der, err := base64.RawURLEncoding.DecodeString(asked.CSR)
		if err == nil {
			err = ca.finalize(r.Context(), a, path, o, der)
		}
		if err != nil {
			ca.refuse(w, err)
			return
		}
	}
	w.Header().Set("Location", ca.url(path))
	ca.showOrder(w, 200, path, o)
}

// finalize asks once more, issues, and tells of the certificate.
func (ca *ownCA) finalize(ctx context.Context, a *caAccount, path string, o *caOrder, csr []byte) error {
	yes, err := ca.allowed(ctx, a, o.identifiers, csr)
	if err != nil {
		return err
	}
	cert, err := ca.sign(csr)
	if err != nil {
		return err
	}
	if _, err := ca.cs.CertificateIssued(ctx, client.IssuedCertificate{Certificate: cert, Authorizations: yes.Authorizations, Order: ca.url(path)}); err != nil {
		return err
	}
	o.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	return nil
}

// sign issues what the CSR asks for: that it asks for nothing else countersign has said.
func (ca *ownCA) sign(der []byte) ([]byte, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		DNSNames: csr.DNSNames, EmailAddresses: csr.EmailAddresses,
	}, ca.cert, csr.PublicKey, ca.key)
}

// acmeClient is golang.org/x/crypto/acme with an account key of its own.
func (ca *ownCA) acmeClient() *acme.Client {
	return &acme.Client{Key: newSigner(ca.t), DirectoryURL: ca.url("/dir"), HTTPClient: ca.server.Client()}
}

// obtain orders a certificate for a mailbox.
func (ca *ownCA) obtain(c *acme.Client, email string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	o, err := c.AuthorizeOrder(ctx, []acme.AuthzID{{Type: "email", Value: email}})
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{email}}, newSigner(ca.t))
	if err != nil {
		ca.t.Fatal(err)
	}
	chain, _, err := c.CreateOrderCert(ctx, o.FinalizeURL, csr, false)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(chain[0])
}

// The whole chain, at a CA of ours by two clients of others: a person proves an address in Chromium and takes the key that
// this ends in; an account registers with it, orders and gets a certificate, for that address and no other; what was proved loses
// its ground, and the next order is refused with a link at which the person proves it anew, which they do.
func TestTheWholeChainFromAPersonToACertificate(t *testing.T) {
	t.Parallel()
	p, ca := newProgram(t), newOwnCA(t)
	asCA := p.ca("own", ca.url("/dir"), ca.url("/new-account"), "address", "device")
	ca.asks(t, p.api, asCA.token, map[string]string{"email": "address", "dns": "device"})
	ctx := t.Context()
	const email = "chain@example.org"

	opened := opensForKey(t, asCA, "address", email)
	window := tab(t, screen{name: "chain", width: 390, height: 844, phone: true, lang: "en"})
	run(t, window, chromedp.Navigate(opened["case_url"].(string)), chromedp.WaitVisible("main", chromedp.ByQuery),
		chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
	run(t, window, chromedp.SendKeys(`input[name="code"]`, p.codeAfter("email", email, 0), chromedp.ByQuery), chromedp.Submit(`form.answer`, chromedp.ByQuery),
		chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
	look(t, window, "chain-1-proved")
	binding := keyOnPage(t, window)
	look(t, window, "chain-2-key")

	mine := ca.acmeClient()
	_, err := ca.acmeClient().Register(ctx, &acme.Account{}, acme.AcceptTOS)
	refused(t, "without a key", err, "externalAccountRequired", "binding")
	_, err = ca.acmeClient().Register(ctx, &acme.Account{ExternalAccountBinding: &acme.ExternalAccountBinding{KID: binding.KID, Key: bytes.Repeat([]byte{7}, 32)}}, acme.AcceptTOS)
	refused(t, "with a wrong MAC key", err, "unauthorized", "binding")
	if _, err := mine.Register(ctx, &acme.Account{ExternalAccountBinding: binding}, acme.AcceptTOS); err != nil {
		t.Fatal(err)
	}
	_, err = ca.acmeClient().Register(ctx, &acme.Account{ExternalAccountBinding: binding}, acme.AcceptTOS)
	refused(t, "a second account with the key", err, "unauthorized", "binding")

	cert, err := ca.obtain(mine, email)
	if err != nil {
		t.Fatal(err)
	}
	if len(cert.EmailAddresses) != 1 || cert.EmailAddresses[0] != email {
		t.Errorf("the certificate is for %v", cert.EmailAddresses)
	}
	// What it rests on is one file: the order, the account, its key, and the proof for which there is the key.
	sum, file := sha256.Sum256(cert.Raw), filepath.Join(t.TempDir(), "evidence.json")
	await(t, "all of it to be in the log", 10*time.Second, func() bool {
		_, err := p.attempt("evidence", hex.EncodeToString(sum[:]), "--out", file)
		return err == nil
	})
	said, err := alone(t, "evidence", "verify", file, "--log-key", strings.TrimSpace(p.output("", "audit", "key")))
	if err != nil {
		t.Fatalf("its evidence: %v\n%s", err, said)
	}
	for _, want := range []string{"The evidence holds.", ca.url("/order/"), ca.url("/account/"), "bound by the key " + binding.KID, "in the case " + opened["id"].(string), "judged anew"} {
		if !strings.Contains(said, want) {
			t.Errorf("its evidence does not say %q:\n%s", want, said)
		}
	}
	_, err = ca.obtain(mine, "other@example.org")
	refused(t, "an address that was not proved", err, "userActionRequired", "open the instance")
	o, err := mine.AuthorizeOrder(ctx, []acme.AuthzID{{Type: "email", Value: email}})
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{email, "other@example.org"}}, newSigner(t))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = mine.CreateOrderCert(ctx, o.FinalizeURL, csr, false)
	refused(t, "a CSR with one address more", err, "badCSR", "other@example.org")

	// What it rests on is taken away: the next order says where the person can prove it anew.
	p.command("address", "release", email)
	_, err = ca.obtain(mine, email)
	refused(t, "after the address was taken away", err, "userActionRequired", "open the instance")
	no, ok := errors.AsType[*acme.Error](err)
	if !ok || no.Instance == "" {
		t.Fatalf("no link is told: %v", err)
	}
	_, err = ca.acmeClient().Register(ctx, &acme.Account{ExternalAccountBinding: binding}, acme.AcceptTOS)
	refused(t, "the key after that", err, "unauthorized", "binding")
	p.person(no.Instance).prove("email", email)
	if _, err := ca.obtain(mine, email); err != nil {
		t.Errorf("proved anew: %v", err)
	}

	// newAuthz, by x/crypto, and lego with what was pre-authorized.
	t.Run("newAuthz and lego", func(t *testing.T) {
		const name, holder = "machine.example.org", "holder@example.org"
		p := p.in(t)
		p.command("registry", "add", "own", "dns", name, "--email", holder)
		kid, hmacKey := asCA.in(t).keyOfProof(holder)
		user := &legoUser{key: newSigner(t)}
		config := lego.NewConfig(user)
		config.CADirURL, config.HTTPClient, config.Certificate.KeyType = ca.url("/dir"), ca.server.Client(), certcrypto.EC256
		c, err := lego.NewClient(config)
		if err != nil {
			t.Fatal(err)
		}
		if user.resource, err = c.Registration.RegisterWithExternalAccountBinding(registration.RegisterEABOptions{TermsOfServiceAgreed: true, Kid: kid, HmacEncoded: hmacKey}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Certificate.Obtain(certificate.ObtainRequest{Domains: []string{name}}); err == nil || !strings.Contains(err.Error(), "userActionRequired") {
			t.Errorf("lego before anybody has proved anything: %v", err)
		}
		same := &acme.Client{Key: user.key.(*ecdsa.PrivateKey), DirectoryURL: ca.url("/dir"), HTTPClient: ca.server.Client()}
		pending, err := same.Authorize(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if pending.Status != acme.StatusPending || len(pending.Challenges) != 1 {
			t.Fatalf("newAuthz: %+v", pending)
		}
		if _, err := same.Accept(ctx, pending.Challenges[0]); err != nil {
			t.Errorf("the challenge is not taken: %v", err)
		}
		_, err = same.AuthorizeOrder(ctx, acme.DomainIDs(name))
		if no, ok := errors.AsType[*acme.Error](err); !ok || no.Instance == "" {
			t.Fatalf("no link is told: %v", err)
		} else {
			p.person(no.Instance).prove("email", holder)
		}
		if got, err := same.GetAuthorization(ctx, pending.URI); err != nil || got.Status != acme.StatusValid {
			t.Errorf("the pre-authorization is %+v, %v", got, err)
		}
		got, err := c.Certificate.Obtain(certificate.ObtainRequest{Domains: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(got.Certificate)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(cert.DNSNames) != 1 || cert.DNSNames[0] != name {
			t.Errorf("lego's certificate is %+v, %v", cert, err)
		}
	})
}
