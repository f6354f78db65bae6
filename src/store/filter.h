/* SPDX-License-Identifier: Apache-2.0
 *
 * A Bloom filter over a block's pairs of service and span name: may a query's service and name be
 * there? About one in fifty answers is a wrong yes, never one a wrong no. In memory only, made from
 * a block's names. Sans-I/O, immutable once made. */
#pragma once

#include "base/bytes.h"
#include "store/store.h"

struct filter {
    uint64_t *words;
    size_t n_words; /* a power of two, or 0: everything may be there */
};

/* names: of a block, unpacked. */
int filter_init(struct filter *self, struct ftri_view names) FTRI_MUST_CHECK;
void filter_deinit(struct filter *self);
bool filter_may_match(const struct filter *self, const struct store_query *query);
