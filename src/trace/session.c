/* SPDX-License-Identifier: Apache-2.0
 *
 * From ftr_init to ftr_shutdown. One session at a time; its state is guarded by one lock that is
 * never held while somebody waits for an exporter. Recording threads see two words: ftri_session
 * (which session, 0: none) and ftr_recording_word (the same, 0 also in FTR_MODE_OFF).
 *
 * fork: the handlers below hold every lock of the library across fork(), so the child finds whole
 * data. It goes on with a session of a new number (all old handles are stale there) and starts its
 * own threads when it first records.
 *
 * The order of locks; whoever holds one takes only later ones:
 *
 *     session.lock        set-up, statistics
 *     worker.pass         the worker, but for its pauses: tail.c and the queues' open batches, too
 *     metrics.reading     who writes metrics; exporters' threads, which hold no other lock then
 *     metrics.counting    the worker while it reads journals; readers while they copy
 *     histograms.lock     the program's own: the list, new series
 *     sources.lock        a reading while it asks the program's sources
 *     each sender's lock  the worker sealing a batch, its thread, who waits for either
 *     worker.lock         requests of passes
 *     threads' table      a thread that sets itself up; nothing is called from there
 *     routings' table     a user root, alone; nothing is called from there
 *     table of taps       the worker offering a record, and inside it
 *     each tap's lock     its reader
 *
 * No exporter, sampler, finish callback or reader of metrics is called with any of them held; a
 * diagnostic may be, and so is a source of metrics (neither may call the library). A sampler is
 * made and closed with session.lock: a child that is forked in between goes on with it. */
#include <flowtrace/tracing.h>

#include "base/error.h"
#include "base/thread.h"
#include "base/time.h"
#include "context/block.h"
#include "trace/choice.h"
#include "trace/clock.h"
#include "trace/convention.h"
#include "trace/hold.h"
#include "trace/initiator.h"
#include "trace/metrics.h"
#include "trace/origin.h"
#include "trace/sampler.h"
#include "trace/sampling.h"
#include "trace/sender.h"
#include "trace/settings.h"
#include "trace/tail.h"
#include "trace/tap.h"
#include "trace/thread.h"
#include "trace/user.h"
#include "trace/worker.h"

#include <errno.h>
#include <flowtrace/live.h>
#include <pthread.h>
#include <string.h>

enum state { IDLE, RUNNING, STOPPING };

static struct {
    pthread_mutex_t lock;
    enum state state;
    uint32_t number; /* of the last session */
    _Atomic ftr_mode mode;
    uint32_t n_holders; /* nodes in FTR_MODE_TAIL; stays from session to session */
    struct ftri_initiator initiator;
    bool is_disabled;
    _Atomic bool needs_threads; /* in a forked child that has not recorded yet */
    struct ftri_origin *origin;
    ftr_sampler *sampler; /* NULL: there is none that has an owner */
    struct ftri_sender *senders[FTRI_SENDERS_MAX];
    size_t n_senders;
    size_t n_span_senders;   /* the first ones, */
    size_t n_system_senders; /* and those that take metrics only; behind them the users' */
    uint64_t pending_ns;
    bool (*unfinished)(void *argument, const ftr_span_data *span);
    void *unfinished_argument;
    ftr_statistics last; /* of the session that was shut down */
    ftr_statistics last_user;
} session = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_recording_word(void)
{
    const ftr_mode mode = session.mode;
    const bool is_on = session.state == RUNNING && mode != FTR_MODE_OFF && !session.is_disabled;
    const uint32_t number = is_on ? session.number : 0;
    const bool holds = mode == FTR_MODE_TAIL || session.n_holders != 0;
    ftri_tail_set_holders(session.n_holders);
    ftri_tail_set_mode(mode);
    atomic_store(&ftri_context_leaving, is_on && holds ? ftri_tail_mark : NULL);
    const bool has_users = session.state == RUNNING && !session.is_disabled &&
                           session.n_senders > session.n_system_senders;
    atomic_store(&ftri_user_session, has_users ? session.number : 0);
    ftri_clock_set_session(number);
    __atomic_store_n(&ftr_recording_word, number, __ATOMIC_SEQ_CST); /* see sampling.c */
}

static void discard_senders(void)
{
    for (size_t i = 0; i < session.n_senders; i++)
        ftri_sender_discard(session.senders[i]);
    session.n_senders = session.n_span_senders = session.n_system_senders = 0;
}

static int start_threads(void)
{
    for (size_t i = 0; i < session.n_senders; i++) {
        const int rc = ftri_sender_start(session.senders[i]);
        if (rc < 0)
            return rc;
    }
    if (session.is_disabled)
        return 0;
    const struct ftri_settings *settings = ftri_origin_settings(session.origin);
    const struct ftri_worker_senders senders = {
        .system = session.senders,
        .n_system = session.n_span_senders,
        .user = session.senders + session.n_system_senders,
        .n_user = session.n_senders - session.n_system_senders,
        .user_spans_max = settings->user.queue_spans,
    };
    return ftri_worker_start(&senders, session.pending_ns, &settings->tail);
}

static int add_sender(ftr_exporter *exporter, const struct ftri_sender_settings *settings,
                      struct ftri_origin *origin)
{
    struct ftri_sender *sender = ftri_sender_new(exporter, settings, origin);
    if (!sender)
        return -ENOMEM;
    session.senders[session.n_senders++] = sender;
    return 0;
}

static int make_senders(const struct ftri_choice *choice, struct ftri_origin *origin)
{
    const struct ftri_settings *settings = ftri_origin_settings(origin);
    int rc = 0;
    session.n_senders = 0;
    for (size_t i = 0; rc == 0 && i < choice->n; i++) {
        rc = add_sender(choice->exporters[i], &settings->sender, origin);
        if (rc == 0 && choice->takes_metrics[i])
            ftri_sender_take_metrics(session.senders[i], settings->metrics.is_implied);
    }
    session.n_span_senders = choice->n_of_spans;
    session.n_system_senders = choice->n;
    for (size_t i = 0; rc == 0 && i < choice->n_user; i++)
        rc = add_sender(choice->user_exporters[i], &settings->user.sender, origin);
    return rc;
}

/* In a forked child its first recording thread brings the others to life. */
static bool start_threads_after_fork(void)
{
    if (!atomic_load(&session.needs_threads))
        return true;
    pthread_mutex_lock(&session.lock);
    if (atomic_load(&session.needs_threads) && start_threads() == 0)
        atomic_store(&session.needs_threads, false);
    const bool is_running = !atomic_load(&session.needs_threads);
    pthread_mutex_unlock(&session.lock);
    return is_running;
}

/* How long a text may be that goes the quick way. */
static uint32_t quick_bytes(const struct ftri_settings *settings)
{
    const uint32_t limit = settings->limits.value_length; /* 0: none */
    if (settings->has_no_text)
        return 0;
    return limit - 1U < FTRI_QUICK_LEN ? limit : FTRI_QUICK_LEN;
}

static uint32_t usual_lengths(uint32_t longest)
{
    return longest < 16 ? 0 : (longest < 32 ? longest : 32) - 15;
}

static void choose_form(enum ftri_convention convention)
{
    enum ftri_record_form form = FTRI_FORM_PLAIN;
    if (convention == FTRI_CONVENTION_KRISHIV)
        form = FTRI_FORM_KRISHIV;
    else if (convention == FTRI_CONVENTION_FOUNDATIONS)
        form = FTRI_FORM_FOUNDATIONS;
    atomic_store(&ftri_record_form, (uint8_t)form);
}

static void publish(const ftr_config *config)
{
    const struct ftri_settings *settings = ftri_origin_settings(session.origin);
    session.state = RUNNING;
    session.number++;
    ftri_threads_lock();
    ftri_thread_settings = (struct ftri_thread_settings){
        .limits = settings->limits,
        .quick_bytes = quick_bytes(settings),
        .n_usual_lengths = usual_lengths(quick_bytes(settings)),
        .journal_bytes = settings->journal_bytes,
        .open_spans = settings->open_spans,
        .records_call_sites = config->records_call_sites,
        .has_no_text = settings->has_no_text,
        .started_ns = ftri_time_wall_ns(),
    };
    ftri_threads_unlock();
    choose_form(settings->convention);
    ftri_convention_set(settings->convention);
    ftri_sampling_start(settings, session.sampler);
    session.unfinished = config->unfinished;
    session.unfinished_argument = config->unfinished_argument;
    ftri_threads_forget_counts();
    if (!session.is_disabled)
        atomic_store(&ftri_session, session.number);
    set_recording_word();
}

static void before_fork(void)
{
    pthread_mutex_lock(&session.lock);
    ftri_worker_lock_pass();
    ftri_metrics_lock();
    for (size_t i = 0; i < session.n_senders; i++)
        ftri_sender_lock(session.senders[i]);
    ftri_worker_lock();
    ftri_threads_lock();
    ftri_routings_lock();
    ftri_taps_lock();
}

static void after_fork_in_parent(void)
{
    ftri_taps_unlock();
    ftri_routings_unlock();
    ftri_threads_unlock();
    ftri_worker_unlock();
    for (size_t i = session.n_senders; i > 0; i--)
        ftri_sender_unlock(session.senders[i - 1]);
    ftri_metrics_unlock();
    ftri_worker_unlock_pass();
    pthread_mutex_unlock(&session.lock);
}

static void after_fork_in_child(void)
{
    pthread_mutex_init(&session.lock, NULL);
    if (session.state != IDLE)
        ftri_origin_after_fork(session.origin);
    ftri_metrics_after_fork();
    ftri_threads_after_fork();
    ftri_routings_after_fork();
    ftri_taps_after_fork();
    ftri_worker_after_fork();
    ftri_threads_forget_counts();
    for (size_t i = 0; i < session.n_senders; i++)
        ftri_sender_after_fork(session.senders[i]);
    if (session.state == IDLE)
        return;
    session.state = RUNNING;
    session.number++;
    atomic_store(&session.needs_threads, true);
    if (!session.is_disabled)
        atomic_store(&ftri_session, session.number);
    set_recording_word();
}

static void watch_forks(void)
{
    ftri_thread_before_setup = start_threads_after_fork;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* With the lock held. On failure the choice is the caller's. */
static int start_exporting(const struct ftri_choice *choice, struct ftri_origin *origin)
{
    const struct ftri_settings *settings = ftri_origin_settings(origin);
    session.origin = origin;
    session.is_disabled = settings->is_disabled;
    session.mode = settings->mode;
    ftri_tail_set_mode(session.mode);
    int rc = make_senders(choice, origin);
    if (rc == 0)
        rc = ftri_metrics_start(settings, origin);
    if (rc == 0)
        rc = start_threads();
    if (rc == 0)
        return 0;
    discard_senders();
    session.origin = NULL;
    return rc;
}

/* Those that nobody is asking any more. */
static void close_left_samplers(void)
{
    ftr_sampler *sampler = NULL;
    while (!ftri_threads_are_judging() && (sampler = ftri_sampler_take_left()) != NULL) {
        struct ftri_origin *origin = sampler->origin;
        ftr_sampler_free(sampler);
        ftri_origin_unref(origin);
    }
}

static int start(const ftr_config *config, const void *caller, struct ftri_error *error)
{
    struct ftri_origin *origin = NULL;
    struct ftri_choice choice;
    close_left_samplers();
    int rc = ftri_origin_new(config, &origin, error);
    if (rc < 0)
        return rc;
    rc = ftri_choice_make(&choice, config, ftri_origin_settings(origin), error);
    if (rc < 0) {
        ftri_origin_unref(origin);
        return rc;
    }
    ftri_clock_start();
    session.pending_ns = config->pending_interval_ms * FTRI_NS_PER_MS;
    rc = start_exporting(&choice, origin);
    if (rc < 0) {
        ftri_error_errno(error, rc, "starting the library's threads");
        ftri_choice_undo(&choice);
        ftri_origin_unref(origin);
        return rc;
    }
    session.sampler = choice.sampler;
    ftri_initiator_note(&session.initiator, config->place, caller, ftri_origin_service(origin));
    publish(config);
    return 0;
}

static ftr_status status_of(int rc)
{
    switch (rc) {
    case 0:
        return FTR_OK;
    case -ENOMEM:
        return FTR_ERR_MEMORY;
    case -EINVAL:
        return FTR_ERR_INVALID;
    case -ENOSYS:
        return FTR_ERR_UNAVAILABLE;
    case -EBUSY:
        return FTR_ERR_STATE;
    default:
        return FTR_ERR_IO;
    }
}

static ftr_status report(int rc, const struct ftri_error *why, ftr_error *error)
{
    const ftr_status status = status_of(rc);
    if (error) {
        error->status = status;
        memcpy(error->text, why->text, sizeof error->text);
    }
    return status;
}

__attribute__((noinline)) ftr_status ftr_init(const ftr_config *config, ftr_error *error)
{
    FTRI_NOT_CANCELLED;
    ftr_config complete = {.size = sizeof complete};
    struct ftri_error why = {""};
    if (config && config->size > sizeof complete)
        return report(ftri_error_set(&why, -EINVAL, "config: size is that of a later version"),
                      &why, error);
    if (config)
        memcpy(&complete, config, config->size);
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&session.lock);
    const int rc = session.state == IDLE
                       ? start(&complete, __builtin_return_address(0), &why)
                       : ftri_initiator_refuse(&session.initiator, session.state == STOPPING, &why);
    pthread_mutex_unlock(&session.lock);
    return report(rc, &why, error);
}

static uint64_t deadline_after(uint64_t timeout_ns)
{
    const uint64_t now_ns = ftri_clock_monotonic_ns();
    return timeout_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + timeout_ns;
}

/* Without the lock: the senders are referenced by the caller. */
static bool flush_until(struct ftri_sender *const *senders, size_t n_senders, uint64_t deadline_ns)
{
    bool is_done = ftri_worker_wait_pass(ftri_worker_request_pass(), deadline_ns);
    for (size_t i = 0; i < n_senders; i++)
        is_done = ftri_sender_wait(senders[i], deadline_ns) && is_done;
    return is_done;
}

ftr_status ftr_flush(uint64_t timeout_ns)
{
    FTRI_NOT_CANCELLED;
    const uint64_t deadline_ns = deadline_after(timeout_ns);
    struct ftri_sender *senders[FTRI_SENDERS_MAX];
    pthread_mutex_lock(&session.lock);
    const bool is_running = session.state == RUNNING;
    const bool is_empty = session.is_disabled || atomic_load(&session.needs_threads);
    const size_t n_senders = is_running && !is_empty ? session.n_senders : 0;
    for (size_t i = 0; i < n_senders; i++)
        senders[i] = ftri_sender_ref(session.senders[i]);
    pthread_mutex_unlock(&session.lock);
    if (!is_running)
        return FTR_ERR_STATE;
    if (is_empty)
        return FTR_OK;
    const bool is_done = flush_until(senders, n_senders, deadline_ns);
    for (size_t i = 0; i < n_senders; i++)
        ftri_sender_unref(senders[i]);
    return is_done ? FTR_OK : FTR_ERR_TIMEOUT;
}

static void count_live(ftr_statistics *ret_statistics)
{
    *ret_statistics = (ftr_statistics){.size = sizeof *ret_statistics};
    if (!session.is_disabled) {
        ftri_threads_count(FTRI_SYSTEM, ret_statistics);
        ret_statistics->recorded = ftri_worker_count();
        ret_statistics->pending = ftri_worker_count_pending();
        ftri_tail_count(ret_statistics);
    }
    ret_statistics->n_exporters = session.n_span_senders;
    for (size_t i = 0; i < session.n_span_senders; i++)
        ftri_sender_count(session.senders[i], &ret_statistics->exporters[i]);
    for (size_t i = 0; i < session.n_senders; i++)
        ftri_sender_count_metrics(session.senders[i], ret_statistics);
    ftri_metrics_count(ret_statistics);
}

static void count_users(ftr_statistics *ret_statistics)
{
    *ret_statistics = (ftr_statistics){.size = sizeof *ret_statistics};
    if (session.n_senders == session.n_system_senders)
        return;
    if (!session.is_disabled) {
        ftri_threads_count(FTRI_USER, ret_statistics);
        ret_statistics->recorded = ftri_worker_count_users();
        ret_statistics->lost_no_routing = ftri_worker_count_no_routing();
        ret_statistics->routings = ftri_routings_count();
    }
    for (size_t i = session.n_system_senders; i < session.n_senders; i++)
        ftri_sender_count(session.senders[i],
                          &ret_statistics->exporters[ret_statistics->n_exporters++]);
}

/* With the calls on its spans since. */
static void count_last(ftr_statistics *ret_statistics)
{
    *ret_statistics = session.last;
    ret_statistics->stale += atomic_load(&ftri_stale_elsewhere);
}

/* As much of it as the caller knows. */
static void give(ftr_statistics *counts, ftr_statistics *ret_statistics)
{
    counts->size = ftri_size_min(ret_statistics->size, sizeof *ret_statistics);
    memcpy(ret_statistics, counts, counts->size);
}

void ftr_get_statistics(ftr_statistics *ret_statistics)
{
    ftr_statistics counts;
    pthread_mutex_lock(&session.lock);
    if (session.state == IDLE)
        count_last(&counts);
    else
        count_live(&counts);
    pthread_mutex_unlock(&session.lock);
    give(&counts, ret_statistics);
}

void ftr_get_user_statistics(ftr_statistics *ret_statistics)
{
    ftr_statistics counts;
    pthread_mutex_lock(&session.lock);
    if (session.state == IDLE)
        counts = session.last_user;
    else
        count_users(&counts);
    pthread_mutex_unlock(&session.lock);
    give(&counts, ret_statistics);
}

/* Exporters that do not answer in time are left behind with their thread and memory. */
static bool stop_threads(uint64_t deadline_ns)
{
    if (!session.is_disabled)
        ftri_worker_stop(deadline_ns);
    for (size_t i = 0; i < session.n_senders; i++)
        ftri_sender_stop(session.senders[i], deadline_ns);
    bool is_done = true;
    for (size_t i = 0; i < session.n_senders; i++)
        is_done = ftri_sender_wait_stopped(session.senders[i], deadline_ns) && is_done;
    return is_done;
}

/* A thread that was asking at the deadline may be through meanwhile. */
static bool is_sampler_at_rest(bool is_judged)
{
    static const uint64_t grace_ns = 50 * FTRI_NS_PER_MS;
    return is_judged || (session.sampler && ftri_sampling_stop(deadline_after(grace_ns)));
}

static void close_sampler(bool is_at_rest)
{
    if (is_at_rest)
        ftr_sampler_free(session.sampler);
    else if (session.sampler)
        ftri_sampler_leave(session.sampler, ftri_origin_ref(session.origin));
    session.sampler = NULL;
}

static void finish(bool is_at_rest)
{
    count_live(&session.last);
    count_users(&session.last_user);
    ftri_threads_forget_counts();
    atomic_store(&ftri_session, 0);
    ftri_threads_close();
    for (size_t i = 0; i < session.n_senders; i++)
        ftri_sender_unref(session.senders[i]);
    session.n_senders = session.n_span_senders = session.n_system_senders = 0;
    ftri_routings_reset();
    close_sampler(is_at_rest);
    ftri_origin_unref(session.origin);
    session.origin = NULL;
    session.state = IDLE;
    ftri_convention_forget();
    ftri_threads_trim();
}

/* Between running and stopping; false: it is that already, or idle. */
static bool set_state(enum state state)
{
    pthread_mutex_lock(&session.lock);
    const bool is_change = session.state != IDLE && session.state != state;
    if (is_change)
        session.state = state;
    set_recording_word();
    pthread_mutex_unlock(&session.lock);
    return is_change;
}

ftr_status ftr_shutdown(uint64_t timeout_ns)
{
    FTRI_NOT_CANCELLED;
    const uint64_t deadline_ns = deadline_after(timeout_ns);
    if (!set_state(STOPPING))
        return FTR_ERR_STATE;
    if (!start_threads_after_fork()) {
        set_state(RUNNING);
        return FTR_ERR_MEMORY;
    }
    const bool is_judged = ftri_sampling_stop(deadline_ns);
    const bool is_done = stop_threads(deadline_ns) && is_judged;
    if (session.unfinished)
        (void)ftr_live_spans(session.unfinished, session.unfinished_argument);
    const bool is_at_rest = is_sampler_at_rest(is_judged);
    pthread_mutex_lock(&session.lock);
    finish(is_at_rest);
    pthread_mutex_unlock(&session.lock);
    return is_done ? FTR_OK : FTR_ERR_TIMEOUT;
}

void ftr_set_mode(ftr_mode mode)
{
    if (mode != FTR_MODE_OFF && mode != FTR_MODE_FULL && mode != FTR_MODE_TAIL)
        return;
    pthread_mutex_lock(&session.lock);
    session.mode = mode;
    set_recording_word();
    pthread_mutex_unlock(&session.lock);
}

void ftri_session_hold(bool is_more)
{
    pthread_mutex_lock(&session.lock);
    session.n_holders += is_more ? 1 : (uint32_t)-1;
    set_recording_word();
    pthread_mutex_unlock(&session.lock);
}

ftr_mode ftr_get_mode(void)
{
    return __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED) ? session.mode : FTR_MODE_OFF;
}
