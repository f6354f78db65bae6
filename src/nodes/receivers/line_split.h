/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as they are read, cut into lines. A line longer than the limit is passed over and told
 * once, so that memory stays within the limit and one read; nothing of the others is lost.
 * n_consumed counts the bytes of the lines that were given, ends included: a reader that starts
 * again there misses nothing. */
#pragma once

#include "base/bytes.h"

enum { LINE_SPLIT_READ_BYTES = 64 * 1024 };

enum line_split_result { LINE_NONE, LINE_FOUND, LINE_TOO_LONG };

struct line_split {
    struct ftri_bytes bytes;
    size_t start; /* of what was not given yet */
    size_t scanned;
    size_t max_line;
    uint64_t n_consumed;
    bool is_skipping; /* the rest of a line that is too long */
};

void line_split_init(struct line_split *self, size_t max_line);
void line_split_deinit(struct line_split *self);
/* Forgets what it has; n_consumed becomes `position`. */
void line_split_reset(struct line_split *self, uint64_t position);
/* One read of fd. Bytes read, 0 at the end, or a negated errno. */
int line_split_read(struct line_split *self, int fd) FTRI_MUST_CHECK;
/* The next line without its end (LF, or CR LF); borrowed until the next read. is_end: what has no
 * end is the last line. */
enum line_split_result line_split_next(struct line_split *self, bool is_end,
                                       ftr_str *ret_line) FTRI_MUST_CHECK;
