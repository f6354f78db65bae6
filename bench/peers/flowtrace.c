/* SPDX-License-Identifier: Apache-2.0
 *
 * Ours, with the line protocol of bench/peers.py: reads `run CASE N` from standard input, records N
 * spans of that case, flushes, and answers with one JSON line. Time is CPU time: of the recording
 * thread while it recorded; of the whole process including the flush.
 *
 * Without an argument the sink is in this process and counts; with a URL it is an OTLP exporter
 * (HTTP, protobuf) before a sink that counts itself.
 */
#include "../loops.h"
#include "../measure.h"
#include "../null_sink.h"

#include <flowtrace/flowtrace.h>
#include <flowtrace/otlp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* N is a multiple of TRACE: whole traces. */
enum { TRACE = 1000, BURST_MAX = 10000000, LINE_BYTES = 128, NAME_BYTES = 32 };

static bool counts;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "peer-flowtrace: %s: %s\n", what, why);
    exit(1);
}

static void record_trace_1000(int n)
{
    loop_traces(n, TRACE, loop_children);
}

static void record_trace_10(int n)
{
    loop_traces(n, 10, loop_children);
}

static void record_attributes_4(int n)
{
    loop_traces(n, TRACE, loop_with_4_values);
}

static void record_attributes_10(int n)
{
    loop_traces(n, TRACE, loop_with_10_values);
}

static void record_event(int n)
{
    loop_traces(n, TRACE, loop_with_event);
}

static void record_unsampled(int n)
{
    const ftr_context parent = loop_remote_parent(0);
    const ftr_attachment attachment = ftr_attach(&parent);
    loop_calls(n);
    ftr_detach(attachment);
}

static void record_off(int n)
{
    ftr_set_mode(FTR_MODE_OFF);
    loop_calls(n);
    ftr_set_mode(FTR_MODE_FULL);
}

static const struct peer_case {
    const char *name;
    void (*record)(int n);
    bool is_recorded;
} cases[] = {
    {"trace-1000", record_trace_1000, true},
    {"trace-10", record_trace_10, true},
    {"attributes-4", record_attributes_4, true},
    {"attributes-10", record_attributes_10, true},
    {"event", record_event, true},
    {"root", loop_roots, true},
    {"unsampled", record_unsampled, false},
    {"off", record_off, false},
};

static const struct peer_case *find_case(const char *name)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    return NULL;
}

static void print_delivered(uint64_t arrived)
{
    if (counts)
        printf("\"delivered\":%" PRIu64, null_sink_count() - arrived);
    else
        printf("\"delivered\":null");
}

static void run(const struct peer_case *subject, int n)
{
    const uint64_t arrived = null_sink_count();
    const double process = measure_process_ns();
    const double thread = measure_thread_ns();
    subject->record(n);
    const double thread_ns = measure_thread_ns() - thread;
    if (ftr_flush(UINT64_C(30000000000)) != FTR_OK)
        fail(subject->name, "the flush failed");
    const double process_ns = measure_process_ns() - process;
    printf("{\"case\":\"%s\",\"spans\":%d,\"recorded\":%d,", subject->name, n,
           subject->is_recorded ? n : 0);
    print_delivered(arrived);
    printf(",\"ns\":%.3f,\"process_ns\":%.3f}\n", thread_ns / n, process_ns / n);
}

static void answer(const char *line)
{
    char name[NAME_BYTES], rest;
    long n = 0;
    if (sscanf(line, "run %31s %18ld %c", name, &n, &rest) != 2) {
        printf("{\"error\":\"a line is: run CASE N\"}\n");
        return;
    }
    const struct peer_case *subject = find_case(name);
    if (!subject)
        printf("{\"error\":\"there is no such case\"}\n");
    else if (n <= 0 || n > BURST_MAX || n % TRACE != 0)
        printf("{\"error\":\"N is a multiple of %d, at most %d\"}\n", TRACE, BURST_MAX);
    else
        run(subject, (int)n);
}

static ftr_exporter *open_exporter(const char *url, ftr_error *error)
{
    if (!url)
        return null_sink_new();
    ftr_otlp_options options = {.size = sizeof options};
    options.endpoint = (ftr_str){url, strlen(url)};
    return ftr_otlp_exporter_new(&options, error);
}

static void start(const char *url)
{
    ftr_error error = {0};
    ftr_exporter *exporter = open_exporter(url, &error);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    if (!exporter || ftr_init(&config, &error) != FTR_OK)
        fail("set-up", error.text);
    counts = !url;
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];
    start(argc > 1 ? argv[1] : NULL);
    while (fgets(line, sizeof line, stdin)) {
        answer(line);
        fflush(stdout);
    }
    return ftr_shutdown(UINT64_C(5000000000)) == FTR_OK ? 0 : 1;
}
