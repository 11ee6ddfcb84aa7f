package web

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"

	"github.com/countersign-id/countersign/templates"
)

// busyPages are the pages that say that there is too much to do. Each is drawn once: whoever has too
// much to do cannot draw a page for everybody whom it turns away.
type busyPages struct {
	mu    sync.Mutex
	drawn map[string][]byte // by language, and whether the address chose it
}

// Busy answers in the place of a page, when too much is in hand to look at the request.
func (s *Site) Busy(w http.ResponseWriter, r *http.Request) {
	s.head(w.Header())
	w.Header().Set("Retry-After", "1")
	lang, body, err := s.busyPage(r)
	if err != nil {
		s.log.ErrorContext(r.Context(), "page cannot be drawn", "error", err)
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", lang)
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(body) // the browser has gone: nobody is left to tell
}

func (s *Site) busyPage(r *http.Request) (lang string, body []byte, err error) {
	lang, chosen := language(r)
	key := lang + " " + chosen
	s.busy.mu.Lock()
	defer s.busy.mu.Unlock()
	if body = s.busy.drawn[key]; body != nil {
		return lang, body, nil
	}
	var b bytes.Buffer
	if err := templates.Page(&b, lang, templates.Fault{Frame: s.Frame(r, "/"), Code: "unavailable"}); err != nil {
		return lang, nil, fmt.Errorf("busy page: %w", err)
	}
	if s.busy.drawn == nil {
		s.busy.drawn = map[string][]byte{}
	}
	s.busy.drawn[key] = b.Bytes()
	return lang, b.Bytes(), nil
}
