package proofing

import (
	"cmp"
	"slices"
	"time"
)

// Assessment is the label of a record of evidence, with the clause behind every
// part of it. A level that is nil was not reached: neither revision has a level 0.
// It is made by Assess, whose lists are never nil and whose times are in UTC.
type Assessment struct {
	Framework          Framework          `json:"framework"`
	IAL                *int               `json:"ial"`
	IALBasis           string             `json:"ial_basis"`
	AAL                *int               `json:"aal"`
	AALAt              *time.Time         `json:"aal_at"`
	AALExpires         *time.Time         `json:"aal_expires"`
	FAL                *int               `json:"fal"`
	PhishingResistant  bool               `json:"phishing_resistant"`
	Restricted         bool               `json:"restricted"`
	Syncable           bool               `json:"syncable"`
	Attested           bool               `json:"attested"`
	AddressesConfirmed []ConfirmedAddress `json:"addresses_confirmed"`
	Reasons            []Reason           `json:"reasons"`
	Events             []EventAssessment  `json:"events"`
}

// ConfirmedAddress is an address that somebody was shown to control, and when
// last.
type ConfirmedAddress struct {
	Channel Channel   `json:"channel"`
	Address Secret    `json:"address"`
	At      time.Time `json:"at"`
}

// Reason is a clause of the standard and what it means for this record.
type Reason struct {
	Clause string `json:"clause"`
	Text   string `json:"text"`
}

// EventAssessment is what one event earns by itself.
type EventAssessment struct {
	Index    int      `json:"index"`
	Accepted bool     `json:"accepted"`
	AAL      *int     `json:"aal"`
	IAL      *int     `json:"ial"`
	FAL      *int     `json:"fal"`
	Flags    []string `json:"flags"`
	Reasons  []Reason `json:"reasons"`
}

// What an IAL rests on.
const (
	BasisSelfAsserted       = "self_asserted"
	BasisNoIdentityProofing = "no_identity_proofing"
	BasisAssertedByIdP      = "asserted_by_idp"
	BasisOperatorProofing   = "operator_proofing"
)

// The flags of events, in the order in which they are listed.
const (
	FlagEmailConfirmed     = "address_confirmed:email"
	FlagPhoneConfirmed     = "address_confirmed:phone"
	FlagRestricted         = "restricted"
	FlagPhishingResistant  = "phishing_resistant"
	FlagSyncable           = "syncable"
	FlagAttested           = "attested"
	FlagDeviceBoundClaimed = "device_bound:claimed"
	FlagNonExportable      = "non_exportable"
	FlagCloneSuspected     = "clone_suspected"
	FlagLineTypeUnverified = "line_type:unverified"
	FlagVoIP               = "voip"
	FlagCapped             = "capped"
)

var flagOrder = []string{FlagEmailConfirmed, FlagPhoneConfirmed, FlagRestricted, FlagPhishingResistant, FlagSyncable, FlagAttested,
	FlagDeviceBoundClaimed, FlagNonExportable, FlagCloneSuspected, FlagLineTypeUnverified, FlagVoIP, FlagCapped}

// Assess labels a record of evidence as of now. It is the one place where levels
// come from: pure, and the same for a live case and for a document on the
// command line. The framework must be Valid.
//
// Each level is the highest that any one event earned, never a sum: two things
// that somebody has are still one factor (SP 800-63B 4.2.1; SP 800-63B-4 2.2.1).
func Assess(framework Framework, operator OperatorFacts, now time.Time, evidence []Evidence) Assessment {
	verdicts := make([]verdict, len(evidence))
	for i, e := range evidence {
		verdicts[i] = judge(framework, operator, now, e)
		verdicts[i].Index = i
	}
	a := combine(framework, verdicts)
	a.AddressesConfirmed = confirmedAddresses(evidence, verdicts)
	return a
}

// verdict is what an event earns, and what is needed to weigh it against others.
type verdict struct {
	EventAssessment
	// What the levels rest on, or why there are none; Reasons has what is said of
	// the event as a whole, until finish puts all of it there.
	aalReasons, ialReasons, falReasons []Reason

	ialBasis string
	at       time.Time // of the event
	aalAt    time.Time // of the authentication: at, unless the rule knows better
}

// judge applies the rule of the event's kind, and then what binds all kinds.
func judge(framework Framework, operator OperatorFacts, now time.Time, e Evidence) verdict {
	common := framework.rules()
	v := reject(common.unknownKind)
	if k := e.Kind.facts(); k.rules[framework] != nil && k.stated(e) {
		v = k.rules[framework](operator, e)
	}
	v.at = e.At.UTC()
	if v.aalAt.IsZero() {
		v.aalAt = v.at
	}
	if !operator.VerifierFIPS140Validated {
		v.capAAL(2, common.unvalidatedVerifier)
	}
	if e.Suspended && v.AAL != nil {
		v.AAL = nil
		v.onAAL(common.suspended)
	}
	if e.Suspended && e.OIDC != nil && (v.IAL != nil || v.FAL != nil) { // whoever has the account has all that it says
		v.IAL, v.FAL = nil, nil
		v.because(common.suspendedWord)
	}
	v.expire(common, now)
	v.finish()
	return v
}

// accept is a verdict on an event that may count, with its flags.
func accept(flags ...string) verdict {
	return verdict{EventAssessment: EventAssessment{Accepted: true, Flags: flags}}
}

// reject is a verdict on an event that may not count at all.
func reject(why Reason) verdict {
	return verdict{EventAssessment: EventAssessment{Reasons: []Reason{why}}}
}

// because gives reasons for what is said of the event as a whole, and the others
// for one of its levels.
func (v *verdict) because(reasons ...Reason) { v.Reasons = append(v.Reasons, reasons...) }
func (v *verdict) onAAL(reasons ...Reason)   { v.aalReasons = append(v.aalReasons, reasons...) }
func (v *verdict) onIAL(reasons ...Reason)   { v.ialReasons = append(v.ialReasons, reasons...) }
func (v *verdict) onFAL(reasons ...Reason)   { v.falReasons = append(v.falReasons, reasons...) }

func (v *verdict) flag(flags ...string) { v.Flags = append(v.Flags, flags...) }

// finish puts flags and reasons into their order, each once.
func (v *verdict) finish() {
	given := v.Flags
	v.Flags = slices.DeleteFunc(slices.Clone(flagOrder), func(f string) bool { return !slices.Contains(given, f) })
	all := slices.Concat(v.Reasons, v.aalReasons, v.ialReasons, v.falReasons)
	v.Reasons = []Reason{}
	for _, r := range all {
		if !slices.Contains(v.Reasons, r) {
			v.Reasons = append(v.Reasons, r)
		}
	}
}

func (v *verdict) has(flag string) bool { return slices.Contains(v.Flags, flag) }

// capAAL lowers an AAL that is above a limit, and says so.
func (v *verdict) capAAL(limit int, why Reason) {
	if v.AAL != nil && *v.AAL > limit {
		v.AAL = new(limit)
		v.flag(FlagCapped)
		v.onAAL(why)
	}
}

// capIAL lowers an IAL that is above a limit, and says so.
func (v *verdict) capIAL(limit int, why Reason) {
	if v.IAL != nil && *v.IAL > limit {
		v.IAL = new(limit)
		v.flag(FlagCapped)
		v.onIAL(why)
	}
}

// expire takes away an AAL that is due for reauthentication.
func (v *verdict) expire(common *revision, now time.Time) {
	if v.AAL == nil {
		return
	}
	limit := common.reauthentication[*v.AAL]
	if !v.aalAt.Add(limit.after).After(now) {
		v.AAL = nil
		v.onAAL(limit.due)
	}
}

// combine takes the highest of each level. What no single event explains gets
// its reason here.
func combine(framework Framework, verdicts []verdict) Assessment {
	a := Assessment{Framework: framework, Reasons: []Reason{}, Events: []EventAssessment{}}
	for _, v := range verdicts {
		a.Events = append(a.Events, v.EventAssessment)
	}
	accepted := slices.DeleteFunc(slices.Clone(verdicts), func(v verdict) bool { return !v.Accepted })
	common := framework.rules()
	a.identity(accepted, common)
	a.authentication(accepted, common)
	a.federation(accepted, common)
	return a
}

// identity takes the highest IAL. On a tie the operator's own proofing counts
// for more than another's word.
func (a *Assessment) identity(accepted []verdict, common *revision) {
	best := highest(accepted, func(v verdict) *int { return v.IAL }, func(x, y verdict) int {
		return prefer(x.ialBasis == BasisOperatorProofing, y.ialBasis == BasisOperatorProofing)
	})
	if best != nil {
		a.IAL, a.IALBasis = new(*best.IAL), best.ialBasis
		return
	}
	if common.ial != nil {
		a.IAL = new(*common.ial)
	}
	a.IALBasis = common.ialBasis
	a.Reasons = append(a.Reasons, common.ialReason)
}

// authentication takes the highest AAL, with the flags and times of the event
// that earned it.
func (a *Assessment) authentication(accepted []verdict, common *revision) {
	best := highest(accepted, func(v verdict) *int { return v.AAL }, func(x, y verdict) int {
		return cmp.Or(
			prefer(!x.has(FlagRestricted), !y.has(FlagRestricted)),
			prefer(x.has(FlagPhishingResistant), y.has(FlagPhishingResistant)),
			prefer(x.has(FlagAttested), y.has(FlagAttested)),
			x.at.Compare(y.at),
		)
	})
	if best == nil {
		a.Reasons = append(a.Reasons, common.noAAL)
		return
	}
	a.AAL = new(*best.AAL)
	a.AALAt = new(best.aalAt.UTC())
	a.AALExpires = new(best.aalAt.Add(a.Framework.Reauthentication(*best.AAL)).UTC())
	a.Restricted = best.has(FlagRestricted)
	a.PhishingResistant = best.has(FlagPhishingResistant)
	a.Syncable = best.has(FlagSyncable)
	a.Attested = best.has(FlagAttested)
}

// federation takes the highest FAL.
func (a *Assessment) federation(accepted []verdict, common *revision) {
	best := highest(accepted, func(v verdict) *int { return v.FAL }, func(verdict, verdict) int { return 0 })
	if best == nil {
		a.Reasons = append(a.Reasons, common.noFAL)
		return
	}
	a.FAL = new(*best.FAL)
}

// highest is the verdict with the highest of a level; tie decides between equal
// levels, and the first in the list between equals. It is nil if none has the level.
func highest(verdicts []verdict, level func(verdict) *int, tie func(x, y verdict) int) *verdict {
	var best *verdict
	for i, v := range verdicts {
		switch {
		case level(v) == nil:
		case best == nil, cmp.Or(cmp.Compare(*level(v), *level(*best)), tie(v, *best)) > 0:
			best = &verdicts[i]
		}
	}
	return best
}

// prefer orders true after false.
func prefer(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// confirmedAddresses lists each address that accepted events confirmed, with the
// latest time, in the order of first appearance. Neither the line type nor age
// matters here: a confirmed address is not an authenticator.
func confirmedAddresses(evidence []Evidence, verdicts []verdict) []ConfirmedAddress {
	type key struct {
		channel Channel
		address Secret
	}
	list, place := []ConfirmedAddress{}, map[key]int{}
	for i, e := range evidence {
		k := key{e.Confirms(), e.AddressOrNumber()}
		if k.channel == "" || !verdicts[i].Accepted {
			continue
		}
		at, seen := place[k]
		switch {
		case !seen:
			place[k] = len(list)
			list = append(list, ConfirmedAddress{k.channel, k.address, e.At.UTC()})
		case e.At.After(list[at].At):
			list[at].At = e.At.UTC()
		}
	}
	return list
}
