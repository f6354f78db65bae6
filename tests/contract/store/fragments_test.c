/* SPDX-License-Identifier: Apache-2.0
 *
 * Events that come apart from their span, made of log records by the code that the receiver uses:
 * in whatever order and place they and their span are, reading shows them on it, by time, once. */
#include "fixture.h"

#include "base/mem.h"
#include "codec/wire.h"
#include "otlp/log_events.h"

#include <errno.h>

#define ORPHAN FTRI_OTLP_FRAGMENT_NAME

struct moment {
    uint64_t trace, span;
    const char *service, *name;
    uint64_t time_ns;
};

/* LogRecord: time 1, trace id 9, span id 10, event name 12. */
static void put_record(struct ftri_bytes *out, const struct moment *moment)
{
    uint8_t trace_id[16], span_id[8];
    size_t record;
    sample_trace_id(moment->trace, trace_id);
    sample_span_id(moment->span, span_id);
    assert_int_equal(ftri_wire_begin(out, 2, &record), 0);
    assert_int_equal(ftri_wire_put_fixed64(out, 1, moment->time_ns), 0);
    assert_int_equal(ftri_wire_put_bytes(out, 9, ftri_view_of(trace_id, 16)), 0);
    assert_int_equal(ftri_wire_put_bytes(out, 10, ftri_view_of(span_id, 8)), 0);
    sample_put_text(out, 12, moment->name);
    assert_int_equal(ftri_wire_end(out, record), 0);
}

static void append_event(struct fixture *f, const struct moment *moment, uint64_t received_ns)
{
    struct ftri_bytes logs FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes traces;
    struct ftri_otlp_log_counts counts;
    size_t resource_logs, scope_logs;
    ftri_bytes_init(&logs, 1 << 16);
    ftri_bytes_init(&traces, 1 << 16);
    assert_int_equal(ftri_wire_begin(&logs, 1, &resource_logs), 0);
    sample_put_resource(&logs, moment->service);
    assert_int_equal(ftri_wire_begin(&logs, 2, &scope_logs), 0);
    put_record(&logs, moment);
    assert_int_equal(ftri_wire_end(&logs, scope_logs), 0);
    assert_int_equal(ftri_wire_end(&logs, resource_logs), 0);
    assert_int_equal(ftri_otlp_log_events(ftri_bytes_view(&logs), 0, &traces, &counts), 0);
    assert_int_equal(counts.n_events, 1);
    fixture_append_payload(f, sample_seal(&traces), received_ns);
}

/* "name" of the span, then " event@time" for each. */
static void describe(const struct ftri_otlp_span *span, char *ret_text, size_t size)
{
    struct ftri_otlp_event event;
    size_t len = (size_t)snprintf(ret_text, size, "%.*s", (int)span->name.len, span->name.data);
    for (size_t next = 0; ftri_otlp_event_next(span->bytes, &next, &event);)
        len += (size_t)snprintf(ret_text + len, size - len, " %.*s@%llu", (int)event.name.len,
                                event.name.data, (unsigned long long)event.time_ns);
    assert_true(len < size);
}

/* The trace has one span, described so. */
static void check_span(struct fixture *f, uint64_t trace, const char *expected)
{
    struct store_result result;
    char found[4096];
    fixture_get(f, trace, &result);
    assert_int_equal(result.n_spans, 1);
    describe(&result.spans[0], found, sizeof found);
    assert_string_equal(found, expected);
    struct ftri_otlp_span read;
    ftri_otlp_span_read(result.spans[0].bytes, &read);
    assert_int_equal(read.end_time_ns, result.spans[0].end_time_ns);
    store_result_deinit(&result);
}

/* A store on disk is closed and opened again. */
static void restart(struct fixture *f)
{
    if (!fixture_is_sqlite(f))
        return;
    fixture_settle(f);
    fixture_close(f);
    fixture_open(f);
}

/* As it is, when all is in blocks, and after a restart. */
static void check_everywhere(struct fixture *f, uint64_t trace, const char *expected)
{
    check_span(f, trace, expected);
    fixture_settle(f);
    check_span(f, trace, expected);
    restart(f);
    check_span(f, trace, expected);
}

/* What lies between two appends. */
enum gap { GAP_NONE, GAP_BLOCK, GAP_RESTART, N_GAPS };

static void leave(struct fixture *f, enum gap gap)
{
    if (gap == GAP_BLOCK)
        fixture_settle(f);
    else if (gap == GAP_RESTART)
        restart(f);
}

static void test_an_event_before_its_span(void **state)
{
    struct fixture *f = *state;
    for (enum gap gap = 0; gap < N_GAPS; gap++) {
        const uint64_t trace = gap + 1;
        const struct sample span = {trace, 7, 0, "s", "work", 100, 200, 1, false, 0};
        append_event(f, &(struct moment){trace, 7, "s", "e", 150}, 5);
        check_span(f, trace, ORPHAN " e@150");
        leave(f, gap);
        check_span(f, trace, ORPHAN " e@150");
        fixture_append(f, &span, 1, 4);
        check_everywhere(f, trace, "work e@150");
    }
}

static void test_an_event_behind_its_span(void **state)
{
    struct fixture *f = *state;
    for (enum gap gap = 0; gap < N_GAPS; gap++) {
        const uint64_t trace = gap + 1;
        const struct sample span = {trace, 7, 0, "s", "work", 100, 200, 1, false, 0};
        fixture_append(f, &span, 1, 4);
        leave(f, gap);
        append_event(f, &(struct moment){trace, 7, "s", "e", 150}, 5);
        check_everywhere(f, trace, "work e@150");
    }
}

/* The event stays when the version of the span that it came upon is beaten. */
static void test_an_event_between_versions_of_its_span(void **state)
{
    struct fixture *f = *state;
    for (enum gap gap = 0; gap < N_GAPS; gap++) {
        const uint64_t trace = gap + 1;
        const struct sample versions[] = {{trace, 7, 0, "s", "begun", 100, 0, 1, false, 1},
                                          {trace, 7, 0, "s", "done", 100, 200, 1, false, 2},
                                          {trace, 7, 0, "s", "again", 100, 201, 1, false, 3}};
        fixture_append(f, &versions[0], 1, 1);
        append_event(f, &(struct moment){trace, 7, "s", "e", 150}, 2);
        leave(f, gap);
        check_span(f, trace, "begun e@150");
        fixture_append(f, &versions[1], 1, 3);
        leave(f, gap);
        check_span(f, trace, "done e@150");
        fixture_append(f, &versions[2], 1, 4);
        check_everywhere(f, trace, "again e@150");
    }
}

static void test_events_are_by_time_and_each_once(void **state)
{
    struct fixture *f = *state;
    for (enum gap gap = 0; gap < N_GAPS; gap++) {
        const uint64_t trace = gap + 1;
        const struct sample span = {trace, 7, 0, "s", "work", 100, 200, 1, false, 0};
        append_event(f, &(struct moment){trace, 7, "s", "c", 190}, 1);
        append_event(f, &(struct moment){trace, 7, "s", "a", 110}, 2);
        leave(f, gap);
        fixture_append(f, &span, 1, 3);
        append_event(f, &(struct moment){trace, 7, "s", "b", 150}, 4);
        leave(f, gap);
        append_event(f, &(struct moment){trace, 7, "s", "a", 110}, 2); /* replayed */
        append_event(f, &(struct moment){trace, 7, "s", "c", 190}, 9); /* sent again */
        check_everywhere(f, trace, "work a@110 b@150 c@190");
        assert_int_equal(fixture_statistics(f).n_appended_fragments,
                         fixture_is_sqlite(f) ? 0 : (gap + 1) * 5);
    }
}

/* The parts of one event that may differ: any of them makes another event. */
static void test_events_that_differ_are_all_there(void **state)
{
    struct fixture *f = *state;
    const struct sample span = {1, 7, 0, "s", "work", 100, 200, 1, false, 0};
    append_event(f, &(struct moment){1, 7, "s", "b", 150}, 1);
    append_event(f, &(struct moment){1, 7, "s", "a", 150}, 1);
    fixture_settle(f);
    append_event(f, &(struct moment){1, 7, "s", "b", 151}, 1);
    append_event(f, &(struct moment){1, 7, "t", "b", 151}, 1); /* another service, same event */
    fixture_append(f, &span, 1, 1);
    check_everywhere(f, 1, "work a@150 b@150 b@151");
}

/* Span message with events of its own: 11 { time 1, name 2 }. */
static void append_span_with_events(struct fixture *f, const struct sample *span,
                                    const struct moment *events, size_t n)
{
    struct ftri_bytes body FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes request;
    const struct sample_place place = {span->service, NULL, NULL, NULL};
    ftri_bytes_init(&body, 1 << 16);
    ftri_bytes_init(&request, 1 << 16);
    sample_encode(span, &body);
    for (size_t i = 0; i < n; i++) {
        size_t event;
        assert_int_equal(ftri_wire_begin(&body, 11, &event), 0);
        assert_int_equal(ftri_wire_put_fixed64(&body, 1, events[i].time_ns), 0);
        sample_put_text(&body, 2, events[i].name);
        assert_int_equal(ftri_wire_end(&body, event), 0);
    }
    const struct ftri_view view = ftri_bytes_view(&body);
    sample_wrap(&place, &view, 1, &request);
    fixture_append_payload(f, sample_seal(&request), 1);
}

/* An SDK's bridge may record an event on the span and send it as a log record, too. */
static void test_a_span_keeps_its_own_events(void **state)
{
    struct fixture *f = *state;
    const struct sample span = {1, 7, 0, "s", "work", 100, 200, 1, false, 9};
    const struct moment own[] = {{.name = "late", .time_ns = 180},
                                 {.name = "twice", .time_ns = 120},
                                 {.name = "twice", .time_ns = 120}};
    append_span_with_events(f, &span, own, FTRI_COUNT(own));
    check_everywhere(f, 1, "work late@180 twice@120 twice@120");
    append_event(f, &(struct moment){1, 7, "s", "late", 180}, 2);
    append_event(f, &(struct moment){1, 7, "s", "new", 120}, 2);
    append_event(f, &(struct moment){1, 7, "s", "last", 500}, 2);
    check_everywhere(f, 1, "work twice@120 twice@120 new@120 late@180 last@500");
    struct store_result result;
    struct ftri_view note;
    fixture_get(f, 1, &result);
    assert_true(
        ftri_otlp_attribute_find(FTRI_OTLP_SPAN, result.spans[0].bytes, FTR_STR("note"), &note));
    assert_int_equal(ftri_otlp_value_read(note).as.i64, 9);
    assert_int_equal(result.spans[0].start_time_ns, 100);
    assert_int_equal(result.spans[0].end_time_ns, 200);
    store_result_deinit(&result);
}

static void test_each_span_gets_its_own_fragments(void **state)
{
    struct fixture *f = *state;
    const struct sample spans[] = {{1, 1, 0, "s", "parent", 100, 200, 1, false, 0},
                                   {1, 2, 1, "s", "child", 120, 180, 1, false, 0},
                                   {2, 1, 0, "s", "other", 120, 180, 1, false, 0}};
    const char *const expected[] = {"parent p@110", "child c@130 d@170", ORPHAN " orphan@150"};
    append_event(f, &(struct moment){1, 2, "s", "c", 130}, 1);
    append_event(f, &(struct moment){1, 1, "s", "p", 110}, 1);
    append_event(f, &(struct moment){1, 3, "s", "orphan", 150}, 1);
    append_event(f, &(struct moment){2, 1, "s", "o", 150}, 1);
    append_event(f, &(struct moment){1, 2, "s", "d", 170}, 1);
    fixture_append(f, spans, 3, 1);
    for (int i = 0; i < 3; i++) {
        struct store_result result;
        char found[256];
        fixture_get(f, 1, &result);
        assert_int_equal(result.n_spans, 3); /* by start: 100, 120, 150 */
        for (size_t j = 0; j < 3; j++) {
            describe(&result.spans[j], found, sizeof found);
            assert_string_equal(found, expected[j]);
        }
        assert_memory_equal(result.spans[1].parent_span_id, result.spans[0].span_id, 8);
        store_result_deinit(&result);
        check_span(f, 2, "other o@150");
        leave(f, GAP_BLOCK + i % 2);
    }
}

/* --- searching ----------------------------------------------------------------------------- */

/* "trace@start" for each, newest first. */
static void check_search(struct fixture *f, const struct store_query *query, const char *expected)
{
    struct store_match *matches = NULL;
    char found[256] = "";
    size_t n = 0, len = 0;
    struct store_query limited = *query;
    limited.limit = 10;
    assert_int_equal(store_search(f->store, &limited, &matches, &n), 0);
    for (size_t i = 0; i < n; i++)
        for (uint64_t trace = 1; trace < 20; trace++) {
            uint8_t id[16];
            sample_trace_id(trace, id);
            if (memcmp(id, matches[i].trace_id, 16) == 0)
                len += (size_t)snprintf(found + len, sizeof found - len, " %llu@%llu",
                                        (unsigned long long)trace,
                                        (unsigned long long)matches[i].start_ns);
        }
    ftri_free(matches);
    assert_string_equal(found, expected);
}

/* A span matches as if its fragments were not there, wherever they are. */
static void test_a_search_finds_the_span_and_not_its_fragments(void **state)
{
    struct fixture *f = *state;
    for (enum gap gap = 0; gap < N_GAPS; gap++) {
        const uint64_t trace = gap + 1, base = 1000 * trace;
        const struct sample span = {trace, 7, 0, "s", "work", base, base + 200, 1, false, 0};
        append_event(f, &(struct moment){trace, 7, "s", "e", base + 150}, 1);
        leave(f, gap);
        fixture_append(f, &span, 1, 1);
    }
    for (int i = 0; i < 3; i++) {
        check_search(f, &(struct store_query){.service = FTR_STR("s")}, " 3@3000 2@2000 1@1000");
        check_search(f, &(struct store_query){.name = FTR_STR("work")}, " 3@3000 2@2000 1@1000");
        check_search(f, &(struct store_query){.name = FTR_STR(ORPHAN)}, "");
        check_search(f, &(struct store_query){.start_min_ns = 2100}, " 3@3000");
        check_search(f, &(struct store_query){.duration_min_ns = 200}, " 3@3000 2@2000 1@1000");
        check_search(f, &(struct store_query){.duration_min_ns = 201}, "");
        leave(f, GAP_BLOCK + i % 2);
    }
}

/* What came apart from a span that never came is found, and found out. */
static void test_a_search_finds_orphans(void **state)
{
    struct fixture *f = *state;
    const struct sample span = {1, 8, 0, "s", "work", 100, 200, 1, false, 0};
    append_event(f, &(struct moment){1, 7, "s", "e", 150}, 1);
    append_event(f, &(struct moment){1, 7, "s", "e", 130}, 1);
    append_event(f, &(struct moment){2, 7, "t", "e", 170}, 1);
    append_event(f, &(struct moment){1, 8, "s", "e", 190}, 1);
    fixture_append(f, &span, 1, 1);
    for (int i = 0; i < 3; i++) {
        check_search(f, &(struct store_query){.name = FTR_STR(ORPHAN)}, " 2@170 1@150");
        check_search(f, &(struct store_query){.service = FTR_STR("s")}, " 1@150");
        check_search(f, &(struct store_query){.service = FTR_STR("t")}, " 2@170");
        check_search(f, &(struct store_query){.name = FTR_STR("work")}, " 1@100");
        check_search(f, &(struct store_query){.status = STORE_STATUS_ERROR}, "");
        check_search(f, &(struct store_query){.duration_max_ns = 1000}, " 1@100");
        fixture_check_names(f, "", "s\nt\n");
        fixture_check_names(f, "s", "work\n");
        fixture_check_names(f, "t", "");
        leave(f, GAP_BLOCK + i % 2);
    }
}

/* --- random orders ------------------------------------------------------------------------- */

enum { N_RANDOM = 60, N_EVENTS = 6, N_STEPS = 24 };

/* The model: the span's name so far, and which events have come. */
struct model {
    const char *name;
    bool has_event[N_EVENTS];
};

static void random_step(struct fixture *f, uint64_t trace, uint64_t *seed, struct model *model)
{
    static const char *const names[N_EVENTS] = {"a", "b", "c", "d", "e", "f"};
    const uint64_t dice = sample_random(seed) % 16;
    if (dice == 0) {
        leave(f, GAP_RESTART);
    } else if (dice <= 2) {
        leave(f, GAP_BLOCK);
    } else if (dice <= 4) {
        const bool is_done = dice == 4;
        const struct sample span = {
            trace, 7, 0, "s", is_done ? "done" : "begun", 100, is_done ? 200 : 0, 1, false, 0};
        fixture_append(f, &span, 1, trace);
        if (is_done || !model->name)
            model->name = is_done ? "done" : "begun";
    } else {
        const size_t event = sample_random(seed) % N_EVENTS;
        append_event(f, &(struct moment){trace, 7, "s", names[event], 110 + event}, dice);
        model->has_event[event] = true;
    }
}

static void check_model(struct fixture *f, uint64_t trace, const struct model *model)
{
    char expected[256];
    size_t len =
        (size_t)snprintf(expected, sizeof expected, "%s", model->name ? model->name : ORPHAN);
    bool has_any = model->name != NULL;
    for (size_t i = 0; i < N_EVENTS; i++) {
        has_any |= model->has_event[i];
        if (model->has_event[i])
            len += (size_t)snprintf(expected + len, sizeof expected - len, " %c@%d",
                                    (char)('a' + i), (int)(110 + i));
    }
    if (has_any)
        check_span(f, trace, expected);
}

static void test_random_orders(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 11;
    for (uint64_t trace = 1; trace <= N_RANDOM; trace++) {
        struct model model = {0};
        for (int i = 0; i < N_STEPS; i++) {
            random_step(f, trace, &seed, &model);
            check_model(f, trace, &model);
        }
    }
}

/* --- limits -------------------------------------------------------------------------------- */

/* Reading with the n-th allocation failing gives an error, or the whole. */
static void test_memory_running_out_while_merging(void **state)
{
    struct fixture *f = *state;
    uint8_t trace_id[16];
    const struct sample span = {1, 7, 0, "s", "work", 100, 200, 1, false, 0};
    append_event(f, &(struct moment){1, 7, "s", "b", 150}, 1);
    fixture_append(f, &span, 1, 1);
    fixture_settle(f);
    append_event(f, &(struct moment){1, 7, "s", "a", 140}, 1);
    sample_trace_id(1, trace_id);
    int r = -ENOMEM;
    for (uint64_t n = 1; r != 0; n++) {
        struct store_result result;
        ftri_mem_fail_at(n);
        r = store_get_trace(f->store, trace_id, &result);
        ftri_mem_fail_at(0);
        assert_true(r == 0 || r == -ENOMEM);
        assert_true(n < 1000);
        if (r == 0)
            store_result_deinit(&result);
    }
    check_span(f, 1, "work a@140 b@150");
}

static void test_many_events_of_one_span(void **state)
{
    struct fixture *f = *state;
    enum { N = 3000 };
    const struct sample span = {1, 7, 0, "s", "work", 1, N + 1, 1, false, 0};
    for (uint64_t i = 0; i < N; i++) {
        append_event(f, &(struct moment){1, 7, "s", "e", 1 + i * 7919 % N}, 1);
        if (i == N / 2)
            fixture_append(f, &span, 1, 1);
        if (i % 1000 == 500)
            fixture_settle(f);
    }
    struct store_result result;
    struct ftri_otlp_event event;
    uint64_t n = 0;
    fixture_get(f, 1, &result);
    assert_int_equal(result.n_spans, 1);
    for (size_t next = 0; ftri_otlp_event_next(result.spans[0].bytes, &next, &event);)
        assert_int_equal(event.time_ns, ++n);
    assert_int_equal(n, N);
    store_result_deinit(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST_ALL(test_an_event_before_its_span),
        FIXTURE_TEST_ALL(test_an_event_behind_its_span),
        FIXTURE_TEST_ALL(test_an_event_between_versions_of_its_span),
        FIXTURE_TEST_ALL(test_events_are_by_time_and_each_once),
        FIXTURE_TEST_ALL(test_events_that_differ_are_all_there),
        FIXTURE_TEST_ALL(test_a_span_keeps_its_own_events),
        FIXTURE_TEST_ALL(test_each_span_gets_its_own_fragments),
        FIXTURE_TEST_ALL(test_a_search_finds_the_span_and_not_its_fragments),
        FIXTURE_TEST_ALL(test_a_search_finds_orphans),
        FIXTURE_TEST_ALL(test_random_orders),
        FIXTURE_TEST_ALL(test_memory_running_out_while_merging),
        FIXTURE_TEST_ALL(test_many_events_of_one_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
