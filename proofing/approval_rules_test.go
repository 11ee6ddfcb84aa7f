package proofing

import (
	"testing"
	"time"
)

// ruled is a request that somebody is about to decide about, by the rules alone.
type ruled struct {
	c      *Case
	o      *Organization
	by     decider
	step   Step
	refuse bool
	lacks  []Lack
	people []*Appointment // of the organization
	now    time.Time
}

func (r *ruled) ask() string {
	return mayDecide(r.c, &grounds{organization: r.o, people: r.people}, r.by, r.step, r.refuse, r.lacks, r.now)
}

// holds gives who would decide an office of the organization, too.
func (r *ruled) holds(role Role, status AppointmentStatus) *Appointment {
	a := *office(r.by.person, role).appointment
	a.ID, a.Status = "app-too", status
	r.people = append(r.people, &a)
	return &a
}

func office(person string, role Role) decider {
	a := &Appointment{ID: "app-" + person, Person: person, Role: role, Status: AppointmentActive, CA: "ca"}
	if role.Side() == SideApplicant {
		a.Organization = "org"
	}
	return decider{person: person, appointment: a}
}

func underRules(stage Stage, by decider) *ruled {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	said := func(step Step, person string) Decision {
		return Decision{Step: step, Person: person, Appointment: "app-" + person, At: now, Expires: now.Add(time.Hour)}
	}
	c := &Case{CA: "ca", Person: "asker", Status: CaseReview, Approval: &Approval{Stage: stage, Since: now, Organization: "org", Rule: ApprovalRule{Needed: 1}}}
	switch stage {
	case StageVetting:
		c.Approval.Decisions = []Decision{said(StepApprove, "approver")}
	case StageCorrelation:
		c.Approval.Decisions = []Decision{said(StepApprove, "approver"), said(StepVet, "specialist")}
	}
	o := &Organization{ID: "org", CA: "ca", Items: []Item{{ID: "1", Kind: ItemLegalName, CollectedBy: "collector", Outcome: OutcomeGood, CollectedAt: now}}}
	return &ruled{c: c, o: o, by: by, step: stage.Step(), now: now}
}

func TestWhoMayDecide(t *testing.T) {
	approver := func() *ruled { return underRules(StageSubmitted, office("approver", RoleApprover)) }
	specialist := func() *ruled { return underRules(StageVetting, office("specialist", RoleSpecialist)) }
	reviewer := func() *ruled { return underRules(StageCorrelation, office("reviewer", RoleReviewer)) }
	combined := func(r *ruled) {
		r.o.Items = append(r.o.Items, Item{ID: "2", Kind: ItemRolesCombined, CollectedBy: "collector", CollectedAt: r.now, Outcome: OutcomeGood})
	}
	enterprise := func(r *ruled) {
		r.o.Items = append(r.o.Items, Item{ID: "2", Kind: ItemEnterpriseRA, CollectedBy: "other", CollectedAt: r.now, Outcome: OutcomeGood})
	}
	for _, c := range []struct {
		name string
		from func() *ruled
		but  func(*ruled)
		want string
	}{
		{"an approver approves", approver, func(*ruled) {}, ""},
		{"a specialist says that all is there", specialist, func(*ruled) {}, ""},
		{"a reviewer grants", reviewer, func(*ruled) {}, ""},

		{"an approver approves what waits for the reviewer", reviewer, func(r *ruled) { r.by, r.step = office("other", RoleApprover), StepApprove }, denyStage},
		{"a reviewer does not wait for the specialist", specialist, func(r *ruled) { r.by, r.step = office("reviewer", RoleReviewer), StepReview }, denyStage},
		{"nothing is decided about what is granted", reviewer, func(r *ruled) { r.c.Status = CaseGranted }, denyStage},
		{"nor about what nobody has submitted", approver, func(r *ruled) { r.c.Approval = nil }, denyStage},

		{"a requester has no say", approver, func(r *ruled) { r.by = office("approver", RoleRequester) }, denyRole},
		{"an administrator has none", reviewer, func(r *ruled) { r.by = office("reviewer", RoleAdministrator) }, denyRole},
		{"an operator has none", reviewer, func(r *ruled) { r.by = office("reviewer", RoleOperator) }, denyRole},
		{"a specialist does not review", reviewer, func(r *ruled) { r.by = office("other", RoleSpecialist) }, denyRole},
		{"an approver of another organization", approver, func(r *ruled) { r.by.appointment.Organization = "other" }, denyRole},
		{"a reviewer of another authority", reviewer, func(r *ruled) { r.by.appointment.CA = "other" }, denyRole},
		{"a suspended approver", approver, func(r *ruled) { r.by.appointment.Status = AppointmentSuspended }, denyRole},
		{"somebody else's appointment", approver, func(r *ruled) { r.by.appointment.Person = "other" }, denyRole},
		{"no appointment", approver, func(r *ruled) { r.by.appointment = nil }, denyRole},

		{"nobody decides twice", approver, func(r *ruled) {
			r.c.Approval.Rule.Needed = 2
			r.c.Approval.Decisions = []Decision{{Step: StepApprove, Person: "approver", Appointment: "app-approver", Expires: r.now.Add(time.Hour)}}
		}, denyAgain},
		{"not by another appointment either", approver, func(r *ruled) {
			r.c.Approval.Rule.Needed = 2
			r.c.Approval.Decisions = []Decision{{Step: StepApprove, Person: "approver", Appointment: "another", Expires: r.now.Add(time.Hour)}}
		}, denyAgain},
		{"again when their word has run out", approver, func(r *ruled) {
			r.c.Approval.Decisions = []Decision{{Step: StepApprove, Person: "approver", Appointment: "app-approver", Expires: r.now}}
		}, ""},
		{"but not for another step", reviewer, func(r *ruled) {
			r.c.Approval.Decisions = append(r.c.Approval.Decisions, Decision{Step: StepVet, Person: "reviewer", Expires: r.now})
		}, denyAgain},
		{"but again when what they said is void", specialist, func(r *ruled) {
			r.c.Approval.Decisions = append(r.c.Approval.Decisions, Decision{Step: StepVet, Person: "specialist", Void: "discrepancy"})
		}, ""},

		{"an approver does not vet", specialist, func(r *ruled) { r.by = office("approver", RoleSpecialist) }, denyAgain},
		{"who asks does not vet", specialist, func(r *ruled) { r.by = office("asker", RoleSpecialist) }, denySide},
		{"who asks does not review", reviewer, func(r *ruled) { r.by = office("asker", RoleReviewer) }, denySide},
		{"who approved under a void word does not review", reviewer, func(r *ruled) {
			r.c.Approval.Decisions = append(r.c.Approval.Decisions, Decision{Step: StepApprove, Person: "reviewer", Void: "discrepancy"})
		}, denySide},

		{"an approver who was not needed does not review", reviewer, func(r *ruled) { r.holds(RoleApprover, AppointmentActive) }, denySide},
		{"nor vet", specialist, func(r *ruled) { r.holds(RoleApprover, AppointmentActive) }, denySide},
		{"a Contract Signer does not review", reviewer, func(r *ruled) { r.holds(RoleSigner, AppointmentActive) }, denySide},
		{"nor vet, suspended", specialist, func(r *ruled) { r.holds(RoleSigner, AppointmentSuspended) }, denySide},
		{"nor say no", reviewer, func(r *ruled) { r.holds(RoleSigner, AppointmentActive); r.refuse = true }, denySide},
		{"a requester who does not ask for this does not review", reviewer, func(r *ruled) { r.holds(RoleRequester, AppointmentActive) }, denySide},
		{"who was one once does", reviewer, func(r *ruled) { r.holds(RoleSigner, AppointmentEnded) }, ""},
		{"who is one of another organization does", reviewer, func(r *ruled) { r.holds(RoleSigner, AppointmentActive).Organization = "other" }, ""},
		{"somebody else's office keeps nobody", reviewer, func(r *ruled) { r.holds(RoleSigner, AppointmentActive).Person = "other" }, ""},
		{"at an Enterprise RA who does not approve reviews", reviewer, func(r *ruled) { r.holds(RoleSigner, AppointmentActive); enterprise(r) }, ""},
		{"but not who approves", reviewer, func(r *ruled) { r.holds(RoleApprover, AppointmentActive); enterprise(r) }, denySide},

		{"a requester does not approve", approver, func(r *ruled) { r.c.Person = "approver" }, denyRequester},
		{"unless the organization has combined the roles", approver, func(r *ruled) { r.c.Person = "approver"; combined(r) }, ""},
		{"and has not taken it back", approver, func(r *ruled) {
			r.c.Person = "approver"
			combined(r)
			r.o.Items = append(r.o.Items, Item{ID: "3", Kind: ItemRolesCombined, CollectedBy: "collector", CollectedAt: r.now, Outcome: OutcomeBad})
		}, denyRequester},

		{"who has collected for the CA does not approve", approver, func(r *ruled) { r.by = office("collector", RoleApprover) }, denySide},
		{"an Enterprise RA may have collected", reviewer, func(r *ruled) {
			r.by = office("collector", RoleReviewer)
			enterprise(r)
		}, ""},
		{"but not by their own word that there is one", reviewer, func(r *ruled) {
			r.by = office("collector", RoleReviewer)
			r.o.Items = append(r.o.Items, Item{ID: "2", Kind: ItemEnterpriseRA, CollectedBy: "collector", CollectedAt: r.now, Outcome: OutcomeGood})
		}, denyCollector},
		{"a collector does not review", reviewer, func(r *ruled) { r.by = office("collector", RoleReviewer) }, denyCollector},
		{"nor who has confirmed something", reviewer, func(r *ruled) { r.o.Items[0].ConfirmedBy = "reviewer" }, denyCollector},
		{"nor who has explained something", reviewer, func(r *ruled) {
			r.c.Approval.Discrepancies = []Discrepancy{{ID: "d", ResolvedBy: "reviewer", ResolvedAt: r.now}}
		}, denyCollector},
		{"nor who has vetted, under a void word", reviewer, func(r *ruled) {
			r.c.Approval.Decisions = append(r.c.Approval.Decisions, Decision{Step: StepVet, Person: "reviewer", Void: "discrepancy"})
		}, denyCollector},
		{"who has collected may say no", reviewer, func(r *ruled) { r.by = office("collector", RoleReviewer); r.refuse = true }, ""},

		{"others are named", approver, func(r *ruled) { r.c.Approval.Rule = ApprovalRule{Needed: 1, Of: []string{"app-other"}} }, denyNotNamed},
		{"others come first", approver, func(r *ruled) {
			r.c.Approval.Rule = ApprovalRule{Needed: 2, Of: []string{"app-other", "app-approver"}, InOrder: true}
		}, denyTurn},
		{"and then it is their turn", approver, func(r *ruled) {
			r.c.Approval.Rule = ApprovalRule{Needed: 2, Of: []string{"app-other", "app-approver"}, InOrder: true}
			r.c.Approval.Decisions = []Decision{{Step: StepApprove, Person: "other", Appointment: "app-other", Expires: r.now.Add(time.Hour)}}
		}, ""},
		{"which is over when the word before theirs has run out", approver, func(r *ruled) {
			r.c.Approval.Rule = ApprovalRule{Needed: 2, Of: []string{"app-other", "app-approver"}, InOrder: true}
			r.c.Approval.Decisions = []Decision{{Step: StepApprove, Person: "other", Appointment: "app-other", Expires: r.now}}
		}, denyTurn},

		{"something is not explained", specialist, func(r *ruled) { r.c.Approval.Discrepancies = []Discrepancy{{ID: "d"}} }, denyDiscrepancy},
		{"something is missing", specialist, func(r *ruled) { r.lacks = []Lack{{Code: LackMissing}} }, denyLacks},
		{"something has aged before the review", reviewer, func(r *ruled) { r.lacks = []Lack{{Code: LackAged}} }, denyLacks},
		{"what is missing keeps nobody from saying no", reviewer, func(r *ruled) { r.lacks = []Lack{{Code: LackAged}}; r.refuse = true }, ""},
		{"and no approver from saying yes", approver, func(r *ruled) { r.lacks = []Lack{{Code: LackAged}} }, ""},
		{"a refusal takes the role, too", reviewer, func(r *ruled) { r.by = office("other", RoleApprover); r.refuse = true }, denyRole},
	} {
		r := c.from()
		c.but(r)
		if got := r.ask(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
