package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// A dossier says that something is a Business Entity by an item that needs no value. One that is too old says neither that it is nor that it is none.
func TestTheCategoryOfARegistrationIsThatOfTheDossiersBusinessEntity(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	const business, private = "Business Entity", "Private Organization"
	for what, c := range map[string]struct {
		outcome proofing.Outcomes // empty: no item
		age     int               // in days
		ev      bool
		passes  string // empty: no category
	}{
		"not looked at":               {"", 0, true, private},
		"found to be one":             {proofing.OutcomeGood, 0, true, business},
		"found to be one, not for EV": {proofing.OutcomeGood, 400, false, business},
		"found to be none":            {proofing.OutcomeBad, 0, true, private},
		"too long ago for EV":         {proofing.OutcomeGood, 400, true, ""},
		"too long ago":                {proofing.OutcomeGood, 830, false, ""},
	} {
		o := &proofing.Organization{Items: []proofing.Item{{Kind: proofing.ItemRegistration, Value: "7", Outcome: proofing.OutcomeGood, CollectedAt: now}}}
		if c.outcome != "" {
			o.Items = append(o.Items, proofing.Item{Kind: proofing.ItemBusinessEntity, Outcome: c.outcome, CollectedAt: now.AddDate(0, 0, -c.age)})
		}
		r := o.Registration(c.ev, now)
		for _, category := range []string{business, private, "Government Entity", "Non-Commercial Entity"} {
			want := category == c.passes || c.passes == private && category != business
			if faults := r.Judge([]proofing.SubjectMember{{Name: proofing.SubjectCategory, Value: category}}); (len(faults) == 0) != want {
				t.Errorf("%s: %s: %v", what, category, faults)
			}
		}
	}
}
