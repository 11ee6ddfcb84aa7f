package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
)

// withBoth is a world in which people have passkeys and accounts at a provider, with a profile that takes either.
func withBoth(t testing.TB) *federation {
	t.Helper()
	f := withProvider(t)
	f.passkeys(webauthn.Config{})
	either := *f.Policy.Profiles["login"]
	either.Name, either.Methods = "either", []string{"fido", "oidc", "email"}
	f.Policy.Profiles["either"] = &either
	f.ca.Profiles = append(f.ca.Profiles, "either")
	f.Policy.Own = &proofing.Profile{Title: "Account", Framework: proofing.R4, Methods: []string{"fido", "oidc", "email", "sms"}}
	f.Policy.Cooling = 24 * time.Hour
	return f
}

// passkeys has the world's passkeys judged by a configuration.
func (f *federation) passkeys(c webauthn.Config) {
	f.t.Helper()
	c.ID, c.Name, c.Origins, c.Now = "proof.example.org", "Example", []string{passkeyOrigin}, f.clock
	rp := must[*webauthn.RelyingParty](f.t)(webauthn.New(c))
	f.Methods["fido"] = challenges.Table(challenges.Config{Hasher: f.Hasher, Passkeys: rp})["fido"]
}

// says has the provider say how long ago people authenticated there, and how.
func (f *federation) says(ago time.Duration, acr string) {
	f.idp.Edit = func(_, claims map[string]any) {
		claims["auth_time"], claims["acr"] = f.clock().Add(-ago).Unix(), acr
	}
}

// Whoever sits down at a browser that is logged in at the provider adds nothing of theirs by way of an authority's request.
func TestAnOldLoginAtAProviderAddsNoPasskey(t *testing.T) {
	f := withBoth(t)
	must[*proofing.Case](t)(f.login(visit(f.openFor("login", "me@example.org", "first-key-first-key-first-key-first-key-fir"), "b")))
	f.pass(time.Hour)
	c := f.openFor("either", "me@example.org", "other-key-other-key-other-key-other-key-oth")
	f.says(55*time.Minute, "urn:high")
	_, err := f.login(visit(c, "b"))
	wantInput(t, "a login of 55 minutes ago where a passkey may be added", err, "oidc_stale")
	f.says(4*time.Minute, "urn:high")
	must[*proofing.Case](t)(f.login(visit(c, "b")))
	f.pass(5 * time.Minute)
	if _, _, err := f.Enrol(t.Context(), visit(c, "b"), "fido"); err != nil {
		t.Errorf("nine minutes after the login: %v", err)
	}
	f.pass(2 * time.Minute)
	_, _, err = f.Enrol(t.Context(), visit(c, "b"), "fido")
	wantErr(t, "eleven minutes after the login, and seven after its word came", err, proofing.ErrNotAdmitted)
	f.says(time.Minute, "urn:high")
	own := must[*proofing.Case](t)(f.login(ownVisit(f.openOwn())))
	f.pass(8 * time.Minute)
	if !f.session(own).Fresh {
		t.Error("nine minutes after the login nothing may be changed")
	}
	f.pass(2 * time.Minute)
	if f.session(own).Fresh {
		t.Error("eleven minutes after the login, and ten after its word came, everything may be changed")
	}
}
