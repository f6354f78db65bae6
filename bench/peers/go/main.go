// SPDX-License-Identifier: Apache-2.0

// OpenTelemetry's SDK for Go, with the line protocol of bench/peers.py: reads `run CASE N` from
// standard input, records N spans of that case, flushes, and answers with one JSON line. Time is
// CPU time: of the recording thread while it recorded; of the whole process including the flush.
//
// Without an argument its batch processor stands before a sink that counts; with a URL before its
// OTLP exporter (HTTP, protobuf). The queue holds a burst, so that nothing is dropped; everything
// else is the default.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/sys/unix"
)

const (
	queueSpans = 32768
	burstMax   = 10000000
)

// Counts what arrives.
type counter struct{ arrived atomic.Int64 }

func (c *counter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	c.arrived.Add(int64(len(spans)))
	return nil
}

func (c *counter) Shutdown(context.Context) error { return nil }

// The library, set up. sink is nil where another process counts.
type peer struct {
	provider *sdktrace.TracerProvider
	sink     *counter
}

func newPeer(ctx context.Context, arguments []string) (*peer, error) {
	self := &peer{}
	var exporter sdktrace.SpanExporter
	if len(arguments) > 0 {
		http, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(arguments[0]))
		if err != nil {
			return nil, err
		}
		exporter = http
	} else {
		self.sink = &counter{}
		exporter = self.sink
	}
	self.provider = sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(queueSpans)))
	return self, nil
}

func clockNs(clock int32) float64 {
	var now unix.Timespec
	if err := unix.ClockGettime(clock, &now); err != nil {
		panic(err)
	}
	return float64(now.Nano())
}

func (p *peer) delivered(before int64) string {
	if p.sink == nil {
		return "null"
	}
	return strconv.FormatInt(p.sink.arrived.Load()-before, 10)
}

func (p *peer) run(ctx context.Context, name string, what benchCase, n int) string {
	before := int64(0)
	if p.sink != nil {
		before = p.sink.arrived.Load()
	}
	process := clockNs(unix.CLOCK_PROCESS_CPUTIME_ID)
	thread := clockNs(unix.CLOCK_THREAD_CPUTIME_ID)
	what.record(p.provider.Tracer("bench"), n)
	thread = clockNs(unix.CLOCK_THREAD_CPUTIME_ID) - thread
	if err := p.provider.ForceFlush(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peer-otel-go: flush:", err)
	}
	process = clockNs(unix.CLOCK_PROCESS_CPUTIME_ID) - process
	recorded := 0
	if what.isRecorded {
		recorded = n
	}
	return fmt.Sprintf(`{"case":"%s","spans":%d,"recorded":%d,"delivered":%s,"ns":%.3f,"process_ns":%.3f}`,
		name, n, recorded, p.delivered(before), thread/float64(n), process/float64(n))
}

func (p *peer) answer(ctx context.Context, line string) string {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != "run" {
		return `{"error":"a line is: run CASE N"}`
	}
	what, isThere := cases[words[1]]
	if !isThere {
		return `{"error":"there is no such case"}`
	}
	n, err := strconv.Atoi(words[2])
	if err != nil || n <= 0 || n > burstMax || n%traceLen != 0 {
		return fmt.Sprintf(`{"error":"N is a multiple of %d, at most %d"}`, traceLen, burstMax)
	}
	return p.run(ctx, words[1], what, n)
}

func main() {
	runtime.LockOSThread()
	ctx := context.Background()
	self, err := newPeer(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer-otel-go:", err)
		os.Exit(1)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(self.answer(ctx, lines.Text()))
	}
}
