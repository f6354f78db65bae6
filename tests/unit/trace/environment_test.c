/* SPDX-License-Identifier: Apache-2.0
 *
 * What variables do to spans; that they are read right is scenario/env's. Expected: OpenTelemetry
 * specification, "SDK environment variables". */
#include "spans.h"

#include <stdio.h>

static ftr_span_data record_one(void)
{
    const ftr_attribute inner = {FTR_STR("inner"), ftr_value_str(FTR_STR("text"))};
    const ftr_value map = ftr_value_map(&inner, 1);
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_context context = ftr_span_context_of(span);
    ftr_span_set_str(span, FTR_STR("short"), FTR_STR("x"));
    ftr_span_set_str(span, FTR_STR("long"), FTR_STR("a text of more than sixteen bytes"));
    ftr_span_set_i64(span, FTR_STR("number"), 1234567);
    ftr_span_set(span, FTR_STR("map"), &map);
    ftr_span_event(span, FTR_STR("event"), &inner, 1);
    ftr_span_link(span, &context, &inner, 1);
    ftr_context_release(&context);
    ftr_span_end(span);
    return flushed(0);
}

/* "Valid values are non-negative": nothing of a text is kept, everything else is. */
static void test_a_value_length_of_0(void **state)
{
    (void)state;
    static const char *const names[] = {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                                        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"};
    for (size_t i = 0; i < 2; i++) {
        setenv(names[i], "0", 1);
        start_standard();
        unsetenv(names[i]);
        const ftr_span_data span = record_one();
        assert_text(span.name, "s");
        assert_int_equal(span.n_attributes, 4);
        assert_text_attribute(&span, "short", "");
        assert_text_attribute(&span, "long", "");
        assert_i64_attribute(&span, "number", 1234567);
        assert_text(value_of(&span, "map")->as.map.items[0].value.as.str, "");
        assert_text(span.events[0].attributes[0].value.as.str, "");
        assert_text(span.links[0].attributes[0].value.as.str, "");
        stop();
    }
    start_standard(); /* and the next session has none */
    const ftr_span_data span = record_one();
    assert_text_attribute(&span, "long", "a text of more than sixteen bytes");
    stop();
}

static void test_counts_of_0(void **state)
{
    (void)state;
    static const char *const names[] = {
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT",
        "OTEL_SPAN_LINK_COUNT_LIMIT",      "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    };
    for (size_t i = 0; i < 5; i++) {
        setenv(names[i], "0", 1);
        start_standard();
        unsetenv(names[i]);
        const ftr_span_data span = record_one();
        assert_int_equal(span.n_attributes, i == 0 ? 0 : 4);
        assert_int_equal(span.n_dropped_attributes, i == 0 ? 4 : 0);
        assert_int_equal(span.n_events, i == 1 ? 0 : 1);
        assert_int_equal(span.n_dropped_events, i == 1 ? 1 : 0);
        assert_int_equal(span.n_links, i == 2 ? 0 : 1);
        assert_int_equal(span.n_dropped_links, i == 2 ? 1 : 0);
        if (i == 3)
            assert_int_equal(span.events[0].n_dropped_attributes, 1);
        if (i == 4)
            assert_int_equal(span.links[0].n_dropped_attributes, 1);
        stop();
    }
}

/* "This setting has no effect on propagators." */
static void test_a_disabled_library_still_propagates(void **state)
{
    (void)state;
    static const char parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    ftr_field room[4] = {{FTR_STR("traceparent"), ftr_str_from(parent)}};
    ftr_field_list in = {.fields = room, .n_fields = 1};
    ftr_field out_room[4];
    char text[512];
    ftr_field_list out = {
        .fields = out_room, .capacity = 4, .text = text, .text_capacity = sizeof text};
    setenv("OTEL_SDK_DISABLED", "true", 1);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    unsetenv("OTEL_SDK_DISABLED");
    ftr_context context = ftr_extract(&ftr_map_carrier, &in);
    {
        FTR_ATTACHED(around, &context);
        FTR_SPAN(span, "not recorded");
        assert_false(FTR_SPAN_RECORDS(span));
        ftr_context current = ftr_context_current();
        ftr_inject(&current, &ftr_map_carrier, &out);
        ftr_context_release(&current);
    }
    assert_int_equal(out.n_fields, 1);
    assert_text(out.fields[0].value, parent);
    ftr_context_release(&context);
    assert_int_equal(counts().started, 0);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

/* A timeout of 0 is none: the exporter has as long as it likes. */
static uint64_t seen_deadline_ns;

static void note_deadline(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                          ftr_export_result *ret_result)
{
    (void)instance;
    seen_deadline_ns = deadline_ns;
    ret_result->n_delivered = batch->n_spans;
}

static const ftr_exporter_class noting = {
    .size = sizeof noting,
    .name = "noting",
    .form = FTR_EXPORT_SPANS,
    .export_batch = note_deadline,
};

static void test_an_export_timeout_of_0_is_none(void **state)
{
    (void)state;
    ftr_exporter *exporter = ftr_exporter_new(&noting, NULL);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    setenv("OTEL_BSP_EXPORT_TIMEOUT", "0", 1);
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    unsetenv("OTEL_BSP_EXPORT_TIMEOUT");
    ftr_span_end(ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL));
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(counts().exporters[0].delivered, 1);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_true(seen_deadline_ns > 40 * 24 * 3600 * SECOND); /* since some time after the start */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_length_of_0),
        cmocka_unit_test(test_counts_of_0),
        cmocka_unit_test(test_a_disabled_library_still_propagates),
        cmocka_unit_test(test_an_export_timeout_of_0_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
