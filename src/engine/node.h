/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node is (one const node_class) and what it may do to itself (node_*).
 *
 * The engine records everything a node does: the visit, queue wait, ports, acks and nacks, outcome,
 * backpressure, control messages, the accounts. A node adds only what it alone knows: node_event,
 * drop reasons. A class that calls nothing but node_send has complete visits.
 *
 * A pdata given to consume belongs to the node until it gives it up, exactly once, by node_send,
 * node_drop, node_ack, node_nack or node_merge; it may keep it over any number of turns.
 * The *frame* of a pdata is the engine's account of who waits for its outcome: an input is settled
 * when everything derived from it is, with the first failure as its outcome; then the nodes above
 * learn of it, up to the receiver. Everything on the graph's thread; nothing here blocks. */
#pragma once

#include "config/options.h"
#include "engine/pdata.h"

struct ftri_error;
struct loop;
struct node;

enum nack_cause { NACK_UNSPECIFIED, NACK_ROUTE_FULL, NACK_ROUTE_CLOSED, NACK_NODE_SHUTDOWN };

/* What became of a pdata. */
struct result {
    bool is_ack;
    bool is_permanent; /* of a nack: trying again cannot help */
    enum nack_cause cause;
    uint64_t retry_after_ns; /* of a nack: the destination asked for this delay; 0: it did not */
    char reason[128];        /* of a nack, one phrase */
};

enum control_kind {
    CONTROL_ACK,  /* a watched pdata was settled well; calldata */
    CONTROL_NACK, /* ... or not; result */
    CONTROL_CONFIG,
    CONTROL_TIMER_TICK,        /* node_set_timer ran out */
    CONTROL_COLLECT_TELEMETRY, /* the ledger is cut: every 10 s */
    CONTROL_WAKEUP,            /* node_wakeup was called, maybe from another thread */
    CONTROL_RESUME_DATA,       /* after node_can_send was false: the ports have room again */
    CONTROL_MEMORY_PRESSURE_CHANGED,
    CONTROL_DRAIN_INGRESS, /* receivers: take in nothing more; call node_drained when done */
    CONTROL_SHUTDOWN       /* give up or send on what is held, before the deadline; comes again when
                            * batches that were tried again above arrive after it */
};

struct control {
    enum control_kind kind;
    uint64_t calldata;           /* ACK, NACK */
    const struct result *result; /* ACK, NACK */
    uint64_t deadline_ns;        /* DRAIN_INGRESS, SHUTDOWN; CLOCK_MONOTONIC */
    bool is_memory_short;        /* MEMORY_PRESSURE_CHANGED: how it is now */
};

/* "control/ack", "control/timer_tick", ...: the proposal's event names. Static. */
const char *control_name(enum control_kind kind);

/* What a node has to see in order to do its work, where a graph runs on several loops. */
enum node_state_of {
    STATE_OF_BATCH, /* one batch, or any few: an instance on each loop */
    STATE_OF_TRACE, /* all of a trace: an instance on each loop, and each trace goes to one */
    STATE_OF_GRAPH  /* everything, or what there is one of (a file, a log): on the first loop */
};

struct node_class {
    const char *type; /* "processor/batch" */
    ftr_node_kind kind;
    const char *sentence; /* for help and docs */
    struct option_table options;
    const char *const *ports; /* NULL-terminated; NULL: one port "out" (exporters: none) */
    /* Ports that depend on the configuration: fills at most `limit` names that live as long as the
     * node, returns how many. NULL: `ports` holds. Options are read already. */
    size_t (*configured_ports)(const void *options, const char **ret_names, size_t limit);
    size_t state_size; /* zeroed before init */
    /* Holds data over turns: its work clock stops while it holds. A processor that is not, and
     * still has a batch in hand when consume returns, has leaked it: the node fails. */
    bool is_stateful;
    enum node_state_of state;
    /* Where it depends on the configuration. NULL: `state` holds. */
    enum node_state_of (*configured_state)(const void *options);
    /* Checks what the option table cannot, without side effects. May be NULL. */
    int (*check)(const void *options, struct ftri_error *error);
    /* Opens files, sockets, threads. Failure: nothing is left open. May be NULL. */
    int (*start)(struct node *self, struct ftri_error *error);
    void (*consume)(struct node *self, struct pdata *pdata);           /* NULL for receivers */
    void (*control)(struct node *self, const struct control *message); /* may be NULL */
    /* After the last message: closes everything. May be NULL. */
    void (*stop)(struct node *self);
};

/* Itself. */
const char *node_id(const struct node *self);
void *node_state(struct node *self);
const void *node_options(const struct node *self);
struct loop *node_loop(struct node *self);
/* Which of the loops it is, and the same node on the first of them (itself, there). */
size_t node_loop_index(const struct node *self);
size_t node_n_loops(const struct node *self);
struct node *node_first(struct node *self);
/* The graph's caller's pointer, for classes that are made for one program. */
void *node_environment(const struct node *self);
size_t node_n_ports(const struct node *self);
/* Index of a port by name; node_n_ports when there is none. */
size_t node_port(const struct node *self, const char *name);

/* New data. A receiver starts a flow; origin (may be NULL) is a context from outside. watched: the
 * node gets CONTROL_ACK or CONTROL_NACK with calldata when it is settled. NULL: memory is short.
 * Then set the payload and node_send it. */
struct pdata *node_ingest(struct node *self, ftr_signal signal, const ftr_context *origin,
                          bool is_watched, uint64_t calldata) FTRI_MUST_CHECK;
/* The flow of a batch that the node holds, as a further node_ingest goes on with it, also when the
 * visit has ended. Release it. */
ftr_context node_flow_of(const struct pdata *pdata);
/* A further output of an input that the node still holds (split, fan-out): shares its payload,
 * flow and outcome: the input is settled only when this one is too. index of count children. */
struct pdata *node_derive(struct node *self, struct pdata *input, uint32_t index,
                          uint32_t count) FTRI_MUST_CHECK;
/* Continues the input's flow, but its outcome comes to this node (CONTROL_ACK/NACK with calldata)
 * and not to the input: for retries and for taking custody. */
struct pdata *node_derive_watched(struct node *self, struct pdata *input,
                                  uint64_t calldata) FTRI_MUST_CHECK;
/* Fan-in: a new pdata without payload whose outcome settles all inputs, which are consumed (on
 * NULL none is). It gets a visit of its own, below those of the inputs; parent, links and manifest
 * are the engine's. */
struct pdata *node_merge(struct node *self, struct pdata **inputs, size_t n) FTRI_MUST_CHECK;

/* Giving up a pdata (each consumes it). A batch that the node does not hold, a second answer or a
 * call after stop changes nothing and fails the node. What the engine took back at the deadline of
 * a shutdown may still be given up; that has no effect. */
void node_send(struct node *self, size_t port, struct pdata *pdata);
/* All of it goes no further, on purpose; the senders see success. */
void node_drop(struct node *self, struct pdata *pdata, ftr_drop_reason reason);
void node_ack(struct node *self, struct pdata *pdata);
void node_nack(struct node *self, struct pdata *pdata, const struct result *result);

/* Part of it goes no further; the caller then replaces the payload. */
void node_drop_items(struct node *self, struct pdata *pdata, ftr_drop_reason reason,
                     uint64_t n_items);
/* "batch_flush", "export_success": on the visit that holds this pdata. */
void node_event(struct node *self, struct pdata *pdata, const char *name,
                const ftr_attribute *attributes, size_t n_attributes);
/* Counted in the node's account, with an event on the visit. */
void node_count_retry(struct node *self, struct pdata *pdata, uint32_t attempt, uint64_t delay_ns);

/* False while a port's channel has no room: a node that makes new data (node_ingest) takes in
 * nothing more until CONTROL_RESUME_DATA. Sending all the same is allowed and waits in the port. */
bool node_can_send(const struct node *self);
/* The same for one port, without the wish to be told. */
bool node_port_has_room(const struct node *self, size_t port);
/* false: no consume until it is true again; meanwhile the input channel fills and the senders feel
 * it. For nodes that hold as much as they may (requests in flight, retries waiting, a busy disk).
 */
void node_set_accepting(struct node *self, bool is_accepting);
/* CONTROL_TIMER_TICK after the delay; replaces a running timer; 0 stops it. */
void node_set_timer(struct node *self, uint64_t delay_ns);
/* CLOCK_MONOTONIC, but for some microseconds, of when the code that runs was called. For what need
 * not be read anew for each batch. */
uint64_t node_now_ns(const struct node *self);
/* CONTROL_WAKEUP soon. Any thread. */
void node_wakeup(struct node *self);
/* The process has begun to use more memory than it may, or no longer does, as this node found:
 * CONTROL_MEMORY_PRESSURE_CHANGED to all nodes of the graph. */
void node_memory_pressure(struct node *self, bool is_short, uint64_t n_used_bytes,
                          uint64_t n_allowed_bytes);
/* Receivers: the answer to CONTROL_DRAIN_INGRESS. */
void node_drained(struct node *self);
/* A node that can never go on (its receiver's work is done, or its disk is dead) says so; the
 * runtime's on_finished or on_failed hears of it. */
void node_finished(struct node *self);
void node_failed(struct node *self, const char *reason);
