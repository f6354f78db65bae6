/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/bounds.h"

#include <math.h>
#include <string.h>

bool ftri_bounds_are_valid(const double *values, size_t n)
{
    if (n > FTRI_BOUNDS_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]) || (i > 0 && values[i] <= values[i - 1]))
            return false;
    return true;
}

/* Below 0 nothing lies: durations are not negative. */
static uint64_t to_ns(double value, double ns_per_unit)
{
    const double ns = value * ns_per_unit + 0.5;
    if (!(ns >= 1))
        return 0;
    return ns < 0x1p64 ? (uint64_t)ns : UINT64_MAX;
}

void ftri_bounds_init(struct ftri_bounds *self, const double *values, size_t n, double ns_per_unit)
{
    memset(self, 0, sizeof *self);
    self->n = n;
    for (size_t i = n; i < FTRI_COUNT(self->ns); i++)
        self->ns[i] = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        self->values[i] = values[i];
        self->ns[i] = to_ns(values[i], ns_per_unit);
    }
    for (size_t length = 1; length < FTRI_COUNT(self->first); length++) {
        const uint64_t shortest = UINT64_C(1) << (length - 1);
        size_t i = 0;
        while (i < n && shortest > self->ns[i])
            i++;
        self->first[length] = (uint8_t)i;
    }
}

size_t ftri_bounds_find(const struct ftri_bounds *self, double value)
{
    size_t low = 0;
    size_t high = self->n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (value > self->values[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
