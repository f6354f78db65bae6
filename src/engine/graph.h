/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph of nodes, from its description to its end. Knows no concrete node: classes are given.
 *
 *     nodes:
 *       read:   {type: receiver/files, config: {directories: [/usr/share/doc]}}
 *       gather: {type: processor/batch}
 *     connections:
 *       - {from: read, to: gather}
 *       - {from: 'router["logs"]', to: gather}
 *
 * Refused with file:line:col before anything starts: unknown keys, types, options, nodes and ports
 * (each with the nearest valid name), cycles (with the path), a node that no receiver reaches,
 * a port without connection. One port to several nodes is a fan-out: each gets the payload by
 * reference, and the sender's outcome is that of all. Everything on one thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct config_value;
struct edge_account;
struct ftri_error;
struct graph;
struct loop;
struct node_account;
struct node_class;

struct graph_options {
    const struct node_class *const *classes; /* NULL-terminated; outlive the graph */
    const struct config_value *nodes;        /* of the document, which outlives the graph */
    const struct config_value *connections;
    const char *pipeline;    /* its name on spans; "" */
    const char *conventions; /* whose names its spans have; "" or NULL: the session's */
    size_t loop, n_loops;    /* of an instance (instances.h sets it), for spans; else 0 */
    uint64_t generation;     /* of the configuration, on spans; 0: none */
    size_t channel_capacity; /* batches per node's input channel; 0: 128 */
    void *environment;       /* node_environment */
    /* All receivers said node_finished and nothing is in flight. */
    void (*on_finished)(void *argument);
    /* A node said node_failed: the graph cannot go on. */
    void (*on_failed)(void *argument, const char *node, const char *reason);
    /* graph_drain is complete. */
    void (*on_drained)(void *argument);
    void *argument;
};

/* Builds and checks; no side effects outside memory. */
int graph_new(struct loop *loop, const struct graph_options *options, struct graph **ret_graph,
              struct ftri_error *error) FTRI_MUST_CHECK;
/* Starts nodes, exporters first. On failure those that started were stopped. */
int graph_start(struct graph *self, struct ftri_error *error) FTRI_MUST_CHECK;
/* Receivers first (at most half of the time is theirs): DrainIngress, then Shutdown node by node
 * downstream as each has emptied; at the deadline what is left is nacked and counted as dropped
 * (shutdown). Then on_drained. */
void graph_drain(struct graph *self, uint64_t timeout_ns);
/* Stops the nodes; what is left is settled as at the deadline of a drain. Only when drained,
 * failed, or never started. */
void graph_end(struct graph *self);
/* The same, and frees. The callbacks may call it. NULL is fine. */
void graph_free(struct graph *self);

/* The mode of the pipeline's tracing from now on; NULL: that of the process (ftr_node_set_mode). */
void graph_set_tracing(struct graph *self, const ftr_mode *mode);

/* What is counted is about to be reported: every node is told (CONTROL_COLLECT_TELEMETRY), so that
 * what it adds by then is in the next report. */
void graph_collect_telemetry(struct graph *self);
/* A new configuration. error NULL: it was taken over, and every node is told (CONTROL_CONFIG); else
 * why nothing was. Recorded as control/config with the attributes. */
void graph_configured(struct graph *self, const ftr_attribute *attributes, size_t n_attributes,
                      const char *error);

/* Accounts, for tables and ledgers. */
struct graph_node_view {
    const char *id, *type;
    const struct node_account *account;
};
struct graph_edge_view {
    const char *from, *port, *to;
    const struct edge_account *account;
};
/* In topological order. False past the end. */
bool graph_node_view(const struct graph *self, size_t i, struct graph_node_view *ret_view);
bool graph_edge_view(const struct graph *self, size_t i, struct graph_edge_view *ret_view);
/* 0 when every identity of account.h holds and the accounts agree with what lies in the channels,
 * with the nodes and with the metrics; else -EBADMSG and which one does not. At any time between
 * turns. */
int graph_check_accounts(const struct graph *self, struct ftri_error *error) FTRI_MUST_CHECK;
