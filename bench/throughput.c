/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows 6 (work.c), 7 and 8: recording and exporting together.
 *
 * Row 7: spans of the payload *small* (traces of 8, recorded by scope macros) at a set rate, queue
 * and journal as the library has them by default. A row counts only without a loss, by the accounts
 * and at the sink. What is lost when the exporter hangs is counted to the span, and what that
 * costs. Row 8: create and export spans of 10 attributes with keys and values of 20 bytes; CPU time
 * of the recording process, all its threads; the sink is a process of its own that checks every
 * request.
 *
 * `bench-throughput sustained SECONDS` runs row 7's rate for so long, `rate SECONDS` row 8's;
 * `work`, `drop`, `http`, `unix` and `grpc` run that part alone, for a profiler. */
#include "measure.h"
#include "otlp_sink.h"
#include "session.h"
#include "trace/tail.h"
#include "trace/worker.h"
#include "work.h"

#include <flowtrace/otlp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PAIRS = 11,
    TEXT_LEN = 20,
    SPEC_SPANS = 200000, /* a run */
    SPEC_AHEAD = 8000,   /* spans that the sink may be behind: their records fit the journal */
    SPEC_CHUNK = 500,
    SPEC_RATE = 10000,
    SPEC_RATE_S = 5,
    TRACE_SPANS = 8,
    SUSTAINED_S = 3,
    SEARCH_S = 1,
    STEP_NS = 250000, /* between two bursts at a set rate */
    DROPPED = 1000000,
    BURST = 16000, /* their records fit the journal, those of two bursts do not */
    GOAL_RATE = 5000000
};

/* --- spans --------------------------------------------------------------------------------- */

static void record_visit(int64_t n_items)
{
    FTR_SPAN(visit, "visit route/by-region");
    FTR_SPAN_SET_ALL(visit, "flow.node", FTR_STR("route/by-region"), "flow.port", FTR_STR("late"),
                     "flow.batch.items", n_items, "flow.outcome", FTR_STR("success"));
}

static void record_small(uint64_t n)
{
    for (uint64_t i = 0; i < n; i += TRACE_SPANS) {
        FTR_SPAN(root, "visit receiver/orders");
        FTR_SPAN_SET_ALL(root, "flow.node", FTR_STR("receiver/orders"), "flow.port", FTR_STR("out"),
                         "flow.batch.items", (int64_t)(i & 511), "flow.outcome",
                         FTR_STR("success"));
        for (int k = 1; k < TRACE_SPANS; k++)
            record_visit((int64_t)((i + (uint64_t)k * 64) & 511));
    }
}

static void record_spec(uint64_t n)
{
    char value[TEXT_LEN];
    const ftr_str text = {value, TEXT_LEN};
    memset(value, 'v', sizeof value);
    for (uint64_t i = 0; i < n; i++) {
        FTR_SPAN(span, "spec span");
        for (int k = 0; k < 8; k++)
            value[TEXT_LEN - 1 - k] = (char)('a' + (i >> (4 * k) & 15));
        FTR_SPAN_SET_ALL(span, "attribute.key.numbr0", text, "attribute.key.numbr1", text,
                         "attribute.key.numbr2", text, "attribute.key.numbr3", text,
                         "attribute.key.numbr4", text, "attribute.key.numbr5", text,
                         "attribute.key.numbr6", text, "attribute.key.numbr7", text,
                         "attribute.key.numbr8", text, "attribute.key.numbr9", text);
    }
}

/* --- destinations -------------------------------------------------------------------------- */

static struct otlp_sink sink;

static ftr_exporter *exporter_to(const char *url, ftr_otlp_protocol protocol)
{
    const ftr_otlp_options options = {
        .size = sizeof options, .endpoint = ftr_str_from(url), .protocol = protocol};
    ftr_error error;
    ftr_exporter *exporter = ftr_otlp_exporter_new(&options, &error);
    if (!exporter)
        session_fail(error.text);
    return exporter;
}

static uint64_t n_in_sink(void)
{
    return atomic_load_explicit(&sink.state->n_spans, memory_order_relaxed);
}

/* --- row 7 --------------------------------------------------------------------------------- */

static double run_clock(void *argument)
{
    (void)argument;
    return measure_clock_read_ns();
}

struct paced {
    uint64_t n_spans;
    double rate;      /* that was reached, a second */
    double record_ns; /* CPU a span of the recording thread */
    double other_ns;  /* of the process' other threads */
    uint64_t n_lost;
};

static void sleep_until(double wall_ns)
{
    const struct timespec until = {(time_t)(wall_ns / 1e9),
                                   (long)(wall_ns - (double)(time_t)(wall_ns / 1e9) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Bursts of what is due; after a delay at most twice a step's spans, as a source that has to catch
 * up. Returns the spans. */
static uint64_t record_at_rate(void (*record)(uint64_t n), double rate, double seconds)
{
    const double start = measure_wall_ns();
    const uint64_t two_steps = (uint64_t)(rate * STEP_NS / 1e9 * 2) / TRACE_SPANS * TRACE_SPANS;
    const uint64_t most = two_steps ? two_steps : TRACE_SPANS;
    uint64_t n = 0;
    for (double now = start; now < start + seconds * 1e9; now = measure_wall_ns()) {
        uint64_t due = (uint64_t)((now - start) * rate / 1e9) - n;
        due = due > most ? most : due / TRACE_SPANS * TRACE_SPANS;
        record(due);
        n += due;
        sleep_until(now + STEP_NS);
    }
    return n;
}

static struct paced run_paced(ftr_exporter *exporter, uint64_t (*n_arrived)(void), double rate,
                              double seconds)
{
    const uint64_t n_before = n_arrived();
    session_start(exporter, NULL);
    const double wall = measure_wall_ns(), thread = measure_thread_ns();
    const double process = measure_process_ns();
    struct paced result = {.n_spans = record_at_rate(record_small, rate, seconds)};
    const double wall_ns = measure_wall_ns() - wall;
    const double record_ns = measure_thread_ns() - thread;
    session_drain();
    const double all_ns = measure_process_ns() - process;
    const ftr_statistics counts = session_stop();
    result.rate = (double)result.n_spans * 1e9 / wall_ns;
    result.record_ns = record_ns / (double)result.n_spans;
    result.other_ns = (all_ns - record_ns) / (double)result.n_spans;
    result.n_lost = session_n_lost(&counts);
    if (counts.ended != result.n_spans || n_arrived() - n_before != counts.exporters[0].delivered ||
        counts.exporters[0].delivered + result.n_lost != result.n_spans)
        session_fail("what was started is not what arrived and was lost");
    return result;
}

static struct paced run_counter(double rate, double seconds)
{
    return run_paced(session_counter_new(), session_counter_n, rate, seconds);
}

static struct paced run_sink(double rate, double seconds)
{
    return run_paced(exporter_to(sink.state->http, FTR_OTLP_HTTP_PROTOBUF), n_in_sink, rate,
                     seconds);
}

static void print_value(const char *row, const char *name, const char *unit, double value,
                        const char *goal, bool holds)
{
    const struct measure_row printed = {
        .row = row,
        .name = name,
        .unit = unit,
        .pairs = {.value = value},
        .goal = goal,
        .verdict = !goal   ? MEASURE_NO_GOAL
                   : holds ? MEASURE_HOLDS
                           : MEASURE_FAILS,
    };
    measure_print(&printed);
}

static void measure_sustained(const char *where, struct paced (*run)(double rate, double seconds),
                              double seconds)
{
    char name[128];
    const struct paced paced = run(GOAL_RATE * 1.02, seconds);
    fprintf(stderr,
            "bench-throughput: %s: %" PRIu64 " spans, %" PRIu64 " lost, CPU a span: %.1f ns "
            "recording, %.1f ns worker and sender\n",
            where, paced.n_spans, paced.n_lost, paced.record_ns, paced.other_ns);
    snprintf(name, sizeof name, "*small* for %g s to %s, %" PRIu64 " lost", seconds, where,
             paced.n_lost);
    print_value("7", name, "M spans/s", paced.rate / 1e6, ">= 5 M spans/s, 0 lost",
                paced.rate >= GOAL_RATE && paced.n_lost == 0);
    snprintf(name, sizeof name, "the same, CPU of worker and sender");
    print_value("7", name, "ns", paced.other_ns, NULL, false);
}

/* The highest of the rates tried that loses nothing. */
static void measure_highest(const char *where, struct paced (*run)(double rate, double seconds))
{
    char name[128];
    double low = 0, high = 16e6;
    while (high - low > 0.5e6) {
        const double rate = (low + high) / 2;
        const struct paced paced = run(rate, SEARCH_S);
        if (paced.n_lost == 0 && paced.rate > 0.97 * rate)
            low = rate;
        else
            high = rate;
    }
    snprintf(name, sizeof name, "highest rate without a loss to %s", where);
    print_value("7", name, "M spans/s", low / 1e6, NULL, false);
}

/* The exporter hangs, its queue is full: what the worker spends on a span that it drops, beside
 * what it spends on waking up a thousand times a second. */
static double run_dropping(void *argument)
{
    (void)argument;
    const double thread = measure_thread_ns(), process = measure_process_ns();
    record_small(DROPPED);
    nanosleep(&(struct timespec){0, 5000000}, NULL);
    const double record_ns = measure_thread_ns() - thread;
    return (measure_process_ns() - process - record_ns) / DROPPED;
}

static void measure_dropping(void)
{
    session_start(session_counter_new(), NULL);
    session_counter_hold();
    record_at_rate(record_small, GOAL_RATE / 5, 0.3);
    struct measure_row row = {.row = "7",
                              .name = "worker, a span dropped as the queue is full",
                              .unit = "ns",
                              .goal = "<= 5 ns"};
    row.pairs = measure_in_turn((struct measure_subject){run_dropping, NULL},
                                (struct measure_subject){run_clock, NULL}, PAIRS);
    session_counter_release();
    const ftr_statistics counts = session_stop();
    const uint64_t n_lost = session_n_lost(&counts);
    if (n_lost < (uint64_t)DROPPED * (PAIRS + 1) || session_counter_n() + n_lost != counts.ended)
        session_fail("what was dropped was not counted");
    row.verdict = row.pairs.value <= 5 ? MEASURE_HOLDS : MEASURE_FAILS;
    measure_print(&row);
}

/* CPU ns a span of the thread that records a burst. */
static double run_burst(void *argument)
{
    (void)argument;
    const double thread = measure_thread_ns();
    record_small(BURST);
    return (measure_thread_ns() - thread) / BURST;
}

static double run_burst_and_drain(void *argument)
{
    const double ns = run_burst(argument);
    session_drain();
    return ns;
}

/* Nobody reads the journal, and it is full: what a span costs the thread that records it. */
static void measure_full_journal(void)
{
    ftr_statistics counts = {.size = sizeof counts};
    struct measure_row row = {.row = "7",
                              .name = "recording, the full journal drops it / has room",
                              .unit = "ns",
                              .verdict = MEASURE_NO_GOAL};
    if (ftr_init(NULL, NULL) != FTR_OK)
        session_fail("init failed");
    const struct measure_pairs taken =
        measure_in_turn((struct measure_subject){run_burst_and_drain, NULL},
                        (struct measure_subject){run_clock, NULL}, PAIRS);
    ftri_worker_stop(0);
    record_small(BURST * 2);
    row.pairs = measure_in_turn((struct measure_subject){run_burst, NULL},
                                (struct measure_subject){run_clock, NULL}, PAIRS);
    row.pairs.baseline = taken.value;
    row.pairs.ratio = row.pairs.ratio_min = row.pairs.ratio_max = row.pairs.value / taken.value;
    ftr_get_statistics(&counts);
    const uint64_t n_read = counts.recorded;     /* a worker counts from its start */
    static const struct ftri_tail_settings tail; /* in FTR_MODE_FULL it is not looked at */
    if (ftri_worker_start(NULL, 0, &tail) < 0)
        session_fail("the worker does not start again");
    session_drain();
    ftr_get_statistics(&counts);
    if (counts.ended != (uint64_t)BURST * (2 * (PAIRS + 1) + 2) ||
        counts.ended != n_read + counts.recorded + counts.lost_journal_full ||
        counts.lost_journal_full < (uint64_t)BURST * PAIRS)
        session_fail("what the journal dropped was not counted");
    (void)ftr_shutdown(0);
    measure_print(&row);
}

/* --- row 8 --------------------------------------------------------------------------------- */

/* Records n spans, never far ahead of the sink. */
static void record_ahead_of_sink(uint64_t n)
{
    const uint64_t n_before = n_in_sink();
    for (uint64_t i = 0; i < n; i += SPEC_CHUNK) {
        while (i > SPEC_AHEAD + n_in_sink() - n_before)
            nanosleep(&(struct timespec){0, 200000}, NULL);
        record_spec(SPEC_CHUNK);
    }
    session_drain();
}

static double spec_wall_ns, spec_record_ns; /* of the last run */

static double run_spec(void *argument)
{
    (void)argument;
    const double wall = measure_wall_ns(), start = measure_process_ns();
    const double thread = measure_thread_ns();
    record_ahead_of_sink(SPEC_SPANS);
    spec_record_ns = (measure_thread_ns() - thread) / SPEC_SPANS;
    spec_wall_ns = (measure_wall_ns() - wall) / SPEC_SPANS;
    return (measure_process_ns() - start) / SPEC_SPANS;
}

static void measure_spec(const char *transport, const char *url, ftr_otlp_protocol protocol)
{
    char name[128];
    const uint64_t n_before = n_in_sink();
    const uint64_t n_bytes = atomic_load(&sink.state->n_bytes);
    session_start(exporter_to(url, protocol), NULL);
    struct measure_row row = {.row = "8", .name = name, .unit = "ns", .goal = "<= 160 ns"};
    row.pairs = measure_in_turn((struct measure_subject){run_spec, NULL},
                                (struct measure_subject){run_clock, NULL}, PAIRS);
    const ftr_statistics counts = session_stop();
    const uint64_t n = n_in_sink() - n_before;
    if (n != counts.ended || atomic_load(&sink.state->n_refused) > 0)
        session_fail("the sink has not what was recorded");
    snprintf(name, sizeof name, "create and export, %.0f B, CPU a span: %s",
             (double)(atomic_load(&sink.state->n_bytes) - n_bytes) / (double)n, transport);
    row.verdict = row.pairs.value <= 160 ? MEASURE_HOLDS : MEASURE_FAILS;
    measure_print(&row);
    snprintf(name, sizeof name, "of it the recording thread: %s", transport);
    print_value("8", name, "ns", spec_record_ns, NULL, false);
    snprintf(name, sizeof name, "the same, wall time: %s", transport);
    print_value("8", name, "ns", spec_wall_ns, NULL, false);
}

static double resident_mb(void)
{
    long n_all = 0, n_resident = 0;
    FILE *const file = fopen("/proc/self/statm", "re");
    const int n_read = file ? fscanf(file, "%ld %ld", &n_all, &n_resident) : 0;
    if (file)
        (void)fclose(file);
    if (n_read != 2)
        session_fail("no /proc/self/statm");
    return (double)n_resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* OpenTelemetry's text on benchmarks of SDKs: CPU and memory at 10,000 spans/s. */
static void measure_spec_at_rate(double seconds)
{
    char name[128];
    const uint64_t n_before = n_in_sink();
    const double before_mb = resident_mb();
    session_start(exporter_to(sink.state->http, FTR_OTLP_HTTP_PROTOBUF), NULL);
    const double start = measure_wall_ns(), process = measure_process_ns();
    const uint64_t n = record_at_rate(record_spec, SPEC_RATE, seconds);
    const double percent = (measure_process_ns() - process) / (measure_wall_ns() - start) * 100;
    const double added_mb = resident_mb() - before_mb;
    const ftr_statistics counts = session_stop();
    if (counts.ended != n || n_in_sink() - n_before != n)
        session_fail("the sink has not what was recorded");
    if ((double)n < 0.97 * SPEC_RATE * seconds)
        session_fail("the rate was not reached");
    snprintf(name, sizeof name, "10,000 spans/s of 10 attributes for %g s, exported: CPU", seconds);
    print_value("8", name, "% of a core", percent, NULL, false);
    print_value("8", "the same, resident memory that it adds", "MB", added_mb, NULL, false);
}

/* ------------------------------------------------------------------------------------------- */

static void measure_all(void)
{
    work_measure();
    measure_sustained("an exporter in the process", run_counter, SUSTAINED_S);
    measure_highest("an exporter in the process", run_counter);
    measure_sustained("a process over HTTP", run_sink, SUSTAINED_S);
    measure_highest("a process over HTTP", run_sink);
    measure_dropping();
    measure_full_journal();
    measure_spec("HTTP/1.1 over TCP", sink.state->http, FTR_OTLP_HTTP_PROTOBUF);
    measure_spec("HTTP/1.1 over a Unix socket", sink.state->unix_http, FTR_OTLP_HTTP_PROTOBUF);
    measure_spec("gRPC over TCP", sink.state->grpc, FTR_OTLP_GRPC);
    measure_spec_at_rate(SPEC_RATE_S);
}

static void stop_sink(void)
{
    otlp_sink_stop(&sink);
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";
    otlp_sink_start(&sink);
    atexit(stop_sink); /* also when something fails */
    if (strcmp(part, "sustained") == 0) {
        const double seconds = argc > 2 ? strtod(argv[2], NULL) : 60;
        measure_sustained("an exporter in the process", run_counter, seconds);
        measure_sustained("a process over HTTP", run_sink, seconds);
    } else if (strcmp(part, "rate") == 0) {
        measure_spec_at_rate(argc > 2 ? strtod(argv[2], NULL) : 15);
    } else if (strcmp(part, "work") == 0) {
        work_measure();
    } else if (strcmp(part, "drop") == 0) {
        measure_dropping();
        measure_full_journal();
    } else if (strcmp(part, "http") == 0) {
        measure_spec("HTTP/1.1 over TCP", sink.state->http, FTR_OTLP_HTTP_PROTOBUF);
    } else if (strcmp(part, "unix") == 0) {
        measure_spec("HTTP/1.1 over a Unix socket", sink.state->unix_http, FTR_OTLP_HTTP_PROTOBUF);
    } else if (strcmp(part, "grpc") == 0) {
        measure_spec("gRPC over TCP", sink.state->grpc, FTR_OTLP_GRPC);
    } else {
        measure_all();
    }
    return 0;
}
