/* SPDX-License-Identifier: Apache-2.0
 *
 * The test kit: trees, differences, isolation of tests that run side by side, short memory. */
#include <flowtrace/flowtrace.h>
#include <flowtrace/testing.h>
#include <flowtrace/user_scope.h>

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static ftr_test *begin(void)
{
    ftr_error error = {FTR_OK, ""};
    ftr_test *test = ftr_test_begin(&error);
    if (!test)
        fail_msg("%s", error.text);
    return test;
}

struct scope {
    ftr_span span;
    ftr_attachment attachment;
};

static struct scope enter(const char *name)
{
    struct scope scope = {.span = ftr_span_start(ftr_str_from(name), FTR_KIND_INTERNAL, NULL)};
    ftr_context context = ftr_span_context_of(scope.span);
    scope.attachment = ftr_attach(&context);
    ftr_context_release(&context);
    return scope;
}

static void leave(struct scope scope)
{
    ftr_detach(scope.attachment);
    ftr_span_end(scope.span);
}

static void leaf(const char *name)
{
    leave(enter(name));
}

static void parse(void)
{
    const struct scope scope = enter("parse");
    leaf("read");
    leaf("decode");
    leave(scope);
}

static void assert_matches(ftr_test *test, const char *expected, const ftr_test_shown *shown)
{
    char why[4096] = "";
    if (!ftr_test_matches(test, expected, shown, why, sizeof why))
        fail_msg("%s", why);
    assert_string_equal(why, "");
}

static void assert_differs(ftr_test *test, const char *expected, const ftr_test_shown *shown,
                           const char *difference)
{
    char why[4096];
    assert_false(ftr_test_matches(test, expected, shown, why, sizeof why));
    assert_string_equal(why, difference);
}

static void test_a_tree_without_its_details(void **state)
{
    (void)state;
    ftr_test *test = begin();
    assert_matches(test, "", NULL);
    parse();
    assert_matches(test, "parse{ read decode }", NULL);
    assert_matches(test, " parse {\n  read{}\tdecode\n}\n", NULL);
    leaf("write");
    assert_matches(test, "parse{read decode}write", NULL);
    char text[64];
    assert_int_equal(ftr_test_tree(test, NULL, text, sizeof text), 26);
    assert_string_equal(text, "parse{ read decode } write");
    assert_int_equal(ftr_test_tree(test, NULL, text, 6), 26);
    assert_string_equal(text, "parse");
    assert_int_equal(ftr_memory_spans_count(ftr_test_spans(test)), 4);
    ftr_test_end(test);
    assert_int_equal(ftr_get_mode(), FTR_MODE_OFF);
    ftr_test_end(NULL);
}

static void test_differences_are_lines(void **state)
{
    (void)state;
    ftr_test *test = begin();
    parse();
    assert_differs(test, "parse{ read check decode }", NULL,
                   "  parse\n    read\n-   check\n    decode\n");
    assert_differs(test, "parse{ read decode{ utf8 } }", NULL,
                   "  parse\n    read\n    decode\n-     utf8\n");
    assert_differs(test, "parse{ decode read }", NULL,
                   "  parse\n-   decode\n-   read\n+   read\n+   decode\n");
    assert_differs(test, "parse read decode", NULL,
                   "  parse\n- read\n- decode\n+   read\n+   decode\n");
    assert_differs(test, "", NULL, "+ parse\n+   read\n+   decode\n");
    char why[8];
    assert_false(ftr_test_matches(test, "", NULL, why, sizeof why));
    assert_string_equal(why, "+ parse");
    assert_false(ftr_test_matches(test, "", NULL, NULL, 0));
    const struct scope scope = enter("late");
    assert_differs(test, "parse{ read decode } late", NULL,
                   "  parse\n    read\n    decode\n- late\nstill open: late\n");
    leave(scope);
    ftr_test_end(test);
}

static void record_details(void)
{
    const ftr_value items[] = {ftr_value_i64(1), ftr_value_bool(true)};
    const ftr_attribute map[] = {{FTR_STR("k"), ftr_value_f64(0.5)}};
    const struct scope scope = enter("two words");
    ftr_span_set_i64(scope.span, FTR_STR("rows"), 7);
    ftr_span_set_str(scope.span, FTR_STR("file"), FTR_STR("a \"b\""));
    const ftr_value array = ftr_value_array(items, 2);
    const ftr_value nested = ftr_value_map(map, 1);
    ftr_span_set(scope.span, FTR_STR("list"), &array);
    ftr_span_set(scope.span, FTR_STR("a map"), &nested);
    ftr_span_event(scope.span, FTR_STR("z first"), NULL, 0);
    ftr_span_event(scope.span, FTR_STR("a"), NULL, 0);
    ftr_span_set_status(scope.span, FTR_SPAN_ERROR, FTR_STR("no"));
    leave(scope);
}

static void test_details_when_asked_for(void **state)
{
    (void)state;
    ftr_test *test = begin();
    record_details();
    assert_matches(test, "\"two words\"", NULL);
    ftr_test_shown shown = {.size = sizeof shown, .attributes = true};
    assert_matches(
        test, "\"two words\"( rows=7 list=[1,true] file=\"a \\\"b\\\"\" \"a map\"={\"k\":0.5})",
        &shown);
    assert_differs(test, "\"two words\"", &shown,
                   "- \"two words\"\n+ \"two words\"(\"a map\"={\"k\":0.5} file=\"a \\\"b\\\"\" "
                   "list=[1,true] rows=7)\n");
    shown = (ftr_test_shown){.size = sizeof shown, .events = true};
    assert_matches(test, "\"two words\"(!\"z first\" !a)", &shown);
    assert_false(ftr_test_matches(test, "\"two words\"(!a !\"z first\")", &shown, NULL, 0));
    shown = (ftr_test_shown){.size = sizeof shown, .kind = true, .status = true};
    assert_matches(test, "\"two words\"(kind=\"internal\" status=\"error\" description=\"no\")",
                   &shown);
    shown.size = offsetof(ftr_test_shown, kind); /* of an earlier version */
    assert_matches(test, "\"two words\"", &shown);
    ftr_test_end(test);
}

static void test_times_and_links_when_asked_for(void **state)
{
    (void)state;
    ftr_test *test = begin();
    const ftr_link link = {.context = ftr_test_context(test)};
    const ftr_span_options options = {.size = sizeof options,
                                      .name = FTR_STR("s"),
                                      .start_time_ns = 1000,
                                      .links = &link,
                                      .n_links = 1};
    ftr_span_end_at(ftr_span_start_with(&options), 2500);
    const ftr_test_shown shown = {
        .size = sizeof shown, .links = true, .start_time = true, .end_time = true};
    assert_matches(test, "s(start=1000 end=2500 links=1)", &shown);
    ftr_test_end(test);
}

static void test_siblings_in_any_order(void **state)
{
    (void)state;
    ftr_test *test = begin();
    const struct scope scope = enter("top");
    const struct scope second = enter("b");
    leaf("y");
    leaf("x");
    leave(second);
    leaf("a");
    leave(scope);
    const ftr_test_shown shown = {.size = sizeof shown, .any_order = true};
    assert_matches(test, "top{ a b{ x y } }", &shown);
    assert_matches(test, "top{ b{ y x } a }", &shown);
    assert_differs(test, "top{ a b{ x } }", &shown, "  top\n    a\n    b\n      x\n+     y\n");
    assert_differs(test, "top{ a b{ x y } }", NULL,
                   "  top\n-   a\n-   b\n-     x\n-     y\n+   b\n+     y\n+     x\n+   a\n");
    ftr_test_end(test);
}

static void test_what_it_writes_it_reads(void **state)
{
    (void)state;
    static const char *const names[] = {"a",    "a b", "",    "{",  "}",           "(",   "a\"b",
                                        "a\\b", "\n",  "a=b", "!a", "caf\xc3\xa9", "a,b", "GET /x"};
    char text[1024];
    const ftr_test_shown shown = {.size = sizeof shown, .attributes = true, .events = true};
    ftr_test *test = begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct scope scope = enter(names[i]);
        ftr_span_event(scope.span, ftr_str_from(names[i]), NULL, 0);
        ftr_span_set_str(scope.span, FTR_STR("k"), ftr_str_from(names[i]));
        leaf("leaf");
        leave(scope);
    }
    assert_in_range(ftr_test_tree(test, &shown, text, sizeof text), 100, sizeof text - 1);
    assert_matches(test, text, &shown);
    ftr_test_end(test);
}

static void test_what_cannot_be_read_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {{"{", 0},    {"a{", 2},      {"a}", 1},      {"a{b", 3},     {"a(", 2},
                 {"a(b", 3},  {"a)", 1},      {"(x)", 0},     {"\"a", 0},     {"a{}{}", 3},
                 {"a{}}", 3}, {"a(x)(y)", 4}, {"\"\\q\"", 0}, {"a(k=\"x)", 4}};
    ftr_test *test = begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[128];
        snprintf(expected, sizeof expected,
                 "the expected tree cannot be read from character %zu on\n", cases[i].at);
        assert_differs(test, cases[i].text, NULL, expected);
    }
    char deep[402];
    for (size_t i = 0; i < 200; i++)
        memcpy(deep + 2 * i, "a{", 2);
    memcpy(deep + 400, "b", 2);
    char expected[128];
    snprintf(expected, sizeof expected, "the expected tree cannot be read from character %d on\n",
             401);
    assert_differs(test, deep, NULL, expected);
    ftr_test_end(test);
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    struct scope scopes[201];
    ftr_test *test = begin();
    for (int i = 0; i < 201; i++)
        scopes[i] = enter("d");
    for (int i = 201; i > 0; i--)
        leave(scopes[i - 1]);
    assert_differs(test, "", NULL, "the recorded tree is deeper than 200\n");
    assert_true(ftr_test_tree(test, NULL, NULL, 0) == SIZE_MAX);
    ftr_test_end(test);
}

/* ---- isolation ---- */

static void *work_elsewhere(void *argument)
{
    const ftr_attachment attachment = ftr_attach(argument);
    leaf("elsewhere");
    ftr_detach(attachment);
    leaf("stray");
    return NULL;
}

static void test_other_threads_take_part_by_the_context(void **state)
{
    (void)state;
    pthread_t thread;
    ftr_test *test = begin();
    const struct scope scope = enter("here");
    ftr_context current = ftr_context_current();
    assert_int_equal(pthread_create(&thread, NULL, work_elsewhere, &current), 0);
    pthread_join(thread, NULL);
    leave(scope);
    ftr_context_release(&current);
    assert_matches(test, "here{ elsewhere }", NULL);
    ftr_test_end(test);
}

static void test_a_new_trace_can_be_added(void **state)
{
    (void)state;
    ftr_test *test = begin();
    const ftr_span_options options = {
        .size = sizeof options, .name = FTR_STR("tick"), .is_root = true};
    ftr_span_end(ftr_span_start_with(&options));
    assert_matches(test, "", NULL);
    const ftr_span span = ftr_span_start_with(&options);
    ftr_context context = ftr_span_context_of(span);
    assert_true(ftr_test_add_trace(test, &context.span.trace_id));
    ftr_span_end(span);
    assert_matches(test, "tick", NULL);
    for (int i = 0; i < 62; i++)
        assert_true(ftr_test_add_trace(test, &context.span.trace_id));
    assert_false(ftr_test_add_trace(test, &context.span.trace_id));
    ftr_context_release(&context);
    ftr_test_end(test);
}

enum { THREADS = 6, ROUNDS = 40 };

static void *run_many(void *argument)
{
    const long number = (long)(intptr_t)argument;
    size_t n_failed = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char name[32];
        char expected[128];
        char why[512];
        ftr_test *test = ftr_test_begin(NULL);
        snprintf(name, sizeof name, "t%ld-%d", number, i);
        snprintf(expected, sizeof expected, "%s{ parse{ read decode } }", name);
        const struct scope scope = enter(name);
        parse();
        leave(scope);
        if (!ftr_test_matches(test, expected, NULL, why, sizeof why)) {
            n_failed++;
            print_message("%s", why);
        }
        ftr_test_end(test);
    }
    return (void *)(intptr_t)n_failed;
}

static void test_tests_side_by_side_do_not_see_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *n_failed;
        pthread_join(threads[i], &n_failed);
        assert_null(n_failed);
    }
    assert_int_equal(ftr_get_mode(), FTR_MODE_OFF);
}

/* ---- set-up ---- */

static void test_a_program_that_sets_the_library_up_itself(void **state)
{
    (void)state;
    ftr_error error;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    assert_null(ftr_test_begin(&error));
    assert_int_equal(error.status, FTR_ERR_STATE);
    assert_non_null(strstr(error.text, "ftr_test_exporter_new"));
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);

    ftr_exporter *exporter = ftr_test_exporter_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    leaf("of nobody");
    ftr_test *test = begin();
    leaf("mine");
    assert_matches(test, "mine", NULL);
    ftr_test_end(test);
    assert_int_equal(ftr_get_mode(), FTR_MODE_FULL);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
}

static void test_short_memory_never_matches(void **state)
{
    (void)state;
    ftr_test *test = begin();
    record_details();
    const ftr_test_shown shown = {.size = sizeof shown, .attributes = true, .any_order = true};
    (void)ftr_test_spans(test);
    size_t n_failures = 0;
    for (uint64_t n = 1; n < 1000; n++) {
        char why[256];
        ftri_mem_fail_at(n);
        const bool is_same = ftr_test_matches(test, "\"two words\"", &shown, why, sizeof why);
        const bool is_over = ftri_mem_requests() < n;
        ftri_mem_fail_at(0);
        assert_false(is_same);
        if (is_over)
            break;
        n_failures++;
    }
    assert_in_range(n_failures, 5, 900);
    ftr_test_end(test);
    for (uint64_t n = 1; n < 1000; n++) {
        ftri_mem_fail_at(n);
        test = ftr_test_begin(NULL);
        const bool is_over = test && ftri_mem_requests() < n;
        ftri_mem_fail_at(0);
        ftr_test_end(test);
        if (is_over)
            break;
    }
}

/* ---- user spans ---- */

static void serve(const char *customer)
{
    const ftr_str text = ftr_str_from(customer);
    const ftr_routing routing = ftr_text_routing_of(&text);
    FTR_DUAL_SPAN(outside, "outside");
    FTR_USER_TRACE(request, "request", &routing, NULL);
    FTR_DUAL_SPAN(lookup, "lookup");
    FTR_USER_SPAN(cache, "cache");
}

static void *serve_in_a_test(void *argument)
{
    ftr_test *test = begin();
    char why[2048];
    for (int i = 0; i < 3; i++)
        serve(argument);
    if (!ftr_test_user_matches(test,
                               "request{ lookup{ cache } } request{ lookup{ cache } } "
                               "request{ lookup{ cache } }",
                               NULL, why, sizeof why))
        fail_msg("%s", why);
    ftr_memory_spans *spans = ftr_test_user_spans(test);
    for (size_t i = 0; i < ftr_memory_spans_count(spans); i++) {
        const ftr_str routing = ftr_memory_spans_routing(spans, i);
        assert_int_equal(routing.len, strlen(argument));
        assert_memory_equal(routing.data, argument, routing.len);
    }
    ftr_test_end(test);
    return NULL;
}

static void test_user_spans_have_a_sink_of_their_own(void **state)
{
    (void)state;
    char tree[256];
    char why[2048];
    ftr_test *test = begin();
    serve("a");
    assert_true(ftr_test_user_matches(test, "request{ lookup{ cache } }", NULL, why, sizeof why));
    assert_true(ftr_test_matches(test, "outside{ lookup }", NULL, why, sizeof why));
    assert_false(ftr_test_user_matches(test, "request{ lookup }", NULL, why, sizeof why));
    assert_non_null(strstr(why, "cache"));
    (void)ftr_test_user_tree(test, NULL, tree, sizeof tree);
    assert_string_equal(tree, "request{ lookup{ cache } }");
    ftr_test_end(test);
}

static void test_user_traces_beyond_the_bound_are_told(void **state)
{
    (void)state;
    enum { SEEN = 64, MORE = 3 };
    char expected[SEEN * 8 + 1] = "";
    char why[2048];
    ftr_test *test = begin();
    const ftr_str customer = FTR_STR("c1");
    const ftr_routing routing = ftr_text_routing_of(&customer);
    for (int i = 0; i < SEEN + MORE; i++)
        ftr_span_end(ftr_user_trace_start(FTR_STR("request"), &routing, NULL));
    for (int i = 0; i < SEEN; i++)
        memcpy(expected + i * 8, "request ", 9);
    assert_false(ftr_test_user_matches(test, expected, NULL, why, sizeof why));
    assert_string_equal(why, "traces that are not seen, beyond the first 64: 3\n");
    ftr_test_end(test);
}

static void test_user_spans_of_tests_side_by_side(void **state)
{
    (void)state;
    static char customers[4][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, serve_in_a_test, customers[i]), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_spans_have_a_sink_of_their_own),
        cmocka_unit_test(test_user_traces_beyond_the_bound_are_told),
        cmocka_unit_test(test_user_spans_of_tests_side_by_side),
        cmocka_unit_test(test_a_tree_without_its_details),
        cmocka_unit_test(test_differences_are_lines),
        cmocka_unit_test(test_details_when_asked_for),
        cmocka_unit_test(test_times_and_links_when_asked_for),
        cmocka_unit_test(test_siblings_in_any_order),
        cmocka_unit_test(test_what_it_writes_it_reads),
        cmocka_unit_test(test_what_cannot_be_read_is_told),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_other_threads_take_part_by_the_context),
        cmocka_unit_test(test_a_new_trace_can_be_added),
        cmocka_unit_test(test_tests_side_by_side_do_not_see_each_other),
        cmocka_unit_test(test_a_program_that_sets_the_library_up_itself),
        cmocka_unit_test(test_short_memory_never_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
