/* SPDX-License-Identifier: Apache-2.0
 *
 * The store when memory is short: whichever request fails, there is no crash and no leak (the
 * suite runs under a leak checker), a failed call takes nothing, and trying again succeeds. */
#include "fixture.h"

#include "base/mem.h"

#include <errno.h>
#include <time.h>

enum { N_PAYLOADS = 3, TRACE_SPANS = 3 };

static const struct sample samples[N_PAYLOADS * TRACE_SPANS] = {
    {1, 1, 0, "a", "x", 100, 200, 1, false, 0}, {1, 2, 1, "a", "y", 110, 150, 2, true, 0},
    {1, 3, 2, "b", "z", 120, 0, 3, false, 0},   {2, 1, 0, "a", "x", 200, 300, 1, false, 0},
    {2, 2, 9, "a", "y", 210, 250, 2, true, 0},  {2, 3, 1, "c", "z", 220, 230, 3, false, 0},
    {3, 1, 0, "a", "x", 300, 400, 1, false, 0}, {3, 2, 0, "d", "y", 310, 350, 2, true, 0},
    {3, 3, 0, "a", "z", 320, 330, 3, false, 0},
};

static void count_name(void *argument, ftr_str name)
{
    (void)name;
    ++*(size_t *)argument;
}

/* Each reading either fails with -ENOMEM or is complete. True: one failed. */
static bool read_all(struct store *store)
{
    bool has_failed = false;
    for (uint64_t trace = 1; trace <= N_PAYLOADS; trace++) {
        struct store_result result;
        uint8_t id[16];
        sample_trace_id(trace, id);
        const int r = store_get_trace(store, id, &result);
        assert_true(r == 0 || r == -ENOMEM);
        has_failed |= r < 0;
        if (r < 0)
            continue;
        assert_int_equal(result.n_spans, TRACE_SPANS);
        store_result_deinit(&result);
    }
    const struct store_query query = {.service = FTR_STR("a"), .limit = 10};
    struct store_match *matches = NULL;
    size_t n = 0;
    int r = store_search(store, &query, &matches, &n);
    assert_true(r == -ENOMEM || (r == 0 && n == N_PAYLOADS));
    has_failed |= r < 0;
    if (r == 0)
        ftri_free(matches);
    size_t n_names = 0;
    r = store_names(store, FTR_STR(""), count_name, &n_names);
    assert_true(r == -ENOMEM || (r == 0 && n_names == 4));
    return has_failed || r < 0;
}

/* Request n of it fails. */
static bool append(struct fixture *f, size_t payload, uint64_t n)
{
    struct ftri_payload *bytes = sample_payload(samples + payload * TRACE_SPANS, TRACE_SPANS);
    bool has_failed = false;
    int r;
    ftri_mem_fail_at(n);
    while ((r = store_append(f->store, bytes, payload, f->next_token)) == -ENOMEM)
        has_failed = true;
    ftri_mem_fail_at(0);
    assert_int_equal(r, 0);
    f->next_token++;
    ftri_payload_unref(bytes);
    return has_failed;
}

/* As fixture_settle, but asks again: a flush ends the writer's pause behind a failure. */
static void settle(struct fixture *f)
{
    while (f->n_settled < f->next_token) {
        struct timespec deadline;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_nsec += 2 * 1000 * 1000;
        deadline.tv_sec += deadline.tv_nsec / 1000000000;
        deadline.tv_nsec %= 1000000000;
        store_flush(f->store);
        (void)sem_timedwait(&f->settled, &deadline);
        fixture_collect(f);
    }
}

/* Fails request n of each step apart. True: some request failed somewhere. */
static bool run(struct fixture *f, uint64_t n)
{
    bool has_failed = false;
    fixture_open(f);
    for (size_t i = 0; i < N_PAYLOADS; i++)
        has_failed |= append(f, i, n);
    ftri_mem_fail_at(n);
    has_failed |= read_all(f->store);
    ftri_mem_fail_at(n);
    settle(f);
    has_failed |= ftri_mem_requests() >= n;
    ftri_mem_fail_at(n);
    has_failed |= read_all(f->store);
    ftri_mem_fail_at(0);
    assert_false(read_all(f->store));
    fixture_close(f);
    fixture_remove_files(f);
    return has_failed;
}

static void test_any_request_for_memory_may_fail(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    uint64_t n = 1;
    while (run(f, n)) {
        n++;
        f->next_token = f->n_settled = 0;
        memset(f->has_settled, 0, sizeof f->has_settled);
    }
    assert_true(n > 10);
}

static void test_opening_fails_cleanly(void **state)
{
    struct fixture *f = *state;
    fixture_append(f, samples, 3, 1);
    fixture_settle(f);
    fixture_close(f);
    int r = -ENOMEM;
    for (uint64_t n = 1; r < 0; n++) {
        struct ftri_error error = {0};
        ftri_mem_fail_at(n);
        r = store_open(&f->options, &f->store, &error);
        ftri_mem_fail_at(0);
        assert_true(r == 0 || r == -ENOMEM);
        assert_true(r == 0 || error.text[0] != '\0');
    }
    if (fixture_is_sqlite(f))
        fixture_check_trace(f, 1, samples, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST_ALL(test_any_request_for_memory_may_fail),
        FIXTURE_TEST_ALL(test_opening_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
