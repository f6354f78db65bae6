/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP to rows. A point is a row with one counter; points of one series and cut are put together.
 * Field numbers as in otlp/metrics.c; of a point start 2, time 3, as_int 6. */
#include "base/text.h"
#include "codec/wire.h"
#include "otlp/ledger_names.h"
#include "otlp/view.h"

#include <stdlib.h>
#include <string.h>

enum { DELTA = 1, CUMULATIVE = 2 };

/* A Metric message. */
struct metric {
    ftr_str name;
    struct ftri_view sum;
    uint64_t temporality;
    bool is_sum, is_monotonic;
};

struct point {
    struct ledger_row row;
    enum ledger_counter counter; /* but of an instance */
};

/* A checked message has no wrong fields. */
static bool next_field(struct ftri_view message, size_t *next, struct ftri_wire_field *ret_field)
{
    return ftri_wire_next(message, next, ret_field) == FTRI_WIRE_FIELD;
}

/* The next submessage of this number. */
static bool next_message(struct ftri_view message, uint32_t number, size_t *next,
                         struct ftri_view *ret_bytes)
{
    struct ftri_wire_field field;
    while (next_field(message, next, &field)) {
        if (field.number != number || field.type != FTRI_WIRE_BYTES)
            continue;
        *ret_bytes = field.bytes;
        return true;
    }
    return false;
}

/* The last one, which counts; empty: there is none. */
static struct ftri_view last_message(struct ftri_view message, uint32_t number)
{
    struct ftri_view found = {0};
    for (size_t next = 0; next_message(message, number, &next, &found);)
        ;
    return found;
}

static struct metric metric_of(struct ftri_view message)
{
    struct metric metric = {0};
    struct ftri_wire_field field;
    for (size_t next = 0; next_field(message, &next, &field);) {
        if (field.number == 1 && field.type == FTRI_WIRE_BYTES)
            metric.name = ftri_view_str(field.bytes);
        metric.is_sum = field.number == 7 ? true : metric.is_sum;
        if (field.number == 7)
            metric.sum = field.bytes;
    }
    for (size_t next = 0; next_field(metric.sum, &next, &field);) {
        metric.temporality = field.number == 2 ? field.value : metric.temporality;
        metric.is_monotonic = field.number == 3 ? field.value != 0 : metric.is_monotonic;
    }
    return metric;
}

static ftr_value find(enum ftri_otlp_owner owner, struct ftri_view message, ftr_str key)
{
    struct ftri_view value;
    return ftri_otlp_attribute_find(owner, message, key, &value)
               ? ftri_otlp_value_read(value)
               : (ftr_value){.type = FTR_VALUE_EMPTY};
}

static bool find_text(enum ftri_otlp_owner owner, struct ftri_view message, ftr_str key,
                      ftr_str *ret_text)
{
    const ftr_value value = find(owner, message, key);
    *ret_text = value.type == FTR_VALUE_STR ? value.as.str : (ftr_str){"", 0};
    return value.type == FTR_VALUE_STR && value.as.str.len <= LEDGER_TEXT_BYTES;
}

static bool find_attribute(struct ftri_view point, enum ledger_attribute name, ftr_str *ret_text)
{
    return find_text(FTRI_OTLP_NUMBER_POINT, point, ledger_attribute_names[name], ret_text);
}

/* False: it says no such thing. */
static bool read_numbers(struct ftri_view message, struct ledger_row *row, uint64_t *ret_value)
{
    bool has_value = false;
    struct ftri_wire_field field;
    for (size_t next = 0; next_field(message, &next, &field);) {
        if (field.number == 2)
            row->start_ns = field.value;
        else if (field.number == 3)
            row->end_ns = field.value;
        else if (field.number == 4 || field.number == 6)
            has_value = field.number == 6;
        if (field.number == 6)
            *ret_value = field.value;
    }
    return has_value && *ret_value <= INT64_MAX && row->start_ns < row->end_ns &&
           row->end_ns <= INT64_MAX;
}

static bool read_reason(struct ftri_view message, enum ledger_counter *ret_counter)
{
    ftr_str text;
    if (!find_attribute(message, LEDGER_ATTRIBUTE_REASON, &text))
        return false;
    for (int i = LEDGER_NODE_DROPPED; i < LEDGER_COUNTERS; i++) {
        if (!ftri_text_is(text, ledger_counter_name((enum ledger_counter)i)))
            continue;
        *ret_counter = (enum ledger_counter)i;
        return true;
    }
    return false;
}

static bool read_series(struct ftri_view message, struct ledger_row *row)
{
    if (!find_attribute(message, LEDGER_ATTRIBUTE_PIPELINE, &row->pipeline))
        return false;
    if (row->series == LEDGER_NODE)
        return find_attribute(message, LEDGER_ATTRIBUTE_NODE, &row->node);
    return row->series == LEDGER_INSTANCE ||
           (find_attribute(message, LEDGER_ATTRIBUTE_FROM, &row->node) &&
            find_attribute(message, LEDGER_ATTRIBUTE_PORT, &row->port) &&
            find_attribute(message, LEDGER_ATTRIBUTE_TO, &row->to));
}

static bool read_instance(struct ftri_view message, struct ledger_row *row)
{
    const ftr_value last =
        find(FTRI_OTLP_NUMBER_POINT, message, ledger_attribute_names[LEDGER_ATTRIBUTE_LAST]);
    uint64_t value;
    row->series = LEDGER_INSTANCE;
    row->is_last = last.type == FTR_VALUE_BOOL && last.as.boolean;
    return read_numbers(message, row, &value) && read_series(message, row);
}

/* False: it is no counter's. */
static bool read_counter(struct ftri_view message, enum ledger_counter counter,
                         struct ledger_row *row)
{
    row->series = ledger_series_of(counter);
    uint64_t value = 0;
    if (counter == LEDGER_NODE_DROPPED && !read_reason(message, &counter))
        return false;
    if (!read_numbers(message, row, &value) || !read_series(message, row))
        return false;
    row->mask = LEDGER_BIT(counter);
    row->counters[counter] = value;
    return true;
}

/* LEDGER_COUNTERS: the metric is no ledger's, or not the one of its name. NODE_DROPPED + 1 is the
 * instance's. */
enum { IS_INSTANCE = LEDGER_NODE_DROPPED + 1 };

static int kind_of(const struct metric *metric)
{
    if (!metric->is_sum)
        return LEDGER_COUNTERS;
    const bool is_counter = metric->is_monotonic && metric->temporality == DELTA;
    const bool is_level = !metric->is_monotonic && metric->temporality == CUMULATIVE;
    if (ftri_text_is(metric->name, LEDGER_INSTANCE_METRIC))
        return is_counter ? IS_INSTANCE : LEDGER_COUNTERS;
    for (int i = 0; i <= LEDGER_NODE_DROPPED; i++)
        if (ftri_text_is(metric->name, ledger_metrics[i].name))
            return (LEDGER_BIT(i) & LEDGER_LEVELS ? is_level : is_counter) ? i : LEDGER_COUNTERS;
    return LEDGER_COUNTERS;
}

static bool read_point(int kind, struct ftri_view message, struct ledger_row *row)
{
    return kind == IS_INSTANCE ? read_instance(message, row)
                               : read_counter(message, (enum ledger_counter)kind, row);
}

static bool has_instance(struct ftri_view resource, ftr_str *ret_instance)
{
    return find_text(FTRI_OTLP_RESOURCE, resource, FTR_STR(LEDGER_INSTANCE_ID), ret_instance) &&
           ret_instance->len > 0;
}

/* --- selecting ------------------------------------------------------------------------------- */

/* Gauge 5, Sum 7, Histogram 9, ExponentialHistogram 10, Summary 11; data_points 1 of each. */
static size_t count_points(struct ftri_view metric)
{
    size_t n = 0;
    struct ftri_wire_field field;
    struct ftri_view point;
    for (size_t next = 0; next_field(metric, &next, &field);) {
        if (field.type != FTRI_WIRE_BYTES || field.number < 5 || field.number > 11)
            continue;
        for (size_t inside = 0; next_message(field.bytes, 1, &inside, &point);)
            n++;
    }
    return n;
}

static bool is_ledger(struct ftri_view message)
{
    const struct metric metric = metric_of(message);
    const int kind = kind_of(&metric);
    struct ftri_view point;
    bool is_it = kind != LEDGER_COUNTERS;
    for (size_t next = 0; is_it && next_message(metric.sum, 1, &next, &point);) {
        struct ledger_row row = {0};
        is_it = read_point(kind, point, &row);
    }
    return is_it;
}

struct selection {
    struct ftri_bytes *out;
    size_t n_points, n_others;
};

/* ScopeMetrics: metrics 2. Its scope says nothing that a ledger needs. */
static int select_scope(struct selection *self, struct ftri_view scope, bool has_its_instance)
{
    size_t mark;
    struct ftri_view metric;
    int r = ftri_wire_begin(self->out, 2, &mark);
    for (size_t next = 0; r == 0 && next_message(scope, 2, &next, &metric);) {
        const size_t n = count_points(metric);
        const bool is_taken = has_its_instance && n > 0 && is_ledger(metric);
        *(is_taken ? &self->n_points : &self->n_others) += n;
        if (is_taken)
            r = ftri_wire_put_bytes(self->out, 2, metric);
    }
    return r == 0 ? ftri_wire_end(self->out, mark) : r;
}

static int select_resource(struct selection *self, struct ftri_view resource_metrics)
{
    const struct ftri_view resource = last_message(resource_metrics, 1);
    const size_t len = self->out->len, n_before = self->n_points;
    ftr_str instance;
    const bool has_its_instance = has_instance(resource, &instance);
    size_t mark;
    struct ftri_view scope;
    int r = ftri_wire_begin(self->out, 1, &mark);
    if (r == 0)
        r = ftri_wire_put_bytes(self->out, 1, resource);
    for (size_t next = 0; r == 0 && next_message(resource_metrics, 2, &next, &scope);)
        r = select_scope(self, scope, has_its_instance);
    if (r == 0)
        r = ftri_wire_end(self->out, mark);
    if (self->n_points == n_before)
        self->out->len = len;
    return r;
}

int ledger_select(struct ftri_view metrics, struct ftri_bytes *out, size_t *ret_n_points,
                  size_t *ret_n_others)
{
    struct selection selection = {.out = out};
    struct ftri_view resource_metrics;
    int r = 0;
    for (size_t next = 0; r == 0 && next_message(metrics, 1, &next, &resource_metrics);)
        r = select_resource(&selection, resource_metrics);
    *ret_n_points = selection.n_points;
    *ret_n_others = selection.n_others;
    return r;
}

/* --- reading --------------------------------------------------------------------------------- */

/* rows: struct ledger_row one behind the other. */
static int read_metric(struct ftri_bytes *rows, ftr_str instance, struct ftri_view message)
{
    const struct metric metric = metric_of(message);
    const int kind = kind_of(&metric);
    struct ftri_view point;
    int r = 0;
    for (size_t next = 0;
         r == 0 && kind != LEDGER_COUNTERS && next_message(metric.sum, 1, &next, &point);) {
        struct ledger_row row = {.instance = instance};
        if (read_point(kind, point, &row))
            r = ftri_bytes_append(rows, &row, sizeof row);
    }
    return r;
}

static int read_resource(struct ftri_bytes *rows, struct ftri_view resource_metrics)
{
    ftr_str instance;
    struct ftri_view scope, metric;
    int r = 0;
    if (!has_instance(last_message(resource_metrics, 1), &instance))
        return 0;
    for (size_t next = 0; r == 0 && next_message(resource_metrics, 2, &next, &scope);)
        for (size_t inside = 0; r == 0 && next_message(scope, 2, &inside, &metric);)
            r = read_metric(rows, instance, metric);
    return r;
}

static int compare(const void *left, const void *right)
{
    const struct ledger_row *a = left, *b = right;
    const ftr_str pairs[][2] = {{a->instance, b->instance},
                                {a->pipeline, b->pipeline},
                                {a->node, b->node},
                                {a->port, b->port},
                                {a->to, b->to}};
    if (a->series != b->series)
        return a->series < b->series ? -1 : 1;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    if (a->end_ns != b->end_ns)
        return a->end_ns < b->end_ns ? -1 : 1;
    for (size_t i = 0; i < FTRI_COUNT(pairs); i++) {
        const int r = ftri_str_compare(pairs[i][0], pairs[i][1]);
        if (r != 0)
            return r;
    }
    return 0;
}

/* Of one series and cut. The same point twice says the same twice. */
static void merge(struct ledger_row *to, const struct ledger_row *from)
{
    to->mask |= from->mask;
    to->is_last |= from->is_last;
    for (size_t i = 0; i < LEDGER_COUNTERS; i++)
        if (from->counters[i] > to->counters[i])
            to->counters[i] = from->counters[i];
}

static int report(const struct ftri_bytes *rows, ledger_each *each, void *argument)
{
    struct ledger_row *all = (struct ledger_row *)(void *)rows->data;
    const size_t n = rows->len / sizeof *all;
    int r = 0;
    if (n)
        qsort(all, n, sizeof *all, compare);
    for (size_t i = 0, next; r >= 0 && i < n; i = next) {
        for (next = i + 1; next < n && compare(&all[i], &all[next]) == 0; next++)
            merge(&all[i], &all[next]);
        r = each(argument, &all[i]);
    }
    return r;
}

int ledger_read(struct ftri_view metrics, ledger_each *each, void *argument)
{
    struct ftri_bytes rows FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_view resource_metrics;
    int r = 0;
    ftri_bytes_init(&rows, SIZE_MAX / 2);
    for (size_t next = 0; r == 0 && next_message(metrics, 1, &next, &resource_metrics);)
        r = read_resource(&rows, resource_metrics);
    return r == 0 ? report(&rows, each, argument) : r;
}
