package acme_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestACertificateHasNoNameThatWasNotProved(t *testing.T) {
	w := newStepWorld(t)
	for _, kind := range []proofing.StepKind{proofing.StepEnriching, proofing.StepAuthorizing} {
		w.hook(t, proofing.StepHook{Name: "both-" + strings.ToLower(string(kind)), Kind: kind, Profile: "both"})
	}
	w.preauthorize(t, "both", "organization", org, true)
	w.preauthorize(t, "both", "dns", "host.example.org", true)
	w.preauthorize(t, "both", "dns", "kiosk.example.org", true)
	w.preauthorize(t, "both", "permanent-identifier", "serial 1", true)
	data := w.allowed(t, w.callStep(t, "both-enriching", w.enriching(t, pkix.Name{CommonName: "host.example.org"}, "host.example.org")))
	if data.list("sans")[0].text("value") != "host.example.org" || data.text("common_name") != org || data.text("domain_control") != "not_checked" || len(data["authorizations"].([]any)) != 2 {
		t.Errorf("%v", data)
	}
	attested := w.enriching(t, pkix.Name{})
	attested["attestationData"] = fields{"permanentIdentifier": "serial 1"}
	if data := w.allowed(t, w.callStep(t, "both-enriching", attested)); data.list("sans")[0].text("type") != "permanentIdentifier" {
		t.Errorf("%v", data)
	}
	good := fields{"commonName": org, "organization": []string{org}}
	is := func(change fields) fields { m := maps.Clone(good); maps.Copy(m, change); return m }
	certificate := func(subject, members fields, sans ...string) fields {
		call := w.authorizing(t, subject, sans...)
		maps.Copy(call["x509Certificate"].(fields), members)
		return call
	}
	san := func(der []byte) fields {
		return fields{"extensions": []fields{{"id": "2.5.29.15", "critical": true, "value": []byte{1}}, {"id": "2.5.29.17", "critical": false, "value": der}}}
	}
	both := func(typ, v string, asn1 any) fields {
		return fields{"sans": []fields{{"type": typ, "value": v, "asn1Value": asn1}}}
	}
	isCA, noCA := extension(oidBasic, basic{CA: true}).Value, extension(oidBasic, basic{}).Value
	basicConstraints := func(der []byte) fields {
		return fields{"extensions": []fields{{"id": "2.5.29.19", "critical": true, "value": der}}}
	}
	for what, c := range map[string]struct {
		call fields
		code string // "": allowed
		word string
	}{
		"the organization":                        {certificate(good, nil), "", ""},
		"a name of it beside it":                  {certificate(is(fields{"commonName": "HOST.example.org"}), nil, "dns:host.example.org"), "", ""},
		"the name alone":                          {certificate(fields{"commonName": "host.example.org"}, nil, "dns:host.example.org"), "", ""},
		"no common name":                          {certificate(fields{}, nil, "dns:host.example.org"), "", ""},
		"members of the subject that are empty":   {certificate(is(fields{"locality": []string{}, "serialNumber": "", "country": nil}), nil), "", ""},
		"the identifier in its extension":         {certificate(good, san(generalName(t, 0, "serial 1"))), "", ""},
		"a name that nobody proved":               {certificate(good, nil, "dns:host.example.org", "dns:other.example.org"), "userActionRequired", "other.example.org"},
		"two of them":                             {certificate(good, nil, "dns:a.example.org", "dns:b.example.org"), "userActionRequired", "a.example.org (and 1 more)"},
		"a wildcard":                              {certificate(good, nil, "dns:*.example.org"), "rejectedIdentifier", "wildcard"},
		"one in the list of old":                  {certificate(good, fields{"dnsNames": []string{"other.example.org"}}), "userActionRequired", "other.example.org"},
		"one in that list, alone":                 {certificate(good, fields{"dnsNames": "other.example.org"}), "userActionRequired", "other.example.org"},
		"a type that the profile does not serve":  {certificate(good, nil, "ip:192.0.2.1"), "nameNotProved", "type ip"},
		"a URI":                                   {certificate(good, fields{"uris": []string{"https://example.org"}}), "nameNotProved", "type uri"},
		"a name that may be of any type":          {certificate(good, nil, "auto:host.example.org"), "nameNotProved", "type auto"},
		"a name without a type":                   {certificate(good, nil, ":host.example.org"), "nameNotProved", ""},
		"a name in a form that is not text":       {certificate(good, fields{"sans": []fields{{"type": "otherName", "value": "", "asn1Value": fields{}}}}), "malformed", "otherName"},
		"a name without a value":                  {certificate(good, nil, "otherName:"), "malformed", "no value"},
		"a name with another beside it in ASN.1":  {certificate(good, both("permanentIdentifier", "serial 1", fields{"identifier": "serial 2"})), "malformed", "in ASN.1"},
		"the same, of a domain name":              {certificate(good, both("dns", "host.example.org", "AAAA")), "malformed", "in ASN.1"},
		"the same, with nothing in it":            {certificate(good, both("permanentIdentifier", "serial 1", nil)), "malformed", "in ASN.1"},
		"a device":                                {certificate(good, nil, "permanentIdentifier:serial 1"), "", ""},
		"a domain name that ends with a dot":      {certificate(good, nil, "dns:host.example.org."), "rejectedIdentifier", "end with a dot"},
		"the same, in an extension":               {certificate(good, san(generalName(t, 2, "host.example.org."))), "rejectedIdentifier", "end with a dot"},
		"the same, in the list of old":            {certificate(good, fields{"dnsNames": []string{"host.example.org."}}), "rejectedIdentifier", "end with a dot"},
		"names in an extension":                   {certificate(good, san(generalName(t, 2, "other.example.org"))), "userActionRequired", "other.example.org"},
		"an address in an extension":              {certificate(good, san(generalName(t, 7, "\xc0\x00\x02\x01"))), "nameNotProved", "type ip"},
		"a name of another kind in it":            {certificate(good, san(generalName(t, 4, "x"))), "nameNotProved", "type other"},
		"another device in it":                    {certificate(good, san(generalName(t, 0, "serial 2"))), "userActionRequired", "serial 2"},
		"an extension that is none":               {certificate(good, san([]byte("x"))), "malformed", "subjectAltName"},
		"another organization":                    {certificate(is(fields{"organization": []string{"Other Ltd"}}), nil), "userActionRequired", "Other Ltd"},
		"two organizations":                       {certificate(is(fields{"organization": []string{org, "Other Ltd"}}), nil), "userActionRequired", "Other Ltd"},
		"another common name":                     {certificate(is(fields{"commonName": "Other Ltd"}), nil), "nameNotProved", "common name"},
		"a common name that is not in the SANs":   {certificate(is(fields{"commonName": "other.example.org"}), nil, "dns:host.example.org"), "nameNotProved", "common name"},
		"the organization as common name alone":   {certificate(fields{"commonName": org}, nil, "dns:host.example.org"), "nameNotProved", "common name"},
		"a department":                            {certificate(is(fields{"organizationalUnit": []string{"IT"}}), nil), "nameNotProved", "organizationalUnit"},
		"a country":                               {certificate(is(fields{"country": "GB"}), nil), "nameNotProved", "country"},
		"further members":                         {certificate(is(fields{"extraNames": []fields{{"type": "2.5.4.42", "value": "x"}}}), nil), "nameNotProved", "extraNames"},
		"a subject that is written out":           {certificate(good, fields{"rawSubject": []byte("x")}), "nameNotProved", "rawSubject"},
		"a CA":                                    {certificate(good, fields{"basicConstraints": fields{"isCA": true, "maxPathLen": 0}}), "malformed", "no CA certificate"},
		"a CA by an extension":                    {certificate(good, basicConstraints(isCA)), "malformed", "no CA certificate"},
		"an extension of no CA":                   {certificate(good, basicConstraints(noCA)), "", ""},
		"an extension that may be a CA's":         {certificate(good, basicConstraints([]byte("x"))), "malformed", "basicConstraints"},
		"a common name that looks like the name":  {certificate(is(fields{"commonName": "\u212aiosk.example.org"}), nil, "dns:kiosk.example.org"), "nameNotProved", "common name"},
		"nothing":                                 {certificate(fields{}, nil), "nameNotProved", "names nothing that the profile both proves"},
		"a hundred and one names":                 {certificate(good, nil, slices.Repeat([]string{"dns:host.example.org"}, 1)...), "", ""},
		"another key":                             {certificate(good, fields{"publicKey": spki(t, newECKey(t))}), "userActionRequired", "this key"},
		"a key that is too small":                 {certificate(good, fields{"publicKey": smallKey(t)}), "malformed", "1024 bits"},
		"no key":                                  {certificate(good, fields{"publicKey": nil}), "malformed", "public key"},
		"an SSH certificate":                      {fields{"timestamp": w.clock(), "sshCertificate": fields{}}, "malformed", "x509Certificate"},
		"a request":                               {w.enriching(t, pkix.Name{}), "malformed", "AUTHORIZING"},
		"SANs that are no list":                   {certificate(good, fields{"sans": "dns"}), "malformed", "sans"},
		"a SAN that is no object":                 {certificate(good, fields{"sans": []string{"host.example.org"}}), "malformed", "SAN"},
		"a list of numbers":                       {certificate(good, fields{"dnsNames": []int{1}}), "malformed", "dnsNames"},
		"an extension that is no object":          {certificate(good, fields{"extensions": []int{1}}), "malformed", "extension"},
		"a CN that is no text":                    {certificate(fields{"commonName": 7, "organization": []string{org}}, nil), "malformed", "commonName"},
		"an old name of what nobody proves, null": {certificate(good, fields{"uris": nil}), "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			o := w.callStep(t, "both-authorizing", c.call)
			if c.code == "" {
				w.allowed(t, o)
				return
			}
			w.denied(t, o, c.code, c.word)
		})
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = "dns:h" + strings.Repeat("a", i%60) + string(rune('a'+i%26)) + ".example.org"
	}
	w.denied(t, w.callStep(t, "both-authorizing", certificate(good, nil, many...)), "malformed", "at most 100 names")
}

// generalName is a subjectAltName of one name with that tag; 0 is a permanent identifier.
func generalName(t testing.TB, tag int, v string) []byte {
	t.Helper()
	inner := []byte(v)
	if tag == 0 {
		oid, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3})
		if err != nil {
			t.Fatal(err)
		}
		id, err := asn1.Marshal(struct {
			V string `asn1:"utf8"`
		}{v})
		if err != nil {
			t.Fatal(err)
		}
		value, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: id})
		if err != nil {
			t.Fatal(err)
		}
		inner = append(oid, value...)
	}
	der, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: tag == 0 || tag == 4, Bytes: inner}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func smallKey(t testing.TB) []byte {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestARequestMustBeTheKeysOwn(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	request := func(change fields) fields {
		call := w.enriching(t, pkix.Name{})
		maps.Copy(call["x509CertificateRequest"].(fields), change)
		return call
	}
	good := w.enriching(t, pkix.Name{})["x509CertificateRequest"].(fields)["raw"].([]byte)
	broken := slices.Clone(good)
	broken[len(broken)-3] ^= 1
	mine := w.key
	w.key = newECKey(t)
	others := w.enriching(t, pkix.Name{})["x509CertificateRequest"].(fields)["raw"].([]byte)
	w.key = mine
	for what, c := range map[string]struct {
		call fields
		word string
	}{
		"no CSR":                             {request(fields{"raw": nil}), "CSR"},
		"one that is none":                   {request(fields{"raw": []byte("x")}), "CSR"},
		"one with a broken signature":        {request(fields{"raw": broken}), "signature"},
		"one by another key":                 {request(fields{"raw": others}), "another key than publicKey"},
		"a certificate":                      {w.authorizing(t, fields{}), "ENRICHING"},
		"a request for a CA":                 {request(fields{"basicConstraints": fields{"isCA": true}}), "no CA certificate"},
		"a request that is no object":        {fields{"timestamp": w.clock(), "x509CertificateRequest": 1}, "object"},
		"a request that is null":             {fields{"timestamp": w.clock(), "x509CertificateRequest": nil}, "x509CertificateRequest"},
		"a request of SSH":                   {fields{"timestamp": w.clock(), "sshCertificateRequest": fields{}}, "x509CertificateRequest"},
		"two organizations":                  {w.enriching(t, pkix.Name{Organization: []string{org, "Other Ltd"}}), "several organizations"},
		"an organization that is not proved": {w.enriching(t, pkix.Name{Organization: []string{"Other Ltd"}}), "Other Ltd: nobody has shown"},
	} {
		o := w.callStep(t, "enriching", c.call)
		if o["allow"] != false || !strings.Contains(o.object("error").text("message"), c.word) {
			t.Errorf("%s: %v", what, o)
		}
	}
	for what, body := range map[string]string{
		"nothing": "", "no JSON": "{", "a list": "[]", "null": "null", "a duplicate": `{"timestamp":"x","timestamp":"y"}`, "no UTF-8": "{\"\xff\":1}", "a deep nest": strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40),
	} {
		if o := w.callRaw(t, "enriching", []byte(body)); o["allow"] != false || o.object("error").text("code") == "notAuthenticated" {
			t.Errorf("%s: %v", what, o)
		}
	}
	// A second organization for the key: it must be said which.
	w.preauthorize(t, "signing", "organization", "Other Ltd", true)
	w.denied(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{})), "rejectedIdentifier", "2 organizations")
	if data := w.allowed(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{Organization: []string{"Other Ltd"}}))); data.object("organization").text("name") != "Other Ltd" {
		t.Errorf("%v", data)
	}
}

func TestACallIsBounded(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	call := w.enriching(t, pkix.Name{})
	call["unknown"] = strings.Repeat("x", 200<<10)
	w.allowed(t, w.callStep(t, "enriching", call))
	call["unknown"] = strings.Repeat("x", 256<<10)
	w.denied(t, w.callStep(t, "enriching", call), "malformed", "at most 262144 bytes")
}

func FuzzStepCall(f *testing.F) {
	w := newStepWorld(f)
	for _, call := range []fields{w.enriching(f, pkix.Name{Organization: []string{org}}, "host.example.org"), w.authorizing(f, fields{"commonName": org, "organization": []string{org}}, "dns:host.example.org")} {
		body, err := json.Marshal(call)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, hook := range []string{"enriching", "authorizing", "scepchallenge"} {
			if o := w.callRaw(t, hook, body); o["allow"] != false || o.object("error").text("code") == "" { // nothing is granted here
				t.Errorf("%v", o)
			}
		}
	})
}
