/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics that the program counts itself. Expected texts by: Prometheus "Exposition formats",
 * OpenMetrics 1.0. */
#include "base/bytes.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/wire.h"
#include "metrics_text.h"
#include "trace/metrics.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static ftr_metric_family family_of(const char *name, const char *unit, ftr_metric_kind kind)
{
    return (ftr_metric_family){
        .size = sizeof(ftr_metric_family),
        .name = ftr_str_from(name),
        .help = FTR_STR("What it is."),
        .unit = ftr_str_from(unit),
        .kind = kind,
    };
}

static void write_shop(void *argument, ftr_metric_writer *writer)
{
    static const double bounds[] = {1, 2.5};
    static const uint64_t counts[] = {3, 0, 1};
    const ftr_attribute aisle = {FTR_STR("shop.aisle"), ftr_value_i64(*(const int *)argument)};
    ftr_metric_point point = {
        .size = sizeof point, .attributes = &aisle, .n_attributes = 1, .start_time_ns = 7};
    ftr_metric_family family = family_of("shop.sold", "{piece}", FTR_METRIC_COUNTER);
    point.count = UINT64_C(18446744073709551615);
    assert_true(ftr_metric_write_family(writer, &family));
    assert_true(ftr_metric_write_point(writer, &point));
    family = family_of("shop.open", "s", FTR_METRIC_COUNTER);
    family.is_fractional = true;
    point.sum = 2.25;
    assert_true(ftr_metric_write_family(writer, &family));
    assert_true(ftr_metric_write_point(writer, &point));
    family = family_of("shop.shelf.total", "By", FTR_METRIC_GAUGE);
    point.count = 12;
    assert_true(ftr_metric_write_family(writer, &family));
    assert_true(ftr_metric_write_point(writer, &point));
    family = family_of("shop.basket", "1", FTR_METRIC_HISTOGRAM);
    family.bounds = bounds;
    family.n_bounds = 2;
    point.counts = counts;
    point.sum = 9;
    assert_true(ftr_metric_write_family(writer, &family));
    assert_true(ftr_metric_write_point(writer, &point));
}

static void test_text(void **state)
{
    (void)state;
    int aisle = 4;
    ftr_metric_source *source = ftr_metric_source_new(write_shop, &aisle);
    assert_non_null(source);
    assert_string_equal(read_text(FTR_METRICS_PROMETHEUS),
                        "# TYPE shop_sold_total counter\n"
                        "# HELP shop_sold_total What it is.\n"
                        "shop_sold_total{shop_aisle=\"4\"} 18446744073709551615\n"
                        "# TYPE shop_open_seconds_total counter\n"
                        "# HELP shop_open_seconds_total What it is.\n"
                        "shop_open_seconds_total{shop_aisle=\"4\"} 2.25\n"
                        "# TYPE shop_shelf_total_bytes gauge\n"
                        "# HELP shop_shelf_total_bytes What it is.\n"
                        "shop_shelf_total_bytes{shop_aisle=\"4\"} 12\n"
                        "# TYPE shop_basket histogram\n"
                        "# HELP shop_basket What it is.\n"
                        "shop_basket_bucket{shop_aisle=\"4\",le=\"1\"} 3\n"
                        "shop_basket_bucket{shop_aisle=\"4\",le=\"2.5\"} 3\n"
                        "shop_basket_bucket{shop_aisle=\"4\",le=\"+Inf\"} 4\n"
                        "shop_basket_sum{shop_aisle=\"4\"} 9\n"
                        "shop_basket_count{shop_aisle=\"4\"} 4\n");
    read_text(FTR_METRICS_OPENMETRICS);
    assert_non_null(strstr(metrics_text, "# TYPE shop_open_seconds counter\n"
                                         "# UNIT shop_open_seconds seconds\n"));
    assert_non_null(strstr(metrics_text, "# TYPE shop_shelf_total_bytes gauge\n"));
    assert_non_null(strstr(metrics_text, "\nshop_shelf_total_bytes{shop_aisle=\"4\"} 12\n"));
    ftr_metric_source_free(source);
    assert_string_equal(read_text(FTR_METRICS_PROMETHEUS), "");
}

static void test_sources_keep_their_order(void **state)
{
    (void)state;
    int first = 1, second = 2;
    ftr_metric_source *sources[] = {ftr_metric_source_new(write_shop, &first),
                                    ftr_metric_source_new(write_shop, &second)};
    read_text(FTR_METRICS_PROMETHEUS);
    assert_true(strstr(metrics_text, "aisle=\"1\"") < strstr(metrics_text, "aisle=\"2\""));
    ftr_metric_source_free(sources[0]);
    read_text(FTR_METRICS_PROMETHEUS);
    assert_null(strstr(metrics_text, "aisle=\"1\""));
    assert_non_null(strstr(metrics_text, "aisle=\"2\""));
    ftr_metric_source_free(sources[1]);
    ftr_metric_source_free(NULL);
}

static size_t n_unexpected;

/* No assert jumps out of a source: its lock is held. */
static void expect(bool is_so)
{
    n_unexpected += !is_so;
}

/* Each of these is refused, and so is the point behind it; what follows is written. */
static void write_wrongly(void *argument, ftr_metric_writer *writer)
{
    (void)argument;
    static const double falling[] = {2, 1};
    static char long_name[257];
    memset(long_name, 'n', 256);
    ftr_metric_point point = {.size = sizeof point, .count = 1};
    expect(!ftr_metric_write_point(writer, &point)); /* of no family */
    ftr_metric_family wrong[] = {
        family_of("", "", FTR_METRIC_COUNTER),
        family_of("1shop", "", FTR_METRIC_COUNTER),
        family_of("shop sold", "", FTR_METRIC_COUNTER),
        family_of(long_name, "", FTR_METRIC_COUNTER),
        family_of("shop", "\xff", FTR_METRIC_COUNTER),
        family_of("shop", "", (ftr_metric_kind)3),
        family_of("shop", "", FTR_METRIC_HISTOGRAM), /* without bounds */
        family_of("shop", "", FTR_METRIC_HISTOGRAM),
        {.size = 8},
    };
    wrong[7].bounds = falling;
    wrong[7].n_bounds = 2;
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++) {
        expect(!ftr_metric_write_family(writer, &wrong[i]));
        expect(!ftr_metric_write_point(writer, &point));
    }
    ftr_metric_family right = family_of("shop.basket", "1", FTR_METRIC_HISTOGRAM);
    right.bounds = falling;
    right.n_bounds = 1;
    expect(ftr_metric_write_family(writer, &right));
    expect(!ftr_metric_write_point(writer, &point)); /* without counts */
    right = family_of("shop.sold_0to9", "", FTR_METRIC_COUNTER);
    expect(ftr_metric_write_family(writer, &right));
    expect(ftr_metric_write_point(writer, &point));
}

static void test_what_is_wrong_is_left_out(void **state)
{
    (void)state;
    n_unexpected = 0;
    ftr_metric_source *source = ftr_metric_source_new(write_wrongly, NULL);
    assert_string_equal(read_text(FTR_METRICS_PROMETHEUS),
                        "# TYPE shop_basket histogram\n"
                        "# HELP shop_basket What it is.\n"
                        "# TYPE shop_sold_0to9_total counter\n"
                        "# HELP shop_sold_0to9_total What it is.\n"
                        "shop_sold_0to9_total 1\n");
    ftr_metric_source_free(source);
    assert_int_equal(n_unexpected, 0);
}

static bool holds(const struct ftri_bytes *bytes, const void *part, size_t len)
{
    return memmem(bytes->data, bytes->len, part, len) != NULL;
}

/* metrics.proto: NumberDataPoint as_double 4, as_int 6 (sfixed64); Sum temporality 2, monotonic 3.
 */
static void test_otlp(void **state)
{
    (void)state;
    int aisle = 4;
    struct ftri_bytes out;
    size_t n_points = 0;
    ftri_bytes_init(&out, 1 << 16);
    ftr_metric_source *source = ftr_metric_source_new(write_shop, &aisle);
    assert_int_equal(ftri_metrics_encode(&out, &n_points), 0);
    assert_int_equal(n_points, 4);
    assert_true(holds(&out, "\x31\xff\xff\xff\xff\xff\xff\xff\xff\x10\x02\x18\x01", 13));
    assert_true(holds(&out, "\x21\0\0\0\0\0\0\x02\x40\x10\x02\x18\x01", 13)); /* 2.25 */
    assert_true(holds(&out, "\x31\x0c\0\0\0\0\0\0\0\x10\x02", 11));
    assert_false(holds(&out, "\x31\x0c\0\0\0\0\0\0\0\x10\x02\x18", 12)); /* a level */
    ftr_metric_source_free(source);
    ftri_bytes_deinit(&out);
}

static int in_child(ftr_metric_source *source)
{
    const bool is_silent = read_text(FTR_METRICS_PROMETHEUS)[0] == '\0';
    int aisle = 9;
    ftr_metric_source_free(source);
    ftr_metric_source *own = ftr_metric_source_new(write_shop, &aisle);
    const bool speaks = strstr(read_text(FTR_METRICS_PROMETHEUS), "aisle=\"9\"") != NULL;
    ftr_metric_source_free(own);
    return is_silent && speaks ? 0 : 1;
}

/* The library's own doing at fork() is in fork_test. */
static void test_a_child_has_none(void **state)
{
    (void)state;
    int aisle = 4, status = -1;
    ftr_metric_source *source = ftr_metric_source_new(write_shop, &aisle);
    ftri_metrics_lock();
    const pid_t child = fork();
    if (child == 0) {
        ftri_metrics_after_fork();
        _exit(in_child(source));
    }
    ftri_metrics_unlock();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ftr_metric_source_free(source);
}

static void test_no_memory(void **state)
{
    (void)state;
    ftri_mem_fail_at(1);
    ftr_metric_source *source = ftr_metric_source_new(write_shop, NULL);
    ftri_mem_fail_at(0);
    assert_null(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_sources_keep_their_order),
        cmocka_unit_test(test_what_is_wrong_is_left_out),
        cmocka_unit_test(test_otlp),
        cmocka_unit_test(test_a_child_has_none),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
