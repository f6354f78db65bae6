/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/append.h"

#include "base/fault.h"
#include "base/time.h"
#include "wal/disk.h"

#include <errno.h>

/* Cuts what is not durable off, as far as the disk lets us: what stays may be replayed, which the
 * destinations bear. In the other modes the records were promised and stay. */
void wal_append_give_up(struct wal *self)
{
    for (struct ftri_list *at = self->segments.next; at != &self->segments; at = at->next) {
        struct wal_segment *segment = FTRI_CONTAINER(at, struct wal_segment, link);
        if (segment->synced_size == segment->size)
            continue;
        if (self->options.sync == WAL_SYNC_ALWAYS &&
            wal_disk_cut(segment->fd, segment->synced_size) == 0) {
            self->statistics.n_bytes -= segment->size - segment->synced_size;
            segment->size = segment->synced_size;
        }
        if (self->options.sync == WAL_SYNC_ALWAYS)
            wal_segment_release_from(segment, segment->synced_end);
        segment->synced_size = segment->size; /* not tried again */
    }
    self->synced = self->next;
    self->dirty_since_ns = 0;
    self->n_dirty_bytes = 0;
    wal_retire_active(self);
}

static uint64_t record_bytes(size_t body_len)
{
    return WAL_RECORD_HEAD_BYTES + (uint64_t)body_len;
}

static bool is_full(const struct wal *self, uint64_t n_bytes)
{
    const uint64_t limit = self->options.limit_bytes;
    return limit && (n_bytes > limit || self->statistics.n_bytes > limit - n_bytes);
}

/* 0 when there is room for so many bytes, in the active segment or a new one. Under the lock. */
static int make_room(struct wal *self, uint64_t n_bytes)
{
    const struct wal_segment *active = self->active;
    if (self->failure < 0)
        return self->failure; /* the owner has not heard of it yet */
    if (self->options.limit_bytes && n_bytes + WAL_SEGMENT_HEAD_BYTES > self->options.limit_bytes)
        return -EMSGSIZE;
    const bool is_over = active && active->size > WAL_SEGMENT_HEAD_BYTES &&
                         active->size + n_bytes > self->segment_bytes;
    const bool is_new = !active || is_over;
    if (is_full(self, n_bytes + (is_new ? WAL_SEGMENT_HEAD_BYTES : 0))) {
        if (active && active->n_live == 0 && active->size > WAL_SEGMENT_HEAD_BYTES)
            wal_retire_active(self); /* nothing in it is needed: its bytes come back */
        return WAL_FULL;
    }
    if (is_over) {
        if (self->options.sync == WAL_SYNC_NONE)
            wal_segment_close_file(self->active);
        wal_retire_active(self);
    }
    return 0;
}

/* Without the lock: only the owner makes segments. */
static int make_segment(struct wal *self)
{
    struct wal_segment *segment = NULL;
    const int r = wal_segment_create(self->directory, self->next, &segment);
    if (r < 0)
        return r;
    pthread_mutex_lock(&self->lock);
    ftri_list_append(&self->segments, &segment->link);
    self->active = segment;
    self->statistics.n_segments++;
    self->statistics.n_bytes += segment->size;
    pthread_mutex_unlock(&self->lock);
    return 0;
}

/* What a failed write left behind is cut off. Where that fails, too, no record may follow it: the
 * next segment begins at this position, and the scan believes that. */
static int take_back(struct wal *self, struct wal_segment *segment, int reason)
{
    if (wal_disk_cut(segment->fd, segment->size) == 0)
        return reason;
    pthread_mutex_lock(&self->lock);
    wal_retire_active(self);
    pthread_mutex_unlock(&self->lock);
    return reason;
}

/* The log's thread sleeps unless it waits for this signal. Under the lock. */
static void announce(struct wal *self, uint64_t n_bytes)
{
    const bool is_promised = self->options.sync != WAL_SYNC_ALWAYS;
    const bool is_first = self->dirty_since_ns == 0;
    if (is_first)
        self->dirty_since_ns = ftri_time_monotonic_ns();
    self->n_dirty_bytes += n_bytes;
    if (is_promised)
        self->is_notice_due = true;
    if (is_promised || is_first || self->n_dirty_bytes >= WAL_GATHERED_BYTES)
        pthread_cond_signal(&self->wake);
}

static void count(struct wal *self, struct wal_segment *segment, uint64_t n_bytes)
{
    pthread_mutex_lock(&self->lock);
    wal_segment_note(segment, self->next);
    self->next++;
    segment->end = self->next;
    segment->size += n_bytes;
    self->statistics.n_appended++;
    self->statistics.n_bytes += n_bytes;
    announce(self, n_bytes);
    pthread_mutex_unlock(&self->lock);
}

static int prepare(struct wal *self, uint64_t n_bytes)
{
    pthread_mutex_lock(&self->lock);
    int r = make_room(self, n_bytes);
    const bool has_active = self->active;
    pthread_mutex_unlock(&self->lock);
    if (r == 0 && !has_active)
        r = make_segment(self);
    if (r != 0)
        return r;
    pthread_mutex_lock(&self->lock);
    r = wal_segment_reserve(self->active, self->next);
    pthread_mutex_unlock(&self->lock);
    return r;
}

int wal_append(struct wal *self, uint32_t kind, uint64_t received_ns, struct ftri_view body,
               uint64_t *ret_position)
{
    if (body.len > WAL_BODY_LIMIT)
        return -EMSGSIZE;
    const uint64_t n_bytes = record_bytes(body.len);
    int r = prepare(self, n_bytes);
    if (r != 0)
        return r;
    struct wal_segment *segment = self->active; /* only the owner changes it */
    const struct wal_record record = {self->next, kind, received_ns, body};
    uint8_t head[WAL_RECORD_HEAD_BYTES];
    wal_record_encode(&record, segment->salt, head);
    FTRI_FAULT_POINT("wal.before_append");
    r = wal_disk_write(segment->fd, ftri_view_of(head, sizeof head), body, segment->size);
    if (r < 0)
        return take_back(self, segment, r);
    count(self, segment, n_bytes);
    FTRI_FAULT_POINT("wal.after_append");
    *ret_position = record.position;
    return 0;
}
