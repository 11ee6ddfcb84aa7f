package audit

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// ruled says whether those of the organization have approved a request whom its own rule asks for, in its order: that which was in force when the request was submitted, within
// the skew of clocks.
func (r *reading) ruled(id string, o *readObject, all []ProvenApproval) error {
	granted := o.granted()
	if granted < 0 || len(all) == 0 {
		return nil
	}
	submitted := slices.IndexFunc(o.leaves, func(l proofing.Leaf) bool {
		return l.Kind == proofing.CaseStaged && textOf(l.Facts, "stage") == string(proofing.StageSubmitted)
	})
	dossier := r.object(proofing.SubjectOrganization, textOf(all[0].Decided.Facts, "organization"))
	if submitted < 0 || dossier == nil {
		return fmt.Errorf("case %s was granted, and no entry says when it was handed to those who decide", id)
	}
	rules, err := r.rulesAt(dossier, o.leaves[submitted].At)
	if err != nil {
		return fmt.Errorf("case %s: %w", id, err)
	}
	var approved []string
	for _, a := range all { // in the order of their entries
		d := &a.Checked.Document
		if a.Entry < o.leaves[granted].Number && d.Step == string(proofing.StepApprove) && d.Decision == proofing.DecideApprove {
			approved = append(approved, d.By.Appointment)
		}
	}
	if !slices.ContainsFunc(rules, func(rule proofing.ApprovalRule) bool { return rule.Met(approved) && inOrder(rule, approved) }) {
		return fmt.Errorf("case %s was granted with the approval of %q, and the organization's rule asks for %+v", id, approved, rules[len(rules)-1])
	}
	return nil
}

// inOrder says whether each has approved after those before them, where a rule has an order.
func inOrder(rule proofing.ApprovalRule, approved []string) bool {
	for i, id := range approved {
		for _, before := range rule.Of[:max(slices.Index(rule.Of, id), 0)] {
			if rule.InOrder && !slices.Contains(approved[:i], before) {
				return false
			}
		}
	}
	return true
}

// rulesAt are the rules of an organization that may have been in force at a time. Each but the first, which asks for one approver, was set by two.
func (r *reading) rulesAt(dossier *readObject, at time.Time) (rules []proofing.ApprovalRule, err error) {
	rules = []proofing.ApprovalRule{{Needed: 1}}
	var proposed *proofing.Leaf
	for i := range dossier.leaves {
		l := &dossier.leaves[i]
		if l.Kind == proofing.OrganizationRuleProposed {
			proposed = l
		}
		if l.Kind != proofing.OrganizationRuleSet || l.At.After(at.Add(proofing.ClockSkew)) {
			continue
		}
		rule, was := ruleOf(l), proofing.ApprovalRule{}
		if proposed != nil {
			was = ruleOf(proposed)
		}
		if proposed == nil || was.Needed != rule.Needed || was.InOrder != rule.InOrder || !slices.Equal(was.Of, rule.Of) || proposed.By.ID == l.By.ID {
			return nil, fmt.Errorf("entry %d of the dossier sets a rule that no second person has proposed", l.Number)
		}
		if err := errors.Join(r.governsRule(proposed, rule), r.governsRule(l, rule)); err != nil {
			return nil, err
		}
		if l.At.Before(at.Add(-proofing.ClockSkew)) {
			rules = nil
		}
		rules, proposed = append(rules, rule), nil
	}
	return rules, nil
}

func ruleOf(l *proofing.Leaf) proofing.ApprovalRule {
	needed, _ := l.Facts["needed"].(float64)
	order, _ := l.Facts["in_order"].(bool)
	return proofing.ApprovalRule{Needed: int(needed), InOrder: order, Of: listOf(l.Facts, "of")}
}

// governsRule says whether who has proposed or set a rule had a say in it, and is none of those whom it names.
func (r *reading) governsRule(l *proofing.Leaf, rule proofing.ApprovalRule) error {
	for _, id := range rule.Of {
		if o := r.object(proofing.SubjectAppointment, id); o != nil && slices.ContainsFunc(o.leaves, func(of proofing.Leaf) bool { return textOf(of.Facts, "person") == l.By.ID }) {
			return fmt.Errorf("entry %d of the dossier: %s has a part in a rule that names them", l.Number, l.By.ID)
		}
	}
	mine, err := r.held(proofing.DocumentBy{Person: l.By.ID, Role: l.By.Role, Appointment: l.By.Appointment}, l.At)
	if err != nil {
		return fmt.Errorf("entry %d of the dossier: %w", l.Number, err)
	}
	if l.By.Role != proofing.RoleAdministrator && (l.By.Role != proofing.RoleOperator || textOf(mine.Facts, "ca") != textOf(l.Facts, "ca")) {
		return fmt.Errorf("entry %d of the dossier: %s has no say in it as %s", l.Number, l.By.ID, l.By.Role)
	}
	return nil
}
