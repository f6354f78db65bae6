/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the log share. Two threads: the owner (append.c, wal.c) and the log's own
 * (commit.c). Only the log's own thread syncs, and only it deletes segments. */
#pragma once

#include "wal/scan.h"
#include "wal/watermark.h"

#include <pthread.h>

/* So many bytes waiting end the gathering of a group commit early. */
enum { WAL_GATHERED_BYTES = 4 << 20 };

struct wal {
    /* Fixed once open. */
    struct wal_options options; /* its directory is not kept */
    int directory;
    int lock_file; /* flock held */
    uint64_t segment_bytes;
    pthread_t thread;
    bool has_thread, has_lock;

    /* The owner's. */
    struct wal_segment *replayed; /* being read; pinned */
    struct wal_scan scan;
    struct ftri_bytes body;
    uint64_t replay_next; /* positions below were handed out, or need not be */
    uint64_t replay_end;  /* the first position of this process */

    /* The commit thread's between open and close. */
    struct wal_watermark watermark;

    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct ftri_list segments;  /* oldest first */
    struct wal_segment *active; /* where appends go; NULL: the next one makes a segment */
    uint64_t next;              /* the next record's position */
    uint64_t synced;            /* WAL_SYNC_ALWAYS: all below are durable or were reported failed */
    int failure;                /* fdatasync's, until the owner has heard of it */
    uint64_t dirty_since_ns;    /* the oldest append that no sync has begun to cover; 0: none */
    uint64_t n_dirty_bytes;     /* since then */
    bool is_notice_due;         /* on_synced is to be called */
    bool is_drop_due;           /* a segment may have become deletable */
    bool is_stopping;
    struct wal_statistics statistics;
};

/* Closes the active segment to appends. Under the lock. */
static inline void wal_retire_active(struct wal *self)
{
    self->active = NULL;
    self->is_drop_due = true;
    pthread_cond_signal(&self->wake);
}
