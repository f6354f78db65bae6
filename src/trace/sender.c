/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting: `queued` goes up when a span enters the open batch and down when its batch has an
 * outcome; every other term is counted where its event happens. */
#include "trace/sender.h"

#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "otlp/encode.h"
#include "trace/clock.h"
#include "trace/encode.h"
#include "trace/exporter.h"
#include "trace/os_thread.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A batch may exceed its nominal size by one span. */
#define BATCH_LIMIT ((size_t)1 << 30)

struct batch {
    struct batch *next;
    struct ftri_bytes spans;
    size_t n_spans;
    uint64_t since_ns;
};

struct ftri_sender {
    struct ftri_sender_settings settings;
    ftr_exporter *exporter;
    struct ftri_origin *origin;
    _Atomic uint32_t n_refs;
    _Atomic bool is_exporting;
    bool is_broken; /* forked while exporting or after that; set before threads exist */

    struct batch *open;        /* the worker's */
    struct ftri_bytes reading; /* the worker's: a span that is read before it is encoded */

    pthread_mutex_t lock; /* for the fields up to stop_deadline_ns */
    pthread_cond_t changed;
    struct batch *sealed;
    struct batch **sealed_end;
    struct batch *spare;
    uint64_t n_sealed;
    uint64_t n_settled;
    bool is_started;
    bool is_stopping;
    bool is_discarded; /* stop without closing the exporter */
    bool is_closed;    /* or is being closed */
    bool is_stopped;
    uint64_t stop_deadline_ns;

    _Atomic uint64_t n_sealed_bytes; /* sealed, no outcome yet */
    _Atomic uint64_t n_queued;
    _Atomic uint64_t n_delivered;
    _Atomic uint64_t n_rejected;
    _Atomic uint64_t n_lost_queue_full;
    _Atomic uint64_t n_lost_export;

    uint64_t next_diagnostic_ns;     /* the thread's: none before */
    uint64_t n_lost_queue_full_told; /* the thread's */
    struct ftri_bytes message;       /* the thread's: one whole TracesData */
    struct ftri_bytes scratch;       /* the thread's: spans in the exporters' form */
};

struct ftri_origin *ftri_origin_ref(struct ftri_origin *self)
{
    atomic_fetch_add(&self->n_refs, 1);
    return self;
}

void ftri_origin_unref(struct ftri_origin *self)
{
    if (self && atomic_fetch_sub(&self->n_refs, 1) == 1)
        self->free(self);
}

static void free_batch(struct batch *batch)
{
    if (!batch)
        return;
    ftri_bytes_deinit(&batch->spans);
    ftri_free(batch);
}

static void free_batches(struct batch *first)
{
    while (first) {
        struct batch *next = first->next;
        free_batch(first);
        first = next;
    }
}

static void init_shared(struct ftri_sender *self)
{
    pthread_mutex_init(&self->lock, NULL);
    ftri_os_cond_init(&self->changed);
    self->sealed = NULL;
    self->sealed_end = &self->sealed;
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
    ftri_bytes_init(&self->message, BATCH_LIMIT);
    ftri_bytes_init(&self->scratch, SIZE_MAX / 2);
    ftri_bytes_init(&self->reading, SIZE_MAX / 2);
    return self;
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
    free_batch(self->open);
    free_batches(self->sealed);
    free_batches(self->spare);
    ftri_bytes_deinit(&self->message);
    ftri_bytes_deinit(&self->scratch);
    ftri_bytes_deinit(&self->reading);
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

static struct batch *new_batch(struct ftri_sender *self)
{
    pthread_mutex_lock(&self->lock);
    struct batch *batch = self->spare;
    if (batch)
        self->spare = batch->next;
    pthread_mutex_unlock(&self->lock);
    if (!batch) {
        batch = ftri_zalloc(sizeof *batch);
        if (!batch)
            return NULL;
        ftri_bytes_init(&batch->spans, BATCH_LIMIT);
    }
    batch->next = NULL;
    batch->n_spans = 0;
    batch->since_ns = 0;
    ftri_bytes_reset(&batch->spans);
    return batch;
}

static void lose(struct ftri_sender *self)
{
    atomic_fetch_add_explicit(&self->n_lost_queue_full, 1, memory_order_relaxed);
}

static size_t n_queued_bytes(const struct ftri_sender *self)
{
    return atomic_load_explicit(&self->n_sealed_bytes, memory_order_relaxed) +
           (self->open ? self->open->spans.len : 0);
}

static bool has_room(const struct ftri_sender *self)
{
    const uint64_t n_queued = atomic_load_explicit(&self->n_queued, memory_order_relaxed);
    return n_queued_bytes(self) < self->settings.queue_bytes &&
           (self->settings.queue_spans == 0 || n_queued < self->settings.queue_spans);
}

bool ftri_sender_has_slack(const struct ftri_sender *self)
{
    const uint64_t n_queued = atomic_load_explicit(&self->n_queued, memory_order_relaxed);
    return self->is_broken ||
           (n_queued_bytes(self) < self->settings.queue_bytes / 2 &&
            (self->settings.queue_spans == 0 || n_queued <= self->settings.queue_spans / 2));
}

static int append_record(struct ftri_bytes *out, const struct ftri_record *record)
{
    const size_t size = ftri_record_copy_size(record);
    const int rc = ftri_bytes_reserve(out, size);
    if (rc < 0)
        return rc;
    ftri_record_copy(record, out->data + out->len);
    out->len += size;
    return 0;
}

static int read_and_encode(struct ftri_sender *self, const struct ftri_record *record,
                           struct ftri_bytes *out)
{
    ftri_bytes_reset(&self->reading);
    const int rc = ftri_bytes_reserve(&self->reading, ftri_record_scratch(record->stream_len));
    if (rc < 0)
        return rc;
    ftr_span_data span;
    (void)ftri_record_read(record, self->reading.data, &span);
    return ftri_otlp_encode_span(&span, out);
}

static int encode_record(struct ftri_sender *self, const struct ftri_record *record,
                         struct ftri_bytes *out)
{
    const int rc = ftri_encode_record(record, out);
    return rc == FTRI_ENCODE_NOT_SIMPLE ? read_and_encode(self, record, out) : rc;
}

static bool append_span(struct ftri_sender *self, const struct ftri_record *record)
{
    struct ftri_bytes *out = &self->open->spans;
    const size_t len = out->len;
    const int rc = self->exporter->exporter_class->form == FTR_EXPORT_OTLP
                       ? encode_record(self, record, out)
                       : append_record(out, record);
    if (rc == 0 && n_queued_bytes(self) <= self->settings.queue_bytes)
        return true;
    out->len = len;
    return false;
}

void ftri_sender_accept(struct ftri_sender *self, const struct ftri_record *record)
{
    if (self->is_broken) {
        atomic_fetch_add_explicit(&self->n_lost_export, 1, memory_order_relaxed);
        return;
    }
    if (!self->open)
        self->open = new_batch(self);
    if (!self->open || !has_room(self) || !append_span(self, record)) {
        lose(self);
        return;
    }
    struct batch *open = self->open;
    if (open->n_spans++ == 0)
        open->since_ns = ftri_clock_monotonic_ns();
    atomic_fetch_add_explicit(&self->n_queued, 1, memory_order_relaxed);
    if (open->spans.len >= self->settings.batch_bytes ||
        (self->settings.batch_spans != 0 && open->n_spans >= self->settings.batch_spans))
        ftri_sender_seal(self);
}

void ftri_sender_seal(struct ftri_sender *self)
{
    struct batch *batch = self->open;
    if (!batch || batch->n_spans == 0)
        return;
    self->open = NULL;
    atomic_fetch_add(&self->n_sealed_bytes, batch->spans.len);
    pthread_mutex_lock(&self->lock);
    *self->sealed_end = batch;
    self->sealed_end = &batch->next;
    self->n_sealed++;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

uint64_t ftri_sender_tick(struct ftri_sender *self, uint64_t now_ns)
{
    if (!self->open || self->open->n_spans == 0)
        return UINT64_MAX;
    const uint64_t due_ns = self->open->since_ns + self->settings.delay_ns;
    if (now_ns < due_ns)
        return due_ns;
    ftri_sender_seal(self);
    return UINT64_MAX;
}

/* The batch's records in the exporters' form; false: memory is short. */
static bool read_spans(struct ftri_sender *self, const struct batch *batch,
                       ftr_export_batch *ret_batch)
{
    const size_t table = batch->n_spans * sizeof(ftr_span_data);
    const size_t scratch = ftri_record_scratch(batch->spans.len) + batch->n_spans * 64;
    ftri_bytes_reset(&self->scratch);
    if (ftri_bytes_reserve(&self->scratch, table + scratch) < 0)
        return false;
    ftr_span_data *spans = (ftr_span_data *)(void *)self->scratch.data;
    uint8_t *room = self->scratch.data + table;
    const uint8_t *at = batch->spans.data;
    for (size_t i = 0; i < batch->n_spans; i++) {
        const struct ftri_record *record = (const struct ftri_record *)(const void *)at;
        room += ftri_record_read(record, room, &spans[i]);
        at += record->size;
    }
    ret_batch->spans = spans;
    return true;
}

static bool encode_message(struct ftri_sender *self, const struct batch *batch,
                           ftr_export_batch *ret_batch)
{
    ftri_bytes_reset(&self->message);
    if (ftri_otlp_encode_traces(self->origin->resource_otlp, FTR_STR("flowtrace"),
                                FTR_STR(FTR_VERSION), ftri_bytes_view(&batch->spans),
                                &self->message) < 0)
        return false;
    ret_batch->otlp = self->message.data;
    ret_batch->otlp_len = self->message.len;
    return true;
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
    atomic_fetch_sub(&self->n_queued, n_spans);
}

/* "exporter otlp/http: 3 of 7 spans rejected, 0 lost: HTTP 400: bad id" */
static void say(struct ftri_sender *self, const ftr_export_result *result)
{
    const uint64_t n_lost_queue_full = atomic_load(&self->n_lost_queue_full);
    const uint64_t n_new = n_lost_queue_full - self->n_lost_queue_full_told;
    const bool has_loss = result->n_rejected > 0 || result->n_lost > 0 || n_new > 0;
    const uint64_t now_ns = ftri_clock_monotonic_ns();
    if (now_ns < self->next_diagnostic_ns || (!has_loss && !result->text[0]))
        return;
    ftri_tell(&self->settings.teller,
              "exporter %.64s: %zu spans delivered, %zu rejected, %zu lost, %" PRIu64
              " more lost to a full queue%s%.*s",
              self->exporter->exporter_class->name, result->n_delivered, result->n_rejected,
              result->n_lost, n_new, result->text[0] ? ": " : "", FTR_EXPORT_TEXT_BYTES - 1,
              result->text);
    self->next_diagnostic_ns = now_ns + FTRI_NS_PER_S;
    self->n_lost_queue_full_told = n_lost_queue_full;
}

static void export_batch(struct ftri_sender *self, const struct batch *batch, uint64_t deadline_ns)
{
    const ftr_exporter_class *exporter_class = self->exporter->exporter_class;
    ftr_export_batch exported = {
        .size = sizeof exported,
        .n_spans = batch->n_spans,
        .resource = self->origin->resource,
        .n_resource = self->origin->n_resource,
    };
    ftr_export_result result = {0};
    const bool is_ready = exporter_class->form == FTR_EXPORT_OTLP
                              ? encode_message(self, batch, &exported)
                              : read_spans(self, batch, &exported);
    if (is_ready && ftri_clock_monotonic_ns() < deadline_ns) {
        atomic_store(&self->is_exporting, true);
        exporter_class->export_batch(self->exporter->instance, &exported, deadline_ns, &result);
        atomic_store(&self->is_exporting, false);
    }
    result.text[sizeof result.text - 1] = '\0';
    settle(self, batch->n_spans, &result);
    say(self, &result);
}

/* NULL: stopped, and nothing is left. Called with the lock held. */
static struct batch *next_batch(struct ftri_sender *self)
{
    while (!self->sealed && !self->is_stopping)
        pthread_cond_wait(&self->changed, &self->lock);
    struct batch *batch = self->sealed;
    if (!batch)
        return NULL;
    self->sealed = batch->next;
    if (!self->sealed)
        self->sealed_end = &self->sealed;
    return batch;
}

static uint64_t export_deadline(const struct ftri_sender *self)
{
    const uint64_t deadline_ns = ftri_clock_monotonic_ns() + self->settings.timeout_ns;
    return self->is_stopping && self->stop_deadline_ns < deadline_ns ? self->stop_deadline_ns
                                                                     : deadline_ns;
}

static void close_exporter(const ftr_exporter *exporter)
{
    if (exporter->exporter_class->close)
        exporter->exporter_class->close(exporter->instance);
}

static void *run(void *argument)
{
    struct ftri_sender *self = argument;
    pthread_mutex_lock(&self->lock);
    for (struct batch *batch; (batch = next_batch(self));) {
        const uint64_t deadline_ns = export_deadline(self);
        pthread_mutex_unlock(&self->lock);
        const size_t len = batch->spans.len;
        export_batch(self, batch, deadline_ns);
        atomic_fetch_sub(&self->n_sealed_bytes, len);
        pthread_mutex_lock(&self->lock);
        batch->next = self->spare;
        self->spare = batch;
        self->n_settled++;
        pthread_cond_broadcast(&self->changed);
    }
    self->is_closed = !self->is_discarded && !self->is_broken;
    if (self->is_closed) {
        pthread_mutex_unlock(&self->lock);
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

bool ftri_sender_wait(struct ftri_sender *self, uint64_t deadline_ns)
{
    pthread_mutex_lock(&self->lock);
    const uint64_t wanted = self->n_sealed;
    bool is_in_time = true;
    while (self->n_settled < wanted && is_in_time)
        is_in_time = ftri_os_cond_wait(&self->changed, &self->lock, deadline_ns);
    const bool is_settled = self->n_settled >= wanted;
    pthread_mutex_unlock(&self->lock);
    return is_settled;
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

void ftri_sender_count(struct ftri_sender *self, ftr_exporter_statistics *ret_counts)
{
    *ret_counts = (ftr_exporter_statistics){
        .name = self->exporter->exporter_class->name,
        .delivered = atomic_load(&self->n_delivered),
        .rejected = atomic_load(&self->n_rejected),
        .lost_queue_full = atomic_load(&self->n_lost_queue_full),
        .lost_export = atomic_load(&self->n_lost_export),
        .queued = atomic_load(&self->n_queued),
    };
}

void ftri_sender_lock(struct ftri_sender *self)
{
    pthread_mutex_lock(&self->lock);
}

void ftri_sender_unlock(struct ftri_sender *self)
{
    pthread_mutex_unlock(&self->lock);
}

/* The worker and the thread are gone in the middle of whatever they did: the open batch, the one
 * being exported and the thread's buffers are left alone, the rest was under the lock. */
void ftri_sender_after_fork(struct ftri_sender *self)
{
    free_batches(self->sealed);
    init_shared(self);
    self->spare = NULL;
    self->open = NULL;
    ftri_bytes_init(&self->message, BATCH_LIMIT);
    ftri_bytes_init(&self->scratch, SIZE_MAX / 2);
    ftri_bytes_init(&self->reading, SIZE_MAX / 2);
    self->n_sealed = self->n_settled = 0;
    self->is_started = self->is_stopping = self->is_stopped = false;
    atomic_store(&self->n_sealed_bytes, 0);
    atomic_store(&self->n_queued, 0);
    atomic_store(&self->n_delivered, 0);
    atomic_store(&self->n_rejected, 0);
    atomic_store(&self->n_lost_queue_full, 0);
    atomic_store(&self->n_lost_export, 0);
    atomic_store(&self->n_refs, 1);
    self->next_diagnostic_ns = 0;
    self->n_lost_queue_full_told = 0;
    self->is_broken = self->is_broken || self->is_closed;
    const ftr_exporter_class *exporter_class = self->exporter->exporter_class;
    if (!atomic_exchange(&self->is_exporting, false))
        return;
    if (exporter_class->size > offsetof(ftr_exporter_class, after_fork) &&
        exporter_class->after_fork)
        exporter_class->after_fork(self->exporter->instance);
    else
        self->is_broken = true;
}
