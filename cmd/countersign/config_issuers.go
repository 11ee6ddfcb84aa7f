package main

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
)

// IssuerConfig is an identity provider (OpenID Connect) and the trust agreement with it (SP 800-63C 5.1.1;
// SP 800-63C-4 3.5). What is not said here is not assumed.
type IssuerConfig struct {
	// Title is what people read on the button: "Example staff account".
	Title string `yaml:"title"`
	// URL is its issuer identifier, exactly as it writes it. Its metadata are fetched from there.
	URL string `yaml:"url"`
	// ClientID is what it calls us. Register <origin>/o/<name> there as the redirect URI.
	ClientID string `yaml:"client_id"`
	// ClientAuth is how we authenticate at its token endpoint: client_secret_basic (unless set),
	// client_secret_post, private_key_jwt or none.
	ClientAuth string `yaml:"client_auth"`
	// ClientSecret is for the first two; ClientKey, a private key in PEM form, and ClientKeyID for private_key_jwt.
	ClientSecret proofing.Secret `yaml:"client_secret"`
	ClientKey    proofing.Secret `yaml:"client_key"`
	ClientKeyID  string          `yaml:"client_key_id"`
	// Algorithms are those that its tokens may be signed with; ES256 and RS256 unless set.
	Algorithms []string `yaml:"algorithms"`
	// DecryptionKey is a private key in PEM form. With it, ID tokens must be encrypted to us, which is what
	// FAL2 takes in revision 3.
	DecryptionKey proofing.Secret `yaml:"decryption_key"`
	// Scopes are asked for besides openid.
	Scopes []string `yaml:"scopes"`
	// MaxAge is how long ago people may have authenticated there; 1h unless set, and five minutes at most where something of theirs can be added or changed.
	MaxAge time.Duration `yaml:"max_age"`
	// HandedIn lets CAs hand in tokens that clients or build systems got from it.
	HandedIn bool `yaml:"handed_in"`
	// AllowNetworks are networks ("10.20.0.0/16") in which it may be although they are not public.
	AllowNetworks []string `yaml:"allow_networks"`
	// PreEstablished says that the agreement was made before anybody logged in, by the two organizations: FAL2 takes
	// it in revision 4.
	PreEstablished bool `yaml:"pre_established"`
	// ACR says which levels each authentication context of its stands for. One that is not here stands for none.
	ACR map[string]LevelsConfig `yaml:"acr"`
	// Cap is the most that is taken from it, whatever it says.
	Cap LevelsConfig `yaml:"cap"`
	// Domains are those that it may speak for: its logins then count only in requests for names at or below them and for
	// mailboxes there, and not in those for an organization, an address or a device, which have no domain. Without
	// it they count whatever is asked for: a login says who somebody is, and never to what they are entitled.
	Domains []string `yaml:"domains"`

	closed bool // an approved policy has it, and this configuration nothing to log in with there
}

// LevelsConfig are levels of a trust agreement; what is left out is not stated.
type LevelsConfig struct {
	IAL int `yaml:"ial"`
	AAL int `yaml:"aal"`
}

const defaultMaxAge = time.Hour

var defaultAlgorithms = []string{"ES256", "RS256"}

// issuer is the agreement in the words of the method.
func (i IssuerConfig) issuer(name string) challenges.Issuer {
	is := challenges.Issuer{
		Name: name, Title: cmp.Or(i.Title, name), URL: i.URL, ClientID: i.ClientID, Auth: cmp.Or(i.ClientAuth, challenges.AuthBasic),
		Secret: i.ClientSecret, Key: i.ClientKey, KeyID: i.ClientKeyID, Algorithms: i.Algorithms, Decryption: i.DecryptionKey,
		Scopes: i.Scopes, MaxAge: cmp.Or(i.MaxAge, defaultMaxAge), HandedIn: i.HandedIn, PreEstablished: i.PreEstablished,
		ACR: make(map[string]proofing.StatedLevels), Cap: proofing.StatedLevels(i.Cap), Domains: i.Domains,
	}
	if len(is.Algorithms) == 0 {
		is.Algorithms = defaultAlgorithms
	}
	for acr, levels := range i.ACR {
		is.ACR[acr] = proofing.StatedLevels(levels)
	}
	return is
}

// oidc is the method of the identity providers; nil if there are none.
func (c *Config) oidc(now func() time.Time) (*challenges.OIDC, error) {
	if len(c.Issuers) == 0 {
		return nil, nil
	}
	var issuers []challenges.Issuer
	for _, name := range slices.Sorted(maps.Keys(c.Issuers)) {
		i := c.Issuers[name].issuer(name)
		i.Client = newEgress(networks(c.Issuers[name].AllowNetworks))
		if c.Issuers[name].closed {
			i.Client, i.Decryption = &http.Client{Transport: closedClient{}}, ""
		}
		issuers = append(issuers, i)
	}
	return challenges.NewOIDC(challenges.OIDCConfig{Issuers: issuers, Now: now})
}

// networks reads what validate has read.
func networks(list []string) (allowed []netip.Prefix) {
	for _, network := range list {
		if p, err := netip.ParsePrefix(network); err == nil {
			allowed = append(allowed, p)
		}
	}
	return allowed
}

var (
	issuerName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	scopeToken = regexp.MustCompile(`^[!#-\[\]-~]+$`) // RFC 6749 3.3
)

func (c *Config) validateIssuers(r *report) {
	handedIn := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Issuers)) {
		j := issuerJudge{r, join("issuers", name), c.Issuers[name]}
		if !issuerName.MatchString(name) {
			r.mistake(j.path, "an issuer's name is up to 32 letters a-z, digits and hyphens: it stands in the redirect URI")
		}
		j.provider()
		j.client()
		j.tokens()
		j.agreement()
		if other := handedIn[j.URL]; j.HandedIn && other != "" {
			r.mistake(j.at("handed_in"), "is set for issuers.%s already, which is the same provider: nobody could tell which agreement a token is under", other)
		} else if j.HandedIn {
			handedIn[j.URL] = name
		}
	}
}

// issuerJudge reports what is wrong with one issuer.
type issuerJudge struct {
	*report
	path string
	IssuerConfig
}

func (j issuerJudge) at(key string) string { return j.path + "." + key }

func (j issuerJudge) provider() {
	need(j.report, j.at("title"), j.Title)
	need(j.report, j.at("url"), j.URL)
	if !faulty(j.report, j.at("url")) {
		if _, err := challenges.CheckIssuer(j.URL); err != nil {
			j.mistake(j.at("url"), "%v", err)
		}
	}
	for i, network := range j.AllowNetworks {
		at := j.at("allow_networks[" + strconv.Itoa(i) + "]")
		if p, err := netip.ParsePrefix(network); err != nil {
			j.mistake(at, "must be a network such as 10.20.0.0/16, not %q", network)
		} else if p.Bits() == 0 {
			j.mistake(at, "is everything: name the networks in which the provider is")
		}
	}
}

func (j issuerJudge) client() {
	need(j.report, j.at("client_id"), j.ClientID)
	auth := cmp.Or(j.ClientAuth, challenges.AuthBasic)
	oneOf(j.report, j.at("client_auth"), auth, challenges.ClientAuths()...)
	wants := map[string]bool{
		"client_secret": auth == challenges.AuthBasic || auth == challenges.AuthPost,
		"client_key":    auth == challenges.AuthPrivateKeyJWT,
	}
	for name, value := range map[string]proofing.Secret{"client_secret": j.ClientSecret, "client_key": j.ClientKey} {
		switch at := j.at(name); {
		case faulty(j.report, at) || faulty(j.report, j.at("client_auth")):
		case wants[name] && value == "":
			j.mistake(at, "is missing: %s needs it", auth)
		case !wants[name] && value != "":
			j.mistake(at, "is not used with client_auth: %s", auth)
		}
	}
	if j.ClientKeyID != "" && !wants["client_key"] {
		j.mistake(j.at("client_key_id"), "is not used with client_auth: %s", auth)
	}
	for i, scope := range j.Scopes {
		if at := j.at("scopes[" + strconv.Itoa(i) + "]"); scope == "openid" {
			j.mistake(at, "openid is always asked for")
		} else if !scopeToken.MatchString(scope) {
			j.mistake(at, "%q is no scope (RFC 6749 3.3)", scope)
		}
	}
}

func (j issuerJudge) tokens() {
	for i, algorithm := range j.Algorithms {
		oneOf(j.report, j.at("algorithms["+strconv.Itoa(i)+"]"), algorithm, challenges.SigningAlgorithms()...)
	}
	if j.given(j.at("algorithms")) && len(j.Algorithms) == 0 && !faulty(j.report, j.at("algorithms")) {
		j.mistake(j.at("algorithms"), "is empty: leave it out for %s", strings.Join(defaultAlgorithms, " and "))
	}
	within(j.report, j.at("max_age"), cmp.Or(j.MaxAge, defaultMaxAge), time.Minute, 30*day)
	for name, key := range map[string]proofing.Secret{"client_key": j.ClientKey, "decryption_key": j.DecryptionKey} {
		if key == "" || key == unread || faulty(j.report, j.at(name)) {
			continue
		}
		if err := challenges.CheckKey(key); err != nil {
			j.mistake(j.at(name), "%v", err)
		}
	}
}

func (j issuerJudge) agreement() {
	level := func(at string, n int) {
		if (n < 0 || n > 3 || n == 0 && j.given(at)) && !faulty(j.report, at) {
			j.mistake(at, "must be 1, 2 or 3, or left out, not %d", n)
		}
	}
	for _, acr := range slices.Sorted(maps.Keys(j.ACR)) {
		at := join(j.at("acr"), acr)
		if acr == "" || strings.ContainsAny(acr, " \t\r\n") {
			j.mistake(at, "%q is no authentication context: it has a space in it, or nothing", acr)
		}
		level(at+".ial", j.ACR[acr].IAL)
		level(at+".aal", j.ACR[acr].AAL)
	}
	level(j.at("cap.ial"), j.Cap.IAL)
	level(j.at("cap.aal"), j.Cap.AAL)
	if j.given(j.at("domains")) && len(j.Domains) == 0 && !faulty(j.report, j.at("domains")) {
		j.mistake(j.at("domains"), "is empty: leave it out where the provider may speak for all")
	}
	for i, domain := range j.Domains {
		if !domainName.MatchString(domain) || len(domain) > 253 {
			j.mistake(j.at("domains["+strconv.Itoa(i)+"]"), "must be a domain in lower case, as A-labels, without a dot at either end, not %q", domain)
		}
	}
}

// reaches is the most that an issuer's word can be worth under a framework.
func (i IssuerConfig) reaches(f proofing.Framework, validated bool) (ial, aal, fal int) {
	fal = 1
	switch r3 := f == proofing.R3 || f == proofing.R3Sup1; {
	case r3 && i.DecryptionKey != "", !r3 && i.PreEstablished:
		fal = 2
	}
	most := func(level, limit int) int {
		if limit > 0 {
			level = min(level, limit)
		}
		return level
	}
	for _, levels := range i.ACR {
		ial, aal = max(ial, most(levels.IAL, i.Cap.IAL)), max(aal, most(levels.AAL, i.Cap.AAL))
	}
	if fal < 2 {
		ial = 0
	}
	if !validated {
		aal = min(aal, 2)
	}
	return ial, aal, fal
}

// issuersOf are the names of the providers that a profile may use.
func (c *Config) issuersOf(p *proofing.Profile) []string {
	if len(p.Issuers) > 0 {
		return p.Issuers
	}
	return slices.Sorted(maps.Keys(c.Issuers))
}
