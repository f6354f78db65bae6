/* SPDX-License-Identifier: Apache-2.0
 *
 * Modes that change while flows are being recorded: every flow comes out whole or not at all. */
#include "made_flows.h"

#include "base/time.h"

#include <stdio.h>

static void test_the_mode_is_what_was_set(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    start_tail(&tail);
    assert_int_equal(ftr_get_mode(), FTR_MODE_TAIL);
    ftr_set_mode(FTR_MODE_FULL);
    assert_int_equal(ftr_get_mode(), FTR_MODE_FULL);
    ftr_set_mode((ftr_mode)3);
    assert_int_equal(ftr_get_mode(), FTR_MODE_FULL);
    ftr_set_mode(FTR_MODE_OFF);
    assert_int_equal(ftr_get_mode(), FTR_MODE_OFF);
    plain_flow();
    ftr_set_mode(FTR_MODE_TAIL);
    assert_int_equal(ftr_get_mode(), FTR_MODE_TAIL);
    stop();
    assert_int_equal(counts().started, 0);
    assert_int_equal(ftr_get_mode(), FTR_MODE_OFF);
}

/* The clock stands, so nothing is decided but by the change. */
static void test_to_full_keeps_what_waits(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    ftri_time_fake(1000 * SECOND, 5000 * SECOND);
    start_tail(&tail);
    struct flow open = begin_flow(NULL);
    const ftr_trace_id open_id = open.context.span.trace_id;
    add_child("early");
    ftr_detach(open.attachment);
    const ftr_trace_id first = plain_flow();
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(counts().waiting, 4);
    ftr_set_mode(FTR_MODE_FULL);
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&first), 3);
    assert_int_equal(counts().tail_kept[FTR_TAIL_MODE], 2);
    assert_int_equal(counts().tail_by_order, 2);
    ftr_span_end(open.root);
    ftr_context_release(&open.context);
    const ftr_trace_id second = plain_flow();
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(n_exported_of(&second), 3);
    assert_int_equal(n_exported_of(&open_id), 2);
    stop();
    assert_accounts();
    ftri_time_real();
}

/* In FTR_MODE_FULL the rest of a dropped flow stays away, for as long as flows may wait. */
static void test_dropped_flows_stay_dropped_in_full(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    ftri_time_fake(1000 * SECOND, 5000 * SECOND);
    start_tail(&tail);
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id id = flow.context.span.trace_id;
    add_child("a");
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    ftri_time_fake(1060 * SECOND, 5060 * SECOND);
    wait_for_verdicts();
    assert_int_equal(counts().sampled_out, 1);
    ftr_set_mode(FTR_MODE_FULL);
    add_child("b");
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(counts().sampled_out, 2);
    ftri_time_fake(1120 * SECOND, 5120 * SECOND);
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    end_flow(&flow);
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(n_exported_of(&id), 1);
    stop();
    assert_accounts();
    ftri_time_real();
}

static void test_to_off_decides_what_waits(void **state)
{
    (void)state;
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    ftri_time_fake(1000 * SECOND, 5000 * SECOND);
    start_tail(&tail);
    plain_flow();
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id id = flow.context.span.trace_id;
    const ftr_span bad = ftr_span_start(FTR_STR("bad"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_status(bad, FTR_SPAN_ERROR, FTR_STR("no"));
    ftr_span_end(bad);
    ftr_detach(flow.attachment);
    struct flow silent = begin_flow(NULL);
    ftr_set_mode(FTR_MODE_OFF);
    wait_for_verdicts();
    assert_int_equal(counts().tail_by_order, 2);
    assert_int_equal(n_exported_of(&id), 1);
    assert_int_equal(counts().sampled_out, 3);
    end_flow(&silent); /* what still ends is decided as ever */
    ftr_span_end(flow.root);
    ftr_context_release(&flow.context);
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(counts().waiting, 1);
    assert_int_equal(n_exported_of(&id), 2);
    ftri_time_fake(1001 * SECOND, 5001 * SECOND);
    wait_for_verdicts();
    assert_int_equal(counts().sampled_out, 4);
    stop();
    assert_accounts();
    ftri_time_real();
}

static void test_flows_begun_in_full_are_kept_in_tail(void **state)
{
    (void)state;
    const ftr_tail_config tail = keep_nothing();
    ftr_config config = tail_config_of(&tail);
    config.mode = FTR_MODE_FULL;
    start(&config);
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id id = flow.context.span.trace_id;
    add_child("a");
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(n_exported_of(&id), 1);
    ftr_set_mode(FTR_MODE_TAIL);
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    add_child("b");
    const ftr_trace_id other = plain_flow();
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    ftr_set_mode(FTR_MODE_OFF); /* before the root has ended */
    wait_for_verdicts();
    assert_int_equal(n_exported_of(&id), 2);
    end_flow(&flow);
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(n_exported_of(&id), 3);
    assert_int_equal(n_exported_of(&other), 0);
    stop();
    assert_accounts();
}

/* Far more waits than the exporter's queue holds: it is let go as there is room. */
static void test_a_full_buffer_does_not_overrun_the_queue(void **state)
{
    (void)state;
    enum { FLOWS = 3000 };
    const ftr_tail_config tail = keep_nothing();
    for (int by_shutdown = 0; by_shutdown < 2; by_shutdown++) {
        ftri_time_fake(1000 * SECOND, 5000 * SECOND);
        ftr_config config = tail_config_of(&tail);
        config.queue_bytes = 32 * 1024;
        config.batch_bytes = 4 * 1024;
        config.batch_delay_ms = 1;
        start(&config);
        for (int i = 0; i < FLOWS; i++)
            plain_flow();
        assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
        assert_int_equal(counts().waiting + counts().lost_journal_full, 3 * FLOWS);
        ftr_set_mode(FTR_MODE_FULL);
        if (!by_shutdown)
            wait_for_verdicts();
        assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
        assert_accounts();
        assert_int_equal(counts().exporters[0].lost_queue_full, 0);
        assert_int_equal(counts().exporters[0].delivered, counts().recorded);
        ftr_memory_spans_unref(spans);
        ftri_time_real();
    }
}

/* ---- under load ---- */

enum { THREADS = 4, FLOWS = 4000, SWITCHES = 200 };

static _Atomic bool is_over;

/* A flow of up to 5 spans, of which those count that were really recorded. */
static void make_flow(size_t n)
{
    struct flow flow = begin_flow(NULL);
    uint32_t n_recorded = ftr_span_is_recording(flow.root);
    bool has_error = false;
    for (size_t i = 0; i < n % 5; i++) {
        const ftr_span child = ftr_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, NULL);
        n_recorded += ftr_span_is_recording(child);
        if (n % 7 == 0 && i == 1 && ftr_span_is_recording(child)) {
            ftr_span_set_status(child, FTR_SPAN_ERROR, FTR_STR(""));
            has_error = true;
        }
        if (n % 11 == 0)
            usleep(100);
        ftr_span_end(child);
    }
    const ftr_trace_id id = flow.context.span.trace_id;
    end_flow(&flow);
    note_made(&id, n_recorded, has_error);
}

static void *make_flows(void *argument)
{
    const size_t thread = (size_t)argument;
    for (size_t i = 0; i < FLOWS && !atomic_load(&is_over); i++) {
        make_flow(i * THREADS + thread);
        usleep(300);
    }
    return NULL;
}

/* Stays in FTR_MODE_TAIL until some flows have ended in it. */
static void wait_for_ends(void)
{
    const uint64_t before = counts().tail_by_end;
    ftr_set_mode(FTR_MODE_TAIL);
    for (int i = 0; i < 60000 && counts().tail_by_end < before + 20; i++)
        usleep(1000);
}

/* The order of modes is drawn from the seed. Without OFF each flow with an error is kept. */
static void switch_under_load(uint32_t seed, bool with_off)
{
    ftr_tail_config tail = keep_nothing();
    tail.keeps_errors = true;
    tail.share = 0.3;
    ftr_config config = tail_config_of(&tail);
    config.journal_bytes = (size_t)32 << 20;
    config.queue_bytes = (size_t)256 << 20;
    start(&config);
    atomic_store(&is_over, false);
    atomic_store(&n_made, 0);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_flows, (void *)i), 0);
    for (int i = 0; i < SWITCHES; i++) {
        seed = seed * 1103515245 + 12345;
        const uint32_t draw = seed >> 16;
        const ftr_mode on = draw % 2 ? FTR_MODE_TAIL : FTR_MODE_FULL;
        ftr_set_mode(with_off && draw % 4 == 0 ? FTR_MODE_OFF : on);
        usleep(draw % 3000);
        if (i % 64 == 0)
            wait_for_ends();
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
    wait_for_verdicts();
    assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
    assert_accounts();
    assert_int_equal(counts().lost_journal_full, 0);
    assert_int_equal(counts().exporters[0].lost_queue_full, 0);
    const size_t n = atomic_load(&n_made);
    const size_t n_kept = count_whole();
    for (size_t i = 0; i < n; i++)
        assert_true(made[i].n_exported > 0 || with_off || !made[i].has_error);
    assert_true(n > 100 && n_kept > 0 && n_kept < n);
    ftr_memory_spans_unref(spans);
}

static void test_modes_change_under_load(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 2; seed++)
        switch_under_load(seed, false);
}

static void test_modes_change_under_load_off_included(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 2; seed++)
        switch_under_load(seed, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_mode_is_what_was_set),
        cmocka_unit_test(test_to_full_keeps_what_waits),
        cmocka_unit_test(test_dropped_flows_stay_dropped_in_full),
        cmocka_unit_test(test_to_off_decides_what_waits),
        cmocka_unit_test(test_flows_begun_in_full_are_kept_in_tail),
        cmocka_unit_test(test_a_full_buffer_does_not_overrun_the_queue),
        cmocka_unit_test(test_modes_change_under_load),
        cmocka_unit_test(test_modes_change_under_load_off_included),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
