/* SPDX-License-Identifier: Apache-2.0
 *
 * Every system call by which the log touches its files, behind one table that a test may replace
 * to make the n-th call fail. The functions loop over EINTR and short counts and return 0 or a
 * negated errno. Any thread; the table is replaced only while no log is open. */
#pragma once

#include "base/bytes.h"

#include <sys/types.h>
#include <sys/uio.h>

struct wal_disk_calls {
    int (*open)(int directory, const char *name, int flags, mode_t mode);
    ssize_t (*pread)(int fd, void *buffer, size_t n, off_t offset);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int n_parts, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd); /* directories */
    int (*ftruncate)(int fd, off_t size);
    int (*unlink)(int directory, const char *name);
    int (*rename)(int directory, const char *from, const char *to);
};

/* The system's own. */
extern const struct wal_disk_calls wal_disk_system;
/* Tests: NULL puts the system's back. */
void wal_disk_replace(const struct wal_disk_calls *calls);

/* A descriptor (close-on-exec) or a negated errno. */
int wal_disk_open(int directory, const char *name, int flags) FTRI_MUST_CHECK;
/* Reads all n bytes. What cannot be read (a bad sector, past the end) reads as zeros, in units of
 * 4 KiB; false when there was any. */
bool wal_disk_read(int fd, void *buffer, size_t n, uint64_t offset) FTRI_MUST_CHECK;
/* Writes head, then body. On failure any part of them may have been written. */
int wal_disk_write(int fd, struct ftri_view head, struct ftri_view body,
                   uint64_t offset) FTRI_MUST_CHECK;
int wal_disk_sync(int fd) FTRI_MUST_CHECK;
int wal_disk_sync_directory(int directory) FTRI_MUST_CHECK;
int wal_disk_cut(int fd, uint64_t size) FTRI_MUST_CHECK;
/* A file that is not there counts as removed. */
int wal_disk_remove(int directory, const char *name) FTRI_MUST_CHECK;
int wal_disk_rename(int directory, const char *from, const char *to) FTRI_MUST_CHECK;
