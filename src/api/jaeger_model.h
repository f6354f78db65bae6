/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans as the JSON of Jaeger's legacy API (docs/jaeger-api.md): times in microseconds, a process
 * for each resource, the parent as CHILD_OF, links as FOLLOWS_FROM, events as logs. Sans-I/O, any
 * thread. */
#pragma once

#include "base/check.h"

struct ftri_json_writer;
struct ftri_otlp_span;

/* Writes one trace object: spans of one trace (at least one), in the order given. warning: of the
 * whole trace; NULL: none. Failures of the output stick to the writer; -ENOMEM of our own is
 * returned. */
int jaeger_write_trace(struct ftri_json_writer *json, const struct ftri_otlp_span *spans, size_t n,
                       const char *warning) FTRI_MUST_CHECK;
