package acme_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

var (
	usual       = []proofing.KeyKind{proofing.KeyRSA, proofing.KeyP256, proofing.KeyP384}
	codeSigning = proofing.CSRPolicy{Purpose: proofing.CSRCodeSigning, Keys: usual, MinRSABits: 3072, CommonName: proofing.CommonNameNoDomain}
	otherwise   = proofing.CSRPolicy{Purpose: proofing.CSROther, Keys: usual, MinRSABits: 3072, CommonName: proofing.CommonNameAuthorized}
	silent      = proofing.CSRPolicy{}
)

const company = "Example GmbH"

// asked is what the CSRs of these tests may name.
var asked = []proofing.Identifier{
	{Type: "organization", Value: company}, {Type: "dns", Value: "example.org"}, {Type: "dns", Value: "www.example.org"}, {Type: "dns", Value: "kiosk.example.org"}, {Type: "ip", Value: "192.0.2.1"},
	{Type: "email", Value: applicant}, {Type: "permanent-identifier", Value: "device-1"},
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// extension is a requested extension with that value, or those bytes.
func extension(oid asn1.ObjectIdentifier, value any) pkix.Extension {
	if der, ok := value.([]byte); ok {
		return pkix.Extension{Id: oid, Value: der}
	}
	return pkix.Extension{Id: oid, Value: must(asn1.Marshal(value))}
}

var (
	oidUsage    = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidNames    = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasic    = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidPurposes = asn1.ObjectIdentifier{2, 5, 29, 37}

	purposeAny     = asn1.ObjectIdentifier{2, 5, 29, 37, 0}
	purposeServer  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	purposeClient  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	purposeCode    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3}
	purposeUnknown = asn1.ObjectIdentifier{1, 2, 3, 4}
)

type basic struct {
	CA bool `asn1:"optional"`
}

// usages is KeyUsage with these bits.
func usages(bits ...int) pkix.Extension {
	b := asn1.BitString{Bytes: make([]byte, 2), BitLength: 9}
	for _, i := range bits {
		b.Bytes[i/8] |= 0x80 >> (i % 8)
	}
	return extension(oidUsage, b)
}

func purposes(list ...asn1.ObjectIdentifier) pkix.Extension { return extension(oidPurposes, list) }

// sign makes a CSR.
func sign(t testing.TB, template *x509.CertificateRequest, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// good is a code-signing CSR that has nothing wrong with it.
func good() *x509.CertificateRequest {
	return &x509.CertificateRequest{
		Subject:         pkix.Name{Country: []string{"DE"}, Organization: []string{company}, CommonName: company},
		ExtraExtensions: []pkix.Extension{usages(0), purposes(purposeCode), extension(oidBasic, basic{})},
	}
}

// codes judges a CSR, and lists the codes of its faults.
func codes(t testing.TB, p proofing.CSRPolicy, der []byte) string {
	t.Helper()
	c, err := acme.DescribeCSR(der)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range p.Judge(c, asked, nil) {
		if list = append(list, f.Code); f.Detail == "" {
			t.Errorf("%s has no words", f.Code)
		}
	}
	return strings.Join(list, " ")
}

func TestEachMistakeOfACSRIsAFaultOfItsOwn(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	extensions := func(list ...pkix.Extension) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) { r.ExtraExtensions = list }
	}
	subject := func(n pkix.Name) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) { r.Subject = n }
	}
	member := func(oid asn1.ObjectIdentifier, value any) func(*x509.CertificateRequest) {
		return subject(pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: oid, Value: value}}})
	}
	names := func(raw ...asn1.RawValue) func(*x509.CertificateRequest) {
		return extensions(usages(0), purposes(purposeCode), extension(oidNames, raw))
	}
	domain := codeSigning
	domain.CommonName = proofing.CommonNameDomain
	client := codeSigning
	client.ClientAuth = true
	// Each case is a change to a good CSR, and what the policy then finds; nothing is found where the third is empty.
	for name, c := range map[string]struct {
		policy proofing.CSRPolicy
		change func(*x509.CertificateRequest)
		want   string
	}{
		"a good one":                   {codeSigning, func(*x509.CertificateRequest) {}, ""},
		"no subject":                   {codeSigning, subject(pkix.Name{}), ""},
		"no KeyUsage":                  {codeSigning, extensions(purposes(purposeCode)), "key_usage"},
		"another KeyUsage":             {codeSigning, extensions(usages(2), purposes(purposeCode)), "key_usage"},
		"KeyUsage of a CA":             {codeSigning, extensions(usages(0, 5, 6), purposes(purposeCode)), "key_usage key_usage"},
		"a KeyUsage that is no bits":   {codeSigning, extensions(extension(oidUsage, 5), purposes(purposeCode)), "extension_unreadable key_usage"},
		"no ExtendedKeyUsage":          {codeSigning, extensions(usages(0)), "purpose"},
		"clientAuth alone":             {codeSigning, extensions(usages(0), purposes(purposeClient)), "purpose purpose"},
		"clientAuth beside it":         {codeSigning, extensions(usages(0), purposes(purposeCode, purposeClient)), "purpose"},
		"clientAuth that is allowed":   {client, extensions(usages(0), purposes(purposeCode, purposeClient)), ""},
		"clientAuth alone, allowed":    {client, extensions(usages(0), purposes(purposeClient)), "purpose"},
		"serverAuth beside it":         {client, extensions(usages(0), purposes(purposeCode, purposeServer)), "purpose"},
		"any purpose beside it":        {codeSigning, extensions(usages(0), purposes(purposeCode, purposeAny)), "purpose"},
		"an unknown purpose beside it": {codeSigning, extensions(usages(0), purposes(purposeCode, purposeUnknown)), "purpose"},
		"a purpose with a tail":        {codeSigning, extensions(usages(0), extension(oidPurposes, append(purposes(purposeCode).Value, 0))), "extension_unreadable"},
		"a CA":                         {codeSigning, extensions(usages(0), purposes(purposeCode), extension(oidBasic, basic{CA: true})), "ca"},
		"a CA, where nothing is said":  {silent, extensions(extension(oidBasic, basic{CA: true})), "ca"},
		"basicConstraints of nothing":  {silent, extensions(extension(oidBasic, []byte{1})), "extension_unreadable"},
		"a domain as common name":      {codeSigning, subject(pkix.Name{CommonName: "example.org"}), "common_name"},
		"a wildcard as common name":    {codeSigning, subject(pkix.Name{CommonName: "*.example.org"}), "common_name"},
		"somebody else as common name": {codeSigning, subject(pkix.Name{CommonName: "Another GmbH"}), "common_name"},
		"the company, spelled anew":    {codeSigning, subject(pkix.Name{CommonName: "example GmbH"}), "common_name"},
		"the domain, as chosen":        {domain, subject(pkix.Name{CommonName: "Example.ORG"}), ""},
		"another domain":               {domain, subject(pkix.Name{CommonName: "example.com"}), "common_name"},
		"a domain with a Kelvin sign": {otherwise, func(r *x509.CertificateRequest) {
			r.ExtraExtensions, r.Subject.CommonName = nil, "\u212aiosk.example.org"
		}, "common_name"},
		"the company for the domain":    {domain, func(*x509.CertificateRequest) {}, "common_name"},
		"no domain":                     {domain, subject(pkix.Name{}), "common_name"},
		"two common names":              {codeSigning, subject(pkix.Name{CommonName: company, ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "Another GmbH"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: company}}}), "common_name common_name"},
		"another organization":          {codeSigning, subject(pkix.Name{Organization: []string{company, "Another GmbH"}}), "organization"},
		"a unit":                        {codeSigning, subject(pkix.Name{OrganizationalUnit: []string{"Sales"}}), "subject"},
		"a serial number":               {codeSigning, subject(pkix.Name{SerialNumber: "HRB 1"}), "subject"},
		"an unknown member":             {codeSigning, member(purposeUnknown, "x"), "subject"},
		"a common name that is no text": {codeSigning, member(asn1.ObjectIdentifier{2, 5, 4, 3}, 5), "common_name"},
		"places":                        {codeSigning, subject(pkix.Name{Country: []string{"DE"}, Province: []string{"Berlin"}, Locality: []string{"Berlin"}, StreetAddress: []string{"Way 1"}, PostalCode: []string{"1"}}), ""},
		"the applicant's mailbox":       {codeSigning, member(oidMailbox, applicant), ""},
		"another mailbox":               {codeSigning, member(oidMailbox, "other@example.org"), "name"},
		"a domain that is asked for":    {codeSigning, func(r *x509.CertificateRequest) { r.DNSNames = []string{"example.org"} }, "domain"},
		"such a domain, as chosen": {domain, func(r *x509.CertificateRequest) {
			r.Subject.CommonName, r.DNSNames = "example.org", []string{"example.org"}
		}, ""},
		"another dns name": {otherwise, func(r *x509.CertificateRequest) {
			r.ExtraExtensions, r.DNSNames = nil, []string{"EXAMPLE.org", "example.com"}
		}, "name"},
		"a wildcard": {otherwise, func(r *x509.CertificateRequest) { r.ExtraExtensions, r.DNSNames = nil, []string{"*.example.org"} }, "name"},
		"another address": {codeSigning, func(r *x509.CertificateRequest) {
			r.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1), net.IPv4(192, 0, 2, 2)}
		}, "name"},
		"a SAN of another mailbox": {codeSigning, func(r *x509.CertificateRequest) {
			r.EmailAddresses = []string{"applicant@EXAMPLE.org", "Applicant@example.org"}
		}, "name"},
		"a URI":                        {codeSigning, func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "https", Host: "example.org"}} }, "name"},
		"a directory name":             {codeSigning, names(asn1.RawValue{Class: 2, Tag: 4, IsCompound: true, Bytes: []byte{0x30, 0}}), "name"},
		"a registered id":              {codeSigning, names(asn1.RawValue{Class: 2, Tag: 8, Bytes: []byte{42}}), "name"},
		"another kind of name":         {codeSigning, names(otherName(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}, "user@example.org")), "name"},
		"a device":                     {codeSigning, names(permanent("device-1")), ""},
		"another device":               {codeSigning, names(permanent("device-2")), "name"},
		"a device of an assigner":      {codeSigning, names(otherName(oidPermanent, assigned{"device-1", purposeUnknown})), "name"},
		"a device, where nothing is":   {silent, names(permanent("device-1")), ""},
		"another device there":         {silent, names(permanent("device-2")), "name"},
		"a URI, where nothing is said": {silent, func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "https", Host: "example.com"}} }, ""},
		"purposes, where nothing is":   {silent, extensions(purposes(purposeServer, purposeAny)), ""},
		"a subject, where nothing is":  {silent, subject(pkix.Name{CommonName: "Somebody", Organization: []string{"Another GmbH"}, OrganizationalUnit: []string{"x"}}), ""},
		"another mailbox there":        {silent, member(oidMailbox, asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte("o@example.org")}), "name"},
		"a mailbox that is no text":    {silent, member(oidMailbox, asn1.RawValue{Tag: 28, Bytes: []byte{0, 0, 0, 'o'}}), "name"},
		"the mailbox there":            {silent, member(oidMailbox, asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte("applicant@example.org")}), ""},
		"a foreign common name there":  {silent, subject(pkix.Name{CommonName: "example.com"}), "common_name"},
		"foreign names there": {silent, func(r *x509.CertificateRequest) {
			r.DNSNames, r.EmailAddresses, r.IPAddresses = []string{"example.com"}, []string{"o@example.org"}, []net.IP{net.IPv6loopback}
		}, "name name name"},
		"a mapped address there":  {silent, extensions(extension(oidNames, []asn1.RawValue{{Class: 2, Tag: 7, Bytes: net.IPv4(192, 0, 2, 1).To16()}})), "name"},
		"codeSigning for another": {otherwise, func(*x509.CertificateRequest) {}, "purpose"},
		"any purpose for another": {otherwise, extensions(purposes(purposeServer, purposeAny)), "purpose"},
		"all that may be": {otherwise, func(r *x509.CertificateRequest) {
			r.ExtraExtensions, r.DNSNames = []pkix.Extension{usages(0, 2), purposes(purposeServer, purposeClient)}, []string{"example.org", "www.example.org"}
		}, ""},
		"everything at once": {codeSigning, func(r *x509.CertificateRequest) {
			r.Subject, r.ExtraExtensions, r.DNSNames = pkix.Name{CommonName: "x.org", OrganizationalUnit: []string{"x"}}, []pkix.Extension{extension(oidBasic, basic{CA: true})}, []string{"x.org"}
		}, "ca domain subject common_name key_usage purpose"},
	} {
		template := good()
		c.change(template)
		if got := codes(t, c.policy, sign(t, template, key)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// otherName is one of the subjectAltName (RFC 5280 4.2.1.6).
func otherName(oid asn1.ObjectIdentifier, value any) asn1.RawValue {
	inner := must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: must(asn1.Marshal(value))}))
	return asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: append(must(asn1.Marshal(oid)), inner...)}
}

// oidMailbox is that of emailAddress (RFC 2985 5.2.1).
var oidMailbox = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}

var oidPermanent = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}

// assigned is a PermanentIdentifier with an assigner (RFC 4043 2).
type assigned struct {
	Value    string `asn1:"utf8"`
	Assigner asn1.ObjectIdentifier
}

func permanent(value string) asn1.RawValue {
	return otherName(oidPermanent, struct {
		Value string `asn1:"utf8"`
	}{value})
}

func TestKeysOfCSRsAreOfTheProfilesKinds(t *testing.T) {
	rsaKey := func(bits int) crypto.Signer { return must(rsa.GenerateKey(rand.Reader, bits)) }
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	p521 := codeSigning
	p521.Keys = append(slices.Clone(usual), proofing.KeyP521)
	for name, c := range map[string]struct {
		policy proofing.CSRPolicy
		key    crypto.Signer
		want   string
	}{
		"RSA 2048":        {codeSigning, rsaKey(2048), "key"},
		"RSA 2048 silent": {silent, rsaKey(2048), ""},
		"RSA 3072":        {codeSigning, rsaKey(3072), ""},
		"P-256":           {codeSigning, ecKey(t, elliptic.P256()), ""},
		"P-384":           {codeSigning, ecKey(t, elliptic.P384()), ""},
		"P-521":           {codeSigning, ecKey(t, elliptic.P521()), "key"},
		"P-521 allowed":   {p521, ecKey(t, elliptic.P521()), ""},
		"P-224":           {codeSigning, ecKey(t, elliptic.P224()), "key"},
		"Ed25519":         {codeSigning, ed, "key"},
	} {
		if got := codes(t, c.policy, sign(t, good(), c.key)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestExtensionsInMicrosoftsAttributeAreJudgedToo(t *testing.T) {
	hidden := func(list ...pkix.Extension) []byte { return withMSExtensions(t, good(), list...) }
	if got := codes(t, codeSigning, hidden(extension(oidNames, []asn1.RawValue{{Class: 2, Tag: 2, Bytes: []byte("example.com")}}))); got != "domain" {
		t.Errorf("a hidden name: %q", got)
	}
	kelvin := withMSExtensions(t, &x509.CertificateRequest{}, extension(oidNames, []asn1.RawValue{{Class: 2, Tag: 2, Bytes: []byte("\u212aiosk.example.org")}}))
	if got := codes(t, otherwise, kelvin); got != "name" {
		t.Errorf("a name that turns into another in lower case: %q", got)
	}
	if got := codes(t, codeSigning, hidden(extension(oidBasic, basic{CA: true}))); got != "extension_unreadable ca" {
		t.Errorf("a second basicConstraints: %q", got)
	}
}

// PKCS #9's attribute has one value (RFC 2985 5.4.2). Whoever reads a second one reads what nobody has judged.
func TestExtensionsInASecondValueAreNotPassedOver(t *testing.T) {
	plain := good()
	plain.ExtraExtensions = nil
	list := append(good().ExtraExtensions, extension(oidNames, []asn1.RawValue{permanent("device-1")}))
	more := []pkix.Extension{extension(oidNames, []asn1.RawValue{{Class: 2, Tag: 2, Bytes: []byte(strings.Repeat("a.", 100) + "example.com")}})}
	if got := codes(t, codeSigning, withExtensions(t, plain, oidExtensionRequest, list)); got != "" {
		t.Errorf("one value: %q", got)
	}
	if got := codes(t, codeSigning, withExtensions(t, plain, oidExtensionRequest, list, more)); got != "extension_unreadable" {
		t.Errorf("two values: %q", got)
	}
}

var (
	oidExtensionRequest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}
	oidMSExtensions     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 14}
)

func withMSExtensions(t testing.TB, template *x509.CertificateRequest, list ...pkix.Extension) []byte {
	t.Helper()
	return withExtensions(t, template, oidMSExtensions, list)
}

// withExtensions signs the request anew with an attribute that the library does not write.
func withExtensions(t testing.TB, template *x509.CertificateRequest, oid asn1.ObjectIdentifier, lists ...[]pkix.Extension) []byte {
	t.Helper()
	key := ecKey(t, elliptic.P256())
	var request struct {
		Info struct {
			Version    *big.Int
			Subject    asn1.RawValue
			Key        asn1.RawValue
			Attributes []asn1.RawValue `asn1:"tag:0,set"`
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(sign(t, template, key), &request); err != nil {
		t.Fatal(err)
	}
	attribute := struct {
		ID     asn1.ObjectIdentifier
		Values [][]pkix.Extension `asn1:"set"`
	}{oid, lists}
	request.Info.Attributes = append(request.Info.Attributes, asn1.RawValue{FullBytes: must(asn1.Marshal(attribute))})
	return must(asn1.Marshal(request)) // DescribeCSR does not look at the signature
}

// A common name is text in one of the forms of RFC 5280 4.1.2.4. Of another form one reader sees nothing and the next a domain name.
func TestACommonNameThatIsNoTextIsAFault(t *testing.T) {
	for name, value := range map[string]asn1.RawValue{
		"a UniversalString": {Tag: 28, Bytes: []byte("\x00\x00\x00e\x00\x00\x00v\x00\x00\x00.\x00\x00\x00x")},
		"an OCTET STRING":   {Tag: asn1.TagOctetString, Bytes: []byte("www.example.com")},
	} {
		r := &x509.CertificateRequest{RawSubject: must(asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value}}}))}
		if got := codes(t, silent, sign(t, r, ecKey(t, elliptic.P256()))); got != "common_name" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestFaultsOfACSRAreBounded(t *testing.T) {
	r := &x509.CertificateRequest{}
	for i := range 500 {
		r.DNSNames = append(r.DNSNames, fmt.Sprintf("h%d.example.com", i))
	}
	c := must(acme.DescribeCSR(sign(t, r, ecKey(t, elliptic.P256()))))
	if faults := silent.Judge(c, asked, nil); len(faults) != 51 || faults[50].Detail != "450 more things are wrong with the CSR" {
		t.Errorf("%d faults, the last is %v", len(faults), faults[len(faults)-1])
	}
}

// clientCSRs are requests as real clients make them.
func clientCSRs(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	files, _ := filepath.Glob("testdata/csr/*.pem")
	for _, f := range files {
		text, err := os.ReadFile(f)
		block, _ := pem.Decode(text)
		if err != nil || block == nil {
			t.Fatalf("%s: %v", f, err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".pem")] = block.Bytes
	}
	return all
}

func TestCSRsOfOpenSSLCertbotAndLegoPass(t *testing.T) {
	all := clientCSRs(t)
	if len(all) != 6 {
		t.Fatalf("%d files", len(all))
	}
	for name, der := range all {
		policies := map[string]proofing.CSRPolicy{"silent": silent, "other": otherwise}
		if name == "openssl-code-signing" {
			policies = map[string]proofing.CSRPolicy{"silent": silent, "code-signing": codeSigning}
		}
		for which, p := range policies {
			if got := codes(t, p, der); got != "" {
				t.Errorf("%s under %s: %s", name, which, got)
			}
		}
		if got := codes(t, otherwise, der); name == "openssl-code-signing" && got != "purpose" {
			t.Errorf("%s passes where nothing is signed: %q", name, got)
		}
	}
}

// FuzzCSRRules: whatever the bytes, nothing breaks, and no name passes that the standard library finds and nobody asked for.
func FuzzCSRRules(f *testing.F) {
	for _, der := range clientCSRs(f) {
		f.Add(der)
	}
	key := ecKey(f, elliptic.P256())
	f.Add(sign(f, good(), key))
	f.Add(withMSExtensions(f, good(), extension(oidNames, []asn1.RawValue{permanent("device-1")})))
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := acme.DescribeCSR(der)
		if err != nil {
			return
		}
		r := must(x509.ParseCertificateRequest(der))
		for _, p := range []proofing.CSRPolicy{silent, otherwise, codeSigning} {
			faults := p.Judge(c, asked, nil)
			if len(faults) > 51 {
				t.Fatalf("%d faults", len(faults))
			}
			if len(faults) > 0 {
				continue
			}
			for _, n := range r.DNSNames {
				if n := strings.ToLower(n); n != "example.org" && n != "www.example.org" && n != "kiosk.example.org" {
					t.Fatalf("%q passes %s", n, p.Purpose)
				}
			}
			for _, n := range r.EmailAddresses {
				if !strings.EqualFold(n, applicant) {
					t.Fatalf("%q passes %s", n, p.Purpose)
				}
			}
			for _, ip := range r.IPAddresses {
				if ip.String() != "192.0.2.1" {
					t.Fatalf("%s passes %s", ip, p.Purpose)
				}
			}
			if p.Purpose != "" && (len(r.URIs) > 0 || slices.ContainsFunc(r.Subject.Organization, func(o string) bool { return o != company })) {
				t.Fatalf("%v and %v pass", r.URIs, r.Subject)
			}
		}
	})
}

// askFor asks about an identifier, with a CSR.
func askFor(profile, id string, der []byte) string {
	return strings.TrimSuffix(question(profile, id), "}") + `,"csr":"` + b64(der) + `"}`
}

func TestAuthorizeTellsAllFaultsOfACSRAtOnce(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Register(context.Background(), "alpha", proofing.Identifier{Type: "organization", Value: company}, "", proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant}); err != nil {
		t.Fatal(err)
	}
	key := ecKey(t, elliptic.P256())
	bad := good()
	bad.ExtraExtensions = []pkix.Extension{purposes(purposeCode, purposeClient)}
	problem := w.ask(t, askFor("code", "organization:"+company, sign(t, bad, key))).object("error")
	subs := problem.list("subproblems")
	if problem.text("type") != "urn:ietf:params:acme:error:badCSR" || problem["status"] != 400.0 || problem.text("instance") != "" || len(subs) != 3 {
		t.Fatalf("%v", problem)
	}
	if subs[0].text("type") != userActionRequired || subs[0].text("instance") == "" {
		t.Errorf("what the person must do is not told with it: %v", subs[0])
	}
	for i, want := range []string{"digitalSignature is missing", "clientAuth"} {
		if s := subs[i+1]; s.text("type") != "urn:ietf:params:acme:error:badCSR" || s.text("pointer") != "#/csr" || !strings.Contains(s.text("detail"), want) {
			t.Errorf("%v", s)
		}
	}
	w.prove(t, subs[0].text("instance"), applicant)
	if p := w.ask(t, askFor("code", "organization:"+company, sign(t, bad, key))).object("error"); len(p.list("subproblems")) != 2 || !strings.HasPrefix(p.text("detail"), "2 things") {
		t.Errorf("%v", p)
	}
	if yes := w.ask(t, askFor("code", "organization:"+company, sign(t, good(), key))); yes["allow"] != true {
		t.Errorf("%v", yes)
	}
	if yes := w.ask(t, askFor("code", "organization:"+company, sign(t, good(), ecKey(t, elliptic.P384())))); yes["allow"] != true {
		t.Errorf("a case that was opened at finalize is not for the CSR of the day: %v", yes)
	}
}

func TestACaseThatNamesACSRIsForNoOther(t *testing.T) {
	w := newWorld(t)
	key := ecKey(t, elliptic.P256())
	mail := &x509.CertificateRequest{EmailAddresses: []string{applicant}}
	first := sign(t, mail, key)
	opened := w.want(t, 201, "POST", "/v1/preauthorizations", strings.TrimSuffix(request("client", applicant), "}")+`,"csr":"`+b64(first)+`"}`)
	another := *mail
	another.Subject.CommonName = applicant
	other := askFor("client", "email:"+applicant, sign(t, &another, key))
	refused := func() {
		t.Helper()
		p := w.ask(t, other).object("error")
		subs := p.list("subproblems")
		if p.text("type") != "urn:ietf:params:acme:error:badCSR" || len(subs) != 1 || subs[0].object("identifier").text("value") != applicant || !strings.Contains(subs[0].text("detail"), "another CSR") {
			t.Errorf("%v", p)
		}
	}
	refused()
	w.prove(t, opened.text("case_url"), applicant)
	refused()
	for name, q := range map[string]string{
		"the same":              askFor("client", "email:"+applicant, first),
		"the same, signed anew": askFor("client", "email:"+applicant, sign(t, mail, key)),
		"none yet":              question("client", "email:"+applicant),
	} {
		if yes := w.ask(t, q); yes["allow"] != true {
			t.Errorf("%s: %v", name, yes)
		}
	}
}

func TestACaseThatNamesACSRIsForNoOtherAtStepCA(t *testing.T) {
	w := newStepWorld(t)
	w.hook(t, proofing.StepHook{Name: "by-key", Kind: proofing.StepEnriching, Profile: "names", Correlate: proofing.CorrelateKey})
	w.hook(t, proofing.StepHook{Name: "by-name", Kind: proofing.StepEnriching, Profile: "names", Correlate: proofing.CorrelateIdentifier})
	const host = "host.example.org"
	call := w.enriching(t, pkix.Name{CommonName: host}, host)
	raw := call["x509CertificateRequest"].(fields)["raw"].([]byte)
	if _, err := w.Register(t.Context(), "alpha", proofing.Identifier{Type: "dns", Value: host}, "", proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant}); err != nil {
		t.Fatal(err)
	}
	opened := w.want(t, 201, "POST", "/v1/preauthorizations", fmt.Sprintf(`{"csr":%q,"identifier":{"type":"dns","value":%q},"profile":"names"}`, b64(raw), host))
	w.prove(t, opened.text("case_url"), applicant)
	for _, hook := range []string{"by-key", "by-name"} {
		w.allowed(t, w.callStep(t, hook, call))
		w.denied(t, w.callStep(t, hook, w.enriching(t, pkix.Name{}, host)), "badCSR", "another CSR")
	}
}

// step-ca shows no CSR to a hook of the kind AUTHORIZING. Where nobody connected the other kind, a second CSR for the same key would pass unseen.
func TestACaseThatNamesACSRIsForNoCertificateWhoseCSRNobodySees(t *testing.T) {
	w := newStepWorld(t)
	const host = "host.example.org"
	w.hook(t, proofing.StepHook{Name: "judge", Kind: proofing.StepAuthorizing, Profile: "names"})
	w.hook(t, proofing.StepHook{Name: "elsewhere", Kind: proofing.StepEnriching, Profile: "signing"})
	raw := w.enriching(t, pkix.Name{}, host)["x509CertificateRequest"].(fields)["raw"].([]byte)
	if _, err := w.Register(t.Context(), "alpha", proofing.Identifier{Type: "dns", Value: host}, "", proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant}); err != nil {
		t.Fatal(err)
	}
	opened := w.want(t, 201, "POST", "/v1/preauthorizations", fmt.Sprintf(`{"csr":%q,"identifier":{"type":"dns","value":%q},"profile":"names"}`, b64(raw), host))
	w.prove(t, opened.text("case_url"), applicant)
	call := w.authorizing(t, fields{}, "dns:"+host)
	w.denied(t, w.callStep(t, "judge", call), "csrUnseen", "ENRICHING", "names")
	w.edit(t, func(ca *proofing.Authority) error {
		return ca.AddStepHook(proofing.StepHook{Name: "sees", Kind: proofing.StepEnriching, Profile: "names", Correlate: proofing.CorrelateKey}, w.Policy.Profiles["names"])
	})
	w.denied(t, w.callStep(t, "judge", call), "csrUnseen") // it is registered, and not connected
	w.edit(t, func(ca *proofing.Authority) error {
		return ca.ConnectStepHook("sees", "id-of-sees", proofing.Secret(base64.StdEncoding.EncodeToString(stepSecret("sees"))), w.clock())
	})
	w.allowed(t, w.callStep(t, "judge", call))
	// With both, step-ca asks the one that sees the CSR first: a second CSR for the same key ends there.
	w.denied(t, w.callStep(t, "sees", w.enriching(t, pkix.Name{CommonName: host}, host)), "badCSR", "another CSR")
}
