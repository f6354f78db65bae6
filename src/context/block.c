/* SPDX-License-Identifier: Apache-2.0 */
#include "context/block.h"

#include "base/mem.h"
#include "context/fields.h"

#include <flowtrace/span.h>
#include <stdatomic.h>
#include <string.h>

static char *put_text(char *at, ftr_str text)
{
    if (text.len)
        memcpy(at, text.data, text.len);
    at[text.len] = '\0';
    return at + text.len + 1;
}

static struct ftr_context_block *new_block(const struct ftri_context_parts *parts)
{
    struct ftr_context_block *self = ftri_alloc(sizeof *self + parts->tracestate.len +
                                                parts->baggage.len + 2 + parts->fields.len);
    if (!self)
        return NULL;
    atomic_init(&self->n_refs, 1);
    self->tracestate_len = (uint32_t)parts->tracestate.len;
    self->baggage_len = (uint32_t)parts->baggage.len;
    self->fields_len = (uint32_t)parts->fields.len;
    self->n_fields = (uint32_t)ftri_fields_count(parts->fields);
    self->is_debug = parts->is_debug;
    self->finish = parts->finish;
    self->finish_state = parts->finish_state;
    self->user_finish = parts->user_finish;
    self->user_finish_state = parts->user_finish_state;
    char *fields = put_text(put_text(self->text, parts->tracestate), parts->baggage);
    if (parts->fields.len)
        memcpy(fields, parts->fields.data, parts->fields.len);
    return self;
}

struct ftri_context_parts ftri_context_parts(const ftr_context *context)
{
    const struct ftr_context_block *block = context->block;
    if (!block)
        return (struct ftri_context_parts){
            .tracestate = {"", 0}, .baggage = {"", 0}, .fields = {"", 0}};
    return (struct ftri_context_parts){
        .tracestate = ftri_context_block_tracestate(block),
        .baggage = {block->text + block->tracestate_len + 1, block->baggage_len},
        .fields = ftri_context_block_fields(block),
        .is_debug = block->is_debug,
        .finish = block->finish,
        .finish_state = block->finish_state,
        .user_finish = block->user_finish,
        .user_finish_state = block->user_finish_state,
    };
}

bool ftri_context_set_parts(ftr_context *context, const struct ftri_context_parts *parts)
{
    const bool is_empty = !parts->tracestate.len && !parts->baggage.len && !parts->fields.len &&
                          !parts->is_debug && !parts->finish && !parts->user_finish;
    struct ftr_context_block *block = is_empty ? NULL : new_block(parts);
    if (!block && !is_empty)
        return false;
    ftri_context_block_unref(context->block);
    context->block = block;
    return true;
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
    return ftri_context_parts(context).tracestate;
}

bool ftr_context_set_finish_callback(ftr_context *context, ftr_finish_callback callback,
                                     void *state)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    parts.finish = callback;
    parts.finish_state = callback ? state : NULL;
    return ftri_context_set_parts(context, &parts);
}
