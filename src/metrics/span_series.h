/* SPDX-License-Identifier: Apache-2.0
 *
 * One series of span metrics: what names it never changes, what it counts is its table's. Both lie
 * in the table's arena. */
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

/* One block: its buckets and then its texts stand behind it. */
struct ftri_span_series {
    ftri_ns_sum sum_ns;
    uint64_t rest; /* what fractions added up to, in 1 / 2^32 */
    uint32_t traits;
    bool is_overflow; /* counts what has no series: nothing that names it is set */
    const struct ftri_span_service *service;
    ftr_str name;
    ftr_value *dimensions;
    struct ftri_exemplar *exemplars;      /* time_ns 0: none yet; or NULL */
    struct ftri_exponential *exponential; /* or NULL, and these count: */
    uint64_t counts[];
};

/* Kind, status and whether it is an estimate. */
static inline uint32_t ftri_span_traits(uint8_t kind, uint8_t status, bool is_estimated)
{
    return (uint32_t)kind << 16 | (uint32_t)status << 8 | is_estimated;
}

/* The limits of the arena: a series with its name. */
struct ftri_span_shape {
    size_t n_dimensions;
    size_t n_buckets; /* 0: exponential */
    size_t n_exemplars;
};

struct ftri_arena;

/* Texts are copied, the service is borrowed; NULL: an arena is full. Exemplars, which are touched
 * less often, lie apart: what is counted in stays close together. */
struct ftri_span_series *ftri_span_series_new(struct ftri_arena *arena,
                                              struct ftri_arena *exemplars,
                                              const struct ftri_span_shape *shape,
                                              const struct ftri_span_service *service,
                                              const struct ftri_span_view *span) FTRI_MUST_CHECK;
