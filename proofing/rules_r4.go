package proofing

import "time"

// revision4 is what SP 800-63-4 says of any record.
var revision4 = revision{
	// In revision 4 even IAL1 asks for evidence: self-assertion is no level.
	ial:      nil,
	ialBasis: BasisNoIdentityProofing,
	ialReason: Reason{"SP 800-63C-4 2.5",
		"No identity was proofed, and IAL1 must not be assumed: the record has no IAL."},
	noAAL: Reason{"SP 800-63B-4 2", "No event authenticated the person with an authenticator that was bound to them before and still counts."},
	noFAL: Reason{"SP 800-63C-4 2", "No event rests on an assertion of an identity provider that counts."},
	unvalidatedVerifier: Reason{"SP 800-63B-4 2.3.2",
		"AAL3 needs a verifier that is validated to FIPS 140, which the operator has not attested: capped at AAL2."},
	suspended: Reason{"SP 800-63B-4 4.3",
		"The account was recovered, and what authenticated its person before is suspended as lost until they say that it is theirs still: no AAL."},
	suspendedWord: Reason{"SP 800-63B-4 4.3",
		"What a provider says of a person it says by the account that is suspended as lost: no IAL and no FAL."},
	unknownKind: Reason{"SP 800-63B-4 2", "This version has no rule for this kind of event, so it earns nothing."},
	reauthentication: [4]reauthentication{
		1: {30 * 24 * time.Hour, Reason{"SP 800-63B-4 2.1.3", "At AAL1 reauthentication is due after 30 days, which have passed."}},
		2: {24 * time.Hour, Reason{"SP 800-63B-4 2.2.3", "At AAL2 reauthentication is due after 24 hours, which have passed."}},
		3: {12 * time.Hour, Reason{"SP 800-63B-4 2.3.3", "At AAL3 reauthentication is due after 12 hours, which have passed."}},
	},
}
