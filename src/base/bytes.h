/* SPDX-License-Identifier: Apache-2.0
 *
 * Growable bytes with the limit declared at init, and a borrowed view of bytes.
 * A failed append (over the limit: -EMSGSIZE; memory short: -ENOMEM) leaves the content as it was.
 */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

/* Borrowed: valid as long as its owner says. */
struct ftri_view {
    const uint8_t *data;
    size_t len;
};

struct ftri_bytes {
    uint8_t *data;
    size_t len;
    size_t capacity;
    size_t limit;
};

void ftri_bytes_init(struct ftri_bytes *self, size_t limit);
void ftri_bytes_deinit(struct ftri_bytes *self);
/* Forgets the content, keeps the memory. */
void ftri_bytes_reset(struct ftri_bytes *self);
/* Room for n more bytes at data + len; the caller adds to len what it wrote. */
int ftri_bytes_reserve(struct ftri_bytes *self, size_t n) FTRI_MUST_CHECK;
int ftri_bytes_append(struct ftri_bytes *self, const void *data, size_t len) FTRI_MUST_CHECK;
int ftri_bytes_append_str(struct ftri_bytes *self, ftr_str text) FTRI_MUST_CHECK;
int ftri_bytes_append_char(struct ftri_bytes *self, char c) FTRI_MUST_CHECK;
int ftri_bytes_printf(struct ftri_bytes *self, const char *format, ...) FTRI_MUST_CHECK
    FTRI_PRINTF(2, 3);
/* Drops the first n bytes. */
void ftri_bytes_consume(struct ftri_bytes *self, size_t n);

static inline struct ftri_view ftri_bytes_view(const struct ftri_bytes *self)
{
    return (struct ftri_view){self->data, self->len};
}

static inline struct ftri_view ftri_view_of(const void *data, size_t len)
{
    return (struct ftri_view){(const uint8_t *)data, len};
}

/* As memcmp; of two that begin alike the shorter comes first. */
int ftri_str_compare(ftr_str a, ftr_str b);

static inline ftr_str ftri_view_str(struct ftri_view view)
{
    return (ftr_str){(const char *)view.data, view.len};
}
