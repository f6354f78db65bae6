/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that end at any point: with spans open and contexts attached, in destructors that run
 * after ours, by pthread_exit and by cancellation in the middle of our functions. Others go on, and
 * every span is accounted for. */
#include "probe.h"

#include <unistd.h>

static void run_thread(void *(*run)(void *argument), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static ftr_span start_span(void)
{
    return ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
}

static void assert_counts(uint64_t n_started, uint64_t n_open)
{
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    const ftr_statistics statistics = counts();
    assert_int_equal(statistics.started, n_started);
    assert_int_equal(statistics.open, n_open);
    assert_int_equal(statistics.ended, n_started - n_open);
    assert_int_equal(statistics.recorded, n_started - n_open);
    assert_int_equal(statistics.no_slot, 0);
}

static void *leave_open(void *argument)
{
    ftr_span *left = argument;
    *left = start_span();
    (void)start_span(); /* nobody will know of it */
    ftr_context context = ftr_span_context_of(*left);
    const ftr_value value = ftr_value_i64(1);
    assert_true(ftr_context_set_field(&context, FTR_STR("field"), &value));
    for (int i = 0; i < 100; i++)
        (void)ftr_attach(&context);
    ftr_span_end(start_span());
    ftr_context_release(&context);
    return NULL;
}

static void test_spans_outlive_their_thread(void **state)
{
    (void)state;
    ftr_span left[50];
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    for (int i = 0; i < 50; i++)
        run_thread(leave_open, &left[i]);
    assert_counts(150, 100);
    for (int i = 0; i < 50; i++) {
        assert_true(ftr_span_is_recording(left[i]));
        ftr_span_set_i64(left[i], FTR_STR("late"), 1);
        ftr_span_end(left[i]);
    }
    assert_counts(150, 50);
    assert_int_equal(counts().stale, 0);
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
}

/* ---- destructors ---- */

/* Of the system's four the library needs one for itself; ThreadSanitizer takes another, after which
 * nothing may run. */
#if defined(__SANITIZE_THREAD__)
enum { MOST_ROUNDS = 1 };
#else
enum { MOST_ROUNDS = 3 };
#endif

static pthread_key_t own_key;
static _Atomic int n_destroyed;

/* Records when the library's destructors have run, as often as the system calls it again. */
static void record_in_destructor(void *value)
{
    char *const rounds = value;
    const ftr_span span = start_span();
    ftr_context context = ftr_span_context_of(span);
    const ftr_attachment attachment = ftr_attach(&context);
    ftr_span_end(start_span());
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(span);
    n_destroyed++;
    if (--*rounds > 0)
        pthread_setspecific(own_key, value);
}

static void *end_with_destructor(void *argument)
{
    const ftr_context context = {.span = {.trace_id = {{7}}, .span_id = {{8}}, .trace_flags = 1}};
    ftr_span_end(start_span());
    ftr_detach(ftr_attach(&context));
    if (argument)
        pthread_setspecific(own_key, argument);
    return NULL;
}

static void test_destructors_record(void **state)
{
    (void)state;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    run_thread(end_with_destructor, NULL); /* makes the library's keys: earlier ones */
    assert_int_equal(pthread_key_create(&own_key, record_in_destructor), 0);
    n_destroyed = 0;
    int n_expected = 0;
    for (int i = 0; i < 200; i++) {
        const char rounds = (char)(1 + i % MOST_ROUNDS);
        run_thread(end_with_destructor, &(char){rounds});
        n_expected += rounds;
    }
    assert_int_equal(n_destroyed, n_expected);
    assert_counts(201 + 2 * (uint64_t)n_destroyed, 0);
    pthread_key_delete(own_key);
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
}

/* ---- pthread_exit and cancellation ---- */

static void *exit_within(void *argument)
{
    FTR_SPAN(outer, "outer");
    FTR_SPAN(inner, "inner");
    if (argument)
        pthread_exit(NULL);
    return NULL;
}

static void test_pthread_exit_within_a_scope(void **state)
{
    (void)state;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    for (int i = 0; i < 50; i++)
        run_thread(exit_within, &i);
    ftr_span_end(start_span());
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    const ftr_statistics statistics = counts(); /* C unwinds nothing, C++ does */
    assert_int_equal(statistics.started, 101);
    assert_int_equal(statistics.ended + statistics.open, 101);
    assert_int_equal(statistics.recorded, statistics.ended);
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
}

/* Whatever it calls, it is cancelled at pthread_testcancel and not before. */
struct victim {
    void (*call)(void *argument);
    void *argument;
    bool has_returned;
};

static void *be_cancelled(void *argument)
{
    struct victim *self = argument;
    pthread_cancel(pthread_self());
    self->call(self->argument);
    self->has_returned = true;
    pthread_testcancel();
    return NULL;
}

static void assert_survives(void (*call)(void *argument), void *argument)
{
    struct victim victim = {call, argument, false};
    void *result;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, be_cancelled, &victim), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    assert_true(victim.has_returned);
}

static void call_init(void *argument)
{
    setenv("OTEL_BSP_SCHEDULE_DELAY", "soon", 1); /* there is something to write to stderr */
    assert_int_equal(ftr_init(argument, NULL), FTR_OK);
    unsetenv("OTEL_BSP_SCHEDULE_DELAY");
}

static void call_record(void *argument)
{
    (void)argument;
    leave_open(&(ftr_span){0, 0});
}

static void call_flush(void *argument)
{
    (void)argument;
    assert_int_equal(ftr_flush(20 * MS), FTR_ERR_TIMEOUT);
}

static void call_tap(void *argument)
{
    ftr_span_data span;
    while (ftr_tap_next(argument, 20 * MS, &span) == FTR_OK)
        continue;
}

static void call_shutdown(void *argument)
{
    (void)argument;
    assert_int_equal(ftr_shutdown(20 * MS), FTR_ERR_TIMEOUT);
}

static void test_a_cancelled_thread_keeps_no_lock(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_exporter *exporter = ftr_exporter_new(&probe_class, probe);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    assert_survives(call_init, &config);
    ftr_tap *tap = ftr_tap_new();
    pthread_mutex_lock(&probe->gate);
    assert_survives(call_record, NULL);
    record(3); /* this thread sets itself up, with the lock that one had */
    assert_survives(call_flush, NULL);
    assert_survives(call_tap, tap);
    assert_int_equal(ftr_flush(20 * MS), FTR_ERR_TIMEOUT);
    ftr_span_data span;
    record(1);
    assert_int_equal(ftr_tap_next(tap, 30 * SECOND, &span), FTR_OK);
    ftr_tap_free(tap);
    assert_survives(call_shutdown, NULL);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
    pthread_mutex_unlock(&probe->gate);
    while (!atomic_load(&probe->is_closed))
        usleep(1000);
    free(probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cancelled_thread_keeps_no_lock),
        cmocka_unit_test(test_spans_outlive_their_thread),
        cmocka_unit_test(test_destructors_record),
        cmocka_unit_test(test_pthread_exit_within_a_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
