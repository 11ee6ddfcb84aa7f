package audit

import (
	"errors"
	"fmt"

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
