/* SPDX-License-Identifier: Apache-2.0
 *
 * The fan-in reservoir: first, last, and the middle by stride doubling. See reservoir.h. */
#include "flow/reservoir.h"

void ftri_reservoir_init(struct ftri_reservoir *self)
{
    *self = (struct ftri_reservoir){.stride = 1};
    /* The stack gives place 0 first: the first ten then sit at the places 0 .. 9. */
    for (uint8_t place = FTRI_RESERVOIR_CAP; place > 0; place--)
        self->free[self->n_free++] = (uint8_t)(place - 1);
}

/* Forgets the middle's odd ones: the rest lies twice as far apart. */
static void double_stride(struct ftri_reservoir *self)
{
    uint8_t n_kept = 0;
    for (uint8_t i = 0; i < self->n_middle; i++) {
        if (i % 2 == 0)
            self->middle[n_kept++] = self->middle[i];
        else
            self->free[self->n_free++] = self->middle[i];
    }
    self->n_middle = n_kept;
    self->stride *= 2;
}

/* The oldest of the full ring, with this index, makes room for the newest. */
static void leave_ring(struct ftri_reservoir *self, uint64_t index)
{
    const uint8_t place = self->last[self->oldest];
    const uint64_t offset = index - FTRI_RESERVOIR_FIRST;
    if (offset % self->stride != 0) {
        self->free[self->n_free++] = place;
        return;
    }
    if (self->n_middle == FTRI_RESERVOIR_MIDDLE)
        double_stride(self);
    self->middle[self->n_middle++] = place;
}

uint8_t ftri_reservoir_offer(struct ftri_reservoir *self)
{
    const uint64_t index = self->n_offers++;
    if (index < FTRI_RESERVOIR_FIRST)
        return self->free[--self->n_free];
    if (self->n_last < FTRI_RESERVOIR_LAST) {
        const uint8_t place = self->free[--self->n_free];
        self->last[self->n_last++] = place;
        return place;
    }
    leave_ring(self, index - FTRI_RESERVOIR_LAST);
    const uint8_t place = self->free[--self->n_free];
    self->last[self->oldest] = place;
    self->oldest = (uint8_t)((self->oldest + 1) % FTRI_RESERVOIR_LAST);
    return place;
}

size_t ftri_reservoir_list(const struct ftri_reservoir *self,
                           struct ftri_reservoir_kept ret_kept[FTRI_RESERVOIR_CAP])
{
    size_t n = 0;
    for (uint8_t i = 0; i < FTRI_RESERVOIR_FIRST && i < self->n_offers; i++)
        ret_kept[n++] = (struct ftri_reservoir_kept){i, i};
    for (uint8_t i = 0; i < self->n_middle; i++)
        ret_kept[n++] =
            (struct ftri_reservoir_kept){FTRI_RESERVOIR_FIRST + i * self->stride, self->middle[i]};
    for (uint8_t i = 0; i < self->n_last; i++) {
        const uint8_t slot = (uint8_t)((self->oldest + i) % FTRI_RESERVOIR_LAST);
        ret_kept[n++] =
            (struct ftri_reservoir_kept){self->n_offers - self->n_last + i, self->last[slot]};
    }
    return n;
}
