/* SPDX-License-Identifier: Apache-2.0
 *
 * By hand from the wire format: a length takes one byte up to 127, two up to 16383, three beyond.
 */
#include "otlp/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 64 };

/* Resource of 4 bytes, scope "ab" without a version: 6 + 6 bytes with tags and lengths. */
static void assert_envelope(size_t spans_len, const char *expected, size_t expected_len)
{
    const struct ftri_view resource = ftri_view_of("\x0a\x02kv", 4);
    uint8_t *memory = malloc(ROOM + spans_len);
    uint8_t *spans = memory + ROOM;
    memset(memory, 0xee, ROOM + spans_len);
    uint8_t *first =
        ftri_otlp_envelope_write(resource, FTR_STR("ab"), FTR_STR(""), spans, spans_len);
    assert_int_equal(spans - first, expected_len);
    assert_memory_equal(first, expected, expected_len);
    assert_int_equal(first[-1], 0xee);
    for (size_t i = 0; i < spans_len; i++)
        assert_int_equal(spans[i], 0xee);
    assert_int_equal(ftri_otlp_envelope_size(resource, FTR_STR("ab"), FTR_STR(""), spans_len),
                     expected_len);
    free(memory);
}

#define ENVELOPE(spans_len, outer, inner)                                                          \
    do {                                                                                           \
        static const char expected[] = "\x0a" outer "\x0a\x04\x0a\x02kv"                           \
                                       "\x12" inner "\x0a\x04\x0a\x02"                             \
                                       "ab";                                                       \
        assert_envelope(spans_len, expected, sizeof expected - 1);                                 \
    } while (0)

/* inner: 6 + spans; outer: 6 + 1 + bytes of the inner length + inner. */
static void test_lengths_at_the_steps_of_a_varint(void **state)
{
    (void)state;
    ENVELOPE(0, "\x0e", "\x06");
    ENVELOPE(113, "\x7f", "\x77");
    ENVELOPE(114, "\x80\x01", "\x78");
    ENVELOPE(121, "\x87\x01", "\x7f");
    ENVELOPE(122, "\x89\x01", "\x80\x01");
    ENVELOPE(16368, "\xff\x7f", "\xf6\x7f");
    ENVELOPE(16369, "\x80\x80\x01", "\xf7\x7f");
    ENVELOPE(16378, "\x8a\x80\x01", "\x80\x80\x01");
}

static void test_empty_texts_are_left_out_and_both_are_written(void **state)
{
    (void)state;
    uint8_t memory[ROOM];
    uint8_t *const end = memory + ROOM;
    const struct ftri_view none = {NULL, 0};
    uint8_t *first = ftri_otlp_envelope_write(none, FTR_STR(""), FTR_STR(""), end, 0);
    assert_int_equal(end - first, 8);
    assert_memory_equal(first, "\x0a\x06\x0a\x00\x12\x02\x0a\x00", 8);
    first = ftri_otlp_envelope_write(none, FTR_STR("n"), FTR_STR("1.2"), end, 0);
    assert_int_equal(end - first, 16);
    assert_memory_equal(first,
                        "\x0a\x0e\x0a\x00\x12\x0a\x0a\x08\x0a\x01n\x12\x03"
                        "1.2",
                        16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_at_the_steps_of_a_varint),
        cmocka_unit_test(test_empty_texts_are_left_out_and_both_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
