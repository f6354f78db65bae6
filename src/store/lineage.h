/* SPDX-License-Identifier: Apache-2.0
 *
 * The store's contract, continued: what lineage is made of. Each (trace id, span id) is returned
 * once, as by every read path, with the contributors that it names itself; the way back is asked
 * for with store_find_results. A contributor need not be stored.
 *
 * Reads may come from any thread. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "store/contributors.h"

struct found_span;
struct ftri_bytes;
struct store;

struct store_span_id {
    ftr_trace_id trace_id;
    ftr_span_id span_id;
};

struct store_contributor {
    struct store_span_id id;
    enum store_relation relation;
};

struct store_lineage_span {
    struct store_span_id id;
    ftr_span_id parent_span_id;
    bool has_parent, is_error;
    bool is_manifest;     /* its contributors are those of its parent */
    bool has_events_only; /* only events of it were received */
    enum store_refusal refusal;
    uint64_t start_ns, end_ns; /* end 0: unfinished */
    ftr_str service, name;
    uint64_t n_manifests;                   /* of a manifest: how many its parent should have */
    uint64_t n_unnamed;                     /* contributors that its manifest had no room for */
    struct store_contributor *contributors; /* as they stand, repeats too */
    size_t n_contributors;
    struct store_lineage_span *next; /* in the order of finding */
    struct lineage_version *version; /* the reader's */
};

/* Spans of some traces; owns all that it points to. */
struct store_lineage {
    struct ftri_arena arena;
    struct ftri_map by_id;
    struct store_lineage_span *first, *last;
    size_t n_spans;
    uint64_t deadline_ns; /* ftri_time_monotonic_ns: reading blocks ends; 0: it takes its time */
};

void store_lineage_init(struct store_lineage *self, size_t limit_bytes);
void store_lineage_deinit(struct store_lineage *self);

/* All spans of n traces (sorted, each once). Without contributors it is cheaper: only who is there
 * is wanted. -EMSGSIZE: more than the limit; -ETIMEDOUT; what was found until then stays. */
int store_read_lineage(struct store *self, const ftr_trace_id *traces, size_t n,
                       bool has_contributors, struct store_lineage *lineage) FTRI_MUST_CHECK;

/* Spans that are looked for. */
struct store_wanted {
    const struct store_span_id *spans; /* sorted, each once */
    size_t n;
    uint64_t deadline_ns; /* as above */
};
/* Appends the ids (ftr_trace_id, sorted, each once) of other traces in which a span names one of
 * the wanted ones as its contributor. -ETIMEDOUT: what was found until then is there. */
int store_find_results(struct store *self, const struct store_wanted *wanted,
                       struct ftri_bytes *out) FTRI_MUST_CHECK;

/* Why a span is not there. */
enum store_absence {
    STORE_ABSENCE_NEVER,   /* never received */
    STORE_ABSENCE_REMOVED, /* by retention */
    STORE_ABSENCE_UNKNOWN, /* retention removed more than is remembered */
    STORE_N_ABSENCES
};
/* Of spans that were looked for and not found; each an enum store_absence. */
int store_explain_absence(struct store *self, const struct store_span_id *spans, size_t n,
                          uint8_t *ret_absences) FTRI_MUST_CHECK;

/* --- for backends -------------------------------------------------------------------------- */

/* Adds one version of a span, or a fragment; the winner stays. Bytes are borrowed; empty: only
 * what else is in it. */
int store_lineage_add(struct store_lineage *self, const struct found_span *found,
                      ftr_str service) FTRI_MUST_CHECK;

/* Whether the span names one of the wanted ones as a contributor. */
int store_wanted_is_named(const struct store_wanted *self, const struct ftri_otlp_span *span,
                          bool *ret_is_named) FTRI_MUST_CHECK;
