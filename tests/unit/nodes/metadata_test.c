/* SPDX-License-Identifier: Apache-2.0
 *
 * What came with a batch beside its payload: who routes by it, and that no node on the way mixes
 * the data of two or forgets whose it is. */
#include "engine/metadata.h"
#include "folder.h"
#include "telemetry.h"

/* From now on everything comes with this value; NULL: with none. */
static void come_with(const char *value)
{
    struct ftri_bytes bytes;
    ftri_payload_unref(rig.metadata);
    rig.metadata = NULL;
    if (!value)
        return;
    ftri_bytes_init(&bytes, METADATA_BYTES_MAX);
    assert_int_equal(metadata_add(&bytes, FTR_STR("customer"), ftr_str_from(value)), 0);
    rig.metadata = ftri_payload_new(&bytes);
    assert_non_null(rig.metadata);
}

static void feed(const char *key, const char *value)
{
    come_with(value);
    rig_feed_key(key);
}

/* Of the i-th batch that reached a node; NULL: it came with none. */
static void check_metadata(const char *node, size_t i, const char *expected)
{
    const struct rig_arrival *arrival = rig_arrival(node, i);
    assert_non_null(arrival);
    const ftr_str value = metadata_get(arrival->metadata, FTR_STR("customer"));
    if (!expected) {
        assert_null(arrival->metadata);
        return;
    }
    assert_int_equal(value.len, strlen(expected));
    assert_memory_equal(value.data, expected, value.len);
}

#define ROUTE(config)                                                                              \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  route: {type: processor/route, config: " config "}\n"                                       \
    "  north: {type: exporter/rig}\n"                                                              \
    "  south: {type: exporter/rig}\n"                                                              \
    "  rest: {type: exporter/rig}\n"                                                               \
    "connections:\n"                                                                               \
    "  - {from: source, to: route}\n"                                                              \
    "  - {from: 'route[\"north\"]', to: north}\n"                                                  \
    "  - {from: 'route[\"south\"]', to: south}\n"                                                  \
    "  - {from: 'route[\"rest\"]', to: rest}\n"

static void test_route_by_a_value(void **state)
{
    (void)state;
    rig_open(ROUTE("{metadata: customer, routes: {north: [1001], south: [1002, b]}, "
                   "otherwise: rest}"));
    feed("one", "1001");
    feed("two", "b");
    feed("three", "10011");
    feed("four", NULL);
    feed("five", "");
    come_with("1002");
    rig_feed_telemetry("bytes", 3);
    rig_wait(rig_is_settled);
    rig_check_keys("north", 0, "one");
    assert_null(rig_arrival("north", 1));
    rig_check_keys("south", 0, "two");
    check_metadata("south", 0, "b");
    assert_int_equal(rig_arrival("south", 1)->n_items, 3);
    rig_check_keys("rest", 0, "three");
    rig_check_keys("rest", 1, "four");
    rig_check_keys("rest", 2, "five");
    rig_close();
}

/* `expected`: of n, s, r the routes that a batch with this value takes; "": none. */
static void check_route(const char *value, const char *expected)
{
    rig_open(ROUTE("{metadata: customer, field: account, routes: {north: [1001, high], "
                   "south: [1002], rest: [none]}}"));
    feed("key", value);
    rig_wait(rig_is_settled);
    char found[4] = "";
    size_t n = 0;
    const char *nodes[] = {"north", "south", "rest"};
    for (size_t i = 0; i < FTRI_COUNT(nodes); i++)
        if (rig_arrival(nodes[i], 0))
            found[n++] = nodes[i][0];
    if (strcmp(found, expected) != 0)
        fail_msg("%s: expected '%s', found '%s'", value, expected, found);
    assert_int_equal(rig_account("route")->dropped[FTR_DROP_NO_ROUTE], expected[0] == '\0');
    assert_int_equal(rig.n_acks, 1);
    rig_close();
}

static void test_route_by_a_member(void **state)
{
    (void)state;
    check_route("{\"account\": 1001}", "n");
    check_route("{\"zone\": {\"account\": 1001}, \"account\": \"1002\", \"x\": [1, [2]]}", "s");
    check_route("{\"account\": [7, \"high\", 1001, 1002, {}]}", "ns");
    check_route("{\"account\": []}", "");
    check_route("{\"account\": null}", "");
    check_route("{\"account\": true}", "");
    check_route("{\"account\": {\"account\": 1001}}", "");
    check_route("{\"Account\": 1001}", "");
    check_route("{\"account\": 1001.0}", "");
    check_route("{}", "");
}

/* What is not one object that says it once is nobody's. */
static void test_route_by_a_member_of_what_cannot_be_trusted(void **state)
{
    (void)state;
    check_route("{\"account\": 1001, \"account\": 1002}", "");
    check_route("{\"account\": 1001, \"\\u0061ccount\": 1001}", "");
    check_route("{\"account\": 1001", "");
    check_route("{\"account\": 1001}}", "");
    check_route("{\"account\": 1001} {\"account\": 1002}", "");
    check_route("[{\"account\": 1001}]", "");
    check_route("\"account\"", "");
    check_route("1001", "");
    check_route("", "");
    check_route("{\"account\": [1001", "");
}

static void test_route_refusals(void **state)
{
    (void)state;
    rig_refuse(ROUTE("{field: a, routes: {north: [1], south: [2], rest: [3]}}"),
               "graph:3:", "metadata");
    rig_refuse(ROUTE("{metadata: a, routes: {north: [1], south: 2, rest: [3]}}"),
               "graph:3:", "list of values");
}

static void test_batch_mixes_nobody(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 2, max_delay: 1h}"));
    feed("a1", "a");
    feed("b1", "b");
    feed("none1", NULL);
    feed("b2", "b");
    feed("a2", "a");
    feed("none2", NULL);
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "b1 b2");
    check_metadata("sink", 0, "b");
    rig_check_keys("sink", 1, "a1 a2");
    check_metadata("sink", 1, "a");
    rig_check_keys("sink", 2, "none1 none2");
    check_metadata("sink", 2, NULL);
    rig_close();
}

static void test_batch_has_so_many_groups(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 2, max_delay: 1h, max_groups: 2}"));
    feed("a1", "a");
    feed("b1", "b");
    feed("c1", "c"); /* a has to go */
    feed("b2", "b");
    feed("c2", "c");
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "a1");
    rig_check_keys("sink", 1, "b1 b2");
    rig_check_keys("sink", 2, "c1 c2");
    rig_close();
}

static void test_batch_each_group_has_its_time(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 3, max_delay: 20ms}"));
    feed("a1", "a");
    feed("b1", "b");
    feed("a2", "a");
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "a1 a2");
    rig_check_keys("sink", 1, "b1");
    feed("c1", "c");
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 2, "c1");
    rig_close();
}

static void test_batch_the_shutdown_sends_every_group(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 3, max_delay: 1h}"));
    feed("a1", "a");
    feed("b1", "b");
    rig_drain();
    rig_check_keys("sink", 0, "a1");
    rig_check_keys("sink", 1, "b1");
    rig_close();
}

/* A window has items of everybody: what is merged of two customers is nobody's. */
static void test_what_was_merged_of_two_is_nobodys(void **state)
{
    (void)state;
    static const char *const values[][2] = {{"a", "a"}, {"a", "b"}, {"a", NULL}, {NULL, "b"}};
    for (size_t i = 0; i < FTRI_COUNT(values); i++) {
        rig_open(RIG_CHAIN("processor/window", "{size: 1h}"));
        feed("one", values[i][0]);
        feed("two", values[i][1]);
        rig_drain();
        rig_check_keys("sink", 0, "one two");
        check_metadata("sink", 0, i == 0 ? "a" : NULL);
        rig_close();
    }
}

static void test_what_is_made_of_a_batch_keeps_it(void **state)
{
    (void)state;
    static const char *const nodes[] = {
        RIG_CHAIN("processor/retry", "{initial_delay: 1ms}"),
        RIG_CHAIN("processor/filter", "{drop: matching, attribute: none, required: true}"),
        RIG_CHAIN("processor/delay", "{delay: 1ms}"),
    };
    for (size_t i = 0; i < FTRI_COUNT(nodes); i++) {
        rig_open(nodes[i]);
        feed("key", "a");
        rig_wait(rig_is_settled);
        check_metadata("sink", 0, "a");
        rig_close();
    }
}

static const char span[] =
    "{'resourceSpans':[{'scopeSpans':[{'spans':[{'traceId':'0102030405060708090a0b0c0d0e0f10',"
    "'spanId':'0102030405060708','name':'n','kind':0,'startTimeUnixNano':'0','endTimeUnixNano':'0'}"
    "]}]}]}";

static void open_log(const char *sink)
{
    char text[512];
    snprintf(text, sizeof text,
             "nodes:\n"
             "  source: {type: receiver/rig}\n"
             "  log: {type: processor/wal, config: {directory: %s/wal}}\n"
             "  sink: {type: exporter/rig, config: {%s}}\n"
             "connections:\n"
             "  - {from: source, to: log}\n"
             "  - {from: log, to: sink}\n",
             folder, sink);
    rig_open(text);
}

/* The first ones may meet the replay. */
static void feed_until_logged(const char *value)
{
    const size_t n_acks = rig.n_acks;
    while (rig.n_acks == n_acks) {
        come_with(value);
        telemetry_feed(span);
        rig_wait(rig_is_settled);
    }
}

static bool has_two_arrivals(void)
{
    return rig.n_arrivals >= 2;
}

static void close_log(void)
{
    rig_drain();
    rig_close();
}

static void test_the_log_keeps_it(void **state)
{
    (void)state;
    open_log("refuse: 2");
    feed_until_logged("a");
    feed_until_logged(NULL);
    rig_wait(has_two_arrivals);
    check_metadata("sink", 0, "a");
    check_metadata("sink", 1, NULL);
    close_log();
    open_log("");
    rig_wait(has_two_arrivals);
    check_metadata("sink", 0, "a");
    telemetry_check("sink", 0, span);
    check_metadata("sink", 1, NULL);
    telemetry_check("sink", 1, span);
    close_log();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_by_a_value),
        cmocka_unit_test(test_route_by_a_member),
        cmocka_unit_test(test_route_by_a_member_of_what_cannot_be_trusted),
        cmocka_unit_test(test_route_refusals),
        cmocka_unit_test(test_batch_mixes_nobody),
        cmocka_unit_test(test_batch_has_so_many_groups),
        cmocka_unit_test(test_batch_each_group_has_its_time),
        cmocka_unit_test(test_batch_the_shutdown_sends_every_group),
        cmocka_unit_test(test_what_was_merged_of_two_is_nobodys),
        cmocka_unit_test(test_what_is_made_of_a_batch_keeps_it),
        cmocka_unit_test_setup_teardown(test_the_log_keeps_it, folder_set_up, folder_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
