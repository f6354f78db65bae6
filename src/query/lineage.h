/* SPDX-License-Identifier: Apache-2.0
 *
 * Lineage: what a span was made from (up) and what was made from it (down), across traces, as far
 * as asked. An edge leads from a contributor to the span that names it: by its parent, a link or a
 * manifest. Found level by level, so that the nearest come first; each span and each edge is
 * reported once, cycles end by themselves. What is not stored is reported with the reason.
 *
 * One thread. Bounded by the number of edges, by memory and by time; what was left out is said. */
#pragma once

#include "store/lineage.h"

enum lineage_direction { LINEAGE_UP = 1, LINEAGE_DOWN = 2, LINEAGE_BOTH = 3 };

enum {
    LINEAGE_DEPTH_DEFAULT = 32,
    LINEAGE_DEPTH_MAX = 1000,
    LINEAGE_LIMIT_DEFAULT = 100 * 1000,
    LINEAGE_LIMIT_MAX = 1000 * 1000
};

struct lineage_question {
    struct store_span_id id;
    bool is_whole_trace; /* every span of the trace is asked about */
    enum lineage_direction directions;
    uint32_t depth;       /* edges away from what is asked about */
    size_t limit;         /* edges */
    uint64_t deadline_ns; /* ftri_time_monotonic_ns; 0: none */
};

enum lineage_state {
    LINEAGE_STORED,
    LINEAGE_REMOVED, /* by retention */
    LINEAGE_NOT_RECEIVED,
    LINEAGE_UNKNOWN, /* one of the last two: retention removed more than is remembered */
    LINEAGE_N_STATES
};
const char *lineage_state_name(enum lineage_state state);

struct lineage_span {
    const struct store_span_id *id;
    const struct store_lineage_span *stored; /* NULL unless LINEAGE_STORED */
    enum lineage_state state;
    uint32_t depth;
};

struct lineage_edge {
    const struct store_span_id *contributor, *result;
    enum store_relation relation;
    enum lineage_direction direction; /* in which it was met */
    uint32_t depth;                   /* of its far end */
};

/* A manifest that names nobody, as it lies. */
struct lineage_refusal {
    const struct store_span_id *manifest;
    enum store_refusal refusal;
};

/* A result other than 0 ends it. */
struct lineage_visitor {
    int (*span)(void *argument, const struct lineage_span *span);
    int (*edge)(void *argument, const struct lineage_edge *edge);
    int (*refusal)(void *argument, const struct lineage_refusal *refusal);
    void *argument;
};

struct lineage_summary {
    size_t n_spans[LINEAGE_N_STATES];
    size_t n_edges;
    size_t n_refused;   /* manifests */
    size_t n_repeats;   /* names that a manifest repeats */
    uint64_t n_missing; /* manifests that others told of */
    uint64_t n_unnamed; /* contributors that manifests had no room for */
    bool is_over_limit, is_late, is_over_memory;
};

/* 0 also when nothing is known of what is asked about: no span is reported as stored then. */
int lineage_run(struct store *store, const struct lineage_question *question,
                const struct lineage_visitor *visitor,
                struct lineage_summary *ret_summary) FTRI_MUST_CHECK;
