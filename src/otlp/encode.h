/* SPDX-License-Identifier: Apache-2.0
 *
 * Finished spans to OTLP protobuf bytes (opentelemetry-proto 1.x, trace.proto). Sans-I/O, any
 * thread; allocates only by growing `out`, and on failure leaves out as it was.
 *
 * Text that is not UTF-8 would make a receiver refuse the whole request: each byte of it that
 * belongs to no character is written as U+FFFD. All functions: 0; -ENOMEM; -EMSGSIZE over the limit
 * of out; -EINVAL when values nest deeper than FTRI_OTLP_NESTING_MAX. */
#pragma once

#include "base/bytes.h"

#include <flowtrace/types.h>

struct ftr_span_data;

/* Appends each attribute as a KeyValue in a field of this number, which is below 16. */
int ftri_otlp_encode_attributes(uint32_t number, const ftr_attribute *attributes,
                                size_t n_attributes, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Appends one KeyValue list as the attributes of a Resource message: the whole Resource body. */
int ftri_otlp_encode_resource(const ftr_attribute *attributes, size_t n_attributes,
                              struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Appends one Span message with its tag and length as ScopeSpans.spans (field 2). */
int ftri_otlp_encode_span(const struct ftr_span_data *span, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* A whole TracesData around what the two above made: spans are `encode_span` outputs in a row. */
int ftri_otlp_encode_traces(struct ftri_view resource, ftr_str scope_name, ftr_str scope_version,
                            struct ftri_view spans, struct ftri_bytes *out) FTRI_MUST_CHECK;
