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

/* The moment something is sent. */
static inline uint64_t clock_now(struct graph *graph)
{
    return graph->is_rough ? graph->now_ns : clock_read(graph);
}

/* Two readings may contradict each other by microseconds. */
static inline uint64_t clock_between(uint64_t since_ns, uint64_t until_ns)
{
    return until_ns > since_ns ? until_ns - since_ns : 0;
}
