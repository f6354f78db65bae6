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
/* A node gets it for a moment, during which it is not in the list of what the node holds ... */
static inline void pdata_give(struct pdata *self, struct node *holder)
{
    self->holder = holder;
    holder->given = self;
}

/* ... or for longer ... */
static inline void pdata_hand_over(struct pdata *self, struct node *holder)
{
    self->holder = holder;
    ftri_list_append(&holder->in_hand, &self->in_hand);
}

/* ... or gives it up. */
static inline void pdata_take_back(struct pdata *self)
{
    if (self->holder && self->holder->given == self)
        self->holder->given = NULL;
    self->holder = NULL;
    ftri_list_unlink(&self->in_hand);
}

/* Returns the memory of those that rest. */
void pdata_pool_deinit(struct graph *graph);
