package proofing_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// certificate is one that was issued under a request.
func (c *court) certificate(k *proofing.Case, serial int64) *proofing.Certificate {
	c.t.Helper()
	return must[*proofing.Certificate](c.t)(c.CertificateIssued(c.t.Context(), c.ca, proofing.CertificateReport{DER: issued(c.t, orgName, serial, c.clock(), 90*someDay), Cases: []string{k.ID}}))
}

func TestWhatMustBeRevokedIsListedByItsDeadlineForThoseWhoseItIs(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	mailbox := c.prove(c.open("email"), "b", "email", "")
	first, second, third := c.certificate(k, 1), c.certificate(k, 2), c.certificate(mailbox, 3)
	elsewhere := c.dossier(c.specialist, "alpha", "Another Corporation")
	operator, mine := c.holds("operator", c.one, c.two, draft(proofing.RoleOperator, "alpha", ""))
	foreign, theirs := c.holds("foreign", c.one, c.two, draft(proofing.RoleOperator, "beta", ""))
	stranger, other := c.holds("stranger", c.one, c.two, draft(proofing.RoleApprover, "", elsewhere.ID))
	for _, cert := range []*proofing.Certificate{second, third, first} {
		must[*proofing.Certificate](t)(c.DisownCertificate(t.Context(), disowns(cert)))
		c.pass(time.Hour)
	}
	admins := func(r *representative) *proofing.Appointment {
		return must[[]*proofing.Appointment](t)(c.Offices(t.Context(), r.person()))[0]
	}
	see := func(who string, r *representative, by *proofing.Appointment, want ...*proofing.Certificate) {
		t.Helper()
		r.renew()
		var got, wanted []string
		for after, more := "", true; more; more = after != "" {
			list, next, err := c.Revocations(t.Context(), r.visit(), by.ID, after, 1)
			if err != nil {
				t.Fatalf("%s: %v", who, err)
			}
			for _, row := range list {
				got = append(got, row.Certificate.Serial)
			}
			after = next
		}
		for _, w := range want {
			wanted = append(wanted, w.Serial)
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s sees %q, want %q", who, got, wanted)
		}
		count, at, err := c.RevocationCount(t.Context(), r.visit(), 50)
		if err != nil || count.N != len(want) || count.More || len(want) > 0 && !at.Equal(must[*proofing.Certificate](t)(c.Certificates.Get(t.Context(), want[0].ID)).Disowned.RevokeBy) || len(want) == 0 && !at.IsZero() {
			t.Errorf("%s: %+v by %s, %v", who, count, at, err)
		}
	}
	see("an administrator", c.one, admins(c.one), second, third, first)
	see("an operator", operator, mine, second, third, first)
	see("an approver", c.approver, c.office[c.approver], second, first)
	see("another authority's operator", foreign, theirs)
	see("another organization's approver", stranger, other)
	for who, r := range map[string]*representative{"a specialist": c.specialist, "a reviewer": c.reviewer} {
		r.renew()
		_, _, err := c.Revocations(t.Context(), r.visit(), c.office[r].ID, "", 10)
		wantErr(t, who, err, proofing.ErrNotFound)
		if count, _, err := c.RevocationCount(t.Context(), r.visit(), 50); err != nil || count.N != 0 {
			t.Errorf("%s counts %d, %v", who, count.N, err)
		}
	}
	operator.renew()
	_, _, err := c.Revocations(t.Context(), operator.visit(), theirs.ID, "", 10)
	wantErr(t, "by somebody else's appointment", err, proofing.ErrNotFound)
	_, _, err = c.Revocations(t.Context(), operator.visit(), mine.ID, "x", 10)
	if input, ok := errors.AsType[*proofing.InputError](err); !ok || input.Field != "cursor" {
		t.Errorf("a cursor that is none: %v", err)
	}
	// Whoever holds two appointments, one within the other, is not counted the same twice.
	c.adds(operator, c.one, c.two, draft(proofing.RoleSigner, "alpha", c.org.ID))
	see("an operator who signs for the organization", operator, mine, second, third, first)
	for range 2 {
		must[*proofing.Certificate](t)(c.CertificateRevoked(t.Context(), c.ca, second.ID))
	}
	see("an approver, after the authority has revoked one", c.approver, c.office[c.approver], first)
}

func TestThePageOfRevocationsSaysWhatTheAuthorityKnows(t *testing.T) {
	w, one, _ := administered(t)
	by := must[[]*proofing.Appointment](t)(w.Offices(t.Context(), one.person()))[0]
	e := &endpoint{}
	w.Caller = e
	told := func(what string, want proofing.RevocationTold) {
		t.Helper()
		one.renew()
		list, _, err := w.Revocations(t.Context(), one.visit(), by.ID, "", 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %d, %v", what, len(list), err)
		}
		if list[0].Told != want {
			t.Errorf("%s: it is %q, want %q", what, list[0].Told, want)
		}
	}
	k := w.prove(w.open("email"), "b", "email", "")
	cert := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 1, w.clock(), 90*someDay), Cases: []string{k.ID}}))
	cases := w.Cases
	w.Cases = &refusing[proofing.Case]{Table: cases}
	must[*proofing.Certificate](t)(w.DisownCertificate(t.Context(), disowns(cert)))
	w.Cases = cases
	told("while the store refuses", proofing.ToldNot)
	w.work()
	told("before it is listed", proofing.ToldNot)
	w.sequenceAll()
	told("without a webhook", proofing.ToldListed)
	w.setHook()
	told("after a webhook was set that is not called with it", proofing.ToldListed)
	w.deliverAll()
	told("when that webhook has nothing to do", proofing.ToldListed)
	e.failWith(away)
	w.openMany("away-", 1)
	w.pass(time.Second)
	w.deliverAll()
	told("while that webhook takes nothing", proofing.ToldListed)
	e.failWith(nil)
	w.pass(time.Minute)
	w.deliverAll()
	must[*proofing.Certificate](t)(w.CertificateRevoked(t.Context(), w.ca, cert.ID))

	again := func(serial int64) {
		t.Helper()
		c := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", serial, w.clock(), 90*someDay), Cases: []string{k.ID}}))
		must[*proofing.Certificate](t)(w.DisownCertificate(t.Context(), disowns(c)))
		w.work()
		cert = c
	}
	w.sequenceAll()
	again(2)
	w.sequenceAll()
	told("before the webhook is called", proofing.ToldListed)
	w.deliverAll()
	told("after the webhook has taken it", proofing.ToldCalled)
	if err := w.RemoveWebhook(t.Context(), w.ca.Name); err != nil {
		t.Fatal(err)
	}
	told("after that webhook was removed", proofing.ToldCalled)
	w.setHook()
	must[*proofing.Certificate](t)(w.CertificateRevoked(t.Context(), w.ca, cert.ID))
	e.failWith(away)
	again(3)
	w.deliverAll()
	told("while nobody answers", proofing.ToldFailing)
	// Other events are taken, and this one is not: at last it is given up.
	e.failWith(func(ev proofing.Event) error {
		if ev.Change == proofing.ChangeCertificate {
			return away(ev)
		}
		return nil
	})
	for i := range 40 {
		w.openMany(string(rune('a'+i))+"-", 1)
		w.pass(3 * time.Hour)
		w.deliverAll()
	}
	told("after it was given up", proofing.ToldDead)
}

// TestThatAWebhookHasTakenTheWordOfACertificateIsNoted fails every call of the store in turn while it takes it, and has the process die at each.
func TestThatAWebhookHasTakenTheWordOfACertificateIsNoted(t *testing.T) {
	for _, dies := range []bool{false, true} {
		for n := int64(1); ; n++ {
			w := newWorld(t)
			k := w.prove(w.open("email"), "b", "email", "")
			cert := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 1, w.clock(), 90*someDay), Cases: []string{k.ID}}))
			w.sequenceAll()
			w.setHook()
			must[*proofing.Certificate](t)(w.DisownCertificate(t.Context(), disowns(cert)))
			w.work()
			w.sequenceAll()
			f := &faulty{KV: w.kv, n: n, dies: dies}
			_, _ = w.process(f).DeliverOnce(t.Context())
			w.pass(5 * time.Minute)
			w.deliverAll()
			if c := must[*proofing.Certificate](t)(w.Certificates.Get(t.Context(), cert.ID)); c.Disowned.Called.IsZero() || w.hook.count() == 0 {
				t.Fatalf("call %d fails, and the process dies: %v: %d events taken, and noted %v", n, dies, w.hook.count(), c.Disowned.Called)
			}
			if f.calls.Load() < n {
				break
			}
		}
	}
}

// partAway is a store of which the part of one record does not answer.
type partAway struct {
	store.KV
	id string
}

func (p *partAway) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	if strings.Contains(name, p.id) {
		return store.Item{}, errFault
	}
	return p.KV.Get(ctx, bucket, name, known)
}

// What is noted for the console holds up no event: while the part of the store that has the certificate is away, the webhook is told once, and of what comes after it.
func TestACertificateThatCannotBeReadHoldsUpNoWebhook(t *testing.T) {
	w := newWorld(t)
	k := w.prove(w.open("email"), "b", "email", "")
	cert := must[*proofing.Certificate](t)(w.CertificateIssued(t.Context(), w.ca, proofing.CertificateReport{DER: issued(t, "X", 1, w.clock(), 90*someDay), Cases: []string{k.ID}}))
	w.sequenceAll()
	w.setHook()
	must[*proofing.Certificate](t)(w.DisownCertificate(t.Context(), disowns(cert)))
	w.work()
	w.sequenceAll()
	p := w.process(&partAway{w.kv, cert.ID})
	rounds := func() {
		t.Helper()
		for range 5 {
			if _, err := p.DeliverOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	rounds()
	told := w.hook.count()
	if told == 0 {
		t.Fatal("it is told nothing")
	}
	rounds()
	if n := w.hook.count(); n != told {
		t.Errorf("it is told the same again: %d after %d", n, told)
	}
	w.openMany("later-", 1)
	w.work()
	w.sequenceAll()
	rounds()
	if w.hook.count() <= told {
		t.Error("it is told nothing of what comes after")
	}
}
