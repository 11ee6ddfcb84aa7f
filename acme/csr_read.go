package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
	// oidExtensionRequest is PKCS #9's attribute, which has one value (RFC 2985 5.4.2).
	oidExtensionRequest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}
	// oidMSExtensions is the attribute in which Microsoft's clients have asked for extensions. OpenSSL
	// reads it as well as PKCS #9's, so what stands there may get into a certificate.
	oidMSExtensions = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 14}
)

// subjectNames are the members of subjects that the rules know (RFC 4519 2; RFC 2985 5.2.1; CSBR 7.1.4.2).
var subjectNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.10": "O", "2.5.4.6": "C", "2.5.4.8": "ST", "2.5.4.7": "L", "2.5.4.9": "STREET", "2.5.4.17": "POSTALCODE",
	"2.5.4.11": "OU", "2.5.4.5": proofing.SubjectNumber, "2.5.4.4": "SN", "2.5.4.42": "GN", "1.2.840.113549.1.9.1": "emailAddress",
	"2.5.4.15": proofing.SubjectCategory, "1.3.6.1.4.1.311.60.2.1.1": proofing.SubjectJurisdiction + "L",
	"1.3.6.1.4.1.311.60.2.1.2": proofing.SubjectJurisdiction + "ST", "1.3.6.1.4.1.311.60.2.1.3": proofing.SubjectJurisdiction + "C",
}

// usageNames are the bits of KeyUsage (RFC 5280 4.2.1.3).
var usageNames = []string{
	"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
}

// purposeNames are the members of ExtendedKeyUsage that are told by name (RFC 5280 4.2.1.12).
var purposeNames = map[string]string{
	"2.5.29.37.0": "anyExtendedKeyUsage", "1.3.6.1.5.5.7.3.1": "serverAuth", "1.3.6.1.5.5.7.3.2": "clientAuth", "1.3.6.1.5.5.7.3.3": "codeSigning",
	"1.3.6.1.5.5.7.3.4": "emailProtection", "1.3.6.1.5.5.7.3.8": "timeStamping", "1.3.6.1.5.5.7.3.9": "OCSPSigning",
}

// contents is what the request asks for.
func (c *csr) contents() *proofing.CSR {
	out := describeCSR(c.request)
	out.Digest = c.digest
	return out
}

// keyKind is what a public key is, and its size in bits.
func keyKind(key crypto.PublicKey) (kind proofing.KeyKind, bits int) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return proofing.KeyRSA, k.N.BitLen()
	case *ecdsa.PublicKey:
		bits = k.Params().BitSize
		return map[int]proofing.KeyKind{256: proofing.KeyP256, 384: proofing.KeyP384, 521: proofing.KeyP521}[bits], bits
	case ed25519.PublicKey:
		return proofing.KeyEd25519, 8 * len(k)
	}
	return "", 0
}

// describeCSR reads all of a request that the rules are about. What cannot be read is told, so that nothing passes because
// it is in a form of its own.
func describeCSR(r *x509.CertificateRequest) *proofing.CSR {
	c := &proofing.CSR{SPKI: spkiDigest(r.RawSubjectPublicKeyInfo)}
	c.Key, c.Bits = keyKind(r.PublicKey)
	var subject pkix.RDNSequence
	if rest, err := asn1.Unmarshal(r.RawSubject, &subject); err != nil || len(rest) > 0 {
		c.Unreadable = append(c.Unreadable, "subject")
	}
	for _, set := range subject {
		for _, m := range set {
			c.Subject = append(c.Subject, subjectMember(m))
		}
	}
	extensions, ok := extensionsOf(r)
	if !ok {
		c.Unreadable = append(c.Unreadable, "request")
	}
	seen := map[string]bool{}
	for _, e := range extensions {
		id := e.Id.String()
		if !readExtension(c, e) || seen[id] {
			c.Unreadable = append(c.Unreadable, id)
		}
		seen[id] = true
	}
	return c
}

func subjectMember(m pkix.AttributeTypeAndValue) proofing.SubjectMember {
	out := proofing.SubjectMember{Name: m.Type.String()}
	if name, ok := subjectNames[out.Name]; ok {
		out.Name = name
	}
	value, text := m.Value.(string)
	if out.Value, out.NoText = value, !text; value == "" {
		out.Value = "(not text)"
	}
	return out
}

// extensionsOf are the extensions that a request asks for, in either attribute that has any.
func extensionsOf(r *x509.CertificateRequest) ([]pkix.Extension, bool) {
	var info struct {
		Raw        asn1.RawContent
		Version    int
		Subject    asn1.RawValue
		Key        asn1.RawValue
		Attributes []asn1.RawValue `asn1:"tag:0"`
	}
	if rest, err := asn1.Unmarshal(r.RawTBSCertificateRequest, &info); err != nil || len(rest) > 0 {
		return r.Extensions, false
	}
	extensions, whole := slices.Clone(r.Extensions), true
	for _, raw := range info.Attributes {
		var attribute struct {
			ID     asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}
		if rest, err := asn1.Unmarshal(raw.FullBytes, &attribute); err != nil || len(rest) > 0 {
			whole = false
			continue
		}
		if attribute.ID.Equal(oidExtensionRequest) && len(attribute.Values) != 1 { // the library reads the first
			whole = false
		}
		if !attribute.ID.Equal(oidMSExtensions) {
			continue
		}
		for _, v := range attribute.Values {
			var more []pkix.Extension
			if rest, err := asn1.Unmarshal(v.FullBytes, &more); err != nil || len(rest) > 0 {
				whole = false
			}
			extensions = append(extensions, more...)
		}
	}
	return extensions, whole
}

// readExtension says whether the extension could be read, if the rules are about it.
func readExtension(c *proofing.CSR, e pkix.Extension) bool {
	read := func(into any) bool {
		rest, err := asn1.Unmarshal(e.Value, into)
		return err == nil && len(rest) == 0
	}
	switch {
	case e.Id.Equal(oidBasicConstraints):
		ca, ok := basicConstraints(e.Value)
		c.CA = c.CA || ca
		return ok
	case e.Id.Equal(oidKeyUsage):
		var bits asn1.BitString
		ok := read(&bits)
		for i, name := range usageNames {
			if bits.At(i) == 1 {
				c.Usages = append(c.Usages, name)
			}
		}
		return ok
	case e.Id.Equal(oidExtKeyUsage):
		var list []asn1.ObjectIdentifier
		ok := read(&list)
		for _, oid := range list {
			name := oid.String()
			if known, ok := purposeNames[name]; ok {
				name = known
			}
			c.Purposes = append(c.Purposes, name)
		}
		return ok
	case e.Id.Equal(oidSubjectAltName):
		names, err := generalNames(e.Value)
		for _, n := range names {
			if n.Type == "permanentIdentifier" {
				n.Type = proofing.IdentifierPermanent
			}
			c.Names = append(c.Names, proofing.Identifier{Type: n.Type, Value: n.Value})
		}
		return err == nil
	}
	return true
}

// basicConstraints reads the extension of that name (RFC 5280 4.2.1.9).
func basicConstraints(der []byte) (ca, ok bool) {
	var b struct {
		CA   bool `asn1:"optional"`
		Path int  `asn1:"optional,default:-1"`
	}
	rest, err := asn1.Unmarshal(der, &b)
	return b.CA, err == nil && len(rest) == 0
}
