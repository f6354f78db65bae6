/* SPDX-License-Identifier: Apache-2.0
 *
 * The graph's clock. One reading is the end of what was and the start of what comes: where node
 * code follows node code the clock is read once in between. It never goes back. */
#pragma once

#include "engine/runtime.h"

#include <flowtrace/flow.h>

static inline uint64_t clock_read(struct graph *graph)
{
    const uint64_t now_ns = ftr_flow_clock_ns();
    if (FTRI_LIKELY(now_ns > graph->now_ns))
        graph->now_ns = now_ns;
    return graph->now_ns;
}

/* Of two moments, one of which may be a visit's own reading. */
static inline uint64_t clock_between(uint64_t since_ns, uint64_t until_ns)
{
    return until_ns > since_ns ? until_ns - since_ns : 0;
}

/* When it is sent. The first one that a node sends out of a consume is sent when that returns, as
 * nobody takes it before: it gets the reading of then, and now 0. */
static inline uint64_t clock_sent(struct graph *graph, struct pdata *pdata)
{
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
