/* SPDX-License-Identifier: Apache-2.0
 *
 * Agreement is counting: each instance is in one place of `n_resting`, and leaves REST_NOT only
 * when nothing that it began is under way anywhere, as its frames wait for what was handed over.
 * Who takes something in is back in REST_NOT before the sender can hear of it; so a count that has
 * come to all of them means that all were at rest at one moment. */
#include "engine/instance.h"

#include "engine/channel.h"
#include "engine/crossing.h"
#include "engine/drain.h"
#include "engine/frame.h"
#include "engine/instances_state.h"
#include "engine/scheduler.h"
#include "net/loop.h"

#include <string.h>

size_t instance_n_loops(const struct instance *self)
{
    return self->all->n_loops;
}

struct instance *instance_at(const struct instance *self, size_t loop)
{
    return &self->all->instances[loop];
}

bool instance_is_first(const struct instance *self)
{
    return self->index == 0;
}

void instance_wake(struct instance *self)
{
    if (!atomic_exchange(&self->is_woken, true) && self->graph->wakeup)
        loop_wake(self->graph->wakeup);
}

void instance_wake_others(const struct instance *self)
{
    for (size_t i = 0; i < self->all->n_loops; i++)
        if (i != self->index)
            instance_wake(&self->all->instances[i]);
}

/* -- how far it is -- */

static void enter(struct instance *self, enum rest rest)
{
    struct instances *const all = self->all;
    (void)atomic_fetch_sub(&all->n_resting[self->rest], 1);
    self->rest = rest;
    if (atomic_fetch_add(&all->n_resting[rest], 1) + 1 < all->n_loops || rest == REST_NOT)
        return;
    if (rest == REST_OVER)
        atomic_store(&all->is_over, true);
    instance_wake_others(self);
}

bool instance_rests(struct instance *self, enum rest rest)
{
    if (rest != self->rest)
        enter(self, rest);
    if (rest == REST_OVER)
        return atomic_load(&self->all->is_over);
    return rest == REST_FINISHED && atomic_load(&self->all->n_resting[rest]) == self->all->n_loops;
}

void instance_set_done(struct instance *self)
{
    if (atomic_fetch_add(&self->all->n_done, 1) + 1 == self->all->n_loops)
        instance_wake(instance_at(self, 0));
}

bool instance_all_done(const struct instance *self)
{
    return atomic_load(&self->all->n_done) == self->all->n_loops;
}

void instance_set_failed(struct instance *self)
{
    struct graph *none = NULL;
    if (atomic_compare_exchange_strong(&self->all->failed, &none, self->graph))
        instance_wake(instance_at(self, 0));
}

const struct graph *instance_failed(const struct instance *self)
{
    return atomic_load(&self->all->failed);
}

/* -- accounts -- */

void instance_copy_accounts(struct instance *self)
{
    const struct graph *const graph = self->graph;
    for (size_t i = 0; i < graph->n_nodes; i++)
        self->sums.nodes[i] = graph->nodes[i]->account;
    for (size_t i = 0; i < graph->n_edges; i++)
        self->sums.edges[i] = graph->edges[i]->account;
}

void instance_reach(struct instance *self, uint32_t epoch)
{
    /* One of an older epoch was on its way when the sums were taken: it is queued in them. */
    if ((int32_t)(epoch - self->epoch) <= 0)
        return;
    instance_copy_accounts(self);
    graph_collect_telemetry(self->graph);
    self->epoch = epoch;
    if (atomic_fetch_sub(&self->all->n_missing, 1) == 1)
        instance_wake(instance_at(self, 0));
}

/* -- what came from other loops -- */

static void take_answers(struct instance *self)
{
    struct frame *last = atomic_exchange(&self->answers, NULL);
    struct frame *first = NULL;
    while (last) { /* in the order in which they came */
        struct frame *const before = last->lent.next;
        last->lent.next = first;
        first = last;
        last = before;
    }
    while (first) {
        struct frame *const next = first->lent.next;
        crossing_answer(first);
        first = next;
    }
}

static void take_batches(struct instance *self)
{
    struct graph *const graph = self->graph;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node *const node = graph->nodes[i];
        if (!crossing_is_arriving(node))
            continue;
        if (graph->drain >= DRAIN_FORCED)
            drain_refuse(node);
        else
            channel_fill(node);
    }
}

static void move_up(const struct graph *graph)
{
    for (size_t i = 0; i < graph->n_edges; i++)
        if (graph->edges[i]->crossing)
            crossing_move_up(graph->edges[i]->crossing);
}

/* The first has told its own nodes. */
static void hear_of_configuration(struct instance *self)
{
    const uint32_t n = atomic_load(&self->all->n_configured);
    if (self->index && n != self->n_configured)
        graph_configured(self->graph, NULL, 0, NULL);
    self->n_configured = n;
}

void instance_on_wake(struct instance *self)
{
    struct instances *const all = self->all;
    atomic_store(&self->is_woken, false);
    instance_reach(self, atomic_load(&all->epoch));
    if (atomic_load(&all->is_draining))
        drain_begin(self->graph, all->half_ns, all->deadline_ns);
    hear_of_configuration(self);
    take_answers(self);
    move_up(self->graph);
    take_batches(self);
    scheduler_arm(self->graph);
    if (self->index == 0)
        instances_look_at_sums(all);
}
