/* SPDX-License-Identifier: Apache-2.0
 *
 * Row 22: what a second loop gives. The same number of batches through the same graph with
 * `loops: 1` and `loops: 2` in turn: how many times faster by wall time, where two cores are free,
 * and how much more CPU time it takes for that, also where they are not. Once each batch stays on
 * the loop that it came in on; once a node has the state of a trace, and the batches are parted
 * among the loops by trace on the way to it. Every run is a graph of its own, whose batches are all
 * answered. */
#include "app/loops.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/payload.h"
#include "config/document.h"
#include "engine/account.h"
#include "engine/graph.h"
#include "engine/instances.h"
#include "engine/node.h"
#include "measure.h"
#include "net/loop.h"
#include "nodes/environment.h"
#include "nodes/registry.h"
#include "payload.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 15, BATCHES = 256, SPANS = 512, UNANSWERED_MAX = 32, CLASSES_MAX = 64 };

static const uint64_t DEADLINE_NS = UINT64_C(10000000000);

static const struct way {
    const char *title, *cpu_title;
    const char *trace_type;
} ways[] = {
    {"a span, loops: 2, each batch on its loop", "the CPU time of that", "processor/pass"},
    {"a span, loops: 2, batches parted by trace", "the CPU time of that", "processor/by_trace"},
};

static struct {
    struct loops *loops;
    struct instances *instances;
    struct nodes_environment environment;
    const struct node_class *classes[CLASSES_MAX];
    struct ftri_payload *payload;
    const struct way *way;
    size_t n_loops;
    double end_ns, end_cpu_ns;
    _Atomic uint64_t n_refused;
} run;

static void fail(const char *what)
{
    fprintf(stderr, "bench-scaling: %s\n", what);
    exit(1);
}

/* -- nodes -- */

struct source {
    uint64_t n_sent, n_unanswered;
};

static void go_on(struct node *node)
{
    struct source *const source = node_state(node);
    const uint64_t n_wanted = BATCHES / run.n_loops;
    while (source->n_sent < n_wanted && source->n_unanswered < UNANSWERED_MAX &&
           node_can_send(node)) {
        struct pdata *const pdata = node_ingest(node, FTR_SIGNAL_TRACES, NULL, true, 0);
        if (!pdata)
            fail("memory is short");
        pdata_set_otlp(pdata, ftri_payload_ref(run.payload), SPANS);
        source->n_sent++;
        source->n_unanswered++;
        node_send(node, 0, pdata);
    }
    if (source->n_sent == n_wanted && source->n_unanswered == 0)
        node_finished(node);
}

static int source_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    node_wakeup(node);
    return 0;
}

static void source_control(struct node *node, const struct control *message)
{
    struct source *const source = node_state(node);
    if (message->kind == CONTROL_ACK || message->kind == CONTROL_NACK)
        source->n_unanswered--;
    if (message->kind == CONTROL_NACK)
        atomic_fetch_add(&run.n_refused, 1);
    if (message->kind == CONTROL_DRAIN_INGRESS)
        node_drained(node);
    else
        go_on(node);
}

static void pass(struct node *node, struct pdata *pdata)
{
    node_send(node, 0, pdata);
}

static const struct node_class receiver_repeat = {
    .type = "receiver/repeat",
    .kind = FTR_NODE_RECEIVER,
    .sentence = "Sends one payload over and over, on each loop.",
    .state_size = sizeof(struct source),
    .start = source_start,
    .control = source_control,
};

static const struct node_class processor_pass = {
    .type = "processor/pass",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Sends on what comes.",
    .consume = pass,
};

static const struct node_class processor_by_trace = {
    .type = "processor/by_trace",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "The same, and wants all of a trace.",
    .state = STATE_OF_TRACE,
    .consume = pass,
};

static void list_classes(void)
{
    size_t n = 0;
    run.classes[n++] = &receiver_repeat;
    run.classes[n++] = &processor_pass;
    run.classes[n++] = &processor_by_trace;
    for (const struct node_class *const *i = nodes_registry; *i; i++) {
        if (n + 1 == CLASSES_MAX)
            fail("too many classes");
        run.classes[n++] = *i;
    }
}

/* -- a run -- */

static void on_finished(void *argument)
{
    (void)argument;
    run.end_ns = measure_wall_ns();
    run.end_cpu_ns = measure_process_ns();
    instances_drain(run.instances, DEADLINE_NS);
}

static void on_drained(void *argument)
{
    (void)argument;
    loop_stop(loops_list(run.loops)[0]);
}

static void on_failed(void *argument, const char *node, const char *reason)
{
    (void)argument;
    fprintf(stderr, "node %s: ", node);
    fail(reason);
}

static struct config_document *read_graph(struct ftri_error *error)
{
    char text[512];
    struct config_document *document;
    snprintf(text, sizeof text,
             "nodes:\n"
             "  in: {type: receiver/repeat}\n"
             "  trace: {type: %s}\n"
             "  set:\n"
             "    type: processor/attributes\n"
             "    config: {actions: [{action: insert, key: deployment.region, value: eu-1}]}\n"
             "  out: {type: exporter/noop}\n"
             "connections: [{from: in, to: trace}, {from: trace, to: set}, {from: set, to: out}]",
             run.way->trace_type);
    if (config_parse(ftr_str_from(text), "scaling", &document, error) < 0)
        fail(error->text);
    return document;
}

static void start(const struct config_document *document, struct ftri_error *error)
{
    const struct config_value *const root = config_root(document);
    const struct graph_options options = {
        .classes = run.classes,
        .nodes = config_get(root, "nodes"),
        .connections = config_get(root, "connections"),
        .pipeline = "bench",
        .environment = &run.environment,
        .on_finished = on_finished,
        .on_failed = on_failed,
        .on_drained = on_drained,
    };
    if (loops_new(run.n_loops, &run.loops, error) < 0 ||
        instances_new(loops_list(run.loops), run.n_loops, &options, &run.instances, error) < 0 ||
        instances_start(run.instances, error) < 0)
        fail(error->text);
}

static void check(struct ftri_error *error)
{
    struct graph_node_view view;
    if (instances_check_accounts(run.instances, error) < 0)
        fail(error->text);
    instances_sum(run.instances);
    for (size_t i = 0; graph_node_view(instances_graph(run.instances), i, &view); i++)
        if (strcmp(view.id, "out") == 0 && view.account->received != BATCHES * SPANS)
            fail("spans were lost");
    if (run.n_refused)
        fail("a batch was refused");
}

struct cost {
    double wall_ns, cpu_ns;
};

/* Of one span. */
static struct cost run_once(size_t n_loops)
{
    struct ftri_error error = {.text = "memory is short"};
    run.n_loops = n_loops;
    struct config_document *const document = read_graph(&error);
    start(document, &error);
    const double begin_ns = measure_wall_ns(), begin_cpu_ns = measure_process_ns();
    if (loops_start(run.loops, &error) < 0)
        fail(error.text);
    loops_run(run.loops);
    loops_stop(run.loops);
    check(&error);
    instances_free(run.instances);
    loops_free(run.loops);
    config_free(document);
    return (struct cost){(run.end_ns - begin_ns) / (BATCHES * SPANS),
                         (run.end_cpu_ns - begin_cpu_ns) / (BATCHES * SPANS)};
}

/* Wall time in turn: what the runs took of CPU goes beside it. */
struct subject {
    size_t n_loops;
    double cpu_ns[PAIRS + 1]; /* the first run is not measured */
    size_t n;
};

static double wall_ns(void *argument)
{
    struct subject *const subject = argument;
    const struct cost cost = run_once(subject->n_loops);
    subject->cpu_ns[subject->n++] = cost.cpu_ns;
    return cost.wall_ns;
}

static double next_cpu_ns(void *argument)
{
    struct subject *const subject = argument;
    return subject->cpu_ns[subject->n++];
}

static void print(const char *title, struct measure_pairs pairs)
{
    measure_print(&(struct measure_row){.row = "22",
                                        .name = title,
                                        .unit = "ns",
                                        .peer = "loops: 1",
                                        .pairs = pairs,
                                        .goal = "",
                                        .verdict = MEASURE_NO_GOAL});
}

static void measure(const struct way *way)
{
    struct subject one = {.n_loops = 1}, two = {.n_loops = 2};
    run.way = way;
    print(way->title,
          measure_as_speedup(measure_in_turn((struct measure_subject){wall_ns, &two},
                                             (struct measure_subject){wall_ns, &one}, PAIRS)));
    one.n = two.n = 0;
    print(way->cpu_title, measure_in_turn((struct measure_subject){next_cpu_ns, &two},
                                          (struct measure_subject){next_cpu_ns, &one}, PAIRS));
}

static void make_payload(void)
{
    struct payload spans;
    struct ftri_bytes bytes;
    payload_init(&spans, PAYLOAD_SMALL, SPANS, 1);
    ftri_bytes_init(&bytes, (size_t)1 << 20);
    payload_encode(&spans, 0, SPANS, &bytes);
    run.payload = ftri_payload_copy((struct ftri_view){bytes.data, bytes.len});
    if (!run.payload)
        fail("memory is short");
    ftri_bytes_deinit(&bytes);
    payload_deinit(&spans);
}

int main(void)
{
    list_classes();
    make_payload();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        measure(&ways[i]);
    ftri_payload_unref(run.payload);
    return 0;
}
