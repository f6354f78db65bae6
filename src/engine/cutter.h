/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts a graph's accounts into the rows of the flow ledger (otlp/ledger.h). What a cut said is
 * taken off the next one only when the cut is kept: one that cannot be handed on is cut again,
 * longer. The graph's thread; the graph outlives the cutter. */
#pragma once

#include "base/check.h"

struct cutter;
struct ftri_bytes;
struct graph;

/* pipeline, instance: copied; an empty pipeline is called "default". The first interval starts now.
 * NULL: memory is short. */
struct cutter *cutter_new(const struct graph *graph, const char *pipeline,
                          const char *instance) FTRI_MUST_CHECK;
void cutter_free(struct cutter *self);

/* How long it is until the wall clock's next multiple of 10 s. */
uint64_t cutter_delay_ns(void);
/* Appends a MetricsData of what was counted since the last kept cut: up to the multiple of 10 s
 * that has just passed, or up to now if it is the last. *ret_n_points 0: no multiple has passed
 * since. 0, -ENOMEM, -EMSGSIZE. */
int cutter_cut(struct cutter *self, bool is_last, struct ftri_bytes *out,
               size_t *ret_n_points) FTRI_MUST_CHECK;
/* Of the last cut. */
void cutter_keep(struct cutter *self);
