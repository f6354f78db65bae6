/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles that name nothing: eight threads use every kind of them, all functions on each, while
 * they record. Each call is a no-op that is counted, and what is recorded is whole. */
#include "spans.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 8, ROUNDS = 40, SPANS = 25, GARBAGE = 200 };

static pthread_barrier_t barrier;
static ftr_span exchanged[THREADS][SPANS];
static ftr_attachment tokens[THREADS];
static ftr_span of_before;          /* of an earlier session */
static _Atomic uint64_t n_expected; /* stale calls */
static _Atomic uint64_t n_wrong;

static uint64_t scramble(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Every function that takes a handle; counted by those that count. */
static uint64_t use(ftr_span span)
{
    const ftr_attribute attribute = {FTR_STR("k"), ftr_value_bool(true)};
    const ftr_value array = ftr_value_array(&attribute.value, 1);
    const ftr_context linked = {.span = {.trace_id = {{7}}, .span_id = {{8}}}};
    ftr_span_set_i64(span, FTR_STR("k"), 1);
    ftr_span_set_str(span, FTR_STR("k"), FTR_STR("text"));
    ftr_span_set_text(span, FTR_STR("k"), "text");
    ftr_span_set_f64(span, FTR_STR("k"), 0.5);
    ftr_span_set_bool(span, FTR_STR("k"), true);
    ftr_span_set_u64(span, FTR_STR("k"), UINT64_MAX);
    ftr_span_set_bytes(span, FTR_STR("k"), "b", 1);
    ftr_span_set(span, FTR_STR("k"), &array);
    ftr_span_set_name(span, FTR_STR("another name"));
    ftr_span_set_status(span, FTR_SPAN_ERROR, FTR_STR("why"));
    ftr_span_event(span, FTR_STR("e"), &attribute, 1);
    ftr_span_event(span, FTR_STR("e"), NULL, 0);
    ftr_span_link(span, &linked, &attribute, 1);
    ftr_span_link(span, &linked, NULL, 0);
    ftr_span_set_start_time(span, 1);
    ftr_span_set_end_time(span, 1);
    ftr_span_skip_finish_callback(span);
    ftr_context none = ftr_span_context_of(span);
    n_wrong += ftr_span_id_is_valid(&none.span.span_id);
    ftr_context_release(&none);
    n_wrong += ftr_span_is_recording(span);
    ftr_span_end(span);
    ftr_span_end_at(span, 1);
    return 20;
}

static ftr_span start_span(void)
{
    return ftr_span_start(FTR_STR("recorded"), FTR_KIND_INTERNAL, NULL);
}

/* Bits that may be anything, but for those that say that there was a span. */
static uint64_t use_garbage(size_t thread)
{
    uint64_t seed = 88172645463325252u + thread;
    uint64_t n = 0;
    for (int i = 0; i < GARBAGE; i++) {
        ftr_span span = {scramble(&seed), scramble(&seed) | 1};
        if (i % 4 == 1)
            span.handle = (uint64_t)thread << 32 | (span.handle & 31); /* a slot there is */
        else if (i % 4 == 2)
            span.handle &= 0xf00000fff; /* threads and slots, some there, some not */
        else if (i % 4 == 3)
            span.generation |= 3;
        n += use(span);
    }
    return n;
}

/* A span that is not sampled has a handle of its own kind. */
static uint64_t end_unsampled_twice(void)
{
    const ftr_context parent = {.span = {.trace_id = {{7}}, .span_id = {{8}}}};
    const ftr_span span = ftr_span_start(FTR_STR("not sampled"), FTR_KIND_INTERNAL, &parent);
    ftr_span_end(span);
    const ftr_span again = ftr_span_start(FTR_STR("not sampled"), FTR_KIND_INTERNAL, &parent);
    ftr_span_end(span);
    ftr_span_end_at(span, 5);
    ftr_context context = ftr_span_context_of(again);
    n_wrong += context.span.span_id.bytes[0] != 8;
    ftr_context_release(&context);
    ftr_span_end(again);
    return 2;
}

/* The others' spans are ended by this thread, its own by another; then all of them again. */
static uint64_t exchange(size_t thread)
{
    uint64_t n = 0;
    for (int i = 0; i < SPANS; i++)
        exchanged[thread][i] = start_span();
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < SPANS; i++)
        ftr_span_end(exchanged[(thread + 1) % THREADS][i]);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < SPANS; i += 5) {
        const ftr_span young = start_span(); /* possibly in the slot of one of them */
        n += use(exchanged[thread][i]);
        n += use(exchanged[(thread + 1) % THREADS][i]);
        n += use(exchanged[(thread + 2) % THREADS][i]);
        n_wrong += !ftr_span_is_recording(young);
        ftr_span_end(young);
    }
    pthread_barrier_wait(&barrier);
    return n;
}

/* Tokens of other threads, twice detached ones, made-up ones. */
static uint64_t detach_wrongly(size_t thread)
{
    const ftr_context context = {.span = {.trace_id = {{7}}, .span_id = {{8}}, .trace_flags = 1}};
    tokens[thread] = ftr_attach(&context);
    pthread_barrier_wait(&barrier);
    ftr_detach(tokens[(thread + 1) % THREADS]);
    ftr_detach((ftr_attachment){0});
    ftr_detach((ftr_attachment){UINT64_MAX});
    pthread_barrier_wait(&barrier);
    char text[FTR_TRACEPARENT_LEN + 1];
    n_wrong += !ftr_current_traceparent(text);
    ftr_detach(tokens[thread]);
    ftr_detach(tokens[thread]);
    n_wrong += ftr_current_traceparent(text);
    return 4;
}

static void *misuse(void *argument)
{
    const size_t thread = (size_t)argument;
    uint64_t n = 0;
    for (int i = 0; i < ROUNDS; i++) {
        n += exchange(thread);
        n += detach_wrongly(thread);
        n += end_unsampled_twice();
        n += use(of_before);
    }
    n += use_garbage(thread);
    atomic_fetch_add(&n_expected, n);
    return NULL;
}

static void run_threads(void *(*run)(void *))
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}

static void assert_whole(void)
{
    ftr_span_data span;
    size_t n = 0;
    assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
    for (; ftr_memory_spans_get(spans, n, &span); n++) {
        assert_text(span.name, "recorded");
        assert_int_equal(span.n_attributes + span.n_events + span.n_links + span.status, 0);
        assert_true(span.start_time_ns > SECOND && span.end_time_ns >= span.start_time_ns);
    }
    assert_int_equal(n, THREADS * ROUNDS * (SPANS + SPANS / 5));
}

static void test_eight_threads_misuse_every_kind_of_handle(void **state)
{
    (void)state;
    start_standard();
    of_before = start_span();
    stop();
    start_standard();
    atomic_store(&n_expected, 0);
    run_threads(misuse);
    assert_whole();
    const ftr_statistics statistics = counts();
    assert_int_equal(atomic_load(&n_wrong), 0);
    assert_int_equal(statistics.stale, atomic_load(&n_expected));
    assert_int_equal(statistics.started, THREADS * ROUNDS * (SPANS + SPANS / 5));
    assert_int_equal(statistics.ended, statistics.started);
    assert_int_equal(statistics.open + statistics.no_slot + statistics.lost_journal_full, 0);
    stop();
}

/* The slots are there as they were; only the session says that they are nobody's. */
static void test_after_a_shutdown_handles_are_counted_no_ops(void **state)
{
    (void)state;
    const ftr_context parent = {.span = {.trace_id = {{7}}, .span_id = {{8}}}};
    start_standard();
    const ftr_span left = start_span();
    const ftr_span unsampled = ftr_span_start(FTR_STR("u"), FTR_KIND_INTERNAL, &parent);
    ftr_span_set_i64(left, FTR_STR("n"), 1);
    stop();
    const ftr_statistics before = counts();
    assert_int_equal(before.stale, 0);
    assert_int_equal(before.open, 1);
    uint64_t n = use(left);
    ftr_span_end(unsampled);
    n++;
    assert_int_equal(counts().stale, n);
    const ftr_span none = start_span();
    ftr_span_end(none);
    assert_int_equal(counts().stale, n);
    assert_int_equal(counts().started, before.started);
    assert_int_equal(counts().ended, before.ended);
    start_standard(); /* counts anew, and nothing of it was left in the journal */
    ftr_span_end(start_span());
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_int_equal(counts().stale, 0);
    assert_int_equal(counts().recorded, 1);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eight_threads_misuse_every_kind_of_handle),
        cmocka_unit_test(test_after_a_shutdown_handles_are_counted_no_ops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
