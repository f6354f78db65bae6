/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/scan.h"

#include "base/mem.h"
#include "wal/crc32c.h"
#include "wal/disk.h"

#include <errno.h>
#include <string.h>

enum { WINDOW_BYTES = 256 * 1024 };

/* Outcomes of a look at one place. */
enum { LOOK_DAMAGED = 1 };

int wal_scan_init(struct wal_scan *self, const struct wal_segment *segment, uint64_t file_size,
                  uint64_t position_limit)
{
    *self = (struct wal_scan){
        .segment = segment,
        .file_size = file_size,
        .position = segment->base,
        .position_limit = position_limit,
        .window = ftri_alloc(WINDOW_BYTES),
    };
    return self->window ? 0 : -ENOMEM;
}

void wal_scan_deinit(struct wal_scan *self)
{
    ftri_free(self->window);
    *self = (struct wal_scan){0};
}

/* Bytes of the file from offset on: at least n_least (within the file), as many as are at hand. */
static struct ftri_view window_at(struct wal_scan *self, uint64_t offset, size_t n_least)
{
    const bool is_inside =
        offset >= self->window_offset && offset + n_least <= self->window_offset + self->window_len;
    if (!is_inside) {
        const uint64_t rest = self->file_size - offset;
        self->window_len = rest < WINDOW_BYTES ? (size_t)rest : WINDOW_BYTES;
        self->window_offset = offset;
        if (!wal_disk_read(self->segment->fd, self->window, self->window_len, offset))
            self->is_unreadable = true;
    }
    const size_t skipped = (size_t)(offset - self->window_offset);
    return ftri_view_of(self->window + skipped, self->window_len - skipped);
}

static uint32_t checksum_window(struct wal_scan *self, uint64_t offset, size_t len, uint32_t crc)
{
    while (len) {
        const struct ftri_view bytes = window_at(self, offset, 1);
        const size_t n = ftri_size_min(len, bytes.len);
        crc = wal_crc32c(crc, bytes.data, n);
        offset += n;
        len -= n;
    }
    return crc;
}

static int read_body(struct wal_scan *self, uint64_t offset, size_t len)
{
    ftri_bytes_reset(self->body);
    if (len == 0)
        return 0;
    if (ftri_bytes_reserve(self->body, len) < 0)
        return -ENOMEM;
    if (!wal_disk_read(self->segment->fd, self->body->data, len, offset))
        self->is_unreadable = true;
    self->body->len = len;
    return 0;
}

/* Whether the numbers can be true at this place: positions rise, by one for a record, so that the
 * n-th record cannot begin before n shortest ones. */
static bool is_plausible(const struct wal_scan *self, uint64_t offset,
                         const struct wal_record_head *head)
{
    const uint64_t n_before = (offset - WAL_SEGMENT_HEAD_BYTES) / WAL_RECORD_HEAD_BYTES;
    return head->length <= WAL_BODY_LIMIT &&
           head->length <= self->file_size - offset - WAL_RECORD_HEAD_BYTES &&
           head->position >= self->position && head->position < self->position_limit &&
           head->position - self->segment->base <= n_before;
}

/* 0: an intact record begins at offset. LOOK_DAMAGED: none does. */
static int look(struct wal_scan *self, uint64_t offset, struct wal_record *ret_record)
{
    if (offset < WAL_SEGMENT_HEAD_BYTES || self->file_size - offset < WAL_RECORD_HEAD_BYTES)
        return LOOK_DAMAGED;
    const struct ftri_view bytes = window_at(self, offset, WAL_RECORD_HEAD_BYTES);
    struct wal_record_head head;
    if (!wal_record_decode(bytes.data, self->segment->salt, &head) ||
        !is_plausible(self, offset, &head))
        return LOOK_DAMAGED;
    uint32_t crc = wal_record_crc_start(bytes.data, self->segment->salt);
    struct ftri_view body = {0};
    if (self->body) {
        const int r = read_body(self, offset + WAL_RECORD_HEAD_BYTES, head.length);
        if (r < 0)
            return r;
        body = ftri_bytes_view(self->body);
        crc = wal_crc32c(crc, body.data, body.len);
    } else {
        crc = checksum_window(self, offset + WAL_RECORD_HEAD_BYTES, head.length, crc);
    }
    if (crc != head.record_crc)
        return LOOK_DAMAGED;
    *ret_record = (struct wal_record){head.position, head.kind, head.received_ns, body};
    ret_record->body.len = head.length;
    return 0;
}

/* The first place from offset on where an intact record begins; the end of the file if none. */
static int find_next(struct wal_scan *self, uint64_t offset, uint64_t *ret_offset)
{
    struct wal_record record;
    while (self->file_size - offset >= WAL_RECORD_HEAD_BYTES) {
        const struct ftri_view bytes = window_at(self, offset, WAL_RECORD_HEAD_BYTES);
        const uint8_t *first = memchr(bytes.data, wal_record_magic[0], bytes.len);
        if (!first) {
            offset += bytes.len;
            continue;
        }
        offset += (uint64_t)(first - bytes.data);
        const int r = look(self, offset, &record);
        if (r < 0)
            return r;
        if (r == 0) {
            *ret_offset = offset;
            return 0;
        }
        offset++;
    }
    *ret_offset = self->file_size;
    return 0;
}

static bool is_head_intact(struct wal_scan *self)
{
    if (self->file_size < WAL_SEGMENT_HEAD_BYTES)
        return false;
    uint32_t version;
    uint64_t base, salt;
    const struct ftri_view bytes = window_at(self, 0, WAL_SEGMENT_HEAD_BYTES);
    return wal_segment_decode_head(bytes.data, &version, &base, &salt) &&
           base == self->segment->base && salt == self->segment->salt;
}

int wal_scan_next(struct wal_scan *self, struct wal_record *ret_record,
                  struct wal_stretch *ret_stretch)
{
    if (self->offset == 0 && is_head_intact(self))
        self->offset = WAL_SEGMENT_HEAD_BYTES;
    if (self->offset >= self->file_size)
        return WAL_SCAN_END;
    struct wal_record record;
    int r = look(self, self->offset, &record);
    if (r < 0)
        return r;
    if (r == 0) {
        self->offset += WAL_RECORD_HEAD_BYTES + record.body.len;
        self->position = record.position + 1;
        *ret_record = record;
        return 0;
    }
    uint64_t next;
    r = find_next(self, self->offset + 1, &next);
    if (r < 0)
        return r;
    *ret_stretch = (struct wal_stretch){self->offset, next - self->offset};
    self->offset = next;
    return WAL_SCAN_DAMAGE;
}
