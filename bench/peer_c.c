/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include "trace.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE(name) Flowtrace__Test__Otlp__##name

static uint64_t sum_text(const char *text)
{
    return text ? peer_text_sum(text, strlen(text)) : 0;
}

static uint64_t sum_bytes(const ProtobufCBinaryData *bytes)
{
    return peer_text_sum((const char *)bytes->data, bytes->len);
}

static uint64_t sum_value(const TYPE(AnyValue) * value);

static uint64_t sum_attributes(TYPE(KeyValue) *const *attributes, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += sum_text(attributes[i]->key);
        if (attributes[i]->value)
            sum += 2 * sum_value(attributes[i]->value);
    }
    return sum;
}

static uint64_t sum_value(const TYPE(AnyValue) * value)
{
    uint64_t bits = 0;
    switch ((int)value->value_case) {
    case FLOWTRACE__TEST__OTLP__ANY_VALUE__VALUE_STRING_VALUE:
        return sum_text(value->string_value);
    case FLOWTRACE__TEST__OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
        return value->bool_value ? 2 : 0;
    case FLOWTRACE__TEST__OTLP__ANY_VALUE__VALUE_INT_VALUE:
        return 3 * (uint64_t)value->int_value;
    case FLOWTRACE__TEST__OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
        memcpy(&bits, &value->double_value, sizeof bits);
        return 4 * bits;
    case FLOWTRACE__TEST__OTLP__ANY_VALUE__VALUE_ARRAY_VALUE:
        for (size_t i = 0; i < value->array_value->n_values; i++)
            bits += sum_value(value->array_value->values[i]);
        return 5 * bits;
    case FLOWTRACE__TEST__OTLP__ANY_VALUE__VALUE_KVLIST_VALUE:
        return 6 * sum_attributes(value->kvlist_value->values, value->kvlist_value->n_values);
    case FLOWTRACE__TEST__OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
        return 7 * sum_bytes(&value->bytes_value);
    default:
        return 0;
    }
}

static uint64_t sum_events(const TYPE(Span) * span)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < span->n_events; i++) {
        const TYPE(Span__Event) *event = span->events[i];
        sum += 11 * (event->time_unix_nano + 2 * sum_text(event->name) +
                     3 * sum_attributes(event->attributes, event->n_attributes));
    }
    return sum;
}

static uint64_t sum_links(const TYPE(Span) * span)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < span->n_links; i++) {
        const TYPE(Span__Link) *link = span->links[i];
        sum += 13 * (sum_bytes(&link->trace_id) + 2 * sum_bytes(&link->span_id) +
                     3 * sum_text(link->trace_state) +
                     4 * sum_attributes(link->attributes, link->n_attributes) +
                     6 * (uint64_t)link->flags);
    }
    return sum;
}

static uint64_t sum_span(const TYPE(Span) * span)
{
    uint64_t sum =
        sum_bytes(&span->trace_id) + 2 * sum_bytes(&span->span_id) +
        3 * sum_text(span->trace_state) + 4 * sum_bytes(&span->parent_span_id) +
        5 * sum_text(span->name) + 6 * (uint64_t)span->kind + 7 * span->start_time_unix_nano +
        8 * span->end_time_unix_nano + 9 * sum_attributes(span->attributes, span->n_attributes) +
        10 * (uint64_t)span->dropped_attributes_count + 12 * (uint64_t)span->dropped_events_count +
        14 * (uint64_t)span->dropped_links_count + 16 * (uint64_t)span->flags;
    if (span->status)
        sum += 15 * (2 * sum_text(span->status->message) + 3 * (uint64_t)span->status->code);
    return sum + sum_events(span) + sum_links(span);
}

static uint64_t sum_request(const TYPE(ExportTraceServiceRequest) * request)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < request->n_resource_spans; i++) {
        const TYPE(ResourceSpans) *resource = request->resource_spans[i];
        sum += sum_attributes(resource->resource->attributes, resource->resource->n_attributes);
        for (size_t j = 0; j < resource->n_scope_spans; j++) {
            const TYPE(ScopeSpans) *scope = resource->scope_spans[j];
            sum += sum_text(scope->scope->name) + sum_text(scope->scope->version);
            for (size_t k = 0; k < scope->n_spans; k++)
                sum += sum_span(scope->spans[k]);
        }
    }
    return sum;
}

uint64_t peer_c(const uint8_t *bytes, size_t len, bool with_sum)
{
    TYPE(ExportTraceServiceRequest) *request =
        flowtrace__test__otlp__export_trace_service_request__unpack(NULL, len, bytes);
    if (!request) {
        fprintf(stderr, "protobuf-c refuses the request\n");
        exit(1);
    }
    const uint64_t sum = with_sum ? sum_request(request) : 0;
    flowtrace__test__otlp__export_trace_service_request__free_unpacked(request, NULL);
    return sum;
}
