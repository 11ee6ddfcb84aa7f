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
	unknownKind: Reason{"SP 800-63B-4 2", "This version has no rule for this kind of event, so it earns nothing."},
	reauthentication: [4]reauthentication{
		1: {30 * 24 * time.Hour, Reason{"SP 800-63B-4 2.1.3", "At AAL1 reauthentication is due after 30 days, which have passed."}},
		2: {24 * time.Hour, Reason{"SP 800-63B-4 2.2.3", "At AAL2 reauthentication is due after 24 hours, which have passed."}},
		3: {12 * time.Hour, Reason{"SP 800-63B-4 2.3.3", "At AAL3 reauthentication is due after 12 hours, which have passed."}},
	},
}

// The clauses of revision 4 behind codes and links.
var (
	r4EmailBarred = Reason{"SP 800-63B-4 3.1.3.1",
		"E-mail must not be used for out-of-band authentication: the code or link confirms the address."}
	r4VoIPBarred = Reason{"SP 800-63B-4 3.1.3.1",
		"The device must be authenticated by its SIM or by a wired line, which a VoIP number does not show: the code confirms the number."}
	r4NotBound = Reason{"SP 800-63B-4 4.1",
		"The number was not bound to the person before this event: a first code confirms it and authenticates nobody."}
	r4Binding = Reason{"SP 800-63B-4 3.1.3.3",
		"Setting the number is the binding of a new authenticator."}
	r4Telephone = Reason{"SP 800-63B-4 3.1.3.3",
		"The code came over the telephone network to a number bound before."}
	r4SingleFactor = Reason{"SP 800-63B-4 2.1.1",
		"One out-of-band device is a single factor: AAL1."}
	r4Restricted = Reason{"SP 800-63B-4 3.2.9",
		"Codes over the telephone network are a restricted authenticator."}

	// A code or a link proves control of an address and nothing else.
	r4NoIdentityEvidence = Reason{"SP 800-63A-4 4.1",
		"Control of an address is no identity evidence, which IAL1 asks for: the event gives no IAL."}
	r4NoAssertion = Reason{"SP 800-63C-4 2",
		"No assertion of an identity provider is part of the event: it has no FAL."}
)

// r4Email is the rule for codes and links by e-mail (SP 800-63B-4 3.1.3.1).
func r4Email(_ OperatorFacts, _ Evidence) verdict {
	v := accept(FlagEmailConfirmed)
	v.because(r4EmailBarred, r4NoIdentityEvidence, r4NoAssertion)
	return v
}

// r4Phone is the rule for codes by SMS and voice (SP 800-63B-4 3.1.3.3). A line
// of unknown type counts like a known one: revision 4 asks for no look-up.
func r4Phone(_ OperatorFacts, e Evidence) verdict {
	v := accept(FlagPhoneConfirmed)
	switch {
	case e.LineType == LineVoIP:
		v.flag(FlagVoIP)
		v.because(r4VoIPBarred)
	case !e.bound():
		v.because(r4NotBound, r4Binding)
	default:
		v.AAL = new(1)
		v.flag(FlagRestricted)
		v.because(r4SingleFactor, r4Telephone, r4Restricted)
	}
	v.because(r4NoIdentityEvidence, r4NoAssertion)
	return v
}
