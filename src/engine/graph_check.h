/* SPDX-License-Identifier: Apache-2.0
 *
 * What only a whole graph shows. */
#pragma once

#include "engine/runtime.h"

/* Refuses cycles, nodes that no receiver reaches and ports without connection; puts nodes and edges
 * in topological order, by their place in the file where that leaves a choice. */
int graph_check(struct graph *graph, struct ftri_error *error) FTRI_MUST_CHECK;
