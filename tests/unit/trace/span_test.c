/* SPDX-License-Identifier: Apache-2.0
 *
 * What is recorded arrives: every function of span.h, seen through the in-memory exporter. */
#include "spans.h"

#include "base/time.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_a_span_has_its_name_kind_times_and_new_ids(void **state)
{
    (void)state;
    ftri_time_fake(5000, 1700000000000000000);
    start_standard();
    const ftr_span span = ftr_span_start(FTR_STR("parse"), FTR_KIND_CONSUMER, NULL);
    assert_true(ftr_span_is_recording(span));
    ftri_time_fake(6000, 1700000000000001500);
    ftr_span_end(span);
    assert_false(ftr_span_is_recording(span));
    const ftr_span_data data = flushed(0);
    assert_text(data.name, "parse");
    assert_int_equal(data.kind, FTR_KIND_CONSUMER);
    assert_int_equal(data.start_time_ns, 1700000000000000000);
    assert_int_equal(data.end_time_ns, 1700000000000001500);
    assert_true(ftr_trace_id_is_valid(&data.context.trace_id));
    assert_true(ftr_span_id_is_valid(&data.context.span_id));
    assert_false(ftr_span_id_is_valid(&data.parent_span_id));
    assert_int_equal(data.context.trace_flags, FTR_TRACE_FLAG_SAMPLED | FTR_TRACE_FLAG_RANDOM);
    stop();
    ftri_time_real();
}

static void test_names_of_every_length(void **state)
{
    (void)state;
    char name[1200];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = (char)('a' + i % 26);
    start_standard();
    for (size_t len = 0; len < sizeof name; len++) {
        char *exact = malloc(len ? len : 1); /* a byte too far is the sanitizer's */
        memcpy(exact, name, len);
        ftr_span_end(ftr_span_start((ftr_str){exact, len}, FTR_KIND_INTERNAL, NULL));
        free(exact);
    }
    ftr_span_end(ftr_span_start((ftr_str){NULL, 0}, FTR_KIND_INTERNAL, NULL));
    for (size_t len = 0; len < sizeof name; len++) {
        const ftr_span_data data = flushed(len);
        assert_int_equal(data.name.len, len);
        assert_memory_equal(data.name.data, name, len);
    }
    assert_int_equal(flushed(sizeof name).name.len, 0);
    stop();
}

static void test_children_follow_context(void **state)
{
    (void)state;
    start_standard();
    const ftr_span root = ftr_span_start(FTR_STR("root"), FTR_KIND_SERVER, NULL);
    ftr_context context = ftr_span_context_of(root);
    const ftr_attachment attachment = ftr_attach(&context);
    const ftr_span child = ftr_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, NULL);
    const ftr_span_options options = {
        .size = sizeof options, .name = FTR_STR("apart"), .is_root = true};
    ftr_span_end(ftr_span_start_with(&options));
    ftr_span_end(child);
    ftr_detach(attachment);
    ftr_span_end(ftr_span_start(FTR_STR("explicit"), FTR_KIND_INTERNAL, &context));
    ftr_span_end(root);
    ftr_context_release(&context);
    const ftr_span_data apart = flushed(0);
    const ftr_span_data inner = flushed(1);
    const ftr_span_data explicit_child = flushed(2);
    const ftr_span_data outer = flushed(3);
    assert_memory_equal(&inner.context.trace_id, &outer.context.trace_id, 16);
    assert_memory_equal(&inner.parent_span_id, &outer.context.span_id, 8);
    assert_memory_equal(&explicit_child.parent_span_id, &outer.context.span_id, 8);
    assert_memory_not_equal(&inner.context.span_id, &explicit_child.context.span_id, 8);
    assert_memory_not_equal(&apart.context.trace_id, &outer.context.trace_id, 16);
    assert_false(ftr_span_id_is_valid(&apart.parent_span_id));
    stop();
}

static void test_attributes_of_every_type(void **state)
{
    (void)state;
    start_standard();
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    const ftr_value items[] = {ftr_value_i64(1), ftr_value_str(FTR_STR("two"))};
    const ftr_value nested[] = {ftr_value_array(items, 2), ftr_value_bool(true)};
    const ftr_attribute entries[] = {{FTR_STR("deep"), ftr_value_array(nested, 2)},
                                     {FTR_STR("none"), {.type = FTR_VALUE_EMPTY}}};
    const ftr_value map = ftr_value_map(entries, 2);
    ftr_span_set_str(span, FTR_STR("text"), FTR_STR("value"));
    ftr_span_set_i64(span, FTR_STR("int"), INT64_MIN);
    ftr_span_set_f64(span, FTR_STR("float"), -0.25);
    ftr_span_set_bool(span, FTR_STR("bool"), true);
    ftr_span_set_bytes(span, FTR_STR("bytes"), "\0\1", 2);
    ftr_span_set(span, FTR_STR("map"), &map);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 6);
    assert_text(value_of(&data, "text")->as.str, "value");
    assert_true(value_of(&data, "int")->as.i64 == INT64_MIN);
    assert_true(value_of(&data, "float")->as.f64 == -0.25);
    assert_true(value_of(&data, "bool")->as.boolean);
    assert_memory_equal(value_of(&data, "bytes")->as.str.data, "\0\1", 2);
    const ftr_value *got = value_of(&data, "map");
    assert_int_equal(got->as.map.n_items, 2);
    assert_text(got->as.map.items[0].key, "deep");
    const ftr_value *deep = &got->as.map.items[0].value;
    assert_text(deep->as.array.items[0].as.array.items[1].as.str, "two");
    assert_true(deep->as.array.items[1].as.boolean);
    assert_int_equal(got->as.map.items[1].value.type, FTR_VALUE_EMPTY);
    stop();
}

static void test_setting_a_key_again_replaces_its_value(void **state)
{
    (void)state;
    start_standard();
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    char text[400];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 100000; i++) {
        ftr_span_set_i64(span, FTR_STR("again"), i);
        ftr_span_set_str(span, FTR_STR("text"), (ftr_str){text, (size_t)i % sizeof text});
    }
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 2);
    assert_int_equal(data.n_dropped_attributes, 0);
    assert_int_equal(value_of(&data, "again")->as.i64, 99999);
    assert_int_equal(value_of(&data, "text")->as.str.len, 99999 % sizeof text);
    stop();
}

static void set_numbered(ftr_span span, int i)
{
    char key[16];
    const int len = snprintf(key, sizeof key, "key%d", i);
    ftr_span_set_i64(span, (ftr_str){key, (size_t)len}, i);
}

static void test_limits_drop_and_count(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.limits = (ftr_limits){.attributes = 4,
                                 .events = 2,
                                 .links = 1,
                                 .attributes_per_event = 1,
                                 .attributes_per_link = 2,
                                 .value_length = 3};
    start(&config);
    const ftr_span span = ftr_span_start(FTR_STR("long name"), FTR_KIND_INTERNAL, NULL);
    set_numbered(span, 0);
    set_numbered(span, 0);
    for (int i = 0; i < 7; i++)
        set_numbered(span, i);
    ftr_span_set_str(span, FTR_STR("key0"), FTR_STR("\xc3\xa4\xc3\xb6\xc3\xbc!"));
    const ftr_attribute three[] = {{FTR_STR("a"), ftr_value_i64(1)},
                                   {FTR_STR("b"), ftr_value_i64(2)},
                                   {FTR_STR("c"), ftr_value_i64(3)}};
    ftr_context other = ftr_span_context_of(span);
    for (int i = 0; i < 5; i++) {
        ftr_span_event(span, FTR_STR("event"), three, 3);
        ftr_span_link(span, &other, three, 3);
    }
    ftr_context_release(&other);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_text(data.name, "long name");
    assert_int_equal(data.n_attributes, 4);
    assert_int_equal(data.n_dropped_attributes, 3);
    assert_text(value_of(&data, "key0")->as.str, "\xc3\xa4\xc3\xb6\xc3\xbc");
    assert_int_equal(data.n_events, 2);
    assert_int_equal(data.n_dropped_events, 3);
    assert_int_equal(data.events[1].n_attributes, 1);
    assert_int_equal(data.events[1].n_dropped_attributes, 2);
    assert_int_equal(data.n_links, 1);
    assert_int_equal(data.n_dropped_links, 4);
    assert_int_equal(data.links[0].n_dropped_attributes, 1);
    const ftr_statistics statistics = counts();
    assert_int_equal(statistics.dropped_attributes, 3);
    assert_int_equal(statistics.dropped_events, 3);
    assert_int_equal(statistics.dropped_links, 4);
    stop();
}

static void test_large_spans_use_pages(void **state)
{
    (void)state;
    start_standard();
    char *text = malloc(100000);
    for (size_t i = 0; i < 100000; i++)
        text[i] = (char)('!' + i % 90);
    for (int round = 0; round < 300; round++) {
        const ftr_span span = ftr_span_start(FTR_STR("large"), FTR_KIND_INTERNAL, NULL);
        for (int i = 0; i < 128; i++)
            set_numbered(span, i);
        ftr_span_set_str(span, FTR_STR("key7"), (ftr_str){text, 100000});
        ftr_span_event(span, (ftr_str){text, 5000}, NULL, 0);
        ftr_span_end(span);
        if (round % 20 == 0)
            assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    }
    free(text);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 128);
    assert_int_equal(value_of(&data, "key127")->as.i64, 127);
    assert_int_equal(value_of(&data, "key7")->as.str.len, 100000);
    assert_int_equal(value_of(&data, "key7")->as.str.data[99999], '!' + 99999 % 90);
    assert_int_equal(data.events[0].name.len, 5000);
    assert_int_equal(counts().recorded, 300);
    assert_int_equal(counts().dropped_attributes, 0);
    stop();
}

static void test_a_value_that_fits_nowhere_is_dropped(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.journal_bytes = 64 * 1024;
    start(&config);
    char *text = calloc(1, 100000);
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_str(span, FTR_STR("big"), (ftr_str){text, 100000});
    ftr_value circle[2];
    circle[0] = circle[1] = ftr_value_array(circle, 2);
    ftr_span_set(span, FTR_STR("circle"), &circle[0]);
    ftr_span_set_i64(span, (ftr_str){"", 0}, 1);
    ftr_span_end(span);
    free(text);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 0);
    assert_int_equal(data.n_dropped_attributes, 3);
    stop();
}

static void test_events_links_and_tracestate(void **state)
{
    (void)state;
    ftri_time_fake(1, 1000);
    start_standard();
    ftr_span_context remote;
    assert_true(ftr_traceparent_parse(
        FTR_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), &remote));
    const ftr_context parent = {.span = remote};
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, &parent);
    ftri_time_fake(2, 1500);
    const ftr_attribute attribute = {FTR_STR("n"), ftr_value_i64(3)};
    ftr_span_event(span, FTR_STR("cache miss"), &attribute, 1);
    ftr_span_link(span, &parent, &attribute, 1);
    const ftr_context nothing = FTR_CONTEXT_NONE;
    ftr_span_link(span, &nothing, NULL, 0);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_true(data.parent_is_remote);
    assert_memory_equal(&data.parent_span_id, &remote.span_id, 8);
    assert_int_equal(data.n_events, 1);
    assert_text(data.events[0].name, "cache miss");
    assert_int_equal(data.events[0].time_ns, 1500);
    assert_int_equal(data.events[0].attributes[0].value.as.i64, 3);
    assert_int_equal(data.n_links, 1);
    assert_memory_equal(&data.links[0].context.trace_id, &remote.trace_id, 16);
    assert_text(data.links[0].attributes[0].key, "n");
    stop();
    ftri_time_real();
}

static void test_status_and_name_rules(void **state)
{
    (void)state;
    start_standard();
    const ftr_span first = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_status(first, FTR_SPAN_ERROR, FTR_STR("first"));
    ftr_span_set_status(first, FTR_SPAN_UNSET, FTR_STR("ignored"));
    ftr_span_set_status(first, FTR_SPAN_ERROR, FTR_STR("the second description is longer"));
    ftr_span_set_name(first, FTR_STR("renamed"));
    ftr_span_set_name(first, FTR_STR("renamed again and longer"));
    ftr_span_end(first);
    const ftr_span second = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_status(second, FTR_SPAN_ERROR, FTR_STR("forgotten"));
    ftr_span_set_status(second, FTR_SPAN_OK, FTR_STR("not kept"));
    ftr_span_set_status(second, FTR_SPAN_ERROR, FTR_STR("too late"));
    ftr_span_end(second);
    ftr_span_data data = flushed(0);
    assert_int_equal(data.status, FTR_SPAN_ERROR);
    assert_text(data.status_description, "the second description is longer");
    assert_text(data.name, "renamed again and longer");
    data = flushed(1);
    assert_int_equal(data.status, FTR_SPAN_OK);
    assert_int_equal(data.status_description.len, 0);
    stop();
}

static void test_explicit_times_and_initial_content(void **state)
{
    (void)state;
    start_standard();
    const ftr_attribute attribute = {FTR_STR("k"), ftr_value_i64(9)};
    const ftr_context other = {.span = {.trace_id = {{1}}, .span_id = {{2}}}};
    const ftr_link link = {&other, &attribute, 1};
    const ftr_span_options options = {.size = sizeof options,
                                      .name = FTR_STR("timed"),
                                      .kind = FTR_KIND_PRODUCER,
                                      .start_time_ns = 1000,
                                      .attributes = &attribute,
                                      .n_attributes = 1,
                                      .links = &link,
                                      .n_links = 1};
    ftr_span_end_at(ftr_span_start_with(&options), 3000);
    ftr_span_end_at(ftr_span_start_with(&options), 500);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.start_time_ns, 1000);
    assert_int_equal(data.end_time_ns, 3000);
    assert_int_equal(data.n_attributes, 1);
    assert_int_equal(data.n_links, 1);
    assert_int_equal(flushed(1).end_time_ns, 1000);
    stop();
}

static void test_stale_and_foreign_handles_are_counted_no_ops(void **state)
{
    (void)state;
    start_standard();
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_span_end(span);
    ftr_span_end(span);
    ftr_span_set_i64(span, FTR_STR("k"), 1);
    const ftr_span reused = ftr_span_start(FTR_STR("reused"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_name(span, FTR_STR("wrong"));
    const ftr_span foreign[] = {{UINT64_MAX, 1}, {1, 1}, {UINT64_C(77) << 32, 5}, {12345, 7}};
    for (size_t i = 0; i < 4; i++) {
        ftr_span_set_i64(foreign[i], FTR_STR("k"), 1);
        ftr_span_end(foreign[i]);
        assert_false(ftr_span_is_recording(foreign[i]));
    }
    ftr_detach((ftr_attachment){99});
    ftr_span_end(reused);
    const ftr_context context = ftr_span_context_of(span);
    assert_false(ftr_span_id_is_valid(&context.span.span_id));
    assert_text(flushed(1).name, "reused");
    assert_int_equal(counts().stale, 3 + 8 + 1 + 1);
    assert_int_equal(counts().ended, 2);
    stop();
}

static void test_an_unsampled_parent_is_passed_on(void **state)
{
    (void)state;
    start_standard();
    ftr_context parent = {.span = {.trace_id = {{7}}, .span_id = {{8}}, .is_remote = true}};
    const ftr_attachment attachment = ftr_attach(&parent);
    const ftr_span spans_of_frame[] = {ftr_span_start(FTR_STR("a"), FTR_KIND_INTERNAL, NULL),
                                       ftr_span_start(FTR_STR("b"), FTR_KIND_INTERNAL, NULL),
                                       ftr_span_start(FTR_STR("c"), FTR_KIND_INTERNAL, &parent)};
    for (size_t i = 0; i < 3; i++) {
        assert_false(ftr_span_is_recording(spans_of_frame[i]));
        ftr_span_set_i64(spans_of_frame[i], FTR_STR("k"), 1);
        ftr_context context = ftr_span_context_of(spans_of_frame[i]);
        assert_memory_equal(&context.span.trace_id, &parent.span.trace_id, 16);
        assert_memory_equal(&context.span.span_id, &parent.span.span_id, 8);
        assert_int_equal(context.span.trace_flags, 0);
        ftr_context_release(&context);
    }
    ftr_span_end(spans_of_frame[0]);
    ftr_context still = ftr_span_context_of(spans_of_frame[1]);
    assert_true(ftr_span_id_is_valid(&still.span.span_id));
    ftr_context_release(&still);
    ftr_span_end(spans_of_frame[1]);
    ftr_span_end(spans_of_frame[2]);
    ftr_detach(attachment);
    still = ftr_span_context_of(spans_of_frame[1]);
    assert_false(ftr_span_id_is_valid(&still.span.span_id));
    assert_int_equal(counts().started, 0);
    stop();
}

static void *end_span(void *argument)
{
    const ftr_span *span = argument;
    ftr_span_set_str(*span, FTR_STR("from"), FTR_STR("elsewhere"));
    ftr_span_end(*span);
    return NULL;
}

static void test_spans_end_on_other_threads(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.open_spans = 4;
    start(&config);
    for (int i = 0; i < 40; i++) { /* ten times the slots: they come back */
        ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
        assert_true(ftr_span_is_recording(span));
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, end_span, &span), 0);
        pthread_join(thread, NULL);
    }
    const ftr_span_data data = flushed(39);
    assert_text(value_of(&data, "from")->as.str, "elsewhere");
    const ftr_statistics statistics = counts();
    assert_int_equal(statistics.started, 40);
    assert_int_equal(statistics.ended, 40);
    assert_int_equal(statistics.open, 0);
    assert_int_equal(statistics.no_slot, 0);
    stop();
}

static void test_slots_run_out_and_come_back(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.open_spans = 4;
    start(&config);
    ftr_span open[5];
    for (int i = 0; i < 5; i++)
        open[i] = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    assert_false(ftr_span_is_recording(open[4]));
    assert_int_equal(counts().no_slot, 1);
    assert_int_equal(counts().open, 4);
    for (int i = 0; i < 5; i++)
        ftr_span_end(open[i]);
    assert_int_equal(counts().open, 0);
    ftr_span_end(ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL));
    assert_int_equal(counts().started, 5);
    stop();
}

static void test_attachments_nest(void **state)
{
    (void)state;
    start_standard();
    enum { DEPTH = 100 };
    ftr_attachment attachments[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        ftr_context context = FTR_CONTEXT_NONE;
        context.span.span_id.bytes[0] = (uint8_t)(i + 1);
        attachments[i] = ftr_attach(&context);
    }
    for (int i = DEPTH - 1; i >= 0; i--) {
        ftr_context context = ftr_context_current();
        assert_int_equal(context.span.span_id.bytes[0], i + 1);
        ftr_context_release(&context);
        if (i > 0)
            ftr_detach(attachments[i - 1]); /* not the innermost: ignored */
        ftr_detach(attachments[i]);
    }
    ftr_context none = ftr_context_current();
    assert_int_equal(none.span.span_id.bytes[0], 0);
    assert_int_equal(counts().stale, DEPTH - 1);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_span_has_its_name_kind_times_and_new_ids),
        cmocka_unit_test(test_names_of_every_length),
        cmocka_unit_test(test_children_follow_context),
        cmocka_unit_test(test_attributes_of_every_type),
        cmocka_unit_test(test_setting_a_key_again_replaces_its_value),
        cmocka_unit_test(test_limits_drop_and_count),
        cmocka_unit_test(test_large_spans_use_pages),
        cmocka_unit_test(test_a_value_that_fits_nowhere_is_dropped),
        cmocka_unit_test(test_events_links_and_tracestate),
        cmocka_unit_test(test_status_and_name_rules),
        cmocka_unit_test(test_explicit_times_and_initial_content),
        cmocka_unit_test(test_stale_and_foreign_handles_are_counted_no_ops),
        cmocka_unit_test(test_an_unsampled_parent_is_passed_on),
        cmocka_unit_test(test_spans_end_on_other_threads),
        cmocka_unit_test(test_slots_run_out_and_come_back),
        cmocka_unit_test(test_attachments_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
