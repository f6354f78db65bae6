/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's recovery and replay over any bytes as a segment. The first byte's lowest bit says
 * whether checksums are made right first, so that what lies behind them is reached, too; the rest
 * is the file. Whatever it holds, the log opens, hands out records in rising positions, appends,
 * and hands out the same and the new one after a second open. */
#include "base/error.h"
#include "base/mem.h"
#include "wal/crc32c.h"
#include "wal/little_endian.h"
#include "wal/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char name[] = "0000000000000005-00000000000000aa.wal";
enum { SALT = 0xaa };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

/* Writes the checksums that the record at the offset should have; the length of the record. */
static size_t repair_record(uint8_t *file, size_t size, size_t offset)
{
    uint8_t *head = file + offset;
    const size_t rest = size - offset - WAL_RECORD_HEAD_BYTES;
    const size_t length = ftri_size_min(wal_get_u32(head + 12), rest);
    uint8_t salt[8];
    wal_put_u64(salt, SALT);
    const uint32_t start = wal_crc32c(0, salt, sizeof salt);
    wal_put_u32(head + 8, wal_crc32c(start, head + 12, WAL_RECORD_HEAD_BYTES - 12 + length));
    wal_put_u32(head + 4, wal_crc32c(start, head + 8, WAL_RECORD_HEAD_BYTES - 8));
    return WAL_RECORD_HEAD_BYTES + length;
}

static void repair(uint8_t *file, size_t size)
{
    if (size >= WAL_SEGMENT_HEAD_BYTES)
        wal_put_u32(file + 8, wal_crc32c(0, file + 12, WAL_SEGMENT_HEAD_BYTES - 12));
    for (size_t i = WAL_SEGMENT_HEAD_BYTES; i + WAL_RECORD_HEAD_BYTES <= size;) {
        const bool is_record = memcmp(file + i, wal_record_magic, sizeof wal_record_magic) == 0;
        i += is_record ? repair_record(file, size, i) : 1;
    }
}

static void remove_all(const char *directory)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    while (stream && (entry = readdir(stream)))
        if (entry->d_name[0] != '.')
            demand(unlinkat(dirfd(stream), entry->d_name, 0) == 0);
    if (stream)
        closedir(stream);
    demand(rmdir(directory) == 0);
}

static uint64_t replay(struct wal *wal)
{
    struct wal_record record;
    uint64_t n = 0, least = 0;
    int r;
    while ((r = wal_replay(wal, &record)) == 0) {
        demand(record.position >= least);
        least = record.position + 1;
        n++;
    }
    demand(r == WAL_END);
    return n;
}

static void exercise(const char *directory)
{
    const struct wal_options options = {.directory = directory, .sync = WAL_SYNC_NONE};
    struct wal *wal = NULL;
    struct ftri_error error;
    uint64_t position;
    demand(wal_open(&options, &wal, &error) == 0);
    const uint64_t n = replay(wal);
    demand(wal_append(wal, 1, 2, ftri_view_of("new", 3), &position) == 0);
    wal_close(wal);
    demand(wal_open(&options, &wal, &error) == 0);
    demand(replay(wal) == n + 1);
    wal_close(wal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char directory[64];
    char path[sizeof directory + sizeof name];
    snprintf(directory, sizeof directory, "%s/fuzz-wal-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    demand(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    uint8_t *file = ftri_alloc(size);
    demand(file != NULL);
    memcpy(file, data + 1, size - 1);
    if (data[0] & 1)
        repair(file, size - 1);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    demand(fd >= 0 && write(fd, file, size - 1) == (ssize_t)(size - 1));
    close(fd);
    ftri_free(file);
    exercise(directory);
    remove_all(directory);
    return 0;
}
