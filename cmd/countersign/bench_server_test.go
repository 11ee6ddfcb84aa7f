package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

// benchServer names the configuration that this binary is to serve until it is told to stop.
const benchServer = "COUNTERSIGN_BENCH_SERVER"

func TestMain(m *testing.M) {
	if config := os.Getenv(benchServer); config != "" {
		if err := serveBench(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// postbox takes the place of the providers: it keeps codes until the generator fetches them.
type postbox struct {
	mu    sync.Mutex
	codes strings.Builder
}

// Send implements proofing.Sender.
func (p *postbox) Send(_ context.Context, m proofing.Message) (proofing.Receipt, error) {
	if m.Code == "" {
		return proofing.Receipt{Provider: "bench"}, nil
	}
	id, _, _ := strings.Cut(m.ID, ".")
	attempt := "-" // a text message has no link, which would name it
	if _, ref, ok := strings.Cut(m.Link.Reveal(), proofing.MessagePath); ok {
		attempt = strings.Split(ref, ".")[1] // between case and secret
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(&p.codes, id, attempt, m.Code.Reveal())
	return proofing.Receipt{Provider: "bench"}, nil
}

func (p *postbox) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	text := p.codes.String()
	p.codes.Reset()
	p.mu.Unlock()
	_, _ = io.WriteString(w, text)
}

// serveBench serves the program as it is put together for everybody, with three differences:
// messages go to a postbox, and there are two more listeners, for the echo and for the generator.
func serveBench(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, _, err := loadConfig(path, nil, readSecrets)
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	log := newLog(null, c.Log)
	clock := &shiftedClock{}
	a, err := newApp(ctx, c, log, clock.now, nil)
	if err != nil {
		return err
	}
	post := &postbox{}
	a.service.Sender = measuredSender{post, a.meters}
	control := http.NewServeMux()
	control.Handle("GET /codes", post)
	control.HandleFunc("GET /due", func(w http.ResponseWriter, r *http.Request) {
		due, _, err := a.service.Cases.List(r.Context(), proofing.Query{Index: "due", Below: fmt.Sprintf("%013d", time.Now().Add(time.Minute).UnixMilli()), Limit: 1})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		unlogged, _, err := a.service.Cases.List(r.Context(), proofing.Query{Index: "entry", Below: "~", Limit: 1})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprint(w, len(due), len(unlogged))
	})
	control.Handle("/debug/pprof/", http.DefaultServeMux)
	a.watchedInside(control, clock)
	var endpoints []endpoint
	for _, e := range []endpoint{
		{name: "people", handler: a.people()}, {name: "cas", handler: planted(a.authorities())},
		{name: "echo", handler: a.echo()}, {name: "control", handler: control},
	} {
		e.address = os.Getenv("BENCH_" + strings.ToUpper(e.name))
		endpoints = append(endpoints, e)
	}
	if err := a.serve(ctx, endpoints); err != nil {
		return err
	}
	return a.close()
}

// echoed is what the echo decodes and encodes: a CA's request.
type echoed struct {
	Account struct {
		URL        string `json:"url"`
		Thumbprint string `json:"thumbprint"`
	} `json:"account"`
	Identifier proofing.Identifier `json:"identifier"`
	Profile    string              `json:"profile"`
}

// echo is what everything is compared with: a handler that decodes a body of JSON and encodes
// an answer, behind what stands before every handler of the CAs' listener, and with the same
// line in the log. It asks for no credential and touches no store.
func (a *app) echo() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		var v echoed
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&v); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body, err := json.Marshal(v)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("route", r.Pattern), slog.Int("status", http.StatusOK),
			slog.Float64("took_ms", float64(time.Since(began).Microseconds())/1000), slog.String("ca", "bench"))
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	})
	return a.clientAddress(a.meters.measure("echo", a.newGate("echo", a.config.Listeners.MaxRequests).admit(mux, acme.Busy)))
}
