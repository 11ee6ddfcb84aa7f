package proofing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// What an operator makes of a person is in the log: who may record the identities of others is a role as any other.
func TestWhoIsARepresentativeIsInTheLog(t *testing.T) {
	w := withPasskeys(t)
	w.Operator = "operator-one"
	r := w.member("one")
	id := r.person()
	contact := proofing.Contact{Channel: proofing.ChannelEmail, Address: proofing.Secret("one@example.org")}
	for range 2 { // the second time nothing changes
		must[*proofing.Person](t)(w.Appoint(t.Context(), contact, "Doctor One", "2026, by the operator", time.Time{}))
	}
	w.pass(time.Minute)
	must[*proofing.Person](t)(w.Appoint(t.Context(), contact, "Doctor One", "2027, by the operator", time.Time{}))
	if err := w.Dismiss(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "dismissed again", w.Dismiss(t.Context(), id), proofing.ErrNotFound)
	got, leaves, private := w.entered(proofing.SubjectPerson, id)
	wantEntries(t, "the person", got, "representative_appointed by operator", "representative_appointed by operator", "representative_dismissed by operator")
	for _, is := range []string{"Doctor One", "2027, by the operator", "operator-one"} {
		if strings.Contains(leaves, is) || !strings.Contains(private, is) {
			t.Errorf("%s is not beside the leaves alone:\n%s\n%s", is, leaves, private)
		}
	}
}

// Who is erased was what they were: the log says that they are it no more, and not who it was.
func TestARepresentativeWhoIsErasedIsDismissedInTheLog(t *testing.T) {
	w := withPasskeys(t)
	r := w.member("one")
	id := r.person()
	must[*proofing.Person](t)(w.Appoint(t.Context(), proofing.Contact{Channel: proofing.ChannelEmail, Address: "one@example.org"}, "Doctor One", "2026", time.Time{}))
	p := must[*proofing.Person](t)(w.People.Get(t.Context(), id))
	// Nothing enters: their record has more to say, and stays until it has.
	wantErr(t, "while nothing is entered", w.EraseForTest(t.Context(), p), proofing.ErrUnavailable)
	if p = must[*proofing.Person](t)(w.People.Get(t.Context(), id)); p.Representative != nil || len(p.Bindings) > 0 {
		t.Errorf("what is left of them: %+v", p)
	}
	got, _, private := w.entered(proofing.SubjectPerson, id)
	wantEntries(t, "the person", got, "representative_appointed by operator", "representative_dismissed by operator")
	if strings.Contains(private, "Doctor One") {
		t.Errorf("their name is still there: %s", private)
	}
	if err := w.EraseForTest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, err := w.People.Get(t.Context(), id)
	wantErr(t, "the person", err, proofing.ErrNotFound)
}

func TestThatRecoveryCodesWereUnblockedIsInTheLog(t *testing.T) {
	w := withPasskeys(t)
	r := w.member("one")
	id := r.person()
	if _, err := w.UnblockRecovery(t.Context(), id, false); err != nil { // there was nothing to unblock
		t.Fatal(err)
	}
	if _, _, err := w.Limiter.Add(t.Context(), "failures.recovery."+id, 100, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := w.UnblockRecovery(t.Context(), id, true); n != 100 || err != nil {
		t.Fatal(n, err)
	}
	got, leaves, _ := w.entered(proofing.SubjectPerson, id)
	wantEntries(t, "the person", got, "recovery_unblocked by operator")
	if !strings.Contains(leaves, `"failures":100`) || !strings.Contains(leaves, `"codes_forgotten":true`) {
		t.Errorf("it does not say what was done: %s", leaves)
	}
}

// What an operator does for an authority that no record of it shows is in the log, too: whose limit was lifted, which keys were printed, what it was told again.
func TestWhatAnOperatorDoesForAnAuthorityIsInTheLog(t *testing.T) {
	w, c := withKeys(t)
	w.Operator = "operator-one"
	ctx := t.Context()
	mark := func() int {
		got, _, _ := w.entered(proofing.SubjectAuthority, w.ca.ID)
		return len(got)
	}
	before := mark()
	since := func() (got []string, leaves, private string) {
		got, leaves, private = w.entered(proofing.SubjectAuthority, w.ca.ID)
		got, before = got[before:], len(got)
		return got, leaves, private
	}

	contact := w.contact("email", "closed@example.org")
	if n, err := w.Unblock(ctx, "alpha", contact); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	got, _, _ := since()
	wantEntries(t, "an address that was not blocked", got)
	w.misses(contact, 3)
	if n, err := w.Unblock(ctx, "alpha", contact); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	got, leaves, private := since()
	wantEntries(t, "an address that was unblocked", got, "address_unblocked by operator")
	if strings.Contains(leaves+private, "closed@") || !strings.Contains(leaves, `"failures":3`) || !strings.Contains(private, "operator-one") {
		t.Errorf("what it says: %s %s", leaves, private)
	}

	k := w.caseKey(c)
	must[[]*proofing.Key](t)(w.ExportKeys(ctx, w.ca, ""))
	got, leaves, private = since()
	wantEntries(t, "keys that were printed", got, "keys_exported by operator")
	if !strings.Contains(leaves, `"keys":1`) || strings.Contains(leaves+private, k.Secret.Reveal()) {
		t.Errorf("what it says: %s %s", leaves, private)
	}
}

func TestThatAWebhookWasToldAgainIsInTheLog(t *testing.T) {
	s := staff(t)
	s.setHook()
	if _, err := s.Replay(t.Context(), "alpha", time.Time{}); err != nil { // nothing is dead: the next call comes sooner, and that is all
		t.Fatal(err)
	}
	if _, err := s.Replay(t.Context(), "alpha", s.clock().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Feeds.Update(t.Context(), s.FeedID("alpha"), func(f *proofing.Feed) error {
		f.Hook.Dead = append(f.Hook.Dead, proofing.Dead{At: s.clock()})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	who := s.who["alpha-ope"]
	who.renew()
	if n, err := s.ReplayOperated(t.Context(), who.visit(), "alpha"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	got, leaves, _ := s.entered(proofing.SubjectAuthority, s.ca.ID)
	wantEntries(t, "the authority", got[max(0, len(got)-2):], "webhook_replayed by operator", "webhook_replayed by person:"+who.person())
	if !strings.Contains(leaves, `"since":"`) || !strings.Contains(leaves, `"appointment":"`+s.held["alpha-ope"].ID) || strings.Count(leaves, "webhook_replayed") != 2 {
		t.Errorf("what it says: %s", leaves)
	}
}

// Nothing is done that is not told: an authority whose record does not take the entry is told nothing, and its keys stay where they are.
func TestWhatTheLogCannotTakeIsNotDone(t *testing.T) {
	w, c := withKeys(t)
	w.caseKey(c)
	contact := w.contact("email", "closed@example.org")
	w.misses(contact, 3)
	if err := w.Authorities.Delete(t.Context(), w.ca.ID); err != nil {
		t.Fatal(err)
	}
	if keys, err := w.ExportKeys(t.Context(), w.ca, ""); err == nil && len(keys) > 0 {
		t.Error("keys are printed of which the log tells nothing")
	}
	if _, err := w.Unblock(t.Context(), "alpha", contact); err == nil {
		t.Error("an address is unblocked of which the log tells nothing")
	}
}

func TestThatABrakeWasLiftedIsInTheLog(t *testing.T) {
	w := braked(t)
	w.pumpUntilRefused("+44740012", 30)
	b := w.brakes()[0]
	must[*proofing.Brake](t)(w.LiftBrake(t.Context(), b.ID))
	_, err := w.LiftBrake(t.Context(), b.ID)
	wantErr(t, "lifted again", err, proofing.ErrClosed)
	h := must[*proofing.LogHead](t)(w.LogHead(t.Context()))
	got, leaves, _ := w.entered(proofing.SubjectLog, h.ID) // a range is everybody's, and no one authority's
	wantEntries(t, "the log itself", got, "brake_lifted by operator")
	if !strings.Contains(leaves, `"brake":"`+b.ID) || strings.Contains(leaves, "74001") {
		t.Errorf("what it says: %s", leaves)
	}
}

// misses has somebody answer wrongly to a code at an address.
func (w *world) misses(to proofing.Contact, times int) {
	w.t.Helper()
	c := w.openAs("client", "misses", to.Address.Reveal())
	_, a, err := w.Begin(w.t.Context(), visit(c, "b"), "email", "")
	if err != nil {
		w.t.Fatal(err)
	}
	for range times {
		_, _, err := w.Answer(w.t.Context(), visit(c, "b"), a.ID, "00000000")
		wantErr(w.t, "a wrong answer", err, proofing.ErrWrongAnswer)
	}
}

func TestThatAnAddressWasTakenFromItsPersonIsInTheLog(t *testing.T) {
	w := newWorld(t)
	w.Operator = "operator-one"
	c := w.prove(w.open("email"), "b", "email", "")
	contact := proofing.Contact{Channel: proofing.ChannelEmail, Address: "applicant@example.org"}
	for n, want := range []bool{true, false} { // the second time it is nobody's
		if released, err := w.Release(t.Context(), contact); released != want || err != nil {
			t.Fatal(n, released, err)
		}
	}
	got, leaves, _ := w.entered(proofing.SubjectPerson, c.Person)
	wantEntries(t, "the person", got, "address_released by operator")
	if strings.Contains(leaves, "applicant@example.org") || strings.Contains(leaves, "operator-one") {
		t.Errorf("the leaves tell whose it was: %s", leaves)
	}
}
