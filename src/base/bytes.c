/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ftri_bytes_init(struct ftri_bytes *self, size_t limit)
{
    *self = (struct ftri_bytes){.limit = limit};
}

void ftri_bytes_deinit(struct ftri_bytes *self)
{
    ftri_free(self->data);
    *self = (struct ftri_bytes){0};
}

void ftri_bytes_reset(struct ftri_bytes *self)
{
    self->len = 0;
}

int ftri_bytes_reserve(struct ftri_bytes *self, size_t n)
{
    if (n <= self->capacity - self->len)
        return 0;
    if (n > self->limit || self->len > self->limit - n)
        return -EMSGSIZE;
    size_t wanted = ftri_size_max(self->capacity * 2, 256);
    wanted = ftri_size_min(ftri_size_max(wanted, self->len + n), self->limit);
    uint8_t *grown = ftri_realloc(self->data, wanted);
    if (!grown)
        return -ENOMEM;
    self->data = grown;
    self->capacity = wanted;
    return 0;
}

int ftri_bytes_append(struct ftri_bytes *self, const void *data, size_t len)
{
    const int r = ftri_bytes_reserve(self, len);
    if (r < 0)
        return r;
    if (len)
        memcpy(self->data + self->len, data, len);
    self->len += len;
    return 0;
}

int ftri_bytes_append_str(struct ftri_bytes *self, ftr_str text)
{
    return ftri_bytes_append(self, text.data, text.len);
}

int ftri_bytes_append_char(struct ftri_bytes *self, char c)
{
    return ftri_bytes_append(self, &c, 1);
}

int ftri_bytes_printf(struct ftri_bytes *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0)
        return -EINVAL;
    const int r = ftri_bytes_reserve(self, (size_t)len + 1);
    if (r < 0)
        return r;
    va_start(arguments, format);
    vsnprintf((char *)self->data + self->len, (size_t)len + 1, format, arguments);
    va_end(arguments);
    self->len += (size_t)len;
    return 0;
}

void ftri_bytes_consume(struct ftri_bytes *self, size_t n)
{
    assert(n <= self->len);
    self->len -= n;
    if (self->len)
        memmove(self->data, self->data + n, self->len);
}

int ftri_str_compare(ftr_str a, ftr_str b)
{
    const size_t common = ftri_size_min(a.len, b.len);
    const int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}
