/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/route: splits a batch of records by the end of their keys, or one of telemetry by an
 * attribute of the resource.
 *
 *     routes: {logs: [.log], compressed: [.gz, .xz]}
 *     otherwise: plain
 *
 * Each route is a port; so is `otherwise`, without which what fits none is dropped (no_route). The
 * order of the routes decides; items of one port keep their order. The parts are children of the
 * input, which is settled when all of them are. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "base/text.h"
#include "config/document.h"
#include "engine/records.h"
#include "nodes/intake.h"
#include "nodes/processors/criteria.h"
#include "nodes/processors/parts.h"
#include "otlp/item.h"
#include "otlp/view.h"

#include <errno.h>
#include <string.h>

enum { PORTS_MAX = 32 };

enum { BY_ENDING, BY_RESOURCE };
static const char *const by_names[] = {"ending", "resource", NULL};

struct route_options {
    int by;
    const char *attribute;
    const struct config_value *routes;
    const char *otherwise;
};

static const struct option rows[] = {
    {"routes", OPTION_MAP, offsetof(struct route_options, routes), .is_required = true,
     .sentence = "Port name: list of endings of the record's key, or of values."},
    {"by", OPTION_CHOICE, offsetof(struct route_options, by), "ending", .choices = by_names,
     .sentence = "What decides: the end of a record's key, or an attribute of the resource, for "
                 "telemetry."},
    {"attribute", OPTION_STR, offsetof(struct route_options, attribute), "",
     .sentence = "by resource: which; its value is compared as text."},
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
    if ((options->by == BY_RESOURCE) != (options->attribute[0] != '\0'))
        return ftri_error_set(error, -EINVAL, "attribute: it goes with by: resource");
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

static bool fits(const struct route_options *options, ftr_str key, const char *wanted)
{
    return options->by == BY_ENDING ? ends_with(key, wanted)
                                    : key.data && ftri_text_is(key, wanted);
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

static void route_consume(struct node *node, struct pdata *pdata)
{
    const struct route_options *options = node_options(node);
    const bool is_by_ending = options->by == BY_ENDING;
    if (!(is_by_ending ? intake_is_records(node, pdata) : intake_is_telemetry(node, pdata)))
        return;
    struct split split = {0};
    for (size_t port = 0; port < PORTS_MAX; port++)
        split.parts[port].port = port;
    const int r = (is_by_ending ? split_records : split_telemetry)(options, pdata, &split);
    if (r < 0) {
        const struct result result = {.reason = "memory is short"};
        node_nack(node, pdata, &result);
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
                "attribute of the resource.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct route_options)},
    .configured_ports = route_ports,
    .check = route_check,
    .consume = route_consume,
};
