/* SPDX-License-Identifier: Apache-2.0
 *
 * Base-2 exponential histograms (OpenTelemetry metrics data model, "ExponentialHistogram") of
 * values from 0 on. At scale s bucket i holds what is above 2^(i / 2^s) and not above
 * 2^((i + 1) / 2^s); zeros are counted apart. There are at most 160 buckets: a value that would
 * need more halves the scale's resolution, as often as it takes, and no count is lost.
 *
 * Indexes are exact, also next to a bound: the 1024 bounds of one octave at the finest scale are
 * known as the first double above each. One thread at a time. */
#pragma once

#include "base/check.h"

enum { FTRI_EXPONENTIAL_BUCKETS = 160, FTRI_EXPONENTIAL_SCALE_MAX = 10 };

struct ftri_exponential {
    int32_t scale;
    int32_t offset; /* index of counts[0] */
    uint32_t n_counts;
    uint64_t zero_count;
    uint64_t counts[FTRI_EXPONENTIAL_BUCKETS];
};

void ftri_exponential_init(struct ftri_exponential *self);
/* n times a value that is finite and not negative. */
void ftri_exponential_add(struct ftri_exponential *self, double value, uint64_t n);
/* Adds the other's counts, at the coarser scale of the two, or one that is coarser still. */
void ftri_exponential_merge(struct ftri_exponential *self, const struct ftri_exponential *other);
uint64_t ftri_exponential_count(const struct ftri_exponential *self);

/* The bucket of a finite value above 0, at a scale up to the finest. */
int32_t ftri_exponential_index(double value, int32_t scale);
/* The largest double in the bucket; infinite where doubles end. */
double ftri_exponential_upper(int32_t index, int32_t scale);
