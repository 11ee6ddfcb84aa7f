package proofing

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A sentence of the rules, an event that it is about, and what the event earns by
// itself: "AAL IAL FAL flags…", with - for none, or "rejected". One line is for all
// frameworks; two are for revision 3 (with and without the supplement) and 4;
// three are for each in the order of Frameworks.
type sentence struct {
	words string
	event Evidence
	wants []string
}

func earns(wants ...string) []string { return wants }

// attested is what an operator is who attests everything that lifts a cap.
var attested = OperatorFacts{VerifierFIPS140Validated: true}

func checkSentences(t *testing.T, o OperatorFacts, sentences []sentence) {
	t.Helper()
	for _, s := range sentences {
		for i, f := range Frameworks() {
			want := s.wants[min(i, len(s.wants)-1)]
			if len(s.wants) == 2 {
				want = s.wants[i/2]
			}
			if got := earningOf(f, o, s.event); got != want {
				t.Errorf("%s\n%s: earns %q, want %q", s.words, f, got, want)
			}
		}
	}
}

// earningOf is what one event earns, in the words of a sentence.
func earningOf(f Framework, o OperatorFacts, e Evidence) string {
	v := Assess(f, o, assessNow, []Evidence{e}).Events[0]
	if !v.Accepted {
		return strings.TrimSpace("rejected " + strings.Join(v.Flags, " "))
	}
	level := func(n *int) string {
		if n == nil {
			return "-"
		}
		return strconv.Itoa(*n)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", level(v.AAL), level(v.IAL), level(v.FAL), strings.Join(v.Flags, " ")))
}

// The events from which those of the sentences differ by what they are about.

func someCode(kind EvidenceKind, changes ...func(*Evidence)) Evidence {
	e := Evidence{Kind: kind, At: assessNow.Add(-time.Hour)}
	if e.Confirms() == ChannelEmail {
		e.Address = "person@example.org"
	} else {
		e.Number, e.LineType, e.BoundAt = "+12025550143", LineMobile, e.At.Add(-time.Hour)
	}
	return changed(e, changes)
}

// someLogin is a back-channel login at an issuer with which there is a full
// agreement: AAL2, IAL2.
func someLogin(changes ...func(*Evidence)) Evidence {
	at := assessNow.Add(-time.Hour)
	return changed(Evidence{Kind: OIDCLogin, At: at, OIDC: &OIDCFacts{
		Issuer: "https://idp.example", Subject: "248289761001", Channel: ChannelBack, Encrypted: true,
		ACR: "urn:example:two", AuthTime: at.Add(-time.Minute), MaxAge: new(int64(300)),
		Trust: &OIDCTrust{PreEstablished: true, RPInitiated: true, InjectionProtected: true, ACRMap: map[string]StatedLevels{
			"urn:example:one": {IAL: 1, AAL: 1}, "urn:example:two": {IAL: 2, AAL: 2}, "urn:example:three": {IAL: 3, AAL: 3},
			"urn:example:aal": {AAL: 2}, "urn:example:ial": {IAL: 2}, "urn:example:nothing": {}}},
	}}, changes)
}

// someKey is a security key of the best kind, bound before: AAL3 in every framework.
func someKey(changes ...func(*Evidence)) Evidence {
	at := assessNow.Add(-time.Hour)
	return changed(Evidence{Kind: WebAuthnUse, At: at, BoundAt: at.Add(-time.Hour), WebAuthn: &WebAuthnFacts{UP: true, UV: true,
		Attestation: Attestation{Type: AttestationBasic, Trusted: true, KeyProtection: []KeyProtection{KeyHardware, KeySecureElement},
			FIPS140: FIPS140{Overall: 2, Physical: 3}, Status: []MDSStatus{"FIDO_CERTIFIED_L2"}, MDSFresh: true}}}, changes)
}

// someRecord is a record made on site with everything in it: IAL3 in every framework.
func someRecord(changes ...func(*Evidence)) Evidence {
	at := assessNow.Add(-48 * time.Hour)
	return changed(Evidence{Kind: ProofingRecord, At: at, Proofing: &ProofingFacts{
		Type: OnsiteAttended, Pieces: []IdentityPiece{piece(Superior), piece(Superior)},
		Verification:            IdentityVerification{Superior, Biometric, true},
		CoreAttributesValidated: true,
		AddressConfirmation:     &AddressConfirmation{ByPost, "1 Main Street, Springfield", ValidatedRecord, at.Add(-5 * 24 * time.Hour), at},
		Notification:            &ProofingNotice{ByPhone, "+12025550143"},
		CollectedBy:             "agent-1", ReviewedBy: "agent-2", RepresentativeTrained: true,
	}}, changes)
}

// piece is a piece that was validated at its strength, and no more than that.
func piece(s Strength) IdentityPiece {
	return IdentityPiece{Strength: s, ValidatedStrength: s, GovernmentIdentifier: true, PortraitOrDigital: true}
}

// fromIssuer is a piece whose issuer proofed the person, and was asked.
func fromIssuer(s Strength) IdentityPiece {
	p := piece(s)
	p.IssuerProofed, p.IssuingSourceValidated = true, true
	return p
}

func changed(e Evidence, changes []func(*Evidence)) Evidence {
	for _, c := range changes {
		c(&e)
	}
	return e
}

// login, key and record make a change to one kind of facts.
func login(change func(*OIDCFacts)) func(*Evidence) { return func(e *Evidence) { change(e.OIDC) } }
func trust(change func(*OIDCTrust)) func(*Evidence) {
	return func(e *Evidence) { change(e.OIDC.Trust) }
}
func use(change func(*WebAuthnFacts)) func(*Evidence) {
	return func(e *Evidence) { change(e.WebAuthn) }
}
func maker(change func(*Attestation)) func(*Evidence) {
	return func(e *Evidence) { change(&e.WebAuthn.Attestation) }
}
func record(change func(*ProofingFacts)) func(*Evidence) {
	return func(e *Evidence) { change(e.Proofing) }
}

func saying(value string) func(*Evidence)   { return login(func(f *OIDCFacts) { f.ACR = value }) }
func amrs(values ...string) func(*Evidence) { return login(func(f *OIDCFacts) { f.AMR = values }) }
func frontChannel(f *OIDCFacts)             { f.Channel = ChannelFront }
func inTheClear(f *OIDCFacts)               { f.Encrypted = false }
func noAgreement(f *OIDCFacts)              { f.Trust = nil }

func withPieces(p ...IdentityPiece) func(*Evidence) {
	return record(func(f *ProofingFacts) { f.Pieces = p })
}

func ofType(p ProofingType) func(*Evidence) { return record(func(f *ProofingFacts) { f.Type = p }) }

// code is a code that took so long to come back by the channel.
func code(c ProofingChannel, took time.Duration) func(*Evidence) {
	return func(e *Evidence) {
		e.Proofing.AddressConfirmation.Channel = c
		e.Proofing.AddressConfirmation.CodeSentAt = e.Proofing.AddressConfirmation.CodeUsedAt.Add(-took)
	}
}

func along(p Pathway, biometric bool) func(*Evidence) {
	return record(func(f *ProofingFacts) { f.Verification.Pathway, f.Verification.BiometricCollected = p, biometric })
}

func noticeTo(c ProofingChannel, address Secret) func(*Evidence) {
	return record(func(f *ProofingFacts) { f.Notification = &ProofingNotice{c, address} })
}

const (
	day    = 24 * time.Hour
	keyIs  = "phishing_resistant"
	goodIs = keyIs + " attested non_exportable"
)

func TestSentencesOnCodes(t *testing.T) {
	unbound := func(e *Evidence) { e.BoundAt = time.Time{} }
	boundNow := func(e *Evidence) { e.BoundAt = e.At }
	line := func(l LineType) func(*Evidence) { return func(e *Evidence) { e.LineType = l } }
	checkSentences(t, OperatorFacts{}, []sentence{
		{"Row 1: a code by e-mail confirms the address and authenticates nobody.", someCode(EmailCode), earns("- - - address_confirmed:email")},
		{"Row 1: so does a link.", someCode(EmailLink), earns("- - - address_confirmed:email")},
		{"Row 2: a code to a number that is seen for the first time confirms it.", someCode(SMSCode, unbound), earns("- - - address_confirmed:phone")},
		{"Row 2: bound_at equal to at means that this event is the binding itself.", someCode(SMSCode, boundNow), earns("- - - address_confirmed:phone")},
		{"Row 3: a number that was bound before, on a mobile, is AAL1, restricted.", someCode(SMSCode), earns("1 - - address_confirmed:phone restricted")},
		{"Row 3: so is a landline.", someCode(SMSCode, line(LineLandline)), earns("1 - - address_confirmed:phone restricted")},
		{"Row 4: VoIP is null in all frameworks.", someCode(SMSCode, line(LineVoIP)), earns("- - - address_confirmed:phone voip")},
		{"Row 5: an unknown line is null in revision 3, and AAL1 restricted in 63-4.", someCode(SMSCode, line(LineUnknown)),
			earns("- - - address_confirmed:phone", "1 - - address_confirmed:phone restricted")},
		{"Row 6: a voice call is as a text message: bound.", someCode(VoiceCode), earns("1 - - address_confirmed:phone restricted")},
		{"Row 6: VoIP.", someCode(VoiceCode, line(LineVoIP)), earns("- - - address_confirmed:phone voip")},
		{"Row 6: unknown.", someCode(VoiceCode, line(LineUnknown)), earns("- - - address_confirmed:phone", "1 - - address_confirmed:phone restricted")},
	})
	checkSentences(t, OperatorFacts{AcceptUnverifiedLineType: true}, []sentence{
		{"Row 5: accept_unverified_line_type is asked in revision 3 only.", someCode(SMSCode, line(LineUnknown)),
			earns("1 - - address_confirmed:phone restricted line_type:unverified", "1 - - address_confirmed:phone restricted")},
		{"Accepting unverified lines accepts no VoIP.", someCode(SMSCode, line(LineVoIP)), earns("- - - address_confirmed:phone voip")},
	})
}

func TestSentencesOnLogins(t *testing.T) {
	authTime := func(before time.Duration) func(*Evidence) {
		return func(e *Evidence) { e.OIDC.AuthTime = e.At.Add(-before) }
	}
	undated := login(func(f *OIDCFacts) { f.AuthTime = time.Time{} })
	noMaxAge := login(func(f *OIDCFacts) { f.MaxAge = nil })
	capped := func(ial, aal int) func(*Evidence) {
		return trust(func(t *OIDCTrust) { t.Cap = StatedLevels{ial, aal} })
	}
	weak := login(inTheClear) // FAL1 in revision 3, and as it was in revision 4
	checkSentences(t, attested, []sentence{
		{"Row 10: no acr gives no level, whatever amr says.", someLogin(saying(""), amrs("hwk", "pin", "mfa")), earns("- - 2")},
		{"Row 10: an unmapped acr is accepted and earns null.", someLogin(saying("urn:example:other"), amrs("hwk", "pin")), earns("- - 2")},
		{"Row 10: without trust there is no agreement.", someLogin(login(noAgreement)), earns("- - 2", "- - 1")},
		{"Row 11: an acr that the agreement maps gives its level.", someLogin(), earns("2 2 2")},
		{"Row 11: AAL1.", someLogin(saying("urn:example:one")), earns("1 1 2")},
		{"Row 11: the cap of the agreement holds for the AAL.", someLogin(saying("urn:example:two"), capped(0, 1)), earns("1 2 2 capped")},
		{"Row 11: a cap above the level changes nothing.", someLogin(capped(3, 3)), earns("2 2 2")},
		{"A mapped ial is within the cap.", someLogin(saying("urn:example:three"), amrs("hwk", "pin"), capped(2, 0)), earns("3 2 2 capped")},
		{"In acr_map ial left out: nothing stated.", someLogin(saying("urn:example:aal")), earns("2 - 2")},
		{"In acr_map aal left out: nothing stated.", someLogin(saying("urn:example:ial")), earns("- 2 2")},
		{"In acr_map both left out.", someLogin(saying("urn:example:nothing")), earns("- - 2")},
		{"pre_established:false still maps levels; in 63-4 the FAL is then too low for an IAL.",
			someLogin(trust(func(t *OIDCTrust) { t.PreEstablished = false })), earns("2 2 2", "2 - 1")},

		{"Row 12: what amr cannot carry caps the level.", someLogin(amrs("pwd")), earns("1 2 2 capped")},
		{"The ceiling is 2 for mfa.", someLogin(saying("urn:example:three"), amrs("mfa")), earns("2 3 2 capped")},
		{"The ceiling is 2 for P with K.", someLogin(saying("urn:example:three"), amrs("otp", "pwd")), earns("2 3 2 capped")},
		{"K has pin.", someLogin(saying("urn:example:three"), amrs("swk", "pin")), earns("2 3 2 capped")},
		{"K has kba.", someLogin(amrs("otp", "kba")), earns("2 2 2")},
		{"The ceiling is 2 for P with B: fpt.", someLogin(amrs("swk", "fpt")), earns("2 2 2")},
		{"B: face.", someLogin(amrs("swk", "face")), earns("2 2 2")},
		{"B: iris.", someLogin(amrs("swk", "iris")), earns("2 2 2")},
		{"B: retina.", someLogin(amrs("swk", "retina")), earns("2 2 2")},
		{"B: vbm in revision 3.", someLogin(amrs("swk", "vbm")), earns("2 2 2", "1 2 2 capped")},
		{"3 if that P is hwk.", someLogin(saying("urn:example:three"), amrs("hwk", "pin")), earns("3 3 2")},
		{"3 if that P is sc.", someLogin(saying("urn:example:three"), amrs("sc", "fpt")), earns("3 3 2")},
		{"3 for hwk with vbm in revision 3 alone.", someLogin(saying("urn:example:three"), amrs("hwk", "vbm")), earns("3 3 2", "1 3 2 capped")},
		{"hwk with mfa, without K or B, is 2.", someLogin(saying("urn:example:three"), amrs("hwk", "mfa")), earns("2 3 2 capped")},
		{"1 for any other list that is not empty: P alone.", someLogin(amrs("otp", "hwk", "swk", "sc")), earns("1 2 2 capped")},
		{"1 for K with K.", someLogin(amrs("pwd", "pin", "kba")), earns("1 2 2 capped")},
		{"1 for B alone.", someLogin(amrs("fpt", "face")), earns("1 2 2 capped")},
		{"1 for K with B.", someLogin(amrs("pwd", "fpt")), earns("1 2 2 capped")},
		{"Unknown values count for nothing: they are no factor.", someLogin(amrs("wia", "geo", "rba", "user", "x")), earns("1 2 2 capped")},
		{"Unknown values take nothing away.", someLogin(amrs("x", "hwk", "pin")), earns("2 2 2")},
		{"amr never raises.", someLogin(saying("urn:example:one"), amrs("hwk", "pin", "mfa")), earns("1 1 2")},
		{"The ceiling is 2 for an empty amr.", someLogin(saying("urn:example:three"), amrs()), earns("2 3 2 capped")},
		{"The ceiling is 2 for a missing amr.", someLogin(saying("urn:example:three")), earns("2 3 2 capped")},
		{"sms sets restricted.", someLogin(amrs("sms", "pwd")), earns("2 2 2 restricted")},
		{"tel sets restricted.", someLogin(amrs("tel", "mfa")), earns("2 2 2 restricted")},
		{"restricted is of the event, with or without an AAL.", someLogin(saying(""), amrs("sms")), earns("- - 2 restricted")},

		{"An auth_time at the limit of max_age_s is not stale.", someLogin(authTime(300 * time.Second)), earns("2 2 2")},
		{"One that is older is.", someLogin(authTime(300*time.Second + 1)), earns("rejected")},
		{"max_age_s 0 asks for an authentication at the event.", someLogin(authTime(0), login(func(f *OIDCFacts) { f.MaxAge = new(int64(0)) })), earns("2 2 2")},
		{"max_age_s without auth_time is not accepted.", someLogin(undated), earns("rejected")},
		{"With neither given, aal is null.", someLogin(undated, noMaxAge), earns("- 2 2")},
		{"auth_time without max_age_s is never stale, but ages.", someLogin(authTime(10*time.Hour), noMaxAge), earns("2 2 2")},
		{"What ages is auth_time: 12 hours in revision 3.", someLogin(authTime(11*time.Hour), noMaxAge), earns("- 2 2", "2 2 2")},

		{"FAL, 63-3: a back channel is 1.", someLogin(weak), earns("2 - 1", "2 2 2")},
		{"FAL, 63-3: encrypted on either channel is 2; 63-4: a front channel is always 1.", someLogin(login(frontChannel)), earns("2 2 2", "2 - 1")},
		{"FAL, 63-3: a front channel in the clear is null.", someLogin(weak, login(frontChannel)), earns("2 - -", "2 - 1")},
		{"FAL, 63-4: all three facts of trust are needed: rp_initiated.", someLogin(trust(func(t *OIDCTrust) { t.RPInitiated = false })), earns("2 2 2", "2 - 1")},
		{"FAL, 63-4: injection_protected.", someLogin(trust(func(t *OIDCTrust) { t.InjectionProtected = false })), earns("2 2 2", "2 - 1")},
		{"An IAL needs a FAL of 2 or more for the event, in every framework.", someLogin(weak, trust(func(t *OIDCTrust) { t.RPInitiated = false })), earns("2 - 1")},
	})
	checkSentences(t, OperatorFacts{}, []sentence{
		{"The absence of a validated verifier caps OIDC's AAL at 2.", someLogin(saying("urn:example:three"), amrs("hwk", "pin")), earns("2 3 2 capped")},
	})
	checkSentences(t, OperatorFacts{RequireAttestation: true}, []sentence{
		{"require_attestation is about FIDO alone.", someLogin(), earns("2 2 2")},
	})
}

func TestSentencesOnAuthenticators(t *testing.T) {
	noUV := use(func(f *WebAuthnFacts) { f.UV = false })
	synced := use(func(f *WebAuthnFacts) { f.BE, f.BS = true, true })
	regressed := use(func(f *WebAuthnFacts) { f.SignCountRegressed = true })
	before := use(func(f *WebAuthnFacts) { f.CloneSuspected = true })
	unattested := maker(func(a *Attestation) { a.Type, a.Trusted = AttestationNone, false })
	ofAttestation := func(at AttestationType, trusted bool) func(*Evidence) {
		return maker(func(a *Attestation) { a.Type, a.Trusted = at, trusted })
	}
	fips := func(overall, physical int) func(*Evidence) {
		return maker(func(a *Attestation) { a.FIPS140 = FIPS140{overall, physical} })
	}
	keys := func(p ...KeyProtection) func(*Evidence) { return maker(func(a *Attestation) { a.KeyProtection = p }) }
	status := func(s ...MDSStatus) func(*Evidence) { return maker(func(a *Attestation) { a.Status = s }) }
	overdue := maker(func(a *Attestation) { a.MDSFresh = false })
	sentences := []sentence{
		{"Row 13: UV=0 is AAL1, with any attestation.", someKey(noUV), earns("1 - - phishing_resistant attested")},
		{"Row 13: and without one.", someKey(noUV, unattested), earns("1 - - phishing_resistant")},
		{"Row 14: UP=0 is rejected.", someKey(use(func(f *WebAuthnFacts) { f.UP = false })), earns("rejected")},
		{"BE=0 with BS=1 is rejected.", someKey(use(func(f *WebAuthnFacts) { f.BS = true })), earns("rejected")},
		{"Row 15: UV=1, BE=0, attestation none.", someKey(unattested), earns("2 - - phishing_resistant device_bound:claimed")},
		{"Row 15: attestation self.", someKey(ofAttestation(AttestationSelf, false)), earns("2 - - phishing_resistant device_bound:claimed")},
		{"Row 15: an untrusted chain.", someKey(ofAttestation(AttestationBasic, false)), earns("2 - - phishing_resistant device_bound:claimed")},
		{"Row 16: a synced passkey is AAL1 in bare revision 3, AAL2 with the supplement and in 63-4, and never AAL3.", someKey(synced),
			earns("1 - - phishing_resistant syncable attested", "2 - - phishing_resistant syncable attested", "2 - - phishing_resistant syncable attested")},
		{"Row 16: with BS=0 as well.", someKey(unattested, use(func(f *WebAuthnFacts) { f.BE = true })),
			earns("1 - - phishing_resistant syncable", "2 - - phishing_resistant syncable", "2 - - phishing_resistant syncable")},
		{"Row 17: attested hardware that is not validated is AAL2.", someKey(fips(0, 0)), earns("2 - - phishing_resistant attested")},
		{"Row 18: level 1 overall is AAL3 in 63-4, and AAL2 in 63-3.", someKey(fips(1, 0)), earns("2 - - "+goodIs, "3 - - "+goodIs)},
		{"Row 19: level 2 overall and 3 physical is AAL3.", someKey(fips(2, 3)), earns("3 - - " + goodIs)},
		{"63-3: level 3 overall with physical left out.", someKey(fips(3, 0)), earns("3 - - " + goodIs)},
		{"63-3: level 3 overall with physical 2 is not enough.", someKey(fips(3, 2)), earns("2 - - "+goodIs, "3 - - "+goodIs)},
		{"63-3: level 2 overall with physical left out is not enough.", someKey(fips(2, 0)), earns("2 - - "+goodIs, "3 - - "+goodIs)},
		{"63-3: level 1 overall with physical 3 is not enough.", someKey(fips(1, 3)), earns("2 - - "+goodIs, "3 - - "+goodIs)},
		{"A physical level without an overall one is none.", someKey(fips(0, 4)), earns("2 - - phishing_resistant attested")},
		{"AAL3 takes attca.", someKey(ofAttestation(AttestationAttCA, true)), earns("3 - - " + goodIs)},
		{"anonca is attested, and not for AAL3.", someKey(ofAttestation(AttestationAnonCA, true)), earns("2 - - phishing_resistant attested")},
		{"AAL3 takes tee.", someKey(keys(KeyTEE)), earns("3 - - " + goodIs)},
		{"AAL3 takes secure_element.", someKey(keys(KeySecureElement)), earns("3 - - " + goodIs)},
		{"AAL3 takes hardware.", someKey(keys(KeyHardware)), earns("3 - - " + goodIs)},
		{"AAL3 takes no software beside it.", someKey(keys(KeyHardware, KeySoftware)), earns("2 - - phishing_resistant attested")},
		{"AAL3 takes no remote_handle beside it.", someKey(keys(KeyHardware, KeyRemoteHandle)), earns("2 - - phishing_resistant attested")},
		{"AAL3 needs a key protection that is stated.", someKey(keys()), earns("2 - - phishing_resistant attested")},
		{"mds_fresh:false caps at AAL2 and leaves attested as it is.", someKey(overdue), earns("2 - - phishing_resistant attested capped")},
		{"mds_fresh:false caps nothing that is AAL2 anyway.", someKey(overdue, fips(0, 0)), earns("2 - - phishing_resistant attested")},
		{"USER_VERIFICATION_BYPASS counts as UV=0.", someKey(status(MDSUserVerificationBypass)), earns("1 - - phishing_resistant attested")},
		{"It applies where the chain is untrusted or the blob stale.", someKey(status(MDSUserVerificationBypass), unattested, overdue), earns("1 - - phishing_resistant")},
		{"Row 23: sign_count_regressed is accepted, clone_suspected, and capped at AAL1.", someKey(regressed), earns("1 - - phishing_resistant attested clone_suspected capped")},
		{"An earlier use that showed it caps a later one that does not.", someKey(before), earns("1 - - phishing_resistant attested clone_suspected capped")},
		{"It caps nothing that is AAL1 anyway.", someKey(regressed, noUV), earns("1 - - phishing_resistant attested clone_suspected")},
		{"A binding event is accepted and earns null.", someKey(func(e *Evidence) { e.BoundAt = time.Time{} }), earns("- - - " + goodIs)},
		{"So is one with bound_at equal to at.", someKey(func(e *Evidence) { e.BoundAt = e.At }), earns("- - - " + goodIs)},
	}
	for _, s := range mdsRejects {
		sentences = append(sentences, sentence{"Row 24: " + string(s) + " rejects.", someKey(status("FIDO_CERTIFIED_L1", s)), earns("rejected")},
			sentence{"Row 24: even where the chain is untrusted and the blob stale.", someKey(status(s), unattested, overdue), earns("rejected")})
	}
	for _, s := range mdsHarmless {
		sentences = append(sentences, sentence{string(s) + " does nothing.", someKey(status(s)), earns("3 - - " + goodIs)})
	}
	checkSentences(t, attested, sentences)
	checkSentences(t, OperatorFacts{}, []sentence{
		{"Without verifier_fips140_validated every AAL is capped at 2.", someKey(), earns("2 - - " + goodIs + " capped")},
		{"The cap of the verifier lowers nothing below it.", someKey(noUV), earns("1 - - phishing_resistant attested")},
	})
	checkSentences(t, OperatorFacts{VerifierFIPS140Validated: true, RequireAttestation: true}, []sentence{
		{"require_attestation: UV=1 without one is capped at AAL1.", someKey(unattested), earns("1 - - phishing_resistant device_bound:claimed capped")},
		{"Self attestation is none.", someKey(ofAttestation(AttestationSelf, false)), earns("1 - - phishing_resistant device_bound:claimed capped")},
		{"Nor is a chain that is not trusted.", someKey(ofAttestation(AttestationAttCA, false)), earns("1 - - phishing_resistant device_bound:claimed capped")},
		{"anonca is one.", someKey(ofAttestation(AttestationAnonCA, true)), earns("2 - - phishing_resistant attested")},
		{"Synced passkeys are included.", someKey(unattested, synced),
			earns("1 - - phishing_resistant syncable", "1 - - phishing_resistant syncable capped", "1 - - phishing_resistant syncable capped")},
		{"UV=0 needs no attestation.", someKey(unattested, noUV), earns("1 - - phishing_resistant")},
		{"With one nothing is capped.", someKey(), earns("3 - - " + goodIs)},
	})
}

func TestSentencesOnProofingRecords(t *testing.T) {
	verified := func(s Strength) func(*Evidence) {
		return record(func(f *ProofingFacts) { f.Verification.Strength = s })
	}
	noBiometric := record(func(f *ProofingFacts) { f.Verification.BiometricCollected = false })
	untrained := record(func(f *ProofingFacts) { f.RepresentativeTrained = false })
	noNotice := record(func(f *ProofingFacts) { f.Notification = nil })
	noCode := record(func(f *ProofingFacts) { f.AddressConfirmation = nil })
	selfAsserted := record(func(f *ProofingFacts) { f.AddressConfirmation.Source = SelfAsserted })
	remote := ofType(RemoteUnattended)
	badly := func(s, validated Strength) IdentityPiece {
		p := fromIssuer(s)
		p.ValidatedStrength = validated
		return p
	}
	only := func(change func(*IdentityPiece), s Strength) IdentityPiece {
		p := piece(s)
		change(&p)
		return p
	}
	noPortrait := only(func(p *IdentityPiece) { p.PortraitOrDigital = false }, Fair)
	unnumbered := func(s Strength) IdentityPiece {
		return only(func(p *IdentityPiece) { p.GovernmentIdentifier = false }, s)
	}
	checkSentences(t, OperatorFacts{}, []sentence{
		{"A record with everything is IAL3, and authenticates nobody.", someRecord(), earns("- 3 -")},

		{"63-3 IAL2: one SUPERIOR from an issuer that proofed and was asked; 63-4: a SUPERIOR suffices.", someRecord(withPieces(fromIssuer(Superior))), earns("- 2 -")},
		{"63-3 IAL2: one STRONG so; 63-4: a single STRONG is IAL1.", someRecord(withPieces(fromIssuer(Strong))), earns("- 2 -", "- 1 -")},
		{"63-3 IAL2: a single piece needs issuer_proofed and issuing_source_validated.", someRecord(withPieces(piece(Superior))), earns("- - -", "- 2 -")},
		{"issuer_proofed alone is not enough.", someRecord(withPieces(only(func(p *IdentityPiece) { p.IssuerProofed = true }, Strong))), earns("- - -", "- 1 -")},
		{"issuing_source_validated alone is not enough.", someRecord(withPieces(only(func(p *IdentityPiece) { p.IssuingSourceValidated = true }, Strong))), earns("- - -", "- 1 -")},
		{"A FAIR piece from the best issuer is no STRONG one.", someRecord(withPieces(fromIssuer(Fair))), earns("- - -", "- 1 -")},
		{"IAL2: two STRONG.", someRecord(withPieces(piece(Strong), piece(Strong))), earns("- 2 -")},
		{"63-3 IAL2: one STRONG and two FAIR.", someRecord(withPieces(piece(Strong), piece(Fair), piece(Fair))), earns("- 2 -")},
		{"63-4 IAL2: one STRONG and one FAIR.", someRecord(withPieces(piece(Strong), piece(Fair))), earns("- - -", "- 2 -")},
		{"A piece may fill a slot below its strength: SUPERIOR for STRONG.", someRecord(withPieces(piece(Superior), piece(Fair), piece(Fair))), earns("- 2 -")},
		{"63-4 IAL1: one FAIR.", someRecord(withPieces(piece(Fair))), earns("- - -", "- 1 -")},
		{"Any number of FAIR pieces makes no STRONG one.", someRecord(withPieces(piece(Fair), piece(Fair), piece(Fair), piece(Fair))), earns("- - -", "- 1 -")},
		{"No pieces give nothing.", someRecord(withPieces()), earns("- - -")},
		{"IAL3: SUPERIOR and STRONG; the STRONG needs its issuer in 63-3.", someRecord(withPieces(piece(Superior), fromIssuer(Strong))), earns("- 3 -")},
		{"IAL3: without it 63-3 has two STRONG.", someRecord(withPieces(piece(Superior), piece(Strong))), earns("- 2 -", "- 3 -")},
		{"It is the STRONG piece that needs it, and not the SUPERIOR.", someRecord(withPieces(fromIssuer(Superior), piece(Strong))), earns("- 2 -", "- 3 -")},
		{"63-3 IAL3: two STRONG and one FAIR.", someRecord(withPieces(piece(Strong), piece(Strong), piece(Fair))), earns("- 3 -", "- 2 -")},
		{"63-3 IAL3: SUPERIOR, STRONG and FAIR fill these slots.", someRecord(withPieces(piece(Superior), piece(Strong), piece(Fair))), earns("- 3 -")},

		{"A piece counts at its strength if validated at that.", someRecord(withPieces(badly(Strong, Superior))), earns("- 2 -", "- 1 -")},
		{"Otherwise not at all: not even lower.", someRecord(withPieces(badly(Superior, Strong))), earns("- - -")},
		{"Nor beside one that counts.", someRecord(withPieces(piece(Superior), badly(Superior, Fair))), earns("- - -", "- 2 -")},

		{"63-3 reads the verification's strength: SUPERIOR for IAL3.", someRecord(verified(Strong)), earns("- 2 -", "- 3 -")},
		{"63-3: STRONG for IAL2.", someRecord(verified(Fair)), earns("- - -", "- 3 -")},

		{"63-4: a FAIR piece needs portrait_or_digital.", someRecord(withPieces(noPortrait)), earns("- - -")},
		{"63-4: also beside a STRONG one; 63-3 does not ask.", someRecord(withPieces(piece(Strong), noPortrait, noPortrait)), earns("- 2 -", "- 1 -")},
		{"63-4: one piece with government_identifier suffices.", someRecord(withPieces(unnumbered(Superior), piece(Superior))), earns("- 3 -")},
		{"63-4: without any there is none.", someRecord(withPieces(unnumbered(Superior), unnumbered(Superior))), earns("- 3 -", "- - -")},
		{"63-4: core_attributes_validated:false makes the event null.", someRecord(record(func(f *ProofingFacts) { f.CoreAttributesValidated = false })), earns("- 3 -", "- - -")},

		{"IAL3: supervised remote in 63-3 alone.", someRecord(ofType(SupervisedRemote)), earns("- 3 -", "- 2 -")},
		{"IAL3: not remote attended.", someRecord(ofType(RemoteAttended)), earns("- 2 -")},
		{"IAL3: not remote unattended.", someRecord(remote), earns("- 2 -")},
		{"IAL3: not on-site unattended.", someRecord(ofType(OnsiteUnattended)), earns("- 2 -")},
		{"IAL3: the biometric must be collected; in 63-4 the pathway needs it at every level.", someRecord(noBiometric), earns("- 2 -", "- - -")},
		{"IAL3 in 63-4: the pathway must be biometric: digital evidence.", someRecord(along(DigitalEvidence, true)), earns("- 3 -", "- 2 -")},
		{"IAL3 in 63-4: the pathway must be biometric: non-biometric.", someRecord(along(NonBiometric, true)), earns("- 3 -", "- 2 -")},

		{"representative_trained:false caps on-site records at IAL2.", someRecord(untrained), earns("- 2 - capped")},
		{"And supervised ones.", someRecord(untrained, ofType(SupervisedRemote)), earns("- 2 - capped", "- 2 -")},
		{"And lowers nothing at IAL2.", someRecord(untrained, withPieces(piece(Strong), piece(Strong))), earns("- 2 -")},
		{"Nobody attended an unattended one.", someRecord(untrained, remote), earns("- 2 -")},
		{"reviewed_by left out makes the event null.", someRecord(record(func(f *ProofingFacts) { f.ReviewedBy = "" })), earns("- - -")},
		{"reviewed_by equal to collected_by makes the event null.", someRecord(record(func(f *ProofingFacts) { f.ReviewedBy = f.CollectedBy })), earns("- - -")},

		{"63-3: on-site records need the validated record only: no code in time.", someRecord(code(ByPost, 99*day)), earns("- 3 -")},
		{"63-3: no notice; 63-4 needs one at every IAL.", someRecord(noNotice), earns("- 3 -", "- - -")},
		{"63-3: but they need it.", someRecord(selfAsserted), earns("- - -", "- 3 -")},
		{"63-3: and an address.", someRecord(noCode), earns("- - -", "- 3 -")},
		{"63-3: remote records need a code.", someRecord(remote, noCode), earns("- - -", "- 2 -")},
		{"63-3: from a validated record.", someRecord(remote, selfAsserted), earns("- - -", "- 2 -")},
		{"63-3: in time: postal 10 days.", someRecord(remote, code(ByPost, 10*day)), earns("- 2 -")},
		{"63-3: postal after 10 days.", someRecord(remote, code(ByPost, 10*day+1)), earns("- - -", "- 2 -")},
		{"63-3: phone 10 minutes.", someRecord(remote, code(ByPhone, 10*time.Minute)), earns("- 2 -")},
		{"63-3: phone after 10 minutes.", someRecord(remote, code(ByPhone, 10*time.Minute+1)), earns("- - -", "- 2 -")},
		{"63-3: e-mail 24 hours.", someRecord(remote, code(ByEmail, day)), earns("- 2 -")},
		{"63-3: e-mail after 24 hours.", someRecord(remote, code(ByEmail, day+1)), earns("- - -", "- 2 -")},
		{"63-3: supervised records need code and notice too: code.", someRecord(ofType(SupervisedRemote), code(ByPost, 11*day)), earns("- - -", "- 2 -")},
		{"63-3: supervised records need code and notice too: notice.", someRecord(ofType(SupervisedRemote), noNotice), earns("- - -")},
		{"63-3: a notice to the same channel and address is none.", someRecord(remote, noticeTo(ByPost, "1 Main Street, Springfield")), earns("- - -", "- 2 -")},
		{"63-3: another address of the same channel is another.", someRecord(remote, noticeTo(ByPost, "2 Main Street, Springfield")), earns("- 2 -")},
		{"63-4: a notice by e-mail caps at IAL1.", someRecord(noticeTo(ByEmail, "person@example.org")), earns("- 3 -", "- 1 - capped")},
		{"63-4: and lowers nothing at IAL1.", someRecord(noticeTo(ByEmail, "person@example.org"), withPieces(piece(Fair))), earns("- - -", "- 1 -")},

		{"63-4: biometric and digital evidence rest on no code.", someRecord(noCode, along(DigitalEvidence, false)), earns("- - -", "- 2 -")},
		{"63-4: non-biometric needs a code.", someRecord(noCode, along(NonBiometric, false)), earns("- - -")},
		{"63-4: postal for SUPERIOR.", someRecord(along(NonBiometric, false)), earns("- 2 -")},
		{"63-4: phone is not for SUPERIOR.", someRecord(along(NonBiometric, false), code(ByPhone, time.Minute)), earns("- 2 -", "- - -")},
		{"63-4: phone is not for STRONG; a FAIR piece beside it is IAL1.", someRecord(along(NonBiometric, false), code(ByPhone, time.Minute), withPieces(piece(Strong), piece(Fair))),
			earns("- - -", "- 1 -")},
		{"63-4: phone for FAIR.", someRecord(along(NonBiometric, false), code(ByPhone, 10*time.Minute), withPieces(piece(Fair))), earns("- - -", "- 1 -")},
		{"63-4: postal for FAIR.", someRecord(along(NonBiometric, false), withPieces(piece(Fair))), earns("- - -", "- 1 -")},
		{"63-4: phone after 10 minutes.", someRecord(along(NonBiometric, false), code(ByPhone, 10*time.Minute+1), withPieces(piece(Fair))), earns("- - -")},
		{"63-4: postal 21 days.", someRecord(along(NonBiometric, false), code(ByPost, 21*day)), earns("- 2 -")},
		{"63-4: postal after 21 days.", someRecord(along(NonBiometric, false), code(ByPost, 21*day+1)), earns("- 2 -", "- - -")},
		{"63-4: e-mail verifies nothing.", someRecord(along(NonBiometric, false), code(ByEmail, time.Minute), withPieces(piece(Fair))), earns("- - -")},
		{"63-4: nor does a code to a self-asserted address.", someRecord(along(NonBiometric, false), selfAsserted), earns("- - -")},
		{"A record does not expire.", someRecord(func(e *Evidence) { e.At = e.At.Add(-400 * day) }), earns("- 3 -")},
	})
}

// Rows of the table, and sentences on aggregation, that are about several events.
func TestSentencesOnRecordsOfSeveralEvents(t *testing.T) {
	noUV := use(func(f *WebAuthnFacts) { f.UV = false })
	atNow := func(e *Evidence) { e.At = assessNow }
	front := login(frontChannel)
	for _, s := range []struct {
		words  string
		events []Evidence
		wants  []string // "AAL IAL FAL basis flags"
	}{
		{"Row 7: SMS and e-mail are what SMS is.", []Evidence{someCode(SMSCode), someCode(EmailCode)},
			earns("1 1 - self_asserted restricted", "1 - - no_identity_proofing restricted")},
		{"Row 20: FIDO without UV and codes are AAL1; the one that is not restricted counts.", []Evidence{someCode(SMSCode, atNow), someKey(noUV), someCode(EmailCode)},
			earns("1 1 - self_asserted phishing_resistant attested", "1 - - no_identity_proofing phishing_resistant attested")},
		{"Row 21: a login at AAL2 and FIDO without UV is the login's AAL2.", []Evidence{someLogin(), someKey(noUV)}, earns("2 2 2 asserted_by_idp")},
		{"On a tie operator_proofing wins.", []Evidence{someLogin(), someRecord(withPieces(piece(Strong), piece(Strong)))}, earns("2 2 2 operator_proofing")},
		{"Each level is the highest of all events.", []Evidence{someLogin(front), someRecord(), someKey()},
			earns("3 3 2 operator_proofing phishing_resistant attested", "3 3 1 operator_proofing phishing_resistant attested")},
		{"A rejected event gives nothing.", []Evidence{someKey(use(func(f *WebAuthnFacts) { f.UP = false }))}, earns("- 1 - self_asserted", "- - - no_identity_proofing")},
		{"An IAL1 on an issuer's word has its basis.", []Evidence{someLogin(saying("urn:example:one"))}, earns("1 1 2 asserted_by_idp")},
	} {
		for i, f := range Frameworks() {
			a := Assess(f, attested, assessNow, s.events)
			var flags []string
			for _, flag := range []struct {
				name string
				set  bool
			}{{FlagRestricted, a.Restricted}, {FlagPhishingResistant, a.PhishingResistant}, {FlagSyncable, a.Syncable}, {FlagAttested, a.Attested}} {
				if flag.set {
					flags = append(flags, flag.name)
				}
			}
			level := func(n *int) string { return cmp.Or(strings.TrimPrefix(strconv.Itoa(levelOrZero(n)), "0"), "-") }
			got := strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", level(a.AAL), level(a.IAL), level(a.FAL), a.IALBasis, strings.Join(flags, " ")))
			want := s.wants[min(i/2, len(s.wants)-1)]
			if got != want {
				t.Errorf("%s\n%s: %q, want %q", s.words, f, got, want)
			}
		}
	}
}

// aal_at is auth_time, and aal_expires follows it.
func TestALoginCountsFromItsAuthentication(t *testing.T) {
	e := someLogin()
	for f, limit := range map[Framework]time.Duration{R3: 12 * time.Hour, R3Sup1: 12 * time.Hour, R4: 24 * time.Hour} {
		a := Assess(f, attested, assessNow, []Evidence{e})
		if !a.AALAt.Equal(e.OIDC.AuthTime) || !a.AALExpires.Equal(e.OIDC.AuthTime.Add(limit)) {
			t.Errorf("%s: at %v until %v", f, a.AALAt, a.AALExpires)
		}
	}
}

// Facts of a kind that are missing are no reason to fall over.
func TestAnEventWithoutTheFactsOfItsKindEarnsNothing(t *testing.T) {
	for _, k := range []EvidenceKind{OIDCLogin, WebAuthnUse, ProofingRecord} {
		e := Evidence{Kind: k, At: assessNow, BoundAt: assessNow.Add(-time.Hour)}
		for _, f := range Frameworks() {
			if got := earningOf(f, attested, e); got != "rejected" || e.AMR() != nil {
				t.Errorf("%s, %s: %s, %v", k, f, got, e.AMR())
			}
		}
	}
}
