/* SPDX-License-Identifier: Apache-2.0
 *
 * FTR_DECISION_RECORD, by a sampler of the user's or instead of a drop: recorded, seen by taps and
 * live spans, exported nowhere, and unsampled for everybody else. */
#include "flows.h"

#include <stdio.h>

static ftr_decision decide(void *instance, const ftr_sampling_question *question,
                           ftr_str *tracestate)
{
    (void)instance, (void)tracestate;
    switch (question->span->name.data[0]) {
    case 's':
        return FTR_DECISION_SAMPLE;
    case 'r':
        return FTR_DECISION_RECORD;
    case 'x':
        return (ftr_decision)7;
    default:
        return FTR_DECISION_DROP;
    }
}

static const ftr_sampler_class by_name = {
    .size = sizeof by_name, .name = "by name", .decide = decide};

static void start_by_name(bool records_dropped)
{
    ftr_config config = config_of("", "");
    config.sampler_class = &by_name;
    config.records_dropped = records_dropped;
    start(&config);
}

static bool is_named_taken(const char *name)
{
    const ftr_span span = ftr_span_start(ftr_str_from(name), FTR_KIND_SERVER, NULL);
    const bool is_taken = ftr_span_is_recording(span);
    ftr_span_end(span);
    return is_taken;
}

static void test_what_is_only_recorded_is_not_exported(void **state)
{
    (void)state;
    start_by_name(false);
    ftr_tap *tap = ftr_tap_new();
    assert_true(is_named_taken("record"));
    assert_true(is_named_taken("sample"));
    assert_false(is_named_taken("drop"));
    assert_false(is_named_taken("x"));
    assert_int_equal(n_recorded(), 1);
    assert_text(recorded(0).name, "sample");
    ftr_span_data span;
    assert_int_equal(ftr_tap_next(tap, 10 * SECOND, &span), FTR_OK);
    assert_text(span.name, "record");
    assert_int_equal(span.context.trace_flags, FTR_TRACE_FLAG_RANDOM);
    assert_int_equal(ftr_tap_next(tap, 10 * SECOND, &span), FTR_OK);
    assert_text(span.name, "sample");
    ftr_tap_free(tap);
    assert_int_equal(counts().roots_recorded, 1);
    assert_int_equal(counts().roots_dropped, 2);
    assert_int_equal(counts().sampled_out, 1);
    assert_int_equal(counts().recorded, 2);
    stop();
    assert_accounts();
}

static bool see_live(void *argument, const ftr_span_data *span)
{
    size_t *n = argument;
    assert_int_equal(span->context.trace_flags, FTR_TRACE_FLAG_RANDOM);
    (*n)++;
    return true;
}

/* Through every way to start a child, with the sampled bit clear on the way out. */
static void test_children_follow_and_others_see_it_unsampled(void **state)
{
    (void)state;
    start_by_name(false);
    const ftr_span root = ftr_span_start(FTR_STR("record"), FTR_KIND_SERVER, NULL);
    ftr_context context = ftr_span_context_of(root);
    assert_int_equal(context.span.trace_flags, FTR_TRACE_FLAG_RANDOM | FTR_TRACE_FLAG_RECORDED);
    const ftr_attachment attachment = ftr_attach(&context);
    const ftr_span_options options = {.size = sizeof options, .name = FTR_STR("c")};
    const ftr_span children[] = {
        ftr_span_start(FTR_STR("a"), FTR_KIND_INTERNAL, NULL),
        ftr_span_start(FTR_STR("b"), FTR_KIND_INTERNAL, &context),
        ftr_span_start_with(&options),
    };
    size_t n_live = 0;
    assert_int_equal(ftr_live_spans(see_live, &n_live), FTR_OK);
    assert_int_equal(n_live, 4);
    char header[FTR_TRACEPARENT_LEN + 1];
    assert_true(ftr_current_traceparent(header));
    assert_string_equal(header + FTR_TRACEPARENT_LEN - 3, "-02");
    for (size_t i = 0; i < 3; i++) {
        assert_true(ftr_span_is_recording(children[i]));
        ftr_context below = ftr_span_context_of(children[i]);
        assert_memory_equal(&below.span.trace_id, &context.span.trace_id, 16);
        assert_int_equal(below.span.trace_flags, context.span.trace_flags);
        ftr_context_release(&below);
        ftr_span_end(children[i]);
    }
    ftr_detach(attachment);
    ftr_span_end(root);
    const ftr_span other = ftr_span_start(FTR_STR("sample"), FTR_KIND_INTERNAL, NULL);
    ftr_span_link(other, &context, NULL, 0);
    ftr_span_end(other);
    assert_int_equal(n_recorded(), 1);
    assert_int_equal(recorded(0).links[0].context.trace_flags, FTR_TRACE_FLAG_RANDOM);
    assert_int_equal(counts().sampled_out, 4);
    assert_int_equal(counts().roots_recorded, 1);
    ftr_context_release(&context);
    stop();
    assert_accounts();
}

static void test_a_remote_parent_may_be_recorded_too(void **state)
{
    (void)state;
    start_by_name(false);
    ftr_context parent = remote(SAMPLED, "vendor=1");
    const ftr_span span = ftr_span_start(FTR_STR("record"), FTR_KIND_SERVER, &parent);
    ftr_context context = ftr_span_context_of(span);
    assert_memory_equal(&context.span.trace_id, &parent.span.trace_id, 16);
    assert_memory_not_equal(&context.span.span_id, &parent.span.span_id, 8);
    assert_int_equal(context.span.trace_flags, FTR_TRACE_FLAG_RANDOM | FTR_TRACE_FLAG_RECORDED);
    assert_text(ftr_context_tracestate(&context), "vendor=1");
    ftr_span_end(span);
    ftr_context_release(&context);
    ftr_context_release(&parent);
    assert_int_equal(n_recorded(), 0);
    stop();
}

/* Of each sampler, what it would drop is recorded: new traces, unsampled parents, over the rate, by
 * the start's own ratio. */
static void test_what_samplers_drop_may_be_recorded(void **state)
{
    (void)state;
    static const char *const samplers[][2] = {{"always_off", ""},
                                              {"parentbased_always_on", ""},
                                              {"traceidratio", "0.5"},
                                              {"parentbased_probability", "0.5"},
                                              {"passive", ""}};
    for (size_t i = 0; i < 5; i++) {
        ftr_config config = config_of(samplers[i][0], samplers[i][1]);
        start(&config);
        ftr_context parent = remote(UNSAMPLED, "");
        size_t n_taken = 0;
        for (int k = 0; k < 500; k++)
            n_taken += is_root_taken() + (size_t)is_taken_below(&parent);
        const ftr_statistics plain = counts();
        assert_int_equal(plain.roots_recorded, 0);
        stop();
        config.records_dropped = true;
        start(&config);
        for (int k = 0; k < 500; k++) {
            assert_true(is_root_taken());
            assert_true(is_taken_below(&parent));
            assert_true(is_override_taken(0, NULL));
        }
        assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
        const ftr_statistics exact = counts();
        assert_int_equal(exact.recorded, 1500);
        assert_int_equal(exact.roots_dropped, 0);
        assert_int_equal(exact.roots_recorded, exact.sampled_out);
        if (strstr(samplers[i][0], "5") == NULL && samplers[i][1][0] == '\0')
            assert_int_equal(exact.sampled_out, 1500 - n_taken);
        ftr_context_release(&parent);
        stop();
        assert_accounts();
    }
}

/* What a sampler that takes all sampled parents leaves alone stays alone. */
static void test_the_tracestate_of_a_sampled_parent_stays(void **state)
{
    (void)state;
    ftr_config config = config_of("parentbased_always_on", "");
    config.records_dropped = true;
    start(&config);
    ftr_context parent = remote(SAMPLED, "ot=th:ff"); /* contradicts its flag */
    assert_true(is_taken_below(&parent));
    assert_int_equal(n_recorded(), 1);
    assert_text(recorded(0).tracestate, "ot=th:ff");
    ftr_context_release(&parent);
    stop();
}

static void test_over_the_rate_is_recorded(void **state)
{
    (void)state;
    ftr_config config = config_of("", "");
    config.max_traces_per_second = 1e-6;
    config.records_dropped = true;
    start(&config);
    for (int i = 0; i < 10; i++)
        assert_true(is_root_taken());
    assert_int_equal(n_recorded(), 1);
    assert_int_equal(counts().roots_over_rate, 9);
    assert_int_equal(counts().roots_recorded, 9);
    stop();
}

static ftr_decision start_one(void *instance, const ftr_sampling_question *question,
                              ftr_str *tracestate)
{
    (void)instance, (void)question, (void)tracestate;
    assert_false(is_root_taken());
    return FTR_DECISION_DROP;
}

/* What a sampler starts itself is not even recorded: it would be asked again. */
static void test_a_samplers_own_spans_are_dropped(void **state)
{
    (void)state;
    static const ftr_sampler_class starter = {
        .size = sizeof starter, .name = "starter", .decide = start_one};
    ftr_config config = config_of("", "");
    config.sampler_class = &starter;
    config.records_dropped = true;
    start(&config);
    assert_true(is_root_taken());
    assert_int_equal(counts().started, 1);
    assert_int_equal(counts().roots_dropped, 1);
    stop();
}

/* A visit below one that is only recorded has its attributes as any other. */
static void test_visits_are_recorded_with_attributes(void **state)
{
    (void)state;
    start_by_name(false);
    ftr_tap *tap = ftr_tap_new();
    const ftr_node_options options = {.size = sizeof options,
                                      .id = FTR_STR("n-1"),
                                      .type = FTR_STR("receiver/x"),
                                      .kind = FTR_NODE_RECEIVER};
    ftr_node *node = ftr_node_new(&options); /* its spans are called receiver/...: recorded */
    ftr_visit first, second;
    ftr_hop hop;
    ftr_visit_start(&first, node, NULL, 0, NULL);
    ftr_visit_emit(&first, FTR_STR("out"), 1, 1, &hop);
    ftr_visit_start(&second, node, &hop, 1, NULL);
    ftr_hop_release(&hop);
    ftr_visit_end(&second, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    ftr_visit_end(&first, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    ftr_span_data span;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ftr_tap_next(tap, 10 * SECOND, &span), FTR_OK);
        bool has_id = false;
        for (size_t k = 0; k < span.n_attributes; k++)
            has_id = has_id || (span.attributes[k].key.len == 7 &&
                                memcmp(span.attributes[k].key.data, "node.id", 7) == 0);
        assert_true(has_id);
    }
    ftr_tap_free(tap);
    assert_int_equal(counts().sampled_out, 2);
    ftr_node_free(node);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_only_recorded_is_not_exported),
        cmocka_unit_test(test_children_follow_and_others_see_it_unsampled),
        cmocka_unit_test(test_a_remote_parent_may_be_recorded_too),
        cmocka_unit_test(test_what_samplers_drop_may_be_recorded),
        cmocka_unit_test(test_the_tracestate_of_a_sampled_parent_stays),
        cmocka_unit_test(test_over_the_rate_is_recorded),
        cmocka_unit_test(test_a_samplers_own_spans_are_dropped),
        cmocka_unit_test(test_visits_are_recorded_with_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
