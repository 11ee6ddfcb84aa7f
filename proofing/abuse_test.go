package proofing_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// notary is a signer that keeps what it signed last.
type notary struct{ claims map[string]any }

func (n *notary) Sign(typ string, claims map[string]any) (string, error) {
	n.claims = claims
	return "signed." + typ + "." + claims["jti"].(string), nil
}

// authenticated is a grant at AAL1, under a profile whose grants hold for longer than that.
func (w *world) authenticated() *proofing.Case {
	w.t.Helper()
	w.Policy.Profiles["sign"].GrantLifetime = 365 * 24 * time.Hour
	c := w.open("sign")
	if _, err := w.StartChallenge(w.t.Context(), w.ca, c.ID); err != nil {
		w.t.Fatal(err)
	}
	c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Minute)
	if c = w.prove(c, "b", "sms", "+447400123456"); aal(c) != 1 {
		w.t.Fatalf("%s at AAL %d, want a grant at 1", c.Status, aal(c))
	}
	return c
}

func TestALevelThatHasAgedIsNotStated(t *testing.T) {
	const tooLong = 31 * 24 * time.Hour // reauthentication at AAL1 is due after 30 days
	for what, late := range map[string]func(w *world, c *proofing.Case){
		"first fetched late": func(w *world, _ *proofing.Case) { w.pass(tooLong) },
		"signed anew after a key rollover": func(w *world, c *proofing.Case) {
			if _, err := w.Statement(t.Context(), w.ca, c.ID); err != nil {
				t.Fatal(err)
			}
			w.pass(tooLong)
			if err := w.AccountKeyChanged(t.Context(), w.ca, "", c.Applicant.Thumbprint, "next"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		w := newWorld(t)
		n := &notary{}
		w.Signer = n
		c := w.authenticated()
		late(w, c)
		c, err := w.Statement(t.Context(), w.ca, c.ID)
		if err != nil || c.Grant.Statement == "" {
			t.Fatalf("%s: no statement: %v", what, err)
		}
		if acr := n.claims["acr"].(string); !strings.HasSuffix(acr, ":aal-none") || aal(c) != 0 {
			t.Errorf("%s: the statement says %s, the grant AAL %d", what, acr, aal(c))
		}
	}
}

func TestAuthorizeTellsNoLevelThatHasAged(t *testing.T) {
	w := newWorld(t)
	c := w.authenticated()
	w.pass(31 * 24 * time.Hour)
	v, err := w.Authorize(t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: "sign"})
	if err != nil || len(v.Authorizations) != 1 {
		t.Fatal(v, err)
	}
	if got := aal(v.Authorizations[0].Case); got != 0 {
		t.Errorf("AAL %d a day after reauthentication was due", got)
	}
}

func TestWhoeverIsNamedInAGrantIsToldOfIt(t *testing.T) {
	w := newWorld(t)
	names := []string{"a.example.org", "b.example.org"}
	var cases []*proofing.Case
	for _, name := range names {
		id := proofing.Identifier{Type: "dns", Value: name}
		if _, err := w.Register(t.Context(), "alpha", id, "", proofing.Holder{Channel: "email", Address: "admin@example.org"}); err != nil {
			t.Fatal(err)
		}
		r := request("device")
		r.Identifier = id
		c, _, err := w.Open(t.Context(), w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	w.prove(cases[0], "b", "email", "admin@example.org")
	for i, c := range cases {
		if c = w.reload(c); c.Status != proofing.CaseGranted {
			t.Fatalf("%s: %s", names[i], c.Status)
		}
		told := 0
		for _, m := range w.post.all("granted") {
			if m.Context.Identifier == names[i] && m.To == "admin@example.org" && m.Disown == c.DisownURL("https://proof.example.org") {
				told++
			}
		}
		if told != 1 {
			t.Errorf("%d notices of the grant for %s, want 1", told, names[i])
		}
	}
}

func TestWhatIsDisownedServesNoOtherCase(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var cases []*proofing.Case
	for _, name := range []string{"a.example.org", "b.example.org"} {
		id := proofing.Identifier{Type: "dns", Value: name}
		if _, err := w.Register(ctx, "alpha", id, "", proofing.Holder{Channel: "email", Address: "admin@example.org"}); err != nil {
			t.Fatal(err)
		}
		r := request("device")
		r.Identifier = id
		c, _, err := w.Open(ctx, w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	_, a, err := w.Begin(ctx, visit(cases[0], "b"), "email", "admin@example.org")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	if _, _, err := w.Answer(ctx, visit(cases[0], "b"), a.ID, w.post.last(t, "email_code").Code); err != nil {
		t.Fatal(err)
	}
	// The worker has not come to it yet.
	if _, err := w.Disown(ctx, proofing.Secret(cases[0].ID+"."+cases[0].Disown.Reveal())); err != nil {
		t.Fatal(err)
	}
	w.work()
	if c := w.reload(cases[1]); c.Status != proofing.CaseOpen || len(c.Evidence) != 0 {
		t.Errorf("the other case is %s with %d events", c.Status, len(c.Evidence))
	}
}

func TestNoCaseGrowsUntilItCannotBeDisowned(t *testing.T) {
	w := newWorld(t)
	w.Policy.Profiles["sign"].RequireStart = false
	w.Policy.Profiles["device"].Require.AAL = 1 // what e-mail never reaches: the case stays open
	r := request("device")
	r.Identifier = proofing.Identifier{Type: "dns", Value: "host.example.org"}
	c, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; n < 60; n++ {
		address := strings.Repeat("x", 60) + string(rune('a'+n%26)) + string(rune('a'+n/26)) + "@" + strings.Repeat("d", 60) + ".example.org"
		_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", address)
		if err != nil {
			break
		}
		w.work()
		if _, _, err := w.Answer(t.Context(), visit(c, "b"), a.ID, w.post.last(t, "email_code").Code); err != nil {
			break
		}
	}
	if _, err := w.Disown(t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal())); err != nil {
		t.Errorf("after %d addresses: %v", n, err)
	}
	if n > 30 {
		t.Errorf("%d addresses were confirmed in one case", n)
	}
}

func TestWorkThatFailsHoldsUpNobodyElses(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	// More cases than one page whose effects can never be applied: their person is gone
	// from what the store can read.
	stuck := func() *proofing.Case {
		c := w.openAs("email", "stuck"+proofing.NewToken().Reveal(), "stuck@example.org")
		_, err := w.Cases.Update(ctx, c.ID, func(c *proofing.Case) error {
			c.Person = "not an id"
			c.Evidence = append(c.Evidence, proofing.Evidence{ID: "e", Kind: proofing.EmailCode, Address: proofing.Secret(proofing.NewToken().Reveal()), At: w.clock()})
			c.Outbox.Effects = append(c.Outbox.Effects, proofing.Effect{ID: "bind.e", Kind: proofing.EffectBind, Due: w.clock(), Event: "e"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range 230 {
		stuck()
	}
	own := stuck()
	for i := range 8 { // in several buckets, whatever the order of work
		c := w.openAs("email", "well"+string(rune('0'+i)), "well@example.org")
		if _, _, err := w.Begin(ctx, visit(c, "b"), "email", ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Begin(ctx, visit(own, "b"), "email", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WorkOnce(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(w.post.all("email_code")); n != 9 {
		t.Errorf("%d of 9 codes were sent beside work that fails", n)
	}
}

// between is a table that does something just before a record is created.
type between struct {
	proofing.Table[proofing.Case]
	then func()
}

func (b *between) Create(ctx context.Context, id string, c *proofing.Case) error {
	if then := b.then; then != nil {
		b.then = nil
		then()
	}
	return b.Table.Create(ctx, id, c)
}

func TestNoCaseIsOpenedForAKeyThatWasJustReplaced(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	old := request("email").Applicant.Thumbprint
	if err := w.AccountCreated(ctx, w.ca, "https://ca.example/acct/1", old); err != nil {
		t.Fatal(err)
	}
	w.Cases = &between{w.Cases, func() {
		if err := w.AccountKeyChanged(ctx, w.ca, "", old, "new"); err != nil {
			t.Error(err)
		}
	}}
	_, _, err := w.Open(ctx, w.ca, request("email"))
	wantInput(t, "opening for the old key", err, "account_key_replaced")
	r := request("email")
	r.Applicant.Thumbprint = "new"
	c, _, err := w.Open(ctx, w.ca, r)
	if err != nil || c.Applicant.Thumbprint != "new" {
		t.Errorf("the new key finds a case of key %s, %v", c.Applicant.Thumbprint, err)
	}
}

func TestNoCaseIsOpenedForAnAccountThatHasJustEnded(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key := request("email").Applicant.Thumbprint
	if err := w.AccountCreated(ctx, w.ca, "https://ca.example/acct/1", key); err != nil {
		t.Fatal(err)
	}
	w.Cases = &between{w.Cases, func() {
		if err := w.AccountDeactivated(ctx, w.ca, key); err != nil {
			t.Error(err)
		}
	}}
	_, _, err := w.Open(ctx, w.ca, request("email"))
	wantInput(t, "opening for it", err, "account_deactivated")
	open, _, err := w.Cases.List(ctx, proofing.Query{Index: "status", Below: "~"})
	if err != nil || len(open) != 1 || open[0].Status != proofing.CaseWithdrawn {
		t.Errorf("left behind: %+v, %v", open, err)
	}
}

func TestAKeyIsReplacedByOneOther(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.AccountCreated(ctx, w.ca, "", "a"); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 8)
	for i := range cap(errs) {
		go func() { errs <- w.AccountKeyChanged(ctx, w.ca, "", "a", "b"+string(rune('0'+i))) }()
	}
	for range cap(errs) {
		<-errs
	}
	var alive []string
	for i := range cap(errs) {
		r := request("email")
		r.Applicant.Thumbprint = "b" + string(rune('0'+i))
		first, _, err := w.Open(ctx, w.ca, request("email"))
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := w.Open(ctx, w.ca, r)
		if err == nil && c.Applicant.ID != first.Applicant.ID {
			a, err := w.Accounts.Get(ctx, proofing.FixedID(w.Hasher.Sum("account", w.ca.Name, r.Applicant.Thumbprint)))
			if err == nil && a.Account == w.Hasher.Hex("applicant account", w.ca.Name, "a") {
				alive = append(alive, r.Applicant.Thumbprint)
			}
		}
	}
	if len(alive) != 1 {
		t.Errorf("the account has the keys %v at once", alive)
	}
}

func TestEndingAnAccountByAnOldKeyEndsIt(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.AccountCreated(ctx, w.ca, "", "a"); err != nil {
		t.Fatal(err)
	}
	if err := w.AccountKeyChanged(ctx, w.ca, "", "a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := w.AccountDeactivated(ctx, w.ca, "a"); err != nil {
		t.Fatal(err)
	}
	r := request("email")
	r.Applicant.Thumbprint = "b"
	_, _, err := w.Open(ctx, w.ca, r)
	wantInput(t, "opening for the account's present key", err, "account_deactivated")
}

func TestContactsOfTheCAHoldForACaseThatIsOpenAlready(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.open("client") // as /v1/authorize does, which knows no contacts
	r := request("client")
	r.Phone = "+447400123456"
	again, created, err := w.Open(ctx, w.ca, r)
	if err != nil || created || again.ID != c.ID {
		t.Fatalf("created %v, %v", created, err)
	}
	c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400999999")
	for _, a := range c.Evidence {
		if a.Number != "" && a.Number != "+447400123456" {
			t.Errorf("a number of the person's choice was taken for the CA's")
		}
	}
}

func TestContactsOfTheCADoNotComeTooLate(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.open("client")
	w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400999999")
	r := request("client")
	r.Phone = "+447400123456"
	_, _, err := w.Open(ctx, w.ca, r)
	wantInput(t, "contacts other than those confirmed", err, "contact_differs")
	r.Phone = "+447400999999"
	if _, _, err := w.Open(ctx, w.ca, r); err != nil {
		t.Errorf("the contacts confirmed: %v", err)
	}
}

func TestNothingIsStatedOfWhatTheRegistryNoLongerGives(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	name := proofing.Identifier{Type: "dns", Value: "host.example.org"}
	if _, err := w.Register(ctx, "alpha", name, "", proofing.Holder{Channel: "email", Address: "admin@example.org"}); err != nil {
		t.Fatal(err)
	}
	r := request("device")
	r.Identifier = name
	c, _, err := w.Open(ctx, w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	c = w.prove(c, "b", "email", "admin@example.org")
	if c, err = w.Statement(ctx, w.ca, c.ID); err != nil || c.Grant.Statement == "" {
		t.Fatalf("before: %v", err)
	}
	if err := w.Unregister(ctx, "alpha", name); err != nil {
		t.Fatal(err)
	}
	if c, err = w.Statement(ctx, w.ca, c.ID); err != nil || c.Grant.Statement != "" {
		t.Errorf("after the entry went there still is a statement, %v", err)
	}
}

func TestSpellingsOfOneMailboxShareItsLimits(t *testing.T) {
	w := newWorld(t)
	w.Policy.Limits.AddressHour = 3
	sent := 0
	for i, address := range []string{"victim@example.org", "Victim@example.org", "VICTIM@EXAMPLE.ORG", "victim+1@example.org", "vicTim+2@example.org", "victim+3+4@example.org"} {
		r := request("device")
		r.Applicant.Thumbprint, r.Identifier = "t"+string(rune('0'+i)), proofing.Identifier{Type: "dns", Value: "host.example.org"}
		c, _, err := w.Open(t.Context(), w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Begin(t.Context(), visit(c, "b"), "email", address); err == nil {
			sent++
		} else {
			wantLimit(t, address, err, "address")
		}
	}
	if sent != 3 {
		t.Errorf("%d messages to one mailbox, want 3", sent)
	}
}

func TestANetworkOfOneClientSharesItsLimits(t *testing.T) {
	w := newWorld(t)
	w.Policy.Limits.ClientOpens = 2
	for what, clients := range map[string][]string{
		"a /64":            {"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3"},
		"a mapped address": {"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"},
		"a zone":           {"fe80::1%eth0", "fe80::1%eth1", "fe80::2"},
	} {
		for i, client := range clients {
			v := proofing.Visit{Client: client, Browser: "b"}
			_, err := w.Apply(t.Context(), v, "alpha", "email", proofing.Identifier{Type: "email", Value: "a@example.org"})
			if i < 2 && err != nil {
				t.Errorf("%s: %v", what, err)
			} else if i == 2 {
				wantLimit(t, what, err, "client")
			}
		}
	}
	if _, err := w.Apply(t.Context(), proofing.Visit{Client: "2001:db8:0:2::1", Browser: "b"}, "alpha", "email", proofing.Identifier{Type: "email", Value: "a@example.org"}); err != nil {
		t.Errorf("another network: %v", err)
	}
}

func TestNoCharacterHidesInAnIdentifier(t *testing.T) {
	w := newWorld(t)
	for what, value := range map[string]string{
		"a turned direction": "Example \u202egpj.exe", "a space of no width": "Exam\u200bple", "a soft hyphen": "Exam\u00adple",
		"a line separator": "Example\u2028Ltd", "a control of C1": "Example\u0085Ltd", "what is not UTF-8": "Example\xff",
		"a space before": " Example", "a space after": "Example ", "two spaces": "Example  Ltd", "a space that does not break": "Example\u00a0Ltd",
		"a private character": "Example\ue000", "a byte order mark": "\ufeffExample",
	} {
		r := request("device")
		r.Identifier = proofing.Identifier{Type: "organization", Value: value}
		_, _, err := w.Open(t.Context(), w.ca, r)
		wantInput(t, what, err, "identifier_malformed")
	}
	for _, value := range []string{"Exämple & Söhne GmbH", "株式会社例", "Пример ООО", "urn:example:1"} {
		r := request("device")
		r.Identifier = proofing.Identifier{Type: "organization", Value: value}
		if _, _, err := w.Open(t.Context(), w.ca, r); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestACodeForAKnownNumberBindsItToNobodyElse(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.Policy.Profiles["sign"].RequireStart = false
	w.prove(w.openAs("client", "first", "applicant@example.org"), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	c := w.openAs("sign", "other", "other@example.org")
	_, a, err := w.Begin(ctx, visit(c, "b"), "sms", "+447400123456") // of eight digits: it would authenticate
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	code := w.post.last(t, "sms_code").Code
	c = w.prove(c, "b", "email", "") // now the case is another person's
	c, a, err = w.Answer(ctx, visit(c, "b"), a.ID, code)
	wantErr(t, "the short code", err, proofing.ErrAttemptOver)
	if len(c.Evidence) != 1 || a.Status == proofing.AttemptPassed {
		t.Errorf("a code of %d digits bound a number", len(code))
	}
	w.pass(time.Minute)
	if c = w.prove(c, "b", "sms", "+447400123456"); len(w.post.last(t, "sms_code").Code) != 10 || len(c.Evidence) != 2 {
		t.Errorf("a new code has %d digits", len(w.post.last(t, "sms_code").Code))
	}
}

func TestOneSpellingsRightAnswerEndsNoOthersRowOfFailures(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	open := func(thumbprint string) *proofing.Case {
		r := request("device")
		r.Applicant.Thumbprint, r.Identifier = thumbprint, proofing.Identifier{Type: "dns", Value: "host.example.org"}
		c, _, err := w.Open(ctx, w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open("guesses")
	_, a, err := w.Begin(ctx, visit(c, "b"), "email", "victim@example.org")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, _, err = w.Answer(ctx, visit(c, "b"), a.ID, "00000000")
		wantErr(t, "a guess", err, proofing.ErrWrongAnswer)
	}
	w.prove(open("own"), "b", "email", "victim+own@example.org")
	contact, err := w.Methods["email"].Check("victim@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Unblock(ctx, w.ca.Name, contact); err != nil || n != 3 {
		t.Errorf("the row of failures is %d long, want 3: %v", n, err)
	}
}
