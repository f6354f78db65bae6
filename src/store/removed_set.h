/* SPDX-License-Identifier: Apache-2.0
 *
 * What a store without blocks still knows of spans that retention removed (store/ghosts.h). */
#pragma once

#include "base/check.h"

/* Hashes in two generations: when the younger is full the older goes. One thread at a time. */
struct removed_set {
    uint64_t *slots[2]; /* open addressing, 0: free; the younger first */
    size_t n_slots;     /* of each, a power of two; 0: none yet */
    size_t n_used;      /* of the younger */
    bool has_forgotten;
};
void removed_set_deinit(struct removed_set *self);
/* Memory being short counts as forgetting. n_bytes: what the set may take. */
void removed_set_add(struct removed_set *self, uint64_t hash, uint64_t n_bytes);
bool removed_set_has(const struct removed_set *self, uint64_t hash);
