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

/* Compilers make three instructions of the relaxed store, and read again what lies around it. One
 * does: no other writer can come in between, so it need not be locked. Sanitizers do not see it. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
static inline void count_add(uint64_t *term, uint64_t n)
{
    __asm__("addq %1, %0" : "+m"(*term) : "er"(n) : "cc");
}

static inline void count_take(uint64_t *term, uint64_t n)
{
    __asm__("subq %1, %0" : "+m"(*term) : "er"(n) : "cc");
}
#else
static inline void count_add(uint64_t *term, uint64_t n)
{
    count_set(term, *term + n);
}

static inline void count_take(uint64_t *term, uint64_t n)
{
    count_set(term, *term - n);
}
#endif

/* Of something new, which nobody else sees yet. */
static inline void account_begin(uint64_t *term)
{
    *term = 0;
}

static inline void account_add(const char *statement, uint64_t *term, uint64_t n)
{
    if (!FTRI_FAULT_SKIPS(statement))
        count_add(term, n);
}

static inline void account_take(const char *statement, uint64_t *term, uint64_t n)
{
    if (!FTRI_FAULT_SKIPS(statement))
        count_take(term, n);
}

static inline void account_raise(const char *statement, uint64_t *term, uint64_t n)
{
    if (n > *term && !FTRI_FAULT_SKIPS(statement))
        count_set(term, n);
}
