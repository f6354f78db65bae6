/* SPDX-License-Identifier: Apache-2.0
 *
 * A sampler that the library owns, behind the opaque type of <flowtrace/sampler.h>. One whose
 * session is over while a thread is asking it is left; the next session closes it. */
#pragma once

#include <flowtrace/sampler.h>

struct ftri_origin;

struct ftr_sampler {
    const ftr_sampler_class *sampler_class;
    void *instance;
    struct ftr_sampler *next_left;
    struct ftri_origin *origin; /* of one that is left: what it tells by */
};

/* Under session.lock. Takes both over, a reference of the origin. */
void ftri_sampler_leave(ftr_sampler *self, struct ftri_origin *origin);
/* One that was left, with its origin, both the caller's; NULL: there is none. */
ftr_sampler *ftri_sampler_take_left(void);
