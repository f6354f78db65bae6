/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans as Jaeger's legacy JSON. The expected texts follow the fields and types of Jaeger's
 * internal/uimodel and of its test fixture otlp2jaeger-out.json; numbers are worked out by hand. */
#include "api/jaeger_model.h"

#include "base/mem.h"
#include "codec/json_writer.h"
#include "otlp/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SPANS_MAX = 8 };

#define TRACE "0102030405060708090a0b0c0d0e0f10"

/* OTLP JSON to spans; bytes must stay. */
static size_t read_spans(const char *json, struct ftri_bytes *bytes, struct ftri_otlp_span *spans)
{
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    ftri_bytes_init(bytes, 1 << 20);
    const int r =
        ftri_otlp_traces_from_json(ftri_view_of(json, strlen(json)), bytes, &counts, &error);
    if (r < 0)
        fail_msg("%s: %s", error.path, error.reason);
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    size_t n = 0;
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(bytes));
    while (n < SPANS_MAX && ftri_otlp_cursor_next(&cursor, &span))
        spans[n++] = *span;
    return n;
}

static int write(const char *json, const char *warning, struct ftri_bytes *out)
{
    struct ftri_bytes bytes;
    struct ftri_otlp_span spans[SPANS_MAX];
    const size_t n = read_spans(json, &bytes, spans);
    struct ftri_json_writer writer;
    ftri_bytes_init(out, 1 << 20);
    ftri_json_writer_init(&writer, out);
    int r = jaeger_write_trace(&writer, spans, n, warning);
    if (r == 0)
        r = ftri_json_writer_status(&writer);
    ftri_bytes_deinit(&bytes);
    return r;
}

static void expect(const char *json, const char *warning, const char *expected)
{
    struct ftri_bytes out;
    assert_int_equal(write(json, warning, &out), 0);
    assert_int_equal(ftri_bytes_append_char(&out, '\0'), 0);
    assert_string_equal((const char *)out.data, expected);
    ftri_bytes_deinit(&out);
}

/* Jaeger's fixture: the one span of it, with the ids and times it has there. */
static void test_as_jaegers_fixture(void **state)
{
    (void)state;
    expect("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
           "{\"stringValue\":\"telemetrygen\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":"
           "\"telemetrygen\"},\"spans\":[{\"traceId\":\"83a9efd15c1c98a977e0711cc93ee28b\","
           "\"spanId\":\"e127af99e3b3e074\",\"parentSpanId\":\"909541b92cf05311\",\"name\":"
           "\"okey-dokey-0\",\"kind\":2,\"startTimeUnixNano\":\"1706678909209712000\","
           "\"endTimeUnixNano\":\"1706678909209835000\",\"attributes\":[{\"key\":\"net.peer.ip\","
           "\"value\":{\"stringValue\":\"1.2.3.4\"}},{\"key\":\"peer.service\",\"value\":"
           "{\"stringValue\":\"telemetrygen-client\"}}],\"status\":{}}]}]}]}",
           NULL,
           "{\"traceID\":\"83a9efd15c1c98a977e0711cc93ee28b\",\"spans\":[{\"traceID\":"
           "\"83a9efd15c1c98a977e0711cc93ee28b\",\"spanID\":\"e127af99e3b3e074\","
           "\"operationName\":\"okey-dokey-0\",\"references\":[{\"refType\":\"CHILD_OF\","
           "\"traceID\":\"83a9efd15c1c98a977e0711cc93ee28b\",\"spanID\":\"909541b92cf05311\"}],"
           "\"startTime\":1706678909209712,\"duration\":123,\"tags\":[{\"key\":"
           "\"otel.scope.name\",\"type\":\"string\",\"value\":\"telemetrygen\"},{\"key\":"
           "\"net.peer.ip\",\"type\":\"string\",\"value\":\"1.2.3.4\"},{\"key\":\"peer.service\","
           "\"type\":\"string\",\"value\":\"telemetrygen-client\"},{\"key\":\"span.kind\","
           "\"type\":\"string\",\"value\":\"server\"}],\"logs\":[],\"processID\":\"p1\","
           "\"warnings\":null}],\"processes\":{\"p1\":{\"serviceName\":\"telemetrygen\","
           "\"tags\":[]}},\"warnings\":null}");
}

/* One span around `fields`, which begin with a comma. */
#define SPAN(fields)                                                                               \
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE                       \
    "\",\"spanId\":\"00000000000000a1\",\"name\":\"n\",\"startTimeUnixNano\":\"2000999\","         \
    "\"endTimeUnixNano\":\"5000998\"" fields "}]}]}]}"
#define EXPECTED(flags, references, tags, logs, warnings)                                          \
    "{\"traceID\":\"" TRACE "\",\"spans\":[{\"traceID\":\"" TRACE                                  \
    "\",\"spanID\":\"00000000000000a1\"," flags                                                    \
    "\"operationName\":\"n\",\"references\":[" references                                          \
    "],\"startTime\":2000,\"duration\":2999,\"tags\":[" tags "],\"logs\":[" logs                   \
    "],\"processID\":\"p1\",\"warnings\":" warnings                                                \
    "}],\"processes\":{\"p1\":{\"serviceName\":\"unknown_service\",\"tags\":[]}},"                 \
    "\"warnings\":null}"

/* 2^53 - 1 is the last integer a double counts to; 2^53 is a text. "AP8=": bytes 00 ff. */
static void test_values_of_every_type(void **state)
{
    (void)state;
    expect(SPAN(",\"attributes\":["
                "{\"key\":\"s\",\"value\":{\"stringValue\":\"\xc3\xa9\\\"\xf0\x9f\x98\x80\"}},"
                "{\"key\":\"b\",\"value\":{\"boolValue\":false}},"
                "{\"key\":\"i\",\"value\":{\"intValue\":\"-9007199254740991\"}},"
                "{\"key\":\"big\",\"value\":{\"intValue\":\"9007199254740992\"}},"
                "{\"key\":\"f\",\"value\":{\"doubleValue\":0.5}},"
                "{\"key\":\"nan\",\"value\":{\"doubleValue\":\"NaN\"}},"
                "{\"key\":\"x\",\"value\":{\"bytesValue\":\"AP8=\"}},"
                "{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},"
                "{\"stringValue\":\"t\"},{}]}}},"
                "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":"
                "{\"boolValue\":true}}]}}},"
                "{\"key\":\"e\",\"value\":{}}]"),
           NULL,
           EXPECTED("", "",
                    "{\"key\":\"s\",\"type\":\"string\",\"value\":"
                    "\"\xc3\xa9\\\"\xf0\x9f\x98\x80\"},"
                    "{\"key\":\"b\",\"type\":\"bool\",\"value\":false},"
                    "{\"key\":\"i\",\"type\":\"int64\",\"value\":-9007199254740991},"
                    "{\"key\":\"big\",\"type\":\"int64\",\"value\":\"9007199254740992\"},"
                    "{\"key\":\"f\",\"type\":\"float64\",\"value\":0.5},"
                    "{\"key\":\"nan\",\"type\":\"float64\",\"value\":\"NaN\"},"
                    "{\"key\":\"x\",\"type\":\"binary\",\"value\":\"AP8=\"},"
                    "{\"key\":\"a\",\"type\":\"string\",\"value\":\"[1,\\\"t\\\",null]\"},"
                    "{\"key\":\"m\",\"type\":\"string\",\"value\":\"{\\\"k\\\":true}\"},"
                    "{\"key\":\"e\",\"type\":\"string\",\"value\":\"\"}",
                    "", "null"));
}

static void test_status_kind_flags_and_tracestate(void **state)
{
    (void)state;
    expect(SPAN(",\"kind\":5,\"flags\":769,\"traceState\":\"a=b\","
                "\"status\":{\"code\":2,\"message\":\"boom\"}"),
           NULL,
           EXPECTED("\"flags\":1,", "",
                    "{\"key\":\"span.kind\",\"type\":\"string\",\"value\":\"consumer\"},"
                    "{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"ERROR\"},"
                    "{\"key\":\"error\",\"type\":\"bool\",\"value\":true},"
                    "{\"key\":\"otel.status_description\",\"type\":\"string\",\"value\":\"boom\"},"
                    "{\"key\":\"w3c.tracestate\",\"type\":\"string\",\"value\":\"a=b\"}",
                    "", "null"));
    expect(SPAN(",\"status\":{\"code\":1}"), NULL,
           EXPECTED("", "", "{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"OK\"}",
                    "", "null"));
}

#define OTHER "1112131415161718191a1b1c1d1e1f20"

static void test_the_parent_then_links(void **state)
{
    (void)state;
    expect(SPAN(",\"parentSpanId\":\"00000000000000a0\",\"links\":["
                "{\"traceId\":\"" OTHER "\",\"spanId\":\"00000000000000b1\"},"
                "{\"traceId\":\"" OTHER "\",\"spanId\":\"00000000000000b2\",\"attributes\":["
                "{\"key\":\"opentracing.ref_type\",\"value\":{\"stringValue\":\"child_of\"}}]}]"),
           NULL,
           EXPECTED("",
                    "{\"refType\":\"CHILD_OF\",\"traceID\":\"" TRACE
                    "\",\"spanID\":\"00000000000000a0\"},"
                    "{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"" OTHER
                    "\",\"spanID\":\"00000000000000b1\"},"
                    "{\"refType\":\"CHILD_OF\",\"traceID\":\"" OTHER
                    "\",\"spanID\":\"00000000000000b2\"}",
                    "", "", "null"));
}

static void test_events_are_logs_in_microseconds(void **state)
{
    (void)state;
    expect(SPAN(",\"events\":[{\"timeUnixNano\":\"3999999\",\"name\":\"retry\",\"attributes\":["
                "{\"key\":\"n\",\"value\":{\"intValue\":\"2\"}}]},"
                "{\"timeUnixNano\":\"4000000\",\"name\":\"kept out\",\"attributes\":["
                "{\"key\":\"event\",\"value\":{\"stringValue\":\"own\"}}]}]"),
           NULL,
           EXPECTED("", "", "",
                    "{\"timestamp\":3999,\"fields\":[{\"key\":\"event\",\"type\":\"string\","
                    "\"value\":\"retry\"},{\"key\":\"n\",\"type\":\"int64\",\"value\":2}]},"
                    "{\"timestamp\":4000,\"fields\":[{\"key\":\"event\",\"type\":\"string\","
                    "\"value\":\"own\"}]}",
                    "null"));
}

static void test_warnings_of_a_span(void **state)
{
    (void)state;
    expect(SPAN(",\"droppedAttributesCount\":3,\"droppedEventsCount\":2,\"droppedLinksCount\":1"),
           NULL,
           EXPECTED("", "", "", "",
                    "[\"3 attributes were dropped by the sender\",\"2 events were dropped by the "
                    "sender\",\"1 links were dropped by the sender\"]"));
}

/* A span: its id's last digit, its start and end in ns. */
#define STEP(id, start, end)                                                                       \
    "{\"traceId\":\"" TRACE "\",\"spanId\":\"000000000000000" id "\",\"name\":\"n\","              \
    "\"startTimeUnixNano\":\"" start "\",\"endTimeUnixNano\":\"" end "\"}"
#define RESOURCE(service, host, span)                                                              \
    "{\"resource\":{\"attributes\":[{\"key\":\"host\",\"value\":{\"stringValue\":\"" host          \
    "\"}},{\"key\":\"service.name\",\"value\":{\"stringValue\":\"" service                         \
    "\"}}]},\"scopeSpans\":[{\"spans\":[" span "]}]}"
#define EXPECTED_STEP(id, times, process, warnings)                                                \
    "{\"traceID\":\"" TRACE "\",\"spanID\":\"000000000000000" id                                   \
    "\",\"operationName\":\"n\",\"references\":[]," times ",\"tags\":[],\"logs\":[],"              \
    "\"processID\":\"" process "\",\"warnings\":" warnings "}"
#define EXPECTED_PROCESS(id, service, host)                                                        \
    "\"" id "\":{\"serviceName\":\"" service "\",\"tags\":[{\"key\":\"host\",\"type\":\"string\"," \
    "\"value\":\"" host "\"}]}"

#define GIVEN_1 RESOURCE("a", "h1", STEP("1", "1000", "2000"))
#define GIVEN_2 RESOURCE("b", "h1", STEP("2", "1000", "0"))
#define GIVEN_3 RESOURCE("a", "h1", STEP("3", "9000", "1000"))
#define GIVEN_4 RESOURCE("a", "h2", STEP("4", "1000", "1000"))
#define TIMES(start, duration) "\"startTime\":" start ",\"duration\":" duration
#define STEP_1 EXPECTED_STEP("1", TIMES("1", "1"), "p1", "null")
#define STEP_2 EXPECTED_STEP("2", TIMES("1", "0"), "p2", "[\"the span has not ended\"]")
#define STEP_3 EXPECTED_STEP("3", TIMES("9", "0"), "p1", "[\"the span ends before it starts\"]")
#define STEP_4 EXPECTED_STEP("4", TIMES("1", "0"), "p3", "null")
#define PROCESS_1 EXPECTED_PROCESS("p1", "a", "h1")
#define PROCESS_2 EXPECTED_PROCESS("p2", "b", "h1")
#define PROCESS_3 EXPECTED_PROCESS("p3", "a", "h2")

/* A process for each resource, also when two have one service; unfinished and reversed spans last
 * 0. */
static void test_processes_and_odd_times(void **state)
{
    (void)state;
    static const char given[] =
        "{\"resourceSpans\":[" GIVEN_1 "," GIVEN_2 "," GIVEN_3 "," GIVEN_4 "]}";
    static const char expected[] = "{\"traceID\":\"" TRACE "\",\"spans\":[" STEP_1 "," STEP_2
                                   "," STEP_3 "," STEP_4 "],\"processes\":{" PROCESS_1 "," PROCESS_2
                                   "," PROCESS_3 "},\"warnings\":[\"only a part\"]}";
    expect(given, "only a part", expected);
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    static const char json[] =
        SPAN(",\"attributes\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":["
             "{\"intValue\":\"1\"}]}}}]");
    struct ftri_bytes bytes, out;
    struct ftri_otlp_span spans[SPANS_MAX];
    const size_t n = read_spans(json, &bytes, spans);
    int r = -ENOMEM;
    for (uint64_t i = 1; r == -ENOMEM; i++) {
        struct ftri_json_writer writer;
        ftri_bytes_init(&out, 1 << 20);
        ftri_json_writer_init(&writer, &out);
        ftri_mem_fail_at(i);
        r = jaeger_write_trace(&writer, spans, n, NULL);
        if (r == 0)
            r = ftri_json_writer_status(&writer);
        ftri_mem_fail_at(0);
        ftri_bytes_deinit(&out);
        assert_true(i < 100);
    }
    assert_int_equal(r, 0);
    ftri_bytes_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_jaegers_fixture),
        cmocka_unit_test(test_values_of_every_type),
        cmocka_unit_test(test_status_kind_flags_and_tracestate),
        cmocka_unit_test(test_the_parent_then_links),
        cmocka_unit_test(test_events_are_logs_in_microseconds),
        cmocka_unit_test(test_warnings_of_a_span),
        cmocka_unit_test(test_processes_and_odd_times),
        cmocka_unit_test(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
