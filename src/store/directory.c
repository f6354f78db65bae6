/* SPDX-License-Identifier: Apache-2.0 */
#include "store/directory.h"

#include "base/mem.h"
#include "codec/wire.h"
#include "store/block_hashes.h"
#include "store/mentions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT_BLOCKS = 256 };

static const uint64_t NUMBER_MASK = SEGMENT_BLOCKS - 1;

void directory_init(struct directory *self)
{
    *self = (struct directory){0};
    pthread_mutex_init(&self->mutex, NULL);
}

static void segment_deinit(struct segment *self)
{
    for (size_t i = 0; i < N_DIRECTORY_INDEXES; i++)
        ftri_free(self->of[i].keys);
}

void directory_deinit(struct directory *self)
{
    for (size_t i = 0; i < self->n_entries; i++)
        directory_entry_deinit(&self->entries[i]);
    for (size_t i = 0; i < self->n_segments; i++)
        segment_deinit(&self->segments[i]);
    ftri_free(self->segments);
    ftri_free(self->entries);
    pthread_mutex_destroy(&self->mutex);
}

int directory_entry_init(struct directory_entry *self, const struct block_entry *block,
                         const struct ftri_view *names,
                         struct ftri_bytes hashes[N_DIRECTORY_INDEXES])
{
    struct directory_entry entry = {.block = *block, .is_damaged = !names};
    if (names) {
        const int r = filter_init(&entry.filter, *names);
        if (r < 0)
            return r;
        for (size_t i = 0; i < N_DIRECTORY_INDEXES; i++) {
            entry.hashes[i] = hashes[i];
            hashes[i] = (struct ftri_bytes){.limit = hashes[i].limit};
        }
    }
    *self = entry;
    return 0;
}

void directory_entry_deinit(struct directory_entry *self)
{
    filter_deinit(&self->filter);
    for (size_t i = 0; i < N_DIRECTORY_INDEXES; i++)
        ftri_bytes_deinit(&self->hashes[i]);
}

int directory_reserve(struct directory *self, size_t n)
{
    if (n <= self->capacity - self->n_entries)
        return 0;
    const size_t capacity = ftri_size_max(self->capacity * 2, self->n_entries + n);
    pthread_mutex_lock(&self->mutex);
    struct directory_entry *grown = ftri_realloc(self->entries, capacity * sizeof *grown);
    if (grown) {
        self->entries = grown;
        self->capacity = capacity;
    }
    pthread_mutex_unlock(&self->mutex);
    return grown ? 0 : -ENOMEM;
}

/* --- segments ------------------------------------------------------------------------------ */

/* The first position that is in no segment and whose block is not gone. */
static uint64_t unmerged_position(const struct directory *self)
{
    const uint64_t oldest = self->first_position + self->n_gone;
    const struct segment *last = self->n_segments ? &self->segments[self->n_segments - 1] : NULL;
    return last && last->first + SEGMENT_BLOCKS > oldest ? last->first + SEGMENT_BLOCKS : oldest;
}

static int compare_keys(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static int make_keys(const struct directory_entry *entries, enum directory_index index,
                     struct segment_keys *ret_keys)
{
    size_t n = 0;
    for (size_t i = 0; i < SEGMENT_BLOCKS; i++)
        n += entries[i].hashes[index].len / 8;
    struct segment_keys made = {.keys = ftri_alloc_array(n, sizeof *made.keys)};
    if (!made.keys)
        return -ENOMEM;
    for (size_t i = 0; i < SEGMENT_BLOCKS; i++) {
        const struct ftri_bytes *hashes = &entries[i].hashes[index];
        for (size_t j = 0; j + 8 <= hashes->len; j += 8)
            made.keys[made.n_keys++] = (ftri_wire_load64(hashes->data + j) & ~NUMBER_MASK) | i;
    }
    if (n)
        qsort(made.keys, n, sizeof *made.keys, compare_keys);
    *ret_keys = made;
    return 0;
}

static int make_segment(const struct directory_entry *entries, struct segment *segment)
{
    int r = 0;
    for (enum directory_index index = 0; index < N_DIRECTORY_INDEXES && r == 0; index++)
        r = make_keys(entries, index, &segment->of[index]);
    if (r < 0)
        segment_deinit(segment);
    return r;
}

static bool has_segment_room(struct directory *self)
{
    if (self->n_segments < self->segment_capacity)
        return true;
    const size_t capacity = self->segment_capacity ? self->segment_capacity * 2 : 16;
    pthread_mutex_lock(&self->mutex);
    struct segment *grown = ftri_realloc(self->segments, capacity * sizeof *grown);
    if (grown) {
        self->segments = grown;
        self->segment_capacity = capacity;
    }
    pthread_mutex_unlock(&self->mutex);
    return grown != NULL;
}

/* Readers only see the swap. Without memory it is tried again with the next block. */
static void merge(struct directory *self)
{
    const uint64_t first = unmerged_position(self);
    struct directory_entry *entries = self->entries + (first - self->first_position);
    if (self->first_position + self->n_entries - first < SEGMENT_BLOCKS)
        return;
    struct segment segment = {.first = first};
    if (!has_segment_room(self) || make_segment(entries, &segment) < 0)
        return;
    pthread_mutex_lock(&self->mutex);
    self->segments[self->n_segments++] = segment;
    for (size_t i = 0; i < SEGMENT_BLOCKS; i++)
        for (size_t j = 0; j < N_DIRECTORY_INDEXES; j++)
            ftri_bytes_deinit(&entries[i].hashes[j]);
    pthread_mutex_unlock(&self->mutex);
}

void directory_add(struct directory *self, const struct directory_entry *entry)
{
    pthread_mutex_lock(&self->mutex);
    assert(self->n_entries < self->capacity);
    self->entries[self->n_entries++] = *entry;
    self->n_bytes += entry->block.n_bytes;
    self->n_spans += entry->block.summary.n_spans;
    pthread_mutex_unlock(&self->mutex);
    merge(self);
}

bool directory_oldest(struct directory *self, struct block_entry *ret_block, uint64_t *ret_n_bytes)
{
    pthread_mutex_lock(&self->mutex);
    const bool has_one = self->n_gone < self->n_entries;
    if (has_one)
        *ret_block = self->entries[self->n_gone].block;
    *ret_n_bytes = self->n_bytes;
    pthread_mutex_unlock(&self->mutex);
    return has_one;
}

/* Moves the entries up when half of them are gone, and drops a segment that is. */
static void forget_gone(struct directory *self)
{
    const uint64_t oldest = self->first_position + self->n_gone;
    if (self->n_segments && self->segments[0].first + SEGMENT_BLOCKS <= oldest) {
        segment_deinit(&self->segments[0]);
        self->n_segments--;
        memmove(self->segments, self->segments + 1, self->n_segments * sizeof *self->segments);
    }
    if (self->n_gone * 2 < self->n_entries)
        return;
    self->n_entries -= self->n_gone;
    memmove(self->entries, self->entries + self->n_gone, self->n_entries * sizeof *self->entries);
    self->first_position = oldest;
    self->n_gone = 0;
}

void directory_remove_oldest(struct directory *self)
{
    pthread_mutex_lock(&self->mutex);
    struct directory_entry *oldest = &self->entries[self->n_gone++];
    self->n_bytes -= oldest->block.n_bytes;
    self->n_spans -= oldest->block.summary.n_spans;
    directory_entry_deinit(oldest);
    forget_gone(self);
    pthread_mutex_unlock(&self->mutex);
}

/* --- questions ----------------------------------------------------------------------------- */

/* The first key that is not below. */
static size_t lower_bound(const struct segment_keys *segment, uint64_t key)
{
    size_t low = 0, high = segment->n_keys;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (segment->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

typedef int each_block(void *argument, const struct block_entry *block);

/* What is looked for. */
struct wanted {
    enum directory_index index;
    uint64_t hash;
};

static int search_segment(const struct directory *self, const struct segment *segment,
                          const struct wanted *wanted, each_block *each, void *argument)
{
    const struct segment_keys *keys = &segment->of[wanted->index];
    const uint64_t key = wanted->hash & ~NUMBER_MASK;
    const uint64_t oldest = self->first_position + self->n_gone;
    int r = 0;
    for (size_t i = lower_bound(keys, key);
         i < keys->n_keys && (keys->keys[i] & ~NUMBER_MASK) == key && r == 0; i++) {
        const uint64_t position = segment->first + (keys->keys[i] & NUMBER_MASK);
        if (position >= oldest)
            r = each(argument, &self->entries[position - self->first_position].block);
    }
    return r;
}

/* Calls back, under the mutex, for every block that may hold or mention the trace, by age. */
static int search_trace(struct directory *self, enum directory_index index,
                        const uint8_t trace_id[16], each_block *each, void *argument)
{
    const struct wanted wanted = {index, index == DIRECTORY_MENTIONS ? mention_hash(trace_id)
                                                                     : block_hash(trace_id)};
    int r = 0;
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; i < self->n_segments && r == 0; i++)
        r = search_segment(self, &self->segments[i], &wanted, each, argument);
    for (size_t i = (size_t)(unmerged_position(self) - self->first_position);
         i < self->n_entries && r == 0; i++)
        if (block_hashes_have(ftri_bytes_view(&self->entries[i].hashes[index]), wanted.hash))
            r = each(argument, &self->entries[i].block);
    pthread_mutex_unlock(&self->mutex);
    return r;
}

static int add_id(void *argument, const struct block_entry *block)
{
    return ftri_bytes_append(argument, &block->id, sizeof block->id);
}

int directory_find_trace(struct directory *self, enum directory_index index,
                         const uint8_t trace_id[16], int64_t **ret_ids, size_t *ret_n)
{
    struct ftri_bytes ids;
    ftri_bytes_init(&ids, SIZE_MAX / 2);
    const int r = search_trace(self, index, trace_id, add_id, &ids);
    if (r < 0) {
        ftri_bytes_deinit(&ids);
        return r;
    }
    *ret_n = ids.len / sizeof **ret_ids;
    *ret_ids = (int64_t *)(void *)ids.data;
    return 0;
}

static int count_block(void *argument, const struct block_entry *block)
{
    (void)block;
    ++*(size_t *)argument;
    return 0;
}

size_t directory_count_trace(struct directory *self, const uint8_t trace_id[16])
{
    size_t n = 0;
    return search_trace(self, DIRECTORY_TRACES, trace_id, count_block, &n) < 0 ? 0 : n;
}

static bool may_match(const struct directory_entry *entry, const struct store_query *query)
{
    const struct block_summary *summary = &entry->block.summary;
    if (entry->is_damaged)
        return false;
    if (query->status == STORE_STATUS_ERROR && !summary->has_error)
        return false;
    if (query->status == STORE_STATUS_OK && !summary->has_ok)
        return false;
    return summary->start_max_ns >= query->start_min_ns &&
           (!query->start_max_ns || summary->start_min_ns <= query->start_max_ns) &&
           summary->duration_max_ns >= query->duration_min_ns &&
           filter_may_match(&entry->filter, query);
}

static int compare_candidates(const void *left, const void *right)
{
    const struct block_candidate *a = left, *b = right;
    if (a->start_max_ns != b->start_max_ns)
        return a->start_max_ns > b->start_max_ns ? -1 : 1;
    return a->id > b->id ? -1 : a->id < b->id;
}

int directory_find_candidates(struct directory *self, const struct store_query *query,
                              struct block_candidate **ret_blocks, size_t *ret_n)
{
    pthread_mutex_lock(&self->mutex);
    struct block_candidate *blocks =
        ftri_alloc_array(self->n_entries - self->n_gone, sizeof *blocks);
    size_t n = 0;
    for (size_t i = self->n_gone; blocks && i < self->n_entries; i++) {
        const struct block_entry *block = &self->entries[i].block;
        if (may_match(&self->entries[i], query))
            blocks[n++] = (struct block_candidate){block->id, block->summary.start_max_ns};
    }
    pthread_mutex_unlock(&self->mutex);
    if (!blocks)
        return -ENOMEM;
    qsort(blocks, n, sizeof *blocks, compare_candidates);
    *ret_blocks = blocks;
    *ret_n = n;
    return 0;
}

void directory_count(struct directory *self, struct store_statistics *ret_statistics)
{
    pthread_mutex_lock(&self->mutex);
    ret_statistics->n_blocks = self->n_entries - self->n_gone;
    ret_statistics->n_block_spans = self->n_spans;
    ret_statistics->n_bytes = self->n_bytes;
    pthread_mutex_unlock(&self->mutex);
}
