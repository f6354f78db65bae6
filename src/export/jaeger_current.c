/* SPDX-License-Identifier: Apache-2.0 */
#include "export/jaeger_current.h"

#include "base/mem.h"
#include "base/time.h"
#include "export/jaeger_strategy.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

enum { MARKS_BITS = 5, N_MARKS = 1 << MARKS_BITS };

struct ftri_jaeger_mark {
    _Alignas(64) _Atomic uint32_t n_readers;
};

int ftri_jaeger_current_init(struct ftri_jaeger_current *self,
                             struct ftri_jaeger_strategy *strategy)
{
    self->marks = ftri_alloc_lines(N_MARKS * sizeof *self->marks);
    if (!self->marks)
        return -ENOMEM;
    atomic_init(&self->strategy, strategy);
    return 0;
}

void ftri_jaeger_current_deinit(struct ftri_jaeger_current *self)
{
    ftri_jaeger_strategy_free(atomic_load(&self->strategy));
    ftri_free(self->marks);
}

/* No thread-local variable: in a library that was loaded late its first use takes memory. */
static struct ftri_jaeger_mark *own_mark(const struct ftri_jaeger_current *self)
{
    const uint64_t hash = (uint64_t)pthread_self() * UINT64_C(0x9e3779b97f4a7c15);
    return &self->marks[hash >> (64 - MARKS_BITS)];
}

/* The store of the mark and the load of the strategy are in one order with the store of a new one
 * and the load of the marks: one of the two sees the other. */
bool ftri_jaeger_current_takes(struct ftri_jaeger_current *self, ftr_str operation,
                               const ftr_trace_id *trace_id)
{
    struct ftri_jaeger_mark *mark = own_mark(self);
    atomic_fetch_add(&mark->n_readers, 1);
    const bool takes = ftri_jaeger_strategy_takes(atomic_load(&self->strategy), operation, trace_id,
                                                  ftri_time_monotonic_ns());
    atomic_fetch_sub_explicit(&mark->n_readers, 1, memory_order_release);
    return takes;
}

const struct ftri_jaeger_strategy *ftri_jaeger_current_get(const struct ftri_jaeger_current *self)
{
    return atomic_load_explicit(&self->strategy, memory_order_relaxed);
}

struct ftri_jaeger_strategy *ftri_jaeger_current_replace(struct ftri_jaeger_current *self,
                                                         struct ftri_jaeger_strategy *strategy)
{
    return atomic_exchange(&self->strategy, strategy);
}

bool ftri_jaeger_current_is_settled(const struct ftri_jaeger_current *self, size_t *n_seen)
{
    while (*n_seen < N_MARKS && atomic_load(&self->marks[*n_seen].n_readers) == 0)
        ++*n_seen;
    return *n_seen == N_MARKS;
}
