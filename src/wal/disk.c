/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR_BYTES = 4096 };

static int system_open(int directory, const char *name, int flags, mode_t mode)
{
    return openat(directory, name, flags, mode);
}

static int system_unlink(int directory, const char *name)
{
    return unlinkat(directory, name, 0);
}

static int system_rename(int directory, const char *from, const char *to)
{
    return renameat(directory, from, directory, to);
}

const struct wal_disk_calls wal_disk_system = {
    .open = system_open,
    .pread = pread,
    .pwritev = pwritev,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .ftruncate = ftruncate,
    .unlink = system_unlink,
    .rename = system_rename,
};

/* Atomic: a test replaces it while the log's thread works. */
static const struct wal_disk_calls *_Atomic calls = &wal_disk_system;

void wal_disk_replace(const struct wal_disk_calls *replacement)
{
    calls = replacement ? replacement : &wal_disk_system;
}

int wal_disk_open(int directory, const char *name, int flags)
{
    int fd;
    do {
        fd = calls->open(directory, name, flags | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static bool read_piece(int fd, uint8_t *buffer, size_t n, uint64_t offset)
{
    size_t done = 0;
    while (done < n) {
        const ssize_t got = calls->pread(fd, buffer + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

bool wal_disk_read(int fd, void *buffer, size_t n, uint64_t offset)
{
    if (read_piece(fd, buffer, n, offset))
        return true;
    bool is_whole = true;
    for (size_t done = 0; done < n;) {
        const size_t to_boundary = SECTOR_BYTES - (offset + done) % SECTOR_BYTES;
        const size_t piece = ftri_size_min(n - done, to_boundary);
        uint8_t *at = (uint8_t *)buffer + done;
        if (!read_piece(fd, at, piece, offset + done)) {
            memset(at, 0, piece);
            is_whole = false;
        }
        done += piece;
    }
    return is_whole;
}

static struct iovec part(struct ftri_view view, size_t n_done)
{
    const size_t skipped = ftri_size_min(n_done, view.len);
    return (struct iovec){(void *)(uintptr_t)(view.data + skipped), view.len - skipped};
}

int wal_disk_write(int fd, struct ftri_view head, struct ftri_view body, uint64_t offset)
{
    size_t done = 0;
    while (done < head.len + body.len) {
        const struct iovec parts[2] = {
            part(head, done),
            part(body, done > head.len ? done - head.len : 0),
        };
        const ssize_t n = calls->pwritev(fd, parts, 2, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENOSPC;
        done += (size_t)n;
    }
    return 0;
}

int wal_disk_sync(int fd)
{
    int r;
    do {
        r = calls->fdatasync(fd);
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

int wal_disk_sync_directory(int directory)
{
    return calls->fsync(directory) < 0 ? -errno : 0;
}

int wal_disk_cut(int fd, uint64_t size)
{
    int r;
    do {
        r = calls->ftruncate(fd, (off_t)size);
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

int wal_disk_remove(int directory, const char *name)
{
    return calls->unlink(directory, name) < 0 && errno != ENOENT ? -errno : 0;
}

int wal_disk_rename(int directory, const char *from, const char *to)
{
    return calls->rename(directory, from, to) < 0 ? -errno : 0;
}
