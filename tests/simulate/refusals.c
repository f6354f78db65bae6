/* SPDX-License-Identifier: Apache-2.0 */
#include "refusals.h"

#include "actors.h"
#include "base/error.h"
#include "chance.h"
#include "config/document.h"
#include "engine/graph.h"
#include "story.h"

#include <stdio.h>
#include <string.h>

static bool has_edge(const struct plan *plan, size_t from, size_t to)
{
    for (size_t port = 0; port < plan->nodes[from].n_ports; port++)
        for (size_t i = 0; i < plan->nodes[from].n_edges[port]; i++)
            if (plan->nodes[from].edges[port][i] == to)
                return true;
    return false;
}

/* Marks what can be reached from the marked ones. */
static void spread(const struct plan *plan, bool is_reached[NODES_MAX])
{
    for (size_t round = 0; round < plan->n_nodes; round++)
        for (size_t from = 0; from < plan->n_nodes; from++)
            for (size_t to = 0; to < plan->n_nodes; to++)
                is_reached[to] |= is_reached[from] && has_edge(plan, from, to);
}

static bool is_in_cycle(const struct plan *plan, size_t node)
{
    bool is_reached[NODES_MAX] = {false};
    for (size_t to = 0; to < plan->n_nodes; to++)
        is_reached[to] = has_edge(plan, node, to);
    spread(plan, is_reached);
    return is_reached[node];
}

static bool has_cycle(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++)
        if (is_in_cycle(plan, i))
            return true;
    return false;
}

static bool is_unreached(const struct plan *plan, size_t node)
{
    bool is_reached[NODES_MAX] = {false};
    for (size_t i = 0; i < plan->n_nodes; i++)
        is_reached[i] = plan->nodes[i].role == ROLE_RECEIVER;
    spread(plan, is_reached);
    return !is_reached[node];
}

static void remove_input(struct planned_node *from, size_t to)
{
    for (size_t port = 0; port < from->n_ports; port++) {
        size_t n = 0;
        for (size_t i = 0; i < from->n_edges[port]; i++)
            if (from->edges[port][i] != to)
                from->edges[port][n++] = from->edges[port][i];
        from->n_edges[port] = n;
    }
}

static void spoil(struct plan *plan)
{
    const size_t node = chance(plan->n_nodes), other = chance(node + 1);
    struct planned_node *const self = &plan->nodes[node];
    if (chance_one_in(3)) {
        for (size_t i = 0; i < plan->n_nodes; i++)
            remove_input(&plan->nodes[i], node);
    } else if (self->n_ports && chance_one_in(3)) {
        self->n_edges[chance(self->n_ports)] = 0;
    } else if (self->n_ports && plan->nodes[other].role != ROLE_RECEIVER &&
               !has_edge(plan, node, other)) {
        const size_t port = chance(self->n_ports);
        self->edges[port][self->n_edges[port]++] = other;
    }
}

/* "n1 -> n4 -> n1": along edges, each node once, back to the first. */
static void check_path(const struct plan *plan, const char *path)
{
    size_t first, at, next;
    bool is_passed[NODES_MAX] = {false};
    int n = 0;
    RULE(sscanf(path, "n%zu%n", &first, &n) == 1 && first < plan->n_nodes, "no path: %s", path);
    at = first;
    do {
        path += n;
        RULE(sscanf(path, " -> n%zu%n", &next, &n) == 1 && next < plan->n_nodes, "no path: %s",
             path);
        RULE(has_edge(plan, at, next) && !is_passed[next], "a cycle by n%zu -> n%zu", at, next);
        is_passed[next] = true;
        at = next;
    } while (at != first);
    RULE(path[n] == '\0', "a cycle and more: %s", path);
}

/* The node, or the port, that the reason names must be one that is the matter. */
static bool names_one(const struct plan *plan, const char *reason)
{
    char expected[64];
    bool is_any_unreached = false;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        if (!is_unreached(plan, i))
            continue;
        is_any_unreached = true;
        (void)snprintf(expected, sizeof expected, "no receiver reaches 'n%zu'", i);
        if (strstr(reason, expected))
            return true;
    }
    for (size_t i = 0; !is_any_unreached && i < plan->n_nodes; i++)
        for (size_t port = 0; port < plan->nodes[i].n_ports; port++) {
            (void)snprintf(expected, sizeof expected, "n%zu[\"p%zu\"] is not connected", i, port);
            if (plan->nodes[i].n_edges[port] == 0 && strstr(reason, expected))
                return true;
        }
    return false;
}

static bool is_good(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        if (is_unreached(plan, i))
            return false;
        for (size_t port = 0; port < plan->nodes[i].n_ports; port++)
            if (plan->nodes[i].n_edges[port] == 0)
                return false;
    }
    return true;
}

static void check_reason(const struct plan *plan, int status, const char *reason)
{
    static const char cycle[] = ": a cycle: ";
    const char *const path = strstr(reason, cycle);
    if (has_cycle(plan)) {
        RULE(status < 0 && path, "a graph with a cycle: %s", status < 0 ? reason : "was taken");
        check_path(plan, path + sizeof cycle - 1);
    } else if (is_good(plan)) {
        RULE(status == 0, "a good graph was refused: %s", reason);
    } else {
        RULE(status < 0 && names_one(plan, reason), "a graph that is not connected: %s",
             status < 0 ? reason : "was taken");
    }
}

void refusals_check(const struct plan *plan, struct loop *loop)
{
    struct plan spoilt = *plan;
    spoil(&spoilt);
    const char *const text = plan_text(&spoilt);
    story_graph(text);
    struct ftri_error error = {{0}};
    struct config_document *document = NULL;
    RULE(config_parse(ftr_str_from(text), "graph", &document, &error) == 0, "%s", error.text);
    const struct config_value *root = config_root(document);
    const struct graph_options options = {
        .classes = actor_classes,
        .nodes = config_get(root, "nodes"),
        .connections = config_get(root, "connections"),
    };
    struct graph *graph = NULL;
    const int r = graph_new(loop, &options, &graph, &error);
    check_reason(&spoilt, r, error.text);
    graph_free(graph);
    config_free(document);
}
