/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/page_pool.h"

#include "base/mem.h"
#include "base/prefetch.h"

#include <errno.h>

#define SLAB_PAGES (UINT32_C(1) << FTRI_SLAB_SHIFT)

_Static_assert(sizeof(struct ftri_pool_page) == FTRI_PAGE_SIZE, "pages are whole cache lines");

int ftri_page_pool_init(struct ftri_page_pool *self, uint32_t n_pages)
{
    *self = (struct ftri_page_pool){.n_used = 1, .n_most = n_pages + 1};
    self->slabs = ftri_alloc_array(self->n_most / SLAB_PAGES + 1, sizeof *self->slabs);
    return self->slabs ? 0 : -ENOMEM;
}

void ftri_page_pool_deinit(struct ftri_page_pool *self)
{
    for (uint32_t i = 0; i < self->n_slabs; i++)
        ftri_free(self->slabs[i]);
    ftri_free(self->slabs);
    *self = (struct ftri_page_pool){0};
}

/* Numbers that have memory and were never taken. */
static uint32_t n_fresh(const struct ftri_page_pool *self)
{
    const uint64_t n = (uint64_t)self->n_slabs << FTRI_SLAB_SHIFT;
    return (uint32_t)(n < self->n_most ? n : self->n_most) - self->n_used;
}

/* The last slab is as large as what is left. */
static bool add_slab(struct ftri_page_pool *self)
{
    const uint64_t first = (uint64_t)self->n_slabs << FTRI_SLAB_SHIFT;
    if (first >= self->n_most)
        return false;
    const size_t n = ftri_size_min(SLAB_PAGES, self->n_most - first);
    struct ftri_pool_page *slab = ftri_alloc_huge(n * sizeof *slab);
    if (slab)
        self->slabs[self->n_slabs++] = slab;
    return slab != NULL;
}

bool ftri_page_pool_has(struct ftri_page_pool *self, uint32_t n)
{
    while (self->n_free < n) {
        const uint32_t fresh = self->n_slabs ? n_fresh(self) : 0;
        if (self->n_free + fresh >= n)
            return true;
        if (!add_slab(self))
            return false;
    }
    return true;
}

/* What is written at once, of what is not a flow's first page; the rest is written much later. */
enum { SOON_BYTES = 2 * FTRI_CACHE_LINE };

/* The list whose turn it is, or the next one that has a page. */
static uint32_t *list_in_turn(struct ftri_page_pool *self)
{
    uint32_t *list;
    do
        list = &self->free[self->takes++ % FTRI_POOL_LISTS];
    while (*list == 0);
    return list;
}

uint32_t ftri_page_pool_take(struct ftri_page_pool *self)
{
    if (self->n_free == 0)
        return self->n_used++;
    uint32_t *list = list_in_turn(self);
    const uint32_t page = *list;
    *list = ftri_page_at(self, page)->next;
    self->n_free--;
    if (*list)
        ftri_prefetch_lines(ftri_page_at(self, *list), SOON_BYTES);
    return page;
}

void ftri_page_pool_give(struct ftri_page_pool *self, uint32_t first, uint32_t last, uint32_t n)
{
    uint32_t *list = &self->free[self->gives++ % FTRI_POOL_LISTS];
    ftri_page_at(self, last)->next = *list;
    *list = first;
    self->n_free += n;
}
