package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
)

// textsTo has text messages go to these countries alone from now on.
func (w *world) textsTo(countries ...string) {
	w.Methods = challenges.Table(challenges.Config{Hasher: w.Hasher, Countries: countries})
}

// TestNoTextGoesToACountryThatWasTakenOut asks in each way that does not type the number anew: the same attempt once more, and a number that the authority gave.
func TestNoTextGoesToACountryThatWasTakenOut(t *testing.T) {
	w := braked(t)
	begun := must[*proofing.Case](t)(w.pump(w.Service, "+447400123456"))
	r := request("sign")
	r.Phone, r.Applicant.Thumbprint = "+447400123457", "another"
	given, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	w.textsTo("DE")
	before := len(w.post.all("sms_code"))
	w.pass(2 * time.Minute)
	_, _, err = w.Resend(t.Context(), visit(begun, "b"), w.reload(begun).Current("sms").ID)
	wantInput(t, "once more", err, "number_country")
	_, _, err = w.Begin(t.Context(), visit(given, "b"), "sms", "")
	wantInput(t, "to what the authority gave", err, "number_country")
	w.work()
	if n := len(w.post.all("sms_code")); before != 1 || n != before {
		t.Errorf("%d codes before and %d after", before, n)
	}
}

// TestNoNoticeGoesToACountryThatWasTakenOut has somebody with a number alone: it waits, and dies with its time.
func TestNoNoticeGoesToACountryThatWasTakenOut(t *testing.T) {
	w := withPasskeys(t)
	c, _ := w.numberAlone()
	w.textsTo("DE")
	must[[]proofing.Secret](t)(w.NewRecoveryCodes(t.Context(), ownVisit(c)))
	for range 80 {
		w.work()
		w.pass(time.Hour)
	}
	if n := len(w.post.all("sms_bound")); n != 0 {
		t.Errorf("%d went out", n)
	}
	w.wantDead("after its time", "session sms_bound limit")
}
