package proofing

import (
	"slices"
	"time"
)

// proofingRules is what one revision says of a record of identity proofing.
type proofingRules struct {
	// counts says which pieces of evidence count at all.
	counts func(IdentityPiece) bool
	// always is asked at every level, and levels what each asks beyond it, from the highest.
	always []demand
	levels []proofingLevel
	// pathways say at IAL2 by which of them the person was shown to be the one of the evidence: who relies on the level may ask for one of them.
	pathways []pathwayTaken
	// caps hold down what the record would earn.
	caps []proofingCap

	noAuthentication, noAssertion Reason // no AAL, no FAL
}

// demand is one thing that is asked of a record, and the reason when it is missing.
type demand struct {
	met     func(*ProofingFacts, pieces) bool
	missing Reason
}

// proofingLevel is an IAL, what it asks, and the reason when all of it is there.
type proofingLevel struct {
	ial     int
	demands []demand
	earned  Reason
}

// pathwayTaken is what the label says of a pathway.
type pathwayTaken struct {
	pathway Pathway
	taken   Reason
}

// proofingCap holds a record down to an IAL.
type proofingCap struct {
	applies func(*ProofingFacts) bool
	ial     int
	why     Reason
}

// judge is the rule for a record of identity proofing. It earns the highest level
// of which nothing is missing, and says what is missing for the next.
func (r *proofingRules) judge(_ OperatorFacts, e Evidence) verdict {
	v := accept()
	r.identity(&v, e.Proofing)
	v.onAAL(r.noAuthentication)
	v.onFAL(r.noAssertion)
	return v
}

func (r *proofingRules) identity(v *verdict, f *ProofingFacts) {
	counted := pieces(slices.DeleteFunc(slices.Clone(f.Pieces), func(p IdentityPiece) bool {
		return !p.ValidatedStrength.atLeast(p.Strength) || !r.counts(p)
	}))
	if missing := unmet(r.always, f, counted); len(missing) > 0 {
		v.onIAL(missing...)
		return
	}
	var next []Reason // what is missing for the level above
	for _, level := range r.levels {
		missing := unmet(level.demands, f, counted)
		if len(missing) > 0 {
			next = missing
			continue
		}
		v.IAL, v.ialBasis = new(level.ial), BasisOperatorProofing
		v.onIAL(level.earned)
		break
	}
	v.onIAL(next...)
	for _, c := range r.caps {
		if c.applies(f) {
			v.capIAL(c.ial, c.why)
		}
	}
	for _, p := range r.pathways {
		if v.IAL != nil && *v.IAL == 2 && p.pathway == f.Verification.Pathway {
			v.onIAL(p.taken)
		}
	}
}

func unmet(demands []demand, f *ProofingFacts, counted pieces) (missing []Reason) {
	for _, d := range demands {
		if !d.met(f, counted) {
			missing = append(missing, d.missing)
		}
	}
	return missing
}

// pieces are pieces of identity evidence that count, each at its strength. One may
// stand wherever a weaker one is asked for.
type pieces []IdentityPiece

// atLeast is how many have at least that strength.
func (p pieces) atLeast(s Strength) (n int) {
	for _, piece := range p {
		if piece.Strength.atLeast(s) {
			n++
		}
	}
	return n
}

// withIssuer says whether one has at least that strength, was validated with its
// issuer, and comes from an issuer that proofed the person as well.
func (p pieces) withIssuer(s Strength) bool {
	return slices.ContainsFunc(p, func(piece IdentityPiece) bool {
		return piece.Strength.atLeast(s) && piece.IssuerProofed && piece.IssuingSourceValidated
	})
}

// reviewed says whether somebody else than the collector has looked at the record.
func reviewed(f *ProofingFacts, _ pieces) bool {
	return f.ReviewedBy != "" && f.ReviewedBy != f.CollectedBy
}

// untrained says whether a representative who was not trained attended.
func untrained(f *ProofingFacts) bool {
	attended := f.Type == RemoteAttended || f.Type == OnsiteAttended || f.Type == SupervisedRemote
	return attended && !f.RepresentativeTrained
}

// Codes must come back within these times (SP 800-63A 4.4.1.6; SP 800-63A-4 3.8). In
// revision 4 a code by e-mail verifies nobody's ownership of evidence.
var (
	r3CodeLimits = map[ProofingChannel]time.Duration{ByPost: 10 * 24 * time.Hour, ByPhone: 10 * time.Minute, ByEmail: 24 * time.Hour}
	r4CodeLimits = map[ProofingChannel]time.Duration{ByPost: 21 * 24 * time.Hour, ByPhone: 10 * time.Minute}
)

// r3Remote says whether code and notice are asked for: the person was not on site.
func r3Remote(f *ProofingFacts) bool {
	return f.Type != OnsiteAttended && f.Type != OnsiteUnattended
}

// r3Evidence2 is SP 800-63A 4.4.1.2.
func r3Evidence2(_ *ProofingFacts, p pieces) bool {
	return p.withIssuer(Strong) || p.atLeast(Strong) >= 2 || p.atLeast(Strong) >= 1 && p.atLeast(Fair) >= 3
}

// r3Evidence3 is SP 800-63A 4.5.2.
func r3Evidence3(_ *ProofingFacts, p pieces) bool {
	strongWithIssuer := slices.ContainsFunc(p, func(piece IdentityPiece) bool {
		return piece.Strength == Strong && piece.IssuerProofed && piece.IssuingSourceValidated
	})
	return p.atLeast(Superior) >= 2 || p.atLeast(Superior) == 1 && strongWithIssuer || p.atLeast(Strong) >= 2 && p.atLeast(Fair) >= 3
}

var r3Proofing = proofingRules{
	counts: func(IdentityPiece) bool { return true },
	always: []demand{
		{reviewed, Reason{"SP 800-63A 4.2",
			"Nobody but the collector has reviewed the record: the event gives no IAL."}},
		{func(f *ProofingFacts, _ pieces) bool { return f.AddressConfirmation.validated() }, Reason{"SP 800-63A 4.4.1.6",
			"No address from a validated record was confirmed, and what people say of their address is not enough: the event gives no IAL."}},
		{func(f *ProofingFacts, _ pieces) bool {
			return !r3Remote(f) || f.AddressConfirmation != nil && f.AddressConfirmation.usedWithin(r3CodeLimits)
		}, Reason{"SP 800-63A 4.4.1.6",
			"Remote proofing needs an enrollment code that came back in time (10 days by post, 10 minutes by phone, 24 hours by e-mail): the event gives no IAL."}},
		{func(f *ProofingFacts, _ pieces) bool { return !r3Remote(f) || f.noticeElsewhere() }, Reason{"SP 800-63A 4.4.1.6",
			"Remote proofing needs a notice to another address than the code went to: the event gives no IAL."}},
	},
	levels: []proofingLevel{
		{3, []demand{
			{r3Evidence3, Reason{"SP 800-63A 4.5.2",
				"IAL3 needs two SUPERIOR pieces, or one and a STRONG piece whose issuer proofed the person and was asked, or two STRONG pieces and a FAIR one."}},
			{func(f *ProofingFacts, _ pieces) bool { return f.Verification.Strength.atLeast(Superior) }, Reason{"SP 800-63A 4.5.4",
				"IAL3 needs a verification of strength SUPERIOR."}},
			{func(f *ProofingFacts, _ pieces) bool { return f.Type == OnsiteAttended || f.Type == SupervisedRemote }, Reason{"SP 800-63A 4.5.5",
				"IAL3 needs a representative on site, or supervised remote proofing."}},
			{func(f *ProofingFacts, _ pieces) bool { return f.Verification.BiometricCollected }, Reason{"SP 800-63A 4.5.7",
				"IAL3 needs a biometric that was collected and recorded."}},
		}, Reason{"SP 800-63A 4.5", "The record has the evidence, verification, presence and biometric of IAL3."}},
		{2, []demand{
			{r3Evidence2, Reason{"SP 800-63A 4.4.1.2",
				"IAL2 needs a SUPERIOR or STRONG piece whose issuer proofed the person and was asked, or two STRONG pieces, or one and two FAIR ones."}},
			{func(f *ProofingFacts, _ pieces) bool { return f.Verification.Strength.atLeast(Strong) }, Reason{"SP 800-63A 4.4.1.4",
				"IAL2 needs a verification of strength STRONG."}},
		}, Reason{"SP 800-63A 4.4", "The record has the evidence, verification and confirmed address of IAL2."}},
	},
	caps: []proofingCap{
		{untrained, 2, Reason{"SP 800-63A 5.3.3", "The representative who attended was not trained for it: capped at IAL2."}},
	},
	noAuthentication: Reason{"SP 800-63B 4", "Proofing says who somebody is and authenticates nobody: the event has no AAL."},
	noAssertion:      r3NoAssertion,
}

// noticeElsewhere says whether a notice went to another channel and address than the code.
func (f *ProofingFacts) noticeElsewhere() bool {
	n, c := f.Notification, f.AddressConfirmation
	return n != nil && c != nil && (n.Channel != c.Channel || n.Address != c.Address)
}

// verified are the pieces that the pathway showed to be the person's: a code by
// phone shows it of FAIR pieces alone (SP 800-63A-4 4.2.6.1).
func (f *ProofingFacts) verified(counted pieces) pieces {
	code := f.AddressConfirmation
	switch f.Verification.Pathway {
	case DigitalEvidence:
		return counted
	case Biometric:
		if f.Verification.BiometricCollected {
			return counted
		}
	case NonBiometric:
		switch {
		case !code.validated() || !code.usedWithin(r4CodeLimits):
		case code.Channel == ByPost:
			return counted
		default:
			return slices.DeleteFunc(slices.Clone(counted), func(p IdentityPiece) bool { return p.Strength != Fair })
		}
	}
	return nil
}

// r4Evidence2 is SP 800-63A-4 4.2.2.
func r4Evidence2(_ *ProofingFacts, p pieces) bool {
	return p.atLeast(Superior) >= 1 || p.atLeast(Strong) >= 1 && p.atLeast(Fair) >= 2
}

var r4Proofing = proofingRules{
	counts: func(p IdentityPiece) bool { return p.Strength != Fair || p.PortraitOrDigital },
	always: []demand{
		{reviewed, Reason{"SP 800-63A-4 3.2.1",
			"Nobody but the collector has reviewed the record: the event gives no IAL."}},
		{func(f *ProofingFacts, _ pieces) bool { return f.CoreAttributesValidated }, Reason{"SP 800-63A-4 4.1.5",
			"Not all core attributes were validated: the event gives no IAL."}},
		{func(_ *ProofingFacts, p pieces) bool { return p.atLeast(Fair) >= 1 }, Reason{"SP 800-63A-4 4.1.2",
			"No piece of evidence, FAIR at least, was validated at its strength: the event gives no IAL."}},
		{func(_ *ProofingFacts, p pieces) bool {
			return slices.ContainsFunc(p, func(piece IdentityPiece) bool { return piece.GovernmentIdentifier })
		}, Reason{"SP 800-63A-4 4.1.3",
			"No piece that counts has a government identifier: the event gives no IAL."}},
		{func(f *ProofingFacts, _ pieces) bool { return f.Notification != nil }, Reason{"SP 800-63A-4 3.10",
			"No notice of the proofing was sent: the event gives no IAL."}},
	},
	levels: []proofingLevel{
		{3, []demand{
			{func(_ *ProofingFacts, p pieces) bool { return p.atLeast(Superior) >= 1 && p.atLeast(Strong) >= 2 }, Reason{"SP 800-63A-4 4.3.2",
				"IAL3 is given here for two SUPERIOR pieces, or one and a STRONG one; the clause asks for less."}},
			{func(f *ProofingFacts, _ pieces) bool { return f.Type == OnsiteAttended }, Reason{"SP 800-63A-4 4.3.1",
				"IAL3 needs a proofing agent on site."}},
			{func(f *ProofingFacts, _ pieces) bool { return f.Verification.Pathway == Biometric }, Reason{"SP 800-63A-4 4.3.6",
				"IAL3 is given here for the biometric pathway alone."}},
			{func(f *ProofingFacts, _ pieces) bool { return f.Verification.BiometricCollected }, Reason{"SP 800-63A-4 4.3.3",
				"IAL3 needs a biometric sample that was collected and retained."}},
		}, Reason{"SP 800-63A-4 4.3", "The record has the evidence, verification, presence and biometric of IAL3."}},
		{2, []demand{
			{r4Evidence2, Reason{"SP 800-63A-4 4.2.2",
				"IAL2 needs a SUPERIOR piece, or two STRONG pieces, or a STRONG and a FAIR one."}},
			{func(f *ProofingFacts, p pieces) bool { return r4Evidence2(f, f.verified(p)) }, Reason{"SP 800-63A-4 4.2.6",
				"The pathway has not shown that the pieces of IAL2 are the person's: a code must have come back in time (21 days by post; 10 minutes by phone, for FAIR pieces alone), or a biometric been collected."}},
		}, Reason{"SP 800-63A-4 4.2", "The record has the evidence and verification of IAL2."}},
		{1, []demand{
			{func(f *ProofingFacts, p pieces) bool { return f.verified(p).atLeast(Fair) >= 1 }, Reason{"SP 800-63A-4 4.1.6",
				"The pathway has not shown that a piece of evidence is the person's."}},
		}, Reason{"SP 800-63A-4 4.1", "The record has the evidence and verification of IAL1."}},
	},
	pathways: []pathwayTaken{
		{NonBiometric, Reason{"SP 800-63A-4 4.2.6", "Verified by the non-biometric pathway: a code came back from an address of the validated record."}},
		{Biometric, Reason{"SP 800-63A-4 4.2.6", "Verified by the biometric pathway: a sample was compared with the evidence."}},
		{DigitalEvidence, Reason{"SP 800-63A-4 4.2.6", "Verified by the digital evidence pathway: the person authenticated to an account or credential that is the evidence."}},
	},
	caps: []proofingCap{
		{untrained, 2, Reason{"SP 800-63A-4 4.3.7", "The representative who attended was not trained for it: capped at IAL2."}},
		{func(f *ProofingFacts) bool { return f.Notification.Channel == ByEmail }, 1, Reason{"SP 800-63A-4 3.10",
			"A notice of proofing may go by e-mail at IAL1 alone: capped at IAL1."}},
	},
	noAuthentication: Reason{"SP 800-63B-4 2", "Proofing says who somebody is and authenticates nobody: the event has no AAL."},
	noAssertion:      r4NoAssertion,
}
