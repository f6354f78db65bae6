/* SPDX-License-Identifier: Apache-2.0
 *
 * The reservoir against a brute-force statement of what it must keep. */
#include "flow/reservoir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_MAX = 5000 };

/* The rule by itself, from all indices at once: the smallest power of two that leaves at most 30 of
 * 10 .. n - 11, the first ten, the last ten. */
static size_t expected_indices(uint64_t n, uint64_t ret_indices[FTRI_RESERVOIR_CAP],
                               uint64_t *ret_stride)
{
    uint64_t stride = 1;
    const uint64_t n_between = n > 20 ? n - 20 : 0;
    while ((n_between + stride - 1) / stride > 30)
        stride *= 2;
    size_t count = 0;
    for (uint64_t i = 0; i < n; i++) {
        const bool is_first = i < 10;
        const bool is_last = i + 10 >= n;
        if (is_first || is_last || (i - 10) % stride == 0)
            ret_indices[count++] = i;
    }
    *ret_stride = stride;
    return count;
}

static void test_kept_indices_are_those_of_the_rule_for_every_count(void **state)
{
    (void)state;
    struct ftri_reservoir reservoir;
    ftri_reservoir_init(&reservoir);
    uint64_t places[FTRI_RESERVOIR_CAP]; /* what the owner stores: the index itself */
    for (uint64_t n = 1; n <= N_MAX; n++) {
        const uint8_t place = ftri_reservoir_offer(&reservoir);
        assert_in_range(place, 0, FTRI_RESERVOIR_CAP - 1);
        places[place] = n - 1;
        uint64_t expected[FTRI_RESERVOIR_CAP];
        uint64_t stride;
        const size_t n_expected = expected_indices(n, expected, &stride);
        struct ftri_reservoir_kept kept[FTRI_RESERVOIR_CAP];
        assert_int_equal(ftri_reservoir_list(&reservoir, kept), n_expected);
        for (size_t i = 0; i < n_expected; i++) {
            assert_int_equal(kept[i].index, expected[i]);
            assert_int_equal(places[kept[i].place], expected[i]);
        }
        assert_int_equal(reservoir.stride, stride);
        assert_int_equal(reservoir.n_offers, n);
        if (n <= 50)
            assert_int_equal(n_expected, n);
    }
}

static void test_neighbours_in_the_middle_are_one_stride_apart(void **state)
{
    (void)state;
    struct ftri_reservoir reservoir;
    ftri_reservoir_init(&reservoir);
    for (uint64_t n = 1; n <= N_MAX; n++) {
        (void)ftri_reservoir_offer(&reservoir);
        struct ftri_reservoir_kept kept[FTRI_RESERVOIR_CAP];
        const size_t n_kept = ftri_reservoir_list(&reservoir, kept);
        for (size_t i = 11; i + 10 < n_kept; i++)
            assert_int_equal(kept[i].index - kept[i - 1].index, reservoir.stride);
    }
}

/* By hand: 10 .. 40 are 31 candidates, so every other one stays (16); 10 + 16 + 10 are 36. For
 * 10,000: 9,980 candidates, stride 512 leaves 20 (256 would leave 39). */
static void test_known_counts(void **state)
{
    (void)state;
    struct ftri_reservoir reservoir;
    struct ftri_reservoir_kept kept[FTRI_RESERVOIR_CAP];
    ftri_reservoir_init(&reservoir);
    assert_int_equal(ftri_reservoir_list(&reservoir, kept), 0);
    for (int i = 0; i < 51; i++)
        (void)ftri_reservoir_offer(&reservoir);
    assert_int_equal(ftri_reservoir_list(&reservoir, kept), 36);
    assert_int_equal(kept[25].index, 40);
    assert_int_equal(kept[26].index, 41);
    for (int i = 51; i < 10000; i++)
        (void)ftri_reservoir_offer(&reservoir);
    assert_int_equal(ftri_reservoir_list(&reservoir, kept), 40);
    assert_int_equal(kept[11].index, 10 + 512);
    assert_int_equal(kept[39].index, 9999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_indices_are_those_of_the_rule_for_every_count),
        cmocka_unit_test(test_neighbours_in_the_middle_are_one_stride_apart),
        cmocka_unit_test(test_known_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
