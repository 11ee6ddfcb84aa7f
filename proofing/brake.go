package proofing

import "time"

// Brake holds back text messages to where they go out and no right answer comes
// back: whoever is paid for messages to numbers of their own has no use for the
// codes. There is one for each place that was ever braked, and it stays for a while after
// it has let go, so that the next one there holds for longer.
type Brake struct {
	ID    string     `json:"id"`
	Scope BrakeScope `json:"scope"`
	// Range is what the numbers have in common (Contact.Prefix); of a range alone.
	Range Secret `json:"range,omitempty"`
	// CA is the authority for whose cases the messages went out; of a country
	// alone, so that abuse through one authority stops no other's people.
	CA      string    `json:"ca,omitempty"`
	Country string    `json:"country"`
	At      time.Time `json:"at"`
	Until   time.Time `json:"until"`
	// Unanswered and Answered are the messages that it was judged by, Usual how
	// many of a hundred are answered else; Known if that was counted and not assumed.
	Unanswered int64     `json:"unanswered"`
	Answered   int64     `json:"answered"`
	Usual      int64     `json:"usual"`
	Known      bool      `json:"known,omitempty"`
	Row        int       `json:"row"` // how often in a row
	Lifted     time.Time `json:"lifted,omitzero"`
}

// BrakeScope says what a brake is for.
type BrakeScope string

// The scopes of brakes.
const (
	BrakeRange   BrakeScope = "range"   // ten thousand numbers, for all authorities
	BrakeCountry BrakeScope = "country" // a country's numbers, for one authority
)

// BrakeMode says what comes of a brake.
type BrakeMode string

// The modes. To report is to judge, to keep and to tell, and to refuse nothing.
const (
	BrakeOff     BrakeMode = "off"
	BrakeReport  BrakeMode = "report"
	BrakeEnforce BrakeMode = "enforce"
)

// BrakePolicy is when text messages are held back. Its zero value never does.
type BrakePolicy struct {
	Ranges, Countries BrakeMode
	// Window is the time over which messages are counted; this one and the one
	// before are looked at together.
	Window time.Duration
	// RangeUnanswered and CountryUnanswered are how many messages of a window may
	// go unanswered whatever the rate, so that a few people who give up brake nothing.
	RangeUnanswered, CountryUnanswered int64
	// Times is how many times as many as usual may go unanswered for each that is answered.
	Times int64
	// Assumed is how many of a hundred are taken to be answered while nobody knows.
	Assumed int64
	// Hold is how long the first brake of a row holds. Each further one holds twice
	// as long, up to eight times. It is no shorter than Window: what led to
	// the brake must have passed out of the present window when it lets go.
	Hold time.Duration
}

// DefaultBrake is what holds where the configuration is silent. Decision 13 says why
// ranges are refused and countries reported.
func DefaultBrake() BrakePolicy {
	return BrakePolicy{
		Ranges: BrakeEnforce, Countries: BrakeReport, Window: time.Hour, RangeUnanswered: 20, CountryUnanswered: 200,
		Times: 3, Assumed: 60, Hold: time.Hour,
	}
}

func (p BrakePolicy) mode(scope BrakeScope) BrakeMode {
	if scope == BrakeRange {
		return p.Ranges
	}
	return p.Countries
}

// counts says whether the mode wants anything counted.
func (m BrakeMode) counts() bool { return m == BrakeReport || m == BrakeEnforce }

// Indexes implements Record. Those that hold for longest come first.
func (b *Brake) Indexes() []Index { return []Index{{Name: "until", Value: newestFirst(b.Until)}} }

// brakeMemory is how long a brake is known after it has let go.
const brakeMemory = 7 * 24 * time.Hour

// ExpiresAt implements Record.
func (b *Brake) ExpiresAt() time.Time { return b.Until.Add(brakeMemory) }

// Holds says whether the brake is on.
func (b *Brake) Holds(now time.Time) bool { return now.Before(b.Until) }

// Shown is the place that it is for, without a whole number.
func (b *Brake) Shown() string {
	if b.Scope == BrakeRange {
		return b.Range.Reveal() + "••••"
	}
	return b.Country
}

// put sets the brake anew.
func (b *Brake) put(seen traffic, usual usual, hold time.Duration, now time.Time) {
	b.Row++
	b.At, b.Until, b.Lifted = now, now.Add(hold<<min(b.Row-1, 3)), time.Time{}
	b.Unanswered, b.Answered, b.Usual, b.Known = seen.unanswered, seen.answered, usual.rate, usual.known
}

// traffic is what was sent lately: messages that were answered rightly, and those that
// were not, or not yet.
type traffic struct{ unanswered, answered int64 }

// usual is what is known of a country from the weeks before.
type usual struct {
	rate  int64 // messages of a hundred that are answered
	hour  int64 // messages in an hour, day and night
	known bool
}

// What a usual rate may be. Better than the one, a bad hour of one telephone company would
// look like abuse; worse than the other, abuse that goes on for weeks would become usual.
const (
	bestUsual  = 80
	worstUsual = 40
)

// usualOf is the usual rate after so many messages; too few say nothing.
func usualOf(sent, answered, hours, assumed int64) usual {
	const enough = 200
	if sent < enough {
		return usual{rate: assumed}
	}
	return usual{rate: min(max(100*answered/sent, worstUsual), bestUsual), hour: sent / max(hours, 1), known: true}
}

// unusual says whether so little of what goes out is answered that more is not sent.
// Messages that were sent a moment ago count as unanswered too: together with the
// window before they are few among many, and while there are few of all, least covers them.
func (t traffic) unusual(u usual, times int64) bool {
	return t.unanswered*u.rate > times*(100-u.rate)*t.answered
}

// newestFirst writes a time so that text order is the reverse of time order.
func newestFirst(t time.Time) string {
	const end = 9_999_999_999_999 // the last stamp
	return stamp(time.UnixMilli(end - min(max(t.UnixMilli(), 0), end)))
}
