/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of span metrics, for span_metrics.c, which counts, and span_snapshot.c, which reads.
 * Settings never change after new; of a series neither does what names it. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "metrics/bounds.h"
#include "metrics/span_metrics.h"
#include "metrics/span_series.h"
#include "metrics/span_slabs.h"

struct ftri_span_slot {
    uint64_t hash;
    struct ftri_span_series *series; /* NULL: empty */
};

struct ftri_span_metrics {
    struct ftri_span_slot *slots;
    size_t n_slots; /* power of two */
    uint64_t n_overflowing;
    struct ftri_span_series *overflow;
    struct ftri_span_series **series; /* in the order of their first spans */
    size_t n_series;
    struct ftri_map services;                /* struct ftri_span_service by name */
    const struct ftri_span_service *service; /* the last one; never NULL */
    struct ftri_span_service nobody;
    struct ftri_span_slabs slabs; /* of series */
    struct ftri_arena arena;      /* owns services, names and exemplars */

    uint64_t start_ns;
    double ns_per_unit;
    bool is_in_ms;
    uint32_t series_max;
    struct ftri_span_shape shape;
    size_t n_dimensions;
    ftr_str dimensions[FTRI_SPAN_DIMENSIONS_MAX];
    struct ftri_bounds bounds;
};
