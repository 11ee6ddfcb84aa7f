package challenges

import "github.com/countersign-id/countersign/proofing"

// The codes of what can be wrong with a login at an identity provider. The list is closed, and each has
// words in every language.
const (
	// oidcIssuerUnknown: no provider of that name is configured.
	oidcIssuerUnknown = "oidc_issuer_unknown"
	// oidcMalformed: what came back is not what a provider sends.
	oidcMalformed = "oidc_malformed"
	// oidcMixedUp: the answer belongs to another provider or another attempt.
	oidcMixedUp = "oidc_mixed_up"
	// oidcDenied: the person, or the provider, has refused.
	oidcDenied = "oidc_denied"
	// oidcTooWeak: the provider cannot authenticate the person as strongly as asked.
	oidcTooWeak = "oidc_too_weak"
	// oidcStale: the person authenticated there too long ago.
	oidcStale = "oidc_stale"
	// oidcProviderDown: the provider says that it cannot serve now.
	oidcProviderDown = "oidc_provider_down"
	// oidcLoginFailed: the login did not work; Detail says why.
	oidcLoginFailed = "oidc_login_failed"
	// oidcNotBound: a token that was handed in is for something else.
	oidcNotBound = "oidc_not_bound"
)

func refuse(field, code, detail string) *proofing.InputError {
	return &proofing.InputError{Field: field, Code: code, Detail: detail}
}

// badToken says what is wrong with an ID token.
func badToken(detail string) error { return refuse("token", oidcLoginFailed, detail) }
