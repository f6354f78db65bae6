/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two halves of processor/route share: route.c splits batches by keys and attributes,
 * route_metadata.c tells where a whole batch goes by its metadata. */
#pragma once

#include "base/check.h"

#include <stddef.h>

struct config_value;
struct pdata;

enum { ROUTE_PORTS_MAX = 32 };

struct route_options {
    const struct config_value *routes;
    const char *otherwise;
    const char *attribute; /* of the resource; "": another decides */
    const char *metadata;  /* "": by keys of records */
    const char *field;     /* ""; the whole value decides */
};

/* The ports of the routes that have this value, a bit each; 0: none. */
uint32_t route_ports_of(const struct route_options *options, const struct pdata *pdata);
