/* SPDX-License-Identifier: Apache-2.0
 *
 * What is measured of nodes, edges and paths for metrics, beside the accounts: histograms, times.
 * Counted on the graph's thread, whatever is recorded of the same; read on any, each term by
 * itself. Times are in ns, sizes in items. */
#pragma once

#include "engine/count.h"
#include "metrics/bounds.h"

enum {
    METER_TIME_BOUNDS = 24,
    METER_SIZE_BOUNDS = 17, /* powers of two */
    METER_BUCKETS = METER_TIME_BOUNDS + 1,
    METER_OUTCOMES = 4, /* index: ftr_outcome */
    METER_CONTROLS = 10 /* index: enum control_kind */
};

/* Why a batch did not move: in a node that keeps it, for its next try. */
enum meter_delay { METER_DELAY_HOLD, METER_DELAY_RETRY, METER_DELAYS };
enum meter_result { METER_RESULT_DONE, METER_RESULT_IGNORED, METER_RESULT_FAILED, METER_RESULTS };

struct meter_times {
    uint64_t sum_ns;
    uint64_t counts[METER_BUCKETS];
};

struct meter_sizes { /* their sum is in the accounts */
    uint64_t counts[METER_SIZE_BOUNDS + 1];
};

struct node_meter {
    struct meter_sizes received, emitted; /* batches */
    struct meter_times work[METER_OUTCOMES];
    uint64_t delay_ns[METER_DELAYS];
    uint64_t controls[METER_CONTROLS][METER_RESULTS];
    uint64_t busy; /* see meter_busy_ns */
    uint64_t n_working;
    uint64_t busy_told_ns; /* the most that readers were told; theirs */
};

struct edge_meter {
    struct meter_times wait;
    uint64_t depth; /* batches in the channel, or waiting for room in it */
    uint64_t blocked_ns;
};

struct path_meter {
    struct meter_times duration[METER_OUTCOMES];
    uint64_t n_items[METER_OUTCOMES];
};

/* Upper bounds, in seconds and in items. */
extern const double meter_time_bounds[METER_TIME_BOUNDS];
extern const double meter_size_bounds[METER_SIZE_BOUNDS];
void meter_scale_init(struct ftri_bounds *self); /* of times */

static inline void meter_add(uint64_t *term, uint64_t n)
{
    count_add(term, n);
}

static inline void meter_take(uint64_t *term, uint64_t n)
{
    count_take(term, n);
}

static inline void meter_time(struct meter_times *self, const struct ftri_bounds *scale,
                              uint64_t ns)
{
    meter_add(&self->counts[ftri_bounds_find_ns(scale, ns)], 1);
    meter_add(&self->sum_ns, ns);
}

/* Bucket i: above 2^(i - 1) and not above 2^i. */
static inline void meter_size(struct meter_sizes *self, uint64_t n_items)
{
    const unsigned i = n_items > 1 ? 64 - (unsigned)__builtin_clzll(n_items - 1) : 0;
    meter_add(&self->counts[i < METER_SIZE_BOUNDS ? i : METER_SIZE_BOUNDS], 1);
}

/* Time in which at least one batch was worked on. One word says it all, so that a reader never sees
 * half: twice the time so far; or, while work goes on, twice the moment that it would have begun at
 * without a break, and 1. */
static inline void meter_begin_work(struct node_meter *self, uint64_t now_ns)
{
    if (self->n_working++ == 0)
        count_set(&self->busy, (now_ns - (self->busy >> 1)) << 1 | 1);
}

static inline void meter_end_work(struct node_meter *self, uint64_t now_ns)
{
    if (--self->n_working == 0)
        count_set(&self->busy, (now_ns - (self->busy >> 1)) << 1);
}

/* Any thread; never less than it was told before, though `now` may be before work began. */
uint64_t meter_busy_ns(struct node_meter *self, uint64_t now_ns);
/* As read; returns what they add up to. */
uint64_t meter_read(const uint64_t *counts, uint64_t *ret_counts, size_t n);
