/* SPDX-License-Identifier: Apache-2.0
 *
 * A frame is one batch being worked on by one node: its visit, what is derived from it and still
 * without outcome, and the frames above that wait for it in turn. It is settled when nothing is
 * pending any more, with the first failure as its result; settling unwinds upwards in a loop, never
 * by recursion, whatever the depth of the graph and the width of a fan-in.
 *
 *     the sender's frame <-- parent -- the receiver's frame <-- ...      one for each visit
 *     inputs' frames    <-- parents -- the frame of their merge          fan-in
 *     an input's frame  <-- origin --- a watched frame                   node_derive_watched
 *
 * A watched frame has no visit of its own: it works on its origin's, but its result goes to the
 * node as a control message and not upwards. It may outlive that visit, and what is made of its
 * batches continues the flow from there. */
#pragma once

#include "engine/runtime.h"

enum visit_state { VISIT_NOT_STARTED, VISIT_OPEN, VISIT_CLOSED };

struct frame {
    struct message message; /* ACK or NACK of a watched frame */
    struct node *node;
    struct frame *parent;   /* NULL: none, or several */
    struct frame **parents; /* of a fan-in; owned */
    size_t n_parents;
    struct frame *origin;      /* referenced; NULL: the visit is its own */
    struct ftri_list settled;  /* of the list of those to unwind */
    struct ftri_list running;  /* of graph.running */
    uint64_t running_since_ns; /* 0: the work clock stands */
    uint64_t work_ns;          /* of this frame, up to then */
    uint64_t resting_since_ns; /* kept by its node, and nothing of it is below; 0: it is not */
    uint64_t born_ns;          /* when the oldest of what is in it came in */
    struct path *path;         /* how it came, with this node; a watched frame has its origin's */
    uint64_t calldata;
    uint64_t n_held_items;     /* received and not accounted for yet */
    uint64_t n_items, n_bytes; /* as they arrived */
    size_t n_pending;          /* batches and frames below without outcome */
    size_t n_in_hand;          /* of the batches: with the node */
    size_t n_refs;
    size_t n_watched; /* watched frames with this origin that are pending */
    uint64_t n_noted; /* node.n_handled of the last control message that is on the visit */
    uint32_t split_count;
    bool is_watched;
    bool is_lent;             /* crossing.h: lent to another loop */
    bool is_source;           /* began here, by node_ingest */
    bool has_gone_on;         /* batches of it were sent on, or it is in a merged one */
    bool is_retrying;         /* it rests until its next try */
    bool is_at_fault;         /* the first failure was this node's own nack */
    bool has_refused_watched; /* the latest watched frame with this origin failed */
    enum visit_state visit_state;
    union {
        ftr_visit visit; /* its own */
        ftr_hop hop;     /* of a watched frame: with the context of its origin's visit */
        struct {
            struct frame *above, *next; /* the sender's; on the stack of answers */
            uint32_t epoch;             /* of the sender's sums */
        } lent;
    };
    struct result result; /* good until the first failure */
};

/* With nothing pending and one reference, which settling drops. NULL: memory is short. */
struct frame *frame_new(struct node *node) FTRI_MUST_CHECK;
/* The same for a fan-in of n frames: room for parents. */
struct frame *frame_new_merged(struct node *node, size_t n) FTRI_MUST_CHECK;
/* Takes back a frame that nothing depends on yet. */
void frame_discard(struct frame *self);
struct frame *frame_ref(struct frame *self);
void frame_unref(struct frame *self);
/* What became of it, once it is settled. */
ftr_outcome frame_outcome(const struct frame *self);
/* Whose visit and items a frame works on. */
static inline struct frame *frame_owner(struct frame *self)
{
    return self->origin ? self->origin : self;
}
/* One of the pending has its outcome. May free the frame and those above. */
void frame_resolve(struct frame *self, const struct result *result);

/* The node works on it from here on ... */
void frame_work(struct frame *self);
/* ... until its code returns: stops the clocks of what was touched and is no longer worked on. */
void frame_rest_all(struct graph *graph);
