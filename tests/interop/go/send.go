// SPDX-License-Identifier: Apache-2.0

// Sends spans with the OpenTelemetry SDK for Go and writes what it sent, one span a line:
//
//	send grpc|http/protobuf URL none|gzip SEED OUTPUT
//
// The lines come from the values that were handed to the SDK, in the form of compare.py; ids are
// ours, too. What the SDK does to them on its way, and we therefore expect: a full list of attributes
// drops the newest, one of events or links its oldest; a link goes without its tracestate; this
// release (the last that Go 1.19 builds) sends neither flags nor attributes of scopes.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	nSpans        = 2000
	spansOfATrace = 20
	batch         = 150
	limit         = 128
	timeout       = 90 * time.Second
	longText      = 10 * 1024
	stateText     = "vendor=a:b-1,other@sys=2"
)

type event struct {
	Name       string   `json:"name"`
	Time       string   `json:"time"`
	Attributes [][2]any `json:"attributes"`
	Dropped    int      `json:"dropped"`
}

type link struct {
	TraceID    string   `json:"traceId"`
	SpanID     string   `json:"spanId"`
	TraceState string   `json:"traceState"`
	Flags      int      `json:"flags"`
	Attributes [][2]any `json:"attributes"`
	Dropped    int      `json:"dropped"`
}

type origin struct {
	tracer   trace.Tracer
	resource map[string]any
	scope    map[string]any
}

// line is one span as compare.py wants it.
type line struct {
	TraceID    string         `json:"traceId"`
	SpanID     string         `json:"spanId"`
	ParentID   string         `json:"parentSpanId"`
	TraceState string         `json:"traceState"`
	Flags      int            `json:"flags"`
	Name       string         `json:"name"`
	Kind       int            `json:"kind"`
	Start      string         `json:"start"`
	End        string         `json:"end"`
	Attributes [][2]any       `json:"attributes"`
	Dropped    [3]int         `json:"dropped"`
	Events     []event        `json:"events"`
	Links      []link         `json:"links"`
	Status     [2]any         `json:"status"`
	Resource   map[string]any `json:"resource"`
	Scope      map[string]any `json:"scope"`
}

// ids are the sender's own, known before the SDK asks for them.
type ids struct {
	dice    *rand.Rand
	traceID trace.TraceID
	spanID  trace.SpanID
}

func (i *ids) draw() {
	i.dice.Read(i.traceID[:])
	i.dice.Read(i.spanID[:])
}

func (i *ids) NewIDs(context.Context) (trace.TraceID, trace.SpanID) { return i.traceID, i.spanID }

func (i *ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return i.spanID }

// watching hands everything to the real exporter and counts.
type watching struct {
	exporter          sdk.SpanExporter
	nSpans, nFailures int
}

func (w *watching) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	w.nSpans += len(spans)
	err := w.exporter.ExportSpans(ctx, spans)
	if err != nil {
		w.nFailures++
	}
	return err
}

// Shutdown is called by each of the providers; the exporter is one.
func (w *watching) Shutdown(context.Context) error { return nil }

type sender struct {
	dice      *rand.Rand
	ids       *ids
	exporter  *watching
	start     time.Time
	lines     []line
	earlier   []trace.SpanContext // to link to
	providers []*sdk.TracerProvider
	origins   []origin
}

func newSender(exporter sdk.SpanExporter, seed int64) *sender {
	s := &sender{
		dice: rand.New(rand.NewSource(seed)), ids: &ids{dice: rand.New(rand.NewSource(-seed))},
		exporter: &watching{exporter: exporter}, start: time.Now().Add(-time.Minute),
	}
	s.addProvider("", textField("service.name", "interop-go-first"), doubleField("ratio", 0.25),
		textsField("list", "x", "y"), textField("host.name", "主机"))
	s.addProvider("https://opentelemetry.io/schemas/1.30.0", textField("service.name", "interop-go-second"),
		intField("big", 1<<62), boolField("is.up", true), textField("none", ""))
	return s
}

func (s *sender) addProvider(schema string, fields ...field) {
	attributes, _ := sent(fields)
	provider := sdk.NewTracerProvider(
		sdk.WithResource(resource.NewWithAttributes(schema, given(fields)...)), sdk.WithIDGenerator(s.ids),
		sdk.WithBatcher(s.exporter, sdk.WithMaxQueueSize(nSpans), sdk.WithMaxExportBatchSize(batch),
			sdk.WithExportTimeout(timeout)))
	onWire := map[string]any{"attributes": attributes, "schemaUrl": schema}
	s.providers = append(s.providers, provider)
	s.origins = append(s.origins,
		origin{provider.Tracer("plain"), onWire, scope("plain", "", "")},
		origin{
			provider.Tracer("versioned 📦", trace.WithInstrumentationVersion("1.2.3-β"),
				trace.WithSchemaURL("https://opentelemetry.io/schemas/1.27.0")),
			onWire, scope("versioned 📦", "1.2.3-β", "https://opentelemetry.io/schemas/1.27.0"),
		})
}

func scope(name, version, schema string) map[string]any {
	return map[string]any{"name": name, "version": version, "attributes": []any{}, "schemaUrl": schema}
}

// remoteContext comes from elsewhere, with a tracestate.
func (s *sender) remoteContext() trace.SpanContext {
	state, err := trace.ParseTraceState(stateText)
	check(err)
	config := trace.SpanContextConfig{TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true}
	s.dice.Read(config.TraceID[:])
	s.dice.Read(config.SpanID[:])
	return trace.NewSpanContext(config)
}

// parentOf is invalid for a root.
func (s *sender) parentOf(n int, own []trace.SpanContext) trace.SpanContext {
	if len(own) > 0 {
		return own[s.dice.Intn(len(own))]
	}
	if n%40 == 0 {
		return s.remoteContext()
	}
	return trace.SpanContext{}
}

func (s *sender) fields(n int) []field {
	switch {
	case n%4 == 0:
		return everyValue(s.dice)
	case n%50 == 1:
		return []field{textField("text.long", randomText(s.dice, longText))}
	case n%100 == 2:
		return manyFields(200)
	}
	return nil
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// addEvent hands one to the SDK.
func addEvent(span trace.Span, name string, fields []field, at time.Time) event {
	span.AddEvent(name, trace.WithAttributes(given(fields)...), trace.WithTimestamp(at))
	attributes, nDropped := sent(fields)
	return event{name, nanoseconds(at), attributes, nDropped}
}

func (s *sender) addEvents(span trace.Span, n int, start time.Time) []event {
	count := n / 4 % 4
	if n%100 == 6 {
		count = limit + 2
	}
	events := []event{}
	for i := 0; i < count; i++ {
		name := fmt.Sprintf("event %d ⚡", i)
		if i == 0 {
			name = ""
		}
		fields := []field{intField("i", int64(i)), textField("text", randomText(s.dice, 9)), textsField("array")}
		events = append(events, addEvent(span, name, fields, start.Add(time.Duration(i))))
	}
	if n%100 == 9 {
		events = append(events, addEvent(span, "full", manyFields(limit+3), start))
	}
	if n%10 == 3 {
		span.RecordError(fmt.Errorf("out of range: 流"), trace.WithTimestamp(start))
		attributes, _ := sent([]field{textField("exception.type", "*errors.errorString"),
			textField("exception.message", "out of range: 流")})
		events = append(events, event{"exception", nanoseconds(start), attributes, 0})
	}
	return events
}

func newLink(context trace.SpanContext, fields []field) (trace.Link, link) {
	attributes, nDropped := sent(fields)
	return trace.Link{SpanContext: context, Attributes: given(fields)},
		link{context.TraceID().String(), context.SpanID().String(), "", 0, attributes, nDropped}
}

func (s *sender) links(n int) ([]trace.Link, []link) {
	given, sent := []trace.Link{}, []link{}
	add := func(context trace.SpanContext, fields []field) {
		one, onWire := newLink(context, fields)
		given, sent = append(given, one), append(sent, onWire)
	}
	if n%5 == 0 {
		add(s.remoteContext(), []field{textField("relation", "remote 🔗"), intField("n", int64(n))})
	}
	count := n % 3
	if n%100 == 7 {
		count = limit + 4
	}
	for i := 0; i < count && len(s.earlier) > 0; i++ {
		add(s.earlier[s.dice.Intn(len(s.earlier))], nil)
	}
	return given, sent
}

// setStatus returns code and message on the wire: only an error has one.
func setStatus(span trace.Span, n int) [2]any {
	message := fmt.Sprintf("status %d 🚦", n)
	switch n % 3 {
	case 1:
		span.SetStatus(codes.Ok, message)
		return [2]any{1, ""}
	case 2:
		span.SetStatus(codes.Error, message)
		return [2]any{2, message}
	}
	return [2]any{0, ""}
}

// newest is what a limit leaves of a list, and how many it drops.
func newest[T any](items []T) ([]T, int) {
	if len(items) <= limit {
		return items, 0
	}
	return items[len(items)-limit:], len(items) - limit
}

// record hands one span to the SDK and writes it down; its end is for the caller.
func (s *sender) record(n int, own []trace.SpanContext) (trace.Span, time.Time) {
	s.ids.draw()
	parent := s.parentOf(n, own)
	from := s.origins[s.dice.Intn(len(s.origins))]
	start := s.start.Add(time.Duration(n * 7001))
	end := start.Add(1 + time.Duration(s.dice.Int63n(5e9)))
	l := line{
		TraceID: s.ids.traceID.String(), SpanID: s.ids.spanID.String(), Kind: n%5 + 1, Start: nanoseconds(start),
		End: nanoseconds(end), Resource: from.resource, Scope: from.scope,
	}
	if parent.IsValid() {
		l.TraceID, l.ParentID = parent.TraceID().String(), parent.SpanID().String()
	}
	if parent.TraceState().Len() > 0 {
		l.TraceState = stateText
	}
	if n%37 != 0 {
		l.Name = fmt.Sprintf("step %d — %s", n, randomText(s.dice, 5))
	}
	links, sentLinks := s.links(n)
	// The kinds as opentelemetry-proto numbers them.
	kinds := []trace.SpanKind{trace.SpanKindInternal, trace.SpanKindServer, trace.SpanKindClient,
		trace.SpanKindProducer, trace.SpanKindConsumer}
	_, span := from.tracer.Start(trace.ContextWithSpanContext(context.Background(), parent), l.Name,
		trace.WithSpanKind(kinds[n%5]), trace.WithTimestamp(start), trace.WithLinks(links...))
	fields := s.fields(n)
	span.SetAttributes(given(fields)...)
	l.Attributes, l.Dropped[0] = sent(fields)
	l.Events, l.Dropped[1] = newest(s.addEvents(span, n, start))
	l.Links, l.Dropped[2] = newest(sentLinks)
	l.Status = setStatus(span, n)
	s.lines = append(s.lines, l)
	return span, end
}

func (s *sender) makeTrace(first int) {
	own, spans, ends := []trace.SpanContext{}, []trace.Span{}, []time.Time{}
	for n := first; n < first+spansOfATrace; n++ {
		span, end := s.record(n, own)
		own, spans, ends = append(own, span.SpanContext()), append(spans, span), append(ends, end)
	}
	for i, span := range spans {
		span.End(trace.WithTimestamp(ends[i]))
	}
	s.earlier = append(s.earlier, own[:3]...)
}

// send is true when every span was exported.
func (s *sender) send() bool {
	for first := 0; first < nSpans; first += spansOfATrace {
		s.makeTrace(first)
	}
	for _, provider := range s.providers {
		check(provider.Shutdown(context.Background()))
	}
	check(s.exporter.exporter.Shutdown(context.Background()))
	if s.exporter.nSpans == nSpans && s.exporter.nFailures == 0 {
		return true
	}
	fmt.Fprintf(os.Stderr, "send: %d exports failed, %d spans exported\n", s.exporter.nFailures, s.exporter.nSpans)
	return false
}

func (s *sender) write(path string) {
	file, err := os.Create(path)
	check(err)
	encoder := json.NewEncoder(file)
	for _, l := range s.lines {
		check(encoder.Encode(l))
	}
	check(file.Close())
}

// The first retry comes after what the collector asks for, or after half a second if that is longer.
func newExporter(protocol, address, compression string) (sdk.SpanExporter, error) {
	const first, longest = 500 * time.Millisecond, 5 * time.Second
	if protocol == "grpc" {
		options := []otlptracegrpc.Option{
			otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithInsecure(), otlptracegrpc.WithTimeout(timeout),
			otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: first,
				MaxInterval: longest, MaxElapsedTime: timeout}),
		}
		if compression == "gzip" {
			options = append(options, otlptracegrpc.WithCompressor("gzip"))
		}
		return otlptrace.New(context.Background(), otlptracegrpc.NewClient(options...))
	}
	packing := map[string]otlptracehttp.Compression{
		"none": otlptracehttp.NoCompression, "gzip": otlptracehttp.GzipCompression}[compression]
	return otlptrace.New(context.Background(), otlptracehttp.NewClient(
		otlptracehttp.WithEndpoint(address), otlptracehttp.WithInsecure(), otlptracehttp.WithTimeout(timeout),
		otlptracehttp.WithCompression(packing),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: first,
			MaxInterval: longest, MaxElapsedTime: timeout})))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "send:", err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: send grpc|http/protobuf URL none|gzip SEED OUTPUT")
		os.Exit(2)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { fmt.Fprintln(os.Stderr, "send:", err) }))
	exporter, err := newExporter(os.Args[1], strings.TrimPrefix(os.Args[2], "http://"), os.Args[3])
	check(err)
	seed, err := strconv.ParseInt(os.Args[4], 10, 64)
	check(err)
	s := newSender(exporter, seed)
	isGood := s.send()
	s.write(os.Args[5])
	if !isGood {
		os.Exit(1)
	}
}
