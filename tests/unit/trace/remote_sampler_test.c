/* SPDX-License-Identifier: Apache-2.0
 *
 * Samplers that the library owns: when one is made and with what, when it is closed, and when it is
 * not asked. The one that asks a server is in tests/unit/export and tests/interop/sampling. */
#include "sampled.h"

#include "base/mem.h"
#include "base/thread.h"

#include <unistd.h>

/* What its maker was given, and its life. */
static struct {
    char service[64];
    char arguments[2][64];
    unsigned n_made;  /* or refused */
    unsigned n_alive; /* of these */
    unsigned n_closed;
    _Atomic unsigned n_asked;
    bool takes;
    _Atomic bool is_inside;
    pthread_mutex_t gate; /* held: hangs in decide */
    void (*tell)(void *argument, const char *text);
    void *tell_argument;
} remote_one = {.gate = PTHREAD_MUTEX_INITIALIZER};

static ftr_decision decide(void *instance, const ftr_sampling_question *question,
                           ftr_str *tracestate)
{
    (void)question, (void)tracestate;
    assert_ptr_equal(instance, &remote_one);
    assert_true(remote_one.n_closed < remote_one.n_made);
    atomic_fetch_add(&remote_one.n_asked, 1);
    atomic_store(&remote_one.is_inside, true);
    pthread_mutex_lock(&remote_one.gate);
    pthread_mutex_unlock(&remote_one.gate);
    return remote_one.takes ? FTR_DECISION_SAMPLE : FTR_DECISION_DROP;
}

static void close_it(void *instance)
{
    assert_ptr_equal(instance, &remote_one);
    remote_one.n_closed++;
}

static const ftr_sampler_class remote_class = {
    .size = sizeof remote_class, .name = "made", .decide = decide, .close = close_it};

static ftr_sampler *refuse(ftr_error *error, ftr_status status, const char *text)
{
    error->status = status;
    snprintf(error->text, sizeof error->text, "%s", text);
    return NULL;
}

static ftr_sampler *make(const ftr_remote_sampler_options *options, ftr_error *error)
{
    assert_int_equal(options->size, sizeof *options);
    snprintf(remote_one.service, sizeof remote_one.service, "%.*s", (int)options->service_name.len,
             options->service_name.data);
    snprintf(remote_one.arguments[remote_one.n_made % 2], 64, "%.*s", (int)options->argument.len,
             options->argument.data);
    remote_one.tell = options->on_diagnostic;
    remote_one.tell_argument = options->diagnostic_argument;
    remote_one.n_made++;
    if (options->argument.len == 5 && memcmp(options->argument.data, "wrong", 5) == 0)
        return refuse(error, FTR_ERR_INVALID, "it is wrong");
    ftr_sampler *sampler = ftr_sampler_new(&remote_class, &remote_one);
    remote_one.n_alive += sampler != NULL;
    return sampler ? sampler : refuse(error, FTR_ERR_MEMORY, "no memory");
}

static int reset(void **state)
{
    (void)state;
    remote_one.n_made = remote_one.n_alive = remote_one.n_closed = 0;
    remote_one.n_asked = 0;
    remote_one.is_inside = false;
    remote_one.takes = true;
    unsetenv("OTEL_TRACES_SAMPLER");
    unsetenv("OTEL_TRACES_SAMPLER_ARG");
    return 0;
}

static ftr_config config_with(const char *sampler, const char *argument)
{
    ftr_config config = config_of(sampler, argument);
    config.service_name = FTR_STR("checkout");
    config.remote_sampler = make;
    return config;
}

static void assert_refused(ftr_config *config, ftr_status status, const char *text)
{
    ftr_error error = {FTR_OK, ""};
    assert_int_equal(ftr_init(config, &error), status);
    assert_string_equal(error.text, text);
}

static void test_it_is_made_asked_and_closed(void **state)
{
    (void)state;
    ftr_config config = config_with("jaeger_remote", "some argument");
    start(&config);
    assert_int_equal(remote_one.n_made, 1);
    assert_string_equal(remote_one.service, "checkout");
    assert_string_equal(remote_one.arguments[0], "some argument");
    assert_true(is_root_taken());
    remote_one.takes = false;
    assert_false(is_root_taken());
    ftr_context parent = remote(SAMPLED, "a=1");
    assert_false(is_taken_below(&parent));
    ftr_context_release(&parent);
    assert_int_equal(remote_one.n_asked, 3);
    remote_one.tell(remote_one.tell_argument, "it says so");
    assert_string_equal(told, "it says so\n");
    assert_int_equal(remote_one.n_closed, 0);
    stop();
    assert_int_equal(remote_one.n_closed, 1);
}

static void test_a_parents_flag_decides_without_it(void **state)
{
    (void)state;
    ftr_config config = config_with("parentbased_jaeger_remote", "");
    config.max_traces_per_second = 1e6;
    remote_one.takes = false;
    start(&config);
    ftr_context sampled = remote(SAMPLED, "a=1,ot=th:8");
    ftr_context unsampled = remote(UNSAMPLED, "a=1");
    assert_true(is_taken_below(&sampled));
    assert_false(is_taken_below(&unsampled));
    assert_int_equal(remote_one.n_asked, 0);
    assert_false(is_root_taken());
    assert_int_equal(remote_one.n_asked, 1);
    assert_text(recorded(0).tracestate, "a=1,ot=th:8");
    ftr_context_release(&sampled);
    ftr_context_release(&unsampled);
    stop();
    /* Also where what is dropped is recorded. */
    config.records_dropped = true;
    start(&config);
    unsampled = remote(UNSAMPLED, "a=1");
    assert_true(is_taken_below(&unsampled));
    assert_int_equal(remote_one.n_asked, 1);
    ftr_context_release(&unsampled);
    remote_one.n_closed = 0;
    stop();
}

/* As traceidratio: the parent's threshold does not say with which probability this was taken. */
static void test_a_parents_threshold_goes(void **state)
{
    (void)state;
    ftr_config config = config_with("jaeger_remote", "");
    start(&config);
    ftr_context parent = remote(SAMPLED, "a=1,ot=th:8;rv:12345678901234,b=2");
    assert_true(is_taken_below(&parent));
    assert_true(is_root_taken());
    assert_text(recorded(0).tracestate, "ot=rv:12345678901234,a=1,b=2");
    assert_text(recorded(1).tracestate, "");
    ftr_context_release(&parent);
    stop();
}

static void test_the_limit_holds_for_it(void **state)
{
    (void)state;
    ftr_config config = config_with("jaeger_remote", "");
    config.max_traces_per_second = 1e-9;
    start(&config);
    assert_true(is_root_taken());
    assert_false(is_root_taken());
    stop();
}

static void test_the_environment_asks_for_it(void **state)
{
    (void)state;
    setenv("OTEL_TRACES_SAMPLER", "Parentbased_Jaeger_Remote", 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", "by variable", 1);
    ftr_config config = config_with("", "");
    start(&config);
    assert_true(is_root_taken());
    assert_string_equal(remote_one.arguments[0], "by variable");
    assert_int_equal(remote_one.n_asked, 1);
    assert_string_equal(told, "");
    stop();
    reset(NULL);
    /* What is wrong there counts as if it had not been said. */
    setenv("OTEL_TRACES_SAMPLER", "jaeger_remote", 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", "wrong", 1);
    start(&config);
    assert_true(is_root_taken());
    assert_int_equal(remote_one.n_made, 2);
    assert_string_equal(remote_one.arguments[0], "wrong");
    assert_string_equal(remote_one.arguments[1], "");
    assert_string_equal(told, "OTEL_TRACES_SAMPLER_ARG: ignored: it is wrong\n");
    stop();
    assert_int_equal(remote_one.n_closed, 1);
}

static void test_without_a_maker(void **state)
{
    (void)state;
    ftr_config config = config_with("jaeger_remote", "");
    config.remote_sampler = NULL;
    assert_refused(&config, FTR_ERR_INVALID,
                   "sampler: 'jaeger_remote' asks a server: set remote_sampler to "
                   "ftr_jaeger_sampler_new (library flowtrace-export)");
    setenv("OTEL_TRACES_SAMPLER", "parentbased_jaeger_remote", 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://localhost:14250", 1);
    config = config_of("", "");
    start(&config);
    assert_true(is_root_taken());
    assert_string_equal(told, "OTEL_TRACES_SAMPLER: 'parentbased_jaeger_remote' asks a server: set "
                              "remote_sampler to ftr_jaeger_sampler_new (library "
                              "flowtrace-export); parentbased_always_on is used\n");
    stop();
}

static void test_where_it_is_not_made(void **state)
{
    (void)state;
    setenv("OTEL_TRACES_SAMPLER", "jaeger_remote", 1);
    ftr_config config = config_with("always_off", "");
    start(&config);
    assert_false(is_root_taken());
    stop();
    setenv("OTEL_SDK_DISABLED", "true", 1);
    config = config_with("", "");
    start(&config);
    assert_false(is_root_taken());
    stop();
    unsetenv("OTEL_SDK_DISABLED");
    assert_int_equal(remote_one.n_made, 0);
}

static void test_what_it_cannot_be_made_of_is_an_error(void **state)
{
    (void)state;
    ftr_config config = config_with("jaeger_remote", "wrong");
    assert_refused(&config, FTR_ERR_INVALID, "sampler_argument: it is wrong");
    assert_int_equal(remote_one.n_made, 1);
    assert_int_equal(remote_one.n_closed, 0);
}

/* Returns whether the n-th request was among those of ftr_init, which may do without some. */
static bool start_with_failure(ftr_config *config, uint64_t n, unsigned *n_refused)
{
    reset(NULL);
    spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    config->exporters = &exporter;
    config->n_exporters = 1;
    ftri_mem_fail_at(n);
    const ftr_status status = ftr_init(config, NULL);
    const bool is_there = ftri_mem_requests() >= n;
    ftri_mem_fail_at(0);
    if (status == FTR_OK)
        assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
    else
        ftr_exporter_free(exporter);
    ftr_memory_spans_unref(spans);
    assert_int_equal(remote_one.n_closed, remote_one.n_alive);
    *n_refused += status != FTR_OK && remote_one.n_made > 0;
    return is_there;
}

/* A session that does not start closes what was made for it. */
static void test_a_start_that_fails_closes_it(void **state)
{
    (void)state;
    ftr_config config = config_with("jaeger_remote", "");
    unsigned n_refused = 0;
    ftri_thread_fail_at(1);
    assert_int_not_equal(ftr_init(&config, NULL), FTR_OK);
    ftri_thread_fail_at(0);
    assert_int_equal(remote_one.n_made, 1);
    assert_int_equal(remote_one.n_closed, 1);
    for (uint64_t n = 1; start_with_failure(&config, n, &n_refused); n++)
        continue;
    assert_true(n_refused > 1); /* its own memory was short, and that of what came after it */
}

static void *take_a_root(void *argument)
{
    (void)argument;
    (void)is_root_taken();
    return NULL;
}

/* Nobody closes what a thread is in: it stays, and with it what it tells by, until the next session
 * begins. */
static void test_one_that_is_being_asked_is_left_behind(void **state)
{
    (void)state;
    ftr_config config = config_with("jaeger_remote", "");
    start(&config);
    pthread_mutex_lock(&remote_one.gate);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_a_root, NULL), 0);
    while (!atomic_load(&remote_one.is_inside))
        usleep(1000);
    assert_int_equal(ftr_shutdown(10 * MS), FTR_ERR_TIMEOUT);
    assert_int_equal(remote_one.n_closed, 0);
    remote_one.tell(remote_one.tell_argument, "still here");
    assert_string_equal(told, "still here\n");
    pthread_mutex_unlock(&remote_one.gate);
    pthread_join(thread, NULL);
    ftr_memory_spans_unref(spans);
    assert_int_equal(remote_one.n_closed, 0);
    start(&config); /* another one */
    assert_int_equal(remote_one.n_closed, 1);
    assert_true(is_root_taken());
    stop();
    assert_int_equal(remote_one.n_closed, 2);
}

/* A class of before close was there, and of a program that never hands its sampler over. */
static void test_classes_by_size(void **state)
{
    (void)state;
    ftr_sampler_class old = remote_class;
    old.size = offsetof(ftr_sampler_class, close);
    ftr_sampler_free(ftr_sampler_new(&old, &remote_one));
    assert_int_equal(remote_one.n_closed, 0);
    old.size = sizeof old;
    old.close = NULL;
    ftr_sampler_free(ftr_sampler_new(&old, &remote_one));
    ftr_sampler_free(NULL);
    assert_int_equal(remote_one.n_closed, 0);
    ftr_sampler_free(ftr_sampler_new(&remote_class, &remote_one));
    assert_int_equal(remote_one.n_closed, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_made_asked_and_closed),
        TEST(test_a_parents_flag_decides_without_it),
        TEST(test_a_parents_threshold_goes),
        TEST(test_the_limit_holds_for_it),
        TEST(test_the_environment_asks_for_it),
        TEST(test_without_a_maker),
        TEST(test_where_it_is_not_made),
        TEST(test_what_it_cannot_be_made_of_is_an_error),
        TEST(test_a_start_that_fails_closes_it),
        TEST(test_one_that_is_being_asked_is_left_behind),
        TEST(test_classes_by_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
