package acme

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// keyView is a key as its authority sees it. Its MAC key is in the answer that makes it, and in no other.
type keyView struct {
	Kid          string                `json:"kid"`
	Status       string                `json:"status"`
	Reason       string                `json:"reason,omitempty"`
	Algorithm    string                `json:"algorithm"`
	DirectoryURL string                `json:"directory_url,omitempty"`
	Profile      string                `json:"profile"`
	Identifiers  []proofing.Identifier `json:"identifiers"`
	Subject      string                `json:"subject,omitempty"`
	MaxAccounts  int                   `json:"max_accounts"`
	Accounts     []boundView           `json:"accounts"`
	// Authorization is that of the proof which the key is the result of.
	Authorization string     `json:"authorization,omitempty"`
	Created       time.Time  `json:"created"`
	Expires       time.Time  `json:"expires"`
	UnusedUntil   *time.Time `json:"unused_until,omitempty"`
	Revoked       *time.Time `json:"revoked,omitempty"`
	// Released is since when the authority has the MAC key.
	Released   *time.Time `json:"released,omitempty"`
	Replaces   string     `json:"replaces,omitempty"`
	ReplacedBy string     `json:"replaced_by,omitempty"`
}

type boundView struct {
	URL        string    `json:"url,omitempty"`
	Thumbprint string    `json:"thumbprint"`
	BoundAt    time.Time `json:"bound_at"`
}

// madeKey is the one answer with a secret in it.
type madeKey struct {
	keyView
	HMACKey      string            `json:"hmac_key"`
	Instructions map[string]string `json:"instructions"`
	// Warnings are why the key is of no use as the authority is set up.
	Warnings []certificateWarning `json:"warnings,omitempty"`
}

// keyWarnings is what is not set up of an authority, without which its keys are of no use.
func keyWarnings(ca *proofing.Authority) []certificateWarning {
	if ca.TakesKeys() {
		return nil
	}
	return []certificateWarning{{"no_new_account", "no newAccount URL of this certificate authority is registered, so that no binding is good: the operator of this service adds it (countersign ca set)"}}
}

func (a *api) viewKey(k *proofing.Key) keyView {
	v := keyView{
		Kid: k.Kid, Status: string(k.Status(a.Service.Now())), Reason: k.Reason, Algorithm: k.Algorithm, DirectoryURL: k.Directory, Profile: k.Profile,
		Identifiers: append([]proofing.Identifier{}, k.Identifiers...), Subject: k.Subject, MaxAccounts: k.MaxAccounts, Accounts: []boundView{},
		Authorization: k.Case, Created: k.Created, Expires: k.Expires, Replaces: k.Replaces, ReplacedBy: k.ReplacedBy,
	}
	for _, b := range k.Accounts {
		v.Accounts = append(v.Accounts, boundView{b.URL, b.Thumbprint, b.At})
	}
	if k.Unused() {
		v.UnusedUntil = &k.UnusedUntil
	}
	if !k.Revoked.IsZero() {
		v.Revoked = &k.Revoked
	}
	if !k.Released.IsZero() {
		v.Released = &k.Released
	}
	return v
}

// makeKey makes a key for somebody whom the authority knows.
func (a *api) makeKey(c *call) (answer, error) {
	r, err := readKeyRequest(c.body)
	if err != nil {
		return answer{}, err
	}
	k, err := a.Service.IssueKey(c.Context(), c.ca, r)
	if err != nil {
		return answer{}, err
	}
	return a.showMade(c, k)
}

func (a *api) showMade(c *call, k *proofing.Key) (answer, error) {
	ans, err := jsonAnswer(http.StatusCreated, madeKey{a.viewKey(k), k.Secret.Reveal(), k.Instructions(k.Directory), keyWarnings(c.ca)})
	if err == nil {
		ans.header["Location"] = a.Origin + "/v1/eab/keys/" + k.Kid
	}
	return ans, err
}

func readKeyRequest(body []byte) (proofing.KeyRequest, error) {
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return proofing.KeyRequest{}, err
	}
	o.require("profile")
	r := proofing.KeyRequest{
		Profile: o.text("profile", 64), Subject: o.text("subject", 256), Directory: o.text("directory", 2048),
		ExpiresIn: time.Duration(o.whole("expires_in", 1<<31)) * time.Second, MaxAccounts: int(o.whole("max_accounts", 1<<31)),
	}
	if o.has("identifiers") {
		r.Identifiers = readIdentifiers(o, "identifiers")
	}
	o.closed()
	return r, m.err()
}

// whole reads an optional whole number from 1 to most; 0 if it is not there.
func (o *object) whole(name string, most int64) int64 {
	v, ok := o.member(name, isOther)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || n < 1 || n > most {
		o.mistake(name, fmt.Sprintf("%q must be a whole number from 1 to %d", name, most))
		return 0
	}
	return n
}

const (
	keysPage     = 100
	mostKeysPage = 1000
)

// listKeys lists the authority's keys, page by page, in the order of their ids: all of them, or those of one subject.
func (a *api) listKeys(c *call) (answer, error) {
	q := c.URL.Query()
	limit := keysPage
	if given := q.Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > mostKeysPage {
			return answer{}, malformed(fmt.Sprintf("limit is a whole number from 1 to %d", mostKeysPage))
		}
		limit = n
	}
	var keys []*proofing.Key
	var next string
	var err error
	if subject := q.Get("subject"); subject != "" {
		keys, next, err = a.Service.SubjectKeys(c.Context(), c.ca.Name, subject, q.Get("after"), limit)
	} else {
		keys, next, err = a.Service.KeysOf(c.Context(), c.ca.Name, q.Get("after"), limit)
	}
	if err != nil {
		return answer{}, err
	}
	out := struct {
		Keys []keyView `json:"keys"`
		Next string    `json:"next,omitempty"`
	}{Keys: []keyView{}, Next: next}
	for _, k := range keys {
		out.Keys = append(out.Keys, a.viewKey(k))
	}
	return jsonAnswer(http.StatusOK, out)
}

func (a *api) readKey(c *call) (answer, error) {
	k, err := a.Service.Key(c.Context(), c.ca.Name, c.PathValue("kid"))
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(http.StatusOK, a.viewKey(k))
}

// revokeKey ends a key and what was granted by it; it may be called again.
func (a *api) revokeKey(c *call) (answer, error) {
	if err := readEmpty(c.body); err != nil {
		return answer{}, err
	}
	k, err := a.Service.RevokeKey(c.Context(), c.ca.Name, c.PathValue("kid"), "key_revoked")
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(http.StatusOK, a.viewKey(k))
}

// rotateKey puts a new key in the place of one, which works on for the overlap that is asked for.
func (a *api) rotateKey(c *call) (answer, error) {
	overlap := proofing.DefaultOverlap
	if len(c.body) > 0 {
		m := &mistakes{}
		o, err := readBody(c.body, m)
		if err != nil {
			return answer{}, err
		}
		if n := o.whole("overlap", int64(proofing.MostOverlap/time.Second)); n > 0 {
			overlap = time.Duration(n) * time.Second
		}
		o.closed()
		if err := m.err(); err != nil {
			return answer{}, err
		}
	}
	k, err := a.Service.RotateKey(c.Context(), c.ca, c.PathValue("kid"), overlap)
	if err != nil {
		return answer{}, err
	}
	return a.showMade(c, k)
}

// readEmpty reads a request that says nothing: no body, or an empty object.
func readEmpty(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return err
	}
	o.closed()
	return m.err()
}
