/* SPDX-License-Identifier: Apache-2.0
 *
 * Expected values: the numbers in hexadecimal as foundations writes them, a trace id of two 64-bit
 * halves of which the lower one is padded when the upper one is not 0. */
#include <flowtrace/propagation.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_state_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *formatted; /* NULL: the same */
    } cases[] = {
        {"4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1", NULL},
        {"4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1",
         "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1"},
        {"1000000000000000a:1:0:0", NULL},
        {"00000000000000010000000000000010:000000000000000a:0:00", "10000000000000010:a:0:0"},
        {"ab:cd:12345:3", "ab:cd:0:3"},
        {"ab:cd:0:2", "ab:cd:0:3"}, /* debug is sampled */
        {"ab:cd:0:f1", "ab:cd:0:1"},
    };
    static const char *const refused[] = {"",           "ab:cd:0",
                                          "ab:cd:1",    "0:cd:0:1",
                                          "ab:0:0:1",   ":cd:0:1",
                                          "ab:cd:0:x",  "ab:cd:0:123",
                                          "ab:cd:0:",   "14bf92f3577b34da6a3ce929d0e0e4736:1:0:1",
                                          "ab:cd:0:1:0"};
    char formatted[FTR_STATE_TEXT_LEN + 1];
    ftr_context context;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(ftr_state_text_parse(ftr_str_from(cases[i].text), &context));
        assert_true(context.span.is_remote);
        assert_true(ftr_state_text_format(&context, formatted));
        assert_string_equal(formatted, cases[i].formatted ? cases[i].formatted : cases[i].text);
        ftr_context_release(&context);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_false(ftr_state_text_parse(ftr_str_from(refused[i]), &context));
        assert_false(ftr_state_text_format(&context, formatted));
        assert_string_equal(formatted, "");
        assert_null(context.block);
    }
    assert_false(ftr_state_text_parse((ftr_str){NULL, 0}, &context));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
