/* SPDX-License-Identifier: Apache-2.0
 *
 * Row 23: what tracing its own pipeline costs the program. The three nodes of a configuration run
 * at full speed, as `flowtrace run` runs them; tracing is turned on and off while they do. What is
 * lost of the throughput is by CPU time of the graph's thread: the worker has a core of its own. */
#include "app/pipeline.h"
#include "base/error.h"
#include "engine/account.h"
#include "measure.h"
#include "net/loop.h"
#include "null_sink.h"

#include <flowtrace/flowtrace.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 63, TEXT_MAX = 512 };

static const uint64_t DEADLINE_NS = UINT64_C(10000000000);
static const uint64_t SLICE_NS = UINT64_C(8000000);
static const uint64_t WARM_NS = UINT64_C(2000000);

static const struct size {
    int n_records;
    double goal_percent;
} sizes[] = {{512, 1}, {16, 10}};

static struct pipeline pipeline;
static struct loop_timer *slice;

static void fail(const char *what)
{
    fprintf(stderr, "bench-own_pipeline: %s\n", what);
    exit(1);
}

static void open_pipeline(int n_records)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text,
             "pipeline: own\n"
             "nodes:\n"
             "  make: {type: receiver/generator, config: {rate: 0, batch: %d}}\n"
             "  guard: {type: processor/memory_limiter}\n"
             "  out: {type: exporter/noop}\n"
             "connections:\n"
             "  - {from: make, to: guard}\n"
             "  - {from: guard, to: out}\n",
             n_records);
    struct ftri_error error = {.text = "memory is short"};
    if (pipeline_open_text(&pipeline, ftr_str_from(text), "own", NULL, &error) < 0 ||
        pipeline_start(&pipeline, &error) < 0)
        fail(error.text);
}

static void end_slice(void *argument)
{
    loop_stop(argument);
}

static uint64_t items_out(void)
{
    struct graph_node_view view;
    for (size_t i = 0; graph_node_view(pipeline.graph, i, &view); i++)
        if (strcmp(view.id, "out") == 0)
            return view.account->received;
    return 0;
}

static void run_for(uint64_t ns)
{
    loop_timer_start(slice, ns);
    if (pipeline_run(&pipeline) < 0)
        fail(pipeline.failure);
}

/* ns of the graph's thread per item, after a while in which caches get warm. What was recorded is
 * delivered afterwards, so that nothing is lost however slow the worker is here. */
static double run_slice(void *mode)
{
    ftr_set_mode(*(const ftr_mode *)mode);
    run_for(WARM_NS);
    const uint64_t n_before = items_out();
    const double begin = measure_thread_ns();
    run_for(SLICE_NS);
    const double ns = measure_thread_ns() - begin;
    if (ftr_flush(DEADLINE_NS) != FTR_OK)
        fail("flush failed");
    return ns / (double)(items_out() - n_before);
}

/* Percent of the throughput that is lost when it takes so many times as long. */
static double lost(double times)
{
    return (1 - 1 / times) * 100;
}

static void measure(const struct size *size)
{
    static ftr_mode full = FTR_MODE_FULL, off = FTR_MODE_OFF;
    const struct measure_pairs pairs =
        measure_in_turn((struct measure_subject){run_slice, &full},
                        (struct measure_subject){run_slice, &off}, PAIRS);
    char name[96], goal[32];
    snprintf(name, sizeof name, "throughput lost by full tracing, batches of %d (%.0f ns an item)",
             size->n_records, pairs.baseline);
    snprintf(goal, sizeof goal, "<= %g %%", size->goal_percent);
    measure_print(&(struct measure_row){
        .row = "23",
        .name = name,
        .unit = "%",
        .pairs = {.value = lost(pairs.ratio)},
        .goal = goal,
        .verdict = lost(pairs.ratio) <= size->goal_percent ? MEASURE_HOLDS : MEASURE_FAILS,
    });
}

static void run(const struct size *size)
{
    open_pipeline(size->n_records);
    slice = loop_timer_new(pipeline.loop, end_slice, pipeline.loop);
    if (!slice)
        fail("memory is short");
    measure(size);
    loop_timer_free(slice);
    pipeline_stop(&pipeline);
    if (pipeline_run(&pipeline) < 0) /* the accounts are checked */
        fail(pipeline.failure);
    pipeline_close(&pipeline);
}

static void check_delivery(void)
{
    ftr_statistics counts = {.size = sizeof counts};
    ftr_get_statistics(&counts);
    if (counts.ended != counts.started || counts.lost_journal_full != 0 || counts.no_slot != 0 ||
        null_sink_count() != counts.ended)
        fail("spans were lost");
    fprintf(stderr, "bench-own_pipeline: %" PRIu64 " visits recorded, all arrived\n", counts.ended);
}

int main(void)
{
    ftr_exporter *exporter = null_sink_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.queue_bytes = (size_t)256 << 20;
    config.journal_bytes = (size_t)16 << 20;
    ftr_error error;
    if (!exporter || ftr_init(&config, &error) != FTR_OK)
        fail(error.text);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        run(&sizes[i]);
    if (ftr_flush(DEADLINE_NS) != FTR_OK)
        fail("flush failed");
    check_delivery();
    return ftr_shutdown(DEADLINE_NS) == FTR_OK ? 0 : 1;
}
