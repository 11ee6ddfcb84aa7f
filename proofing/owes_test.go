package proofing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// TestACaseStaysForAsLongAsItOwesSomething has a notice that does not go out for longer than the case is kept.
func TestACaseStaysForAsLongAsItOwesSomething(t *testing.T) {
	w := newWorld(t)
	w.Policy.Profiles["email"].Retention = 24 * time.Hour
	w.post.outcomes(append([]proofing.Outcome{""}, slices.Repeat([]proofing.Outcome{proofing.NotSent}, 200)...)...) // the code goes out
	c := w.prove(w.open("email"), "b", "email", "")
	w.work()
	must[*proofing.Case](t)(w.Revoke(t.Context(), c.ID, "operator"))
	for range 30 {
		w.work()
		w.sequenceAll()
		w.pass(time.Hour)
	}
	if got := w.reload(c); len(got.Outbox.Messages) == 0 || !got.ExpiresAt().IsZero() {
		t.Fatalf("it owes %d messages, and goes %s", len(got.Outbox.Messages), got.ExpiresAt())
	}
	told := len(w.post.all("granted"))
	w.post.outcomes()
	w.pass(24 * time.Hour)
	w.work()
	if n := len(w.post.all("granted")); told != 0 || n != 1 {
		t.Errorf("%d were sent before and %d after", told, n)
	}
	_, err := w.Cases.Get(t.Context(), c.ID)
	wantErr(t, "once it owes nothing", err, proofing.ErrNotFound)
}

// TestWhoWasErasedIsWrittenToNoMore has a certificate that outlives who asked for it.
func TestWhoWasErasedIsWrittenToNoMore(t *testing.T) {
	for name, erased := range map[string]bool{"who is there": false, "who was erased": true} {
		w := newWorld(t)
		k := w.prove(w.open("email"), "b", "email", "")
		must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 0xb1, w.clock(), 90*24*time.Hour), Cases: []string{k.ID}}))
		w.work()
		w.post.forget()
		if p := must[*proofing.Person](t)(w.People.Get(t.Context(), w.reload(k).Person)); erased {
			if err := w.EraseForTest(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		w.work()
		w.pass(61 * 24 * time.Hour)
		w.work()
		w.pass(23 * 24 * time.Hour)
		w.work()
		must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 0xb2, w.clock(), 90*24*time.Hour), Cases: []string{k.ID}}))
		w.work()
		if n := len(w.post.all("certificate_ends")) + len(w.post.all("issued")) + len(w.post.all("renewed")); (n == 0) != erased {
			t.Errorf("%s: %d went out: %+v", name, n, w.post.sent)
		}
	}
}

// TestTheNoticeOfAnErasureIsForgottenIfNobodyTakesIt is about the last place that has the address.
func TestTheNoticeOfAnErasureIsForgottenIfNobodyTakesIt(t *testing.T) {
	w := withPasskeys(t)
	c, _ := w.numberAlone()
	w.post.refuses("sms_erased")
	w.whileSequencing(func() {
		if err := w.Forget(t.Context(), c.Person); err != nil {
			t.Fatal(err)
		}
	})
	w.work()
	w.wantDead("what nobody takes")
	all, _, err := w.Cases.List(t.Context(), proofing.Query{Index: "due", Below: "~"})
	if err != nil || len(all) != 0 {
		t.Errorf("%d cases are still due: %v", len(all), err)
	}
}
