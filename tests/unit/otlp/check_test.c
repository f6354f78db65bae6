/* SPDX-License-Identifier: Apache-2.0
 *
 * The check and the walkers on requests put together field by field with the wire module. */
#include "codec/wire.h"
#include "otlp/view.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A message under construction; a failure to grow ends the test. */
static void put_bytes(struct ftri_bytes *out, uint32_t number, const void *data, size_t len)
{
    assert_int_equal(ftri_wire_put_bytes(out, number, ftri_view_of(data, len)), 0);
}

static void put_text(struct ftri_bytes *out, uint32_t number, const char *text)
{
    put_bytes(out, number, text, strlen(text));
}

static size_t begin(struct ftri_bytes *out, uint32_t number)
{
    size_t mark;
    assert_int_equal(ftri_wire_begin(out, number, &mark), 0);
    return mark;
}

static void end(struct ftri_bytes *out, size_t mark)
{
    assert_int_equal(ftri_wire_end(out, mark), 0);
}

static void put_ids(struct ftri_bytes *out)
{
    put_bytes(out, 1, "\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c", 16);
    put_bytes(out, 2, "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74", 8);
}

/* A request of two good spans and, as the third, `span`. */
static void wrap(struct ftri_bytes *out, struct ftri_view span)
{
    const size_t resource_spans = begin(out, 1);
    const size_t scope_spans = begin(out, 2);
    for (int i = 0; i < 2; i++) {
        const size_t mark = begin(out, 2);
        put_ids(out);
        end(out, mark);
    }
    put_bytes(out, 2, span.data, span.len);
    end(out, scope_spans);
    end(out, resource_spans);
}

/* What the check says about a request with this span. */
static int check_span(struct ftri_view span, struct ftri_otlp_error *ret_error)
{
    struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_counts counts = {0};
    ftri_bytes_init(&request, 1 << 20);
    wrap(&request, span);
    struct ftri_bytes exact FTRI_CLEANUP(ftri_bytes_deinit); /* a read beyond its end is seen */
    ftri_bytes_init(&exact, request.len);
    assert_int_equal(ftri_bytes_append(&exact, request.data, request.len), 0);
    const int r = ftri_otlp_traces_check(ftri_bytes_view(&exact), &counts, ret_error);
    if (r == 0)
        assert_int_equal(counts.n_spans, 3);
    return r;
}

static void test_an_empty_request_is_valid(void **state)
{
    (void)state;
    struct ftri_otlp_counts counts = {.n_spans = 7};
    struct ftri_otlp_error error;
    assert_int_equal(ftri_otlp_traces_check(ftri_view_of(NULL, 0), &counts, &error), 0);
    assert_int_equal(counts.n_spans, 0);
}

/* Fields of one span, written as bytes, and what is wrong with them. */
static void test_wrong_spans_are_named(void **state)
{
    (void)state;
#define PLACE "resourceSpans[0].scopeSpans[0].spans[2]"
    static const char trace_id[] = "\x0a\x10"
                                   "ABCDEFGHIJKLMNOP";
    static const char span_id[] = "\x12\x08"
                                  "ABCDEFGH";
    static const struct {
        bool has_ids;
        const char *fields;
        size_t len;
        const char *path;
        const char *reason;
    } cases[] = {
        {false, "", 0, PLACE ".traceId", "expected 16 bytes, found 0"},
        {false, span_id, 10, PLACE ".traceId", "expected 16 bytes, found 0"},
        {false, trace_id, 18, PLACE ".spanId", "expected 8 bytes, found 0"},
        {true,
         "\x0a\x0c"
         "ABCDEFGHIJKL",
         14, PLACE ".traceId", "expected 16 bytes, found 12"},
        {true, "\x0a\x00", 2, PLACE ".traceId", "expected 16 bytes, found 0"},
        {true, "\x0a\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18, PLACE ".traceId",
         "all bytes are zero"},
        {true, "\x12\x08\0\0\0\0\0\0\0", 10, PLACE ".spanId", "all bytes are zero"},
        {true,
         "\x12\x07"
         "ABCDEFG",
         9, PLACE ".spanId", "expected 8 bytes, found 7"},
        {true,
         "\x22\x04"
         "ABCD",
         6, PLACE ".parentSpanId", "expected 8 bytes, found 4"},
        {true, "\x2a\x02\xc3(", 4, PLACE ".name", "invalid UTF-8"},
        {true, "\x1a\x01\xff", 3, PLACE ".traceState", "invalid UTF-8"},
        {true, "\x28\x01", 2, PLACE ".name", "wrong wire type"},
        {true, "\x38\x01", 2, PLACE ".startTimeUnixNano", "wrong wire type"},
        {true, "\x39\x01", 2, PLACE ".startTimeUnixNano", "cut off"},
        {true, "\x85\x01\x01", 3, PLACE ".flags", "cut off"},
        {true, "\x30\xff", 2, PLACE ".kind", "malformed varint"},
        {true,
         "\x2a\x05"
         "ab",
         4, PLACE ".name", "length goes beyond the end of the message"},
        {true, "\x9b\x06", 2, PLACE, "group or unknown wire type"},
        {true, "\x02\x00", 2, PLACE, "field number 0"},
        {true, "\x80", 1, PLACE, "malformed field tag"},
        {true, "\x4a\x07\x0a\x01k\x12\x02\x20\x01", 9, PLACE ".attributes[0].value.doubleValue",
         "wrong wire type"},
        {true, "\x4a\x00\x4a\x03\x0a\x01\xff", 7, PLACE ".attributes[1].key", "invalid UTF-8"},
        {true, "\x4a\x05\x12\x03\x0a\x01\xff", 7, PLACE ".attributes[0].value.stringValue",
         "invalid UTF-8"},
        {true, "\x4a\x09\x12\x07\x32\x05\x0a\x03\x0a\x01\xff", 11,
         PLACE ".attributes[0].value.kvlistValue.values[0].key", "invalid UTF-8"},
        {true, "\x4a\x0b\x12\x09\x2a\x07\x0a\x00\x0a\x03\x0a\x01\xff", 13,
         PLACE ".attributes[0].value.arrayValue.values[1].stringValue", "invalid UTF-8"},
        {true, "\x5a\x00\x5a\x03\x12\x01\xff", 7, PLACE ".events[1].name", "invalid UTF-8"},
        {true, "\x6a\x03\x0a\x01x", 5, PLACE ".links[0].traceId", "expected 16 bytes, found 1"},
        {true, "\x6a\x03\x12\x01x", 5, PLACE ".links[0].spanId", "expected 8 bytes, found 1"},
        {true, "\x7a\x03\x12\x01\xff", 5, PLACE ".status.message", "invalid UTF-8"},
    };
#undef PLACE
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        struct ftri_bytes span FTRI_CLEANUP(ftri_bytes_deinit);
        struct ftri_otlp_error error = {0};
        ftri_bytes_init(&span, 1000);
        if (cases[i].has_ids)
            put_ids(&span);
        assert_int_equal(ftri_bytes_append(&span, cases[i].fields, cases[i].len), 0);
        const int r = check_span(ftri_bytes_view(&span), &error);
        if (r != -EBADMSG || strcmp(error.path, cases[i].path) != 0 ||
            strcmp(error.reason, cases[i].reason) != 0)
            fail_msg("case %zu: %d %s: %s", i, r, error.path, error.reason);
    }
}

static void test_unknown_and_empty_fields_are_fine(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        size_t len;
    } cases[] = {
        {"", 0},
        {"\x22\x00", 2},                /* no parent */
        {"\x22\x08\0\0\0\0\0\0\0", 10}, /* an all-zero parent is none */
        {"\xa0\x06\x96\x01", 4},        /* unknown 100: varint */
        {"\xa1\x06"
         "ABCDEFGH",
         10}, /* fixed64 */
        {"\xa2\x06\x03"
         "abc",
         6}, /* bytes */
        {"\xa5\x06"
         "ABCD",
         6},                                     /* fixed32 */
        {"\x7a\x02\x08\x07", 4},                 /* Status.1, removed from the protocol */
        {"\x6a\x00", 2},                         /* a link without ids */
        {"\x4a\x02\x12\x00", 4},                 /* an attribute without key, empty value */
        {"\x4a\x06\x12\x04\x42\x02\xff\xff", 8}, /* unknown member of AnyValue */
        {"\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* kind -1 */
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        struct ftri_bytes span FTRI_CLEANUP(ftri_bytes_deinit);
        struct ftri_otlp_error error = {0};
        ftri_bytes_init(&span, 1000);
        put_ids(&span);
        assert_int_equal(ftri_bytes_append(&span, cases[i].fields, cases[i].len), 0);
        const int r = check_span(ftri_bytes_view(&span), &error);
        if (r != 0)
            fail_msg("case %zu: %s: %s", i, error.path, error.reason);
    }
}

/* `n_levels` AnyValue, the innermost an int. */
static void put_nested_value(struct ftri_bytes *out, int n_levels)
{
    size_t marks[2 * 128];
    for (int i = 0; i + 1 < n_levels; i++) {
        marks[2 * i] = begin(out, 5);
        marks[2 * i + 1] = begin(out, 1);
    }
    assert_int_equal(ftri_wire_put_varint(out, 3, 1), 0);
    for (int i = 2 * (n_levels - 1); i-- > 0;)
        end(out, marks[i]);
}

static void test_values_nest_100_levels(void **state)
{
    (void)state;
    for (int n_levels = 99; n_levels <= 102; n_levels++) {
        struct ftri_bytes span FTRI_CLEANUP(ftri_bytes_deinit);
        struct ftri_otlp_error error = {0};
        ftri_bytes_init(&span, 10000);
        put_ids(&span);
        const size_t attribute = begin(&span, 9);
        const size_t value = begin(&span, 2);
        put_nested_value(&span, n_levels);
        end(&span, value);
        end(&span, attribute);
        const int r = check_span(ftri_bytes_view(&span), &error);
        assert_int_equal(r, n_levels <= 100 ? 0 : -EBADMSG);
        if (r < 0)
            assert_string_equal(error.reason, "values nested deeper than 100 levels");
    }
}

/* A request of one span with ids and n times the field. */
static void put_repeated(struct ftri_bytes *out, uint32_t number, size_t n)
{
    const size_t resource_spans = begin(out, 1);
    const size_t scope_spans = begin(out, 2);
    const size_t span = begin(out, 2);
    put_ids(out);
    for (size_t i = 0; i < n; i++)
        put_bytes(out, number, "", 0);
    end(out, span);
    end(out, scope_spans);
    end(out, resource_spans);
}

static void test_counts_are_limited_one_by_one(void **state)
{
    (void)state;
    static const struct {
        uint32_t number;
        size_t limit;
        const char *path;
    } rows[] = {
        {9, 3, "resourceSpans[0].scopeSpans[0].spans[0].attributes"},
        {11, 4, "resourceSpans[0].scopeSpans[0].spans[0].events"},
        {13, 5, "resourceSpans[0].scopeSpans[0].spans[0].links"},
    };
    const struct ftri_otlp_limits limits = {1, 3, 4, 5};
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        for (size_t n = rows[i].limit - 1; n <= rows[i].limit + 1; n++) {
            struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
            struct ftri_otlp_counts counts;
            struct ftri_otlp_error error = {0};
            char reason[64];
            ftri_bytes_init(&request, 1000);
            put_repeated(&request, rows[i].number, n);
            const struct ftri_view bytes = ftri_bytes_view(&request);
            assert_int_equal(ftri_otlp_traces_check(bytes, &counts, &error), 0);
            const int r = ftri_otlp_traces_check_within(bytes, &limits, &counts, &error);
            assert_int_equal(r, n <= rows[i].limit ? 0 : -EBADMSG);
            if (r == 0)
                continue;
            snprintf(reason, sizeof reason, "more than the limit of %zu", rows[i].limit);
            assert_string_equal(error.path, rows[i].path);
            assert_string_equal(error.reason, reason);
        }
    }
}

/* One attribute: key "k", a value of these bytes; then `n_behind` bytes of a name. */
static int check_value(const void *value, size_t len, size_t n_behind,
                       struct ftri_otlp_error *ret_error)
{
    static const char name[64] = "";
    struct ftri_bytes span FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&span, 10000);
    put_ids(&span);
    const size_t attribute = begin(&span, 9);
    put_text(&span, 1, "k");
    put_bytes(&span, 2, value, len);
    end(&span, attribute);
    if (n_behind)
        put_bytes(&span, 5, name, n_behind);
    return check_span(ftri_bytes_view(&span), ret_error);
}

/* Every kind of value, at the request's end and with room to read ahead. */
static void test_values_are_checked_wherever_they_stand(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t len;
        const char *reason; /* NULL: fine */
    } cases[] = {
        {"", 0, NULL},
        {"\x0a\x00", 2, NULL},
        {"\x0a\x03 \xc3\xa9", 5, NULL},
        {"\x0a\x02 \xc3", 4, "invalid UTF-8"},
        {"\x0a\x02 \xc3\x12\x00", 6, "invalid UTF-8"},
        {"\x0a\x20"
         "0123456789abcdef0123456789abcd\xc3\xa9",
         34, NULL},
        {"\x0a\x20"
         "0123456789abcdef0123456789abcde\xc3",
         34, "invalid UTF-8"},
        {"\x0a\x21"
         "0123456789abcdef0123456789abcdef\xff",
         35, "invalid UTF-8"},
        {"\x0a\x05"
         "ab",
         4, "length goes beyond the end of the message"},
        {"\x10\x01", 2, NULL},
        {"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, NULL},
        {"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "malformed varint"},
        {"\x18\xff\xff\xff\xff\xff\xff\xff\x7f", 9, NULL},
        {"\x18\x80", 2, "malformed varint"},
        {"\x18\x80\x80\x80\x80\x80\x80\x80\x80", 9, "malformed varint"},
        {"\x18\x01\x18\x80\x01", 5, NULL}, /* twice: allowed */
        {"\x21"
         "12345678",
         9, NULL},
        {"\x21"
         "1234567",
         8, "cut off"},
        {"\x2a\x00", 2, NULL},
        {"\x2a\x04\x0a\x02\x18\x80", 6, "malformed varint"},
        {"\x2a\x06\x0a\x04\x0a\x02"
         "ab",
         8, NULL},
        {"\x32\x09\x0a\x07\x0a\x01k\x12\x02\x10\x01", 11, NULL},
        {"\x32\x09\x0a\x07\x0a\x01\xff\x12\x02\x10\x01", 11, "invalid UTF-8"},
        {"\x3a\x02\xff\xff", 4, NULL},
        {"\x3a\x03\xff\xff", 4, "length goes beyond the end of the message"},
        {"\x08\x01", 2, "wrong wire type"},
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++)
        for (size_t n_behind = 0; n_behind <= 64; n_behind += 16) {
            struct ftri_otlp_error error = {0};
            const int r = check_value(cases[i].value, cases[i].len, n_behind, &error);
            assert_int_equal(r, cases[i].reason ? -EBADMSG : 0);
            if (r < 0)
                assert_string_equal(error.reason, cases[i].reason);
        }
}

/* 30 arrays, one in the other, around a value that is wrong: judged once, not once for every way
 * of reading every level. */
static void test_a_wrong_value_deep_inside_is_found_once(void **state)
{
    (void)state;
    enum { LEVELS = 30 };
    uint8_t value[4 * LEVELS + 2];
    for (size_t i = 0; i < LEVELS; i++) {
        const size_t n_inside = sizeof value - 4 * (i + 1);
        const uint8_t head[] = {5 << 3 | 2, (uint8_t)(n_inside + 2), 1 << 3 | 2, (uint8_t)n_inside};
        memcpy(value + 4 * i, head, 4);
    }
    memcpy(value + sizeof value - 2, "\x18\x80", 2);
    struct ftri_otlp_error error = {0};
    assert_int_equal(check_value(value, sizeof value, 0, &error), -EBADMSG);
    assert_string_equal(error.reason, "malformed varint");
    value[sizeof value - 1] = 1;
    assert_int_equal(check_value(value, sizeof value, 0, &error), 0);
}

static void assert_str(ftr_str found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    if (found.len)
        assert_memory_equal(found.data, expected, found.len);
}

/* Resource, scope and schema urls stand behind the spans, as protobuf allows. */
static void put_group(struct ftri_bytes *out, const char *service, const char *scope, int n_spans)
{
    const size_t resource_spans = begin(out, 1);
    const size_t scope_spans = begin(out, 2);
    for (int i = 0; i < n_spans; i++) {
        const size_t span = begin(out, 2);
        put_ids(out);
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        put_text(out, 5, name);
        end(out, span);
    }
    put_text(out, 3, "scope-schema");
    const size_t origin = begin(out, 1);
    put_text(out, 1, scope);
    end(out, origin);
    end(out, scope_spans);
    put_text(out, 3, "resource-schema");
    const size_t resource = begin(out, 1);
    const size_t attribute = begin(out, 1);
    put_text(out, 1, "service.name");
    const size_t value = begin(out, 2);
    put_text(out, 1, service);
    end(out, value);
    end(out, attribute);
    end(out, resource);
    end(out, resource_spans);
}

static void test_the_cursor_gives_each_span_its_place(void **state)
{
    (void)state;
    struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&request, 10000);
    put_group(&request, "one", "a", 2);
    put_group(&request, "two", "b", 0);
    put_bytes(&request, 1, NULL, 0);
    put_group(&request, "three", "c", 1);
    static const char *const expected[][3] = {
        {"one", "0", "a"}, {"one", "1", "a"}, {"three", "0", "c"}};
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    assert_int_equal(ftri_otlp_traces_check(ftri_bytes_view(&request), &counts, &error), 0);
    assert_int_equal(counts.n_spans, 3);
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(&request));
    for (size_t i = 0; i < 3; i++) {
        assert_true(ftri_otlp_cursor_next(&cursor, &span));
        assert_str(ftri_otlp_service_name(span->resource), expected[i][0]);
        assert_str(span->name, expected[i][1]);
        struct ftri_wire_field scope_name;
        size_t next = 0;
        assert_int_equal(ftri_wire_next(span->scope, &next, &scope_name), FTRI_WIRE_FIELD);
        assert_str(ftri_view_str(scope_name.bytes), expected[i][2]);
        assert_str(span->resource_schema_url, "resource-schema");
        assert_str(span->scope_schema_url, "scope-schema");
        assert_null(span->parent_span_id);
        assert_int_equal(span->span_id[0], 0xee);
    }
    assert_false(ftri_otlp_cursor_next(&cursor, &span));
    assert_false(ftri_otlp_cursor_next(&cursor, &span));
}

static void test_a_span_without_origin_has_empty_ones(void **state)
{
    (void)state;
    struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    ftri_bytes_init(&request, 10000);
    put_group(&request, "one", "a", 1);
    wrap(&request, ftri_view_of(NULL, 0));
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(&request));
    assert_true(ftri_otlp_cursor_next(&cursor, &span));
    assert_true(ftri_otlp_cursor_next(&cursor, &span));
    assert_int_equal(span->resource.len, 0);
    assert_int_equal(span->scope.len, 0);
    assert_int_equal(span->resource_schema_url.len, 0);
    assert_str(ftri_otlp_service_name(span->resource), "unknown_service");
}

static void test_the_last_of_a_repeated_singular_field_wins(void **state)
{
    (void)state;
    struct ftri_bytes span FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_span view;
    ftri_bytes_init(&span, 1000);
    put_bytes(&span, 1, "0123456789abcdef", 16);
    put_ids(&span);
    put_text(&span, 5, "first");
    put_text(&span, 5, "last");
    put_bytes(&span, 15, "\x12\x01x\x18\x02", 5);
    put_bytes(&span, 15, "\x18\x01", 2);
    ftri_otlp_span_read(ftri_bytes_view(&span), &view);
    assert_str(view.name, "last");
    assert_int_equal(view.trace_id[0], 0x5b);
    assert_int_equal(view.status_code, 1);
    assert_int_equal(view.status_message.len, 0);
}

/* Fields of one kind apart from each other, as protobuf allows. */
static void test_stretches_hold_all_fields_of_a_kind(void **state)
{
    (void)state;
    struct ftri_bytes span FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_span view;
    struct ftri_otlp_attribute attribute;
    struct ftri_otlp_event event;
    struct ftri_otlp_link link;
    size_t n[3] = {0};
    ftri_bytes_init(&span, 10000);
    put_bytes(&span, 13, NULL, 0);
    put_bytes(&span, 9,
              "\x0a\x01"
              "a",
              3);
    put_bytes(&span, 11, NULL, 0);
    put_bytes(&span, 9,
              "\x0a\x01"
              "b",
              3);
    put_ids(&span);
    put_bytes(&span, 11, NULL, 0);
    ftri_otlp_span_read(ftri_bytes_view(&span), &view);
    const struct ftri_view attributes = ftri_otlp_stretch_view(&view, view.attributes);
    const struct ftri_view events = ftri_otlp_stretch_view(&view, view.events);
    const struct ftri_view links = ftri_otlp_stretch_view(&view, view.links);
    for (size_t next = 0; ftri_otlp_attribute_next(FTRI_OTLP_SPAN, attributes, &next, &attribute);)
        assert_str(attribute.key, n[0]++ ? "b" : "a");
    for (size_t next = 0; ftri_otlp_event_next(events, &next, &event);)
        n[1]++;
    for (size_t next = 0; ftri_otlp_link_next(links, &next, &link);)
        n[2]++;
    assert_int_equal(n[0], 2);
    assert_int_equal(n[1], 2);
    assert_int_equal(n[2], 1);
    assert_int_equal(links.len, 2);
    ftri_otlp_span_read(ftri_view_of(NULL, 0), &view);
    assert_int_equal(ftri_otlp_stretch_view(&view, view.attributes).len, 0);
}

/* A request with everything in it; the messages are nested as encode_sample nests them. */
static void put_everything(struct ftri_bytes *out)
{
    struct ftri_bytes span FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&span, 10000);
    put_ids(&span);
    const size_t attribute = begin(&span, 9);
    put_text(&span, 1, "k\xc3\xa9");
    const size_t value = begin(&span, 2);
    put_nested_value(&span, 5);
    end(&span, value);
    end(&span, attribute);
    put_bytes(&span, 11,
              "\x09"
              "12345678\x12\x01n\x1a\x05\x0a\x03key",
              19);
    put_bytes(&span, 13,
              "\x0a\x10"
              "0123456789abcdef\x12\x08"
              "01234567",
              28);
    put_bytes(&span, 15, "\x12\x01x\x18\x02", 5);
    wrap(out, ftri_bytes_view(&span));
    put_group(out, "two", "b", 1);
}

/* Walks a request that the check accepted. */
static size_t walk(struct ftri_view bytes)
{
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    size_t n = 0;
    ftri_otlp_cursor_init(&cursor, bytes);
    for (; ftri_otlp_cursor_next(&cursor, &span); n++) {
        struct ftri_otlp_attribute attribute;
        struct ftri_otlp_event event;
        struct ftri_otlp_link link;
        assert_non_null(span->trace_id);
        size_t n_attributes = 0, n_in_stretch = 0;
        for (size_t next = 0;
             ftri_otlp_attribute_next(FTRI_OTLP_SPAN, span->bytes, &next, &attribute);)
            n_attributes += ftri_otlp_value_read(attribute.value).type <= FTR_VALUE_BYTES;
        const struct ftri_view stretch = ftri_otlp_stretch_view(span, span->attributes);
        for (size_t next = 0; ftri_otlp_attribute_next(FTRI_OTLP_SPAN, stretch, &next, &attribute);)
            n_in_stretch++;
        assert_int_equal(n_attributes, n_in_stretch);
        for (size_t next = 0; ftri_otlp_event_next(span->bytes, &next, &event);)
            assert_true(event.name.len < 100);
        for (size_t next = 0; ftri_otlp_link_next(span->bytes, &next, &link);)
            assert_non_null(link.trace_id);
    }
    return n;
}

/* On blocks of exact size, so that a read beyond the end is seen. */
static void check_and_walk(const uint8_t *bytes, size_t len)
{
    struct ftri_bytes copy FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error = {0};
    ftri_bytes_init(&copy, len);
    assert_int_equal(ftri_bytes_append(&copy, bytes, len), 0);
    if (ftri_otlp_traces_check(ftri_bytes_view(&copy), &counts, &error) == 0) {
        assert_int_equal(walk(ftri_bytes_view(&copy)), counts.n_spans);
        assert_int_equal(ftri_otlp_count_spans(ftri_bytes_view(&copy)), counts.n_spans);
    } else
        assert_true(error.path[0] && error.reason[0] && error.offset <= len);
}

static void test_every_prefix_and_every_flipped_bit(void **state)
{
    (void)state;
    struct ftri_bytes request FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&request, 10000);
    put_everything(&request);
    assert_int_equal(walk(ftri_bytes_view(&request)), 4);
    for (size_t len = 0; len <= request.len; len++)
        check_and_walk(request.data, len);
    for (size_t i = 0; i < request.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            request.data[i] ^= (uint8_t)(1 << bit);
            check_and_walk(request.data, request.len);
            request.data[i] ^= (uint8_t)(1 << bit);
        }
}

static void test_scalar_values_are_read(void **state)
{
    (void)state;
    ftr_value value = ftri_otlp_value_read(ftri_view_of("\x0a\x02hi", 4));
    assert_int_equal(value.type, FTR_VALUE_STR);
    assert_str(value.as.str, "hi");
    value = ftri_otlp_value_read(ftri_view_of("\x10\x01", 2));
    assert_true(value.type == FTR_VALUE_BOOL && value.as.boolean);
    value = ftri_otlp_value_read(ftri_view_of("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11));
    assert_true(value.type == FTR_VALUE_I64 && value.as.i64 == -1);
    value = ftri_otlp_value_read(ftri_view_of("\x21\0\0\0\0\0\0\xf8\x3f", 9));
    assert_true(value.type == FTR_VALUE_F64 && value.as.f64 == 1.5);
    value = ftri_otlp_value_read(ftri_view_of("\x2a\x02\x0a\x00", 4));
    assert_int_equal(value.type, FTR_VALUE_ARRAY);
    assert_int_equal(ftri_otlp_value_list(ftri_view_of("\x2a\x02\x0a\x00", 4)).len, 2);
    value = ftri_otlp_value_read(ftri_view_of("\x32\x00", 2));
    assert_int_equal(value.type, FTR_VALUE_MAP);
    value = ftri_otlp_value_read(ftri_view_of("\x3a\x01\xff", 3));
    assert_true(value.type == FTR_VALUE_BYTES && value.as.str.len == 1);
    assert_int_equal(ftri_otlp_value_read(ftri_view_of(NULL, 0)).type, FTR_VALUE_EMPTY);
    /* A oneof: the last wins. */
    value = ftri_otlp_value_read(ftri_view_of("\x0a\x02hi\x18\x05", 6));
    assert_true(value.type == FTR_VALUE_I64 && value.as.i64 == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_request_is_valid),
        cmocka_unit_test(test_wrong_spans_are_named),
        cmocka_unit_test(test_unknown_and_empty_fields_are_fine),
        cmocka_unit_test(test_values_nest_100_levels),
        cmocka_unit_test(test_counts_are_limited_one_by_one),
        cmocka_unit_test(test_values_are_checked_wherever_they_stand),
        cmocka_unit_test(test_a_wrong_value_deep_inside_is_found_once),
        cmocka_unit_test(test_stretches_hold_all_fields_of_a_kind),
        cmocka_unit_test(test_the_cursor_gives_each_span_its_place),
        cmocka_unit_test(test_a_span_without_origin_has_empty_ones),
        cmocka_unit_test(test_the_last_of_a_repeated_singular_field_wins),
        cmocka_unit_test(test_every_prefix_and_every_flipped_bit),
        cmocka_unit_test(test_scalar_values_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
