/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/visit.h"

#include "engine/action.h"
#include "engine/clock.h"

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

/* What stays of its context counts for nothing without the time of sending. */
static inline void forget_hop(struct pdata *pdata)
{
    if (FTRI_UNLIKELY(pdata->hop.context.block))
        ftr_hop_release(&pdata->hop);
    pdata->hop.sent_ns = 0;
    pdata->hop.split_index = pdata->hop.split_count = 0;
}

void visit_arrive_recorded(struct frame *self, struct pdata *pdata, size_t depth)
{
    if (pdata->is_untraced) {
        self->visit_state = VISIT_CLOSED;
    } else {
        ftr_arrival arrival = arrival_of(pdata);
        arrival.queue_depth = depth;
        arrival.queue_capacity = self->node->graph->capacity;
        arrival.now_ns = self->node->graph->now_ns;
        if (pdata->hop.sent_ns)
            pdata->hop.sent_ns = pdata->sent_ns;
        ftr_visit_start(&self->visit, self->node->recorder, &pdata->hop, 1, &arrival);
        self->visit_state = VISIT_OPEN;
        frame_make_special(self);
        self->n_hops = pdata->hop.n_hops;
    }
    forget_hop(pdata);
}

void visit_merge_input(struct frame *self, ftr_hop *ret_hop)
{
    struct frame *const owner = frame_owner(self);
    ftr_hop_init(ret_hop);
    if (!visit_is_open(owner)) {
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
    return visit_is_open(self);
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
    self->n_hops = hop.n_hops;
    ftr_hop_release(&hop);
    for (size_t i = 0; i < self->n_parents; i++) {
        if (i == first)
            continue;
        visit_merge_input(self->parents[i], &hop);
        ftr_visit_add_input(&self->visit, &hop);
        self->n_hops = hop.n_hops > self->n_hops ? hop.n_hops : self->n_hops;
        ftr_hop_release(&hop);
    }
}

void visit_begin(struct frame *self, struct pdata *pdata)
{
    self->n_items = pdata->n_items;
    self->n_bytes = pdata->n_bytes;
    if (pdata->is_untraced) {
        self->visit_state = VISIT_CLOSED;
        ftr_hop_release(&pdata->hop);
        return;
    }
    if (!visit_is_wanted()) {
        self->visit_state = VISIT_BLANK;
        ftr_hop_release(&pdata->hop);
        return;
    }
    const ftr_arrival arrival = arrival_of(pdata);
    if (frame_n_parents(self))
        start_merged(self, &arrival);
    else if (ftr_trace_id_is_valid(&pdata->hop.context.span.trace_id))
        ftr_visit_start_from(&self->visit, self->node->recorder, &pdata->hop.context, &arrival);
    else
        ftr_visit_start(&self->visit, self->node->recorder, NULL, 0, &arrival);
    ftr_hop_release(&pdata->hop);
    self->visit_state = VISIT_OPEN;
    frame_make_special(self);
}

void visit_copy_context(struct frame *self, ftr_hop *ret_hop)
{
    const struct frame *const owner = frame_owner(self);
    ftr_hop_init(ret_hop);
    if (visit_is_open(owner)) {
        ret_hop->context = ftr_span_context_of(ftr_visit_span(&owner->visit));
        ret_hop->n_hops = owner->n_hops < UINT32_MAX ? owner->n_hops + 1 : UINT32_MAX;
    } else if (self->origin) {
        ftr_hop_copy(&self->hop, ret_hop);
    }
}

/* The visit has ended; what it knew of the flow is with the watched frame. */
static void emit_late(const struct frame *self, struct pdata *pdata, const struct edge *edge,
                      ftr_split split)
{
    ftr_hop_release(&pdata->hop);
    if (self->origin)
        ftr_hop_copy(&self->hop, &pdata->hop);
    pdata->hop.sent_ns = self->node->graph->now_ns;
    pdata->hop.port = edge->port->name;
    pdata->hop.split_index = split.index;
    pdata->hop.split_count = split.count;
}

void visit_emit_recorded(struct frame *self, struct pdata *pdata, const struct edge *edge,
                         size_t depth, ftr_split split)
{
    struct frame *const owner = frame_owner(self);
    const bool is_split = split.count > 1;
    if (pdata->is_untraced)
        return;
    const ftr_departure departure = {
        .size = sizeof departure,
        .n_items = pdata->n_items,
        .n_bytes = pdata->n_bytes,
        .queue_depth = depth,
        .queue_capacity = edge->to->graph->capacity,
        .split = {is_split ? split.index : 0, is_split ? split.count : 0},
        .now_ns = self->node->graph->now_ns,
    };
    if (!visit_is_open(owner)) {
        emit_late(self, pdata, edge, departure.split);
        return;
    }
    if (FTRI_UNLIKELY(pdata->hop.context.block))
        ftr_hop_release(&pdata->hop);
    ftr_visit_emit_with(&owner->visit, edge->port->name, &departure, &pdata->hop);
}

static ftr_visit *open_visit(struct frame *self)
{
    struct frame *const owner = frame_owner(self);
    return visit_is_open(owner) ? &owner->visit : NULL;
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

void visit_unwound_recorded(struct frame *self, const struct result *result)
{
    const ftr_str *const names = self->node->graph->control_names;
    if (FTRI_LIKELY(result->is_ack)) {
        ftr_visit_event(&self->visit, names[CONTROL_ACK], NULL, 0);
        return;
    }
    const ftr_attribute attributes[] = {
        {FTR_STR("nack.cause"), ftr_value_str(ftr_str_from(cause_name(result->cause)))},
        {FTR_STR("nack.permanent"), ftr_value_bool(result->is_permanent)},
        {FTR_STR("nack.reason"), ftr_value_str(ftr_str_from(result->reason))},
    };
    ftr_visit_event(&self->visit, names[CONTROL_NACK], attributes, FTRI_COUNT(attributes));
}

void visit_worked_recorded(struct frame *self, uint64_t worked_ns)
{
    ftr_visit_worked(&self->visit, worked_ns);
}

void visit_close_recorded(struct frame *self)
{
    ftr_visit_end(&self->visit, frame_outcome(self),
                  self->is_failed ? ftr_str_from(self->result.reason) : (ftr_str){NULL, 0});
}
