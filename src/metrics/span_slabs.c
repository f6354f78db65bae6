/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/span_slabs.h"

#include "base/mem.h"
#include "base/prefetch.h"

#include <string.h>

/* The first slab is small; each is twice as large as the one before, up to a huge page. */
enum { BLOCKS_FIRST = 16, SLAB_MOST = 2 << 20 };

struct ftri_span_slab {
    struct ftri_span_slab *previous;
    uint8_t reserved[FTRI_CACHE_LINE - sizeof(void *)];
    uint8_t blocks[];
};

void ftri_span_slabs_init(struct ftri_span_slabs *self, size_t block_bytes)
{
    const size_t lines = (block_bytes + FTRI_CACHE_LINE - 1) / FTRI_CACHE_LINE;
    *self = (struct ftri_span_slabs){.block_bytes = lines * FTRI_CACHE_LINE};
}

void ftri_span_slabs_deinit(struct ftri_span_slabs *self)
{
    while (self->last) {
        struct ftri_span_slab *slab = self->last;
        self->last = slab->previous;
        ftri_free(slab);
    }
}

static bool add_slab(struct ftri_span_slabs *self)
{
    const size_t first = sizeof(struct ftri_span_slab) + BLOCKS_FIRST * self->block_bytes;
    const size_t twice = ftri_size_min(2 * self->slab_bytes, SLAB_MOST);
    const size_t bytes = twice > first ? twice : first;
    struct ftri_span_slab *slab = ftri_alloc_huge(bytes);
    if (!slab)
        return false;
    slab->previous = self->last;
    self->last = slab;
    self->slab_bytes = bytes;
    self->n_left = (bytes - sizeof *slab) / self->block_bytes;
    return true;
}

void *ftri_span_slabs_take(struct ftri_span_slabs *self)
{
    if (self->n_left == 0 && !add_slab(self))
        return NULL;
    void *block = self->last->blocks + --self->n_left * self->block_bytes;
    return memset(block, 0, self->block_bytes);
}

void ftri_span_slabs_give_back(struct ftri_span_slabs *self)
{
    self->n_left++;
}
