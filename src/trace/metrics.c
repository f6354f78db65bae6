/* SPDX-License-Identifier: Apache-2.0
 *
 * Two locks, taken in this order. `reading`: one reader at a time, and what it reads of stays where
 * it is. `counting`: the counts; the worker holds it for a pass, a reader while it copies them. */
#include "trace/metrics.h"

#include "base/text.h"
#include "base/time.h"
#include "metrics/metric.h"
#include "metrics/span_metrics.h"
#include "metrics/text.h"
#include "otlp/metrics.h"
#include "sampling/ot_state.h"
#include "sampling/threshold.h"
#include "trace/clock.h"
#include "trace/convention.h"
#include "trace/histograms.h"
#include "trace/intern.h"
#include "trace/origin.h"
#include "trace/record.h"
#include "trace/settings.h"
#include "trace/sources.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <flowtrace/metrics.h>
#include <pthread.h>
#include <string.h>

#define TEXT_LIMIT ((size_t)1 << 30)

enum { PLACES = 2048 };

/* Where spans of a call site, a kind and a status are counted. */
struct place {
    struct ftri_span_series *series; /* NULL: not known */
    uint32_t key;
};

/* Spans that were observed last, and may be offered one after the other. */
struct batch {
    size_t n;
    size_t next; /* those before were offered, or will not be */
    const struct ftri_record *records[FTRI_METRICS_BATCH];
    struct ftri_span_view views[FTRI_METRICS_BATCH];
    struct ftri_span_series *series[FTRI_METRICS_BATCH];
    struct place *places[FTRI_METRICS_BATCH]; /* to be filled; or NULL */
    ftr_value dimensions[FTRI_METRICS_BATCH][FTRI_SPAN_DIMENSIONS_MAX];
};

static struct {
    pthread_mutex_t reading;
    pthread_mutex_t counting;
    struct ftri_origin *origin;       /* of the last session; NULL: there was none */
    struct ftri_span_metrics *counts; /* NULL: spans are not counted */
    uint64_t n_missed;
    /* The worker's. */
    bool is_in_pass;
    struct ftri_bytes scratch;
    struct place places[PLACES];
    struct batch batch;

    /* Read only while a session runs; the origin owns the texts. */
    struct ftri_span_metrics_settings settings;
    ftr_value defaults[FTRI_SPAN_DIMENSIONS_MAX]; /* of the resource */
    ftr_str service;
    bool is_estimated; /* the sampler drops spans and leaves no threshold */
    bool is_exact;
    bool reads_whole; /* a span's head does not say all that it is counted by */
    uint8_t filter;
} metrics = {
    .reading = PTHREAD_MUTEX_INITIALIZER,
    .counting = PTHREAD_MUTEX_INITIALIZER,
    .scratch = {.limit = SIZE_MAX / 2},
};

static ftr_value find_attribute(const ftr_attribute *attributes, size_t n, ftr_str key)
{
    for (size_t i = 0; i < n; i++)
        if (ftri_text_same(attributes[i].key, key))
            return attributes[i].value;
    return (ftr_value){.type = FTR_VALUE_EMPTY};
}

static bool drops_untold(const struct ftri_sampler *sampler)
{
    return (sampler->kind != FTRI_SAMPLER_ON && sampler->kind != FTRI_SAMPLER_PROBABILITY) ||
           sampler->is_limited;
}

static void take_defaults(void)
{
    const struct ftri_origin *origin = metrics.origin;
    for (size_t i = 0; i < metrics.settings.n_dimensions; i++)
        metrics.defaults[i] =
            find_attribute(origin->resource, origin->n_resource, metrics.settings.dimensions[i]);
}

static void take_settings(const struct ftri_settings *settings, const struct ftri_origin *origin)
{
    const struct ftri_metric_settings *wanted = &settings->metrics;
    metrics.settings = (struct ftri_span_metrics_settings){
        .is_in_ms = wanted->is_in_ms,
        .is_exponential = wanted->is_exponential,
        .has_exemplars = wanted->filter != FTR_EXEMPLARS_ALWAYS_OFF,
        .bounds = wanted->bounds,
        .n_bounds = wanted->n_bounds,
        .dimensions = wanted->dimensions,
        .n_dimensions = wanted->n_dimensions,
        .series_max = wanted->series_max,
        .start_ns = ftri_time_wall_ns(),
    };
    take_defaults();
    const ftr_value service =
        find_attribute(origin->resource, origin->n_resource, FTR_STR("service.name"));
    metrics.service = service.type == FTR_VALUE_STR ? service.as.str : (ftr_str){NULL, 0};
    metrics.is_exact = wanted->is_exact;
    metrics.reads_whole =
        wanted->n_dimensions > 0 || settings->convention == FTRI_CONVENTION_FOUNDATIONS;
    metrics.is_estimated = !wanted->is_exact && drops_untold(&settings->sampler);
    metrics.filter = wanted->filter;
    metrics.n_missed = 0;
    memset(metrics.places, 0, sizeof metrics.places);
}

int ftri_metrics_start(const struct ftri_settings *settings, struct ftri_origin *origin)
{
    const bool is_counting = !settings->metrics.is_off && !settings->is_disabled;
    pthread_mutex_lock(&metrics.reading);
    pthread_mutex_lock(&metrics.counting);
    ftri_span_metrics_free(metrics.counts);
    ftri_origin_unref(metrics.origin);
    metrics.origin = ftri_origin_ref(origin);
    take_settings(settings, origin);
    metrics.counts = is_counting ? ftri_span_metrics_new(&metrics.settings) : NULL;
    const int rc = is_counting && !metrics.counts ? -ENOMEM : 0;
    pthread_mutex_unlock(&metrics.counting);
    pthread_mutex_unlock(&metrics.reading);
    return rc;
}

void ftri_metrics_begin_pass(void)
{
    pthread_mutex_lock(&metrics.counting);
    metrics.is_in_pass = true;
}

void ftri_metrics_end_pass(void)
{
    metrics.is_in_pass = false;
    metrics.batch.n = 0;
    pthread_mutex_unlock(&metrics.counting);
}

bool ftri_metrics_are_counted(void)
{
    return metrics.counts != NULL;
}

/* A span that was sampled with probability p stands for 1 / p spans. */
static void take_threshold(const ftr_span_data *span, struct ftri_span_view *view)
{
    if (metrics.is_exact || span->tracestate.len == 0)
        return;
    const struct ftri_ot_state state = ftri_ot_read(span->tracestate);
    if (!state.has_threshold || state.threshold == 0)
        return;
    const double weight = 0x1p56 / (double)(FTRI_THRESHOLD_NEVER - state.threshold);
    view->is_estimated = true;
    view->whole = (uint64_t)weight;
    view->frac = (uint32_t)((weight - (double)view->whole) * 0x1p32);
}

static struct ftri_span_view view_of(const ftr_span_data *span, ftr_value *dimensions)
{
    struct ftri_span_view view = {
        .service = metrics.service,
        .name = span->name,
        .kind = (uint8_t)span->kind,
        .status = (uint8_t)span->status,
        .is_estimated = metrics.is_estimated,
        .whole = 1,
        .start_ns = span->start_time_ns,
        .end_ns = span->end_time_ns,
        .dimensions = dimensions,
        .trace_id = span->context.trace_id,
        .span_id = span->context.span_id,
    };
    for (size_t i = 0; i < metrics.settings.n_dimensions; i++) {
        dimensions[i] =
            find_attribute(span->attributes, span->n_attributes, metrics.settings.dimensions[i]);
        if (dimensions[i].type == FTR_VALUE_EMPTY)
            dimensions[i] = metrics.defaults[i];
    }
    take_threshold(span, &view);
    return view;
}

/* False: memory is short. Texts are the record's. */
static bool read_view(const struct ftri_record *record, ftr_value *dimensions,
                      struct ftri_span_view *ret_view)
{
    ftr_span_data span;
    if (!metrics.reads_whole) {
        ftri_record_read_head(record, &span);
    } else {
        ftri_bytes_reset(&metrics.scratch);
        if (ftri_bytes_reserve(&metrics.scratch, ftri_record_scratch(record->stream_len)) < 0)
            return false;
        (void)ftri_record_read(record, metrics.scratch.data, &span);
    }
    *ret_view = view_of(&span, dimensions);
    return true;
}

/* Most spans: of a call site, with nothing that says anything else about what is counted. */
static bool is_simple(const struct ftri_record *record)
{
    enum { OTHER = FTRI_RECORD_START_IS_WALL | FTRI_RECORD_END_IS_WALL | FTRI_RECORD_IS_RENAMED };
    return (record->bits & (FTRI_RECORD_HAS_SITE | OTHER)) == FTRI_RECORD_HAS_SITE &&
           !record->block && !metrics.reads_whole && record->clock < FTRI_CLOCK_FAKE;
}

static void view_simple(const struct ftri_record *record, struct ftri_span_view *view)
{
    const struct ftri_calibration *calibration = ftri_clock_calibration(record->clock);
    view->service = metrics.service;
    view->name = ftri_interned_name(record->name_len);
    view->kind = record->kind;
    view->status = record->status;
    view->is_estimated = metrics.is_estimated;
    view->whole = 1;
    view->frac = 0;
    view->start_ns = ftri_clock_convert(calibration, record->start);
    view->end_ns = ftri_clock_convert(calibration, record->end);
    view->trace_id = record->trace_id;
    view->span_id = record->span_id;
}

static uint32_t key_of(const struct ftri_record *record)
{
    return (uint32_t)record->name_len << 16 | (uint32_t)record->kind << 8 | record->status;
}

/* The series of a call site is looked for once. */
static void find_place(struct batch *batch, size_t i)
{
    const uint32_t key = key_of(batch->records[i]);
    struct place *place = &metrics.places[(key ^ key >> 16) % PLACES];
    const bool is_known = place->key == key && place->series;
    batch->series[i] = is_known ? place->series : NULL;
    batch->places[i] = is_known ? NULL : place;
}

/* False: memory is short. */
static bool view_record(struct batch *batch, size_t i)
{
    const struct ftri_record *record = batch->records[i];
    if (FTRI_LIKELY(is_simple(record))) {
        view_simple(record, &batch->views[i]);
        find_place(batch, i);
        return true;
    }
    batch->series[i] = NULL;
    batch->places[i] = NULL;
    return read_view(record, batch->dimensions[i], &batch->views[i]);
}

static void view_records(struct batch *batch, const struct ftri_record *const *records, size_t n)
{
    batch->n = batch->next = 0;
    for (size_t i = 0; i < n; i++) {
        if (records[i]->bits & FTRI_RECORD_CROSSES)
            continue;
        batch->records[batch->n] = records[i];
        if (view_record(batch, batch->n))
            batch->n++;
        else
            metrics.n_missed++;
    }
}

/* Of two call sites with one place the one that came last has it. */
static void fill_places(struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct place *place = batch->places[i];
        if (place && ftri_span_series_is_own(batch->series[i]))
            *place = (struct place){batch->series[i], key_of(batch->records[i])};
    }
}

static void observe_batch(struct batch *batch)
{
    ftri_span_metrics_observe_all(metrics.counts, batch->views, batch->series, batch->n);
    fill_places(batch);
    if (metrics.filter != FTR_EXEMPLARS_ALWAYS_ON)
        return;
    for (size_t i = 0; i < batch->n; i++)
        ftri_span_metrics_offer_in(metrics.counts, batch->series[i], &batch->views[i]);
}

/* Where reading makes texts of its own, those are in working memory, which the next one takes. */
static bool are_read_one_by_one(void)
{
    return metrics.settings.n_dimensions > 0 &&
           atomic_load_explicit(&ftri_record_form, memory_order_relaxed) != FTRI_FORM_PLAIN;
}

void ftri_metrics_observe(const struct ftri_record *const *records, size_t n)
{
    if (!metrics.counts)
        return;
    const size_t most = are_read_one_by_one() ? 1 : FTRI_METRICS_BATCH;
    for (size_t done = 0; done < n; done += most) {
        view_records(&metrics.batch, records + done, ftri_size_min(n - done, most));
        observe_batch(&metrics.batch);
    }
}

/* One that was observed a while ago. */
static void offer_later(const struct ftri_record *record)
{
    struct ftri_span_view view;
    ftr_value dimensions[FTRI_SPAN_DIMENSIONS_MAX];
    if (!read_view(record, dimensions, &view))
        return;
    if (!metrics.is_in_pass)
        pthread_mutex_lock(&metrics.counting);
    ftri_span_metrics_offer(metrics.counts, &view);
    if (!metrics.is_in_pass)
        pthread_mutex_unlock(&metrics.counting);
}

/* Open spans are exported, too, and were not observed. */
void ftri_metrics_offer(const struct ftri_record *record)
{
    struct batch *batch = &metrics.batch;
    if (!metrics.counts || metrics.filter != FTR_EXEMPLARS_TRACE_BASED ||
        record->bits & FTRI_RECORD_IS_OPEN)
        return;
    while (batch->next < batch->n && batch->records[batch->next] != record)
        batch->next++;
    if (batch->next >= batch->n) {
        offer_later(record);
        return;
    }
    ftri_span_metrics_offer_in(metrics.counts, batch->series[batch->next],
                               &batch->views[batch->next]);
    batch->next++;
}

/* With `reading` held. */
static int write_spans(uint64_t now_ns, const struct ftri_metric_sink *sink)
{
    if (!metrics.counts)
        return 0;
    pthread_mutex_lock(&metrics.counting);
    struct ftri_span_snapshot *snapshot = ftri_span_snapshot_new(metrics.counts);
    pthread_mutex_unlock(&metrics.counting);
    const int rc = snapshot ? ftri_span_snapshot_write(snapshot, now_ns, sink) : -ENOMEM;
    ftri_span_snapshot_free(snapshot);
    return rc;
}

static int write_all(const struct ftri_metric_sink *sink)
{
    const uint64_t now_ns = ftri_time_wall_ns();
    int rc = write_spans(now_ns, sink);
    if (rc == 0)
        rc = ftri_histograms_write(now_ns, sink);
    return rc < 0 ? rc : ftri_sources_write(now_ns, sink);
}

int ftri_metrics_encode(struct ftri_bytes *out, size_t *ret_n_points)
{
    struct ftri_otlp_metrics otlp;
    pthread_mutex_lock(&metrics.reading);
    const struct ftri_view resource =
        metrics.origin ? metrics.origin->resource_otlp : (struct ftri_view){NULL, 0};
    int rc = ftri_otlp_metrics_begin(&otlp, resource, out);
    const struct ftri_metric_sink sink = ftri_otlp_metrics_sink(&otlp);
    if (rc == 0)
        rc = write_all(&sink);
    if (rc == 0)
        rc = ftri_otlp_metrics_end(&otlp);
    pthread_mutex_unlock(&metrics.reading);
    *ret_n_points = otlp.n_points;
    return rc;
}

static int print(bool is_openmetrics, struct ftri_bytes *out, size_t *ret_n_points)
{
    struct ftri_metric_text text;
    ftri_metric_text_init(&text, out, is_openmetrics);
    const struct ftri_metric_sink sink = ftri_metric_text_sink(&text);
    pthread_mutex_lock(&metrics.reading);
    int rc = 0;
    if (metrics.origin)
        rc = ftri_metric_text_target(&text, metrics.origin->resource, metrics.origin->n_resource);
    if (rc == 0)
        rc = write_all(&sink);
    pthread_mutex_unlock(&metrics.reading);
    if (rc == 0)
        rc = ftri_metric_text_end(&text);
    *ret_n_points = text.n_points;
    ftri_metric_text_deinit(&text);
    return rc;
}

int ftri_metrics_print(struct ftri_bytes *out, size_t *ret_n_points)
{
    return print(false, out, ret_n_points);
}

ftr_status ftr_metrics_text(ftr_metrics_format format, ftr_metrics_sink *sink, void *argument)
{
    if ((unsigned)format > FTR_METRICS_OPENMETRICS)
        return FTR_ERR_INVALID;
    struct ftri_bytes text;
    size_t n_points = 0;
    ftri_bytes_init(&text, TEXT_LIMIT);
    const int rc = print(format == FTR_METRICS_OPENMETRICS, &text, &n_points);
    ftr_status status = rc == 0 ? FTR_OK : FTR_ERR_MEMORY;
    if (rc == 0 && text.len > 0 && !sink(argument, (const char *)text.data, text.len))
        status = FTR_ERR_IO;
    ftri_bytes_deinit(&text);
    return status;
}

void ftri_metrics_count(ftr_statistics *ret_statistics)
{
    pthread_mutex_lock(&metrics.counting);
    ret_statistics->metrics_missed = metrics.n_missed;
    if (metrics.counts) {
        const struct ftri_span_metrics_counts counts = ftri_span_metrics_count(metrics.counts);
        ret_statistics->metric_series = counts.n_series;
        ret_statistics->metrics_overflowed = counts.n_overflowing;
    }
    pthread_mutex_unlock(&metrics.counting);
}

void ftri_metrics_lock(void)
{
    pthread_mutex_lock(&metrics.reading);
    pthread_mutex_lock(&metrics.counting);
    ftri_histograms_lock();
    ftri_sources_lock();
}

void ftri_metrics_unlock(void)
{
    ftri_sources_unlock();
    ftri_histograms_unlock();
    pthread_mutex_unlock(&metrics.counting);
    pthread_mutex_unlock(&metrics.reading);
}

/* Whole data, as the worker was outside of a pass. Without memory nothing is counted there. */
void ftri_metrics_after_fork(void)
{
    pthread_mutex_init(&metrics.reading, NULL);
    pthread_mutex_init(&metrics.counting, NULL);
    ftri_histograms_after_fork();
    ftri_sources_after_fork();
    metrics.is_in_pass = false;
    metrics.n_missed = 0;
    if (!metrics.counts)
        return;
    ftri_span_metrics_free(metrics.counts);
    memset(metrics.places, 0, sizeof metrics.places);
    metrics.batch.n = 0;
    take_defaults();
    metrics.settings.start_ns = ftri_time_wall_ns();
    metrics.counts = ftri_span_metrics_new(&metrics.settings);
}
