/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope macros record what the functions record, and evaluate nothing that nobody records. */
#include "spans.h"

#include "base/mem.h"

#include <pthread.h>

static int n_evaluated;

static int evaluated(int value)
{
    n_evaluated++;
    return value;
}

static ftr_str evaluated_text(const char *text)
{
    n_evaluated++;
    return ftr_str_from(text);
}

static int return_from_within(bool is_early)
{
    FTR_SPAN(outer, "outer");
    for (int i = 0; i < 3; i++) {
        FTR_SPAN_BELOW(turn, "turn", FTR_KIND_CLIENT, NULL);
        if (is_early && i == 1)
            return i;
    }
    return 3;
}

static void test_a_span_lasts_as_long_as_its_block(void **state)
{
    (void)state;
    start_standard();
    assert_int_equal(return_from_within(true), 1);
    char text[FTR_TRACEPARENT_LEN + 1];
    assert_false(ftr_current_traceparent(text));
    assert_int_equal(counts().open, 0);
    const ftr_span_data first = flushed(0);
    const ftr_span_data second = flushed(1);
    const ftr_span_data outer = flushed(2);
    assert_text(first.name, "turn");
    assert_int_equal(first.kind, FTR_KIND_CLIENT);
    assert_int_equal(outer.kind, FTR_KIND_INTERNAL);
    assert_text(outer.name, "outer");
    assert_is_child(&first, &outer);
    assert_is_child(&second, &outer);
    assert_false(ftr_span_id_is_valid(&outer.parent_span_id));
    assert_int_equal(counts().stale, 0);
    stop();
}

static void test_values_of_every_type(void **state)
{
    (void)state;
    static const char array[] = "array";
    char written[] = "written";
    start_standard();
    {
        FTR_SPAN(typed, "typed");
        FTR_SPAN_SET(typed, "bool", (bool)true);
        FTR_SPAN_SET(typed, "char", (char)'a');
        FTR_SPAN_SET(typed, "signed char", (signed char)-1);
        FTR_SPAN_SET(typed, "unsigned char", (unsigned char)255);
        FTR_SPAN_SET(typed, "short", (short)-2);
        FTR_SPAN_SET(typed, "unsigned short", (unsigned short)65535);
        FTR_SPAN_SET(typed, "int", evaluated(-3));
        FTR_SPAN_SET(typed, "unsigned", 4294967295U);
        FTR_SPAN_SET(typed, "long", -4L);
        FTR_SPAN_SET(typed, "long long", INT64_MIN);
        FTR_SPAN_SET(typed, "size_t", sizeof(int[5]));
        FTR_SPAN_SET(typed, "largest", UINT64_MAX);
        FTR_SPAN_SET(typed, "fits", (unsigned long long)INT64_MAX);
        FTR_SPAN_SET(typed, "float", 0.5F);
        FTR_SPAN_SET(typed, "double", -0.25);
        FTR_SPAN_SET(typed, "literal", "literal");
        FTR_SPAN_SET(typed, "array", array);
        FTR_SPAN_SET(typed, "written", written);
        FTR_SPAN_SET(typed, "no text", (const char *)NULL);
        FTR_SPAN_SET(typed, "str", ((ftr_str){"part of it", 4}));
        FTR_SPAN_SET(typed, "value", ftr_value_bytes("\0\1", 2));
    }
    const ftr_span_data span = flushed(0);
    assert_int_equal(value_of(&span, "bool")->type, FTR_VALUE_BOOL);
    assert_true(value_of(&span, "bool")->as.boolean);
    assert_i64_attribute(&span, "char", 'a');
    assert_i64_attribute(&span, "signed char", -1);
    assert_i64_attribute(&span, "unsigned char", 255);
    assert_i64_attribute(&span, "short", -2);
    assert_i64_attribute(&span, "unsigned short", 65535);
    assert_i64_attribute(&span, "int", -3);
    assert_i64_attribute(&span, "unsigned", 4294967295);
    assert_i64_attribute(&span, "long", -4);
    assert_i64_attribute(&span, "long long", INT64_MIN);
    assert_i64_attribute(&span, "size_t", 20);
    assert_text_attribute(&span, "largest", "18446744073709551615");
    assert_i64_attribute(&span, "fits", INT64_MAX);
    assert_int_equal(value_of(&span, "float")->type, FTR_VALUE_F64);
    assert_true(value_of(&span, "float")->as.f64 == 0.5);
    assert_true(value_of(&span, "double")->as.f64 == -0.25);
    assert_text_attribute(&span, "literal", "literal");
    assert_text_attribute(&span, "array", "array");
    assert_text_attribute(&span, "written", "written");
    assert_text_attribute(&span, "no text", "");
    assert_text_attribute(&span, "str", "part");
    assert_int_equal(value_of(&span, "value")->type, FTR_VALUE_BYTES);
    stop();
}

static void test_values_set_together(void **state)
{
    (void)state;
    static const char array[] = "array";
    char written[] = "written";
    start_standard();
    {
        FTR_SPAN(typed, "typed");
        FTR_SPAN_SET_ALL(typed, "bool", (bool)true, "char", (char)'a', "short", (short)-2, "int",
                         evaluated(-3), "size_t", sizeof(int[5]), "largest", UINT64_MAX, "float",
                         0.5F, "literal", "literal", "array", array, "written", written, "str",
                         ((ftr_str){"part of it", 4}), "value", ftr_value_bytes("\0\1", 2));
        FTR_SPAN_SET_ALL(typed, "one", 1);
        FTR_SPAN_SET_ALL(typed, "next to largest", UINT64_MAX - 1, "largest of all", UINT64_MAX);
    }
    const ftr_span_data span = flushed(0);
    assert_int_equal(span.n_attributes, 15);
    assert_true(value_of(&span, "bool")->as.boolean);
    assert_i64_attribute(&span, "char", 'a');
    assert_i64_attribute(&span, "short", -2);
    assert_i64_attribute(&span, "int", -3);
    assert_i64_attribute(&span, "size_t", 20);
    assert_text_attribute(&span, "largest", "18446744073709551615");
    assert_true(value_of(&span, "float")->as.f64 == 0.5);
    assert_text_attribute(&span, "literal", "literal");
    assert_text_attribute(&span, "array", "array");
    assert_text_attribute(&span, "written", "written");
    assert_text_attribute(&span, "str", "part");
    assert_int_equal(value_of(&span, "value")->type, FTR_VALUE_BYTES);
    assert_i64_attribute(&span, "one", 1);
    assert_text_attribute(&span, "next to largest", "18446744073709551614");
    assert_text_attribute(&span, "largest of all", "18446744073709551615");
    stop();
}

static void record_everything(void)
{
    FTR_SPAN(span, "span");
    FTR_SPAN_SET(span, "n", evaluated(7));
    FTR_SPAN_SET_ALL(span, "a", evaluated(1), "b", evaluated_text("b"));
    FTR_SPAN_EVENT(span, "plain");
    FTR_SPAN_EVENT_WITH(span, "event", {FTR_STR("i"), ftr_value_i64(evaluated(8))},
                        {FTR_STR("s"), ftr_value_str(evaluated_text("t"))});
    FTR_SPAN_STATUS(span, FTR_SPAN_ERROR, evaluated_text("why"));
}

static void test_values_are_evaluated_once_when_the_span_records(void **state)
{
    (void)state;
    start_standard();
    n_evaluated = 0;
    record_everything();
    assert_int_equal(n_evaluated, 6);
    const ftr_span_data span = flushed(0);
    assert_i64_attribute(&span, "n", 7);
    assert_int_equal(span.n_events, 2);
    assert_text(span.events[0].name, "plain");
    assert_text(span.events[1].name, "event");
    assert_int_equal(span.events[1].n_attributes, 2);
    assert_int_equal(span.events[1].attributes[0].value.as.i64, 8);
    assert_int_equal(span.status, FTR_SPAN_ERROR);
    assert_text(span.status_description, "why");
    stop();
}

static void test_values_are_not_evaluated_otherwise(void **state)
{
    (void)state;
    n_evaluated = 0;
    record_everything(); /* no library */
    ftr_config config = FTR_CONFIG_INIT;
    config.is_off = true;
    start(&config);
    record_everything();
    ftr_set_mode(FTR_MODE_FULL);
    ftr_context unsampled = FTR_CONTEXT_NONE;
    memset(&unsampled.span.trace_id, 1, 16);
    memset(&unsampled.span.span_id, 2, 8);
    {
        FTR_ATTACHED(guard, &unsampled);
        record_everything();
        assert_int_equal(counts().started, 0);
        FTR_SPAN(carried, "carried"); /* goes on with its parent's identifiers */
        char text[FTR_TRACEPARENT_LEN + 1];
        assert_true(ftr_current_traceparent(text));
        assert_string_equal(text, "00-01010101010101010101010101010101-0202020202020202-00");
    }
    {
        FTR_SPAN_BELOW(apart, "apart", FTR_KIND_SERVER, &unsampled); /* none is current */
        record_everything();
        char text[FTR_TRACEPARENT_LEN + 1];
        assert_true(ftr_current_traceparent(text));
        assert_string_equal(text, "00-01010101010101010101010101010101-0202020202020202-00");
    }
    assert_int_equal(n_evaluated, 0);
    assert_int_equal(counts().started, 0);
    assert_int_equal(counts().stale, 0);
    stop();
}

static void test_an_attached_context_lasts_as_long_as_its_block(void **state)
{
    (void)state;
    start_standard();
    ftr_context carried;
    {
        FTR_SPAN(origin, "origin");
        carried = ftr_context_current();
    }
    {
        FTR_ATTACHED(guard, &carried);
        FTR_SPAN(below, "below");
    }
    FTR_SPAN(root, "root");
    ftr_context_release(&carried);
    ftr_span_end(root.span); /* early: the scope's own end is then a stale call */
    const ftr_span_data origin = span_named("origin");
    const ftr_span_data below = span_named("below");
    const ftr_span_data after = span_named("root");
    assert_is_child(&below, &origin);
    assert_false(ftr_span_id_is_valid(&after.parent_span_id));
    stop();
}

static void test_spans_say_where_they_are_started_when_asked(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.records_call_sites = true;
    start(&config);
    int line;
    {
        line = __LINE__ + 1;
        FTR_SPAN(located, "located");
    }
    const ftr_span_data span = flushed(0);
    assert_int_equal(span.n_attributes, 3);
    assert_text_attribute(&span, "code.file.path", __FILE__);
    assert_i64_attribute(&span, "code.line.number", line);
    assert_text_attribute(&span, "code.function.name", __func__);
    stop();
}

static void test_the_mode_may_change_within_a_scope(void **state)
{
    (void)state;
    start_standard();
    {
        FTR_SPAN(outer, "outer");
        ftr_set_mode(FTR_MODE_OFF);
        FTR_SPAN(unseen, "unseen");
        ftr_set_mode(FTR_MODE_FULL);
        FTR_SPAN(inner, "inner");
    }
    const ftr_span_data outer = span_named("outer");
    const ftr_span_data inner = span_named("inner");
    assert_is_child(&inner, &outer);
    assert_int_equal(counts().started, 2);
    assert_int_equal(counts().ended, 2);
    assert_int_equal(counts().stale, 0);
    stop();
}

/* The first attachment of a thread; before it ends it tries to detach with the token it was given,
 * and leaves its own there. Not NULL: it is no longer current. */
static void *detach_what_is_not_ours(void *argument)
{
    ftr_attachment *token = argument;
    FTR_SPAN(ours, "ours");
    char text[FTR_TRACEPARENT_LEN + 1];
    ftr_detach(*token);
    *token = ours.attachment;
    return ftr_current_traceparent(text) ? NULL : token;
}

static void test_a_token_of_another_thread_detaches_nothing(void **state)
{
    (void)state;
    start_standard();
    ftr_attachment token = {0};
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, detach_what_is_not_ours, &token), 0);
        void *failure;
        assert_int_equal(pthread_join(thread, &failure), 0);
        assert_null(failure);
    }
    assert_int_equal(counts().stale, 3);
    stop();
}

static void test_without_memory_a_scope_records_but_is_not_current(void **state)
{
    (void)state;
    start_standard();
    ftr_span_end(ftr_span_start(FTR_STR("first"), FTR_KIND_INTERNAL, NULL));
    /* A thread's 33rd level needs memory. */
    const ftr_context none = FTR_CONTEXT_NONE;
    ftr_attachment levels[32];
    for (int i = 0; i < 32; i++)
        levels[i] = ftr_attach(&none);
    (void)flushed(0); /* the other threads need no memory meanwhile */
    ftri_mem_fail_at(1);
    {
        FTR_SPAN(loose, "loose");
        ftri_mem_fail_at(0);
        assert_int_equal(loose.attachment.id, 0);
        FTR_SPAN(apart, "apart");
    }
    for (int i = 31; i >= 0; i--)
        ftr_detach(levels[i]);
    const ftr_span_data apart = span_named("apart");
    const ftr_span_data loose = span_named("loose");
    assert_memory_not_equal(&apart.context.trace_id, &loose.context.trace_id, 16);
    assert_int_equal(counts().stale, 0);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_memory_a_scope_records_but_is_not_current),
        cmocka_unit_test(test_a_span_lasts_as_long_as_its_block),
        cmocka_unit_test(test_values_of_every_type),
        cmocka_unit_test(test_values_set_together),
        cmocka_unit_test(test_values_are_evaluated_once_when_the_span_records),
        cmocka_unit_test(test_values_are_not_evaluated_otherwise),
        cmocka_unit_test(test_an_attached_context_lasts_as_long_as_its_block),
        cmocka_unit_test(test_spans_say_where_they_are_started_when_asked),
        cmocka_unit_test(test_the_mode_may_change_within_a_scope),
        cmocka_unit_test(test_a_token_of_another_thread_detaches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
