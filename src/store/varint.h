/* SPDX-License-Identifier: Apache-2.0
 *
 * Varints and length-prefixed texts in a block's streams: writing appends, reading is bounded and
 * sticks at the first thing that is wrong. */
#pragma once

#include "base/bytes.h"
#include "codec/wire.h"

#include <errno.h>

static inline uint64_t zigzag(uint64_t difference)
{
    return (difference << 1) ^ (uint64_t)((int64_t)difference >> 63);
}

static inline uint64_t unzigzag(uint64_t value)
{
    return (value >> 1) ^ (0 - (value & 1));
}

static inline int varint_put(struct ftri_bytes *out, uint64_t value)
{
    const int r = ftri_bytes_reserve(out, 10);
    if (r < 0)
        return r;
    for (; value >= 0x80; value >>= 7)
        out->data[out->len++] = (uint8_t)(value | 0x80);
    out->data[out->len++] = (uint8_t)value;
    return 0;
}

static inline int text_put(struct ftri_bytes *out, const void *data, size_t len)
{
    const int r = varint_put(out, len);
    return r < 0 ? r : ftri_bytes_append(out, data, len);
}

/* A stream that is read from its beginning; is_bad sticks. */
struct stream {
    const uint8_t *next;
    const uint8_t *end;
    bool is_bad;
};

static inline struct stream stream_of(struct ftri_view bytes)
{
    return (struct stream){bytes.data, bytes.data + bytes.len, false};
}

static inline uint64_t stream_varint(struct stream *self)
{
    uint64_t value = 0;
    if (self->is_bad || !ftri_wire_varint(&self->next, self->end, &value)) {
        self->is_bad = true;
        return 0;
    }
    return value;
}

/* Passes over n varints without looking at their values. */
static inline void stream_skip_varints(struct stream *self, size_t n)
{
    const uint64_t top_bits = UINT64_C(0x8080808080808080);
    while (n >= 8 && self->end - self->next >= 8) {
        /* Every byte without its top bit ends one. */
        n -= (size_t)__builtin_popcountll(~ftri_wire_load64(self->next) & top_bits);
        self->next += 8;
    }
    for (; n > 0 && self->next < self->end; self->next++)
        n -= *self->next < 0x80;
    self->is_bad |= n > 0;
}

/* NULL when there are not so many left. */
static inline const uint8_t *stream_take(struct stream *self, uint64_t n)
{
    if (self->is_bad || n > (uint64_t)(self->end - self->next)) {
        self->is_bad = true;
        return NULL;
    }
    const uint8_t *taken = self->next;
    self->next += n;
    return taken;
}

static inline struct ftri_view stream_text(struct stream *self)
{
    const uint64_t len = stream_varint(self);
    const uint8_t *data = stream_take(self, len);
    return data ? (struct ftri_view){data, (size_t)len} : (struct ftri_view){0};
}
