package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// refuses has the provider refuse messages of some kinds for good.
func (p *post) refuses(kinds ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = func(m proofing.Message) error {
		if slices.Contains(kinds, m.Kind) {
			return &proofing.SendError{Outcome: proofing.Refused, Reason: "rejected_address", Err: errors.New("planned")}
		}
		return nil
	}
}

// deadOnes are the dead notices of the whole service, as "subject kind reason".
func (w *world) deadOnes() (all []string) {
	w.t.Helper()
	page, more, err := w.Dead(w.t.Context(), 50)
	if err != nil || more {
		w.t.Fatal(more, err)
	}
	for _, o := range page {
		for _, m := range o.Messages {
			all = append(all, fmt.Sprint(o.Of, " ", m.Kind, " ", m.Reason))
		}
	}
	slices.Sort(all)
	return all
}

func (w *world) wantDead(what string, want ...string) {
	w.t.Helper()
	if got := w.deadOnes(); !slices.Equal(got, want) {
		w.t.Errorf("%s: dead are %q, want %q", what, got, want)
	}
}

// certified is a world with a certificate that rests on a case whose person has a mailbox.
func certified(t testing.TB) (*world, *proofing.Case, *proofing.Certificate) {
	t.Helper()
	w := newWorld(t)
	k := w.prove(w.open("email"), "b", "email", "")
	c := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 0xa1, w.clock(), 30*24*time.Hour), Cases: []string{k.ID}}))
	return w, k, c
}

func TestANoticeThatIsRefusedForGoodIsKept(t *testing.T) {
	w := newWorld(t)
	w.post.refuses("granted", "issued")
	k := w.prove(w.open("email"), "b", "email", "")
	must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 0xa1, w.clock(), 90*24*time.Hour), Cases: []string{k.ID}}))
	w.work()
	want := []string{"case granted rejected_address", "certificate issued rejected_address"}
	w.wantDead("refused", want...)
	w.post.refuses()
	w.pass(29 * 24 * time.Hour)
	w.work()
	w.wantDead("after 29 days", want...)
	if n := len(w.post.all("granted")) + len(w.post.all("issued")); n != 0 {
		t.Errorf("%d went out by themselves", n)
	}
	w.pass(25 * time.Hour)
	w.work()
	w.wantDead("after 30 days")
	if k = must[*proofing.Case](t)(w.Cases.Get(t.Context(), k.ID)); len(k.Outbox.Messages) != 0 {
		t.Errorf("what is too old is kept: %+v", k.Outbox.Messages)
	}
}

func TestANoticeThatNeverGetsOutIsKeptWithWhy(t *testing.T) {
	w, _, _ := certified(t)
	w.post.fail = func(proofing.Message) error {
		return &proofing.SendError{Outcome: proofing.NotSent, Reason: "unreachable", Err: errors.New("planned")}
	}
	w.work()
	w.wantDead("while it is tried")
	page, _, err := w.Waiting(t.Context(), "", 50)
	if err != nil || len(page) != 1 || page[0].Of != proofing.SubjectCertificate || page[0].Messages[0].Reason != "unreachable" || page[0].Messages[0].Sends != 1 {
		t.Fatalf("what waits: %+v, %v", page, err)
	}
	for range 3 {
		w.pass(25 * time.Hour)
		w.work()
	}
	w.wantDead("after three days", "certificate issued unreachable")
	page, _, err = w.Dead(t.Context(), 50)
	if err != nil || !page[0].Messages[0].Expired() {
		t.Errorf("it did not run out of time: %+v, %v", page, err)
	}
	if page, _, err = w.Waiting(t.Context(), "", 50); err != nil || len(page) != 0 {
		t.Errorf("it waits: %+v, %v", page, err)
	}
}

// Nothing runs for days: what is found then is too late to be sent, whatever kind of record it is of.
func TestANoticeThatIsFoundTooLateIsKept(t *testing.T) {
	w := newWorld(t)
	w.post.outcomes("", proofing.NotSent) // the code goes out
	w.prove(w.open("email"), "b", "email", "")
	w.wantDead("while it waits")
	w.pass(73 * time.Hour)
	w.work()
	w.wantDead("after three days", "case granted unreachable")
	if n := len(w.post.all("granted")); n != 0 {
		t.Errorf("%d went out", n)
	}
}

// A process that dies after the provider has refused, and before that is stored, leaves the claim. When that is given up another one sends it again, and keeps what
// comes of it.
func TestAProcessMayDieBetweenARefusalAndItsRecord(t *testing.T) {
	w, _, c := certified(t)
	tries := 0
	w.post.fail = func(proofing.Message) error {
		if tries++; tries == 1 {
			panic("killed after the answer")
		}
		return &proofing.SendError{Outcome: proofing.Refused, Reason: "rejected_address", Err: errors.New("planned")}
	}
	func() {
		defer func() { _ = recover() }()
		_ = w.WorkCertificate(t.Context(), c.ID)
	}()
	w.post = &post{fail: w.post.fail} // the one that was held when it died is locked
	w.Sender = w.post
	w.work()
	w.wantDead("while it is claimed")
	w.pass(3 * time.Minute)
	w.work()
	w.wantDead("when the claim is given up", "certificate issued rejected_address")
	w.work()
	if tries != 2 {
		t.Errorf("%d tries, want 2", tries)
	}
}

func TestDeadNoticesAreBoundedAndTheNewestStay(t *testing.T) {
	w, _, c := certified(t)
	w.work()
	c = must[*proofing.Certificate](t)(w.Certificates.Update(t.Context(), c.ID, func(c *proofing.Certificate) error {
		for i := range 60 {
			at := w.clock()
			c.Outbox.Messages = append(c.Outbox.Messages, proofing.Outgoing{
				Message: proofing.Message{ID: fmt.Sprintf("%s.%03d", c.ID, i), Kind: "issued", Channel: proofing.ChannelEmail, To: "a@example.org"},
				State:   proofing.MessagePending, Since: at, Due: at.Add(time.Duration(i) * time.Minute), Expires: at.Add(72 * time.Hour),
			})
		}
		return nil
	}))
	w.post.refuses("issued")
	for range 61 {
		w.pass(time.Minute)
		if err := w.WorkCertificate(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	c = must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), c.ID))
	if n := len(c.Outbox.Messages); n != 40 || c.Outbox.Messages[0].ID != c.ID+".020" || c.Outbox.Messages[39].ID != c.ID+".059" {
		t.Errorf("%d are kept, from %s", n, c.Outbox.Messages[0].ID)
	}
}

func TestDeadNoticesGoWithWhoIsErased(t *testing.T) {
	w, k, c := certified(t)
	w.post.refuses("issued")
	w.work()
	w.wantDead("before", "certificate issued rejected_address")
	w.post.outcomes(proofing.NotSent)
	late := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 0xa2, w.clock(), 30*24*time.Hour), Cases: []string{k.ID}}))
	w.work()
	k = w.reload(k)
	p := must[*proofing.Person](t)(w.People.Get(t.Context(), k.Person))
	if err := w.EraseForTest(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.wantDead("after")
	// What was on its way dies later, and is forgotten as soon as somebody looks at it.
	w.post.refuses("issued", "renewed")
	w.pass(time.Minute)
	w.work()
	w.wantDead("when what was on its way is refused", "certificate renewed rejected_address")
	w.pass(25 * time.Hour)
	w.work()
	w.wantDead("a day later")
	for _, id := range []string{c.ID, late.ID} {
		if c = must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), id)); len(c.Outbox.Messages) != 0 {
			t.Errorf("the certificate has %+v", c.Outbox.Messages)
		}
	}
}

// TestWhoSeesDeadNoticesAndSendsThemAgain has a dead notice of each kind of record, at the authority alpha and in its organization, and everybody look at it and try to
// send it again.
func TestWhoSeesDeadNoticesAndSendsThemAgain(t *testing.T) {
	s := staff(t)
	ctx := t.Context()
	s.work()
	died := func(m proofing.Message) proofing.Outgoing {
		return proofing.Outgoing{Message: m, State: proofing.MessageDead, Since: s.clock(), Due: s.clock().Add(time.Hour), Expires: s.clock().Add(time.Hour), Died: s.clock(), Reason: "rejected_address", Sends: 1}
	}
	note := func(id, kind string) proofing.Message {
		return proofing.Message{ID: id + ".dead", Kind: kind, Channel: proofing.ChannelEmail, To: "gone@example.org"}
	}
	org, approver, operator := s.orgs["alpha"], s.held["alpha-app"], s.held["alpha-ope"]
	k := s.open("email")
	own := s.who["alpha-req"].session
	for _, err := range []error{
		edit(s.Dossiers, org.ID, func(o *proofing.Organization) {
			o.Outbox.Messages = append(o.Outbox.Messages, died(note(o.ID, "dossier_ages")))
		}),
		edit(s.Appointments, approver.ID, func(a *proofing.Appointment) {
			a.Outbox.Messages = append(a.Outbox.Messages, died(note(a.ID, "appointment")))
		}),
		edit(s.Appointments, operator.ID, func(a *proofing.Appointment) {
			a.Outbox.Messages = append(a.Outbox.Messages, died(note(a.ID, "appointment")))
		}),
		edit(s.Cases, k.ID, func(c *proofing.Case) { c.Outbox.Messages = append(c.Outbox.Messages, died(note(c.ID, "ending"))) }),
		edit(s.Cases, own.ID, func(c *proofing.Case) { c.Outbox.Messages = append(c.Outbox.Messages, died(note(c.ID, "bound"))) }),
		s.Certificates.Create(ctx, "42certificate", &proofing.Certificate{
			ID: "42certificate", CA: "alpha", Organization: org.ID, Cases: []string{k.ID}, CertificateFacts: proofing.CertificateFacts{NotAfter: s.clock().Add(time.Hour)}, Outbox: proofing.Outbox{Messages: []proofing.Outgoing{died(note("42certificate", "issued"))}},
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	alpha, inOrg, service := proofing.Scope{CA: "alpha"}, proofing.Scope{CA: "alpha", Organization: org.ID}, proofing.Scope{}
	sees := func(v proofing.Visit, in proofing.Scope) string {
		m, err := s.OperatedMessages(ctx, v, in, "", 50)
		if errors.Is(err, proofing.ErrNotFound) {
			return "none"
		}
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, o := range m.Dead {
			all = append(all, string(o.Of))
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	ofAlpha, ofOrg := "appointment appointment case certificate organization", "appointment certificate organization"
	run := []string{"administrator", "alpha-ope"}
	its := []string{"alpha-con", "alpha-app", "alpha-req"}
	for name, who := range s.who {
		who.renew()
		v := who.visit()
		for _, x := range []struct {
			what string
			in   proofing.Scope
			may  []string
			want string
		}{
			{"an authority's", alpha, run, ofAlpha},
			{"an organization's", inOrg, append(slices.Clone(run), its...), ofOrg},
			{"an organization's at another authority", proofing.Scope{CA: "beta", Organization: org.ID}, nil, "none"},
			{"the service's", service, []string{"administrator"}, "session"},
		} {
			want := "none"
			if slices.Contains(x.may, name) {
				want = x.want
			}
			if x.may == nil && (name == "administrator" || name == "beta-ope") {
				want = "" // theirs to look at, and there is nothing of it
			}
			if got := sees(v, x.in); got != want {
				t.Errorf("%s sees of %s %q, want %q", name, x.what, got, want)
			}
		}
		if slices.Contains(run, name) {
			continue
		}
		for of, id := range map[proofing.Subject]string{
			proofing.SubjectOrganization: org.ID, proofing.SubjectAppointment: approver.ID, proofing.SubjectCase: k.ID, proofing.SubjectSession: own.ID, proofing.SubjectCertificate: "42certificate",
		} {
			wantErr(t, name+" sends again what is of "+string(of), s.ResendNotice(ctx, v, of, id, id+".dead"), proofing.ErrNotFound)
		}
	}
	if n := len(s.deadOnes()); n != 6 {
		t.Fatalf("%d are dead: somebody has sent one again who may not", n)
	}
	who := s.who["alpha-ope"]
	who.renew()
	wantErr(t, "an operator sends again what is a person's own", s.ResendNotice(ctx, who.visit(), proofing.SubjectSession, own.ID, own.ID+".dead"), proofing.ErrNotFound)
	wantErr(t, "of a kind that there is not", s.ResendNotice(ctx, who.visit(), "nothing", own.ID, own.ID+".dead"), proofing.ErrNotFound)
	wantErr(t, "of no record", s.ResendNotice(ctx, who.visit(), proofing.SubjectCase, "nobody", "nobody.dead"), proofing.ErrNotFound)
	// Pressed by two at once, and once more: one mail, one entry.
	var hands sync.WaitGroup
	for range 4 {
		hands.Go(func() {
			if err := s.ResendNotice(ctx, who.visit(), proofing.SubjectAppointment, approver.ID, approver.ID+".dead"); err != nil {
				t.Error(err)
			}
		})
	}
	hands.Wait()
	s.work()
	if err := s.ResendNotice(ctx, who.visit(), proofing.SubjectAppointment, approver.ID, approver.ID+".dead"); err != nil {
		t.Error(err)
	}
	s.work()
	sent := slices.DeleteFunc(s.post.all("appointment"), func(m proofing.Message) bool { return m.ID != approver.ID+".dead" })
	if len(sent) != 1 {
		t.Errorf("it went out %d times", len(sent))
	}
	got, leaves, _ := s.entered(proofing.SubjectAppointment, approver.ID)
	if n := len(got); got[n-1] != "notice_resent by person:"+who.person() || got[n-2] == got[n-1] || !strings.Contains(leaves, `"notice":"appointment"`) || strings.Contains(leaves, "gone@example.org") {
		t.Errorf("the log has %q, %s", got, leaves)
	}
	s.pass(11 * time.Minute)
	wantErr(t, "who has not signed in lately", s.ResendNotice(ctx, who.visit(), proofing.SubjectCase, k.ID, k.ID+".dead"), proofing.ErrNotAdmitted)
}

// edit changes a record as no verb would.
func edit[T any](table proofing.Table[T], id string, do func(*T)) error {
	_, err := table.Update(context.Background(), id, func(v *T) error { do(v); return nil })
	return err
}

// An address that its person has taken away may be another's by now: what was given up there, with a link that ends the account's grants, is sent to it no more.
func TestNothingIsSentAgainToAnAddressThatWasTakenAway(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	c.work()
	c.post.refuses("issued")
	cert := c.certificate(k, 1)
	c.work()
	c.post.refuses()
	dead := must[*proofing.Certificate](t)(c.Certificates.Get(t.Context(), cert.ID)).Outbox.Messages
	approver := c.office[c.approver].Person
	var theirs []proofing.Outgoing
	for _, m := range dead {
		if m.Person == approver {
			theirs = append(theirs, m)
		}
	}
	if len(theirs) != 1 || len(dead) < 2 {
		t.Fatalf("%d are dead, %d of them the approver's", len(dead), len(theirs))
	}
	if err := edit(c.People, approver, func(p *proofing.Person) {
		for i := range p.Bindings {
			if p.Bindings[i].Contact.Channel == proofing.ChannelEmail {
				p.Bindings[i].Gone = c.clock()
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	c.one.renew()
	for _, m := range dead {
		if err := c.ResendNotice(t.Context(), c.one.visit(), proofing.SubjectCertificate, cert.ID, m.ID); err != nil {
			t.Fatal(err)
		}
	}
	c.work()
	sent := c.post.all("issued")
	if len(sent) != len(dead)-1 || slices.ContainsFunc(sent, func(m proofing.Message) bool { return m.To == theirs[0].To }) {
		t.Errorf("%d of %d were sent again", len(sent), len(dead))
	}
	c.wantDead("afterwards")
}
