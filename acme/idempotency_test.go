package acme_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

// nobody is a request that nothing but its key can tell from another like it.
const nobody = `{"result":"eab_key","identifier":{"type":"email","value":"applicant@example.org"},"profile":"client"}`

func TestTheSameKeyGetsTheSameAnswer(t *testing.T) {
	w := newWorld(t)
	first := w.do(t, "POST", caPath, w.token, nobody, "Idempotency-Key", "key-1")
	w.prove(t, decode(t, first).text("case_url"), applicant)
	w.pass(time.Hour)
	again := w.do(t, "POST", caPath, w.token, nobody, "Idempotency-Key", `"key-1"`) // the quoted form is the same key
	if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Location") != first.Header().Get("Location") ||
		again.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", again.Code, again.Header(), again.Body)
	}
	if o := w.want(t, 422, "POST", caPath, nobody+" ", "Idempotency-Key", "key-1"); o.text("type") != "urn:countersign:error:idempotencyKeyReused" {
		t.Errorf("another body: %v", o)
	}
	if other := w.want(t, 201, "POST", caPath, nobody, "Idempotency-Key", "key-2"); other.text("id") == decode(t, first).text("id") {
		t.Error("another key got the same answer")
	}
	if r := w.do(t, "POST", caPath, w.stranger, nobody, "Idempotency-Key", "key-1"); r.Code != 201 || decode(t, r).text("id") == decode(t, first).text("id") {
		t.Error("another authority got the answer")
	}
	w.pass(24 * time.Hour)
	if later := w.want(t, 201, "POST", caPath, nobody, "Idempotency-Key", "key-1"); later.text("id") == decode(t, first).text("id") {
		t.Error("the answer is kept for more than 24 hours")
	}
}

func TestARefusalIsKeptToo(t *testing.T) {
	w := newWorld(t)
	bad := strings.Replace(nobody, "client", "golden", 1)
	first := w.do(t, "POST", caPath, w.token, bad, "Idempotency-Key", "key-1")
	again := w.do(t, "POST", caPath, w.token, bad, "Idempotency-Key", "key-1")
	if first.Code != 400 || again.Code != 400 || again.Body.String() != first.Body.String() || again.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s, %d %s", first.Code, first.Body, again.Code, again.Body)
	}
}

func TestParallelRequestsWithOneKeyMakeOne(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	ids := map[string]int{}
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			r := w.do(t, "POST", caPath, w.token, nobody, "Idempotency-Key", "key-1")
			if r.Code == 409 {
				if decode(t, r).text("type") != "urn:countersign:error:idempotencyKeyInUse" || r.Header().Get("Retry-After") == "" {
					t.Errorf("%v %s", r.Header(), r.Body)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[decode(t, r).text("id")]++
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Fatalf("%d were opened", len(ids))
	}
	if last := w.want(t, 201, "POST", caPath, nobody, "Idempotency-Key", "key-1"); ids[last.text("id")] == 0 {
		t.Error("the answer is another's")
	}
}

func TestKeysThatAreNone(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"", `""`, "a b", "a\tb", `a"b`, `a\b`, "ü", strings.Repeat("k", 256), `"open`} {
		if o := w.want(t, 400, "POST", caPath, nobody, "Idempotency-Key", key); o.text("type") != "urn:countersign:error:idempotencyKeyInvalid" {
			t.Errorf("%q: %v", key, o)
		}
	}
	r := httptest.NewRequest("POST", caPath, strings.NewReader(nobody))
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	if r.Header["Idempotency-Key"] = []string{"a", "b"}; w.exchange(t, r, nobody).Code != 400 {
		t.Error("two keys are taken")
	}
}

func TestAClaimWhoseProcessDiedIsTakenOver(t *testing.T) {
	w := newWorld(t)
	stopped := make(chan struct{})
	// The process dies between its claim and its answer: nothing more of it is stored.
	applies := 0
	w.kv.sabotage(func(call string) bool {
		if call == "apply" {
			applies++
		}
		return call == "apply" && applies > 1
	})
	go func() {
		defer close(stopped)
		if r := w.do(t, "POST", caPath, w.token, nobody, "Idempotency-Key", "key-1"); r.Code != 503 || r.Header().Get("Retry-After") == "" {
			t.Errorf("%d %s", r.Code, r.Body)
		}
	}()
	<-stopped
	w.kv.sabotage(nil)
	w.want(t, 409, "POST", caPath, nobody, "Idempotency-Key", "key-1")
	w.want(t, 422, "POST", caPath, nobody+" ", "Idempotency-Key", "key-1")
	w.pass(119 * time.Second) // to a process whose clock is ahead it looks so long when it is half that
	w.want(t, 409, "POST", caPath, nobody, "Idempotency-Key", "key-1")
	w.pass(2 * time.Second)
	w.want(t, 201, "POST", caPath, nobody, "Idempotency-Key", "key-1")
}

func TestAFailureIsNotKept(t *testing.T) {
	w := newWorld(t)
	cases := w.Cases
	w.Cases = failingCases{cases}
	w.want(t, 500, "POST", caPath, nobody, "Idempotency-Key", "key-1")
	w.Cases = cases
	w.want(t, 201, "POST", caPath, nobody, "Idempotency-Key", "key-1")
}

// failingCases creates nothing, for a reason that nobody foresaw.
type failingCases struct{ proofing.Table[proofing.Case] }

func (failingCases) Create(context.Context, string, *proofing.Case) error {
	return errors.New("unforeseen: secret-of-the-store")
}

func TestAReplyIsErasedWithItsTime(t *testing.T) {
	var r proofing.Record = &acme.Reply{Expires: time.Unix(1, 0)}
	if !r.ExpiresAt().Equal(time.Unix(1, 0)) || len(r.Indexes()) != 0 {
		t.Error("a reply outlives its time, or can be searched for")
	}
}

// The route of both is the same, and what is asked for is not.
func TestAKeyThatWasUsedForAnotherObjectIsNotAnsweredWithIt(t *testing.T) {
	w := newWorld(t)
	one, two := w.want(t, 201, "POST", "/v1/eab/keys", `{"profile":"client"}`), w.want(t, 201, "POST", "/v1/eab/keys", `{"profile":"client"}`)
	rotate := func(key object) string { return "/v1/eab/keys/" + key.text("kid") + "/rotate" }
	next := w.want(t, 201, "POST", rotate(one), "", "Idempotency-Key", "key-1")
	if o := w.want(t, 422, "POST", rotate(two), "", "Idempotency-Key", "key-1"); o.text("type") != "urn:countersign:error:idempotencyKeyReused" {
		t.Errorf("another object: %v", o)
	}
	if again := w.want(t, 201, "POST", rotate(one), "", "Idempotency-Key", "key-1"); again.text("hmac_key") != next.text("hmac_key") {
		t.Error("the same object got another answer")
	}
}
