/* SPDX-License-Identifier: Apache-2.0 */
#include "context/block.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>

struct ftr_context_block *ftri_context_block_new(ftr_str tracestate)
{
    if (tracestate.len > UINT32_MAX)
        return NULL;
    struct ftr_context_block *self = ftri_alloc(sizeof *self + tracestate.len + 1);
    if (!self)
        return NULL;
    atomic_init(&self->n_refs, 1);
    self->tracestate_len = (uint32_t)tracestate.len;
    if (tracestate.len)
        memcpy(self->tracestate, tracestate.data, tracestate.len);
    self->tracestate[tracestate.len] = '\0';
    return self;
}

struct ftr_context_block *ftri_context_block_ref(struct ftr_context_block *self)
{
    if (self)
        atomic_fetch_add_explicit(&self->n_refs, 1, memory_order_relaxed);
    return self;
}

void ftri_context_block_unref(struct ftr_context_block *self)
{
    if (self && atomic_fetch_sub_explicit(&self->n_refs, 1, memory_order_acq_rel) == 1)
        ftri_free(self);
}

ftr_context ftr_context_copy(const ftr_context *context)
{
    ftr_context copy = *context;
    ftri_context_block_ref(copy.block);
    return copy;
}

void ftr_context_release(ftr_context *context)
{
    ftri_context_block_unref(context->block);
    *context = FTR_CONTEXT_NONE;
}

ftr_str ftr_context_tracestate(const ftr_context *context)
{
    if (!context->block)
        return (ftr_str){"", 0};
    return (ftr_str){context->block->tracestate, context->block->tracestate_len};
}
