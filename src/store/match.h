/* SPDX-License-Identifier: Apache-2.0
 *
 * Matching a query: the conditions, the newest traces that matched (never more than the query's
 * limit are kept), and sets of names. One thread.
 *
 * A place (the gather, a block) offers its matching traces as candidates, each with its newest
 * matching start there. A trace whose spans lie in several places may hold a version of a span
 * that beats the matching one, so such a candidate is verified; but only when its start says that
 * it can still be among the answer, newest first. */
#pragma once

#include "base/map.h"
#include "store/store.h"

/* What of a span a query looks at. */
struct match_fields {
    ftr_str service;
    ftr_str name;
    uint64_t start_ns;
    uint64_t end_ns; /* 0: unfinished */
    bool is_error;
};

/* A span of the same ids, when there is one, matches in its place. */
bool match_is_fragment(const struct match_fields *fields);
bool match_span(const struct store_query *query, const struct match_fields *fields);

struct candidate {
    struct store_match match;
    bool is_sure; /* its place has no version that beats the matching ones */
};

struct candidates {
    struct candidate *items;
    size_t n_items, capacity;
};

void candidates_deinit(struct candidates *self);
/* Repeats of a trace in a row are joined. */
int candidates_add(struct candidates *self, const uint8_t trace_id[16], uint64_t start_ns,
                   bool is_sure) FTRI_MUST_CHECK;

/* Positive outcome of verifying. */
enum { MATCH_NONE = 1 };

struct match_set {
    const struct store_query *query;
    /* The newest matching start of a whole trace, of winning versions only; or MATCH_NONE. */
    int (*verify)(void *argument, const uint8_t trace_id[16], uint64_t *ret_start_ns);
    /* True: all of the trace's spans are in one block. */
    bool (*is_in_one_block)(void *argument, const uint8_t trace_id[16]);
    void *argument;
    struct ftri_map seen;     /* traces that were verified or taken */
    struct store_match *heap; /* the oldest on top */
    size_t n_heap, capacity;
};

void match_set_init(struct match_set *self, const struct store_query *query);
void match_set_deinit(struct match_set *self);
/* Takes what can be among the answer; sorts the candidates. */
int match_take(struct match_set *self, struct candidates *candidates) FTRI_MUST_CHECK;
/* True when no trace whose spans all start at newest_ns or before can be among the answer. */
bool match_is_complete(const struct match_set *self, uint64_t newest_ns);
/* The answer: newest first. */
void match_finish(struct match_set *self, struct store_match **ret_matches, size_t *ret_n);

/* Services, or the span names of one. */
struct name_set {
    ftr_str service; /* empty: services are asked for */
    struct ftri_map names;
};
int name_add(struct name_set *self, ftr_str service, ftr_str name) FTRI_MUST_CHECK;
