/* SPDX-License-Identifier: Apache-2.0
 *
 * The immutable part of a context, shared by reference: tracestate, baggage, inherited fields, the
 * finish callback, the debug flag of B3 and Jaeger. A context that has none of them has no block.
 * Atomic reference count; any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/context.h>
#include <string.h>

struct ftr_span;

typedef void (*ftri_finish)(void *state, struct ftr_span span);

struct ftr_context_block {
    _Atomic uint32_t n_refs;
    uint32_t tracestate_len;
    uint32_t baggage_len;
    uint32_t fields_len;
    uint32_t n_fields;
    bool is_debug;
    ftri_finish finish; /* NULL: none */
    void *finish_state;
    ftri_finish user_finish; /* of user spans; NULL: none */
    void *user_finish_state;
    char text[]; /* tracestate, NUL, baggage, NUL, fields */
};

/* Borrowed texts. */
struct ftri_context_parts {
    ftr_str tracestate;
    ftr_str baggage; /* as baggage.h normalises it */
    ftr_str fields;  /* as fields.h encodes them */
    bool is_debug;
    ftri_finish finish;
    void *finish_state;
    ftri_finish user_finish;
    void *user_finish_state;
};

/* Of a context without block: empty texts. */
struct ftri_context_parts ftri_context_parts(const ftr_context *context);
/* Gives the context these parts, which may be some of its own. False: memory is short and the
 * context is as it was. */
bool ftri_context_set_parts(ftr_context *context, const struct ftri_context_parts *parts);
/* NULL is fine. Returns its argument. */
struct ftr_context_block *ftri_context_block_ref(struct ftr_context_block *self);
void ftri_context_block_unref(struct ftr_context_block *self);

static inline ftr_str ftri_context_block_tracestate(const struct ftr_context_block *self)
{
    return (ftr_str){self->text, self->tracestate_len};
}

static inline ftr_str ftri_context_block_fields(const struct ftr_context_block *self)
{
    return (ftr_str){self->text + self->tracestate_len + self->baggage_len + 2, self->fields_len};
}

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

/* ---- leaving the process ---- */

/* Who is told that a context is about to be written for another process: one function, or none.
 * Called by the thread that writes; set by any thread. */
typedef void ftri_leaving(const ftr_span_context *span);
extern ftri_leaving *_Atomic ftri_context_leaving;

static inline void ftri_context_leaves(const ftr_span_context *span)
{
    ftri_leaving *listener = __atomic_load_n(&ftri_context_leaving, __ATOMIC_RELAXED);
    if (listener)
        listener(span);
}

/* ftr_traceparent_format without telling: for what stays here, or was told of already. */
bool ftri_traceparent_write(const ftr_span_context *span, char ret_text[FTR_TRACEPARENT_LEN + 1]);
/* The same with all flags. */
bool ftri_traceparent_write_all(const ftr_span_context *span,
                                char ret_text[FTR_TRACEPARENT_LEN + 1]);
