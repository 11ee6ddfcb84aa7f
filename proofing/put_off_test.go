package proofing_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// mute takes away every address of some people, and returns how they get them back.
func (w *world) mute(persons ...string) (restore func()) {
	w.t.Helper()
	had := map[string][]proofing.Binding{}
	change := func(id string, do func(*proofing.Person)) {
		w.t.Helper()
		if err := edit(w.People, id, do); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, id := range persons {
		change(id, func(p *proofing.Person) {
			had[id] = slices.Clone(p.Bindings)
			for i, b := range p.Bindings {
				if b.Contact.Channel == proofing.ChannelEmail || b.Contact.Channel == proofing.ChannelPhone {
					p.Bindings[i].Gone = w.clock()
				}
			}
		})
	}
	return func() {
		w.t.Helper()
		for id, bindings := range had {
			change(id, func(p *proofing.Person) { p.Bindings = bindings })
		}
	}
}

// logs has what the program's own log says, from now on.
func (w *world) logs() *bytes.Buffer {
	var text bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&text, nil))
	return &text
}

// dueIn says when the worker looks at a record next; zero: never.
func dueIn(r proofing.Record, now time.Time) time.Duration {
	for _, ix := range r.Indexes() {
		if ix.Name == "due" {
			ms := int64(0)
			for _, d := range ix.Value {
				ms = ms*10 + int64(d-'0')
			}
			return time.UnixMilli(ms).Sub(now)
		}
	}
	return 0
}

func TestAReminderOfADossierWaitsForSomebodyToHearIt(t *testing.T) {
	c := newCourt(t)
	text, speak := c.logs(), c.mute(c.specialist.person())
	unheard := func() (kinds []proofing.ItemKind) {
		for _, a := range must[*proofing.Organization](t)(c.Dossiers.Get(t.Context(), c.org.ID)).Ages() {
			if a.Unheard && !slices.Contains(kinds, a.Item.Kind) {
				kinds = append(kinds, a.Item.Kind)
			}
		}
		slices.Sort(kinds)
		return kinds
	}
	start := c.clock()
	if got := c.agedOn(start, 22); got != nil || unheard() != nil {
		t.Errorf("before it is due: %q, %q", got, unheard())
	}
	if got := c.agedOn(start, 24, 25); got != nil {
		t.Errorf("told nobody of %q", got)
	}
	if got := unheard(); !slices.Equal(got, []proofing.ItemKind{proofing.ItemDenied, proofing.ItemSuspect}) {
		t.Errorf("nobody was told of %q", got)
	}
	if n := strings.Count(text.String(), "nobody can be reminded of what ages"); n != 2 {
		t.Errorf("said %d times, want once each day: %s", n, text)
	}
	speak()
	if got := c.agedOn(start, 26, 27); !slices.Equal(got, []string{`26 "" until 30`}) || unheard() != nil {
		t.Errorf("once somebody can hear it: %q, and nobody was told of %q", got, unheard())
	}
}

func TestAReminderOfARoleWaitsForSomebodyToHearIt(t *testing.T) {
	c := newCourt(t)
	pre, a := c.preauthorized(3000*someDay, 0)
	c.pass(360 * someDay)
	c.work()
	text, speak := c.logs(), c.mute(pre.person(), c.one.person(), c.two.person())
	unheard := func() bool {
		return slices.ContainsFunc(c.world.office(a).Ends(), func(e proofing.RoleEnd) bool { return e.Unheard && e.What == proofing.EndsReconfirm })
	}
	c.pass(10 * someDay)
	c.work()
	if got, _ := c.warned("pre", proofing.EndsReconfirm); len(got) != 0 || !unheard() || !strings.Contains(text.String(), "nobody can be reminded of what ends of a role") {
		t.Errorf("told %v; shown: %v; log: %s", got, unheard(), text)
	}
	speak()
	c.pass(someDay)
	c.work()
	if got, _ := c.warned("pre", proofing.EndsReconfirm); got["pre@example.org"] != 1 || got["one@example.org"] != 1 || unheard() {
		t.Errorf("once they can hear it: %v; shown: %v", got, unheard())
	}
	// What nobody could hear before its date is let go then.
	c.mute(pre.person(), c.one.person(), c.two.person())
	c.pass(22 * someDay)
	c.work()
	if !unheard() {
		t.Error("of the last reminder it is not shown that nobody could be told")
	}
	c.pass(7 * someDay)
	c.work()
	if have := c.world.office(a); unheard() || dueIn(have, c.clock()) < 100*someDay {
		t.Errorf("after its date: shown %v, and looked at again in %v", unheard(), dueIn(have, c.clock()))
	}
}

func TestAReminderOfACertificateWaitsForSomebodyToHearIt(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	cert := must[*proofing.Certificate](t)(c.CertificateIssued(t.Context(), c.ca, proofing.CertificateReport{DER: issued(t, orgName, 7, c.clock(), 90*someDay), Cases: []string{k.ID}}))
	c.work()
	everybody := []string{c.requester.person(), c.approver.person(), c.second.person(), c.signer.person()}
	text, speak := c.logs(), c.mute(everybody...)
	now := func() *proofing.Certificate {
		return must[*proofing.Certificate](t)(c.Certificates.Get(t.Context(), cert.ID))
	}
	c.pass(61 * someDay)
	c.work()
	if n := len(c.post.all("certificate_ends")); n != 0 || !now().Unheard() || !strings.Contains(text.String(), "nobody can be reminded of the end of a certificate") {
		t.Errorf("%d were told; shown: %v; log: %s", n, now().Unheard(), text)
	}
	speak()
	c.pass(someDay)
	c.work()
	if n := len(c.post.all("certificate_ends")); n != 3 || now().Unheard() {
		t.Errorf("once they can hear it %d were told; shown: %v", n, now().Unheard())
	}
	c.mute(everybody...)
	c.pass(22 * someDay)
	c.work()
	if !now().Unheard() {
		t.Error("of the last reminder it is not shown that nobody could be told")
	}
	c.pass(7 * someDay)
	c.work()
	if now().Unheard() || dueIn(now(), c.clock()) != 0 {
		t.Errorf("after its end: shown %v, and looked at again in %v", now().Unheard(), dueIn(now(), c.clock()))
	}
}
