package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/countersign-id/countersign/proofing"
)

// tracing follows some requests through the program, and tells an OpenTelemetry collector
// where their time went. A nil *tracing is tracing that nobody configured: it
// hands out what it was given, so that nothing of it is on anybody's way.
//
// Every attribute of a span is set in this file, from closed lists alone: methods,
// routes, statuses, channels, outcomes. What a person or a CA has sent stands in none; a
// path may be a secret link, and is never recorded. Names are those of
// OpenTelemetry's semantic conventions where they have one.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// The bounds of what waits for the collector. What finds no room is not told.
const (
	spansWaiting  = 2048
	exportTimeout = 10 * time.Second
	flushTimeout  = 3 * time.Second // of what is left when the program stops
)

// newTracing starts tracing, or returns nil if the configuration does not ask for it.
func newTracing(c TelemetryConfig, log *slog.Logger) (*tracing, error) {
	if !c.on() {
		return nil, nil
	}
	o := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(c.tracesURL()), otlptracehttp.WithTimeout(exportTimeout)}
	if c.Authorization != "" {
		o = append(o, otlptracehttp.WithHeaders(map[string]string{"Authorization": c.Authorization.Reveal()}))
	}
	exporter, err := otlptracehttp.New(context.Background(), o...)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	// Neither the name of the machine nor who runs the process: an instance is a random number.
	about := resource.NewSchemaless(
		attribute.String("service.name", "countersign"),
		attribute.String("service.version", programVersion()),
		attribute.String("service.instance.id", proofing.NewID(nil)),
	)
	share := sdktrace.TraceIDRatioBased(1 / float64(c.SampleOneIn))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(about),
		// Whether a caller records its trace is nothing to us: its id alone decides, as the ids of all do.
		sdktrace.WithSampler(sdktrace.ParentBased(share, sdktrace.WithRemoteParentSampled(share), sdktrace.WithRemoteParentNotSampled(share))),
		sdktrace.WithBatcher(&sayingExporter{SpanExporter: exporter, log: log}, sdktrace.WithMaxQueueSize(spansWaiting), sdktrace.WithExportTimeout(exportTimeout)),
	)
	return &tracing{provider: provider, tracer: provider.Tracer("countersign")}, nil
}

// close sends what is left, for a moment.
func (t *tracing) close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("telemetry: %w", err)
	}
	return nil // what a collector that is away has missed, the log has said
}

// sayingExporter says in the log when the collector stops taking spans, and when it takes them again.
type sayingExporter struct {
	sdktrace.SpanExporter
	log  *slog.Logger
	away atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *sayingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !e.away.Swap(true):
		e.log.WarnContext(ctx, "telemetry not taken by the collector", "error", err)
	case err == nil && e.away.Swap(false):
		e.log.InfoContext(ctx, "telemetry is taken again")
	}
	return nil
}

// requests follows the requests of a listener. A CA may name the trace that its request
// belongs to (W3C Trace Context); browsers are not asked.
func (t *tracing) requests(listener string, next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if listener == listenCAs {
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
			// Its ids are numbers; what else it says of the trace is text, and would be passed on.
			ctx = trace.ContextWithRemoteSpanContext(ctx, trace.SpanContextFromContext(ctx).WithTraceState(trace.TraceState{}))
		}
		method := knownMethod(r.Method)
		ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("countersign.listener", listener), attribute.String("http.request.method", method),
		))
		defer span.End()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(ctx)
		next.ServeHTTP(seen, r)
		if route := routeOf(r); route != "none" {
			span.SetName(route)
			span.SetAttributes(attribute.String("http.route", route))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", seen.status))
		if seen.status >= http.StatusInternalServerError {
			span.SetAttributes(attribute.String("error.type", strconv.Itoa(seen.status)))
			span.SetStatus(codes.Error, "")
		}
	})
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "_OTHER"
}

// sender follows messages to their providers.
func (t *tracing) sender(next proofing.Sender) proofing.Sender {
	if t == nil {
		return next
	}
	return tracedSender{next, t}
}

type tracedSender struct {
	proofing.Sender
	tracing *tracing
}

// Send implements proofing.Sender.
func (s tracedSender) Send(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
	ctx, span := s.tracing.tracer.Start(ctx, "send "+string(m.Channel), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("countersign.channel", string(m.Channel)),
	))
	defer span.End()
	receipt, err := s.Sender.Send(ctx, m)
	tellOutcome(span, "accepted", err)
	return receipt, err
}

// caller follows the calls of webhooks.
func (t *tracing) caller(next proofing.Caller) proofing.Caller {
	if t == nil {
		return next
	}
	return tracedCaller{next, t}
}

type tracedCaller struct {
	proofing.Caller
	tracing *tracing
}

// Call implements proofing.Caller.
func (c tracedCaller) Call(ctx context.Context, call proofing.Call) error {
	ctx, span := c.tracing.tracer.Start(ctx, "call webhook", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	err := c.Caller.Call(ctx, call)
	tellOutcome(span, "taken", err)
	return err
}

// tellOutcome puts what came of a message or call into its span, without the words of whoever refused it.
func tellOutcome(span trace.Span, well string, err error) {
	if err == nil {
		span.SetAttributes(attribute.String("countersign.outcome", well))
		return
	}
	outcome := outcomeOf(err)
	span.SetAttributes(attribute.String("countersign.outcome", outcome), attribute.String("error.type", outcome))
	span.SetStatus(codes.Error, "")
}

// handler puts the number of the trace into each line of the log that belongs to one.
func (t *tracing) handler(next slog.Handler) slog.Handler {
	if t == nil {
		return next
	}
	return tracedLog{next}
}

type tracedLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h tracedLog) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsSampled() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h tracedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h tracedLog) WithGroup(name string) slog.Handler { return tracedLog{h.Handler.WithGroup(name)} }
