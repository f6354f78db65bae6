/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is told that a context is written for another process: one function, or none. Called by the
 * thread that writes, before it does. Any thread may set it. */
#pragma once

#include <flowtrace/context.h>
#include <stdatomic.h>

typedef void ftri_leaving(const ftr_span_context *span);

extern ftri_leaving *_Atomic ftri_context_leaving;

/* ftr_traceparent_format without telling: for what stays here, or was told of already. */
bool ftri_traceparent_write(const ftr_span_context *span, char ret_text[FTR_TRACEPARENT_LEN + 1]);

static inline void ftri_context_leaves(const ftr_span_context *span)
{
    ftri_leaving *told = atomic_load_explicit(&ftri_context_leaving, memory_order_relaxed);
    if (told)
        told(span);
}
