/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows in pages: by hand, and with random calls beside a model that keeps lists. */
#include "sampling/flow_buffer.h"

#include "base/mem.h"
#include "sampling/threshold.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { QUIET = 100, AGE = 60000, LONG = 5000, MIB = 1 << 20 };
enum { TRACES = 100, SPANS_MOST = 4000, LEN_MOST = 3000 };

#define ERROR FTRI_REASON(FTR_TAIL_ERROR)
#define CROSSED FTRI_REASON(FTR_TAIL_CROSSED)
#define MODE FTRI_REASON(FTR_TAIL_MODE)

/* What came out, in order. The bytes of a span are its trace, its number, and filling that both
 * determine. */
struct released {
    uint32_t trace;
    uint32_t number;
    struct ftri_flow_fate fate;
};

static struct released released[1 << 20];
static size_t n_released;
static struct ftri_flow_counts counts;
static struct ftri_flow_buffer buffer;

static void fill(uint8_t *bytes, size_t len, uint32_t trace, uint32_t number)
{
    memcpy(bytes, &trace, 4);
    memcpy(bytes + 4, &number, 4);
    for (size_t i = 8; i < len; i++)
        bytes[i] = (uint8_t)(trace * 31 + number * 7 + i);
}

static ftr_trace_id id_of(uint32_t trace)
{
    ftr_trace_id id = {{0xab}};
    memcpy(id.bytes + 4, &trace, 4);
    return id;
}

static void release(void *argument, const struct ftri_flow_fate *fate, const ftr_trace_id *trace_id,
                    struct ftri_view bytes)
{
    static uint8_t expected[LEN_MOST];
    assert_ptr_equal(argument, &counts);
    assert_true(bytes.len >= 8 && bytes.len <= LEN_MOST);
    struct released *r = &released[n_released++];
    memcpy(&r->trace, bytes.data, 4);
    const ftr_trace_id id = id_of(r->trace);
    assert_memory_equal(trace_id, &id, sizeof id);
    memcpy(&r->number, bytes.data + 4, 4);
    r->fate = *fate;
    fill(expected, bytes.len, r->trace, r->number);
    assert_memory_equal(bytes.data, expected, bytes.len);
}

static struct ftri_flow_settings settings_of(size_t budget_bytes)
{
    return (struct ftri_flow_settings){
        .policy = {.keeps_errors = true, .latency_ns = LONG, .threshold = FTRI_THRESHOLD_NEVER},
        .quiet_ns = QUIET,
        .max_age_ns = AGE,
        .budget_bytes = budget_bytes,
        .release = release,
        .argument = &counts,
    };
}

static int make(size_t budget_bytes)
{
    const struct ftri_flow_settings settings = settings_of(budget_bytes);
    memset(&counts, 0, sizeof counts);
    n_released = 0;
    return ftri_flow_buffer_init(&buffer, &settings, &counts);
}

static bool add_span(struct ftri_flow_span span, uint32_t trace, uint32_t number, size_t len,
                     uint64_t now_ns, struct ftri_flow_fate *ret_fate)
{
    static uint8_t bytes[LEN_MOST];
    span.trace_id = id_of(trace);
    fill(bytes, len, trace, number);
    return ftri_flow_buffer_add(&buffer, &span, ftri_view_of(bytes, len), now_ns, ret_fate);
}

static const struct ftri_flow_span child = {.start_ns = 10, .end_ns = 20};
static const struct ftri_flow_span root = {.start_ns = 5, .end_ns = 30, .is_root = true};
static const struct ftri_flow_span failed = {.start_ns = 10, .end_ns = 20, .is_error = true};

/* It waits. */
static void add(struct ftri_flow_span span, uint32_t trace, uint32_t number, uint64_t now_ns)
{
    struct ftri_flow_fate fate;
    assert_true(add_span(span, trace, number, 100, now_ns, &fate));
}

/* It is too late. */
static struct ftri_flow_fate add_late(struct ftri_flow_span span, uint32_t trace, uint32_t number,
                                      uint64_t now_ns)
{
    struct ftri_flow_fate fate;
    assert_false(add_span(span, trace, number, 100, now_ns, &fate));
    return fate;
}

static void look_and_decide(uint64_t now_ns)
{
    ftri_flow_buffer_look(&buffer);
    ftri_flow_buffer_decide_quiet(&buffer, now_ns);
}

static void test_a_flow_is_decided_when_its_root_ended_and_it_was_quiet(void **state)
{
    (void)state;
    assert_int_equal(make(MIB), 0);
    assert_int_equal(ftri_flow_buffer_quiet_at(&buffer), UINT64_MAX);
    assert_int_equal(ftri_flow_buffer_old_at(&buffer), UINT64_MAX);
    add(failed, 1, 0, 1000);
    assert_int_equal(ftri_flow_buffer_quiet_at(&buffer), UINT64_MAX);
    assert_int_equal(ftri_flow_buffer_old_at(&buffer), 1000 + AGE);
    look_and_decide(1000 + AGE - 1);
    assert_int_equal(n_released, 0);
    add(root, 1, 1, 2000);
    add(child, 1, 2, 2050);
    assert_int_equal(ftri_flow_buffer_quiet_at(&buffer), 2150);
    look_and_decide(2149);
    assert_int_equal(n_released, 0);
    assert_int_equal(counts.n_waiting, 3);
    look_and_decide(2150);
    assert_int_equal(n_released, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(released[i].trace, 1);
        assert_int_equal(released[i].number, i);
        assert_true(released[i].fate.is_kept && !released[i].fate.is_cut);
        assert_int_equal(released[i].fate.reason, FTR_TAIL_ERROR);
    }
    assert_int_equal(counts.n_waiting, 0);
    assert_int_equal(counts.n_flows_kept[FTR_TAIL_ERROR], 1);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_ENDED], 1);
    assert_true(ftri_flow_buffer_is_empty(&buffer));
    ftri_flow_buffer_deinit(&buffer);
}

static void test_an_open_span_holds_its_flow_until_it_is_old(void **state)
{
    (void)state;
    assert_int_equal(make(MIB), 0);
    add(root, 1, 0, 1000);
    add(root, 2, 0, 1000);
    const ftr_trace_id first = id_of(1);
    const ftr_trace_id unknown = id_of(3);
    for (uint64_t now = 1100; now < 1000 + AGE; now += 1000) {
        ftri_flow_buffer_look(&buffer);
        ftri_flow_buffer_see_open(&buffer, &first);
        ftri_flow_buffer_see_open(&buffer, &unknown);
        ftri_flow_buffer_decide_quiet(&buffer, now);
        ftri_flow_buffer_decide_old(&buffer, now);
        assert_int_equal(counts.n_waiting, 1);
        assert_int_equal(ftri_flow_buffer_quiet_at(&buffer), now + QUIET);
    }
    ftri_flow_buffer_decide_old(&buffer, 1000 + AGE - 1);
    assert_int_equal(counts.n_waiting, 1);
    ftri_flow_buffer_decide_old(&buffer, 1000 + AGE);
    assert_int_equal(counts.n_waiting, 0);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_ENDED], 1);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_AGED], 1);
    assert_int_equal(counts.n_flows_dropped, 2);
    assert_int_equal(counts.n_dropped, 2);
    assert_int_equal(n_released, 0);
    ftri_flow_buffer_deinit(&buffer);
}

static void test_late_spans_follow_the_verdict(void **state)
{
    (void)state;
    assert_int_equal(make(MIB), 0);
    add(root, 1, 0, 0);
    add(root, 2, 0, 0);
    add(failed, 2, 1, 0);
    look_and_decide(QUIET);
    assert_false(add_late(child, 1, 1, 200).is_kept);
    assert_int_equal(counts.n_missed, 0);
    assert_false(add_late(failed, 1, 2, 200).is_kept);
    assert_int_equal(counts.n_missed, 1);
    const struct ftri_flow_fate fate = add_late(child, 2, 2, 200);
    assert_true(fate.is_kept && !fate.has_crossed);
    assert_int_equal(fate.reason, FTR_TAIL_ERROR);
    assert_int_equal(counts.n_late, 3);
    assert_int_equal(counts.n_dropped, 3); /* all of the first flow */
    assert_int_equal(counts.n_waiting, 0);
    assert_int_equal(counts.n_flows_dropped, 1);
    struct ftri_flow_fate recalled;
    assert_true(ftri_flow_buffer_recall(&buffer, &(ftr_trace_id){{0xab, [4] = 2}}, &recalled));
    assert_true(recalled.is_kept);
    assert_false(ftri_flow_buffer_recall(&buffer, &(ftr_trace_id){{0xab, [4] = 3}}, &recalled));
    ftri_flow_buffer_deinit(&buffer);
}

static void test_crossings(void **state)
{
    (void)state;
    assert_int_equal(make(MIB), 0);
    const ftr_trace_id id = id_of(1);
    ftri_flow_buffer_note(&buffer, &id, FTR_TAIL_CROSSED, 0); /* before any span has ended */
    add(root, 1, 0, 10);
    look_and_decide(200);
    assert_int_equal(n_released, 1);
    assert_true(released[0].fate.is_kept && released[0].fate.has_crossed);
    assert_int_equal(released[0].fate.reason, FTR_TAIL_CROSSED);
    assert_int_equal(counts.n_flows_kept[FTR_TAIL_CROSSED], 1);
    add(root, 2, 0, 10);
    look_and_decide(200);
    const ftr_trace_id second = id_of(2); /* dropped already */
    ftri_flow_buffer_note(&buffer, &second, FTR_TAIL_CROSSED, 300);
    assert_int_equal(counts.n_missed, 1);
    const struct ftri_flow_fate fate = add_late(child, 2, 1, 300);
    assert_true(!fate.is_kept && fate.has_crossed);
    struct ftri_flow_span below_remote = failed;
    below_remote.reasons = CROSSED;
    add(failed, 4, 0, 10);
    ftri_flow_buffer_decide_oldest(&buffer, 0);
    assert_false(add_late(child, 4, 1, 20).has_crossed);
    assert_true(add_late(below_remote, 4, 2, 20).has_crossed);
    assert_true(add_late(child, 4, 3, 20).has_crossed);
    const ftr_trace_id third = id_of(3); /* a flow without spans is none */
    ftri_flow_buffer_note(&buffer, &third, FTR_TAIL_CROSSED, 300);
    ftri_flow_buffer_decide_old(&buffer, 300 + AGE);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_AGED], 0);
    assert_true(ftri_flow_buffer_is_empty(&buffer));
    ftri_flow_buffer_deinit(&buffer);
}

/* Two short spans that are far apart make a long flow. */
static void test_the_latency_of_a_flow(void **state)
{
    (void)state;
    assert_int_equal(make(MIB), 0);
    struct ftri_flow_span late = child;
    late.start_ns = root.start_ns + LONG - 20;
    late.end_ns = root.start_ns + LONG - 1;
    add(root, 1, 0, 0);
    add(late, 1, 1, 0);
    late.end_ns++;
    add(late, 2, 0, 0);
    add(root, 2, 1, 0);
    look_and_decide(QUIET);
    assert_int_equal(counts.n_flows_dropped, 1);
    assert_int_equal(counts.n_flows_kept[FTR_TAIL_LATENCY], 1);
    assert_int_equal(n_released, 2);
    assert_int_equal(released[0].trace, 2);
    ftri_flow_buffer_deinit(&buffer);
}

static void assert_within(size_t budget_bytes)
{
    const size_t pages = (size_t)buffer.pool.n_slabs << FTRI_SLAB_SHIFT;
    const size_t n_pages = pages < buffer.pool.n_most ? pages : buffer.pool.n_most;
    const size_t index = buffer.index.n_slots * sizeof(uint64_t);
    assert_true(n_pages * FTRI_PAGE_SIZE + index + index / 2 + buffer.verdicts.n_lines * 64 <=
                budget_bytes);
}

/* One flow, a million spans: an eighth of the budget waits, then it is decided, and the rest goes
 * where that went. Another flow that came before stays. */
static void a_huge_flow(struct ftri_flow_span first, bool is_kept)
{
    enum { N = 1000000 };
    struct ftri_flow_fate fate;
    assert_int_equal(make(MIB), 0);
    add(child, 1, 0, 0);
    size_t n_kept = 0;
    for (uint32_t i = 0; i < N; i++)
        if (!add_span(i == 0 ? first : child, 2, i, 200, 1, &fate))
            n_kept += fate.is_kept;
    assert_int_equal(counts.n_waiting, 1);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_SQUEEZED], 1);
    assert_int_equal(n_kept + n_released, is_kept ? N : 0);
    assert_int_equal(counts.n_dropped, is_kept ? 0 : N);
    assert_in_range(N - counts.n_late, MIB / 8 / 256 / 2, MIB / 8 / 200);
    assert_within(MIB);
    ftri_flow_buffer_decide_old(&buffer, AGE);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_AGED], 1);
    ftri_flow_buffer_deinit(&buffer);
}

static void test_a_huge_flow_does_not_take_the_budget(void **state)
{
    (void)state;
    a_huge_flow(failed, true);
    a_huge_flow(child, false);
}

enum { MANY = 2 * FTRI_FLOW_SLICE + 100 };

static void decide_a_flow_of_many(void)
{
    assert_int_equal(make((size_t)64 << 20), 0);
    for (uint32_t i = 1; i < MANY; i++)
        add(i == 1 ? failed : child, 1, i - 1, 0);
    add(root, 1, MANY - 1, 0);
    look_and_decide(QUIET);
    assert_int_equal(n_released, 0);
    assert_int_equal(counts.n_waiting, MANY);
    assert_int_equal(counts.n_flows_kept[FTR_TAIL_ERROR], 1);
    assert_false(ftri_flow_buffer_is_empty(&buffer));
}

static void assert_all_of_many_in_order(void)
{
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(released[i].number, i);
    assert_int_equal(counts.n_waiting, 0);
    assert_true(ftri_flow_buffer_is_empty(&buffer));
    assert_true(ftri_flow_buffer_release_more(&buffer));
    ftri_flow_buffer_deinit(&buffer);
}

static void test_a_flow_of_many_spans_leaves_bit_by_bit(void **state)
{
    (void)state;
    decide_a_flow_of_many();
    assert_false(ftri_flow_buffer_release_more(&buffer));
    assert_int_equal(n_released, FTRI_FLOW_SLICE);
    assert_int_equal(counts.n_waiting, MANY - FTRI_FLOW_SLICE);
    add(root, 2, 0, 200); /* another one goes its way meanwhile */
    add(failed, 3, 0, 200);
    add(root, 3, 1, 200);
    look_and_decide(200 + QUIET);
    assert_int_equal(n_released, FTRI_FLOW_SLICE + 2);
    n_released -= 2; /* looked at */
    assert_false(ftri_flow_buffer_release_more(&buffer));
    assert_true(ftri_flow_buffer_release_more(&buffer));
    assert_int_equal(n_released, MANY);
    assert_all_of_many_in_order();
}

static void test_a_flow_that_leaves_goes_before_what_needs_it_gone(void **state)
{
    (void)state;
    decide_a_flow_of_many();
    assert_true(add_late(child, 1, MANY, 200).is_kept); /* behind all others of it */
    assert_int_equal(n_released, MANY);
    assert_all_of_many_in_order();
    decide_a_flow_of_many();
    add(failed, 2, 0, 200);
    add(root, 2, 1, 200);
    ftri_flow_buffer_decide_oldest(&buffer, 0); /* bit by bit, and before the next one */
    assert_int_equal(n_released, FTRI_FLOW_SLICE);
    ftri_flow_buffer_decide_oldest(&buffer, 0);
    assert_int_equal(n_released, 2 * FTRI_FLOW_SLICE);
    ftri_flow_buffer_decide_oldest(&buffer, 0);
    assert_int_equal(n_released, MANY + 2);
    assert_all_of_many_in_order();
    decide_a_flow_of_many();
    const uint32_t n_pages = buffer.pool.n_most - 1;
    for (uint32_t i = 0; n_released == 0 && i < n_pages; i++) /* the room of those that waited */
        add(child, i + 2, i, 300);
    assert_int_equal(n_released, MANY);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_SQUEEZED], 0);
    while (!ftri_flow_buffer_is_empty(&buffer))
        ftri_flow_buffer_decide_oldest(&buffer, 0);
    assert_all_of_many_in_order();
}

/* Flows of one span are decided in the order they came, and as few of them as possible: 57 of 64
 * parts of 256 KiB are 912 pages of 256 bytes, one of which is not used. */
static void test_a_full_budget_decides_the_oldest(void **state)
{
    (void)state;
    enum { BUDGET = 256 * 1024, PAGES = BUDGET / 64 * 57 / 256 - 1 };
    assert_int_equal(make(BUDGET), 0);
    for (uint32_t i = 0; i < PAGES; i++)
        add(i % 2 ? failed : child, i + 1, i, i);
    assert_int_equal(counts.n_waiting, PAGES);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_SQUEEZED], 0);
    for (uint32_t i = PAGES; i < PAGES + 100; i++)
        add(child, i + 1, i, i);
    assert_int_equal(counts.n_waiting, PAGES);
    assert_int_equal(counts.n_flows_by[FTRI_FLOW_SQUEEZED], 100);
    assert_int_equal(counts.n_dropped, 50);
    assert_int_equal(n_released, 50);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(released[i].number, 2 * i + 1);
        assert_true(released[i].fate.is_cut);
    }
    assert_within(BUDGET);
    ftri_flow_buffer_deinit(&buffer);
}

/* ---- beside a model ---- */

struct model_flow {
    uint32_t numbers[SPANS_MOST];
    uint32_t n, n_taken; /* n_taken: of the numbers, those that were released */
    uint32_t reasons;
    uint64_t first_ns, last_ns, start_ns, end_ns;
    bool is_here, has_ended, is_open;
    bool is_decided, is_kept, has_crossed;
    uint32_t reason;
};

static struct model_flow model[TRACES];
static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

static void model_hear(struct model_flow *flow, uint64_t now_ns)
{
    if (flow->is_here)
        return;
    flow->is_here = true;
    flow->first_ns = flow->last_ns = now_ns;
    flow->start_ns = UINT64_MAX;
}

static void model_decide(struct model_flow *flow, uint32_t reasons)
{
    reasons |= flow->reasons;
    if (flow->n > 0 && flow->end_ns >= flow->start_ns + LONG)
        reasons |= FTRI_REASON(FTR_TAIL_LATENCY);
    flow->is_here = false;
    flow->is_decided = true;
    flow->is_kept = reasons != 0;
    flow->has_crossed = (reasons & CROSSED) != 0;
    while (reasons && !(reasons >> flow->reason & 1))
        flow->reason++;
}

static uint64_t n_lost_to_drops, n_waiting_in_model;

/* What was released is what the model says, whole flows, each in its order. */
static void compare(void)
{
    for (size_t i = 0; i < n_released; i++) {
        struct model_flow *flow = &model[released[i].trace];
        assert_true(flow->is_decided && flow->is_kept);
        assert_int_equal(released[i].number, flow->numbers[flow->n_taken++]);
        assert_int_equal(released[i].fate.reason, flow->reason);
        assert_int_equal(released[i].fate.has_crossed, flow->has_crossed);
    }
    n_released = 0;
    n_waiting_in_model = 0;
    uint64_t n_dropped = n_lost_to_drops;
    for (size_t i = 0; i < TRACES; i++) {
        if (model[i].is_decided)
            assert_int_equal(model[i].n_taken, model[i].is_kept ? model[i].n : 0);
        n_dropped += model[i].is_decided && !model[i].is_kept ? model[i].n : 0;
        n_waiting_in_model += model[i].is_here ? model[i].n : 0;
    }
    assert_int_equal(counts.n_waiting, n_waiting_in_model);
    assert_int_equal(counts.n_dropped, n_dropped);
}

static void random_span(uint32_t trace, uint32_t number, uint64_t now_ns)
{
    struct model_flow *flow = &model[trace];
    struct ftri_flow_fate fate;
    struct ftri_flow_span span = {.start_ns = 1000 + random_below(LONG / 2)};
    span.end_ns = span.start_ns + random_below(LONG * 21 / 20);
    span.is_error = random_below(60) == 0;
    span.is_root = random_below(8) == 0;
    span.reasons = random_below(200) == 0 ? CROSSED : 0;
    const bool is_long = span.end_ns - span.start_ns >= LONG;
    const bool waits =
        add_span(span, trace, number, 8 + random_below(random_below(10) ? 300 : LEN_MOST - 8),
                 now_ns, &fate);
    assert_int_equal(waits, !flow->is_decided);
    if (!waits) {
        flow->has_crossed |= span.reasons != 0;
        assert_int_equal(fate.is_kept, flow->is_kept);
        assert_int_equal(fate.has_crossed, flow->has_crossed);
        n_lost_to_drops += !flow->is_kept;
        return;
    }
    model_hear(flow, now_ns);
    flow->last_ns = now_ns;
    flow->numbers[flow->n++] = number;
    flow->has_ended |= span.is_root;
    flow->reasons |=
        span.reasons | (span.is_error ? ERROR : 0) | (is_long ? FTRI_REASON(FTR_TAIL_LATENCY) : 0);
    flow->start_ns = span.start_ns < flow->start_ns ? span.start_ns : flow->start_ns;
    flow->end_ns = span.end_ns > flow->end_ns ? span.end_ns : flow->end_ns;
}

static void random_note(uint32_t trace, uint64_t now_ns)
{
    const ftr_trace_id id = id_of(trace);
    ftri_flow_buffer_note(&buffer, &id, FTR_TAIL_CROSSED, now_ns);
    struct model_flow *flow = &model[trace];
    if (flow->is_decided) {
        flow->has_crossed = true;
        return;
    }
    model_hear(flow, now_ns);
    flow->reasons |= CROSSED;
}

static void random_look(uint64_t now_ns)
{
    ftri_flow_buffer_look(&buffer);
    for (uint32_t i = 0; i < TRACES; i++) {
        const ftr_trace_id id = id_of(i);
        model[i].is_open = random_below(4) == 0;
        if (model[i].is_open)
            ftri_flow_buffer_see_open(&buffer, &id);
    }
    for (uint32_t i = 0; i < TRACES; i++) {
        struct model_flow *flow = &model[i];
        if (!flow->is_here || !flow->has_ended || flow->last_ns + QUIET > now_ns)
            continue;
        if (flow->is_open)
            flow->last_ns = now_ns;
        else
            model_decide(flow, 0);
    }
    ftri_flow_buffer_decide_quiet(&buffer, now_ns);
}

static void decide_old_in_both(uint64_t now_ns)
{
    for (uint32_t i = 0; i < TRACES; i++)
        if (model[i].is_here && model[i].first_ns + AGE <= now_ns)
            model_decide(&model[i], 0);
    ftri_flow_buffer_decide_old(&buffer, now_ns);
}

static void decide_rest_in_both(void)
{
    for (uint32_t i = 0; i < TRACES; i++)
        if (model[i].is_here)
            model_decide(&model[i], MODE);
    while (!ftri_flow_buffer_is_empty(&buffer))
        ftri_flow_buffer_decide_oldest(&buffer, MODE);
}

static void one_run(uint64_t seed)
{
    random_state = seed;
    memset(model, 0, sizeof model);
    n_lost_to_drops = 0;
    assert_int_equal(make((size_t)64 << 20), 0);
    uint64_t now_ns = 1;
    for (uint32_t i = 0; i < SPANS_MOST; i++) {
        now_ns += random_below(20) ? random_below(40) : random_below(AGE / 8);
        const uint32_t trace = random_below(random_below(2) ? TRACES : 10);
        const uint32_t what = random_below(40);
        if (what == 0)
            random_look(now_ns);
        else if (what == 1)
            random_note(trace, now_ns);
        else if (what == 2)
            decide_old_in_both(now_ns);
        else
            random_span(trace, i, now_ns);
        if (what < 3)
            compare();
    }
    decide_rest_in_both();
    compare();
    assert_int_equal(n_waiting_in_model, 0);
    ftri_flow_buffer_deinit(&buffer);
}

static void test_random_calls_beside_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        one_run(seed);
}

/* ---- in batches ---- */

enum { BATCH = 40, N_ARRIVALS = 20000 };

struct arrivals {
    struct ftri_flow_arrival all[BATCH];
    ftr_trace_id ids[BATCH];
    uint8_t bytes[BATCH][400];
    size_t n;
};

static struct arrivals arrivals;

static void draw_arrival(uint32_t n_traces, uint32_t number)
{
    const size_t i = arrivals.n++;
    const uint32_t trace = random_below(n_traces);
    const size_t len = 8 + random_below(sizeof arrivals.bytes[0] - 8);
    struct ftri_flow_arrival *arrival = &arrivals.all[i];
    arrivals.ids[i] = id_of(trace);
    fill(arrivals.bytes[i], len, trace, number);
    *arrival = (struct ftri_flow_arrival){
        .trace_id = &arrivals.ids[i],
        .start_ns = 1000 + random_below(LONG),
        .is_root = random_below(100) == 0,
        .is_note = random_below(50) == 0,
        .bytes = ftri_view_of(arrivals.bytes[i], len),
    };
    arrival->end_ns = arrival->start_ns + random_below(LONG / 4);
    arrival->reasons = arrival->is_note ? CROSSED : random_below(60) == 0 ? ERROR : 0;
}

/* What a batch does, one by one. */
static void add_alone(const struct ftri_flow_arrival *arrival, uint64_t now_ns)
{
    struct ftri_flow_fate fate;
    const struct ftri_flow_span span = {
        .trace_id = *arrival->trace_id,
        .tracestate = {"", 0},
        .start_ns = arrival->start_ns,
        .end_ns = arrival->end_ns,
        .reasons = arrival->reasons,
        .is_root = arrival->is_root,
    };
    if (arrival->is_note)
        ftri_flow_buffer_note(&buffer, arrival->trace_id, FTR_TAIL_CROSSED, now_ns);
    else if (!ftri_flow_buffer_add(&buffer, &span, arrival->bytes, now_ns, &fate) && fate.is_kept)
        release(&counts, &fate, arrival->trace_id, arrival->bytes);
}

static void add_drawn(bool in_a_batch, uint64_t now_ns)
{
    for (size_t i = 0; i < arrivals.n; i++)
        if (in_a_batch)
            ftri_flow_buffer_expect(&buffer, &arrivals.all[i]);
        else
            add_alone(&arrivals.all[i], now_ns);
    if (in_a_batch)
        ftri_flow_buffer_add_all(&buffer, arrivals.all, arrivals.n, now_ns);
    arrivals.n = 0;
}

/* Many flows in little memory, so that a batch decides flows that are in it. */
static void feed(uint64_t seed, bool in_batches, size_t budget_bytes, uint32_t n_traces)
{
    random_state = seed;
    assert_int_equal(make(budget_bytes), 0);
    uint32_t size = 1;
    for (uint32_t i = 0; i < N_ARRIVALS; i++) {
        draw_arrival(n_traces, i);
        if (arrivals.n < size && i + 1 < N_ARRIVALS)
            continue;
        size = 1 + random_below(BATCH);
        add_drawn(in_batches, i);
        if (random_below(4) == 0)
            look_and_decide(i);
    }
    while (!ftri_flow_buffer_is_empty(&buffer))
        ftri_flow_buffer_decide_oldest(&buffer, 0);
    assert_int_equal(counts.n_forgotten, 0);
    ftri_flow_buffer_deinit(&buffer);
}

static void compare_batches(uint64_t seed, size_t budget_bytes, uint32_t n_traces)
{
    static struct released expected[N_ARRIVALS];
    feed(seed, false, budget_bytes, n_traces);
    const size_t n = n_released;
    const struct ftri_flow_counts alone = counts;
    memcpy(expected, released, n * sizeof *released);
    feed(seed, true, budget_bytes, n_traces);
    assert_true(n > 0);
    assert_int_equal(n_released, n);
    assert_memory_equal(released, expected, n * sizeof *released);
    assert_memory_equal(&counts, &alone, sizeof counts);
}

static void test_batches_do_what_one_by_one_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        compare_batches(seed, (size_t)64 << 20, 3000);
        compare_batches(seed, 2 * MIB, 300); /* with room for a third of what comes */
        assert_true(counts.n_flows_by[FTRI_FLOW_SQUEEZED] > 0 && counts.n_late > 0);
    }
}

/* ---- whatever fails ---- */

static uint8_t fates[20000]; /* by trace: 1 dropped, 2 kept */
static bool is_split;

static void note_fate(uint32_t trace, bool is_kept)
{
    is_split = is_split || (fates[trace] && fates[trace] != 1 + is_kept);
    fates[trace] = (uint8_t)(1 + is_kept);
}

/* Spans of n_traces at random into a small budget: nothing is lost, nothing is exported in part
 * unless a verdict was forgotten. Returns the number of spans that were told their fate or left. */
static void squeeze_many(uint32_t n_traces, uint32_t n_spans, size_t budget_bytes)
{
    size_t n_told = 0;
    memset(fates, 0, sizeof fates);
    is_split = false;
    for (uint32_t i = 0; i < n_spans; i++) {
        const uint32_t trace = random_below(n_traces);
        struct ftri_flow_span span = random_below(10) ? child : random_below(4) ? root : failed;
        struct ftri_flow_fate fate;
        if (!add_span(span, trace, i, 8 + random_below(500), i, &fate)) {
            n_told += fate.is_kept;
            note_fate(trace, fate.is_kept);
        }
        if (random_below(100) == 0)
            look_and_decide(i);
        assert_within(budget_bytes);
    }
    while (!ftri_flow_buffer_is_empty(&buffer))
        ftri_flow_buffer_decide_oldest(&buffer, 0);
    for (size_t i = 0; i < n_released; i++)
        note_fate(released[i].trace, released[i].fate.is_kept);
    assert_int_equal(counts.n_waiting, 0);
    assert_int_equal(counts.n_dropped + n_released + n_told, n_spans);
}

static void test_a_small_budget_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        random_state = seed;
        assert_int_equal(make(FTRI_TAIL_BUDGET_LEAST), 0);
        squeeze_many(20, 5000, FTRI_TAIL_BUDGET_LEAST); /* of 128 verdicts */
        assert_false(is_split && counts.n_forgotten == 0);
        assert_true(counts.n_flows_by[FTRI_FLOW_SQUEEZED] > 0);
        ftri_flow_buffer_deinit(&buffer);
        assert_int_equal(make(FTRI_TAIL_BUDGET_LEAST), 0);
        squeeze_many(20000, 20000, FTRI_TAIL_BUDGET_LEAST);
        assert_true(counts.n_forgotten > 0);
        ftri_flow_buffer_deinit(&buffer);
    }
}

static void test_any_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t n_requests;
    uint64_t n = 0;
    do {
        random_state = 7;
        ftri_mem_fail_at(++n);
        const int rc = make(256 * 1024);
        if (rc == 0)
            squeeze_many(300, 3000, 256 * 1024);
        n_requests = ftri_mem_requests();
        ftri_mem_fail_at(0);
        assert_int_equal(rc, n <= 2 ? -ENOMEM : 0); /* the table of slabs, the verdicts */
        if (rc == 0)
            ftri_flow_buffer_deinit(&buffer);
    } while (n_requests >= n);
    assert_true(n > 6); /* slots, slots again, a slab, a span's copy */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flow_is_decided_when_its_root_ended_and_it_was_quiet),
        cmocka_unit_test(test_an_open_span_holds_its_flow_until_it_is_old),
        cmocka_unit_test(test_late_spans_follow_the_verdict),
        cmocka_unit_test(test_crossings),
        cmocka_unit_test(test_the_latency_of_a_flow),
        cmocka_unit_test(test_a_huge_flow_does_not_take_the_budget),
        cmocka_unit_test(test_a_flow_of_many_spans_leaves_bit_by_bit),
        cmocka_unit_test(test_a_flow_that_leaves_goes_before_what_needs_it_gone),
        cmocka_unit_test(test_a_full_budget_decides_the_oldest),
        cmocka_unit_test(test_random_calls_beside_a_model),
        cmocka_unit_test(test_batches_do_what_one_by_one_does),
        cmocka_unit_test(test_a_small_budget_loses_nothing),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
