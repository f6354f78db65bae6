/* SPDX-License-Identifier: Apache-2.0
 *
 * Visits as an exporter sees them: the tree, attributes, events, outcomes, and the library off. */
#include "recorded.h"

#include <pthread.h>

/* The tree of the otel-arrow proposal: names, kinds, one trace, each the child of the sender. */
static void test_pass_through_is_one_trace(void **state)
{
    (void)state;
    const ftr_node *const nodes[] = {receiver, processor, exporter};
    ftr_hop hop;
    for (size_t i = 0; i < 3; i++) {
        ftr_visit visit;
        const ftr_arrival arrival = arrival_of(10);
        ftr_visit_start(&visit, nodes[i], i ? &hop : NULL, i ? 1 : 0, &arrival);
        if (i)
            ftr_hop_release(&hop);
        if (i < 2)
            ftr_visit_emit(&visit, FTR_STR("main"), 10, 1000, &hop);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    }
    const ftr_span_data first = span_named("receiver/otlp/rcv-1");
    const ftr_span_data second = span_named("processor/batch/proc-2");
    const ftr_span_data third = span_named("exporter/http/exp-1");
    assert_int_equal(first.kind, FTR_KIND_CONSUMER);
    assert_int_equal(second.kind, FTR_KIND_INTERNAL);
    assert_int_equal(third.kind, FTR_KIND_CLIENT);
    assert_false(ftr_span_id_is_valid(&first.parent_span_id));
    assert_memory_equal(&second.parent_span_id, &first.context.span_id, 8);
    assert_memory_equal(&third.parent_span_id, &second.context.span_id, 8);
    assert_memory_equal(&first.context.trace_id, &third.context.trace_id, 16);
    assert_int_equal(second.n_links, 0);
    assert_int_equal(second.n_events, 0);
    assert_int_equal(second.status, FTR_SPAN_UNSET);
    assert_null(attribute(&first, "flow.queue.wait_ms"));
    assert_null(attribute(&first, "flow.hops"));
    assert_i64(attribute(&third, "flow.hops"), 2);
    assert_null(attribute(&third, "out.port"));
}

static void test_attributes_are_those_of_the_document(void **state)
{
    (void)state;
    ftr_hop input = hop_from(1, true);
    const uint64_t before_ns = ftri_time_monotonic_ns();
    input.sent_ns = before_ns - 5 * SECONDS_NS;
    ftr_arrival arrival = arrival_of(7);
    arrival.n_attempt = 3;
    ftr_visit visit;
    ftr_visit_start(&visit, processor, &input, 1, &arrival);
    const double at_most_ms = (double)(ftri_time_monotonic_ns() - input.sent_ns) / 1e6;
    ftr_hop hop;
    ftr_visit_emit(&visit, FTR_STR("logs"), 6, 600, &hop);
    ftr_hop_release(&hop);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data span = span_named("processor/batch/proc-2");
    assert_str(attribute(&span, "node.id"), "proc-2");
    assert_str(attribute(&span, "node.type"), "processor/batch");
    assert_str(attribute(&span, "flow.pipeline"), "main");
    assert_str(attribute(&span, "signal.type"), "logs");
    assert_i64(attribute(&span, "pdata.batch.size"), 7);
    assert_i64(attribute(&span, "pdata.batch.bytes"), 700);
    assert_true(attribute(&span, "stateful")->as.boolean);
    assert_i64(attribute(&span, "channel.queue.depth"), 2);
    assert_i64(attribute(&span, "channel.queue.capacity"), 64);
    assert_i64(attribute(&span, "flow.attempt"), 3);
    assert_str(attribute(&span, "out.port"), "logs");
    assert_i64(attribute(&span, "out.items"), 6);
    assert_i64(attribute(&span, "out.bytes"), 600);
    assert_null(attribute(&span, "out.count"));
    assert_str(attribute(&span, "flow.outcome"), "success");
    assert_null(attribute(&span, "error"));
    assert_true(f64(attribute(&span, "flow.queue.wait_ms")) >= 5000.0 - CLOCK_MS);
    assert_true(f64(attribute(&span, "flow.queue.wait_ms")) <= at_most_ms);
    assert_true(f64(attribute(&span, "latency.ms")) >= 0.0);
    assert_true(f64(attribute(&span, "latency.ms")) < 5000.0); /* the queue is not in it */
}

static void test_paused_time_is_not_work(void **state)
{
    (void)state;
    const uint64_t start_ns = ftri_time_monotonic_ns();
    ftr_visit visit;
    ftr_visit_start(&visit, receiver, NULL, 0, NULL);
    spin(2000000);
    ftr_visit_pause(&visit);
    ftr_visit_pause(&visit);
    spin(20000000);
    ftr_visit_resume(&visit);
    spin(3000000);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const double total_ms = (double)(ftri_time_monotonic_ns() - start_ns) / 1e6;
    const ftr_span_data span = span_named("receiver/otlp/rcv-1");
    assert_true(f64(attribute(&span, "latency.ms")) >= 5.0 - CLOCK_MS);
    assert_true(f64(attribute(&span, "latency.ms")) <= total_ms - 20.0);
    assert_true(f64(attribute(&span, "latency.ms")) <=
                (double)(span.end_time_ns - span.start_time_ns) / 1e6);
    assert_true(span.end_time_ns - span.start_time_ns >= 24900000);
}

/* Of a plain span the context is put together here: it has all that the span's own would have. */
static void test_what_is_sent_names_the_current_user_span(void **state)
{
    (void)state;
    const ftr_hop from = hop_from(9, true);
    const ftr_context at_user = {.user = from.context.span};
    const ftr_attachment attachment = ftr_attach(&at_user);
    ftr_visit visit;
    ftr_visit_start(&visit, receiver, NULL, 0, NULL);
    ftr_hop hop;
    memset(&hop, 0xff, sizeof hop);
    ftr_visit_emit(&visit, FTR_STR("main"), 1, 1, &hop);
    ftr_context own = ftr_span_context_of(ftr_visit_span(&visit));
    assert_memory_equal(&own.user, &at_user.user, sizeof own.user);
    assert_memory_equal(&hop.context, &own, sizeof own);
    ftr_context_release(&own);
    ftr_hop_release(&hop);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    ftr_detach(attachment);
}

static void test_split_children_share_the_parent_and_carry_one_link(void **state)
{
    (void)state;
    enum { N = 3 };
    ftr_visit visit;
    ftr_visit_start(&visit, receiver, NULL, 0, NULL);
    ftr_hop hops[N];
    for (uint32_t i = 0; i < N; i++)
        ftr_visit_emit_split(&visit, FTR_STR("part"), (ftr_split){i, N}, 10 + i, 0, &hops[i]);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    for (uint32_t i = 0; i < N; i++) {
        visit_once(processor, &hops[i], 1);
        ftr_hop_release(&hops[i]);
    }
    const ftr_span_data sender = span_named("receiver/otlp/rcv-1");
    assert_i64(attribute(&sender, "out.count"), N);
    assert_i64(attribute(&sender, "out.items"), 10);
    assert_int_equal(sender.n_events, N - 1);
    assert_true(is_text(sender.events[1].name, "emit"));
    assert_i64(find(sender.events[1].attributes, sender.events[1].n_attributes, "out.items"), 12);
    uint32_t n_children = 0;
    ftr_span_data child;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &child); i++) {
        if (!is_text(child.name, "processor/batch/proc-2"))
            continue;
        assert_memory_equal(&child.parent_span_id, &sender.context.span_id, 8);
        assert_int_equal(child.n_links, 1);
        const ftr_link_data *const link = &child.links[0];
        assert_same_span(&link->context, &sender.context);
        assert_str(find(link->attributes, link->n_attributes, "flow.relation"), "split");
        assert_str(find(link->attributes, link->n_attributes, "out.port"), "part");
        assert_i64(find(link->attributes, link->n_attributes, "flow.split.index"), n_children++);
        assert_i64(find(link->attributes, link->n_attributes, "flow.split.count"), N);
    }
    assert_int_equal(n_children, N);
}

static void test_unsampled_flow_is_carried_on_and_not_recorded(void **state)
{
    (void)state;
    const ftr_hop input = hop_from(1, false);
    ftr_visit visit;
    ftr_visit_start(&visit, processor, &input, 1, NULL);
    assert_false(ftr_span_is_recording(ftr_visit_span(&visit)));
    ftr_visit_drop(&visit, FTR_DROP_LATE, 1);
    ftr_visit_blocked(&visit, 1);
    ftr_hop hop;
    ftr_visit_emit(&visit, FTR_STR("out"), 1, 1, &hop);
    assert_memory_equal(&hop.context.span.trace_id, &input.context.span.trace_id, 16);
    assert_true(ftr_span_id_is_valid(&hop.context.span.span_id));
    assert_int_equal(hop.context.span.trace_flags & FTR_TRACE_FLAG_SAMPLED, 0);
    ftr_hop_release(&hop);
    ftr_visit_end(&visit, FTR_OUTCOME_FAILURE, FTR_STR("nobody sees this"));
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), 0);
}

static void test_drops_are_events_and_a_sum(void **state)
{
    (void)state;
    ftr_visit visit;
    ftr_visit_start(&visit, receiver, NULL, 0, NULL);
    ftr_visit_drop(&visit, FTR_DROP_FILTERED, 3);
    ftr_visit_drop(&visit, FTR_DROP_LATE, 4);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data span = span_named("receiver/otlp/rcv-1");
    assert_i64(attribute(&span, "drop.items"), 7);
    assert_str(attribute(&span, "drop.reason"), "filtered");
    assert_int_equal(span.n_events, 2);
    assert_true(is_text(span.events[1].name, "flow.drop"));
    const ftr_event_data *const event = &span.events[1];
    assert_str(find(event->attributes, event->n_attributes, "drop.reason"), "late");
    assert_i64(find(event->attributes, event->n_attributes, "drop.items"), 4);
}

static void test_backpressure_is_an_event_and_a_sum(void **state)
{
    (void)state;
    ftr_visit visit;
    ftr_visit_start(&visit, receiver, NULL, 0, NULL);
    ftr_visit_blocked(&visit, 1500000);
    ftr_visit_blocked(&visit, 500000);
    const ftr_attribute size = {FTR_STR("size"), ftr_value_i64(8)};
    ftr_visit_event(&visit, FTR_STR("batch_flush"), &size, 1);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data span = span_named("receiver/otlp/rcv-1");
    assert_true(f64(attribute(&span, "flow.blocked_ms")) == 2.0);
    assert_int_equal(span.n_events, 3);
    const ftr_event_data *const event = &span.events[0];
    assert_true(is_text(event->name, "backpressure"));
    assert_true(f64(find(event->attributes, event->n_attributes, "flow.blocked_ms")) == 1.5);
    assert_true(is_text(span.events[2].name, "batch_flush"));
    assert_i64(find(span.events[2].attributes, span.events[2].n_attributes, "size"), 8);
}

static void test_outcome_sets_status_and_error(void **state)
{
    (void)state;
    static const struct {
        ftr_outcome outcome;
        const char *name;
        const char *error; /* given */
        const char *text;  /* recorded */
    } cases[] = {
        {FTR_OUTCOME_FAILURE, "failure", "disk full", "disk full"},
        {FTR_OUTCOME_REFUSED, "refused", "", "refused"},
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        ftr_memory_spans_reset(spans);
        ftr_visit visit;
        ftr_visit_start(&visit, exporter, NULL, 0, NULL);
        ftr_visit_end(&visit, cases[i].outcome, ftr_str_from(cases[i].error));
        const ftr_span_data span = span_named("exporter/http/exp-1");
        assert_int_equal(span.status, FTR_SPAN_ERROR);
        assert_true(is_text(span.status_description, cases[i].error));
        assert_str(attribute(&span, "flow.outcome"), cases[i].name);
        assert_str(attribute(&span, "error"), cases[i].text);
    }
}

static void test_context_from_outside_is_the_parent(void **state)
{
    (void)state;
    const ftr_hop outside = hop_from(1, true);
    ftr_visit visit;
    ftr_visit_start_from(&visit, receiver, &outside.context, NULL);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data span = span_named("receiver/otlp/rcv-1");
    assert_memory_equal(&span.parent_span_id, &outside.context.span.span_id, 8);
    ftr_memory_spans_reset(spans);
    const ftr_context none = FTR_CONTEXT_NONE;
    ftr_visit_start_from(&visit, receiver, &none, NULL);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data root = span_named("receiver/otlp/rcv-1");
    assert_false(ftr_span_id_is_valid(&root.parent_span_id));
}

/* A long-lived loop's span may be current while it polls: it is nobody's parent. */
static void test_a_source_ignores_the_current_context(void **state)
{
    (void)state;
    const ftr_hop loop = hop_from(1, true);
    const ftr_attachment attachment = ftr_attach(&loop.context);
    visit_once(receiver, NULL, 0);
    ftr_detach(attachment);
    const ftr_span_data span = span_named("receiver/otlp/rcv-1");
    assert_false(ftr_span_id_is_valid(&span.parent_span_id));
}

/* Of contributors that come one by one the longest way counts, however the first one came: without
 * a channel, through one, or from a flow that is not sampled. */
static void test_hops_are_those_of_the_longest_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static const uint32_t further[] = {1, 5, 3};
        ftr_hop hop = hop_from(1, i != 2), out;
        hop.n_hops = 2;
        hop.sent_ns = i == 1 ? ftri_time_monotonic_ns() : 0;
        const ftr_arrival arrival = arrival_of(7);
        ftr_visit visit;
        ftr_visit_start(&visit, processor, &hop, 1, &arrival);
        for (uint32_t j = 0; j < FTRI_COUNT(further); j++) {
            hop = hop_from(2 + j, true);
            hop.n_hops = further[j];
            ftr_visit_add_input(&visit, &hop);
        }
        ftr_visit_emit(&visit, FTR_STR("out"), 1, 1, &out);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
        assert_int_equal(out.n_hops, 6);
        ftr_hop_release(&out);
        const ftr_span_data span = span_named("processor/batch/proc-2");
        assert_i64(attribute(&span, "flow.hops"), 5);
        ftr_memory_spans_reset(spans);
    }
}

static void test_a_cycle_does_not_make_an_endless_trace(void **state)
{
    (void)state;
    ftr_hop hop = {0};
    for (int i = 0; i <= 300; i++) {
        ftr_visit visit;
        ftr_visit_start(&visit, processor, i ? &hop : NULL, i ? 1 : 0, NULL);
        ftr_hop_release(&hop);
        ftr_visit_emit(&visit, FTR_STR("again"), 1, 1, &hop);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    }
    assert_int_equal(hop.n_hops, 301);
    ftr_hop_release(&hop);
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), 301);
    size_t n_roots = 0;
    ftr_span_data span, before = {0};
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        if (!ftr_span_id_is_valid(&span.parent_span_id) && n_roots++ > 0) {
            assert_int_equal(i, 256);
            assert_int_equal(span.n_links, 1);
            assert_same_span(&span.links[0].context, &before.context);
            assert_str(find(span.links[0].attributes, 1, "flow.relation"), "continues");
        }
        before = span;
    }
    assert_int_equal(n_roots, 2);
}

/* A trace that another one continues is decided about with the flow, not anew. */
static void test_a_cycle_that_is_not_sampled_stays_so(void **state)
{
    (void)state;
    ftr_hop hop = hop_from(1, false);
    for (int i = 0; i <= 600; i++) {
        ftr_visit visit;
        ftr_visit_start(&visit, processor, &hop, 1, NULL);
        ftr_hop_release(&hop);
        ftr_visit_emit(&visit, FTR_STR("again"), 1, 1, &hop);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    }
    ftr_hop_release(&hop);
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), 0);
}

static void test_pass_through_allocates_nothing(void **state)
{
    (void)state;
    visit_once(receiver, NULL, 0); /* the thread's own set-up */
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    const ftr_hop input = hop_from(1, true);
    ftri_mem_fail_at(UINT64_MAX);
    ftr_visit visit;
    const ftr_arrival arrival = arrival_of(1);
    ftr_visit_start(&visit, processor, &input, 1, &arrival);
    ftr_hop hop;
    ftr_visit_emit(&visit, FTR_STR("out"), 1, 1, &hop);
    ftr_hop_release(&hop);
    const uint64_t n_requests = ftri_mem_requests(); /* before the worker has anything to do */
    ftri_mem_fail_at(0);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    assert_int_equal(n_requests, 0);
}

static void test_nodes_need_memory(void **state)
{
    (void)state;
    const ftr_node_options options = {.size = sizeof options, .id = FTR_STR("x")};
    ftri_mem_fail_at(1);
    ftr_node *const node = ftr_node_new(&options);
    ftri_mem_fail_at(0);
    assert_null(node);
    ftr_visit visit;
    ftr_visit_start(&visit, NULL, NULL, 0, NULL);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    ftr_node_free(NULL);
}

/* Below a visit that sent it, and as a source: those are recorded in two ways. */
static void check_loop(const char *id, size_t n_inputs)
{
    const ftr_node_options options = {.size = sizeof options,
                                      .id = ftr_str_from(id),
                                      .kind = FTR_NODE_PROCESSOR,
                                      .has_loop = true,
                                      .loop = 3};
    ftr_node *const node = ftr_node_new(&options);
    const ftr_hop input = hop_from(1, true);
    ftr_visit visit;
    ftr_visit_start(&visit, node, &input, n_inputs, NULL);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    const ftr_span_data span = span_named(id);
    assert_i64(attribute(&span, "flow.loop"), 3);
    ftr_node_free(node);
}

static void test_a_node_on_one_of_several_loops_says_which(void **state)
{
    (void)state;
    check_loop("source", 0);
    check_loop("below", 1);
}

static void *finish_elsewhere(void *argument)
{
    ftr_visit moved = *(ftr_visit *)argument;
    const ftr_hop other = hop_from(2, true);
    ftr_visit_add_input(&moved, &other);
    ftr_visit_drop(&moved, FTR_DROP_SHUTDOWN, 2);
    ftr_visit_end(&moved, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    return NULL;
}

static void test_a_visit_moves_to_another_thread(void **state)
{
    (void)state;
    const ftr_hop first = hop_from(1, true);
    ftr_visit visit;
    ftr_visit_start(&visit, processor, &first, 1, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, finish_elsewhere, &visit), 0);
    pthread_join(thread, NULL);
    const ftr_span_data span = span_named("processor/batch/proc-2");
    assert_int_equal(span.n_links, 1);
    assert_i64(attribute(&span, "drop.items"), 2);
    assert_str(attribute(&span, "flow.outcome"), "success");
}

static void call_everything(ftr_visit *visit)
{
    const ftr_hop input = hop_from(1, true);
    ftr_hop hop;
    memset(&hop, 0xEE, sizeof hop);
    ftr_visit_add_input(visit, &input);
    ftr_visit_emit(visit, FTR_STR("out"), 1, 1, &hop);
    assert_false(ftr_trace_id_is_valid(&hop.context.span.trace_id));
    assert_null(hop.context.block);
    ftr_visit_emit_split(visit, FTR_STR("out"), (ftr_split){0, 2}, 1, 1, &hop);
    ftr_hop_release(&hop);
    ftr_visit_blocked(visit, 1);
    ftr_visit_drop(visit, FTR_DROP_FILTERED, 1);
    ftr_visit_event(visit, FTR_STR("event"), NULL, 0);
    ftr_visit_pause(visit);
    ftr_visit_resume(visit);
    assert_int_equal(ftr_visit_span(visit).generation, 0);
    ftr_visit_end(visit, FTR_OUTCOME_FAILURE, FTR_STR("error"));
}

enum { SHARERS = 4, VISITS_EACH = 300 };

static void *visit_often(void *argument)
{
    const uint64_t first = *(const uint64_t *)argument;
    for (uint64_t n = first; n < first + VISITS_EACH; n++) {
        ftr_hop in = hop_from(1, true), out;
        in.sent_ns = in.n_hops = 1;
        const ftr_arrival arrival = arrival_of(n);
        ftr_visit visit;
        ftr_visit_start(&visit, processor, &in, 1, &arrival);
        ftr_visit_emit(&visit, n % 2 ? FTR_STR("odd") : FTR_STR("even"), n + 1, n + 2, &out);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
        ftr_hop_release(&out);
    }
    return NULL;
}

/* Each visit has its own numbers, whoever was the first to use the node. */
static void test_threads_share_a_node(void **state)
{
    (void)state;
    pthread_t threads[SHARERS];
    uint64_t firsts[SHARERS];
    for (size_t i = 0; i < SHARERS; i++) {
        firsts[i] = 1000 * (i + 1);
        assert_int_equal(pthread_create(&threads[i], NULL, visit_often, &firsts[i]), 0);
    }
    for (size_t i = 0; i < SHARERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), SHARERS * VISITS_EACH);
    ftr_span_data span;
    int64_t sum = 0;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        const int64_t n = attribute(&span, "pdata.batch.size")->as.i64;
        sum += n;
        assert_i64(attribute(&span, "pdata.batch.bytes"), 100 * n);
        assert_str(attribute(&span, "out.port"), n % 2 ? "odd" : "even");
        assert_i64(attribute(&span, "out.items"), n + 1);
        assert_i64(attribute(&span, "out.bytes"), n + 2);
        assert_str(attribute(&span, "flow.outcome"), "success");
    }
    /* Of 1000 to 1299, 2000 to 2299, 3000 to 3299 and 4000 to 4299. */
    assert_int_equal(sum, 300 * (1000 + 2000 + 3000 + 4000) + 4 * (299 * 300 / 2));
}

static void test_off_and_zeroed_visits_do_nothing(void **state)
{
    (void)state;
    ftr_visit visit = {0};
    call_everything(&visit);
    ftr_visit_start(&visit, NULL, NULL, 0, NULL);
    call_everything(&visit);
    visit_once(processor, NULL, 0);
    ftr_set_mode(FTR_MODE_OFF);
    memset(&visit, 0xEE, sizeof visit);
    const ftr_hop input = hop_from(1, true);
    ftr_visit_start(&visit, processor, &input, 1, NULL);
    call_everything(&visit);
    memset(&visit, 0xEE, sizeof visit);
    ftr_visit_start_from(&visit, processor, &input.context, NULL);
    call_everything(&visit);
    ftr_set_mode(FTR_MODE_FULL);
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), 1);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0}); /* twice */
}

/* A node's visits are alike, and each says its own: numbers, signal, port and outcome of the row
 * with its number. */
static void test_visits_of_one_node_say_each_its_own(void **state)
{
    (void)state;
    static const struct row {
        ftr_signal signal;
        uint64_t n_items, depth, capacity, wait_s;
        uint32_t n_hops;
        ftr_str port;
        ftr_outcome outcome;
        uint64_t worked_ns;
    } rows[] = {
        {FTR_SIGNAL_LOGS, 7, 1, 64, 1, 1, {"out", 3}, FTR_OUTCOME_SUCCESS, 1000000},
        {FTR_SIGNAL_LOGS, 8, 2, 65, 2, 2, {"out", 3}, FTR_OUTCOME_SUCCESS, 2000000},
        {FTR_SIGNAL_TRACES, 9, 3, 66, 3, 3, {"low", 3}, FTR_OUTCOME_FAILURE, 3000000},
        {FTR_SIGNAL_LOGS, UINT64_MAX, 4, 67, 4, 4, {"out2", 4}, FTR_OUTCOME_SUCCESS, 4000000},
        {FTR_SIGNAL_TRACES, 11, 5, 68, 5, 255, {"", 0}, FTR_OUTCOME_SUCCESS, 5000000},
        {(ftr_signal)99, 12, 6, 69, 6, 6, {"out", 3}, FTR_OUTCOME_SUCCESS, 6000000},
        {FTR_SIGNAL_NONE, 13, 7, 70, 7, 7, {"out", 3}, FTR_OUTCOME_REFUSED, 7000000},
    };
    const uint64_t now_ns = ftr_flow_clock_ns();
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        const struct row *const row = &rows[i];
        ftr_hop in = hop_from(1, true), out;
        in.sent_ns = now_ns - row->wait_s * SECONDS_NS;
        in.n_hops = row->n_hops;
        const ftr_arrival arrival = {.size = sizeof arrival,
                                     .signal = row->signal,
                                     .n_items = row->n_items,
                                     .n_bytes = row->n_items / 2,
                                     .queue_depth = row->depth,
                                     .queue_capacity = row->capacity,
                                     .now_ns = now_ns};
        ftr_visit visit;
        ftr_visit_start(&visit, processor, &in, 1, &arrival);
        ftr_visit_emit(&visit, row->port, row->n_items, row->n_items / 2, &out);
        ftr_visit_worked(&visit, row->worked_ns);
        ftr_visit_worked(&visit, row->worked_ns);
        ftr_visit_end(&visit, row->outcome, (ftr_str){0});
        ftr_hop_release(&in);
        ftr_hop_release(&out);
    }
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), FTRI_COUNT(rows));
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        const struct row *const row = &rows[i];
        const int64_t n_items = row->n_items > INT64_MAX ? INT64_MAX : (int64_t)row->n_items;
        ftr_span_data span;
        assert_true(ftr_memory_spans_get(spans, i, &span));
        assert_str(attribute(&span, "node.id"), "proc-2");
        assert_str(attribute(&span, "node.type"), "processor/batch");
        assert_str(attribute(&span, "flow.pipeline"), "main");
        assert_true(attribute(&span, "stateful")->as.boolean);
        assert_str(attribute(&span, "signal.type"), ftr_signal_name(row->signal));
        assert_i64(attribute(&span, "pdata.batch.size"), n_items);
        assert_i64(attribute(&span, "pdata.batch.bytes"), (int64_t)(row->n_items / 2));
        assert_true(f64(attribute(&span, "flow.queue.wait_ms")) == 1000.0 * (double)row->wait_s);
        assert_i64(attribute(&span, "channel.queue.depth"), (int64_t)row->depth);
        assert_i64(attribute(&span, "channel.queue.capacity"), (int64_t)row->capacity);
        assert_i64(attribute(&span, "flow.hops"), row->n_hops);
        const ftr_value *const port = attribute(&span, "out.port");
        assert_true(port->type == FTR_VALUE_STR && port->as.str.len == row->port.len);
        assert_memory_equal(port->as.str.data, row->port.data, row->port.len);
        assert_i64(attribute(&span, "out.items"), n_items);
        assert_i64(attribute(&span, "out.bytes"), (int64_t)(row->n_items / 2));
        assert_true(f64(attribute(&span, "latency.ms")) == 2.0 * (double)row->worked_ns / 1e6);
        assert_str(attribute(&span, "flow.outcome"), ftr_outcome_name(row->outcome));
        assert_int_equal(span.n_events, 0);
    }
}

/* DF-17, at send. Twice over, so that the second visit has the form that the first one made. */
static void test_departures_tell_of_the_channel(void **state)
{
    (void)state;
    const ftr_departure queued = {.size = sizeof queued,
                                  .n_items = 6,
                                  .n_bytes = 600,
                                  .queue_depth = 3,
                                  .queue_capacity = 16,
                                  .now_ns = 12345};
    const ftr_departure last = {.size = sizeof last,
                                .n_items = 1,
                                .queue_depth = UINT64_MAX,
                                .queue_capacity = UINT64_MAX,
                                .split = {1, 2}};
    const ftr_departure free_way = {.size = sizeof free_way, .n_items = 2, .queue_depth = 9};
    const ftr_departure older = {.size = offsetof(ftr_departure, queue_depth),
                                 .n_items = 4,
                                 .n_bytes = 40,
                                 .queue_depth = 99,
                                 .queue_capacity = 99};
    const ftr_departure *const firsts[] = {&queued, &free_way, &queued, &older, NULL};
    for (size_t i = 0; i < FTRI_COUNT(firsts); i++) {
        ftr_visit visit;
        ftr_hop hop;
        ftr_visit_start(&visit, processor, NULL, 0, NULL);
        ftr_visit_emit_with(&visit, FTR_STR("out"), firsts[i], &hop);
        if (firsts[i] == &queued)
            assert_int_equal(hop.sent_ns, 12345);
        else
            assert_true(hop.sent_ns > 12345);
        assert_int_equal(hop.split_count, 0);
        ftr_hop_release(&hop);
        ftr_visit_emit_with(&visit, FTR_STR("low"), &last, &hop);
        assert_int_equal(hop.split_index, 1);
        assert_int_equal(hop.split_count, 2);
        ftr_hop_release(&hop);
        ftr_visit_emit_with(&visit, FTR_STR("low"), &free_way, &hop);
        ftr_hop_release(&hop);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
    }
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    static const int64_t n_items[] = {6, 2, 6, 4, 0};
    for (size_t i = 0; i < FTRI_COUNT(firsts); i++) {
        ftr_span_data span;
        assert_true(ftr_memory_spans_get(spans, i, &span));
        assert_str(attribute(&span, "out.port"), "out");
        assert_i64(attribute(&span, "out.items"), n_items[i]);
        assert_i64(attribute(&span, "out.count"), 3);
        if (firsts[i] == &queued) {
            assert_i64(attribute(&span, "out.queue.depth"), 3);
            assert_i64(attribute(&span, "out.queue.capacity"), 16);
        } else {
            assert_null(attribute(&span, "out.queue.depth"));
            assert_null(attribute(&span, "out.queue.capacity"));
        }
        assert_int_equal(span.n_events, 2);
        assert_i64(find(span.events[0].attributes, span.events[0].n_attributes, "out.queue.depth"),
                   INT64_MAX);
        assert_i64(
            find(span.events[0].attributes, span.events[0].n_attributes, "out.queue.capacity"),
            INT64_MAX);
        assert_int_equal(span.events[0].n_attributes, 5);
        assert_int_equal(span.events[1].n_attributes, 3);
    }
}

static void test_names_of_unlisted_values(void **state)
{
    (void)state;
    assert_string_equal(ftr_drop_reason_name(FTR_DROP_RETRIES_EXHAUSTED), "retries_exhausted");
    assert_string_equal(ftr_drop_reason_name((ftr_drop_reason)0), "unknown");
    assert_string_equal(ftr_drop_reason_name((ftr_drop_reason)99), "unknown");
    assert_string_equal(ftr_outcome_name((ftr_outcome)77), "unknown");
    assert_string_equal(ftr_signal_name(FTR_SIGNAL_RECORDS), "records");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pass_through_is_one_trace),
        TEST(test_attributes_are_those_of_the_document),
        TEST(test_a_node_on_one_of_several_loops_says_which),
        TEST(test_paused_time_is_not_work),
        TEST(test_what_is_sent_names_the_current_user_span),
        TEST(test_split_children_share_the_parent_and_carry_one_link),
        TEST(test_unsampled_flow_is_carried_on_and_not_recorded),
        TEST(test_drops_are_events_and_a_sum),
        TEST(test_backpressure_is_an_event_and_a_sum),
        TEST(test_outcome_sets_status_and_error),
        TEST(test_context_from_outside_is_the_parent),
        TEST(test_a_source_ignores_the_current_context),
        TEST(test_hops_are_those_of_the_longest_way),
        TEST(test_a_cycle_does_not_make_an_endless_trace),
        TEST(test_a_cycle_that_is_not_sampled_stays_so),
        TEST(test_pass_through_allocates_nothing),
        TEST(test_nodes_need_memory),
        TEST(test_a_visit_moves_to_another_thread),
        TEST(test_threads_share_a_node),
        TEST(test_off_and_zeroed_visits_do_nothing),
        TEST(test_visits_of_one_node_say_each_its_own),
        TEST(test_departures_tell_of_the_channel),
        TEST(test_names_of_unlisted_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
