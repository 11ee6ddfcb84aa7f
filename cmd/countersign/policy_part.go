package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
)

// policyPart is the policy part of a configuration: what decides whom a request is granted to, and what a label rests on. Where there are administrators,
// two of them approve each change of it, and it is in force as the store has it (proofing.PolicyBook). Everything else is operation: where
// this machine listens and stores, who delivers messages, budgets, and secrets. TestEverySettingIsPolicyOrOperation has the other half of the split.
type policyPart struct {
	Assurance AssuranceConfig          `yaml:"assurance"`
	Audit     auditPolicy              `yaml:"audit"`
	Issuers   map[string]issuerPolicy  `yaml:"issuers"`
	People    peoplePolicy             `yaml:"people"`
	Profiles  map[string]ProfileConfig `yaml:"profiles"`
}

// auditPolicy is for how long what people did can be told.
type auditPolicy struct {
	Retention time.Duration `yaml:"retention"`
}

// peoplePolicy is what holds for the passkeys of those who decide.
type peoplePolicy struct {
	Cooling time.Duration `yaml:"cooling"`
}

// issuerPolicy is who an issuer is and what is taken from it. How we log in there, and in which network it is, is operation.
type issuerPolicy struct {
	Title      string        `yaml:"title"`
	URL        string        `yaml:"url"`
	ClientID   string        `yaml:"client_id"`
	Algorithms []string      `yaml:"algorithms"`
	Scopes     []string      `yaml:"scopes"`
	MaxAge     time.Duration `yaml:"max_age"`
	HandedIn   bool          `yaml:"handed_in"`
	// Encrypted says that ID tokens must be encrypted to us: there is a decryption_key.
	Encrypted      bool                    `yaml:"encrypted"`
	PreEstablished bool                    `yaml:"pre_established"`
	ACR            map[string]LevelsConfig `yaml:"acr"`
	Cap            LevelsConfig            `yaml:"cap"`
	Domains        []string                `yaml:"domains"`
}

// policyPart is that of a configuration, with every default filled in, so that it is the same for files that mean the same.
func (c *Config) policyPart() policyPart {
	p := policyPart{
		Assurance: c.Assurance, Audit: auditPolicy{c.Audit.Retention}, People: peoplePolicy{c.People.Cooling},
		Issuers: map[string]issuerPolicy{}, Profiles: map[string]ProfileConfig{},
	}
	for name, i := range c.Issuers {
		p.Issuers[name] = issuerPolicy{
			Title: cmp.Or(i.Title, name), URL: i.URL, ClientID: i.ClientID, Algorithms: i.Algorithms, Scopes: i.Scopes, MaxAge: cmp.Or(i.MaxAge, defaultMaxAge),
			HandedIn: i.HandedIn, Encrypted: i.DecryptionKey != "", PreEstablished: i.PreEstablished, ACR: i.ACR, Cap: i.Cap, Domains: i.Domains,
		}
		if len(i.Algorithms) == 0 {
			filled := p.Issuers[name]
			filled.Algorithms = defaultAlgorithms
			p.Issuers[name] = filled
		}
	}
	for name, profile := range c.Profiles {
		p.Profiles[name] = profile.filled(name, c.Assurance.Framework)
	}
	return p
}

// filled is the profile with what resolve fills in, as it would be written out.
func (p ProfileConfig) filled(name string, f proofing.Framework) ProfileConfig {
	has := p.resolve(name, f)
	p.Title, p.Framework, p.Approve, p.ApprovalLifetime = has.Title, has.Framework, has.Approve, has.ApprovalLifetime
	p.CaseLifetime, p.GrantLifetime, p.Retention = has.CaseLifetime, has.GrantLifetime, has.Retention
	if csr := has.CSR; csr.Purpose != "" {
		p.CSR.MinRSABits, p.CSR.CommonName, p.CSR.Keys = csr.MinRSABits, string(csr.CommonName), nil
		for _, k := range csr.Keys {
			p.CSR.Keys = append(p.CSR.Keys, string(k))
		}
	}
	return p
}

// text is the part in its canonical form: a section is an object, a list a list, and a value the text by which a file would say it. What is not
// set is not there.
func (p policyPart) text() (string, error) {
	text, err := proofing.Canonical(settingsTree(reflect.ValueOf(p)))
	if err != nil {
		return "", fmt.Errorf("write policy: %w", err)
	}
	return string(text), nil
}

func settingsTree(v reflect.Value) any {
	switch {
	case v.Type() == durationType:
		return formatDuration(time.Duration(v.Int()))
	case v.Kind() == reflect.Struct:
		section := map[string]any{}
		for _, f := range settings(v.Type()) {
			if field := v.Field(f.index); field.Kind() == reflect.Struct || field.Kind() == reflect.Map || field.Kind() == reflect.Slice || !field.IsZero() {
				section[f.name] = settingsTree(field)
			}
		}
		maps.DeleteFunc(section, func(_ string, value any) bool {
			inner, isSection := value.(map[string]any)
			list, isList := value.([]any)
			return isSection && len(inner) == 0 || isList && len(list) == 0
		})
		return section
	case v.Kind() == reflect.Map: // each name counts, whatever is beneath it
		section := map[string]any{}
		for _, name := range v.MapKeys() {
			section[name.String()] = settingsTree(v.MapIndex(name))
		}
		return section
	case v.Kind() == reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = settingsTree(v.Index(i))
		}
		return list
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	return fmt.Sprint(v.Interface())
}

// readPolicyPart reads a text as the file would be read. The report has every path that is in it, and what is wrong.
func readPolicyPart(text string) (p policyPart, r *report, err error) {
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return p, nil, fmt.Errorf("read policy: %w", err)
	}
	defaults := defaultConfig() // for settings that an older release did not have
	p = defaults.policyPart()
	d := decoder{report: newReport("the approved policy")}
	d.value("", settingsNode(tree), reflect.ValueOf(&p).Elem())
	if d.failed() { // a release before this one, or after it, has written it
		return p, d.report, fmt.Errorf("read policy: %w", configError{d.report})
	}
	return p, d.report, nil
}

func settingsNode(v any) *yaml.Node {
	switch v := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, settingsNode(name), settingsNode(v[name]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			n.Content = append(n.Content, settingsNode(item))
		}
		return n
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: fmt.Sprint(v)}
}

// spelledOut is the configuration with its policy part as its text says it, so that what differs from another one differs in meaning.
func (c *Config) spelledOut() *Config {
	next := *c
	if text, err := c.policyPart().text(); err == nil {
		if p, _, err := readPolicyPart(text); err == nil {
			p.into(&next, nil)
		}
	}
	return &next
}

// means says whether a policy that was approved means the same as that of this configuration, to this program.
func (c *Config) means(approved string) (bool, error) {
	p, _, err := readPolicyPart(approved)
	if err != nil {
		return false, err
	}
	same := *c
	p.into(&same, nil)
	was, err := same.policyPart().text()
	if err != nil {
		return false, err
	}
	is, err := c.policyPart().text()
	return was == is, err
}

// into puts the part in the place of a configuration's own. The operation part stays: an issuer for which the configuration has nothing to log in with
// takes that from the configuration before, if there is one, and is closed otherwise.
func (p policyPart) into(c, before *Config) {
	c.Assurance, c.Audit.Retention, c.People.Cooling, c.Profiles = p.Assurance, p.Audit.Retention, p.People.Cooling, p.Profiles
	own := c.Issuers
	c.Issuers = map[string]IssuerConfig{}
	for name, i := range p.Issuers {
		if !i.opens(own[name]) && before != nil && i.opens(before.Issuers[name]) {
			c.Issuers[name] = i.over(before.Issuers[name])
		} else {
			c.Issuers[name] = i.over(own[name])
		}
	}
}

// opens says whether we can log in at the issuer with what a configuration has of one of that name. Another provider's secret is not for this one.
func (i issuerPolicy) opens(at IssuerConfig) bool {
	return !at.closed && at.URL == i.URL && at.ClientID == i.ClientID && (!i.Encrypted || at.DecryptionKey != "")
}

// over is the issuer with what the operation part has of it.
func (i issuerPolicy) over(at IssuerConfig) IssuerConfig {
	c := IssuerConfig{
		Title: i.Title, URL: i.URL, ClientID: i.ClientID, Algorithms: i.Algorithms, Scopes: i.Scopes, MaxAge: i.MaxAge, HandedIn: i.HandedIn,
		PreEstablished: i.PreEstablished, ACR: i.ACR, Cap: i.Cap, Domains: i.Domains,
	}
	if c.closed = !i.opens(at); c.closed {
		c.ClientAuth = challenges.AuthNone
		if i.Encrypted { // what it would be worth is judged as if it were open
			c.DecryptionKey = unread
		}
		return c
	}
	c.ClientAuth, c.ClientSecret, c.ClientKey, c.ClientKeyID, c.AllowNetworks = at.ClientAuth, at.ClientSecret, at.ClientKey, at.ClientKeyID, at.AllowNetworks
	if i.Encrypted {
		c.DecryptionKey = at.DecryptionKey
	}
	return c
}

// errClosed is why nobody logs in at a closed issuer.
var errClosed = errors.New("this configuration has nothing to log in with at an issuer of the approved policy")

// closedClient reaches nobody.
type closedClient struct{}

func (closedClient) RoundTrip(*http.Request) (*http.Response, error) { return nil, errClosed }

// under is the configuration with an approved policy in the place of its own. Whatever the policy needs of the rest must be there, or it is a
// configError. Before is what was in force until now; nil: nothing.
func (c *Config) under(v proofing.PolicyVersion, before *Config) (*Config, error) {
	p, read, err := readPolicyPart(v.Text)
	if err != nil {
		return nil, err
	}
	next := *c
	p.into(&next, before)
	next.approved = &v
	r := newReport(c.found.file + " with the approved policy")
	for path, at := range c.found.where {
		if !isPolicy(path) {
			r.where[path] = at
		}
	}
	for path := range read.where {
		if path != "" && !strings.HasSuffix(path, ".encrypted") {
			r.where[path] = place{}
		}
	}
	if next.validate(r); r.failed() {
		return nil, configError{r}
	}
	return &next, nil
}

// isPolicy says whether a setting of the configuration is of its policy part.
func isPolicy(path string) bool {
	if name, is := strings.CutPrefix(path, "issuers."); is {
		name, _, _ = strings.Cut(name, "[")
		i := strings.LastIndexByte(name, '.')
		return i < 0 || !slices.Contains(issuerOperation, name[i+1:])
	}
	return slices.ContainsFunc([]string{"assurance", "audit.retention", "issuers", "people.cooling", "profiles"}, func(part string) bool {
		return path == part || strings.HasPrefix(path, part+".")
	})
}

// issuerOperation are the settings of an issuer that are no policy.
var issuerOperation = []string{"client_auth", "client_secret", "client_key", "client_key_id", "decryption_key", "allow_networks"}

// closedIssuers are those of the approved policy at which nobody can log in here.
func (c *Config) closedIssuers() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Issuers)) {
		if c.Issuers[name].closed {
			names = append(names, name)
		}
	}
	return names
}
