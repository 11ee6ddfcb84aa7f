package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// Verify says whether the file holds, and proves what it says, by the log's key alone. With the error it returns everything that is wrong.
func (e *Evidence) Verify(key LogKey) (*Proven, error) {
	if err := e.verifySeal(key); err != nil {
		return nil, err
	}
	size, root, err := key.open(e.Checkpoint)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	log := stated{size, root}
	r, err := e.read()
	if err != nil {
		return nil, err
	}
	if err := r.included(log); err != nil {
		return nil, err
	}
	again, err := r.derived()
	if err != nil {
		return nil, err
	}
	// What follows from the entries is judged, and not what the file says of itself: it says less, and may say something else.
	r.Evidence = again
	p := &Proven{Evidence: e, Log: key.Name(), Size: size, Losses: r.losses(), reading: r}
	votes, err := r.verifyVotes(log)
	faults := []error{same(e, again), r.verifySubject(), r.verifyActors(), r.verifyLog(), err, r.agreed(votes)}
	for i := range r.Certificates {
		facts, err := r.verifyCertificate(&r.Certificates[i])
		p.Facts, faults = append(p.Facts, facts), append(faults, err)
	}
	for i := range r.Cases {
		approvals, err := r.verifyCase(&r.Cases[i], log)
		p.Approvals, faults = append(p.Approvals, approvals...), append(faults, err)
	}
	faults = append(faults, once(votes, p.Approvals))
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return p, nil
}

// included holds every entry against the log of the checkpoint.
func (r *reading) included(log Log) error {
	var faults []error
	for _, o := range r.Objects {
		for i, e := range o.Entries {
			if err := log.Included("", e.Index, []byte(e.Leaf), e.Proof); err != nil {
				faults = append(faults, fmt.Errorf("%s, entry %d: %w", objectName(o.Of, o.Object), i+1, err))
			}
		}
	}
	return errors.Join(faults...)
}

// same says whether what follows from the rest of the file is what stands in it.
func same(e, derived *Evidence) error {
	have, err := e.Text()
	if err != nil {
		return err
	}
	want, err := derived.Text()
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return errors.New("what the file says of certificates and cases does not follow from their entries")
	}
	return nil
}

// verifySubject says whether everything is there that the subject has.
func (r *reading) verifySubject() error {
	switch r.Subject {
	case proofing.SubjectCertificate:
		if len(r.Certificates) != 1 || r.Certificates[0].Object != r.Object {
			return fmt.Errorf("the certificate %s is not the one that is there", r.Object)
		}
	case proofing.SubjectCase:
		if r.caseOf(r.Object) == nil {
			return fmt.Errorf("the case %s is not there", r.Object)
		}
		var faults []error
		for _, l := range r.object(proofing.SubjectCase, r.Object).leaves {
			if l.Kind != proofing.EntryIssued && l.Kind != proofing.EntryRenewed {
				continue
			}
			if id := textOf(l.Facts, "certificate"); !slices.ContainsFunc(r.Certificates, func(c EvidenceCertificate) bool { return c.Object == id }) {
				faults = append(faults, fmt.Errorf("case %s: entry %d tells of the certificate %s, which is not there", r.Object, l.Number, id))
			}
		}
		return errors.Join(faults...)
	default:
		return fmt.Errorf("the subject is a %q, which no evidence is made of", r.Subject)
	}
	return nil
}

// verifyActors says whether the appointments are there by which anybody has acted, and an object for each case and certificate.
func (r *reading) verifyActors() error {
	var faults []error
	for _, o := range r.Objects {
		for _, l := range r.object(o.Of, o.Object).leaves {
			if by := l.By.Appointment; by != "" && r.object(proofing.SubjectAppointment, by) == nil {
				faults = append(faults, fmt.Errorf("%s, entry %d: it was made by the appointment %s, whose entries are not there", objectName(o.Of, o.Object), l.Number, by))
			}
		}
		switch {
		case o.Of == proofing.SubjectCase && r.caseOf(o.Object) == nil:
			faults = append(faults, fmt.Errorf("the case %s has entries, and is not among the cases", o.Object))
		case o.Of == proofing.SubjectCertificate && !slices.ContainsFunc(r.Certificates, func(c EvidenceCertificate) bool { return c.Object == o.Object }):
			faults = append(faults, fmt.Errorf("the certificate %s has entries, and is not among the certificates", o.Object))
		}
	}
	return errors.Join(faults...)
}

func (r *reading) caseOf(id string) *EvidenceCase {
	i := slices.IndexFunc(r.Cases, func(c EvidenceCase) bool { return c.Object == id })
	if i < 0 {
		return nil
	}
	return &r.Cases[i]
}

// verifyCertificate holds a certificate against its entry, and against the cases that it rests on.
func (r *reading) verifyCertificate(c *EvidenceCertificate) (*proofing.CertificateFacts, error) {
	o := r.object(proofing.SubjectCertificate, c.Object)
	issued := o.leaves[o.first(proofing.EntryIssued, proofing.EntryRenewed)]
	entry := issued.Facts
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("certificate %s: "+format, append([]any{c.Object}, args...)...))
	}
	facts, err := proofing.ParseCertificate(c.DER)
	if err != nil {
		fault("%w", err)
		return nil, errors.Join(faults...)
	}
	for _, f := range []struct{ name, fact, have string }{
		{"certificate", "certificate_sha256", proofing.Digest(c.DER)}, {"serial number", "serial", facts.Serial}, {"public key", "spki_sha256", facts.SPKI},
		{"beginning", "not_before", jsonTime(facts.NotBefore)}, {"end", "not_after", jsonTime(facts.NotAfter)},
	} {
		if want := textOf(entry, f.fact); want != f.have {
			fault("the log has another %s: %s, not %s", f.name, want, f.have)
		}
	}
	if len(c.Cases) == 0 {
		fault("it rests on nothing")
	}
	if err := errors.Join(r.verifyKey(c, facts.SPKI, issued), r.shows(c, facts, issued)); err != nil {
		fault("%w", err)
	}
	for _, id := range c.Cases {
		k := r.caseOf(id)
		if k == nil {
			continue
		}
		switch approved, err := r.eachApproved(c, k, issued); {
		case err != nil:
			fault("%w", err)
		case !approved:
			fault("the policy of the case %s takes an approval for each CSR, and there is none for its", id)
		}
	}
	for _, id := range slices.Concat(c.Cases, c.Approvals) {
		k := r.caseOf(id)
		if k == nil {
			fault("it rests on the case %s, which is not there", id)
			continue
		}
		entries := r.object(proofing.SubjectCase, id)
		err := r.rests(c, entries, issued)
		if slices.Contains(c.Approvals, id) {
			err = errors.Join(err, r.beneath(c, entries))
		}
		if err != nil {
			fault("%w", err)
		}
		if k.Applicant == string(proofing.ByPublicKey) && k.Key != facts.SPKI {
			fault("it is for another key than the case %s", id)
		}
		opened := entries.opened()
		if key := textOf(opened, "csr_spki_sha256"); key != "" && key != facts.SPKI {
			fault("it is for another key than the certificate request that the case %s is about", id)
		}
		if csr, said := textOf(opened, "csr_digest"), textOf(entry, "csr_digest"); csr != "" && said != "" && csr != said {
			fault("the log has it for another certificate request than the case %s is about", id)
		}
	}
	return facts, errors.Join(faults...)
}

// verifyCase holds each decision against the log, and the decisions of a case against each other.
func (r *reading) verifyCase(c *EvidenceCase, log Log) (proven []ProvenApproval, err error) {
	o := r.object(proofing.SubjectCase, c.Object)
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("case %s: "+format, append([]any{c.Object}, args...)...))
	}
	for i, l := range o.leaves {
		if l.Kind == proofing.EntryEvidence {
			if err := r.verifyTaken(o, i); err != nil {
				fault("entry %d: %w", l.Number, err)
			}
		}
		if l.Kind != proofing.CaseDecided {
			continue
		}
		if n := countOf(c.Approvals, l.Number); n != 1 {
			fault("entry %d tells of a decision, and it is there %d times", l.Number, n)
		}
		if org := textOf(l.Facts, "organization"); r.object(proofing.SubjectOrganization, org) == nil {
			fault("entry %d was decided for the organization %s, whose dossier is not there", l.Number, org)
		}
	}
	for i := range c.Approvals {
		a := &c.Approvals[i]
		checked, err := r.verifyApproval(o, a, log)
		if err != nil {
			fault("the decision of entry %d: %w", a.Entry, err)
			continue
		}
		proven = append(proven, ProvenApproval{c.Object, a, checked})
	}
	if len(faults) == 0 {
		faults = append(faults, together(c.Object, proven), r.explained(c.Object, o), r.decidedEnough(c, o), r.demanded(c, o), r.complete(c, o, proven), r.separated(c.Object, o, proven), r.ruled(c.Object, o, proven), r.crossCorrelated(c.Object, o), r.sides(c.Object, o), r.officeless(c.Object, o))
	}
	return proven, errors.Join(faults...)
}

// decidedEnough says whether a grant has the decisions that its policy demands: made about the case, or about the request whose key binds its account, but for
// a CSR where each is approved.
func (r *reading) decidedEnough(c *EvidenceCase, o *readObject) error {
	if c.Policy == nil || c.Policy.Approvals == 0 || o.granted() < 0 {
		return nil
	}
	have := approvers(c, o)
	if len(c.Approvals) == 0 {
		for _, i := range o.proved() {
			if from := r.caseOf(textOf(o.leaves[i].Facts, "from")); from != nil {
				if about := r.object(proofing.SubjectCase, from.Object); r.decidedFor(c.Policy, o, about) {
					have = max(have, approvers(from, about))
				}
			}
		}
	}
	if have < c.Policy.Approvals {
		return fmt.Errorf("case %s was granted with the approval of %d, and its policy %s demands %d", c.Object, have, c.Policy.Digest, c.Policy.Approvals)
	}
	return nil
}

// approvers are how many of the organization have approved a case before its grant.
func approvers(c *EvidenceCase, o *readObject) int {
	persons, granted := map[string]bool{}, o.granted()
	for _, a := range c.Approvals {
		d, err := proofing.ParseDocument([]byte(a.Document))
		if err == nil && d.Step == string(proofing.StepApprove) && d.Decision == proofing.DecideApprove && granted >= 0 && a.Entry < o.leaves[granted].Number {
			persons[d.By.Person] = true
		}
	}
	return len(persons)
}

func countOf(all []EvidenceApproval, entry int64) (n int) {
	for _, a := range all {
		if a.Entry == entry {
			n++
		}
	}
	return n
}

// verifyApproval holds a decision about a case against its entries, its passkey and the appointment by which it was made.
func (r *reading) verifyApproval(k *readObject, a *EvidenceApproval, log Log) (*Checked, error) {
	c, err := r.verifySigned(k, a, log)
	if err != nil {
		return nil, err
	}
	return c, errors.Join(stepped(c), r.stood(k, c), about(k, &c.Document, a.Entry), r.forWhom(k, c))
}

// verifySigned holds a decision against its entry in a record, and against the passkey that has signed it.
func (r *reading) verifySigned(k *readObject, a *EvidenceApproval, log Log) (*Checked, error) {
	passkey := r.object(proofing.SubjectAuthenticator, a.Authenticator)
	if passkey == nil || a.Enrolment < 1 || a.Enrolment > int64(len(passkey.Entries)) || a.Entry < 1 || a.Entry > int64(len(k.Entries)) {
		return nil, errors.New("its entries are not there")
	}
	decided := k.Entries[a.Entry-1].Logged
	whole := Approval{Type: ApprovalType, Document: a.Document, Signature: a.Signature, Enrolment: passkey.Entries[a.Enrolment-1].Logged, Decision: decided}
	c, err := whole.Verify(log)
	if err != nil {
		return nil, err
	}
	for i := int(a.Enrolment); i < len(passkey.leaves); i++ {
		if l := passkey.leaves[i]; l.Kind == proofing.EntryRemoved && passkey.Entries[i].Index < decided.Index && l.At.Before(c.Decided.At) {
			return nil, fmt.Errorf("the passkey was taken away on %s, before it", l.At)
		}
	}
	by := c.Document.By
	if c.Decided.By.Appointment != by.Appointment || c.Decided.By.Role != by.Role {
		return nil, fmt.Errorf("it was signed by the appointment %s as %s, and entered by %s as %s", by.Appointment, by.Role, c.Decided.By.Appointment, c.Decided.By.Role)
	}
	return c, nil
}

// separated says whether a grant has the decisions that it takes, nobody has refused it before, and nobody has decided for both sides or reviewed what they had
// decided (CSBR 3.2.9, 5.2.4).
func (r *reading) separated(id string, o *readObject, all []ProvenApproval) error {
	granted := o.granted()
	if granted < 0 || len(all) == 0 {
		return nil
	}
	persons := map[proofing.Step]map[string]bool{}
	for _, a := range all {
		step, d := proofing.Step(a.Checked.Document.Step), a.Checked.Document
		if a.Entry > o.leaves[granted].Number {
			continue
		}
		if d.Decision != proofing.DecideApprove {
			return fmt.Errorf("case %s was granted after %s had refused it, as entry %d says", id, d.By.Person, a.Entry)
		}
		if persons[step] == nil {
			persons[step] = map[string]bool{}
		}
		persons[step][d.By.Person] = true
	}
	takes := []proofing.Step{proofing.StepApprove, proofing.StepReview}
	if !r.vettedAbove(o, o.leaves[granted].At) {
		takes = append(takes, proofing.StepVet)
	}
	for _, step := range takes {
		if len(persons[step]) == 0 {
			return fmt.Errorf("case %s was granted, and nobody has made the decision %q", id, step)
		}
	}
	for person := range persons[proofing.StepApprove] {
		if persons[proofing.StepVet][person] {
			return fmt.Errorf("case %s: %s has decided for both sides", id, person)
		}
	}
	for person := range persons[proofing.StepReview] {
		if persons[proofing.StepApprove][person] || persons[proofing.StepVet][person] {
			return fmt.Errorf("case %s: %s has reviewed what they had decided before", id, person)
		}
	}
	return nil
}
