/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run is made of, by its seed: a graph of up to 12 nodes, what each node is like, and what
 * will go wrong. Nodes stand in a topological order: receivers first. */
#pragma once

#include "base/check.h"

enum { NODES_MAX = 12, PORTS_MAX = 3 };

enum role {
    ROLE_RECEIVER,
    ROLE_PASS,    /* gives up at once: sends, splits, drops, answers */
    ROLE_HOLD,    /* the same, later */
    ROLE_MERGE,   /* several into one */
    ROLE_RETRY,   /* sends watched copies until one succeeds */
    ROLE_CUSTODY, /* answers for what is below before it has been there */
    ROLE_EXPORTER,
    ROLES
};

/* Something that no node may do; the graph has to fail with this node's name. */
enum fault {
    FAULT_NONE,
    FAULT_LEAK,
    FAULT_TWICE,      /* an answer to what it has given up */
    FAULT_OF_ANOTHER, /* ... to what another node holds */
    FAULT_NO_PORT,
    FAULT_GIVES_UP, /* says itself that it cannot go on */
    FAULT_AFTER_STOP,
    FAULTS
};

struct planned_node {
    enum role role;
    size_t n_ports;
    size_t n_edges[PORTS_MAX];
    size_t edges[PORTS_MAX][NODES_MAX]; /* nodes */
    bool is_hanging;                    /* what it holds it never gives up by itself */
    uint64_t delay_ns;                  /* about */
    size_t n_batches;                   /* a receiver takes in, a merge gathers, attempts at most */
    unsigned refusals_of_ten;
};

enum ending {
    ENDING_DRAIN,  /* at some moment, with some time */
    ENDING_FINISH, /* all receivers finish, then drained with all the time it needs */
    ENDING_FREE    /* at some moment */
};

struct plan {
    size_t n_nodes;
    struct planned_node nodes[NODES_MAX];
    size_t capacity;
    bool is_recording; /* else allocations may fail: the library's own would make it inexact */
    bool is_busy;      /* many batches at once */
    bool is_kind;      /* nothing hangs or fails, the drain has its time: all comes to its end */
    uint64_t chaos_ns; /* between what comes from outside, at most */
    enum ending ending;
    uint64_t ending_ns;  /* after the start */
    uint64_t timeout_ns; /* of the drain */
    enum fault fault;
    size_t faulty_node;
    size_t fault_after; /* its consumes */
};

struct plan plan_make(void);
/* The graph as YAML, for the life of the process or until the next one. */
const char *plan_text(const struct plan *self);
const char *role_type(enum role role);
