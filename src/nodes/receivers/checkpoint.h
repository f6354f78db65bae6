/* SPDX-License-Identifier: Apache-2.0
 *
 * How far receiver/file has come, in a file that is replaced as a whole:
 *
 *     flowtrace-positions 1
 *     DEVICE INODE POSITION PATH        one line a file, decimal
 *
 * A position is behind the last line of which everything below has taken all. */
#pragma once

#include "base/check.h"

#include <sys/types.h>

struct ftri_error;

struct checkpoint_entry {
    dev_t device;
    ino_t inode;
    uint64_t position;
    const char *path;
    bool is_known; /* the file says something about this path */
};

/* Fills in what the file says about the entries' paths. 0, also when there is no file; -EBADMSG:
 * it is no checkpoint, or another errno; error names it. */
int checkpoint_read(const char *file, struct checkpoint_entry *entries, size_t n,
                    struct ftri_error *error) FTRI_MUST_CHECK;
/* Writes the known ones durably; the old file stays when that fails. A negated errno. */
int checkpoint_write(const char *file, const struct checkpoint_entry *entries,
                     size_t n) FTRI_MUST_CHECK;
