/* SPDX-License-Identifier: Apache-2.0
 *
 * Fan-ins as an exporter sees them: parent, links, true count, manifests, and memory being short.
 */
#include "recorded.h"

#include "codec/manifest.h"

/* Unpacks the manifest spans below the fan-in and compares with contributors 1 .. n_ids. Returns
 * how many manifest spans there are. */
static size_t assert_manifest_names_all(const ftr_span_data *fan_in, uint32_t n_ids)
{
    uint32_t n = 0;
    size_t n_strings = 0;
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        if (!is_text(span.name, "flow.manifest"))
            continue;
        assert_memory_equal(&span.parent_span_id, &fan_in->context.span_id, 8);
        assert_i64(attribute(&span, "flow.manifest.index"), (int64_t)n_strings++);
        const ftr_value *const packed = attribute(&span, "flow.manifest");
        assert_int_equal(packed->type, FTR_VALUE_BYTES);
        struct ftri_manifest_reader reader;
        assert_int_equal(
            ftri_manifest_open(&reader, ftri_view_of(packed->as.str.data, packed->as.str.len)), 0);
        struct ftri_manifest_id id;
        int rc;
        while ((rc = ftri_manifest_read(&reader, &id)) == 0) {
            const ftr_hop hop = hop_from(++n, true);
            assert_memory_equal(&id.trace_id, &hop.context.span.trace_id, 16);
            assert_memory_equal(&id.span_id, &hop.context.span.span_id, 8);
        }
        assert_int_equal(rc, FTRI_MANIFEST_END);
    }
    assert_int_equal(n, n_strings ? n_ids : 0);
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        if (is_text(span.name, "flow.manifest"))
            assert_i64(attribute(&span, "flow.manifest.count"), (int64_t)n_strings);
    return n_strings;
}

static void assert_fan_in_links(const ftr_span_data *span, size_t n_links, uint32_t n_inputs)
{
    const ftr_hop first = hop_from(1, true);
    assert_memory_equal(&span->parent_span_id, &first.context.span.span_id, 8);
    assert_memory_equal(&span->context.trace_id, &first.context.span.trace_id, 16);
    assert_int_equal(span->n_links, n_links);
    assert_int_equal(span->n_dropped_links, 0);
    int64_t previous = 0;
    for (size_t i = 0; i < n_links; i++) {
        const ftr_link_data *const link = &span->links[i];
        assert_str(find(link->attributes, link->n_attributes, "flow.relation"), "fan_in");
        const ftr_value *const index =
            find(link->attributes, link->n_attributes, "flow.input.index");
        assert_true(index->as.i64 > previous);
        previous = index->as.i64;
        const ftr_hop expected = hop_from((uint32_t)previous + 1, true);
        assert_same_span(&link->context, &expected.context.span);
    }
    if (n_links)
        assert_int_equal(previous, n_inputs - 1);
}

/* Number of inputs, and by hand the links and the manifest's spans: ids are 5 different bytes at
 * most from one to the next, so 10,000 entries of 3 to 5 bytes fit into one string. */
struct fan_in_case {
    uint32_t n_inputs;
    size_t n_links;
    size_t n_strings;
};

static const struct fan_in_case fan_in_cases[] = {
    {1, 0, 0}, {2, 1, 0}, {50, 49, 0}, {51, 35, 1}, {10000, 39, 1},
};

static void test_fan_in_of_known_inputs(void **state)
{
    (void)state;
    static ftr_hop hops[10000];
    for (uint32_t i = 0; i < FTRI_COUNT(hops); i++)
        hops[i] = hop_from(i + 1, true);
    for (size_t i = 0; i < FTRI_COUNT(fan_in_cases); i++) {
        const struct fan_in_case *const c = &fan_in_cases[i];
        ftr_memory_spans_reset(spans);
        visit_once(processor, hops, c->n_inputs);
        const ftr_span_data span = span_named("processor/batch/proc-2");
        assert_fan_in_links(&span, c->n_links, c->n_inputs);
        if (c->n_inputs > 1)
            assert_i64(attribute(&span, "flow.fan_in.count"), c->n_inputs);
        else
            assert_null(attribute(&span, "flow.fan_in.count"));
        assert_null(attribute(&span, "flow.manifest.dropped"));
        assert_int_equal(assert_manifest_names_all(&span, c->n_inputs), c->n_strings);
    }
}

static void test_fan_in_added_one_by_one_is_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(fan_in_cases); i++) {
        const struct fan_in_case *const c = &fan_in_cases[i];
        ftr_memory_spans_reset(spans);
        ftr_visit visit;
        ftr_hop hop = hop_from(1, true);
        ftr_visit_start(&visit, processor, &hop, 1, NULL);
        for (uint32_t number = 2; number <= c->n_inputs; number++) {
            hop = hop_from(number, true);
            ftr_visit_add_input(&visit, &hop);
        }
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
        const ftr_span_data span = span_named("processor/batch/proc-2");
        assert_fan_in_links(&span, c->n_links, c->n_inputs);
        assert_int_equal(assert_manifest_names_all(&span, c->n_inputs), c->n_strings);
    }
}

/* Unrelated ids cost 25 bytes: 10,000 of them need 4 strings of 64 KiB. */
static void test_manifest_takes_several_spans(void **state)
{
    (void)state;
    ftr_visit visit;
    ftr_visit_start(&visit, processor, NULL, 0, NULL);
    for (uint32_t i = 0; i < 10000; i++) {
        ftr_hop hop = hop_from(i, true);
        hop.context.span.trace_id.bytes[0] = (uint8_t)(1 + i % 200);
        hop.context.span.span_id.bytes[0] = (uint8_t)(1 + i % 200);
        ftr_visit_add_input(&visit, &hop);
    }
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data span = span_named("processor/batch/proc-2");
    assert_false(ftr_span_id_is_valid(&span.parent_span_id)); /* started as a source */
    assert_int_equal(span.n_links, 40);
    size_t n_strings = 0, n_bytes = 0;
    ftr_span_data manifest;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &manifest); i++) {
        if (!is_text(manifest.name, "flow.manifest"))
            continue;
        n_strings++;
        n_bytes += attribute(&manifest, "flow.manifest")->as.str.len;
        assert_i64(attribute(&manifest, "flow.manifest.count"), 4);
    }
    assert_int_equal(n_strings, 4);
    assert_int_equal(n_bytes, 10000 * 25 + 4 * 5);
}

static void test_lineage_can_be_less(void **state)
{
    (void)state;
    static const struct {
        ftr_lineage lineage;
        size_t n_links;
    } cases[] = {{FTR_LINEAGE_LINKS, 39}, {FTR_LINEAGE_OFF, 0}};
    /* 100 contributors: 80 between, every fourth is 20; 10 + 20 + 10 less the parent are 39. */
    ftr_hop hops[100];
    for (uint32_t i = 0; i < 100; i++)
        hops[i] = hop_from(i + 1, true);
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        ftr_memory_spans_reset(spans);
        ftr_node *const node =
            new_node(FTR_STR("processor/join"), FTR_STR("j"), FTR_NODE_PROCESSOR, cases[i].lineage);
        visit_once(node, hops, 100);
        const ftr_span_data span = span_named("processor/join/j");
        assert_int_equal(span.n_links, cases[i].n_links);
        assert_i64(attribute(&span, "flow.fan_in.count"), 100);
        assert_int_equal(ftr_memory_spans_count(spans), 1);
        ftr_node_free(node);
    }
}

static void test_children_that_meet_again_are_one_contributor(void **state)
{
    (void)state;
    const ftr_hop hops[] = {hop_from(1, true), hop_from(1, true), hop_from(2, true),
                            hop_from(1, true), hop_from(2, true)};
    visit_once(processor, hops, FTRI_COUNT(hops));
    const ftr_span_data span = span_named("processor/batch/proc-2");
    assert_i64(attribute(&span, "flow.fan_in.count"), 5);
    assert_int_equal(span.n_links, 1);
    assert_same_span(&span.links[0].context, &hops[2].context.span);
}

static void test_parent_is_the_first_sampled_contributor(void **state)
{
    (void)state;
    const ftr_hop hops[] = {hop_from(1, false), hop_from(2, false), hop_from(3, true),
                            hop_from(4, false), hop_from(5, true)};
    visit_once(processor, hops, FTRI_COUNT(hops));
    const ftr_span_data span = span_named("processor/batch/proc-2");
    assert_memory_equal(&span.parent_span_id, &hops[2].context.span.span_id, 8);
    assert_int_equal(span.n_links, 1);
    assert_same_span(&span.links[0].context, &hops[4].context.span);
    assert_i64(attribute(&span, "flow.fan_in.count"), 5);
}

static void test_late_sampled_contributor_becomes_the_parent(void **state)
{
    (void)state;
    const uint64_t before_ns = ftri_time_wall_ns();
    ftr_hop first = hop_from(1, false);
    first.sent_ns = ftri_time_monotonic_ns() - SECONDS_NS;
    const ftr_hop others[] = {hop_from(2, false), hop_from(3, true), hop_from(4, true)};
    ftr_visit visit;
    const ftr_arrival arrival = arrival_of(9);
    ftr_visit_start(&visit, processor, &first, 1, &arrival);
    const uint64_t started_ns = ftri_time_wall_ns();
    spin(5000000);
    for (size_t i = 0; i < FTRI_COUNT(others); i++)
        ftr_visit_add_input(&visit, &others[i]);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data span = span_named("processor/batch/proc-2");
    assert_memory_equal(&span.parent_span_id, &others[1].context.span.span_id, 8);
    assert_int_equal(span.n_links, 1);
    assert_same_span(&span.links[0].context, &others[2].context.span);
    assert_i64(attribute(&span, "flow.fan_in.count"), 4);
    assert_i64(attribute(&span, "pdata.batch.size"), 9);
    assert_i64(attribute(&span, "channel.queue.depth"), 2);
    assert_true(f64(attribute(&span, "flow.queue.wait_ms")) >= 1000.0 - CLOCK_MS);
    assert_null(attribute(&span, "flow.blocked_ms"));
    assert_null(attribute(&span, "drop.items"));
    assert_null(attribute(&span, "flow.manifest.dropped"));
    assert_true(f64(attribute(&span, "latency.ms")) >= 5.0 - CLOCK_MS);
    /* A millisecond for the two clocks read one after the other. */
    assert_in_range(span.start_time_ns, before_ns - 1000000, started_ns + 1000000);
}

/* Headers of a request: traceparent and tracestate. */
static ftr_str get_header(void *fields, ftr_str name, size_t nth)
{
    if (nth > 0)
        return (ftr_str){0};
    const char *const *const headers = fields;
    if (is_text(name, "traceparent"))
        return ftr_str_from(headers[0]);
    return is_text(name, "tracestate") ? ftr_str_from(headers[1]) : (ftr_str){0};
}

static ftr_hop hop_with_tracestate(const char *traceparent, const char *tracestate)
{
    static const ftr_carrier carrier = {.get = get_header};
    const char *headers[] = {traceparent, tracestate};
    return (ftr_hop){.context = ftr_extract(&carrier, headers)};
}

/* The hops are released as soon as the visit has seen them: contributors hold their own. */
static void test_links_keep_the_tracestate(void **state)
{
    (void)state;
    ftr_hop hops[] = {
        hop_with_tracestate("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "a=1"),
        hop_with_tracestate("00-4bf92f3577b34da6a3ce929d0e0e4736-10f067aa0ba902b7-01", "b=2"),
        hop_with_tracestate("00-4bf92f3577b34da6a3ce929d0e0e4736-20f067aa0ba902b7-01", "c=3"),
    };
    ftr_visit visit;
    ftr_visit_start(&visit, processor, hops, 1, NULL);
    ftr_hop_release(&hops[0]);
    for (size_t i = 1; i < FTRI_COUNT(hops); i++) {
        ftr_visit_add_input(&visit, &hops[i]);
        ftr_hop_release(&hops[i]);
    }
    ftr_hop out;
    ftr_visit_emit(&visit, FTR_STR("out"), 1, 1, &out);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    ftr_hop copy;
    ftr_hop_copy(&out, &copy);
    ftr_hop_release(&out);
    assert_true(is_text(ftr_context_tracestate(&copy.context), "b=2"));
    ftr_hop_release(&copy);
    const ftr_span_data span = span_named("processor/batch/proc-2");
    assert_true(is_text(span.tracestate, "b=2"));
    assert_int_equal(span.n_links, 1);
    assert_true(is_text(span.links[0].tracestate, "c=3"));
}

static void test_manifest_spans_keep_the_tracestate(void **state)
{
    (void)state;
    ftr_hop first =
        hop_with_tracestate("00-4bf92f3577b34da6a3ce929d0e0e4736-10f067aa0ba902b7-01", "b=2");
    ftr_visit visit;
    ftr_visit_start(&visit, processor, &first, 1, NULL);
    ftr_hop_release(&first);
    for (uint32_t i = 1; i <= 60; i++) {
        const ftr_hop hop = hop_from(i, true);
        ftr_visit_add_input(&visit, &hop);
    }
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data manifest = span_named("flow.manifest");
    assert_true(is_text(manifest.tracestate, "b=2"));
}

/* One visit with everything in it. */
static void busy_visit(void)
{
    ftr_visit visit;
    ftr_hop hop = hop_from(1, true);
    ftr_visit_start(&visit, processor, &hop, 1, NULL);
    for (uint32_t i = 2; i < 6000; i++) {
        hop = hop_from(i, true);
        hop.context.span.trace_id.bytes[0] = (uint8_t)i;
        ftr_visit_add_input(&visit, &hop);
    }
    ftr_visit_drop(&visit, FTR_DROP_INVALID, 1);
    ftr_visit_emit(&visit, FTR_STR("out"), 1, 1, &hop);
    ftr_hop_release(&hop);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
}

static void test_memory_short_at_every_request(void **state)
{
    (void)state;
    bool has_failed = true;
    for (uint64_t n = 1; has_failed && n < 100; n++) {
        ftr_memory_spans_reset(spans);
        ftri_mem_fail_at(n);
        busy_visit();
        has_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        (void)ftr_flush(10 * SECONDS_NS);
    }
    assert_false(has_failed);
}

static void test_memory_short_for_the_fan_in_is_counted(void **state)
{
    (void)state;
    const ftr_hop hops[] = {hop_from(1, true), hop_from(2, true), hop_from(3, true)};
    busy_visit(); /* the thread has what it needs for good */
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    ftr_memory_spans_reset(spans);
    ftr_visit visit;
    ftr_visit_start(&visit, processor, hops, 1, NULL);
    ftri_mem_fail_at(1);
    ftr_visit_add_input(&visit, &hops[1]);
    assert_int_equal(ftri_mem_requests(), 1);
    ftri_mem_fail_at(0);
    ftr_visit_add_input(&visit, &hops[2]);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data span = span_named("processor/batch/proc-2");
    assert_i64(attribute(&span, "flow.fan_in.count"), 3);
    assert_i64(attribute(&span, "flow.manifest.dropped"), 1);
    assert_int_equal(span.n_links, 1);
    assert_same_span(&span.links[0].context, &hops[2].context.span);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fan_in_of_known_inputs),
        TEST(test_fan_in_added_one_by_one_is_the_same),
        TEST(test_manifest_takes_several_spans),
        TEST(test_lineage_can_be_less),
        TEST(test_children_that_meet_again_are_one_contributor),
        TEST(test_parent_is_the_first_sampled_contributor),
        TEST(test_late_sampled_contributor_becomes_the_parent),
        TEST(test_links_keep_the_tracestate),
        TEST(test_manifest_spans_keep_the_tracestate),
        TEST(test_memory_short_at_every_request),
        TEST(test_memory_short_for_the_fan_in_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
