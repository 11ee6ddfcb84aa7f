package acme_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/countersign-id/countersign/acme"
)

// contract holds every request and answer of the tests against the OpenAPI document.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

func newContract(t testing.TB) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(acme.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Integrators must bear new members; the tests must not: what is
	// answered is documented.
	for name, s := range doc.Components.Schemas {
		if !slices.Contains(tolerant, name) {
			closeObjects(s)
		}
	}
	for _, path := range doc.Paths.Map() {
		for _, op := range path.Operations() {
			for _, r := range op.Responses.Map() {
				for _, m := range r.Value.Content {
					closeObjects(m.Schema)
				}
			}
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &contract{doc, router}
}

// tolerant are the objects of ACME, whose unknown members are ignored.
var tolerant = []string{"Account", "JWK", "Identifier"}

// closeObjects admits no undocumented members in a schema and those within it.
func closeObjects(s *openapi3.SchemaRef) {
	if s == nil || s.Ref != "" { // a component is closed where it stands
		return
	}
	no := false
	if len(s.Value.Properties) > 0 {
		s.Value.AdditionalProperties.Has = &no
	}
	for _, p := range s.Value.Properties {
		closeObjects(p)
	}
	closeObjects(s.Value.Items)
}

// check reports whatever of an exchange the document does not describe.
func (c *contract) check(t testing.TB, r *http.Request, body []byte, answer *httptest.ResponseRecorder) {
	t.Helper()
	route, params, err := c.router.FindRoute(r)
	if err != nil { // 404 and 405 belong to no operation
		if answer.Code != http.StatusNotFound && answer.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s is not documented and answered %d", r.Method, r.URL.Path, answer.Code)
		}
		var problem any
		if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		} else if err := c.doc.Components.Schemas["Problem"].Value.VisitJSON(problem, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		return
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true}
	r.Body = http.NoBody
	if len(body) > 0 {
		r = r.Clone(r.Context())
		r.Body = readCloser{bytes.NewReader(body)}
		r.ContentLength = int64(len(body))
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil && answer.Code < 400 {
		t.Errorf("%s %s was answered %d, but the request is not as documented: %v", r.Method, r.URL.Path, answer.Code, err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: answer.Code, Header: answer.Header(), Options: options}
	out.SetBodyBytes(answer.Body.Bytes())
	if answer.Code == http.StatusNotModified || strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") || strings.HasPrefix(answer.Header().Get("Content-Type"), "application/yaml") {
		options.ExcludeResponseBody = true
	}
	if err := openapi3filter.ValidateResponse(r.Context(), out); err != nil {
		t.Errorf("%s %s: the answer %d is not as documented: %v\n%s", r.Method, r.URL.Path, answer.Code, err, answer.Body)
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func TestRoutesAndDocumentAgree(t *testing.T) {
	c := newContract(t)
	var documented, served []string
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	for _, r := range acme.Routes() {
		served = append(served, r[0]+" "+r[1])
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented: %q\nserved: %q", documented, served)
	}
}

func TestProblemTypesAndDocumentAgree(t *testing.T) {
	var documented []string
	for _, one := range newContract(t).doc.Components.Schemas["ProblemType"].Value.OneOf {
		documented = append(documented, one.Value.Const.(string))
	}
	answered := acme.ProblemTypes()
	slices.Sort(documented)
	slices.Sort(answered)
	if !slices.Equal(documented, answered) {
		t.Errorf("documented: %q\nanswered: %q", documented, answered)
	}
}

func TestExamplesOfRequestsAreAccepted(t *testing.T) {
	w := newWorld(t)
	path := w.contract.doc.Paths.Value("/v1/preauthorizations")
	for name, e := range path.Post.RequestBody.Value.Content["application/json"].Examples {
		body, err := json.Marshal(e.Value.Value)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.do(t, "POST", "/v1/preauthorizations", w.token, string(body)); r.Code != http.StatusCreated {
			t.Errorf("%s: %d %s", name, r.Code, r.Body)
		}
	}
	for _, p := range []string{"/v1/authorize", "/v1/accounts"} {
		body, err := json.Marshal(w.contract.doc.Paths.Value(p).Post.RequestBody.Value.Content["application/json"].Example)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.do(t, "POST", p, w.token, string(body)); r.Code != http.StatusOK {
			t.Errorf("%s: %d %s", p, r.Code, r.Body)
		}
	}
}
