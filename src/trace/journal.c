/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/journal.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void pad_lap(struct ftri_thread *self, uint64_t head, uint64_t lap_end)
{
    struct ftri_record *pad =
        (struct ftri_record *)(void *)(self->journal + (head & self->journal_mask));
    pad->size = (uint32_t)(lap_end - head);
    pad->bits = FTRI_RECORD_PAD;
    atomic_store_explicit(&self->journal_head, lap_end, memory_order_release);
}

uint8_t *ftri_journal_reserve_slow(struct ftri_thread *self, size_t size)
{
    const uint64_t ring = self->journal_mask + 1;
    const uint64_t free_end =
        atomic_load_explicit(&self->journal_tail, memory_order_acquire) + ring;
    uint64_t head = atomic_load_explicit(&self->journal_head, memory_order_relaxed);
    const uint64_t lap_end = (head - (head & self->journal_mask)) + ring;
    const bool is_next_lap = head + size > lap_end;
    const uint64_t end = (is_next_lap ? lap_end : head) + size;
    if (end > free_end)
        return NULL;
    if (is_next_lap) {
        pad_lap(self, head, lap_end);
        head = lap_end;
    }
    self->journal_place = (uintptr_t)self->journal - (head - (head & self->journal_mask));
    self->journal_limit = smaller(smaller(free_end, is_next_lap ? lap_end + ring : lap_end),
                                  end | (((uint64_t)1 << FTRI_WAKE_SHIFT) - 1));
    return ftri_journal_at(self, head);
}
