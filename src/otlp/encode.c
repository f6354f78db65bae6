/* SPDX-License-Identifier: Apache-2.0
 *
 * Two walks over the span. The first adds up the exact size, the second writes from the last field
 * to the first: a nested message's length is then the distance already written, so that no size is
 * computed twice and nothing is moved. Both visit the same fields; an assert compares their sums.
 *
 *   Span: trace_id 1, span_id 2, trace_state 3, parent_span_id 4, name 5, kind 6, start 7, end 8,
 *         attributes 9, dropped_attributes 10, events 11, dropped_events 12, links 13,
 *         dropped_links 14, status 15, flags 16 */
#include "otlp/encode.h"

#include "codec/utf8.h"
#include "codec/wire.h"
#include "otlp/schema.h"

#include <errno.h>
#include <flowtrace/exporter.h>

/* opentelemetry.proto.trace.v1.SpanFlags above the eight bits of W3C. */
enum { FLAG_HAS_IS_REMOTE = 0x100, FLAG_IS_REMOTE = 0x200 };

/* Two of them, with six bytes, are shorter than 128. */
enum { SHORT_TEXT_BYTES = 61 };

/* What the sizing walk learns for the writing walk. */
struct plan {
    bool has_bad_text;
    bool is_too_deep;
};

static inline size_t text_size(ftr_str text, struct plan *plan)
{
    if (FTRI_LIKELY(ftri_utf8_is_valid(text)))
        return text.len;
    plan->has_bad_text = true;
    return ftri_utf8_repaired_size(text);
}

/* A length-delimited field whose tag takes one byte (numbers 1 to 15). */
static size_t field_size(size_t len)
{
    return 1 + ftri_wire_varint_size(len) + len;
}

static inline uint8_t *back_text(uint8_t *first, uint32_t number, ftr_str text,
                                 const struct plan *plan)
{
    if (FTRI_LIKELY(!plan->has_bad_text))
        return ftri_wire_back_bytes(first, number, text.data, text.len);
    const size_t size = ftri_utf8_repaired_size(text);
    first -= size;
    ftri_utf8_repair(text, (char *)first);
    first = ftri_wire_back_varint(first, size);
    return ftri_wire_back_tag(first, number, FTRI_WIRE_BYTES);
}

/* Closes the message between first and end. */
static uint8_t *back_message(uint8_t *first, const uint8_t *end, uint32_t number)
{
    first = ftri_wire_back_varint(first, (uint64_t)(end - first));
    return ftri_wire_back_tag(first, number, FTRI_WIRE_BYTES);
}

static size_t attributes_size(const ftr_attribute *attributes, size_t n_attributes, int depth,
                              struct plan *plan);

/* Body of an AnyValue. */
static size_t value_size(const ftr_value *value, int depth, struct plan *plan)
{
    if (depth > FTRI_OTLP_NESTING_MAX) {
        plan->is_too_deep = true;
        return 0;
    }
    size_t size = 0;
    switch (value->type) {
    case FTR_VALUE_EMPTY:
        return 0;
    case FTR_VALUE_STR:
        return field_size(text_size(value->as.str, plan));
    case FTR_VALUE_BYTES:
        return field_size(value->as.str.len);
    case FTR_VALUE_BOOL:
        return 2;
    case FTR_VALUE_I64:
        return 1 + ftri_wire_varint_size((uint64_t)value->as.i64);
    case FTR_VALUE_F64:
        return 9;
    case FTR_VALUE_ARRAY:
        for (size_t i = 0; i < value->as.array.n_items; i++)
            size += field_size(value_size(&value->as.array.items[i], depth + 1, plan));
        return field_size(size);
    case FTR_VALUE_MAP:
        size = attributes_size(value->as.map.items, value->as.map.n_items, depth + 1, plan);
        return field_size(size);
    }
    return 0;
}

/* A key and a text whose lengths, also as messages, take one byte each: most attributes are. */
static inline bool is_short_text(const ftr_attribute *attribute)
{
    return attribute->value.type == FTR_VALUE_STR && attribute->key.len < SHORT_TEXT_BYTES &&
           attribute->value.as.str.len < SHORT_TEXT_BYTES;
}

/* Its KeyValue: key and value, the value's text inside, two bytes of tag and length each. */
static inline size_t short_text_size(const ftr_attribute *attribute)
{
    return 2 + attribute->key.len + 2 + 2 + attribute->value.as.str.len;
}

static inline uint8_t *put_head(uint8_t *p, unsigned number, size_t len)
{
    p[0] = (uint8_t)(number << 3 | FTRI_WIRE_BYTES);
    p[1] = (uint8_t)len;
    return p + 2;
}

static inline uint8_t *put_text(uint8_t *p, ftr_str text)
{
    p = put_head(p, 1, text.len);
    ftri_wire_copy(p, text.data, text.len);
    return p + text.len;
}

/* Written forwards: its size is known. */
static inline uint8_t *back_short_text(uint8_t *first, uint32_t number,
                                       const ftr_attribute *attribute)
{
    const size_t size = short_text_size(attribute);
    first -= 2 + size;
    uint8_t *p = put_head(first, number, size);
    p = put_text(p, attribute->key);
    p = put_head(p, 2, 2 + attribute->value.as.str.len);
    put_text(p, attribute->value.as.str);
    return first;
}

static size_t attributes_size(const ftr_attribute *attributes, size_t n_attributes, int depth,
                              struct plan *plan)
{
    size_t size = 0;
    for (size_t i = 0; i < n_attributes; i++) {
        if (is_short_text(&attributes[i]) && depth <= FTRI_OTLP_NESTING_MAX &&
            ftri_utf8_is_valid(attributes[i].key) &&
            ftri_utf8_is_valid(attributes[i].value.as.str)) {
            size += 2 + short_text_size(&attributes[i]);
            continue;
        }
        const size_t key = field_size(text_size(attributes[i].key, plan));
        const size_t value = field_size(value_size(&attributes[i].value, depth, plan));
        size += field_size(key + value);
    }
    return size;
}

static uint8_t *back_attributes(uint8_t *first, uint32_t number, const ftr_attribute *attributes,
                                size_t n_attributes, const struct plan *plan);

static uint8_t *back_value(uint8_t *first, const ftr_value *value, const struct plan *plan);

static uint8_t *back_array(uint8_t *first, const ftr_value *array, const struct plan *plan)
{
    for (size_t i = array->as.array.n_items; i-- > 0;) {
        const uint8_t *const end = first;
        first = back_value(first, &array->as.array.items[i], plan);
        first = back_message(first, end, 1);
    }
    return first;
}

static uint8_t *back_f64(uint8_t *first, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return ftri_wire_back_fixed64(first, number, bits);
}

static uint8_t *back_value(uint8_t *first, const ftr_value *value, const struct plan *plan)
{
    const uint8_t *const end = first;
    switch (value->type) {
    case FTR_VALUE_EMPTY:
        return first;
    case FTR_VALUE_STR:
        return back_text(first, 1, value->as.str, plan);
    case FTR_VALUE_BOOL:
        *--first = value->as.boolean;
        return ftri_wire_back_tag(first, 2, FTRI_WIRE_VARINT);
    case FTR_VALUE_I64:
        first = ftri_wire_back_varint(first, (uint64_t)value->as.i64);
        return ftri_wire_back_tag(first, 3, FTRI_WIRE_VARINT);
    case FTR_VALUE_F64:
        return back_f64(first, 4, value->as.f64);
    case FTR_VALUE_ARRAY:
        return back_message(back_array(first, value, plan), end, 5);
    case FTR_VALUE_MAP:
        first = back_attributes(first, 1, value->as.map.items, value->as.map.n_items, plan);
        return back_message(first, end, 6);
    case FTR_VALUE_BYTES:
        return ftri_wire_back_bytes(first, 7, value->as.str.data, value->as.str.len);
    }
    return first;
}

static uint8_t *back_attributes(uint8_t *first, uint32_t number, const ftr_attribute *attributes,
                                size_t n_attributes, const struct plan *plan)
{
    for (size_t i = n_attributes; i-- > 0;) {
        const uint8_t *const end = first;
        if (is_short_text(&attributes[i]) && !plan->has_bad_text) {
            first = back_short_text(first, number, &attributes[i]);
            continue;
        }
        first = back_value(first, &attributes[i].value, plan);
        first = back_message(first, end, 2);
        first = back_text(first, 1, attributes[i].key, plan);
        first = back_message(first, end, number);
    }
    return first;
}

static size_t optional_text_size(ftr_str text, struct plan *plan)
{
    return text.len ? field_size(text_size(text, plan)) : 0;
}

static uint8_t *back_optional_text(uint8_t *first, uint32_t number, ftr_str text,
                                   const struct plan *plan)
{
    return text.len ? back_text(first, number, text, plan) : first;
}

static size_t optional_varint_size(uint64_t value)
{
    return value ? 1 + ftri_wire_varint_size(value) : 0;
}

static uint8_t *back_optional_varint(uint8_t *first, uint32_t number, uint64_t value)
{
    if (value == 0)
        return first;
    first = ftri_wire_back_varint(first, value);
    return ftri_wire_back_tag(first, number, FTRI_WIRE_VARINT);
}

static size_t event_size(const ftr_event_data *event, struct plan *plan)
{
    return 9 + optional_text_size(event->name, plan) +
           attributes_size(event->attributes, event->n_attributes, 1, plan) +
           optional_varint_size(event->n_dropped_attributes);
}

static uint8_t *back_event(uint8_t *first, const ftr_event_data *event, const struct plan *plan)
{
    first = back_optional_varint(first, 4, event->n_dropped_attributes);
    first = back_attributes(first, 3, event->attributes, event->n_attributes, plan);
    first = back_optional_text(first, 2, event->name, plan);
    return ftri_wire_back_fixed64(first, 1, event->time_ns);
}

/* trace_id 18, span_id 10, flags 5 bytes. */
static size_t link_size(const ftr_link_data *link, struct plan *plan)
{
    return 18 + 10 + 5 + optional_text_size(link->tracestate, plan) +
           attributes_size(link->attributes, link->n_attributes, 1, plan) +
           optional_varint_size(link->n_dropped_attributes);
}

static uint32_t flags_of(uint8_t trace_flags, bool is_remote)
{
    return (uint32_t)trace_flags | FLAG_HAS_IS_REMOTE | (is_remote ? FLAG_IS_REMOTE : 0);
}

static uint8_t *back_link(uint8_t *first, const ftr_link_data *link, const struct plan *plan)
{
    const ftr_span_context *context = &link->context;
    first = ftri_wire_back_fixed32(first, 6, flags_of(context->trace_flags, context->is_remote));
    first = back_optional_varint(first, 5, link->n_dropped_attributes);
    first = back_attributes(first, 4, link->attributes, link->n_attributes, plan);
    first = back_optional_text(first, 3, link->tracestate, plan);
    first = ftri_wire_back_bytes(first, 2, context->span_id.bytes, 8);
    return ftri_wire_back_bytes(first, 1, context->trace_id.bytes, 16);
}

/* Body of a Status; an unset status without text is left out. */
static size_t status_size(const ftr_span_data *span, struct plan *plan)
{
    return optional_text_size(span->status_description, plan) +
           optional_varint_size((uint64_t)span->status);
}

static uint8_t *back_status(uint8_t *first, const ftr_span_data *span, const struct plan *plan)
{
    const uint8_t *const end = first;
    first = back_optional_varint(first, 3, (uint64_t)span->status);
    first = back_optional_text(first, 2, span->status_description, plan);
    return first == end ? first : back_message(first, end, 15);
}

static bool has_parent(const ftr_span_data *span)
{
    return ftri_wire_load64(span->parent_span_id.bytes) != 0;
}

static size_t span_size(const ftr_span_data *span, struct plan *plan)
{
    /* trace_id 18, span_id 10, start and end 9 each, flags 6 (its tag takes two bytes). */
    size_t size = 18 + 10 + 9 + 9 + 6 + (has_parent(span) ? 10 : 0);
    size += optional_text_size(span->tracestate, plan) + optional_text_size(span->name, plan);
    size += optional_varint_size((uint64_t)span->kind);
    size += attributes_size(span->attributes, span->n_attributes, 1, plan);
    for (size_t i = 0; i < span->n_events; i++)
        size += field_size(event_size(&span->events[i], plan));
    for (size_t i = 0; i < span->n_links; i++)
        size += field_size(link_size(&span->links[i], plan));
    const size_t status = status_size(span, plan);
    size += status ? field_size(status) : 0;
    return size + optional_varint_size(span->n_dropped_attributes) +
           optional_varint_size(span->n_dropped_events) +
           optional_varint_size(span->n_dropped_links);
}

static uint8_t *back_events_and_links(uint8_t *first, const ftr_span_data *span,
                                      const struct plan *plan)
{
    first = back_optional_varint(first, 14, span->n_dropped_links);
    for (size_t i = span->n_links; i-- > 0;) {
        const uint8_t *const end = first;
        first = back_message(back_link(first, &span->links[i], plan), end, 13);
    }
    first = back_optional_varint(first, 12, span->n_dropped_events);
    for (size_t i = span->n_events; i-- > 0;) {
        const uint8_t *const end = first;
        first = back_message(back_event(first, &span->events[i], plan), end, 11);
    }
    return first;
}

static uint8_t *back_span(uint8_t *first, const ftr_span_data *span, const struct plan *plan)
{
    const uint32_t flags = flags_of(span->context.trace_flags, span->parent_is_remote);
    first = ftri_wire_back_fixed32(first, 16, flags);
    first = back_status(first, span, plan);
    first = back_events_and_links(first, span, plan);
    first = back_optional_varint(first, 10, span->n_dropped_attributes);
    first = back_attributes(first, 9, span->attributes, span->n_attributes, plan);
    first = ftri_wire_back_fixed64(first, 8, span->end_time_ns);
    first = ftri_wire_back_fixed64(first, 7, span->start_time_ns);
    first = back_optional_varint(first, 6, (uint64_t)span->kind);
    first = back_optional_text(first, 5, span->name, plan);
    if (has_parent(span))
        first = ftri_wire_back_bytes(first, 4, span->parent_span_id.bytes, 8);
    first = back_optional_text(first, 3, span->tracestate, plan);
    first = ftri_wire_back_bytes(first, 2, span->context.span_id.bytes, 8);
    return ftri_wire_back_bytes(first, 1, span->context.trace_id.bytes, 16);
}

int ftri_otlp_encode_span(const ftr_span_data *span, struct ftri_bytes *out)
{
    struct plan plan = {0};
    const size_t size = field_size(span_size(span, &plan));
    if (plan.is_too_deep)
        return -EINVAL;
    const int r = ftri_bytes_reserve(out, size);
    if (r < 0)
        return r;
    uint8_t *const end = out->data + out->len + size;
    uint8_t *first = back_message(back_span(end, span, &plan), end, 2);
    assert(first == out->data + out->len);
    (void)first;
    out->len += size;
    return 0;
}

int ftri_otlp_encode_attributes(uint32_t number, const ftr_attribute *attributes,
                                size_t n_attributes, struct ftri_bytes *out)
{
    struct plan plan = {0};
    const size_t size = attributes_size(attributes, n_attributes, number, &plan);
    if (plan.is_too_deep)
        return -EINVAL;
    if (size == 0)
        return 0;
    const int r = ftri_bytes_reserve(out, size);
    if (r < 0)
        return r;
    uint8_t *const end = out->data + out->len + size;
    uint8_t *first = back_attributes(end, number, attributes, n_attributes, &plan);
    assert(first == out->data + out->len);
    (void)first;
    out->len += size;
    return 0;
}

int ftri_otlp_encode_resource(const ftr_attribute *attributes, size_t n_attributes,
                              struct ftri_bytes *out)
{
    return ftri_otlp_encode_attributes(1, attributes, n_attributes, out);
}

int ftri_otlp_encode_traces(struct ftri_view resource, ftr_str scope_name, ftr_str scope_version,
                            struct ftri_view spans, struct ftri_bytes *out)
{
    struct plan plan = {0};
    const size_t scope =
        optional_text_size(scope_name, &plan) + optional_text_size(scope_version, &plan);
    const size_t scope_spans = field_size(scope) + spans.len;
    const size_t resource_spans = field_size(resource.len) + field_size(scope_spans);
    const size_t size = field_size(resource_spans);
    const int r = ftri_bytes_reserve(out, size);
    if (r < 0)
        return r;
    uint8_t *const end = out->data + out->len + size;
    uint8_t *first = end - spans.len;
    if (spans.len)
        memcpy(first, spans.data, spans.len);
    const uint8_t *const scope_end = first;
    first = back_optional_text(first, 2, scope_version, &plan);
    first = back_optional_text(first, 1, scope_name, &plan);
    first = back_message(back_message(first, scope_end, 1), end, 2);
    first = ftri_wire_back_bytes(first, 1, resource.data, resource.len);
    first = back_message(first, end, 1);
    assert(first == out->data + out->len);
    (void)first;
    out->len += size;
    return 0;
}
