/* SPDX-License-Identifier: Apache-2.0
 *
 * How a graph ends, and what its owner is told. Receivers first: they take in nothing more and
 * answer what they owe, for which they have half of the time (what holds their batches back may
 * itself wait for the shutdown). Then Shutdown goes down the graph, to each node when all above it
 * have emptied. At the deadline what lies in channels is lost, what nodes hold is taken from them
 * and counted as dropped, and their watchers hear of it; then the graph is at rest. */
#pragma once

#include "engine/runtime.h"

/* After each turn: the next step of a drain, or one of the owner's callbacks, which may free the
 * graph: nothing may touch it afterwards. */
void drain_advance(struct graph *graph);
/* graph_drain with its moments given, CLOCK_MONOTONIC. */
void drain_begin(struct graph *graph, uint64_t half_ns, uint64_t deadline_ns);
/* The deadline's work, at once. */
void drain_force(struct graph *graph);
/* ... of what came from another loop after it. */
void drain_refuse(struct node *node);
