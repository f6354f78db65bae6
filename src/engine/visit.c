/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/visit.h"

#include "base/time.h"
#include "engine/action.h"

static ftr_arrival arrival_of(const struct pdata *pdata)
{
    return (ftr_arrival){
        .size = sizeof(ftr_arrival),
        .signal = pdata->signal,
        .n_items = pdata->n_items,
        .n_bytes = pdata->n_bytes,
        .n_attempt = pdata->n_attempt,
    };
}

void visit_arrive(struct frame *self, struct pdata *pdata, size_t depth)
{
    if (pdata->is_untraced) {
        self->visit_state = VISIT_CLOSED;
    } else {
        ftr_arrival arrival = arrival_of(pdata);
        arrival.queue_depth = depth;
        arrival.queue_capacity = self->node->graph->capacity;
        ftr_visit_start(&self->visit, self->node->recorder, &pdata->hop, 1, &arrival);
        self->visit_state = VISIT_OPEN;
    }
    ftr_hop_release(&pdata->hop);
}

void visit_merge_input(struct frame *self, ftr_hop *ret_hop)
{
    struct frame *const owner = frame_owner(self);
    ftr_hop_init(ret_hop);
    if (owner->visit_state != VISIT_OPEN) {
        if (self->origin)
            ftr_hop_copy(&self->hop, ret_hop);
        return;
    }
    ftr_visit_emit(&owner->visit, FTR_STR("merge"), self->n_items, self->n_bytes, ret_hop);
    ret_hop->sent_ns = 0; /* it did not wait in a channel */
}

static bool is_traced(const struct frame *self)
{
    if (self->origin)
        return ftr_trace_id_is_valid(&self->hop.context.span.trace_id);
    return self->visit_state == VISIT_OPEN;
}

/* Whose visit is the parent's: that of the first input that is traced. */
static size_t first_traced(const struct frame *self)
{
    size_t i = 0;
    while (i + 1 < self->n_parents && !is_traced(self->parents[i]))
        i++;
    return i;
}

static void start_merged(struct frame *self, const ftr_arrival *arrival)
{
    const size_t first = first_traced(self);
    ftr_hop hop;
    visit_merge_input(self->parents[first], &hop);
    ftr_visit_start(&self->visit, self->node->recorder, &hop, 1, arrival);
    ftr_hop_release(&hop);
    for (size_t i = 0; i < self->n_parents; i++) {
        if (i == first)
            continue;
        visit_merge_input(self->parents[i], &hop);
        ftr_visit_add_input(&self->visit, &hop);
        ftr_hop_release(&hop);
    }
}

void visit_ensure(struct frame *self, struct pdata *pdata)
{
    if (self->visit_state != VISIT_NOT_STARTED)
        return;
    self->n_items = pdata->n_items;
    self->n_bytes = pdata->n_bytes;
    if (pdata->is_untraced) {
        self->visit_state = VISIT_CLOSED;
        ftr_hop_release(&pdata->hop);
        return;
    }
    const ftr_arrival arrival = arrival_of(pdata);
    if (self->n_parents)
        start_merged(self, &arrival);
    else if (ftr_trace_id_is_valid(&pdata->hop.context.span.trace_id))
        ftr_visit_start_from(&self->visit, self->node->recorder, &pdata->hop.context, &arrival);
    else
        ftr_visit_start(&self->visit, self->node->recorder, NULL, 0, &arrival);
    ftr_hop_release(&pdata->hop);
    self->visit_state = VISIT_OPEN;
}

void visit_copy_context(struct frame *self, ftr_hop *ret_hop)
{
    const struct frame *const owner = frame_owner(self);
    ftr_hop_init(ret_hop);
    if (owner->visit_state == VISIT_OPEN)
        ret_hop->context = ftr_span_context_of(ftr_visit_span(&owner->visit));
    else if (self->origin)
        ftr_hop_copy(&self->hop, ret_hop);
}

/* The visit has ended; what it knew of the flow is with the watched frame. */
static void emit_late(const struct frame *self, struct pdata *pdata, const struct port *port,
                      ftr_split split)
{
    ftr_hop_release(&pdata->hop);
    if (self->origin)
        pdata->hop.context = ftr_context_copy(&self->hop.context);
    pdata->hop.sent_ns = ftri_time_monotonic_ns();
    pdata->hop.port = port->name;
    if (split.count > 1) {
        pdata->hop.split_index = split.index;
        pdata->hop.split_count = split.count;
    }
}

void visit_emit(struct frame *self, struct pdata *pdata, const struct port *port, ftr_split split)
{
    struct frame *const owner = frame_owner(self);
    if (pdata->is_untraced)
        return;
    if (owner->visit_state != VISIT_OPEN) {
        emit_late(self, pdata, port, split);
        return;
    }
    ftr_hop_release(&pdata->hop);
    if (split.count > 1)
        ftr_visit_emit_split(&owner->visit, port->name, split, pdata->n_items, pdata->n_bytes,
                             &pdata->hop);
    else
        ftr_visit_emit(&owner->visit, port->name, pdata->n_items, pdata->n_bytes, &pdata->hop);
}

static ftr_visit *open_visit(struct frame *self)
{
    struct frame *const owner = frame_owner(self);
    return owner->visit_state == VISIT_OPEN ? &owner->visit : NULL;
}

void visit_blocked(struct frame *self, uint64_t waited_ns)
{
    ftr_visit *visit = open_visit(self);
    if (visit)
        ftr_visit_blocked(visit, waited_ns);
}

void visit_drop(struct frame *self, ftr_drop_reason reason, uint64_t n_items)
{
    ftr_visit *visit = open_visit(self);
    if (visit)
        ftr_visit_drop(visit, reason, n_items);
}

void visit_event(struct frame *self, const char *name, const ftr_attribute *attributes,
                 size_t n_attributes)
{
    ftr_visit *visit = open_visit(self);
    if (visit)
        ftr_visit_event(visit, ftr_node_word(self->node->recorder, ftr_str_from(name)), attributes,
                        n_attributes);
}

void visit_control(struct frame *self, enum control_kind kind)
{
    ftr_visit *visit = open_visit(self);
    if (!visit)
        return;
    ftr_visit_event(visit, self->node->graph->control_names[kind], NULL, 0);
    action_touch(self->node, kind, visit);
}

static const char *cause_name(enum nack_cause cause)
{
    static const char *const names[] = {
        [NACK_UNSPECIFIED] = "unspecified",
        [NACK_ROUTE_FULL] = "route_full",
        [NACK_ROUTE_CLOSED] = "route_closed",
        [NACK_NODE_SHUTDOWN] = "node_shutdown",
    };
    return (size_t)cause < FTRI_COUNT(names) ? names[cause] : names[0];
}

void visit_unwound(struct frame *self, const struct result *result)
{
    const ftr_str *const names = self->node->graph->control_names;
    ftr_visit *const visit = open_visit(self);
    if (!visit)
        return;
    if (result->is_ack) {
        ftr_visit_event(visit, names[CONTROL_ACK], NULL, 0);
        return;
    }
    const ftr_attribute attributes[] = {
        {FTR_STR("nack.cause"), ftr_value_str(ftr_str_from(cause_name(result->cause)))},
        {FTR_STR("nack.permanent"), ftr_value_bool(result->is_permanent)},
        {FTR_STR("nack.reason"), ftr_value_str(ftr_str_from(result->reason))},
    };
    ftr_visit_event(visit, names[CONTROL_NACK], attributes, FTRI_COUNT(attributes));
}

void visit_pause(struct frame *self)
{
    if (self->visit_state == VISIT_OPEN)
        ftr_visit_pause(&self->visit);
}

void visit_resume(struct frame *self)
{
    if (self->visit_state == VISIT_OPEN)
        ftr_visit_resume(&self->visit);
}

void visit_close(struct frame *self)
{
    if (self->visit_state != VISIT_OPEN)
        return;
    ftr_visit_end(&self->visit, frame_outcome(self), ftr_str_from(self->result.reason));
    self->visit_state = VISIT_CLOSED;
}
