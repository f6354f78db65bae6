/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits and failures of the encoder. That its bytes mean what the span says is compared with
 * Google's protobuf in tests/otlp/differential.py. */
#include "base/mem.h"
#include "otlp/encode.h"
#include "otlp/view.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const ftr_span_context context = {.trace_id = {{1}}, .span_id = {{2}}, .trace_flags = 1};

/* By hand: spans 2 { trace_id 1, span_id 2, name 5, start 7, end 8, flags 16 }. */
static void test_a_small_span_byte_by_byte(void **state)
{
    (void)state;
    const ftr_span_data span = {
        .context = context, .name = FTR_STR("ab"), .start_time_ns = 1, .end_time_ns = 2};
    static const char expected[] = "\x12\x38"
                                   "\x0a\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                   "\x12\x08\x02\0\0\0\0\0\0\0"
                                   "\x2a\x02"
                                   "ab"
                                   "\x39\x01\0\0\0\0\0\0\0"
                                   "\x41\x02\0\0\0\0\0\0\0"
                                   "\x85\x01\x01\x01\0\0";
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1000);
    assert_int_equal(ftri_otlp_encode_span(&span, &out), 0);
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
    ftri_bytes_deinit(&out);
}

/* values[i] is an array of values[i + 1] alone. */
static void nest(ftr_value *values, int n_levels)
{
    for (int i = 0; i + 1 < n_levels; i++)
        values[i] = (ftr_value){.type = FTR_VALUE_ARRAY, .as.array = {&values[i + 1], 1}};
    values[n_levels - 1] = (ftr_value){.type = FTR_VALUE_BOOL};
}

static void test_what_nests_too_deep_is_refused_and_nothing_written(void **state)
{
    (void)state;
    ftr_value values[101];
    for (int n_levels = 100; n_levels <= 101; n_levels++) {
        nest(values, n_levels);
        const ftr_attribute attribute = {FTR_STR("deep"), values[0]};
        const ftr_span_data span = {
            .context = context, .attributes = &attribute, .n_attributes = 1};
        struct ftri_bytes out, request;
        struct ftri_otlp_counts counts;
        struct ftri_otlp_error error;
        ftri_bytes_init(&out, 10000);
        ftri_bytes_init(&request, 10000);
        const int r = ftri_otlp_encode_span(&span, &out);
        assert_int_equal(r, n_levels == 100 ? 0 : -EINVAL);
        assert_int_equal(out.len == 0, r < 0);
        assert_int_equal(ftri_otlp_encode_resource(&attribute, 1, &request), r);
        ftri_bytes_reset(&request);
        assert_int_equal(ftri_otlp_encode_traces(ftri_view_of(NULL, 0), FTR_STR(""), FTR_STR(""),
                                                 ftri_bytes_view(&out), &request),
                         0);
        assert_int_equal(ftri_otlp_traces_check(ftri_bytes_view(&request), &counts, &error), 0);
        assert_int_equal(counts.n_spans, r == 0);
        ftri_bytes_deinit(&out);
        ftri_bytes_deinit(&request);
    }
}

static void test_limit_and_memory(void **state)
{
    (void)state;
    const ftr_span_data span = {.context = context, .name = FTR_STR("ab")};
    struct ftri_bytes out;
    ftri_bytes_init(&out, 57);
    assert_int_equal(ftri_otlp_encode_span(&span, &out), -EMSGSIZE);
    assert_int_equal(out.len, 0);
    ftri_bytes_deinit(&out);
    ftri_bytes_init(&out, 58);
    ftri_mem_fail_at(1);
    assert_int_equal(ftri_otlp_encode_span(&span, &out), -ENOMEM);
    ftri_mem_fail_at(0);
    assert_int_equal(ftri_otlp_encode_span(&span, &out), 0);
    assert_int_equal(out.len, 58);
    ftri_bytes_deinit(&out);
}

static void test_nothing_is_encoded_as_nothing(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 100);
    assert_int_equal(ftri_otlp_encode_resource(NULL, 0, &out), 0);
    assert_int_equal(out.len, 0);
    /* resource_spans 1 { resource 1 {}, scope_spans 2 { scope 1 {} } } */
    assert_int_equal(ftri_otlp_encode_traces(ftri_view_of(NULL, 0), FTR_STR(""), FTR_STR(""),
                                             ftri_view_of(NULL, 0), &out),
                     0);
    assert_int_equal(out.len, 8);
    assert_memory_equal(out.data, "\x0a\x06\x0a\x00\x12\x02\x0a\x00", 8);
    ftri_bytes_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_span_byte_by_byte),
        cmocka_unit_test(test_what_nests_too_deep_is_refused_and_nothing_written),
        cmocka_unit_test(test_limit_and_memory),
        cmocka_unit_test(test_nothing_is_encoded_as_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
