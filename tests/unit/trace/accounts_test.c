/* SPDX-License-Identifier: Apache-2.0
 *
 * The accounts balance under load: eight threads, journals that overflow, exporters that are slow,
 * refuse or forget, spans that end elsewhere. */
#include <flowtrace/flowtrace.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

enum { THREADS = 8, SPANS = 20000 };

static _Atomic uint64_t n_seen;

static void slow_export(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                        ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    usleep(2000);
    atomic_fetch_add(&n_seen, batch->n_spans);
    ret_result->n_delivered = batch->n_spans / 2;
    ret_result->n_rejected = batch->n_spans / 4;
    ret_result->n_lost = 0; /* forgets the rest */
}

static void quick_export(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                         ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    for (size_t i = 0; i < batch->n_spans; i++)
        if (!ftr_trace_id_is_valid(&batch->spans[i].context.trace_id) ||
            batch->spans[i].end_time_ns < batch->spans[i].start_time_ns)
            ret_result->n_rejected++;
    ret_result->n_delivered = batch->n_spans - ret_result->n_rejected;
}

static const ftr_exporter_class slow_class = {
    .size = sizeof slow_class,
    .name = "slow",
    .form = FTR_EXPORT_OTLP,
    .export_batch = slow_export,
};
static const ftr_exporter_class quick_class = {
    .size = sizeof quick_class,
    .name = "quick",
    .form = FTR_EXPORT_SPANS,
    .export_batch = quick_export,
};

static ftr_span handed_over[THREADS][100];

static void *record(void *argument)
{
    const size_t thread = (size_t)argument;
    const ftr_span root = ftr_span_start(FTR_STR("root"), FTR_KIND_SERVER, NULL);
    ftr_context context = ftr_span_context_of(root);
    const ftr_attachment attachment = ftr_attach(&context);
    for (int i = 0; i < SPANS; i++) {
        const ftr_span span = ftr_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_i64(span, FTR_STR("i"), i);
        if (i % 64 == 0)
            ftr_span_event(span, FTR_STR("event"), NULL, 0);
        if (i < 100)
            handed_over[thread][i] = span;
        else
            ftr_span_end(span);
    }
    ftr_detach(attachment);
    ftr_context_release(&context);
    if (thread % 2 == 0) /* the others leave theirs open */
        ftr_span_end(root);
    return NULL;
}

static void *end_handed_over(void *argument)
{
    const size_t thread = (size_t)argument;
    for (int i = 0; i < 100; i++)
        ftr_span_end(handed_over[thread][i]);
    return NULL;
}

static void run_threads(void *(*run)(void *))
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void assert_balanced(const ftr_statistics *s)
{
    assert_int_equal(s->started, s->ended + s->open);
    assert_int_equal(s->ended, s->recorded + s->lost_journal_full);
    for (size_t i = 0; i < s->n_exporters; i++) {
        const ftr_exporter_statistics *e = &s->exporters[i];
        assert_int_equal(s->recorded, e->delivered + e->rejected + e->lost_queue_full +
                                          e->lost_export + e->queued);
    }
}

static void start(size_t journal_bytes, size_t queue_bytes)
{
    ftr_exporter *exporters[] = {ftr_exporter_new(&slow_class, NULL),
                                 ftr_exporter_new(&quick_class, NULL)};
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = exporters;
    config.n_exporters = 2;
    config.journal_bytes = journal_bytes;
    config.queue_bytes = queue_bytes;
    config.batch_bytes = 32 * 1024;
    config.open_spans = 1024;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    atomic_store(&n_seen, 0);
}

static ftr_statistics counts(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    return statistics;
}

static void test_accounts_balance_with_full_journals_and_queues(void **state)
{
    (void)state;
    start(16 * 1024, 4 * 1024);
    run_threads(record);
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    ftr_statistics statistics = counts();
    assert_balanced(&statistics);
    assert_int_equal(statistics.started, THREADS * (SPANS + 1));
    assert_int_equal(statistics.open, THREADS * 100 + THREADS / 2);
    assert_true(statistics.lost_journal_full > 0);
    assert_true(statistics.exporters[0].lost_queue_full > 0);
    run_threads(end_handed_over);
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    statistics = counts();
    assert_balanced(&statistics);
    assert_int_equal(statistics.open, THREADS / 2);
    assert_int_equal(statistics.stale, 0);
    assert_int_equal(statistics.exporters[0].queued, 0);
    assert_int_equal(statistics.exporters[0].delivered + statistics.exporters[0].rejected +
                         statistics.exporters[0].lost_export,
                     atomic_load(&n_seen));
    assert_int_equal(statistics.exporters[1].rejected, 0);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    statistics = counts();
    assert_balanced(&statistics);
}

static void test_nothing_is_lost_with_enough_room(void **state)
{
    (void)state;
    start((size_t)64 << 20, (size_t)256 << 20); /* one journal may serve all, one by one */
    run_threads(record);
    run_threads(end_handed_over);
    assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
    const ftr_statistics statistics = counts();
    assert_balanced(&statistics);
    assert_int_equal(statistics.lost_journal_full, 0);
    assert_int_equal(statistics.exporters[1].delivered, THREADS * (SPANS + 1) - THREADS / 2);
    assert_int_equal(atomic_load(&n_seen), THREADS * (SPANS + 1) - THREADS / 2);
}

static void *record_one(void *argument)
{
    (void)argument;
    ftr_span_end(ftr_span_start(FTR_STR("short"), FTR_KIND_INTERNAL, NULL));
    return NULL;
}

/* Far more threads than may exist at once, one after the other. */
static void test_ended_threads_make_room_for_new_ones(void **state)
{
    (void)state;
    start((size_t)1 << 20, (size_t)16 << 20);
    for (int i = 0; i < 500; i++)
        run_threads(record_one);
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    const ftr_statistics statistics = counts();
    assert_balanced(&statistics);
    assert_int_equal(statistics.recorded, 500 * THREADS);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts_balance_with_full_journals_and_queues),
        cmocka_unit_test(test_nothing_is_lost_with_enough_room),
        cmocka_unit_test(test_ended_threads_make_room_for_new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
