package proofing

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
	v.onAAL(r3EmailBarred)
	v.onIAL(r3NoIdentityEvidence)
	v.onFAL(r3NoAssertion)
	return v
}

// r3Phone is the rule for codes by SMS and voice (SP 800-63B 5.1.3.3).
func r3Phone(operator OperatorFacts, e Evidence) verdict {
	v := accept(FlagPhoneConfirmed)
	switch {
	case e.LineType == LineVoIP:
		v.flag(FlagVoIP)
		v.onAAL(r3VoIPBarred, r3VoIPNumber)
	case !e.bound():
		v.onAAL(r3NotBound, r3Binding)
	case e.LineType == LineMobile || e.LineType == LineLandline:
		v.AAL = new(1)
		v.flag(FlagRestricted)
		v.onAAL(r3SingleFactor, r3LineVerified, r3Restricted)
	case operator.AcceptUnverifiedLineType:
		v.AAL = new(1)
		v.flag(FlagRestricted, FlagLineTypeUnverified)
		v.onAAL(r3SingleFactor, r3LineAccepted, r3Restricted)
	default:
		v.onAAL(r3LineNotVerified)
	}
	v.onIAL(r3NoIdentityEvidence)
	v.onFAL(r3NoAssertion)
	return v
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
	v.onAAL(r4EmailBarred)
	v.onIAL(r4NoIdentityEvidence)
	v.onFAL(r4NoAssertion)
	return v
}

// r4Phone is the rule for codes by SMS and voice (SP 800-63B-4 3.1.3.3). A line
// of unknown type counts like a known one: revision 4 asks for no look-up.
func r4Phone(_ OperatorFacts, e Evidence) verdict {
	v := accept(FlagPhoneConfirmed)
	switch {
	case e.LineType == LineVoIP:
		v.flag(FlagVoIP)
		v.onAAL(r4VoIPBarred)
	case !e.bound():
		v.onAAL(r4NotBound, r4Binding)
	default:
		v.AAL = new(1)
		v.flag(FlagRestricted)
		v.onAAL(r4SingleFactor, r4Telephone, r4Restricted)
	}
	v.onIAL(r4NoIdentityEvidence)
	v.onFAL(r4NoAssertion)
	return v
}
