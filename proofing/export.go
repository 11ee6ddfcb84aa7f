package proofing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Exported is what is kept about a person and means something by itself: not what a request is in the middle of (attempts, codes, messages on their way), nor notices that
// could not be delivered, which are their copy of what is told here.
type Exported struct {
	Person   string         `json:"person"`
	Created  time.Time      `json:"created"`
	KnownBy  []ExportedItem `json:"known_by"`
	Recovery int            `json:"recovery_codes_left"`
	Codes    time.Time      `json:"recovery_codes_made,omitzero"`
	CodesIn  string         `json:"recovery_codes_made_in,omitempty"` // a session
	// Recovered is when the account was recovered last, and Absence since when they have not been here.
	Recovered time.Time       `json:"recovered,omitzero"`
	Parted    bool            `json:"parted,omitempty"` // something that authenticated them is theirs no more
	Absence   Absence         `json:"absence,omitzero"`
	Requests  []ExportedCase  `json:"requests"`
	Keys      []ExportedKey   `json:"eab_keys,omitempty"`
	Log       []ExportedEntry `json:"log"`
	// Representative is set for who may record the proofing of others.
	Representative *Representative `json:"representative,omitempty"`
	// Roles are what the person is appointed to.
	Roles []ExportedRole `json:"roles,omitempty"`
}

// ExportedRole is an appointment that has not ended.
type ExportedRole struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Role         Role              `json:"role"`
	CA           string            `json:"ca,omitempty"`
	Organization string            `json:"organization,omitempty"`
	Status       AppointmentStatus `json:"status"`
	Accepted     time.Time         `json:"accepted"`
}

// ExportedItem is an address or authenticator.
type ExportedItem struct {
	Kind    Channel   `json:"kind"`
	Address Secret    `json:"address"`
	Name    string    `json:"name,omitempty"`
	Added   time.Time `json:"added"`
	Facts   Evidence  `json:"facts,omitzero"`
	// Shown, Model and ModelAt are as in Binding.
	Shown   Evidence     `json:"shown,omitzero"`
	Model   *Attestation `json:"model,omitempty"`
	ModelAt time.Time    `json:"model_at,omitzero"`
	// Counts, Suspended and Gone are as in Binding; Used and Record are what is kept of an authenticator, its public key among it (Address.Kept).
	Counts    time.Time       `json:"counts,omitzero"`
	Suspended []Suspension    `json:"suspended,omitempty"`
	Copied    time.Time       `json:"copied,omitzero"` // since when there may be a copy of it
	Gone      time.Time       `json:"gone,omitzero"`
	Used      time.Time       `json:"used,omitzero"`
	Record    json.RawMessage `json:"record,omitempty"`
}

// ExportedKey is a key for external account binding that is the result of what the person has proved: all of it but the MAC key, which was shown once and is
// worth an account to whoever finds the file.
type ExportedKey struct {
	Kid          string       `json:"kid"`
	CA           string       `json:"ca"`
	Directory    string       `json:"directory,omitempty"`
	Profile      string       `json:"profile"`
	Identifiers  []Identifier `json:"identifiers,omitempty"`
	Subject      string       `json:"subject,omitempty"`
	Organization string       `json:"organization,omitempty"`
	Request      string       `json:"request,omitempty"`
	Accounts     []KeyAccount `json:"accounts,omitempty"`
	Created      time.Time    `json:"created"`
	Expires      time.Time    `json:"expires"`
	Released     time.Time    `json:"released,omitzero"`
	Reported     time.Time    `json:"reported,omitzero"`
	Revoked      time.Time    `json:"revoked,omitzero"`
	Reason       string       `json:"reason,omitempty"`
	Kept         time.Time    `json:"kept_until"`
}

// ExportedCase is a request of a certificate authority, or a session of the person's own, which has no authority.
type ExportedCase struct {
	ID         string           `json:"id"`
	CA         string           `json:"ca,omitempty"`
	Identifier *Identifier      `json:"identifier,omitempty"`
	Profile    string           `json:"profile,omitempty"`
	Status     Status           `json:"status"`
	Created    time.Time        `json:"created"`
	Changed    time.Time        `json:"changed"`
	Evidence   []Evidence       `json:"evidence"`
	Assessment *Assessment      `json:"assessment,omitempty"`
	Records    []ExportedRecord `json:"proofing_records,omitempty"`
	Recovery   *DeskRecovery    `json:"recovery_in_person,omitempty"`
	// Recovered is when somebody came in to the session by a recovery, and Reactivated what they said in it to be theirs still.
	Recovered   time.Time      `json:"recovered,omitzero"`
	Reactivated []Reactivation `json:"reactivated,omitempty"`
	Kept        time.Time      `json:"kept_until"`
}

// ExportedRecord is what a representative recorded of the person; those who recorded and reviewed it are named by their ids.
type ExportedRecord struct {
	ID       string         `json:"id"`
	Status   RecordedStatus `json:"status"`
	Changed  time.Time      `json:"changed"`
	Recorded ProofingDraft  `json:"recorded"`
	Facts    *ProofingFacts `json:"facts,omitempty"`
	Reason   string         `json:"reason,omitempty"`
}

// ExportedEntry is what the log tells about somebody; Private is beside the leaf, and goes with whoever is erased.
type ExportedEntry struct {
	Leaf    json.RawMessage `json:"leaf"`
	Private json.RawMessage `json:"private"`
}

// Export is what is kept about who is signed in. ErrNotAdmitted unless they have just
// authenticated, as strongly as they can: it has whole addresses.
func (s *Service) Export(ctx context.Context, v Visit) (*Exported, error) {
	session, err := s.Session(ctx, v)
	if err != nil {
		return nil, err
	}
	if !session.Fresh {
		return nil, ErrNotAdmitted
	}
	p := session.Person
	out := &Exported{Person: p.ID, Created: p.Created, Recovery: len(p.Recovery), Codes: p.RecoveryMade, CodesIn: p.RecoveryCase, Recovered: p.Recovered, Parted: p.Parted, Absence: p.Absence, KnownBy: []ExportedItem{}, Requests: []ExportedCase{}, Log: []ExportedEntry{}, Representative: p.Representative}
	for _, b := range p.Bindings {
		item := ExportedItem{
			Kind: b.Contact.Channel, Address: b.Contact.Address, Name: b.Name, Added: b.BoundAt, Facts: b.Facts, Shown: b.Shown, Model: b.Model, ModelAt: b.ModelAt, Counts: b.Counts, Suspended: b.Suspended, Copied: b.Copied, Gone: b.Gone,
		}
		a, err := s.Addresses.Get(ctx, b.ID)
		if ignoreNotFound(err) != nil {
			return nil, err
		}
		if err == nil && a.Person == p.ID {
			item.Used, item.Record = a.KeptAt, a.Kept
		}
		out.KnownBy = append(out.KnownBy, item)
	}
	if out.Keys, err = s.exportedKeys(ctx, p.ID); err != nil {
		return nil, err
	}
	out.Log = pendingAbout(out.Log, p.Journal)
	roles, err := s.appointments(ctx, "person", p.ID)
	if err != nil {
		return nil, err
	}
	for _, a := range roles {
		out.Roles = append(out.Roles, ExportedRole{a.ID, a.Name, a.Role, a.CA, a.Organization, a.Status, a.Accepted.At})
	}
	for c, err := range s.casesOfPerson(ctx, p.ID) {
		if err != nil {
			return nil, err
		}
		e := ExportedCase{ID: c.ID, CA: c.CA, Profile: c.Profile, Status: c.Status, Created: c.Created, Changed: c.Changed, Evidence: c.Evidence, Kept: c.Retain, Recovered: c.Recovered, Reactivated: c.Reactivated}
		if !c.Own() {
			e.Identifier = &c.Identifier
		}
		if c.Desk != nil {
			d := *c.Desk
			d.CodeKey, d.CollectorName, d.ConfirmerName = "", "", ""
			e.Recovery = &d
		}
		if c.Grant != nil {
			e.Assessment = &c.Grant.Assessment
		}
		for _, r := range c.Proofings {
			e.Records = append(e.Records, ExportedRecord{r.ID, r.Status, r.Changed, r.Draft, r.Facts, r.Reason})
		}
		out.Requests = append(out.Requests, e)
		out.Log = pendingAbout(out.Log, c.Journal)
	}
	err = s.eachEntryAbout(ctx, p.ID, func(_ *LogPage, e *Entry) error {
		if len(e.Persons) <= 1 { // what tells of somebody else too is not theirs alone to have
			out.Log = append(out.Log, ExportedEntry{json.RawMessage(e.Leaf), e.Private})
		}
		return nil
	})
	return out, err
}

// exportedKeys are all keys of a person, also those that PersonKeys has no place for.
func (s *Service) exportedKeys(ctx context.Context, person string) (all []ExportedKey, err error) {
	q := Query{Index: "person", Value: person, Limit: 200}
	for more := true; more; more = q.After != "" {
		page, next, err := s.Keys.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list keys of a person: %w", err)
		}
		for _, k := range page {
			all = append(all, ExportedKey{
				k.Kid, k.CA, k.Directory, k.Profile, k.Identifiers, k.Subject, k.Organization, k.Case, k.Accounts, k.Created, k.Expires, k.Released, k.Reported, k.Revoked, k.Reason, k.Retain,
			})
		}
		q.After = next
	}
	return all, nil
}

// pendingAbout adds what is on its way to the log.
func pendingAbout(all []ExportedEntry, j Journal) []ExportedEntry {
	for _, entry := range j.Pending {
		if len(entry.Private) > 0 {
			all = append(all, ExportedEntry{json.RawMessage(entry.Leaf), entry.Private})
		}
	}
	return all
}

// Erase takes everything from who is signed in that they are known by, and what rests on it ends: requests that are
// open are refused, and grants revoked. Every address of theirs hears of it. The records of requests stay for as long as their profiles say; the log says no more who it was. ErrNotAdmitted unless
// they have just authenticated, as strongly as they can. Once it has begun the worker finishes what a crash left half done.
func (s *Service) Erase(ctx context.Context, v Visit) error {
	session, err := s.Session(ctx, v)
	if err != nil {
		return err
	}
	if !session.Fresh {
		return ErrNotAdmitted
	}
	if err := s.tellPerson(ctx, session.Person, noticeErased, Binding{}, time.Time{}); err != nil {
		return err
	}
	p, err := s.beginErasing(ctx, session.Person.ID, func(*Person, time.Time) {})
	if err != nil {
		return ignoreNotFound(err) // somebody else was faster
	}
	return s.erase(ctx, byPerson(session, v), p)
}

// beginErasing marks a person as being forgotten: from then on nobody is signed in as them or adds to what they have, and the worker sees to it that it ends,
// whatever becomes of who began it. What the log is told of it is said once.
func (s *Service) beginErasing(ctx context.Context, person string, say func(*Person, time.Time)) (*Person, error) {
	p, err := s.People.Update(ctx, person, func(p *Person) error {
		if p.Going.IsZero() || p.Absence.Lapsing {
			p.Going, p.Absence.Lapsing, p.Recovery = s.now(), false, nil
			say(p, p.Going)
		}
		return nil
	})
	if err == nil {
		s.mark(SubjectPerson, person[:2])
	}
	return p, err
}

// erase takes away all of somebody of whom beginErasing has said so. Their record goes last: as long as it is there the worker does this again.
func (s *Service) erase(ctx context.Context, by author, p *Person) error {
	by.client = ""                 // nothing more of theirs is to be written down
	for _, b := range p.Bindings { // first: from then on nothing new begins in their name
		if err := s.silence(ctx, by, p.ID, b.ID); err != nil {
			return err
		}
	}
	if err := s.endRequests(ctx, by, p.ID, reasonErased, func(*Case) bool { return true }); err != nil {
		return err
	}
	if err := s.endSessions(ctx, p.ID, reasonErased, func(*Case) bool { return true }); err != nil {
		return err
	}
	if err := s.endAppointments(ctx, p.ID); err != nil {
		return err
	}
	if err := s.eraseNames(ctx, p.ID); err != nil {
		return err
	}
	for _, b := range p.Bindings {
		if err := s.unlist(ctx, p.ID, b.ID); err != nil {
			return err
		}
	}
	// Nobody can be appointed who has no passkey any more: this is the last that their record has to say.
	if err := s.dismiss(ctx, by.Actor, p.ID); ignoreNotFound(err) != nil {
		return fmt.Errorf("take what they were: %w", err)
	}
	if err := s.eraseEntries(ctx, p.ID); err != nil { // for as long as they can ask again
		return err
	}
	if err := s.eraseDead(ctx, p.ID); err != nil {
		return err
	}
	if err := s.told(ctx, p.ID); err != nil {
		return err
	}
	if err := s.People.Delete(ctx, p.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("forget person: %w", err)
	}
	return nil
}

// told waits a moment until all that a person's record has to say is in the log: the record goes, and what it has not said goes with it.
func (s *Service) told(ctx context.Context, person string) error {
	over := time.NewTimer(sequenceMost)
	defer over.Stop()
	for {
		p, err := s.People.Get(ctx, person)
		if err != nil || p.Journal.Logged() {
			return ignoreNotFound(err)
		}
		select {
		case <-time.After(sequenceLook):
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return fmt.Errorf("forget person: their last entry is not in the log yet: %w", ErrUnavailable)
		}
	}
}

// reasonErased is why a case ended whose person is forgotten.
const reasonErased = "person_erased"

// endRequests ends the requests of a person that which says.
func (s *Service) endRequests(ctx context.Context, by author, person, reason string, which func(*Case) bool) error {
	for c, err := range s.casesOfPerson(ctx, person) {
		if err != nil {
			return err
		}
		if c.Own() || c.Status.Over() || !which(c) {
			continue
		}
		if _, err := s.revoke(ctx, by, c.ID, reason); err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("end requests: %w", err)
		}
	}
	return nil
}

// endSessions ends the sessions of a person that which says.
func (s *Service) endSessions(ctx context.Context, person, reason string, which func(*Case) bool) error {
	for c, err := range s.casesOfPerson(ctx, person) {
		if err != nil {
			return err
		}
		if !c.Own() || c.Status.Over() || !which(c) {
			continue
		}
		if _, err := s.update(ctx, c.ID, func(c *Case, now time.Time) error {
			if !c.Status.Over() {
				c.end(CaseWithdrawn, reason, now, s.retention(c))
			}
			return nil
		}); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("end session: %w", err)
		}
	}
	return nil
}

// casesOfPerson goes through all cases of a person, sessions too. It looks into every bucket: only a person's own pages may.
func (s *Service) casesOfPerson(ctx context.Context, person string) iter.Seq2[*Case, error] {
	return func(yield func(*Case, error) bool) {
		q := Query{Index: "person", Value: person, Limit: 100}
		for more := true; more; more = q.After != "" {
			page, next, err := s.Cases.List(ctx, q)
			if err != nil {
				yield(nil, fmt.Errorf("list cases of a person: %w", err))
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
			q.After = next
		}
	}
}
