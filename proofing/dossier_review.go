package proofing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A grant is made by somebody who has collected nothing and has looked at everything that was (CSBR 3.2.9). What is collected afterwards, so that the grant
// goes on, takes the same: it counts for what was granted once such a person has looked at the dossier again.

// DossierReview is that somebody who has collected nothing has found that a dossier fits together.
type DossierReview struct {
	// Entry is the number of the newest entry of the dossier that they were shown.
	Entry int64 `json:"entry"`
	Act
}

// noticeReview tells the authority's reviewers that something was recorded anew on which grants may rest.
const noticeReview = "dossier_review"

// reviews says whether the appointment's holder may review what was collected for an authority.
func (a *Appointment) reviews(ca string) bool {
	return a.Role == RoleReviewer && a.CA == ca && ca != ""
}

// Reviews says whether any of the appointments reviews for an authority.
func Reviews(mine []*Appointment, ca string) bool {
	return slices.ContainsFunc(mine, func(a *Appointment) bool { return a.reviews(ca) })
}

// Unreviewed are the items that count now, and were recorded since the dossier was last reviewed. Domains are not among them: no certificate rests on one.
func (o *Organization) Unreviewed() []*Item { return o.recordedAfter(o.reviewedTo()) }

func (o *Organization) reviewedTo() int64 {
	if o.Review == nil {
		return 0
	}
	return o.Review.Entry
}

func (o *Organization) recordedAfter(entry int64) []*Item {
	return slices.DeleteFunc(o.Currents(), func(it *Item) bool { return it.Entry <= entry || it.Kind == ItemDomain })
}

// unreviewed are the items that a grant for a key would rest on and whose collection nobody else has looked at: neither its own review, nor one of the dossier since. As long as
// the key is not known (it is empty), the grant rests on any evidence of key protection that does for some key: it waits for a review if none of it had one.
func (o *Organization) unreviewed(a *Approval, key string, partakers []*Appointment, now time.Time) (all []Lack) {
	seen := o.reviewedTo()
	for _, d := range a.Decisions {
		if d.Step == StepReview && !d.Refused && d.Void == "" {
			seen = max(seen, d.Dossier)
		}
	}
	protection := false // is among them
	for _, it := range o.recordedAfter(seen) {
		if it.Kind == ItemKeyProtection {
			protection = protection || key == "" && !o.protectedBy(seen, now) || key != "" && it.About(key)
		} else if it.Subject == "" || slices.ContainsFunc(partakers, func(p *Appointment) bool { return p.ID == it.Subject }) {
			all = append(all, Lack{Code: LackUnreviewed, Kind: it.Kind, Clause: "3.2.9", Subject: it.Subject})
		}
	}
	if protection {
		all = append(all, Lack{Code: LackUnreviewed, Kind: ItemKeyProtection, Clause: "3.2.9"})
	}
	return all
}

// reviewed notes a review. An older one says nothing new.
func (o *Organization) reviewed(entry int64, act Act, facts map[string]any) {
	if entry <= o.reviewedTo() {
		return
	}
	facts["entry"] = entry
	o.Review = &DossierReview{entry, act}
	o.write(OrganizationReviewed, act, facts, nil)
}

// ReviewDossier says that everything in a dossier fits together, as of the entry that the page showed. It may come twice. ErrNotFound for a dossier at whose
// authority the person of the session reviews nothing, besides the errors of Console and ErrNotAdmitted; and the *InputError codes "review_stale" (something was
// recorded since), "review_collector" (they have collected some of it, CSBR 3.2.9) and "item_side" (they act for the organization).
func (s *Service) ReviewDossier(ctx context.Context, v Visit, organization string, entry int64) (*Organization, error) {
	at, err := s.atDossier(ctx, v, organization, (*Appointment).reviews)
	if err != nil {
		return nil, err
	}
	me, mine, people := at.officer, at.mine, at.people
	return s.Dossiers.Update(ctx, organization, func(o *Organization) error {
		now := s.now()
		switch {
		case o.Review != nil && o.Review.Entry == entry && o.Review.By.ID == me.Person.ID:
			return nil // once more
		case len(o.recordedAfter(entry)) > 0 || entry > o.Version():
			return &InputError{Field: "number", Code: "review_stale"}
		case SidesWith(people, o, me.Person.ID, now):
			return &InputError{Field: "number", Code: "item_side"}
		case !o.MayReview(me.Person.ID, now):
			return &InputError{Field: "number", Code: "review_collector"}
		}
		o.reviewed(entry, me.act(mine, now), map[string]any{})
		return nil
	})
}

// MayReview says whether somebody has collected nothing of what counts in the dossier, or need not have: where an Enterprise RA works for its own organization
// one person may do both (CSBR 1.3.2.1.2).
func (o *Organization) MayReview(person string, now time.Time) bool {
	return o.exempts(person, now) || !slices.Contains(o.Collectors(now), person)
}

// reviewedBy notes in the dossier that the reviewer of a request has looked at all of it: the decision says so itself, and this is for whoever looks at the
// dossier.
func (s *Service) reviewedBy(ctx context.Context, c *Case, d *Decision, act Act) error {
	if _, err := s.Dossiers.Update(ctx, c.Approval.Organization, func(o *Organization) error {
		o.reviewed(d.Dossier, act, map[string]any{"case": c.ID})
		return nil
	}); err != nil {
		return fmt.Errorf("note review in the dossier: %w", err)
	}
	return nil
}

// reviewers are those who are told that there is something to review, unless something was recorded after that entry already: then they have been.
type reviewers struct {
	boxes []recipient
	after int64
}

// toReview are those who are to hear that somebody records something of a kind: the authority's reviewers, but not who collects it (CSBR 3.2.9)
// or acts for the organization, and nobody as long as no grant rests on the dossier.
func (s *Service) toReview(ctx context.Context, o *Organization, people []*Appointment, kind ItemKind, collector string) (r reviewers, err error) {
	if kind == ItemDomain {
		return r, nil
	}
	if r.after = o.reviewedTo(); o.Review == nil {
		granted := false
		if granted, r.after, err = s.grantedBy(ctx, o); err != nil || !granted {
			return r, err
		}
	}
	if len(o.recordedAfter(r.after)) > 0 {
		return r, nil
	}
	now := s.now()
	r.boxes, err = s.boxesOf(ctx, o, func(a *Appointment) bool {
		return a.reviews(o.CA) && o.MayReview(a.Person, now) && !SidesWith(people, o, a.Person, now) && (a.Person != collector || o.exempts(collector, now))
	})
	return r, err
}

// grantedBy says whether any of the newest requests of an organization is granted, and up to which entry of the dossier those who reviewed them have seen it. A dossier
// may not have been told of it: it was granted before dossiers knew, or the process died in between.
func (s *Service) grantedBy(ctx context.Context, o *Organization) (granted bool, seen int64, err error) {
	newest, _, err := s.Cases.List(ctx, Query{Index: "requests", Prefix: o.ID + ".", Merged: true, Limit: mostDocket})
	if err != nil {
		return false, 0, fmt.Errorf("list requests of an organization: %w", err)
	}
	for _, c := range newest {
		if c.Grant == nil || c.Status.Over() {
			continue
		}
		granted = true
		for _, d := range c.Approval.Decisions {
			if d.Step == StepReview && !d.Refused && d.Void == "" {
				seen = max(seen, d.Dossier)
			}
		}
	}
	return granted, seen, nil
}
