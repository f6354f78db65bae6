/* SPDX-License-Identifier: Apache-2.0
 *
 * Pipelines of one process in modes of their own: ftr_node_set_mode. What each mode exports is told
 * in tail.h and tracing.h; the flows are counted by hand. */
#include "made_flows.h"

#include <flowtrace/flow.h>

#include <pthread.h>

static const ftr_mode off = FTR_MODE_OFF, full = FTR_MODE_FULL, tail_mode = FTR_MODE_TAIL;

/* Two nodes, the second below the first. */
struct pipeline {
    ftr_node *first, *second;
};

static ftr_node *node_of(const char *pipeline, const char *id)
{
    const ftr_node_options options = {.size = sizeof options,
                                      .id = ftr_str_from(id),
                                      .type = FTR_STR("processor/x"),
                                      .kind = FTR_NODE_PROCESSOR,
                                      .pipeline = ftr_str_from(pipeline)};
    return ftr_node_new(&options);
}

static struct pipeline pipeline_of(const char *name)
{
    return (struct pipeline){node_of(name, "first"), node_of(name, "second")};
}

static void set_mode(const struct pipeline *self, const ftr_mode *mode)
{
    ftr_node_set_mode(self->first, mode);
    ftr_node_set_mode(self->second, mode);
}

static void free_pipeline(struct pipeline *self)
{
    ftr_node_free(self->first);
    ftr_node_free(self->second);
}

static ftr_trace_id trace_of(const ftr_visit *visit)
{
    ftr_context context = ftr_span_context_of(ftr_visit_span(visit));
    const ftr_trace_id id = context.span.trace_id;
    ftr_context_release(&context);
    return id;
}

enum fault { NONE, DROPS, FAILS };

/* A flow through both nodes with a span of the program's below the second. Returns its trace; none:
 * nothing was recorded. */
static ftr_trace_id run_flow(const struct pipeline *self, enum fault fault)
{
    ftr_visit first, second;
    ftr_hop hop;
    ftr_visit_start(&first, self->first, NULL, 0, NULL);
    ftr_visit_emit(&first, FTR_STR("out"), 1, 1, &hop);
    const ftr_trace_id id = hop.context.span.trace_id;
    ftr_visit_start(&second, self->second, &hop, 1, NULL);
    ftr_context context = ftr_span_context_of(ftr_visit_span(&second));
    if (ftr_trace_id_is_valid(&context.span.trace_id))
        ftr_span_end(ftr_span_start(FTR_STR("own"), FTR_KIND_INTERNAL, &context));
    ftr_context_release(&context);
    ftr_hop_release(&hop);
    if (fault == DROPS)
        ftr_visit_drop(&second, FTR_DROP_LATE, 1);
    ftr_visit_end(&second, fault == FAILS ? FTR_OUTCOME_FAILURE : FTR_OUTCOME_SUCCESS, FTR_STR(""));
    ftr_visit_end(&first, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    return id;
}

static void start_in(ftr_mode mode, const ftr_tail_config *tail)
{
    ftr_config config = tail_config_of(tail);
    config.mode = mode;
    start(&config);
}

static ftr_tail_config faults_only(void)
{
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = tail.keeps_drops = true;
    return tail;
}

/* The same whatever the process is in. */
static void check_side_by_side(ftr_mode mode)
{
    const ftr_tail_config tail = faults_only();
    struct pipeline a = pipeline_of("a"), b = pipeline_of("b"), c = pipeline_of("c");
    start_in(mode, &tail);
    set_mode(&a, &full);
    set_mode(&b, &tail_mode);
    set_mode(&c, &off);
    const ftr_trace_id in_full = run_flow(&a, NONE);
    const ftr_trace_id in_tail = run_flow(&b, NONE);
    const ftr_trace_id in_off = run_flow(&c, NONE);
    const ftr_trace_id drops = run_flow(&b, DROPS);
    const ftr_trace_id fails = run_flow(&b, FAILS);
    (void)run_flow(&c, FAILS);
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&in_full), 3);
    assert_int_equal(n_exported_of(&in_tail), 0);
    assert_int_equal(n_exported_of(&drops), 3);
    assert_int_equal(n_exported_of(&fails), 3);
    assert_false(ftr_trace_id_is_valid(&in_off));
    assert_int_equal(counts().recorded, 12);
    assert_int_equal(counts().sampled_out, 3);
    assert_int_equal(counts().tail_dropped, 1);
    free_pipeline(&a);
    free_pipeline(&b);
    free_pipeline(&c);
    stop();
    assert_accounts();
}

static void test_three_pipelines_in_three_modes(void **state)
{
    (void)state;
    check_side_by_side(FTR_MODE_FULL);
    check_side_by_side(FTR_MODE_TAIL);
}

/* 2 s are slow, 1 s is not: by the times that the spans say. */
static void test_slow_flows_are_kept(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.latency_ns = 2 * SECOND;
    struct pipeline a = pipeline_of("a");
    start_in(FTR_MODE_FULL, &tail);
    set_mode(&a, &tail_mode);
    ftr_trace_id ids[2];
    for (uint64_t i = 0; i < 2; i++) {
        ftr_visit visit;
        ftr_visit_start(&visit, a.first, NULL, 0, NULL);
        ftr_context context = ftr_span_context_of(ftr_visit_span(&visit));
        ids[i] = context.span.trace_id;
        const ftr_span_options options = {.size = sizeof options,
                                          .name = FTR_STR("own"),
                                          .parent = &context,
                                          .start_time_ns = 1000 * SECOND};
        const ftr_span own = ftr_span_start_with(&options);
        ftr_span_end_at(own, (1001 + i) * SECOND);
        ftr_context_release(&context);
        ftr_span_set_start_time(ftr_visit_span(&visit), 1000 * SECOND);
        ftr_span_end_at(ftr_visit_span(&visit), (1001 + i) * SECOND);
    }
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&ids[0]), 0);
    assert_int_equal(n_exported_of(&ids[1]), 2);
    free_pipeline(&a);
    stop();
}

/* What begins in tail waits, also when the worker first hears of tail while it is open. */
static void test_a_flow_open_when_the_worker_looks_waits(void **state)
{
    (void)state;
    const ftr_tail_config tail = faults_only();
    struct pipeline a = pipeline_of("a");
    start_in(FTR_MODE_FULL, &tail);
    for (int round = 0; round < 3; round++) {
        set_mode(&a, &full);
        const ftr_trace_id before = run_flow(&a, NONE);
        ftr_visit open_before, open_after;
        ftr_visit_start(&open_before, a.first, NULL, 0, NULL);
        set_mode(&a, &tail_mode);
        ftr_visit_start(&open_after, a.first, NULL, 0, NULL);
        const ftr_trace_id ids[] = {trace_of(&open_before), trace_of(&open_after)};
        assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
        ftr_visit_end(&open_before, FTR_OUTCOME_SUCCESS, FTR_STR(""));
        ftr_visit_end(&open_after, FTR_OUTCOME_SUCCESS, FTR_STR(""));
        wait_for_verdicts();
        assert_int_equal(n_exported_of(&before), 3);
        assert_int_equal(n_exported_of(&ids[0]), 1);
        assert_int_equal(n_exported_of(&ids[1]), 0);
    }
    free_pipeline(&a);
    stop();
    assert_accounts();
}

/* From the first flow on, though the worker has not looked yet; and back. */
static void test_switching_while_running(void **state)
{
    (void)state;
    enum { ROUNDS = 40, FLOWS = 5 };
    const ftr_tail_config tail = faults_only();
    struct pipeline a = pipeline_of("a"), b = pipeline_of("b");
    start_in(FTR_MODE_FULL, &tail);
    uint64_t n_recorded = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const ftr_mode *const modes[] = {&tail_mode, &full, &off, NULL};
        set_mode(&a, modes[round % 4]);
        for (int i = 0; i < FLOWS; i++) {
            const ftr_trace_id good = run_flow(&a, NONE);
            const ftr_trace_id bad = run_flow(&a, FAILS);
            const ftr_trace_id other = run_flow(&b, NONE);
            const bool is_off = round % 4 == 2;
            n_recorded += is_off ? 3 : 9;
            assert_int_equal(ftr_trace_id_is_valid(&good), !is_off);
            if (i + 1 < FLOWS)
                continue;
            assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
            for (int k = 0; k < 60000 && counts().waiting > 0; k++)
                usleep(1000);
            assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
            assert_int_equal(n_exported_of(&other), 3);
            if (is_off)
                continue;
            assert_int_equal(n_exported_of(&bad), 3);
            assert_int_equal(n_exported_of(&good), round % 4 == 0 ? 0 : 3);
        }
    }
    assert_int_equal(counts().recorded, n_recorded);
    assert_accounts();
    free_pipeline(&a);
    free_pipeline(&b);
    stop();
    assert_accounts();
}

/* At any moment, nobody waiting for anything: each flow is exported whole or not at all, those that
 * fail whole, and each span is accounted for. */
static void test_switching_at_any_moment_keeps_flows_whole(void **state)
{
    (void)state;
    enum { FLOWS = 12000 };
    ftr_tail_config tail = faults_only();
    tail.budget_bytes = 64 << 10; /* so that verdicts come while it runs */
    const ftr_mode *const modes[] = {&tail_mode, &full, NULL, &tail_mode};
    static ftr_trace_id ids[FLOWS];
    static size_t n_exported[FLOWS];
    struct pipeline a = pipeline_of("a");
    start_in(FTR_MODE_FULL, &tail);
    uint64_t seed = 3;
    for (size_t i = 0; i < FLOWS; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        if ((seed >> 55) == 0)
            set_mode(&a, modes[seed >> 52 & 3]);
        ids[i] = run_flow(&a, i % 3 ? NONE : FAILS);
        if ((seed >> 50 & 63) == 0)
            usleep(1500); /* the worker's turn */
    }
    wait_for_verdicts();
    ftr_span_data span;
    for (size_t at = 0, i = 0; ftr_memory_spans_get(spans, at, &span); at++) {
        /* Exporters get them roughly in the order in which they were made. */
        for (size_t n = 0; n < FLOWS && memcmp(&ids[i], &span.context.trace_id, 16) != 0; n++)
            i = (i + 1) % FLOWS;
        n_exported[i]++;
    }
    size_t n_whole = 0;
    for (size_t i = 0; i < FLOWS; i++) {
        if (n_exported[i] != 3 && (n_exported[i] != 0 || i % 3 == 0))
            fail_msg("flow %zu: %zu of 3 spans", i, n_exported[i]);
        n_whole += n_exported[i] == 3;
    }
    assert_in_range(n_whole, FLOWS / 3 + 1, FLOWS - 1);
    assert_int_equal(counts().recorded, 3 * FLOWS);
    free_pipeline(&a);
    stop();
    assert_accounts();
}

/* ---- the process and its nodes, all at once ---- */

enum { THREADS = 16, FLOWS = 2000, SWITCHES = 800, SEEDS = 3 };

static _Atomic bool is_over;
static struct pipeline switched;

static uint32_t count_visit(const ftr_visit *visit)
{
    return ftr_span_is_recording(ftr_visit_span(visit));
}

/* Of up to three spans those count that were really recorded. One is open from the first start to
 * the last end. */
static void make_node_flow(size_t n)
{
    ftr_visit first, second;
    ftr_hop hop;
    ftr_visit_start(&first, switched.first, NULL, 0, NULL);
    uint32_t n_recorded = count_visit(&first);
    ftr_visit_emit(&first, FTR_STR("out"), 1, 1, &hop);
    const ftr_trace_id id = hop.context.span.trace_id;
    usleep(n % 5 * 500);
    ftr_visit_start(&second, switched.second, &hop, 1, NULL);
    n_recorded += count_visit(&second);
    ftr_context context = ftr_span_context_of(ftr_visit_span(&second));
    if (ftr_trace_id_is_valid(&context.span.trace_id)) {
        const ftr_span own = ftr_span_start(FTR_STR("own"), FTR_KIND_INTERNAL, &context);
        n_recorded += ftr_span_is_recording(own);
        ftr_span_end(own);
        usleep(n % 3 * 500);
    }
    ftr_context_release(&context);
    ftr_hop_release(&hop);
    ftr_visit_end(&second, n % 7 ? FTR_OUTCOME_SUCCESS : FTR_OUTCOME_FAILURE, FTR_STR(""));
    ftr_visit_end(&first, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    note_made(&id, n_recorded, false);
}

/* The same without nodes. */
static void make_plain_flow(size_t n)
{
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id id = flow.context.span.trace_id;
    uint32_t n_recorded = ftr_span_is_recording(flow.root);
    for (size_t i = 0; i < 2; i++) {
        const ftr_span child = ftr_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, NULL);
        n_recorded += ftr_span_is_recording(child);
        ftr_span_end(child);
        usleep(n % 5 * 300);
    }
    end_flow(&flow);
    note_made(&id, n_recorded, false);
}

static void *make_flows(void *argument)
{
    const size_t thread = (size_t)argument;
    for (size_t i = 0; i < FLOWS && !atomic_load(&is_over); i++) {
        (thread % 4 ? make_node_flow : make_plain_flow)(i * THREADS + thread);
    }
    return NULL;
}

static void switch_all(uint32_t seed)
{
    const ftr_mode *const modes[] = {&tail_mode, &full, NULL, &tail_mode};
    const ftr_mode process[] = {FTR_MODE_TAIL, FTR_MODE_FULL, FTR_MODE_FULL, FTR_MODE_OFF};
    ftr_tail_config tail = faults_only();
    ftr_config config = tail_config_of(&tail);
    config.mode = FTR_MODE_FULL;
    config.journal_bytes = (size_t)32 << 20;
    config.queue_bytes = (size_t)256 << 20;
    switched = pipeline_of("switched");
    start(&config);
    atomic_store(&is_over, false);
    atomic_store(&n_made, 0);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_flows, (void *)i), 0);
    for (int i = 0; i < SWITCHES; i++) {
        seed = seed * 1103515245 + 12345;
        const uint32_t draw = seed >> 16;
        if (draw & 1)
            ftr_set_mode(process[draw >> 1 & 3]);
        else
            set_mode(&switched, modes[draw >> 1 & 3]);
        usleep(draw >> 4 & 1 ? 0 : draw % 2000);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ftr_set_mode(FTR_MODE_FULL);
    wait_for_verdicts();
    free_pipeline(&switched);
    assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
    assert_accounts();
    assert_int_equal(counts().lost_journal_full, 0);
    assert_int_equal(counts().exporters[0].lost_queue_full, 0);
    const size_t n = atomic_load(&n_made);
    const size_t n_kept = count_whole();
    assert_true(n > 100 && n_kept > 0 && n_kept < n);
    ftr_memory_spans_unref(spans);
}

static void test_the_process_and_its_nodes_switch_at_any_moment(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        switch_all(seed);
}

/* A flow that comes from a pipeline in tail to one in full is exported whole; the other way round,
 * too, as it had begun in full. */
static void test_a_flow_through_two_pipelines_is_whole(void **state)
{
    (void)state;
    const ftr_tail_config tail = faults_only();
    struct pipeline a = pipeline_of("a"), b = pipeline_of("b"), c = pipeline_of("c");
    start_in(FTR_MODE_FULL, &tail);
    set_mode(&a, &tail_mode);
    set_mode(&b, &full);
    set_mode(&c, &off);
    const struct pipeline up = {a.first, b.second}, down = {b.first, a.second},
                          out = {a.first, c.second}, in = {c.first, a.second};
    const ftr_trace_id tail_to_full = run_flow(&up, NONE);
    const ftr_trace_id full_to_tail = run_flow(&down, NONE);
    const ftr_trace_id tail_to_off = run_flow(&out, DROPS);
    const ftr_trace_id off_to_tail = run_flow(&in, DROPS);
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&tail_to_full), 3);
    assert_int_equal(n_exported_of(&full_to_tail), 3);
    assert_int_equal(n_exported_of(&tail_to_off), 0); /* the drop was not recorded */
    assert_false(ftr_trace_id_is_valid(&off_to_tail));
    assert_int_equal(counts().recorded, 3 + 3 + 2 + 2);
    free_pipeline(&a);
    free_pipeline(&b);
    free_pipeline(&c);
    stop();
}

/* The context goes through as it came: a pipeline above and one below see one trace. */
static void test_a_pipeline_that_is_off_passes_contexts_on(void **state)
{
    (void)state;
    struct pipeline a = pipeline_of("a"), c = pipeline_of("c");
    const ftr_tail_config tail = faults_only();
    start_in(FTR_MODE_FULL, &tail);
    set_mode(&c, &off);
    ftr_visit above, between, below;
    ftr_hop hop, next;
    ftr_visit_start(&above, a.first, NULL, 0, NULL);
    ftr_visit_emit(&above, FTR_STR("out"), 1, 1, &hop);
    ftr_visit_start(&between, c.first, &hop, 1, NULL);
    ftr_visit_add_input(&between, &hop);
    ftr_visit_emit(&between, FTR_STR("out"), 1, 1, &next);
    assert_memory_equal(&next.context.span, &hop.context.span, sizeof hop.context.span);
    ftr_visit_start(&below, a.second, &next, 1, NULL);
    ftr_visit_end(&below, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    ftr_visit_end(&between, FTR_OUTCOME_FAILURE, FTR_STR("no"));
    ftr_visit_start(&between, c.first, NULL, 0, NULL); /* a source, or so it seems */
    ftr_visit_add_input(&between, &hop);
    assert_false(ftr_span_is_recording(ftr_visit_span(&between)));
    ftr_visit_end(&between, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    ftr_visit_end(&above, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    const ftr_trace_id id = hop.context.span.trace_id;
    ftr_hop_release(&hop);
    ftr_hop_release(&next);
    assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
    assert_int_equal(n_exported_of(&id), 2);
    assert_int_equal(counts().stale, 0);
    free_pipeline(&a);
    free_pipeline(&c);
    stop();
    assert_accounts();
}

/* Whatever samplers and modes say. */
static void test_actions_are_always_recorded(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    ftr_config config = tail_config_of(&tail);
    config.sampler = FTR_STR("always_off");
    start(&config);
    struct pipeline a = pipeline_of("a");
    set_mode(&a, &tail_mode);
    ftr_control whole, part;
    ftr_visit visit;
    ftr_visit_start(&visit, a.first, NULL, 0, NULL);
    ftr_control_start(&whole, &(ftr_control_options){.size = sizeof(ftr_control_options),
                                                     .name = FTR_STR("control/x"),
                                                     .pipeline = FTR_STR("a")});
    ftr_control_start(&part, &(ftr_control_options){.size = sizeof(ftr_control_options),
                                                    .name = FTR_STR("control/x"),
                                                    .node = a.first,
                                                    .whole = &whole});
    ftr_control_touch(&part, &visit);
    ftr_control_end(&part, FTR_OUTCOME_FAILURE, FTR_STR("why"));
    ftr_control_end(&whole, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    ftr_control_end(&whole, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    wait_for_verdicts();
    assert_int_equal(ftr_memory_spans_count(spans), 2);
    free_pipeline(&a);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_pipelines_in_three_modes),
        cmocka_unit_test(test_slow_flows_are_kept),
        cmocka_unit_test(test_a_flow_open_when_the_worker_looks_waits),
        cmocka_unit_test(test_switching_while_running),
        cmocka_unit_test(test_switching_at_any_moment_keeps_flows_whole),
        cmocka_unit_test(test_the_process_and_its_nodes_switch_at_any_moment),
        cmocka_unit_test(test_a_flow_through_two_pipelines_is_whole),
        cmocka_unit_test(test_a_pipeline_that_is_off_passes_contexts_on),
        cmocka_unit_test(test_actions_are_always_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
