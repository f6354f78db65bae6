/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/route: splits a batch of records by the end of their keys, or sends a whole batch on by
 * its metadata.
 *
 *     routes: {logs: [.log], compressed: [.gz, .xz]}
 *     otherwise: plain
 *
 *     metadata: cf-trace-config
 *     field: accountId
 *     routes: {north: [1001], south: [1002, 1003]}
 *
 * Each route is a port; so is `otherwise`, without which what no route takes is dropped (no_route).
 * The order of the routes decides; records of one port keep their order. A batch whose field is a
 * list goes to every port that one of the list's values belongs to. The parts are children of the
 * input, which is settled when all of them are. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "base/mem.h"
#include "config/document.h"
#include "engine/records.h"
#include "nodes/intake.h"
#include "nodes/processors/route_metadata.h"

#include <errno.h>
#include <string.h>

enum { PORTS_MAX = ROUTE_PORTS_MAX };

static const struct option rows[] = {
    {"routes", OPTION_MAP, offsetof(struct route_options, routes), .is_required = true,
     .sentence = "Port name: list of endings of the record's key; with `metadata`, of values."},
    {"otherwise", OPTION_STR, offsetof(struct route_options, otherwise), "",
     .sentence = "Port for the rest; empty: the rest is dropped (no_route)."},
    {"metadata", OPTION_STR, offsetof(struct route_options, metadata), "",
     .sentence = "Sends whole batches, of any signal, by the value that their metadata has under "
                 "this name (see metadata_headers of receiver/otlp); empty: splits records."},
    {"field", OPTION_STR, offsetof(struct route_options, field), "",
     .sentence = "That value is a JSON object, of which this member decides: a text, a number or "
                 "a list of them."},
};

static size_t route_ports(const void *values, const char **ret_names, size_t limit)
{
    const struct route_options *options = values;
    const size_t n_routes = config_size(options->routes);
    size_t n = 0;
    for (; n < n_routes && n < limit; n++)
        ret_names[n] = config_text(config_key(options->routes, n));
    if (options->otherwise[0] && n < limit)
        ret_names[n++] = options->otherwise;
    return n;
}

static int check_route(const char *route, const struct config_value *values, const char *wanted,
                       struct ftri_error *error)
{
    if (config_kind(values) != CONFIG_SEQUENCE || config_size(values) == 0)
        return config_error(values, error, -EINVAL, "routes: '%s' expects a list of %s", route,
                            wanted);
    for (size_t i = 0; i < config_size(values); i++) {
        const struct config_value *value = config_item(values, i);
        if (config_kind(value) != CONFIG_SCALAR || config_text(value)[0] == '\0')
            return config_error(value, error, -EINVAL,
                                "routes: '%s' expects a list of %s; `otherwise` takes the rest",
                                route, wanted);
    }
    return 0;
}

static int route_check(const void *values, struct ftri_error *error)
{
    const struct route_options *options = values;
    const char *wanted = options->metadata[0] ? "values" : "endings, such as [.gz]";
    if (config_kind(options->routes) != CONFIG_MAPPING || config_size(options->routes) == 0)
        return config_error(options->routes, error, -EINVAL,
                            "routes: expected a mapping of port names to lists of %s", wanted);
    if (options->field[0] && !options->metadata[0])
        return ftri_error_set(error, -EINVAL, "field: it needs `metadata`, whose value it is of");
    if (options->otherwise[0] && config_get(options->routes, options->otherwise))
        return config_error(config_get(options->routes, options->otherwise), error, -EINVAL,
                            "otherwise: '%s' is the name of a route already", options->otherwise);
    if (config_size(options->routes) > PORTS_MAX - 1)
        return config_error(options->routes, error, -EINVAL, "routes: at most %d", PORTS_MAX - 1);
    int r = 0;
    for (size_t i = 0; r == 0 && i < config_size(options->routes); i++)
        r = check_route(config_text(config_key(options->routes, i)),
                        config_value_at(options->routes, i), wanted, error);
    return r;
}

static bool ends_with(ftr_str key, const char *ending)
{
    const size_t len = strlen(ending);
    return key.len >= len && memcmp(key.data + key.len - len, ending, len) == 0;
}

/* PORTS_MAX: no port for it. */
static size_t port_of(const struct route_options *options, ftr_str key)
{
    const size_t n_routes = config_size(options->routes);
    for (size_t i = 0; i < n_routes; i++) {
        const struct config_value *endings = config_value_at(options->routes, i);
        for (size_t j = 0; j < config_size(endings); j++)
            if (ends_with(key, config_text(config_item(endings, j))))
                return i;
    }
    return options->otherwise[0] ? n_routes : PORTS_MAX;
}

struct split {
    struct records *parts[PORTS_MAX];
    size_t n_parts; /* that are not empty */
    uint64_t n_unrouted;
};

static void split_deinit(struct split *self)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        records_unref(self->parts[i]);
}

static int split_records(const struct route_options *options, const struct records *input,
                         struct split *split)
{
    for (size_t i = 0; i < input->n_items; i++) {
        const size_t port = port_of(options, input->items[i].key);
        if (port == PORTS_MAX) {
            split->n_unrouted++;
            continue;
        }
        if (!split->parts[port]) {
            split->parts[port] = records_new(SIZE_MAX / 2);
            split->n_parts++;
        }
        if (!split->parts[port] || records_add(split->parts[port], &input->items[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void refuse(struct node *node, struct pdata *pdata)
{
    const struct result result = {.reason = "memory is short"};
    node_nack(node, pdata, &result);
}

static void send_part(struct node *node, size_t port, struct pdata *pdata, struct records *part)
{
    records_seal(part);
    pdata_set_records(pdata, part);
    node_send(node, port, pdata);
}

/* The input itself becomes the last part, so that it is given up exactly once. */
static void send_parts(struct node *node, struct pdata *input, struct split *split)
{
    uint32_t index = 0;
    for (size_t port = 0; port < PORTS_MAX; port++) {
        struct records *part = split->parts[port];
        if (!part)
            continue;
        split->parts[port] = NULL;
        if (index + 1 == split->n_parts) {
            send_part(node, port, input, part);
            return;
        }
        struct pdata *child = node_derive(node, input, index++, (uint32_t)split->n_parts);
        if (!child) {
            records_unref(part);
            refuse(node, input);
            return;
        }
        send_part(node, port, child, part);
    }
}

/* To each of the ports; the input itself is the last. */
static void send_whole(struct node *node, struct pdata *pdata, uint32_t ports)
{
    const uint32_t n_ports = (uint32_t)__builtin_popcount(ports);
    for (uint32_t i = 0; i + 1 < n_ports; i++, ports &= ports - 1) {
        struct pdata *child = node_derive(node, pdata, i, n_ports);
        if (!child) {
            refuse(node, pdata);
            return;
        }
        node_send(node, (size_t)__builtin_ctz(ports), child);
    }
    node_send(node, (size_t)__builtin_ctz(ports), pdata);
}

static void consume_whole(struct node *node, struct pdata *pdata)
{
    const struct route_options *options = node_options(node);
    uint32_t ports = route_ports_of(options, pdata);
    if (!ports && options->otherwise[0])
        ports = UINT32_C(1) << config_size(options->routes);
    if (ports)
        send_whole(node, pdata, ports);
    else
        node_drop(node, pdata, FTR_DROP_NO_ROUTE);
}

static void route_consume(struct node *node, struct pdata *pdata)
{
    const struct route_options *options = node_options(node);
    if (options->metadata[0]) {
        consume_whole(node, pdata);
        return;
    }
    if (!intake_is_records(node, pdata))
        return;
    struct split split = {0};
    if (split_records(node_options(node), pdata->records, &split) < 0) {
        refuse(node, pdata);
    } else if (split.n_parts == 0) {
        node_drop(node, pdata, FTR_DROP_NO_ROUTE);
    } else {
        if (split.n_unrouted)
            node_drop_items(node, pdata, FTR_DROP_NO_ROUTE, split.n_unrouted);
        send_parts(node, pdata, &split);
    }
    split_deinit(&split);
}

const struct node_class processor_route = {
    .type = "processor/route",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Splits batches of records over its ports by the end of their keys, or sends "
                "batches by their metadata.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct route_options)},
    .configured_ports = route_ports,
    .check = route_check,
    .consume = route_consume,
};
