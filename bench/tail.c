/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows 15 and 16: what tail sampling costs the worker for each span, from the record in the journal
 * on: judging it, finding its flow, keeping its bytes, deciding the flow; and what a span takes in
 * memory while it waits. CPU time of the one thread, memory of the process.
 *
 * So many flows of 8 spans are open at any time; the next span is that of a random one, its bytes
 * are those of a recorded span of the small payload. One flow in ten is kept; what is released is
 * counted, and in the end every span has to be accounted for. The session's worker is stopped: this
 * thread is it. Lateness is wall time: how long after 100 ms of quiet a flow was decided. */
#include "base/time.h"
#include "measure.h"
#include "replay.h"
#include "sampling/threshold.h"
#include "trace/record.h"
#include "trace/tail.h"
#include "trace/worker.h"

#include <flowtrace/flowtrace.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SPANS = 2048,
    STEPS = 2000000,
    PAIRS = 5,
    PASS = 1000, /* spans of a pass: one a microsecond */
    PLACE = 256,

    FLOW_SPANS = PAYLOAD_TRACE_SPANS,

    HEARD = 1 << 23, /* flows, more than are open or quiet */
    LATE_MOST = 1 << 20,
    HUGE_SPANS = 1000000
};

#define QUIET_NS UINT64_C(100000000) /* trace/tail.c */
#define HUGE_FLOW UINT64_MAX

struct step {
    ftr_trace_id trace_id;
    uint64_t flow; /* its number */
    uint16_t span; /* of the replay */
};

/* When flows were decided, after they should have been. */
struct lateness {
    uint64_t *heard_ns; /* by number, of those that are not long gone */
    double *values_ms;
    size_t n;
    uint64_t last; /* flow */
};

static struct {
    struct replay replay;
    const struct ftri_record *records[SPANS];
    size_t largest;
    struct ftri_tail_settings settings;
    struct step *steps;
    uint8_t *journal; /* of a pass */
    const struct ftri_record *pass[PASS];
    uint8_t *memory; /* of n_places, for copy() */
    size_t n_places;
    uint64_t *open; /* the flows: number * FLOW_SPANS + spans that came already */
    size_t n_open;
    uint64_t n_flows;
    uint64_t n_added;
    uint64_t n_released;
    uint64_t random;
    struct lateness late;
} bench;

static void fail(const char *what)
{
    fprintf(stderr, "bench-tail: %s\n", what);
    exit(1);
}

static void *zeros(size_t n, size_t size)
{
    void *room = calloc(n, size);
    if (!room)
        fail("memory is short");
    return room;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t random_below(uint64_t n)
{
    bench.random += UINT64_C(0x9e3779b97f4a7c15);
    return mix(bench.random) % n;
}

static ftr_trace_id id_of(uint64_t flow)
{
    const uint64_t ids[2] = {mix(flow), mix(~flow)};
    ftr_trace_id id;
    memcpy(&id, ids, sizeof id);
    return id;
}

static void find_records(void)
{
    const uint8_t *at = bench.replay.records.data;
    for (size_t i = 0; i < SPANS; i++) {
        bench.records[i] = (const struct ftri_record *)(const void *)at;
        at += bench.records[i]->size;
        if (bench.records[i]->size > bench.largest)
            bench.largest = bench.records[i]->size;
    }
}

/* What comes next, so that drawing it is not measured. */
static void draw(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t *flow = &bench.open[random_below(bench.n_open)];
        bench.steps[i].flow = *flow / FLOW_SPANS;
        bench.steps[i].trace_id = id_of(bench.steps[i].flow);
        bench.steps[i].span = (uint16_t)(*flow % SPANS);
        if (++*flow % FLOW_SPANS == 0)
            *flow = bench.n_flows++ * FLOW_SPANS;
    }
}

/* The journal of a pass. The last span of a flow is its root, as a parent ends after its children;
 * or (has_roots) there is none. */
static void record(const struct step *steps, size_t n, bool has_roots)
{
    uint8_t *at = bench.journal;
    for (size_t i = 0; i < n; i++) {
        const struct ftri_record *from = bench.records[steps[i].span];
        struct ftri_record *to = (struct ftri_record *)(void *)at;
        memcpy(to, from, from->size);
        to->trace_id = steps[i].trace_id;
        memcpy(&to->span_id, &steps[i].flow, sizeof to->span_id);
        to->parent_id.bytes[0] = 1;
        if (steps[i].flow == HUGE_FLOW)
            to->status = FTR_SPAN_ERROR;
        if (has_roots && steps[i].span % FLOW_SPANS == FLOW_SPANS - 1)
            memset(&to->parent_id, 0, sizeof to->parent_id);
        bench.pass[i] = to;
        at += from->size;
    }
}

static void read_pass(size_t n)
{
    ftri_tail_begin();
    for (size_t i = 0; i < n; i++)
        ftri_tail_accept(bench.pass[i]);
    ftri_tail_settle();
    (void)ftri_tail_end();
    bench.n_added += n;
}

static double run(void *argument)
{
    (void)argument;
    double sum_ns = 0;
    draw(STEPS);
    for (size_t i = 0; i < STEPS; i += PASS) {
        record(bench.steps + i, PASS, true);
        const double begin_ns = measure_thread_ns();
        read_pass(PASS);
        sum_ns += measure_thread_ns() - begin_ns;
    }
    return sum_ns / STEPS;
}

/* The least that keeping costs: the bytes go to random places in as much memory. */
static double copy(void *argument)
{
    (void)argument;
    const double begin_ns = measure_thread_ns();
    for (size_t i = 0; i < STEPS; i++) {
        const struct ftri_record *from = bench.records[bench.steps[i].span];
        uint64_t place;
        memcpy(&place, &bench.steps[i].trace_id, sizeof place);
        memcpy(bench.memory + place % bench.n_places * PLACE, from, from->size);
    }
    return (measure_thread_ns() - begin_ns) / STEPS;
}

static void note_lateness(struct lateness *self, uint64_t flow)
{
    const uint64_t due_ns = self->heard_ns[flow % HEARD] + QUIET_NS;
    const uint64_t now_ns = ftri_time_monotonic_ns();
    if (flow == self->last || flow == HUGE_FLOW || self->n == LATE_MOST)
        return;
    self->last = flow;
    self->values_ms[self->n++] = now_ns > due_ns ? (double)(now_ns - due_ns) / 1e6 : 0;
}

static void keep(const struct ftri_record *record)
{
    uint64_t flow;
    bench.n_released += record->size > 0;
    memcpy(&flow, &record->span_id, sizeof flow);
    if (bench.late.heard_ns)
        note_lateness(&bench.late, flow);
}

static bool have_slack(void)
{
    return true;
}

static void begin(double share)
{
    static const struct ftri_tail_exit exit = {keep, have_slack};
    bench.settings = (struct ftri_tail_settings){
        .policy = {.keeps_errors = true,
                   .keeps_drops = true,
                   .threshold = ftri_threshold_of(share)},
        .max_age_ns = UINT64_MAX / 4,
        .budget_bytes = (size_t)8 << 30,
    };
    bench.n_added = bench.n_released = 0;
    ftri_tail_set_mode(FTR_MODE_TAIL);
    ftri_tail_start(&bench.settings, &exit);
}

static void finish(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    while (!ftri_tail_finish(true)) {
    }
    ftri_tail_count(&statistics);
    if (bench.n_released + statistics.sampled_out != bench.n_added || statistics.tail_late > 0 ||
        statistics.waiting > 0 || bench.n_released == 0)
        fail("spans are missing");
    ftri_tail_stop();
    ftri_tail_set_mode(FTR_MODE_FULL);
}

static uint64_t count_waiting(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftri_tail_count(&statistics);
    return statistics.waiting;
}

/* ---- row 16 ---- */

static void fill_with(size_t n_open)
{
    bench.open = zeros(n_open, sizeof *bench.open);
    bench.n_open = n_open;
    for (size_t i = 0; i < n_open; i++)
        bench.open[i] = bench.n_flows++ * FLOW_SPANS;
    while (bench.n_added < n_open * FLOW_SPANS) /* until as many are added as end */
        (void)run(NULL);
}

static void measure_cost(size_t n_open, const char *name, double goal)
{
    begin(0.1);
    fill_with(n_open);
    bench.n_places = count_waiting() * bench.largest / PLACE;
    bench.memory = zeros(bench.n_places + 16, PLACE);
    const struct measure_pairs pairs = measure_in_turn((struct measure_subject){run, NULL},
                                                       (struct measure_subject){copy, NULL}, PAIRS);
    finish();
    free(bench.memory);
    free(bench.open);
    measure_print(&(struct measure_row){
        .row = "16",
        .name = name,
        .unit = "ns",
        .pairs = pairs,
        .goal = goal > 0 ? "<= 60 ns" : NULL,
        .verdict = goal <= 0             ? MEASURE_NO_GOAL
                   : pairs.value <= goal ? MEASURE_HOLDS
                                         : MEASURE_FAILS,
    });
}

/* One span in two is the huge trace's, as long as it has some; its last one is its root. */
static size_t mix_in(size_t n_left)
{
    for (size_t i = 0; i < PASS && n_left > 0; i += 2, n_left--)
        bench.steps[i] =
            (struct step){id_of(HUGE_FLOW), HUGE_FLOW, n_left == 1 ? FLOW_SPANS - 1 : 0};
    return n_left;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void pass_on_time(void)
{
    record(bench.steps, PASS, true);
    const uint64_t now_ns = ftri_time_monotonic_ns();
    for (size_t i = 0; i < PASS; i++)
        bench.late.heard_ns[bench.steps[i].flow % HEARD] = now_ns;
    read_pass(PASS);
}

/* Wall time, of the flows that are kept. Steps are drawn as they are taken: nothing else waits. */
static double lateness_of(double quantile, size_t n_huge)
{
    struct lateness *late = &bench.late;
    late->n = 0;
    for (size_t i = 0; i < 2 * STEPS; i += PASS) {
        draw(PASS);
        n_huge = mix_in(n_huge);
        pass_on_time();
    }
    if (late->n < 1000)
        fail("hardly a flow was decided");
    qsort(late->values_ms, late->n, sizeof *late->values_ms, compare_numbers);
    return late->values_ms[(size_t)((double)(late->n - 1) * quantile)];
}

static void print_lateness(const char *name, double value)
{
    measure_print(&(struct measure_row){
        .row = "16",
        .name = name,
        .unit = "ms",
        .pairs = {.value = value},
        .goal = "<= 20 ms",
        .verdict = value <= 20 ? MEASURE_HOLDS : MEASURE_FAILS,
    });
}

static void measure_lateness(size_t n_open)
{
    begin(0.1);
    fill_with(n_open);
    bench.late.heard_ns = zeros(HEARD, sizeof *bench.late.heard_ns);
    bench.late.values_ms = zeros(LATE_MOST, sizeof *bench.late.values_ms);
    (void)lateness_of(1, 0); /* flows that were heard of before are gone */
    print_lateness("tail: lateness of decisions, 1 M flows, p99", lateness_of(0.99, 0));
    print_lateness("tail: the same beside a trace of 1 M spans, the latest",
                   lateness_of(1, HUGE_SPANS));
    finish();
    free(bench.late.heard_ns);
    free(bench.late.values_ms);
    free(bench.open);
    bench.late = (struct lateness){0};
}

/* ---- row 15 ---- */

static double resident_bytes(void)
{
    unsigned long long n_pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*u %llu", &n_pages) != 1)
        fail("/proc/self/statm cannot be read");
    fclose(file);
    return (double)n_pages * (double)sysconf(_SC_PAGESIZE);
}

static double wire_bytes(const struct payload *payload)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, SIZE_MAX / 2);
    payload_encode(payload, 0, payload->n_spans, &out);
    const double bytes = (double)out.len / (double)payload->n_spans;
    ftri_bytes_deinit(&out);
    return bytes;
}

/* All spans of n_open flows, in random order: of what is left of a list of flows, one has its next.
 */
static void add_all(size_t n_open)
{
    uint64_t *left = zeros(n_open * FLOW_SPANS, sizeof *left);
    uint8_t *n_came = zeros(n_open, sizeof *n_came);
    struct step steps[PASS];
    for (size_t i = 0; i < n_open * FLOW_SPANS; i++)
        left[i] = i / FLOW_SPANS;
    for (size_t n_left = n_open * FLOW_SPANS; n_left > 0;) {
        size_t n = 0;
        for (; n < PASS && n_left > 0; n++) {
            uint64_t *drawn = &left[random_below(n_left)];
            const uint64_t flow = *drawn;
            *drawn = left[--n_left];
            steps[n] = (struct step){id_of(flow),
                                     (uint16_t)((flow * FLOW_SPANS + n_came[flow]++) % SPANS)};
        }
        record(steps, n, false);
        read_pass(n);
    }
    free(left);
    free(n_came);
}

static void measure_memory(const struct payload *payload, size_t n_open)
{
    begin(0.1);
    add_all(n_open); /* once, so that what the bench itself needs is there */
    finish();
    begin(0.1);
    const double before = resident_bytes();
    add_all(n_open);
    const double n = (double)count_waiting();
    const double value = (resident_bytes() - before) / n;
    const double wire = wire_bytes(payload);
    if (n != (double)n_open * FLOW_SPANS)
        fail("spans did not wait");
    finish();
    measure_print(&(struct measure_row){
        .row = "15",
        .name = "tail: memory of a span that waits, 1 M flows of 8",
        .unit = "bytes",
        .pairs = {value, wire, value / wire, value / wire, value / wire},
        .goal = "<= 1.15 x wire",
        .verdict = value / wire <= 1.15 ? MEASURE_HOLDS : MEASURE_FAILS,
    });
}

static bool is_wanted(int argc, char **argv, const char *part)
{
    return argc < 2 || strcmp(argv[1], part) == 0;
}

int main(int argc, char **argv)
{
    struct payload payload;
    payload_init(&payload, PAYLOAD_SMALL, SPANS, 1);
    ftr_config config = FTR_CONFIG_INIT;
    config.journal_bytes = (size_t)8 << 20;
    if (ftr_init(&config, NULL) != FTR_OK)
        fail("the library does not start");
    replay_init(&bench.replay, &payload, true);
    find_records();
    ftri_worker_stop(0);
    bench.steps = zeros(STEPS, sizeof *bench.steps);
    bench.journal = zeros(PASS, bench.largest);
    if (is_wanted(argc, argv, "memory"))
        measure_memory(&payload, 1000000);
    if (is_wanted(argc, argv, "few"))
        measure_cost(10000, "tail: judge, keep and decide, 10 k flows", 0);
    if (is_wanted(argc, argv, "many"))
        measure_cost(1000000, "tail: judge, keep and decide, 1 M flows", 60);
    if (is_wanted(argc, argv, "lateness"))
        measure_lateness(1000000);
    free(bench.steps);
    free(bench.journal);
    replay_deinit(&bench.replay);
    payload_deinit(&payload);
    static const struct ftri_tail_settings none; /* in FTR_MODE_FULL it is not looked at */
    payload_check(ftri_worker_start(NULL, 0, &none), "starting the worker again");
    return ftr_shutdown(UINT64_C(10000000000)) == FTR_OK ? 0 : 1;
}
