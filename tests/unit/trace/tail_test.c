/* SPDX-License-Identifier: Apache-2.0
 *
 * FTR_MODE_TAIL through the public functions: which flows come out, whole, and what crosses
 * processes. Switching modes: tail_mode_test.c; the buffer by itself: unit/sampling. */
#include "flows.h"

#include "base/mem.h"
#include "base/time.h"
#include "sampling/threshold.h"

static void test_errors_are_kept_whole(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    start_tail(&tail);
    const ftr_trace_id first = plain_flow();
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id second = flow.context.span.trace_id;
    const ftr_span bad = ftr_span_start(FTR_STR("bad"), FTR_KIND_INTERNAL, NULL);
    add_child("a");
    ftr_span_set_status(bad, FTR_SPAN_ERROR, FTR_STR("no"));
    ftr_span_end(bad);
    end_flow(&flow);
    const ftr_trace_id third = plain_flow();
    assert_int_equal(ftr_memory_spans_count(spans), 0);
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&first), 0);
    assert_int_equal(n_exported_of(&second), 3);
    assert_int_equal(n_exported_of(&third), 0);
    assert_vote(&second, "root", "");
    assert_int_equal(counts().sampled_out, 6);
    assert_int_equal(counts().tail_kept[FTR_TAIL_ERROR], 1);
    assert_int_equal(counts().tail_dropped, 2);
    assert_int_equal(counts().tail_by_end, 3);
    stop();
    assert_accounts();
}

/* Through a visit, so that the names here and in flow/names.c are the same. */
static void test_drops_are_kept(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.keeps_drops = true;
    start_tail(&tail);
    const ftr_node_options options = {.size = sizeof options,
                                      .id = FTR_STR("n"),
                                      .type = FTR_STR("processor/x"),
                                      .kind = FTR_NODE_PROCESSOR};
    ftr_node *node = ftr_node_new(&options);
    ftr_trace_id ids[2];
    for (int i = 0; i < 2; i++) {
        ftr_visit visit;
        ftr_visit_start(&visit, node, NULL, 0, NULL);
        ftr_context context = ftr_span_context_of(ftr_visit_span(&visit));
        ids[i] = context.span.trace_id;
        ftr_context_release(&context);
        if (i == 1)
            ftr_visit_drop(&visit, FTR_DROP_BUFFER_FULL, 3);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    }
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&ids[0]), 0);
    assert_int_equal(n_exported_of(&ids[1]), 1);
    assert_int_equal(counts().tail_kept[FTR_TAIL_DROP], 1);
    ftr_node_free(node);
    stop();
}

static ftr_trace_id flow_of(uint64_t start_ns, uint64_t end_ns)
{
    const ftr_span_options options = {
        .size = sizeof options, .name = FTR_STR("root"), .start_time_ns = start_ns};
    const ftr_span root = ftr_span_start_with(&options);
    ftr_context context = ftr_span_context_of(root);
    const ftr_trace_id id = context.span.trace_id;
    ftr_context_release(&context);
    ftr_span_end_at(root, end_ns);
    return id;
}

static void test_latency_and_attributes(void **state)
{
    (void)state;
    const ftr_tail_attribute wanted[] = {{FTR_STR("customer"), FTR_STR("gold")},
                                         {FTR_STR("debug"), {NULL, 0}}};
    ftr_tail_config tail = keep_nothing();
    tail.latency_ns = 2 * SECOND;
    tail.attributes = wanted;
    tail.n_attributes = 2;
    start_tail(&tail);
    const ftr_trace_id brief = flow_of(1000 * SECOND, 1002 * SECOND - 1);
    const ftr_trace_id slow = flow_of(1000 * SECOND, 1002 * SECOND);
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id gold = flow.context.span.trace_id;
    const ftr_span child = ftr_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_text(child, FTR_STR("customer"), "gold");
    ftr_span_end(child);
    end_flow(&flow);
    flow = begin_flow(NULL);
    const ftr_trace_id silver = flow.context.span.trace_id;
    ftr_span_set_text(flow.root, FTR_STR("customer"), "silver");
    end_flow(&flow);
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&brief), 0);
    assert_int_equal(n_exported_of(&slow), 1);
    assert_int_equal(n_exported_of(&gold), 2);
    assert_int_equal(n_exported_of(&silver), 0);
    assert_int_equal(counts().tail_kept[FTR_TAIL_LATENCY], 1);
    assert_int_equal(counts().tail_kept[FTR_TAIL_ATTRIBUTE], 1);
    stop();
}

/* An inherited field is an attribute of the span. */
static void test_inherited_fields_count(void **state)
{
    (void)state;
    const ftr_tail_attribute wanted = {FTR_STR("job"), FTR_STR("7")};
    ftr_tail_config tail = keep_nothing();
    tail.attributes = &wanted;
    tail.n_attributes = 1;
    start_tail(&tail);
    ftr_context context = FTR_CONTEXT_NONE;
    const ftr_value seven = ftr_value_i64(7);
    assert_true(ftr_context_set_field(&context, FTR_STR("job"), &seven));
    const ftr_attachment attachment = ftr_attach(&context);
    const ftr_trace_id id = plain_flow();
    ftr_detach(attachment);
    ftr_context_release(&context);
    plain_flow();
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&id), 3);
    assert_int_equal(ftr_memory_spans_count(spans), 3);
    stop();
}

/* Which flows a share keeps is known beforehand: those whose randomness says so, all of them whole.
 * 7 standard deviations to either side of the share of 20000. */
static void check_share(double share, size_t least, size_t most)
{
    enum { FLOWS = 20000 };
    static ftr_trace_id ids[FLOWS];
    ftr_tail_config tail = keep_nothing();
    tail.share = share;
    ftr_config config = tail_config_of(&tail);
    config.journal_bytes = (size_t)64 << 20;
    start(&config);
    size_t n_expected = 0;
    for (size_t i = 0; i < FLOWS; i++) {
        ids[i] = plain_flow();
        n_expected += ftri_randomness_of(&ids[i]) >= ftri_threshold_of(share);
    }
    wait_for_verdicts();
    assert_in_range(n_expected, least, most);
    assert_int_equal(counts().lost_journal_full, 0);
    assert_int_equal(counts().tail_kept[FTR_TAIL_SHARE], n_expected);
    assert_int_equal(counts().tail_dropped, FLOWS - n_expected);
    assert_int_equal(ftr_memory_spans_count(spans), 3 * n_expected);
    for (size_t i = 0; i < FLOWS; i += 97) {
        const bool is_kept = ftri_randomness_of(&ids[i]) >= ftri_threshold_of(share);
        assert_int_equal(n_exported_of(&ids[i]), is_kept ? 3 : 0);
    }
    stop();
}

static void test_shares(void **state)
{
    (void)state;
    check_share(0, 0, 0);
    check_share(1, 20000, 20000);
    check_share(0.01, 102, 298);
}

static void test_a_remote_parent_is_exported_with_a_vote(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    start_tail(&tail);
    ftr_context parent = remote(SAMPLED, "");
    struct flow flow = begin_flow(&parent);
    const ftr_trace_id id = flow.context.span.trace_id;
    add_child("a");
    end_flow(&flow);
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&id), 2);
    assert_vote(&id, "root", "drop");
    assert_vote(&id, "a", "");
    assert_int_equal(counts().tail_kept[FTR_TAIL_CROSSED], 1);
    ftr_memory_spans_reset(spans);
    struct flow again = begin_flow(&parent); /* the same trace once more: it follows */
    end_flow(&again);
    assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
    assert_vote(&id, "root", "drop");
    assert_int_equal(counts().tail_late, 1);
    ftr_context other = remote("00-aa02030405060708fe80000000000000-00f067aa0ba902b7-01", "");
    struct flow bad = begin_flow(&other);
    ftr_span_set_status(bad.root, FTR_SPAN_ERROR, FTR_STR("no"));
    ftr_span_set_text(bad.root, FTR_STR("ftr.tail.vote"), "mine");
    end_flow(&bad);
    wait_for_verdicts();
    assert_vote(&other.span.trace_id, "root", "keep:error");
    ftr_context_release(&other);
    ftr_context_release(&parent);
    stop();
    assert_accounts();
}

static ftr_str nothing_there(void *fields, ftr_str name, size_t nth)
{
    (void)fields, (void)name, (void)nth;
    return (ftr_str){NULL, 0};
}

static void set_nothing(void *fields, ftr_str name, ftr_str value)
{
    (void)fields, (void)name, (void)value;
}

/* What each way of writing a context for others does to its flow. */
enum way { INJECT, INJECT_AS_B3, INJECT_BAGGAGE, CURRENT, FORMAT, STATE_TEXT, NO_WAY, N_WAYS };

static void leave_by(enum way way, const ftr_context *context)
{
    static const ftr_carrier carrier = {.get = nothing_there, .set = set_nothing};
    char text[FTR_TRACEPARENT_LEN + 1];
    char state_text[FTR_STATE_TEXT_LEN + 1];
    switch (way) {
    case INJECT:
        ftr_inject(context, &carrier, NULL);
        break;
    case INJECT_AS_B3:
        ftr_inject_as(FTR_PROPAGATOR_B3, context, &carrier, NULL);
        break;
    case INJECT_BAGGAGE:
        ftr_inject_as(FTR_PROPAGATOR_BAGGAGE, context, &carrier, NULL);
        break;
    case CURRENT:
        assert_true(ftr_current_traceparent(text));
        break;
    case FORMAT:
        assert_true(ftr_traceparent_format(&context->span, text));
        break;
    case STATE_TEXT:
        assert_true(ftr_state_text_format(context, state_text));
        break;
    case NO_WAY:
    case N_WAYS:
        break;
    }
}

static void test_what_is_injected_is_exported_with_a_vote(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    start_tail(&tail);
    for (enum way way = 0; way < N_WAYS; way++) {
        struct flow flow = begin_flow(NULL);
        const ftr_trace_id id = flow.context.span.trace_id;
        leave_by(way, &flow.context);
        add_child("a");
        end_flow(&flow);
        wait_for_verdicts();
        const bool has_left = way != INJECT_BAGGAGE && way != NO_WAY;
        assert_int_equal(n_exported_of(&id), has_left ? 2 : 0);
        if (has_left)
            assert_vote(&id, "root", "drop");
    }
    assert_int_equal(counts().tail_kept[FTR_TAIL_CROSSED], 5);
    assert_int_equal(counts().tail_dropped, 2);
    assert_int_equal(counts().tail_crossings_lost, 0);
    stop();
}

/* Spans that write their own traceparent into an attribute have not crossed. */
static void test_a_traceparent_attribute_is_no_crossing(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    start_tail(&tail);
    ftr_context context = FTR_CONTEXT_NONE;
    assert_true(ftr_context_set_finish_callback(&context, ftr_finish_with_traceparent, NULL));
    const ftr_attachment attachment = ftr_attach(&context);
    plain_flow();
    ftr_detach(attachment);
    ftr_context_release(&context);
    wait_for_verdicts();
    assert_int_equal(ftr_memory_spans_count(spans), 0);
    stop();
}

/* The note has to find room in the journal as spans do; without it nothing is held up. */
static void test_crossings_that_are_lost_are_counted(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    ftr_config config = tail_config_of(&tail);
    config.journal_bytes = 4096;
    start(&config);
    char text[FTR_TRACEPARENT_LEN + 1];
    struct flow flow = begin_flow(NULL);
    for (int i = 0; i < 10000000 && counts().tail_crossings_lost == 0; i++)
        for (int k = 0; k < 1000; k++)
            assert_true(ftr_current_traceparent(text));
    assert_true(counts().tail_crossings_lost > 0);
    end_flow(&flow);
    stop();
    assert_accounts();
}

static void test_an_open_child_holds_its_flow(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    start_tail(&tail);
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id id = flow.context.span.trace_id;
    const ftr_span child = ftr_span_start(FTR_STR("slow"), FTR_KIND_INTERNAL, NULL);
    end_flow(&flow);
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    for (int i = 0; i < 5; i++) { /* others are decided meanwhile */
        plain_flow();
        for (int k = 0; k < 60000 && counts().tail_by_end < (uint64_t)i + 1; k++)
            usleep(1000);
        assert_int_equal(counts().tail_by_end, i + 1);
    }
    assert_int_equal(counts().waiting, 1);
    ftr_span_set_status(child, FTR_SPAN_ERROR, FTR_STR("at last"));
    ftr_span_end(child);
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&id), 2);
    stop();
}

/* The fake clock stands: nothing is quiet or old before it says so. */
static void test_flows_are_decided_by_age(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    ftri_time_fake(1000 * SECOND, 5000 * SECOND);
    start_tail(&tail);
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id id = flow.context.span.trace_id;
    add_child("a");
    const ftr_span bad = ftr_span_start(FTR_STR("bad"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_status(bad, FTR_SPAN_ERROR, FTR_STR("no"));
    ftr_span_end(bad);
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    ftri_time_fake(1060 * SECOND - 1, 5060 * SECOND - 1);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(counts().waiting, 2);
    ftri_time_fake(1060 * SECOND, 5060 * SECOND);
    wait_for_verdicts();
    assert_int_equal(counts().tail_by_age, 1);
    assert_int_equal(n_exported_of(&id), 2);
    end_flow(&flow); /* the root follows */
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(n_exported_of(&id), 3);
    assert_int_equal(counts().tail_late, 1);
    plain_flow();
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(counts().waiting, 3); /* flushing decides nothing */
    ftri_time_fake(1061 * SECOND, 5061 * SECOND);
    wait_for_verdicts();
    assert_int_equal(counts().tail_by_end, 1);
    assert_int_equal(counts().sampled_out, 3);
    stop();
    ftri_time_real();
}

/* Flows whose roots are open fill the budget: the oldest have to go. One flow has half of all. */
static void test_a_small_budget_keeps_to_it(void **state)
{
    (void)state;
    enum { FLOWS = 200, SPANS = 50, BIG = FLOWS * SPANS, BUDGET = 1 << 20 };
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    tail.budget_bytes = BUDGET;
    ftri_time_fake(1000 * SECOND, 5000 * SECOND);
    ftr_config config = tail_config_of(&tail);
    config.journal_bytes = (size_t)64 << 20;
    start(&config);
    static struct flow flows[FLOWS];
    struct flow big = begin_flow(NULL);
    for (int i = 0; i < BIG / 2; i++)
        add_child("big");
    ftr_detach(big.attachment);
    for (size_t i = 0; i < FLOWS; i++) {
        flows[i] = begin_flow(NULL);
        for (int k = 0; k < SPANS; k++) {
            const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
            if (k == 0 && i % 2 == 0)
                ftr_span_set_status(span, FTR_SPAN_ERROR, FTR_STR(""));
            ftr_span_end(span);
        }
        ftr_detach(flows[i].attachment);
        ftr_span_end(flows[i].root);
    }
    const ftr_attachment attachment = ftr_attach(&big.context);
    for (int i = 0; i < BIG / 2; i++)
        add_child("big");
    ftr_detach(attachment);
    ftr_span_end(big.root);
    assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
    assert_true(counts().tail_by_budget > 0);
    assert_true(counts().waiting * 100 < BUDGET); /* no record is smaller */
    assert_accounts();
    assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
    assert_accounts();
    assert_int_equal(counts().lost_journal_full, 0);
    assert_int_equal(counts().tail_kept[FTR_TAIL_ERROR], FLOWS / 2);
    assert_int_equal(counts().tail_dropped, FLOWS / 2 + 1);
    assert_int_equal(counts().sampled_out, FLOWS / 2 * (SPANS + 1) + BIG + 1);
    for (size_t i = 0; i < FLOWS; i++) {
        assert_int_equal(n_exported_of(&flows[i].context.span.trace_id), i % 2 ? 0 : SPANS + 1);
        ftr_context_release(&flows[i].context);
    }
    ftr_context_release(&big.context);
    ftr_memory_spans_unref(spans);
    ftri_time_real();
}

static void test_shutdown_decides_what_waits(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    ftri_time_fake(1000 * SECOND, 5000 * SECOND);
    start_tail(&tail);
    plain_flow();
    struct flow flow = begin_flow(NULL);
    const ftr_span bad = ftr_span_start(FTR_STR("bad"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_status(bad, FTR_SPAN_ERROR, FTR_STR("no"));
    ftr_span_end(bad);
    ftr_detach(flow.attachment);
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
    assert_int_equal(n_exported_of(&flow.context.span.trace_id), 1);
    ftr_context_release(&flow.context);
    assert_int_equal(counts().tail_by_order, 2);
    assert_int_equal(counts().waiting, 0);
    assert_int_equal(counts().sampled_out, 3);
    assert_int_equal(counts().open, 1);
    assert_accounts();
    ftr_memory_spans_unref(spans);
    ftri_time_real();
}

/* Copies of open spans wait for the verdict as well, and at the end share it. */
static void test_copies_of_open_spans_follow_their_flow(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    ftr_config config = tail_config_of(&tail);
    config.pending_interval_ms = 1;
    start(&config);
    struct flow good = begin_flow(NULL);
    add_child("a");
    ftr_detach(good.attachment);
    struct flow bad = begin_flow(NULL);
    const ftr_span child = ftr_span_start(FTR_STR("bad"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_status(child, FTR_SPAN_ERROR, FTR_STR("no"));
    ftr_span_end(child);
    ftr_detach(bad.attachment);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
        usleep(1000);
    }
    assert_int_equal(counts().pending, 0);
    assert_int_equal(ftr_memory_spans_count(spans), 0);
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
    assert_int_equal(counts().pending, 2);
    assert_int_equal(n_exported_of(&bad.context.span.trace_id), 2);
    assert_int_equal(n_exported_of(&good.context.span.trace_id), 0);
    assert_int_equal(counts().sampled_out, 2);
    assert_accounts();
    ftr_context_release(&good.context);
    ftr_context_release(&bad.context);
    ftr_memory_spans_unref(spans);
}

/* Live spans and taps are before all decisions. */
static void test_taps_and_live_spans_see_everything(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    start_tail(&tail);
    ftr_tap *tap = ftr_tap_new();
    plain_flow();
    wait_for_verdicts();
    ftr_span_data span;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ftr_tap_next(tap, 10 * SECOND, &span), FTR_OK);
    assert_int_equal(ftr_tap_next(tap, 0, &span), FTR_ERR_TIMEOUT);
    ftr_tap_free(tap);
    assert_int_equal(ftr_memory_spans_count(spans), 0);
    stop();
}

/* Without memory for waiting, spans go out or are lost, and all are accounted for. */
static void test_any_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t n_requests;
    uint64_t n = 0;
    do {
        ftr_tail_config tail = keep_nothing();
        tail.share = 0.5;
        tail.budget_bytes = 64 * 1024;
        ftr_config config = tail_config_of(&tail);
        config.has_mode = false;
        start(&config);
        plain_flow();
        assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
        ftri_mem_fail_at(++n);
        ftr_set_mode(FTR_MODE_TAIL);
        for (int i = 0; i < 200; i++)
            plain_flow();
        (void)ftr_flush(10 * SECOND);
        n_requests = ftri_mem_requests();
        ftri_mem_fail_at(0);
        assert_accounts();
        stop();
        assert_accounts();
        assert_int_equal(counts().waiting, 0);
    } while (n_requests >= n);
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_kept_whole),
        cmocka_unit_test(test_drops_are_kept),
        cmocka_unit_test(test_latency_and_attributes),
        cmocka_unit_test(test_inherited_fields_count),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_a_remote_parent_is_exported_with_a_vote),
        cmocka_unit_test(test_what_is_injected_is_exported_with_a_vote),
        cmocka_unit_test(test_a_traceparent_attribute_is_no_crossing),
        cmocka_unit_test(test_crossings_that_are_lost_are_counted),
        cmocka_unit_test(test_an_open_child_holds_its_flow),
        cmocka_unit_test(test_flows_are_decided_by_age),
        cmocka_unit_test(test_a_small_budget_keeps_to_it),
        cmocka_unit_test(test_shutdown_decides_what_waits),
        cmocka_unit_test(test_copies_of_open_spans_follow_their_flow),
        cmocka_unit_test(test_taps_and_live_spans_see_everything),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
