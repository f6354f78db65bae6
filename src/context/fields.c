/* SPDX-License-Identifier: Apache-2.0 */
#include "context/fields.h"

#include "base/text.h"
#include "context/block.h"

#include <string.h>

struct head {
    uint8_t type;
    uint8_t reserved;
    uint16_t key_len;
    uint32_t value_len;
};

struct writer {
    size_t n;
    size_t len;
    char text[FTR_CONTEXT_FIELD_BYTES];
};

/* The value's bytes; .data NULL: not a value that can be inherited. */
static ftr_str bytes_of(const ftr_value *value)
{
    switch (value->type) {
    case FTR_VALUE_STR:
        return value->as.str.data ? value->as.str : FTR_STR("");
    case FTR_VALUE_BOOL:
        return (ftr_str){(const char *)&value->as.boolean, sizeof value->as.boolean};
    case FTR_VALUE_I64:
    case FTR_VALUE_F64:
        return (ftr_str){(const char *)&value->as.i64, sizeof value->as.i64};
    default:
        return (ftr_str){NULL, 0};
    }
}

static bool put(struct writer *self, ftr_str key, const ftr_value *value)
{
    const ftr_str bytes = bytes_of(value);
    struct head head = {.type = (uint8_t)value->type};
    if (!bytes.data || !key.data || key.len == 0 || self->n == FTR_CONTEXT_FIELDS ||
        key.len > sizeof self->text || bytes.len > sizeof self->text ||
        sizeof head + key.len + bytes.len > sizeof self->text - self->len)
        return false;
    head.key_len = (uint16_t)key.len;
    head.value_len = (uint32_t)bytes.len;
    char *at = self->text + self->len;
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, key.data, key.len);
    memcpy(at + sizeof head + key.len, bytes.data, bytes.len);
    self->len += sizeof head + key.len + bytes.len;
    self->n++;
    return true;
}

static ftr_value value_of(ftr_value_type type, ftr_str bytes)
{
    ftr_value value = {.type = type};
    if (type == FTR_VALUE_STR)
        value.as.str = bytes;
    else
        memcpy(&value.as, bytes.data, bytes.len);
    return value;
}

bool ftri_field_next(ftr_str *rest, ftr_attribute *ret_field)
{
    struct head head;
    if (rest->len == 0)
        return false;
    memcpy(&head, rest->data, sizeof head);
    const char *key = rest->data + sizeof head;
    const char *value = key + head.key_len;
    ret_field->key = (ftr_str){key, head.key_len};
    ret_field->value = value_of(head.type, (ftr_str){value, head.value_len});
    rest->len -= (size_t)(value + head.value_len - rest->data);
    rest->data = value + head.value_len;
    return true;
}

size_t ftri_fields_count(ftr_str fields)
{
    ftr_attribute field;
    size_t n = 0;
    while (ftri_field_next(&fields, &field))
        n++;
    return n;
}

/* All but the one of that key; they did fit. */
static void put_others(struct writer *self, ftr_str fields, ftr_str key)
{
    ftr_attribute field;
    while (ftri_field_next(&fields, &field))
        if (!ftri_text_same(field.key, key))
            (void)put(self, field.key, &field.value);
}

bool ftr_context_set_field(ftr_context *context, ftr_str key, const ftr_value *value)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    struct writer fields;
    fields.n = fields.len = 0;
    put_others(&fields, parts.fields, key);
    if (!put(&fields, key, value))
        return false;
    parts.fields = (ftr_str){fields.text, fields.len};
    return ftri_context_set_parts(context, &parts);
}

bool ftr_context_remove_field(ftr_context *context, ftr_str key)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    struct writer fields;
    fields.n = fields.len = 0;
    put_others(&fields, parts.fields, key);
    if (fields.len == parts.fields.len)
        return true;
    parts.fields = (ftr_str){fields.text, fields.len};
    return ftri_context_set_parts(context, &parts);
}
