/* SPDX-License-Identifier: Apache-2.0
 *
 * The vocabulary of dataflow on top of spans: a *visit* is one node working on one batch, a *hop*
 * is what travels with the batch to the next node, an *outcome* is what became of it.
 *
 * An engine calls ftr_visit_start when a node takes a batch from its channel, ftr_visit_emit for
 * every batch the node sends on (and carries the returned hop with that batch), ftr_visit_drop for
 * items that go no further, and ftr_visit_end when the fate of the batch is known.
 * Many inputs make a fan-in: the parent is the first sampled contributor, the others become links
 * through a bounded reservoir, and the full set travels as manifest spans (docs/adr/).
 * Like spans, visits never fail and cost a branch when the library is off. One thread at a time per
 * visit; a visit may move between threads. */
#ifndef FLOWTRACE_FLOW_H
#define FLOWTRACE_FLOW_H

#include <flowtrace/context.h>
#include <flowtrace/span.h>
#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ftr_node_kind {
    FTR_NODE_RECEIVER = 1,
    FTR_NODE_PROCESSOR = 2,
    FTR_NODE_EXPORTER = 3
} ftr_node_kind;

typedef enum ftr_signal {
    FTR_SIGNAL_NONE = 0,
    FTR_SIGNAL_TRACES = 1,
    FTR_SIGNAL_METRICS = 2,
    FTR_SIGNAL_LOGS = 3,
    FTR_SIGNAL_RECORDS = 4 /* anything that is not telemetry */
} ftr_signal;

typedef enum ftr_lineage {
    FTR_LINEAGE_FULL = 0, /* links and manifest spans */
    FTR_LINEAGE_LINKS = 1,
    FTR_LINEAGE_OFF = 2
} ftr_lineage;

/* A node of the graph; strings are copied. One per node, kept as long as visits to it run. */
typedef struct ftr_node_options {
    size_t size;
    ftr_str id;   /* "proc-2" */
    ftr_str type; /* "processor/batch" */
    ftr_node_kind kind;
    ftr_str pipeline; /* may be empty */
    bool is_stateful;
    ftr_lineage lineage;
    /* Whose names its visits have (docs/conventions.md), as in ftr_config. Empty: those of the
     * session, which should have begun; while there is none, FLOWTRACE_CONVENTIONS. A name that
     * ftr_convention_check refuses counts as empty, with a diagnostic. */
    ftr_str conventions;
    bool has_loop; /* the node runs on one of several event loops, whose number visits have */
    uint32_t loop;
    uint64_t generation; /* of the configuration, which its visits tell; 0: none */
} ftr_node_options;

typedef struct ftr_node ftr_node;

/* NULL when memory is short; every function below accepts a NULL node (nothing is recorded). */
FTR_API ftr_node *ftr_node_new(const ftr_node_options *options);
/* Only after the last visit to it has ended. NULL is fine. */
FTR_API void ftr_node_free(ftr_node *node);

/* The mode of the visits to this node that start from now on, in place of the process's; NULL: the
 * process's. A pipeline is switched by switching all of its nodes. Any thread, any time.
 * FTR_MODE_OFF: nothing is recorded, hops pass the context on that came with the batch.
 * FTR_MODE_TAIL: flows that begin here wait for their verdict as in <flowtrace/tail.h>; those that
 * had begun are exported as before. FTR_MODE_FULL: every flow that comes here is exported, whole.
 * When no node is in FTR_MODE_TAIL any more, flows that wait are exported, unless the process is.
 * With ftr_set_mode(FTR_MODE_OFF) nothing is recorded anywhere. */
FTR_API void ftr_node_set_mode(ftr_node *node, const ftr_mode *mode);

/* For events and spans of an engine's own. How the node's conventions call what Flowtrace calls
 * `name`: "control/ack" is "otelcol.node.ack" by otelcol. Else the name itself, as with a NULL
 * node. Static, or the name's own characters. */
FTR_API ftr_str ftr_node_word(const ftr_node *node, ftr_str name);
/* Says on a span of one's own which node it is about: id and type. */
FTR_API void ftr_node_annotate(const ftr_node *node, ftr_span span);

/* For those who read spans: every name of the same thing, ours first; the name alone when it is
 * nobody's. Fills at most `limit`, returns how many. Static, or the name's own characters. */
FTR_API size_t ftr_convention_names(ftr_str name, ftr_str *ret_names, size_t limit);
enum { FTR_CONVENTION_NAMES_MAX = 8 }; /* a limit that is enough */

/* What goes with a batch from node to node. A value; owns one context reference: release it, or
 * hand it on. All-zero: a batch of unknown origin. */
typedef struct ftr_hop {
    ftr_context context;  /* of the visit that sent it */
    uint64_t sent_ns;     /* CLOCK_MONOTONIC of the emit, to some microseconds; 0: unknown */
    ftr_str port;         /* static or owned by the sending node */
    uint32_t split_index; /* this copy among split_count children of one batch */
    uint32_t split_count; /* 0 or 1: not split */
    uint32_t n_hops;      /* nodes behind it on the longest way; 0: unknown */
    uint32_t reserved;
} ftr_hop;

/* Carrying a hop over a wire: context by ftr_inject, sent_ns only within one machine, n_hops as it
 * is. Every 256th hop starts a new trace that is linked to the one before, so that a cycle in the
 * graph cannot make a trace without end. */

/* An all-zero hop; what ftr_hop_release leaves. */
FTR_API void ftr_hop_init(ftr_hop *hop);
/* A second hop with its own reference; release both. */
FTR_API void ftr_hop_copy(const ftr_hop *hop, ftr_hop *ret_hop);
FTR_API void ftr_hop_release(ftr_hop *hop);

/* CLOCK_MONOTONIC in ns, but for some microseconds, at the price of one read of the cycle counter:
 * the clock that hops and visits are measured by. Of two readings the later one may be the smaller
 * by those microseconds. */
FTR_API uint64_t ftr_flow_clock_ns(void);

/* What the engine knows about the arrival of a batch. */
typedef struct ftr_arrival {
    size_t size;
    ftr_signal signal;
    uint64_t n_items;
    uint64_t n_bytes;
    uint64_t queue_depth;    /* messages in the channel when this one was taken, itself included */
    uint64_t queue_capacity; /* 0: there is no channel */
    uint32_t n_attempt;      /* 0: first delivery; recorded from 1 on */
    uint64_t now_ns;         /* ftr_flow_clock_ns() of now; 0: the library reads it */
} ftr_arrival;

/* One node working on one batch. Caller's storage, opaque; it may be copied bytewise as long as
 * only one copy is used. All-zero: a visit that records nothing. */
typedef struct ftr_visit {
    uint64_t opaque[16];
} ftr_visit;

typedef enum ftr_outcome {
    FTR_OUTCOME_SUCCESS = 1,
    FTR_OUTCOME_FAILURE = 2, /* this node is at fault */
    FTR_OUTCOME_REFUSED = 3  /* somebody downstream is */
} ftr_outcome;

/* Why items went no further. Names in docs/glossary.md. */
typedef enum ftr_drop_reason {
    FTR_DROP_FILTERED = 1,
    FTR_DROP_NO_ROUTE = 2,
    FTR_DROP_BUFFER_FULL = 3,
    FTR_DROP_RETRIES_EXHAUSTED = 4,
    FTR_DROP_DUPLICATE = 5,
    FTR_DROP_LATE = 6,
    FTR_DROP_INVALID = 7,
    FTR_DROP_REJECTED = 8, /* by the destination, for good */
    FTR_DROP_SHUTDOWN = 9
} ftr_drop_reason;

/* "filtered", "no_route", ...; "unknown" for a value that is not listed. Static. */
FTR_API const char *ftr_drop_reason_name(ftr_drop_reason reason);
FTR_API const char *ftr_outcome_name(ftr_outcome outcome);
FTR_API const char *ftr_signal_name(ftr_signal signal);

/* Starts a visit. n_inputs 0: the node is a source and starts a new flow (the thread's current
 * context is not its parent); 1: continues it; more: fan-in. Hops are borrowed. Queue wait is now
 * minus the (first) input's sent_ns; without
 * that there is none. arrival may be NULL: nothing is known of it. */
FTR_API void ftr_visit_start(ftr_visit *visit, const ftr_node *node, const ftr_hop *inputs,
                             size_t n_inputs, const ftr_arrival *arrival);
/* A source whose batch came with a context from outside (extracted from headers). */
FTR_API void ftr_visit_start_from(ftr_visit *visit, const ftr_node *node, const ftr_context *origin,
                                  const ftr_arrival *arrival);
/* Fan-in of a number of inputs that is not known in advance: start with the first one, then add the
 * others one by one. While no input was sampled, the first sampled one that is added becomes
 * the parent (the span keeps the time of its start); hops emitted before that stay unsampled.
 * The links are written when the visit ends. Started without inputs, all of them become links. */
FTR_API void ftr_visit_add_input(ftr_visit *visit, const ftr_hop *input);

/* A batch leaves by a port: fills the hop that goes with it (release or hand on). The port's
 * characters must live as long as the hop. */
FTR_API void ftr_visit_emit(ftr_visit *visit, ftr_str port, uint64_t n_items, uint64_t n_bytes,
                            ftr_hop *ret_hop);
/* One of several children of one batch. */
typedef struct ftr_split {
    uint32_t index; /* from 0 */
    uint32_t count;
} ftr_split;

/* The visit sends split.count children of one batch: each gets its own hop with its index. */
FTR_API void ftr_visit_emit_split(ftr_visit *visit, ftr_str port, ftr_split split, uint64_t n_items,
                                  uint64_t n_bytes, ftr_hop *ret_hop);

/* What the engine knows about the departure of a batch. */
typedef struct ftr_departure {
    size_t size;
    uint64_t n_items;
    uint64_t n_bytes;
    /* Messages in the channel once this one was sent, itself included unless it waits for room. */
    uint64_t queue_depth;
    uint64_t queue_capacity; /* 0: there is no channel, or nothing is known of it */
    ftr_split split;         /* count 0 or 1: not split */
    uint64_t now_ns;         /* ftr_flow_clock_ns() of now; 0: the library reads it */
} ftr_departure;

/* The same for an engine that knows its channels: the batch leaves, before it lies in one. */
FTR_API void ftr_visit_emit_with(ftr_visit *visit, ftr_str port, const ftr_departure *departure,
                                 ftr_hop *ret_hop);
/* The send had to wait for room in the output channel. */
FTR_API void ftr_visit_blocked(ftr_visit *visit, uint64_t waited_ns);
FTR_API void ftr_visit_drop(ftr_visit *visit, ftr_drop_reason reason, uint64_t n_items);
/* Anything else of note: "batch_flush", "export_success", "control/timer_tick". */
FTR_API void ftr_visit_event(ftr_visit *visit, ftr_str name, const ftr_attribute *attributes,
                             size_t n_attributes);
/* The node stops working on it for now (waits for an ack, holds it in a buffer): work time ends
 * here, the span stays open; ftr_visit_resume starts the work clock again. Starting implies resume,
 * ending implies pause. */
FTR_API void ftr_visit_pause(ftr_visit *visit);
FTR_API void ftr_visit_resume(ftr_visit *visit);
/* Instead of both: the engine has measured that the node worked on it for so long, in addition to
 * what was said before. The visit's own work clock stands from the first such call on. */
FTR_API void ftr_visit_worked(ftr_visit *visit, uint64_t worked_ns);
/* error may be empty. Success leaves the span's status unset; the others set ERROR. */
FTR_API void ftr_visit_end(ftr_visit *visit, ftr_outcome outcome, ftr_str error);

/* The visit's span, for attributes of one's own. Does not record when the visit does not. */
FTR_API ftr_span ftr_visit_span(const ftr_visit *visit);

/* An action of the control plane that touches many flows (a new configuration, a drain, a shutdown,
 * memory pressure): a span of its own, with links to visits that it touched and with its result.
 * Whatever samplers and modes do to flows, it is exported, as long as anything is recorded:
 * together these spans are the audit trail of an engine. Caller's storage, as for visits; all-zero:
 * one that records nothing. One thread at a time. */
typedef struct ftr_control {
    uint64_t opaque[4];
} ftr_control;

enum { FTR_CONTROL_LINKS = 50 }; /* of one action; flow.touched counts all that was touched */

typedef struct ftr_control_options {
    size_t size;              /* sizeof(ftr_control_options) */
    ftr_str name;             /* "control/shutdown" */
    const ftr_node *node;     /* that the action is carried out at; NULL: at the whole pipeline */
    ftr_str pipeline;         /* may be empty: the node's */
    const ftr_control *whole; /* the action that this one is a part of, not yet ended; or NULL */
    const ftr_attribute *attributes;
    size_t n_attributes;
    uint64_t generation; /* of the configuration; 0: the node's, or none */
    bool has_loop;       /* on this one of several event loops; false: the node's, or none */
    uint32_t loop;
} ftr_control_options;

FTR_API void ftr_control_start(ftr_control *control, const ftr_control_options *options);
/* The action touched this visit, which is still open. The same visit is counted each time. An event
 * on the visit, if one is wanted, is the caller's (ftr_visit_event). */
FTR_API void ftr_control_touch(ftr_control *control, const ftr_visit *visit);
/* error as for ftr_visit_end. */
FTR_API void ftr_control_end(ftr_control *control, ftr_outcome outcome, ftr_str error);

#ifdef __cplusplus
}
#endif

#endif
