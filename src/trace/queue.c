/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/queue.h"

#include "base/count.h"
#include "trace/batch.h"
#include "trace/clock.h"

void ftri_queue_init(struct ftri_queue *self, size_t bytes_max, uint32_t spans_max)
{
    *self = (struct ftri_queue){.bytes_max = bytes_max, .spans_max = spans_max};
    self->sealed_end = &self->sealed;
    ftri_bytes_init(&self->reading, SIZE_MAX / 2);
}

void ftri_queue_deinit(struct ftri_queue *self)
{
    ftri_batch_free(self->open);
    ftri_batches_free(self->sealed);
    ftri_batches_free(self->spare);
    ftri_bytes_deinit(&self->reading);
}

/* All of it was at rest: the worker between two passes, the lock held. */
void ftri_queue_after_fork(struct ftri_queue *self)
{
    ftri_queue_deinit(self);
    ftri_queue_init(self, self->bytes_max, self->spans_max);
}

/* ---- room ---- */

static uint64_t n_sealed_bytes(const struct ftri_queue *self)
{
    return atomic_load_explicit(&self->n_sealed_bytes, memory_order_relaxed);
}

static size_t n_open_bytes(const struct ftri_queue *self)
{
    return self->open ? ftri_batch_len(self->open) : 0;
}

uint64_t ftri_queue_n_spans(const struct ftri_queue *self)
{
    const uint64_t n_left = atomic_load(&self->n_left); /* first: never more than have entered */
    return atomic_load(&self->n_entered) - n_left;
}

/* A queue that had no room for a span has none until a batch has left it. */
bool ftri_queue_has_room(struct ftri_queue *self)
{
    const uint64_t n_sealed = n_sealed_bytes(self);
    if (self->is_full && self->n_bytes_then == n_sealed)
        return false;
    self->is_full = false;
    return n_sealed + n_open_bytes(self) < self->bytes_max &&
           (self->spans_max == 0 || ftri_queue_n_spans(self) < self->spans_max);
}

bool ftri_queue_has_slack(const struct ftri_queue *self)
{
    return n_sealed_bytes(self) + n_open_bytes(self) < self->bytes_max / 2 &&
           (self->spans_max == 0 || ftri_queue_n_spans(self) <= self->spans_max / 2);
}

/* ---- the worker's end ---- */

static bool append_bytes(struct ftri_queue *self, const struct ftri_record *record,
                         uint32_t routing)
{
    struct ftri_bytes *out = &self->open->bytes;
    const size_t len = out->len;
    const int rc = ftri_batch_append(self->open, record, routing, &self->reading);
    const uint64_t n_sealed = n_sealed_bytes(self);
    if (rc == 0 && n_sealed + n_open_bytes(self) <= self->bytes_max)
        return true;
    out->len = len;
    self->is_full = rc == 0 && n_sealed + n_open_bytes(self) > 0;
    self->n_bytes_then = n_sealed;
    return false;
}

bool ftri_queue_append(struct ftri_queue *self, const struct ftri_record *record, uint32_t routing)
{
    if (!ftri_queue_has_room(self) || !append_bytes(self, record, routing))
        return false;
    if (self->open->n_spans++ == 0)
        self->open->since_ns = ftri_clock_monotonic_ns();
    ftri_count(&self->n_entered, 1);
    return true;
}

struct ftri_batch *ftri_queue_seal(struct ftri_queue *self)
{
    struct ftri_batch *batch = self->open;
    if (!batch || batch->n_spans == 0)
        return NULL;
    self->open = NULL;
    self->is_full = false;
    atomic_fetch_add(&self->n_sealed_bytes, ftri_batch_len(batch));
    return batch;
}

/* ---- sealed and spare ones ---- */

void ftri_queue_push(struct ftri_queue *self, struct ftri_batch *batch)
{
    *self->sealed_end = batch;
    self->sealed_end = &batch->next;
}

struct ftri_batch *ftri_queue_pop(struct ftri_queue *self)
{
    struct ftri_batch *batch = self->sealed;
    if (!batch)
        return NULL;
    self->sealed = batch->next;
    if (!self->sealed)
        self->sealed_end = &self->sealed;
    return batch;
}

struct ftri_batch *ftri_queue_take_spare(struct ftri_queue *self)
{
    struct ftri_batch *batch = self->spare;
    if (batch)
        self->spare = batch->next;
    return batch;
}

void ftri_queue_keep_spare(struct ftri_queue *self, struct ftri_batch *batch)
{
    batch->next = self->spare;
    self->spare = batch;
}

/* ---- the other end ---- */

void ftri_queue_count_left(struct ftri_queue *self, size_t n_spans)
{
    ftri_count(&self->n_left, n_spans);
}

void ftri_queue_free_room(struct ftri_queue *self, const struct ftri_batch *batch)
{
    atomic_fetch_sub(&self->n_sealed_bytes, ftri_batch_len(batch));
}
