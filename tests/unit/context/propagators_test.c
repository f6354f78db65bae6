/* SPDX-License-Identifier: Apache-2.0
 *
 * Expected values: openzipkin/b3-propagation, jaegertracing.io "Propagation format", the AWS X-Ray
 * developer guide "Tracing header", OpenTelemetry's propagators for OpenTracing, W3C Baggage; W3C
 * Trace Context level 2 for repeated fields. */
#include <flowtrace/propagation.h>

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "80f198ee56343ba864fe8b2a57d3eff7"
#define SPAN "e457b5a2e4d86bd1"
#define PARENT "05e3ac9a4f6e3b90"
#define W3C "00-" TRACE "-" SPAN "-01"

enum { FIELDS = 16, TEXT = 65536 };

struct request {
    ftr_field_list list;
    ftr_field fields[FIELDS];
    char text[TEXT];
};

static struct request *new_request(void)
{
    struct request *self = calloc(1, sizeof *self);
    self->list = (ftr_field_list){
        .fields = self->fields, .capacity = FIELDS, .text = self->text, .text_capacity = TEXT};
    return self;
}

static void add(struct request *self, const char *name, const char *value)
{
    self->fields[self->list.n_fields++] = (ftr_field){ftr_str_from(name), ftr_str_from(value)};
}

/* "name: value\n" of every field. */
static void assert_fields(const struct request *self, const char *expected)
{
    char text[TEXT] = "";
    size_t len = 0;
    for (size_t i = 0; i < self->list.n_fields; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s: %.*s\n",
                                (int)self->fields[i].name.len, self->fields[i].name.data,
                                (int)self->fields[i].value.len, self->fields[i].value.data);
    assert_string_equal(text, expected);
}

static ftr_context read_one(ftr_propagator propagator, const char *name, const char *value)
{
    struct request *request = new_request();
    ftr_context context = FTR_CONTEXT_NONE;
    add(request, name, value);
    ftr_extract_as(propagator, &ftr_http_carrier, &request->list, &context);
    free(request);
    return context;
}

static void assert_written(ftr_propagator propagator, const ftr_context *context,
                           const char *expected)
{
    struct request *request = new_request();
    ftr_inject_as(propagator, context, &ftr_http_carrier, &request->list);
    assert_fields(request, expected);
    free(request);
}

static void assert_context(const ftr_context *context, const char *trace, const char *span,
                           unsigned flags)
{
    char id[33];
    ftr_trace_id_format(&context->span.trace_id, id);
    assert_string_equal(id, trace);
    ftr_span_id_format(&context->span.span_id, id);
    assert_string_equal(id, span);
    assert_int_equal(context->span.trace_flags, flags);
    assert_true(context->span.is_remote);
}

static void assert_nothing(const ftr_context *context)
{
    assert_memory_equal(context, &FTR_CONTEXT_NONE, sizeof *context);
}

static void test_b3_single(void **state)
{
    (void)state;
    static const struct {
        const char *text, *trace, *written; /* NULL: not a context */
        unsigned flags;
    } cases[] = {
        {TRACE "-" SPAN "-1-" PARENT, TRACE, "b3: " TRACE "-" SPAN "-1\n", 1},
        {TRACE "-" SPAN "-1", TRACE, "b3: " TRACE "-" SPAN "-1\n", 1},
        {TRACE "-" SPAN "-0", TRACE, "b3: " TRACE "-" SPAN "-0\n", 0},
        {TRACE "-" SPAN "-d", TRACE, "b3: " TRACE "-" SPAN "-d\n", 1},
        {TRACE "-" SPAN, TRACE, "b3: " TRACE "-" SPAN "-0\n", 0},
        {"64fe8b2a57d3eff7-" SPAN "-1", "000000000000000064fe8b2a57d3eff7",
         "b3: 000000000000000064fe8b2a57d3eff7-" SPAN "-1\n", 1},
        {"0", NULL, NULL, 0},
        {"1", NULL, NULL, 0},
        {"d", NULL, NULL, 0},
        {"", NULL, NULL, 0},
        {TRACE "-" SPAN "-2", NULL, NULL, 0},
        {TRACE "-" SPAN "-1-", TRACE, "b3: " TRACE "-" SPAN "-1\n", 1},
        {TRACE "-" SPAN "-1-" PARENT "-x", NULL, NULL, 0},
        {TRACE "-" SPAN "-1-zz", NULL, NULL, 0},
        {"80F198EE56343BA864FE8B2A57D3EFF7-" SPAN "-1", NULL, NULL, 0},
        {"00000000000000000000000000000000-" SPAN "-1", NULL, NULL, 0},
        {TRACE "-0000000000000000-1", NULL, NULL, 0},
        {TRACE "a-" SPAN "-1", NULL, NULL, 0},
        {"80f198ee-" SPAN "-1", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ftr_context context = read_one(FTR_PROPAGATOR_B3, "B3", cases[i].text);
        if (cases[i].trace) {
            assert_context(&context, cases[i].trace, SPAN, cases[i].flags);
            assert_written(FTR_PROPAGATOR_B3, &context, cases[i].written);
        } else {
            assert_nothing(&context);
        }
        ftr_context_release(&context);
    }
}

static void test_b3_multi(void **state)
{
    (void)state;
    struct request *request = new_request();
    ftr_context context = FTR_CONTEXT_NONE;
    add(request, "x-b3-traceid", TRACE);
    add(request, "X-B3-SpanId", SPAN);
    add(request, "X-B3-ParentSpanId", PARENT);
    add(request, "X-B3-Sampled", "1");
    ftr_extract_as(FTR_PROPAGATOR_B3_MULTI, &ftr_http_carrier, &request->list, &context);
    assert_context(&context, TRACE, SPAN, 1);
    assert_written(FTR_PROPAGATOR_B3_MULTI, &context,
                   "X-B3-TraceId: " TRACE "\nX-B3-SpanId: " SPAN "\nX-B3-Sampled: 1\n");
    request->fields[3] = (ftr_field){FTR_STR("X-B3-Flags"), FTR_STR("1")};
    ftr_extract_as(FTR_PROPAGATOR_B3, &ftr_http_carrier, &request->list, &context);
    assert_context(&context, TRACE, SPAN, 1);
    assert_written(FTR_PROPAGATOR_B3_MULTI, &context,
                   "X-B3-TraceId: " TRACE "\nX-B3-SpanId: " SPAN "\nX-B3-Flags: 1\n");
    ftr_context_release(&context);
    request->fields[1].value = FTR_STR("xyz");
    ftr_extract_as(FTR_PROPAGATOR_B3, &ftr_http_carrier, &request->list, &context);
    assert_nothing(&context);
    free(request);
}

static void test_jaeger(void **state)
{
    (void)state;
    static const struct {
        const char *text, *trace, *span, *written;
        unsigned flags;
    } cases[] = {
        {TRACE ":" SPAN ":0:1", TRACE, SPAN, "uber-trace-id: " TRACE ":" SPAN ":0:1\n", 1},
        {TRACE ":" SPAN ":" PARENT ":0", TRACE, SPAN, "uber-trace-id: " TRACE ":" SPAN ":0:0\n", 0},
        {TRACE "%3A" SPAN "%3A0%3A1", TRACE, SPAN, "uber-trace-id: " TRACE ":" SPAN ":0:1\n", 1},
        {TRACE ":" SPAN ":0:3", TRACE, SPAN, "uber-trace-id: " TRACE ":" SPAN ":0:3\n", 1},
        {TRACE ":" SPAN ":0:02", TRACE, SPAN, "uber-trace-id: " TRACE ":" SPAN ":0:3\n", 1},
        {"abc:12:0:1", "00000000000000000000000000000abc", "0000000000000012",
         "uber-trace-id: 00000000000000000000000000000abc:0000000000000012:0:1\n", 1},
        {"0:12:0:1", NULL, NULL, NULL, 0},
        {"abc:0:0:1", NULL, NULL, NULL, 0},
        {"abc:12:0", NULL, NULL, NULL, 0},
        {"abc:12:0:x", NULL, NULL, NULL, 0},
        {"abc:12:0:001", NULL, NULL, NULL, 0},
        {"abc:12:0:1:1", NULL, NULL, NULL, 0},
        {"%", NULL, NULL, NULL, 0},
        {"", NULL, NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ftr_context context = read_one(FTR_PROPAGATOR_JAEGER, "uber-trace-id", cases[i].text);
        if (cases[i].trace) {
            assert_context(&context, cases[i].trace, cases[i].span, cases[i].flags);
            assert_written(FTR_PROPAGATOR_JAEGER, &context, cases[i].written);
        } else {
            assert_nothing(&context);
        }
        ftr_context_release(&context);
    }
}

static void test_jaeger_baggage(void **state)
{
    (void)state;
    struct request *request = new_request();
    ftr_context context = FTR_CONTEXT_NONE;
    add(request, "Uberctx-user", "a%20b");
    add(request, "uberctx-", "no name");
    add(request, "uberctx-n", "1");
    ftr_extract_as(FTR_PROPAGATOR_JAEGER, &ftr_http_carrier, &request->list, &context);
    assert_string_equal(ftr_context_baggage(&context).data, "user=a%20b,n=1");
    assert_written(FTR_PROPAGATOR_JAEGER, &context, "uberctx-user: a%20b\nuberctx-n: 1\n");
    ftr_context_release(&context);
    free(request);
}

static void test_xray(void **state)
{
    (void)state;
#define ROOT "1-5759e988-bd862e3fe1be46a994272793"
    static const char trace[] = "5759e988bd862e3fe1be46a994272793";
    static const struct {
        const char *text;
        int flags; /* -1: not a context */
    } cases[] = {
        {"Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=1", 1},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=0", 0},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=?", 0},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad8", 0},
        {" Sampled=1 ; Self=1-2-3;Parent=53995c3f42cd8ad8;Root=" ROOT ";CalledFrom=app", 1},
        {"Root=" ROOT ";Sampled=1", -1},
        {"Parent=53995c3f42cd8ad8;Sampled=1", -1},
        {"Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8", -1},
        {"Root=1-5759e98-8bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8", -1},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=2", -1},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad;Sampled=1", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ftr_context context = read_one(FTR_PROPAGATOR_XRAY, "x-amzn-trace-id", cases[i].text);
        if (cases[i].flags >= 0)
            assert_context(&context, trace, "53995c3f42cd8ad8", (unsigned)cases[i].flags);
        else
            assert_nothing(&context);
        ftr_context_release(&context);
    }
    ftr_context context = read_one(FTR_PROPAGATOR_XRAY, "X-Amzn-Trace-Id", cases[0].text);
    assert_written(FTR_PROPAGATOR_XRAY, &context,
                   "X-Amzn-Trace-Id: Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=1\n");
}

/* The values are those of OpenTelemetry's propagator for Python, but "1" (for Java and Go). */
static void test_ot_trace(void **state)
{
    (void)state;
#define LAST "64fe8b2a57d3eff7"
    static const struct {
        const char *trace, *span, *sampled, *read, *written; /* read NULL: not a context */
        unsigned flags;
    } cases[] = {
        {TRACE, SPAN, "true", TRACE, LAST, 1},
        {TRACE, SPAN, "TRUE", TRACE, LAST, 1},
        {TRACE, SPAN, "1", TRACE, LAST, 1},
        {TRACE, SPAN, "false", TRACE, LAST, 0},
        {TRACE, SPAN, "maybe", TRACE, LAST, 0},
        {TRACE, SPAN, "", TRACE, LAST, 0},
        {"abc", SPAN, "true", "00000000000000000000000000000abc", "0000000000000abc", 1},
        {LAST "0000000000000000", SPAN, "true", LAST "0000000000000000", NULL, 1},
        {"0", SPAN, "true", NULL, NULL, 0},
        {TRACE "0", SPAN, "true", NULL, NULL, 0},
        {"80F198EE56343BA864FE8B2A57D3EFF7", SPAN, "true", NULL, NULL, 0},
        {TRACE, "", "true", NULL, NULL, 0},
        {TRACE, SPAN "0", "true", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request *request = new_request();
        ftr_context context = FTR_CONTEXT_NONE;
        char written[256] = "";
        add(request, "OT-Tracer-TraceId", cases[i].trace);
        add(request, "ot-tracer-spanid", cases[i].span);
        add(request, "ot-tracer-sampled", cases[i].sampled);
        ftr_extract_as(FTR_PROPAGATOR_OT_TRACE, &ftr_http_carrier, &request->list, &context);
        free(request);
        if (!cases[i].read) {
            assert_nothing(&context);
            continue;
        }
        assert_context(&context, cases[i].read, SPAN, cases[i].flags);
        if (cases[i].written)
            snprintf(written, sizeof written,
                     "ot-tracer-traceid: %s\not-tracer-spanid: " SPAN "\not-tracer-sampled: %s\n",
                     cases[i].written, cases[i].flags ? "true" : "false");
        assert_written(FTR_PROPAGATOR_OT_TRACE, &context, written);
        ftr_context_release(&context);
    }
}

static void test_ot_trace_baggage(void **state)
{
    (void)state;
    struct request *request = new_request();
    ftr_context context = FTR_CONTEXT_NONE;
    add(request, "ot-baggage-user", "Ann & sons, 50%");
    ftr_extract_as(FTR_PROPAGATOR_OT_TRACE, &ftr_http_carrier, &request->list, &context);
    assert_nothing(&context); /* only beside ids */
    add(request, "OT-Baggage-n", "1");
    add(request, "ot-baggage-", "no name");
    add(request, "ot-baggage-bad", "a\nb");
    add(request, "ot-tracer-traceid", LAST);
    add(request, "ot-tracer-spanid", SPAN);
    ftr_extract_as(FTR_PROPAGATOR_OT_TRACE, &ftr_http_carrier, &request->list, &context);
    assert_string_equal(ftr_context_baggage(&context).data, "user=Ann%20&%20sons%2C%2050%25,n=1");
    assert_true(ftr_baggage_set(&context, FTR_STR("split"), FTR_STR("a\r\nb")));
    assert_written(FTR_PROPAGATOR_OT_TRACE, &context,
                   "ot-tracer-traceid: " LAST "\not-tracer-spanid: " SPAN
                   "\not-tracer-sampled: false\not-baggage-user: Ann & sons, 50%\n"
                   "ot-baggage-n: 1\n");
    ftr_context_release(&context);
    free(request);
}

static void test_baggage_is_normalised(void **state)
{
    (void)state;
    static const struct {
        const char *field, *baggage;
    } cases[] = {
        {"key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
         "key1=value1;property1;property2,key2=value2,key3=value3;propertyKey=propertyValue"},
        {"userId=alice,serverNode=DF%2028,isProduction=false",
         "userId=alice,serverNode=DF%2028,isProduction=false"},
        {"a=1,b=2,a=3", "b=2,a=3"},
        {"a=,b=", "a=,b="},
        {"a,=1, ,b c=1,d=\"x\",e=a b,f=1\\2,ok=1", "ok=1"},
        {"a=1=2", "a=1=2"},
        {"k=v;p=a b", "k=v;p=a b"},
        {"a=\x7f,b=\xc3\xa9,c=1", "c=1"},
        {"", ""},
        {",,,", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ftr_context context = read_one(FTR_PROPAGATOR_BAGGAGE, "baggage", cases[i].field);
        assert_string_equal(ftr_context_baggage(&context).data, cases[i].baggage);
        ftr_context_release(&context);
    }
}

static void test_baggage_of_a_context(void **state)
{
    (void)state;
    ftr_context context = FTR_CONTEXT_NONE;
    char value[64];
    size_t len;
    assert_true(ftr_baggage_set(&context, FTR_STR("user"), FTR_STR("J\xc3\xbcrgen; 100% \"x\"")));
    assert_true(ftr_baggage_set(&context, FTR_STR("n"), FTR_STR("1")));
    assert_string_equal(ftr_context_baggage(&context).data,
                        "user=J%C3%BCrgen%3B%20100%25%20%22x%22,n=1");
    assert_true(ftr_baggage_get(&context, FTR_STR("user"), value, sizeof value, &len));
    assert_int_equal(len, 17);
    assert_memory_equal(value, "J\xc3\xbcrgen; 100% \"x\"", len);
    assert_false(ftr_baggage_get(&context, FTR_STR("user"), value, 16, &len));
    assert_false(ftr_baggage_get(&context, FTR_STR("use"), value, sizeof value, &len));
    assert_false(ftr_baggage_set(&context, FTR_STR("a b"), FTR_STR("1")));
    assert_false(ftr_baggage_set(&context, FTR_STR(""), FTR_STR("1")));
    ftr_context copy = ftr_context_copy(&context);
    assert_true(ftr_baggage_set(&context, FTR_STR("user"), FTR_STR("")));
    assert_string_equal(ftr_context_baggage(&context).data, "n=1,user=");
    ftr_baggage_remove(&context, FTR_STR("user"));
    assert_string_equal(ftr_context_baggage(&context).data, "n=1");
    ftr_baggage_remove(&context, FTR_STR("n"));
    assert_nothing(&context);
    assert_string_equal(ftr_context_baggage(&copy).data,
                        "user=J%C3%BCrgen%3B%20100%25%20%22x%22,n=1");
    ftr_context_release(&copy);
}

/* 64 members and 8192 bytes over all fields together. */
static void test_baggage_is_capped_over_all_fields(void **state)
{
    (void)state;
    enum { HEADERS = 10000 };
    ftr_field *fields = calloc(HEADERS, sizeof *fields);
    char(*texts)[32] = calloc(HEADERS, sizeof *texts);
    for (size_t i = 0; i < HEADERS; i++) {
        const int len = snprintf(texts[i], sizeof texts[i], "k%zu=v", i);
        fields[i] = (ftr_field){FTR_STR("baggage"), {texts[i], (size_t)len}};
    }
    ftr_field_list list = {.fields = fields, .n_fields = HEADERS};
    ftr_context context = FTR_CONTEXT_NONE;
    ftr_extract_as(FTR_PROPAGATOR_BAGGAGE, &ftr_http_carrier, &list, &context);
    const char *baggage = ftr_context_baggage(&context).data;
    assert_non_null(strstr(baggage, "k63=v"));
    assert_null(strstr(baggage, "k64=v"));
    ftr_context_release(&context);
    free(texts);
    free(fields);

    static char big[8 << 20];
    memset(big, 'x', sizeof big - 1);
    memcpy(big, "a=1,b=", 6);
    context = read_one(FTR_PROPAGATOR_BAGGAGE, "baggage", big);
    assert_string_equal(ftr_context_baggage(&context).data, "a=1");
    ftr_context_release(&context);
    big[8192] = '\0';
    context = read_one(FTR_PROPAGATOR_BAGGAGE, "baggage", big);
    assert_int_equal(ftr_context_baggage(&context).len, 8192);
    assert_false(ftr_baggage_set(&context, FTR_STR("c"), FTR_STR("")));
    assert_true(ftr_baggage_set(&context, FTR_STR("a"), FTR_STR("2")));
    ftr_context_release(&context);
}

static void test_repeated_fields_of_w3c(void **state)
{
    (void)state;
    struct request *request = new_request();
    add(request, "traceparent", W3C);
    add(request, "tracestate", "a=1, b=2");
    add(request, "Tracestate", "c=3");
    ftr_context context = ftr_extract(&ftr_http_carrier, &request->list);
    assert_context(&context, TRACE, SPAN, 1);
    assert_string_equal(ftr_context_tracestate(&context).data, "a=1,b=2,c=3");
    ftr_context_release(&context);
    add(request, "traceparent", W3C);
    context = ftr_extract(&ftr_http_carrier, &request->list);
    assert_nothing(&context);
    free(request);
}

static void test_an_endless_tracestate_is_dropped_alone(void **state)
{
    (void)state;
    static char big[8 << 20];
    struct request *request = new_request();
    memset(big, ' ', sizeof big - 1);
    memcpy(big, "a=1,", 4);
    memcpy(big + sizeof big - 4, "b=2", 4);
    add(request, "traceparent", W3C);
    add(request, "tracestate", big);
    ftr_context context = ftr_extract(&ftr_http_carrier, &request->list);
    assert_context(&context, TRACE, SPAN, 1);
    assert_int_equal(ftr_context_tracestate(&context).len, 0);
    ftr_context_release(&context);
    free(request);
}

/* One traceparent, and as many empty fields of any other name as are asked for. */
static ftr_str get_endless(void *fields, ftr_str name, size_t nth)
{
    ++*(size_t *)fields;
    if (name.len == 11)
        return nth == 0 ? FTR_STR(W3C) : (ftr_str){0};
    return FTR_STR("");
}

static void test_endless_fields_are_asked_for_a_bounded_number_of_times(void **state)
{
    (void)state;
    const ftr_carrier endless = {get_endless, NULL, NULL};
    size_t n_calls = 0;
    ftr_context context = ftr_extract(&endless, &n_calls);
    assert_context(&context, TRACE, SPAN, 1);
    assert_int_equal(ftr_context_tracestate(&context).len, 0);
    assert_in_range(n_calls, 1, 512);
    ftr_context_release(&context);
}

static void test_the_process_uses_what_it_was_told(void **state)
{
    (void)state;
    static const ftr_propagator both[] = {FTR_PROPAGATOR_XRAY, FTR_PROPAGATOR_B3,
                                          FTR_PROPAGATOR_XRAY, FTR_PROPAGATOR_NONE};
    ftr_propagator list[4];
    ftr_propagator found;
    assert_int_equal(ftr_get_propagators(list, 4), 2);
    assert_int_equal(list[0], FTR_PROPAGATOR_TRACECONTEXT);
    assert_int_equal(list[1], FTR_PROPAGATOR_BAGGAGE);
    ftr_set_propagators(both, 4);
    assert_int_equal(ftr_get_propagators(list, 4), 2);
    ftr_context context = read_one(FTR_PROPAGATOR_B3, "b3", TRACE "-" SPAN "-1");
    struct request *request = new_request();
    ftr_inject(&context, &ftr_grpc_carrier, &request->list);
    assert_fields(request, "x-amzn-trace-id: Root=1-80f198ee-56343ba864fe8b2a57d3eff7;Parent=" SPAN
                           ";Sampled=1\nb3: " TRACE "-" SPAN "-1\n");
    ftr_context back = ftr_extract(&ftr_grpc_carrier, &request->list);
    assert_context(&back, TRACE, SPAN, 1);
    free(request);
    ftr_set_propagators(NULL, 0);
    request = new_request();
    ftr_inject(&context, &ftr_http_carrier, &request->list);
    assert_fields(request, "");
    free(request);
    static const ftr_propagator standard[] = {FTR_PROPAGATOR_TRACECONTEXT, FTR_PROPAGATOR_BAGGAGE};
    ftr_set_propagators(standard, 2);
    assert_true(ftr_propagator_find(FTR_STR("b3multi"), &found));
    assert_int_equal(found, FTR_PROPAGATOR_B3_MULTI);
    assert_true(ftr_propagator_find(FTR_STR("none"), &found));
    assert_int_equal(found, FTR_PROPAGATOR_NONE);
    assert_false(ftr_propagator_find(FTR_STR("ottrac"), &found));
}

static void test_carriers_compare_names_as_their_kind_does(void **state)
{
    (void)state;
    ftr_field fields[] = {{FTR_STR("Key"), FTR_STR("1")},
                          {FTR_STR("key"), FTR_STR("2")},
                          {FTR_STR("key"), FTR_STR("3")}};
    ftr_field_list list = {.fields = fields, .n_fields = 3};
    assert_memory_equal(ftr_http_carrier.get(&list, FTR_STR("KEY"), 0).data, "1", 1);
    assert_memory_equal(ftr_http_carrier.get(&list, FTR_STR("KEY"), 2).data, "3", 1);
    assert_null(ftr_http_carrier.get(&list, FTR_STR("KEY"), 3).data);
    assert_memory_equal(ftr_map_carrier.get(&list, FTR_STR("key"), 0).data, "2", 1);
    assert_memory_equal(ftr_kafka_carrier.get(&list, FTR_STR("key"), 0).data, "3", 1);
    assert_null(ftr_kafka_carrier.get(&list, FTR_STR("key"), 1).data);
    assert_null(ftr_kafka_carrier.get(&list, FTR_STR("KEY"), 0).data);
}

static void test_carriers_write_within_their_room(void **state)
{
    (void)state;
    ftr_field fields[2];
    char text[10];
    ftr_field_list list = {
        .fields = fields, .capacity = 2, .text = text, .text_capacity = sizeof text};
    ftr_http_carrier.set(&list, FTR_STR("Ab"), FTR_STR("123"));
    ftr_http_carrier.set(&list, FTR_STR("aB"), FTR_STR("45"));
    assert_int_equal(list.n_fields, 1);
    assert_memory_equal(fields[0].value.data, "45", 2);
    ftr_http_carrier.set(&list, FTR_STR("cd"), FTR_STR("67"));
    assert_int_equal(list.n_left_out, 1);
    assert_int_equal(list.n_fields, 1);
    ftr_http_carrier.set(&list, FTR_STR("c"), FTR_STR("6"));
    ftr_http_carrier.set(&list, FTR_STR("e"), FTR_STR(""));
    assert_int_equal(list.n_fields, 2);
    assert_int_equal(list.n_left_out, 2);
}

static void test_environment(void **state)
{
    (void)state;
    setenv("traceparent", W3C, 1); /* only the normalised name is one */
    ftr_context context = ftr_extract(&ftr_environment_carrier, NULL);
    unsetenv("traceparent");
    assert_nothing(&context);
    setenv("TRACEPARENT", W3C, 1);
    setenv("BAGGAGE", "a=1", 1);
    context = ftr_extract(&ftr_environment_carrier, NULL);
    unsetenv("TRACEPARENT");
    unsetenv("BAGGAGE");
    assert_context(&context, TRACE, SPAN, 1);
    struct request *request = new_request();
    ftr_inject(&context, &ftr_environment_carrier, &request->list);
    ftr_environment_carrier.set(&request->list, FTR_STR("1x.y-z"), FTR_STR("v"));
    assert_fields(request, "TRACEPARENT: " W3C "\nBAGGAGE: a=1\n_1X_Y_Z: v\n");
    ftr_inject(&context, &ftr_environment_carrier, NULL);
    ftr_context_release(&context);
    free(request);
}

static void test_short_memory_loses_what_travels_beside_the_ids(void **state)
{
    (void)state;
    struct request *request = new_request();
    add(request, "traceparent", W3C);
    add(request, "tracestate", "a=1");
    add(request, "baggage", "b=2");
    ftri_mem_fail_at(1);
    ftr_context context = ftr_extract(&ftr_http_carrier, &request->list);
    ftri_mem_fail_at(0);
    assert_context(&context, TRACE, SPAN, 1);
    assert_int_equal(ftr_context_tracestate(&context).len, 0);
    assert_string_equal(ftr_context_baggage(&context).data, "b=2");
    ftri_mem_fail_at(1);
    assert_false(ftr_baggage_set(&context, FTR_STR("c"), FTR_STR("3")));
    ftri_mem_fail_at(0);
    assert_string_equal(ftr_context_baggage(&context).data, "b=2");
    ftr_context_release(&context);
    free(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_b3_single),
        cmocka_unit_test(test_b3_multi),
        cmocka_unit_test(test_jaeger),
        cmocka_unit_test(test_jaeger_baggage),
        cmocka_unit_test(test_xray),
        cmocka_unit_test(test_ot_trace),
        cmocka_unit_test(test_ot_trace_baggage),
        cmocka_unit_test(test_baggage_is_normalised),
        cmocka_unit_test(test_baggage_of_a_context),
        cmocka_unit_test(test_baggage_is_capped_over_all_fields),
        cmocka_unit_test(test_repeated_fields_of_w3c),
        cmocka_unit_test(test_an_endless_tracestate_is_dropped_alone),
        cmocka_unit_test(test_endless_fields_are_asked_for_a_bounded_number_of_times),
        cmocka_unit_test(test_the_process_uses_what_it_was_told),
        cmocka_unit_test(test_carriers_compare_names_as_their_kind_does),
        cmocka_unit_test(test_carriers_write_within_their_room),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_short_memory_loses_what_travels_beside_the_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
