/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader against documents that RFC 8259 allows and forbids, numbers against values worked out
 * by hand or by IEEE 754, the writer against RFC 8259 section 7. */
#include "base/mem.h"
#include "codec/json_number.h"
#include "codec/json_reader.h"
#include "codec/json_writer.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Reads to the end: the number of tokens, or the failure. */
static int read_all(const char *text, size_t len, struct ftri_json_reader *reader)
{
    ftri_json_reader_init(reader, ftri_view_of(text, len));
    int n_tokens = 0;
    int r = ftri_json_reader_next(reader);
    for (; r > 0; r = ftri_json_reader_next(reader))
        n_tokens++;
    ftri_json_reader_deinit(reader);
    return r < 0 ? r : n_tokens;
}

static void test_valid_documents(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int n_tokens;
    } valid[] = {
        {"0", 1},
        {"-0", 1},
        {"  true\r\n\t", 1},
        {"false", 1},
        {"null", 1},
        {"\"\"", 1},
        {"[]", 2},
        {"{}", 2},
        {"[ ]", 2},
        {"{ }", 2},
        {"[1,2 , 3]", 5},
        {"[[],{}]", 6},
        {"{\"a\":1}", 4},
        {"{\"a\" : { \"b\" : [ null ] } , \"a\" : 2 }", 11},
        {"1e400", 1},
        {"-1.5E+10", 1},
        {"1e-2", 1},
        {"123456789012345678901234567890", 1},
        {"0.0001", 1},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\uD83D\\uDE00\"", 1},
        {"{\"\\u0000\":0}", 4},
        {"\"\x7f\xef\xbf\xbf\"", 1},
        {"\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"", 1},
    };
    for (size_t i = 0; i < FTRI_COUNT(valid); i++) {
        struct ftri_json_reader reader;
        const int r = read_all(valid[i].text, strlen(valid[i].text), &reader);
        if (r != valid[i].n_tokens)
            fail_msg("%s: %d", valid[i].text, r);
    }
}

static void test_invalid_documents_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } invalid[] = {
        {"", 0},
        {"   ", 3},
        {"\xef\xbb\xbf{}", 0},
        {"tru", 0},
        {"True", 0},
        {"nul", 0},
        {"NaN", 0},
        {"Infinity", 0},
        {"'a'", 0},
        {"+1", 0},
        {".5", 0},
        {"01", 0},
        {"-", 1},
        {"-a", 1},
        {"1.", 2},
        {"1.e1", 2},
        {"1e", 2},
        {"1e+", 3},
        {"0x1", 1},
        {"1 2", 2},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1 2]", 3},
        {"[1}", 2},
        {"[", 1},
        {"[1", 2},
        {"]", 0},
        {"{", 1},
        {"{1:2}", 1},
        {"{a:1}", 1},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{\"a\":1 \"b\":2}", 7},
        {"{\"a\":1]", 6},
        {"{}}", 2},
        {"\"a", 2},
        {"\"\\", 1},
        {"\"\\x\"", 1},
        {"\"\\u12g4\"", 1},
        {"\"\\u12", 1},
        {"\"\\ud800\"", 1},
        {"\"\\udc00\"", 1},
        {"\"\\ud800\\u0041\"", 1},
        {"\"\\ud800\\ud800\"", 1},
        {"\"a\nb\"", 2},
        {"\"a\x1f\"", 2},
        {"\"ab\xff\"", 3},
        {"\"\xed\xa0\x80\"", 1},
        {"\"\xc0\xaf\"", 1},
        {"\"\\n\xff\"", 3},
        {"/* */ 1", 0},
    };
    for (size_t i = 0; i < FTRI_COUNT(invalid); i++) {
        struct ftri_json_reader reader;
        const int r = read_all(invalid[i].text, strlen(invalid[i].text), &reader);
        if (r != -EBADMSG || !reader.problem || reader.offset != invalid[i].offset)
            fail_msg("%s: %d at %zu", invalid[i].text, r, reader.offset);
    }
    struct ftri_json_reader reader;
    assert_int_equal(read_all("\"a\0b\"", 5, &reader), -EBADMSG);
}

static void test_strings_are_unescaped(void **state)
{
    (void)state;
    static const char text[] =
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\\u0000.\"";
    static const char expected[] = "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0.";
    struct ftri_json_reader reader;
    ftri_json_reader_init(&reader, ftri_view_of(text, sizeof text - 1));
    assert_int_equal(ftri_json_reader_next(&reader), FTRI_JSON_STRING);
    assert_int_equal(reader.text.len, sizeof expected - 1);
    assert_memory_equal(reader.text.data, expected, sizeof expected - 1);
    ftri_json_reader_deinit(&reader);
}

static void test_nesting_ends_at_64(void **state)
{
    (void)state;
    char text[2 * 65 + 1];
    struct ftri_json_reader reader;
    for (size_t depth = 64; depth <= 65; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(read_all(text, 2 * depth, &reader), depth == 64 ? 128 : -EBADMSG);
    }
    assert_int_equal(reader.offset, 64);
}

static void test_skip_passes_a_whole_value(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,{\"b\":[]},\"]\"],\"c\":2}";
    struct ftri_json_reader reader;
    ftri_json_reader_init(&reader, ftri_view_of(text, sizeof text - 1));
    assert_int_equal(ftri_json_reader_next(&reader), FTRI_JSON_OBJECT);
    assert_int_equal(ftri_json_reader_next(&reader), FTRI_JSON_NAME);
    const int token = ftri_json_reader_next(&reader);
    assert_int_equal(token, FTRI_JSON_ARRAY);
    assert_int_equal(ftri_json_reader_skip(&reader, token), 0);
    assert_int_equal(ftri_json_reader_next(&reader), FTRI_JSON_NAME);
    assert_memory_equal(reader.text.data, "c", 1);
    assert_int_equal(ftri_json_reader_next(&reader), FTRI_JSON_NUMBER);
    assert_int_equal(ftri_json_reader_next(&reader), FTRI_JSON_OBJECT_END);
    assert_int_equal(ftri_json_reader_next(&reader), FTRI_JSON_END);
    ftri_json_reader_deinit(&reader);
}

static void test_a_failed_allocation_is_an_error(void **state)
{
    (void)state;
    struct ftri_json_reader reader;
    ftri_mem_fail_at(1);
    assert_int_equal(read_all("\"\\n\"", 4, &reader), -ENOMEM);
    ftri_mem_fail_at(0);
}

static ftr_str str_of(const char *text)
{
    return (ftr_str){text, strlen(text)};
}

static void test_integers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int r;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -ERANGE, 0},
        {"-9223372036854775809", -ERANGE, 0},
        {"1e3", 0, 1000},
        {"1.50e1", 0, 15},
        {"100e-2", 0, 1},
        {"0e99999999999999999999", 0, 0},
        {"9.223372036854775807e18", 0, INT64_MAX},
        {"1e19", -ERANGE, 0},
        {"1e999999999999999999999999", -ERANGE, 0},
        {"1.5", -EINVAL, 0},
        {"1e-1", -EINVAL, 0},
        {"", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {"01", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"abc", -EINVAL, 0},
        {"1.", -EINVAL, 0},
        {"1e", -EINVAL, 0},
        {"-", -EINVAL, 0},
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        int64_t value = 0;
        const int r = ftri_json_to_i64(str_of(cases[i].text), &value);
        if (r != cases[i].r || value != cases[i].value)
            fail_msg("%s: %d", cases[i].text, r);
    }
    uint64_t value;
    assert_int_equal(ftri_json_to_u64(str_of("18446744073709551615"), &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(ftri_json_to_u64(str_of("18446744073709551616"), &value), -ERANGE);
    assert_int_equal(ftri_json_to_u64(str_of("-1"), &value), -ERANGE);
}

/* Hexadecimal floating constants are exact: the compiler's value, not ours. */
static void test_doubles_are_correctly_rounded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0.1", 0x1.999999999999ap-4},
        {"1e22", 0x1.0f0cf064dd592p+73},
        {"1e23", 0x1.52d02c7e14af6p+76},
        {"123456789012345678", 0x1.b69b4ba630f35p+56},
        {"9007199254740993", 0x1p+53}, /* half way: to even */
        {"9007199254740993.00000000000000000000000000000000000001", 0x1.0000000000001p+53},
        {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
        {"4.9e-324", 0x1p-1074},
        {"1e-400", 0},
        {"1.7976931348623157e308", DBL_MAX},
        {"-2.5", -2.5},
        {"0e400", 0},
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        double value = -1;
        assert_int_equal(ftri_json_to_f64(str_of(cases[i].text), &value), 0);
        if (value != cases[i].value)
            fail_msg("%s: %a", cases[i].text, value);
    }
    double value;
    assert_int_equal(ftri_json_to_f64(str_of("1e400"), &value), -ERANGE);
    assert_int_equal(ftri_json_to_f64(str_of("nan"), &value), -EINVAL);
    /* 2^53 + 1 with 900 zeros and a one behind the point: just above the half. */
    static char text[1000];
    memset(text, '0', sizeof text);
    memcpy(text, "9007199254740993.", 17);
    text[950] = '1';
    assert_int_equal(ftri_json_to_f64((ftr_str){text, sizeof text}, &value), 0);
    assert_true(value == 0x1.0000000000001p+53);
}

static void test_written_text(void **state)
{
    (void)state;
    struct ftri_bytes out;
    struct ftri_json_writer json;
    ftri_bytes_init(&out, 4096);
    ftri_json_writer_init(&json, &out);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("a\"\\\n\x01"));
    ftri_json_begin_array(&json);
    ftri_json_i64(&json, INT64_MIN);
    ftri_json_u64(&json, UINT64_MAX);
    ftri_json_i64_text(&json, -1);
    ftri_json_u64_text(&json, 1);
    ftri_json_f64(&json, 0.1, FTRI_JSON_NONFINITE_NULL);
    ftri_json_f64(&json, NAN, FTRI_JSON_NONFINITE_NULL);
    ftri_json_f64(&json, NAN, FTRI_JSON_NONFINITE_TEXT);
    ftri_json_f64(&json, -INFINITY, FTRI_JSON_NONFINITE_TEXT);
    ftri_json_bool(&json, true);
    ftri_json_null(&json);
    ftri_json_begin_object(&json);
    ftri_json_end_object(&json);
    ftri_json_str(&json, (ftr_str){"x\xff\0", 3});
    ftri_json_hex(&json, ftri_view_of("\x0a\xff", 2));
    ftri_json_base64(&json, ftri_view_of("f", 1));
    ftri_json_end_array(&json);
    ftri_json_name(&json, FTR_STR("b"));
    ftri_json_raw(&json, FTR_STR("{}"));
    ftri_json_end_object(&json);
    assert_int_equal(ftri_json_writer_status(&json), 0);
    static const char expected[] =
        "{\"a\\\"\\\\\\n\\u0001\":[-9223372036854775808,18446744073709551615,\"-1\",\"1\",0.1,null,"
        "\"NaN\",\"-Infinity\",true,null,{},\"x\xef\xbf\xbd\\u0000\",\"0aff\",\"Zg==\"],\"b\":{}}";
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
    ftri_bytes_deinit(&out);
}

static void test_doubles_read_back_the_same(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "-0.0"},
                 {1, "1"},
                 {0.1, "0.1"},
                 {1.5, "1.5"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {5e-324, "4.94065645841247e-324"},
                 {1e21, "1e+21"}};
    char text[FTRI_JSON_F64_BYTES];
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        const size_t len = ftri_json_format_f64(cases[i].value, text);
        assert_int_equal(len, strlen(cases[i].text));
        assert_memory_equal(text, cases[i].text, len);
    }
    uint64_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double value, back;
        memcpy(&value, &bits, 8);
        if (!isfinite(value))
            continue;
        const size_t len = ftri_json_format_f64(value, text);
        assert_int_equal(ftri_json_to_f64((ftr_str){text, len}, &back), 0);
        assert_memory_equal(&value, &back, 8);
    }
}

static void test_a_failure_sticks(void **state)
{
    (void)state;
    struct ftri_bytes out;
    struct ftri_json_writer json;
    ftri_bytes_init(&out, 4);
    ftri_json_writer_init(&json, &out);
    ftri_json_begin_array(&json);
    ftri_json_str(&json, FTR_STR("too long"));
    ftri_json_end_array(&json);
    assert_int_equal(ftri_json_writer_status(&json), -EMSGSIZE);
    ftri_bytes_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_documents),
        cmocka_unit_test(test_invalid_documents_and_where),
        cmocka_unit_test(test_strings_are_unescaped),
        cmocka_unit_test(test_nesting_ends_at_64),
        cmocka_unit_test(test_skip_passes_a_whole_value),
        cmocka_unit_test(test_a_failed_allocation_is_an_error),
        cmocka_unit_test(test_integers_are_exact),
        cmocka_unit_test(test_doubles_are_correctly_rounded),
        cmocka_unit_test(test_written_text),
        cmocka_unit_test(test_doubles_read_back_the_same),
        cmocka_unit_test(test_a_failure_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
