/* SPDX-License-Identifier: Apache-2.0 */
#include "store/removed_set.h"

#include "base/mem.h"

enum { SLOTS_MIN = 1024 };

void removed_set_deinit(struct removed_set *self)
{
    ftri_free(self->slots[0]);
    ftri_free(self->slots[1]);
    *self = (struct removed_set){0};
}

/* Its slot, or the free one where it belongs: there always is one. */
static uint64_t *find_slot(uint64_t *slots, size_t n_slots, uint64_t hash)
{
    size_t i = (size_t)hash & (n_slots - 1);
    while (slots[i] && slots[i] != hash)
        i = (i + 1) & (n_slots - 1);
    return &slots[i];
}

/* The younger becomes the older. False: there is no memory for a new one. */
static bool turn(struct removed_set *self, uint64_t n_bytes)
{
    if (self->n_slots == 0)
        for (self->n_slots = SLOTS_MIN; self->n_slots * 4 * sizeof(uint64_t) <= n_bytes;)
            self->n_slots *= 2;
    self->has_forgotten |= self->slots[1] != NULL;
    ftri_free(self->slots[1]);
    self->slots[1] = self->slots[0];
    self->slots[0] = ftri_alloc_array(self->n_slots, sizeof *self->slots[0]);
    self->n_used = 0;
    self->has_forgotten |= !self->slots[0];
    return self->slots[0] != NULL;
}

void removed_set_add(struct removed_set *self, uint64_t hash, uint64_t n_bytes)
{
    const uint64_t known = hash ? hash : 1;
    if ((!self->slots[0] || self->n_used > self->n_slots / 4 * 3) && !turn(self, n_bytes))
        return;
    uint64_t *slot = find_slot(self->slots[0], self->n_slots, known);
    self->n_used += *slot == 0;
    *slot = known;
}

bool removed_set_has(const struct removed_set *self, uint64_t hash)
{
    const uint64_t known = hash ? hash : 1;
    for (size_t i = 0; i < 2; i++)
        if (self->slots[i] && *find_slot(self->slots[i], self->n_slots, known))
            return true;
    return false;
}
