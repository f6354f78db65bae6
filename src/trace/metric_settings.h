/* SPDX-License-Identifier: Apache-2.0
 *
 * How a session counts spans and where it sends the counts: the caller's configuration over the
 * environment over the defaults. Texts and numbers lie in the arena of the session's settings. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftr_config;
struct ftri_arena;
struct ftri_error;

struct ftri_metric_settings {
    bool is_off;
    bool is_exact;
    bool is_exponential;
    bool is_in_ms;
    bool is_exported;   /* to the caller's exporters */
    bool wants_otlp;    /* by the environment */
    bool wants_console; /* by the environment */
    bool is_implied;    /* nobody asked for the metrics: an endpoint is set */
    uint8_t filter;     /* ftr_exemplar_filter, not FTR_EXEMPLARS_BY_ENVIRONMENT */
    uint32_t series_max;
    const ftr_str *dimensions;
    size_t n_dimensions;
    const double *bounds;
    size_t n_bounds;
    uint64_t interval_ns;
    uint64_t timeout_ns;
};

/* 0; -ENOMEM; -EINVAL with error saying which setting is wrong. */
int ftri_metric_settings_init(struct ftri_metric_settings *self, const struct ftr_config *config,
                              struct ftri_arena *arena, struct ftri_error *error) FTRI_MUST_CHECK;
