/* SPDX-License-Identifier: Apache-2.0
 *
 * Logs and metrics: what is refused and how the place is named, what is counted, and which log
 * records become which events. Random requests are compared with Google's protobuf in
 * tests/otlp/differential.py. Requests are put together by hand from the field numbers of
 * logs.proto and metrics.proto. */
#include "base/mem.h"
#include "codec/wire.h"
#include "otlp/json.h"
#include "otlp/log_events.h"
#include "otlp/signals.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TRACE_ID "\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c"
#define SPAN_ID "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74"

static void put(struct ftri_bytes *out, uint32_t number, const void *data, size_t len)
{
    assert_int_equal(ftri_wire_put_bytes(out, number, ftri_view_of(data, len)), 0);
}

static void put_text(struct ftri_bytes *out, uint32_t number, const char *text)
{
    put(out, number, text, strlen(text));
}

static size_t begin(struct ftri_bytes *out, uint32_t number)
{
    size_t mark;
    assert_int_equal(ftri_wire_begin(out, number, &mark), 0);
    return mark;
}

static void end(struct ftri_bytes *out, size_t mark)
{
    assert_int_equal(ftri_wire_end(out, mark), 0);
}

/* Puts `message` into field numbers[0] of a message that is in field numbers[1] of ...; 0 ends. */
static void put_nested(struct ftri_bytes *out, const uint32_t *numbers, const void *message,
                       size_t len)
{
    size_t marks[8], n = 0;
    for (; numbers[n + 1]; n++)
        marks[n] = begin(out, numbers[n]);
    put(out, numbers[n], message, len);
    while (n)
        end(out, marks[--n]);
}

/* --- what is wrong ------------------------------------------------------------------------- */

struct wrong {
    const char *bytes;
    size_t len;
    const char *path, *reason;
};

typedef int check_request(struct ftri_view bytes, const struct ftri_otlp_limits *limits,
                          size_t *ret_n, struct ftri_otlp_error *error);

static void check_wrong(check_request *check, const uint32_t *numbers, const struct wrong *wrong)
{
    struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_error error = {0};
    size_t n = 77;
    ftri_bytes_init(&request, 1 << 16);
    put_nested(&request, numbers, wrong->bytes, wrong->len);
    const int r = check(ftri_bytes_view(&request), &ftri_otlp_unlimited, &n, &error);
    if (r != -EBADMSG || strcmp(error.path, wrong->path) != 0 ||
        strcmp(error.reason, wrong->reason) != 0 || error.offset > request.len || n != 77)
        fail_msg("%s: %d %s: %s", wrong->path, r, error.path, error.reason);
}

static void test_wrong_log_records_are_named(void **state)
{
    (void)state;
#define PLACE "resourceLogs[0].scopeLogs[0].logRecords[0]"
    static const struct wrong cases[] = {
        {"\x08\x01", 2, PLACE ".timeUnixNano", "wrong wire type"},
        {"\x09\x01", 2, PLACE ".timeUnixNano", "cut off"},
        {"\x10\xff", 2, PLACE ".severityNumber", "malformed varint"},
        {"\x1a\x01\xff", 3, PLACE ".severityText", "invalid UTF-8"},
        {"\x2a\x03\x0a\x01\xff", 5, PLACE ".body.stringValue", "invalid UTF-8"},
        {"\x32\x00\x32\x03\x0a\x01\xff", 7, PLACE ".attributes[1].key", "invalid UTF-8"},
        {"\x32\x07\x0a\x01k\x12\x02\x20\x01", 9, PLACE ".attributes[0].value.doubleValue",
         "wrong wire type"},
        {"\x3d\x01\x01\x01\x01", 5, PLACE ".droppedAttributesCount", "wrong wire type"},
        {"\x40\x01", 2, PLACE ".flags", "wrong wire type"},
        {"\x48\x01", 2, PLACE ".traceId", "wrong wire type"},
        {"\x52\x09x", 3, PLACE ".spanId", "length goes beyond the end of the message"},
        {"\x5a\x01x", 3, PLACE ".observedTimeUnixNano", "wrong wire type"},
        {"\x62\x02\xc3(", 4, PLACE ".eventName", "invalid UTF-8"},
        {"\x9b\x06", 2, PLACE, "group or unknown wire type"},
        {"\x02\x00", 2, PLACE, "field number 0"},
        {"\x80", 1, PLACE, "malformed field tag"},
    };
#undef PLACE
    for (size_t i = 0; i < FTRI_COUNT(cases); i++)
        check_wrong(ftri_otlp_logs_check, (const uint32_t[]){1, 2, 2, 0}, &cases[i]);
}

static void test_wrong_data_points_are_named(void **state)
{
    (void)state;
#define PLACE "resourceMetrics[0].scopeMetrics[0].metrics[0]"
    static const struct {
        uint32_t data; /* gauge 5, sum 7, histogram 9, exponential histogram 10, summary 11 */
        struct wrong wrong;
    } cases[] = {
        {5, {"\x10\x01", 2, PLACE ".gauge.dataPoints[0].startTimeUnixNano", "wrong wire type"}},
        {5, {"\x30\x01", 2, PLACE ".gauge.dataPoints[0].asInt", "wrong wire type"}},
        {7,
         {"\x3a\x03\x0a\x01\xff", 5, PLACE ".sum.dataPoints[0].attributes[0].key",
          "invalid UTF-8"}},
        {7,
         {"\x2a\x03\x22\x01x", 5, PLACE ".sum.dataPoints[0].exemplars[0].spanId",
          "expected 8 bytes, found 1"}},
        {9,
         {"\x32\x07"
          "1234567",
          9, PLACE ".histogram.dataPoints[0].bucketCounts", "cut off"}},
        {9,
         {"\x3d\x01\x01\x01\x01", 5, PLACE ".histogram.dataPoints[0].explicitBounds",
          "wrong wire type"}},
        {10,
         {"\x42\x03\x12\x01\xff", 5,
          PLACE ".exponentialHistogram.dataPoints[0].positive.bucketCounts", "malformed varint"}},
        {10, {"\x71\x01", 2, PLACE ".exponentialHistogram.dataPoints[0].zeroThreshold", "cut off"}},
        {11,
         {"\x32\x02\x08\x01", 4, PLACE ".summary.dataPoints[0].quantileValues[0].quantile",
          "wrong wire type"}},
    };
#undef PLACE
    for (size_t i = 0; i < FTRI_COUNT(cases); i++)
        check_wrong(ftri_otlp_metrics_check, (const uint32_t[]){1, 2, 2, cases[i].data, 1, 0},
                    &cases[i].wrong);
}

/* levels values in one another, as a record's body: field 5. */
static int check_depth(int levels, size_t limit)
{
    struct ftri_bytes record FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_error error;
    size_t marks[512], n = 0, n_records;
    ftri_bytes_init(&record, 1 << 16);
    ftri_bytes_init(&request, 1 << 16);
    marks[n++] = begin(&record, 5);
    for (int i = 1; i < levels; i++) {
        marks[n++] = begin(&record, 5); /* array */
        marks[n++] = begin(&record, 1);
    }
    while (n)
        end(&record, marks[--n]);
    put_nested(&request, (const uint32_t[]){1, 2, 2, 0}, record.data, record.len);
    const struct ftri_otlp_limits limits = {limit, 1, 0, 0};
    return ftri_otlp_logs_check(ftri_bytes_view(&request), &limits, &n_records, &error);
}

static void test_values_nest_a_hundred_levels(void **state)
{
    (void)state;
    assert_int_equal(check_depth(100, 100), 0);
    assert_int_equal(check_depth(101, 100), -EBADMSG);
}

/* --- limits -------------------------------------------------------------------------------- */

static void test_values_nest_within_the_limit(void **state)
{
    (void)state;
    assert_int_equal(check_depth(3, 3), 0);
    assert_int_equal(check_depth(4, 3), -EBADMSG);
}

/* Three attributes at most, wherever they stand; the entries of a map in one are none. */
static void test_attributes_are_limited(void **state)
{
    (void)state;
    static const struct {
        check_request *check;
        uint32_t numbers[7]; /* down to the message, then 0 */
        uint32_t attributes;
        const char *path;
    } rows[] = {
        {ftri_otlp_logs_check, {1, 1, 0}, 1, "resourceLogs[0].resource.attributes"},
        {ftri_otlp_logs_check, {1, 2, 1, 0}, 3, "resourceLogs[0].scopeLogs[0].scope.attributes"},
        {ftri_otlp_logs_check,
         {1, 2, 2, 0},
         6,
         "resourceLogs[0].scopeLogs[0].logRecords[0].attributes"},
        {ftri_otlp_metrics_check,
         {1, 2, 2, 7, 1, 0},
         7,
         "resourceMetrics[0].scopeMetrics[0].metrics[0].sum.dataPoints[0].attributes"},
        {ftri_otlp_logs_check, {1, 2, 2, 6, 2, 6, 0}, 1, NULL},
    };
    const struct ftri_otlp_limits limits = {100, 3, 0, 0};
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        for (size_t n = 3; n <= 4; n++) {
            struct ftri_bytes inside FTRI_CLEANUP(ftri_bytes_deinit);
            struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
            struct ftri_otlp_error error = {0};
            size_t n_items;
            ftri_bytes_init(&inside, 1000);
            ftri_bytes_init(&request, 1000);
            for (size_t j = 0; j < n; j++)
                put_text(&inside, rows[i].attributes, "");
            put_nested(&request, rows[i].numbers, inside.data, inside.len);
            const int r = rows[i].check(ftri_bytes_view(&request), &limits, &n_items, &error);
            const bool is_refused = n == 4 && rows[i].path;
            assert_int_equal(r, is_refused ? -EBADMSG : 0);
            if (!is_refused)
                continue;
            assert_string_equal(error.path, rows[i].path);
            assert_string_equal(error.reason, "more than the limit of 3");
        }
    }
}

/* --- counting ------------------------------------------------------------------------------ */

static void test_data_points_of_every_kind_are_counted(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {5, 7, 9, 10, 11};
    struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_error error;
    size_t n = 0, n_expected = 0;
    ftri_bytes_init(&request, 1 << 16);
    for (size_t i = 0; i < FTRI_COUNT(kinds); i++) {
        const size_t resource = begin(&request, 1), scope = begin(&request, 2);
        const size_t metric = begin(&request, 2), data = begin(&request, kinds[i]);
        for (size_t j = 0; j < i + 2; j++, n_expected++)
            put_text(&request, 1, "");
        end(&request, data);
        end(&request, metric);
        put_text(&request, 2, ""); /* a metric without data */
        end(&request, scope);
        end(&request, resource);
    }
    assert_int_equal(n_expected, 2 + 3 + 4 + 5 + 6);
    assert_int_equal(
        ftri_otlp_metrics_check(ftri_bytes_view(&request), &ftri_otlp_unlimited, &n, &error), 0);
    assert_int_equal(n, n_expected);
    assert_int_equal(
        ftri_otlp_metrics_check(ftri_view_of(NULL, 0), &ftri_otlp_unlimited, &n, &error), 0);
    assert_int_equal(n, 0);
}

/* Packed as encoders write them, and one by one as protobuf allows. */
static void test_repeated_numbers_may_be_packed(void **state)
{
    (void)state;
    static const char packed[] = "\x32\x10"
                                 "12345678"
                                 "12345678"
                                 "\x3a\x00";
    static const char loose[] = "\x31"
                                "12345678"
                                "\x31"
                                "12345678";
    const struct ftri_view points[] = {{(const uint8_t *)packed, sizeof packed - 1},
                                       {(const uint8_t *)loose, sizeof loose - 1}};
    for (size_t i = 0; i < FTRI_COUNT(points); i++) {
        struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
        struct ftri_otlp_error error = {0};
        size_t n = 0;
        ftri_bytes_init(&request, 1 << 16);
        put_nested(&request, (const uint32_t[]){1, 2, 2, 9, 1, 0}, points[i].data, points[i].len);
        if (ftri_otlp_metrics_check(ftri_bytes_view(&request), &ftri_otlp_unlimited, &n, &error) <
            0)
            fail_msg("%s: %s", error.path, error.reason);
        assert_int_equal(n, 1);
    }
}

/* --- JSON ---------------------------------------------------------------------------------- */

typedef int read_json(struct ftri_view json, struct ftri_bytes *ret_bytes,
                      struct ftri_otlp_json_counts *ret_counts, struct ftri_otlp_error *ret_error);

static void check_wrong_json(read_json *read, const char *json, const char *path,
                             const char *reason)
{
    struct ftri_bytes out FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error = {0};
    ftri_bytes_init(&out, 1 << 16);
    const int r = read(ftri_view_of(json, strlen(json)), &out, &counts, &error);
    if (r != -EBADMSG || strcmp(error.path, path) != 0 || strcmp(error.reason, reason) != 0)
        fail_msg("%s: %d %s: %s", json, r, error.path, error.reason);
    assert_int_equal(out.len, 0);
}

#define LOG(members) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" members "}]}]}]}"
#define POINT(data, members)                                                                       \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"" data                              \
    "\":{\"dataPoints\":[{" members "}]}}]}]}]}"

static void test_wrong_json_is_named(void **state)
{
    (void)state;
#define PLACE "resourceLogs[0].scopeLogs[0].logRecords[0]"
    check_wrong_json(ftri_otlp_logs_from_json, "{\"resourceLogs\":{}}", "resourceLogs",
                     "expected an array, found an object");
    check_wrong_json(ftri_otlp_logs_from_json, LOG("\"severityNumber\":\"INFO\""),
                     PLACE ".severityNumber",
                     "expected an integer, found a string (names of enum values are not accepted)");
    check_wrong_json(ftri_otlp_logs_from_json, LOG("\"body\":\"text\""), PLACE ".body",
                     "expected an object, found a string");
    check_wrong_json(ftri_otlp_logs_from_json, LOG("\"traceId\":7"), PLACE ".traceId",
                     "expected a string of hex digits, found a number");
    check_wrong_json(ftri_otlp_logs_from_json,
                     LOG("\"traceId\":\"5b8efff798038103d269b633813fc60x\""), PLACE ".traceId",
                     "expected 32 hex digits, found another character (base64 is not accepted)");
#undef PLACE
#define PLACE(data) "resourceMetrics[0].scopeMetrics[0].metrics[0]." data ".dataPoints[0]"
    check_wrong_json(ftri_otlp_metrics_from_json, POINT("gauge", "\"asInt\":\"1.5\""),
                     PLACE("gauge") ".asInt", "expected an integer, found 1.5");
    check_wrong_json(ftri_otlp_metrics_from_json, POINT("sum", "\"asDouble\":{}"),
                     PLACE("sum") ".asDouble", "expected a number, found an object");
    check_wrong_json(ftri_otlp_metrics_from_json, POINT("histogram", "\"bucketCounts\":[\"1\",-1]"),
                     PLACE("histogram") ".bucketCounts[1]",
                     "-1 does not fit an unsigned 64-bit integer");
    check_wrong_json(ftri_otlp_metrics_from_json,
                     POINT("exponentialHistogram", "\"scale\":2147483648"),
                     PLACE("exponentialHistogram") ".scale", "2147483648 does not fit 32 bits");
    check_wrong_json(ftri_otlp_metrics_from_json,
                     POINT("summary", "\"quantileValues\":[{\"value\":\"x\"}]"),
                     PLACE("summary") ".quantileValues[0].value",
                     "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
#undef PLACE
}

static size_t count_json(read_json *read, const char *json)
{
    struct ftri_bytes out FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_json_counts counts = {0};
    struct ftri_otlp_error error = {0};
    ftri_bytes_init(&out, 1 << 16);
    if (read(ftri_view_of(json, strlen(json)), &out, &counts, &error) < 0)
        fail_msg("%s: %s: %s", json, error.path, error.reason);
    return counts.n_items;
}

static void test_json_is_counted(void **state)
{
    (void)state;
    static const char *const kinds[] = {
        POINT("gauge", "},{"), POINT("sum", "},{"), POINT("histogram", "},{"),
        POINT("exponentialHistogram", "},{"), POINT("summary", "},{")};
    for (size_t i = 0; i < FTRI_COUNT(kinds); i++)
        assert_int_equal(count_json(ftri_otlp_metrics_from_json, kinds[i]), 2);
    assert_int_equal(count_json(ftri_otlp_logs_from_json, LOG("},{\"body\":{}},{")), 3);
    assert_int_equal(count_json(ftri_otlp_logs_from_json, "{}"), 0);
}

/* --- events -------------------------------------------------------------------------------- */

/* A LogRecord of which `members` are the others in JSON; the fragments as JSON. */
static struct ftri_otlp_log_counts convert(const char *json, char *ret_text, size_t size)
{
    struct ftri_bytes logs FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes traces FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes text FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_json_counts json_counts;
    struct ftri_otlp_log_counts counts = {77, 77};
    struct ftri_otlp_counts checked = {0};
    struct ftri_otlp_error error = {0};
    ftri_bytes_init(&logs, 1 << 16);
    ftri_bytes_init(&traces, 1 << 16);
    ftri_bytes_init(&text, size - 1);
    if (ftri_otlp_logs_from_json(ftri_view_of(json, strlen(json)), &logs, &json_counts, &error) < 0)
        fail_msg("%s: %s: %s", json, error.path, error.reason);
    assert_int_equal(ftri_otlp_log_events(ftri_bytes_view(&logs), 9, &traces, &counts), 0);
    if (ftri_otlp_traces_check(ftri_bytes_view(&traces), &checked, &error) < 0)
        fail_msg("%s: %s: %s", json, error.path, error.reason);
    assert_int_equal(checked.n_spans, counts.n_events);
    assert_int_equal(counts.n_events + counts.n_others, json_counts.n_items);
    if (counts.n_events == 0)
        assert_int_equal(traces.len, 0);
    assert_int_equal(ftri_otlp_traces_to_json(ftri_bytes_view(&traces), &text), 0);
    memcpy(ret_text, text.data, text.len);
    ret_text[text.len] = '\0';
    return counts;
}

#define IDS "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\""
#define FRAGMENT(time, members)                                                                    \
    "{" IDS ",\"name\":\"(span not received)\",\"kind\":0,\"startTimeUnixNano\":\"" time           \
    "\",\"endTimeUnixNano\":\"0\",\"events\":[{\"timeUnixNano\":\"" time "\"," members "}]}"
#define TRACES(spans) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" spans "]}]}]}"
#define TEXT(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"

static void test_records_with_a_name_and_a_span_are_events(void **state)
{
    (void)state;
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {LOG(IDS ",\"eventName\":\"e\",\"timeUnixNano\":\"5\""),
         TRACES(FRAGMENT("5", "\"name\":\"e\""))},
        /* the time: its own, the observed one, that of its arrival */
        {LOG(IDS ",\"eventName\":\"e\",\"timeUnixNano\":5,\"observedTimeUnixNano\":6"),
         TRACES(FRAGMENT("5", "\"name\":\"e\""))},
        {LOG(IDS ",\"eventName\":\"e\",\"observedTimeUnixNano\":6"),
         TRACES(FRAGMENT("6", "\"name\":\"e\""))},
        {LOG(IDS ",\"eventName\":\"e\""), TRACES(FRAGMENT("9", "\"name\":\"e\""))},
        /* the older form of the name is no attribute any more, unless the name is another */
        {LOG(IDS ",\"attributes\":[" TEXT("a", "1") "," TEXT("event.name", "old") "]"),
         TRACES(FRAGMENT("9", "\"name\":\"old\",\"attributes\":[" TEXT("a", "1") "]"))},
        {LOG(IDS ",\"eventName\":\"new\",\"attributes\":[" TEXT("event.name", "old") "]"),
         TRACES(FRAGMENT("9", "\"name\":\"new\",\"attributes\":[" TEXT("event.name", "old") "]"))},
        /* attributes, what was dropped, what events have no field for */
        {LOG(IDS ",\"eventName\":\"e\",\"attributes\":[" TEXT(
             "k", "v") "],\"droppedAttributesCount\":3,\"flags\":1"),
         TRACES(FRAGMENT("9", "\"name\":\"e\",\"attributes\":[" TEXT(
                                  "k", "v") "],\"droppedAttributesCount\":3"))},
        {LOG(IDS ",\"eventName\":\"e\",\"severityNumber\":17,\"severityText\":\"ERROR\","
                 "\"body\":{\"kvlistValue\":{\"values\":[" TEXT("x", "y") "]}}"),
         TRACES(FRAGMENT("9",
                         "\"name\":\"e\",\"attributes\":[{\"key\":\"log.record.severity_number\","
                         "\"value\":{\"intValue\":\"17\"}}," TEXT(
                             "log.record.severity_text",
                             "ERROR") ","
                                      "{\"key\":\"log.record.body\",\"value\":{\"kvlistValue\":{"
                                      "\"values\":[" TEXT("x", "y") "]}}}]"))},
        {LOG(IDS ",\"eventName\":\"e\",\"body\":{\"stringValue\":\"b\"},\"attributes\":[" TEXT(
             "log.record.body", "own") "]"),
         TRACES(
             FRAGMENT("9", "\"name\":\"e\",\"attributes\":[" TEXT("log.record.body", "own") "]"))},
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        char found[4096];
        const struct ftri_otlp_log_counts counts = convert(cases[i].json, found, sizeof found);
        assert_int_equal(counts.n_events, 1);
        assert_string_equal(found, cases[i].expected);
    }
}

static void test_other_records_are_counted(void **state)
{
    (void)state;
#define TRACE_ONLY "\"traceId\":\"5b8efff798038103d269b633813fc60c\""
    static const char *const cases[] = {
        LOG(""),
        LOG(IDS),
        LOG(IDS ",\"eventName\":\"\""),
        LOG(IDS ",\"attributes\":[{\"key\":\"event.name\",\"value\":{\"intValue\":1}}]"),
        LOG(IDS ",\"attributes\":[" TEXT("event.name", "") "]"),
        LOG("\"eventName\":\"e\""),
        LOG("\"eventName\":\"e\"," TRACE_ONLY),
        LOG("\"eventName\":\"e\",\"spanId\":\"eee19b7ec3c1b174\""),
        LOG("\"eventName\":\"e\"," TRACE_ONLY ",\"spanId\":\"0000000000000000\""),
        LOG("\"eventName\":\"e\"," TRACE_ONLY ",\"spanId\":\"eee1\""),
        LOG("\"eventName\":\"e\",\"traceId\":\"00000000000000000000000000000000\","
            "\"spanId\":\"eee19b7ec3c1b174\""),
    };
#undef TRACE_ONLY
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        char found[4096];
        const struct ftri_otlp_log_counts counts = convert(cases[i], found, sizeof found);
        if (counts.n_events != 0 || counts.n_others != 1)
            fail_msg("%s", cases[i]);
        assert_string_equal(found, "{\"resourceSpans\":[]}");
    }
}

/* Origins are kept where there are events, and nothing stays of where there are none. */
static void test_events_keep_their_resource_and_scope(void **state)
{
    (void)state;
#define RESOURCE "\"resource\":{\"attributes\":[" TEXT("service.name", "shop") "]}"
#define SCOPE "\"scope\":{\"name\":\"lib\"}"
    static const char json[] =
        "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"logRecords\":[{}]}]},"
        "{" RESOURCE ",\"schemaUrl\":\"r\",\"scopeLogs\":["
        "{\"scope\":{\"name\":\"none\"},\"logRecords\":[{},{}]},"
        "{" SCOPE ",\"schemaUrl\":\"s\",\"logRecords\":[{" IDS ",\"eventName\":\"a\"},{},"
        "{" IDS ",\"eventName\":\"b\"}]}]}]}";
    static const char expected[] =
        "{\"resourceSpans\":[{" RESOURCE ",\"scopeSpans\":[{" SCOPE
        ",\"spans\":[" FRAGMENT("9", "\"name\":\"a\"") "," FRAGMENT(
            "9", "\"name\":\"b\"") "],\"schemaUrl\":\"s\"}],\"schemaUrl\":\"r\"}]}";
    char found[4096];
    const struct ftri_otlp_log_counts counts = convert(json, found, sizeof found);
    assert_int_equal(counts.n_events, 2);
    assert_int_equal(counts.n_others, 4);
    assert_string_equal(found, expected);
}

/* In protobuf an id may have any length; the protocol wants a wrong one read as none. */
static void test_an_id_of_a_wrong_length_is_none(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 7, 9, 15, 17};
    for (size_t i = 0; i < FTRI_COUNT(lengths); i++) {
        struct ftri_bytes record FTRI_CLEANUP(ftri_bytes_deinit);
        struct ftri_bytes logs FTRI_CLEANUP(ftri_bytes_deinit);
        struct ftri_bytes traces FTRI_CLEANUP(ftri_bytes_deinit);
        struct ftri_otlp_log_counts counts;
        struct ftri_otlp_error error;
        size_t n = 0;
        ftri_bytes_init(&record, 1 << 16);
        ftri_bytes_init(&logs, 1 << 16);
        ftri_bytes_init(&traces, 1 << 16);
        put(&record, 9, TRACE_ID "x", lengths[i] > 9 ? lengths[i] : 16);
        put(&record, 10, SPAN_ID "x", lengths[i] > 9 ? 8 : lengths[i]);
        put_text(&record, 12, "e");
        put_nested(&logs, (const uint32_t[]){1, 2, 2, 0}, record.data, record.len);
        assert_int_equal(
            ftri_otlp_logs_check(ftri_bytes_view(&logs), &ftri_otlp_unlimited, &n, &error), 0);
        assert_int_equal(n, 1);
        assert_int_equal(ftri_otlp_log_events(ftri_bytes_view(&logs), 9, &traces, &counts), 0);
        assert_int_equal(counts.n_events, 0);
        assert_int_equal(counts.n_others, 1);
    }
}

static void test_failing_leaves_the_output_as_it_was(void **state)
{
    (void)state;
    static const char json[] = LOG(IDS ",\"eventName\":\"e\",\"severityNumber\":1");
    struct ftri_bytes logs FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_json_counts json_counts;
    struct ftri_otlp_log_counts counts;
    struct ftri_otlp_error error;
    ftri_bytes_init(&logs, 1 << 16);
    assert_int_equal(
        ftri_otlp_logs_from_json(ftri_view_of(json, strlen(json)), &logs, &json_counts, &error), 0);
    int r = -EMSGSIZE;
    for (size_t limit = 1; r < 0; limit++) {
        struct ftri_bytes traces FTRI_CLEANUP(ftri_bytes_deinit);
        ftri_bytes_init(&traces, limit);
        assert_int_equal(ftri_bytes_append_char(&traces, 'x'), 0);
        r = ftri_otlp_log_events(ftri_bytes_view(&logs), 9, &traces, &counts);
        assert_true(limit < 1000 && (r == 0 || r == -EMSGSIZE));
        if (r < 0)
            assert_int_equal(traces.len, 1);
    }
    r = -ENOMEM;
    for (uint64_t n = 1; r < 0; n++) {
        struct ftri_bytes traces FTRI_CLEANUP(ftri_bytes_deinit);
        ftri_bytes_init(&traces, 1 << 16);
        ftri_mem_fail_at(n);
        r = ftri_otlp_log_events(ftri_bytes_view(&logs), 9, &traces, &counts);
        ftri_mem_fail_at(0);
        assert_true(n < 100 && (r == 0 || r == -ENOMEM));
        if (r < 0)
            assert_int_equal(traces.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_log_records_are_named),
        cmocka_unit_test(test_wrong_data_points_are_named),
        cmocka_unit_test(test_values_nest_a_hundred_levels),
        cmocka_unit_test(test_values_nest_within_the_limit),
        cmocka_unit_test(test_attributes_are_limited),
        cmocka_unit_test(test_data_points_of_every_kind_are_counted),
        cmocka_unit_test(test_repeated_numbers_may_be_packed),
        cmocka_unit_test(test_wrong_json_is_named),
        cmocka_unit_test(test_json_is_counted),
        cmocka_unit_test(test_records_with_a_name_and_a_span_are_events),
        cmocka_unit_test(test_other_records_are_counted),
        cmocka_unit_test(test_events_keep_their_resource_and_scope),
        cmocka_unit_test(test_an_id_of_a_wrong_length_is_none),
        cmocka_unit_test(test_failing_leaves_the_output_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
