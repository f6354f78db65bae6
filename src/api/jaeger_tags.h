/* SPDX-License-Identifier: Apache-2.0
 *
 * Jaeger's tags: {"key":..,"type":"string|bool|int64|float64|binary","value":..}. Integers that a
 * double cannot hold exactly are decimal texts, bytes are base64, arrays and maps are texts of
 * JSON. Sans-I/O; failures stick to the writer. */
#pragma once

#include "base/bytes.h"

struct ftri_json_writer;
struct ftri_otlp_span;

void jaeger_tag_str(struct ftri_json_writer *json, ftr_str key, ftr_str value);
void jaeger_tag_value(struct ftri_json_writer *json, ftr_str key, struct ftri_view any_value);
/* All tags of a span as an array: of its scope, its attributes, its kind, status, tracestate. */
void jaeger_tags_of_span(struct ftri_json_writer *json, const struct ftri_otlp_span *span);

/* "server" ...; "" for the unspecified and the unknown. */
ftr_str jaeger_kind_name(int32_t kind);
/* False: no such kind. */
bool jaeger_kind_of(ftr_str name, int32_t *ret_kind);
/* Name and version of an InstrumentationScope message; empty where absent. */
struct jaeger_scope {
    ftr_str name, version;
};
struct jaeger_scope jaeger_scope_of(struct ftri_view scope);
