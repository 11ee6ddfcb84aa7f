package audit

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestTheDecisionsOfACaseAreAboutOneOrganization(t *testing.T) {
	t.Parallel()
	of := func(names ...string) (all []ProvenApproval) {
		for i, name := range names {
			all = append(all, ProvenApproval{"k", &EvidenceApproval{Entry: int64(i + 1)}, &Checked{Decided: proofing.Leaf{Facts: map[string]any{"organization": name}}}})
		}
		return all
	}
	for _, one := range [][]ProvenApproval{nil, of("a"), of("a", "a", "a")} {
		if err := together("k", one); err != nil {
			t.Errorf("%d decisions about one: %v", len(one), err)
		}
	}
	if err := together("k", of("a", "a", "b")); err == nil || !strings.Contains(err.Error(), "for the organization a by entry 1, and for b by entry 3") {
		t.Errorf("about two: %v", err)
	}
}
