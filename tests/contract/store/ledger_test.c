/* SPDX-License-Identifier: Apache-2.0
 *
 * Ledger rows on every backend: each once, whatever was appended again and wherever it lies, in the
 * range that was asked for; over a restart; gone with retention. */
#include "fixture.h"

#include "base/time.h"
#include "otlp/ledger.h"

#include <time.h>

static const uint64_t T = UINT64_C(1700000000) * FTRI_NS_PER_S;
static const uint64_t INTERVAL_NS = LEDGER_INTERVAL_S * FTRI_NS_PER_S;

/* The edge's row of interval i, that of a node, and the instance's: 3 rows. */
static struct ftri_payload *payload(const char *instance, uint64_t i)
{
    const struct ledger_row common = {
        .instance = ftr_str_from(instance),
        .pipeline = FTR_STR("p"),
        .node = FTR_STR(""),
        .port = FTR_STR(""),
        .to = FTR_STR(""),
        .start_ns = T + i * INTERVAL_NS,
        .end_ns = T + (i + 1) * INTERVAL_NS,
    };
    struct ledger_row rows[3] = {common, common, common};
    rows[1].series = LEDGER_NODE;
    rows[1].node = FTR_STR("n");
    rows[1].mask = LEDGER_BIT(LEDGER_NODE_RECEIVED) | LEDGER_BIT(LEDGER_NODE_DROPPED + 1);
    rows[1].counters[LEDGER_NODE_RECEIVED] = 10 + i;
    rows[1].counters[LEDGER_NODE_DROPPED + 1] = 1;
    rows[2].series = LEDGER_EDGE;
    rows[2].node = FTR_STR("n");
    rows[2].port = FTR_STR("out");
    rows[2].to = FTR_STR("m");
    rows[2].mask = LEDGER_BIT(LEDGER_EDGE_SENT) | LEDGER_BIT(LEDGER_EDGE_QUEUED);
    rows[2].counters[LEDGER_EDGE_SENT] = 100;
    struct ftri_bytes bytes;
    size_t n_points;
    ftri_bytes_init(&bytes, 1 << 20);
    assert_int_equal(ledger_encode(rows, 3, FTR_STR("s"), &bytes, &n_points), 0);
    assert_int_equal(n_points, 5);
    struct ftri_payload *sealed = ftri_payload_new(&bytes);
    assert_non_null(sealed);
    return sealed;
}

static void append(struct fixture *f, const char *instance, uint64_t i, uint64_t received_ns)
{
    struct ftri_payload *sealed = payload(instance, i);
    int r;
    assert_true(f->next_token < FIXTURE_TOKENS_MAX);
    while ((r = store_append_ledger(f->store, sealed, received_ns, &f->next_token)) == STORE_BUSY)
        fixture_settle(f);
    assert_int_equal(r, 0);
    f->next_token++;
    ftri_payload_unref(sealed);
}

struct sums {
    size_t n_rows, n_instances;
    uint64_t counters[LEDGER_COUNTERS], received_max_ns;
};

static int add(void *argument, const struct ledger_row *row)
{
    struct sums *sums = argument;
    sums->n_rows++;
    sums->n_instances += row->series == LEDGER_INSTANCE;
    assert_int_equal(row->pipeline.len, 1);
    assert_int_equal(row->to.len, row->series == LEDGER_EDGE);
    assert_int_equal(row->end_ns - row->start_ns, INTERVAL_NS);
    if (row->received_ns > sums->received_max_ns)
        sums->received_max_ns = row->received_ns;
    for (size_t i = 0; i < LEDGER_COUNTERS; i++)
        sums->counters[i] += row->counters[i];
    return 0;
}

static struct sums read_since(struct fixture *f, uint64_t since_ns)
{
    struct sums sums = {0};
    assert_int_equal(store_get_ledger(f->store, since_ns, add, &sums), 0);
    return sums;
}

/* Of n intervals from the first, of one instance. */
static void check(struct fixture *f, size_t n)
{
    const struct sums sums = read_since(f, 0);
    assert_int_equal(sums.n_rows, 3 * n);
    assert_int_equal(sums.n_instances, n);
    assert_int_equal(sums.counters[LEDGER_EDGE_SENT], 100 * n);
    assert_int_equal(sums.counters[LEDGER_NODE_RECEIVED], 10 * n + n * (n - 1) / 2);
    assert_int_equal(sums.counters[LEDGER_NODE_DROPPED + 1], n);
}

static void test_rows_are_read_once_wherever_they_lie(void **state)
{
    struct fixture *f = *state;
    const uint64_t now_ns = ftri_time_wall_ns();
    for (uint64_t i = 0; i < 50; i++)
        append(f, "one", i, now_ns);
    check(f, 50);
    append(f, "one", 7, now_ns + 1); /* both not yet in a block */
    check(f, 50);
    fixture_settle(f);
    check(f, 50);
    append(f, "one", 8, now_ns + 2); /* one in the table */
    check(f, 50);
    fixture_settle(f);
    append(f, "one", 8, now_ns + 2);
    fixture_settle(f);
    check(f, 50);
}

static void test_spans_and_rows_keep_out_of_each_others_way(void **state)
{
    struct fixture *f = *state;
    const struct sample sample = {1, 10, 0, "shop", "GET /", 1000, 3000, 2, false, 1};
    const uint64_t now_ns = ftri_time_wall_ns();
    append(f, "one", 0, now_ns);
    fixture_append(f, &sample, 1, now_ns);
    append(f, "one", 1, now_ns);
    check(f, 2);
    fixture_check_trace(f, 1, &sample, 1);
    fixture_settle(f);
    check(f, 2);
    fixture_check_trace(f, 1, &sample, 1);
    fixture_check_names(f, "", "shop\n");
    const struct store_statistics statistics = fixture_statistics(f);
    assert_int_equal(statistics.n_appended_spans, 1);
}

static void test_a_range_holds_what_ends_in_it(void **state)
{
    struct fixture *f = *state;
    const uint64_t now_ns = ftri_time_wall_ns();
    for (uint64_t i = 0; i < 10; i++) {
        if (i == 5)
            fixture_settle(f);
        append(f, "one", i, now_ns);
    }
    assert_int_equal(read_since(f, T + 3 * INTERVAL_NS).n_rows, 3 * 7);
    assert_int_equal(read_since(f, T + 7 * INTERVAL_NS).n_rows, 3 * 3);
    assert_int_equal(read_since(f, T + 10 * INTERVAL_NS).n_rows, 0);
    assert_int_equal(read_since(f, 0).received_max_ns, now_ns);
}

static void test_instances_are_told_apart(void **state)
{
    struct fixture *f = *state;
    const uint64_t now_ns = ftri_time_wall_ns();
    append(f, "one", 0, now_ns);
    append(f, "two", 0, now_ns);
    assert_int_equal(read_since(f, 0).counters[LEDGER_EDGE_SENT], 200);
}

static void test_nobody_has_to_wait_for_a_row(void **state)
{
    struct fixture *f = *state;
    struct ftri_payload *sealed = payload("one", 0);
    assert_int_equal(store_append_ledger(f->store, sealed, ftri_time_wall_ns(), NULL), 0);
    ftri_payload_unref(sealed);
    append(f, "one", 1, ftri_time_wall_ns());
    fixture_settle(f);
    struct store_settled none;
    assert_int_equal(store_collect(f->store, &none, 1), 0);
    check(f, 2);
}

static void test_rows_stay_over_a_restart(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < 20; i++)
        append(f, "one", i, ftri_time_wall_ns());
    fixture_close(f);
    fixture_open(f);
    check(f, 20);
}

static int stop(void *argument, const struct ledger_row *row)
{
    (void)row;
    ++*(size_t *)argument;
    return -71;
}

static void test_a_reader_may_stop(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    append(f, "one", 0, ftri_time_wall_ns());
    assert_int_equal(store_get_ledger(f->store, 0, stop, &n), -71);
    fixture_settle(f);
    assert_int_equal(store_get_ledger(f->store, 0, stop, &n), -71);
    assert_int_equal(n, 2);
}

static void test_retention_takes_old_rows(void **state)
{
    struct fixture *f = *state;
    const uint64_t now_ns = ftri_time_wall_ns();
    const uint64_t old_ns = now_ns - 3600 * FTRI_NS_PER_S;
    fixture_close(f);
    f->options.retention_ns = 1800 * FTRI_NS_PER_S;
    fixture_open(f);
    for (uint64_t i = 0; i < 10; i++)
        append(f, "old", i, old_ns);
    append(f, "one", 0, now_ns);
    fixture_settle(f);
    append(f, "one", 1, now_ns);
    fixture_settle(f);
    /* The writer looks after it behind each write; it has settled this one before. */
    for (int i = 0; i < 1000 && read_since(f, 0).n_rows > 6; i++) {
        const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
    check(f, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST_ALL(test_rows_are_read_once_wherever_they_lie),
        FIXTURE_TEST_ALL(test_spans_and_rows_keep_out_of_each_others_way),
        FIXTURE_TEST_ALL(test_a_range_holds_what_ends_in_it),
        FIXTURE_TEST_ALL(test_instances_are_told_apart),
        FIXTURE_TEST_ALL(test_nobody_has_to_wait_for_a_row),
        FIXTURE_TEST(test_rows_stay_over_a_restart, "sqlite"),
        FIXTURE_TEST_ALL(test_a_reader_may_stop),
        FIXTURE_TEST_ALL(test_retention_takes_old_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
