/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks of one size in whole cache lines, which stay where they are until all go. Many of them lie
 * in huge pages: who looks at one of many at random waits for no page table. One thread at a time.
 */
#pragma once

#include "base/check.h"

struct ftri_span_slab;

struct ftri_span_slabs {
    struct ftri_span_slab *last;
    size_t slab_bytes; /* of the last one */
    size_t n_left;     /* blocks in it */
    size_t block_bytes;
};

void ftri_span_slabs_init(struct ftri_span_slabs *self, size_t block_bytes);
void ftri_span_slabs_deinit(struct ftri_span_slabs *self);
/* Zeroed; NULL: memory is short. */
void *ftri_span_slabs_take(struct ftri_span_slabs *self) FTRI_MUST_CHECK;
/* The block that was taken last; once. */
void ftri_span_slabs_give_back(struct ftri_span_slabs *self);
