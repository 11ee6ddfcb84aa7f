package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// reading is an evidence file whose entries were read.
type reading struct {
	*Evidence
	objects map[string]*readObject
	// offices are the appointments that were looked at, with what is wrong with them, by their entries.
	offices map[string]error
}

// readObject is what a record's entries say.
type readObject struct {
	*EvidenceObject
	leaves []proofing.Leaf
	// private are their private parts; nil where there is none.
	private []map[string]any
}

func objectName(of proofing.Subject, id string) string { return string(of) + " " + id }

// read reads all entries: each in its one form, all of the object that they stand under, and their numbers without a gap.
func (e *Evidence) read() (*reading, error) {
	r := &reading{e, map[string]*readObject{}, map[string]error{}}
	var faults []error
	last := ""
	for i := range e.Objects {
		o := &readObject{EvidenceObject: &e.Objects[i]}
		name := objectName(o.Of, o.Object)
		if name <= last {
			faults = append(faults, fmt.Errorf("%s: it does not come after %s, so that something was moved or is there twice", name, last))
		}
		last = name
		if err := o.read(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
		r.objects[name] = o
	}
	return r, errors.Join(faults...)
}

func (o *readObject) read() error {
	if len(o.Entries) == 0 {
		return errors.New("it has no entries")
	}
	for i := range o.Entries {
		e, number := &o.Entries[i], int64(i)+1
		leaf, err := readLeaf(e.Leaf)
		if err != nil {
			return fmt.Errorf("entry %d: %w", number, err)
		}
		switch {
		case leaf.Of != o.Of || leaf.Object != o.Object:
			return fmt.Errorf("entry %d is of %s", number, objectName(leaf.Of, leaf.Object))
		case leaf.Number != number:
			return fmt.Errorf("it is number %d where number %d is to come: an entry was added, taken away or moved", leaf.Number, number)
		case i > 0 && e.Index <= o.Entries[i-1].Index:
			return fmt.Errorf("entry %d is before the one that it follows in the log", number)
		case (e.Salt == "") != (e.Private == nil):
			return fmt.Errorf("entry %d: of its private part one half is missing", number)
		}
		var private map[string]any
		if e.Private != nil {
			if whole := (&proofing.Entry{Leaf: e.Leaf, Salt: e.Salt, Private: e.Private}); leaf.Commitment == "" || !whole.Opens() {
				return fmt.Errorf("entry %d: its private part is not what it commits to", number)
			}
			if err := json.Unmarshal(e.Private, &private); err != nil {
				return fmt.Errorf("entry %d: its private part is no object", number)
			}
		}
		o.leaves, o.private = append(o.leaves, leaf), append(o.private, private)
	}
	return nil
}

// object is a record of the file; nil if there is none.
func (r *reading) object(of proofing.Subject, id string) *readObject {
	return r.objects[objectName(of, id)]
}

// first is the place in the list of the first entry of a kind; -1 if there is none.
func (o *readObject) first(kinds ...proofing.EntryKind) int {
	return slices.IndexFunc(o.leaves, func(l proofing.Leaf) bool { return slices.Contains(kinds, l.Kind) })
}

// opened is what a case was opened with.
func (o *readObject) opened() map[string]any {
	return o.leaves[max(o.first(proofing.EntryOpened), 0)].Facts
}

func textOf(members map[string]any, name string) string {
	text, _ := members[name].(string)
	return text
}

func listOf(members map[string]any, name string) (list []string) {
	all, _ := members[name].([]any)
	for _, v := range all {
		text, _ := v.(string)
		list = append(list, text)
	}
	return list
}

// granted is the place of the entry that tells of the grant; -1 if there is none.
func (o *readObject) granted() int {
	return slices.IndexFunc(o.leaves, func(l proofing.Leaf) bool {
		return l.Kind == proofing.EntryStatus && textOf(l.Facts, "to") == string(proofing.CaseGranted)
	})
}

// proved are the entries that tell of what was proved before the grant, or at all if there is none.
func (o *readObject) proved() (places []int) {
	end := o.granted()
	for i, l := range o.leaves {
		if l.Kind == proofing.EntryEvidence && (end < 0 || i < end) {
			places = append(places, i)
		}
	}
	return places
}

// claimed are the levels that the log has of the grant.
type claimed struct {
	framework     proofing.Framework
	operator      proofing.OperatorFacts
	at            time.Time
	ial, aal, fal int // 0: none
	policy        string
	suspended     []string // events whose authenticators were suspended then, or taken away
}

// claims reads them; false if there is no grant, or the log has not what it takes to judge it anew.
func (o *readObject) claims() (c claimed, ok bool) {
	i := o.granted()
	if i < 0 {
		return c, false
	}
	facts := o.leaves[i].Facts
	level := func(name string) int { n, _ := facts[name].(float64); return int(n) }
	c = claimed{framework: proofing.Framework(textOf(facts, "framework")), ial: level("ial"), aal: level("aal"), fal: level("fal"), policy: textOf(facts, "policy"), suspended: listOf(facts, "suspended")}
	operator, _ := facts["operator"].(map[string]any)
	is := func(name string) bool { b, _ := operator[name].(bool); return b }
	c.operator = proofing.OperatorFacts{
		VerifierFIPS140Validated: is("verifier_fips140_validated"), AcceptUnverifiedLineType: is("accept_unverified_line_type"), RequireAttestation: is("require_attestation"),
	}
	var err error
	c.at, err = time.Parse(time.RFC3339Nano, textOf(facts, "granted_at"))
	return c, err == nil && c.framework.Valid()
}

// assessed judges what was proved anew, by the rules; nil if there is no grant, or facts were erased. An error says that what is there does not earn
// what the grant claims.
func (o *readObject) assessed() (*proofing.Assessment, error) {
	c, ok := o.claims()
	if !ok {
		return nil, nil
	}
	events := []proofing.Evidence{}
	for _, i := range o.proved() {
		var private struct {
			Evidence proofing.Evidence `json:"evidence"`
		}
		if o.Entries[i].Private == nil {
			return nil, nil
		}
		if err := json.Unmarshal(o.Entries[i].Private, &private); err != nil {
			return nil, fmt.Errorf("entry %d: what was proved cannot be read: %w", o.leaves[i].Number, err)
		}
		private.Evidence.Suspended = slices.Contains(c.suspended, private.Evidence.ID)
		events = append(events, private.Evidence)
	}
	a := proofing.Assess(c.framework, c.operator, c.at, events)
	level := func(n *int) int {
		if n == nil {
			return 0
		}
		return *n
	}
	if level(a.IAL) != c.ial || level(a.AAL) != c.aal || level(a.FAL) != c.fal {
		return nil, fmt.Errorf("the grant claims IAL %d, AAL %d and FAL %d, and what was proved earns IAL %d, AAL %d and FAL %d", c.ial, c.aal, c.fal, level(a.IAL), level(a.AAL), level(a.FAL))
	}
	return &a, nil
}

// derived is the file with everything anew that follows from the rest of it.
func (r *reading) derived() (derived *Evidence, err error) {
	e := *r.Evidence
	e.Certificates, e.Cases = []EvidenceCertificate{}, []EvidenceCase{}
	for _, have := range r.Certificates {
		c, err := r.deriveCertificate(have)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", have.Object, err)
		}
		e.Certificates = append(e.Certificates, c)
	}
	for _, have := range r.Cases {
		c, err := r.deriveCase(have)
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", have.Object, err)
		}
		e.Cases = append(e.Cases, c)
	}
	if e.Policies, err = r.derivePolicies(); err != nil {
		return nil, fmt.Errorf("policy book: %w", err)
	}
	slices.SortFunc(e.Certificates, func(a, b EvidenceCertificate) int { return strings.Compare(a.Object, b.Object) })
	slices.SortFunc(e.Cases, func(a, b EvidenceCase) int { return strings.Compare(a.Object, b.Object) })
	// What is there twice would be counted twice by whoever reads the file.
	e.Certificates = slices.CompactFunc(e.Certificates, func(a, b EvidenceCertificate) bool { return a.Object == b.Object })
	e.Cases = slices.CompactFunc(e.Cases, func(a, b EvidenceCase) bool { return a.Object == b.Object })
	return &e, nil
}

// derivePolicies are the decisions about policies.
func (r *reading) derivePolicies() (all []EvidenceApproval, err error) {
	book, err := r.book()
	if err != nil || len(r.Policies) == 0 {
		return nil, err
	}
	if book == nil {
		return nil, errors.New("its entries are not there")
	}
	for _, a := range r.Policies {
		if a, err = r.deriveApproval(book, proofing.PolicyIsDecided, a); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b EvidenceApproval) int { return int(a.Entry - b.Entry) })
	return slices.CompactFunc(all, func(a, b EvidenceApproval) bool { return a.Entry == b.Entry }), nil
}

func (r *reading) deriveCertificate(have EvidenceCertificate) (c EvidenceCertificate, err error) {
	o := r.object(proofing.SubjectCertificate, have.Object)
	if o == nil {
		return c, errors.New("its entries are not there")
	}
	i := o.first(proofing.EntryIssued, proofing.EntryRenewed)
	if i < 0 {
		return c, errors.New("no entry tells of its issuance")
	}
	return EvidenceCertificate{
		Object: have.Object, DER: have.DER, Serial: textOf(o.leaves[i].Facts, "serial"), Cases: listOf(o.leaves[i].Facts, "cases"), Approvals: listOf(o.leaves[i].Facts, "approvals"),
		Order: textOf(o.private[i], "order"), Account: textOf(o.private[i], "account"),
	}, nil
}

func (r *reading) deriveCase(have EvidenceCase) (c EvidenceCase, err error) {
	o := r.object(proofing.SubjectCase, have.Object)
	if o == nil {
		return c, errors.New("its entries are not there")
	}
	i := o.first(proofing.EntryOpened)
	if i < 0 {
		return c, errors.New("no entry tells that it was opened")
	}
	assessment, err := o.assessed()
	if err != nil {
		return c, err
	}
	policy, err := r.policyOf(o)
	if err != nil {
		return c, err
	}
	facts := o.leaves[i].Facts
	c = EvidenceCase{
		Object: have.Object, Applicant: textOf(facts, "applicant"), Key: textOf(facts, "applicant_key"), Kid: textOf(facts, "eab_kid"),
		Challenges: []int64{}, Assessment: assessment, Approvals: []EvidenceApproval{}, Policy: policy,
	}
	for _, i := range o.proved() {
		c.Challenges = append(c.Challenges, o.leaves[i].Number)
	}
	for _, a := range have.Approvals {
		if a, err = r.deriveApproval(o, proofing.CaseDecided, a); err != nil {
			return c, err
		}
		c.Approvals = append(c.Approvals, a)
	}
	slices.SortFunc(c.Approvals, func(a, b EvidenceApproval) int { return int(a.Entry - b.Entry) })
	return c, nil
}

// deriveApproval finds the entry of a decision, and that of the enrolment of the passkey that has signed it.
func (r *reading) deriveApproval(o *readObject, kind proofing.EntryKind, a EvidenceApproval) (EvidenceApproval, error) {
	digest := proofing.Digest([]byte(a.Document))
	i := slices.IndexFunc(o.leaves, func(l proofing.Leaf) bool {
		return l.Kind == kind && textOf(l.Facts, proofing.FactDocument) == digest
	})
	if i < 0 {
		return a, fmt.Errorf("no entry tells of the decision by the document %s", digest)
	}
	a.Entry, a.Authenticator, a.Enrolment = o.leaves[i].Number, "", 0
	for _, p := range r.Objects {
		if p.Of != proofing.SubjectAuthenticator {
			continue
		}
		k := r.object(p.Of, p.Object)
		for n, l := range k.leaves {
			if l.Kind == proofing.EntryEnrolled && textOf(l.Facts, factCredential) == a.Signature.Credential.String() && k.Entries[n].Index < o.Entries[i].Index {
				a.Authenticator, a.Enrolment = p.Object, l.Number
			}
		}
	}
	if a.Enrolment == 0 {
		return a, fmt.Errorf("entry %d: the enrolment of the passkey that has signed it is not there", a.Entry)
	}
	return a, nil
}
