package proofing_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// That a key was revoked, and what its authority has limited its account to, does not end with the time for which records are kept. All else of
// the key does: whose it was, what they had proved, the MAC key. It is so in a store that this one is copied to, too.
func TestWhatAnAccountIsHeldToStaysWhenTheTimeOfItsKeyIsOver(t *testing.T) {
	w, c := withKeys(t)
	ctx := t.Context()
	proofOf := w.caseKey(c)
	limited := w.issued(w.ca, proofing.KeyRequest{ExpiresIn: time.Hour, Identifiers: []proofing.Identifier{proved}, Subject: "customer 4711"})
	unbound := w.issued(w.ca, proofing.KeyRequest{ExpiresIn: time.Hour, Subject: "customer 4711"})
	must[*proofing.VerifiedKey](t)(w.VerifyKey(ctx, w.ca, present(proofOf, 1)))
	must[*proofing.VerifiedKey](t)(w.VerifyKey(ctx, w.ca, present(limited, 2)))
	// The limited one was rotated: what is left of the line still stands for it.
	next := must[*proofing.Key](t)(w.RotateKey(ctx, w.ca, limited.Kid, time.Minute))
	must[*proofing.Key](t)(w.RevokeKey(ctx, w.ca.Name, proofOf.Kid, "test"))
	w.sequenceAll() // a record with something for the log stays for that alone

	held := func(when string, w *world) {
		t.Helper()
		if got := w.asks(1, proved); got.Problem != "binding_ended" {
			t.Errorf("%s: the account whose key was revoked is told %q", when, got.Problem)
		}
		if got := w.asks(2, proofing.Identifier{Type: "email", Value: "other@example.org"}); got.Problem != "identifier_rejected" {
			t.Errorf("%s: beyond its limit the account is told %q", when, got.Problem)
		}
		if got := w.asks(2, proved); got.Problem != "pending" {
			t.Errorf("%s: within it the account is told %q", when, got.Problem)
		}
		for _, k := range []*proofing.Key{proofOf, limited, next} {
			if _, err := w.VerifyKey(ctx, w.ca, present(k, 1)); err != proofing.ErrBinding { //nolint:errorlint // exactly this
				t.Errorf("%s: %s verifies: %v", when, k.Kid, err)
			}
		}
	}
	w.pass(2 * time.Hour)
	held("when they are over", w)
	w.work()
	if have := must[*proofing.Key](t)(w.Key(ctx, w.ca.Name, limited.Kid)); have.Bare || have.Secret == "" || have.Subject == "" {
		t.Errorf("before its time the record is %+v", have)
	}
	w.pass(150 * 24 * time.Hour)
	held("when nobody has worked yet", w)
	w.work()
	w.work()
	held("when their time is over", w)

	_, err := w.Keys.Get(ctx, unbound.ID)
	wantErr(t, "the key that bound nobody", err, proofing.ErrNotFound)
	bare := func(when string, w *world) {
		t.Helper()
		for _, k := range []*proofing.Key{proofOf, limited, next} {
			have := must[*proofing.Key](t)(w.Keys.Get(ctx, k.ID))
			if !have.Bare || have.Secret != "" || have.Subject != "" || have.SubjectHash != "" || have.Person != "" || len(have.Accounts) != 1 {
				t.Errorf("%s: what is left is %+v", when, have)
			}
			if (len(have.Identifiers) > 0) != (k.Case == "") {
				t.Errorf("%s: it names %v", when, have.Identifiers)
			}
			_, err := w.Key(ctx, w.ca.Name, k.Kid)
			wantErr(t, "its authority", err, proofing.ErrNotFound)
		}
		for what, list := range map[string]func() ([]*proofing.Key, error){
			"the authority's": func() (keys []*proofing.Key, err error) { keys, _, err = w.KeysOf(ctx, w.ca.Name, "", 100); return },
			"the subject's": func() (keys []*proofing.Key, err error) {
				keys, _, err = w.SubjectKeys(ctx, w.ca.Name, "customer 4711", "", 100)
				return
			},
			"the person's": func() ([]*proofing.Key, error) { return w.PersonKeys(ctx, c.Person) },
		} {
			if keys := must[[]*proofing.Key](t)(list()); len(keys) > 0 {
				t.Errorf("%s: among %s keys are %d", when, what, len(keys))
			}
		}
	}
	bare("here", w)

	server := redistest.Start(t, redistest.Durable()...)
	to, err := store.OpenRedis(ctx, store.RedisOptions{Addresses: []string{server.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close() })
	if err := store.Claim(ctx, w.kv, w.ring); err != nil {
		t.Fatal(err)
	}
	from := w.kv.(store.Movable)
	if _, err := (store.Copy{From: from, To: to, FromPlace: "here", ToPlace: "there", Ring: w.ring, Now: w.clock}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	moved := &world{t: t, post: w.post, hook: w.hook, kv: to, at: w.clock(), ca: w.ca, other: w.other}
	moved.overRing(to, w.ring)
	held("in the store that it was copied to", moved)
	bare("there", moved)

	// What becomes of a key there is the same, too.
	k := moved.issued(w.ca, proofing.KeyRequest{ExpiresIn: time.Hour, Identifiers: []proofing.Identifier{proved}})
	must[*proofing.VerifiedKey](t)(moved.VerifyKey(ctx, w.ca, present(k, 3)))
	moved.sequenceAll()
	moved.pass(150 * 24 * time.Hour)
	moved.work()
	if have := must[*proofing.Key](t)(moved.Keys.Get(ctx, k.ID)); !have.Bare || have.Secret != "" {
		t.Errorf("on Redis what is left is %+v", have)
	}
	if got := moved.asks(3, proofing.Identifier{Type: "email", Value: "other@example.org"}); got.Problem != "identifier_rejected" {
		t.Errorf("on Redis the account is told %q beyond its limit", got.Problem)
	}
}

// A person who has many keys finds those that can still do something, wherever they are stored.
func TestOfManyKeysOfAPersonNoneThatIsActiveIsMissed(t *testing.T) {
	w, c := withKeys(t)
	ctx := t.Context()
	active := w.caseKey(c)
	for n := range 150 {
		k := *active
		k.Kid = "cs-" + time.Duration(n).String()
		k.ID, k.Revoked, k.Created = proofing.FixedID(sha256.Sum256([]byte(accountKey(n)))), w.clock(), active.Created.Add(time.Duration(n)*time.Second)
		if err := w.Keys.Create(ctx, k.ID, &k); err != nil {
			t.Fatal(err)
		}
	}
	keys := must[[]*proofing.Key](t)(w.PersonKeys(ctx, c.Person))
	if len(keys) != 151 || keys[0].Kid != active.Kid {
		t.Fatalf("there are %d, the first %s", len(keys), keys[0].Kid)
	}
	for i := 2; i < len(keys); i++ {
		if keys[i].Created.After(keys[i-1].Created) {
			t.Fatalf("number %d is newer than the one before it", i)
		}
	}
}

// An authority finds the keys that are for one subject, page by page, and no other's.
func TestKeysAreFoundByTheirSubject(t *testing.T) {
	w, c := withKeys(t)
	ctx := t.Context()
	proofOf := w.caseKey(c)
	want := map[string]bool{}
	for range 5 {
		want[w.issued(w.ca, proofing.KeyRequest{Subject: "customer 4711"}).Kid] = true
		w.issued(w.ca, proofing.KeyRequest{Subject: "customer 4712"})
		w.issued(w.other, proofing.KeyRequest{Subject: "customer 4711"})
	}
	rotated := must[*proofing.Key](t)(w.RotateKey(ctx, w.ca, w.issued(w.ca, proofing.KeyRequest{Subject: "customer 4711"}).Kid, time.Hour))
	want[rotated.Kid], want[rotated.Replaces] = true, true
	for after, more := "", true; more; more = after != "" {
		page, next, err := w.SubjectKeys(ctx, w.ca.Name, "customer 4711", after, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("%d, %v", len(page), err)
		}
		for _, k := range page {
			if !want[k.Kid] {
				t.Errorf("%s for %q is among them", k.Kid, k.Subject)
			}
			delete(want, k.Kid)
		}
		after = next
	}
	if len(want) > 0 {
		t.Errorf("missing are %v", want)
	}
	if keys, _, err := w.SubjectKeys(ctx, w.ca.Name, proofOf.Subject, "", 0); err != nil || len(keys) != 1 || keys[0].Kid != proofOf.Kid {
		t.Errorf("by the person's name for the authority there are %d: %v", len(keys), err)
	}
}
