/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/frame.h"

#include "base/mem.h"
#include "base/time.h"
#include "engine/count.h"
#include "engine/crossing.h"
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

struct frame *frame_owner(struct frame *self)
{
    return self->origin ? self->origin : self;
}

static void resolve_one(struct frame *self, const struct result *result, struct ftri_list *settled)
{
    if (!result->is_ack && self->result.is_ack)
        self->result = *result;
    if (--self->n_pending == 0)
        ftri_list_append(settled, &self->settled);
}

static void stop_clock(struct frame *self, uint64_t now_ns)
{
    if (!self->running_since_ns)
        return;
    account_add("stop_clock: work_ns", &self->node->account.work_ns,
                now_ns - self->running_since_ns);
    self->running_since_ns = 0;
}

/* To the node that asked for it, and onto the visit it belongs to; or back to the sender's loop,
 * which true says: the frame is no longer ours. */
static bool answer_watcher(struct frame *self)
{
    if (self->is_lent) {
        crossing_return(self);
        return true;
    }
    if (self->origin) {
        visit_unwound(self->origin, &self->result);
        self->origin->n_watched--;
        self->origin->has_refused_watched = !self->result.is_ack;
    }
    self->message.kind = self->result.is_ack ? CONTROL_ACK : CONTROL_NACK;
    scheduler_post(self->node, &frame_ref(self)->message);
    return false;
}

static void settle(struct frame *self, struct ftri_list *settled)
{
    if (self->running_since_ns)
        stop_clock(self, ftri_time_monotonic_ns());
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
    if (self->is_watched && answer_watcher(self))
        return;
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
    self->running_since_ns = ftri_time_monotonic_ns();
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
        visit_pause(self);
    }
}
