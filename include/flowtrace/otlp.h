/* SPDX-License-Identifier: Apache-2.0
 *
 * The OTLP exporter (library flowtrace-export; needs libcurl). OTLP 1.x over HTTP with binary
 * protobuf; retries 429, 502, 503 and 504 with the server's Retry-After, else exponential back-off.
 */
#ifndef FLOWTRACE_OTLP_H
#define FLOWTRACE_OTLP_H

#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ftr_exporter ftr_exporter; /* <flowtrace/exporter.h> */

typedef struct ftr_otlp_options {
    size_t size;
    ftr_str endpoint; /* full URL, e.g. http://127.0.0.1:4318/v1/traces, or unix:///path */
    ftr_str headers;  /* "name=value,name=value", values percent-encoded; may be empty */
    bool use_gzip;
    uint32_t timeout_ms; /* 0: 10000 */
} ftr_otlp_options;

FTR_API ftr_exporter *ftr_otlp_exporter_new(const ftr_otlp_options *options, ftr_error *error);
/* By OTEL_EXPORTER_OTLP_* as the specification says. NULL: the error says which variable is wrong.
 * FTR_OK with a text: a variable was ignored because the specification says so, and why. */
FTR_API ftr_exporter *ftr_otlp_exporter_from_environment(ftr_error *error);

#ifdef __cplusplus
}
#endif

#endif
