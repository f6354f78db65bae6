/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a segment file from front to back, telling intact records from damage. After damage it
 * goes on at the next place where a whole record checks out. Linear in the file's size whatever
 * the content: a record's head has its own checksum, and every checksum starts with the segment's
 * salt, which who sent the bodies does not know. One thread at a time. */
#pragma once

#include "wal/segment.h"

enum { WAL_SCAN_DAMAGE = 1, WAL_SCAN_END = 2 };

struct wal_stretch {
    uint64_t offset, length;
};

struct wal_scan {
    const struct wal_segment *segment; /* borrowed: fd, base and salt are read */
    uint64_t file_size;
    uint64_t offset;
    uint64_t position;       /* the next record's is not below */
    uint64_t position_limit; /* and below this */
    struct ftri_bytes *body; /* borrowed; NULL: bodies are only checked */
    bool is_unreadable;      /* the disk refused to read some of it */
    uint8_t *window;
    uint64_t window_offset;
    size_t window_len;
};

/* -ENOMEM. The file is open. */
int wal_scan_init(struct wal_scan *self, const struct wal_segment *segment, uint64_t file_size,
                  uint64_t position_limit) FTRI_MUST_CHECK;
void wal_scan_deinit(struct wal_scan *self);
/* 0: *ret_record (without `body`, of its body only the length). WAL_SCAN_DAMAGE: *ret_stretch.
 * WAL_SCAN_END. -ENOMEM: the same again may succeed. */
int wal_scan_next(struct wal_scan *self, struct wal_record *ret_record,
                  struct wal_stretch *ret_stretch) FTRI_MUST_CHECK;
