/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/meter_check.h"

#include "engine/crossing.h"
#include "engine/path.h"
#include "engine/runtime.h"

struct total {
    uint64_t n, sum_ns;
};

static void add(struct total *total, const struct meter_times *times)
{
    uint64_t counts[METER_BUCKETS];
    total->n += meter_read(times->counts, counts, METER_BUCKETS);
    total->sum_ns += times->sum_ns;
}

static uint64_t count_sizes(const struct meter_sizes *sizes)
{
    uint64_t counts[METER_SIZE_BOUNDS + 1];
    return meter_read(sizes->counts, counts, METER_SIZE_BOUNDS + 1);
}

static struct total add_outcomes(const struct meter_times times[METER_OUTCOMES])
{
    struct total total = {0, 0};
    for (size_t i = 0; i < METER_OUTCOMES; i++)
        add(&total, &times[i]);
    return total;
}

static uint64_t count_batches(const struct ftri_list *list, const struct edge *edge)
{
    uint64_t n = 0;
    for (const struct ftri_list *i = list->next; i != list; i = i->next)
        n += FTRI_CONTAINER(i, struct pdata, link)->edge == edge;
    return n;
}

const char *meter_fault_of_edge(const struct edge *edge)
{
    const struct crossing *const crossing = edge->crossing;
    uint64_t n = count_batches(&edge->to->data, edge) + count_batches(&edge->to->waiting, edge);
    for (size_t i = 0; crossing && i < crossing->n_loops; i++)
        n += count_batches(&crossing->lanes[i].waiting, edge);
    return edge->meter->depth == n ? NULL : "depth = what lies in the channel";
}

static const char *fault_of_inputs(const struct node *node)
{
    struct total waited = {0, 0};
    for (size_t i = 0; i < node->n_inputs; i++)
        add(&waited, &node->inputs[i]->meter->wait);
    if (count_sizes(&node->meter->received) != waited.n)
        return "batches received = batches that waited";
    return waited.sum_ns == node->account.queue_ns ? NULL : "waits of batches = queue time";
}

static const char *fault_of_outputs(const struct node *node)
{
    uint64_t n_sent = 0, blocked_ns = 0;
    for (size_t i = 0; i < node->n_ports; i++) {
        for (size_t j = 0; j < node->ports[i].n_edges; j++) {
            n_sent += node->ports[i].edges[j]->account.n_sent_batches;
            blocked_ns += node->ports[i].edges[j]->meter->blocked_ns;
        }
    }
    if (count_sizes(&node->meter->emitted) != n_sent)
        return "batches emitted = batches sent over all edges";
    return blocked_ns == node->account.blocked_ns ? NULL : "blocked = blocked over all edges";
}

/* What comes to a node without outputs ends there, unless it is merged first. */
static const char *fault_of_paths(const struct node *node)
{
    const struct paths *const paths = node->graph->paths;
    uint64_t n = 0, n_items = 0;
    for (size_t i = 0; i < paths->n; i++) {
        if (paths->list[i]->node != node)
            continue;
        n += add_outcomes(paths->list[i]->meter.duration).n;
        for (size_t j = 0; j < METER_OUTCOMES; j++)
            n_items += paths->list[i]->meter.n_items[j];
    }
    const bool is_whole = add_outcomes(paths->overflow.meter.duration).n == 0;
    const uint64_t n_received = count_sizes(&node->meter->received);
    if (!is_whole || node->n_outputs || node->account.n_visits != n_received)
        return NULL;
    if (n != n_received)
        return "batches at the end of paths = batches received";
    return n_items == node->account.received ? NULL : "items at the end of paths = received";
}

const char *meter_fault_of_node(const struct node *node)
{
    const struct node_meter *const meter = node->meter;
    const struct total worked = add_outcomes(meter->work);
    if (worked.n != node->account.n_visits)
        return "visits that ended = visits";
    if (worked.sum_ns != node->account.work_ns)
        return "work of visits = work time";
    if (meter->n_working || meter->busy >> 1 > node->account.work_ns)
        return "busy <= work time, and over";
    const char *fault = fault_of_inputs(node);
    fault = fault ? fault : fault_of_outputs(node);
    return fault ? fault : fault_of_paths(node);
}
