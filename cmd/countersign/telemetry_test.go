package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/countersign-id/countersign/proofing"
)

// collecting is an OpenTelemetry collector that keeps what it is told.
type collecting struct {
	mu     sync.Mutex
	raw    bytes.Buffer
	spans  []*traces.Span
	header http.Header
	about  map[string]string // the attributes of the resource
}

func startCollector(t *testing.T) (*collecting, string) {
	c := &collecting{about: map[string]string{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

func (c *collecting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	raw, err := io.ReadAll(body)
	var told collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, &told) != nil {
		http.Error(w, "not what was agreed", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(raw)
	c.header = r.Header.Clone()
	for _, rs := range told.ResourceSpans {
		for _, a := range rs.Resource.Attributes {
			c.about[a.Key] = a.Value.GetStringValue()
		}
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named are the spans of that name.
func (c *collecting) named(name string) (found []*traces.Span) {
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// tracedDemo plays the main job over HTTP with tracing on, and ends the program.
func tracedDemo(t *testing.T, telemetry TelemetryConfig) (d *demo, log *syncBuffer) {
	t.Helper()
	l := localListener(t)
	c, err := readDemoConfig(t.TempDir(), l)
	if err != nil {
		t.Fatal(err)
	}
	c.Telemetry = telemetry
	c.Log.Format = "json"
	c.Log.Level = "info"
	log = &syncBuffer{}
	d, err = newDemo(&globals{ctx: t.Context(), stderr: log, now: time.Now}, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.app.serve(ctx, []endpoint{{name: "demo", listener: l, handler: d.handler()}}) }()
	if err := d.play(ctx, io.Discard); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := d.app.close(); err != nil {
		t.Error(err)
	}
	return d, log
}

func TestTracesLeadFromTheRequestToTheStore(t *testing.T) {
	c, url := startCollector(t)
	tracedDemo(t, TelemetryConfig{OTLPEndpoint: url, Authorization: "Bearer of-the-collector", SampleOneIn: 1})
	if c.header.Get("Authorization") != "Bearer of-the-collector" || c.about["service.name"] != "countersign" || c.about["service.instance.id"] == "" {
		t.Errorf("told with %v by %v", c.header, c.about)
	}
	opened := c.named("POST /v1/preauthorizations")
	if len(opened) != 2 { // the demo plays two cases
		t.Fatalf("%d spans of opening a case", len(opened))
	}
	inner := 0
	for _, s := range c.named("store apply") {
		if bytes.Equal(s.ParentSpanId, opened[0].SpanId) && bytes.Equal(s.TraceId, opened[0].TraceId) {
			inner++
		}
	}
	if inner == 0 {
		t.Error("no change of the store is within the request that made it")
	}
	for _, name := range []string{"GET /c/{ref}", "send email", "send phone", "store get", "store add"} {
		if len(c.named(name)) == 0 {
			t.Errorf("no span %s", name)
		}
	}
	// The loops look for work many times in a second: they must not begin traces.
	for _, s := range c.spans {
		if strings.HasPrefix(s.Name, "store ") && len(s.ParentSpanId) == 0 {
			t.Fatalf("%s is within nothing", s.Name)
		}
	}
}

// TestTracesNameNobody looks for what people and CAs sent in every byte that left the program.
func TestTracesNameNobody(t *testing.T) {
	c, url := startCollector(t)
	d, _ := tracedDemo(t, TelemetryConfig{OTLPEndpoint: url, SampleOneIn: 1})
	secrets := []string{demoIdentifier, "447400", "7400 123", d.token.Reveal(), "127.0.0.1", "Go-http-client"}
	link := regexp.MustCompile(`/[cmn]/([0-9a-z]{10,}\.[^\s"<]+)`)
	code := regexp.MustCompile(`\b[0-9]{5} [0-9]{5}\b|\b[A-Z0-9]{4}-[A-Z0-9]{4}\b`)
	for _, m := range d.app.mailbox.List() {
		for _, found := range link.FindAllStringSubmatch(m.Text, -1) {
			id, _, _ := strings.Cut(found[1], ".")
			secrets = append(secrets, found[1], id)
		}
		for _, found := range code.FindAllString(m.Text, -1) {
			secrets = append(secrets, found, strings.NewReplacer(" ", "", "-", "").Replace(found))
		}
	}
	if len(secrets) < 22 {
		t.Fatalf("only %d secrets are known: this test does not look", len(secrets))
	}
	for _, secret := range secrets {
		if bytes.Contains(c.raw.Bytes(), []byte(secret)) {
			t.Errorf("the collector was told %q", secret)
		}
	}
	// And whatever comes later: keys of attributes are from this list.
	known := []string{
		"countersign.listener", "countersign.channel", "countersign.outcome", "countersign.conflict", "http.request.method", "http.route",
		"http.response.status_code", "error.type", "db.system.name", "db.operation.name",
	}
	for _, s := range c.spans {
		for _, a := range s.Attributes {
			if !slices.Contains(known, a.Key) {
				t.Errorf("span %s has an attribute %s", s.Name, a.Key)
			}
		}
		if s.Status.GetMessage() != "" || len(s.Events) != 0 {
			t.Errorf("span %s says %q and has %d events: both could repeat what somebody sent", s.Name, s.Status.GetMessage(), len(s.Events))
		}
	}
}

func TestACANamesTheTraceOfItsRequestAndABrowserDoesNot(t *testing.T) {
	c, url := startCollector(t)
	d := newDesk(t)
	a := d.appWith(io.Discard, func(c *Config) { c.Telemetry = TelemetryConfig{OTLPEndpoint: url, SampleOneIn: 1} })
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00" // which is not sampled itself
	for _, h := range []http.Handler{a.authorities(), a.people()} {
		r := httptest.NewRequest("BREW", "/secret-path", nil)
		r.Header.Set("Traceparent", parent)
		r.Header.Set("Tracestate", "vendor=text-of-the-caller")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if len(c.spans) != 2 {
		t.Fatalf("%d spans, want 2", len(c.spans))
	}
	if bytes.Contains(c.raw.Bytes(), []byte("text-of-the-caller")) {
		t.Error("the collector is told what a caller wrote")
	}
	for i, same := range []bool{true, false} {
		s := c.spans[i]
		if got := hex.EncodeToString(s.TraceId) == strings.Split(parent, "-")[1]; got != same || s.Name != "_OTHER" {
			t.Errorf("span %q of listener %d: in the caller's trace %v, want %v", s.Name, i, got, same)
		}
	}
}

func TestACollectorThatIsAwayHoldsUpNobody(t *testing.T) {
	l := localListener(t)
	_ = l.Close()
	began := time.Now()
	_, log := tracedDemo(t, TelemetryConfig{OTLPEndpoint: "http://" + l.Addr().String(), SampleOneIn: 1})
	if n := strings.Count(log.String(), "telemetry not taken"); n != 1 {
		t.Errorf("the log says it %d times, want once:\n%s", n, log)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTracingThatIsOffIsInNobodysWay(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	if a.tracing != nil {
		t.Fatal("it is on")
	}
	h := http.NotFoundHandler()
	if got := a.tracing.requests(listenCAs, h); got == nil || testing.AllocsPerRun(100, func() { a.tracing.requests(listenCAs, h) }) != 0 {
		t.Error("handlers are wrapped")
	}
	var s proofing.Sender = sendFunc(nil)
	if _, wrapped := a.tracing.sender(s).(tracedSender); wrapped {
		t.Error("senders are wrapped")
	}
	if a.tracing.kv(a.storage.kv, "") != a.storage.kv {
		t.Error("the store is wrapped")
	}
}

func TestLinesOfTheLogNameTheirTrace(t *testing.T) {
	_, url := startCollector(t)
	var log syncBuffer
	a := newDesk(t).appWith(&log, func(c *Config) { c.Telemetry = TelemetryConfig{OTLPEndpoint: url, SampleOneIn: 1} })
	ctx, span := a.tracing.tracer.Start(t.Context(), "test")
	a.log.With("a", 1).WithGroup("g").InfoContext(ctx, "within")
	a.log.Info("without")
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], span.SpanContext().TraceID().String()) || strings.Contains(lines[1], "trace_id") {
		t.Errorf("the log: %s", &log)
	}
}

func TestMistakesInTelemetry(t *testing.T) {
	for text, want := range map[string]string{
		"otlp_endpoint: collector:4318":                                        "must be the URL of a collector",
		"otlp_endpoint: https://u:p@collector.example":                         "must not hold a credential",
		"otlp_endpoint: https://collector.example/v1/traces":                   "is added",
		"otlp_endpoint: \"https://collector.example/?a=b\"":                    "no query",
		"{otlp_endpoint: https://collector.example, sample_one_in: 0}":         "at least 1",
		"{otlp_endpoint: http://collector.example, authorization: env:SECRET}": "would be sent in plain",
	} {
		if !strings.HasPrefix(text, "{") {
			text = "{" + text + "}"
		}
		if _, got := read(whole+"telemetry: "+text+"\n", "SECRET=x"); len(got) != 1 || !strings.Contains(got[0], want) || !strings.Contains(got[0], "telemetry.") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
