package audit

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// verifyKey says whether each dossier on which a certificate rests had something good about how its private key is protected when the authority told of it
// (CSBR 6.2.7.4.2), or the log says itself that it had not. What else is in the file other certificates rest on.
func (r *reading) verifyKey(c *EvidenceCertificate, key string, issued proofing.Leaf) error {
	if slices.Contains(listOf(issued.Facts, "findings"), proofing.FindingKey) {
		return nil
	}
	var dossiers []string
	for _, id := range slices.Concat(c.Cases, c.Approvals) {
		if k := r.caseOf(id); k != nil { // otherwise it is a fault of its own, as is a dossier that is not there
			dossiers = append(dossiers, r.decidedOn(k)...)
		}
	}
	slices.Sort(dossiers)
	var faults []error
	for _, id := range slices.Compact(dossiers) {
		if o := r.object(proofing.SubjectOrganization, id); o != nil && !o.protects(key, issued) {
			faults = append(faults, fmt.Errorf("its key %s is not among those about whose protection the dossier %s had anything good, and the log has no finding that says so", key, id))
		}
	}
	return errors.Join(faults...)
}

// decidedOn are the dossiers that the decisions about a case were made on; of one for whose account a key was made, those about the request that the key is of.
func (r *reading) decidedOn(k *EvidenceCase) (dossiers []string) {
	o, policy := r.object(proofing.SubjectCase, k.Object), k.Policy
	decided := func(o *readObject) {
		for _, l := range o.leaves {
			if l.Kind == proofing.CaseDecided {
				dossiers = append(dossiers, textOf(l.Facts, "organization"))
			}
		}
	}
	if decided(o); len(dossiers) > 0 {
		return dossiers
	}
	if policy == nil { // what it demanded nobody can say: hold it to all that it may have had
		policy = &EvidencePolicy{}
	}
	for _, i := range o.proved() {
		if from := r.object(proofing.SubjectCase, textOf(o.leaves[i].Facts, "from")); from != nil && r.decidedFor(policy, o, from) {
			decided(from)
		}
	}
	return dossiers
}

// protects says whether a dossier had something good about a key, within the skew of clocks: what names the key and is bad only what names it takes back
// (proofing.Organization.Protection). The entry of an older program does not tell which keys it is about.
func (o *readObject) protects(key string, issued proofing.Leaf) (is bool) {
	refuted := false // by name
	for _, l := range o.leaves {
		it, told := keyItem(l)
		if it == nil || told && !it.About(key) {
			continue
		}
		named := len(it.Keys) > 0
		if good := it.Outcome == proofing.OutcomeGood; good && !l.At.After(issued.At.Add(proofing.ClockSkew)) && (named || !refuted) {
			is, refuted = true, false
		} else if !good && l.At.Before(issued.At.Add(-proofing.ClockSkew)) {
			is, refuted = false, refuted || named
		}
	}
	return is
}

// keyItem is what an entry says of an item of key protection; nil if it is of none. told says whether it says by which method, and of which keys.
func keyItem(l proofing.Leaf) (it *proofing.Item, told bool) {
	if l.Kind != proofing.OrganizationItem || textOf(l.Facts, "kind") != string(proofing.ItemKeyProtection) {
		return nil, false
	}
	method, told := l.Facts["method"].(float64)
	return &proofing.Item{Outcome: proofing.Outcomes(textOf(l.Facts, "outcome")), Method: int(method), Keys: listOf(l.Facts, "keys")}, told
}

// itemNames tell the items of a dossier from each other, of which the newest alone counts: one for each key that the item names, or else one (proofing.Organization.Currents).
func itemNames(l proofing.Leaf) (names []string) {
	kind := textOf(l.Facts, "kind")
	for _, key := range listOf(l.Facts, "keys") {
		names = append(names, kind+" "+key)
	}
	if len(names) == 0 {
		names = []string{kind + " " + textOf(l.Facts, "subject")}
	}
	return names
}

// spent says whether what an entry tells of is evidence of certain keys, which had aged when a decision was made, within the skew of clocks: nobody is barred any more by what they have
// collected of it (proofing.Organization.Collectors).
func spent(l, decided proofing.Leaf) bool {
	until, err := time.Parse(time.RFC3339Nano, textOf(l.Facts, "good_until"))
	return err == nil && len(listOf(l.Facts, "keys")) > 0 && textOf(l.Facts, "outcome") == string(proofing.OutcomeGood) && !decided.At.Add(proofing.ClockSkew).Before(until)
}
