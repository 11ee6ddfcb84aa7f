package audit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// vote is the decision of an administrator about a policy that holds, and the passkey that it was signed with.
type vote struct {
	*Checked
	passkey *readObject
}

// verifyVotes holds the decisions about policies against the log, by the numbers of their entries in the policy book.
func (r *reading) verifyVotes(log Log) (votes map[int64]vote, err error) {
	book, err := r.book()
	if err != nil || book == nil {
		return nil, err // what there is without a book does not follow from it
	}
	votes = map[int64]vote{}
	var faults []error
	for i := range r.Policies {
		a := &r.Policies[i]
		c, err := r.verifySigned(book, a, log)
		if err == nil {
			_, err = r.held(c.Document.By, c.Decided.At)
			err = errors.Join(err, stepped(c))
			if digest := textOf(c.Decided.Facts, "digest"); digest != c.Document.Proposed {
				err = errors.Join(err, fmt.Errorf("the policy %s was signed, and the log has %s", c.Document.Proposed, digest))
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("the decision of entry %d of the policy book: %w", a.Entry, err))
			continue
		}
		votes[a.Entry] = vote{c, r.object(proofing.SubjectAuthenticator, a.Authenticator)}
	}
	return votes, errors.Join(faults...)
}

// agreed says whether those policies came into force as they must which grants and certificates of the file name.
func (r *reading) agreed(votes map[int64]vote) error {
	book, err := r.book()
	if err != nil || book == nil {
		return err
	}
	named := map[string]bool{}
	for _, o := range r.objects {
		for _, l := range o.leaves {
			if l.Kind == proofing.EntryStatus || l.Kind == proofing.EntryIssued || l.Kind == proofing.EntryRenewed {
				named[textOf(l.Facts, "policy")] = true
			}
		}
	}
	var faults []error
	for i, l := range book.leaves {
		if (l.Kind == proofing.PolicyIsAdopted || l.Kind == proofing.PolicyIsInForce) && named[textOf(l.Facts, "digest")] {
			faults = append(faults, r.approved(book, i, votes))
		}
	}
	return errors.Join(faults...)
}

// approved says whether the policy of an entry came into force as one must: the first was adopted by the service, and any other one was approved by administrators,
// whose decisions are there, since it was proposed. One refusal ends a proposal, and so does another one. A word counts for as long as another one may join it, while
// its administrator is one and has the passkey that signed it.
func (r *reading) approved(book *readObject, i int, votes map[int64]vote) error {
	in := book.leaves[i]
	digest, open, persons := textOf(in.Facts, "digest"), false, map[string]bool{}
	if in.Kind == proofing.PolicyIsAdopted && i == 0 && in.By == proofing.ByService {
		return nil
	}
	for _, l := range book.leaves[:i] {
		same := textOf(l.Facts, "digest") == digest
		switch l.Kind {
		case proofing.PolicyIsProposed, proofing.PolicyIsInForce, proofing.PolicyIsAdopted, proofing.PolicyIsReplaced:
			open = same && l.Kind == proofing.PolicyIsProposed
			clear(persons)
		case proofing.PolicyIsDecided:
			v, there := votes[l.Number]
			switch {
			case !same:
			case textOf(l.Facts, "decision") != proofing.DecideApprove:
				open = false
				clear(persons)
			case there && open && !l.At.Before(in.At.Add(-proofing.PolicyApprovedFor-proofing.ClockSkew)) && r.stillVotes(book, i, v):
				persons[l.By.ID] = true
			}
		}
	}
	if len(persons) < proofing.PolicyApprovals {
		return fmt.Errorf("entry %d of the policy book puts %s in force, and %d have approved it", in.Number, digest, len(persons))
	}
	return nil
}

// stillVotes says whether who has decided about a policy was an administrator still when it came into force, and had the passkey.
func (r *reading) stillVotes(book *readObject, i int, v vote) bool {
	_, err := r.held(v.Document.By, book.leaves[i].At)
	return err == nil && !slices.ContainsFunc(v.passkey.between(v.Enrolled.Number, book.Entries[i].Index), func(l proofing.Leaf) bool {
		return l.Kind == proofing.EntryRemoved && l.At.Before(book.leaves[i].At.Add(-proofing.ClockSkew))
	})
}

// between are the entries after one of a record, and before a place in the log.
func (o *readObject) between(number, index int64) (all []proofing.Leaf) {
	for n, l := range o.leaves {
		if l.Number > number && o.Entries[n].Index < index {
			all = append(all, l)
		}
	}
	return all
}
