package proofing

import "time"

// revision3 is what SP 800-63-3 says of any record. Supplement 1 to SP 800-63B
// changes none of it.
var revision3 = revision{
	// Revision 3 gives IAL1 to whoever merely says who they are.
	ial:       new(1),
	ialBasis:  BasisSelfAsserted,
	ialReason: Reason{"SP 800-63A 4.3", "IAL1 asks for no link to a real-life identity: what was said of the person counts as self-asserted."},
	noAAL:     Reason{"SP 800-63B 4", "No event authenticated the person with an authenticator that was bound to them before and still counts."},
	noFAL:     Reason{"SP 800-63C 4", "No event rests on an assertion of an identity provider that counts."},
	unvalidatedVerifier: Reason{"SP 800-63B 4.3.2",
		"AAL3 needs a verifier that is validated to FIPS 140, which the operator has not attested: capped at AAL2."},
	unknownKind: Reason{"SP 800-63B 4", "This version has no rule for this kind of event, so it earns nothing."},
	reauthentication: [4]reauthentication{
		1: {30 * 24 * time.Hour, Reason{"SP 800-63B 4.1.3", "At AAL1 reauthentication is due after 30 days, which have passed."}},
		2: {12 * time.Hour, Reason{"SP 800-63B 4.2.3", "At AAL2 reauthentication is due after 12 hours, which have passed."}},
		3: {12 * time.Hour, Reason{"SP 800-63B 4.3.3", "At AAL3 reauthentication is due after 12 hours, which have passed."}},
	},
}

// The clauses of revision 3 behind codes and links.
var (
	r3EmailBarred = Reason{"SP 800-63B 5.1.3.1",
		"E-mail does not prove possession of a specific device and must not be used for out-of-band authentication: it confirms the address."}
	r3VoIPBarred = Reason{"SP 800-63B 5.1.3.1",
		"VoIP does not prove possession of a specific device and must not be used for out-of-band authentication: the code confirms the number."}
	r3VoIPNumber = Reason{"SP 800-63B 5.1.3.3",
		"The number must belong to a specific physical device, which a VoIP number does not."}
	r3NotBound = Reason{"SP 800-63B 6.1",
		"The number was not bound to the person before this event: a first code confirms it and authenticates nobody."}
	r3Binding = Reason{"SP 800-63B 5.1.3.3",
		"Setting the number is the binding of a new authenticator."}
	r3LineNotVerified = Reason{"SP 800-63B 5.1.3.3",
		"Nothing verified that the number belongs to a specific physical device, and the operator does not accept that."}
	r3LineAccepted = Reason{"SP 800-63B 5.1.3.3",
		"Nothing verified that the number belongs to a specific physical device; the operator accepts that."}
	r3LineVerified = Reason{"SP 800-63B 5.1.3.3",
		"The code came over the telephone network to a number bound before, which belongs to a specific physical device."}
	r3SingleFactor = Reason{"SP 800-63B 4.1.1",
		"One out-of-band device is a single factor: AAL1."}
	r3Restricted = Reason{"SP 800-63B 5.2.10",
		"Codes over the telephone network are a restricted authenticator."}

	// A code or a link proves control of an address and nothing else.
	r3NoIdentityEvidence = Reason{"SP 800-63A 4.3",
		"Control of an address is no identity evidence: the event gives no IAL."}
	r3NoAssertion = Reason{"SP 800-63C 4",
		"No assertion of an identity provider is part of the event: it has no FAL."}
)

// r3Email is the rule for codes and links by e-mail (SP 800-63B 5.1.3.1).
func r3Email(_ OperatorFacts, _ Evidence) verdict {
	v := accept(FlagEmailConfirmed)
	v.because(r3EmailBarred, r3NoIdentityEvidence, r3NoAssertion)
	return v
}

// r3Phone is the rule for codes by SMS and voice (SP 800-63B 5.1.3.3).
func r3Phone(operator OperatorFacts, e Evidence) verdict {
	v := accept(FlagPhoneConfirmed)
	switch {
	case e.LineType == LineVoIP:
		v.flag(FlagVoIP)
		v.because(r3VoIPBarred, r3VoIPNumber)
	case !e.bound():
		v.because(r3NotBound, r3Binding)
	case e.LineType == LineMobile || e.LineType == LineLandline:
		v.AAL = new(1)
		v.flag(FlagRestricted)
		v.because(r3SingleFactor, r3LineVerified, r3Restricted)
	case operator.AcceptUnverifiedLineType:
		v.AAL = new(1)
		v.flag(FlagRestricted, FlagLineTypeUnverified)
		v.because(r3SingleFactor, r3LineAccepted, r3Restricted)
	default:
		v.because(r3LineNotVerified)
	}
	v.because(r3NoIdentityEvidence, r3NoAssertion)
	return v
}
