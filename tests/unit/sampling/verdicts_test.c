/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of eight verdicts: what is forgotten, and what is not. */
#include "sampling/verdicts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint64_t hash_of(uint64_t n)
{
    return n << 8 | 0x5a; /* the low byte is not looked at */
}

static void test_what_was_asked_for_is_forgotten_last(void **state)
{
    (void)state;
    struct ftri_verdicts verdicts;
    assert_int_equal(ftri_verdicts_init(&verdicts, 1), 0);
    assert_int_equal(verdicts.n_lines, 1);
    assert_int_equal(ftri_verdicts_get(&verdicts, 0), 0);
    for (uint64_t n = 1; n <= FTRI_VERDICTS_PER_LINE; n++)
        assert_int_equal(ftri_verdicts_put(&verdicts, hash_of(n), (uint8_t)n), 0);
    assert_int_equal(ftri_verdicts_get(&verdicts, hash_of(1)), 1);
    assert_int_equal(ftri_verdicts_get(&verdicts, hash_of(9)), 0);
    assert_int_equal(ftri_verdicts_put(&verdicts, hash_of(9), 9), 2);
    assert_int_equal(ftri_verdicts_get(&verdicts, hash_of(2)), 0);
    assert_int_equal(ftri_verdicts_get(&verdicts, hash_of(1)), 1);
    assert_int_equal(ftri_verdicts_put(&verdicts, hash_of(4), 0xff), 0); /* replaced */
    assert_int_equal(ftri_verdicts_get(&verdicts, hash_of(4)), 0xff);
    assert_int_equal(ftri_verdicts_put(&verdicts, hash_of(10), 10), 3);
    for (uint64_t n = 5; n <= 10; n++)
        assert_int_equal(ftri_verdicts_get(&verdicts, hash_of(n)), n);
    ftri_verdicts_deinit(&verdicts);
}

static void test_lines_fill_the_bytes(void **state)
{
    (void)state;
    struct ftri_verdicts verdicts;
    assert_int_equal(ftri_verdicts_init(&verdicts, 1023), 0);
    assert_int_equal(verdicts.n_lines, 8);
    for (uint64_t n = 0; n < 64; n++) /* by eights in each line */
        assert_int_equal(ftri_verdicts_put(&verdicts, hash_of(n), (uint8_t)(n + 1)), 0);
    for (uint64_t n = 0; n < 64; n++)
        assert_int_equal(ftri_verdicts_get(&verdicts, hash_of(n)), n + 1);
    ftri_verdicts_deinit(&verdicts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_asked_for_is_forgotten_last),
        cmocka_unit_test(test_lines_fill_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
