/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/receivers/line_split.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void line_split_init(struct line_split *self, size_t max_line)
{
    *self = (struct line_split){.max_line = max_line};
    ftri_bytes_init(&self->bytes, max_line + 2 * (size_t)LINE_SPLIT_READ_BYTES);
}

void line_split_deinit(struct line_split *self)
{
    ftri_bytes_deinit(&self->bytes);
}

void line_split_reset(struct line_split *self, uint64_t position)
{
    ftri_bytes_reset(&self->bytes);
    self->start = self->scanned = 0;
    self->is_skipping = false;
    self->n_consumed = position;
}

int line_split_read(struct line_split *self, int fd)
{
    ftri_bytes_consume(&self->bytes, self->start);
    self->scanned -= self->start;
    self->start = 0;
    const int r = ftri_bytes_reserve(&self->bytes, LINE_SPLIT_READ_BYTES);
    if (r < 0)
        return r;
    ssize_t n;
    do
        n = read(fd, self->bytes.data + self->bytes.len, LINE_SPLIT_READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    self->bytes.len += (size_t)n;
    return (int)n;
}

/* The first n bytes of what was not given are done with. */
static void consume(struct line_split *self, size_t n)
{
    self->start += n;
    self->scanned = self->start;
    self->n_consumed += n;
}

/* No end was found in what there is. */
static enum line_split_result take_rest(struct line_split *self, bool is_end, ftr_str *ret_line)
{
    const size_t len = self->bytes.len - self->start;
    const ftr_str line = {(const char *)self->bytes.data + self->start, len};
    const bool was_skipping = self->is_skipping;
    if (was_skipping || len > self->max_line) {
        self->is_skipping = !is_end;
        consume(self, len);
        return was_skipping ? LINE_NONE : LINE_TOO_LONG;
    }
    self->scanned = self->bytes.len;
    if (!is_end || len == 0)
        return LINE_NONE;
    consume(self, len);
    *ret_line = line;
    return LINE_FOUND;
}

enum line_split_result line_split_next(struct line_split *self, bool is_end, ftr_str *ret_line)
{
    for (;;) {
        const char *const begin = (const char *)self->bytes.data + self->start;
        const char *const end =
            self->scanned < self->bytes.len
                ? memchr(self->bytes.data + self->scanned, '\n', self->bytes.len - self->scanned)
                : NULL;
        if (!end)
            return take_rest(self, is_end, ret_line);
        size_t len = (size_t)(end - begin);
        const bool was_skipping = self->is_skipping;
        self->is_skipping = false;
        consume(self, len + 1);
        if (was_skipping)
            continue;
        if (len > self->max_line)
            return LINE_TOO_LONG;
        if (len && begin[len - 1] == '\r')
            len--;
        *ret_line = (ftr_str){begin, len};
        return LINE_FOUND;
    }
}
