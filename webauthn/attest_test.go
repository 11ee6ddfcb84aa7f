package webauthn_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

func TestWhatTheMetadataSaysOfAModel(t *testing.T) {
	fresh := func(a webauthn.Attestation) webauthn.Attestation {
		a.MDSFresh = true
		if a.Type == "" {
			a.Type = "basic"
		}
		if a.KeyProtection == nil {
			a.KeyProtection = []string{}
		}
		if a.Status == nil {
			a.Status = []string{}
		}
		return a
	}
	hardware := []string{"hardware", "secure_element"}
	// The day of the tests is 2026-11-23.
	for name, c := range map[string]struct {
		model webauthntest.Model
		want  webauthn.Attestation
	}{
		"a certified model": {webauthntest.Model{}, webauthn.Attestation{Trusted: true, KeyProtection: hardware, Status: []string{"FIDO_CERTIFIED_L1"}}},
		"FIPS 140 with its physical level": {webauthntest.Model{Reports: []webauthntest.Report{{Status: "FIPS140_CERTIFIED_L1"}, {Status: "FIPS140_CERTIFIED_L2", FIPSPhysical: 3}}},
			webauthn.Attestation{Trusted: true, KeyProtection: hardware, FIPS140: webauthn.FIPS140{Overall: 2, Physical: 3}, Status: []string{"FIPS140_CERTIFIED_L1", "FIPS140_CERTIFIED_L2"}}},
		"FIPS 140 that ended": {webauthntest.Model{Reports: []webauthntest.Report{{Status: "FIPS140_CERTIFIED_L2", SunsetDate: "2026-11-23"}}},
			webauthn.Attestation{Trusted: true, KeyProtection: hardware}},
		"a revocation of today": {webauthntest.Model{Reports: []webauthntest.Report{{Status: "FIDO_CERTIFIED_L2"}, {Status: "REVOKED", EffectiveDate: "2026-11-23"}}},
			webauthn.Attestation{Trusted: true, KeyProtection: hardware, Status: []string{"FIDO_CERTIFIED_L2", "REVOKED"}}},
		"a retirement of tomorrow": {webauthntest.Model{Reports: []webauthntest.Report{{Status: "RETIRED", EffectiveDate: "2026-11-24"}}},
			webauthn.Attestation{Trusted: true, KeyProtection: hardware}},
		"the same twice": {webauthntest.Model{Reports: []webauthntest.Report{{Status: "UPDATE_AVAILABLE", EffectiveDate: "2024-01-01"}, {Status: "UPDATE_AVAILABLE", EffectiveDate: "2025-01-01"}}},
			webauthn.Attestation{Trusted: true, KeyProtection: hardware, Status: []string{"UPDATE_AVAILABLE"}}},
		"a status of the future": {webauthntest.Model{Reports: []webauthntest.Report{{Status: "FIDO_CERTIFIED_L1"}, {Status: "POWER_ANALYSIS_COMPROMISE"}}},
			webauthn.Attestation{Status: []string{"FIDO_CERTIFIED_L1"}}},
		"software": {webauthntest.Model{KeyProtection: []string{"software"}}, webauthn.Attestation{Trusted: true, KeyProtection: []string{"software"}, Status: []string{"FIDO_CERTIFIED_L1"}}},
		"a protection of the future": {webauthntest.Model{KeyProtection: []string{"hardware", "shared"}},
			webauthn.Attestation{Trusted: true, Status: []string{"FIDO_CERTIFIED_L1"}}},
		"a model that copies all of its keys": {webauthntest.Model{MultiDevice: "implicit"},
			webauthn.Attestation{Trusted: true, Status: []string{"FIDO_CERTIFIED_L1"}}},
		"an attestation CA":              {webauthntest.Model{Types: []string{"attca"}}, webauthn.Attestation{Type: "attca", Trusted: true, KeyProtection: hardware, Status: []string{"FIDO_CERTIFIED_L1"}}},
		"an anonymization CA":            {webauthntest.Model{Types: []string{"anonca"}}, webauthn.Attestation{Type: "anonca", Trusted: true, KeyProtection: hardware, Status: []string{"FIDO_CERTIFIED_L1"}}},
		"a model that only signs itself": {webauthntest.Model{Types: []string{"basic_surrogate"}}, webauthn.Attestation{Status: []string{"FIDO_CERTIFIED_L1"}}},
		"another root":                   {webauthntest.Model{Roots: [][]byte{otherRoot(t)}, Reports: []webauthntest.Report{{Status: "REVOKED"}}}, webauthn.Attestation{Status: []string{"REVOKED"}}},
		"roots that cannot be read":      {webauthntest.Model{Roots: [][]byte{[]byte("x")}}, webauthn.Attestation{Status: []string{"FIDO_CERTIFIED_L1"}}},
		"no root":                        {webauthntest.Model{Roots: [][]byte{}}, webauthn.Attestation{Status: []string{"FIDO_CERTIFIED_L1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.model.AAGUID = model
			w.publish(1, c.model)
			a := w.attested()
			record := w.register(a)
			if got, want := w.facts(a, record).Attestation, fresh(c.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if !reflect.DeepEqual(record.Registered, fresh(c.want)) {
				t.Errorf("registered as %+v", record.Registered)
			}
		})
	}
}

func otherRoot(t *testing.T) []byte {
	other, err := webauthntest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return other.AttestationRoot.Raw
}

func TestAttestationIsJudgedAnewAtEachUse(t *testing.T) {
	w := newWorld(t)
	a := w.attested()
	c := w.register(a)
	if f := w.facts(a, c); f.Attestation.Trusted || f.Attestation.MDSFresh || c.Model != "" {
		t.Errorf("trusted without metadata: %+v", f.Attestation)
	}
	w.publish(1, webauthntest.Model{AAGUID: model, Description: "Test Key 5"})
	if f := w.facts(a, c); !f.Attestation.Trusted {
		t.Errorf("not trusted with metadata: %+v", f.Attestation)
	}
	if c = w.register(a); c.Model != "Test Key 5" {
		t.Errorf("model %q", c.Model)
	}
	w.publish(2, webauthntest.Model{AAGUID: model, Reports: []webauthntest.Report{{Status: "USER_KEY_REMOTE_COMPROMISE", EffectiveDate: "2026-11-25"}}})
	if f := w.facts(a, c); len(f.Attestation.Status) != 0 {
		t.Errorf("a status of the day after tomorrow is in force: %v", f.Attestation.Status)
	}
	w.clock.at = w.clock.at.AddDate(0, 0, 2)
	if f := w.facts(a, c); !reflect.DeepEqual(f.Attestation.Status, []string{"USER_KEY_REMOTE_COMPROMISE"}) {
		t.Errorf("statuses %v", f.Attestation.Status)
	}
	// Past the next update the metadata is stale, and what it says of the model stands.
	w.clock.at = w.clock.at.AddDate(0, 2, 0)
	if f := w.facts(a, c); f.Attestation.MDSFresh || !f.Attestation.Trusted || len(f.Attestation.Status) != 1 {
		t.Errorf("stale: %+v", f.Attestation)
	}
	w.publish(3, webauthntest.Model{AAGUID: model, Roots: [][]byte{otherRoot(t)}})
	if f := w.facts(a, c); f.Attestation.Trusted {
		t.Errorf("trusted by a root that is gone: %+v", f.Attestation)
	}
	w.publish(4)
	if f := w.facts(a, c); f.Attestation.Trusted || !f.Attestation.MDSFresh || len(f.Attestation.Status) != 0 {
		t.Errorf("a model that is gone: %+v", f.Attestation)
	}
}

func TestAWarningAboutACertificateIsForThoseWhoHaveIt(t *testing.T) {
	w := newWorld(t)
	cert, err := w.authority.ModelCertificate(model)
	if err != nil {
		t.Fatal(err)
	}
	about := func(der []byte) webauthntest.Report {
		return webauthntest.Report{Status: "ATTESTATION_KEY_COMPROMISE", Certificate: base64.StdEncoding.EncodeToString(der)}
	}
	a := w.attested()
	c := w.register(a)
	plain := webauthntest.New() // says it is the model, and shows no certificate
	plain.AAGUID = model
	p := w.register(plain)
	for i, step := range []struct {
		report         webauthntest.Report
		attested, none int
	}{
		{about(cert), 1, 1},
		{about(w.authority.AttestationRoot.Raw), 0, 1},
		{webauthntest.Report{Status: "ATTESTATION_KEY_COMPROMISE", Certificate: "not base64"}, 1, 1},
	} {
		w.publish(i+1, webauthntest.Model{AAGUID: model, Reports: []webauthntest.Report{step.report}})
		if got := w.facts(a, c).Attestation.Status; len(got) != step.attested {
			t.Errorf("%d: with a certificate: %v", i, got)
		}
		if got := w.facts(plain, p).Attestation; len(got.Status) != step.none || got.Trusted {
			t.Errorf("%d: without: %+v", i, got)
		}
	}
}

func TestOnesOwnRootsAndListsCount(t *testing.T) {
	w := newWorld(t)
	a := w.attested()
	c := w.register(a)
	own := w.config
	own.Roots = []*x509.Certificate{w.authority.AttestationRoot}
	own.FIPS140 = map[webauthn.AAGUID]webauthn.FIPS140{model: {Overall: 2, Physical: 3}}
	var err error
	if w.rp, err = webauthn.New(own); err != nil {
		t.Fatal(err)
	}
	f := w.facts(a, c)
	if !f.Attestation.Trusted || f.Attestation.Type != "basic" || f.Attestation.FIPS140 != own.FIPS140[model] || len(f.Attestation.KeyProtection) != 0 {
		t.Errorf("%+v", f.Attestation)
	}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	// The members of the evidence that labels are made from.
	same(t, raw, `{"up":true,"uv":true,"be":false,"bs":false,"sign_count_regressed":false,"attestation":
		{"type":"basic","trusted":true,"key_protection":[],"fips140":{"overall":2,"physical":3},"status":[],"mds_fresh":false}}`)
	// A claim that nobody vouches for has no FIPS levels.
	plain := webauthntest.New()
	plain.AAGUID, plain.Attestation = model, webauthntest.Self
	if f := w.facts(plain, w.register(plain)); f.Attestation.Trusted || f.Attestation.FIPS140 != (webauthn.FIPS140{}) {
		t.Errorf("self-attested: %+v", f.Attestation)
	}
}

// A root of one's own vouches for its own maker's authenticators: what the metadata says of the model of another, which they claim to be, is not theirs.
// Bad statuses of that model count all the same.
func TestOnesOwnRootLendsNoModelWhatTheMetadataSaysOfAnother(t *testing.T) {
	w := newWorld(t)
	certified := webauthntest.Report{Status: "FIPS140_CERTIFIED_L3", FIPSPhysical: 3}
	w.publish(1, webauthntest.Model{AAGUID: model, Roots: [][]byte{otherRoot(t)}, Reports: []webauthntest.Report{certified, {Status: "REVOKED"}}})
	a := w.attested()
	c := w.register(a)
	own := w.config
	own.Roots = []*x509.Certificate{w.authority.AttestationRoot}
	var err error
	if w.rp, err = webauthn.New(own); err != nil {
		t.Fatal(err)
	}
	f := w.facts(a, c).Attestation
	if !f.Trusted || len(f.KeyProtection) != 0 || f.FIPS140 != (webauthn.FIPS140{}) || !slices.Contains(f.Status, "REVOKED") {
		t.Errorf("by a root of one's own: %+v", f)
	}
	// By the roots of the entry it is the model's.
	w.publish(2, webauthntest.Model{AAGUID: model, Reports: []webauthntest.Report{certified}})
	if f := w.facts(a, c).Attestation; !f.Trusted || len(f.KeyProtection) == 0 || f.FIPS140.Overall != 3 {
		t.Errorf("by the entry's: %+v", f)
	}
}

func TestPolicies(t *testing.T) {
	listed := webauthn.Policy{Attestation: webauthn.Listed, AAGUIDs: []webauthn.AAGUID{model}}
	fips := webauthn.Policy{Attestation: webauthn.FIPS, Minimum: webauthn.FIPS140{Overall: 2, Physical: 3}}
	certified := []webauthntest.Report{{Status: "FIPS140_CERTIFIED_L2", FIPSPhysical: 3}}
	for name, c := range map[string]struct {
		policy      webauthn.Policy
		attestation string
		reports     []webauthntest.Report
		refused     string
	}{
		"none, and nothing attested":        {webauthn.Policy{Attestation: webauthn.AnyAuthenticator}, webauthntest.None, nil, ""},
		"none, and revoked":                 {webauthn.Policy{Attestation: webauthn.AnyAuthenticator}, webauthntest.None, []webauthntest.Report{{Status: "REVOKED"}}, ""},
		"trusted, and trusted":              {webauthn.Policy{Attestation: webauthn.Trusted}, webauthntest.Packed, nil, ""},
		"trusted, and nothing attested":     {webauthn.Policy{Attestation: webauthn.Trusted}, webauthntest.None, nil, "leads to no trusted root"},
		"trusted, and attested by itself":   {webauthn.Policy{Attestation: webauthn.Trusted}, webauthntest.Self, nil, "leads to no trusted root"},
		"trusted, and revoked":              {webauthn.Policy{Attestation: webauthn.Trusted}, webauthntest.Packed, []webauthntest.Report{{Status: "REVOKED"}}, "REVOKED"},
		"trusted, and the user is bypassed": {webauthn.Policy{Attestation: webauthn.Trusted}, webauthntest.Packed, []webauthntest.Report{{Status: "USER_VERIFICATION_BYPASS"}}, ""},
		"listed, and on the list":           {listed, webauthntest.Packed, nil, ""},
		"listed, and not on the list":       {webauthn.Policy{Attestation: webauthn.Listed, AAGUIDs: []webauthn.AAGUID{{1}}}, webauthntest.Packed, nil, "is not listed"},
		"listed, and only claimed":          {listed, webauthntest.None, nil, "leads to no trusted root"},
		"FIPS, and certified":               {fips, webauthntest.Packed, certified, ""},
		"FIPS, and not certified":           {fips, webauthntest.Packed, nil, "FIPS 140 levels none"},
		"FIPS, and not by enough":           {fips, webauthntest.Packed, []webauthntest.Report{{Status: "FIPS140_CERTIFIED_L2", FIPSPhysical: 2}}, "overall 2, physical 2"},
		"FIPS, and only claimed":            {fips, webauthntest.None, certified, "leads to no trusted root"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.publish(1, webauthntest.Model{AAGUID: model, Reports: c.reports})
			a := w.attested()
			a.Attestation = c.attestation
			check := func(err error) {
				t.Helper()
				if c.refused == "" && err != nil {
					t.Error(err)
				}
				if c.refused != "" {
					wantError(t, err, webauthn.ErrPolicy)
					if err != nil && !strings.Contains(err.Error(), c.refused) {
						t.Errorf("%v does not say %q", err, c.refused)
					}
				}
			}
			r := registration()
			r.Policy = c.policy
			_, err := w.create(a, r)
			check(err)
			// And for a key that was registered before there was a policy.
			record := w.register(a)
			s := assertion(record)
			s.Policy = c.policy
			_, err = w.get(a, record, s)
			check(err)
		})
	}
	t.Run("the configuration's where a ceremony has none", func(t *testing.T) {
		w := newWorld(t, func(c *webauthn.Config) { c.Policy.Attestation = webauthn.Trusted })
		_, err := w.create(webauthntest.New(), registration())
		wantError(t, err, webauthn.ErrPolicy)
	})
	t.Run("FIPS by metadata that is out of date", func(t *testing.T) {
		w := newWorld(t)
		w.publish(1, webauthntest.Model{AAGUID: model, Reports: certified})
		a := w.attested()
		record := w.register(a)
		w.clock.at = w.clock.at.AddDate(0, 2, 0)
		s := assertion(record)
		s.Policy = fips
		_, err := w.get(a, record, s)
		wantError(t, err, webauthn.ErrPolicy)
	})
}

// TestManyJudgeWhileTheMetadataChanges is for the race detector, and shows that no
// judgement is made of two editions.
func TestManyJudgeWhileTheMetadataChanges(t *testing.T) {
	w := newWorld(t)
	a := w.attested()
	c := w.register(a)
	r := assertion(c)
	options, state, err := w.rp.BeginAssertion(r)
	if err != nil {
		t.Fatal(err)
	}
	response, err := a.Get(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				signed, err := w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Binding: r.Binding, Credential: c, Response: response})
				if err != nil {
					t.Error(err)
					return
				}
				// Odd editions have the root and REVOKED, even ones neither.
				if f := signed.Facts.Attestation; f.Trusted != (len(f.Status) == 1 && f.Status[0] == "REVOKED") {
					t.Errorf("of two editions: %+v", f)
					return
				}
			}
		})
	}
	for number := 1; number <= 40; number++ {
		m := webauthntest.Model{AAGUID: model, Reports: []webauthntest.Report{{Status: "REVOKED"}}}
		if number%2 == 0 {
			m.Reports, m.Roots = []webauthntest.Report{{Status: "FIDO_CERTIFIED"}}, [][]byte{}
		}
		w.publish(number, m)
	}
	close(stop)
	wait.Wait()
}
