/* SPDX-License-Identifier: Apache-2.0
 *
 * Damage at the end of the newest segment is a torn write: cut off. In an older one only zeros are
 * (a file grown but never written); everything else that is not a record is damage that somebody
 * may want to look at: copied to `<segment>-<offset>.quarantine`, once, however often the log is
 * opened before the segment goes. Where the copy cannot be made, or the disk refuses to read, the
 * segment is pinned: it stays until a later open succeeds. */
#include "wal/recovery.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "wal/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 64 * 1024, N_NAMES_LIMIT = 1 << 20 };

/* ---- which files there are ---- */

struct found {
    uint64_t base, salt;
};

struct found_list {
    struct found *items;
    size_t n, capacity;
};

static void found_list_deinit(struct found_list *self)
{
    ftri_free(self->items);
}

static int found_list_add(struct found_list *self, struct found item)
{
    if (self->n == N_NAMES_LIMIT)
        return -EMFILE;
    if (self->n == self->capacity) {
        const size_t capacity = self->capacity ? 2 * self->capacity : 64;
        struct found *items = ftri_realloc(self->items, capacity * sizeof *items);
        if (!items)
            return -ENOMEM;
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->n++] = item;
    return 0;
}

static int by_base(const void *left, const void *right)
{
    const struct found *a = left, *b = right;
    if (a->base != b->base)
        return a->base < b->base ? -1 : 1;
    return (a->salt > b->salt) - (a->salt < b->salt);
}

static int read_names(DIR *directory, struct found_list *list)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry)
            return -errno;
        struct found item;
        if (!wal_segment_parse_name(entry->d_name, &item.base, &item.salt))
            continue;
        const int r = found_list_add(list, item);
        if (r < 0)
            return r;
    }
}

static int list_segments(int directory, struct found_list *list)
{
    const int fd = wal_disk_open(directory, ".", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        const int r = -errno;
        close(fd);
        return r;
    }
    const int r = read_names(stream, list);
    closedir(stream);
    if (list->n)
        qsort(list->items, list->n, sizeof *list->items, by_base);
    return r;
}

/* ---- quarantine ---- */

/* Calls each with the stretch in pieces; stops when it says false. */
static bool for_each_piece(int fd, struct wal_stretch stretch,
                           bool (*each)(void *argument, struct ftri_view piece, uint64_t offset),
                           void *argument)
{
    FTRI_CLEANUP(ftri_freep) uint8_t *buffer = ftri_alloc(COPY_BYTES);
    if (!buffer)
        return false;
    for (uint64_t done = 0; done < stretch.length;) {
        const uint64_t rest = stretch.length - done;
        const size_t n = rest < COPY_BYTES ? (size_t)rest : COPY_BYTES;
        /* What is unreadable stays zero; the scan has taken note. */
        (void)!wal_disk_read(fd, buffer, n, stretch.offset + done);
        if (!each(argument, ftri_view_of(buffer, n), done))
            return false;
        done += n;
    }
    return true;
}

static bool is_all_zero(void *argument, struct ftri_view piece, uint64_t offset)
{
    (void)argument;
    (void)offset;
    return piece.data[0] == 0 && memcmp(piece.data, piece.data + 1, piece.len - 1) == 0;
}

static bool write_piece(void *argument, struct ftri_view piece, uint64_t offset)
{
    return wal_disk_write(*(const int *)argument, piece, ftri_view_of(NULL, 0), offset) == 0;
}

static bool is_copied(int directory, const char *name, uint64_t length)
{
    struct stat status;
    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           (uint64_t)status.st_size == length;
}

/* Whole and durable under its name, or not there. */
static bool copy_stretch(int directory, const struct wal_segment *segment,
                         struct wal_stretch stretch, const char *name)
{
    static const char unfinished[] = "quarantine.tmp";
    FTRI_CLEANUP(ftri_file_closep)
    const int fd = wal_disk_open(directory, unfinished, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return false;
    int to = fd;
    return for_each_piece(segment->fd, stretch, write_piece, &to) && wal_disk_sync(fd) == 0 &&
           wal_disk_rename(directory, unfinished, name) == 0 &&
           wal_disk_sync_directory(directory) == 0;
}

static void count_damage(struct wal *self, uint64_t length)
{
    self->statistics.n_quarantined++;
    self->statistics.n_quarantined_bytes += length;
}

static void quarantine(struct wal *self, struct wal_segment *segment, struct wal_stretch stretch)
{
    char name[WAL_SEGMENT_NAME_BYTES + 32];
    snprintf(name, sizeof name, "%s-%" PRIx64 ".quarantine", segment->name, stretch.offset);
    if (is_copied(self->directory, name, stretch.length))
        return;
    if (!copy_stretch(self->directory, segment, stretch, name))
        segment->n_pins++;
    count_damage(self, stretch.length);
}

/* A whole file of a version that we do not know is nothing to cut. */
static bool set_aside(struct wal *self, const struct wal_segment *segment, uint64_t size)
{
    uint8_t head[WAL_SEGMENT_HEAD_BYTES];
    uint32_t version;
    uint64_t base, salt;
    if (size < sizeof head || !wal_disk_read(segment->fd, head, sizeof head, 0) ||
        !wal_segment_decode_head(head, &version, &base, &salt) || version == WAL_SEGMENT_VERSION)
        return false;
    char name[WAL_SEGMENT_NAME_BYTES + 32];
    snprintf(name, sizeof name, "%s.quarantine", segment->name);
    if (wal_disk_rename(self->directory, segment->name, name) < 0)
        return false;
    count_damage(self, size);
    return true;
}

/* ---- one segment ---- */

static void cut_tail(struct wal *self, struct wal_segment *segment, struct wal_stretch stretch)
{
    self->statistics.n_torn_bytes += stretch.length;
    if (wal_disk_cut(segment->fd, stretch.offset) == 0)
        segment->size = stretch.offset;
}

/* What hides there may be readable another time: nothing is cut, copied or deleted, and as many
 * positions are taken for used as there is room for records. */
static void leave_unreadable(struct wal *self, struct wal_segment *segment,
                             struct wal_stretch stretch)
{
    segment->n_pins++;
    segment->is_unreadable = true;
    const uint64_t end = segment->base + segment->size / WAL_RECORD_HEAD_BYTES;
    self->next = end > self->next ? end : self->next;
    count_damage(self, stretch.length);
}

static void judge(struct wal *self, const struct wal_scan *scan, struct wal_segment *segment,
                  struct wal_stretch stretch, bool is_newest)
{
    const bool is_tail = stretch.offset + stretch.length == scan->file_size;
    if (scan->is_unreadable)
        leave_unreadable(self, segment, stretch);
    else if (is_tail && (is_newest || for_each_piece(segment->fd, stretch, is_all_zero, NULL)))
        cut_tail(self, segment, stretch);
    else
        quarantine(self, segment, stretch);
}

static int note(struct wal *self, struct wal_segment *segment, uint64_t position)
{
    segment->end = segment->synced_end = position + 1;
    if (position < self->watermark.released)
        return 0;
    const int r = wal_segment_reserve(segment, position);
    if (r == 0)
        wal_segment_note(segment, position);
    return r;
}

static int scan_segment(struct wal *self, struct wal_scan *scan, struct wal_segment *segment,
                        bool is_newest)
{
    for (;;) {
        struct wal_record record;
        struct wal_stretch stretch;
        int r = wal_scan_next(scan, &record, &stretch);
        if (r == WAL_SCAN_END)
            return 0;
        if (r == WAL_SCAN_DAMAGE)
            judge(self, scan, segment, stretch, is_newest);
        else if (r == 0)
            r = note(self, segment, record.position);
        if (r < 0)
            return r;
    }
}

/* On success the log owns it. */
static int adopt(struct wal *self, struct wal_segment *segment, uint64_t position_limit,
                 bool is_newest)
{
    struct stat status;
    if (fstat(segment->fd, &status) < 0)
        return -errno;
    const uint64_t size = (uint64_t)status.st_size;
    if (set_aside(self, segment, size)) {
        wal_segment_free(segment);
        return 0;
    }
    segment->size = size;
    struct wal_scan scan;
    int r = wal_scan_init(&scan, segment, size, position_limit);
    if (r < 0)
        return r;
    r = scan_segment(self, &scan, segment, is_newest);
    wal_scan_deinit(&scan);
    if (r < 0)
        return r;
    segment->synced_size = segment->size;
    segment->is_entered = true;
    wal_segment_close_file(segment);
    ftri_list_append(&self->segments, &segment->link);
    self->next = segment->end > self->next ? segment->end : self->next;
    self->statistics.n_segments++;
    self->statistics.n_bytes += segment->size;
    return 0;
}

static int recover_segment(struct wal *self, struct found found, uint64_t position_limit,
                           bool is_newest, struct ftri_error *error)
{
    struct wal_segment *segment = wal_segment_new(found.base, found.salt);
    if (!segment)
        return ftri_error_set(error, -ENOMEM, "reading the log: memory is short");
    int r = segment->fd = wal_disk_open(self->directory, segment->name, O_RDWR);
    if (r >= 0)
        r = adopt(self, segment, position_limit, is_newest);
    if (r < 0) {
        r = ftri_error_errno(error, r, "reading %s", segment->name);
        wal_segment_free(segment);
    }
    return r;
}

int wal_recover(struct wal *self, struct ftri_error *error)
{
    FTRI_CLEANUP(found_list_deinit) struct found_list list = {0};
    int r = list_segments(self->directory, &list);
    if (r < 0)
        return ftri_error_errno(error, r, "listing %s", self->options.directory);
    wal_watermark_load(&self->watermark, self->directory);
    self->next = self->watermark.next;
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        const bool is_newest = i + 1 == list.n;
        const uint64_t limit = is_newest ? WAL_POSITION_LIMIT : list.items[i + 1].base;
        r = recover_segment(self, list.items[i], limit, is_newest, error);
    }
    self->synced = self->replay_end = self->next;
    self->is_drop_due = true;
    return r;
}
