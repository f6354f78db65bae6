/* SPDX-License-Identifier: Apache-2.0
 *
 *   ResourceMetrics: resource 1, scope_metrics 2      ScopeMetrics: scope 1, metrics 2
 *   Metric: name 1, description 2, unit 3, sum 7, histogram 9, exponential_histogram 10
 *   Sum, Histogram, ExponentialHistogram: data_points 1, temporality 2; of Sum is_monotonic 3
 *   points: start 2, time 3; attributes and the rest as below
 *   Exemplar: time 2, as_double 3, span_id 4, trace_id 5 */
#include "otlp/metrics.h"

#include "codec/wire.h"
#include "metrics/metric.h"
#include "otlp/encode.h"

enum { DELTA = 1, CUMULATIVE = 2 };

/* Where the kinds of metrics, and of their points, differ. */
static const struct {
    uint32_t data;
    uint32_t attributes;
    uint32_t exemplars;
} numbers[] = {
    [FTRI_METRIC_SUM] = {7, 7, 5},
    [FTRI_METRIC_HISTOGRAM] = {9, 9, 8},
    [FTRI_METRIC_EXPONENTIAL] = {10, 1, 11},
};

static int put_text(struct ftri_bytes *out, uint32_t number, ftr_str text)
{
    return text.len ? ftri_wire_put_bytes(out, number, ftri_view_of(text.data, text.len)) : 0;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static int put_double(struct ftri_bytes *out, uint32_t number, double value)
{
    return ftri_wire_put_fixed64(out, number, bits_of(value));
}

static uint64_t zigzag(int32_t value)
{
    return (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0);
}

/* Packed. */
static int put_fixed64s(struct ftri_bytes *out, uint32_t number, const uint64_t *values, size_t n)
{
    int r = ftri_wire_put_header(out, number, n * 8);
    if (r == 0)
        r = ftri_bytes_reserve(out, n * 8);
    for (size_t i = 0; i < n && r == 0; i++) {
        const uint64_t value = ftri_wire_load64((const uint8_t *)&values[i]);
        r = ftri_bytes_append(out, &value, sizeof value);
    }
    return r;
}

static int put_doubles(struct ftri_bytes *out, uint32_t number, const double *values, size_t n)
{
    int r = ftri_wire_put_header(out, number, n * 8);
    for (size_t i = 0; i < n && r == 0; i++) {
        const uint64_t bits = bits_of(values[i]);
        r = ftri_bytes_append(out, &(uint64_t){ftri_wire_load64((const uint8_t *)&bits)}, 8);
    }
    return r;
}

static int put_varint(struct ftri_bytes *out, uint64_t value)
{
    const size_t size = ftri_wire_varint_size(value);
    const int r = ftri_bytes_reserve(out, size);
    if (r < 0)
        return r;
    (void)ftri_wire_back_varint(out->data + out->len + size, value);
    out->len += size;
    return 0;
}

/* Buckets: offset 1, bucket_counts 2, packed. */
static int put_buckets(struct ftri_bytes *out, uint32_t number,
                       const struct ftri_metric_point *point)
{
    size_t buckets, counts;
    int r = ftri_wire_begin(out, number, &buckets);
    if (r == 0)
        r = ftri_wire_put_varint(out, 1, zigzag(point->offset));
    if (r == 0)
        r = ftri_wire_begin(out, 2, &counts);
    for (size_t i = 0; i < point->n_counts && r == 0; i++)
        r = put_varint(out, point->counts[i]);
    if (r == 0)
        r = ftri_wire_end(out, counts);
    return r < 0 ? r : ftri_wire_end(out, buckets);
}

static int put_exemplar(struct ftri_bytes *out, uint32_t number,
                        const struct ftri_exemplar *exemplar)
{
    size_t mark;
    int r = ftri_wire_begin(out, number, &mark);
    if (r == 0)
        r = ftri_wire_put_fixed64(out, 2, exemplar->time_ns);
    if (r == 0)
        r = put_double(out, 3, exemplar->value);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 4, ftri_view_of(exemplar->span_id.bytes, 8));
    if (r == 0)
        r = ftri_wire_put_bytes(out, 5, ftri_view_of(exemplar->trace_id.bytes, 16));
    return r < 0 ? r : ftri_wire_end(out, mark);
}

static int put_explicit(struct ftri_bytes *out, const struct ftri_metric *metric,
                        const struct ftri_metric_point *point)
{
    const int r = put_fixed64s(out, 6, point->counts, point->n_counts);
    return r < 0 ? r : put_doubles(out, 7, metric->bounds, metric->n_bounds);
}

static int put_exponential(struct ftri_bytes *out, const struct ftri_metric_point *point)
{
    int r = ftri_wire_put_varint(out, 6, zigzag(point->scale));
    if (r == 0)
        r = ftri_wire_put_fixed64(out, 7, point->zero_count);
    return r < 0 ? r : put_buckets(out, 8, point);
}

static int put_histogram(struct ftri_bytes *out, const struct ftri_metric *metric,
                         const struct ftri_metric_point *point)
{
    int r = ftri_wire_put_fixed64(out, 4, point->count);
    if (r == 0)
        r = put_double(out, 5, point->sum);
    if (r < 0)
        return r;
    return metric->kind == FTRI_METRIC_HISTOGRAM ? put_explicit(out, metric, point)
                                                 : put_exponential(out, point);
}

/* as_double, or as_int, which is fixed, too. */
static int put_number(struct ftri_bytes *out, const struct ftri_metric *metric,
                      const struct ftri_metric_point *point)
{
    return metric->is_fractional ? put_double(out, 4, point->sum)
                                 : ftri_wire_put_fixed64(out, 6, point->count);
}

static int put_point(struct ftri_bytes *out, const struct ftri_metric *metric,
                     const struct ftri_metric_point *point)
{
    int r = ftri_otlp_encode_attributes(point->attributes, point->n_attributes,
                                        numbers[metric->kind].attributes, out);
    if (r == 0)
        r = ftri_wire_put_fixed64(out, 2, point->start_ns);
    if (r == 0)
        r = ftri_wire_put_fixed64(out, 3, point->time_ns);
    if (r == 0)
        r = metric->kind == FTRI_METRIC_SUM ? put_number(out, metric, point)
                                            : put_histogram(out, metric, point);
    for (size_t i = 0; i < point->n_exemplars && r == 0; i++)
        r = put_exemplar(out, numbers[metric->kind].exemplars, &point->exemplars[i]);
    return r;
}

static int metrics_point(void *argument, const struct ftri_metric_point *point)
{
    struct ftri_otlp_metrics *self = argument;
    size_t mark;
    int r = ftri_wire_begin(self->out, 1, &mark);
    if (r == 0)
        r = put_point(self->out, self->metric, point);
    self->n_points++;
    return r < 0 ? r : ftri_wire_end(self->out, mark);
}

static int end_family(struct ftri_otlp_metrics *self)
{
    struct ftri_bytes *out = self->out;
    if (!self->has_family)
        return 0;
    const bool is_sum = self->kind == FTRI_METRIC_SUM;
    int r =
        ftri_wire_put_varint(out, 2, is_sum && self->sum == FTRI_SUM_DELTA ? DELTA : CUMULATIVE);
    if (r == 0 && is_sum && self->sum != FTRI_SUM_LEVEL)
        r = ftri_wire_put_varint(out, 3, true);
    if (r == 0)
        r = ftri_wire_end(out, self->data);
    return r < 0 ? r : ftri_wire_end(out, self->family);
}

static int begin_scope(struct ftri_otlp_metrics *self, const struct ftri_metric *metric)
{
    size_t mark;
    int r = ftri_wire_begin(self->out, 2, &self->scope);
    if (r < 0 || metric->scope.len == 0)
        return r;
    r = ftri_wire_begin(self->out, 1, &mark);
    if (r == 0)
        r = put_text(self->out, 1, metric->scope);
    if (r == 0)
        r = put_text(self->out, 2, metric->scope_version);
    return r < 0 ? r : ftri_wire_end(self->out, mark);
}

static bool is_same(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static int change_scope(struct ftri_otlp_metrics *self, const struct ftri_metric *metric)
{
    if (self->has_family && is_same(self->scope_name, metric->scope))
        return 0;
    const int r = self->has_family ? ftri_wire_end(self->out, self->scope) : 0;
    return r < 0 ? r : begin_scope(self, metric);
}

static int metrics_family(void *argument, const struct ftri_metric *metric)
{
    struct ftri_otlp_metrics *self = argument;
    struct ftri_bytes *out = self->out;
    int r = end_family(self);
    if (r == 0)
        r = change_scope(self, metric);
    if (r == 0)
        r = ftri_wire_begin(out, 2, &self->family);
    if (r == 0)
        r = put_text(out, 1, metric->name);
    if (r == 0)
        r = put_text(out, 2, metric->help);
    if (r == 0)
        r = put_text(out, 3, metric->unit);
    if (r == 0)
        r = ftri_wire_begin(out, numbers[metric->kind].data, &self->data);
    self->metric = metric;
    self->has_family = true;
    self->kind = (uint8_t)metric->kind;
    self->sum = (uint8_t)metric->sum;
    self->scope_name = metric->scope;
    return r;
}

struct ftri_metric_sink ftri_otlp_metrics_sink(struct ftri_otlp_metrics *self)
{
    return (struct ftri_metric_sink){metrics_family, metrics_point, self};
}

int ftri_otlp_metrics_begin(struct ftri_otlp_metrics *self, struct ftri_view resource,
                            struct ftri_bytes *out)
{
    *self = (struct ftri_otlp_metrics){.out = out};
    const int r = ftri_wire_begin(out, 1, &self->resource);
    return r < 0 ? r : ftri_wire_put_bytes(out, 1, resource);
}

int ftri_otlp_metrics_end(struct ftri_otlp_metrics *self)
{
    int r = end_family(self);
    if (r == 0 && self->has_family)
        r = ftri_wire_end(self->out, self->scope);
    return r < 0 ? r : ftri_wire_end(self->out, self->resource);
}
