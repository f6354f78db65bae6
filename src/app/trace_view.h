/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans of an answer, in memory, grouped by trace. */
#pragma once

#include "otlp/view.h"

struct trace_view {
    struct ftri_otlp_span *spans; /* those of one trace are neighbours */
    size_t n_spans;
};

/* Borrows the bytes. */
int trace_view_init(struct trace_view *self, struct ftri_view otlp) FTRI_MUST_CHECK;
void trace_view_deinit(struct trace_view *self);
/* The spans of the next trace: *cursor starts at 0. 0 at the end. */
size_t trace_view_next(const struct trace_view *self, size_t *cursor,
                       const struct ftri_otlp_span **ret_spans);
