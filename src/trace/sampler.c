/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/sampler.h"

#include "base/mem.h"

static ftr_sampler *left;

ftr_sampler *ftr_sampler_new(const ftr_sampler_class *sampler_class, void *instance)
{
    ftr_sampler *self = ftri_alloc(sizeof *self);
    if (self)
        *self = (ftr_sampler){.sampler_class = sampler_class, .instance = instance};
    return self;
}

void ftr_sampler_free(ftr_sampler *self)
{
    if (!self)
        return;
    const ftr_sampler_class *known = self->sampler_class;
    if (known->size >= offsetof(ftr_sampler_class, close) + sizeof known->close && known->close)
        known->close(self->instance);
    ftri_free(self);
}

void ftri_sampler_leave(ftr_sampler *self, struct ftri_origin *origin)
{
    self->origin = origin;
    self->next_left = left;
    left = self;
}

ftr_sampler *ftri_sampler_take_left(void)
{
    ftr_sampler *self = left;
    if (self)
        left = self->next_left;
    return self;
}
