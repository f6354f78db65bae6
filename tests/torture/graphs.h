/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph from its text to its end, as `flowtrace run` does it, and what became of the items. */
#pragma once

#include "torture.h"

#include "app/pipeline.h"
#include "base/error.h"
#include "engine/account.h"

#include <flowtrace/flow.h>
#include <string.h>

struct graph_outcome {
    int status; /* of opening, starting or running */
    struct ftri_error error;
    uint64_t n_sent;    /* by the node `read` */
    uint64_t n_created; /* by the others: second deliveries */
    uint64_t n_dropped, n_failed, n_lost;
    uint64_t n_acked; /* by the nodes at the end */
};

/* Every identity of the accounts holds at rest, and nothing is anywhere any more. */
static inline void graph_count(const struct graph *graph, struct graph_outcome *outcome)
{
    struct ftri_error error;
    EXPECT_THAT(graph_check_accounts(graph, &error) == 0, "%s", error.text);
    struct graph_node_view node;
    for (size_t i = 0; graph_node_view(graph, i, &node); i++) {
        EXPECT_THAT(node.account->held == 0, "%s holds", node.id);
        outcome->n_failed += node.account->failed;
        outcome->n_acked += node.account->absorbed;
        outcome->n_created += strcmp(node.id, "read") == 0 ? 0 : node.account->created;
        for (size_t reason = 0; reason < ACCOUNT_DROP_REASONS; reason++)
            outcome->n_dropped += node.account->dropped[reason];
    }
    struct graph_edge_view edge;
    for (size_t i = 0; graph_edge_view(graph, i, &edge); i++) {
        EXPECT_THAT(edge.account->queued == 0, "%s to %s", edge.from, edge.to);
        outcome->n_lost += edge.account->lost;
        if (strcmp(edge.from, "read") == 0)
            outcome->n_sent += edge.account->sent;
    }
}

static inline struct graph_outcome graph_run_all(const char *text)
{
    struct graph_outcome outcome = {.error = {{0}}};
    struct pipeline pipeline;
    outcome.status =
        pipeline_open_text(&pipeline, ftr_str_from(text), "graph", NULL, &outcome.error);
    if (outcome.status < 0)
        return outcome;
    outcome.status = pipeline_start(&pipeline, &outcome.error);
    if (outcome.status == 0) {
        outcome.status = pipeline_run(&pipeline);
        EXPECT_THAT(outcome.status == 0, "%s", pipeline.failure);
        graph_count(pipeline.graph, &outcome);
    }
    pipeline_close(&pipeline);
    return outcome;
}

/* A refusal is for the seam's own reason and says something; what went in came out or is counted.
 */
static inline void graph_check_outcome(const struct graph_outcome *outcome, size_t n_read,
                                       size_t n_written)
{
    if (!torture_has_struck())
        EXPECT_THAT(outcome->status == 0 && n_written == n_read, "%zu of %zu written; %s",
                    n_written, n_read, outcome->error.text);
    if (outcome->status < 0) {
        EXPECT_THAT(outcome->status == torture_errno(), "%d: %s", outcome->status,
                    outcome->error.text);
        EXPECT(outcome->error.text[0] && n_written == 0);
        return;
    }
    EXPECT_THAT(outcome->n_sent + outcome->n_created ==
                    n_written + outcome->n_dropped + outcome->n_failed + outcome->n_lost,
                "sent %llu, created %llu, written %zu, dropped %llu, failed %llu, lost %llu",
                (unsigned long long)outcome->n_sent, (unsigned long long)outcome->n_created,
                n_written, (unsigned long long)outcome->n_dropped,
                (unsigned long long)outcome->n_failed, (unsigned long long)outcome->n_lost);
}
