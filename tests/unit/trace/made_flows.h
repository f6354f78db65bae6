/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows that threads make while somebody switches modes, and what of each came out. */
#pragma once

#include "flows.h"

#include <stdatomic.h>

enum { MADE_MAX = 32000 };

static struct made_flow {
    ftr_trace_id id;
    uint32_t n_recorded;
    uint32_t n_exported;
    bool has_error;
} made[MADE_MAX];

static _Atomic size_t n_made;

/* Any thread. A flow of which nothing was recorded is none. */
static inline void note_made(const ftr_trace_id *id, uint32_t n_recorded, bool has_error)
{
    if (n_recorded == 0 || !ftr_trace_id_is_valid(id))
        return;
    const size_t i = atomic_fetch_add(&n_made, 1);
    made[i] = (struct made_flow){.id = *id, .n_recorded = n_recorded, .has_error = has_error};
}

static inline int made_by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(ftr_trace_id));
}

static inline void count_exported(void)
{
    const size_t n = atomic_load(&n_made);
    qsort(made, n, sizeof made[0], made_by_id);
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        struct made_flow *found =
            bsearch(&span.context.trace_id, made, n, sizeof made[0], made_by_id);
        if (found)
            found->n_exported++;
    }
}

/* Each whole or not at all. Returns how many are. */
static inline size_t count_whole(void)
{
    size_t n_kept = 0;
    count_exported();
    for (size_t i = 0; i < atomic_load(&n_made); i++) {
        if (made[i].n_exported != 0 && made[i].n_exported != made[i].n_recorded)
            fail_msg("%u of %u spans", made[i].n_exported, made[i].n_recorded);
        n_kept += made[i].n_exported > 0;
    }
    return n_kept;
}
