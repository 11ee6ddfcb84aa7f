package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// about says whether the document of a decision, which an entry of the case tells of, is about what the case was opened for: what was shown and signed is what was
// granted. The key is that which the account had by then (RFC 8555 7.3.5).
func about(k *readObject, d *proofing.Document, entry int64) error {
	opened := k.opened()
	csr, applicant := d.CSR, d.Applicant
	if csr == nil {
		csr = &proofing.DocumentCSR{}
	}
	if applicant == nil {
		applicant = &proofing.DocumentApplicant{}
	}
	kind := ""
	if d.Identifier != nil {
		kind = d.Identifier.Type
	}
	key := textOf(opened, "applicant_key")
	for _, l := range k.leaves[:entry] {
		if l.Kind == proofing.EntryRekeyed && textOf(opened, "applicant") == string(proofing.ByAccount) {
			key = textOf(l.Facts, "applicant_key")
		}
	}
	if key == "" { // whose it is came later
		key = applicant.Key
	}
	var faults []error
	if private := k.private[max(k.first(proofing.EntryOpened), 0)]; private != nil && d.Identifier != nil {
		if was := textOf(private, "identifier"); d.Identifier.Value != was {
			faults = append(faults, fmt.Errorf("another identifier was signed than the case is about: %q, not %q", d.Identifier.Value, was))
		}
	}
	if d.Organization != nil && kind == proofing.IdentifierOrganization && d.Organization.Name != d.Identifier.Value {
		faults = append(faults, fmt.Errorf("it was signed for the organization %q, and as one about %q", d.Organization.Name, d.Identifier.Value))
	}
	for _, f := range []struct{ what, signed, was string }{
		{"authority", d.CA, textOf(opened, "ca")}, {"profile", d.Profile, textOf(opened, "profile")}, {"kind of identifier", kind, textOf(opened, "identifier_type")},
		{"applicant's key", applicant.Key, key}, {"certificate request", csr.Digest, textOf(opened, "csr_digest")}, {"certificate request's key", csr.SPKI, textOf(opened, "csr_spki_sha256")},
	} {
		if f.signed != f.was {
			faults = append(faults, fmt.Errorf("another %s was signed than the case is about: %q, not %q", f.what, f.signed, f.was))
		}
	}
	return errors.Join(faults...)
}

// forWhom says whether a decision was signed for the organization by whose dossier it was made, and that is one of the authority of the case. The name of a dossier
// may be erased.
func (r *reading) forWhom(k *readObject, c *Checked) error {
	id := textOf(c.Decided.Facts, "organization")
	dossier, signed := r.object(proofing.SubjectOrganization, id), c.Document.Organization
	if dossier == nil || signed == nil {
		return fmt.Errorf("it was made for the organization %s, whose dossier is not there, or which was not signed", id)
	}
	first := dossier.leaves[0]
	if first.Kind != proofing.OrganizationIsOpened {
		return fmt.Errorf("no entry tells that the dossier %s was opened", id)
	}
	if ca, of := textOf(first.Facts, "ca"), textOf(k.opened(), "ca"); ca != of {
		return fmt.Errorf("the dossier %s is of the authority %q, and the case of %q", id, ca, of)
	}
	if told := dossier.private[0]; told != nil && textOf(told, "name") != signed.Name {
		return fmt.Errorf("it was signed for the organization %q, and the dossier %s is of %q", signed.Name, id, textOf(told, "name"))
	}
	return dossier.registered(c)
}

// registered says whether number and jurisdiction of a decision are those of the dossier by which it was made. What was erased of it nobody can compare: c says so.
func (o *readObject) registered(c *Checked) error {
	current, signed := o.currentAt(c.Decided), c.Document.Organization
	var faults []error
	for _, m := range []struct {
		what   string
		kind   proofing.ItemKind
		signed string
	}{
		{"registration number", proofing.ItemRegistration, signed.Number}, {"jurisdiction", proofing.ItemJurisdiction, signed.Jurisdiction},
	} {
		was := ""
		if i, known := current[string(m.kind)+" "]; known && textOf(o.leaves[i].Facts, "outcome") == string(proofing.OutcomeGood) {
			if o.private[i] == nil {
				c.Erased = append(c.Erased, m.what)
				continue
			}
			was = textOf(o.private[i], "value")
		}
		if m.signed != was {
			faults = append(faults, fmt.Errorf("it was signed for the %s %q, and by its dossier %s it was %q", m.what, m.signed, o.Object, was))
		}
	}
	return errors.Join(faults...)
}

// once says whether each decision of a file has its own nonce: what has the same one is the same decision, and would count twice.
func once(votes map[int64]vote, approvals []ProvenApproval) error {
	var faults []error
	seen := map[string]string{}
	decided := func(name string, d *proofing.Document) {
		if first, twice := seen[d.Nonce]; twice {
			faults = append(faults, fmt.Errorf("%s has the nonce of %s: it is the same decision", name, first))
			return
		}
		seen[d.Nonce] = name
	}
	for _, entry := range slices.Sorted(maps.Keys(votes)) {
		decided(fmt.Sprintf("entry %d of the policy book", entry), &votes[entry].Document)
	}
	for _, a := range approvals {
		decided(fmt.Sprintf("entry %d of the case %s", a.Entry, a.Case), &a.Checked.Document)
	}
	return errors.Join(faults...)
}

// stepped says whether the entry of a decision has what was signed, and its step is one of who has signed it: which rules a decision is held to follows from its step.
func stepped(c *Checked) error {
	d := &c.Document
	var faults []error
	if role := stepRole(d); role == "" || role != d.By.Role {
		faults = append(faults, fmt.Errorf("the step %q is none of a %s", d.Step, d.By.Role))
	}
	signed := signedFacts(d)
	for _, name := range slices.Sorted(maps.Keys(signed)) { // another one is a fault of the decision itself
		if textOf(c.Decided.Facts, name) == "" {
			faults = append(faults, fmt.Errorf("its entry does not tell the %s", name))
		}
	}
	return errors.Join(faults...)
}

// together says whether all decisions of a case are about one organization, by their entries, and for one identifier, by what was signed.
func together(id string, all []ProvenApproval) error {
	for _, a := range all {
		if first, of := textOf(all[0].Decided.Facts, "organization"), textOf(a.Decided.Facts, "organization"); of != first {
			return fmt.Errorf("case %s: it was decided for the organization %s by entry %d, and for %s by entry %d", id, first, all[0].Entry, of, a.Entry)
		}
		if first, of := identifierOf(&all[0].Checked.Document), identifierOf(&a.Checked.Document); of != first {
			return fmt.Errorf("case %s: the decision of entry %d is about %q, and that of entry %d about %q", id, all[0].Entry, first, a.Entry, of)
		}
	}
	return nil
}

// identifierOf is what a document is about; empty if it names nothing.
func identifierOf(d *proofing.Document) string {
	if d.Identifier == nil {
		return ""
	}
	return d.Identifier.Value
}
