package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// numberAlone is somebody with a passkey and a number, and no mailbox.
func (w *world) numberAlone() (*proofing.Case, *webauthntest.Authenticator) {
	w.t.Helper()
	key := webauthntest.New()
	c := w.signUp(key)
	w.prove(c, "b", "sms", "+447400123456")
	if err := w.Remove(w.t.Context(), ownVisit(c), binding(w.session(c), proofing.ChannelEmail).ID); err != nil {
		w.t.Fatal(err)
	}
	w.work()
	w.pass(48 * time.Hour)
	w.post.forget()
	return w.signIn(key), key
}

// Whoever has a number alone hears by it of what happens to what is theirs: on a day on which no message may go out any more it waits for the next, and at the end
// of its time it is among those that were given up, with why.
func TestATextMessageThatNothingElseRepeatsWaitsForALimit(t *testing.T) {
	most := proofing.DefaultLimits().CAMessagesDay
	for kind, do := range map[string]func(*world, *proofing.Case) error{
		"sms_bound": func(w *world, c *proofing.Case) error {
			_, err := w.NewRecoveryCodes(t.Context(), ownVisit(c))
			return err
		},
		"sms_erased": func(w *world, c *proofing.Case) error { return w.Erase(t.Context(), ownVisit(c)) },
	} {
		w := withPasskeys(t)
		c, _ := w.numberAlone()
		w.Policy.Limits.CAMessagesDay = 0
		if err := do(w, c); err != nil {
			t.Fatal(err)
		}
		w.work()
		if n := len(w.post.all(kind)); n != 0 {
			t.Errorf("%s: %d were sent in spite of the limit", kind, n)
		}
		w.pass(25 * time.Hour)
		w.Policy.Limits.CAMessagesDay = most
		w.work()
		if n := len(w.post.all(kind)); n != 1 {
			t.Errorf("%s: on the next day %d were sent", kind, n)
		}
	}
	w := withPasskeys(t)
	c, _ := w.numberAlone()
	w.Policy.Limits.CAMessagesDay = 0
	must[[]proofing.Secret](t)(w.NewRecoveryCodes(t.Context(), ownVisit(c)))
	for range 80 {
		w.work()
		w.pass(time.Hour)
	}
	var dead []proofing.Outgoing
	for _, m := range must[*proofing.Case](t)(w.Cases.Get(t.Context(), c.ID)).Outbox.Messages {
		if m.State == proofing.MessageDead {
			dead = append(dead, m)
		}
	}
	if len(dead) != 1 || dead[0].Kind != "sms_bound" || dead[0].Reason != proofing.ReasonLimit || !dead[0].Expired() {
		t.Errorf("given up are %+v", dead)
	}
}
