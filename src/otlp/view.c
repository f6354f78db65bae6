/* SPDX-License-Identifier: Apache-2.0
 *
 * Walkers over checked bytes. They read through the bounds-checked wire module all the same, and
 * take a malformed field for the end: bytes that nobody checked give wrong answers, not wild reads.
 * Field numbers: opentelemetry-proto trace.proto, common.proto, resource.proto. */
#include "otlp/view.h"

#include "codec/wire.h"

static ftr_str text_of(const struct ftri_wire_field *field)
{
    return ftri_view_str(field->bytes);
}

/* The next field of this number and type bytes. */
static bool next_bytes(struct ftri_view message, uint32_t number, size_t *next,
                       struct ftri_view *ret_bytes)
{
    struct ftri_wire_field field;
    while (ftri_wire_next(message, next, &field) == FTRI_WIRE_FIELD) {
        if (field.number != number || field.type != FTRI_WIRE_BYTES)
            continue;
        *ret_bytes = field.bytes;
        return true;
    }
    *next = message.len;
    return false;
}

/* ResourceSpans and ScopeSpans alike: origin 1, entries 2, schema_url 3. Of a repeated field the
 * last counts, as protobuf resolves it; empty if there is none. */
static void read_place(struct ftri_view message, struct ftri_view *ret_origin, ftr_str *ret_url)
{
    struct ftri_wire_field field;
    size_t next = 0;
    *ret_origin = (struct ftri_view){0};
    *ret_url = (ftr_str){0};
    while (ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number == 1)
            *ret_origin = field.bytes;
        else if (field.number == 3)
            *ret_url = text_of(&field);
    }
}

void ftri_otlp_cursor_init(struct ftri_otlp_cursor *self, struct ftri_view bytes)
{
    *self = (struct ftri_otlp_cursor){.request = bytes};
}

static bool enter_scope_spans(struct ftri_otlp_cursor *self)
{
    return next_bytes(self->resource_spans, 2, &self->resource_spans_next, &self->scope_spans);
}

static bool enter_resource_spans(struct ftri_otlp_cursor *self)
{
    if (!next_bytes(self->request, 1, &self->request_next, &self->resource_spans))
        return false;
    self->resource_spans_next = 0;
    read_place(self->resource_spans, &self->current.resource, &self->current.resource_schema_url);
    return true;
}

/* The next ScopeSpans of the request, in whichever ResourceSpans it stands. */
static bool advance(struct ftri_otlp_cursor *self)
{
    while (!enter_scope_spans(self))
        if (!enter_resource_spans(self))
            return false;
    self->scope_spans_next = 0;
    read_place(self->scope_spans, &self->current.scope, &self->current.scope_schema_url);
    return true;
}

bool ftri_otlp_cursor_next(struct ftri_otlp_cursor *self, const struct ftri_otlp_span **ret_span)
{
    struct ftri_view bytes;
    while (!next_bytes(self->scope_spans, 2, &self->scope_spans_next, &bytes))
        if (!advance(self))
            return false;
    const struct ftri_otlp_span place = self->current;
    ftri_otlp_span_read(bytes, &self->current);
    self->current.resource = place.resource;
    self->current.resource_schema_url = place.resource_schema_url;
    self->current.scope = place.scope;
    self->current.scope_schema_url = place.scope_schema_url;
    *ret_span = &self->current;
    return true;
}

size_t ftri_otlp_count_spans(struct ftri_view bytes)
{
    struct ftri_view resource_spans, scope_spans, span;
    size_t n = 0;
    for (size_t i = 0; next_bytes(bytes, 1, &i, &resource_spans);)
        for (size_t j = 0; next_bytes(resource_spans, 2, &j, &scope_spans);)
            for (size_t k = 0; next_bytes(scope_spans, 2, &k, &span);)
                n++;
    return n;
}

/* NULL where the id is not n bytes, or all zero. */
static const uint8_t *id_of(const struct ftri_wire_field *field, size_t n)
{
    static const uint8_t zeros[16];
    if (field->bytes.len != n || memcmp(field->bytes.data, zeros, n) == 0)
        return NULL;
    return field->bytes.data;
}

static void read_status(struct ftri_view bytes, struct ftri_otlp_span *span)
{
    struct ftri_wire_field field;
    size_t next = 0;
    span->status_code = 0;
    span->status_message = (ftr_str){0};
    while (ftri_wire_next(bytes, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number == 2)
            span->status_message = text_of(&field);
        else if (field.number == 3)
            span->status_code = (int32_t)field.value;
    }
}

static void extend(struct ftri_otlp_stretch *stretch, size_t start, size_t end)
{
    if (stretch->end == 0)
        stretch->start = (uint32_t)start;
    stretch->end = (uint32_t)end;
}

static inline void read_span_field(const struct ftri_wire_field *field, struct ftri_otlp_span *span)
{
    switch (field->number) {
    case 1:
        span->trace_id = id_of(field, 16);
        break;
    case 2:
        span->span_id = id_of(field, 8);
        break;
    case 3:
        span->tracestate = text_of(field);
        break;
    case 4:
        span->parent_span_id = id_of(field, 8);
        break;
    case 5:
        span->name = text_of(field);
        break;
    case 6:
        span->kind = (int32_t)field->value;
        break;
    case 7:
        span->start_time_ns = field->value;
        break;
    case 8:
        span->end_time_ns = field->value;
        break;
    case 10:
        span->n_dropped_attributes = (uint32_t)field->value;
        break;
    case 12:
        span->n_dropped_events = (uint32_t)field->value;
        break;
    case 14:
        span->n_dropped_links = (uint32_t)field->value;
        break;
    case 15:
        read_status(field->bytes, span);
        break;
    case 16:
        span->flags = (uint32_t)field->value;
        break;
    default:
        break;
    }
}

void ftri_otlp_span_read(struct ftri_view bytes, struct ftri_otlp_span *ret_span)
{
    *ret_span = (struct ftri_otlp_span){.bytes = bytes};
    struct ftri_wire_field field;
    size_t next = 0;
    for (size_t start = 0; ftri_wire_next(bytes, &next, &field) == FTRI_WIRE_FIELD; start = next) {
        if (field.number == 9)
            extend(&ret_span->attributes, start, next);
        else if (field.number == 11)
            extend(&ret_span->events, start, next);
        else if (field.number == 13)
            extend(&ret_span->links, start, next);
        else
            read_span_field(&field, ret_span);
    }
}

/* A key, then a value, each length in one byte, nothing else: so encoders write most. */
static inline bool read_plain_key_value(struct ftri_view message,
                                        struct ftri_otlp_attribute *ret_attribute)
{
    const uint8_t *const p = message.data;
    if (message.len < 4 || p[0] != (1 << 3 | FTRI_WIRE_BYTES) || p[1] >= 0x80 ||
        p[1] + (size_t)4 > message.len)
        return false;
    const uint8_t *const value = p + 2 + p[1];
    const size_t value_len = message.len - 4 - p[1];
    if (value[0] != (2 << 3 | FTRI_WIRE_BYTES) || value[1] >= 0x80 || value[1] != value_len)
        return false;
    ret_attribute->key = (ftr_str){(const char *)p + 2, p[1]};
    ret_attribute->value = ftri_view_of(value + 2, value_len);
    return true;
}

static inline void read_key_value(struct ftri_view message,
                                  struct ftri_otlp_attribute *ret_attribute)
{
    if (FTRI_LIKELY(read_plain_key_value(message, ret_attribute)))
        return;
    *ret_attribute = (struct ftri_otlp_attribute){.key = {"", 0}};
    struct ftri_wire_field field;
    size_t next = 0;
    while (ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number == 1)
            ret_attribute->key = text_of(&field);
        else if (field.number == 2)
            ret_attribute->value = field.bytes;
    }
}

bool ftri_otlp_attribute_next(enum ftri_otlp_owner owner, struct ftri_view message, size_t *next,
                              struct ftri_otlp_attribute *ret_attribute)
{
    static const uint8_t numbers[] = {
        [FTRI_OTLP_SPAN] = 9,        [FTRI_OTLP_RESOURCE] = 1, [FTRI_OTLP_SCOPE] = 3,
        [FTRI_OTLP_EVENT] = 3,       [FTRI_OTLP_LINK] = 4,     [FTRI_OTLP_LOG_RECORD] = 6,
        [FTRI_OTLP_NUMBER_POINT] = 7};
    struct ftri_view bytes;
    if (!next_bytes(message, numbers[owner], next, &bytes))
        return false;
    read_key_value(bytes, ret_attribute);
    return true;
}

static bool is_equal(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool ftri_otlp_key_is(struct ftri_view key_value, ftr_str key)
{
    struct ftri_otlp_attribute attribute;
    read_key_value(key_value, &attribute);
    return is_equal(attribute.key, key);
}

bool ftri_otlp_attribute_find(enum ftri_otlp_owner owner, struct ftri_view message, ftr_str key,
                              struct ftri_view *ret_value)
{
    struct ftri_otlp_attribute attribute;
    size_t next = 0;
    while (ftri_otlp_attribute_next(owner, message, &next, &attribute)) {
        if (!is_equal(attribute.key, key))
            continue;
        *ret_value = attribute.value;
        return true;
    }
    return false;
}

static ftr_value value_of(const struct ftri_wire_field *field)
{
    ftr_value value = {.type = FTR_VALUE_EMPTY};
    switch (field->number) {
    case 1:
        return (ftr_value){.type = FTR_VALUE_STR, .as.str = text_of(field)};
    case 2:
        return (ftr_value){.type = FTR_VALUE_BOOL, .as.boolean = field->value != 0};
    case 3:
        return (ftr_value){.type = FTR_VALUE_I64, .as.i64 = (int64_t)field->value};
    case 4:
        value.type = FTR_VALUE_F64;
        memcpy(&value.as.f64, &field->value, 8);
        return value;
    case 5:
        return (ftr_value){.type = FTR_VALUE_ARRAY};
    case 6:
        return (ftr_value){.type = FTR_VALUE_MAP};
    case 7:
        return (ftr_value){.type = FTR_VALUE_BYTES, .as.str = text_of(field)};
    default:
        return value;
    }
}

/* The last of an AnyValue's fields is the value. False: it has none. */
static bool last_of_oneof(struct ftri_view any_value, struct ftri_wire_field *ret_field)
{
    struct ftri_wire_field field;
    size_t next = 0;
    bool is_found = false;
    while (ftri_wire_next(any_value, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number > FTR_VALUE_BYTES)
            continue;
        *ret_field = field;
        is_found = true;
    }
    return is_found;
}

ftr_value ftri_otlp_value_read(struct ftri_view any_value)
{
    struct ftri_wire_field field;
    const uint8_t *const p = any_value.data;
    /* One short text and nothing else. */
    if (any_value.len >= 2 && p[0] == (1 << 3 | FTRI_WIRE_BYTES) && p[1] < 0x80 &&
        p[1] == any_value.len - 2)
        return (ftr_value){.type = FTR_VALUE_STR, .as.str = {(const char *)p + 2, p[1]}};
    if (!last_of_oneof(any_value, &field))
        return (ftr_value){.type = FTR_VALUE_EMPTY};
    return value_of(&field);
}

struct ftri_view ftri_otlp_value_list(struct ftri_view any_value)
{
    struct ftri_wire_field field;
    if (!last_of_oneof(any_value, &field) || (field.number != 5 && field.number != 6))
        return (struct ftri_view){0};
    return field.bytes;
}

bool ftri_otlp_element_next(struct ftri_view list, bool is_map, size_t *next,
                            struct ftri_otlp_attribute *ret_element)
{
    struct ftri_view bytes;
    if (!next_bytes(list, 1, next, &bytes))
        return false;
    if (is_map)
        read_key_value(bytes, ret_element);
    else
        *ret_element = (struct ftri_otlp_attribute){.key = {"", 0}, .value = bytes};
    return true;
}

bool ftri_otlp_event_next(struct ftri_view span, size_t *next, struct ftri_otlp_event *ret_event)
{
    struct ftri_view bytes;
    if (!next_bytes(span, 11, next, &bytes))
        return false;
    *ret_event = (struct ftri_otlp_event){.bytes = bytes};
    struct ftri_wire_field field;
    size_t inner = 0;
    while (ftri_wire_next(bytes, &inner, &field) == FTRI_WIRE_FIELD) {
        if (field.number == 1)
            ret_event->time_ns = field.value;
        else if (field.number == 2)
            ret_event->name = text_of(&field);
    }
    return true;
}

static void read_link_field(const struct ftri_wire_field *field, struct ftri_otlp_link *link)
{
    static const uint8_t zeros[16];
    switch (field->number) {
    case 1:
        link->trace_id = field->bytes.len == 16 ? field->bytes.data : zeros;
        break;
    case 2:
        link->span_id = field->bytes.len == 8 ? field->bytes.data : zeros;
        break;
    case 3:
        link->tracestate = text_of(field);
        break;
    case 6:
        link->flags = (uint32_t)field->value;
        break;
    default:
        break;
    }
}

bool ftri_otlp_link_next(struct ftri_view span, size_t *next, struct ftri_otlp_link *ret_link)
{
    static const uint8_t zeros[16];
    struct ftri_view bytes;
    if (!next_bytes(span, 13, next, &bytes))
        return false;
    *ret_link = (struct ftri_otlp_link){.trace_id = zeros, .span_id = zeros, .bytes = bytes};
    struct ftri_wire_field field;
    size_t inner = 0;
    while (ftri_wire_next(bytes, &inner, &field) == FTRI_WIRE_FIELD)
        read_link_field(&field, ret_link);
    return true;
}

ftr_str ftri_otlp_service_name(struct ftri_view resource)
{
    struct ftri_view value;
    if (ftri_otlp_attribute_find(FTRI_OTLP_RESOURCE, resource, FTR_STR("service.name"), &value)) {
        const ftr_value name = ftri_otlp_value_read(value);
        if (name.type == FTR_VALUE_STR && name.as.str.len)
            return name.as.str;
    }
    return FTR_STR("unknown_service");
}
