package challenges

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/countersign-id/countersign/proofing"
)

// Issuer is an identity provider with the trust agreement that the operator has made with it. What is not
// said in it is not assumed.
type Issuer struct {
	// Name is what redirect URIs, profiles and pages call it; Title is what people read.
	Name, Title string
	// URL is its issuer identifier, character for character.
	URL      string
	ClientID string
	// Auth is how we authenticate at its token endpoint: one of ClientAuths. Secret is what the first two need, Key,
	// a private key in PEM form, the third; KeyID goes with it.
	Auth   string
	Secret proofing.Secret
	Key    proofing.Secret
	KeyID  string
	// Algorithms are those that its tokens may be signed with, of SigningAlgorithms.
	Algorithms []string
	// Decryption is a private key in PEM form: ID tokens must then be encrypted to it (JWE).
	Decryption proofing.Secret
	Scopes     []string      // besides openid
	MaxAge     time.Duration // how long ago people may have authenticated there
	// Client calls the provider. It decides where calls may lead; time, size and redirects are bounded here.
	Client *http.Client
	// HandedIn lets clients hand its tokens in.
	HandedIn bool

	PreEstablished bool
	ACR            map[string]proofing.StatedLevels
	Cap            proofing.StatedLevels
	Domains        []string // that it may speak for; none: all
}

// The ways in which we authenticate at a token endpoint (OpenID Connect Core 9).
const (
	AuthBasic         = "client_secret_basic"
	AuthPost          = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt"
	AuthNone          = "none" // a public client, which PKCE alone protects
)

// ClientAuths lists those ways.
func ClientAuths() []string { return []string{AuthBasic, AuthPost, AuthPrivateKeyJWT, AuthNone} }

// SigningAlgorithms lists the algorithms that a token may be signed with: those with a public key. "none" is not
// among them, and neither is any that keys a hash with what others can read.
func SigningAlgorithms() []string {
	return []string{"ES256", "RS256", "PS256", "EdDSA", "ES384", "ES512", "RS384", "RS512", "PS384", "PS512"}
}

// provider is an issuer at work.
type provider struct {
	Issuer
	client     *http.Client
	now        func() time.Time
	plain      bool // its endpoints may be http, since it is on this machine
	algorithms []jose.SignatureAlgorithm
	assertion  jose.Signer // of private_key_jwt; else nil
	decryption any         // a private key, or nil
	metadata   remote[metadata]
	keys       remote[keySet]
}

func newProvider(i Issuer, now func() time.Time) (*provider, error) {
	plain, err := CheckIssuer(i.URL)
	if err != nil {
		return nil, err
	}
	bounded := *i.Client
	bounded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p := &provider{Issuer: i, client: &bounded, now: now, plain: plain}
	for _, a := range i.Algorithms {
		if !slices.Contains(SigningAlgorithms(), a) {
			return nil, fmt.Errorf("%q is no algorithm that a token may be signed with", a)
		}
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(a))
	}
	if len(p.algorithms) == 0 {
		return nil, errors.New("no algorithm is named")
	}
	if !slices.Contains(ClientAuths(), i.Auth) {
		return nil, fmt.Errorf("%q is no way to authenticate a client", i.Auth)
	}
	if i.Auth == AuthPrivateKeyJWT {
		if p.assertion, err = assertionSigner(i.Key, i.KeyID); err != nil {
			return nil, fmt.Errorf("the client's key: %w", err)
		}
	}
	if i.Decryption != "" {
		if p.decryption, err = decryptionKey(i.Decryption); err != nil {
			return nil, fmt.Errorf("the decryption key: %w", err)
		}
	}
	p.metadata = remote[metadata]{what: "metadata of " + i.URL, now: now, fetch: p.discover}
	p.keys = remote[keySet]{what: "keys of " + i.URL, now: now, fetch: p.fetchKeys}
	return p, nil
}

// CheckIssuer says whether a URL can be an issuer identifier (OpenID Connect Discovery 2): https, with neither query
// nor fragment. Plain is true for one on this machine, which may do without TLS.
func CheckIssuer(issuer string) (plain bool, err error) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#"):
		return false, errors.New("must be a URL such as https://login.example.org, without user, query and fragment")
	case u.Scheme == "https":
		return false, nil
	case u.Scheme == "http" && thisMachine(u.Hostname()):
		return true, nil
	}
	return false, errors.New("must be https: http is only for a provider on this machine")
}

func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// metadata is what we use of what a provider says of itself (OpenID Connect Discovery 3).
type metadata struct {
	authorization, token, keys string
	issParameter               bool // it always sends iss (RFC 9207 3)
}

const maxMetadata = 256 << 10

// discover fetches the metadata, which must be those of exactly this issuer (OpenID Connect Discovery 4.3).
func (p *provider) discover(ctx context.Context) (m metadata, err error) {
	body, err := get(ctx, p.client, strings.TrimSuffix(p.URL, "/")+"/.well-known/openid-configuration", maxMetadata)
	if err != nil {
		return m, err
	}
	list, err := membersOf(body)
	if err != nil {
		return m, fmt.Errorf("read them: %w", err)
	}
	issuer, err := text(list, "issuer")
	if err == nil && issuer != p.URL {
		err = fmt.Errorf("they are those of %.200q", issuer)
	}
	for name, into := range map[string]*string{"authorization_endpoint": &m.authorization, "token_endpoint": &m.token, "jwks_uri": &m.keys} {
		if err == nil {
			*into, err = text(list, name)
		}
		if err == nil && !p.usable(*into) {
			err = fmt.Errorf("%s is no URL that can be used", name)
		}
	}
	if raw, ok := list["authorization_response_iss_parameter_supported"]; ok && err == nil {
		err = json.Unmarshal(raw, &m.issParameter)
	}
	var methods []string
	if raw, ok := list["code_challenge_methods_supported"]; ok && err == nil {
		if err = json.Unmarshal(raw, &methods); err == nil && !slices.Contains(methods, "S256") {
			err = errors.New("it does not support PKCE with S256 (RFC 9700 2.1.1)")
		}
	}
	return m, err
}

// usable says whether an endpoint can be called.
func (p *provider) usable(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && u.Host != "" && u.User == nil && u.Fragment == "" &&
		(u.Scheme == "https" || p.plain && u.Scheme == "http" && thisMachine(u.Hostname()))
}

// oauth is the provider as x/oauth2 sees it.
func (p *provider) oauth(m metadata, redirect string) *oauth2.Config {
	c := &oauth2.Config{
		ClientID: p.ClientID, RedirectURL: redirect, Scopes: append([]string{"openid"}, p.Scopes...),
		Endpoint: oauth2.Endpoint{AuthURL: m.authorization, TokenURL: m.token, AuthStyle: oauth2.AuthStyleInParams},
	}
	switch p.Auth {
	case AuthBasic:
		c.ClientSecret, c.Endpoint.AuthStyle = p.Secret.Reveal(), oauth2.AuthStyleInHeader
	case AuthPost:
		c.ClientSecret = p.Secret.Reveal()
	}
	return c
}
