/* SPDX-License-Identifier: Apache-2.0
 *
 * The text, letter by letter. Expected by: Prometheus "Exposition formats", OpenMetrics 1.0,
 * OpenTelemetry "Prometheus and OpenMetrics Compatibility". */
#include "metrics/text.h"

#include "base/mem.h"
#include "metrics/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const double bounds[] = {0.5, 1, 1e10};
static const uint64_t counts[] = {2, 0, 1, 4};
static const ftr_attribute labels[] = {
    {TEXT("span.name"), {.type = FTR_VALUE_STR, .as.str = TEXT("a\"b\\c\nd\xff")}},
    {TEXT("0 ok"), {.type = FTR_VALUE_BOOL, .as.boolean = true}},
    {TEXT("span_name"), {.type = FTR_VALUE_I64, .as.i64 = -3}},
};
static const struct ftri_exemplar exemplars[] = {
    {.value = 0.25, .time_ns = 1700000000000000007, .trace_id = {{0xab}}, .span_id = {{0xcd}}},
    {.value = 2e10, .time_ns = 2500000000, .trace_id = {{1}}, .span_id = {{2}}},
};
static const struct ftri_metric duration = {.name = TEXT("rpc.duration"),
                                            .help = TEXT("It's \"how\\long\"\nit took."),
                                            .unit = TEXT("ms"),
                                            .kind = FTRI_METRIC_HISTOGRAM,
                                            .bounds = bounds,
                                            .n_bounds = 3};
static const struct ftri_metric_point point = {.attributes = labels,
                                               .n_attributes = 3,
                                               .count = 7,
                                               .sum = 12.5,
                                               .counts = counts,
                                               .n_counts = 4,
                                               .exemplars = exemplars,
                                               .n_exemplars = 2};
static const struct ftri_metric calls = {.scope = TEXT("me"),
                                         .scope_version = TEXT("1"),
                                         .name = TEXT("calls.total"),
                                         .help = TEXT("Calls."),
                                         .unit = TEXT("{call}"),
                                         .kind = FTRI_METRIC_SUM};
static const struct ftri_metric_point call = {.count = UINT64_MAX};

static int write_all(struct ftri_bytes *out, bool is_openmetrics)
{
    struct ftri_metric_text text;
    ftri_metric_text_init(&text, out, is_openmetrics);
    const struct ftri_metric_sink sink = ftri_metric_text_sink(&text);
    int r = ftri_metric_text_target(&text, labels + 1, 1);
    if (r == 0)
        r = sink.family(sink.argument, &duration);
    if (r == 0)
        r = sink.point(sink.argument, &point);
    if (r == 0)
        r = sink.family(sink.argument, &calls);
    if (r == 0)
        r = sink.point(sink.argument, &call);
    if (r == 0)
        r = ftri_metric_text_end(&text);
    ftri_metric_text_deinit(&text);
    return r;
}

static void assert_written(bool is_openmetrics, const char *expected)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1 << 20);
    assert_int_equal(write_all(&out, is_openmetrics), 0);
    assert_int_equal(ftri_bytes_append_char(&out, '\0'), 0);
    assert_string_equal((const char *)out.data, expected);
    ftri_bytes_deinit(&out);
}

#define LABELS "span_name=\"a\\\"b\\\\c\\nd\xef\xbf\xbd;-3\",_0_ok=\"true\""

static void test_prometheus(void **state)
{
    (void)state;
    assert_written(false, "# TYPE target_info gauge\n"
                          "# HELP target_info Who is speaking.\n"
                          "target_info{_0_ok=\"true\"} 1\n"
                          "# TYPE rpc_duration_milliseconds histogram\n"
                          "# HELP rpc_duration_milliseconds It's \"how\\\\long\"\\nit took.\n"
                          "rpc_duration_milliseconds_bucket{" LABELS ",le=\"0.5\"} 2\n"
                          "rpc_duration_milliseconds_bucket{" LABELS ",le=\"1\"} 2\n"
                          "rpc_duration_milliseconds_bucket{" LABELS ",le=\"10000000000\"} 3\n"
                          "rpc_duration_milliseconds_bucket{" LABELS ",le=\"+Inf\"} 7\n"
                          "rpc_duration_milliseconds_sum{" LABELS "} 12.5\n"
                          "rpc_duration_milliseconds_count{" LABELS "} 7\n"
                          "# TYPE calls_total counter\n"
                          "# HELP calls_total Calls.\n"
                          "calls_total{otel_scope_name=\"me\",otel_scope_version=\"1\"} "
                          "18446744073709551615\n");
}

static void test_openmetrics(void **state)
{
    (void)state;
    assert_written(true,
                   "# TYPE target info\n"
                   "# HELP target Who is speaking.\n"
                   "target_info{_0_ok=\"true\"} 1\n"
                   "# TYPE rpc_duration_milliseconds histogram\n"
                   "# UNIT rpc_duration_milliseconds milliseconds\n"
                   "# HELP rpc_duration_milliseconds It's \\\"how\\\\long\\\"\\nit took.\n"
                   "rpc_duration_milliseconds_bucket{" LABELS ",le=\"0.5\"} 2 # "
                   "{trace_id=\"ab000000000000000000000000000000\",span_id=\"cd00000000000000\"} "
                   "0.25 1700000000.000000007\n"
                   "rpc_duration_milliseconds_bucket{" LABELS ",le=\"1.0\"} 2\n"
                   "rpc_duration_milliseconds_bucket{" LABELS ",le=\"10000000000.0\"} 3\n"
                   "rpc_duration_milliseconds_bucket{" LABELS ",le=\"+Inf\"} 7 # "
                   "{trace_id=\"01000000000000000000000000000000\",span_id=\"0200000000000000\"} "
                   "20000000000.0 2.500000000\n"
                   "rpc_duration_milliseconds_sum{" LABELS "} 12.5\n"
                   "rpc_duration_milliseconds_count{" LABELS "} 7\n"
                   "# TYPE calls counter\n"
                   "# HELP calls Calls.\n"
                   "calls_total{otel_scope_name=\"me\",otel_scope_version=\"1\"} "
                   "18446744073709551615\n"
                   "# EOF\n");
}

/* At scale 0 bucket 1 is (2, 4]: its bound is the largest double in it. */
static void test_exponential_histograms_are_written_by_their_buckets(void **state)
{
    (void)state;
    static const uint64_t buckets[] = {5, 0, 2};
    const struct ftri_metric metric = {.name = TEXT("x"), .kind = FTRI_METRIC_EXPONENTIAL};
    const struct ftri_metric_point exponential = {
        .count = 8, .sum = 1, .counts = buckets, .n_counts = 3, .zero_count = 1, .offset = -1};
    struct ftri_metric_text text;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1 << 20);
    ftri_metric_text_init(&text, &out, false);
    const struct ftri_metric_sink sink = ftri_metric_text_sink(&text);
    assert_int_equal(sink.family(sink.argument, &metric), 0);
    assert_int_equal(sink.point(sink.argument, &exponential), 0);
    assert_int_equal(ftri_bytes_append_char(&out, '\0'), 0);
    assert_string_equal((const char *)out.data, "# TYPE x histogram\n"
                                                "# HELP x \n"
                                                "x_bucket{le=\"0\"} 1\n"
                                                "x_bucket{le=\"1\"} 6\n"
                                                "x_bucket{le=\"4\"} 8\n"
                                                "x_bucket{le=\"+Inf\"} 8\n"
                                                "x_sum 1\n"
                                                "x_count 8\n");
    ftri_metric_text_deinit(&text);
    ftri_bytes_deinit(&out);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct ftri_bytes out;
        ftri_bytes_init(&out, 1 << 20);
        ftri_mem_fail_at(n);
        const int r = write_all(&out, true);
        const bool has_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        ftri_bytes_deinit(&out);
        if (!has_failed)
            break;
        assert_true(r < 0);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prometheus),
        cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_exponential_histograms_are_written_by_their_buckets),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
