// Package proofing is what countersign means: who is behind a request for a
// certificate, and how sure we are. It holds the words, the rules and every verb
// of the product, and imports the standard library alone.
//
// # The words
//
// A certificate authority ([Authority]) opens a [Case]: may this [Applicant] (an
// ACME account, a public key, or nobody yet) have certificates for this [Identifier] under this
// [Profile]? The person behind the request opens the case's link and works
// through [Attempt]s, each with one [Method] and one address. A passed attempt leaves
// [Evidence]: facts, never a level. [Assess] turns evidence into an [Assessment] with
// the levels of SP 800-63 (IAL, AAL, FAL) and the clause behind each; the profile
// demands; the registry entitles. Then the case has its [Grant], and the authority reads a signed
// statement of it.
//
// A [Person] is known by the addresses bound to them. The event that binds an
// address confirms it and authenticates nobody; a later one with the same address
// authenticates, if the rules let such an address authenticate at all.
//
// # The statuses of a case
//
//	          ┌───────────── withdrawn (by the account, at any time)
//	          │
//	open ──▶ review ──▶ granted ──▶ revoked
//	  │         │          │
//	  ├─────────┴──▶ refused
//	  └─────────┴──────────┴──▶ expired
//
// A case may go from open to granted without review. Frozen is not a status but
// lies over one: after "this was not me" a case keeps its status, moves no further and
// authorizes nothing until it is restored, or ends when the freeze runs out. The cases
// that its evidence served are frozen with it.
//
// What a CA sees of it (RFC 8555 7.1.6): open and review are pending, granted is
// valid, refused is invalid, withdrawn is deactivated, expired and revoked are called so.
//
// # An attempt
//
//	open ──▶ passed | failed (every code spent) | over (replaced by another)
//
// Within one attempt there are up to four codes, one in force at a time, with five
// tries each. Counts of failures that outlive codes, attempts and cases are kept
// for the address.
//
// # A record of proofing
//
//	draft ──▶ submitted ──▶ accepted (and evidence) | refused
//	                │
//	                └──▶ expired (its case ended)
//
// A [Representative] records whose identity they have checked, in a case whose person has asked for one, and another
// one reviews it. A draft goes with its case.
//
// # An appointment
//
//	proposed ──▶ accepted ──▶ active ◀──▶ suspended
//	    └───────────┴───────────┴────────────┴──▶ ended
//
// An [Appointment] gives a person a [Role] in one scope. One person proposes it, its holder takes it up with a passkey, and
// another confirms it. One suspends it; two give it back, or end it. It stands ([Appointment.Stands]) while it is active, its
// term and what must be confirmed again have not run out, and nobody has recovered its holder's account since.
//
// An [Organization] is a dossier of [Item]s, each with its source, its collector and its age, and what no certificate may be granted
// without is what it [Organization.Lacks].
//
// # An outgoing message
//
//	pending ──▶ sending ──▶ settled
//	   ▲           │
//	   └── dead ◀──┘ (a notification)
//
// A code message in sending whose outcome nobody knows is settled as unknown and
// never sent again by itself. A notification goes back to pending until a
// provider has accepted it, always under the same Message-ID; one that is refused for good, or whose time
// runs out, is dead, until somebody has it sent again or it is forgotten.
//
// # Clocks
//
// Processes that share a store judge by their own clocks, which may differ by
// [ClockSkew]. Then a code, a grant and a level may last that much longer than they should
// or end that much earlier, and a person may wait that much longer for the next code or
// less. What must not depend on clocks does not: tries, failures in a row and
// budgets are counted, one of two at once wins by compare-and-set, what bound an address
// authenticates nobody, and a claim outlives its owner's time by the skew.
package proofing
