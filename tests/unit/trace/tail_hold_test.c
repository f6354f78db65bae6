/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows that wait though the process is in FTR_MODE_FULL, at the moments that threads do not show
 * at will: the functions of tail.h in the worker's order, with records written by hand. */
#include "base/mem.h"
#include "sampling/flow_buffer.h"
#include "sampling/threshold.h"
#include "trace/clock.h"
#include "trace/record.h"
#include "trace/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static size_t n_kept;
static bool is_slack;

static void keep(const struct ftri_record *record)
{
    (void)record;
    n_kept++;
}

static bool has_slack(void)
{
    return is_slack;
}

static const struct ftri_tail_exit to_exporters = {keep, has_slack};
static struct ftri_tail_settings settings;

static int begin(void **state)
{
    (void)state;
    settings = (struct ftri_tail_settings){
        .policy = {.threshold = ftri_threshold_of(0)},
        .max_age_ns = UINT64_C(60000000000),
        .budget_bytes = 16 << 20,
    };
    n_kept = 0;
    is_slack = true;
    ftri_tail_set_mode(FTR_MODE_FULL);
    ftri_tail_start(&settings, &to_exporters);
    ftri_tail_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    ftri_tail_set_holders(0);
    ftri_tail_stop();
    return 0;
}

static void decide_all(void)
{
    assert_true(ftri_tail_finish(true));
}

/* A span below another of the trace. */
static struct ftri_record span_of(uint8_t trace, uint8_t marks)
{
    return (struct ftri_record){
        .size = sizeof(struct ftri_record),
        .trace_flags = FTR_TRACE_FLAG_SAMPLED | marks,
        .bits = FTRI_RECORD_START_IS_WALL | FTRI_RECORD_END_IS_WALL,
        .trace_id = {{trace, 1}},
        .span_id = {{1}},
        .parent_id = {{2}},
        .start = 1000,
        .end = 2000,
    };
}

static void accept(uint8_t trace, uint8_t marks)
{
    _Alignas(16) const struct ftri_record record = span_of(trace, marks);
    ftri_tail_accept(&record);
    ftri_tail_settle();
}

static void note_crossing(uint8_t trace, uint8_t marks)
{
    _Alignas(16) struct ftri_record note = span_of(trace, marks);
    note.bits = FTRI_RECORD_CROSSES;
    ftri_tail_note(&note);
    ftri_tail_settle();
}

static bool shows_open(uint8_t trace, uint8_t marks)
{
    _Alignas(16) struct ftri_record record = span_of(trace, marks);
    record.bits |= FTRI_RECORD_IS_OPEN;
    return ftri_tail_shows_open(&record);
}

static void let_all_go(void)
{
    while (ftri_tail_end() != UINT64_MAX)
        ;
}

/* The node was switched after the pass had begun. */
static void test_the_first_flow_waits_though_the_pass_began_before(void **state)
{
    (void)state;
    accept(1, 0);
    assert_int_equal(n_kept, 1);
    ftri_tail_set_holders(1);
    accept(2, ftri_tail_marks());
    assert_int_equal(n_kept, 1);
    accept(3, ftri_tail_marks());
    accept(3, FTRI_TRACE_IS_KEPT); /* it comes to a node in full: all of it goes */
    accept(4, 0);                  /* of the process, which is in full */
    accept(5, FTRI_TRACE_IS_KEPT);
    decide_all();
    assert_int_equal(n_kept, 1 + 2 + 1 + 1);
}

/* Half of it was exported while nobody held anything back. */
static void test_a_flow_of_an_earlier_period_is_not_cut_in_two(void **state)
{
    (void)state;
    ftri_tail_set_holders(1);
    const uint8_t marks = ftri_tail_marks();
    ftri_tail_begin();
    accept(1, marks);
    assert_int_equal(n_kept, 0);
    ftri_tail_set_holders(0);
    ftri_tail_begin();
    accept(2, marks);
    assert_int_equal(n_kept, 1);
    let_all_go();
    assert_int_equal(n_kept, 2); /* what waited, too */
    ftri_tail_set_holders(2);
    ftri_tail_begin();
    accept(2, marks);
    accept(3, ftri_tail_marks());
    decide_all();
    assert_int_equal(n_kept, 3);
}

/* The same when both switches come within one pass, which has not let go yet. */
static void test_what_was_to_be_let_go_is_when_holding_begins_again(void **state)
{
    (void)state;
    ftri_tail_set_holders(1);
    const uint8_t marks = ftri_tail_marks();
    ftri_tail_begin();
    accept(1, marks);
    ftri_tail_set_holders(0);
    ftri_tail_begin();
    accept(1, marks);
    assert_int_equal(n_kept, 1);
    ftri_tail_set_holders(1);
    accept(2, ftri_tail_marks());
    assert_int_equal(n_kept, 2);
    accept(1, marks);
    decide_all();
    assert_int_equal(n_kept, 3);
}

/* From FTR_MODE_TAIL to FTR_MODE_FULL what waits is kept, also while a node goes on holding. */
static void test_what_waits_for_the_process_goes_when_that_is_in_full(void **state)
{
    (void)state;
    ftri_tail_set_mode(FTR_MODE_TAIL);
    ftri_tail_set_holders(1);
    ftri_tail_begin();
    accept(1, 0);
    accept(2, FTRI_TRACE_IS_KEPT);
    (void)ftri_tail_end();
    assert_int_equal(n_kept, 0);
    ftri_tail_set_mode(FTR_MODE_FULL);
    ftri_tail_begin();
    assert_int_equal(n_kept, 2);
    accept(3, ftri_tail_marks());
    decide_all();
    assert_int_equal(n_kept, 2);
}

/* The mode was switched when the journals had been read: what lies in them waits for the next pass,
 * and is decided in it although a third mode follows. */
static void test_what_a_pass_reads_after_the_switch_is_decided_too(void **state)
{
    (void)state;
    ftri_tail_set_mode(FTR_MODE_TAIL);
    ftri_tail_begin();
    ftri_tail_set_mode(FTR_MODE_OFF);
    (void)ftri_tail_end();
    ftri_tail_begin();
    accept(1, 0);
    (void)ftri_tail_end();
    ftri_tail_set_mode(FTR_MODE_FULL);
    ftri_tail_begin();
    decide_all();
    assert_int_equal(n_kept, 0);
}

/* The pass had begun when nothing was recorded yet; by now the process is in full. */
static void test_the_first_flow_waits_though_the_pass_began_in_off(void **state)
{
    (void)state;
    ftri_tail_set_mode(FTR_MODE_OFF);
    ftri_tail_begin();
    ftri_tail_set_mode(FTR_MODE_FULL);
    ftri_tail_set_holders(1);
    accept(1, ftri_tail_marks());
    accept(2, 0);
    decide_all();
    assert_int_equal(n_kept, 1);
}

/* One span had gone out in the pass before, with its parent open. */
static void test_what_was_begun_before_is_known_though_the_pass_began_before(void **state)
{
    (void)state;
    ftri_clock_start();
    accept(1, 0);
    assert_int_equal(n_kept, 1);
    ftri_tail_set_mode(FTR_MODE_OFF);
    ftri_tail_begin();
    ftri_tail_set_mode(FTR_MODE_TAIL);
    ftri_tail_set_holders(1);
    accept(2, ftri_tail_marks());
    _Alignas(16) struct ftri_record parent = span_of(1, 0);
    parent.bits = 0;
    parent.clock = ftri_clock_version();
    ftri_tail_accept(&parent);
    ftri_tail_settle();
    decide_all();
    assert_int_equal(n_kept, 2);
}

/* A context went to another process before the flow's first span ended. */
static void test_a_crossing_may_be_the_first_that_is_heard_of_a_flow(void **state)
{
    (void)state;
    ftri_tail_set_holders(1);
    note_crossing(1, ftri_tail_marks());
    accept(1, ftri_tail_marks());
    accept(2, ftri_tail_marks());
    decide_all();
    assert_int_equal(n_kept, 1);
}

/* The process is in full, and a node made others wait: what is open then still goes out. */
static void test_what_was_begun_in_full_is_kept_when_all_is_turned_off(void **state)
{
    (void)state;
    ftri_tail_set_holders(1);
    ftri_tail_begin();
    accept(1, ftri_tail_marks());
    (void)ftri_tail_end();
    ftri_tail_set_mode(FTR_MODE_OFF);
    ftri_tail_begin();
    accept(2, 0);
    accept(3, ftri_tail_marks());
    assert_true(shows_open(4, 0));
    (void)ftri_tail_end();
    decide_all();
    assert_int_equal(n_kept, 1);
}

static void test_of_a_dropped_flow_nothing_open_is_shown(void **state)
{
    (void)state;
    ftri_tail_set_mode(FTR_MODE_TAIL);
    ftri_tail_set_holders(1);
    ftri_tail_begin();
    accept(1, 0);
    decide_all();
    ftri_tail_set_mode(FTR_MODE_FULL);
    ftri_tail_begin();
    assert_false(shows_open(1, 0));
    assert_true(shows_open(2, 0));
    accept(1, 0);
    decide_all();
    assert_int_equal(n_kept, 0);
}

/* Somebody switches back and forth while it goes on. */
static void test_a_flow_of_any_earlier_period_is_not_cut_in_two(void **state)
{
    (void)state;
    ftri_tail_set_holders(1);
    const uint8_t marks = ftri_tail_marks();
    ftri_tail_begin();
    ftri_tail_set_holders(0);
    ftri_tail_begin();
    accept(1, marks);
    assert_int_equal(n_kept, 1);
    for (int i = 0; i < 5; i++) {
        ftri_tail_set_holders(1);
        ftri_tail_begin();
        ftri_tail_set_holders(0);
        ftri_tail_begin();
        let_all_go();
    }
    ftri_tail_set_holders(1);
    ftri_tail_begin();
    accept(1, marks);
    decide_all();
    assert_int_equal(n_kept, 2);
}

/* The node let go what waited, and then the process begins to hold spans back itself. */
static void test_what_a_node_let_go_is_whole_when_the_process_holds(void **state)
{
    (void)state;
    ftri_tail_set_holders(1);
    const uint8_t marks = ftri_tail_marks();
    ftri_tail_begin();
    ftri_tail_set_holders(0);
    ftri_tail_begin();
    accept(1, marks);
    assert_int_equal(n_kept, 1);
    accept(2, marks ^ FTRI_TRACE_NEXT_PERIOD); /* one of a period before goes on meanwhile */
    assert_int_equal(n_kept, 2);
    ftri_tail_set_mode(FTR_MODE_TAIL);
    ftri_tail_begin();
    accept(1, marks);
    decide_all();
    assert_int_equal(n_kept, 3);
}

/* The same when no pass has seen the node hold anything; and an open span was shown. */
static void test_what_went_out_between_two_passes_is_whole_too(void **state)
{
    (void)state;
    ftri_tail_set_holders(1);
    const uint8_t marks = ftri_tail_marks();
    ftri_tail_set_holders(0);
    assert_true(shows_open(1, marks));
    ftri_tail_set_mode(FTR_MODE_TAIL);
    ftri_tail_begin();
    accept(1, marks);
    decide_all();
    assert_int_equal(n_kept, 1);
}

/* Like a full budget: what has come of the flow so far decides about the rest. */
static void test_a_span_that_finds_no_memory_takes_its_flow_along(void **state)
{
    (void)state;
    enum { NAME = 32 << 10 };
    static _Alignas(16) uint8_t large[sizeof(struct ftri_record) + NAME];
    struct ftri_record *record = (struct ftri_record *)(void *)large;
    ftri_tail_set_holders(1);
    ftri_tail_begin();
    accept(1, ftri_tail_marks());
    *record = span_of(1, ftri_tail_marks());
    record->size = sizeof large;
    record->stream_len = record->name_len = NAME;
    ftri_mem_fail_at(1);
    ftri_tail_accept(record);
    ftri_tail_settle();
    assert_true(ftri_mem_requests() > 0);
    ftri_mem_fail_at(0);
    assert_int_equal(n_kept, 1);
    accept(1, ftri_tail_marks());
    decide_all();
    assert_int_equal(n_kept, 3);
    ftri_tail_accept(record); /* and those after it */
    ftri_tail_settle();
    assert_int_equal(n_kept, 4);
}

/* There is room for it in memory, and not at once in a queue. */
static void test_a_large_flow_goes_as_the_exporters_take_it(void **state)
{
    (void)state;
    enum { SPANS = FTRI_FLOW_SLICE + 1000 };
    settings.max_age_ns = 1;
    ftri_tail_set_holders(1);
    ftri_tail_begin();
    for (size_t i = 0; i + 1 < SPANS; i++)
        accept(1, ftri_tail_marks());
    accept(1, FTRI_TRACE_IS_KEPT);
    is_slack = false;
    assert_int_not_equal(ftri_tail_end(), UINT64_MAX);
    assert_int_equal(n_kept, 0);
    is_slack = true;
    assert_int_equal(ftri_tail_end(), 0);
    assert_int_equal(n_kept, FTRI_FLOW_SLICE);
    is_slack = false;
    const uint64_t again_ns = ftri_tail_end();
    assert_true(again_ns > 0 && again_ns < UINT64_MAX);
    assert_int_equal(n_kept, FTRI_FLOW_SLICE);
    is_slack = true;
    assert_int_equal(ftri_tail_end(), UINT64_MAX);
    assert_int_equal(n_kept, SPANS);
}

#define HELD(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HELD(test_the_first_flow_waits_though_the_pass_began_before),
        HELD(test_a_flow_of_an_earlier_period_is_not_cut_in_two),
        HELD(test_what_was_to_be_let_go_is_when_holding_begins_again),
        HELD(test_what_waits_for_the_process_goes_when_that_is_in_full),
        HELD(test_what_a_pass_reads_after_the_switch_is_decided_too),
        HELD(test_the_first_flow_waits_though_the_pass_began_in_off),
        HELD(test_what_was_begun_before_is_known_though_the_pass_began_before),
        HELD(test_a_crossing_may_be_the_first_that_is_heard_of_a_flow),
        HELD(test_what_was_begun_in_full_is_kept_when_all_is_turned_off),
        HELD(test_of_a_dropped_flow_nothing_open_is_shown),
        HELD(test_a_flow_of_any_earlier_period_is_not_cut_in_two),
        HELD(test_what_a_node_let_go_is_whole_when_the_process_holds),
        HELD(test_what_went_out_between_two_passes_is_whole_too),
        HELD(test_a_span_that_finds_no_memory_takes_its_flow_along),
        HELD(test_a_large_flow_goes_as_the_exporters_take_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
