/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting: spans enter with the open batch, counted by the worker, and leave when their batch has
 * an outcome, counted by the thread; between the two they are queued. Every other term is counted
 * where its event happens. What is counted for every span has one writer: a read-modify-write would
 * wait until the span's bytes have left the store buffer. */
#include "trace/sender.h"

#include "base/count.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "otlp/encode.h"
#include "otlp/envelope.h"
#include "trace/clock.h"
#include "trace/encode.h"
#include "trace/exporter.h"
#include "trace/metrics.h"
#include "trace/os_thread.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A batch may exceed its nominal size by one span. */
#define BATCH_LIMIT ((size_t)1 << 30)

/* In OTLP there is room in front of the spans for the message around them. */
struct batch {
    struct batch *next;
    struct ftri_bytes bytes;
    size_t room;
    size_t n_spans;
    uint64_t since_ns;
};

/* What batches came to since the last diagnosis. */
struct untold {
    uint64_t next_ns; /* not before */
    uint64_t n_delivered;
    uint64_t n_rejected;
    uint64_t n_lost;
    uint64_t n_lost_queue_full_told; /* of n_lost_queue_full */
    char text[FTR_EXPORT_TEXT_BYTES];
};

struct ftri_sender {
    struct ftri_sender_settings settings;
    ftr_exporter *exporter;
    struct ftri_origin *origin;
    _Atomic uint32_t n_refs;
    _Atomic bool is_exporting;
    bool is_broken;     /* forked while exporting or after that; set before threads exist */
    bool takes_metrics; /* the same */
    bool is_implied;    /* the same: of metrics */

    struct batch *open;        /* the worker's */
    struct ftri_bytes reading; /* the worker's: a span that is read before it is encoded */
    bool is_full;              /* the worker's: a span did not fit, */
    uint64_t n_bytes_then;     /* with so many sealed */

    pthread_mutex_t lock; /* for the fields up to stop_deadline_ns */
    pthread_cond_t changed;
    struct batch *sealed;
    struct batch **sealed_end;
    struct batch *spare;
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

    _Atomic uint64_t n_sealed_bytes; /* sealed, no outcome yet */
    _Atomic uint64_t n_left;         /* spans; the thread counts */
    _Atomic uint64_t n_delivered;
    _Atomic uint64_t n_rejected;
    _Atomic uint64_t n_lost_export;
    _Atomic uint64_t n_metrics_exported;
    _Atomic uint64_t n_metrics_failed;
    _Atomic uint64_t n_entered;         /* spans; the worker counts */
    _Atomic uint64_t n_lost_queue_full; /* the worker counts */

    struct untold untold;      /* the thread's */
    struct ftri_bytes message; /* the thread's: metrics */
    struct ftri_bytes scratch; /* the thread's: spans in the exporters' form */
    bool has_told_metrics;     /* the thread's: that they failed */
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
    ftri_bytes_deinit(&batch->bytes);
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

static bool can_take_metrics(const ftr_exporter_class *exporter_class)
{
    return exporter_class->size > offsetof(ftr_exporter_class, export_metrics) &&
           exporter_class->export_metrics;
}

void ftri_sender_take_metrics(struct ftri_sender *self, bool is_implied)
{
    self->takes_metrics = can_take_metrics(self->exporter->exporter_class);
    self->is_implied = is_implied;
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

static const ftr_str scope_name = {"flowtrace", sizeof "flowtrace" - 1};
static const ftr_str scope_version = {FTR_VERSION, sizeof FTR_VERSION - 1};

static bool is_otlp(const struct ftri_sender *self)
{
    return self->exporter->exporter_class->form == FTR_EXPORT_OTLP;
}

static size_t envelope_room(const struct ftri_sender *self)
{
    return is_otlp(self) ? ftri_otlp_envelope_size(self->origin->resource_otlp, scope_name,
                                                   scope_version, BATCH_LIMIT)
                         : 0;
}

static struct batch *take_spare(struct ftri_sender *self)
{
    pthread_mutex_lock(&self->lock);
    struct batch *batch = self->spare;
    if (batch)
        self->spare = batch->next;
    pthread_mutex_unlock(&self->lock);
    return batch;
}

static struct batch *new_batch(struct ftri_sender *self)
{
    struct batch *batch = take_spare(self);
    if (!batch) {
        batch = ftri_zalloc(sizeof *batch);
        if (!batch)
            return NULL;
        ftri_bytes_init(&batch->bytes, BATCH_LIMIT);
    }
    const size_t room = envelope_room(self);
    ftri_bytes_reset(&batch->bytes);
    if (ftri_bytes_reserve(&batch->bytes, room) < 0) {
        free_batch(batch);
        return NULL;
    }
    batch->next = NULL;
    batch->n_spans = 0;
    batch->since_ns = 0;
    batch->room = batch->bytes.len = room;
    return batch;
}

static size_t spans_len(const struct batch *batch)
{
    return batch->bytes.len - batch->room;
}

void ftri_sender_lose(struct ftri_sender *self, uint64_t n)
{
    ftri_count(&self->n_lost_queue_full, n);
}

static uint64_t n_sealed_bytes(const struct ftri_sender *self)
{
    return atomic_load_explicit(&self->n_sealed_bytes, memory_order_relaxed);
}

static size_t n_open_bytes(const struct ftri_sender *self)
{
    return self->open ? spans_len(self->open) : 0;
}

static uint64_t n_queued_spans(const struct ftri_sender *self)
{
    const uint64_t n_left = atomic_load(&self->n_left); /* first: never more than have entered */
    return atomic_load(&self->n_entered) - n_left;
}

/* A queue that had no room for a span has none until a batch has left it. */
bool ftri_sender_has_room(struct ftri_sender *self)
{
    const uint64_t n_sealed = n_sealed_bytes(self);
    if (self->is_broken)
        return true;
    if (self->is_full && self->n_bytes_then == n_sealed)
        return false;
    self->is_full = false;
    return n_sealed + n_open_bytes(self) < self->settings.queue_bytes &&
           (self->settings.queue_spans == 0 || n_queued_spans(self) < self->settings.queue_spans);
}

bool ftri_sender_has_slack(const struct ftri_sender *self)
{
    return self->is_broken ||
           (n_sealed_bytes(self) + n_open_bytes(self) < self->settings.queue_bytes / 2 &&
            (self->settings.queue_spans == 0 ||
             n_queued_spans(self) <= self->settings.queue_spans / 2));
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
    struct ftri_bytes *out = &self->open->bytes;
    const size_t len = out->len;
    const int rc = is_otlp(self) ? encode_record(self, record, out) : append_record(out, record);
    const uint64_t n_sealed = n_sealed_bytes(self);
    if (rc == 0 && n_sealed + n_open_bytes(self) <= self->settings.queue_bytes)
        return true;
    out->len = len;
    self->is_full = rc == 0 && n_sealed + n_open_bytes(self) > 0;
    self->n_bytes_then = n_sealed;
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
    if (!self->open || !ftri_sender_has_room(self) || !append_span(self, record)) {
        ftri_sender_lose(self, 1);
        return;
    }
    struct batch *open = self->open;
    if (open->n_spans++ == 0)
        open->since_ns = ftri_clock_monotonic_ns();
    ftri_count(&self->n_entered, 1);
    if (spans_len(open) >= self->settings.batch_bytes ||
        (self->settings.batch_spans != 0 && open->n_spans >= self->settings.batch_spans))
        ftri_sender_seal(self);
}

void ftri_sender_seal(struct ftri_sender *self)
{
    struct batch *batch = self->open;
    if (!batch || batch->n_spans == 0)
        return;
    self->open = NULL;
    self->is_full = false;
    atomic_fetch_add(&self->n_sealed_bytes, spans_len(batch));
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
    const size_t scratch = ftri_record_scratch(batch->bytes.len) + batch->n_spans * 64;
    ftri_bytes_reset(&self->scratch);
    if (ftri_bytes_reserve(&self->scratch, table + scratch) < 0)
        return false;
    ftr_span_data *spans = (ftr_span_data *)(void *)self->scratch.data;
    uint8_t *room = self->scratch.data + table;
    const uint8_t *at = batch->bytes.data;
    for (size_t i = 0; i < batch->n_spans; i++) {
        const struct ftri_record *record = (const struct ftri_record *)(const void *)at;
        room += ftri_record_read(record, room, &spans[i]);
        at += record->size;
    }
    ret_batch->spans = spans;
    return true;
}

static void wrap_spans(struct ftri_sender *self, const struct batch *batch,
                       ftr_export_batch *ret_batch)
{
    uint8_t *spans = batch->bytes.data + batch->room;
    uint8_t *first = ftri_otlp_envelope_write(self->origin->resource_otlp, scope_name,
                                              scope_version, spans, spans_len(batch));
    ret_batch->otlp = first;
    ret_batch->otlp_len = batch->bytes.len - (size_t)(first - batch->bytes.data);
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
    ftri_count(&self->n_left, n_spans);
}

/* Of several texts the last one. */
static void note(struct untold *self, const ftr_export_result *result)
{
    self->n_delivered += result->n_delivered;
    self->n_rejected += result->n_rejected;
    self->n_lost += result->n_lost;
    if (result->text[0])
        memcpy(self->text, result->text, sizeof self->text);
}

static uint64_t n_untold_queue_full(const struct ftri_sender *self)
{
    return atomic_load(&self->n_lost_queue_full) - self->untold.n_lost_queue_full_told;
}

static bool has_untold(const struct ftri_sender *self)
{
    const struct untold *untold = &self->untold;
    return untold->n_rejected > 0 || untold->n_lost > 0 || untold->text[0] ||
           n_untold_queue_full(self) > 0;
}

/* "exporter otlp/http: 4 spans delivered, 3 rejected, ...: HTTP 400: bad id", summed up over what
 * came in the second after the last one. */
static void say(struct ftri_sender *self, uint64_t now_ns)
{
    struct untold *untold = &self->untold;
    if (!has_untold(self)) {
        untold->n_delivered = 0;
        return;
    }
    const uint64_t n_queue_full = n_untold_queue_full(self);
    ftri_tell(&self->settings.teller,
              "exporter %.64s: %" PRIu64 " spans delivered, %" PRIu64 " rejected, %" PRIu64
              " lost, %" PRIu64 " more lost to a full queue%s%.*s",
              self->exporter->exporter_class->name, untold->n_delivered, untold->n_rejected,
              untold->n_lost, n_queue_full, untold->text[0] ? ": " : "", FTR_EXPORT_TEXT_BYTES - 1,
              untold->text);
    *untold = (struct untold){
        .next_ns = now_ns + FTRI_NS_PER_S,
        .n_lost_queue_full_told = untold->n_lost_queue_full_told + n_queue_full,
    };
}

static void say_if_due(struct ftri_sender *self)
{
    const uint64_t now_ns = ftri_clock_monotonic_ns();
    if (now_ns >= self->untold.next_ns)
        say(self, now_ns);
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
    if (is_otlp(self))
        wrap_spans(self, batch, &exported);
    if ((exported.otlp || read_spans(self, batch, &exported)) &&
        ftri_clock_monotonic_ns() < deadline_ns) {
        atomic_store(&self->is_exporting, true);
        exporter_class->export_batch(self->exporter->instance, &exported, deadline_ns, &result);
        atomic_store(&self->is_exporting, false);
    }
    result.text[sizeof result.text - 1] = '\0';
    settle(self, batch->n_spans, &result);
    note(&self->untold, &result);
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
    const bool is_talkative = has_untold(self);
    uint64_t until_ns = self->takes_metrics ? self->next_metrics_ns : UINT64_MAX;
    if (is_talkative && self->untold.next_ns < until_ns)
        until_ns = self->untold.next_ns;
    if (until_ns == UINT64_MAX)
        pthread_cond_wait(&self->changed, &self->lock);
    else if (!ftri_os_cond_wait(&self->changed, &self->lock, until_ns) && is_talkative)
        say_unlocked(self);
}

/* NULL: metrics are due, or it is stopped and no batch is left. Called with the lock held. */
static struct batch *next_batch(struct ftri_sender *self)
{
    while (!self->sealed && !self->is_stopping && !has_metrics_due(self))
        wait_for_work(self);
    struct batch *batch = self->sealed;
    if (!batch || (has_metrics_due(self) && !self->is_stopping))
        return NULL;
    self->sealed = batch->next;
    if (!self->sealed)
        self->sealed_end = &self->sealed;
    return batch;
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

/* Called with the lock held, which is off while the exporter works. */
static void settle_batch(struct ftri_sender *self, struct batch *batch)
{
    const uint64_t deadline_ns = export_deadline(self, self->settings.timeout_ns);
    pthread_mutex_unlock(&self->lock);
    const size_t len = spans_len(batch);
    export_batch(self, batch, deadline_ns);
    atomic_fetch_sub(&self->n_sealed_bytes, len);
    pthread_mutex_lock(&self->lock);
    batch->next = self->spare;
    self->spare = batch;
    self->n_settled++;
    pthread_cond_broadcast(&self->changed);
}

/* The message's bytes hold them, in the exporter's form. */
static bool collect_metrics(struct ftri_sender *self, ftr_metrics_batch *ret_batch)
{
    const bool is_otlp = self->exporter->exporter_class->form == FTR_EXPORT_OTLP;
    struct ftri_bytes *out = &self->message;
    ftri_bytes_reset(out);
    const int rc = is_otlp ? ftri_metrics_encode(out, &ret_batch->n_points)
                           : ftri_metrics_print(out, &ret_batch->n_points);
    if (rc < 0)
        return false;
    if (is_otlp) {
        ret_batch->otlp = out->data;
        ret_batch->otlp_len = out->len;
    } else {
        ret_batch->text = (const char *)out->data;
        ret_batch->text_len = out->len;
    }
    return true;
}

/* The next export says it all again: a failure is told once, until there was a success. */
static void settle_metrics(struct ftri_sender *self, size_t n_points,
                           const ftr_export_result *result)
{
    const bool is_whole = result->n_delivered == n_points;
    atomic_fetch_add(is_whole ? &self->n_metrics_exported : &self->n_metrics_failed, 1);
    if (!is_whole && !self->has_told_metrics && !self->is_implied)
        ftri_tell(&self->settings.teller,
                  "exporter %.64s: metrics: %zu of %zu points not delivered%s%.*s",
                  self->exporter->exporter_class->name, n_points - result->n_delivered, n_points,
                  result->text[0] ? ": " : "", FTR_EXPORT_TEXT_BYTES - 1, result->text);
    self->has_told_metrics = !is_whole;
}

static void export_metrics(struct ftri_sender *self, uint64_t deadline_ns)
{
    ftr_metrics_batch batch = {.size = sizeof batch};
    ftr_export_result result = {0};
    if (!collect_metrics(self, &batch)) {
        atomic_fetch_add(&self->n_metrics_failed, 1);
        return;
    }
    if (batch.n_points == 0)
        return;
    if (ftri_clock_monotonic_ns() < deadline_ns) {
        atomic_store(&self->is_exporting, true);
        self->exporter->exporter_class->export_metrics(self->exporter->instance, &batch,
                                                       deadline_ns, &result);
        atomic_store(&self->is_exporting, false);
    }
    result.text[sizeof result.text - 1] = '\0';
    result.n_delivered = ftri_size_min(result.n_delivered, batch.n_points);
    settle_metrics(self, batch.n_points, &result);
}

/* The same for the metrics of now. */
static void send_metrics(struct ftri_sender *self)
{
    const uint64_t deadline_ns = export_deadline(self, self->settings.metrics_timeout_ns);
    const uint64_t n_wanted = self->n_metrics_wanted;
    self->has_last_metrics = self->is_stopping;
    pthread_mutex_unlock(&self->lock);
    export_metrics(self, deadline_ns);
    pthread_mutex_lock(&self->lock);
    self->n_metrics_done = n_wanted;
    self->next_metrics_ns = ftri_clock_monotonic_ns() + self->settings.metrics_interval_ns;
    pthread_cond_broadcast(&self->changed);
}

static void *run(void *argument)
{
    struct ftri_sender *self = argument;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        struct batch *batch = next_batch(self);
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

void ftri_sender_count(struct ftri_sender *self, ftr_exporter_statistics *ret_counts)
{
    *ret_counts = (ftr_exporter_statistics){
        .name = self->exporter->exporter_class->name,
        .delivered = atomic_load(&self->n_delivered),
        .rejected = atomic_load(&self->n_rejected),
        .lost_queue_full = atomic_load(&self->n_lost_queue_full),
        .lost_export = atomic_load(&self->n_lost_export),
        .queued = n_queued_spans(self),
    };
}

void ftri_sender_count_metrics(struct ftri_sender *self, ftr_statistics *counts)
{
    counts->metrics_exported += atomic_load(&self->n_metrics_exported);
    counts->metrics_failed += atomic_load(&self->n_metrics_failed);
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
    self->n_metrics_wanted = self->n_metrics_done = 0;
    self->has_last_metrics = self->has_told_metrics = false;
    self->next_metrics_ns = ftri_clock_monotonic_ns() + self->settings.metrics_interval_ns;
    self->is_started = self->is_stopping = self->is_stopped = false;
    atomic_store(&self->n_sealed_bytes, 0);
    atomic_store(&self->n_entered, 0);
    atomic_store(&self->n_left, 0);
    self->is_full = false;
    atomic_store(&self->n_delivered, 0);
    atomic_store(&self->n_rejected, 0);
    atomic_store(&self->n_lost_queue_full, 0);
    atomic_store(&self->n_lost_export, 0);
    atomic_store(&self->n_metrics_exported, 0);
    atomic_store(&self->n_metrics_failed, 0);
    atomic_store(&self->n_refs, 1);
    self->untold = (struct untold){.next_ns = 0};
    self->is_broken = self->is_broken || self->is_closed;
    const ftr_exporter_class *exporter_class = self->exporter->exporter_class;
    if (atomic_exchange(&self->is_exporting, false)) {
        if (exporter_class->size > offsetof(ftr_exporter_class, after_fork) &&
            exporter_class->after_fork)
            exporter_class->after_fork(self->exporter->instance);
        else
            self->is_broken = true;
    }
    self->takes_metrics = self->takes_metrics && !self->is_broken;
}
