package challenges

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/countersign-id/countersign/proofing"
)

// OIDC lets a person, or a machine, prove itself by the word of an identity provider: by a login there
// in the browser (OpenID Connect Core 3.1), or by an ID token that is handed in: see Receive.
//
// Unlike the other methods it calls others and reads a clock, and only in Prepare, Fetch and Receive. What
// it keeps of a provider, its metadata and keys, is a cache and nothing else.
type OIDC struct {
	names     []string             // of the issuers, in the order of the configuration
	providers map[string]*provider // by name
	handedIn  map[string]*provider // those whose tokens may be handed in, by issuer
}

// OIDCConfig is what the method needs from the operator.
type OIDCConfig struct {
	Issuers []Issuer
	Now     func() time.Time
}

// NewOIDC returns the method, or says which issuer is configured wrongly and how.
func NewOIDC(c OIDCConfig) (*OIDC, error) {
	m := &OIDC{providers: make(map[string]*provider), handedIn: make(map[string]*provider)}
	for _, i := range c.Issuers {
		p, err := newProvider(i, c.Now)
		if err != nil {
			return nil, fmt.Errorf("issuer %s: %w", i.Name, err)
		}
		if m.providers[i.Name] != nil {
			return nil, fmt.Errorf("issuer %s: there are two of that name", i.Name)
		}
		m.providers[i.Name], m.names = p, append(m.names, i.Name)
		if !i.HandedIn {
			continue
		}
		if m.handedIn[i.URL] != nil {
			return nil, fmt.Errorf("issuer %s: tokens of %s may be handed in under another name already", i.Name, i.URL)
		}
		m.handedIn[i.URL] = p
	}
	return m, nil
}

const (
	// oidcLifetime is how long a login at the provider may take.
	oidcLifetime = 15 * time.Minute
	// oidcTries is one: state, nonce and verifier serve a single trip.
	oidcTries = 1
	// OIDCPath begins the path of every redirect URI; the name of the issuer follows. Each issuer has one
	// of its own, so that an answer that comes to another's is known to be mixed up (RFC 9700 4.4.2.2).
	OIDCPath = "/o/"
)

// Name implements proofing.Method.
func (*OIDC) Name() string { return "oidc" }

// Channel implements proofing.Method.
func (*OIDC) Channel() proofing.Channel { return proofing.ChannelIdentity }

// Check reads the configured name of an issuer.
func (m *OIDC) Check(name string) (proofing.Contact, error) {
	p := m.providers[name]
	if p == nil {
		return proofing.Contact{}, refuse("address", oidcIssuerUnknown, "there is no identity provider of that name")
	}
	return p.contact(name), nil
}

// Choices implements proofing.Chooser.
func (m *OIDC) Choices(id proofing.Identifier) (all []proofing.Contact) {
	for _, name := range m.names {
		if p := m.providers[name]; (&proofing.OIDCTrust{Domains: p.Domains}).SpeaksFor(id) {
			all = append(all, p.contact(name))
		}
	}
	return all
}

// contact is an address of the provider as the service keeps it.
func (p *provider) contact(address string) proofing.Contact {
	return proofing.Contact{Channel: proofing.ChannelIdentity, Address: proofing.Secret(address), Shown: p.Title}
}

// Prepare implements proofing.Fetcher: it makes sure that Begin knows where to send people.
func (m *OIDC) Prepare(ctx context.Context, c proofing.Contact) error {
	p := m.providers[c.Address.Reveal()]
	if p == nil {
		return refuse("address", oidcIssuerUnknown, "there is no identity provider of that name")
	}
	_, err := p.metadata.fresh(ctx)
	return err
}

// oidcState is what an opening must remember of one trip to a provider.
type oidcState struct {
	Issuer   string `json:"issuer"`   // its configured name
	Ref      string `json:"ref"`      // SHA-256 of what went out as state
	Random   []byte `json:"random"`   // 32 bytes; see nonce
	Verifier string `json:"verifier"` // of PKCE (RFC 7636)
	Redirect string `json:"redirect"` // the redirect URI
	MaxAge   int64  `json:"max_age"`  // in seconds
}

// nonce binds the ID token to the attempt and to the key authorization of its case.
func (s oidcState) nonce(keyAuth [32]byte) string {
	sum := sha256.Sum256(append(slices.Clone(s.Random), keyAuth[:]...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Begin makes the address of the provider's page: the authorization code flow with PKCE (RFC 7636).
func (m *OIDC) Begin(b proofing.Beginning) (proofing.Opening, error) {
	name := b.Contact.Address.Reveal()
	p := m.providers[name]
	if p == nil {
		return proofing.Opening{}, refuse("address", oidcIssuerUnknown, "there is no identity provider of that name")
	}
	meta, ok := p.metadata.last()
	if !ok {
		return proofing.Opening{}, fmt.Errorf("issuer %s: nothing is known of it yet: %w", name, proofing.ErrUnavailable)
	}
	maxAge := p.MaxAge
	if b.MaxAge > 0 {
		maxAge = min(maxAge, b.MaxAge)
	}
	s := oidcState{
		Issuer: name, Ref: hashOf(b.Ref.Reveal()), Random: make([]byte, 32), Verifier: oauth2.GenerateVerifier(),
		Redirect: b.Origin + OIDCPath + name, MaxAge: int64(maxAge / time.Second),
	}
	rand.Read(s.Random)
	options := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(s.Verifier),
		oauth2.SetAuthURLParam("nonce", s.nonce(b.KeyAuth)),
		oauth2.SetAuthURLParam("max_age", strconv.FormatInt(s.MaxAge, 10)),
	}
	if acr := p.acrValues(b.AAL); acr != "" {
		options = append(options, oauth2.SetAuthURLParam("acr_values", acr))
	}
	client := p.oauth(meta, s.Redirect)
	state, err := json.Marshal(s)
	return proofing.Opening{
		State: state, Away: proofing.Secret(client.AuthCodeURL(b.Ref.Reveal(), options...)), Lifetime: oidcLifetime, Tries: oidcTries,
	}, err
}

// acrValues are those that the trust agreement maps to at least an AAL, the least first:
// nobody is to do more than the profile demands.
func (i Issuer) acrValues(aal int) string {
	if aal == 0 {
		return ""
	}
	reach := func(acr string) int {
		if level := i.ACR[acr].AAL; i.Cap.AAL == 0 || level <= i.Cap.AAL {
			return level
		}
		return i.Cap.AAL
	}
	var values []string
	for _, acr := range slices.Sorted(maps.Keys(i.ACR)) {
		if reach(acr) >= aal {
			values = append(values, acr)
		}
	}
	slices.SortStableFunc(values, func(a, b string) int { return i.ACR[a].AAL - i.ACR[b].AAL })
	return strings.Join(values, " ")
}

// fetched is what Fetch hands to Judge: a verified token's facts, and the nonce that it carried.
type fetched struct {
	Nonce string             `json:"nonce"`
	Facts proofing.OIDCFacts `json:"facts"`
}

// Fetch implements proofing.Fetcher: it reads what came back with the browser, exchanges the code and
// verifies the ID token.
func (m *OIDC) Fetch(ctx context.Context, state json.RawMessage, _ proofing.Contact, a proofing.Answer) (json.RawMessage, error) {
	s, p, err := m.trip(state)
	if err != nil {
		return nil, err
	}
	meta, err := p.metadata.fresh(ctx)
	if err != nil {
		return nil, err
	}
	back, err := readCallback(a.Response)
	if err != nil {
		return nil, err
	}
	if err := back.belongs(s, p, meta); err != nil {
		return nil, err
	}
	raw, accessToken, err := p.exchange(ctx, meta, s, back.Code)
	if err != nil {
		return nil, err
	}
	maxAge := time.Duration(s.MaxAge) * time.Second
	nonce := s.nonce(a.KeyAuth)
	token, err := p.verify(ctx, raw, expectation{audience: p.ClientID, nonce: nonce, accessToken: accessToken, maxAge: &maxAge, issuedWithin: browserWindow})
	if err != nil {
		return nil, err
	}
	return json.Marshal(fetched{Nonce: nonce, Facts: p.facts(token, proofing.ChannelBack, &maxAge)})
}

// trip is the state of an opening, and the provider that it leads to.
func (m *OIDC) trip(state json.RawMessage) (s oidcState, p *provider, err error) {
	if err := json.Unmarshal(state, &s); err != nil {
		return s, nil, fmt.Errorf("state of an oidc attempt: %w", err)
	}
	if p = m.providers[s.Issuer]; p == nil { // it was there when the person left
		return s, nil, refuse("address", oidcIssuerUnknown, "the identity provider is no longer configured")
	}
	return s, p, nil
}

// Speaks implements proofing.Speaker: an identity is known by issuer and subject, and by nothing else that
// a token says (OpenID Connect Core 5.7).
func (m *OIDC) Speaks(state json.RawMessage, a proofing.Answer) (proofing.Contact, error) {
	_, p, err := m.trip(state)
	if err != nil {
		return proofing.Contact{}, err
	}
	f, err := readFetched(a)
	if err != nil {
		return proofing.Contact{}, err
	}
	return p.identity(f.Facts), nil
}

func readFetched(a proofing.Answer) (f fetched, err error) {
	if len(a.Fetched) == 0 {
		return f, errors.New("judge an oidc answer: nothing was fetched")
	}
	if err := json.Unmarshal(a.Fetched, &f); err != nil {
		return f, fmt.Errorf("judge an oidc answer: %w", err)
	}
	return f, nil
}

// identity is the contact of an account at the provider.
func (p *provider) identity(f proofing.OIDCFacts) proofing.Contact {
	return p.contact(f.Issuer + " " + f.Subject.Reveal())
}

// Judge implements proofing.Method.
func (m *OIDC) Judge(state json.RawMessage, _ proofing.Contact, a proofing.Answer) (proofing.Proof, error) {
	s, p, err := m.trip(state)
	if err != nil {
		return proofing.Proof{}, err
	}
	f, err := readFetched(a)
	if err != nil {
		return proofing.Proof{}, err
	}
	// The attempt may have begun anew while the network was asked.
	if !equal(f.Nonce, s.nonce(a.KeyAuth)) || f.Facts.Issuer != p.URL {
		return proofing.Proof{}, proofing.ErrWrongAnswer
	}
	return p.proof(f.Facts, true), nil
}

// Agreements implements proofing.Agreed. Two of the configuration may be with one issuer.
func (m *OIDC) Agreements(issuer string) (all []proofing.OIDCTrust) {
	for _, name := range m.names {
		if p := m.providers[name]; p.URL == issuer {
			all = append(all, p.agreement())
		}
	}
	return all
}

// agreement is what the trust agreement says, and nothing of a transaction.
func (p *provider) agreement() proofing.OIDCTrust {
	return proofing.OIDCTrust{PreEstablished: p.PreEstablished, ACRMap: maps.Clone(p.ACR), Cap: p.Cap, Domains: slices.Clone(p.Domains)}
}

// proof adds what the trust agreement says, and whether it was we who began the transaction, with a nonce of ours.
func (p *provider) proof(f proofing.OIDCFacts, begun bool) proofing.Proof {
	trust := p.agreement()
	trust.RPInitiated, trust.InjectionProtected = begun, begun
	f.Trust = &trust
	return proofing.Proof{Evidence: proofing.Evidence{Kind: proofing.OIDCLogin, OIDC: &f}, Contact: p.identity(f)}
}
