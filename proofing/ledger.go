package proofing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// ledger is what a record owes and says, as whoever looks after messages sees it, whatever kind of record it is.
type ledger struct {
	of       Subject
	id, name string // name is what people know it by, where it has a name
	ca       string // its authority; empty: it is the service's
	// organization is whose people decide about it, or of which it is; empty: nobody's.
	organization string
	person       string // whose it is, where it is one person's
	outbox       *Outbox
	journal      *Journal
}

// owing is a record with an outbox.
type owing[T any] interface {
	*T
	ledger() ledger
}

func (c *Case) ledger() ledger {
	l := ledger{of: c.subject(), id: c.ID, ca: c.CA, person: c.Person, outbox: &c.Outbox, journal: &c.Journal}
	if c.Approval != nil {
		l.organization = c.Approval.Organization
	}
	return l
}

func (c *Certificate) ledger() ledger {
	return ledger{of: SubjectCertificate, id: c.ID, name: c.Serial, ca: c.CA, organization: c.Organization, outbox: &c.Outbox, journal: &c.Journal}
}

func (o *Organization) ledger() ledger {
	return ledger{of: SubjectOrganization, id: o.ID, name: o.Name, ca: o.CA, organization: o.ID, outbox: &o.Outbox, journal: &o.Journal}
}

func (a *Appointment) ledger() ledger {
	return ledger{of: SubjectAppointment, id: a.ID, name: a.Name, ca: a.CA, organization: a.Organization, outbox: &a.Outbox, journal: &a.Journal}
}

func (b *PolicyBook) ledger() ledger {
	return ledger{of: SubjectPolicy, id: b.ID, outbox: &b.Outbox, journal: &b.Journal}
}

// whose is the person whose address a message goes to; empty: nobody's that is known.
func (l ledger) whose(m *Outgoing) string { return cmp.Or(m.Person, l.person) }

// deadIndexes are where a record is found that has dead notices: for the operators of the service, its authority or the service itself, and its
// organization; the newest first.
func (l ledger) deadIndexes() (ix []Index) {
	dead := l.outbox.dead()
	if len(dead) == 0 {
		return nil
	}
	at := newestFirst(dead[len(dead)-1].Died)
	ix = []Index{{Name: "dead", Value: everywhere + at}, {Name: "dead", Value: Scope{CA: l.ca}.prefix() + at}}
	if l.organization != "" {
		ix = append(ix, Index{Name: "dead", Value: Scope{CA: l.ca, Organization: l.organization}.prefix() + at})
	}
	return ix
}

// Scope is what somebody looks at in the console: what is of an authority, or of an organization there, or, where it is empty, of the service itself.
type Scope struct{ CA, Organization string }

// everywhere is before the values of an index by scopes in which everything is.
const everywhere = "all."

// prefix is what the values of an index by scopes begin with. That of an organization names its authority too: under another one there is nothing of it.
func (in Scope) prefix() string {
	switch {
	case in.Organization != "":
		return "organization." + in.CA + "." + in.Organization + "."
	case in.CA != "":
		return "authority." + in.CA + "."
	}
	return "service."
}

// has says whether a record is in the scope.
func (in Scope) has(l ledger) bool {
	return l.ca == in.CA && (in.Organization == "" || l.organization == in.Organization)
}

// seenBy says whether an appointment lets its holder look at what is in the scope: who runs it, and an organization's people.
func (in Scope) seenBy(a *Appointment) bool {
	return in.runBy(a) || in.Organization != "" && a.Role.Side() == SideApplicant && a.Covers(in.CA, in.Organization)
}

// runBy says whether an appointment lets its holder do something about it: administrators, and an authority's operators.
func (in Scope) runBy(a *Appointment) bool {
	return a.Role == RoleAdministrator || in.CA != "" && a.operates(in.CA)
}

// Organizations are the appointments by which somebody is of an organization, one for each.
func Organizations(mine []*Appointment) (all []*Appointment) {
	for _, a := range mine {
		if a.Role.Side() == SideApplicant && !slices.ContainsFunc(all, func(have *Appointment) bool { return have.Covers(a.CA, a.Organization) }) {
			all = append(all, a)
		}
	}
	return all
}

// Owed is a record with messages that are on their way, or that were given up.
type Owed struct {
	Of               Subject
	Object, Name     string // the record's id, and what people know it by, where it has a name
	CA, Organization string
	Messages         []Outgoing
	Case             *Case // the record, of a request or a session
}

// shown is a record with some of its messages.
func shown[T any, R owing[T]](v *T, messages []Outgoing) Owed {
	l := R(v).ledger()
	c, _ := any(v).(*Case)
	return Owed{Of: l.of, Object: l.id, Name: l.name, CA: l.ca, Organization: l.organization, Messages: messages, Case: c}
}

// ledgers are the records of one table, as whoever looks after messages sees them.
type ledgers struct {
	of []Subject
	// waiting lists records with messages on their way, in no order, and the cursor of those that follow.
	waiting func(ctx context.Context, after string, limit int, of func(ledger) bool) ([]Owed, string, error)
	// dead lists records with dead notices under a prefix of their index, the newest first; more: there are others.
	dead func(ctx context.Context, prefix string, limit int) (page []Owed, more bool, err error)
	// read is one record; ErrNotFound if it is gone.
	read func(ctx context.Context, id string) (ledger, error)
	// edit changes a record.
	edit func(ctx context.Context, id string, edit func(ledger)) error
}

// ledgers are the tables whose records have outboxes. A new one is a line here.
func (s *Service) ledgers() []ledgers {
	return []ledgers{
		ledgersOf(s, s.Cases, "", SubjectCase, SubjectSession),
		ledgersOf(s, s.Certificates, "", SubjectCertificate),
		ledgersOf(s, s.Dossiers, "", SubjectOrganization),
		ledgersOf(s, s.Appointments, s.officeBucket(), SubjectAppointment),
		ledgersOf(s, s.PolicyBooks, s.officeBucket(), SubjectPolicy),
	}
}

// ledgersOf lets a table be seen so. Bucket is the one that all of its records are in; empty: they are in any.
func ledgersOf[T any, R owing[T]](s *Service, table Table[T], bucket string, of ...Subject) ledgers {
	return ledgers{
		of: of,
		waiting: func(ctx context.Context, after string, limit int, of func(ledger) bool) ([]Owed, string, error) {
			var page []Owed
			// A message is due, or claimed, or will be tried again: all of that within the hour, so that few other records lie among them.
			q := Query{Index: "due", Below: stamp(s.now().Add(time.Hour)), Bucket: bucket, After: after, Limit: limit}
			for read := 0; read < waitingReads; {
				records, next, err := table.List(ctx, q)
				if err != nil {
					return nil, "", err
				}
				for _, v := range records {
					l := R(v).ledger()
					if waiting := l.outbox.waiting(); len(waiting) > 0 && of(l) {
						page = append(page, shown[T, R](v, waiting))
					}
				}
				if q.After = next; next == "" || len(page) >= limit {
					break
				}
				read += len(records)
			}
			return page, q.After, nil
		},
		dead: func(ctx context.Context, prefix string, limit int) (page []Owed, more bool, err error) {
			records, next, err := table.List(ctx, Query{Index: "dead", Prefix: prefix, Merged: true, Bucket: bucket, Limit: limit})
			for _, v := range records {
				page = append(page, shown[T, R](v, R(v).ledger().outbox.dead()))
			}
			return page, next != "", err
		},
		read: func(ctx context.Context, id string) (ledger, error) {
			if _, ok := IDBucket(id); !ok {
				return ledger{}, ErrNotFound
			}
			v, err := table.Get(ctx, id)
			if err != nil {
				return ledger{}, err
			}
			return R(v).ledger(), nil
		},
		edit: func(ctx context.Context, id string, edit func(ledger)) error {
			_, err := table.Update(ctx, id, func(v *T) error { edit(R(v).ledger()); return nil })
			return err
		},
	}
}

// waitingReads bounds how many records of a kind one look at the outbox reads.
const waitingReads = 400

// waiting lists records that have messages on their way, in no order, and the cursor of those that follow: these are cases alone. Of the rest there are few.
func (s *Service) waiting(ctx context.Context, after string, limit int, of func(ledger) bool) (page []Owed, next string, err error) {
	tables := s.ledgers()
	if after != "" {
		tables = tables[:1]
	}
	for i, t := range tables {
		more, cursor, err := t.waiting(ctx, after, limit, of)
		if err != nil {
			return nil, "", fmt.Errorf("list messages on their way: %w", err)
		}
		if page = append(page, more...); i == 0 {
			next = cursor
		}
	}
	return page, next, nil
}

// dead lists records with dead notices under a prefix of their index: of each kind as many, the newest first. More: there are others.
func (s *Service) dead(ctx context.Context, prefix string, limit int) (page []Owed, more bool, err error) {
	for _, t := range s.ledgers() {
		some, others, err := t.dead(ctx, prefix, limit)
		if err != nil {
			return nil, false, fmt.Errorf("list dead notices: %w", err)
		}
		page, more = append(page, some...), more || others
	}
	return page, more, nil
}

// Waiting lists records that have messages on their way, in no order, and the cursor of those that follow.
func (s *Service) Waiting(ctx context.Context, after string, limit int) (page []Owed, next string, err error) {
	return s.waiting(ctx, after, limit, func(ledger) bool { return true })
}

// Dead lists records with dead notices: of each kind of record as many, those with the newest first. More: there are others.
func (s *Service) Dead(ctx context.Context, limit int) (page []Owed, more bool, err error) {
	return s.dead(ctx, everywhere, limit)
}

// eraseLooks bounds how many records of a kind are looked through for what is dead to somebody who is erased. The worker finds the rest within a day: see tend.
const eraseLooks = 1000

// eraseDead takes away the dead notices that went to somebody. It may be done again.
func (s *Service) eraseDead(ctx context.Context, person string) error {
	for _, t := range s.ledgers() {
		page, _, err := t.dead(ctx, everywhere, eraseLooks)
		if err != nil {
			return fmt.Errorf("erase dead notices: %w", err)
		}
		for _, o := range page {
			if err := t.edit(ctx, o.Object, func(l ledger) {
				for _, m := range l.outbox.dead() {
					if l.whose(&m) == person {
						l.outbox.settle(m.ID)
					}
				}
			}); ignoreNotFound(err) != nil {
				return fmt.Errorf("erase dead notices: %w", err)
			}
		}
	}
	return nil
}

// EntryNoticeResent is written into the record whose notice it was.
const EntryNoticeResent EntryKind = "notice_resent"

// ResendNotice has a dead notice of a record sent again, and the record tells the log of it in the same change. One that is not dead any more stays as it is: it may be
// called again, and of two at once one does it. One that is astray is forgotten instead. Errors: ErrNotAdmitted for who has not authenticated within the last minutes, and ErrNotFound for a record that there is not, or that is
// not theirs to run, besides those of Console.
func (s *Service) ResendNotice(ctx context.Context, v Visit, of Subject, object, message string) error {
	o, err := s.officer(ctx, v)
	if err != nil {
		return err
	}
	tables := s.ledgers()
	i := slices.IndexFunc(tables, func(t ledgers) bool { return slices.Contains(t.of, of) })
	if i < 0 {
		return ErrNotFound
	}
	l, err := tables[i].read(ctx, object)
	if err != nil {
		return err
	}
	by, err := actingBy(o.appointments, Scope{CA: l.ca}.runBy)
	if err != nil {
		return err
	}
	astray := false
	if m := l.outbox.message(message); m != nil {
		if astray, err = s.astray(ctx, l, m); err != nil {
			return err
		}
	}
	if err := tables[i].edit(ctx, object, func(l ledger) {
		m := l.outbox.message(message)
		if m == nil || m.State != MessageDead {
			return
		}
		if astray {
			l.outbox.settle(message)
			return
		}
		act := o.act(by, s.now())
		l.journal.Write(Note{Of: l.of, Object: l.id, Kind: EntryNoticeResent, By: act.By, At: act.At, Facts: map[string]any{"notice": m.Kind, "channel": string(m.Channel)}})
		m.revive(act.At)
	}); err != nil {
		return err
	}
	s.mark(of, object[:2])
	s.local().worker.miss(object[:2])
	s.rouse()
	return nil
}
