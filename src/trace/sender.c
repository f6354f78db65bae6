/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting: spans are queued from their entry into the queue until their batch has an outcome;
 * every other term is counted where its event happens. What is counted for every span has one
 * writer: a read-modify-write would wait until the span's bytes have left the store buffer. */
#include "trace/sender.h"

#include "base/count.h"
#include "base/mem.h"
#include "base/thread.h"
#include "trace/batch.h"
#include "trace/clock.h"
#include "trace/exporter.h"
#include "trace/metric_export.h"
#include "trace/origin.h"
#include "trace/os_thread.h"
#include "trace/queue.h"
#include "trace/routing.h"
#include "trace/thread.h"
#include "trace/untold.h"

#include <pthread.h>
#include <stdatomic.h>

struct ftri_sender {
    struct ftri_sender_settings settings;
    ftr_exporter *exporter;
    struct ftri_origin *origin;
    _Atomic uint32_t n_refs;
    _Atomic bool is_exporting;
    bool is_broken;     /* forked while exporting or after that; set before threads exist */
    bool takes_metrics; /* the same */

    pthread_mutex_t lock; /* for the fields up to stop_deadline_ns */
    pthread_cond_t changed;
    uint64_t n_sealed;
    uint64_t n_settled;
    uint64_t n_metrics_wanted; /* exports of metrics that somebody waits for */
    uint64_t n_metrics_done;
    uint64_t next_metrics_ns;
    bool has_last_metrics; /* those of the stop */
    bool is_started;
    bool is_stopping;
    bool is_discarded; /* stop without closing the exporter */
    bool is_closed;    /* or is being closed */
    bool is_stopped;
    uint64_t stop_deadline_ns;

    struct ftri_queue queue; /* between the worker and the thread */
    _Atomic uint64_t n_delivered;
    _Atomic uint64_t n_rejected;
    _Atomic uint64_t n_lost_export;
    _Atomic uint64_t n_lost_queue_full; /* the worker counts */

    struct ftri_untold untold;         /* the thread's */
    struct ftri_bytes scratch;         /* the thread's: spans in the exporters' form */
    struct ftri_batch part;            /* the thread's: of one routing */
    struct ftri_metric_export metrics; /* the thread's */
};

void ftri_sender_settings_fit(struct ftri_sender_settings *self)
{
    if (self->batch_bytes > self->queue_bytes / 2)
        self->batch_bytes = self->queue_bytes / 2;
    if (self->queue_spans && (self->batch_spans == 0 || self->batch_spans > self->queue_spans))
        self->batch_spans = self->queue_spans;
}

static void init_shared(struct ftri_sender *self)
{
    pthread_mutex_init(&self->lock, NULL);
    ftri_os_cond_init(&self->changed);
}

struct ftri_sender *ftri_sender_new(ftr_exporter *exporter,
                                    const struct ftri_sender_settings *settings,
                                    struct ftri_origin *origin)
{
    struct ftri_sender *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->settings = *settings;
    self->exporter = exporter;
    self->origin = ftri_origin_ref(origin);
    atomic_init(&self->n_refs, 1);
    init_shared(self);
    ftri_queue_init(&self->queue, settings->queue_bytes, settings->queue_spans);
    ftri_metric_export_init(&self->metrics);
    ftri_bytes_init(&self->scratch, SIZE_MAX / 2);
    ftri_batch_init(&self->part);
    return self;
}

void ftri_sender_take_metrics(struct ftri_sender *self, bool is_implied)
{
    self->takes_metrics = ftri_metric_export_is_taken(self->exporter);
    self->metrics.is_implied = is_implied;
    self->next_metrics_ns = ftri_clock_monotonic_ns() + self->settings.metrics_interval_ns;
}

struct ftri_sender *ftri_sender_ref(struct ftri_sender *self)
{
    atomic_fetch_add(&self->n_refs, 1);
    return self;
}

void ftri_sender_unref(struct ftri_sender *self)
{
    if (!self || atomic_fetch_sub(&self->n_refs, 1) != 1)
        return;
    ftri_queue_deinit(&self->queue);
    ftri_metric_export_deinit(&self->metrics);
    ftri_bytes_deinit(&self->scratch);
    ftri_batch_deinit(&self->part);
    ftri_origin_unref(self->origin);
    ftri_free(self->exporter);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    ftri_free(self);
}

void ftri_sender_discard(struct ftri_sender *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->is_discarded = self->is_stopping = true;
    pthread_cond_broadcast(&self->changed);
    while (self->is_started && !self->is_stopped)
        pthread_cond_wait(&self->changed, &self->lock);
    self->exporter = NULL;
    pthread_mutex_unlock(&self->lock);
    ftri_sender_unref(self);
}

static bool is_otlp(const struct ftri_sender *self)
{
    return self->exporter->exporter_class->form == FTR_EXPORT_OTLP;
}

static struct ftri_batch *take_spare(struct ftri_sender *self)
{
    pthread_mutex_lock(&self->lock);
    struct ftri_batch *batch = ftri_queue_take_spare(&self->queue);
    pthread_mutex_unlock(&self->lock);
    return batch;
}

/* NULL: memory is short. */
static struct ftri_batch *new_batch(struct ftri_sender *self)
{
    struct ftri_batch *batch = take_spare(self);
    if (!batch)
        batch = ftri_batch_new();
    if (!batch ||
        ftri_batch_begin(batch, self->origin, is_otlp(self), self->settings.is_routed) == 0)
        return batch;
    ftri_batch_free(batch);
    return NULL;
}

void ftri_sender_lose(struct ftri_sender *self, uint64_t n)
{
    ftri_count(&self->n_lost_queue_full, n);
}

bool ftri_sender_has_room(struct ftri_sender *self)
{
    return self->is_broken || ftri_queue_has_room(&self->queue);
}

bool ftri_sender_has_slack(const struct ftri_sender *self)
{
    return self->is_broken || ftri_queue_has_slack(&self->queue);
}

static bool is_large(const struct ftri_sender *self, const struct ftri_batch *batch)
{
    return ftri_batch_len(batch) >= self->settings.batch_bytes ||
           (self->settings.batch_spans != 0 && batch->n_spans >= self->settings.batch_spans);
}

/* Nobody waits for a routing any more whose span did not get in. */
static void let_go(uint32_t routing, size_t n)
{
    if (routing != 0)
        ftri_routing_let_go(routing, n);
}

void ftri_sender_accept(struct ftri_sender *self, const struct ftri_record *record,
                        uint32_t routing)
{
    if (self->is_broken) {
        atomic_fetch_add_explicit(&self->n_lost_export, 1, memory_order_relaxed);
        let_go(routing, 1);
        return;
    }
    struct ftri_queue *queue = &self->queue;
    if (!queue->open)
        queue->open = new_batch(self);
    if (!queue->open || !ftri_queue_append(queue, record, routing)) {
        ftri_sender_lose(self, 1);
        let_go(routing, 1);
    } else if (is_large(self, queue->open))
        ftri_sender_seal(self);
}

void ftri_sender_seal(struct ftri_sender *self)
{
    struct ftri_batch *batch = ftri_queue_seal(&self->queue);
    if (!batch)
        return;
    pthread_mutex_lock(&self->lock);
    ftri_queue_push(&self->queue, batch);
    self->n_sealed++;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

uint64_t ftri_sender_tick(struct ftri_sender *self, uint64_t now_ns)
{
    const struct ftri_batch *open = self->queue.open;
    if (!open || open->n_spans == 0)
        return UINT64_MAX;
    const uint64_t due_ns = open->since_ns + self->settings.delay_ns;
    if (now_ns < due_ns)
        return due_ns;
    ftri_sender_seal(self);
    return UINT64_MAX;
}

/* What an exporter claims may not exceed what it was given; what it forgets is lost. */
static void settle(struct ftri_sender *self, size_t n_spans, ftr_export_result *result)
{
    result->n_delivered = ftri_size_min(result->n_delivered, n_spans);
    result->n_rejected = ftri_size_min(result->n_rejected, n_spans - result->n_delivered);
    result->n_lost = n_spans - result->n_delivered - result->n_rejected;
    atomic_fetch_add(&self->n_delivered, result->n_delivered);
    atomic_fetch_add(&self->n_rejected, result->n_rejected);
    atomic_fetch_add(&self->n_lost_export, result->n_lost);
    ftri_queue_count_left(&self->queue, n_spans);
}

static uint64_t n_lost_queue_full(const struct ftri_sender *self)
{
    return atomic_load(&self->n_lost_queue_full);
}

static void say(struct ftri_sender *self, uint64_t now_ns)
{
    ftri_untold_say(&self->untold, &self->settings.teller, self->exporter->exporter_class->name,
                    n_lost_queue_full(self), now_ns);
}

static void say_if_due(struct ftri_sender *self)
{
    const uint64_t now_ns = ftri_clock_monotonic_ns();
    if (now_ns >= self->untold.next_ns)
        say(self, now_ns);
}

/* rc: below 0, the batch could not be made. */
static void export_batch(struct ftri_sender *self, struct ftri_batch *batch, uint32_t routing,
                         uint64_t deadline_ns, int rc)
{
    ftr_export_batch exported;
    ftr_export_result result = {0};
    if (rc == 0 && ftri_batch_present(batch, self->origin, &self->scratch, &exported) == 0 &&
        ftri_clock_monotonic_ns() < deadline_ns) {
        if (routing != 0) {
            const struct ftri_routing_texts texts = ftri_routing_texts_of(routing);
            exported.routing_key = texts.key;
            exported.routing = texts.value;
        }
        atomic_store(&self->is_exporting, true);
        self->exporter->exporter_class->export_batch(self->exporter->instance, &exported,
                                                     deadline_ns, &result);
        atomic_store(&self->is_exporting, false);
    }
    result.text[sizeof result.text - 1] = '\0';
    settle(self, batch->n_spans, &result);
    ftri_untold_note(&self->untold, &result);
    say_if_due(self);
}

/* The callback may take its time. */
static void say_unlocked(struct ftri_sender *self)
{
    pthread_mutex_unlock(&self->lock);
    say_if_due(self);
    pthread_mutex_lock(&self->lock);
}

/* Once more, behind the last batch, when it is stopped. With the lock held. */
static bool has_metrics_due(const struct ftri_sender *self)
{
    if (!self->takes_metrics || self->is_discarded)
        return false;
    return self->n_metrics_wanted != self->n_metrics_done ||
           (self->is_stopping && !self->has_last_metrics) ||
           ftri_clock_monotonic_ns() >= self->next_metrics_ns;
}

/* Until something has changed, or metrics or a line about outcomes are due. */
static void wait_for_work(struct ftri_sender *self)
{
    const bool is_talkative = ftri_untold_has_any(&self->untold, n_lost_queue_full(self));
    uint64_t until_ns = self->takes_metrics ? self->next_metrics_ns : UINT64_MAX;
    if (is_talkative && self->untold.next_ns < until_ns)
        until_ns = self->untold.next_ns;
    if (until_ns == UINT64_MAX)
        pthread_cond_wait(&self->changed, &self->lock);
    else if (!ftri_os_cond_wait(&self->changed, &self->lock, until_ns) && is_talkative)
        say_unlocked(self);
}

/* NULL: metrics are due, or it is stopped and no batch is left. Called with the lock held. */
static struct ftri_batch *next_batch(struct ftri_sender *self)
{
    while (!self->queue.sealed && !self->is_stopping && !has_metrics_due(self))
        wait_for_work(self);
    return has_metrics_due(self) && !self->is_stopping ? NULL : ftri_queue_pop(&self->queue);
}

static uint64_t export_deadline(const struct ftri_sender *self, uint64_t timeout_ns)
{
    const uint64_t deadline_ns = ftri_clock_monotonic_ns() + timeout_ns;
    return self->is_stopping && self->stop_deadline_ns < deadline_ns ? self->stop_deadline_ns
                                                                     : deadline_ns;
}

static void close_exporter(const ftr_exporter *exporter)
{
    if (exporter->exporter_class->close)
        exporter->exporter_class->close(exporter->instance);
}

static uint64_t next_deadline(struct ftri_sender *self)
{
    pthread_mutex_lock(&self->lock);
    const uint64_t deadline_ns = export_deadline(self, self->settings.timeout_ns);
    pthread_mutex_unlock(&self->lock);
    return deadline_ns;
}

/* One routing after the other; what becomes of one is nothing to the next. */
static void export_parts(struct ftri_sender *self, struct ftri_batch *batch)
{
    for (;;) {
        uint32_t routing;
        const int rc = ftri_batch_split(batch, self->origin, &self->part, &routing);
        const size_t n_spans = self->part.n_spans;
        if (n_spans == 0)
            return;
        export_batch(self, &self->part, routing, next_deadline(self), rc);
        let_go(routing, n_spans);
    }
}

/* Called with the lock held, which is off while the exporter works. */
static void settle_batch(struct ftri_sender *self, struct ftri_batch *batch)
{
    const uint64_t deadline_ns = export_deadline(self, self->settings.timeout_ns);
    pthread_mutex_unlock(&self->lock);
    if (batch->is_routed)
        export_parts(self, batch);
    else
        export_batch(self, batch, 0, deadline_ns, 0);
    ftri_queue_free_room(&self->queue, batch);
    pthread_mutex_lock(&self->lock);
    ftri_queue_keep_spare(&self->queue, batch);
    self->n_settled++;
    pthread_cond_broadcast(&self->changed);
}

/* The same for the metrics of now. */
static void send_metrics(struct ftri_sender *self)
{
    const uint64_t deadline_ns = export_deadline(self, self->settings.metrics_timeout_ns);
    const uint64_t n_wanted = self->n_metrics_wanted;
    self->has_last_metrics = self->is_stopping;
    pthread_mutex_unlock(&self->lock);
    ftri_metric_export_run(&self->metrics, self->exporter, &self->settings.teller, deadline_ns,
                           &self->is_exporting);
    pthread_mutex_lock(&self->lock);
    self->n_metrics_done = n_wanted;
    self->next_metrics_ns = ftri_clock_monotonic_ns() + self->settings.metrics_interval_ns;
    pthread_cond_broadcast(&self->changed);
}

static void *run(void *argument)
{
    struct ftri_sender *self = argument;
    ftri_thread_is_own = true;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        struct ftri_batch *batch = next_batch(self);
        if (batch)
            settle_batch(self, batch);
        else if (has_metrics_due(self))
            send_metrics(self);
        else
            break;
    }
    self->is_closed = !self->is_discarded && !self->is_broken;
    if (self->is_closed) {
        pthread_mutex_unlock(&self->lock);
        say(self, 0);
        close_exporter(self->exporter);
        pthread_mutex_lock(&self->lock);
    }
    self->is_stopped = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    ftri_sender_unref(self);
    return NULL;
}

int ftri_sender_start(struct ftri_sender *self)
{
    if (self->is_started)
        return 0;
    ftri_sender_ref(self);
    const int rc = ftri_thread_start(run, self, NULL);
    if (rc < 0)
        ftri_sender_unref(self);
    self->is_started = rc == 0;
    return rc;
}

/* With the lock held. A stopped sender exports nothing more. */
static bool is_settled(const struct ftri_sender *self, uint64_t n_batches, uint64_t n_metrics)
{
    return self->n_settled >= n_batches && (self->n_metrics_done >= n_metrics || self->is_stopped);
}

bool ftri_sender_wait(struct ftri_sender *self, uint64_t deadline_ns)
{
    pthread_mutex_lock(&self->lock);
    const uint64_t wanted = self->n_sealed;
    const uint64_t metrics_wanted = self->takes_metrics ? ++self->n_metrics_wanted : 0;
    pthread_cond_broadcast(&self->changed);
    bool is_in_time = true;
    while (!is_settled(self, wanted, metrics_wanted) && is_in_time)
        is_in_time = ftri_os_cond_wait(&self->changed, &self->lock, deadline_ns);
    const bool is_done = is_settled(self, wanted, metrics_wanted);
    pthread_mutex_unlock(&self->lock);
    return is_done;
}

void ftri_sender_stop(struct ftri_sender *self, uint64_t deadline_ns)
{
    pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    self->stop_deadline_ns = deadline_ns;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

bool ftri_sender_wait_stopped(struct ftri_sender *self, uint64_t deadline_ns)
{
    pthread_mutex_lock(&self->lock);
    bool is_in_time = true;
    while (!self->is_stopped && is_in_time)
        is_in_time = ftri_os_cond_wait(&self->changed, &self->lock, deadline_ns);
    const bool is_stopped = self->is_stopped;
    pthread_mutex_unlock(&self->lock);
    return is_stopped;
}

uint64_t ftri_sender_n_queued(const struct ftri_sender *self)
{
    return ftri_queue_n_spans(&self->queue);
}

void ftri_sender_count(struct ftri_sender *self, ftr_exporter_statistics *ret_counts)
{
    *ret_counts = (ftr_exporter_statistics){
        .name = self->exporter->exporter_class->name,
        .delivered = atomic_load(&self->n_delivered),
        .rejected = atomic_load(&self->n_rejected),
        .lost_queue_full = atomic_load(&self->n_lost_queue_full),
        .lost_export = atomic_load(&self->n_lost_export),
        .queued = ftri_queue_n_spans(&self->queue),
    };
}

void ftri_sender_count_metrics(struct ftri_sender *self, ftr_statistics *counts)
{
    counts->metrics_exported += atomic_load(&self->metrics.n_exported);
    counts->metrics_failed += atomic_load(&self->metrics.n_failed);
}

void ftri_sender_lock(struct ftri_sender *self)
{
    pthread_mutex_lock(&self->lock);
}

void ftri_sender_unlock(struct ftri_sender *self)
{
    pthread_mutex_unlock(&self->lock);
}

static void zero_counts(struct ftri_sender *self)
{
    self->n_sealed = self->n_settled = 0;
    self->n_metrics_wanted = self->n_metrics_done = 0;
    atomic_store(&self->n_delivered, 0);
    atomic_store(&self->n_rejected, 0);
    atomic_store(&self->n_lost_queue_full, 0);
    atomic_store(&self->n_lost_export, 0);
    self->untold = (struct ftri_untold){.next_ns = 0};
}

/* Whether the exporter may be called again. */
static bool tell_exporter_of_fork(struct ftri_sender *self)
{
    const ftr_exporter_class *exporter_class = self->exporter->exporter_class;
    if (!atomic_exchange(&self->is_exporting, false))
        return true;
    if (exporter_class->size <= offsetof(ftr_exporter_class, after_fork) ||
        !exporter_class->after_fork)
        return false;
    exporter_class->after_fork(self->exporter->instance);
    return true;
}

/* The thread is gone in the middle of whatever it did: the batch being exported and its buffers are
 * left alone. The rest was under the lock, or is the worker's, who was between two passes. */
void ftri_sender_after_fork(struct ftri_sender *self)
{
    init_shared(self);
    ftri_queue_after_fork(&self->queue);
    ftri_metric_export_after_fork(&self->metrics);
    ftri_bytes_init(&self->scratch, SIZE_MAX / 2);
    ftri_batch_init(&self->part);
    zero_counts(self);
    self->has_last_metrics = false;
    self->next_metrics_ns = ftri_clock_monotonic_ns() + self->settings.metrics_interval_ns;
    self->is_started = self->is_stopping = self->is_stopped = false;
    atomic_store(&self->n_refs, 1);
    self->is_broken = self->is_broken || self->is_closed;
    if (!tell_exporter_of_fork(self))
        self->is_broken = true;
    self->takes_metrics = self->takes_metrics && !self->is_broken;
}
