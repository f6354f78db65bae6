/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include "base/time.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_timer *other;
    struct loop_wakeup *wakeup;
    int n_calls;
    int n_others;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.loop = loop_new(NULL)};
    assert_non_null(fixture.loop);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *self = *state;
    loop_timer_free(self->timer);
    loop_timer_free(self->other);
    loop_wakeup_free(self->wakeup);
    loop_free(self->loop);
    return 0;
}

static void count_three(void *argument)
{
    struct fixture *self = argument;
    if (++self->n_calls == 3)
        loop_stop(self->loop);
    else
        loop_timer_start(self->timer, 2 * FTRI_NS_PER_MS);
}

static void count_other(void *argument)
{
    struct fixture *self = argument;
    self->n_others++;
}

static void test_a_timer_fires_once_each_start(void **state)
{
    struct fixture *self = *state;
    self->timer = loop_timer_new(self->loop, count_three, self);
    self->other = loop_timer_new(self->loop, count_other, self);
    loop_timer_start(self->other, 1);
    loop_timer_start(self->timer, 2 * FTRI_NS_PER_MS);
    const uint64_t start_ns = ftri_time_monotonic_ns();
    loop_run(self->loop);
    assert_int_equal(self->n_calls, 3);
    assert_int_equal(self->n_others, 1);
    assert_true(ftri_time_monotonic_ns() - start_ns >= 6 * FTRI_NS_PER_MS);
}

static void test_a_stopped_timer_does_not_fire(void **state)
{
    struct fixture *self = *state;
    self->timer = loop_timer_new(self->loop, count_three, self);
    self->other = loop_timer_new(self->loop, count_other, self);
    loop_timer_start(self->other, FTRI_NS_PER_MS);
    loop_timer_stop(self->other);
    loop_timer_start(self->timer, 2 * FTRI_NS_PER_MS);
    loop_run(self->loop);
    assert_int_equal(self->n_others, 0);
}

static void stop(void *argument)
{
    struct fixture *self = argument;
    self->n_calls++;
    loop_stop(self->loop);
}

static void *wake_often(void *argument)
{
    const struct fixture *self = argument;
    for (int i = 0; i < 1000; i++)
        loop_wake(self->wakeup);
    return NULL;
}

static void test_another_thread_wakes_the_loop(void **state)
{
    struct fixture *self = *state;
    self->wakeup = loop_wakeup_new(self->loop, stop, self);
    assert_non_null(self->wakeup);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_often, self), 0);
    loop_run(self->loop);
    pthread_join(thread, NULL);
    assert_int_equal(self->n_calls, 1);
}

static void test_a_signal_is_delivered_in_the_loop(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(loop_on_signal(self->loop, SIGUSR1, stop, self), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(self->n_calls, 0);
    loop_run(self->loop);
    assert_int_equal(self->n_calls, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_timer_fires_once_each_start),
        TEST(test_a_stopped_timer_does_not_fire),
        TEST(test_another_thread_wakes_the_loop),
        TEST(test_a_signal_is_delivered_in_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
