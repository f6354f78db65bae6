/* SPDX-License-Identifier: Apache-2.0
 *
 * What hostile fields cost, by counting: a value's middle lies in memory that nobody may read, so
 * that reading more than its ends is a crash; fields that are asked for are counted; what is drawn
 * out over 8 MiB is done in as many steps as are counted here. And whatever comes in, no control
 * character goes out. */
#include <flowtrace/propagation.h>

#include "context/baggage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define TRACE "80f198ee56343ba864fe8b2a57d3eff7"
#define SPAN "e457b5a2e4d86bd1"
#define W3C "00-" TRACE "-" SPAN "-01"

enum { EDGE = 256 * 1024, HUGE_LEN = 8 << 20, PROPAGATORS = 7 };

static const ftr_propagator propagators[PROPAGATORS] = {
    FTR_PROPAGATOR_TRACECONTEXT, FTR_PROPAGATOR_BAGGAGE, FTR_PROPAGATOR_B3,
    FTR_PROPAGATOR_B3_MULTI,     FTR_PROPAGATOR_JAEGER,  FTR_PROPAGATOR_XRAY,
    FTR_PROPAGATOR_OT_TRACE,
};

/* 8 MiB that repeat a piece, of which the first and last 256 KiB may be read. */
static ftr_str huge(const char *piece)
{
    char *text = mmap(NULL, HUGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(text, MAP_FAILED);
    const size_t len = strlen(piece);
    const size_t starts[] = {0, HUGE_LEN - EDGE};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mprotect(text + starts[i], EDGE, PROT_READ | PROT_WRITE), 0);
        for (size_t at = starts[i]; at < starts[i] + EDGE; at++)
            text[at] = piece[at % len];
    }
    return (ftr_str){text, HUGE_LEN};
}

/* A carrier whose every field has the same value, so often. */
struct request {
    ftr_str traceparent; /* .data NULL: the value as well */
    ftr_str value;
    size_t n_values;
    size_t n_calls;
};

static ftr_str get(void *fields, ftr_str name, size_t nth)
{
    struct request *self = fields;
    self->n_calls++;
    if (self->traceparent.data && name.len == 11 && memcmp(name.data, "traceparent", 11) == 0)
        return nth == 0 ? self->traceparent : (ftr_str){0};
    return nth < self->n_values ? self->value : (ftr_str){0};
}

static ftr_str name_of(void *fields, size_t nth)
{
    struct request *self = fields;
    self->n_calls++;
    return nth < self->n_values ? FTR_STR("uberctx-key") : (ftr_str){0};
}

static const ftr_carrier counting = {get, NULL, name_of};

static ftr_context extract(ftr_propagator propagator, struct request *request)
{
    ftr_context context = FTR_CONTEXT_NONE;
    request->n_calls = 0;
    ftr_extract_as(propagator, &counting, request, &context);
    return context;
}

static void test_nobody_reads_8_mib(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "a=1,", "a=1;p,",  "=,",      ",",     "x",       "a=", ";",
        "%41",  TRACE ":", TRACE "-", W3C ",", "Root=1-", "\t", "a=\"",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct request request = {.value = huge(pieces[i]), .n_values = 10000};
        for (size_t p = 0; p < 2 * PROPAGATORS; p++) {
            request.traceparent = p < PROPAGATORS ? (ftr_str){0} : FTR_STR(W3C);
            ftr_context context = extract(propagators[p % PROPAGATORS], &request);
            assert_in_range(request.n_calls, 1, 2100);
            assert_in_range(ftr_context_tracestate(&context).len, 0, 4096);
            assert_in_range(ftr_context_baggage(&context).len, 0, FTRI_BAGGAGE_BYTES);
            ftr_context_release(&context);
        }
        munmap((void *)(uintptr_t)request.value.data, HUGE_LEN);
    }
}

/* Of 10,000 fields with a member each, and of a few with very many. */
static void test_members_are_looked_at_a_bounded_number_of_times(void **state)
{
    (void)state;
    struct request request = {.value = FTR_STR("key=value"), .n_values = 10000};
    ftr_context context = extract(FTR_PROPAGATOR_BAGGAGE, &request);
    assert_in_range(request.n_calls, 1, 512);
    assert_int_equal(ftr_context_baggage(&context).len, strlen("key=value"));
    ftr_context_release(&context);
    struct request same = {.value = huge("a=1,"), .n_values = 1};
    context = extract(FTR_PROPAGATOR_BAGGAGE, &same);
    assert_int_equal(ftr_context_baggage(&context).len, strlen("a=1"));
    ftr_context_release(&context);
    munmap((void *)(uintptr_t)same.value.data, HUGE_LEN);
}

/* As much as has to be propagated, W3C Baggage 3.3.2, whatever comes behind it. */
static void test_what_fits_is_kept_before_what_does_not(void **state)
{
    (void)state;
    static char text[FTRI_BAGGAGE_BYTES + (1 << 20)];
    size_t len = 0;
    for (int i = 0; i < 64; i++) /* 64 members, 8192 bytes with their commas */
        len += (size_t)snprintf(text + len, sizeof text - len, "%sk%02d=%0*d", i ? "," : "", i,
                                i ? 123 : 124, 7);
    assert_int_equal(len, FTRI_BAGGAGE_BYTES);
    char expected[FTRI_BAGGAGE_BYTES];
    memcpy(expected, text, len);
    memset(text + len, ',', sizeof text - len);
    struct request request = {.value = {text, sizeof text}, .n_values = 1};
    ftr_context context = extract(FTR_PROPAGATOR_BAGGAGE, &request);
    assert_int_equal(ftr_context_baggage(&context).len, FTRI_BAGGAGE_BYTES);
    assert_memory_equal(ftr_context_baggage(&context).data, expected, FTRI_BAGGAGE_BYTES);
    ftr_context_release(&context);
}

/* ---- control characters; a tab is white space in a field (RFC 9110, 5.6.3) ---- */

static bool has_control;

static void look_at(void *fields, ftr_str name, ftr_str value)
{
    (void)fields;
    const ftr_str texts[] = {name, value};
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < texts[t].len; i++)
            has_control |= ((uint8_t)texts[t].data[i] < ' ' && texts[t].data[i] != '\t') ||
                           texts[t].data[i] == 0x7f;
}

static void assert_harmless(ftr_propagator propagator, ftr_str value, bool has_traceparent)
{
    static const ftr_carrier looking = {NULL, look_at, NULL};
    struct request request = {.value = value, .n_values = 1};
    if (has_traceparent)
        request.traceparent = FTR_STR(W3C);
    ftr_context context = extract(propagator, &request);
    has_control = false;
    for (size_t p = 0; p < PROPAGATORS; p++)
        ftr_inject_as(propagators[p], &context, &looking, NULL);
    if (has_control)
        fail_msg("propagator %d lets control characters through", (int)propagator);
    ftr_context_release(&context);
}

static void test_control_characters_never_go_out(void **state)
{
    (void)state;
    static const char *const values[] = {
        W3C,
        "k=v,l=w;p=q",
        TRACE "-" SPAN "-1",
        TRACE ":" SPAN ":0:1",
        "Root=1-80f198ee-56343ba864fe8b2a57d3eff7;Parent=" SPAN ";Sampled=1",
        "vendor=a b,x=y",
    };
    static const char bad[] = {'\0', '\r', '\n', '\t', 0x7f, 1, 0x1b};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        const size_t len = strlen(values[v]);
        for (size_t at = 0; at <= len; at++)
            for (size_t b = 0; b < sizeof bad; b++) {
                char text[256];
                memcpy(text, values[v], at);
                text[at] = bad[b];
                memcpy(text + at + 1, values[v] + at, len - at);
                for (size_t p = 0; p < 2 * PROPAGATORS; p++)
                    assert_harmless(propagators[p % PROPAGATORS], (ftr_str){text, len + 1},
                                    p >= PROPAGATORS);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_reads_8_mib),
        cmocka_unit_test(test_members_are_looked_at_a_bounded_number_of_times),
        cmocka_unit_test(test_what_fits_is_kept_before_what_does_not),
        cmocka_unit_test(test_control_characters_never_go_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
