/* SPDX-License-Identifier: Apache-2.0
 *
 * A token bucket: so many takes a second, and so many at once. One thread. */
#pragma once

#include "base/check.h"

struct bucket {
    double tokens, burst;
    double rate; /* tokens a second */
    uint64_t filled_ns;
};

/* Full. */
void bucket_init(struct bucket *self, double rate, double burst);
/* False: there is none left now. */
bool bucket_take(struct bucket *self);
