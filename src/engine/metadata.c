/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/metadata.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

enum { HEAD_BYTES = 4 };

struct field {
    ftr_str name;
    ftr_str value;
};

static void put_length(uint8_t *to, size_t len)
{
    to[0] = (uint8_t)len;
    to[1] = (uint8_t)(len >> 8);
}

static size_t length_at(const uint8_t *from)
{
    return (size_t)from[0] | (size_t)from[1] << 8;
}

int metadata_add(struct ftri_bytes *self, ftr_str name, ftr_str value)
{
    uint8_t head[HEAD_BYTES];
    if (name.len > UINT16_MAX || value.len > UINT16_MAX ||
        self->len + HEAD_BYTES + name.len + value.len > METADATA_BYTES_MAX)
        return -EMSGSIZE;
    put_length(head, name.len);
    put_length(head + 2, value.len);
    int r = ftri_bytes_append(self, head, sizeof head);
    if (r == 0)
        r = ftri_bytes_append_str(self, name);
    return r == 0 ? ftri_bytes_append_str(self, value) : r;
}

/* The field at *next, which moves behind it; false: the bytes are over, or no field. */
static bool next_field(struct ftri_view bytes, size_t *next, struct field *ret_field)
{
    const size_t n_left = bytes.len - *next;
    const uint8_t *at = bytes.data + *next;
    if (n_left < HEAD_BYTES)
        return false;
    const size_t name_len = length_at(at), value_len = length_at(at + 2);
    if (n_left - HEAD_BYTES < name_len + value_len)
        return false;
    const char *name = (const char *)at + HEAD_BYTES;
    *ret_field = (struct field){{name, name_len}, {name + name_len, value_len}};
    *next += HEAD_BYTES + name_len + value_len;
    return true;
}

static ftr_str find(struct ftri_view bytes, ftr_str name)
{
    struct field field;
    for (size_t next = 0; next_field(bytes, &next, &field);)
        if (ftri_text_same(field.name, name))
            return field.value;
    return (ftr_str){0};
}

bool metadata_check(struct ftri_view bytes)
{
    struct field field;
    size_t next = 0;
    for (size_t n = 0; next < bytes.len; n++) {
        const struct ftri_view before = {bytes.data, next};
        if (n == METADATA_FIELDS_MAX || bytes.len > METADATA_BYTES_MAX ||
            !next_field(bytes, &next, &field) || find(before, field.name).data)
            return false;
    }
    return true;
}

ftr_str metadata_get(const struct ftri_payload *self, ftr_str name)
{
    return self ? find(ftri_payload_view(self), name) : (ftr_str){0};
}

bool metadata_is_same(const struct ftri_payload *a, const struct ftri_payload *b)
{
    if (a == b || !a || !b)
        return a == b;
    const struct ftri_view left = ftri_payload_view(a), right = ftri_payload_view(b);
    return left.len == right.len && memcmp(left.data, right.data, left.len) == 0;
}
