/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include "act.h"
#include "base/error.h"
#include "story.h"

#include <stddef.h>
#include <string.h>

#define TERM(type, name)                                                                           \
    {                                                                                              \
#name, offsetof(struct type, name)                                                         \
    }

static const struct {
    const char *name;
    size_t offset;
} node_terms[] =
    {
        TERM(node_account, received),        TERM(node_account, held),
        TERM(node_account, forwarded),       TERM(node_account, absorbed),
        TERM(node_account, created),         TERM(node_account, emitted),
        TERM(node_account, failed),          TERM(node_account, retried),
        TERM(node_account, n_visits),        TERM(node_account, received_bytes),
        TERM(node_account, emitted_bytes),   TERM(node_account, queue_ns),
        TERM(node_account, work_ns),         TERM(node_account, blocked_ns),
        TERM(node_account, queue_depth_max),
},
  edge_terms[] = {
      TERM(edge_account, sent), TERM(edge_account, received),       TERM(edge_account, queued),
      TERM(edge_account, lost), TERM(edge_account, n_sent_batches), TERM(edge_account, redelivered),
};

static uint64_t term(const void *account, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const char *)account + offset, sizeof value);
    return value;
}

static void check_node(size_t i)
{
    const struct node_account *const counted = &stage.actors[i].node->account;
    const struct node_account *const expected = &model_node(i)->account;
    for (size_t j = 0; j < FTRI_COUNT(node_terms); j++) {
        const uint64_t is = term(counted, node_terms[j].offset);
        const uint64_t should_be = term(expected, node_terms[j].offset);
        RULE(is == should_be, "n%zu: %s is %llu and should be %llu", i, node_terms[j].name,
             (unsigned long long)is, (unsigned long long)should_be);
    }
    for (size_t j = 0; j < ACCOUNT_DROP_REASONS; j++)
        RULE(counted->dropped[j] == expected->dropped[j],
             "n%zu: dropped by reason %zu is %llu and should be %llu", i, j,
             (unsigned long long)counted->dropped[j], (unsigned long long)expected->dropped[j]);
    RULE(stage.actors[i].node->n_data <= stage.plan.capacity, "n%zu: its channel is too full", i);
}

static void check_edge(const struct model_edge *edge)
{
    for (size_t j = 0; j < FTRI_COUNT(edge_terms); j++) {
        const uint64_t is = term(&edge->edge->account, edge_terms[j].offset);
        const uint64_t should_be = term(&edge->account, edge_terms[j].offset);
        RULE(is == should_be, "n%zu[\"p%zu\"] -> n%zu: %s is %llu and should be %llu", edge->from,
             edge->port, edge->to, edge_terms[j].name, (unsigned long long)is,
             (unsigned long long)should_be);
    }
}

void ledger_check(const struct graph *graph)
{
    struct ftri_error error = {{0}};
    RULE(graph_check_accounts(graph, &error) == 0, "%s", error.text);
    for (size_t i = 0; i < stage.plan.n_nodes; i++)
        check_node(i);
    for (size_t i = 0; i < model_n_edges(); i++)
        check_edge(model_edge(i));
}
