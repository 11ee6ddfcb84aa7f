package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

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
	// ev says whether the profile is for extended validation, and signsCode whether for code signing, as that is. The file does not say it: its text does.
	ev, signsCode bool
	// demands is what the profile demands of what is proved.
	demands demands
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
	l := o.leaves[granted]
	p, err := policyIn(book, textOf(l.Facts, "policy"), l.At, textOf(o.opened(), "profile"))
	if err != nil {
		return nil, fmt.Errorf("it was granted by %w", err)
	}
	return p, nil
}

// errNoProfile says that a policy does not have what something was done under.
var errNoProfile = errors.New("no profile")

// policyIn is what a policy demands of a profile, by which something was done at a time; nil if the log does not have its text. An error says that it was not in force.
func policyIn(book *readObject, digest string, at time.Time, profileName string) (*EvidencePolicy, error) {
	another, inForce, text := false, false, ""
	p := &EvidencePolicy{Digest: digest}
	for i, l := range book.leaves {
		switch {
		case l.Kind != proofing.PolicyIsAdopted && l.Kind != proofing.PolicyIsInForce || l.At.After(at.Add(proofing.ClockSkew)):
		case textOf(l.Facts, "digest") != digest:
			if l.At.Before(at.Add(-proofing.ClockSkew)) { // otherwise the grant may have been the first of the two
				another, p.Replaced = true, l.Number
			}
		default: // whether it came into force as it must, agreed says
			inForce, p.Replaced = true, 0
			if said := textOf(book.private[i], "text"); said != "" {
				p.Entry, text = l.Number, said
			}
		}
	}
	if another && !inForce {
		return nil, fmt.Errorf("the policy %s, which was not in force", digest)
	}
	if text == "" { // the grant came before the book, or the text is not kept any more
		return nil, nil
	}
	if proofing.PolicyDigest(text) != digest {
		return nil, fmt.Errorf("the policy %s, and that of entry %d is another", digest, p.Entry)
	}
	var policy struct {
		Profiles map[string]struct {
			Approvals string               `json:"approvals"`
			Approve   proofing.ApproveMode `json:"approve"`
			EV        string               `json:"ev"`
			CSR       struct {
				Purpose proofing.CSRPurpose `json:"purpose"`
			} `json:"csr"`
			demands
		} `json:"profiles"`
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, fmt.Errorf("the policy %s, which cannot be read: %w", digest, err)
	}
	profile, ok := policy.Profiles[profileName]
	if !ok {
		return nil, fmt.Errorf("the policy %s, which has %w %q", digest, errNoProfile, profileName)
	}
	var err error
	p.ev, p.demands = profile.EV == "true", profile.demands
	p.signsCode = p.ev || profile.CSR.Purpose == proofing.CSRCodeSigning // as Profile.CodeSigning
	if p.Approve = profile.Approve; profile.Approvals != "" {
		if p.Approvals, err = strconv.Atoi(profile.Approvals); err != nil {
			return nil, fmt.Errorf("the policy %s, whose approvals are no number: %w", digest, err)
		}
	}
	return p, nil
}

// lasted says whether the policy of a case was the only one in force from its grant until something happened.
func (r *reading) lasted(k *EvidenceCase, until time.Time) bool {
	book, err := r.book()
	if err != nil || book == nil || k.Policy == nil || k.Policy.Replaced > 0 {
		return false
	}
	return !slices.ContainsFunc(book.leaves, func(l proofing.Leaf) bool {
		return (l.Kind == proofing.PolicyIsAdopted || l.Kind == proofing.PolicyIsInForce) && l.Number > k.Policy.Entry && !l.At.After(until.Add(proofing.ClockSkew))
	})
}

// policyAt is the policy by which a certificate was held against a case whose grant it rests on; nil where it is not known.
func (r *reading) policyAt(k *EvidenceCase, issued proofing.Leaf) (*EvidencePolicy, error) {
	digest := textOf(issued.Facts, "policy")
	if digest == "" { // the entry of an older program: what the policy took by then is known if no other one had come into force
		if !r.lasted(k, issued.At) {
			return nil, nil
		}
		return r.policyOf(r.object(proofing.SubjectCase, k.Object))
	}
	book, err := r.book()
	if err != nil || book == nil {
		return nil, err
	}
	p, err := policyIn(book, digest, issued.At, textOf(r.object(proofing.SubjectCase, k.Object).opened(), "profile"))
	if err != nil {
		return nil, fmt.Errorf("it was held against the case %s by %w", k.Object, err)
	}
	return p, nil
}

// eachApproved says whether a certificate has the approval of its CSR beneath a case, where the policy took one for each by then, or says itself that it has none, or that its profile
// is gone.
func (r *reading) eachApproved(c *EvidenceCertificate, k *EvidenceCase, issued proofing.Leaf) (bool, error) {
	o := r.object(proofing.SubjectCase, k.Object)
	found := listOf(issued.Facts, "findings")
	p, err := r.policyAt(k, issued)
	if errors.Is(err, errNoProfile) && slices.Contains(found, proofing.FindingProfile) { // it was taken out after the grant, and the certificate says that it was held to nothing
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if p == nil || p.Approvals == 0 || p.Approve != proofing.ApproveEach || textOf(o.opened(), "csr_digest") != "" {
		return true, nil
	}
	return slices.Contains(found, proofing.FindingCSRUnapproved) || slices.Contains(found, proofing.FindingCSRUnchecked) || slices.ContainsFunc(c.Approvals, func(id string) bool {
		of := r.object(proofing.SubjectCase, id)
		return of != nil && slices.ContainsFunc(of.leaves, func(l proofing.Leaf) bool {
			return l.Kind == proofing.EntryOpened && textOf(l.Facts, "parent") == k.Object
		})
	}), nil
}
