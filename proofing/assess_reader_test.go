package proofing

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Events with every member that the contract knows.
const (
	oidcEvent = `{"kind": "oidc", "at": "2026-11-23T09:00:00Z", "issuer": "https://idp.example", "subject": "248289761001", "channel": "back", "encrypted": true,
		"acr": "urn:example:two", "amr": ["hwk", "pin"], "auth_time": "2026-11-23T08:59:00Z", "max_age_s": 300,
		"trust": {"pre_established": true, "rp_initiated": true, "injection_protected": true,
			"acr_map": {"urn:example:two": {"ial": 2, "aal": 2}}, "cap": {"ial": 2, "aal": 2}}}`
	webAuthnEvent = `{"kind": "webauthn", "at": "2026-11-23T09:00:00Z", "bound_at": "2026-11-22T09:00:00Z", "up": true, "uv": true, "be": false, "bs": false, "sign_count_regressed": false, "clone_suspected": true,
		"attestation": {"type": "basic", "trusted": true, "key_protection": ["hardware"], "fips140": {"overall": 2, "physical": 3}, "status": ["FIDO_CERTIFIED_L2"], "mds_fresh": true}}`
	proofingEvent = `{"kind": "proofing_record", "at": "2026-11-23T09:00:00Z", "type": "onsite_attended",
		"pieces": [{"strength": "superior", "validated_strength": "superior", "issuing_source_validated": true, "issuer_proofed": true, "government_identifier": true, "portrait_or_digital": true}],
		"verification": {"strength": "superior", "pathway": "biometric", "biometric_collected": true}, "core_attributes_validated": true,
		"address_confirmation": {"channel": "postal", "address": "1 Main Street", "source": "validated_record", "code_sent_at": "2026-11-20T09:00:00Z", "code_used_at": "2026-11-23T08:00:00Z"},
		"notification": {"channel": "phone", "address": "+12025550143"}, "collected_by": "agent-1", "reviewed_by": "agent-2", "representative_trained": true}`
)

// optionalMembers are those that may be left out, by the last name in their path; the
// last is an entry of an acr_map, whose names are free.
var optionalMembers = []string{"operator", "verifier_fips140_validated", "accept_unverified_line_type", "require_attestation", "bound_at", "clone_suspected", "acr", "amr", "auth_time", "max_age_s",
	"trust", "fips140", "overall", "physical", "ial", "aal", "address_confirmation", "notification", "reviewed_by", "urn:example:two"}

// wholeDocument has an event of every kind, with every member.
func wholeDocument(t *testing.T) map[string]any {
	t.Helper()
	text := strings.Replace(assessDoc(strings.Join([]string{emailEvent, smsEvent, oidcEvent, webAuthnEvent, proofingEvent}, ", ")), `"now"`,
		`"operator": {"verifier_fips140_validated": true, "accept_unverified_line_type": true, "require_attestation": true}, "now"`, 1)
	return decodedJSON(t, []byte(text)).(map[string]any)
}

// spot is a place in a document at which a test may change it.
type spot struct {
	path   string
	name   string // of the member; empty for an item of a list
	value  any
	parent map[string]any // nil for an item of a list
	set    func(any)
}

// spots lists every member and every item of a document.
func spots(value any, path string) (all []spot) {
	switch value := value.(type) {
	case map[string]any:
		for name, v := range value {
			at := (&object{path: path}).join(name)
			all = append(all, spot{at, name, v, value, func(v any) { value[name] = v }})
			all = append(all, spots(v, at)...)
		}
	case []any:
		for i, v := range value {
			at := fmt.Sprintf("%s[%d]", path, i)
			all = append(all, spot{at, "", v, nil, func(v any) { value[i] = v }})
			all = append(all, spots(v, at)...)
		}
	}
	return all
}

// altered changes a whole document at one path and reads it.
func altered(t *testing.T, path string, change func(spot)) []Mistake {
	t.Helper()
	document := wholeDocument(t)
	all := spots(document, "")
	change(all[slices.IndexFunc(all, func(s spot) bool { return s.path == path })])
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	_, mistakes := DecodeAssessInput(strings.NewReader(string(data)))
	return mistakes
}

func TestADocumentWithEverythingHasNoMistakes(t *testing.T) {
	if mistakes := altered(t, "framework", func(spot) {}); len(mistakes) > 0 {
		t.Error(mistakes)
	}
}

// Whatever is wrong with one member, a mistake names it; and what may be left out
// is missed by nobody.
func TestEveryMemberIsReadStrictly(t *testing.T) {
	named := func(mistakes []Mistake, path string) bool {
		return slices.ContainsFunc(mistakes, func(m Mistake) bool { return m.Member == path })
	}
	for _, s := range spots(wholeDocument(t), "") {
		for _, other := range []any{nil, "text without sense", 7.5, true, map[string]any{}, []any{}} {
			if reflect.TypeOf(other) == reflect.TypeOf(s.value) {
				continue
			}
			if mistakes := altered(t, s.path, func(s spot) { s.set(other) }); !named(mistakes, s.path) {
				t.Errorf("%s as %v: mistakes %v", s.path, other, mistakes)
			}
		}
		if s.parent != nil {
			mistakes := altered(t, s.path, func(s spot) { delete(s.parent, s.name) })
			if optional := slices.Contains(optionalMembers, s.name); optional && len(mistakes) > 0 || !optional && !named(mistakes, s.path) {
				t.Errorf("%s left out: mistakes %v", s.path, mistakes)
			}
		}
		if _, nested := s.value.(map[string]any); nested && !strings.HasSuffix(s.path, ".acr_map") {
			mistakes := altered(t, s.path, func(s spot) { s.value.(map[string]any)["colour"] = nil })
			if len(mistakes) != 1 || mistakes[0].String() != s.path+".colour: unknown member" {
				t.Errorf("%s with an unknown member: mistakes %v", s.path, mistakes)
			}
		}
	}
}

func TestMembersGivenTwiceAreMistakes(t *testing.T) {
	for path, c := range map[string]struct{ event, old, new string }{
		"evidence[0].trust.cap":                       {oidcEvent, `"cap"`, `"cap": {}, "cap"`},
		"evidence[0].trust.cap.aal":                   {oidcEvent, `"cap": {`, `"cap": {"aal": 1, `},
		`evidence[0].trust.acr_map."urn:example:two"`: {oidcEvent, `"acr_map": {`, `"acr_map": {"urn:example:two": {}, `},
		"evidence[0].attestation.fips140.overall":     {webAuthnEvent, `"overall"`, `"overall": 2, "overall"`},
		"evidence[0].pieces[0].strength":              {proofingEvent, `"strength"`, `"strength": "superior", "strength"`},
	} {
		_, mistakes := DecodeAssessInput(strings.NewReader(assessDoc(strings.Replace(c.event, c.old, c.new, 1))))
		if len(mistakes) != 1 || mistakes[0].String() != path+": given more than once" {
			t.Errorf("%s: %v", path, mistakes)
		}
	}
}

func TestMistakesInTheMembersOfEachKind(t *testing.T) {
	const statuses = `NOT_FIDO_CERTIFIED, FIDO_CERTIFIED, SELF_ASSERTION_SUBMITTED, FIDO_CERTIFIED_L1, FIDO_CERTIFIED_L1plus, FIDO_CERTIFIED_L2, FIDO_CERTIFIED_L2plus, ` +
		`FIDO_CERTIFIED_L3, FIDO_CERTIFIED_L3plus, FIPS140_CERTIFIED_L1, FIPS140_CERTIFIED_L2, FIPS140_CERTIFIED_L3, FIPS140_CERTIFIED_L4, UPDATE_AVAILABLE, ` +
		`REVOKED, RETIRED, USER_KEY_REMOTE_COMPROMISE, USER_KEY_PHYSICAL_COMPROMISE, ATTESTATION_KEY_COMPROMISE, USER_VERIFICATION_BYPASS`
	for _, c := range []struct{ event, old, new, want string }{
		{oidcEvent, `"back"`, `"side"`, `channel: "side" is not one of back, front`},
		{oidcEvent, `"https://idp.example"`, `" "`, `issuer: must not be empty`},
		{oidcEvent, `"urn:example:two", "amr"`, `"", "amr"`, `acr: must not be empty`},
		{oidcEvent, `["hwk", "pin"]`, `["hwk", 1]`, `amr[1]: must be a string, not a number`},
		{oidcEvent, `08:59:00Z`, `09:00:01Z`, `auth_time: must not be after at`},
		{oidcEvent, `300`, `-1`, `max_age_s: must be a whole number from 0 to 2147483647`},
		{oidcEvent, `300`, `1.5`, `max_age_s: must be a whole number from 0 to 2147483647`},
		{oidcEvent, `300`, `1e99`, `max_age_s: must be a whole number from 0 to 2147483647`},
		{oidcEvent, `"cap": {"ial": 2, "aal": 2}`, `"cap": {"ial": 2, "aal": 4}`, `trust.cap.aal: must be a whole number from 1 to 3`},
		{oidcEvent, `"cap": {"ial": 2`, `"cap": {"ial": 0`, `trust.cap.ial: must be a whole number from 1 to 3`},
		{oidcEvent, `{"urn:example:two": {"ial": 2`, `{"urn:example:two": {"ial": 9`, `trust.acr_map."urn:example:two".ial: must be a whole number from 1 to 3`},
		{webAuthnEvent, `"basic"`, `"none"`, `attestation.trusted: cannot be true for an attestation of type none, which has no chain`},
		{webAuthnEvent, `"basic"`, `"self"`, `attestation.trusted: cannot be true for an attestation of type self, which has no chain`},
		{webAuthnEvent, `"basic"`, `"Basic"`, `attestation.type: "Basic" is not one of none, self, basic, attca, anonca`},
		{webAuthnEvent, `["hardware"]`, `["hardware", "paper"]`, `attestation.key_protection[1]: "paper" is not one of hardware, tee, secure_element, software, remote_handle`},
		{webAuthnEvent, `FIDO_CERTIFIED_L2`, `FIDO_CERTIFIED_L9`, `attestation.status[0]: "FIDO_CERTIFIED_L9" is not one of ` + statuses},
		{webAuthnEvent, `["FIDO_CERTIFIED_L2"]`, `[null]`, `attestation.status[0]: must be a string, not null`},
		{webAuthnEvent, `"overall": 2`, `"overall": 5`, `attestation.fips140.overall: must be a whole number from 1 to 4`},
		{webAuthnEvent, `11-22T09`, `11-23T10`, `bound_at: must not be after at`},
		{proofingEvent, `"onsite_attended"`, `"by_pigeon"`, `type: "by_pigeon" is not one of remote_unattended, remote_attended, onsite_attended, onsite_unattended, supervised_remote`},
		{proofingEvent, `"strength": "superior", "validated`, `"strength": "weak", "validated`, `pieces[0].strength: "weak" is not one of fair, strong, superior`},
		{proofingEvent, `"pieces": [`, `"pieces": [3, `, `pieces[0]: must be an object, not a number`},
		{proofingEvent, `"pathway": "biometric"`, `"pathway": "kbv"`, `verification.pathway: "kbv" is not one of non_biometric, biometric, digital_evidence`},
		{proofingEvent, `"validated_record"`, `"hearsay"`, `address_confirmation.source: "hearsay" is not one of validated_record, self_asserted`},
		{proofingEvent, `"channel": "postal"`, `"channel": "fax"`, `address_confirmation.channel: "fax" is not one of postal, phone, email`},
		{proofingEvent, `"1 Main Street"`, `""`, `address_confirmation.address: must not be empty`},
		{proofingEvent, `11-20T09`, `11-23T09`, `address_confirmation.code_sent_at: must not be after code_used_at`},
		{proofingEvent, `11-23T08`, `11-23T10`, `address_confirmation.code_used_at: must not be after at`},
		{proofingEvent, `"agent-2"`, `""`, `reviewed_by: must not be empty`},
	} {
		changed := strings.Replace(c.event, c.old, c.new, 1)
		_, mistakes := DecodeAssessInput(strings.NewReader(assessDoc(changed)))
		if changed == c.event || len(mistakes) != 1 || mistakes[0].String() != "evidence[0]."+c.want {
			t.Errorf("%s: %v\nwant %s", c.new, mistakes, c.want)
		}
	}
}

// The longest map that fits is read in a moment: its time grows with its length alone.
func TestALongMapIsReadInAMoment(t *testing.T) {
	reads := func(length int) time.Duration {
		t.Helper()
		var entries strings.Builder
		for i := range length {
			fmt.Fprintf(&entries, `"acr%06d":{},`, i)
		}
		begun := time.Now()
		in, mistakes := DecodeAssessInput(strings.NewReader(assessDoc(strings.Replace(oidcEvent, `"acr_map": {`, `"acr_map": {`+entries.String(), 1))))
		took := time.Since(begun)
		if len(mistakes) > 0 || len(in.Evidence[0].OIDC.Trust.ACRMap) != length+1 {
			t.Fatalf("%d entries: %d mistakes", length, len(mistakes))
		}
		return took
	}
	short := min(reads(7_500), reads(7_500), reads(7_500))
	if long := reads(60_000); long > 2*time.Second && long > 24*short { // eight times as long; by its square it would be 64
		t.Errorf("%v, and %v for an eighth", long, short)
	}
}

// Which identifiers a login counts for is no matter of a label, and a document names none: what would be read and judged by nobody is refused.
func TestTheDomainsOfAProviderAreNoMemberOfADocument(t *testing.T) {
	limited := strings.Replace(oidcEvent, `"cap"`, `"domains": ["example.org"], "cap"`, 1)
	_, mistakes := DecodeAssessInput(strings.NewReader(assessDoc(limited)))
	if len(mistakes) != 1 || mistakes[0].String() != "evidence[0].trust.domains: unknown member" {
		t.Errorf("mistakes %v", mistakes)
	}
}

// What is read is what was written.
func TestEveryMemberReachesTheRules(t *testing.T) {
	in, mistakes := DecodeAssessInput(strings.NewReader(assessDoc(strings.Join([]string{oidcEvent, webAuthnEvent, proofingEvent}, ", "))))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	want := []Evidence{
		{Kind: OIDCLogin, At: at, OIDC: &OIDCFacts{Issuer: "https://idp.example", Subject: "248289761001", Channel: ChannelBack, Encrypted: true, ACR: "urn:example:two",
			AMR: []string{"hwk", "pin"}, AuthTime: at.Add(-time.Minute), MaxAge: new(int64(300)),
			Trust: &OIDCTrust{true, true, true, map[string]StatedLevels{"urn:example:two": {2, 2}}, StatedLevels{2, 2}, nil}}},
		{Kind: WebAuthnUse, At: at, BoundAt: at.Add(-day), WebAuthn: &WebAuthnFacts{true, true, false, false, false, true,
			Attestation{AttestationBasic, true, []KeyProtection{KeyHardware}, FIPS140{2, 3}, []MDSStatus{"FIDO_CERTIFIED_L2"}, true}}},
		{Kind: ProofingRecord, At: at, Proofing: &ProofingFacts{OnsiteAttended, []IdentityPiece{{Superior, Superior, true, true, true, true}}, IdentityVerification{Superior, Biometric, true}, true,
			&AddressConfirmation{ByPost, "1 Main Street", ValidatedRecord, at.Add(-3 * day), at.Add(-time.Hour)}, &ProofingNotice{ByPhone, "+12025550143"}, "agent-1", "agent-2", true}},
	}
	if !reflect.DeepEqual(in.Evidence, want) {
		t.Errorf("got  %+v\nwant %+v", in.Evidence, want)
	}
}

// Records of earlier versions have no members of the later kinds.
func TestEvidenceOfEarlierVersionsIsReadable(t *testing.T) {
	const stored = `{"id":"evt_1","kind":"sms_code","at":"2026-11-23T09:00:00Z","bound_at":"2026-11-22T09:00:00Z","number":"+12025550143","line_type":"mobile"}`
	var e Evidence
	if err := json.Unmarshal([]byte(stored), &e); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(e); err != nil || string(again) != stored {
		t.Errorf("%v: %s", err, again)
	}
	if got := earningOf(R4, OperatorFacts{}, e); got != "1 - - address_confirmed:phone restricted" {
		t.Error(got)
	}
}
