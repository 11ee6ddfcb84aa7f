package proofing

import "time"

// labelRow is a line of the tables of docs/assurance.md: an event, in words that
// say how it differs from the ones around it.
type labelRow struct {
	words    string
	operator OperatorFacts
	event    Evidence
}

var loginRows = func() []labelRow {
	weak := login(inTheClear)
	undated := login(func(f *OIDCFacts) { f.AuthTime = time.Time{} })
	dateless := login(func(f *OIDCFacts) { f.AuthTime, f.MaxAge = time.Time{}, nil })
	stale := login(func(f *OIDCFacts) { f.MaxAge = new(int64(30)) })
	limit := func(ial, aal int) func(*Evidence) {
		return trust(func(t *OIDCTrust) { t.Cap = StatedLevels{ial, aal} })
	}
	three := saying("urn:example:three")
	return []labelRow{
		{"back channel, encrypted, `acr` mapped to IAL2 and AAL2 by an agreement that has all three facts", attested, someLogin()},
		{"the same in the clear", attested, someLogin(weak)},
		{"the same in the clear, and the agreement was not made before", attested, someLogin(weak, trust(func(t *OIDCTrust) { t.PreEstablished = false }))},
		{"by a front channel, encrypted", attested, someLogin(login(frontChannel))},
		{"by a front channel in the clear", attested, someLogin(login(frontChannel), weak)},
		{"no agreement", attested, someLogin(login(noAgreement))},
		{"no `acr`, or one that the agreement does not map, whatever `amr` says", attested, someLogin(saying("urn:example:other"), amrs("hwk", "pin"))},
		{"an `acr` that is mapped to no AAL", attested, someLogin(saying("urn:example:ial"))},
		{"an `acr` that is mapped to no IAL", attested, someLogin(saying("urn:example:aal"))},
		{"mapped to IAL3 and AAL3; `amr` has `hwk` or `sc`, and a PIN, password or biometric", attested, someLogin(three, amrs("hwk", "pin"))},
		{"so, and no validated verifier here", OperatorFacts{}, someLogin(three, amrs("hwk", "pin"))},
		{"mapped to IAL3 and AAL3; `amr` has `mfa`, or any possession with a second factor, or is not given", attested, someLogin(three)},
		{"`amr` has anything else", attested, someLogin(three, amrs("otp"))},
		{"`amr` has a possession and `vbm`, a voice", attested, someLogin(amrs("swk", "vbm"))},
		{"`amr` has `sms` or `tel`", attested, someLogin(amrs("sms", "pwd"))},
		{"the agreement's cap is IAL1 and AAL1", attested, someLogin(limit(1, 1))},
		{"no `auth_time`, and none was asked for", attested, someLogin(dateless)},
		{"no `auth_time`, although a maximum age was asked for", attested, someLogin(undated)},
		{"authenticated longer ago than was asked for", attested, someLogin(stale)},
	}
}()

var keyRows = func() []labelRow {
	require := OperatorFacts{VerifierFIPS140Validated: true, RequireAttestation: true}
	noUV := use(func(f *WebAuthnFacts) { f.UV = false })
	synced := use(func(f *WebAuthnFacts) { f.BE, f.BS = true, true })
	unattested := maker(func(a *Attestation) { *a = Attestation{Type: AttestationNone, MDSFresh: true} })
	fips := func(overall, physical int) func(*Evidence) {
		return maker(func(a *Attestation) { a.FIPS140 = FIPS140{overall, physical} })
	}
	status := func(s MDSStatus) func(*Evidence) { return maker(func(a *Attestation) { a.Status = []MDSStatus{s} }) }
	return []labelRow{
		{"not bound before this event", attested, someKey(func(e *Evidence) { e.BoundAt = e.At })},
		{"the user was not verified (UV=0)", attested, someKey(unattested, noUV)},
		{"verified, key cannot be synced (BE=0), no attestation that counts", attested, someKey(unattested)},
		{"so, and the operator requires attestation", require, someKey(unattested)},
		{"verified, key can be synced (BE=1): a synced passkey", attested, someKey(unattested, synced)},
		{"verified, BE=0, attested (`basic` or `attca`), in hardware, validation to FIPS 140 not stated", attested, someKey(fips(0, 0))},
		{"so, and FIPS 140 level 1 overall", attested, someKey(fips(1, 0))},
		{"so, and level 2 overall with 3 for physical security, or 3 overall", attested, someKey(fips(2, 3))},
		{"so, and no validated verifier here", OperatorFacts{}, someKey(fips(2, 3))},
		{"so, and the list of models is overdue", attested, someKey(maker(func(a *Attestation) { a.MDSFresh = false }))},
		{"attested as `anonca`, which does not tell the model", attested, someKey(maker(func(a *Attestation) { a.Type = AttestationAnonCA }))},
		{"attested, keys not, or not only, in hardware", attested, someKey(maker(func(a *Attestation) { a.KeyProtection = []KeyProtection{KeySoftware} }))},
		{"the counter went backwards", attested, someKey(unattested, use(func(f *WebAuthnFacts) { f.SignCountRegressed = true }))},
		{"the counter went backwards at an earlier use", attested, someKey(unattested, use(func(f *WebAuthnFacts) { f.CloneSuspected = true }))},
		{"the model's user verification can be bypassed", attested, someKey(status(MDSUserVerificationBypass))},
		{"the model is revoked, retired or compromised", attested, someKey(status(MDSRevoked))},
		{"nobody touched it (UP=0)", attested, someKey(use(func(f *WebAuthnFacts) { f.UP = false }))},
		{"backed up, and cannot be (BE=0, BS=1)", attested, someKey(use(func(f *WebAuthnFacts) { f.BS = true }))},
		{"verified, older than the AAL lasts", attested, someKey(func(e *Evidence) { e.At, e.BoundAt = assessNow.Add(-25*time.Hour), assessNow.Add(-26*time.Hour) })},
	}
}()

var recordRows = func() []labelRow {
	nobody := OperatorFacts{}
	remote := ofType(RemoteUnattended)
	verified := func(s Strength) func(*Evidence) {
		return record(func(f *ProofingFacts) { f.Verification.Strength = s })
	}
	return []labelRow{
		{"on site, attended; two SUPERIOR pieces; verification SUPERIOR, a biometric collected; notice by phone", nobody, someRecord()},
		{"with a SUPERIOR piece and a STRONG one whose issuer proofed the person and was asked", nobody, someRecord(withPieces(piece(Superior), fromIssuer(Strong)))},
		{"with two STRONG pieces and a FAIR one", nobody, someRecord(withPieces(piece(Strong), piece(Strong), piece(Fair)))},
		{"with two STRONG pieces", nobody, someRecord(withPieces(piece(Strong), piece(Strong)))},
		{"with a STRONG piece and a FAIR one", nobody, someRecord(withPieces(piece(Strong), piece(Fair)))},
		{"with a FAIR piece", nobody, someRecord(withPieces(piece(Fair)))},
		{"with no piece that was validated at its strength", nobody, someRecord(withPieces())},
		{"with no government identifier", nobody, someRecord(record(func(f *ProofingFacts) {
			for i := range f.Pieces {
				f.Pieces[i].GovernmentIdentifier = false
			}
		}))},
		{"with pieces that count, none of them the person's in the eyes of the pathway (no code, no biometric)", nobody, someRecord(withPieces(piece(Fair)), along(NonBiometric, false), verified(Fair), record(func(f *ProofingFacts) { f.AddressConfirmation = nil }))},
		{"verification of strength FAIR", nobody, someRecord(verified(Fair))},
		{"supervised remote, representative on video", nobody, someRecord(ofType(SupervisedRemote))},
		{"remote or unattended", nobody, someRecord(remote)},
		{"without a biometric, by digital evidence", nobody, someRecord(along(DigitalEvidence, false), verified(Strong))},
		{"non-biometric; code by post in time", nobody, someRecord(remote, along(NonBiometric, false), verified(Strong))},
		{"non-biometric; code by phone in time", nobody, someRecord(remote, along(NonBiometric, false), verified(Strong), code(ByPhone, time.Minute))},
		{"remote; the code came back too late", nobody, someRecord(remote, along(NonBiometric, false), code(ByPost, 30*day))},
		{"the address is what the person said", nobody, someRecord(record(func(f *ProofingFacts) { f.AddressConfirmation.Source = SelfAsserted }))},
		{"remote; no notice", nobody, someRecord(remote, record(func(f *ProofingFacts) { f.Notification = nil }))},
		{"the notice went by e-mail", nobody, someRecord(noticeTo(ByEmail, "person@example.org"))},
		{"core attributes not validated", nobody, someRecord(record(func(f *ProofingFacts) { f.CoreAttributesValidated = false }))},
		{"the representative was not trained", nobody, someRecord(record(func(f *ProofingFacts) { f.RepresentativeTrained = false }))},
		{"nobody but the collector reviewed it", nobody, someRecord(record(func(f *ProofingFacts) { f.ReviewedBy = "" }))},
	}
}()
