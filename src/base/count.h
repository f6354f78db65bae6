/* SPDX-License-Identifier: Apache-2.0
 *
 * A counter that one thread at a time counts and any may read. Not a read-modify-write: that would
 * wait until everything written before it has left the store buffer. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

static inline void ftri_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}
