/* SPDX-License-Identifier: Apache-2.0 */
#include "stored.h"

#include "spans.h"
#include "torture.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/time.h"
#include "store/store.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TRACES = 12, BLOCK_SPANS = 3 * SPANS_EACH, WAIT_NS = 2 * 1000 * 1000 };

static struct {
    const char *type;
    struct ftri_payload *payloads[TRACES]; /* of trace i + 1 */
    bool is_taken[TRACES], is_settled[TRACES];
    struct store *store;
    sem_t settled;
} life;

static void on_settled(void *argument)
{
    (void)argument;
    sem_post(&life.settled);
}

static int open_store(void)
{
    struct store_options options;
    struct ftri_error error = {{0}};
    store_options_default(&options, life.type);
    options.directory = "store";
    options.block_spans = BLOCK_SPANS;
    options.retention_ns = 0;
    options.on_settled = on_settled;
    const int r = store_open(&options, &life.store, &error);
    EXPECT_THAT(r == 0 || r == torture_errno(), "%d: %s", r, error.text);
    EXPECT(r == 0 || error.text[0]);
    return r;
}

static void collect(void)
{
    struct store_settled settled[4];
    size_t n;
    while ((n = store_collect(life.store, settled, FTRI_COUNT(settled))) > 0) {
        for (size_t i = 0; i < n; i++) {
            EXPECT(settled[i].token < TRACES && settled[i].error == 0);
            EXPECT(life.is_taken[settled[i].token] && !life.is_settled[settled[i].token]);
            life.is_settled[settled[i].token] = true;
        }
    }
}

static void wait_a_little(void)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    const uint64_t ns = (uint64_t)deadline.tv_nsec + WAIT_NS;
    deadline.tv_sec += (time_t)(ns / FTRI_NS_PER_S);
    deadline.tv_nsec = (long)(ns % FTRI_NS_PER_S);
    (void)sem_timedwait(&life.settled, &deadline);
}

/* A refusal takes nothing: the second try, after one failure, works. */
static void append(size_t i)
{
    int r = STORE_BUSY;
    for (int n_failures = 0; r != 0;) {
        r = store_append(life.store, life.payloads[i], (i + 1) * FTRI_NS_PER_S, i);
        if (r == STORE_BUSY)
            wait_a_little();
        else
            EXPECT_THAT(r == 0 || (r == torture_errno() && n_failures++ == 0), "append: %d", r);
        life.is_taken[i] = r == 0;
        collect();
    }
}

/* Asks again: a flush ends the writer's pause behind a failure. */
static void settle_all(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        while (!life.is_settled[i]) {
            store_flush(life.store);
            wait_a_little();
            collect();
        }
    }
}

static void count_name(void *argument, ftr_str name)
{
    (void)name;
    ++*(size_t *)argument;
}

/* At least so many of them are in the store. A read that fails says so, and finds nothing less. */
static void read_all(size_t n_traces)
{
    for (size_t i = 0; i < n_traces; i++) {
        uint8_t id[16];
        spans_trace_id((uint8_t)(i + 1), id);
        struct store_result result;
        const int r = store_get_trace(life.store, id, &result);
        EXPECT_THAT(r == 0 || r == torture_errno(), "get: %d", r);
        EXPECT_THAT(r < 0 || result.n_spans == SPANS_EACH, "trace %zu: %zu spans", i + 1,
                    result.n_spans);
        if (r == 0)
            store_result_deinit(&result);
    }
    const struct store_query query = {
        .service = FTR_STR("shop"), .name = FTR_STR("work-3"), .limit = TRACES};
    struct store_match *matches = NULL;
    size_t n = 0;
    int r = store_search(life.store, &query, &matches, &n);
    EXPECT_THAT(r == torture_errno() || (r == 0 && n >= n_traces), "search: %d, %zu", r, n);
    if (r == 0)
        ftri_free(matches);
    size_t n_names = 0;
    r = store_names(life.store, FTR_STR("shop"), count_name, &n_names);
    EXPECT_THAT(r == torture_errno() || (r == 0 && n_names == (n_traces ? SPANS_EACH : 0)),
                "names: %d, %zu", r, n_names);
}

/* All but the last are settled; the last is left to the closing. */
static void live(void)
{
    if (open_store() < 0)
        return;
    for (size_t i = 0; i + 1 < TRACES; i++)
        append(i);
    read_all(TRACES - 1);
    settle_all(TRACES - 1);
    read_all(TRACES - 1);
    append(TRACES - 1);
    read_all(TRACES);
    struct store_statistics statistics;
    store_get_statistics(life.store, &statistics);
    EXPECT(statistics.n_appended_spans == TRACES * SPANS_EACH);
    EXPECT(statistics.n_gathered_spans + statistics.n_block_spans == TRACES * SPANS_EACH);
    EXPECT(statistics.n_corrupt_blocks == 0);
}

/* What was taken in while calls failed, without a failure now. */
static void check_all(void)
{
    for (size_t i = 0; i < TRACES; i++)
        EXPECT(spans_are_stored(life.store, (uint8_t)(i + 1)) == life.is_taken[i]);
}

static void close_store(void)
{
    collect();
    store_close(life.store);
    life.store = NULL;
}

static void check_reopened(void)
{
    EXPECT(open_store() == 0);
    for (size_t i = 0; i + 1 < TRACES; i++)
        EXPECT(spans_are_stored(life.store, (uint8_t)(i + 1)) == life.is_settled[i]);
    const bool is_last_there = spans_are_stored(life.store, TRACES);
    EXPECT(torture_has_struck() || is_last_there);
    close_store();
}

void stored_run(const char *type)
{
    life.type = type;
    sem_init(&life.settled, 0, 0);
    for (size_t i = 0; i < TRACES; i++)
        life.payloads[i] = spans_payload((uint8_t)(i + 1));
    torture_begin();
    live();
    const bool is_sqlite = strcmp(type, "sqlite") == 0;
    if (is_sqlite && life.store) {
        close_store();
        if (open_store() == 0) {
            read_all(TRACES - 1);
            close_store();
        }
    }
    torture_end();
    for (size_t i = 0; i < TRACES; i++)
        EXPECT(life.is_taken[i] || torture_has_struck());
    if (life.store) {
        check_all();
        close_store();
    } else if (is_sqlite) {
        check_reopened();
    }
    for (size_t i = 0; i < TRACES; i++)
        ftri_payload_unref(life.payloads[i]);
    sem_destroy(&life.settled);
}
