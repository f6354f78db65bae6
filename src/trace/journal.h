/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread's journal: a ring of finished records, one writer (the thread), one reader (the worker).
 * A record is contiguous: what does not fit before the ring's end starts at its beginning, and a
 * padding record fills the gap. Positions count bytes since the session's start. */
#pragma once

#include "trace/thread.h"

/* The place of the next record; the head has to be this one. */
static inline uint8_t *ftri_journal_at(const struct ftri_thread *self, uint64_t head)
{
    return (uint8_t *)(self->journal_place + head);
}

/* Makes room by a look at the tail, where the ring ends and where 64 KiB are full; NULL: full. */
uint8_t *ftri_journal_reserve_slow(struct ftri_thread *self, size_t size);

/* Asks for the lines that a record some spans later goes to: the worker's core still has them from
 * the ring's last lap. */
static inline void ftri_journal_prefetch(const uint8_t *to)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw 1024(%0)\n\tprefetchw 1088(%0)" : : "r"(to));
#else
    __builtin_prefetch((const void *)((uintptr_t)to + 1024), 1);
#endif
}

/* The same for one line of many, of a record that is some times as long. */
static inline void ftri_journal_prefetch_line(const uint8_t *to)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw 3072(%0)" : : "r"(to));
#else
    __builtin_prefetch((const void *)((uintptr_t)to + 3072), 1);
#endif
}

/* size: a multiple of 16, at most a quarter of the ring. NULL: full. */
static inline uint8_t *ftri_journal_reserve(struct ftri_thread *self, size_t size)
{
    const uint64_t head = atomic_load_explicit(&self->journal_head, memory_order_relaxed);
    if (FTRI_UNLIKELY(head + size > self->journal_limit))
        return ftri_journal_reserve_slow(self, size);
    return ftri_journal_at(self, head);
}

/* Hands the reserved record to the worker. True: 64 KiB are full, a parked worker should know. */
static inline bool ftri_journal_commit(struct ftri_thread *self, size_t size)
{
    const uint64_t head = atomic_load_explicit(&self->journal_head, memory_order_relaxed);
    atomic_store_explicit(&self->journal_head, head + size, memory_order_release);
    return ((head ^ (head + size)) >> FTRI_WAKE_SHIFT) != 0;
}

/* The record that is read so many records later is asked for now: its lines come from the core that
 * wrote them. Not beyond the head, where it still writes. */
enum { FTRI_JOURNAL_AHEAD = 48 };

static inline void ftri_journal_prefetch_read(const struct ftri_thread *self, uint64_t head,
                                              uint64_t position)
{
    if (position + sizeof(struct ftri_record) > head)
        return;
    const uint8_t *at = self->journal + (position & self->journal_mask);
    __builtin_prefetch(at);
    __builtin_prefetch(at + offsetof(struct ftri_record, block));
}

/* The worker: the record at *position, which moves behind it, padding skipped; NULL: none before
 * `head`, a value of journal_head. Positions start at journal_tail. */
static inline const struct ftri_record *ftri_journal_read(const struct ftri_thread *self,
                                                          uint64_t head, uint64_t *position)
{
    while (*position < head) {
        const uint8_t *at = self->journal + (*position & self->journal_mask);
        const struct ftri_record *record = (const struct ftri_record *)(const void *)at;
        ftri_journal_prefetch_read(self, head,
                                   *position + (uint64_t)record->size * FTRI_JOURNAL_AHEAD);
        *position += record->size;
        if (!(record->bits & FTRI_RECORD_PAD))
            return record;
    }
    return NULL;
}

/* Done with all before position: their room is free again. */
static inline void ftri_journal_consume(struct ftri_thread *self, uint64_t position)
{
    atomic_store_explicit(&self->journal_tail, position, memory_order_release);
}
