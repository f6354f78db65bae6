/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes by hand (protobuf.dev, "Encoding"), JSON by the OTLP specification. */
#include "otlp/answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal)                                                                             \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
#define RETRY_INFO "\x0a\x28type.googleapis.com/google.rpc.RetryInfo"

static void test_responses(void **state)
{
    (void)state;
    static const struct {
        struct ftri_view bytes;
        int result;
        uint64_t n_rejected;
        const char *text;
    } rows[] = {
        {BYTES(""), 0, 0, ""},
        {BYTES("{}"), 0, 0, ""},
        {BYTES("\x0a\x07\x08\xac\x02\x12\x02no"), 0, 300, "no"},
        {BYTES("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0, 0, ""}, /* -1 */
        {BYTES("\x0a\x04\x12\x02h\n"), 0, 0, "h "},
        {BYTES("\x0a\x07\x08"), -EBADMSG, 0, ""},
        {BYTES("\x0a\x01\x08"), -EBADMSG, 0, ""},
        {BYTES("{\"partialSuccess\":{\"rejectedSpans\":\"300\",\"errorMessage\":\"n\\u00f6\"}}"), 0,
         300, "n\xc3\xb6"},
        {BYTES("{\"x\":[{}],\"partialSuccess\":{\"y\":{},\"rejectedSpans\":3}} "), 0, 3, ""},
        {BYTES("{\"rejectedSpans\":3,\"partialSuccess\":null}"), 0, 0, ""},
        {BYTES("{\"partialSuccess\":{\"rejectedSpans\":\"-3\"}}"), 0, 0, ""},
        {BYTES("{\"partialSuccess\":{\"rejectedSpans\":"), -EBADMSG, 0, ""},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct ftri_otlp_answer answer = {0};
        const int r = ftri_otlp_answer_read_response(&answer, rows[i].bytes);
        if (r != rows[i].result)
            fail_msg("row %zu: %d", i, r);
        assert_int_equal(answer.n_rejected, rows[i].n_rejected);
        assert_string_equal(answer.text, rows[i].text);
    }
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        struct ftri_view bytes;
        int result;
        bool asks;
        uint64_t delay_ns;
        const char *text;
    } rows[] = {
        {BYTES("\x08\x0e\x12\x04"
               "full"),
         0, false, 0, "full"},
        {BYTES("{\"code\":3,\"message\":\"bad id\"}"), 0, false, 0, "bad id"},
        /* details: Any { type_url, value: RetryInfo { retry_delay: 2 s 5 ns } } */
        {BYTES("\x08\x08\x12\x01x\x1a\x32" RETRY_INFO "\x12\x06\x0a\x04\x08\x02\x10\x05"), 0, true,
         2000000005, "x"},
        {BYTES("\x1a\x2a" RETRY_INFO), 0, true, 0, ""}, /* no delay */
        /* 2 s 5 ns, then 3 s 7 ns: the last count */
        {BYTES("\x1a\x36" RETRY_INFO "\x12\x0a\x0a\x08\x08\x02\x10\x05\x08\x03\x10\x07"), 0, true,
         3000000007, ""},
        /* 2^63 - 1 seconds: a day at most */
        {BYTES("\x1a\x39" RETRY_INFO
               "\x12\x0d\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10"),
         -EBADMSG, true, UINT64_C(86400000000000), ""},
        {BYTES("\x1a\x08\x0a\x06other."), 0, false, 0, ""},
        {BYTES("<html>"), -EBADMSG, false, 0, ""},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct ftri_otlp_answer answer = {0};
        const int r = ftri_otlp_answer_read_status(&answer, rows[i].bytes);
        if (r != rows[i].result)
            fail_msg("row %zu: %d", i, r);
        assert_int_equal(answer.asks_to_retry, rows[i].asks);
        assert_int_equal(answer.retry_delay_ns, rows[i].delay_ns);
        assert_string_equal(answer.text, rows[i].text);
    }
}

static void test_a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[1000];
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xb6", 2);
    struct ftri_otlp_answer answer = {0};
    ftri_otlp_answer_set_text(&answer, (ftr_str){text, sizeof text});
    assert_int_equal(strlen(answer.text), 510);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_a_long_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
