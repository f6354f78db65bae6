/* SPDX-License-Identifier: Apache-2.0
 *
 * First the nodes, each by itself; then the connections between them; last what only the whole
 * shows: cycles, nodes that nothing reaches, ports that lead nowhere. */
#include "engine/graph_build.h"

#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/document.h"
#include "engine/graph_check.h"
#include "engine/meter.h"
#include "engine/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PORTS_MAX = 64, CLASSES_MAX = 256, OWNER_BYTES = 256 };

struct builder {
    struct graph *graph;
    struct ftri_error *error;
    struct ftri_map by_id;
    const char **ids; /* of all nodes, for the nearest */
};

static int short_of_memory(const struct builder *self)
{
    return ftri_error_set(self->error, -ENOMEM, "building the graph: memory is short");
}

/* "; did you mean 'x'?", or nothing. */
static const char *suggest(const char *near, char ret_text[OWNER_BYTES])
{
    ret_text[0] = '\0';
    if (near)
        snprintf(ret_text, OWNER_BYTES, "; did you mean '%s'?", near);
    return ret_text;
}

static int check_keys(const struct builder *self, const struct config_value *mapping,
                      const char *const allowed[2])
{
    for (size_t i = 0; i < config_size(mapping); i++) {
        const struct config_value *key = config_key(mapping, i);
        const char *text = config_text(key);
        if (strcmp(text, allowed[0]) == 0 || strcmp(text, allowed[1]) == 0)
            continue;
        char hint[OWNER_BYTES];
        return config_error(key, self->error, -EINVAL, "'%.100s' is neither '%s' nor '%s'%s", text,
                            allowed[0], allowed[1],
                            suggest(ftri_text_nearest(text, allowed, 2), hint));
    }
    return 0;
}

static const struct node_class *find_class(const struct builder *self, const char *type)
{
    const struct node_class *const *classes = self->graph->options.classes;
    for (size_t i = 0; classes[i]; i++)
        if (strcmp(classes[i]->type, type) == 0)
            return classes[i];
    return NULL;
}

static int refuse_type(const struct builder *self, const struct config_value *type)
{
    const char *names[CLASSES_MAX];
    size_t n = 0;
    for (; n < CLASSES_MAX && self->graph->options.classes[n]; n++)
        names[n] = self->graph->options.classes[n]->type;
    char hint[OWNER_BYTES];
    return config_error(type, self->error, -EINVAL, "there is no node type '%.100s'%s",
                        config_text(type),
                        suggest(ftri_text_nearest(config_text(type), names, n), hint));
}

/* The class's own check may know the place, or leave it to us. */
static int check_options(const struct builder *self, const struct node *node,
                         const struct config_value *section)
{
    if (!node->class->check)
        return 0;
    struct ftri_error reason = {{0}};
    const int r = node->class->check(node->options, &reason);
    if (r >= 0)
        return 0;
    if (config_error_has_place(node->place, &reason))
        return ftri_error_set(self->error, r, "%s", reason.text);
    return config_error(section ? section : node->place, self->error, r, "%s '%s': %s",
                        node->class->type, node->id, reason.text);
}

static int read_options(const struct builder *self, struct node *node,
                        const struct config_value *section)
{
    const struct option_table *table = &node->class->options;
    node->options = ftri_zalloc(table->values_size);
    node->state = ftri_zalloc(node->class->state_size);
    if (!node->options || !node->state)
        return short_of_memory(self);
    char owner[OWNER_BYTES];
    snprintf(owner, sizeof owner, "%s '%s'", node->class->type, node->id);
    struct ftri_error reason = {{0}};
    const int r = options_read(table, section, owner, node->options, &reason);
    if (r == 0)
        return check_options(self, node, section);
    if (config_error_has_place(node->place, &reason))
        return ftri_error_set(self->error, r, "%s", reason.text);
    return config_error(node->place, self->error, r, "%s", reason.text);
}

static size_t list_ports(const struct node *node, const char *ret_names[PORTS_MAX])
{
    if (node->class->configured_ports)
        return node->class->configured_ports(node->options, ret_names, PORTS_MAX);
    if (!node->class->ports) {
        ret_names[0] = "out";
        return node->class->kind != FTR_NODE_EXPORTER;
    }
    size_t n = 0;
    for (; n < PORTS_MAX && node->class->ports[n]; n++)
        ret_names[n] = node->class->ports[n];
    return n;
}

static int make_ports(const struct builder *self, struct node *node)
{
    const char *names[PORTS_MAX];
    node->n_ports = list_ports(node, names);
    node->ports = ftri_arena_alloc(&self->graph->arena, (node->n_ports + 1) * sizeof *node->ports);
    if (!node->ports)
        return short_of_memory(self);
    for (size_t i = 0; i < node->n_ports; i++)
        node->ports[i] = (struct port){.name = ftr_str_from(names[i])};
    return 0;
}

static void init_lists(struct node *node)
{
    ftri_list_init(&node->ready);
    ftri_list_init(&node->data);
    ftri_list_init(&node->waiting);
    ftri_list_init(&node->control);
    ftri_list_init(&node->in_hand);
    for (size_t i = 0; i < CONTROL_KINDS; i++)
        ftri_list_init(&node->messages[i].link);
    node->is_accepting = true;
}

static struct node *append_node(const struct builder *self, const struct config_value *id)
{
    struct graph *const graph = self->graph;
    struct node *node = ftri_arena_alloc(&graph->arena, sizeof *node);
    struct node_meter *meter = ftri_arena_alloc(&graph->arena, sizeof *meter);
    if (!node || !meter)
        return NULL;
    memset(node, 0, sizeof *node);
    memset(meter, 0, sizeof *meter);
    node->graph = graph;
    node->meter = meter;
    node->id = config_text(id);
    node->place = id;
    init_lists(node);
    self->ids[graph->n_nodes] = node->id;
    graph->nodes[graph->n_nodes++] = node;
    return node;
}

static int make_recorder(const struct builder *self, struct node *node)
{
    const char *pipeline = self->graph->options.pipeline;
    const char *conventions = self->graph->options.conventions;
    const ftr_node_options options = {
        .size = sizeof options,
        .id = ftr_str_from(node->id),
        .type = ftr_str_from(node->class->type),
        .kind = node->class->kind,
        .pipeline = ftr_str_from(pipeline ? pipeline : ""),
        .is_stateful = node->class->is_stateful,
        .conventions = ftr_str_from(conventions ? conventions : ""),
        .has_loop = self->graph->options.n_loops > 1,
        .loop = (uint32_t)self->graph->options.loop,
        .generation = self->graph->options.generation,
    };
    node->recorder = ftr_node_new(&options);
    if (!node->recorder)
        return short_of_memory(self);
    for (size_t i = 0; i < CONTROL_KINDS; i++) {
        const ftr_str name = ftr_str_from(control_name((enum control_kind)i));
        self->graph->control_names[i] = ftr_node_word(node->recorder, name);
    }
    return 0;
}

static int build_node(struct builder *self, size_t i)
{
    static const char *const allowed[2] = {"type", "config"};
    const struct config_value *id = config_key(self->graph->options.nodes, i);
    const struct config_value *value = config_value_at(self->graph->options.nodes, i);
    if (config_text(id)[0] == '\0' || strpbrk(config_text(id), "[]\""))
        return config_error(id, self->error, -EINVAL, "'%.100s' is not a name for a node",
                            config_text(id));
    if (config_kind(value) != CONFIG_MAPPING)
        return config_error(value, self->error, -EINVAL,
                            "node '%.100s': expected {type: ..., config: ...}", config_text(id));
    int r = check_keys(self, value, allowed);
    const struct config_value *type = config_get(value, "type");
    if (r == 0 && (!type || config_kind(type) != CONFIG_SCALAR))
        r = config_error(type ? type : value, self->error, -EINVAL, "node '%.100s' has no type",
                         config_text(id));
    if (r < 0)
        return r;
    const struct node_class *class = find_class(self, config_text(type));
    if (!class)
        return refuse_type(self, type);
    struct node *const node = append_node(self, id);
    if (!node || ftri_map_set(&self->by_id, ftr_str_from(node->id), node) < 0)
        return short_of_memory(self);
    node->class = class;
    r = read_options(self, node, config_get(value, "config"));
    if (r == 0)
        r = make_ports(self, node);
    return r < 0 ? r : make_recorder(self, node);
}

static int build_nodes(struct builder *self)
{
    const struct config_value *nodes = self->graph->options.nodes;
    if (!nodes)
        return ftri_error_set(self->error, -EINVAL, "there is no 'nodes'");
    if (config_kind(nodes) != CONFIG_MAPPING || config_size(nodes) == 0)
        return config_error(nodes, self->error, -EINVAL,
                            "nodes: expected a mapping of names to {type: ..., config: ...}");
    const size_t n = config_size(nodes);
    self->graph->nodes = ftri_arena_alloc(&self->graph->arena, n * sizeof(struct node *));
    self->ids = ftri_arena_alloc(&self->graph->arena, n * sizeof *self->ids);
    if (!self->graph->nodes || !self->ids)
        return short_of_memory(self);
    for (size_t i = 0; i < n; i++) {
        const int r = build_node(self, i);
        if (r < 0)
            return r;
    }
    return 0;
}

static int find_node(const struct builder *self, const struct config_value *place, ftr_str id,
                     struct node **ret_node)
{
    *ret_node = ftri_map_get(&self->by_id, id);
    if (*ret_node)
        return 0;
    char name[OWNER_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)ftri_size_min(id.len, 100), id.data);
    char hint[OWNER_BYTES];
    return config_error(place, self->error, -EINVAL, "there is no node '%s'%s", name,
                        suggest(ftri_text_nearest(name, self->ids, self->graph->n_nodes), hint));
}

static int refuse_port(const struct builder *self, const struct config_value *place,
                       const struct node *node, const char *name)
{
    const char *names[PORTS_MAX];
    for (size_t i = 0; i < node->n_ports; i++)
        names[i] = node->ports[i].name.data;
    char hint[OWNER_BYTES];
    return config_error(place, self->error, -EINVAL, "'%s' has no port '%s'%s", node->id, name,
                        suggest(ftri_text_nearest(name, names, node->n_ports), hint));
}

/* The port of a node that is named without one. */
static int default_port(const struct builder *self, const struct config_value *place,
                        const struct node *node, size_t *ret_port)
{
    *ret_port = node->n_ports == 1 ? 0 : node_port(node, "out");
    if (*ret_port < node->n_ports)
        return 0;
    return config_error(place, self->error, -EINVAL,
                        "'%s' has %zu ports; name one, such as %s[\"%s\"]", node->id, node->n_ports,
                        node->id, node->ports[0].name.data);
}

/* node or node["port"] */
static int find_port(const struct builder *self, const struct config_value *from,
                     struct node **ret_node, size_t *ret_port)
{
    const char *text = config_text(from);
    const char *bracket = strchr(text, '[');
    const size_t id_len = bracket ? (size_t)(bracket - text) : strlen(text);
    int r = find_node(self, from, (ftr_str){text, id_len}, ret_node);
    if (r < 0)
        return r;
    const struct node *node = *ret_node;
    if (node->n_ports == 0)
        return config_error(from, self->error, -EINVAL, "%s '%s' has no output", node->class->type,
                            node->id);
    if (!bracket)
        return default_port(self, from, node, ret_port);
    const size_t len = strlen(bracket);
    char name[OWNER_BYTES];
    if (len < 5 || len - 4 >= sizeof name || bracket[1] != '"' ||
        strcmp(bracket + len - 2, "\"]") != 0)
        return config_error(from, self->error, -EINVAL,
                            "'%.100s' is not a node, nor a node's port as in %s[\"%s\"]", text,
                            node->id, node->ports[0].name.data);
    memcpy(name, bracket + 2, len - 4);
    name[len - 4] = '\0';
    *ret_port = node_port(node, name);
    return *ret_port < node->n_ports ? 0 : refuse_port(self, from, node, name);
}

static int append_edge(const struct builder *self, struct node *from, size_t port_index,
                       struct node *to)
{
    struct graph *const graph = self->graph;
    struct edge *edge = ftri_arena_alloc(&graph->arena, sizeof *edge);
    struct edge_meter *meter = ftri_arena_alloc(&graph->arena, sizeof *meter);
    if (!edge || !meter)
        return short_of_memory(self);
    memset(meter, 0, sizeof *meter);
    *edge = (struct edge){
        .from = from,
        .to = to,
        .port = &from->ports[port_index],
        .meter = meter,
        .index = from->n_outputs++,
    };
    graph->edges[graph->n_edges++] = edge;
    from->ports[port_index].n_edges++;
    to->n_inputs++;
    return 0;
}

static int build_connection(const struct builder *self, const struct config_value *item)
{
    static const char *const allowed[2] = {"from", "to"};
    if (config_kind(item) != CONFIG_MAPPING)
        return config_error(item, self->error, -EINVAL,
                            "connections: expected {from: ..., to: ...}");
    int r = check_keys(self, item, allowed);
    if (r < 0)
        return r;
    const struct config_value *ends[2];
    for (size_t i = 0; i < 2; i++) {
        ends[i] = config_get(item, allowed[i]);
        if (!ends[i] || config_kind(ends[i]) != CONFIG_SCALAR)
            return config_error(ends[i] ? ends[i] : item, self->error, -EINVAL,
                                "connections: '%s' must name a node", allowed[i]);
    }
    struct node *from = NULL, *to = NULL;
    size_t port = 0;
    r = find_port(self, ends[0], &from, &port);
    if (r == 0)
        r = find_node(self, ends[1], ftr_str_from(config_text(ends[1])), &to);
    if (r < 0)
        return r;
    if (!to->class->consume)
        return config_error(ends[1], self->error, -EINVAL, "%s '%s' takes no input",
                            to->class->type, to->id);
    for (size_t i = 0; i < self->graph->n_edges; i++)
        if (self->graph->edges[i]->port == &from->ports[port] && self->graph->edges[i]->to == to)
            return config_error(item, self->error, -EINVAL,
                                "%s[\"%s\"] is connected to '%s' already", from->id,
                                from->ports[port].name.data, to->id);
    return append_edge(self, from, port, to);
}

/* Room for what append_edge counted, then each edge at both its ends. */
static int attach_edges(const struct builder *self)
{
    struct graph *const graph = self->graph;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node *const node = graph->nodes[i];
        node->inputs = ftri_arena_alloc(&graph->arena, (node->n_inputs + 1) * sizeof *node->inputs);
        if (!node->inputs)
            return short_of_memory(self);
        node->n_inputs = 0;
        for (size_t j = 0; j < node->n_ports; j++) {
            struct port *const port = &node->ports[j];
            port->edges =
                ftri_arena_alloc(&graph->arena, (port->n_edges + 1) * sizeof *port->edges);
            if (!port->edges)
                return short_of_memory(self);
            port->n_edges = 0;
        }
    }
    for (size_t i = 0; i < graph->n_edges; i++) {
        struct edge *const edge = graph->edges[i];
        struct port *const port = &edge->from->ports[edge->port - edge->from->ports];
        port->edges[port->n_edges++] = edge;
        port->only = port->n_edges == 1 ? edge : NULL;
        edge->to->inputs[edge->to->n_inputs++] = edge;
    }
    return 0;
}

static int build_connections(struct builder *self)
{
    struct graph *const graph = self->graph;
    const struct config_value *list = graph->options.connections;
    if (list && config_kind(list) != CONFIG_SEQUENCE && config_kind(list) != CONFIG_NULL)
        return config_error(list, self->error, -EINVAL,
                            "connections: expected a list of {from: ..., to: ...}");
    const size_t n = list ? config_size(list) : 0;
    graph->edges = ftri_arena_alloc(&graph->arena, (n + 1) * sizeof(struct edge *));
    if (!graph->edges)
        return short_of_memory(self);
    for (size_t i = 0; i < n; i++) {
        const int r = build_connection(self, config_item(list, i));
        if (r < 0)
            return r;
    }
    return attach_edges(self);
}

static int prepare_meters(const struct builder *self)
{
    struct graph *const graph = self->graph;
    graph->time_scale = ftri_arena_alloc(&graph->arena, sizeof *graph->time_scale);
    graph->paths = paths_new();
    if (!graph->time_scale || !graph->paths)
        return short_of_memory(self);
    meter_scale_init(graph->time_scale);
    return 0;
}

int graph_build(struct graph *graph, struct ftri_error *error)
{
    struct builder builder = {.graph = graph, .error = error};
    ftri_map_init(&builder.by_id, SIZE_MAX);
    int r = prepare_meters(&builder);
    if (r == 0)
        r = build_nodes(&builder);
    if (r == 0)
        r = build_connections(&builder);
    if (r == 0)
        r = graph_check(graph, error);
    ftri_map_deinit(&builder.by_id);
    return r;
}
