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
