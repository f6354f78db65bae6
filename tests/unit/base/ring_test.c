/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded ring between two threads: order, bounds, nothing missing or there twice. */
#include "base/ring.h"

#include "base/thread.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_order_and_bounds(void **state)
{
    (void)state;
    struct ftri_ring ring;
    int entries[4];
    assert_int_equal(ftri_ring_init(&ring, 3), 0);
    assert_true(ftri_ring_is_empty(&ring));
    assert_null(ftri_ring_take(&ring));
    for (size_t round = 0; round < 7; round++) { /* past the end of the slots */
        for (size_t i = 0; i < 3; i++) {
            assert_true(ftri_ring_has_room(&ring));
            assert_int_equal(ftri_ring_count(&ring), i);
            assert_true(ftri_ring_put(&ring, &entries[i]));
        }
        assert_int_equal(ftri_ring_count(&ring), 3);
        assert_false(ftri_ring_has_room(&ring));
        assert_false(ftri_ring_put(&ring, &entries[3]));
        for (size_t i = 0; i < 3 - round % 2; i++)
            assert_ptr_equal(ftri_ring_take(&ring), &entries[i]);
        if (round % 2)
            assert_ptr_equal(ftri_ring_take(&ring), &entries[2]);
        assert_null(ftri_ring_take(&ring));
    }
    ftri_ring_deinit(&ring);
    ftri_ring_deinit(&ring);
}

enum { N = 200000 };
static size_t numbers[N];

static void *put_all(void *argument)
{
    struct ftri_ring *const ring = argument;
    for (size_t i = 0; i < N; i++) {
        numbers[i] = i * 3;
        while (!ftri_ring_put(ring, &numbers[i]))
            (void)sched_yield();
    }
    return NULL;
}

/* Everything arrives once, in order, with what was written before it was put. */
static void test_two_threads(void **state)
{
    (void)state;
    struct ftri_ring ring;
    pthread_t thread;
    assert_int_equal(ftri_ring_init(&ring, 5), 0);
    assert_int_equal(ftri_thread_start(put_all, &ring, &thread), 0);
    size_t n_wrong = 0;
    for (size_t i = 0; i < N; i++) {
        const size_t *entry;
        while (!(entry = ftri_ring_take(&ring)))
            (void)sched_yield();
        n_wrong += *entry != i * 3;
    }
    pthread_join(thread, NULL);
    assert_int_equal(n_wrong, 0);
    assert_true(ftri_ring_is_empty(&ring));
    ftri_ring_deinit(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bounds),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
