/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/receivers/tail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(struct tail *self, const char *path)
{
    struct stat status;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int r = fstat(fd, &status) < 0 ? -errno : 0;
    if (r == 0 && !S_ISREG(status.st_mode))
        r = -EINVAL;
    if (r < 0) {
        close(fd);
        return r;
    }
    self->fd = fd;
    self->device = status.st_dev;
    self->inode = status.st_ino;
    return 0;
}

static bool is_it(const struct tail *self, const struct checkpoint_entry *known)
{
    return self->device == known->device && self->inode == known->inode;
}

/* False: no file of the directory is the one of the checkpoint. */
static bool open_renamed(struct tail *self, const struct checkpoint_entry *known)
{
    char path[PATH_MAX];
    const char *slash = strrchr(self->path, '/');
    const int len = slash ? (int)(slash - self->path) + 1 : 0;
    snprintf(path, sizeof path, "%.*s.", len, self->path);
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool is_found = false;
    while (directory && !is_found && (entry = readdir(directory)) != NULL) {
        if (entry->d_ino != known->inode)
            continue;
        snprintf(path, sizeof path, "%.*s%s", len, self->path, entry->d_name);
        if (open_file(self, path) < 0)
            continue;
        is_found = is_it(self, known);
        if (!is_found)
            tail_close(self);
    }
    if (directory)
        closedir(directory);
    return is_found;
}

static uint64_t size_of(const struct tail *self)
{
    struct stat status;
    return fstat(self->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

int tail_open(struct tail *self, const struct checkpoint_entry *known, uint64_t *ret_position,
              bool *ret_is_lost)
{
    *ret_position = 0;
    *ret_is_lost = false;
    const int r = open_file(self, self->path);
    if (known->is_known && (r < 0 || !is_it(self, known))) {
        struct tail old = *self;
        old.fd = -1;
        *ret_is_lost = !open_renamed(&old, known);
        if (!*ret_is_lost) {
            if (r == 0)
                tail_close(self);
            *self = old;
        } else if (r < 0) {
            return r;
        }
    } else if (r < 0) {
        return r;
    }
    if (known->is_known && is_it(self, known) && known->position <= size_of(self))
        *ret_position = known->position;
    return lseek(self->fd, (off_t)*ret_position, SEEK_SET) < 0 ? -errno : 0;
}

void tail_close(struct tail *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

enum tail_change tail_look(const struct tail *self, uint64_t n_read)
{
    struct stat status;
    if (size_of(self) < n_read)
        return TAIL_TRUNCATED;
    if (stat(self->path, &status) < 0 || status.st_dev != self->device ||
        status.st_ino != self->inode)
        return TAIL_RENAMED;
    return TAIL_SAME;
}
