package proofing

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// StepHook is a webhook of a step-ca provisioner that is answered for an authority: what it asks, under which
// profile, and how its calls are known to be its. step-ca names neither account nor order in them.
type StepHook struct {
	Name      string      `json:"name"` // in its URL: "countersign"
	Kind      StepKind    `json:"kind"`
	Profile   string      `json:"profile"`
	Correlate Correlation `json:"correlate"`
	// Links lets a refusal carry the link of the case, and opens a case where there is none.
	Links   bool      `json:"links,omitempty"`
	Created time.Time `json:"created"`
	// WebhookID is what step-ca calls it. Until it is known no call is answered.
	WebhookID string `json:"webhook_id,omitempty"`
	// Secret signs the calls: standard base64, as step-ca prints it. Without one they must come with a client
	// certificate that is pinned to the authority.
	Secret    Secret    `json:"secret,omitempty"`
	Connected time.Time `json:"connected,omitzero"`
}

// StepKind is what a webhook of step-ca asks. Its calls do not say it.
type StepKind string

// The kinds of webhooks that step-ca has.
const (
	StepEnriching     StepKind = "ENRICHING"     // before the template is filled in: what to put into it
	StepAuthorizing   StepKind = "AUTHORIZING"   // before signing: may it be signed as it is
	StepSCEPChallenge StepKind = "SCEPCHALLENGE" // may this SCEP request go on
	StepNotifying     StepKind = "NOTIFYING"     // what became of a SCEP request
)

// StepKinds lists all of them.
var StepKinds = []StepKind{StepEnriching, StepAuthorizing, StepSCEPChallenge, StepNotifying}

// Correlation is how a question without an applicant finds the cases that it is about.
type Correlation string

// The ways to find a case.
const (
	// CorrelateKey: the case's applicant is the public key of the certificate.
	CorrelateKey Correlation = "key"
	// CorrelateIdentifier: the case, of whichever applicant, is for a name in the certificate. It says that somebody proved who they are, and
	// not that they ask for this certificate.
	CorrelateIdentifier Correlation = "identifier"
)

// Knows says whether cases under the profile may be found in that way. Where the profile demands that
// the person authenticated with two factors, or that others agreed, what they did must not serve another's key.
func (p *Profile) Knows(by Correlation) bool {
	return by == CorrelateKey || by == CorrelateIdentifier && p.Require.AAL < 2 && !p.peopleDecide()
}

const (
	maxStepHooks = 16 // bounds the record of an authority
	// minStepSecret is far less than the 64 bytes that step-ca makes, and as much as HMAC-SHA256 is worth.
	minStepSecret = 32
)

var stepHookName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,31}$`)

// StepHook is the hook of that name; nil if there is none.
func (a *Authority) StepHook(name string) *StepHook {
	i := slices.IndexFunc(a.StepHooks, func(h StepHook) bool { return h.Name == name })
	if i < 0 {
		return nil
	}
	return &a.StepHooks[i]
}

// AddStepHook adds a hook that is not connected yet. Errors are *InputError: "hook_name" for a name that a URL
// should not have, "hook_exists", "too_many", and "correlation" for a profile that takes no such one.
func (a *Authority) AddStepHook(h StepHook, p *Profile) error {
	switch {
	case !stepHookName.MatchString(h.Name):
		return &InputError{"name", "hook_name", "a hook's name is up to 32 letters, digits, hyphens and underscores, and begins with a letter or digit"}
	case a.StepHook(h.Name) != nil:
		return &InputError{"name", "hook_exists", fmt.Sprintf("%s has a hook %s already", a.Name, h.Name)}
	case len(a.StepHooks) >= maxStepHooks:
		return &InputError{"name", "too_many", fmt.Sprintf("an authority has %d hooks at most", maxStepHooks)}
	case !p.Knows(h.Correlate):
		return &InputError{"correlate", "correlation", fmt.Sprintf("the profile %s asks for two factors or for approvals: what one person showed must not serve another's key, so its cases are found by key alone", p.Name)}
	case h.strangers():
		return &InputError{"correlate", "correlation", "of a SCEP request nobody but this hook makes sure who asks: its cases are found by key alone"}
	case h.Links && h.Correlate != CorrelateKey:
		return &InputError{"links", "correlation", "who asks by identifier need not be the person of the case: its link is not theirs to have"}
	}
	a.StepHooks = append(a.StepHooks, h)
	return nil
}

// strangers says whether the hook would let anybody have what somebody else has proved: of an ACME order the authority makes sure by itself that whoever asks has
// the names (RFC 8555 8), and of a SCEP request it asks the hook.
func (h *StepHook) strangers() bool {
	return h.Kind == StepSCEPChallenge && h.Correlate == CorrelateIdentifier
}

// Answers says whether the hook may be answered: one that was added before this was refused may not.
func (h *StepHook) Answers() bool { return !h.strangers() }

// ShowsCSRs says whether a hook is connected to which step-ca shows the CSRs of a profile. One that is asked about the certificate itself sees none.
func (a *Authority) ShowsCSRs(profile string) bool {
	return slices.ContainsFunc(a.StepHooks, func(h StepHook) bool {
		return h.Profile == profile && h.Kind == StepEnriching && h.WebhookID != ""
	})
}

// SeesCertificates says whether a hook is connected that judges the certificates of a profile as step-ca's template has filled them in. What another answers binds no template.
func (a *Authority) SeesCertificates(profile string) bool {
	return slices.ContainsFunc(a.StepHooks, func(h StepHook) bool {
		return h.Profile == profile && h.Kind == StepAuthorizing && h.WebhookID != ""
	})
}

// HoldsToCSRs says whether a case under the profile is for certain CSRs alone: for the one that it names, or those that people have approved.
func (p *Profile) HoldsToCSRs(c *Case) bool {
	return c.CSRDigest != "" || p.eachCSR() && c.Approval != nil
}

// ConnectStepHook tells a hook what step-ca calls it and signs with; it replaces what was told before. An empty secret leaves the
// client certificate. ErrNotFound if there is no such hook; an *InputError with the code "secret" or "webhook_id".
func (a *Authority) ConnectStepHook(name, webhookID string, secret Secret, now time.Time) error {
	h := a.StepHook(name)
	if h == nil {
		return ErrNotFound
	}
	if webhookID == "" || len(webhookID) > 128 {
		return &InputError{"webhook_id", "webhook_id", "the id is what step-ca prints behind \"Webhook ID:\""}
	}
	if secret != "" {
		if key, err := base64.StdEncoding.DecodeString(secret.Reveal()); err != nil || len(key) < minStepSecret {
			return &InputError{"secret", "secret", "the secret is what step-ca prints behind \"Secret:\": the base64 of 64 bytes"}
		}
	}
	h.WebhookID, h.Secret, h.Connected = webhookID, secret, now
	return nil
}

// RemoveStepHook takes a hook away; ErrNotFound if there is none.
func (a *Authority) RemoveStepHook(name string) error {
	before := len(a.StepHooks)
	a.StepHooks = slices.DeleteFunc(a.StepHooks, func(h StepHook) bool { return h.Name == name })
	if len(a.StepHooks) == before {
		return ErrNotFound
	}
	return nil
}

// Key is what the hook's calls are signed with; nil if they are not, or if the hook is not connected.
func (h *StepHook) Key() []byte {
	key, err := base64.StdEncoding.DecodeString(h.Secret.Reveal())
	if err != nil || len(key) < minStepSecret {
		return nil
	}
	return key
}
