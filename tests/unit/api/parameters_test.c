/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 3339 5.6 and 5.7 (whose examples are here), and the durations of Go's time.ParseDuration. */
#include "api/parameters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t S = 1000000000;

static bool read_time(const char *text, uint64_t *ret_ns)
{
    return parameters_time((ftr_str){text, strlen(text)}, ret_ns);
}

/* Seconds by GNU date. */
static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t seconds, ns;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"2026-01-02T03:04:05Z", 1767323045, 0},
        {"2026-01-02t03:04:05z", 1767323045, 0},
        {"2026-01-02 03:04:05Z", 1767323045, 0},
        {"2026-01-02T03:04:05.678Z", 1767323045, 678000000},
        {"2026-01-02T03:04:05.123456789Z", 1767323045, 123456789},
        {"2026-01-02T03:04:05.1234567899Z", 1767323045, 123456789},
        {"2026-01-02T03:04:05+02:00", 1767315845, 0},
        {"2026-01-02T03:04:05-05:30", 1767342845, 0},
        {"2026-01-02T03:04:05-00:00", 1767323045, 0},
        {"1985-04-12T23:20:50.52Z", 482196050, 520000000},
        {"1996-12-19T16:39:57-08:00", 851042397, 0},
        {"1990-12-31T23:59:60Z", 662688000, 0},
        {"1990-12-31T15:59:60-08:00", 662688000, 0},
        {"2000-02-29T00:00:00Z", 951782400, 0},
        {"2024-02-29T12:00:00Z", 1709208000, 0},
        {"1970-01-01T01:00:00+01:00", 0, 0},
        {"2500-01-01T00:00:00Z", UINT64_C(16725225600), 0},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        uint64_t ns = 0;
        if (!read_time(rows[i].text, &ns) || ns != rows[i].seconds * S + rows[i].ns)
            fail_msg("%s: %llu", rows[i].text, (unsigned long long)ns);
    }
}

static void test_what_is_no_time(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2026",
        "2026-01-02",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05ZZ",
        "2026-01-02T03:04:05Z ",
        " 2026-01-02T03:04:05Z",
        "2026-1-2T03:04:05Z",
        "02026-01-02T03:04:05Z",
        "2026-01-02T03:04:05+0200",
        "2026-01-02T03:04:05+02",
        "2026-01-02T03:04:05 02:00", /* a plus sign that was not escaped */
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+02:60",
        "2026-00-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-01-32T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "2026-02-30T03:04:05Z",
        "2024-02-30T03:04:05Z",
        "1900-02-29T03:04:05Z",
        "2100-02-29T03:04:05Z",
        "2026-04-31T03:04:05Z",
        "2026-06-31T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59Z", /* more nanoseconds than 64 bits hold */
        "yesterday",
        "1767323045",
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        uint64_t ns = 77;
        if (read_time(rows[i], &ns) || ns != 77)
            fail_msg("%s was accepted: %llu", rows[i], (unsigned long long)ns);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {
        {"0", 0},
        {"0s", 0},
        {"5ns", 5},
        {"10us", 10000},
        {"10\xc2\xb5s", 10000},
        {"10\xce\xbcs", 10000},
        {"200ms", 200000000},
        {"1.5s", 1500000000},
        {".5s", 500000000},
        {"5.s", UINT64_C(5000000000)},
        {"1m30s", UINT64_C(90000000000)},
        {"1h15m30.918s", UINT64_C(4530918000000)},
        {"2h", UINT64_C(7200000000000)},
        {"0.0000001h", 360000},
        {"1.000000001s", 1000000001},
        {"0.9ns", 0},
        {"9223372036854775807ns", INT64_MAX},
        {"7d", UINT64_C(604800000000000)},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        uint64_t ns = 77;
        if (!parameters_duration((ftr_str){rows[i].text, strlen(rows[i].text)}, &ns) ||
            ns != rows[i].ns)
            fail_msg("%s: %llu", rows[i].text, (unsigned long long)ns);
    }
}

static void test_what_is_no_duration(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "1",
        "s",
        ".",
        ".s",
        "1..5s",
        "1.5.5s",
        "5.5.s",
        "-1s",
        "- 1s",
        "1 s",
        "1S",
        "1x",
        "1s1",
        "s1",
        "0x1s",
        "1e3s",
        "infs",
        "nan",
        "3000000000h",
        "9223372036854775808ns",
        "99999999999999999999s",
        "9223372036854775807ns1ns",
        "0.000000000000000000000000000000000000000000000000000000000000000000001s",
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        uint64_t ns = 77;
        if (parameters_duration((ftr_str){rows[i], strlen(rows[i])}, &ns) || ns != 77)
            fail_msg("%s was accepted: %llu", rows[i], (unsigned long long)ns);
    }
    uint64_t ns = 0;
    assert_false(parameters_duration((ftr_str){"1s\0", 3}, &ns));
}

static void test_a_text_ends_where_it_ends(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(parameters_duration((ftr_str){"1m30s", 2}, &value));
    assert_int_equal(value, UINT64_C(60000000000));
    assert_true(parameters_number((ftr_str){"1234", 2}, 100, &value));
    assert_int_equal(value, 12);
    assert_false(parameters_time((ftr_str){"2026-01-02T03:04:05Z", 19}, &value));
}

static bool read_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    return parameters_number((ftr_str){text, strlen(text)}, max, ret_number);
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t value = 77;
    assert_true(read_number("0", 10, &value) && value == 0);
    assert_true(read_number("10", 10, &value) && value == 10);
    assert_true(read_number("007", 10, &value) && value == 7);
    value = 77;
    static const char *const rows[] = {"",
                                       "11",
                                       "-1",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "1.0",
                                       "0x1",
                                       "ten",
                                       "18446744073709551616",
                                       "99999999999999999999999"};
    for (size_t i = 0; i < FTRI_COUNT(rows); i++)
        if (read_number(rows[i], 10, &value) || value != 77)
            fail_msg("%s was accepted", rows[i]);
}

/* "AQIDBAUGBwgJCgsMDQ4PEA": the same sixteen bytes in base64 (RFC 4648). */
static void test_trace_ids(void **state)
{
    (void)state;
    static const uint8_t counting[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    static const uint8_t small[16] = {[14] = 0x0a, [15] = 0xbc};
    static const struct {
        const char *text;
        const uint8_t *id; /* NULL: none */
    } rows[] = {
        {"0102030405060708090a0b0c0d0e0f10", counting},
        {"0102030405060708090A0B0C0D0E0F10", counting},
        {"AQIDBAUGBwgJCgsMDQ4PEA", counting},
        {"AQIDBAUGBwgJCgsMDQ4PEA==", counting},
        {"abc", small},
        {"", NULL},
        {"xyz", NULL},
        {"00102030405060708090a0b0c0d0e0f10", NULL},
        {"AQIDBAUGBwgJCgsMDQ4P", NULL},
        {"AQIDBAUGBwgJCgsMDQ4PEB!", NULL},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        uint8_t id[16];
        const char *problem = NULL;
        const ftr_str text = {rows[i].text, strlen(rows[i].text)};
        assert_int_equal(parameters_trace_id(text, id, &problem), rows[i].id != NULL);
        if (rows[i].id)
            assert_memory_equal(id, rows[i].id, sizeof id);
        else
            assert_non_null(problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_ids),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_what_is_no_time),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_what_is_no_duration),
        cmocka_unit_test(test_a_text_ends_where_it_ends),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
