package proofing_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func unattended(value string) proofing.OpenRequest {
	r := request("machine")
	r.Identifier.Value = value
	return r
}

func TestATokenHandedInServesOneCaseOnce(t *testing.T) {
	f := withProvider(t)
	ctx := t.Context()
	c, _, err := f.Open(ctx, f.ca, unattended("one@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	token := f.tokenFor(c, nil)
	_, err = f.HandIn(ctx, f.other, c.ID, token, "")
	wantErr(t, "by another authority", err, proofing.ErrNotFound)
	got, err := f.HandIn(ctx, f.ca, c.ID, token, "")
	if err != nil {
		t.Fatal(err)
	}
	e := got.Evidence[0]
	if e.OIDC == nil || e.OIDC.Channel != proofing.ChannelFront || e.OIDC.Subject != "build-7" || got.Person == "" || got.Browser != "" {
		t.Errorf("the evidence is %+v of %+v", e.OIDC, got)
	}
	again, err := f.HandIn(ctx, f.ca, c.ID, token, "")
	if err != nil || len(again.Evidence) != 1 {
		t.Errorf("again: %d events, %v", len(again.Evidence), err)
	}
	if fal := proofing.Assess(proofing.R4, proofing.OperatorFacts{}, f.clock(), got.Evidence).FAL; fal == nil || *fal != 1 {
		t.Errorf("a front channel earns FAL %v", fal)
	}
	if fal := proofing.Assess(proofing.R3, proofing.OperatorFacts{}, f.clock(), got.Evidence).FAL; fal != nil {
		t.Errorf("a front channel in the clear earns FAL%d in revision 3", *fal)
	}
	// The same jti for another case, which it is bound to as well: the token would be another, and is spent all the same.
	second, _, err := f.Open(ctx, f.ca, unattended("two@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.HandIn(ctx, f.ca, second.ID, token, "")
	wantInput(t, "for a case that it is not bound to", err, "oidc_login_failed")
	third, _, err := f.Open(ctx, f.ca, unattended("three@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	id := func(claims map[string]any) { claims["jti"] = "job-7" }
	if _, err := f.HandIn(ctx, f.ca, third.ID, f.tokenFor(third, id), ""); err != nil {
		t.Fatal(err)
	}
	_, err = f.HandIn(ctx, f.ca, second.ID, f.tokenFor(second, id), "")
	wantInput(t, "under a name that is spent", err, "token_spent")
	if second = f.reload(second); len(second.Evidence) != 0 {
		t.Error("the spent token left evidence")
	}
}

// TestATokenHandedInToTwoProcessesAtOnce has many tokens of one name meet, over two services that share a store.
func TestATokenHandedInToTwoProcessesAtOnce(t *testing.T) {
	f := withProvider(t)
	ctx := t.Context()
	another := f.With(f.Policy, f.Methods, f.Sender, f.Caller)
	var cases []*proofing.Case
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		c, _, err := f.Open(ctx, f.ca, unattended(name+"@example.org"))
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	var all sync.WaitGroup
	for i, c := range cases {
		token := f.tokenFor(c, func(claims map[string]any) { claims["jti"] = "one" })
		for n := range 3 {
			service := f.Service
			if (i+n)%2 == 0 {
				service = another
			}
			all.Go(func() {
				if _, err := service.HandIn(ctx, f.ca, c.ID, token, ""); err != nil {
					wantInput(t, "one of many", err, "token_spent")
				}
			})
		}
	}
	all.Wait()
	served := 0
	for _, c := range cases {
		served += len(f.reload(c).Evidence)
	}
	if served != 1 {
		t.Errorf("the token served %d cases", served)
	}
}

// TestADyingProcessLosesNoToken stops between spending a token and storing what it proves.
func TestADyingProcessLosesNoToken(t *testing.T) {
	f := withProvider(t)
	c, _, err := f.Open(t.Context(), f.ca, unattended("one@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	token := f.tokenFor(c, nil)
	whole := f.Service.Cases
	f.Service.Cases = stuck{whole}
	_, err = f.HandIn(t.Context(), f.ca, c.ID, token, "")
	wantErr(t, "while the store cannot", err, proofing.ErrUnavailable)
	f.Service.Cases = whole
	if got, err := f.HandIn(t.Context(), f.ca, c.ID, token, ""); err != nil || len(got.Evidence) != 1 {
		t.Errorf("afterwards: %v", err)
	}
}

// stuck is a table that can be read and not changed.
type stuck struct{ proofing.Table[proofing.Case] }

func (stuck) Update(context.Context, string, func(*proofing.Case) error) (*proofing.Case, error) {
	return nil, proofing.ErrUnavailable
}

func TestCasesThatTakeNoToken(t *testing.T) {
	f := withProvider(t)
	ctx := t.Context()
	mail := f.open("email")
	_, err := f.HandIn(ctx, f.ca, mail.ID, f.tokenFor(mail, nil), "")
	wantInput(t, "a profile without oidc", err, "method_unknown")
	c, _, err := f.Open(ctx, f.ca, unattended("one@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	token := f.tokenFor(c, nil)
	if _, err := f.Disown(ctx, proofing.Secret(c.ID+"."+c.Disown.Reveal())); err != nil {
		t.Fatal(err)
	}
	_, err = f.HandIn(ctx, f.ca, c.ID, token, "")
	wantErr(t, "a frozen case", err, proofing.ErrFrozen)
	if _, err := f.Revoke(ctx, c.ID, "test"); err != nil {
		t.Fatal(err)
	}
	_, err = f.HandIn(ctx, f.ca, c.ID, token, "")
	wantErr(t, "a case that is over", err, proofing.ErrClosed)
	_, err = f.HandIn(ctx, f.ca, "nothing", token, "")
	if !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("no case: %v", err)
	}
}

// keyAuthDigest is the SHA-256 of the case's key authorization in base64url, as a client makes it.
func keyAuthDigest(c *proofing.Case) string {
	sum := sha256.Sum256([]byte(c.Token.Reveal() + "." + c.Applicant.Thumbprint))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestATokenThatIsHandedInMakesNobodysAccountTheirs has the account that asks hand in a token of its own, while somebody
// else has followed its link.
func TestATokenThatIsHandedInMakesNobodysAccountTheirs(t *testing.T) {
	f := withProvider(t)
	ctx := t.Context()
	f.Policy.Profiles["login"].Require.ConfirmedAddresses = []proofing.Channel{proofing.ChannelEmail, proofing.ChannelPhone}
	victim := f.openFor("login", "victim@example.org", "victim-key-victim-key-victim-key-victim-key-")
	victim = must[*proofing.Case](t)(f.login(visit(victim, "victim")))
	f.pass(time.Minute)

	c := f.openFor("login", "attacker@example.org", "attacker-key-attacker-key-attacker-key-atta")
	c = must[*proofing.Case](t)(f.login(visit(c, "victim"))) // they have followed a link
	must[*proofing.Case](t)(f.HandIn(ctx, f.ca, c.ID, f.tokenFor(c, nil), ""))
	f.work()
	p := must[*proofing.Person](t)(f.People.Get(ctx, victim.Person))
	if len(p.Bindings) != 1 {
		t.Errorf("an account that somebody else has handed in signs the victim in: %+v", p.Bindings)
	}

	before := f.openFor("login", "before@example.org", "before-key-before-key-before-key-before-key-")
	must[*proofing.Case](t)(f.HandIn(ctx, f.ca, before.ID, f.tokenFor(before, func(claims map[string]any) { claims["sub"] = "build-8" }), ""))
	before = must[*proofing.Case](t)(f.login(visit(before, "victim")))
	f.work()
	if p = must[*proofing.Person](t)(f.People.Get(ctx, victim.Person)); before.Person != victim.Person || len(p.Bindings) != 1 {
		t.Errorf("an account that was handed in before signs the victim in: %+v", p.Bindings)
	}

	// The other way round: the token comes first, of an account that somebody has, and then somebody else.
	f.idp.Accounts[0].Subject = "mallory"
	own := f.openFor("login", "mallory@example.org", "mallory-key-mallory-key-mallory-key-mallory")
	own = must[*proofing.Case](t)(f.login(visit(own, "mallory")))
	f.pass(time.Minute)
	trap := f.openFor("login", "trap@example.org", "trap-key-trap-key-trap-key-trap-key-trap-key")
	token := f.tokenFor(trap, func(claims map[string]any) {
		claims["sub"], claims["acr"], claims["auth_time"] = "mallory", "urn:high", f.clock().Unix()
	})
	trap = must[*proofing.Case](t)(f.HandIn(ctx, f.ca, trap.ID, token, ""))
	if trap.Person != own.Person {
		t.Errorf("an account that is known is person %q", trap.Person)
	}
	f.prove(trap, "victim", "email", "elsewhere@example.org")
	p = must[*proofing.Person](t)(f.People.Get(ctx, own.Person))
	if len(p.Bindings) != 1 {
		t.Errorf("what somebody confirms belongs to who has handed in a token: %+v", p.Bindings)
	}

	// Who reads a mailbox is not made another by it either.
	mail := f.openFor("login", "mail@example.org", "mail-key-mail-key-mail-key-mail-key-mail-key")
	mail = f.prove(mail, "reader", "email", "")
	token = f.tokenFor(mail, func(claims map[string]any) { claims["sub"] = "mallory" })
	_, err := f.HandIn(ctx, f.ca, mail.ID, token, "")
	wantErr(t, "the account of somebody else", err, proofing.ErrOtherPerson)
}
