/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows 1 to 5: what recording a span costs the thread that records, in multiples of one
 * back-to-back cycle-counter read measured in the same moment; user spans in multiples of a system
 * span.
 *
 * Method: pairs of (baseline, subject), interleaved, at least 11; the median of the pairs' ratios
 * with their extremes. The exporter is alive and counts the spans that arrive; between bursts
 * (untimed) everything is flushed, so a burst fits the journal; one span that is missing at the
 * sink fails the run. Prints one JSON object per line; run.py makes the table.
 *
 * `bench-recording NAME` records COUNTED spans of one shape inside counted(), for instructions.py.
 */
#include "loops.h"
#include "measure.h"
#include "null_sink.h"

#include <flowtrace/flowtrace.h>
#include <flowtrace/user.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAIRS = 31,
    BURST = 20000,
    LONG_BURST = 5000, /* of spans with attributes, events or links */
    BURSTS_PER_PAIR = 10,
    OFF_CALLS = 5000000,
    COUNTED = 400
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-recording: %s\n", what);
    exit(1);
}

static void drain(void)
{
    if (ftr_flush(UINT64_C(10000000000)) != FTR_OK)
        fail("flush failed");
}

/* ns per span. */
static double bursts_ns(void (*record)(int n), int burst)
{
    double total = 0;
    for (int i = 0; i < BURSTS_PER_PAIR; i++) {
        const double start = measure_wall_ns();
        record(burst);
        total += measure_wall_ns() - start;
        drain();
    }
    return total / ((double)burst * BURSTS_PER_PAIR);
}

/* The same below one root that is current. */
static double children_ns(void (*record)(int n))
{
    const ftr_span root = ftr_span_start(FTR_STR("request"), FTR_KIND_SERVER, NULL);
    ftr_context context = ftr_span_context_of(root);
    const ftr_attachment attachment = ftr_attach(&context);
    const double ns = bursts_ns(record, LONG_BURST);
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(root);
    return ns;
}

static void record_traces_of_1000(int n)
{
    loop_traces(n, 1000, loop_children);
}

static void record_traces_of_10(int n)
{
    loop_traces(n, 10, loop_children);
}

static double trace_1000_ns(void)
{
    return bursts_ns(record_traces_of_1000, BURST);
}

static double trace_10_ns(void)
{
    return bursts_ns(record_traces_of_10, BURST);
}

static double root_ns(void)
{
    return bursts_ns(loop_roots, BURST);
}

static double attributes_4_ns(void)
{
    return children_ns(loop_with_4);
}

static double attributes_10_ns(void)
{
    return children_ns(loop_with_10);
}

static double values_4_ns(void)
{
    return children_ns(loop_with_4_values);
}

static double values_10_ns(void)
{
    return children_ns(loop_with_10_values);
}

static double ending_4_ns(void)
{
    return children_ns(loop_ending_with_4);
}

static double ending_10_ns(void)
{
    return children_ns(loop_ending_with_10);
}

static double event_ns(void)
{
    return children_ns(loop_with_event) - children_ns(loop_children);
}

static double link_ns(void)
{
    return children_ns(loop_with_link) - children_ns(loop_children);
}

/* ns of one start and end that record nothing, above an empty loop. */
static double calls_ns(void (*calls)(int n))
{
    const double start = measure_wall_ns();
    calls(OFF_CALLS);
    const double with = measure_wall_ns() - start;
    const double empty_start = measure_wall_ns();
    for (int i = 0; i < OFF_CALLS; i++)
        __asm__ volatile("" : : : "memory");
    return (with - (measure_wall_ns() - empty_start)) / OFF_CALLS;
}

static double off_ns(void)
{
    ftr_set_mode(FTR_MODE_OFF);
    const double ns = calls_ns(loop_calls);
    ftr_set_mode(FTR_MODE_FULL);
    return ns;
}

static double unsampled_ns(void)
{
    const ftr_context parent = loop_remote_parent(0);
    const ftr_attachment attachment = ftr_attach(&parent);
    const double ns = calls_ns(loop_calls);
    ftr_detach(attachment);
    return ns;
}

static double no_user_root_ns(void)
{
    return calls_ns(loop_user_calls);
}

/* The same as children_ns with a user root current beside it. */
static double beside_user_root_ns(void (*record)(int n))
{
    ftr_context context = loop_user_parent();
    const ftr_context parent = loop_remote_parent(FTR_TRACE_FLAG_SAMPLED);
    context.span = parent.span;
    const ftr_attachment attachment = ftr_attach(&context);
    const double ns = bursts_ns(record, LONG_BURST);
    ftr_detach(attachment);
    ftr_context_release(&context);
    return ns;
}

struct subject {
    const char *row;
    const char *name;
    double (*run)(void);
    double goal;
    int is_in_ns; /* the goal is in ns, not in clock reads */
};

static double run_clock(void *argument)
{
    (void)argument;
    return measure_clock_read_ns();
}

static double run_subject(void *argument)
{
    const struct subject *subject = argument;
    return subject->run();
}

static void measure(struct subject *subject)
{
    const struct measure_subject ours = {run_subject, subject};
    const struct measure_subject clock = {run_clock, NULL};
    char goal[32];
    snprintf(goal, sizeof goal, "<= %g %s", subject->goal, subject->is_in_ns ? "ns" : "T");
    struct measure_row row = {.row = subject->row, .name = subject->name, .unit = "ns"};
    row.pairs = measure_in_turn(ours, clock, PAIRS);
    row.goal = goal;
    const double judged = subject->is_in_ns ? row.pairs.value : row.pairs.ratio;
    row.verdict = judged <= subject->goal ? MEASURE_HOLDS : MEASURE_FAILS;
    measure_print(&row);
}

/* User spans and the system spans that they are measured by. */
struct twins {
    const char *name;
    void (*user)(int n);
    void (*system)(int n);
    double goal;
};

static double run_user(void *argument)
{
    return beside_user_root_ns(((const struct twins *)argument)->user);
}

static double run_system(void *argument)
{
    return beside_user_root_ns(((const struct twins *)argument)->system);
}

static void measure_twins(struct twins *twins)
{
    char goal[32];
    snprintf(goal, sizeof goal, "<= %g spans", twins->goal);
    struct measure_row row = {.row = "1", .name = twins->name, .unit = "ns"};
    row.pairs = measure_in_turn((struct measure_subject){run_user, twins},
                                (struct measure_subject){run_system, twins}, PAIRS);
    row.goal = goal;
    row.verdict = row.pairs.ratio <= twins->goal ? MEASURE_HOLDS : MEASURE_FAILS;
    measure_print(&row);
}

static void check_accounts(void)
{
    ftr_statistics users = {.size = sizeof users};
    ftr_get_user_statistics(&users);
    ftr_statistics counts = {.size = sizeof counts};
    ftr_get_statistics(&counts);
    if (counts.ended != counts.started || counts.lost_journal_full != 0 || counts.no_slot != 0 ||
        users.ended != users.started || users.lost_journal_full != 0 || users.no_slot != 0 ||
        null_sink_count() != counts.ended + users.ended)
        fail("spans were lost");
    fprintf(stderr, "bench-recording: %" PRIu64 " spans recorded, all arrived\n",
            counts.ended + users.ended);
}

/* What instructions.py counts. */
__attribute__((noinline)) void counted(void (*record)(int n));
void counted(void (*record)(int n))
{
    record(COUNTED);
}

enum { NONE = -1, OFF = -2, INHERITED = -3, USER = -4 };

static const struct {
    const char *name;
    void (*record)(int n);
    int flags; /* of the current context; NONE is current; the mode is OFF; fields are INHERITED; a
                  USER root is current, too */
} shapes[] = {
    {"child", loop_named_children, FTR_TRACE_FLAG_SAMPLED},
    {"site", loop_children, FTR_TRACE_FLAG_SAMPLED},
    {"values-4", loop_with_4_values, FTR_TRACE_FLAG_SAMPLED},
    {"values-10", loop_with_10_values, FTR_TRACE_FLAG_SAMPLED},
    {"end-values-4", loop_ending_with_4, FTR_TRACE_FLAG_SAMPLED},
    {"end-values-10", loop_ending_with_10, FTR_TRACE_FLAG_SAMPLED},
    {"attributes-4", loop_with_4, FTR_TRACE_FLAG_SAMPLED},
    {"attributes-10", loop_with_10, FTR_TRACE_FLAG_SAMPLED},
    {"event", loop_with_event, FTR_TRACE_FLAG_SAMPLED},
    {"link", loop_with_link, FTR_TRACE_FLAG_SAMPLED},
    {"unsampled", loop_children, 0},
    {"root", loop_roots, NONE},
    {"inherited", loop_children, INHERITED},
    {"off", loop_children, OFF},
    {"visit", loop_visits, FTR_TRACE_FLAG_SAMPLED},
    {"scope", loop_scopes, FTR_TRACE_FLAG_SAMPLED},
    {"scope-attributes-4", loop_scopes_with_4, FTR_TRACE_FLAG_SAMPLED},
    {"scope-unsampled", loop_scopes, 0},
    {"scope-off", loop_scopes_with_4, OFF},
    {"user-child", loop_user_named_children, USER},
    {"user-site", loop_user_children, USER},
    {"user-end-values-4", loop_user_ending_with_4, USER},
    {"user-scope", loop_user_scopes, USER},
    {"dual-scope", loop_dual_scopes, USER},
    {"scope-beside-user", loop_scopes, USER},
    {"user-none", loop_user_children, FTR_TRACE_FLAG_SAMPLED},
};

static void count(const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i].name, name) != 0)
            continue;
        ftr_attachment attachment = {0};
        ftr_context parent =
            loop_remote_parent((uint8_t)(shapes[i].flags < 0 ? 1 : shapes[i].flags));
        const ftr_value job = ftr_value_str(FTR_STR("j-1"));
        if (shapes[i].flags == INHERITED &&
            !ftr_context_set_field(&parent, FTR_STR("job_id"), &job))
            fail("no field");
        if (shapes[i].flags == USER)
            parent.user = loop_user_parent().user;
        if (shapes[i].flags >= 0 || shapes[i].flags == INHERITED || shapes[i].flags == USER)
            attachment = ftr_attach(&parent);
        if (shapes[i].flags == OFF)
            ftr_set_mode(FTR_MODE_OFF);
        shapes[i].record(COUNTED); /* the thread is set up, slots were used */
        counted(shapes[i].record);
        if (attachment.id)
            ftr_detach(attachment);
        printf("{\"shape\":\"%s\",\"spans\":%d}\n", name, COUNTED);
        return;
    }
    fail("no such shape");
}

static void measure_all(void)
{
    static struct subject subjects[] = {
        {"1", "sampled child span, traces of 1000", trace_1000_ns, 2.3, 0},
        {"1", "sampled child span, traces of 10", trace_10_ns, 2.3, 0},
        {"2", "with 4 attributes of 20 + 20 bytes, at the end", ending_4_ns, 2.5, 0},
        {"2", "with 10 attributes of 20 + 20 bytes, at the end", ending_10_ns, 3.0, 0},
        {"2", "with 4 attributes of 20 + 20 bytes, at once", values_4_ns, 2.5, 0},
        {"2", "with 10 attributes of 20 + 20 bytes, at once", values_10_ns, 3.0, 0},
        {"2", "with 4 attributes, one by one", attributes_4_ns, 2.5, 0},
        {"2", "with 10 attributes, one by one", attributes_10_ns, 3.0, 0},
        {"3", "an event more", event_ns, 1.3, 0},
        {"3", "a link more", link_ns, 0.3, 0},
        {"4", "root with a new trace id", root_ns, 3.0, 0},
        {"5", "start and end, mode off", off_ns, 0.5, 1},
        {"5", "start and end, unsampled child", unsampled_ns, 1.0, 1},
        {"5", "start and end, no user root", no_user_root_ns, 1.0, 1},
    };
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        measure(&subjects[i]);
    static struct twins twins[] = {
        {"user span beside a system span", loop_user_children, loop_children, 1.1},
        {"the same with 4 attributes", loop_user_ending_with_4, loop_ending_with_4, 1.1},
        {"user scope beside a system scope", loop_user_scopes, loop_scopes, 1.1},
        {"dual scope beside a system scope", loop_dual_scopes, loop_scopes, 2},
    };
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        measure_twins(&twins[i]);
}

int main(int argc, char **argv)
{
    ftr_exporter *exporter = null_sink_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.queue_bytes = (size_t)256 << 20;
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    user.is_enabled = true;
    user.exporter = null_sink_new();
    config.user = &user;
    ftr_error error;
    if (!exporter || !user.exporter || ftr_init(&config, &error) != FTR_OK)
        fail(error.text);
    if (argc > 1)
        count(argv[1]);
    else
        measure_all();
    drain();
    check_accounts();
    return ftr_shutdown(UINT64_C(5000000000)) == FTR_OK ? 0 : 1;
}
