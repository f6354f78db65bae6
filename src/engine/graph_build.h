/* SPDX-License-Identifier: Apache-2.0
 *
 * From the description of a graph to its nodes and edges, with every refusal. */
#pragma once

#include "engine/runtime.h"

/* Fills nodes (in topological order) and edges. On failure what was made is in the graph all the
 * same, for graph_free. */
int graph_build(struct graph *graph, struct ftri_error *error) FTRI_MUST_CHECK;
