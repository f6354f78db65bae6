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
 * Freed frames are kept by the graph and used again, the latest first: a hop allocates nothing.
 * Most frames are plain: one parent, a blank visit, no failure. All that such a frame has is in its
 * first two cache lines; the rest counts from frame_make_special on, which is called for all other
 * frames.
 *
 * A watched frame has no visit of its own: it works on its origin's, but its result goes to the
 * node as a control message and not upwards. It may outlive that visit, and what is made of its
 * batches continues the flow from there.
 *
 * A lent frame has no visit either: another loop has the batch, and the frame of its visit there
 * has this one as its parent. It stays the sender's graph's, which frees it (crossing.h). */
#pragma once

#include "engine/count.h"
#include "engine/runtime.h"

#include <string.h>

enum visit_state {
    VISIT_NOT_STARTED,
    VISIT_OPEN,
    VISIT_BLANK, /* nothing is recorded: at its beginning the library was off */
    VISIT_CLOSED
};

struct frame {
    struct node *node;
    struct frame *parent;      /* NULL: none, or several */
    struct frame *origin;      /* referenced; NULL: the visit is its own */
    uint64_t n_held_items;     /* received and not accounted for yet */
    uint64_t n_items, n_bytes; /* as they arrived */
    uint32_t n_pending;        /* batches and frames below without outcome */
    uint32_t n_in_hand;        /* of the batches: with the node */
    uint8_t visit_state;       /* enum visit_state */
    bool is_special;
    bool is_failed; /* result says how; else it was good up to now */
    bool is_watched;
    bool is_source;    /* began here, by node_ingest */
    bool is_at_fault;  /* the first failure was this node's own nack */
    bool has_gone_on;  /* batches of it were sent on, or it is in a merged one */
    bool is_running;   /* in graph.running */
    uint64_t work_ns;  /* of this frame, as far as it was measured */
    uint64_t born_ns;  /* when the oldest of what is in it came in */
    struct path *path; /* how it came, with this node; a watched frame has its origin's */

    /* Of special frames: */
    size_t n_refs;
    uint64_t running_since_ns; /* 0: the work clock stands */
    uint64_t resting_since_ns; /* kept by its node, and nothing of it is below; 0: it is not */
    uint64_t n_noted;          /* node.n_handled of the last control message that is on the visit */
    size_t n_watched;          /* watched frames with this origin that are pending */
    uint32_t split_count;
    uint32_t n_parents;
    uint32_t n_hops;            /* behind it, as its visit has it */
    bool is_retrying;           /* it rests until its next try */
    bool has_refused_watched;   /* the latest watched frame with this origin failed */
    bool is_lent;               /* crossing.h: lent to another loop */
    struct frame **parents;     /* of a fan-in; owned */
    struct ftri_list running;   /* of graph.running */
    struct frame *next_settled; /* of those to unwind */
    struct message message;     /* ACK or NACK of a watched frame */
    uint64_t calldata;          /* of a watched frame */
    union {
        ftr_visit visit; /* its own */
        ftr_hop hop;     /* of a watched frame: with the context of its origin's visit */
        struct {
            struct frame *above, *next; /* the sender's; on the stack of answers */
            uint32_t epoch;             /* of the sender's sums */
        } lent;
    };
    struct result result; /* the first failure */
};

/* All that a plain frame has. */
enum { FRAME_PLAIN_BYTES = 88 };
_Static_assert(offsetof(struct frame, n_refs) == FRAME_PLAIN_BYTES, "it is less than two lines");

static inline void frame_make_special(struct frame *self)
{
    if (self->is_special)
        return;
    self->is_special = true;
    self->n_refs = 1;
    self->running_since_ns = self->resting_since_ns = self->n_noted = 0;
    self->is_retrying = self->has_refused_watched = self->is_lent = false;
    self->n_watched = 0;
    self->split_count = self->n_parents = self->n_hops = 0;
}

/* Field by field: most are set to something else right afterwards. */
static inline void frame_make_plain(struct frame *self, struct node *node)
{
    self->node = node;
    self->parent = self->origin = NULL;
    account_begin(&self->n_held_items);
    self->n_items = self->n_bytes = 0;
    self->n_pending = self->n_in_hand = 0;
    self->visit_state = VISIT_NOT_STARTED;
    self->is_special = self->is_failed = self->is_watched = self->is_source = false;
    self->is_at_fault = self->has_gone_on = self->is_running = false;
    self->work_ns = self->born_ns = 0;
    self->path = NULL;
}

struct frame *frame_allocate(struct graph *graph) FTRI_MUST_CHECK;

static inline size_t frame_n_parents(const struct frame *self)
{
    return self->is_special ? self->n_parents : 0;
}

static inline bool frame_is_lent(const struct frame *self)
{
    return self->is_special && self->is_lent;
}

/* Plain, with nothing pending and one reference, which settling drops. NULL: memory is short. */
FTRI_MUST_CHECK static inline struct frame *frame_new(struct node *node)
{
    struct graph *const graph = node->graph;
    struct frame *self = graph->spare_frames;
    if (FTRI_LIKELY(self))
        graph->spare_frames = self->parent;
    else if (!(self = frame_allocate(graph)))
        return NULL;
    frame_make_plain(self, node);
    graph->n_live++;
    return self;
}

/* The same for a fan-in of n frames: room for parents. */
struct frame *frame_new_merged(struct node *node, size_t n) FTRI_MUST_CHECK;
/* Takes back a frame that nothing depends on yet. */
void frame_discard(struct frame *self);
struct frame *frame_ref(struct frame *self);
void frame_unref(struct frame *self);
/* Returns the memory of the freed ones. */
void frame_pool_deinit(struct graph *graph);
/* Whose visit and items a frame works on. */
static inline struct frame *frame_owner(struct frame *self)
{
    return self->origin ? self->origin : self;
}
/* What became of it, once it is settled. */
ftr_outcome frame_outcome(const struct frame *self);
/* What became of it up to now. */
const struct result *frame_result(const struct frame *self);
/* One of the pending has its outcome. May free the frame and those above. */
void frame_resolve(struct frame *self, const struct result *result);

/* The node works on it from here on, unless that is being measured with the consume ... */
void frame_work(struct frame *self);
void frame_rest_running(struct graph *graph);
/* ... until its code returns: stops the clocks of what was touched and is no longer worked on.
 * Returns whether there was any; then the graph's clock was read. */
static inline bool frame_rest_all(struct graph *graph)
{
    if (FTRI_LIKELY(ftri_list_is_empty(&graph->running)))
        return false;
    frame_rest_running(graph);
    return true;
}
