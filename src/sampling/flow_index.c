/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/flow_index.h"

#include "base/mem.h"

#include <string.h>

enum { SLOTS_FIRST = 64 };

void ftri_flow_index_init(struct ftri_flow_index *self, size_t n_bytes)
{
    *self = (struct ftri_flow_index){.n_slots_most = SLOTS_FIRST};
    while (self->n_slots_most < (UINT32_C(1) << 31) &&
           (uint64_t)self->n_slots_most * 2 * sizeof *self->slots <= n_bytes)
        self->n_slots_most *= 2;
}

void ftri_flow_index_deinit(struct ftri_flow_index *self)
{
    ftri_free(self->slots);
    *self = (struct ftri_flow_index){0};
}

static void put(uint64_t *slots, uint32_t mask, uint64_t slot)
{
    uint32_t i = (uint32_t)(slot >> 32) & mask;
    while (slots[i] != 0)
        i = (i + 1) & mask;
    slots[i] = slot;
}

static bool grow(struct ftri_flow_index *self)
{
    const uint32_t n_slots = self->n_slots ? self->n_slots * 2 : SLOTS_FIRST;
    uint64_t *slots = ftri_alloc_huge(n_slots * sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0, n_slots * sizeof *slots);
    for (uint32_t i = 0; i < self->n_slots; i++)
        if (self->slots[i] != 0)
            put(slots, n_slots - 1, self->slots[i]);
    ftri_free(self->slots);
    self->slots = slots;
    self->n_slots = n_slots;
    return true;
}

bool ftri_flow_index_has_room(struct ftri_flow_index *self)
{
    if (self->n < self->n_slots / 4 * 3)
        return true;
    return self->n_slots < self->n_slots_most && grow(self);
}

void ftri_flow_index_put(struct ftri_flow_index *self, uint32_t hash, uint32_t page)
{
    put(self->slots, self->n_slots - 1, (uint64_t)hash << 32 | page);
    self->n++;
}

void ftri_flow_index_remove(struct ftri_flow_index *self, uint32_t hash, uint32_t page)
{
    const uint32_t mask = self->n_slots - 1;
    const uint64_t wanted = (uint64_t)hash << 32 | page;
    uint32_t hole = hash & mask;
    while (self->slots[hole] != wanted)
        hole = (hole + 1) & mask;
    for (uint32_t i = (hole + 1) & mask; self->slots[i] != 0; i = (i + 1) & mask) {
        const uint32_t home = (uint32_t)(self->slots[i] >> 32) & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* it would stand before its home */
        self->slots[hole] = self->slots[i];
        hole = i;
    }
    self->slots[hole] = 0;
    self->n--;
}
