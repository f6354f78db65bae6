/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's side of a batch: who holds it, which items of the node's account go with it, and the
 * giving up. A call on a batch that the node does not hold is caught here and fails the node.
 *
 * The items that arrived with a batch are shared by all that is made of it, through the frame: each
 * batch that leaves takes as many as it has (forwarded; beyond: created), and the last one to leave
 * takes the rest (absorbed: fewer went on than came). */
#pragma once

#include "engine/count.h"
#include "engine/frame.h"

/* False, and the node has failed: it does not hold this batch, or is stopped. */
bool custody_check(struct node *node, const struct pdata *pdata, const char *call) FTRI_MUST_CHECK;
/* Whether it is the batch that the node is given right now: its visit has begun, and the clock of
 * it runs. */
static inline bool custody_is_plain(const struct node *node, const struct pdata *pdata)
{
    return node->given == pdata;
}

/* Before anything is done with a batch in hand: starts its visit and its work clock. NULL: nothing
 * may be done; when the batch was revoked it has been freed, unless it is only looked at. */
struct frame *custody_begin(struct node *node, struct pdata *pdata,
                            const char *call) FTRI_MUST_CHECK;
struct frame *custody_touch(struct node *node, struct pdata *pdata,
                            const char *call) FTRI_MUST_CHECK;
void custody_end_outside(struct graph *graph);

/* The end of every call of a node: clocks stop when no node code is running. */
static inline void custody_end(struct node *node)
{
    if (!node->graph->active)
        custody_end_outside(node->graph);
}

/* Items of the frame's, which is an owner, that a batch of n takes along. is_last: whatever is
 * left. */
static inline uint64_t custody_take_items(struct frame *owner, uint64_t n_items, bool is_last)
{
    const uint64_t n_held = owner->n_held_items;
    const uint64_t n = is_last || n_items > n_held ? n_held : n_items;
    account_take("custody_take_items: n_held_items", &owner->n_held_items, n);
    account_take("custody_take_items: held", &owner->node->account.held, n);
    return n;
}

/* Whether the batch is the last of its frame's that the node holds. */
static inline bool custody_is_last(const struct frame *frame)
{
    return !frame->origin && frame->n_in_hand == 1;
}

/* Out of the node's hands, and freed; its frame gets the result. */
void custody_settle(struct node *node, struct pdata *pdata, const struct result *result);
/* Counts and records a batch, or n_items of it, as dropped. */
void custody_drop_items(struct node *node, struct frame *frame, ftr_drop_reason reason,
                        uint64_t n_items);
/* Settles all that the node holds as dropped by the shutdown; the node keeps empty shells, which
 * its next call on them frees. */
void custody_revoke_all(struct node *node, const struct result *result);
/* Frees the shells that are left. */
void custody_free_shells(struct node *node);
