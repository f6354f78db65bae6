/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/rate_limit.h"

#include "base/time.h"

enum { TOKEN_BITS = 24 };

void ftri_rate_limit_init(struct ftri_rate_limit *self, uint32_t n_tokens, uint64_t period_ns)
{
    self->period_ns = period_ns;
    self->n_tokens = n_tokens;
    atomic_init(&self->state, 0);
}

void ftri_rate_limit_init_rate(struct ftri_rate_limit *self, double per_second)
{
    static const double longest_s = 1e9;
    if (per_second >= 1.0) {
        const bool is_high = per_second >= FTRI_RATE_TOKENS_MAX;
        ftri_rate_limit_init(self, is_high ? FTRI_RATE_TOKENS_MAX : (uint32_t)per_second,
                             FTRI_NS_PER_S);
        return;
    }
    const double period_s = per_second > 1 / longest_s ? 1 / per_second : longest_s;
    ftri_rate_limit_init(self, 1, (uint64_t)(period_s * (double)FTRI_NS_PER_S));
}

bool ftri_rate_limit_take(struct ftri_rate_limit *self, uint64_t now_ns)
{
    const uint64_t period = now_ns / self->period_ns + 1; /* never that of a new bucket */
    uint64_t state = atomic_load_explicit(&self->state, memory_order_relaxed);
    for (;;) {
        /* Somebody was here with a later clock: its period is the one that counts. */
        const bool is_new = state >> TOKEN_BITS < period;
        const uint64_t next = is_new ? period << TOKEN_BITS | 1 : state + 1;
        if (!is_new && (state & FTRI_RATE_TOKENS_MAX) >= self->n_tokens)
            return false;
        if (atomic_compare_exchange_weak_explicit(&self->state, &state, next, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
}
