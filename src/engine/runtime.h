/* SPDX-License-Identifier: Apache-2.0
 *
 * What a running graph is made of; for the files of engine/ alone. A graph owns its nodes, they own
 * their output edges. Everything belongs to the loop's thread, but for node.is_woken and
 * node.next_woken (see scheduler.c). */
#pragma once

#include "base/arena.h"
#include "engine/account.h"
#include "engine/graph.h"
#include "engine/node.h"

#include <stdatomic.h>

struct edge_meter;
struct ftri_bounds;
struct node_meter;
struct path;
struct paths;

enum { CONTROL_KINDS = CONTROL_SHUTDOWN + 1 };

/* A control message waits in its receiver; it is part of what it is about, so that sending one
 * never allocates. Those that are about the node itself exist once and so coalesce. */
struct message {
    struct ftri_list link; /* of node.control; unlinked: not sent */
    enum control_kind kind;
};

/* See action.h. */
struct action {
    ftr_control control;
    enum control_kind kind;
    bool is_open;
    bool has_failed;  /* at one of the nodes */
    size_t n_pending; /* nodes that have not handled their message yet */
};

struct edge {
    struct node *from, *to;
    const struct port *port;
    struct crossing *crossing; /* NULL: it stays on its loop */
    struct edge_account account;
    struct edge_meter *meter;
    size_t index; /* among all that leave the node */
};

struct port {
    ftr_str name; /* NUL-terminated */
    struct edge **edges;
    size_t n_edges;
    struct edge *only; /* its one edge, if that stays on its loop; else NULL */
    bool is_crossing;  /* one of its edges is */
};

struct node {
    const struct node_class *class;
    struct graph *graph;
    const char *id;
    void *options;
    void *state;
    const struct config_value *place; /* its id in the configuration */
    ftr_node *recorder;
    struct node_account account;
    struct node_meter *meter;
    struct path *source_path, *mixed_path; /* NULL until a batch needs them */
    struct port *ports;
    size_t n_ports;
    size_t n_outputs; /* edges of all ports */
    struct edge **inputs;
    size_t n_inputs;
    struct inlet *inlets; /* from other loops */
    size_t n_inlets, next_inlet;

    struct ftri_list ready; /* of graph.ready */
    struct ftri_list data;  /* struct pdata.link: arrived, at most the capacity */
    size_t n_data;
    struct ftri_list waiting; /* struct pdata.link: for room in data, in the order of sending */
    struct ftri_list control; /* struct message.link */
    struct message messages[CONTROL_KINDS];
    uint64_t shutdown_ns;      /* deadline of DRAIN_INGRESS and SHUTDOWN */
    struct ftri_list in_hand;  /* struct pdata.in_hand: given to the node, not yet given up */
    struct pdata *given;       /* not in the list above as long as consume runs */
    size_t n_waiting;          /* batches that this node sent and that wait for room */
    uint64_t n_returned_items; /* ingested and given up without being sent: counted as received */
    enum control_kind handling;
    uint64_t n_handled;        /* control messages begun */
    bool is_handling;          /* `handling` is under way */
    struct action long_action; /* DRAIN_INGRESS or SHUTDOWN, until the node is done */
    bool is_accepting;
    bool wants_resume; /* was told by node_can_send that there is no room */
    bool is_started, is_stopped;
    bool is_finished, is_drained, is_shut_down;
    bool has_new_data; /* since its Shutdown */
    bool is_reached;   /* by a receiver */

    struct loop_timer *timer;
    _Atomic bool is_woken;
    struct node *next_woken;
    size_t index;      /* in graph.nodes */
    size_t n_unplaced; /* of its inputs, while the graph is put in order */
};

enum drain_state { DRAIN_NONE, DRAIN_INGRESS, DRAIN_NODES, DRAIN_FORCED, DRAIN_DONE };

struct graph {
    struct ftri_arena arena;   /* what the description became: ids, ports, edges */
    struct instance *instance; /* NULL: it runs on this loop alone */
    struct loop *loop;
    struct graph_options options;
    struct node **nodes; /* in topological order once built */
    size_t n_nodes;
    struct edge **edges; /* in topological order of their origin */
    size_t n_edges;
    size_t capacity; /* batches in one input channel */
    struct ftri_bounds *time_scale;
    struct paths *paths;
    uint64_t start_ns;                    /* Unix: since when there is counted */
    ftr_str control_names[CONTROL_KINDS]; /* of events, by the conventions */
    struct action actions[CONTROL_KINDS];
    struct action brief;      /* of the node whose code handles CONFIG or MEMORY_PRESSURE_CHANGED */
    bool is_memory_short;     /* as a node found */
    struct node *active;      /* whose code runs; NULL: none, or a callback from outside */
    struct ftri_list ready;   /* struct node.ready */
    struct ftri_list running; /* struct frame.running: their work clock was touched */
    struct ftri_list spare;   /* struct pdata.link: freed, oldest first */
    size_t n_spare;
    struct frame *spare_frames; /* freed, the latest first */
    size_t n_frames;            /* those and ... */
    size_t n_live;              /* ... those in use */
    struct account_sums *sums;  /* of all instances, with the first of them; NULL */
    uint64_t now_ns;            /* the last reading of its clock (clock.h) */
    bool is_fresh;              /* no node code has run since */
    bool is_delivering;         /* sent: the first batch to leave out of this consume */
    struct pdata *sent;
    struct frame *working; /* what it is given, from working_since_ns on; NULL: not any more */
    uint64_t working_since_ns;
    uint64_t busy_until_ns;    /* see consume.h; 0: its meter knows */
    struct edge_meter *waited; /* the latest batch of this row waited there; NULL: it is counted */
    uint64_t waited_ns;
    bool is_turning; /* a turn is under way: what is to be done is done in it, or arms the next */
    struct loop_timer *turn;
    struct loop_wakeup *wakeup;
    struct node *_Atomic woken; /* stack through next_woken */
    struct loop_timer *drain_timer;
    uint64_t drain_half_ns, drain_deadline_ns;
    enum drain_state drain;
    bool is_turn_armed;
    bool is_told_finished, is_told_drained;
    const struct node *failed; /* NULL: none */
    bool is_told_failed;
    char failure[256];
};

/* graph_start and graph_free in steps, for several instances. A failed start leaves what started to
 * be stopped. */
int graph_start_nodes(struct graph *self, struct ftri_error *error) FTRI_MUST_CHECK;
void graph_stop_node(struct node *node);

/* The node can never go on; text as for printf. */
void node_failed_because(struct node *self, const char *format, ...) FTRI_PRINTF(2, 3);
