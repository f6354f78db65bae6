/* SPDX-License-Identifier: Apache-2.0
 *
 * What the log's tests share: a scratch directory, waiting for the log's thread, records whose
 * content follows from their position. In memory (/dev/shm) where there is such a place: the tests
 * are about what is written, not about how fast a disk syncs. */
#pragma once

#include "base/error.h"
#include "wal/wal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char directory[64];
    struct wal_options options;
    sem_t synced;
};

static inline void fixture_on_synced(void *argument)
{
    struct fixture *self = argument;
    sem_post(&self->synced);
}

static inline void fixture_init(struct fixture *self)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(self->directory, sizeof self->directory, "%s/wal-test-XXXXXX", parent);
    assert_non_null(mkdtemp(self->directory));
    sem_init(&self->synced, 0, 0);
    self->options = (struct wal_options){
        .directory = self->directory,
        .sync = WAL_SYNC_ALWAYS,
        .commit_delay_ms = 0,
        .interval_ms = 1000,
        .limit_bytes = 64 << 20,
        .segment_bytes = 1 << 20,
        .on_synced = fixture_on_synced,
        .argument = self,
    };
}

/* Calls each for every file; its result is added up. */
static inline uint64_t fixture_files(const struct fixture *self, const char *suffix,
                                     uint64_t (*each)(int directory, const char *name))
{
    uint64_t sum = 0;
    DIR *stream = opendir(self->directory);
    assert_non_null(stream);
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        const size_t len = strlen(entry->d_name);
        const size_t n = strlen(suffix);
        if (entry->d_name[0] != '.' && len >= n && strcmp(entry->d_name + len - n, suffix) == 0)
            sum += each(dirfd(stream), entry->d_name);
    }
    closedir(stream);
    return sum;
}

static inline uint64_t fixture_count_one(int directory, const char *name)
{
    (void)directory;
    (void)name;
    return 1;
}

static inline uint64_t fixture_size_one(int directory, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(directory, name, &status, 0), 0);
    return (uint64_t)status.st_size;
}

static inline uint64_t fixture_remove_one(int directory, const char *name)
{
    assert_int_equal(unlinkat(directory, name, 0), 0);
    return 1;
}

static inline void fixture_clear(const struct fixture *self)
{
    fixture_files(self, "", fixture_remove_one);
}

static inline void fixture_deinit(struct fixture *self)
{
    fixture_clear(self);
    assert_int_equal(rmdir(self->directory), 0);
    sem_destroy(&self->synced);
}

static inline struct wal *fixture_open(struct fixture *self)
{
    struct wal *wal = NULL;
    struct ftri_error error = {0};
    const int r = wal_open(&self->options, &wal, &error);
    if (r < 0)
        fail_msg("%s", error.text);
    return wal;
}

/* Waits for one call of on_synced; a minute without one is a failure. */
static inline void fixture_wait(struct fixture *self)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 60;
    while (sem_timedwait(&self->synced, &deadline) < 0)
        assert_int_equal(errno, EINTR);
}

static inline void fixture_wait_synced(struct fixture *self, struct wal *wal, uint64_t position)
{
    int error = 0;
    while (wal_synced(wal, &error) <= position) {
        assert_int_equal(error, 0);
        fixture_wait(self);
    }
    assert_int_equal(error, 0);
}

/* The body of a record: its length and bytes follow from the number. */
enum { FIXTURE_BODY_BYTES = 64 };

static inline size_t fixture_body(uint64_t number, uint8_t ret_body[FIXTURE_BODY_BYTES])
{
    const size_t len = (size_t)(number * 7 % FIXTURE_BODY_BYTES);
    for (size_t i = 0; i < len; i++)
        ret_body[i] = (uint8_t)(number * 31 + i);
    return len;
}

/* The record's number is its received time; the kind is number % 3. */
static inline int fixture_append(struct wal *wal, uint64_t number, uint64_t *ret_position)
{
    uint8_t body[FIXTURE_BODY_BYTES];
    const size_t len = fixture_body(number, body);
    return wal_append(wal, (uint32_t)(number % 3), number, ftri_view_of(body, len), ret_position);
}

static inline uint64_t fixture_append_ok(struct wal *wal, uint64_t number)
{
    uint64_t position = UINT64_MAX;
    assert_int_equal(fixture_append(wal, number, &position), 0);
    return position;
}

/* The record is what fixture_append wrote under its number. */
static inline void fixture_check(const struct wal_record *record)
{
    uint8_t body[FIXTURE_BODY_BYTES];
    const size_t len = fixture_body(record->received_ns, body);
    assert_int_equal(record->kind, record->received_ns % 3);
    assert_int_equal(record->body.len, len);
    if (len)
        assert_memory_equal(record->body.data, body, len);
}

/* Replays all; each record is checked and is number - position == shift. */
static inline uint64_t fixture_replay(struct wal *wal, uint64_t shift, bool *ret_seen,
                                      uint64_t n_seen)
{
    uint64_t n = 0;
    int r;
    struct wal_record record;
    uint64_t least = 0;
    while ((r = wal_replay(wal, &record)) == 0) {
        fixture_check(&record);
        assert_int_equal(record.received_ns, record.position + shift);
        assert_true(record.position >= least);
        least = record.position + 1;
        if (ret_seen && record.position < n_seen)
            ret_seen[record.position] = true;
        n++;
    }
    assert_int_equal(r, WAL_END);
    return n;
}

static inline struct wal_statistics fixture_statistics(struct wal *wal)
{
    struct wal_statistics statistics;
    wal_get_statistics(wal, &statistics);
    return statistics;
}
