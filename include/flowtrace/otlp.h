/* SPDX-License-Identifier: Apache-2.0
 *
 * The OTLP exporter (library flowtrace-export; needs libcurl), of spans and metrics. OTLP 1.x over
 * gRPC and HTTP, over TCP, TLS and Unix sockets.
 *
 * What the specification calls retryable is tried again until the deadline: after the delay that
 * the server asks for, else with exponential back-off. Spans that the server says it rejected are
 * counted as such. Metrics are not tried again: the next export says it all. Requests are at most
 * 64 MiB, answers at most 4 MiB, also when unpacked. */
#ifndef FLOWTRACE_OTLP_H
#define FLOWTRACE_OTLP_H

#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ftr_exporter ftr_exporter; /* <flowtrace/exporter.h> */
struct ftr_user_config;                   /* <flowtrace/user.h> */

typedef enum ftr_otlp_protocol {
    FTR_OTLP_HTTP_PROTOBUF = 0,
    FTR_OTLP_HTTP_JSON = 1,
    FTR_OTLP_GRPC = 2
} ftr_otlp_protocol;

typedef enum ftr_otlp_compression {
    FTR_OTLP_PLAIN = 0,
    FTR_OTLP_GZIP = 1,
    FTR_OTLP_ZSTD = 2
} ftr_otlp_compression;

/* Each has its variable OTEL_EXPORTER_OTLP_*, with the same meaning. Texts may be empty. */
typedef struct ftr_otlp_options {
    size_t size;
    /* Full URL, e.g. http://127.0.0.1:4318/v1/traces, or unix:///path; of gRPC the scheme and host
     * count, and host:port will do. */
    ftr_str endpoint;
    ftr_str headers; /* "name=value,name=value", values percent-encoded */
    ftr_otlp_compression compression;
    uint32_t timeout_ms; /* for one batch, with all its tries; 0: 10000; UINT32_MAX: no limit */
    ftr_otlp_protocol protocol;
    ftr_str certificate;        /* PEM file of the authorities to trust; else the system's */
    ftr_str client_certificate; /* PEM file */
    ftr_str client_key;         /* PEM file */
    bool is_insecure;           /* gRPC to host:port goes without TLS */
    /* Where metrics go, if the session exports any. Empty: to the endpoint, with /v1/metrics in the
     * place of /v1/traces; not, if it ends otherwise. The other options are for both. */
    ftr_str metrics_endpoint;
} ftr_otlp_options;

/* NULL: the error says which option is wrong. FTR_OK with a text: what was ignored. */
FTR_API ftr_exporter *ftr_otlp_exporter_new(const ftr_otlp_options *options, ftr_error *error);
/* By OTEL_EXPORTER_OTLP_* as the specification says, those of traces and of metrics. NULL: the
 * error says which variable is wrong. FTR_OK with a text: a variable was ignored because the
 * specification says so, and why. */
FTR_API ftr_exporter *ftr_otlp_exporter_from_environment(ftr_error *error);
/* What `otlp/stdout` in OTEL_TRACES_EXPORTER names: OTLP's JSON on standard output, one batch a
 * line, as other tools read it from a file. NULL: memory is short. */
FTR_API ftr_exporter *ftr_otlp_stdout_exporter_new(ftr_error *error);

/* For ftr_user_config.otlp_exporter: POST /v1/traces to its Unix socket, each request with its
 * routing as the header of that name. Spans without a routing are refused and counted as rejected.
 * NULL: the error says which setting is wrong. */
FTR_API ftr_exporter *ftr_otlp_user_exporter_new(const struct ftr_user_config *config,
                                                 ftr_error *error);

#ifdef __cplusplus
}
#endif

#endif
