/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/balance. */
#include "rig.h"

#define GRAPH(config, a, b)                                                                        \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  any: {type: processor/balance, config: " config "}\n"                                       \
    "  a: {type: exporter/rig, config: " a "}\n"                                                   \
    "  b: {type: exporter/rig, config: " b "}\n"                                                   \
    "connections:\n"                                                                               \
    "  - {from: source, to: any}\n"                                                                \
    "  - {from: 'any[\"left\"]', to: a}\n"                                                         \
    "  - {from: 'any[\"right\"]', to: b}\n"

#define PORTS "{ports: [left, right]}"

static void open_with(size_t capacity, const char *text)
{
    rig_capacity = capacity;
    rig_open(text);
    rig_capacity = 0;
}

static void feed(size_t n)
{
    for (size_t i = 0; i < n; i++)
        rig_feed_key("k");
}

static size_t n_at(const char *node)
{
    size_t n = 0;
    while (rig_arrival(node, n))
        n++;
    return n;
}

static void test_each_batch_goes_to_one_in_turn(void **state)
{
    (void)state;
    static const char *const keys[] = {"1", "2", "3", "4", "5"};
    rig_open(GRAPH(PORTS, "{}", "{}"));
    for (size_t i = 0; i < FTRI_COUNT(keys); i++)
        rig_feed_key(keys[i]);
    rig_feed_telemetry("x", 7);
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 6);
    assert_int_equal(rig.n_arrivals, 6);
    for (size_t i = 0; i < FTRI_COUNT(keys); i++)
        rig_check_keys(i % 2 ? "b" : "a", i / 2, keys[i]);
    assert_int_equal(rig_arrival("b", 2)->n_items, 7);
    assert_int_equal(rig_account("any")->forwarded, 12);
    rig_close();
}

static void test_the_answer_is_that_of_the_one(void **state)
{
    (void)state;
    rig_open(GRAPH(PORTS, "{refuse: 9, permanent: true}", "{}"));
    feed(4);
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 2);
    assert_int_equal(rig.n_nacks, 2);
    assert_true(rig.refusal.is_permanent);
    rig_close();
}

static bool has_17(void)
{
    return rig.n_acks == 17;
}

static void let_go(void)
{
    struct pdata *const held = rig.held;
    rig.held = NULL;
    node_set_accepting(rig.holder, true);
    node_ack(rig.holder, held);
}

/* One in its hands and two in its channel. */
static void test_a_destination_that_hangs_is_passed_over(void **state)
{
    (void)state;
    open_with(2, GRAPH(PORTS, "{hold: true}", "{}"));
    feed(20);
    rig_wait(has_17);
    assert_int_equal(n_at("a"), 1);
    assert_int_equal(n_at("b"), 17);
    for (size_t i = 0; i < 3; i++) {
        rig_wait(rig_is_held);
        let_go();
    }
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 20);
    rig_close();
}

/* Each destination has one in its hands and one in its channel. */
static bool is_full(void)
{
    return n_at("a") == 1 && n_at("b") == 1 && rig_account("any")->held == 1 &&
           rig_account("any")->received == 5;
}

static const char *going; /* the one that goes on */

static bool is_held_by_it(void)
{
    return rig.held && strcmp(node_id(rig.holder), going) == 0;
}

/* Of ten batches the destination that was served first has one and its channel one; the rest finds
 * its way as the other goes on. */
static void test_what_nobody_has_room_for_goes_to_the_first_that_has(void **state)
{
    (void)state;
    open_with(1, GRAPH(PORTS, "{hold: true}", "{hold: true}"));
    feed(10);
    rig_wait(is_full);
    going = node_id(rig.holder);
    for (size_t i = 0; i < 8; i++) {
        rig_wait(is_held_by_it);
        let_go();
    }
    assert_int_equal(rig.n_arrivals, 9);
    assert_int_equal(n_at(strcmp(going, "a") == 0 ? "b" : "a"), 1);
    assert_int_equal(rig_account("any")->held, 0);
    graph_drain(rig.graph, FTRI_NS_PER_S / 5);
    rig_wait(rig_is_drained);
    assert_int_equal(rig.n_acks, 8);
    assert_int_equal(rig.n_nacks, 2);
    rig_close();
}

static void test_a_shutdown_while_one_is_held(void **state)
{
    (void)state;
    open_with(1, GRAPH(PORTS, "{hold: true}", "{hold: true}"));
    feed(10);
    rig_wait(is_full);
    graph_drain(rig.graph, FTRI_NS_PER_S / 5);
    rig_wait(rig_is_drained);
    assert_true(rig_is_settled());
    assert_int_equal(rig.n_acks, 0);
    rig_close();
}

static void test_freed_while_one_is_held(void **state)
{
    (void)state;
    open_with(1, GRAPH(PORTS, "{hold: true}", "{hold: true}"));
    feed(10);
    rig_wait(is_full);
    rig_close();
}

static void test_refusals(void **state)
{
    (void)state;
    rig_refuse(GRAPH("{}", "{}", "{}"), "graph:3:", "ports");
    rig_refuse(GRAPH("{ports: []}", "{}", "{}"), "graph:3:", "1 to 32");
    rig_refuse(GRAPH("{ports: [left, left]}", "{}", "{}"), "graph:3:", "'left' is there twice");
    rig_refuse(GRAPH("{ports: [left, '']}", "{}", "{}"), "graph:3:", "empty");
    rig_refuse(GRAPH("{ports: [left, right, more]}", "{}", "{}"), "graph:", "more");
    rig_refuse(GRAPH("{ports: [left]}", "{}", "{}"), "graph:9:", "right");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_batch_goes_to_one_in_turn),
        cmocka_unit_test(test_the_answer_is_that_of_the_one),
        cmocka_unit_test(test_a_destination_that_hangs_is_passed_over),
        cmocka_unit_test(test_what_nobody_has_room_for_goes_to_the_first_that_has),
        cmocka_unit_test(test_a_shutdown_while_one_is_held),
        cmocka_unit_test(test_freed_while_one_is_held),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
