/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums over the ledger, worked out by hand: processes that live, end and die; ends that report
 * apart; levels. */
#include "query/loss.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t T = UINT64_C(1700000000) * FTRI_NS_PER_S;

static struct loss loss;

static uint64_t at(uint64_t seconds)
{
    return T + seconds * FTRI_NS_PER_S;
}

static void add(const struct ledger_row *row)
{
    assert_int_equal(loss_add(&loss, row), 0);
}

/* A cut from start to end, received at its end. */
static struct ledger_row row_of(const char *instance, uint64_t start, uint64_t end)
{
    const ftr_str none = FTR_STR("");
    return (struct ledger_row){
        .instance = {instance, strlen(instance)},
        .pipeline = FTR_STR("p"),
        .node = none,
        .port = none,
        .to = none,
        .start_ns = at(start),
        .end_ns = at(end),
        .received_ns = at(end),
    };
}

static void add_instance(const char *instance, uint64_t start, uint64_t end, bool is_last)
{
    struct ledger_row row = row_of(instance, start, end);
    row.is_last = is_last;
    add(&row);
}

static void add_node(const char *instance, uint64_t start, uint64_t received, uint64_t held)
{
    struct ledger_row row = row_of(instance, start, start + 10);
    row.series = LEDGER_NODE;
    row.node = FTR_STR("n");
    row.mask = LEDGER_BIT(LEDGER_NODE_RECEIVED) | LEDGER_BIT(LEDGER_NODE_HELD);
    row.counters[LEDGER_NODE_RECEIVED] = received;
    row.counters[LEDGER_NODE_HELD] = held;
    add(&row);
}

enum ends { SENDER = 1, RECEIVER = 2 };

static void add_edge(const char *instance, uint64_t start, enum ends ends, uint64_t sent,
                     uint64_t received, uint64_t queued)
{
    struct ledger_row row = row_of(instance, start, start + 10);
    row.series = LEDGER_EDGE;
    row.node = FTR_STR("a");
    row.port = FTR_STR("out");
    row.to = FTR_STR("b");
    if (ends & SENDER)
        row.mask |= LEDGER_BIT(LEDGER_EDGE_SENT);
    if (ends & RECEIVER)
        row.mask |= LEDGER_BIT(LEDGER_EDGE_RECEIVED) | LEDGER_BIT(LEDGER_EDGE_QUEUED);
    row.counters[LEDGER_EDGE_SENT] = sent;
    row.counters[LEDGER_EDGE_RECEIVED] = received;
    row.counters[LEDGER_EDGE_QUEUED] = queued;
    add(&row);
}

static const struct loss_line *line_of(enum ledger_series series)
{
    const struct loss_line *found = NULL;
    for (size_t i = 0; i < loss.n_lines; i++) {
        if (loss.lines[i].series != series)
            continue;
        assert_null(found);
        found = &loss.lines[i];
    }
    assert_non_null(found);
    return found;
}

static int setup(void **state)
{
    (void)state;
    loss_init(&loss, FTR_STR("p"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loss_deinit(&loss);
    return 0;
}

static void test_rows_add_up_and_levels_are_of_the_last_cut(void **state)
{
    (void)state;
    add_instance("one", 0, 10, false);
    add_instance("one", 10, 20, false);
    /* In no order. */
    add_node("one", 10, 5, 3);
    add_node("one", 0, 7, 6);
    add_edge("one", 10, SENDER | RECEIVER, 8, 6, 4);
    add_edge("one", 0, SENDER | RECEIVER, 10, 8, 2);
    assert_int_equal(loss_finish(&loss, at(21)), 0);
    assert_int_equal(loss.n_lines, 3);
    assert_int_equal(line_of(LEDGER_NODE)->counters[LEDGER_NODE_RECEIVED], 12);
    assert_int_equal(line_of(LEDGER_NODE)->counters[LEDGER_NODE_HELD], 3);
    const struct loss_line *edge = line_of(LEDGER_EDGE);
    assert_int_equal(edge->counters[LEDGER_EDGE_SENT], 18);
    assert_int_equal(edge->counters[LEDGER_EDGE_RECEIVED], 14);
    assert_int_equal(edge->in_flight, 4);
    assert_true(edge->is_settled);
    assert_int_equal(edge->settled_until_ns, at(20));
    const struct loss_line *whole = line_of(LEDGER_INSTANCE);
    assert_int_equal(whole->counters[LEDGER_NODE_HELD], 3);
    assert_int_equal(whole->in_flight, 4);
    assert_int_equal(whole->counters[LEDGER_EDGE_SENT], 0); /* never summed over edges */
}

static void test_silence_means_death_and_death_means_unknown(void **state)
{
    (void)state;
    add_instance("one", 0, 10, false);
    add_node("one", 0, 7, 6);
    add_instance("two", 0, 10, false);
    add_instance("two", 10, 40, false);
    add_node("two", 0, 1, 0);
    assert_int_equal(loss_finish(&loss, at(41)), 0); /* 31 s and 1 s of silence */
    const struct loss_line *whole = line_of(LEDGER_INSTANCE);
    assert_int_equal(whole->n_instances, 2);
    assert_int_equal(whole->n_dead, 1);
    assert_int_equal(whole->unknown_since_ns, at(10));
    assert_int_equal(whole->settled_until_ns, at(10));
    assert_int_equal(whole->unknown_items, 6);
    assert_false(whole->is_settled);
    const struct loss_line *node = line_of(LEDGER_NODE);
    assert_int_equal(node->counters[LEDGER_NODE_RECEIVED], 8);
    assert_int_equal(node->counters[LEDGER_NODE_HELD], 0);
    assert_int_equal(node->unknown_items, 6);
    assert_int_equal(node->unknown_since_ns, at(10));
}

static void test_silence_of_thirty_seconds_is_no_death(void **state)
{
    (void)state;
    add_instance("one", 0, 10, false);
    assert_int_equal(loss_finish(&loss, at(40)), 0);
    assert_int_equal(line_of(LEDGER_INSTANCE)->n_dead, 0);
    assert_true(line_of(LEDGER_INSTANCE)->is_settled);
}

static void test_an_end_is_no_death(void **state)
{
    (void)state;
    add_instance("one", 0, 10, false);
    add_instance("one", 10, 13, true);
    add_node("one", 0, 7, 0);
    assert_int_equal(loss_finish(&loss, at(1000)), 0);
    const struct loss_line *whole = line_of(LEDGER_INSTANCE);
    assert_int_equal(whole->n_dead, 0);
    assert_int_equal(whole->unknown_since_ns, 0);
    assert_int_equal(whole->settled_until_ns, at(13));
    assert_true(whole->is_settled);
}

/* Turned off with a last cut, and on again: its first cut tells what has passed in between. */
static void test_a_last_cut_with_others_after_it_was_none(void **state)
{
    (void)state;
    add_instance("one", 30, 60, false); /* in any order */
    add_instance("one", 0, 10, false);
    add_instance("one", 10, 13, true);
    add_node("one", 0, 7, 2);
    assert_int_equal(loss_finish(&loss, at(1000)), 0);
    const struct loss_line *whole = line_of(LEDGER_INSTANCE);
    assert_int_equal(whole->n_dead, 1);
    assert_int_equal(whole->unknown_since_ns, at(60));
    assert_false(whole->is_settled);
}

static void test_ends_that_report_apart_settle_when_both_have(void **state)
{
    (void)state;
    add_edge("one", 0, SENDER, 10, 0, 0);
    add_edge("two", 0, RECEIVER, 0, 9, 1);
    add_edge("one", 10, SENDER, 5, 0, 0);
    assert_int_equal(loss_finish(&loss, at(21)), 0);
    const struct loss_line *edge = line_of(LEDGER_EDGE);
    assert_int_equal(edge->counters[LEDGER_EDGE_SENT], 15);
    assert_int_equal(edge->counters[LEDGER_EDGE_RECEIVED], 9);
    assert_int_equal(edge->in_flight, 1 + 5); /* in the queue; not reported yet */
    assert_false(edge->is_settled);
    assert_int_equal(edge->settled_until_ns, at(10));
    assert_int_equal(edge->unknown_since_ns, 0);
}

static void test_other_pipelines_are_left_out(void **state)
{
    (void)state;
    struct ledger_row row = row_of("one", 0, 10);
    row.pipeline = FTR_STR("q");
    add(&row);
    assert_int_equal(loss_finish(&loss, at(11)), 0);
    assert_int_equal(loss.n_lines, 0);
}

#define LOSS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOSS_TEST(test_rows_add_up_and_levels_are_of_the_last_cut),
        LOSS_TEST(test_silence_means_death_and_death_means_unknown),
        LOSS_TEST(test_silence_of_thirty_seconds_is_no_death),
        LOSS_TEST(test_an_end_is_no_death),
        LOSS_TEST(test_a_last_cut_with_others_after_it_was_none),
        LOSS_TEST(test_ends_that_report_apart_settle_when_both_have),
        LOSS_TEST(test_other_pipelines_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
