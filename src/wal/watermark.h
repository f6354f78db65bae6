/* SPDX-License-Identifier: Apache-2.0
 *
 * The file `released`: what must be remembered when the segment that showed it is deleted, drawn in
 * wal.c. Two slots written in turn, so that one is whole at any time. Used by one thread at a
 * time: open, then the commit thread, then close. */
#pragma once

#include "base/check.h"

/* So that no sum of positions overflows. */
#define WAL_POSITION_LIMIT (UINT64_C(1) << 62)

struct wal_watermark {
    int fd; /* -1: there is no file yet */
    uint64_t sequence;
    uint64_t released; /* no position below has to be replayed */
    uint64_t next;     /* every position that was handed out is below */
};

/* All zero when there is none or neither slot is intact. */
void wal_watermark_load(struct wal_watermark *self, int directory);
/* Durable when it returns 0. Made on first use. */
int wal_watermark_store(struct wal_watermark *self, int directory, uint64_t released,
                        uint64_t next) FTRI_MUST_CHECK;
void wal_watermark_close(struct wal_watermark *self);
