package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// retireMost is how many pages are looked at in one pass: of those that come of age, and as many again of those of which something was kept.
const retireMost = 500

// standing says whether an entry tells what stays true until another one tells otherwise, however old it is, and tells it of no person: the text of a policy, by
// which grants are given and certificates judged as long as nobody changes it, and the name of an organization.
func standing(e *Entry) bool {
	leaf, err := e.Said()
	return err == nil && slices.Contains([]EntryKind{PolicyIsAdopted, PolicyIsInForce, OrganizationIsOpened}, leaf.Kind)
}

// retire erases what entries say beside their leaves in pages that are older than the log keeps it. What still counted within that time is kept, and its page looked at
// again when that is over, see retirement.until. A process may die anywhere: a page is changed in one step, and looked at again until it is counted.
func (s *Service) retire(ctx context.Context, l *logEnd) error {
	now := s.now()
	if l == nil || s.Policy.LogRetention <= 0 || !l.retired.IsZero() && now.Sub(l.retired) < retireEvery {
		return nil
	}
	r := &retirement{s: s, now: now, before: now.Add(-s.Policy.LogRetention), appointments: map[string]*Appointment{}, dossiers: map[string]*Organization{}}
	aged, err := r.aged(ctx)
	if err == nil && !aged {
		aged, err = r.again(ctx)
	}
	if err != nil {
		return fmt.Errorf("erase what is too old in the log: %w", err)
	}
	if !aged {
		l.retired = now
	}
	return nil
}

// retirement is one pass over what is too old in the log.
type retirement struct {
	s           *Service
	now, before time.Time // what counted last before that is erased
	// The records that have been asked, by their ids.
	appointments map[string]*Appointment
	dossiers     map[string]*Organization
}

// aged goes through the pages that have come of age since the last pass. It says whether there may be more.
func (r *retirement) aged(ctx context.Context) (more bool, err error) {
	h, err := r.s.LogHead(ctx)
	if err != nil {
		return false, err
	}
	n := h.Retired
	for n+1 < h.Next && n < h.Retired+retireMost {
		p, err := r.s.LogPage(ctx, n+1)
		if err == nil && p.At.After(r.before) {
			break
		}
		if err == nil {
			err = r.page(ctx, p)
		}
		if err != nil && !errors.Is(err, ErrLogPageLost) { // of one that is lost there is nothing to erase
			return false, err
		}
		n++
	}
	if n > h.Retired {
		if _, err := r.s.LogHeads.Update(ctx, h.ID, func(h *LogHead) error { h.Retired = max(h.Retired, n); return nil }); err != nil {
			return false, err
		}
	}
	return n == h.Retired+retireMost, nil
}

// again goes through the pages of which something was kept that may have been over for as long by now. It says whether there are more. One that is damaged holds up no other.
func (r *retirement) again(ctx context.Context) (more bool, err error) {
	pages, next, err := r.s.LogPages.List(ctx, Query{Index: "counted", Below: stamp(r.before), Limit: retireMost, Unreadable: r.s.passOver("log page")})
	if err != nil {
		return false, err
	}
	for _, p := range pages {
		if err := r.page(ctx, p); err != nil {
			return false, err
		}
	}
	return next != "", nil
}

// page erases the private parts of a page, but for those that are to be kept.
func (r *retirement) page(ctx context.Context, p *LogPage) error {
	counted := make([]time.Time, len(p.Entries)) // never less than there: entries stay where they are
	for i := range p.Entries {
		var err error
		if counted[i], err = r.until(ctx, &p.Entries[i]); err != nil {
			return err
		}
	}
	_, err := r.s.LogPages.Update(ctx, r.s.logPageID(p.Number), func(p *LogPage) error {
		p.Counted = time.Time{}
		for i := range p.Entries {
			switch e := &p.Entries[i]; {
			case len(e.Private) == 0 || standing(e):
			case counted[i].After(r.before):
				p.Counted = earliest(p.Counted, counted[i])
			default:
				e.erase()
			}
		}
		return nil
	})
	return err
}

// until is until when what an entry tells has counted, or now if it still does, where that may be for longer than the log keeps what has an age: a role that nobody has
// ended, and what is in force of an organization's dossier until something takes its place, as a Subscriber Agreement is. Certificates rest on it that were issued
// yesterday. Zero: it is as old as its page.
func (r *retirement) until(ctx context.Context, e *Entry) (time.Time, error) {
	leaf, err := e.Said()
	if err != nil || len(e.Private) == 0 {
		return time.Time{}, nil // nobody can say what it tells
	}
	switch {
	case leaf.Of == SubjectAppointment:
		a, err := recordOf(r.appointments, leaf.Object, func() (*Appointment, error) { return r.s.appointment(ctx, leaf.Object) })
		if a == nil {
			return r.unknown(err)
		}
		if a.Status != AppointmentEnded {
			return r.now, nil
		}
		if a.Reason == reasonErased { // whose wish that was goes before
			return time.Time{}, nil
		}
		return a.Ended.At, nil
	case leaf.Kind == OrganizationItem && ageless(leaf):
		o, err := recordOf(r.dossiers, leaf.Object, func() (*Organization, error) { return r.s.organization(ctx, leaf.Object) })
		if o == nil {
			return r.unknown(err)
		}
		return earliest(r.now, o.countedUntil(ItemKind(factOf(leaf, "kind")), leaf.Number)), nil
	}
	return time.Time{}, nil
}

// unknown is until when what a record tells of counts that is gone, or cannot be read: that one is asked again in a day, and holds up nothing else.
func (r *retirement) unknown(err error) (time.Time, error) {
	switch {
	case errors.Is(err, ErrUnreadable):
		return r.before.Add(24 * time.Hour), nil
	case ignoreNotFound(err) != nil:
		return time.Time{}, err
	}
	return time.Time{}, nil
}

// recordOf reads a record once.
func recordOf[T any](have map[string]*T, id string, read func() (*T, error)) (*T, error) {
	if v := have[id]; v != nil {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return nil, err
	}
	have[id] = v
	return v, nil
}

// ageless says whether an entry is of an item that was found good and does not age by itself.
func ageless(leaf Leaf) bool {
	rule := ItemKind(factOf(leaf, "kind")).rule()
	return rule != nil && rule.EV == 0 && rule.Other == 0 && rule.Months == 0 && factOf(leaf, "outcome") == string(OutcomeGood)
}

// factOf is a fact that is a text; empty if there is none.
func factOf(leaf Leaf, name string) string {
	text, _ := leaf.Facts[name].(string)
	return text
}

// countedUntil is until when the item of an entry counts: to the end of its term, or until another one of its kind took its place; zero for one that has neither.
func (o *Organization) countedUntil(kind ItemKind, entry int64) (until time.Time) {
	for i := range o.Items {
		it := &o.Items[i]
		switch {
		case it.Kind != kind || it.Entry < entry:
		case it.Entry == entry:
			until = earliest(until, it.Until)
		default: // that went of a dossier which was too long has a newer one in its place
			return earliest(until, it.RecordedAt)
		}
	}
	return until
}
