/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket that is filled with n tokens at the beginning of each period, on CLOCK_MONOTONIC: at
 * most n are taken in any of them. Any number of threads, without a lock. */
#pragma once

#include "base/check.h"

#include <stdatomic.h>

enum { FTRI_RATE_TOKENS_MAX = (1 << 24) - 1 };

struct ftri_rate_limit {
    uint64_t period_ns;
    uint32_t n_tokens;
    _Atomic uint64_t state; /* number of the period << 24 | tokens that were taken in it */
};

void ftri_rate_limit_init(struct ftri_rate_limit *self, uint32_t n_tokens, uint64_t period_ns);
/* At most per_second tokens a second: whole ones each second, or one in 1 / per_second seconds. */
void ftri_rate_limit_init_rate(struct ftri_rate_limit *self, double per_second);
/* False: this period's tokens are gone. */
bool ftri_rate_limit_take(struct ftri_rate_limit *self, uint64_t now_ns);
