package webauthn

import (
	"crypto/sha1" // the method of RFC 5280 4.2.1.2 by which the metadata names U2F certificates
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/metadata"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// attestationTypes has our words for the library's.
var attestationTypes = map[string]string{
	string(metadata.None):           "none",
	string(metadata.BasicSurrogate): "self",
	string(metadata.BasicFull):      "basic",
	string(metadata.AttCA):          "attca",
	string(metadata.AnonCA):         "anonca",
}

// formats are those that are verified (WebAuthn 8). SafetyNet is withdrawn, and no
// rule says yet what a compound of several statements is worth.
var formats = []string{"none", "packed", "tpm", "android-key", "apple", "fido-u2f"}

// verifyAttestation has the library verify the whole registration, and above all the
// attestation statement. It returns the hash of the client data. Trust is not asked
// here: judge does that, each time.
func (rp *RelyingParty) verifyAttestation(parsed *protocol.ParsedCredentialCreationData, c ceremony, challenge []byte) (hash []byte, err error) {
	object := &parsed.Response.AttestationObject
	if !slices.Contains(formats, object.Format) {
		return nil, fmt.Errorf("%w: format %s is not served", ErrAttestation, shown(object.Format))
	}
	offered := make([]protocol.CredentialParameter, 0, len(c.Algorithms))
	for _, a := range c.Algorithms {
		offered = append(offered, protocol.CredentialParameter{Type: publicKey, Algorithm: webauthncose.COSEAlgorithmIdentifier(a)})
	}
	err = guarded(func() (err error) {
		hash, err = parsed.Verify(encode(challenge), rp.config.ID, rp.config.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode,
			false, c.UserVerification == Required, true, nil, offered, protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAttestation, err)
	}
	if attestationTypes[object.Type] == "" {
		return nil, fmt.Errorf("%w: type %s", ErrAttestation, shown(object.Type))
	}
	return hash, nil
}

// judge says what is known of a credential's authenticator at a time, by the metadata
// of now and the roots of now, and how the metadata calls the model.
func (rp *RelyingParty) judge(c *Credential, now time.Time) (Attestation, string) {
	known := rp.config.MDS.current()
	v := rp.verdicts.of(known, c, rp.examine)
	a := Attestation{Type: v.kind, Trusted: v.trusted, KeyProtection: []string{}, Status: []string{}, MDSFresh: known.fresh(now)}
	var model string
	var fips FIPS140
	if v.entry != nil {
		model = v.entry.description
	}
	for _, r := range v.reports {
		switch {
		case !r.inForce(now):
			continue
		case r.unknown:
			// A status that was invented later may be a bad one.
			a.Trusted = false
		case !slices.Contains(a.Status, r.status):
			a.Status = append(a.Status, r.status)
		}
		if r.fips.Overall > fips.Overall {
			fips = r.fips
		}
	}
	if a.Trusted {
		if v.vouched {
			a.KeyProtection, a.FIPS140 = append(a.KeyProtection, v.entry.keyProtection...), fips
		}
		if own, ok := rp.config.FIPS140[c.AAGUID]; ok {
			a.FIPS140 = own
		}
	}
	return a, model
}

// Informed says whether there is an edition of the metadata in use, so that something can be known of models.
func (rp *RelyingParty) Informed() bool { return rp.config.MDS.current() != noEdition }

// Status lists the metadata's statuses in force now for the model of a credential, trusted or not, whenever it was used last.
func (rp *RelyingParty) Status(c Credential) []string {
	a, _ := rp.judge(&c, rp.config.Now())
	return a.Status
}

// verdict is what an attestation is worth by one edition of the metadata, whatever the
// day.
type verdict struct {
	kind    string
	trusted bool
	// vouched says that it is trusted by the entry's own roots: what another root vouches for may be another maker's, whatever model it claims to be.
	vouched bool
	entry   *entry
	reports []report
}

// examine looks a credential up in the metadata and follows its certificates.
//
// The chain is verified as of the registration, because that is when it vouched:
// Apple's certificates are good for days. What may have changed since are the roots
// and the statuses, and those are of now.
func (rp *RelyingParty) examine(known *edition, c *Credential) verdict {
	v := verdict{kind: c.AttestationType}
	chain, err := certificates(c.AttestationObject)
	if err != nil {
		chain = nil
	}
	v.entry = known.lookUp(c, chain)
	if v.entry != nil {
		v.reports = v.entry.reportsFor(chain)
	}
	if len(chain) == 0 || v.kind == "none" || v.kind == "self" {
		return v
	}
	if v.entry != nil && leadsTo(v.entry.roots, chain, c.Format, c.CreatedAt) {
		// Formats whose certificates look alike for all three types leave it to the
		// metadata which it is (WebAuthn 8.2, 8.6).
		if c.Format == "packed" || c.Format == "fido-u2f" {
			v.kind, v.trusted = v.entry.attestationType(v.kind)
		} else {
			v.trusted = true
		}
		v.vouched = v.trusted
	}
	if !v.trusted {
		v.trusted = leadsTo(rp.roots, chain, c.Format, c.CreatedAt)
	}
	return v
}

// certificates are the attestation certificate and those above it, if there are any.
func certificates(object []byte) (chain []*x509.Certificate, err error) {
	var o protocol.AttestationObject
	err = guarded(func() error { return webauthncbor.Unmarshal(object, &o) })
	if err != nil {
		return nil, err
	}
	list, _ := o.AttStatement["x5c"].([]any)
	for _, item := range list {
		der, _ := item.([]byte)
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, cert)
	}
	return chain, nil
}

func leadsTo(roots *x509.CertPool, chain []*x509.Certificate, format string, at time.Time) bool {
	leaf := chain[0]
	if format == "tpm" {
		// The subject alternative name of a TPM's key is critical, and its content is not one
		// that crypto/x509 reads (WebAuthn 8.3.1); the library has read it.
		copied := *leaf
		copied.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), func(o asn1.ObjectIdentifier) bool {
			return o.Equal(asn1.ObjectIdentifier{2, 5, 29, 17})
		})
		leaf = &copied
	}
	above := x509.NewCertPool()
	for _, c := range chain[1:] {
		above.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: above, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// keyIdentifiers are the names that the metadata may have for a certificate: its subject
// key identifier, and the SHA-1 digest of its public key.
func keyIdentifiers(c *x509.Certificate) []string {
	var names []string
	if len(c.SubjectKeyId) > 0 {
		names = append(names, hex.EncodeToString(c.SubjectKeyId))
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err == nil {
		sum := sha1.Sum(spki.PublicKey.Bytes)
		names = append(names, hex.EncodeToString(sum[:]))
	}
	return names
}

// verdicts remembers what attestations are worth by the edition in use: to follow a
// chain costs as much as the assertion itself.
type verdicts struct {
	mu    sync.Mutex
	by    *edition
	known map[[sha256.Size]byte]verdict
}

const maxVerdicts = 1 << 14

func (v *verdicts) of(by *edition, c *Credential, examine func(*edition, *Credential) verdict) verdict {
	// Everything that examine reads of a credential is in the key.
	read := make([]byte, 0, 128+len(c.AttestationObject))
	read = append(read, c.AAGUID[:]...)
	read = strconv.AppendInt(read, c.CreatedAt.UnixNano(), 10)
	read = strconv.AppendQuote(read, c.Format)
	read = strconv.AppendQuote(read, c.AttestationType)
	key := sha256.Sum256(append(read, c.AttestationObject...))

	v.mu.Lock()
	found, ok := v.known[key]
	ok = ok && v.by == by
	v.mu.Unlock()
	if ok {
		return found
	}
	found = examine(by, c)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by != by || v.known == nil || len(v.known) >= maxVerdicts {
		v.by, v.known = by, make(map[[sha256.Size]byte]verdict)
	}
	v.known[key] = found
	return found
}
