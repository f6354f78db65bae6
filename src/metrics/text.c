/* SPDX-License-Identifier: Apache-2.0
 *
 *   # TYPE name histogram
 *   # UNIT name seconds                                       (OpenMetrics)
 *   # HELP name sentence
 *   name_bucket{key="value",le="0.5"} 3 # {trace_id="..."} 0.4 1700000000.5
 *   name_bucket{key="value",le="+Inf"} 4
 *   name_sum{key="value"} 2.5
 *   name_count{key="value"} 4
 *   # EOF                                                     (OpenMetrics)
 *
 * In values of labels \ " and line ends are escaped, in help \ and line ends, in OpenMetrics also
 * ". What is not UTF-8 becomes U+FFFD. */
#include "metrics/text.h"

#include "codec/json_number.h"
#include "codec/utf8.h"
#include "metrics/exponential.h"
#include "metrics/metric.h"
#include "metrics/text_name.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NAME_BYTES_MAX = 64 * 1024, LABELS_BYTES_MAX = 4 << 20 };

void ftri_metric_text_init(struct ftri_metric_text *self, struct ftri_bytes *out,
                           bool is_openmetrics)
{
    *self = (struct ftri_metric_text){.out = out, .is_openmetrics = is_openmetrics};
    ftri_bytes_init(&self->name, NAME_BYTES_MAX);
    ftri_bytes_init(&self->labels, LABELS_BYTES_MAX);
}

void ftri_metric_text_deinit(struct ftri_metric_text *self)
{
    ftri_bytes_deinit(&self->name);
    ftri_bytes_deinit(&self->labels);
}

static int put(struct ftri_bytes *out, const char *text)
{
    return ftri_bytes_append(out, text, strlen(text));
}

static int put_escaped_char(struct ftri_bytes *out, char c, bool escapes_quotes)
{
    if (c == '\n')
        return put(out, "\\n");
    if (c == '\\' || (c == '"' && escapes_quotes)) {
        const int r = ftri_bytes_append_char(out, '\\');
        return r < 0 ? r : ftri_bytes_append_char(out, c);
    }
    return ftri_bytes_append_char(out, c);
}

static int put_escaped_valid(struct ftri_bytes *out, ftr_str text, bool escapes_quotes)
{
    int r = 0;
    for (size_t i = 0; i < text.len && r == 0; i++)
        r = put_escaped_char(out, text.data[i], escapes_quotes);
    return r;
}

static int put_escaped(struct ftri_bytes *out, ftr_str text, bool escapes_quotes)
{
    if (ftri_utf8_is_valid(text))
        return put_escaped_valid(out, text, escapes_quotes);
    struct ftri_bytes repaired;
    ftri_bytes_init(&repaired, SIZE_MAX / 2);
    const size_t len = ftri_utf8_repaired_size(text);
    int r = ftri_bytes_reserve(&repaired, len);
    if (r == 0) {
        ftri_utf8_repair(text, (char *)repaired.data);
        r = put_escaped_valid(out, (ftr_str){(const char *)repaired.data, len}, escapes_quotes);
    }
    ftri_bytes_deinit(&repaired);
    return r;
}

/* OpenMetrics wants 1.0 where the other has 1, in bounds. */
static int put_double(struct ftri_bytes *out, double value, bool is_canonical)
{
    if (isnan(value))
        return put(out, "NaN");
    if (isinf(value))
        return put(out, value > 0 ? "+Inf" : "-Inf");
    char text[FTRI_JSON_F64_BYTES];
    const size_t len = ftri_json_format_f64(value, text);
    const bool is_whole = !memchr(text, '.', len) && !memchr(text, 'e', len);
    const int r = ftri_bytes_append(out, text, len);
    return r < 0 || !is_canonical || !is_whole ? r : put(out, ".0");
}

static int put_value(struct ftri_bytes *out, const ftr_value *value)
{
    switch (value->type) {
    case FTR_VALUE_STR:
        return put_escaped(out, value->as.str, true);
    case FTR_VALUE_BOOL:
        return put(out, value->as.boolean ? "true" : "false");
    case FTR_VALUE_I64:
        return ftri_bytes_printf(out, "%" PRId64, value->as.i64);
    case FTR_VALUE_F64:
        return put_double(out, value->as.f64, false);
    default:
        return 0;
    }
}

/* Of keys that become one label the values are joined by semicolons. */
static int put_label(struct ftri_bytes *out, const ftr_attribute *attributes, size_t n, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (ftri_text_same_label(attributes[k].key, attributes[i].key))
            return 0;
    int r = out->len > 0 ? ftri_bytes_append_char(out, ',') : 0;
    if (r == 0)
        r = ftri_text_label_name(attributes[i].key, out);
    if (r == 0)
        r = put(out, "=\"");
    if (r == 0)
        r = put_value(out, &attributes[i].value);
    for (size_t k = i + 1; k < n && r == 0; k++) {
        if (!ftri_text_same_label(attributes[k].key, attributes[i].key))
            continue;
        r = ftri_bytes_append_char(out, ';');
        if (r == 0)
            r = put_value(out, &attributes[k].value);
    }
    return r < 0 ? r : ftri_bytes_append_char(out, '"');
}

static int put_labels(struct ftri_bytes *out, const ftr_attribute *attributes, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = put_label(out, attributes, n, i);
    return r;
}

static int put_scope(struct ftri_bytes *out, const struct ftri_metric *metric)
{
    const ftr_attribute scope[] = {
        {FTR_STR("otel_scope_name"), {.type = FTR_VALUE_STR, .as.str = metric->scope}},
        {FTR_STR("otel_scope_version"), {.type = FTR_VALUE_STR, .as.str = metric->scope_version}},
    };
    return put_labels(out, scope, metric->scope.len > 0 ? FTRI_COUNT(scope) : 0);
}

/* "# TYPE name word", and the like. */
static int put_comment(struct ftri_metric_text *self, const char *what, const char *suffix,
                       const char *word)
{
    return ftri_bytes_printf(self->out, "# %s %.*s%s %s\n", what, (int)self->name.len,
                             (const char *)self->name.data, suffix, word);
}

static int put_help(struct ftri_metric_text *self, const char *suffix, ftr_str help)
{
    struct ftri_bytes *out = self->out;
    int r = ftri_bytes_printf(out, "# HELP %.*s%s ", (int)self->name.len,
                              (const char *)self->name.data, suffix);
    if (r == 0)
        r = put_escaped(out, help, self->is_openmetrics);
    return r < 0 ? r : ftri_bytes_append_char(out, '\n');
}

/* A sum that only grows; a level is a gauge. */
static bool is_counter(const struct ftri_metric *metric)
{
    return metric->kind == FTRI_METRIC_SUM && metric->sum != FTRI_SUM_LEVEL;
}

static const char *type_of(const struct ftri_metric *metric)
{
    if (metric->kind != FTRI_METRIC_SUM)
        return "histogram";
    return is_counter(metric) ? "counter" : "gauge";
}

static int text_family(void *argument, const struct ftri_metric *metric)
{
    struct ftri_metric_text *self = argument;
    const char *suffix = is_counter(metric) && !self->is_openmetrics ? "_total" : "";
    const ftr_str unit = ftri_text_unit(metric->unit);
    self->metric = metric;
    ftri_bytes_reset(&self->name);
    int r = ftri_text_family_name(metric, &self->name);
    if (r == 0)
        r = put_comment(self, "TYPE", suffix, type_of(metric));
    if (r == 0 && self->is_openmetrics && unit.len > 0) {
        char text[64] = "";
        memcpy(text, unit.data, ftri_size_min(unit.len, sizeof text - 1));
        r = put_comment(self, "UNIT", "", text);
    }
    return r < 0 ? r : put_help(self, suffix, metric->help);
}

/* name_suffix{labels,le="bound"} with a space behind; bound NULL: without le. */
static int put_sample(struct ftri_metric_text *self, const char *suffix, const double *bound)
{
    struct ftri_bytes *out = self->out;
    int r = ftri_bytes_append(out, self->name.data, self->name.len);
    if (r == 0)
        r = put(out, suffix);
    if (r < 0 || (self->labels.len == 0 && !bound))
        return r < 0 ? r : ftri_bytes_append_char(out, ' ');
    r = ftri_bytes_append_char(out, '{');
    if (r == 0)
        r = ftri_bytes_append(out, self->labels.data, self->labels.len);
    if (r == 0 && bound) {
        r = put(out, self->labels.len > 0 ? ",le=\"" : "le=\"");
        if (r == 0)
            r = put_double(out, *bound, self->is_openmetrics);
        if (r == 0)
            r = put(out, "\"");
    }
    return r < 0 ? r : put(out, "} ");
}

static int put_exemplar(struct ftri_metric_text *self, const struct ftri_exemplar *exemplar)
{
    char trace_id[33];
    char span_id[17];
    struct ftri_bytes *out = self->out;
    ftr_trace_id_format(&exemplar->trace_id, trace_id);
    ftr_span_id_format(&exemplar->span_id, span_id);
    int r = ftri_bytes_printf(out, " # {trace_id=\"%s\",span_id=\"%s\"} ", trace_id, span_id);
    if (r == 0)
        r = put_double(out, exemplar->value, true);
    return r < 0 ? r
                 : ftri_bytes_printf(out, " %" PRIu64 ".%09" PRIu64,
                                     exemplar->time_ns / UINT64_C(1000000000),
                                     exemplar->time_ns % UINT64_C(1000000000));
}

/* The latest one above `below` and not above bound; NULL: none. */
static const struct ftri_exemplar *exemplar_of(const struct ftri_metric_point *point, double below,
                                               double bound)
{
    const struct ftri_exemplar *latest = NULL;
    for (size_t i = 0; i < point->n_exemplars; i++) {
        const struct ftri_exemplar *exemplar = &point->exemplars[i];
        const bool is_inside = exemplar->value > below && exemplar->value <= bound;
        if (is_inside && (!latest || exemplar->time_ns > latest->time_ns))
            latest = exemplar;
    }
    return latest;
}

/* A bucket from `below` up to bound, and what lies below it in all. */
struct bucket {
    double below;
    double bound;
    uint64_t count;
};

static int put_bucket(struct ftri_metric_text *self, const struct ftri_metric_point *point,
                      const struct bucket *bucket)
{
    int r = put_sample(self, "_bucket", &bucket->bound);
    if (r == 0)
        r = ftri_bytes_printf(self->out, "%" PRIu64, bucket->count);
    const struct ftri_exemplar *exemplar =
        self->is_openmetrics ? exemplar_of(point, bucket->below, bucket->bound) : NULL;
    if (r == 0 && exemplar)
        r = put_exemplar(self, exemplar);
    return r < 0 ? r : ftri_bytes_append_char(self->out, '\n');
}

static int put_explicit(struct ftri_metric_text *self, const struct ftri_metric_point *point)
{
    const struct ftri_metric *metric = self->metric;
    struct bucket bucket = {.below = -INFINITY};
    int r = 0;
    for (size_t i = 0; i < point->n_counts && r == 0; i++) {
        bucket.bound = i < metric->n_bounds ? metric->bounds[i] : INFINITY;
        bucket.count += point->counts[i];
        r = put_bucket(self, point, &bucket);
        bucket.below = bucket.bound;
    }
    return r;
}

static int put_exponential(struct ftri_metric_text *self, const struct ftri_metric_point *point)
{
    struct bucket bucket = {.below = -INFINITY, .count = point->zero_count};
    int r = point->zero_count > 0 ? put_bucket(self, point, &bucket) : 0;
    for (size_t i = 0; i < point->n_counts && r == 0; i++) {
        if (point->counts[i] == 0)
            continue;
        bucket.below = bucket.bound;
        bucket.bound = ftri_exponential_upper(point->offset + (int32_t)i, point->scale);
        bucket.count += point->counts[i];
        r = put_bucket(self, point, &bucket);
    }
    if (r < 0 || isinf(bucket.bound))
        return r;
    bucket.below = bucket.bound;
    bucket.bound = INFINITY;
    return put_bucket(self, point, &bucket);
}

static int put_histogram(struct ftri_metric_text *self, const struct ftri_metric_point *point)
{
    int r = self->metric->kind == FTRI_METRIC_EXPONENTIAL ? put_exponential(self, point)
                                                          : put_explicit(self, point);
    if (r == 0)
        r = put_sample(self, "_sum", NULL);
    if (r == 0)
        r = put_double(self->out, point->sum, false);
    if (r == 0)
        r = put(self->out, "\n");
    if (r == 0)
        r = put_sample(self, "_count", NULL);
    return r < 0 ? r : ftri_bytes_printf(self->out, "%" PRIu64 "\n", point->count);
}

static int put_number(struct ftri_metric_text *self, const struct ftri_metric_point *point)
{
    int r = put_sample(self, is_counter(self->metric) ? "_total" : "", NULL);
    if (r == 0)
        r = self->metric->is_fractional ? put_double(self->out, point->sum, false)
                                        : ftri_bytes_printf(self->out, "%" PRIu64, point->count);
    return r < 0 ? r : ftri_bytes_append_char(self->out, '\n');
}

static int text_point(void *argument, const struct ftri_metric_point *point)
{
    struct ftri_metric_text *self = argument;
    self->n_points++;
    ftri_bytes_reset(&self->labels);
    int r = put_scope(&self->labels, self->metric);
    if (r == 0)
        r = put_labels(&self->labels, point->attributes, point->n_attributes);
    if (r < 0 || self->metric->kind != FTRI_METRIC_SUM)
        return r < 0 ? r : put_histogram(self, point);
    return put_number(self, point);
}

struct ftri_metric_sink ftri_metric_text_sink(struct ftri_metric_text *self)
{
    return (struct ftri_metric_sink){text_family, text_point, self};
}

int ftri_metric_text_target(struct ftri_metric_text *self, const ftr_attribute *resource,
                            size_t n_resource)
{
    ftri_bytes_reset(&self->labels);
    int r = put_labels(&self->labels, resource, n_resource);
    if (r < 0 || self->labels.len == 0)
        return r;
    r = put(self->out, self->is_openmetrics
                           ? "# TYPE target info\n# HELP target Who is speaking.\n"
                           : "# TYPE target_info gauge\n# HELP target_info Who is speaking.\n");
    if (r == 0)
        r = put(self->out, "target_info{");
    if (r == 0)
        r = ftri_bytes_append(self->out, self->labels.data, self->labels.len);
    return r < 0 ? r : put(self->out, "} 1\n");
}

int ftri_metric_text_end(struct ftri_metric_text *self)
{
    return self->is_openmetrics ? put(self->out, "# EOF\n") : 0;
}
