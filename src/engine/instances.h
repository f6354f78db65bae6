/* SPDX-License-Identifier: Apache-2.0
 *
 * One graph on several loops: the same description built once for each, every instance on its own
 * loop's thread. They share nothing but what engine/crossing.h hands over and what is atomic here.
 * Nodes with the state of the graph exist on the first loop only.
 *
 * The graph's options hold for all; its callbacks come on the first loop's thread, once for all:
 * on_finished and on_drained when every instance is at rest at the same time. With one loop this is
 * that graph and nothing else. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum { INSTANCES_MAX = 64 };

struct ftri_error;
struct graph;
struct graph_options;
struct instances;
struct loop;

/* loops: borrowed, none of them running. */
int instances_new(struct loop *const *loops, size_t n_loops, const struct graph_options *options,
                  struct instances **ret_instances, struct ftri_error *error) FTRI_MUST_CHECK;
/* Before the loops run. On failure those nodes that started were stopped. */
int instances_start(struct instances *self, struct ftri_error *error) FTRI_MUST_CHECK;
/* As graph_drain, of all. The first loop's thread. */
void instances_drain(struct instances *self, uint64_t timeout_ns);
/* As graph_set_tracing and graph_configured, of all. Before the loops run, or the first's thread;
 * the action with its attributes is recorded there, and each other loop has one of its own. */
void instances_set_tracing(struct instances *self, const ftr_mode *mode);
void instances_configured(struct instances *self, const ftr_attribute *attributes,
                          size_t n_attributes, const char *error);
/* When none of the loops runs any more (or all are this thread's). As graph_end. NULL is fine. */
void instances_end(struct instances *self);
/* The same, and frees. */
void instances_free(struct instances *self);

/* The first of them: its views (graph_node_view, graph_edge_view) show the accounts of all, as they
 * were when last summed up. */
struct graph *instances_graph(struct instances *self);
/* Sums up, and tells every node (CONTROL_COLLECT_TELEMETRY). While the loops run, by asking each:
 * the sum is of one moment in the sense that nothing is counted as received that was not counted as
 * sent, and what is between loops is queued; then the callback comes on the first loop's thread,
 * which is the caller's. One that is asked for while another is under way stands for both. */
void instances_collect(struct instances *self, void (*on_collected)(void *argument),
                       void *argument);
/* ... when none of them runs. */
void instances_sum(struct instances *self);
/* graph_check_accounts of all, when none of the loops runs; at rest also what crossed. */
int instances_check_accounts(const struct instances *self,
                             struct ftri_error *error) FTRI_MUST_CHECK;
