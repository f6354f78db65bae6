/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/mem.h"

#include <errno.h>

int ftri_ring_init(struct ftri_ring *self, size_t capacity)
{
    *self = (struct ftri_ring){.slots = ftri_alloc_array(capacity, sizeof *self->slots),
                               .capacity = capacity};
    return self->slots ? 0 : -ENOMEM;
}

void ftri_ring_deinit(struct ftri_ring *self)
{
    ftri_free((void *)self->slots);
    self->slots = NULL;
}

size_t ftri_ring_count(const struct ftri_ring *self)
{
    return atomic_load(&self->n_put) - atomic_load(&self->n_taken);
}

bool ftri_ring_has_room(const struct ftri_ring *self)
{
    return ftri_ring_count(self) < self->capacity;
}

bool ftri_ring_is_empty(const struct ftri_ring *self)
{
    return atomic_load(&self->n_put) == atomic_load(&self->n_taken);
}

bool ftri_ring_put(struct ftri_ring *self, void *entry)
{
    if (!ftri_ring_has_room(self))
        return false;
    const size_t n = atomic_load_explicit(&self->n_put, memory_order_relaxed);
    atomic_store_explicit(&self->slots[n % self->capacity], entry, memory_order_relaxed);
    atomic_store(&self->n_put, n + 1);
    return true;
}

void *ftri_ring_take(struct ftri_ring *self)
{
    if (ftri_ring_is_empty(self))
        return NULL;
    const size_t n = atomic_load_explicit(&self->n_taken, memory_order_relaxed);
    void *const entry =
        atomic_load_explicit(&self->slots[n % self->capacity], memory_order_relaxed);
    atomic_store(&self->n_taken, n + 1);
    return entry;
}
