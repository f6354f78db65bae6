/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches that are cut, routed and looked at by where an attribute stands: processor/batch with
 * `split`, processor/route by an attribute of the resource, processor/filter with `at`; and
 * processor/forward. */
#include "telemetry.h"

#define CHAIN(type, config) RIG_CHAIN("processor/" type, config)

#define LOG(body, more) "{'body':{'stringValue':'" body "'}" more "}"
#define LOGS(records) "{'resourceLogs':[{'scopeLogs':[{'logRecords':[" records "]}]}]}"
#define OF(attributes, records)                                                                    \
    "{'resource':{'attributes':[" attributes "]},'scopeLogs':[{'logRecords':[" records "]}]}"
#define ALL(groups) "{'resourceLogs':[" groups "]}"

/* Seven in threes: 3, 3, 1. */
static void test_a_batch_is_cut_in_order(void **state)
{
    (void)state;
    rig_open(CHAIN("batch", "{max_items: 7, max_delay: 1h, split: 3}"));
    telemetry_feed(LOGS(LOG("a", "") "," LOG("b", "")));
    telemetry_settle(
        LOGS(LOG("c", "") "," LOG("d", "") "," LOG("e", "") "," LOG("f", "") "," LOG("g", "")));
    assert_int_equal(rig.n_arrivals, 3);
    telemetry_check("sink", 0,
                    ALL("{'scopeLogs':[{'logRecords':[" LOG("a", "") "," LOG(
                        "b", "") "]}]},{'scopeLogs':[{'logRecords':[" LOG("c", "") "]}]}"));
    telemetry_check("sink", 1, LOGS(LOG("d", "") "," LOG("e", "") "," LOG("f", "")));
    telemetry_check("sink", 2, LOGS(LOG("g", "")));
    assert_int_equal(rig_account("it")->forwarded, 7);
    rig_close();
}

static void test_a_batch_that_fits_is_not_cut(void **state)
{
    (void)state;
    rig_open(CHAIN("batch", "{max_items: 2, max_delay: 1h, split: 2}"));
    telemetry_settle(LOGS(LOG("a", "") "," LOG("b", "")));
    assert_int_equal(rig.n_arrivals, 1);
    rig_close();
}

static void test_records_are_cut(void **state)
{
    (void)state;
    const struct record records[] = {
        {.key = FTR_STR("a")}, {.key = FTR_STR("b")}, {.key = FTR_STR("c")}};
    rig_open(CHAIN("batch", "{max_items: 3, max_delay: 1h, split: 2}"));
    rig_feed(records, 3);
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "a b");
    rig_check_keys("sink", 1, "c");
    assert_int_equal(rig.n_acks, 1);
    rig_close();
}

#define ROUTE(config)                                                                              \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  it: {type: processor/route, config: " config "}\n"                                          \
    "  one: {type: exporter/rig}\n"                                                                \
    "  two: {type: exporter/rig}\n"                                                                \
    "connections:\n"                                                                               \
    "  - {from: source, to: it}\n"                                                                 \
    "  - {from: 'it[\"one\"]', to: one}\n"                                                         \
    "  - {from: 'it[\"two\"]', to: two}\n"

#define TENANTS                                                                                    \
    ALL(OF(TEXT("tenant", "a"), LOG("1", "") "," LOG("2", "")) "," OF(                             \
        TEXT("tenant", "b"), LOG("3", "")) "," OF(INTEGER("tenant", "7"),                          \
                                                  LOG("4", "")) "," OF("", LOG("5", "")))

static void test_routes_by_the_resource(void **state)
{
    (void)state;
    rig_open(ROUTE("{attribute: tenant, routes: {one: [a, '7']}, otherwise: two}"));
    telemetry_settle(TENANTS);
    telemetry_check("one", 0,
                    ALL(OF(TEXT("tenant", "a"), LOG("1", "") "," LOG("2", "")) "," OF(
                        INTEGER("tenant", "7"), LOG("4", ""))));
    telemetry_check(
        "two", 0,
        ALL(OF(TEXT("tenant", "b"),
               LOG("3", "")) ",{'resource':{},'scopeLogs':[{'logRecords':[" LOG("5", "") "]}]}"));
    assert_int_equal(rig.n_arrivals, 2);
    assert_int_equal(rig_account("it")->forwarded, 5);
    rig_close();
}

static void test_what_fits_no_route_is_dropped(void **state)
{
    (void)state;
    rig_open(ROUTE("{attribute: tenant, routes: {one: [b], two: [c]}}"));
    telemetry_settle(TENANTS);
    assert_int_equal(rig.n_arrivals, 1);
    assert_int_equal(rig_arrival("one", 0)->n_items, 1);
    assert_int_equal(rig_account("it")->dropped[FTR_DROP_NO_ROUTE], 4);
    rig_close();
}

static void test_refusals(void **state)
{
    (void)state;
    rig_refuse(ROUTE("{attribute: x, metadata: y, routes: {one: [b], two: [c]}}"),
               "graph:3:", "attribute and metadata: one of them decides");
}

#define LOOKED_AT                                                                                  \
    ALL(OF(TEXT("k", "v"),                                                                         \
           LOG("1", "") "," LOG(                                                                   \
               "2", ",'attributes':[" TEXT("k", "w") "]")) "," OF("",                              \
                                                                  LOG("3", ",'attributes':[" TEXT( \
                                                                               "k", "v") "]")))

/* Whether 1, 2 and 3 pass. */
static void check_filter(const char *graph, uint64_t n_passed, const char *body)
{
    rig_open(graph);
    telemetry_settle(LOOKED_AT);
    const struct rig_arrival *arrival = rig_arrival("sink", 0);
    assert_int_equal(arrival ? arrival->n_items : 0, n_passed);
    if (n_passed == 1)
        assert_non_null(memmem(ftri_payload_view(arrival->otlp).data,
                               ftri_payload_view(arrival->otlp).len, body, strlen(body)));
    rig_close();
}

static void test_where_an_attribute_stands(void **state)
{
    (void)state;
    check_filter(CHAIN("filter", "{attribute: k, values: [v], required: true}"), 2, "");
    check_filter(CHAIN("filter", "{attribute: k, values: [v], required: true, at: item}"), 1, "3");
    check_filter(CHAIN("filter", "{attribute: k, values: [v], required: true, at: resource}"), 2,
                 "");
    check_filter(CHAIN("filter",
                       "{attribute: k, values: [v], required: true, at: resource, drop: matching}"),
                 1, "3");
}

static void test_forward_passes_everything_on(void **state)
{
    (void)state;
    rig_open(CHAIN("forward", "{}"));
    telemetry_settle(LOGS(LOG("a", "")));
    rig_feed_key("b");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_arrivals, 2);
    telemetry_check("sink", 0, LOGS(LOG("a", "")));
    assert_int_equal(rig_account("it")->forwarded, 2);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_is_cut_in_order),
        cmocka_unit_test(test_a_batch_that_fits_is_not_cut),
        cmocka_unit_test(test_records_are_cut),
        cmocka_unit_test(test_routes_by_the_resource),
        cmocka_unit_test(test_what_fits_no_route_is_dropped),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_where_an_attribute_stands),
        cmocka_unit_test(test_forward_passes_everything_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
