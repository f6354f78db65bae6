/* SPDX-License-Identifier: Apache-2.0
 *
 * The spans that wait for one exporter, in batches, bounded: an open batch that the worker fills,
 * sealed ones in order, and empty ones for their memory. Spans enter with the open batch, counted
 * by the worker, and leave when their batch has an outcome, counted by the exporter's thread.
 * Functions are the worker's unless marked: (lock) with the holder's lock, (any) any thread. */
#pragma once

#include "base/bytes.h"

#include <stdatomic.h>

struct ftri_batch;
struct ftri_record;

struct ftri_queue {
    size_t bytes_max;
    uint32_t spans_max; /* 0: no limit */

    struct ftri_batch *open;   /* the worker's, as the next */
    struct ftri_bytes reading; /* a span that is read before it is encoded */
    bool is_full;              /* a span did not fit, */
    uint64_t n_bytes_then;     /* with so many sealed */

    struct ftri_batch *sealed; /* (lock) */
    struct ftri_batch **sealed_end;
    struct ftri_batch *spare;

    _Atomic uint64_t n_sealed_bytes; /* (any) of batches without outcome */
    _Atomic uint64_t n_entered;      /* spans; the worker counts */
    _Atomic uint64_t n_left;         /* spans; the exporter's thread counts */
};

void ftri_queue_init(struct ftri_queue *self, size_t bytes_max, uint32_t spans_max);
void ftri_queue_deinit(struct ftri_queue *self);
/* In the child of a fork: empty. */
void ftri_queue_after_fork(struct ftri_queue *self);

/* Whether a span may find a place; false: it would not. */
bool ftri_queue_has_room(struct ftri_queue *self);
/* Whether less than half of it is in use. */
bool ftri_queue_has_slack(const struct ftri_queue *self);
/* The span enters the open batch, of which there is one; false: it has no place. */
bool ftri_queue_append(struct ftri_queue *self, const struct ftri_record *record, uint32_t routing);
/* Takes the open batch out of the worker's hands; NULL: there are no spans in one. */
struct ftri_batch *ftri_queue_seal(struct ftri_queue *self);

/* (lock) */
void ftri_queue_push(struct ftri_queue *self, struct ftri_batch *batch);
struct ftri_batch *ftri_queue_pop(struct ftri_queue *self);        /* NULL: it is empty */
struct ftri_batch *ftri_queue_take_spare(struct ftri_queue *self); /* NULL: there is none */
void ftri_queue_keep_spare(struct ftri_queue *self, struct ftri_batch *batch);

/* The exporter's thread: these spans, and then their batch, have an outcome. */
void ftri_queue_count_left(struct ftri_queue *self, size_t n_spans);
void ftri_queue_free_room(struct ftri_queue *self, const struct ftri_batch *batch);
/* (any) */
uint64_t ftri_queue_n_spans(const struct ftri_queue *self);
