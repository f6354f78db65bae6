/* SPDX-License-Identifier: Apache-2.0
 *
 * The bounds of explicit histograms: bucket i holds what is above bound i - 1 and not above bound
 * i; the last one, what is above all. Immutable after init; any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum { FTRI_BOUNDS_MAX = 128 };

struct ftri_bounds {
    double values[FTRI_BOUNDS_MAX];
    uint64_t
        ns[FTRI_BOUNDS_MAX + 2]; /* the same in whole nanoseconds, and behind them the largest */
    uint8_t first[65];           /* by bit length: the lowest bucket of such a duration */
    size_t n;
};

/* Finite, rising, not too many. */
bool ftri_bounds_are_valid(const double *values, size_t n);
/* Valid bounds, in units of ns_per_unit nanoseconds; whole nanoseconds are the nearest ones. */
void ftri_bounds_init(struct ftri_bounds *self, const double *values, size_t n, double ns_per_unit);
size_t ftri_bounds_find(const struct ftri_bounds *self, double value);

/* Most octaves hold two bounds at most: two steps from where the octave begins, without a branch
 * that could be guessed wrong. */
static inline size_t ftri_bounds_find_ns(const struct ftri_bounds *self, uint64_t ns)
{
    size_t i = self->first[ns ? 64 - __builtin_clzll(ns) : 0];
    i += ns > self->ns[i];
    i += ns > self->ns[i];
    while (FTRI_UNLIKELY(ns > self->ns[i]))
        i++;
    return i;
}
