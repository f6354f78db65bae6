/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/page_stream.h"

/* What is left of the page, entering the next one if that is nothing. */
static size_t room_at(struct ftri_page_stream *self, size_t wanted)
{
    if (self->at == FTRI_PAGE_DATA) {
        self->page = ftri_page_at(self->pool, self->page)->next;
        self->at = 0;
    }
    return ftri_size_min(wanted, FTRI_PAGE_DATA - self->at);
}

void ftri_page_stream_write_on(struct ftri_page_stream *self, const void *data, size_t len)
{
    for (const uint8_t *from = data; len > 0;) {
        const size_t n = room_at(self, len);
        memcpy(ftri_page_at(self->pool, self->page)->data + self->at, from, n);
        self->at += (uint32_t)n;
        from += n;
        len -= n;
    }
}

void ftri_page_stream_read(struct ftri_page_stream *self, void *data, size_t len)
{
    for (uint8_t *to = data; len > 0;) {
        const size_t n = room_at(self, len);
        memcpy(to, ftri_page_at(self->pool, self->page)->data + self->at, n);
        self->at += (uint32_t)n;
        to += n;
        len -= n;
    }
}
