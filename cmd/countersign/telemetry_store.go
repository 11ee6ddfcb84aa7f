package main

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// kv follows the calls of the store that somebody made whom we follow already: the loops
// that look for work all the time begin no traces of their own.
func (t *tracing) kv(next store.KV, kind string) store.KV {
	if t == nil {
		return next
	}
	return tracedKV{next, t, kind}
}

type tracedKV struct {
	store.KV
	tracing *tracing
	kind    string
}

func (k tracedKV) start(ctx context.Context, call string) (context.Context, trace.Span) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, trace.SpanFromContext(ctx)
	}
	return k.tracing.tracer.Start(ctx, "store "+call, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", k.kind), attribute.String("db.operation.name", call),
	))
}

// end ends the span that start began. A conflict or an absence is an answer and no error.
func (k tracedKV) end(ctx context.Context, span trace.Span, err error) {
	if span == trace.SpanFromContext(ctx) {
		return
	}
	switch {
	case errors.Is(err, store.ErrConflict):
		span.SetAttributes(attribute.Bool("countersign.conflict", true))
	case errors.Is(err, proofing.ErrUnavailable):
		span.SetAttributes(attribute.String("error.type", "unavailable"))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// Get implements store.KV.
func (k tracedKV) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	in, span := k.start(ctx, "get")
	item, err := k.KV.Get(in, bucket, name, known)
	k.end(ctx, span, err)
	return item, err
}

// Scan implements store.KV.
func (k tracedKV) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]store.Item, error) {
	in, span := k.start(ctx, "scan")
	items, err := k.KV.Scan(in, bucket, prefix, after, limit)
	k.end(ctx, span, err)
	return items, err
}

// Apply implements store.KV.
func (k tracedKV) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	in, span := k.start(ctx, "apply")
	err := k.KV.Apply(in, bucket, ops)
	k.end(ctx, span, err)
	return err
}

// Confirm implements store.KV.
func (k tracedKV) Confirm(ctx context.Context, bucket, name string, version uint64) error {
	in, span := k.start(ctx, "confirm")
	err := k.KV.Confirm(in, bucket, name, version)
	k.end(ctx, span, err)
	return err
}

// Add implements store.KV.
func (k tracedKV) Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (int64, time.Time, error) {
	in, span := k.start(ctx, "add")
	total, expires, err := k.KV.Add(in, bucket, name, delta, ttl)
	k.end(ctx, span, err)
	return total, expires, err
}
