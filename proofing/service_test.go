package proofing_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestAPersonProvesAnAddressAndANumber(t *testing.T) {
	w := newWorld(t)
	c := w.open("client")
	c = w.prove(c, "browser", "email", "ignored, since the identifier is the address")
	if c.Status != proofing.CaseOpen {
		t.Fatalf("after one of two: %s", c.Status)
	}
	c = w.prove(c, "browser", "sms", "+44 7400 123456")
	if c.Status != proofing.CaseGranted || c.Grant == nil || c.Grant.Entitlement != "confirmed_address" {
		t.Fatalf("after both: %s, %+v", c.Status, c.Grant)
	}
	v, err := w.Authorize(t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: "client"})
	if err != nil || !v.Allow {
		t.Errorf("authorize: %+v, %v", v, err)
	}
	c, err = w.Statement(t.Context(), w.ca, c.ID)
	if err != nil || c.Grant.Statement == "" {
		t.Errorf("no statement: %v", err)
	}
	if len(w.post.all("granted")) != 1 {
		t.Errorf("%d notices of the grant, want 1", len(w.post.all("granted")))
	}
}

func TestOpenReturnsTheCaseThatIsThere(t *testing.T) {
	w := newWorld(t)
	first, created, err := w.Open(t.Context(), w.ca, request("client"))
	if err != nil || !created {
		t.Fatal(created, err)
	}
	again, created, err := w.Open(t.Context(), w.ca, request("client"))
	if err != nil || created || again.ID != first.ID {
		t.Errorf("again: %s created %v, %v", again.ID, created, err)
	}
	theirs, created, err := w.Open(t.Context(), w.other, request("client"))
	if err != nil || !created || theirs.ID == first.ID {
		t.Errorf("another CA's: created %v, %v", created, err)
	}
	if _, err := w.Deactivate(t.Context(), w.ca, first.ID); err != nil {
		t.Fatal(err)
	}
	fresh, created, err := w.Open(t.Context(), w.ca, request("client"))
	if err != nil || !created || fresh.ID == first.ID {
		t.Errorf("after deactivation: created %v, %v", created, err)
	}
	w.pass(8 * 24 * time.Hour)
	late, created, err := w.Open(t.Context(), w.ca, request("client"))
	if err != nil || !created || late.ID == fresh.ID {
		t.Errorf("after it expired: created %v, %v", created, err)
	}
}

func TestManyWhoOpenAtOnceGetOneCase(t *testing.T) {
	w := newWorld(t)
	ids := make(chan string, 20)
	var made sync.Map
	var wg sync.WaitGroup
	for range cap(ids) {
		wg.Go(func() {
			c, created, err := w.Open(t.Context(), w.ca, request("client"))
			if err != nil {
				t.Error(err)
				return
			}
			if created {
				made.Store(c.ID, true)
			}
			ids <- c.ID
		})
	}
	wg.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("%s and %s for one request", first, id)
		}
	}
	n := 0
	made.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d said that they made it", n)
	}
}

func TestWhatIsAskedForWronglyIsRefusedByName(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		what, profile, typ, value, code string
	}{
		{"an unknown profile", "nope", "email", "a@example.org", "profile_unknown"},
		{"an unknown type", "device", "uri", "urn:x", "identifier_unsupported"},
		{"a type that the profile is not for", "client", "dns", "example.org", "identifier_unsupported"},
		{"a wildcard", "device", "dns", "*.example.org", "identifier_rejected"},
		{"a bare label", "device", "dns", "localhost", "identifier_malformed"},
		{"a name that turns into another's", "device", "dns", "\u212aiosk.example", "identifier_malformed"},
		{"a name in Unicode", "device", "dns", "bücher.example", "identifier_malformed"},
		{"an empty label", "device", "dns", "a..example", "identifier_malformed"},
		{"an address as a name", "device", "dns", "192.0.2.1", "identifier_malformed"},
		{"a bad address", "device", "ip", "300.1.1.1", "identifier_malformed"},
		{"an address with a zone", "device", "ip", "fe80::1%eth0", "identifier_malformed"},
		{"a bad mail address", "client", "email", "nobody", "identifier_malformed"},
		{"an empty organization", "device", "organization", "", "identifier_malformed"},
		{"a control character", "device", "organization", "a\nb", "identifier_malformed"},
	} {
		r := request(c.profile)
		r.Identifier = proofing.Identifier{Type: c.typ, Value: c.value}
		_, _, err := w.Open(t.Context(), w.ca, r)
		wantInput(t, c.what, err, c.code)
	}
	r := request("client")
	r.Phone = "12"
	_, _, err := w.Open(t.Context(), w.ca, r)
	wantInput(t, "a contact that is no number", err, "number_not_international")
}

func TestNamesAreStoredInOneForm(t *testing.T) {
	w := newWorld(t)
	for typed, want := range map[proofing.Identifier]string{
		{Type: "dns", Value: "WWW.Example.ORG."}:      "www.example.org",
		{Type: "ip", Value: "2001:DB8:0::1"}:          "2001:db8::1",
		{Type: "ip", Value: "::ffff:192.0.2.1"}:       "192.0.2.1",
		{Type: "email", Value: "Me@EXAMPLE.org"}:      "Me@example.org",
		{Type: "organization", Value: "Example, Inc"}: "Example, Inc",
	} {
		r := request("device")
		r.Identifier = typed
		c, _, err := w.Open(t.Context(), w.ca, r)
		if err != nil || c.Identifier.Value != want {
			t.Errorf("%v: %v, %v; want %s", typed, c.Identifier, err, want)
		}
	}
}

func TestAnotherAuthoritysCaseDoesNotExist(t *testing.T) {
	w := newWorld(t)
	c := w.open("client")
	_, err := w.Service.Get(t.Context(), w.other, c.ID)
	wantErr(t, "get", err, proofing.ErrNotFound)
	_, err = w.Deactivate(t.Context(), w.other, c.ID)
	wantErr(t, "deactivate", err, proofing.ErrNotFound)
	_, err = w.StartChallenge(t.Context(), w.other, c.ID)
	wantErr(t, "challenge", err, proofing.ErrNotFound)
	_, err = w.Statement(t.Context(), w.other, c.ID)
	wantErr(t, "statement", err, proofing.ErrNotFound)
	_, err = w.Wait(t.Context(), w.other, c.ID, time.Second)
	wantErr(t, "wait", err, proofing.ErrNotFound)
}

func TestTheFirstBrowserThatProvesSomethingClaimsTheCase(t *testing.T) {
	w := newWorld(t)
	c := w.open("client")
	ctx := t.Context()
	_, theirs, err := w.Begin(ctx, visit(c, "eve"), "sms", "+447400123456")
	if err != nil {
		t.Fatal(err)
	}
	c = w.prove(c, "mine", "email", "")
	_, _, err = w.Answer(ctx, visit(c, "eve"), theirs.ID, "1234567890")
	wantErr(t, "another browser's answer", err, proofing.ErrClaimed)
	_, _, err = w.Begin(ctx, visit(c, "eve"), "sms", "+447400123456")
	wantErr(t, "another browser's begin", err, proofing.ErrClaimed)
	if c = w.prove(c, "mine", "sms", "+14155550100"); c.Status != proofing.CaseGranted {
		t.Errorf("the first browser: %s", c.Status)
	}
}

func TestTwoBrowsersRacingForACaseGetOneWinner(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.open("client")
	_, a, err := w.Begin(ctx, visit(c, "one"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := w.Begin(ctx, visit(c, "two"), "sms", "+447400123456")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() {
		_, _, errs[0] = w.Answer(ctx, visit(c, "one"), a.ID, w.post.last(t, "email_code").Code)
	})
	wg.Go(func() {
		_, _, errs[1] = w.Answer(ctx, visit(c, "two"), b.ID, w.post.last(t, "sms_code").Code)
	})
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("want one winner: %v, %v", errs[0], errs[1])
	}
	for _, err := range errs {
		if err != nil {
			wantErr(t, "the loser", err, proofing.ErrClaimed)
		}
	}
}

func TestNothingIsSentBeforeTheChallengeStarts(t *testing.T) {
	w := newWorld(t)
	c := w.open("sign")
	_, _, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	wantErr(t, "before", err, proofing.ErrNotStarted)
	if _, err := w.StartChallenge(t.Context(), w.ca, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err = w.Begin(t.Context(), visit(c, "b"), "email", ""); err != nil {
		t.Errorf("after: %v", err)
	}
}

func TestThisWasNotMeFreezesTheCase(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.open("client")
	c = w.prove(c, "b", "email", "")
	m := w.post.last(t, "email_code")
	ref := proofing.Secret(strings.TrimPrefix(m.Disown.Reveal(), "https://proof.example.org"+proofing.DisownPath))
	if _, err := w.DisownedCase(ctx, ref); err != nil {
		t.Fatal(err)
	}
	if w.reload(c).Frozen != nil {
		t.Fatal("looking froze it")
	}
	for range 2 {
		if _, err := w.Disown(ctx, ref); err != nil {
			t.Fatal(err)
		}
	}
	w.work()
	if n := len(w.post.all("frozen")); n != 1 {
		t.Errorf("%d notices of the freeze, want 1", n)
	}
	_, _, err := w.Begin(ctx, visit(c, "b"), "sms", "+447400123456")
	wantErr(t, "going on", err, proofing.ErrFrozen)
	if _, err := w.Restore(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	if c = w.prove(c, "b", "sms", "+447400123456"); c.Status != proofing.CaseGranted {
		t.Errorf("restored: %s", c.Status)
	}
}

func TestAFrozenGrantAuthorizesNothingAndEndsRevoked(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.prove(w.open("email"), "b", "email", "")
	ask := proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: "email"}
	if _, err := w.Disown(ctx, proofing.Secret(c.ID+"."+c.Disown.Reveal())); err != nil {
		t.Fatal(err)
	}
	v, err := w.Authorize(ctx, w.ca, ask)
	if err != nil || v.Allow || v.Authorizations[0].Problem != "frozen" {
		t.Errorf("frozen: %+v, %v", v, err)
	}
	if c = w.reload(c); c.Status != proofing.CaseGranted {
		t.Errorf("while frozen: %s", c.Status)
	}
	w.pass(24 * time.Hour)
	if c = w.reload(c); c.Status != proofing.CaseRevoked || c.Reason != "disowned" {
		t.Errorf("a day later: %s (%s)", c.Status, c.Reason)
	}
}

func TestEntitlementComesFromTheRegistry(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	name := proofing.Identifier{Type: "dns", Value: "host.example.org"}
	holder := proofing.Holder{Channel: "email", Address: "admin@example.org"}
	open := func(profile, thumbprint string) *proofing.Case {
		r := request(profile)
		r.Identifier, r.Applicant.Thumbprint = name, thumbprint
		c, _, err := w.Open(ctx, w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := w.prove(open("device", "nobody"), "b", "email", "admin@example.org"); c.Status != proofing.CaseRefused || c.Reason != "not_entitled" {
		t.Errorf("without an entry: %s (%s)", c.Status, c.Reason)
	}
	w.pass(time.Hour)
	if c := w.prove(open("reviewed", "nobody"), "b", "email", "admin@example.org"); c.Status != proofing.CaseReview {
		t.Errorf("under a profile with review: %s", c.Status)
	}
	w.pass(time.Hour)
	if _, err := w.Register(ctx, "beta", name, "", holder); err != nil {
		t.Fatal(err)
	}
	if c := w.prove(open("device", "theirs"), "b", "email", "admin@example.org"); c.Status != proofing.CaseRefused {
		t.Errorf("with another CA's entry: %s", c.Status)
	}
	w.pass(time.Hour)
	if _, err := w.Register(ctx, "alpha", name, "", holder); err != nil {
		t.Fatal(err)
	}
	c := w.prove(open("device", "mine"), "b", "email", "admin@example.org")
	if c.Status != proofing.CaseGranted || c.Grant.Entitlement != "registry" {
		t.Errorf("with an entry: %s", c.Status)
	}
	ask := proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{name}, Profile: "device"}
	if v, err := w.Authorize(ctx, w.ca, ask); err != nil || !v.Allow {
		t.Errorf("authorize: %+v, %v", v, err)
	}
	if err := w.Unregister(ctx, "alpha", name); err != nil {
		t.Fatal(err)
	}
	if v, err := w.Authorize(ctx, w.ca, ask); err != nil || v.Allow || v.Authorizations[0].Problem != "not_entitled" {
		t.Errorf("after the entry went: %+v, %v", v, err)
	}
}

func TestLookUpDoesNotFallFromOneApplicantToAnother(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("email"), "b", "email", "")
	for what, a := range map[string]proofing.Applicant{
		"another account":      {Kind: proofing.ByAccount, Thumbprint: "another"},
		"a key of that digest": {Kind: proofing.ByPublicKey, SPKI: c.Applicant.Thumbprint},
	} {
		v, err := w.Authorize(t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: a, Identifiers: []proofing.Identifier{c.Identifier}, Profile: "email"})
		if err != nil || v.Allow {
			t.Errorf("%s: %+v, %v", what, v, err)
		}
	}
}

func TestEvidenceGivenOnceServesAllOpenCasesOfTheApplicant(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var ids []proofing.Identifier
	for _, n := range []string{"a.example.org", "b.example.org", "c.example.org"} {
		id := proofing.Identifier{Type: "dns", Value: n}
		ids = append(ids, id)
		if _, err := w.Register(ctx, "alpha", id, "", proofing.Holder{Channel: "email", Address: "admin@example.org"}); err != nil {
			t.Fatal(err)
		}
	}
	ask := proofing.AuthorizeRequest{Applicant: request("device").Applicant, Identifiers: ids, Profile: "device"}
	v, err := w.Authorize(ctx, w.ca, ask)
	if err != nil || v.Allow || len(v.Authorizations) != 3 {
		t.Fatalf("before: %+v, %v", v, err)
	}
	w.prove(v.Authorizations[1].Case, "b", "email", "admin@example.org")
	if v, err = w.Authorize(ctx, w.ca, ask); err != nil || !v.Allow {
		t.Errorf("after: %+v, %v", v, err)
	}
}

func TestAKeyRolloverMovesTheGrant(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.prove(w.open("email"), "b", "email", "")
	c, err := w.Statement(ctx, w.ca, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	old := c.Applicant.Thumbprint
	for range 2 { // a repeated call changes nothing more
		if err := w.AccountKeyChanged(ctx, w.ca, c.Applicant.URL, old, "new-thumbprint"); err != nil {
			t.Fatal(err)
		}
	}
	ask := proofing.AuthorizeRequest{Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: "new-thumbprint"}, Identifiers: []proofing.Identifier{c.Identifier}, Profile: "email"}
	if v, err := w.Authorize(ctx, w.ca, ask); err != nil || !v.Allow {
		t.Errorf("the new key: %+v, %v", v, err)
	}
	if c = w.reload(c); c.Grant.Statement != "" || c.Applicant.Thumbprint != "new-thumbprint" {
		t.Error("the statement still names the old key")
	}
	ask.Applicant.Thumbprint = old
	v, err := w.Authorize(ctx, w.ca, ask)
	if err != nil || v.Allow || v.Authorizations[0].Problem != "account_key_replaced" {
		t.Errorf("the old key: %+v, %v", v, err)
	}
	if err := w.AccountDeactivated(ctx, w.ca, "new-thumbprint"); err != nil {
		t.Fatal(err)
	}
	if c = w.reload(c); c.Status != proofing.CaseWithdrawn {
		t.Errorf("after the account ended: %s", c.Status)
	}
}

func TestEVWaitsForApprovals(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("ev"), "b", "email", "")
	if c.Status != proofing.CaseReview || c.Reason != "approvals" {
		t.Errorf("got %s (%s)", c.Status, c.Reason)
	}
}

func TestWaitAnswersWhenTheStateChanges(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	began := time.Now()
	done := make(chan *proofing.Case)
	go func() {
		got, err := w.Wait(t.Context(), w.ca, c.ID, 30*time.Second)
		if err != nil {
			t.Error(err)
		}
		done <- got
	}()
	time.Sleep(20 * time.Millisecond)
	if _, err := w.Deactivate(t.Context(), w.ca, c.ID); err != nil {
		t.Fatal(err)
	}
	got := <-done
	if got == nil || got.Status != proofing.CaseWithdrawn || time.Since(began) > 20*time.Second {
		t.Errorf("waited %v for %+v", time.Since(began), got)
	}
	if _, err := w.Wait(t.Context(), w.ca, c.ID, 30*time.Second); err != nil || time.Since(began) > 25*time.Second {
		t.Errorf("waiting for what is over took %v, %v", time.Since(began), err)
	}
}
