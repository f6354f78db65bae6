/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as JSON lines (RFC 8259; bytes as RFC 4648 base64). */
#include "base/bytes.h"
#include "base/mem.h"
#include "engine/pdata.h"
#include "engine/records.h"
#include "nodes/exporters/lines.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct records *make(const struct record *items, size_t n)
{
    struct records *records = records_new(1 << 20);
    assert_non_null(records);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(records_add(records, &items[i]), 0);
    records_seal(records);
    return records;
}

static int write_lines(struct records *records, struct ftri_bytes *out)
{
    const struct pdata pdata = {.signal = FTR_SIGNAL_RECORDS, .records = records};
    return lines_write(&pdata, out);
}

static void check(const struct record *items, size_t n, const char *expected)
{
    struct records *records = make(items, n);
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1 << 20);
    assert_int_equal(write_lines(records, &out), 0);
    assert_int_equal(ftri_bytes_append_char(&out, '\0'), 0);
    assert_string_equal((const char *)out.data, expected);
    ftri_bytes_deinit(&out);
    records_unref(records);
}

static void test_every_type(void **state)
{
    (void)state;
    const ftr_value inner = ftr_value_i64(1);
    const ftr_attribute member = {FTR_STR("in"), ftr_value_array(NULL, 0)};
    const ftr_attribute attributes[] = {
        {FTR_STR("text"), ftr_value_str(FTR_STR("a \"b\"\n"))},
        {FTR_STR("no"), ftr_value_bool(false)},
        {FTR_STR("least"), ftr_value_i64(INT64_MIN)},
        {FTR_STR("half"), ftr_value_f64(0.5)},
        {FTR_STR("nan"), ftr_value_f64(NAN)},
        {FTR_STR("bytes"), ftr_value_bytes("\xff\x00", 2)},
        {FTR_STR("list"), ftr_value_array(&inner, 1)},
        {FTR_STR("map"), {.type = FTR_VALUE_MAP, .as.map = {&member, 1}}},
    };
    const struct record records[] = {
        {.key = FTR_STR("k"), .attributes = attributes, .n_attributes = 8},
        {.key = FTR_STR("/a\tb"), .value = FTR_STR("whole")},
        {.key = FTR_STR("")},
    };
    check(records, 3,
          "{\"key\":\"k\",\"text\":\"a \\\"b\\\"\\n\",\"no\":false,\"least\":-9223372036854775808,"
          "\"half\":0.5,\"nan\":null,\"bytes\":\"/wA=\",\"list\":[1],\"map\":{\"in\":[]}}\n"
          "{\"key\":\"/a\\tb\",\"value\":\"whole\"}\n"
          "{\"key\":\"\"}\n");
}

/* File names are bytes: what is not UTF-8 becomes U+FFFD, and the line stays JSON. */
static void test_text_that_is_not_utf8(void **state)
{
    (void)state;
    const struct record record = {.key = FTR_STR("caf\xe9")};
    check(&record, 1, "{\"key\":\"caf\xef\xbf\xbd\"}\n");
}

static void test_no_records(void **state)
{
    (void)state;
    check(NULL, 0, "");
}

static void test_on_failure_out_is_as_it_was(void **state)
{
    (void)state;
    const struct record items[] = {{.key = FTR_STR("first")}, {.key = FTR_STR("second")}};
    struct records *records = make(items, 2);
    struct ftri_bytes out;
    ftri_bytes_init(&out, 30); /* "before" and the first line fit */
    assert_int_equal(ftri_bytes_append_str(&out, FTR_STR("before")), 0);
    assert_int_equal(write_lines(records, &out), -EMSGSIZE);
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, "before", 6);
    ftri_bytes_deinit(&out);
    ftri_bytes_init(&out, 1000);
    ftri_mem_fail_at(1);
    assert_int_equal(write_lines(records, &out), -ENOMEM);
    ftri_mem_fail_at(0);
    assert_int_equal(out.len, 0);
    ftri_bytes_deinit(&out);
    records_unref(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_text_that_is_not_utf8),
        cmocka_unit_test(test_no_records),
        cmocka_unit_test(test_on_failure_out_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
