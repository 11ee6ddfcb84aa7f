package webauthntest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// Signer is the name in the certificate of whoever signs editions of the metadata.
const Signer = "mds.fidoalliance.org"

// Authority is a maker of authenticators and the publisher of their metadata in one.
type Authority struct {
	// AttestationRoot vouches for attestation keys, MetadataRoot for the signer of editions.
	AttestationRoot *x509.Certificate
	MetadataRoot    *x509.Certificate

	attestation, metadata, signer crypto.Signer
	signerCert                    []byte

	mu     sync.Mutex
	models map[[16]byte]vouched
}

type vouched struct {
	key  crypto.Signer
	cert []byte
}

// Certificates are good from From to To.
var (
	From = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	To   = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
)

// NewAuthority makes the keys and the two roots. An edition signed under the name of
// another than Signer is made by NewAuthorityNamed.
func NewAuthority() (*Authority, error) { return NewAuthorityNamed(Signer, To) }

// NewAuthorityNamed makes an authority whose metadata is signed under a name, with a
// certificate that ends at a time.
func NewAuthorityNamed(name string, ends time.Time) (*Authority, error) {
	a := &Authority{models: make(map[[16]byte]vouched)}
	var err error
	if a.attestation, a.AttestationRoot, err = root("Test Attestation Root"); err != nil {
		return nil, err
	}
	if a.metadata, a.MetadataRoot, err = root("Test Metadata Root"); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return a, a.signWith(key, name, ends)
}

// UseRSA has the editions from now on signed with RS256, as FIDO's are, by a key of so
// many bits.
func (a *Authority) UseRSA(bits int) error {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return err
	}
	return a.signWith(key, Signer, To)
}

func (a *Authority) signWith(key crypto.Signer, name string, ends time.Time) (err error) {
	a.signer = key
	a.signerCert, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: From, NotAfter: ends,
	}, a.MetadataRoot, key.Public(), a.metadata)
	return err
}

func root(name string) (crypto.Signer, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: From, NotAfter: To,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return key, cert, err
}

// model has the attestation key of a model, with a certificate as WebAuthn 8.2.1 wants it.
func (a *Authority) model(aaguid [16]byte) (crypto.Signer, []byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v, ok := a.models[aaguid]; ok {
		return v.key, v.cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	extension, err := asn1.Marshal(aaguid[:])
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: From, NotAfter: To, BasicConstraintsValid: true,
		Subject:         pkix.Name{Country: []string{"CH"}, Organization: []string{"Tests"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Test Model"},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Value: extension}},
	}, a.AttestationRoot, key.Public(), a.attestation)
	if err != nil {
		return nil, nil, err
	}
	a.models[aaguid] = vouched{key, cert}
	return key, cert, nil
}

// ModelCertificate is the attestation certificate of a model, in DER.
func (a *Authority) ModelCertificate(aaguid [16]byte) ([]byte, error) {
	_, cert, err := a.model(aaguid)
	return cert, err
}

// Model is one entry of the metadata.
type Model struct {
	AAGUID        [16]byte
	Description   string
	Types         []string // nil: basic_full
	KeyProtection []string // nil: hardware, secure_element
	MultiDevice   string   // multiDeviceCredentialSupport
	Roots         [][]byte // DER; nil: the authority's
	Reports       []Report // nil: FIDO_CERTIFIED_L1
}

// Report is a status of a model. Dates are written as 2006-01-02.
type Report struct {
	Status        string `json:"status"`
	EffectiveDate string `json:"effectiveDate,omitempty"`
	SunsetDate    string `json:"sunsetDate,omitempty"`
	Certificate   string `json:"certificate,omitempty"` // base64 of DER
	FIPSPhysical  int    `json:"fipsPhysicalSecurityLevel,omitempty"`
}

// Edition is the metadata with a number, signed.
func (a *Authority) Edition(number int, nextUpdate time.Time, models ...Model) ([]byte, error) {
	entries := make([]any, 0, len(models))
	for _, m := range models {
		if m.Types == nil {
			m.Types = []string{"basic_full"}
		}
		if m.KeyProtection == nil {
			m.KeyProtection = []string{"hardware", "secure_element"}
		}
		if m.Roots == nil {
			m.Roots = [][]byte{a.AttestationRoot.Raw}
		}
		if m.Reports == nil {
			m.Reports = []Report{{Status: "FIDO_CERTIFIED_L1", EffectiveDate: "2021-01-01"}}
		}
		statement := map[string]any{
			"description": m.Description, "attestationTypes": m.Types, "keyProtection": m.KeyProtection, "attestationRootCertificates": m.Roots,
		}
		if m.MultiDevice != "" {
			statement["multiDeviceCredentialSupport"] = m.MultiDevice
		}
		g := m.AAGUID
		entries = append(entries, map[string]any{
			"aaguid":                 fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:]),
			"metadataStatement":      statement,
			"statusReports":          m.Reports,
			"timeOfLastStatusChange": "2021-01-01",
		})
	}
	payload, err := json.Marshal(map[string]any{"legalHeader": "test", "no": number, "nextUpdate": nextUpdate.Format(time.DateOnly), "entries": entries})
	if err != nil {
		return nil, err
	}
	algorithm := "ES256"
	if _, ok := a.signer.(*rsa.PrivateKey); ok {
		algorithm = "RS256"
	}
	return a.Sign(map[string]any{"alg": algorithm, "typ": "JWT", "x5c": []any{a.signerCert, a.MetadataRoot.Raw}}, payload)
}

// Sign signs a payload with a header as it is, in the compact form of RFC 7515.
func (a *Authority) Sign(header map[string]any, payload []byte) ([]byte, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	signed := encode(h) + "." + encode(payload)
	digest := sha256.Sum256([]byte(signed))
	var signature []byte
	switch key := a.signer.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	default:
		if signature, err = key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			return nil, err
		}
	}
	return []byte(signed + "." + base64.RawURLEncoding.EncodeToString(signature)), nil
}

// SignerCertificate is the first certificate of an edition's header, in DER.
func (a *Authority) SignerCertificate() []byte { return a.signerCert }
