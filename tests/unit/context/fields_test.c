/* SPDX-License-Identifier: Apache-2.0
 *
 * Inherited fields of a context: which are taken, what they leave alone, what bounds them. */
#include <flowtrace/propagation.h>

#include "base/mem.h"
#include "context/block.h"
#include "context/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t n_fields(const ftr_context *context)
{
    return ftri_fields_count(ftri_context_parts(context).fields);
}

static bool find(const ftr_context *context, const char *key, ftr_attribute *ret_field)
{
    ftr_str rest = ftri_context_parts(context).fields;
    while (ftri_field_next(&rest, ret_field))
        if (ret_field->key.len == strlen(key) &&
            memcmp(ret_field->key.data, key, ret_field->key.len) == 0)
            return true;
    return false;
}

static bool set_text(ftr_context *context, const char *key, const char *text)
{
    const ftr_value value = ftr_value_str(ftr_str_from(text));
    return ftr_context_set_field(context, ftr_str_from(key), &value);
}

static void assert_text_field(const ftr_context *context, const char *key, const char *expected)
{
    ftr_attribute field;
    assert_true(find(context, key, &field));
    assert_int_equal(field.value.type, FTR_VALUE_STR);
    assert_int_equal(field.value.as.str.len, strlen(expected));
    assert_memory_equal(field.value.as.str.data, expected, strlen(expected));
}

static void test_values_come_back(void **state)
{
    (void)state;
    ftr_context context = FTR_CONTEXT_NONE;
    ftr_attribute field;
    const ftr_value yes = ftr_value_bool(true);
    const ftr_value no = ftr_value_bool(false);
    const ftr_value number = ftr_value_i64(INT64_MIN);
    const ftr_value real = ftr_value_f64(-0.125);
    assert_true(set_text(&context, "text", "job-17"));
    assert_true(set_text(&context, "empty", ""));
    assert_true(ftr_context_set_field(&context, FTR_STR("yes"), &yes));
    assert_true(ftr_context_set_field(&context, FTR_STR("no"), &no));
    assert_true(ftr_context_set_field(&context, FTR_STR("number"), &number));
    assert_true(ftr_context_set_field(&context, FTR_STR("real"), &real));
    assert_int_equal(n_fields(&context), 6);
    assert_text_field(&context, "text", "job-17");
    assert_text_field(&context, "empty", "");
    assert_true(find(&context, "yes", &field));
    assert_true(field.value.type == FTR_VALUE_BOOL && field.value.as.boolean);
    assert_true(find(&context, "no", &field));
    assert_true(field.value.type == FTR_VALUE_BOOL && !field.value.as.boolean);
    assert_true(find(&context, "number", &field));
    assert_true(field.value.type == FTR_VALUE_I64 && field.value.as.i64 == INT64_MIN);
    assert_true(find(&context, "real", &field));
    assert_true(field.value.type == FTR_VALUE_F64 && field.value.as.f64 == -0.125);
    ftr_context_release(&context);
}

static void test_a_copy_does_not_change_with_its_original(void **state)
{
    (void)state;
    ftr_context context = FTR_CONTEXT_NONE;
    assert_true(set_text(&context, "epoch", "1"));
    assert_true(set_text(&context, "task", "a"));
    ftr_context copy = ftr_context_copy(&context);
    assert_true(set_text(&context, "epoch", "2"));
    assert_true(ftr_context_remove_field(&context, FTR_STR("task")));
    assert_true(ftr_context_remove_field(&context, FTR_STR("never there")));
    assert_int_equal(n_fields(&context), 1);
    assert_text_field(&context, "epoch", "2");
    assert_int_equal(n_fields(&copy), 2);
    assert_text_field(&copy, "epoch", "1");
    assert_text_field(&copy, "task", "a");
    assert_true(ftr_context_remove_field(&context, FTR_STR("epoch")));
    assert_null(context.block); /* nothing is left to keep */
    ftr_context_release(&context);
    ftr_context_release(&copy);
}

static void test_other_parts_stay(void **state)
{
    (void)state;
    ftr_field fields[] = {
        {FTR_STR("traceparent"),
         FTR_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
        {FTR_STR("tracestate"), FTR_STR("vendor=1")},
        {FTR_STR("baggage"), FTR_STR("user=u1")},
    };
    ftr_field_list list = {.fields = fields, .n_fields = 3};
    ftr_context context = FTR_CONTEXT_NONE;
    assert_true(set_text(&context, "job_id", "j"));
    ftr_extract_as(FTR_PROPAGATOR_TRACECONTEXT, &ftr_map_carrier, &list, &context);
    ftr_extract_as(FTR_PROPAGATOR_BAGGAGE, &ftr_map_carrier, &list, &context);
    assert_text_field(&context, "job_id", "j");
    assert_true(set_text(&context, "job_id", "k"));
    assert_text_field(&context, "job_id", "k");
    assert_int_equal(ftr_context_tracestate(&context).len, 8);
    assert_memory_equal(ftr_context_tracestate(&context).data, "vendor=1", 8);
    assert_int_equal(ftr_context_baggage(&context).len, 7);
    assert_memory_equal(ftr_context_baggage(&context).data, "user=u1", 7);
    ftr_context_release(&context);
}

static void test_they_do_not_leave_the_process(void **state)
{
    (void)state;
    ftr_field fields[8];
    char text[512];
    ftr_field_list list = {
        .fields = fields, .capacity = 8, .text = text, .text_capacity = sizeof text};
    ftr_context context = FTR_CONTEXT_NONE;
    memset(&context.span.trace_id, 1, 16);
    memset(&context.span.span_id, 2, 8);
    assert_true(set_text(&context, "job_id", "j"));
    for (int i = FTR_PROPAGATOR_TRACECONTEXT; i <= FTR_PROPAGATOR_OT_TRACE; i++)
        ftr_inject_as((ftr_propagator)i, &context, &ftr_map_carrier, &list);
    assert_true(list.n_fields > 0);
    for (size_t i = 0; i < list.n_fields; i++)
        assert_null(memmem(fields[i].value.data, fields[i].value.len, "job_id", 6));
    ftr_context_release(&context);
}

static void test_number_and_bytes_are_bounded(void **state)
{
    (void)state;
    ftr_context context = FTR_CONTEXT_NONE;
    char key[8];
    for (int i = 0; i < FTR_CONTEXT_FIELDS; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_true(set_text(&context, key, "v"));
    }
    assert_false(set_text(&context, "one more", "v"));
    assert_true(set_text(&context, "k5", "new value"));
    assert_int_equal(n_fields(&context), FTR_CONTEXT_FIELDS);
    assert_text_field(&context, "k5", "new value");
    ftr_context_release(&context);

    static char long_text[FTR_CONTEXT_FIELD_BYTES + 1];
    memset(long_text, 'x', sizeof long_text - 1);
    const ftr_value fits = ftr_value_str((ftr_str){long_text, FTR_CONTEXT_FIELD_BYTES - 8 - 1});
    const ftr_value too_long = ftr_value_str((ftr_str){long_text, FTR_CONTEXT_FIELD_BYTES - 8});
    assert_false(ftr_context_set_field(&context, FTR_STR("k"), &too_long));
    assert_null(context.block);
    assert_true(ftr_context_set_field(&context, FTR_STR("k"), &fits));
    assert_false(set_text(&context, "l", ""));
    assert_false(set_text(&context, long_text, ""));
    ftr_context_release(&context);
}

static void test_what_is_no_field_is_refused(void **state)
{
    (void)state;
    ftr_context context = FTR_CONTEXT_NONE;
    const ftr_value item = ftr_value_i64(1);
    const ftr_value refused[] = {
        {.type = FTR_VALUE_EMPTY}, ftr_value_bytes("b", 1),      ftr_value_array(&item, 1),
        ftr_value_map(NULL, 0),    {.type = (ftr_value_type)99},
    };
    assert_false(set_text(&context, "", "no key"));
    assert_false(ftr_context_set_field(&context, (ftr_str){NULL, 3}, &item));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(ftr_context_set_field(&context, FTR_STR("k"), &refused[i]));
    assert_null(context.block);
}

static void test_without_memory_the_context_stays_as_it_was(void **state)
{
    (void)state;
    ftr_context context = FTR_CONTEXT_NONE;
    assert_true(set_text(&context, "kept", "value"));
    ftri_mem_fail_at(1);
    assert_false(set_text(&context, "more", "value"));
    ftri_mem_fail_at(1);
    assert_false(set_text(&context, "kept", "other"));
    ftri_mem_fail_at(0);
    assert_int_equal(n_fields(&context), 1);
    assert_text_field(&context, "kept", "value");
    ftr_context_release(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_come_back),
        cmocka_unit_test(test_a_copy_does_not_change_with_its_original),
        cmocka_unit_test(test_other_parts_stay),
        cmocka_unit_test(test_they_do_not_leave_the_process),
        cmocka_unit_test(test_number_and_bytes_are_bounded),
        cmocka_unit_test(test_what_is_no_field_is_refused),
        cmocka_unit_test(test_without_memory_the_context_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
