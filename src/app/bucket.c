/* SPDX-License-Identifier: Apache-2.0 */
#include "app/bucket.h"

#include "base/time.h"

void bucket_init(struct bucket *self, double rate, double burst)
{
    *self = (struct bucket){burst, burst, rate, ftri_time_monotonic_ns()};
}

bool bucket_take(struct bucket *self)
{
    const uint64_t now = ftri_time_monotonic_ns();
    self->tokens += (double)(now - self->filled_ns) / (double)FTRI_NS_PER_S * self->rate;
    self->filled_ns = now;
    if (self->tokens > self->burst)
        self->tokens = self->burst;
    if (self->tokens < 1)
        return false;
    self->tokens -= 1;
    return true;
}
