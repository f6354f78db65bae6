/* SPDX-License-Identifier: Apache-2.0
 *
 * Many small blocks with one lifetime. Memory comes in chunks that double up to 64 KiB; a block
 * larger than a chunk gets its own. Everything is returned by one ftri_arena_deinit.
 * One thread at a time. The limit given at init bounds all chunks together; beyond it, and when
 * memory is short, NULL. Blocks are aligned to 8 bytes and not zeroed. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_arena_chunk;

struct ftri_arena {
    struct ftri_arena_chunk *chunks; /* newest first */
    char *next;                      /* free room of the newest chunk */
    char *end;
    size_t n_bytes; /* all chunks together */
    size_t limit;
};

void ftri_arena_init(struct ftri_arena *self, size_t limit_bytes);
void ftri_arena_deinit(struct ftri_arena *self);
/* Returns all memory but keeps the limit. */
void ftri_arena_reset(struct ftri_arena *self);
void *ftri_arena_alloc(struct ftri_arena *self, size_t size) FTRI_MUST_CHECK;
/* A copy followed by a NUL that .len does not count; .data is NULL when memory is short. */
ftr_str ftri_arena_copy(struct ftri_arena *self, ftr_str text) FTRI_MUST_CHECK;
