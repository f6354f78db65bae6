/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph on three loops: batches that are split by trace, gathered by trace on all of them, and
 * come together again at an exporter that there is one of. */
#include "graphs.h"

enum { ITEMS = 240 };

static const char text[] =
    "pipeline: torture\n"
    "loops: 3\n"
    "channel_capacity: 4\n"
    "nodes:\n"
    "  read: {type: receiver/generator, config: {signal: traces, count: 240, rate: 0}}\n"
    "  gather: {type: processor/window, config:\n"
    "    {kind: session, size: 2ms, time: arrival, by: trace}}\n"
    "  write: {type: exporter/file, config: {path: out, truncate: true}}\n"
    "connections:\n"
    "  - {from: read, to: gather}\n"
    "  - {from: gather, to: write}\n";

static void check(const struct graph_outcome *outcome)
{
    if (!torture_has_struck())
        EXPECT_THAT(outcome->status == 0 && outcome->n_acked == ITEMS, "%llu of %d; %s",
                    (unsigned long long)outcome->n_acked, ITEMS, outcome->error.text);
    if (outcome->status < 0) {
        EXPECT_THAT(outcome->status == torture_errno() && outcome->error.text[0], "%d: %s",
                    outcome->status, outcome->error.text);
        return;
    }
    EXPECT_THAT(outcome->n_sent + outcome->n_created ==
                    outcome->n_acked + outcome->n_dropped + outcome->n_failed + outcome->n_lost,
                "sent %llu, created %llu, acked %llu, dropped %llu, failed %llu, lost %llu",
                (unsigned long long)outcome->n_sent, (unsigned long long)outcome->n_created,
                (unsigned long long)outcome->n_acked, (unsigned long long)outcome->n_dropped,
                (unsigned long long)outcome->n_failed, (unsigned long long)outcome->n_lost);
}

void torture_run(void)
{
    torture_begin();
    struct graph_outcome outcome = graph_run_all(text);
    torture_end();
    check(&outcome);
    outcome = graph_run_all(text);
    EXPECT_THAT(outcome.status == 0 && outcome.n_acked == ITEMS, "%s", outcome.error.text);
}
