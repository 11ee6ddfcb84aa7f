package proofing

import (
	"slices"
	"time"
)

// OIDCFacts is what the token of an identity provider said. Whoever states it has
// verified the token: signature, issuer, an audience that is us alone, expiry and nonce.
type OIDCFacts struct {
	Issuer  string  `json:"issuer"`
	Subject Secret  `json:"subject"`
	Channel Handing `json:"channel"`
	// Encrypted says that the token was encrypted to us (JWE).
	Encrypted bool `json:"encrypted"`
	// ACR and AMR are the claims of that name (OpenID Connect Core 2); empty: not given.
	ACR string   `json:"acr,omitempty"`
	AMR []string `json:"amr,omitempty"`
	// AuthTime is when the person authenticated there; zero if the token does not say.
	AuthTime time.Time `json:"auth_time,omitzero"`
	// MaxAge is how old that was allowed to be at the event, in seconds; nil: not asked.
	MaxAge *int64 `json:"max_age_s,omitempty"`
	// Trust is the agreement with the issuer, as it stood at the event; nil: none.
	Trust *OIDCTrust `json:"trust,omitempty"`
}

// Handing is the way by which a token came to us.
type Handing string

// The ways of a token.
const (
	ChannelBack  Handing = "back"  // from the issuer, for a code
	ChannelFront Handing = "front" // handed over by a browser or a client
)

// OIDCTrust is a trust agreement with an issuer (SP 800-63C 5.1.1; SP 800-63C-4 3.5).
type OIDCTrust struct {
	PreEstablished     bool `json:"pre_established"`     // made before the transaction
	RPInitiated        bool `json:"rp_initiated"`        // we began the transaction
	InjectionProtected bool `json:"injection_protected"` // SP 800-63C-4 3.11.1
	// ACRMap says which levels an acr of this issuer stands for, and Cap the
	// highest that are taken from it.
	ACRMap map[string]StatedLevels `json:"acr_map"`
	Cap    StatedLevels            `json:"cap"`
	// Domains are those that the issuer may speak for; none: it says who somebody is whatever they ask for.
	Domains []string `json:"domains,omitempty"`
}

// SpeaksFor says whether the agreement lets the issuer's word count in a case for the identifier. The zero Identifier is
// of a case that no authority asks for.
func (t *OIDCTrust) SpeaksFor(id Identifier) bool {
	return t == nil || len(t.Domains) == 0 || id == Identifier{} || id.Within(t.Domains)
}

// StatedLevels are levels of an agreement; 0 is none stated.
type StatedLevels struct {
	IAL int `json:"ial,omitempty"`
	AAL int `json:"aal,omitempty"`
}

// mapped is what the agreement says of the token's acr, if it says anything.
func (f *OIDCFacts) mapped() (StatedLevels, bool) {
	if f.Trust == nil || f.ACR == "" {
		return StatedLevels{}, false
	}
	levels, ok := f.Trust.ACRMap[f.ACR]
	return levels, ok
}

// amrOfOIDC repeats what the identity provider said.
func amrOfOIDC(e Evidence) []string { return slices.Clone(e.OIDC.AMR) }

// stale says whether the authentication was too old at the event.
func (f *OIDCFacts) stale(at time.Time) bool {
	return f.MaxAge != nil && f.AuthTime.Add(time.Duration(*f.MaxAge)*time.Second).Before(at)
}

// maxMaxAge bounds max_age_s, so that a time may be added to it: 68 years.
const maxMaxAge = 1<<31 - 1

// readOIDC reads what is special to logins at an identity provider.
func readOIDC(o *object, e *Evidence) {
	f := &OIDCFacts{
		Issuer:    o.text("issuer"),
		Subject:   Secret(o.text("subject")),
		Channel:   oneOf(o, "channel", []Handing{ChannelBack, ChannelFront}),
		Encrypted: o.bool("encrypted"),
	}
	if o.has("acr") {
		f.ACR = o.text("acr")
	}
	if o.has("amr") {
		f.AMR = o.words("amr")
	}
	if o.has("auth_time") {
		f.AuthTime = o.timeUntil("auth_time", e.At, "at")
	}
	if o.has("max_age_s") {
		f.MaxAge = new(o.whole("max_age_s", 0, maxMaxAge))
	}
	if o.has("trust") {
		f.Trust = readTrust(o)
	}
	e.OIDC = f
}

func readTrust(in *object) *OIDCTrust {
	o, _, ok := take[*object](in, "trust")
	if !ok {
		return nil
	}
	t := &OIDCTrust{
		PreEstablished:     o.bool("pre_established"),
		RPInitiated:        o.bool("rp_initiated"),
		InjectionProtected: o.bool("injection_protected"),
		ACRMap:             map[string]StatedLevels{},
	}
	if m, _, ok := take[*object](o, "acr_map"); ok {
		// Names are free here: each entry is read where it stands, and none looked up.
		for _, entry := range m.members {
			if levels, ok := asObject(o.doc, entry.node); ok {
				t.ACRMap[entry.name] = readLevels(levels)
			}
		}
	}
	if levels, _, ok := take[*object](o, "cap"); ok {
		t.Cap = readLevels(levels)
	}
	o.unknown()
	return t
}

func readLevels(o *object) (levels StatedLevels) {
	for name, level := range map[string]*int{"ial": &levels.IAL, "aal": &levels.AAL} {
		if o.has(name) {
			*level = int(o.whole(name, 1, 3))
		}
	}
	o.unknown()
	return levels
}
