/* SPDX-License-Identifier: Apache-2.0
 *
 * Conventions foundations-5.8: what its OTLP output (foundations/src/telemetry/tracing, 5.8.0)
 * makes of a span. Events are named "Log entry" and have attributes of texts; kind unspecified;
 * status Error if and only if there is a tag named `error`, even one that is false; one scope
 * without a name. */
#include "metrics_text.h"
#include "sent.h"
#include "spans.h"

#include "base/check.h"

#include <math.h>
#include <stdio.h>

static void start_foundations(void)
{
    ftr_config config = FTR_CONFIG_INIT;
    config.conventions = FTR_STR("foundations-5.8");
    start(&config);
}

static void assert_field(const ftr_event_data *event, size_t i, const char *key, const char *text)
{
    assert_true(i < event->n_attributes);
    assert_text(event->attributes[i].key, key);
    assert_int_equal(event->attributes[i].value.type, FTR_VALUE_STR);
    assert_text(event->attributes[i].value.as.str, text);
}

static void test_events_are_log_entries_of_texts(void **state)
{
    (void)state;
    const ftr_attribute fields[] = {
        {FTR_STR("peer"), ftr_value_str(FTR_STR("db-1"))},
        {FTR_STR("rows"), ftr_value_i64(INT64_MIN)},
        {FTR_STR("ok"), ftr_value_bool(true)},
        {FTR_STR("share"), ftr_value_f64(0.1)},
        {FTR_STR("tiny"), ftr_value_f64(-2.2250738585072014e-308)},
        {FTR_STR("none"), ftr_value_f64(NAN)},
        {FTR_STR("raw"), ftr_value_bytes("\1", 1)},
    };
    start_foundations();
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_span_event(span, FTR_STR("query"), fields, FTRI_COUNT(fields));
    ftr_span_event(span, FTR_STR("Log entry"), fields, 1);
    ftr_span_event(span, FTR_STR("bare"), NULL, 0);
    ftr_span_end(span);
    const ftr_span_data read = flushed(0);
    assert_int_equal(read.n_events, 3);
    for (size_t i = 0; i < 3; i++)
        assert_text(read.events[i].name, "Log entry");
    const ftr_event_data *const query = &read.events[0];
    assert_int_equal(query->n_attributes, 8);
    assert_field(query, 0, "event", "query");
    assert_field(query, 1, "peer", "db-1");
    assert_field(query, 2, "rows", "-9223372036854775808");
    assert_field(query, 3, "ok", "true");
    assert_field(query, 4, "share", "0.1");
    assert_field(query, 5, "tiny", "-2.2250738585072014e-308");
    assert_field(query, 6, "none", "nan");
    assert_int_equal(query->attributes[7].value.type, FTR_VALUE_BYTES);
    assert_int_equal(read.events[1].n_attributes, 1);
    assert_field(&read.events[1], 0, "peer", "db-1");
    assert_int_equal(read.events[2].n_attributes, 1);
    assert_field(&read.events[2], 0, "event", "bare");
    stop();
}

/* Many small ones, each of which is larger when read: within the memory that reading asks for. */
static void test_a_span_full_of_small_events(void **state)
{
    (void)state;
    start_foundations();
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    const ftr_attribute flags[] = {{FTR_STR("a"), ftr_value_bool(false)},
                                   {FTR_STR("b"), ftr_value_i64(1)},
                                   {FTR_STR("c"), ftr_value_str(FTR_STR(""))}};
    for (int i = 0; i < 128; i++)
        ftr_span_event(span, FTR_STR("e"), flags, (size_t)(i % 4));
    ftr_span_end(span);
    const ftr_span_data read = flushed(0);
    assert_int_equal(read.n_events, 128);
    for (size_t i = 0; i < 128; i++) {
        assert_int_equal(read.events[i].n_attributes, 1 + i % 4);
        assert_field(&read.events[i], 0, "event", "e");
        if (i % 4)
            assert_field(&read.events[i], 1, "a", "false");
    }
    stop();
}

static void test_kind_and_status(void **state)
{
    (void)state;
    start_foundations();
    const ftr_span plain = ftr_span_start(FTR_STR("plain"), FTR_KIND_INTERNAL, NULL);
    ftr_span_end(plain);
    const ftr_span server = ftr_span_start(FTR_STR("server"), FTR_KIND_SERVER, NULL);
    const ftr_value no = ftr_value_bool(false);
    ftr_span_set(server, FTR_STR("error"), &no);
    ftr_span_end(server);
    const ftr_span failed = ftr_span_start(FTR_STR("failed"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_str(failed, FTR_STR("errors"), FTR_STR("none"));
    ftr_span_set_status(failed, FTR_SPAN_ERROR, FTR_STR("its own"));
    ftr_span_end(failed);
    const ftr_span_data first = span_named("plain"), second = span_named("server"),
                        third = span_named("failed");
    assert_int_equal(first.kind, FTR_KIND_UNSPECIFIED);
    assert_int_equal(first.status, FTR_SPAN_UNSET);
    assert_int_equal(second.kind, FTR_KIND_SERVER);
    assert_int_equal(second.status, FTR_SPAN_ERROR);
    assert_int_equal(third.status, FTR_SPAN_ERROR);
    assert_text(third.status_description, "its own");
    stop();
}

/* As they are exported: of an internal span no kind, of one with a tag an error; whether or not a
 * tag makes series of their own. */
static void test_metrics_say_what_the_spans_say(void **state)
{
    (void)state;
    const ftr_str dimension = FTR_STR("zone");
    for (size_t n_dimensions = 0; n_dimensions <= 1; n_dimensions++) {
        ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
        ftr_config config = FTR_CONFIG_INIT;
        metrics.dimensions = &dimension;
        metrics.n_dimensions = n_dimensions;
        config.metrics = &metrics;
        config.conventions = FTR_STR("foundations-5.8");
        start(&config);
        {
            FTR_SPAN(tagged, "tagged");
            FTR_SPAN_SET(tagged, "error", true);
            FTR_SPAN(plain, "plain");
        }
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
        const char *const written = read_text(FTR_METRICS_PROMETHEUS);
        assert_non_null(strstr(written, "span_name=\"tagged\",span_kind="
                                        "\"SPAN_KIND_UNSPECIFIED\",status_code="
                                        "\"STATUS_CODE_ERROR\""));
        assert_non_null(strstr(written, "span_name=\"plain\",span_kind="
                                        "\"SPAN_KIND_UNSPECIFIED\",status_code="
                                        "\"STATUS_CODE_UNSET\""));
        stop();
    }
}

/* What is exported as an error is kept as one. */
static void test_a_tag_keeps_its_flow(void **state)
{
    (void)state;
    ftr_tail_config tail = FTR_TAIL_CONFIG_INIT;
    ftr_config config = FTR_CONFIG_INIT;
    tail.keeps_errors = true;
    tail.share = 0;
    config.tail = &tail;
    config.has_mode = true;
    config.mode = FTR_MODE_TAIL;
    config.conventions = FTR_STR("foundations-5.8");
    start(&config);
    ftr_span_end(ftr_span_start(FTR_STR("plain"), FTR_KIND_INTERNAL, NULL));
    const ftr_span tagged = ftr_span_start(FTR_STR("tagged"), FTR_KIND_INTERNAL, NULL);
    const ftr_value no = ftr_value_bool(false);
    ftr_span_set(tagged, FTR_STR("error"), &no);
    ftr_span_end(tagged);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(counts().tail_kept[FTR_TAIL_ERROR], 1);
    assert_int_equal(ftr_memory_spans_count(spans), 1);
    ftr_memory_spans_unref(spans);
}

static void send_one(const char *conventions, bool has_event)
{
    ftr_exporter *exporter = ftr_exporter_new(&keeper, NULL);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.conventions = ftr_str_from(conventions);
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    if (has_event)
        ftr_span_event(span, FTR_STR("query"), NULL, 0);
    ftr_span_end(span);
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
}

/* Field 1 of ScopeSpans, a name: 0a len { 0a 09 "flowtrace" 12 ... }; in between a plain session,
 * so that nothing of the one before stays. */
static void test_the_scope_has_no_name(void **state)
{
    (void)state;
    static const char named[] = "\x0a\x09"
                                "flowtrace\x12";
    static const struct {
        const char *conventions;
        bool is_named;
    } sessions[] = {{"flowtrace", true}, {"foundations-5.8", false}, {"otelcol", true}};
    for (size_t i = 0; i < FTRI_COUNT(sessions); i++) {
        send_one(sessions[i].conventions, true);
        assert_true(was_sent(named, sizeof named - 1) == sessions[i].is_named);
        assert_true(was_sent("Log entry", 9) != sessions[i].is_named);
        assert_true(was_sent("query", 5));
    }
}

/* name 5, kind 6, start 7 (opentelemetry/proto/trace/v1/trace.proto), of a span with nothing else.
 */
static void test_a_plain_span_has_no_kind_in_otlp(void **state)
{
    (void)state;
    send_one("flowtrace", false);
    assert_true(was_sent("\x2a\x01s\x30\x01\x39", 6));
    send_one("foundations-5.8", false);
    assert_false(was_sent("\x2a\x01s\x30\x01\x39", 6));
    assert_true(was_sent("\x2a\x01s\x39", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_log_entries_of_texts),
        cmocka_unit_test(test_a_span_full_of_small_events),
        cmocka_unit_test(test_kind_and_status),
        cmocka_unit_test(test_metrics_say_what_the_spans_say),
        cmocka_unit_test(test_a_tag_keeps_its_flow),
        cmocka_unit_test(test_the_scope_has_no_name),
        cmocka_unit_test(test_a_plain_span_has_no_kind_in_otlp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
