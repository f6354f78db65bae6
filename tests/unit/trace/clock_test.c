/* SPDX-License-Identifier: Apache-2.0
 *
 * Stamps against the system's clocks. */
#include "trace/clock.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

/* The stamp's wall time lies between two readings of the system's clock (with 100 us to spare). */
static void assert_close_to_now(void)
{
    const uint64_t slack = 100 * FTRI_NS_PER_US;
    const uint64_t before = ftri_time_wall_ns();
    const uint32_t version = ftri_clock_version();
    const uint64_t wall = ftri_clock_wall_ns(version, ftri_clock_stamp(version));
    const uint64_t after = ftri_time_wall_ns();
    assert_in_range(wall, before - slack, after + slack);
}

static void test_stamps_are_wall_time(void **state)
{
    (void)state;
    ftri_clock_start();
    assert_close_to_now();
    for (int i = 0; i < 20; i++) {
        const struct timespec pause = {0, 5000000};
        nanosleep(&pause, NULL);
        ftri_clock_check();
        assert_close_to_now();
    }
}

static void test_a_span_keeps_its_calibration(void **state)
{
    (void)state;
    const uint32_t version = ftri_clock_version();
    const uint64_t stamp = ftri_clock_stamp(version);
    const uint64_t wall = ftri_clock_wall_ns(version, stamp);
    for (int i = 0; i < 50; i++)
        ftri_clock_check();
    assert_int_equal(ftri_clock_wall_ns(version, stamp), wall);
    assert_true(ftri_clock_wall_ns(version, ftri_clock_stamp(version)) >= wall);
}

/* To the nanosecond, but for the ticks' own length: now, and a day from the calibration. */
static void test_a_moment_has_its_stamp(void **state)
{
    (void)state;
    const uint64_t day_ns = 86400 * FTRI_NS_PER_S;
    const struct ftri_calibration *const at = ftri_clock_calibration(ftri_clock_version());
    const uint64_t moments[] = {ftri_clock_passed_ns(), at->monotonic_ns, at->monotonic_ns - 1000,
                                at->monotonic_ns + day_ns};
    for (size_t i = 0; i < FTRI_COUNT(moments); i++) {
        const uint64_t wall_ns = ftri_clock_convert(at, ftri_clock_stamp_of(moments[i]));
        const uint64_t expected_ns = at->wall_ns + (moments[i] - at->monotonic_ns);
        assert_in_range(wall_ns, expected_ns - 2, expected_ns + 2);
    }
}

static void test_system_clock_stamps(void **state)
{
    (void)state;
    const uint64_t before = ftri_time_monotonic_ns();
    const uint64_t stamp = ftri_clock_stamp(FTRI_CLOCK_SYSTEM);
    assert_in_range(stamp, before, ftri_time_monotonic_ns());
}

static void test_the_fake_clock_is_honoured(void **state)
{
    (void)state;
    ftri_time_fake(7, 123456789);
    const uint32_t version = ftri_clock_version();
    assert_int_equal(ftri_clock_wall_ns(version, ftri_clock_stamp(version)), 123456789);
    ftri_clock_check();
    ftri_time_real();
    assert_int_equal(ftri_clock_wall_ns(version, 42), 42);
    assert_close_to_now();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps_are_wall_time),
        cmocka_unit_test(test_a_span_keeps_its_calibration),
        cmocka_unit_test(test_a_moment_has_its_stamp),
        cmocka_unit_test(test_system_clock_stamps),
        cmocka_unit_test(test_the_fake_clock_is_honoured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
