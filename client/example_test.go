package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/countersign-id/countersign/client"
)

// exampleService stands for the service of the examples: it knows the account of good bindings, and has a person who must act for every name but one.
func exampleService() *httptest.Server {
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", map[bool]string{true: "application/json", false: "application/problem+json"}[status < 400])
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
	mux.HandleFunc("POST /v1/eab/verify", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200, `{"kid":"Vq3k","account_thumbprint":"cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s","profiles":["device"],
			"identifiers":[{"type":"dns","value":"example.com"}],"assessment":null,"bound_at":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z","recheck_after":"2026-01-02T00:00:00Z"}`)
	})
	mux.HandleFunc("POST /v1/accounts", func(w http.ResponseWriter, r *http.Request) { reply(w, 200, `{}`) })
	mux.HandleFunc("POST /v1/authorize", func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Identifiers []client.Identifier }
		_ = json.NewDecoder(r.Body).Decode(&q)
		if q.Identifiers[0].Value == "example.com" {
			reply(w, 200, yes(time.Now().Add(time.Hour)))
			return
		}
		reply(w, 200, `{"allow":false,"error":{"type":"urn:ietf:params:acme:error:userActionRequired","title":"A person must act","status":403,
			"detail":"the person behind the request must act; open the instance","instance":"https://proof.example.org/c/2705"}}`)
	})
	mux.HandleFunc("POST /v1/certificates", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 201, `{"id":"c1","certificate_sha256":"n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg","serial":"3a7f","not_before":"2026-11-26T10:00:00Z","not_after":"2028-03-02T10:00:00Z",
			"renewal":false,"authorizations":["a1"],"warnings":[{"code":"validity","detail":"it lasts for 462 days"}]}`)
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) { reply(w, 200, events("ZjE1LjA", "e1").body) })
	mux.HandleFunc("HEAD /v1/nonce", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Replay-Nonce", "AAAAAGmfkwA") })
	mux.HandleFunc("POST /v1/authority-tokens", func(w http.ResponseWriter, r *http.Request) { reply(w, 200, `{"token":"eyJ0eXAiOiJKV1QifQ.e30.AA"}`) })
	return httptest.NewServer(mux)
}

// A CA asks before it creates an account, and tells the account's URL when it has done so.
func ExampleClient_VerifyEAB() {
	service := exampleService()
	defer service.Close()
	c, err := client.New(client.Config{URL: service.URL, Token: "csca.example.token"})
	if err != nil {
		fmt.Println(err)
		return
	}

	// From the newAccount request, whose outer JWS the CA has verified.
	outerURL, outerJWK := "https://ca.example/acme/new-account", json.RawMessage(jwk)
	binding := json.RawMessage(`{"protected":"eyJhbGciOiJIUzI1NiJ9","payload":"e30","signature":"AA"}`)

	b, err := c.VerifyEAB(context.Background(), client.VerifyRequest{URL: outerURL, JWK: outerJWK, Binding: binding})
	if err != nil {
		fmt.Println("refuse:", client.ACMEProblem(err))
		return
	}
	// Create the account, in the CA's own store.
	account := client.Account{URL: "https://ca.example/acme/acct/1", JWK: outerJWK}
	if err := c.AccountCreated(context.Background(), account, b.Kid); err != nil {
		fmt.Println("tell it again later:", err)
		return
	}
	fmt.Println("bound by", b.Kid, "for", b.Identifiers[0].Value)

	_, err = c.VerifyEAB(context.Background(), client.VerifyRequest{URL: outerURL, JWK: outerJWK})
	fmt.Println("refuse:", client.ACMEProblem(err).Type)
	// Output:
	// bound by Vq3k for example.com
	// refuse: urn:ietf:params:acme:error:externalAccountRequired
}

// At newOrder and at finalize a CA asks whether the account may have what it orders. A refusal goes to the ACME client as it is.
func ExampleClient_Authorize() {
	service := exampleService()
	defer service.Close()
	c, err := client.New(client.Config{URL: service.URL, Token: "csca.example.token", CacheFor: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	order := func(names ...string) {
		q := client.AuthorizeRequest{Account: &client.Account{URL: "https://ca.example/acme/acct/1", JWK: json.RawMessage(jwk)}, Profile: "device"}
		for _, name := range names {
			q.Identifiers = append(q.Identifiers, client.DNS(name))
		}
		yes, err := c.Authorize(context.Background(), q)
		if err != nil {
			p := client.ACMEProblem(err)
			fmt.Println(p.Status, p.Type, p.Instance)
			return
		}
		fmt.Println("issue; rests on", strings.Join(yes.Authorizations, ", "))
	}
	order("example.com")
	order("example.net")
	service.Close() // and who cannot be asked says no
	c, _ = client.New(client.Config{URL: service.URL, Token: "csca.example.token", Attempts: 1})
	order("example.com")
	// Output:
	// issue; rests on a1
	// 403 urn:ietf:params:acme:error:userActionRequired https://proof.example.org/c/2705
	// 503 urn:ietf:params:acme:error:serverInternal
}

// The holder of an account gets an Authority Token by the account's key, and answers the challenge tkauth-01 of the authority with it.
func ExampleHolder_AuthorityToken() {
	service := exampleService()
	defer service.Close()
	accountKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // the one that the ACME client has
	if err != nil {
		fmt.Println(err)
		return
	}
	holder, err := client.NewHolder(client.Config{URL: service.URL}, accountKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := holder.AuthorityToken(context.Background(), client.HolderTokenRequest{
		Authority: "example", Profile: "client", Identifier: client.Identifier{Type: "email", Value: "applicant@example.org"},
	})
	if err != nil {
		fmt.Println("no token:", err)
		return
	}
	answer, err := json.Marshal(map[string]string{"tkauth": token})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("POST to the challenge:", string(answer))
	// Output:
	// POST to the challenge: {"tkauth":"eyJ0eXAiOiJKV1QifQ.e30.AA"}
}

// As soon as a certificate is issued, the CA tells of it, with the authorizations that Authorize answered with.
func ExampleClient_CertificateIssued() {
	service := exampleService()
	defer service.Close()
	c, err := client.New(client.Config{URL: service.URL, Token: "csca.example.token"})
	if err != nil {
		fmt.Println(err)
		return
	}
	der := client.DER{0x30, 0x82} // and so on
	recorded, err := c.CertificateIssued(context.Background(), client.IssuedCertificate{Certificate: der, Authorizations: []string{"a1"}, Order: "https://ca.example/acme/order/9"})
	if err != nil {
		fmt.Println("tell it again later:", err)
		return
	}
	fmt.Println("serial", recorded.Serial)
	for _, w := range recorded.Warnings {
		fmt.Println(w.Code+":", w.Detail)
	}
	// Output:
	// serial 3a7f
	// validity: it lasts for 462 days
}

// A CA that would rather ask than be called follows its feed, and keeps the cursor with what it did.
func ExampleClient_Follow() {
	service := exampleService()
	defer service.Close()
	c, err := client.New(client.Config{URL: service.URL, Token: "csca.example.token"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	err = c.Follow(ctx, "", func(ctx context.Context, p *client.EventsPage) error {
		for _, e := range p.Events {
			fmt.Println(e.Type, e.Data.Preauthorization)
		}
		fmt.Println("keep", p.Next)
		stop()
		return nil
	})
	fmt.Println(err)
	// Output:
	// preauthorization.valid a1
	// keep ZjE1LjA
	// context canceled
}

// A webhook is one handler.
func ExampleWebhook_Handler() {
	c, err := client.New(client.Config{URL: "https://ca.proof.example.org", Token: "csca.example.token"})
	if err != nil {
		fmt.Println(err)
		return
	}
	hook, err := c.NewWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/hooks/countersign", hook.Handler(func(ctx context.Context, e client.Event) error {
		fmt.Println(e.Type)
		return nil
	}))
	call := httptest.NewRequest("POST", "/hooks/countersign", strings.NewReader(`{"id":"e1"}`)) // signed by nobody
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, call)
	fmt.Println(answer.Code)
	// Output: 401
}
