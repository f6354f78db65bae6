/* SPDX-License-Identifier: Apache-2.0
 *
 * Group commit: the first append after a sync began starts the clock; when commit_delay_ms have
 * passed, or WAL_GATHERED_BYTES wait, one fdatasync covers everything written by then. Appends made
 * while it runs wait for the next, whose clock may already have run out.
 *
 * After a failed fdatasync the kernel may call the same pages clean, so it is never tried again on
 * those records: nothing is synced until the owner has heard of the failure (wal_synced), which
 * gives the records up and lets the next append begin a new segment. */
#include "wal/commit.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/thread.h"
#include "base/time.h"
#include "wal/disk.h"

#include <errno.h>
#include <fcntl.h>

int wal_commit_init(struct wal *self)
{
    pthread_condattr_t attributes;
    int r = pthread_condattr_init(&attributes);
    if (r != 0)
        return -r;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    r = pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (r != 0)
        return -r;
    r = pthread_mutex_init(&self->lock, NULL);
    if (r != 0)
        pthread_cond_destroy(&self->wake);
    self->has_lock = r == 0;
    return -r;
}

void wal_commit_deinit(struct wal *self)
{
    if (!self->has_lock)
        return;
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
}

/* ---- syncing ---- */

static bool is_dirty(const struct wal_segment *segment)
{
    return segment->synced_size < segment->size;
}

static struct wal_segment *first_dirty(const struct wal *self)
{
    for (struct ftri_list *at = self->segments.next; at != &self->segments; at = at->next) {
        struct wal_segment *segment = FTRI_CONTAINER(at, struct wal_segment, link);
        if (is_dirty(segment))
            return segment;
    }
    return NULL;
}

/* Without the lock, on a pinned segment that may have been closed to save descriptors. A record is
 * durable when its file's name is, too. */
static int sync_file(const struct wal *self, const struct wal_segment *segment, bool is_entered)
{
    FTRI_CLEANUP(ftri_file_closep)
    const int reopened =
        segment->fd < 0 ? wal_disk_open(self->directory, segment->name, O_RDWR) : -1;
    const int fd = segment->fd < 0 ? reopened : segment->fd;
    if (fd < 0)
        return fd;
    const int r = wal_disk_sync(fd);
    return r < 0 || is_entered ? r : wal_disk_sync_directory(self->directory);
}

/* Holds the lock, lets go of it while the disk works. */
static int sync_segment(struct wal *self, struct wal_segment *segment)
{
    const uint64_t size = segment->size;
    const uint64_t end = segment->end;
    const bool is_entered = segment->is_entered;
    segment->n_pins++;
    pthread_mutex_unlock(&self->lock);
    const int r = sync_file(self, segment, is_entered);
    FTRI_FAULT_POINT("wal.after_sync");
    pthread_mutex_lock(&self->lock);
    segment->n_pins--;
    self->statistics.n_syncs++;
    if (r < 0)
        return r;
    self->statistics.n_synced += end - segment->synced_end;
    segment->is_entered = true;
    segment->synced_size = size;
    segment->synced_end = end;
    if (segment != self->active && !is_dirty(segment) && segment->n_pins == 0)
        wal_segment_close_file(segment);
    return 0;
}

/* One fdatasync for each segment written since the last: nearly always one. */
static void sync_all(struct wal *self)
{
    const uint64_t target = self->next;
    self->dirty_since_ns = 0;
    self->n_dirty_bytes = 0;
    for (uint64_t covered = 0; covered < target;) {
        struct wal_segment *segment = first_dirty(self);
        if (!segment)
            break;
        const int r = sync_segment(self, segment);
        if (r < 0) {
            self->failure = r;
            break;
        }
        covered = segment->synced_end;
        self->synced = covered > self->synced ? covered : self->synced;
        self->is_drop_due |= segment->n_live == 0;
    }
    self->is_notice_due = true;
}

/* ---- deleting ---- */

static bool is_deletable(const struct wal *self, const struct wal_segment *segment)
{
    /* Before it is synced, the owner must hear of success or failure. */
    const bool is_settled = self->options.sync != WAL_SYNC_ALWAYS || !is_dirty(segment);
    return segment != self->active && segment->n_live == 0 && segment->n_pins == 0 && is_settled;
}

static void take_deletable(struct wal *self, struct ftri_list *ret_doomed)
{
    ftri_list_init(ret_doomed);
    for (struct ftri_list *at = self->segments.next; at != &self->segments;) {
        struct wal_segment *segment = FTRI_CONTAINER(at, struct wal_segment, link);
        at = at->next;
        if (!is_deletable(self, segment))
            continue;
        ftri_list_unlink(&segment->link);
        ftri_list_append(ret_doomed, &segment->link);
    }
}

static uint64_t lowest_live(const struct wal *self)
{
    uint64_t lowest = self->next;
    for (struct ftri_list *at = self->segments.next; at != &self->segments; at = at->next) {
        const struct wal_segment *segment = FTRI_CONTAINER(at, struct wal_segment, link);
        uint64_t first = segment->n_live ? wal_segment_first_live(segment) : lowest;
        if (segment->is_unreadable)
            first = segment->base;
        lowest = first < lowest ? first : lowest;
    }
    return lowest;
}

/* Whether what stays on disk shows the next position without the watermark. */
static bool is_position_kept(const struct wal *self, uint64_t next)
{
    for (struct ftri_list *at = self->segments.next; at != &self->segments; at = at->next) {
        const struct wal_segment *segment = FTRI_CONTAINER(at, struct wal_segment, link);
        if (segment->is_entered && segment->synced_end == next)
            return true;
    }
    return false;
}

static bool delete_file(struct wal *self, struct wal_segment *segment)
{
    FTRI_FAULT_POINT("wal.before_truncate");
    if (wal_disk_remove(self->directory, segment->name) < 0)
        return false;
    FTRI_FAULT_POINT("wal.after_truncate");
    return true;
}

/* Without the lock. Moves those whose file is gone to `ret_gone`. */
static void delete_files(struct wal *self, struct ftri_list *doomed, struct ftri_list *ret_gone)
{
    ftri_list_init(ret_gone);
    for (struct ftri_list *at = doomed->next; at != doomed;) {
        struct wal_segment *segment = FTRI_CONTAINER(at, struct wal_segment, link);
        at = at->next;
        if (!delete_file(self, segment))
            continue;
        ftri_list_unlink(&segment->link);
        ftri_list_append(ret_gone, &segment->link);
    }
    /* A name that comes back after a power cut is deleted again: below the watermark. */
    (void)!wal_disk_sync_directory(self->directory);
}

static void forget(struct wal *self, struct ftri_list *gone)
{
    struct ftri_list *link;
    while ((link = ftri_list_pop(gone))) {
        struct wal_segment *segment = FTRI_CONTAINER(link, struct wal_segment, link);
        self->statistics.n_bytes -= segment->size;
        self->statistics.n_segments--;
        self->is_notice_due = true; /* there may be room again */
        wal_segment_free(segment);
    }
}

/* Back among the segments: it is tried again when the next one becomes deletable. */
static void put_back(struct wal *self, struct ftri_list *doomed)
{
    struct ftri_list *link;
    while ((link = ftri_list_pop(doomed)))
        ftri_list_append(&self->segments, link);
}

/* Holds the lock, lets go of it while the disk works. The watermark goes first: it is what keeps
 * positions from repeating when no segment is left. */
static void delete_released(struct wal *self)
{
    struct ftri_list doomed, gone;
    self->is_drop_due = false;
    take_deletable(self, &doomed);
    if (ftri_list_is_empty(&doomed))
        return;
    const uint64_t next = self->next;
    const uint64_t released = lowest_live(self);
    const bool is_kept = is_position_kept(self, next);
    pthread_mutex_unlock(&self->lock);
    ftri_list_init(&gone);
    if (wal_watermark_store(&self->watermark, self->directory, released, next) == 0 || is_kept)
        delete_files(self, &doomed, &gone);
    pthread_mutex_lock(&self->lock);
    forget(self, &gone);
    put_back(self, &doomed);
}

/* ---- the thread ---- */

static uint64_t sync_delay_ns(const struct wal *self)
{
    return FTRI_NS_PER_MS * (self->options.sync == WAL_SYNC_ALWAYS ? self->options.commit_delay_ms
                                                                   : self->options.interval_ms);
}

/* Waits for a signal or the deadline; true at the deadline. */
static bool wait_until(struct wal *self, uint64_t deadline_ns)
{
    const struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ns / FTRI_NS_PER_S),
        .tv_nsec = (long)(deadline_ns % FTRI_NS_PER_S),
    };
    return pthread_cond_timedwait(&self->wake, &self->lock, &deadline) == ETIMEDOUT;
}

static bool has_gathered_enough(const struct wal *self)
{
    return self->options.sync == WAL_SYNC_ALWAYS && self->n_dirty_bytes >= WAL_GATHERED_BYTES;
}

/* Returns when there is something to do; true: sync now. */
static bool wait_for_work(struct wal *self)
{
    for (;;) {
        if (self->is_stopping || self->is_notice_due || self->is_drop_due)
            return false;
        const bool waits_for_sync =
            self->options.sync != WAL_SYNC_NONE && self->dirty_since_ns && self->failure == 0;
        if (!waits_for_sync)
            pthread_cond_wait(&self->wake, &self->lock);
        else if (has_gathered_enough(self) ||
                 wait_until(self, self->dirty_since_ns + sync_delay_ns(self)))
            return true;
    }
}

static void notify(struct wal *self)
{
    self->is_notice_due = false;
    if (!self->options.on_synced)
        return;
    pthread_mutex_unlock(&self->lock);
    self->options.on_synced(self->options.argument);
    pthread_mutex_lock(&self->lock);
}

static void *run(void *argument)
{
    struct wal *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->is_stopping) {
        if (wait_for_work(self))
            sync_all(self);
        if (self->is_notice_due)
            notify(self);
        if (self->is_drop_due)
            delete_released(self);
    }
    if (self->failure == 0)
        sync_all(self);
    self->active = NULL;
    delete_released(self);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

int wal_commit_start(struct wal *self)
{
    const int r = ftri_thread_start(run, self, &self->thread);
    if (r < 0)
        return r;
    (void)pthread_setname_np(self->thread, "wal");
    self->has_thread = true;
    return 0;
}

void wal_commit_stop(struct wal *self)
{
    if (!self->has_thread)
        return;
    pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    self->has_thread = false;
    /* So that what is released is not replayed although its segment is still needed, and positions
     * that were given up do not come again. */
    const uint64_t released = lowest_live(self);
    const bool is_told = released <= self->watermark.released &&
                         (self->next <= self->watermark.next || is_position_kept(self, self->next));
    if (!is_told &&
        wal_watermark_store(&self->watermark, self->directory, released, self->next) < 0)
        return; /* it is replayed */
}
