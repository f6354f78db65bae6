/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the words come from is said in names.c. */
#include "flow/identity.h"

#include "base/check.h"

/* An exporter is a CLIENT, not a PRODUCER: its visit lasts until the destination has answered, so
 * its duration is a round trip, and service graphs pair CLIENT with the destination's SERVER span.
 * A receiver is a CONSUMER: it takes over a batch whose sender does not wait for the flow. */
static ftr_span_kind span_kind(ftr_node_kind kind)
{
    switch (kind) {
    case FTR_NODE_RECEIVER:
        return FTR_KIND_CONSUMER;
    case FTR_NODE_EXPORTER:
        return FTR_KIND_CLIENT;
    case FTR_NODE_PROCESSOR:
        break;
    }
    return FTR_KIND_INTERNAL;
}

/* otelcol.component.kind: receiver, processor or exporter. */
static void be_otelcol(const ftr_node_options *node, struct ftri_identity *self)
{
    static const char *const kinds[] = {
        [FTR_NODE_RECEIVER] = "receiver",
        [FTR_NODE_PROCESSOR] = "processor",
        [FTR_NODE_EXPORTER] = "exporter",
    };
    const size_t kind = (size_t)node->kind;
    if (kind < FTRI_COUNT(kinds) && kinds[kind])
        self->type = ftr_str_from(kinds[kind]);
}

static void add_constant(struct ftri_identity *self, ftr_str key, const char *text)
{
    self->constants[self->n_constants++] = (ftr_attribute){key, ftr_value_str(ftr_str_from(text))};
}

/* The stages of a pipeline: a receiver dispatches, a processor maps, an exporter writes. What holds
 * data over messages would be a reduce, which 1.8 has no span for: it stays as it is. */
static void be_numaflow(const ftr_node_options *node, struct ftri_identity *self)
{
    static const struct {
        const char *span_name, *operation;
        ftr_span_kind kind;
    } stages[] = {
        [FTR_NODE_RECEIVER] = {"numaflow.pipeline.source.dispatch", "source.dispatch",
                               FTR_KIND_CONSUMER},
        [FTR_NODE_PROCESSOR] = {"numaflow.pipeline.map", "map", FTR_KIND_CLIENT},
        [FTR_NODE_EXPORTER] = {"numaflow.pipeline.sink.write", "sink.write", FTR_KIND_CLIENT},
    };
    const size_t kind = (size_t)node->kind;
    add_constant(self, FTR_STR("messaging.system"), "numaflow");
    add_constant(self, FTR_STR("numaflow.topology"), "pipeline");
    if (kind >= FTRI_COUNT(stages) || !stages[kind].span_name ||
        (node->kind == FTR_NODE_PROCESSOR && node->is_stateful))
        return;
    self->span_name = ftr_str_from(stages[kind].span_name);
    self->span_kind = stages[kind].kind;
    add_constant(self, FTR_STR("messaging.operation.name"), stages[kind].operation);
}

/* A visit is one run of an actor, and its span the event that ends it. */
static void be_reflow(struct ftri_identity *self)
{
    self->completed = FTR_STR("ActorCompleted");
    self->failed = FTR_STR("ActorFailed");
    self->span_kind = FTR_KIND_INTERNAL;
    self->outcomes[FTR_OUTCOME_SUCCESS] = self->completed;
    self->outcomes[FTR_OUTCOME_FAILURE] = self->outcomes[FTR_OUTCOME_REFUSED] = self->failed;
}

void ftri_identity_read(enum ftri_convention convention, const ftr_node_options *node,
                        struct ftri_identity *ret_identity)
{
    *ret_identity = (struct ftri_identity){.type = node->type, .span_kind = span_kind(node->kind)};
    for (size_t i = 0; i < FTRI_N_OUTCOMES; i++)
        ret_identity->outcomes[i] = ftr_str_from(ftr_outcome_name((ftr_outcome)i));
    if (convention == FTRI_CONVENTION_OTELCOL)
        be_otelcol(node, ret_identity);
    else if (convention == FTRI_CONVENTION_NUMAFLOW)
        be_numaflow(node, ret_identity);
    else if (convention == FTRI_CONVENTION_REFLOW)
        be_reflow(ret_identity);
}
