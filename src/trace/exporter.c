/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/exporter.h"

#include "base/mem.h"

ftr_exporter *ftr_exporter_new(const ftr_exporter_class *exporter_class, void *instance)
{
    ftr_exporter *self = ftri_alloc(sizeof *self);
    if (self)
        *self = (ftr_exporter){exporter_class, instance};
    return self;
}

void ftr_exporter_free(ftr_exporter *self)
{
    if (!self)
        return;
    if (self->exporter_class->close)
        self->exporter_class->close(self->instance);
    ftri_free(self);
}
