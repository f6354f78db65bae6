/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts of a graph's accounts under a fake clock; what a reader gets out of them. */
#include "lab.h"

#include "engine/cutter.h"
#include "otlp/ledger.h"
#include "otlp/signals.h"
#include "otlp/view.h"

static const uint64_t T = UINT64_C(1700000000) * FTRI_NS_PER_S; /* a multiple of 10 s */

static const char graph[] = "nodes:\n  in: {type: receiver/test}\n  hold: {type: processor/hold}\n"
                            "  out: {type: exporter/test}\n"
                            "connections: [{from: in, to: hold}, {from: hold, to: out}]";

/* The rows of the last reading. */
static struct {
    struct ledger_row rows[16];
    size_t n;
    struct ftri_bytes bytes; /* what their texts are borrowed from */
    struct cutter *cutter;
} cut;

static int keep_row(void *argument, const struct ledger_row *row)
{
    (void)argument;
    assert_true(cut.n < FTRI_COUNT(cut.rows));
    cut.rows[cut.n++] = *row;
    return 0;
}

static size_t take(bool is_last)
{
    size_t n_points = 0, n_checked = 0, n_selected = 0, n_others = 0;
    struct ftri_otlp_error error;
    struct ftri_bytes selected;
    ftri_bytes_reset(&cut.bytes);
    assert_int_equal(cutter_cut(cut.cutter, is_last, &cut.bytes, &n_points), 0);
    cut.n = 0;
    if (n_points == 0)
        return 0;
    const struct ftri_view all = ftri_bytes_view(&cut.bytes);
    assert_int_equal(ftri_otlp_metrics_check(all, &ftri_otlp_unlimited, &n_checked, &error), 0);
    assert_int_equal(n_checked, n_points);
    ftri_bytes_init(&selected, 1 << 20);
    assert_int_equal(ledger_select(all, &selected, &n_selected, &n_others), 0);
    ftri_bytes_deinit(&selected);
    assert_int_equal(n_selected, n_points);
    assert_int_equal(n_others, 0);
    assert_int_equal(ledger_read(all, keep_row, NULL), 0);
    return n_points;
}

/* NULL: there is none. */
static const struct ledger_row *row_of(enum ledger_series series, const char *node)
{
    for (size_t i = 0; i < cut.n; i++)
        if (cut.rows[i].series == series && cut.rows[i].node.len == strlen(node) &&
            memcmp(cut.rows[i].node.data, node, strlen(node)) == 0)
            return &cut.rows[i];
    return NULL;
}

static void at(uint64_t seconds)
{
    ftri_time_fake(seconds * FTRI_NS_PER_S, T + seconds * FTRI_NS_PER_S);
}

static int setup(void **state)
{
    memset(&cut, 0, sizeof cut);
    ftri_bytes_init(&cut.bytes, 1 << 20);
    const int r = lab_open(state);
    at(3);
    return r;
}

static int teardown(void **state)
{
    cutter_free(cut.cutter);
    ftri_bytes_deinit(&cut.bytes);
    ftri_time_real();
    return lab_close(state);
}

static void begin(void)
{
    lab_run(graph, 8);
    cut.cutter = cutter_new(lab.graph, "", "one");
    assert_non_null(cut.cutter);
}

static void check_interval(uint64_t start, uint64_t end)
{
    for (size_t i = 0; i < cut.n; i++) {
        assert_int_equal(cut.rows[i].start_ns, T + start * FTRI_NS_PER_S);
        assert_int_equal(cut.rows[i].end_ns, T + end * FTRI_NS_PER_S);
        assert_memory_equal(cut.rows[i].instance.data, "one", 3);
        assert_memory_equal(cut.rows[i].pipeline.data, "default", 7);
    }
}

static void test_cuts_are_made_at_tens_of_seconds(void **state)
{
    (void)state;
    begin();
    assert_int_equal(cutter_delay_ns(), 7 * FTRI_NS_PER_S);
    at(9);
    assert_int_equal(take(false), 0);
    at(10);
    assert_int_equal(take(false), 1); /* nothing was counted: the instance alone */
    check_interval(3, 10);
    cutter_keep(cut.cutter);
    assert_int_equal(take(false), 0);
    at(41); /* three were missed: one long one */
    assert_int_equal(take(false), 1);
    check_interval(10, 40);
    cutter_keep(cut.cutter);
    at(42);
    assert_int_equal(take(true), 1);
    check_interval(40, 42);
    assert_true(cut.rows[0].is_last);
}

static void test_counters_are_differences_and_levels_are_not(void **state)
{
    (void)state;
    begin();
    assert_true(lab_ingest("in", 5, 1));
    lab_settle();
    at(10);
    assert_true(take(false) > 0);
    cutter_keep(cut.cutter);
    const struct ledger_row *edge = row_of(LEDGER_EDGE, "in");
    const struct ledger_row *hold = row_of(LEDGER_NODE, "hold");
    assert_int_equal(edge->counters[LEDGER_EDGE_SENT], 5);
    assert_int_equal(edge->counters[LEDGER_EDGE_RECEIVED], 5);
    assert_int_equal(hold->counters[LEDGER_NODE_RECEIVED], 5);
    assert_int_equal(hold->counters[LEDGER_NODE_HELD], 5);
    assert_null(row_of(LEDGER_NODE, "out"));
    assert_true(lab_ingest("in", 2, 2));
    lab_settle();
    at(20);
    assert_true(take(false) > 0);
    cutter_keep(cut.cutter);
    assert_int_equal(row_of(LEDGER_EDGE, "in")->counters[LEDGER_EDGE_SENT], 2);
    assert_int_equal(row_of(LEDGER_NODE, "hold")->counters[LEDGER_NODE_RECEIVED], 2);
    assert_int_equal(row_of(LEDGER_NODE, "hold")->counters[LEDGER_NODE_HELD], 7);
    /* Still held: the node has a row, the edge has none. */
    at(30);
    assert_true(take(false) > 0);
    cutter_keep(cut.cutter);
    assert_null(row_of(LEDGER_EDGE, "in"));
    assert_int_equal(row_of(LEDGER_NODE, "hold")->counters[LEDGER_NODE_HELD], 7);
    assert_int_equal(row_of(LEDGER_NODE, "hold")->counters[LEDGER_NODE_RECEIVED], 0);
}

static void test_what_was_not_kept_is_in_the_next_cut(void **state)
{
    (void)state;
    begin();
    assert_true(lab_ingest("in", 5, 1));
    lab_settle();
    at(10);
    assert_true(take(false) > 0); /* and it got lost */
    assert_true(lab_ingest("in", 2, 2));
    lab_settle();
    at(20);
    assert_true(take(false) > 0);
    check_interval(3, 20);
    assert_int_equal(row_of(LEDGER_EDGE, "in")->counters[LEDGER_EDGE_SENT], 7);
}

static void test_a_clock_that_goes_back_makes_no_interval(void **state)
{
    (void)state;
    begin();
    at(20);
    assert_true(take(false) > 0);
    cutter_keep(cut.cutter);
    at(12);
    assert_int_equal(take(false), 0);
    assert_int_equal(take(true), 1);
    assert_int_equal(cut.rows[0].start_ns, T + 20 * FTRI_NS_PER_S);
    assert_int_equal(cut.rows[0].end_ns, T + 20 * FTRI_NS_PER_S + 1);
}

/* The accounts at the end are what the cuts add up to, drops by reason included. */
static void test_cuts_add_up_to_the_accounts(void **state)
{
    (void)state;
    uint64_t sent = 0, dropped = 0, received = 0;
    begin();
    for (uint64_t i = 1; i <= 5; i++) {
        assert_true(lab_ingest("in", i, i));
        lab_settle();
        assert_true(lab.n_held > 0);
        node_drop((struct node *)(uintptr_t)lab.holders[lab.n_held - 1], lab.held[lab.n_held - 1],
                  FTR_DROP_LATE);
        lab.n_held--;
        lab_settle();
        at(i * 10);
        assert_true(take(i == 5) > 0);
        cutter_keep(cut.cutter);
        sent += row_of(LEDGER_EDGE, "in")->counters[LEDGER_EDGE_SENT];
        received += row_of(LEDGER_NODE, "hold")->counters[LEDGER_NODE_RECEIVED];
        dropped += row_of(LEDGER_NODE, "hold")->counters[LEDGER_NODE_DROPPED + FTR_DROP_LATE];
    }
    lab_check();
    assert_int_equal(sent, 15);
    assert_int_equal(sent, lab_edge("in", "hold")->sent);
    assert_int_equal(received, lab_account("hold")->received);
    assert_int_equal(dropped, lab_account("hold")->dropped[FTR_DROP_LATE]);
    assert_int_equal(dropped, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cuts_are_made_at_tens_of_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counters_are_differences_and_levels_are_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_was_not_kept_is_in_the_next_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_clock_that_goes_back_makes_no_interval, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_cuts_add_up_to_the_accounts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
