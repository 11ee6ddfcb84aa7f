package audit

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// decidedFor says whether what people decided about one case can be a decision about another one, whose account is bound by the key that the first has ended in:
// of one authority, under one profile and for the same, and not about another CSR.
func (r *reading) decidedFor(policy *EvidencePolicy, o, about *readObject) bool {
	if o.first(proofing.EntryOpened) < 0 || about.first(proofing.EntryOpened) < 0 || sameRequest(o, about) != nil || r.boundBy(o, about) != nil {
		return false
	}
	csr := textOf(about.opened(), "csr_digest")
	return csr == textOf(o.opened(), "csr_digest") || csr == "" && policy.Approve != proofing.ApproveEach
}

// boundBy says whether the account of a case was bound, before that was opened, by the key that another one has ended in, or by one in the place of which it was put.
func (r *reading) boundBy(o, from *readObject) error {
	i := max(o.first(proofing.EntryOpened), 0)
	opened := o.leaves[i]
	id, kid, next, bound := textOf(opened.Facts, "eab_key"), textOf(opened.Facts, "eab_kid"), "", false
	for hops := 0; id != "" && !bound && hops <= len(r.Objects); hops++ {
		k := r.object(proofing.SubjectKey, id)
		if k == nil {
			return fmt.Errorf("the key %s by which its account was bound is not there", id)
		}
		made := k.leaves[0]
		said := textOf(k.private[0], "kid")
		switch {
		case made.Kind != proofing.EntryKeyMade || textOf(made.Facts, "ca") != textOf(opened.Facts, "ca"):
			return fmt.Errorf("the key %s is none of its authority", id)
		case next == "" && said != "" && said != kid:
			return fmt.Errorf("its account was bound by the key %s, and %s is another", kid, id)
		case next == "" && textOf(made.Facts, "case") != from.Object:
			return fmt.Errorf("the key %s by which its account was bound was made of the case %q, and not of %s", id, textOf(made.Facts, "case"), from.Object)
		case next != "" && !slices.ContainsFunc(k.leaves, func(l proofing.Leaf) bool {
			return l.Kind == proofing.EntryKeyRotated && textOf(l.Facts, "replaced_by") == next
		}):
			return fmt.Errorf("the key %s was not put in the place of %s", next, id)
		}
		bound = slices.ContainsFunc(k.leaves, func(l proofing.Leaf) bool {
			return l.Kind == proofing.EntryKeyBound && textOf(l.Facts, "account") == textOf(opened.Facts, "applicant_id") && !l.At.After(opened.At.Add(proofing.ClockSkew))
		})
		id, next = textOf(made.Facts, "replaces"), id
	}
	if !bound {
		return errors.New("by the log its account was bound by no key of that case before")
	}
	return nil
}

// takes says whether a case may have what was proved in another one: it is beneath that, or its account was bound by the key that it has ended in.
func (r *reading) takes(o, from *readObject) error {
	if textOf(o.opened(), "parent") == from.Object {
		return nil
	}
	return r.boundBy(o, from)
}

// verifyTaken says whether what a case has of another was proved there, and the other granted before.
func (r *reading) verifyTaken(o *readObject, i int) error {
	from, event := textOf(o.leaves[i].Facts, "from"), textOf(o.leaves[i].Facts, "event")
	if from == "" {
		return nil
	}
	if r.caseOf(from) == nil {
		return fmt.Errorf("it was proved in the case %s, which is not there", from)
	}
	source := r.object(proofing.SubjectCase, from)
	n := slices.IndexFunc(source.leaves, func(l proofing.Leaf) bool {
		return l.Kind == proofing.EntryEvidence && textOf(l.Facts, "event") == event
	})
	granted := source.granted()
	switch {
	case n < 0:
		return fmt.Errorf("it was proved in the case %s, where no entry tells of %s", from, event)
	case granted < 0 || source.leaves[granted].At.After(o.leaves[i].At.Add(proofing.ClockSkew)): // two records reach the log in any order
		return fmt.Errorf("it was proved in the case %s, which was not granted then", from)
	case o.private[i] != nil && source.private[n] != nil && !reflect.DeepEqual(o.private[i]["evidence"], source.private[n]["evidence"]):
		return fmt.Errorf("it was proved in the case %s, where %s is something else", from, event)
	}
	if err := r.takes(o, source); err != nil {
		return fmt.Errorf("it was proved in the case %s: %w", from, err)
	}
	return nil
}

// vetted says whether a specialist has said of a case, before a time, that everything is collected: in it, or in the one whose key its account is bound by.
func (r *reading) vetted(o *readObject, before time.Time, hops int) bool {
	for _, l := range o.leaves {
		step, from := textOf(l.Facts, "step"), r.object(proofing.SubjectCase, textOf(l.Facts, "from"))
		switch {
		case l.At.After(before.Add(proofing.ClockSkew)) || hops == 0:
		case l.Kind == proofing.CaseDecided && step == string(proofing.StepVet) && textOf(l.Facts, "decision") == proofing.DecideApprove:
			return true
		case l.Kind == proofing.EntryEvidence && from != nil && r.vetted(from, before, hops-1):
			return true
		}
	}
	return false
}

// vettedAbove says whether what there is to collect for a case was collected for what it is beneath.
func (r *reading) vettedAbove(o *readObject, before time.Time) bool {
	const most = 3 // beneath an authorization, whose account is bound by a key
	parent := r.object(proofing.SubjectCase, textOf(o.opened(), "parent"))
	return parent != nil && parent != o && r.vetted(parent, before, most)
}
