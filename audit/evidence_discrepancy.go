package audit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// explained says whether each discrepancy of a case was explained by somebody who judges it, and a specialist has said since that everything is complete, before the
// review that the case was granted by (CSBR 3.2.9). That is so in whatever stage it came, and also beneath an authorization: what was collected for that knows nothing of
// what was found since.
func (r *reading) explained(id string, o *readObject) error {
	granted := o.granted()
	if granted < 0 {
		return nil
	}
	decided := func(l proofing.Leaf, step proofing.Step) bool {
		return l.Kind == proofing.CaseDecided && textOf(l.Facts, "step") == string(step) && textOf(l.Facts, "decision") == proofing.DecideApprove
	}
	end := granted
	for i, l := range o.leaves[:granted] {
		if decided(l, proofing.StepReview) {
			end = i
		}
	}
	var faults []error
	for i, l := range o.leaves[:granted] {
		if l.Kind != proofing.CaseDiscrepancy {
			continue
		}
		after := o.leaves[min(i, end):end]
		explained := slices.IndexFunc(after, func(r proofing.Leaf) bool {
			return r.Kind == proofing.CaseResolved && textOf(r.Facts, "discrepancy") == textOf(l.Facts, "discrepancy")
		})
		if explained < 0 {
			faults = append(faults, fmt.Errorf("case %s was granted, and nobody has explained the discrepancy of entry %d before", id, l.Number))
			continue
		}
		if err := r.judges(o, after[explained]); err != nil {
			faults = append(faults, fmt.Errorf("case %s: entry %d explains the discrepancy of entry %d, by somebody who could not: %w", id, after[explained].Number, l.Number, err))
		}
		if !slices.ContainsFunc(after[explained:], func(v proofing.Leaf) bool { return decided(v, proofing.StepVet) }) {
			faults = append(faults, fmt.Errorf("case %s was granted, and nobody has said that everything is complete since the discrepancy of entry %d was explained", id, l.Number))
		}
	}
	return errors.Join(faults...)
}

// judges says whether somebody who explains a discrepancy of a case was a specialist or a reviewer of its authority then.
func (r *reading) judges(o *readObject, did proofing.Leaf) error {
	if did.By.Role != proofing.RoleSpecialist && did.By.Role != proofing.RoleReviewer {
		return fmt.Errorf("%s did it as %q", did.By.ID, did.By.Role)
	}
	mine, err := r.held(proofing.DocumentBy{Person: did.By.ID, Role: did.By.Role, Appointment: did.By.Appointment}, did.At)
	if err != nil {
		return err
	}
	if got, of := textOf(mine.Facts, "ca"), textOf(o.opened(), "ca"); got != of {
		return fmt.Errorf("the appointment %s is of the ca %q, and the case of %q", did.By.Appointment, got, of)
	}
	return nil
}
