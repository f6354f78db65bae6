/* SPDX-License-Identifier: Apache-2.0
 *
 * A sender's queue in bytes: what does not fit is lost and counted, and the room comes back. */
#include "base/time.h"
#include "probe.h"

#include <unistd.h>

enum { BATCH_BYTES = 1024, QUEUE_BYTES = 8 * BATCH_BYTES, RECORDED = 1000 };

static struct probe *start_small(size_t queue_bytes)
{
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    config.queue_bytes = queue_bytes;
    config.batch_bytes = BATCH_BYTES;
    start_with(&config, probe);
    return probe;
}

static void stop(struct probe *probe)
{
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    free(probe);
}

static void record_long(int n, size_t len)
{
    char text[QUEUE_BYTES + 1];
    assert_true(len <= sizeof text);
    memset(text, 'x', len);
    for (int i = 0; i < n; i++) {
        const ftr_span span = ftr_span_start(FTR_STR("long"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_str(span, FTR_STR("text"), (ftr_str){text, len});
        ftr_span_end(span);
    }
}

static void record_large(void)
{
    record_long(1, QUEUE_BYTES + 1);
}

static void fill_and_empty(size_t queue_bytes, size_t text_len)
{
    struct probe *probe = start_small(queue_bytes);
    for (uint64_t round = 1; round <= 3; round++) {
        const uint64_t n_lost = counts().exporters[0].lost_queue_full;
        pthread_mutex_lock(&probe->gate);
        record_long(RECORDED, text_len);
        assert_int_equal(ftr_flush(20 * MS), FTR_ERR_TIMEOUT);
        const ftr_exporter_statistics full = counts().exporters[0];
        assert_true(full.queued > 0 && full.lost_queue_full > n_lost);
        assert_int_equal(full.queued + full.lost_queue_full - n_lost, RECORDED);
        pthread_mutex_unlock(&probe->gate);
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
        record(5);
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
        const ftr_exporter_statistics empty = counts().exporters[0];
        assert_int_equal(empty.queued, 0);
        assert_int_equal(empty.lost_queue_full, full.lost_queue_full);
        assert_int_equal(empty.delivered + empty.lost_queue_full, round * (RECORDED + 5));
        assert_int_equal(probe->n_spans, empty.delivered);
    }
    stop(probe);
}

/* The smaller one is full of one span, which is sealed: nothing is open when another does not fit.
 */
static void test_a_queue_that_was_full_takes_spans_again(void **state)
{
    (void)state;
    fill_and_empty(QUEUE_BYTES, 10);
    fill_and_empty(BATCH_BYTES, BATCH_BYTES * 3 / 4);
}

/* Into an empty queue, then into one with an open batch. */
static void test_a_span_larger_than_the_queue_is_lost_alone(void **state)
{
    (void)state;
    struct probe *probe = start_small(QUEUE_BYTES);
    for (uint64_t round = 1; round <= 2; round++) {
        record_large();
        record(2);
        record_large();
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
        record(3);
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
        assert_int_equal(counts().exporters[0].lost_queue_full, 2 * round);
        assert_int_equal(counts().exporters[0].delivered, 5 * round);
    }
    stop(probe);
}

static void wait_for_delivered(uint64_t n)
{
    const uint64_t deadline_ns = ftri_time_monotonic_ns() + 60 * SECOND;
    while (counts().exporters[0].delivered < n && ftri_time_monotonic_ns() < deadline_ns)
        usleep(1000);
    assert_true(counts().exporters[0].delivered >= n);
}

/* Half of the queue is sent on, whatever a batch may have: nothing waits for the delay. */
static void test_a_queue_smaller_than_a_batch_is_emptied_before_it_is_full(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    config.queue_bytes = QUEUE_BYTES;
    config.batch_delay_ms = 60000;
    start_with(&config, probe);
    record_long(1, QUEUE_BYTES * 5 / 8);
    wait_for_delivered(1);
    assert_int_equal(counts().exporters[0].lost_queue_full, 0);
    stop(probe);
}

static void test_a_queue_of_few_spans_is_emptied_when_it_is_full(void **state)
{
    (void)state;
    setenv("OTEL_BSP_MAX_QUEUE_SIZE", "3", 1);
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    config.batch_delay_ms = 60000;
    start_with(&config, probe);
    record(3);
    wait_for_delivered(3);
    assert_int_equal(counts().exporters[0].lost_queue_full, 0);
    stop(probe);
    unsetenv("OTEL_BSP_MAX_QUEUE_SIZE");
}

/* An exporter that is instrumented itself, with a span of the program's in its hands. */
struct recorder {
    struct probe probe;
    ftr_span span;
    int n_recording;
};

static void record_in_every_way(struct recorder *self, const ftr_context *parent)
{
    static ftr_call_site site = {.kind = FTR_KIND_CLIENT, .name = {"site", 4}};
    const ftr_span_options root = {.size = sizeof root, .is_root = true, .is_linked = true};
    const ftr_span_options below = {.size = sizeof below, .parent = parent};
    const ftr_span spans[] = {
        ftr_span_start(FTR_STR("short"), FTR_KIND_CLIENT, NULL),
        ftr_span_start(FTR_STR("short"), FTR_KIND_CLIENT, parent),
        ftr_span_start(FTR_STR("a name beyond sixteen bytes"), FTR_KIND_CLIENT, NULL),
        ftr_span_start_site(&site, NULL),
        ftr_span_start_site(&site, parent),
        ftr_span_start_with(&root),
        ftr_span_start_with(&below),
    };
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        self->n_recording += ftr_span_is_recording(spans[i]);
        ftr_span_end(spans[i]);
    }
}

static void export_and_record(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                              ftr_export_result *ret_result)
{
    struct recorder *self = instance;
    ftr_context parent = ftr_span_context_of(self->span);
    record_in_every_way(self, &parent);
    ftr_span_set_bool(self->span, FTR_STR("seen"), true);
    ftr_span_end(self->span);
    record_in_every_way(self, &parent);
    ftr_context_release(&parent);
    probe_export(&self->probe, batch, deadline_ns, ret_result);
}

static void close_and_record(void *instance)
{
    record_in_every_way(instance, NULL);
    probe_close(&((struct recorder *)instance)->probe);
}

static void test_what_an_exporter_starts_is_not_recorded(void **state)
{
    (void)state;
    static const ftr_exporter_class recorder_class = {.size = sizeof recorder_class,
                                                      .name = "recorder",
                                                      .form = FTR_EXPORT_OTLP,
                                                      .export_batch = export_and_record,
                                                      .close = close_and_record};
    struct recorder recorder = {.probe.gate = PTHREAD_MUTEX_INITIALIZER};
    ftr_exporter *exporter = ftr_exporter_new(&recorder_class, &recorder);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    recorder.span = ftr_span_start(FTR_STR("the program's"), FTR_KIND_INTERNAL, NULL);
    record(1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_int_equal(counts().started, 2);
    assert_int_equal(counts().exporters[0].delivered, 2);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_true(recorder.probe.is_closed);
    assert_int_equal(recorder.n_recording, 0);
    assert_int_equal(counts().ended, 2);
    assert_int_equal(counts().no_slot + counts().roots_dropped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_queue_that_was_full_takes_spans_again),
        cmocka_unit_test(test_a_span_larger_than_the_queue_is_lost_alone),
        cmocka_unit_test(test_a_queue_smaller_than_a_batch_is_emptied_before_it_is_full),
        cmocka_unit_test(test_a_queue_of_few_spans_is_emptied_when_it_is_full),
        cmocka_unit_test(test_what_an_exporter_starts_is_not_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
