package proofing_test

import (
	"errors"
	"fmt"
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

func TestGuessingGetsTheTriesThatAreAllowed(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	right := w.post.last(t, "email_code").Code
	var mu sync.Mutex
	judged := 0
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, _, err := w.Answer(t.Context(), visit(c, "b"), a.ID, wrongCode(right, i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, proofing.ErrWrongAnswer), errors.Is(err, proofing.ErrNoTries):
				judged++
			case errors.Is(err, proofing.ErrUnavailable): // contention: not judged
			default:
				t.Errorf("a wrong answer: %v", err)
			}
		})
	}
	wg.Wait()
	c = w.reload(c)
	if got := c.Attempts[0].Tries; got != 0 {
		t.Errorf("%d tries left after fifty guesses", got)
	}
	_, _, err = w.Answer(t.Context(), visit(c, "b"), a.ID, right)
	wantErr(t, "the right code after five wrong ones", err, proofing.ErrNoTries)
}

// wrongCode is never the right one.
func wrongCode(right proofing.Secret, i int) proofing.Secret {
	code := fmt.Sprintf("%08d", i)
	if code == right.Reveal() {
		code = "ZZZZZZZZ"
	}
	return proofing.Secret(code)
}

func TestACodeWorksOnce(t *testing.T) {
	w := newWorld(t)
	c := w.open("client")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	code := w.post.last(t, "email_code").Code
	passed := 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, _, err := w.Answer(t.Context(), visit(c, "b"), a.ID, code); err == nil {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if c = w.reload(c); passed != 1 || len(c.Evidence) != 1 {
		t.Errorf("ten times the right code: %d passed, %d events", passed, len(c.Evidence))
	}
}

func TestACodeThatCannotBeOneCostsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.open("email")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		_, _, err = w.Answer(t.Context(), visit(c, "b"), a.ID, "short")
		wantInput(t, "a malformed code", err, "code_malformed")
	}
	if got := w.reload(c).Attempts[0].Tries; got != 5 {
		t.Errorf("%d tries left, want 5", got)
	}
}

func TestACodeEndsWithItsTime(t *testing.T) {
	for method, life := range map[string]time.Duration{"email": 24 * time.Hour, "sms": 10 * time.Minute} {
		w := newWorld(t)
		c := w.open("client")
		_, a, err := w.Begin(t.Context(), visit(c, "b"), method, "+447400123456")
		if err != nil {
			t.Fatal(err)
		}
		w.work()
		code := w.post.last(t, method+"_code").Code
		w.pass(life)
		_, _, err = w.Answer(t.Context(), visit(c, "b"), a.ID, code)
		wantErr(t, method+" after its time", err, proofing.ErrAttemptOver)
	}
}

func TestAResendSendsTheSameCodeWhileItIsGood(t *testing.T) {
	w := newWorld(t)
	c := w.open("client")
	ctx := t.Context()
	_, a, err := w.Begin(ctx, visit(c, "b"), "sms", "+447400123456")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	first := w.post.last(t, "sms_code")
	_, _, err = w.Resend(ctx, visit(c, "b"), a.ID)
	wantLimit(t, "a resend at once", err, "cooldown")
	w.pass(30 * time.Second)
	if _, _, err = w.Resend(ctx, visit(c, "b"), a.ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	second := w.post.last(t, "sms_code")
	if second.Code != first.Code || second.ID == first.ID {
		t.Errorf("resent: same code %v, same id %v", second.Code == first.Code, second.ID == first.ID)
	}
	if got := w.reload(c).Attempts[0]; got.Codes != 1 || got.Sends != 2 {
		t.Errorf("%d codes and %d sends, want 1 and 2", got.Codes, got.Sends)
	}
	w.pass(30 * time.Second)
	_, _, err = w.Resend(ctx, visit(c, "b"), a.ID)
	wantLimit(t, "the cool-down grows", err, "cooldown")
	w.pass(10 * time.Minute)
	if _, _, err = w.Resend(ctx, visit(c, "b"), a.ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	if third := w.post.last(t, "sms_code"); third.Code == first.Code {
		t.Error("an expired code was sent again")
	}
}

func TestAnAttemptHasFourCodes(t *testing.T) {
	w := newWorld(t)
	c := w.open("client")
	ctx := t.Context()
	_, a, err := w.Begin(ctx, visit(c, "b"), "sms", "+447400123456")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.pass(11 * time.Minute)
		if _, _, err := w.Resend(ctx, visit(c, "b"), a.ID); err != nil {
			t.Fatal(err)
		}
	}
	w.pass(11 * time.Minute)
	_, _, err = w.Resend(ctx, visit(c, "b"), a.ID)
	wantLimit(t, "a fifth code", err, "codes")
	for range 4 {
		w.pass(11 * time.Minute)
		c2, next, err := w.Begin(ctx, visit(c, "b"), "sms", "+447400123456")
		if err != nil {
			t.Fatal(err)
		}
		if next.ID == a.ID {
			t.Fatal("the failed attempt goes on")
		}
		for range 4 {
			w.pass(11 * time.Minute)
			_, _, err = w.Resend(ctx, visit(c2, "b"), next.ID)
		}
		wantLimit(t, "a fifth code", err, "codes")
	}
	w.pass(11 * time.Minute)
	_, _, err = w.Begin(ctx, visit(c, "b"), "sms", "+447400123456")
	wantLimit(t, "a sixth attempt", err, "attempts")
}

func TestAHundredFailuresInARowCloseAnAddress(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	wrong := 0
	for n := 0; wrong < 100; n++ {
		r := request("email")
		r.Applicant.Thumbprint = fmt.Sprint("thumbprint-", n) // each time another case: nothing resets the row
		c, _, err := w.Open(ctx, w.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		_, a, err := w.Begin(ctx, visit(c, "b"), "email", "")
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 5 && wrong < 100; i++ {
			if _, _, err := w.Answer(ctx, visit(c, "b"), a.ID, "00000000"); !errors.Is(err, proofing.ErrWrongAnswer) && !errors.Is(err, proofing.ErrNoTries) {
				t.Fatalf("failure %d: %v", wrong, err)
			}
			wrong++
		}
		w.pass(time.Hour)
	}
	c := w.open("email")
	_, _, err := w.Begin(ctx, visit(c, "b"), "email", "")
	wantErr(t, "begin after a hundred failures", err, proofing.ErrBlocked)

	r := request("email")
	r.Identifier.Value = "other@example.org"
	o, _, err := w.Open(ctx, w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Begin(ctx, visit(o, "b"), "email", ""); err != nil {
		t.Errorf("another address is closed too: %v", err)
	}
	if _, err := w.Unblock(ctx, "alpha", proofing.Contact{Channel: "email", Address: "applicant@example.org"}); err != nil {
		t.Fatal(err)
	}
	if c = w.prove(c, "b", "email", ""); c.Status != proofing.CaseGranted {
		t.Errorf("after the operator opened it again: %s", c.Status)
	}
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

func TestTheLinkInAMailNeedsTheSameBrowserOrTheCode(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.open("email")
	if _, _, err := w.Begin(ctx, visit(c, "mine"), "email", ""); err != nil {
		t.Fatal(err)
	}
	w.work()
	m := w.post.last(t, "email_code")
	ref := proofing.Secret(strings.TrimPrefix(m.Link.Reveal(), "https://proof.example.org"+proofing.MessagePath))
	if _, _, err := w.AttemptByLink(ctx, ref); err != nil {
		t.Fatal(err)
	}
	for _, browser := range []string{"scanner", ""} {
		_, _, err := w.AnswerByLink(ctx, proofing.Visit{Browser: proofing.Secret(browser)}, ref, "")
		wantErr(t, "a click in browser "+browser, err, proofing.ErrOtherBrowser)
	}
	if got := w.reload(c); got.Attempts[0].Tries != 5 || got.Status != proofing.CaseOpen {
		t.Errorf("a scanner's click changed the case: %+v", got.Attempts[0])
	}
	if _, _, err := w.AnswerByLink(ctx, proofing.Visit{Browser: "mine"}, ref, ""); err != nil {
		t.Errorf("a click in the same browser: %v", err)
	}
	if c = w.reload(c); c.Status != proofing.CaseGranted || c.Evidence[0].Kind != proofing.EmailLink {
		t.Errorf("after the click: %s", c.Status)
	}
	for _, bad := range []proofing.Secret{"", "x", ref + "x", ref[:len(ref)-1], "00abc.def.ghi", proofing.Secret(strings.Repeat("a", 1000))} {
		_, _, err := w.AttemptByLink(ctx, bad)
		wantErr(t, "a wrong link", err, proofing.ErrNotFound)
	}
}

func TestARetypedCodeWorksInAnotherBrowser(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.open("email")
	if _, _, err := w.Begin(ctx, visit(c, "desk"), "email", ""); err != nil {
		t.Fatal(err)
	}
	w.work()
	m := w.post.last(t, "email_code")
	ref := proofing.Secret(strings.TrimPrefix(m.Link.Reveal(), "https://proof.example.org"+proofing.MessagePath))
	if _, _, err := w.AnswerByLink(ctx, proofing.Visit{Browser: "phone"}, ref, m.Code); err != nil {
		t.Fatal(err)
	}
	if c = w.reload(c); c.Status != proofing.CaseGranted {
		t.Errorf("the phone retyped the code: %s", c.Status)
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
