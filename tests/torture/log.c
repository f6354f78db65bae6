/* SPDX-License-Identifier: Apache-2.0
 *
 * The write-ahead log: appends over several segments, group commit, releases, and the replay by
 * the next two openings. What was taken and not released is there, whole; what was refused never
 * is. */
#include "torture.h"

#include "base/error.h"
#include "wal/wal.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RECORDS = 40, BODY_BYTES = 100 * 1000, WAIT_S = 60 };

static sem_t synced;

static struct {
    bool is_taken, is_released;
    uint64_t position;
} records[RECORDS];

static void on_synced(void *argument)
{
    (void)argument;
    sem_post(&synced);
}

static int open_log(struct wal **ret_wal)
{
    const struct wal_options options = {
        .directory = "log",
        .commit_delay_ms = 1,
        .limit_bytes = 64 << 20,
        .segment_bytes = 1 << 20,
        .on_synced = on_synced,
    };
    struct ftri_error error = {{0}};
    const int r = wal_open(&options, ret_wal, &error);
    EXPECT_THAT(r == 0 || r == torture_errno(), "%d: %s", r, error.text);
    EXPECT(r == 0 || error.text[0]);
    return r;
}

/* The number is the record's received time; its body is so many bytes of that value. */
static size_t body_of(uint64_t number, uint8_t ret_body[BODY_BYTES])
{
    const size_t len = (size_t)(number * 9973 % BODY_BYTES);
    memset(ret_body, (int)number, len);
    return len;
}

static void append(struct wal *wal, uint64_t number)
{
    static uint8_t body[BODY_BYTES];
    const size_t len = body_of(number, body);
    const int r = wal_append(wal, 1, number, ftri_view_of(body, len), &records[number].position);
    EXPECT_THAT(r == 0 || r == torture_errno(), "appending: %d", r);
    records[number].is_taken = r == 0;
}

static void wait_until_synced(struct wal *wal, uint64_t position)
{
    int error = 0;
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += WAIT_S;
    while (wal_synced(wal, &error) <= position) {
        EXPECT(error == 0);
        EXPECT(sem_timedwait(&synced, &deadline) == 0);
    }
}

static void release(struct wal *wal, uint64_t number)
{
    if (!records[number].is_taken)
        return;
    wal_release(wal, records[number].position);
    records[number].is_released = true;
}

/* 0 or the seam's error: then what was not handed out stays for the next opening. */
static int replay(struct wal *wal, bool ret_is_there[RECORDS])
{
    static uint8_t body[BODY_BYTES];
    struct wal_record record;
    int r;
    while ((r = wal_replay(wal, &record)) == 0) {
        EXPECT(record.received_ns < RECORDS && record.kind == 1);
        EXPECT(records[record.received_ns].is_taken);
        EXPECT(records[record.received_ns].position == record.position);
        EXPECT(!ret_is_there[record.received_ns]);
        const size_t len = body_of(record.received_ns, body);
        EXPECT(record.body.len == len && memcmp(record.body.data, body, len) == 0);
        ret_is_there[record.received_ns] = true;
    }
    EXPECT_THAT(r == WAL_END || r == torture_errno(), "replaying: %d", r);
    return r == WAL_END ? 0 : r;
}

static void check_all_there(const bool is_there[RECORDS])
{
    for (size_t i = 0; i < RECORDS; i++)
        EXPECT_THAT(is_there[i] || !records[i].is_taken || records[i].is_released,
                    "record %zu was taken and is not there", i);
}

/* All but the last quarter; the first quarter is released. */
static void write_first(void)
{
    struct wal *wal = NULL;
    if (open_log(&wal) < 0)
        return;
    bool is_there[RECORDS] = {false};
    if (replay(wal, is_there) == 0)
        for (uint64_t i = 0; i < RECORDS * 3 / 4; i++)
            append(wal, i);
    for (uint64_t i = 0; i < RECORDS * 3 / 4; i++)
        if (records[i].is_taken)
            wait_until_synced(wal, records[i].position);
    for (uint64_t i = 0; i < RECORDS / 4; i++)
        release(wal, i);
    wal_close(wal);
}

/* Replays, appends the rest, releases what it replayed of the second quarter. */
static void write_second(void)
{
    struct wal *wal = NULL;
    if (open_log(&wal) < 0)
        return;
    bool is_there[RECORDS] = {false};
    if (replay(wal, is_there) == 0) {
        check_all_there(is_there);
        for (uint64_t i = RECORDS * 3 / 4; i < RECORDS; i++)
            append(wal, i);
        for (uint64_t i = RECORDS / 4; i < RECORDS / 2; i++)
            release(wal, i);
    }
    wal_close(wal);
}

static void check_last(void)
{
    struct wal *wal = NULL;
    EXPECT(open_log(&wal) == 0);
    bool is_there[RECORDS] = {false};
    EXPECT(replay(wal, is_there) == 0);
    check_all_there(is_there);
    struct wal_statistics statistics;
    wal_get_statistics(wal, &statistics);
    EXPECT(statistics.n_quarantined == 0 && statistics.n_torn_bytes == 0);
    wal_close(wal);
}

void torture_run(void)
{
    sem_init(&synced, 0, 0);
    torture_begin();
    write_first();
    write_second();
    torture_end();
    for (size_t i = 0; i < RECORDS; i++)
        EXPECT(records[i].is_taken || torture_has_struck());
    check_last();
    sem_destroy(&synced);
}
