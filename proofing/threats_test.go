package proofing_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// Threats of docs/threat-model.md that no other test is about.

func TestAStolenStoreFileShowsNoSecrets(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	kv, err := store.OpenSQLite(t.Context(), filepath.Join(dir, "stolen.db"), store.Options{Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	w.over(kv)
	const number = "+447400123456"
	c := w.prove(w.open("client"), "the-browser-cookie", "email", "")
	if _, _, err := w.Begin(t.Context(), visit(c, "the-browser-cookie"), "sms", number); err != nil {
		t.Fatal(err)
	}
	w.work()
	var file []byte
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files { // the log that SQLite writes ahead included
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, part...)
	}
	if !strings.Contains(string(file), c.ID) {
		t.Fatal("the case is not in the file: nothing was looked at")
	}
	for what, secret := range map[string]string{
		"an address": "applicant@example.org", "its domain": "example.org", "a number": number, "the number's digits": number[3:],
		"a code in force": w.post.last(t, "sms_code").Code.Reveal(), "the case's link": c.LinkSecret.Reveal(), "the link of not me": c.Disown.Reveal(),
		"the challenge's token": c.Token.Reveal(), "an account's thumbprint": c.Applicant.Thumbprint, "a cookie": "the-browser-cookie",
	} {
		if strings.Contains(string(file), secret) {
			t.Errorf("%s stands in the file", what)
		}
	}
}

func TestAPassedAttemptForgetsItsCode(t *testing.T) {
	w := newWorld(t)
	c := w.prove(w.open("client"), "b", "email", "")
	stored, err := w.Cases.Get(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	m := w.post.last(t, "email_code")
	if a := stored.Attempts[0]; a.State != nil || a.Message != nil || strings.Contains(string(text), m.Code.Reveal()) || strings.Contains(string(text), m.Link.Reveal()) {
		t.Errorf("what answered is still kept: %s", text)
	}
}

func TestAddressesThatTheAuthorityGaveAreTheOnlyOnes(t *testing.T) {
	w := newWorld(t)
	r := request("client")
	r.Phone = "+447400123456"
	c, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	for method, other := range map[string]string{"email": "intruder@example.org", "sms": "+447400999888"} {
		if _, _, err := w.Begin(t.Context(), visit(c, "b"), method, other); err != nil {
			t.Fatal(err)
		}
	}
	w.work()
	if to := w.post.last(t, "email_code").To; to.Reveal() != "applicant@example.org" {
		t.Errorf("the mail went to %s", to.Reveal())
	}
	if to := w.post.last(t, "sms_code").To; to.Reveal() != "+447400123456" {
		t.Errorf("the text went to %s", to.Reveal())
	}
}

func TestAWordOnOneMessageMovesNoOther(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	mine := w.openAs("client", "first", "one@example.org")
	theirs := w.openAs("client", "second", "two@example.org")
	for _, c := range []*proofing.Case{mine, theirs} {
		if _, _, err := w.Begin(ctx, visit(c, "b"), "email", ""); err != nil {
			t.Fatal(err)
		}
	}
	w.work()
	var ids []string
	for _, m := range w.post.all("email_code") {
		ids = append(ids, m.ID)
	}
	_, suffix, _ := strings.Cut(ids[0], ".")
	theirCase, _, _ := strings.Cut(ids[1], ".")
	if mineCase, _, _ := strings.Cut(ids[0], "."); mineCase == theirCase {
		t.Fatal("two cases share an id")
	}
	for _, id := range []string{theirCase + "." + suffix, theirCase + ".", theirCase + "." + strings.Repeat("a", 12)} {
		if err := w.Delivered(ctx, id, "undelivered", "30003"); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, c := range []*proofing.Case{mine, theirs} {
		if d := w.reload(c).Attempts[0].Delivery.Status; d != "accepted" {
			t.Errorf("a word on no message moved %s to %q", c.ID, d)
		}
	}
	// What was replaced by a later message has nothing to say any more.
	w.pass(time.Minute)
	if _, _, err := w.Resend(ctx, visit(mine, "b"), w.reload(mine).Attempts[0].ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	for _, old := range ids {
		if strings.HasPrefix(old, mine.ID+".") {
			if err := w.Delivered(ctx, old, "undelivered", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if d := w.reload(mine).Attempts[0].Delivery.Status; d != "accepted" {
		t.Errorf("a word on an earlier message moved a later one to %q", d)
	}
}

// recorder keeps what it was asked to sign.
type recorder struct {
	mu     sync.Mutex
	claims []map[string]any
}

func (r *recorder) Sign(typ string, claims map[string]any) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claims = append(r.claims, claims)
	return "signed." + typ, nil
}

func TestAStatementEndsNoLaterThanItsLevel(t *testing.T) {
	w := newWorld(t)
	kept := &recorder{}
	w.Signer = kept
	c := w.authenticated()
	ends := *c.Grant.Assessment.AALExpires
	w.pass(ends.Sub(w.clock()) - time.Hour)
	if _, err := w.Statement(t.Context(), w.ca, c.ID); err != nil {
		t.Fatal(err)
	}
	if exp := kept.claims[0]["exp"]; exp != ends.Unix() {
		t.Errorf("an hour before AAL1 ends a statement of it is good until %v, want %v", exp, ends.Unix())
	}
}

func TestAPersonHasAnotherNameForEachAuthority(t *testing.T) {
	w := newWorld(t)
	kept := &recorder{}
	w.Signer = kept
	for i, ca := range []*proofing.Authority{w.ca, w.ca, w.other} {
		r := request("email")
		r.Applicant.Thumbprint = string(rune('a' + i))
		c, _, err := w.Open(t.Context(), ca, r)
		if err != nil {
			t.Fatal(err)
		}
		c = w.prove(c, "b", "email", "")
		if _, err := w.Statement(t.Context(), ca, c.ID); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
	}
	name := func(i int) any { return kept.claims[i]["sub"] }
	if name(0) != name(1) || name(0) == name(2) {
		t.Errorf("one person is %v and %v to one authority, and %v to another", name(0), name(1), name(2))
	}
}
