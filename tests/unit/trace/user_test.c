/* SPDX-License-Identifier: Apache-2.0
 *
 * User spans beside system spans: what is recorded below a user root, where it goes and where it
 * never goes. docs/user-tracing.md. */
#include "users.h"

#include <flowtrace/live.h>
#include <flowtrace/tap.h>
#include <pthread.h>
#include <stdio.h>

static int n_evaluated;

static int evaluated(void)
{
    return ++n_evaluated;
}

static void test_without_a_root_there_is_nothing(void **state)
{
    (void)state;
    start_both();
    n_evaluated = 0;
    {
        FTR_SPAN(system, "system");
        FTR_USER_SPAN(user, "user");
        FTR_USER_SPAN_SET(user, "n", evaluated());
        FTR_USER_SPAN_SET_ALL(user, "n", evaluated());
        FTR_USER_SPAN_EVENT(user, "event");
        FTR_USER_SPAN_EVENT_WITH(user, "event", {FTR_STR("n"), ftr_value_i64(evaluated())});
        FTR_DUAL_SPAN(both, "both");
        FTR_USER_SPAN_SET(both, "n", evaluated());
        FTR_SPAN_SET(both, "n", 1);
        assert_int_equal(user.attachment.id, 0);
        ftr_span_end(ftr_user_span_start(FTR_STR("plain"), FTR_KIND_CLIENT, NULL));
    }
    char text[FTR_TRACEPARENT_LEN + 1];
    assert_false(ftr_user_traceparent(text));
    assert_string_equal(text, "");
    assert_int_equal(n_evaluated, 0);
    assert_int_equal(n_user_spans(), 0);
    assert_int_equal(user_counts().started, 0);
    assert_int_equal(n_system_spans(), 2);
    const ftr_span_data both = span_named("both");
    const ftr_span_data system = span_named("system");
    assert_is_child(&both, &system);
    assert_i64_attribute(&both, "n", 1);
    stop_both();
}

static void assert_routing(size_t n, const char *customer)
{
    for (size_t i = 0; i < n; i++)
        assert_text(ftr_memory_spans_routing(user_spans, i), customer);
}

/* The customer's half is never longer than the operator's. */
static void test_halves_of_dual_scopes_lie_in_each_other(void **state)
{
    (void)state;
    enum { N = 100 };
    start_both();
    const ftr_str text = FTR_STR("{\"zoneId\":7}");
    const ftr_routing routing = ftr_text_routing_of(&text);
    {
        FTR_SPAN(system, "system");
        FTR_USER_TRACE(request, "request", &routing, NULL);
        for (int i = 0; i < N; i++) {
            FTR_DUAL_SPAN(both, "both");
            if (i % 2)
                FTR_USER_SPAN_SET(both, "i", i);
        }
    }
    assert_int_equal(n_user_spans(), N + 1);
    assert_int_equal(n_system_spans(), N + 1);
    for (size_t i = 0; i < N; i++) {
        ftr_span_data half, other;
        assert_true(ftr_memory_spans_get(user_spans, i, &half));
        assert_true(ftr_memory_spans_get(spans, i, &other));
        assert_text(half.name, "both");
        assert_text(other.name, "both");
        assert_in_range(half.start_time_ns, other.start_time_ns, other.end_time_ns);
        assert_in_range(half.end_time_ns, half.start_time_ns, other.end_time_ns);
    }
    stop_both();
}

static void test_a_root_makes_a_tree_of_its_own(void **state)
{
    (void)state;
    start_both();
    const ftr_str text = FTR_STR("{\"zoneId\":7}");
    const ftr_routing routing = ftr_text_routing_of(&text);
    {
        FTR_SPAN(system, "system");
        FTR_USER_TRACE(request, "request", &routing, NULL);
        FTR_USER_SPAN_SET(request, "path", "/");
        FTR_DUAL_SPAN(both, "both");
        FTR_USER_SPAN_SET(both, "for", "customer");
        FTR_SPAN_SET(both, "for", "operator");
        FTR_SPAN(inner, "inner");
        FTR_USER_SPAN(leaf, "leaf");
        FTR_USER_SPAN_SET_ALL(leaf, "n", 12, "text", "twelve");
        FTR_USER_SPAN_EVENT_WITH(leaf, "hit", {FTR_STR("shard"), ftr_value_i64(3)});
        FTR_USER_SPAN_STATUS(leaf, FTR_SPAN_ERROR, FTR_STR("late"));
    }
    assert_int_equal(n_user_spans(), 3);
    assert_int_equal(n_system_spans(), 3);
    assert_routing(3, "{\"zoneId\":7}");
    assert_int_equal(ftr_memory_spans_routing(spans, 0).len, 0);
    const ftr_span_data request = user_span_named("request");
    const ftr_span_data both = user_span_named("both");
    const ftr_span_data leaf = user_span_named("leaf");
    const ftr_span_data system_both = span_named("both");
    const ftr_span_data inner = span_named("inner");
    assert_int_equal(request.kind, FTR_KIND_SERVER);
    assert_false(ftr_span_id_is_valid(&request.parent_span_id));
    assert_text_attribute(&request, "path", "/");
    assert_is_child(&both, &request);
    assert_is_child(&leaf, &both);
    assert_is_child(&inner, &system_both);
    assert_memory_not_equal(&both.context.trace_id, &inner.context.trace_id, 16);
    assert_int_equal(both.n_attributes, 1);
    assert_text_attribute(&both, "for", "customer");
    assert_text_attribute(&system_both, "for", "operator");
    assert_i64_attribute(&leaf, "n", 12);
    assert_text_attribute(&leaf, "text", "twelve");
    assert_int_equal(leaf.n_events, 1);
    assert_text(leaf.events[0].name, "hit");
    assert_int_equal(leaf.status, FTR_SPAN_ERROR);
    stop_both();
}

/* Every way in which a span is recorded: short, of a call site, long, with pages, with values at
 * its end, ended by another thread. */
static void *end_it(void *argument)
{
    ftr_span_end(*(const ftr_span *)argument);
    return NULL;
}

static void test_every_way_of_recording_keeps_the_routing(void **state)
{
    (void)state;
    static char large[6000];
    static const ftr_str names[] = {{"a", 1}, {"b", 1}};
    static ftr_keys keys = {0, 2, names};
    const ftr_value values[] = {ftr_value_i64(1), ftr_value_str(FTR_STR("two"))};
    memset(large, 'x', sizeof large);
    start_both();
    const ftr_span root = root_of("root", "c1");
    ftr_context context = ftr_span_context_of(root);
    {
        FTR_ATTACHED(here, &context);
        ftr_span span = ftr_user_span_start(FTR_STR("short"), FTR_KIND_CLIENT, NULL);
        ftr_span_set_str(span, FTR_STR("key"), FTR_STR("value"));
        ftr_span_end(span);
        for (int i = 0; i < 2; i++) {
            span = ftr_user_span_start(FTR_STR("values"), FTR_KIND_CLIENT, NULL);
            ftr_span_end_values(span, &keys, values);
        }
        span = ftr_user_span_start(FTR_STR("a name of more than sixteen bytes"), FTR_KIND_CLIENT,
                                   NULL);
        ftr_span_set_str(span, FTR_STR("large"), (ftr_str){large, sizeof large});
        ftr_span_event(span, FTR_STR("event"), NULL, 0);
        ftr_span_link(span, &context, NULL, 0);
        ftr_span_end(span);
        span = ftr_user_span_start(FTR_STR("elsewhere"), FTR_KIND_CLIENT, NULL);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, end_it, &span), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        span = ftr_user_span_start(FTR_STR("at"), FTR_KIND_CLIENT, NULL);
        ftr_span_set_start_time(span, 1000);
        ftr_span_end_at(span, 3000);
    }
    ftr_context_release(&context);
    ftr_span_end(root);
    assert_int_equal(n_user_spans(), 7);
    assert_routing(7, "c1");
    const ftr_span_data shorter = user_span_named("short");
    const ftr_span_data longer = user_span_named("a name of more than sixteen bytes");
    const ftr_span_data at = user_span_named("at");
    assert_text_attribute(&shorter, "key", "value");
    assert_int_equal(value_of(&longer, "large")->as.str.len, sizeof large);
    assert_int_equal(longer.n_events, 1);
    assert_int_equal(longer.n_links, 1);
    const ftr_span_data root_data = user_span_named("root");
    assert_memory_equal(&longer.links[0].context.span_id, &root_data.context.span_id, 8);
    assert_int_equal(at.end_time_ns - at.start_time_ns, 2000);
    assert_int_equal(n_system_spans(), 0);
    const ftr_statistics of_users = user_counts();
    assert_int_equal(of_users.started, 7);
    assert_int_equal(of_users.ended, 7);
    assert_int_equal(of_users.recorded, 7);
    assert_int_equal(of_users.exporters[0].delivered, 7);
    assert_int_equal(of_users.stale, 0);
    assert_int_equal(of_users.routings, 1);
    assert_int_equal(counts().started, 0);
    stop_both();
}

static void test_the_system_does_not_matter(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    config.sampler = FTR_STR("always_off");
    start_users(&config, &user);
    const ftr_span root = root_of("root", "c1");
    ftr_context context = ftr_span_context_of(root);
    {
        FTR_ATTACHED(here, &context);
        FTR_SPAN(unsampled, "system");
        FTR_DUAL_SPAN(both, "below a root that is sampled out");
        FTR_DUAL_SPAN(below, "once more");
        ftr_context unsampled_context = ftr_span_context_of(below.span);
        assert_memory_equal(&unsampled_context.user, &ftr_context_here->user,
                            sizeof(ftr_span_context));
        ftr_context_release(&unsampled_context);
    }
    ftr_set_mode(FTR_MODE_OFF);
    {
        FTR_ATTACHED(here, &context);
        FTR_DUAL_SPAN(both, "mode off");
        FTR_DUAL_SPAN(below, "below mode off");
        FTR_USER_SPAN_SET(below, "key", 1);
    }
    ftr_context_release(&context);
    ftr_span_end(root);
    assert_int_equal(n_user_spans(), 5);
    assert_int_equal(n_system_spans(), 0);
    const ftr_span_data once_more = user_span_named("once more");
    const ftr_span_data both = user_span_named("below a root that is sampled out");
    const ftr_span_data off = user_span_named("mode off");
    const ftr_span_data below_off = user_span_named("below mode off");
    assert_is_child(&once_more, &both);
    assert_is_child(&below_off, &off);
    assert_i64_attribute(&below_off, "key", 1);
    stop_both();
}

/* ---- where the user span goes ---- */

static void *record_one(void *argument)
{
    FTR_ATTACHED(here, (const ftr_context *)argument);
    FTR_DUAL_SPAN(hopped, "hopped");
    return NULL;
}

static void hop(ftr_context context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, record_one, &context), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ftr_context_release(&context);
}

/* The one user span so far is below the root. */
static void assert_hopped(const ftr_span_context *root)
{
    const ftr_span_data hopped = user_span_named("hopped");
    assert_memory_equal(&hopped.context.trace_id, &root->trace_id, 16);
    assert_memory_equal(&hopped.parent_span_id, &root->span_id, 8);
    ftr_memory_spans_reset(user_spans);
}

static void *record_below(void *argument)
{
    FTR_DUAL_SPAN_BELOW(hopped, "hopped", FTR_KIND_CONSUMER, (const ftr_context *)argument);
    return NULL;
}

static void *record_in_scope_below(void *argument)
{
    FTR_SPAN_BELOW(task, "task", FTR_KIND_CONSUMER, (const ftr_context *)argument);
    FTR_USER_SPAN(hopped, "hopped");
    return NULL;
}

static void run(void *(*function)(void *argument), ftr_context context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, function, &context), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ftr_context_release(&context);
}

static void test_the_user_span_goes_where_contexts_go(void **state)
{
    (void)state;
    start_both();
    const ftr_str text = FTR_STR("c1");
    const ftr_routing routing = ftr_text_routing_of(&text);
    {
        FTR_SPAN(system, "system");
        FTR_USER_TRACE(root, "root", &routing, NULL);
        const ftr_span_context user = ftr_context_here->user;
        hop(ftr_context_current());
        assert_hopped(&user);
        hop(ftr_span_context_of(root.user));
        assert_hopped(&user);
        hop(ftr_span_context_of(system.span)); /* of a system span alone */
        assert_hopped(&user);
        const ftr_span child = ftr_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, NULL);
        hop(ftr_span_context_of(child));
        assert_hopped(&user);
        ftr_span_end(child);
        const ftr_span fork = ftr_span_fork(FTR_STR("fork"), FTR_KIND_INTERNAL, NULL);
        hop(ftr_span_context_of(fork));
        assert_hopped(&user);
        ftr_span_end(fork);
        run(record_below, ftr_context_current());
        assert_hopped(&user);
        run(record_in_scope_below, ftr_context_current());
        assert_hopped(&user);
        ftr_context callback = ftr_context_current();
        const ftr_context nothing = FTR_CONTEXT_NONE;
        {
            FTR_ATTACHED(outside, &nothing);
            assert_false(ftr_user_is_active(NULL));
            FTR_ATTACHED(here, &callback);
            FTR_USER_SPAN(hopped, "hopped");
        }
        ftr_context_release(&callback);
        assert_hopped(&user);
        ftr_dual_span both = ftr_dual_span_start(FTR_STR("both"), FTR_KIND_INTERNAL, NULL);
        ftr_context at_both = ftr_dual_span_context_of(both);
        const ftr_span_context user_of_both = at_both.user;
        hop(at_both);
        ftr_dual_span_end(both);
        const ftr_span_data data = user_span_named("both");
        assert_memory_equal(&data.parent_span_id, &user.span_id, 8);
        assert_hopped(&user_of_both);
    }
    assert_int_equal(user_counts().lost_no_routing, 0);
    stop_both();
}

static bool count_live(void *argument, const ftr_span_data *span)
{
    (void)span;
    ++*(int *)argument;
    return true;
}

static void test_nobody_else_sees_them(void **state)
{
    (void)state;
    int n_live = 0;
    ftr_tap *tap = ftr_tap_new();
    ftr_span_data tapped;
    start_both();
    const ftr_span root = root_of("root", "c1");
    ftr_context context = ftr_span_context_of(root);
    const ftr_value secret = ftr_value_str(FTR_STR("secret"));
    assert_true(ftr_context_set_field(&context, FTR_STR("internal.field"), &secret));
    assert_true(ftr_baggage_set(&context, FTR_STR("internal"), FTR_STR("baggage")));
    const ftr_span child = ftr_user_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, &context);
    ftr_context_release(&context);
    assert_int_equal(ftr_live_spans(count_live, &n_live), FTR_OK);
    assert_int_equal(n_live, 0);
    ftr_span_end(child);
    assert_int_equal(n_user_spans(), 1);
    const ftr_span_data data = user_span_named("child");
    assert_int_equal(data.n_attributes, 0);
    assert_int_equal(ftr_tap_next(tap, 0, &tapped), FTR_ERR_TIMEOUT);
    ftr_span_end(root);
    stop_both();
    ftr_tap_free(tap);
}

/* ---- finish callbacks ---- */

static void say_finished(void *state, ftr_span span)
{
    ftr_span_set_str(span, FTR_STR("finished.for"), ftr_str_from(state));
}

static void test_a_callback_of_users_is_inherited_by_user_spans(void **state)
{
    (void)state;
    static char customer[] = "customer";
    static char operator[] = "operator";
    start_both();
    const ftr_span root = root_of("root", "c1");
    ftr_context context = ftr_span_context_of(root);
    assert_true(ftr_context_set_user_finish_callback(&context, say_finished, customer));
    assert_true(ftr_context_set_finish_callback(&context, say_finished, operator));
    {
        FTR_ATTACHED(here, &context);
        FTR_DUAL_SPAN(both, "both");
        FTR_SPAN(system, "system");
        FTR_USER_SPAN(user, "user");
        FTR_USER_SPAN(skipped, "skipped");
        ftr_span_skip_finish_callback(skipped.user);
    }
    assert_true(ftr_context_set_user_finish_callback(&context, NULL, NULL));
    ftr_span_end(ftr_user_span_start(FTR_STR("without"), FTR_KIND_INTERNAL, &context));
    ftr_context_release(&context);
    ftr_span_end(root);
    assert_int_equal(n_user_spans(), 5);
    const ftr_span_data both = user_span_named("both");
    const ftr_span_data user = user_span_named("user");
    const ftr_span_data skipped = user_span_named("skipped");
    const ftr_span_data without = user_span_named("without");
    const ftr_span_data system = span_named("system");
    const ftr_span_data system_both = span_named("both");
    assert_text_attribute(&both, "finished.for", "customer");
    assert_text_attribute(&user, "finished.for", "customer");
    assert_int_equal(skipped.n_attributes, 0);
    assert_int_equal(without.n_attributes, 0);
    assert_text_attribute(&system, "finished.for", "operator");
    assert_text_attribute(&system_both, "finished.for", "operator");
    stop_both();
}

/* ---- from and to other processes ---- */

static ftr_span_context parsed(const char *header)
{
    ftr_span_context span;
    assert_true(ftr_user_traceparent_parse(ftr_str_from(header), &span));
    return span;
}

static void test_a_root_goes_on_with_an_inbound_trace(void **state)
{
    (void)state;
    static const char *const inbound[] = {"01", "00", "03", "02", "fe"};
    static const char *const outbound[] = {"01", "01", "03", "03", "ff"};
    start_both();
    for (size_t i = 0; i < 5; i++) {
        char header[FTR_TRACEPARENT_LEN + 1];
        char out[FTR_TRACEPARENT_LEN + 1];
        char below[FTR_TRACEPARENT_LEN + 1];
        snprintf(header, sizeof header, "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-%s",
                 inbound[i]);
        const ftr_span_context from = parsed(header);
        const ftr_str text = FTR_STR("c1");
        const ftr_routing routing = ftr_text_routing_of(&text);
        {
            FTR_USER_TRACE(root, "root", &routing, &from);
            assert_true(ftr_user_traceparent(out));
            FTR_USER_SPAN(child, "child");
            assert_true(ftr_user_traceparent(below));
        }
        assert_memory_equal(out, header, 36);
        assert_memory_equal(below, header, 36);
        assert_memory_not_equal(out + 36, header + 36, 16);
        assert_memory_not_equal(out + 36, below + 36, 16);
        assert_string_equal(out + 53, outbound[i]);
        assert_string_equal(below + 53, outbound[i]);
        const ftr_span_data root = user_span_named("root");
        const ftr_span_data child = user_span_named("child");
        assert_memory_equal(&root.context.trace_id, &from.trace_id, 16);
        assert_memory_equal(&root.parent_span_id, &from.span_id, 8);
        assert_true(root.parent_is_remote);
        assert_false(child.parent_is_remote);
        assert_is_child(&child, &root);
        ftr_memory_spans_reset(user_spans);
    }
    stop_both();
}

static void test_what_is_injected_is_the_systems(void **state)
{
    (void)state;
    start_both();
    char text[256];
    ftr_field fields[4];
    ftr_field_list list = {
        .fields = fields, .capacity = 4, .text = text, .text_capacity = sizeof text};
    const ftr_span root = root_of("root", "c1");
    ftr_context context = ftr_span_context_of(root);
    ftr_inject(&context, &ftr_http_carrier, &list);
    assert_int_equal(list.n_fields, 0);
    ftr_context_release(&context);
    ftr_span_end(root);
    stop_both();
}

/* What a header asks for; routing NULL: it is not of the form. */
static void test_control_headers_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *header, *routing;
        bool has_inbound;
    } rows[] = {
        {"-;x", "x", false},
        {" - ;\t x y ", "x y", false},
        {"-; a;b", "a;b", false},
        {"00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01; {}", "{}", true},
        {"", NULL, false},
        {"x", NULL, false},
        {"; x", NULL, false},
        {"-", NULL, false},
        {"-;", NULL, false},
        {"-; \t", NULL, false},
        {"-; a\x7f", NULL, false},
        {"--; x", NULL, false},
        {"01-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01; x", NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ftr_user_control control = {.routing = FTR_STR("untouched")};
        const bool is_one = ftr_user_control_parse(ftr_str_from(rows[i].header), &control);
        const char *expected = rows[i].routing ? rows[i].routing : "untouched";
        assert_int_equal(is_one, rows[i].routing != NULL);
        assert_int_equal(control.has_inbound, rows[i].has_inbound);
        assert_int_equal(control.routing.len, strlen(expected));
        assert_memory_equal(control.routing.data, expected, strlen(expected));
    }
}

static void test_a_control_header_activates(void **state)
{
    (void)state;
    start_both();
    ftr_span_end(ftr_user_trace_activate(
        FTR_STR("asked for"),
        FTR_STR("00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01; {\"zoneId\":7}")));
    ftr_span_end(ftr_user_trace_activate(FTR_STR("new"), FTR_STR(" - ;{\"zoneId\":8}")));
    static const char *const not_such[] = {
        "",
        ";",
        "-;",
        "-; ",
        "{\"zoneId\":7}",
        "x; {\"zoneId\":7}",
        "-; a\rb",
        "-; a\nb",
        "-; \x7f",
        "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01, {\"zoneId\":7}",
        "00-00000000000000000000000000000000-a1b2c3d4e5f60718-01; {}"};
    for (size_t i = 0; i < sizeof not_such / sizeof *not_such; i++) {
        const ftr_span none = ftr_user_trace_activate(FTR_STR("not"), ftr_str_from(not_such[i]));
        assert_int_equal(none.generation, 0);
    }
    assert_int_equal(n_user_spans(), 2);
    const ftr_span_data asked = user_span_named("asked for");
    assert_int_equal(asked.parent_span_id.bytes[0], 0xa1);
    assert_text(ftr_memory_spans_routing(user_spans, 0), "{\"zoneId\":7}");
    assert_text(ftr_memory_spans_routing(user_spans, 1), "{\"zoneId\":8}");
    stop_both();
}

/* ---- off ---- */

static void test_a_pipeline_that_is_off_starts_nothing(void **state)
{
    (void)state;
    start_both();
    const ftr_span root = root_of("root", "c1");
    ftr_context old = ftr_span_context_of(root);
    ftr_span_end(root);
    stop_both();
    assert_int_equal(root_of("after the end", "c1").generation, 0);
    start_standard();
    assert_int_equal(root_of("not enabled", "c1").generation, 0);
    ftr_span_end(ftr_user_span_start(FTR_STR("below an old one"), FTR_KIND_INTERNAL, &old));
    ftr_dual_span_end(ftr_dual_span_start(FTR_STR("both"), FTR_KIND_INTERNAL, &old));
    assert_int_equal(user_counts().started, 0);
    assert_int_equal(n_system_spans(), 1);
    stop();
    /* In the next session the old context is one without routing. */
    start_both();
    ftr_span_end(ftr_user_span_start(FTR_STR("below an old one"), FTR_KIND_INTERNAL, &old));
    assert_int_equal(n_user_spans(), 0);
    assert_int_equal(user_counts().lost_no_routing, 1);
    ftr_context_release(&old);
    stop_both();
    assert_int_equal(user_counts().lost_no_routing, 1);
}

/* The very first slot of the process, whose handle is 0, is a span like any other. */
static void test_the_operators_half_is_whole_without_the_users(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.records_call_sites = true;
    start_both();
    ftr_span_end(ftr_span_start(FTR_STR("first"), FTR_KIND_INTERNAL, NULL));
    const ftr_span root = root_of("root", "c1");
    ftr_context old = ftr_span_context_of(root);
    ftr_span_end(root);
    stop_both();
    start(&config);
    {
        FTR_ATTACHED(here, &old);
        FTR_DUAL_SPAN(both, "both");
        assert_int_equal(both.span.handle, 0);
        assert_int_equal(both.user.generation, 0);
        FTR_SPAN(below, "below");
    }
    const ftr_span_data both = span_named("both"), below = span_named("below");
    assert_is_child(&below, &both);
    assert_non_null(value_of(&both, "code.function.name"));
    ftr_context_release(&old);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_operators_half_is_whole_without_the_users),
        cmocka_unit_test(test_without_a_root_there_is_nothing),
        cmocka_unit_test(test_a_root_makes_a_tree_of_its_own),
        cmocka_unit_test(test_halves_of_dual_scopes_lie_in_each_other),
        cmocka_unit_test(test_every_way_of_recording_keeps_the_routing),
        cmocka_unit_test(test_the_system_does_not_matter),
        cmocka_unit_test(test_the_user_span_goes_where_contexts_go),
        cmocka_unit_test(test_nobody_else_sees_them),
        cmocka_unit_test(test_a_callback_of_users_is_inherited_by_user_spans),
        cmocka_unit_test(test_a_root_goes_on_with_an_inbound_trace),
        cmocka_unit_test(test_what_is_injected_is_the_systems),
        cmocka_unit_test(test_control_headers_are_parsed),
        cmocka_unit_test(test_a_control_header_activates),
        cmocka_unit_test(test_a_pipeline_that_is_off_starts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
