/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the lineage that was read: traces as a whole, their spans as nodes, and edges between
 * them, each once. A node may be known by name only. One thread. */
#pragma once

#include "store/lineage.h"

struct lineage_batch;

struct graph_edge {
    struct graph_node *contributor, *result;
    struct graph_edge *next_contributor; /* of the same result */
    struct graph_edge *next_result;      /* of the same contributor */
    enum store_relation relation;
    bool is_reported;
};

struct graph_node {
    struct store_span_id id;
    const struct store_lineage_span *span; /* NULL: not stored, or not yet read */
    struct graph_edge *contributors, *results;
    struct graph_node *next;                /* of its level, the walk's */
    uint64_t n_manifests, n_manifests_told; /* received; how many there should be */
    uint32_t depth;
    uint8_t directions; /* in which the walk has met it */
    bool is_reported;
};

struct lineage_graph {
    struct ftri_arena arena;
    struct ftri_map nodes;  /* by span id */
    struct ftri_map traces; /* what was read of a trace */
    struct lineage_batch *batches;
    size_t n_bytes; /* of the batches */
    size_t n_refused, n_repeats;
    uint64_t n_unnamed, n_missing; /* contributors; manifests */
    uint64_t deadline_ns;          /* of reading; 0: none */
    bool is_full, is_late;         /* not all was read */
    /* Of each manifest that is refused. */
    int (*on_refused)(void *argument, const struct store_lineage_span *manifest);
    void *argument;
};

void lineage_graph_init(struct lineage_graph *self);
void lineage_graph_deinit(struct lineage_graph *self);
/* NULL: memory is short, is_full. */
struct graph_node *lineage_graph_node(struct lineage_graph *self, const struct store_span_id *id);
/* Takes out of n traces (sorted, each once) those that are known already. */
size_t lineage_graph_drop_known(const struct lineage_graph *self, ftr_trace_id *traces, size_t n,
                                bool has_contributors);
/* Its spans, if there are any, are nodes. */
bool lineage_graph_has_read(const struct lineage_graph *self, const ftr_trace_id *trace);
/* Reads them. Too much for memory: is_full; too
 * late: is_late; what was read stays. */
int lineage_graph_read(struct lineage_graph *self, struct store *store, const ftr_trace_id *traces,
                       size_t n, bool has_contributors) FTRI_MUST_CHECK;
/* The first of the spans that the last read added; they are chained. */
const struct store_lineage_span *lineage_graph_newest(const struct lineage_graph *self);
