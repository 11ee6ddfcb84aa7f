package proofing

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Random evidence of every kind. About half of what can be right is, so that the
// rules' far ends are reached as well.

func randomEvidence(r *rand.Rand) Evidence {
	switch r.IntN(4) {
	case 0:
		return randomLogin(r)
	case 1:
		return randomKey(r)
	case 2:
		return randomRecord(r)
	}
	return randomCode(r)
}

func randomCode(r *rand.Rand) Evidence {
	k := pick(r, EmailCode, EmailLink, SMSCode, VoiceCode)
	e := Evidence{Kind: k, At: randomTime(r, 40*24)}
	if e.Confirms() == ChannelEmail {
		e.Address = pick[Secret](r, "a@example.org", "b@example.org")
		return e
	}
	e.Number = pick[Secret](r, "+12025550143", "+442079460958")
	e.LineType = pick(r, LineMobile, LineLandline, LineVoIP, LineUnknown)
	e.BoundAt, e.Suspended = randomBinding(r, e.At), r.IntN(8) == 0
	return e
}

func randomLogin(r *rand.Rand) Evidence {
	f := &OIDCFacts{Issuer: "https://idp.example", Subject: "248289761001", Channel: pick(r, ChannelBack, ChannelFront), Encrypted: flip(r),
		ACR: pick(r, "", "one", "two", "three", "other"), AMR: some(r, slices.Concat(amrPossession, amrKnowledge, []string{"fpt", "vbm", "mfa", "geo"}))}
	if r.IntN(4) == 0 {
		f.ACR, f.AMR = "three", []string{"hwk", "pin"}
	}
	e := Evidence{Kind: OIDCLogin, At: randomTime(r, 48), OIDC: f}
	if r.IntN(4) > 0 {
		f.AuthTime = e.At.Add(-time.Duration(r.IntN(120)) * time.Minute)
	}
	if flip(r) {
		f.MaxAge = new(r.Int64N(7200))
	}
	if r.IntN(4) > 0 {
		f.Trust = &OIDCTrust{r.IntN(4) > 0, r.IntN(4) > 0, r.IntN(4) > 0, map[string]StatedLevels{
			"one": {r.IntN(4), r.IntN(4)}, "two": {2, 2}, "three": {3, 3}}, StatedLevels{max(0, r.IntN(8)-4), max(0, r.IntN(8)-4)}, nil}
	}
	return e
}

func randomKey(r *rand.Rand) Evidence {
	e := someKey(func(e *Evidence) { e.At, e.BoundAt = randomTime(r, 48), time.Time{} })
	e.BoundAt = randomBinding(r, e.At)
	f := e.WebAuthn
	f.UP, f.UV, f.BE, f.SignCountRegressed, f.CloneSuspected = r.IntN(8) > 0, r.IntN(4) > 0, r.IntN(3) == 0, r.IntN(6) == 0, r.IntN(6) == 0
	f.BS = f.BE && flip(r) || r.IntN(12) == 0
	a := &f.Attestation
	if flip(r) {
		a.Type = pick(r, attestationTypes...)
		a.Trusted = flip(r) && a.Type != AttestationNone && a.Type != AttestationSelf
	}
	if r.IntN(3) == 0 {
		a.KeyProtection = some(r, keyProtections)
	}
	if flip(r) {
		a.FIPS140 = FIPS140{r.IntN(5), r.IntN(5)}
	}
	if r.IntN(3) == 0 {
		a.Status = some(r, mdsStatuses)
	}
	a.MDSFresh = r.IntN(4) > 0
	return e
}

func randomRecord(r *rand.Rand) Evidence {
	e := someRecord(func(e *Evidence) { e.At = randomTime(r, 400*24) })
	f := e.Proofing
	f.Type = pick(r, RemoteUnattended, RemoteAttended, OnsiteAttended, OnsiteAttended, OnsiteUnattended, SupervisedRemote)
	f.Pieces = make([]IdentityPiece, r.IntN(4))
	for i := range f.Pieces {
		p := piece(pick(r, strengths...))
		if r.IntN(4) == 0 {
			p.ValidatedStrength = pick(r, strengths...)
		}
		p.IssuingSourceValidated, p.IssuerProofed, p.GovernmentIdentifier, p.PortraitOrDigital = flip(r), flip(r), flip(r), flip(r)
		f.Pieces[i] = p
	}
	f.Verification = IdentityVerification{pick(r, strengths...), pick(r, NonBiometric, Biometric, Biometric, DigitalEvidence), r.IntN(3) > 0}
	f.CoreAttributesValidated, f.RepresentativeTrained = r.IntN(6) > 0, r.IntN(3) > 0
	f.ReviewedBy = pick(r, "agent-2", "agent-3", "agent-2", "agent-1", "")
	f.AddressConfirmation = nil
	if r.IntN(6) > 0 {
		c := &AddressConfirmation{Channel: pick(r, ByPost, ByPhone, ByEmail), Address: "one", Source: pick(r, ValidatedRecord, ValidatedRecord, SelfAsserted), CodeUsedAt: e.At}
		c.CodeSentAt = e.At.Add(-pick(r, time.Minute, time.Minute, time.Hour, 9*day, 12*day, 30*day))
		f.AddressConfirmation = c
	}
	f.Notification = nil
	if r.IntN(6) > 0 {
		f.Notification = &ProofingNotice{pick(r, ByPost, ByPhone, ByEmail), pick[Secret](r, "one", "two")}
	}
	return e
}

func randomTime(r *rand.Rand, hours int) time.Time {
	return assessNow.Add(-time.Duration(r.IntN(hours)) * time.Hour)
}

func randomBinding(r *rand.Rand, at time.Time) time.Time {
	if r.IntN(4) == 0 {
		return time.Time{}
	}
	return at.Add(-time.Duration(r.IntN(4)) * time.Hour)
}

func flip(r *rand.Rand) bool { return r.IntN(2) == 0 }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// some is a few of them, or none.
func some[T any](r *rand.Rand, of []T) []T {
	few := make([]T, r.IntN(4))
	for i := range few {
		few[i] = pick(r, of...)
	}
	return few
}

// A generator that never reaches the far ends of the rules would prove nothing.
func TestRandomEvidenceReachesEveryLevelAndEveryFlag(t *testing.T) {
	seen := map[string]bool{}
	eachRecord(t, randomEvidence, func(_ *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		for _, e := range Assess(f, o, assessNow, evidence).Events {
			k := string(f) + " " + string(evidence[e.Index].Kind)
			seen[k+" AAL"+string(rune('0'+levelOrZero(e.AAL)))] = true
			seen[k+" IAL"+string(rune('0'+levelOrZero(e.IAL)))] = true
			seen[k+" FAL"+string(rune('0'+levelOrZero(e.FAL)))] = true
			for _, flag := range e.Flags {
				seen[flag] = true
			}
			if !e.Accepted {
				seen[k+" rejected"] = true
			}
		}
	})
	want := slices.Clone(flagOrder)
	for _, f := range Frameworks() {
		for _, reach := range []string{"oidc AAL1", "oidc AAL2", "oidc AAL3", "oidc IAL1", "oidc IAL2", "oidc IAL3", "oidc FAL1", "oidc FAL2", "oidc rejected",
			"webauthn AAL0", "webauthn AAL1", "webauthn AAL2", "webauthn AAL3", "webauthn rejected", "proofing_record IAL0", "proofing_record IAL2", "proofing_record IAL3", "sms_code AAL1"} {
			want = append(want, string(f)+" "+reach)
		}
	}
	for _, w := range append(want, "sp800-63-4 proofing_record IAL1", "sp800-63-3 oidc FAL0") {
		if !seen[w] {
			t.Errorf("never seen: %s", w)
		}
	}
}
