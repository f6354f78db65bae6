/* SPDX-License-Identifier: Apache-2.0
 *
 * Linear probing with backward-shift deletion, so that no tombstones build up. */
#include "base/map.h"

#include "base/mem.h"
#include "base/random.h"

#include <errno.h>
#include <string.h>

struct ftri_map_entry {
    char *key; /* owned; NULL: free slot */
    size_t len;
    uint64_t hash;
    void *value;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    const wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t ftri_hash(uint64_t seed, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint64_t hash = seed ^ (len * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t word = 0;
    size_t left = len;
    for (; left >= 8; left -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        hash = mix(hash ^ word, UINT64_C(0xe7037ed1a0b428db));
    }
    word = 0;
    if (left)
        memcpy(&word, bytes, left);
    hash = mix(hash ^ word, UINT64_C(0x8ebc6af09c88c6e3));
    return mix(hash ^ seed, UINT64_C(0x589965cc75374cc3));
}

void ftri_map_init(struct ftri_map *self, size_t limit)
{
    *self = (struct ftri_map){.limit = limit, .seed = ftri_random_u64()};
}

void ftri_map_deinit(struct ftri_map *self)
{
    for (size_t i = 0; i < self->n_slots; i++)
        ftri_free(self->entries[i].key);
    ftri_free(self->entries);
    *self = (struct ftri_map){0};
}

/* The slot that holds the key, or the free one where it would go. */
static struct ftri_map_entry *find(const struct ftri_map *self, ftr_str key, uint64_t hash)
{
    const size_t mask = self->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct ftri_map_entry *entry = &self->entries[i];
        if (!entry->key)
            return entry;
        if (entry->hash == hash && entry->len == key.len &&
            memcmp(entry->key, key.data, key.len) == 0)
            return entry;
    }
}

void *ftri_map_get(const struct ftri_map *self, ftr_str key)
{
    if (self->n_slots == 0)
        return NULL;
    const struct ftri_map_entry *entry = find(self, key, ftri_hash(self->seed, key.data, key.len));
    return entry->key ? entry->value : NULL;
}

static int grow(struct ftri_map *self)
{
    const size_t n_slots = self->n_slots ? self->n_slots * 2 : 16;
    struct ftri_map bigger = *self;
    bigger.entries = ftri_alloc_array(n_slots, sizeof *bigger.entries);
    if (!bigger.entries)
        return -ENOMEM;
    bigger.n_slots = n_slots;
    for (size_t i = 0; i < self->n_slots; i++) {
        const struct ftri_map_entry *entry = &self->entries[i];
        if (entry->key)
            *find(&bigger, (ftr_str){entry->key, entry->len}, entry->hash) = *entry;
    }
    ftri_free(self->entries);
    *self = bigger;
    return 0;
}

int ftri_map_set(struct ftri_map *self, ftr_str key, void *value)
{
    if (self->n_slots == 0 || (self->n_entries + 1) * 4 > self->n_slots * 3) {
        const int r = grow(self);
        if (r < 0)
            return r;
    }
    const uint64_t hash = ftri_hash(self->seed, key.data, key.len);
    struct ftri_map_entry *entry = find(self, key, hash);
    if (entry->key) {
        entry->value = value;
        return 0;
    }
    if (self->n_entries >= self->limit)
        return -ENOSPC;
    char *copy = ftri_strndup(key.data, key.len);
    if (!copy)
        return -ENOMEM;
    *entry = (struct ftri_map_entry){copy, key.len, hash, value};
    self->n_entries++;
    return 0;
}

/* Moves later entries of the same run back over the hole. */
static void close_hole(struct ftri_map *self, size_t hole)
{
    const size_t mask = self->n_slots - 1;
    for (size_t i = (hole + 1) & mask; self->entries[i].key; i = (i + 1) & mask) {
        const size_t home = self->entries[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        self->entries[hole] = self->entries[i];
        hole = i;
    }
    self->entries[hole] = (struct ftri_map_entry){0};
}

void *ftri_map_remove(struct ftri_map *self, ftr_str key)
{
    if (self->n_slots == 0)
        return NULL;
    struct ftri_map_entry *entry = find(self, key, ftri_hash(self->seed, key.data, key.len));
    if (!entry->key)
        return NULL;
    void *value = entry->value;
    ftri_free(entry->key);
    self->n_entries--;
    close_hole(self, (size_t)(entry - self->entries));
    return value;
}

bool ftri_map_next(const struct ftri_map *self, size_t *cursor, ftr_str *ret_key, void **ret_value)
{
    for (; *cursor < self->n_slots; (*cursor)++) {
        const struct ftri_map_entry *entry = &self->entries[*cursor];
        if (!entry->key)
            continue;
        *ret_key = (ftr_str){entry->key, entry->len};
        *ret_value = entry->value;
        (*cursor)++;
        return true;
    }
    return false;
}
