/* SPDX-License-Identifier: Apache-2.0
 *
 * What belongs to the program stays the program's: its signals' handlers and masks, and the signals
 * themselves, while the library's threads are there. */
#include "probe.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { N_SIGNALS = 65 };

struct host {
    struct sigaction actions[N_SIGNALS];
    sigset_t mask;
};

static struct host look(void)
{
    struct host host;
    memset(&host, 0, sizeof host);
    for (int i = 1; i < N_SIGNALS; i++)
        (void)sigaction(i, NULL, &host.actions[i]);
    pthread_sigmask(SIG_SETMASK, NULL, &host.mask);
    return host;
}

static void assert_same(const struct host *a, const struct host *b)
{
    for (int i = 1; i < N_SIGNALS; i++) {
        assert_ptr_equal(a->actions[i].sa_handler, b->actions[i].sa_handler);
        assert_int_equal(a->actions[i].sa_flags, b->actions[i].sa_flags);
        assert_int_equal(sigismember(&a->mask, i), sigismember(&b->mask, i));
    }
}

static _Atomic long handled_by;
static _Atomic int n_handled;

static void handle(int number)
{
    (void)number;
    handled_by = syscall(SYS_gettid);
    n_handled++;
}

static void test_signals_are_the_programs(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGPROF, &action, NULL);
    const struct host before = look();
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    start_with(&config, probe);
    record(1000);
    struct host during = look();
    assert_same(&before, &during);
    for (int i = 0; i < 200; i++) { /* any thread that lets it in could get it */
        handled_by = 0;
        record(10);
        assert_int_equal(kill(getpid(), i % 2 ? SIGUSR1 : SIGPROF), 0);
        assert_int_equal(handled_by, syscall(SYS_gettid));
    }
    assert_int_equal(n_handled, 200);
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    const struct host after = look();
    assert_same(&before, &after);
    assert_int_equal(probe->n_spans, 3000);
    free(probe);
}

/* With all of them blocked in the thread that kills, nobody else takes them either. */
static void test_blocked_signals_stay_pending(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    sigset_t all, old, pending;
    start_with(&config, probe);
    record(10);
    n_handled = 0;
    sigemptyset(&all);
    sigaddset(&all, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGUSR1));
    assert_int_equal(n_handled, 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(n_handled, 1);
    free(probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_are_the_programs),
        cmocka_unit_test(test_blocked_signals_stay_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
