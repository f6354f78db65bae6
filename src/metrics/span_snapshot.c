/* SPDX-License-Identifier: Apache-2.0
 *
 * The counts of all series copied at once, so that calls and durations are of one moment; names are
 * read where they are. Two families, the second one's buckets are the first one's calls. */
#include "base/mem.h"
#include "metrics/exponential.h"
#include "metrics/metric.h"
#include "metrics/span_table.h"

#include <flowtrace/span.h>
#include <string.h>

/* Counts and exemplars of series i begin at i times their numbers. */
struct ftri_span_snapshot {
    const struct ftri_span_metrics *of;
    size_t n_series;
    const struct ftri_span_series **series;
    ftri_ns_sum *sums_ns;
    uint64_t *counts;
    struct ftri_exponential *exponentials;
    struct ftri_exemplar *exemplars;
    size_t *n_exemplars;
};

static bool make_room(struct ftri_span_snapshot *self)
{
    const struct ftri_span_shape *shape = &self->of->shape;
    const size_t n = self->n_series + 1; /* none is no reason for NULL */
    self->series = ftri_alloc_array(n, sizeof *self->series);
    self->sums_ns = ftri_alloc_array(n, sizeof *self->sums_ns);
    self->n_exemplars = ftri_alloc_array(n, sizeof *self->n_exemplars);
    self->exemplars =
        ftri_alloc_array(n, shape->n_exemplars * sizeof *self->exemplars + sizeof(double));
    if (shape->n_buckets > 0)
        self->counts = ftri_alloc_array(n, shape->n_buckets * sizeof *self->counts);
    else
        self->exponentials = ftri_alloc_array(n, sizeof *self->exponentials);
    return self->series && self->sums_ns && self->n_exemplars && self->exemplars &&
           (self->counts || self->exponentials);
}

static void copy_series(struct ftri_span_snapshot *self, size_t i,
                        const struct ftri_span_series *series)
{
    const struct ftri_span_shape *shape = &self->of->shape;
    self->series[i] = series;
    self->sums_ns[i] = series->sum_ns;
    for (size_t k = 0; k < shape->n_buckets; k++)
        self->counts[i * shape->n_buckets + k] = ftri_span_count(series, shape->n_buckets, k);
    if (shape->n_buckets == 0)
        self->exponentials[i] = *ftri_span_exponential(series);
    struct ftri_exemplar *exemplars = self->exemplars + i * shape->n_exemplars;
    for (size_t k = 0; k < shape->n_exemplars; k++)
        if (series->exemplars[k].time_ns > 0)
            exemplars[self->n_exemplars[i]++] = series->exemplars[k];
}

struct ftri_span_snapshot *ftri_span_snapshot_new(const struct ftri_span_metrics *of)
{
    struct ftri_span_snapshot *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->of = of;
    self->n_series = of->n_series + (of->n_overflowing > 0);
    if (!make_room(self)) {
        ftri_span_snapshot_free(self);
        return NULL;
    }
    for (size_t i = 0; i < of->n_series; i++)
        copy_series(self, i, of->series[i]);
    if (of->n_overflowing > 0)
        copy_series(self, of->n_series, of->overflow);
    return self;
}

void ftri_span_snapshot_free(struct ftri_span_snapshot *self)
{
    if (!self)
        return;
    ftri_free(self->series);
    ftri_free(self->sums_ns);
    ftri_free(self->counts);
    ftri_free(self->exponentials);
    ftri_free(self->exemplars);
    ftri_free(self->n_exemplars);
    ftri_free(self);
}

/* The names of opentelemetry.proto.trace.v1, as the span metrics connector writes them. */
static ftr_str kind_name(uint32_t kind)
{
    static const ftr_str names[] = {
        [FTR_KIND_INTERNAL] = {"SPAN_KIND_INTERNAL", 18},
        [FTR_KIND_SERVER] = {"SPAN_KIND_SERVER", 16},
        [FTR_KIND_CLIENT] = {"SPAN_KIND_CLIENT", 16},
        [FTR_KIND_PRODUCER] = {"SPAN_KIND_PRODUCER", 18},
        [FTR_KIND_CONSUMER] = {"SPAN_KIND_CONSUMER", 18},
    };
    return kind < FTRI_COUNT(names) && names[kind].data ? names[kind]
                                                        : FTR_STR("SPAN_KIND_UNSPECIFIED");
}

static ftr_str status_name(uint32_t status)
{
    return status == FTR_SPAN_ERROR ? FTR_STR("STATUS_CODE_ERROR")
           : status == FTR_SPAN_OK  ? FTR_STR("STATUS_CODE_OK")
                                    : FTR_STR("STATUS_CODE_UNSET");
}

enum { ATTRIBUTES_MAX = FTRI_SPAN_DIMENSIONS_MAX + 5 };

static ftr_value text_value(ftr_str text)
{
    return (ftr_value){.type = FTR_VALUE_STR, .as.str = text};
}

static ftr_attribute mark(ftr_str key)
{
    return (ftr_attribute){key, {.type = FTR_VALUE_BOOL, .as.boolean = true}};
}

static size_t put_attributes(const struct ftri_span_metrics *of,
                             const struct ftri_span_series *series,
                             ftr_attribute attributes[ATTRIBUTES_MAX])
{
    size_t n = 0;
    if (series->traits & FTRI_SPAN_IS_OVERFLOW) {
        attributes[n++] = mark(FTR_STR("otel.metric.overflow"));
        return n;
    }
    if (series->service->name.len > 0)
        attributes[n++] =
            (ftr_attribute){FTR_STR("service.name"), text_value(series->service->name)};
    attributes[n++] = (ftr_attribute){FTR_STR("span.name"), text_value(ftri_span_name(series))};
    attributes[n++] =
        (ftr_attribute){FTR_STR("span.kind"), text_value(kind_name(series->traits >> 16))};
    attributes[n++] =
        (ftr_attribute){FTR_STR("status.code"), text_value(status_name(series->traits >> 8 & 255))};
    if (series->traits & 255)
        attributes[n++] = mark(FTR_STR("sampling.estimated"));
    for (size_t i = 0; i < of->n_dimensions; i++)
        if (series->dimensions[i].type != FTR_VALUE_EMPTY)
            attributes[n++] = (ftr_attribute){of->dimensions[i], series->dimensions[i]};
    return n;
}

static void fill_counts(const struct ftri_span_snapshot *self, size_t i,
                        struct ftri_metric_point *point)
{
    const size_t n_buckets = self->of->shape.n_buckets;
    if (n_buckets > 0) {
        point->counts = self->counts + i * n_buckets;
        point->n_counts = n_buckets;
        point->count = 0;
        for (size_t k = 0; k < n_buckets; k++)
            point->count += point->counts[k];
        return;
    }
    const struct ftri_exponential *exponential = &self->exponentials[i];
    point->counts = exponential->counts;
    point->n_counts = exponential->n_counts;
    point->scale = exponential->scale;
    point->offset = exponential->offset;
    point->zero_count = exponential->zero_count;
    point->count = ftri_exponential_count(exponential);
}

static int write_family(const struct ftri_span_snapshot *self, const struct ftri_metric *metric,
                        uint64_t now_ns, const struct ftri_metric_sink *sink)
{
    const struct ftri_span_metrics *of = self->of;
    int r = sink->family(sink->argument, metric);
    for (size_t i = 0; i < self->n_series && r == 0; i++) {
        ftr_attribute attributes[ATTRIBUTES_MAX];
        struct ftri_metric_point point = {
            .attributes = attributes,
            .n_attributes = put_attributes(of, self->series[i], attributes),
            .start_ns = of->start_ns,
            .time_ns = now_ns,
        };
        fill_counts(self, i, &point);
        if (metric->kind != FTRI_METRIC_SUM) {
            point.sum = (double)self->sums_ns[i] / of->ns_per_unit;
            point.exemplars = self->exemplars + i * of->shape.n_exemplars;
            point.n_exemplars = self->n_exemplars[i];
        }
        r = sink->point(sink->argument, &point);
    }
    return r;
}

int ftri_span_snapshot_write(const struct ftri_span_snapshot *self, uint64_t now_ns,
                             const struct ftri_metric_sink *sink)
{
    const struct ftri_span_metrics *of = self->of;
    const bool is_exponential = of->shape.n_buckets == 0;
    const struct ftri_metric calls = {
        .scope = FTR_STR("flowtrace"),
        .scope_version = FTR_STR(FTR_VERSION),
        .name = FTR_STR("traces.span.metrics.calls"),
        .help = FTR_STR("Spans that ended, before any sampling."),
        .unit = FTR_STR("{call}"),
        .kind = FTRI_METRIC_SUM,
    };
    const struct ftri_metric duration = {
        .scope = FTR_STR("flowtrace"),
        .scope_version = FTR_STR(FTR_VERSION),
        .name = FTR_STR("traces.span.metrics.duration"),
        .help = FTR_STR("How long spans took, before any sampling."),
        .unit = of->is_in_ms ? FTR_STR("ms") : FTR_STR("s"),
        .kind = is_exponential ? FTRI_METRIC_EXPONENTIAL : FTRI_METRIC_HISTOGRAM,
        .bounds = is_exponential ? NULL : of->bounds.values,
        .n_bounds = is_exponential ? 0 : of->bounds.n,
    };
    const int r = write_family(self, &calls, now_ns, sink);
    return r < 0 ? r : write_family(self, &duration, now_ns, sink);
}
