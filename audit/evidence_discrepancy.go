package audit

import (
	"fmt"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// explained says whether all discrepancies of a case were explained before the review that it was granted by, and what was found in cross-correlation or once everything was said to be complete was followed by a specialist's
// word that everything is complete (CSBR 3.2.9). What there is to collect for a CSR was collected for what it is beneath, so that nobody vets it, unless something is found in it, in whatever stage.
func explained(id string, o *readObject) error {
	granted := o.granted()
	if granted < 0 {
		return nil
	}
	decided := func(l proofing.Leaf, step proofing.Step) bool {
		return l.Kind == proofing.CaseDecided && textOf(l.Facts, "step") == string(step) && textOf(l.Facts, "decision") == proofing.DecideApprove
	}
	staged := func(l proofing.Leaf, stage proofing.Stage) bool {
		return l.Kind == proofing.CaseStaged && textOf(l.Facts, "stage") == string(stage)
	}
	end := granted
	for i, l := range o.leaves[:granted] {
		if decided(l, proofing.StepReview) {
			end = i
		}
	}
	complete := textOf(o.opened(), "parent") != "" // a specialist's word stood, or there was nothing to say it of
	correlation, vetted := complete, complete      // vetted: that word a request keeps which goes back to its approvers
	for i, l := range o.leaves[:granted] {
		switch {
		case decided(l, proofing.StepVet): // the entry of the stage follows
			correlation, vetted = true, true
		case l.Kind == proofing.CaseStaged:
			correlation = vetted || staged(l, proofing.StageCorrelation)
		}
		if l.Kind != proofing.CaseDiscrepancy {
			continue
		}
		after := o.leaves[min(i, end):end]
		if !slices.ContainsFunc(after, func(r proofing.Leaf) bool {
			return r.Kind == proofing.CaseResolved && textOf(r.Facts, "discrepancy") == textOf(l.Facts, "discrepancy")
		}) {
			return fmt.Errorf("case %s was granted, and nobody has explained the discrepancy of entry %d before", id, l.Number)
		}
		if correlation && !slices.ContainsFunc(after, func(v proofing.Leaf) bool {
			return decided(v, proofing.StepVet)
		}) {
			return fmt.Errorf("case %s was granted, and nobody has said that everything is complete since the discrepancy of entry %d", id, l.Number)
		}
	}
	return nil
}
