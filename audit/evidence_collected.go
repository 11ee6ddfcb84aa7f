package audit

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// crossCorrelated says whether nobody has reviewed what they had collected or explained (CSBR 3.2.9), unless an Enterprise RA works for its own organization
// (CSBR 1.3.2.1.2).
func (r *reading) crossCorrelated(id string, o *readObject) error {
	explained := map[string]bool{}
	for _, l := range o.leaves {
		if l.Kind == proofing.CaseResolved {
			explained[l.By.ID] = true
		}
		if l.Kind != proofing.CaseDecided || textOf(l.Facts, "step") != string(proofing.StepReview) || textOf(l.Facts, "decision") != proofing.DecideApprove {
			continue
		}
		if explained[l.By.ID] {
			return fmt.Errorf("case %s: %s has explained a discrepancy, and reviewed it", id, l.By.ID)
		}
		dossier := r.object(proofing.SubjectOrganization, textOf(l.Facts, "organization"))
		if dossier == nil {
			continue // which is a fault of its own
		}
		if entry := dossier.collectedBy(l); entry > 0 {
			return fmt.Errorf("case %s: %s has reviewed what they had collected, as entry %d of the dossier says", id, l.By.ID, entry)
		}
	}
	return nil
}

// exempts says whether a dossier's entry of an Enterprise RA let who has reviewed a request review what they had collected: it was good then, as far as the entry says
// until when it is, and not theirs.
func (o *readObject) exempts(entry int, review proofing.Leaf) bool {
	l, told := o.leaves[entry], o.private[entry]
	if until := textOf(l.Facts, "good_until"); until != "" {
		if at, err := time.Parse(time.RFC3339Nano, until); err != nil || !review.At.Before(at) {
			return false
		}
	}
	return textOf(l.Facts, "outcome") == string(proofing.OutcomeGood) && l.By.ID != review.By.ID && textOf(told, "collected_by") != review.By.ID && textOf(told, "confirmed_by") != review.By.ID
}

// currentAt are the places of the entries of what counted in the dossier when a decision was made, by what they are about.
func (o *readObject) currentAt(decided proofing.Leaf) map[string]int {
	seen, known := decided.Facts["dossier"].(float64)
	current := map[string]int{}
	for i, l := range o.leaves {
		before := float64(l.Number) <= seen
		if !known { // the entry of an older program
			before = l.At.Before(decided.At)
		}
		// Which of several domains an item is about is private, and no certificate rests on one.
		if kind := textOf(l.Facts, "kind"); l.Kind == proofing.OrganizationItem && before && kind != string(proofing.ItemDomain) {
			for _, name := range itemNames(l) {
				current[name] = i
			}
		}
	}
	return current
}

// collectedBy is the number of an entry by which who has reviewed a request had collected something that counted in the dossier then; 0 if there is none.
func (o *readObject) collectedBy(review proofing.Leaf) int64 {
	current := o.currentAt(review)
	if i, ok := current[string(proofing.ItemEnterpriseRA)+" "]; ok && o.exempts(i, review) {
		return 0
	}
	return o.recordedBy(review, current)
}

// recordedBy is the number of an entry by which who has made a decision had recorded or collected any of what counted then; 0 if there is none.
func (o *readObject) recordedBy(decided proofing.Leaf, current map[string]int) int64 {
	person := decided.By.ID
	for _, i := range slices.Sorted(maps.Values(current)) {
		if l := o.leaves[i]; !spent(l, decided) && (l.By.ID == person || textOf(o.private[i], "collected_by") == person) {
			return l.Number
		}
	}
	return 0
}
