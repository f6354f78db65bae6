/* SPDX-License-Identifier: Apache-2.0
 *
 * From the hash of a trace id to the number of its flow's first page: open addressing, linear
 * probing, deletion by shifting back. It knows 32 bits of the hash; whether a page is the one that
 * is looked for is the caller's to see. One thread at a time. */
#pragma once

#include "base/check.h"

struct ftri_flow_index {
    uint64_t *slots; /* hash << 32 | page; 0: free */
    uint32_t n_slots;
    uint32_t n_slots_most;
    uint32_t n;
};

/* At most so many bytes. */
void ftri_flow_index_init(struct ftri_flow_index *self, size_t n_bytes);
void ftri_flow_index_deinit(struct ftri_flow_index *self);

/* The first page of this hash at or behind *place, which then names it, or 0. Start with
 * ftri_flow_index_home, go on with the place behind. */
static inline uint32_t ftri_flow_index_home(const struct ftri_flow_index *self, uint32_t hash)
{
    return hash & (self->n_slots - 1);
}
static inline uint32_t ftri_flow_index_find(const struct ftri_flow_index *self, uint32_t hash,
                                            uint32_t *place)
{
    if (FTRI_UNLIKELY(self->n_slots == 0))
        return 0;
    const uint64_t *const slots = self->slots;
    const uint32_t mask = self->n_slots - 1;
    uint32_t i = *place & mask;
    while (slots[i] != 0 && slots[i] >> 32 != hash)
        i = (i + 1) & mask;
    *place = i;
    return (uint32_t)slots[i];
}

/* Asks the memory for where it is looked for. */
static inline void ftri_flow_index_expect(const struct ftri_flow_index *self, uint32_t hash)
{
    if (self->n_slots > 0)
        __builtin_prefetch(&self->slots[ftri_flow_index_home(self, hash)], 1);
}

/* Makes room for one more; false: the limit is reached, or memory is short. */
bool ftri_flow_index_has_room(struct ftri_flow_index *self);
/* There is room. */
void ftri_flow_index_put(struct ftri_flow_index *self, uint32_t hash, uint32_t page);
/* It is there. */
void ftri_flow_index_remove(struct ftri_flow_index *self, uint32_t hash, uint32_t page);
