/* SPDX-License-Identifier: Apache-2.0
 *
 * One file that is followed: which file is open, and what became of it. A file is known by device
 * and inode. Rotation by renaming: another file stands at the path; the old one is read to its end
 * first. Rotation by truncating: the file is shorter than what was read; it begins anew. */
#pragma once

#include "nodes/receivers/checkpoint.h"

struct tail {
    const char *path;
    int fd; /* -1: none is open */
    dev_t device;
    ino_t inode;
};

enum tail_change { TAIL_SAME, TAIL_RENAMED, TAIL_TRUNCATED };

/* Opens what a checkpoint says, wherever it was renamed to within its directory, or the path. Fills
 * ret_position: where to go on. *ret_is_lost: the file of the checkpoint is gone. 0; -ENOENT, or
 * another errno. */
int tail_open(struct tail *self, const struct checkpoint_entry *known, uint64_t *ret_position,
              bool *ret_is_lost) FTRI_MUST_CHECK;
void tail_close(struct tail *self);
/* At the end of the open file, of which so many bytes were read. */
enum tail_change tail_look(const struct tail *self, uint64_t n_read);
