/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/retry against a sink that refuses as told. */
#include "base/text.h"
#include "rig.h"

#include <flowtrace/flowtrace.h>

#define GRAPH(retry, sink)                                                                         \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  retry: {type: processor/retry, config: " retry "}\n"                                        \
    "  sink: {type: exporter/rig, config: " sink "}\n"                                             \
    "connections:\n"                                                                               \
    "  - {from: source, to: retry}\n"                                                              \
    "  - {from: retry, to: sink}\n"

static void test_again_until_it_is_taken(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1ms}", "{refuse: 2}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 1);
    assert_int_equal(rig.n_arrivals, 3);
    for (uint32_t i = 0; i < 3; i++) {
        rig_check_keys("sink", i, "a");
        assert_int_equal(rig_arrival("sink", i)->n_attempt, i);
    }
    assert_int_equal(rig_account("retry")->retried, 2);
    rig_close();
}

/* 20, 30, 40 (of 45), 40 ms; each at least 80 % of that. */
static void test_delays_grow_to_their_limit(void **state)
{
    (void)state;
    static const uint64_t least_ms[] = {16, 24, 32, 32};
    rig_open(GRAPH("{initial_delay: 20ms, max_delay: 40ms}", "{refuse: 4}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_arrivals, 5);
    for (size_t i = 0; i < 4; i++)
        assert_true(rig.arrivals[i + 1].at_ns - rig.arrivals[i].at_ns >=
                    least_ms[i] * FTRI_NS_PER_MS);
    rig_close();
}

static void test_the_destination_may_ask_for_a_longer_delay(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1ms}", "{refuse: 1, retry_after: 30ms}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_arrivals, 2);
    assert_true(rig.arrivals[1].at_ns - rig.arrivals[0].at_ns >= 30 * FTRI_NS_PER_MS);
    rig_close();
}

static void test_a_permanent_refusal_is_final(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1ms}", "{refuse: 9, permanent: true}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_nacks, 1);
    assert_int_equal(rig.n_arrivals, 1);
    assert_true(rig.refusal.is_permanent);
    assert_string_equal(rig.refusal.reason, "told to");
    rig_close();
}

static void test_gives_up_after_max_elapsed(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 2ms, max_delay: 2ms, max_elapsed: 8ms}", "{refuse: 60}"));
    const uint64_t start_ns = ftri_time_monotonic_ns();
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_nacks, 1);
    assert_false(rig.refusal.is_permanent);
    char expected[128];
    snprintf(expected, sizeof expected, "retries exhausted after %zu attempts: told to",
             rig.n_arrivals);
    assert_string_equal(rig.refusal.reason, expected);
    assert_true(ftri_time_monotonic_ns() - start_ns >= 8 * FTRI_NS_PER_MS);
    assert_true(rig.n_arrivals >= 2);
    rig_close();
}

static bool has_one_arrival(void)
{
    return rig.n_arrivals >= 1;
}

static bool has_one_retry(void)
{
    return rig_account("retry")->retried >= 1;
}

static void test_a_shutdown_waits_for_no_delay(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1h, max_delay: 1h, max_elapsed: 2h}", "{refuse: 1}"));
    rig_feed_key("a");
    rig_wait(has_one_retry);
    rig_drain();
    assert_int_equal(rig.n_acks, 1);
    assert_int_equal(rig.n_arrivals, 2);
    rig_close();
}

static void test_the_last_attempt_of_a_shutdown_is_the_last(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1h, max_delay: 1h, max_elapsed: 2h}", "{refuse: 60}"));
    rig_feed_key("a");
    rig_wait(has_one_retry);
    rig_drain();
    assert_int_equal(rig.n_nacks, 1);
    assert_int_equal(rig.n_arrivals, 2);
    rig_close();
}

/* Two batches, one with the sink and the other on the way to it: the engine takes from the node
 * what it holds; the node's own stop follows. */
static void reach_the_deadline(void)
{
    rig_feed_key("a");
    rig_feed_key("b");
    rig_wait(rig_is_held);
    graph_drain(rig.graph, 10 * FTRI_NS_PER_MS);
    rig_wait(rig_is_drained);
    assert_int_equal(rig_account("sink")->dropped[FTR_DROP_SHUTDOWN], 1);
    struct graph_edge_view edge;
    assert_true(graph_edge_view(rig.graph, 1, &edge));
    assert_int_equal(edge.account->lost, 1);
    node_ack(rig.holder, rig.held); /* what it was told too late */
}

static void test_the_deadline_of_a_shutdown(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1ms}", "{hold: true}"));
    reach_the_deadline();
    assert_int_equal(rig.n_nacks, 2);
    rig_close();
}

static void test_a_graph_freed_in_the_middle(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1h, max_delay: 1h}", "{refuse: 1}"));
    rig_feed_key("a");
    rig_wait(has_one_arrival);
    rig_close();
}

static bool has_room_again(void)
{
    return rig.n_arrivals == 3;
}

/* Beyond max_held the channel above fills. */
static void test_holds_no_more_than_it_may(void **state)
{
    (void)state;
    rig_open(GRAPH("{max_held: 1}", "{hold: true}"));
    for (size_t i = 0; i < 3; i++)
        rig_feed_key("a");
    for (size_t i = 1; i <= 3; i++) {
        rig.held = NULL;
        if (i > 1)
            node_set_accepting(rig.holder, true);
        rig_wait(rig_is_held);
        assert_int_equal(rig_account("retry")->received, i);
        node_ack(rig.holder, rig.held);
    }
    rig_wait(has_room_again);
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 3);
    rig_close();
}

static void test_held_is_acknowledged_before_it_is_delivered(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1h, max_delay: 1h, acknowledge: held}", "{refuse: 1}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 1);
    rig_wait(has_one_retry);
    rig_drain();
    assert_int_equal(rig.n_arrivals, 2);
    rig_check_keys("sink", 1, "a");
    assert_int_equal(rig_account("retry")->forwarded, 1);
    assert_int_equal(rig_account("retry")->held, 0);
    rig_close();
}

static bool is_given_up(void)
{
    return rig_account("sink")->failed >= 1;
}

/* The sender was told of a success, so what is given up must show in the accounts. */
static void test_held_that_is_given_up_is_counted(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1ms, max_elapsed: 0s, acknowledge: held}",
                   "{refuse: 60}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    rig_wait(is_given_up);
    rig_drain();
    assert_int_equal(rig.n_acks, 1);
    assert_int_equal(rig.n_arrivals, 1);
    assert_int_equal(rig_account("sink")->failed, 1);
    assert_int_equal(rig_account("retry")->held, 0);
    assert_int_equal(rig_account("retry")->dropped[FTR_DROP_RETRIES_EXHAUSTED], 1);
    rig_close();
}

static ftr_span_data span_of(ftr_memory_spans *spans, const char *name, bool has_event)
{
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        if (ftri_text_is(span.name, name) && (span.n_events > 0) == has_event)
            return span;
    fail_msg("there is no span %s", name);
    return span;
}

/* Its senders' visit has ended by then: there is another one below it, with the event by which
 * searches and the tail sampler know drops. Found in review: traces told nothing. */
static void test_held_that_is_given_up_is_in_the_trace(void **state)
{
    (void)state;
    ftr_memory_spans *spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1ms, max_elapsed: 0s, acknowledge: held}",
                   "{refuse: 60}"));
    rig_feed_key("a");
    rig_wait(is_given_up);
    rig_drain();
    rig_close();
    assert_int_equal(ftr_shutdown(RIG_DEADLINE_NS), FTR_OK);
    const ftr_span_data visit = span_of(spans, "processor/retry/retry", false);
    const ftr_span_data drop = span_of(spans, "processor/retry/retry", true);
    assert_memory_equal(&drop.context.trace_id, &visit.context.trace_id, 16);
    assert_memory_equal(&drop.parent_span_id, &visit.context.span_id, 8);
    assert_int_equal(drop.n_events, 1);
    assert_true(ftri_text_is(drop.events[0].name, "flow.drop"));
    assert_true(ftri_text_is(drop.events[0].attributes[0].value.as.str, "retries_exhausted"));
    ftr_memory_spans_unref(spans);
}

/* What was answered and is cut off at the deadline shows as dropped and lost. */
static void test_held_at_the_deadline_of_a_shutdown(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1ms, acknowledge: held}", "{hold: true}"));
    reach_the_deadline();
    assert_int_equal(rig.n_acks, 2);
    rig_close();
}

static void test_nothing_is_sent_again_without_time(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1ms, max_elapsed: 0s}", "{refuse: 60}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_nacks, 1);
    assert_int_equal(rig.n_arrivals, 1);
    rig_close();
}

/* 1, 3, 9 ms without jitter: the fourth attempt comes 13 ms after the first, or later. */
static void test_the_delay_grows_as_told(void **state)
{
    (void)state;
    rig_open(GRAPH("{initial_delay: 1ms, max_delay: 1s, multiplier: 3, jitter: 0}", "{refuse: 3}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_arrivals, 4);
    assert_true(rig.arrivals[3].at_ns - rig.arrivals[0].at_ns >= 13 * FTRI_NS_PER_MS);
    rig_close();
}

/* Thirty delays of a second, each up to so much shorter or longer: that none is shorter, or none
 * longer, happens once in a thousand million runs. */
static void test_jitter_spreads_the_delays(void **state)
{
    (void)state;
    const uint64_t delay_ns = FTRI_NS_PER_S;
    rig_open(GRAPH("{initial_delay: 1s, max_delay: 1s, jitter: 1}", "{refuse: 30}"));
    for (size_t i = 0; i < 30; i++)
        rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 30);
    uint64_t first_ns = UINT64_MAX, last_ns = 0;
    for (size_t i = 0; i < rig.n_arrivals; i++) {
        const uint64_t after_ns = rig.arrivals[i].at_ns - rig.arrivals[0].at_ns;
        if (rig.arrivals[i].n_attempt == 0)
            continue;
        first_ns = after_ns < first_ns ? after_ns : first_ns;
        last_ns = after_ns > last_ns ? after_ns : last_ns;
    }
    assert_true(first_ns < delay_ns);
    assert_true(last_ns > delay_ns);
    rig_close();
}

static void test_refusals(void **state)
{
    (void)state;
    rig_refuse(GRAPH("{initial_delay: 2s, max_delay: 1s}", "{}"),
               "graph:3:", "initial_delay is greater than max_delay");
    rig_refuse(GRAPH("{max_held: 0}", "{}"), "graph:3:", "max_held");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again_until_it_is_taken),
        cmocka_unit_test(test_delays_grow_to_their_limit),
        cmocka_unit_test(test_the_destination_may_ask_for_a_longer_delay),
        cmocka_unit_test(test_a_permanent_refusal_is_final),
        cmocka_unit_test(test_gives_up_after_max_elapsed),
        cmocka_unit_test(test_a_shutdown_waits_for_no_delay),
        cmocka_unit_test(test_the_last_attempt_of_a_shutdown_is_the_last),
        cmocka_unit_test(test_the_deadline_of_a_shutdown),
        cmocka_unit_test(test_a_graph_freed_in_the_middle),
        cmocka_unit_test(test_holds_no_more_than_it_may),
        cmocka_unit_test(test_held_is_acknowledged_before_it_is_delivered),
        cmocka_unit_test(test_held_that_is_given_up_is_counted),
        cmocka_unit_test(test_held_that_is_given_up_is_in_the_trace),
        cmocka_unit_test(test_held_at_the_deadline_of_a_shutdown),
        cmocka_unit_test(test_nothing_is_sent_again_without_time),
        cmocka_unit_test(test_the_delay_grows_as_told),
        cmocka_unit_test(test_jitter_spreads_the_delays),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
