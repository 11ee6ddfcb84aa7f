package proofing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// problem is what the authority hears of a request, with its detail.
func (c *court) problem(k *proofing.Case) (code, detail string) {
	c.t.Helper()
	c.logged()
	v, err := c.Authorize(c.t.Context(), c.ca, proofing.AuthorizeRequest{Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile})
	if err != nil {
		c.t.Fatal(err)
	}
	return v.Authorizations[0].Problem, v.Authorizations[0].Detail
}

// If the organization has listed who may request, the authority accepts requests of nobody else (CSBR 3.2.5): of approvers as of requesters, for EV or not.
func TestNobodyRequestsWhoIsNotListed(t *testing.T) {
	for name, x := range map[string]struct {
		ev       bool
		approver bool // an approver asks
		listed   bool
		want     string
	}{
		"a requester, listed":     {true, false, true, ""},
		"a requester":             {true, false, false, "requester_list not_listed (CSBR 3.2.5)"},
		"a requester, not for EV": {false, false, false, "requester_list not_listed (CSBR 3.2.5)"},
		"an approver, listed":     {true, true, true, ""},
		"an approver":             {true, true, false, "requester_list not_listed (CSBR 3.2.5)"},
		"an approver, not for EV": {false, true, false, "requester_list not_listed (CSBR 3.2.5)"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			c.Policy.Profiles["signing"].EV = x.ev
			who := c.requester
			if x.approver {
				who = c.second
			}
			k, _, err := c.Open(t.Context(), c.ca, c.asks("signing"))
			if err != nil {
				t.Fatal(err)
			}
			k = c.decided(must[*proofing.Case](t)(c.use(visit(k, "requester"), who.key)))
			if code, _ := c.problem(k); code != "" {
				t.Fatalf("without a list: %s", code)
			}
			list := proofing.ItemDraft{Kind: proofing.ItemRequesterList, SourceKind: proofing.SourceApplicant, Names: []string{c.office[c.approver].ID}}
			if x.listed {
				list.Names = append(list.Names, c.office[who].ID)
			}
			c.item(list)
			c.reviewsAgain()
			if code, detail := c.problem(k); (code == "dossier") != (x.want != "") || detail != x.want {
				t.Errorf("%s: %q, want %q", code, detail, x.want)
			}
		})
	}
}

// Later certificates pass by one approval if a contract of the organization says that they may (CSBR 3.2.2.2.7(4)).
func TestApprovingInAdvanceTakesAnAgreement(t *testing.T) {
	for name, x := range map[string]struct {
		approve proofing.ApproveMode
		agreed  bool
		other   bool // not for EV
		over    bool // the agreement has run out
		want    string
	}{
		"in advance, by an agreement":   {proofing.ApprovePre, true, false, false, ""},
		"in advance, without one":       {proofing.ApprovePre, false, false, false, "no_agreement (CSBR 3.2.2.2.7(4))"},
		"each certificate, without one": {proofing.ApproveEach, false, false, false, ""},

		"in advance, by one that has run out":              {proofing.ApprovePre, true, false, true, "agreement since 2026-11-20 (CSBR 3.2.2.2.7(4))"},
		"in advance, by an agreement, not for EV":          {proofing.ApprovePre, true, true, false, ""},
		"in advance, by one that has run out, not for EV":  {proofing.ApprovePre, true, true, true, "agreement since 2026-11-20 (CSBR 3.2.2.2.7(4))"},
		"each certificate, by one that has run out, no EV": {proofing.ApproveEach, true, true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			c.demands(1, x.approve)
			c.Policy.Profiles["signing"].EV = !x.other
			k := c.granted()
			if x.over {
				if err := edit(c.Appointments, c.office[c.approver].ID, func(a *proofing.Appointment) { a.Agreement.Until = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC) }); err != nil {
					t.Fatal(err)
				}
			}
			if !x.agreed {
				if err := edit(c.Appointments, c.office[c.approver].ID, func(a *proofing.Appointment) { a.Agreement = nil }); err != nil {
					t.Fatal(err)
				}
			}
			if code, detail := c.problem(k); (code == "dossier") != (x.want != "") || detail != x.want {
				t.Errorf("%s: %q, want %q", code, detail, x.want)
			}
			// And no request is granted on it.
			r := c.asks("signing")
			r.Applicant.URL, r.Applicant.Thumbprint = r.Applicant.URL+"9", accountKey(9)
			next, _, err := c.Open(t.Context(), c.ca, r)
			if err != nil {
				t.Fatal(err)
			}
			next = must[*proofing.Case](t)(c.use(visit(next, "requester"), c.requester.key))
			must[*proofing.Case](t)(c.decides(c.approver, next, proofing.StepApprove, false))
			_, err = c.decides(c.specialist, next, proofing.StepVet, false)
			if x.want == "" && err != nil {
				t.Error(err)
			} else if x.want != "" {
				wantInput(t, "vetting it", err, "decide_lacks")
			}
		})
	}
}

// approvedByAsker is a request that has come to its review by the approval of whoever asks, whose organization has combined the two roles until then.
func (c *court) approvedByAsker(until time.Time) *proofing.Case {
	c.t.Helper()
	c.item(proofing.ItemDraft{Kind: proofing.ItemRolesCombined, Value: "combined", SourceKind: proofing.SourceApplicant, Until: until})
	k, _, err := c.Open(c.t.Context(), c.ca, c.asks("signing"))
	if err != nil {
		c.t.Fatal(err)
	}
	k = must[*proofing.Case](c.t)(c.use(visit(k, "requester"), c.approver.key))
	must[*proofing.Case](c.t)(c.decides(c.approver, k, proofing.StepApprove, false))
	return must[*proofing.Case](c.t)(c.decides(c.specialist, k, proofing.StepVet, false))
}

// Whoever asks has approved because the organization has combined the two roles (CSBR 3.2.2.2): where it says so no more their approval carries nothing, neither
// before the grant nor afterwards, for EV or not.
func TestTheApprovalOfWhoeverAsksCarriesAsLongAsTheRolesAreCombined(t *testing.T) {
	takenBack := func(c *court) {
		c.item(proofing.ItemDraft{Kind: proofing.ItemRolesCombined, Value: "taken back", SourceKind: proofing.SourceApplicant, Outcome: proofing.OutcomeBad})
	}
	for name, x := range map[string]struct {
		ev    bool
		lasts time.Duration // how long the roles are combined; zero: for good
		end   func(c *court)
		want  string
	}{
		"taken back":             {true, 0, takenBack, "roles_combined bad (CSBR 3.2.2.2)"},
		"taken back, not for EV": {false, 0, takenBack, "roles_combined bad (CSBR 3.2.2.2)"},
		"its term is over":       {true, time.Hour, func(c *court) { c.pass(2 * time.Hour) }, "roles_combined aged since "},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			c.Policy.Profiles["signing"].EV = x.ev
			var until time.Time
			if x.lasts > 0 {
				until = c.clock().Add(x.lasts)
			}
			k := c.approvedByAsker(until)
			must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			if code, detail := c.problem(k); code != "" {
				t.Fatalf("while they are combined: %s %s", code, detail)
			}
			x.end(c)
			c.reviewsAgain()
			if code, detail := c.problem(k); code != "dossier" || !strings.HasPrefix(detail, x.want) {
				t.Errorf("%s: %q, want %q", code, detail, x.want)
			}

			c = newCourt(t)
			c.Policy.Profiles["signing"].EV = x.ev
			if x.lasts > 0 {
				until = c.clock().Add(x.lasts)
			}
			k = c.approvedByAsker(until)
			x.end(c)
			_, err := c.decides(c.reviewer, k, proofing.StepReview, false)
			wantInput(t, "reviewing it", err, "decide_lacks")
			c.reviewer.renew()
			page := must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), c.reviewer.visit(), k.ID))
			if len(page.Lacks) != 1 || page.Lacks[0].Kind != proofing.ItemRolesCombined {
				t.Errorf("the page says that it lacks %+v", page.Lacks)
			}
		})
	}
}
