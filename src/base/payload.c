/* SPDX-License-Identifier: Apache-2.0 */
#include "base/payload.h"

#include "base/mem.h"

#include <stdatomic.h>

struct ftri_payload {
    _Atomic uint32_t n_refs;
    struct ftri_bytes bytes;
};

struct ftri_payload *ftri_payload_new(struct ftri_bytes *bytes)
{
    struct ftri_payload *self = ftri_alloc(sizeof *self);
    if (!self)
        return NULL;
    atomic_init(&self->n_refs, 1);
    self->bytes = *bytes;
    *bytes = (struct ftri_bytes){.limit = bytes->limit};
    return self;
}

struct ftri_payload *ftri_payload_copy(struct ftri_view bytes)
{
    struct ftri_bytes copy;
    ftri_bytes_init(&copy, bytes.len);
    struct ftri_payload *self = NULL;
    if (ftri_bytes_append(&copy, bytes.data, bytes.len) == 0)
        self = ftri_payload_new(&copy);
    ftri_bytes_deinit(&copy);
    return self;
}

struct ftri_payload *ftri_payload_ref(struct ftri_payload *self)
{
    atomic_fetch_add_explicit(&self->n_refs, 1, memory_order_relaxed);
    return self;
}

void ftri_payload_unref(struct ftri_payload *self)
{
    if (!self || atomic_fetch_sub_explicit(&self->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    ftri_bytes_deinit(&self->bytes);
    ftri_free(self);
}

struct ftri_view ftri_payload_view(const struct ftri_payload *self)
{
    return ftri_bytes_view(&self->bytes);
}
