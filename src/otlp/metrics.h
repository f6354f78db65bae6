/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics to OTLP protobuf bytes (opentelemetry-proto 1.x, metrics.proto): one MetricsData, which
 * has the same bytes as an ExportMetricsServiceRequest. Sans-I/O, one thread at a time.
 * All: 0; -ENOMEM; -EMSGSIZE over the limit of out, which then holds a part of the message. */
#pragma once

#include "base/bytes.h"

struct ftri_metric;
struct ftri_metric_sink;

/* The messages that are open: where their bytes begin. */
struct ftri_otlp_metrics {
    struct ftri_bytes *out;
    const struct ftri_metric *metric; /* the family's */
    bool has_family;
    uint8_t kind; /* of the family, which is gone when the next one comes; so is sum */
    uint8_t sum;
    ftr_str scope_name;
    size_t n_points;
    size_t resource;
    size_t scope;
    size_t family;
    size_t data;
};

/* resource: the body of a Resource message, of otlp/encode.h. */
int ftri_otlp_metrics_begin(struct ftri_otlp_metrics *self, struct ftri_view resource,
                            struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Appends what is given to it; families of one scope in a row share a ScopeMetrics. */
struct ftri_metric_sink ftri_otlp_metrics_sink(struct ftri_otlp_metrics *self);
int ftri_otlp_metrics_end(struct ftri_otlp_metrics *self) FTRI_MUST_CHECK;
