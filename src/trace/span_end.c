/* SPDX-License-Identifier: Apache-2.0
 *
 * Ending a span: its record copied into the journal of the thread that ends it, the slot given
 * back. Three ways, each for what the one before does not do: short spans of this thread, spans of
 * this thread that fit in their slot, all others. */
#include "base/count.h"
#include "context/block.h"
#include "trace/clock.h"
#include "trace/intern.h"
#include "trace/journal.h"
#include "trace/quick.h"
#include "trace/short.h"
#include "trace/span.h"
#include "trace/worker.h"

#include <string.h>

extern inline void ftr_span_end(ftr_span span);
extern inline void ftr_span_end_values(ftr_span span, ftr_keys *keys, const ftr_value *values);
extern inline void ftr_span_end_at(ftr_span span, uint64_t end_time_ns);

static __attribute__((noinline)) void copy_stream(uint8_t *to, const struct ftri_slot *slot)
{
    size_t left = slot->record.stream_len;
    size_t n = ftri_size_min(left, FTRI_SLOT_ROOM);
    memcpy(to, slot->room, n);
    for (const struct ftri_page *page = slot->pages; left > n; page = page->next) {
        to += n;
        left -= n;
        n = ftri_size_min(left, FTRI_PAGE_ROOM);
        memcpy(to, page->data, n);
    }
}

static inline void copy_word(uint8_t *to, const uint8_t *from, size_t at)
{
    ftri_store_word(to + at, ftri_load_word(from + at));
}

/* The slot's head, without size, bits, block and dropped counts. */
static FTRI_ALWAYS_INLINE void copy_head(uint8_t *to, const struct ftri_slot *slot, uint64_t end)
{
    _Static_assert(sizeof(struct ftri_record) == 96, "all words of the head are copied");
    const uint8_t *from = (const uint8_t *)&slot->record;
    copy_word(to, from, 8);         /* kind to clock */
    memcpy(to + 16, from + 16, 16); /* trace id, written in one piece */
    copy_word(to, from, 32);        /* span id */
    copy_word(to, from, 40);        /* parent */
    copy_word(to, from, 48);        /* start */
    ftri_store_word(to + 56, end);
    copy_word(to, from, 72); /* counts */
}

static FTRI_ALWAYS_INLINE void copy_rest(uint8_t *to, const struct ftri_slot *slot, uint64_t end)
{
    copy_head(to, slot, end);
    const uint8_t *from = (const uint8_t *)&slot->record;
    copy_word(to, from, 64); /* block */
    copy_word(to, from, 80); /* dropped */
    copy_word(to, from, 88); /* the same, or routing */
}

/* As free slots have to be. */
static inline void clear_head(struct ftri_slot *slot)
{
    slot->record.block = NULL;
    memset((uint8_t *)&slot->record + 80, 0, 16);
}

/* The name's bytes also where there is none: the next record goes over them. */
static FTRI_ALWAYS_INLINE void copy_short(uint8_t *to, const struct ftri_slot *slot, uint64_t word,
                                          uint64_t end, enum ftri_pipeline pipeline)
{
    ftri_store_word(to, word);
    copy_head(to, slot, end);
    ftri_store_word(to + 64, 0); /* no block */
    memset(to + 80, 0, 16);      /* nothing dropped */
    if (pipeline == FTRI_USER)
        copy_word(to, (const uint8_t *)&slot->record, 88); /* routing */
    copy_word(to + 96, slot->room, 0);
    copy_word(to + 96, slot->room, 8);
}

static void lose(struct ftri_thread *self, struct ftri_slot *slot)
{
    ftri_count(&self->counters.lost_journal_full, 1);
    ftri_context_block_unref(slot->record.block);
    ftri_worker_wake();
}

static void write_record(struct ftri_thread *self, struct ftri_slot *slot, uint64_t end,
                         uint8_t bits)
{
    const size_t stream_len = slot->record.stream_len;
    const size_t stream_room = ftri_size_max((stream_len + 15) & ~(size_t)15, 16);
    const size_t size = sizeof(struct ftri_record) + stream_room;
    uint8_t *room = ftri_journal_reserve(self, size);
    if (!room) {
        lose(self, slot);
        return;
    }
    ftri_store_word(room, size | (uint64_t)stream_len << 32);
    copy_rest(room, slot, end);
    ((struct ftri_record *)(void *)room)->bits |= bits;
    copy_stream(room + sizeof(struct ftri_record), slot);
    if (ftri_journal_commit(self, size))
        ftri_worker_wake();
}

static void clear_slot(struct ftri_thread *self, struct ftri_slot *slot)
{
    ftri_pages_return(self, slot->pages);
    slot->pages = slot->last_page = NULL;
    slot->n_pages = 0;
    slot->n_distinct = slot->at_end = 0;
    clear_head(slot);
}

/* It may do with the span what it likes, also end it: the slot is then another's. */
static void call_back(const struct ftri_thread *owner, struct ftri_slot *slot, ftr_span span)
{
    const struct ftr_context_block *block = slot->record.block;
    slot->at_end &= (uint16_t)~FTRI_END_CALLS_BACK;
    if (owner->pipeline == FTRI_USER)
        block->user_finish(block->user_finish_state, span);
    else
        block->finish(block->finish_state, span);
}

/* NULL: it is no longer open. */
static struct ftri_slot *slot_to_end(ftr_span span, struct ftri_thread **ret_self,
                                     struct ftri_thread **ret_owner)
{
    const uint32_t session = atomic_load(&ftri_session);
    if (session == 0)
        ftri_count_stale();
    *ret_self = session != 0 ? ftri_thread_ready(ftri_handle_pipeline(span), session) : NULL;
    return *ret_self ? ftri_handle_find(*ret_self, span, ret_owner) : NULL;
}

/* Everything that the quick way below does not do. Bits 0: the end is now. */
static __attribute__((noinline)) void end_slow(ftr_span span, uint64_t end, uint8_t bits)
{
    if (span.generation == 0) {
        if ((int64_t)span.handle > 0 && !ftri_span_release_unsampled(span))
            ftri_count_stale();
        return;
    }
    struct ftri_thread *self;
    struct ftri_thread *owner;
    struct ftri_slot *slot = slot_to_end(span, &self, &owner);
    if (!slot && self)
        ftri_count(&self->counters.stale, 1);
    if (!slot)
        return;
    if (bits == 0)
        end = ftri_clock_stamp(slot->record.clock);
    if (slot->at_end & FTRI_END_CALLS_BACK) {
        call_back(owner, slot, span);
        slot = slot_to_end(span, &self, &owner);
        if (!slot)
            return;
    }
    if (bits == 0 && slot->at_end & FTRI_END_IS_SET) {
        end = slot->record.end;
        bits = FTRI_RECORD_END_IS_WALL;
    }
    if (!ftri_slot_claim(slot, span.generation))
        return;
    ftri_count(&self->n_ended, 1);
    write_record(self, slot, end, bits);
    clear_slot(self, slot);
    ftri_slot_return(self, owner, slot);
}

static FTRI_ALWAYS_INLINE void free_own(struct ftri_thread *self, struct ftri_slot *slot,
                                        uint64_t generation)
{
    atomic_store_explicit(&slot->generation, generation + 3, memory_order_release);
    ftri_slot_fence(memory_order_release); /* before the next span's stores: for live.c */
    ftri_count(&self->n_ended, 1);
    slot->next_free = self->free_slot;
    self->free_slot = slot;
}

/* In whole chunks: both have room for that, see FTRI_SLOT_ROOM and end_in_slot. */
static FTRI_ALWAYS_INLINE void copy_room(uint8_t *to, const uint8_t *from, size_t len)
{
    const uint8_t *const end = from + len;
    for (; from < end; from += FTRI_SLOT_CHUNK, to += FTRI_SLOT_CHUNK) {
        ftri_journal_prefetch_line(to);
        memcpy(to, from, FTRI_SLOT_CHUNK);
    }
}

/* A short span of this thread, with room in the journal; false: it is none. */
static FTRI_ALWAYS_INLINE bool is_short_with_room(const struct ftri_thread *self,
                                                  const struct ftri_slot *slot, uint64_t head)
{
    return FTRI_LIKELY(slot != NULL) && FTRI_LIKELY(slot->record.size != 0) &&
           FTRI_LIKELY(head + FTRI_SHORT_SIZE <= self->journal_limit);
}

static FTRI_ALWAYS_INLINE void end_short(ftr_span span, struct ftri_thread *self,
                                         struct ftri_slot *slot, uint64_t head, uint64_t end,
                                         enum ftri_pipeline pipeline)
{
    const uint64_t word = ftri_load_word(&slot->record);
    uint8_t *to = ftri_journal_at(self, head);
    ftri_journal_prefetch(to);
    copy_short(to, slot, word, end, pipeline);
    atomic_store_explicit(&self->journal_head, head + (uint32_t)word, memory_order_release);
    free_own(self, slot, span.generation);
}

static FTRI_ALWAYS_INLINE uint64_t head_of(const struct ftri_thread *self)
{
    return atomic_load_explicit(&self->journal_head, memory_order_relaxed);
}

/* A span of this thread that fits in its slot, with room in the journal. */
static __attribute__((noinline)) void end_in_slot(ftr_span span, struct ftri_thread *self,
                                                  struct ftri_slot *slot, uint64_t head)
{
    if (!slot || ftri_load_word(&slot->n_pages) != 0 || slot->record.clock >= FTRI_CLOCK_SYSTEM ||
        head + FTRI_SHORT_SIZE + FTRI_SLOT_CHUNK + slot->record.stream_len > self->journal_limit) {
        end_slow(span, 0, 0);
        return;
    }
    const uint64_t end = ftri_clock_stamp(0);
    const uint64_t stream_len = slot->record.stream_len;
    const uint64_t size = sizeof(struct ftri_record) + ftri_pad16(stream_len);
    uint8_t *to = ftri_journal_at(self, head);
    ftri_store_word(to, size | stream_len << 32);
    copy_rest(to, slot, end);
    copy_room(to + sizeof(struct ftri_record), slot->room, stream_len);
    atomic_store_explicit(&self->journal_head, head + size, memory_order_release);
    clear_head(slot);
    free_own(self, slot, span.generation);
}

/* The same of the user pipeline; or it is of another thread, or of none. */
static __attribute__((noinline)) void end_user(ftr_span span)
{
    struct ftri_thread *self = ftri_thread_self[FTRI_USER];
    struct ftri_slot *slot = ftri_own_slot(self, span);
    const uint64_t head = head_of(self);
    if (is_short_with_room(self, slot, head))
        end_short(span, self, slot, head, ftri_clock_stamp(0), FTRI_USER);
    else
        end_in_slot(span, self, slot, head);
}

/* A short span of this thread, with room in the journal. Calls nothing, so that nothing is saved.
 */
void ftr_recording_end(ftr_span span)
{
    struct ftri_thread *self = ftri_thread_self[FTRI_SYSTEM];
    struct ftri_slot *slot = ftri_own_slot(self, span);
    const uint64_t head = head_of(self);
    if (is_short_with_room(self, slot, head))
        end_short(span, self, slot, head, ftri_clock_stamp(0), FTRI_SYSTEM);
    else if (slot)
        end_in_slot(span, self, slot, head);
    else
        end_user(span);
}

void ftri_end_both(ftr_span span, ftr_span user)
{
    struct ftri_thread *self = ftri_thread_self[FTRI_SYSTEM];
    struct ftri_thread *user_self = ftri_thread_self[FTRI_USER];
    struct ftri_slot *slot = ftri_own_slot(self, span);
    struct ftri_slot *user_slot = ftri_own_slot(user_self, user);
    const uint64_t head = head_of(self);
    const uint64_t user_head = head_of(user_self);
    if (is_short_with_room(self, slot, head) &&
        is_short_with_room(user_self, user_slot, user_head)) {
        const uint64_t end = ftri_clock_stamp(0);
        end_short(user, user_self, user_slot, user_head, end, FTRI_USER);
        end_short(span, self, slot, head, end, FTRI_SYSTEM);
    } else {
        ftr_span_end(user);
        ftr_span_end(span);
    }
}

/* There is room for all. */
static FTRI_ALWAYS_INLINE uint8_t *write_values(uint8_t *at, uint32_t n, const ftr_value *values)
{
    for (const ftr_value *value = values; value < values + n; value++) {
        ftri_journal_prefetch_line(at);
        if (FTRI_UNLIKELY(!ftri_quick_value(&at, value)))
            return NULL;
    }
    return at;
}

/* Written straight into the journal: a short span of this thread. */
static FTRI_ALWAYS_INLINE bool end_with_values(struct ftri_thread *self, struct ftri_slot *slot,
                                               const ftr_keys *keys, uint32_t number,
                                               const ftr_value *values)
{
    const uint64_t word = ftri_load_word(&slot->record);
    const uint64_t head = atomic_load_explicit(&self->journal_head, memory_order_relaxed);
    const uint32_t n = keys->n_keys;
    const size_t most = FTRI_SHORT_SIZE + FTRI_VALUES_HEAD + (size_t)n * FTRI_VALUE_BYTES_MAX + 16;
    if (FTRI_UNLIKELY((uint32_t)word == 0 || n > ftri_thread_settings.limits.attributes ||
                      head + most > self->journal_limit))
        return false;
    const uint64_t end = ftri_clock_stamp(0);
    uint8_t *to = ftri_journal_at(self, head);
    copy_short(to, slot, word, end, FTRI_USER); /* of either: a system span's routing is 0 */
    uint8_t *const entry = to + (uint32_t)word;
    const uint8_t *const last = write_values(entry + FTRI_VALUES_HEAD, n, values);
    if (FTRI_UNLIKELY(!last))
        return false;
    ftri_quick_values_head(entry, number, n, last);
    const uint64_t stream_len = (size_t)(last - to) - sizeof(struct ftri_record);
    const uint64_t size = sizeof(struct ftri_record) + ftri_pad16(stream_len);
    ftri_store_word(to, size | stream_len << 32);
    ((struct ftri_record *)(void *)to)->n_attributes = (uint16_t)n;
    ftri_journal_prefetch_line(to);
    ftri_journal_prefetch_line(to + FTRI_SLOT_CHUNK);
    atomic_store_explicit(&self->journal_head, head + size, memory_order_release);
    return true;
}

static __attribute__((noinline)) void end_in_steps(ftr_span span, ftr_keys *keys,
                                                   const ftr_value *values)
{
    struct ftri_open open;
    if (!ftri_span_open(span, &open))
        return;
    ftr_recording_set_values(span, keys, values);
    ftr_recording_end(span);
}

void ftr_recording_end_values(ftr_span span, ftr_keys *keys, const ftr_value *values)
{
    struct ftri_thread *self = ftri_thread_self[FTRI_SYSTEM];
    struct ftri_slot *slot = ftri_own_slot(self, span);
    const uint32_t number = __atomic_load_n(&keys->number, __ATOMIC_ACQUIRE);
    if (FTRI_UNLIKELY(!slot)) {
        self = ftri_thread_self[FTRI_USER];
        slot = ftri_own_slot(self, span);
    }
    if (FTRI_LIKELY(slot && number - 1 < FTRI_INTERNED_LISTS_MAX) &&
        FTRI_LIKELY(end_with_values(self, slot, keys, number, values)))
        free_own(self, slot, span.generation);
    else
        end_in_steps(span, keys, values);
}

void ftr_recording_end_at(ftr_span span, uint64_t end_time_ns)
{
    end_slow(span, end_time_ns, FTRI_RECORD_END_IS_WALL);
}
