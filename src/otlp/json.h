/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP's JSON encoding (opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding"): ids
 * in hexadecimal, 64-bit integers as strings (numbers accepted), enums as integers, lowerCamelCase,
 * unknown fields ignored, bytesValue in base64. Sans-I/O, any thread. */
#pragma once

#include "otlp/view.h"

struct ftri_otlp_json_counts {
    size_t n_items;        /* spans, log records, data points */
    size_t n_null_numbers; /* doubles sent as null: stored as empty values */
};

/* Turns a JSON ExportTraceServiceRequest into its protobuf bytes, appended to ret_bytes.
 * 0; -EBADMSG with ret_error filled (offset: in the JSON text); -ENOMEM; -EMSGSIZE over the limit
 * of ret_bytes; on failure ret_bytes is as it was. The result satisfies ftri_otlp_traces_check.
 *
 * Names are those of the protocol in lowerCamelCase; any other is ignored with its value. null
 * stands for an absent field, but not for an element of an array. A name that occurs twice: the
 * last wins, arrays add up. Ids: hexadecimal of either case; a span's must be there and not all
 * zero. Integers: a number or a string of one. Enums: a number. Doubles: a number, a string of one,
 * "NaN", "Infinity", "-Infinity". Nesting: 64 levels of JSON. */
int ftri_otlp_traces_from_json(struct ftri_view json, struct ftri_bytes *ret_bytes,
                               struct ftri_otlp_json_counts *ret_counts,
                               struct ftri_otlp_error *ret_error) FTRI_MUST_CHECK;
/* The same for an ExportLogsServiceRequest and an ExportMetricsServiceRequest; the results satisfy
 * the checks of signals.h. A log record's id of another length is left out. */
int ftri_otlp_logs_from_json(struct ftri_view json, struct ftri_bytes *ret_bytes,
                             struct ftri_otlp_json_counts *ret_counts,
                             struct ftri_otlp_error *ret_error) FTRI_MUST_CHECK;
int ftri_otlp_metrics_from_json(struct ftri_view json, struct ftri_bytes *ret_bytes,
                                struct ftri_otlp_json_counts *ret_counts,
                                struct ftri_otlp_error *ret_error) FTRI_MUST_CHECK;

/* The reverse. Writes {"resourceSpans":[...]} for checked protobuf bytes: ids in lower-case
 * hexadecimal, 64-bit integers as strings, fields with their default value left out except
 * traceId, spanId, name, kind, the times, and the values of an array or map. On failure (-ENOMEM,
 * -EMSGSIZE) ret_json holds a part of the text. */
int ftri_otlp_traces_to_json(struct ftri_view bytes, struct ftri_bytes *ret_json) FTRI_MUST_CHECK;
/* The same for logs and metrics: {"resourceLogs":[...]}, {"resourceMetrics":[...]}, default values
 * left out. */
int ftri_otlp_logs_to_json(struct ftri_view bytes, struct ftri_bytes *ret_json) FTRI_MUST_CHECK;
int ftri_otlp_metrics_to_json(struct ftri_view bytes, struct ftri_bytes *ret_json) FTRI_MUST_CHECK;

/* Spans out of several places in one document: begin, any number of spans, end. Neighbouring spans
 * with the same resource and scope bytes share one resourceSpans and scopeSpans entry. */
struct ftri_otlp_json_writer {
    struct ftri_bytes *out;
    struct ftri_otlp_span place; /* the span before: its resource, scope and schema urls */
    bool has_span;
};
int ftri_otlp_json_begin(struct ftri_otlp_json_writer *self,
                         struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Uses the span's bytes, resource, scope and schema urls, which must stay until the next call. */
int ftri_otlp_json_span(struct ftri_otlp_json_writer *self,
                        const struct ftri_otlp_span *span) FTRI_MUST_CHECK;
int ftri_otlp_json_end(struct ftri_otlp_json_writer *self) FTRI_MUST_CHECK;
