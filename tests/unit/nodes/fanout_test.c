/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/fanout before destinations that take, refuse and hang, and processor/delay. */
#include "rig.h"

#define GRAPH(config, a, b, c)                                                                     \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  fan: {type: processor/fanout, config: " config "}\n"                                        \
    "  a: {type: exporter/rig, config: " a "}\n"                                                   \
    "  b: {type: exporter/rig, config: " b "}\n"                                                   \
    "  c: {type: exporter/rig, config: " c "}\n"                                                   \
    "connections:\n"                                                                               \
    "  - {from: source, to: fan}\n"                                                                \
    "  - {from: 'fan[\"a\"]', to: a}\n"                                                            \
    "  - {from: 'fan[\"b\"]', to: b}\n"                                                            \
    "  - {from: 'fan[\"c\"]', to: c}\n"

static void feed_and_settle(void)
{
    rig_feed_key("k");
    rig_wait(rig_is_settled);
}

static void test_every_destination_has_it(void **state)
{
    (void)state;
    rig_open(GRAPH("{destinations: {a: {}, b: {}, c: {}}}", "{}", "{}", "{}"));
    feed_and_settle();
    assert_int_equal(rig.n_acks, 1);
    const struct records *records = rig_arrival("a", 0)->records;
    assert_ptr_equal(rig_arrival("b", 0)->records, records); /* by reference */
    assert_ptr_equal(rig_arrival("c", 0)->records, records);
    assert_int_equal(rig.n_arrivals, 3);
    const struct node_account *account = rig_account("fan");
    assert_int_equal(account->received, 1);
    assert_int_equal(account->forwarded, 1);
    assert_int_equal(account->created, 2);
    assert_int_equal(account->emitted, 3);
    rig_close();
}

static void test_a_required_failure_is_the_inputs(void **state)
{
    (void)state;
    rig_open(GRAPH("{destinations: {a: {}, b: {}, c: {best_effort: true}}}", "{}",
                   "{refuse: 1, permanent: true, retry_after: 2s}", "{refuse: 1}"));
    feed_and_settle();
    assert_int_equal(rig.n_nacks, 1);
    assert_true(rig.refusal.is_permanent);
    assert_int_equal(rig.refusal.retry_after_ns, 2 * FTRI_NS_PER_S);
    assert_string_equal(rig.refusal.reason, "destination 'b': told to");
    rig_close();
}

static void test_best_effort_fails_nobody(void **state)
{
    (void)state;
    rig_open(GRAPH("{destinations: {a: {}, b: {best_effort: true}, c: {best_effort: true}}}", "{}",
                   "{refuse: 1}", "{}"));
    feed_and_settle();
    assert_int_equal(rig.n_acks, 1);
    assert_int_equal(rig.n_arrivals, 3);
    rig_close();
}

static void test_fallbacks_in_their_order(void **state)
{
    (void)state;
    rig_open(GRAPH("{destinations: {a: {fallback: [b, c]}}}", "{refuse: 9, permanent: true}",
                   "{refuse: 1}", "{}"));
    feed_and_settle();
    assert_int_equal(rig.n_acks, 1);
    assert_int_equal(rig.n_arrivals, 3);
    assert_string_equal(rig.arrivals[0].node, "a");
    assert_string_equal(rig.arrivals[1].node, "b");
    assert_string_equal(rig.arrivals[2].node, "c");
    feed_and_settle();
    assert_int_equal(rig.n_acks, 2);
    assert_int_equal(rig.n_arrivals, 5); /* b has refused its one */
    rig_close();
}

static void test_all_fallbacks_fail(void **state)
{
    (void)state;
    rig_open(GRAPH("{destinations: {a: {fallback: [b, c]}}}", "{refuse: 9, permanent: true}",
                   "{refuse: 9, permanent: true}", "{refuse: 9}"));
    feed_and_settle();
    assert_int_equal(rig.n_nacks, 1);
    assert_false(rig.refusal.is_permanent); /* what the last of them said */
    rig_close();
}

/* The answer that comes after the time-out changes nothing. */
static void test_a_time_out_falls_back(void **state)
{
    (void)state;
    rig_open(GRAPH("{destinations: {a: {timeout: 20ms, fallback: [b]}, c: {}}}", "{hold: true}",
                   "{}", "{}"));
    const uint64_t start_ns = ftri_time_monotonic_ns();
    feed_and_settle();
    assert_true(ftri_time_monotonic_ns() - start_ns >= 20 * FTRI_NS_PER_MS);
    assert_int_equal(rig.n_acks, 1);
    assert_non_null(rig_arrival("b", 0));
    node_ack(rig.holder, rig.held);
    rig_drain();
    assert_int_equal(rig.n_acks, 1);
    rig_close();
}

static void test_a_time_out_without_a_fallback(void **state)
{
    (void)state;
    rig_open(
        GRAPH("{timeout: 20ms, destinations: {a: {}, b: {}, c: {}}}", "{hold: true}", "{}", "{}"));
    feed_and_settle();
    assert_int_equal(rig.n_nacks, 1);
    assert_false(rig.refusal.is_permanent);
    assert_string_equal(rig.refusal.reason, "destination 'a': no answer within its time-out");
    node_ack(rig.holder, rig.held);
    rig_close();
}

/* One that hangs for ever and is best effort: the others go on, also when its channel is full. */
static void test_best_effort_that_hangs(void **state)
{
    (void)state;
    rig_open("nodes:\n"
             "  source: {type: receiver/rig}\n"
             "  fan: {type: processor/fanout, config: {max_held: 1000, timeout: 1h,"
             " destinations: {a: {}, b: {best_effort: true}}}}\n"
             "  a: {type: exporter/noop}\n"
             "  b: {type: exporter/rig, config: {hold: true}}\n"
             "connections:\n"
             "  - {from: source, to: fan}\n"
             "  - {from: 'fan[\"a\"]', to: a}\n"
             "  - {from: 'fan[\"b\"]', to: b}\n");
    for (size_t i = 0; i < 300; i++)
        feed_and_settle();
    assert_int_equal(rig.n_acks, 300);
    assert_int_equal(rig_account("a")->received, 300);
    struct graph_edge_view edge;
    assert_true(graph_edge_view(rig.graph, 2, &edge));
    assert_in_range(edge.account->sent, 2, 299); /* the rest was passed over */
    graph_drain(rig.graph, 20 * FTRI_NS_PER_MS);
    rig_wait(rig_is_drained);
    node_ack(rig.holder, rig.held);
    rig_close();
}

static bool has_three(void)
{
    return rig_account("fan")->received == 3;
}

static bool is_held_by_a(void)
{
    return rig.held != NULL && rig_account("fan")->held == 0;
}

/* max_held bounds what waits for answers. */
static void test_holds_no_more_than_it_may(void **state)
{
    (void)state;
    rig_open(GRAPH("{max_held: 1, destinations: {a: {}, b: {}, c: {}}, timeout: 1h}",
                   "{hold: true}", "{}", "{}"));
    for (size_t i = 0; i < 3; i++)
        rig_feed_key("k");
    for (size_t i = 1; i <= 3; i++) {
        rig.held = NULL;
        if (i > 1)
            node_set_accepting(rig.holder, true);
        rig_wait(is_held_by_a);
        assert_int_equal(rig_account("fan")->received, i);
        node_ack(rig.holder, rig.held);
    }
    rig_wait(has_three);
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 3);
    rig_close();
}

static void test_fanout_refusals(void **state)
{
    (void)state;
    rig_refuse(GRAPH("{destinations: {}}", "{}", "{}", "{}"), "graph:3:", "destinations");
    rig_refuse(GRAPH("{destinations: {a: {fallback: [b]}, b: {}, c: {}}}", "{}", "{}", "{}"),
               "graph:3:", "fallback 'b'");
    rig_refuse(GRAPH("{destinations: {a: {tries: 1}, b: {}, c: {}}}", "{}", "{}", "{}"),
               "graph:3:", "tries");
    rig_refuse(GRAPH("{destinations: {a: {timeout: soon}, b: {}, c: {}}}", "{}", "{}", "{}"),
               "graph:3:", "timeout");
    rig_refuse(GRAPH("{}", "{}", "{}", "{}"), "graph:3:", "destinations");
}

/* Whichever request fails: one outcome, and the accounts agree. */
static void test_each_request_for_memory_fails(void **state)
{
    (void)state;
    for (size_t n = 1; n < 300; n++) {
        rig_open(GRAPH("{destinations: {a: {fallback: [b]}, c: {best_effort: true}}}",
                       "{refuse: 1}", "{}", "{}"));
        rig_feed_key("k");
        ftri_mem_fail_at(n);
        rig_wait(rig_is_settled);
        ftri_mem_fail_at(0);
        assert_int_equal(rig.n_acks + rig.n_nacks, 1);
        rig_drain();
        rig_close();
    }
}

#define DELAY(config)                                                                              \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  wait: {type: processor/delay, config: " config "}\n"                                        \
    "  sink: {type: exporter/rig}\n"                                                               \
    "connections:\n"                                                                               \
    "  - {from: source, to: wait}\n"                                                               \
    "  - {from: wait, to: sink}\n"

static void test_delay_holds_each_batch(void **state)
{
    (void)state;
    rig_open(DELAY("{delay: 30ms}"));
    const uint64_t start_ns = ftri_time_monotonic_ns();
    rig_feed_key("a");
    rig_feed_key("b");
    rig_feed_telemetry("x", 2);
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_arrivals, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(rig.arrivals[i].at_ns - start_ns >= 30 * FTRI_NS_PER_MS);
    rig_check_keys("sink", 0, "a");
    rig_check_keys("sink", 1, "b");
    assert_int_equal(rig_account("wait")->forwarded, 4);
    rig_close();
}

static bool holds_two(void)
{
    return rig_account("wait")->held == 2;
}

static void test_delay_is_bounded_and_drained(void **state)
{
    (void)state;
    rig_open(DELAY("{delay: 1h, max_held: 2}"));
    for (size_t i = 0; i < 5; i++)
        rig_feed_key("a");
    rig_wait(holds_two);
    assert_int_equal(rig_account("wait")->received, 2);
    rig_drain();
    assert_int_equal(rig.n_acks, 5);
    rig_close();
}

static void test_delay_freed_while_it_holds(void **state)
{
    (void)state;
    rig_open(DELAY("{delay: 1h}"));
    rig_feed_key("a");
    rig_feed_key("b");
    rig_wait(holds_two);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_destination_has_it),
        cmocka_unit_test(test_a_required_failure_is_the_inputs),
        cmocka_unit_test(test_best_effort_fails_nobody),
        cmocka_unit_test(test_fallbacks_in_their_order),
        cmocka_unit_test(test_all_fallbacks_fail),
        cmocka_unit_test(test_a_time_out_falls_back),
        cmocka_unit_test(test_a_time_out_without_a_fallback),
        cmocka_unit_test(test_best_effort_that_hangs),
        cmocka_unit_test(test_holds_no_more_than_it_may),
        cmocka_unit_test(test_fanout_refusals),
        cmocka_unit_test(test_each_request_for_memory_fails),
        cmocka_unit_test(test_delay_holds_each_batch),
        cmocka_unit_test(test_delay_is_bounded_and_drained),
        cmocka_unit_test(test_delay_freed_while_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
