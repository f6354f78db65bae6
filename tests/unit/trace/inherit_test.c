/* SPDX-License-Identifier: Apache-2.0
 *
 * What spans have from the context they are started below: fields, on every thread and in both
 * export forms. */
#include "sent.h"
#include "spans.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, ROUNDS = 200 };

static void set_text(ftr_context *context, const char *key, const char *text)
{
    const ftr_value value = ftr_value_str(ftr_str_from(text));
    assert_true(ftr_context_set_field(context, ftr_str_from(key), &value));
}

static ftr_span start_span(const char *name, const ftr_context *parent)
{
    return ftr_span_start(ftr_str_from(name), FTR_KIND_INTERNAL, parent);
}

static void test_a_field_is_on_every_span_below(void **state)
{
    (void)state;
    start_standard();
    {
        FTR_SPAN(above, "above");
        ftr_context job = ftr_context_current();
        set_text(&job, "job_id", "j1");
        FTR_ATTACHED(guard, &job);
        FTR_SPAN(task, "task");
        FTR_SPAN_SET(task, "rows", 5);
        ftr_context deeper = ftr_context_current();
        const ftr_value epoch = ftr_value_i64(42);
        assert_true(ftr_context_set_field(&deeper, FTR_STR("epoch"), &epoch));
        set_text(&deeper, "job_id", "j2");
        ftr_span_end(start_span("operator", &deeper));
        ftr_context_release(&deeper);
        ftr_context_release(&job);
        FTR_SPAN(after, "after");
    }
    const ftr_span_data above = span_named("above");
    const ftr_span_data task = span_named("task");
    const ftr_span_data operated = span_named("operator");
    const ftr_span_data after = span_named("after");
    assert_int_equal(above.n_attributes, 0);
    assert_int_equal(task.n_attributes, 2);
    assert_text_attribute(&task, "job_id", "j1");
    assert_i64_attribute(&task, "rows", 5);
    assert_int_equal(operated.n_attributes, 2);
    assert_text_attribute(&operated, "job_id", "j2");
    assert_i64_attribute(&operated, "epoch", 42);
    assert_int_equal(after.n_attributes, 1);
    assert_is_child(&after, &task);
    stop();
}

static void test_the_spans_own_value_wins(void **state)
{
    (void)state;
    start_standard();
    ftr_context context = FTR_CONTEXT_NONE;
    set_text(&context, "a", "inherited");
    set_text(&context, "b", "inherited");
    const ftr_span span = start_span("span", &context);
    ftr_span_set_i64(span, FTR_STR("b"), 1);
    ftr_span_set_i64(span, FTR_STR("b"), 2);
    ftr_span_end(span);
    ftr_context_release(&context);
    const ftr_span_data data = span_named("span");
    assert_int_equal(data.n_attributes, 2);
    assert_text_attribute(&data, "a", "inherited");
    assert_i64_attribute(&data, "b", 2);
    stop();
}

static void test_new_traces_inherit_but_not_the_tracestate(void **state)
{
    (void)state;
    start_standard();
    ftr_field fields[] = {{FTR_STR("traceparent"),
                           FTR_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
                          {FTR_STR("tracestate"), FTR_STR("vendor=1")}};
    ftr_field_list list = {.fields = fields, .n_fields = 2};
    ftr_context context = ftr_extract(&ftr_map_carrier, &list);
    set_text(&context, "job_id", "j1");
    ftr_span_end(start_span("child", &context));
    const ftr_span_options options = {
        .size = sizeof options, .name = FTR_STR("root"), .is_root = true, .parent = &context};
    ftr_span_end(ftr_span_start_with(&options));
    ftr_context_release(&context);
    const ftr_span_data child = span_named("child");
    const ftr_span_data root = span_named("root");
    assert_text(child.tracestate, "vendor=1");
    assert_text_attribute(&child, "job_id", "j1");
    assert_text(root.tracestate, "");
    assert_text_attribute(&root, "job_id", "j1");
    assert_false(ftr_span_id_is_valid(&root.parent_span_id));
    stop();
}

static void test_fields_do_not_count_against_the_limit(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.limits.attributes = 2;
    start(&config);
    ftr_context context = FTR_CONTEXT_NONE;
    char key[8];
    for (int i = 0; i < FTR_CONTEXT_FIELDS; i++) {
        snprintf(key, sizeof key, "k%d", i);
        set_text(&context, key, "v");
    }
    const ftr_span span = start_span("span", &context);
    for (int i = 0; i < 3; i++)
        ftr_span_set_i64(span, (ftr_str){&"abc"[i], 1}, i);
    ftr_span_end(span);
    ftr_context_release(&context);
    const ftr_span_data data = span_named("span");
    assert_int_equal(data.n_attributes, FTR_CONTEXT_FIELDS + 2);
    assert_int_equal(data.n_dropped_attributes, 1);
    assert_text_attribute(&data, "k31", "v");
    stop();
}

static void test_fields_are_in_the_bytes_that_are_sent(void **state)
{
    (void)state;
    ftr_exporter *exporter = ftr_exporter_new(&keeper, NULL);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    ftr_context context = FTR_CONTEXT_NONE;
    set_text(&context, "job_id", "j1");
    ftr_span_end(start_span("span", &context));
    ftr_context_release(&context);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    /* Span.attributes (9): KeyValue { key 1: "job_id", value 2: { string_value 1: "j1" } } */
    static const char expected[] = "\x4a\x0e\x0a\x06job_id\x12\x04\x0a\x02j1";
    assert_true(was_sent(expected, sizeof expected - 1));
}

/* ---- threads ---- */

static void *record_below(void *argument)
{
    ftr_context *context = argument;
    void *failure = NULL;
    for (int i = 0; i < ROUNDS; i++) {
        FTR_ATTACHED(guard, context);
        FTR_SPAN(work, "work");
        ftr_context own = ftr_context_current();
        const ftr_value turn = ftr_value_i64(i);
        if (!ftr_context_set_field(&own, FTR_STR("turn"), &turn))
            failure = argument;
        ftr_span_end(start_span("inner", &own));
        ftr_context_release(&own);
    }
    ftr_context_release(context);
    return failure;
}

static void test_contexts_are_carried_across_threads(void **state)
{
    (void)state;
    start_standard();
    pthread_t threads[THREADS];
    ftr_context carried[THREADS];
    {
        FTR_SPAN(job, "job");
        ftr_context context = ftr_context_current();
        set_text(&context, "job_id", "j1");
        for (int i = 0; i < THREADS; i++)
            carried[i] = ftr_context_copy(&context);
        ftr_context_release(&context);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_below, &carried[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failure;
        assert_int_equal(pthread_join(threads[i], &failure), 0);
        assert_null(failure);
    }
    const ftr_span_data job = span_named("job");
    assert_int_equal(ftr_memory_spans_count(spans), 1 + 2 * THREADS * ROUNDS);
    size_t n_inner = 0;
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        if (span.name.len == 3)
            continue;
        assert_memory_equal(&span.context.trace_id, &job.context.trace_id, 16);
        assert_text_attribute(&span, "job_id", "j1");
        n_inner += value_of(&span, "turn") != NULL;
    }
    assert_int_equal(n_inner, THREADS * ROUNDS);
    stop();
}

/* A coroutine without a stack: what it needs from step to step is in here. */
struct coroutine {
    int step;
    ftr_span span;
    ftr_context context;
};

static void *resume(void *argument)
{
    struct coroutine *self = argument;
    FTR_ATTACHED(resumed, &self->context);
    ftr_span_set_i64(self->span, FTR_STR("steps"), ++self->step);
    FTR_SPAN(step, "step");
    return NULL;
}

static void test_coroutines_go_on_on_other_threads(void **state)
{
    (void)state;
    enum { COROUTINES = 2, STEPS = 5 };
    start_standard();
    struct coroutine coroutines[COROUTINES];
    for (int i = 0; i < COROUTINES; i++) {
        const ftr_span span = start_span(i == 0 ? "first" : "second", NULL);
        coroutines[i] = (struct coroutine){0, span, ftr_span_context_of(span)};
    }
    for (int i = 0; i < COROUTINES * STEPS; i++) {
        pthread_t thread;
        struct coroutine *next = &coroutines[i % COROUTINES];
        assert_int_equal(pthread_create(&thread, NULL, resume, next), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    for (int i = 0; i < COROUTINES; i++) {
        ftr_span_end(coroutines[i].span);
        ftr_context_release(&coroutines[i].context);
    }
    const ftr_span_data first = span_named("first");
    const ftr_span_data second = span_named("second");
    assert_i64_attribute(&first, "steps", STEPS);
    assert_i64_attribute(&second, "steps", STEPS);
    size_t n_below_first = 0;
    ftr_span_data step;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &step); i++) {
        if (!ftr_span_id_is_valid(&step.parent_span_id))
            continue;
        const bool is_first =
            memcmp(&step.context.trace_id, &first.context.trace_id, sizeof(ftr_trace_id)) == 0;
        assert_is_child(&step, is_first ? &first : &second);
        n_below_first += is_first;
    }
    assert_int_equal(n_below_first, STEPS);
    assert_int_equal(counts().ended, COROUTINES * (STEPS + 1));
    assert_int_equal(counts().stale, 0);
    stop();
}

/* ---- memory ---- */

static void count_call(void *state, ftr_span span)
{
    (void)span;
    (*(int *)state)++;
}

/* A span with all that a context gives, below an extracted context; what cannot be had is left out.
 */
static void record_with_everything(void)
{
    ftr_field fields[] = {
        {FTR_STR("traceparent"),
         FTR_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
        {FTR_STR("baggage"), FTR_STR("user=u1")},
    };
    ftr_field_list list = {.fields = fields, .n_fields = 2};
    const ftr_value job = ftr_value_str(FTR_STR("j1"));
    static int n_finished;
    ftr_context context = ftr_extract(&ftr_map_carrier, &list);
    (void)ftr_context_set_field(&context, FTR_STR("job_id"), &job);
    (void)ftr_context_set_finish_callback(&context, count_call, &n_finished);
    FTR_ATTACHED(guard, &context);
    FTR_SPAN(span, "span");
    (void)ftr_context_remove_field(&context, FTR_STR("job_id"));
    ftr_span_end(ftr_span_fork(FTR_STR("fork"), FTR_KIND_INTERNAL, &context));
    ftr_context_release(&context);
}

static void *record_on_a_new_thread(void *argument)
{
    record_with_everything();
    return argument;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    bool has_worked = false;
    for (uint64_t n = 1; n < 100 && !has_worked; n++) {
        start_standard();
        ftri_mem_fail_at(n);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, record_on_a_new_thread, NULL), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        has_worked = ftri_mem_requests() < n;
        ftri_mem_fail_at(0);
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
        assert_int_equal(counts().ended, counts().started);
        assert_int_equal(counts().stale, 0);
        if (has_worked)
            assert_int_equal(counts().ended, 3);
        stop();
    }
    assert_true(has_worked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_field_is_on_every_span_below),
        cmocka_unit_test(test_the_spans_own_value_wins),
        cmocka_unit_test(test_new_traces_inherit_but_not_the_tracestate),
        cmocka_unit_test(test_fields_do_not_count_against_the_limit),
        cmocka_unit_test(test_fields_are_in_the_bytes_that_are_sent),
        cmocka_unit_test(test_contexts_are_carried_across_threads),
        cmocka_unit_test(test_coroutines_go_on_on_other_threads),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
