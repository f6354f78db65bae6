/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include "base/time.h"
#include "chance.h"

#include <stdio.h>

static const char *const types[ROLES] = {
    [ROLE_RECEIVER] = "receiver/sim", [ROLE_PASS] = "processor/pass",
    [ROLE_HOLD] = "processor/hold",   [ROLE_MERGE] = "processor/merge",
    [ROLE_RETRY] = "processor/retry", [ROLE_CUSTODY] = "processor/custody",
    [ROLE_EXPORTER] = "exporter/sim",
};

const char *role_type(enum role role)
{
    return types[role];
}

static uint64_t some_time(void)
{
    static const uint64_t scales[] = {10 * FTRI_NS_PER_US, FTRI_NS_PER_MS, 50 * FTRI_NS_PER_MS};
    return 1 + chance(scales[chance(FTRI_COUNT(scales))]);
}

static bool is_connected(const struct planned_node *from, size_t port, size_t to)
{
    for (size_t i = 0; i < from->n_edges[port]; i++)
        if (from->edges[port][i] == to)
            return true;
    return false;
}

static void connect(struct planned_node *from, size_t port, size_t to)
{
    if (!is_connected(from, port, to))
        from->edges[port][from->n_edges[port]++] = to;
}

static struct planned_node make_node(const struct plan *plan, enum role role)
{
    static const unsigned refusals[] = {0, 0, 1, 5, 10};
    return (struct planned_node){
        .role = role,
        .n_ports = role == ROLE_EXPORTER ? 0 : 1 + (chance_one_in(3) ? chance(PORTS_MAX) : 0),
        .is_hanging = !plan->is_kind && chance_one_in(8),
        .delay_ns = some_time(),
        .n_batches = 1 + chance(role != ROLE_RECEIVER ? 6
                                : plan->is_busy       ? 400
                                                      : 40),
        .refusals_of_ten = refusals[chance(FTRI_COUNT(refusals))],
    };
}

/* Everything is reached, every port leads somewhere; the rest by chance. Exporters are last, and a
 * graph without room for one has receivers that keep what they take in. */
static void make_graph(struct plan *plan)
{
    const size_t n = plan->n_nodes = 1 + chance(NODES_MAX);
    const size_t n_receivers = 1 + (n > 3 ? chance(2) : 0);
    const size_t n_inner =
        n - 1 > n_receivers ? n - 1 - chance(1 + (n - 1 - n_receivers) / 2) : n_receivers;
    for (size_t i = 0; i < n; i++) {
        const enum role role = i < n_receivers ? ROLE_RECEIVER
                               : i < n_inner   ? ROLE_PASS + chance(ROLE_EXPORTER - ROLE_PASS)
                                               : ROLE_EXPORTER;
        plan->nodes[i] = make_node(plan, role);
        if (n == n_receivers)
            plan->nodes[i].n_ports = 0;
    }
    for (size_t i = n_receivers; i < n; i++) {
        struct planned_node *const above = &plan->nodes[chance(i < n_inner ? i : n_inner)];
        connect(above, chance(above->n_ports), i);
    }
    for (size_t i = 0; i < n_inner && n > n_receivers; i++)
        for (size_t port = 0; port < plan->nodes[i].n_ports; port++) {
            const size_t first = i + 1 > n_receivers ? i + 1 : n_receivers;
            for (size_t k = plan->nodes[i].n_edges[port]; k == 0 || chance_one_in(4); k++)
                connect(&plan->nodes[i], port, first + chance(n - first));
        }
}

static enum ending some_ending(const struct plan *plan)
{
    if (!plan->is_kind && chance_one_in(6))
        return ENDING_FREE;
    return chance_one_in(plan->is_kind ? 2 : 3) ? ENDING_FINISH : ENDING_DRAIN;
}

static void make_ending(struct plan *plan)
{
    static const uint64_t timeouts[] = {0, FTRI_NS_PER_MS, 100 * FTRI_NS_PER_MS,
                                        3600 * FTRI_NS_PER_S};
    plan->ending = some_ending(plan);
    plan->ending_ns = chance_one_in(10) ? 0 : some_time() * 4;
    plan->timeout_ns = timeouts[plan->is_kind || plan->ending == ENDING_FINISH ? 3 : chance(4)];
}

static void make_fault(struct plan *plan)
{
    if (plan->is_kind || !chance_one_in(2))
        return;
    plan->fault = FAULT_NONE + 1 + chance(FAULTS - 1);
    plan->faulty_node = chance(plan->n_nodes);
    /* Only a node that may keep nothing can leak. */
    for (size_t i = 0; i < plan->n_nodes && plan->fault == FAULT_LEAK; i++)
        if (plan->nodes[i].role == ROLE_PASS || plan->nodes[i].role == ROLE_CUSTODY)
            plan->faulty_node = i;
    if (plan->fault == FAULT_AFTER_STOP)
        plan->nodes[plan->faulty_node].is_hanging = true; /* so that it has something */
    plan->fault_after = chance(6);
}

struct plan plan_make(void)
{
    struct plan plan = {.is_kind = chance_one_in(4), .is_recording = chance_one_in(2)};
    plan.is_busy = chance_one_in(15);
    plan.capacity = plan.is_busy ? 2000 : chance_one_in(4) ? 128 : 1 + chance(6);
    plan.chaos_ns = some_time();
    make_graph(&plan);
    make_ending(&plan);
    make_fault(&plan);
    return plan;
}

const char *plan_text(const struct plan *self)
{
    static char text[16384];
    size_t n = (size_t)snprintf(text, sizeof text, "nodes:\n");
    for (size_t i = 0; i < self->n_nodes; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "  n%zu: {type: %s, config: {index: %zu, ports: %zu}}%s\n", i,
                              types[self->nodes[i].role], i, self->nodes[i].n_ports,
                              self->nodes[i].is_hanging ? " # hangs" : "");
    n += (size_t)snprintf(text + n, sizeof text - n, "connections: # capacity %zu\n",
                          self->capacity);
    for (size_t i = 0; i < self->n_nodes; i++)
        for (size_t port = 0; port < self->nodes[i].n_ports; port++)
            for (size_t k = 0; k < self->nodes[i].n_edges[port]; k++)
                n += (size_t)snprintf(text + n, sizeof text - n,
                                      "  - {from: 'n%zu[\"p%zu\"]', to: n%zu}\n", i, port,
                                      self->nodes[i].edges[port][k]);
    return text;
}
