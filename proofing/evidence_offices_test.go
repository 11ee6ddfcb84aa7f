package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// unseen has the store not know that an office is of the organization while something is done, which the log says of it all the same.
func (c *court) unseen(a *proofing.Appointment, do func()) {
	c.t.Helper()
	of := func(id string) {
		if err := edit(c.Appointments, a.ID, func(a *proofing.Appointment) { a.Organization = id }); err != nil {
			c.t.Fatal(err)
		}
	}
	of("elsewhere")
	do()
	of(c.org.ID)
}

// both gives somebody an office of the organization beside their own, and lets the clocks differ.
func (c *court) both(r *representative, role proofing.Role) *proofing.Appointment {
	c.t.Helper()
	d := draft(role, "alpha", c.org.ID)
	a := c.adds(r, c.one, c.two, d)
	c.pass(2 * proofing.ClockSkew)
	return a
}

// rests is a request that stands before one of the authority's steps.
func (c *court) rests(k *proofing.Case, before proofing.Step) *proofing.Case {
	c.t.Helper()
	must[*proofing.Case](c.t)(c.decides(c.approver, k, proofing.StepApprove, false))
	if before == proofing.StepReview {
		must[*proofing.Case](c.t)(c.decides(c.specialist, k, proofing.StepVet, false))
	}
	return k
}

// Who holds an office of the organization judges nothing that it asks for, by whatever office: the file finds it, although they did nothing by theirs.
func TestEvidenceOfJudgesWhoHoldAnOfficeOfTheOrganizationDoesNotHold(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(c *court) *proofing.Case{
		"a specialist": func(c *court) *proofing.Case {
			office := c.both(c.specialist, proofing.RoleRequester)
			k := c.rests(c.submitted("signing"), proofing.StepVet)
			c.unseen(office, func() { must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false)) })
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		},
		"a reviewer": func(c *court) *proofing.Case {
			office := c.both(c.reviewer, proofing.RoleApprover)
			k := c.rests(c.submitted("signing"), proofing.StepReview)
			c.unseen(office, func() { must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false)) })
			return k
		},
		"a reviewer whose office is suspended": func(c *court) *proofing.Case {
			office := c.both(c.reviewer, proofing.RoleApprover)
			c.one.renew()
			must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), office.ID, "on leave"))
			c.pass(2 * proofing.ClockSkew)
			k := c.rests(c.submitted("signing"), proofing.StepReview)
			c.unseen(office, func() { must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false)) })
			return k
		},
		"who found a discrepancy": func(c *court) *proofing.Case {
			finder, _ := c.holds("finder", c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			office := c.both(finder, proofing.RoleRequester)
			k := c.rests(c.submitted("signing"), proofing.StepVet)
			finder.renew()
			c.unseen(office, func() {
				k = must[*proofing.Case](t)(c.RaiseDiscrepancy(t.Context(), finder.visit(), k.ID, "another street"))
			})
			c.specialist.renew()
			must[*proofing.Case](t)(c.ResolveDiscrepancy(t.Context(), c.specialist.visit(), k.ID, k.Approval.Discrepancies[0].ID, "they moved"))
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		},
		"who collected": func(c *court) *proofing.Case {
			collector, _ := c.holds("collector", c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			office := c.both(collector, proofing.RoleRequester)
			d := screening(proofing.OutcomeGood)
			d.Source, d.CollectedAt = "lists", c.clock()
			collector.renew()
			c.unseen(office, func() { must[*proofing.Organization](t)(c.RecordItem(t.Context(), collector.visit(), c.org.ID, d)) })
			return c.granted()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails(t, "of the organization, and has judged or collected", story)
		})
	}
}

// What is an office of somebody who has not acted by it, and in nobody's way, leaves the file whole.
func TestEvidenceHoldsWithOfficesThatAreInNobodysWay(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(c *court) *proofing.Case{
		"an approver who is a specialist, too": func(c *court) *proofing.Case {
			c.adds(c.approver, c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			c.pass(2 * proofing.ClockSkew)
			return c.granted()
		},
		"a reviewer of another organization": func(c *court) *proofing.Case {
			c.specialist.renew()
			other, _, err := c.OpenOrganization(t.Context(), c.specialist.visit(), "alpha", "Another Corporation")
			if err != nil {
				t.Fatal(err)
			}
			c.adds(c.reviewer, c.one, c.two, draft(proofing.RoleRequester, "alpha", other.ID))
			c.pass(2 * proofing.ClockSkew)
			return c.granted()
		},
		"a reviewer who was a requester once": func(c *court) *proofing.Case {
			office := c.both(c.reviewer, proofing.RoleRequester)
			c.reviewer.renew()
			must[*proofing.Appointment](t)(c.EndAppointment(t.Context(), c.reviewer.visit(), office.ID, "no more"))
			c.pass(2 * proofing.ClockSkew)
			return c.granted()
		},
		"a reviewer who becomes a requester": func(c *court) *proofing.Case {
			k := c.granted()
			c.both(c.reviewer, proofing.RoleRequester)
			c.logged()
			return k
		},
		"a reviewer who is a requester, for an Enterprise RA": func(c *court) *proofing.Case {
			c.item(proofing.ItemDraft{Kind: proofing.ItemEnterpriseRA, Value: "makes the final check itself", SourceKind: proofing.SourceSignedByThem, Signer: c.office[c.signer].ID})
			c.both(c.reviewer, proofing.RoleRequester)
			return c.granted()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourt(t)
			tree := c.stated()
			k := c.reload(story(c))
			if k.Status != proofing.CaseGranted {
				t.Fatalf("the request is %s %s", k.Status, k.Reason)
			}
			if _, err := c.fileOf(tree, k); err != nil {
				t.Error(err)
			}
		})
	}
}

// Who asks judges nothing, and who found a discrepancy has acted for the authority, though nobody has explained it by them.
func TestEvidenceOfAskersWhoJudgeAndApproversWhoFindDoesNotHold(t *testing.T) {
	t.Parallel()
	finds := func(c *court, k *proofing.Case, who *representative) {
		c.rewrites(k, func(k *proofing.Case) {
			tells := func(kind proofing.EntryKind, by *representative) {
				k.Journal.Write(proofing.Note{
					Of: proofing.SubjectCase, Object: k.ID, Kind: kind, At: c.clock(), Facts: map[string]any{"discrepancy": "d1"},
					By: proofing.Actor{Kind: "person", ID: by.person(), Role: proofing.RoleSpecialist, Appointment: c.office[c.specialist].ID},
				})
			}
			tells(proofing.CaseDiscrepancy, who)
			tells(proofing.CaseResolved, c.specialist)
		})
	}
	for name, x := range map[string]struct {
		want  string
		story func(c *court) *proofing.Case
	}{
		"a specialist who asks": {"asks for it, and has judged it", func(c *court) *proofing.Case {
			office := c.adds(c.specialist, c.one, c.two, draft(proofing.RoleRequester, "alpha", c.org.ID))
			k, _, err := c.Open(t.Context(), c.ca, c.asks("signing"))
			if err != nil {
				t.Fatal(err)
			}
			k = must[*proofing.Case](t)(c.use(visit(k, "requester"), c.specialist.key))
			c.work()
			c.rewrites(k, func(k *proofing.Case) { k.Person = c.second.person() }) // the store says that another one asks
			c.rests(k, proofing.StepVet)
			c.unseen(office, func() { must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false)) })
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		}},
		"an approver who found a discrepancy": {"has approved it, and judged a discrepancy", func(c *court) *proofing.Case {
			k := c.submitted("signing")
			finds(c, k, c.approver)
			return c.decided(k)
		}},
		"who asks found a discrepancy": {"asks for it, and has judged a discrepancy", func(c *court) *proofing.Case {
			k := c.submitted("signing")
			finds(c, k, c.requester)
			return c.decided(k)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails(t, x.want, x.story)
		})
	}
}
