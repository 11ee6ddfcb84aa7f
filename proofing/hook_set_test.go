package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// before is a store before whose n-th change something else happens.
type before struct {
	store.KV
	n    int64
	do   func()
	seen atomic.Int64
}

func (b *before) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if b.seen.Add(1) == b.n {
		b.do()
	}
	return b.KV.Apply(ctx, bucket, ops)
}

// set is `countersign webhook set`; it returns the secret that was shown.
func set(t testing.TB, s *proofing.Service, ca, url string) proofing.Secret {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	id, secret, err := s.SetWebhook(ctx, ca, url)
	if err == nil {
		err = s.SetHook(ctx, ca, id, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// hookOf is how the authority's webhook is.
func (w *world) hookOf() (*proofing.Webhook, proofing.HookState) {
	w.t.Helper()
	ca, err := w.Authority(w.t.Context(), w.ca.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	h := w.hookState()
	state, _ := h.State(ca.Webhook)
	return ca.Webhook, state
}

// TestSettingAWebhookMayBreakOffAnywhereAndBeDoneAgain fails each call of the store in turn.
func TestSettingAWebhookMayBreakOffAnywhereAndBeDoneAgain(t *testing.T) {
	const url = "https://ca.example/hook"
	offs := 0
	for _, after := range []bool{false, true} {
		for n := int64(1); ; n++ {
			w := newWorld(t)
			f := &faulty{KV: w.kv, after: after, n: n, dies: true}
			dying := w.process(f)
			shown := map[proofing.Secret]bool{}
			id, secret, err := dying.SetWebhook(t.Context(), w.ca.Name, url)
			if err == nil {
				shown[secret] = true
				err = dying.SetHook(t.Context(), w.ca.Name, id, true)
			}
			broke := err != nil
			if hook, err := w.Authority(t.Context(), w.ca.Name); err == nil && hook.Webhook != nil && broke {
				if f, err := w.Feeds.Get(t.Context(), w.FeedID(w.ca.Name)); err == nil {
					if state, _ := f.Hook.State(hook.Webhook); state == proofing.HookOff {
						offs++
					} else if !after || len(shown) == 0 {
						t.Errorf("call %d, after %v: it is %s, and nobody was shown a secret", n, after, state)
					}
				}
			}
			if secret := set(t, w.Service, w.ca.Name, url); secret != "" {
				shown[secret] = true
			}
			hook, state := w.hookOf()
			if state != proofing.HookWell || !shown[hook.Secrets[0].Key] {
				t.Errorf("call %d, after %v: done again it is %s, and its secret was shown: %v", n, after, state, shown[hook.Secrets[0].Key])
			}
			if !broke {
				break
			}
		}
	}
	if offs < 3 {
		t.Errorf("only %d calls were made to fail between the two records", offs)
	}
}

// gone is an endpoint that wants no more calls.
func gone(proofing.Event) error {
	return &proofing.SendError{Outcome: proofing.Refused, Reason: "gone", Err: errors.New("410")}
}

// TestADeliveryThatIsUnderWayStopsNoWebhookThatIsSetMeanwhile sets a webhook anew at each change of the store that
// a delivery makes, and while its endpoint answers 410.
func TestADeliveryThatIsUnderWayStopsNoWebhookThatIsSetMeanwhile(t *testing.T) {
	for what, again := range map[string]func(t *testing.T, w *world){
		"it moves": func(t *testing.T, w *world) {
			if secret := set(t, w.Service, w.ca.Name, "https://ca.example/new"); secret != "" {
				t.Error("it got another secret")
			}
		},
		"it is removed and set": func(t *testing.T, w *world) {
			if err := w.RemoveWebhook(t.Context(), w.ca.Name); err != nil {
				t.Fatal(err)
			}
			set(t, w.Service, w.ca.Name, "https://ca.example/new")
		},
	} {
		for n := range int64(3) { // 0: while the endpoint is called
			t.Run(fmt.Sprint(what, " ", n), func(t *testing.T) {
				w := newWorld(t)
				set(t, w.Service, w.ca.Name, "https://ca.example/old")
				w.openMany("key-", 1)
				w.sequenceAll()
				kv := &before{KV: w.kv, n: n, do: func() { again(t, w) }}
				slow := w.process(kv)
				slow.Caller = callerFunc(func(ctx context.Context, c proofing.Call) error {
					if c.URL != "https://ca.example/old" {
						return nil
					}
					if n == 0 {
						again(t, w)
					}
					return gone(c.Event)
				})
				if _, err := slow.DeliverOnce(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, state := w.hookOf(); state != proofing.HookWell {
					t.Errorf("the webhook that was set is %s", state)
				}
			})
		}
	}
}

// TestADeliveryThatFoundNoWebhookTurnsNoneOff lets it store that when there is one again.
func TestADeliveryThatFoundNoWebhookTurnsNoneOff(t *testing.T) {
	w := newWorld(t)
	set(t, w.Service, w.ca.Name, "https://ca.example/old")
	w.openMany("key-", 1)
	w.sequenceAll()
	remover := w.process(&before{KV: w.kv, n: 2, do: func() { // it has taken the address away, and not the place
		slow := w.process(&before{KV: w.kv, n: 2, do: func() { set(t, w.Service, w.ca.Name, "https://ca.example/new") }})
		if _, err := slow.DeliverOnce(t.Context()); err != nil {
			t.Error(err)
		}
		if _, state := w.hookOf(); state != proofing.HookWell {
			t.Errorf("a delivery that found none left the new one %s", state)
		}
	}})
	if err := remover.RemoveWebhook(t.Context(), w.ca.Name); err != nil {
		t.Fatal(err)
	}
	if hook, state := w.hookOf(); hook == nil || state != proofing.HookWell {
		t.Errorf("who removed the old one left the new one %s", state)
	}
}

func TestAStoppedWebhookThatIsSetAgainIsCalled(t *testing.T) {
	w := newWorld(t)
	set(t, w.Service, w.ca.Name, "https://ca.example/old")
	w.hook.failWith(gone)
	want := w.openMany("key-", 1)
	w.deliverAll()
	if _, state := w.hookOf(); state != proofing.HookStopped {
		t.Fatalf("it is %s", state)
	}
	w.hook.failWith(nil)
	set(t, w.Service, w.ca.Name, "https://ca.example/new")
	w.deliverAll()
	if w.hook.count() != want {
		t.Errorf("%d events told, want %d", w.hook.count(), want)
	}
}
