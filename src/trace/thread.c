/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of recording threads, their memory, and the way back of slots and pages that another
 * thread gave up (stacks that anybody pushes to and only the owner empties, all at once). */
#include "trace/thread.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/thread.h"
#include "context/block.h"
#include "trace/journal.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES_PER_THREAD = 4096 };

struct ftri_thread_settings ftri_thread_settings;
_Atomic(struct ftri_thread *) ftri_threads[FTRI_THREADS_MAX];
_Atomic uint32_t ftri_n_threads;
_Atomic uint32_t ftri_session;
struct ftri_thread ftri_thread_none = {.session = UINT32_MAX,
                                       .clock_word = UINT64_MAX,
                                       .root_word = UINT64_MAX,
                                       .below_word = UINT64_MAX};
_Thread_local struct ftri_thread *ftri_thread_self[FTRI_N_PIPELINES] = {&ftri_thread_none,
                                                                        &ftri_thread_none};
_Thread_local bool ftri_thread_is_own;
_Atomic uint64_t ftri_stale_elsewhere;
_Atomic uint64_t ftri_no_slot_elsewhere;
bool (*ftri_thread_before_setup)(void);

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ftri_thread *idle[FTRI_N_PIPELINES]; /* their threads have ended */
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_keys[FTRI_N_PIPELINES];
static bool has_exit_keys;

static void push_idle(struct ftri_thread *thread)
{
    thread->next_idle = idle[thread->pipeline];
    idle[thread->pipeline] = thread;
}

/* The next owner goes on where this one stopped: open spans stay open, the journal stays full. */
static void on_thread_exit(void *value)
{
    struct ftri_thread *thread = value;
    ftri_thread_self[thread->pipeline] = &ftri_thread_none;
    pthread_mutex_lock(&table_lock);
    push_idle(thread);
    pthread_mutex_unlock(&table_lock);
}

static void make_exit_keys(void)
{
    has_exit_keys = pthread_key_create(&exit_keys[FTRI_SYSTEM], on_thread_exit) == 0 &&
                    pthread_key_create(&exit_keys[FTRI_USER], on_thread_exit) == 0;
}

static size_t memory_bytes(const struct ftri_thread *self)
{
    return (size_t)self->n_slots * FTRI_SLOT_BYTES + self->journal_mask + 1 +
           (size_t)self->n_pages * FTRI_PAGE_BYTES;
}

/* Reserves address space; the system gives pages as they are touched. */
static bool map_memory(struct ftri_thread *self)
{
    const struct ftri_thread_settings *settings = &ftri_thread_settings;
    struct ftri_thread wanted = {
        .n_slots = settings->open_spans,
        .journal_mask = settings->journal_bytes - 1,
        .n_pages = PAGES_PER_THREAD,
    };
    const size_t size = memory_bytes(&wanted);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    self->n_slots = wanted.n_slots;
    self->journal_mask = wanted.journal_mask;
    self->n_pages = wanted.n_pages;
    self->slots = (struct ftri_slot *)(void *)memory;
    memory += (size_t)self->n_slots * FTRI_SLOT_BYTES;
    self->journal = (uint8_t *)memory;
    memory += self->journal_mask + 1;
    self->page_memory = (struct ftri_page *)(void *)memory;
    return true;
}

/* The address space stays reserved: a handle of an earlier session may still be looked up. */
static void empty_memory(struct ftri_thread *self)
{
    if (self->slots)
        madvise(self->slots, memory_bytes(self), MADV_DONTNEED);
}

static void release_open_spans(struct ftri_thread *self)
{
    const uint32_t n = atomic_load(&self->n_slots_used);
    for (uint32_t i = 0; i < n; i++) {
        struct ftri_slot *slot = &self->slots[i];
        const uint64_t generation = atomic_load(&slot->generation);
        if ((generation & 3) != FTRI_SLOT_FREE && ftri_slot_claim(slot, generation))
            ftri_context_block_unref(slot->record.block);
    }
}

/* Spans that ended when the worker had read this journal for the last time. */
static void drop_unread(struct ftri_thread *self)
{
    const uint64_t head = atomic_load(&self->journal_head);
    uint64_t position = atomic_load(&self->journal_tail);
    for (const struct ftri_record *record; (record = ftri_journal_read(self, head, &position));)
        ftri_context_block_unref(record->block);
    ftri_journal_consume(self, position);
}

/* Between sessions, by the thread's owner or under the table's lock when it has none. */
static void release_session(struct ftri_thread *self)
{
    drop_unread(self);
    release_open_spans(self);
}

static bool has_right_sizes(const struct ftri_thread *self)
{
    return self->slots && self->n_slots == ftri_thread_settings.open_spans &&
           self->journal_mask + 1 == ftri_thread_settings.journal_bytes;
}

static void zero_counters(struct ftri_counters *counters)
{
    atomic_store(&counters->lost_journal_full, 0);
    atomic_store(&counters->no_slot, 0);
    atomic_store(&counters->stale, 0);
    atomic_store(&counters->dropped_attributes, 0);
    atomic_store(&counters->dropped_events, 0);
    atomic_store(&counters->dropped_links, 0);
    atomic_store(&counters->roots_dropped, 0);
    atomic_store(&counters->roots_over_rate, 0);
    atomic_store(&counters->roots_recorded, 0);
    atomic_store(&counters->lost_crossings, 0);
}

/* Higher than any of an earlier session, and different from theirs in the bits that a handle
 * without a span has, too (see handle.c). */
static uint64_t first_generation(uint32_t session)
{
    return (uint64_t)session << 40 | (uint64_t)(uint8_t)session << 20;
}

/* As new, for a session that the worker starts to read once it sees the number. */
static bool adopt(struct ftri_thread *self, uint32_t session)
{
    if (atomic_load(&self->session) == session)
        return true;
    release_session(self);
    if (!has_right_sizes(self)) {
        empty_memory(self);
        if (!map_memory(self))
            return false;
    }
    self->free_slot = NULL;
    atomic_store(&self->n_slots_used, 0);
    self->first_id = ftri_random_u64();
    atomic_store(&self->last_id, self->first_id);
    atomic_store(&self->n_ended, 0);
    self->journal_limit = 0;
    self->clock_word = self->root_word = self->below_word = UINT64_MAX;
    self->journal_place = (uintptr_t)self->journal;
    self->generation_base = first_generation(session);
    self->free_page = NULL;
    self->n_pages_used = 0;
    zero_counters(&self->counters);
    atomic_store(&self->journal_head, 0);
    atomic_store(&self->journal_tail, 0);
    atomic_store(&self->returned_slots, NULL);
    atomic_store(&self->returned_pages, NULL);
    atomic_store(&self->n_live_slots, self->n_slots);
    atomic_store(&self->session, session);
    return true;
}

static struct ftri_thread *new_thread(enum ftri_pipeline pipeline)
{
    const uint32_t n = atomic_load(&ftri_n_threads);
    if (n == FTRI_THREADS_MAX)
        return NULL;
    struct ftri_thread *self = ftri_alloc_lines(sizeof *self);
    if (!self)
        return NULL;
    self->index = n;
    self->pipeline = pipeline;
    self->first_handle = (uint64_t)n << 32;
    atomic_store(&ftri_threads[n], self);
    atomic_store(&ftri_n_threads, n + 1);
    return self;
}

/* Under the lock. What cannot be adopted goes to the idle ones. */
static struct ftri_thread *find_thread(enum ftri_pipeline pipeline, uint32_t session)
{
    struct ftri_thread *self = ftri_thread_self[pipeline];
    if (atomic_load(&ftri_session) != session)
        return NULL; /* it has just ended */
    if (self != &ftri_thread_none)
        return adopt(self, session) ? self : NULL;
    self = idle[pipeline];
    if (self)
        idle[pipeline] = self->next_idle;
    else
        self = new_thread(pipeline);
    if (!self)
        return NULL;
    if (adopt(self, session) && pthread_setspecific(exit_keys[pipeline], self) == 0)
        return self;
    push_idle(self);
    return NULL;
}

struct ftri_thread *ftri_thread_setup(enum ftri_pipeline pipeline)
{
    const uint32_t session = atomic_load(&ftri_session);
    if (session == 0)
        return NULL;
    FTRI_NOT_CANCELLED;
    pthread_once(&exit_once, make_exit_keys);
    if (!has_exit_keys || !ftri_thread_before_setup())
        return NULL;
    pthread_mutex_lock(&table_lock);
    struct ftri_thread *self = find_thread(pipeline, session);
    pthread_mutex_unlock(&table_lock);
    if (self)
        ftri_thread_self[pipeline] = self;
    return self;
}

static struct ftri_slot *take_new_slot(struct ftri_thread *self)
{
    const uint32_t n = atomic_load_explicit(&self->n_slots_used, memory_order_relaxed);
    if (n == self->n_slots)
        return NULL;
    struct ftri_slot *slot = &self->slots[n];
    atomic_store_explicit(&slot->generation, self->generation_base, memory_order_relaxed);
    slot->record = (struct ftri_record){0};
    slot->n_pages = slot->n_distinct = slot->at_end = 0;
    slot->pages = slot->last_page = NULL;
    slot->handle = self->first_handle + n;
    atomic_store_explicit(&self->n_slots_used, n + 1, memory_order_release);
    return slot;
}

struct ftri_slot *ftri_slot_take_slow(struct ftri_thread *self)
{
    struct ftri_slot *slot =
        atomic_exchange_explicit(&self->returned_slots, NULL, memory_order_acquire);
    if (!slot)
        return take_new_slot(self);
    self->free_slot = slot->next_free;
    return slot;
}

void ftri_slot_return(struct ftri_thread *self, struct ftri_thread *owner, struct ftri_slot *slot)
{
    if (self == owner) {
        slot->next_free = self->free_slot;
        self->free_slot = slot;
        return;
    }
    struct ftri_slot *head = atomic_load_explicit(&owner->returned_slots, memory_order_relaxed);
    do {
        slot->next_free = head;
    } while (!atomic_compare_exchange_weak_explicit(&owner->returned_slots, &head, slot,
                                                    memory_order_release, memory_order_relaxed));
}

struct ftri_page *ftri_page_take(struct ftri_thread *self)
{
    struct ftri_page *page = self->free_page;
    if (!page)
        page = atomic_exchange_explicit(&self->returned_pages, NULL, memory_order_acquire);
    if (page) {
        self->free_page = page->next;
    } else {
        if (self->n_pages_used == self->n_pages)
            return NULL;
        page = &self->page_memory[self->n_pages_used++];
        page->owner = self->index;
    }
    page->next = NULL;
    return page;
}

static void return_page(struct ftri_thread *self, struct ftri_page *page)
{
    if (page->owner == self->index) {
        page->next = self->free_page;
        self->free_page = page;
        return;
    }
    struct ftri_thread *owner = atomic_load(&ftri_threads[page->owner]);
    struct ftri_page *head = atomic_load_explicit(&owner->returned_pages, memory_order_relaxed);
    do {
        page->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&owner->returned_pages, &head, page,
                                                    memory_order_release, memory_order_relaxed));
}

void ftri_pages_return(struct ftri_thread *self, struct ftri_page *first)
{
    while (first) {
        struct ftri_page *next = first->next;
        return_page(self, first);
        first = next;
    }
}

void ftri_threads_lock(void)
{
    pthread_mutex_lock(&table_lock);
}

void ftri_threads_unlock(void)
{
    pthread_mutex_unlock(&table_lock);
}

void ftri_threads_after_fork(void)
{
    pthread_mutex_init(&table_lock, NULL);
    ftri_thread_is_own = false; /* an exporter forked: what its child does is the program's */
    idle[FTRI_SYSTEM] = idle[FTRI_USER] = NULL;
    const uint32_t n = atomic_load(&ftri_n_threads);
    for (uint32_t i = 0; i < n; i++) {
        struct ftri_thread *thread = atomic_load(&ftri_threads[i]);
        /* The parent's worker may have been about to consume a record it was done with. */
        atomic_store(&thread->journal_tail, atomic_load(&thread->journal_head));
        atomic_store(&thread->n_live_slots, 0);
        if (thread == ftri_thread_self[thread->pipeline])
            continue;
        atomic_store(&thread->is_judging, false);
        push_idle(thread);
    }
}

void ftri_threads_close(void)
{
    pthread_mutex_lock(&table_lock);
    const uint32_t n = atomic_load(&ftri_n_threads);
    for (uint32_t i = 0; i < n; i++)
        atomic_store(&atomic_load(&ftri_threads[i])->n_live_slots, 0);
    pthread_mutex_unlock(&table_lock);
}

static void trim(struct ftri_thread *thread)
{
    release_session(thread);
    atomic_store(&thread->n_slots_used, 0);
    atomic_store(&thread->session, 0);
    empty_memory(thread);
}

void ftri_threads_trim(void)
{
    pthread_mutex_lock(&table_lock);
    for (size_t i = 0; i < FTRI_N_PIPELINES; i++)
        for (struct ftri_thread *thread = idle[i]; thread; thread = thread->next_idle)
            trim(thread);
    pthread_mutex_unlock(&table_lock);
}

static uint64_t count_open(const struct ftri_thread *self)
{
    uint64_t n_open = 0;
    const uint32_t n = atomic_load_explicit(&self->n_slots_used, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t generation =
            atomic_load_explicit(&self->slots[i].generation, memory_order_relaxed);
        n_open += (generation & 3) == FTRI_SLOT_OPEN;
    }
    return n_open;
}

static void add_counters(const struct ftri_counters *counters, ftr_statistics *sum)
{
    sum->lost_journal_full += atomic_load(&counters->lost_journal_full);
    sum->no_slot += atomic_load(&counters->no_slot);
    sum->stale += atomic_load(&counters->stale);
    sum->dropped_attributes += atomic_load(&counters->dropped_attributes);
    sum->dropped_events += atomic_load(&counters->dropped_events);
    sum->dropped_links += atomic_load(&counters->dropped_links);
    sum->roots_dropped += atomic_load(&counters->roots_dropped);
    sum->roots_over_rate += atomic_load(&counters->roots_over_rate);
    sum->roots_recorded += atomic_load(&counters->roots_recorded);
    sum->tail_crossings_lost += atomic_load(&counters->lost_crossings);
}

void ftri_threads_count(enum ftri_pipeline pipeline, ftr_statistics *ret_statistics)
{
    const uint32_t session = atomic_load(&ftri_session);
    pthread_mutex_lock(&table_lock);
    const uint32_t n = atomic_load(&ftri_n_threads);
    for (uint32_t i = 0; i < n; i++) {
        struct ftri_thread *thread = atomic_load(&ftri_threads[i]);
        if (thread->pipeline != pipeline || atomic_load(&thread->session) != session)
            continue;
        ret_statistics->started += ftri_thread_n_started(thread);
        ret_statistics->ended += atomic_load(&thread->n_ended);
        add_counters(&thread->counters, ret_statistics);
        ret_statistics->open += count_open(thread);
    }
    pthread_mutex_unlock(&table_lock);
    if (pipeline != FTRI_SYSTEM)
        return;
    ret_statistics->stale += atomic_load(&ftri_stale_elsewhere);
    ret_statistics->no_slot += atomic_load(&ftri_no_slot_elsewhere);
}

bool ftri_threads_are_judging(void)
{
    const uint32_t n = atomic_load(&ftri_n_threads);
    for (uint32_t i = 0; i < n; i++)
        if (atomic_load(&atomic_load(&ftri_threads[i])->is_judging))
            return true;
    return false;
}

void ftri_threads_forget_counts(void)
{
    atomic_store(&ftri_stale_elsewhere, 0);
    atomic_store(&ftri_no_slot_elsewhere, 0);
}
