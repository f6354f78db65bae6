/* SPDX-License-Identifier: Apache-2.0
 *
 * The generated codecs that ours is measured beside: protobuf C++ (heap and arena) and protobuf-c,
 * made from tests/otlp/trace.proto. All take one OTLP traces request. One thread.
 *
 * A sum is over every field of every message, so that two readings that are equal have visited the
 * same: numbers as they are (doubles by their bits), texts and bytes as length, first and last
 * byte, each times the field's number. */
#pragma once

#include <flowtrace/exporter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Parses, and with_sum adds up what was parsed; frees everything. 0: parsed, without sum. */
uint64_t peer_cpp_heap(const uint8_t *bytes, size_t len, bool with_sum);
uint64_t peer_cpp_arena(const uint8_t *bytes, size_t len, bool with_sum);
uint64_t peer_c(const uint8_t *bytes, size_t len, bool with_sum);

/* Parses and compares field by field with the spans that it was made from; exact_times false: only
 * the order of the times of a span is compared. Prints the first difference. */
bool peer_cpp_is_equal(const uint8_t *bytes, size_t len, const ftr_span_data *spans, size_t n_spans,
                       bool exact_times);

/* A request kept as a message, to be serialised again and again. */
struct peer_message;
struct peer_message *peer_cpp_message_new(const uint8_t *bytes, size_t len);
/* Serialises into room; returns the bytes written. */
size_t peer_cpp_serialise(const struct peer_message *self, uint8_t *room, size_t room_len);

#ifdef __cplusplus
}
#endif

/* What is added for a text. */
static inline uint64_t peer_text_sum(const char *data, size_t len)
{
    return len ? len + (uint8_t)data[0] + (uint8_t)data[len - 1] : 0;
}
