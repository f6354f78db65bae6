/* SPDX-License-Identifier: Apache-2.0
 *
 * One series of span metrics: what names it never changes, what it counts is its table's. Both lie
 * in the table's slabs and arena. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_exemplar;
struct ftri_exponential;
struct ftri_span_view;

/* 2^64 ns are 584 years, and spans add up; aligned as the arena aligns. */
__extension__ typedef unsigned __int128 ftri_ns_sum __attribute__((aligned(8)));

/* A slot of an exponential histogram holds what is the last of several buckets. */
enum { FTRI_SPAN_EXPONENTIAL_EXEMPLARS = 16 };

struct ftri_span_service {
    ftr_str name;
    uint64_t hash;
};

/* In one cache line what it is, in the next what it counts: finding a series and counting in it
 * touches two, unless its name is long or the bucket one of the last. */
struct ftri_span_series {
    const struct ftri_span_service *service;
    uint32_t traits;
    uint32_t name_len;
    const char *long_name; /* NULL: the name is in short_name */
    ftr_value *dimensions;
    char short_name[32];

    ftri_ns_sum sum_ns;
    struct ftri_exemplar *exemplars; /* time_ns 0: none yet; or NULL */
    uint32_t rest;                   /* what fractions added up to, in 1 / 2^32 */
    uint32_t counts[];               /* of each bucket the lower half, behind them the upper ones */
};

/* Counts what has no series: nothing that names it is set. */
enum { FTRI_SPAN_IS_OVERFLOW = 1 << 24 };

/* Kind, status and whether it is an estimate. */
static inline uint32_t ftri_span_traits(uint8_t kind, uint8_t status, bool is_estimated)
{
    return (uint32_t)kind << 16 | (uint32_t)status << 8 | is_estimated;
}

/* Stands in place of the counts, where there are no buckets. */
static inline struct ftri_exponential *ftri_span_exponential(const struct ftri_span_series *self)
{
    return (struct ftri_exponential *)(((uintptr_t)self->counts + 7) & ~(uintptr_t)7);
}

static inline void ftri_span_add(struct ftri_span_series *self, size_t n_buckets, size_t bucket,
                                 uint64_t n)
{
    const uint64_t sum = self->counts[bucket] + (n & UINT32_MAX);
    const uint64_t upper = (n >> 32) + (sum >> 32);
    self->counts[bucket] = (uint32_t)sum;
    if (FTRI_UNLIKELY(upper))
        self->counts[n_buckets + bucket] += (uint32_t)upper;
}

static inline uint64_t ftri_span_count(const struct ftri_span_series *self, size_t n_buckets,
                                       size_t bucket)
{
    return (uint64_t)self->counts[n_buckets + bucket] << 32 | self->counts[bucket];
}

static inline ftr_str ftri_span_name(const struct ftri_span_series *self)
{
    return (ftr_str){self->long_name ? self->long_name : self->short_name, self->name_len};
}

/* The limits of the arena: a series with its name. */
struct ftri_span_shape {
    size_t n_dimensions;
    size_t n_buckets; /* 0: exponential */
    size_t n_exemplars;
};

struct ftri_arena;
struct ftri_span_slabs;

/* Bytes of a block of the slabs. */
size_t ftri_span_series_size(const struct ftri_span_shape *shape);
/* Texts are copied, the service is borrowed; NULL: memory is short, or the arena is full. Texts
 * that are long and exemplars, which are touched less often, lie apart: what is counted in stays
 * close together. */
struct ftri_span_series *ftri_span_series_new(struct ftri_arena *arena,
                                              struct ftri_span_slabs *slabs,
                                              const struct ftri_span_shape *shape,
                                              const struct ftri_span_service *service,
                                              const struct ftri_span_view *span) FTRI_MUST_CHECK;
