package acme_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

// posts are a good request for every route that takes a body.
func posts(id string) map[string]string {
	return map[string]string{
		caPath:                           request("client", applicant),
		caPath + "/" + id:                `{"status":"deactivated"}`,
		caPath + "/" + id + "/challenge": `{}`,
		"/v1/authorize":                  question("client", "email:"+applicant),
		"/v1/accounts":                   `{"event":"deactivated","account":{"thumbprint":"` + thumbprint + `"}}`,
	}
}

func TestNobodyIsServedWithoutACredential(t *testing.T) {
	w := newWorld(t)
	id := w.open(t, "client").text("id")
	requests := posts(id)
	revoked := *w.ca
	revoked.Tokens[0].Revoked = w.clock()
	for name, token := range map[string]string{"none": "", "of nobody": "csca.alpha.x.y", "of an unknown CA": "csca.gamma.x.y", "cut": w.token[:len(w.token)-1], "of another form": "secret", "long": strings.Repeat("x", 600)} {
		for path := range requests {
			// The body is far too large: it must not have been read before the credential.
			r := w.do(t, "POST", path, token, strings.Repeat("x", 70<<10))
			if r.Code != 401 || !strings.HasPrefix(r.Header().Get("WWW-Authenticate"), "Bearer") || decode(t, r).text("type") != "urn:countersign:error:credentialInvalid" {
				t.Errorf("%s at %s: %d %v %s", name, path, r.Code, r.Header(), r.Body)
			}
		}
		if r := w.do(t, "GET", caPath+"/"+id, token, ""); r.Code != 401 {
			t.Errorf("%s: %d", name, r.Code)
		}
	}
	for _, header := range [][]string{{"Basic " + w.token}, {"Bearer"}, {w.token}, {"Bearer " + w.token, "Bearer " + w.stranger}} {
		r := httptest.NewRequest("GET", caPath+"/"+id, nil)
		r.Header["Authorization"] = header
		if answer := w.exchange(t, r, ""); answer.Code != 401 {
			t.Errorf("%q: %d", header, answer.Code)
		}
	}
	r := httptest.NewRequest("GET", caPath+"/"+id, nil)
	r.Header.Set("Authorization", "bearer "+w.token) // RFC 9110 11.1: schemes know no case
	if answer := w.exchange(t, r, ""); answer.Code != 200 {
		t.Errorf("bearer: %d", answer.Code)
	}
}

func TestAnAuthoritySeesItsOwnAlone(t *testing.T) {
	w := newWorld(t)
	id := w.open(t, "client").text("id")
	other := w.do(t, "POST", caPath, w.stranger, request("client", applicant))
	if decode(t, other).text("id") == id {
		t.Fatal("two authorities share an authorization")
	}
	const absent = "00000000000000000000000000"
	for path, body := range posts(id) {
		if !strings.Contains(path, id) {
			continue
		}
		theirs := w.do(t, "POST", path, w.stranger, body)
		none := w.do(t, "POST", strings.Replace(path, id, absent, 1), w.stranger, body)
		if theirs.Code != 404 || none.Code != 404 || theirs.Body.String() != none.Body.String() {
			t.Errorf("%s: %d %s, absent: %d %s", path, theirs.Code, theirs.Body, none.Code, none.Body)
		}
	}
	for _, wait := range []string{"", "?wait=30"} {
		if r := w.do(t, "GET", caPath+"/"+id+wait, w.stranger, ""); r.Code != 404 {
			t.Errorf("read%s: %d", wait, r.Code)
		}
	}
	w.prove(t, w.open(t, "client").text("case_url"), applicant)
	if r := w.do(t, "POST", "/v1/authorize", w.stranger, question("client", "email:"+applicant)); decode(t, r)["allow"] != false {
		t.Error("a grant serves another authority")
	}
	w.do(t, "POST", "/v1/accounts", w.stranger, `{"event":"deactivated","account":{"thumbprint":"`+thumbprint+`"}}`)
	if o := w.want(t, 200, "GET", caPath+"/"+id, ""); o.text("status") != "valid" {
		t.Error("another authority ended a grant")
	}
	for _, odd := range []string{"x", "99zzzz", "00..", strings.Repeat("0", 200)} {
		if r := w.do(t, "GET", caPath+"/"+odd, w.token, ""); r.Code != 404 {
			t.Errorf("id %s: %d", odd, r.Code)
		}
	}
}

func TestMethodsAndURLsThatAreNotServed(t *testing.T) {
	w := newWorld(t)
	methods := map[string][]string{}
	for _, r := range acme.Routes() {
		methods[r[1]] = append(methods[r[1]], r[0])
	}
	for path, served := range methods {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
			if slices.Contains(served, method) {
				continue
			}
			r := w.do(t, method, strings.NewReplacer("{id}", "00x", "{kid}", "cs0").Replace(path), w.token, "")
			if r.Code != 405 || !strings.Contains(r.Header().Get("Allow"), served[0]) || decode(t, r).text("type") != "urn:countersign:error:methodNotAllowed" {
				t.Errorf("%s %s: %d %v %s", method, path, r.Code, r.Header(), r.Body)
			}
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/eab", "/v2/accounts", caPath + "/x/y/z"} {
		if r := w.do(t, "POST", path, w.token, "{}"); r.Code != 404 || decode(t, r).text("type") != "urn:countersign:error:notFound" {
			t.Errorf("%s: %d %s", path, r.Code, r.Body)
		}
	}
	if r := w.do(t, "GET", "/docs", "", ""); r.Code != 200 {
		t.Errorf("docs: %d", r.Code)
	}
}

func TestBodiesThatAreRefusedUnread(t *testing.T) {
	w := newWorld(t)
	for path, body := range posts(w.open(t, "client").text("id")) {
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jose+json"} {
			if r := w.do(t, "POST", path, w.token, body, "Content-Type", media); r.Code != 415 {
				t.Errorf("%s with %q: %d", path, media, r.Code)
			}
		}
		if r := w.do(t, "POST", path, w.token, body[:len(body)-1]+strings.Repeat(" ", 64<<10)+"}"); r.Code != 413 {
			t.Errorf("%s with a large body: %d", path, r.Code)
		}
		if r := w.do(t, "POST", path, w.token, body, "Content-Type", "application/json; charset=UTF-8"); r.Code == 413 || r.Code == 415 {
			t.Errorf("%s: %d %s", path, r.Code, r.Body)
		}
	}
}

func TestEveryObjectIsReadStrictly(t *testing.T) {
	w := newWorld(t)
	for path, body := range posts(w.open(t, "client").text("id")) {
		for name, c := range map[string]struct{ body, problem, pointer string }{
			"an unknown member":         {with(`{"extra":1`, body), "urn:countersign:error:unknownMember", "#/extra"},
			"one with odd letters":      {with(`{"a/b ~é":1`, body), "urn:countersign:error:unknownMember", "#/a~1b%20~0%C3%A9"},
			"a duplicate":               {with(`{"extra":1,"extra":1`, body), "urn:countersign:error:duplicateMember", "#/extra"},
			"a duplicate by escape":     {with(`{"extra":{"\u0061":1,"a":2}`, body), "urn:countersign:error:duplicateMember", "#/extra/a"},
			"a duplicate in a list":     {with(`{"extra":[0,{"a":1,"a":2}]`, body), "urn:countersign:error:duplicateMember", "#/extra/1/a"},
			"something after it":        {body + "{}", "urn:ietf:params:acme:error:malformed", ""},
			"half of it":                {body[:len(body)/2], "urn:ietf:params:acme:error:malformed", ""},
			"a list":                    {"[" + body + "]", "urn:ietf:params:acme:error:malformed", ""},
			"null":                      {"null", "urn:ietf:params:acme:error:malformed", ""},
			"letters that are no UTF-8": {with(`{"`+"\xff"+`":1`, body), "urn:ietf:params:acme:error:malformed", ""},
			"a comment":                 {body + "// x", "urn:ietf:params:acme:error:malformed", ""},
			"a trailing comma":          {strings.TrimSuffix(body, "}") + ",}", "urn:ietf:params:acme:error:malformed", ""},
			"a deep nest":               {with(`{"extra":`+strings.Repeat("[", 40)+strings.Repeat("]", 40), body), "urn:ietf:params:acme:error:malformed", ""},
		} {
			o := w.want(t, 400, "POST", path, c.body)
			found := c.pointer == "" && o.text("type") == c.problem
			for _, s := range o.list("subproblems") {
				found = found || s.text("type") == c.problem && s.text("pointer") == c.pointer
			}
			if !found {
				t.Errorf("%s at %s: %v", name, path, o)
			}
		}
	}
}

// with puts a member before those of a body.
func with(member, body string) string {
	if body == "{}" {
		return member + "}"
	}
	return member + "," + body[1:]
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	w := newWorld(t)
	o := w.want(t, 400, "POST", caPath, `{"Account":{},"identifier":{"type":7,"extra":1},"profile":"","external_id":null,"contacts":{"email":["a"],"fax":"1"},"csr":"AA"}`)
	var got []string
	for _, s := range o.list("subproblems") {
		got = append(got, s.text("pointer"))
	}
	slices.Sort(got)
	want := []string{"#/Account", "#/contacts/email", "#/contacts/fax", "#/csr", "#/external_id", "#/identifier/type", "#/identifier/value", "#/profile"}
	if !slices.Equal(got, want) || o.text("type") != "urn:ietf:params:acme:error:malformed" {
		t.Errorf("%v", o)
	}
}

func TestWithTheStoreDownNothingIsHalfDone(t *testing.T) {
	for path := range posts("{id}") {
		t.Run(path, func(t *testing.T) {
			w := newWorld(t)
			id := w.open(t, "client").text("id")
			here, body := strings.Replace(path, "{id}", id, 1), posts(id)[strings.Replace(path, "{id}", id, 1)]
			if path == caPath {
				body = strings.Replace(body, applicant, "other@example.org", 1)
			}
			for n := 1; ; n++ { // the n-th call of the store fails, for every n
				calls := 0
				w.kv.sabotage(func(string) bool { calls++; return calls == n })
				r := w.do(t, "POST", here, w.token, body)
				w.kv.sabotage(nil)
				if calls < n {
					break
				}
				if r.Code != 503 || r.Header().Get("Retry-After") == "" || decode(t, r).text("type") != "urn:countersign:error:unavailable" {
					t.Fatalf("call %d failed: %d %v %s", n, r.Code, r.Header(), r.Body)
				}
			}
			if r := w.do(t, "POST", here, w.token, body); r.Code >= 300 {
				t.Errorf("when the store is back: %d %s", r.Code, r.Body)
			}
			want := 1
			if path == caPath {
				want = 2
			}
			if n := w.countCases(t); n != want {
				t.Errorf("%d cases, want %d", n, want)
			}
		})
	}
}

// countCases counts all cases that there are.
func (w *world) countCases(t testing.TB) int {
	t.Helper()
	all, _, err := w.Cases.List(t.Context(), proofing.Query{Index: "ca", Below: "beta"})
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestWithTheStoreDownAKeyIsFreeOrAnswers(t *testing.T) {
	w := newWorld(t)
	for n := 1; ; n++ {
		calls := 0
		w.kv.sabotage(func(string) bool { calls++; return calls == n })
		key := strings.Repeat("k", n)
		first := w.do(t, "POST", caPath, w.token, nobody, "Idempotency-Key", key)
		w.kv.sabotage(nil)
		if calls < n {
			break
		}
		w.pass(121 * time.Second) // a claim that could not be released ends by itself
		again := w.do(t, "POST", caPath, w.token, nobody, "Idempotency-Key", key)
		if first.Code != 201 && first.Code != 503 || again.Code != 201 {
			t.Errorf("call %d failed: %d %s, then %d %s", n, first.Code, first.Body, again.Code, again.Body)
		}
	}
}

func TestTheLogHasNoSecrets(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	w.want(t, 400, "POST", caPath, `{"Profile":"golden-secret"}`)
	w.do(t, "GET", path(o), "csca.alpha.wrong.wrong", "")
	w.kv.sabotage(func(string) bool { return true })
	w.want(t, 503, "GET", path(o), "")
	w.kv.sabotage(nil)
	log := w.log.String()
	for _, secret := range []string{w.token, "wrong", o.text("id"), applicant, thumbprint, "golden-secret", o.text("case_url"), o.list("challenges")[0].text("token")} {
		if strings.Contains(log, secret) {
			t.Errorf("the log contains %q", secret)
		}
	}
	for _, want := range []string{`"route":"POST /v1/preauthorizations"`, `"route":"GET /v1/preauthorizations/{id}"`, `"ca":"alpha"`, `"status":401`, `"level":"WARN"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if !regexp.MustCompile(`"took_ms":\d{1,4}(\.\d{1,3})?,`).MatchString(log) {
		t.Errorf("the log does not say how many milliseconds a request took:\n%s", log)
	}
	if n := strings.Count(log, "\n"); n != 4 {
		t.Errorf("4 requests left %d lines", n)
	}
}

func TestAFaultOfOursTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.Cases = failingCases{w.Cases}
	r := w.do(t, "POST", caPath, w.token, nobody)
	if r.Code != http.StatusInternalServerError || strings.Contains(r.Body.String(), "unforeseen") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	if !strings.Contains(w.log.String(), "unforeseen") {
		t.Error("the log does not say what happened")
	}
}

func TestASmallBodyHasNoGiantAnswer(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a/", 15<<10)
	for what, body := range map[string]string{
		"duplicates below a long name": `{"` + long + `":{` + strings.Repeat(`"b":1,`, 5000) + `"c":1}}`,
		"many unknown members":         `{` + strings.Repeat(`"b":1,`, 9000) + `"c":1}`,
		"long names all the way down":  `{"` + long + `":{"` + long + `":1,"b":1,"b":1}}`,
	} {
		r := w.do(t, "POST", caPath, w.token, body)
		if r.Code != 400 || r.Body.Len() > 64<<10 {
			t.Errorf("%s: %d with %d bytes for %d", what, r.Code, r.Body.Len(), len(body))
		}
	}
}
