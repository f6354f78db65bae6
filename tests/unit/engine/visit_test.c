/* SPDX-License-Identifier: Apache-2.0
 *
 * What a graph records of its nodes, which record nothing themselves. Names of keys and events:
 * the otel-arrow proposal, and docs/glossary.md for the rest. */
#include "recorded.h"

/* p calls nothing but node_send. */
static void test_node_that_only_sends_has_complete_visits(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  rcv-1: {type: receiver/test}\n"
            "  p: {type: processor/pass}\n"
            "  exp-1: {type: exporter/test}\n"
            "connections: [{from: rcv-1, to: p}, {from: p, to: exp-1}]",
            64);
    assert_true(lab_ingest("rcv-1", 10, 1));
    assert_int_equal(open_spans(), 1);
    lab_settle();
    assert_int_equal(open_spans(), 0);
    assert_int_equal(count_spans(), 3);
    const ftr_span_data receiver = span_named("receiver/test/rcv-1", 0);
    const ftr_span_data pass = span_named("processor/pass/p", 0);
    const ftr_span_data exporter = span_named("exporter/test/exp-1", 0);
    assert_child(&pass, &receiver);
    assert_child(&exporter, &pass);
    assert_str(&pass, "node.id", "p");
    assert_str(&pass, "node.type", "processor/pass");
    assert_str(&pass, "signal.type", "logs");
    assert_i64(&pass, "pdata.batch.size", 10);
    assert_str(&pass, "out.port", "out");
    assert_i64(&pass, "out.items", 10);
    assert_i64(&pass, "channel.queue.depth", 1);
    assert_i64(&pass, "channel.queue.capacity", 64);
    assert_non_null(attribute(&pass, "flow.queue.wait_ms"));
    assert_non_null(attribute(&pass, "latency.ms"));
    assert_str(&pass, "flow.outcome", "success");
    assert_non_null(event(&pass, "control/ack"));
    assert_i64(&receiver, "pdata.batch.size", 10);
    assert_str(&receiver, "out.port", "out");
    assert_non_null(event(&receiver, "control/ack"));
    assert_null(attribute(&receiver, "flow.queue.wait_ms"));
    assert_non_null(event(&exporter, "export_success"));
    assert_null(event(&exporter, "control/ack"));
}

/* otelcol.*, as the project's later draft has the keys and its guide the events; of a graph
 * while the session has other names. */
static void test_a_graph_by_otelcol(void **state)
{
    (void)state;
    lab_run("conventions: otelcol\n"
            "nodes:\n"
            "  in: {type: receiver/test}\n"
            "  m: {type: processor/merge, config: {n: 100}}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: m}, {from: m, to: out}]",
            0);
    assert_true(lab_ingest("in", 5, 1));
    lab_settle();
    graph_drain(lab.graph, 60 * SECONDS_NS);
    lab_settle();
    const ftr_span_data receiver = span_named("receiver/test/in", 0);
    const ftr_span_data exporter = span_named("exporter/test/out", 0);
    const ftr_span_data ingress = span_named("control/drain_ingress", 0);
    assert_str(&receiver, "otelcol.component.id", "in");
    assert_str(&receiver, "otelcol.component.kind", "receiver");
    assert_str(&receiver, "otelcol.signal", "logs");
    assert_str(&receiver, "otelcol.pipeline.id", "main");
    assert_str(&receiver, "otelcol.component.outcome", "success");
    assert_non_null(event(&receiver, "otelcol.node.ack"));
    assert_non_null(event(&exporter, "otelcol.node.export.complete"));
    const ftr_span_data held[] = {span_named("processor/merge/m", 0),
                                  span_named("processor/merge/m", 1)};
    assert_true(event(&held[0], "otelcol.node.shutdown") ||
                event(&held[1], "otelcol.node.shutdown"));
    assert_str(&ingress, "otelcol.component.id", "in");
    assert_str(&ingress, "otelcol.component.kind", "receiver");
    assert_null(attribute(&ingress, "node.id"));
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        for (size_t k = 0; k < span.n_events; k++)
            assert_memory_equal(span.events[k].name.data, "otelcol.", 8);
}

/* Failure at the node at fault, refused above it. */
static void test_outcome_is_failure_below_and_refused_above(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  p: {type: processor/pass}\n"
            "  out: {type: exporter/refuse, config: {permanent: true}}\n"
            "connections: [{from: in, to: p}, {from: p, to: out}]",
            0);
    assert_true(lab_ingest("in", 10, 1));
    lab_settle();
    const ftr_span_data out = span_named("exporter/refuse/out", 0);
    const ftr_span_data pass = span_named("processor/pass/p", 0);
    const ftr_span_data in = span_named("receiver/test/in", 0);
    assert_str(&out, "flow.outcome", "failure");
    assert_str(&pass, "flow.outcome", "refused");
    assert_str(&in, "flow.outcome", "refused");
    assert_int_equal(pass.status, FTR_SPAN_ERROR);
    assert_str(&pass, "error", "disk full");
    assert_null(event(&out, "control/nack"));
    const ftr_event_data *nack = event(&pass, "control/nack");
    assert_non_null(nack);
    assert_true(
        is_text(find(nack->attributes, nack->n_attributes, "nack.cause")->as.str, "route_full"));
    assert_true(find(nack->attributes, nack->n_attributes, "nack.permanent")->as.boolean);
}

static void assert_split(const ftr_span_data *span, const ftr_span_data *origin, int64_t index,
                         int64_t count)
{
    assert_int_equal(span->n_links, 1);
    const ftr_link_data *link = &span->links[0];
    assert_memory_equal(&link->context.span_id, &origin->context.span_id, 8);
    assert_int_equal(find(link->attributes, link->n_attributes, "flow.split.index")->as.i64, index);
    assert_int_equal(find(link->attributes, link->n_attributes, "flow.split.count")->as.i64, count);
}

/* Clones are separate children of the visit that sent them. */
static void test_fan_out_children_share_their_parent(void **state)
{
    (void)state;
    lab_run(
        "nodes:\n"
        "  in: {type: receiver/test}\n"
        "  s: {type: processor/split}\n"
        "  a: {type: exporter/test}\n"
        "  b: {type: exporter/test}\n"
        "connections: [{from: in, to: s}, {from: 's[\"a\"]', to: a}, {from: 's[\"b\"]', to: b},\n"
        "  {from: 's[\"b\"]', to: a}]",
        0);
    assert_true(lab_ingest("in", 10, 1));
    lab_settle();
    const ftr_span_data split = span_named("processor/split/s", 0);
    const ftr_span_data first = span_named("exporter/test/a", 0);
    const ftr_span_data second = span_named("exporter/test/a", 1);
    const ftr_span_data third = span_named("exporter/test/b", 0);
    assert_child(&first, &split);
    assert_child(&second, &split);
    assert_child(&third, &split);
    assert_i64(&split, "out.count", 3);
    /* The part for port a, then part 2 of 2 in two copies: 2 and 3 of 4. */
    assert_split(&first, &split, 0, 2);
    assert_split(&third, &split, 2, 4);
    assert_split(&second, &split, 3, 4);
}

/* Lineage: the sender's visit, the input's visit, the visit of the merge. */
static void test_merge_is_below_its_inputs_visits(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  m: {type: processor/merge, config: {n: 3}}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: m}, {from: m, to: out}]",
            0);
    for (uint64_t i = 0; i < 3; i++)
        assert_true(lab_ingest("in", 5, i));
    lab_settle();
    assert_int_equal(open_spans(), 0);
    assert_int_equal(count_spans(), 3 + 3 + 1 + 1);
    const ftr_span_data out = span_named("exporter/test/out", 0);
    ftr_span_data merge = {0}, inputs[3];
    size_t n_inputs = 0;
    for (size_t i = 0; i < 4; i++) {
        const ftr_span_data span = span_named("processor/merge/m", i);
        if (attribute(&span, "flow.fan_in.count"))
            merge = span;
        else if (n_inputs < 3)
            inputs[n_inputs++] = span;
    }
    assert_int_equal(n_inputs, 3);
    assert_child(&out, &merge);
    assert_i64(&merge, "flow.fan_in.count", 3);
    assert_i64(&merge, "pdata.batch.size", 15);
    assert_int_equal(merge.n_links, 2);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(event(&inputs[i], "control/ack"));
        assert_i64(&inputs[i], "pdata.batch.size", 5);
    }
    /* Ended in the order of settling, which is that of the inputs. */
    assert_child(&merge, &inputs[0]);
    assert_memory_equal(&merge.links[0].context.span_id, &inputs[1].context.span_id, 8);
    assert_memory_equal(&merge.links[1].context.span_id, &inputs[2].context.span_id, 8);
    const ftr_span_data in = span_named("receiver/test/in", 0);
    assert_child(&inputs[0], &in);
}

static void test_timer_tick_is_an_event_on_the_merge(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  m: {type: processor/merge, config: {n: 100}}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: m}, {from: m, to: out}]",
            0);
    assert_true(lab_ingest("in", 5, 0));
    assert_true(lab_ingest("in", 5, 1));
    lab_settle();
    assert_int_equal(lab.n_exported, 0);
    node_set_timer(lab_node("m"), 1);
    while (lab.n_exported == 0)
        lab_settle();
    for (size_t i = 0; i < 3; i++) {
        const ftr_span_data span = span_named("processor/merge/m", i);
        const bool is_merge = attribute(&span, "flow.fan_in.count") != NULL;
        assert_true(is_merge == (event(&span, "control/timer_tick") != NULL));
    }
}

static void test_untraced_batches_leave_no_spans(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  m: {type: processor/merge, config: {n: 2}}\n"
            "  s: {type: processor/split}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: m}, {from: m, to: s}, {from: 's[\"a\"]', to: out},\n"
            "  {from: 's[\"b\"]', to: out}]",
            0);
    for (uint64_t i = 0; i < 2; i++) {
        struct pdata *pdata = node_ingest(lab_node("in"), FTR_SIGNAL_TRACES, NULL, true, i);
        pdata->is_untraced = true;
        pdata->n_items = 4;
        node_send(lab_node("in"), 0, pdata);
    }
    lab_settle();
    assert_int_equal(lab.exported_items, 16);
    assert_int_equal(count_spans(), 0);
    assert_int_equal(lab_account("m")->received, 8);
    lab_check();
}

/* Our own telemetry and somebody's in one batch: the parent is the first contributor
 * that is sampled. It used to be a new trace when the first of all was not. */
static void test_merge_is_below_the_first_input_that_is_traced(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  m: {type: processor/merge, config: {n: 4}}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: m}, {from: m, to: out}]",
            0);
    for (uint64_t i = 0; i < 4; i++) {
        struct pdata *pdata = node_ingest(lab_node("in"), FTR_SIGNAL_TRACES, NULL, true, i);
        pdata->is_untraced = i == 0 || i == 2;
        pdata->n_items = 1 + i;
        node_send(lab_node("in"), 0, pdata);
    }
    lab_settle();
    /* Two of the receiver, two of the inputs, the merge, the exporter. */
    assert_int_equal(count_spans(), 6);
    ftr_span_data merge = {0}, second = {0}, fourth = {0};
    for (size_t i = 0; i < 3; i++) {
        const ftr_span_data span = span_named("processor/merge/m", i);
        const int64_t n_items = attribute(&span, "pdata.batch.size")->as.i64;
        *(n_items == 2 ? &second : n_items == 4 ? &fourth : &merge) = span;
    }
    assert_child(&merge, &second);
    assert_i64(&merge, "flow.fan_in.count", 4);
    assert_int_equal(merge.n_links, 1);
    assert_memory_equal(&merge.links[0].context.span_id, &fourth.context.span_id, 8);
    lab_check();
}

/* A node answers for a batch and goes on with a copy: whatever it makes of the copy continues the
 * flow, though the visit has ended. Parts and merges of it used to start traces of their own. */
static void test_what_comes_of_a_copy_after_its_visit_continues_the_flow(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: h}, {from: h, to: out}]",
            0);
    struct node *const h = lab_node("h");
    assert_true(lab_ingest("in", 4, 1));
    lab_settle();
    struct pdata *copy = node_derive_watched(h, lab.held[0], 7);
    assert_non_null(copy);
    node_ack(h, lab.held[0]);
    lab_settle();
    assert_int_equal(lab_answer(1)->kind, CONTROL_ACK);
    struct pdata *part = node_derive(h, copy, 0, 2);
    assert_non_null(part);
    node_send(h, 0, part);
    struct pdata *merged = node_merge(h, &copy, 1);
    assert_non_null(merged);
    merged->n_items = 4;
    node_send(h, 0, merged);
    lab_settle();
    assert_int_equal(lab_answer(7)->kind, CONTROL_ACK);
    /* The receiver, the hold and its merge, the exporter twice. */
    assert_int_equal(count_spans(), 5);
    const ftr_span_data hold = span_named("processor/hold/h", 0);
    const ftr_span_data merge = span_named("processor/hold/h", 1);
    const ftr_span_data exports[] = {span_named("exporter/test/out", 0),
                                     span_named("exporter/test/out", 1)};
    assert_child(&merge, &hold);
    const bool is_part_first =
        memcmp(&exports[0].parent_span_id, &hold.context.span_id, sizeof(ftr_span_id)) == 0;
    assert_child(&exports[is_part_first ? 0 : 1], &hold);
    assert_child(&exports[is_part_first ? 1 : 0], &merge);
    lab_check();
}

static void test_waiting_for_room_is_recorded(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: out}]",
            1);
    node_set_accepting(lab_node("out"), false);
    assert_true(lab_ingest("in", 1, 0));
    assert_true(lab_ingest("in", 1, 1));
    node_set_accepting(lab_node("out"), true);
    lab_settle();
    size_t n_blocked = 0;
    for (size_t i = 0; i < 2; i++) {
        const ftr_span_data span = span_named("receiver/test/in", i);
        n_blocked += event(&span, "backpressure") != NULL;
    }
    assert_int_equal(n_blocked, 1);
}

/* DF-17. Two have room, the third waits: at the receiver, and in the same row at p. */
static void test_depth_and_capacity_at_send(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  p: {type: processor/pass}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: p}, {from: p, to: out}]",
            2);
    static const int64_t depths[] = {1, 2, 2};
    for (uint64_t i = 0; i < FTRI_COUNT(depths); i++)
        assert_true(lab_ingest("in", 1, i));
    lab_settle();
    for (size_t i = 0; i < FTRI_COUNT(depths); i++) {
        const ftr_span_data in = span_named("receiver/test/in", i);
        const ftr_span_data p = span_named("processor/pass/p", i);
        const ftr_span_data out = span_named("exporter/test/out", i);
        assert_i64(&in, "out.queue.depth", depths[i]);
        assert_i64(&in, "out.queue.capacity", 2);
        assert_int_equal(event(&in, "backpressure") != NULL, i == 2);
        assert_i64(&p, "out.queue.depth", depths[i]);
        assert_i64(&p, "out.queue.capacity", 2);
        assert_int_equal(event(&p, "backpressure") != NULL, i == 2);
        assert_null(attribute(&out, "out.queue.depth"));
    }
}

/* The second one finds the first. */
static void test_depth_at_send_of_each_part(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  s: {type: processor/split}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: s}, {from: 's[\"a\"]', to: out}, "
            "{from: 's[\"b\"]', to: out}]",
            8);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    const ftr_span_data s = span_named("processor/split/s", 0);
    const ftr_event_data *const emit = event(&s, "emit");
    assert_i64(&s, "out.queue.depth", 1);
    assert_non_null(emit);
    assert_int_equal(find(emit->attributes, emit->n_attributes, "out.queue.depth")->as.i64, 2);
    assert_int_equal(find(emit->attributes, emit->n_attributes, "out.queue.capacity")->as.i64, 8);
}

/* The visit of what took custody ends with the input; what goes on is still below it. */
static void test_custody_keeps_one_trace(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  w: {type: processor/custody}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: w}, {from: w, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 0));
    lab_settle();
    const ftr_span_data w = span_named("processor/custody/w", 0);
    assert_int_equal(open_spans(), 1);
    node_ack(lab_node("out"), lab.held[0]);
    lab_settle();
    const ftr_span_data out = span_named("exporter/hold/out", 0);
    assert_child(&out, &w);
    assert_str(&w, "out.port", "out");
}

static void test_late_derivative_is_still_below_the_ended_visit(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: h}, {from: h, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 0));
    lab_settle();
    struct pdata *onward = node_derive_watched(lab_node("h"), lab.held[0], 9);
    node_ack(lab_node("h"), lab.held[0]);
    lab_settle();
    node_send(lab_node("h"), 0, onward);
    lab_settle();
    const ftr_span_data h = span_named("processor/hold/h", 0);
    const ftr_span_data out = span_named("exporter/test/out", 0);
    assert_child(&out, &h);
    assert_i64(&h, "flow.hops", 1);
    assert_i64(&out, "flow.hops", 2);
    assert_int_equal(lab_answer(9)->kind, CONTROL_ACK);
    lab_check();
}

static void test_retries_show_on_the_visit_and_the_fault_lies_below(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  r: {type: processor/retry, config: {n: 1}}\n"
            "  out: {type: exporter/refuse}\n"
            "connections: [{from: in, to: r}, {from: r, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 0));
    lab_settle();
    const ftr_span_data retry = span_named("processor/retry/r", 0);
    assert_str(&retry, "flow.outcome", "refused");
    assert_non_null(event(&retry, "retry"));
    assert_non_null(event(&retry, "control/nack"));
    for (size_t i = 0; i < 2; i++) {
        const ftr_span_data out = span_named("exporter/refuse/out", i);
        assert_child(&out, &retry);
        assert_str(&out, "flow.outcome", "failure");
    }
}

/* Holding is not working for a node that gathers; for one that waits for a destination it is. */
static void test_work_time_stands_apart_from_holding(void **state)
{
    (void)state;
    ftri_time_fake(100 * SECONDS_NS, 1700000000 * SECONDS_NS);
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  h: {type: processor/hold}\n"
            "  out: {type: exporter/hold}\n"
            "connections: [{from: in, to: h}, {from: h, to: out}]",
            0);
    assert_true(lab_ingest("in", 1, 0));
    ftri_time_fake(101 * SECONDS_NS, 1700000001 * SECONDS_NS); /* 1 s in the channel */
    lab_settle();
    ftri_time_fake(104 * SECONDS_NS, 1700000004 * SECONDS_NS); /* 3 s held by h */
    node_send(lab_node("h"), 0, lab.held[0]);
    lab_settle();
    ftri_time_fake(109 * SECONDS_NS, 1700000009 * SECONDS_NS); /* 5 s at the exporter */
    node_ack(lab_node("out"), lab.held[1]);
    lab_settle();
    assert_int_equal(lab_account("h")->queue_ns, SECONDS_NS);
    assert_int_equal(lab_account("h")->work_ns, 0);
    assert_int_equal(lab_account("out")->queue_ns, 0);
    assert_int_equal(lab_account("out")->work_ns, 5 * SECONDS_NS);
    const ftr_span_data hold = span_named("processor/hold/h", 0);
    const ftr_span_data out = span_named("exporter/hold/out", 0);
    assert_true(attribute(&hold, "flow.queue.wait_ms")->as.f64 == 1000.0);
    assert_true(attribute(&hold, "latency.ms")->as.f64 == 0.0);
    assert_true(attribute(&out, "latency.ms")->as.f64 == 5000.0);
    assert_int_equal(hold.end_time_ns - hold.start_time_ns, 8 * SECONDS_NS);
}

static void test_origin_from_outside_is_the_receivers_parent(void **state)
{
    (void)state;
    lab_run("nodes:\n"
            "  in: {type: receiver/test}\n"
            "  out: {type: exporter/test}\n"
            "connections: [{from: in, to: out}]",
            0);
    ftr_context origin = {.span = {.trace_flags = FTR_TRACE_FLAG_SAMPLED, .is_remote = true}};
    memset(origin.span.trace_id.bytes, 0xab, 16);
    memset(origin.span.span_id.bytes, 0xcd, 8);
    struct pdata *pdata = node_ingest(lab_node("in"), FTR_SIGNAL_LOGS, &origin, false, 0);
    pdata->n_items = 1;
    node_send(lab_node("in"), 0, pdata);
    lab_settle();
    const ftr_span_data in = span_named("receiver/test/in", 0);
    assert_memory_equal(in.context.trace_id.bytes, origin.span.trace_id.bytes, 16);
    assert_memory_equal(in.parent_span_id.bytes, origin.span.span_id.bytes, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDED(test_node_that_only_sends_has_complete_visits),
        RECORDED(test_a_graph_by_otelcol),
        RECORDED(test_outcome_is_failure_below_and_refused_above),
        RECORDED(test_fan_out_children_share_their_parent),
        RECORDED(test_merge_is_below_its_inputs_visits),
        RECORDED(test_timer_tick_is_an_event_on_the_merge),
        RECORDED(test_untraced_batches_leave_no_spans),
        RECORDED(test_merge_is_below_the_first_input_that_is_traced),
        RECORDED(test_what_comes_of_a_copy_after_its_visit_continues_the_flow),
        RECORDED(test_waiting_for_room_is_recorded),
        RECORDED(test_depth_and_capacity_at_send),
        RECORDED(test_depth_at_send_of_each_part),
        RECORDED(test_custody_keeps_one_trace),
        RECORDED(test_late_derivative_is_still_below_the_ended_visit),
        RECORDED(test_retries_show_on_the_visit_and_the_fault_lies_below),
        RECORDED(test_work_time_stands_apart_from_holding),
        RECORDED(test_origin_from_outside_is_the_receivers_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
