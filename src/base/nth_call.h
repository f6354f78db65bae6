/* SPDX-License-Identifier: Apache-2.0
 *
 * A seam's counter: makes the n-th call fail, once. Off, it costs a load and a branch. Any thread.
 */
#pragma once

#include "base/check.h"

#include <stdatomic.h>

/* All-zero: off, and nothing is counted. */
struct ftri_nth_call {
    _Atomic uint64_t fail_at;
    _Atomic uint64_t n_calls;
};

/* From now on call number n (1 is the next) fails; 0 switches off. */
static inline void ftri_nth_call_set(struct ftri_nth_call *self, uint64_t n)
{
    atomic_store(&self->n_calls, 0);
    atomic_store(&self->fail_at, n);
}

/* Counts a call; true when it is the one that has to fail. */
static inline bool ftri_nth_call_fails(struct ftri_nth_call *self)
{
    if (FTRI_LIKELY(atomic_load_explicit(&self->fail_at, memory_order_relaxed) == 0))
        return false;
    const uint64_t n = atomic_fetch_add(&self->n_calls, 1) + 1;
    return n == atomic_load(&self->fail_at);
}
