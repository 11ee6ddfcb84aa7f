package proofing

import (
	"slices"
	"time"
)

// Status is where a case stands. The words that a CA sees are in ca-facing
// terms of RFC 8555 7.1.6; the edge translates.
type Status string

// The statuses of a case. doc.go has the picture of the moves between them.
const (
	CaseOpen      Status = "open"      // the person is at work
	CaseReview    Status = "review"    // evidence complete; people must decide
	CaseGranted   Status = "granted"   // the authorization is valid
	CaseRefused   Status = "refused"   // it will never be
	CaseWithdrawn Status = "withdrawn" // deactivated by the account (RFC 8555 7.5.2)
	CaseExpired   Status = "expired"   // its time is over, before or after the grant
	CaseRevoked   Status = "revoked"   // taken back after the grant
)

// Over says whether nothing can come after the status.
func (s Status) Over() bool {
	return s == CaseRefused || s == CaseWithdrawn || s == CaseExpired || s == CaseRevoked
}

// Case is one request to be authorized: one applicant, one identifier, one
// profile, one authority. It is plain data with rules; its methods are pure and
// take the time they need.
type Case struct {
	ID         string     `json:"id"`
	CA         string     `json:"ca"`       // the authority's name; empty: a person's own session
	CATitle    string     `json:"ca_title"` // as people read it
	Profile    string     `json:"profile"`  // the profile's name
	Natural    string     `json:"natural"`  // keyed hash of what makes it unique; empty: nothing
	Token      Secret     `json:"token"`    // of the one ACME challenge (RFC 8555 8.1)
	LinkSecret Secret     `json:"link"`     // of case_url
	Disown     Secret     `json:"disown"`   // of "this was not me"
	Applicant  Applicant  `json:"applicant"`
	Identifier Identifier `json:"identifier"`
	// Contacts that the CA knows are the only addresses that may be used.
	Contacts   []Contact `json:"contacts,omitempty"`
	ExternalID string    `json:"external_id,omitempty"`
	// EABKid is the key by which the account was bound that the case is for, and Keys are those that the case has ended
	// in, the last of which is the one that counts.
	EABKid string   `json:"eab_kid,omitempty"`
	Keys   []string `json:"keys,omitempty"`
	// Known is the keyed hash of what the case is found by where nobody says who the applicant is; empty: by nothing.
	Known string `json:"known,omitempty"`
	// CSRDigest is the SHA-256 of the DER CertificationRequestInfo, base64url.
	CSRDigest string `json:"csr_digest,omitempty"`
	// CSR is what people are shown of it, where it is known.
	CSR *CSRShown `json:"csr,omitempty"`
	// Parent is the authorization beneath which this is the approval of one CSR, and ParentExpires when that expires; empty for an authorization.
	Parent        string    `json:"parent,omitempty"`
	ParentExpires time.Time `json:"parent_expires,omitzero"`
	Lang          string    `json:"lang,omitempty"`
	SelfService   bool      `json:"self_service,omitempty"`

	Status Status  `json:"status"`
	Frozen *Freeze `json:"frozen,omitempty"`
	// Repudiated is when somebody last said that it was not them, by a link of this case or of a request that the same proof served; zero again once it is given back, and
	// never without a freeze unless it is over. The word about one certificate freezes the request, and is no such word.
	Repudiated time.Time `json:"repudiated,omitzero"`
	// Reached are the events by which the word about other cases reached this one; none: it was about the case itself, and all that was proved in it.
	Reached []ReachedBy `json:"reached,omitempty"`
	// Lifted is when a freeze was last lifted: what was said before reaches the case no more. GivenBack is when its person has lifted one, which they do once.
	Lifted    time.Time `json:"lifted,omitzero"`
	GivenBack time.Time `json:"given_back,omitzero"`
	Denied    time.Time `json:"denied,omitzero"`  // when somebody said so after it was over
	Reason    string    `json:"reason,omitempty"` // why it is refused, revoked or in review: a code
	Created   time.Time `json:"created"`
	Changed   time.Time `json:"changed"` // the last change of status
	Expires   time.Time `json:"expires"` // of the status it is in
	Started   bool      `json:"started"` // the CA has started the challenge
	// Seen is when a session was last used, and Recovered when somebody came in by a saved code or by a representative's.
	Seen      time.Time `json:"seen,omitzero"`
	Recovered time.Time `json:"recovered,omitzero"`
	// Reactivated is what somebody has said in the session to be theirs still.
	Reactivated []Reactivation `json:"reactivated,omitempty"`
	// Desk is the recovery before a representative that the session is of; nil: of none.
	Desk *DeskRecovery `json:"desk,omitempty"`
	// Signing is the decision that the session's person is asked to sign; nil: none.
	Signing *Signing  `json:"signing,omitempty"`
	Retain  time.Time `json:"retain"` // the record may go after this
	// Certificates are those that rest on the case, by the ids of their records, and Keep is until when the case is kept for their sake.
	Certificates []string  `json:"certificates,omitempty"`
	Keep         time.Time `json:"keep,omitzero"`
	// Disowned are those of them that somebody said were not theirs, once the authority is told.
	Disowned []string `json:"disowned,omitempty"`

	// Browser is the hash of the browser that claimed the case by completing
	// the first challenge.
	Browser  string     `json:"browser,omitempty"`
	Person   string     `json:"person,omitempty"`
	Attempts []Attempt  `json:"attempts,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	// Lost are the authenticators that are suspended since they spoke here, and Held since when the grant is held back for that: it
	// authorizes nothing until what it rests on is its person's again.
	Lost []Lost    `json:"lost,omitempty"`
	Held time.Time `json:"held,omitzero"`
	// Unbound are the events whose address did not become the person's: Person.admits.
	Unbound []string `json:"unbound,omitempty"`
	// DeskCode is what the person shows to a representative, once they have asked for one, DeskKey is its keyed
	// hash, and Proofings is what representatives recorded.
	DeskCode  string             `json:"desk_code,omitempty"`
	DeskKey   string             `json:"desk_key,omitempty"`
	Proofings []RecordedProofing `json:"proofings,omitempty"`
	Grant     *Grant             `json:"grant,omitempty"`
	// Approval is what people decide about the request; nil where nobody does, and before.
	Approval *Approval `json:"approval,omitempty"`
	// Taken is what the person has taken away since, Ending says that the grant does not last, and Recheck when it is looked at again.
	Taken   []Taking  `json:"taken,omitempty"`
	Ending  *Ending   `json:"ending,omitempty"`
	Recheck time.Time `json:"recheck,omitzero"`
	// Told is the number of the last event that the authority is told of.
	Told   int64  `json:"told,omitempty"`
	Outbox Outbox `json:"outbox,omitempty"`
	// Journal is what the case has to say to the log.
	Journal Journal `json:"journal,omitzero"`
}

// Freeze is somebody's word that it was not them.
type Freeze struct {
	At    time.Time `json:"at"`
	Until time.Time `json:"until"` // if nobody restores it, the case ends here
	// Asked is that somebody wants it given back, which another one must do, too (RestoreFrozen).
	Asked *Asked `json:"asked,omitempty"`
}

// Grant is what the CA relies on, with the assessment that earned it.
type Grant struct {
	At           time.Time  `json:"at"`
	Expires      time.Time  `json:"expires"`
	RecheckAfter time.Time  `json:"recheck_after"`
	Entitlement  string     `json:"entitlement"` // what it rests on: a code
	PolicyDigest string     `json:"policy_digest"`
	Assessment   Assessment `json:"assessment"`
	// Statement is signed when first fetched and then kept.
	Statement        Secret    `json:"statement,omitempty"`
	StatementExpires time.Time `json:"statement_expires,omitzero"`
}

// Indexes implements Record. The unique entry lets one case stand for an
// applicant, identifier and profile while it is pending or valid; a case that is over gives
// the place free.
func (c *Case) Indexes() []Index {
	if c.Own() {
		return c.ownIndexes()
	}
	ix := []Index{{Name: "ca", Value: c.CA + "." + stamp(c.Created)}, {Name: "status", Value: string(c.Status) + "." + stamp(c.Changed)}}
	if c.Natural != "" && !c.Status.Over() {
		ix = append(ix, Index{Name: "natural", Value: c.Natural, Unique: true})
	}
	if c.Applicant.ID != "" && !c.Status.Over() {
		ix = append(ix, Index{Name: "applicant", Value: c.Applicant.ID})
	}
	if c.Known != "" && c.Status == CaseGranted {
		ix = append(ix, Index{Name: "identifier", Value: c.Known})
	}
	if c.Person != "" {
		ix = append(ix, Index{Name: "person", Value: c.Person})
	}
	if c.DeskKey != "" && !c.Status.Over() {
		ix = append(ix, Index{Name: "desk", Value: c.DeskKey})
	}
	if c.Status == CaseOpen && slices.ContainsFunc(c.Proofings, func(r RecordedProofing) bool { return r.Status == RecordDraft || r.Status == RecordSubmitted }) {
		ix = append(ix, Index{Name: "proofing", Value: stamp(c.Created)})
	}
	if at := c.trouble(); !at.IsZero() {
		ix = append(ix, Index{Name: "trouble", Value: newestFirst(at)})
	}
	if due, ok := c.nextDue(); ok {
		ix = append(ix, Index{Name: "due", Value: stamp(due)})
	}
	if c.Parent != "" && c.Status != CaseExpired {
		ix = append(ix, Index{Name: "issuance", Value: issuanceOf(c.Parent, c.CSRDigest), Unique: true})
	}
	ix = append(append(ix, c.docketIndexes()...), c.frozenIndexes()...)
	return append(append(ix, c.ledger().deadIndexes()...), c.Journal.indexWith(c.Outbox.Events)...)
}

// ownIndexes are those of a session: it is nobody's to list but its person's.
func (c *Case) ownIndexes() (ix []Index) {
	if c.Person != "" {
		ix = append(ix, Index{Name: "person", Value: c.Person})
	}
	if due, ok := c.nextDue(); ok {
		ix = append(ix, Index{Name: "due", Value: stamp(due)})
	}
	if d := c.Desk; d != nil && d.Used.IsZero() && !c.Status.Over() {
		// One for a person: their cases of this kind share a bucket.
		ix = append(ix, Index{Name: "regains", Value: stamp(c.Created)}, Index{Name: "recovering", Value: c.Person, Unique: true})
		if d.CodeKey != "" {
			ix = append(ix, Index{Name: "regain", Value: d.CodeKey})
		}
	}
	return append(append(ix, c.ledger().deadIndexes()...), c.Journal.index()...)
}

// ExpiresAt implements Record. A record stays until everything that it has to say is in the log, and everything that it owes is done.
func (c *Case) ExpiresAt() time.Time {
	if c.Status.Over() && c.Journal.Logged() && !c.Outbox.owes() {
		if c.Keep.After(c.Retain) {
			return c.Keep
		}
		return c.Retain
	}
	return time.Time{}
}

// nextDue is when the worker must look at the case again: for a message, an
// effect, or the end of its time.
func (c *Case) nextDue() (time.Time, bool) {
	due, ok := c.Outbox.NextDue()
	if !c.Status.Over() {
		for _, t := range []time.Time{c.Expires, c.frozenUntil(), c.endingAt(), c.Recheck, c.runsOut()} {
			if !t.IsZero() && (!ok || t.Before(due)) {
				due, ok = t, true
			}
		}
	}
	return due, ok
}

// endingAt is when a grant ends of which something has given way; zero for others.
func (c *Case) endingAt() time.Time {
	if c.Ending == nil || c.Status != CaseGranted {
		return time.Time{}
	}
	return c.Ending.At
}

func (c *Case) frozenAt() time.Time {
	if c.Frozen == nil {
		return time.Time{}
	}
	return c.Frozen.At
}

func (c *Case) frozenUntil() time.Time {
	if c.Frozen == nil {
		return time.Time{}
	}
	return c.Frozen.Until
}

// stamp writes a time so that text order is time order, in milliseconds.
func stamp(t time.Time) string {
	const digits = "0123456789"
	ms := max(t.UnixMilli(), 0)
	var b [13]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[ms%10]
		ms /= 10
	}
	return string(b[:])
}

// move changes the status. Only the moves of doc.go's picture exist.
func (c *Case) move(to Status, reason string, now, expires time.Time) {
	c.Status, c.Reason, c.Changed, c.Expires = to, reason, now, expires
}

// end moves the case to a status that nothing follows. What could still be
// answered or sent is forgotten; what people and other records must learn is not.
func (c *Case) end(to Status, reason string, now time.Time, retention time.Duration) {
	c.move(to, reason, now, c.Expires)
	if c.Frozen != nil { // nothing more is to follow from it
		c.Outbox.Effects = slices.DeleteFunc(c.Outbox.Effects, func(e Effect) bool { return e.Kind == EffectBind })
	}
	c.Frozen, c.Recheck = nil, time.Time{}
	c.Retain = now.Add(retention)
	for i := range c.Attempts {
		a := &c.Attempts[i]
		if a.Status == AttemptOpen {
			a.Status = AttemptOver
		}
		a.erase()
	}
	c.endRecords(now)
	c.forgetSigning()
	c.Outbox.Drop()
	if to != CaseExpired && reason != "not_entitled" { // it was taken back, and serves no other
		c.Outbox.Effects = slices.DeleteFunc(c.Outbox.Effects, func(e Effect) bool { return e.Kind == EffectShare })
	}
}

// Disownable says whether anything follows from somebody's word that it was not them.
func (c *Case) Disownable() bool {
	if c.Status.Over() {
		return (len(c.Evidence) > 0 || !c.Recovered.IsZero()) && c.Denied.IsZero() && c.Reason != reasonDisowned
	}
	return c.Frozen == nil
}

// freeze holds the case where it is; attempts under way are void.
func (c *Case) freeze(f Freeze) {
	if c.Frozen != nil || c.Status.Over() {
		return
	}
	f.Asked = nil // that another one be given back is another matter
	c.Frozen = &f
	c.forgetSigning()
	for i := range c.Attempts {
		if a := &c.Attempts[i]; a.Status == AttemptOpen {
			c.replace(a)
		}
	}
	c.Outbox.Drop()
}

// reasonDisowned is why a case ended that somebody said was not theirs.
const reasonDisowned = "disowned"

// lapse lets time take effect, and says whether it has: the end of the time that
// its status gives it ends a case, and so does a freeze that nobody lifted, and what has given way under a grant. A frozen case
// ends as disowned in any way: whoever relied on it must hear why.
func (c *Case) lapse(now time.Time, retention time.Duration) bool {
	over := c.Expires
	if c.Frozen != nil && c.Frozen.Until.Before(over) {
		over = c.Frozen.Until
	}
	if at := c.endingAt(); !at.IsZero() && at.Before(over) {
		over = at
	}
	switch {
	case c.Status.Over() || now.Before(over):
		return false
	case c.Frozen == nil && !c.endingAt().IsZero():
		c.end(CaseRevoked, c.Ending.Reason, over, retention)
	case c.Frozen == nil:
		c.end(CaseExpired, "expired", over, retention)
	case c.Status == CaseGranted:
		c.end(CaseRevoked, reasonDisowned, over, retention)
	default:
		c.end(CaseRefused, reasonDisowned, over, retention)
	}
	return true
}

// keep is the edit that changes nothing but what time has done.
func keep(*Case, time.Time) error { return nil }
