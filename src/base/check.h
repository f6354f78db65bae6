/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiler attributes and the few macros every floor may use. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The result must be looked at: 0 done; < 0 a negated errno, forwarded unchanged;
 * > 0 a named outcome from the callee's header, handled by the caller. */
#define FTRI_MUST_CHECK __attribute__((warn_unused_result))
#define FTRI_CLEANUP(function) __attribute__((cleanup(function)))
#define FTRI_PRINTF(template, first) __attribute__((__format__(__printf__, template, first)))
#define FTRI_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define FTRI_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define FTRI_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FTRI_CONTAINER(pointer, type, member)                                                      \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define FTRI_ALWAYS_INLINE inline __attribute__((always_inline))
#define FTRI_UNUSED __attribute__((unused))

static inline size_t ftri_size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t ftri_size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}
