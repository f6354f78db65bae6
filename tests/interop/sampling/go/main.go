// SPDX-License-Identifier: Apache-2.0

// The OpenTelemetry Collector's extension jaegerremotesampling on its own: serves the strategies of
// a file over gRPC, reading it again ten times a second; with a certificate and its key over TLS.
//
//	strategies HOST:PORT FILE [CERTIFICATE KEY]
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/jaegerremotesampling"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/extension/extensiontest"
)

func main() {
	if len(os.Args) != 3 && len(os.Args) != 5 {
		log.Fatal("usage: strategies HOST:PORT FILE [CERTIFICATE KEY]")
	}
	factory := jaegerremotesampling.NewFactory()
	config := factory.CreateDefaultConfig().(*jaegerremotesampling.Config)
	config.HTTPServerConfig = nil
	config.GRPCServerConfig.NetAddr.Endpoint = os.Args[1]
	config.Source.File = os.Args[2]
	config.Source.ReloadInterval = 100 * time.Millisecond
	if len(os.Args) == 5 {
		config.GRPCServerConfig.TLS = configoptional.Some(configtls.ServerConfig{
			Config: configtls.Config{CertFile: os.Args[3], KeyFile: os.Args[4]},
		})
	}
	if err := config.Validate(); err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	server, err := factory.Create(ctx, extensiontest.NewNopSettings(factory.Type()), config)
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Start(ctx, componenttest.NewNopHost()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("serving")
	<-ctx.Done()
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
