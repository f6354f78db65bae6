/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics as text that Prometheus scrapes: its own format 0.0.4, or OpenMetrics 1.0, which alone
 * has exemplars and units. Exponential histograms are written as explicit ones, a bound for each of
 * their buckets that is not empty. One thread at a time. */
#pragma once

#include "base/bytes.h"

struct ftri_metric;
struct ftri_metric_sink;

struct ftri_metric_text {
    struct ftri_bytes *out;
    bool is_openmetrics;
    const struct ftri_metric *metric; /* the family's */
    struct ftri_bytes name;           /* the same */
    struct ftri_bytes labels;         /* of a point */
    size_t n_points;
};

void ftri_metric_text_init(struct ftri_metric_text *self, struct ftri_bytes *out,
                           bool is_openmetrics);
void ftri_metric_text_deinit(struct ftri_metric_text *self);
/* Appends to out what is given to it. */
struct ftri_metric_sink ftri_metric_text_sink(struct ftri_metric_text *self);
/* First: the resource, as target_info. */
int ftri_metric_text_target(struct ftri_metric_text *self, const ftr_attribute *resource,
                            size_t n_resource) FTRI_MUST_CHECK;
/* Last. */
int ftri_metric_text_end(struct ftri_metric_text *self) FTRI_MUST_CHECK;
