/* SPDX-License-Identifier: Apache-2.0
 *
 * Checked protobuf bytes to JSON, along the schema's tables. A message is read once to learn which
 * fields it has, then written in the order of its table; repeated fields are collected from
 * wherever they stand. */
#include "otlp/json.h"

#include "codec/json_writer.h"
#include "codec/wire.h"
#include "otlp/schema.h"

#include <string.h>

static void write_message(struct ftri_json_writer *out, const struct ftri_otlp_message *message,
                          struct ftri_view bytes);

static double f64_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int32_t zigzag_of(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    return (int32_t)(low >> 1 ^ (low & 1 ? UINT32_MAX : 0));
}

static void write_value(struct ftri_json_writer *out, const struct ftri_otlp_field *field,
                        const struct ftri_wire_field *found)
{
    switch ((enum ftri_otlp_kind)field->kind) {
    case FTRI_OTLP_KIND_STR:
        ftri_json_str(out, ftri_view_str(found->bytes));
        break;
    case FTRI_OTLP_KIND_BYTES:
        ftri_json_base64(out, found->bytes);
        break;
    case FTRI_OTLP_KIND_ID16:
    case FTRI_OTLP_KIND_ID8:
        ftri_json_hex(out, found->bytes);
        break;
    case FTRI_OTLP_KIND_BOOL:
        ftri_json_bool(out, found->value != 0);
        break;
    case FTRI_OTLP_KIND_I64:
    case FTRI_OTLP_KIND_SFIXED64:
        ftri_json_i64_text(out, (int64_t)found->value);
        break;
    case FTRI_OTLP_KIND_ENUM:
        ftri_json_i64(out, (int32_t)found->value);
        break;
    case FTRI_OTLP_KIND_U32:
    case FTRI_OTLP_KIND_FIXED32:
        ftri_json_u64(out, (uint32_t)found->value);
        break;
    case FTRI_OTLP_KIND_U64:
    case FTRI_OTLP_KIND_FIXED64:
        ftri_json_u64_text(out, found->value);
        break;
    case FTRI_OTLP_KIND_F64:
        ftri_json_f64(out, f64_of(found->value), FTRI_JSON_NONFINITE_TEXT);
        break;
    case FTRI_OTLP_KIND_SINT32:
        ftri_json_i64(out, zigzag_of(found->value));
        break;
    case FTRI_OTLP_KIND_MESSAGE:
        write_message(out, field->message, found->bytes);
        break;
    }
}

static ftr_str name_of(const struct ftri_otlp_field *field)
{
    return (ftr_str){field->name, strlen(field->name)};
}

/* Numbers in a row in one field. */
static void write_packed(struct ftri_json_writer *out, const struct ftri_otlp_field *field,
                         struct ftri_view packed)
{
    struct ftri_wire_field element = {.number = field->number};
    const uint8_t *next = packed.data;
    const uint8_t *const end = packed.data + packed.len;
    while (next < end) {
        if (field->kind == FTRI_OTLP_KIND_U64) {
            if (!ftri_wire_varint(&next, end, &element.value))
                return;
        } else {
            element.value = ftri_wire_load64(next);
            next += 8;
        }
        write_value(out, field, &element);
    }
}

/* Of the schema's repeated fields these are numbers, and each is one or the other. */
static bool is_packed(const struct ftri_otlp_field *field, const struct ftri_wire_field *found)
{
    return found->type == FTRI_WIRE_BYTES &&
           (field->kind == FTRI_OTLP_KIND_U64 || field->kind == FTRI_OTLP_KIND_FIXED64 ||
            field->kind == FTRI_OTLP_KIND_F64);
}

static void write_element(struct ftri_json_writer *out, const struct ftri_otlp_field *field,
                          const struct ftri_wire_field *found)
{
    if (is_packed(field, found))
        write_packed(out, field, found->bytes);
    else
        write_value(out, field, found);
}

/* All elements, from the first field of this number on. */
static void write_repeated(struct ftri_json_writer *out, const struct ftri_otlp_field *field,
                           struct ftri_view bytes, size_t first)
{
    struct ftri_wire_field found;
    size_t next = first;
    ftri_json_name(out, name_of(field));
    ftri_json_begin_array(out);
    while (ftri_wire_next(bytes, &next, &found) == FTRI_WIRE_FIELD)
        if (found.number == field->number)
            write_element(out, field, &found);
    ftri_json_end_array(out);
}

/* What a first reading of a message found. */
struct found_field {
    bool is_present;
    size_t first;                /* where the first of its occurrences begins */
    struct ftri_wire_field last; /* the one that counts */
};

static void find_fields(struct ftri_view bytes, struct found_field found[FTRI_OTLP_NUMBER_END])
{
    struct ftri_wire_field field;
    size_t next = 0;
    for (size_t begin = 0; ftri_wire_next(bytes, &next, &field) == FTRI_WIRE_FIELD; begin = next) {
        if (field.number >= FTRI_OTLP_NUMBER_END)
            continue;
        struct found_field *const entry = &found[field.number];
        if (!entry->is_present)
            entry->first = begin;
        entry->is_present = true;
        entry->last = field;
    }
}

static bool is_default(const struct ftri_otlp_field *field, const struct ftri_wire_field *found)
{
    if (field->kind == FTRI_OTLP_KIND_MESSAGE || (field->flags & FTRI_OTLP_OPTIONAL))
        return false;
    const size_t id_len = field->kind == FTRI_OTLP_KIND_ID16 ? 16 : 8;
    if ((field->flags & FTRI_OTLP_LOOSE) && found->bytes.len != id_len)
        return true; /* a wrong length says only that there is none */
    return found->type == FTRI_WIRE_BYTES ? found->bytes.len == 0 : found->value == 0;
}

static void write_field(struct ftri_json_writer *out, const struct ftri_otlp_field *field,
                        struct ftri_view bytes, const struct found_field *found)
{
    if (field->flags & FTRI_OTLP_REPEATED) {
        if (found->is_present || (field->flags & FTRI_OTLP_SHOWN))
            write_repeated(out, field, bytes, found->first);
        return;
    }
    const bool is_left_out = !found->is_present || is_default(field, &found->last);
    if (is_left_out && !(field->flags & FTRI_OTLP_SHOWN))
        return;
    ftri_json_name(out, name_of(field));
    write_value(out, field, &found->last);
}

/* The last known field of an AnyValue is its value, whatever it is. */
static void write_oneof(struct ftri_json_writer *out, const struct ftri_otlp_message *message,
                        struct ftri_view bytes)
{
    const struct ftri_otlp_field *chosen = NULL;
    struct ftri_wire_field found, last = {0};
    size_t next = 0;
    while (ftri_wire_next(bytes, &next, &found) == FTRI_WIRE_FIELD) {
        const struct ftri_otlp_field *const field = ftri_otlp_field_numbered(message, found.number);
        if (!field)
            continue;
        chosen = field;
        last = found;
    }
    if (!chosen)
        return;
    ftri_json_name(out, name_of(chosen));
    write_value(out, chosen, &last);
}

static void write_members(struct ftri_json_writer *out, const struct ftri_otlp_message *message,
                          struct ftri_view bytes)
{
    struct found_field found[FTRI_OTLP_NUMBER_END] = {0};
    find_fields(bytes, found);
    for (size_t i = 0; i < message->n_fields; i++)
        write_field(out, &message->fields[i], bytes, &found[message->fields[i].number]);
}

static void write_message(struct ftri_json_writer *out, const struct ftri_otlp_message *message,
                          struct ftri_view bytes)
{
    ftri_json_begin_object(out);
    if (message->is_oneof)
        write_oneof(out, message, bytes);
    else
        write_members(out, message, bytes);
    ftri_json_end_object(out);
}

static int request_to_json(const struct ftri_otlp_message *request, struct ftri_view bytes,
                           struct ftri_bytes *ret_json)
{
    struct found_field found[FTRI_OTLP_NUMBER_END] = {0};
    struct ftri_json_writer out;
    ftri_json_writer_init(&out, ret_json);
    find_fields(bytes, found);
    ftri_json_begin_object(&out);
    write_repeated(&out, &request->fields[0], bytes, found[1].first);
    ftri_json_end_object(&out);
    return ftri_json_writer_status(&out);
}

int ftri_otlp_traces_to_json(struct ftri_view bytes, struct ftri_bytes *ret_json)
{
    return request_to_json(&ftri_otlp_request, bytes, ret_json);
}

int ftri_otlp_logs_to_json(struct ftri_view bytes, struct ftri_bytes *ret_json)
{
    return request_to_json(&ftri_otlp_logs_request, bytes, ret_json);
}

int ftri_otlp_metrics_to_json(struct ftri_view bytes, struct ftri_bytes *ret_json)
{
    return request_to_json(&ftri_otlp_metrics_request, bytes, ret_json);
}

int ftri_otlp_json_begin(struct ftri_otlp_json_writer *self, struct ftri_bytes *out)
{
    *self = (struct ftri_otlp_json_writer){.out = out};
    return ftri_bytes_append_str(out, FTR_STR("{\"resourceSpans\":["));
}

static bool is_same(struct ftri_view a, struct ftri_view b)
{
    return a.len == b.len && (a.data == b.data || a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool is_same_text(ftr_str a, ftr_str b)
{
    return is_same(ftri_view_of(a.data, a.len), ftri_view_of(b.data, b.len));
}

static bool is_same_resource(const struct ftri_otlp_span *a, const struct ftri_otlp_span *b)
{
    return is_same(a->resource, b->resource) &&
           is_same_text(a->resource_schema_url, b->resource_schema_url);
}

static bool is_same_scope(const struct ftri_otlp_span *a, const struct ftri_otlp_span *b)
{
    return is_same(a->scope, b->scope) && is_same_text(a->scope_schema_url, b->scope_schema_url);
}

static void close_scope(struct ftri_json_writer *out)
{
    ftri_json_end_array(out);
    ftri_json_end_object(out);
}

static void close_resource(struct ftri_json_writer *out)
{
    close_scope(out);
    ftri_json_end_array(out);
    ftri_json_end_object(out);
}

/* {"<origin>":{...},"schemaUrl":"...","<entries>":[ */
static void open_entry(struct ftri_json_writer *out, bool is_scope, struct ftri_view origin,
                       ftr_str schema_url)
{
    ftri_json_begin_object(out);
    if (origin.data) {
        ftri_json_name(out, is_scope ? FTR_STR("scope") : FTR_STR("resource"));
        write_message(out, is_scope ? &ftri_otlp_scope_message : &ftri_otlp_resource_message,
                      origin);
    }
    if (schema_url.len) {
        ftri_json_name(out, FTR_STR("schemaUrl"));
        ftri_json_str(out, schema_url);
    }
    ftri_json_name(out, is_scope ? FTR_STR("spans") : FTR_STR("scopeSpans"));
    ftri_json_begin_array(out);
}

/* Closes and opens what changed since the span before. */
static void move_to(const struct ftri_otlp_json_writer *self, struct ftri_json_writer *out,
                    const struct ftri_otlp_span *span)
{
    const struct ftri_otlp_span *const before = &self->place;
    const bool has_resource = self->has_span && is_same_resource(before, span);
    if (has_resource && is_same_scope(before, span))
        return;
    if (has_resource)
        close_scope(out);
    else if (self->has_span)
        close_resource(out);
    if (!has_resource)
        open_entry(out, false, span->resource, span->resource_schema_url);
    open_entry(out, true, span->scope, span->scope_schema_url);
}

int ftri_otlp_json_span(struct ftri_otlp_json_writer *self, const struct ftri_otlp_span *span)
{
    struct ftri_json_writer out;
    ftri_json_writer_init(&out, self->out);
    out.needs_comma = self->has_span;
    move_to(self, &out, span);
    write_message(&out, &ftri_otlp_span_message, span->bytes);
    self->has_span = true;
    self->place = *span;
    return ftri_json_writer_status(&out);
}

int ftri_otlp_json_end(struct ftri_otlp_json_writer *self)
{
    struct ftri_json_writer out;
    ftri_json_writer_init(&out, self->out);
    if (self->has_span)
        close_resource(&out);
    ftri_json_end_array(&out);
    ftri_json_end_object(&out);
    return ftri_json_writer_status(&out);
}
