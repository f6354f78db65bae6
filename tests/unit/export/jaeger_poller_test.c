/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread that asks for strategies, against a gRPC server that answers by the test's word; that
 * of others is asked in tests/interop/sampling. */
#include "export/jaeger_poller.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "net/grpc_server.h"
#include "net/loop.h"

#include <errno.h>
#include <flowtrace/sampler.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL "\x12\x09\x09\0\0\0\0\0\0\xf0\x3f"
#define NONE "\x12\x00"
#define GARBAGE "\x12\x7f"

enum { SILENT = 1000 }; /* a status of ours: no answer */

static struct {
    struct loop *loop;
    struct grpc_server *server;
    struct loop_wakeup *stop;
    pthread_t thread;
    pthread_mutex_t lock;
    const char *answer;
    size_t answer_len;
    int status;
    unsigned n_calls;
    char asked[100]; /* path and message of the last call */
} served = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char told[1000];
static unsigned n_told;
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;
static struct ftri_jaeger_poller *poller;
static ftr_context no_parent;

/* ---- the server ---- */

static bool on_call(void *argument, struct grpc_call *call)
{
    (void)argument, (void)call;
    return true;
}

static void note_call(struct grpc_call *call)
{
    const ftr_str path = grpc_call_path(call);
    const struct ftri_view message = grpc_call_message(call);
    served.n_calls++;
    snprintf(served.asked, sizeof served.asked, "%.*s %02x %02x %.*s", (int)path.len, path.data,
             message.data[0], message.data[1], (int)message.len - 2, (char *)message.data + 2);
}

static void on_message(void *argument, struct grpc_call *call)
{
    (void)argument;
    pthread_mutex_lock(&served.lock);
    const int status = served.status;
    const struct ftri_view answer = ftri_view_of(served.answer, served.answer_len);
    note_call(call);
    pthread_mutex_unlock(&served.lock);
    if (status == GRPC_OK)
        grpc_call_finish(call, answer);
    else if (status != SILENT)
        grpc_call_refuse(call, (enum grpc_status)status, "not now");
}

static void on_abandoned(void *argument, struct grpc_call *call)
{
    (void)argument, (void)call;
}

static void *run_loop(void *argument)
{
    loop_run(argument);
    return NULL;
}

static void stop_loop(void *argument)
{
    loop_stop(argument);
}

static void answer_with(int status, const char *answer, size_t len)
{
    pthread_mutex_lock(&served.lock);
    served.status = status;
    served.answer = answer;
    served.answer_len = len;
    pthread_mutex_unlock(&served.lock);
}
#define ANSWER(literal) answer_with(GRPC_OK, literal, sizeof(literal) - 1)

static unsigned count_calls(void)
{
    pthread_mutex_lock(&served.lock);
    const unsigned n = served.n_calls;
    pthread_mutex_unlock(&served.lock);
    return n;
}

static int start_server(void **state)
{
    (void)state;
    struct ftri_error error = {""};
    struct grpc_server_options options = {.address = "127.0.0.1:0",
                                          .handler = {on_call, on_message, on_abandoned, NULL}};
    grpc_limits_default(&options.limits);
    served.loop = loop_new(&error);
    assert_non_null(served.loop);
    if (grpc_server_open(served.loop, &options, &served.server, &error) < 0)
        fail_msg("%s", error.text);
    served.stop = loop_wakeup_new(served.loop, stop_loop, served.loop);
    assert_non_null(served.stop);
    served.n_calls = 0;
    n_told = 0;
    told[0] = '\0';
    ANSWER(ALL);
    return pthread_create(&served.thread, NULL, run_loop, served.loop);
}

static int stop_server(void **state)
{
    (void)state;
    loop_wake(served.stop);
    pthread_join(served.thread, NULL);
    grpc_server_close(served.server);
    loop_wakeup_free(served.stop);
    loop_free(served.loop);
    return 0;
}

/* ---- the poller ---- */

static void tell(void *argument, const char *text)
{
    pthread_mutex_lock(&telling);
    assert_ptr_equal(argument, told);
    snprintf(told, sizeof told, "%s", text);
    n_told++;
    pthread_mutex_unlock(&telling);
}

static unsigned count_told(void)
{
    pthread_mutex_lock(&telling);
    const unsigned n = n_told;
    pthread_mutex_unlock(&telling);
    return n;
}

static int make_with(uint32_t interval_ms, void (*tell_function)(void *argument, const char *text),
                     void *tell_argument, struct ftri_error *error)
{
    char argument[200];
    snprintf(argument, sizeof argument,
             "endpoint=http://%s,pollingIntervalMs=%" PRIu32 ",initialSamplingRate=0",
             grpc_server_address(served.server), interval_ms);
    const ftr_remote_sampler_options options = {
        .size = sizeof options,
        .service_name = FTR_STR("checkout"),
        .argument = ftr_str_from(argument),
        .on_diagnostic = tell_function,
        .diagnostic_argument = tell_argument,
    };
    return ftri_jaeger_poller_new(&options, &poller, error);
}

static int make(uint32_t interval_ms, struct ftri_error *error)
{
    return make_with(interval_ms, tell, told, error);
}

static void start(uint32_t interval_ms)
{
    struct ftri_error error = {""};
    if (make(interval_ms, &error) < 0)
        fail_msg("%s", error.text);
}

static void stop(void)
{
    ftri_jaeger_poller_class()->close(poller);
}

static bool is_taken(void)
{
    const ftr_span_options span = {.size = sizeof span, .name = FTR_STR("pay")};
    const ftr_sampling_question question = {
        .size = sizeof question, .span = &span, .parent = &no_parent, .trace_id = {{[15] = 1}}};
    ftr_str tracestate = FTR_STR("a=1");
    const ftr_decision decision =
        ftri_jaeger_poller_class()->decide(poller, &question, &tracestate);
    assert_int_equal(tracestate.len, 3);
    return decision == FTR_DECISION_SAMPLE;
}

static void wait_until_taken(bool wanted)
{
    while (is_taken() != wanted)
        usleep(1000);
}

/* From now on. */
static void wait_for_calls(unsigned n)
{
    const unsigned end = count_calls() + n;
    while (count_calls() < end)
        usleep(1000);
}

static void test_a_strategy_is_followed(void **state)
{
    (void)state;
    start(5);
    wait_until_taken(true);
    assert_string_equal(served.asked,
                        "/jaeger.api_v2.SamplingManager/GetSamplingStrategy 0a 08 checkout");
    ANSWER(NONE);
    wait_until_taken(false);
    ANSWER(ALL);
    wait_until_taken(true);
    stop();
    assert_int_equal(n_told, 0);
}

static void assert_told(unsigned n, const char *end)
{
    char begin[64], text[sizeof told];
    while (count_told() < n)
        usleep(1000);
    wait_for_calls(5);
    pthread_mutex_lock(&telling);
    const unsigned n_now = n_told;
    memcpy(text, told, sizeof text);
    pthread_mutex_unlock(&telling);
    snprintf(begin, sizeof begin, "jaeger_remote: http://%s: ", grpc_server_address(served.server));
    if (n_now != n || strncmp(text, begin, strlen(begin)) != 0 ||
        strcmp(text + strlen(begin), end) != 0)
        fail_msg("%u: %s", n_now, text);
}

static void test_a_failure_is_told_once_and_changes_nothing(void **state)
{
    (void)state;
    answer_with(GRPC_UNAVAILABLE, NULL, 0);
    start(5);
    assert_told(1, "gRPC UNAVAILABLE: not now; initialSamplingRate holds");
    assert_false(is_taken());
    ANSWER(ALL);
    assert_told(2, "answers again, and its strategy holds");
    assert_true(is_taken());
    ANSWER(GARBAGE);
    assert_told(3, "the answer is not a SamplingStrategyResponse; its last strategy holds");
    answer_with(GRPC_NOT_FOUND, NULL, 0); /* still failing */
    wait_for_calls(5);
    assert_true(is_taken());
    ANSWER(ALL);
    assert_told(4, "answers again, and its strategy holds");
    stop();
}

/* A call that nobody answers would last ten seconds. */
static void test_closing_does_not_wait_for_a_call(void **state)
{
    (void)state;
    answer_with(SILENT, NULL, 0);
    start(5);
    while (count_calls() == 0) /* its answer does not come */
        usleep(1000);
    const uint64_t begin_ns = ftri_time_monotonic_ns();
    stop();
    assert_true(ftri_time_monotonic_ns() - begin_ns < 8 * FTRI_NS_PER_S);
    ANSWER(ALL);
    start(UINT32_MAX); /* asleep for long */
    wait_until_taken(true);
    stop();
    assert_int_equal(n_told, 0);
}

/* It keeps what the parent had; closing it does not touch what the parent's thread was at. */
static void test_in_a_forked_child_the_last_strategy_goes_on(void **state)
{
    (void)state;
    start(1);
    wait_until_taken(true);
    for (int i = 0; i < 20; i++) {
        int status = -1;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            const bool was_taken = is_taken();
            stop();
            _exit(was_taken ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    wait_for_calls(2);
    stop();
}

/* On the poller's thread, which holds its lock. */
static void fork_and_close(void *argument, const char *text)
{
    int *ret_status = argument;
    (void)text;
    const pid_t child = fork();
    if (child == 0) {
        alarm(60); /* not for ever */
        stop();
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    pthread_mutex_lock(&telling);
    *ret_status = status;
    n_told++;
    pthread_mutex_unlock(&telling);
}

static void test_a_child_that_is_forked_at_any_moment_can_close_it(void **state)
{
    (void)state;
    struct ftri_error error = {""};
    int status = -1;
    answer_with(GRPC_UNAVAILABLE, NULL, 0);
    if (make_with(5, fork_and_close, &status, &error) < 0)
        fail_msg("%s", error.text);
    while (count_told() < 1)
        usleep(1000);
    stop();
    assert_int_equal(status, 0);
}

/* The n-th request fails, or the thread does not start: an error that says so, and nothing left. */
static void test_a_start_that_fails(void **state)
{
    (void)state;
    struct ftri_error error = {""};
    uint64_t n_requests = 0;
    answer_with(SILENT, NULL, 0);
    ftri_thread_fail_at(1); /* so that only what comes before it is counted */
    ftri_mem_fail_at(UINT64_MAX);
    assert_int_equal(make(1, &error), -EAGAIN);
    n_requests = ftri_mem_requests();
    assert_string_equal(error.text, "starting the thread that asks for strategies: "
                                    "Resource temporarily unavailable");
    assert_true(n_requests > 3);
    for (uint64_t n = 1; n <= n_requests; n++) {
        ftri_mem_fail_at(n);
        assert_int_equal(make(1, &error), -ENOMEM);
        ftri_mem_fail_at(0);
        assert_string_equal(error.text, "out of memory");
    }
    ftri_thread_fail_at(0);
}

static void test_memory_that_is_short_while_it_runs(void **state)
{
    (void)state;
    start(1);
    for (uint64_t n = 1; n < 20; n++) {
        if (n % 2)
            ANSWER(NONE);
        else
            ANSWER(ALL);
        ftri_mem_fail_at(n);
        wait_until_taken(n % 2 == 0);
        ftri_mem_fail_at(0);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_strategy_is_followed, start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_a_failure_is_told_once_and_changes_nothing,
                                        start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_closing_does_not_wait_for_a_call, start_server,
                                        stop_server),
        cmocka_unit_test_setup_teardown(test_in_a_forked_child_the_last_strategy_goes_on,
                                        start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_a_child_that_is_forked_at_any_moment_can_close_it,
                                        start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_a_start_that_fails, start_server, stop_server),
        cmocka_unit_test_setup_teardown(test_memory_that_is_short_while_it_runs, start_server,
                                        stop_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
