package proofing

// webAuthnRules is what one framework says of an event with a FIDO authenticator.
type webAuthnRules struct {
	// syncedIsOneFactor: a passkey that can be synced is not admitted as a
	// multi-factor authenticator.
	syncedIsOneFactor bool
	// validated says whether an authenticator is validated to FIPS 140 as AAL3 asks.
	validated func(FIPS140) bool

	notPresent, invalidFlags, badStatus Reason // rejected
	notBound                            Reason // no AAL

	originBound, synced, attested, claimed, nonExportable, clone, cloneBefore Reason // of flags

	oneFactor, bypassed, oneFactorSynced, twoFactors, twoFactorsSynced, hardwareKey Reason // levels

	notNamed, notHardware, notValidated        Reason // why not AAL3
	staleMetadata, notAttested, cappedForClone Reason // caps

	noIdentity, noAssertion Reason // no IAL, no FAL
}

// judge is the rule for an event with a FIDO authenticator.
func (r *webAuthnRules) judge(operator OperatorFacts, e Evidence) verdict {
	use := e.WebAuthn
	switch {
	case !use.UP:
		return reject(r.notPresent)
	case use.BS && !use.BE:
		return reject(r.invalidFlags)
	case use.Attestation.hasStatus(mdsRejects...):
		return reject(r.badStatus)
	}
	v := accept()
	r.flags(&v, use)
	if e.bound() {
		r.authentication(&v, use)
		if operator.RequireAttestation && use.verified() && !use.Attestation.attested() {
			v.capAAL(1, r.notAttested)
		}
		if use.copied() {
			v.capAAL(1, r.cappedForClone)
		}
	} else {
		v.onAAL(r.notBound)
	}
	v.onIAL(r.noIdentity)
	v.onFAL(r.noAssertion)
	return v
}

// flags says what holds of the authenticator, whether or not the event earns an AAL.
func (r *webAuthnRules) flags(v *verdict, use *WebAuthnFacts) {
	a := &use.Attestation
	for _, f := range []struct {
		holds bool
		flag  string
		why   Reason
	}{
		{true, FlagPhishingResistant, r.originBound},
		{use.BE, FlagSyncable, r.synced},
		{a.attested(), FlagAttested, r.attested},
		{use.verified() && !use.BE && !a.attested(), FlagDeviceBoundClaimed, r.claimed},
		// All that SP 800-63-4 asks of an authenticator at AAL3, in every framework.
		{use.verified() && !use.BE && a.names() && a.hardware() && r4Validated(a.FIPS140) && a.MDSFresh && !use.copied(), FlagNonExportable, r.nonExportable},
		{use.SignCountRegressed, FlagCloneSuspected, r.clone},
		{use.CloneSuspected && !use.SignCountRegressed, FlagCloneSuspected, r.cloneBefore},
	} {
		if f.holds {
			v.flag(f.flag)
			v.because(f.why)
		}
	}
}

// authentication gives the AAL that the authenticator can reach, and says what it
// lacks for AAL3.
func (r *webAuthnRules) authentication(v *verdict, use *WebAuthnFacts) {
	a := &use.Attestation
	switch {
	case use.UV && !use.verified():
		v.AAL = new(1)
		v.onAAL(r.bypassed)
		return
	case !use.UV:
		v.AAL = new(1)
		v.onAAL(r.oneFactor)
		return
	case use.BE && r.syncedIsOneFactor:
		v.AAL = new(1)
		v.onAAL(r.oneFactorSynced)
		return
	case use.BE:
		v.AAL = new(2)
		v.onAAL(r.twoFactorsSynced)
		return
	}
	lacks := r.lacks(a)
	if len(lacks) > 0 {
		v.AAL = new(2)
		v.onAAL(r.twoFactors)
		v.onAAL(lacks...)
		return
	}
	v.AAL = new(3)
	v.onAAL(r.hardwareKey)
	if !a.MDSFresh {
		v.capAAL(2, r.staleMetadata)
	}
}

// lacks says what an authenticator that verified its user, and cannot be synced,
// lacks for AAL3.
func (r *webAuthnRules) lacks(a *Attestation) []Reason {
	var lacks []Reason
	if !a.names() {
		lacks = append(lacks, r.notNamed)
	}
	if !a.hardware() {
		lacks = append(lacks, r.notHardware)
	}
	if !r.validated(a.FIPS140) {
		lacks = append(lacks, r.notValidated)
	}
	return lacks
}

// r3Validated is SP 800-63B 4.3.2: level 2 overall and level 3 for physical security.
// Level 3 overall includes the latter where it is not stated apart.
func r3Validated(l FIPS140) bool {
	return l.Overall >= 2 && l.Physical >= 3 || l.Overall >= 3 && l.Physical == 0
}

// r4Validated is SP 800-63B-4 2.3.2: level 1 overall.
func r4Validated(l FIPS140) bool { return l.Overall >= 1 }

// The supplement changes one thing for FIDO authenticators.
var (
	r3WebAuthn     = webAuthnOfRevision3(true)
	r3Sup1WebAuthn = webAuthnOfRevision3(false)
)

func webAuthnOfRevision3(syncedIsOneFactor bool) webAuthnRules {
	return webAuthnRules{
		syncedIsOneFactor: syncedIsOneFactor,
		validated:         r3Validated,

		notPresent: Reason{"SP 800-63B 5.2.9",
			"Nobody touched the authenticator (UP=0), which shows no intent to authenticate: the event does not count."},
		invalidFlags: Reason{"SP 800-63B 5.1.7.2",
			"The authenticator says that its key is backed up and cannot be (BE=0, BS=1; WebAuthn 6.1.3): the event does not count."},
		badStatus: Reason{"SP 800-63B 6.2",
			"The authenticator's model is revoked, retired or compromised: the event does not count."},
		notBound: Reason{"SP 800-63B 6.1",
			"The authenticator was not bound to the person before this event: the event binds it and authenticates nobody."},

		originBound: Reason{"SP 800-63B 5.2.5",
			"The signature is bound to the verifier's origin, which this service reads as verifier impersonation resistance."},
		synced: Reason{"SP 800-63B 5.1.8.1",
			"The key can be copied to other devices (BE=1)."},
		attested: Reason{"SP 800-63B 5.2.4",
			"The authenticator's attestation was verified to a configured root."},
		claimed: Reason{"SP 800-63B 5.2.4",
			"Nothing but the authenticator's own word says that its key stays on one device."},
		nonExportable: Reason{"SP 800-63B 4.3.1",
			"The attested model keeps its keys in validated hardware."},
		clone: Reason{"SP 800-63B 6.2",
			"The signature counter went backwards, as it does after a clone (WebAuthn 6.1.1)."},
		cloneBefore: Reason{"SP 800-63B 6.2",
			"The signature counter went backwards at an earlier use, and nobody can show that there is no copy (WebAuthn 6.1.1)."},

		oneFactor: Reason{"SP 800-63B 4.1.1",
			"Without user verification the authenticator is a single-factor cryptographic one: AAL1."},
		bypassed: Reason{"SP 800-63B 6.1.3",
			"User verification of this model can be bypassed, so that it counts as a single factor: AAL1."},
		oneFactorSynced: Reason{"SP 800-63B 5.1.8.1",
			"A multi-factor cryptographic authenticator must not let its key be copied to other devices; as a single factor the event has AAL1."},
		twoFactors: Reason{"SP 800-63B 4.2.1",
			"The authenticator verified its user and proved a key (5.1.8, 5.1.9): AAL2."},
		twoFactorsSynced: Reason{"SP 800-63B 4.2.1",
			"The authenticator verified its user and proved a key that can be synced, which SP 800-63B Supplement 1 admits at AAL2."},
		hardwareKey: Reason{"SP 800-63B 4.3.1",
			"An attested multi-factor cryptographic device, in hardware and validated: AAL3."},

		notNamed: Reason{"SP 800-63B 5.2.4",
			"AAL3 needs an attestation that is verified and tells the authenticator's model."},
		notHardware: Reason{"SP 800-63B 4.3.1",
			"AAL3 needs an authenticator whose keys are in hardware and nowhere else."},
		notValidated: Reason{"SP 800-63B 4.3.2",
			"AAL3 needs an authenticator that is validated to FIPS 140, level 2 overall and level 3 for physical security."},
		staleMetadata: Reason{"SP 800-63B 5.2.4",
			"The list of authenticator models is overdue, so that nobody knows what this one is worth today: capped at AAL2."},
		notAttested: Reason{"SP 800-63B 5.2.4",
			"The operator asks for an attestation, and there is none that counts: capped at AAL1."},
		cappedForClone: Reason{"SP 800-63B 6.2",
			"Another device may hold the key: capped at AAL1."},

		noIdentity: Reason{"SP 800-63A 4.3",
			"An authenticator is no identity evidence: the event gives no IAL."},
		noAssertion: r3NoAssertion,
	}
}

var r4WebAuthn = webAuthnRules{
	validated: r4Validated,

	notPresent: Reason{"SP 800-63B-4 3.2.8",
		"Nobody touched the authenticator (UP=0), which shows no intent to authenticate: the event does not count."},
	invalidFlags: Reason{"SP 800-63B-4 B.3",
		"The authenticator says that its key is backed up and cannot be (BE=0, BS=1; WebAuthn 6.1.3): the event does not count."},
	badStatus: Reason{"SP 800-63B-4 4.3",
		"The authenticator's model is revoked, retired or compromised: the event does not count."},
	notBound: Reason{"SP 800-63B-4 4.1",
		"The authenticator was not bound to the person before this event: the event binds it and authenticates nobody."},

	originBound: Reason{"SP 800-63B-4 3.2.5.2",
		"The signature is bound to the verifier's name: the event is phishing-resistant."},
	synced: Reason{"SP 800-63B-4 B.3",
		"The key can be copied to other devices (BE=1)."},
	attested: Reason{"SP 800-63B-4 3.2.4",
		"The authenticator's attestation was verified to a configured root."},
	claimed: Reason{"SP 800-63B-4 3.2.4",
		"Nothing but the authenticator's own word says that its key stays on one device."},
	nonExportable: Reason{"SP 800-63B-4 3.2.13",
		"The attested model keeps its keys in validated hardware that does not let them out."},
	clone: Reason{"SP 800-63B-4 4.3",
		"The signature counter went backwards, as it does after a clone (WebAuthn 6.1.1)."},
	cloneBefore: Reason{"SP 800-63B-4 4.3",
		"The signature counter went backwards at an earlier use, and nobody can show that there is no copy (WebAuthn 6.1.1)."},

	oneFactor: Reason{"SP 800-63B-4 2.1.1",
		"Without user verification the authenticator is a single-factor cryptographic one (3.1.7.2, B.3): AAL1."},
	bypassed: Reason{"SP 800-63B-4 3.1.7.2",
		"User verification of this model can be bypassed, so that it counts as a single factor: AAL1."},
	twoFactors: Reason{"SP 800-63B-4 2.2.1",
		"The authenticator verified its user and proved a key (3.1.7): AAL2."},
	twoFactorsSynced: Reason{"SP 800-63B-4 2.2.1",
		"The authenticator verified its user and proved a key that can be synced (Appendix B), which AAL3 does not admit (2.3.2): AAL2."},
	hardwareKey: Reason{"SP 800-63B-4 2.3.1",
		"An attested multi-factor cryptographic authenticator whose key cannot leave validated hardware: AAL3."},

	notNamed: Reason{"SP 800-63B-4 3.2.4",
		"AAL3 needs an attestation that is verified and tells the authenticator's model."},
	notHardware: Reason{"SP 800-63B-4 3.2.13",
		"AAL3 needs a key that cannot be exported: in hardware and nowhere else."},
	notValidated: Reason{"SP 800-63B-4 2.3.2",
		"AAL3 needs an authenticator that is validated to FIPS 140, level 1 overall."},
	staleMetadata: Reason{"SP 800-63B-4 3.2.4",
		"The list of authenticator models is overdue, so that nobody knows what this one is worth today: capped at AAL2."},
	notAttested: Reason{"SP 800-63B-4 3.2.4",
		"The operator asks for an attestation, and there is none that counts: capped at AAL1."},
	cappedForClone: Reason{"SP 800-63B-4 4.3",
		"Another device may hold the key: capped at AAL1."},

	noIdentity: Reason{"SP 800-63A-4 4.1",
		"An authenticator is no identity evidence, which IAL1 asks for: the event gives no IAL."},
	noAssertion: r4NoAssertion,
}
