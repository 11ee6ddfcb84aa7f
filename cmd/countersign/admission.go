package main

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/countersign-id/countersign/acme"
)

// gate bounds the requests of one listener that are in hand. What comes when it is full is told so
// at once, before anything of it is read or counted: a queue would answer everybody late, and most
// of them when they have gone.
type gate struct {
	listener string
	requests chan struct{}
	// waits are for requests that are slow on purpose (?wait=), which would fill the other; nil where there are none.
	waits   chan struct{}
	answer  time.Duration // to take an answer in: who does not read holds a slot no longer
	refused prometheus.Counter
	log     *slog.Logger
	said    atomic.Int64 // when the log was last told, in Unix seconds
}

// gates are those of the listeners. They stay when the configuration is read again: what was let
// in before is still in hand.
func (a *app) newGates() map[string]*gate {
	l := a.config.Listeners
	people, cas := a.newGate(listenPeople, l.MaxRequests), a.newGate(listenCAs, l.MaxRequests)
	// Each has a connection to itself, mostly. The other half is for who does not wait.
	cas.waits = make(chan struct{}, max(l.MaxConnections/2, 1))
	return map[string]*gate{listenPeople: people, listenCAs: cas}
}

// newShares are those of the authorities in the places of the gate that they come through.
func (a *app) newShares() *acme.Shares {
	g := a.gates[listenCAs]
	return acme.NewShares(cap(g.requests), cap(g.waits))
}

func (a *app) newGate(listener string, most int) *gate {
	return &gate{listener: listener, requests: make(chan struct{}, most), answer: answerTimeout, refused: a.meters.refused.WithLabelValues(listener), log: a.log}
}

// admit lets requests through while there is room. For others busy says no.
func (g *gate) admit(next http.Handler, busy http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		room := g.requests
		if g.waits != nil && acme.AsksToWait(r) {
			room = g.waits
		}
		select {
		case room <- struct{}{}:
		default:
			g.refuse(r, cap(room))
			busy(w, r)
			return
		}
		defer func() { <-room }() // also when the handler panics
		next.ServeHTTP(&answering{ResponseWriter: w, most: g.answer}, r)
	})
}

// answering gives the client so long to take its answer, from when that begins. A stream of HTTP/2 whose
// client lets nothing through is ended alone; a connection of HTTP/1 ends with its answer.
type answering struct {
	http.ResponseWriter
	most  time.Duration
	begun bool
}

func (w *answering) begin() {
	if !w.begun {
		w.begun = true
		// What has no deadlines, as in a test, has no client that makes us wait.
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.most))
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *answering) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *answering) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is beneath.
func (w *answering) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// sayBusyEvery is how often the log repeats that requests are refused: a line for each would be more
// work for who has too much.
const sayBusyEvery = time.Minute

func (g *gate) refuse(r *http.Request, most int) {
	g.refused.Inc()
	now, said := time.Now().Unix(), g.said.Load()
	if now-said >= int64(sayBusyEvery/time.Second) && g.said.CompareAndSwap(said, now) {
		g.log.WarnContext(r.Context(), "too many requests at once; more are refused", "listener", g.listener, "in_hand", most)
	}
}
