package proofing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// The process dies at each call while somebody says of a proof that ended in a key that it was not them, and at each call of the worker after it; they do not say it
// again. Either nothing has begun, or the account that the key bound authorizes nothing, its key binds nobody, and the certificate that was issued to it is to be revoked.
func TestTheProcessMayDieWhileWhatAKeyBoundIsDisowned(t *testing.T) {
	for name, dies := range map[string]func(w *world, c *proofing.Case, n int64, after bool) (broke bool){
		"in the call": func(w *world, c *proofing.Case, n int64, after bool) bool {
			_, err := w.dying(n, after).Disown(w.t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal()))
			return err != nil
		},
		"in the worker": func(w *world, c *proofing.Case, n int64, after bool) bool {
			w.says(c)
			kv := &faulty{KV: w.kv, after: after, n: n, dies: true}
			s := w.process(kv)
			s.Methods, s.Policy = w.Methods, w.Policy
			_, _ = s.WorkOnce(w.t.Context())
			return kv.calls.Load() >= n && n < 80 // by then it looks for what is due where nothing is
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := int64(1)
			for broke := true; broke; n++ {
				w, c := withKeys(t)
				k := w.caseKey(c)
				must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
				got := w.asks(1, proved)
				if got.Problem != "" {
					t.Fatal(got.Problem)
				}
				cert := w.reports(got.Case)
				c = w.reload(c)
				broke = dies(w, c, n, true)
				begun := w.reload(c).Frozen != nil || w.reload(c).Status.Over()
				for range 3 {
					w.work()
					w.pass(10 * time.Minute) // as long as a lease holds
				}
				_, err := w.VerifyKey(t.Context(), w.ca, present(k, 1))
				cert = must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID))
				problem := w.asks(1, proved).Problem
				if stopped, unbound, clock := problem != "", err != nil, cert.Disowned != nil; stopped != begun || unbound != begun || clock != begun {
					t.Errorf("call %d: begun %v; the account hears %q, the key %v, the clock runs %v", n, begun, problem, err, clock)
				}
				if !broke && !begun {
					t.Errorf("call %d: it was answered, and nothing has begun", n)
				}
			}
			if n < 3 {
				t.Errorf("it was made to die %d times alone", n-2)
			}
		})
	}
}

// The process dies at each call while a copy of a passkey shows itself, and whoever uses it does not come back: a session that the passkey had opened before is worth no
// more than one that a copy opened, from the moment on at which anything says that there is one.
func TestTheProcessMayDieWhileTheSessionsOfACopiedPasskeyAreLowered(t *testing.T) {
	t.Parallel()
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		key := webauthntest.New()
		key.Count = 50
		before := w.signUp(key)
		id := w.passkeyRecord(before).ID
		before = w.signIn(key)
		if a := w.session(before).Case.Grant.Assessment; a.AAL == nil || *a.AAL < 2 {
			t.Fatalf("before it the session is worth %v", a.AAL)
		}
		key.Count = 50
		v, attempt, answer := w.usesCopy(key)
		kv := &faulty{KV: w.kv, after: after, n: n, dies: true}
		s := w.process(kv)
		s.Methods, s.Policy = w.Methods, w.Policy
		_, _, _ = s.Respond(t.Context(), v, attempt, answer)
		broke = kv.calls.Load() >= n
		w.pass(2 * time.Minute)
		w.work()
		copied := !must[*proofing.Address](t)(w.Addresses.Get(t.Context(), id)).Copied.At.IsZero()
		a := w.session(before).Case.Grant.Assessment
		if strong := a.AAL != nil && *a.AAL >= 2; strong == copied {
			t.Errorf("call %d: there may be a copy: %v, and the session is worth %s", n, copied, fmt.Sprint(a.AAL))
		}
		if !broke && !copied {
			t.Error("where nothing dies nobody sees that there is a copy")
		}
		return broke
	})
}
