/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/route: splits a batch of records by the end of their keys, one of telemetry by an
 * attribute of the resource, or sends a whole batch on by its metadata.
 *
 *     routes: {logs: [.log], compressed: [.gz, .xz]}
 *     otherwise: plain
 *
 *     metadata: cf-trace-config
 *     field: accountId
 *     routes: {north: [1001], south: [1002, 1003]}
 *
 *     attribute: tenant
 *     routes: {north: [a, b], south: [c]}
 *
 * Each route is a port; so is `otherwise`, without which what no route takes is dropped (no_route).
 * The order of the routes decides; records of one port keep their order. A batch whose field is a
 * list goes to every port that one of the list's values belongs to. The parts are children of the
 * input, which is settled when all of them are. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "base/text.h"
#include "config/document.h"
#include "engine/records.h"
#include "nodes/intake.h"
#include "nodes/processors/criteria.h"
#include "nodes/processors/parts.h"
#include "nodes/processors/route_metadata.h"
#include "otlp/item.h"
#include "otlp/view.h"

#include <errno.h>
#include <string.h>

enum { PORTS_MAX = ROUTE_PORTS_MAX };

static const struct option rows[] = {
    {"routes", OPTION_MAP, offsetof(struct route_options, routes), .is_required = true,
     .sentence = "Port name: list of endings of the record's key; with `attribute` or "
                 "`metadata`, of values."},
    {"otherwise", OPTION_STR, offsetof(struct route_options, otherwise), "",
     .sentence = "Port for the rest; empty: the rest is dropped (no_route)."},
    {"attribute", OPTION_STR, offsetof(struct route_options, attribute), "",
     .sentence =
         "Splits telemetry by the value, as text, of this attribute of the resource; empty: "
         "splits records."},
    {"metadata", OPTION_STR, offsetof(struct route_options, metadata), "",
     .sentence = "Sends whole batches, of any signal, by the value that their metadata has under "
                 "this name (see metadata_headers of receiver/otlp); empty: splits batches."},
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
    const bool has_values = options->metadata[0] || options->attribute[0];
    const char *wanted = has_values ? "values" : "endings, such as [.gz]";
    if (config_kind(options->routes) != CONFIG_MAPPING || config_size(options->routes) == 0)
        return config_error(options->routes, error, -EINVAL,
                            "routes: expected a mapping of port names to lists of %s", wanted);
    if (options->metadata[0] && options->attribute[0])
        return ftri_error_set(error, -EINVAL, "attribute and metadata: one of them decides");
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

static bool fits(const struct route_options *options, ftr_str key, const char *wanted)
{
    return options->attribute[0] ? key.data && ftri_text_is(key, wanted) : ends_with(key, wanted);
}

/* Of a record's key, or of an attribute's value (.data NULL: there is none). PORTS_MAX: no port for
 * it. */
static size_t port_of(const struct route_options *options, ftr_str key)
{
    const size_t n_routes = config_size(options->routes);
    for (size_t i = 0; i < n_routes; i++) {
        const struct config_value *endings = config_value_at(options->routes, i);
        for (size_t j = 0; j < config_size(endings); j++)
            if (fits(options, key, config_text(config_item(endings, j))))
                return i;
    }
    return options->otherwise[0] ? n_routes : PORTS_MAX;
}

/* Parts by port. */
struct split {
    struct part parts[PORTS_MAX];
    uint64_t n_routed, n_unrouted;
};

static int split_records(const struct route_options *options, const struct pdata *pdata,
                         struct split *split)
{
    const struct records *input = pdata->records;
    for (size_t i = 0; i < input->n_items; i++) {
        const size_t port = port_of(options, input->items[i].key);
        if (port == PORTS_MAX) {
            split->n_unrouted++;
            continue;
        }
        struct part *part = &split->parts[port];
        if (!part->records)
            part->records = records_new(SIZE_MAX / 2);
        if (!part->records || records_add(part->records, &input->items[i]) < 0)
            return -ENOMEM;
        part->n_items++;
        split->n_routed++;
    }
    for (size_t port = 0; port < PORTS_MAX; port++)
        if (split->parts[port].records)
            records_seal(split->parts[port].records);
    return 0;
}

struct picking {
    const struct route_options *options;
    size_t port;
};

static bool is_for_port(void *argument, const struct ftri_otlp_item *item)
{
    const struct picking *picking = argument;
    const ftr_str key = ftr_str_from(picking->options->attribute);
    struct ftri_view found;
    char room[CRITERIA_NUMBER_BYTES];
    ftr_str text = {NULL, 0};
    if (ftri_otlp_item_resource_attribute(item, key, &found)) {
        const ftr_value value = ftri_otlp_value_read(found);
        if (!criteria_text_of(&value, room, &text))
            text.data = NULL;
    }
    return port_of(picking->options, text) == picking->port;
}

static int split_telemetry(const struct route_options *options, const struct pdata *pdata,
                           struct split *split)
{
    struct picking picking = {.options = options};
    const size_t n_ports = config_size(options->routes) + (options->otherwise[0] != '\0');
    int r = 0;
    for (; r == 0 && picking.port < n_ports && split->n_routed < pdata->n_items; picking.port++) {
        r = part_pick(pdata, is_for_port, &picking, &split->parts[picking.port]);
        split->parts[picking.port].port = picking.port;
        split->n_routed += split->parts[picking.port].n_items;
    }
    split->n_unrouted = pdata->n_items - split->n_routed;
    return r;
}

static void refuse(struct node *node, struct pdata *pdata)
{
    const struct result result = {.reason = "memory is short"};
    node_nack(node, pdata, &result);
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
    const bool is_telemetry = options->attribute[0] != '\0';
    if (!(is_telemetry ? intake_is_telemetry(node, pdata) : intake_is_records(node, pdata)))
        return;
    struct split split = {0};
    for (size_t port = 0; port < PORTS_MAX; port++)
        split.parts[port].port = port;
    if ((is_telemetry ? split_telemetry : split_records)(options, pdata, &split) < 0) {
        refuse(node, pdata);
    } else if (split.n_routed == 0) {
        node_drop(node, pdata, FTR_DROP_NO_ROUTE);
    } else {
        if (split.n_unrouted)
            node_drop_items(node, pdata, FTR_DROP_NO_ROUTE, split.n_unrouted);
        parts_send(node, pdata, split.parts, PORTS_MAX);
    }
    parts_deinit(split.parts, PORTS_MAX);
}

const struct node_class processor_route = {
    .type = "processor/route",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Splits batches over its ports: records by the end of their keys, telemetry by an "
                "attribute of the resource; or sends batches by their metadata.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct route_options)},
    .configured_ports = route_ports,
    .check = route_check,
    .consume = route_consume,
};
