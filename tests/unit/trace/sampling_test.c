/* SPDX-License-Identifier: Apache-2.0
 *
 * Samplers inside the library: who is asked about what, what a span that was dropped passes on, and
 * what of the settings is refused. The decisions themselves: unit/sampling. */
#include "base/mem.h"
#include "base/time.h"
#include "sampled.h"
#include "sampling/threshold.h"

#include <unistd.h>

static void test_a_dropped_root_has_ids_and_passes_them_on(void **state)
{
    (void)state;
    start_named("always_off", "");
    const ftr_span root = start_root();
    assert_false(ftr_span_is_recording(root));
    ftr_context context = ftr_span_context_of(root);
    assert_true(ftr_trace_id_is_valid(&context.span.trace_id));
    assert_true(ftr_span_id_is_valid(&context.span.span_id));
    assert_int_equal(context.span.trace_flags, FTR_TRACE_FLAG_RANDOM);
    const ftr_attachment attachment = ftr_attach(&context);
    char header[FTR_TRACEPARENT_LEN + 1];
    assert_true(ftr_current_traceparent(header));
    assert_string_equal(header + FTR_TRACEPARENT_LEN - 3, "-02");
    for (int i = 0; i < 10; i++) {
        const ftr_span child = ftr_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, NULL);
        ftr_context below = ftr_span_context_of(child);
        assert_memory_equal(&below.span, &context.span, sizeof below.span);
        ftr_span_end(child);
        ftr_context_release(&below);
    }
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(root);
    const ftr_span next = start_root();
    ftr_context other = ftr_span_context_of(next);
    assert_memory_not_equal(&other.span.trace_id, &context.span.trace_id, 16);
    ftr_context_release(&other);
    ftr_span_end(next);
    assert_int_equal(n_recorded(), 0);
    assert_int_equal(counts().roots_dropped, 2);
    assert_int_equal(counts().started, 0);
    assert_int_equal(counts().stale, 0);
    stop();
}

static void test_dropped_roots_do_not_use_slots_up(void **state)
{
    (void)state;
    ftr_config config = config_of("always_off", "");
    config.open_spans = 4;
    start(&config);
    for (int i = 0; i < 100; i++)
        assert_false(is_root_taken());
    ftr_context parent = remote(SAMPLED, "");
    const ftr_attachment attachment = ftr_attach(&parent);
    const ftr_span_options options = {.size = sizeof options, .name = FTR_STR("s")};
    for (int i = 0; i < 100; i++) {
        assert_false(is_root_taken());
        ftr_span_end(ftr_span_start_with(&options));
    }
    ftr_detach(attachment);
    ftr_context_release(&parent);
    assert_int_equal(counts().no_slot, 0);
    assert_int_equal(counts().roots_dropped, 300);
    stop();
}

/* 7 standard deviations to either side. A trace id whose low half were not wholly random would fail
 * for the small ratios. */
static void test_a_share_of_roots_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *sampler, *ratio;
        size_t least, most;
    } shares[] = {{"traceidratio", "0.001", 101, 299},
                  {"parentbased_traceidratio", "0.01", 1688, 2312},
                  {"probability", "0.001", 101, 299},
                  {"parentbased_probability", "0.25", 48644, 51356}};
    for (size_t i = 0; i < 4; i++) {
        size_t n = 0;
        start_named(shares[i].sampler, shares[i].ratio);
        for (int k = 0; k < 200000; k++)
            n += is_root_taken();
        assert_in_range(n, shares[i].least, shares[i].most);
        assert_int_equal(counts().started, n);
        assert_int_equal(counts().roots_dropped, 200000 - n);
        stop();
    }
}

static void test_the_id_decides(void **state)
{
    (void)state;
    start_named("parentbased_traceidratio", "0.3");
    const uint64_t bound = ftri_ratio_bound(0.3);
    for (int i = 0; i < 1000; i++) {
        const ftr_span root = start_root();
        ftr_context context = ftr_span_context_of(root);
        assert_int_equal(ftr_span_is_recording(root),
                         ftri_ratio_takes(bound, &context.span.trace_id));
        assert_int_equal(context.span.trace_flags,
                         FTR_TRACE_FLAG_RANDOM | ftr_span_is_recording(root));
        ftr_context_release(&context);
        ftr_span_end(root);
    }
    stop();
}

/* With each way to name a parent: argument, options, current context. */
static void assert_below(ftr_context *parent, bool is_taken)
{
    assert_int_equal(is_taken_below(parent), is_taken);
    const ftr_span_options options = {
        .size = sizeof options, .name = FTR_STR("s"), .parent = parent};
    const ftr_span span = ftr_span_start_with(&options);
    assert_int_equal(ftr_span_is_recording(span), is_taken);
    ftr_span_end(span);
    const ftr_attachment attachment = ftr_attach(parent);
    for (int i = 0; i < 3; i++)
        assert_int_equal(is_taken_below(NULL), is_taken);
    ftr_detach(attachment);
}

static void test_remote_parents(void **state)
{
    (void)state;
    static const struct {
        const char *sampler, *ratio;
        bool below_sampled, below_unsampled;
    } cases[] = {
        {"parentbased_always_on", "", true, false},
        {"parentbased_always_off", "", true, false},
        {"parentbased_traceidratio", "0", true, false},
        {"parentbased_probability", "0", true, false},
        {"parentbased_ratelimiting", "1", true, false},
        {"passive", "", true, false},
        {"always_on", "", true, true},
        {"always_off", "", false, false},
        {"traceidratio", "1", true, true},
        {"traceidratio", "0.9", false, false},
        {"probability", "0.5", true, true},
        {"probability", "0.49", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_named(cases[i].sampler, cases[i].ratio);
        ftr_context sampled = remote(SAMPLED, "vendor=1");
        ftr_context unsampled = remote(UNSAMPLED, "");
        ftr_context plain = remote(SAMPLED, "");
        assert_below(&sampled, cases[i].below_sampled);
        assert_below(&plain, cases[i].below_sampled);
        assert_below(&unsampled, cases[i].below_unsampled);
        ftr_context_release(&sampled);
        ftr_context_release(&unsampled);
        ftr_context_release(&plain);
        stop();
    }
}

/* A context that was attached before the session began knows nothing of its sampler. */
static void test_contexts_attached_earlier(void **state)
{
    (void)state;
    enum { DEEP = 70 };
    ftr_attachment attachments[DEEP];
    ftr_context parent = remote(SAMPLED, "");
    start_named("parentbased_always_on", "");
    stop(); /* the last session asked about nothing */
    for (int i = 0; i < DEEP; i++)
        attachments[i] = ftr_attach(&parent);
    static const char *const names[] = {"always_on", "always_off", "parentbased_always_off",
                                        "always_off"};
    for (size_t i = 0; i < 4; i++) {
        start_named(names[i], "");
        for (int k = 0; k < 3; k++)
            assert_int_equal(is_taken_below(NULL), i % 2 == 0);
        stop();
    }
    start_named("always_off", "");
    for (int i = DEEP; i > 0; i--) {
        assert_false(is_taken_below(NULL));
        ftr_detach(attachments[i - 1]);
    }
    stop();
    ftr_context_release(&parent);
}

/* W3C Trace Context 3.4: who changes the sampled flag sets a parent-id of its own. */
static void test_a_dropped_remote_parent(void **state)
{
    (void)state;
    start_named("probability", "0.1");
    ftr_context parent = remote(SAMPLED, "a=1,ot=th:8;x:y");
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_SERVER, &parent);
    ftr_context context = ftr_span_context_of(span);
    assert_memory_equal(&context.span.trace_id, &parent.span.trace_id, 16);
    assert_memory_not_equal(&context.span.span_id, &parent.span.span_id, 8);
    assert_true(ftr_span_id_is_valid(&context.span.span_id));
    assert_int_equal(context.span.trace_flags, FTR_TRACE_FLAG_RANDOM);
    assert_false(context.span.is_remote);
    assert_text(ftr_context_tracestate(&context), "ot=x:y,a=1");
    assert_text(ftr_context_tracestate(&parent), "a=1,ot=th:8;x:y");
    ftr_context_release(&context);
    ftr_span_end(span);
    ftr_context_release(&parent);
    assert_int_equal(counts().roots_dropped, 1);
    stop();
}

static void test_th_travels_with_the_trace(void **state)
{
    (void)state;
    start_named("parentbased_probability", "1");
    const ftr_span root = start_root();
    ftr_context context = ftr_span_context_of(root);
    assert_text(ftr_context_tracestate(&context), "ot=th:0");
    assert_true(is_taken_below(&context));
    ftr_span_end(root);
    ftr_context_release(&context);
    ftr_context parent = remote(SAMPLED, "a=1,ot=th:8;rv:80000000000000");
    assert_true(is_taken_below(&parent));
    ftr_context_release(&parent);
    parent = remote(SAMPLED, "a=1,ot=th:9;rv:80000000000000"); /* R < T: somebody is wrong */
    assert_true(is_taken_below(&parent));
    ftr_context_release(&parent);
    assert_text(recorded(0).tracestate, "ot=th:0");
    assert_text(recorded(1).tracestate, "ot=th:0");
    assert_text(recorded(2).tracestate, "a=1,ot=th:8;rv:80000000000000");
    assert_text(recorded(3).tracestate, "ot=rv:80000000000000,a=1");
    stop();
}

/* What is written satisfies what others check: randomness is at least th. */
static void test_th_holds_for_every_root_that_is_taken(void **state)
{
    (void)state;
    start_named("probability", "0.3333333333333333"); /* aaab in the specification's table */
    for (int i = 0; i < 1000; i++) {
        const ftr_span root = start_root();
        ftr_context context = ftr_span_context_of(root);
        const uint64_t randomness = ftri_randomness_of(&context.span.trace_id);
        assert_int_equal(ftr_span_is_recording(root), randomness >= UINT64_C(0xaaab0000000000));
        assert_text(ftr_context_tracestate(&context),
                    ftr_span_is_recording(root) ? "ot=th:aaab" : "");
        ftr_context_release(&context);
        ftr_span_end(root);
    }
    stop();
}

static void test_th_stands_beside_baggage(void **state)
{
    (void)state;
    start_named("probability", "1");
    ftr_context around = FTR_CONTEXT_NONE;
    assert_true(ftr_baggage_set(&around, FTR_STR("user"), FTR_STR("7")));
    const ftr_attachment attachment = ftr_attach(&around);
    const ftr_span root = start_root();
    ftr_context context = ftr_span_context_of(root);
    assert_text(ftr_context_tracestate(&context), "ot=th:0");
    assert_text(ftr_context_baggage(&context), "user=7");
    ftr_context_release(&context);
    ftr_span_end(root);
    ftri_mem_fail_at(1); /* the root's block: neither th nor baggage, but a span */
    assert_true(is_root_taken());
    ftri_mem_fail_at(0);
    ftr_detach(attachment);
    ftr_context_release(&around);
    stop();
}

static void test_an_override_beats_the_sampler(void **state)
{
    (void)state;
    start_named("traceidratio", "0");
    assert_false(is_root_taken());
    const ftr_span root = start_override(1, NULL);
    ftr_context context = ftr_span_context_of(root);
    assert_true(is_taken_below(&context));
    assert_true(is_override_taken(0, &context)); /* no local root: it follows its parent */
    assert_int_equal(ftr_context_tracestate(&context).len, 0);
    ftr_context_release(&context);
    ftr_span_end(root);
    ftr_context parent = remote(UNSAMPLED, "ot=th:8");
    assert_true(is_override_taken(1, &parent));
    ftr_context_release(&parent);
    assert_int_equal(recorded(3).tracestate.len, 0);
    stop();
    start_named("parentbased_always_on", "");
    assert_false(is_override_taken(0, NULL));
    assert_true(is_root_taken());
    parent = remote(SAMPLED, "");
    assert_false(is_override_taken(0, &parent));
    assert_true(is_override_taken(0.5, &parent)); /* by the randomness of the id */
    assert_false(is_override_taken(0.4375, &parent));
    ftr_context_release(&parent);
    assert_text(recorded(1).tracestate, "ot=th:8");
    stop();
}

/* A caller that was built before the field existed. */
static void test_options_of_an_earlier_size_have_no_override(void **state)
{
    (void)state;
    start_named("always_off", "");
    const ftr_span_options options = {.size = offsetof(ftr_span_options, has_sampling_ratio),
                                      .has_sampling_ratio = true,
                                      .sampling_ratio = 1};
    const ftr_span span = ftr_span_start_with(&options);
    assert_false(ftr_span_is_recording(span));
    ftr_span_end(span);
    stop();
}

static void test_a_rate_limit_holds_new_traces_only(void **state)
{
    (void)state;
    ftri_time_fake(10 * SECOND, 10 * SECOND);
    ftr_config config = config_of("always_on", "");
    config.max_traces_per_second = 3;
    start(&config);
    ftr_context parent = remote(SAMPLED, "");
    for (int second = 10; second < 14; second++) {
        int n = 0;
        ftri_time_fake((uint64_t)second * SECOND + (uint64_t)second * MS, 10 * SECOND);
        for (int i = 0; i < 20; i++) {
            n += is_root_taken();
            assert_true(is_taken_below(&parent));
            assert_true(is_override_taken(1, NULL));
        }
        assert_int_equal(n, 3);
    }
    ftr_context_release(&parent);
    assert_int_equal(counts().roots_over_rate, 4 * 17);
    assert_int_equal(counts().roots_dropped, 4 * 17);
    stop();
    start_named("parentbased_ratelimiting", "2");
    int n = 0;
    for (int i = 0; i < 20; i++)
        n += is_root_taken();
    assert_int_equal(n, 2);
    stop();
    ftri_time_real();
}

static int n_taken_in_a_second(const char *rate, double most)
{
    int n = 0;
    ftri_time_fake(10 * SECOND, 10 * SECOND);
    ftr_config config = config_of("parentbased_ratelimiting", rate);
    config.max_traces_per_second = most;
    start(&config);
    for (int i = 0; i < 20; i++)
        n += is_root_taken();
    stop();
    ftri_time_real();
    return n;
}

static void test_of_two_rate_limits_the_lower_one_holds(void **state)
{
    (void)state;
    assert_int_equal(n_taken_in_a_second("2", 5), 2);
    assert_int_equal(n_taken_in_a_second("5", 2), 2);
    assert_int_equal(n_taken_in_a_second("5", 0), 5);
}

static void assert_refused(const ftr_config *config, const char *field)
{
    ftr_error error;
    assert_int_equal(ftr_init(config, &error), FTR_ERR_INVALID);
    if (!strstr(error.text, field))
        fail_msg("%s does not name %s", error.text, field);
}

static const ftr_sampler_class incomplete = {.size = sizeof incomplete};

static void test_settings_that_are_refused(void **state)
{
    (void)state;
    ftr_config config = config_of("sometimes", "");
    assert_refused(&config, "sampler: no sampler is called 'sometimes'");
    config = config_of("traceidratio", "1.5");
    assert_refused(&config, "sampler_argument: '1.5' is not a ratio between 0 and 1");
    config = config_of("parentbased_ratelimiting", "none");
    assert_refused(&config, "sampler_argument: 'none' is not a number of traces per second");
    config = config_of("", "");
    config.max_traces_per_second = -1;
    assert_refused(&config, "max_traces_per_second");
    config.max_traces_per_second = __builtin_nan("");
    assert_refused(&config, "max_traces_per_second");
    config.max_traces_per_second = 0;
    config.sampler_class = &incomplete;
    assert_refused(&config, "sampler_class: decide is NULL");
    config.sampler = FTR_STR("always_on");
    assert_refused(&config, "sampler: set beside sampler_class");
    config = config_of("", "0.5");
    assert_refused(&config, "sampler_argument: set without sampler");
    config.sampler_class = &incomplete;
    assert_refused(&config, "sampler_argument: set without sampler");
}

/* How many of 200 roots are taken, with the environment's sampler. */
static int n_taken(const char *sampler, const char *argument)
{
    setenv("OTEL_TRACES_SAMPLER", sampler, 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", argument, 1);
    start_named("", "");
    int n = 0;
    for (int i = 0; i < 200; i++)
        n += is_root_taken();
    stop();
    unsetenv("OTEL_TRACES_SAMPLER");
    unsetenv("OTEL_TRACES_SAMPLER_ARG");
    return n;
}

static void test_the_environment_names_the_sampler(void **state)
{
    (void)state;
    assert_int_equal(n_taken("", ""), 200);
    assert_int_equal(n_taken("", "0"), 200); /* the argument of no sampler */
    assert_int_equal(n_taken("always_on", "0"), 200);
    assert_int_equal(n_taken("Always_Off", ""), 0);
    assert_int_equal(n_taken("parentbased_always_off", ""), 0);
    assert_int_equal(n_taken("traceidratio", "0"), 0);
    assert_int_equal(n_taken("traceidratio", ""), 200);
    assert_int_equal(n_taken("parentbased_traceidratio", "0.0"), 0);
    assert_string_equal(told, "");
    assert_int_equal(n_taken("xray", ""), 200);
    assert_non_null(strstr(told,
                           "OTEL_TRACES_SAMPLER: 'xray' asks a service, which is not supported; "
                           "parentbased_always_on is used\n"));
    assert_int_equal(n_taken("dice", ""), 200);
    assert_non_null(strstr(told, "OTEL_TRACES_SAMPLER: no sampler is called 'dice'; "
                                 "parentbased_always_on is used\n"));
    assert_int_equal(n_taken("traceidratio", "half"), 200);
    assert_non_null(strstr(told, "OTEL_TRACES_SAMPLER_ARG: 'half' is not a ratio between 0 and 1; "
                                 "1.0 is used\n"));
    assert_int_equal(n_taken("parentbased_traceidratio", "-0.5"), 200);
    assert_non_null(strstr(told, "'-0.5'"));
    setenv("OTEL_TRACES_SAMPLER", "xray", 1);
    start_named("always_off", ""); /* the configuration goes before the environment */
    assert_false(is_root_taken());
    assert_string_equal(told, "");
    stop();
    unsetenv("OTEL_TRACES_SAMPLER");
}

/* A few lines on stderr, not one for each session. */
static void test_without_a_callback_stderr_is_told(void **state)
{
    (void)state;
    int ends[2];
    char text[8192];
    assert_int_equal(pipe(ends), 0);
    const int old = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    setenv("OTEL_TRACES_SAMPLER", "dice", 1);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
        assert_int_equal(ftr_shutdown(SECOND * 10), FTR_OK);
    }
    unsetenv("OTEL_TRACES_SAMPLER");
    dup2(old, STDERR_FILENO);
    close(old);
    close(ends[1]);
    const ssize_t len = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(len > 0);
    text[len] = '\0';
    static const char line[] = "flowtrace: OTEL_TRACES_SAMPLER: no sampler is called 'dice'; "
                               "parentbased_always_on is used\n";
    assert_int_equal(len % (ssize_t)(sizeof line - 1), 0);
    assert_in_range(len / (ssize_t)(sizeof line - 1), 1, 10); /* 5 a minute */
    assert_memory_equal(text, line, sizeof line - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dropped_root_has_ids_and_passes_them_on),
        cmocka_unit_test(test_dropped_roots_do_not_use_slots_up),
        cmocka_unit_test(test_a_share_of_roots_is_taken),
        cmocka_unit_test(test_the_id_decides),
        cmocka_unit_test(test_remote_parents),
        cmocka_unit_test(test_contexts_attached_earlier),
        cmocka_unit_test(test_a_dropped_remote_parent),
        cmocka_unit_test(test_th_travels_with_the_trace),
        cmocka_unit_test(test_th_holds_for_every_root_that_is_taken),
        cmocka_unit_test(test_th_stands_beside_baggage),
        cmocka_unit_test(test_an_override_beats_the_sampler),
        cmocka_unit_test(test_options_of_an_earlier_size_have_no_override),
        cmocka_unit_test(test_a_rate_limit_holds_new_traces_only),
        cmocka_unit_test(test_of_two_rate_limits_the_lower_one_holds),
        cmocka_unit_test(test_settings_that_are_refused),
        cmocka_unit_test(test_the_environment_names_the_sampler),
        cmocka_unit_test(test_without_a_callback_stderr_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
