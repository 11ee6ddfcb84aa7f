package templates

import "time"

// AdminRevocations are the certificates that must be revoked in one scope, the most urgent first.
type AdminRevocations struct {
	AdminFrame
	Scopes      []AdminScope // the page chooses among several
	Rows        []AdminRevocation
	First, Next string
}

// AdminRevocation is one certificate that must be revoked.
type AdminRevocation struct {
	ID, Subject, Serial string
	CA, Profile         string
	Ends                time.Time // of the certificate
	Ended               bool
	Whose, Channel      string        // whose link it was said by, empty if nobody here knows, and whether it came by "email" or "phone"
	Said, By            time.Time     // when somebody said that it is not theirs, and until when it must be revoked
	Left                time.Duration // until then; since then if Late
	Late                bool
	Frozen              bool   // what the account was granted is
	Told                string // as in proofing.RevocationTold
	Theirs              bool   // the reader is of the organization, and not of the authority
	Log, Request        string // where those are; empty: nowhere
}

// AdminRevoke says in the queue that something must be revoked.
type AdminRevoke struct {
	N    string
	By   time.Time // of the most urgent one
	Late bool
	Href string
}

func (AdminRevocations) page() string { return "adminrevocations" }
