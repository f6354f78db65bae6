/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches, outcomes and accounts. */
#include "base/bytes.h"
#include "lab.h"

#include <pthread.h>

#define CHAIN                                                                                      \
    "nodes:\n"                                                                                     \
    "  in: {type: receiver/test}\n"                                                                \
    "  p: {type: processor/pass}\n"                                                                \
    "  out: {type: exporter/test}\n"                                                               \
    "connections: [{from: in, to: p}, {from: p, to: out}]"

static void test_batch_goes_through_and_its_ack_comes_back(void **state)
{
    (void)state;
    lab_run(CHAIN, 0);
    assert_true(lab_ingest("in", 10, 42));
    lab_settle();
    assert_int_equal(lab.exported_items, 10);
    assert_int_equal(lab_answer(42)->kind, CONTROL_ACK);
    assert_true(lab_answer(42)->result.is_ack);
    assert_int_equal(lab_account("in")->created, 10);
    assert_int_equal(lab_account("in")->emitted, 10);
    assert_int_equal(lab_account("p")->received, 10);
    assert_int_equal(lab_account("p")->forwarded, 10);
    assert_int_equal(lab_account("p")->n_visits, 1);
    assert_int_equal(lab_account("out")->absorbed, 10);
    assert_int_equal(lab_edge("p", "out")->sent, 10);
    assert_int_equal(lab_edge("p", "out")->received, 10);
    assert_int_equal(lab.graph->n_live, 0);
    lab_check();
}

/* One port to three nodes, and one of them refuses. */
static void test_first_failure_of_a_fan_out_wins(void **state)
{
    (void)state;
    lab_run(
        "nodes:\n"
        "  in: {type: receiver/test}\n"
        "  p: {type: processor/pass}\n"
        "  a: {type: exporter/hold}\n"
        "  b: {type: exporter/refuse, config: {permanent: true}}\n"
        "  c: {type: exporter/test}\n"
        "connections: [{from: in, to: p}, {from: p, to: a}, {from: p, to: b}, {from: p, to: c}]",
        0);
    assert_true(lab_ingest("in", 10, 1));
    lab_settle();
    assert_null(lab_answer(1)); /* a still has it */
    lab_check();
    assert_int_equal(lab_account("a")->held, 10);
    node_ack(lab_node("a"), lab.held[0]);
    lab_settle();
    const struct lab_message *answer = lab_answer(1);
    assert_int_equal(answer->kind, CONTROL_NACK);
    assert_true(answer->result.is_permanent);
    assert_int_equal(answer->result.cause, NACK_ROUTE_FULL);
    assert_string_equal(answer->result.reason, "disk full");
    assert_int_equal(lab_account("p")->forwarded, 10);
    assert_int_equal(lab_account("p")->created, 20); /* two more copies */
    assert_int_equal(lab_account("b")->failed, 10);
    lab_check();
}

static void test_second_failure_does_not_replace_the_first(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  a: {type: exporter/hold}\n"
            "  b: {type: exporter/hold}\n"
            "connections: [{from: in, to: a}, {from: in, to: b}]",
            0);
    assert_true(lab_ingest("in", 10, 1));
    lab_settle();
    const struct result first = {.cause = NACK_ROUTE_CLOSED, .reason = "first"};
    const struct result second = {.is_permanent = true, .reason = "second"};
    node_nack((struct node *)(uintptr_t)lab.holders[1], lab.held[1], &first);
    node_nack((struct node *)(uintptr_t)lab.holders[0], lab.held[0], &second);
    lab_settle();
    assert_string_equal(lab_answer(1)->result.reason, "first");
    assert_false(lab_answer(1)->result.is_permanent);
    lab_check();
}

/* Ten items come; what becomes of them: one, twenty, seven. */
static void test_items_are_accounted_for_when_their_number_changes(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: h}, {from: h, to: out}]",
            0);
    struct node *h = lab_node("h");
    for (uint64_t i = 0; i < 3; i++)
        assert_true(lab_ingest("in", 10, i));
    lab_settle();
    assert_int_equal(h->account.held, 30);
    lab_check();
    lab.held[0]->n_items = 1;
    node_send(h, 0, lab.held[0]);
    assert_int_equal(h->account.forwarded, 1);
    assert_int_equal(h->account.absorbed, 9);
    lab_check();
    lab.held[1]->n_items = 20;
    node_send(h, 0, lab.held[1]);
    assert_int_equal(h->account.forwarded, 11);
    assert_int_equal(h->account.created, 10);
    lab_check();
    node_drop_items(h, lab.held[2], FTR_DROP_LATE, 3);
    assert_int_equal(h->account.dropped[FTR_DROP_LATE], 3);
    lab_check();
    lab.held[2]->n_items = 7;
    node_send(h, 0, lab.held[2]);
    assert_int_equal(h->account.forwarded, 18);
    assert_int_equal(h->account.absorbed, 9);
    assert_int_equal(h->account.held, 0);
    assert_int_equal(h->account.emitted, 28);
    lab_settle();
    lab_check();
}

static void test_receiver_that_drops_has_received(void **state)
{
    (void)state;
    lab_run(CHAIN, 0);
    struct pdata *pdata = node_ingest(lab_node("in"), FTR_SIGNAL_LOGS, NULL, true, 3);
    pdata->n_items = 10;
    node_drop_items(lab_node("in"), pdata, FTR_DROP_INVALID, 4);
    pdata->n_items = 6;
    node_drop(lab_node("in"), pdata, FTR_DROP_DUPLICATE);
    lab_settle();
    assert_int_equal(lab_account("in")->received, 10);
    assert_int_equal(lab_account("in")->dropped[FTR_DROP_INVALID], 4);
    assert_int_equal(lab_account("in")->dropped[FTR_DROP_DUPLICATE], 6);
    assert_int_equal(lab_answer(3)->kind, CONTROL_ACK);
    lab_check();
}

/* Of input 1. */
static void split_into_held_parts(void)
{
    lab_run(
        "nodes:\n"
        "  in: {type: receiver/test}\n"
        "  s: {type: processor/split}\n"
        "  a: {type: exporter/hold}\n"
        "  b: {type: exporter/hold}\n"
        "connections: [{from: in, to: s}, {from: 's[\"a\"]', to: a}, {from: 's[\"b\"]', to: b}]",
        0);
    assert_true(lab_ingest("in", 10, 1));
    lab_settle();
    assert_int_equal(lab.n_held, 2);
}

static void ack_held(size_t i)
{
    node_ack((struct node *)(uintptr_t)lab.holders[i], lab.held[i]);
    lab_settle();
}

static void test_split_is_settled_when_all_parts_are(void **state)
{
    (void)state;
    split_into_held_parts();
    ack_held(1);
    assert_null(lab_answer(1));
    ack_held(0);
    assert_int_equal(lab_answer(1)->kind, CONTROL_ACK);
    lab_check();
}

/* A part fails for good, and the other is taken. */
static void test_failure_of_a_part_is_the_inputs(void **state)
{
    (void)state;
    split_into_held_parts();
    const struct result refusal = {
        .is_permanent = true, .cause = NACK_NODE_SHUTDOWN, .reason = "for good"};
    node_nack((struct node *)(uintptr_t)lab.holders[0], lab.held[0], &refusal);
    lab_settle();
    assert_null(lab_answer(1));
    ack_held(1);
    const struct lab_message *const answer = lab_answer(1);
    assert_int_equal(answer->kind, CONTROL_NACK);
    assert_true(answer->result.is_permanent);
    assert_int_equal(answer->result.cause, NACK_NODE_SHUTDOWN);
    assert_string_equal(answer->result.reason, "for good");
    lab_check();
}

/* Two inputs are split, and the four parts merged: the answer goes up both splits. */
static void test_failure_goes_up_through_a_merge_and_splits(void **state)
{
    (void)state;
    lab_run(
        "nodes:\n"
        "  in: {type: receiver/test}\n"
        "  s: {type: processor/split}\n"
        "  m: {type: processor/merge, config: {n: 4}}\n"
        "  out: {type: exporter/hold}\n"
        "connections: [{from: in, to: s}, {from: 's[\"a\"]', to: m}, {from: 's[\"b\"]', to: m},\n"
        "  {from: m, to: out}]",
        0);
    assert_true(lab_ingest("in", 10, 1));
    assert_true(lab_ingest("in", 6, 2));
    lab_settle();
    assert_int_equal(lab.n_held, 1);
    const struct result refusal = {
        .is_permanent = true, .cause = NACK_ROUTE_CLOSED, .reason = "for good"};
    node_nack(lab_node("out"), lab.held[0], &refusal);
    lab_settle();
    for (uint64_t i = 1; i <= 2; i++) {
        assert_int_equal(lab_answer(i)->kind, CONTROL_NACK);
        assert_true(lab_answer(i)->result.is_permanent);
        assert_int_equal(lab_answer(i)->result.cause, NACK_ROUTE_CLOSED);
        assert_string_equal(lab_answer(i)->result.reason, "for good");
    }
    assert_int_equal(lab.graph->n_live, 0);
    lab_check();
}

/* Each contributor of a merge learns why it failed, and whether for good. */
static void test_fan_in_answers_every_contributor(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  m: {type: processor/merge, config: {n: 3}}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: m}, {from: m, to: out}]",
            0);
    for (uint64_t i = 0; i < 3; i++)
        assert_true(lab_ingest("in", i + 1, 100 + i));
    lab_settle();
    assert_int_equal(lab.n_held, 1);
    assert_int_equal(lab.held[0]->n_items, 6);
    assert_int_equal(lab_account("m")->forwarded, 6);
    assert_int_equal(lab_account("m")->created, 0);
    const struct result refusal = {.cause = NACK_ROUTE_CLOSED, .reason = "gone"};
    node_nack(lab_node("out"), lab.held[0], &refusal);
    lab_settle();
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(lab_answer(100 + i)->kind, CONTROL_NACK);
        assert_false(lab_answer(100 + i)->result.is_permanent);
        assert_int_equal(lab_answer(100 + i)->result.cause, NACK_ROUTE_CLOSED);
        assert_string_equal(lab_answer(100 + i)->result.reason, "gone");
    }
    lab_check();
}

static void test_ten_thousand_inputs_are_merged_and_answered(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  m: {type: processor/merge, config: {n: 10000}}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: m}, {from: m, to: out}]",
            0);
    for (uint64_t i = 0; i < 10000; i++) {
        assert_true(lab_ingest("in", 1, i));
        if (i % 100 == 99)
            lab_settle();
    }
    assert_int_equal(lab.exported_items, 10000);
    assert_int_equal(lab.n_exported, 1);
    assert_int_equal(lab.n_acks, 10000);
    assert_int_equal(lab.graph->n_live, 0);
    assert_int_equal(lab_account("in")->n_visits, 10000);
    lab_check();
}

/* An outcome unwinds through as many nodes without a deep stack. */
static void test_chain_of_a_thousand_nodes(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct ftri_bytes yaml;
    ftri_bytes_init(&yaml, 1 << 20);
    int r = ftri_bytes_printf(&yaml, "nodes:\n  in: {type: receiver/test}\n"
                                     "  out: {type: exporter/refuse}\n");
    for (int i = 0; r == 0 && i < N; i++)
        r = ftri_bytes_printf(&yaml, "  n%d: {type: processor/pass}\n", i);
    if (r == 0)
        r = ftri_bytes_printf(&yaml,
                              "connections:\n  - {from: in, to: n0}\n"
                              "  - {from: n%d, to: out}\n",
                              N - 1);
    for (int i = 0; r == 0 && i + 1 < N; i++)
        r = ftri_bytes_printf(&yaml, "  - {from: n%d, to: n%d}\n", i, i + 1);
    if (r == 0)
        r = ftri_bytes_append(&yaml, "", 1);
    assert_int_equal(r, 0);
    lab_run((const char *)yaml.data, 0);
    ftri_bytes_deinit(&yaml);
    assert_true(lab_ingest("in", 3, 5));
    lab_settle();
    assert_int_equal(lab_answer(5)->kind, CONTROL_NACK);
    assert_string_equal(lab_answer(5)->result.reason, "disk full");
    lab_check();
}

static void test_drop_is_success_for_the_sender_and_counted_by_reason(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  d: {type: processor/drop}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: d}, {from: d, to: out}]",
            0);
    assert_true(lab_ingest("in", 10, 1));
    lab_settle();
    assert_int_equal(lab_answer(1)->kind, CONTROL_ACK);
    assert_int_equal(lab_account("d")->dropped[FTR_DROP_FILTERED], 10);
    assert_int_equal(lab_account("d")->forwarded, 0);
    lab_check();
}

static void test_custody_answers_before_what_is_below(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  w: {type: processor/custody}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: w}, {from: w, to: out}]",
            0);
    assert_true(lab_ingest("in", 10, 1));
    lab_settle();
    assert_int_equal(lab_answer(1)->kind, CONTROL_ACK);
    assert_null(lab_answer(7));
    node_ack(lab_node("out"), lab.held[0]);
    lab_settle();
    assert_int_equal(lab_answer(7)->kind, CONTROL_ACK);
    assert_string_equal(lab_answer(7)->node, "w");
    assert_int_equal(lab_account("w")->forwarded, 10);
    assert_int_equal(lab_account("w")->absorbed, 0);
    lab_check();
}

static void test_retries_are_counted_apart(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  r: {type: processor/retry, config: {n: 2}}\n"
            "  out: {type: exporter/refuse}\n"
            "connections: [{from: in, to: r}, {from: r, to: out}]",
            0);
    assert_true(lab_ingest("in", 10, 1));
    lab_settle();
    assert_int_equal(lab_answer(1)->kind, CONTROL_NACK);
    assert_int_equal(lab_account("r")->retried, 2);
    assert_int_equal(lab_account("r")->forwarded, 10);
    assert_int_equal(lab_account("r")->created, 20); /* two more deliveries */
    assert_int_equal(lab_account("out")->received, 30);
    lab_check();
}

/* The channel never holds more than its capacity; what waits beyond is what one call emitted. */
static void test_full_channel_stops_those_above(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  p: {type: processor/pass}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: p}, {from: p, to: out}]",
            4);
    struct node *in = lab_node("in"), *p = lab_node("p"), *out = lab_node("out");
    node_set_accepting(out, false);
    for (uint64_t i = 0; i < 20; i++) {
        assert_true(lab_ingest("in", 1, i));
        lab_settle();
        assert_true(out->n_data <= 4 && p->n_data <= 4 && p->n_waiting <= 1);
        lab_check();
    }
    /* Four in out's channel, one in p's port, four in p's channel, the rest in the receiver's. */
    assert_int_equal(out->n_data, 4);
    assert_int_equal(p->n_waiting, 1);
    assert_int_equal(p->n_data, 4);
    assert_int_equal(in->n_waiting, 11);
    assert_int_equal(lab_account("out")->queue_depth_max, 4);
    assert_false(node_can_send(in));
    const size_t n_before = lab.n_messages;
    node_set_accepting(out, true);
    lab_settle();
    assert_int_equal(lab.n_held, 20);
    assert_true(node_can_send(in));
    assert_int_equal(lab.n_messages, n_before + 1);
    assert_int_equal(lab.messages[n_before].kind, CONTROL_RESUME_DATA);
    assert_true(lab_account("p")->blocked_ns > 0);
    for (size_t i = 0; i < 20; i++)
        node_ack(out, lab.held[i]);
    lab_settle();
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(lab_answer(i)->kind, CONTROL_ACK);
    lab_check();
}

static void test_order_is_kept_from_node_to_node(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  p: {type: processor/pass}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: p}, {from: p, to: out}]",
            3);
    for (uint64_t i = 0; i < 50; i++)
        assert_true(lab_ingest("in", i, i));
    lab_settle();
    assert_int_equal(lab.n_held, 50);
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(lab.held[i]->n_items, i);
        node_ack(lab_node("out"), lab.held[i]);
    }
}

static void test_giving_up_twice_fails_the_node(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  out: {type: exporter/twice}\n"
            "connections: [{from: in, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    assert_int_equal(lab_answer(1)->kind, CONTROL_ACK);
    assert_int_equal(lab.n_failed, 1);
    assert_string_equal(lab.failed_node, "out");
    assert_string_equal(lab.failure, "node_ack of a batch that it does not hold (given up twice?)");
    lab_check();
}

static void test_leaked_batch_fails_the_node(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  p: {type: processor/leak}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: p}, {from: p, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    assert_int_equal(lab.n_failed, 1);
    assert_string_equal(lab.failed_node, "p");
    assert_string_equal(lab.failure,
                        "consume kept a batch, and the class is not stateful (leaked?)");
    lab_check();
}

static void test_merging_the_same_input_twice_fails_the_node_and_takes_none(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: h}, {from: h, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    struct pdata *same[2] = {lab.held[0], lab.held[0]};
    assert_null(node_merge(lab_node("h"), same, 2));
    lab_settle();
    assert_int_equal(lab.n_failed, 1);
    node_ack(lab_node("h"), lab.held[0]);
    lab_settle();
    assert_int_equal(lab_answer(1)->kind, CONTROL_ACK);
    lab_check();
}

static void test_wrong_port_fails_the_node_and_answers_the_sender(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: h}, {from: h, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    node_send(lab_node("h"), 1, lab.held[0]);
    lab_settle();
    assert_string_equal(lab.failure, "node_send to port 1, and it has 1");
    assert_int_equal(lab_answer(1)->kind, CONTROL_NACK);
    lab_check();
}

static void test_graph_is_finished_when_receivers_are_and_nothing_is_under_way(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 1));
    node_finished(lab_node("in"));
    lab_settle();
    assert_int_equal(lab.n_finished, 0);
    node_ack(lab_node("out"), lab.held[0]);
    lab_settle();
    assert_int_equal(lab.n_finished, 1);
    graph_drain(lab.graph, FTRI_NS_PER_S);
    lab_settle();
    assert_int_equal(lab.n_drained, 1);
    assert_int_equal(lab.n_finished, 1);
}

/* Forty answers lie before it, and the batch has its turn after sixteen. */
static void test_control_does_not_starve_data(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  w: {type: processor/custody}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: w}, {from: w, to: out}]",
            0);
    for (uint64_t i = 0; i < 40; i++)
        assert_true(lab_ingest("in", 1, 100 + i));
    lab_settle();
    assert_int_equal(lab.n_held, 40);
    lab.n_messages = 0;
    for (size_t i = 0; i < 40; i++)
        node_ack(lab_node("out"), lab.held[i]);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    assert_int_equal(lab.n_messages_at_custody, 16);
    assert_int_equal(lab.n_messages, 40 + 1);
    node_ack(lab_node("out"), lab.held[40]);
    lab_settle();
    lab_check();
}

static void *wake_often(void *argument)
{
    for (int i = 0; i < 10000; i++)
        node_wakeup(argument);
    return NULL;
}

static void test_wakeups_come_from_any_thread(void **state)
{
    (void)state;
    lab_run(CHAIN, 0);
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wake_often, lab_node("in")), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    lab_settle();
    assert_true(lab.n_messages > 0);
    assert_int_equal(lab.messages[0].kind, CONTROL_WAKEUP);
}

#define WORK(ns)                                                                                   \
    "nodes:\n"                                                                                     \
    "  in: {type: receiver/test}\n"                                                                \
    "  w: {type: processor/work, config: {n: " #ns "}}\n"                                          \
    "  out: {type: exporter/test}\n"                                                               \
    "connections: [{from: in, to: w}, {from: w, to: out}]"

static void run_four(void)
{
    for (uint64_t i = 0; i < 4; i++)
        assert_true(lab_ingest("in", 1, i));
    lab_settle();
}

static void assert_times(const char *node, uint64_t queue_ns, uint64_t work_ns)
{
    assert_int_equal(lab_account(node)->queue_ns, queue_ns);
    assert_int_equal(lab_account(node)->work_ns, work_ns);
}

/* Nothing is recorded. All four are sent to w at once, and w takes one after the other; each waits
 * for those before it (0, 300, 600 and 900 ns), and at `out` for those behind it. */
static void test_times_of_each_batch_of_a_row(void **state)
{
    (void)state;
    ftri_time_fake(100 * FTRI_NS_PER_S, FTRI_NS_PER_S);
    lab_run(WORK(300), 0);
    run_four();
    assert_times("w", 1800, 1200);
    assert_times("out", 1800, 0);
    ftri_time_real();
}

/* Waiting for a destination is work. */
static void test_exporter_that_waits_works_while_nothing_is_recorded(void **state)
{
    (void)state;
    ftri_time_fake(100 * FTRI_NS_PER_S, FTRI_NS_PER_S);
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: out}]",
            0);
    run_four();
    ftri_time_fake(105 * FTRI_NS_PER_S, 6 * FTRI_NS_PER_S);
    for (size_t i = 0; i < 4; i++)
        node_ack(lab_node("out"), lab.held[i]);
    lab_settle();
    assert_times("out", 0, 20 * FTRI_NS_PER_S);
    lab_check();
    ftri_time_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB(test_batch_goes_through_and_its_ack_comes_back),
        LAB(test_first_failure_of_a_fan_out_wins),
        LAB(test_second_failure_does_not_replace_the_first),
        LAB(test_items_are_accounted_for_when_their_number_changes),
        LAB(test_receiver_that_drops_has_received),
        LAB(test_split_is_settled_when_all_parts_are),
        LAB(test_failure_of_a_part_is_the_inputs),
        LAB(test_failure_goes_up_through_a_merge_and_splits),
        LAB(test_fan_in_answers_every_contributor),
        LAB(test_ten_thousand_inputs_are_merged_and_answered),
        LAB(test_chain_of_a_thousand_nodes),
        LAB(test_drop_is_success_for_the_sender_and_counted_by_reason),
        LAB(test_custody_answers_before_what_is_below),
        LAB(test_retries_are_counted_apart),
        LAB(test_full_channel_stops_those_above),
        LAB(test_order_is_kept_from_node_to_node),
        LAB(test_giving_up_twice_fails_the_node),
        LAB(test_leaked_batch_fails_the_node),
        LAB(test_merging_the_same_input_twice_fails_the_node_and_takes_none),
        LAB(test_wrong_port_fails_the_node_and_answers_the_sender),
        LAB(test_graph_is_finished_when_receivers_are_and_nothing_is_under_way),
        LAB(test_control_does_not_starve_data),
        LAB(test_wakeups_come_from_any_thread),
        LAB(test_times_of_each_batch_of_a_row),
        LAB(test_exporter_that_waits_works_while_nothing_is_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
