/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/segment.h"

#include "base/mem.h"
#include "base/random.h"
#include "wal/crc32c.h"
#include "wal/disk.h"
#include "wal/little_endian.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const uint8_t segment_magic[8] = {'F', 'T', 'R', 'W', 'A', 'L', '\r', '\n'};
/* Not text, not zeros, and not UTF-8: rare in bodies. */
const uint8_t wal_record_magic[4] = {0xF7, 'W', 'r', 0xA5};

/* ---- names ---- */

static const char suffix[] = ".wal";

static bool parse_hex(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit)
            return false;
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *ret_value = value;
    return true;
}

bool wal_segment_parse_name(const char *name, uint64_t *ret_base, uint64_t *ret_salt)
{
    if (strlen(name) != 16 + 1 + 16 + sizeof suffix - 1)
        return false;
    if (name[16] != '-' || strcmp(name + 33, suffix) != 0)
        return false;
    return parse_hex(name, ret_base) && parse_hex(name + 17, ret_salt) &&
           *ret_base < WAL_POSITION_LIMIT;
}

/* ---- heads ---- */

static uint32_t crc_start(uint64_t salt)
{
    uint8_t bytes[8];
    wal_put_u64(bytes, salt);
    return wal_crc32c(0, bytes, sizeof bytes);
}

static void segment_encode_head(const struct wal_segment *self,
                                uint8_t ret_head[WAL_SEGMENT_HEAD_BYTES])
{
    memcpy(ret_head, segment_magic, sizeof segment_magic);
    wal_put_u32(ret_head + 12, WAL_SEGMENT_VERSION);
    wal_put_u64(ret_head + 16, self->base);
    wal_put_u64(ret_head + 24, self->salt);
    wal_put_u32(ret_head + 8, wal_crc32c(0, ret_head + 12, WAL_SEGMENT_HEAD_BYTES - 12));
}

bool wal_segment_decode_head(const uint8_t head[WAL_SEGMENT_HEAD_BYTES], uint32_t *ret_version,
                             uint64_t *ret_base, uint64_t *ret_salt)
{
    if (memcmp(head, segment_magic, sizeof segment_magic) != 0 ||
        wal_get_u32(head + 8) != wal_crc32c(0, head + 12, WAL_SEGMENT_HEAD_BYTES - 12))
        return false;
    *ret_version = wal_get_u32(head + 12);
    *ret_base = wal_get_u64(head + 16);
    *ret_salt = wal_get_u64(head + 24);
    return true;
}

uint32_t wal_record_crc_start(const uint8_t head[WAL_RECORD_HEAD_BYTES], uint64_t salt)
{
    return wal_crc32c(crc_start(salt), head + 12, WAL_RECORD_HEAD_BYTES - 12);
}

static uint32_t head_crc(const uint8_t head[WAL_RECORD_HEAD_BYTES], uint64_t salt)
{
    return wal_crc32c(crc_start(salt), head + 8, WAL_RECORD_HEAD_BYTES - 8);
}

void wal_record_encode(const struct wal_record *record, uint64_t salt,
                       uint8_t ret_head[WAL_RECORD_HEAD_BYTES])
{
    memcpy(ret_head, wal_record_magic, sizeof wal_record_magic);
    wal_put_u32(ret_head + 12, (uint32_t)record->body.len);
    wal_put_u32(ret_head + 16, record->kind);
    wal_put_u64(ret_head + 20, record->position);
    wal_put_u64(ret_head + 28, record->received_ns);
    wal_put_u32(ret_head + 8, wal_crc32c(wal_record_crc_start(ret_head, salt), record->body.data,
                                         record->body.len));
    wal_put_u32(ret_head + 4, head_crc(ret_head, salt));
}

bool wal_record_decode(const uint8_t head[WAL_RECORD_HEAD_BYTES], uint64_t salt,
                       struct wal_record_head *ret_head)
{
    if (memcmp(head, wal_record_magic, sizeof wal_record_magic) != 0 ||
        wal_get_u32(head + 4) != head_crc(head, salt))
        return false;
    *ret_head = (struct wal_record_head){
        .head_crc = wal_get_u32(head + 4),
        .record_crc = wal_get_u32(head + 8),
        .length = wal_get_u32(head + 12),
        .kind = wal_get_u32(head + 16),
        .position = wal_get_u64(head + 20),
        .received_ns = wal_get_u64(head + 28),
    };
    return true;
}

/* ---- the file ---- */

struct wal_segment *wal_segment_new(uint64_t base, uint64_t salt)
{
    struct wal_segment *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    ftri_list_init(&self->link);
    self->fd = -1;
    self->base = self->end = self->synced_end = base;
    self->salt = salt;
    snprintf(self->name, sizeof self->name, "%016" PRIx64 "-%016" PRIx64 "%s", base, salt, suffix);
    return self;
}

void wal_segment_close_file(struct wal_segment *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

void wal_segment_free(struct wal_segment *self)
{
    if (!self)
        return;
    wal_segment_close_file(self);
    ftri_free(self->live);
    ftri_free(self);
}

static uint64_t new_salt(void)
{
    uint64_t salt;
    if (getrandom(&salt, sizeof salt, GRND_NONBLOCK) != sizeof salt)
        salt = ftri_random_u64();
    return salt;
}

int wal_segment_create(int directory, uint64_t base, struct wal_segment **ret_segment)
{
    struct wal_segment *self = wal_segment_new(base, new_salt());
    if (!self)
        return -ENOMEM;
    uint8_t head[WAL_SEGMENT_HEAD_BYTES];
    segment_encode_head(self, head);
    self->fd = wal_disk_open(directory, self->name, O_RDWR | O_CREAT | O_EXCL);
    int r = self->fd;
    if (r >= 0) {
        r = wal_disk_write(self->fd, ftri_view_of(head, sizeof head), ftri_view_of(NULL, 0), 0);
        /* If the name cannot be taken back either, it is an empty segment at the next open. */
        if (r < 0)
            (void)!wal_disk_remove(directory, self->name);
    }
    if (r < 0) {
        wal_segment_free(self);
        return r;
    }
    self->size = self->synced_size = WAL_SEGMENT_HEAD_BYTES;
    *ret_segment = self;
    return 0;
}

/* ---- live records ---- */

int wal_segment_reserve(struct wal_segment *self, uint64_t position)
{
    const size_t needed = (size_t)((position - self->base) / 64 + 1);
    if (needed <= self->n_words)
        return 0;
    const size_t n = ftri_size_max(needed, self->n_words ? 2 * self->n_words : 4);
    uint64_t *live = ftri_realloc(self->live, n * sizeof *live);
    if (!live)
        return -ENOMEM;
    memset(live + self->n_words, 0, (n - self->n_words) * sizeof *live);
    self->live = live;
    self->n_words = n;
    return 0;
}

void wal_segment_note(struct wal_segment *self, uint64_t position)
{
    const uint64_t bit = position - self->base;
    self->live[bit / 64] |= UINT64_C(1) << bit % 64;
    self->n_live++;
}

bool wal_segment_is_live(const struct wal_segment *self, uint64_t position)
{
    const uint64_t bit = position - self->base;
    return position >= self->base && bit / 64 < self->n_words &&
           (self->live[bit / 64] >> bit % 64 & 1);
}

bool wal_segment_release(struct wal_segment *self, uint64_t position)
{
    if (!wal_segment_is_live(self, position))
        return false;
    const uint64_t bit = position - self->base;
    self->live[bit / 64] &= ~(UINT64_C(1) << bit % 64);
    self->n_live--;
    return true;
}

uint64_t wal_segment_release_from(struct wal_segment *self, uint64_t position)
{
    uint64_t n = 0;
    for (; position < self->end; position++)
        n += wal_segment_release(self, position);
    return n;
}

uint64_t wal_segment_first_live(const struct wal_segment *self)
{
    for (size_t i = 0; i < self->n_words; i++)
        if (self->live[i])
            return self->base + 64 * i + (uint64_t)__builtin_ctzll(self->live[i]);
    return self->end;
}
