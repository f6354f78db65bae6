/* SPDX-License-Identifier: Apache-2.0
 *
 * The protobuf wire format (protobuf.dev, "Encoding"): a message is a row of fields,
 *
 *   tag = varint(number << 3 | type)   type 0: varint   1: 8 bytes, little-endian
 *                                      type 2: varint length, bytes   5: 4 bytes, little-endian
 *
 * Group types (3, 4), field number 0, numbers beyond 2^29 - 1, varints beyond 64 bits and lengths
 * beyond the message are refused. Sans-I/O, any thread. Reads borrow, writes append. */
#pragma once

#include "base/bytes.h"

#include <string.h>

enum ftri_wire_type {
    FTRI_WIRE_VARINT = 0,
    FTRI_WIRE_FIXED64 = 1,
    FTRI_WIRE_BYTES = 2,
    FTRI_WIRE_FIXED32 = 5
};

/* Outcomes of ftri_wire_next beside -EBADMSG. */
enum { FTRI_WIRE_END = 0, FTRI_WIRE_FIELD = 1 };

struct ftri_wire_field {
    uint32_t number;
    enum ftri_wire_type type;
    uint64_t value;         /* VARINT, FIXED64, FIXED32 */
    struct ftri_view bytes; /* BYTES */
};

/* Reads the varint at *next and moves behind it. False (nothing moved): cut off or too long. */
static inline bool ftri_wire_varint(const uint8_t **next, const uint8_t *end, uint64_t *ret_value)
{
    const uint8_t *p = *next;
    if (FTRI_LIKELY(p < end && *p < 0x80)) {
        *ret_value = *p;
        *next = p + 1;
        return true;
    }
    uint64_t value = 0;
    for (unsigned shift = 0; p < end && shift < 70; shift += 7) {
        const uint64_t byte = *p++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            *next = p;
            return true;
        }
    }
    return false;
}

static inline uint64_t ftri_wire_load64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline uint32_t ftri_wire_load32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

/* ftri_wire_next for any field. */
int ftri_wire_next_any(struct ftri_view message, size_t *next,
                       struct ftri_wire_field *ret_field) FTRI_MUST_CHECK;

/* The field at *next of a message; *next starts at 0. FTRI_WIRE_FIELD, FTRI_WIRE_END, or -EBADMSG
 * with *next at the field that is wrong. */
FTRI_MUST_CHECK static inline int ftri_wire_next(struct ftri_view message, size_t *next,
                                                 struct ftri_wire_field *ret_field)
{
    if (*next >= message.len)
        return FTRI_WIRE_END;
    const uint8_t *const p = message.data + *next;
    const size_t n_left = message.len - *next;
    /* Most fields: number below 16, fewer than 128 bytes. */
    if (FTRI_UNLIKELY(n_left < 2 || (p[0] & 0x87) != FTRI_WIRE_BYTES || p[0] < 8 || p[1] >= 0x80 ||
                      n_left - 2 < p[1]))
        return ftri_wire_next_any(message, next, ret_field);
    ret_field->number = p[0] >> 3;
    ret_field->type = FTRI_WIRE_BYTES;
    ret_field->value = 0;
    ret_field->bytes = ftri_view_of(p + 2, p[1]);
    *next += 2 + (size_t)p[1];
    return FTRI_WIRE_FIELD;
}

/* One byte for each begun 7 bits; 9/64 is close enough to 1/7 for up to 64 of them. */
static inline size_t ftri_wire_varint_size(uint64_t value)
{
    if (FTRI_LIKELY(value < 0x80))
        return 1;
    const unsigned top_bit = 63U ^ (unsigned)__builtin_clzll(value);
    return (top_bit * 9 + 73) / 64;
}

/* Appending one field. Values of 0 are written too: whether a default is left out is the caller's
 * decision. -ENOMEM, -EMSGSIZE as ftri_bytes_append. */
int ftri_wire_put_varint(struct ftri_bytes *out, uint32_t number, uint64_t value) FTRI_MUST_CHECK;
int ftri_wire_put_fixed64(struct ftri_bytes *out, uint32_t number, uint64_t value) FTRI_MUST_CHECK;
int ftri_wire_put_fixed32(struct ftri_bytes *out, uint32_t number, uint32_t value) FTRI_MUST_CHECK;
int ftri_wire_put_bytes(struct ftri_bytes *out, uint32_t number,
                        struct ftri_view bytes) FTRI_MUST_CHECK;
/* Tag and length of a message whose `size` bytes the caller appends next. */
int ftri_wire_put_header(struct ftri_bytes *out, uint32_t number, size_t size) FTRI_MUST_CHECK;

/* A message whose size is not known before it is written: begin, append its fields, end with the
 * mark. Costs one move of the message when it is longer than 127 bytes. */
int ftri_wire_begin(struct ftri_bytes *out, uint32_t number, size_t *ret_mark) FTRI_MUST_CHECK;
int ftri_wire_end(struct ftri_bytes *out, size_t mark) FTRI_MUST_CHECK;

/* Writing backwards into memory whose size was computed before: the length of a nested message is
 * then the distance already written. Each takes the first written byte and returns the new one. */
static inline uint8_t *ftri_wire_back_varint(uint8_t *first, uint64_t value)
{
    if (FTRI_LIKELY(value < 0x80)) {
        *--first = (uint8_t)value;
        return first;
    }
    first -= ftri_wire_varint_size(value);
    uint8_t *p = first;
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p = (uint8_t)value;
    return first;
}

static inline uint8_t *ftri_wire_back_tag(uint8_t *first, uint32_t number, enum ftri_wire_type type)
{
    return ftri_wire_back_varint(first, (uint64_t)number << 3 | (uint64_t)type);
}

static inline uint8_t *ftri_wire_back_fixed64(uint8_t *first, uint32_t number, uint64_t value)
{
    first -= 8;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(first, &value, 8);
    return ftri_wire_back_tag(first, number, FTRI_WIRE_FIXED64);
}

static inline uint8_t *ftri_wire_back_fixed32(uint8_t *first, uint32_t number, uint32_t value)
{
    first -= 4;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    memcpy(first, &value, 4);
    return ftri_wire_back_tag(first, number, FTRI_WIRE_FIXED32);
}

/* memcpy for what is mostly short: two overlapping pieces instead of a call. */
static inline void ftri_wire_copy(uint8_t *to, const void *from, size_t len)
{
    const uint8_t *const data = (const uint8_t *)from;
    uint64_t words[4];
    if (len > 32) {
        memcpy(to, data, len);
    } else if (len >= 16) {
        memcpy(words, data, 16);
        memcpy(words + 2, data + len - 16, 16);
        memcpy(to, words, 16);
        memcpy(to + len - 16, words + 2, 16);
    } else if (len >= 8) {
        memcpy(words, data, 8);
        memcpy(words + 1, data + len - 8, 8);
        memcpy(to, words, 8);
        memcpy(to + len - 8, words + 1, 8);
    } else {
        for (size_t i = 0; i < len; i++)
            to[i] = data[i];
    }
}

static inline uint8_t *ftri_wire_back_bytes(uint8_t *first, uint32_t number, const void *data,
                                            size_t len)
{
    first -= len;
    ftri_wire_copy(first, data, len);
    first = ftri_wire_back_varint(first, len);
    return ftri_wire_back_tag(first, number, FTRI_WIRE_BYTES);
}
