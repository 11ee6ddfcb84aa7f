package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestAProvidersWordMayComeBeforeItsReceipt(t *testing.T) {
	for what, outcome := range map[string]error{
		"accepted": nil,
		"unknown":  &proofing.SendError{Outcome: proofing.Unknown, Reason: "timeout", Err: errors.New("planned")},
	} {
		w := newWorld(t)
		w.Sender = sendFunc(func(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
			if err := w.Delivered(ctx, m.ID, "delivered", ""); err != nil {
				t.Error(err)
			}
			return proofing.Receipt{}, outcome
		})
		c := w.begin("client", 0, "sms", "+447400123456")
		w.work()
		if d := w.reload(c).Attempts[0].Delivery; d.Status != "delivered" {
			t.Errorf("%s after it was delivered: the page learns %+v", what, d)
		}
	}
}

func TestAWordThatNobodyKnowsChangesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.begin("client", 0, "sms", "+447400123456")
	id := w.reload(c).Outbox.Messages[0].ID
	if err := w.Delivered(t.Context(), id, "teleported", ""); err != nil {
		t.Fatal(err)
	}
	if d := w.reload(c).Attempts[0].Delivery; d.Status != "waiting" {
		t.Errorf("the page learns %+v", d)
	}
}

func TestWhatIsRefusedSpendsNothing(t *testing.T) {
	w := newWorld(t)
	w.Policy.Limits.AttemptsPerCase, w.Policy.Limits.CAMessagesDay = 1, 4
	c := w.begin("client", 0, "sms", number(0))
	for range 3 {
		_, _, err := w.Begin(t.Context(), visit(c, "b"), "sms", number(1))
		wantLimit(t, "another number", err, "attempts")
	}
	w.Policy.Limits.CodesPerAttempt = 1
	w.pass(11 * time.Minute)
	for range 3 {
		_, _, err := w.Resend(t.Context(), visit(c, "b"), c.Attempts[0].ID)
		if l, ok := errors.AsType[*proofing.LimitError](err); !ok || l.Limit != "codes" && l.Limit != "attempts" {
			t.Errorf("another code: %v", err)
		}
	}
	for n := range 3 {
		w.begin("client", 1+n, "sms", number(2+n))
	}
}

func TestACaseTakesOnlySoManyAttempts(t *testing.T) {
	w := newWorld(t)
	w.Policy.Profiles["device"].Require.AAL = 1 // which mail can never reach
	r := request("device")
	r.Identifier = proofing.Identifier{Type: "organization", Value: "Example"}
	c, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		w.pass(time.Minute)
		if _, _, err = w.Begin(t.Context(), visit(c, "b"), "email", fmt.Sprintf("a%d@example.org", n)); err != nil {
			break
		}
		w.work()
		c = w.reload(c)
		a := c.Current("email")
		if _, _, err = w.Answer(t.Context(), visit(c, "b"), a.ID, w.post.last(t, "email_code").Code); err != nil {
			t.Fatal(err)
		}
	}
	wantLimit(t, "fifty answers in one case", err, "attempts")
}

func TestACodeThatIsDeadIsForgotten(t *testing.T) {
	w := newWorld(t)
	c := w.begin("email", 0, "email", "")
	for i := range 5 {
		_, _, _ = w.Answer(t.Context(), visit(c, "b"), c.Attempts[0].ID, proofing.Secret(fmt.Sprintf("%08d", i)))
	}
	if a := w.reload(c).Attempts[0]; a.Tries != 0 || a.Message != nil || a.State != nil {
		t.Errorf("after the last try the record still has %v %v", a.Message, a.State)
	}
	w.pass(time.Minute)
	if _, a, err := w.Resend(t.Context(), visit(c, "b"), c.Attempts[0].ID); err != nil || a.Tries != 5 || a.Codes != 2 {
		t.Errorf("a new code: %+v, %v", a, err)
	}
}

func TestTheRowOfFailuresIsOfTheCodeInForce(t *testing.T) {
	w := newWorld(t)
	early := w.begin("client", 0, "sms", "+447400123456") // begun while the number was nobody's
	mine := w.openAs("client", "mine", "me@example.org")
	w.pass(time.Minute)
	w.prove(mine, "b", "sms", "+447400123456")
	w.pass(11 * time.Minute)
	_, a, err := w.Begin(t.Context(), visit(early, "b"), "sms", "+447400123456")
	if err != nil {
		t.Fatal(err)
	}
	if !a.Bound {
		t.Error("the new code is one for a bound number, and its failures are counted as for a new one")
	}
}

// vanishing is a table of cases in which the first create meets another's case
// that has ended by the time it is looked for.
type vanishing struct {
	proofing.Table[proofing.Case]
	n int
}

func (v *vanishing) Create(ctx context.Context, id string, c *proofing.Case) error {
	if v.n++; v.n == 1 {
		return proofing.ErrExists
	}
	return v.Table.Create(ctx, id, c)
}

func TestOpenGoesOnWhenTheOtherCaseHasJustEnded(t *testing.T) {
	w := newWorld(t)
	w.Cases = &vanishing{Table: w.Cases}
	if _, created, err := w.Open(t.Context(), w.ca, request("client")); err != nil || !created {
		t.Errorf("created %v, %v", created, err)
	}
}

func TestACaseFollowsTheKeyOfWhoeverAsks(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.prove(w.open("email"), "b", "email", "")
	old := c.Applicant.Thumbprint
	if err := w.AccountKeyChanged(ctx, w.ca, "", old, "new"); err != nil {
		t.Fatal(err)
	}
	// A case that was being opened under the old key while the key changed.
	if _, err := w.Cases.Update(ctx, c.ID, func(c *proofing.Case) error { c.Applicant.Thumbprint = old; return nil }); err != nil {
		t.Fatal(err)
	}
	c.Applicant.Thumbprint = "new"
	if v := w.ask(c); !v.Allow || v.Authorizations[0].Case.Applicant.Thumbprint != "new" {
		t.Errorf("the new key is told of a grant to the old one: %+v", v)
	}
}

func TestAnAccountEndsUnderAllItsKeys(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.open("email")
	if err := w.AccountKeyChanged(ctx, w.ca, "", c.Applicant.Thumbprint, "new"); err != nil {
		t.Fatal(err)
	}
	if err := w.AccountDeactivated(ctx, w.ca, c.Applicant.Thumbprint); err != nil { // by the key that the CA remembers
		t.Fatal(err)
	}
	r := request("email")
	r.Applicant.Thumbprint = "new"
	_, _, err := w.Open(ctx, w.ca, r)
	wantInput(t, "the later key", err, "account_deactivated")
}
