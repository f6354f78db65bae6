/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/rate_limit.h"

#include "base/time.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { THREADS = 4, TRIES = 50000, PERIODS = 50 };

static int take_many(struct ftri_rate_limit *limit, uint64_t now_ns)
{
    int n = 0;
    for (int i = 0; i < 100; i++)
        n += ftri_rate_limit_take(limit, now_ns);
    return n;
}

static void test_a_second_has_as_many_tokens_as_the_rate(void **state)
{
    (void)state;
    static const uint64_t start = 5 * FTRI_NS_PER_S;
    struct ftri_rate_limit limit;
    ftri_rate_limit_init_rate(&limit, 7);
    assert_int_equal(take_many(&limit, start), 7);
    assert_int_equal(take_many(&limit, start + FTRI_NS_PER_S - 1), 0);
    assert_int_equal(take_many(&limit, start + FTRI_NS_PER_S), 7);
    assert_int_equal(take_many(&limit, start + FTRI_NS_PER_S - 1), 0); /* a clock that lags */
    assert_int_equal(take_many(&limit, start + 100 * FTRI_NS_PER_S), 7);
}

static void test_rates_that_are_no_whole_number(void **state)
{
    (void)state;
    struct ftri_rate_limit limit;
    ftri_rate_limit_init_rate(&limit, 2.9);
    assert_int_equal(take_many(&limit, 0), 2);
    ftri_rate_limit_init_rate(&limit, 0.25); /* one in four seconds */
    assert_int_equal(take_many(&limit, 0), 1);
    assert_int_equal(take_many(&limit, 4 * FTRI_NS_PER_S - 1), 0);
    assert_int_equal(take_many(&limit, 4 * FTRI_NS_PER_S), 1);
    ftri_rate_limit_init_rate(&limit, 1e-300);
    assert_int_equal(take_many(&limit, UINT64_MAX), 1);
    ftri_rate_limit_init_rate(&limit, 1e300);
    assert_int_equal(take_many(&limit, UINT64_MAX), 100);
    assert_int_equal(limit.n_tokens, FTRI_RATE_TOKENS_MAX);
}

static struct ftri_rate_limit shared;
static _Atomic uint64_t now_ns;

/* The threads push the clock on together. */
static void *take(void *argument)
{
    (void)argument;
    uintptr_t n = 0;
    for (int i = 0; i < TRIES; i++) {
        n += ftri_rate_limit_take(&shared, atomic_load(&now_ns));
        if (i % (TRIES / PERIODS) == 0)
            atomic_fetch_add(&now_ns, FTRI_NS_PER_S / THREADS);
    }
    return (void *)n;
}

static void test_threads_share_one_bucket(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uintptr_t n = 0;
    ftri_rate_limit_init_rate(&shared, 10);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *taken;
        pthread_join(threads[i], &taken);
        n += (uintptr_t)taken;
    }
    const uint64_t n_seconds = atomic_load(&now_ns) / FTRI_NS_PER_S;
    assert_int_equal(n_seconds, PERIODS);
    assert_in_range(n, 10, 10 * (n_seconds + 1));
    assert_int_equal(take_many(&shared, 1000 * FTRI_NS_PER_S), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_has_as_many_tokens_as_the_rate),
        cmocka_unit_test(test_rates_that_are_no_whole_number),
        cmocka_unit_test(test_threads_share_one_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
