/* SPDX-License-Identifier: Apache-2.0
 *
 * Taps: what they get and from when on, what a stalled reader loses, threads, short memory. */
#include <flowtrace/propagation.h>
#include <flowtrace/tap.h>

#include "base/mem.h"
#include "probe.h"

#include <stdio.h>

static void record_number(int64_t number)
{
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_i64(span, FTR_STR("number"), number);
    ftr_span_end(span);
}

static void record_numbers(int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        record_number(i);
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
}

static int64_t number_of(const ftr_span_data *span)
{
    return span->n_attributes == 1 ? span->attributes[0].value.as.i64 : -1;
}

static void assert_next(ftr_tap *tap, int64_t number)
{
    ftr_span_data span;
    assert_int_equal(ftr_tap_next(tap, 0, &span), FTR_OK);
    assert_int_equal(number_of(&span), number);
}

static void assert_none(ftr_tap *tap)
{
    ftr_span_data span;
    assert_int_equal(ftr_tap_next(tap, 0, &span), FTR_ERR_TIMEOUT);
}

static void test_everything_since_it_was_made(void **state)
{
    (void)state;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    record_numbers(0, 5);
    ftr_tap *tap = ftr_tap_new();
    assert_none(tap);
    record_numbers(5, 8);
    for (int i = 5; i < 8; i++)
        assert_next(tap, i);
    assert_none(tap);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_none(tap);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK); /* the next session */
    record_numbers(8, 9);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_next(tap, 8);
    assert_int_equal(ftr_tap_n_lost(tap), 0);
    ftr_tap_free(tap);
    ftr_tap_free(NULL);
}

static void test_all_of_a_span(void **state)
{
    (void)state;
    ftr_field fields[] = {{FTR_STR("traceparent"),
                           FTR_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
                          {FTR_STR("tracestate"), FTR_STR("a=1,b=2")}};
    ftr_field_list list = {.fields = fields, .n_fields = 2};
    ftr_tap *tap = ftr_tap_new();
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    ftr_context parent = ftr_extract(&ftr_http_carrier, &list);
    const ftr_span span = ftr_span_start(FTR_STR("served"), FTR_KIND_SERVER, &parent);
    ftr_context_release(&parent);
    ftr_span_event(span, FTR_STR("half"), NULL, 0);
    ftr_span_set_status(span, FTR_SPAN_ERROR, FTR_STR("why"));
    ftr_span_end(span);
    ftr_span_data got;
    assert_int_equal(ftr_tap_next(tap, 30 * SECOND, &got), FTR_OK);
    assert_memory_equal(got.name.data, "served", 6);
    assert_int_equal(got.kind, FTR_KIND_SERVER);
    assert_int_equal(got.parent_span_id.bytes[0], 0xb7);
    assert_true(got.parent_is_remote);
    assert_int_equal(got.tracestate.len, 7);
    assert_memory_equal(got.tracestate.data, "a=1,b=2", 7);
    assert_int_equal(got.n_events, 1);
    assert_memory_equal(got.status_description.data, "why", 3);
    assert_true(got.end_time_ns >= got.start_time_ns && got.start_time_ns > 0);
    ftr_tap_free(tap);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

static void test_a_stalled_reader_loses_what_comes_then(void **state)
{
    (void)state;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    ftr_tap *stalled = ftr_tap_new();
    ftr_tap *reading = ftr_tap_new();
    for (int64_t i = 0; i < 5000; i += 1000) {
        record_numbers(i, i + 1000);
        for (int64_t k = i; k < i + 1000; k++)
            assert_next(reading, k);
    }
    assert_int_equal(ftr_tap_n_lost(reading), 0);
    assert_int_equal(ftr_tap_n_lost(stalled), 5000 - FTR_TAP_SPANS);
    assert_next(stalled, 0);
    record_numbers(5000, 5002); /* room for one */
    assert_int_equal(ftr_tap_n_lost(stalled), 5000 - FTR_TAP_SPANS + 1);
    for (int64_t i = 1; i < FTR_TAP_SPANS; i++)
        assert_next(stalled, i);
    assert_next(stalled, 5000);
    assert_none(stalled);
    record_numbers(5002, 5003);
    assert_next(stalled, 5002);
    ftr_statistics statistics = counts();
    assert_int_equal(statistics.recorded, 5003);
    assert_int_equal(statistics.lost_journal_full, 0);
    ftr_tap_free(stalled);
    ftr_tap_free(reading);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

static void test_bytes_are_bounded_too(void **state)
{
    (void)state;
    enum { BIG = 200 * 1024, N = 100 };
    char *text = calloc(1, BIG);
    memset(text, 'x', BIG);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    ftr_tap *tap = ftr_tap_new();
    for (int i = 0; i < N; i++) {
        const ftr_span span = ftr_span_start(FTR_STR("big"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_str(span, FTR_STR("text"), (ftr_str){text, BIG});
        ftr_span_end(span);
        assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    }
    const uint64_t n_lost = ftr_tap_n_lost(tap);
    assert_in_range(n_lost, N - ((8 << 20) / BIG) - 1, N - 1); /* 8 MiB a buffer */
    ftr_span_data span;
    size_t n_read = 0;
    for (; ftr_tap_next(tap, 0, &span) == FTR_OK; n_read++)
        assert_int_equal(span.attributes[0].value.as.str.len, BIG);
    assert_int_equal(n_read + n_lost, N);
    ftr_tap_free(tap);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    free(text);
}

static void test_their_number_is_bounded(void **state)
{
    (void)state;
    ftr_tap *taps[FTR_TAPS_MAX];
    for (size_t i = 0; i < FTR_TAPS_MAX; i++)
        assert_non_null(taps[i] = ftr_tap_new());
    assert_null(ftr_tap_new());
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    ftr_tap_free(taps[3]);
    assert_non_null(taps[3] = ftr_tap_new());
    record_numbers(0, 1);
    for (size_t i = 0; i < FTR_TAPS_MAX; i++) {
        assert_next(taps[i], 0);
        ftr_tap_free(taps[i]);
    }
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

/* ---- threads ---- */

enum { THREADS = 4, SPANS = 5000 };

static _Atomic int n_recording;

static void *record_spans(void *argument)
{
    (void)argument;
    for (int i = 0; i < SPANS; i++)
        record_number(i);
    atomic_fetch_sub(&n_recording, 1);
    return NULL;
}

static void *come_and_go(void *argument)
{
    (void)argument;
    ftr_span_data span;
    while (atomic_load(&n_recording) > 0) {
        ftr_tap *tap = ftr_tap_new();
        (void)ftr_tap_next(tap, MS, &span);
        ftr_tap_free(tap);
    }
    return NULL;
}

static void test_each_span_is_read_or_lost(void **state)
{
    (void)state;
    pthread_t threads[THREADS + 1];
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    ftr_tap *tap = ftr_tap_new();
    atomic_store(&n_recording, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_spans, NULL), 0);
    assert_int_equal(pthread_create(&threads[THREADS], NULL, come_and_go, NULL), 0);
    uint64_t n_read = 0;
    ftr_span_data span;
    while (atomic_load(&n_recording) > 0)
        n_read += ftr_tap_next(tap, MS, &span) == FTR_OK;
    for (int i = 0; i <= THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    while (ftr_tap_next(tap, 0, &span) == FTR_OK)
        n_read++;
    assert_int_equal(counts().recorded, THREADS * SPANS);
    assert_int_equal(n_read + ftr_tap_n_lost(tap), THREADS * SPANS);
    ftr_tap_free(tap);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

/* ---- short memory ---- */

static void test_short_memory_loses_and_counts(void **state)
{
    (void)state;
    ftri_mem_fail_at(1);
    assert_null(ftr_tap_new());
    ftri_mem_fail_at(0);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    ftr_tap *tap = ftr_tap_new();
    ftri_mem_fail_at(1); /* the worker's first record */
    record_numbers(0, 2);
    ftri_mem_fail_at(0);
    assert_int_equal(ftr_tap_n_lost(tap), 1);
    ftr_span_data span;
    ftri_mem_fail_at(1);
    assert_int_equal(ftr_tap_next(tap, 0, &span), FTR_ERR_MEMORY);
    ftri_mem_fail_at(0);
    assert_int_equal(ftr_tap_n_lost(tap), 2);
    record_numbers(2, 3);
    assert_next(tap, 2);
    ftr_tap_free(tap);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_since_it_was_made),
        cmocka_unit_test(test_all_of_a_span),
        cmocka_unit_test(test_a_stalled_reader_loses_what_comes_then),
        cmocka_unit_test(test_bytes_are_bounded_too),
        cmocka_unit_test(test_their_number_is_bounded),
        cmocka_unit_test(test_each_span_is_read_or_lost),
        cmocka_unit_test(test_short_memory_loses_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
