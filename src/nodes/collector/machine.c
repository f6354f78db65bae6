/* SPDX-License-Identifier: Apache-2.0
 *
 * cgroups(7): the unified hierarchy's memory.max, "max" or a number; before it
 * memory.limit_in_bytes. Within a container the own group is the root that it sees. */
#include "nodes/collector/machine.h"

#include "base/bytes.h"
#include "base/file.h"
#include "config/quantity.h"

#include <string.h>
#include <unistd.h>

enum { LIMIT_BYTES = 256 };

/* UINT64_MAX: there is none. */
static uint64_t read_limit(const char *path)
{
    struct ftri_bytes text FTRI_CLEANUP(ftri_bytes_deinit);
    uint64_t limit = UINT64_MAX;
    ftri_bytes_init(&text, LIMIT_BYTES);
    if (ftri_file_read(path, &text) < 0 || ftri_bytes_append_char(&text, '\0') < 0)
        return UINT64_MAX;
    char *const line = (char *)text.data;
    line[strcspn(line, "\n")] = '\0';
    return quantity_parse_u64(line, &limit) < 0 || limit == 0 ? UINT64_MAX : limit;
}

uint64_t collector_memory_bytes(void)
{
    static const char *const paths[] = {"/sys/fs/cgroup/memory.max",
                                        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    uint64_t least = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < FTRI_COUNT(paths); i++) {
        const uint64_t limit = read_limit(paths[i]);
        if (limit < least)
            least = limit;
    }
    return least;
}
