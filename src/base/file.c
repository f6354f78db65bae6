/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void ftri_file_closep(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static int read_all(int fd, struct ftri_bytes *content)
{
    for (;;) {
        int r = ftri_bytes_reserve(content, 1);
        if (r == -EMSGSIZE)
            return -EFBIG;
        if (r < 0)
            return r;
        const ssize_t n = read(fd, content->data + content->len, content->capacity - content->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        content->len += (size_t)n;
    }
}

int ftri_file_read(const char *path, struct ftri_bytes *ret_content)
{
    FTRI_CLEANUP(ftri_file_closep) const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return read_all(fd, ret_content);
}

int ftri_file_write_all(int fd, const void *data, size_t len)
{
    const char *next = data;
    while (len) {
        const ssize_t n = write(fd, next, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        next += n;
        len -= (size_t)n;
    }
    return 0;
}

int ftri_file_make_directories(const char *path)
{
    char partial[PATH_MAX];
    const size_t len = strlen(path);
    if (len == 0 || len >= sizeof partial)
        return len ? -ENAMETOOLONG : -EINVAL;
    memcpy(partial, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (partial[i] != '/' && partial[i] != '\0')
            continue;
        partial[i] = '\0';
        if (mkdir(partial, 0700) < 0 && errno != EEXIST)
            return -errno;
        partial[i] = i == len ? '\0' : '/';
    }
    struct stat status;
    if (stat(path, &status) < 0)
        return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

int ftri_file_sync_directory(const char *path)
{
    FTRI_CLEANUP(ftri_file_closep) const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}
