package proofing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// CSR is what a certification request (RFC 2986) asks for, as the edge has read it.
type CSR struct {
	// Digest is the SHA-256 of the DER CertificationRequestInfo, base64url.
	Digest string
	Key    KeyKind
	Bits   int // of the key
	// SPKI is the SHA-256 of the DER SubjectPublicKeyInfo, base64url.
	SPKI string
	// Subject has every member of the subject, in order.
	Subject []SubjectMember
	// Names are the subjectAltName's. Those of a kind that no identifier has are of the type "uri" or "other".
	Names []Identifier
	// CA says that basicConstraints has CA:true.
	CA bool
	// Usages are the bits of KeyUsage that are set, and Purposes the members of ExtendedKeyUsage: by
	// their names in RFC 5280, or the OID of one that has none here.
	Usages, Purposes []string
	// Unreadable are the extensions that cannot be read, or that are there twice.
	Unreadable []string
}

// SubjectMember is one attribute of a subject. Name is its short name, or its OID.
type SubjectMember struct {
	Name, Value string
	// NoText says that the value is in a form that was not read. Others may read it: there is UniversalString.
	NoText bool
}

// KeyKind is a kind of public key.
type KeyKind string

// The kinds of keys that a CSR may be for.
const (
	KeyRSA     KeyKind = "rsa"
	KeyP256    KeyKind = "p-256"
	KeyP384    KeyKind = "p-384"
	KeyP521    KeyKind = "p-521"
	KeyEd25519 KeyKind = "ed25519"
)

// CSRPurpose is what the certificates of a profile are for.
type CSRPurpose string

// The purposes. Without one, only what is never right is refused.
const (
	CSRCodeSigning CSRPurpose = "code-signing"
	CSROther       CSRPurpose = "other"
)

// CommonNameRule says what the common name may be.
type CommonNameRule string

// The rules for common names. Under each of them it is something that is authorized.
const (
	// CommonNameNoDomain is CSBR 3.2.2.2.6: no domain name is in a code-signing certificate.
	CommonNameNoDomain CommonNameRule = "no-domain"
	// CommonNameDomain is a domain name, which must be there.
	CommonNameDomain CommonNameRule = "domain"
	// CommonNameAuthorized is any identifier that is authorized.
	CommonNameAuthorized CommonNameRule = "authorized"
)

// CSRPolicy is what a profile demands of CSRs.
type CSRPolicy struct {
	Purpose    CSRPurpose
	ClientAuth bool // beside codeSigning
	Keys       []KeyKind
	MinRSABits int
	CommonName CommonNameRule
}

// CSRFault is one thing that is wrong with a CSR. Detail says what to do.
type CSRFault struct{ Code, Detail string }

// mostCSRFaults is more than anybody mends in one go.
const mostCSRFaults = 50

// csrJudge collects the faults of one CSR.
type csrJudge struct {
	policy     CSRPolicy
	csr        *CSR
	authorized []Identifier
	registered *Registration
	faults     []CSRFault
	more       int
}

// Judge lists everything that is wrong with a CSR for identifiers that are asked for in their canonical form. The
// registration is that of the organization among them; nil if it is not known.
func (p CSRPolicy) Judge(c *CSR, authorized []Identifier, registered *Registration) []CSRFault {
	j := &csrJudge{policy: p, csr: c, authorized: authorized, registered: registered}
	for _, name := range c.Unreadable {
		j.fault("extension_unreadable", "the extension %s cannot be read, or is there twice: make the CSR anew with one of its form in RFC 5280", name)
	}
	if c.CA {
		j.fault("ca", "basicConstraints has CA:true, and no CA certificate is authorized here: leave the extension out, or write CA:false")
	}
	j.names()
	switch p.Purpose {
	case "":
		j.plainSubject()
	default:
		j.key()
		j.subject()
		j.usages()
	}
	if j.more > 0 {
		j.faults = append(j.faults, CSRFault{"more", fmt.Sprintf("%d more things are wrong with the CSR", j.more)})
	}
	return j.faults
}

// JudgeKey lists what is wrong with the key of a CSR alone, for a dialect in which the CA sees to usages and names: nothing without a purpose.
func (p CSRPolicy) JudgeKey(kind KeyKind, bits int) []CSRFault {
	j := &csrJudge{policy: p, csr: &CSR{Key: kind, Bits: bits}}
	if p.Purpose != "" {
		j.key()
	}
	return j.faults
}

func (j *csrJudge) fault(code, format string, args ...any) {
	if len(j.faults) == mostCSRFaults {
		j.more++
		return
	}
	j.faults = append(j.faults, CSRFault{code, fmt.Sprintf(format, args...)})
}

// names holds the subjectAltName against what is authorized. Without a purpose, kinds of names that no identifier here is of are left to the authority, which may have an
// opinion of its own of them.
func (j *csrJudge) names() {
	for _, n := range j.csr.Names {
		served := n.Type == IdentifierDNS || n.Type == IdentifierEmail || n.Type == IdentifierIP || n.Type == IdentifierPermanent
		switch {
		case !served && j.policy.Purpose == "":
		case n.Type == IdentifierDNS && j.policy.NoDomains():
			j.fault("domain", "the subjectAltName has the domain name %s, and a code-signing certificate has none (CSBR 3.2.2.2.6): leave it out", told(n.Value))
		case j.has(n):
		case served:
			j.fault("name", "the subjectAltName has %s %s, which is none of the identifiers that are asked for: leave it out, or order it too", n.Type, told(n.Value))
		default:
			j.fault("name", "the subjectAltName has a name of a kind that is not authorized here (%s %s): leave it out", n.Type, told(n.Value))
		}
	}
}

// NoDomains says whether the certificate must not have a domain name anywhere (CSBR 3.2.2.2.6).
func (p *CSRPolicy) NoDomains() bool {
	return p.Purpose == CSRCodeSigning && p.CommonName == CommonNameNoDomain
}

// has says whether a name is authorized.
func (j *csrJudge) has(n Identifier) bool { return slices.Contains(j.authorized, canonicalName(n)) }

// canonicalName is a name of a CSR in the form that identifiers are kept in. What is not ASCII
// stays as it is: in lower case, other letters may turn into those of somebody else's name.
func canonicalName(n Identifier) Identifier {
	switch at := strings.LastIndexByte(n.Value, '@'); n.Type {
	case IdentifierDNS:
		n.Value = lowerASCII(n.Value)
	case IdentifierEmail: // the local part counts to the letter (RFC 5321 2.4)
		n.Value = n.Value[:at+1] + lowerASCII(n.Value[at+1:])
	}
	return n
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// spelled is what a text names by its form: a domain name, with a wildcard or without, an address or a mailbox.
func spelled(text string) (Identifier, bool) {
	domain := func(s string) bool { return checkDNSName(lowerASCII(strings.TrimSuffix(s, "."))) == nil }
	if ip, err := netip.ParseAddr(text); err == nil {
		return Identifier{IdentifierIP, ip.Unmap().String()}, true
	}
	if local, at, ok := strings.Cut(text, "@"); ok && local != "" && domain(at) {
		return Identifier{IdentifierEmail, text}, true
	}
	if domain(strings.TrimPrefix(text, "*.")) {
		return Identifier{IdentifierDNS, text}, true
	}
	return Identifier{}, false
}

// plainSubject is for profiles that say nothing of CSRs: clients write the names that they order into the common name too, and
// authorities read them there (RFC 8555 7.4), as they read a mailbox in emailAddress (RFC 5280 4.1.2.6). Whatever else the subject says is the
// authority's to judge.
func (j *csrJudge) plainSubject() {
	for _, m := range j.csr.Subject {
		if m.Name == "emailAddress" {
			j.mailbox(m)
		}
		if m.Name != "CN" {
			continue
		}
		if m.NoText {
			j.fault("common_name", "the common name is in a form that cannot be read here: write it as a UTF8String, or leave it out")
			continue
		}
		if n, ok := spelled(m.Value); ok && !j.has(n) && !j.named(m.Value) {
			j.fault("common_name", "the common name is the %s %s, which is none of the identifiers that are asked for: leave it out, or order it too", n.Type, told(m.Value))
		}
	}
}

// mailbox holds an emailAddress of the subject against what is authorized.
func (j *csrJudge) mailbox(m SubjectMember) {
	if m.NoText || !j.has(Identifier{IdentifierEmail, m.Value}) {
		j.fault("name", "the subject has the e-mail address %s, which is none of the identifiers that are asked for: leave it out, or order it too", told(m.Value))
	}
}

// named says whether an identifier of any type has the value. Domain names and mailboxes compare by their canonical form.
func (j *csrJudge) named(value string) bool {
	n, ok := spelled(value)
	return ok && j.has(n) || slices.ContainsFunc(j.authorized, func(id Identifier) bool { return id.Value == value })
}

// places are the members of a subject that name nobody: where somebody is, the authority finds out by itself.
var places = []string{"C", "ST", "L", "STREET", "POSTALCODE"}

// subject holds the subject against what is authorized.
func (j *csrJudge) subject() {
	common := 0
	for _, m := range j.csr.Subject {
		switch m.Name {
		case "CN":
			common++
			j.commonName(m.Value)
		case "O":
			if !slices.Contains(j.authorized, Identifier{IdentifierOrganization, m.Value}) {
				j.fault("organization", "the subject has the organization %s, which is none of the identifiers that are asked for: leave it out, or write the name letter by letter as it was registered and order it too", told(m.Value))
			}
		case "emailAddress":
			j.mailbox(m)
		default:
			if !slices.Contains(places, m.Name) && !m.SaysRegistration() {
				j.fault("subject", "the subject has %s %s, which nobody has proved here: leave it out", m.Name, told(m.Value))
			}
		}
	}
	for _, f := range j.registered.Judge(j.csr.Subject) {
		j.fault(f.Code, "%s", f.Detail)
	}
	switch {
	case common > 1:
		j.fault("common_name", "the subject has %d common names: write one", common)
	case common == 0 && j.policy.CommonName == CommonNameDomain:
		j.fault("common_name", "the subject has no common name: write the domain name there that is asked for")
	}
}

func (j *csrJudge) commonName(value string) {
	n, domain := spelled(value)
	domain = domain && n.Type == IdentifierDNS
	switch j.policy.CommonName {
	case CommonNameNoDomain:
		if domain {
			j.fault("common_name", "the common name is the domain name %s, and a code-signing certificate has none (CSBR 3.2.2.2.6): write the name of the organization that is asked for, or leave it out", told(value))
			return
		}
	case CommonNameDomain:
		if !domain || !j.has(n) {
			j.fault("common_name", "the common name is %s, and must be a domain name that is asked for", told(value))
		}
		return
	}
	if !j.named(value) {
		j.fault("common_name", "the common name is %s, which is none of the identifiers that are asked for: write one of them, or leave it out", told(value))
	}
}

func (j *csrJudge) key() {
	var accepted []string
	for _, k := range j.policy.Keys {
		if k == KeyRSA {
			accepted = append(accepted, fmt.Sprintf("rsa of %d bits or more", j.policy.MinRSABits))
			continue
		}
		accepted = append(accepted, string(k))
	}
	switch {
	case !slices.Contains(j.policy.Keys, j.csr.Key):
		j.fault("key", "the key is %s: make one that is %s", j.csr.Key, strings.Join(accepted, ", "))
	case j.csr.Key == KeyRSA && j.csr.Bits < j.policy.MinRSABits:
		j.fault("key", "the key is rsa of %d bits: make one that is %s", j.csr.Bits, strings.Join(accepted, ", "))
	}
}

// usages judges KeyUsage and ExtendedKeyUsage (CSBR 7.1.2.3).
func (j *csrJudge) usages() {
	for _, u := range []string{"keyCertSign", "cRLSign"} {
		if slices.Contains(j.csr.Usages, u) {
			j.fault("key_usage", "KeyUsage has %s, which is for CAs: leave it out", u)
		}
	}
	if j.policy.Purpose != CSRCodeSigning {
		for _, purpose := range []string{"codeSigning", "anyExtendedKeyUsage"} {
			if slices.Contains(j.csr.Purposes, purpose) {
				j.fault("purpose", "ExtendedKeyUsage has %s, which this profile is not for: leave it out", purpose)
			}
		}
		return
	}
	if !slices.Contains(j.csr.Usages, "digitalSignature") {
		j.fault("key_usage", "KeyUsage digitalSignature is missing: ask for it in the CSR's extensions")
	}
	if !slices.Contains(j.csr.Purposes, "codeSigning") {
		j.fault("purpose", "ExtendedKeyUsage codeSigning is missing: ask for it in the CSR's extensions")
	}
	for _, purpose := range j.csr.Purposes {
		switch {
		case purpose == "codeSigning", purpose == "clientAuth" && j.policy.ClientAuth:
		case purpose == "clientAuth":
			j.fault("purpose", "ExtendedKeyUsage has clientAuth, which this profile does not allow beside codeSigning: leave it out")
		default:
			j.fault("purpose", "ExtendedKeyUsage has %s, which is not for code signing: leave it out", purpose)
		}
	}
}

// told is a text of a CSR as far as it is repeated: quoted, so that nothing in it acts, and not longer than anybody reads.
func told(text string) string {
	if len(text) > 64 {
		text = strings.ToValidUTF8(text[:64], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
