/* SPDX-License-Identifier: Apache-2.0
 *
 * What the program lends to its nodes (node_environment) and learns from them. Owned by the
 * program, outlives the graph; everything on the graph's thread unless said otherwise. */
#pragma once

#include "base/check.h"

struct store;
struct wal;

enum { NODES_LISTENERS_MAX = 16 };

struct nodes_environment {
    const char *data_directory; /* base of relative paths; NULL: the working directory */
    struct store *store;        /* set by exporter/store while it runs; reads from any thread */
    struct wal *wal;            /* set by processor/wal while it runs */
    bool is_insecure;           /* listeners that other machines can reach are allowed */
    /* Filled by receivers as they start: "otlp/http listening on 127.0.0.1:4318". */
    char listeners[NODES_LISTENERS_MAX][160];
    size_t n_listeners;
    /* Nodes that still bring back what the last run left; on_started when there are none any more
     * (never, if there were none after the start). */
    size_t n_starting;
    void (*on_started)(void *argument);
    void *argument;
};
