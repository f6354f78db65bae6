/* SPDX-License-Identifier: Apache-2.0
 *
 * What affects many flows, a shutdown, short memory, a configuration, is a span of its own, linked
 * to those it touched. Names of keys: docs/glossary.md. */
#include "recorded.h"

static bool has_link_to(const ftr_span_data *span, const ftr_span_data *to)
{
    for (size_t i = 0; i < span->n_links; i++)
        if (memcmp(&span->links[i].context.span_id, &to->context.span_id, 8) == 0)
            return true;
    return false;
}

static const char merging[] = "nodes:\n"
                              "  in: {type: receiver/test}\n"
                              "  m: {type: processor/merge, config: {n: 100}}\n"
                              "  out: {type: exporter/test}\n"
                              "connections: [{from: in, to: m}, {from: m, to: out}]";

/* The span of the action at the node, below the one of all the graph. */
static ftr_span_data action_at(const char *name, const char *node)
{
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        const ftr_value *id = attribute(&span, "node.id");
        if (is_text(span.name, name) && id && is_text(id->as.str, node))
            return span;
    }
    fail_msg("no %s of %s", name, node);
    return span;
}

static ftr_span_data action(const char *name)
{
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    static const ftr_span_id none;
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        if (is_text(span.name, name) && memcmp(&span.parent_span_id, &none, sizeof none) == 0)
            return span;
    fail_msg("no %s", name);
    return span;
}

/* What affects many flows is a span of its own, linked to those it touched. */
static void test_shutdown_is_a_span_linked_to_what_it_touched(void **state)
{
    (void)state;
    lab_run(merging, 0);
    assert_true(lab_ingest("in", 5, 0));
    assert_true(lab_ingest("in", 5, 1));
    lab_settle();
    graph_drain(lab.graph, 60 * SECONDS_NS);
    lab_settle();
    const ftr_span_data drain = action("control/drain_ingress");
    const ftr_span_data ingress = action_at("control/drain_ingress", "in");
    const ftr_span_data shutdown = action("control/shutdown");
    const ftr_span_data at_merge = action_at("control/shutdown", "m");
    assert_child(&ingress, &drain);
    assert_child(&at_merge, &shutdown);
    assert_memory_not_equal(&drain.context.trace_id, &shutdown.context.trace_id, 16);
    assert_str(&drain, "flow.outcome", "success");
    assert_str(&ingress, "flow.outcome", "success");
    assert_str(&shutdown, "flow.outcome", "success");
    assert_str(&at_merge, "flow.outcome", "success");
    assert_int_equal(ingress.n_links, 0);
    assert_i64(&drain, "flow.touched", 0);
    assert_i64(&at_merge, "flow.touched", 1);
    assert_i64(&shutdown, "flow.touched", 1);
    for (size_t i = 0; i < 3; i++) {
        const ftr_span_data span = span_named("processor/merge/m", i);
        if (!attribute(&span, "flow.fan_in.count"))
            continue;
        assert_non_null(event(&span, "control/shutdown"));
        assert_true(has_link_to(&at_merge, &span));
        assert_true(has_link_to(&shutdown, &span));
    }
}

/* What the deadline takes away is linked: 60 batches, of which 50 fit. */
static void test_shutdown_that_runs_out_of_time_is_a_failure(void **state)
{
    (void)state;
    lab_run(holding, 100);
    for (uint64_t i = 0; i < 60; i++)
        assert_true(lab_ingest("in", 1, i));
    lab_settle();
    graph_drain(lab.graph, 0);
    lab_settle();
    const ftr_span_data shutdown = action("control/shutdown");
    assert_str(&shutdown, "flow.outcome", "failure");
    assert_str(&shutdown, "error", "the deadline of the shutdown has passed");
    assert_int_equal(shutdown.status, FTR_SPAN_ERROR);
    assert_i64(&shutdown, "flow.touched", 60);
    assert_int_equal(shutdown.n_links, FTR_CONTROL_LINKS);
    const ftr_span_data first = span_named("processor/hold/h", 0);
    assert_non_null(event(&first, "control/shutdown"));
    assert_true(has_link_to(&shutdown, &first));
}

static void test_memory_pressure_is_told_to_all_and_linked_to_what_is_held(void **state)
{
    (void)state;
    lab_run(holding, 0);
    assert_true(lab_ingest("in", 5, 0));
    lab_settle();
    node_memory_pressure(lab_node("h"), true, 2000, 1000);
    lab_settle();
    assert_int_equal(open_spans(), 2); /* the visits */
    const ftr_span_data high = action("control/memory_pressure_changed");
    assert_str(&high, "memory.pressure", "high");
    assert_i64(&high, "memory.used_bytes", 2000);
    assert_i64(&high, "memory.allowed_bytes", 1000);
    assert_str(&high, "memory.reported_by", "h");
    assert_str(&high, "flow.outcome", "success");
    assert_i64(&high, "flow.touched", 1);
    const ftr_span_data told = action_at("control/memory_pressure_changed", "in");
    assert_child(&told, &high);
    assert_true(lab.n_messages > 0);
    assert_int_equal(lab.messages[lab.n_messages - 1].kind, CONTROL_MEMORY_PRESSURE_CHANGED);
    graph_drain(lab.graph, 0);
    lab_settle();
    const ftr_span_data held = span_named("processor/hold/h", 0);
    assert_non_null(event(&held, "control/memory_pressure_changed"));
    assert_true(has_link_to(&high, &held));
}

static void test_configuration_that_is_refused_is_a_failure_and_nobody_is_told(void **state)
{
    (void)state;
    lab_run(holding, 0);
    const ftr_attribute file = {FTR_STR("config.file"), ftr_value_str(FTR_STR("graph.yaml"))};
    graph_configured(lab.graph, &file, 1, "graph.yaml:3:1: unknown key");
    lab_settle();
    const ftr_span_data refused = action("control/config");
    assert_str(&refused, "flow.outcome", "failure");
    assert_str(&refused, "error", "graph.yaml:3:1: unknown key");
    assert_str(&refused, "config.file", "graph.yaml");
    assert_int_equal(count_spans(), 1);
    graph_configured(lab.graph, &file, 1, NULL);
    lab_settle();
    const ftr_span_data told = action_at("control/config", "in");
    assert_str(&told, "flow.outcome", "success");
    assert_int_equal(lab.messages[lab.n_messages - 1].kind, CONTROL_CONFIG);
}

/* Two files in a row: the second is refused before the nodes have heard of the first. */
static void test_refused_configuration_does_not_end_the_one_that_is_told(void **state)
{
    (void)state;
    lab_run(holding, 0);
    graph_configured(lab.graph, NULL, 0, NULL);
    graph_configured(lab.graph, NULL, 0, "graph.yaml:3:1: unknown key");
    const ftr_span_data refused = action("control/config");
    assert_str(&refused, "flow.outcome", "failure");
    assert_str(&refused, "error", "graph.yaml:3:1: unknown key");
    assert_int_equal(count_spans(), 1);
    ftr_memory_spans_reset(spans);
    lab_settle();
    const ftr_span_data taken = action("control/config");
    assert_str(&taken, "flow.outcome", "success");
    const ftr_span_data told = action_at("control/config", "in");
    assert_child(&told, &taken);
}

/* The last node that is told does well; the action as a whole does not. */
static void test_action_fails_when_any_node_fails_in_it(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  b: {type: processor/brittle}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: b}, {from: b, to: out}]",
            0);
    graph_configured(lab.graph, NULL, 0, NULL);
    lab_settle();
    assert_string_equal(lab.messages[lab.n_messages - 1].node, "out");
    const ftr_span_data whole = action("control/config");
    assert_str(&whole, "flow.outcome", "failure");
    assert_str(&whole, "error", "broken by a message");
    const ftr_span_data before = action_at("control/config", "in");
    assert_str(&before, "flow.outcome", "success");
    const ftr_span_data broken = action_at("control/config", "b");
    assert_str(&broken, "flow.outcome", "failure");
    const ftr_span_data after = action_at("control/config", "out");
    assert_str(&after, "flow.outcome", "success");
    graph_configured(lab.graph, NULL, 0, "graph.yaml:3:1: unknown key");
    assert_int_equal(count_spans(), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDED(test_shutdown_is_a_span_linked_to_what_it_touched),
        RECORDED(test_shutdown_that_runs_out_of_time_is_a_failure),
        RECORDED(test_memory_pressure_is_told_to_all_and_linked_to_what_is_held),
        RECORDED(test_configuration_that_is_refused_is_a_failure_and_nobody_is_told),
        RECORDED(test_refused_configuration_does_not_end_the_one_that_is_told),
        RECORDED(test_action_fails_when_any_node_fails_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
