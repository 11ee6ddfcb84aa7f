package acme

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// routes is every URL of the authorities' side. A test holds it against
// openapi.yaml, in both directions.
func (a *api) routes() []route {
	return []route{
		{"POST", "/v1/preauthorizations", a.serve(a.once(a.openPreauthorization))},
		{"GET", "/v1/preauthorizations/{id}", a.serve(a.readPreauthorization)},
		{"POST", "/v1/preauthorizations/{id}", a.serve(a.changePreauthorization)},
		{"POST", "/v1/preauthorizations/{id}/challenge", a.serve(a.startChallenge)},
		{"POST", "/v1/preauthorizations/{id}/evidence", a.serve(a.once(a.handIn))},
		{"POST", "/v1/authorize", a.serve(a.authorize)},
		{"POST", "/v1/accounts", a.serve(a.accountEvent)},
		{"POST", "/v1/eab/verify", a.serve(a.verifyBinding)},
		{"POST", "/v1/eab/keys", a.serve(a.once(a.makeKey))},
		{"GET", "/v1/eab/keys", a.serve(a.listKeys)},
		{"GET", "/v1/eab/keys/{kid}", a.serve(a.readKey)},
		{"POST", "/v1/eab/keys/{kid}/revoke", a.serve(a.revokeKey)},
		{"POST", "/v1/eab/keys/{kid}/rotate", a.serve(a.once(a.rotateKey))},
		{"GET", "/v1/eab/keys/{kid}/mac", a.serve(a.readMAC)},
		{"POST", "/v1/certificates", a.serve(a.once(a.certificateIssued))},
		{"POST", "/v1/certificates/{id}", a.serve(a.changeCertificate)},
		{"POST", holderPath, a.tokens()},
		{"GET", noncePath, a.showNonce()},
		{"GET", "/v1/events", a.serve(a.readEvents)},

		{"POST", "/step-ca/{ca}/{hook}", a.stepHook()},
		{"GET", "/adcs/mac/{kid}", a.serveADCS(a.adcsMAC)},
		{"GET", "/adcs/success/{kid}", a.serveADCS(a.adcsReport(true))},
		{"GET", "/adcs/failed/{kid}", a.serveADCS(a.adcsReport(false))},

		{"GET", "/.well-known/jwks.json", JWKS(a.Keys)},
		{"GET", "/openapi.yaml", document("application/yaml", openapiYAML)},
		{"GET", "/openapi.json", document("application/json", openapiJSON())},
		{"GET", "/docs", manual()},
	}
}

type route struct {
	method, path string
	handler      http.Handler
}

// Options is what the interface is made of.
type Options struct {
	Service *proofing.Service
	// Origin is the base URL under which authorities reach this interface; the URLs of
	// authorizations and challenges begin with it. Links for people are made
	// from the service's own public origin.
	Origin string
	// Replies keeps what was answered under an Idempotency-Key.
	Replies proofing.Table[Reply]
	// Keys are the keys of the JWKS; the service's Signer signs with the same.
	Keys KeySource
	// TokenCertificate is what Authority Tokens are signed with now, on P-256; nil: none are made.
	TokenCertificate func() *tls.Certificate
	// Shares bound what one authority may have in hand; nil: nothing does.
	Shares *Shares
	Log    *slog.Logger
}

type api struct {
	Options
	holders chan struct{} // a place for each request of an account's holder that is in hand
}

func newAPI(o Options) *api { return &api{o, make(chan struct{}, mostHolders)} }

// New returns the handler of the authorities' side.
func New(o Options) http.Handler {
	a := newAPI(o)
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, r := range a.routes() {
		mux.Handle(r.method+" "+r.path, r.handler)
		allowed[r.path] = append(allowed[r.path], r.method)
	}
	for path, methods := range allowed {
		if slices.Contains(methods, "GET") {
			methods = append(methods, "HEAD")
		}
		mux.Handle(path, a.refuse(typeMethodNotAllowed, strings.Join(methods, ", ")))
	}
	mux.Handle("/", a.refuse(typeNotFound, ""))
	return mux
}

// refuse answers every request with the problem of that type.
func (a *api) refuse(typ, allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := newProblem(typ, "this URL serves nothing")
		if allow != "" {
			p = newProblem(typ, "this URL serves "+allow)
			p.set("Allow", allow)
		}
		a.send(&call{Request: r, w: w}, time.Now(), p.answer(), nil)
	}
}

// call is one request of an authority that has shown who it is.
type call struct {
	*http.Request
	w    http.ResponseWriter
	ca   *proofing.Authority
	by   string // the kind of credential
	hook string // of a dialect, by name
	body []byte // of a POST
}

// handler answers a call, or returns an error for problemOf; never both.
type handler func(c *call) (answer, error)

// serve is the edge: it finds out who calls, reads the body, and writes whatever
// comes of it. Who calls is known, and has a place, before anything of the body is read.
func (a *api) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &call{Request: r, w: w}
		ans, err := func() (out answer, err error) {
			if c.ca, c.by, err = a.authenticate(r); err != nil {
				return out, err
			}
			back, err := a.Shares.take(c.ca.Name, r)
			if err != nil {
				return out, err
			}
			defer back()
			if r.Method == http.MethodPost {
				if c.body, err = readRequestBody(w, r); err != nil {
					return out, err
				}
			}
			return h(c)
		}()
		if err != nil {
			ans = problemOf(err, a.Service.Now()).answer()
		}
		a.send(c, began, ans, err)
	})
}

// send writes an answer, and the one line that the log has of the request: the
// route's pattern and never its path, headers or body.
func (a *api) send(c *call, began time.Time, ans answer, cause error) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("route", c.Pattern), slog.Int("status", ans.status), slog.Float64("took_ms", float64(time.Since(began).Microseconds())/1000),
	}
	if c.ca != nil {
		attrs = append(attrs, slog.String("ca", c.ca.Name), slog.String("by", c.by))
	}
	if c.hook != "" {
		attrs = append(attrs, slog.String("hook", c.hook))
	}
	if ans.problem != "" {
		attrs = append(attrs, slog.String("problem", ans.problem))
	}
	if ans.status >= 500 && c.Context().Err() == nil { // a caller that has gone away is no fault
		level = slog.LevelError
		if ans.status == http.StatusServiceUnavailable {
			level = slog.LevelWarn
		}
		attrs = append(attrs, slog.Any("error", cause))
	}
	a.Log.LogAttrs(c.Context(), level, "request", attrs...)
	ans.write(c.w)
}
