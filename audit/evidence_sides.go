package audit

import (
	"fmt"

	"github.com/countersign-id/countersign/proofing"
)

// sides says whether nobody has judged what they ask for, and nobody has approved what they ask for, or had a part in judging (CSBR 3.2.2.2.8, 3.2.9, 5.2.4). Who
// asks is whose passkeys the request was proved with.
func (r *reading) sides(id string, o *readObject) error {
	asks, judged := r.requesters(o), map[string]int64{}
	for _, l := range o.leaves {
		if l.Kind == proofing.CaseDiscrepancy || l.Kind == proofing.CaseResolved {
			if asks[l.By.ID] {
				return fmt.Errorf("case %s: %s asks for it, and has judged a discrepancy, as entry %d says", id, l.By.ID, l.Number)
			}
			judged[l.By.ID] = l.Number
		}
	}
	for _, l := range o.leaves {
		if l.Kind != proofing.CaseDecided || textOf(l.Facts, "decision") != proofing.DecideApprove {
			continue
		}
		step, dossier := proofing.Step(textOf(l.Facts, "step")), r.object(proofing.SubjectOrganization, textOf(l.Facts, "organization"))
		if step != proofing.StepApprove {
			if asks[l.By.ID] {
				return fmt.Errorf("case %s: %s asks for it, and has judged it, as entry %d says", id, l.By.ID, l.Number)
			}
			continue
		}
		if entry := judged[l.By.ID]; entry > 0 {
			return fmt.Errorf("case %s: %s has approved it, and judged a discrepancy, as entry %d says", id, l.By.ID, entry)
		}
		if dossier == nil {
			continue // which is a fault of its own
		}
		current := dossier.currentAt(l)
		if entry := dossier.recordedBy(l, current); entry > 0 {
			return fmt.Errorf("case %s: %s has approved it, and collected, as entry %d of the dossier says", id, l.By.ID, entry)
		}
		combined, said := current[string(proofing.ItemRolesCombined)+" "]
		if asks[l.By.ID] && (!said || textOf(dossier.leaves[combined].Facts, "outcome") != string(proofing.OutcomeGood)) {
			return fmt.Errorf("case %s: %s has approved what they ask for, and the organization has not combined the roles", id, l.By.ID)
		}
	}
	return nil
}

// requesters are whose passkeys a case was proved with: the entry of what was proved elsewhere names them, too.
func (r *reading) requesters(o *readObject) map[string]bool {
	persons := map[string]bool{}
	for _, i := range o.proved() {
		facts := o.leaves[i].Facts
		if a := r.object(proofing.SubjectAuthenticator, textOf(facts, "authenticator")); a != nil {
			whose := ""
			for _, l := range a.leaves {
				if l.Kind == proofing.EntryEnrolled && !l.At.After(o.leaves[i].At.Add(proofing.ClockSkew)) {
					whose = textOf(l.Facts, "person")
				}
			}
			if whose != "" {
				persons[whose] = true
			}
		}
	}
	return persons
}
