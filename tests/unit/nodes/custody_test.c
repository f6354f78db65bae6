/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/wal between a source and a sink: who is answered when, and what the next start sends
 * on. */
#include "folder.h"
#include "otlp/encode.h"
#include "rig.h"
#include "telemetry.h"

#include <flowtrace/exporter.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void open_graph(const char *more, const char *sink)
{
    char text[512];
    snprintf(text, sizeof text,
             "nodes:\n"
             "  source: {type: receiver/rig}\n"
             "  log: {type: processor/wal, config: {directory: %s/wal%s}}\n"
             "  sink: {type: exporter/rig, config: {%s}}\n"
             "connections:\n"
             "  - {from: source, to: log}\n"
             "  - {from: log, to: sink}\n",
             folder, more, sink);
    rig_open(text);
}

static bool has_arrival(void)
{
    return rig.n_arrivals > 0;
}

/* One span, padded by its name to more than so many bytes. */
static void feed_span(size_t n_bytes)
{
    char *name = ftri_zalloc(n_bytes + 1);
    assert_non_null(name);
    memset(name, 'n', n_bytes);
    const ftr_span_data span = {.size = sizeof span,
                                .context = {.trace_id = {{1}}, .span_id = {{2}}},
                                .name = {name, n_bytes}};
    struct ftri_bytes encoded, request;
    ftri_bytes_init(&encoded, SIZE_MAX / 2);
    ftri_bytes_init(&request, SIZE_MAX / 2);
    assert_int_equal(ftri_otlp_encode_span(&span, &encoded), 0);
    assert_int_equal(ftri_otlp_encode_traces(ftri_view_of(NULL, 0), FTR_STR(""), FTR_STR(""),
                                             ftri_bytes_view(&encoded), &request),
                     0);
    struct pdata *pdata = node_ingest(rig.source, FTR_SIGNAL_TRACES, NULL, true, 0);
    struct ftri_payload *payload = ftri_payload_new(&request);
    assert_non_null(pdata);
    assert_non_null(payload);
    pdata_set_otlp(pdata, payload, 1);
    pdata->received_ns = 7;
    rig_send(pdata);
    ftri_bytes_deinit(&encoded);
    ftri_bytes_deinit(&request);
    ftri_free(name);
}

/* The first inputs after a start may meet the replay: they are refused retryably. */
static void feed_until_taken(void)
{
    while (rig.n_acks == 0) {
        feed_span(1);
        rig_wait(rig_is_settled);
        assert_true(rig.n_acks || !rig.refusal.is_permanent);
    }
}

static void drain(uint64_t timeout_ns)
{
    graph_drain(rig.graph, timeout_ns);
    rig_wait(rig_is_drained);
}

/* How many records the next start sends on. */
static void check_replayed(size_t expected)
{
    open_graph("", "");
    feed_until_taken(); /* taken only after the replay */
    drain(RIG_DEADLINE_NS / 2);
    assert_int_equal(rig.n_arrivals, expected + 1);
    for (size_t i = 0; i < rig.n_arrivals; i++)
        assert_int_equal(rig.arrivals[i].n_items, 1);
    rig_close();
}

static void test_answered_before_the_end_has_it(void **state)
{
    (void)state;
    open_graph("", "hold: true");
    feed_until_taken();
    rig_wait(rig_is_held);
    assert_int_equal(rig.n_acks, 1); /* the sink has not answered */
    node_ack(rig.holder, rig.held);
    drain(RIG_DEADLINE_NS / 2);
    rig_close();
    check_replayed(0);
}

static void test_what_was_refused_is_sent_on_by_the_next_start(void **state)
{
    (void)state;
    open_graph("", "refuse: 1");
    feed_until_taken();
    rig_wait(has_arrival);
    drain(RIG_DEADLINE_NS / 2);
    rig_close();
    check_replayed(1);
    check_replayed(0);
}

static void test_what_was_refused_for_good_is_given_up(void **state)
{
    (void)state;
    open_graph("", "refuse: 1, permanent: true");
    feed_until_taken();
    rig_wait(has_arrival);
    drain(RIG_DEADLINE_NS / 2);
    rig_close();
    check_replayed(0);
}

/* The engine takes from the sink what it holds; the record stays. */
static void test_the_deadline_of_a_shutdown_below(void **state)
{
    (void)state;
    open_graph("", "hold: true");
    feed_until_taken();
    rig_wait(rig_is_held);
    drain(10 * FTRI_NS_PER_MS);
    rig_close();
    check_replayed(1);
}

static bool is_with_the_log_or_refused(void)
{
    return rig.n_nacks || rig_account("log")->held == 1;
}

/* The input waits for a commit that the deadline does not wait for: its sender is refused, and the
 * record, being in the log, is sent on all the same. */
static void test_the_deadline_of_a_shutdown_above(void **state)
{
    (void)state;
    open_graph("", "");
    feed_until_taken();
    drain(RIG_DEADLINE_NS / 2);
    rig_close();
    open_graph(", commit_delay: 1s", "");
    feed_span(1);
    rig_wait(is_with_the_log_or_refused);
    while (rig.n_nacks) {
        rig.n_nacks = rig.n_fed = 0;
        feed_span(1);
        rig_wait(is_with_the_log_or_refused);
    }
    drain(FTRI_NS_PER_MS);
    assert_int_equal(rig.n_acks, 0);
    rig_close();
    check_replayed(1);
}

/* Found in review: it was refused as if it could be sent again. */
static void test_a_record_larger_than_the_log(void **state)
{
    (void)state;
    open_graph(", limit: 1MiB", "");
    feed_until_taken();
    feed_span(2 << 20);
    rig_wait(rig_is_settled);
    assert_true(rig.refusal.is_permanent);
    rig_close();
}

static void test_records_are_no_telemetry(void **state)
{
    (void)state;
    open_graph("", "");
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_nacks, 1);
    assert_true(rig.refusal.is_permanent);
    rig_close();
}

/* It would lie there for ever: the store has no place for it. */
static void test_metrics_and_logs_that_are_passed_are_not_kept(void **state)
{
    (void)state;
    open_graph("", "");
    telemetry_feed("{'resourceMetrics':[{'scopeMetrics':[{'metrics':[{'name':'m','gauge':"
                   "{'dataPoints':[{'asInt':'1'}]}}]}]}]}");
    telemetry_feed("{'resourceLogs':[{'scopeLogs':[{'logRecords':[{'eventName':'e'}]}]}]}");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_nacks, 2);
    assert_true(rig.refusal.is_permanent);
    assert_non_null(strstr(rig.refusal.reason, "metrics or logs"));
    assert_int_equal(rig.n_arrivals, 0);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answered_before_the_end_has_it, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_refused_is_sent_on_by_the_next_start,
                                        folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_refused_for_good_is_given_up, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_the_deadline_of_a_shutdown_below, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_the_deadline_of_a_shutdown_above, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_record_larger_than_the_log, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_metrics_and_logs_that_are_passed_are_not_kept,
                                        folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_records_are_no_telemetry, folder_set_up,
                                        folder_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
