/* SPDX-License-Identifier: Apache-2.0
 *
 * The exporters without a network: a line on stderr, and spans in memory. */
#include <flowtrace/flowtrace.h>

#include "base/mem.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

/* What a session with the given exporter writes to stderr. */
static size_t stderr_of(void (*record)(void), char *ret_text, size_t size)
{
    FILE *file = tmpfile();
    const int saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    ftr_exporter *exporter = ftr_stdio_exporter_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    const ftr_status started = ftr_init(&config, NULL);
    record();
    const ftr_status stopped = ftr_shutdown(5 * SECOND);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(started, FTR_OK);
    assert_int_equal(stopped, FTR_OK);
    rewind(file);
    const size_t n = fread(ret_text, 1, size - 1, file);
    ret_text[n] = '\0';
    fclose(file);
    return n;
}

static void record_one(void)
{
    ftr_span_context remote;
    if (!ftr_traceparent_parse(FTR_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                               &remote))
        return;
    const ftr_context parent = {.span = remote};
    const ftr_span span = ftr_span_start(FTR_STR("che\nckout"), FTR_KIND_SERVER, &parent);
    const ftr_value items[] = {ftr_value_i64(1), ftr_value_bool(true)};
    const ftr_value array = ftr_value_array(items, 2);
    ftr_span_set_i64(span, FTR_STR("rows"), -3);
    ftr_span_set(span, FTR_STR("list"), &array);
    ftr_span_set_status(span, FTR_SPAN_ERROR, FTR_STR("no stock"));
    ftr_span_event(span, FTR_STR("e"), NULL, 0);
    ftri_time_fake(0, UINT64_C(1767323045680135567));
    ftr_span_end(span);
}

static void test_a_line_per_span(void **state)
{
    (void)state;
    char text[4096];
    ftri_time_fake(0, UINT64_C(1767323045678901567)); /* 2026-01-02T03:04:05.678901567Z */
    stderr_of(record_one, text, sizeof text);
    ftri_time_real();
    char *id = strstr(text, "4bf92f3577b34da6a3ce929d0e0e4736/");
    assert_non_null(id);
    memset(id + 33, '*', 16); /* the span's own id is random */
    assert_string_equal(text, "2026-01-02T03:04:05.678901Z che\\x0ackout 1.234 ms SERVER "
                              "4bf92f3577b34da6a3ce929d0e0e4736/**************** "
                              "< 00f067aa0ba902b7 ERROR: no stock rows=-3 list=[1 true] "
                              "(1 events, 0 links)\n");
}

static void record_long(void)
{
    static char value[100000];
    memset(value, 'v', sizeof value);
    const ftr_span span = ftr_span_start(FTR_STR("long"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_str(span, FTR_STR("k"), (ftr_str){value, sizeof value});
    ftr_span_end(span);
    ftr_span_end(ftr_span_start(FTR_STR("next"), FTR_KIND_INTERNAL, NULL));
}

static void test_a_line_has_a_limit(void **state)
{
    (void)state;
    static char text[200000];
    const size_t n = stderr_of(record_long, text, sizeof text);
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_true(end - text < 65536);
    assert_non_null(strstr(end, " next "));
    assert_int_equal(text[n - 1], '\n');
}

static void test_memory_spans_survive_short_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        ftr_memory_spans *spans = ftr_memory_spans_new();
        ftr_exporter *exporter = ftr_memory_exporter_new(spans);
        ftr_config config = FTR_CONFIG_INIT;
        config.exporters = &exporter;
        config.n_exporters = 1;
        assert_int_equal(ftr_init(&config, NULL), FTR_OK);
        ftri_mem_fail_at(n);
        for (int i = 0; i < 100; i++)
            ftr_span_end(ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL));
        ftr_flush(5 * SECOND);
        ftri_mem_fail_at(0);
        ftr_statistics counts = {.size = sizeof counts};
        ftr_get_statistics(&counts);
        assert_int_equal(counts.exporters[0].delivered, ftr_memory_spans_count(spans));
        assert_int_equal(counts.recorded, counts.exporters[0].delivered +
                                              counts.exporters[0].lost_export +
                                              counts.exporters[0].lost_queue_full);
        ftr_memory_spans_reset(spans);
        assert_int_equal(ftr_memory_spans_count(spans), 0);
        assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
        ftr_memory_spans_unref(spans);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_per_span),
        cmocka_unit_test(test_a_line_has_a_limit),
        cmocka_unit_test(test_memory_spans_survive_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
