package audit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// shows says whether what a certificate shows of itself that it should not is among the findings of its entry: another organization than what it rests on is for,
// more than 460 days where that is for code signing (CSBR 6.3.2), and that it may sign certificates itself.
func (r *reading) shows(c *EvidenceCertificate, facts *proofing.CertificateFacts, issued proofing.Leaf) error {
	var faults []error
	found := listOf(issued.Facts, "findings")
	fault := func(finding, format string, args ...any) {
		if !slices.Contains(found, finding) {
			faults = append(faults, fmt.Errorf(format+", and the log has no finding that says so", args...))
		}
	}
	if facts.IsCA {
		fault(proofing.FindingCA, "it may sign certificates itself")
	}
	for _, id := range c.Cases {
		k := r.caseOf(id)
		if k == nil {
			continue // which is a fault of its own
		}
		for _, name := range r.named(k) {
			if !slices.Equal(facts.Organizations, []string{name}) {
				fault(proofing.FindingOrganization, "the subject's organizations are %q, and the case %s is about %q", facts.Organizations, id, name)
			}
		}
		policy, err := r.policyAt(k, issued) // an error is a fault of its own, too
		if lasts := facts.Validity(); err == nil && policy != nil && policy.signsCode && lasts > proofing.MostValidity {
			fault(proofing.FindingValidity, "it lasts for %s, and one for code signing for %s at most (CSBR 6.3.2)", proofing.Days(lasts), proofing.Days(proofing.MostValidity))
		}
	}
	return errors.Join(faults...)
}

// named is which organization a case is about: by the private part of its entry where it is there, and by what people signed, of the request that its key is of if
// they signed that. None if it is about none, or nobody can say any more.
func (r *reading) named(k *EvidenceCase) (names []string) {
	o := r.object(proofing.SubjectCase, k.Object)
	opened := max(o.first(proofing.EntryOpened), 0)
	if textOf(o.opened(), "identifier_type") != proofing.IdentifierOrganization {
		return nil
	}
	if private := o.private[opened]; private != nil {
		names = append(names, textOf(private, "identifier"))
	}
	signed := func(k *EvidenceCase) {
		for _, a := range k.Approvals {
			if d, err := proofing.ParseDocument([]byte(a.Document)); err == nil && d.Identifier != nil {
				names = append(names, d.Identifier.Value)
			}
		}
	}
	signed(k)
	if len(k.Approvals) == 0 && k.Policy != nil {
		for _, i := range o.proved() {
			if from := r.caseOf(textOf(o.leaves[i].Facts, "from")); from != nil && r.decidedFor(k.Policy, o, r.object(proofing.SubjectCase, from.Object)) {
				signed(from)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
