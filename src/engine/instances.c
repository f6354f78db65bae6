/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/instances.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/crossing.h"
#include "engine/drain.h"
#include "engine/instances_state.h"
#include "engine/partition.h"
#include "engine/scheduler.h"

#include <errno.h>
#include <string.h>

/* -- building -- */

static enum node_state_of state_of(const struct node *node)
{
    return node->class->configured_state ? node->class->configured_state(node->options)
                                         : node->class->state;
}

/* A node that is on the first loop only has neither anything to do here nor anything to wait for.
 */
static void leave_out(struct graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node *const node = graph->nodes[i];
        if (graph->instance->index && state_of(node) == STATE_OF_GRAPH)
            node->is_stopped = node->is_finished = node->is_drained = true;
    }
}

static int make_crossings(struct graph *graph, size_t n_loops)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < graph->n_edges; i++) {
        struct edge *const edge = graph->edges[i];
        const enum node_state_of to = state_of(edge->to);
        if (to == STATE_OF_BATCH || (to == STATE_OF_GRAPH && state_of(edge->from) == to))
            continue;
        r = crossing_new(graph, edge, to == STATE_OF_TRACE, n_loops);
        struct port *const port = &edge->from->ports[edge->port - edge->from->ports];
        port->is_crossing = true;
        port->only = NULL;
    }
    return r;
}

static void join_inlets(struct instance *self, struct node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        struct edge *const edge = node->inputs[i];
        for (size_t loop = 0; edge->crossing && loop < self->all->n_loops; loop++) {
            const struct graph *const sender = self->all->instances[loop].graph;
            const struct crossing *const crossing = sender->nodes[node->index]->inputs[i]->crossing;
            if (crossing_reaches(crossing, self->index))
                node->inlets[node->n_inlets++] =
                    (struct inlet){&crossing->lanes[self->index], crossing, edge};
        }
    }
}

static int make_inlets(struct instance *self)
{
    struct graph *const graph = self->graph;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node *const node = graph->nodes[i];
        const size_t n = node->n_inputs * self->all->n_loops;
        node->inlets = ftri_arena_alloc(&graph->arena, (n + 1) * sizeof *node->inlets);
        if (!node->inlets)
            return -ENOMEM;
        join_inlets(self, node);
    }
    return 0;
}

static int make_sums(const struct graph *graph, struct account_sums *ret_sums)
{
    const size_t n_nodes = graph->n_nodes, n_edges = graph->n_edges + 1;
    ret_sums->nodes = ftri_zalloc(n_nodes * sizeof *ret_sums->nodes);
    ret_sums->edges = ftri_zalloc(n_edges * sizeof *ret_sums->edges);
    return ret_sums->nodes && ret_sums->edges ? 0 : -ENOMEM;
}

static void free_sums(struct account_sums *sums)
{
    ftri_free(sums->nodes);
    ftri_free(sums->edges);
}

static int build_one(struct instances *self, size_t i, struct loop *loop,
                     const struct graph_options *options, struct ftri_error *error)
{
    struct instance *const instance = &self->instances[i];
    *instance = (struct instance){.all = self, .index = i};
    struct graph_options own = *options;
    own.loop = i;
    own.n_loops = self->n_loops;
    int r = graph_new(loop, &own, &instance->graph, error);
    if (r < 0 || self->n_loops == 1)
        return r;
    instance->graph->instance = instance;
    leave_out(instance->graph);
    r = make_crossings(instance->graph, self->n_loops);
    if (r == 0)
        r = make_sums(instance->graph, &instance->sums);
    return r < 0 ? ftri_error_set(error, r, "building the graph: memory is short") : 0;
}

static int build(struct instances *self, struct loop *const *loops,
                 const struct graph_options *options, struct ftri_error *error)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < self->n_loops; i++)
        r = build_one(self, i, loops[i], options, error);
    if (r < 0 || self->n_loops == 1)
        return r;
    struct graph *const first = self->instances[0].graph;
    r = make_sums(first, &self->sums);
    first->sums = &self->sums;
    for (size_t i = 0; r == 0 && i < self->n_loops; i++)
        r = make_inlets(&self->instances[i]);
    atomic_store(&self->n_resting[REST_NOT], self->n_loops);
    return r < 0 ? ftri_error_set(error, r, "building the graph: memory is short") : 0;
}

int instances_new(struct loop *const *loops, size_t n_loops, const struct graph_options *options,
                  struct instances **ret_instances, struct ftri_error *error)
{
    _Static_assert((int)INSTANCES_MAX == (int)PARTITION_LOOPS_MAX, "each has its part");
    assert(n_loops > 0 && n_loops <= INSTANCES_MAX);
    struct instances *const self = ftri_zalloc(sizeof *self);
    struct instance *const room = ftri_zalloc(n_loops * sizeof *room);
    if (!self || !room) {
        ftri_free(self);
        ftri_free(room);
        return ftri_error_set(error, -ENOMEM, "building the graph: memory is short");
    }
    self->instances = room;
    self->n_loops = n_loops;
    const int r = build(self, loops, options, error);
    if (r < 0) {
        instances_free(self);
        return r;
    }
    *ret_instances = self;
    return 0;
}

struct graph *instances_graph(struct instances *self)
{
    return self->instances[0].graph;
}

/* -- the end -- */

/* Until nothing is on its way between them; each answer may bring about others. */
static void settle(struct instances *self)
{
    bool is_quiet = false;
    while (!is_quiet) {
        is_quiet = true;
        for (size_t i = 0; i < self->n_loops; i++) {
            struct instance *const instance = &self->instances[i];
            if (!instance->graph || !atomic_load(&instance->is_woken))
                continue;
            instance_on_wake(instance);
            is_quiet = false;
        }
    }
}

/* Whatever lies above a node is stopped before it, on every loop. */
static void stop_all(struct instances *self)
{
    for (size_t i = 0; i < self->instances[0].graph->n_nodes; i++)
        for (size_t loop = 0; loop < self->n_loops; loop++)
            if (!self->instances[loop].graph->nodes[i]->is_stopped)
                graph_stop_node(self->instances[loop].graph->nodes[i]);
}

static void end(struct instances *self)
{
    for (size_t i = 0; i < self->n_loops; i++)
        drain_force(self->instances[i].graph);
    settle(self);
    stop_all(self);
    settle(self);
}

/* Each is a graph of its own again. */
static void part(struct instances *self)
{
    for (size_t i = 0; i < self->n_loops; i++) {
        struct graph *const graph = self->instances[i].graph;
        for (size_t j = 0; graph && j < graph->n_nodes; j++)
            graph->nodes[j]->n_inlets = 0;
    }
}

static bool is_built(const struct instances *self)
{
    size_t n = 0;
    while (n < self->n_loops && self->instances[n].graph && self->instances[n].graph->instance)
        n++;
    return n > 1 && n == self->n_loops && self->sums.edges;
}

void instances_end(struct instances *self)
{
    if (!self)
        return;
    self->on_collected = NULL;
    if (is_built(self))
        end(self);
    part(self);
    for (size_t i = 0; i < self->n_loops; i++)
        if (self->instances[i].graph)
            graph_end(self->instances[i].graph);
}

void instances_free(struct instances *self)
{
    if (!self)
        return;
    instances_end(self);
    for (size_t i = 0; i < self->n_loops; i++) {
        graph_free(self->instances[i].graph);
        free_sums(&self->instances[i].sums);
    }
    free_sums(&self->sums);
    ftri_free(self->instances);
    ftri_free(self);
}

/* -- life -- */

static int start(struct instances *self, struct ftri_error *error)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < self->n_loops; i++)
        r = scheduler_init(self->instances[i].graph);
    if (r < 0)
        return ftri_error_errno(error, r, "starting the graph");
    for (size_t i = 0; r == 0 && i < self->n_loops; i++) {
        r = graph_start_nodes(self->instances[i].graph, error);
        scheduler_arm(self->instances[i].graph); /* one without receivers has finished */
    }
    return r;
}

int instances_start(struct instances *self, struct ftri_error *error)
{
    if (self->n_loops == 1)
        return graph_start(self->instances[0].graph, error);
    const int r = start(self, error);
    if (r < 0)
        end(self);
    return r;
}

void instances_drain(struct instances *self, uint64_t timeout_ns)
{
    struct graph *const first = self->instances[0].graph;
    graph_drain(first, timeout_ns);
    if (self->n_loops == 1 || atomic_load(&self->is_draining))
        return;
    self->half_ns = first->drain_half_ns;
    self->deadline_ns = first->drain_deadline_ns;
    atomic_store(&self->is_draining, true);
    instance_wake_others(&self->instances[0]);
}

void instances_set_tracing(struct instances *self, const ftr_mode *mode)
{
    for (size_t i = 0; i < self->n_loops; i++)
        graph_set_tracing(self->instances[i].graph, mode);
}

void instances_configured(struct instances *self, const ftr_attribute *attributes,
                          size_t n_attributes, const char *error)
{
    graph_configured(self->instances[0].graph, attributes, n_attributes, error);
    if (error || self->n_loops == 1)
        return;
    (void)atomic_fetch_add(&self->n_configured, 1);
    instance_wake_others(&self->instances[0]);
}

/* -- accounts -- */

static void add_up(void *sum, const void *more, size_t size)
{
    uint64_t *const to = sum;
    const uint64_t *const from = more;
    for (size_t i = 0; i < size / sizeof *to; i++)
        to[i] += from[i];
}

_Static_assert(sizeof(struct node_account) % sizeof(uint64_t) == 0, "counters alone");
_Static_assert(sizeof(struct edge_account) % sizeof(uint64_t) == 0, "counters alone");

static void sum_nodes(struct instances *self, size_t i)
{
    struct node_account *const sum = &self->sums.nodes[i];
    uint64_t deepest = 0;
    *sum = (struct node_account){0};
    for (size_t loop = 0; loop < self->n_loops; loop++) {
        const struct node_account *const one = &self->instances[loop].sums.nodes[i];
        add_up(sum, one, sizeof *sum);
        deepest = one->queue_depth_max > deepest ? one->queue_depth_max : deepest;
    }
    sum->queue_depth_max = deepest;
}

/* What was handed over and not taken lies between the loops. */
static void sum_edges(struct instances *self, size_t i)
{
    struct edge_account *const sum = &self->sums.edges[i];
    *sum = (struct edge_account){0};
    for (size_t loop = 0; loop < self->n_loops; loop++)
        add_up(sum, &self->instances[loop].sums.edges[i], sizeof *sum);
    sum->queued += sum->handed - sum->taken;
}

static void sum_all(struct instances *self)
{
    for (size_t i = 0; i < self->instances[0].graph->n_nodes; i++)
        sum_nodes(self, i);
    for (size_t i = 0; i < self->instances[0].graph->n_edges; i++)
        sum_edges(self, i);
}

void instances_sum(struct instances *self)
{
    if (self->n_loops == 1)
        return;
    for (size_t i = 0; i < self->n_loops; i++)
        instance_copy_accounts(&self->instances[i]);
    sum_all(self);
}

void instances_look_at_sums(struct instances *self)
{
    void (*const on_collected)(void *argument) = self->on_collected;
    if (!on_collected || atomic_load(&self->n_missing))
        return;
    self->on_collected = NULL;
    sum_all(self);
    on_collected(self->argument);
}

void instances_collect(struct instances *self, void (*on_collected)(void *argument), void *argument)
{
    if (self->n_loops == 1) {
        graph_collect_telemetry(self->instances[0].graph);
        on_collected(argument);
        return;
    }
    const bool is_under_way = self->on_collected != NULL;
    self->on_collected = on_collected;
    self->argument = argument;
    if (is_under_way)
        return;
    atomic_store(&self->n_missing, self->n_loops);
    const uint32_t epoch = atomic_fetch_add(&self->epoch, 1) + 1;
    instance_reach(&self->instances[0], epoch);
    instance_wake_others(&self->instances[0]);
}

static int check_crossed(const struct instances *self, struct ftri_error *error)
{
    const struct graph *const first = self->instances[0].graph;
    for (size_t i = 0; i < first->n_edges; i++) {
        uint64_t n_handed = 0, n_taken = 0;
        for (size_t loop = 0; loop < self->n_loops; loop++) {
            const struct edge *const edge = self->instances[loop].graph->edges[i];
            n_handed += edge->account.handed;
            n_taken += edge->account.taken;
        }
        const struct edge *const edge = first->edges[i];
        if (n_handed != n_taken)
            return ftri_error_set(error, -EBADMSG,
                                  "%s[\"%s\"] -> %s: %llu items were handed to other loops, and "
                                  "%llu taken",
                                  edge->from->id, edge->port->name.data, edge->to->id,
                                  (unsigned long long)n_handed, (unsigned long long)n_taken);
    }
    return 0;
}

int instances_check_accounts(const struct instances *self, struct ftri_error *error)
{
    int r = 0;
    bool is_at_rest = true;
    for (size_t i = 0; r == 0 && i < self->n_loops; i++) {
        r = graph_check_accounts(self->instances[i].graph, error);
        is_at_rest = is_at_rest && self->instances[i].graph->n_live == 0;
    }
    return r == 0 && is_at_rest ? check_crossed(self, error) : r;
}
