/* SPDX-License-Identifier: Apache-2.0
 *
 * The clocks around a consume: of work on the batch that is given, and of the time in which its
 * node is busy. In a row of consumes each begins at the reading at which the one before it ended:
 * the node was busy without a break, so that its meter hears of the row's two ends only
 * (graph.busy_until_ns), and of what ended within a consume. */
#pragma once

#include "engine/clock.h"
#include "engine/frame.h"
#include "engine/meter.h"

/* Returns for how long the node has worked. */
static inline uint64_t consume_count(struct frame *self, uint64_t since_ns, uint64_t now_ns)
{
    const uint64_t worked_ns = clock_between(since_ns, now_ns);
    account_add("consume_count: work_ns", &self->node->account.work_ns, worked_ns);
    self->work_ns += worked_ns;
    return worked_ns;
}

/* The node is no longer busy with what it was given in this row. */
static inline void consume_end_row(struct node *node)
{
    struct graph *const graph = node->graph;
    if (graph->busy_until_ns)
        meter_end_work(node->meter, graph->busy_until_ns);
    graph->busy_until_ns = 0;
}

/* For the frame of what is given: graph.working as long as it is not settled. */
static inline void consume_begin(struct frame *self, uint64_t now_ns)
{
    struct node *const node = self->node;
    struct graph *const graph = node->graph;
    if (FTRI_UNLIKELY(graph->busy_until_ns != now_ns)) {
        consume_end_row(node);
        meter_begin_work(node->meter, now_ns);
    }
    graph->working = self;
    graph->working_since_ns = now_ns;
    if (FTRI_UNLIKELY(!self->born_ns))
        self->born_ns = now_ns;
}

/* It was settled within its consume. */
static inline uint64_t consume_settled(struct frame *self, uint64_t now_ns)
{
    struct graph *const graph = self->node->graph;
    graph->working = NULL;
    graph->busy_until_ns = 0;
    meter_end_work(self->node->meter, now_ns);
    return consume_count(self, graph->working_since_ns, now_ns);
}

void consume_end_special(struct frame *self, bool goes_on, uint64_t now_ns);

/* It was not; goes_on: the node works on it beyond. */
static inline void consume_end(struct frame *self, bool goes_on, uint64_t now_ns)
{
    struct graph *const graph = self->node->graph;
    graph->working = NULL;
    if (FTRI_UNLIKELY(goes_on || self->n_in_hand || self->is_special)) {
        consume_end_special(self, goes_on, now_ns);
        return;
    }
    graph->busy_until_ns = now_ns;
    (void)consume_count(self, graph->working_since_ns, now_ns);
}
