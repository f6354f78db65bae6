/* SPDX-License-Identifier: Apache-2.0
 *
 * What a search asks of a span, and what is made of the traces it finds: dependencies, summaries.
 * Expectations by docs/jaeger-api.md. */
#include "api/dependencies.h"
#include "api/search.h"
#include "api/summaries.h"

#include "base/mem.h"
#include "base/payload.h"
#include "base/time.h"
#include "codec/json_writer.h"
#include "otlp/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "0102030405060708090a0b0c0d0e0f10"

/* Service a calls b twice; the second call failed. */
static const char trace_json[] =
    "{\"resourceSpans\":["
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"a\"}}]},"
    "\"scopeSpans\":[{\"spans\":["
    "{\"traceId\":\"" TRACE "\",\"spanId\":\"0000000000000001\",\"name\":\"root\",\"kind\":2,"
    "\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"9000\",\"attributes\":["
    "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"doubleValue\":0.5}]}}}]}]}]},"
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"b\"}}]},"
    "\"scopeSpans\":[{\"spans\":["
    "{\"traceId\":\"" TRACE "\",\"spanId\":\"0000000000000002\",\"parentSpanId\":"
    "\"0000000000000001\",\"name\":\"call\",\"startTimeUnixNano\":\"2000\","
    "\"endTimeUnixNano\":\"3000\"},"
    "{\"traceId\":\"" TRACE "\",\"spanId\":\"0000000000000003\",\"parentSpanId\":"
    "\"0000000000000001\",\"name\":\"call\",\"startTimeUnixNano\":\"4000\","
    "\"endTimeUnixNano\":\"9500\",\"status\":{\"code\":2}}]}]}]}";

enum { N_SPANS = 3 };

struct fixture {
    struct ftri_bytes bytes;
    struct ftri_otlp_span spans[N_SPANS];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    ftri_bytes_init(&fixture.bytes, 1 << 20);
    if (ftri_otlp_traces_from_json(ftri_view_of(trace_json, sizeof trace_json - 1), &fixture.bytes,
                                   &counts, &error) < 0)
        return -1;
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(&fixture.bytes));
    for (size_t n = 0; n < N_SPANS && ftri_otlp_cursor_next(&cursor, &span); n++)
        fixture.spans[n] = *span;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    ftri_bytes_deinit(&f->bytes);
    return 0;
}

static int add_tags(struct search *search, const char *json, const char **ret_problem)
{
    return search_add_tags(search, (ftr_str){json, strlen(json)}, ret_problem);
}

static void test_tags_out_of_json(void **state)
{
    struct fixture *const f = *state;
    static const struct {
        const char *json;
        int added;
        int checked; /* against the first span */
    } rows[] = {
        {"{}", 0, 0},
        {"{\"list\":\"[0.5]\"}", 0, 0},
        {"{\"list\":\"[0.50]\"}", 0, CONDITIONS_UNMET},
        {"{\"service.name\":\"a\",\"span.kind\":\"server\",\"span.status\":\"UNSET\"}", 0, 0},
        {"{\"service.name\":\"a\",\"span.kind\":\"client\"}", 0, CONDITIONS_UNMET},
        {"{\"none\":\"\"}", 0, CONDITIONS_UNMET},
        {"{\"a\":null}", -EBADMSG, 0},
        {"{\"a\":[]}", -EBADMSG, 0},
        {"[]", -EBADMSG, 0},
        {"7", -EBADMSG, 0},
        {"{\"a\":\"b\"", -EBADMSG, 0},
        {"{} {}", -EBADMSG, 0},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct search search;
        const char *problem = NULL;
        search_init(&search, 1);
        assert_int_equal(add_tags(&search, rows[i].json, &problem), rows[i].added);
        if (rows[i].added == 0)
            assert_int_equal(conditions_check(&search.conditions, &f->spans[0]), rows[i].checked);
        else
            assert_non_null(problem);
        search_deinit(&search);
    }
}

/* A visit by the conventions otelcol. */
static const char visit_json[] =
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":["
    "{\"traceId\":\"" TRACE "\",\"spanId\":\"0000000000000001\",\"name\":\"processor/batch/n\","
    "\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"9000\",\"attributes\":["
    "{\"key\":\"otelcol.component.id\",\"value\":{\"stringValue\":\"n\"}},"
    "{\"key\":\"emit\",\"value\":{\"stringValue\":\"MessageSent\"}}],"
    "\"events\":[{\"name\":\"otelcol.node.drop\"}]}]}]}]}";

/* Our own keys are aliases; and every other convention's for the same. */
static void test_names_of_other_conventions(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int checked;
    } rows[] = {
        {"{\"node.id\":\"n\"}", 0},
        {"{\"otelcol.component.id\":\"n\"}", 0},
        {"{\"numaflow.vertex.name\":\"n\"}", 0},
        {"{\"node.id\":\"m\"}", CONDITIONS_UNMET},
        {"{\"node.type\":\"n\"}", CONDITIONS_UNMET},
        {"{\"component.id\":\"n\"}", CONDITIONS_UNMET},
        {"{\"event\":\"otelcol.node.drop\"}", 0},
        {"{\"event\":\"flow.drop\"}", 0},
        {"{\"event\":\"message.dropped\",\"node.id\":\"n\"}", 0},
        {"{\"event\":\"backpressure\"}", CONDITIONS_UNMET},
        {"{\"event\":\"MessageSent\"}", CONDITIONS_UNMET}, /* an attribute is no event */
        {"{\"flow.drop\":\"otelcol.node.drop\"}", CONDITIONS_UNMET},
    };
    struct ftri_bytes bytes;
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    ftri_bytes_init(&bytes, 1 << 20);
    assert_int_equal(ftri_otlp_traces_from_json(ftri_view_of(visit_json, sizeof visit_json - 1),
                                                &bytes, &counts, &error),
                     0);
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(&bytes));
    assert_true(ftri_otlp_cursor_next(&cursor, &span));
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct search search;
        const char *problem = NULL;
        search_init(&search, 1);
        assert_int_equal(add_tags(&search, rows[i].json, &problem), 0);
        if (conditions_check(&search.conditions, span) != rows[i].checked)
            fail_msg("%s", rows[i].json);
        search_deinit(&search);
    }
    ftri_bytes_deinit(&bytes);
}

static void test_conditions_are_bounded(void **state)
{
    (void)state;
    struct conditions conditions;
    static char value[CONDITIONS_TEXT_BYTES];
    conditions_init(&conditions);
    for (size_t i = 0; i < CONDITIONS_MAX; i++)
        assert_int_equal(conditions_add(&conditions, FTR_STR("k"), FTR_STR("v")), 0);
    assert_int_equal(conditions_add(&conditions, FTR_STR("k"), FTR_STR("v")), -EMSGSIZE);
    conditions_deinit(&conditions);
    conditions_init(&conditions);
    memset(value, 'v', sizeof value);
    assert_int_equal(conditions_add(&conditions, FTR_STR("k"), (ftr_str){value, sizeof value}),
                     -EMSGSIZE);
    assert_int_equal(conditions.n, 0);
    assert_int_equal(conditions.text.len, 0);
    conditions_deinit(&conditions);
}

static void test_error_becomes_the_status(void **state)
{
    (void)state;
    struct search search;
    search_init(&search, 1);
    assert_int_equal(search_add_tag(&search, FTR_STR("error"), FTR_STR("true")), 0);
    assert_int_equal(search.query.status, STORE_STATUS_ERROR);
    assert_int_equal(search_add_tag(&search, FTR_STR("error"), FTR_STR("false")), 0);
    assert_int_equal(search.query.status, STORE_STATUS_OK);
    assert_int_equal(search.conditions.n, 0);
    assert_int_equal(search_add_tag(&search, FTR_STR("error"), FTR_STR("E42")), 0);
    assert_int_equal(search.conditions.n, 1);
    search_deinit(&search);
}

/* The window holds the starts of called spans, both ends included. */
static void test_calls_in_the_window_are_counted(void **state)
{
    struct fixture *const f = *state;
    static const struct {
        uint64_t start_min_ns, start_max_ns;
        uint64_t n_calls;
    } rows[] = {{0, 9999, 2}, {2000, 3999, 1}, {4000, 4000, 1}, {2001, 3999, 0}};
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct dependencies dependencies;
        struct dependency *links = NULL;
        size_t n = 0;
        dependencies_init(&dependencies, rows[i].start_min_ns, rows[i].start_max_ns);
        assert_int_equal(dependencies_add_trace(&dependencies, f->spans, N_SPANS), 0);
        assert_int_equal(dependencies_list(&dependencies, &links, &n), 0);
        assert_int_equal(n, rows[i].n_calls ? 1 : 0);
        if (n) {
            assert_memory_equal(links[0].parent.data, "a", links[0].parent.len);
            assert_memory_equal(links[0].child.data, "b", links[0].child.len);
            assert_int_equal(links[0].n_calls, rows[i].n_calls);
        }
        ftri_free(links);
        dependencies_deinit(&dependencies);
    }
}

/* Everything above once more, as far as memory allows. */
static int do_all(struct fixture *f, struct ftri_bytes *out)
{
    struct search search;
    struct dependencies dependencies;
    struct dependency *links = NULL;
    struct ftri_json_writer json;
    const char *problem;
    size_t n = 0;
    search_init(&search, 1);
    dependencies_init(&dependencies, 0, UINT64_MAX);
    ftri_json_writer_init(&json, out);
    int r = add_tags(&search, "{\"list\":\"\\u005b0.5]\"}", &problem);
    if (r == 0)
        r = conditions_check(&search.conditions, &f->spans[0]);
    if (r == 0)
        r = dependencies_add_trace(&dependencies, f->spans, N_SPANS);
    if (r == 0)
        r = dependencies_list(&dependencies, &links, &n);
    if (r == 0)
        r = summary_write(&json, f->spans, N_SPANS);
    ftri_free(links);
    search_deinit(&search);
    dependencies_deinit(&dependencies);
    return r == 0 ? ftri_json_writer_status(&json) : r;
}

static void test_every_failing_allocation(void **state)
{
    struct fixture *const f = *state;
    static const char expected[] =
        "{\"traceId\":\"" TRACE "\",\"rootServiceName\":\"a\",\"rootOperationName\":\"root\","
        "\"minStartTimeUnixNano\":\"1000\",\"maxEndTimeUnixNano\":\"9500\",\"spanCount\":3,"
        "\"errorSpanCount\":1,\"orphanSpanCount\":0,\"services\":["
        "{\"name\":\"a\",\"spanCount\":1,\"errorSpanCount\":0},"
        "{\"name\":\"b\",\"spanCount\":2,\"errorSpanCount\":1}]}";
    struct ftri_bytes out;
    int r = -ENOMEM;
    for (uint64_t i = 1; r == -ENOMEM; i++) {
        ftri_bytes_init(&out, 1 << 20);
        ftri_mem_fail_at(i);
        r = do_all(f, &out);
        ftri_mem_fail_at(0);
        if (r == 0) {
            assert_int_equal(out.len, sizeof expected - 1);
            assert_memory_equal(out.data, expected, out.len);
            assert_true(i > 5);
        }
        ftri_bytes_deinit(&out);
        assert_true(i < 200);
    }
    assert_int_equal(r, 0);
}

static void ignore_settled(void *argument)
{
    (void)argument;
}

/* A memory store with n traces of one span each, named n, its attribute k = v. */
static struct store *open_store(size_t n)
{
    struct store_options options;
    struct store *store = NULL;
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    store_options_default(&options, "memory");
    options.retention_ns = 0;
    options.on_settled = ignore_settled;
    assert_int_equal(store_open(&options, &store, NULL), 0);
    for (size_t i = 1; i <= n; i++) {
        char json[512];
        struct ftri_bytes bytes;
        snprintf(json, sizeof json,
                 "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"%032zx\","
                 "\"spanId\":\"0000000000000001\",\"name\":\"n\",\"startTimeUnixNano\":\"%zu\","
                 "\"endTimeUnixNano\":\"9999\",\"attributes\":[{\"key\":\"k\",\"value\":"
                 "{\"stringValue\":\"v\"}}]}]}]}]}",
                 i, i);
        ftri_bytes_init(&bytes, 4096);
        assert_int_equal(
            ftri_otlp_traces_from_json(ftri_view_of(json, strlen(json)), &bytes, &counts, &error),
            0);
        struct ftri_payload *const payload = ftri_payload_new(&bytes);
        assert_int_equal(store_append(store, payload, 1, i), 0);
        ftri_payload_unref(payload);
    }
    return store;
}

/* Three seconds pass with every trace; two fit into the time that a bounded search has. */
static int visit_slowly(void *argument, const struct store_result *trace)
{
    size_t *const n_visited = argument;
    assert_int_equal(trace->n_spans, 1);
    ftri_time_fake(ftri_time_monotonic_ns() + 3 * FTRI_NS_PER_S, 1);
    ++*n_visited;
    return 0;
}

static void test_a_bounded_search_ends_in_time(void **state)
{
    (void)state;
    static const struct {
        bool has_condition, is_bounded;
        size_t limit, n_visited;
        bool is_cut;
    } rows[] = {{false, false, 9, 5, false}, {false, false, 3, 3, false},
                {true, false, 9, 2, true},   {false, true, 9, 2, true},
                {true, false, 2, 2, false},  {true, false, 1, 1, false}};
    struct store *const store = open_store(5);
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct search search;
        size_t n_visited = 0;
        bool is_cut = !rows[i].is_cut;
        const struct search_visitor visitor = {visit_slowly, &n_visited};
        search_init(&search, rows[i].limit);
        search.is_bounded = rows[i].is_bounded;
        if (rows[i].has_condition)
            assert_int_equal(search_add_tag(&search, FTR_STR("k"), FTR_STR("v")), 0);
        ftri_time_fake(FTRI_NS_PER_S, 1);
        assert_int_equal(search_run(store, &search, &visitor, &is_cut), 0);
        ftri_time_real();
        assert_int_equal(n_visited, rows[i].n_visited);
        assert_int_equal(is_cut, rows[i].is_cut);
        search_deinit(&search);
    }
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags_out_of_json),
        cmocka_unit_test(test_names_of_other_conventions),
        cmocka_unit_test(test_conditions_are_bounded),
        cmocka_unit_test(test_error_becomes_the_status),
        cmocka_unit_test(test_calls_in_the_window_are_counted),
        cmocka_unit_test(test_every_failing_allocation),
        cmocka_unit_test(test_a_bounded_search_ends_in_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
