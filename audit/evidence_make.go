package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
)

// jsonTime is a time as entries have it.
func jsonTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Evidence makes the file of a chain, by the last checkpoint, and verifies it before anybody gets it. subject and object are what was asked for. Errors:
// proofing.ErrUnlogged if something of it is not in that checkpoint yet, *EvidenceSizeError if there is more of it than anybody reads, and what is wrong with
// the store, if anything is.
func (t *Tree) Evidence(ctx context.Context, chain *proofing.Chain, subject proofing.Subject, object string) (*Evidence, error) {
	h, err := t.Head(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.Own(h); err != nil {
		return nil, err
	}
	e := &Evidence{
		Type: EvidenceType, Made: t.Now().UTC().Truncate(time.Millisecond), Subject: subject, Object: object, Checkpoint: h.Checkpoint,
		Certificates: []EvidenceCertificate{}, Cases: []EvidenceCase{}, Objects: []EvidenceObject{},
	}
	for _, c := range chain.Certificates {
		e.Certificates = append(e.Certificates, EvidenceCertificate{Object: c.ID, DER: c.DER})
	}
	for _, c := range chain.Cases {
		one := EvidenceCase{Object: c.ID}
		if c.Approval != nil {
			for _, d := range c.Approval.Decisions {
				signed, err := proofing.ParseDocument([]byte(d.Signature.Document))
				if err != nil {
					return nil, fmt.Errorf("make evidence: case %s: a decision: %w", c.ID, err)
				}
				if signed.Subject.Object != c.ID { // it was made about the case from which this one has it, and is there
					continue
				}
				a := NewApproval(d.Signature, Logged{}, Logged{}, "")
				one.Approvals = append(one.Approvals, EvidenceApproval{Document: a.Document, Signature: a.Signature})
			}
		}
		e.Cases = append(e.Cases, one)
	}
	for _, d := range chain.Votes {
		a := NewApproval(d.Signature, Logged{}, Logged{}, "")
		e.Policies = append(e.Policies, EvidenceApproval{Document: a.Document, Signature: a.Signature})
	}
	hashes := t.hashes(ctx)
	for _, o := range chain.Objects {
		one := EvidenceObject{Of: o.Of, Object: o.ID}
		for i, place := range o.Places {
			if place >= h.Size {
				return nil, fmt.Errorf("entry %d is not in the checkpoint of %d entries: %w", place, h.Size, proofing.ErrUnlogged)
			}
			path, err := tlog.ProveRecord(h.Size, place, hashes)
			if err != nil {
				return nil, fmt.Errorf("prove entry %d: %w", place, err)
			}
			entry := EvidenceEntry{Logged: Logged{Leaf: o.Entries[i].Leaf, Index: place, Proof: []proofing.Octets{}}, Salt: o.Entries[i].Salt, Private: o.Entries[i].Private}
			for _, hash := range path {
				entry.Proof = append(entry.Proof, hash[:])
			}
			one.Entries = append(one.Entries, entry)
		}
		e.Objects = append(e.Objects, one)
	}
	return t.finish(e, h)
}

// finish derives what follows from the rest, seals the file, and verifies it as anybody else does.
func (t *Tree) finish(e *Evidence, h *Head) (*Evidence, error) {
	r, err := e.read()
	if err != nil {
		return nil, fmt.Errorf("make evidence: %w", err)
	}
	if e, err = r.derived(); err != nil {
		return nil, fmt.Errorf("make evidence: %w", err)
	}
	err = e.Sign(h.Origin, t.Key())
	if err == nil {
		_, err = e.Text() // the seal may have made it too large
	}
	if err != nil {
		return nil, fmt.Errorf("make evidence: %w", err)
	}
	key, err := ParseLogKey(h.Verifier)
	if err != nil {
		return nil, err
	}
	text, err := e.Text()
	if err != nil {
		return nil, err
	}
	read, err := ParseEvidence(text) // what was derived knows more than its text says, and others have the text alone
	if err != nil {
		return nil, fmt.Errorf("make evidence: %w", err)
	}
	if _, err := read.Verify(key); err != nil {
		return nil, errors.Join(errors.New("make evidence: what the store has does not hold"), err)
	}
	return read, nil
}
