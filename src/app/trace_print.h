/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/check.h"

struct ftri_otlp_span;

/* One trace as a tree on stdout. */
int trace_print(const struct ftri_otlp_span *spans, size_t n_spans, size_t columns) FTRI_MUST_CHECK;
