/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/live.h"

#include "trace/live_check.h"
#include "trace/thread.h"

#include <errno.h>
#include <string.h>

/* The writers' stores are plain ones, so the loads here race with them on purpose: whole words, and
 * what they gave counts only if the generation is the same before and after. */
#if defined(__SANITIZE_THREAD__)
#define FTRI_RACES __attribute__((noinline, no_sanitize("thread")))
#else
#define FTRI_RACES
#endif

enum { HEAD = sizeof(struct ftri_record) };

void ftri_live_copy_init(struct ftri_live_copy *self)
{
    ftri_bytes_init(&self->record, SIZE_MAX / 16);
    ftri_bytes_init(&self->scratch, SIZE_MAX / 2);
}

void ftri_live_copy_deinit(struct ftri_live_copy *self)
{
    ftri_bytes_deinit(&self->record);
    ftri_bytes_deinit(&self->scratch);
}

static struct ftri_record *record_in(struct ftri_live_copy *copy)
{
    return (struct ftri_record *)(void *)copy->record.data;
}

/* n: a multiple of 8. */
static FTRI_RACES void copy_words(uint8_t *to, const void *from, size_t n)
{
    const volatile uint64_t *words = from;
    for (size_t i = 0; i < n / 8; i++)
        ((uint64_t *)(void *)to)[i] = words[i];
}

static FTRI_RACES uint32_t stream_len_of(const struct ftri_slot *slot)
{
    return __atomic_load_n(&slot->record.stream_len, __ATOMIC_ACQUIRE);
}

static FTRI_RACES const struct ftri_page *first_page(const struct ftri_slot *slot)
{
    return __atomic_load_n(&slot->pages, __ATOMIC_RELAXED);
}

static FTRI_RACES const struct ftri_page *next_page(const struct ftri_page *page)
{
    return __atomic_load_n(&page->next, __ATOMIC_RELAXED);
}

static FTRI_RACES const struct ftri_slot *slots_of(const struct ftri_thread *thread)
{
    return __atomic_load_n(&thread->slots, __ATOMIC_RELAXED);
}

/* False: the pages went back to their pool. */
static bool copy_stream(const struct ftri_slot *slot, uint8_t *to, size_t len)
{
    size_t n = ftri_size_min(len, FTRI_SLOT_ROOM);
    copy_words(to, slot->room, n);
    const struct ftri_page *page = first_page(slot);
    while (len > n) {
        if (!page)
            return false;
        to += n;
        len -= n;
        n = ftri_size_min(len, FTRI_PAGE_ROOM);
        copy_words(to, page->data, n);
        page = next_page(page);
    }
    return true;
}

static int reserve(struct ftri_live_copy *copy, size_t len)
{
    ftri_bytes_reset(&copy->record);
    ftri_bytes_reset(&copy->scratch);
    const int rc = ftri_bytes_reserve(&copy->record, HEAD + len);
    return rc < 0 ? rc : ftri_bytes_reserve(&copy->scratch, ftri_record_scratch(len));
}

/* Only what is the span's own: the block may be gone by now, its end is not known. */
static void complete(struct ftri_record *record, size_t len)
{
    record->stream_len = (uint32_t)len;
    record->block = NULL;
    record->bits &= FTRI_RECORD_PARENT_IS_REMOTE | FTRI_RECORD_START_IS_WALL | FTRI_RECORD_HAS_SITE;
    record->bits |= FTRI_RECORD_IS_OPEN;
    record->end = record->start;
    ftri_live_check(record);
}

int ftri_live_read(const struct ftri_slot *slot, struct ftri_live_copy *copy,
                   ftr_span_data *ret_span)
{
    const uint64_t generation = atomic_load_explicit(&slot->generation, memory_order_acquire);
    if ((generation & 3) != FTRI_SLOT_OPEN)
        return FTRI_LIVE_GONE;
    const size_t len = stream_len_of(slot) & ~(size_t)7;
    if (len > ftri_thread_settings.journal_bytes / 4)
        return FTRI_LIVE_GONE;
    const int rc = reserve(copy, len);
    if (rc < 0)
        return rc;
    copy_words(copy->record.data, &slot->record, HEAD);
    const bool is_whole = copy_stream(slot, copy->record.data + HEAD, len);
    ftri_slot_fence(memory_order_acquire);
    if (!is_whole || atomic_load_explicit(&slot->generation, memory_order_relaxed) != generation)
        return FTRI_LIVE_GONE;
    struct ftri_record *record = record_in(copy);
    complete(record, len);
    (void)ftri_record_read(record, copy->scratch.data, ret_span);
    return 0;
}

struct walk {
    ftri_live_function *each;
    void *argument;
    struct ftri_live_copy copy;
    bool lacked_memory;
};

/* False: no more. */
static bool walk_thread(struct walk *self, const struct ftri_thread *thread)
{
    const uint32_t n = atomic_load_explicit(&thread->n_slots_used, memory_order_acquire);
    const struct ftri_slot *slots = slots_of(thread);
    for (uint32_t i = 0; i < n; i++) {
        ftr_span_data span;
        const int rc = ftri_live_read(&slots[i], &self->copy, &span);
        self->lacked_memory = self->lacked_memory || rc < 0;
        if (rc == 0 && !self->each(self->argument, record_in(&self->copy), &span))
            return false;
    }
    return true;
}

/* Spans of users never are. */
static bool is_shown(const struct ftri_thread *thread, uint32_t session)
{
    return thread->pipeline == FTRI_SYSTEM &&
           atomic_load_explicit(&thread->session, memory_order_acquire) == session;
}

ftr_status ftri_live_walk(ftri_live_function *each, void *argument)
{
    const uint32_t session = atomic_load(&ftri_session);
    if (session == 0)
        return FTR_ERR_STATE;
    struct walk walk = {.each = each, .argument = argument};
    ftri_live_copy_init(&walk.copy);
    const uint32_t n_threads = atomic_load(&ftri_n_threads);
    bool goes_on = true;
    for (uint32_t i = 0; i < n_threads && goes_on; i++) {
        const struct ftri_thread *thread = atomic_load(&ftri_threads[i]);
        if (is_shown(thread, session))
            goes_on = walk_thread(&walk, thread);
    }
    ftri_live_copy_deinit(&walk.copy);
    return walk.lacked_memory ? FTR_ERR_MEMORY : FTR_OK;
}

/* The flags' place in the word that begins with the kind. */
enum { FLAGS_AT = offsetof(struct ftri_record, trace_flags) - offsetof(struct ftri_record, kind) };

/* False: none is open. */
static bool read_trace(const struct ftri_slot *slot, ftr_trace_id *ret_id, uint8_t *ret_flags)
{
    uint64_t id[2];
    uint8_t word[sizeof(uint64_t)];
    const uint64_t generation = atomic_load_explicit(&slot->generation, memory_order_acquire);
    if ((generation & 3) != FTRI_SLOT_OPEN)
        return false;
    copy_words((uint8_t *)id, &slot->record.trace_id, sizeof id);
    copy_words(word, &slot->record.kind, sizeof word);
    ftri_slot_fence(memory_order_acquire);
    memcpy(ret_id, id, sizeof id);
    *ret_flags = word[FLAGS_AT];
    return atomic_load_explicit(&slot->generation, memory_order_relaxed) == generation;
}

void ftri_live_walk_traces(ftri_live_trace_function *each, void *argument)
{
    const uint32_t session = atomic_load(&ftri_session);
    const uint32_t n_threads = atomic_load(&ftri_n_threads);
    for (uint32_t i = 0; i < n_threads; i++) {
        const struct ftri_thread *thread = atomic_load(&ftri_threads[i]);
        if (!is_shown(thread, session))
            continue;
        const uint32_t n = atomic_load_explicit(&thread->n_slots_used, memory_order_acquire);
        const struct ftri_slot *slots = slots_of(thread);
        ftr_trace_id id;
        uint8_t flags;
        for (uint32_t k = 0; k < n; k++)
            if (read_trace(&slots[k], &id, &flags))
                each(argument, &id, flags);
    }
}

struct public_walk {
    ftr_live_function *each;
    void *argument;
};

static bool call_public(void *argument, const struct ftri_record *record, const ftr_span_data *span)
{
    (void)record;
    const struct public_walk *self = argument;
    return self->each(self->argument, span);
}

ftr_status ftr_live_spans(ftr_live_function *each, void *argument)
{
    struct public_walk walk = {each, argument};
    return ftri_live_walk(call_public, &walk);
}
