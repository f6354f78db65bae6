/* SPDX-License-Identifier: Apache-2.0
 *
 * The TracesData around Span messages that lie in memory already: written in front of them, so that
 * they are not copied for it.
 *
 *   resource_spans 1 { resource 1, scope_spans 2 { scope 1 { name 1, version 2 }, spans ... } }
 *
 * `spans` are ftri_otlp_encode_span outputs in a row; the texts are valid UTF-8, and an empty one
 * is left out. Sans-I/O, any thread. */
#pragma once

#include "base/bytes.h"

/* Bytes in front of spans_len bytes of spans; no fewer spans take more. */
size_t ftri_otlp_envelope_size(struct ftri_view resource, ftr_str scope_name, ftr_str scope_version,
                               size_t spans_len);
/* Returns the message's first byte, so many before `spans`. */
uint8_t *ftri_otlp_envelope_write(struct ftri_view resource, ftr_str scope_name,
                                  ftr_str scope_version, uint8_t *spans, size_t spans_len);
