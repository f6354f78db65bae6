/* SPDX-License-Identifier: Apache-2.0
 *
 * What blocks there are, in memory, so that most need not be opened for a question: for each its
 * summary, a filter of its names, the hashes of its trace ids and of those that it mentions.
 *
 * 256 blocks in a row become a segment: their hashes in one sorted array an index, of
 *
 *     upper 56 bits of the hash << 8 | number of the block in the segment
 *
 * so that looking for a trace costs one search a segment; the blocks behind the last segment are
 * searched one by one. A segment goes when all its blocks are gone.
 *
 * Any thread may ask; only the writer changes. Positions count blocks from the first that was ever
 * added; they rise with the ids. */
#pragma once

#include "store/database.h"
#include "store/filter.h"

#include <pthread.h>

enum directory_index { DIRECTORY_TRACES, DIRECTORY_MENTIONS, N_DIRECTORY_INDEXES };

struct directory_entry {
    struct block_entry block;
    struct filter filter;
    struct ftri_bytes hashes[N_DIRECTORY_INDEXES]; /* empty once they are in a segment */
    bool is_damaged; /* a piece did not decode: only retention looks at it */
};

struct segment_keys {
    uint64_t *keys;
    size_t n_keys;
};

struct segment {
    struct segment_keys of[N_DIRECTORY_INDEXES];
    uint64_t first; /* position */
};

struct directory {
    pthread_mutex_t mutex;
    struct directory_entry *entries;
    size_t n_entries, capacity;
    size_t n_gone;           /* at the front of entries */
    uint64_t first_position; /* of entries[0] */
    struct segment *segments;
    size_t n_segments, segment_capacity;
    uint64_t n_bytes, n_spans; /* of what is not gone */
};

void directory_init(struct directory *self);
void directory_deinit(struct directory *self);
/* The pieces are unpacked; hashes are taken over. On failure the caller keeps all. Names NULL: the
 * block is damaged. */
int directory_entry_init(struct directory_entry *self, const struct block_entry *block,
                         const struct ftri_view *names,
                         struct ftri_bytes hashes[N_DIRECTORY_INDEXES]) FTRI_MUST_CHECK;
void directory_entry_deinit(struct directory_entry *self);
/* After this, adding n entries cannot fail. */
int directory_reserve(struct directory *self, size_t n) FTRI_MUST_CHECK;
/* Takes the entry over. */
void directory_add(struct directory *self, const struct directory_entry *entry);

/* The oldest block and what all take; false when there is none. */
bool directory_oldest(struct directory *self, struct block_entry *ret_block, uint64_t *ret_n_bytes);
void directory_remove_oldest(struct directory *self);

/* Ids of the blocks that may hold (or mention) a trace; *ret_ids is freed by the caller. */
int directory_find_trace(struct directory *self, enum directory_index index,
                         const uint8_t trace_id[16], int64_t **ret_ids,
                         size_t *ret_n) FTRI_MUST_CHECK;
/* In how many blocks it may be. */
size_t directory_count_trace(struct directory *self, const uint8_t trace_id[16]);

struct block_candidate {
    int64_t id;
    uint64_t start_max_ns;
};
/* Blocks that may match a query, newest start first; *ret_blocks is freed by the caller. */
int directory_find_candidates(struct directory *self, const struct store_query *query,
                              struct block_candidate **ret_blocks, size_t *ret_n) FTRI_MUST_CHECK;
void directory_count(struct directory *self, struct store_statistics *ret_statistics);
