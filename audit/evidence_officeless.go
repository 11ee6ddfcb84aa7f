package audit

import (
	"errors"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// officeless says whether nobody has judged a case, or collected what it was judged by, who held an office of the organization then, whatever they had done by that: what they
// find would be about what they approve, or sign for (CSBR 3.2.9, 5.2.4). Where an Enterprise RA works for its own organization those may who do not approve (CSBR 1.3.2.1.2).
// Offices are those that are in the file.
func (r *reading) officeless(id string, o *readObject) error {
	var faults []error
	for _, decided := range o.leaves {
		step := proofing.Step(textOf(decided.Facts, "step"))
		if decided.Kind != proofing.CaseDecided || textOf(decided.Facts, "decision") != proofing.DecideApprove || step == proofing.StepApprove {
			continue
		}
		dossier := r.object(proofing.SubjectOrganization, textOf(decided.Facts, "organization"))
		if dossier == nil {
			continue // which is a fault of its own
		}
		acts := []proofing.Leaf{decided}
		if step == proofing.StepReview {
			for _, l := range o.leaves {
				if l.Kind == proofing.CaseDiscrepancy || l.Kind == proofing.CaseResolved {
					acts = append(acts, l)
				}
			}
			for _, i := range dossier.currentAt(decided) {
				acts = append(acts, dossier.leaves[i])
			}
		}
		for _, l := range acts {
			if role := r.sidesWith(dossier, l); role != "" {
				faults = append(faults, fmt.Errorf("case %s: %s held the office %s of the organization, and has judged or collected for the authority, as entry %d of %s %s says", id, l.By.ID, role, l.Number, l.Of, l.Object))
			}
		}
	}
	return errors.Join(faults...)
}

// sidesWith is the role of an office of the dossier's organization that whoever did something held then, which did not let them; empty for none.
func (r *reading) sidesWith(dossier *readObject, did proofing.Leaf) (role string) {
	for _, a := range r.objects {
		if a.Of != proofing.SubjectAppointment || did.By.ID == "" {
			continue
		}
		held := a.heldAt(did.At)
		if held == nil || textOf(held.Facts, "organization") != dossier.Object || textOf(held.Facts, "person") != did.By.ID {
			continue
		}
		role = textOf(held.Facts, "role")
		if role == string(proofing.RoleApprover) || !dossier.enterpriseRA(did.At) {
			return role
		}
	}
	return ""
}

// heldAt is what an appointment's entries said of it for as long around a time as clocks differ; nil if it was no office then, or came or went meanwhile.
func (o *readObject) heldAt(at time.Time) (held *proofing.Leaf) {
	for i := range o.leaves {
		switch l := &o.leaves[i]; {
		case !l.At.After(at.Add(-proofing.ClockSkew)):
			held = l
		case !l.At.After(at.Add(proofing.ClockSkew)) && textOf(l.Facts, "status") == string(proofing.AppointmentEnded):
			return nil
		}
	}
	if held == nil || textOf(held.Facts, "status") == string(proofing.AppointmentEnded) {
		return nil
	}
	return held
}

// enterpriseRA says whether the newest item of the dossier says that an Enterprise RA works for its own organization, as far as entries tell until when.
func (o *readObject) enterpriseRA(at time.Time) (works bool) {
	for _, l := range o.leaves {
		if l.Kind != proofing.OrganizationItem || textOf(l.Facts, "kind") != string(proofing.ItemEnterpriseRA) || l.At.After(at.Add(proofing.ClockSkew)) {
			continue
		}
		until, err := time.Parse(time.RFC3339Nano, textOf(l.Facts, "good_until"))
		works = textOf(l.Facts, "outcome") == string(proofing.OutcomeGood) && (err != nil || at.Before(until.Add(proofing.ClockSkew)))
	}
	return works
}
