/* SPDX-License-Identifier: Apache-2.0
 *
 * The nodes of a run on several loops, and the books that they keep: what was sent and came over
 * each connection, what was refused, which batch was answered. */
#pragma once

#include "engine/runtime.h"

enum { SPREAD_NODES_MAX = 8, SPREAD_LOOPS_MAX = 4, SPREAD_BATCHES_MAX = 4000, SPREAD_HANDS = 512 };

enum spread_role {
    SPREAD_RECEIVER,
    SPREAD_PASS,
    SPREAD_HOLD,
    SPREAD_MERGE,
    SPREAD_CUSTODY,
    SPREAD_RETRY,
    SPREAD_EXPORTER,
    SPREAD_ROLES
};

struct spread_node {
    enum spread_role role;
    enum node_state_of state;
    bool is_hanging;
    size_t n_edges;
    size_t edges[SPREAD_NODES_MAX];
};

struct spread_batch {
    bool is_watched, is_answered;
    bool was_refused; /* some of it */
    size_t kin;       /* another of those that were merged with it, or itself (a forest) */
};

struct spread_actor {
    const struct spread_node *plan;
    struct node *node; /* NULL: it is not on this loop */
    size_t index, loop;
    struct pdata *hands[SPREAD_HANDS];
    size_t n_hands, n_ingested;
    size_t n_told[CONTROL_KINDS];
    size_t n_consumed, n_consumed_at_shutdown;
    bool is_accepting, waits_for_room, is_finished;
};

struct spread {
    struct spread_node nodes[SPREAD_NODES_MAX];
    size_t n_nodes, n_loops, capacity, n_batches_each;
    bool is_kind;     /* nothing hangs, no memory fails, the drain has its time */
    bool is_strict;   /* no node answers for what is below, or tries again */
    bool may_lose;    /* a request for memory may have failed */
    bool is_draining; /* ... the end is near: nothing new */
    struct spread_actor actors[SPREAD_NODES_MAX][SPREAD_LOOPS_MAX];
    struct spread_batch batches[SPREAD_BATCHES_MAX];
    size_t n_batches;
    size_t n_copies; /* watched, without an answer */
    uint64_t sent[SPREAD_NODES_MAX][SPREAD_NODES_MAX], received[SPREAD_NODES_MAX][SPREAD_NODES_MAX];
    size_t loop_of[SPREAD_NODES_MAX][32]; /* 1 + the loop that had a trace, of nodes by trace */
    uint64_t deadline_ns;
    bool is_forced;
    size_t failed_node; /* that said so; SPREAD_NODES_MAX: none */
};

extern struct spread spread;
extern const struct node_class *const spread_classes[];

/* Nothing has happened. */
void spread_begin(void);
const char *spread_type(enum spread_role role);
/* Of the connection from one node to another: it may come from other loops. */
bool spread_crosses(size_t from, size_t to);
/* As from outside: something becomes of what it holds; it accepts, or not; it cannot go on. */
void spread_poke(struct spread_actor *self);
void spread_set_accepting(struct spread_actor *self, bool is_accepting);
void spread_fail(struct spread_actor *self);
