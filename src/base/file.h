/* SPDX-License-Identifier: Apache-2.0
 *
 * The few whole-file operations that more than one module needs. All return 0 or a negated errno.
 */
#pragma once

#include "base/check.h"

struct ftri_bytes;

/* The whole of a regular file; -EFBIG over the limit of `ret_content` (initialised by the caller).
 */
int ftri_file_read(const char *path, struct ftri_bytes *ret_content) FTRI_MUST_CHECK;
/* Loops over short writes and EINTR. */
int ftri_file_write_all(int fd, const void *data, size_t len) FTRI_MUST_CHECK;
/* mkdir -p, mode 0700 for what it makes. */
int ftri_file_make_directories(const char *path) FTRI_MUST_CHECK;
/* Makes renames and new names in a directory durable. */
int ftri_file_sync_directory(const char *path) FTRI_MUST_CHECK;

/* For FTRI_CLEANUP on an int that is -1 when there is nothing to close. */
void ftri_file_closep(const int *fd);
