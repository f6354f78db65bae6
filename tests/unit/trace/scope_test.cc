/* SPDX-License-Identifier: Apache-2.0
 *
 * scope.h from C++: guards end spans when an exception passes, overloads choose the value's type,
 * nothing is evaluated that nobody records. */
#include <flowtrace/flowtrace.h>
#include <flowtrace/user_scope.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
            std::exit(1);                                                                          \
        }                                                                                          \
    } while (0)

static const uint64_t second = 1000000000;
static int n_evaluated;

static std::string evaluated()
{
    n_evaluated++;
    return "text";
}

static ftr_span_data span_at(ftr_memory_spans *spans, size_t i)
{
    ftr_span_data span;
    CHECK(ftr_flush(5 * second) == FTR_OK);
    CHECK(ftr_memory_spans_get(spans, i, &span));
    return span;
}

static ftr_value value_of(const ftr_span_data &span, std::string_view key)
{
    for (size_t i = 0; i < span.n_attributes; i++)
        if (std::string_view(span.attributes[i].key.data, span.attributes[i].key.len) == key)
            return span.attributes[i].value;
    std::fprintf(stderr, "no attribute %s\n", std::string(key).c_str());
    std::exit(1);
}

static std::string text_of(const ftr_span_data &span, std::string_view key)
{
    const ftr_value value = value_of(span, key);
    CHECK(value.type == FTR_VALUE_STR);
    return std::string(value.as.str.data, value.as.str.len);
}

static void throw_from_within()
{
    FTR_SPAN(outer, "outer");
    FTR_SPAN_BELOW(inner, "inner", FTR_KIND_CLIENT, nullptr);
    FTR_SPAN_STATUS(inner, FTR_SPAN_ERROR, FTR_STR("thrown"));
    throw std::runtime_error("thrown");
}

static void set_values()
{
    char written[] = "written";
    FTR_SPAN(typed, "typed");
    FTR_SPAN_SET(typed, "bool", true);
    FTR_SPAN_SET(typed, "char", 'a');
    FTR_SPAN_SET(typed, "short", static_cast<short>(-2));
    FTR_SPAN_SET(typed, "unsigned", 4294967295U);
    FTR_SPAN_SET(typed, "size", std::string("abc").size());
    FTR_SPAN_SET(typed, "largest", UINT64_MAX);
    FTR_SPAN_SET(typed, "float", 0.5F);
    FTR_SPAN_SET(typed, "literal", "literal");
    FTR_SPAN_SET(typed, "written", written);
    FTR_SPAN_SET(typed, "string", evaluated());
    FTR_SPAN_SET(typed, "view", std::string_view("viewed", 4));
    FTR_SPAN_SET(typed, "value", ftr_value_i64(9));
    FTR_SPAN_SET_ALL(typed, "at once", true, "all.text", std::string("abc"), "all.size",
                     std::string("abc").size(), "all.largest", UINT64_MAX, "all.written", written);
    FTR_SPAN_EVENT(typed, "plain");
    FTR_SPAN_EVENT_WITH(typed, "event", {FTR_STR("i"), ftr_value_i64(8)},
                        {FTR_STR("b"), ftr_value_bool(true)});
}

static void check_an_exception_ends_the_spans(ftr_memory_spans *spans)
{
    bool is_caught = false;
    try {
        throw_from_within();
    } catch (const std::runtime_error &) {
        is_caught = true;
    }
    CHECK(is_caught);
    char text[FTR_TRACEPARENT_LEN + 1];
    CHECK(!ftr_current_traceparent(text));
    const ftr_span_data inner = span_at(spans, 0);
    const ftr_span_data outer = span_at(spans, 1);
    CHECK(inner.status == FTR_SPAN_ERROR);
    CHECK(inner.kind == FTR_KIND_CLIENT);
    CHECK(std::equal(inner.parent_span_id.bytes, inner.parent_span_id.bytes + 8,
                     outer.context.span_id.bytes));
}

static void check_types(ftr_memory_spans *spans)
{
    set_values();
    const ftr_span_data span = span_at(spans, 0);
    CHECK(value_of(span, "bool").type == FTR_VALUE_BOOL);
    CHECK(value_of(span, "char").as.i64 == 'a');
    CHECK(value_of(span, "short").as.i64 == -2);
    CHECK(value_of(span, "unsigned").as.i64 == 4294967295);
    CHECK(value_of(span, "size").as.i64 == 3);
    CHECK(text_of(span, "largest") == "18446744073709551615");
    CHECK(value_of(span, "float").type == FTR_VALUE_F64 && value_of(span, "float").as.f64 == 0.5);
    CHECK(text_of(span, "literal") == "literal");
    CHECK(text_of(span, "written") == "written");
    CHECK(text_of(span, "string") == "text");
    CHECK(text_of(span, "view") == "view");
    CHECK(value_of(span, "value").as.i64 == 9);
    CHECK(value_of(span, "at once").as.boolean);
    CHECK(text_of(span, "all.text") == "abc");
    CHECK(value_of(span, "all.size").as.i64 == 3);
    CHECK(text_of(span, "all.largest") == "18446744073709551615");
    CHECK(text_of(span, "all.written") == "written");
    CHECK(span.n_events == 2 && span.events[1].n_attributes == 2);
    CHECK(n_evaluated == 1);
}

static void check_an_attached_context_and_mode_off(ftr_memory_spans *spans)
{
    ftr_context unsampled = FTR_CONTEXT_NONE;
    unsampled.span.trace_id.bytes[0] = unsampled.span.span_id.bytes[0] = 1;
    {
        FTR_ATTACHED(guard, &unsampled);
        set_values();
    }
    ftr_set_mode(FTR_MODE_OFF);
    set_values();
    ftr_set_mode(FTR_MODE_FULL);
    CHECK(ftr_flush(5 * second) == FTR_OK);
    CHECK(ftr_memory_spans_count(spans) == 0);
    CHECK(n_evaluated == 1);
}

static void serve()
{
    FTR_DUAL_FUNCTION(serving);
    FTR_SPAN_SET(serving, "who", "operator");
    FTR_USER_SPAN_SET(serving, "who", evaluated());
    FTR_USER_FUNCTION(user);
    FTR_USER_SPAN_SET_ALL(user, "n", 1, "view", std::string_view("view"));
    FTR_USER_SPAN_EVENT_WITH(user, "hit", {FTR_STR("n"), ftr_value_i64(1)});
    FTR_USER_SPAN_STATUS(user, FTR_SPAN_OK, FTR_STR(""));
    FTR_FUNCTION(system);
    throw std::runtime_error("left");
}

static void check_user_scopes(ftr_memory_spans *systems, ftr_memory_spans *users)
{
    const int n_before = n_evaluated;
    const ftr_str text = FTR_STR("c1");
    const ftr_routing routing = ftr_text_routing_of(&text);
    for (int i = 0; i < 2; i++) {
        try {
            serve(); /* nobody's */
            CHECK(false);
        } catch (const std::runtime_error &) {
        }
    }
    CHECK(n_evaluated == n_before);
    CHECK(ftr_flush(5 * second) == FTR_OK && ftr_memory_spans_count(users) == 0);
    ftr_memory_spans_reset(systems);
    {
        FTR_USER_TRACE(request, "request", &routing, nullptr);
        try {
            serve();
            CHECK(false);
        } catch (const std::runtime_error &) {
        }
        CHECK(ftr_user_is_active(nullptr));
    }
    CHECK(!ftr_user_is_active(nullptr));
    CHECK(n_evaluated == n_before + 1);
    const ftr_span_data inner = span_at(users, 0);
    const ftr_span_data outer = span_at(users, 1);
    CHECK(ftr_memory_spans_count(users) == 3 && ftr_memory_spans_count(systems) == 2);
    CHECK(text_of(inner, "view") == "view" && inner.n_events == 1);
    CHECK(text_of(outer, "who") == "text");
    CHECK(text_of(span_at(systems, 1), "who") == "operator");
    CHECK(std::string_view(outer.name.data, outer.name.len) == "serve");
    CHECK(std::equal(inner.parent_span_id.bytes, inner.parent_span_id.bytes + 8,
                     outer.context.span_id.bytes));
}

int main()
{
    ftr_memory_spans *spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    ftr_memory_spans *users = ftr_memory_spans_new();
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    user.is_enabled = true;
    user.exporter = ftr_memory_exporter_new(users);
    config.user = &user;
    CHECK(ftr_init(&config, nullptr) == FTR_OK);
    check_an_exception_ends_the_spans(spans);
    ftr_memory_spans_reset(spans);
    check_types(spans);
    ftr_memory_spans_reset(spans);
    check_an_attached_context_and_mode_off(spans);
    check_user_scopes(spans, users);
    ftr_statistics statistics = {};
    statistics.size = sizeof statistics;
    ftr_get_statistics(&statistics);
    CHECK(statistics.stale == 0 && statistics.open == 0);
    CHECK(ftr_shutdown(5 * second) == FTR_OK);
    ftr_memory_spans_unref(spans);
    ftr_memory_spans_unref(users);
    return 0;
}
