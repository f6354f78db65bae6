/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/processors/attribute_fields.h"

#include "codec/wire.h"
#include "nodes/processors/actions.h"
#include "otlp/encode.h"

int attribute_fields_list(struct slots *slots, uint32_t number, struct ftri_view message)
{
    struct ftri_wire_field field, key;
    size_t next = 0;
    int r = 0;
    slots->n_items = 0;
    for (size_t start = 0; r == 0 && ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD;
         start = next) {
        if (field.number != number || field.type != FTRI_WIRE_BYTES)
            continue;
        struct slot slot = {.key = {"", 0}, .origin = start};
        size_t inner = 0;
        while (ftri_wire_next(field.bytes, &inner, &key) == FTRI_WIRE_FIELD)
            if (key.number == 1)
                slot.key = ftri_view_str(key.bytes);
        r = slots_add(slots, &slot);
    }
    return r;
}

static int put_slot(const struct slot *slot, uint32_t number, struct ftri_view whole,
                    struct ftri_bytes *out)
{
    if (slot->is_deleted)
        return 0;
    if (!slot->value)
        return ftri_bytes_append(out, whole.data, whole.len);
    const ftr_attribute attribute = {slot->key, *slot->value};
    return ftri_otlp_encode_attributes(&attribute, 1, number, out);
}

int attribute_fields_write(const struct slots *slots, uint32_t number, struct ftri_view message,
                           struct ftri_bytes *out)
{
    struct ftri_wire_field field;
    size_t next = 0, i = 0;
    int r = 0;
    for (size_t start = 0; r == 0 && ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD;
         start = next) {
        const struct ftri_view whole = ftri_view_of(message.data + start, next - start);
        const bool is_slot = i < slots->n_items && slots->items[i].origin == start;
        r = is_slot ? put_slot(&slots->items[i++], number, whole, out)
                    : ftri_bytes_append(out, whole.data, whole.len);
    }
    for (; r == 0 && i < slots->n_items; i++)
        r = put_slot(&slots->items[i], number, (struct ftri_view){0}, out);
    return r;
}
