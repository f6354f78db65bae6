/* SPDX-License-Identifier: Apache-2.0
 *
 * When two loops agree that all is done. A node on the second takes custody of what a receiver on
 * the first sent, which thereby has its answer, and passes it on later in the same call. */
#include "engine/instances.h"

#include "base/error.h"
#include "base/payload.h"
#include "base/thread.h"
#include "base/time.h"
#include "config/document.h"
#include "engine/graph.h"
#include "engine/node.h"
#include "engine/partition.h"
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

enum { LOOPS = 2, KEEPER_LOOP = 1 };

static struct {
    struct loop *loops[LOOPS];
    struct loop_wakeup *stoppers[LOOPS];
    struct config_document *document;
    struct instances *instances;
    _Atomic bool is_answered, is_finished, is_drained;
    _Atomic unsigned n_in_custody, n_in_custody_when_finished;
} lab;

/* ExportTraceServiceRequest with one span of a trace that the second loop has. */
static struct ftri_payload *make_payload(void)
{
    uint8_t bytes[34] = {0x0a, 32, 0x12, 30, 0x12, 28, 0x0a, 16};
    uint8_t *const trace_id = bytes + 8;
    bytes[24] = 0x12, bytes[25] = 8, bytes[26] = 1;
    do
        trace_id[15]++;
    while (partition_loop(trace_id, LOOPS) != KEEPER_LOOP);
    return ftri_payload_copy(ftri_view_of(bytes, sizeof bytes));
}

static int source_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    node_set_timer(node, 1);
    return 0;
}

static void source_control(struct node *node, const struct control *message)
{
    if (message->kind == CONTROL_TIMER_TICK) {
        struct pdata *const pdata = node_ingest(node, FTR_SIGNAL_TRACES, NULL, true, 0);
        assert_non_null(pdata);
        pdata_set_otlp(pdata, make_payload(), 1);
        node_send(node, 0, pdata);
    } else if (message->kind == CONTROL_ACK) {
        atomic_store(&lab.is_answered, true);
        node_finished(node);
    } else if (message->kind == CONTROL_DRAIN_INGRESS) {
        node_drained(node);
    }
}

/* Takes nothing in before the batch has lain in its channel for a while. */
static int keeper_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    if (node_loop_index(node) != KEEPER_LOOP)
        return 0;
    node_set_accepting(node, false);
    node_set_timer(node, 50 * FTRI_NS_PER_MS);
    return 0;
}

/* Gives the first loop the time to draw a wrong conclusion; a right one takes no part of it. */
static void linger(void)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < 300 && !atomic_load(&lab.is_finished); i++)
        nanosleep(&moment, NULL);
}

static void keeper_consume(struct node *node, struct pdata *pdata)
{
    struct pdata *const onward = node_derive_watched(node, pdata, 7);
    assert_non_null(onward);
    atomic_fetch_add(&lab.n_in_custody, 1);
    node_ack(node, pdata);
    linger();
    node_send(node, 0, onward);
}

static void keeper_control(struct node *node, const struct control *message)
{
    if (message->kind == CONTROL_TIMER_TICK || message->kind == CONTROL_SHUTDOWN)
        node_set_accepting(node, true);
    else if (message->kind == CONTROL_ACK)
        atomic_fetch_sub(&lab.n_in_custody, 1);
}

static void sink_consume(struct node *node, struct pdata *pdata)
{
    node_ack(node, pdata);
}

static const struct option no_rows[] = {{0}};
static const struct node_class source = {.type = "receiver/source",
                                         .kind = FTR_NODE_RECEIVER,
                                         .options = {no_rows, 0, 1},
                                         .state = STATE_OF_GRAPH,
                                         .start = source_start,
                                         .control = source_control};
static const struct node_class keeper = {.type = "processor/keeper",
                                         .kind = FTR_NODE_PROCESSOR,
                                         .options = {no_rows, 0, 1},
                                         .state = STATE_OF_TRACE,
                                         .is_stateful = true,
                                         .start = keeper_start,
                                         .consume = keeper_consume,
                                         .control = keeper_control};
static const struct node_class sink = {.type = "exporter/sink",
                                       .kind = FTR_NODE_EXPORTER,
                                       .options = {no_rows, 0, 1},
                                       .consume = sink_consume};
static const struct node_class *const classes[] = {&source, &keeper, &sink, NULL};

static void on_finished(void *argument)
{
    (void)argument;
    lab.n_in_custody_when_finished = lab.n_in_custody;
    atomic_store(&lab.is_finished, true);
    instances_drain(lab.instances, 60 * FTRI_NS_PER_S);
}

static void on_drained(void *argument)
{
    (void)argument;
    atomic_store(&lab.is_drained, true);
    for (size_t i = 0; i < LOOPS; i++)
        loop_wake(lab.stoppers[i]);
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
                           "  keep: {type: processor/keeper}\n"
                           "  out: {type: exporter/sink}\n"
                           "connections: [{from: in, to: keep}, {from: keep, to: out}]";

static void build(void)
{
    struct ftri_error error = {{0}};
    for (size_t i = 0; i < LOOPS; i++) {
        lab.loops[i] = loop_new(&error);
        lab.stoppers[i] = loop_wakeup_new(lab.loops[i], on_stop, lab.loops[i]);
    }
    assert_int_equal(config_parse(ftr_str_from(yaml), "g.yaml", &lab.document, &error), 0);
    const struct config_value *root = config_root(lab.document);
    const struct graph_options options = {
        .classes = classes,
        .nodes = config_get(root, "nodes"),
        .connections = config_get(root, "connections"),
        .on_finished = on_finished,
        .on_drained = on_drained,
    };
    if (instances_new(lab.loops, LOOPS, &options, &lab.instances, &error) < 0 ||
        instances_start(lab.instances, &error) < 0)
        fail_msg("%s", error.text);
}

static int free_lab(void **state)
{
    (void)state;
    instances_free(lab.instances);
    config_free(lab.document);
    for (size_t i = 0; i < LOOPS; i++) {
        loop_wakeup_free(lab.stoppers[i]);
        loop_free(lab.loops[i]);
    }
    return 0;
}

/* A loop whose channels hold something is not at rest, though no frame of its own is alive. */
static void test_what_lies_in_a_channel_is_not_at_rest(void **state)
{
    (void)state;
    pthread_t second;
    build();
    assert_int_equal(ftri_thread_start(run_loop, lab.loops[1], &second), 0);
    loop_run(lab.loops[0]);
    pthread_join(second, NULL);
    struct ftri_error error = {{0}};
    if (instances_check_accounts(lab.instances, &error) < 0)
        fail_msg("%s", error.text);
    assert_true(lab.is_answered && lab.is_finished && lab.is_drained);
    assert_int_equal(lab.n_in_custody_when_finished, 0);
    assert_int_equal(lab.n_in_custody, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_lies_in_a_channel_is_not_at_rest, free_lab),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
