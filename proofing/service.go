package proofing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// Service is every verb of the product. Each verb reads top to bottom: look,
// spend what is counted elsewhere, and make one Update by the rules.
type Service struct {
	Cases       Table[Case]
	People      Table[Person]
	Addresses   Table[Address]
	Accounts    Table[Account]
	Keys        Table[Key]
	Authorities Table[Authority]
	Pins        Table[Pin]
	Registry    Table[RegistryEntry]
	Feeds       Table[Feed]
	Pages       Table[Page]
	Leases      Table[Lease]
	LogPages    Table[LogPage]
	LogHeads    Table[LogHead]
	Brakes      Table[Brake] // may be nil where Policy.Brake is off
	Tokens      Table[SpentToken]
	Limiter     Limiter
	Methods     map[string]Method
	Sender      Sender
	Signer      Signer
	Caller      Caller
	CAA         CAALookup // asked where Profile.CAA is not off
	Recorder    Recorder  // nil: nobody states the log
	Prover      Prover    // nil: nobody proves what is in it
	Hasher      Hasher
	Policy      Policy
	Now         func() time.Time
	Log         *slog.Logger
	// Operator is who runs commands on the server by this process, for what the log has of them beside its leaves; empty: unknown.
	Operator string
	// Lag is told how long each event waited from its change to its place in a feed. Nil: nobody asks.
	Lag func(time.Duration)
	// Watch, unless nil, hears of every text message that is "counted", "answered",
	// "refused" or, by a brake that only reports, would be ("would_refuse"), and of every
	// brake that is set ("braked", "would_brake"), with the country.
	Watch func(what, country string)

	// Of who decides, and on whom.
	Appointments   Table[Appointment]
	Dossiers       Table[Organization]
	Administration Table[Administration]
	// Certificates are what was issued on the strength of it.
	Certificates Table[Certificate]
	// PolicyBooks has the one book of the policy, and PolicyProposals what was decided of others.
	PolicyBooks     Table[PolicyBook]
	PolicyProposals Table[PolicyProposal]

	// Configurations has the one record of what the processes go by.
	Configurations Table[Configuration]

	process atomic.Pointer[process] // see local
}

// Policy is what the operator's configuration decides. It can ask for more
// than the rules do and never for less.
type Policy struct {
	Origin        string // the public origin: "https://proof.example.org"
	Operator      string // who runs this service, as people read it
	Contact       string // where people turn with questions: an e-mail address or https link
	OperatorFacts OperatorFacts
	Profiles      map[string]*Profile
	// Own is by which methods people sign in to manage what is theirs, and with the labels of
	// which framework; nil: they cannot.
	Own *Profile
	// Cooling is how long what was added by somebody who recovered the account counts for nothing.
	Cooling time.Duration
	// PersonRetention is how long after a person was here last, and nothing needed them, they are forgotten; 0: never unless they ask.
	PersonRetention time.Duration
	// Digest names the policy part of the configuration, and Text is all that is in it, canonically; it is empty where none was read.
	Digest, Text string
	Limits       Limits
	Brake        BrakePolicy
	// Price is what one message to a country costs, in millionths of the
	// budget's currency. Nil means that nothing costs anything.
	Price func(Contact) int64
	// Countries are those that text messages may go to, ISO 3166-1 alpha-2 in upper case.
	Countries []string
	// FreezeLifetime is how long a frozen case waits to be restored.
	FreezeLifetime time.Duration
	// LogRetention is how long private parts of entries stay in the log; 0: for good.
	LogRetention time.Duration
}

// Limits bounds what people, clients and authorities can make us send.
type Limits struct {
	Cooldown         time.Duration // between two messages of an attempt; doubles with each
	AddressHour      int64         // messages to one address in an hour
	AddressDay       int64         // and in a day
	PrefixHour       int64         // messages to one range of numbers in an hour
	ClientHour       int64         // messages asked for by one client address in an hour
	ClientOpens      int64         // cases opened by self-service by one client address in an hour
	CAMessagesDay    int64         // messages of one authority in a day
	CASpendDayMicros int64         // money of one authority in a day, in millionths
	AttemptsPerCase  int           // attempts at one method in one case
	CodesPerAttempt  int           // codes in one attempt
	FailuresInRow    int64         // wrong answers in a row at one address
}

// DefaultLimits are the limits that hold where the configuration is silent.
// SP 800-63B 5.2.2 and SP 800-63B-4 3.2.2 allow no more than 100 failures in a row.
func DefaultLimits() Limits {
	return Limits{
		Cooldown: 30 * time.Second, AddressHour: 6, AddressDay: 15, PrefixHour: 30, ClientHour: 40, ClientOpens: 20,
		CAMessagesDay: 5000, CASpendDayMicros: 50_000_000, AttemptsPerCase: 5, CodesPerAttempt: 4, FailuresInRow: 100,
	}
}

// Visit is one request of a person's browser.
type Visit struct {
	Link    Secret // <case>.<secret>
	Browser Secret // the random value of the browser's cookie; empty if it has none
	Client  string // the client's network address
	Lang    string
}

// OpenRequest is what a CA, or a person by self-service, asks for.
type OpenRequest struct {
	Applicant   Applicant // Kind with URL and Thumbprint, or SPKI
	Identifier  Identifier
	Profile     string
	Email       Secret // contacts that the CA knows
	Phone       Secret
	CSRDigest   string
	CSR         *CSR // what it asks for, where it is known
	ExternalID  string
	EABKid      string
	Lang        string
	SelfService bool
}

// Open opens the case of one applicant, identifier and profile, or returns the one
// that is pending or valid already (RFC 8555 7.4.1). Faults of the request are *InputError with
// the codes "profile_unknown", "identifier_unsupported", "identifier_rejected",
// "identifier_malformed", "email_…", "number_…", "contact_differs", "csr_subject" and "eab_kid" (the account is bound by no such key).
func (s *Service) Open(ctx context.Context, ca *Authority, r OpenRequest) (c *Case, created bool, err error) {
	profile, ok := s.Policy.Profiles[r.Profile]
	if !ok || !ca.May(r.Profile) {
		return nil, false, &InputError{"profile", "profile_unknown", fmt.Sprintf("%q is not a profile of this certificate authority", r.Profile)}
	}
	id, err := s.canonicalIdentifier(profile, r.Identifier)
	if err != nil {
		return nil, false, err
	}
	contacts, err := s.contacts(id, r)
	if err != nil {
		return nil, false, err
	}
	if r.CSR.tooLong() {
		return nil, false, &InputError{"csr", "csr_subject", TooLongSubject}
	}
	var account *Account
	if r.Applicant, account, err = s.applicant(ctx, ca.Name, r.Applicant); err != nil {
		return nil, false, err
	}
	if r.EABKid != "" {
		if err := s.boundBy(ctx, ca, account, "eab_kid", r.EABKid); err != nil {
			return nil, false, err
		}
	}
	var natural []byte
	if r.Applicant.Kind != ByNobody {
		sum := s.natural(ca.Name, r.Applicant, id, profile.Name)
		natural = sum[:]
	}
	opener := byAuthority(ca)
	if r.SelfService {
		opener = byBearer()
	}
	// Of two at once one wins, and its case may have ended by the time the other
	// looks for it: then the place is free again.
	var from *Case
	for range 5 {
		if natural != nil {
			there, err := s.findNatural(ctx, r.Applicant, natural)
			if err == nil {
				err = s.allows(ctx, opener, there, account)
			}
			if err == nil {
				err = s.covered(ctx, opener, there, account) // then its place is free
			}
			if err == nil {
				there, err = s.found(ctx, there, r.Applicant, contacts)
			}
			if err == nil || !errors.Is(err, ErrNotFound) {
				return there, false, err
			}
		}
		c = s.newCase(ca, profile, r, id, contacts, natural)
		if from, err = s.inherit(ctx, c, account); err != nil {
			return nil, false, err
		}
		s.beginCase(c, opener)
		if from != nil {
			if err := s.take(ctx, c, from); err != nil {
				return nil, false, err
			}
		}
		if err = s.Cases.Create(ctx, c.ID, c); !errors.Is(err, ErrExists) {
			break
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("open case: %w", err)
	}
	if from != nil {
		if c, err = s.catchUp(ctx, c, from); err != nil {
			return nil, false, err
		}
	}
	if err := s.confirmApplicant(ctx, c); err != nil {
		return nil, false, err
	}
	s.changed(c)
	return c, true, nil
}

// newCase is a case that is to be opened.
func (s *Service) newCase(ca *Authority, profile *Profile, r OpenRequest, id Identifier, contacts []Contact, natural []byte) *Case {
	now := s.now()
	return &Case{
		ID: NewID(r.Applicant.home()), CA: ca.Name, CATitle: ca.Title, Profile: profile.Name, Natural: hexOf(natural),
		Token: NewToken(), LinkSecret: NewToken(), Disown: NewToken(),
		Applicant: r.Applicant, Identifier: id, Contacts: contacts, ExternalID: r.ExternalID, EABKid: r.EABKid,
		Known: s.knownBy(ca.Name, profile, id), CSRDigest: r.CSRDigest, CSR: r.CSR.shown(), Lang: r.Lang, SelfService: r.SelfService,
		Status: CaseOpen, Created: now, Changed: now, Expires: now.Add(profile.CaseLifetime),
		Started: !profile.RequireStart || r.SelfService,
		Retain:  now.Add(profile.CaseLifetime + profile.Retention),
	}
}

// found brings a case that is there already up to what is known now: its account may
// ask by a new key, which a case that was being opened meanwhile has missed, and the
// contacts that the CA names hold for a case that was opened by a call that knew none.
func (s *Service) found(ctx context.Context, c *Case, a Applicant, contacts []Contact) (*Case, error) {
	rekeyed := a.Kind == ByAccount && c.Applicant.Thumbprint != a.Thumbprint
	if !rekeyed && !c.lacks(contacts) {
		return c, nil
	}
	return s.update(ctx, c.ID, func(c *Case, _ time.Time) error {
		if rekeyed {
			c.rekey(a.Thumbprint)
		}
		return c.adopt(contacts)
	})
}

// Get returns a case of that authority; ErrNotFound for another's.
func (s *Service) Get(ctx context.Context, ca *Authority, id string) (*Case, error) {
	c, err := s.get(ctx, id)
	if err == nil && c.CA != ca.Name {
		return nil, ErrNotFound
	}
	return c, err
}

// Wait returns the case as soon as it looks different to its authority from what
// it was when Wait was called, or when the time is over. Who waits for a case
// that is no longer pending gets it at once.
func (s *Service) Wait(ctx context.Context, ca *Authority, id string, most time.Duration) (*Case, error) {
	over, cancel := context.WithTimeout(ctx, most) // of waiting: the last look may take its own time
	defer cancel()
	first, err := s.Get(ctx, ca, id)
	for err == nil {
		// Listen before looking, so that no change falls between the two.
		changed := s.local().changes.listen(id)
		var c *Case
		if c, err = s.Get(ctx, ca, id); err != nil || c.Status != CaseOpen && c.Status != CaseReview || c.Outward() != first.Outward() {
			s.local().changes.drop(id, changed)
			return c, err
		}
		select {
		case <-changed:
		case <-time.After(pollInterval): // another process may have changed it
			s.local().changes.drop(id, changed)
		case <-s.local().stopping:
			s.local().changes.drop(id, changed)
			return c, nil
		case <-over.Done():
			s.local().changes.drop(id, changed)
			return c, nil
		}
	}
	return first, err
}

// pollInterval bounds how late a waiter sees another process's change.
const pollInterval = time.Second

// StartChallenge records that the account asked for its challenge (RFC 8555
// 7.5.1); with RequireStart no message leaves before it. It may be called again.
func (s *Service) StartChallenge(ctx context.Context, ca *Authority, id string) (*Case, error) {
	if _, err := s.Get(ctx, ca, id); err != nil {
		return nil, err
	}
	return s.update(ctx, id, func(c *Case, _ time.Time) error {
		if c.Status.Over() {
			return ErrClosed
		}
		c.Started = true
		return nil
	})
}

// Deactivate withdraws a case for its account (RFC 8555 7.5.2). It may be
// called again; ErrClosed if the case ended in another way.
func (s *Service) Deactivate(ctx context.Context, ca *Authority, id string) (*Case, error) {
	if _, err := s.Get(ctx, ca, id); err != nil {
		return nil, err
	}
	return s.updateBy(ctx, byAuthority(ca), id, func(c *Case, now time.Time) error {
		switch {
		case c.Status == CaseWithdrawn:
		case c.Status.Over():
			return ErrClosed
		default:
			c.end(CaseWithdrawn, "deactivated", now, s.retention(c))
		}
		return nil
	})
}

// Revoke takes a case back for the operator: no grant of it holds from here on. Reason is a code.
func (s *Service) Revoke(ctx context.Context, id, reason string) (*Case, error) {
	return s.revoke(ctx, s.byOperator(), id, reason)
}

func (s *Service) revoke(ctx context.Context, by author, id, reason string) (*Case, error) {
	return s.updateBy(ctx, by, id, func(c *Case, now time.Time) error {
		switch {
		case c.Status == CaseRevoked:
		case c.Status.Over():
			return ErrClosed
		case c.Status == CaseGranted:
			c.end(CaseRevoked, reason, now, s.retention(c))
		default:
			c.end(CaseRefused, reason, now, s.retention(c))
		}
		return nil
	})
}

// Restore lifts a freeze, after the operator has made sure who spoke; a case that
// is not frozen stays as it is. ErrClosed if the case is over, or if it is for EV: that takes
// two who run its authority: RestoreFrozen.
func (s *Service) Restore(ctx context.Context, id string) (*Case, error) {
	return s.updateBy(ctx, s.byOperator(), id, func(c *Case, now time.Time) error {
		if p := s.profileOf(c); c.Status.Over() || p != nil && p.EV {
			return ErrClosed
		}
		c.thaw(now)
		return nil
	})
}

// Disown freezes a case on the word of somebody who got one of its messages:
// "this was not me". The cases that its evidence served follow. It may be called
// again. A case that is over stays so, but what it has bound is taken back: a thief who has left is one still.
// For certificates that rest on it the clock of revocation begins: their request was not authorized (CSBR 4.9.1.1(2)).
func (s *Service) Disown(ctx context.Context, ref Secret) (*Case, error) {
	c, err := s.DisownedCase(ctx, ref)
	if err != nil {
		return nil, err
	}
	return s.disown(ctx, byBearer(), c.ID, true)
}

// disown freezes a case, or takes back what one that is over has done. Said: the word is about the case itself, and so about a request's certificates and all that its
// proof served, whatever has become of it: it may be frozen already, or end before anything has followed, and the certificate be of one that is over, or yet to come.
func (s *Service) disown(ctx context.Context, by author, id string, said bool) (*Case, error) {
	return s.updateBy(ctx, by, id, func(c *Case, now time.Time) error {
		if said {
			c.Repudiated, c.Reached = now, nil
		}
		if said && !c.Own() { // also once more: something of it may have been given back meanwhile
			c.Outbox.also(EffectRevoke, now)
			c.Outbox.disown(now)
		}
		switch {
		case !c.Disownable():
			return nil
		case c.Status.Over():
			c.Denied = now
			// Nothing more is to follow from it, and what has is taken back: a recovery that is being applied finds it so.
			c.Outbox.Effects = slices.DeleteFunc(c.Outbox.Effects, func(e Effect) bool { return e.Kind != EffectRecover && e.Kind != EffectRevoke })
			c.Outbox.disown(now)
			return nil
		}
		c.freeze(Freeze{At: now, Until: now.Add(s.Policy.FreezeLifetime)})
		c.Outbox.disown(now)
		s.notify(c, "frozen", now)
		return nil
	})
}

// DisownedCase is the case that a "this was not me" link is about, unchanged.
func (s *Service) DisownedCase(ctx context.Context, ref Secret) (*Case, error) {
	parts, ok := splitRef(ref, 2)
	if !ok {
		return nil, ErrNotFound
	}
	c, err := s.get(ctx, parts[0])
	if err == nil && !same(c.Disown, Secret(parts[1])) {
		return nil, ErrNotFound
	}
	return c, err
}

// CaseByLink is the case of a person's link; ErrNotFound for any fault in it.
func (s *Service) CaseByLink(ctx context.Context, ref Secret) (*Case, error) {
	parts, ok := splitRef(ref, 2)
	if !ok {
		return nil, ErrNotFound
	}
	c, err := s.get(ctx, parts[0])
	if err == nil && !same(c.LinkSecret, Secret(parts[1])) {
		return nil, ErrNotFound
	}
	return c, err
}

// AttemptByLink is the case and the attempt that the link in a mail is about.
// The link opens a page; by itself it proves nothing and claims nothing.
func (s *Service) AttemptByLink(ctx context.Context, ref Secret) (*Case, *Attempt, error) {
	parts, ok := splitRef(ref, 3)
	if !ok {
		return nil, nil, ErrNotFound
	}
	c, err := s.get(ctx, parts[0])
	if err != nil {
		return nil, nil, err
	}
	a := c.attempt(parts[1])
	if a == nil || !same(s.linkSecret(c, a.ID), Secret(parts[2])) {
		return nil, nil, ErrNotFound
	}
	return c, a, nil
}

// linkSecret belongs to one attempt and follows from the case's own secret, so
// that a page can still say what became of a link whose code is spent.
func (s *Service) linkSecret(c *Case, attempt string) Secret {
	return Secret(s.Hasher.Hex("message link", c.ID, attempt, c.LinkSecret.Reveal()))
}

// BrowserHash is what is kept of a browser's cookie.
func (s *Service) BrowserHash(browser Secret) string {
	if browser == "" {
		return ""
	}
	return s.Hasher.Hex("browser", browser.Reveal())
}

// keyAuthorization is that of RFC 8555 8.1. Before there is a key, the token alone binds the case.
func (c *Case) keyAuthorization() Secret {
	return Secret(c.Token.Reveal() + "." + c.Applicant.Key())
}

// KeyAuthDigest is the SHA-256 of the case's key authorization.
func (c *Case) KeyAuthDigest() [32]byte { return sha256.Sum256([]byte(c.keyAuthorization())) }

// Outward is all that an authority can see change while a case is pending.
func (c *Case) Outward() string {
	return fmt.Sprint(c.Status, c.Frozen != nil, c.ChallengeStatus(), len(c.Evidence), c.Reason)
}

// ChallengeStatus is the status of the one challenge (RFC 8555 8): processing once anybody
// has begun, so that a mistyped code does not end it.
func (c *Case) ChallengeStatus() string {
	switch c.Status {
	case CaseGranted:
		return "valid"
	case CaseOpen:
		if len(c.Attempts) == 0 {
			return "pending"
		}
		return "processing"
	case CaseReview:
		return "processing"
	case CaseRevoked:
		return "valid" // it was: a challenge has no status for what comes after
	}
	if c.Grant != nil {
		return "valid"
	}
	return "invalid"
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// get reads a case as it stands now: one whose time is over looks over, even
// before the worker has stored that. Reading changes nothing.
func (s *Service) get(ctx context.Context, id string) (*Case, error) {
	if _, ok := IDBucket(id); !ok {
		return nil, ErrNotFound
	}
	c, err := s.Cases.Get(ctx, id)
	if err == nil {
		c.lapse(s.now(), s.retention(c))
	}
	return c, err
}

// update is updateBy for what follows from something else, or from time.
func (s *Service) update(ctx context.Context, id string, edit func(c *Case, now time.Time) error) (*Case, error) {
	return s.updateBy(ctx, byService, id, edit)
}

// updateBy is how every verb changes a case: it lets time take effect, makes the
// edit, writes an event if the authority can see a difference and an entry for each thing that the log tells of, and tells whoever waits.
func (s *Service) updateBy(ctx context.Context, by author, id string, edit func(c *Case, now time.Time) error) (*Case, error) {
	c, err := s.Cases.Update(ctx, id, func(c *Case) error {
		now, before := s.now(), c.moment()
		since := before
		if c.lapse(now, s.retention(c)) { // nobody did that
			s.writeSince(c, before, byService, now)
			since = c.moment()
		}
		if err := edit(c, now); err != nil {
			return err
		}
		s.writeSince(c, since, by, now)
		if change := c.view().change(before.view); change != "" && !c.Own() {
			c.tell(change, now)
		}
		return nil
	})
	if err == nil {
		s.changed(c)
		s.handOver(c)
	}
	return c, err
}

func (s *Service) retention(c *Case) time.Duration {
	switch {
	case c.Own() && c.Desk != nil:
		return deskRetention
	case c.Own():
		return ownRetention
	}
	if p := s.Policy.Profiles[c.Profile]; p != nil {
		return p.Retention
	}
	return 90 * 24 * time.Hour // the profile is gone from the configuration
}

// changed tells whoever works off a case, or waits for it, that it is stored anew.
func (s *Service) changed(c *Case) {
	s.local().changes.tell(c.ID)
	s.rouse()
	if len(c.Outbox.Events) > 0 || !c.Journal.Logged() {
		s.mark(SubjectCase, c.ID[:2])
	}
}

// rouse wakes this process's worker, if it has one.
func (s *Service) rouse() {
	select {
	case s.local().wake <- struct{}{}:
	default: // it is awake already
	}
}
