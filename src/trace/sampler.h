/* SPDX-License-Identifier: Apache-2.0
 *
 * A sampler that the library owns, behind the opaque type of <flowtrace/sampler.h>. */
#pragma once

#include <flowtrace/sampler.h>

struct ftr_sampler {
    const ftr_sampler_class *sampler_class;
    void *instance;
};
