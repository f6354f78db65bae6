/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP's JSON rules: what is refused and how the place is named, what is ignored, and documents out
 * of spans of several requests. What valid documents mean is compared with Google's protobuf in
 * tests/otlp/differential.py. */
#include "base/mem.h"
#include "otlp/json.h"
#include "otlp/response.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define IDS "\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"eee19b7ec3c1b174\""
#define SPAN(members) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" members "}]}]}]}"
#define VALUE(members) SPAN(IDS ",\"attributes\":[{\"key\":\"k\",\"value\":{" members "}}]")
#define PLACE "resourceSpans[0].scopeSpans[0].spans[0]"

static int from_json(const char *text, struct ftri_bytes *out, struct ftri_otlp_json_counts *counts,
                     struct ftri_otlp_error *error)
{
    ftri_bytes_init(out, 1 << 20);
    return ftri_otlp_traces_from_json(ftri_view_of(text, strlen(text)), out, counts, error);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *json, *path, *reason;
    } cases[] = {
        {"[]", "request", "expected an object, found an array"},
        {"", "request", "invalid JSON: the text ends too early"},
        {"{} x", "request", "invalid JSON: text after the value"},
        {"{\"resourceSpans\":{}}", "resourceSpans", "expected an array, found an object"},
        {"{\"resourceSpans\":[{},null]}", "resourceSpans[1]", "expected an object, found null"},
        {SPAN("\"traceId\":\"AAECAwQFBgcICQoLDA0ODw==\""), PLACE ".traceId",
         "expected 32 hex digits, found 24 characters (base64 is not accepted)"},
        {SPAN("\"traceId\":\"5B8EFFF798038103D269B633813FC60x\""), PLACE ".traceId",
         "expected 32 hex digits, found another character (base64 is not accepted)"},
        {SPAN("\"traceId\":\"00000000000000000000000000000000\""), PLACE ".traceId",
         "all digits are zero"},
        {SPAN("\"traceId\":\"\""), PLACE ".traceId",
         "expected 32 hex digits, found 0 characters (base64 is not accepted)"},
        {SPAN("\"traceId\":5"), PLACE ".traceId",
         "expected a string of hex digits, found a number"},
        {SPAN(""), PLACE ".traceId", "missing"},
        {SPAN("\"traceId\":null"), PLACE ".traceId", "missing"},
        {SPAN("\"trace_id\":\"5B8EFFF798038103D269B633813FC60C\""), PLACE ".traceId", "missing"},
        {SPAN("\"traceId\":\"5B8EFFF798038103D269B633813FC60C\""), PLACE ".spanId", "missing"},
        {SPAN(IDS ",\"parentSpanId\":\"12\""), PLACE ".parentSpanId",
         "expected 16 hex digits, found 2 characters (base64 is not accepted)"},
        {SPAN(IDS ",\"kind\":\"SPAN_KIND_SERVER\""), PLACE ".kind",
         "expected an integer, found a string (names of enum values are not accepted)"},
        {SPAN(IDS ",\"kind\":2147483648"), PLACE ".kind", "2147483648 does not fit 32 bits"},
        {SPAN(IDS ",\"kind\":1.5"), PLACE ".kind", "expected an integer, found 1.5"},
        {SPAN(IDS ",\"startTimeUnixNano\":\"18446744073709551616\""), PLACE ".startTimeUnixNano",
         "18446744073709551616 does not fit an unsigned 64-bit integer"},
        {SPAN(IDS ",\"startTimeUnixNano\":-1"), PLACE ".startTimeUnixNano",
         "-1 does not fit an unsigned 64-bit integer"},
        {SPAN(IDS ",\"startTimeUnixNano\":\"\""), PLACE ".startTimeUnixNano",
         "expected an integer, found "},
        {SPAN(IDS ",\"flags\":4294967296"), PLACE ".flags",
         "4294967296 does not fit an unsigned 32-bit integer"},
        {SPAN(IDS ",\"status\":{\"code\":\"STATUS_CODE_OK\"}"), PLACE ".status.code",
         "expected an integer, found a string (names of enum values are not accepted)"},
        {SPAN(IDS ",\"links\":[{},{\"traceId\":\"1\"}]"), PLACE ".links[1].traceId",
         "expected 32 hex digits, found 1 characters (base64 is not accepted)"},
        {SPAN(IDS ",\"name\":1"), PLACE ".name", "expected a string, found a number"},
        {SPAN(IDS ",\"name\":\"\xff\""), PLACE ".name", "invalid JSON: invalid UTF-8"},
        {VALUE("\"intValue\":9223372036854775808"), PLACE ".attributes[0].value.intValue",
         "9223372036854775808 does not fit 64 bits"},
        {VALUE("\"intValue\":\"-9223372036854775809\""), PLACE ".attributes[0].value.intValue",
         "-9223372036854775809 does not fit 64 bits"},
        {VALUE("\"doubleValue\":1e400"), PLACE ".attributes[0].value.doubleValue",
         "1e400 does not fit a double"},
        {VALUE("\"doubleValue\":\"inf\""), PLACE ".attributes[0].value.doubleValue",
         "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\""},
        {VALUE("\"boolValue\":\"true\""), PLACE ".attributes[0].value.boolValue",
         "expected true or false, found a string"},
        {VALUE("\"bytesValue\":\"***\""), PLACE ".attributes[0].value.bytesValue", "no base64"},
        {VALUE("\"arrayValue\":{\"values\":[{},{\"intValue\":true}]}"),
         PLACE ".attributes[0].value.arrayValue.values[1].intValue",
         "expected an integer, found true"},
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        struct ftri_bytes out;
        struct ftri_otlp_json_counts counts;
        struct ftri_otlp_error error = {0};
        const int r = from_json(cases[i].json, &out, &counts, &error);
        if (r != -EBADMSG || strcmp(error.path, cases[i].path) != 0 ||
            strcmp(error.reason, cases[i].reason) != 0 || out.len != 0)
            fail_msg("%s: %d %s: %s", cases[i].json, r, error.path, error.reason);
        ftri_bytes_deinit(&out);
    }
}

static void test_the_offset_is_that_of_the_value(void **state)
{
    (void)state;
    struct ftri_bytes out;
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    /*                                 1111111111222222222233333333334 */
    /*                       01234567890123456789012345678901234567890 */
    assert_int_equal(from_json("{\"resourceSpans\":[{\"schemaUrl\":  17}]}", &out, &counts, &error),
                     -EBADMSG);
    assert_int_equal(error.offset, 33);
    ftri_bytes_deinit(&out);
}

static void test_absent_unknown_and_null_are_ignored(void **state)
{
    (void)state;
    static const char *const same[] = {
        SPAN(IDS),
        SPAN(IDS ",\"name\":null,\"events\":null,\"status\":null,\"kind\":null"),
        SPAN("\"unknown\":[{\"a\":[1,{}]},\"]\"]," IDS ",\"start_time_unix_nano\":\"x\""),
        SPAN(IDS ",\"Name\":17,\"events\":[]"),
    };
    struct ftri_bytes first;
    for (size_t i = 0; i < FTRI_COUNT(same); i++) {
        struct ftri_bytes out;
        struct ftri_otlp_json_counts counts;
        struct ftri_otlp_error error;
        if (from_json(same[i], &out, &counts, &error) != 0)
            fail_msg("%s: %s", error.path, error.reason);
        assert_int_equal(counts.n_items, 1);
        assert_int_equal(counts.n_null_numbers, 0);
        if (i == 0) {
            first = out;
            continue;
        }
        assert_int_equal(out.len, first.len);
        assert_memory_equal(out.data, first.data, first.len);
        ftri_bytes_deinit(&out);
    }
    ftri_bytes_deinit(&first);
}

/* OpenTelemetry JS sends NaN as null. */
static void test_null_doubles_are_counted_and_empty(void **state)
{
    (void)state;
    struct ftri_bytes out, json;
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    assert_int_equal(from_json(VALUE("\"doubleValue\":null"), &out, &counts, &error), 0);
    assert_int_equal(counts.n_null_numbers, 1);
    ftri_bytes_init(&json, 10000);
    assert_int_equal(ftri_otlp_traces_to_json(ftri_bytes_view(&out), &json), 0);
    assert_int_equal(ftri_bytes_append_char(&json, '\0'), 0);
    assert_non_null(strstr((char *)json.data, "[{\"key\":\"k\",\"value\":{}}]"));
    ftri_bytes_deinit(&json);
    ftri_bytes_deinit(&out);
}

static const char two_groups[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":"
    "\"1\"}}]},"
    "\"scopeSpans\":[{\"scope\":{\"name\":\"s\"},\"spans\":["
    "{" IDS ",\"name\":\"1\"},{" IDS ",\"name\":\"2\"}],\"schemaUrl\":\"u\"},"
    "{\"scope\":{\"name\":\"t\"},\"spans\":[{" IDS ",\"name\":\"3\"}]}]},"
    "{\"scopeSpans\":[{\"spans\":[{" IDS ",\"name\":\"4\"}]}]}]}";

#define WRITTEN_SPAN(name)                                                                         \
    "{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\","           \
    "\"name\":\"" name "\",\"kind\":0,\"startTimeUnixNano\":\"0\",\"endTimeUnixNano\":\"0\"}"

#define SPAN_1 WRITTEN_SPAN("1")
#define SPAN_2 WRITTEN_SPAN("2")
#define SPAN_3 WRITTEN_SPAN("3")
#define SPAN_4 WRITTEN_SPAN("4")

/* Spans that share resource and scope share an entry, the others do not. */
static void test_spans_are_grouped(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"resourceSpans\":["
        "{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}]},"
        "\"scopeSpans\":["
        "{\"scope\":{\"name\":\"s\"},\"schemaUrl\":\"u\",\"spans\":[" SPAN_1 "," SPAN_2 "]},"
        "{\"scope\":{\"name\":\"t\"},\"spans\":[" SPAN_3 "]}]},"
        "{\"scopeSpans\":[{\"spans\":[" SPAN_4 "]}]}]}";
    struct ftri_bytes out, json;
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    struct ftri_otlp_cursor cursor;
    struct ftri_otlp_json_writer writer;
    const struct ftri_otlp_span *span;
    assert_int_equal(from_json(two_groups, &out, &counts, &error), 0);
    assert_int_equal(counts.n_items, 4);
    ftri_bytes_init(&json, 10000);
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(&out));
    assert_int_equal(ftri_otlp_json_begin(&writer, &json), 0);
    while (ftri_otlp_cursor_next(&cursor, &span))
        assert_int_equal(ftri_otlp_json_span(&writer, span), 0);
    assert_int_equal(ftri_otlp_json_end(&writer), 0);
    assert_int_equal(json.len, sizeof expected - 1);
    assert_memory_equal(json.data, expected, json.len);
    ftri_bytes_deinit(&json);
    ftri_bytes_deinit(&out);
}

static void test_no_spans_make_an_empty_document(void **state)
{
    (void)state;
    struct ftri_bytes json;
    struct ftri_otlp_json_writer writer;
    ftri_bytes_init(&json, 1000);
    assert_int_equal(ftri_otlp_json_begin(&writer, &json), 0);
    assert_int_equal(ftri_otlp_json_end(&writer), 0);
    assert_int_equal(ftri_otlp_traces_to_json(ftri_view_of(NULL, 0), &json), 0);
    assert_int_equal(json.len, 40);
    assert_memory_equal(json.data, "{\"resourceSpans\":[]}{\"resourceSpans\":[]}", 40);
    ftri_bytes_deinit(&json);
}

static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len + 1 < sizeof two_groups; len++) {
        struct ftri_bytes out, copy;
        struct ftri_otlp_json_counts counts;
        struct ftri_otlp_error error = {0};
        ftri_bytes_init(&out, 1 << 16);
        ftri_bytes_init(&copy, len);
        assert_int_equal(ftri_bytes_append(&copy, two_groups, len), 0);
        assert_int_equal(ftri_otlp_traces_from_json(ftri_bytes_view(&copy), &out, &counts, &error),
                         -EBADMSG);
        assert_true(error.path[0] && error.reason[0] && error.offset <= len);
        ftri_bytes_deinit(&out);
        ftri_bytes_deinit(&copy);
    }
}

static void test_every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    static const char text[] = VALUE("\"stringValue\":\"line\\n\"");
    for (uint64_t n = 1;; n++) {
        struct ftri_bytes out, json;
        struct ftri_otlp_json_counts counts;
        struct ftri_otlp_error error;
        ftri_bytes_init(&json, 1 << 16);
        ftri_mem_fail_at(n);
        int r = from_json(text, &out, &counts, &error);
        if (r == 0)
            r = ftri_otlp_traces_to_json(ftri_bytes_view(&out), &json);
        const bool is_past_the_end = ftri_mem_requests() < n;
        ftri_mem_fail_at(0);
        assert_int_equal(r, is_past_the_end ? 0 : -ENOMEM);
        ftri_bytes_deinit(&out);
        ftri_bytes_deinit(&json);
        if (is_past_the_end)
            break;
    }
}

static void test_the_limit_is_kept(void **state)
{
    (void)state;
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    struct ftri_bytes out;
    for (size_t limit = 0; limit < 40; limit++) {
        ftri_bytes_init(&out, limit);
        const struct ftri_view json = ftri_view_of(two_groups, sizeof two_groups - 1);
        assert_int_equal(ftri_otlp_traces_from_json(json, &out, &counts, &error), -EMSGSIZE);
        assert_int_equal(out.len, 0);
        ftri_bytes_deinit(&out);
    }
}

static void assert_bytes(const struct ftri_bytes *found, const char *expected, size_t len)
{
    assert_int_equal(found->len, len);
    if (len)
        assert_memory_equal(found->data, expected, len);
}

/* Bytes by hand: partial_success 1 { rejected_spans 1: 300, error_message 2: "no" }. */
static void test_responses(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1000);
    const struct ftri_otlp_partial_success nothing = {0};
    const struct ftri_otlp_partial_success partial = {300, FTR_STR("no")};
    assert_int_equal(ftri_otlp_response_to_bytes(&nothing, &out), 0);
    assert_int_equal(out.len, 0);
    assert_int_equal(ftri_otlp_response_to_json(&nothing, FTR_STR("rejectedSpans"), &out), 0);
    assert_bytes(&out, "{}", 2);
    ftri_bytes_reset(&out);
    assert_int_equal(ftri_otlp_response_to_json(&partial, FTR_STR("rejectedSpans"), &out), 0);
    static const char json[] =
        "{\"partialSuccess\":{\"rejectedSpans\":\"300\",\"errorMessage\":\"no\"}}";
    assert_bytes(&out, json, sizeof json - 1);
    ftri_bytes_reset(&out);
    assert_int_equal(ftri_otlp_response_to_bytes(&partial, &out), 0);
    assert_bytes(&out, "\x0a\x07\x08\xac\x02\x12\x02no", 9);
    ftri_bytes_deinit(&out);
}

/* google.rpc.Status { code 1: 3 (INVALID_ARGUMENT), message 2 }. */
static void test_statuses(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1000);
    assert_int_equal(ftri_otlp_status_to_bytes(3, (ftr_str){"a\xff", 2}, &out), 0);
    assert_bytes(&out,
                 "\x08\x03\x12\x04"
                 "a\xef\xbf\xbd",
                 8);
    ftri_bytes_reset(&out);
    assert_int_equal(ftri_otlp_status_to_json(3, FTR_STR("\"a\""), &out), 0);
    static const char json[] = "{\"code\":3,\"message\":\"\\\"a\\\"\"}";
    assert_bytes(&out, json, sizeof json - 1);
    ftri_bytes_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_the_offset_is_that_of_the_value),
        cmocka_unit_test(test_absent_unknown_and_null_are_ignored),
        cmocka_unit_test(test_null_doubles_are_counted_and_empty),
        cmocka_unit_test(test_spans_are_grouped),
        cmocka_unit_test(test_no_spans_make_an_empty_document),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_every_failed_allocation_is_an_error),
        cmocka_unit_test(test_the_limit_is_kept),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
