/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/wire.h"

#include <errno.h>

enum { HEADER_BYTES = 15, NUMBER_MAX = (1 << 29) - 1 };

/* The part behind the tag. */
static bool read_payload(const uint8_t **next, const uint8_t *end, struct ftri_wire_field *field)
{
    const size_t n_left = (size_t)(end - *next);
    uint64_t len;
    switch (field->type) {
    case FTRI_WIRE_VARINT:
        return ftri_wire_varint(next, end, &field->value);
    case FTRI_WIRE_FIXED64:
        if (n_left < 8)
            return false;
        field->value = ftri_wire_load64(*next);
        *next += 8;
        return true;
    case FTRI_WIRE_FIXED32:
        if (n_left < 4)
            return false;
        field->value = ftri_wire_load32(*next);
        *next += 4;
        return true;
    case FTRI_WIRE_BYTES:
        if (!ftri_wire_varint(next, end, &len) || len > (size_t)(end - *next))
            return false;
        field->bytes = ftri_view_of(*next, (size_t)len);
        *next += len;
        return true;
    }
    return false;
}

int ftri_wire_next_any(struct ftri_view message, size_t *next, struct ftri_wire_field *ret_field)
{
    if (*next >= message.len)
        return FTRI_WIRE_END;
    const uint8_t *p = message.data + *next;
    const uint8_t *end = message.data + message.len;
    uint64_t tag;
    if (!ftri_wire_varint(&p, end, &tag) || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
        return -EBADMSG;
    struct ftri_wire_field field = {.number = (uint32_t)(tag >> 3),
                                    .type = (enum ftri_wire_type)(tag & 7)};
    if (!read_payload(&p, end, &field))
        return -EBADMSG;
    *ret_field = field;
    *next = (size_t)(p - message.data);
    return FTRI_WIRE_FIELD;
}

static uint8_t *write_varint(uint8_t *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

/* Tag and one number behind it: a varint's value or a length. */
static int put_tag_and(struct ftri_bytes *out, uint32_t number, enum ftri_wire_type type,
                       uint64_t value)
{
    const int r = ftri_bytes_reserve(out, HEADER_BYTES);
    if (r < 0)
        return r;
    uint8_t *p = write_varint(out->data + out->len, (uint64_t)number << 3 | (uint64_t)type);
    p = write_varint(p, value);
    out->len = (size_t)(p - out->data);
    return 0;
}

int ftri_wire_put_varint(struct ftri_bytes *out, uint32_t number, uint64_t value)
{
    return put_tag_and(out, number, FTRI_WIRE_VARINT, value);
}

static int put_fixed(struct ftri_bytes *out, uint32_t number, enum ftri_wire_type type,
                     uint64_t value)
{
    const int r = ftri_bytes_reserve(out, HEADER_BYTES);
    if (r < 0)
        return r;
    uint8_t *p = write_varint(out->data + out->len, (uint64_t)number << 3 | (uint64_t)type);
    for (int i = 0; i < (type == FTRI_WIRE_FIXED64 ? 8 : 4); i++)
        *p++ = (uint8_t)(value >> 8 * i);
    out->len = (size_t)(p - out->data);
    return 0;
}

int ftri_wire_put_fixed64(struct ftri_bytes *out, uint32_t number, uint64_t value)
{
    return put_fixed(out, number, FTRI_WIRE_FIXED64, value);
}

int ftri_wire_put_fixed32(struct ftri_bytes *out, uint32_t number, uint32_t value)
{
    return put_fixed(out, number, FTRI_WIRE_FIXED32, value);
}

int ftri_wire_put_header(struct ftri_bytes *out, uint32_t number, size_t size)
{
    return put_tag_and(out, number, FTRI_WIRE_BYTES, size);
}

int ftri_wire_put_bytes(struct ftri_bytes *out, uint32_t number, struct ftri_view bytes)
{
    const size_t before = out->len;
    int r = ftri_wire_put_header(out, number, bytes.len);
    if (r == 0)
        r = ftri_bytes_append(out, bytes.data, bytes.len);
    if (r < 0)
        out->len = before;
    return r;
}

int ftri_wire_begin(struct ftri_bytes *out, uint32_t number, size_t *ret_mark)
{
    const int r = ftri_wire_put_header(out, number, 0);
    if (r < 0)
        return r;
    *ret_mark = out->len;
    return 0;
}

int ftri_wire_end(struct ftri_bytes *out, size_t mark)
{
    const size_t size = out->len - mark;
    const size_t n_more = ftri_wire_varint_size(size) - 1;
    const int r = ftri_bytes_reserve(out, n_more);
    if (r < 0)
        return r;
    if (n_more)
        memmove(out->data + mark + n_more, out->data + mark, size);
    (void)write_varint(out->data + mark - 1, size);
    out->len += n_more;
    return 0;
}
