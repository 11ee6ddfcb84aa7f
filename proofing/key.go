package proofing

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"slices"
	"strings"
	"time"
)

// Key is an external account binding key (RFC 8555 7.3.4). It is what a person gets who has proved something before they have an
// ACME account, or what an authority has made for somebody whom it knows; an account that is created with it is theirs.
type Key struct {
	ID  string `json:"id"`
	Kid string `json:"kid"`
	CA  string `json:"ca"`
	// Directory is the one directory at which it may be used; empty: any of the authority's.
	Directory string `json:"directory,omitempty"`
	// Algorithm is the one that it may be used with: none is taken from a header.
	Algorithm string `json:"algorithm"`
	Secret    Secret `json:"secret"` // base64url
	Profile   string `json:"profile"`
	// Identifiers are what accounts of the key may ask for at most, in their one form; empty: the key does not say.
	Identifiers []Identifier `json:"identifiers,omitempty"`
	Subject     string       `json:"subject,omitempty"`      // whose it is, in the authority's words or as its pairwise name
	SubjectHash string       `json:"subject_hash,omitempty"` // keyed, of the authority and the subject: what it is found by
	MaxAccounts int          `json:"max_accounts"`
	Accounts    []KeyAccount `json:"accounts,omitempty"`
	// Closed are account keys that can be bound no more, because their account has left them since it began to be bound: see close.
	Closed []ClosedAccount `json:"closed,omitempty"`
	// Case is what it is the result of, and Person whose it is; both empty if an authority has made it without a proof.
	Case   string `json:"case,omitempty"`
	Person string `json:"person,omitempty"`
	// Organization is the dossier of the one organization that its accounts may ask for, and for nothing else; empty: the key is no organization's.
	Organization string `json:"organization,omitempty"`

	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// UnusedUntil is when it ends if no account has been bound to it and its authority has not been given it.
	UnusedUntil time.Time `json:"unused_until"`
	Revoked     time.Time `json:"revoked,omitzero"`
	// Released is when its authority was first given the MAC key, and Reported when that first said that an account was bound. What is
	// bound by an authority that verifies by itself does not stand in Accounts.
	Released time.Time `json:"released,omitzero"`
	Reported time.Time `json:"reported,omitzero"`
	Reason   string    `json:"reason,omitempty"` // of the revocation: a code
	// Replaces and ReplacedBy are the kids of a rotation; the old key works until Expires.
	Replaces   string `json:"replaces,omitempty"`
	ReplacedBy string `json:"replaced_by,omitempty"`
	// Retain is until when all of it is kept. What its accounts are held to stays after that (Bare), as long as the accounts do.
	Retain  time.Time `json:"retain"`
	Bare    bool      `json:"bare,omitempty"`
	Journal Journal   `json:"journal,omitzero"`
	// Told counts what its authority was told of it, and Events are what is not in the authority's feed yet.
	Told   int64   `json:"told,omitempty"`
	Events []Event `json:"events,omitempty"`
}

// The entries of a key in the log.
const (
	EntryKeyMade     EntryKind = "key_made"
	EntryKeyBound    EntryKind = "key_bound"
	EntryKeyReleased EntryKind = "key_released" // its authority has been given the MAC key
	EntryKeyReported EntryKind = "key_reported" // and has said that it bound an account by it
	EntryKeyRotated  EntryKind = "key_rotated"
	EntryKeyRevoked  EntryKind = "key_revoked"
)

// write adds an entry to the key's journal.
func (k *Key) write(by Actor, at time.Time, kind EntryKind, facts, private map[string]any) {
	n := Note{Of: SubjectKey, Object: k.ID, Kind: kind, By: by, At: at, Facts: facts}
	if private != nil {
		n.Private = private
		if k.Person != "" {
			n.Persons = []string{k.Person}
		}
	}
	k.Journal.Write(n)
}

// made writes of a new key. Its name, and whose it is, are beside the leaf: they mean something at the authority.
func (k *Key) made(by Actor, replaces string) {
	facts := map[string]any{"ca": k.CA, "profile": k.Profile, "algorithm": k.Algorithm, "max_accounts": k.MaxAccounts, "expires": k.Expires, "limited": len(k.Identifiers) > 0}
	for name, value := range map[string]string{"case": k.Case, "replaces": replaces} {
		if value != "" {
			facts[name] = value
		}
	}
	private := map[string]any{"kid": k.Kid}
	for name, value := range map[string]string{"directory": k.Directory, "subject": k.Subject} {
		if value != "" {
			private[name] = value
		}
	}
	k.write(by, k.Created, EntryKeyMade, facts, private)
}

// revoke ends the key, unless it was revoked before. Its authority is told of it, but for a key that nobody was ever shown.
func (k *Key) revoke(by Actor, now time.Time, reason string) {
	if !k.Revoked.IsZero() {
		return
	}
	k.Revoked, k.Reason = now, reason
	k.write(by, now, EntryKeyRevoked, map[string]any{"reason": reason}, nil)
	if reason == reasonRotated {
		return
	}
	k.Told++
	k.Events = append(k.Events, Event{
		ID: eventID(k.Kid, k.Told), Of: SubjectKey, Object: k.ID, Kid: k.Kid, Sequence: k.Told, At: now, Change: ChangeKeyRevoked, Profile: k.Profile, Reason: reason,
	})
}

// told takes events off the key that are listed in the feed, and unlisted are those that are not yet.
func (k *Key) told(ids map[string]bool) {
	k.Events = slices.DeleteFunc(k.Events, func(e Event) bool { return ids[e.ID] })
}

func (k *Key) unlisted() (ca string, events []Event) { return k.CA, k.Events }

// KeyAccount is an account that is bound to a key.
type KeyAccount struct {
	Account     string    `json:"account"`    // the applicant's id, which key rollovers do not change
	Thumbprint  string    `json:"thumbprint"` // of its key now
	URL         string    `json:"url,omitempty"`
	At          time.Time `json:"at"`
	Deactivated time.Time `json:"deactivated,omitzero"`
}

// ClosedAccount is an account key that its account has left, by a rollover or with its end.
type ClosedAccount struct {
	Thumbprint string    `json:"thumbprint"`
	At         time.Time `json:"at"`
}

// closedFor is far longer than any call goes on that began before an account key was closed.
const closedFor = 24 * time.Hour

// close has the key bind an account by that account key no more. Whoever binds has looked at the account before, and may have read that it
// has this key still.
func (k *Key) close(thumbprint string, now time.Time) {
	k.reopen(thumbprint)
	k.Closed = slices.DeleteFunc(k.Closed, func(c ClosedAccount) bool { return now.Sub(c.At) > closedFor })
	k.Closed = append(k.Closed, ClosedAccount{thumbprint, now})
}

// reopen takes that back, for an account that has come back to an account key of its own.
func (k *Key) reopen(thumbprint string) {
	k.Closed = slices.DeleteFunc(k.Closed, func(c ClosedAccount) bool { return c.Thumbprint == thumbprint })
}

// same says whether two entries say the same.
func (b KeyAccount) same(o KeyAccount) bool {
	return b.Account == o.Account && b.Thumbprint == o.Thumbprint && b.URL == o.URL && b.Deactivated.Equal(o.Deactivated)
}

// Indexes implements Record.
func (k *Key) Indexes() []Index {
	if k.Bare {
		return k.Journal.indexWith(k.Events)
	}
	ix := []Index{{Name: "ca", Value: k.CA}}
	if k.Person != "" {
		ix = append(ix, Index{Name: "person", Value: k.Person})
	}
	if k.SubjectHash != "" {
		ix = append(ix, Index{Name: "subject", Value: k.SubjectHash})
	}
	if k.Organization != "" {
		ix = append(ix, Index{Name: "organization", Value: k.Organization})
	}
	if len(k.Accounts) > 0 {
		ix = append(ix, Index{Name: "due", Value: stamp(k.Retain)})
	}
	return append(ix, k.Journal.indexWith(k.Events)...)
}

// ExpiresAt implements Record. A key that has bound an account stays with it: that it was revoked, or what its authority has limited the account to, does
// not end with the time for which records are kept.
func (k *Key) ExpiresAt() time.Time {
	if !k.Journal.Logged() || len(k.Events) > 0 || len(k.Accounts) > 0 {
		return time.Time{}
	}
	return k.Retain
}

// bare takes from a key whose record was kept long enough everything but what its accounts are held to. Nobody can verify anything by it, or learn whose it
// was; it stands in no list. It may be called again.
func (k *Key) bare(now time.Time) {
	if k.Bare || now.Before(k.Retain) {
		return
	}
	k.Bare, k.Secret, k.Subject, k.SubjectHash, k.Person, k.Organization, k.Closed = true, "", "", "", "", "", nil
	if k.Case != "" { // it names what a person has proved, and limits nobody
		k.Identifiers = nil
	}
}

// The MAC algorithms of a binding (RFC 7518 3.2), and how long their keys are in bytes: as long as the hash.
var keyAlgorithms = map[string]struct {
	hash func() hash.Hash
	size int
}{"HS256": {sha256.New, 32}, "HS384": {sha512.New384, 48}, "HS512": {sha512.New, 64}}

// KeyAlgorithms lists them, the one that every client knows first.
func KeyAlgorithms() []string { return []string{"HS256", "HS384", "HS512"} }

// KeyStatus is how a key is now.
type KeyStatus string

// The statuses of a key.
const (
	KeyActive  KeyStatus = "active"
	KeyExpired KeyStatus = "expired" // its time is over, or it was never used
	KeyRevoked KeyStatus = "revoked"
)

// Status is how the key is, by itself: what it rests on may have ended.
func (k *Key) Status(now time.Time) KeyStatus {
	switch {
	case !k.Revoked.IsZero():
		return KeyRevoked
	case !now.Before(k.Expires), k.Unused() && !now.Before(k.UnusedUntil):
		return KeyExpired
	}
	return KeyActive
}

// Unused says whether nobody can have bound an account by the key. Of one that its authority has, nobody tells us.
func (k *Key) Unused() bool { return len(k.Accounts) == 0 && k.Released.IsZero() }

// ExternalBinding is an external account binding as an account presents it, in which everything is well formed.
type ExternalBinding struct {
	Kid       string
	Algorithm string
	URL       string // of the authority's newAccount, in the inner and the outer JWS alike
	// Thumbprint is that of the outer key, and Bound that of the key in the payload (RFC 7638, SHA-256, base64url).
	Thumbprint, Bound string
	Signed            []byte // what the MAC is over
	MAC               []byte
}

// ErrBinding says that an external account binding is not good. What is wrong with it nobody is told: who guesses
// must not learn which part of the guess was right.
var ErrBinding = errors.New("the external account binding is not valid")

// proves says whether the binding is by this key and for this authority, with the same work whatever is wrong. It says nothing
// of whether the account may still be bound.
func (k *Key) proves(b ExternalBinding, ca *Authority, now time.Time) bool {
	secret, err := base64.RawURLEncoding.DecodeString(k.Secret.Reveal())
	alg, known := keyAlgorithms[b.Algorithm]
	if err != nil || !known {
		alg = keyAlgorithms["HS256"]
	}
	mac := hmac.New(alg.hash, secret)
	mac.Write(b.Signed)
	good := err == nil && known
	for _, right := range []bool{
		hmac.Equal(mac.Sum(nil), b.MAC),
		subtle.ConstantTimeCompare([]byte(b.Thumbprint), []byte(b.Bound)) == 1,
		subtle.ConstantTimeCompare([]byte(k.Algorithm), []byte(b.Algorithm)) == 1,
		k.CA == ca.Name, k.servedAt(ca, b.URL), k.Status(now) == KeyActive,
	} {
		good = good && right
	}
	return good
}

// at says whether the directory that the key is for is one of the authority's.
func (k *Key) at(ca *Authority) bool {
	return k.Directory == "" || slices.Contains(ca.Directories, k.Directory)
}

// isFor says whether the key may be used at that directory of its authority.
func (k *Key) isFor(directory string) bool { return k.Directory == "" || k.Directory == directory }

// servedAt says whether the key may be used at that newAccount URL of its authority. The directories and the URLs of an authority are in the same order; where
// there is one directory, all URLs are of it.
func (k *Key) servedAt(ca *Authority, url string) bool {
	if !slices.Contains(ca.NewAccounts, url) {
		return false
	}
	if k.Directory == "" {
		return true
	}
	i := slices.Index(ca.Directories, k.Directory)
	switch {
	case i < 0:
		return false
	case len(ca.Directories) == len(ca.NewAccounts):
		return ca.NewAccounts[i] == url
	}
	return len(ca.Directories) == 1 // of several directories nobody has said which URL is whose
}

// account is the entry of an account by its key; nil if it is not bound. The key of one that has ended may be another's by now.
func (k *Key) account(thumbprint string) (entry *KeyAccount) {
	for i := range k.Accounts {
		if b := &k.Accounts[i]; b.Thumbprint == thumbprint {
			if entry = b; b.Deactivated.IsZero() {
				break
			}
		}
	}
	return entry
}

// bind binds an account, once. ErrBinding if there is no place left, or the account has been deactivated or has another key by now.
func (k *Key) bind(a Applicant, now time.Time) error {
	if slices.ContainsFunc(k.Closed, func(c ClosedAccount) bool { return c.Thumbprint == a.Thumbprint }) {
		return ErrBinding
	}
	for i := range k.Accounts {
		if b := &k.Accounts[i]; b.Account == a.ID {
			if !b.Deactivated.IsZero() {
				return ErrBinding
			}
			b.Thumbprint = a.Thumbprint
			return nil
		}
	}
	if len(k.Accounts) >= k.MaxAccounts {
		return ErrBinding
	}
	k.Accounts = append(k.Accounts, KeyAccount{Account: a.ID, Thumbprint: a.Thumbprint, URL: a.URL, At: now})
	return nil
}

// binds says whether an account is bound, by its applicant's id.
func (k *Key) binds(account string) bool {
	return slices.ContainsFunc(k.Accounts, func(b KeyAccount) bool { return b.Account == account })
}

// covers says whether the key lets its accounts ask for an identifier under a profile: exactly what it names, and nothing
// that merely looks like it.
func (k *Key) covers(id Identifier, profile string) bool {
	return k.Profile == profile && (len(k.Identifiers) == 0 || slices.Contains(k.Identifiers, id))
}

// newKid makes the name of a key. It stands in commands and URLs, so it begins with no hyphen.
func newKid() string { return "cs" + strings.ToLower(NewToken().Reveal()[:22]) }

// newKeySecret makes a MAC key of the algorithm's size, in base64url. No option of a client may be confused with it: it begins
// with no hyphen.
func newKeySecret(algorithm string) Secret {
	for {
		b := make([]byte, keyAlgorithms[algorithm].size)
		rand.Read(b)
		if text := base64.RawURLEncoding.EncodeToString(b); text[0] != '-' {
			return Secret(text)
		}
	}
}
