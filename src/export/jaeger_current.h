/* SPDX-License-Identifier: Apache-2.0
 *
 * The strategy that holds. Any thread asks it, without a lock; one thread replaces it, and frees
 * the one before when each reader's mark has been seen away once since: whoever marks itself later
 * finds the new one. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_jaeger_mark;
struct ftri_jaeger_strategy;

struct ftri_jaeger_current {
    struct ftri_jaeger_strategy *_Atomic strategy;
    struct ftri_jaeger_mark *marks; /* shared by threads, a cache line each */
};

/* Takes the strategy over. 0 or -ENOMEM. */
int ftri_jaeger_current_init(struct ftri_jaeger_current *self,
                             struct ftri_jaeger_strategy *strategy) FTRI_MUST_CHECK;
/* Nobody asks any more. */
void ftri_jaeger_current_deinit(struct ftri_jaeger_current *self);
bool ftri_jaeger_current_takes(struct ftri_jaeger_current *self, ftr_str operation,
                               const ftr_trace_id *trace_id);

/* Of the one thread. */
const struct ftri_jaeger_strategy *ftri_jaeger_current_get(const struct ftri_jaeger_current *self);
/* Takes the strategy over and returns the one before, which may be asked yet. */
struct ftri_jaeger_strategy *ftri_jaeger_current_replace(struct ftri_jaeger_current *self,
                                                         struct ftri_jaeger_strategy *strategy);
/* Whether nobody asks the one before. *n_seen is 0 when it was replaced, and goes on from call to
 * call. */
bool ftri_jaeger_current_is_settled(const struct ftri_jaeger_current *self, size_t *n_seen);
