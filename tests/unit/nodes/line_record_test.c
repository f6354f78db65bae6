/* SPDX-License-Identifier: Apache-2.0
 *
 * Cutting text into lines, and lines into records (RFC 8259). */
#include "base/error.h"
#include "base/mem.h"
#include "engine/pdata.h"
#include "engine/records.h"
#include "nodes/exporters/lines.h"
#include "nodes/receivers/line_record.h"
#include "nodes/receivers/line_split.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* All lines of a text that is read in pieces of the given size: "a|b|" and "!" for too long. */
static void check_split(const char *text, size_t piece, size_t max_line, const char *expected)
{
    char found[256] = "";
    size_t len = 0;
    int ends[2];
    struct line_split split;
    ftr_str line;
    assert_int_equal(pipe(ends), 0);
    line_split_init(&split, max_line);
    const size_t n_text = strlen(text);
    for (size_t at = 0; at <= n_text; at += piece) {
        const size_t n = n_text - at < piece ? n_text - at : piece;
        if (n) {
            assert_int_equal(write(ends[1], text + at, n), n);
            assert_int_equal(line_split_read(&split, ends[0]), n);
        }
        enum line_split_result r;
        while ((r = line_split_next(&split, n < piece, &line)) != LINE_NONE)
            len += (size_t)snprintf(found + len, sizeof found - len, "%.*s%s",
                                    r == LINE_FOUND ? (int)line.len : 0,
                                    r == LINE_FOUND ? line.data : "", r == LINE_FOUND ? "|" : "!");
    }
    assert_string_equal(found, expected);
    assert_int_equal(split.n_consumed, n_text);
    line_split_deinit(&split);
    close(ends[0]);
    close(ends[1]);
}

static void test_lines_whatever_the_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 20; piece++) {
        check_split("one\ntwo\r\n\nlast", piece, 100, "one|two||last|");
        check_split("one\n", piece, 100, "one|");
        check_split("12345\n123456\n1\n", piece, 5, "12345|!1|");
        check_split("1234567890", piece, 5, "!");
        check_split("1234567890\nab", piece, 5, "!ab|");
    }
    check_split("", 1, 5, "");
}

static const struct line_options ndjson = {
    .form = LINE_FORM_NDJSON, .max_line_bytes = 1000, .time_field = "t", .time_unit = 2};

static struct records *read_back(const char *line)
{
    struct ftri_error error = {{0}};
    struct records *records = records_new(1 << 20);
    assert_non_null(records);
    if (line_record_add(&ndjson, FTR_STR(""), ftr_str_from(line), records, &error) < 0)
        fail_msg("%s: %s", line, error.text);
    records_seal(records);
    return records;
}

static void check_round_trip(const char *line)
{
    struct records *records = read_back(line);
    const struct pdata pdata = {.signal = FTR_SIGNAL_RECORDS, .records = records};
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1 << 20);
    assert_int_equal(lines_write(&pdata, &out), 0);
    assert_int_equal(out.len, strlen(line) + 1);
    assert_memory_equal(out.data, line, strlen(line));
    ftri_bytes_deinit(&out);
    records_unref(records);
}

static void test_what_is_written_reads_back(void **state)
{
    (void)state;
    check_round_trip("{\"key\":\"\"}");
    check_round_trip("{\"key\":\"k\",\"a\":1,\"b\":-0.5,\"c\":true,\"d\":null,\"e\":\"x\\n\","
                     "\"value\":\"all of it\"}");
    check_round_trip("{\"key\":\"k\",\"list\":[1,[\"two\",{}],{\"three\":[3]}],\"value\":\"v\"}");
}

static void test_values(void **state)
{
    (void)state;
    struct records *records = read_back(" {\"n\": 1e3, \"big\": 1e19, \"t\": 1500, \"value\": 7} ");
    const struct record *record = &records->items[0];
    const ftr_value *n = record_attribute(record, FTR_STR("n"));
    assert_int_equal(n->type, FTR_VALUE_I64);
    assert_int_equal(n->as.i64, 1000);
    const ftr_value *big = record_attribute(record, FTR_STR("big"));
    assert_int_equal(big->type, FTR_VALUE_F64);
    assert_true(big->as.f64 == 1e19);
    assert_int_equal(record->event_time_ns, 1500000000);
    assert_int_equal(record->value.len, 0);
    assert_non_null(record_attribute(record, FTR_STR("value")));
    records_unref(records);
}

static void check_refused(const char *line, const char *reason)
{
    struct ftri_error error = {{0}};
    struct records *records = records_new(1 << 20);
    assert_non_null(records);
    assert_int_equal(line_record_add(&ndjson, FTR_STR(""), ftr_str_from(line), records, &error),
                     -EBADMSG);
    if (!strstr(error.text, reason))
        fail_msg("%s: expected '%s' in: %s", line, reason, error.text);
    assert_int_equal(records->n_items, 0);
    records_unref(records);
}

static void test_lines_that_are_no_record(void **state)
{
    (void)state;
    check_refused("[1]", "expected a JSON object (at byte 0)");
    check_refused("{\"a\":1} x", "at byte 8");
    check_refused("{\"a\":", "at byte 5");
    check_refused("{\"key\":1}", "key: expected a string");
    check_refused("{\"a\":1e999}", "beyond the largest double");
    check_refused("{\"a\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", "deeper than 16 levels");
    struct ftri_bytes many;
    ftri_bytes_init(&many, 16000);
    assert_int_equal(ftri_bytes_printf(&many, "{\"a\":[0"), 0);
    for (size_t i = 0; i < 1024; i++)
        assert_int_equal(ftri_bytes_append(&many, ",0", 2), 0);
    assert_int_equal(ftri_bytes_append(&many, "]}", 3), 0);
    check_refused((const char *)many.data, "more than 1024");
    ftri_bytes_deinit(&many);
}

static void test_each_request_for_memory_fails(void **state)
{
    (void)state;
    for (size_t i = 1;; i++) {
        struct ftri_error error;
        struct records *records = records_new(1 << 20);
        assert_non_null(records);
        ftri_mem_fail_at(i);
        const int r =
            line_record_add(&ndjson, FTR_STR(""), FTR_STR("{\"key\":\"k\\n\",\"l\":[1,{\"a\":2}]}"),
                            records, &error);
        ftri_mem_fail_at(0);
        assert_true(r == 0 || r == -ENOMEM);
        assert_int_equal(records->n_items, r == 0);
        records_unref(records);
        if (r == 0)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_whatever_the_pieces),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_lines_that_are_no_record),
        cmocka_unit_test(test_each_request_for_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
