package proofing

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Journal is what a record has to say to the log. A change and the entry that tells of it are one update, so that no change is
// without an entry and no entry without its change (law 6). The sequencer moves entries into the log and leaves their places here.
type Journal struct {
	// Written is the number of the record's last entry. It names the state of the record that a person was shown and decided on.
	Written int64 `json:"written,omitempty"`
	// Pending are the entries that are not in the log yet, in their order.
	Pending []Entry `json:"pending,omitempty"`
	// Places are where the entries before them are: entry n is leaf Places[n-1] of the log.
	Places []int64 `json:"places,omitempty"`
}

// Entry is one entry of the log: what has happened to which object, when, and by whom (CA/Browser Forum Code Signing Baseline
// Requirements 5.4.1). It has two parts. The Leaf is what the log's tree is made over: it names objects and persons by ids that mean nothing
// elsewhere, and it commits to the other part. That one, Private, has names, addresses and words, and can be erased without the log
// being any less whole.
type Entry struct {
	Object string `json:"object"` // the id of the record
	Number int64  `json:"number"` // of the object's entries: 1, 2, 3 …
	// Leaf is the canonical JSON (RFC 8785) of a Leaf.
	Leaf string `json:"leaf"`
	// Salt and Private are what Leaf.Commitment is of; both are empty after erasure, or if there was nothing to tell.
	Salt    string          `json:"salt,omitempty"`
	Private json.RawMessage `json:"private,omitempty"`
	// Persons are whom Private tells of: who is erased takes it along.
	Persons []string `json:"persons,omitempty"`
}

// Leaf is what an entry says to everybody. Its canonical JSON is the leaf's data (RFC 6962 2.1).
type Leaf struct {
	Type   string    `json:"type"` // LeafType
	Of     Subject   `json:"of"`
	Object string    `json:"object"`
	Number int64     `json:"number"`
	At     time.Time `json:"at"`
	Kind   EntryKind `json:"kind"`
	By     Actor     `json:"by"`
	// Facts are the kind's own: codes, digests and ids. No name, address or free text of a person is among them.
	Facts map[string]any `json:"facts,omitempty"`
	// Commitment is the base64url SHA-256 of salt and private part; empty if there is no such part.
	Commitment string `json:"commitment,omitempty"`
}

// LeafType is the type of every leaf.
const LeafType = "countersign-entry-v1"

// Subject is a kind of record that has a journal.
type Subject string

// The kinds of record that have one.
const (
	SubjectCase          Subject = "case"
	SubjectSession       Subject = "session" // a person's own: sign-in and what is done there
	SubjectPerson        Subject = "person"
	SubjectAuthenticator Subject = "authenticator"
	SubjectOrganization  Subject = "organization"
	SubjectAppointment   Subject = "appointment"
	SubjectPolicy        Subject = "policy"
	SubjectConfiguration Subject = "configuration"
	SubjectCertificate   Subject = "certificate"
	SubjectKey           Subject = "eab_key" // of external account bindings
	SubjectAuthority     Subject = "authority"
	SubjectRegistry      Subject = "registry" // an entry of the registry
	SubjectLog           Subject = "log"      // the log itself: what was lost of it
)

// EntryKind says what an entry tells of. Where a record is declared its kinds stand beside it.
type EntryKind string

// Actor is who has done something.
type Actor struct {
	// Kind is "person", "ca" (a certificate authority's call), "operator" (a command on the server) or "service" (time, or what followed).
	Kind string `json:"kind"`
	// ID is the person's id or the authority's name; empty for the others.
	ID string `json:"id,omitempty"`
	// Role is in which role they did it, and Appointment by which appointment they have it.
	Role        Role   `json:"role,omitempty"`
	Appointment string `json:"appointment,omitempty"`
	// Session is the sign-in under which they did it: a case of their own.
	Session string `json:"session,omitempty"`
	// Name is who ran a command on the server, as far as that is known. Records have it; a leaf does not: its entry says it beside, as "operator".
	Name string `json:"name,omitempty"`
}

// The kinds of actors without a name of their own.
var (
	ByService  = Actor{Kind: "service"}
	ByOperator = Actor{Kind: "operator"}
)

// Note is one thing to write into a journal.
type Note struct {
	Of      Subject
	Object  string
	Kind    EntryKind
	By      Actor
	At      time.Time
	Facts   map[string]any // for everybody
	Private any            // a JSON object, or nil
	Persons []string       // whom Private tells of
}

// Write adds an entry. It belongs into the edit that makes the change. It panics on facts that have no canonical form: that is
// a mistake of the program, and it is found by the first call.
func (j *Journal) Write(n Note) {
	j.Written++
	e := Entry{Object: n.Object, Number: j.Written, Persons: n.Persons}
	leaf := Leaf{Type: LeafType, Of: n.Of, Object: n.Object, Number: e.Number, At: n.At.UTC().Truncate(time.Millisecond), Kind: n.Kind, By: n.By, Facts: n.Facts}
	if n.Private = n.private(); n.Private != nil {
		private, err := Canonical(n.Private)
		if err != nil {
			panic(fmt.Sprintf("proofing: entry %s: %v", n.Kind, err))
		}
		var salt [32]byte
		rand.Read(salt[:])
		e.Salt, e.Private = base64.RawURLEncoding.EncodeToString(salt[:]), private
		leaf.Commitment = commitment(salt[:], private)
	}
	text, err := Canonical(leaf.members())
	if err != nil {
		panic(fmt.Sprintf("proofing: entry %s: %v", n.Kind, err))
	}
	e.Leaf = string(text)
	j.Pending = append(j.Pending, e)
}

// private is the private part, with who ran the command if one did.
func (n Note) private() any {
	if n.By.Name == "" {
		return n.Private
	}
	all := map[string]any{}
	if n.Private != nil {
		text, err := Canonical(n.Private)
		if err == nil {
			err = json.Unmarshal(text, &all)
		}
		if err != nil {
			panic(fmt.Sprintf("proofing: entry %s: %v", n.Kind, err))
		}
	}
	all["operator"] = n.By.Name
	return all
}

// members are what is in the leaf's JSON.
func (l *Leaf) members() map[string]any {
	by := map[string]any{"kind": l.By.Kind}
	m := map[string]any{"type": l.Type, "of": string(l.Of), "object": l.Object, "number": l.Number, "at": l.At, "kind": string(l.Kind), "by": by}
	for name, value := range map[string]string{"id": l.By.ID, "role": string(l.By.Role), "appointment": l.By.Appointment, "session": l.By.Session} {
		if value != "" {
			by[name] = value
		}
	}
	if len(l.Facts) > 0 {
		m["facts"] = l.Facts
	}
	if l.Commitment != "" {
		m["commitment"] = l.Commitment
	}
	return m
}

// commitment hides what it commits to: without the salt nobody can try values out.
func commitment(salt, private []byte) string {
	h := sha256.New()
	h.Write(salt)
	h.Write(private)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Opens says whether the private part is what the leaf commits to. After erasure there is nothing to compare, and it does not. The
// commitment is to the canonical form: whoever stores the record may write the same value in another one.
func (e *Entry) Opens() bool {
	var leaf Leaf
	salt, err := base64.RawURLEncoding.Strict().DecodeString(e.Salt)
	if err != nil || len(salt) != 32 || json.Unmarshal([]byte(e.Leaf), &leaf) != nil {
		return false
	}
	private, err := Canonicalize(e.Private)
	return err == nil && commitment(salt, private) == leaf.Commitment
}

// index is the entry by which the sequencer finds a record that has something for the log.
func (j *Journal) index() []Index { return j.indexWith(nil) }

// indexWith is index for a record that has events, too, which are not listed yet.
func (j *Journal) indexWith(events []Event) []Index {
	switch {
	case len(j.Pending) > 0:
		return []Index{{Name: "entry", Value: stamp(j.Pending[0].at())}}
	case len(events) > 0:
		return []Index{{Name: "entry", Value: stamp(events[0].At)}}
	}
	return nil
}

// at is when an entry was written. The time is the first member of a leaf in its canonical form, and is read often.
func (e *Entry) at() time.Time {
	text, _ := strings.CutPrefix(e.Leaf, `{"at":"`)
	text, _, _ = strings.Cut(text, `"`)
	at, _ := time.Parse(time.RFC3339, text) // what Write wrote
	return at
}

// settle takes entries that are in the log out of what is pending. places are by number. It may be called again.
func (j *Journal) settle(places map[int64]int64) {
	for len(j.Pending) > 0 {
		n := j.Pending[0].Number
		place, there := places[n]
		if !there || n != int64(len(j.Places))+1 {
			return
		}
		j.Places, j.Pending = append(j.Places, place), j.Pending[1:]
	}
}

// size is how long what is pending is, in bytes as it is stored.
func (j *Journal) size() (n int) {
	for _, e := range j.Pending {
		n += len(e.Leaf) + len(e.Private)
	}
	return n
}

// Logged says whether everything that the record has to say is in the log.
func (j *Journal) Logged() bool { return len(j.Pending) == 0 }
