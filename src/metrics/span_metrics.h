/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls, errors and durations of spans: traces.span.metrics.calls and .duration, a series for each
 * service, span name, kind, status and choice of attributes. Counts are exact: what is beyond the
 * cap on series is counted in one series otel.metric.overflow=true. Once a series exists nothing is
 * allocated for it. Library and collector count with this. One thread at a time. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_metric_sink;

enum { FTRI_SPAN_DIMENSIONS_MAX = 16, FTRI_SPAN_SERIES_STANDARD = 2000 };

struct ftri_span_metrics_settings {
    bool is_in_ms; /* else in seconds */
    bool is_exponential;
    bool has_exemplars;
    const double *bounds; /* n_bounds of them, valid; none and no n_bounds: the standard ones */
    size_t n_bounds;
    const ftr_str *dimensions; /* names of attributes, at most FTRI_SPAN_DIMENSIONS_MAX; borrowed */
    size_t n_dimensions;
    uint32_t series_max; /* with that of the overflow; 0: FTRI_SPAN_SERIES_STANDARD */
    uint64_t start_ns;
};

/* A span as it is counted. A span that was sampled with a probability stands for several: it is
 * `whole` and frac / 2^32 of them; fractions add up within a series. */
struct ftri_span_view {
    ftr_str service;
    ftr_str name;
    uint8_t kind;   /* ftr_span_kind */
    uint8_t status; /* ftr_span_status */
    bool is_estimated;
    uint32_t frac;
    uint64_t whole;
    uint64_t start_ns;
    uint64_t end_ns;
    const ftr_value *dimensions; /* as in the settings; text, boolean or number, all others: none */
    ftr_trace_id trace_id;
    ftr_span_id span_id;
};

struct ftri_span_metrics_counts {
    size_t n_series;        /* with that of the overflow */
    uint64_t n_overflowing; /* spans that it counted */
};

struct ftri_span_metrics;
struct ftri_span_series;
struct ftri_span_snapshot;

/* NULL: memory is short. */
struct ftri_span_metrics *
ftri_span_metrics_new(const struct ftri_span_metrics_settings *settings) FTRI_MUST_CHECK;
void ftri_span_metrics_free(struct ftri_span_metrics *self);

/* Where a span is counted: its own series, which stays where it is, or that of the overflow, which
 * a later span of the same kind may leave. */
bool ftri_span_series_is_own(const struct ftri_span_series *series);

/* Several spans, in as much time as the memory takes for all of them at once. series: of each where
 * it is known, else NULL; afterwards of all. */
enum { FTRI_SPAN_BATCH = 32 };
void ftri_span_metrics_observe_all(struct ftri_span_metrics *self,
                                   const struct ftri_span_view *spans,
                                   struct ftri_span_series **series, size_t n);
/* The span, observed before, in its series, is one that is kept: an example of its bucket. */
void ftri_span_metrics_offer_in(const struct ftri_span_metrics *self,
                                struct ftri_span_series *series, const struct ftri_span_view *span);
void ftri_span_metrics_offer(struct ftri_span_metrics *self, const struct ftri_span_view *span);
struct ftri_span_metrics_counts ftri_span_metrics_count(const struct ftri_span_metrics *self);

/* All counts of one moment. What it says is read from self, too, which must outlive it, but may go
 * on counting, on another thread. NULL: memory is short. */
struct ftri_span_snapshot *
ftri_span_snapshot_new(const struct ftri_span_metrics *self) FTRI_MUST_CHECK;
void ftri_span_snapshot_free(struct ftri_span_snapshot *self);
int ftri_span_snapshot_write(const struct ftri_span_snapshot *self, uint64_t now_ns,
                             const struct ftri_metric_sink *sink) FTRI_MUST_CHECK;
