package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

//go:embed static
var static embed.FS

// maxBody is more than any form of ours takes: the largest holds the attestation of a security key.
const maxBody = 32 << 10

// Options are what a Site needs.
type Options struct {
	Service *proofing.Service
	// Home replaces the home page; nil leaves it.
	Home http.Handler
	// Mailbox is the path at which messages can be read that nobody delivers; empty where they
	// go out. The pages of a case then lead there.
	Mailbox string
	// Tokens says that the holders of accounts get Authority Tokens at proofing.TokenPath of the origin.
	Tokens bool
	// Demo says on them that this is the demo.
	Demo bool
	// Client is the network address that a request came from, for limits; nil takes the
	// connection's. Whoever stands behind a proxy must say how to read its header.
	Client func(*http.Request) string
	// Settings are what administrators see of the configuration.
	Settings []Setting
	// Log gets one line a request, without its path, because paths are secrets.
	Log *slog.Logger
}

// Site serves the pages of one service.
type Site struct {
	service *proofing.Service
	origin  string
	client  func(*http.Request) string
	log     *slog.Logger
	mailbox string
	demo    bool
	tokens  bool
	shown   []Setting
	secure  bool // the origin is https
	mux     *routes
	guarded http.Handler // mux behind the cross-origin protection
	busy    busyPages
}

// routes are the pages of a site. They can be listed, so that nobody forgets whose one is.
type routes struct {
	*http.ServeMux
	patterns []string
}

// Handle registers a page.
func (r *routes) Handle(pattern string, handler http.Handler) {
	r.ServeMux.Handle(pattern, handler)
	r.patterns = append(r.patterns, pattern)
}

// New returns the pages of a service. The service's public origin must be https, or
// http on this computer.
func New(o Options) (*Site, error) {
	origin, err := url.Parse(o.Service.Policy.Origin)
	if err != nil || origin.Host == "" || origin.Path != "" {
		return nil, fmt.Errorf("web: %q is not an origin", o.Service.Policy.Origin)
	}
	s := &Site{
		service: o.Service, origin: o.Service.Policy.Origin, client: o.Client, log: o.Log, mailbox: o.Mailbox, demo: o.Demo, tokens: o.Tokens, shown: o.Settings,
		secure: origin.Scheme == "https", mux: &routes{ServeMux: http.NewServeMux()},
	}
	if !s.secure && !(origin.Scheme == "http" && loopback(origin.Hostname())) {
		return nil, fmt.Errorf("web: the origin %q must be https", s.origin)
	}
	if s.client == nil {
		s.client = connectionAddress
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	cross := http.NewCrossOriginProtection()
	if err := cross.AddTrustedOrigin(s.origin); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fault(w, r, errCrossSite)
	}))
	s.guarded = cross.Handler(s.mux)
	s.routes(o.Home)
	return s, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.IsLoopback()
}

// hostname is the host of a Host header, without its port.
func hostname(host string) string {
	return (&url.URL{Host: host}).Hostname()
}

func connectionAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Handle adds a route behind the same protections and with the same headers.
func (s *Site) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// ServeHTTP implements http.Handler. What it logs of a request is the pattern of
// its route and nothing that came with it.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	s.head(w.Header())
	sent := &response{ResponseWriter: w}
	r.Body = http.MaxBytesReader(sent, r.Body, maxBody)
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(r.Context(), "page broke", "pattern", r.Pattern, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if sent.status == 0 {
				s.fault(sent, r, errors.New("panic"))
			}
		}
		s.log.InfoContext(r.Context(), "page", "method", r.Method, "pattern", r.Pattern, "status", sent.status, "took_ms", float64(time.Since(began).Microseconds())/1000)
	}()
	if !s.secure && !loopback(hostname(r.Host)) {
		// A name that somebody else has pointed at this computer: their page would count as
		// of one origin with ours, and read it.
		http.Error(sent, http.StatusText(http.StatusMisdirectedRequest), http.StatusMisdirectedRequest)
		return
	}
	s.guarded.ServeHTTP(sent, r)
}

// response remembers the status that was sent.
type response struct {
	http.ResponseWriter
	status int
}

func (w *response) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what is underneath.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// head sets what every response carries. Nothing inline runs or styles, nothing
// foreign loads, nobody frames a page, and no link tells where it was followed.
func (s *Site) head(h http.Header) {
	head(h)
	if s.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

func head(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "otp-credentials=(self), publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=(), payment=()")
	h.Set("Cache-Control", "no-store")
}

// Render sends a page.
func (s *Site) Render(w http.ResponseWriter, r *http.Request, status int, page templates.Screen) error {
	return draw(w, r, status, page, s.sealFor(w, r))
}

// draw sends a page, with the seal in its forms: drawn to memory first, so that a fault in it is still a whole answer.
func draw(w http.ResponseWriter, r *http.Request, status int, page templates.Screen, seal string) error {
	lang, _ := language(r)
	var b bytes.Buffer
	if err := templates.Page(&b, lang, page); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", lang)
	whole := withSeal(b.Bytes(), seal)
	w.Header().Set("Content-Length", strconv.Itoa(len(whole))) // else it is sent in chunks, of which each has to be written
	w.WriteHeader(status)
	_, _ = w.Write(whole) // the browser has gone: nobody is left to tell
	return nil
}

// Frame is what every page carries. Self must be a path of ours: a path that
// somebody made up could lead elsewhere ("//evil.example").
func (s *Site) Frame(r *http.Request, self string) templates.Frame {
	f := templates.Frame{
		Operator: s.service.Policy.Operator, Contact: s.service.Policy.Contact, Self: self, Home: s.Keep(r, "/"), Demo: s.demo,
	}
	if s.mailbox != "" {
		f.Mailbox = s.Keep(r, s.mailbox)
	}
	return f
}

// language is what the page is drawn in: what the address chose, or what the browser prefers.
func language(r *http.Request) (lang, chosen string) {
	if q := r.URL.Query().Get("lang"); q != "" {
		lang = templates.Match(q)
		return lang, lang
	}
	return templates.Match(r.Header.Get("Accept-Language")), ""
}

// Keep carries the chosen language on to another page.
func (s *Site) Keep(r *http.Request, path string) string {
	if _, chosen := language(r); chosen != "" {
		return path + "?lang=" + chosen
	}
	return path
}

// see sends the browser to a page after a POST, and nowhere but to a path of ours.
// The place on the page is where the work goes on; one without it begins at its top.
func (s *Site) see(w http.ResponseWriter, r *http.Request, path string) {
	s.seeAt(w, r, s.Keep(r, path), "work")
}

// seeAt is see for a path that carries the language already, at that place of the page.
func (s *Site) seeAt(w http.ResponseWriter, _ *http.Request, path, place string) {
	w.Header().Set("Location", path+"#"+place)
	w.WriteHeader(http.StatusSeeOther)
}

// asset is one file of static/, with what tells a browser that it has it already.
type asset struct {
	body []byte
	etag string
}

// serveStatic serves the files of static/, and none for what is not there.
func serveStatic(none http.HandlerFunc) http.HandlerFunc {
	assets := map[string]asset{}
	names, err := fs.Glob(static, "static/*")
	for _, name := range names {
		var body []byte
		if body, err = static.ReadFile(name); err != nil {
			break
		}
		sum := sha256.Sum256(body)
		assets[strings.TrimPrefix(name, "static/")] = asset{body, `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	if err != nil {
		panic("web: static files: " + err.Error()) // they are part of the program
	}
	return func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets[r.PathValue("file")]
		if !ok {
			none(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", a.etag)
		http.ServeContent(w, r, r.PathValue("file"), time.Time{}, bytes.NewReader(a.body))
	}
}
