package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/countersign-id/countersign/proofing"
)

// meters is what operators can watch. Labels take their values from closed lists
// alone (routes, classes of status, channels, outcomes, configured countries), so that nobody outside
// can make them many.
type meters struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	messages *prometheus.HistogramVec
	webhooks *prometheus.HistogramVec
	hooks    *prometheus.GaugeVec
	lag      prometheus.Histogram
	durable  prometheus.Gauge
	// storeDown is of the last look, by whoever looked.
	storeDown prometheus.Gauge
	reload    *prometheus.CounterVec
	loaded    prometheus.Gauge
	texts     *prometheus.CounterVec
	outcomes  outcomes
	refused   *prometheus.CounterVec
	lookups   *prometheus.HistogramVec
}

func newMeters() *meters {
	m := &meters{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "countersign_request_seconds", Help: "Time to answer a request, by listener, route and status class.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"listener", "route", "status"}),
		messages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "countersign_message_seconds", Help: "Time a provider took for a message, by channel and outcome: accepted, not_sent, refused or unknown.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"channel", "outcome"}),
		texts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "countersign_sms_codes_total", Help: "Text messages with codes by country and event: counted before they went out, answered rightly, braked or would_brake (a brake was set), refused or would_refuse (by one).",
		}, []string{"country", "event"}),
	}
	m.webhooks = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "countersign_webhook_seconds", Help: "Time a CA's webhook took for a call, by outcome: taken, not_sent, refused or unknown.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15},
	}, []string{"outcome"})
	m.hooks = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "countersign_webhooks", Help: "How many CAs' webhooks are well, failing (they take nothing), stopped (they asked for no more calls) or off (set, and never turned on), counted each minute.",
	}, []string{"state"})
	m.lag = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "countersign_event_lag_seconds", Help: "Time from a change to its place in the CA's feed of events.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120},
	})
	m.durable = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "countersign_store_durable", Help: "1 while every master of the store is set to keep what it acknowledges, as far as it was asked; else 0. A file always is.",
	})
	m.durable.Set(1)
	m.storeDown = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "countersign_store_down_share", Help: "How much of the store took no durable write when it was last asked, from 0 to 1: by /readyz, and of Redis every ten seconds. The masters of a cluster fail by themselves.",
	})
	m.reload = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_config_reloads_total", Help: "How often the configuration was read again, by result: taken or refused.",
	}, []string{"result"})
	m.loaded = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "countersign_config_loaded_timestamp_seconds", Help: "When the configuration in force was read, in Unix time.",
	})
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_refused_requests_total", Help: "Requests that were answered 503 at once because too many were in hand, by listener.",
	}, []string{"listener"})
	m.lookups = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "countersign_caa_lookup_seconds", Help: "Time to find the CAA records of a domain, by outcome: found, none or failed.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"outcome"})
	m.registry.MustRegister(m.lookups, m.requests, m.refused, m.messages, m.webhooks, m.hooks, m.lag, m.durable, m.storeDown, m.reload, m.loaded, m.texts, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// watchMemory shows how much the process remembers of records.
func (m *meters) watchMemory(bytes func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "countersign_remembered_bytes", Help: "Size of the records that this process remembers, as stored; in memory they take about three times as much.",
	}, func() float64 { return float64(bytes()) }))
}

// watchExpiry shows when the certificate of a listener ends.
func (m *meters) watchExpiry(c *shownCertificate) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "countersign_certificate_expiry_timestamp_seconds", Help: "When the certificate that a listener shows ends, in Unix time.",
		ConstLabels: prometheus.Labels{"listener": c.listener},
	}, func() float64 { return float64(c.shown.Load().Leaf.NotAfter.Unix()) }))
}

// reloaded counts a try to read the configuration; the first one is that of the start.
func (m *meters) reloaded(err error, now time.Time) {
	result := "taken"
	if err != nil {
		result = "refused"
	} else {
		m.loaded.Set(float64(now.Unix()))
	}
	m.reload.WithLabelValues(result).Inc()
}

// measure times the requests of a listener. The route is the pattern that served
// it, which the muxes leave in the request; what none served is "none".
func (m *meters) measure(listener string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		m.requests.WithLabelValues(listener, routeOf(r), strconv.Itoa(seen.status/100)+"xx").Observe(time.Since(began).Seconds())
	})
}

// routeOf is the pattern that served a request, or "none".
func routeOf(r *http.Request) string {
	if r.Pattern == "" || r.Pattern == "/" {
		return "none"
	}
	return r.Pattern
}

// watchTexts counts what becomes of text messages, by the countries that are configured:
// a number of any other has none.
func (m *meters) watchTexts(countries []string) func(what, country string) {
	return func(what, country string) {
		if !slices.Contains(countries, country) { // it was, when the case was opened
			country = "other"
		}
		m.texts.WithLabelValues(country, what).Inc()
	}
}

// statusWriter remembers the status that was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// outcomeOf is what is known of a message or call that failed.
func outcomeOf(err error) string {
	if known, ok := errors.AsType[*proofing.SendError](err); ok {
		return string(known.Outcome)
	}
	return string(proofing.Unknown)
}

// measuredSender times what providers do.
type measuredSender struct {
	proofing.Sender
	meters *meters
}

// Send implements proofing.Sender.
func (s measuredSender) Send(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
	began := time.Now()
	receipt, err := s.Sender.Send(ctx, m)
	outcome := "accepted"
	if err != nil {
		outcome = outcomeOf(err)
	}
	s.meters.outcomes.add(m.Channel, outcome, err, time.Now())
	s.meters.messages.WithLabelValues(string(m.Channel), outcome).Observe(time.Since(began).Seconds())
	return receipt, err
}

// measuredCaller times what webhooks do.
type measuredCaller struct {
	proofing.Caller
	meters *meters
}

// Call implements proofing.Caller.
func (c measuredCaller) Call(ctx context.Context, call proofing.Call) error {
	began := time.Now()
	err := c.Caller.Call(ctx, call)
	outcome := "taken"
	if err != nil {
		outcome = outcomeOf(err)
	}
	c.meters.webhooks.WithLabelValues(outcome).Observe(time.Since(began).Seconds())
	return err
}

// measuredLookup times what is looked up.
type measuredLookup struct {
	proofing.CAALookup
	meters *meters
}

// CAA implements proofing.CAALookup.
func (l measuredLookup) CAA(ctx context.Context, domain string) (proofing.CAASet, error) {
	began := time.Now()
	set, err := l.CAALookup.CAA(ctx, domain)
	outcome := "none"
	switch {
	case err != nil:
		outcome = "failed"
	case len(set.Records) > 0:
		outcome = "found"
	}
	l.meters.lookups.WithLabelValues(outcome).Observe(time.Since(began).Seconds())
	return set, err
}

// phase is where the life of the process stands.
type phase struct {
	atomic.Int32
	waitsFor atomic.Pointer[string] // while starting; nil: for nothing in particular
}

// The phases, in their order.
const (
	starting int32 = iota
	serving
	stopping
)

// operators is the handler of the listener for operators: whether the process
// lives, whether it can serve, figures, and pages.
func (a *app) operators() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		sayStatus(w, http.StatusOK, "alive") // that it answers is the answer
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		switch a.phase.Load() {
		case starting:
			sayWaiting(w, a.phase.waitsFor.Load())
		case stopping:
			sayStatus(w, http.StatusServiceUnavailable, "stopping")
		default:
			down, err := a.storeAnswers(r.Context())
			if err != nil {
				a.log.WarnContext(r.Context(), "not ready", "error", err)
				sayStatus(w, http.StatusServiceUnavailable, "store_down")
				return
			}
			if a.mayForget() { // the log has said why
				sayStatus(w, http.StatusServiceUnavailable, "store_may_forget")
				return
			}
			if down != "" {
				sayJSON(w, http.StatusOK, map[string]string{"status": "ready", "parts_down": down})
				return
			}
			sayStatus(w, http.StatusOK, "ready")
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.meters.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if a.phase.Load() == starting { // there is no store to look into yet
			sayWaiting(w, a.phase.waitsFor.Load())
			return
		}
		a.reloads.operatorsPages(a).ServeHTTP(w, r)
	})
	return mux
}

// sayWaiting says that the process is starting, and what it waits for.
func sayWaiting(w http.ResponseWriter, what *string) {
	answer := map[string]string{"status": "starting"}
	if what != nil {
		answer["waits_for"] = *what
	}
	sayJSON(w, http.StatusServiceUnavailable, answer)
}

func sayStatus(w http.ResponseWriter, code int, status string) {
	sayJSON(w, code, map[string]string{"status": status})
}

func sayJSON(w http.ResponseWriter, code int, answer map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // a prober that has gone away cannot be told
}
