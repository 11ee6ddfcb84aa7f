package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/countersign-id/countersign/proofing"
)

// EvidencePolicy is the policy by which a case was granted, and what it demands of the case's profile.
type EvidencePolicy struct {
	Digest string `json:"digest"`
	// Entry is the number of the policy book's entry since which it was in force; it has the whole text.
	Entry int64 `json:"entry"`
	// Replaced is the number of the entry by which another one had come into force before the grant: a process that could not take that one up, or one that would
	// not. 0: none had.
	Replaced int64 `json:"replaced,omitempty"`
	// Approvals is how many of the organization's approvers must agree, 0 if nobody decides; and Approve what their word is for.
	Approvals int                  `json:"approvals"`
	Approve   proofing.ApproveMode `json:"approve,omitempty"`
}

// book is the policy book of the file; nil if it has none, which is so where nobody has administrators.
func (r *reading) book() (book *readObject, err error) {
	for _, o := range r.Objects {
		if o.Of != proofing.SubjectPolicy {
			continue
		}
		if book != nil {
			return nil, errors.New("there are two policy books")
		}
		book = r.object(o.Of, o.Object)
	}
	return book, nil
}

// policyOf is the policy by which a case was granted; nil if the log does not have it: there were no administrators then, or its text is not kept any more.
// An error says that the grant names a policy that was not in force.
func (r *reading) policyOf(o *readObject) (*EvidencePolicy, error) {
	book, err := r.book()
	if err != nil || book == nil {
		return nil, err
	}
	granted := o.granted()
	if granted < 0 {
		return nil, nil
	}
	digest, at := textOf(o.leaves[granted].Facts, "policy"), o.leaves[granted].At
	another, inForce, text := false, false, ""
	p := &EvidencePolicy{Digest: digest}
	for i, l := range book.leaves {
		switch {
		case l.Kind != proofing.PolicyIsAdopted && l.Kind != proofing.PolicyIsInForce || l.At.After(at.Add(proofing.ClockSkew)):
		case textOf(l.Facts, "digest") != digest:
			if l.At.Before(at.Add(-proofing.ClockSkew)) { // otherwise the grant may have been the first of the two
				another, p.Replaced = true, l.Number
			}
		default:
			inForce, p.Replaced = true, 0
			if said := textOf(book.private[i], "text"); said != "" {
				p.Entry, text = l.Number, said
			}
		}
	}
	if another && !inForce {
		return nil, fmt.Errorf("it was granted by the policy %s, which was not in force", digest)
	}
	if text == "" { // the grant came before the book, or the text is not kept any more
		return nil, nil
	}
	if proofing.PolicyDigest(text) != digest {
		return nil, fmt.Errorf("the policy of entry %d is not %s", p.Entry, digest)
	}
	var policy struct {
		Profiles map[string]struct {
			Approvals string               `json:"approvals"`
			Approve   proofing.ApproveMode `json:"approve"`
		} `json:"profiles"`
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, fmt.Errorf("the policy %s cannot be read: %w", digest, err)
	}
	name := textOf(o.leaves[max(o.first(proofing.EntryOpened), 0)].Facts, "profile")
	profile, ok := policy.Profiles[name]
	if !ok {
		return nil, fmt.Errorf("the policy %s has no profile %q", digest, name)
	}
	if p.Approve = profile.Approve; profile.Approvals != "" {
		if p.Approvals, err = strconv.Atoi(profile.Approvals); err != nil {
			return nil, fmt.Errorf("the policy %s: approvals: %w", digest, err)
		}
	}
	return p, nil
}
