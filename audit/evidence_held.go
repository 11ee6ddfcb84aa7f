package audit

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// holds says whether a case held when an entry of it was written: it was granted, the grant had not run out, and nobody had frozen it or held it back, or not earlier than
// clocks differ. granted says whether it ever was before.
func (o *readObject) holds(entry int) (holds, granted bool) {
	at := o.leaves[entry].At
	frozen, suspended, is := false, false, false
	var expires, lost time.Time
	for _, l := range o.leaves[:entry] {
		switch l.Kind {
		case proofing.EntryStatus:
			is = textOf(l.Facts, "to") == string(proofing.CaseGranted)
			if is {
				expires, _ = time.Parse(time.RFC3339Nano, textOf(l.Facts, "expires"))
			}
		case proofing.EntryFrozen:
			frozen = true
		case proofing.EntryRestored:
			frozen = false
		case proofing.EntrySuspended:
			suspended = true
		case proofing.EntryReinstated:
			suspended = false
		default:
			continue
		}
		was := holds
		granted, holds = granted || is, is && !frozen && !suspended
		if was && !holds {
			lost = l.At
		}
	}
	since := at.Add(-proofing.ClockSkew)
	return expires.After(since) && (holds || !lost.IsZero() && !lost.Before(since)), granted
}

// told is the place of the entry by which a case tells of a certificate; -1 if there is none.
func (o *readObject) told(c *EvidenceCertificate) int {
	return slices.IndexFunc(o.leaves, func(l proofing.Leaf) bool {
		return (l.Kind == proofing.EntryIssued || l.Kind == proofing.EntryRenewed) && textOf(l.Facts, "certificate") == c.Object && textOf(l.Facts, "certificate_sha256") == proofing.Digest(c.DER)
	})
}

// rests says whether a certificate may rest on a case: the case tells of it, was granted before, and held then, or the certificate says itself that it did not; and both are of
// one authority, one profile and one applicant.
func (r *reading) rests(c *EvidenceCertificate, o *readObject, issued proofing.Leaf) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	invalid := slices.Contains(listOf(issued.Facts, "findings"), proofing.FindingNotValid)
	told := o.told(c)
	if told < 0 {
		return fmt.Errorf("no entry of the case %s tells of it", o.Object)
	}
	switch holds, granted := o.holds(told); {
	case !granted:
		fault("the case %s was not granted before", o.Object)
	case !holds && !invalid:
		fault("the case %s did not hold when it was told of, and the log has no finding that says so", o.Object)
	}
	opened, ca := o.opened(), textOf(issued.Facts, "ca")
	if by := o.leaves[told].By; issued.By.Kind != "ca" || issued.By.ID != ca || by.Kind != "ca" || by.ID != ca {
		fault("it is of the authority %q, and was told by %s %s, and to the case %s by %s %s", ca, issued.By.Kind, issued.By.ID, o.Object, by.Kind, by.ID)
	}
	for _, fact := range []string{"ca", "profile"} {
		if of, is := textOf(opened, fact), textOf(issued.Facts, fact); of != is {
			fault("its %s is %q, and that of the case %s is %q", fact, is, o.Object, of)
		}
	}
	if first := r.object(proofing.SubjectCase, c.Cases[0]); first != nil {
		for _, fact := range []string{"applicant", "applicant_id"} {
			switch of, is := textOf(opened, fact), textOf(first.opened(), fact); {
			case of != is:
				fault("its cases %s and %s are of several applicants", first.Object, o.Object)
			case of == "" && textOf(opened, "applicant") != string(proofing.ByNobody):
				fault("the case %s does not say whose it is", o.Object)
			}
		}
	}
	return errors.Join(faults...)
}

// beneath says whether an approval of a certificate's CSR is beneath one of the cases that it rests on, and about the same.
func (r *reading) beneath(c *EvidenceCertificate, approval *readObject) error {
	parent := r.object(proofing.SubjectCase, textOf(approval.opened(), "parent"))
	if parent == nil || !slices.Contains(c.Cases, parent.Object) {
		return fmt.Errorf("the approval %s of its certificate request is beneath none of the cases that it rests on", approval.Object)
	}
	return sameRequest(approval, parent)
}

// sameRequest says whether two cases are of one authority, under one profile and about one identifier, as far as that is not erased.
func sameRequest(one, other *readObject) error {
	i, n := max(one.first(proofing.EntryOpened), 0), max(other.first(proofing.EntryOpened), 0)
	for _, fact := range []string{"ca", "profile", "identifier_type"} {
		if is, of := textOf(one.leaves[i].Facts, fact), textOf(other.leaves[n].Facts, fact); is != of {
			return fmt.Errorf("the %s of the case %s is %q, and that of the case %s is %q", fact, one.Object, is, other.Object, of)
		}
	}
	if one.private[i] != nil && other.private[n] != nil && textOf(one.private[i], "identifier") != textOf(other.private[n], "identifier") {
		return fmt.Errorf("the cases %s and %s are about several identifiers", one.Object, other.Object)
	}
	return nil
}
