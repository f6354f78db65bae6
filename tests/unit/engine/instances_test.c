/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph on several loops, each with a thread of its own: receivers on all of them, a node with
 * the state of a trace, an exporter that there is one of. */
#include "engine/instances.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/thread.h"
#include "base/time.h"
#include "config/document.h"
#include "engine/account.h"
#include "engine/graph.h"
#include "engine/node.h"
#include "net/loop.h"
#include "otlp/view.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LOOPS_MAX = 4, TRACES = 64, SPANS_MAX = 4, UNANSWERED_MAX = 50, REFUSES_EVERY = 7 };

struct one_loop {
    struct loop *loop;
    struct loop_wakeup *stopper;
    pthread_t thread;
};

static struct {
    struct one_loop loops[LOOPS_MAX];
    size_t n_loops;
    struct config_document *document;
    struct instances *instances;
    uint64_t n_batches; /* that a receiver sends */
    bool is_hanging;    /* the exporter never answers */
    /* Across threads: */
    _Atomic size_t loop_of[TRACES]; /* 1 + the loop that had a trace first */
    _Atomic uint64_t n_astray;      /* spans elsewhere */
    _Atomic uint64_t n_spans_sent, n_spans_seen, n_acks, n_nacks;
    _Atomic uint64_t n_seen_on[LOOPS_MAX];
    _Atomic unsigned n_finished, n_drained, n_failed, n_collected;
    _Atomic unsigned n_told[4];    /* to collect telemetry, by loop */
    _Atomic uint64_t n_imbalanced; /* sums that did not agree */
} lab;

struct source {
    uint64_t n_sent, n_unanswered, chance;
};

struct sink {
    struct pdata *held[1 << 16];
    size_t n_held;
    uint64_t n_seen;
};

static const struct option no_rows[] = {{0}};

static uint64_t next_chance(struct source *source)
{
    source->chance = source->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return source->chance >> 33;
}

/* ExportTraceServiceRequest with n spans (fewer than five: every length is one byte), each with a
 * trace id whose last byte is the trace's number. */
static struct ftri_payload *make_payload(struct source *source, size_t n)
{
    uint8_t bytes[4 + SPANS_MAX * 30] = {0x0a, (uint8_t)(2 + n * 30), 0x12, (uint8_t)(n * 30)};
    for (size_t i = 0; i < n; i++) {
        uint8_t *const span = bytes + 4 + i * 30;
        span[0] = 0x12, span[1] = 28, span[2] = 0x0a, span[3] = 16;
        span[4] = 0xab, span[19] = (uint8_t)(next_chance(source) % TRACES);
        span[20] = 0x12, span[21] = 8, span[22] = 1;
    }
    return ftri_payload_copy(ftri_view_of(bytes, 4 + n * 30));
}

static void go_on(struct node *node)
{
    struct source *const source = node_state(node);
    while (source->n_sent < lab.n_batches && source->n_unanswered < UNANSWERED_MAX &&
           node_can_send(node)) {
        struct pdata *const pdata = node_ingest(node, FTR_SIGNAL_TRACES, NULL, true, 0);
        if (!pdata)
            return; /* after the deadline */
        const size_t n = 1 + next_chance(source) % SPANS_MAX;
        pdata_set_otlp(pdata, make_payload(source, n), n);
        atomic_fetch_add(&lab.n_spans_sent, n);
        source->n_sent++;
        source->n_unanswered++;
        node_send(node, 0, pdata);
    }
    if (source->n_sent == lab.n_batches && source->n_unanswered == 0)
        node_finished(node);
}

static int source_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    ((struct source *)node_state(node))->chance = 1 + node_loop_index(node);
    node_set_timer(node, 1);
    return 0;
}

static void source_control(struct node *node, const struct control *message)
{
    struct source *const source = node_state(node);
    if (message->kind == CONTROL_ACK || message->kind == CONTROL_NACK) {
        source->n_unanswered--;
        atomic_fetch_add(message->kind == CONTROL_ACK ? &lab.n_acks : &lab.n_nacks, 1);
    }
    if (message->kind == CONTROL_COLLECT_TELEMETRY)
        atomic_fetch_add(&lab.n_told[node_loop_index(node)], 1);
    if (message->kind == CONTROL_DRAIN_INGRESS)
        node_drained(node);
    else
        go_on(node);
}

/* Every span that comes has a trace that only this loop has. */
static void look_at(struct node *node, const struct pdata *pdata)
{
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    const size_t me = 1 + node_loop_index(node);
    uint64_t n = 0;
    ftri_otlp_cursor_init(&cursor, ftri_payload_view(pdata->otlp));
    while (ftri_otlp_cursor_next(&cursor, &span)) {
        size_t nobody = 0;
        if (!atomic_compare_exchange_strong(&lab.loop_of[span->trace_id[15]], &nobody, me) &&
            nobody != me)
            atomic_fetch_add(&lab.n_astray, 1);
        n++;
    }
    if (n != pdata->n_items)
        atomic_fetch_add(&lab.n_astray, 1);
    atomic_fetch_add(&lab.n_spans_seen, n);
    atomic_fetch_add(&lab.n_seen_on[node_loop_index(node)], n);
}

static void by_trace(struct node *node, struct pdata *pdata)
{
    look_at(node, pdata);
    node_send(node, 0, pdata);
}

static void sink_consume(struct node *node, struct pdata *pdata)
{
    struct sink *const sink = node_state(node);
    static const struct result refusal = {.is_permanent = true, .reason = "every seventh"};
    if (node_loop_index(node) != 0)
        atomic_fetch_add(&lab.n_astray, 1);
    if (lab.is_hanging)
        sink->held[sink->n_held++] = pdata;
    else if (++sink->n_seen % REFUSES_EVERY == 0)
        node_nack(node, pdata, &refusal);
    else
        node_ack(node, pdata);
}

static const struct node_class source_class = {.type = "receiver/source",
                                               .kind = FTR_NODE_RECEIVER,
                                               .options = {no_rows, 0, 1},
                                               .state_size = sizeof(struct source),
                                               .start = source_start,
                                               .control = source_control};
static const struct node_class trace_class = {.type = "processor/by_trace",
                                              .kind = FTR_NODE_PROCESSOR,
                                              .options = {no_rows, 0, 1},
                                              .state = STATE_OF_TRACE,
                                              .consume = by_trace};
static const struct node_class sink_class = {.type = "exporter/sink",
                                             .kind = FTR_NODE_EXPORTER,
                                             .options = {no_rows, 0, 1},
                                             .state_size = sizeof(struct sink),
                                             .state = STATE_OF_GRAPH,
                                             .consume = sink_consume};
static const struct node_class *const classes[] = {&source_class, &trace_class, &sink_class, NULL};

static void on_finished(void *argument)
{
    (void)argument;
    atomic_fetch_add(&lab.n_finished, 1);
    instances_drain(lab.instances, 60 * FTRI_NS_PER_S);
}

static void on_failed(void *argument, const char *node, const char *reason)
{
    (void)argument;
    fprintf(stderr, "%s: %s\n", node, reason);
    atomic_fetch_add(&lab.n_failed, 1);
}

static void on_drained(void *argument)
{
    (void)argument;
    atomic_fetch_add(&lab.n_drained, 1);
    for (size_t i = 0; i < lab.n_loops; i++)
        loop_wake(lab.loops[i].stopper);
}

static void on_stop(void *loop)
{
    loop_stop(loop);
}

static void *run_loop(void *loop)
{
    loop_run(loop);
    return NULL;
}

static const char yaml[] = "nodes:\n"
                           "  in: {type: receiver/source}\n"
                           "  trace: {type: processor/by_trace}\n"
                           "  out: {type: exporter/sink}\n"
                           "connections: [{from: in, to: trace}, {from: trace, to: out}]";

static struct graph_options options_of(size_t capacity)
{
    const struct config_value *root = config_root(lab.document);
    return (struct graph_options){
        .classes = classes,
        .nodes = config_get(root, "nodes"),
        .connections = config_get(root, "connections"),
        .channel_capacity = capacity,
        .on_finished = on_finished,
        .on_failed = on_failed,
        .on_drained = on_drained,
    };
}

static void build(size_t n_loops, size_t capacity)
{
    struct ftri_error error = {{0}};
    struct loop *loops[LOOPS_MAX];
    lab.n_loops = n_loops;
    for (size_t i = 0; i < n_loops; i++) {
        loops[i] = lab.loops[i].loop = loop_new(&error);
        lab.loops[i].stopper = loop_wakeup_new(loops[i], on_stop, loops[i]);
    }
    assert_int_equal(config_parse(ftr_str_from(yaml), "g.yaml", &lab.document, &error), 0);
    const struct graph_options options = options_of(capacity);
    if (instances_new(loops, n_loops, &options, &lab.instances, &error) < 0 ||
        instances_start(lab.instances, &error) < 0)
        fail_msg("%s", error.text);
}

static void run(void)
{
    for (size_t i = 1; i < lab.n_loops; i++)
        assert_int_equal(ftri_thread_start(run_loop, lab.loops[i].loop, &lab.loops[i].thread), 0);
    loop_run(lab.loops[0].loop);
    for (size_t i = 1; i < lab.n_loops; i++)
        pthread_join(lab.loops[i].thread, NULL);
}

static int open_lab(void **state)
{
    (void)state;
    memset(&lab, 0, sizeof lab);
    lab.n_batches = 3000;
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    instances_free(lab.instances);
    config_free(lab.document);
    for (size_t i = 0; i < lab.n_loops; i++) {
        loop_wakeup_free(lab.loops[i].stopper);
        loop_free(lab.loops[i].loop);
    }
    return 0;
}

static struct edge_account edge(const char *from)
{
    struct graph_edge_view view;
    for (size_t i = 0; graph_edge_view(instances_graph(lab.instances), i, &view); i++)
        if (strcmp(view.from, from) == 0)
            return *view.account;
    fail_msg("no edge from %s", from);
    return (struct edge_account){0};
}

static struct node_account node(const char *id)
{
    struct graph_node_view view;
    for (size_t i = 0; graph_node_view(instances_graph(lab.instances), i, &view); i++)
        if (strcmp(view.id, id) == 0)
            return *view.account;
    fail_msg("no node %s", id);
    return (struct node_account){0};
}

static void check(void)
{
    struct ftri_error error = {{0}};
    if (instances_check_accounts(lab.instances, &error) < 0)
        fail_msg("%s", error.text);
    instances_sum(lab.instances);
    assert_int_equal(lab.n_failed, 0);
    assert_int_equal(lab.n_drained, 1);
    assert_int_equal(lab.n_astray, 0);
}

/* Every batch is answered once, each trace is on one loop, all of them work, nothing is lost. */
static void all_arrives(size_t n_loops, size_t capacity)
{
    build(n_loops, capacity);
    run();
    check();
    assert_int_equal(lab.n_finished, 1);
    assert_int_equal(lab.n_acks + lab.n_nacks, n_loops * lab.n_batches);
    assert_true(lab.n_nacks > 0);
    assert_int_equal(lab.n_spans_seen, lab.n_spans_sent);
    assert_int_equal(edge("in").sent, lab.n_spans_sent);
    assert_int_equal(edge("in").received, lab.n_spans_sent);
    assert_int_equal(edge("trace").received, lab.n_spans_sent);
    assert_int_equal(edge("trace").lost + edge("in").lost, 0);
    assert_int_equal(edge("trace").queued + edge("in").queued, 0);
    assert_int_equal(node("out").failed + node("out").absorbed, lab.n_spans_sent);
    assert_int_equal(node("trace").received, lab.n_spans_sent);
    assert_int_equal(node("in").created, lab.n_spans_sent);
    for (size_t i = 0; i < n_loops; i++)
        assert_true(lab.n_seen_on[i] > 0);
}

static void test_all_arrives_over_four_loops(void **state)
{
    (void)state;
    all_arrives(4, 128);
    assert_true(edge("in").handed > 0);
    assert_int_equal(edge("in").handed, edge("in").taken);
}

/* Rings of one batch: every sender waits, again and again. */
static void test_backpressure_across_loops(void **state)
{
    (void)state;
    all_arrives(3, 1);
    assert_true(node("in").blocked_ns + node("trace").blocked_ns > 0);
}

static void test_one_loop_is_a_graph(void **state)
{
    (void)state;
    all_arrives(1, 128);
    assert_int_equal(edge("in").handed + edge("in").taken, 0);
}

static void drain_soon(void *argument)
{
    (void)argument;
    instances_drain(lab.instances, FTRI_NS_PER_MS);
}

/* The exporter holds all it gets: at the deadline every batch has its answer all the same. */
static void test_deadline_comes_to_all_loops(void **state)
{
    (void)state;
    lab.is_hanging = true;
    build(4, 4);
    struct loop_timer *timer = loop_timer_new(lab.loops[0].loop, drain_soon, NULL);
    loop_timer_start(timer, 20 * FTRI_NS_PER_MS);
    run();
    loop_timer_free(timer);
    check();
    assert_int_equal(lab.n_finished, 0);
    assert_true(lab.n_spans_sent > 0);
    assert_int_equal(lab.n_acks, 0);
    assert_int_equal(edge("in").sent, edge("in").received + edge("in").lost);
    assert_int_equal(edge("in").sent, lab.n_spans_sent);
    assert_int_equal(node("out").held, 0);
    assert_int_equal(edge("in").lost + edge("trace").lost +
                         node("trace").dropped[FTR_DROP_SHUTDOWN] +
                         node("out").dropped[FTR_DROP_SHUTDOWN],
                     lab.n_spans_sent);
}

static void on_collected(void *argument)
{
    struct loop_timer *const timer = *(struct loop_timer **)argument;
    const struct edge_account in = edge("in"), out = edge("trace");
    const struct node_account sums = node("trace");
    atomic_fetch_add(&lab.n_collected, 1);
    if (in.sent != in.received + in.queued + in.lost || in.queued > in.sent ||
        out.sent != out.received + out.queued + out.lost || out.queued > out.sent ||
        in.handed < in.taken || out.handed < out.taken || sums.received != in.received ||
        sums.emitted != out.sent)
        atomic_fetch_add(&lab.n_imbalanced, 1);
    loop_timer_start(timer, FTRI_NS_PER_MS / 10);
}

static void collect(void *argument)
{
    instances_collect(lab.instances, on_collected, argument);
}

/* Nodes may be told twice at once. */
static void collect_while_it_runs(size_t n_loops)
{
    lab.n_batches = 20000;
    build(n_loops, 16);
    struct loop_timer *timer = NULL;
    timer = loop_timer_new(lab.loops[0].loop, collect, &timer);
    loop_timer_start(timer, FTRI_NS_PER_MS / 10);
    run();
    loop_timer_free(timer);
    check();
    assert_true(lab.n_collected > 2);
    assert_int_equal(lab.n_imbalanced, 0);
    for (size_t i = 0; i < n_loops; i++)
        assert_in_range(lab.n_told[i], 1, lab.n_collected + 1);
}

/* While all loops work, what is summed up is of one moment. */
static void test_sums_agree_while_it_runs(void **state)
{
    (void)state;
    collect_while_it_runs(4);
}

static void test_one_loop_is_summed_up_likewise(void **state)
{
    (void)state;
    collect_while_it_runs(1);
}

/* Freed in the midst: as at a deadline. */
static void test_free_settles_across_loops(void **state)
{
    (void)state;
    lab.is_hanging = true;
    build(2, 2);
    struct loop_timer *timers[2];
    for (size_t i = 0; i < 2; i++) {
        timers[i] = loop_timer_new(lab.loops[i].loop, on_stop, lab.loops[i].loop);
        loop_timer_start(timers[i], 20 * FTRI_NS_PER_MS);
    }
    run();
    instances_free(lab.instances);
    lab.instances = NULL;
    for (size_t i = 0; i < 2; i++)
        loop_timer_free(timers[i]);
    assert_int_equal(lab.n_failed, 0);
    assert_int_equal(lab.n_astray, 0);
}

/* Whatever fails while it is built or started, nothing is left of it. */
static void test_each_request_for_memory_fails(void **state)
{
    (void)state;
    struct loop *loops[3];
    struct ftri_error error = {{0}};
    lab.n_loops = 3;
    for (size_t i = 0; i < 3; i++) {
        loops[i] = lab.loops[i].loop = loop_new(&error);
        lab.loops[i].stopper = loop_wakeup_new(loops[i], on_stop, loops[i]);
    }
    assert_int_equal(config_parse(ftr_str_from(yaml), "g.yaml", &lab.document, &error), 0);
    const struct graph_options options = options_of(4);
    int r = -ENOMEM;
    for (uint64_t n = 1; r < 0; n++) {
        struct instances *instances = NULL;
        ftri_mem_fail_at(n);
        r = instances_new(loops, 3, &options, &instances, &error);
        if (r == 0)
            r = instances_start(instances, &error);
        ftri_mem_fail_at(0);
        assert_true(r == 0 || r == -ENOMEM);
        instances_free(instances);
    }
}

int main(void)
{
#define LAB(function) cmocka_unit_test_setup_teardown(function, open_lab, close_lab)
    const struct CMUnitTest tests[] = {
        LAB(test_one_loop_is_a_graph),
        LAB(test_all_arrives_over_four_loops),
        LAB(test_backpressure_across_loops),
        LAB(test_deadline_comes_to_all_loops),
        LAB(test_sums_agree_while_it_runs),
        LAB(test_free_settles_across_loops),
        LAB(test_one_loop_is_summed_up_likewise),
        LAB(test_each_request_for_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
