/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/attributes and processor/filter on every signal. */
#include "telemetry.h"

#define CHAIN(type, config) RIG_CHAIN("processor/" type, config)

#define SPAN(id, name, attributes, more)                                                           \
    "{'traceId':'000000000000000000000000000000" id "','spanId':'00000000000000" id                \
    "','name':'" name "','kind':1,'startTimeUnixNano':'1','endTimeUnixNano':'2'" attributes more   \
    "}"
#define SPANS(resource, spans)                                                                     \
    "{'resourceSpans':[{" resource "'scopeSpans':[{'scope':{'name':'s'},'spans':[" spans "]}]}]}"
#define RESOURCE(attributes) "'resource':{'attributes':[" attributes "]},"

static void test_attributes_of_spans(void **state)
{
    (void)state;
    rig_open(CHAIN("attributes",
                   "{actions: [{action: upsert, key: env, value: prod},"
                   "{action: delete, key: secret}, {action: insert, key: n, value: 1},"
                   "{action: update, key: never, value: x}]}"));
    telemetry_settle(
        SPANS(RESOURCE(TEXT("env", "resource")),
              SPAN("01", "a",
                   ",'attributes':[" TEXT("secret", "x") "," TEXT("env", "dev") "," INTEGER(
                       "n", "7") "," TEXT("z", "z") "]",
                   ",'events':[{'timeUnixNano':'5','name':'e'}]") "," SPAN("02", "b", "", "")));
    telemetry_check(
        "sink", 0,
        SPANS(
            RESOURCE(TEXT("env", "resource")),
            SPAN(
                "01", "a",
                ",'attributes':[" TEXT("env", "prod") "," INTEGER("n", "7") "," TEXT("z", "z") "]",
                ",'events':[{'timeUnixNano':'5','name':'e'}]") "," SPAN("02", "b",
                                                                        ",'attributes':[" TEXT(
                                                                            "env",
                                                                            "prod") "," INTEGER("n",
                                                                                                "1") "]",
                                                                        "")));
    assert_int_equal(rig_arrival("sink", 0)->n_items, 2);
    assert_int_equal(rig_account("it")->forwarded, 2);
    rig_close();
}

static void test_attributes_of_resources_and_scopes(void **state)
{
    (void)state;
    rig_open(CHAIN("attributes",
                   "{actions: [{action: insert, key: env, value: 'true', at: resource},"
                   "{action: upsert, key: on, value: true, at: scope}]}"));
    telemetry_settle(SPANS("", SPAN("01", "a", "", "")));
    telemetry_check(
        "sink", 0,
        "{'resourceSpans':[{'resource':{'attributes':[" TEXT(
            "env", "true") "]},"
                           "'scopeSpans':[{'scope':{'name':'s','attributes':[{'key':'on','value':"
                           "{'boolValue':true}}]},'spans':[" SPAN("01", "a", "", "") "]}]}]}");
    rig_close();
}

#define METRICS(points)                                                                            \
    "{'resourceMetrics':[{'scopeMetrics':[{'metrics':[{'name':'m','unit':'By','gauge':"            \
    "{'dataPoints':[" points "]}}]}]}]}"
#define POINT(value, attributes)                                                                   \
    "{'attributes':[" attributes "],'timeUnixNano':'9','asInt':'" value "'}"
#define LOGS(records) "{'resourceLogs':[{'scopeLogs':[{'logRecords':[" records "]}]}]}"
#define LOG(severity, body) "{'severityNumber':" severity ",'body':{'stringValue':'" body "'}}"

static void test_attributes_of_points_and_log_records(void **state)
{
    (void)state;
    rig_open(CHAIN("attributes", "{actions: [{action: upsert, key: half, value: 0.5}]}"));
    telemetry_settle(METRICS(POINT("0", TEXT("a", "b"))));
    telemetry_settle(LOGS("{'body':{'stringValue':'x'}}"));
    telemetry_check(
        "sink", 0,
        METRICS(POINT("0", TEXT("a", "b") ",{'key':'half','value':{'doubleValue':0.5}}")));
    telemetry_check("sink", 1,
                    LOGS("{'body':{'stringValue':'x'},'attributes':[{'key':'half','value':"
                         "{'doubleValue':0.5}}]}"));
    rig_close();
}

static void test_attributes_of_records(void **state)
{
    (void)state;
    const ftr_attribute attributes[] = {{FTR_STR("a"), ftr_value_i64(1)},
                                        {FTR_STR("b"), ftr_value_i64(2)}};
    const struct record record = {.key = FTR_STR("k"), .attributes = attributes, .n_attributes = 2};
    rig_open(CHAIN("attributes", "{actions: [{action: delete, key: a}, {action: insert, key: a, "
                                 "value: again}, {action: update, key: b, value: -3}]}"));
    rig_feed(&record, 1);
    rig_wait(rig_is_settled);
    const struct record *found = &rig_arrival("sink", 0)->records->items[0];
    assert_int_equal(found->n_attributes, 2);
    assert_int_equal(record_attribute(found, FTR_STR("b"))->as.i64, -3);
    assert_int_equal(record_attribute(found, FTR_STR("a"))->as.str.len, 5);
    rig_close();
}

static void test_attributes_refusals(void **state)
{
    (void)state;
    rig_refuse(CHAIN("attributes", "{actions: []}"), "graph:3:", "actions");
    rig_refuse(CHAIN("attributes", "{actions: [{action: set, key: a}]}"),
               "graph:3:", "insert, update");
    rig_refuse(CHAIN("attributes", "{actions: [{action: delete}]}"), "graph:3:", "key");
    rig_refuse(CHAIN("attributes", "{actions: [{action: delete, key: a, value: 1}]}"),
               "graph:3:", "a deletion has none");
    rig_refuse(CHAIN("attributes", "{actions: [{action: insert, key: a}]}"), "graph:3:", "value");
    rig_refuse(CHAIN("attributes", "{actions: [{action: delete, key: a, at: span}]}"),
               "graph:3:", "at:");
    rig_refuse(CHAIN("attributes", "{actions: [{action: delete, name: a}]}"),
               "graph:3:", "unknown key");
}

#define THREE                                                                                      \
    SPANS(RESOURCE(TEXT("tenant", "r")),                                                           \
          SPAN("01", "GET /a", ",'attributes':[" TEXT("tenant", "a") "]", "") "," SPAN(            \
              "02", "POST /b", "",                                                                 \
              ",'status':{'code':2}") "," SPAN("03", "GET /c",                                     \
                                               ",'attributes':[" INTEGER("tenant", "3") "]",       \
                                               ",'status':{'code':1}"))

/* Which of the three pass; "" when nothing arrives. */
static void check_passing(const char *config, const char *expected)
{
    char text[1024], found[16] = "";
    snprintf(text, sizeof text, CHAIN("filter", "%s"), config);
    rig_open(text);
    telemetry_settle(THREE);
    const struct rig_arrival *arrival = rig_arrival("sink", 0);
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    if (arrival)
        ftri_otlp_cursor_init(&cursor, ftri_payload_view(arrival->otlp));
    while (arrival && ftri_otlp_cursor_next(&cursor, &span))
        snprintf(found + strlen(found), sizeof found - strlen(found), "%d", span->span_id[7]);
    assert_string_equal(found, expected);
    assert_int_equal(rig_account("it")->dropped[FTR_DROP_FILTERED], 3 - strlen(expected));
    assert_int_equal(rig_account("it")->forwarded, strlen(expected));
    rig_close();
}

static void test_filter_spans(void **state)
{
    (void)state;
    check_passing("{attribute: tenant, values: [a]}", "1");
    check_passing("{attribute: tenant, values: [a, 3]}", "13");
    check_passing("{attribute: tenant, values: [r], drop: matching}", "13");
    check_passing("{attribute: tenant, matches: '^[a-c]$'}", "1");
    check_passing("{attribute: tenant, min: 3, max: 3, values: [3]}", "3");
    check_passing("{name: ^GET}", "13");
    check_passing("{name: ^GET, drop: matching}", "2");
    check_passing("{status: error}", "2");
    check_passing("{status: unset}", "1");
    check_passing("{status: ok, name: GET}", "3");
    check_passing("{attribute: none, values: [x]}", "123");
    check_passing("{attribute: none, values: [x], drop: matching}", "123");
    check_passing("{attribute: none, values: [x], required: true}", "");
    check_passing("{min_severity: error}", "123");
}

static void test_filter_log_records(void **state)
{
    (void)state;
    rig_open(CHAIN("filter", "{min_severity: warn}"));
    telemetry_settle(LOGS(LOG("9", "a") "," LOG("13", "b") "," LOG("17", "c")));
    telemetry_settle("{'resourceLogs':[{'scopeLogs':[{'logRecords':[" LOG(
        "1", "x") "]},"
                  "{'logRecords':[" LOG("21", "y") "]}]},{'scopeLogs':[{'logRecords':[" LOG(
                      "12", "z") "]}]}]}");
    telemetry_check("sink", 0, LOGS(LOG("13", "b") "," LOG("17", "c")));
    telemetry_check("sink", 1, LOGS(LOG("21", "y")));
    assert_int_equal(rig_account("it")->dropped[FTR_DROP_FILTERED], 3);
    rig_close();
}

static void test_filter_points(void **state)
{
    (void)state;
    rig_open(CHAIN("filter", "{attribute: keep, values: [true], required: true, name: m}"));
    telemetry_settle(METRICS(POINT("1", "{'key':'keep','value':{'boolValue':true}}") "," POINT(
        "2", TEXT("keep", "no"))));
    telemetry_check("sink", 0, METRICS(POINT("1", "{'key':'keep','value':{'boolValue':true}}")));
    rig_close();
}

static void test_filter_refusals(void **state)
{
    (void)state;
    rig_refuse(CHAIN("filter", "{attribute: a, matches: '('}"), "graph:3:", "matches");
    rig_refuse(CHAIN("filter", "{attribute: a, matches: '(a)\\1'}"), "graph:3:", "back references");
    rig_refuse(CHAIN("filter", "{name: '['}"), "graph:3:", "name");
    rig_refuse(CHAIN("filter", "{values: [a], name: b}"), "graph:3:", "about an attribute");
    rig_refuse(CHAIN("filter", "{attribute: a, values: []}"), "graph:3:", "values");
    rig_refuse(CHAIN("filter", "{}"), "graph:3:", "nothing to filter by");
}

static void feed_telemetry_or_not(void)
{
    telemetry_feed(SPANS("", SPAN("01", "a", ",'attributes':[" TEXT("a", "b") "]", "")));
    rig_wait(rig_is_settled);
}

/* Whichever request fails, the batch is refused retryably and nothing is lost. */
static void test_each_request_for_memory_fails(void **state)
{
    (void)state;
    static const char *const graphs[] = {
        CHAIN("filter", "{attribute: a, values: [b]}"),
        CHAIN("attributes", "{actions: [{action: upsert, key: c, value: d}]}")};
    for (size_t i = 0; i < FTRI_COUNT(graphs); i++) {
        for (size_t n = 1; n < 200; n++) {
            rig_open(graphs[i]);
            telemetry_feed(SPANS("", SPAN("01", "a", ",'attributes':[" TEXT("a", "b") "]", "")));
            ftri_mem_fail_at(n);
            rig_wait(rig_is_settled);
            ftri_mem_fail_at(0);
            const bool is_taken = rig.n_acks == 1;
            assert_true(is_taken || !rig.refusal.is_permanent);
            rig_close();
            if (is_taken)
                break;
        }
        rig_open(graphs[i]);
        feed_telemetry_or_not();
        assert_int_equal(rig.n_acks, 1);
        rig_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attributes_of_spans),
        cmocka_unit_test(test_attributes_of_resources_and_scopes),
        cmocka_unit_test(test_attributes_of_points_and_log_records),
        cmocka_unit_test(test_attributes_of_records),
        cmocka_unit_test(test_attributes_refusals),
        cmocka_unit_test(test_filter_spans),
        cmocka_unit_test(test_filter_log_records),
        cmocka_unit_test(test_filter_points),
        cmocka_unit_test(test_filter_refusals),
        cmocka_unit_test(test_each_request_for_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
