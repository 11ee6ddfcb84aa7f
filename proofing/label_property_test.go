package proofing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// AAL3 needs every one of its conditions: whichever is dropped, it falls.
func TestAAL3NeedsEveryOneOfItsConditions(t *testing.T) {
	drops := map[string]func(*OperatorFacts, *Evidence){
		"user verification":        func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.UV = false },
		"user presence":            func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.UP = false },
		"a key that stays":         func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.BE = true },
		"an attestation":           func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.Attestation.Type = AttestationNone },
		"one that tells the model": func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.Attestation.Type = AttestationAnonCA },
		"a trusted chain":          func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.Attestation.Trusted = false },
		"a key in hardware":        func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.Attestation.KeyProtection = nil },
		"and nowhere else": func(_ *OperatorFacts, e *Evidence) {
			e.WebAuthn.Attestation.KeyProtection = append(e.WebAuthn.Attestation.KeyProtection, KeySoftware)
		},
		"fresh metadata":      func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.Attestation.MDSFresh = false },
		"a model not revoked": func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.Attestation.Status = []MDSStatus{MDSRevoked} },
		"verification unbypassed": func(_ *OperatorFacts, e *Evidence) {
			e.WebAuthn.Attestation.Status = []MDSStatus{MDSUserVerificationBypass}
		},
		"a validated device":        func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.Attestation.FIPS140 = FIPS140{} },
		"a validated verifier":      func(o *OperatorFacts, _ *Evidence) { o.VerifierFIPS140Validated = false },
		"no earlier sign of a copy": func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.CloneSuspected = true },
		"a counter that advances":   func(_ *OperatorFacts, e *Evidence) { e.WebAuthn.SignCountRegressed = true },
		"an earlier binding":        func(_ *OperatorFacts, e *Evidence) { e.BoundAt = e.At },
		"less than twelve hours": func(_ *OperatorFacts, e *Evidence) {
			e.At, e.BoundAt = assessNow.Add(-12*time.Hour), assessNow.Add(-13*time.Hour)
		},
		"known facts": func(_ *OperatorFacts, e *Evidence) { e.WebAuthn = nil },
	}
	for _, f := range Frameworks() {
		e := someKey()
		if got := Assess(f, attested, assessNow, []Evidence{e}); levelOrZero(got.AAL) != 3 {
			t.Fatalf("%s: AAL%d with all of them", f, levelOrZero(got.AAL))
		}
		for name, drop := range drops {
			o, e := attested, someKey()
			drop(&o, &e)
			if got := Assess(f, o, assessNow, []Evidence{e}); levelOrZero(got.AAL) == 3 {
				t.Errorf("%s: AAL3 without %s", f, name)
			}
		}
	}
}

// ceilings are the highest levels that a framework allows for an event, whatever the
// operator and the agreements say: written down apart from the rules.
func ceilings(f Framework, e Evidence) (aal, ial, fal int) {
	r4 := f == R4
	switch e.Kind {
	case SMSCode, VoiceCode:
		if e.LineType != LineVoIP && e.bound() {
			aal = 1
		}
	case WebAuthnUse:
		a := e.WebAuthn.Attestation
		switch {
		case !e.bound() || !e.WebAuthn.UP:
		case !e.WebAuthn.UV || e.WebAuthn.BE && f == R3:
			aal = 1
		case e.WebAuthn.BE || !a.Trusted || a.FIPS140.Overall < 1 || !r4 && a.FIPS140.Overall < 2:
			aal = 2
		default:
			aal = 3
		}
	case OIDCLogin:
		ial, fal = 3, 2
		aal = (&r4OIDC).ceiling(e.OIDC.AMR)
		if !r4 {
			aal = (&r3OIDC).ceiling(e.OIDC.AMR)
		}
		if levels, ok := e.OIDC.mapped(); !ok {
			aal, ial = 0, 0
		} else {
			aal, ial = min(aal, levels.AAL), min(ial, levels.IAL)
		}
		if e.OIDC.Channel == ChannelFront && r4 {
			ial, fal = 0, 1
		}
		if !e.OIDC.Encrypted && !r4 {
			ial, fal = 0, 1
		}
	case ProofingRecord:
		p := e.Proofing
		switch {
		case p.ReviewedBy == "" || p.ReviewedBy == p.CollectedBy || len(p.Pieces) == 0:
		case p.Type == OnsiteAttended, p.Type == SupervisedRemote && !r4:
			ial = 3
		default:
			ial = 2
		}
	}
	return aal, ial, fal
}

func TestNoConfigurationRaisesALevelAboveWhatTheEvidenceAllows(t *testing.T) {
	eachRecord(t, randomEvidence, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		for i, v := range Assess(f, o, assessNow, evidence).Events {
			aal, ial, fal := ceilings(f, evidence[i])
			if levelOrZero(v.AAL) > aal || levelOrZero(v.IAL) > ial || levelOrZero(v.FAL) > fal {
				t.Errorf("%s: AAL%d, IAL%d, FAL%d of %+v", f, levelOrZero(v.AAL), levelOrZero(v.IAL), levelOrZero(v.FAL), evidence[i])
			}
		}
	})
}

// A cap of an agreement only lowers, an acr that is taken out of it gives nothing, and
// what the operator demands only lowers. Fresh events, since a higher level may
// lapse sooner than a lower one.
func TestCapsAndDemandsOnlyLower(t *testing.T) {
	fresh := func(r *rand.Rand) Evidence {
		e := randomEvidence(r)
		bound := e.At.Sub(e.BoundAt)
		e.At = assessNow
		if !e.BoundAt.IsZero() {
			e.BoundAt = e.At.Add(-bound)
		}
		if e.OIDC != nil && !e.OIDC.AuthTime.IsZero() {
			e.OIDC.AuthTime = e.At
		}
		return e
	}
	eachRecord(t, fresh, func(t *testing.T, r *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		with := Assess(f, o, assessNow, evidence).Events
		stricter := map[string][]EventAssessment{}
		demanding, unvalidated, wary := o, o, o
		demanding.RequireAttestation, unvalidated.VerifierFIPS140Validated, wary.AcceptUnverifiedLineType = true, false, false
		stricter["require_attestation"] = Assess(f, demanding, assessNow, evidence).Events
		stricter["no validated verifier"] = Assess(f, unvalidated, assessNow, evidence).Events
		stricter["no unverified lines"] = Assess(f, wary, assessNow, evidence).Events
		limit := 1 + r.IntN(3)
		capped, unmapped, distrusted := slices.Clone(evidence), slices.Clone(evidence), slices.Clone(evidence)
		for i, e := range evidence {
			if e.OIDC == nil || e.OIDC.Trust == nil {
				continue
			}
			tighter, login := *e.OIDC.Trust, *e.OIDC
			tighter.Cap = StatedLevels{lower(tighter.Cap.IAL, limit), lower(tighter.Cap.AAL, limit)}
			login.Trust = &tighter
			capped[i].OIDC = &login
			empty, other := *e.OIDC.Trust, *e.OIDC
			empty.ACRMap = map[string]StatedLevels{}
			other.Trust = &empty
			unmapped[i].OIDC = &other
			alone := *e.OIDC
			alone.Trust = nil
			distrusted[i].OIDC = &alone
		}
		stricter[fmt.Sprintf("cap %d", limit)] = Assess(f, o, assessNow, capped).Events
		stricter["no acr"] = Assess(f, o, assessNow, unmapped).Events
		stricter["no trust"] = Assess(f, o, assessNow, distrusted).Events
		for name, without := range stricter {
			for i := range with {
				if levelOrZero(without[i].AAL) > levelOrZero(with[i].AAL) || levelOrZero(without[i].IAL) > levelOrZero(with[i].IAL) || levelOrZero(without[i].FAL) > levelOrZero(with[i].FAL) {
					t.Errorf("%s: %s raises a level of %+v", f, name, evidence[i])
				}
			}
		}
		for i, v := range Assess(f, o, assessNow, capped).Events {
			if e := evidence[i].OIDC; e != nil && e.Trust != nil && (levelOrZero(v.AAL) > limit || levelOrZero(v.IAL) > limit) {
				t.Errorf("%s: a level above the cap of %d", f, limit)
			}
		}
		for i := range unmapped {
			if v := Assess(f, o, assessNow, unmapped[i:i+1]).Events[0]; unmapped[i].OIDC != nil && (v.AAL != nil || v.IAL != nil) {
				t.Errorf("%s: a level without a mapping", f)
			}
		}
	})
}

// lower is a cap that is no higher than limit; 0 is no cap.
func lower(had, limit int) int {
	if had == 0 {
		return limit
	}
	return min(had, limit)
}
