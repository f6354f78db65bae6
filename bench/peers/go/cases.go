// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// N is a multiple of it: whole traces.
const traceLen = 1000

var keys = [10]string{
	"attribute.key.numbr0", "attribute.key.numbr1", "attribute.key.numbr2", "attribute.key.numbr3",
	"attribute.key.numbr4", "attribute.key.numbr5", "attribute.key.numbr6", "attribute.key.numbr7",
	"attribute.key.numbr8", "attribute.key.numbr9",
}

type benchCase struct {
	record     func(tracer trace.Tracer, n int)
	isRecorded bool
}

type loop func(ctx context.Context, tracer trace.Tracer, n int)

// "off": the API's no-op provider.
var cases = map[string]benchCase{
	"trace-1000":    {traces(traceLen, children), true},
	"trace-10":      {traces(10, children), true},
	"attributes-4":  {traces(traceLen, childrenWith(4)), true},
	"attributes-10": {traces(traceLen, childrenWith(10)), true},
	"event":         {traces(traceLen, childrenWithEvent), true},
	"root":          {recordRoots, true},
	"unsampled":     {recordUnsampled, false},
	"off":           {recordOff, false},
}

func children(ctx context.Context, tracer trace.Tracer, n int) {
	for range n {
		_, span := tracer.Start(ctx, "child span")
		span.End()
	}
}

// A value of 20 bytes that is not the one before, made as bench/loops.c makes it.
func childrenWith(nAttributes int) loop {
	return func(ctx context.Context, tracer trace.Tracer, n int) {
		value := []byte("vvvvvvvvvvvvvvvvvvvv")
		attributes := make([]attribute.KeyValue, nAttributes)
		for i := range n {
			_, span := tracer.Start(ctx, "child span")
			binary.NativeEndian.PutUint32(value[16:], uint32(i)&0x3f3f3f3f|0x40404040)
			for k := range attributes {
				attributes[k] = attribute.String(keys[k], string(value))
			}
			span.SetAttributes(attributes...)
			span.End()
		}
	}
}

func childrenWithEvent(ctx context.Context, tracer trace.Tracer, n int) {
	for range n {
		_, span := tracer.Start(ctx, "child span")
		span.AddEvent("event")
		span.End()
	}
}

// n / length traces: a root with length - 1 children.
func traces(length int, record loop) func(trace.Tracer, int) {
	return func(tracer trace.Tracer, n int) {
		for range n / length {
			ctx, root := tracer.Start(context.Background(), "request", trace.WithSpanKind(trace.SpanKindServer))
			record(ctx, tracer, length-1)
			root.End()
		}
	}
}

func recordRoots(tracer trace.Tracer, n int) {
	for range n {
		_, span := tracer.Start(context.Background(), "root span", trace.WithSpanKind(trace.SpanKindServer))
		span.End()
	}
}

func recordUnsampled(tracer trace.Tracer, n int) {
	parent := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true,
	})
	children(trace.ContextWithRemoteSpanContext(context.Background(), parent), tracer, n)
}

func recordOff(_ trace.Tracer, n int) {
	children(context.Background(), noop.NewTracerProvider().Tracer("bench"), n)
}
