package audit

import (
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Proven is what an evidence file proves.
type Proven struct {
	*Evidence
	Log       string // the log's name
	Size      int64  // of the log, by the checkpoint
	Approvals []ProvenApproval
	// Facts are what certificates say of themselves, in the order of Certificates.
	Facts []*proofing.CertificateFacts
	// Losses are the losses of the log that the file tells of. An operator who makes files with a program of their own can leave out the last ones.
	Losses  []Loss
	reading *reading
}

// ProvenApproval is a decision that holds.
type ProvenApproval struct {
	Case string
	*EvidenceApproval
	*Checked
}

// ProvenEntry is an entry of the log that the file has.
type ProvenEntry struct {
	Index   int64 // in the log
	Leaf    proofing.Leaf
	Private map[string]any // nil if there is none, or it was erased
}

// Entries are those of a record, in their order; none if the file has no such record.
func (p *Proven) Entries(of proofing.Subject, id string) (all []ProvenEntry) {
	o := p.reading.object(of, id)
	if o == nil {
		return nil
	}
	for i, e := range o.Entries {
		all = append(all, ProvenEntry{e.Index, o.leaves[i], o.private[i]})
	}
	return all
}

// Claim is what the log says that a case was granted: the levels, 0 for none, under which framework, when, and by what policy.
type Claim struct {
	IAL, AAL, FAL int
	Framework     proofing.Framework
	At            time.Time
	Policy        string
}

// Claim is that of a case; false if it was not granted.
func (p *Proven) Claim(id string) (Claim, bool) {
	o := p.reading.object(proofing.SubjectCase, id)
	if o == nil {
		return Claim{}, false
	}
	i := o.granted()
	if i < 0 {
		return Claim{}, false
	}
	c, ok := o.claims()
	if !ok { // an older program has not entered what it takes to judge anew
		c.at = o.leaves[i].At
	}
	return Claim{c.ial, c.aal, c.fal, c.framework, c.at, c.policy}, true
}
