package proofing

import (
	"slices"
	"time"
)

// The kinds of entries of a case, and of a person's own session.
const (
	EntryOpened     EntryKind = "opened"
	EntryEvidence   EntryKind = "evidence"   // something was proved
	EntryFailed     EntryKind = "failed"     // an attempt whose tries are spent
	EntryStatus     EntryKind = "status"     // of a case
	EntrySuspended  EntryKind = "suspended"  // a grant is held back, for what it rests on is suspended
	EntryReinstated EntryKind = "reinstated" // it is not any more
	EntryEnding     EntryKind = "ending"     // what a grant rests on has given way
	EntryMended     EntryKind = "mended"
	EntryDisowned   EntryKind = "disowned" // somebody said, of a case that is over, that it was not them
	EntryFrozen     EntryKind = "frozen"   // and of one that is not
	EntryRestored   EntryKind = "restored"
	EntryRekeyed    EntryKind = "account_key_changed" // its account has another key (RFC 8555 7.3.5)
	EntrySignedIn   EntryKind = "signed_in"
	EntryLevelRisen EntryKind = "level_risen" // of a session
	EntrySignedOut  EntryKind = "signed_out"  // its end, whatever the reason
	EntryRecovered  EntryKind = "recovered"   // somebody came in by a saved code or by a representative's

	// What representatives do for who has lost everything; that they refuse is a change of status.
	EntryRecoveryStarted   EntryKind = "recovery_started"
	EntryRecoveryConfirmed EntryKind = "recovery_confirmed"

	// What changes in what a person has is told by the case or session in which it does.
	EntryBound       EntryKind = "authenticator_bound"
	EntryUnbound     EntryKind = "authenticator_removed"
	EntryReactivated EntryKind = "authenticator_reactivated"
	EntryCopied      EntryKind = "authenticator_copied" // its counter says that there may be a copy
	EntryCodes       EntryKind = "recovery_codes_made"
)

// subject is what the log calls the case.
func (c *Case) subject() Subject {
	if c.Own() {
		return SubjectSession
	}
	return SubjectCase
}

// write writes an entry of the case. Private parts tell of its person, and say where the author came from.
func (c *Case) write(by author, now time.Time, kind EntryKind, facts, private map[string]any) {
	if by.client != "" {
		if private == nil {
			private = map[string]any{}
		}
		private["client"] = by.client
	}
	n := Note{Of: c.subject(), Object: c.ID, Kind: kind, By: by.at(c), At: now, Facts: facts}
	if len(private) > 0 {
		n.Private = private
		if c.Person != "" {
			n.Persons = []string{c.Person}
		}
	}
	c.Journal.Write(n)
}

// writeOpened writes the first entry of an authority's case. key is the record of the key that its account is bound by; empty: of none.
func (c *Case) writeOpened(by author, now time.Time, key string) {
	facts := map[string]any{"ca": c.CA, "profile": c.Profile, "applicant": string(c.Applicant.Kind), "identifier_type": c.Identifier.Type}
	private := map[string]any{"identifier": c.Identifier.Value}
	for name, value := range map[string]string{"applicant_key": c.Applicant.Key(), "csr_digest": c.CSRDigest, "csr_spki_sha256": c.csrKey(), "eab_kid": c.EABKid, "eab_key": key, "applicant_id": c.Applicant.ID, "parent": c.Parent} {
		if value != "" {
			facts[name] = value
		}
	}
	for name, value := range map[string]string{"account": c.Applicant.URL, "external_id": c.ExternalID} {
		if value != "" {
			private[name] = value
		}
	}
	if len(c.Contacts) > 0 {
		private["contacts"] = c.Contacts
	}
	if c.SelfService {
		facts["self_service"] = true
	}
	c.write(by, now, EntryOpened, facts, private)
}

// csrKey is the SHA-256 of the public key of the CSR that the case is about, as far as that is known.
func (c *Case) csrKey() string {
	if c.CSR == nil {
		return ""
	}
	return c.CSR.SPKI
}

// beginCase tells that a case is opened: its authority, and the log.
func (s *Service) beginCase(c *Case, by author) {
	key := ""
	if c.EABKid != "" {
		key = s.keyID(c.EABKid)
	}
	c.tell(ChangeCreated, c.Created)
	c.writeOpened(by, c.Created, key)
}

// moment is what the log wants to know of a case before it is changed.
type moment struct {
	view
	denied, recovered time.Time
	evidence          int
	aal               int
	spent             []string // attempts without tries
	key               string   // the applicant's
}

func (c *Case) moment() moment {
	m := moment{view: c.view(), denied: c.Denied, recovered: c.Recovered, evidence: len(c.Evidence), aal: c.aal(), key: c.Applicant.Key()}
	for i := range c.Attempts {
		if c.Attempts[i].spent() {
			m.spent = append(m.spent, c.Attempts[i].ID)
		}
	}
	return m
}

// aal is the level of the case's grant; 0 for none.
func (c *Case) aal() int {
	if c.Grant == nil || c.Grant.Assessment.AAL == nil {
		return 0
	}
	return *c.Grant.Assessment.AAL
}

// spent says whether an attempt has ended because nothing of it was right.
func (a *Attempt) spent() bool {
	return a.Status == AttemptFailed || a.Status != AttemptPassed && a.Codes > 0 && a.Tries <= 0 && a.State == nil && a.Message == nil
}

// writeSince writes what has become of the case since a moment.
func (s *Service) writeSince(c *Case, before moment, by author, now time.Time) {
	for i := range c.Attempts {
		if a := &c.Attempts[i]; a.spent() && !slices.Contains(before.spent, a.ID) {
			c.write(by, now, EntryFailed, map[string]any{"attempt": a.ID, "method": a.Method}, nil)
		}
	}
	if key := c.Applicant.Key(); before.key != "" && key != before.key { // what is signed from here on names this one
		c.write(by, now, EntryRekeyed, map[string]any{"applicant_key": key}, nil)
	}
	s.writeEvidence(c, before.evidence, "", by, now)
	if !c.Recovered.Equal(before.recovered) {
		c.write(by, now, EntryRecovered, map[string]any{"in_person": c.Desk != nil}, nil)
	}
	after := c.view()
	if after.status != before.status || after.reason != before.reason {
		s.writeStatus(c, before, by, now)
	}
	switch {
	case !c.Denied.Equal(before.denied):
		c.write(by, now, EntryDisowned, nil, nil)
	case after.frozen && !before.frozen:
		c.write(by, now, EntryFrozen, map[string]any{"until": c.Frozen.Until}, nil)
	case !after.frozen && before.frozen && !c.Status.Over():
		c.write(by, now, EntryRestored, nil, nil)
	}
	switch {
	case after.held && !before.held:
		c.write(by, now, EntrySuspended, nil, nil)
	case !after.held && before.held && c.Status == CaseGranted:
		c.write(by, now, EntryReinstated, nil, nil)
	}
	switch {
	case after.ending != before.ending && after.ending.Reason != "":
		c.write(by, now, EntryEnding, map[string]any{"reason": after.ending.Reason, "at": after.ending.At}, nil)
	case after.ending.Reason == "" && before.ending.Reason != "" && c.Status == CaseGranted:
		c.write(by, now, EntryMended, nil, nil)
	}
	if c.Own() && before.status == CaseGranted && c.Status == CaseGranted && c.aal() > before.aal {
		c.write(by, now, EntryLevelRisen, map[string]any{"aal": c.aal()}, nil)
	}
}

// writeEvidence writes what was proved from the first-th event on; from is the case in which it was, if not in this one.
func (s *Service) writeEvidence(c *Case, first int, from string, by author, now time.Time) {
	for _, e := range c.Evidence[min(first, len(c.Evidence)):] {
		facts := map[string]any{"event": e.ID, "method": e.Method(), "kind": string(e.Kind), "bound": e.bound()}
		if k := e.Contact(); k.Channel == ChannelPasskey {
			facts["authenticator"] = s.addressID(k)
		}
		if from != "" {
			facts["from"] = from
		}
		c.write(by, now, EntryEvidence, facts, map[string]any{"evidence": e})
	}
}

// writeTaken gives a new case what was proved in another, with what has become of it since, and writes that; what the log knows of the case then is returned, for writeSince.
func (s *Service) writeTaken(c, from *Case, now time.Time) moment {
	c.Evidence, c.Lost, c.Taken = slices.Clone(from.Evidence), slices.Clone(from.Lost), slices.Clone(from.Taken)
	s.writeEvidence(c, 0, from.ID, byService, now)
	return c.moment()
}

// writeStatus writes a change of status. A sign-in that nobody finished is none.
func (s *Service) writeStatus(c *Case, before moment, by author, now time.Time) {
	facts := map[string]any{"from": string(before.status), "to": string(c.Status)}
	if c.Reason != "" {
		facts["reason"] = c.Reason
	}
	switch {
	case c.Own() && c.Status == CaseGranted:
		c.write(by, now, EntrySignedIn, map[string]any{"aal": c.aal(), "until": c.Expires, "in_person": c.Desk != nil}, nil)
		return
	case c.Own() && before.status == CaseGranted:
		c.write(by, now, EntrySignedOut, facts, nil)
		return
	case c.Own() && c.Desk == nil:
		return
	}
	if c.Status == CaseGranted {
		facts["expires"], facts["entitlement"], facts["policy"] = c.Grant.Expires, c.Grant.Entitlement, c.Grant.PolicyDigest
		facts["aal"] = c.aal()
		// What the levels follow from besides the evidence, so that whoever has the log can judge anew.
		a, o := c.Grant.Assessment, s.Policy.OperatorFacts
		facts["framework"], facts["granted_at"] = string(a.Framework), c.Grant.At
		facts["operator"] = map[string]any{
			"verifier_fips140_validated": o.VerifierFIPS140Validated, "accept_unverified_line_type": o.AcceptUnverifiedLineType, "require_attestation": o.RequireAttestation,
		}
		// Which of it counts for nothing: while its authenticator is suspended, or because it was taken away before.
		suspended, left := []string{}, s.left(c)
		for _, e := range c.Evidence {
			if i := slices.IndexFunc(left, func(l Evidence) bool { return l.ID == e.ID }); i < 0 || left[i].Suspended {
				suspended = append(suspended, e.ID)
			}
		}
		if len(suspended) > 0 {
			facts["suspended"] = suspended
		}
		for name, level := range map[string]*int{"ial": a.IAL, "fal": a.FAL} {
			if level != nil {
				facts[name] = *level
			}
		}
	}
	c.write(by, now, EntryStatus, facts, nil)
}
