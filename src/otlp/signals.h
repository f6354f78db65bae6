/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests of the other two signals: ExportLogsServiceRequest and ExportMetricsServiceRequest
 * (opentelemetry-proto 1.x: logs.proto, metrics.proto). Sans-I/O, any thread.
 *
 * Both walk every field of every message, as ftri_otlp_traces_check does and with the same rules
 * for unknown and repeated fields, within the limits of values and attributes. 0, or -EBADMSG with
 * ret_error filled. Repeated numbers may be packed or not. A log record's trace id or span id of
 * any other length is no error: the protocol wants it read as none. */
#pragma once

#include "base/bytes.h"

struct ftri_otlp_error;
struct ftri_otlp_limits;

int ftri_otlp_logs_check(struct ftri_view bytes, const struct ftri_otlp_limits *limits,
                         size_t *ret_n_records, struct ftri_otlp_error *ret_error) FTRI_MUST_CHECK;
/* Counts data points: of gauges, sums, histograms, exponential histograms and summaries. */
int ftri_otlp_metrics_check(struct ftri_view bytes, const struct ftri_otlp_limits *limits,
                            size_t *ret_n_points,
                            struct ftri_otlp_error *ret_error) FTRI_MUST_CHECK;
