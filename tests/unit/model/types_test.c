/* SPDX-License-Identifier: Apache-2.0 */
#include <flowtrace/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_str_from_accepts_null(void **state)
{
    (void)state;
    assert_int_equal(ftr_str_from(NULL).len, 0);
    assert_int_equal(ftr_str_from("abc").len, 3);
    assert_int_equal(FTR_STR("four").len, 4);
}

static void test_ids_are_lower_case_hexadecimal(void **state)
{
    (void)state;
    const ftr_trace_id trace_id = {{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce,
                                    0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}};
    const ftr_span_id span_id = {{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}};
    char text[33];
    ftr_trace_id_format(&trace_id, text);
    assert_string_equal(text, "4bf92f3577b34da6a3ce929d0e0e4736");
    ftr_span_id_format(&span_id, text);
    assert_string_equal(text, "00f067aa0ba902b7");
}

static void test_only_all_zero_ids_are_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < 16; i++) {
        ftr_trace_id id = {{0}};
        assert_false(ftr_trace_id_is_valid(&id));
        id.bytes[i] = 1;
        assert_true(ftr_trace_id_is_valid(&id));
    }
    for (size_t i = 0; i < 8; i++) {
        ftr_span_id id = {{0}};
        assert_false(ftr_span_id_is_valid(&id));
        id.bytes[i] = 0x80;
        assert_true(ftr_span_id_is_valid(&id));
    }
}

static void test_values_carry_their_type(void **state)
{
    (void)state;
    assert_int_equal(ftr_value_i64(-5).as.i64, -5);
    assert_int_equal(ftr_value_bool(true).type, FTR_VALUE_BOOL);
    assert_true(ftr_value_f64(0.5).as.f64 == 0.5);
    const ftr_value items[] = {ftr_value_str(FTR_STR("a")), ftr_value_bytes("\0", 1)};
    const ftr_value array = ftr_value_array(items, 2);
    assert_int_equal(array.type, FTR_VALUE_ARRAY);
    assert_int_equal(array.as.array.items[1].type, FTR_VALUE_BYTES);
    const ftr_attribute entry = {FTR_STR("k"), array};
    assert_int_equal(ftr_value_map(&entry, 1).as.map.n_items, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_from_accepts_null),
        cmocka_unit_test(test_ids_are_lower_case_hexadecimal),
        cmocka_unit_test(test_only_all_zero_ids_are_invalid),
        cmocka_unit_test(test_values_carry_their_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
