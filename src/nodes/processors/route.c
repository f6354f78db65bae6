/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/route: splits a batch of records by the end of their keys.
 *
 *     routes: {logs: [.log], compressed: [.gz, .xz]}
 *     otherwise: plain
 *
 * Each route is a port; so is `otherwise`, without which unmatched records are dropped (no_route).
 * The order of the routes decides; records of one port keep their order. The parts are children of
 * the input, which is settled when all of them are. */
#include "nodes/processors/processors.h"

#include "base/mem.h"
#include "config/document.h"
#include "engine/records.h"
#include "nodes/intake.h"

#include <errno.h>
#include <string.h>

enum { PORTS_MAX = 32 };

struct route_options {
    const struct config_value *routes;
    const char *otherwise;
};

static const struct option rows[] = {
    {"routes", OPTION_MAP, offsetof(struct route_options, routes), .is_required = true,
     .sentence = "Port name: list of endings of the record's key."},
    {"otherwise", OPTION_STR, offsetof(struct route_options, otherwise), "",
     .sentence = "Port for the rest; empty: the rest is dropped (no_route)."},
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

static int check_endings(const char *route, const struct config_value *endings,
                         struct ftri_error *error)
{
    if (config_kind(endings) != CONFIG_SEQUENCE || config_size(endings) == 0)
        return config_error(endings, error, -EINVAL,
                            "routes: '%s' expects a list of endings, such as [.gz]", route);
    for (size_t i = 0; i < config_size(endings); i++)
        if (config_text(config_item(endings, i))[0] == '\0')
            return config_error(config_item(endings, i), error, -EINVAL,
                                "routes: '%s': expected an ending, such as .gz; `otherwise` takes "
                                "what no ending fits",
                                route);
    return 0;
}

static int route_check(const void *values, struct ftri_error *error)
{
    const struct route_options *options = values;
    if (config_kind(options->routes) != CONFIG_MAPPING || config_size(options->routes) == 0)
        return config_error(options->routes, error, -EINVAL,
                            "routes: expected a mapping of port names to lists of endings");
    if (options->otherwise[0] && config_get(options->routes, options->otherwise))
        return config_error(config_get(options->routes, options->otherwise), error, -EINVAL,
                            "otherwise: '%s' is the name of a route already", options->otherwise);
    if (config_size(options->routes) > PORTS_MAX - 1)
        return config_error(options->routes, error, -EINVAL, "routes: at most %d", PORTS_MAX - 1);
    int r = 0;
    for (size_t i = 0; r == 0 && i < config_size(options->routes); i++)
        r = check_endings(config_text(config_key(options->routes, i)),
                          config_value_at(options->routes, i), error);
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
            const struct result result = {.reason = "memory is short"};
            node_nack(node, input, &result);
            return;
        }
        send_part(node, port, child, part);
    }
}

static void route_consume(struct node *node, struct pdata *pdata)
{
    if (!intake_is_records(node, pdata))
        return;
    struct split split = {0};
    if (split_records(node_options(node), pdata->records, &split) < 0) {
        const struct result result = {.reason = "memory is short"};
        node_nack(node, pdata, &result);
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
    .sentence = "Splits batches of records over its ports by the end of their keys.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct route_options)},
    .configured_ports = route_ports,
    .check = route_check,
    .consume = route_consume,
};
