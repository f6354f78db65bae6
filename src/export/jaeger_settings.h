/* SPDX-License-Identifier: Apache-2.0
 *
 * What OTEL_TRACES_SAMPLER_ARG says to jaeger_remote (OpenTelemetry specification, SDK environment
 * variables):
 *
 *     endpoint=http://host:port,pollingIntervalMs=60000,initialSamplingRate=0.001
 *
 * Each part may be missing; what then counts is above, with http://localhost:14250, as in
 * OpenTelemetry's samplers for Java and Go. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_error;

enum { FTRI_JAEGER_ENDPOINT_BYTES = 300 };

struct ftri_jaeger_settings {
    char endpoint[FTRI_JAEGER_ENDPOINT_BYTES]; /* no path, no user: may be shown */
    uint32_t interval_ms;                      /* from 1 */
    double initial_rate;                       /* until the first strategy has come */
};

/* 0, or -EINVAL: the error says which part is wrong, and *ret_settings are the defaults. */
int ftri_jaeger_settings_read(ftr_str argument, struct ftri_jaeger_settings *ret_settings,
                              struct ftri_error *error) FTRI_MUST_CHECK;
