/* SPDX-License-Identifier: Apache-2.0
 *
 * Actions that touch many flows. The span of one is a root, or lies below that of the action it is
 * a part of; no sampler is asked. Whatever the conventions of its nodes, what came of it goes by
 * our own names: one audit trail. */
#include "flow/node.h"
#include "trace/hold.h"

#include <string.h>

/* In the storage of an ftr_control; span all-zero: nothing is recorded. */
struct control {
    ftr_span span;
    uint64_t n_touched;
} __attribute__((may_alias)); /* the storage is declared as words */

_Static_assert(sizeof(struct control) <= sizeof(ftr_control), "it fits into its storage");

static ftr_str own_name(enum ftri_name name)
{
    return ftri_name(FTRI_CONVENTION_FLOWTRACE, name);
}

static void set_text(ftr_span span, ftr_str key, ftr_str text)
{
    if (text.len)
        ftr_span_set_str(span, key, text);
}

static void set_generation(ftr_span span, uint64_t generation)
{
    if (generation)
        ftr_span_set_i64(span, own_name(FTRI_NAME_GENERATION), (int64_t)generation);
}

static void start_span(struct control *self, const ftr_control_options *options)
{
    ftr_context whole = FTR_CONTEXT_NONE;
    if (options->whole)
        whole = ftr_span_context_of(((const struct control *)options->whole->opaque)->span);
    const bool is_part = ftr_span_id_is_valid(&whole.span.span_id);
    const ftr_span_options span_options = {
        .size = sizeof span_options,
        .name = options->name,
        .kind = FTR_KIND_INTERNAL,
        .is_root = !is_part,
        .parent = is_part ? &whole : NULL,
        .attributes = options->attributes,
        .n_attributes = options->n_attributes,
        .has_sampling_ratio = true,
        .sampling_ratio = 1,
    };
    self->span = ftr_span_start_with(&span_options);
    ftr_context_release(&whole);
}

static void set_loop(ftr_span span, const ftr_control_options *options)
{
    const ftr_node *const node = options->node;
    if (options->has_loop || (node && node->has_loop))
        ftr_span_set_i64(span, own_name(FTRI_NAME_LOOP),
                         options->has_loop ? options->loop : node->loop);
}

void ftr_control_start(ftr_control *control, const ftr_control_options *options)
{
    struct control *const self = (struct control *)control->opaque;
    ftr_control_options known = {0};
    memcpy(&known, options, ftri_size_min(options->size, sizeof known));
    const ftr_node *const node = known.node;
    *self = (struct control){.n_touched = 0};
    start_span(self, &known);
    if (!ftr_span_is_recording(self->span))
        return;
    ftri_flow_keep(self->span);
    ftr_node_annotate(node, self->span);
    set_text(self->span, own_name(FTRI_NAME_PIPELINE),
             known.pipeline.len || !node ? known.pipeline : node->pipeline);
    set_generation(self->span, known.generation || !node ? known.generation : node->generation);
    set_loop(self->span, &known);
}

void ftr_control_touch(ftr_control *control, const ftr_visit *visit)
{
    struct control *const self = (struct control *)control->opaque;
    if (!ftr_span_is_recording(self->span) || self->n_touched++ >= FTR_CONTROL_LINKS)
        return;
    ftr_context context = ftr_span_context_of(ftr_visit_span(visit));
    ftr_span_link(self->span, &context, NULL, 0);
    ftr_context_release(&context);
}

void ftr_control_end(ftr_control *control, ftr_outcome outcome, ftr_str error)
{
    struct control *const self = (struct control *)control->opaque;
    if (ftr_span_is_recording(self->span)) {
        const ftr_str name = ftr_str_from(ftr_outcome_name(outcome));
        ftr_span_set_i64(self->span, own_name(FTRI_NAME_TOUCHED), (int64_t)self->n_touched);
        ftr_span_set_str(self->span, own_name(FTRI_NAME_OUTCOME), name);
        if (outcome != FTR_OUTCOME_SUCCESS) {
            ftr_span_set_str(self->span, own_name(FTRI_NAME_ERROR), error.len ? error : name);
            ftr_span_set_status(self->span, FTR_SPAN_ERROR, error);
        }
    }
    ftr_span_end(self->span);
    *self = (struct control){0};
}
