/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/meter.h"

const double meter_time_bounds[METER_TIME_BOUNDS] = {
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3,
    .01,  .025,   .05,  .1,   .25,    .5,   1,    2.5,    5,    10,   30,     60};
const double meter_size_bounds[METER_SIZE_BOUNDS] = {
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};

void meter_scale_init(struct ftri_bounds *self)
{
    ftri_bounds_init(self, meter_time_bounds, METER_TIME_BOUNDS, 1e9);
}

static uint64_t busy_until(const struct node_meter *self, uint64_t now_ns)
{
    const uint64_t busy = count_read(&self->busy);
    if (!(busy & 1))
        return busy >> 1;
    return now_ns > busy >> 1 ? now_ns - (busy >> 1) : 0;
}

uint64_t meter_busy_ns(struct node_meter *self, uint64_t now_ns)
{
    const uint64_t busy_ns = busy_until(self, now_ns);
    uint64_t told_ns = count_read(&self->busy_told_ns);
    while (told_ns < busy_ns &&
           !__atomic_compare_exchange_n(&self->busy_told_ns, &told_ns, busy_ns, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
    return busy_ns > told_ns ? busy_ns : told_ns;
}

uint64_t meter_read(const uint64_t *counts, uint64_t *ret_counts, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        ret_counts[i] = count_read(&counts[i]);
        sum += ret_counts[i];
    }
    return sum;
}
