package proofing_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// in has every entry of a journal that is not in the log yet put into other words.
func in(j *proofing.Journal, from, to string) {
	for i := range j.Pending {
		j.Pending[i].Leaf = strings.ReplaceAll(j.Pending[i].Leaf, from, to)
	}
}

// struck has every entry of a journal that is not in the log yet say nothing of a fact.
func struck(j *proofing.Journal, fact string) {
	for i := range j.Pending {
		l := &j.Pending[i].Leaf
		*l = regexp.MustCompile(`,"`+fact+`":("[^"]*"|\[[^]]*\])|"`+fact+`":("[^"]*"|\[[^]]*\]),`).ReplaceAllString(*l, "")
	}
}

// offices edits the appointment of somebody in the store.
func (c *court) offices(r *representative, do func(a *proofing.Appointment)) {
	c.t.Helper()
	if err := edit(c.Appointments, c.office[r].ID, do); err != nil {
		c.t.Fatal(err)
	}
}

// dossiers edits the organization's dossier in the store.
func (c *court) dossiers(do func(o *proofing.Organization)) {
	c.t.Helper()
	c.forges = true
	if err := edit(c.Dossiers, c.org.ID, do); err != nil {
		c.t.Fatal(err)
	}
}

// Nobody has a role by the word of less than two others: not whoever has the log's key, and the store.
func TestEvidenceOfDecisionsByWhomNobodyAppointedDoesNotHold(t *testing.T) {
	t.Parallel()
	entered := func(from, to func(c *court) string) func(c *court) *proofing.Case {
		return func(c *court) *proofing.Case {
			c.offices(c.approver, func(a *proofing.Appointment) { in(&a.Journal, from(c), to(c)) })
			return c.granted()
		}
	}
	two := func(c *court) string { return `"id":"` + c.two.person() }
	for name, x := range map[string]struct {
		story func(c *court) *proofing.Case
		want  string
	}{
		"who has proposed it has confirmed it": {entered(two, func(c *court) string { return `"id":"` + c.one.person() }), "entry 3: it takes two"},
		"who holds it has confirmed it":        {entered(two, func(c *court) string { return `"id":"` + c.approver.person() }), "holds it, and has a part in giving it"},
		"somebody without a say has confirmed it": {entered(func(c *court) string { return c.two.person() }, func(c *court) string { return c.specialist.person() }),
			"gave " /* nobody of that name a role */},
		"somebody else has taken it up": {entered(func(c *court) string { return `"id":"` + c.approver.person() }, func(c *court) string { return `"id":"` + c.second.person() }), "it was not taken up"},
		"it says how it began as no approver's does": {entered(func(*court) string { return `"facts":{` }, func(*court) string { return `"facts":{"beginning":"bootstrap",` }),
			"only administrators are named on the server"},
		"nobody has proposed it": {func(c *court) *proofing.Case {
			c.offices(c.approver, func(a *proofing.Appointment) {
				a.Journal = proofing.Journal{}
				a.Journal.Write(proofing.Note{
					Of: proofing.SubjectAppointment, Object: a.ID, Kind: proofing.AppointmentIsConfirmed, By: proofing.ByService, At: a.Confirmed.At,
					Facts: map[string]any{"status": "active", "role": string(a.Role), "ca": a.CA, "organization": a.Organization, "person": a.Person},
				})
			})
			return c.granted()
		}, "nobody has proposed it"},
		"nobody has confirmed it": {func(c *court) *proofing.Case {
			c.offices(c.approver, func(a *proofing.Appointment) {
				in(&a.Journal, string(proofing.AppointmentIsConfirmed), "appointment_reconfirmed")
			})
			return c.granted()
		}, "nobody has confirmed it"},
		"who has asked for it has given it back": {func(c *court) *proofing.Case {
			c.logged()
			id := c.office[c.approver].ID
			c.one.renew()
			must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), id, "lost"))
			must[*proofing.Appointment](t)(c.ResumeAppointment(t.Context(), c.one.visit(), id, "found"))
			c.two.renew()
			must[*proofing.Appointment](t)(c.ResumeAppointment(t.Context(), c.two.visit(), id, "found"))
			c.offices(c.approver, func(a *proofing.Appointment) { in(&a.Journal, c.two.person(), c.one.person()) })
			c.pass(2 * time.Minute)
			return c.granted()
		}, "entry 6: it takes two"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, x.want, x.story) })
	}
}

// Who was named on the server appoints others as those do who came first: invited, and confirmed by two; or after a day.
func TestEvidenceOfWhomAdministratorsOfEachKindAppointedHolds(t *testing.T) {
	c := newCourt(t)
	tree := c.stated()
	third, fourth := c.member("third"), c.member("fourth")
	invited := must[*proofing.Appointment](t)(c.InviteAdministrator(t.Context(), "Third"))
	must[*proofing.Appointment](t)(third.accepts(invited))
	must[*proofing.Appointment](t)(c.one.confirms(invited))
	must[*proofing.Appointment](t)(c.two.confirms(invited))
	recovered := must[*proofing.Appointment](t)(c.RecoverAdministration(t.Context(), "Fourth"))
	must[*proofing.Appointment](t)(fourth.accepts(recovered))
	c.pass(25 * time.Hour)
	c.work()
	d := draft(proofing.RoleApprover, "alpha", c.org.ID)
	d.Source = proofing.RoleSource{Kind: proofing.SourceSignerWarranty, Reference: "file 18", Signer: c.office[c.signer].ID}
	d.Agreement = &proofing.Agreement{Reference: "contract 1", Version: "1", Signer: c.office[c.signer].ID, Until: c.clock().AddDate(3, 0, 0)}
	next, office := c.holds("next", third, fourth, d)
	c.office[next] = office
	c.item(proofing.ItemDraft{Kind: proofing.ItemApprover, Subject: office.ID, Value: "may approve", SourceKind: proofing.SourceLetter})
	c.item(proofing.ItemDraft{Kind: proofing.ItemDenied, Subject: office.ID, Value: "not listed", SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-20"})
	c.approver = next
	k := c.granted()
	if _, err := c.fileOf(tree, k); err != nil {
		t.Error(err)
	}
}

// An approver whose role a Contract Signer warrants is another person than that signer (CSBR 3.2.2.2.7(1)), and one who was named on the server has waited.
func TestEvidenceOfARoleByOnesOwnWordDoesNotHold(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		story func(c *court) *proofing.Case
		want  string
	}{
		"their own warranty": {func(c *court) *proofing.Case {
			c.offices(c.approver, func(a *proofing.Appointment) {
				for i := range a.Journal.Pending {
					l := &a.Journal.Pending[i].Leaf
					*l = regexp.MustCompile(`"source":"[^"]*"`).ReplaceAllString(*l, `"source":"signer_warranty","source_signer":"`+a.ID+`"`)
				}
			})
			return c.granted()
		}, "CSBR 3.2.2.2.7(1)"},
		"a warranty by nobody": {func(c *court) *proofing.Case {
			c.offices(c.approver, func(a *proofing.Appointment) {
				for i := range a.Journal.Pending {
					l := &a.Journal.Pending[i].Leaf
					*l = regexp.MustCompile(`"source":"[^"]*"`).ReplaceAllString(*l, `"source":"signer_warranty"`)
				}
			})
			return c.granted()
		}, "is not there"},
		"an administrator who has not waited": {func(c *court) *proofing.Case {
			third := c.member("third")
			a := must[*proofing.Appointment](t)(c.RecoverAdministration(t.Context(), "Third"))
			must[*proofing.Appointment](t)(third.accepts(a))
			if err := edit(c.Appointments, a.ID, func(a *proofing.Appointment) { a.Accepted.At = a.Accepted.At.Add(-25 * time.Hour) }); err != nil {
				t.Fatal(err)
			}
			c.pass(time.Second)
			c.work()
			d := draft(proofing.RoleApprover, "alpha", c.org.ID)
			d.Agreement = &proofing.Agreement{Reference: "contract 1", Version: "1", Signer: c.office[c.signer].ID, Until: c.clock().AddDate(3, 0, 0)}
			next, office := c.holds("next", third, c.one, d)
			c.office[next] = office
			c.item(proofing.ItemDraft{Kind: proofing.ItemApprover, Subject: office.ID, Value: "may approve", SourceKind: proofing.SourceLetter})
			c.item(proofing.ItemDraft{Kind: proofing.ItemDenied, Subject: office.ID, Value: "not listed", SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-20"})
			c.approver = next
			return c.granted()
		}, "counted before 24h0m0s were over"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, x.want, x.story) })
	}
}
