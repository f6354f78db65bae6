/* SPDX-License-Identifier: Apache-2.0
 *
 * The graph's clock, for the times of the accounts. One reading is the end of what was and the
 * start of what comes: where node code follows node code the clock is read once in between.
 *
 * While spans are recorded, of nodes that are slow, and where the graph's options ask for it, each
 * batch is measured by itself. Otherwise a row of batches that a node takes one after the other
 * shares one reading (is_rough): a batch counts as sent when its sender's row began and as taken
 * when its own did, and what the row took is the node's work. A row is short: at most 16 batches of
 * a node that takes less than a microsecond for one. */
#pragma once

#include "engine/runtime.h"

#include <flowtrace/flow.h>

static inline uint64_t clock_read(struct graph *graph)
{
    return graph->now_ns = ftr_flow_clock_ns();
}

static inline uint64_t clock_now(struct graph *graph)
{
    return graph->is_rough ? graph->now_ns : clock_read(graph);
}

/* When it is sent. The first one that a node sends out of a consume is sent when that returns, as
 * nobody takes it before: it gets the reading of then, and now 0. */
static inline uint64_t clock_sent(struct graph *graph, struct pdata *pdata)
{
    if (graph->is_rough)
        return graph->now_ns;
    if (!graph->is_delivering || graph->sent)
        return clock_read(graph);
    graph->sent = pdata;
    return 0;
}

static inline void clock_stamp_sent(struct graph *graph)
{
    if (graph->sent && graph->sent->sent_ns == 0)
        graph->sent->sent_ns = graph->now_ns;
    graph->sent = NULL;
}

/* Two readings may contradict each other by microseconds. */
static inline uint64_t clock_between(uint64_t since_ns, uint64_t until_ns)
{
    return until_ns > since_ns ? until_ns - since_ns : 0;
}
