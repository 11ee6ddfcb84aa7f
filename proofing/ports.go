package proofing

import (
	"context"
	"encoding/json"
	"time"
)

// Record is what a Table keeps. Its methods are pure: they read the record and
// nothing else, so that index entries always follow from what is stored.
type Record interface {
	// Indexes says under which names and values the record can be found.
	Indexes() []Index
	// ExpiresAt is when the store may forget the record; zero means never.
	ExpiresAt() time.Time
}

// Index is one entry under which a record can be found. Values are not sealed
// in the store, so that they can be searched in order: an address, a token or
// any other Secret enters an index only as a keyed hash.
type Index struct {
	Name  string
	Value string
	// Unique entries admit one record for a value within the record's bucket.
	// Who wants uniqueness everywhere derives the bucket from the value (NewID).
	Unique bool
}

// Table is the whole record-storage port: typed records under ids that NewID
// made. A record and its index entries change together or not at all.
//
// An edit may run more than once, on fresh copies, until it meets no other
// writer: it must do nothing but edit. Returning an error from it leaves the
// record as it was, and Update returns that error as it is. Every
// method returns an error that wraps ErrUnavailable when the store cannot answer.
type Table[T any] interface {
	// Create stores a new record; ErrExists if the id or a unique value is taken.
	Create(ctx context.Context, id string, v *T) error
	// Get returns the record; ErrNotFound if there is none or it has expired.
	Get(ctx context.Context, id string) (*T, error)
	// Update applies edit in one atomic step and returns what is then stored.
	// ErrNotFound as Get; ErrExists if the edit claims a unique value that
	// another record holds.
	Update(ctx context.Context, id string, edit func(*T) error) (*T, error)
	// Delete removes the record and its index entries; ErrNotFound as Get.
	Delete(ctx context.Context, id string) error
	// Find returns the one record that holds a unique value in a bucket;
	// ErrNotFound if none does.
	Find(ctx context.Context, bucket, index, value string) (*T, error)
	// List returns records in the order of their index values and then of
	// their ids, bucket by bucket unless they are merged, and the cursor of the next page, which is
	// empty when there is none.
	List(ctx context.Context, q Query) (page []*T, next string, err error)
	// Count is how many entries a listing has, from its beginning and up to its limit, and whether there are more. It reads no record, so
	// that one which has just gone may be counted.
	Count(ctx context.Context, q Query) (n int, more bool, err error)
}

// Query says which records of a Table to list.
type Query struct {
	Index string // the name of the index
	Value string // the value that entries must have; ignored when Below or Prefix is set
	Below string // or: every entry whose value sorts before this one
	// Prefix is what the values begin with, where neither of the others is set.
	Prefix string
	// Merged puts the whole listing into one order, that of the values, over all buckets. It costs a look into each of them for every page.
	Merged bool
	// Bucket restricts the listing to one bucket; empty means all of them.
	Bucket string
	After  string // the cursor of the page before, or empty
	Limit  int    // the most records to return; 0 means 100
	// Unreadable is told of each damaged record (ErrUnreadable), which is left out; nil: it ends the listing with its error. Of a merged
	// listing several may be told at once.
	Unreadable func(id string, err error)
}

// Limiter counts what must not happen too often. Counts are kept through a
// restart, and one Add is one atomic step: of many at once each sees a total of its own.
type Limiter interface {
	// Add adds n to the counter of that key, which starts at zero and is
	// forgotten when window has passed since its first addition (a window of
	// zero: never). It returns the total after the addition and when the window ends
	// (zero time: never). n may be zero, to look, or negative, to give back;
	// a total does not fall below zero.
	Add(ctx context.Context, key string, n int64, window time.Duration) (total int64, resets time.Time, err error)
}

// Method is one way for a person to prove something. It is stateless and
// touches no storage: what it must remember is in the State that the service
// keeps sealed in the case. One value serves every case at once.
type Method interface {
	// Name is what profiles and pages call it: "email", "sms", "oidc", "fido".
	Name() string
	// Channel says what kind of contact the method proves.
	Channel() Channel
	// Check reads what a person typed or chose, an address or the name of a provider, and
	// returns its canonical form with what is known of it. The error is an *InputError whose code
	// has words in every language.
	Check(address string) (Contact, error)
	// Begin opens an attempt: it makes what the person will be asked for and, if that takes
	// one, the message that carries it.
	Begin(b Beginning) (Opening, error)
	// Judge compares an answer with the state of an opening, without a clock,
	// a context or a store, and returns what a right one proves. It returns ErrWrongAnswer for an
	// answer that is merely wrong, or an *InputError for one that cannot be an
	// answer (which costs no try).
	Judge(state json.RawMessage, c Contact, a Answer) (Proof, error)
}

// Speaker is a Method whose answers say which authenticator gave them: a passkey by its
// id, an account at a provider by issuer and subject.
type Speaker interface {
	Method
	// Speaks reads from an answer who it claims to come from, before any of it is believed. The
	// error is that of Judge.
	Speaks(state json.RawMessage, a Answer) (Contact, error)
}

// Chooser is a Method that goes to one of a few places, which are chosen by name.
type Chooser interface {
	Method
	// Choices are the places that may speak in a case for the identifier, in the order in which they are offered: Address
	// is the name, Shown the title. The zero Identifier, where there is no case yet or no authority's, takes all.
	Choices(id Identifier) []Contact
}

// Agreed is a Method whose answers are somebody's word, which counts by an agreement with them.
type Agreed interface {
	Method
	// Agreements are those that are in force now with an issuer; none: its word counts for nothing any more. They say nothing of a transaction.
	Agreements(issuer string) []OIDCTrust
}

// Fetcher is a Method that needs the network: to know whom it sends people to, and to complete
// their answers, as when a code is exchanged for a token. Everything else of it works
// without. Both errors wrap ErrUnavailable when the network does not answer.
type Fetcher interface {
	Method
	// Prepare fetches what Begin must know.
	Prepare(ctx context.Context, c Contact) error
	// Fetch returns what Answer.Fetched shall be. A try is spent before it is called. Its other errors are
	// those of Judge.
	Fetch(ctx context.Context, state json.RawMessage, c Contact, a Answer) (json.RawMessage, error)
}

// Receiver is a Method that also takes tokens that a client or a build system hands in, with no browser and no attempt.
type Receiver interface {
	Method
	// Receive verifies a token and that it is bound to the case. Its errors are *InputError, or wrap
	// ErrUnavailable when the network does not answer.
	Receive(ctx context.Context, token Secret, to Handover) (Handed, error)
}

// DocumentSigner is a Method whose authenticators sign documents, with their user verified: what a person decides, as
// they were shown it. Like the rest of a method it keeps nothing and touches no storage.
type DocumentSigner interface {
	Method
	// AskDocument makes what the page's script hands to the browser, so that one authenticator signs a document, and the state
	// that TakeDocument needs.
	AskDocument(d DocumentAsking) (ask, state json.RawMessage, err error)
	// TakeDocument judges an answer, without a store or a context. It returns ErrWrongAnswer for one that is merely wrong, or an *InputError for
	// one that is no answer to this question, which costs no try: one whose document is another has the code "signing_other".
	TakeDocument(state json.RawMessage, a DocumentAnswer) (DocumentProof, error)
}

// DocumentAsking is a document that is to be signed.
type DocumentAsking struct {
	Document []byte
	// Kept is what was kept (Proof.Kept) of the authenticator that is to sign.
	Kept        json.RawMessage
	Attestation AttestationPolicy
	NotAfter    time.Time
}

// DocumentAnswer is what an authenticator is said to have signed.
type DocumentAnswer struct {
	Document []byte
	Kept     json.RawMessage // as it is now
	Response json.RawMessage // what the script got from the browser
}

// DocumentProof is what a right answer proves.
type DocumentProof struct {
	// Signature has everything but Document and At.
	Signature Signature
	Facts     WebAuthnFacts
	Kept      json.RawMessage // of the authenticator, when it speaks again
}

// Handover is what a token that is handed in must be bound to.
type Handover struct {
	KeyAuthorization Secret // of the case (RFC 8555 8.1)
	Origin           string // the public origin
	Challenge        string // the URL of the case's challenge
}

// Handed is a token that was found good.
type Handed struct {
	Proof  Proof
	Issuer string // the configured name of who signed it
	// Once names the token: what has the same name is the same token. Expires is when it is good no more.
	Once    string
	Expires time.Time
}

// Beginning is what a method needs to open an attempt.
type Beginning struct {
	Attempt string // the attempt's id; part of what an answer is bound to
	At      time.Time
	Contact Contact // where the challenge goes
	// KeyAuth is the SHA-256 of the case's key authorization (RFC 8555 8.1):
	// an answer given in one case is worth nothing in another.
	KeyAuth [32]byte
	// Bound says that the address is already bound to the person of the case,
	// so that the answer will authenticate and not merely confirm.
	Bound bool
	// Enrol asks for a new authenticator, and not for an answer of one that the person has.
	Enrol bool
	// Person is whose authenticators are meant: an opaque handle that is the same for
	// all of one person; empty while nobody knows who works on the case. Own is what was kept
	// (Proof.Kept) of those of the method that are bound to them.
	Person []byte
	Own    []json.RawMessage
	// AAL is what the case demands, 0 for nothing, and Attestation which authenticators it accepts.
	AAL         int
	Attestation AttestationPolicy
	// MaxAge is how long ago the person may have authenticated where they are sent, if less than is configured; 0: as it is configured.
	MaxAge time.Duration
	// Ref is the secret reference of the attempt, to be brought back by whoever returns
	// from another site: see Service.Returned.
	Ref Secret
	// Link is the secret of the link that the message may carry: a method that
	// wants one puts it into Message.Link, and the service makes a URL of it.
	// A click on it in the right browser answers as well as the code does.
	Link Secret
	// Context tells the message who asks for what.
	Context MessageContext
	// Origin is the public origin that links and the last line of an SMS name.
	Origin string
}

// Opening is what Begin made.
type Opening struct {
	State    json.RawMessage // kept sealed; what Judge needs
	Message  Message         // to be stored with the attempt, and then sent; without a Kind: none
	Ask      json.RawMessage // what the page's script hands to the browser; empty: nothing
	Away     Secret          // the address that the person goes to and comes back from; empty: none
	Lifetime time.Duration   // of the answer
	Tries    int             // wrong answers until the state is worthless
}

// Answer is what a person gave back: one of Code, Link and Response.
type Answer struct {
	Attempt string
	KeyAuth [32]byte
	Code    Secret // as typed, or
	Link    Secret // the secret of the link that was followed in the same browser, or
	// Response is what a script or another site gave the browser, in the method's own form.
	Response json.RawMessage
	// Fetched is what Fetch brought; empty for methods that fetch nothing.
	Fetched json.RawMessage
	// Kept is what was kept of the authenticator that the answer claims to come from, and
	// Person the handle of whom it is bound to; nil if it is bound to nobody.
	Kept   json.RawMessage
	Person []byte
}

// Proof is what a right answer proves.
type Proof struct {
	// Evidence has the facts that the method knows, without id, time and binding.
	Evidence Evidence
	// Contact is the authenticator that spoke; the zero Contact is the attempt's own.
	Contact Contact
	// Kept is what the method must know of that authenticator when it speaks again: a
	// public key, a counter. Nil: nothing new.
	Kept json.RawMessage
}

// Message is something to be sent to one address. It is stored, sealed, in the
// record whose change caused it (law 4), and rendered when it is sent.
type Message struct {
	// ID is unique and stable over repeated sends: it becomes the Message-ID of
	// a mail.
	ID string `json:"id"`
	// Kind names the template: "email_code", "sms_code", "frozen", "bound", …
	Kind    string  `json:"kind"`
	Channel Channel `json:"channel"`
	To      Secret  `json:"to"`
	Lang    string  `json:"lang"`
	// Code and Link are erased when the message is settled.
	Code Secret `json:"code,omitempty"`
	Link Secret `json:"link,omitempty"`
	// Disown is the link of "this was not me".
	Disown  Secret         `json:"disown,omitempty"`
	Context MessageContext `json:"context"`
	// Minutes is the lifetime of the code that the words name.
	Minutes int `json:"minutes,omitempty"`
	// Thing and About are what a notice is about: its channel, and what its person knows it by.
	Thing Channel `json:"thing,omitempty"`
	About string  `json:"about,omitempty"`
	// Role is the role that a notice of an appointment is about, and By the name of who has done it; empty: nobody in the console.
	Role Role   `json:"role,omitempty"`
	By   string `json:"by,omitempty"`
	// Waits says of a notice by text message that it waits for a limit, and is not dropped.
	Waits bool `json:"waits,omitempty"`
}

// MessageContext is what every message and page says of the request.
type MessageContext struct {
	CA          string `json:"ca"`          // the certificate authority's display name
	Identifier  string `json:"identifier"`  // "example.com"
	Profile     string `json:"profile"`     // the profile's title
	Fingerprint string `json:"fingerprint"` // of the account key, short; empty if none
	Operator    string `json:"operator"`    // who runs this service
	Contact     string `json:"contact"`     // where people turn with questions
	Origin      string `json:"origin"`      // the public origin
	Lang        string `json:"lang"`
	// Reason is why a grant ends, and Ends when, if not at once.
	Reason string    `json:"reason,omitempty"`
	Ends   time.Time `json:"ends,omitzero"`
}

// Sender sends one message through a provider. It is called once for each
// attempt to send and says how sure it is of the outcome.
type Sender interface {
	// Send returns a receipt once the provider has accepted the message. Every
	// other outcome is a *SendError.
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Receipt is a provider's word that it accepted a message.
type Receipt struct {
	Provider string `json:"provider"`
	// Reference is the provider's own id of the message, if it gives one.
	Reference string `json:"reference,omitempty"`
	// CostMicros is the price that the provider named, in millionths of the
	// budget's currency; 0 if it named none.
	CostMicros int64 `json:"cost_micros,omitempty"`
}

// Signer signs statements.
type Signer interface {
	// Sign returns the compact JWS of the claims, ES256, with that typ.
	Sign(typ string, claims map[string]any) (string, error)
}
