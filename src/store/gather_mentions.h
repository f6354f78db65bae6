/* SPDX-License-Identifier: Apache-2.0
 *
 * The mentions of what is gathered: which other traces does a span name as contributors?
 * Repeats in a row are joined. They are an entry's own and are indexed by trace, under the gather's
 * mutex. */
#pragma once

#include "store/store.h"

struct gathered_span;

struct gathered_mention {
    uint8_t trace_id[16];
    const struct gathered_span *span;
    struct gathered_mention *next;  /* of the same bucket */
    struct gathered_mention **link; /* what points to this one */
};

struct gathered_mentions {
    struct gathered_mention *items;
    size_t n_items;
    uint32_t refused[STORE_REFUSALS_MAX]; /* manifests that name nobody, by why */
};

/* Reads them out of an entry's spans. -ENOMEM. */
int gathered_mentions_init(struct gathered_mentions *self, const struct gathered_span *spans,
                           size_t n_spans) FTRI_MUST_CHECK;
void gathered_mentions_deinit(struct gathered_mentions *self);
