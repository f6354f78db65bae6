/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/bounds.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_a_bound_belongs_to_the_bucket_below_it(void **state)
{
    (void)state;
    static const double values[] = {0.0003, 0.1, 0.25, 1, 3};
    struct ftri_bounds bounds;
    ftri_bounds_init(&bounds, values, 5, 1e9);
    static const struct {
        uint64_t ns;
        size_t bucket;
    } rows[] = {{0, 0},          {1, 0},          {300000, 0},     {300001, 1},     {100000000, 1},
                {100000001, 2},  {250000000, 2},  {250000001, 3},  {1000000000, 3}, {1000000001, 4},
                {2999999999, 4}, {3000000000, 4}, {3000000001, 5}, {UINT64_MAX, 5}};
    for (size_t i = 0; i < FTRI_COUNT(rows); i++)
        assert_int_equal(ftri_bounds_find_ns(&bounds, rows[i].ns), rows[i].bucket);
    assert_int_equal(ftri_bounds_find(&bounds, 0.1), 1);
    assert_int_equal(ftri_bounds_find(&bounds, nextafter(0.1, 1)), 2);
    assert_int_equal(ftri_bounds_find(&bounds, 0), 0);
    assert_int_equal(ftri_bounds_find(&bounds, 1e300), 5);
}

/* Both ways of finding agree with going through all. */
static void test_many_bounds(void **state)
{
    (void)state;
    double values[FTRI_BOUNDS_MAX];
    struct ftri_bounds bounds;
    for (int i = 0; i < FTRI_BOUNDS_MAX; i++)
        values[i] = i < 20 ? i : i < 100 ? 20 + i * 5 : ldexp(1, i / 2);
    ftri_bounds_init(&bounds, values, FTRI_BOUNDS_MAX, 1);
    uint64_t ns = 1;
    for (int i = 0; i < 100000; i++) {
        ns = ns * 6364136223846793005u + 1442695040888963407u;
        const uint64_t value = ns >> (i % 64);
        size_t expected = 0;
        while (expected < FTRI_BOUNDS_MAX && (double)value > values[expected])
            expected++;
        assert_int_equal(ftri_bounds_find_ns(&bounds, value), expected);
        assert_int_equal(ftri_bounds_find(&bounds, (double)value), expected);
    }
}

static void test_what_are_bounds(void **state)
{
    (void)state;
    static const double good[] = {-1, 0, 1e-300, 5};
    static const double twice[] = {1, 1};
    static const double falling[] = {2, 1};
    const double infinite[] = {1, INFINITY};
    const double none[] = {NAN};
    double many[FTRI_BOUNDS_MAX + 1];
    for (int i = 0; i <= FTRI_BOUNDS_MAX; i++)
        many[i] = i;
    assert_true(ftri_bounds_are_valid(good, 4));
    assert_true(ftri_bounds_are_valid(NULL, 0));
    assert_true(ftri_bounds_are_valid(many, FTRI_BOUNDS_MAX));
    assert_false(ftri_bounds_are_valid(many, FTRI_BOUNDS_MAX + 1));
    assert_false(ftri_bounds_are_valid(twice, 2));
    assert_false(ftri_bounds_are_valid(falling, 2));
    assert_false(ftri_bounds_are_valid(infinite, 2));
    assert_false(ftri_bounds_are_valid(none, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bound_belongs_to_the_bucket_below_it),
        cmocka_unit_test(test_many_bounds),
        cmocka_unit_test(test_what_are_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
