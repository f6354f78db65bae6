/* SPDX-License-Identifier: Apache-2.0
 *
 * What the program says about itself, by the OTEL_* variables. The main thread. */
#pragma once

#include "base/check.h"

struct ftri_error;

/* Of `run`: its graph's spans, and metrics. conventions: "": those of the environment. 0; -EINVAL:
 * the settings are wrong. */
int telemetry_start(const char *conventions, struct ftri_error *error) FTRI_MUST_CHECK;
/* Of `serve`: metrics, and only if OTEL_METRICS_EXPORTER asks for them, as what is set for
 * everybody may name this very collector; never spans, which it would take for its users'. */
int telemetry_start_metrics(struct ftri_error *error) FTRI_MUST_CHECK;
/* Delivers what is left; the graph has ended, but is still there. False: not within 5 s. True when
 * nothing was started. */
bool telemetry_stop(void);
