package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// warned are those who were told by mail that something of somebody's role ends, each with by how many notices; and how many text messages went out.
func (w *world) warned(about string, what proofing.RoleEndKind) (mails map[string]int, texts int) {
	w.t.Helper()
	mails = map[string]int{}
	seen := map[string]bool{} // a notice goes out at least once, under one Message-ID
	for _, m := range w.post.all("appointment_ends") {
		if m.About == about && m.Context.Reason == string(what) && !seen[m.ID] {
			seen[m.ID] = true
			mails[m.To.Reveal()]++
		}
	}
	for _, m := range w.post.all("sms_appointment_ends") {
		if m.Link != "" || m.Code != "" || m.Disown != "" {
			w.t.Errorf("a text message that something can be done by: %+v", m)
		}
		if m.About == about && m.Context.Reason == string(what) && !seen[m.ID] {
			seen[m.ID] = true
			texts++
		}
	}
	return mails, texts
}

func each(n int, who ...string) map[string]int {
	all := map[string]int{}
	for _, name := range who {
		if n > 0 {
			all[name+"@example.org"] = n
		}
	}
	return all
}

// preauthorized makes an approver with an agreement, who is called "pre" and has a number.
func (c *court) preauthorized(agreement, term time.Duration) (*representative, *proofing.Appointment) {
	c.t.Helper()
	d := draft(proofing.RoleApprover, "alpha", c.org.ID)
	d.Agreement = &proofing.Agreement{Reference: "contract 4", Version: "2", Signer: c.office[c.signer].ID, Until: c.clock().Add(agreement)}
	if term > 0 {
		d.Until = c.clock().Add(term)
	}
	r, a := c.holds("pre", c.one, c.two, d)
	r.numbered("+447400123456")
	return r, a
}

func TestEverybodyConcernedIsRemindedOnceOfEachDateOnWhichARoleEnds(t *testing.T) {
	c := newCourt(t)
	for _, r := range []*representative{c.approver, c.second} { // nothing of theirs ends
		if err := edit(c.Appointments, c.office[r].ID, func(a *proofing.Appointment) { a.Agreement, a.ReconfirmBy = nil, time.Time{} }); err != nil {
			t.Fatal(err)
		}
	}
	c.holds("operator", c.one, c.two, draft(proofing.RoleOperator, "alpha", ""))
	start := c.clock()
	_, a := c.preauthorized(500*someDay, 600*someDay)
	want := map[proofing.RoleEndKind]int{}
	at := func(day int, tells proofing.RoleEndKind) {
		t.Helper()
		hour := start.Add(time.Duration(day) * someDay).Sub(c.clock())
		c.pass(hour - time.Minute)
		c.work()
		check := func(when string) {
			t.Helper()
			for _, what := range []proofing.RoleEndKind{proofing.EndsTerm, proofing.EndsReconfirm, proofing.EndsAgreement} {
				mails, texts := c.warned("pre", what)
				if !maps.Equal(mails, each(want[what], "one", "two", "operator", "pre")) || texts != want[what] {
					t.Errorf("day %d, %s: of %s were told %v and by %d texts, want %d", day, when, what, mails, texts, want[what])
				}
			}
		}
		check("before")
		c.pass(2 * time.Minute)
		if tells != "" {
			want[tells]++
		}
		c.work()
		c.work()
		check("after")
	}
	at(1, "")
	at(368, proofing.EndsReconfirm)
	at(391, proofing.EndsReconfirm)
	c.one.renew()
	must[*proofing.Appointment](t)(c.ReconfirmAppointment(t.Context(), c.one.visit(), a.ID, "file 18"))
	at(398, "") // the date that was
	at(470, proofing.EndsAgreement)
	at(493, proofing.EndsAgreement)
	at(570, proofing.EndsTerm)
	at(593, proofing.EndsTerm)
	at(600, "")
	at(900, "")
	if got := c.office[c.approver]; c.world.office(got).Reminded != nil {
		t.Errorf("of an appointment without a date is marked %q", c.world.office(got).Reminded)
	}
	for _, m := range c.post.all("appointment_ends") {
		if m.Link.Reveal() != "https://proof.example.org/admin/people/"+a.ID || m.Context.Identifier != orgName || m.Role != proofing.RoleApprover || m.Context.Ends.IsZero() {
			t.Errorf("it says %+v", m)
		}
	}
}

func TestWhoIsConfirmedAgainHearsOfTheNewDateAndNoMoreOfTheOld(t *testing.T) {
	c := newCourt(t)
	_, a := c.preauthorized(3000*someDay, 0)
	told := func(what string, want int) {
		t.Helper()
		c.work()
		c.work()
		if mails, _ := c.warned("pre", proofing.EndsReconfirm); mails["pre@example.org"] != want {
			t.Errorf("%s: %v, want %d each", what, mails, want)
		}
	}
	c.pass(370 * someDay)
	told("30 days before", 1)
	c.one.renew()
	must[*proofing.Appointment](t)(c.ReconfirmAppointment(t.Context(), c.one.visit(), a.ID, "file 18"))
	c.pass(25 * someDay)
	told("7 days before the old date", 1)
	c.pass(345 * someDay)
	told("30 days before the new one", 2)
	c.pass(22 * someDay)
	told("7 days before it", 3)
	if n := len(c.world.office(a).Reminded); n != 2 {
		t.Errorf("%d marks are kept", n)
	}
	c.pass(10 * someDay)
	told("after it", 3)
}

func TestNobodyIsRemindedOfWhatGivesNothingOrIsOver(t *testing.T) {
	w, one, two := administered(t)
	term := func(name string, days int) (*representative, *proofing.Appointment) {
		d := draft(proofing.RoleSpecialist, "alpha", "")
		d.Until = w.clock().Add(time.Duration(days) * someDay)
		return w.holds(name, one, two, d)
	}
	told := func(name string, want int) {
		t.Helper()
		w.work()
		w.work()
		if mails, _ := w.warned(name, proofing.EndsTerm); !maps.Equal(mails, each(want, "one", "two", name)) {
			t.Errorf("of %s were told %v, want %d each", name, mails, want)
		}
	}
	resigns, gone := term("gone", 100)
	must[*proofing.Appointment](t)(w.EndAppointment(t.Context(), resigns.visit(), gone.ID, ""))
	_, halted := term("halted", 100)
	one.renew()
	must[*proofing.Appointment](t)(w.SuspendAppointment(t.Context(), one.visit(), halted.ID, "a doubt"))
	w.pass(80 * someDay)
	told("gone", 0)
	told("halted", 0)
	one.renew()
	must[*proofing.Appointment](t)(w.ResumeAppointment(t.Context(), one.visit(), halted.ID, "no doubt"))
	two.renew()
	must[*proofing.Appointment](t)(w.ConfirmAsked(t.Context(), two.visit(), halted.ID, proofing.AskedResume, w.office(halted).Journal.Written))
	told("halted", 1)
	w.pass(21 * someDay)
	told("halted", 1) // nothing has run for the second
	// What is short, what was missed, and what has ended while nothing ran.
	term("short", 40)
	term("shorter", 10)
	term("both", 70)
	term("missed", 55)
	w.pass(9 * someDay)
	told("shorter", 0)
	w.pass(2 * someDay)
	told("short", 0)
	w.pass(25 * someDay)
	told("short", 1)
	w.pass(30 * someDay) // its date is over, and of the other both were due
	told("missed", 0)
	told("both", 1)
}

func TestOfEachDateIsToldOnceByTwoProcessesAtOnce(t *testing.T) {
	w, one, two := administered(t)
	d := draft(proofing.RoleSpecialist, "alpha", "")
	d.Until = w.clock().Add(100 * someDay)
	w.holds("three", one, two, d)
	w.work()
	services := []*proofing.Service{w.Service, w.beside(0), w.beside(0)}
	for _, days := range []time.Duration{71, 23} {
		w.pass(days * someDay)
		var all sync.WaitGroup
		for _, s := range services {
			all.Go(func() {
				for range 4 {
					workOnce(t, s)
				}
			})
		}
		all.Wait()
		w.pass(10 * time.Minute)
		w.work()
	}
	if mails, _ := w.warned("three", proofing.EndsTerm); !maps.Equal(mails, each(2, "one", "two", "three")) {
		t.Errorf("told were %v", mails)
	}
}

// diesWriting has the process die at the n-th write of a record of a kind, or right after it: what only reads leaves nothing behind.
type diesWriting struct {
	store.KV
	prefix string
	after  bool
	n      int64
	writes atomic.Int64
	dead   atomic.Bool
}

func (d *diesWriting) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	ours := slices.ContainsFunc(ops, func(o store.Op) bool { return strings.HasPrefix(o.Name, d.prefix) })
	switch {
	case d.dead.Load():
	case !ours || d.writes.Add(1) < d.n:
		return d.KV.Apply(ctx, bucket, ops)
	default:
		d.dead.Store(true)
		if d.after {
			_ = d.KV.Apply(ctx, bucket, ops)
		}
	}
	return errors.New("planned death")
}

// Whatever write the process dies at, before it or after it, everybody is told, and once.
func TestTheProcessMayDieWhileItRemindsOfARole(t *testing.T) {
	for _, after := range []bool{false, true} {
		w, one, two := administered(t)
		for n := int64(1); ; n++ {
			name := fmt.Sprint("three-", n)
			d := draft(proofing.RoleSpecialist, "alpha", "")
			d.Until = w.clock().Add(61 * someDay)
			_, a := w.holds(name, one, two, d)
			w.work()
			w.pass(32 * someDay)
			dies := &diesWriting{KV: w.kv, prefix: "r/appointment/", after: after, n: n}
			s := w.process(dies)
			s.Methods, s.Policy = w.Methods, w.Policy
			_, _ = s.WorkOnce(t.Context())
			w.pass(10 * time.Minute) // as long as a claim holds
			w.work()
			if mails, _ := w.warned(name, proofing.EndsTerm); !maps.Equal(mails, each(1, "one", "two", name)) {
				t.Errorf("write %d, after %v: told were %v", n, after, mails)
			}
			must[*proofing.Appointment](t)(w.Appointments.Update(t.Context(), a.ID, func(a *proofing.Appointment) error {
				a.Status = proofing.AppointmentEnded
				return nil
			}))
			if dies.writes.Load() < n {
				if n < 5 {
					t.Errorf("it was made to die %d times alone", n-1)
				}
				break
			}
		}
	}
}
