package proofing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// journals are the records of one table, as the log sees them.
type journals struct {
	of []Subject
	// waiting is what records of a bucket behind a cursor have to list, and the cursor of the next ones. A damaged record is as in Query.
	waiting func(ctx context.Context, bucket, after string, unreadable func(string, error)) (found unlisted, next string, err error)
	// take takes off a record what is listed; errErased if something is to be erased in the log first.
	take func(ctx context.Context, id string, l listed) error
	// read is a record's journal.
	read func(ctx context.Context, id string) (Journal, error)
	// edit changes it.
	edit func(ctx context.Context, id string, edit func(*Journal)) error
}

// unlisted is what records have to list: entries of the log, and events by the authorities that they are for.
type unlisted struct {
	entries []Entry
	events  map[string][]Event
}

// listed is what of one record is in pages: events by their ids, and entries by their numbers with their places.
type listed struct {
	events map[string]bool
	places map[int64]int64
	// private are the pages of the entries that have a private part there, by their numbers.
	private map[int64]int64
}

// errErased: an entry has been erased on its record since it was read to be listed.
var errErased = errors.New("erased since it was listed")

// erased says whether that is so of any.
func (l listed) erased(j *Journal) bool {
	return slices.ContainsFunc(j.Pending, func(e Entry) bool { return l.private[e.Number] != 0 && len(e.Private) == 0 })
}

// journaled are the tables whose records have journals. A new one is a line here.
func (s *Service) journaled() []journals {
	return []journals{
		journalsOf(s.Cases, func(c *Case) *Journal { return &c.Journal }, SubjectCase, SubjectSession),
		journalsOf(s.Addresses, func(a *Address) *Journal { return &a.Journal }, SubjectAuthenticator),
		journalsOf(s.Appointments, func(a *Appointment) *Journal { return &a.Journal }, SubjectAppointment),
		journalsOf(s.Dossiers, func(o *Organization) *Journal { return &o.Journal }, SubjectOrganization),
		journalsOf(s.Certificates, func(c *Certificate) *Journal { return &c.Journal }, SubjectCertificate),
		journalsOf(s.PolicyBooks, func(b *PolicyBook) *Journal { return &b.Journal }, SubjectPolicy).only(s.officeBucket()),
		journalsOf(s.Configurations, func(c *Configuration) *Journal { return &c.Journal }, SubjectConfiguration).only(s.officeBucket()),
		journalsOf(s.Keys, func(k *Key) *Journal { return &k.Journal }, SubjectKey),
		journalsOf(s.Authorities, func(a *Authority) *Journal { return &a.Journal }, SubjectAuthority),
		journalsOf(s.Registry, func(r *RegistryEntry) *Journal { return &r.Journal }, SubjectRegistry),
		journalsOf(s.People, func(p *Person) *Journal { return &p.Journal }, SubjectPerson),
		journalsOf(s.LogHeads, func(h *LogHead) *Journal { return &h.Journal }, SubjectLog).only(s.logHeadID()[:2]),
	}
}

// journalsOf lets the log see a table. A record that has events too has methods unlisted and told, and is found by Journal.indexWith.
func journalsOf[T any](table Table[T], journal func(*T) *Journal, of ...Subject) journals {
	return journals{
		of: of,
		waiting: func(ctx context.Context, bucket, after string, unreadable func(string, error)) (found unlisted, next string, err error) {
			records, next, err := table.List(ctx, Query{Index: "entry", Bucket: bucket, Below: "~", After: after, Limit: sequenceRecords, Unreadable: unreadable})
			for _, v := range records {
				found.entries = append(found.entries, journal(v).Pending...)
				if teller, ok := any(v).(interface{ unlisted() (string, []Event) }); ok {
					if ca, events := teller.unlisted(); len(events) > 0 {
						if found.events == nil {
							found.events = map[string][]Event{}
						}
						found.events[ca] = append(found.events[ca], events...)
					}
				}
			}
			return found, next, err
		},
		take: func(ctx context.Context, id string, l listed) error {
			_, err := table.Update(ctx, id, func(v *T) error {
				if teller, ok := any(v).(interface{ told(map[string]bool) }); ok {
					teller.told(l.events)
				}
				if l.erased(journal(v)) {
					return errErased
				}
				journal(v).settle(l.places)
				return nil
			})
			return err
		},
		read: func(ctx context.Context, id string) (Journal, error) {
			v, err := table.Get(ctx, id)
			if err != nil {
				return Journal{}, err
			}
			return *journal(v), nil
		},
		edit: func(ctx context.Context, id string, edit func(*Journal)) error {
			_, err := table.Update(ctx, id, func(v *T) error { edit(journal(v)); return nil })
			return err
		},
	}
}

// only looks for entries in one bucket: that of a table whose records are all there.
func (j journals) only(bucket string) journals {
	all := j.waiting
	j.waiting = func(ctx context.Context, of, after string, unreadable func(string, error)) (unlisted, string, error) {
		if of != bucket {
			return unlisted{}, "", nil
		}
		return all(ctx, of, after, unreadable)
	}
	return j
}

// journalsFor is the table that a leaf is of.
func (s *Service) journalsFor(of Subject) (journals, error) {
	all := s.journaled()
	i := slices.IndexFunc(all, func(j journals) bool { return slices.Contains(j.of, of) })
	if i < 0 {
		return journals{}, fmt.Errorf("entries of %q: no table has them", of)
	}
	return all[i], nil
}

// Journal is what a record has to say and has said to the log; ErrNotFound if it is gone.
func (s *Service) Journal(ctx context.Context, of Subject, object string) (Journal, error) {
	j, err := s.journalsFor(of)
	if err != nil {
		return Journal{}, err
	}
	return j.read(ctx, object)
}

// Said is the leaf of an entry.
func (e *Entry) Said() (leaf Leaf, err error) {
	if err = json.Unmarshal([]byte(e.Leaf), &leaf); err != nil {
		return leaf, fmt.Errorf("leaf of an entry: %w", err)
	}
	return leaf, nil
}

// takings is what is to be taken off records, by their ids: one update for each record, whatever of it is listed.
type takings map[string]*taking

type taking struct {
	from Subject
	listed
}

func (t takings) of(from Subject, id string) *taking {
	if t[id] == nil {
		t[id] = &taking{from, listed{map[string]bool{}, map[int64]int64{}, map[int64]int64{}}}
	}
	return t[id]
}

// event adds an event of a page.
func (t takings) event(e Event) { t.of(cmp.Or(e.Of, SubjectCase), e.Object).events[e.ID] = true }

// page adds the entries of a page.
func (t takings) page(p *LogPage) error {
	for i, e := range p.Entries {
		leaf, err := e.Said()
		if err != nil {
			return fmt.Errorf("page %d of the log: %w", p.Number, err)
		}
		what := t.of(leaf.Of, e.Object)
		if what.places[e.Number] = p.First + int64(i); len(e.Private) > 0 {
			what.private[e.Number] = p.Number
		}
	}
	return nil
}

// takeOff takes all of it off its records. It may be done again. The error says that the store did not answer.
func (s *Service) takeOff(ctx context.Context, all takings) error {
	var hands sync.WaitGroup
	var mu sync.Mutex
	var failed error
	slots := make(chan struct{}, sequenceSettle)
	for id, what := range all {
		table, err := s.journalsFor(what.from)
		if err != nil { // a newer program wrote it
			s.Log.ErrorContext(ctx, "what is listed is not taken off its record", "record", id, "error", err)
			continue
		}
		slots <- struct{}{}
		hands.Go(func() {
			defer func() { <-slots }()
			err := table.take(ctx, id, what.listed)
			for errors.Is(err, errErased) {
				var j Journal
				if j, err = table.read(ctx, id); err == nil {
					err = s.eraseListed(ctx, id, what.listed, j)
				}
				if err == nil {
					err = table.take(ctx, id, what.listed)
				}
			}
			switch {
			case err == nil:
				s.local().changes.tell(id)
			case errors.Is(err, ErrNotFound):
			case errors.Is(err, ErrUnavailable):
				mu.Lock()
				failed = err
				mu.Unlock()
			default: // it cannot be read, and would hold up everything behind it
				s.Log.ErrorContext(ctx, "what is listed is not taken off its record", "record", id, "error", err)
			}
		})
	}
	hands.Wait()
	return failed
}
