/* SPDX-License-Identifier: Apache-2.0
 *
 * The immutable part of a context, shared by reference: for now the tracestate.
 * Atomic reference count; any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/context.h>
#include <string.h>

struct ftr_context_block {
    _Atomic uint32_t n_refs;
    uint32_t tracestate_len;
    char tracestate[]; /* followed by a NUL */
};

/* One reference; NULL when memory is short. */
struct ftr_context_block *ftri_context_block_new(ftr_str tracestate) FTRI_MUST_CHECK;
/* NULL is fine. Returns its argument. */
struct ftr_context_block *ftri_context_block_ref(struct ftr_context_block *self);
void ftri_context_block_unref(struct ftr_context_block *self);

static inline bool ftri_context_has_ids(const ftr_context *context)
{
    uint64_t ids[3];
    _Static_assert(offsetof(ftr_context, span.trace_flags) == sizeof ids, "ids come first");
    memcpy(ids, context, sizeof ids);
    return (ids[0] | ids[1]) != 0 && ids[2] != 0;
}

/* Sampled, valid, and nothing to hold a reference to. */
static inline bool ftri_context_is_plain(const ftr_context *context)
{
    return (context->span.trace_flags & FTR_TRACE_FLAG_SAMPLED) && !context->block &&
           ftri_context_has_ids(context);
}
