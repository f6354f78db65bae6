/* SPDX-License-Identifier: Apache-2.0
 *
 * What a thread that records owns: a slab of slots (open spans), a pool of pages (what does not
 * fit in a slot) and a journal (finished spans, read by the worker).
 *
 * Made at a thread's first span, kept in a table for ever (a handle may name it at any time), used
 * again by a later thread when its own has ended. Memory is reserved once and touched as needed.
 * Fields are the owning thread's unless marked: (any) any thread, (worker) the worker. */
#pragma once

#include "trace/record.h"

#include <flowtrace/tracing.h>
#include <stdatomic.h>

enum {
    FTRI_THREADS_MAX = 16384,
    FTRI_SLOTS_MAX = 1 << 22,
    FTRI_SLOT_BYTES = 1024,
    FTRI_SLOT_CHUNK = 64, /* the room is copied in such pieces */
    FTRI_SLOT_ROOM = (FTRI_SLOT_BYTES - 64 - (int)sizeof(struct ftri_record)) / FTRI_SLOT_CHUNK *
                     FTRI_SLOT_CHUNK,
    FTRI_QUICK_LEN = 64, /* texts of up to so many bytes are copied without a call */
    FTRI_PAGE_BYTES = 4096,
    FTRI_PAGE_ROOM = FTRI_PAGE_BYTES - 16,
    FTRI_WAKE_SHIFT = 16 /* the worker is woken at most once per 2^16 journal bytes */
};

/* Who a span is for. A thread that records both kinds has slots, pages, a journal and counters for
 * each; a handle's thread tells which kind it is of. */
enum ftri_pipeline {
    FTRI_SYSTEM = 0, /* whoever runs the program */
    FTRI_USER = 1,   /* the people whose traffic runs through it: <flowtrace/user.h> */
    FTRI_N_PIPELINES = 2
};

/* The low two bits of a slot's generation. */
enum ftri_slot_state { FTRI_SLOT_FREE = 0, FTRI_SLOT_OPEN = 1, FTRI_SLOT_UNSAMPLED = 2 };

/* What is left to do when the span ends. */
enum ftri_slot_end { FTRI_END_CALLS_BACK = 1, FTRI_END_IS_SET = 2 };

struct ftri_page {
    struct ftri_page *next;
    uint32_t owner; /* index of the thread whose pool it is from */
    uint32_t reserved;
    uint8_t data[FTRI_PAGE_ROOM];
};

/* An open span. Written by one thread at a time; the worker may look at any time: the generation
 * says whether what it saw was one span, and the stream only grows. */
struct ftri_slot {
    _Atomic uint64_t generation; /* (any) counts up by 4; low bits: enum ftri_slot_state */
    struct ftri_slot *next_free;
    uint64_t handle; /* the same for all its spans */
    /* One word, 0 in a free slot and as long as the span may end in the quick way. */
    uint32_t n_pages;
    uint16_t n_distinct; /* attributes with different keys; 0: not counted yet */
    uint16_t at_end;     /* enum ftri_slot_end */
    struct ftri_page *pages;
    struct ftri_page *last_page;
    uint64_t reserved_words[2];
    struct ftri_record record;
    uint8_t room[FTRI_SLOT_ROOM];
    uint8_t reserved_room[FTRI_SLOT_BYTES - 64 - (int)sizeof(struct ftri_record) - FTRI_SLOT_ROOM];
};

_Static_assert(sizeof(struct ftri_slot) == FTRI_SLOT_BYTES, "slots are whole cache lines");

_Static_assert(offsetof(struct ftri_slot, n_pages) % 8 == 0 &&
                   offsetof(struct ftri_slot, at_end) == offsetof(struct ftri_slot, n_pages) + 6,
               "n_pages to at_end are one word");

struct ftri_counters { /* written by the owning thread alone */
    _Atomic uint64_t lost_journal_full;
    _Atomic uint64_t no_slot;
    _Atomic uint64_t stale;
    _Atomic uint64_t dropped_attributes;
    _Atomic uint64_t dropped_events;
    _Atomic uint64_t dropped_links;
    _Atomic uint64_t roots_dropped;
    _Atomic uint64_t roots_over_rate;
    _Atomic uint64_t roots_recorded;
    _Atomic uint64_t lost_crossings;
};

struct ftri_thread {
    /* All that a short span needs, in two cache lines. */
    _Atomic uint32_t session;      /* (any) the one it is set up for */
    _Atomic uint32_t n_live_slots; /* (any) n_slots; 0 when the session is over */
    uint64_t first_handle;         /* of its slot 0 */
    struct ftri_slot *slots;
    struct ftri_slot *free_slot;   /* the first free one that was used before */
    _Atomic uint64_t last_id;      /* (any) see ftri_thread_next_id */
    _Atomic uint64_t n_ended;      /* (any) spans */
    _Atomic uint64_t journal_head; /* (worker reads) bytes written since the start */
    uint64_t journal_limit;        /* the head may grow up to here without a closer look */

    uintptr_t journal_place; /* plus the head: the address to write at */
    uint64_t clock_word;     /* under which a span may start without a closer look */
    uint64_t root_word;      /* the same for new traces, */
    uint64_t below_word;     /* and below a context that may be remote */
    uint8_t *journal;
    uint64_t journal_mask;
    uint64_t first_id;
    uint64_t generation_base;
    uint32_t index;
    _Atomic uint32_t n_slots_used; /* (any) slots beyond were never used */
    struct ftri_counters counters;
    struct ftri_page *free_page;
    struct ftri_page *page_memory;
    uint32_t n_pages_used;
    uint32_t n_pages;
    uint32_t n_slots;
    enum ftri_pipeline pipeline;                /* for ever */
    struct ftri_thread *next_idle;              /* under the table's lock */
    _Atomic bool is_judging;                    /* (any) see sampling.c */
    _Alignas(64) _Atomic uint64_t journal_tail; /* (worker writes) bytes read since the start */
    _Alignas(64) _Atomic(struct ftri_slot *)
        returned_slots;                         /* (any) stack of those ended elsewhere */
    _Atomic(struct ftri_page *) returned_pages; /* (any) */
};

/* What every thread is set up with; written before a session's number is published, and with the
 * table locked, since threads may still be setting themselves up for the session before. */
struct ftri_thread_settings {
    ftr_limits limits;      /* the counts at most UINT16_MAX */
    uint32_t quick_bytes;   /* of a text value: the smaller of the limit and FTRI_QUICK_LEN */
    size_t n_usual_lengths; /* how many of 16 to 32 bytes that allows */
    size_t journal_bytes;   /* a power of two */
    uint32_t open_spans;
    bool records_call_sites;
    bool has_no_text;    /* string values are cut to nothing */
    uint64_t started_ns; /* Unix epoch: the session's beginning */
};

extern struct ftri_thread_settings ftri_thread_settings;
extern _Atomic(struct ftri_thread *) ftri_threads[FTRI_THREADS_MAX];
extern _Atomic uint32_t ftri_n_threads;
/* The running session's number; 0 outside. */
extern _Atomic uint32_t ftri_session;
/* Where a thread without its own points: no slots, and a session that is never reached. */
extern struct ftri_thread ftri_thread_none;
extern _Thread_local struct ftri_thread *ftri_thread_self[FTRI_N_PIPELINES]
    __attribute__((tls_model("initial-exec")));
/* True on the library's own threads: what an exporter or a callback starts there is not recorded.
 * It would be exported in its turn, and so on without end. */
extern _Thread_local bool ftri_thread_is_own __attribute__((tls_model("initial-exec")));
/* Counted where there is no thread of its own to count at. */
extern _Atomic uint64_t ftri_stale_elsewhere;
extern _Atomic uint64_t ftri_no_slot_elsewhere;

/* Sets the calling thread up for the running session and one pipeline. NULL: no session is running,
 * or memory is short. */
struct ftri_thread *ftri_thread_setup(enum ftri_pipeline pipeline);

/* Called once per session before threads record: a worker has to exist (again, after a fork). */
extern bool (*ftri_thread_before_setup)(void);

/* NULL: all are taken. The slot's generation is still that of a free one. */
struct ftri_slot *ftri_slot_take_slow(struct ftri_thread *self);
/* Gives a slot back whose generation was already raised; self is the calling thread's. */
void ftri_slot_return(struct ftri_thread *self, struct ftri_thread *owner, struct ftri_slot *slot);
/* NULL: the pool is exhausted. */
struct ftri_page *ftri_page_take(struct ftri_thread *self);
void ftri_pages_return(struct ftri_thread *self, struct ftri_page *first);

/* Before and after fork(); the child drops what the parent had. */
void ftri_threads_lock(void);
void ftri_threads_unlock(void);
void ftri_threads_after_fork(void);
/* The session is over: no handle of it is taken any more, not even by the thread whose it is. */
void ftri_threads_close(void);
/* After a session: memory of ended threads goes back to the system. */
void ftri_threads_trim(void);
/* Adds up the counters of a pipeline, of all threads of the session, and counts the open slots. */
void ftri_threads_count(enum ftri_pipeline pipeline, ftr_statistics *ret_statistics);
/* Whether any is asking the sampler. */
bool ftri_threads_are_judging(void);
/* For a new session. */
void ftri_threads_forget_counts(void);

/* Between a generation and the stores or loads of what it stands for. The sanitizer knows no
 * fences; the one reader that depends on them is exempt from it. */
static FTRI_ALWAYS_INLINE void ftri_slot_fence(int order)
{
#if defined(__SANITIZE_THREAD__)
    (void)order;
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(order);
#endif
}

/* Takes what a slot holds off it, before it is given back: the block is the caller's from then on.
 * False: somebody else did, the end of the session for one. */
static inline bool ftri_slot_claim(struct ftri_slot *slot, uint64_t generation)
{
    const bool is_claimed = atomic_compare_exchange_strong(
        &slot->generation, &(uint64_t){generation}, (generation | 3) + 1);
    ftri_slot_fence(memory_order_release); /* before the next span's stores: for live.c */
    return is_claimed;
}

static inline struct ftri_slot *ftri_slot_take(struct ftri_thread *self)
{
    struct ftri_slot *slot = self->free_slot;
    if (FTRI_UNLIKELY(!slot))
        return ftri_slot_take_slow(self);
    self->free_slot = slot->next_free;
    return slot;
}

#define FTRI_ID_STEP UINT64_C(0x9e3779b97f4a7c15)
#define FTRI_ID_STEP_INVERSE UINT64_C(0xf1de83e19937733d) /* times the step: 1 modulo 2^64 */

/* Unique within the process and spread over 64 bits: a progression of golden-ratio steps from a
 * start that is random per thread and session. 0 comes up once in 2^64. */
static inline uint64_t ftri_thread_next_id(struct ftri_thread *self)
{
    const uint64_t id = atomic_load_explicit(&self->last_id, memory_order_relaxed) + FTRI_ID_STEP;
    atomic_store_explicit(&self->last_id, id, memory_order_relaxed);
    return id;
}

/* How many ids were taken: as many spans were started. */
static inline uint64_t ftri_thread_n_started(struct ftri_thread *self)
{
    const uint64_t last = atomic_load_explicit(&self->last_id, memory_order_relaxed);
    return (last - self->first_id) * FTRI_ID_STEP_INVERSE;
}
