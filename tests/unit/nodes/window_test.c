/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/window: which items leave together, when, and what becomes of their inputs. Times are
 * in seconds of event time; every expectation is worked out by hand. */
#include "telemetry.h"

#include <stdlib.h>

#define GRAPH(config)                                                                              \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  it: {type: processor/window, config: " config "}\n"                                         \
    "  sink: {type: exporter/rig}\n"                                                               \
    "connections:\n"                                                                               \
    "  - {from: source, to: it}\n"                                                                 \
    "  - {from: it, to: sink}\n"

/* "a1 b7": records with a key each and their time in seconds. */
static void feed(const char *text)
{
    struct record records[16];
    size_t n = 0;
    for (; *text; text += *text == ' ') {
        char *end;
        const char *key = text++;
        records[n++] = (struct record){.key = {key, 1},
                                       .event_time_ns = strtoull(text, &end, 10) * FTRI_NS_PER_S};
        text = end;
    }
    rig_feed(records, n);
}

static bool has_consumed(void)
{
    return rig_account("source")->emitted == rig_account("it")->received;
}

static bool is_quiet(void)
{
    const struct node_account *it = rig_account("it");
    return has_consumed() && it->emitted == rig_account("sink")->received;
}

/* The i-th window that left: "a1 b7". */
static void check(size_t i, const char *expected)
{
    char found[256] = "-";
    size_t len = 0;
    rig_wait(is_quiet);
    const struct rig_arrival *arrival = rig_arrival("sink", i);
    for (size_t j = 0; arrival && j < arrival->records->n_items; j++) {
        const struct record *record = &arrival->records->items[j];
        len += (size_t)snprintf(found + len, sizeof found - len, "%s%.*s%llu", j ? " " : "",
                                (int)record->key.len, record->key.data,
                                (unsigned long long)(record->event_time_ns / FTRI_NS_PER_S));
    }
    assert_string_equal(found, expected);
}

static void drain_and_close(size_t n_acks)
{
    rig_drain();
    assert_int_equal(rig.n_acks, n_acks);
    assert_int_equal(rig.n_nacks, 0);
    rig_close();
}

static void test_fixed_windows(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 10s}"));
    feed("a1 a9");
    feed("a10 a3"); /* 10 begins the next; nothing has come to an end before this batch */
    check(0, "a1 a9 a3");
    assert_int_equal(rig.n_acks, 1); /* the second input waits for its other part */
    feed("a29");
    check(1, "a10");
    assert_int_equal(rig.n_acks, 2);
    feed("a5 a25");
    rig_wait(is_quiet);
    assert_int_equal(rig_account("it")->dropped[FTR_DROP_LATE], 1);
    drain_and_close(4);
}

static void test_late_items_only(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 10s}"));
    feed("a100");
    feed("a1 b2");
    rig_wait(is_quiet);
    assert_int_equal(rig_account("it")->dropped[FTR_DROP_LATE], 2);
    drain_and_close(2);
}

static void test_lateness(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 10s, lateness: 5s}"));
    feed("a1");
    feed("a14");
    feed("a2");
    check(0, "-");
    feed("a15");
    check(0, "a1 a2");
    drain_and_close(4);
}

static void test_windows_by_key(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 10s, by: key}"));
    feed("a1 b2 a3");
    feed("b4 a20");
    check(0, "a1 a3");
    check(1, "b2 b4");
    drain_and_close(2);
}

/* At 4 a session that touches neither: the gap is 3. 6 joins 4, 2 joins 1 and 4. */
static void test_sessions(void **state)
{
    (void)state;
    rig_open(GRAPH("{kind: session, size: 3s}"));
    feed("a1");
    feed("a4 a6");
    rig_wait(is_quiet);
    check(0, "a1"); /* 4 is a gap after it */
    feed("a20");
    check(1, "a4 a6");
    drain_and_close(3);
}

static void test_sessions_become_one(void **state)
{
    (void)state;
    rig_open(GRAPH("{kind: session, size: 3s, lateness: 100s}"));
    feed("a1");
    feed("a5");
    feed("a3");
    feed("a200");
    check(0, "a1 a5 a3"); /* the older session first, then what joined them */
    drain_and_close(4);
}

static bool has_two_arrivals(void)
{
    return rig.n_arrivals == 2;
}

static void test_arrival_time(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 30ms, time: arrival}"));
    feed("a1 a1000000");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_arrivals, 1);
    assert_int_equal(rig_arrival("sink", 0)->n_items, 2);
    feed("a1");
    rig_wait(has_two_arrivals);
    drain_and_close(2);
}

static void test_a_window_waits_no_longer_than_max_wait(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 1h, max_wait: 20ms}"));
    const uint64_t start_ns = ftri_time_monotonic_ns();
    feed("a1");
    rig_wait(rig_is_settled);
    assert_true(ftri_time_monotonic_ns() - start_ns >= 20 * FTRI_NS_PER_MS);
    feed("a2"); /* opens it again */
    rig_wait(rig_is_settled);
    check(1, "a2");
    drain_and_close(2);
}

static void test_a_time_far_ahead_is_not_believed(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 10s, max_wait: 1h}"));
    feed("a1");
    feed("a99999999999"); /* year 5138 */
    feed("a2");
    rig_wait(is_quiet);
    assert_int_equal(rig_arrival("sink", 0)->n_items, 1); /* now is later than 1970 */
    assert_int_equal(rig_account("it")->dropped[FTR_DROP_LATE], 1);
    drain_and_close(3);
}

static void test_bounds(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 10s, lateness: 1h, max_windows: 2}"));
    feed("a1");
    feed("a11");
    feed("a21"); /* there is room for one more: the first leaves */
    check(0, "a1");
    feed("a31 a41 a51"); /* two are open; one leaves, then two of three find no room */
    check(1, "a11");
    rig_wait(is_quiet);
    assert_int_equal(rig_account("it")->dropped[FTR_DROP_BUFFER_FULL], 2);
    drain_and_close(4);
    rig_open(GRAPH("{size: 10s, lateness: 1h, max_items: 3}"));
    feed("a1 a2");
    feed("a11 a12");
    check(0, "a1 a2");
    feed("a13"); /* three are held: as many as may be */
    check(1, "-");
    drain_and_close(3);
}

static void test_parts_that_fail(void **state)
{
    (void)state;
    rig_open("nodes:\n"
             "  source: {type: receiver/rig}\n"
             "  it: {type: processor/window, config: {size: 10s}}\n"
             "  sink: {type: exporter/rig, config: {refuse: 1, permanent: true}}\n"
             "connections:\n"
             "  - {from: source, to: it}\n"
             "  - {from: it, to: sink}\n");
    feed("a1");
    feed("a2 a11");
    feed("a12");
    rig_drain();
    assert_int_equal(rig.n_nacks, 2); /* both contributors of the first window */
    assert_int_equal(rig.n_acks, 1);
    rig_close();
}

#define SPAN(id, tenant, end)                                                                      \
    "{'traceId':'000000000000000000000000000000" id "','spanId':'00000000000000" id                \
    "','name':'n','kind':1,'startTimeUnixNano':'1','endTimeUnixNano':'" end "000000000',"          \
    "'attributes':[{'key':'t','value':{'stringValue':'" tenant "'}}]}"
#define SPANS(spans) "{'resourceSpans':[{'scopeSpans':[{'spans':[" spans "]}]}]}"
#define LOGS(records) "{'resourceLogs':[{'scopeLogs':[{'logRecords':[" records "]}]}]}"
#define LOG(time) "{'timeUnixNano':'" time "000000000'}"

/* Signals share no window, though their times and keys are the same. */
static void test_telemetry(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 10s, by: attribute, attribute: t}"));
    telemetry_feed(SPANS(SPAN("01", "a", "1") "," SPAN("02", "b", "2") "," SPAN("03", "a", "3")));
    telemetry_feed(LOGS(LOG("4") "," LOG("15")));
    telemetry_feed(SPANS(SPAN("04", "a", "16")));
    rig_drain();
    assert_int_equal(rig.n_acks, 3);
    telemetry_check("sink", 0, SPANS(SPAN("01", "a", "1") "," SPAN("03", "a", "3")));
    telemetry_check("sink", 1, SPANS(SPAN("02", "b", "2")));
    telemetry_check("sink", 2, LOGS(LOG("4")));
    telemetry_check("sink", 3, LOGS(LOG("15")));
    telemetry_check("sink", 4, SPANS(SPAN("04", "a", "16")));
    rig_close();
}

#define TRACED(trace, id, end)                                                                     \
    "{'traceId':'000102030405060708090a0b0c0d0e" trace "','spanId':'00000000000000" id             \
    "','name':'n','kind':1,'startTimeUnixNano':'1','endTimeUnixNano':'" end "000000000'}"
#define TRACED_LOG(trace, time)                                                                    \
    "{'timeUnixNano':'" time "000000000','traceId':'000102030405060708090a0b0c0d0e" trace "'}"

/* A window a trace; what has none has one, too. */
static void test_by_trace(void **state)
{
    (void)state;
    rig_open(GRAPH("{kind: session, size: 10s, by: trace}"));
    telemetry_feed(
        SPANS(TRACED("01", "11", "1") "," TRACED("02", "21", "2") "," TRACED("01", "12", "3")));
    telemetry_feed(SPANS(TRACED("02", "22", "4")));
    telemetry_feed(LOGS(TRACED_LOG("01", "5") "," LOG("6") "," TRACED_LOG("01", "7")));
    rig_drain();
    assert_int_equal(rig.n_acks, 3);
    telemetry_check("sink", 0, SPANS(TRACED("01", "11", "1") "," TRACED("01", "12", "3")));
    telemetry_check(
        "sink", 1,
        "{'resourceSpans':[{'scopeSpans':[{'spans':[" TRACED(
            "02", "21", "2") "]}]},{'scopeSpans':[{'spans':[" TRACED("02", "22", "4") "]}]}]}");
    telemetry_check("sink", 2, LOGS(TRACED_LOG("01", "5") "," TRACED_LOG("01", "7")));
    telemetry_check("sink", 3, LOGS(LOG("6")));
    rig_close();
}

static void test_freed_while_windows_are_open(void **state)
{
    (void)state;
    rig_open(GRAPH("{size: 1h}"));
    feed("a1 a4000");
    rig_wait(has_consumed);
    rig_close();
}

static bool has_consumed_or_lost(void)
{
    return has_consumed() || rig_is_settled();
}

static void test_each_request_for_memory_fails(void **state)
{
    (void)state;
    for (size_t n = 1; n < 250; n++) {
        rig_open(GRAPH("{size: 10s, by: key}"));
        feed("a1 b2 a11");
        ftri_mem_fail_at(n);
        rig_wait(has_consumed_or_lost);
        ftri_mem_fail_at(0);
        rig_drain();
        assert_int_equal(rig.n_acks + rig.n_nacks, 1);
        rig_close();
    }
}

static void test_refusals(void **state)
{
    (void)state;
    rig_refuse(GRAPH("{}"), "graph:3:", "size");
    rig_refuse(GRAPH("{size: 1s, by: attribute}"), "graph:3:", "attribute");
    rig_refuse(GRAPH("{size: 1s, attribute: a}"), "graph:3:", "attribute");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_windows),
        cmocka_unit_test(test_late_items_only),
        cmocka_unit_test(test_lateness),
        cmocka_unit_test(test_windows_by_key),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_sessions_become_one),
        cmocka_unit_test(test_arrival_time),
        cmocka_unit_test(test_a_window_waits_no_longer_than_max_wait),
        cmocka_unit_test(test_a_time_far_ahead_is_not_believed),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_parts_that_fail),
        cmocka_unit_test(test_telemetry),
        cmocka_unit_test(test_by_trace),
        cmocka_unit_test(test_freed_while_windows_are_open),
        cmocka_unit_test(test_each_request_for_memory_fails),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
