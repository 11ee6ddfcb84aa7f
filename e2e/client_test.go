package e2e

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/client"
)

// The life of a pre-authorization, of an account and of a key, by the Go client over the real program: its own tests have a double of
// the service, and here each of its calls meets what it was made for.
func TestTheGoClientSpeaksWithTheRealProgram(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cs, err := client.New(client.Config{URL: p.api, Token: p.token})
	if err != nil {
		t.Fatal(err)
	}
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	refused := func(what string, err error, typ string) {
		t.Helper()
		if !client.IsProblem(err, typ) {
			t.Errorf("%s: %v, want %s", what, err, typ)
		}
	}

	// It is told by webhook.
	var mu sync.Mutex
	var told []string
	server := httptest.NewUnstartedServer(nil)
	out := p.command("webhook", "set", "example", "http://"+server.Listener.Addr().String())
	at := strings.Index(out, "whsec_")
	if at < 0 {
		t.Fatalf("no secret in %s", out)
	}
	hook, err := cs.NewWebhook(secret("the secret of a webhook", strings.Fields(out[at:])[0]))
	must("read the secret", err)
	server.Config.Handler = hook.Handler(func(_ context.Context, e client.Event) error {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, e.Data.Preauthorization+" "+e.Type)
		return nil
	})
	server.Start()
	defer server.Close()

	const email = "called@example.org"
	account := newACMEAccount(t, "called")
	applicant := client.Account{URL: account.url, JWK: account.jwk}
	wanted := client.Identifier{Type: "email", Value: email}
	order := func(a client.Account) (*client.Allowed, error) {
		return cs.Authorize(ctx, client.AuthorizeRequest{Account: &a, Identifiers: []client.Identifier{wanted}, Profile: "address"})
	}
	opened, err := cs.Open(ctx, client.OpenRequest{Account: &applicant, Identifier: wanted, Profile: "address", ExternalID: "order 1"})
	must("open", err)
	if opened.Status != client.StatusPending || len(opened.Challenges) != 1 || opened.Identifier != wanted || opened.ExternalID != "order 1" || opened.CaseURL == "" {
		t.Errorf("opened %+v", opened)
	}
	again, err := cs.Open(ctx, client.OpenRequest{Account: &applicant, Identifier: wanted, Profile: "address", ExternalID: "order 1"})
	must("open again", err)
	if again.ID != opened.ID {
		t.Errorf("another one was opened: %s and %s", again.ID, opened.ID)
	}
	challenge, err := cs.StartChallenge(ctx, opened.ID)
	must("start the challenge", err)
	if challenge.Token != opened.Challenges[0].Token {
		t.Errorf("the challenge is %+v, and was %+v", challenge, opened.Challenges[0])
	}
	_, err = cs.HandInToken(ctx, opened.ID, "no.token.atall")
	if _, isNo := errors.AsType[*client.Problem](err); !isNo {
		t.Errorf("a token that is none: %v", err)
	}
	_, err = order(applicant)
	refused("an order before the proof", err, client.UserActionRequired)
	_, err = cs.Authorization(ctx, "unknown")
	refused("an unknown authorization", err, client.NotFound)

	// Who waits is told when the person is done.
	decided := make(chan *client.Authorization, 1)
	go func() {
		a, err := cs.Decided(ctx, opened.ID)
		if err != nil {
			t.Error("wait:", err)
		}
		decided <- a
	}()
	p.person(opened.CaseURL).prove("email", email)
	if a := <-decided; a == nil || a.Status != client.StatusValid || a.Statement == "" {
		t.Fatalf("decided: %+v", a)
	}
	claims, err := cs.Statement(ctx, opened.ID, "example")
	must("verify the statement", err)
	thumbprint, err := client.Thumbprint(account.jwk)
	must("thumbprint", err)
	if claims.Confirmation.Thumbprint != thumbprint || claims.Audience != "example" {
		t.Errorf("the claims are %+v", claims)
	}
	if _, err := cs.Statement(ctx, opened.ID, "another"); !errors.Is(err, client.ErrStatement) {
		t.Errorf("a statement for somebody else: %v", err)
	}
	yes, err := order(applicant)
	must("order", err)
	if !slices.Equal(yes.Authorizations, []string{opened.ID}) || yes.RecheckAfter.Before(time.Now()) {
		t.Errorf("the yes is %+v", yes)
	}

	// The account changes its key, and what was granted goes with it.
	successor := newACMEAccount(t, "called")
	moved := client.Account{URL: account.url, JWK: successor.jwk}
	must("created", cs.AccountCreated(ctx, applicant, ""))
	must("key changed", cs.AccountKeyChanged(ctx, moved, thumbprint))
	_, err = order(moved)
	must("order by the new key", err)
	if _, err = order(client.Account{JWK: account.jwk}); err == nil {
		t.Error("the old key is still authorized")
	}
	ended, err := cs.Deactivate(ctx, opened.ID)
	must("deactivate", err)
	if ended.Status != client.StatusDeactivated {
		t.Errorf("it is %s", ended.Status)
	}
	_, err = order(moved)
	refused("after it was given up", err, client.UserActionRequired)
	must("account deactivated", cs.AccountDeactivated(ctx, moved))

	// The feed and the webhook say the same, in order.
	want := []string{"preauthorization.created", "preauthorization.challenge_processing", "preauthorization.valid"}
	var fed []string
	done := errors.New("all was read")
	err = cs.Follow(ctx, "", func(_ context.Context, page *client.EventsPage) error {
		for _, e := range page.Events {
			if e.Data.Preauthorization == opened.ID {
				fed = append(fed, e.Type)
			}
		}
		if slices.Contains(fed, "preauthorization.deactivated") {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) || len(fed) < 4 || !slices.Equal(fed[:3], want) {
		t.Errorf("followed %v: %v", fed, err)
	}
	await(t, "the webhook", 20*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(told, opened.ID+" preauthorization.deactivated")
	})

	// A key that the CA makes itself.
	made, err := cs.CreateKey(ctx, client.NewKey{Profile: "address", Subject: "customer 4711", MaxAccounts: 2, IdempotencyKey: "customer-4711-1"})
	must("make a key", err)
	secret("a MAC key", made.HMACKey.Reveal())
	same, err := cs.CreateKey(ctx, client.NewKey{Profile: "address", Subject: "customer 4711", MaxAccounts: 2, IdempotencyKey: "customer-4711-1"})
	must("make it again", err)
	if same.Kid != made.Kid || same.HMACKey != made.HMACKey || made.Instructions["certbot"] == "" {
		t.Errorf("made %+v, and then %+v", made, same)
	}
	const newAccount = "https://example.example/new-account"
	bind := func(a acmeAccount) (*client.Binding, error) {
		return cs.VerifyEAB(ctx, client.VerifyRequest{URL: newAccount, JWK: a.jwk, Binding: a.bindingOf(t, made.Kid, made.HMACKey.Reveal(), newAccount)})
	}
	_, err = bind(successor)
	refused("an account that was deactivated", err, client.Unauthorized)
	customer := newACMEAccount(t, "customer")
	bound, err := bind(customer)
	must("bind", err)
	must("created", cs.AccountCreated(ctx, client.Account{URL: customer.url, JWK: customer.jwk}, bound.Kid))
	key, err := cs.Key(ctx, made.Kid)
	must("read the key", err)
	if key.Subject != "customer 4711" || key.MaxAccounts != 2 || len(key.Accounts) != 1 || key.Accounts[0].URL != customer.url {
		t.Errorf("the key is %+v", key)
	}
	list, err := cs.Keys(ctx, "", 0)
	must("list", err)
	if len(list.Keys) != 1 || list.Keys[0].Kid != made.Kid {
		t.Errorf("listed %+v", list)
	}
	next, err := cs.RotateKey(ctx, made.Kid, time.Hour, "")
	must("rotate", err)
	secret("the MAC key after it", next.HMACKey.Reveal())
	if key, err = cs.Key(ctx, made.Kid); err != nil || key.ReplacedBy != next.Kid || next.HMACKey == made.HMACKey {
		t.Errorf("rotated, the key is %+v: %v", key, err)
	}
	if key, err = cs.Key(ctx, next.Kid); err != nil || key.Replaces != made.Kid || key.UnusedUntil != nil && key.UnusedUntil.IsZero() {
		t.Errorf("what replaces it is %+v: %v", key, err)
	}
	must("revoke", cs.RevokeKey(ctx, made.Kid))
	must("revoke again", cs.RevokeKey(ctx, made.Kid))
	if key, err = cs.Key(ctx, made.Kid); err != nil || key.Status != "revoked" || key.Revoked == nil || key.Reason == "" {
		t.Errorf("the key is %+v: %v", key, err)
	}

	stranger, err := client.New(client.Config{URL: p.api, Token: p.token + "x", Attempts: 1})
	must("a client with a wrong token", err)
	_, err = stranger.Keys(ctx, "", 0)
	if p, isNo := errors.AsType[*client.Problem](err); !isNo || p.Status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %v", err)
	}
}
