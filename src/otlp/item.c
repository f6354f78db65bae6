/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/item.h"

#include "codec/wire.h"
#include "otlp/schema.h"

#include <string.h>

enum { TRACE_ID_BYTES = 16 };

enum ftri_otlp_item_kind ftri_otlp_item_kind(const struct ftri_otlp_item *item)
{
    if (item->message == &ftri_otlp_span_message)
        return FTRI_OTLP_ITEM_SPAN;
    return item->metric.data ? FTRI_OTLP_ITEM_POINT : FTRI_OTLP_ITEM_LOG;
}

uint32_t ftri_otlp_attributes_number(const struct ftri_otlp_message *message)
{
    for (size_t i = 0; i < message->n_fields; i++)
        if (message->fields[i].flags & FTRI_OTLP_ATTRIBUTE)
            return message->fields[i].number;
    return 0;
}

/* The last field of a number; false: there is none. */
static bool find_field(struct ftri_view message, uint32_t number, struct ftri_wire_field *ret_field)
{
    struct ftri_wire_field field;
    size_t next = 0;
    bool is_found = false;
    while (ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number != number)
            continue;
        *ret_field = field;
        is_found = true;
    }
    return is_found;
}

static bool is_key(struct ftri_view key_value, ftr_str key)
{
    struct ftri_wire_field field;
    return find_field(key_value, 1, &field) && field.bytes.len == key.len &&
           (key.len == 0 || memcmp(field.bytes.data, key.data, key.len) == 0);
}

static bool find_attribute(struct ftri_view message, uint32_t number, ftr_str key,
                           struct ftri_view *ret_value)
{
    struct ftri_wire_field field, value;
    size_t next = 0;
    while (ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number != number || field.type != FTRI_WIRE_BYTES || !is_key(field.bytes, key))
            continue;
        *ret_value =
            find_field(field.bytes, 2, &value) ? value.bytes : (struct ftri_view){.len = 0};
        return true;
    }
    return false;
}

bool ftri_otlp_item_attribute(const struct ftri_otlp_item *item, ftr_str key,
                              struct ftri_view *ret_value)
{
    return ftri_otlp_item_own_attribute(item, key, ret_value) ||
           ftri_otlp_item_resource_attribute(item, key, ret_value);
}

bool ftri_otlp_item_own_attribute(const struct ftri_otlp_item *item, ftr_str key,
                                  struct ftri_view *ret_value)
{
    return find_attribute(item->bytes, ftri_otlp_attributes_number(item->message), key, ret_value);
}

bool ftri_otlp_item_resource_attribute(const struct ftri_otlp_item *item, ftr_str key,
                                       struct ftri_view *ret_value)
{
    return find_attribute(item->resource, 1, key, ret_value);
}

ftr_str ftri_otlp_item_name(const struct ftri_otlp_item *item)
{
    static const uint32_t numbers[] = {
        [FTRI_OTLP_ITEM_SPAN] = 5, [FTRI_OTLP_ITEM_LOG] = 12, [FTRI_OTLP_ITEM_POINT] = 1};
    const enum ftri_otlp_item_kind kind = ftri_otlp_item_kind(item);
    const struct ftri_view named = kind == FTRI_OTLP_ITEM_POINT ? item->metric : item->bytes;
    struct ftri_wire_field field;
    return find_field(named, numbers[kind], &field) ? ftri_view_str(field.bytes) : (ftr_str){"", 0};
}

struct ftri_view ftri_otlp_item_trace_id(const struct ftri_otlp_item *item)
{
    static const uint8_t none[TRACE_ID_BYTES];
    static const uint32_t numbers[] = {[FTRI_OTLP_ITEM_SPAN] = 1, [FTRI_OTLP_ITEM_LOG] = 9};
    const enum ftri_otlp_item_kind kind = ftri_otlp_item_kind(item);
    struct ftri_wire_field field;
    if (kind == FTRI_OTLP_ITEM_POINT || !find_field(item->bytes, numbers[kind], &field) ||
        field.bytes.len != TRACE_ID_BYTES || memcmp(field.bytes.data, none, TRACE_ID_BYTES) == 0)
        return (struct ftri_view){.len = 0};
    return field.bytes;
}

int32_t ftri_otlp_item_status(const struct ftri_otlp_item *item)
{
    struct ftri_wire_field status, code;
    if (ftri_otlp_item_kind(item) != FTRI_OTLP_ITEM_SPAN || !find_field(item->bytes, 15, &status) ||
        !find_field(status.bytes, 3, &code))
        return 0;
    return (int32_t)code.value;
}

int32_t ftri_otlp_item_severity(const struct ftri_otlp_item *item)
{
    struct ftri_wire_field field;
    if (ftri_otlp_item_kind(item) != FTRI_OTLP_ITEM_LOG || !find_field(item->bytes, 2, &field))
        return 0;
    return (int32_t)field.value;
}

uint64_t ftri_otlp_item_time_ns(const struct ftri_otlp_item *item)
{
    static const uint32_t numbers[][2] = {[FTRI_OTLP_ITEM_SPAN] = {8, 7},
                                          [FTRI_OTLP_ITEM_LOG] = {1, 11},
                                          [FTRI_OTLP_ITEM_POINT] = {3, 3}};
    const uint32_t *const number = numbers[ftri_otlp_item_kind(item)];
    struct ftri_wire_field field;
    if (find_field(item->bytes, number[0], &field) && field.value)
        return field.value;
    return find_field(item->bytes, number[1], &field) ? field.value : 0;
}
