/* SPDX-License-Identifier: Apache-2.0
 *
 * The write-ahead log: what was acknowledged is here until every durable destination has an
 * outcome.
 *
 * A directory of segment files. A record is {length, CRC32C, position, kind, received time, body};
 * positions rise by one from record to record and never repeat. wal.c draws the format.
 *
 * Threads: one thread appends, syncs, replays and releases (the owner); the group commit runs
 * fdatasync on the log's own thread and reports back through `on_synced`, called on that thread: it
 * only wakes the owner, who then reads wal_synced(). on_synced is also called when a segment was
 * deleted: an append that was WAL_FULL may be tried again. */
#pragma once

#include "base/bytes.h"

struct ftri_error;
struct wal;

/* What a crash of the machine can take of what wal_synced() covers: nothing; the last interval_ms;
 * what the kernel had not written by itself. A crash of the process takes nothing. */
enum wal_sync { WAL_SYNC_ALWAYS, WAL_SYNC_INTERVAL, WAL_SYNC_NONE };

struct wal_options {
    const char *directory; /* made if absent; locked against a second process */
    enum wal_sync sync;
    uint32_t commit_delay_ms; /* group commit gathers for at most this long: 5 */
    uint32_t interval_ms;     /* WAL_SYNC_INTERVAL: 1000 */
    uint64_t limit_bytes;     /* all segments together; beyond it append says WAL_FULL; 0: none */
    uint64_t segment_bytes;   /* 64 MiB (also for 0), a quarter of the limit at most */
    void (*on_synced)(void *argument); /* NULL is fine */
    void *argument;
};

struct wal_record {
    uint64_t position;
    uint32_t kind;        /* the caller's: signal */
    uint64_t received_ns; /* wall clock */
    struct ftri_view body;
};

/* Positive outcomes. */
enum { WAL_FULL = 1, WAL_END = 2 };

struct wal_statistics {
    uint64_t n_appended, n_released, n_replayed;
    uint64_t n_synced, n_syncs; /* records that fdatasync covered, in any mode; calls */
    uint64_t n_torn_bytes;      /* cut from the tail at open */
    uint64_t n_quarantined;     /* stretches copied to quarantine files at open, or unreadable */
    uint64_t n_quarantined_bytes;
    uint64_t n_bytes, limit_bytes;
    uint64_t n_segments;
};

/* Opens or creates; cuts a torn tail, quarantines a corrupt middle (both counted), never refuses to
 * start because of content. -EBUSY: another process has it. */
int wal_open(const struct wal_options *options, struct wal **ret_wal,
             struct ftri_error *error) FTRI_MUST_CHECK;
/* Syncs what is not yet, stops the thread. NULL is fine. */
void wal_close(struct wal *self);

/* Before the first append: hands out what was logged and not released, oldest first. WAL_END after
 * the last. The body is borrowed until the next call. */
int wal_replay(struct wal *self, struct wal_record *ret_record) FTRI_MUST_CHECK;

/* Writes one record; durable when wal_synced() > position. WAL_FULL: nothing was written.
 * -ENOSPC, -EIO, ...: nothing of it will be replayed; a later append may succeed. -EMSGSIZE: a body
 * over 256 MiB or larger than the whole log may be; no later append of it will succeed. */
int wal_append(struct wal *self, uint32_t kind, uint64_t received_ns, struct ftri_view body,
               uint64_t *ret_position) FTRI_MUST_CHECK;
/* All positions below this are as durable as the mode promises. If fdatasync failed, *ret_error is
 * its negated errno (else 0), told once: every position appended so far and not below the result
 * will never become durable, counts as released, and its request must be refused. Until this was
 * told, appends fail with the same errno; the next one begins a new segment. */
uint64_t wal_synced(struct wal *self, int *ret_error);
/* The record is settled at every destination. Any order, twice does no harm; the log deletes whole
 * segments once every record in them is released. A record of a segment that was not deleted before
 * a crash may be replayed although it was released. */
void wal_release(struct wal *self, uint64_t position);
void wal_get_statistics(struct wal *self, struct wal_statistics *ret_statistics);
