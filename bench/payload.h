/* SPDX-License-Identifier: Apache-2.0
 *
 * The three payloads of all benchmarks, made by one generator; the same seed gives the same spans.
 *
 *   small  4 attributes of a dataflow's visit, about 187 bytes as OTLP
 *   web    16 attributes of a server's request, about 690 bytes
 *   mixed  0 to 40 attributes of every type, events, links, Unicode, lengths and order shuffled
 *
 * Spans come as traces of 8, parents first; ids and times are random as real ones are, attribute
 * values are drawn from as many as a service has. One thread. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

#include <flowtrace/exporter.h>

enum payload_kind { PAYLOAD_SMALL, PAYLOAD_WEB, PAYLOAD_MIXED, N_PAYLOADS };
enum { PAYLOAD_TRACE_SPANS = 8 };

struct payload {
    struct ftri_arena arena; /* all that the spans point to */
    ftr_span_data *spans;
    size_t n_spans;
    const ftr_attribute *resource;
    size_t n_resource;
};

extern const char *const payload_names[N_PAYLOADS];

/* n_spans: a multiple of PAYLOAD_TRACE_SPANS. Memory that is short ends the program. */
void payload_init(struct payload *self, enum payload_kind kind, size_t n_spans, uint64_t seed);
void payload_deinit(struct payload *self);
/* Appends n spans from the first on as one request, by the library's encoder. */
void payload_encode(const struct payload *self, size_t first, size_t n, struct ftri_bytes *out);
/* Ends the program when r is not 0. */
void payload_check(int r, const char *what);
