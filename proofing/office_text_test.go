package proofing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// numbered confirms a number of theirs.
func (r *representative) numbered(number string) {
	r.w.t.Helper()
	r.renew()
	r.w.prove(r.session, r.name, "sms", number)
	r.w.post.mu.Lock()
	defer r.w.post.mu.Unlock()
	r.w.post.sent = nil
}

// texts are the text messages of a kind, as the numbers that they went to.
func (w *world) texts(kind string) (to []string) {
	w.t.Helper()
	for _, m := range w.post.all(kind) {
		if m.Channel != proofing.ChannelPhone || m.Link != "" || m.Disown != "" || m.Code != "" {
			w.t.Errorf("a text message that something can be done by: %+v", m)
		}
		to = append(to, m.To.Reveal())
	}
	slices.Sort(to)
	return to
}

func TestWhoeverIsCalledToADecisionHearsByTextMessageToo(t *testing.T) {
	c := newCourt(t)
	c.approver.numbered("+447400123456")
	k := c.submitted("signing2")
	if mails, texts := len(c.post.all("waiting")), c.texts("sms_waiting"); mails != 2 || !slices.Equal(texts, []string{"+447400123456"}) {
		t.Errorf("%d mails, texts to %q", mails, texts)
	}
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	must[*proofing.Case](t)(c.decides(c.second, k, proofing.StepApprove, false))
	c.work()
	if texts := c.texts("sms_waiting"); len(texts) != 1 { // neither specialist nor reviewer has a number
		t.Errorf("texts to %q", texts)
	}
}

func TestAdministratorsHearByTextMessageWithinLimits(t *testing.T) {
	w, one, _ := ruled(t)
	one.numbered("+447400123456")
	w.offers(otherPolicy)
	w.work()
	if mails, texts := len(w.post.all("policy")), w.texts("sms_policy"); mails != 2 || !slices.Equal(texts, []string{"+447400123456"}) {
		t.Errorf("of a policy %d mails, texts to %q", mails, texts)
	}
	one.renew()
	for range 5 {
		must[*proofing.Appointment](t)(one.proposes(draft(proofing.RoleAdministrator, "", "")))
		w.work()
	}
	if mails, texts := len(w.post.all("appointment")), w.texts("sms_appointment"); mails != 10 || len(texts) != 2 {
		t.Errorf("of five roles after one of the policy %d mails and %d texts, want 10 and 2: three a day for a number", mails, len(texts))
	}
	// What is the service's is in the service's budget, and what is an authority's in that one's.
	spent := func(ca string) int64 {
		t.Helper()
		of, err := w.OperatedSpending(t.Context(), one.visit(), ca)
		if err != nil {
			t.Fatal(err)
		}
		return of.Spending.Messages
	}
	w.pass(25 * time.Hour)
	one.renew()
	service, alpha := spent(""), spent("alpha")
	must[*proofing.Appointment](t)(one.proposes(draft(proofing.RoleAdministrator, "", "")))
	must[*proofing.Appointment](t)(one.proposes(draft(proofing.RoleOperator, "alpha", "")))
	w.work()
	if a, b := spent("")-service, spent("alpha")-alpha; a != 1 || b != 1 {
		t.Errorf("counted are %d of the service and %d of the authority", a, b)
	}
	w.Policy.Limits.CAMessagesDay = 1
	mails, texts := len(w.post.all("appointment")), len(w.texts("sms_appointment"))
	must[*proofing.Appointment](t)(one.proposes(draft(proofing.RoleAdministrator, "", "")))
	w.work()
	if m, n := len(w.post.all("appointment"))-mails, len(w.texts("sms_appointment"))-texts; m != 2 || n != 0 {
		t.Errorf("with nothing left for today %d mails and %d texts", m, n)
	}
}

// A notice goes by a brake as a code does: to a number that is somebody's, and to no other.
func TestNoticesByTextMessageHeedABrake(t *testing.T) {
	w := braked(t)
	k := w.open("client")
	w.prove(k, "b", "email", "")
	k = w.prove(k, "b", "sms", "+447400123456")
	w.pumpUntilRefused("+44740012", 40)
	w.work()
	if len(w.brakes()) == 0 {
		t.Fatal("there is no brake")
	}
	certify := func(serial int64) (mails, texts int) {
		t.Helper()
		w.post.mu.Lock()
		w.post.sent = nil
		w.post.mu.Unlock()
		must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", serial, w.clock(), time.Hour), Cases: []string{k.ID}}))
		w.work()
		return len(w.post.all("issued")) + len(w.post.all("renewed")), len(w.post.all("sms_issued")) + len(w.post.all("sms_renewed"))
	}
	if mails, texts := certify(1); mails != 1 || texts != 1 {
		t.Errorf("to a number that is somebody's %d mails, %d texts", mails, texts)
	}
	if released, err := w.Release(t.Context(), w.contact("sms", "+447400123456")); !released || err != nil {
		t.Fatal(released, err)
	}
	if mails, texts := certify(2); mails != 1 || texts != 0 {
		t.Errorf("to a number that is nobody's any more %d mails, %d texts", mails, texts)
	}
}
