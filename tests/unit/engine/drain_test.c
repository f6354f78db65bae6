/* SPDX-License-Identifier: Apache-2.0
 *
 * How a graph ends, and that it can do so whatever allocation fails. */
#include "lab.h"

#include <flowtrace/flowtrace.h>

static void drain(uint64_t timeout_ns)
{
    graph_drain(lab.graph, timeout_ns);
    while (lab.n_drained == 0)
        lab_settle();
    lab_check();
    assert_int_equal(lab.n_drained, 1);
    assert_int_equal(lab.graph->n_live, 0);
}

static size_t position(const char *node, enum control_kind kind)
{
    for (size_t i = 0; i < lab.n_messages; i++)
        if (strcmp(lab.messages[i].node, node) == 0 && lab.messages[i].kind == kind)
            return i;
    fail_msg("%s was not told %s", node, control_name(kind));
    return 0;
}

/* Receivers first; a node below hears of the shutdown when those above have emptied. */
static void test_shutdown_goes_down_the_graph(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  m: {type: processor/merge, config: {n: 100}}\n"
            "  w: {type: processor/custody}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: m}, {from: m, to: w}, {from: w, to: out}]",
            0);
    assert_true(lab_ingest("in", 3, 1));
    assert_true(lab_ingest("in", 4, 2));
    lab_settle();
    graph_drain(lab.graph, 60 * FTRI_NS_PER_S);
    lab_settle();
    /* m sent what it had gathered; the exporter has it in hand. */
    assert_int_equal(lab.n_held, 1);
    assert_int_equal(lab.held[0]->n_items, 7);
    assert_int_equal(lab.n_drained, 0);
    assert_true(position("in", CONTROL_DRAIN_INGRESS) < position("w", CONTROL_SHUTDOWN));
    assert_true(position("w", CONTROL_SHUTDOWN) < position("out", CONTROL_SHUTDOWN));
    assert_int_equal(lab_answer(1)->kind, CONTROL_ACK);
    node_ack(lab_node("out"), lab.held[0]);
    lab_settle();
    assert_int_equal(lab.n_drained, 1);
    assert_int_equal(lab_answer(7)->kind, CONTROL_ACK); /* w, of what it had taken custody of */
    lab_check();
}

static void test_exporters_get_no_shutdown_while_batches_are_above(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: h}, {from: h, to: out}]",
            0);
    assert_true(lab_ingest("in", 3, 1));
    lab_settle();
    graph_drain(lab.graph, 60 * FTRI_NS_PER_S);
    lab_settle();
    for (size_t i = 0; i < lab.n_messages; i++)
        assert_false(strcmp(lab.messages[i].node, "out") == 0);
    node_send(lab_node("h"), 0, lab.held[0]);
    lab_settle();
    (void)position("out", CONTROL_SHUTDOWN);
    node_ack(lab_node("out"), lab.held[1]);
    lab_settle();
    assert_int_equal(lab.n_drained, 1);
}

/* At the deadline: lost in channels, dropped in hands, and every sender is told. */
static void test_deadline_settles_what_is_left(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: h}, {from: h, to: out}]",
            2);
    for (uint64_t i = 0; i < 6; i++)
        assert_true(lab_ingest("in", 1, i));
    lab_settle();
    assert_int_equal(lab.n_held, 6);
    node_set_accepting(lab_node("out"), false);
    for (uint64_t i = 0; i < 4; i++)
        node_send(lab_node("h"), 0, lab.held[i]); /* two in the channel, two wait */
    drain(FTRI_NS_PER_MS);
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(lab_answer(i)->kind, CONTROL_NACK);
        assert_int_equal(lab_answer(i)->result.cause, NACK_NODE_SHUTDOWN);
        assert_false(lab_answer(i)->result.is_permanent);
    }
    assert_int_equal(lab_edge("h", "out")->lost, 4);
    assert_int_equal(lab_account("h")->dropped[FTR_DROP_SHUTDOWN], 2);
    assert_int_equal(lab_account("h")->held, 0);
    /* What was taken from the node may still be given up: its request ended after all. */
    node_ack(lab_node("h"), lab.held[4]);
    assert_null(node_merge(lab_node("h"), &lab.held[5], 1));
    assert_null(node_derive(lab_node("h"), lab.held[5], 0, 2));
    lab_settle();
    assert_int_equal(lab.n_failed, 0);
    assert_null(node_ingest(lab_node("in"), FTR_SIGNAL_LOGS, NULL, false, 0));
    lab_check();
}

static void test_retrying_node_gives_up_at_the_deadline(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  r: {type: processor/retry, config: {n: 1000}}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: r}, {from: r, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 5));
    lab_settle();
    drain(FTRI_NS_PER_MS);
    assert_int_equal(lab_answer(5)->kind, CONTROL_NACK);
    assert_int_equal(lab.n_failed, 0);
}

/* A node that waits for what is below does not keep the shutdown from getting there. */
static void test_shutdown_passes_a_node_that_waits_for_those_below(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  r: {type: processor/retry}\n"
            "  m: {type: processor/merge, config: {n: 100}}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: r}, {from: r, to: m}, {from: m, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 5));
    lab_settle();
    graph_drain(lab.graph, 3600 * FTRI_NS_PER_S);
    lab_settle();
    assert_int_equal(lab.n_drained, 1);
    assert_int_equal(lab_answer(5)->kind, CONTROL_ACK);
    lab_check();
}

/* The second attempt came to a node that had had its Shutdown, and stayed. */
static void test_second_attempt_after_the_shutdown_is_sent_on(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  r: {type: processor/retry, config: {n: 1}}\n"
            "  m: {type: processor/merge, config: {n: 100}}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: r}, {from: r, to: m}, {from: m, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 5));
    lab_settle();
    graph_drain(lab.graph, 3600 * FTRI_NS_PER_S);
    lab_settle();
    assert_int_equal(lab.n_held, 1);
    const struct result refusal = {.reason = "not now"};
    node_nack(lab_node("out"), lab.held[0], &refusal);
    lab_settle();
    assert_int_equal(lab.n_held, 2);
    node_ack(lab_node("out"), lab.held[1]);
    lab_settle();
    assert_int_equal(lab.n_drained, 1);
    assert_int_equal(lab_answer(5)->kind, CONTROL_ACK);
    lab_check();
}

/* It waits for answers that only the shutdown of those below brings. */
static void test_receiver_that_does_not_drain_has_half_of_the_time(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/stubborn}\n"
            "  m: {type: processor/merge, config: {n: 100}}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: m}, {from: m, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 5));
    lab_settle();
    drain(2 * FTRI_NS_PER_S); /* of which the second half is enough on a slow machine, too */
    assert_int_equal(lab_answer(5)->kind, CONTROL_ACK);
    assert_int_equal(lab_account("m")->dropped[FTR_DROP_SHUTDOWN], 0);
}

static void test_graph_may_be_freed_in_the_midst(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  r: {type: processor/retry}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: h}, {from: h, to: r}, {from: r, to: out}]",
            1);
    for (uint64_t i = 0; i < 4; i++)
        assert_true(lab_ingest("in", 1, i));
    lab_settle();
    node_send(lab_node("h"), 0, lab.held[0]);
    lab_settle();
    assert_true(lab_ingest("in", 1, 9)); /* in the channel; the leak checker sees the rest */
}

static void test_callback_may_free_the_graph(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 1));
    lab.is_freed_when_drained = true;
    graph_drain(lab.graph, FTRI_NS_PER_S);
    lab_settle();
    assert_int_equal(lab.n_drained, 1);
    assert_null(lab.graph);
    assert_int_equal(lab.n_stopped, 2);
    assert_string_equal(lab.stopped[0], "in");
}

#define DIAMOND                                                                                    \
    "nodes:\n"                                                                                     \
    "  in: {type: receiver/test}\n"                                                                \
    "  s: {type: processor/split}\n"                                                               \
    "  r: {type: processor/retry}\n"                                                               \
    "  w: {type: processor/custody}\n"                                                             \
    "  m: {type: processor/merge, config: {n: 3}}\n"                                               \
    "  x: {type: exporter/refuse}\n"                                                               \
    "  out: {type: exporter/test}\n"                                                               \
    "connections: [{from: in, to: s}, {from: 's[\"a\"]', to: r}, {from: 's[\"b\"]', to: w},\n"     \
    "  {from: r, to: m}, {from: w, to: m}, {from: m, to: out}, {from: m, to: x}]"

/* The n-th allocation fails: nothing crashes, nothing leaks, each batch that was taken in gets an
 * answer, and the accounts hold. Spans are recorded meanwhile. */
static void test_any_allocation_may_fail(void **state)
{
    uint64_t n = 1;
    bool is_failed = true;
    for (; is_failed; n++) {
        assert_int_equal(lab_close(state), 0);
        assert_int_equal(lab_open(state), 0);
        lab_run(DIAMOND, 2);
        ftri_mem_fail_at(n);
        size_t n_taken = 0;
        for (uint64_t i = 0; i < 4; i++)
            n_taken += lab_ingest("in", 6, 1000 + i);
        lab_settle();
        lab_check();
        graph_drain(lab.graph, 60 * FTRI_NS_PER_S);
        lab_settle();
        is_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        lab_check();
        assert_int_equal(lab.n_failed, 0);
        size_t n_answered = 0;
        for (uint64_t i = 0; i < 4; i++)
            n_answered += lab_answer(1000 + i) != NULL;
        assert_int_equal(n_answered, n_taken);
        assert_int_equal(lab.n_drained, 1);
    }
    assert_true(n > 30);
}

static void test_any_allocation_may_fail_while_building(void **state)
{
    (void)state;
    uint64_t n = 1;
    for (bool is_failed = true; is_failed; n++) {
        struct ftri_error error = {{0}};
        ftri_mem_fail_at(n);
        int r = lab_build(DIAMOND, 2, &error);
        if (r == 0)
            r = graph_start(lab.graph, &error);
        is_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        assert_true(r == 0 || error.text[0]);
        graph_free(lab.graph);
        config_free(lab.document);
        lab.graph = NULL;
        lab.document = NULL;
        lab.n_nodes = 0;
    }
    assert_true(n > 30);
}

static ftr_memory_spans *spans;

static int open_recording(void **state)
{
    spans = ftr_memory_spans_new();
    ftr_exporter *const memory = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("test");
    config.exporters = &memory;
    config.n_exporters = 1;
    return ftr_init(&config, NULL) ? -1 : lab_open(state);
}

static int close_recording(void **state)
{
    const int r = lab_close(state);
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    const ftr_status status = ftr_shutdown(10 * FTRI_NS_PER_S);
    ftr_memory_spans_unref(spans);
    return r == 0 && status == FTR_OK && statistics.open == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB(test_shutdown_goes_down_the_graph),
        LAB(test_exporters_get_no_shutdown_while_batches_are_above),
        LAB(test_deadline_settles_what_is_left),
        LAB(test_retrying_node_gives_up_at_the_deadline),
        LAB(test_shutdown_passes_a_node_that_waits_for_those_below),
        LAB(test_second_attempt_after_the_shutdown_is_sent_on),
        LAB(test_receiver_that_does_not_drain_has_half_of_the_time),
        LAB(test_graph_may_be_freed_in_the_midst),
        LAB(test_callback_may_free_the_graph),
        cmocka_unit_test_setup_teardown(test_any_allocation_may_fail, open_recording,
                                        close_recording),
        LAB(test_any_allocation_may_fail_while_building),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
