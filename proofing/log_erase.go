package proofing

import (
	"context"
	"fmt"
	"slices"
)

// eraseEntries erases what entries say about a person beside their leaves: in the pages of the log, and in what has yet to get there.
// The log is as whole as before. It may be done again.
func (s *Service) eraseEntries(ctx context.Context, person string) error {
	if err := s.erasePending(ctx, person); err != nil {
		return fmt.Errorf("erase pending entries: %w", err)
	}
	err := s.eachEntryAbout(ctx, person, func(p *LogPage, e *Entry) error {
		return s.erasePage(ctx, p.Number, func(in *Entry) bool { return in.Object == e.Object && in.Number == e.Number })
	})
	if err != nil {
		return fmt.Errorf("erase entries of the log: %w", err)
	}
	return nil
}

// eachEntryAbout goes through the entries of the log whose private parts tell of a person, and of whoever was to become that person in the same request or
// session. They may be erased on the way.
func (s *Service) eachEntryAbout(ctx context.Context, person string, do func(*LogPage, *Entry) error) error {
	about := []string{person}
	for i := 0; i < len(about); i++ {
		err := s.eachPageAbout(ctx, about[i], func(p *LogPage) error {
			for n := range p.Entries {
				e := &p.Entries[n]
				if !slices.Contains(e.about(), about[i]) {
					continue
				}
				if leaf, err := e.Said(); err == nil && (leaf.Of == SubjectCase || leaf.Of == SubjectSession) && !slices.Contains(about, e.Object) {
					about = append(about, e.Object)
				}
				if err := do(p, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// erasePending is eraseEntries for what is not in the log yet. Whoever is just listing it finds that out: see Service.takeOff. A record that cannot be read holds up
// nobody's erasure: it is said in the service's log.
func (s *Service) erasePending(ctx context.Context, person string) error {
	mine := map[string]bool{}
	for c, err := range s.casesOfPerson(ctx, person) {
		if err != nil {
			return err
		}
		mine[c.ID] = true
	}
	gone := func(e *Entry) bool {
		return len(e.Private) > 0 && (slices.Contains(e.Persons, person) || mine[e.Object])
	}
	for _, t := range s.journaled() {
		for _, bucket := range allBuckets() {
			for after, more := "", true; more; more = after != "" {
				found, next, err := t.waiting(ctx, bucket, after, s.passOver(string(t.of[0])))
				if err != nil {
					return err
				}
				for _, e := range found.entries {
					if !gone(&e) {
						continue
					}
					if err := t.edit(ctx, e.Object, func(j *Journal) { j.erase(gone) }); ignoreNotFound(err) != nil {
						return err
					}
				}
				after = next
			}
		}
	}
	return nil
}

// erase erases what pending entries say beside their leaves.
func (j *Journal) erase(which func(*Entry) bool) {
	for i := range j.Pending {
		if e := &j.Pending[i]; which(e) {
			e.erase()
		}
	}
}

// eachPageAbout goes through the pages that are found under a person or an object. They may be changed on the way.
func (s *Service) eachPageAbout(ctx context.Context, who string, do func(*LogPage) error) error {
	for q := (Query{Index: "person", Value: who}); ; {
		pages, next, err := s.LogPages.List(ctx, q)
		if err != nil {
			return err
		}
		for _, p := range pages {
			if err := do(p); err != nil {
				return err
			}
		}
		if q.After = next; next == "" {
			return nil
		}
	}
}

// erasePage erases the private parts of a page that which says.
func (s *Service) erasePage(ctx context.Context, number int64, which func(*Entry) bool) error {
	_, err := s.LogPages.Update(ctx, s.logPageID(number), func(p *LogPage) error {
		for i := range p.Entries {
			if e := &p.Entries[i]; len(e.Private) > 0 && which(e) {
				e.erase()
			}
		}
		return nil
	})
	return err
}

// eraseListed erases in pages what was erased on its record after somebody had read it there to make the page.
func (s *Service) eraseListed(ctx context.Context, id string, l listed, j Journal) error {
	for i := range j.Pending {
		e := &j.Pending[i]
		page, told := l.private[e.Number]
		if !told || len(e.Private) > 0 {
			continue
		}
		if err := s.erasePage(ctx, page, func(in *Entry) bool { return in.Object == id && in.Number == e.Number }); err != nil {
			return fmt.Errorf("erase what was erased meanwhile: %w", err)
		}
		delete(l.private, e.Number)
	}
	return nil
}
