/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans for the store's tests: plain values, and the payloads that hold them. */
#pragma once

#include "base/payload.h"

struct sample {
    uint64_t trace; /* becomes the trace id; not 0 */
    uint64_t span;
    uint64_t parent; /* 0: none */
    const char *service;
    const char *name;
    uint64_t start_ns, end_ns;
    uint32_t kind;
    bool is_error;
    uint32_t note; /* an attribute: tells versions of one span apart */
};

/* The ids as the wire has them: the number in each byte order would sort alike, so it is mixed. */
void sample_trace_id(uint64_t trace, uint8_t ret_id[16]);
void sample_span_id(uint64_t span, uint8_t ret_id[8]);

/* The bytes of one Span message, by the encoder of src/otlp. */
void sample_encode(const struct sample *sample, struct ftri_bytes *out);
/* A checked payload: one ResourceSpans a run of equal services. */
struct ftri_payload *sample_payload(const struct sample *samples, size_t n);

/* One ResourceSpans around Span messages (each a body, without tag and length). NULL: left out. */
struct sample_place {
    const char *service, *scope, *resource_url, *scope_url;
};
void sample_wrap(const struct sample_place *place, const struct ftri_view *spans, size_t n,
                 struct ftri_bytes *out);
/* Takes the bytes over; fails the test when they are not valid OTLP. */
struct ftri_payload *sample_seal(struct ftri_bytes *bytes);

/* One field; text NULL: none. */
void sample_put_text(struct ftri_bytes *out, uint32_t number, const char *text);
/* resource 1 { attributes 1 { key 1, value 2 { string 1 } } } */
void sample_put_resource(struct ftri_bytes *out, const char *service);

/* A small generator of numbers, so that failures repeat. */
uint64_t sample_random(uint64_t *state);
