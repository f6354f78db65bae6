/* SPDX-License-Identifier: Apache-2.0
 *
 * Where processor/fanout sends, out of its configuration: destinations, each a port and the ports
 * that stand in for it. Constant after it was read; names belong to the configuration. */
#pragma once

#include "base/check.h"

struct config_value;
struct ftri_error;

enum { FANOUT_PORTS_MAX = 32 };

struct fanout_destination {
    const char *name;
    size_t ports[FANOUT_PORTS_MAX]; /* its own, then its fallbacks */
    size_t n_ports;
    uint64_t timeout_ns; /* for each of them */
    bool is_required;
};

struct fanout_plan {
    struct fanout_destination destinations[FANOUT_PORTS_MAX];
    size_t n_destinations;
    const char *ports[FANOUT_PORTS_MAX];
    size_t n_ports;
};

/* -EINVAL with place and reason. */
int fanout_plan_read(const struct config_value *destinations, uint64_t timeout_ns,
                     struct fanout_plan *ret_plan, struct ftri_error *error) FTRI_MUST_CHECK;
