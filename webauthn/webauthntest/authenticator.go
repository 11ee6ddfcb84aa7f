package webauthntest

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Attestations that an authenticator can make.
const (
	None   = "none"
	Self   = "self"   // packed, signed by the new key itself
	Packed = "packed" // packed, signed by a key that the Authority vouches for
)

// Flags of authenticator data (WebAuthn 6.1).
const (
	UP byte = 1 << 0
	UV byte = 1 << 2
	BE byte = 1 << 3
	BS byte = 1 << 4
	AT byte = 1 << 6
	ED byte = 1 << 7
)

// Authenticator holds keys, and answers as the browser in front of it would. It is not
// for use by several goroutines at once.
type Authenticator struct {
	AAGUID      [16]byte
	Attestation string     // None, Self or Packed
	Authority   *Authority // for Packed
	Flags       byte       // UP and UV if it is honest
	Algorithm   int64      // 0: the first that is offered and that it has
	// Count is the signature counter, which grows by one before each signature; Uncounted
	// leaves it at zero.
	Count     uint32
	Uncounted bool
	Keys      []*Key

	// Before may change what is about to be signed, and After what was signed.
	Before func(*Ceremony)
	After  func(*Answer)
}

// Key is a credential.
type Key struct {
	ID     []byte
	RPID   string
	User   []byte
	Signer crypto.Signer
}

// Ceremony is what an authenticator is about to sign.
type Ceremony struct {
	Type        string // webauthn.create or webauthn.get
	Challenge   string // base64url
	Origin      string
	CrossOrigin bool
	TopOrigin   string
	ClientData  []byte // if set, instead of all above
	RPID        string
	Flags       byte
	Count       uint32
	PublicKey   []byte // COSE_Key of a new key
	Format      string // of an attestation object; empty: by what Attestation says
	Extensions  []byte // CBOR behind the rest; Flags need ED
}

// Answer is what goes back, after signing.
type Answer struct {
	ID                []byte
	RawID             []byte
	Type              string
	ClientDataJSON    []byte
	AuthenticatorData []byte // of an assertion
	Signature         []byte // of an assertion
	UserHandle        []byte // of an assertion
	AttestationObject []byte // of a registration
	Transports        []string
	Discoverable      bool
}

// New has an authenticator that is honest, counts, and attests nothing.
func New() *Authenticator {
	return &Authenticator{Attestation: None, Flags: UP | UV}
}

// Create makes a key as navigator.credentials.create would at a page of an origin, for
// options in JSON, and returns the answer in JSON.
func (a *Authenticator) Create(options []byte, origin string) ([]byte, error) {
	var o struct {
		RP        struct{ ID string }
		User      struct{ ID string }
		Challenge string
		Params    []struct{ Alg int64 } `json:"pubKeyCredParams"`
		Exclude   []struct{ ID string } `json:"excludeCredentials"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("webauthntest: options: %w", err)
	}
	for _, e := range o.Exclude {
		if a.key(e.ID) != nil {
			return nil, errors.New("webauthntest: InvalidStateError: one of the keys is excluded")
		}
	}
	algorithm := a.Algorithm
	for _, p := range o.Params {
		if algorithm == 0 && slices.Contains([]int64{ES256, EdDSA, ES384, RS256}, p.Alg) {
			algorithm = p.Alg
		}
	}
	signer, err := newKey(algorithm)
	if err != nil {
		return nil, err
	}
	user, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		return nil, fmt.Errorf("webauthntest: user id: %w", err)
	}
	key := &Key{ID: make([]byte, 32), RPID: o.RP.ID, User: user, Signer: signer}
	rand.Read(key.ID)
	c := a.ceremony("webauthn.create", o.Challenge, origin, o.RP.ID, AT)
	c.PublicKey = coseKey(signer.Public(), algorithm)
	if a.Before != nil {
		a.Before(&c)
	}
	attested := slices.Concat(a.AAGUID[:], binary.BigEndian.AppendUint16(nil, uint16(len(key.ID))), key.ID, c.PublicKey)
	authData := c.authData(attested)
	clientData := c.clientData()
	format, statement, err := a.attest(key, algorithm, authData, clientData)
	if err != nil {
		return nil, err
	}
	if c.Format != "" {
		format = c.Format
	}
	answer := Answer{
		ID: key.ID, RawID: key.ID, Type: "public-key", ClientDataJSON: clientData,
		AttestationObject: cbor([]pair{{"fmt", format}, {"attStmt", statement}, {"authData", authData}}),
		Transports:        []string{"usb"}, Discoverable: true,
	}
	if a.After != nil {
		a.After(&answer)
	}
	a.Keys = append(a.Keys, key)
	return json.Marshal(map[string]any{
		"id": encode(answer.ID), "rawId": encode(answer.RawID), "type": answer.Type, "authenticatorAttachment": "cross-platform",
		"clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": answer.Discoverable}},
		"response": map[string]any{
			"clientDataJSON": encode(answer.ClientDataJSON), "attestationObject": encode(answer.AttestationObject), "transports": answer.Transports,
		},
	})
}

// Get signs as navigator.credentials.get would: with a key that is allowed, or with the
// newest for the relying party if no list is given.
func (a *Authenticator) Get(options []byte, origin string) ([]byte, error) {
	var o struct {
		RPID      string `json:"rpId"`
		Challenge string
		Allow     []struct{ ID string } `json:"allowCredentials"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("webauthntest: options: %w", err)
	}
	var key *Key
	for _, allowed := range o.Allow {
		if key = a.key(allowed.ID); key != nil {
			break
		}
	}
	for _, k := range a.Keys {
		if len(o.Allow) == 0 && k.RPID == o.RPID {
			key = k
		}
	}
	if key == nil {
		return nil, errors.New("webauthntest: NotAllowedError: no key for this")
	}
	c := a.ceremony("webauthn.get", o.Challenge, origin, o.RPID, 0)
	if a.Before != nil {
		a.Before(&c)
	}
	authData, clientData := c.authData(nil), c.clientData()
	hash := sha256.Sum256(clientData)
	signature, err := sign(key.Signer, slices.Concat(authData, hash[:]))
	if err != nil {
		return nil, fmt.Errorf("webauthntest: sign: %w", err)
	}
	answer := Answer{
		ID: key.ID, RawID: key.ID, Type: "public-key", ClientDataJSON: clientData,
		AuthenticatorData: authData, Signature: signature, UserHandle: key.User,
	}
	if a.After != nil {
		a.After(&answer)
	}
	response := map[string]any{
		"clientDataJSON": encode(answer.ClientDataJSON), "authenticatorData": encode(answer.AuthenticatorData), "signature": encode(answer.Signature),
	}
	if answer.UserHandle != nil {
		response["userHandle"] = encode(answer.UserHandle)
	}
	return json.Marshal(map[string]any{
		"id": encode(answer.ID), "rawId": encode(answer.RawID), "type": answer.Type, "authenticatorAttachment": "cross-platform",
		"clientExtensionResults": map[string]any{}, "response": response,
	})
}

func (a *Authenticator) key(id string) *Key {
	for _, k := range a.Keys {
		if encode(k.ID) == id {
			return k
		}
	}
	return nil
}

func (a *Authenticator) ceremony(kind, challenge, origin, rpID string, also byte) Ceremony {
	if !a.Uncounted {
		a.Count++
	}
	return Ceremony{Type: kind, Challenge: challenge, Origin: origin, RPID: rpID, Flags: a.Flags | also, Count: a.Count}
}

// clientData serializes as browsers do (WebAuthn 5.8.1.1).
func (c *Ceremony) clientData() []byte {
	if c.ClientData != nil {
		return c.ClientData
	}
	origin, _ := json.Marshal(c.Origin)
	data := fmt.Sprintf(`{"type":%q,"challenge":%q,"origin":%s,"crossOrigin":%t`, c.Type, c.Challenge, origin, c.CrossOrigin)
	if c.TopOrigin != "" {
		data += fmt.Sprintf(`,"topOrigin":%q`, c.TopOrigin)
	}
	return []byte(data + "}")
}

func (c *Ceremony) authData(attested []byte) []byte {
	hash := sha256.Sum256([]byte(c.RPID))
	return slices.Concat(hash[:], []byte{c.Flags}, binary.BigEndian.AppendUint32(nil, c.Count), attested, c.Extensions)
}

func (a *Authenticator) attest(key *Key, algorithm int64, authData, clientData []byte) (format string, statement []pair, err error) {
	hash := sha256.Sum256(clientData)
	signed := slices.Concat(authData, hash[:])
	switch a.Attestation {
	case None:
		return "none", []pair{}, nil
	case Self:
		signature, err := sign(key.Signer, signed)
		return "packed", []pair{{"alg", algorithm}, {"sig", signature}}, err
	case Packed:
		signer, cert, err := a.Authority.model(a.AAGUID)
		if err != nil {
			return "", nil, err
		}
		signature, err := sign(signer, signed)
		return "packed", []pair{{"alg", ES256}, {"sig", signature}, {"x5c", []any{cert}}}, err
	}
	return "", nil, fmt.Errorf("webauthntest: no attestation %q", a.Attestation)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
