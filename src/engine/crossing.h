/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an edge leaves its loop. A graph that runs on several loops is there once on each; an edge
 * into a node with the state of a trace goes to the loop that has the trace, one into a node with
 * the state of the graph to the first.
 *
 *     loop i                                         loop j
 *     sender --> lane: waiting (sender's) --> ring --> the node's channel --> visit
 *        frame <------- answers <----------------- lent frame, settled
 *
 * A lane is one edge's way from one loop to another: a ring of as many batches as a channel holds,
 * with one thread at each end. What crosses is the batch itself and a *lent frame*:
 * one of the sender's loop that is the parent of the visit on the other one. When it settles it
 * is pushed back on its own loop's stack of answers, with the result; so an answer needs no memory
 * and always has room. Nothing else is shared, and each loop counts what it handed over and took.
 */
#pragma once

#include "base/ring.h"
#include "engine/runtime.h"

struct frame;

struct lane {
    struct ftri_ring ring;    /* struct pdata */
    struct ftri_list waiting; /* struct pdata.link: for room in the ring; the sender's */
    _Atomic bool wants_room;  /* the sender has to be woken when a batch is taken */
};

/* A lane's other end. */
struct inlet {
    struct lane *lane;
    const struct crossing *crossing; /* of the sender's loop */
    struct edge *edge;               /* of this one */
    const struct path *path_there;   /* the latest of the sender's, and the same one here */
    struct path *path;
};

struct crossing {
    struct edge *edge;
    bool is_by_trace; /* else to the first loop */
    size_t n_loops;
    struct lane *lanes;      /* to each loop; the one to its own is not used */
    _Atomic bool is_drained; /* nothing comes from this loop's sender any more */
};

/* Makes an edge cross; its graph's `instance` is set. 0 or -ENOMEM, then deinit all the same. */
int crossing_new(struct graph *graph, struct edge *edge, bool is_by_trace,
                 size_t n_loops) FTRI_MUST_CHECK;
/* Whether it has a lane to that loop. */
bool crossing_reaches(const struct crossing *self, size_t loop);
/* What still lies in the rings must have been taken. */
void crossing_deinit(struct crossing *self);

/* For a batch that `above` waits for. NULL: memory is short. */
struct frame *crossing_lend(struct node *sender, struct frame *above) FTRI_MUST_CHECK;
/* As channel_send, to another loop, of a batch whose frame is lent. sent_ns is not 0: who takes it
 * does so at once. */
void crossing_send(struct edge *edge, size_t loop, struct pdata *pdata, uint64_t sent_ns);
/* Batches in the lane to that loop once one more is sent, which lies in it if there is room. */
size_t crossing_depth_with(const struct edge *edge, size_t loop);
/* True when every lane, and the node on this loop, has room for one more. If not, the sender will
 * be looked at again when there is. */
bool crossing_has_room(const struct edge *edge);
/* The sender's loop, woken: what waits moves up. */
void crossing_move_up(struct crossing *self);
/* ... at the deadline: what waits is lost. */
void crossing_refuse_waiting(struct crossing *self, const struct result *result);
/* The next batch for a node, from any lane in turn or from those that wait on this loop; it lies in
 * the edge of this loop then. NULL: there is none. */
struct pdata *crossing_next(struct node *node);
bool crossing_is_arriving(const struct node *node);
/* A lent frame has its outcome: back to its loop. */
void crossing_return(struct frame *lent);
/* On its loop. */
void crossing_answer(struct frame *lent);
/* Tells the other loops whether the sender has emptied; true: that is news. */
bool crossing_set_drained(struct crossing *self, bool is_drained);
/* Nothing comes from any other loop any more. */
bool crossing_all_drained(const struct node *node);
