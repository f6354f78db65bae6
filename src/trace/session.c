/* SPDX-License-Identifier: Apache-2.0
 *
 * From ftr_init to ftr_shutdown. One session at a time; its state is guarded by one lock that is
 * never held while somebody waits for an exporter. Recording threads see two words: ftri_session
 * (which session, 0: none) and ftr_recording_word (the same, 0 also in FTR_MODE_OFF).
 *
 * fork: the handlers below hold every lock of the library across fork(), so the child finds whole
 * data. It goes on with a session of a new number (all old handles are stale there) and starts its
 * own threads when it first records. */
#include <flowtrace/tracing.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/time.h"
#include "context/block.h"
#include "otlp/encode.h"
#include "trace/clock.h"
#include "trace/diagnostics.h"
#include "trace/exporter.h"
#include "trace/initiator.h"
#include "trace/metrics.h"
#include "trace/resource.h"
#include "trace/sampling.h"
#include "trace/sender.h"
#include "trace/settings.h"
#include "trace/tail.h"
#include "trace/tap.h"
#include "trace/thread.h"
#include "trace/worker.h"

#include <errno.h>
#include <flowtrace/live.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum state { IDLE, RUNNING, STOPPING };

/* What senders that were left behind may still read. */
struct origin {
    struct ftri_origin shared;
    struct ftri_settings settings;
    struct ftri_bytes otlp;
};

static struct {
    pthread_mutex_t lock;
    enum state state;
    uint32_t number; /* of the last session */
    _Atomic ftr_mode mode;
    struct ftri_initiator initiator;
    bool is_disabled;
    _Atomic bool needs_threads; /* in a forked child that has not recorded yet */
    struct origin *origin;
    struct ftri_sender *senders[FTR_EXPORTERS_MAX];
    size_t n_senders;
    size_t n_span_senders; /* the first ones; the others take metrics only */
    uint64_t pending_ns;
    bool (*unfinished)(void *argument, const ftr_span_data *span);
    void *unfinished_argument;
    ftr_statistics last; /* of the session that was shut down */
} session = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_recording_word(void)
{
    const ftr_mode mode = session.mode;
    const bool is_on = session.state == RUNNING && mode != FTR_MODE_OFF && !session.is_disabled;
    const uint32_t number = is_on ? session.number : 0;
    ftri_tail_set_mode(mode);
    atomic_store(&ftri_context_leaving, is_on && mode == FTR_MODE_TAIL ? ftri_tail_mark : NULL);
    ftri_clock_set_session(number);
    __atomic_store_n(&ftr_recording_word, number, __ATOMIC_SEQ_CST); /* see sampling.c */
}

static void free_origin(struct ftri_origin *shared)
{
    struct origin *self = FTRI_CONTAINER(shared, struct origin, shared);
    ftri_bytes_deinit(&self->otlp);
    ftri_settings_deinit(&self->settings);
    ftri_free(self);
}

static int encode_origin(struct origin *self)
{
    ftri_bytes_reset(&self->otlp);
    const int rc =
        ftri_otlp_encode_resource(self->settings.resource, self->settings.n_resource, &self->otlp);
    self->shared.resource_otlp = ftri_bytes_view(&self->otlp);
    return rc;
}

static ftr_str service_name(const struct origin *self)
{
    for (size_t i = 0; i < self->settings.n_resource; i++) {
        const ftr_attribute *one = &self->settings.resource[i];
        if (ftri_text_is(one->key, "service.name") && one->value.type == FTR_VALUE_STR)
            return one->value.as.str;
    }
    return FTR_STR("");
}

static int make_origin(const ftr_config *config, struct origin **ret_origin,
                       struct ftri_error *error)
{
    struct origin *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "out of memory");
    int rc = ftri_settings_init(&self->settings, config, error);
    if (rc < 0) {
        ftri_free(self);
        return rc;
    }
    ftri_bytes_init(&self->otlp, (size_t)64 << 20);
    atomic_init(&self->shared.n_refs, 1);
    self->shared.free = free_origin;
    self->shared.resource = self->settings.resource;
    self->shared.n_resource = self->settings.n_resource;
    rc = encode_origin(self);
    if (rc < 0) {
        free_origin(&self->shared);
        return ftri_error_set(error, rc, "resource: cannot be encoded");
    }
    *ret_origin = self;
    return 0;
}

/* The exporters of a session to be: the caller's or, by the environment, our own. */
struct choice {
    ftr_exporter *exporters[FTR_EXPORTERS_MAX];
    bool takes_metrics[FTR_EXPORTERS_MAX];
    size_t n;
    size_t n_of_spans; /* the first ones */
    bool is_ours;
};

static void free_choice(struct choice *self)
{
    for (size_t i = 0; self->is_ours && i < self->n; i++)
        ftr_exporter_free(self->exporters[i]);
}

static int add_own(struct choice *self, ftr_exporter *exporter, bool takes_metrics,
                   struct ftri_error *error)
{
    if (!exporter)
        return ftri_error_set(error, -ENOMEM, "out of memory");
    self->takes_metrics[self->n] = takes_metrics;
    self->exporters[self->n++] = exporter;
    return 0;
}

/* A function of flowtrace-export, which the program passes in `field`. */
struct maker {
    ftr_exporter *(*make)(ftr_error *error);
    const char *field;
    const char *function;
};

static int add_otlp(struct choice *self, const struct maker *maker, bool takes_metrics,
                    struct ftri_error *error)
{
    if (!maker->make)
        return ftri_error_set(error, -ENOSYS,
                              "the environment asks for OTLP export: set %s to %s (library "
                              "flowtrace-export)",
                              maker->field, maker->function);
    ftr_error why = {FTR_OK, ""};
    ftr_exporter *exporter = maker->make(&why);
    if (!exporter)
        return ftri_error_set(error, why.status == FTR_ERR_MEMORY ? -ENOMEM : -EINVAL, "%s",
                              why.text);
    if (why.text[0])
        ftri_diagnose("%s", why.text);
    return add_own(self, exporter, takes_metrics, error);
}

/* Those of spans first; an exporter that is wanted for both signals is one. */
static int choose_own(struct choice *self, const ftr_config *config,
                      const struct ftri_settings *settings, struct ftri_error *error)
{
    const struct ftri_metric_settings *metrics = &settings->metrics;
    const struct maker otlp = {config->otlp_exporter, "otlp_exporter",
                               "ftr_otlp_exporter_from_environment"};
    const struct maker otlp_stdout = {config->otlp_stdout_exporter, "otlp_stdout_exporter",
                                      "ftr_otlp_stdout_exporter_new"};
    int rc = 0;
    if (settings->wants_console)
        rc = add_own(self, ftr_stdio_exporter_new(), metrics->wants_console, error);
    if (rc == 0 && settings->wants_otlp)
        rc = add_otlp(self, &otlp, metrics->wants_otlp, error);
    if (rc == 0 && settings->wants_otlp_stdout)
        rc = add_otlp(self, &otlp_stdout, false, error);
    self->n_of_spans = self->n;
    if (rc == 0 && metrics->wants_console && !settings->wants_console)
        rc = add_own(self, ftr_stdio_exporter_new(), true, error);
    const bool can_otlp = config->otlp_exporter || !metrics->is_implied;
    if (rc == 0 && metrics->wants_otlp && !settings->wants_otlp && can_otlp)
        rc = add_otlp(self, &otlp, true, error);
    return rc;
}

static int choose_exporters(struct choice *self, const ftr_config *config,
                            const struct ftri_settings *settings, struct ftri_error *error)
{
    *self = (struct choice){.is_ours = config->n_exporters == 0};
    if (config->n_exporters > FTR_EXPORTERS_MAX)
        return ftri_error_set(error, -EINVAL, "n_exporters: more than %d", FTR_EXPORTERS_MAX);
    for (; self->n < config->n_exporters; self->n++) {
        if (!config->exporters[self->n])
            return ftri_error_set(error, -EINVAL, "exporters[%zu] is NULL", self->n);
        self->exporters[self->n] = config->exporters[self->n];
        self->takes_metrics[self->n] = settings->metrics.is_exported && !settings->is_disabled;
    }
    self->n_of_spans = self->n;
    if (settings->is_disabled || config->n_exporters > 0)
        return 0;
    const int rc = choose_own(self, config, settings, error);
    if (rc < 0)
        free_choice(self);
    return rc;
}

static void discard_senders(void)
{
    for (size_t i = 0; i < session.n_senders; i++)
        ftri_sender_discard(session.senders[i]);
    session.n_senders = session.n_span_senders = 0;
}

static int start_threads(void)
{
    for (size_t i = 0; i < session.n_senders; i++) {
        const int rc = ftri_sender_start(session.senders[i]);
        if (rc < 0)
            return rc;
    }
    return session.is_disabled
               ? 0
               : ftri_worker_start(session.senders, session.n_span_senders, session.pending_ns,
                                   &session.origin->settings.tail);
}

static int make_senders(const struct choice *choice, struct origin *origin)
{
    session.n_senders = 0;
    for (size_t i = 0; i < choice->n; i++) {
        session.senders[i] =
            ftri_sender_new(choice->exporters[i], &origin->settings.sender, &origin->shared);
        if (!session.senders[i])
            return -ENOMEM;
        session.n_senders++;
        if (choice->takes_metrics[i])
            ftri_sender_take_metrics(session.senders[i], origin->settings.metrics.is_implied);
    }
    session.n_span_senders = choice->n_of_spans;
    return 0;
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

static void publish(const ftr_config *config)
{
    const struct ftri_settings *settings = &session.origin->settings;
    session.state = RUNNING;
    session.number++;
    ftri_threads_lock();
    ftri_thread_settings = (struct ftri_thread_settings){
        .limits = settings->limits,
        .quick_bytes = quick_bytes(settings),
        .journal_bytes = settings->journal_bytes,
        .open_spans = settings->open_spans,
        .records_call_sites = config->records_call_sites,
        .has_no_text = settings->has_no_text,
        .started_ns = ftri_time_wall_ns(),
    };
    ftri_threads_unlock();
    atomic_store(&ftri_record_says_context, settings->is_krishiv);
    ftri_sampling_start(settings);
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
    ftri_taps_lock();
}

static void after_fork_in_parent(void)
{
    ftri_taps_unlock();
    ftri_threads_unlock();
    ftri_worker_unlock();
    for (size_t i = session.n_senders; i > 0; i--)
        ftri_sender_unlock(session.senders[i - 1]);
    ftri_metrics_unlock();
    ftri_worker_unlock_pass();
    pthread_mutex_unlock(&session.lock);
}

static void say_new_pid(struct origin *origin)
{
    struct ftri_settings *settings = &origin->settings;
    for (size_t i = 0; i < settings->n_resource; i++) {
        if (ftri_text_is(settings->resource[i].key, FTRI_RESOURCE_PID))
            settings->resource[i].value = ftr_value_i64(getpid());
    }
    if (encode_origin(origin) < 0)
        origin->shared.resource_otlp = (struct ftri_view){NULL, 0};
}

static void after_fork_in_child(void)
{
    pthread_mutex_init(&session.lock, NULL);
    if (session.state != IDLE)
        say_new_pid(session.origin);
    ftri_metrics_after_fork();
    ftri_threads_after_fork();
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

/* With the lock held. */
static int start(const ftr_config *config, const void *caller, struct ftri_error *error)
{
    struct origin *origin = NULL;
    int rc = make_origin(config, &origin, error);
    if (rc < 0)
        return rc;
    struct choice choice;
    rc = choose_exporters(&choice, config, &origin->settings, error);
    if (rc < 0) {
        ftri_origin_unref(&origin->shared);
        return rc;
    }
    ftri_clock_start();
    session.is_disabled = origin->settings.is_disabled;
    session.pending_ns = config->pending_interval_ms * FTRI_NS_PER_MS;
    rc = make_senders(&choice, origin);
    session.origin = origin;
    session.mode = origin->settings.mode;
    ftri_tail_set_mode(session.mode);
    if (rc == 0)
        rc = ftri_metrics_start(&origin->settings, &origin->shared);
    if (rc == 0)
        rc = start_threads();
    if (rc < 0) {
        ftri_error_errno(error, rc, "starting the library's threads");
        discard_senders();
        free_choice(&choice);
        ftri_origin_unref(&origin->shared);
        session.origin = NULL;
        return rc;
    }
    ftri_initiator_note(&session.initiator, config->place, caller, service_name(origin));
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
    struct ftri_sender *senders[FTR_EXPORTERS_MAX];
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
        ftri_threads_count(ret_statistics);
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

/* With the calls on its spans since. */
static void count_last(ftr_statistics *ret_statistics)
{
    *ret_statistics = session.last;
    ret_statistics->stale += atomic_load(&ftri_stale_elsewhere);
}

void ftr_get_statistics(ftr_statistics *ret_statistics)
{
    const size_t size = ftri_size_min(ret_statistics->size, sizeof *ret_statistics);
    ftr_statistics counts;
    pthread_mutex_lock(&session.lock);
    if (session.state == IDLE)
        count_last(&counts);
    else
        count_live(&counts);
    pthread_mutex_unlock(&session.lock);
    counts.size = size;
    memcpy(ret_statistics, &counts, size);
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

static void finish(void)
{
    count_live(&session.last);
    ftri_threads_forget_counts();
    atomic_store(&ftri_session, 0);
    ftri_threads_close();
    for (size_t i = 0; i < session.n_senders; i++)
        ftri_sender_unref(session.senders[i]);
    session.n_senders = session.n_span_senders = 0;
    ftri_origin_unref(&session.origin->shared);
    session.origin = NULL;
    session.state = IDLE;
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
    pthread_mutex_lock(&session.lock);
    finish();
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

ftr_mode ftr_get_mode(void)
{
    return __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED) ? session.mode : FTR_MODE_OFF;
}
