/* SPDX-License-Identifier: Apache-2.0
 *
 * Expected values: W3C Trace Context level 2, sections 3.2 and 3.3. */
#include <flowtrace/propagation.h>

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

struct fields {
    const char *traceparent;
    const char *tracestate;
    char set_traceparent[128];
    char set_tracestate[8192];
};

static ftr_str get(void *data, ftr_str name, size_t nth)
{
    const struct fields *fields = data;
    const char *value = NULL;
    if (nth == 0 && memcmp(name.data, "trace", 5) == 0)
        value = name.len == 11 ? fields->traceparent : fields->tracestate;
    return value ? ftr_str_from(value) : (ftr_str){NULL, 0};
}

static void set(void *data, ftr_str name, ftr_str value)
{
    struct fields *fields = data;
    if (memcmp(name.data, "traceparent", name.len) == 0)
        snprintf(fields->set_traceparent, sizeof fields->set_traceparent, "%.*s", (int)value.len,
                 value.data);
    else
        snprintf(fields->set_tracestate, sizeof fields->set_tracestate, "%.*s", (int)value.len,
                 value.data);
}

static const ftr_carrier carrier = {get, set, NULL};

/* What comes out again after extract and inject; "" for nothing. */
static void pass_on(struct fields *fields)
{
    fields->set_traceparent[0] = fields->set_tracestate[0] = '\0';
    ftr_context context = ftr_extract(&carrier, fields);
    ftr_inject(&context, &carrier, fields);
    ftr_context_release(&context);
}

static void test_traceparent_parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_valid;
        uint8_t flags;
    } cases[] = {
        {"00-" TRACE "-" SPAN "-01", true, 1},
        {"00-" TRACE "-" SPAN "-00", true, 0},
        {"00-" TRACE "-" SPAN "-02", true, 2},
        {"00-" TRACE "-" SPAN "-03", true, 3},
        {"00-" TRACE "-" SPAN "-ff", true, 3}, /* unknown flags are not passed on */
        {"01-" TRACE "-" SPAN "-01", true, 1},
        {"cc-" TRACE "-" SPAN "-01-what-the-future-brings", true, 1},
        {"cc-" TRACE "-" SPAN "-01-", true, 1},
        {"fe-" TRACE "-" SPAN "-01", true, 1},
        {"cc-" TRACE "-" SPAN "-01.what", false, 0},
        {"00-" TRACE "-" SPAN "-01-", false, 0},
        {"00-" TRACE "-" SPAN "-01-x", false, 0},
        {"ff-" TRACE "-" SPAN "-01", false, 0},
        {"FE-" TRACE "-" SPAN "-01", false, 0},
        {"0-" TRACE "-" SPAN "-01", false, 0},
        {".0-" TRACE "-" SPAN "-01", false, 0},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false, 0},
        {"00-" TRACE "-00F067AA0BA902B7-01", false, 0},
        {"00-" TRACE "-" SPAN "-0A", false, 0},
        {"00-00000000000000000000000000000000-" SPAN "-01", false, 0},
        {"00-" TRACE "-0000000000000000-01", false, 0},
        {"00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01", false, 0},
        {"00-" TRACE "-" SPAN "-.1", false, 0},
        {"00-" TRACE "-" SPAN "-1", false, 0},
        {"00-" TRACE "-" SPAN, false, 0},
        {"00_" TRACE "-" SPAN "-01", false, 0},
        {"00-" TRACE "_" SPAN "-01", false, 0},
        {"00-" TRACE "-" SPAN "_01", false, 0},
        {" 00-" TRACE "-" SPAN "-01", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ftr_span_context span;
        const bool is_valid = ftr_traceparent_parse(ftr_str_from(cases[i].text), &span);
        if (is_valid != cases[i].is_valid)
            fail_msg("case %zu: %s", i, cases[i].text);
        if (!is_valid)
            continue;
        char id[33];
        ftr_trace_id_format(&span.trace_id, id);
        assert_string_equal(id, TRACE);
        ftr_span_id_format(&span.span_id, id);
        assert_string_equal(id, SPAN);
        assert_int_equal(span.trace_flags, cases[i].flags);
        assert_true(span.is_remote);
    }
}

static void test_traceparent_is_read_within_its_length(void **state)
{
    (void)state;
    const char *text = "00-" TRACE "-" SPAN "-01";
    ftr_span_context span;
    for (size_t len = 0; len < 55; len++)
        assert_false(ftr_traceparent_parse((ftr_str){text, len}, &span));
    assert_true(ftr_traceparent_parse((ftr_str){text, 55}, &span));
    assert_false(ftr_traceparent_parse((ftr_str){NULL, 0}, &span));
}

static void test_traceparent_formats(void **state)
{
    (void)state;
    char text[FTR_TRACEPARENT_LEN + 1];
    ftr_span_context span = {.trace_flags = 0xfd};
    assert_false(ftr_traceparent_format(&span, text));
    assert_string_equal(text, "");
    memset(span.trace_id.bytes, 0xab, 16);
    assert_false(ftr_traceparent_format(&span, text));
    memset(span.span_id.bytes, 0x01, 8);
    assert_true(ftr_traceparent_format(&span, text));
    assert_string_equal(text, "00-abababababababababababababababab-0101010101010101-01");
}

static void test_extract_and_inject_pass_on(void **state)
{
    (void)state;
    struct fields fields = {.traceparent = " 00-" TRACE "-" SPAN "-01\t",
                            .tracestate = "foo=1 , bar=2"};
    pass_on(&fields);
    assert_string_equal(fields.set_traceparent, "00-" TRACE "-" SPAN "-01");
    assert_string_equal(fields.set_tracestate, "foo=1,bar=2");
    fields.traceparent = "00-" TRACE "-" SPAN "-01,00-" TRACE "-" SPAN "-01"; /* sent twice */
    pass_on(&fields);
    assert_string_equal(fields.set_traceparent, "");
    assert_string_equal(fields.set_tracestate, "");
    fields.traceparent = NULL;
    pass_on(&fields);
    assert_string_equal(fields.set_traceparent, "");
}

static void test_tracestate_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *passed_on;
    } cases[] = {
        {"foo=1", "foo=1"},
        {"foo=1,", "foo=1"},
        {",foo=1,,bar=2", "foo=1,bar=2"},
        {"foo=1 \t , \t bar=2", "foo=1,bar=2"},
        {"\tfoo=1\t", "foo=1"},
        {"foo=1,foo=2", "foo=1"},
        {"0abc=1", "0abc=1"},
        {"fw529a3039@dt=FfA-1", "fw529a3039@dt=FfA-1"},
        {"a_-*/@9=!+-<>~ x", "a_-*/@9=!+-<>~ x"},
        {"foo= 1", "foo= 1"},
        {"foo=", ""},
        {"foo", ""},
        {"=1", ""},
        {"foo=1=2", ""},
        {"foo =1", ""},
        {"FOO=1", ""},
        {"_foo=1", ""},
        {"@foo=1", ""},
        {"foo.bar=1", ""},
        {"foo=1;bar", "foo=1;bar"},
        {"foo=1;bar=2", ""},
        {"foo=\x01", ""},
        {"foo=\x7f", ""},
        {"foo=\xc3\xa4", ""},
        {"foo=1,bad", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fields fields = {.traceparent = "00-" TRACE "-" SPAN "-00",
                                .tracestate = cases[i].header};
        pass_on(&fields);
        assert_string_equal(fields.set_tracestate, cases[i].passed_on);
        assert_string_equal(fields.set_traceparent, fields.traceparent);
    }
}

/* n members "k<i>=<value of len>". */
static void fill(char *text, size_t size, int n, int value_len)
{
    size_t at = 0;
    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, size - at, "%sk%02d=%0*d", i ? "," : "", i, value_len, 7);
}

static void test_tracestate_limits(void **state)
{
    (void)state;
    char text[40000];
    struct fields fields = {.traceparent = "00-" TRACE "-" SPAN "-00", .tracestate = text};
    fill(text, sizeof text, 32, 1);
    pass_on(&fields);
    assert_string_equal(fields.set_tracestate, text);
    fill(text, sizeof text, 33, 1);
    pass_on(&fields);
    assert_string_equal(fields.set_tracestate, "");
    fill(text, sizeof text, 1, 256);
    pass_on(&fields);
    assert_string_equal(fields.set_tracestate, text);
    fill(text, sizeof text, 1, 257);
    pass_on(&fields);
    assert_string_equal(fields.set_tracestate, "");
    memset(text, 'z', 256);
    memcpy(text + 256, "=1", 3);
    pass_on(&fields);
    assert_string_equal(fields.set_tracestate, text);
    memset(text, 'z', 257);
    memcpy(text + 257, "=1", 3);
    pass_on(&fields);
    assert_string_equal(fields.set_tracestate, "");
}

static void test_tracestate_too_long_loses_long_members_first(void **state)
{
    (void)state;
    char text[40000];
    fill(text, sizeof text, 31, 200); /* 31 * 204 + 30 characters */
    const size_t len = strlen(text);
    snprintf(text + len, sizeof text - len, ",short=1");
    struct fields fields = {.traceparent = "00-" TRACE "-" SPAN "-00", .tracestate = text};
    pass_on(&fields);
    assert_true(strlen(fields.set_tracestate) >= 512);
    assert_true(strlen(fields.set_tracestate) <= 4096);
    assert_non_null(strstr(fields.set_tracestate, "short=1"));
    assert_memory_equal(fields.set_tracestate, "k00=", 4);
}

static void test_contexts_share_their_block(void **state)
{
    (void)state;
    struct fields fields = {.traceparent = "00-" TRACE "-" SPAN "-01", .tracestate = "a=1"};
    ftr_context first = ftr_extract(&carrier, &fields);
    ftr_context second = ftr_context_copy(&first);
    ftr_context_release(&first);
    ftr_context_release(&first);
    assert_int_equal(ftr_context_tracestate(&first).len, 0);
    assert_int_equal(ftr_context_tracestate(&second).len, 3);
    ftr_context_release(&second);
}

static void test_extract_without_memory_keeps_the_ids(void **state)
{
    (void)state;
    struct fields fields = {.traceparent = "00-" TRACE "-" SPAN "-01", .tracestate = "a=1"};
    ftri_mem_fail_at(1);
    ftr_context context = ftr_extract(&carrier, &fields);
    ftri_mem_fail_at(0);
    assert_true(ftr_trace_id_is_valid(&context.span.trace_id));
    assert_int_equal(ftr_context_tracestate(&context).len, 0);
    ftr_context_release(&context);
}

static void test_nothing_is_written_from_nothing_or_to_nothing(void **state)
{
    (void)state;
    const ftr_context context = ftr_extract(NULL, NULL);
    assert_false(ftr_trace_id_is_valid(&context.span.trace_id));
    ftr_inject(NULL, &ftr_http_carrier, NULL);
    ftr_inject_as(FTR_PROPAGATOR_BAGGAGE, NULL, &ftr_http_carrier, NULL);
    ftr_inject(&context, NULL, NULL);
    ftr_extract_as(FTR_PROPAGATOR_TRACECONTEXT, NULL, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent_parses),
        cmocka_unit_test(test_traceparent_is_read_within_its_length),
        cmocka_unit_test(test_nothing_is_written_from_nothing_or_to_nothing),
        cmocka_unit_test(test_traceparent_formats),
        cmocka_unit_test(test_extract_and_inject_pass_on),
        cmocka_unit_test(test_tracestate_grammar),
        cmocka_unit_test(test_tracestate_limits),
        cmocka_unit_test(test_tracestate_too_long_loses_long_members_first),
        cmocka_unit_test(test_contexts_share_their_block),
        cmocka_unit_test(test_extract_without_memory_keeps_the_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
