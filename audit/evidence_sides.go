package audit

import (
	"fmt"

	"github.com/countersign-id/countersign/proofing"
)

// sides says whether nobody has judged what they ask for, and nobody has approved what they ask for, or had a part in judging (CSBR 3.2.2.2.8, 3.2.9, 5.2.4). Who
// asks is whose passkeys the request was proved with.
func (r *reading) sides(id string, o *readObject) error {
	asks, judged := map[string]bool{}, map[string]int64{}
	if o.first(proofing.CaseDecided) >= 0 {
		var err error
		if asks, err = r.requesters(o); err != nil {
			return fmt.Errorf("case %s: %w", id, err)
		}
	}
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

// requesters are whose passkeys a case was proved with, the entry of what was proved elsewhere names them, too; and who did it by the last entry of it that says so. An error
// says that a passkey is not there, or that nobody has enrolled it, so that who asks could be anybody.
func (r *reading) requesters(o *readObject) (map[string]bool, error) {
	persons, by := map[string]bool{}, ""
	for _, i := range o.proved() {
		l := o.leaves[i]
		if kind := textOf(l.Facts, "kind"); l.By.Kind == "person" && kind != string(proofing.ProofingRecord) { // which is its representative's
			by = l.By.ID
		}
		id := textOf(l.Facts, "authenticator")
		if id == "" && textOf(l.Facts, "kind") != string(proofing.WebAuthnUse) {
			continue
		}
		whose := ""
		if a := r.object(proofing.SubjectAuthenticator, id); a != nil {
			whose = a.whose(l)
		}
		if whose == "" {
			return nil, fmt.Errorf("entry %d: whose passkey %q it was proved with is not there", l.Number, id)
		}
		persons[whose] = true
	}
	if by != "" {
		persons[by] = true
	}
	return persons, nil
}

// whose is the person for whom a passkey was enrolled when something was proved with it: before, within the skew of clocks, or by that itself, of which the log may hear late.
func (o *readObject) whose(proved proofing.Leaf) (person string) {
	for _, l := range o.leaves {
		if l.Kind == proofing.EntryEnrolled && (!l.At.After(proved.At.Add(proofing.ClockSkew)) || textOf(l.Facts, "event") == textOf(proved.Facts, "event")) {
			person = textOf(l.Facts, "person")
		}
	}
	return person
}
