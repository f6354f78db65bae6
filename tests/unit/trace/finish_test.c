/* SPDX-License-Identifier: Apache-2.0
 *
 * How spans end: finish callbacks, and times other than those of the calls. */
#include "spans.h"

#include "base/time.h"

#include <pthread.h>
#include <stdatomic.h>

static void set_text(ftr_context *context, const char *key, const char *text)
{
    const ftr_value value = ftr_value_str(ftr_str_from(text));
    assert_true(ftr_context_set_field(context, ftr_str_from(key), &value));
}

static ftr_span start_span(const char *name, const ftr_context *parent)
{
    return ftr_span_start(ftr_str_from(name), FTR_KIND_INTERNAL, parent);
}

static void *end_span(void *argument)
{
    ftr_span_end(*(const ftr_span *)argument);
    return NULL;
}

/* ---- finish callbacks ---- */

static _Atomic int n_calls;
static char who[] = "note";

static void note(void *state, ftr_span span)
{
    n_calls += ftr_span_is_recording(span);
    ftr_span_set_str(span, FTR_STR("finished.by"), ftr_str_from(state));
    ftr_span_set_name(span, FTR_STR("renamed"));
    ftr_span_set_status(span, FTR_SPAN_OK, FTR_STR(""));
}

static void test_a_callback_runs_before_a_span_is_final(void **state)
{
    (void)state;
    start_standard();
    n_calls = 0;
    ftr_context context = FTR_CONTEXT_NONE;
    assert_true(ftr_context_set_finish_callback(&context, note, who));
    const ftr_span span = start_span("span", &context);
    assert_int_equal(n_calls, 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, end_span, (void *)&span), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(n_calls, 1);
    ftr_context_release(&context);
    const ftr_span_data data = flushed(0);
    assert_text(data.name, "renamed");
    assert_text_attribute(&data, "finished.by", "note");
    assert_int_equal(data.status, FTR_SPAN_OK);
    assert_int_equal(counts().ended, 1);
    assert_int_equal(counts().stale, 0);
    stop();
}

static void count_call(void *state, ftr_span span)
{
    (void)span;
    (*(int *)state)++;
}

static void test_a_callback_is_inherited_and_removable(void **state)
{
    (void)state;
    start_standard();
    int n_first = 0;
    int n_second = 0;
    ftr_context context = FTR_CONTEXT_NONE;
    assert_true(ftr_context_set_finish_callback(&context, count_call, &n_first));
    {
        FTR_ATTACHED(guard, &context);
        FTR_SPAN(root, "root");   /* first */
        FTR_SPAN(child, "child"); /* first */
        FTR_SPAN(skipped, "skipped");
        ftr_span_skip_finish_callback(skipped.span);
        FTR_SPAN(grandchild, "grandchild"); /* first */
        ftr_context below = ftr_context_current();
        assert_true(ftr_context_set_finish_callback(&below, NULL, NULL));
        assert_null(below.block);
        {
            FTR_ATTACHED(without, &below);
            FTR_SPAN(silent, "silent");
            FTR_SPAN(also_silent, "also silent");
        }
        assert_true(ftr_context_set_finish_callback(&below, count_call, &n_second));
        ftr_span_end(start_span("other", &below)); /* second */
        ftr_context_release(&below);
        assert_int_equal(n_first, 0);
    }
    assert_int_equal(n_first, 3);
    assert_int_equal(n_second, 1);
    ftr_context_release(&context);
    assert_int_equal(counts().ended, 7);
    stop();
}

static void end_early(void *state, ftr_span span)
{
    (void)state;
    n_calls++;
    ftr_span_end_at(span, 1700000000000000007);
}

static void start_another(void *state, ftr_span span)
{
    (void)span;
    if (n_calls++ < 3)
        ftr_span_end(start_span("another", state));
}

static void test_a_callback_may_end_its_span_and_start_others(void **state)
{
    (void)state;
    start_standard();
    n_calls = 0;
    ftr_context context = FTR_CONTEXT_NONE;
    assert_true(ftr_context_set_finish_callback(&context, end_early, NULL));
    const ftr_span span = start_span("span", &context);
    ftr_span_set_start_time(span, 1700000000000000000);
    ftr_span_end(span);
    assert_int_equal(n_calls, 1);
    assert_true(ftr_context_set_finish_callback(&context, start_another, &context));
    n_calls = 0;
    ftr_span_end(start_span("first", &context));
    assert_int_equal(n_calls, 4);
    ftr_context_release(&context);
    assert_int_equal(span_named("span").end_time_ns, 1700000000000000007);
    assert_int_equal(counts().started, 5);
    assert_int_equal(counts().ended, 5);
    assert_int_equal(counts().open, 0);
    assert_int_equal(counts().stale, 0);
    stop();
}

static void test_a_callback_is_not_run_for_spans_that_do_not_record(void **state)
{
    (void)state;
    start_standard();
    n_calls = 0;
    ftr_context context = FTR_CONTEXT_NONE;
    memset(&context.span.trace_id, 1, 16);
    memset(&context.span.span_id, 2, 8);
    assert_true(ftr_context_set_finish_callback(&context, note, who));
    ftr_span_end(start_span("span", &context));
    ftr_context_release(&context);
    assert_int_equal(n_calls, 0);
    stop();
}

/* Krishiv, "Distributed tracing": every span is annotated with job_id, task_id, epoch, operator_id,
 * plus the current traceparent and tracestate. */
static void test_spans_may_carry_krishivs_standard_fields(void **state)
{
    (void)state;
    start_standard();
    ftr_field fields[] = {{FTR_STR("traceparent"),
                           FTR_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
                          {FTR_STR("tracestate"), FTR_STR("vendor=1")}};
    ftr_field_list list = {.fields = fields, .n_fields = 2};
    const ftr_value epoch = ftr_value_i64(12);
    char current[2][FTR_TRACEPARENT_LEN + 1];
    ftr_context job = ftr_extract(&ftr_map_carrier, &list);
    set_text(&job, "job_id", "j1");
    set_text(&job, "task_id", "t1");
    assert_true(ftr_context_set_field(&job, FTR_STR("epoch"), &epoch));
    set_text(&job, "operator_id", "window-3");
    assert_true(ftr_context_set_finish_callback(&job, ftr_finish_with_traceparent, NULL));
    {
        FTR_SPAN_BELOW(task, "run_task", FTR_KIND_SERVER, &job);
        assert_true(ftr_current_traceparent(current[0]));
        FTR_SPAN(window, "execute_window");
        assert_true(ftr_current_traceparent(current[1]));
        assert_text(ftr_current_tracestate(), "vendor=1");
    }
    ftr_context_release(&job);
    for (size_t i = 0; i < 2; i++) {
        const ftr_span_data span = span_named(i == 0 ? "run_task" : "execute_window");
        assert_int_equal(span.n_attributes, 6);
        assert_text_attribute(&span, "job_id", "j1");
        assert_text_attribute(&span, "task_id", "t1");
        assert_i64_attribute(&span, "epoch", 12);
        assert_text_attribute(&span, "operator_id", "window-3");
        assert_text_attribute(&span, "traceparent", current[i]);
        assert_text_attribute(&span, "tracestate", "vendor=1");
    }
    stop();
}

/* ---- times ---- */

/* The slot is used again by the next session. */
static void test_what_a_span_left_undone_is_not_the_next_sessions(void **state)
{
    (void)state;
    start_standard();
    int n_called = 0;
    ftr_context context = FTR_CONTEXT_NONE;
    assert_true(ftr_context_set_finish_callback(&context, count_call, &n_called));
    const ftr_span left = start_span("never ended by anybody", &context);
    ftr_span_set_end_time(left, 1);
    ftr_context_release(&context);
    stop();
    start_standard();
    const uint64_t before_ns = ftri_time_wall_ns();
    ftr_span_end(start_span("a name of more than 16 bytes", NULL));
    const ftr_span_data data = flushed(0);
    assert_true(data.end_time_ns + SECOND > before_ns);
    assert_true(data.end_time_ns > data.start_time_ns);
    assert_int_equal(n_called, 0);
    stop();
}

static void test_times_may_be_set_while_the_span_is_open(void **state)
{
    (void)state;
    ftri_time_fake(5000, 1700000000000000000);
    start_standard();
    const ftr_span both = start_span("both", NULL);
    ftr_span_set_start_time(both, 1600000000000000001);
    ftr_span_set_end_time(both, 1600000000000000009);
    ftr_span_end(both);
    const ftr_span start_only = start_span("start", NULL);
    ftr_span_set_start_time(start_only, 1600000000000000002);
    ftr_span_end(start_only);
    const ftr_span backwards = start_span("backwards", NULL);
    ftr_span_set_end_time(backwards, 3);
    ftr_span_end(backwards);
    const ftr_span end_at = start_span("end at", NULL);
    ftr_span_set_end_time(end_at, 1800000000000000001);
    ftr_span_end_at(end_at, 1800000000000000002);
    {
        FTR_SPAN(scope, "scope");
        ftr_span_set_end_time(scope.span, 1800000000000000003);
    }
    ftr_span_set_end_time(both, 1); /* stale */
    assert_int_equal(counts().stale, 1);
    ftr_span_end(start_span("next", NULL)); /* the slot of one before: nothing is left in it */
    assert_int_equal(span_named("both").start_time_ns, 1600000000000000001);
    assert_int_equal(span_named("both").end_time_ns, 1600000000000000009);
    assert_int_equal(span_named("start").start_time_ns, 1600000000000000002);
    assert_int_equal(span_named("start").end_time_ns, 1700000000000000000);
    assert_int_equal(span_named("backwards").end_time_ns, 1700000000000000000);
    assert_int_equal(span_named("end at").end_time_ns, 1800000000000000002);
    assert_int_equal(span_named("scope").end_time_ns, 1800000000000000003);
    assert_int_equal(span_named("next").start_time_ns, 1700000000000000000);
    assert_int_equal(span_named("next").end_time_ns, 1700000000000000000);
    stop();
    ftri_time_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_callback_runs_before_a_span_is_final),
        cmocka_unit_test(test_a_callback_is_inherited_and_removable),
        cmocka_unit_test(test_a_callback_may_end_its_span_and_start_others),
        cmocka_unit_test(test_a_callback_is_not_run_for_spans_that_do_not_record),
        cmocka_unit_test(test_what_a_span_left_undone_is_not_the_next_sessions),
        cmocka_unit_test(test_spans_may_carry_krishivs_standard_fields),
        cmocka_unit_test(test_times_may_be_set_while_the_span_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
