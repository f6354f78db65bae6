/* SPDX-License-Identifier: Apache-2.0
 *
 * Expected thresholds: the table of OpenTelemetry's "TraceState: Probability Sampling", column of
 * precision 4, and its examples. Expected bounds of ratios: those of the Rust SDK. */
#include "sampling/threshold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_threshold(double ratio, const char *digits)
{
    char text[FTRI_THRESHOLD_DIGITS];
    const size_t len = ftri_threshold_format(ftri_threshold_of(ratio), text);
    assert_int_equal(len, strlen(digits));
    assert_memory_equal(text, digits, len);
}

static void test_thresholds_are_those_of_the_specification(void **state)
{
    (void)state;
    static const struct {
        unsigned one_in;
        const char *digits;
    } table[] = {{1, "0"},
                 {2, "8"},
                 {3, "aaab"},
                 {4, "c"},
                 {5, "cccd"},
                 {8, "e"},
                 {10, "e666"},
                 {16, "f"},
                 {100, "fd70a"},
                 {1000, "ffbe77"},
                 {10000, "fff9724"},
                 {100000, "ffff583a"},
                 {1000000, "ffffef39"}};
    for (size_t i = 0; i < FTRI_COUNT(table); i++)
        assert_threshold(1.0 / table[i].one_in, table[i].digits);
    assert_threshold(0.75, "4");
    assert_threshold(0.96875, "08");
}

/* By the specification's algorithm: 12 digits at most, so from 2^-48 on they are all f. */
static void test_the_least_ratios(void **state)
{
    (void)state;
    assert_threshold(0x1p-48, "ffffffffffff");
    assert_threshold(0x1p-56, "ffffffffffff");
    assert_true(ftri_threshold_of(0x1.fffffffffffffp-57) == FTRI_THRESHOLD_NEVER);
    assert_true(ftri_threshold_of(0) == FTRI_THRESHOLD_NEVER);
    assert_true(ftri_threshold_of(-1) == FTRI_THRESHOLD_NEVER);
    assert_true(ftri_threshold_of(__builtin_nan("")) == FTRI_THRESHOLD_NEVER);
    assert_threshold(1 - 0x1p-53, "0");
    assert_threshold(2, "0");
}

static void test_text_and_number(void **state)
{
    (void)state;
    uint64_t value = 1;
    assert_true(ftri_threshold_parse(FTR_STR("0"), &value));
    assert_true(value == 0);
    assert_true(ftri_threshold_parse(FTR_STR("c"), &value));
    assert_true(value == UINT64_C(0xc0000000000000));
    assert_true(ftri_threshold_parse(FTR_STR("08"), &value));
    assert_true(value == UINT64_C(0x08000000000000));
    assert_true(ftri_threshold_parse(FTR_STR("ffffffffffffff"), &value));
    assert_true(value == UINT64_C(0xffffffffffffff));
    static const char *const wrong[] = {"", "C", "0x8", "8g", " 8", "8 ", "-8", "fffffffffffffff"};
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++)
        assert_false(ftri_threshold_parse(ftr_str_from(wrong[i]), &value));
    assert_true(ftri_randomness_parse(FTR_STR("6e6d1a75832a2f"), &value));
    assert_true(value == UINT64_C(0x6e6d1a75832a2f));
    assert_false(ftri_randomness_parse(FTR_STR("6e6d1a75832a2"), &value));
    assert_false(ftri_randomness_parse(FTR_STR("6e6d1a75832a2f0"), &value));
    assert_false(ftri_randomness_parse(FTR_STR("6E6d1a75832a2f"), &value));
}

static ftr_trace_id id_of(uint64_t high, uint64_t low)
{
    ftr_trace_id id;
    for (int i = 0; i < 8; i++) {
        id.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
        id.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return id;
}

static void test_randomness_is_the_last_7_bytes(void **state)
{
    (void)state;
    const ftr_trace_id id = id_of(UINT64_MAX, UINT64_C(0xff6e6d1a75832a2f));
    assert_true(ftri_randomness_of(&id) == UINT64_C(0x6e6d1a75832a2f));
}

static void test_ratios_end_where_the_other_sdks_end_them(void **state)
{
    (void)state;
    static const struct {
        double ratio;
        uint64_t first_dropped; /* of the last 8 bytes */
    } bounds[] = {{0.25, UINT64_C(0x4000000000000000)},
                  {0.1, UINT64_C(0x1999999999999a00)},
                  {0.01, UINT64_C(0x28f5c28f5c28f60)},
                  {0.001, UINT64_C(0x4189374bc6a7f0)}};
    for (size_t i = 0; i < FTRI_COUNT(bounds); i++) {
        const uint64_t bound = ftri_ratio_bound(bounds[i].ratio);
        const ftr_trace_id below = id_of(UINT64_MAX, bounds[i].first_dropped - 1);
        const ftr_trace_id at = id_of(0, bounds[i].first_dropped);
        assert_true(ftri_ratio_takes(bound, &below));
        assert_false(ftri_ratio_takes(bound, &at));
    }
    const ftr_trace_id least = id_of(UINT64_MAX, 0);
    const ftr_trace_id most = id_of(0, UINT64_MAX);
    assert_false(ftri_ratio_takes(ftri_ratio_bound(0), &least));
    assert_false(ftri_ratio_takes(ftri_ratio_bound(-0.5), &least));
    assert_true(ftri_ratio_takes(ftri_ratio_bound(0x1p-63), &least));
    assert_true(ftri_ratio_takes(ftri_ratio_bound(1), &most));
    assert_false(ftri_ratio_takes(ftri_ratio_bound(1 - 0x1p-53), &most));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds_are_those_of_the_specification),
        cmocka_unit_test(test_the_least_ratios),
        cmocka_unit_test(test_text_and_number),
        cmocka_unit_test(test_randomness_is_the_last_7_bytes),
        cmocka_unit_test(test_ratios_end_where_the_other_sdks_end_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
