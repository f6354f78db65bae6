/* SPDX-License-Identifier: Apache-2.0
 *
 * The traceparent as user tracing reads it: version 00 alone, 55 characters, either case, flags
 * kept. */
#include <flowtrace/context.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VALID "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01"

static bool parse(const char *text, ftr_span_context *ret_span)
{
    return ftr_user_traceparent_parse(ftr_str_from(text), ret_span);
}

static void test_the_seeds_vector(void **state)
{
    (void)state;
    static const uint8_t trace_id[] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
                                       0x99, 0x00, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    static const uint8_t span_id[] = {0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x18};
    char text[FTR_TRACEPARENT_LEN + 1];
    ftr_span_context span;
    assert_true(parse(VALID, &span));
    assert_memory_equal(span.trace_id.bytes, trace_id, 16);
    assert_memory_equal(span.span_id.bytes, span_id, 8);
    assert_int_equal(span.trace_flags, 1);
    assert_true(span.is_remote);
    assert_true(ftr_traceparent_format(&span, text));
    assert_string_equal(text, VALID);
}

static void test_what_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t flags;
    } taken[] = {
        {"00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-00", 0},
        {"00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-03", 3},
        {"00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-ff", 0xff},
        {"00-11223344556677889900AABBCCDDEEFF-A1B2C3D4E5F60718-0A", 0x0a},
        {"00-11223344556677889900aAbBcCdDeEfF-a1b2c3d4e5f60718-01", 1},
        {"00-00000000000000000000000000000001-0000000000000001-01", 1},
    };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        ftr_span_context span;
        assert_true(parse(taken[i].text, &span));
        assert_int_equal(span.trace_flags, taken[i].flags);
    }
}

static void test_what_is_not(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",
        "00",
        "01-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01", /* versions */
        "ff-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01",
        "0-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-001", /* widths */
        "000-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-1",
        "00-11223344556677889900aabbccddeef-a1b2c3d4e5f607180-01",
        "00-11223344556677889900aabbccddeeff0-a1b2c3d4e5f6071-01",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-1",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-001",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718", /* fields */
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01-00",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01-",
        "00_11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01",
        "00-11223344556677889900aabbccddeeff_a1b2c3d4e5f60718-01",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718_01",
        " 00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01 ",
        "0x-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01", /* digits */
        "00-1122334455667788990gaabbccddeeff-a1b2c3d4e5f60718-01",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f6071g-01",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-0g",
        "00-+1223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01",
        "00-\xff\xfe"
        "223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01",      /* not UTF-8 */
        "00-00000000000000000000000000000000-a1b2c3d4e5f60718-01", /* none */
        "00-11223344556677889900aabbccddeeff-0000000000000000-01",
    };
    const ftr_span_context before = {.trace_flags = 77};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ftr_span_context span = before;
        if (parse(refused[i], &span))
            fail_msg("taken: %s", refused[i]);
        assert_memory_equal(&span, &before, sizeof span);
    }
    ftr_span_context span;
    assert_false(ftr_user_traceparent_parse((ftr_str){NULL, 55}, &span));
    assert_false(ftr_user_traceparent_parse((ftr_str){VALID, 54}, &span));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_seeds_vector),
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_what_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
