/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers while the writer hands spans over from the gather to blocks: what was appended before a
 * read began is in it, each span once. */
#include "fixture.h"

#include "base/mem.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { N_READERS = 4, N_TRACES = 400, TRACE_SPANS = 4 };

struct shared {
    struct store *store;
    _Atomic uint64_t n_appended; /* traces 1 to this are in */
    _Atomic bool is_done;
    _Atomic uint64_t n_reads;
};

static struct sample sample_of(uint64_t trace, uint64_t span)
{
    return (struct sample){trace, span,  1, "s", "n", trace * 100 + span, trace * 100 + span + 5,
                           1,     false, 0};
}

/* cmocka's asserts belong to the main thread. */
static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "a reader: %s\n", what);
    abort();
}

static void read_trace(struct shared *shared, uint64_t trace)
{
    struct store_result result;
    uint8_t id[16];
    sample_trace_id(trace, id);
    demand(store_get_trace(shared->store, id, &result) == 0, "get failed");
    demand(result.n_spans == TRACE_SPANS, "not each span once");
    for (size_t i = 0; i < result.n_spans; i++)
        demand(result.spans[i].start_time_ns == trace * 100 + i + 1, "another span");
    store_result_deinit(&result);
}

static void search(struct shared *shared, uint64_t n_appended)
{
    const struct store_query query = {.service = FTR_STR("s"), .limit = 10 * 1000};
    struct store_match *matches = NULL;
    size_t n = 0;
    demand(store_search(shared->store, &query, &matches, &n) == 0, "search failed");
    demand(n >= n_appended, "a trace is missing from the search");
    for (size_t i = 1; i < n; i++)
        demand(matches[i].start_ns < matches[i - 1].start_ns, "a trace twice, or out of order");
    ftri_free(matches);
}

static void count_name(void *argument, ftr_str name)
{
    (void)name;
    ++*(size_t *)argument;
}

static void *run_reader(void *argument)
{
    struct shared *shared = argument;
    uint64_t seed = (uint64_t)(uintptr_t)&seed;
    while (!atomic_load(&shared->is_done)) {
        const uint64_t n_appended = atomic_load(&shared->n_appended);
        if (n_appended == 0)
            continue;
        for (int i = 0; i < 20; i++)
            read_trace(shared, 1 + sample_random(&seed) % n_appended);
        /* The newest are those on their way. */
        read_trace(shared, n_appended);
        search(shared, n_appended);
        size_t n_names = 0;
        demand(store_names(shared->store, FTR_STR("s"), count_name, &n_names) == 0 && n_names == 1,
               "names");
        struct store_statistics statistics;
        store_get_statistics(shared->store, &statistics);
        demand(statistics.n_errors == 0 && statistics.n_corrupt_blocks == 0, "errors");
        atomic_fetch_add(&shared->n_reads, 1);
    }
    return NULL;
}

static void test_readers_miss_nothing_while_blocks_are_made(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->options.block_spans = 16;
    fixture_open(f);
    struct shared shared = {.store = f->store};
    pthread_t readers[N_READERS];
    for (size_t i = 0; i < N_READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, run_reader, &shared), 0);
    for (uint64_t trace = 1; trace <= N_TRACES; trace++) {
        /* In two payloads, and the second half once more. */
        struct sample samples[TRACE_SPANS];
        for (uint64_t i = 0; i < TRACE_SPANS; i++)
            samples[i] = sample_of(trace, i + 1);
        fixture_append(f, samples, TRACE_SPANS / 2, trace);
        fixture_append(f, samples + 1, TRACE_SPANS - 1, trace);
        atomic_store(&shared.n_appended, trace);
        if (trace % 7 == 0)
            fixture_settle(f);
        fixture_collect(f);
    }
    fixture_settle(f);
    while (atomic_load(&shared.n_reads) < 10)
        sched_yield();
    atomic_store(&shared.is_done, true);
    for (size_t i = 0; i < N_READERS; i++)
        pthread_join(readers[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST_ALL(test_readers_miss_nothing_while_blocks_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
