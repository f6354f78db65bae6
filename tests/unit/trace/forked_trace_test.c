/* SPDX-License-Identifier: Apache-2.0
 *
 * Forked and stitched traces. The trees are those of foundations' trace forking and of its
 * start_trace. */
#include "spans.h"

#include <stdio.h>

/* 16 spaces, then the id: 32 characters. */
static void assert_fork(const ftr_span_data *root, const ftr_span_data *marker,
                        const ftr_span_data *origin)
{
    char old_trace[33];
    char new_trace[33];
    char marker_id[17];
    char padded[64];
    ftr_trace_id_format(&origin->context.trace_id, old_trace);
    ftr_trace_id_format(&root->context.trace_id, new_trace);
    ftr_span_id_format(&marker->context.span_id, marker_id);
    snprintf(padded, sizeof padded, "%32s", marker_id);
    assert_string_not_equal(old_trace, new_trace);
    assert_is_child(marker, origin);
    assert_int_equal(marker->n_attributes, 2);
    assert_non_null(value_of(marker, "note"));
    assert_text_attribute(marker, "trace_id", new_trace);
    assert_int_equal(root->n_attributes, 2);
    assert_text_attribute(root, "trace_id", old_trace);
    assert_text_attribute(root, "fork_of_span_id", padded);
    assert_int_equal(root->n_links, 1);
    assert_memory_equal(&root->links[0].context.trace_id, &origin->context.trace_id, 16);
    assert_memory_equal(&root->links[0].context.span_id, &marker->context.span_id, 8);
    assert_int_equal(root->links[0].n_attributes, 1);
    assert_text(root->links[0].attributes[0].key, "flow.relation");
    assert_text(root->links[0].attributes[0].value.as.str, "fork");
    assert_int_equal(root->context.trace_flags & FTR_TRACE_FLAG_SAMPLED, FTR_TRACE_FLAG_SAMPLED);
}

/* request { [background ref], answer }; background { work } */
static void test_a_fork_is_marked_in_both_traces(void **state)
{
    (void)state;
    start_standard();
    {
        FTR_SPAN(request, "request");
        const ftr_span root = ftr_span_fork(FTR_STR("background"), FTR_KIND_CONSUMER, NULL);
        {
            FTR_SPAN(answer, "answer");
        }
        ftr_context forked = ftr_span_context_of(root);
        {
            FTR_ATTACHED(guard, &forked);
            FTR_SPAN(work, "work");
        }
        ftr_context_release(&forked);
        ftr_span_end(root);
    }
    const ftr_span_data request = span_named("request");
    const ftr_span_data answer = span_named("answer");
    const ftr_span_data marker = span_named("[background ref]");
    const ftr_span_data root = span_named("background");
    const ftr_span_data work = span_named("work");
    assert_int_equal(counts().ended, 5);
    assert_fork(&root, &marker, &request);
    assert_false(ftr_span_id_is_valid(&root.parent_span_id));
    assert_int_equal(root.kind, FTR_KIND_CONSUMER);
    assert_int_equal(marker.kind, FTR_KIND_INTERNAL);
    assert_is_child(&answer, &request);
    assert_is_child(&work, &root);
    assert_int_equal(request.n_attributes + answer.n_attributes + work.n_attributes, 0);
    assert_int_equal(counts().stale, 0);
    stop();
}

static void test_a_new_trace_is_linked_with_the_current_span(void **state)
{
    (void)state;
    start_standard();
    const ftr_span_options options = {
        .size = sizeof options, .name = FTR_STR("new"), .is_root = true, .is_linked = true};
    {
        FTR_SPAN(request, "request");
        ftr_span_end(ftr_span_start_with(&options));
    }
    const ftr_span_data request = span_named("request");
    const ftr_span_data marker = span_named("[new ref]");
    const ftr_span_data root = span_named("new");
    assert_fork(&root, &marker, &request);
    ftr_memory_spans_reset(spans);
    ftr_span_end(ftr_span_start_with(&options)); /* none is current: nothing to say */
    assert_int_equal(span_named("new").n_attributes, 0);
    assert_int_equal(counts().ended, 4);
    stop();
}

static void test_a_stitched_trace_goes_on_where_the_text_says(void **state)
{
    (void)state;
    start_standard();
    char text[FTR_STATE_TEXT_LEN + 1];
    {
        FTR_SPAN(far, "far away");
        ftr_context context = ftr_context_current();
        assert_true(ftr_state_text_format(&context, text));
        ftr_context_release(&context);
    }
    {
        FTR_SPAN(here, "here");
        ftr_context parent;
        assert_true(ftr_state_text_parse(ftr_str_from(text), &parent));
        const ftr_span_options options = {
            .size = sizeof options, .name = FTR_STR("on"), .parent = &parent, .is_linked = true};
        ftr_span_end(ftr_span_start_with(&options));
        const ftr_span_options below = {
            .size = sizeof below, .name = FTR_STR("below"), .is_linked = true};
        ftr_span_end(ftr_span_start_with(&below)); /* of the same trace: not a fork */
        ftr_context_release(&parent);
    }
    const ftr_span_data far = span_named("far away");
    const ftr_span_data here = span_named("here");
    const ftr_span_data marker = span_named("[on ref]");
    const ftr_span_data on = span_named("on");
    assert_is_child(&on, &far);
    assert_true(on.parent_is_remote);
    assert_fork(&on, &marker, &here);
    assert_int_equal(span_named("below").n_attributes, 0);
    assert_int_equal(counts().ended, 5);
    stop();
}

static void test_a_fork_of_what_is_not_sampled_does_not_record(void **state)
{
    (void)state;
    ftr_context unsampled = FTR_CONTEXT_NONE;
    memset(&unsampled.span.trace_id, 1, 16);
    memset(&unsampled.span.span_id, 2, 8);
    start_standard();
    const ftr_span none = ftr_span_fork(FTR_STR("fork"), FTR_KIND_INTERNAL, NULL);
    const ftr_span inactive = ftr_span_fork(FTR_STR("fork"), FTR_KIND_INTERNAL, &unsampled);
    unsampled.span.trace_flags = FTR_TRACE_FLAG_SAMPLED;
    ftr_set_mode(FTR_MODE_OFF);
    const ftr_span off = ftr_span_fork(FTR_STR("fork"), FTR_KIND_INTERNAL, &unsampled);
    ftr_span_end(none);
    ftr_span_end(inactive);
    ftr_span_end(off);
    assert_false(ftr_span_is_recording(none));
    assert_int_equal(counts().started, 0);
    assert_int_equal(counts().stale, 0);
    stop();
}

static void test_a_fork_inherits_but_has_its_own_trace(void **state)
{
    (void)state;
    start_standard();
    ftr_field fields[] = {
        {FTR_STR("traceparent"),
         FTR_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
        {FTR_STR("tracestate"), FTR_STR("vendor=1")},
        {FTR_STR("baggage"), FTR_STR("user=u1")},
    };
    ftr_field_list list = {.fields = fields, .n_fields = 3};
    ftr_context from = ftr_extract(&ftr_map_carrier, &list);
    const ftr_value job = ftr_value_str(FTR_STR("j1"));
    assert_true(ftr_context_set_field(&from, FTR_STR("job_id"), &job));
    const ftr_span root = ftr_span_fork(FTR_STR("fork"), FTR_KIND_INTERNAL, &from);
    ftr_context forked = ftr_span_context_of(root);
    assert_text(ftr_context_baggage(&forked), "user=u1");
    assert_text(ftr_context_tracestate(&forked), "");
    ftr_context_release(&forked);
    ftr_context_release(&from);
    ftr_span_end(root);
    const ftr_span_data data = span_named("fork");
    const ftr_span_data marker = span_named("[fork ref]");
    assert_text_attribute(&data, "job_id", "j1");
    assert_text_attribute(&marker, "job_id", "j1");
    assert_text(data.tracestate, "");
    assert_text(marker.tracestate, "vendor=1");
    assert_true(marker.parent_is_remote);
    stop();
}

static void test_without_a_slot_for_the_marker_the_fork_records(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.open_spans = 2;
    start(&config);
    {
        FTR_SPAN(request, "request");
        ftr_span_end(ftr_span_fork(FTR_STR("fork"), FTR_KIND_INTERNAL, NULL));
    }
    assert_int_equal(counts().no_slot, 1);
    const ftr_span_data root = span_named("fork");
    assert_non_null(value_of(&root, "trace_id"));
    assert_null(value_of(&root, "fork_of_span_id"));
    assert_int_equal(counts().ended, 2);
    stop();
}

/* The marker is a local root below a remote span: a sampler that does not take it gets no slot. */
static void test_a_marker_that_is_not_sampled_holds_nothing(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.sampler = FTR_STR("always_off");
    config.open_spans = 8;
    start(&config);
    ftr_context remote = FTR_CONTEXT_NONE;
    assert_true(ftr_traceparent_parse(
        FTR_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &remote.span));
    for (int i = 0; i < 20; i++) {
        const ftr_span root = ftr_span_fork(FTR_STR("fork"), FTR_KIND_CONSUMER, &remote);
        assert_true(ftr_span_is_recording(root));
        ftr_span_end(root);
    }
    assert_int_equal(counts().no_slot, 0);
    stop();
}

static void test_a_long_name_is_cut_between_characters(void **state)
{
    (void)state;
    start_standard();
    char name[2001];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 == 0 ? 'a' : '\0';
    for (size_t i = 1; i + 1 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2); /* bytes 999 and 1000 are one character */
    {
        FTR_SPAN(request, "request");
        ftr_span_end(ftr_span_fork((ftr_str){name, sizeof name}, FTR_KIND_INTERNAL, NULL));
        ftr_span_end(ftr_span_fork((ftr_str){NULL, 0}, FTR_KIND_INTERNAL, NULL));
    }
    const ftr_span_data marker = flushed(0);
    assert_int_equal(marker.name.len, 999 + 6);
    assert_memory_equal(marker.name.data, "[a\xc3\xa9", 4);
    assert_memory_equal(marker.name.data + 1000 - 2, "\xc3\xa9 ref]", 7);
    assert_int_equal(flushed(1).name.len, 2001);
    assert_text(flushed(2).name, "[ ref]");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fork_is_marked_in_both_traces),
        cmocka_unit_test(test_a_new_trace_is_linked_with_the_current_span),
        cmocka_unit_test(test_a_stitched_trace_goes_on_where_the_text_says),
        cmocka_unit_test(test_a_fork_of_what_is_not_sampled_does_not_record),
        cmocka_unit_test(test_a_fork_inherits_but_has_its_own_trace),
        cmocka_unit_test(test_without_a_slot_for_the_marker_the_fork_records),
        cmocka_unit_test(test_a_marker_that_is_not_sampled_holds_nothing),
        cmocka_unit_test(test_a_long_name_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
