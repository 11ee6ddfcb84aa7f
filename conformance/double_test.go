package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
)

const theKid = "kid-1"

var theKey = []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

// double is a small ACME server that is right about external account bindings, and wrong where a test says so.
type double struct {
	*httptest.Server
	optional bool   // it requires no binding
	terms    string // of service
	once     bool   // a key is good for one account
	// authorizes: it serves newAuthz, and otherwise nothing but accounts.
	authorizes bool
	wrong      map[string]bool // what it gets wrong; the names are those of the table in eab_test.go
	before     func(w http.ResponseWriter, r *http.Request, payload object) (done bool)

	mu       sync.Mutex
	nonces   map[string]bool
	accounts map[string]*stored // by URL
	authzs   map[string]*storedAuthz
	used     map[string]int // accounts, by kid
	asked    int
}

type stored struct {
	key     *ecdsa.PublicKey
	binding any
	status  string
}

func newDouble(t *testing.T, wrong ...string) *double {
	d := &double{wrong: map[string]bool{}, nonces: map[string]bool{}, accounts: map[string]*stored{}, authzs: map[string]*storedAuthz{}, used: map[string]int{}}
	for _, w := range wrong {
		d.wrong[w] = true
	}
	d.Server = httptest.NewTLSServer(http.HandlerFunc(d.serve))
	t.Cleanup(d.Close)
	return d
}

func (d *double) newAccount() string { return d.URL + "/new-account" }

func (d *double) serve(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	nonce := fmt.Sprintf("nonce-%d", d.asked)
	d.nonces[nonce] = true
	w.Header().Set("Replay-Nonce", nonce)
	switch r.URL.Path {
	case "/directory":
		meta := object{"externalAccountRequired": !d.optional && !d.wrong["says nothing of requiring"] || d.optional && d.wrong["says it requires"]}
		if d.terms != "" {
			meta["termsOfService"] = d.terms
		}
		directory := object{"newNonce": d.URL + "/new-nonce", "newAccount": d.newAccount(), "meta": meta}
		if d.authorizes {
			directory["newAuthz"], directory["newOrder"] = d.newAuthzURL(), d.URL+"/new-order"
		}
		if d.wrong["has newAuthz in plain HTTP"] {
			directory["newAuthz"] = "http://ca.example/new-authz"
		}
		_, _ = w.Write(directory.json())
	case "/new-nonce":
	default:
		d.post(w, r)
	}
}

func (d *double) refuse(w http.ResponseWriter, status int, kind, detail string) {
	if d.wrong["refuses in plain words"] {
		http.Error(w, detail, status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(object{"type": errorPrefix + kind, "detail": detail}.json())
}

// post verifies a request as RFC 8555 6.2 to 6.5 have it.
func (d *double) post(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var jws struct{ Protected, Payload, Signature string }
	var header struct {
		Alg, Nonce, URL, Kid string
		JWK                  map[string]string
	}
	protected, payload := []byte(nil), []byte(nil)
	if json.Unmarshal(raw, &jws) == nil {
		protected, _ = base64.RawURLEncoding.DecodeString(jws.Protected)
		payload, _ = base64.RawURLEncoding.DecodeString(jws.Payload)
	}
	if z := d.authzs[d.URL+r.URL.Path]; r.Method == http.MethodGet {
		if z != nil && d.wrong["answers GET"] {
			d.showAuthz(w, 200, z)
			return
		}
		d.refuse(w, 405, "malformed", "no GET here")
		return
	}
	atAuthz := r.URL.Path == "/new-authz"
	if json.Unmarshal(protected, &header) != nil || header.Alg != "ES256" || r.Header.Get("Content-Type") != "application/jose+json" {
		d.refuse(w, 400, "malformed", "the request")
		return
	}
	if header.URL != d.URL+r.URL.Path && !(atAuthz && d.wrong["compares no URL of a request"]) {
		kind := "unauthorized"
		if d.wrong["has another word for a wrong URL"] {
			kind = "malformed"
		}
		d.refuse(w, 403, kind, "the URL")
		return
	}
	if !d.nonces[header.Nonce] && !(atAuthz && (header.Nonce == "" && d.wrong["needs no nonce"] || header.Nonce != "" && d.wrong["takes a nonce twice"])) {
		d.refuse(w, 400, "badNonce", "the nonce")
		return
	}
	delete(d.nonces, header.Nonce)
	at := d.accounts[header.Kid]
	key := (*ecdsa.PublicKey)(nil)
	if header.Kid == "" && atAuthz && d.wrong["finds the account by its key"] {
		for _, have := range d.accounts {
			if have.key.Equal(publicKey(header.JWK)) {
				at, key = have, have.key
			}
		}
	} else if header.Kid == "" && r.URL.Path == "/new-account" {
		key = publicKey(header.JWK)
	} else if at != nil && (header.Kid == d.URL+r.URL.Path || !strings.HasPrefix(r.URL.Path, "/account/")) && at.status == "valid" {
		key = at.key
	}
	if key == nil || !(atAuthz && d.wrong["looks at the kid alone"]) && !verifies(key, jws.Protected+"."+jws.Payload, jws.Signature) {
		d.refuse(w, 401, "unauthorized", "the signature")
		return
	}
	var body object
	_ = json.Unmarshal(payload, &body)
	if d.before != nil && d.before(w, r, body) {
		return
	}
	if d.authorize(w, r, at, body) {
		return
	}
	if at != nil && strings.HasPrefix(r.URL.Path, "/account/") {
		d.update(w, at, body)
		return
	}
	if at != nil {
		d.refuse(w, 404, "malformed", "nothing is here")
		return
	}
	d.register(w, header.JWK, key, body)
}

func publicKey(jwk map[string]string) *ecdsa.PublicKey {
	x, _ := base64.RawURLEncoding.DecodeString(jwk["x"])
	y, _ := base64.RawURLEncoding.DecodeString(jwk["y"])
	if len(x) != 32 || len(y) != 32 || jwk["kty"] != "EC" || jwk["crv"] != "P-256" {
		return nil
	}
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil
	}
	return k
}

func verifies(key *ecdsa.PublicKey, input, signature string) bool {
	s, _ := base64.RawURLEncoding.DecodeString(signature)
	digest := sha256.Sum256([]byte(input))
	return len(s) == 64 && ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:]))
}

func (d *double) show(w http.ResponseWriter, status int, at *stored) {
	body := object{"status": at.status, "orders": d.URL + "/orders"}
	if at.binding != nil && !d.wrong["reflects nothing"] && !(status == 200 && d.wrong["shows the binding once"]) {
		body["externalAccountBinding"] = at.binding
		if d.wrong["reflects something else"] {
			body["externalAccountBinding"] = object{"payload": "else"}
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.json())
}

func (d *double) update(w http.ResponseWriter, at *stored, body object) {
	if body["status"] == "deactivated" && !d.wrong["deactivates nothing"] {
		at.status = "deactivated"
	}
	if b := body["externalAccountBinding"]; b != nil && d.wrong["lets the binding be changed"] {
		at.binding = b
	}
	if body["contact"] != nil && d.wrong["forgets the binding at an update"] {
		at.binding = nil
	}
	if body["contact"] != nil && d.wrong["mixes bindings up"] {
		at.binding = object{"payload": "of somebody else"}
	}
	d.show(w, 200, at)
}

func (d *double) register(w http.ResponseWriter, jwk map[string]string, key *ecdsa.PublicKey, body object) {
	binding, has := body["externalAccountBinding"]
	if d.wrong["wants a binding to look an account up"] && !has {
		d.refuse(w, 400, "externalAccountRequired", "bring one")
		return
	}
	for url, at := range d.accounts {
		if !at.key.Equal(key) {
			continue
		}
		if d.wrong["knows no account again"] && has {
			d.refuse(w, 409, "malformed", "there is an account")
			return
		}
		w.Header().Set("Location", url)
		d.show(w, 200, at)
		return
	}
	if body["onlyReturnExisting"] == true {
		d.refuse(w, 400, "accountDoesNotExist", "there is none")
		return
	}
	if d.terms != "" && body["termsOfServiceAgreed"] != true {
		d.refuse(w, 403, "userActionRequired", "agree first")
		return
	}
	at := &stored{key: key, status: "valid"}
	why := ""
	switch {
	case has && !d.wrong["verifies nothing"]:
		why = d.judge(binding, jwk)
		if at.binding = binding; why == "" && d.once {
			kid := kidOf(binding)
			if d.used[kid]++; d.used[kid] > 1 {
				why = "the key is used"
			}
		}
	case has && d.wrong["reflects what it does not verify"]:
		at.binding = binding
	case !has && !d.optional && !d.wrong["requires nothing"]:
		kind := "externalAccountRequired"
		if d.wrong["has another word for required"] {
			kind = "malformed"
		}
		d.refuse(w, 400, kind, "a binding is required")
		return
	}
	if why != "" && !d.wrong["makes the account all the same"] {
		d.refuse(w, 403, "unauthorized", why)
		return
	}
	url := fmt.Sprintf("%s/account/%d", d.URL, len(d.accounts)+1)
	d.accounts[url] = at
	if why != "" {
		d.refuse(w, 403, "unauthorized", why)
		return
	}
	status := 201
	if d.wrong["answers 200 for a new account"] {
		status = 200
	}
	if !d.wrong["does not say where an account is"] {
		w.Header().Set("Location", url)
	}
	d.show(w, status, at)
}

// kidOf is the kid of a binding that is right.
func kidOf(binding any) string {
	b, _ := binding.(map[string]any)
	protected, _ := b["protected"].(string)
	raw, _ := base64.RawURLEncoding.DecodeString(protected)
	var h struct{ Kid string }
	_ = json.Unmarshal(raw, &h)
	return h.Kid
}

// judge is RFC 8555 7.3.4; each mistake that a test may have it make stands where it would be made.
func (d *double) judge(binding any, jwk map[string]string) string {
	if text, ok := binding.(string); ok && d.wrong["reads the compact form"] {
		if p := strings.Split(text, "."); len(p) == 3 {
			binding = map[string]any{"protected": p[0], "payload": p[1], "signature": p[2]}
		}
	}
	b, ok := binding.(map[string]any)
	if !ok {
		return "the binding is no object"
	}
	if len(b) == 0 && d.wrong["takes nothing for something"] {
		return ""
	}
	protected, ok1 := b["protected"].(string)
	payload, ok2 := b["payload"].(string)
	signature, ok3 := b["signature"].(string)
	if _, there := b["payload"]; !there && d.wrong["knows what the payload must be"] {
		payload, ok2 = b64(toObject(jwk).json()), true
	}
	if _, there := b["signature"]; !there && d.wrong["verifies a MAC if there is one"] {
		ok3 = true
	}
	if !ok1 || !ok2 || !ok3 {
		return "the binding is no flattened JWS"
	}
	raw, err := base64.RawURLEncoding.DecodeString(protected)
	if err != nil && d.wrong["takes padding"] {
		raw, err = base64.URLEncoding.DecodeString(protected)
	}
	if err != nil {
		return "the header is not base64url"
	}
	var h map[string]any
	if json.Unmarshal(raw, &h) != nil {
		if !d.wrong["mends JSON"] || json.Unmarshal(append([]byte("{"), raw...), &h) != nil {
			return "the header is no JSON object"
		}
	}
	if strings.Count(string(raw), `"url"`) > 1 {
		if !d.wrong["takes the first of two"] {
			return "a name comes twice"
		}
		h["url"] = d.newAccount()
	}
	if h["crit"] != nil && !d.wrong["ignores crit"] {
		return "there is something critical"
	}
	if h["nonce"] != nil && !d.wrong["ignores a nonce"] {
		return "there is a nonce"
	}
	switch url, _ := h["url"].(string); {
	case url == d.newAccount(), h["url"] == nil && d.wrong["needs no url"], url != "" && d.wrong["compares no url"]:
	case d.wrong["compares paths"] && strings.TrimSuffix(url, "?") == d.newAccount():
	default:
		return "the url is another"
	}
	kid, _ := h["kid"].(string)
	if kid == "" && d.wrong["reads unprotected headers"] {
		unprotected, _ := b["header"].(map[string]any)
		kid, _ = unprotected["kid"].(string)
	}
	if kid == "" && b["header"] == nil && d.wrong["has a kid of its own"] {
		kid = theKid
	}
	key := map[string][]byte{theKid: theKey, otherKid: theKey}[kid]
	if kid != "" && key == nil && d.wrong["has one key for all"] {
		key = theKey
	}
	if key == nil && (kid == "" || !d.wrong["has an empty key for the unknown"]) {
		return "the kid is unknown"
	}
	if why := d.mac(h["alg"], key, protected+"."+payload, signature, jwk, b); why != "" {
		return why
	}
	body, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "the payload is not base64url"
	}
	var inner map[string]string
	switch {
	case len(body) == 0 && d.wrong["takes an empty payload"]:
	case json.Unmarshal(body, &inner) != nil && !(body != nil && len(body) > 0 && d.wrong["takes a payload that is no key"]):
		return "the payload is no key"
	case inner != nil && !reflect.DeepEqual(inner, jwk) && !d.wrong["compares no keys"]:
		return "the payload is another key"
	}
	return ""
}

func (d *double) mac(alg any, key []byte, input, signature string, jwk map[string]string, b map[string]any) string {
	if alg == nil && d.wrong["has an algorithm of its own"] {
		alg = "HS256"
	}
	got, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return "the MAC is not base64url"
	}
	switch {
	case alg == "none" && d.wrong["takes none"]:
		return ""
	case alg == "ES256" && d.wrong["takes the account's signature"] && verifies(publicKey(jwk), input, signature):
		return ""
	case b["signature"] == nil && d.wrong["verifies a MAC if there is one"], d.wrong["verifies no MAC"]:
		return ""
	}
	name, _ := alg.(string)
	make, ok := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[name]
	if !ok {
		return "the algorithm is none of ours"
	}
	if d.wrong["knows one algorithm"] {
		make = sha256.New
	}
	m := hmac.New(make, key)
	m.Write([]byte(input))
	want := m.Sum(nil)
	switch {
	case d.wrong["compares as much as there is"] && len(got) > 0 && len(got) < len(want):
		want = want[:len(got)]
	case d.wrong["takes an empty MAC"] && len(got) == 0:
		want = got
	case d.wrong["compares all but the last byte"] && len(got) == len(want):
		want, got = want[:len(want)-1], got[:len(got)-1]
	}
	if !hmac.Equal(want, got) {
		return "the MAC is wrong"
	}
	return ""
}

func toObject(m map[string]string) object {
	o := object{}
	for k, v := range m {
		o[k] = v
	}
	return o
}
