package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// OperatorsOptions are what the pages for operators need.
type OperatorsOptions struct {
	Service *proofing.Service
	// Names are the host names under which operators reach the listener, besides
	// its addresses and this computer.
	Names   []string
	Version string
	Started time.Time
	// Outcomes is what the providers have answered to this process.
	Outcomes func() []Outcome
	Log      *slog.Logger
}

// Outcome is how often a provider answered a message of a channel in one way.
type Outcome struct {
	Channel proofing.Channel
	Outcome string // "accepted", or as proofing.Outcome
	N       int64
	Last    time.Time
	Reason  string // of the last one: as proofing.SendError has it
}

// Operators serves the pages for operators. They change nothing and ask for no
// credentials, so they show no code, no link and no whole address: whoever reaches the
// listener may read them. A view reads a bounded part of the store, and few are drawn at once.
type Operators struct {
	OperatorsOptions
	mux   *http.ServeMux
	views chan struct{}
}

// The bounds of a view.
const (
	viewsAtOnce = 4
	viewTimeout = 10 * time.Second
	viewRows    = 50
)

// NewOperators returns the pages for operators.
func NewOperators(o OperatorsOptions) *Operators {
	p := &Operators{OperatorsOptions: o, mux: http.NewServeMux(), views: make(chan struct{}, viewsAtOnce)}
	p.routes()
	return p
}

// operatorPages are the pages that the bar of each leads to, in its order. Each has its view
// in routes.
var operatorPages = []struct{ name, path string }{
	{"overview", "/"}, {"messages", "/messages"}, {"spend", "/spend"}, {"brakes", "/brakes"}, {"webhooks", "/webhooks"},
}

func (p *Operators) routes() {
	p.mux.HandleFunc("GET /{$}", p.serve((*Operators).overview))
	p.mux.HandleFunc("GET /messages", p.serve((*Operators).messages))
	p.mux.HandleFunc("GET /spend", p.serve((*Operators).spend))
	p.mux.HandleFunc("GET /brakes", p.serve((*Operators).brakes))
	p.mux.HandleFunc("GET /webhooks", p.serve((*Operators).webhooks))
	p.mux.HandleFunc("GET /case", p.serve((*Operators).oneCase))
	p.mux.HandleFunc("GET /static/{file}", serveStatic(func(w http.ResponseWriter, r *http.Request) { p.fault(w, r, proofing.ErrNotFound) }))
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			p.fault(w, r, errMethod)
			return
		}
		p.fault(w, r, proofing.ErrNotFound)
	})
}

// ServeHTTP implements http.Handler. A request must come under a name of ours: a page of
// somebody else could point its own name at this address, count as of one origin with these
// pages, and read them by an operator's browser. An address cannot be pointed elsewhere.
func (p *Operators) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head(w.Header())
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	if !p.ours(hostname(r.Host)) {
		http.Error(w, "Not known here under this name: use the address, or list the name in listeners.operators_names.", http.StatusMisdirectedRequest)
		return
	}
	p.mux.ServeHTTP(w, r)
}

func (p *Operators) ours(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || loopback(host) || slices.ContainsFunc(p.Names, func(name string) bool { return strings.EqualFold(name, host) })
}

// serve draws a view, or says why not.
func (p *Operators) serve(view func(*Operators, *http.Request) (templates.Screen, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), viewTimeout)
		defer cancel()
		select {
		case p.views <- struct{}{}:
			defer func() { <-p.views }()
		case <-ctx.Done():
			p.fault(w, r, proofing.ErrUnavailable)
			return
		}
		page, err := view(p, r.WithContext(ctx))
		if err == nil {
			err = draw(w, r, http.StatusOK, page, "")
		}
		if err != nil {
			p.fault(w, r, err)
		}
	}
}

func (p *Operators) fault(w http.ResponseWriter, r *http.Request, err error) {
	status, code := http.StatusInternalServerError, "internal"
	var input *proofing.InputError
	switch {
	case errors.Is(err, proofing.ErrNotFound), errors.As(err, &input):
		status, code = http.StatusNotFound, "not_found"
	case errors.Is(err, proofing.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		status, code = http.StatusServiceUnavailable, "unavailable"
	case errors.Is(err, errMethod):
		status, code = http.StatusMethodNotAllowed, "method"
	}
	if status >= http.StatusInternalServerError {
		p.Log.WarnContext(r.Context(), "page for operators failed", "pattern", r.Pattern, "error", err)
	}
	if err := draw(w, r, status, templates.DeskFault{Desk: p.desk(r, ""), Code: code}, ""); err != nil {
		p.Log.ErrorContext(r.Context(), "page cannot be drawn", "pattern", r.Pattern, "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

// desk is the frame of a page.
func (p *Operators) desk(r *http.Request, here string) templates.Desk {
	d := templates.Desk{Operator: p.Service.Policy.Operator, Self: "/", Now: p.Service.Now().UTC()}
	_, chosen := language(r)
	if chosen != "" {
		d.Lang = "?lang=" + chosen
	}
	for _, page := range operatorPages {
		if page.name == here {
			d.Self = page.path
		}
		d.Nav = append(d.Nav, templates.DeskLink{Name: page.name, Href: page.path + d.Lang, Here: page.name == here})
	}
	return d
}

// with adds a parameter to a path that may carry the language already.
func with(path, name, value string) string {
	between := "?"
	if strings.Contains(path, "?") {
		between = "&"
	}
	return path + between + name + "=" + value
}
