/* SPDX-License-Identifier: Apache-2.0
 *
 * What was appended and is not yet (or, in a memory store, never) in a block: payloads by
 * reference, their spans indexed by trace id, and by the traces that they mention. Payloads stand
 * in the order of their appends.
 *
 * Any thread may call; one mutex guards all of it. The writer reads entries outside the lock: an
 * entry's spans never change, and only the writer (or, without one, the owner) removes entries. */
#pragma once

#include "base/list.h"
#include "store/gather_mentions.h"
#include "store/match.h"
#include "store/result.h"
#include "store/store.h"

#include <pthread.h>

struct gathered;
struct ledger_set;

struct gathered_span {
    struct ftri_otlp_span span;
    ftr_str service;
    struct gathered *entry;
    struct gathered_span *next;  /* of the same bucket */
    struct gathered_span **link; /* what points to this one */
};

struct gathered {
    struct ftri_list link;
    struct ftri_payload *payload;
    uint64_t token;
    uint64_t received_ns;
    uint64_t order;              /* of appending */
    size_t n_bytes;              /* of memory, with the index */
    size_t n_spans, n_fragments; /* the latter among the former */
    bool is_ledger;              /* the payload holds ledger rows, no spans */
    bool is_unwatched;           /* nobody waits for its token */
    struct gathered_mentions mentions;
    struct gathered_span spans[];
};

struct gather {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* for the writer */
    struct ftri_list entries;
    struct gathered_span **buckets;
    struct gathered_mention **mention_buckets;
    size_t n_buckets; /* of each, a power of two */
    size_t n_spans, n_mentions;
    uint64_t n_bytes;
    size_t n_unsettled; /* entries whose token has to come back */
    uint64_t next_order;
    uint64_t seed;
    uint64_t n_appended_spans, n_appended_fragments;
    uint64_t refused_manifests[STORE_REFUSALS_MAX];
    struct store_settled *settled; /* not yet collected */
    size_t n_settled, settled_capacity;
};

int gather_init(struct gather *self) FTRI_MUST_CHECK;
void gather_deinit(struct gather *self);
/* The span with what it is compared by. */
struct found_span gathered_found(const struct gathered_span *span);
/* STORE_BUSY when more than max_spans or max_bytes would be held. */
int gather_append(struct gather *self, const struct gathered *values, size_t max_spans,
                  uint64_t max_bytes) FTRI_MUST_CHECK;
/* The first entry after `after` (NULL: the first of all); NULL at the end. */
struct gathered *gather_next(struct gather *self, const struct gathered *after);
/* Removes the first n entries and settles their tokens with error. */
void gather_remove(struct gather *self, size_t n, int error);
/* For a backend without blocks: the last entry stays and is settled; the first goes, settled
 * before. */
void gather_settle_last(struct gather *self);
void gather_expire_first(struct gather *self);
size_t gather_collect(struct gather *self, struct store_settled *ret_settled, size_t n);

int gather_find_trace(struct gather *self, const uint8_t trace_id[16],
                      struct result_builder *builder) FTRI_MUST_CHECK;
/* Calls back, under the mutex, for each span that may name a span of the trace as a contributor. */
typedef int gather_visit(void *argument, const struct gathered_span *span);
int gather_find_mentions(struct gather *self, const uint8_t trace_id[16], gather_visit *visit,
                         void *argument) FTRI_MUST_CHECK;
/* ... for each span of the trace. */
int gather_visit_trace(struct gather *self, const uint8_t trace_id[16], gather_visit *visit,
                       void *argument) FTRI_MUST_CHECK;
bool gather_has_trace(struct gather *self, const uint8_t trace_id[16]);
int gather_find_matches(struct gather *self, const struct store_query *query,
                        struct candidates *candidates) FTRI_MUST_CHECK;
int gather_find_names(struct gather *self, struct name_set *names) FTRI_MUST_CHECK;
/* Adds the ledger rows of every entry. */
int gather_find_ledger(struct gather *self, struct ledger_set *set) FTRI_MUST_CHECK;
