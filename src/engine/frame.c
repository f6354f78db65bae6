/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/frame.h"

#include "base/mem.h"
#include "base/time.h"
#include "engine/count.h"
#include "engine/crossing.h"
#include "engine/path.h"
#include "engine/scheduler.h"
#include "engine/visit.h"

struct frame *frame_new(struct node *node)
{
    struct frame *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->node = node;
    self->n_refs = 1;
    self->result.is_ack = true;
    ftri_list_init(&self->message.link);
    ftri_list_init(&self->settled);
    ftri_list_init(&self->running);
    node->graph->n_live++;
    return self;
}

struct frame *frame_new_merged(struct node *node, size_t n)
{
    struct frame *self = frame_new(node);
    if (!self)
        return NULL;
    self->parents = ftri_alloc_array(n, sizeof(struct frame *));
    if (!self->parents) {
        frame_discard(self);
        return NULL;
    }
    self->n_parents = n;
    return self;
}

void frame_discard(struct frame *self)
{
    self->n_parents = 0;
    frame_unref(self);
}

struct frame *frame_ref(struct frame *self)
{
    self->n_refs++;
    return self;
}

/* The last reference to an origin may be that of the watched frame. */
void frame_unref(struct frame *self)
{
    while (self && --self->n_refs == 0) {
        struct frame *const origin = self->origin;
        struct graph *const graph = self->node->graph;
        if (origin)
            ftr_hop_release(&self->hop);
        ftri_list_unlink(&self->running);
        ftri_free(self->parents);
        ftri_free(self);
        if (--graph->n_live == 0)
            scheduler_arm(graph);
        self = origin;
    }
}

static void resolve_one(struct frame *self, const struct result *result, struct ftri_list *settled)
{
    if (!result->is_ack && self->result.is_ack)
        self->result = *result;
    if (--self->n_pending == 0)
        ftri_list_append(settled, &self->settled);
}

ftr_outcome frame_outcome(const struct frame *self)
{
    if (self->result.is_ack)
        return FTR_OUTCOME_SUCCESS;
    return self->is_at_fault ? FTR_OUTCOME_FAILURE : FTR_OUTCOME_REFUSED;
}

static void stop_clock(struct frame *self, uint64_t now_ns)
{
    if (!self->running_since_ns)
        return;
    const uint64_t worked_ns = now_ns - self->running_since_ns;
    account_add("stop_clock: work_ns", &self->node->account.work_ns, worked_ns);
    self->work_ns += worked_ns;
    self->running_since_ns = 0;
    meter_end_work(self->node->meter, now_ns);
}

/* Kept by its node, which does not work on it, and nothing of it is below. */
static bool is_resting(const struct frame *self)
{
    return self->n_in_hand && !self->n_watched && !self->running_since_ns;
}

static void end_rest(struct frame *self, uint64_t now_ns)
{
    const enum meter_delay delay = self->is_retrying ? METER_DELAY_RETRY : METER_DELAY_HOLD;
    meter_add(&self->node->meter->delay_ns[delay], now_ns - self->resting_since_ns);
    self->resting_since_ns = 0;
}

static void start_clock(struct frame *self, uint64_t now_ns)
{
    self->running_since_ns = now_ns;
    meter_begin_work(self->node->meter, now_ns);
    if (!self->born_ns)
        self->born_ns = now_ns;
    if (self->resting_since_ns)
        end_rest(self, now_ns);
}

static void measure_path(struct frame *self, ftr_outcome outcome, uint64_t now_ns)
{
    struct path_meter *const meter = &self->path->meter;
    meter_time(&meter->duration[outcome], self->node->graph->time_scale,
               self->born_ns ? now_ns - self->born_ns : 0);
    meter_add(&meter->n_items[outcome], self->n_items);
}

/* What nothing more became of has come to the end of its path. */
static void measure(struct frame *self)
{
    const ftr_outcome outcome = frame_outcome(self);
    const bool is_end = !self->has_gone_on && !self->n_watched;
    if (is_end || self->running_since_ns || self->resting_since_ns) {
        const uint64_t now_ns = ftri_time_monotonic_ns();
        stop_clock(self, now_ns);
        if (self->resting_since_ns)
            end_rest(self, now_ns);
        if (is_end)
            measure_path(self, outcome, now_ns);
    }
    meter_time(&self->node->meter->work[outcome], self->node->graph->time_scale, self->work_ns);
}

/* To the node that asked for it, and onto the visit it belongs to. */
static void answer_watcher(struct frame *self)
{
    if (self->origin) {
        visit_unwound(self->origin, &self->result);
        self->origin->n_watched--;
        self->origin->has_refused_watched = !self->result.is_ack;
        if (is_resting(self->origin))
            self->origin->resting_since_ns = ftri_time_monotonic_ns();
    }
    self->message.kind = self->result.is_ack ? CONTROL_ACK : CONTROL_NACK;
    scheduler_post(self->node, &frame_ref(self)->message);
}

static void settle(struct frame *self, struct ftri_list *settled)
{
    if (self->is_lent) {
        crossing_return(self); /* and no longer ours */
        return;
    }
    if (!self->origin)
        measure(self);
    visit_close(self);
    if (self->parent) {
        if (!self->parent->origin) /* else answer_watcher tells the origin's visit, once */
            visit_unwound(self->parent, &self->result);
        resolve_one(self->parent, &self->result, settled);
    }
    for (size_t i = 0; i < self->n_parents; i++) {
        visit_unwound(self->parents[i], &self->result);
        resolve_one(self->parents[i], &self->result, settled);
    }
    if (self->is_watched)
        answer_watcher(self);
    frame_unref(self);
}

void frame_resolve(struct frame *self, const struct result *result)
{
    struct ftri_list settled, *entry;
    ftri_list_init(&settled);
    resolve_one(self, result, &settled);
    while ((entry = ftri_list_pop(&settled)) != NULL)
        settle(FTRI_CONTAINER(entry, struct frame, settled), &settled);
}

void frame_work(struct frame *self)
{
    if (ftri_list_is_empty(&self->running))
        ftri_list_append(&self->node->graph->running, &self->running);
    if (self->running_since_ns)
        return;
    start_clock(self, ftri_time_monotonic_ns());
    visit_resume(self);
}

/* Work goes on behind the scenes (a request under way) while a node that does not gather batches
 * keeps one. */
static bool is_worked_on(const struct frame *self)
{
    return self->n_in_hand > 0 && !self->node->class->is_stateful;
}

void frame_rest_all(struct graph *graph)
{
    struct ftri_list *entry = ftri_list_pop(&graph->running);
    if (!entry)
        return;
    const uint64_t now_ns = ftri_time_monotonic_ns();
    for (; entry; entry = ftri_list_pop(&graph->running)) {
        struct frame *self = FTRI_CONTAINER(entry, struct frame, running);
        if (is_worked_on(self))
            continue;
        stop_clock(self, now_ns);
        if (is_resting(self))
            self->resting_since_ns = now_ns;
        visit_pause(self);
    }
}
