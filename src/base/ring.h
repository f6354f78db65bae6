/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded queue of pointers between two threads: one puts, one takes, neither waits for the
 * other. What was written before a put is seen after the take. All operations are sequentially
 * consistent, so that "full" or "empty" may be followed by a flag that the other side reads after
 * its own operation: one of the two sees the other. */
#pragma once

#include "base/check.h"

#include <stdatomic.h>

struct ftri_ring {
    _Atomic(void *) *slots;
    size_t capacity;
    _Atomic size_t n_put, n_taken; /* each written by one side alone */
};

/* 0 or -ENOMEM. capacity > 0. */
int ftri_ring_init(struct ftri_ring *self, size_t capacity) FTRI_MUST_CHECK;
/* Of one that is empty, or whose entries somebody else knows. All zero is fine. */
void ftri_ring_deinit(struct ftri_ring *self);
/* False: it is full. */
bool ftri_ring_put(struct ftri_ring *self, void *entry);
/* NULL: it is empty. */
void *ftri_ring_take(struct ftri_ring *self);
/* For the side that puts: there is room, and will be until it puts. */
bool ftri_ring_has_room(const struct ftri_ring *self);
/* For the side that puts: how many are in it, at most; the other side may take at any time. */
size_t ftri_ring_count(const struct ftri_ring *self);
/* For the side that takes. */
bool ftri_ring_is_empty(const struct ftri_ring *self);
