/* SPDX-License-Identifier: Apache-2.0
 *
 * The strategy that holds, replaced while others ask it. What was freed too early ASan and TSan
 * would find. */
#include "export/jaeger_current.h"

#include "base/mem.h"
#include "export/jaeger_strategy.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 300 };

static struct ftri_jaeger_current current;
static _Atomic bool is_over;
static _Atomic uint32_t n_taken[2];

static const ftr_trace_id id = {.bytes = {[15] = 1}};

static struct ftri_jaeger_strategy *strategy_of(double ratio)
{
    struct ftri_jaeger_strategy *strategy = ftri_jaeger_strategy_new(ratio);
    assert_non_null(strategy);
    return strategy;
}

static void replace(double ratio)
{
    struct ftri_jaeger_strategy *before = ftri_jaeger_current_replace(&current, strategy_of(ratio));
    for (size_t n_seen = 0; !ftri_jaeger_current_is_settled(&current, &n_seen);)
        usleep(10);
    ftri_jaeger_strategy_free(before);
}

static bool is_taken(void)
{
    return ftri_jaeger_current_takes(&current, FTR_STR("any"), &id);
}

static void test_what_is_put_there_holds(void **state)
{
    (void)state;
    assert_int_equal(ftri_jaeger_current_init(&current, strategy_of(0)), 0);
    assert_false(is_taken());
    replace(1);
    assert_true(is_taken());
    ftri_jaeger_current_deinit(&current);
}

static void *ask(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_over))
        atomic_fetch_add(&n_taken[is_taken()], 1);
    return NULL;
}

static void test_others_ask_while_it_is_replaced(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    assert_int_equal(ftri_jaeger_current_init(&current, strategy_of(0)), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        replace(i % 2 ? 0 : 1);
    while (!atomic_load(&n_taken[0]))
        usleep(1000);
    replace(1);
    while (!atomic_load(&n_taken[1]))
        usleep(1000);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ftri_jaeger_current_deinit(&current);
}

static void test_memory_that_is_short(void **state)
{
    (void)state;
    struct ftri_jaeger_strategy *strategy = strategy_of(0);
    ftri_mem_fail_at(1);
    assert_int_equal(ftri_jaeger_current_init(&current, strategy), -ENOMEM);
    ftri_mem_fail_at(0);
    ftri_jaeger_strategy_free(strategy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_there_holds),
        cmocka_unit_test(test_others_ask_while_it_is_replaced),
        cmocka_unit_test(test_memory_that_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
