/* SPDX-License-Identifier: Apache-2.0
 *
 * How a term of an account changes: by these functions alone (a lint holds that). Each of their
 * calls has a name, "function: term", listed in base/fault.c, so that tests/simulate can leave out
 * one after the other: a run has to notice. */
#pragma once

#include "base/fault.h"

/* A term has one writer, the graph's thread, and readers on others: metrics are read at any time.
 */
static inline uint64_t count_read(const uint64_t *term)
{
    return __atomic_load_n(term, __ATOMIC_RELAXED);
}

static inline void count_set(uint64_t *term, uint64_t value)
{
    __atomic_store_n(term, value, __ATOMIC_RELAXED);
}

static inline void account_add(const char *statement, uint64_t *term, uint64_t n)
{
    if (!FTRI_FAULT_SKIPS(statement))
        count_set(term, *term + n);
}

static inline void account_take(const char *statement, uint64_t *term, uint64_t n)
{
    if (!FTRI_FAULT_SKIPS(statement))
        count_set(term, *term - n);
}

static inline void account_raise(const char *statement, uint64_t *term, uint64_t n)
{
    if (n > *term && !FTRI_FAULT_SKIPS(statement))
        count_set(term, n);
}
