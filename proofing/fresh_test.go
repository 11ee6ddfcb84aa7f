package proofing_test

import (
	"context"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// withBoth is a world in which people have passkeys and accounts at a provider, with a profile that takes either.
func withBoth(t testing.TB) *federation {
	t.Helper()
	f := withProvider(t)
	f.passkeys(webauthn.Config{})
	strong := *f.Policy.Profiles["login"]
	strong.Name, strong.Methods = "strong", []string{"fido", "oidc", "email"}
	f.Policy.Profiles["strong"] = &strong
	f.ca.Profiles = append(f.ca.Profiles, "strong")
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
	c := f.openFor("strong", "me@example.org", "other-key-other-key-other-key-other-key-oth")
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

// What a login showed first is not all that an account can: whoever has its password alone changes nothing once its owner has shown more.
func TestWhatALaterLoginShowsIsAskedForFromThenOn(t *testing.T) {
	f := withBoth(t)
	f.says(0, "urn:low")
	must[*proofing.Case](t)(f.login(visit(f.openFor("strong", "me@example.org", ""), "b")))
	f.pass(time.Minute)
	own := must[*proofing.Case](t)(f.login(ownVisit(f.openOwn())))
	if !f.session(own).Fresh {
		t.Fatal("a password is all that they have shown, and does not do")
	}
	f.says(0, "urn:high")
	own = must[*proofing.Case](t)(f.login(ownVisit(f.openOwn())))
	if !f.session(own).Fresh {
		t.Error("the stronger login does not do")
	}
	f.says(0, "urn:low")
	for range 2 { // and does not make less of it
		own = must[*proofing.Case](t)(f.login(ownVisit(f.openOwn())))
		if f.session(own).Fresh {
			t.Error("the password alone changes everything, of an account that can do more")
		}
	}
	wantErr(t, "erasing", f.Erase(t.Context(), ownVisit(own)), proofing.ErrNotAdmitted)
}

// A token that a machine has handed in says nothing of what its person can do in a browser.
func TestATokenThatIsHandedInRaisesNothing(t *testing.T) {
	f := withBoth(t)
	f.says(0, "urn:low")
	mine := must[*proofing.Case](t)(f.login(visit(f.openFor("strong", "me@example.org", ""), "b")))
	f.pass(time.Minute)
	c, _, err := f.Open(t.Context(), f.ca, unattended("machine@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	f.says(0, "urn:high")
	c = must[*proofing.Case](t)(f.HandIn(t.Context(), f.ca, c.ID, f.tokenFor(c, func(claims map[string]any) {
		claims["sub"], claims["acr"], claims["auth_time"] = "alice", "urn:high", f.clock().Unix()
	}), ""))
	f.work()
	f.says(0, "urn:low")
	if c.Person != mine.Person {
		t.Fatal("the token is of somebody else")
	}
	own := must[*proofing.Case](t)(f.login(ownVisit(f.openOwn())))
	if !f.session(own).Fresh {
		t.Error("the login that they have does not do any more")
	}
}

// An agreement that takes less of an issuer, or is no more, asks nobody for what nothing reaches any more.
func TestWhatAnAgreementNoLongerGivesIsNotAskedFor(t *testing.T) {
	f := withBoth(t)
	f.says(0, "urn:high")
	must[*proofing.Case](t)(f.login(visit(f.openFor("strong", "me@example.org", ""), "b")))
	f.pass(time.Minute)
	own := must[*proofing.Case](t)(f.login(ownVisit(f.openOwn())))
	f.prove(own, "b", "sms", "+447400123456")
	f.pass(time.Minute)
	number := func() bool {
		t.Helper()
		return f.session(f.prove(f.openOwn(), "b", "sms", "+447400123456")).Fresh
	}
	if number() {
		t.Fatal("a text message counts as much as the account at its provider")
	}
	passkeys := f.Methods["fido"]
	f.cap = proofing.StatedLevels{AAL: 1}
	f.trust("work", "home")
	f.Methods["fido"] = passkeys
	f.pass(time.Minute)
	if own = must[*proofing.Case](t)(f.login(ownVisit(f.openOwn()))); !f.session(own).Fresh {
		t.Error("the agreement takes no more than AAL1, and its login does not do")
	}
	f.pass(time.Minute)
	if !number() {
		t.Error("the agreement takes no more than AAL1, and a text message does not do")
	}
	f.Methods = challenges.Table(challenges.Config{Hasher: f.Hasher, Countries: []string{"GB"}})
	f.pass(time.Minute)
	if !number() {
		t.Error("nobody is asked for logins any more, and a text message does not do")
	}
}

// withModels is a world in which passkeys are attested, the metadata of their models among it, with which they reach AAL3.
func withModels(t testing.TB) (f *federation, publish func(reports ...webauthntest.Report)) {
	t.Helper()
	f = withBoth(t)
	f.Policy.OperatorFacts.VerifierFIPS140Validated = true
	maker := must[*webauthntest.Authority](t)(webauthntest.NewAuthority())
	source, edition := &models{}, 0
	mds := must[*webauthn.MDS](t)(webauthn.OpenMDS(t.Context(), webauthn.MDSConfig{Source: source, Roots: []*x509.Certificate{maker.MetadataRoot}, Now: f.clock}))
	f.passkeys(webauthn.Config{MDS: mds, FIPS140: map[webauthn.AAGUID]webauthn.FIPS140{model: {Overall: 2, Physical: 3}}})
	f.maker = maker
	return f, func(reports ...webauthntest.Report) {
		t.Helper()
		edition++
		source.data = must[[]byte](t)(maker.Edition(edition, f.clock().AddDate(0, 1, 0), webauthntest.Model{AAGUID: model, Reports: reports}))
		if err := mds.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

var model = webauthn.AAGUID{0xa1, 0xa2, 0xa3, 0xa4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}

// models hands over the metadata that it was given last.
type models struct{ data []byte }

func (m *models) Fetch(context.Context) ([]byte, error) { return m.data, nil }

// attested is a passkey of the model that the metadata has.
func (f *federation) attested() *webauthntest.Authenticator {
	a := webauthntest.New()
	a.AAGUID, a.Attestation, a.Authority = model, webauthntest.Packed, f.maker
	return a
}

// Of two keys in hardware one lies in a safe. While the list of models is overdue the other one does, which is as strong as either can be.
func TestWhileTheListOfModelsIsOverdueNobodyIsAskedForMore(t *testing.T) {
	f, publish := withModels(t)
	publish()
	first, second, plain := f.attested(), f.attested(), webauthntest.New()
	c := f.signUp(first)
	must[*proofing.Case](t)(f.enrol(ownVisit(c), second))
	must[*proofing.Case](t)(f.enrol(ownVisit(c), plain))
	f.pass(time.Minute)
	if s := f.session(f.signIn(plain)); s.Fresh {
		t.Fatalf("a passkey that nobody vouches for is as good as a key in hardware: AAL%d", *s.Case.Grant.Assessment.AAL)
	}
	f.pass(40 * 24 * time.Hour)
	c = f.signIn(first)
	if s := f.session(c); *s.Case.Grant.Assessment.AAL != 2 || !s.Fresh {
		t.Errorf("with the list overdue the key is AAL%d, fresh: %v", *s.Case.Grant.Assessment.AAL, s.Fresh)
	}
	publish()
	f.pass(time.Minute)
	if s := f.session(f.signIn(plain)); s.Fresh {
		t.Error("with a new list the passkey is as good as a key in hardware")
	}
	if s := f.session(f.signIn(second)); *s.Case.Grant.Assessment.AAL != 3 || !s.Fresh {
		t.Errorf("with a new list the key is AAL%d, fresh: %v", *s.Case.Grant.Assessment.AAL, s.Fresh)
	}
}

// A key whose model was withdrawn is worth nothing. Once it has shown that, its person goes on with what else they have, and takes it away.
func TestAModelThatWasWithdrawnHoldsNobodyUp(t *testing.T) {
	f, publish := withModels(t)
	publish()
	key, plain := f.attested(), webauthntest.New()
	c := f.signUp(key)
	must[*proofing.Case](t)(f.enrol(ownVisit(c), plain))
	f.pass(time.Minute)
	publish(webauthntest.Report{Status: "REVOKED", EffectiveDate: "2026-11-23"})
	c = must[*proofing.Case](t)(f.use(ownVisit(f.openOwn()), key))
	c = must[*proofing.Case](t)(f.use(ownVisit(c), plain))
	s := f.session(c)
	if !s.Fresh {
		t.Fatal("what the key could do once is asked for still")
	}
	gone := s.Person.Bindings[slices.IndexFunc(s.Person.Bindings, func(b proofing.Binding) bool { return b.Facts.WebAuthn != nil && b.Facts.WebAuthn.Attestation.Trusted })]
	if err := f.Remove(t.Context(), ownVisit(c), gone.ID); err != nil {
		t.Errorf("taking the key away: %v", err)
	}
}

// Whoever has nothing but a key whose model was withdrawn still sees, takes along and ends what is theirs.
func TestAModelThatWasWithdrawnShutsNobodyOut(t *testing.T) {
	f, publish := withModels(t)
	publish()
	key := f.attested()
	f.signUp(key)
	publish(webauthntest.Report{Status: "REVOKED", EffectiveDate: "2026-11-23"})
	c := must[*proofing.Case](t)(f.use(ownVisit(f.openOwn()), key))
	if err := f.Erase(t.Context(), ownVisit(c)); err != nil {
		t.Errorf("erasing: %v", err)
	}
}

// Whoever has nothing left that earns a level adds something that does, and it counts when everybody has had time to hear of it.
func TestWhatAKeyOfAWithdrawnModelAddsHasToCool(t *testing.T) {
	f, publish := withModels(t)
	publish()
	key, next := f.attested(), webauthntest.New()
	f.signUp(key)
	publish(webauthntest.Report{Status: "REVOKED", EffectiveDate: "2026-11-23"})
	c := must[*proofing.Case](t)(f.use(ownVisit(f.openOwn()), key))
	must[*proofing.Case](t)(f.enrol(ownVisit(c), next))
	_, err := f.use(ownVisit(f.openOwn()), next)
	wantInput(t, "the passkey that a withdrawn one has added", err, "authenticator_cooling")
	f.pass(25 * time.Hour)
	f.signIn(next)
}

// Whoever sits in somebody's session does not keep its owner from taking away what they have added.
func TestNoLimitKeepsAThingFromBeingTakenAway(t *testing.T) {
	f := withBoth(t)
	key := webauthntest.New()
	thief := f.signUp(key)
	must[*proofing.Case](t)(f.enrol(ownVisit(thief), webauthntest.New()))
	var err error
	for range 30 {
		if _, err = f.NewRecoveryCodes(t.Context(), ownVisit(thief)); err != nil {
			break
		}
	}
	wantLimit(t, "codes without end", err, "changes")
	own := f.signIn(key)
	all := f.session(own).Person.Bindings
	if err := f.Remove(t.Context(), ownVisit(own), all[len(all)-1].ID); err != nil {
		t.Errorf("taking away what the thief has added: %v", err)
	}
}
