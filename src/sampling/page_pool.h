/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages of one size in chains: memory that grows slab by slab up to a number of pages, and is taken
 * from and given back to lists, by turns: which page is behind the first one of a list stands in
 * that, and nobody has looked at it for long, so it is asked for some turns before. Pages are named
 * by numbers; 0 is none. A whole chain is given back at once, however long. One thread at a time.
 */
#pragma once

#include "base/check.h"

enum { FTRI_PAGE_SIZE = 256, FTRI_PAGE_DATA = FTRI_PAGE_SIZE - 4, FTRI_SLAB_SHIFT = 15 };
enum { FTRI_POOL_LISTS = 8 };

struct ftri_pool_page {
    uint32_t next; /* of the chain, and of a list of free ones */
    uint8_t data[FTRI_PAGE_DATA];
};

struct ftri_page_pool {
    struct ftri_pool_page **slabs; /* of 2^FTRI_SLAB_SHIFT pages */
    uint32_t n_slabs;
    uint32_t n_used; /* numbers below were taken at least once */
    uint32_t n_most; /* numbers below may be */
    uint32_t n_free; /* of those below n_used */
    uint32_t free[FTRI_POOL_LISTS];
    uint32_t takes; /* so many turns */
    uint32_t gives;
};

/* 0 or -ENOMEM. */
int ftri_page_pool_init(struct ftri_page_pool *self, uint32_t n_pages) FTRI_MUST_CHECK;
void ftri_page_pool_deinit(struct ftri_page_pool *self);
/* Whether n pages can be taken; makes a slab if that helps. */
bool ftri_page_pool_has(struct ftri_page_pool *self, uint32_t n);
/* There is one (ftri_page_pool_has). Its content is undefined. */
uint32_t ftri_page_pool_take(struct ftri_page_pool *self);
/* The chain of n pages from first to last. */
void ftri_page_pool_give(struct ftri_page_pool *self, uint32_t first, uint32_t last, uint32_t n);

static inline struct ftri_pool_page *ftri_page_at(const struct ftri_page_pool *self, uint32_t page)
{
    return &self->slabs[page >> FTRI_SLAB_SHIFT][page & ((1U << FTRI_SLAB_SHIFT) - 1)];
}
