/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/graph.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/action.h"
#include "engine/crossing.h"
#include "engine/custody.h"
#include "engine/drain.h"
#include "engine/graph_build.h"
#include "engine/path.h"
#include "engine/pdata_pool.h"
#include "engine/scheduler.h"
#include "net/loop.h"

#include <errno.h>

enum { CAPACITY_DEFAULT = 128, ARENA_BYTES_MAX = 256 * 1024 * 1024 };

int graph_new(struct loop *loop, const struct graph_options *options, struct graph **ret_graph,
              struct ftri_error *error)
{
    struct graph *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "building the graph: memory is short");
    self->loop = loop;
    self->options = *options;
    self->capacity = options->channel_capacity ? options->channel_capacity : CAPACITY_DEFAULT;
    ftri_arena_init(&self->arena, ARENA_BYTES_MAX);
    ftri_list_init(&self->ready);
    ftri_list_init(&self->running);
    ftri_list_init(&self->spare);
    self->start_ns = ftri_time_wall_ns();
    const int r = graph_build(self, error);
    if (r < 0) {
        graph_free(self);
        return r;
    }
    *ret_graph = self;
    return 0;
}

void graph_stop_node(struct node *node)
{
    loop_timer_free(node->timer);
    node->timer = NULL;
    if (node->is_started && node->class->stop)
        node->class->stop(node);
    node->is_stopped = true;
}

static void on_timer(void *argument)
{
    scheduler_control(argument, CONTROL_TIMER_TICK);
}

static int start_node(struct node *node, struct ftri_error *error)
{
    node->timer = loop_timer_new(node->graph->loop, on_timer, node);
    if (!node->timer)
        return ftri_error_set(error, -ENOMEM, "%s '%s': memory is short", node->class->type,
                              node->id);
    const int r = node->class->start ? node->class->start(node, error) : 0;
    if (r < 0)
        return ftri_error_prefix(error, r, "%s '%s'", node->class->type, node->id);
    node->is_started = true;
    return 0;
}

/* Receivers first, whatever lies above a node being before it. */
static void stop_all(struct graph *self)
{
    for (size_t i = 0; i < self->n_nodes; i++)
        if (!self->nodes[i]->is_stopped)
            graph_stop_node(self->nodes[i]);
}

int graph_start_nodes(struct graph *self, struct ftri_error *error)
{
    int r = 0;
    for (size_t i = self->n_nodes; r == 0 && i > 0; i--)
        if (!self->nodes[i - 1]->is_stopped) /* only on the first loop */
            r = start_node(self->nodes[i - 1], error);
    return r;
}

int graph_start(struct graph *self, struct ftri_error *error)
{
    int r = scheduler_init(self);
    if (r < 0)
        return ftri_error_errno(error, r, "starting the graph");
    r = graph_start_nodes(self, error);
    if (r < 0) {
        drain_force(self);
        stop_all(self);
    }
    return r;
}

static void free_node(struct node *node)
{
    scheduler_clear(node);
    custody_free_shells(node);
    ftr_node_free(node->recorder);
    ftri_free(node->options);
    ftri_free(node->state);
}

void graph_end(struct graph *self)
{
    drain_force(self);
    stop_all(self);
    for (size_t kind = 0; kind < CONTROL_KINDS; kind++)
        action_end(self, (enum control_kind)kind, "the graph ended before all nodes were told");
}

void graph_free(struct graph *self)
{
    if (!self)
        return;
    graph_end(self);
    for (size_t i = 0; i < self->n_nodes; i++)
        free_node(self->nodes[i]);
    for (size_t i = 0; self->edges && i < self->n_edges; i++)
        if (self->edges[i]->crossing)
            crossing_deinit(self->edges[i]->crossing);
    paths_free(self->paths);
    pdata_pool_deinit(self);
    frame_pool_deinit(self);
    loop_timer_free(self->drain_timer);
    scheduler_deinit(self);
    ftri_arena_deinit(&self->arena);
    ftri_free(self);
}

void graph_set_tracing(struct graph *self, const ftr_mode *mode)
{
    for (size_t i = 0; i < self->n_nodes; i++)
        ftr_node_set_mode(self->nodes[i]->recorder, mode);
}

void graph_collect_telemetry(struct graph *self)
{
    for (size_t i = 0; i < self->n_nodes; i++)
        scheduler_control(self->nodes[i], CONTROL_COLLECT_TELEMETRY);
}

void graph_configured(struct graph *self, const ftr_attribute *attributes, size_t n_attributes,
                      const char *error)
{
    if (error) {
        action_refuse(self, CONTROL_CONFIG, attributes, n_attributes, error);
        return;
    }
    action_begin(self, CONTROL_CONFIG, attributes, n_attributes);
    action_tell_all(self, CONTROL_CONFIG);
}

bool graph_node_view(const struct graph *self, size_t i, struct graph_node_view *ret_view)
{
    if (i >= self->n_nodes)
        return false;
    const struct node *node = self->nodes[i];
    *ret_view = (struct graph_node_view){node->id, node->class->type,
                                         self->sums ? &self->sums->nodes[i] : &node->account};
    return true;
}

bool graph_edge_view(const struct graph *self, size_t i, struct graph_edge_view *ret_view)
{
    if (i >= self->n_edges)
        return false;
    const struct edge *edge = self->edges[i];
    *ret_view = (struct graph_edge_view){edge->from->id, edge->port->name.data, edge->to->id,
                                         self->sums ? &self->sums->edges[i] : &edge->account};
    return true;
}
