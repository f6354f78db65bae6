/* SPDX-License-Identifier: Apache-2.0
 *
 * cgroups(7), proc_pid_cgroup(5):
 *
 *     0::/a/b            the unified hierarchy: MOUNT/a/b/memory.max, "max" or a number
 *     9:memory:/a/b      before it: MOUNT/memory/a/b/memory.limit_in_bytes
 *
 * A group's limit holds for those below it, too. Within a container a path may begin outside of
 * what it sees; the mount's root is its own group then. */
#include "nodes/collector/machine.h"

#include "base/bytes.h"
#include "base/file.h"
#include "config/quantity.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_BYTES = 256, GROUPS_BYTES = 64 << 10 };

/* A text file's first bytes with a NUL; false: it cannot be read. */
static bool read_text(const char *path, struct ftri_bytes *text)
{
    return ftri_file_read(path, text) == 0 && ftri_bytes_append_char(text, '\0') == 0;
}

/* UINT64_MAX: there is none. */
static uint64_t read_limit(const char *path)
{
    struct ftri_bytes text FTRI_CLEANUP(ftri_bytes_deinit);
    uint64_t limit = UINT64_MAX;
    ftri_bytes_init(&text, LIMIT_BYTES);
    if (!read_text(path, &text))
        return UINT64_MAX;
    char *const line = (char *)text.data;
    line[strcspn(line, "\n")] = '\0';
    return quantity_parse_u64(line, &limit) < 0 || limit == 0 ? UINT64_MAX : limit;
}

/* Of the group and of all above it. */
static uint64_t least_limit(const char *mount, const char *group, const char *file)
{
    uint64_t least = UINT64_MAX;
    for (size_t len = strlen(group);;) {
        char path[PATH_MAX];
        while (len && group[len - 1] == '/')
            len--;
        snprintf(path, sizeof path, "%s%.*s/%s", mount, (int)len, group, file);
        const uint64_t limit = read_limit(path);
        least = limit < least ? limit : least;
        if (len == 0)
            return least;
        while (len && group[len - 1] != '/')
            len--;
    }
}

/* Whether ":cpu,memory:" has it. */
static bool has_memory(const char *controllers, const char *end)
{
    static const char memory[] = "memory";
    const size_t len = sizeof memory - 1;
    for (const char *at = controllers; (at = strstr(at + 1, memory)) && at < end;)
        if (strchr(":,", at[-1]) && strchr(":,", at[len]))
            return true;
    return false;
}

static uint64_t limit_of_line(const char *line, const char *mount)
{
    char memory_mount[PATH_MAX];
    const char *controllers = strchr(line, ':');
    const char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return UINT64_MAX;
    if (group == controllers + 1)
        return least_limit(mount, group + 1, "memory.max");
    if (!has_memory(controllers, group))
        return UINT64_MAX;
    snprintf(memory_mount, sizeof memory_mount, "%s/memory", mount);
    return least_limit(memory_mount, group + 1, "memory.limit_in_bytes");
}

uint64_t collector_group_bytes(const char *groups, const char *mount)
{
    struct ftri_bytes text FTRI_CLEANUP(ftri_bytes_deinit);
    uint64_t least = UINT64_MAX;
    ftri_bytes_init(&text, GROUPS_BYTES);
    if (!read_text(groups, &text))
        return UINT64_MAX;
    char *rest = (char *)text.data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        const uint64_t limit = limit_of_line(line, mount);
        least = limit < least ? limit : least;
    }
    return least;
}

uint64_t collector_memory_bytes(void)
{
    const uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t limit = collector_group_bytes("/proc/self/cgroup", "/sys/fs/cgroup");
    return limit < all ? limit : all;
}
