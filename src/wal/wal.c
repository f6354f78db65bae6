/* SPDX-License-Identifier: Apache-2.0
 *
 * The write-ahead log: opening, replay, release. Appending is in append.c, the log's own thread in
 * commit.c, what open does with damage in recovery.c.
 *
 * In the directory, numbers little-endian, checksums CRC-32C:
 *
 *   lock                          held by flock; the text is the holder's process id
 *   <base>-<salt>.wal             a segment; both numbers are 16 hexadecimal digits
 *   <segment>-<offset>.quarantine what was damaged in it from that offset on
 *   released                      the watermark
 *
 *   segment:  head, records; no padding          watermark: two slots, at 0 and 4096,
 *    0  "FTRWAL\r\n"                              written in turn; the greater intact
 *    8  u32 checksum of the bytes 12..31          sequence counts
 *   12  u32 version: 1                            0  "FTRMARK\n"
 *   16  u64 base                                  8  u32 checksum of 12..35
 *   24  u64 salt                                 12  u64 sequence, from 1
 *                                                20  u64 released: none below is replayed
 *   record:                                      28  u64 next: all handed out are below
 *    0  f7 57 72 a5
 *    4  u32 checksum of the salt and the bytes 8..35
 *    8  u32 checksum of the salt, the bytes 12..35 and the body
 *   12  u32 length of the body, at most 256 MiB
 *   16  u32 kind
 *   20  u64 position
 *   28  u64 received, wall clock, ns
 *   36  body
 *
 * The base is the position that was next when the segment was made: positions in a segment are at
 * least its base and below the base of the segment that follows, and rise by one from record to
 * record. Every process begins a new segment, so nothing is ever written behind a torn tail. The
 * salt is random: bytes that a sender puts into a body cannot pass for a record. That the name
 * holds base and salt keeps records readable when the head is damaged.
 *
 * A segment is deleted once it takes no more records and all of its records are released; releases
 * are not written down otherwise, so that a crash replays some records again, in whole segments. */
#include "wal/wal.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "wal/append.h"
#include "wal/commit.h"
#include "wal/disk.h"
#include "wal/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENTS_A_LIMIT = 4, SEGMENT_BYTES_LEAST = 4096 };
#define SEGMENT_BYTES_DEFAULT (UINT64_C(64) << 20)

/* ---- open and close ---- */

static int refuse_second(struct wal *self, const char *path, struct ftri_error *error)
{
    char text[32] = {0};
    const ssize_t n = pread(self->lock_file, text, sizeof text - 1, 0);
    const long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        return ftri_error_set(error, -EBUSY, "%s is in use by process %ld", path, pid);
    return ftri_error_set(error, -EBUSY, "%s is in use by another process", path);
}

/* The process id in the file is for people; the lock is what counts. */
static void write_pid(int lock_file)
{
    char text[32];
    const int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(lock_file, 0) == 0)
        (void)!pwrite(lock_file, text, (size_t)len, 0);
}

static int lock_directory(struct wal *self, const char *path, struct ftri_error *error)
{
    self->lock_file = wal_disk_open(self->directory, "lock", O_RDWR | O_CREAT);
    if (self->lock_file < 0)
        return ftri_error_errno(error, self->lock_file, "opening %s/lock", path);
    if (flock(self->lock_file, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return refuse_second(self, path, error);
        return ftri_error_errno(error, -errno, "locking %s", path);
    }
    write_pid(self->lock_file);
    return 0;
}

static int open_directory(struct wal *self, const char *path, struct ftri_error *error)
{
    const int r = ftri_file_make_directories(path);
    if (r < 0)
        return ftri_error_errno(error, r, "making %s", path);
    self->directory = wal_disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    if (self->directory < 0)
        return ftri_error_errno(error, self->directory, "opening %s", path);
    return 0;
}

/* The names of the log and in the log are durable before anything is promised. */
static int sync_names(struct wal *self, const char *path, struct ftri_error *error)
{
    FTRI_CLEANUP(ftri_file_closep)
    const int parent = wal_disk_open(self->directory, "..", O_RDONLY | O_DIRECTORY);
    int r = wal_disk_sync_directory(self->directory);
    if (r == 0 && parent >= 0)
        r = wal_disk_sync_directory(parent);
    return r < 0 ? ftri_error_errno(error, r, "syncing %s", path) : 0;
}

static int start(struct wal *self, const char *path, struct ftri_error *error)
{
    int r = wal_commit_init(self);
    if (r < 0)
        return ftri_error_errno(error, r, "making a lock");
    r = open_directory(self, path, error);
    if (r == 0)
        r = lock_directory(self, path, error);
    if (r == 0)
        r = wal_recover(self, error);
    if (r == 0)
        r = sync_names(self, path, error);
    if (r < 0)
        return r;
    r = wal_commit_start(self);
    return r < 0 ? ftri_error_errno(error, r, "starting a thread") : 0;
}

/* Small enough that a few released records can give room back. */
static uint64_t choose_segment_bytes(const struct wal_options *options)
{
    uint64_t bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES_DEFAULT;
    if (options->limit_bytes && bytes > options->limit_bytes / SEGMENTS_A_LIMIT)
        bytes = options->limit_bytes / SEGMENTS_A_LIMIT;
    return bytes > SEGMENT_BYTES_LEAST ? bytes : SEGMENT_BYTES_LEAST;
}

int wal_open(const struct wal_options *options, struct wal **ret_wal, struct ftri_error *error)
{
    struct wal *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "memory is short");
    self->options = *options;
    self->directory = self->lock_file = self->watermark.fd = -1;
    self->segment_bytes = choose_segment_bytes(options);
    ftri_list_init(&self->segments);
    ftri_bytes_init(&self->body, WAL_BODY_LIMIT);
    const int r = start(self, options->directory, error);
    self->options.directory = NULL;
    if (r < 0) {
        wal_close(self);
        return ftri_error_prefix(error, r, "write-ahead log");
    }
    self->statistics.limit_bytes = options->limit_bytes;
    *ret_wal = self;
    return 0;
}

static void end_replay_of_segment(struct wal *self)
{
    wal_scan_deinit(&self->scan);
    pthread_mutex_lock(&self->lock);
    wal_segment_close_file(self->replayed);
    self->replayed->n_pins--;
    self->is_drop_due = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    self->replayed = NULL;
}

void wal_close(struct wal *self)
{
    if (!self)
        return;
    if (self->replayed)
        end_replay_of_segment(self);
    wal_commit_stop(self);
    struct ftri_list *link;
    while ((link = ftri_list_pop(&self->segments)))
        wal_segment_free(FTRI_CONTAINER(link, struct wal_segment, link));
    wal_watermark_close(&self->watermark);
    ftri_bytes_deinit(&self->body);
    wal_commit_deinit(self);
    ftri_file_closep(&self->lock_file);
    ftri_file_closep(&self->directory);
    ftri_free(self);
}

/* ---- replay ---- */

/* The oldest segment with live records from replay_next on, of those found by open; pinned. */
static struct wal_segment *next_replayed(struct wal *self)
{
    struct wal_segment *found = NULL;
    pthread_mutex_lock(&self->lock);
    for (struct ftri_list *at = self->segments.next; at != &self->segments; at = at->next) {
        struct wal_segment *segment = FTRI_CONTAINER(at, struct wal_segment, link);
        const bool is_candidate =
            segment->n_live && segment->base < self->replay_end && segment->end > self->replay_next;
        if (is_candidate && (!found || segment->base < found->base))
            found = segment;
    }
    if (found)
        found->n_pins++;
    pthread_mutex_unlock(&self->lock);
    return found;
}

static int begin_replay_of_segment(struct wal *self, struct wal_segment *segment)
{
    const int fd = wal_disk_open(self->directory, segment->name, O_RDONLY);
    int r = fd < 0 ? fd : wal_scan_init(&self->scan, segment, segment->size, segment->end);
    if (r < 0) {
        ftri_file_closep(&fd);
        pthread_mutex_lock(&self->lock);
        segment->n_pins--;
        pthread_mutex_unlock(&self->lock);
        return r;
    }
    segment->fd = fd;
    self->scan.body = &self->body;
    self->replayed = segment;
    return 0;
}

static bool is_live(struct wal *self, uint64_t position)
{
    pthread_mutex_lock(&self->lock);
    const bool is_live = wal_segment_is_live(self->replayed, position);
    pthread_mutex_unlock(&self->lock);
    return is_live;
}

/* WAL_END at the end of this segment. */
static int replay_segment(struct wal *self, struct wal_record *ret_record)
{
    for (;;) {
        struct wal_record record;
        struct wal_stretch stretch;
        const int r = wal_scan_next(&self->scan, &record, &stretch);
        if (r == WAL_SCAN_END) {
            self->replay_next = self->replayed->end;
            end_replay_of_segment(self);
            return WAL_END;
        }
        if (r < 0)
            return r;
        if (r == WAL_SCAN_DAMAGE || !is_live(self, record.position))
            continue;
        *ret_record = record;
        return 0;
    }
}

int wal_replay(struct wal *self, struct wal_record *ret_record)
{
    for (;;) {
        if (!self->replayed) {
            struct wal_segment *segment = next_replayed(self);
            if (!segment) {
                ftri_bytes_deinit(&self->body);
                return WAL_END;
            }
            const int r = begin_replay_of_segment(self, segment);
            if (r < 0)
                return r;
        }
        const int r = replay_segment(self, ret_record);
        if (r == WAL_END)
            continue;
        if (r == 0) {
            pthread_mutex_lock(&self->lock);
            self->statistics.n_replayed++;
            pthread_mutex_unlock(&self->lock);
        }
        return r;
    }
}

/* ---- what became durable, what is settled ---- */

uint64_t wal_synced(struct wal *self, int *ret_error)
{
    pthread_mutex_lock(&self->lock);
    const int failure = self->failure;
    const uint64_t synced = self->options.sync == WAL_SYNC_ALWAYS ? self->synced : self->next;
    if (failure < 0) {
        self->failure = 0;
        wal_append_give_up(self);
    }
    pthread_mutex_unlock(&self->lock);
    *ret_error = failure;
    return synced;
}

/* Under the lock. */
static struct wal_segment *find_live(struct wal *self, uint64_t position)
{
    for (struct ftri_list *at = self->segments.next; at != &self->segments; at = at->next) {
        struct wal_segment *segment = FTRI_CONTAINER(at, struct wal_segment, link);
        if (wal_segment_is_live(segment, position))
            return segment;
    }
    return NULL;
}

/* Under the lock. The active segment goes early when it is half full, so that a log that is
 * settled has little to replay. */
static void consider_deletion(struct wal *self, const struct wal_segment *segment)
{
    if (segment->n_live > 0)
        return;
    if (segment != self->active) {
        self->is_drop_due = true;
        pthread_cond_signal(&self->wake);
    } else if (segment->size >= self->segment_bytes / 2) {
        wal_retire_active(self);
    }
}

void wal_release(struct wal *self, uint64_t position)
{
    pthread_mutex_lock(&self->lock);
    struct wal_segment *segment = find_live(self, position);
    if (segment) {
        (void)!wal_segment_release(segment, position);
        self->statistics.n_released++;
        consider_deletion(self, segment);
    }
    pthread_mutex_unlock(&self->lock);
}

void wal_get_statistics(struct wal *self, struct wal_statistics *ret_statistics)
{
    pthread_mutex_lock(&self->lock);
    *ret_statistics = self->statistics;
    pthread_mutex_unlock(&self->lock);
}
