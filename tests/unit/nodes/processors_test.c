/* SPDX-License-Identifier: Apache-2.0
 *
 * route, filter, parse and batch in a graph. SHA-256 values: FIPS 180-4's examples (NIST's "SHA256"
 * example file); gzip bytes: gzip 1.12. */
#include "codec/gzip.h"
#include "rig.h"

#define ROUTE(config)                                                                              \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  route: {type: processor/route, config: " config "}\n"                                       \
    "  logs: {type: exporter/rig}\n"                                                               \
    "  packed: {type: exporter/rig}\n"                                                             \
    "  rest: {type: exporter/rig}\n"                                                               \
    "connections:\n"                                                                               \
    "  - {from: source, to: route}\n"                                                              \
    "  - {from: 'route[\"logs\"]', to: logs}\n"                                                    \
    "  - {from: 'route[\"packed\"]', to: packed}\n"                                                \
    "  - {from: 'route[\"rest\"]', to: rest}\n"

static void feed_four(void)
{
    const struct record records[] = {{.key = FTR_STR("a.log")},
                                     {.key = FTR_STR("b.xz")},
                                     {.key = FTR_STR("c")},
                                     {.key = FTR_STR("d.log")}};
    rig_feed(records, 4);
    rig_wait(rig_is_settled);
}

static void test_route_splits_by_ending(void **state)
{
    (void)state;
    rig_open(ROUTE("{routes: {logs: [.log], packed: [.gz, .xz]}, otherwise: rest}"));
    feed_four();
    rig_check_keys("logs", 0, "a.log d.log");
    rig_check_keys("packed", 0, "b.xz");
    rig_check_keys("rest", 0, "c");
    assert_int_equal(rig.n_arrivals, 3);
    assert_int_equal(rig.n_acks, 1);
    rig_close();
}

static void test_route_the_order_of_routes_decides(void **state)
{
    (void)state;
    rig_open(ROUTE("{routes: {rest: [x.log], logs: [.log], packed: [.gz]}}"));
    rig_feed_key("x.log");
    rig_wait(rig_is_settled);
    rig_check_keys("rest", 0, "x.log");
    assert_int_equal(rig.n_arrivals, 1);
    rig_close();
}

static void test_route_drops_what_fits_nothing(void **state)
{
    (void)state;
    rig_open(ROUTE("{routes: {logs: [.log], packed: [.gz], rest: [.never]}}"));
    feed_four();
    rig_check_keys("logs", 0, "a.log d.log");
    assert_int_equal(rig.n_arrivals, 1);
    assert_int_equal(rig_account("route")->dropped[FTR_DROP_NO_ROUTE], 2);
    rig_feed_key("nothing of it");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 2);
    assert_int_equal(rig_account("route")->dropped[FTR_DROP_NO_ROUTE], 3);
    rig_close();
}

static void test_route_refusals(void **state)
{
    (void)state;
    rig_refuse(ROUTE("{routes: {logs: [.log], packed: .gz, rest: [a]}}"), "graph:3:", "packed");
    rig_refuse(ROUTE("{routes: {logs: [.log], packed: [''], rest: [a]}}"), "graph:3:", "packed");
    rig_refuse(ROUTE("{routes: {logs: [.log], packed: [[.gz]], rest: [a]}}"), "graph:3:", "packed");
    rig_refuse(ROUTE("{routes: {logs: [.log], packed: [], rest: [a]}}"), "graph:3:", "packed");
    rig_refuse(ROUTE("{routes: {logs: [.log], packed: [b], rest: [a]}, otherwise: rest}"),
               "graph:3:", "otherwise");
    rig_refuse(ROUTE("{routes: [logs]}"), "graph:3:", "routes");
    rig_refuse(ROUTE("{routes: {}}"), "graph:3:", "routes");
    rig_refuse(ROUTE("{}"), "graph:3:", "routes");
}

static struct record sized(const char *key, ftr_attribute *attribute, ftr_value value)
{
    *attribute = (ftr_attribute){FTR_STR("size"), value};
    return (struct record){.key = ftr_str_from(key), .attributes = attribute, .n_attributes = 1};
}

static void test_filter_bounds(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/filter", "{attribute: size, min: 10, max: 20}"));
    ftr_attribute a[6];
    const struct record records[] = {
        sized("below", &a[0], ftr_value_i64(9)),           sized("least", &a[1], ftr_value_i64(10)),
        sized("most", &a[2], ftr_value_i64(20)),           sized("above", &a[3], ftr_value_i64(21)),
        sized("negative", &a[4], ftr_value_i64(-15)),      {.key = FTR_STR("without")},
        sized("text", &a[5], ftr_value_str(FTR_STR("5"))),
    };
    rig_feed(records, FTRI_COUNT(records));
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "least most without text");
    assert_int_equal(rig_account("it")->dropped[FTR_DROP_FILTERED], 3);
    rig_feed(records, 1); /* nothing is left of it */
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 2);
    assert_int_equal(rig.n_arrivals, 1);
    rig_close();
    rig_refuse(RIG_CHAIN("processor/filter", "{attribute: size, min: 2, max: 1}"),
               "graph:3:", "min is greater than max");
    rig_refuse(RIG_CHAIN("processor/filter", "{min: 2}"), "graph:3:", "attribute");
}

static void check_text(const struct record *record, const char *key, const char *expected)
{
    const ftr_value *value = record_attribute(record, ftr_str_from(key));
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_STR);
    assert_int_equal(value->as.str.len, strlen(expected));
    assert_memory_equal(value->as.str.data, expected, strlen(expected));
}

static void check_number(const struct record *record, const char *key, int64_t expected)
{
    const ftr_value *value = record_attribute(record, ftr_str_from(key));
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_I64);
    assert_int_equal(value->as.i64, expected);
}

static void test_parse_text(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/parse", "{}"));
    const struct record records[] = {
        {.key = FTR_STR("one"), .value = FTR_STR("abc"), .event_time_ns = 7},
        {.key = FTR_STR("empty")},
        {.key = FTR_STR("two"),
         .value = FTR_STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")},
        {.key = FTR_STR("lines"), .value = FTR_STR("a\nb\nc")},
    };
    rig_feed(records, FTRI_COUNT(records));
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "one empty two lines");
    const struct record *out = rig_arrival("sink", 0)->records->items;
    check_text(&out[0], "sha256",
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_text(&out[1], "sha256",
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_text(&out[2], "sha256",
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_text(&out[0], "kind", "text");
    check_number(&out[0], "size", 3);
    check_number(&out[1], "size", 0);
    check_number(&out[1], "lines", 0);
    check_number(&out[3], "lines", 2);
    assert_int_equal(out[0].event_time_ns, 7);
    assert_int_equal(out[0].value.len, 0);
    rig_close();
}

static void test_parse_package_log(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/parse", "{kind: package_log}"));
    const struct record record = {.key = FTR_STR("dpkg.log"),
                                  .value =
                                      FTR_STR("2026-01-02 03:04:05 install a:amd64 <none> 1\n"
                                              "2026-01-02 03:04:05 status installed a:amd64 1\n"
                                              "2026-01-02 03:04:06 install b:amd64 <none> 1\n"
                                              "2026-01-02 03:04:07 remove a:amd64 1 <none>\n")};
    rig_feed(&record, 1);
    rig_wait(rig_is_settled);
    const struct record *out = rig_arrival("sink", 0)->records->items;
    check_number(out, "lines", 4);
    check_number(out, "installs", 2);
    check_number(out, "removals", 1);
    rig_close();
}

static void test_parse_gzip(void **state)
{
    (void)state;
    /* printf 'a\nb\n' | gzip -n */
    static const char packed[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\xe4\x4a\xe2\x02\0"
                                 "\x97\x2a\x57\x18\x04\0\0\0";
    static uint8_t zeros[1 << 20];
    struct ftri_bytes bomb;
    ftri_bytes_init(&bomb, 1 << 20);
    assert_int_equal(ftri_gzip(ftri_view_of(zeros, sizeof zeros), 9, &bomb), 0);
    rig_open(RIG_CHAIN("processor/parse", "{kind: gzip, max_unpacked: 64KiB}"));
    const struct record records[] = {
        {.key = FTR_STR("good"), .value = {packed, sizeof packed - 1}},
        {.key = FTR_STR("cut"), .value = {packed, sizeof packed - 2}},
        {.key = FTR_STR("none"), .value = FTR_STR("plain text")},
        {.key = FTR_STR("empty")},
        {.key = FTR_STR("bomb"), .value = ftri_view_str(ftri_bytes_view(&bomb))},
    };
    rig_feed(records, FTRI_COUNT(records));
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "good cut none empty bomb");
    const struct record *out = rig_arrival("sink", 0)->records->items;
    check_number(&out[0], "lines", 2);
    check_number(&out[0], "unpacked_size", 4);
    assert_null(record_attribute(&out[0], FTR_STR("error")));
    for (size_t i = 1; i < 4; i++)
        check_text(&out[i], "error", "not a gzip file");
    check_text(&out[4], "error", "the unpacked content is too large");
    assert_null(record_attribute(&out[4], FTR_STR("lines")));
    rig_close();
    ftri_bytes_deinit(&bomb);
}

static void test_batch_sends_when_full(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 3, max_delay: 1h}"));
    rig_feed_key("a");
    rig_feed_key("b");
    assert_int_equal(rig.n_arrivals, 0);
    rig_feed_key("c");
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "a b c");
    assert_int_equal(rig.n_arrivals, 1);
    assert_int_equal(rig.n_acks, 3);
    rig_close();
}

static void test_batch_sends_after_its_delay(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 100, max_delay: 5ms}"));
    const uint64_t start_ns = ftri_time_monotonic_ns();
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 0, "a");
    assert_true(rig_arrival("sink", 0)->at_ns - start_ns >= 4 * FTRI_NS_PER_MS);
    rig_feed_key("b"); /* the timer runs again */
    rig_wait(rig_is_settled);
    rig_check_keys("sink", 1, "b");
    rig_close();
}

static void test_batch_sends_at_the_shutdown(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 100, max_delay: 1h}"));
    rig_feed_key("a");
    rig_feed_key("b");
    rig_drain();
    rig_check_keys("sink", 0, "a b");
    assert_int_equal(rig.n_acks, 2);
    rig_close();
}

static void test_batch_keeps_kinds_apart(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 2, max_delay: 1h}"));
    rig_feed_key("a");
    rig_feed_telemetry("\x0a\x00", 1);
    rig_feed_telemetry("\x0a\x00", 1);
    rig_feed_key("b");
    rig_wait(rig_is_settled);
    assert_null(rig_arrival("sink", 0)->records);
    assert_int_equal(rig_arrival("sink", 0)->n_items, 2);
    rig_check_keys("sink", 1, "a b");
    assert_int_equal(rig.n_acks, 4);
    rig_close();
}

/* TracesData after TracesData is the two joined (protobuf: repeated fields are concatenated). */
static void test_batch_joins_telemetry(void **state)
{
    (void)state;
    rig_open(RIG_CHAIN("processor/batch", "{max_items: 5}"));
    rig_feed_telemetry("one;", 2);
    rig_feed_telemetry("two;", 3);
    rig_wait(rig_is_settled);
    const struct ftri_view joined = ftri_payload_view(rig_arrival("sink", 0)->otlp);
    assert_int_equal(joined.len, 8);
    assert_memory_equal(joined.data, "one;two;", 8);
    assert_int_equal(rig_arrival("sink", 0)->n_items, 5);
    rig_close();
}

static void test_batch_when_a_part_is_refused(void **state)
{
    (void)state;
    rig_open("nodes:\n"
             "  source: {type: receiver/rig}\n"
             "  it: {type: processor/batch, config: {max_items: 2}}\n"
             "  sink: {type: exporter/rig, config: {refuse: 1, permanent: true}}\n"
             "connections:\n"
             "  - {from: source, to: it}\n"
             "  - {from: it, to: sink}\n");
    rig_feed_key("a");
    rig_feed_key("b");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_nacks, 2);
    assert_true(rig.refusal.is_permanent);
    assert_string_equal(rig.refusal.reason, "told to");
    rig_close();
}

static const char *const short_memory_graph =
    "nodes:\n"
    "  source: {type: receiver/rig}\n"
    "  route: {type: processor/route, config: {routes: {a: [a], b: [b]}}}\n"
    "  parse: {type: processor/parse, config: {kind: gzip}}\n"
    "  filter: {type: processor/filter, config: {attribute: size, min: 2}}\n"
    "  batch: {type: processor/batch, config: {max_items: 4}}\n"
    "  retry: {type: processor/retry, config: {initial_delay: 1ms, max_delay: 1ms,"
    " max_elapsed: 5ms}}\n"
    "  sink: {type: exporter/rig}\n"
    "  beside: {type: exporter/rig}\n"
    "connections:\n"
    "  - {from: source, to: route}\n"
    "  - {from: 'route[\"a\"]', to: parse}\n"
    "  - {from: 'route[\"b\"]', to: beside}\n"
    "  - {from: parse, to: filter}\n"
    "  - {from: filter, to: batch}\n"
    "  - {from: batch, to: retry}\n"
    "  - {from: retry, to: sink}\n";

/* Whichever request fails: every input has one outcome, and the accounts hold. */
static void test_short_memory_everywhere(void **state)
{
    (void)state;
    const struct record records[] = {{.key = FTR_STR("1a"), .value = FTR_STR("xx")},
                                     {.key = FTR_STR("2b"), .value = FTR_STR("xx")},
                                     {.key = FTR_STR("3a"), .value = FTR_STR("yy")}};
    bool has_run_out = false;
    for (uint64_t n = 1; !has_run_out; n++) {
        rig_open(short_memory_graph);
        rig_feed(records, 3);
        rig_feed(records, 3);
        ftri_mem_fail_at(n);
        rig_wait(rig_is_settled);
        has_run_out = ftri_mem_requests() < n;
        ftri_mem_fail_at(0);
        assert_true(!has_run_out || rig.n_acks == 2);
        rig_close();
    }
}

/* Found in review: a null pointer was read. */
static void test_telemetry_sent_to_nodes_of_records(void **state)
{
    (void)state;
    static const char *const graphs[] = {
        RIG_CHAIN("processor/parse", "{}"),
        RIG_CHAIN("processor/route", "{routes: {out: [x]}}"),
    };
    for (size_t i = 0; i < FTRI_COUNT(graphs); i++) {
        rig_open(graphs[i]);
        rig_feed_telemetry("\x0a\x00", 1);
        rig_wait(rig_is_settled);
        assert_int_equal(rig.n_nacks, 1);
        assert_true(rig.refusal.is_permanent);
        assert_non_null(strstr(rig.refusal.reason, "records"));
        rig_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_splits_by_ending),
        cmocka_unit_test(test_route_the_order_of_routes_decides),
        cmocka_unit_test(test_route_drops_what_fits_nothing),
        cmocka_unit_test(test_route_refusals),
        cmocka_unit_test(test_filter_bounds),
        cmocka_unit_test(test_parse_text),
        cmocka_unit_test(test_parse_package_log),
        cmocka_unit_test(test_parse_gzip),
        cmocka_unit_test(test_batch_sends_when_full),
        cmocka_unit_test(test_batch_sends_after_its_delay),
        cmocka_unit_test(test_batch_sends_at_the_shutdown),
        cmocka_unit_test(test_batch_keeps_kinds_apart),
        cmocka_unit_test(test_batch_joins_telemetry),
        cmocka_unit_test(test_batch_when_a_part_is_refused),
        cmocka_unit_test(test_short_memory_everywhere),
        cmocka_unit_test(test_telemetry_sent_to_nodes_of_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
