/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/processors/fanout_plan.h"

#include "config/document.h"
#include "config/options.h"

#include <errno.h>
#include <string.h>

struct destination_options {
    uint64_t timeout_ns;
    bool is_best_effort;
    struct option_list fallback;
};

static const struct option rows[] = {
    {"timeout", OPTION_DURATION, offsetof(struct destination_options, timeout_ns), "0s"},
    {"best_effort", OPTION_BOOL, offsetof(struct destination_options, is_best_effort), "false"},
    {"fallback", OPTION_STR_LIST, offsetof(struct destination_options, fallback)},
};
static const struct option_table table = {rows, FTRI_COUNT(rows),
                                          sizeof(struct destination_options)};

/* FANOUT_PORTS_MAX: there is no room for another. */
static size_t port_named(struct fanout_plan *plan, const char *name)
{
    size_t i = 0;
    while (i < plan->n_ports && strcmp(plan->ports[i], name) != 0)
        i++;
    if (i == plan->n_ports && i < FANOUT_PORTS_MAX)
        plan->ports[plan->n_ports++] = name;
    return i;
}

static int add_fallbacks(const struct config_value *all, const struct config_value *one,
                         const struct option_list *fallback, struct fanout_plan *plan,
                         struct fanout_destination *destination, struct ftri_error *error)
{
    for (size_t i = 0; i < fallback->n_items; i++) {
        const char *name = fallback->items[i];
        if (name[0] == '\0' || config_get(all, name))
            return config_error(one, error, -EINVAL,
                                "destinations: '%s': fallback '%s': expected a port that is no "
                                "destination itself",
                                destination->name, name);
        const size_t port = port_named(plan, name);
        if (port == FANOUT_PORTS_MAX || destination->n_ports == FANOUT_PORTS_MAX)
            return config_error(one, error, -EINVAL, "destinations: more than %d ports",
                                FANOUT_PORTS_MAX);
        destination->ports[destination->n_ports++] = port;
    }
    return 0;
}

static int read_destination(const struct config_value *all, size_t i, uint64_t timeout_ns,
                            struct fanout_plan *plan, struct ftri_error *error)
{
    const struct config_value *one = config_value_at(all, i);
    struct fanout_destination *destination = &plan->destinations[plan->n_destinations++];
    struct destination_options options = {0};
    *destination = (struct fanout_destination){.name = config_text(config_key(all, i))};
    const bool is_nothing = config_kind(one) == CONFIG_NULL;
    const int r = options_read(&table, is_nothing ? NULL : one, "a destination", &options, error);
    if (r < 0)
        return r;
    destination->ports[destination->n_ports++] = port_named(plan, destination->name);
    destination->timeout_ns = options.timeout_ns ? options.timeout_ns : timeout_ns;
    destination->is_required = !options.is_best_effort;
    return add_fallbacks(all, one, &options.fallback, plan, destination, error);
}

int fanout_plan_read(const struct config_value *destinations, uint64_t timeout_ns,
                     struct fanout_plan *ret_plan, struct ftri_error *error)
{
    const size_t n = config_size(destinations);
    if (config_kind(destinations) != CONFIG_MAPPING || n == 0 || n > FANOUT_PORTS_MAX)
        return config_error(destinations, error, -EINVAL,
                            "destinations: expected a mapping of 1 to %d port names",
                            FANOUT_PORTS_MAX);
    ret_plan->n_destinations = ret_plan->n_ports = 0;
    int r = 0;
    for (size_t i = 0; i < n; i++) /* destinations first: a port is known by its place */
        (void)port_named(ret_plan, config_text(config_key(destinations, i)));
    for (size_t i = 0; r == 0 && i < n; i++)
        r = read_destination(destinations, i, timeout_ns, ret_plan, error);
    return r;
}
