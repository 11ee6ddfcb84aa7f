package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// probe asks a handler and returns the status and the body.
func probe(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func TestReadinessTellsStartingFromAStoreThatIsDown(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	h := a.operators()
	steps := []struct {
		phase  int32
		code   int
		status string
	}{{starting, 503, "starting"}, {serving, 200, "ready"}, {stopping, 503, "stopping"}}
	for _, s := range steps {
		a.phase.Store(s.phase)
		if code, body := probe(t, h, "/readyz"); code != s.code || !strings.Contains(body, s.status) {
			t.Errorf("phase %d: %d %s, want %d %s", s.phase, code, body, s.code, s.status)
		}
	}
	a.phase.Store(serving)
	if err := a.storage.Close(); err != nil {
		t.Fatal(err)
	}
	if code, body := probe(t, h, "/readyz"); code != 503 || !strings.Contains(body, "store_down") {
		t.Errorf("with the store closed: %d %s", code, body)
	}
	if code, _ := probe(t, h, "/healthz"); code != 200 {
		t.Errorf("a process without its store is alive all the same: %d", code)
	}
}

func TestFiguresHaveLabelsFromClosedListsAlone(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	people, cas := a.people(), a.authorities()
	for _, path := range []string{"/", "/nope", "/c/secret-link-1", "/c/secret-link-2", "/%00", "/static/site.css"} {
		probe(t, people, path)
	}
	for _, path := range []string{"/openapi.yaml", "/v1/preauthorizations/some-id", "/v1/../x"} {
		probe(t, cas, path)
	}
	_, figures := probe(t, a.operators(), "/metrics")
	for _, want := range []string{`countersign_request_seconds_count{listener="people",route="GET /c/{ref}"`, `listener="cas",route="GET /openapi.yaml",status="2xx"`, "go_goroutines"} {
		if !strings.Contains(figures, want) {
			t.Errorf("no %s in the figures", want)
		}
	}
	for _, not := range []string{"secret-link", "some-id", "nope"} {
		if strings.Contains(figures, not) {
			t.Errorf("%q became a label", not)
		}
	}
}
