/* SPDX-License-Identifier: Apache-2.0
 *
 * The check of logs and metrics, along the schema's tables. Messages nest as the tables do; only
 * values do so without an end, and their levels are counted. */
#include "otlp/signals.h"

#include "otlp/check.h"
#include "otlp/schema.h"

#include <errno.h>

static enum ftri_wire_type wire_type(const struct ftri_otlp_field *field)
{
    switch ((enum ftri_otlp_kind)field->kind) {
    case FTRI_OTLP_KIND_STR:
    case FTRI_OTLP_KIND_BYTES:
    case FTRI_OTLP_KIND_ID16:
    case FTRI_OTLP_KIND_ID8:
    case FTRI_OTLP_KIND_MESSAGE:
        return FTRI_WIRE_BYTES;
    case FTRI_OTLP_KIND_FIXED32:
        return FTRI_WIRE_FIXED32;
    case FTRI_OTLP_KIND_FIXED64:
    case FTRI_OTLP_KIND_SFIXED64:
    case FTRI_OTLP_KIND_F64:
        return FTRI_WIRE_FIXED64;
    default:
        return FTRI_WIRE_VARINT;
    }
}

static bool take_scalar(struct walk *self, uint32_t number, enum ftri_wire_type type)
{
    if (type == FTRI_WIRE_VARINT)
        return take_varint(self, number);
    return take_fixed(self, number, type == FTRI_WIRE_FIXED64 ? 8 : 4);
}

/* Numbers in a row without tags. */
static bool take_packed(struct walk *self, uint32_t number, enum ftri_wire_type type)
{
    struct ftri_view numbers;
    if (!take_bytes(self, number, &numbers))
        return false;
    struct walk inside = *self;
    inside.next = numbers.data;
    inside.end = numbers.data + numbers.len;
    while (inside.next < inside.end)
        if (!take_scalar(&inside, number, type))
            return false;
    return true;
}

static bool check_message(struct check *check, const struct ftri_otlp_message *type,
                          struct ftri_view message, size_t depth);

static bool take_message(struct walk *self, const struct ftri_otlp_field *field, size_t depth)
{
    struct ftri_view message;
    if ((field->flags & FTRI_OTLP_ATTRIBUTE) && !ftri_otlp_check_attribute(self, field->number))
        return false;
    const bool is_value = field->message == &ftri_otlp_any_value_message;
    self->check->n_items += (field->flags & FTRI_OTLP_COUNTED) != 0;
    return take_bytes(self, field->number, &message) &&
           check_message(self->check, field->message, message, depth + is_value);
}

static bool take_known_id(struct walk *self, const struct ftri_otlp_field *field, size_t size)
{
    struct ftri_view bytes;
    const uint8_t *id;
    return field->flags & FTRI_OTLP_LOOSE ? take_bytes(self, field->number, &bytes)
                                          : take_id(self, field->number, size, true, &id);
}

/* A field of a known number and its own wire type. */
static bool take_known(struct walk *self, const struct ftri_otlp_field *field, size_t depth)
{
    struct ftri_view bytes;
    switch ((enum ftri_otlp_kind)field->kind) {
    case FTRI_OTLP_KIND_STR:
        return take_text(self, field->number);
    case FTRI_OTLP_KIND_BYTES:
        return take_bytes(self, field->number, &bytes);
    case FTRI_OTLP_KIND_ID16:
        return take_known_id(self, field, TRACE_ID_BYTES);
    case FTRI_OTLP_KIND_ID8:
        return take_known_id(self, field, SPAN_ID_BYTES);
    case FTRI_OTLP_KIND_MESSAGE:
        return take_message(self, field, depth);
    default:
        return take_scalar(self, field->number, wire_type(field));
    }
}

static bool take_field(struct walk *self, const struct ftri_otlp_message *type, uint32_t tag,
                       size_t depth)
{
    const struct ftri_otlp_field *const field = ftri_otlp_field_numbered(type, tag >> 3);
    if (!field)
        return take_other(self, tag, 0, 0);
    const enum ftri_wire_type expected = wire_type(field);
    if ((tag & 7) == expected)
        return take_known(self, field, depth);
    if ((tag & 7) == FTRI_WIRE_BYTES && (field->flags & FTRI_OTLP_REPEATED))
        return take_packed(self, field->number, expected);
    return refuse(self, field->number, "wrong wire type");
}

/* depth: how many values this one is in, itself included. */
static bool check_message(struct check *check, const struct ftri_otlp_message *type,
                          struct ftri_view message, size_t depth)
{
    struct walk walk = walk_of(check, message);
    uint32_t tag;
    if (!ftri_otlp_check_depth(&walk, depth))
        return false;
    while (walk.next < walk.end)
        if (!next_tag(&walk, &tag) || !take_field(&walk, type, tag, depth))
            return false;
    return true;
}

static int check_request(const struct ftri_otlp_message *request, struct ftri_view bytes,
                         const struct ftri_otlp_limits *limits, size_t *ret_n_items,
                         struct ftri_otlp_error *ret_error)
{
    struct check check = {.limits = limits, .end = bytes.data + bytes.len};
    if (bytes.len && !check_message(&check, request, bytes, 0)) {
        ftri_otlp_failure_describe(&check.failure, request, bytes, ret_error);
        return -EBADMSG;
    }
    *ret_n_items = check.n_items;
    return 0;
}

int ftri_otlp_logs_check(struct ftri_view bytes, const struct ftri_otlp_limits *limits,
                         size_t *ret_n_records, struct ftri_otlp_error *ret_error)
{
    return check_request(&ftri_otlp_logs_request, bytes, limits, ret_n_records, ret_error);
}

int ftri_otlp_metrics_check(struct ftri_view bytes, const struct ftri_otlp_limits *limits,
                            size_t *ret_n_points, struct ftri_otlp_error *ret_error)
{
    return check_request(&ftri_otlp_metrics_request, bytes, limits, ret_n_points, ret_error);
}
