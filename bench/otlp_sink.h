/* SPDX-License-Identifier: Apache-2.0
 *
 * A process of its own that takes OTLP: HTTP/1.1 over TCP and over a Unix socket with as little
 * work as can be, gRPC by the collector's server. Each request is checked field by field and its
 * spans are counted in memory that both processes see. Forked: start it before any thread. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { OTLP_SINK_URL_BYTES = 160 };

struct otlp_sink_state {
    _Atomic uint64_t n_spans;
    _Atomic uint64_t n_bytes; /* of requests, their transport's framing not included */
    _Atomic uint64_t n_requests;
    _Atomic uint64_t n_refused;
    char http[OTLP_SINK_URL_BYTES];
    char unix_http[OTLP_SINK_URL_BYTES];
    char grpc[OTLP_SINK_URL_BYTES];
};

struct otlp_sink {
    pid_t pid;
    struct otlp_sink_state *state; /* shared with the process */
    char directory[64];            /* of the Unix socket */
};

/* What fails ends the program. */
void otlp_sink_start(struct otlp_sink *self);
void otlp_sink_stop(struct otlp_sink *self);
