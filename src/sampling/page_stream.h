/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that go on from page to page of a chain (page_pool.h): where they are written or read. One
 * thread at a time. */
#pragma once

#include "sampling/page_pool.h"

#include <string.h>

struct ftri_page_stream {
    struct ftri_page_pool *pool;
    uint32_t page;
    uint32_t at; /* in the page's data */
};

/* The chain has room for it behind. */
void ftri_page_stream_write_on(struct ftri_page_stream *self, const void *data, size_t len);
static inline void ftri_page_stream_write(struct ftri_page_stream *self, const void *data,
                                          size_t len)
{
    if (FTRI_UNLIKELY(len > FTRI_PAGE_DATA - self->at)) {
        ftri_page_stream_write_on(self, data, len);
        return;
    }
    memcpy(ftri_page_at(self->pool, self->page)->data + self->at, data, len);
    self->at += (uint32_t)len;
}

/* It was written. */
void ftri_page_stream_read(struct ftri_page_stream *self, void *data, size_t len);
