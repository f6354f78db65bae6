/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/watermark.h"

#include "wal/crc32c.h"
#include "wal/disk.h"
#include "wal/little_endian.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SLOT_BYTES = 36, SLOT_DISTANCE = 4096, N_SLOTS = 2 };

static const char file_name[] = "released";
static const uint8_t magic[8] = {'F', 'T', 'R', 'M', 'A', 'R', 'K', '\n'};

static void encode(const struct wal_watermark *self, uint8_t ret_slot[SLOT_BYTES])
{
    memcpy(ret_slot, magic, sizeof magic);
    wal_put_u64(ret_slot + 12, self->sequence);
    wal_put_u64(ret_slot + 20, self->released);
    wal_put_u64(ret_slot + 28, self->next);
    wal_put_u32(ret_slot + 8, wal_crc32c(0, ret_slot + 12, SLOT_BYTES - 12));
}

static bool decode(const uint8_t slot[SLOT_BYTES], struct wal_watermark *ret_mark)
{
    if (memcmp(slot, magic, sizeof magic) != 0 ||
        wal_get_u32(slot + 8) != wal_crc32c(0, slot + 12, SLOT_BYTES - 12))
        return false;
    ret_mark->sequence = wal_get_u64(slot + 12);
    ret_mark->released = wal_get_u64(slot + 20);
    ret_mark->next = wal_get_u64(slot + 28);
    return ret_mark->next < WAL_POSITION_LIMIT && ret_mark->released <= ret_mark->next;
}

void wal_watermark_load(struct wal_watermark *self, int directory)
{
    *self = (struct wal_watermark){.fd = -1};
    const int fd = wal_disk_open(directory, file_name, O_RDWR);
    if (fd < 0)
        return;
    self->fd = fd;
    for (int i = 0; i < N_SLOTS; i++) {
        uint8_t slot[SLOT_BYTES];
        struct wal_watermark found = {.fd = fd};
        /* Past the end of the file reads as zeros, which decode refuses. */
        (void)!wal_disk_read(fd, slot, sizeof slot, (uint64_t)i * SLOT_DISTANCE);
        if (decode(slot, &found) && found.sequence > self->sequence)
            *self = found;
    }
}

static int make(struct wal_watermark *self, int directory)
{
    const int fd = wal_disk_open(directory, file_name, O_RDWR | O_CREAT);
    if (fd < 0)
        return fd;
    const int r = wal_disk_sync_directory(directory);
    if (r < 0)
        close(fd);
    else
        self->fd = fd;
    return r;
}

int wal_watermark_store(struct wal_watermark *self, int directory, uint64_t released, uint64_t next)
{
    if (self->fd < 0) {
        const int r = make(self, directory);
        if (r < 0)
            return r;
    }
    const struct wal_watermark changed = {self->fd, self->sequence + 1, released, next};
    uint8_t slot[SLOT_BYTES];
    encode(&changed, slot);
    int r = wal_disk_write(self->fd, ftri_view_of(slot, sizeof slot), ftri_view_of(NULL, 0),
                           changed.sequence % N_SLOTS * SLOT_DISTANCE);
    if (r == 0)
        r = wal_disk_sync(self->fd);
    if (r == 0)
        *self = changed;
    return r;
}

void wal_watermark_close(struct wal_watermark *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}
