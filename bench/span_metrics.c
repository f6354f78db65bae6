/* SPDX-License-Identifier: Apache-2.0
 *
 * Row 17: what counting a span costs, ns of CPU a span, with as many series as the row says, each
 * as likely as any other. The spans are made before; every one is looked up by its name, kind,
 * status and one attribute, a batch at a time, as the worker does; or ("of call
 * sites") where it is counted is known, as the worker knows it once a call site was looked up.
 * Afterwards the counts must be exactly those of the spans offered. The baseline is what drawing a
 * span at random from the same table costs without counting it. */
#include "measure.h"
#include "metrics/metric.h"
#include "metrics/span_metrics.h"

#include <flowtrace/span.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 21, SPANS = 2000000, NAME_BYTES = 32, BATCH = FTRI_SPAN_BATCH };

struct table {
    size_t n;
    char (*names)[NAME_BYTES];
    ftr_str *texts;
    ftr_value values[4];
    struct ftri_span_view views[BATCH]; /* as many spans as the worker has at hand */
    struct ftri_span_metrics *metrics;
    struct ftri_span_series **series; /* of each name; NULL: not known */
    bool has_sites;
    uint64_t state;
    uint64_t n_offered;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-span_metrics: %s\n", what);
    exit(1);
}

/* n series: names of 13 to 17 bytes; with a dimension, four of its values to each name. */
static void fill(struct table *table, size_t n, size_t n_dimensions)
{
    static const ftr_str key = {"tenant", 6};
    static const char *const tenants[] = {"blue", "green", "a-longer-tenant", "x"};
    const struct ftri_span_metrics_settings settings = {.is_in_ms = true,
                                                        .has_exemplars = true,
                                                        .dimensions = &key,
                                                        .n_dimensions = n_dimensions,
                                                        .series_max = (uint32_t)n + 2};
    *table = (struct table){.n = n, .state = 1};
    table->names = calloc(n, sizeof *table->names);
    table->texts = calloc(n, sizeof *table->texts);
    table->series = calloc(n, sizeof *table->series);
    table->metrics = ftri_span_metrics_new(&settings);
    if (!table->series || !table->names || !table->texts || !table->metrics)
        fail("out of memory");
    for (size_t i = 0; i < 4; i++)
        table->values[i] =
            (ftr_value){.type = FTR_VALUE_STR, .as.str = {tenants[i], strlen(tenants[i])}};
    for (size_t i = 0; i < n; i++) {
        const int len =
            snprintf(table->names[i], NAME_BYTES, "GET /orders/%zu", n_dimensions ? i / 4 : i);
        table->texts[i] = (ftr_str){table->names[i], (size_t)len};
    }
    for (size_t i = 0; i < BATCH; i++)
        table->views[i] = (struct ftri_span_view){
            .service = {"checkout", 8},
            .kind = FTR_KIND_SERVER,
            .whole = 1,
            .start_ns = 1700000000000000000,
        };
}

/* One span: a series and a duration up to 16 ms. */
static inline size_t draw(struct table *table, struct ftri_span_view *view)
{
    table->state = table->state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t high = table->state >> 33;
    const size_t i = high * table->n >> 31;
    view->name = table->texts[i];
    view->dimensions = &table->values[i % 4];
    view->end_ns = view->start_ns + (table->state >> 8 & 0xffffff);
    return i;
}

static void count_batch(struct table *table)
{
    struct ftri_span_series *series[BATCH];
    size_t drawn[BATCH];
    for (int k = 0; k < BATCH; k++) {
        drawn[k] = draw(table, &table->views[k]);
        series[k] = table->has_sites ? table->series[drawn[k]] : NULL;
    }
    ftri_span_metrics_observe_all(table->metrics, table->views, series, BATCH);
    for (int k = 0; k < BATCH && table->has_sites; k++)
        table->series[drawn[k]] = series[k];
}

static double run_counting(void *argument)
{
    struct table *table = argument;
    const double start = measure_thread_ns();
    for (int i = 0; i < SPANS; i += BATCH)
        count_batch(table);
    table->n_offered += SPANS;
    return (measure_thread_ns() - start) / SPANS;
}

static double run_drawing(void *argument)
{
    struct table *table = argument;
    const double start = measure_thread_ns();
    for (int i = 0; i < SPANS; i++) {
        (void)draw(table, &table->views[i % BATCH]);
        __asm__ volatile("" : : "r"(table->views) : "memory");
    }
    return (measure_thread_ns() - start) / SPANS;
}

struct total {
    size_t n_points;
    uint64_t n_calls;
};

static int take_family(void *argument, const struct ftri_metric *metric)
{
    (void)argument, (void)metric;
    return 0;
}

static int take_point(void *argument, const struct ftri_metric_point *point)
{
    struct total *total = argument;
    total->n_points++;
    total->n_calls += point->count;
    return 0;
}

static void check(const struct table *table)
{
    struct total total = {0};
    const struct ftri_metric_sink sink = {take_family, take_point, &total};
    struct ftri_span_snapshot *snapshot = ftri_span_snapshot_new(table->metrics);
    if (!snapshot || ftri_span_snapshot_write(snapshot, 1, &sink) < 0)
        fail("out of memory");
    ftri_span_snapshot_free(snapshot);
    if (total.n_points != 2 * table->n || total.n_calls != 2 * table->n_offered)
        fail("counts are not those of the spans offered");
}

static void measure(const char *name, size_t n, size_t n_dimensions, bool has_sites, double goal_ns)
{
    struct table table;
    char goal[32];
    fill(&table, n, n_dimensions);
    table.has_sites = has_sites;
    const struct measure_subject counting = {run_counting, &table};
    const struct measure_subject drawing = {run_drawing, &table};
    struct measure_row row = {.row = "17", .name = name, .unit = "ns", .goal = goal};
    row.pairs = measure_in_turn(counting, drawing, PAIRS);
    snprintf(goal, sizeof goal, "<= %g ns", goal_ns);
    row.verdict = row.pairs.value <= goal_ns ? MEASURE_HOLDS : MEASURE_FAILS;
    if (goal_ns == 0) {
        row.goal = NULL;
        row.verdict = MEASURE_NO_GOAL;
    }
    measure_print(&row);
    check(&table);
    ftri_span_metrics_free(table.metrics);
    free(table.names);
    free(table.texts);
    free(table.series);
}

int main(void)
{
    measure("span metrics, 1,000 series of call sites", 1000, 0, true, 10);
    measure("span metrics, 1,000 series by name", 1000, 0, false, 10);
    measure("span metrics, 1,000 series by an attribute, too", 1000, 1, false, 0);
    measure("span metrics, 100,000 series of call sites", 100000, 0, true, 25);
    measure("span metrics, 100,000 series by name", 100000, 0, false, 25);
    return 0;
}
