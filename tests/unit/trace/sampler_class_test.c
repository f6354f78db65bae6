/* SPDX-License-Identifier: Apache-2.0
 *
 * A sampler of the user's, and samplers under many threads and sessions. */
#include "sampled.h"

#include <unistd.h>

struct judge {
    _Atomic uint32_t n_asked;
    _Atomic bool is_inside;
    pthread_mutex_t gate; /* held: hangs in decide */
    ftr_sampling_question last;
    char name[32];
    const char *tracestate; /* NULL: leaves it */
    size_t n_attributes;
    bool had_parent;
    bool starts_spans;
};

static ftr_decision decide(void *instance, const ftr_sampling_question *question,
                           ftr_str *tracestate)
{
    struct judge *judge = instance;
    atomic_fetch_add(&judge->n_asked, 1);
    atomic_store(&judge->is_inside, true);
    pthread_mutex_lock(&judge->gate);
    const ftr_span_options *span = question->span;
    snprintf(judge->name, sizeof judge->name, "%.*s", (int)span->name.len, span->name.data);
    judge->last = *question;
    judge->n_attributes = span->n_attributes;
    judge->had_parent = question->parent != NULL;
    if (judge->starts_spans)
        assert_false(is_root_taken());
    if (judge->tracestate) {
        snprintf(question->room, FTR_TRACESTATE_MAX, "%s", judge->tracestate);
        *tracestate = ftr_str_from(question->room);
    }
    const bool is_dropped = strncmp(judge->name, "drop", 4) == 0;
    pthread_mutex_unlock(&judge->gate);
    return is_dropped ? FTR_DECISION_DROP : FTR_DECISION_SAMPLE;
}

static const ftr_sampler_class judge_class = {
    .size = sizeof judge_class, .name = "judge", .decide = decide};

static struct judge judge;

static void start_judge(void)
{
    memset(&judge, 0, sizeof judge);
    pthread_mutex_init(&judge.gate, NULL);
    ftr_config config = config_of("", "");
    config.sampler_class = &judge_class;
    config.sampler_instance = &judge;
    start(&config);
}

static void test_a_sampler_is_asked_about_local_roots_only(void **state)
{
    (void)state;
    start_judge();
    const ftr_attribute attribute = {FTR_STR("k"), ftr_value_i64(1)};
    const ftr_span_options options = {.size = sizeof options,
                                      .name = FTR_STR("take"),
                                      .attributes = &attribute,
                                      .n_attributes = 1};
    const ftr_span root = ftr_span_start_with(&options);
    ftr_context context = ftr_span_context_of(root);
    assert_true(ftr_span_is_recording(root));
    assert_string_equal(judge.name, "take");
    assert_int_equal(judge.n_attributes, 1);
    assert_false(judge.had_parent);
    assert_memory_equal(&judge.last.trace_id, &context.span.trace_id, 16);
    ftr_attachment attachment = ftr_attach(&context);
    assert_true(is_taken_below(NULL) && is_taken_below(&context));
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(root);
    const ftr_span dropped = ftr_span_start(FTR_STR("drop"), FTR_KIND_SERVER, NULL);
    context = ftr_span_context_of(dropped);
    attachment = ftr_attach(&context);
    assert_false(is_taken_below(NULL) || is_taken_below(&context));
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(dropped);
    assert_int_equal(judge.n_asked, 2);
    context = remote(UNSAMPLED, "a=1");
    const ftr_span below = ftr_span_start(FTR_STR("drop too"), FTR_KIND_SERVER, &context);
    assert_int_equal(judge.n_asked, 3);
    assert_true(judge.had_parent);
    ftr_context passed_on = ftr_span_context_of(below);
    assert_false(is_taken_below(&passed_on)); /* decided already, though nothing had to change */
    assert_memory_equal(&passed_on.span.span_id, &context.span.span_id, 8);
    assert_int_equal(judge.n_asked, 3);
    ftr_context_release(&passed_on);
    ftr_span_end(below);
    assert_true(is_taken_below(&context));
    ftr_context_release(&context);
    stop();
}

static void test_a_sampler_changes_the_tracestate(void **state)
{
    (void)state;
    start_judge();
    judge.tracestate = "mine=1 , a=2";
    ftr_context parent = remote(SAMPLED, "a=1");
    assert_true(is_taken_below(&parent));
    assert_true(is_root_taken());
    judge.tracestate = "not a tracestate";
    assert_true(is_taken_below(&parent));
    judge.tracestate = "";
    assert_true(is_taken_below(&parent));
    ftr_context_release(&parent);
    assert_text(recorded(0).tracestate, "mine=1,a=2");
    assert_text(recorded(1).tracestate, "mine=1,a=2");
    assert_text(recorded(2).tracestate, "a=1");
    assert_text(recorded(3).tracestate, "");
    assert_string_equal(told, "sampler judge: not a tracestate, not taken: not a tracestate\n");
    stop();
}

static void test_a_sampler_that_starts_spans_is_not_asked_about_them(void **state)
{
    (void)state;
    start_judge();
    judge.starts_spans = true;
    assert_true(is_root_taken());
    assert_int_equal(judge.n_asked, 1);
    stop();
}

static void *take_a_root(void *argument)
{
    (void)argument;
    (void)is_root_taken();
    return NULL;
}

static void test_shutdown_waits_for_a_sampler(void **state)
{
    (void)state;
    start_judge();
    pthread_mutex_lock(&judge.gate);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_a_root, NULL), 0);
    while (!atomic_load(&judge.is_inside))
        usleep(1000);
    assert_int_equal(ftr_shutdown(100 * MS), FTR_ERR_TIMEOUT);
    pthread_mutex_unlock(&judge.gate);
    pthread_join(thread, NULL);
    ftr_memory_spans_unref(spans);
    start_judge();
    assert_true(is_root_taken());
    stop();
}

enum { THREADS = 4, ROUNDS = 5000 };

static void start_threads(pthread_t threads[THREADS], void *(*run)(void *), void *argument)
{
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, argument), 0);
}

static void join_threads(const pthread_t threads[THREADS])
{
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static _Atomic uint32_t n_taken_by_threads;

static void *take_rounds(void *argument)
{
    const ftr_context *parent = argument;
    uint32_t n = 0;
    for (int i = 0; i < ROUNDS; i++) {
        n += is_root_taken();
        n += is_taken_below(parent);
        n += is_override_taken(0.5, NULL);
    }
    atomic_fetch_add(&n_taken_by_threads, n);
    return NULL;
}

static void test_threads_share_a_sampler(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    ftr_context parent = remote(SAMPLED, "a=1,ot=th:1");
    start_named("probability", "0.75"); /* takes the parent's trace */
    atomic_store(&n_taken_by_threads, 0);
    start_threads(threads, take_rounds, &parent);
    join_threads(threads);
    const uint32_t n = atomic_load(&n_taken_by_threads);
    assert_in_range(n, 2.1 * THREADS * ROUNDS, 2.4 * THREADS * ROUNDS); /* 2.25 a round */
    assert_int_equal(counts().started, n);
    assert_int_equal(counts().roots_dropped, 3 * THREADS * ROUNDS - n);
    ftr_context_release(&parent);
    stop();
}

static _Atomic bool is_over;

static void *take_until_the_end(void *argument)
{
    const ftr_context *parent = argument;
    while (!atomic_load(&is_over)) {
        (void)is_root_taken();
        (void)is_taken_below(parent);
        (void)is_override_taken(1, NULL);
    }
    return NULL;
}

static void start_session(size_t i)
{
    static const char *const names[] = {"traceidratio", "", "always_off",
                                        "parentbased_ratelimiting"};
    ftr_config config = config_of(names[i % 4], "");
    config.sampler_class = i % 4 == 1 ? &judge_class : NULL;
    config.sampler_instance = &judge;
    start(&config);
}

static void test_sessions_come_and_go_while_threads_start_traces(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    ftr_context parent = remote(SAMPLED, "");
    memset(&judge, 0, sizeof judge);
    pthread_mutex_init(&judge.gate, NULL);
    atomic_store(&is_over, false);
    start_threads(threads, take_until_the_end, &parent);
    for (size_t i = 0; i < 40; i++) {
        start_session(i);
        for (uint64_t n = 0; n < 100; n = counts().roots_dropped + counts().started)
            usleep(100);
        assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
        ftr_memory_spans_unref(spans);
    }
    atomic_store(&is_over, true);
    join_threads(threads);
    ftr_context_release(&parent);
    assert_true(judge.n_asked > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sampler_is_asked_about_local_roots_only),
        cmocka_unit_test(test_a_sampler_changes_the_tracestate),
        cmocka_unit_test(test_a_sampler_that_starts_spans_is_not_asked_about_them),
        cmocka_unit_test(test_shutdown_waits_for_a_sampler),
        cmocka_unit_test(test_threads_share_a_sampler),
        cmocka_unit_test(test_sessions_come_and_go_while_threads_start_traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
