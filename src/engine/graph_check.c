/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/graph_check.h"

#include "base/error.h"
#include "config/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A node of the rest has an input from the rest: going back along those ends in a cycle. */
static const struct node *node_before(const struct node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]->from->n_unplaced)
            return node->inputs[i]->from;
    return NULL;
}

/* Appends to text what fits; a path longer than that is cut. */
static void append(char *text, size_t size, const char *id)
{
    const size_t len = strlen(text);
    snprintf(text + len, size - len, "%s%s", len ? " -> " : "", id);
}

/* room: for as many nodes as there are. */
static int refuse_cycle(const struct graph *graph, const struct node *rest,
                        const struct node **room, struct ftri_error *error)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        rest = node_before(rest); /* in the cycle, whatever hung below it */
    size_t n = 0, first = 0;
    const struct node *at = rest;
    do {
        room[n] = at;
        if (at->index < room[first]->index)
            first = n;
        n++;
        at = node_before(at);
    } while (at != rest);
    /* Collected backwards; told forwards, from the first in the file and back to it. */
    char text[300] = "";
    for (size_t i = 0; i <= n; i++)
        append(text, sizeof text, room[(first + n - i) % n]->id);
    return config_error(room[first]->place, error, -EINVAL, "a cycle: %s", text);
}

/* Places a node when all before it are placed; those left over are in cycles or behind them. */
static size_t place_all(const struct graph *graph, struct node **order)
{
    size_t n = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        graph->nodes[i]->index = i;
        graph->nodes[i]->n_unplaced = graph->nodes[i]->n_inputs;
        if (graph->nodes[i]->n_inputs == 0)
            order[n++] = graph->nodes[i];
    }
    for (size_t next = 0; next < n; next++) {
        const struct node *node = order[next];
        for (size_t i = 0; i < node->n_ports; i++)
            for (size_t j = 0; j < node->ports[i].n_edges; j++)
                if (--node->ports[i].edges[j]->to->n_unplaced == 0)
                    order[n++] = node->ports[i].edges[j]->to;
    }
    return n;
}

static int put_in_order(struct graph *graph, struct ftri_error *error)
{
    struct node **order = ftri_arena_alloc(&graph->arena, graph->n_nodes * sizeof(struct node *));
    if (!order)
        return ftri_error_set(error, -ENOMEM, "building the graph: memory is short");
    if (place_all(graph, order) < graph->n_nodes) {
        size_t i = 0;
        while (graph->nodes[i]->n_unplaced == 0)
            i++;
        return refuse_cycle(graph, graph->nodes[i], (const struct node **)order, error);
    }
    graph->nodes = order;
    size_t n_edges = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node *const node = order[i];
        node->index = i;
        for (size_t j = 0; j < node->n_ports; j++)
            for (size_t k = 0; k < node->ports[j].n_edges; k++)
                graph->edges[n_edges++] = node->ports[j].edges[k];
    }
    return 0;
}

/* In topological order: what is above has been looked at. */
static int check_reached(const struct graph *graph, struct ftri_error *error)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node *const node = graph->nodes[i];
        node->is_reached = node->class->kind == FTR_NODE_RECEIVER;
        for (size_t j = 0; j < node->n_inputs; j++)
            node->is_reached = node->is_reached || node->inputs[j]->from->is_reached;
        if (!node->is_reached)
            return config_error(node->place, error, -EINVAL, "no receiver reaches '%s'", node->id);
    }
    return 0;
}

static int check_ports(const struct graph *graph, struct ftri_error *error)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = graph->nodes[i];
        for (size_t j = 0; j < node->n_ports; j++)
            if (node->ports[j].n_edges == 0)
                return config_error(node->place, error, -EINVAL, "%s[\"%s\"] is not connected",
                                    node->id, node->ports[j].name.data);
    }
    return 0;
}

int graph_check(struct graph *graph, struct ftri_error *error)
{
    int r = put_in_order(graph, error);
    if (r == 0)
        r = check_reached(graph, error);
    return r < 0 ? r : check_ports(graph, error);
}
