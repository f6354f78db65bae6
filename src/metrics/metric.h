/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics on their way out, whoever counted them: families of points, cumulative since start_ns
 * unless a sum says otherwise (OpenTelemetry metrics data model). Everything is borrowed for the
 * call. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum ftri_metric_kind { FTRI_METRIC_SUM, FTRI_METRIC_HISTOGRAM, FTRI_METRIC_EXPONENTIAL };

/* DELTA: what came between start_ns and time_ns. LEVEL: what there is at time_ns. */
enum ftri_sum { FTRI_SUM_CUMULATIVE, FTRI_SUM_DELTA, FTRI_SUM_LEVEL };

/* A family; valid until the next. Names are OpenTelemetry's; the text writer makes Prometheus' of
 * them. */
struct ftri_metric {
    ftr_str scope; /* who counts, and its version: static text; empty: the program */
    ftr_str scope_version;
    ftr_str name;
    ftr_str help;
    ftr_str unit; /* of UCUM: "s", "ms", "{call}" */
    enum ftri_metric_kind kind;
    enum ftri_sum sum;    /* of SUM */
    bool is_fractional;   /* of SUM: a point's value is its sum, not its count */
    const double *bounds; /* of HISTOGRAM: upper bounds, inclusive, without the infinite one */
    size_t n_bounds;
};

/* One measurement, and the span that it was taken in. */
struct ftri_exemplar {
    double value;
    uint64_t time_ns;
    ftr_trace_id trace_id;
    ftr_span_id span_id;
};

struct ftri_metric_point {
    const ftr_attribute *attributes;
    size_t n_attributes;
    uint64_t start_ns;
    uint64_t time_ns;
    uint64_t count; /* of SUM: the value, unless it is fractional */
    double sum;
    /* HISTOGRAM: n_bounds + 1 of them. EXPONENTIAL: of the buckets from `offset` on. */
    const uint64_t *counts;
    size_t n_counts;
    int32_t scale;
    int32_t offset;
    uint64_t zero_count;
    const struct ftri_exemplar *exemplars; /* at most one a bucket */
    size_t n_exemplars;
};

/* Takes families, each followed by its points. 0 or a negated errno, which ends it. */
struct ftri_metric_sink {
    int (*family)(void *argument, const struct ftri_metric *metric);
    int (*point)(void *argument, const struct ftri_metric_point *point);
    void *argument;
};
