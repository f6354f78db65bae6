/* SPDX-License-Identifier: Apache-2.0
 *
 * Hash table from bytes (copied) to a pointer (borrowed). Open addressing, grows at 3/4 load,
 * keyed hash (a peer that chooses the keys cannot choose the collisions). One thread at a time.
 * The limit given at init bounds the number of entries. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_map_entry;

struct ftri_map {
    struct ftri_map_entry *entries;
    size_t n_entries;
    size_t n_slots; /* power of two, or 0 */
    size_t limit;
    uint64_t seed;
};

void ftri_map_init(struct ftri_map *self, size_t limit);
void ftri_map_deinit(struct ftri_map *self);
/* NULL when absent. */
void *ftri_map_get(const struct ftri_map *self, ftr_str key);
/* Sets or replaces. value must not be NULL. -ENOSPC at the limit, -ENOMEM. */
int ftri_map_set(struct ftri_map *self, ftr_str key, void *value) FTRI_MUST_CHECK;
/* The value that was there, or NULL. */
void *ftri_map_remove(struct ftri_map *self, ftr_str key);
/* Iterates in no particular order: start with *cursor = 0; false at the end. Do not change the
 * map in between. */
bool ftri_map_next(const struct ftri_map *self, size_t *cursor, ftr_str *ret_key, void **ret_value);

/* 64-bit hash of bytes under a seed; stable within a process only when the seed is random. */
uint64_t ftri_hash(uint64_t seed, const void *data, size_t len);
