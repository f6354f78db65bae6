/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/receivers/checkpoint.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "flowtrace-positions 1\n"
enum { FILE_LIMIT_BYTES = 16 << 20 };

static bool take_number(const char **text, uint64_t *ret_number)
{
    char *end;
    errno = 0;
    if (**text < '0' || **text > '9')
        return false;
    *ret_number = strtoull(*text, &end, 10);
    if (errno || *end != ' ')
        return false;
    *text = end + 1;
    return true;
}

static bool take_line(const char *line, struct checkpoint_entry *entries, size_t n)
{
    uint64_t device, inode, position;
    if (!take_number(&line, &device) || !take_number(&line, &inode) ||
        !take_number(&line, &position))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(entries[i].path, line) == 0)
            entries[i] = (struct checkpoint_entry){.device = (dev_t)device,
                                                   .inode = (ino_t)inode,
                                                   .position = position,
                                                   .path = entries[i].path,
                                                   .is_known = true};
    return true;
}

static bool take_text(char *text, struct checkpoint_entry *entries, size_t n)
{
    if (strncmp(text, HEAD, strlen(HEAD)) != 0)
        return false;
    char *line = text + strlen(HEAD);
    while (*line) {
        char *end = strchr(line, '\n');
        if (!end)
            return false;
        *end = '\0';
        if (!take_line(line, entries, n))
            return false;
        line = end + 1;
    }
    return true;
}

int checkpoint_read(const char *file, struct checkpoint_entry *entries, size_t n,
                    struct ftri_error *error)
{
    struct ftri_bytes text FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&text, FILE_LIMIT_BYTES);
    int r = ftri_file_read(file, &text);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = ftri_bytes_append_char(&text, '\0');
    if (r < 0)
        return ftri_error_errno(error, r, "reading the checkpoint %s", file);
    if (!take_text((char *)text.data, entries, n))
        return ftri_error_set(error, -EBADMSG,
                              "%s is no checkpoint; remove it to begin as `from` says", file);
    return 0;
}

static int write_text(const char *path, const struct ftri_bytes *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int r = ftri_file_write_all(fd, text->data, text->len);
    if (r == 0 && fdatasync(fd) < 0)
        r = -errno;
    close(fd);
    return r;
}

int checkpoint_write(const char *file, const struct checkpoint_entry *entries, size_t n)
{
    struct ftri_bytes text FTRI_CLEANUP(ftri_bytes_deinit);
    char fresh[PATH_MAX];
    ftri_bytes_init(&text, FILE_LIMIT_BYTES);
    int r = ftri_bytes_append_str(&text, FTR_STR(HEAD));
    for (size_t i = 0; r == 0 && i < n; i++)
        if (entries[i].is_known)
            r = ftri_bytes_printf(&text, "%llu %llu %llu %s\n",
                                  (unsigned long long)entries[i].device,
                                  (unsigned long long)entries[i].inode,
                                  (unsigned long long)entries[i].position, entries[i].path);
    if (r < 0)
        return r;
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", file) >= sizeof fresh)
        return -ENAMETOOLONG;
    r = write_text(fresh, &text);
    return r == 0 && rename(fresh, file) < 0 ? -errno : r;
}
