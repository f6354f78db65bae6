/* SPDX-License-Identifier: Apache-2.0
 *
 * A trace in one line of a search (jaeger-idl, api_v3 TraceSummary, proto3 JSON). Sans-I/O, any
 * thread. */
#pragma once

#include "base/check.h"

struct ftri_json_writer;
struct ftri_otlp_span;

/* spans: all of one trace, at least one. Failures of the output stick to the writer; -ENOMEM of our
 * own is returned. */
int summary_write(struct ftri_json_writer *json, const struct ftri_otlp_span *spans,
                  size_t n) FTRI_MUST_CHECK;
