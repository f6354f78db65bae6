/* SPDX-License-Identifier: Apache-2.0
 *
 * Series of spans: what makes one, the cap and its overflow, estimates, exemplars, short memory. */
#include "metrics/span_metrics.h"

#include "base/mem.h"
#include "kept.h"

#include <flowtrace/span.h>

#define CALLS "traces.span.metrics.calls"
#define DURATION "traces.span.metrics.duration"
#define MS UINT64_C(1000000)

static const ftr_value nothing[FTRI_SPAN_DIMENSIONS_MAX];

static struct ftri_span_view span_of(const char *name, uint64_t duration_ns)
{
    return (struct ftri_span_view){
        .service = {"shop", 4},
        .name = {name, strlen(name)},
        .kind = FTR_KIND_SERVER,
        .whole = 1,
        .start_ns = 1000,
        .end_ns = 1000 + duration_ns,
        .dimensions = nothing,
    };
}

static struct ftri_span_metrics *new_metrics(const struct ftri_span_metrics_settings *settings)
{
    struct ftri_span_metrics *metrics = ftri_span_metrics_new(settings);
    assert_non_null(metrics);
    return metrics;
}

static void observe_one(struct ftri_span_metrics *metrics, const struct ftri_span_view *span)
{
    struct ftri_span_series *series = NULL;
    ftri_span_metrics_observe_all(metrics, span, &series, 1);
}

static void observe(struct ftri_span_metrics *metrics, const char *name, uint64_t duration_ns)
{
    const struct ftri_span_view span = span_of(name, duration_ns);
    observe_one(metrics, &span);
}

static struct kept kept;

static void read_all(const struct ftri_span_metrics *metrics)
{
    const struct ftri_metric_sink sink = kept_sink(&kept);
    struct ftri_span_snapshot *snapshot = ftri_span_snapshot_new(metrics);
    assert_non_null(snapshot);
    assert_int_equal(ftri_span_snapshot_write(snapshot, 77, &sink), 0);
    ftri_span_snapshot_free(snapshot);
}

static uint64_t calls(const char *labels)
{
    return kept_find(&kept, CALLS, labels)->point.count;
}

static void test_series_by_name_kind_status_service_and_attributes(void **state)
{
    (void)state;
    const ftr_str names[] = {{"tenant", 6}, {"n", 1}};
    struct ftri_span_metrics *metrics = new_metrics(&(struct ftri_span_metrics_settings){
        .is_in_ms = true, .dimensions = names, .n_dimensions = 2});
    ftr_value values[2] = {{.type = FTR_VALUE_STR, .as.str = {"a", 1}},
                           {.type = FTR_VALUE_I64, .as.i64 = 7}};
    struct ftri_span_view span = span_of("get", MS);
    observe_one(metrics, &span);
    span.dimensions = values;
    observe_one(metrics, &span);
    observe_one(metrics, &span);
    values[1].as.i64 = 8;
    observe_one(metrics, &span);
    values[0].type = FTR_VALUE_ARRAY; /* is none */
    observe_one(metrics, &span);
    span.dimensions = nothing;
    span.kind = FTR_KIND_CLIENT;
    observe_one(metrics, &span);
    span.status = FTR_SPAN_ERROR;
    observe_one(metrics, &span);
    span.service = (ftr_str){"till", 4};
    observe_one(metrics, &span);
    read_all(metrics);
    assert_int_equal(kept.n_families, 2);
    assert_int_equal(kept.n_points, 2 * 7);
    assert_int_equal(calls("tenant=a,n=7"), 2);
    assert_int_equal(calls("tenant=a,n=8"), 1);
    assert_string_equal(kept_find(&kept, CALLS, "UNSET,n=8")->labels,
                        "service.name=shop,span.name=get,span.kind=SPAN_KIND_SERVER,"
                        "status.code=STATUS_CODE_UNSET,n=8");
    assert_int_equal(calls("service.name=till,span.name=get,span.kind=SPAN_KIND_CLIENT,status.code="
                           "STATUS_CODE_ERROR"),
                     1);
    ftri_span_metrics_free(metrics);
}

static void test_beyond_the_cap_everything_is_counted_in_one_series(void **state)
{
    (void)state;
    struct ftri_span_metrics *metrics =
        new_metrics(&(struct ftri_span_metrics_settings){.is_in_ms = true, .series_max = 4});
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", i);
            observe(metrics, name, 3 * MS);
        }
    }
    const struct ftri_span_metrics_counts counts = ftri_span_metrics_count(metrics);
    assert_int_equal(counts.n_series, 4);
    assert_int_equal(counts.n_overflowing, 21);
    read_all(metrics);
    assert_int_equal(kept.n_points, 2 * 4);
    assert_int_equal(calls("span.name=n2"), 3);
    assert_string_equal(kept_find(&kept, CALLS, "overflow")->labels, "otel.metric.overflow=true");
    assert_int_equal(calls("overflow"), 21);
    assert_int_equal(kept_find(&kept, DURATION, "overflow")->counts[1], 21);
    ftri_span_metrics_free(metrics);
}

static void test_a_name_without_end_has_no_series(void **state)
{
    (void)state;
    static char name[100000];
    memset(name, 'x', sizeof name - 1);
    struct ftri_span_metrics *metrics =
        new_metrics(&(struct ftri_span_metrics_settings){.is_in_ms = true});
    observe(metrics, name, MS);
    assert_int_equal(ftri_span_metrics_count(metrics).n_overflowing, 1);
    ftri_span_metrics_free(metrics);
}

/* Names of services take the room of names of spans: what finds none takes no other memory. */
static void test_names_that_find_no_room_cost_nothing(void **state)
{
    (void)state;
    enum { SERIES = 100, LONG = 3400, LATER = 20000 };
    static char text[LONG];
    struct ftri_span_metrics *metrics =
        new_metrics(&(struct ftri_span_metrics_settings){.is_in_ms = true, .series_max = SERIES});
    memset(text, 'x', sizeof text);
    struct ftri_span_view span = span_of("", MS);
    span.service = span.name = (ftr_str){text, sizeof text};
    for (int i = 0; i < SERIES; i++) {
        text[0] = (char)('!' + i);
        observe_one(metrics, &span);
    }
    assert_true(ftri_span_metrics_count(metrics).n_series < SERIES);
    ftri_mem_fail_at(UINT64_MAX);
    for (int i = 0; i < LATER; i++) {
        snprintf(text, sizeof text, "!%d", i);
        span.service = (ftr_str){"", 0};
        observe_one(metrics, &span);
    }
    assert_int_equal(ftri_mem_requests(), 0);
    ftri_mem_fail_at(0);
    assert_true(ftri_span_metrics_count(metrics).n_overflowing >= LATER);
    ftri_span_metrics_free(metrics);
}

/* 3/4 of the traces were left out by the one, 2/3 by the other: 4 and 3 spans each, and 3 times
 * 1 1/3 are 4. */
static void test_estimates_add_their_fractions_up(void **state)
{
    (void)state;
    struct ftri_span_metrics *metrics =
        new_metrics(&(struct ftri_span_metrics_settings){.is_in_ms = true});
    struct ftri_span_view span = span_of("get", 5 * MS);
    observe_one(metrics, &span);
    span.is_estimated = true;
    span.whole = 4;
    observe_one(metrics, &span);
    span.whole = 1;
    span.frac = 0x55555556;
    for (int i = 0; i < 3; i++)
        observe_one(metrics, &span);
    read_all(metrics);
    assert_int_equal(kept.n_points, 2 * 2);
    assert_int_equal(calls("estimated=true"), 4 + 4);
    const struct kept_point *duration = kept_find(&kept, DURATION, "estimated=true");
    assert_true(duration->point.sum == 8 * 5);
    assert_int_equal(duration->counts[2], 8);
    ftri_span_metrics_free(metrics);
}

static void test_durations(void **state)
{
    (void)state;
    static const double bounds[] = {0.001, 0.5};
    struct ftri_span_metrics *metrics = new_metrics(
        &(struct ftri_span_metrics_settings){.bounds = bounds, .n_bounds = 2, .start_ns = 5});
    struct ftri_span_view span = span_of("get", 0);
    span.end_ns = 1; /* before it began */
    observe_one(metrics, &span);
    observe(metrics, "get", MS);
    observe(metrics, "get", MS + 1);
    observe(metrics, "get", UINT64_MAX - 1000); /* a sum beyond 64 bits does not wrap */
    observe(metrics, "get", UINT64_MAX - 1000);
    read_all(metrics);
    const struct kept_point *duration = kept_find(&kept, DURATION, "get");
    assert_int_equal(duration->point.n_counts, 3);
    assert_int_equal(duration->counts[0], 2);
    assert_int_equal(duration->counts[1], 1);
    assert_int_equal(duration->counts[2], 2);
    assert_true(duration->point.sum > 3.689e10 && duration->point.sum < 3.690e10);
    assert_int_equal(duration->point.start_ns, 5);
    assert_int_equal(duration->point.time_ns, 77);
    ftri_span_metrics_free(metrics);
}

static void test_exemplars_are_the_kept_ones_by_bucket(void **state)
{
    (void)state;
    struct ftri_span_metrics *metrics =
        new_metrics(&(struct ftri_span_metrics_settings){.is_in_ms = true, .has_exemplars = true});
    struct ftri_span_view span = span_of("get", 3 * MS);
    for (uint8_t i = 1; i <= 3; i++) {
        span.trace_id.bytes[0] = i;
        span.end_ns = span.start_ns + (i == 3 ? 9 : 3) * MS;
        observe_one(metrics, &span);
        if (i > 1)
            ftri_span_metrics_offer(metrics, &span);
    }
    read_all(metrics);
    const struct kept_point *duration = kept_find(&kept, DURATION, "get");
    assert_int_equal(duration->point.n_exemplars, 2);
    assert_int_equal(duration->exemplars[0].trace_id.bytes[0], 2);
    assert_true(duration->exemplars[0].value == 3);
    assert_int_equal(duration->exemplars[1].trace_id.bytes[0], 3);
    assert_true(duration->exemplars[1].value == 9);
    assert_int_equal(kept_find(&kept, CALLS, "get")->point.n_exemplars, 0);
    ftri_span_metrics_free(metrics);
}

static void test_once_a_series_exists_nothing_is_allocated(void **state)
{
    (void)state;
    for (int is_exponential = 0; is_exponential < 2; is_exponential++) {
        struct ftri_span_metrics *metrics = new_metrics(&(struct ftri_span_metrics_settings){
            .is_exponential = is_exponential, .has_exemplars = true});
        observe(metrics, "get", MS);
        ftri_mem_fail_at(0);
        for (uint64_t i = 0; i < 1000; i++) {
            const struct ftri_span_view span = span_of("get", i << (i % 40));
            observe_one(metrics, &span);
            ftri_span_metrics_offer(metrics, &span);
        }
        assert_int_equal(ftri_mem_requests(), 0);
        ftri_span_metrics_free(metrics);
    }
}

/* Every span is counted, in its series or in that of the overflow. */
/* More names than series, of all lengths up to 49, some of them of other services, of which two
 * names stand at the same place and two are as long, or estimates. */
static void feed(struct ftri_span_metrics *metrics, size_t batch)
{
    enum { SPANS = 1000, NAMES = 50 };
    static char text[NAMES];
    static struct ftri_span_view spans[SPANS];
    static struct ftri_span_series *series[SPANS];
    uint32_t state = 1;
    memset(text, 'n', sizeof text);
    memset(series, 0, sizeof series);
    for (size_t i = 0; i < SPANS; i++) {
        state = state * 1664525 + 1013904223;
        spans[i] = span_of("", state >> 4);
        spans[i].name = (ftr_str){text, state >> 8 & 63 ? (state >> 8 & 63) % NAMES : 0};
        spans[i].service = (ftr_str){state >> 24 & 1 ? "shop" : "cart", state >> 16 & 7 ? 4 : 2};
        spans[i].is_estimated = (state >> 20 & 3) == 0;
        spans[i].frac = spans[i].is_estimated ? state : 0;
    }
    for (size_t i = 0; i < SPANS && batch > 0; i += batch)
        ftri_span_metrics_observe_all(metrics, spans + i, series + i,
                                      SPANS - i < batch ? SPANS - i : batch);
    for (size_t i = 0; i < SPANS && batch == 0; i++)
        observe_one(metrics, &spans[i]);
    for (size_t i = 0; i < SPANS && batch > 0; i += 7) /* what is known now is not looked for */
        ftri_span_metrics_observe_all(metrics, &spans[i], &series[i], 1);
    for (size_t i = 0; i < SPANS && batch == 0; i += 7)
        observe_one(metrics, &spans[i]);
}

static void compare_batches(bool is_exponential, size_t batch)
{
    static struct kept alone;
    const struct ftri_span_metrics_settings settings = {.is_exponential = is_exponential,
                                                        .series_max = 30};
    struct ftri_span_metrics *metrics = new_metrics(&settings);
    feed(metrics, 0);
    read_all(metrics);
    alone = kept;
    ftri_span_metrics_free(metrics);
    metrics = new_metrics(&settings);
    feed(metrics, batch);
    read_all(metrics);
    assert_int_equal(kept.n_points, alone.n_points);
    assert_int_equal(kept.n_points, 2 * 30);
    for (size_t i = 0; i < kept.n_points; i++) {
        assert_string_equal(kept.points[i].labels, alone.points[i].labels);
        assert_int_equal(kept.points[i].point.count, alone.points[i].point.count);
        assert_true(kept.points[i].point.sum == alone.points[i].point.sum);
        assert_memory_equal(kept.points[i].counts, alone.points[i].counts,
                            sizeof kept.points[i].counts);
    }
    ftri_span_metrics_free(metrics);
}

static void test_batches_count_what_one_by_one_does(void **state)
{
    (void)state;
    static const size_t batches[] = {1, 2, FTRI_SPAN_BATCH, 100};
    for (size_t i = 0; i < FTRI_COUNT(batches); i++) {
        compare_batches(false, batches[i]);
        compare_batches(true, batches[i]);
    }
}

/* 1 + 3 * (2^32 - 1) + 5 * 2^40 in one bucket, each part beyond what 32 bits hold. */
static void test_a_bucket_counts_beyond_32_bits(void **state)
{
    (void)state;
    struct ftri_span_metrics *metrics =
        new_metrics(&(struct ftri_span_metrics_settings){.is_in_ms = true});
    struct ftri_span_view span = span_of("n", 15000 * MS + 1); /* the last bucket */
    observe_one(metrics, &span);
    span.whole = UINT32_MAX;
    for (int i = 0; i < 3; i++)
        observe_one(metrics, &span);
    span.whole = UINT64_C(5) << 40;
    observe_one(metrics, &span);
    read_all(metrics);
    const struct kept_point *point = kept_find(&kept, DURATION, "span.name=n");
    assert_int_equal(point->counts[16], 5497558138880 + 12884901885 + 1);
    assert_int_equal(point->counts[15], 0);
    assert_int_equal(calls("span.name=n"), 5497558138880 + 12884901885 + 1);
    ftri_span_metrics_free(metrics);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    enum { NAMES = 300 };
    size_t n_failed = 0;
    for (uint64_t n = 1;; n++) {
        ftri_mem_fail_at(n);
        struct ftri_span_metrics *metrics =
            ftri_span_metrics_new(&(struct ftri_span_metrics_settings){.is_in_ms = true});
        for (int i = 0; i < NAMES && metrics; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", i);
            observe(metrics, name, MS);
        }
        struct ftri_span_snapshot *snapshot = metrics ? ftri_span_snapshot_new(metrics) : NULL;
        const bool has_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        if (metrics) {
            const struct ftri_span_metrics_counts counts = ftri_span_metrics_count(metrics);
            const size_t n_own = counts.n_series - (counts.n_overflowing > 0);
            assert_int_equal(n_own + counts.n_overflowing, NAMES);
        }
        ftri_span_snapshot_free(snapshot);
        ftri_span_metrics_free(metrics);
        n_failed += has_failed;
        if (!has_failed)
            break;
    }
    assert_true(n_failed > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_by_name_kind_status_service_and_attributes),
        cmocka_unit_test(test_beyond_the_cap_everything_is_counted_in_one_series),
        cmocka_unit_test(test_a_name_without_end_has_no_series),
        cmocka_unit_test(test_names_that_find_no_room_cost_nothing),
        cmocka_unit_test(test_estimates_add_their_fractions_up),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_exemplars_are_the_kept_ones_by_bucket),
        cmocka_unit_test(test_once_a_series_exists_nothing_is_allocated),
        cmocka_unit_test(test_batches_count_what_one_by_one_does),
        cmocka_unit_test(test_a_bucket_counts_beyond_32_bits),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
