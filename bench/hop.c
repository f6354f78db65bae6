/* SPDX-License-Identifier: Apache-2.0
 *
 * Row 22: what a hop costs. A graph with one processor and one with nine run in turn; a hop is an
 * eighth of the difference: channel, frame, dispatch, visit and the way back of the outcome.
 * Nothing recorded; the same, and the queue wait of each batch measured by itself; each visit a
 * span, encoded and delivered by the worker; recording, and the flow not sampled. Toggled while the
 * graphs run. "bench-hop NAME short|long" runs one way for callgrind (instructions.py). */
#include "chain.h"
#include "engine/channel.h"
#include "measure.h"
#include "null_sink.h"

#include <flowtrace/flowtrace.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 31, BATCHES = 500, SLICES = 8, SHORT = 1, LONG = 9, HOPS = LONG - SHORT };
enum { IN_CHANNEL = 16, CHANNEL_ROUNDS = 20000 };

static const uint64_t DEADLINE_NS = UINT64_C(10000000000);

struct way {
    const char *name; /* for callgrind */
    const char *title;
    ftr_mode mode;
    enum chain_origin origin;
    double goal_reads; /* goal: so many reads of the cycle counter and ... */
    double goal_ns;    /* ... so many ns; 0: none */
};

static const struct way ways[] = {
    {"off", "a hop of a batch, mode off", FTR_MODE_OFF, CHAIN_SAMPLED, 0, 15},
    {"off", "the same, as one with its queue wait", FTR_MODE_OFF, CHAIN_SAMPLED, 2.5, 10},
    {"visit", "a hop with the span of its visit", FTR_MODE_FULL, CHAIN_SAMPLED, 5.5, 30},
    {"unsampled", "a hop of a flow that is not sampled", FTR_MODE_FULL, CHAIN_UNSAMPLED, 0, 0},
};

static struct chain *chains[2]; /* short, long */

static void fail(const char *what)
{
    fprintf(stderr, "bench-hop: %s\n", what);
    exit(1);
}

/* ns of the graph's thread per batch; the least disturbed of several slices. What the journal
 * holds is delivered in between, so that nothing is lost however slow the worker is here. */
static double batch_ns(struct chain *chain, const struct way *way)
{
    double least = 0;
    for (int i = 0; i < SLICES; i++) {
        const double begin = measure_thread_ns();
        chain_run(chain, BATCHES, way->origin);
        const double ns = (measure_thread_ns() - begin) / BATCHES;
        least = i == 0 || ns < least ? ns : least;
        if (way->mode != FTR_MODE_OFF && ftr_flush(DEADLINE_NS) != FTR_OK)
            fail("flush failed");
    }
    return least;
}

static int compare(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double hop_ns(const struct way *way)
{
    const double of_short = batch_ns(chains[0], way);
    return (batch_ns(chains[1], way) - of_short) / HOPS;
}

static void print(const struct way *way, double ns, double clock_ns, double min, double max)
{
    char goal[48];
    if (way->goal_reads > 0)
        snprintf(goal, sizeof goal, "<= %g T + %g ns", way->goal_reads, way->goal_ns);
    else if (way->goal_ns > 0)
        snprintf(goal, sizeof goal, "<= %g ns", way->goal_ns);
    else
        goal[0] = '\0';
    const double limit = way->goal_reads * clock_ns + way->goal_ns;
    measure_print(&(struct measure_row){
        .row = "22",
        .name = way->title,
        .unit = "ns",
        .pairs = {.value = ns,
                  .baseline = clock_ns,
                  .ratio = ns / clock_ns,
                  .ratio_min = min / clock_ns,
                  .ratio_max = max / clock_ns},
        .goal = goal,
        .verdict = limit <= 0    ? MEASURE_NO_GOAL
                   : ns <= limit ? MEASURE_HOLDS
                                 : MEASURE_FAILS,
    });
}

static void measure(const struct way *way)
{
    double hops[PAIRS], clocks[PAIRS];
    ftr_set_mode(way->mode);
    (void)hop_ns(way); /* warm */
    for (int i = 0; i < PAIRS; i++) {
        clocks[i] = measure_clock_read_ns();
        hops[i] = hop_ns(way);
    }
    qsort(hops, PAIRS, sizeof *hops, compare);
    qsort(clocks, PAIRS, sizeof *clocks, compare);
    print(way, hops[PAIRS / 2], clocks[PAIRS / 2], hops[0], hops[PAIRS - 1]);
}

/* The channel alone: n batches in, n batches out, for one of them. */
static double channel_ns(void *argument)
{
    static struct node node;
    static struct pdata batches[IN_CHANNEL];
    (void)argument;
    ftri_list_init(&node.data);
    const double begin = measure_thread_ns();
    for (int i = 0; i < CHANNEL_ROUNDS; i++) {
        for (size_t k = 0; k < IN_CHANNEL; k++)
            channel_put(&node, &batches[k]);
        for (size_t k = 0; k < IN_CHANNEL; k++) {
            struct pdata *const first = channel_first(&node);
            if (first != &batches[k])
                fail("the channel changed the order");
            channel_take(&node, first);
        }
    }
    return (measure_thread_ns() - begin) / ((double)CHANNEL_ROUNDS * IN_CHANNEL);
}

static double clock_ns(void *argument)
{
    (void)argument;
    return measure_clock_read_ns();
}

static void measure_channel(void)
{
    const struct measure_pairs pairs =
        measure_in_turn((struct measure_subject){channel_ns, NULL},
                        (struct measure_subject){clock_ns, NULL}, PAIRS);
    measure_print(&(struct measure_row){
        .row = "22",
        .name = "a batch put into a channel and taken out, one thread",
        .unit = "ns",
        .pairs = pairs,
        .goal = "<= 3 ns",
        .verdict = pairs.value <= 3 ? MEASURE_HOLDS : MEASURE_FAILS,
    });
}

static void check_delivery(void)
{
    ftr_statistics counts = {.size = sizeof counts};
    ftr_get_statistics(&counts);
    if (counts.ended != counts.started || counts.lost_journal_full != 0 || counts.no_slot != 0 ||
        null_sink_count() != counts.ended)
        fail("spans were lost");
    fprintf(stderr, "bench-hop: %" PRIu64 " visits recorded, all arrived\n", counts.ended);
}

/* What instructions.py counts. */
__attribute__((noinline)) void counted(struct chain *chain, enum chain_origin origin);
void counted(struct chain *chain, enum chain_origin origin)
{
    chain_run(chain, BATCHES, origin);
}

/* instructions.py takes the difference of the two chains. */
static bool count(const struct way *way, struct chain *chain)
{
    ftr_set_mode(way->mode);
    chain_run(chain, BATCHES, way->origin);
    counted(chain, way->origin);
    printf("{\"shape\":\"%s\",\"batches\":%d,\"hops\":%d}\n", way->name, BATCHES, HOPS);
    return true;
}

static void start_recording(void)
{
    ftr_exporter *exporter = null_sink_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.queue_bytes = (size_t)256 << 20;
    ftr_error error;
    if (!exporter || ftr_init(&config, &error) != FTR_OK)
        fail(error.text);
}

int main(int argc, char **argv)
{
    if (argc == 1)
        measure_channel();
    start_recording();
    chains[0] = chain_new(SHORT);
    chains[1] = chain_new(LONG);
    bool is_counted = false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (argc == 1)
            measure(&ways[i]);
        else if (argc == 3 && !is_counted && strcmp(argv[1], ways[i].name) == 0)
            is_counted = count(&ways[i], chains[strcmp(argv[2], "long") == 0]);
    }
    ftr_set_mode(FTR_MODE_FULL);
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        chain_check(chains[i]);
        chain_free(chains[i]);
    }
    if (ftr_flush(DEADLINE_NS) != FTR_OK)
        fail("flush failed");
    check_delivery();
    return ftr_shutdown(DEADLINE_NS) == FTR_OK ? 0 : 1;
}
