/* SPDX-License-Identifier: Apache-2.0
 *
 * A histogram by one label under several threads, its cap, and what it does not take. */
#include "metrics/labelled.h"

#include "base/mem.h"
#include "base/thread.h"
#include "kept.h"

#include <math.h>
#include <stdatomic.h>

enum { THREADS = 4, CALLS = 1200, LABELS = 60, ROUNDS = 50 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const double bounds[] = {.0001, .00025, .0005, .001, .0025, .005, .01, .025,
                                .05,   .1,     .25,   .5,   1,     2.5,  5,   10};
static struct kept kept;

static struct ftri_labelled *new_histogram(uint32_t series_max)
{
    return ftri_labelled_new(&(struct ftri_labelled_settings){
        .name = {"calls", 5},
        .label = {"path", 4},
        .unit = {"s", 1},
        .bounds = bounds,
        .n_bounds = FTRI_COUNT(bounds),
        .series_max = series_max,
        .lock = &lock,
    });
}

static void read_all(struct ftri_labelled *histogram)
{
    const struct ftri_metric_sink sink = kept_sink(&kept);
    pthread_mutex_lock(&lock);
    assert_int_equal(ftri_labelled_write(histogram, 1, &sink), 0);
    pthread_mutex_unlock(&lock);
}

static void test_what_is_no_duration_is_dropped_and_counted(void **state)
{
    (void)state;
    struct ftri_labelled *histogram = new_histogram(100);
    const ftr_str path = {"/a", 2};
    ftri_labelled_record(histogram, path, -1e-9);
    ftri_labelled_record(histogram, path, NAN);
    ftri_labelled_record(histogram, path, INFINITY);
    ftri_labelled_record(histogram, path, -INFINITY);
    ftri_labelled_record(histogram, path, 0);
    ftri_labelled_record(histogram, path, 0.0001);
    ftri_labelled_record(histogram, path, 10.5);
    read_all(histogram);
    assert_int_equal(ftri_labelled_n_dropped(histogram), 4);
    const struct kept_point *found = kept_find(&kept, "calls", "path=/a");
    assert_int_equal(found->point.count, 3);
    assert_int_equal(found->counts[0], 2);
    assert_int_equal(found->counts[16], 1);
    assert_true(found->point.sum == 0.0001 + 10.5);
    ftri_labelled_free(histogram);
}

static void test_labels_beyond_the_cap_share_a_series(void **state)
{
    (void)state;
    struct ftri_labelled *histogram = new_histogram(3);
    const ftr_str paths[] = {{"/a", 2}, {"/b", 2}, {"/c", 2}, {"/d", 2}, {"/a", 2}};
    for (size_t i = 0; i < FTRI_COUNT(paths); i++)
        ftri_labelled_record(histogram, paths[i], 1);
    read_all(histogram);
    assert_int_equal(kept.n_points, 3);
    assert_int_equal(kept_find(&kept, "calls", "path=/a")->point.count, 2);
    assert_int_equal(kept_find(&kept, "calls", "otel.metric.overflow=true")->point.count, 2);
    ftri_labelled_free(histogram);
}

static struct ftri_labelled *shared;
static _Atomic bool is_done;

static void *record(void *argument)
{
    (void)argument;
    for (int i = 0; i < CALLS; i++) {
        char path[16];
        const int len = snprintf(path, sizeof path, "/%d", i % LABELS);
        ftri_labelled_record(shared, (ftr_str){path, (size_t)len}, i % 2 ? 0.5 : 0.25);
    }
    return NULL;
}

static void *read_along(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_done))
        read_all(shared);
    return NULL;
}

/* Again and again: each time threads meet at new labels. */
static void run_threads(void)
{
    pthread_t threads[THREADS], reader;
    atomic_store(&is_done, false);
    assert_int_equal(ftri_thread_start(read_along, NULL, &reader), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(ftri_thread_start(record, NULL, &threads[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&is_done, true);
    pthread_join(reader, NULL);
}

static void test_no_observation_is_lost_between_threads(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        shared = new_histogram(100);
        run_threads();
        read_all(shared);
        uint64_t n = 0;
        double sum = 0;
        assert_int_equal(kept.n_points, LABELS);
        for (size_t i = 0; i < kept.n_points; i++) {
            n += kept.points[i].counts[10] + kept.points[i].counts[11];
            sum += kept.points[i].point.sum;
        }
        assert_int_equal(n, THREADS * CALLS);
        assert_true(sum == THREADS * CALLS * 0.375);
        ftri_labelled_free(shared);
    }
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        ftri_mem_fail_at(n);
        struct ftri_labelled *histogram = new_histogram(1000);
        for (int i = 0; i < 300 && histogram; i++) {
            char path[300];
            memset(path, 'x', sizeof path);
            const int len = snprintf(path, sizeof path, "/%d", i);
            path[len] = 'x';
            ftri_labelled_record(histogram, (ftr_str){path, sizeof path}, 1);
        }
        const bool has_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        if (histogram) {
            ftri_labelled_restart(histogram, 1);
            ftri_labelled_record(histogram, (ftr_str){"/1", 2}, 1);
        }
        ftri_labelled_free(histogram);
        if (!has_failed)
            break;
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_duration_is_dropped_and_counted),
        cmocka_unit_test(test_labels_beyond_the_cap_share_a_series),
        cmocka_unit_test(test_no_observation_is_lost_between_threads),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
