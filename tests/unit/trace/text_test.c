/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of every short length, and streams of every length around the slot's room, arrive as they
 * were given: the quick ways copy in words and vectors. */
#include <flowtrace/flowtrace.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

enum { LENGTHS = 70, ATTRIBUTES = 30 };

static ftr_memory_spans *spans;

static void start(uint32_t value_length)
{
    spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.limits.value_length = value_length;
    ftr_error error = {FTR_OK, ""};
    if (ftr_init(&config, &error) != FTR_OK)
        fail_msg("%s", error.text);
}

static ftr_span_data span_number(size_t i)
{
    ftr_span_data span;
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_true(ftr_memory_spans_get(spans, i, &span));
    return span;
}

static void stop(void)
{
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    ftr_memory_spans_unref(spans);
}

/* Of exactly this many bytes on the heap, so that reading beyond it is seen; free it. */
static char *text_of(size_t len, char first)
{
    char *text = malloc(len ? len : 1);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(first + (char)(i % 20));
    return text;
}

static void assert_text(ftr_str text, size_t len, char first)
{
    char *expected = text_of(len, first);
    assert_int_equal(text.len, len);
    assert_memory_equal(text.data, expected, len);
    free(expected);
}

static void test_keys_and_values_of_every_length(void **state)
{
    (void)state;
    start(0);
    for (size_t len = 1; len <= LENGTHS; len++) {
        char *key = text_of(len, 'A');
        char *value = text_of(LENGTHS - len, 'a');
        const ftr_span span = ftr_span_start(FTR_STR("lengths"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_str(span, (ftr_str){key, len}, (ftr_str){value, LENGTHS - len});
        ftr_span_event(span, (ftr_str){key, len}, NULL, 0);
        ftr_span_end(span);
        free(key);
        free(value);
    }
    for (size_t len = 1; len <= LENGTHS; len++) {
        const ftr_span_data span = span_number(len - 1);
        assert_int_equal(span.n_attributes, 1);
        assert_int_equal(span.n_events, 1);
        assert_text(span.attributes[0].key, len, 'A');
        assert_text(span.attributes[0].value.as.str, LENGTHS - len, 'a');
        assert_text(span.events[0].name, len, 'A');
        assert_true(span.events[0].time_ns >= span.start_time_ns);
        assert_true(span.events[0].time_ns <= span.end_time_ns);
    }
    stop();
}

/* From streams that fit in a slot to such that need pages, and back. */
static void test_any_number_of_attributes(void **state)
{
    (void)state;
    static const char keys[] = "abcdefghijklmnopqrstuvwxyz012345";
    start(0);
    char *value = text_of(41, 'a');
    for (size_t i = 0; i < 2 * ATTRIBUTES; i++) {
        const ftr_span span = ftr_span_start(FTR_STR("numbers"), FTR_KIND_INTERNAL, NULL);
        for (size_t k = 0; k < (i < ATTRIBUTES ? i : 2 * ATTRIBUTES - i); k++)
            ftr_span_set_str(span, (ftr_str){keys + k, 1}, (ftr_str){value, 41});
        ftr_span_end(span);
    }
    free(value);
    for (size_t i = 0; i < 2 * ATTRIBUTES; i++) {
        const ftr_span_data span = span_number(i);
        assert_int_equal(span.n_attributes, i < ATTRIBUTES ? i : 2 * ATTRIBUTES - i);
        for (size_t k = 0; k < span.n_attributes; k++) {
            assert_int_equal(span.attributes[k].key.data[0], keys[k]);
            assert_text(span.attributes[k].value.as.str, 41, 'a');
        }
    }
    stop();
}

static void test_values_around_the_limit(void **state)
{
    (void)state;
    start(10);
    char *value = text_of(11, 'a');
    for (size_t len = 9; len <= 11; len++) {
        const ftr_span span = ftr_span_start(FTR_STR("limit"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_str(span, FTR_STR("key"), (ftr_str){value, len});
        ftr_span_end(span);
    }
    free(value);
    for (size_t len = 9; len <= 11; len++)
        assert_text(span_number(len - 9).attributes[0].value.as.str, len < 10 ? len : 10, 'a');
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_and_values_of_every_length),
        cmocka_unit_test(test_any_number_of_attributes),
        cmocka_unit_test(test_values_around_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
