/* SPDX-License-Identifier: Apache-2.0
 *
 * Row 17: what counting a span costs, ns of CPU a span, with as many series as the row says, each
 * as likely as any other. The spans are made before; every one is looked up by its name, kind,
 * status and one attribute, as the worker does. Afterwards the counts must be exactly those of the
 * spans offered. The baseline is what drawing a span at random from the same table costs without
 * counting it. */
#include "measure.h"
#include "metrics/metric.h"
#include "metrics/span_metrics.h"

#include <flowtrace/span.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 21, SPANS = 2000000, NAME_BYTES = 32 };

struct table {
    size_t n;
    char (*names)[NAME_BYTES];
    ftr_str *texts;
    ftr_value values[4];
    struct ftri_span_view view; /* the worker has its span at hand */
    struct ftri_span_metrics *metrics;
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
    table->metrics = ftri_span_metrics_new(&settings);
    if (!table->names || !table->texts || !table->metrics)
        fail("out of memory");
    for (size_t i = 0; i < 4; i++)
        table->values[i] =
            (ftr_value){.type = FTR_VALUE_STR, .as.str = {tenants[i], strlen(tenants[i])}};
    for (size_t i = 0; i < n; i++) {
        const int len =
            snprintf(table->names[i], NAME_BYTES, "GET /orders/%zu", n_dimensions ? i / 4 : i);
        table->texts[i] = (ftr_str){table->names[i], (size_t)len};
    }
    table->view = (struct ftri_span_view){
        .service = {"checkout", 8},
        .kind = FTR_KIND_SERVER,
        .whole = 1,
        .start_ns = 1700000000000000000,
    };
}

/* One span: a series and a duration up to 16 ms. */
static inline struct ftri_span_view *draw(struct table *table)
{
    table->state = table->state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t high = table->state >> 33;
    const size_t i = high * table->n >> 31;
    struct ftri_span_view *view = &table->view;
    view->name = table->texts[i];
    view->dimensions = &table->values[i % 4];
    view->end_ns = view->start_ns + (table->state >> 8 & 0xffffff);
    return view;
}

static double run_counting(void *argument)
{
    struct table *table = argument;
    const double start = measure_thread_ns();
    for (int i = 0; i < SPANS; i++)
        ftri_span_metrics_observe(table->metrics, draw(table));
    table->n_offered += SPANS;
    return (measure_thread_ns() - start) / SPANS;
}

static double run_drawing(void *argument)
{
    struct table *table = argument;
    const double start = measure_thread_ns();
    for (int i = 0; i < SPANS; i++)
        __asm__ volatile("" : : "r"(draw(table)) : "memory");
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

static void measure(const char *name, size_t n, size_t n_dimensions, double goal_ns)
{
    struct table table;
    char goal[32];
    fill(&table, n, n_dimensions);
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
}

int main(void)
{
    measure("span metrics, 1,000 series", 1000, 0, 10);
    measure("span metrics, 1,000 series by an attribute, too", 1000, 1, 0);
    measure("span metrics, 100,000 series", 100000, 0, 25);
    return 0;
}
