/* SPDX-License-Identifier: Apache-2.0
 *
 * A running graph as metrics: of each node, of each edge (a channel, seen from its sender), of each
 * path. docs/metrics.md says what each means. Any thread, as long as the graph is there. */
#pragma once

#include <flowtrace/metrics.h>

/* graph: a struct graph, as an ftr_metric_source has it. */
void graph_write_metrics(void *graph, ftr_metric_writer *writer);
