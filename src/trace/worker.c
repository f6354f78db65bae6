/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/worker.h"

#include "base/count.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "context/block.h"
#include "trace/clock.h"
#include "trace/journal.h"
#include "trace/live.h"
#include "trace/metrics.h"
#include "trace/os_thread.h"
#include "trace/routing.h"
#include "trace/tail.h"
#include "trace/tap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define POLL_NS FTRI_NS_PER_MS
#define PARKED_POLL_NS (100 * FTRI_NS_PER_MS)
#define FIRST_CHECK_NS (10 * FTRI_NS_PER_MS)
#define CHECK_NS FTRI_NS_PER_S

enum { IDLE_PASSES = 20, PART_BYTES = 16 << 10, BATCH = FTRI_METRICS_BATCH };

/* What the worker does right now; the futex it sleeps on. */
enum { AWAKE = 0, POLLING = 1, PARKED = 2 };

static struct {
    _Atomic uint32_t state;
    _Atomic uint64_t n_recorded[FTRI_N_PIPELINES];
    _Atomic uint64_t n_no_routing;
    _Atomic uint64_t n_pending;

    pthread_mutex_t lock; /* for the fields up to stop_deadline_ns */
    pthread_cond_t changed;
    uint64_t n_requested;
    uint64_t n_done;
    bool is_stopping;
    bool is_running;
    uint64_t stop_deadline_ns;

    pthread_mutex_t pass; /* held by the worker but for its pauses: what fork() must find whole */

    /* The worker's own. */
    struct ftri_sender *senders[FTR_EXPORTERS_MAX];
    size_t n_senders;
    struct ftri_sender *user_senders[FTR_EXPORTERS_MAX];
    size_t n_user_senders;
    uint32_t user_spans_max;
    uint64_t pass_ns; /* when this pass began */
    uint64_t next_check_ns;
    uint64_t check_interval_ns;
    uint64_t pending_ns;
    uint64_t next_pending_ns;
} worker = {.lock = PTHREAD_MUTEX_INITIALIZER, .pass = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_cond(void)
{
    ftri_os_cond_init(&worker.changed);
}

static void wake_from(uint32_t state)
{
    if (atomic_compare_exchange_strong(&worker.state, &state, AWAKE))
        ftri_os_wake(&worker.state);
}

void ftri_worker_wake(void)
{
    if (atomic_load_explicit(&worker.state, memory_order_relaxed) == PARKED)
        wake_from(PARKED);
}

static void wake_anyhow(void)
{
    wake_from(PARKED);
    wake_from(POLLING);
}

/* To the exporters. */
static void keep(const struct ftri_record *record)
{
    ftri_metrics_offer(record);
    for (size_t i = 0; i < worker.n_senders; i++)
        ftri_sender_accept(worker.senders[i], record, 0);
}

static bool is_note(const struct ftri_record *record)
{
    return FTRI_UNLIKELY(record->bits & FTRI_RECORD_CROSSES);
}

static void offer_to_taps(const struct ftri_record *const *records, size_t n)
{
    if (atomic_load_explicit(&ftri_n_taps, memory_order_relaxed) == 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (!is_note(records[i]))
            ftri_taps_offer(records[i]);
}

/* All tasks together have one bound. */
static bool is_full_of_users(void)
{
    uint64_t n = 0;
    for (size_t i = 0; i < worker.n_user_senders; i++)
        n += ftri_sender_n_queued(worker.user_senders[i]);
    return worker.user_spans_max != 0 && n >= worker.user_spans_max;
}

static void send_user(const struct ftri_record *record, uint32_t routing)
{
    if (worker.n_user_senders == 0 || !ftri_routing_hold(routing, worker.pass_ns)) {
        ftri_count(&worker.n_no_routing, 1);
        return;
    }
    struct ftri_sender *sender =
        worker.user_senders[ftri_routing_place(routing) % worker.n_user_senders];
    if (!is_full_of_users()) {
        ftri_sender_accept(sender, record, routing);
        return;
    }
    ftri_sender_lose(sender, 1);
    ftri_routing_let_go(routing, 1);
}

/* A user span, which keeps nothing of the context but its routing. The journal's room is the
 * worker's until it is consumed. */
static void handle_user(const struct ftri_record *in_journal)
{
    struct ftri_record *record = (struct ftri_record *)(uintptr_t)in_journal;
    const uint32_t routing = record->routing;
    struct ftr_context_block *block = record->block;
    record->n_fields = 0;
    record->block = NULL;
    send_user(record, routing);
    ftri_context_block_unref(block);
}

static size_t read_users(const struct ftri_thread *thread, uint64_t head, uint64_t end,
                         uint64_t *position)
{
    size_t n = 0;
    for (const struct ftri_record *record;
         *position < end && (record = ftri_journal_read(thread, head, position));) {
        handle_user(record);
        n++;
    }
    return n;
}

/* Somebody takes records, or there is nobody to lose them. */
static bool has_taker(void)
{
    bool has = worker.n_senders == 0 || ftri_metrics_are_counted() || !ftri_tail_passes_all() ||
               atomic_load_explicit(&ftri_n_taps, memory_order_relaxed) > 0;
    for (size_t i = 0; i < worker.n_senders && !has; i++)
        has = ftri_sender_has_room(worker.senders[i]);
    return has;
}

/* Up to n records of a journal that begin before `end`; returns how many. */
static size_t read_batch(const struct ftri_thread *thread, uint64_t head, uint64_t end,
                         uint64_t *position, const struct ftri_record *ret_records[BATCH])
{
    size_t n = 0;
    for (const struct ftri_record *record;
         n < BATCH && *position < end && (record = ftri_journal_read(thread, head, position));)
        ret_records[n++] = record;
    return n;
}

/* Returns how many are spans. */
static size_t handle_batch(const struct ftri_record *const *records, size_t n)
{
    const bool is_taken = worker.n_senders > 0 || ftri_metrics_are_counted();
    size_t n_spans = 0;
    offer_to_taps(records, n);
    ftri_metrics_observe(records, n);
    for (size_t i = 0; i < n; i++) {
        if (is_note(records[i])) {
            ftri_tail_note(records[i]);
            continue;
        }
        if (is_taken) /* exemplars are of what is kept */
            ftri_tail_accept(records[i]);
        n_spans++;
    }
    ftri_tail_settle();
    for (size_t i = 0; i < n; i++)
        if (!is_note(records[i]))
            ftri_context_block_unref(records[i]->block);
    return n_spans;
}

/* The records of a journal from *position up to the one that reaches `end`; returns how many. */
static size_t read_part(const struct ftri_thread *thread, uint64_t head, uint64_t end,
                        uint64_t *position)
{
    const struct ftri_record *records[BATCH];
    size_t n_spans = 0;
    for (size_t n; (n = read_batch(thread, head, end, position, records)) > 0;)
        n_spans += handle_batch(records, n);
    return n_spans;
}

/* The same when no exporter has room: nobody looks into them. */
static size_t lose_part(const struct ftri_thread *thread, uint64_t head, uint64_t end,
                        uint64_t *position)
{
    size_t n_lost = 0;
    size_t n_others = 0;
    for (const struct ftri_record *record;
         *position < end && (record = ftri_journal_read(thread, head, position));) {
        if (record->bits & FTRI_RECORD_CROSSES)
            continue;
        if (FTRI_UNLIKELY(ftri_record_is_only_recorded(record))) {
            ftri_tail_accept(record);
            n_others++;
        } else {
            n_lost++;
        }
        if (record->block)
            ftri_context_block_unref(record->block);
    }
    for (size_t i = 0; i < worker.n_senders; i++)
        ftri_sender_lose(worker.senders[i], n_lost);
    return n_lost + n_others;
}

static size_t read_some(const struct ftri_thread *thread, uint64_t head, uint64_t end,
                        uint64_t *position)
{
    if (thread->pipeline == FTRI_USER)
        return read_users(thread, head, end, position);
    return has_taker() ? read_part(thread, head, end, position)
                       : lose_part(thread, head, end, position);
}

/* Everything that one thread had published when this began. */
static size_t read_journal(struct ftri_thread *thread)
{
    const uint64_t head = atomic_load_explicit(&thread->journal_head, memory_order_acquire);
    uint64_t position = atomic_load_explicit(&thread->journal_tail, memory_order_relaxed);
    size_t n_all = 0;
    while (position < head) {
        const uint64_t end = position + PART_BYTES < head ? position + PART_BYTES : head;
        const size_t n = read_some(thread, head, end, &position);
        ftri_count(&worker.n_recorded[thread->pipeline], n);
        ftri_journal_consume(thread, position);
        n_all += n;
    }
    return n_all;
}

static size_t read_journals(void)
{
    const uint32_t session = atomic_load(&ftri_session);
    const uint32_t n_threads = atomic_load(&ftri_n_threads);
    size_t n = 0;
    worker.pass_ns = ftri_clock_monotonic_ns();
    ftri_metrics_begin_pass();
    for (uint32_t i = 0; i < n_threads; i++) {
        struct ftri_thread *thread = atomic_load(&ftri_threads[i]);
        if (atomic_load_explicit(&thread->session, memory_order_acquire) == session)
            n += read_journal(thread);
    }
    ftri_metrics_end_pass();
    return n;
}

/* What an earlier session left unread is nobody's to read. */
static bool has_published(void)
{
    const uint32_t session = atomic_load(&ftri_session);
    const uint32_t n_threads = atomic_load(&ftri_n_threads);
    for (uint32_t i = 0; i < n_threads; i++) {
        const struct ftri_thread *thread = atomic_load(&ftri_threads[i]);
        if (atomic_load(&thread->session) == session &&
            atomic_load(&thread->journal_head) != atomic_load(&thread->journal_tail))
            return true;
    }
    return false;
}

static void seal_all(void)
{
    for (size_t i = 0; i < worker.n_senders; i++)
        ftri_sender_seal(worker.senders[i]);
    for (size_t i = 0; i < worker.n_user_senders; i++)
        ftri_sender_seal(worker.user_senders[i]);
}

static bool hand_over_open(void *argument, const struct ftri_record *record,
                           const ftr_span_data *span)
{
    const uint64_t *latest_start_ns = argument;
    if (span->start_time_ns > *latest_start_ns || !ftri_tail_shows_open(record))
        return true;
    atomic_fetch_add_explicit(&worker.n_pending, 1, memory_order_relaxed);
    keep(record);
    return true;
}

static void export_pending(uint64_t now_ns)
{
    if (worker.pending_ns == 0 || now_ns < worker.next_pending_ns)
        return;
    uint64_t latest_start_ns = ftri_time_wall_ns() - worker.pending_ns;
    (void)ftri_live_walk(hand_over_open, &latest_start_ns);
    worker.next_pending_ns = now_ns + worker.pending_ns;
}

static bool hand_over_unfinished(void *argument, const struct ftri_record *record,
                                 const ftr_span_data *span)
{
    (void)argument, (void)span;
    if (ftri_record_is_only_recorded(record))
        return true;
    atomic_fetch_add_explicit(&worker.n_pending, 1, memory_order_relaxed);
    ftri_tail_accept(record);
    ftri_tail_settle();
    return true;
}

/* What nobody will end any more. */
static void export_unfinished(void)
{
    if (worker.pending_ns > 0)
        (void)ftri_live_walk(hand_over_unfinished, NULL);
}

static bool have_slack(void)
{
    for (size_t i = 0; i < worker.n_senders; i++)
        if (!ftri_sender_has_slack(worker.senders[i]))
            return false;
    return true;
}

/* What waits, no faster than the exporters take it, unless time runs out. */
static void let_go(void)
{
    while (!ftri_tail_finish(ftri_clock_monotonic_ns() >= worker.stop_deadline_ns)) {
        seal_all();
        pthread_mutex_unlock(&worker.pass);
        usleep(1000);
        pthread_mutex_lock(&worker.pass);
    }
}

static uint64_t tick(struct ftri_sender *const *senders, size_t n, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        const uint64_t due = ftri_sender_tick(senders[i], now_ns);
        due_ns = due < due_ns ? due : due_ns;
    }
    return due_ns;
}

/* When the next batch is due. */
static uint64_t tick_all(uint64_t now_ns)
{
    const uint64_t due_ns = tick(worker.senders, worker.n_senders, now_ns);
    const uint64_t user_due_ns = tick(worker.user_senders, worker.n_user_senders, now_ns);
    return user_due_ns < due_ns ? user_due_ns : due_ns;
}

/* 10 ms after the start, then ten times as long, then every second: the longer the better known is
 * the counter's rate. */
static void check_clock(uint64_t now_ns)
{
    if (now_ns < worker.next_check_ns)
        return;
    ftri_clock_check();
    worker.next_check_ns = now_ns + worker.check_interval_ns;
    worker.check_interval_ns *= 10;
    if (worker.check_interval_ns > CHECK_NS)
        worker.check_interval_ns = CHECK_NS;
}

static bool has_request(void)
{
    pthread_mutex_lock(&worker.lock);
    const bool has = worker.n_requested != worker.n_done || worker.is_stopping;
    pthread_mutex_unlock(&worker.lock);
    return has;
}

/* False: stop. Answers all requests that were made before the journals were read. */
static bool run_pass(size_t *ret_n, uint64_t *ret_tail_ns)
{
    pthread_mutex_lock(&worker.lock);
    const uint64_t requested = worker.n_requested;
    const bool is_stopping = worker.is_stopping;
    pthread_mutex_unlock(&worker.lock);
    ftri_tail_begin();
    *ret_n = read_journals();
    *ret_tail_ns = ftri_tail_end();
    if (requested == worker.n_done && !is_stopping)
        return true;
    if (is_stopping) {
        export_unfinished();
        let_go();
    }
    seal_all();
    pthread_mutex_lock(&worker.lock);
    worker.n_done = requested;
    pthread_cond_broadcast(&worker.changed);
    pthread_mutex_unlock(&worker.lock);
    return !is_stopping;
}

/* A sleeper that is about to be woken announces itself first and looks again after. */
static void pause_until(uint64_t due_ns, uint64_t now_ns, bool is_idle)
{
    uint64_t timeout_ns = is_idle ? PARKED_POLL_NS : POLL_NS;
    if (due_ns < now_ns + timeout_ns)
        timeout_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    const uint32_t state = is_idle ? PARKED : POLLING;
    atomic_store(&worker.state, state);
    if (!has_request() && !(is_idle && has_published()))
        ftri_os_sleep_on(&worker.state, state, timeout_ns);
    atomic_store(&worker.state, AWAKE);
}

/* All that there is to do now; false: stop. */
static bool work(size_t *ret_n, uint64_t *ret_now_ns, uint64_t *ret_due_ns)
{
    uint64_t tail_ns;
    pthread_mutex_lock(&worker.pass);
    const bool goes_on = run_pass(ret_n, &tail_ns);
    const uint64_t now_ns = ftri_clock_monotonic_ns();
    if (goes_on) {
        check_clock(now_ns);
        export_pending(now_ns);
        const uint64_t due_ns = tick_all(now_ns);
        *ret_now_ns = now_ns;
        *ret_due_ns = tail_ns < due_ns - now_ns ? now_ns + tail_ns : due_ns;
    }
    pthread_mutex_unlock(&worker.pass);
    return goes_on;
}

static void *run(void *argument)
{
    (void)argument;
    ftri_thread_is_own = true;
    size_t n_idle = 0;
    uint64_t now_ns;
    uint64_t due_ns;
    for (size_t n; work(&n, &now_ns, &due_ns);) {
        n_idle = n > 0 ? 0 : n_idle + 1;
        pause_until(due_ns, now_ns, n_idle >= IDLE_PASSES);
    }
    ftri_tail_stop();
    pthread_mutex_lock(&worker.lock);
    worker.is_running = false;
    pthread_cond_broadcast(&worker.changed);
    pthread_mutex_unlock(&worker.lock);
    return NULL;
}

static void zero_counts(void)
{
    atomic_store(&worker.n_recorded[FTRI_SYSTEM], 0);
    atomic_store(&worker.n_recorded[FTRI_USER], 0);
    atomic_store(&worker.n_no_routing, 0);
    atomic_store(&worker.n_pending, 0);
}

static void take_senders(const struct ftri_worker_senders *senders)
{
    for (size_t i = 0; i < senders->n_system; i++)
        worker.senders[i] = senders->system[i];
    worker.n_senders = senders->n_system;
    for (size_t i = 0; i < senders->n_user; i++)
        worker.user_senders[i] = senders->user[i];
    worker.n_user_senders = senders->n_user;
    worker.user_spans_max = senders->user_spans_max;
}

int ftri_worker_start(const struct ftri_worker_senders *senders, uint64_t pending_ns,
                      const struct ftri_tail_settings *tail)
{
    static const struct ftri_worker_senders nobody;
    static const struct ftri_tail_exit exit = {keep, have_slack};
    pthread_once(&once, init_cond);
    take_senders(senders ? senders : &nobody);
    atomic_store(&worker.state, AWAKE);
    zero_counts();
    worker.pending_ns = pending_ns;
    worker.next_pending_ns = ftri_clock_monotonic_ns() + pending_ns;
    worker.check_interval_ns = FIRST_CHECK_NS;
    worker.next_check_ns = ftri_clock_monotonic_ns() + FIRST_CHECK_NS;
    ftri_tail_start(tail, &exit);
    pthread_mutex_lock(&worker.lock);
    worker.n_requested = worker.n_done = 0;
    worker.is_stopping = false;
    worker.is_running = true;
    pthread_mutex_unlock(&worker.lock);
    const int rc = ftri_thread_start(run, NULL, NULL);
    if (rc < 0) {
        worker.is_running = false;
        ftri_tail_stop();
    }
    return rc;
}

void ftri_worker_stop(uint64_t deadline_ns)
{
    pthread_mutex_lock(&worker.lock);
    worker.is_stopping = true;
    worker.stop_deadline_ns = deadline_ns;
    pthread_mutex_unlock(&worker.lock);
    wake_anyhow();
    pthread_mutex_lock(&worker.lock);
    while (worker.is_running)
        pthread_cond_wait(&worker.changed, &worker.lock);
    pthread_mutex_unlock(&worker.lock);
}

uint64_t ftri_worker_request_pass(void)
{
    pthread_mutex_lock(&worker.lock);
    const uint64_t ticket = ++worker.n_requested;
    pthread_mutex_unlock(&worker.lock);
    wake_anyhow();
    return ticket;
}

bool ftri_worker_wait_pass(uint64_t ticket, uint64_t deadline_ns)
{
    pthread_mutex_lock(&worker.lock);
    bool is_in_time = true;
    while (worker.n_done < ticket && worker.is_running && is_in_time)
        is_in_time = ftri_os_cond_wait(&worker.changed, &worker.lock, deadline_ns);
    const bool is_done = worker.n_done >= ticket;
    pthread_mutex_unlock(&worker.lock);
    return is_done;
}

uint64_t ftri_worker_count(void)
{
    return atomic_load(&worker.n_recorded[FTRI_SYSTEM]);
}

uint64_t ftri_worker_count_users(void)
{
    return atomic_load(&worker.n_recorded[FTRI_USER]);
}

uint64_t ftri_worker_count_no_routing(void)
{
    return atomic_load(&worker.n_no_routing);
}

uint64_t ftri_worker_count_pending(void)
{
    return atomic_load(&worker.n_pending);
}

void ftri_worker_lock_pass(void)
{
    pthread_mutex_lock(&worker.pass);
}

void ftri_worker_unlock_pass(void)
{
    pthread_mutex_unlock(&worker.pass);
}

void ftri_worker_lock(void)
{
    pthread_mutex_lock(&worker.lock);
}

void ftri_worker_unlock(void)
{
    pthread_mutex_unlock(&worker.lock);
}

void ftri_worker_after_fork(void)
{
    pthread_mutex_init(&worker.lock, NULL);
    pthread_mutex_init(&worker.pass, NULL);
    ftri_os_cond_init(&worker.changed);
    worker.is_running = false;
    ftri_tail_after_fork();
    atomic_store(&worker.state, AWAKE);
    zero_counts();
}
