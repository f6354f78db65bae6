/* SPDX-License-Identifier: Apache-2.0
 *
 * What is still known of spans that retention removed: that they were there. Hashes of their ids
 * only, the newest of them within a bound of bytes; once the bound has made any go, nobody can say
 * of a span that is not there whether it ever was.
 *
 * In two forms. A ghost is what is left of one block, kept by a backend that has blocks: the hashes
 * of its spans, sorted, 8 bytes little-endian each, as a zstd frame. A removed_set is memory for
 * one that has none. */
#pragma once

#include "base/bytes.h"

struct block_rows;
struct ftri_zstd;

/* Of (trace id, span id). */
uint64_t ghost_hash(const uint8_t trace_id[16], const uint8_t span_id[8]);
/* Appends a packed ghost of all rows. */
int ghost_pack(const struct block_rows *rows, struct ftri_zstd *zstd,
               struct ftri_bytes *out) FTRI_MUST_CHECK;

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
