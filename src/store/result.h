/* SPDX-License-Identifier: Apache-2.0
 *
 * Building a store_result: spans from several places, the bytes that they point to kept alive,
 * each (trace id, span id) left once, and fragments merged into it. One thread. */
#pragma once

#include "otlp/view.h"

struct ftri_payload;
struct result_owner;
struct store_query;
struct store_result;

/* One version of a span, or a fragment. Of two versions that are both finished, or both not, the
 * one with the higher received_ns wins, then order (of the append), then row (in its payload). */
struct found_span {
    struct ftri_otlp_span span;
    uint64_t received_ns;
    uint64_t order;
    uint32_t row;
    bool is_fragment;
    bool is_match; /* of the builder's query */
};

/* What decides between two versions of one span. */
struct span_version {
    bool is_fragment, is_finished;
    uint64_t received_ns, order;
    uint32_t row;
};
struct span_version result_version(const struct found_span *found);
/* Below 0: a wins. */
int result_compare_versions(const struct span_version *a, const struct span_version *b);

struct result_builder {
    const struct store_query *query; /* not NULL: ids, times and verdicts are wanted, no more */
    struct found_span *items;
    size_t n_items;
    size_t capacity;
    struct result_owner *owner;
};

int result_builder_init(struct result_builder *self) FTRI_MUST_CHECK;
void result_builder_deinit(struct result_builder *self);
/* The span's bytes must be kept by one of the two below. */
int result_add(struct result_builder *self, const struct found_span *span) FTRI_MUST_CHECK;
/* Takes a reference. */
int result_keep_payload(struct result_builder *self, struct ftri_payload *payload) FTRI_MUST_CHECK;
/* Moves the bytes in; their address stays. */
int result_keep_bytes(struct result_builder *self, struct ftri_bytes *bytes) FTRI_MUST_CHECK;
/* Consumes the builder. At most limit spans, the earliest. */
int result_finish(struct result_builder *self, size_t limit,
                  struct store_result *ret_result) FTRI_MUST_CHECK;
/* The newest start of the matching spans, each counted once; false: none matches. */
bool result_find_match(struct result_builder *self, uint64_t *ret_start_ns);
bool result_is_same_span(const struct found_span *a, const struct found_span *b);
/* Leaves the winner of each span's versions and behind it each different fragment of it, in place;
 * returns how many are left. Order: trace id, span id. */
size_t result_deduplicate(struct found_span *items, size_t n);
