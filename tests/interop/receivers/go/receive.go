// SPDX-License-Identifier: Apache-2.0

// receive NETWORK ADDRESS [CERTIFICATE KEY [CLIENT_AUTHORITY]]: a grpc-go server for OTLP traces that takes gzip
// and zstd (the decoders are klauspost's and Go's own). Prints its address, then for each request one line of
// JSON: its size packed and not, and its spans' names. Ends with standard input.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/stats"
)

type zstdCompressor struct{}

func (zstdCompressor) Name() string { return "zstd" }

func (zstdCompressor) Compress(to io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(to) }

func (zstdCompressor) Decompress(from io.Reader) (io.Reader, error) {
	decoder, err := zstd.NewReader(from)
	if err != nil {
		return nil, err
	}
	return decoder.IOReadCloser(), nil
}

type request struct {
	Packed int      `json:"packed"`
	Length int      `json:"length"`
	Names  []string `json:"names"`
}

type server struct {
	collector.UnimplementedTraceServiceServer
	lock   sync.Mutex
	output *json.Encoder
}

type sizesKey struct{}

// The sizes of a call's message, which grpc-go tells before the call is handled.
func (*server) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, sizesKey{}, &request{})
}

func (*server) HandleRPC(ctx context.Context, one stats.RPCStats) {
	if payload, ok := one.(*stats.InPayload); ok {
		sizes := ctx.Value(sizesKey{}).(*request)
		sizes.Packed, sizes.Length = payload.CompressedLength, payload.Length
	}
}

func (*server) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (*server) HandleConn(context.Context, stats.ConnStats) {}

func (self *server) Export(ctx context.Context, message *collector.ExportTraceServiceRequest) (
	*collector.ExportTraceServiceResponse, error) {
	seen := *ctx.Value(sizesKey{}).(*request)
	for _, resource := range message.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				seen.Names = append(seen.Names, span.Name)
			}
		}
	}
	self.lock.Lock()
	defer self.lock.Unlock()
	return &collector.ExportTraceServiceResponse{}, self.output.Encode(seen)
}

func security(files []string) grpc.ServerOption {
	if len(files) == 0 {
		return grpc.EmptyServerOption{}
	}
	pair, err := tls.LoadX509KeyPair(files[0], files[1])
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if len(files) > 2 {
		authority, err := os.ReadFile(files[2])
		if err != nil {
			log.Fatal(err)
		}
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(authority)
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return grpc.Creds(credentials.NewTLS(config))
}

func main() {
	encoding.RegisterCompressor(zstdCompressor{})
	listener, err := net.Listen(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	self := &server{output: json.NewEncoder(os.Stdout)}
	machine := grpc.NewServer(security(os.Args[3:]), grpc.StatsHandler(self))
	collector.RegisterTraceServiceServer(machine, self)
	if err := self.output.Encode(listener.Addr().String()); err != nil {
		log.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		machine.Stop()
	}()
	if err := machine.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
