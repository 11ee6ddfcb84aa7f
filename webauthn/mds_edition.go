package webauthn

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// edition is one metadata BLOB after verification. It is never changed.
type edition struct {
	number     int
	nextUpdate time.Time
	until      time.Time         // when it is out of date
	digest     [sha256.Size]byte // of the payload
	models     int
	byAAGUID   map[AAGUID]*entry
	byKey      map[string]*entry // by attestationCertificateKeyIdentifier, in lower case
}

// fresh says that neither the day of the next update is over, in UTC, nor the time of a
// certificate of the signer.
func (e *edition) fresh(now time.Time) bool { return now.Before(e.until) }

// lookUp finds the model of a credential: by its AAGUID, or by its certificate if it is of
// the time before there were AAGUIDs.
func (e *edition) lookUp(c *Credential, chain []*x509.Certificate) *entry {
	if c.AAGUID != (AAGUID{}) && c.Format != "fido-u2f" {
		return e.byAAGUID[c.AAGUID]
	}
	if len(chain) > 0 {
		for _, name := range keyIdentifiers(chain[0]) {
			if found := e.byKey[name]; found != nil {
				return found
			}
		}
	}
	return nil
}

// readEdition reads a BLOB (MDS 3.1, section 3.1.7 and 3.2): the signature, the chain of
// its signer, and every entry. The chain must hold now; that of an edition that is out
// of date must have held until then, so that what it says of broken models still counts.
func readEdition(blob []byte, roots *x509.CertPool, signer string, now time.Time) (*edition, error) {
	parts := strings.Split(strings.TrimSpace(string(blob)), ".")
	if len(parts) != 3 {
		return nil, errors.New("not a signed edition: not three parts")
	}
	header, err1 := base64url(parts[0])
	payload, err2 := base64url(parts[1])
	signature, err3 := base64url(parts[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("not a signed edition: %w", err)
	}
	algorithm, chain, err := readHeader(header)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := verifyJWS(chain[0], algorithm, parts[0]+"."+parts[1], signature); err != nil {
		return nil, err
	}
	e, err := readPayload(payload)
	if err != nil {
		return nil, err
	}
	e.until = e.nextUpdate.AddDate(0, 0, 1)
	above := x509.NewCertPool()
	for i, c := range chain {
		if c.NotAfter.Before(e.until) {
			e.until = c.NotAfter
		}
		if i > 0 {
			above.AddCert(c)
		}
	}
	at := now
	if !e.fresh(now) {
		at = e.until.Add(-time.Second)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: signer, Roots: roots, Intermediates: above, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return nil, fmt.Errorf("signer of edition %d: %w", e.number, err)
	}
	return e, nil
}

// readHeader reads alg and x5c; the leaf comes first. A header that refers to
// certificates elsewhere, or that must be understood further, is refused.
func readHeader(raw []byte) (algorithm string, chain []*x509.Certificate, err error) {
	header, err := members(raw, 128<<10)
	if err != nil {
		return "", nil, err
	}
	if algorithm, err = text(header, "alg"); err != nil {
		return "", nil, err
	}
	for _, name := range []string{"crit", "x5u", "jku", "jwk", "b64"} {
		if header[name] != nil {
			return "", nil, fmt.Errorf("%s is not accepted", name)
		}
	}
	var list []string
	if err := json.Unmarshal(header["x5c"], &list); err != nil || len(list) == 0 || len(list) > 8 {
		return "", nil, errors.New("x5c is not a chain of one to eight certificates")
	}
	for _, item := range list {
		cert, err := readCertificate(item)
		if err != nil {
			return "", nil, fmt.Errorf("x5c: %w", err)
		}
		chain = append(chain, cert)
	}
	return algorithm, chain, nil
}

func readCertificate(s string) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// verifyJWS checks a signature with the two algorithms that FIDO uses (RFC 7518 3.3, 3.4),
// and with those alone.
func verifyJWS(by *x509.Certificate, algorithm, signed string, signature []byte) error {
	digest := sha256.Sum256([]byte(signed))
	switch key := by.PublicKey.(type) {
	case *rsa.PublicKey:
		if algorithm == "RS256" && key.N.BitLen() >= 2048 && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil {
			return nil
		}
	case *ecdsa.PublicKey:
		if algorithm == "ES256" && key.Curve == elliptic.P256() && len(signature) == 64 &&
			ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			return nil
		}
	}
	return fmt.Errorf("signature by %s does not verify", shown(algorithm))
}

// entry is what an edition says of one model, as far as it is used.
type entry struct {
	description   string
	types         []string // attestation types: basic_full, attca, anonca, …
	roots         *x509.CertPool
	keyProtection []string
	statuses      []report
}

// attestationType is which of the types with certificates the model uses; where it uses
// several, it is uncertain, and basic claims the least.
func (e *entry) attestationType(said string) (kind string, ok bool) {
	for _, t := range []string{"basic_full", "attca", "anonca"} {
		if slices.Contains(e.types, t) {
			return attestationTypes[t], true
		}
	}
	return said, false
}

// reportsFor leaves out what is said of certificates that are not in the chain. Where
// there is no chain, everything counts: which key it is cannot be told.
func (e *entry) reportsFor(chain []*x509.Certificate) []report {
	return slices.DeleteFunc(slices.Clone(e.statuses), func(r report) bool {
		return r.only != nil && len(chain) > 0 && !slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return bytes.Equal(c.Raw, r.only) })
	})
}

// report is a StatusReport (MDS 3.1, section 3.1.3).
type report struct {
	status      string
	unknown     bool // a status that this program has no rule for
	from, until time.Time
	only        []byte // the certificate that it is about, in DER; nil: the whole model
	fips        FIPS140
}

func (r report) inForce(now time.Time) bool {
	return !r.from.After(now) && (r.until.IsZero() || now.Before(r.until))
}

// statuses are all that MDS 3.1.1 has (section 3.1.4).
var statuses = []string{
	"NOT_FIDO_CERTIFIED", "FIDO_CERTIFIED", "SELF_ASSERTION_SUBMITTED", "UPDATE_AVAILABLE",
	"FIDO_CERTIFIED_L1", "FIDO_CERTIFIED_L1plus", "FIDO_CERTIFIED_L2", "FIDO_CERTIFIED_L2plus", "FIDO_CERTIFIED_L3", "FIDO_CERTIFIED_L3plus",
	"FIPS140_CERTIFIED_L1", "FIPS140_CERTIFIED_L2", "FIPS140_CERTIFIED_L3", "FIPS140_CERTIFIED_L4",
	"USER_VERIFICATION_BYPASS", "ATTESTATION_KEY_COMPROMISE", "USER_KEY_REMOTE_COMPROMISE", "USER_KEY_PHYSICAL_COMPROMISE", "RETIRED", "REVOKED",
}

var keyProtections = []string{"hardware", "tee", "secure_element", "software", "remote_handle"}

type payloadJSON struct {
	No         int         `json:"no"`
	NextUpdate string      `json:"nextUpdate"`
	Entries    []entryJSON `json:"entries"`
}

type entryJSON struct {
	AAGUID    string   `json:"aaguid"`
	Keys      []string `json:"attestationCertificateKeyIdentifiers"`
	Statement struct {
		Description   string   `json:"description"`
		Types         []string `json:"attestationTypes"`
		Roots         []string `json:"attestationRootCertificates"`
		KeyProtection []string `json:"keyProtection"`
		MultiDevice   string   `json:"multiDeviceCredentialSupport"`
	} `json:"metadataStatement"`
	Reports []struct {
		Status           string `json:"status"`
		EffectiveDate    string `json:"effectiveDate"`
		SunsetDate       string `json:"sunsetDate"`
		Certificate      string `json:"certificate"`
		BatchCertificate string `json:"batchCertificate"`
		FIPSPhysical     int    `json:"fipsPhysicalSecurityLevel"`
	} `json:"statusReports"`
}

// readPayload reads all entries of models that can be met here. One that cannot be read
// spoils the edition, because what it says may be a warning.
func readPayload(raw []byte) (*edition, error) {
	var p payloadJSON
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if p.No <= 0 {
		return nil, fmt.Errorf("payload: number %d", p.No)
	}
	e := &edition{number: p.No, digest: sha256.Sum256(raw), byAAGUID: make(map[AAGUID]*entry), byKey: make(map[string]*entry)}
	var err error
	if e.nextUpdate, err = time.Parse(time.DateOnly, p.NextUpdate); err != nil {
		return nil, fmt.Errorf("payload: next update: %w", err)
	}
	for i := range p.Entries {
		j := &p.Entries[i]
		if j.AAGUID == "" && len(j.Keys) == 0 {
			continue // of FIDO UAF, whose models have an AAID
		}
		read, err := j.read()
		if err != nil {
			return nil, fmt.Errorf("edition %d: entry %d: %w", e.number, i, err)
		}
		if j.AAGUID != "" {
			a, err := ParseAAGUID(j.AAGUID)
			if err != nil {
				return nil, fmt.Errorf("edition %d: entry %d: %w", e.number, i, err)
			}
			if e.byAAGUID[a] != nil {
				return nil, fmt.Errorf("edition %d: model %s comes twice", e.number, a)
			}
			e.byAAGUID[a] = read
		}
		for _, k := range j.Keys {
			e.byKey[strings.ToLower(k)] = read
		}
		e.models++
	}
	return e, nil
}

func (j *entryJSON) read() (*entry, error) {
	e := &entry{description: j.Statement.Description, types: j.Statement.Types, roots: x509.NewCertPool()}
	for _, s := range j.Statement.Roots {
		// A root that this Go cannot read vouches for nothing; the rest of the entry stands.
		if root, err := readCertificate(s); err == nil {
			e.roots.AddCert(root)
		}
	}
	// What protects the original says nothing where the model copies its keys elsewhere,
	// and a word that is not known here may be a weak one.
	known := func(s string) bool { return slices.Contains(keyProtections, s) }
	if j.Statement.MultiDevice != "implicit" && !slices.ContainsFunc(j.Statement.KeyProtection, func(s string) bool { return !known(s) }) {
		e.keyProtection = j.Statement.KeyProtection
	}
	for i, r := range j.Reports {
		s := report{status: r.Status, unknown: !slices.Contains(statuses, r.Status)}
		var err1, err2 error
		if r.EffectiveDate != "" {
			s.from, err1 = time.Parse(time.DateOnly, r.EffectiveDate)
		}
		if r.SunsetDate != "" {
			s.until, err2 = time.Parse(time.DateOnly, r.SunsetDate)
		}
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("status report %d: %w", i, err)
		}
		if about := strings.Join(strings.Fields(r.Certificate+r.BatchCertificate), ""); about != "" && (r.Certificate == "" || r.BatchCertificate == "") {
			// Unreadable, it is about the whole model.
			if der, err := base64.StdEncoding.DecodeString(about); err == nil {
				s.only = der
			}
		}
		if level, ok := strings.CutPrefix(r.Status, "FIPS140_CERTIFIED_L"); ok && !s.unknown {
			s.fips = FIPS140{Overall: int(level[0] - '0'), Physical: r.FIPSPhysical}
		}
		e.statuses = append(e.statuses, s)
	}
	return e, nil
}
