/* SPDX-License-Identifier: Apache-2.0
 *
 * Where batches come from and go to. Freed ones rest in a first-in first-out list of the graph
 * before their memory is used again or returned, so that a node that gives the same batch up twice
 * meets a batch that nobody holds, not somebody else's. */
#pragma once

#include "engine/runtime.h"

/* Without payload, hop and frame, held by `holder` (may be NULL). NULL: memory is short. */
struct pdata *pdata_new(struct graph *graph, struct node *holder) FTRI_MUST_CHECK;
/* Shares payload and what is known about it; not the hop and the frame. */
struct pdata *pdata_copy(struct graph *graph, const struct pdata *from,
                         struct node *holder) FTRI_MUST_CHECK;
/* Drops the payload and the hop; the frame is the caller's. */
void pdata_free(struct graph *graph, struct pdata *self);
/* A node gets it, or gives it up. */
void pdata_hand_over(struct pdata *self, struct node *holder);
void pdata_take_back(struct pdata *self);
/* Returns the memory of those that rest. */
void pdata_pool_deinit(struct graph *graph);
